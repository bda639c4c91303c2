"""What does a gradient that is cut too early do to a network with a good memory?

The echo task with a lag of 12, from an orthogonal start, which remembers well by chance. The
recurrent weights learn from a gradient that is cut every k steps; k = 0: only the read-out learns.
The control: the recurrent weights are put back to their start and moved by as much as training
moved them, but in other directions, and only the read-out is trained anew.
"""

import numpy as np
import study

from helpers import init, layers, losses, optim, unroll
from helpers.data import tasks
from helpers.rnn import RNN

RECURRENT = ("W_xh", "W_hh", "b_h")
SETTINGS = {"lag": 12, "units": 32, "steps": 20, "batch": 16, "updates": 300, "lr": 0.003}


def start(settings, seed):
    """A network with an orthogonal recurrent matrix."""
    H = settings["units"]
    rng = np.random.default_rng(seed)
    params = unroll.init_cell(RNN, 1, H, rng) | layers.init_linear(H, 2, rng)
    return params | {"W_hh": init.orthogonal(H, np.random.default_rng(seed))}


def train(params, k, settings, seed):
    """Learn from one long stream, the state carried on; gradients cut every k steps."""
    lag, T = settings["lag"], settings["steps"]
    n = settings["updates"] * T
    x, targets, mask = tasks.echo(n, settings["batch"], np.random.default_rng(seed + 100), lag)
    memory, state = optim.ADAM.init(params), None
    for t in range(0, n, T):
        now = slice(t, t + T)
        hs, state, cache = unroll.forward(RNN, params, x[now], state)
        z = layers.linear_forward(params, hs)
        loss, dz = losses.cross_entropy(z, targets[now], mask[now])
        if loss < 0.05:
            break
        grads, dhs = layers.linear_backward(params, hs, dz)
        if k:
            grads |= unroll.backward(RNN, params, cache, dhs, truncate=k)[0]
        else:
            grads |= {name: np.zeros_like(params[name]) for name in RECURRENT}
        optim.clip_by_norm(grads, 1.0)
        optim.ADAM.update(params, grads, memory, settings["lr"])
    return params


def accuracy(params, settings):
    """Share of right answers on 50 new sequences of 200 steps."""
    rng = np.random.default_rng(99)
    x, targets, mask = tasks.echo(200, 50, rng, settings["lag"])
    hs, _, _ = unroll.forward(RNN, params, x)
    right = layers.linear_forward(params, hs).argmax(axis=-1) == targets
    return float(right[mask].mean())


def moved_by(walk, seed):
    """Three walks of equal length: as it was, with the units exchanged, and at random."""
    rng = np.random.default_rng(seed + 500)
    order = rng.permutation(len(walk["b_h"]))
    noise = {name: rng.standard_normal(step.shape) for name, step in walk.items()}
    length = np.linalg.norm
    return {
        "same": walk,
        "exchanged": {
            "W_xh": walk["W_xh"][:, order],
            "W_hh": walk["W_hh"][order][:, order],
            "b_h": walk["b_h"][order],
        },
        "random": {n: v * length(walk[n]) / max(length(v), 1e-9) for n, v in noise.items()},
    }


def run(case, settings):
    """Accuracy after training with cuts every k steps, and distance walked by W_hh; then accuracy
    of the controls: a new read-out on the start moved by the same walk, by the walk with the units'
    names exchanged, and by a random walk of the same length."""
    k, seed = case["k"], case["seed"]
    trained = train(start(settings, seed), k, settings, seed)
    first = start(settings, seed)
    walk = {name: trained[name] - first[name] for name in RECURRENT}
    found = {
        "accuracy": accuracy(trained, settings),
        "walked": float(np.linalg.norm(walk["W_hh"])),
    }
    for name, step in moved_by(walk, seed).items():
        params = start(settings, seed)
        for array in RECURRENT:
            params[array] = (params[array] + step[array]).astype(np.float32)
        found[name] = accuracy(train(params, 0, settings, seed), settings)
    return {name: round(value, 4) for name, value in found.items()}


STUDY = study.Study(
    name="truncation",
    question="What does a gradient cut every k steps do to a memory that reaches further?",
    settings=SETTINGS,
    cases=[{"k": k, "seed": seed} for k in (0, 1, 2, 3, 5, 10, 20) for seed in range(10)],
    run=run,
    tolerance=0.1,
)

if __name__ == "__main__":
    study.main(STUDY)
