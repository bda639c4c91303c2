"""Who speaks? Recurrent networks on the Japanese vowels: cells, read-outs, dropout, ten seeds.

Every run trains twice. First on 20 utterances of each speaker, scored on the other 10 of the
training file ("valid"): a setting is chosen by the mean over seeds of this. Then on all 30, scored
on the test file ("test"). Adam with a rate that falls to zero, 300 updates of 45 utterances; the
rate was chosen on "valid" among 0.003, 0.01 and 0.03 with one seed.
"""

import numpy as np
import study

from helpers import classifier, layers, sequence_model, train, unroll
from helpers.data import vowels
from helpers.gru import GRU
from helpers.losses import LossAndGrads, cross_entropy
from helpers.lstm import LSTM

CELLS = {"LSTM": LSTM, "GRU": GRU}
SETTINGS = {"H": 48, "B": 45, "updates": 300, "rate": 0.03}


class Batch:
    """Some utterances; no state is carried from one batch to the next."""

    start = True

    def __init__(self, utterances):
        self.utterances = utterances


def logits(cell, params, pool, utterances):
    """z (N, 9): what a reader says of every utterance."""
    hs, _, _ = unroll.forward(cell, params, utterances.x)
    s, _, _ = classifier.pool(pool, params, hs, utterances.lengths)
    return layers.linear_forward(params, s)


def fit(cell, pool, dropout, material, settings, seed):
    """Train a reader of utterances: parameters, and the history of the training.

    It reads on into the padding, but what it pools are the states of the utterance itself; in one
    direction they do not know what comes later.
    """
    rng = np.random.default_rng(seed)
    H, B, C = settings["H"], settings["B"], vowels.SPEAKERS
    params = sequence_model.init_sequence_model(cell, vowels.CHANNELS, H, C, rng)

    def batches():
        while True:
            order = rng.permutation(len(material.lengths))
            for i in range(0, len(order) - B + 1, B):
                yield Batch(vowels.take(material, order[i : i + B]))

    def step(params, batch, state):
        x, lengths, speakers = batch.utterances
        hs, _, cache = unroll.forward(cell, params, x)
        s, _, pooled = classifier.pool(pool, params, hs, lengths)
        mask = layers.dropout_mask(s.shape, dropout, rng)
        loss, dz = cross_entropy(layers.linear_forward(params, s * mask), speakers)
        grads, ds = layers.linear_backward(params, s * mask, dz)
        _, dhs = classifier.pool_backward(pool, params, pooled, ds * mask)
        cell_grads, _, _ = unroll.backward(cell, params, cache, dhs)
        return LossAndGrads(loss, {**cell_grads, **grads})

    n = settings["updates"]
    history = train.train(
        step, params, batches(), n, lr=train.linear_decay(settings["rate"], n), max_norm=1.0,
        progress=False,
    )  # fmt: skip
    return params, history


def run(case, settings):
    cell, everything, test = CELLS[case["cell"]], *vowels.load()
    result = {}
    for name, (known, asked) in {
        "valid": vowels.hold_out(everything), "test": (everything, test)
    }.items():  # fmt: skip
        known, asked = vowels.standardise(known, known), vowels.standardise(asked, known)
        params, _ = fit(cell, case["pool"], case["dropout"], known, settings, case["seed"])
        right = logits(cell, params, case["pool"], asked).argmax(axis=1) == asked.speakers
        result[name] = float(right.mean())
    return result


STUDY = study.Study(
    name="vowels",
    question="Which cell, read-out and dropout tell nine speakers apart by two vowels?",
    settings=SETTINGS,
    cases=[
        {"cell": cell, "pool": pool, "dropout": dropout, "seed": seed}
        for cell in CELLS
        for pool in ("last", "mean")
        for dropout in (0.0, 0.5)
        for seed in range(10)
    ],
    run=run,
    tolerance=0.03,
)

if __name__ == "__main__":
    study.main(STUDY)
