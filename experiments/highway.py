"""Is the highway open, and is it enough? The ribs and adding with an LSTM's forget bias (12).

32 units, Adam, 32 sequences an update. Each start is tried at two rates, and all runs are kept.
`way` says what differs: "whole" is ordinary training with clipping at 1; "cell path" cuts the way
through h in the backward pass; "no clipping" leaves the gradient as long as it is; "late" takes
twice the updates.
"""

import numpy as np
import study

from helpers import jacobians, layers, losses, sequence_model, text, train, unroll
from helpers.data import tasks
from helpers.lstm import LSTM, lstm_slopes, set_forget_bias
from helpers.rnn import RNN

LAG, T_ADD, H = 20, 30, 32
V = tasks.recall_vocab()


def batch(task, B, rng):
    """Inputs (T, B, D) and the answer at the last step."""
    if task == "adding":
        return text.Batch(*tasks.adding(T_ADD, B, rng))
    ids, targets, _ = tasks.recall(LAG, B, rng)
    return text.Batch(layers.one_hot(ids, V), targets[-1])


def new_model(task, start, seed):
    """Parameters, and the generator of the data. start: rnn, bias 0, bias 1, bias 3, chrono."""
    rng = np.random.default_rng(seed)
    sizes = (V, V) if task == "ribs" else (2, 1)
    cell = RNN if start == "rnn" else LSTM
    params = sequence_model.init_sequence_model(cell, sizes[0], H, sizes[1], rng)
    if start == "chrono":  # Tallec & Ollivier (2018): b_f = ln u, b_i = −b_f
        blocks = params["b_h"].reshape(4, H)
        blocks[1] = np.log(np.random.default_rng(seed).uniform(1, LAG + 1, H))
        blocks[0] = -blocks[1]
    elif start != "rnn":
        set_forget_bias(LSTM, params, float(start.removeprefix("bias ")))
    return cell, params, rng


def loss_of(task):
    return losses.cross_entropy if task == "ribs" else losses.mse


def highway_backward(params, cache, dh):
    """Weight gradients for a gradient dh (B, H) of the last h, along the cell path only."""
    x, a, (h, _) = cache
    _, T, B, H = a.shape
    da, (through_h, f) = lstm_slopes(a, cache.states)
    dc = np.zeros_like(dh)
    for t in reversed(range(T)):
        dc = dc + dh * through_h[t]
        da[:3, t] *= dc
        da[3, t] *= dh
        dc, dh = dc * f[t], np.zeros_like(dh)  # nothing goes back through W_hh
    da = unroll.side_by_side(da.reshape(4, T * B, H))
    return {
        "W_hh": h[:-1].reshape(T * B, H).T @ da,
        "b_h": da.sum(axis=0),
        "W_xh": x.reshape(T * B, -1).T @ da,
    }


def make_step(cell, task, way):
    """The training step: the whole gradient, or that of the cell path."""

    def whole(params, batch, state):
        loss = sequence_model.at_end(loss_of(task), batch.targets)
        return sequence_model.loss_and_grads(cell, params, batch.inputs, loss)

    def cut(params, batch, state):
        hs, _, cache = unroll.forward(cell, params, batch.inputs)
        loss, dz = loss_of(task)(layers.linear_forward(params, hs[-1]), batch.targets)
        grads, dh = layers.linear_backward(params, hs[-1], dz)
        return losses.LossAndGrads(loss, highway_backward(params, cache, dh) | grads, None)

    return cut if way == "cell path" else whole


def fit(task, start, lr, seed, way="whole", n_updates=500):
    """Train; returns the cell, its parameters, and the history."""
    cell, params, rng = new_model(task, start, seed)
    batches = (batch(task, 32, rng) for _ in range(n_updates))
    history = train.train(make_step(cell, task, way), params, batches, n_updates, lr=lr,
                          max_norm=None if way == "no clipping" else 1.0,
                          progress=False)  # fmt: skip
    return cell, params, history


def score(task, cell, params):
    """Accuracy on 1000 new ribs, or mean squared error of 1000 new sums."""
    test = batch(task, 1000, np.random.default_rng(10_000))
    z, _, _ = sequence_model.predict(cell, params, test.inputs)
    if task == "ribs":
        return float((z[-1].argmax(axis=-1) == test.targets).mean())
    return float(losses.mse(z[-1], test.targets)[0])


def growth(cell, params):
    """log10 of what is left of a gradient over 0 … 21 steps of the ribs, mean of 4 sequences."""
    params = {name: value.astype(np.float64) for name, value in params.items()}
    x = batch("ribs", 4, np.random.default_rng(5)).inputs.astype(np.float64)
    left = jacobians.growth(cell, params, unroll.forward(cell, params, x)[2])
    return np.log10(left).mean(axis=1).round(3).tolist()


def mean_f(params):
    """The mean keep gate over fillers and units."""
    x = batch("ribs", 200, np.random.default_rng(5)).inputs
    return float(unroll.forward(LSTM, params, x)[2].gates[1, 1:-1].mean())


def run(case, settings):
    """One training: its score, the norms of its gradients, and what training did to the path."""
    task, start, way = case["task"], case["start"], case["way"]
    updates = settings["updates"] * (2 if way == "late" else 1)
    try:
        cell, params, history = fit(task, start, case["lr"], case["seed"], way, updates)
    except FloatingPointError:
        return {"broke": 1, "score": settings["guess"][task]}
    norm = history.grad_norm
    result = {
        "broke": 0,
        "score": score(task, cell, params),
        "norm max": float(norm.max()),
        "norm median": float(np.median(norm)),
        "share above 1": float((norm > 1).mean()),
    }
    if task == "ribs":
        _, new, _ = new_model(task, start, case["seed"])
        result |= {"before": growth(cell, new), "after": growth(cell, params)}
        if cell is LSTM:
            result |= {"f before": mean_f(new), "f after": mean_f(params)}
    return result


STUDY = study.Study(
    name="highway",
    question="When is an LSTM's cell path open, and is the gradient along it enough?",
    settings={
        "fillers": LAG,
        "adding steps": T_ADD,
        "units": H,
        "updates": 500,
        "guess": {"ribs": 0.25, "adding": 1 / 6},
    },
    cases=[
        {"task": task, "start": start, "way": way, "lr": lr, "seed": seed}
        for task, start, way, lr, seeds in (
            *(
                ("ribs", start, "whole", lr, 10)
                for start in ("bias 0", "bias 1", "bias 3", "rnn")
                for lr in (0.003, 0.01)
            ),
            ("ribs", "chrono", "whole", 0.003, 10),
            ("ribs", "bias 0", "late", 0.003, 5),
            ("ribs", "bias 3", "cell path", 0.003, 5),
            ("adding", "bias 3", "cell path", 0.01, 5),
            ("adding", "bias 3", "whole", 0.01, 5),
            ("ribs", "bias 3", "no clipping", 0.003, 5),
            ("ribs", "bias 3", "no clipping", 0.01, 5),
            ("adding", "bias 3", "no clipping", 0.01, 5),
        )
        for seed in range(seeds)
    ],
    run=run,
    tolerance=1.0,
)


if __name__ == "__main__":
    study.main(STUDY)
