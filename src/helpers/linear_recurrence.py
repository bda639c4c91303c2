"""Linear in the state: the scan, and the minimal GRU and LSTM that stand on it.

Where a_t and b_t do not read h_{t−1}, all T of them can be known before the first step, and a step
is a pair (a, b) that stands for the map h → a h + b. One map after another is such a map again:

    (a₁, b₁) then (a₂, b₂)  =  (a₂ a₁,  a₂ b₁ + b₂)

This operation is associative, so the T steps may be combined in any grouping: `scan_loop` goes
one by one, `scan_doubling` in log₂ T rounds, `scan_tree` in 2 log₂ T, `scan_chunks` in about 2 √T.
Here the scan stands as on paper, then its gradient as a plain loop, then the fast forms; after it
the layers that use it, `min_gru` and `min_lstm`, in the same order.

Shapes: T time steps, then any others (…), usually (B, H). Layers: x (T, B, D), h (T, B, H). A
layer that is no `Cell`, because nothing in it waits for h_{t−1} W, is a `Layer` of three functions.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np

from . import layers
from .activations import dsigmoid, sigmoid
from .checks import check_finite, check_floats, check_shape, check_sizes
from .losses import LossAndGrads
from .unroll import by_gate, side_by_side

DTYPES = (np.float32, np.float64, np.complex64, np.complex128)

# --- The scan as on paper -----------------------------------------------------------------------


def combine(first: tuple, second: tuple) -> tuple:
    """Two steps as one: `first`, then `second`, is h → a₂ (a₁ h + b₁) + b₂.

    first, second: pairs (a, b) of arrays of one shape. Returns such a pair.
    """
    a_1, b_1 = first
    a_2, b_2 = second
    return a_2 * a_1, a_2 * b_1 + b_2


def scan_loop(a: np.ndarray, b: np.ndarray, h0: np.ndarray) -> np.ndarray:
    """As on paper, step by step: h_t = a_t ⊙ h_{t−1} + b_t. a, b (T, …), h0 (…). Returns (T, …)."""
    h, hs = h0, []
    for a_t, b_t in zip(a, b):
        h = a_t * h + b_t
        hs.append(h)
    return np.stack(hs)


def scan_loop_backward(a: np.ndarray, h: np.ndarray, h0: np.ndarray, dh: np.ndarray) -> tuple:
    """Back through `scan_loop`, from the last step to the first.

    g is all that arrives at h_t: dh_t from the loss, and a_{t+1} g_{t+1} from the step after.
    a, h, dh: (T, …), h0: (…). Returns da, db (T, …) and dh0 (…). For complex numbers the factors
    are conjugated, and a gradient is ∂L/∂Re + i ∂L/∂Im, as in torch.
    """
    da, db, g = np.empty_like(h), np.empty_like(h), np.zeros_like(h0)
    for t in reversed(range(len(a))):
        h_prev = h[t - 1] if t > 0 else h0
        g = g + dh[t]
        da[t] = g * np.conj(h_prev)
        db[t] = g
        g = g * np.conj(a[t])  # on to the step before
    return da, db, g


# --- The same numbers in fewer rounds -----------------------------------------------------------


def with_start(a: np.ndarray, b: np.ndarray, h0) -> np.ndarray:
    """b with the start inside: b_1 + a_1 h_0 in the first place, so that a scan may begin at 0."""
    b = b.copy()
    if h0 is not None:
        b[0] += a[0] * h0
    return b


def scan_doubling(a: np.ndarray, b: np.ndarray, h0=None) -> np.ndarray:
    """⌈log₂ T⌉ rounds: place t joins the pair that ends `reach` places before it.

    After a round the pair at t stands for twice as many steps. About T log₂ T combinations.
    a, b: (T, …), h0: (…) or None for zeros. Returns (T, …). Source: Hillis & Steele (1986).
    """
    b, a = with_start(a, b, h0), a.copy()
    reach = 1
    while reach < len(a):
        before, here = (a[:-reach], b[:-reach]), (a[reach:], b[reach:])
        a[reach:], b[reach:] = combine(before, here)  # both made before either is stored
        reach *= 2
    return b


def scan_tree(a: np.ndarray, b: np.ndarray, h0=None) -> np.ndarray:
    """Neighbours in pairs, half as many steps; these by the same rule; then what lies between.

    About 2 log₂ T rounds and 2 T combinations, twice those of the loop.
    a, b: (T, …), h0: (…) or None for zeros. Returns (T, …). Source: Blelloch (1990).
    """
    b, T = with_start(a, b, h0), len(a)
    if T == 1:
        return b
    even = T - T % 2
    pairs = combine((a[:even:2], b[:even:2]), (a[1::2], b[1::2]))
    h = np.empty_like(b)
    h[0], h[1::2] = b[0], scan_tree(*pairs)
    h[2::2] = a[2::2] * h[1:-1:2] + b[2::2]
    return h


def scan_chunks(a: np.ndarray, b: np.ndarray, h0=None, size: int | None = None) -> np.ndarray:
    """All chunks side by side as if each began at 0; then a loop that carries the true starts.

    Inside a chunk: h_t = (local h_t) + (a_t … a_1 of the chunk) ⊙ (the chunk's start). With chunks
    of √T steps there are 2 √T rounds, and three times the multiplications of the loop.
    a, b: (T, …), h0: (…) or None for zeros; size: steps in a chunk, √T if None. Returns (T, …).
    Raises: ValueError if size is not a positive integer.
    """
    T, rest = len(a), a.shape[1:]
    size = max(1, round(T**0.5)) if size is None else size
    check_sizes(size=size)
    n = -(-T // size)
    products, h = np.zeros((2, n * size, *rest), b.dtype)  # the last chunk is filled up with zeros
    products[:T], h[:T] = a, with_start(a, b, h0)
    products, h = (z.reshape(n, size, *rest) for z in (products, h))
    for i in range(1, size):
        h[:, i] += products[:, i] * h[:, i - 1]
        products[:, i] *= products[:, i - 1]
    for k in range(1, n):
        h[k] += products[k] * h[k - 1, -1]
    return h.reshape(n * size, *rest)[:T]


def scan_log(log_a: np.ndarray, log_b: np.ndarray, log_h0: np.ndarray) -> np.ndarray:
    """log h_t where a, b and h_0 are positive, from two cumulative operations and no loop.

        A_t = Σ_{s ≤ t} log a_s      log h_t = A_t + log(h_0 + Σ_{s ≤ t} e^{log b_s − A_s})

    No product is formed, so none underflows; but A_t grows, and its rounding error with it.
    log_a, log_b: (T, …), log_h0: (…), where −∞ stands for 0. Returns log h (T, …).
    Source: Heinsen (2023); Feng et al. (2024), appendix.
    """
    A = np.cumsum(log_a, axis=0)
    terms = np.concatenate([log_h0[None], log_b - A])
    return A + np.logaddexp.accumulate(terms, axis=0)[1:]


# --- Fast: what the layers call -----------------------------------------------------------------


def check_scan(h0, **sequences) -> None:
    """All that can be wrong with the arguments of a scan, said in words.

    The sequences have one shape (T, …), and h0 has the shape of one step, (…), or is None.
    """
    shape = np.shape(next(iter(sequences.values()))) or ("T",)
    for name, array in sequences.items():
        check_shape(name, array, shape)
    if h0 is not None:
        check_shape("h0", h0, shape[1:])
        sequences["h0"] = h0
    dtypes = {name: array.dtype for name, array in sequences.items()}
    if len(set(dtypes.values())) > 1 or next(iter(dtypes.values())) not in DTYPES:
        listing = ", ".join(f"{name} {dtype}" for name, dtype in dtypes.items())
        raise ValueError(f"expected one dtype, float or complex, for all of: {listing}")
    for name, array in sequences.items():
        check_finite(name, array)


def scan(a: np.ndarray, b: np.ndarray, h0=None) -> np.ndarray:
    """h_t = a_t ⊙ h_{t−1} + b_t for t = 1 … T, in whichever form is fast for these sizes.

    a, b: (T, …), of one shape and dtype, float or complex; h0: (…), or None for zeros. An `a` that
    is the same at each step may be passed as np.broadcast_to(a, b.shape), which copies nothing.
    Returns h: (T, …).
    Raises: TypeError or ValueError that names the argument: wrong shapes, mixed dtypes, empty or
    non-finite arrays.
    Source: Blelloch (1990); for networks Martin & Cundy (2018).
    """
    check_scan(h0, a=a, b=b)
    return run_scan(a, b, h0)


def run_scan(a, b, h0=None):
    """`scan`, its arguments checked.

    speed: one call of NumPy has a fixed price, which is most of a step of up to some hundred
    numbers; with more, the loop is faster, because it touches each number once.
    """
    return scan_tree(a, b, h0) if a[0].size < 256 else scan_steps(a, b, h0)


def scan_steps(a, b, h0=None):
    """`scan_loop` in place: each row of b becomes a state."""
    h, product = with_start(a, b, h0), np.empty_like(b[0])
    for a_t, h_prev, h_t in zip(a[1:], h[:-1], h[1:]):
        np.multiply(a_t, h_prev, out=product)  # speed: no array is made in the loop
        h_t += product
    return h


def scan_backward(a: np.ndarray, h: np.ndarray, h0, dh: np.ndarray) -> tuple:
    """The gradients of `scan`: again a scan, run from the last step to the first.

        g_t = a_{t+1} ⊙ g_{t+1} + dh_t,   da_t = g_t ⊙ h_{t−1},   db_t = g_t,   dh_0 = a_1 ⊙ g_1

    a, h, dh: (T, …), h0: (…) or None for zeros. A gradient of the final state is added to dh[-1] by
    whoever has one. Complex: factors conjugated, gradients ∂L/∂Re + i ∂L/∂Im, as in torch.
    Returns da, db (T, …) and dh0 (…).
    Raises: as `scan`.
    """
    check_scan(h0, a=a, h=h, dh=dh)
    return run_scan_backward(a, h, h0, dh)


def run_scan_backward(a, h, h0, dh):
    """`scan_backward`, its arguments checked."""
    a_after = np.zeros_like(h)  # a_{t+1} at place t; nothing comes after the last
    np.conj(a[1:], out=a_after[:-1])
    g = run_scan(a_after[::-1], dh[::-1])[::-1]
    h_prev = np.empty_like(h)
    h_prev[0], h_prev[1:] = 0 if h0 is None else h0, h[:-1]
    return g * np.conj(h_prev), g, np.conj(a[0]) * g[0]


# --- Layers: what a layer is --------------------------------------------------------------------


class Layer(NamedTuple):
    """A recurrent layer is data: a name and three pure functions.

        init(D, H, rng, dtype)                  parameters, a dict
        forward(params, x, h0)                  h (T, B, H), the final state, a cache
        backward(params, cache, dh, dfinal)     grads (keys as in params), dx, dh0

    h0 or dfinal may be None for zeros, and one of dh, dfinal too.
    """

    name: str
    init: Callable
    forward: Callable
    backward: Callable


class Cache(NamedTuple):
    """What the way back of a minimal layer needs; gates: (k, T, B, H), keep: a_t of the scan."""

    x: np.ndarray
    gates: np.ndarray
    keep: np.ndarray
    h: np.ndarray
    h0: np.ndarray
    signed: bool


def init_minimal(k: int, D: int, H: int, rng, dtype=np.float32) -> dict:
    """W_xh (D, kH) and b_h (kH,), uniform in ±1/√D as torch.nn.Linear does; there is no W_hh.

    Raises: ValueError if a size is not a positive integer.
    """
    check_sizes(D=D, H=H)
    bound = 1 / np.sqrt(D)
    return {
        "W_xh": rng.uniform(-bound, bound, (D, k * H)).astype(dtype),
        "b_h": rng.uniform(-bound, bound, k * H).astype(dtype),
    }


def check_minimal(k: int, params: dict, x, h0) -> None:
    """All that can be wrong with the arguments of a minimal layer, said in words."""
    check_shape("x", x, ("T", "B", "D"))
    check_shape("params['W_xh']", params["W_xh"], (x.shape[2], "kH"))
    width = params["W_xh"].shape[1]
    if width % k:
        raise ValueError(f"params['W_xh'] has {width} columns, expected a multiple of {k}")
    check_shape("params['b_h']", params["b_h"], (width,))
    if h0 is not None:
        check_shape("h0", h0, (x.shape[1], width // k))
        check_finite("h0", h0)
    check_floats(x=x, W_xh=params["W_xh"], b_h=params["b_h"], h0=h0)
    check_finite("x", x)
    for name in ("W_xh", "b_h"):
        check_finite(f"params['{name}']", params[name])


def check_minimal_backward(cache: Cache, dh, dfinal) -> None:
    """All that can be wrong with the gradients that the way back gets, said in words."""
    if dh is None and dfinal is None:
        raise ValueError("backward needs dh, dfinal or both: with neither there is no gradient")
    if dh is not None:
        check_shape("dh", dh, cache.h.shape)
    if dfinal is not None:
        check_shape("dfinal", dfinal, cache.h.shape[1:])
    check_floats(x=cache.x, dh=dh, dfinal=dfinal)


def pre_activations(k: int, params: dict, x: np.ndarray) -> np.ndarray:
    """x W_xh + b_h for all steps at once, gate after gate: (k, T, B, H)."""
    T, B, D = x.shape
    W = by_gate(params["W_xh"], len(params["b_h"]) // k)
    a = x.reshape(T * B, D) @ W + params["b_h"].reshape(k, 1, -1)
    return a.reshape(k, T, B, -1)


def arriving(cache: Cache, dh, dfinal) -> np.ndarray:
    """The gradient at each h_t (T, B, H), that of the final state in the last place."""
    total = np.zeros_like(cache.h) if dh is None else dh.copy()
    if dfinal is not None:
        total[-1] += dfinal
    return total


def to_weights(params: dict, x: np.ndarray, da: np.ndarray) -> tuple:
    """From da (k, T, B, H) to the gradients of W_xh and b_h, and to dx (T, B, D)."""
    k, T, B, H = da.shape
    da = da.reshape(k, T * B, H)
    dW_xh = side_by_side(x.reshape(T * B, -1).T @ da)
    dx = (da @ by_gate(params["W_xh"], H).swapaxes(1, 2)).sum(axis=0)
    return {"W_xh": dW_xh, "b_h": da.sum(axis=1).reshape(-1)}, dx.reshape(x.shape)


# --- minGRU -------------------------------------------------------------------------------------


def min_gru_step(params: dict, x_t: np.ndarray, h_prev: np.ndarray, signed=False) -> np.ndarray:
    """One step, as on paper: a GRU in which nothing but the last line reads h_{t−1}.

    s = σ(x_t W_xz + b_z), n = x_t W_xn + b_n, h_t = z ⊙ h_{t−1} + (1 − s) ⊙ n, where z = s in
    (0, 1), or z = 2s − 1 in (−1, 1) if signed. x_t: (B, D), h_prev: (B, H). Returns (B, H).
    Source: Feng et al. (2024), whose z is our 1 − z; signed: Grazzi et al. (2025).
    """
    a_z, n = np.split(x_t @ params["W_xh"] + params["b_h"], 2, axis=-1)
    s = sigmoid(a_z)
    z = 2 * s - 1 if signed else s
    return z * h_prev + (1 - s) * n


def min_gru_loop(params: dict, x: np.ndarray, h0: np.ndarray, signed=False) -> np.ndarray:
    """The whole sequence, step by step. x: (T, B, D), h0: (B, H). Returns h (T, B, H)."""
    h, hs = h0, []
    for x_t in x:
        h = min_gru_step(params, x_t, h, signed)
        hs.append(h)
    return np.stack(hs)


def min_gru_bptt(params: dict, x, h0, hs, dhs, dh_T, signed=False) -> tuple:
    """Back through `min_gru_loop`, from the last step to the first: a gradient from every step.

    dhs: (T, B, H), what the loss sends straight to each h_t; dh_T: (B, H), what comes to the last
    state from beyond, or zeros. Returns grads (W_xh, b_h), dx (T, B, D), dh0 (B, H).
    """
    grads = {name: np.zeros_like(params[name]) for name in ("W_xh", "b_h")}
    dx, dh, scale = np.zeros_like(x), dh_T, 2 if signed else 1
    for t in reversed(range(len(x))):
        h_prev = hs[t - 1] if t > 0 else h0
        a_z, n = np.split(x[t] @ params["W_xh"] + params["b_h"], 2, axis=-1)
        s = sigmoid(a_z)
        dh = dh + dhs[t]  # from the step after, and from the loss
        da_z = dh * (scale * h_prev - n) * s * (1 - s)
        da = np.concatenate([da_z, dh * (1 - s)], axis=-1)
        grads["W_xh"] += x[t].T @ da
        grads["b_h"] += da.sum(axis=0)
        dx[t] = da @ params["W_xh"].T
        dh = dh * (2 * s - 1 if signed else s)  # on to the step before: no matrix on this way
    return grads, dx, dh


def init_min_gru(D: int, H: int, rng, dtype=np.float32) -> dict:
    """Parameters of a minGRU, gates z, n: W_xh (D, 2H), b_h (2H,). See `init_minimal`."""
    return init_minimal(2, D, H, rng, dtype)


def min_gru_forward(params: dict, x: np.ndarray, h0=None, signed: bool = False):
    """A minGRU over time: all gates in one product, then one scan. See `min_gru_step`.

    x: (T, B, D); h0: (B, H), the state left by the sequence before, or None for zeros; signed:
    gates in (−1, 1) instead of (0, 1).
    Returns h (T, B, H), the final state (B, H), and a cache for `min_gru_backward`.
    Raises: ValueError for wrong shapes, mixed dtypes, empty or non-finite input.
    """
    check_minimal(2, params, x, h0)
    gates = pre_activations(2, params, x)
    gates[0] = sigmoid(gates[0])
    s, n = gates
    keep = 2 * s - 1 if signed else s
    h0 = np.zeros_like(n[0]) if h0 is None else h0
    h = run_scan(keep, (1 - s) * n, h0)
    return h, h[-1].copy(), Cache(x, gates, keep, h, h0, signed)


def min_gru_backward(params: dict, cache: Cache, dh=None, dfinal=None):
    """Back through `min_gru_forward`: one scan backwards, then everything at once.

    dh: (T, B, H), gradient of every output, or None for zeros; dfinal: (B, H), gradient of the
    final state, or None for zeros. Returns grads (W_xh, b_h), dx (T, B, D), dh0 (B, H).
    Raises: ValueError for wrong shapes or mixed dtypes, or if both gradients are None.
    """
    check_minimal_backward(cache, dh, dfinal)
    s, n = cache.gates
    dkeep, db, dh0 = run_scan_backward(cache.keep, cache.h, cache.h0, arriving(cache, dh, dfinal))
    ds = (2 if cache.signed else 1) * dkeep - db * n
    da = np.stack([ds * dsigmoid(s), db * (1 - s)])
    return *to_weights(params, cache.x, da), dh0


# --- minLSTM ------------------------------------------------------------------------------------


def min_lstm_step(params: dict, x_t: np.ndarray, h_prev: np.ndarray) -> np.ndarray:
    """One step, as on paper: an LSTM in which nothing but the last line reads h_{t−1}.

    i, f = σ(…), g = x_t W_xg + b_g, and h_t = (f ⊙ h_{t−1} + i ⊙ g) / (i + f): a weighted mean.
    x_t: (B, D), h_prev: (B, H). Returns (B, H). Source: Feng et al. (2024).
    """
    a_i, a_f, g = np.split(x_t @ params["W_xh"] + params["b_h"], 3, axis=-1)
    i, f = sigmoid(a_i), sigmoid(a_f)
    return (f * h_prev + i * g) / (i + f)


def init_min_lstm(D: int, H: int, rng, dtype=np.float32) -> dict:
    """Parameters of a minLSTM, gates i, f, g: W_xh (D, 3H), b_h (3H,). See `init_minimal`."""
    return init_minimal(3, D, H, rng, dtype)


def min_lstm_forward(params: dict, x: np.ndarray, h0=None):
    """A minLSTM over time: all gates in one product, then one scan. See `min_lstm_step`.

    x: (T, B, D); h0: (B, H), or None for zeros. Only the ratio of i and f matters, so it is taken
    between their logarithms: f / (i + f) = σ(log f − log i), which has no 0 / 0.
    Returns h (T, B, H), the final state (B, H), and a cache for `min_lstm_backward`.
    Raises: ValueError for wrong shapes, mixed dtypes, empty or non-finite input.
    """
    check_minimal(3, params, x, h0)
    gates = pre_activations(3, params, x)
    log_i, log_f = (np.minimum(a, 0) - np.log1p(np.exp(-np.abs(a))) for a in gates[:2])  # log σ(a)
    keep = sigmoid(log_f - log_i)
    gates[:2] = sigmoid(gates[:2])
    h0 = np.zeros_like(keep[0]) if h0 is None else h0
    h = run_scan(keep, (1 - keep) * gates[2], h0)
    return h, h[-1].copy(), Cache(x, gates, keep, h, h0, False)


def min_lstm_backward(params: dict, cache: Cache, dh=None, dfinal=None):
    """Back through `min_lstm_forward`. With q = f / (i + f): dq/da_f = q (1 − q) (1 − f).

    Arguments, results and errors as `min_gru_backward`, with the gates i, f, g.
    """
    check_minimal_backward(cache, dh, dfinal)
    (i, f, g), q = cache.gates, cache.keep
    dq, db, dh0 = run_scan_backward(q, cache.h, cache.h0, arriving(cache, dh, dfinal))
    d_ratio = (dq - db * g) * dsigmoid(q)
    da = np.stack([-d_ratio * (1 - i), d_ratio * (1 - f), db * (1 - q)])
    return *to_weights(params, cache.x, da), dh0


MIN_GRU = Layer("min_gru", init_min_gru, min_gru_forward, min_gru_backward)
MIN_GRU_SIGNED = Layer(
    "min_gru_signed", init_min_gru, partial(min_gru_forward, signed=True), min_gru_backward
)
MIN_LSTM = Layer("min_lstm", init_min_lstm, min_lstm_forward, min_lstm_backward)


# --- Several layers -----------------------------------------------------------------------------


def stack(layer: Layer, n_layers: int) -> Layer:
    """n_layers of a layer as one: each reads what the one below shows, at the same step.

    In one minimal layer the gates see x_t alone. In the second they see h_t of the first, which
    knows the past. Parameters are named W_xh_l0, …; the states are one array, (n_layers, B, H).
    Raises: ValueError if n_layers is not a positive integer.
    """
    check_sizes(n_layers=n_layers)

    def of(params, i):
        end = f"_l{i}"
        return {name.removesuffix(end): p for name, p in params.items() if name.endswith(end)}

    def named(found, i):
        return {f"{name}_l{i}": array for name, array in found.items()}

    def init(D, H, rng, dtype=np.float32):
        sizes = [D] + [H] * (n_layers - 1)
        made = [named(layer.init(size, H, rng, dtype), i) for i, size in enumerate(sizes)]
        return {name: array for one in made for name, array in one.items()}

    def forward(params, x, h0=None):
        finals, caches, h = [], [], x
        for i in range(n_layers):
            h, final, cache = layer.forward(of(params, i), h, None if h0 is None else h0[i])
            finals.append(final)
            caches.append(cache)
        return h, np.stack(finals), caches

    def backward(params, caches, dh=None, dfinal=None):
        grads, dh0 = {}, []
        for i in reversed(range(n_layers)):
            d = None if dfinal is None else dfinal[i]
            if dh is None and d is None:
                raise ValueError("backward needs dh, dfinal or both: with neither, no gradient")
            found, dh, d = layer.backward(of(params, i), caches[i], dh, d)
            grads |= named(found, i)
            dh0.append(d)
        return grads, dh, np.stack(dh0[::-1])

    return Layer(f"{layer.name}_{n_layers}", init, forward, backward)


# --- A layer with a linear read-out -------------------------------------------------------------


def init_model(layer: Layer, D: int, H: int, V: int, rng, dtype=np.float32) -> dict:
    """Parameters of the layer and of the read-out (W_hy, b_y), in one dict.

    Raises: ValueError if a size is not a positive integer.
    """
    return {**layer.init(D, H, rng, dtype), **layers.init_linear(H, V, rng, dtype)}


def predict(layer: Layer, params: dict, x: np.ndarray, h0=None):
    """Outputs z (T, B, V), the final state, and h (T, B, H), as `sequence_model.predict`."""
    h, final, _ = layer.forward(params, x, h0)
    return layers.linear_forward(params, h), final, h


def loss_and_grads(layer: Layer, params: dict, x: np.ndarray, loss, h0=None) -> LossAndGrads:
    """`sequence_model.loss_and_grads` for a `Layer`: loss(z) → value, dz of all outputs (T, B, V).

    Raises: ValueError, TypeError or IndexError that names the argument.
    """
    return loss_and_dx(layer, params, x, loss, h0)[0]


def loss_and_dx(layer: Layer, params: dict, x: np.ndarray, loss, h0=None):
    """`loss_and_grads`, and the gradient of the inputs, dx (T, B, D), for a layer below."""
    h, final, cache = layer.forward(params, x, h0)
    value, dz = loss(layers.linear_forward(params, h))
    grads, dh = layers.linear_backward(params, h, dz)
    layer_grads, dx, _ = layer.backward(params, cache, dh)
    return LossAndGrads(value, {**layer_grads, **grads}, final), dx
