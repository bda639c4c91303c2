"""Series of measurements, and what the calendar explains of them.

    seattle()   the warmest temperature of each day in Seattle, 2012 to 2015: 1,461 days, no gap
    co2()       carbon dioxide on Mauna Loa, a value a week, 1958 to 2001; some weeks are missing

Shapes: N times, K harmonics. Values are (N,) of float64, dates (N,) of datetime64[D].
"""

import csv
from functools import cache
from typing import NamedTuple

import numpy as np

from ..checks import check_sizes
from .corpora import package_folder

YEAR = 365.2425  # days


class Series(NamedTuple):
    """Measurements at equal distances: dates, values, a name and a unit."""

    dates: np.ndarray
    values: np.ndarray
    name: str
    unit: str


COLUMNS = {
    "temp_max": ("warmest temperature", "°C"),
    "temp_min": ("coldest temperature", "°C"),
    "wind": ("wind", "m/s"),
    "precipitation": ("precipitation", "mm"),
}


@cache
def seattle(column: str = "temp_max") -> Series:
    """A column of Seattle's weather, day by day: temp_max, temp_min, wind or precipitation.

    Raises: ValueError for an unknown column; ImportError that names the package to install.
    Source: NOAA, public domain, in the package vega_datasets.
    """
    if column not in COLUMNS:
        raise ValueError(f"column must be among {tuple(COLUMNS)}, got {column!r}")
    path = package_folder("vega_datasets", "seattle()") / "_data" / "seattle-weather.csv"
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    dates = np.array([row["date"].replace("/", "-") for row in rows], "datetime64[D]")
    values = np.array([float(row[column]) for row in rows])
    return Series(*complete(dates, values), *COLUMNS[column])


@cache
def co2() -> Series:
    """Carbon dioxide in the air over Mauna Loa, Hawaii, a value a week; missing weeks are NaN.

    Raises: ImportError that names the package to install.
    Source: Keeling & Whorf, public domain, in the package statsmodels.
    """
    folder = package_folder("statsmodels", "co2()")
    with (folder / "datasets" / "co2" / "co2.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    days = [f"{r['date'][:4]}-{r['date'][4:6]}-{r['date'][6:]}" for r in rows]
    values = np.array([float(row["co2"] or "nan") for row in rows])
    return Series(np.array(days, "datetime64[D]"), values, "carbon dioxide", "ppm")


def complete(dates: np.ndarray, values: np.ndarray, step: int = 1) -> tuple:
    """The same dates and values, if they are as a forecaster needs them.

    Raises: ValueError that says which day is missing, comes twice, or is no number.
    """
    check_sizes(step=step)
    if len(dates) != len(values) or len(dates) < 2:
        raise ValueError(f"there are {len(dates)} dates and {len(values)} values, need 2 or more")
    gaps = np.diff(dates).astype(np.int64)
    wrong = np.flatnonzero(gaps != step)
    if len(wrong):
        i = wrong[0]
        raise ValueError(f"{dates[i + 1]} follows {dates[i]}, expected {step} day(s) later")
    bad = np.flatnonzero(~np.isfinite(values))
    if len(bad):
        raise ValueError(f"{len(bad)} value(s) are missing or not finite, first on {dates[bad[0]]}")
    return dates, values


def fill(values: np.ndarray) -> np.ndarray:
    """Missing values on the straight line between their neighbours.

    For a study of forecasts this looks ahead: each filled value knows the one after the gap.
    Raises: ValueError if the first or the last value is missing.
    """
    known = np.isfinite(values)
    if not (known[0] and known[-1]):
        raise ValueError("the first or the last value is missing: nothing lies on its other side")
    t = np.arange(len(values))
    return np.interp(t, t[known], values[known])


# --- The calendar -------------------------------------------------------------------------------


def phase(dates: np.ndarray) -> np.ndarray:
    """The time of the year as an angle in radians, (N,); one turn is a year of 365.2425 days."""
    return 2 * np.pi * (dates - np.datetime64("2000-01-01")).astype(np.float64) / YEAR


def harmonics(dates: np.ndarray, K: int = 2) -> np.ndarray:
    """1, cos(kφ), sin(kφ) for k = 1 … K: (N, 2K + 1).

    Raises: ValueError if K is not a positive integer.
    """
    check_sizes(K=K)
    angles = phase(dates)[:, None] * np.arange(1, K + 1)
    return np.concatenate([np.ones((len(dates), 1)), np.cos(angles), np.sin(angles)], axis=1)


class Climate(NamedTuple):
    """What is usual for the time of the year: weights (2K + 1,) of `harmonics`, and the spread."""

    weights: np.ndarray
    spread: float

    def usual(self, dates: np.ndarray) -> np.ndarray:
        """The usual value of each date, (N,)."""
        return harmonics(dates, len(self.weights) // 2) @ self.weights

    def strange(self, dates: np.ndarray, values: np.ndarray) -> np.ndarray:
        """How far each value lies from the usual one, in units of the spread."""
        return (values - self.usual(dates)) / self.spread


def climate(dates: np.ndarray, values: np.ndarray, K: int = 2) -> Climate:
    """The usual course of a year, by least squares: a mean and K harmonics.

    Raises: ValueError if a value is not finite, or there is less than one year.
    """
    if len(dates) != len(values) or (dates[-1] - dates[0]).astype(np.int64) < 364:
        raise ValueError("dates and values must be equally many and span a year")
    if not np.isfinite(values).all():
        raise ValueError("values hold something that is no number")
    X = harmonics(dates, K)
    weights = np.linalg.lstsq(X, values, rcond=None)[0]
    return Climate(weights, float(np.std(values - X @ weights)))
