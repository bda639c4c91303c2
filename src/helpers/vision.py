"""An eye of two convolutions: features that say what is in a picture, and where.

    a = relu(conv(pool(relu(conv(picture)))))      maps: F channels of R/2 × C/2 places
    c = tanh([largest of each channel; mean of all channels] W_eye + b_eye)

The largest value of a channel says what is there and forgets where; the mean of all channels says
where something is and forgets what.

Shapes: N pictures of R × C pixels, F channels, E features; films are T frames, B films.
"""

import numpy as np

from . import conv, layers
from .activations import drelu, dtanh, relu
from .checks import check_shape

KERNELS, CHANNELS, POOL = (5, 3), (8, 32), 2


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
