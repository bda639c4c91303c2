"""Answering late: how near do networks of one direction come to the ceiling of each delay?

*Same as last* (notebook 19): is this bit the same as the last one of T = 16? An answer d steps late
can be known for the last d + 1 bits, so the ceiling is 1/2 + (d + 1) / (2 T). The better of two
learning rates, by accuracy on validation sequences; scored on others.
"""

import numpy as np
import study

from helpers import losses, sequence_model, text, train
from helpers.gru import GRU
from helpers.rnn import RNN

CELLS = {"RNN": (RNN, 32), "GRU": (GRU, 18)}  # about the same number of parameters
SETTINGS = {"T": 16, "B": 32, "updates": 1500}


def ceiling(d: int, T: int) -> float:
    """Best accuracy d steps late, for a reader who counts the steps."""
    return 0.5 + min(d + 1, T) / (2 * T)


def same_as_last(T, B, rng, d):
    """Inputs (T + d, B, 1): bits as ±1, then d zeros; answers and mask, d steps late."""
    b = rng.integers(0, 2, (T, B))
    x = np.zeros((T + d, B, 1), np.float32)
    x[:T, :, 0] = 2 * b - 1
    targets, mask = np.zeros((T + d, B), int), np.zeros((T + d, B), bool)
    targets[d:], mask[d:] = b == b[-1], True
    return x, targets, mask


def run(case, settings):
    (cell, H), d, T = CELLS[case["cell"]], case["delay"], settings["T"]
    rng, n = np.random.default_rng(case["seed"]), settings["updates"]
    params = sequence_model.init_sequence_model(cell, 1, H, 2, rng)

    def step(params, batch, state):
        x, targets, mask = batch.inputs
        return sequence_model.loss_and_grads(
            cell, params, x, lambda z: losses.cross_entropy(z, targets, mask)
        )

    batches = iter(lambda: text.Batch(same_as_last(T, settings["B"], rng, d), None), None)
    train.train(step, params, batches, n, lr=train.linear_decay(case["rate"], n), max_norm=1.0,
                progress=False)  # fmt: skip
    result = {}
    for name, seed in (("validation", 98), ("accuracy", 99)):
        x, targets, mask = same_as_last(T, 1000, np.random.default_rng(seed), d)
        z = sequence_model.predict(cell, params, x)[0]
        result[name] = float((z.argmax(-1) == targets)[mask].mean())
    return result


STUDY = study.Study(
    name="late",
    question="How near do one-way networks come to the ceiling of each delay?",
    settings=SETTINGS,
    cases=[
        {"cell": cell, "delay": delay, "rate": rate, "seed": seed}
        for cell in CELLS
        for delay in (2, 5, 9, 15)
        for rate in (0.003, 0.01)
        for seed in range(3)
    ],
    run=run,
    tolerance=0.2,
)

if __name__ == "__main__":
    study.main(STUDY)
