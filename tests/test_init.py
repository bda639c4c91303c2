"""Recurrent matrices at the start."""

import numpy as np
import pytest

from helpers import init

RNG = np.random.default_rng


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_orthogonal_matrices_keep_lengths(dtype):
    W = init.orthogonal(7, RNG(0), dtype)
    assert W.dtype == dtype
    np.testing.assert_allclose(W @ W.T, np.eye(7), atol=1e-6)
    assert abs(init.spectral_radius(W) - 1) < 1e-5


def test_orthogonal_matrices_are_drawn_evenly():
    """Of an evenly drawn orthogonal matrix every entry has mean 0; plain QR is not even."""
    corner = [init.orthogonal(3, RNG(seed), np.float64)[0, 0] for seed in range(2000)]
    assert abs(np.mean(corner)) < 0.05  # the standard error is 0.013; plain QR gives about −0.5


def test_scaled_identity():
    np.testing.assert_array_equal(init.scaled_identity(3, 0.5), 0.5 * np.eye(3, dtype=np.float32))


def test_spectral_radius_is_not_the_largest_singular_value():
    W = np.array([[0.5, 10.0], [0.0, -0.9]])
    assert init.spectral_radius(W) == pytest.approx(0.9)
    assert np.linalg.norm(W, 2) > 10


def test_with_spectral_radius():
    W = RNG(0).normal(size=(6, 6)).astype(np.float32)
    scaled = init.with_spectral_radius(W, 1.3)
    assert scaled.dtype == np.float32
    assert init.spectral_radius(scaled) == pytest.approx(1.3, rel=1e-5)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: init.orthogonal(0, RNG(0)), "H must be a positive integer, got 0"),
        (lambda: init.scaled_identity(-1), "H must be a positive integer"),
        (lambda: init.spectral_radius(np.ones((2, 3))), r"W has shape \(2, 3\), expected \(2, 2\)"),
        (lambda: init.spectral_radius(np.full((2, 2), np.nan)), "W holds 4 non-finite"),
        (lambda: init.with_spectral_radius(np.eye(2), -1), "radius must be zero or positive"),
        (lambda: init.with_spectral_radius(np.eye(2, k=1), 1), "W has spectral radius 0"),
    ],
)
def test_bad_input(call, words):
    with pytest.raises(ValueError, match=words):
        call()
