"""Attention: weights over a memory, and the weighted mean they take of it.

    e_tj = score(q_t, m_j)      α_t = softmax(e_t)      c_t = Σ_j α_tj m_j

The query q_t is a state of the decoder, the memory m_1 … m_T all states of the encoder. Nothing
here depends on the step before, so all S queries are answered at once.

Shapes: S queries, T places of the memory, B batch, H and M features of query and memory.
queries (S, B, H), memory (T, B, M), scores e and weights α (S, B, T), contexts c (S, B, M).
`attend_step` is the same for one query, as on paper, and `attend_step_backward` its way back.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from .activations import dsoftmax, dtanh, softmax
from .checks import check_finite, check_floats, check_shape, check_sizes


class Score(NamedTuple):
    """A way to compare a query with a place of the memory: data, like a cell.

    init(H, M, rng, dtype) → params; forward(params, queries, memory) → e (S, B, T), cache;
    backward(params, cache, de) → grads, dqueries, dmemory. step(params, q_t, memory) → e_t (T, B):
    the same as forward for one query (B, H), as on paper.
    """

    name: str
    init: Callable
    forward: Callable
    backward: Callable
    step: Callable | None = None


def by_sequence(a):
    """(time, B, …) → (B, time, …), a view: matmul then takes one product per sequence."""
    return a.swapaxes(0, 1)


# --- Dot product --------------------------------------------------------------------------------


def dot_init(H: int, M: int, rng, dtype=np.float32) -> dict:
    """A dot product has no parameters, but it needs equal sizes.

    Raises: ValueError if H and M differ or are not positive integers.
    """
    check_sizes(H=H, M=M)
    if H != M:
        raise ValueError(f"a dot product needs H = M, got H = {H} and M = {M}")
    return {}


def dot_step(params, q_t, memory):
    """e_tj = q_t · m_j for one query. q_t: (B, H), memory: (T, B, H). Returns (T, B)."""
    return (q_t * memory).sum(axis=-1)


def dot_forward(params, queries, memory):
    """e_tj = q_t · m_j."""
    e = by_sequence(queries) @ memory.transpose(1, 2, 0)
    return by_sequence(e), (queries, memory)


def dot_backward(params, cache, de):
    """dq_t = Σ_j de_tj m_j,   dm_j = Σ_t de_tj q_t."""
    queries, memory = cache
    dqueries = by_sequence(de) @ by_sequence(memory)
    dmemory = de.transpose(1, 2, 0) @ by_sequence(queries)
    return {}, by_sequence(dqueries), by_sequence(dmemory)


DOT = Score("dot", dot_init, dot_forward, dot_backward, dot_step)


# --- Scaled dot product -------------------------------------------------------------------------


def scaled_dot_step(params, q_t, memory):
    """e_tj = q_t · m_j / √H for one query. q_t: (B, H), memory: (T, B, H). Returns (T, B)."""
    return dot_step({}, q_t, memory) / math.sqrt(q_t.shape[-1])


def scaled_dot_forward(params, queries, memory):
    """e_tj = q_t · m_j / √H. Source: Vaswani et al. (2017), section 3.2.1."""
    e, cache = dot_forward({}, queries, memory)
    return e / math.sqrt(queries.shape[-1]), cache


def scaled_dot_backward(params, cache, de):
    """The gradient of the dot product gets the same factor."""
    return dot_backward({}, cache, de / math.sqrt(cache[0].shape[-1]))


SCALED_DOT = Score("scaled dot", dot_init, scaled_dot_forward, scaled_dot_backward, scaled_dot_step)


# --- General ------------------------------------------------------------------------------------


def general_init(H: int, M: int, rng, dtype=np.float32) -> dict:
    """W_a (H, M), uniform in ±1/√H.

    Raises: ValueError if a size is not a positive integer.
    """
    check_sizes(H=H, M=M)
    bound = 1 / np.sqrt(H)
    return {"W_a": rng.uniform(-bound, bound, (H, M)).astype(dtype)}


def general_step(params, q_t, memory):
    """e_tj = q_t W_a · m_j for one query. q_t: (B, H), memory: (T, B, M). Returns (T, B)."""
    return ((q_t @ params["W_a"]) * memory).sum(axis=-1)


def general_forward(params, queries, memory):
    """e_tj = q_t W_a · m_j: a dot product after a learned change of coordinates."""
    e, dot_cache = dot_forward({}, queries @ params["W_a"], memory)
    return e, (queries, dot_cache)


def general_backward(params, cache, de):
    """Back through the dot product, then through q W_a."""
    queries, dot_cache = cache
    _, dturned, dmemory = dot_backward({}, dot_cache, de)
    H, M = params["W_a"].shape
    dW_a = queries.reshape(-1, H).T @ dturned.reshape(-1, M)
    return {"W_a": dW_a}, dturned @ params["W_a"].T, dmemory


GENERAL = Score("general", general_init, general_forward, general_backward, general_step)


# --- Additive -----------------------------------------------------------------------------------


def additive_init(H: int, M: int, rng, dtype=np.float32) -> dict:
    """W_q (H, H), W_m (M, H), v_a (H,), uniform in ±1/√fan-in.

    Raises: ValueError if a size is not a positive integer.
    """
    check_sizes(H=H, M=M)
    shapes = {"W_q": (H, H), "W_m": (M, H), "v_a": (H,)}
    return {
        name: (rng.uniform(-1, 1, shape) / np.sqrt(shape[0])).astype(dtype)
        for name, shape in shapes.items()
    }


def additive_step(params, q_t, memory):
    """e_tj = tanh(q_t W_q + m_j W_m) · v_a for one query (B, H). Returns (T, B)."""
    return np.tanh(q_t @ params["W_q"] + memory @ params["W_m"]) @ params["v_a"]


def additive_forward(params, queries, memory):
    """e_tj = tanh(q_t W_q + m_j W_m) · v_a: a small network with one hidden layer."""
    q, m = queries @ params["W_q"], memory @ params["W_m"]
    hidden = q[:, :, None, :] + by_sequence(m)[None]  # (S, B, T, H)
    np.tanh(hidden, out=hidden)  # in place: by far the largest array here
    return hidden @ params["v_a"], (queries, memory, hidden)


def additive_backward(params, cache, de):
    """da = de v_a ⊙ (1 − tanh²): its sum over places goes to q, its sum over queries to m."""
    queries, memory, hidden = cache
    H, M = params["W_q"].shape[0], params["W_m"].shape[0]
    dv_a = de.reshape(-1) @ hidden.reshape(-1, H)
    da = dtanh(hidden)
    da *= params["v_a"]
    da *= de[..., None]
    dq, dm = da.sum(axis=2), by_sequence(da.sum(axis=0))  # (S, B, H) and (T, B, H)
    grads = {
        "W_q": queries.reshape(-1, H).T @ dq.reshape(-1, H),
        "W_m": memory.reshape(-1, M).T @ dm.reshape(-1, H),
        "v_a": dv_a,
    }
    return grads, dq @ params["W_q"].T, dm @ params["W_m"].T


ADDITIVE = Score("additive", additive_init, additive_forward, additive_backward, additive_step)


# --- One query, as on paper ---------------------------------------------------------------------


def attend_step(score: Score, params: dict, q_t, memory, mask):
    """One query asks the memory: e_t = score(q_t, m), α_t = softmax(e_t), c_t = Σ_j α_tj m_j.

    q_t: (B, H), memory: (T, B, M), mask: (T, B), False in the padding, which gets the weight 0.
    Returns the context c_t (B, M) and the weights α_t (B, T).
    Source: Bahdanau, Cho & Bengio (2015), Luong et al. (2015).
    """
    e = score.step(params, q_t, memory)  # (T, B)
    alpha = softmax(np.where(mask, e, -np.inf).T)  # (B, T)
    c = (alpha.T[:, :, None] * memory).sum(axis=0)  # (B, M)
    return c, alpha


def attend_step_backward(q_t, memory, alpha, dc):
    """Back through `attend_step` with the dot product. The memory is used twice.

    dc: (B, H), gradient of the context. Returns dq_t (B, H) and this step's dmemory (T, B, H).
    """
    dalpha = (dc * memory).sum(axis=-1).T  # α_tj multiplies m_j in the mean
    de = alpha * (dalpha - (alpha * dalpha).sum(axis=-1, keepdims=True))  # back through softmax
    dq = (de.T[:, :, None] * memory).sum(axis=0)
    dmemory = alpha.T[:, :, None] * dc + de.T[:, :, None] * q_t  # in the mean, and in the score
    return dq, dmemory


# --- From scores to contexts --------------------------------------------------------------------


class Cache(NamedTuple):
    """What `attend_backward` needs: memory, weights α (S, B, T), and what the score kept."""

    memory: np.ndarray
    weights: np.ndarray
    compared: tuple


def check_memory(params: dict, memory, mask) -> None:
    """All that can be wrong with what is looked at, said in words."""
    check_shape("memory", memory, ("T", "B", "M"))
    check_shape("mask", mask, memory.shape[:2])
    if mask.dtype != bool or not mask.any(axis=0).all():
        raise ValueError("mask must hold booleans, with at least one True in every column")
    check_floats(memory=memory, **params)
    check_finite("memory", memory)


def check_attend(params: dict, queries, memory, mask) -> None:
    """All that can be wrong with the arguments of `attend_forward`, said in words."""
    check_memory(params, memory, mask)
    check_shape("queries", queries, ("S", memory.shape[1], "H"))
    check_floats(queries=queries, memory=memory)
    check_finite("queries", queries)


def attend_forward(score: Score, params: dict, queries, memory, mask):
    """Weights and contexts for all queries: α_t = softmax(e_t) over real places, c_t = Σ α_tj m_j.

    queries: (S, B, H), memory: (T, B, M), mask: (T, B) booleans, False in the padding, which gets
    the weight 0. Returns contexts (S, B, M), weights (S, B, T), and a cache.
    Raises: ValueError for wrong shapes, mixed dtypes, non-finite queries or memory, or a sequence
    that is all padding.
    Source: Bahdanau, Cho & Bengio (2015); the multiplicative scores: Luong et al. (2015).
    """
    check_attend(params, queries, memory, mask)
    return run_attend_forward(score, params, queries, memory, mask)


def run_attend_forward(score: Score, params: dict, queries, memory, mask):
    """`attend_forward`, its arguments checked: scores, softmax over real places, weighted means."""
    e, compared = score.forward(params, queries, memory)
    weights = softmax(np.where(mask.T, e, -np.inf))
    contexts = by_sequence(by_sequence(weights) @ by_sequence(memory))
    return contexts, weights, Cache(memory, weights, compared)


def attend_backward(score: Score, params: dict, cache: Cache, dcontexts):
    """Back to queries and memory. The memory is used twice: in the mean and in the score.

    dα_tj = dc_t · m_j,   dm_j = Σ_t α_tj dc_t + what comes through the score

    dcontexts: (S, B, M). Returns grads, dqueries (S, B, H), dmemory (T, B, M).
    Raises: ValueError for wrong shapes or mixed dtypes.
    """
    check_shape("dcontexts", dcontexts, (*cache.weights.shape[:2], cache.memory.shape[-1]))
    check_floats(dcontexts=dcontexts, memory=cache.memory)
    return run_attend_backward(score, params, cache, dcontexts)


def run_attend_backward(score: Score, params: dict, cache: Cache, dcontexts):
    """`attend_backward`, its arguments checked: through the mean, the softmax and the score."""
    memory, weights, compared = cache
    dweights = by_sequence(by_sequence(dcontexts) @ memory.transpose(1, 2, 0))
    dmemory = by_sequence(weights.transpose(1, 2, 0) @ by_sequence(dcontexts))
    de = dsoftmax(weights, dweights)
    grads, dqueries, through_score = score.backward(params, compared, de)
    return grads, dqueries, dmemory + through_score
