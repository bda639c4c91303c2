"""Eight cells on text and in a stream of episodes: which parts of the LSTM matter? (notebook 15)

Every cell is tuned on each task by the same rule: five rates, three seeds that are not used again,
the rate with the lowest mean on validation data. Then twenty fresh seeds are scored on test data.
"""

from functools import cache

import numpy as np
import study

from helpers import language_model, layers, losses, lstm, text, train, unroll
from helpers.data import corpora, tasks
from helpers.rnn import RNN
from helpers.trained import records

KEYS, LAG = 4, 6
CELLS = {cell.name: cell for cell in (*lstm.VARIANTS, RNN)}


def new_model(cell, V, D, H, seed, bias=1.0):
    """Parameters, and a random generator for the data that does not depend on the cell.

    PyTorch's uniform weights, and a forget bias of 1 wherever there is a forget gate.
    """
    params = language_model.init_language_model(cell, V, D, H, np.random.default_rng(seed))
    if "f" in cell.gates:
        lstm.set_forget_bias(cell, params, bias)
    return params, np.random.default_rng([seed, 1])


def episodes(n, B, rng):
    """n episodes of recall one after another: ids, targets and mask, each (8n, B)."""
    parts = [tasks.recall(LAG, B, rng, KEYS) for _ in range(n)]
    return tuple(np.concatenate(part) for part in zip(*parts, strict=True))


def stream_batches(rng, resets=False):
    """Three episodes a batch, for ever; or one a batch, with the state set to zero before it."""
    start = True
    while True:
        ids, targets, mask = episodes(1 if resets else 3, 16, rng)
        yield text.Batch(ids, (targets, mask), start)
        start = resets


def stream_model(cell, lr, seed, n_updates, resets=False, bias=1.0):
    """A network of 16 units, trained in the stream of episodes."""
    params, rng = new_model(cell, tasks.recall_vocab(KEYS), 8, 16, seed, bias)

    def step(params, batch, state):
        return language_model.loss_and_grads(
            cell, params, batch.inputs, batch.targets[0], state, batch.targets[1]
        )

    rate = train.linear_decay(lr, n_updates)
    train.train(step, params, stream_batches(rng, resets), n_updates, lr=rate, max_norm=1.0,
                progress=False)  # fmt: skip
    return params


def stream_test(cell, params, seed, n=50):
    """Accuracy at each of n answers of 32 new streams, and the mean |c| at each."""
    ids, targets, mask = episodes(n, 32, np.random.default_rng(seed))
    asked = mask.any(axis=1)
    hs, _, cache = unroll.forward(cell, params, layers.embedding_forward(params, ids))
    right = layers.linear_forward(params, hs).argmax(axis=-1) == targets
    size = np.abs(cache.states[-1][1:]).mean(axis=(1, 2))
    return right[asked].mean(axis=1), size[asked]


def stream(cell, lr, seed, n_updates, part):
    """Share of wrong answers in new streams of 50 episodes; a guesser has 0.75."""
    params = stream_model(cell, lr, seed, n_updates)
    return 1 - stream_test(cell, params, {"valid": 10_000, "test": 20_000}[part])[0].mean()


@cache
def letters(part):
    """200,000 characters to train on, 8080 to score ("valid" or "test"), and how many symbols."""
    plays = corpora.shakespeare()
    vocab = text.Vocabulary.of(plays.train)
    held_out = vocab.encode(getattr(plays, part)[:8080])
    return vocab.encode(plays.train[:200_000]), held_out, len(vocab)


def shakespeare(cell, lr, seed, n_updates, part, H=32):
    """Bits per character on windows of a play that is not in the training text."""
    ids, held_out, V = letters(part)
    params, rng = new_model(cell, V, 16, H, seed)

    def step(params, batch, state):
        return language_model.loss_and_grads(cell, params, batch.inputs, batch.targets)

    train.train(step, params, text.random_batches(ids, 25, 16, rng), n_updates,
                lr=train.linear_decay(lr, n_updates), max_norm=1.0, progress=False)  # fmt: skip
    windows = held_out.reshape(80, 101).T.copy()  # the first 20 characters are not scored
    scored = np.broadcast_to(np.arange(100)[:, None] >= 20, (100, 80)).copy()
    z, _, _ = language_model.predict(cell, params, windows[:-1])
    return losses.bits(losses.cross_entropy(z, windows[1:], scored)[0])


TASKS = {"text": shakespeare, "stream": stream}


def tuned(task, cell):
    """The rate with the lowest mean validation score over the seeds for tuning, from the record."""
    trials = records.load("variants")
    found = {
        lr: np.mean(trials.values("valid", task=task, cell=cell, lr=lr))
        for lr in STUDY.settings["rates"][task]
    }
    return min(found, key=found.get)


def run(case, settings):
    """One training. With a number for lr it is a trial of tuning; "tuned" takes the best rate."""
    task, cell = TASKS[case["task"]], CELLS[case["cell"]]
    is_trial = case["lr"] != "tuned"
    lr = case["lr"] if is_trial else tuned(case["task"], case["cell"])
    part = "valid" if is_trial else "test"
    try:
        score = float(task(cell, lr, case["seed"], settings["updates"][case["task"]], part))
    except FloatingPointError:
        score = settings["guess"][case["task"]]  # a run that broke counts as guessing
    return {part: score, "rate": lr}


RATES = {"text": [0.01, 0.02, 0.04, 0.08, 0.16], "stream": [0.0025, 0.005, 0.01, 0.02, 0.04]}
STUDY = study.Study(
    name="variants",
    question="Which parts of the LSTM matter, on text and in a stream that nobody resets?",
    settings={
        "updates": {"text": 250, "stream": 500},
        "guess": {"text": float(np.log2(80)), "stream": 0.75},
        "rates": RATES,
    },
    cases=[
        {"task": task, "cell": name, "lr": lr, "seed": seed}
        for task in TASKS
        for rates, seeds in ((RATES[task], range(100, 103)), (["tuned"], range(20)))
        for seed in seeds
        for name in CELLS
        for lr in rates
    ],
    run=run,
    tolerance=0.5,
)


if __name__ == "__main__":
    study.main(STUDY)
