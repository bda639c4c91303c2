"""Activations, layers and losses: gradients against finite differences, values against torch."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers import activations, gradcheck, layers, losses

RNG = np.random.default_rng


@pytest.mark.parametrize(
    ("f", "df"),
    [
        (activations.tanh, activations.dtanh),
        (activations.sigmoid, activations.dsigmoid),
        (activations.relu, activations.drelu),
    ],
)
def test_slopes_from_outputs(f, df):
    a, R = RNG(0).normal(size=(3, 4)), RNG(1).normal(size=(3, 4))
    numerical = gradcheck.numerical_gradient(lambda: float((R * f(a)).sum()), a)
    assert gradcheck.relative_error(R * df(f(a)), numerical) < 1e-8


def test_softmax_gradient():
    z, R = RNG(0).normal(size=(3, 4)), RNG(1).normal(size=(3, 4))
    numerical = gradcheck.numerical_gradient(lambda: float((R * activations.softmax(z)).sum()), z)
    ours = activations.dsoftmax(activations.softmax(z), R)
    assert gradcheck.relative_error(ours, numerical) < 1e-8


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_large_logits_do_not_overflow(dtype):
    z = np.array([[1e4, 0.0, -1e4]], dtype)
    assert activations.softmax(z).tolist() == [[1.0, 0.0, 0.0]]
    assert activations.log_softmax(z).tolist() == [[0.0, -1e4, -2e4]]
    assert activations.sigmoid(z).tolist() == [[1.0, 0.5, 0.0]]
    for f in (activations.softmax, activations.log_softmax, activations.sigmoid, activations.relu):
        assert f(z).dtype == dtype


def test_embedding_is_one_hot_times_matrix():
    params = layers.init_embedding(5, 3, RNG(0))
    ids = RNG(1).integers(0, 5, (4, 2))
    x = layers.embedding_forward(params, ids)
    np.testing.assert_array_equal(x, layers.one_hot(ids, 5) @ params["E"])
    assert x.shape == (4, 2, 3)


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 6), st.integers(1, 5), st.integers(1, 7), st.integers(0, 99))
def test_embedding_gradient_sums_over_repeated_ids(T, B, V, seed):
    rng = RNG(seed)
    params = layers.init_embedding(V, 3, rng, np.float64)
    ids, dx = rng.integers(0, V, (T, B)), rng.normal(size=(T, B, 3))
    dE = layers.embedding_backward(params, ids, dx)["E"]
    expected = np.zeros((V, 3))
    np.add.at(expected, ids, dx)
    np.testing.assert_allclose(dE, expected, atol=1e-12)


def test_linear_gradients():
    rng = RNG(0)
    params = layers.init_linear(4, 3, rng, np.float64)
    h, R = rng.normal(size=(5, 2, 4)), rng.normal(size=(5, 2, 3))
    grads, dh = layers.linear_backward(params, h, R)
    errors = gradcheck.compare(
        lambda: float((R * layers.linear_forward(params, h)).sum()),
        {**params, "h": h},
        {**grads, "h": dh},
    )
    gradcheck.largest(errors, 1e-8)


@pytest.mark.parametrize("masked", [False, True])
def test_cross_entropy_against_torch_and_finite_differences(masked):
    rng = RNG(0)
    z, targets = rng.normal(size=(5, 2, 4)) * 3, rng.integers(0, 4, (5, 2))
    mask = rng.random((5, 2)) < 0.6 if masked else None
    loss, dz = losses.cross_entropy(z, targets, mask)
    numerical = gradcheck.numerical_gradient(lambda: losses.cross_entropy(z, targets, mask)[0], z)
    assert gradcheck.relative_error(dz, numerical) < 1e-7

    tz = torch.tensor(z, requires_grad=True)
    ignored = torch.tensor(targets if mask is None else np.where(mask, targets, -100))
    tloss = torch.nn.functional.cross_entropy(
        tz.reshape(-1, 4), ignored.reshape(-1), ignore_index=-100
    )
    tloss.backward()
    assert abs(loss - tloss.item()) < 1e-12
    np.testing.assert_allclose(dz, tz.grad.numpy(), atol=1e-12)


def test_cross_entropy_of_uniform_guessing_is_log_V():
    loss, _ = losses.cross_entropy(np.zeros((3, 8)), np.array([0, 3, 7]))
    assert loss == pytest.approx(np.log(8))
    assert losses.bits(loss) == pytest.approx(3)
    assert losses.perplexity(loss) == pytest.approx(8)


def test_mse():
    rng = RNG(0)
    pred, target = rng.normal(size=(4, 2)), rng.normal(size=(4, 2))
    loss, dpred = losses.mse(pred, target)
    assert loss == pytest.approx(((pred - target) ** 2).mean())
    numerical = gradcheck.numerical_gradient(lambda: losses.mse(pred, target)[0], pred)
    assert gradcheck.relative_error(dpred, numerical) < 1e-8


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtype_is_kept(dtype):
    rng = RNG(0)
    params = {**layers.init_embedding(5, 4, rng, dtype), **layers.init_linear(4, 3, rng, dtype)}
    ids = np.array([[0, 1]])
    x = layers.embedding_forward(params, ids)
    z = layers.linear_forward(params, x)
    _, dz = losses.cross_entropy(z, np.array([[0, 2]]))
    grads, dx = layers.linear_backward(params, x, dz)
    dE = layers.embedding_backward(params, ids, dx)["E"]
    _, dpred = losses.mse(z, z)
    for array in (x, z, dz, dx, dE, dpred, *grads.values(), layers.one_hot(ids, 5, dtype)):
        assert array.dtype == dtype


LINEAR = layers.init_linear(4, 3, RNG(0))
EMBEDDING = layers.init_embedding(5, 4, RNG(0))
Z = np.zeros((2, 3), np.float32)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: layers.one_hot(np.array([5]), 5), IndexError, "ids must lie in 0 … 4"),
        (lambda: layers.one_hot(np.array([0]), 0), ValueError, "V must be a positive integer"),
        (lambda: layers.init_linear(0, 3, RNG(0)), ValueError, "H must be a positive"),
        (lambda: layers.init_embedding(3, -1, RNG(0)), ValueError, "D must be a positive"),
        (lambda: layers.embedding_forward(EMBEDDING, np.array([-1])), IndexError, "ids must lie"),
        (lambda: layers.embedding_forward(EMBEDDING, np.array([0.5])), TypeError, "ids must be"),
        (
            lambda: layers.embedding_backward(EMBEDDING, np.array([1]), np.zeros((2, 4))),
            ValueError,
            r"dx has shape \(2, 4\), expected \(1, 4\)",
        ),
        (
            lambda: layers.linear_forward(LINEAR, np.zeros((2, 5), np.float32)),
            ValueError,
            r"h has shape \(2, 5\), expected \(…, 4\)",
        ),
        (lambda: layers.linear_forward(LINEAR, np.zeros((2, 4))), ValueError, "h float64"),
        (
            lambda: layers.linear_backward(LINEAR, np.zeros((2, 4), np.float32), np.zeros((2, 2))),
            ValueError,
            r"dz has shape \(2, 2\), expected \(2, 3\)",
        ),
        (
            lambda: losses.cross_entropy(Z, np.array([0, 3])),
            IndexError,
            "targets must lie in 0 … 2",
        ),
        (lambda: losses.cross_entropy(Z, np.array([0])), ValueError, r"logits has shape \(2, 3\)"),
        (lambda: losses.cross_entropy([1.0], np.array([0])), TypeError, "logits must be an array"),
        (lambda: losses.cross_entropy(Z + np.nan, np.array([0, 1])), ValueError, "logits holds 6"),
        (
            lambda: losses.cross_entropy(Z, np.array([0, 1]), np.array([False, False])),
            ValueError,
            "mask is False everywhere",
        ),
        (
            lambda: losses.cross_entropy(Z, np.array([0, 1]), np.array([1, 0])),
            ValueError,
            "mask must hold booleans, got dtype int64",
        ),
        (lambda: losses.mse(Z, Z[:1]), ValueError, r"pred has shape \(2, 3\), expected \(1, 3\)"),
        (lambda: losses.mse(Z, Z.astype(float)), ValueError, "pred float32, target float64"),
        (lambda: losses.mse(Z + np.inf, Z), ValueError, "pred holds 6 non-finite"),
    ],
)
def test_bad_input(call, error, words):
    with pytest.raises(error, match=words):
        call()
