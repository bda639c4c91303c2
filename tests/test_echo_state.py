"""Echo state networks: the read-out is the least-squares one, and the radius rules the memory."""

import numpy as np
import pytest

from helpers import echo_state, init, layers, losses

RNG = np.random.default_rng


def test_the_reservoir_has_its_radius_and_its_zeros():
    params = echo_state.init_reservoir(2, 80, RNG(0), radius=0.7, scale=0.3, density=0.1, bias=0.2)
    assert init.spectral_radius(params["W_hh"]) == pytest.approx(0.7)
    assert (params["W_hh"] != 0).mean() == pytest.approx(0.1, abs=0.02)
    assert 0.25 < np.abs(params["W_xh"]).max() <= 0.3 and np.abs(params["b_h"]).max() <= 0.2
    assert (
        echo_state.init_reservoir(1, 9, RNG(0), density=1, dtype=np.float32)["W_hh"].dtype
        == np.float32
    )
    still = echo_state.init_reservoir(1, 9, RNG(0), radius=0, scale=0, bias=0, density=0.5)
    assert not any(array.any() for array in still.values())


def test_ridge_is_where_the_gradient_vanishes():
    rng = RNG(1)
    h, y = rng.normal(size=(40, 3, 6)) + 1, rng.normal(size=(40, 3, 2)) - 2
    read_out = echo_state.ridge(h, y, 0.1)

    def loss():  # mean over rows of the summed squares, and the penalty
        value, dz = losses.mse(layers.linear_forward(read_out, h), y)
        return 2 * value + 0.1 * (read_out["W_hy"] ** 2).sum(), 2 * dz

    grads, _ = layers.linear_backward(read_out, h, loss()[1])
    np.testing.assert_allclose(grads["W_hy"] + 0.2 * read_out["W_hy"], 0, atol=1e-12)
    np.testing.assert_allclose(grads["b_y"], 0, atol=1e-12)
    at_best = loss()[0]
    read_out["W_hy"][0, 0] += 1e-3
    assert loss()[0] > at_best


def test_ridge_without_a_penalty_to_speak_of_is_least_squares():
    rng = RNG(2)
    h, y = rng.normal(size=(50, 4)), rng.normal(size=(50, 1))
    exact = np.linalg.lstsq(np.hstack([h, np.ones((50, 1))]), y, rcond=None)[0]
    read_out = echo_state.ridge(h, y, 1e-14)
    np.testing.assert_allclose(np.vstack([read_out["W_hy"], read_out["b_y"]]), exact, atol=1e-9)
    heavy = echo_state.ridge(h, y, 1e12)
    np.testing.assert_allclose(heavy["W_hy"], 0, atol=1e-9)
    np.testing.assert_allclose(heavy["b_y"], y.mean(axis=0), atol=1e-9)


def test_small_radius_forgets_where_it_began_and_large_does_not():
    x = RNG(0).uniform(-0.1, 0.1, (200, 1, 1))
    left = {}
    for radius in (0.5, 0.9, 1.6):
        params = echo_state.init_reservoir(1, 60, RNG(1), radius=radius, scale=0.1)
        first, second = RNG(2).uniform(-1, 1, (2, 1, 60))
        left[radius] = echo_state.fading(params, x, first, second)[-1, 0]
    assert left[0.5] < 1e-12 < left[0.9] < 1e-5 < 0.01 < left[1.6]


def test_a_chain_of_units_remembers_as_many_steps_as_it_has_units():
    """Unit k holds the input of k steps ago: capacity 1 for each of H delays, and 0 after them."""
    H = 8
    params = {"W_xh": np.zeros((1, H)), "W_hh": np.eye(H, k=1), "b_h": np.zeros(H)}
    params["W_xh"][0, 0] = 1e-3  # small, so that tanh is straight
    each = echo_state.memory_capacity(params, RNG(0), 20, 500, 30, 1e-18)
    np.testing.assert_allclose(each[: H - 1], 1, atol=1e-6)
    assert each[H - 1 :].max() < 0.05


def test_capacity_is_below_the_number_of_units():
    params = echo_state.init_reservoir(1, 20, RNG(0), scale=0.1)
    each = echo_state.memory_capacity(params, RNG(1), 40, 2000, 100)
    assert 5 < each.sum() < 20 and each[0] > 0.99


def test_bad_input_names_the_argument():
    rng = RNG(0)
    wrong = [("radius", -1), ("scale", np.nan), ("density", 0), ("density", 1.5), ("bias", np.inf)]
    for name, value in [*wrong, ("H", 0)]:
        with pytest.raises(ValueError, match=f"^{name} must"):
            echo_state.init_reservoir(**{"D": 1, "H": 5, "rng": rng, "density": 1, name: value})
    h, y = np.ones((5, 2)), np.ones((5, 1))
    for penalty in (0, -1, np.nan, np.inf):
        with pytest.raises(ValueError, match="^penalty must"):
            echo_state.ridge(h, y, penalty)
    with pytest.raises(ValueError, match="h has shape"):
        echo_state.ridge(h, y[:4], 1.0)
    with pytest.raises(ValueError, match="y holds"):
        echo_state.ridge(h, y * np.nan, 1.0)
    with pytest.raises(ValueError, match="same state"):
        echo_state.fading(
            echo_state.init_reservoir(1, 5, rng, density=1),
            np.ones((3, 1, 1)),
            h[:1, :1],
            h[:1, :1],
        )
    with pytest.raises(ValueError, match="washout must be"):
        echo_state.memory_capacity(echo_state.init_reservoir(1, 5, rng, density=1), rng, 20, 50, 10)
