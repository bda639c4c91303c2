"""What the gated cells of `long_range.py` reach with four times the updates, at 512 steps.

Beside them the LRU at 64 steps, which is quick, for the test that repeats the shortest run.
"""

import long_range
import long_range_rates
import study

SEEDS = {("LSTM, chrono", 8): 3, ("GRU, chrono", 8): 1, ("LRU", 1): 2}

STUDY = study.Study(
    name="long_range_more",
    question="Do the gated cells learn a digit in 512 steps with four times the updates?",
    settings=long_range_rates.SETTINGS,
    cases=[
        long_range.case(model, hold, seed, 3200)
        for (model, hold), seeds in SEEDS.items()
        for seed in range(seeds)
    ],
    run=long_range_rates.run,
    tolerance=0.3,
)

if __name__ == "__main__":
    study.main(STUDY)
