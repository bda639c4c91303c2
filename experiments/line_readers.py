"""Small readers of handwritten lines: CTC or the true alignment, one direction or two, three seeds.

A layer of LSTM cells, about 22,900 parameters each, and 600 updates of 32 lines out of 2,000, which
take eight seconds. CTC is told the digits in order; "frames" is told the digit of every column. In
reading, runs of fewer than `shortest` equal columns are dropped: 1, 2 or 3, whichever reads the
validation lines best. The learning rate is 0.03 for each kind, the best of 0.005, 0.01, 0.02 and
0.03 by the mean validation error of seeds 100 and 101 (option --rates); CTC in one direction was
tried with 0.05, too, and got worse.
"""

import sys

import numpy as np
import study

from helpers import ctc, train, unroll
from helpers.activations import softmax
from helpers.data import digit_lines
from helpers.data.digit_lines import N_SYMBOLS, SIDE
from helpers.layers import linear_backward, linear_forward
from helpers.losses import LossAndGrads, cross_entropy
from helpers.lstm import LSTM
from helpers.text import sequence_mask

UNITS = {1: 70, 2: 48}  # 22,901 and 22,955 parameters
SETTINGS = {
    "updates": 600, "B": 32, "lines": 2000,
    "rates": {"ctc1": 0.03, "ctc2": 0.03, "frames1": 0.03, "frames2": 0.03},
    "looks": [10, 25, 50, 75, 100, 150, 200, 300, 400, 500],
}  # fmt: skip


class Batch:
    """Some lines; no state is carried from one batch to the next."""

    start = True

    def __init__(self, lines):
        self.lines = lines


def batches(lines, B, rng):
    """Batches of B lines for ever, lines of about equal length together."""
    while True:
        order = np.argsort(lines.lengths + rng.normal(size=len(lines.lengths)), kind="stable")
        chunks = [order[i : i + B] for i in range(0, len(order) - B + 1, B)]
        for j in rng.permutation(len(chunks)):
            yield Batch(digit_lines.take(lines, chunks[j]))


def ctc_step(params, batch, state):
    """Told: the digits in order."""
    x, lengths, targets = batch.lines[:3]
    return ctc.loss_and_grads(LSTM, params, x, targets, lengths)


def frames_step(params, batch, state):
    """Told: the digit of every column."""
    x, lengths, columns = batch.lines.x, batch.lines.lengths, batch.lines.columns
    hs, _, cache = unroll.stack_forward(LSTM, params, x, lengths)
    loss, dz = cross_entropy(linear_forward(params, hs), columns, sequence_mask(lengths, len(x)))
    grads, dhs = linear_backward(params, hs, dz)
    stack_grads, _, _ = unroll.stack_backward(LSTM, params, cache, dhs)
    return LossAndGrads(loss, {**stack_grads, **grads})


def read(params, lines, shortest=1) -> list:
    """What is read: the likeliest symbol of each column, merged; a tuple of ids for each line.

    shortest: runs of fewer columns are taken for slips of the network, and left out. With 1 this is
    greedy decoding.
    """
    best = ctc.predict(LSTM, params, lines.x, lines.lengths).argmax(axis=-1)
    paths = [best[:n, b].copy() for b, n in enumerate(lines.lengths)]
    for path in paths:
        for _, i, j in runs_of(path):
            if j - i < shortest:
                path[i:j] = ctc.BLANK
    return [ctc.collapse(path) for path in paths]


def error(params, lines, shortest=1) -> float:
    """Label error rate of what is read."""
    return digit_lines.error_rate(read(params, lines, shortest), lines.targets)


def runs_of(path) -> list:
    """The runs of equal symbols in a path that are not blank: (symbol, first column, end)."""
    edges = np.flatnonzero(np.diff(path, prepend=-1, append=-1))
    return [(path[i], i, j) for i, j in zip(edges[:-1], edges[1:]) if path[i] != ctc.BLANK]


def peaks(params, lines) -> dict:
    """How peaked the outputs are, and when a digit is said.

    blank: mean probability of the blank. said: columns for which a digit is said, per digit said.
    late: column in the middle of such a run less the digit's middle, mean over lines that are read
    without an error (0 if there are none).
    """
    z = ctc.predict(LSTM, params, lines.x, lines.lengths)
    real = sequence_mask(lines.lengths, len(z))
    widths, late = [], []
    for b, n in enumerate(lines.lengths):
        runs = runs_of(z[:n, b].argmax(axis=-1))
        widths += [j - i for _, i, j in runs]
        if [symbol for symbol, _, _ in runs] == lines.targets[b].tolist():
            middles = np.array([(i + j - 1) / 2 for _, i, j in runs])
            late += (middles - lines.centres[b]).tolist()
    return {
        "blank": float(softmax(z)[..., ctc.BLANK][real].mean()),
        "said": float(np.mean(widths)) if widths else 0.0,
        "late": float(np.mean(late)) if late else 0.0,
    }


def fit(kind, directions, seed, settings, rate=None, watch=None):
    """Train a small reader. watch(update, params) is called at settings["looks"]."""
    rng = np.random.default_rng(seed)
    lines = digit_lines.train_lines(settings["lines"], rng)
    params = ctc.init_reader(
        LSTM, SIDE, UNITS[directions], N_SYMBOLS, rng, bidirectional=directions == 2
    )
    done, one = [0], {"ctc": ctc_step, "frames": frames_step}[kind]

    def step(params, batch, state):
        if watch and done[0] in settings["looks"]:
            watch(done[0], params)
        done[0] += 1
        return one(params, batch, state)

    rate, n = rate or settings["rates"][f"{kind}{directions}"], settings["updates"]
    history = train.train(
        step, params, batches(lines, settings["B"], rng), n, lr=train.linear_decay(rate, n),
        max_norm=1.0, progress=False,
    )  # fmt: skip
    return params, history


def watched(case, settings):
    """A trained reader, its history, and what was seen on the way: error, blank, said."""
    valid, looks = digit_lines.parts().valid, []

    def watch(update, params):
        found = peaks(params, valid)
        looks.append([update, error(params, valid), found["blank"], found["said"]])

    params, history = fit(case["kind"], case["directions"], case["seed"], settings, watch=watch)
    return params, history, looks


def assess(params, looks) -> dict:
    """The results of a run: error rates, peaks, and what was seen on the way."""
    parts = digit_lines.parts()
    shortest = min((1, 2, 3), key=lambda n: error(params, parts.valid, n))
    scores = {name: error(params, part, shortest) for name, part in parts._asdict().items()}
    return {**scores, "shortest": shortest, **peaks(params, parts.valid), "looks": looks}


def run(case, settings):
    params, _, looks = watched(case, settings)
    return assess(params, looks)


STUDY = study.Study(
    name="line_readers",
    question="How well do small networks read lines of digits that were not cut apart?",
    settings=SETTINGS,
    cases=[
        {"kind": kind, "directions": directions, "seed": seed}
        for seed in range(3)
        for kind in ("ctc", "frames")
        for directions in (1, 2)
    ],
    run=run,
    tolerance=1.5,
)


def compare_rates():
    """How the rates in SETTINGS were chosen."""
    valid = digit_lines.parts().valid
    for kind in ("ctc", "frames"):
        for directions in (1, 2):
            for rate in (0.005, 0.01, 0.02, 0.03):
                errors = []
                for seed in (100, 101):
                    params, _ = fit(kind, directions, seed, SETTINGS, rate)
                    errors.append(min(error(params, valid, n) for n in (1, 2, 3)))
                print(f"{kind}{directions} {rate:.3f} {np.mean(errors):.3f}", errors, flush=True)


if __name__ == "__main__":
    if "--rates" in sys.argv:
        compare_rates()
    else:
        study.main(STUDY)
