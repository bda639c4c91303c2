"""Echo state networks: a random recurrent layer, and a read-out in closed form.

    h_t = tanh(x_t W_xh + h_{t−1} W_hh + b_h), all drawn at random      z_t = h_t W_hy + b_y

Only W_hy and b_y are learned, and as z is linear in them the best ones are the solution of one set
of linear equations (ridge regression). How long the layer remembers is set by the size of W_hh, its
spectral radius. The layer is a plain RNN: `unroll.forward(RNN, params, x)` runs it.
Shapes: T time steps, B batch, D input features, H hidden units, V outputs.
Sources: Jaeger (2001), Jaeger & Haas (2004).
"""

import numpy as np

from . import init, unroll
from .checks import (
    check_finite,
    check_floats,
    check_not_negative,
    check_positive,
    check_shape,
    check_sizes,
)
from .rnn import RNN


def init_reservoir(
    D: int, H: int, rng, radius=0.9, scale=0.5, density=0.1, bias=0.1, dtype=np.float64
) -> dict:
    """W_xh (D, H), W_hh (H, H) and b_h (H,), to be left as they are.

    A share `density` of W_hh is drawn from a normal distribution, the rest is zero; then W_hh is
    scaled to the spectral radius. W_xh is uniform in ±scale, b_h in ±bias.
    Raises: ValueError for sizes that are no positive integers, negative numbers, a density outside
    0 < density ≤ 1, or so few weights that no factor gives W_hh the radius.
    """
    check_sizes(D=D, H=H)
    for name, value in {"radius": radius, "scale": scale, "bias": bias}.items():
        check_not_negative(name, value)
    check_positive("density", density)
    if density > 1:
        raise ValueError(f"density must lie in 0 < density ≤ 1, got {density!r}")
    W = rng.standard_normal((H, H)) * (rng.random((H, H)) < density)
    params = {
        "W_xh": rng.uniform(-scale, scale, (D, H)),
        "W_hh": init.with_spectral_radius(W, radius),
        "b_h": rng.uniform(-bias, bias, H),
    }
    return {name: array.astype(dtype) for name, array in params.items()}


def ridge(h: np.ndarray, y: np.ndarray, penalty: float) -> dict:
    """The read-out with the least mean (h W_hy + b_y − y)² + penalty · |W_hy|², in closed form.

        W_hy = (HᵀH/N + penalty · 1)⁻¹ HᵀY/N        with h and y less their means, and b_y after

    h: (…, H), y: (…, V), N rows each. Returns W_hy (H, V), b_y (V,) for `layers.linear_forward`.
    Raises: ValueError for wrong shapes, mixed dtypes, numbers that are not finite, penalty ≤ 0.
    """
    check_floats(h=h, y=y)
    if h.ndim < 2 or h.shape[:-1] != y.shape[:-1] or h.size == 0 or y.size == 0:
        raise ValueError(f"h has shape {h.shape} and y {y.shape}, expected (…, H) and (…, V)")
    check_positive("penalty", penalty)
    check_finite("h", h)
    check_finite("y", y)
    h, y = h.reshape(-1, h.shape[-1]), y.reshape(-1, y.shape[-1])
    mean_h, mean_y = h.mean(axis=0), y.mean(axis=0)
    centred = h - mean_h
    square = centred.T @ centred / len(h)
    square[np.diag_indices(len(square))] += h.dtype.type(penalty)
    W = np.linalg.solve(square, centred.T @ (y - mean_y) / len(h))
    return {"W_hy": W, "b_y": mean_y - mean_h @ W}


def fading(params: dict, x: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """How far apart two runs on one input stay that begin in two states: the echo state property.

    x: (T, B, D), first and second: (B, H). Returns the distance after each step, (T, B), divided by
    the distance at the start. If it goes to zero, the state is a function of the inputs alone.
    Raises: ValueError for wrong shapes, or if both states are the same.
    """
    apart = np.linalg.norm(first - second, axis=-1)
    if not apart.min() > 0:
        raise ValueError("first and second are the same state: their distance says nothing")
    runs = [unroll.forward(RNN, params, x, (state,))[0] for state in (first, second)]
    return np.linalg.norm(runs[0] - runs[1], axis=-1) / apart


def memory_capacity(params: dict, rng, n_delays: int, n_steps=2000, washout=200, penalty=1e-9):
    """How much of the input k steps ago a linear read-out finds in the state, for k = 1 … n_delays.

    The input is noise, uniform in ±1, one number a step (D = 1). One read-out per delay is fitted
    on n_steps steps, and scored on as many others by the squared correlation with what really came:
    1 is perfect, 0 is nothing. The sum over all delays, Jaeger's memory capacity, is at most H.
    Returns (n_delays,).
    Raises: ValueError for sizes that are no positive integers, or washout < n_delays.
    Source: Jaeger (2001), "Short Term Memory in Echo State Networks".
    """
    check_sizes(n_delays=n_delays, n_steps=n_steps, washout=washout)
    check_shape("params['W_xh']", params["W_xh"], (1, "H"))
    if washout < n_delays:
        raise ValueError(f"washout must be n_delays={n_delays} or more, got {washout}")
    x = rng.uniform(-1, 1, (washout + 2 * n_steps, 1, 1)).astype(params["W_xh"].dtype)
    hs = unroll.forward(RNN, params, x)[0][washout:, 0]
    delayed = [x[washout - k : len(x) - k, 0, 0] for k in range(1, n_delays + 1)]
    y = np.stack(delayed, axis=-1)
    read_out = ridge(hs[:n_steps], y[:n_steps], penalty)
    found = hs[n_steps:] @ read_out["W_hy"] + read_out["b_y"]
    a, b = found - found.mean(axis=0), y[n_steps:] - y[n_steps:].mean(axis=0)
    power = (a * a).sum(axis=0) * (b * b).sum(axis=0)
    return np.where(power > 0, (a * b).sum(axis=0) ** 2 / np.where(power > 0, power, 1), 0)
