"""Causal self-attention: every step looks back at itself and all before it.

    q_t, k_t, v_t = x_t W_q, x_t W_k, x_t W_v                  query, key, value
    α_tj = softmax over j ≤ t of q_t · k_j / √d                weights of the steps 1 … t
    o_t = Σ_{j ≤ t} α_tj v_j           h_t = o_t W_o           what is read, and mixed

The state is the cache: the keys and values of all steps so far, which grows by 2H numbers a step.
With n heads, the H columns fall into n groups of d = H/n, and each group attends for itself.

Shapes: T steps of now, J ≥ T steps in the cache, B batch, D input features, H = n·d columns.
x (T, B, D); queries (T, B, H); keys and values (J, B, H); weights (B·n, T, J); h (T, B, H).
"""

from typing import NamedTuple

import numpy as np

from .activations import dsoftmax, softmax
from .attention import by_sequence
from .checks import check_finite, check_floats, check_shape, check_sizes

POSITIONS = (None, "sinusoidal", "learned")

# --- Positions ----------------------------------------------------------------------------------


def sinusoids(T: int, D: int, start: int = 0, dtype=np.float64) -> np.ndarray:
    """Positions as waves: P[t, 2i] = sin(t / 10000^(2i/D)), P[t, 2i + 1] = cos of the same angle.

    Rows for t = start … start + T − 1: (T, D). Nothing is learned, and there is no last position.
    Raises: ValueError if T or D is not a positive integer, or start not an integer ≥ 0.
    Source: Vaswani et al. (2017), section 3.5.
    """
    check_sizes(T=T, D=D)
    if not isinstance(start, (int, np.int32, np.int64)) or isinstance(start, bool) or start < 0:
        raise ValueError(f"start must be zero or a positive integer, got {start!r}")
    column = np.arange(D)
    angle = np.arange(start, start + T)[:, None] / 10000 ** (2 * (column // 2) / D)
    return np.where(column % 2 == 0, np.sin(angle), np.cos(angle)).astype(dtype)


# --- From queries, keys and values to what is read ----------------------------------------------


def attend_causally(q, k, v):
    """o_t = Σ_{j ≤ t} α_tj v_j, where α_t = softmax over j ≤ t of q_t · k_j / √d.

    q: (T, B, d); k: (J, B, d) and v: (J, B, M), J ≥ T: the T steps of now are the last of J.
    Returns o (T, B, M) and the weights (B, T, J), zero wherever j is later than t.
    Raises: ValueError for wrong shapes, mixed dtypes, more queries than keys, non-finite numbers.
    """
    check_shape("q", q, ("T", "B", "d"))
    (T, B, d), J = q.shape, len(k)
    check_shape("k", k, ("J", B, d))
    check_shape("v", v, (J, B, "M"))
    check_floats(q=q, k=k, v=v)
    for name, array in {"q": q, "k": k, "v": v}.items():
        check_finite(name, array)
    if J < T:
        raise ValueError(f"k has {J} steps and q has {T}: every query needs its own step's key")
    e = by_sequence(q) @ k.transpose(1, 2, 0) / np.sqrt(d).astype(q.dtype)  # (B, T, J)
    later = np.arange(J) > np.arange(J - T, J)[:, None]
    weights = softmax(np.where(later, -np.inf, e).astype(q.dtype))
    return by_sequence(weights @ by_sequence(v)), weights


def attend_causally_backward(q, k, v, weights, do):
    """Back through the mean and through the scores: dα_tj = do_t · v_j, then softmax, then q · k.

    do: (T, B, M). Returns dq, dk, dv, shaped as q, k, v. A weight of zero sends nothing back, so
    no step hears from its past.
    Raises: ValueError if do has another shape or dtype.
    """
    check_shape("do", do, (*q.shape[:2], v.shape[-1]))
    check_floats(do=do, q=q)
    dweights = by_sequence(do) @ v.transpose(1, 2, 0)  # (B, T, J)
    de = dsoftmax(weights, dweights) / np.sqrt(q.shape[-1]).astype(q.dtype)
    dq = by_sequence(de @ by_sequence(k))
    dk = by_sequence(de.swapaxes(1, 2) @ by_sequence(q))
    dv = by_sequence(weights.swapaxes(1, 2) @ by_sequence(do))
    return dq, dk, dv


def by_head(a, heads: int):
    """A head is one more sequence of the batch: (T, B, n·d) → (T, B·n, d), a view."""
    T, B, H = a.shape
    return a.reshape(T, B * heads, H // heads)


def together(a, heads: int):
    """The inverse of by_head: (T, B·n, d) → (T, B, n·d)."""
    T, rows, d = a.shape
    return a.reshape(T, rows // heads, heads * d)


# --- The layer ----------------------------------------------------------------------------------


def init_self_attention(D: int, H: int, rng, dtype=np.float32, longest: int | None = None) -> dict:
    """W_q, W_k, W_v (D, H) and W_o (H, H), uniform in ±1/√(number of inputs).

    longest: for learned positions, how many steps the table P (longest, D) has; it starts small,
    normal with standard deviation 0.02, as is usual. Without it there is no P.
    Raises: ValueError if a size is not a positive integer.
    """
    check_sizes(D=D, H=H)
    shapes = {"W_q": (D, H), "W_k": (D, H), "W_v": (D, H), "W_o": (H, H)}
    params = {name: rng.uniform(-1, 1, shape) / np.sqrt(shape[0]) for name, shape in shapes.items()}
    if longest is not None:
        check_sizes(longest=longest)
        params["P"] = 0.02 * rng.standard_normal((longest, D))
    return {name: array.astype(dtype) for name, array in params.items()}


def self_attention_step(params: dict, x_t, keys, values, heads: int = 1):
    """One step, as on paper: this step's key and value join the cache, then its query looks back.

    x_t: (B, D), its position already added; keys, values: (J, B, H), the cache, J = 0 at the start.
    Returns h_t (B, H) and the cache, one step longer.
    Source: Vaswani et al. (2017).
    """
    keys = np.concatenate([keys, (x_t @ params["W_k"])[None]])
    values = np.concatenate([values, (x_t @ params["W_v"])[None]])
    q, k, v = (by_head(a, heads) for a in ((x_t @ params["W_q"])[None], keys, values))
    e = (q * k).sum(axis=-1) / np.sqrt(k.shape[-1])  # (J, B·n), q_t · k_j for every j so far
    alpha = softmax(e.T).T
    o = (alpha[:, :, None] * v).sum(axis=0)  # (B·n, d)
    return together(o[None], heads)[0] @ params["W_o"], (keys, values)


class Cache(NamedTuple):
    """What `self_attention_backward` needs."""

    x: np.ndarray  # (T, B, D), positions added
    q: np.ndarray  # (T, B·n, d)
    k: np.ndarray  # (J, B·n, d), with those of before
    v: np.ndarray
    weights: np.ndarray  # (B·n, T, J)
    o: np.ndarray  # (T, B, H)
    heads: int
    positions: str | None


def check_self_attention(params: dict, x, state, heads, positions) -> None:
    """All that can be wrong with the arguments of `self_attention_forward`, said in words."""
    check_shape("x", x, ("T", "B", "D"))
    T, B, D = x.shape
    check_shape("params['W_q']", params["W_q"], (D, "H"))
    H = params["W_q"].shape[1]
    for name, shape in {"W_k": (D, H), "W_v": (D, H), "W_o": (H, H)}.items():
        check_shape(f"params[{name!r}]", params[name], shape)
    check_sizes(heads=heads)
    if H % heads:
        raise ValueError(f"heads must divide H = {H}, got {heads}")
    if positions not in POSITIONS:
        raise ValueError(f"positions must be one of {POSITIONS}, got {positions!r}")
    before = 0
    if state is not None:
        if not isinstance(state, tuple) or len(state) != 2:
            raise ValueError("state must be a tuple of keys and values, each (J, B, H), or None")
        check_shape("state[0]", state[0], ("J", B, H))
        check_shape("state[1]", state[1], state[0].shape)
        before = len(state[0])
    if positions == "learned":
        if "P" not in params:
            raise ValueError("learned positions need a table 'P': give init_self_attention longest")
        check_shape("params['P']", params["P"], ("longest", D))
        if before + T > len(params["P"]):
            raise ValueError(
                f"the table P has {len(params['P'])} positions, x ends at {before + T}"
            )
    states = {f"state[{i}]": s for i, s in enumerate(state or ())}
    check_floats(x=x, **params, **states)
    for name, array in {"x": x, **params, **states}.items():
        check_finite(name, array)


def self_attention_forward(params: dict, x, state=None, heads: int = 1, positions=None):
    """A layer of causal self-attention with one or more heads.

    x: (T, B, D). state: the cache that the steps before have left, a tuple of keys and values, each
    (J, B, H), or None. heads: n, which divides H. positions: None, "sinusoidal", or "learned" (then
    params has P, see `init_self_attention`); the first step of x has position J.
    Returns h (T, B, H), the cache with the steps of x at its end, and what the way back needs.
    Raises: ValueError for wrong shapes, mixed dtypes, unknown positions, a sequence longer than P.
    Source: Vaswani et al. (2017).
    """
    check_self_attention(params, x, state, heads, positions)
    (T, _, D), before = x.shape, 0 if state is None else len(state[0])
    if positions == "learned":
        x = x + params["P"][before : before + T, None]
    elif positions == "sinusoidal":
        x = x + sinusoids(T, D, before, x.dtype)[:, None]
    q, keys, values = x @ params["W_q"], x @ params["W_k"], x @ params["W_v"]
    if state is not None:
        keys, values = np.concatenate([state[0], keys]), np.concatenate([state[1], values])
    q, k, v = by_head(q, heads), by_head(keys, heads), by_head(values, heads)
    o, weights = attend_causally(q, k, v)
    o = together(o, heads)
    return o @ params["W_o"], (keys, values), Cache(x, q, k, v, weights, o, heads, positions)


def self_attention_backward(params: dict, cache: Cache, dh, dstate=None):
    """Back through `self_attention_forward`: all steps at once, for no step waits for another.

    dh: (T, B, H), gradient of the outputs; dstate: of the cache that was left, a tuple of two
    (J, B, H), or None. Returns grads (keys as in params), dx (T, B, D), and the gradient of the
    state that was handed in, or None if there was none.
    Raises: ValueError for wrong shapes or mixed dtypes.
    """
    x, q, k, v, weights, o, heads, positions = cache
    T, B, D = x.shape
    H, before = o.shape[-1], len(k) - T
    check_shape("dh", dh, (T, B, H))
    check_floats(x=x, dh=dh)
    do = by_head(dh @ params["W_o"].T, heads)
    dq, dk, dv = (together(d, heads) for d in attend_causally_backward(q, k, v, weights, do))
    if dstate is not None:
        for i, d in enumerate(dstate):
            check_shape(f"dstate[{i}]", d, (len(k), B, H))
            check_floats(x=x, **{f"dstate[{i}]": d})
        dk, dv = dk + dstate[0], dv + dstate[1]
    dstate0 = (dk[:before], dv[:before]) if before else None
    dx, grads = 0, {"W_o": o.reshape(T * B, H).T @ dh.reshape(T * B, H)}
    for name, d in {"W_q": dq, "W_k": dk[before:], "W_v": dv[before:]}.items():
        grads[name] = x.reshape(T * B, D).T @ d.reshape(T * B, H)
        dx = dx + d @ params[name].T
    if "P" in params:
        grads["P"] = np.zeros_like(params["P"])
        if positions == "learned":
            grads["P"][before : before + T] = dx.sum(axis=1)
    return {name: grads[name] for name in params}, dx, dstate0
