"""How a translator without attention fails with length (notebook 22).

The share of exact translations, and of right words when the true beginning is given, by the length
of the source; for three sizes, for a source shown backwards, and for three times the updates.
"""

from typing import NamedTuple

import numpy as np
import study

from helpers import decoding, seq2seq
from helpers.data import translation
from helpers.gru import GRU
from helpers.seq2seq import Seq2Seq
from helpers.text import pair_batch, pair_batches, sequence_mask
from helpers.train import linear_decay, train

PLAIN = Seq2Seq(GRU, context="last", feed="both")
EDGES = np.array([4, 7, 10, 13, 16, 19, 22, 26, 40])  # a bucket begins at each, in French words
SETTINGS = {"n_train": 4000, "n_test": 900, "D": 16, "B": 32, "lr": 0.03}


class Data(NamedTuple):
    sources: list
    targets: list
    test_sources: list
    test_targets: list
    vocabularies: tuple


def draw(seed, n_train=4000, n_test=900):
    """Sentences of one or two clauses to train on, new ones of one to three as a test."""
    rng = np.random.default_rng(seed)
    pairs = translation.generate(n_train, rng, clauses=(1, 2))
    known = {pair.french for pair in pairs}
    new = translation.generate(n_test, rng, clauses=(1, 3))
    new = [pair for pair in new if pair.french not in known]
    fr, en = translation.vocabularies(pairs)
    return Data(*translation.encode(pairs, fr, en), *translation.encode(new, fr, en), (fr, en))


def fit(data, size, seed, turn=1, n=400, D=16, B=32, lr=3e-2):
    """Train a translator; turn = −1 shows the encoder every sentence backwards."""
    rng = np.random.default_rng(100 + seed)
    params = seq2seq.init_seq2seq(PLAIN, *map(len, data.vocabularies), D, size, rng)
    batches = pair_batches([s[::turn] for s in data.sources], data.targets, B, rng)
    train(lambda p, b, _: seq2seq.loss_and_grads(PLAIN, p, b), params, batches, n,
          lr=linear_decay(lr, n), max_norm=1.0, progress=False)  # fmt: skip
    return params


def score(params, data, turn=1):
    """For each test sentence: exact (bool), and right (S, N) with NaN behind its end."""
    exact = np.empty(len(data.test_sources))
    right = np.full((50, len(exact)), np.nan)
    order = np.argsort([len(s) for s in data.test_sources], kind="stable")
    for some in np.array_split(order, 8):
        sources = [data.test_sources[i][::turn] for i in some]
        batch = pair_batch(sources, [data.test_targets[i] for i in some])
        encoded, _ = seq2seq.encode(PLAIN, params, batch.source, batch.lengths)
        found = decoding.greedy(*seq2seq.decoder_step(PLAIN, params, encoded), max_length=45)
        exact[some] = [tuple(data.test_targets[i]) == f.ids for i, f in zip(some, found)]
        z = seq2seq.decode(PLAIN, params, encoded, batch.inputs)[0]
        scored = sequence_mask(batch.target_lengths, len(z))
        right[: len(z), some] = np.where(scored, z.argmax(2) == batch.targets, np.nan)
    return exact, right


def by_length(values, n):
    """Mean of the values in each bucket of source length."""
    bucket = np.digitize(n, EDGES) - 1
    return np.array([values[bucket == k].mean() for k in range(len(EDGES) - 1)])


def by_place(right, n, low=13, high=27, parts=5):
    """Right words in each fifth of the translation, for sources of low to high words."""
    right = right[:, (n >= low) & (n <= high)]
    S = np.sum(~np.isnan(right), axis=0)
    part = np.arange(len(right))[:, None] * parts // S
    return np.array([np.nanmean(right[part == k]) for k in range(parts)])


def run(case, settings):
    data = draw(case["seed"], settings["n_train"], settings["n_test"])
    params = fit(data, case["size"], case["seed"], case["turn"], case["n"], settings["D"],
                 settings["B"], settings["lr"])  # fmt: skip
    exact, right = score(params, data, case["turn"])
    n = np.array([len(s) for s in data.test_sources])
    return {"exact": by_length(exact, n).tolist(),
            "words": by_length(np.nanmean(right, axis=0), n).tolist(),
            "fifths": by_place(right, n).tolist(),
            "all words": float(np.nanmean(right[:, n <= 27]))}  # fmt: skip


def case(seed, size=64, turn=1, n=400):
    return {"size": size, "turn": turn, "n": n, "seed": seed}


STUDY = study.Study(
    name="translation_length",
    question="How does a translator without attention fail as sentences grow?",
    settings=SETTINGS,
    cases=[c for seed in range(10) for c in (case(seed, 16), case(seed, 32), case(seed),
                                            case(seed, turn=-1), case(seed, n=1200))],
    run=run,
    tolerance=0.25,
)  # fmt: skip

if __name__ == "__main__":
    study.main(STUDY)
