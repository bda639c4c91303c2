"""Learning from a stream while it runs: forward gradients, and backward in chunks. Notebook 41.

A stream of random signs; the answer is the sign of four steps ago. One series, one pass. RTRL makes
an update after every step, with the gradient through all steps so far. "one step" does the same
with the gradient of the last step alone. BPTT waits for a chunk to end, goes back through it, and
makes one update for the whole chunk; the state is carried on. Each method takes the rate with the
lowest mean loss on the streams of two other seeds (100 and 101).
"""

import numpy as np
import study

from helpers import losses, optim, real_time, sequence_model
from helpers.rnn import RNN

METHODS = {"RTRL": None, "one step": None, "BPTT, 4": 4, "BPTT, 16": 16}
SETTINGS = {
    "steps": 4000,
    "lag": 4,
    "units": 12,
    "pieces": 20,
    "rates": [0.001, 0.003, 0.01, 0.03, 0.1],
}


def stream(T: int, lag: int, rng):
    """Random signs x (T, 1, 1), and the sign of `lag` steps ago (0 before the stream began)."""
    x = rng.choice([-1.0, 1.0], (T, 1, 1))
    return x, np.concatenate([np.zeros((lag, 1, 1)), x[:-lag]])


def in_chunks(params: dict, x, y, k: int, lr: float) -> np.ndarray:
    """Truncated backpropagation: the loss of each step before the update of its chunk, (T,)."""
    memory, state, values = optim.ADAM.init(params), None, []
    for start in range(0, len(x), k):
        here = slice(start, start + k)

        def loss(z, target=y[here]):
            values.extend(((z - target) ** 2).mean(axis=(1, 2)))
            return losses.mse(z, target)

        _, grads, state = sequence_model.loss_and_grads(RNN, params, x[here], loss, state)
        optim.ADAM.update(params, grads, memory, lr)
    return np.array(values)


def one_pass(method: str, rate: float, seed: int, settings: dict) -> np.ndarray:
    """Learn from one stream: the squared error of each step, before the step's own update."""
    rng = np.random.default_rng(seed)
    params = sequence_model.init_sequence_model(RNN, 1, settings["units"], 1, rng, np.float64)
    x, y = stream(settings["steps"], settings["lag"], rng)
    if METHODS[method]:
        return in_chunks(params, x, y, METHODS[method], rate)
    return real_time.learn_online(params, x, y, losses.mse, rate, remember=method == "RTRL")


def run(case, settings):
    """One stream, learned at each of the rates.

    Results: lists over the rates of loss, the mean squared error of all steps, and of pieces, that
    of each of twenty pieces of the stream, one after another.
    """
    found = {"loss": [], "pieces": []}
    for rate in settings["rates"]:
        values = one_pass(case["method"], rate, case["seed"], settings)
        pieces = np.split(values, settings["pieces"])
        found["loss"].append(round(float(values.mean()), 5))
        found["pieces"].append([round(float(piece.mean()), 5) for piece in pieces])
    return found


STUDY = study.Study(
    name="online",
    question="What does a gradient that needs no looking back buy on a stream?",
    settings=SETTINGS,
    cases=[
        {"method": method, "seed": seed} for method in METHODS for seed in (*range(10), 100, 101)
    ],
    run=run,
    tolerance=0.3,
)

if __name__ == "__main__":
    study.main(STUDY)
