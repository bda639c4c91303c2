"""Checks at the public boundary: an error names the argument and what it got.

Every public function of this package calls these before it computes. They cost microseconds and
turn a broadcast that would silently give nonsense into a sentence.
"""

import math
from numbers import Real

import numpy as np


def check_shape(name: str, value, shape: tuple) -> None:
    """Raise unless `value` is an array of this shape; a string in `shape` stands for any size.

    `check_shape("x", x, ("T", "B", 3))` accepts (5, 2, 3) and says of (5, 3):
    "x has shape (5, 3), expected (T, B, 3)". No dimension may be empty.

    Raises: TypeError if `value` is no NumPy array; ValueError if its shape does not fit.
    """
    if not isinstance(value, np.ndarray):
        raise TypeError(f"{name} must be a NumPy array, got {type(value).__name__}")
    fits = value.ndim == len(shape) and all(
        isinstance(size, str) or got == size for got, size in zip(value.shape, shape, strict=True)
    )
    if not fits:
        wanted = ", ".join(str(size) for size in shape) + ("," if len(shape) == 1 else "")
        raise ValueError(f"{name} has shape {value.shape}, expected ({wanted})")
    if value.size == 0:
        raise ValueError(f"{name} is empty: its shape is {value.shape}")


def check_floats(**arrays) -> np.dtype:
    """Raise unless all arrays are of one floating dtype; return that dtype.

    float32 and float64 never mix: NumPy would promote in silence, and a float64 array that slips
    into float32 training makes every step slower without a word.

    Raises: ValueError that names the arrays and their dtypes.
    """
    dtypes = {name: array.dtype for name, array in arrays.items() if array is not None}
    first = next(iter(dtypes.values()))
    if first not in (np.float32, np.float64) or any(dtype != first for dtype in dtypes.values()):
        listing = ", ".join(f"{name} {dtype}" for name, dtype in dtypes.items())
        raise ValueError(f"expected one dtype, float32 or float64, for all of: {listing}")
    return first


class NonFiniteError(ValueError):
    """NaN or infinity where numbers were expected; `train` knows it from other wrong arguments."""


def check_finite(name: str, value: np.ndarray) -> None:
    """Raise if `value` holds NaN or infinity.

    Raises: NonFiniteError, a ValueError, that says how many and where the first one is.
    """
    # One dot product reads every entry without a temporary array; NaN and infinity survive it.
    # Only a suspicious result (it may also overflow) pays for the exact test.
    if np.isfinite(np.vdot(value, value)):
        return
    bad = ~np.isfinite(value)
    if bad.any():
        first = tuple(int(i) for i in np.argwhere(bad)[0])
        raise NonFiniteError(
            f"{name} holds {int(bad.sum())} non-finite value(s); the first is "
            f"{value[first]} at index {first}"
        )


def check_ids(name: str, ids, n: int) -> None:
    """Raise unless `ids` is a non-empty integer array with every entry in 0 … n-1.

    Raises: TypeError for anything but integers, ValueError if empty, IndexError if out of range.
    """
    if not isinstance(ids, np.ndarray) or ids.dtype.kind not in "iu":
        kind = f"dtype {ids.dtype}" if isinstance(ids, np.ndarray) else type(ids).__name__
        raise TypeError(f"{name} must be a NumPy array of integers, got {kind}")
    if ids.size == 0:
        raise ValueError(f"{name} is empty: its shape is {ids.shape}")
    low, high = int(ids.min()), int(ids.max())
    if low < 0 or high >= n:
        raise IndexError(f"{name} must lie in 0 … {n - 1}, got values from {low} to {high}")


def check_sizes(**sizes) -> None:
    """Raise unless every named size is a positive integer.

    Of NumPy's integers those of 32 and 64 bits with a sign will do. A product of narrower ones
    wraps round (4 · 100 is −112 in eight bits), and so does a difference of unsigned ones.

    Raises: ValueError that names the argument and its value.
    """
    for name, size in sizes.items():
        if not isinstance(size, (int, np.int32, np.int64)) or isinstance(size, bool) or size < 1:
            hint = "; convert it with int()" if isinstance(size, np.integer) and size > 0 else ""
            raise ValueError(f"{name} must be a positive integer, got {size!r}{hint}")


def is_number(value) -> bool:
    """Whether this is one finite real number. True and False are not, nor is an array."""
    try:
        return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)
    except OverflowError:  # an integer beyond all floating-point numbers
        return False


def check_positive(name: str, value) -> None:
    """Raise unless `value` is a positive number, neither infinite nor NaN.

    Raises: ValueError that names the argument and its value.
    """
    if not (is_number(value) and value > 0):
        raise ValueError(f"{name} must be a positive number, got {value!r}")


def check_not_negative(name: str, value) -> None:
    """Raise unless `value` is zero or a positive number, neither infinite nor NaN.

    Raises: ValueError that names the argument and its value.
    """
    if not (is_number(value) and value >= 0):
        raise ValueError(f"{name} must be zero or a positive number, got {value!r}")


def check_share(name: str, value) -> None:
    """Raise unless 0 ≤ `value` < 1: a probability that something is left out, or a decay.

    Raises: ValueError that names the argument and its value.
    """
    if not (is_number(value) and 0 <= value < 1):
        raise ValueError(f"{name} must lie in 0 ≤ {name} < 1, got {value!r}")
