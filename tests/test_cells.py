"""The relatives of the RNN cell, and the truncated backward pass."""

import numpy as np
import pytest

from helpers import gradcheck, torch_parity, unroll
from helpers.rnn import RNN, RNN_RELU, leaky

RNG = np.random.default_rng


@pytest.mark.parametrize("cell", [RNN_RELU, leaky(0.3), leaky(1.0)], ids=lambda cell: cell.name)
@pytest.mark.parametrize("seed", range(3))
def test_gradients(cell, seed):
    errors = gradcheck.check_cell(cell, seed=seed)
    gradcheck.largest(errors, 1e-6)


def test_relu_equals_torch():
    differences = torch_parity.compare_cell(RNN_RELU)
    gradcheck.largest(differences, 1e-9)


def test_torch_parity_refuses_a_cell_that_torch_lacks():
    with pytest.raises(ValueError, match="torch.nn has no layer for cell 'leaky\\(0.5\\)'"):
        torch_parity.compare_cell(leaky(0.5))


def run(cell, dtype=np.float64, T=6):
    rng = RNG(0)
    params = unroll.init_cell(cell, 3, 4, rng, dtype)
    x = rng.normal(size=(T, 2, 3)).astype(dtype)
    return params, x, *unroll.forward(cell, params, x)


def test_leaky_with_alpha_one_is_the_rnn():
    _, _, hs, _, _ = run(leaky(1.0))
    np.testing.assert_allclose(hs, run(RNN)[2], atol=1e-15)


def test_leaky_moves_a_part_of_the_way():
    params, x, hs, _, _ = run(leaky(0.25))
    h = np.zeros((2, 4))
    for t in range(len(x)):
        target = np.tanh(x[t] @ params["W_xh"] + h @ params["W_hh"] + params["b_h"])
        h = 0.75 * h + 0.25 * target
        np.testing.assert_allclose(hs[t], h, atol=1e-14)


@pytest.mark.parametrize("cell", [RNN_RELU, leaky(0.3)], ids=lambda cell: cell.name)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtype_is_kept(cell, dtype):
    params, _, hs, state, cache = run(cell, dtype)
    grads, dx, dstate = unroll.backward(cell, params, cache, hs)
    for array in (hs, *state, *grads.values(), dx, *dstate):
        assert array.dtype == dtype


@pytest.mark.parametrize("alpha", [0, -0.1, 1.1, float("nan")])
def test_leaky_alpha(alpha):
    with pytest.raises(ValueError, match="alpha must lie in 0 < alpha ≤ 1"):
        leaky(alpha)


@pytest.mark.parametrize("cell", [RNN, leaky(0.3)], ids=lambda cell: cell.name)
@pytest.mark.parametrize("k", [1, 2, 3, 5, 7])
def test_truncated_backward_is_chunk_by_chunk_backward(cell, k):
    params, x, _, _, cache = run(cell, T=11)
    R = RNG(1).normal(size=(11, 2, 4))
    grads, dx, dstate = unroll.backward(cell, params, cache, R, truncate=k)

    expected, state, first = {name: 0 for name in grads}, None, None
    for start in range(0, 11, k):
        _, state, chunk = unroll.forward(cell, params, x[start : start + k], state)
        chunk_grads, chunk_dx, chunk_dstate = unroll.backward(
            cell, params, chunk, R[start : start + k]
        )
        expected = {name: expected[name] + chunk_grads[name] for name in grads}
        np.testing.assert_allclose(dx[start : start + k], chunk_dx, atol=1e-13)
        first = chunk_dstate if first is None else first
    for name in grads:
        np.testing.assert_allclose(grads[name], expected[name], atol=1e-12)
    np.testing.assert_allclose(dstate[0], first[0], atol=1e-13)


def test_truncation_beyond_the_sequence_changes_nothing():
    params, _, hs, _, cache = run(RNN)
    full, _, _ = unroll.backward(RNN, params, cache, hs)
    same, _, _ = unroll.backward(RNN, params, cache, hs, truncate=6)
    shorter, _, _ = unroll.backward(RNN, params, cache, hs, truncate=5)
    for name in full:
        np.testing.assert_array_equal(full[name], same[name])
    assert np.abs(full["W_hh"] - shorter["W_hh"]).max() > 1e-3


@pytest.mark.parametrize("truncate", [0, -1, 2.0])
def test_truncate_must_be_a_positive_integer(truncate):
    params, _, hs, _, cache = run(RNN)
    with pytest.raises(ValueError, match="truncate must be a positive integer"):
        unroll.backward(RNN, params, cache, hs, truncate=truncate)
