"""From a gradient to a step: SGD, Adam, and two ways to clip.

An optimiser is data, like a cell: `init` makes its memory, `update` takes one step in place.
"""

from collections.abc import Callable
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np

from .checks import check_not_negative, check_positive, check_share


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


@contextmanager
def overflow_refused(what: str):
    """Within this block an overflow is an error in words, and not a warning and an infinity."""
    try:
        with np.errstate(over="raise"):
            yield
    except FloatingPointError as error:
        raise FloatingPointError(f"{what} is too large for the dtype of the parameters") from error


def sgd_update(params: dict, grads: dict, memory: dict, lr: float) -> None:
    """θ ← θ − lr · g, in place. Keeps no memory.

    Raises: ValueError if keys or shapes of params and grads differ, or lr is not a number ≥ 0;
    FloatingPointError if a step overflows.
    """
    check_keys(params, grads)
    check_not_negative("lr", lr)
    with overflow_refused("a step, lr times the gradient,"):
        for name, p in params.items():
            p -= lr * grads[name]


def adam_init(params: dict) -> dict:
    """Adam's memory: the step count and two running means, zeros like params."""
    return {
        "t": 0,
        "m": {name: np.zeros_like(p) for name, p in params.items()},
        "v": {name: np.zeros_like(p) for name, p in params.items()},
    }


def check_adam(lr, beta1, beta2, eps):
    check_not_negative("lr", lr)
    check_share("beta1", beta1)
    check_share("beta2", beta2)
    check_positive("eps", eps)
    smallest = float(np.finfo(np.float32).tiny)
    if not smallest <= eps <= 1:
        raise ValueError(f"eps must lie in {smallest:.1e} … 1, got {eps!r}")


def adam_update(
    params: dict, grads: dict, memory: dict, lr: float, beta1=0.9, beta2=0.999, eps=1e-8
) -> None:
    """One step of Adam, in place:

        m ← β₁ m + (1 − β₁) g          m̂ = m / (1 − β₁ᵗ)
        v ← β₂ v + (1 − β₂) g²         v̂ = v / (1 − β₂ᵗ)
        θ ← θ − lr · m̂ / (√v̂ + ε)

    Raises: ValueError if keys or shapes of params and grads differ, or a setting is out of range;
    FloatingPointError if a gradient is so large that its square overflows.
    Source: Kingma & Ba (2015), algorithm 1.
    """
    check_keys(params, grads)
    check_adam(lr, beta1, beta2, eps)
    memory["t"] += 1
    t = memory["t"]
    with overflow_refused("the gradient, which Adam squares,"):
        for name, p in params.items():
            g, m, v = grads[name], memory["m"][name], memory["v"][name]
            m += (1 - beta1) * (g - m)
            v += (1 - beta2) * (g * g - v)
            p -= lr * (m / (1 - beta1**t)) / (np.sqrt(v / (1 - beta2**t)) + eps)


SGD = Optimizer("sgd", lambda params: {}, sgd_update)
ADAM = Optimizer("adam", adam_init, adam_update)


def global_norm(grads: dict) -> float:
    """The length of all gradients taken as one long vector: √(Σ g²).

    Entries whose squares are too large or too small for their dtype are scaled before they are
    squared, so the result is right wherever it is a number of double precision itself.
    """
    square = sum(np.vdot(g, g).astype(np.float64) for g in grads.values())
    if 1e-20 < square < np.inf:
        return float(np.sqrt(square))
    with np.errstate(over="ignore", under="ignore"):
        largest = np.max(
            [0.0, *(np.abs(g).max(initial=0).astype(np.float64) for g in grads.values())]
        )
        if largest == 0 or not np.isfinite(largest):
            return float(largest)
        return float(largest * np.sqrt(sum(((g / largest) ** 2).sum() for g in grads.values())))


def clip_by_norm(grads: dict, limit: float) -> float:
    """Shorten the gradient to length `limit` if it is longer; its direction stays. In place.

    Returns the norm before clipping. A norm that is not finite has no direction to keep: such
    gradients stay as they are, for the caller to see (`train` stops).
    Raises: ValueError if limit is not a positive number.
    Source: Pascanu, Mikolov & Bengio (2013).
    """
    check_positive("limit", limit)
    norm = global_norm(grads)
    if limit < norm < np.inf:
        for g in grads.values():
            shorten(g, limit, norm)
    return norm


def shorten(g: np.ndarray, limit: float, norm: float) -> None:
    """g ← g · limit / norm, in place, also where limit / norm alone would vanish in g's dtype."""
    factor = limit / norm
    if factor >= np.finfo(g.dtype).tiny:
        g *= factor
    else:
        g[...] = g / np.float64(norm) * limit


def clip_by_value(grads: dict, limit: float) -> None:
    """Cut every entry to [−limit, limit], in place. Cheap, but it turns the gradient's direction.

    Raises: ValueError if limit is not a positive number.
    """
    check_positive("limit", limit)
    for g in grads.values():
        bound = min(limit, float(np.finfo(g.dtype).max))
        np.clip(g, -bound, bound, out=g)
