"""Labels for every frame: an eye of two convolutions, a memory, and a read-out.

    a_t = relu(conv(pool(relu(conv(frame_t)))))      maps: F channels of R/2 × C/2 places
    c_t = tanh([largest of each channel; mean of all channels] W_eye + b_eye)
    h_1 … h_T = memory(c_1 … c_T)      convolutions in time, or a recurrent layer
    z_t = h_t W_hy + b_y               scores of all labels, side by side

The largest value of a channel says what is there and forgets where; the mean of all channels says
where something is and forgets what. The eye is the same for all; what differs is the memory. With
kernels of one step a convolution in time is a network for each frame by itself.

Shapes: T frames, B films, field R × C, E features of the eye, H of the memory, V labels.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np

from . import conv, layers, unroll
from .activations import drelu, dtanh, relu
from .checks import check_shape
from .losses import LossAndGrads, cross_entropy

KERNELS, CHANNELS, POOL = (5, 3), (8, 32), 2


class Memory(NamedTuple):
    """What stands between eye and read-out. init(E, H, rng, dtype) → params; forward(params, c) →
    h (T, B, H), cache; backward(params, cache, dh) → grads, dc."""

    init: Callable
    forward: Callable
    backward: Callable


def time_convolution(K: int, dilations) -> Memory:
    """Causal convolutions with kernels of K steps, one layer for each dilation; H must equal E."""

    def init(E, H, rng, dtype=np.float32):
        if E != H:
            raise ValueError(f"a stack of convolutions keeps its size: E = {E}, but H = {H}")
        return conv.init_time_stack(K, E, len(dilations), rng, dtype)

    return Memory(
        init,
        partial(_dilated, conv.stack_forward, dilations),
        lambda params, cache, dh: conv.stack_backward(params, cache, dilations, dh),
    )


def _dilated(forward, dilations, params, c):
    return forward(params, c, dilations)


def recurrent(cell) -> Memory:
    """One recurrent layer of any cell, from a state of zeros."""

    def forward(params, c):
        hs, _, cache = unroll.forward(cell, params, c)
        return hs, cache

    def backward(params, cache, dh):
        grads, dc, _ = unroll.backward(cell, params, cache, dh)
        return grads, dc

    return Memory(partial(unroll.init_cell, cell), forward, backward)


def init_maps(rng, channels=CHANNELS, dtype=np.float32) -> dict:
    """W_see1 (5, 5, 1, 8), W_see2 (3, 3, 8, 32), and their biases, which start at zero.

    The weights start √6 times as large as torch's: what relu takes away is made up for.
    Source: He et al. (2015).
    """
    made = {
        **conv.init_conv("see1", KERNELS[0], 1, channels[0], rng, dtype),
        **conv.init_conv("see2", KERNELS[1], channels[0], channels[1], rng, dtype),
    }
    gain = np.sqrt(6).astype(dtype)
    return {name: p * gain if name[0] == "W" else np.zeros_like(p) for name, p in made.items()}


def maps(params: dict, pictures: np.ndarray, edge: str = "wrap"):
    """Two layers of convolution: (N, R, C) → a (N, R/2, C/2, F), a map a channel, and a cache.

    a = relu(conv(pool(relu(conv(picture)))))
    Raises: ValueError for wrong shapes or mixed dtypes.
    """
    check_shape("pictures", pictures, ("N", "R", "C"))
    z, cache1 = conv.conv_forward(params["W_see1"], params["b_see1"], pictures[..., None], edge)
    smaller, pool = conv.pool_forward(relu(z), POOL)
    a, cache2 = conv.conv_forward(params["W_see2"], params["b_see2"], smaller, edge)
    return relu(a), (cache1, z, pool, cache2, a)


def maps_backward(params: dict, cache, da: np.ndarray) -> dict:
    """Gradients of both layers; pictures need none."""
    cache1, z, pool, cache2, a = cache
    dW2, db2, dsmaller = conv.conv_backward(params["W_see2"], cache2, da * drelu(a))
    dz = conv.pool_backward(pool, dsmaller) * drelu(z)
    dW1, db1, _ = conv.conv_backward(params["W_see1"], cache1, dz, need_dx=False)
    return {"W_see1": dW1, "b_see1": db1, "W_see2": dW2, "b_see2": db2}


def init_eye(R: int, C: int, E: int, rng, dtype=np.float32) -> dict:
    """Both convolutions, W_eye (F + R/2 · C/2, E) and b_eye (E,).

    Raises: ValueError if a size is not a positive integer, or R or C is odd.
    """
    if R % POOL or C % POOL:
        raise ValueError(f"R and C must be even, got {R} and {C}")
    n_in = CHANNELS[1] + (R // POOL) * (C // POOL)
    return init_maps(rng, CHANNELS, dtype) | layers.init_affine("eye", n_in, E, rng, dtype)


def see(params: dict, pictures: np.ndarray, edge: str = "wrap"):
    """Features c (N, E) of pictures (N, R, C), and a cache for `see_backward`.

        what = max over all places of a (N, F),   where = mean over all channels (N, R/2 · C/2)
        c = tanh([what; where] W_eye + b_eye)

    Raises: ValueError for wrong shapes or mixed dtypes.
    """
    a, cache = maps(params, pictures, edge)
    N, R, C, F = a.shape
    first = a.reshape(N, R * C, F).argmax(axis=1)[:, None]
    what = np.take_along_axis(a.reshape(N, R * C, F), first, axis=1)[:, 0]
    both = np.concatenate([what, a.mean(axis=-1).reshape(N, R * C)], axis=1)
    check_shape("params['W_eye']", params["W_eye"], (both.shape[1], "E"))
    c = np.tanh(both @ params["W_eye"] + params["b_eye"])
    return c, (cache, a.shape, first, both, c)


def see_backward(params: dict, cache, dc: np.ndarray) -> dict:
    """Gradients of the eye's parameters: what goes to the largest place, where to all channels."""
    inner, (N, R, C, F), first, both, c = cache
    dz = dc * dtanh(c)
    dboth = dz @ params["W_eye"].T
    da = np.repeat(dboth[:, F:, None] / F, F, axis=2)  # (N, R·C, F)
    largest = np.take_along_axis(da, first, axis=1)[:, 0] + dboth[:, :F]
    np.put_along_axis(da, first, largest[:, None], axis=1)
    grads = maps_backward(params, inner, da.reshape(N, R, C, F))
    return grads | {"W_eye": both.T @ dz, "b_eye": dz.sum(axis=0)}


def init_watcher(memory: Memory, R, C, E: int, H: int, V: int, rng, dtype=np.float32) -> dict:
    """All parameters in one dict: the eye's, the memory's, W_hy (H, V), b_y (V,).

    Raises: ValueError if a size is not a positive integer, or does not fit.
    """
    return {
        **init_eye(R, C, E, rng, dtype),
        **memory.init(E, H, rng, dtype),
        **layers.init_linear(H, V, rng, dtype),
    }


def look(params: dict, frames: np.ndarray, edge: str = "wrap"):
    """The eye on each frame of each film: (T, B, R, C) → c (T, B, E), and a cache."""
    check_shape("frames", frames, ("T", "B", "R", "C"))
    T, B, R, C = frames.shape
    # speed: frames that are the same grey all over are one frame to the eye.
    flat = frames.reshape(T * B, R, C)
    plain = (flat == flat[:, :1, :1]).all(axis=(1, 2))
    grey, which = np.unique(flat[plain, 0, 0], return_inverse=True)
    once = np.concatenate([flat[~plain], np.broadcast_to(grey[:, None, None], (len(grey), R, C))])
    place = np.empty(T * B, int)
    place[~plain] = np.arange(len(flat) - plain.sum())
    place[plain] = len(flat) - plain.sum() + which
    c, cache = see(params, once, edge)
    return c[place].reshape(T, B, -1), (place, cache)


def look_backward(params: dict, cache, dc: np.ndarray) -> dict:
    """Gradients of the eye's parameters, from dc (T, B, E)."""
    place, inner = cache
    at_once = np.zeros_like(inner[-1])
    np.add.at(at_once, place, dc.reshape(len(place), -1))
    return see_backward(params, inner, at_once)


def predict(memory: Memory, params: dict, frames: np.ndarray) -> np.ndarray:
    """Scores z (T, B, V) of all labels at every frame (T, B, R, C)."""
    c, _ = look(params, frames)
    return layers.linear_forward(params, memory.forward(params, c)[0])


def loss_and_grads(memory: Memory, params: dict, frames: np.ndarray, labels):
    """A cross-entropy for each label (nats, mean over the frames that have it), summed; gradients.

    labels: pairs (number of classes, targets (T, B)); a target of −1 is not scored. Their scores
    lie side by side in z, in this order.
    Raises: ValueError, TypeError or IndexError that names the argument.
    """
    c, eye_cache = look(params, frames)
    h, cache = memory.forward(params, c)
    z = layers.linear_forward(params, h)
    check_shape("z", z, (*frames.shape[:2], sum(n for n, _ in labels)))
    loss, parts, first = 0.0, [], 0
    for n, targets in labels:
        scored = targets >= 0
        one, dz = cross_entropy(z[..., first : first + n], np.where(scored, targets, 0), scored)
        loss, first = loss + one, first + n
        parts.append(dz)
    grads, dh = layers.linear_backward(params, h, np.concatenate(parts, axis=-1))
    memory_grads, dc = memory.backward(params, cache, dh)
    return LossAndGrads(loss, {**look_backward(params, eye_cache, dc), **memory_grads, **grads})
