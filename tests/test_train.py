"""The training loop and the language model that it trains first."""

import itertools
import sys
from functools import partial

import numpy as np
import pytest
import torch

from helpers import gradcheck, losses, optim, text, torch_parity, train, unroll
from helpers import language_model as lm
from helpers.rnn import RNN

RNG = np.random.default_rng


def model(V=5, D=3, H=4, dtype=np.float64, seed=0):
    return lm.init_language_model(RNN, V, D, H, RNG(seed), dtype)


def ids(T, B, V=5, seed=1):
    return RNG(seed).integers(0, V, (T, B))


def step(params, batch, state):
    return lm.loss_and_grads(RNN, params, batch.inputs, batch.targets, state)


# --- the language model -------------------------------------------------------------------------


def test_every_gradient_of_the_language_model():
    params, inputs, targets = model(), ids(6, 2), ids(6, 2, seed=2)
    state = (RNG(3).normal(size=(2, 4)),)
    _, grads, _ = lm.loss_and_grads(RNN, params, inputs, targets, state)
    errors = gradcheck.compare(
        lambda: lm.loss_and_grads(RNN, params, inputs, targets, state)[0], params, grads
    )
    gradcheck.largest(errors, 1e-7)


def test_language_model_equals_torch():
    params, inputs, targets = model(), ids(6, 2), ids(6, 2, seed=2)
    loss, grads, _ = lm.loss_and_grads(RNN, params, inputs, targets)
    layer = torch_parity.to_torch(RNN, params)
    E, W_hy, b_y = (torch.tensor(params[k], requires_grad=True) for k in ("E", "W_hy", "b_y"))
    hs, _ = layer(E[torch.tensor(inputs)])
    tloss = torch.nn.functional.cross_entropy(
        (hs @ W_hy + b_y).reshape(12, 5), torch.tensor(targets).reshape(12)
    )
    tloss.backward()
    assert abs(loss - tloss.item()) < 1e-12
    pairs = {
        "E": E.grad, "W_hy": W_hy.grad, "b_y": b_y.grad, "b_h": layer.bias_ih_l0.grad,
        "W_xh": layer.weight_ih_l0.grad.T, "W_hh": layer.weight_hh_l0.grad.T,
    }  # fmt: skip
    assert pairs.keys() == grads.keys()
    for name, theirs in pairs.items():
        np.testing.assert_allclose(grads[name], theirs.numpy(), atol=1e-12)


@pytest.mark.parametrize("chunk", [1, 4, 7, 1000])
def test_evaluation_does_not_depend_on_the_chunk(chunk):
    params, text_ids = model(), ids(30, 1)[:, 0]
    whole, _, _ = lm.predict(RNN, params, text_ids[:-1, None])
    expected, _ = losses.cross_entropy(whole, text_ids[1:, None])
    assert lm.evaluate(RNN, params, text_ids, chunk) == pytest.approx(expected, abs=1e-12)


def test_sampling_follows_the_model():
    params = model(H=2)
    params["W_hy"][:] = 0  # then p = softmax(b_y) at every step
    params["b_y"][:] = np.log([0.5, 0.25, 0.125, 0.125, 1e-30])
    drawn = lm.sample(RNN, params, np.array([0]), 4000, RNG(0))
    np.testing.assert_allclose(
        np.bincount(drawn, minlength=5) / 4000, [0.5, 0.25, 0.125, 0.125, 0], atol=0.03
    )
    cold = lm.sample(RNN, params, np.array([0]), 4000, RNG(0), temperature=0.5)
    np.testing.assert_allclose((cold == 0).mean(), 0.25 / 0.34375, atol=0.03)  # p² / Σ p²
    assert (lm.sample(RNN, params, np.array([0]), 9, RNG(0), temperature=0) == 0).all()


def test_sampling_reads_the_prompt_and_feeds_back():
    params = model()
    prompt = np.array([1, 2, 3])
    greedy = lm.sample(RNN, params, prompt, 5, RNG(0), temperature=0)
    read = prompt
    for expected in greedy:
        logits, _, _ = lm.predict(RNN, params, read[:, None])
        assert logits[-1, 0].argmax() == expected
        read = np.append(read, expected)


def test_sampling_feeds_its_own_symbols_back():
    """A network without memory that answers i with i + 1 must count on from the prompt."""
    params = {name: np.zeros_like(p) for name, p in model(D=5, H=5).items()}
    params["E"] = 3 * np.eye(5)
    params["W_xh"] = np.eye(5)
    params["W_hy"] = 100 * np.roll(np.eye(5), 1, axis=1)
    for temperature in (0, 1):
        drawn = lm.sample(RNN, params, np.array([0, 2]), 6, RNG(0), temperature=temperature)
        assert drawn.tolist() == [3, 4, 0, 1, 2, 3]


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda p: lm.sample(RNN, p, np.array([0]), 0, RNG(0)), ValueError, "n must be a positive"),
        (lambda p: lm.sample(RNN, p, np.array([], int), 3, RNG(0)), ValueError, "prompt is empty"),
        (lambda p: lm.sample(RNN, p, np.array([5]), 3, RNG(0)), IndexError, "prompt must lie in"),
        (
            lambda p: lm.sample(RNN, p, np.array([0]), 3, RNG(0), temperature=-1),
            ValueError,
            "temperature must be zero or a positive number, got -1",
        ),
        (
            lambda p: lm.sample(RNN, p, np.array([0]), 3, RNG(0), temperature=np.nan),
            ValueError,
            "temperature must be zero or a positive number, got nan",
        ),
        (lambda p: lm.predict(RNN, p, np.array([0])), ValueError, "inputs has shape"),
        (
            lambda p: lm.loss_and_grads(RNN, p, ids(2, 2), ids(3, 2)),
            ValueError,
            r"logits has shape \(2, 2, 5\), expected \(3, 2, 5\)",
        ),
        (lambda p: lm.evaluate(RNN, p, np.array([1])), ValueError, "ids has 1 entry"),
        (lambda p: lm.evaluate(RNN, p, np.arange(3), chunk=0), ValueError, "chunk must be"),
        (lambda p: lm.init_language_model(RNN, 0, 1, 1, RNG(0)), ValueError, "V must be"),
    ],
)
def test_bad_input(call, error, words):
    with pytest.raises(error, match=words):
        call(model())


# --- the loop -----------------------------------------------------------------------------------


def test_training_learns_a_periodic_text_and_is_reproducible():
    text_ids = np.tile([0, 1, 2, 1], 50)
    losses_seen = []
    for _ in range(2):
        params = model(dtype=np.float32, V=3, H=8)
        history = train.train(
            step, params, text.sequential_batches(text_ids, 8, 4), 150, lr=0.02, progress=False
        )
        losses_seen.append(history.loss)
    assert losses_seen[0][0] > 0.8
    assert losses_seen[0][-1] < 0.05  # what follows a 1 is decided by what came before it
    np.testing.assert_array_equal(*losses_seen)
    assert history.loss.shape == history.grad_norm.shape == history.seconds.shape == (150,)
    assert (np.diff(history.seconds) > 0).all()


def test_state_is_carried_within_a_stream_and_dropped_at_its_start():
    seen = []

    def spy(params, batch, state):
        seen.append((batch.start, state))
        return 0.0, {"w": np.zeros(1)}, len(seen)

    batches = text.sequential_batches(np.arange(13), 2, 2)  # three chunks a pass
    train.train(spy, {"w": np.ones(1)}, batches, 5, lr=0.1, progress=False)
    assert seen == [(True, None), (False, 1), (False, 2), (True, None), (False, 4)]


def test_clipping_and_schedule_reach_the_update():
    params = {"w": np.zeros(1)}
    stream = itertools.repeat(text.Batch(None, None))
    history = train.train(
        lambda p, b, s: (0.0, {"w": np.full(1, 10.0)}, None), params, stream, 2,
        lr=train.linear_decay(1.0, 2), optimizer=optim.SGD, max_norm=2.0, progress=False,
    )  # fmt: skip
    assert params["w"][0] == pytest.approx(-(1.0 * 2 + 0.5 * 2))
    assert history.grad_norm.tolist() == [10.0, 10.0]  # before clipping


@pytest.mark.parametrize(("loss", "grad"), [(np.nan, 1.0), (1.0, np.inf), (1.0, np.nan)])
@pytest.mark.parametrize("max_norm", [None, 1.0])
def test_non_finite_training_stops_with_a_message(loss, grad, max_norm):
    params = {"w": np.zeros(1)}
    stream = itertools.repeat(text.Batch(None, None))

    def explode(p, b, s):
        return loss, {"w": np.full(1, grad)}, None

    with pytest.raises(FloatingPointError, match="training stopped at update 0"):
        train.train(explode, params, stream, 5, lr=1.0, max_norm=max_norm, progress=False)
    assert params["w"][0] == 0  # nothing was updated


def test_overflow_before_the_loss_stops_with_the_same_message():
    params = model()
    batches = text.random_batches(ids(40, 1)[:, 0], 5, 2, RNG(0))

    def overflowing(params, batch, state):
        params["W_hy"][:] = np.nan
        return step(params, batch, state)

    with pytest.raises(FloatingPointError, match="stopped at update 0: .*non-finite.*smaller lr"):
        train.train(overflowing, params, batches, 5, lr=1.0, progress=False)


@pytest.mark.parametrize("progress", [True, False])
def test_training_without_tqdm_shows_no_bar(progress, monkeypatch, capsys):
    """What `pip install -e .` alone gives: NumPy and matplotlib, and `train` with its defaults."""
    monkeypatch.setitem(sys.modules, "tqdm", None)
    params, batches = model(), text.random_batches(ids(40, 1)[:, 0], 5, 2, RNG(0))
    history = train.train(step, params, batches, 3, lr=0.01, progress=progress)
    assert len(history.loss) == 3
    assert capsys.readouterr() == ("", "")


def test_bad_arguments():
    run = partial(train.train, step, model(), progress=False)
    with pytest.raises(ValueError, match="batches ran out after 1 of n_updates=2"):
        run([text.Batch(ids(3, 2), ids(3, 2))], 2, lr=0.1)
    with pytest.raises(ValueError, match="n_updates must be a positive integer"):
        run([], 0, lr=0.1)


def test_gradient_check_refuses_float32_and_unequal_names():
    with pytest.raises(ValueError, match="array must be float64"):
        gradcheck.numerical_gradient(lambda: 0.0, np.zeros(2, np.float32))
    with pytest.raises(ValueError, match="arrays and gradients differ"):
        gradcheck.compare(lambda: 0.0, {"a": np.zeros(1)}, {"b": np.zeros(1)})
    with pytest.raises(ValueError, match="a has shape"):
        gradcheck.relative_error(np.zeros(2), np.zeros(3))


@pytest.mark.parametrize("broken", ["W_hh", "b_h", "W_xh"])
def test_gradient_check_catches_a_wrong_gradient(broken, monkeypatch):
    right = unroll.backward

    def wrong(*args):
        grads, dx, dstate = right(*args)
        grads[broken] = grads[broken] * 1.001
        return grads, dx, dstate

    monkeypatch.setattr(unroll, "backward", wrong)
    errors = gradcheck.check_cell(RNN)
    assert errors[broken] > 5e-4
    del errors[broken]
    gradcheck.largest(errors, 1e-7)
