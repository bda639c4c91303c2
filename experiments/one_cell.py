"""Does one linear LSTM cell learn to add, keep, clear and show? (notebook 11)

The rule, the data and the cell of the notebook's hand-made machine; five ways to start or to train,
twelve seeds each.
"""

import numpy as np
import study

from helpers import losses, sequence_model, text, train
from helpers.activations import dsigmoid, sigmoid
from helpers.lstm import lstm_backward, set_forget_bias
from helpers.rnn import Cell


def linear_forward(a, ah, prev, new):
    """c_t = f ⊙ c_{t−1} + i ⊙ a_g and h_t = o ⊙ c_t: the LSTM without its two tanh."""
    h, c = new
    a += ah
    for k in (0, 1, 3):
        a[k] = sigmoid(a[k])
    i, f, g, o = a
    c[...] = f * prev[1] + i * g
    h[...] = o * c


def linear_slopes(a, states):
    _, c = states
    i, f, g, o = a
    slopes = [dsigmoid(i) * g, dsigmoid(f) * c[:-1], i, dsigmoid(o) * c[1:]]
    return np.stack(slopes), (o, f)


LINEAR = Cell("linear_lstm", "ifgo", 2, linear_forward, linear_slopes, lstm_backward)


def sequences(T, B, rng):
    """Random inputs x (T, B, 3) and the outputs (T, B, 1) that the rule demands."""
    x1 = rng.integers(0, 5, (T, B))
    x2 = rng.choice([-1, 0, 1], (T, B), p=[0.15, 0.5, 0.35])
    x3 = (rng.random((T, B)) < 0.4).astype(int)
    memory, target = np.zeros(B), np.empty((T, B))
    for t in range(T):
        memory = np.where(x2[t] == -1, 0, memory + (x2[t] == 1) * x1[t])
        target[t] = x3[t] * memory
    return np.stack([x1, x2, x3], axis=-1).astype(float), target[..., None]


def error(params, T):
    """Root mean squared error on 200 new sequences of length T."""
    x, target = sequences(T, 200, np.random.default_rng(999))
    z, _, _ = sequence_model.predict(LINEAR, params, x)
    return float(np.sqrt(((z - target) ** 2).mean()))


def learn(seed, H=1, scale=1.0, forget_bias=None, max_norm=None, feedback=True, n_updates=1000):
    """Train on sequences of ten steps, 64 at a time. Returns the parameters."""
    rng = np.random.default_rng(100 + seed)
    params = sequence_model.init_sequence_model(LINEAR, 3, H, 1, rng, np.float64)
    params["W_xh"] *= scale
    params["W_hh"] *= feedback
    if forget_bias is not None:
        set_forget_bias(LINEAR, params, forget_bias)

    def step(params, batch, state):
        result = sequence_model.loss_and_grads(
            LINEAR, params, batch.inputs, lambda z: losses.mse(z, batch.targets)
        )
        result.grads["W_hh"] *= feedback
        return result

    data = np.random.default_rng(seed)
    batches = (text.Batch(*sequences(10, 64, data)) for _ in range(n_updates))
    train.train(step, params, batches, n_updates, lr=train.linear_decay(0.03, n_updates),
                max_norm=max_norm, progress=False)  # fmt: skip
    return params


WAYS = {
    "one cell": {},
    "clipping at 1": {"max_norm": 1.0},
    "keep bias 2": {"forget_bias": 2.0},
    "start × 3": {"scale": 3.0},
    "four cells": {"H": 4},
    "four cells, no feedback": {"H": 4, "feedback": False},
}


def run(case, settings):
    """One training: the error at four lengths, and the weights of a single cell."""
    params = learn(case["seed"], **WAYS[case["way"]])
    result = {"errors": [error(params, T) for T in settings["lengths"]]}
    if len(params["W_hh"]) == 1:
        result |= {name: value.round(5).tolist() for name, value in params.items()}
    return result


STUDY = study.Study(
    name="one_cell",
    question="Does a single linear LSTM cell learn the rule that we can set by hand?",
    settings={"lengths": [10, 30, 100, 300], "updates": 1000, "rate": 0.03},
    cases=[{"way": way, "seed": seed} for way in WAYS for seed in range(12)],
    run=run,
    tolerance=0.5,
)


if __name__ == "__main__":
    study.main(STUDY)
