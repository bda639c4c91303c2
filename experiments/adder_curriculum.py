"""Additions of three digits: from easy to hard, all at once, or the target alone?

    python experiments/adder_curriculum.py       # run what is missing; 12 runs of 8 seconds each

Four orders in which a network may meet its examples, those of Zaremba & Sutskever (2014):
"target only" has three digits throughout; "naive" one digit, then two, then three, each for a fifth
of the updates, three for the rest; "mix" a random length for each example; "combined" naive for one
half of the examples, mix for the other. All digits are read and written from the right. Equal
updates, sizes and rates, those of the study of orders. Scored are additions kept for testing.
"""

import adder_order
import numpy as np
import study

from helpers.data import programs
from helpers.train import linear_decay, train

STRATEGIES = ("target only", "naive", "mix", "combined")
TARGET = 3


def lengths(strategy, share, n, rng):
    """How many digits each of n examples has, when `share` of the updates are done."""
    stage = min(1 + int(5 * share), TARGET)
    if strategy == "target only":
        return np.full(n, TARGET)
    if strategy == "naive":
        return np.full(n, stage)
    mixed = rng.integers(1, TARGET + 1, n)
    return mixed if strategy == "mix" else np.where(rng.random(n) < 0.5, mixed, stage)


def batches(strategy, s, rng):
    """Batches for ever; the pairs of a length come from a pool drawn beforehand."""
    pools = [programs.additions(20_000, length, rng) for length in range(1, TARGET + 1)]
    done = 0
    while True:
        chosen = lengths(strategy, min(done / s["updates"], 1), s["B"], rng)
        pairs = np.array([pools[k - 1][rng.integers(20_000)] for k in chosen])
        yield adder_order.as_batch(pairs, "all reversed")
        done += 1


def run(case, s):
    """One network: shares of right answers with one, two and three digits."""
    rng = np.random.default_rng(case["seed"])
    params = adder_order.start(s, rng)
    train(
        params=params, step=adder_order.step, batches=batches(case["strategy"], s, rng),
        n_updates=s["updates"], lr=linear_decay(s["lr"], s["updates"]), max_norm=1.0,
        progress=False,
    )  # fmt: skip
    found = {}
    for length in range(1, TARGET + 1):
        scores = adder_order.score(params, "all reversed", case["part"], length)
        found |= {f"{name} {length}": share for name, share in scores.items()}
    return found


STUDY = study.Study(
    name="adder_curriculum",
    question="Does a curriculum help a network to learn to add?",
    settings={"D": 16, "H": 64, "B": 64, "updates": 2000, "lr": 0.01},
    cases=[
        {"strategy": strategy, "seed": seed, "part": "test"}
        for strategy in STRATEGIES
        for seed in range(3)
    ],
    run=run,
    tolerance=0.5,
)

if __name__ == "__main__":
    study.main(STUDY)
