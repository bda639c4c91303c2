"""Chunk lengths on text: at equal updates, at equal characters, and by their horizon alone.

A small character model on Shakespeare. A chunk of k characters sets two things at once: how far
back the gradient reaches, and how many characters there are to an update. `updates` gives every k
the same number of updates, `characters` the same number of characters (and so nearly the same
number of multiplications), and `horizon` the same windows of 50 characters, with the gradient cut
every k steps inside. Three learning rates each, a fourth where the best was the smallest; the
best is chosen on the validation play.
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
MORE = {("characters", 1): (0.001,), ("characters", 5): (0.001,)}  # where 0.003 was the best
CHUNKS = {"updates": (1, 5, 20, 50, 200), "characters": (1, 5, 20, 50, 200), "horizon": (1, 5, 50)}


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
    batches = text.sequential_batches(train_ids[case["seed"] * 500_000 :], T, B)
    train.train(step, params, batches, n, lr=case["lr"], max_norm=1.0, progress=False)
    return {
        "valid": round(bits(params, valid), 4),
        "test": round(bits(params, test), 4),
        "updates": n,
    }


STUDY = study.Study(
    name="chunks",
    question="What does the length of a chunk do on text: by its horizon, and by its updates?",
    settings=SETTINGS,
    cases=[
        {"equal": equal, "k": k, "lr": lr, "seed": seed}
        for equal, ks in CHUNKS.items()
        for k in ks
        for lr in MORE.get((equal, k), ()) + RATES
        for seed in (0, 1)
    ],
    run=run,
    tolerance=0.5,  # bits; the shortest runs have the largest rate, and rounding moves them
)

if __name__ == "__main__":
    study.main(STUDY)
