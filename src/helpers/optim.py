"""From a gradient to a step: SGD, Adam, and two ways to clip.

An optimiser is data, like a cell: `init` makes its memory, `update` takes one step in place.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np


class Optimizer(NamedTuple):
    """init(params) → memory; update(params, grads, memory, lr) changes both in place."""

    name: str
    init: Callable
    update: Callable


def check_keys(params, grads):
    if params.keys() != grads.keys():
        missing, extra = sorted(params.keys() - grads.keys()), sorted(grads.keys() - params.keys())
        raise ValueError(
            f"grads and params differ: no gradient for {missing}, no parameter {extra}"
        )
    for name, p in params.items():
        if p.shape != grads[name].shape:
            raise ValueError(f"grads[{name!r}] has shape {grads[name].shape}, expected {p.shape}")


def sgd_update(params: dict, grads: dict, memory: dict, lr: float) -> None:
    """θ ← θ − lr · g, in place. Keeps no memory.

    Raises: ValueError if keys or shapes of params and grads differ.
    """
    check_keys(params, grads)
    for name, p in params.items():
        p -= lr * grads[name]


def adam_init(params: dict) -> dict:
    """Adam's memory: the step count and two running means, zeros like params."""
    return {
        "t": 0,
        "m": {name: np.zeros_like(p) for name, p in params.items()},
        "v": {name: np.zeros_like(p) for name, p in params.items()},
    }


def adam_update(
    params: dict, grads: dict, memory: dict, lr: float, beta1=0.9, beta2=0.999, eps=1e-8
) -> None:
    """One step of Adam, in place:

        m ← β₁ m + (1 − β₁) g          m̂ = m / (1 − β₁ᵗ)
        v ← β₂ v + (1 − β₂) g²         v̂ = v / (1 − β₂ᵗ)
        θ ← θ − lr · m̂ / (√v̂ + ε)

    Raises: ValueError if keys or shapes of params and grads differ.
    Source: Kingma & Ba (2015), algorithm 1.
    """
    check_keys(params, grads)
    memory["t"] += 1
    t = memory["t"]
    for name, p in params.items():
        g, m, v = grads[name], memory["m"][name], memory["v"][name]
        m += (1 - beta1) * (g - m)
        v += (1 - beta2) * (g * g - v)
        p -= lr * (m / (1 - beta1**t)) / (np.sqrt(v / (1 - beta2**t)) + eps)


SGD = Optimizer("sgd", lambda params: {}, sgd_update)
ADAM = Optimizer("adam", adam_init, adam_update)


def check_positive(name, value):
    if not value > 0:
        raise ValueError(f"{name} must be positive, got {value!r}")


def global_norm(grads: dict) -> float:
    """The length of all gradients taken as one long vector: √(Σ g²)."""
    return float(np.sqrt(sum(np.vdot(g, g).astype(np.float64) for g in grads.values())))


def clip_by_norm(grads: dict, limit: float) -> float:
    """Shorten the gradient to length `limit` if it is longer; its direction stays. In place.

    Returns the norm before clipping. A norm that is not finite has no direction to keep: such
    gradients stay as they are, for the caller to see (`train` stops).
    Raises: ValueError if limit is not positive.
    Source: Pascanu, Mikolov & Bengio (2013).
    """
    check_positive("limit", limit)
    norm = global_norm(grads)
    if limit < norm < np.inf:
        for g in grads.values():
            g *= limit / norm
    return norm


def clip_by_value(grads: dict, limit: float) -> None:
    """Cut every entry to [−limit, limit], in place. Cheap, but it turns the gradient's direction.

    Raises: ValueError if limit is not positive.
    """
    check_positive("limit", limit)
    for g in grads.values():
        np.clip(g, -limit, limit, out=g)
