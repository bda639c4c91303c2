"""Learning rates for the wall: three for each model, task and distance, judged on validation data.

Also what the study `wall` shares: the models, the tasks, and one run.
"""

from typing import NamedTuple

import numpy as np
import study

from helpers import init, layers, losses, sequence_model, text, train
from helpers.checks import NonFiniteError
from helpers.data import tasks
from helpers.gru import GRU
from helpers.lstm import LSTM
from helpers.rnn import RNN, RNN_RELU, Cell, leaky


class Model(NamedTuple):
    """H: units, so many that all models have about as many parameters. start: H, rng → W_hh, or
    None for uniform. keep: what the bias of the gate that keeps starts from, or None."""

    cell: Cell
    H: int
    start: object = None
    keep: float | None = None


class Task(NamedTuple):
    """D inputs, V outputs; batch(distance, B, rng) → inputs, targets of the last step; a loss."""

    D: int
    V: int
    batch: object
    loss: object


def identity(H, rng):
    return init.scaled_identity(H)


MODELS = {
    "rnn": Model(RNN, 66),
    "orthogonal": Model(RNN, 66, init.orthogonal),
    "irnn": Model(RNN_RELU, 66, identity),
    "leaky": Model(leaky(0.05), 66),  # keeps 0.95, as an LSTM with a forget bias of 3 does
    "lstm0": Model(LSTM, 32, keep=0.0),
    "lstm1": Model(LSTM, 32, keep=1.0),
    "lstm3": Model(LSTM, 32, keep=3.0),
    "gru0": Model(GRU, 37, keep=0.0),
    "gru3": Model(GRU, 37, keep=3.0),
}
KEEPS = {"lstm": "f", "gru": "z"}  # the gate that keeps


def ribs(lag, B, rng):
    """A key, `lag` fillers, a question: which key?"""
    ids, targets, _ = tasks.recall(lag, B, rng)
    return layers.one_hot(ids, tasks.recall_vocab()), targets[-1]


def changed(lag, B, rng, share=0.2):
    """The ribs with a cook who changes his mind: keys come again and again, the last one counts.

    Before the last key lie `lag` symbols, each a key with probability `share` and else a filler;
    after it `lag` fillers and the question. What was kept before the last key must be let go.
    """
    ids, targets, _ = tasks.recall(lag, B, rng)
    before, _, _ = tasks.recall(lag, B, rng)
    before = before[1:-1]
    keys = rng.integers(0, 4, before.shape)
    before = np.where(rng.random(before.shape) < share, keys, before)
    ids = np.concatenate([before, ids])
    return layers.one_hot(ids, tasks.recall_vocab()), targets[-1]


TASKS = {
    "ribs": Task(tasks.recall_vocab(), tasks.recall_vocab(), ribs, losses.cross_entropy),
    "changed": Task(tasks.recall_vocab(), tasks.recall_vocab(), changed, losses.cross_entropy),
    "adding": Task(2, 1, tasks.adding, losses.mse),
}
DISTANCES = {"ribs": (5, 10, 20, 60), "changed": (10, 20), "adding": (30,)}
RATES = (0.003, 0.01, 0.03)
SETTINGS = {"updates": 500, "batch": 32, "max_norm": 1.0, "scored_on": 1000, "longer": 4}
VALIDATION, TEST = 10_000, 20_000  # seeds of the sequences that scores are taken on


def new_model(name, task, seed):
    """Parameters at their start, and the random numbers that go on to draw the batches."""
    model, task, rng = MODELS[name], TASKS[task], np.random.default_rng(seed)
    cell, H = model.cell, model.H
    params = sequence_model.init_sequence_model(cell, task.D, H, task.V, rng)
    if model.start:
        params["W_hh"], params["b_h"][:] = model.start(H, rng), 0
    if model.keep is not None:
        gate = cell.gates.index(KEEPS[cell.name])
        params["b_h"].reshape(cell.n_gates, H)[gate] = model.keep
    return params, rng


def batches(task, distance, B, rng):
    """One new batch after the other."""
    while True:
        yield text.Batch(*TASKS[task].batch(distance, B, rng), start=True)


def score(name, task, params, distance, n, seed):
    """Accuracy at the question, or mean squared error of the sum, on n sequences of their own."""
    x, targets = TASKS[task].batch(distance, n, np.random.default_rng(seed))
    z, _, _ = sequence_model.predict(MODELS[name].cell, params, x)
    if task == "adding":
        return float(losses.mse(z[-1], targets)[0])
    return float((z[-1].argmax(axis=-1) == targets).mean())


def run(case, settings):
    """Train one model from one seed; score it. A training that overflows scores as a guesser does.

    Results: validation and test (accuracy, or error for adding); longer: accuracy at four times the
    distance, without more training (not for adding); loss: five means of 100 updates.
    """
    params, rng = new_model(case["model"], case["task"], case["seed"])
    cell, loss = MODELS[case["model"]].cell, TASKS[case["task"]].loss

    def step(params, batch, state):
        at_end = sequence_model.at_end(loss, batch.targets)
        return sequence_model.loss_and_grads(cell, params, batch.inputs, at_end)

    stream = batches(case["task"], case["distance"], settings["batch"], rng)
    try:
        with np.errstate(over="ignore", invalid="ignore"):
            history = train.train(
                step, params, stream, settings["updates"], lr=case["lr"],
                max_norm=settings["max_norm"], progress=False,
            )  # fmt: skip
            place, n = (case["model"], case["task"], params), settings["scored_on"]
            scores = {
                "validation": score(*place, case["distance"], n, VALIDATION),
                "test": score(*place, case["distance"], n, TEST),
            }
            if case["task"] != "adding":
                far = settings["longer"] * case["distance"]
                scores["longer"] = score(*place, far, n // 4, TEST)
    except (FloatingPointError, NonFiniteError):
        guess = tasks.ADDING_BASELINE if case["task"] == "adding" else 0.25
        return {"validation": guess, "test": guess, "longer": guess, "loss": []}
    blocks = history.loss.reshape(5, -1).mean(axis=1)
    found = {name: round(value, 4) for name, value in scores.items()}
    return {**found, "loss": [round(float(v), 4) for v in blocks]}


def places():
    """Every task and distance, with every model: the cells of the table."""
    return [
        {"task": task, "distance": distance, "model": model}
        for task, distances in DISTANCES.items()
        for distance in distances
        for model in MODELS
    ]


STUDY = study.Study(
    name="wall_rates",
    question="Which of three learning rates suits each model, task and distance best?",
    settings=SETTINGS,
    cases=[
        {**place, "lr": lr, "seed": seed}
        for place in places()
        for lr in RATES
        for seed in (100, 101)
    ],
    run=run,
    tolerance=1.0,  # at a rate too large, rounding decides: this tests that it runs, no more
)

if __name__ == "__main__":
    study.main(STUDY)
