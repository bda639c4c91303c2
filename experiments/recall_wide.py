"""An LSTM with as many numbers in its state as the matrix of `recall`, whatever it costs.

128 units keep 2 · 128 = 256 numbers, as a 16 × 16 matrix does, with 28 times the parameters.
The first task of `recall`, with its training and its scores.
"""

import recall
import study

RATES = (0.001, 0.003, 0.01)

STUDY = study.Study(
    name="recall_wide",
    question="Does an LSTM keep as many pairs as a matrix memory if its state is as large?",
    settings={**recall.SETTINGS, "LSTM units": 128},
    cases=[
        {"task": "once", "memory": "LSTM", "lr": lr, "seed": seed}
        for lr in RATES
        for seed in range(5)
    ],
    run=recall.run,
    tolerance=0.5,
)

if __name__ == "__main__":
    study.main(STUDY)
