"""Notebook 05: how well a vanilla RNN writes Shakespeare, from many seeds, and with more reading.

Three groups of cases. `small`: the first 100,000 training characters, 300 updates. `minute`: the
model of the notebook, 2,000 updates. `long`: three times as many updates. Learning rate, clipping
and sizes are those of the notebook in every run; nothing was chosen on the test text.
"""

import itertools

import numpy as np
import study

from helpers import language_model as lm
from helpers import losses, text, train
from helpers.activations import log_softmax
from helpers.data import corpora
from helpers.rnn import RNN

CONTEXTS = (1, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 50)
TEMPERATURES = (0, 0.5, 1, 1.5)


def step(params, batch, state):
    """One update's loss and gradients, the state carried from chunk to chunk."""
    return lm.loss_and_grads(RNN, params, batch.inputs, batch.targets, state)


def train_on(ids, V, H, n_updates, seed, settings, look=None, every=None):
    """A new language model, trained; `look(params)` is asked before every `every`-th update."""
    params = lm.init_language_model(RNN, V, settings["D"], H, np.random.default_rng(seed))
    seen, updates = [], itertools.count()

    def step_and_look(params, batch, state):
        if every and next(updates) % every == 0:
            seen.append(look(params))
        return step(params, batch, state)

    history = train.train(
        step_and_look,
        params,
        text.sequential_batches(ids, settings["T"], settings["B"]),
        n_updates,
        lr=train.linear_decay(settings["lr"], n_updates),
        max_norm=settings["max_norm"],
        progress=False,
    )
    return params, history, seen


def bits_with_context(params, ids, k, places):
    """Mean surprise at the symbols at `places` when only the k before them are read."""
    window = ids[places - k + np.arange(k)[:, None]]  # (k, places)
    z, _, _ = lm.predict(RNN, params, window)
    return losses.bits(-log_softmax(z[-1])[np.arange(len(places)), ids[places]].mean())


def word_shares(sample, known):
    """The share of written words that are in `known`, and the share of distinct ones."""
    words = sample.lower().split()
    return float(np.mean([word in known for word in words])), len(set(words)) / len(words)


def properties(passage):
    """Four facts about a text that are known after each of its characters."""

    def since(stops):
        last = np.maximum.accumulate([i if c in stops else 0 for i, c in enumerate(passage)])
        return np.arange(len(passage)) - last

    in_name = [line.isupper() for line in passage.split("\n") for _ in line + "\n"]
    return {
        "letters since the word began": since(" \n"),
        "last character is a vowel": np.array([c in "aeiou" for c in passage]),
        "inside a speaker's name": np.array(in_name[: len(passage)]),
        "characters since the line began": since("\n"),
    }


def read_out(h, values, early, late):
    """Best unit, its sign and score, and the score of all units: chosen on `early`, for `late`."""
    values = values.astype(np.float64)
    r = np.array([np.corrcoef(unit, values[early])[0, 1] for unit in h[early].T])
    unit = int(np.abs(r).argmax())
    wide = np.hstack([h, np.ones((len(h), 1), h.dtype)])
    combined = wide[late] @ np.linalg.lstsq(wide[early], values[early], rcond=None)[0]
    return (
        unit,
        float(np.sign(r[unit])),
        abs(float(np.corrcoef(h[late, unit], values[late])[0, 1])),
        float(np.corrcoef(combined, values[late])[0, 1]),
    )


def run(case, settings):
    plays = corpora.shakespeare()
    vocab = text.Vocabulary.of(plays.train)
    train_ids, valid_ids, test_ids = (vocab.encode(part) for part in plays)

    def look(params):
        return float(losses.bits(lm.evaluate(RNN, params, valid_ids[:30_000])))

    def bits_of(params, ids):
        return float(losses.bits(lm.evaluate(RNN, params, ids)))

    read = train_ids[: case["characters"]]
    every = None if case["group"] == "small" else settings["every"]
    params, _, curve = train_on(
        read, len(vocab), case["H"], case["updates"], case["seed"], settings, look, every
    )
    found = {"valid": bits_of(params, valid_ids)}
    if case["group"] == "small":
        return found
    found |= {"test": bits_of(params, test_ids), "curve": curve, "valid_part": look(params)}
    if case["group"] == "long":
        return found
    places = np.random.default_rng(0).integers(100, len(valid_ids), 3000)
    found["contexts"] = [float(bits_with_context(params, valid_ids, k, places)) for k in CONTEXTS]
    known, shares = set(plays.train.lower().split()), []
    for tau in TEMPERATURES:
        rng = np.random.default_rng(0)
        drawn = lm.sample(RNN, params, vocab.encode("ROMEO\n"), 1000, rng, temperature=tau)
        shares.append(word_shares("".join(vocab.decode(drawn)), known))
    found["known"], found["distinct"] = (list(column) for column in zip(*shares))
    _, _, h = lm.predict(RNN, params, valid_ids[:30_000, None])
    early, late = slice(100, 15_000), slice(15_000, None)
    scores = [
        read_out(h[:, 0], values, early, late)[2:]
        for values in properties(plays.valid[:30_000]).values()
    ]
    found["best_unit"], found["all_units"] = (list(column) for column in zip(*scores))
    return found


ALL = 4_707_444


def cases(group, H, characters, updates, seeds):
    shared = {"group": group, "H": H, "characters": characters, "updates": updates}
    return [{**shared, "seed": seed} for seed in seeds]


CASES = [
    *cases("small", 256, 100_000, 300, range(10)),
    *cases("minute", 256, ALL, 2000, range(10)),
    *cases("long", 256, ALL, 6000, range(1)),
]

STUDY = study.Study(
    name="char_rnn",
    question="How many bits per character does a vanilla RNN need, and how much is chance?",
    settings={"T": 25, "B": 32, "D": 64, "lr": 4e-3, "max_norm": 1.0, "every": 200},
    cases=CASES,
    run=run,
    tolerance=0.05,
)

if __name__ == "__main__":
    study.main(STUDY)
