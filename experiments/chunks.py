"""Chunk lengths on text: at equal updates, at equal characters, and by their horizon alone.

A small character model on Shakespeare. A chunk of k characters sets two things at once: how far
back the gradient reaches, and how many characters there are to an update. `updates` gives every k
the same number of updates, `characters` the same number of characters (and so nearly the same
number of multiplications), and `horizon` the same windows of 50 characters, with the gradient cut
every k steps inside; there the record also holds how many characters it takes such a model to
forget what it read before. A seed gives the start of the weights and the place in the text where
reading begins.

Three learning rates each from seeds 0 and 1, a fourth where the best was at an end of the three;
the best is the one with the lowest mean on the validation play over these two seeds (CHOSEN, which
a test compares with the record). With it run seeds 2 to 9 as well.
"""

import functools

import numpy as np
import study

from helpers import language_model as lm
from helpers import losses, text, train
from helpers.data import corpora
from helpers.rnn import RNN

SETTINGS = {
    "units": 96,
    "streams": 32,
    "updates": 200,
    "characters": 160_000,
    "window": 50,
}
RATES = (0.003, 0.01, 0.03)
MORE = {  # where the best of the three was the smallest or the largest
    ("updates", 1): (0.001,),
    ("characters", 1): (0.001,),
    ("characters", 5): (0.001,),
    ("characters", 200): (0.1,),
}
CHUNKS = {"updates": (1, 5, 20, 50, 200), "characters": (1, 5, 20, 50, 200), "horizon": (1, 5, 50)}

TUNING = (0, 1)  # the seeds that choose the rate
CHOSEN = {
    ("updates", 1): 0.003,
    ("updates", 5): 0.01,
    ("updates", 20): 0.01,
    ("updates", 50): 0.01,
    ("updates", 200): 0.01,
    ("characters", 1): 0.003,
    ("characters", 5): 0.003,
    ("characters", 20): 0.01,
    ("characters", 50): 0.01,
    ("characters", 200): 0.03,
    ("horizon", 1): 0.01,
    ("horizon", 5): 0.01,
    ("horizon", 50): 0.01,
}
APART = 14_000  # characters between the beginnings of two seeds: ten fit into one of 32 streams


@functools.cache
def plays():
    """Vocabulary, training ids, and 50 pieces of 200 characters of two other plays."""
    found = corpora.shakespeare()
    vocab = text.Vocabulary.of(found.train, unk=True)
    pieces = [vocab.encode(play[:10_001]) for play in (found.valid, found.test)]
    return vocab, vocab.encode(found.train), pieces


def bits(params, ids):
    """Bits per character on 50 pieces, each after 20 characters."""
    inputs, answers = ids[:-1].reshape(50, 200).T, ids[1:].reshape(50, 200).T
    z, _, _ = lm.predict(RNN, params, inputs)
    return float(losses.bits(losses.cross_entropy(z[20:], answers[20:])[0]))


def forgets(params, ids):
    """Characters until ten pasts make a thousandth of the difference that they made at first.

    Ten pasts of 40 characters, then the same 160 characters for all; the difference is the
    distance between two states, its geometric mean over nine pairs. The mean over ten texts.
    """
    exact = {name: w.astype(np.float64) for name, w in params.items()}
    pieces = ids[:-1].reshape(50, 200).T
    _, (h,), _ = lm.predict(RNN, exact, pieces[:40, :10])
    taken = []
    for same in pieces[40:, 10:20].T:
        _, _, hs = lm.predict(RNN, exact, np.repeat(same[:, None], 10, axis=1), (h,))
        apart = np.linalg.norm(np.diff(np.concatenate([h[None], hs]), axis=1), axis=-1)
        typical = np.log(np.maximum(apart, 1e-17)).mean(axis=1)
        near = typical <= typical[0] - np.log(1000)
        taken.append(near.argmax() if near.any() else len(same))
    return float(np.mean(taken))


def run(case, settings):
    """Train one model; bits per character on validation and test play, and the updates it made."""
    vocab, train_ids, (valid, test) = plays()
    k, B = case["k"], settings["streams"]
    T = settings["window"] if case["equal"] == "horizon" else k
    n = settings["characters"] // (k * B) if case["equal"] == "characters" else settings["updates"]

    def step(params, batch, state):
        inputs, targets = batch.inputs, batch.targets
        return lm.loss_and_grads(RNN, params, inputs, targets, state, truncate=k)

    rng = np.random.default_rng(case["seed"])
    params = lm.init_language_model(RNN, len(vocab), 32, settings["units"], rng)
    batches = text.sequential_batches(train_ids[case["seed"] * APART :], T, B)
    train.train(step, params, batches, n, lr=case["lr"], max_norm=1.0, progress=False)
    result = {
        "valid": round(bits(params, valid), 4),
        "test": round(bits(params, test), 4),
        "updates": n,
    }
    if case["equal"] == "horizon":
        result["forgets"] = forgets(params, valid)  # characters
    return result


STUDY = study.Study(
    name="chunks",
    question="What does the length of a chunk do on text: by its horizon, and by its updates?",
    settings=SETTINGS,
    cases=[
        {"equal": equal, "k": k, "lr": lr, "seed": seed}
        for equal, ks in CHUNKS.items()
        for k in ks
        for lr in MORE.get((equal, k), ()) + RATES
        for seed in range(10 if lr == CHOSEN[equal, k] else len(TUNING))
    ],
    run=run,
    tolerance=0.5,  # bits; the shortest runs have the largest rate, and rounding moves them
)

if __name__ == "__main__":
    study.main(STUDY)
