"""Any cell, run over time and back through time.

The plan that makes it fast is worth learning: *whatever does not depend on h_{t−1} is done for all
steps in one matrix product.* Before the loop: the input's part of every pre-activation. After the
loop: every weight gradient. Inside the loop only h W_hh and the cell's own gates remain.

Shapes: T time steps, B batch, D input features, H hidden units, k gates. x: (T, B, D).
"""

from typing import NamedTuple

import numpy as np

from .checks import check_finite, check_floats, check_shape, check_sizes
from .rnn import Cell


class Cache(NamedTuple):
    """What `backward` needs: inputs, gate values (T, B, kH), each state over time (T+1, B, H)."""

    x: np.ndarray
    a: np.ndarray
    states: tuple


def init_cell(cell: Cell, D: int, H: int, rng, dtype=np.float32) -> dict:
    """Parameters of one recurrent layer, uniform in ±1/√H as torch.nn does.

    W_xh (D, kH), W_hh (H, kH), b_h (kH,), with k = cell.n_gates.
    Raises: ValueError if a size is not a positive integer.
    """
    check_sizes(D=D, H=H)
    k, bound = cell.n_gates, 1 / np.sqrt(H)
    shapes = {"W_xh": (D, k * H), "W_hh": (H, k * H), "b_h": (k * H,)}
    return {name: rng.uniform(-bound, bound, s).astype(dtype) for name, s in shapes.items()}


def zero_state(cell: Cell, params: dict, B: int) -> tuple:
    """The state before anything was read: n_states arrays of zeros, each (B, H)."""
    check_sizes(B=B)
    W_hh = params["W_hh"]
    return tuple(np.zeros((B, W_hh.shape[0]), W_hh.dtype) for _ in range(cell.n_states))


def _check_tuple(name, value, cell, B, H):
    """A state, or a gradient of one, is a tuple of n_states finite arrays (B, H)."""
    if not isinstance(value, tuple) or len(value) != cell.n_states:
        what = f"tuple of {len(value)}" if isinstance(value, tuple) else type(value).__name__
        raise ValueError(f"{name} must be a tuple of {cell.n_states} array(s) (B, H), got {what}")
    for i, part in enumerate(value):
        check_shape(f"{name}[{i}]", part, (B, H))
        check_finite(f"{name}[{i}]", part)


def _check_forward(cell, params, x, state):
    """All that can be wrong with the arguments of `forward`, said in words."""
    k = cell.n_gates
    check_shape("params['W_hh']", params["W_hh"], ("H", "kH"))
    H = params["W_hh"].shape[0]
    check_shape("params['W_hh']", params["W_hh"], (H, k * H))
    check_shape("params['W_xh']", params["W_xh"], ("D", k * H))
    check_shape("params['b_h']", params["b_h"], (k * H,))
    check_shape("x", x, ("T", "B", params["W_xh"].shape[0]))
    weights = {name: params[name] for name in ("W_xh", "W_hh", "b_h")}
    if state is not None:
        _check_tuple("state", state, cell, x.shape[1], H)
    check_floats(x=x, **weights, **{f"state[{i}]": s for i, s in enumerate(state or ())})
    for name, array in (("x", x), *weights.items()):
        check_finite(name, array)


def forward(cell: Cell, params: dict, x: np.ndarray, state=None):
    """Read a sequence: h_t = cell(x_t W_xh + b_h, h_{t−1} W_hh) for t = 1 … T.

    x: (T, B, D); state: the tuple left by the sequence before, each (B, H), or None for zeros.
    Returns hs (T, B, H), the final state (a tuple like `state`), and a cache for `backward`.
    Raises: ValueError for wrong shapes, mixed dtypes, empty or non-finite input.
    """
    _check_forward(cell, params, x, state)
    T, B, D = x.shape
    H, kH = params["W_hh"].shape
    # No step of the input's part depends on the step before: one product serves all T.
    a = (x.reshape(T * B, D) @ params["W_xh"]).reshape(T, B, kH)
    a += params["b_h"]
    states = tuple(np.empty((T + 1, B, H), x.dtype) for _ in range(cell.n_states))
    for array, start in zip(states, state or zero_state(cell, params, B)):
        array[0] = start
    ah = np.empty((B, kH), x.dtype)
    before, after = zip(*(s[:-1] for s in states)), zip(*(s[1:] for s in states))
    for a_t, prev, new in zip(a, before, after):
        np.dot(prev[0], params["W_hh"], out=ah)
        cell.forward(a_t, ah, prev, new)
    return states[0][1:], tuple(s[-1].copy() for s in states), Cache(x, a, states)


def backward(cell: Cell, params: dict, cache: Cache, dhs=None, dstate=None, truncate=None):
    """Backpropagation through time: the gradients of all that `forward` read.

    dhs: (T, B, H), gradient of every output, or None for zeros; dstate: tuple of (B, H), gradient
    of the final state, or None for zeros. Each step adds what arrives from its own output to what
    comes back from the step after it:

        dh_t = dhs_t + da_{t+1} W_hhᵀ,   da_t = dh_t ⊙ ∂h_t/∂a_t

    truncate: if given, the gradient is cut at every border between chunks of so many steps, while
    the states were carried across: truncated BPTT, as if each chunk had been unrolled alone.
    Returns grads (keys W_xh, W_hh, b_h), dx (T, B, D), and the gradient of the initial state.
    Raises: ValueError for wrong shapes or mixed dtypes, if both gradients are None, or if truncate
    is not a positive integer.
    Source: Werbos (1990); truncation: Williams & Peng (1990).
    """
    x, a, states = cache
    T, B, D = x.shape
    H, kH = params["W_hh"].shape
    if dhs is None and dstate is None:
        raise ValueError("backward needs dhs, dstate or both: with neither there is no gradient")
    if dhs is not None:
        check_shape("dhs", dhs, (T, B, H))
    if dstate is not None:
        _check_tuple("dstate", dstate, cell, B, H)
    if truncate is not None:
        check_sizes(truncate=truncate)
    check_floats(x=x, dhs=dhs, **{f"dstate[{i}]": d for i, d in enumerate(dstate or ())})
    dh, *others = (d.copy() for d in dstate or zero_state(cell, params, B))

    # All local derivatives in one go; the loop turns each of them into da_t, in place.
    da, extra = cell.slopes(a, states)
    W_hh_T = np.ascontiguousarray(params["W_hh"].T)
    for t in reversed(range(T)):
        if dhs is not None:
            dh += dhs[t]
        around, *others = cell.backward((dh, *others), da[t], [e[t] for e in extra])
        np.dot(da[t], W_hh_T, out=dh)
        if around is not None:  # a path from h_t to h_{t−1} that does not pass W_hh
            dh += around
        if truncate and t % truncate == 0 and t > 0:
            dh, *others = zero_state(cell, params, B)

    # A shared weight collects a gradient from every step; the sum over steps is one product.
    da, h_prev = da.reshape(T * B, kH), states[0][:-1].reshape(T * B, H)
    grads = {
        "W_xh": x.reshape(T * B, D).T @ da,
        "W_hh": h_prev.T @ da,
        "b_h": da.sum(axis=0),
    }
    return grads, (da @ params["W_xh"].T).reshape(T, B, D), (dh, *others)
