"""Real-time recurrent learning: the gradient of backpropagation, without looking back."""

import numpy as np
import pytest
import torch

from helpers import gradcheck, losses, real_time, rnn, sequence_model, unroll
from helpers.optim import SGD
from helpers.rnn import RNN

RNG = np.random.default_rng


@pytest.mark.parametrize(("T", "B", "D", "H"), [(12, 3, 2, 5), (1, 1, 1, 1), (30, 1, 4, 6)])
def test_the_gradient_is_that_of_backpropagation(T, B, D, H):
    params, x, (h_0,), R, _ = gradcheck.random_problem(RNN, T, B, D, H, 0)
    hs = rnn.rnn_loop(params, x, h_0)
    grads, _, _ = rnn.rnn_bptt(params, x, h_0, hs, R, np.zeros_like(h_0))
    found, found_hs, _ = real_time.rtrl(params, x, h_0, R)
    differences = {name: np.abs(grads[name] - found[name]).max() for name in grads}
    differences["hs"] = np.abs(hs - found_hs).max()
    assert gradcheck.largest(differences, 1e-10) < 1e-10


def test_the_gradient_is_that_of_differences_and_of_torch():
    params, x, (h_0,), R, _ = gradcheck.random_problem(RNN, 6, 2, 3, 4, 1)
    found = real_time.rtrl(params, x, h_0, R)[0]
    errors = gradcheck.compare(
        lambda: float((R * rnn.rnn_loop(params, x, h_0)).sum()), params, found
    )
    assert gradcheck.largest(errors, 1e-6) < 1e-6
    tensors = {name: torch.tensor(a, requires_grad=True) for name, a in params.items()}
    h, loss = torch.tensor(h_0), 0.0
    for x_t, R_t in zip(torch.tensor(x), torch.tensor(R)):
        h = torch.tanh(x_t @ tensors["W_xh"] + h @ tensors["W_hh"] + tensors["b_h"])
        loss = loss + (R_t * h).sum()
    loss.backward()
    differences = {n: np.abs(g - tensors[n].grad.numpy()).max() for n, g in found.items()}
    assert gradcheck.largest(differences, 1e-9) < 1e-9


def test_chunks_and_causality():
    params, x, (h_0,), R, _ = gradcheck.random_problem(RNN, 9, 2, 3, 4, 2)
    whole, hs, M = real_time.rtrl(params, x, h_0, R)
    first, hs_1, M_1 = real_time.rtrl(params, x[:4], h_0, R[:4])
    second, hs_2, M_2 = real_time.rtrl(params, x[4:], hs_1[-1], R[4:], M_1)
    for name in whole:
        np.testing.assert_allclose(first[name] + second[name], whole[name], atol=1e-12)
    np.testing.assert_array_equal(np.concatenate([hs_1, hs_2]), hs)
    np.testing.assert_array_equal(M_2, M)
    asked_early = R.copy()
    asked_early[4:] = 0  # what comes after the last pull does not matter
    early = real_time.rtrl(params, x, h_0, asked_early)[0]
    for name in whole:
        np.testing.assert_allclose(early[name], first[name], atol=1e-14)


def test_influence_is_the_derivative_of_the_state():
    params, x, (h_0,), _, _ = gradcheck.random_problem(RNN, 4, 1, 2, 3, 3)
    M = real_time.rtrl(params, x, h_0, np.zeros((4, 1, 3)))[2]
    params["W_hh"][1, 2] += 1e-6
    above = rnn.rnn_loop(params, x, h_0)[-1]
    params["W_hh"][1, 2] -= 2e-6
    below = rnn.rnn_loop(params, x, h_0)[-1]
    np.testing.assert_allclose(M[:, 2 + 1, 2], (above - below) / 2e-6, atol=1e-9)


def test_with_a_rate_of_zero_the_online_losses_are_those_of_the_network():
    rng = RNG(0)
    params = sequence_model.init_sequence_model(RNN, 2, 5, 1, rng, np.float64)
    x, y = rng.normal(size=(8, 3, 2)), rng.normal(size=(8, 3, 1))
    z = sequence_model.predict(RNN, params, x)[0]
    values = real_time.learn_online(params, x, y, losses.mse, 0.0)
    np.testing.assert_allclose(values, [losses.mse(a, b)[0] for a, b in zip(z, y)], atol=1e-12)


def test_the_first_online_update_is_the_gradient_of_the_first_step():
    rng = RNG(1)
    params = sequence_model.init_sequence_model(RNN, 2, 5, 1, rng, np.float64)
    start = {name: array.copy() for name, array in params.items()}
    x, y = rng.normal(size=(1, 3, 2)), rng.normal(size=(1, 3, 1))
    grads = sequence_model.loss_and_grads(RNN, params, x, lambda z: losses.mse(z, y)).grads
    real_time.learn_online(params, x, y, losses.mse, 0.1, optimizer=SGD)
    for name in params:
        np.testing.assert_allclose(params[name], start[name] - 0.1 * grads[name], atol=1e-12)


def echo_stream(T, lag, rng):
    bits = rng.choice([-1.0, 1.0], (T, 1, 1))
    return bits, np.concatenate([np.zeros((lag, 1, 1)), bits[:-lag]])


def test_it_learns_what_one_step_alone_does_not_show():
    final = {}
    for remember in (True, False):
        rng = RNG(0)
        params = sequence_model.init_sequence_model(RNN, 1, 12, 1, rng, np.float64)
        x, y = echo_stream(1500, 4, rng)
        values = real_time.learn_online(params, x, y, losses.mse, 0.003, remember=remember)
        final[remember] = values[-300:].mean()
    assert final[True] < 0.1 and final[False] > 0.5


def test_dtype_is_kept():
    params = unroll.init_cell(RNN, 2, 3, RNG(0))
    x, h_0, R = (RNG(1).normal(size=s).astype(np.float32) for s in ((4, 2, 2), (2, 3), (4, 2, 3)))
    grads, hs, M = real_time.rtrl(params, x, h_0, R)
    assert {a.dtype for a in (*grads.values(), hs, M)} == {np.dtype(np.float32)}


def test_bad_input_names_the_argument():
    params, x, (h_0,), R, _ = gradcheck.random_problem(RNN, 4, 2, 3, 4, 0)
    cases = [
        ("x", (params, x[:, :, :2], h_0, R)), ("h_0", (params, x, h_0[:1], R)),
        ("dhs", (params, x, h_0, R[:3])), ("x is empty", (params, x[:0], h_0, R)),
        ("h_0 holds", (params, x, np.full_like(h_0, np.nan), R)),
        ("expected one dtype", (params, x.astype(np.float32), h_0, R)),
        ("M has", (params, x, h_0, R, np.zeros((2, 8, 4, 3)))),
    ]  # fmt: skip
    for words, arguments in cases:
        with pytest.raises(ValueError, match=words):
            real_time.rtrl(*arguments)
    whole = {**params, "W_hy": np.zeros((4, 1)), "b_y": np.zeros(1)}
    for lr in (-1, np.nan, np.inf):
        with pytest.raises(ValueError, match="^lr must"):
            real_time.learn_online(whole, x, np.zeros((4, 2, 1)), losses.mse, lr)
