"""The first check of a gradient: finite differences.

A gradient check is only as good as its question. With a loss that sums all outputs, many wrong
backward passes look right; so every output, at every step, gets its own random weight here. And
NaN is neither larger nor smaller than a tolerance, so every comparison here looks for it first.
"""

from typing import NamedTuple

import numpy as np

from . import unroll
from .checks import check_finite, check_positive, check_shape, check_sizes


def numerical_gradient(f, array: np.ndarray, eps: float = 1e-6) -> np.ndarray:
    """Central differences: ∂f/∂a_i ≈ (f(a_i + ε) − f(a_i − ε)) / 2ε, one entry at a time.

    f() reads `array`, which is changed and restored in place, and returns a number.
    The error is of order ε² from the formula and 10⁻¹⁶/ε from rounding: ε = 10⁻⁶ suits float64.
    Raises: ValueError unless `array` is float64 and eps a positive number.
    """
    check_positive("eps", eps)
    if not isinstance(array, np.ndarray) or array.dtype != np.float64:
        dtype = getattr(array, "dtype", type(array).__name__)
        raise ValueError(f"array must be float64 for a gradient check, got {dtype}")
    gradient = np.empty_like(array)
    for i in np.ndindex(array.shape):
        kept = array[i]
        array[i] = kept + eps
        above = f()
        array[i] = kept - eps
        below = f()
        array[i] = kept
        gradient[i] = (above - below) / (2 * eps)
    return gradient


def relative_error(a: np.ndarray, b: np.ndarray) -> float:
    """max |a − b| / max(|a|, |b|), both maxima over all entries: 0 if both are zero everywhere.

    Raises: ValueError if the shapes differ; NonFiniteError if an entry is NaN or infinite.
    """
    check_pair("a", a, "b", b)
    scale = max(np.abs(a).max(), np.abs(b).max())
    return float(np.abs(a - b).max() / scale) if scale > 0 else 0.0


def absolute_error(a: np.ndarray, b: np.ndarray) -> float:
    """max |a − b| over all entries: for two programs that should give the same numbers.

    Raises: ValueError if the shapes differ; NonFiniteError if an entry is NaN or infinite.
    """
    check_pair("a", a, "b", b)
    return float(np.abs(a - b).max())


def check_pair(name_a, a, name_b, b):
    """Two arrays can be compared if their shapes agree and all their entries are numbers."""
    check_shape(name_a, a, np.shape(b))
    check_finite(name_a, a)
    check_finite(name_b, b)


def largest(errors: dict, limit: float) -> float:
    """The largest of all errors, by name; every one of them has to be below `limit`.

    A comparison such as `max(errors.values()) < limit` may pass over NaN, which is neither smaller
    nor larger than anything. Here an error that is NaN or infinite fails like one that is too big.
    Raises: AssertionError that names each array with too large an error; ValueError if there are no
    errors, or limit is not a positive number.
    """
    if not errors:
        raise ValueError("errors is empty: nothing was compared")
    check_positive("limit", limit)
    bad = {name: error for name, error in errors.items() if not 0 <= error < limit}
    if bad:
        listing = ", ".join(f"{name} has {error:.1e}" for name, error in bad.items())
        raise AssertionError(f"errors must lie below {limit:.0e}, but {listing}")
    return float(max(errors.values()))


def compare(f, arrays: dict, gradients: dict, eps: float = 1e-6) -> dict:
    """Relative error of each gradient against finite differences of f, by name.

    f() reads the `arrays`; `gradients` has the same keys.
    Raises: ValueError if the keys differ or an array is not float64; NonFiniteError that names the
    array whose gradient, or whose finite difference, is NaN or infinite.
    """
    if arrays.keys() != gradients.keys():
        raise ValueError(
            f"arrays and gradients differ: {sorted(arrays)} against {sorted(gradients)}"
        )
    errors = {}
    for name, array in arrays.items():
        numerical = numerical_gradient(f, array, eps)
        check_pair(f"gradient of {name}", gradients[name], f"difference of {name}", numerical)
        errors[name] = relative_error(gradients[name], numerical)
    return errors


class Problem(NamedTuple):
    """A small random problem for a cell, in float64: what goes in, and what is asked of it.

    params, x (T, B, D), initial state; and the cotangents R (T, B, H) of the outputs and S, a tuple
    of (B, H), of the final state.
    """

    params: dict
    x: np.ndarray
    state: tuple
    R: np.ndarray
    S: tuple


def random_problem(cell, T: int, B: int, D: int, H: int, seed: int) -> Problem:
    """Parameters, inputs, initial state and cotangents for `cell`, all random.

    Raises: ValueError if a size is not a positive integer.
    """
    check_sizes(T=T, B=B, D=D, H=H)
    rng = np.random.default_rng(seed)

    def states():
        return tuple(rng.normal(size=(B, H)) for _ in range(cell.n_states))

    params = unroll.init_cell(cell, D, H, rng, np.float64)
    return Problem(
        params, rng.normal(size=(T, B, D)), states(), rng.normal(size=(T, B, H)), states()
    )


def check_cell(cell, T: int = 5, B: int = 2, D: int = 3, H: int = 4, seed: int = 0) -> dict:
    """Check every gradient of a cell: parameters, inputs, initial state. Name → relative error.

    The loss is Σ_t ⟨R_t, h_t⟩ + ⟨S, final state⟩ with random R (T, B, H) and S, so that each step
    and the final state pull on the gradient in a direction of their own.
    Raises: ValueError if a size is not a positive integer; NonFiniteError that names the array
    whose gradient is NaN or infinite.
    """
    params, x, state, R, S = random_problem(cell, T, B, D, H, seed)

    def loss():
        hs, final, _ = unroll.forward(cell, params, x, state)
        return float((R * hs).sum() + sum((s * f).sum() for s, f in zip(S, final)))

    _, _, cache = unroll.forward(cell, params, x, state)
    grads, dx, dstate = unroll.backward(cell, params, cache, R, S)
    arrays = {**params, "x": x, **{f"state[{i}]": s for i, s in enumerate(state)}}
    gradients = {**grads, "x": dx, **{f"state[{i}]": d for i, d in enumerate(dstate)}}
    return compare(loss, arrays, gradients)
