"""A check that meets NaN or infinity fails, and says where."""

import numpy as np
import pytest

from helpers import gradcheck
from helpers.checks import NonFiniteError

BAD = [np.nan, np.inf, -np.inf]


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("place", [0, 1])
@pytest.mark.parametrize("compare", [gradcheck.relative_error, gradcheck.absolute_error])
def test_comparison_refuses_what_is_not_finite(compare, place, bad):
    arrays = [np.ones((2, 3)), np.ones((2, 3))]
    arrays[place][1, 2] = bad
    with pytest.raises(NonFiniteError, match=rf"{'ab'[place]} holds 1 non-finite .* at index"):
        compare(*arrays)


@pytest.mark.parametrize("compare", [gradcheck.relative_error, gradcheck.absolute_error])
def test_comparison_wants_equal_shapes(compare):
    with pytest.raises(ValueError, match=r"a has shape \(2, 1\), expected \(2,\)"):
        compare(np.zeros((2, 1)), np.zeros(2))


def test_absolute_error_is_the_largest_difference():
    assert gradcheck.absolute_error(np.array([1.0, 2.0]), np.array([1.5, 0.0])) == 2.0


def test_largest_error_is_returned():
    assert gradcheck.largest({"W": 1e-9, "b": 3e-9, "x": 0.0}, 1e-7) == 3e-9


@pytest.mark.parametrize("bad", [*BAD, 1e-7, 1.0])
@pytest.mark.parametrize("place", range(3))
def test_error_that_is_too_large_is_named_wherever_it_stands(place, bad):
    errors = {name: 1e-9 for name in ("W", "b", "x")}
    name = list(errors)[place]
    errors[name] = bad
    with pytest.raises(AssertionError, match=rf"errors must lie below 1e-07, but {name} has"):
        gradcheck.largest(errors, 1e-7)


def test_nothing_compared_is_no_success():
    with pytest.raises(ValueError, match="errors is empty"):
        gradcheck.largest({}, 1e-7)


@pytest.mark.parametrize("limit", [0, -1.0, np.nan, np.inf])
def test_limit_is_a_positive_number(limit):
    with pytest.raises(ValueError, match="limit must be a positive number"):
        gradcheck.largest({"W": 0.0}, limit)


def test_finite_differences_that_are_not_finite_are_named():
    with pytest.raises(NonFiniteError, match="difference of a holds 1 non-finite"):
        gradcheck.compare(lambda: np.nan, {"a": np.ones(1)}, {"a": np.ones(1)})
