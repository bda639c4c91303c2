"""A matrix for a memory: values under keys, in a state that does not grow.

    S_t = a_t S_{t−1} + k_tᵀ u_t                what is kept, plus what is written
    o_t = q_t S_t                               what a query finds
    u_t = v_t                                   sum: linear attention
    u_t = β_t (v_t − k_t a_t S_{t−1})           delta rule: only what the memory does not know yet

a_t in (0, 1] is the decay, 1 where nothing is forgotten. The recurrence stands here three times,
with the same numbers: `memory_loop` step by step, with its way back `memory_bptt`;
`memory_parallel`, all T steps as one masked product, O(T²); `memory_chunked`, which goes from chunk
to chunk with the state and is parallel inside. Around it two layers: `memory_forward`, and the
`mlstm_forward` of the xLSTM.

Shapes: T time steps, B batch, D input features, d numbers in a key, M in a value, H = d = M in the
layers. q, k (T, B, d); v, u, o (T, B, M); log_a (T, B, 1), or (T, B, d) for a decay of each row of
S, in the loop only; β (T, B, 1); S (B, d, M).
"""

from functools import partial
from typing import NamedTuple

import numpy as np

from .activations import sigmoid
from .attention import by_sequence
from .checks import check_finite, check_floats, check_shape, check_sizes
from .linear_recurrence import Layer

# --- One step, as on paper ----------------------------------------------------------------------


def read(q_t, S):
    """o_t = q_t S: q_t (B, d), S (B, d, M). Returns (B, M)."""
    return (q_t[:, None, :] @ S)[:, 0]


def outer(k_t, u_t):
    """k_tᵀ u_t for every sequence: k_t (B, d), u_t (B, M). Returns (B, d, M)."""
    return k_t[:, :, None] * u_t[:, None, :]


def sum_step(S, q_t, k_t, v_t, a_t=1.0):
    """S_t = a_t S_{t−1} + k_tᵀ v_t, o_t = q_t S_t. a_t: a number, or (B, 1), or (B, d).

    Returns o_t (B, M) and S_t (B, d, M).
    Source: Katharopoulos et al. (2020) with a = 1; Sun et al. (2023) with a constant;
    GLA, Yang et al. (2024), with a gate a_t (B, d).
    """
    S = np.atleast_2d(a_t)[:, :, None] * S + outer(k_t, v_t)
    return read(q_t, S), S


def delta_step(S, q_t, k_t, v_t, beta_t, a_t=1.0):
    """S_t = a_t S_{t−1} + k_tᵀ β_t (v_t − k_t a_t S_{t−1}): what is there is read first.

    beta_t: a number or (B, 1). Returns o_t (B, M) and S_t (B, d, M).
    Source: Widrow & Hoff (1960); as a layer Schlag et al. (2021); with decay Yang et al.
    (2025).
    """
    kept = np.atleast_2d(a_t)[:, :, None] * S
    S = kept + outer(k_t, beta_t * (v_t - read(k_t, kept)))
    return read(q_t, S), S


# --- All steps, in a plain loop -----------------------------------------------------------------


def memory_loop(q, k, v, S_0, log_a=None, beta=None):
    """The recurrence step by step: the delta rule if there is a β (T, B, 1), else the sum.

    Returns o (T, B, M) and all states, S_0 … S_T: (T+1, B, d, M).
    """
    S, states, o = S_0, [S_0], []
    for t in range(len(q)):
        a_t = 1.0 if log_a is None else np.exp(log_a[t])
        if beta is None:
            o_t, S = sum_step(S, q[t], k[t], v[t], a_t)
        else:
            o_t, S = delta_step(S, q[t], k[t], v[t], beta[t], a_t)
        o.append(o_t)
        states.append(S)
    return np.stack(o), np.stack(states)


def memory_bptt(q, k, v, states, do, dS_T, log_a=None, beta=None):
    """Back through `memory_loop`, from the last step to the first.

    do: (T, B, M), what the loss sends to each o_t; dS_T: (B, d, M), to the last state.
    Returns dq, dk, dv, dS_0, dlog_a and dβ, the last two None where there is no such gate.
    """
    dq, dk, dv = np.zeros_like(q), np.zeros_like(k), np.zeros_like(v)
    dlog_a, dbeta = (None if gate is None else np.zeros_like(gate) for gate in (log_a, beta))
    dS = dS_T
    for t in reversed(range(len(q))):
        a_t = np.ones((1, 1), q.dtype) if log_a is None else np.exp(log_a[t])
        kept = a_t[:, :, None] * states[t]
        error = v[t] if beta is None else v[t] - read(k[t], kept)
        u = error if beta is None else beta[t] * error
        dS = dS + outer(q[t], do[t])  # o_t = q_t S_t
        dq[t] = read(do[t], states[t + 1].swapaxes(1, 2))
        dk[t] = read(u, dS.swapaxes(1, 2))  # S_t = kept + k_tᵀ u_t
        dv[t] = du = read(k[t], dS)
        if beta is not None:  # u_t = β_t (v_t − k_t kept)
            dbeta[t] = (du * error).sum(axis=-1, keepdims=True)
            dv[t] = derror = beta[t] * du
            dk[t] -= read(derror, kept.swapaxes(1, 2))
            dS = dS - outer(k[t], derror)
        if log_a is not None:  # kept = a_t S_{t−1}, and ∂a/∂log a = a
            by_row = (dS * kept).sum(axis=-1)  # (B, d)
            dlog_a[t] = by_row if log_a.shape[-1] > 1 else by_row.sum(axis=-1, keepdims=True)
        dS = a_t[:, :, None] * dS  # on to the step before
    return dq, dk, dv, dS, dlog_a, dbeta


# --- All steps at once --------------------------------------------------------------------------


class Parallel(NamedTuple):
    """What `memory_parallel_backward` needs, the batch first: (B, T, …)."""

    q: np.ndarray
    k: np.ndarray
    u: np.ndarray  # (B, T, M), what was written
    S_0: np.ndarray
    decay: np.ndarray  # (B, T, T), Λ_ij = a_{j+1} ⋯ a_i for j ≤ i, else 0
    since: np.ndarray  # (B, T, 1), a_1 ⋯ a_i: how much of S_0 is left
    has_decay: bool
    beta: np.ndarray | None
    error: np.ndarray | None  # (B, T, M), v_i − what S_0 alone says of k_i
    solver: np.ndarray | None  # (B, T, T), the triangular matrix of the delta rule


def check_memory(q, k, v, S_0, log_a, beta) -> None:
    """All that can be wrong with the arguments of a recurrence, said in words."""
    check_shape("q", q, ("T", "B", "d"))
    T, B, d = q.shape
    check_shape("k", k, (T, B, d))
    check_shape("v", v, (T, B, "M"))
    check_shape("S_0", S_0, (B, d, v.shape[-1]))
    arrays = {"q": q, "k": k, "v": v, "S_0": S_0}
    for name, gate in {"log_a": log_a, "beta": beta}.items():
        if gate is not None:
            check_shape(name, gate, (T, B, 1))
            arrays[name] = gate
    check_floats(**arrays)
    for name, array in arrays.items():
        check_finite(name, array)
    if log_a is not None and log_a.max() > 0:
        raise ValueError(f"log_a must not be positive (a ≤ 1), its largest is {log_a.max()}")


def decays(log_a, B, T, dtype):
    """Λ (B, T, T), Λ_ij = a_{j+1} ⋯ a_i where j ≤ i, else 0; and a_1 ⋯ a_i, (B, T, 1)."""
    past = np.tri(T, dtype=bool)
    if log_a is None:
        return np.broadcast_to(past.astype(dtype), (B, T, T)), np.ones((B, T, 1), dtype)
    c = np.cumsum(by_sequence(log_a), axis=1)  # (B, T, 1)
    # Differences of logarithms: a quotient of two products would be 0/0 after a long time.
    return np.exp(np.where(past, c - c.swapaxes(1, 2), -np.inf)).astype(dtype), np.exp(c)


def memory_parallel(q, k, v, S_0, log_a=None, beta=None):
    """The same numbers as `memory_loop` without a loop over time: products of whole sequences.

        O = (Q Kᵀ ⊙ Λ) U + λ ⊙ (Q S_0),   Λ_ij = a_{j+1} ⋯ a_i for j ≤ i,   λ_i = a_1 ⋯ a_i

    For the sum U = V. For the delta rule what step i writes depends on what the steps j < i wrote,
    which is a triangular system of equations:

        (1 + β ⊙ strictly lower(K Kᵀ ⊙ Λ)) U = β ⊙ (V − λ ⊙ K S_0)

    Returns o (T, B, M), S_T (B, d, M) and a cache.
    Raises: ValueError for wrong shapes, mixed dtypes, non-finite numbers or a decay above 1.
    Source: Katharopoulos et al. (2020); the triangular system: DeltaNet, Yang et al. (2024).
    """
    check_memory(q, k, v, S_0, log_a, beta)
    T, B, _ = q.shape
    decay, since = decays(log_a, B, T, q.dtype)
    q, k, v = by_sequence(q), by_sequence(k), by_sequence(v)
    u, error, solver = v, None, None
    if beta is not None:
        beta = by_sequence(beta)
        error = v - since * (k @ S_0)
        solver = np.eye(T, dtype=q.dtype) + beta * np.tril(k @ k.swapaxes(1, 2) * decay, -1)
        u = np.linalg.solve(solver, beta * error)
    o = (q @ k.swapaxes(1, 2) * decay) @ u + since * (q @ S_0)
    left = decay[:, -1, :, None]  # (B, T, 1), how much of each write is left at the end
    S_T = since[:, -1:] * S_0 + (left * k).swapaxes(1, 2) @ u
    cache = Parallel(q, k, u, S_0, decay, since, log_a is not None, beta, error, solver)
    return by_sequence(o), S_T, cache


def memory_parallel_backward(cache: Parallel, do, dS_T):
    """Back through `memory_parallel`: products again, and one triangular system, transposed.

    do: (T, B, M), dS_T: (B, d, M). Returns dq, dk, dv, dS_0, dlog_a, dβ as `memory_bptt` does.
    Raises: ValueError for wrong shapes or mixed dtypes.
    """
    q, k, u, S_0, decay, since, has_decay, beta, error, solver = cache
    check_shape("do", do, by_sequence(u).shape)
    check_shape("dS_T", dS_T, S_0.shape)
    check_floats(S_0=S_0, do=do, dS_T=dS_T)
    do, left = by_sequence(do), decay[:, -1, :, None]
    scores, dscores = q @ k.swapaxes(1, 2) * decay, do @ u.swapaxes(1, 2)
    dqk, found = dscores * decay, since * (q @ S_0)
    written = (left * k) @ dS_T  # (B, T, M), what S_T sends to each u_j
    dq = dqk @ k + since * (do @ S_0.swapaxes(1, 2))
    dk = dqk.swapaxes(1, 2) @ q + left * (u @ dS_T.swapaxes(1, 2))
    du = scores.swapaxes(1, 2) @ do + written
    dS_0 = (since * q).swapaxes(1, 2) @ do + since[:, -1:] * dS_T
    dlog = dscores * scores  # gradient of the logarithm of Λ_ij
    dlog_since = (do * found).sum(axis=-1, keepdims=True)  # and of λ_i
    dv, dbeta = du, None
    if beta is not None:
        dright = np.linalg.solve(solver.swapaxes(1, 2), du)
        dsolver = -np.tril(dright @ u.swapaxes(1, 2), -1)
        overlap = k @ k.swapaxes(1, 2) * decay
        dbeta = (dright * error).sum(-1, keepdims=True) + (dsolver * overlap).sum(-1, keepdims=True)
        dv = beta * dright
        dkk = beta * dsolver * decay
        dk = dk + dkk @ k + dkk.swapaxes(1, 2) @ k - since * (dv @ S_0.swapaxes(1, 2))
        dS_0 = dS_0 - (since * k).swapaxes(1, 2) @ dv
        dlog = dlog + beta * dsolver * overlap
        dlog_since = dlog_since - (dv * (since * (k @ S_0))).sum(axis=-1, keepdims=True)
        dbeta = by_sequence(dbeta)
    dlog_a = None
    if has_decay:  # log Λ_ij = c_i − c_j and log λ_i = c_i, with c the running sum of log a
        dc = dlog.sum(axis=2) - dlog.sum(axis=1) + dlog_since[..., 0]
        at_end = (written * u).sum(axis=-1)  # S_T has the last row of Λ, and λ_T
        dc -= at_end
        dc[:, -1] += at_end.sum(axis=1) + (dS_T * since[:, -1:] * S_0).sum(axis=(1, 2))
        dlog_a = by_sequence(np.cumsum(dc[:, ::-1], axis=1)[:, ::-1, None])
    return by_sequence(dq), by_sequence(dk), by_sequence(dv), dS_0, dlog_a, dbeta


# --- From chunk to chunk ------------------------------------------------------------------------


def memory_chunked(q, k, v, S_0, log_a=None, beta=None, chunk: int = 64):
    """The same numbers again: parallel within a chunk of steps, the state from chunk to chunk.

    The work is O(T · chunk) and not O(T²), in T / chunk steps and not in T.
    Returns o (T, B, M), S_T (B, d, M) and a cache, a list.
    Raises: as `memory_parallel`; ValueError if chunk is not a positive integer.
    Source: GLA, Yang et al. (2024), in much more detail.
    """
    check_sizes(chunk=chunk)
    S, o, caches = S_0, [], []
    for start in range(0, len(q), chunk):
        here = slice(start, start + chunk)
        gates = (None if gate is None else gate[here] for gate in (log_a, beta))
        o_here, S, cache = memory_parallel(q[here], k[here], v[here], S, *gates)
        o.append(o_here)
        caches.append(cache)
    return np.concatenate(o), S, caches


def memory_chunked_backward(caches: list, do, dS_T):
    """Back through `memory_chunked`, from the last chunk to the first. Returns as `memory_bptt`."""
    dS, parts, stop = dS_T, [], len(do)
    for cache in reversed(caches):
        start = stop - cache.q.shape[1]
        *one, dS, dlog_a, dbeta = memory_parallel_backward(cache, do[start:stop], dS)
        parts.insert(0, (*one, dlog_a, dbeta))
        stop = start
    dq, dk, dv, dlog_a, dbeta = (
        None if column[0] is None else np.concatenate(column) for column in zip(*parts)
    )
    return dq, dk, dv, dS, dlog_a, dbeta


# --- A layer: keys, queries, values and gates from x --------------------------------------------


def unit(y):
    """Rows of length one: y / r, r = √(Σ y² + 10⁻⁸), so that a row of zeros stays one.

    y: (…, d). Returns the rows and r (…, 1).
    """
    r = np.sqrt((y * y).sum(axis=-1, keepdims=True) + np.asarray(1e-8, y.dtype))
    return y / r, r


def unit_backward(k, r, dk):
    """dy = (dk − k (k · dk)) / r: along k itself nothing passes, for the length is fixed."""
    return (dk - k * (k * dk).sum(axis=-1, keepdims=True)) / r


def log_sigmoid(a):
    """log σ(a) = −log(1 + e^{−a}), without overflow."""
    return -np.logaddexp(np.zeros((), a.dtype), -a)


def init_memory(D: int, H: int, rng, dtype=np.float32, decay=False, delta=False) -> dict:
    """W_q, W_k, W_v (D, H); with decay W_a (D, 1), b_a (1,); with delta W_b (D, 1), b_b (1,).

    Weights are uniform in ±1/√D. b_a = 4, so that a ≈ 0.98 at the start; b_b = 0, so that β ≈ ½.
    Raises: ValueError if a size is not a positive integer.
    """
    check_sizes(D=D, H=H)
    shapes = {"W_q": (D, H), "W_k": (D, H), "W_v": (D, H)}
    shapes |= {"W_a": (D, 1)} if decay else {}
    shapes |= {"W_b": (D, 1)} if delta else {}
    params = {name: rng.uniform(-1, 1, shape) / np.sqrt(D) for name, shape in shapes.items()}
    params |= {"b_a": np.full(1, 4.0)} if decay else {}
    params |= {"b_b": np.zeros(1)} if delta else {}
    return {name: array.astype(dtype) for name, array in params.items()}


def check_layer(params: dict, x, states: dict, names: tuple) -> None:
    """Shapes, dtypes and numbers of a layer's arguments; the states' shapes are its own matter."""
    check_shape("x", x, ("T", "B", "D"))
    D = x.shape[-1]
    check_shape("params['W_q']", params["W_q"], (D, "H"))
    H = params["W_q"].shape[1]
    for name in names:
        width = H if name in ("q", "k", "v", "o") else 1
        check_shape(f"params['W_{name}']", params[f"W_{name}"], (D, width))
        if f"b_{name}" in params:
            check_shape(f"params['b_{name}']", params[f"b_{name}"], (width,))
    check_floats(x=x, **params, **states)
    for name, array in {"x": x, **params, **states}.items():
        check_finite(name, array)


def memory_forward(params: dict, x, S_0=None, chunk: int = 64):
    """A layer with a matrix for a state: queries and keys of length one, values, and its gates.

        q_t, k_t = unit(x_t W_q), unit(x_t W_k)     v_t = x_t W_v     h_t = o_t
        a_t = σ(x_t W_a + b_a)                      β_t = σ(x_t W_b + b_b)

    Which gates it has, `params` says: with W_b the delta rule, else the sum; with W_a a decay.
    x: (T, B, D), S_0: (B, H, H) or None for zeros. Returns h (T, B, H), S_T, and a cache.
    Raises: ValueError for wrong shapes, mixed dtypes or non-finite numbers.
    Source: Schlag et al. (2021), whose keys are positive and sum to one; of length one as in
    DeltaNet, Yang et al. (2024).
    """
    names = ("q", "k", "v") + tuple(name for name in "ab" if f"W_{name}" in params)
    check_layer(params, x, {} if S_0 is None else {"S_0": S_0}, names)
    H = params["W_q"].shape[1]
    S_0 = np.zeros((x.shape[1], H, H), x.dtype) if S_0 is None else S_0
    q, r_q = unit(x @ params["W_q"])
    k, r_k = unit(x @ params["W_k"])
    raw_a, raw_b = (
        x @ params[f"W_{name}"] + params[f"b_{name}"] if name in names else None for name in "ab"
    )
    log_a = None if raw_a is None else log_sigmoid(raw_a)
    beta = None if raw_b is None else sigmoid(raw_b)
    h, S_T, caches = memory_chunked(q, k, x @ params["W_v"], S_0, log_a, beta, chunk)
    return h, S_T, (x, q, r_q, k, r_k, log_a, beta, caches)


def memory_backward(params: dict, cache, dh, dS_T=None):
    """Back through `memory_forward`: the recurrence, then each product of x with a matrix.

    dh: (T, B, H), dS_T: (B, H, H) or None. Returns grads (keys as in params), dx (T, B, D), dS_0.
    Raises: ValueError for wrong shapes or mixed dtypes.
    """
    x, q, r_q, k, r_k, log_a, beta, caches = cache
    dS_T = check_back(x, q, dh, {"dS_T": dS_T}, caches[-1].S_0.shape)["dS_T"]
    dq, dk, dv, dS_0, dlog_a, dbeta = memory_chunked_backward(caches, dh, dS_T)
    into = {"q": unit_backward(q, r_q, dq), "k": unit_backward(k, r_k, dk), "v": dv}
    if log_a is not None:
        into["a"] = dlog_a * (1 - np.exp(log_a))  # ∂ log σ / ∂ raw = 1 − σ
    if beta is not None:
        into["b"] = dbeta * beta * (1 - beta)
    grads, dx = affine_backward(params, x, into)
    return grads, dx, dS_0


def check_back(x, q, dh, dstates: dict, shape) -> dict:
    """Check gradients that come in; zeros stand for those of the state that are None."""
    check_shape("dh", dh, q.shape)
    made = {}
    for name, d in dstates.items():
        if d is not None:
            check_shape(name, d, shape)
        made[name] = np.zeros(shape, x.dtype) if d is None else d
    check_floats(x=x, dh=dh, **made)
    return made


def affine_backward(params: dict, x, into: dict):
    """Gradients of x and of W_name and b_name: into[name] is that of x W_name + b_name."""
    flat, dx, grads = x.reshape(-1, x.shape[-1]), np.zeros_like(x), {}
    for name, d in into.items():
        grads[f"W_{name}"] = flat.T @ d.reshape(-1, d.shape[-1])
        if f"b_{name}" in params:
            grads[f"b_{name}"] = d.sum(axis=(0, 1))
        dx += d @ params[f"W_{name}"].T
    return {name: grads[name] for name in params}, dx


# --- The mLSTM ----------------------------------------------------------------------------------
#
#     m_t = max(log f_t + m_{t−1}, ĩ_t)
#     i′ = exp(ĩ_t − m_t)                  f′ = exp(log f_t + m_{t−1} − m_t)
#     C_t = f′ C_{t−1} + i′ k_tᵀ v_t       n_t = f′ n_{t−1} + i′ k_t
#     h_t = o_t ⊙ q_t C_t / max(|q_t · n_t|, e^{−m_t})


def init_mlstm(D: int, H: int, rng, dtype=np.float32) -> dict:
    """W_q, W_k, W_v, W_o (D, H), b_o (H,), W_i, W_f (D, 1), b_i, b_f (1,); b_f = 4, b_i = b_o = 0.

    Weights are uniform in ±1/√D.
    Raises: ValueError if a size is not a positive integer.
    """
    check_sizes(D=D, H=H)
    widths = {"q": H, "k": H, "v": H, "o": H, "i": 1, "f": 1}
    params = {f"W_{n}": rng.uniform(-1, 1, (D, w)) / np.sqrt(D) for n, w in widths.items()}
    params |= {"b_o": np.zeros(H), "b_i": np.zeros(1), "b_f": np.full(1, 4.0)}
    return {name: array.astype(dtype) for name, array in params.items()}


def mlstm_step(params: dict, x_t, C, n, m):
    """One step, as on paper: an LSTM whose cell is a matrix, and its input gate an exponential.

    x_t: (B, D), C: (B, H, H), n: (B, H), m: (B, 1). Returns h_t (B, H), and C, n, m.
    Source: Beck et al. (2024), section 2.3, with f = σ; the stabiliser m: section 2.2.
    """
    H = params["W_q"].shape[1]
    q, v = x_t @ params["W_q"], x_t @ params["W_v"]
    k = x_t @ params["W_k"] / np.sqrt(H).astype(x_t.dtype)
    raw_i = x_t @ params["W_i"] + params["b_i"]  # (B, 1), the logarithm of the input gate
    log_f = log_sigmoid(x_t @ params["W_f"] + params["b_f"])
    o = sigmoid(x_t @ params["W_o"] + params["b_o"])
    m_prev, m = m, np.maximum(log_f + m, raw_i)
    i, f = np.exp(raw_i - m), np.exp(log_f + m_prev - m)
    C = f[:, :, None] * C + outer(k, i * v)
    n = f * n + i * k
    size = np.maximum(np.abs((q * n).sum(axis=-1, keepdims=True)), np.exp(-m))
    return o * read(q, C) / size, C, n, m


class MLSTMCache(NamedTuple):
    """What `mlstm_backward` needs."""

    x: np.ndarray
    q: np.ndarray
    v: np.ndarray
    i: np.ndarray  # (T, B, 1), the stabilised input gate
    log_f: np.ndarray  # (T, B, 1), before stabilising
    o: np.ndarray  # (T, B, H)
    found: np.ndarray  # (T, B, H + 1), q_t C_t and q_t · n_t
    size: np.ndarray  # (T, B, 1), what q_t C_t is divided by
    caches: list


def mlstm_forward(params: dict, x, state=None, chunk: int = 64):
    """The mLSTM over a sequence: the sum with decay, and one more column that counts keys.

    With [v_t, 1] for a value, the last column of the matrix is n_t, so that C and n are one memory
    S = [C, n] with the decay f′ and values weighted by i′. The stabiliser needs no loop either:
    m_t = c_t + max(m_0, ĩ_1 − c_1, …, ĩ_t − c_t), c_t = log f_1 + … + log f_t.
    x: (T, B, D), state: (C (B, H, H), n (B, H), m (B, 1)) or None for zeros. Returns h (T, B, H),
    the final state, and a cache.
    Raises: ValueError for wrong shapes, mixed dtypes or non-finite numbers.
    Source: Beck et al. (2024).
    """
    check_shape("x", x, ("T", "B", "D"))
    H, B = params["W_q"].shape[-1], x.shape[1]
    if state is None:
        state = tuple(np.zeros(s, x.dtype) for s in ((B, H, H), (B, H), (B, 1)))
    if not isinstance(state, tuple) or len(state) != 3:
        raise ValueError("state must be a tuple of C (B, H, H), n (B, H) and m (B, 1), or None")
    for i, shape in enumerate([(B, H, H), (B, H), (B, 1)]):
        check_shape(f"state[{i}]", state[i], shape)
    states = {f"state[{i}]": s for i, s in enumerate(state)}
    check_layer(params, x, states, ("q", "k", "v", "o", "i", "f"))
    C, n, m_0 = state
    q, v = x @ params["W_q"], x @ params["W_v"]
    k = x @ params["W_k"] / np.sqrt(H).astype(x.dtype)
    raw_i = x @ params["W_i"] + params["b_i"]
    log_f = log_sigmoid(x @ params["W_f"] + params["b_f"])
    o = sigmoid(x @ params["W_o"] + params["b_o"])
    c = np.cumsum(log_f, axis=0)
    m = c + np.maximum(m_0, np.maximum.accumulate(raw_i - c, axis=0))  # (T, B, 1)
    before = np.concatenate([m_0[None], m[:-1]])
    i, log_a = np.exp(raw_i - m), np.minimum(log_f + before - m, 0)  # rounding may leave +10⁻¹⁶
    S_0 = np.concatenate([C, n[:, :, None]], axis=-1)
    values = i * np.concatenate([v, np.ones_like(i)], axis=-1)
    found, S_T, caches = memory_chunked(q, k, values, S_0, log_a, None, chunk)
    with np.errstate(over="ignore"):  # where e^{−m} is infinite, h is zero
        size = np.maximum(np.abs(found[..., -1:]), np.exp(-m))
    final = (S_T[..., :-1], S_T[..., -1], m[-1])
    h = o * found[..., :-1] / size
    return h, final, MLSTMCache(x, q, v, i, log_f, o, found, size, caches)


def mlstm_backward(params: dict, cache: MLSTMCache, dh, dstate=None):
    """Back through `mlstm_forward`. The stabiliser is a constant: no output depends on it.

    C e^m and n e^m are the memory without a stabiliser. Another m changes neither them nor h, so
    its gradient is zero as long as `dstate` treats the final state the same way. dh: (T, B, H);
    dstate: (dC, dn, …) of the final state, or None; a third entry, for m, is not read.
    Returns grads, dx, and (dC_0, dn_0, dm_0).
    Raises: ValueError for wrong shapes or mixed dtypes.
    """
    x, q, v, i, log_f, o, found, size, caches = cache
    B, H = x.shape[1], q.shape[-1]
    dC, dn = (None, None) if dstate is None else dstate[:2]
    dn = None if dn is None else dn[:, :, None]
    dC = check_back(x, q, dh, {"dstate[0]": dC}, (B, H, H))["dstate[0]"]
    dn = check_back(x, q, dh, {"dstate[1]": dn}, (B, H, 1))["dstate[1]"]
    ratio = found[..., :-1] / size
    dratio = dh * o
    dsize = -(dratio * ratio).sum(axis=-1, keepdims=True) / size
    counted = np.abs(found[..., -1:]) >= size  # where |q · n| is the larger one
    dfound = np.concatenate([dratio / size, dsize * np.sign(found[..., -1:]) * counted], axis=-1)
    dq, dk, dvalues, dS_0, dlog_a, _ = memory_chunked_backward(
        caches, dfound, np.concatenate([dC, dn], axis=-1)
    )
    di = (dvalues * np.concatenate([v, np.ones_like(i)], axis=-1)).sum(axis=-1, keepdims=True)
    into = {
        "q": dq,
        "k": dk / np.sqrt(H).astype(x.dtype),
        "v": i * dvalues[..., :-1],
        "o": dh * ratio * o * (1 - o),
        "i": di * i,
        "f": dlog_a * (1 - np.exp(log_f)),
    }
    grads, dx = affine_backward(params, x, into)
    return grads, dx, (dS_0[..., :-1], dS_0[..., -1], dlog_a[0])


# --- The layers as data -------------------------------------------------------------------------


def memory_layer(name: str, **gates) -> Layer:
    """A layer of `memory_forward` with these gates, as `linear_recurrence.init_model` wants it."""
    return Layer(name, partial(init_memory, **gates), memory_forward, memory_backward)


SUM = memory_layer("sum")
DECAY = memory_layer("decay", decay=True)
DELTA = memory_layer("delta", delta=True)
GATED_DELTA = memory_layer("gated_delta", decay=True, delta=True)
MLSTM = Layer("mlstm", init_mlstm, mlstm_forward, mlstm_backward)
