"""Jacobians through time, against finite differences and against the backward pass."""

import numpy as np
import pytest

from helpers import jacobians, unroll
from helpers.activations import dtanh
from helpers.gradcheck import random_problem
from helpers.gru import GRU, GRU_CHO
from helpers.lstm import LSTM, PEEPHOLE
from helpers.rnn import RNN, RNN_RELU, Cell, leaky

RNG = np.random.default_rng


def _two_forward(a, ah, prev, new):
    a += ah
    np.tanh(a, out=a)
    new[1][:] = 0.9 * prev[1] + 0.3 * a[0]  # a sum that runs through time
    new[0][:] = np.tanh(new[1])


def _two_slopes(a, states):
    return 0.3 * dtanh(a), (dtanh(states[0][1:]),)


def _two_backward(dstate, da, extra):
    dc = dstate[1] + dstate[0] * extra[0]
    da *= dc
    return None, 0.9 * dc


TWO_STATES = Cell("two", "a", 2, _two_forward, _two_slopes, _two_backward)
CELLS = pytest.mark.parametrize(
    "cell",
    [RNN, RNN_RELU, leaky(0.3), TWO_STATES, LSTM, PEEPHOLE, GRU, GRU_CHO],
    ids=lambda cell: cell.name,
)


def run(cell, T=5, B=3, D=2, H=4, seed=0):
    params, x, state, _, _ = random_problem(cell, T, B, D, H, seed)
    return params, x, state, unroll.forward(cell, params, x, state)[2]


@CELLS
def test_steps_and_products_agree_with_finite_differences(cell):
    params, x, state, cache = run(cell)
    J = jacobians.step_jacobians(cell, params, cache)
    P = jacobians.products(J)
    n, eps = J.shape[-1], 1e-6

    def end(flat, t, stop):
        parts = tuple(np.ascontiguousarray(p) for p in np.split(flat, cell.n_states, axis=-1))
        return np.hstack(unroll.forward(cell, params, x[t:stop], parts)[1])

    for t in range(len(x)):
        at = np.hstack([s[t] for s in cache.states])
        for exact, stop in ((J[t], t + 1), (P[t], len(x))):
            for j in range(n):
                up, down = at.copy(), at.copy()
                up[:, j] += eps
                down[:, j] -= eps
                numeric = (end(up, t, stop) - end(down, t, stop)) / (2 * eps)
                np.testing.assert_allclose(exact[:, :, j], numeric, atol=1e-8)


@CELLS
def test_backward_is_multiplication_by_the_product(cell):
    params, _x, state, cache = run(cell)
    dstate = tuple(RNG(1).normal(size=s.shape) for s in state)
    _, _, back = unroll.backward(cell, params, cache, dstate=dstate)
    P = jacobians.products(jacobians.step_jacobians(cell, params, cache))
    expected = np.einsum("bi,bij->bj", np.hstack(dstate), P[0])
    np.testing.assert_allclose(np.hstack(back), expected, rtol=1e-12, atol=1e-14)


def test_step_of_the_rnn_is_slope_times_transposed_matrix():
    params, _, _, cache = run(RNN)
    J = jacobians.step_jacobians(RNN, params, cache)
    h = cache.states[0][3, 1]
    np.testing.assert_allclose(J[2, 1], np.diag(1 - h**2) @ params["W_hh"].T)


def test_growth_begins_with_one_and_ends_with_the_whole_way():
    params, _, _, cache = run(RNN)
    g = jacobians.growth(RNN, params, cache)
    P = jacobians.products(jacobians.step_jacobians(RNN, params, cache))
    assert g.shape == (6, 3)
    np.testing.assert_allclose(g[0], 1)
    np.testing.assert_allclose(g[-1], np.linalg.svd(P[0], compute_uv=False)[:, 0])


def test_gradient_flow_adds_up_to_the_backward_pass_of_one_answer():
    params, x, _, cache = run(RNN)
    T, B, H = len(x), 3, 4
    dhs = RNG(2).normal(size=(T, B, H))
    F = jacobians.gradient_flow(jacobians.step_jacobians(RNN, params, cache), dhs)
    assert np.isnan(F[1, 2])
    assert np.isnan(F).sum() == T * (T - 1) / 2
    np.testing.assert_allclose(np.diag(F), np.sqrt((dhs**2).sum(-1).mean(-1)))
    # Only step 3 asks: what arrives at h_1 is the gradient of the initial state of steps 2 … T.
    alone = np.zeros_like(dhs)
    alone[3] = dhs[3]
    later = unroll.forward(RNN, params, x[1:], (cache.states[0][1].copy(),))[2]
    _, _, (dh,) = unroll.backward(RNN, params, later, alone[1:])
    assert F[3, 0] == pytest.approx(np.sqrt((dh**2).sum(-1).mean()))


def test_single_precision_is_kept():
    params = unroll.init_cell(RNN, 2, 4, RNG(0))
    cache = unroll.forward(RNN, params, np.ones((3, 1, 2), np.float32))[2]
    J = jacobians.step_jacobians(RNN, params, cache)
    assert J.dtype == jacobians.products(J).dtype == np.float32


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (
            lambda: jacobians.step_jacobians(RNN, {"W_hh": np.ones((3, 3))}, run(RNN)[3]),
            r"params\['W_hh'\] has shape \(3, 3\), expected \(4, 4\)",
        ),
        (lambda: jacobians.products(np.ones((2, 3, 3))), r"J has shape \(2, 3, 3\), expected"),
        (lambda: jacobians.products(np.ones((2, 1, 3, 2))), r"expected \(2, 1, 2, 2\)"),
        (lambda: jacobians.norms(np.full((2, 2), np.inf)), "matrices holds 4 non-finite"),
        (
            lambda: jacobians.gradient_flow(np.ones((2, 1, 3, 3)), np.ones((2, 1, 4))),
            r"dhs has shape \(2, 1, 4\), expected \(2, 1, 3\)",
        ),
    ],
)
def test_bad_input(call, words):
    with pytest.raises(ValueError, match=words):
        call()
