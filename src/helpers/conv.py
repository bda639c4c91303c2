"""Convolution in space and in time: the same weights at every place and step.

    in space   z[r, c] = b + Σ_i Σ_j x[r + i − p, c + j − p] W[i, j]      p = (K − 1) / 2
    in time    z_t = b + Σ_j x_{t − j·d} W[j]                              the past only: causal

Each x[r, c] and each x_t is a row vector of D channels, and each W[i, j] or W[j] a matrix (D, F):
so a convolution is a sum of the matrix products that all networks here are made of. (Strictly it is
a cross-correlation, as everywhere in deep learning: the kernel is not turned round.)

Shapes: N pictures of R × C places, D channels in, F out, kernels K × K; T steps, B sequences.
"""

from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from .activations import drelu, relu
from .checks import check_floats, check_shape, check_sizes

EDGES = {"zero": "constant", "wrap": "wrap"}


def init_conv(name: str, K: int, D: int, F: int, rng, dtype=np.float32) -> dict:
    """W_name (K, K, D, F) and b_name (F,), uniform in ±1/√(K²D) as torch.nn.Conv2d does.

    Raises: ValueError if a size is not a positive integer, or K is even.
    """
    check_sizes(K=K, D=D, F=F)
    check_odd(K)
    return _uniform(name, (K, K, D, F), rng, dtype)


def init_time(name: str, K: int, D: int, F: int, rng, dtype=np.float32) -> dict:
    """W_name (K, D, F) and b_name (F,), uniform in ±1/√(KD) as torch.nn.Conv1d does.

    Raises: ValueError if a size is not a positive integer.
    """
    check_sizes(K=K, D=D, F=F)
    return _uniform(name, (K, D, F), rng, dtype)


def _uniform(name, shape, rng, dtype):
    bound = 1 / np.sqrt(np.prod(shape[:-1]))
    W = rng.uniform(-bound, bound, shape).astype(dtype)
    return {f"W_{name}": W, f"b_{name}": rng.uniform(-bound, bound, shape[-1:]).astype(dtype)}


def check_odd(K):
    if K % 2 == 0:
        raise ValueError(f"K must be odd, so that a kernel has a middle, got {K}")


# --- In space: as on paper ----------------------------------------------------------------------


def pad(x: np.ndarray, p: int, edge: str = "zero") -> np.ndarray:
    """A margin of p places on all sides of x (N, R, C, D): zeros, or what lies on the other side.

    Raises: ValueError for an unknown edge, or a margin wider than the picture that is to wrap.
    """
    check_shape("x", x, ("N", "R", "C", "D"))
    if edge not in EDGES:
        raise ValueError(f"edge must be 'zero' or 'wrap', got {edge!r}")
    if edge == "wrap" and p > min(x.shape[1:3]):
        raise ValueError(f"a margin of {p} cannot wrap: x has shape {x.shape}")
    return np.pad(x, ((0, 0), (p, p), (p, p), (0, 0)), mode=EDGES[edge])


def pad_backward(dwide: np.ndarray, p: int, edge: str = "zero") -> np.ndarray:
    """What arrives at the margin goes where the margin came from: nowhere, or to the other side."""
    if p == 0:
        return dwide
    if edge == "wrap":
        dwide = dwide.copy()
        for axis in (1, 2):
            d = np.moveaxis(dwide, axis, 0)
            d[-2 * p : -p] += d[:p]
            d[p : 2 * p] += d[-p:]
    return dwide[:, p:-p, p:-p]


def conv_plain(W: np.ndarray, b: np.ndarray, wide: np.ndarray) -> np.ndarray:
    """The convolution as on paper, of an x with its margin: (N, R+K−1, C+K−1, D) → (N, R, C, F)."""
    N, wide_R, wide_C, _ = wide.shape
    K, F = len(W), W.shape[-1]
    R, C = wide_R - K + 1, wide_C - K + 1
    z = np.empty((N, R, C, F), wide.dtype)
    for r in range(R):
        for c in range(C):
            z[:, r, c] = b
            for i in range(K):
                for j in range(K):
                    z[:, r, c] += wide[:, r + i, c + j] @ W[i, j]
    return z


def conv_plain_backward(W: np.ndarray, wide: np.ndarray, dz: np.ndarray):
    """Back through `conv_plain`: each product of the forward pass, turned round.

    z = x W at one place and one (i, j), so dW gets xᵀ dz, and dx gets dz Wᵀ: sums over all places.
    Returns dW (K, K, D, F), db (F,), dwide.
    """
    K = len(W)
    dW, db, dwide = np.zeros_like(W), np.zeros_like(W[0, 0, 0]), np.zeros_like(wide)
    for r in range(dz.shape[1]):
        for c in range(dz.shape[2]):
            db += dz[:, r, c].sum(axis=0)
            for i in range(K):
                for j in range(K):
                    dW[i, j] += wide[:, r + i, c + j].T @ dz[:, r, c]
                    dwide[:, r + i, c + j] += dz[:, r, c] @ W[i, j].T
    return dW, db, dwide


# --- In space: fast -----------------------------------------------------------------------------


class ConvCache(NamedTuple):
    """What `conv_backward` needs: the patch of each place as a row (N·R·C, K·K·D); shape; edge."""

    rows: np.ndarray
    shape: tuple
    edge: str


def check_conv(W, b, x):
    check_shape("W", W, ("K", W.shape[0] if isinstance(W, np.ndarray) else "K", "D", "F"))
    check_odd(len(W))
    check_shape("b", b, W.shape[-1:])
    check_shape("x", x, ("N", "R", "C", W.shape[2]))
    check_floats(W=W, b=b, x=x)


def conv_forward(W: np.ndarray, b: np.ndarray, x: np.ndarray, edge: str = "zero"):
    """z[r, c] = b + Σ_ij x[r+i−p, c+j−p] W[i, j]: (N, R, C, D) → (N, R, C, F), and a cache.

    W (K, K, D, F), K odd; b (F,). edge: beyond the border lies "zero", or the other side ("wrap").
    Raises: ValueError for wrong shapes, mixed dtypes, an even K, an unknown edge.
    """
    check_conv(W, b, x)
    K, _, D, F = W.shape
    wide = pad(x, K // 2, edge)
    # speed: the patch of each place becomes a row; then the four loops are one matrix product.
    patches = sliding_window_view(wide, (K, K), axis=(1, 2))  # (N, R, C, D, K, K), a view
    rows = patches.transpose(0, 1, 2, 4, 5, 3).reshape(-1, K * K * D)  # here it is copied
    z = (rows @ W.reshape(K * K * D, F) + b).reshape(*x.shape[:3], F)
    return z, ConvCache(rows, x.shape, edge)


def conv_backward(W: np.ndarray, cache: ConvCache, dz: np.ndarray, need_dx: bool = True):
    """dW, db and dx (None unless needed: a picture has no layer below).

        dW = rowsᵀ dz,   db = Σ dz,   dx[r+i−p, c+j−p] += dz[r, c] W[i, j]ᵀ

    Raises: ValueError for a wrong shape or dtype of dz.
    """
    K, _, D, F = W.shape
    N, R, C, _ = cache.shape
    check_shape("dz", dz, (N, R, C, F))
    check_floats(W=W, dz=dz)
    flat = dz.reshape(-1, F)
    dW, db = (cache.rows.T @ flat).reshape(W.shape), flat.sum(axis=0)
    if not need_dx:
        return dW, db, None
    dwide = np.zeros((N, R + K - 1, C + K - 1, D), dz.dtype)
    # speed: one product for all patches, then K·K sums of whole pictures.
    dpatches = (flat @ W.reshape(-1, F).T).reshape(N, R, C, K, K, D)
    for i in range(K):
        for j in range(K):
            dwide[:, i : i + R, j : j + C] += dpatches[:, :, :, i, j]
    return dW, db, pad_backward(dwide, K // 2, cache.edge)


class PoolCache(NamedTuple):
    """Which of its n·n places each block took: (N, R/n, C/n, D) integers."""

    first: np.ndarray
    n: int


def pool_forward(x: np.ndarray, n: int):
    """The largest value of each block of n × n places: (N, R, C, D) → (N, R/n, C/n, D); a cache.

    Raises: ValueError unless n is a positive integer that divides R and C.
    """
    check_sizes(n=n)
    check_shape("x", x, ("N", "R", "C", "D"))
    N, R, C, D = x.shape
    if R % n or C % n:
        raise ValueError(f"n = {n} must divide rows and columns, x has shape {x.shape}")
    blocks = x.reshape(N, R // n, n, C // n, n, D).swapaxes(2, 3)
    blocks = blocks.reshape(N, R // n, C // n, n * n, D)
    first = blocks.argmax(axis=3)
    return np.take_along_axis(blocks, first[:, :, :, None], axis=3)[:, :, :, 0], PoolCache(first, n)


def pool_backward(cache: PoolCache, dy: np.ndarray) -> np.ndarray:
    """The gradient goes to the place that was the largest (to the first, if several were).

    Raises: ValueError for a wrong shape of dy.
    """
    first, n = cache
    check_shape("dy", dy, first.shape)
    N, R, C, D = dy.shape
    blocks = np.zeros((N, R, C, n * n, D), dy.dtype)
    np.put_along_axis(blocks, first[:, :, :, None], dy[:, :, :, None], axis=3)
    return blocks.reshape(N, R, C, n, n, D).swapaxes(2, 3).reshape(N, R * n, C * n, D)


# --- In time ------------------------------------------------------------------------------------


def time_plain(W: np.ndarray, b: np.ndarray, x: np.ndarray, dilation: int = 1) -> np.ndarray:
    """The causal convolution as on paper: (T, B, D) → (T, B, F). Before the start lie zeros."""
    z = np.empty((*x.shape[:2], W.shape[-1]), x.dtype)
    for t in range(len(x)):
        z[t] = b
        for j in range(len(W)):
            if t - j * dilation >= 0:
                z[t] += x[t - j * dilation] @ W[j]
    return z


def check_time(W, b, x, dilation):
    check_sizes(dilation=dilation)
    check_shape("W", W, ("K", "D", "F"))
    check_shape("b", b, W.shape[-1:])
    check_shape("x", x, ("T", "B", W.shape[1]))
    check_floats(W=W, b=b, x=x)


def time_forward(W: np.ndarray, b: np.ndarray, x: np.ndarray, dilation: int = 1) -> np.ndarray:
    """z_t = b + Σ_j x_{t−j·d} W[j], for all t at once: (T, B, D) → (T, B, F).

    W (K, D, F): W[0] is for now, W[j] for j·d steps ago. No step waits for another one, as in a
    recurrence.
    Raises: ValueError for wrong shapes, mixed dtypes or a dilation that is no positive integer.
    """
    check_time(W, b, x, dilation)
    T = len(x)
    z = x @ W[0] + b
    for j in range(1, len(W)):  # speed: a product for each tap, not for each step and tap
        late = min(j * dilation, T)
        z[late:] += x[: T - late] @ W[j]
    return z


def time_backward(W: np.ndarray, x: np.ndarray, dz: np.ndarray, dilation: int = 1):
    """Back through `time_forward`: dW[j] = Σ_t x_{t−j·d}ᵀ dz_t and dx_t = Σ_j dz_{t+j·d} W[j]ᵀ.

    The gradient of a step comes from itself and steps after it, as in BPTT, but from K in all and
    by no chain. Returns dW, db, dx.
    Raises: ValueError for wrong shapes, mixed dtypes or a dilation that is no positive integer.
    """
    check_sizes(dilation=dilation)
    check_shape("dz", dz, (*x.shape[:2], W.shape[-1]))
    check_floats(W=W, x=x, dz=dz)
    T, (_, D, F) = len(x), W.shape
    dW, dx = np.zeros_like(W), np.zeros_like(x)
    for j in range(len(W)):
        late = min(j * dilation, T)
        now, then = dz[late:], x[: T - late]
        dW[j] = then.reshape(-1, D).T @ now.reshape(-1, F)
        dx[: T - late] += now @ W[j].T
    return dW, dz.reshape(-1, F).sum(axis=0), dx


def receptive_field(K: int, dilations) -> int:
    """How many steps a stack of causal convolutions sees, the present one included: 1 + (K−1) Σ d.

    Raises: ValueError if K or a dilation is not a positive integer.
    """
    check_sizes(K=K)
    for i, d in enumerate(dilations):
        check_sizes(**{f"dilations[{i}]": d})
    return 1 + (K - 1) * sum(dilations)


def init_time_stack(K: int, D: int, n_layers: int, rng, dtype=np.float32) -> dict:
    """W_time_l0 (K, D, D), b_time_l0 (D,), and so on: layers that keep the number of channels.

    Raises: ValueError if a size is not a positive integer.
    """
    check_sizes(n_layers=n_layers)
    made = (init_time(f"time_l{n}", K, D, D, rng, dtype) for n in range(n_layers))
    return {name: array for layer in made for name, array in layer.items()}


def stack_forward(params: dict, x: np.ndarray, dilations):
    """Layer on layer, each added to what it reads: h ← h + relu(conv(h)). Returns h, cache.

    dilations: one for each layer. The sum keeps a straight way for the gradient (He et al., 2016).
    Raises: ValueError for wrong shapes, mixed dtypes or a bad dilation.
    """
    cache = []
    for n, d in enumerate(dilations):
        r = relu(time_forward(params[f"W_time_l{n}"], params[f"b_time_l{n}"], x, d))
        cache.append((x, r))
        x = x + r
    return x, cache


def stack_backward(params: dict, cache, dilations, dh: np.ndarray):
    """Back through `stack_forward`: grads by name, and dx."""
    grads = {}
    for n, d in reversed(list(enumerate(dilations))):
        x, r = cache[n]
        W = params[f"W_time_l{n}"]
        grads[f"W_time_l{n}"], grads[f"b_time_l{n}"], dx = time_backward(W, x, dh * drelu(r), d)
        dh = dh + dx
    return grads, dh
