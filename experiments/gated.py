"""What the studies of chapter 7 share: starts, tasks, one training.

The cells from LSTM to GRU are compared with the same number of parameters in the whole model, and
with the same starts for the same roles: how much a unit keeps, and how much it writes.
"""

from functools import lru_cache

import numpy as np
import study

from helpers import layers, losses, sequence_model, text
from helpers.data import tasks
from helpers.gru import GRU, GRU_CHO, UPDATE
from helpers.lstm import CIFG, LSTM
from helpers.rnn import RNN

# --- Starts -------------------------------------------------------------------------------------

# model → (cell, gate that keeps, its bias, bias of the LSTM's input gate); None: as it was drawn.
MODELS = {
    "RNN": (RNN, None, None, None),
    "LSTM, drawn": (LSTM, "f", None, None),
    "LSTM, f 3": (LSTM, "f", 3.0, None),
    "LSTM, f 3, i -3": (LSTM, "f", 3.0, -3.0),
    "LSTM, chrono": (LSTM, "f", "chrono", "chrono"),
    "CIFG, drawn": (CIFG, "f", None, None),
    "CIFG, 3": (CIFG, "f", 3.0, None),
    "update, drawn": (UPDATE, "z", None, None),
    "update, 3": (UPDATE, "z", 3.0, None),
    "GRU, drawn": (GRU, "z", None, None),
    "GRU, 3": (GRU, "z", 3.0, None),
    "GRU before, drawn": (GRU_CHO, "z", None, None),
}


def set_start(model: str, params: dict, T: int, rng) -> None:
    """Set the biases that the model's name asks for, in place.

    Chrono: b_f = ln u with u uniform in 1 … T − 1, a number for each unit, and b_i = −b_f, so that
    the units' memories are spread over the length of the sequence (Tallec & Ollivier 2018).
    """
    cell, gate, keep, write = MODELS[model]
    if keep is None:
        return
    b = params["b_h"].reshape(cell.n_gates, -1)
    if keep == "chrono":
        keep = np.log(rng.uniform(1, T - 1, b.shape[1]))
        write = -keep
    b[cell.gates.index(gate)] = keep
    if write is not None:
        b[cell.gates.index("i")] = write


# --- Tasks --------------------------------------------------------------------------------------


def since_marker(kind: str, T: int, B: int, rng, p: float):
    """Running answers that start anew at a marker. x (T, B, 2): a number and the marker, 0 or 1.

    kind "sum": numbers uniform in [−1, 1]; the answer (T, B, 1) is their sum since the marker, the
    marked one included. kind "parity": numbers −1 and 1; the answer (T, B) is the parity of the 1s
    since the marker. The first step is marked; each later one with probability p.
    """
    marked = rng.random((T, B)) < p
    marked[0] = True
    numbers = rng.uniform(-1, 1, (T, B)) if kind == "sum" else 2 * rng.integers(0, 2, (T, B)) - 1
    answers, now = np.zeros((T, B)), np.zeros(B)
    for t in range(T):
        here = numbers[t] if kind == "sum" else numbers[t] > 0
        now = np.where(marked[t], here, now + here)
        answers[t] = now
    x = np.stack([numbers, marked], axis=-1).astype(np.float32)
    return x, answers[..., None].astype(np.float32) if kind == "sum" else answers.astype(int) % 2


# task → (kind, length, D, V, loss, error that counts as solved)
TASKS = {
    "ribs 60": ("ribs", 60, 9, 9, losses.cross_entropy, 0.01),
    "adding 30": ("adding", 30, 2, 1, losses.mse, 0.01),
}


def make(task: str, B: int, rng) -> text.Batch:
    """A batch of inputs and answers at the last step."""
    kind, length = TASKS[task][:2]
    if kind == "adding":
        return text.Batch(*tasks.adding(length, B, rng))
    ids, targets, _ = tasks.recall(length, B, rng)
    return text.Batch(layers.one_hot(ids, tasks.recall_vocab()), targets[-1])


# --- One model, one training --------------------------------------------------------------------


def total(cell, D: int, H: int, V: int) -> int:
    """Parameters of the whole model: cell and read-out."""
    made = sequence_model.init_sequence_model(cell, D, H, V, np.random.default_rng(0))
    return sum(a.size for a in made.values())


@lru_cache
def width(cell, D: int, V: int, lstm_units: int) -> int:
    """The H with which the whole model is about as large as an LSTM's with `lstm_units`."""
    target = total(LSTM, D, lstm_units, V)
    return min(range(4, 4 * lstm_units), key=lambda H: abs(total(cell, D, H, V) - target))


def error(task: str, cell, params: dict, batch) -> float:
    """The share of wrong answers on the ribs, the mean squared error on adding."""
    z = sequence_model.predict(cell, params, batch.inputs)[0][-1]
    if TASKS[task][0] == "adding":
        return float(losses.mse(z, batch.targets)[0])
    return float((z.argmax(-1) != batch.targets).mean())


def start(task: str, model: str, seed: int, lstm_units: int):
    """A new model with its start, and the random numbers for its training."""
    kind, length, D, V = TASKS[task][:4]
    cell, rng = MODELS[model][0], np.random.default_rng(seed)
    params = sequence_model.init_sequence_model(cell, D, width(cell, D, V, lstm_units), V, rng)
    set_start(model, params, length + 2 * (kind == "ribs"), rng)
    return cell, params, rng


def train_until_solved(task, model, seed, rate, settings) -> dict:
    """Train until the error on validation batches is small enough, or the budget is used up.

    Returns thousands of updates that it took (the whole budget if it was not solved), the error
    on those validation batches at the end, and the error on sequences that nothing was chosen on.
    """
    loss, enough = TASKS[task][4:]
    cell, params, rng = start(task, model, seed, settings["lstm_units"])
    check = make(task, 300, np.random.default_rng(20_000))
    test = make(task, 1000, np.random.default_rng(10_000))

    def step(params, batch, state):
        at_end = sequence_model.at_end(loss, batch.targets)
        return sequence_model.loss_and_grads(cell, params, batch.inputs, at_end)

    updates = study.updates_until(
        lambda: error(task, cell, params, check) <= enough,
        step, params, lambda: make(task, settings["batch"], rng), settings, rate,
    )  # fmt: skip
    on_valid, on_test = (error(task, cell, params, batch) for batch in (check, test))
    return {"thousands": updates / 1000, "valid": on_valid, "error": on_test}
