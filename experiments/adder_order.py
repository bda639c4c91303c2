"""Two-digit additions: is a sum learned sooner when its digits are written from the right?

    python experiments/adder_order.py           # run what is missing; 24 runs of 2 to 5 seconds

A network of one LSTM layer reads 47+85 and writes 132, or 231; or it reads 74+58 and writes 231.
The answers are the same digits, so the shares of right answers can be compared. The rate was chosen
on the validation pairs, with order "plain". Scored are pairs from the tenth kept for testing.
"""

import numpy as np
import study

from helpers import executor
from helpers.data import programs
from helpers.lstm import LSTM
from helpers.train import linear_decay, train

VOCAB = programs.adder_vocabulary()


def start(s, rng):
    """The parameters of a network that has learned nothing."""
    params = executor.init_executor(LSTM, len(VOCAB), s["D"], s["H"], rng, n_layers=1)
    params["b_h_l0"][s["H"] : 2 * s["H"]] = 1.0  # the forget gates begin open
    return params


def as_batch(pairs, order):
    """Pairs of numbers (n, 2) as one batch of questions and answers."""
    texts = [programs.write_addition(a, b, order) for a, b in pairs.tolist()]
    sources, answers = ([VOCAB.encode(text) for text in side] for side in zip(*texts, strict=True))
    return executor.answer_batch(sources, answers)


def step(params, batch, state):
    return executor.loss_and_grads(LSTM, params, batch)


def learn(order, seed, s):
    """Train one network. Returns its parameters and the history of `train`."""
    rng = np.random.default_rng(seed)
    params = start(s, rng)

    def batches():
        while True:
            yield as_batch(programs.additions(s["B"], s["length"], rng), order)

    rate = linear_decay(s["lr"], s["updates"])
    history = train(step, params, batches(), s["updates"], lr=rate, max_norm=1.0, progress=False)
    return params, history


def score(params, order, part, length, n=800):
    """Shares of right symbols, the right ones before being read, and of right answers."""
    batch = as_batch(programs.additions(n, length, np.random.default_rng(99), part), order)
    right = executor.right_symbols(executor.predict(LSTM, params, batch), batch)
    return {
        "symbols": float(right.sum() / batch.mask.sum()),
        "answers": float((right | ~batch.mask).all(axis=0).mean()),
    }


def run(case, settings):
    """One network: what it scores on additions that it never saw."""
    params, history = learn(case["order"], case["seed"], settings | {"updates": case["updates"]})
    scores = score(params, case["order"], "test", settings["length"])
    return scores | {"loss": float(history.loss[-50:].mean())}


STUDY = study.Study(
    name="adder_order",
    question="Is a sum learned sooner when its digits are written, and read, from the right?",
    settings={"length": 2, "D": 16, "H": 64, "B": 64, "lr": 0.01},
    cases=[
        {"order": order, "updates": updates, "seed": seed}
        for updates, seeds in ((600, 5), (1200, 3))
        for order in programs.ORDERS
        for seed in range(seeds)
    ],
    run=run,
    tolerance=0.3,
)

if __name__ == "__main__":
    study.main(STUDY)
