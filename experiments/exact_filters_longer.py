"""Is the gap of `exact_filters.py` at 1,024 series a matter of data, or of too few updates?

The networks of the hidden Markov model again, with 1,024 series and four times as many updates.
"""

import exact_filters
import study

SETTINGS = {**exact_filters.SETTINGS, "series": [1024], "updates": 1280}

STUDY = study.Study(
    name="exact_filters_longer",
    question="How near do the networks come to the exact filter with four times the updates?",
    settings=SETTINGS,
    cases=[
        {"world": "hmm", "model": model, "seed": seed}
        for model in ("RNN", "LSTM")
        for seed in range(8)
    ],
    run=exact_filters.run,
    tolerance=0.1,
)

if __name__ == "__main__":
    study.main(STUDY)
