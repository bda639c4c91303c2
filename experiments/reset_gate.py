"""Is there a task in which the reset gate matters? Running sums that start anew at a marker.

At a marker the candidate has to be made from the input alone, at every other step from the input
and the state. Two controls: the same sums without any marker after the first step, where nothing
has to be reset, and parities since the marker, where a strong input can drown the state.
The learning rate was chosen from two, on seeds of their own (100 and 101, the first cases below):
the larger one has the smaller validation error for every cell.
"""

import gated
import numpy as np
import study

from helpers import losses, sequence_model, text, train

MODELS = ("update, drawn", "GRU, drawn", "GRU before, drawn", "CIFG, drawn", "LSTM, drawn")
TASKS = {"sum since the marker": ("sum", 0.15), "sum, no marker": ("sum", 0.0),
         "parity since the marker": ("parity", 0.15)}  # fmt: skip
SETTINGS = {"T": 30, "B": 32, "updates": 500, "lstm_units": 12}


def fit(task, model, seed, rate, settings):
    """Train one cell; the cell and its parameters."""
    kind, p = TASKS[task]
    cell, V = gated.MODELS[model][0], {"sum": 1, "parity": 2}[kind]
    loss = {"sum": losses.mse, "parity": losses.cross_entropy}[kind]
    rng, n = np.random.default_rng(seed), settings["updates"]
    H = gated.width(cell, 2, V, settings["lstm_units"])
    params = sequence_model.init_sequence_model(cell, 2, H, V, rng)

    def step(params, batch, state):
        return sequence_model.loss_and_grads(
            cell, params, batch.inputs, lambda z: loss(z, batch.targets)
        )

    def batches():
        while True:
            yield text.Batch(*gated.since_marker(kind, settings["T"], settings["B"], rng, p))

    train.train(step, params, batches(), n, lr=train.linear_decay(rate, n), max_norm=1.0,
                progress=False)  # fmt: skip
    return cell, params


def error(task, cell, params, settings, seed):
    """Mean squared error of sums; share of wrong parities."""
    kind, p = TASKS[task]
    x, targets = gated.since_marker(kind, settings["T"], 500, np.random.default_rng(seed), p)
    z = sequence_model.predict(cell, params, x)[0]
    if kind == "sum":
        return float(losses.mse(z, targets)[0])
    return float((z.argmax(-1) != targets).mean())


def run(case, settings):
    task, model, seed = case["task"], case["model"], case["seed"]
    cell, params = fit(task, model, seed, case["rate"], settings)
    return {name: error(task, cell, params, settings, s)
            for name, s in (("validation", 20_000), ("error", 10_000))}  # fmt: skip


STUDY = study.Study(
    name="reset_gate",
    question="Does a cell with a reset gate do better where the past must be left out at a marker?",
    settings=SETTINGS,
    cases=[
        *(
            {"task": "sum since the marker", "model": model, "rate": rate, "seed": seed}
            for model in MODELS
            for rate in (0.01, 0.03)
            for seed in (100, 101)
        ),
        *(
            {"task": task, "model": model, "rate": 0.03, "seed": seed}
            for task in TASKS
            for model in MODELS
            for seed in range(3 if task.startswith("parity") else 8)
        ),
    ],
    run=run,
    tolerance=0.05,
)

if __name__ == "__main__":
    study.main(STUDY)
