"""Exclusive or of two delayed bits: is it out of reach for one layer, or slow to be found?

Notebook 18 gives stacks of about 2,000 parameters 300 updates. Here each has ten times as many, and
stops when it is right. The learning rate of the notebook, 0.005, and two smaller ones.
"""

import numpy as np
import study

from helpers import layers, text, unroll
from helpers.data import tasks
from helpers.losses import cross_entropy
from helpers.rnn import RNN

# stack → (layers, whether the upper one has a memory, H): about 2,000 parameters each
STACKS = {"one layer": (1, True, 42), "upper layer without memory": (2, False, 29),
          "two layers": (2, True, 24), "three layers": (3, True, 19)}  # fmt: skip
DELAYS = {"one layer": (2, 3, 4, 5), "upper layer without memory": (3, 4),
          "two layers": (4, 5), "three layers": (5,)}  # fmt: skip
SETTINGS = {"T": 20, "B": 32, "budget": 3000, "every": 100, "enough": 0.99}


def delayed_xor(d, T, B, rng):
    """x (T, B, 1) of ±1; target b_{t−d} xor b_{t−2d}; a mask for t ≥ 2d."""
    x, targets, mask = tasks.echo(T, B, rng, lag=2 * d)  # the target is b_{t−2d}
    earlier = (x[..., 0] > 0).astype(int)
    targets[2 * d :] ^= earlier[d:-d]
    return x, targets, mask


def accuracy(params, d, T, seed):
    x, targets, mask = delayed_xor(d, T, 512, np.random.default_rng(seed))
    z = layers.linear_forward(params, unroll.stack_forward(RNN, params, x)[0])
    return float((z.argmax(-1) == targets)[mask].mean())


def run(case, settings):
    n_layers, memory, H = STACKS[case["stack"]]
    d, T, rng = case["delay"], settings["T"], np.random.default_rng(case["seed"])
    params = {**unroll.init_stack(RNN, 1, H, n_layers, rng), **layers.init_linear(H, 2, rng)}
    if not memory:
        params["W_hh_l1"][:] = 0

    def step(params, batch, state):
        x, targets, mask = batch.inputs
        hs, _, cache = unroll.stack_forward(RNN, params, x)
        loss, dz = cross_entropy(layers.linear_forward(params, hs), targets, mask)
        grads, dhs = layers.linear_backward(params, hs, dz)
        grads |= unroll.stack_backward(RNN, params, cache, dhs)[0]
        if not memory:
            grads["W_hh_l1"][:] = 0
        return loss, grads, None

    updates = study.updates_until(
        lambda: accuracy(params, d, T, 98) >= settings["enough"],
        step, params, lambda: text.Batch(delayed_xor(d, T, settings["B"], rng), None), settings,
        case["rate"],
    )  # fmt: skip
    return {"thousands": updates / 1000, "accuracy": accuracy(params, d, T, 99)}


STUDY = study.Study(
    name="depth",
    question="How far does a stack of each depth get on the exclusive or of two delayed bits?",
    settings=SETTINGS,
    cases=[
        {"stack": stack, "delay": delay, "rate": rate, "seed": seed}
        for rate in (0.005, 0.002, 0.001)
        for stack, delays in DELAYS.items()
        for delay in delays
        for seed in range(3)
    ],
    run=run,
    tolerance=0.3,
)

if __name__ == "__main__":
    study.main(STUDY)
