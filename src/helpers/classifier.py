"""One label for a whole sequence: four ways to read out all its states.

    x_t = E[id_t]      h_t = cell(x_t, h_{t−1})      s = pool(h_1 … h_n)      z = s W_hy + b_y

with four ways to make one vector s of the n states of a sequence:

    last        s = h_n                                      the state after the last token
    mean        s = (1/n) Σ_t h_t                            every state counts the same
    attention   s = Σ_t α_t h_t,  α = softmax(v_s · h_t)      a learned question weighs the states
    ask         s = tanh([h_n; c] W_u + b_u),  c = Σ_t α_t h_t,  α = softmax(h_n W_a · h_t)

In the last one the question is the last state itself: a sequence that ends with a question asks the
states that came before it. Sequences have unequal lengths, so a batch is padded: ids (T, B),
lengths (B,). Padding changes no result.

Shapes: T time steps, B batch, V symbols, D embedding size, H hidden units, C classes.
"""

from typing import NamedTuple

import numpy as np

from . import layers, unroll
from .activations import dtanh
from .attention import DOT, GENERAL, run_attend_backward, run_attend_forward
from .checks import check_finite, check_floats, check_shape, check_sizes
from .losses import LossAndGrads, cross_entropy
from .text import sequence_mask

READOUTS = ("last", "mean", "attention", "ask")


def check_readout(readout: str) -> None:
    """Raise ValueError unless the read-out is one of `READOUTS`."""
    if readout not in READOUTS:
        raise ValueError(f"readout must be one of {READOUTS}, got {readout!r}")


def init_classifier(
    cell, V: int, D: int, H: int, C: int, rng, readout: str = "last", dtype=np.float32
) -> dict:
    """All parameters: E (V, D), the layer's (names end in _l0), W_hy (H, C), b_y (C,), and those
    of the read-out: for attention v_s (H,), zero at first, so that it begins as the mean; for ask
    W_a (H, H), W_u (2H, H) and b_u (H,).

    Raises: ValueError if a size is not a positive integer or the read-out is unknown.
    """
    check_readout(readout)
    check_sizes(V=V, D=D, H=H, C=C)
    params = {
        **layers.init_embedding(V, D, rng, dtype),
        **unroll.init_stack(cell, D, H, 1, rng, False, dtype),
        **layers.init_linear(H, C, rng, dtype),
    }
    if readout == "attention":
        params["v_s"] = np.zeros(H, dtype)
    if readout == "ask":
        params |= GENERAL.init(H, H, rng, dtype)
        params |= layers.init_affine("u", 2 * H, H, rng, dtype)
    return params


def n_parameters(params: dict) -> int:
    """How many numbers a model consists of."""
    return sum(array.size for array in params.values())


# --- One vector of many states ------------------------------------------------------------------


def pool_one(readout: str, params: dict, hs: np.ndarray) -> np.ndarray:
    """The read-out of one sequence, as on paper. hs: (n, H), its states. Returns s (H,)."""
    if readout == "last":
        return hs[-1]
    if readout == "mean":
        return hs.mean(axis=0)
    question = params["v_s"] if readout == "attention" else hs[-1] @ params["W_a"]
    e = hs @ question
    alpha = np.exp(e - e.max()) / np.exp(e - e.max()).sum()
    c = alpha @ hs
    if readout == "attention":
        return c
    return np.tanh(np.concatenate([hs[-1], c]) @ params["W_u"] + params["b_u"])


class Pooled(NamedTuple):
    """What `pool_backward` needs: the shape of the states, lengths, and what the read-out kept."""

    shape: tuple
    lengths: np.ndarray
    kept: tuple


def pool(readout: str, params: dict, hs: np.ndarray, lengths: np.ndarray):
    """One vector for each sequence of a padded batch, made of its own states only.

    hs: (T, B, H), lengths: (B,) in 1 … T. Returns s (B, H), the weights (B, T) that every state
    has in a weighted mean (a 1 at the last state for "last"), and a cache for `pool_backward`.
    Raises: ValueError for an unknown read-out, wrong shapes, lengths or mixed dtypes.
    """
    check_readout(readout)
    check_shape("hs", hs, ("T", "B", "H"))
    T, B, H = hs.shape
    unroll.check_lengths(lengths, T, B)
    own = {name: params[name] for name in ("v_s", "W_a", "W_u", "b_u") if name in params}
    check_floats(hs=hs, **own)
    check_finite("hs", hs)
    last, mask = (lengths - 1, np.arange(B)), sequence_mask(lengths, T)
    if readout == "last":
        weights = (np.arange(T) == lengths[:, None] - 1).astype(hs.dtype)
        return hs[last], weights, Pooled(hs.shape, lengths, (last,))
    if readout == "mean":
        weights = (mask / lengths).T.astype(hs.dtype)
        return np.einsum("bt,tbh->bh", weights, hs), weights, Pooled(hs.shape, lengths, (weights,))
    if readout == "attention":
        query = np.broadcast_to(params["v_s"], (1, B, H))
        c, alpha, attended = run_attend_forward(DOT, {}, query, hs, mask)
        return c[0], alpha[0], Pooled(hs.shape, lengths, (attended,))
    c, alpha, attended = run_attend_forward(GENERAL, params, hs[last][None], hs, mask)
    joined = np.concatenate([hs[last], c[0]], axis=-1)
    s = np.tanh(joined @ params["W_u"] + params["b_u"])
    return s, alpha[0], Pooled(hs.shape, lengths, (last, attended, joined, s))


def pool_backward(readout: str, params: dict, cache: Pooled, ds: np.ndarray):
    """Back through `pool`: every state gets its share of ds (B, H). Returns grads, dhs (T, B, H).

    last: the last state of each sequence gets all of ds; mean: every state ds / n; attention and
    ask: α_t ds from the weighted mean, and what comes back through the score.
    Raises: ValueError for wrong shapes.
    """
    (T, B, H), _, kept = cache
    check_shape("ds", ds, (B, H))
    if readout == "last":
        dhs = np.zeros((T, B, H), ds.dtype)
        dhs[kept[0]] = ds
        return {}, dhs
    if readout == "mean":
        return {}, kept[0].T[:, :, None] * ds
    if readout == "attention":
        _, dquery, dhs = run_attend_backward(DOT, {}, kept[0], ds[None])
        return {"v_s": dquery[0].sum(axis=0)}, dhs
    last, attended, joined, s = kept
    da = ds * dtanh(s)
    grads = {"W_u": joined.T @ da, "b_u": da.sum(axis=0)}
    dh_n, dc = np.split(da @ params["W_u"].T, 2, axis=-1)
    score_grads, dquery, dhs = run_attend_backward(GENERAL, params, attended, dc[None])
    dhs[last] += dh_n + dquery[0]  # the last state stands beside c, and it is the question
    return grads | score_grads, dhs


# --- The model ----------------------------------------------------------------------------------


class Read(NamedTuple):
    """What the model made of a batch: logits z (B, C), weights (B, T), states (T, B, H)."""

    z: np.ndarray
    weights: np.ndarray
    hs: np.ndarray


def predict(cell, params: dict, ids: np.ndarray, lengths: np.ndarray, readout: str) -> Read:
    """Read a padded batch: the logits of each sequence's classes, and how they came about.

    ids: (T, B), lengths: (B,).
    Raises: ValueError, TypeError or IndexError that names the argument.
    """
    check_shape("ids", ids, ("T", "B"))
    x = layers.embedding_forward(params, ids)
    hs, _, _ = unroll.stack_forward(cell, params, x, lengths)
    s, weights, _ = pool(readout, params, hs, lengths)
    return Read(layers.linear_forward(params, s), weights, hs)


def loss_and_grads(
    cell, params: dict, ids, targets, lengths, readout: str, dropout_masks=None
) -> LossAndGrads:
    """Cross-entropy per sequence in nats, and its gradient for every parameter.

    ids: (T, B), targets and lengths: (B,); dropout_masks: None, or a pair, of the embeddings (T or
    1, B, D) and of s (B, H), see `layers.dropout_mask`.
    Raises: ValueError, TypeError or IndexError that names the argument.
    """
    check_shape("ids", ids, ("T", "B"))
    mask_x, mask_s = dropout_masks if dropout_masks is not None else (1, 1)
    x = layers.embedding_forward(params, ids) * mask_x
    hs, _, cache = unroll.stack_forward(cell, params, x, lengths)
    s, _, pooled = pool(readout, params, hs, lengths)
    z = layers.linear_forward(params, s * mask_s)
    loss, dz = cross_entropy(z, targets)
    grads, ds = layers.linear_backward(params, s * mask_s, dz)
    pool_grads, dhs = pool_backward(readout, params, pooled, ds * mask_s)
    stack_grads, dx, _ = unroll.stack_backward(cell, params, cache, dhs)
    grads |= pool_grads | stack_grads | layers.embedding_backward(params, ids, dx * mask_x)
    return LossAndGrads(loss, grads)


def read_out_prefixes(readout: str, params: dict, hs: np.ndarray) -> np.ndarray:
    """What the model would say after each token, if the sequence ended there.

    hs: (T, B, H), without padding. Returns z (T, B, C): z_t is read out of h_1 … h_t.
    """
    T, B, _ = hs.shape
    pooled = [pool(readout, params, hs[:t], np.full(B, t))[0] for t in range(1, T + 1)]
    return layers.linear_forward(params, np.stack(pooled))
