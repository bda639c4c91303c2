"""Learning rates for `long_range.py`: five for each model, judged on validation data.

Also what the two studies share. The task: a handwritten digit of 8 × 8 pixels, one pixel after
the other, each held for `hold` steps, so that 64 · hold steps carry the same 64 numbers; which
digit was it? All models have about the same number of parameters, read the sequence once, and
answer from their last state. They are

- "LSTM": forget bias 1. "LSTM, chrono" and "GRU, chrono": the bias of the gate that keeps is ln u
  with u uniform in 1 … T − 1 (Tallec & Ollivier 2018), and of the LSTM's input gate −ln u;
- "LRU": eigenvalues on a ring slice that is given per pixel, see RING, and so fits the length;
- "S4D": the published start, Δ from 0.001 to 0.1, the same at all lengths;
- "LRU, …": one thing about the start of the LRU is changed, see `new_model`.

The rates are judged after half of the updates of `long_range.py`, with another seed.
"""

from functools import lru_cache

import numpy as np
import study
from sklearn.datasets import load_digits

from helpers import layers, losses, text, train, unroll
from helpers import state_space as ss
from helpers.checks import NonFiniteError
from helpers.gru import GRU
from helpers.lstm import LSTM

CELLS = {"LSTM": (LSTM, 31), "LSTM, chrono": (LSTM, 31), "GRU, chrono": (GRU, 35)}  # and H
STARTS = ("LRU, all phases", "LRU, real", "LRU, short", "LRU, no gamma", "LRU, frozen")
N, H, CLASSES = 32, 56, 10  # states and outputs of the state spaces
RING = {"r_min": 0.92, "r_max": 0.999, "max_phase": 2.4}  # per pixel
RATES = (0.003, 0.01, 0.03, 0.1, 0.3)
SETTINGS = {"updates": 400, "batch": 16, "max norm": 1.0}


@lru_cache
def digits():
    """Images (n, 64) in 0 … 1, and labels: 1200 to train, 300 for validation, 297 for the test."""
    images, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(7).permutation(len(images))
    images, labels = (images[order] / 16).astype(np.float32), labels[order]
    parts = {"train": slice(0, 1200), "validation": slice(1200, 1500), "test": slice(1500, None)}
    return {name: (images[part], labels[part]) for name, part in parts.items()}


def play(images, hold):
    """Images (B, 64) as sequences (64 · hold, B, 1): pixel after pixel, each held so many steps."""
    return np.repeat(images.T[:, :, None], hold, axis=0)


def ring_for(hold):
    """The ring for `hold` steps a pixel: over one pixel, the same decay and the same turn."""
    return {
        "r_min": RING["r_min"] ** (1 / hold),
        "r_max": RING["r_max"] ** (1 / hold),
        "max_phase": RING["max_phase"] / hold,
    }


def new_model(name, hold, rng):
    """Parameters at their start, read-out included."""
    if name in CELLS:
        cell, width = CELLS[name]
        params = unroll.init_cell(cell, 1, width, rng)
        b = params["b_h"].reshape(cell.n_gates, width)
        keep = cell.gates.index("f" if cell is LSTM else "z")
        b[keep] = 1.0
        if "chrono" in name:
            b[keep] = np.log(rng.uniform(1, 64 * hold - 1, width))
            if cell is LSTM:
                b[cell.gates.index("i")] = -b[keep]
        return params | layers.init_linear(width, CLASSES, rng)
    if name == "S4D":
        return ss.init_s4d(1, N, H, rng, copies=4) | layers.init_linear(H, CLASSES, rng)
    ring = ring_for(hold)
    if name == "LRU, all phases":
        ring["max_phase"] = 2 * np.pi
    if name == "LRU, short":  # half-lives of at most a pixel and a half
        ring["r_min"], ring["r_max"] = 0.0, 0.63 ** (1 / hold)
    params = ss.init_lru(1, N, H, rng, **ring, normalise=name != "LRU, no gamma")
    if name == "LRU, real":
        params["phi"][:] = np.log(1e-9)
    return params | layers.init_linear(H, CLASSES, rng)


def frozen(name):
    """The parameters that a model does not train."""
    return {"LRU, frozen": ("nu", "phi", "log_gamma"), "LRU, real": ("phi",)}.get(name, ())


def forward(name, params, x):
    """Logits (B, 10) from the last state, and what the way back needs."""
    if name in CELLS:
        _, state, cache = unroll.run_forward(CELLS[name][0], params, x)
        return layers.linear_forward(params, state[0]), (cache, state)
    cache = ss.run_states(ss.S4D if name == "S4D" else ss.LRU, params, x)
    s = np.maximum(ss.read_out(params, x[-1], cache.hs[-1]), 0)  # a ReLU between the two maps
    return layers.linear_forward(params, s), (cache, s)


def loss_and_grads(name, params, x, labels):
    """The cross-entropy of the answer after the last step, and its gradients."""
    z, (cache, last) = forward(name, params, x)
    value, dz = losses.cross_entropy(z, labels)
    if name in CELLS:
        grads, dh = layers.linear_backward(params, last[0], dz)
        dstate = (dh, *(np.zeros_like(s) for s in last[1:]))
        cell_grads, _, _ = unroll.run_backward(CELLS[name][0], params, cache, None, dstate)
        return losses.LossAndGrads(value, {**cell_grads, **grads})
    grads, ds = layers.linear_backward(params, last, dz)
    out_grads, dh, _ = ss.read_out_backward(params, x[-1], cache.hs[-1], ds * (last > 0))
    kind = ss.S4D if name == "S4D" else ss.LRU
    none = np.zeros_like(cache.hs[1:])  # only the last state is asked
    state_grads, _, _ = ss.run_states_backward(kind, params, cache, none, dh)
    grads = {**state_grads, **out_grads, **grads}
    for still in frozen(name):
        grads[still][:] = 0
    return losses.LossAndGrads(value, grads)


def accuracy(name, params, part, hold):
    """The share of right answers on a part of the data."""
    images, labels = digits()[part]
    return float((forward(name, params, play(images, hold))[0].argmax(-1) == labels).mean())


def fit(case, settings):
    """Train one model from one seed. Returns its parameters and the history of the training."""
    name, hold, n = case["model"], case["hold"], case.get("updates", settings["updates"])
    rng = np.random.default_rng(case["seed"])
    params, (images, labels) = new_model(name, hold, rng), digits()["train"]

    def batches():
        while True:
            chosen = rng.integers(0, len(images), settings["batch"])
            yield text.Batch(play(images[chosen], hold), labels[chosen])

    def step(params, batch, state):
        return loss_and_grads(name, params, batch.inputs, batch.targets)

    history = train.train(
        step, params, batches(), n, lr=train.linear_decay(case["lr"], n),
        max_norm=settings["max norm"], progress=False,
    )  # fmt: skip
    return params, history


def run(case, settings):
    """Train and score. One that overflows answers as a guesser does.

    Results: loss, the mean of the last tenth of the updates; accuracy on validation and test.
    """
    try:
        with np.errstate(over="ignore", invalid="ignore"):
            params, history = fit(case, settings)
            found = {"loss": history.loss[-(len(history.loss) // 10) :].mean()}
            for part in ("validation", "test"):
                found[part] = accuracy(case["model"], params, part, case["hold"])
    except (FloatingPointError, NonFiniteError):
        found = {"loss": np.log(CLASSES), "validation": 1 / CLASSES, "test": 1 / CLASSES}
    return {key: round(float(value), 4) for key, value in found.items()}


STUDY = study.Study(
    name="long_range_rates",
    question="Which of five learning rates suits each model of long_range best?",
    settings=SETTINGS,
    cases=[
        {"model": model, "hold": hold, "lr": lr, "seed": 100}
        for hold in (1, 8)
        for model in (*CELLS, "LRU", "S4D", *(STARTS if hold == 8 else ()))
        for lr in RATES
    ],
    run=run,
    tolerance=0.3,
)

if __name__ == "__main__":
    study.main(STUDY)
