"""An error names the argument and says what it got."""

import numpy as np
import pytest

from helpers import checks


@pytest.mark.parametrize(
    ("value", "shape", "words"),
    [
        (np.zeros((3, 5)), ("T", "B", 3), r"x has shape \(3, 5\), expected \(T, B, 3\)"),
        (np.zeros((2, 2, 4)), ("T", "B", 3), r"x has shape \(2, 2, 4\), expected \(T, B, 3\)"),
        (np.zeros(3), (4,), r"x has shape \(3,\), expected \(4,\)"),
        (np.zeros((0, 2)), ("T", "B"), r"x is empty: its shape is \(0, 2\)"),
    ],
)
def test_wrong_shape(value, shape, words):
    with pytest.raises(ValueError, match=words):
        checks.check_shape("x", value, shape)


def test_shape_wants_an_array():
    with pytest.raises(TypeError, match="x must be a NumPy array, got list"):
        checks.check_shape("x", [[1.0]], ("T", "B"))


def test_right_shapes_pass():
    checks.check_shape("x", np.zeros((2, 7, 3)), ("T", "B", 3))
    checks.check_shape("x", np.array(1.0), ())


def test_mixed_dtypes_are_listed():
    with pytest.raises(ValueError, match="x float32, W float64"):
        checks.check_floats(x=np.zeros(1, np.float32), W=np.zeros(1))


def test_integers_are_no_floats():
    with pytest.raises(ValueError, match="x int64"):
        checks.check_floats(x=np.zeros(1, np.int64))


def test_none_is_left_out_of_the_dtype_check():
    assert checks.check_floats(x=np.zeros(1, np.float32), state=None) == np.float32


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_non_finite_values_are_located(bad):
    x = np.ones((2, 3))
    x[1, 2] = bad
    with pytest.raises(ValueError, match=rf"x holds 1 non-finite .* {bad} at index \(1, 2\)"):
        checks.check_finite("x", x)


def test_large_finite_values_pass_although_their_square_overflows():
    checks.check_finite("x", np.full(4, 1e30, np.float32))


def test_ids():
    checks.check_ids("ids", np.array([0, 4]), 5)
    with pytest.raises(TypeError, match="ids must be a NumPy array of integers, got dtype float64"):
        checks.check_ids("ids", np.array([0.0]), 5)
    with pytest.raises(TypeError, match="got list"):
        checks.check_ids("ids", [0], 5)
    with pytest.raises(IndexError, match=r"ids must lie in 0 … 4, got values from -1 to 5"):
        checks.check_ids("ids", np.array([-1, 5]), 5)
    with pytest.raises(ValueError, match="ids is empty"):
        checks.check_ids("ids", np.array([], dtype=int), 5)


@pytest.mark.parametrize("size", [0, -3, 2.0, True, None])
def test_sizes(size):
    with pytest.raises(ValueError, match="H must be a positive integer"):
        checks.check_sizes(D=1, H=size)
