"""Forecasts that say how sure they are, and their scores.

A forecast of K horizons from each of N origins is a pair mean, spread, (N, K) each: normal
distributions. truth (N, K) holds what came. All scores are small where the forecast is good, but
for coverage, which should be what was promised.
"""

import math

import numpy as np

from ..checks import check_positive, check_shape, check_share, check_sizes

_erf = np.vectorize(math.erf, otypes=[np.float64])


def ahead(values: np.ndarray, origins: np.ndarray, horizons: int) -> np.ndarray:
    """What comes 1 … K steps after each origin: (N,) and (n,) indices → (n, K).

    Raises: ValueError if an origin lies too near the end of the values, or before its beginning.
    """
    check_sizes(horizons=horizons)
    origins = np.asarray(origins)
    if len(origins) == 0 or origins.min() < 0 or origins.max() + horizons >= len(values):
        raise ValueError(
            f"each origin must leave {horizons} of the {len(values)} values after it, "
            f"and there must be one; got {origins.tolist()[:3]} …"
        )
    return values[origins[:, None] + np.arange(1, horizons + 1)]


def _checked(mean, spread, truth):
    check_shape("truth", truth, ("N", "K"))
    check_shape("mean", mean, truth.shape)
    check_shape("spread", spread, truth.shape)
    if not (np.isfinite(mean).all() and np.isfinite(spread).all() and (spread > 0).all()):
        raise ValueError("mean and spread must be finite, and every spread positive")


def normal_cdf(x: np.ndarray) -> np.ndarray:
    """Φ(x), the share of a standard normal distribution below x."""
    return 0.5 * (1 + _erf(np.asarray(x) / math.sqrt(2)))


def quantile_of_normal(p: float) -> float:
    """The x with Φ(x) = p, by halving an interval.

    Raises: ValueError unless 0 < p < 1.
    """
    check_share("p", p)
    check_positive("p", p)
    low, high = -40.0, 40.0
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if normal_cdf(middle) < p else (low, middle)
    return (low + high) / 2


def crps(mean: np.ndarray, spread: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """The continuous ranked probability score of normal forecasts, (N, K), in units of the truth:

        σ · (z (2Φ(z) − 1) + 2φ(z) − 1/√π),   z = (y − μ) / σ

    It is the distance between the forecast's distribution and the one that is sure of what came.
    As the spread goes to 0 it becomes the absolute error.
    Raises: ValueError for wrong shapes, or a spread that is not positive.
    Source: Gneiting & Raftery (2007).
    """
    _checked(mean, spread, truth)
    z = (truth - mean) / spread
    density = np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
    return spread * (z * (2 * normal_cdf(z) - 1) + 2 * density - 1 / math.sqrt(math.pi))


def interval(mean: np.ndarray, spread: np.ndarray, share: float = 0.8) -> tuple:
    """The middle interval that should hold `share` of what comes: its lower and upper end.

    Raises: ValueError unless 0 < share < 1.
    """
    check_share("share", share)
    check_positive("share", share)
    reach = quantile_of_normal(0.5 + share / 2) * spread
    return mean - reach, mean + reach


def interval_score(low, high, truth, share: float = 0.8) -> np.ndarray:
    """Width, plus 2/(1 − share) times the distance by which the truth lies outside: (N, K).

    Source: Gneiting & Raftery (2007).
    """
    check_share("share", share)
    outside = np.maximum(low - truth, 0) + np.maximum(truth - high, 0)
    return high - low + 2 / (1 - share) * outside


def summary(mean, spread, truth, share: float = 0.8) -> dict:
    """Means over origins, a list of K each: rmse, crps, coverage, width, interval score."""
    _checked(mean, spread, truth)
    low, high = interval(mean, spread, share)
    inside = (truth >= low) & (truth <= high)
    return {
        "rmse": np.sqrt(((mean - truth) ** 2).mean(axis=0)).tolist(),
        "crps": crps(mean, spread, truth).mean(axis=0).tolist(),
        "coverage": inside.mean(axis=0).tolist(),
        "width": (high - low).mean(axis=0).tolist(),
        "interval": interval_score(low, high, truth, share).mean(axis=0).tolist(),
    }


def spread_of_errors(mean: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """The root mean square error of each horizon, (K,): the spread for a method that has none."""
    check_shape("truth", truth, ("N", "K"))
    check_shape("mean", mean, truth.shape)
    return np.sqrt(((mean - truth) ** 2).mean(axis=0))


# --- Comparing two forecasts --------------------------------------------------------------------


def block_bootstrap(difference: np.ndarray, block: int, rng, n: int = 2000, share: float = 0.95):
    """An interval for the mean of a series whose neighbours are alike: (low, high).

    Draws blocks of `block` neighbours, with repetition and the end joined to the beginning, until
    the series is as long as before, n times; the middle `share` of the means.
    Raises: ValueError for wrong sizes, or a block longer than the series.
    Source: the circular block bootstrap of Politis & Romano (1992).
    """
    check_sizes(block=block, n=n)
    check_share("share", share)
    check_shape("difference", difference, ("N",))
    N = len(difference)
    if block > N:
        raise ValueError(f"block={block} is longer than the series of {N}")
    starts = rng.integers(0, N, (n, -(-N // block)))
    places = (starts[..., None] + np.arange(block)).reshape(n, -1)[:, :N] % N
    means = difference[places].mean(axis=1)
    low, high = np.quantile(means, [(1 - share) / 2, (1 + share) / 2])
    return float(low), float(high)


def diebold_mariano(difference: np.ndarray, horizon: int) -> tuple:
    """The statistic of Diebold & Mariano, and its two-sided p by the normal distribution.

    difference: (N,), the loss of one forecast less that of the other at each origin. The variance
    of the mean counts the covariances of origins that are fewer than `horizon` steps apart, with
    weights that fall to zero, so that it is never negative.
    Raises: ValueError for a wrong size, or differences that are all equal.
    Source: Diebold & Mariano (1995); the weights are those of Newey & West (1987).
    """
    check_sizes(horizon=horizon)
    check_shape("difference", difference, ("N",))
    N, d = len(difference), difference - difference.mean()
    variance = d @ d / N
    for lag in range(1, min(horizon, N)):
        variance += 2 * (1 - lag / horizon) * (d[lag:] @ d[:-lag]) / N
    if not variance > 0:
        raise ValueError("the differences are all equal: there is nothing to test")
    statistic = difference.mean() / math.sqrt(variance / N)
    return float(statistic), float(2 * (1 - normal_cdf(abs(statistic))))
