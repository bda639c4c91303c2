"""Which learning rate suits each model of `gated_starts.py`? Chosen here, on a seed of its own.

The rule is the same for all: fewest updates until solved; where
it is not solved, the smallest error on validation sequences.
"""

import gated
import study

SETTINGS = {"lstm_units": 32, "budget": 600, "every": 25, "batch": 32}
RATES = (0.003, 0.01, 0.03)
MODELS = [name for name in gated.MODELS if name != "GRU before, drawn"]


def run(case, settings):
    return gated.train_until_solved(
        case["task"], case["model"], case["seed"], case["rate"], settings
    )


STUDY = study.Study(
    name="gated_rates",
    question="Which learning rate suits each cell and start, on the ribs and on adding?",
    settings=SETTINGS,
    cases=[
        {"task": task, "model": model, "rate": rate, "seed": seed}
        for task in gated.TASKS
        for model in MODELS
        for rate in RATES
        for seed in (100,)
    ],
    run=run,
    tolerance=0.08,
)

if __name__ == "__main__":
    study.main(STUDY)
