"""A digit, pixel by pixel, in 64 and in 512 steps: gated cells against state spaces, ten seeds.

The models, the task and the learning rates are described in `long_range_rates`. Each model takes
the rate with the highest accuracy on validation data there. The starts of the LRU that differ from
the main one run at 512 steps only, from six and from three seeds.
"""

import long_range_rates
import study

from helpers.trained import records

MODELS = (*long_range_rates.CELLS, "LRU", "S4D")
SEEDS = {m: 6 if m == "LRU, all phases" else 3 for m in long_range_rates.STARTS}


def chosen(model, hold):
    """The rate with the highest accuracy on validation data; of equals the smallest."""
    runs = records.load("long_range_rates").select(model=model, hold=hold)
    return max(runs, key=lambda run: (run["result"]["validation"], -run["case"]["lr"]))["case"][
        "lr"
    ]


def case(model, hold, seed, updates):
    lr = chosen(model, hold)
    return {"model": model, "hold": hold, "lr": lr, "seed": seed, "updates": updates}


STUDY = study.Study(
    name="long_range",
    question="A digit from its pixels, in 64 and in 512 steps: which models learn it?",
    settings=long_range_rates.SETTINGS,
    cases=[
        *(case(m, hold, seed, 800) for hold in (1, 8) for m in MODELS for seed in range(10)),
        *(case(m, 8, seed, 800) for m, n in SEEDS.items() for seed in range(n)),
    ],
    run=long_range_rates.run,
    tolerance=0.3,
)

if __name__ == "__main__":
    study.main(STUDY)
