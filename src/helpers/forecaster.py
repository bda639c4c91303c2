"""A network that forecasts, and says how sure it is.

    h_t = cell(x_t, h_{t−1})      (μ_t, s_t) = h_t W_hy + b_y      y_{t+k} ~ N(μ_tk, e^{2 s_tk})

From each step t it forecasts all of the next K steps at once: a mean and the logarithm of a spread
for each. The model is that of `sequence_model`; here is its loss.

Shapes: T time steps, B batch, K horizons. z (T, B, 2K) holds the means, then the log spreads.
"""

import numpy as np

from . import sequence_model
from .checks import check_finite, check_floats, check_shape, check_sizes


def init_forecaster(cell, D: int, H: int, K: int, rng, dtype=np.float32) -> dict:
    """Parameters of a `sequence_model` with 2K outputs.

    Raises: ValueError if a size is not a positive integer.
    """
    check_sizes(K=K)
    return sequence_model.init_sequence_model(cell, D, H, 2 * K, rng, dtype)


def gaussian(z: np.ndarray) -> tuple:
    """Means and spreads, (T, B, K) each, of the outputs z (T, B, 2K)."""
    mean, log_spread = np.split(z, 2, axis=-1)
    return mean, np.exp(log_spread)


def gaussian_nll(z: np.ndarray, targets: np.ndarray, mask=None):
    """Mean −log p(y) in nats: ½ ln 2π + s + ½ e^{−2s} (y − μ)², and its gradient.

    z: (T, B, 2K), targets and mask: (T, B, K), the mask False where nothing is scored. With
    u = (y − μ) / σ the gradients are dμ = −u / σ and ds = 1 − u², each over the number of scored
    targets.
    Raises: ValueError for wrong shapes, mixed dtypes, an all-False mask, or numbers that are not
    finite where something is scored.
    """
    check_shape("targets", targets, ("T", "B", "K"))
    T, B, K = targets.shape
    check_shape("z", z, (T, B, 2 * K))
    check_floats(z=z, targets=targets)
    check_finite("z", z)
    if mask is None:
        mask = np.ones(targets.shape, dtype=bool)
    check_shape("mask", mask, targets.shape)
    if mask.dtype != bool or not mask.any():
        raise ValueError(f"mask must hold booleans, and True somewhere; got dtype {mask.dtype}")
    y = np.where(mask, targets, 0).astype(z.dtype)
    check_finite("targets", y)
    n = mask.sum()
    mean, log_spread = np.split(z, 2, axis=-1)
    spread = np.exp(log_spread)
    u = (y - mean) / spread
    each = 0.5 * np.log(2 * np.pi) + log_spread + 0.5 * u**2
    dz = np.concatenate([-u / spread * mask, (1 - u**2) * mask], axis=-1) / z.dtype.type(n)
    return float(each.sum(where=mask, dtype=np.float64) / n), dz


def loss_and_grads(cell, params: dict, x, targets, mask=None):
    """`gaussian_nll` of the forecasts at every step, and all gradients: `losses.LossAndGrads`."""
    return sequence_model.loss_and_grads(cell, params, x, lambda z: gaussian_nll(z, targets, mask))


def windows(x: np.ndarray, y: np.ndarray, first: np.ndarray, T: int, K: int):
    """Pieces of one series: inputs (T, B, D), targets (T, B, K), mask (T, B, K).

    x: (N, D), y: (N,); first: (B,) where each piece begins. The target of step t and horizon k is
    y[t + k]; the mask is False where that lies behind the end of the series.
    Raises: ValueError if a piece does not lie in the series.
    """
    check_sizes(T=T, K=K)
    check_shape("x", x, ("N", "D"))
    check_shape("y", y, (len(x),))
    first = np.asarray(first)
    if len(first) == 0 or first.min() < 0 or first.max() + T > len(x):
        raise ValueError(f"pieces of {T} steps do not lie in a series of {len(x)}")
    t = np.arange(T)[:, None] + first
    ahead = t[..., None] + np.arange(1, K + 1)
    mask = ahead < len(y)
    return x[t], y[np.minimum(ahead, len(y) - 1)], mask


def forecast(cell, params: dict, x: np.ndarray, origins) -> tuple:
    """Read a series once from its beginning: means and spreads (n, K) from each of n origins.

    x: (N, D). The forecast from origin t has seen x[0] … x[t] and nothing after it.
    Raises: ValueError as `sequence_model.predict`; IndexError for an origin outside the series.
    """
    check_shape("x", x, ("N", "D"))
    z, _, _ = sequence_model.predict(cell, params, x[: int(np.max(origins)) + 1, None])
    mean, spread = gaussian(z[np.asarray(origins), 0])
    return mean.astype(np.float64), spread.astype(np.float64)
