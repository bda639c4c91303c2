"""Read-outs of a sequence: gradients both ways, padding as a property, bad input."""

from functools import partial

import numpy as np
import pytest

from helpers import classifier, gradcheck
from helpers.gru import GRU
from helpers.lstm import LSTM
from helpers.text import pad

SIZES = {"V": 7, "D": 3, "H": 4, "C": 3}


def problem(readout, cell=LSTM, seed=0, lengths=(5, 2, 7, 1)):
    rng = np.random.default_rng(seed)
    params = classifier.init_classifier(cell, **SIZES, rng=rng, readout=readout, dtype=np.float64)
    for name in params:  # a question of zeros, or biases of zero, would hide a wrong gradient
        params[name] = params[name] + 0.6 * rng.standard_normal(params[name].shape)
    ids, lengths = pad([rng.integers(0, SIZES["V"], n) for n in lengths])
    return params, ids, lengths, rng.integers(0, SIZES["C"], len(lengths)), rng


def loss_of(*arguments):
    return classifier.loss_and_grads(*arguments).loss


@pytest.mark.parametrize(
    ("readout", "cell"), [*((r, LSTM) for r in classifier.READOUTS), ("ask", GRU)]
)
def test_gradients_against_finite_differences(readout, cell):
    params, ids, lengths, targets, rng = problem(readout, cell)
    masks = (rng.random((len(ids), len(lengths), 3)) < 0.7) / 0.7, np.full((len(lengths), 4), 1.3)
    for dropout_masks in (None, masks) if cell is LSTM else (None,):
        arguments = (cell, params, ids, targets, lengths, readout, dropout_masks)
        loss = partial(loss_of, *arguments)
        grads = classifier.loss_and_grads(*arguments).grads
        errors = gradcheck.compare(loss, params, grads, 1e-5)
        gradcheck.largest(errors, 1e-7)


@pytest.mark.parametrize("readout", classifier.READOUTS)
def test_pool_backward_with_a_random_cotangent(readout):
    params, _, lengths, _, rng = problem(readout)
    hs, R = rng.standard_normal((7, 4, 4)), rng.standard_normal((4, 4))
    _, _, cache = classifier.pool(readout, params, hs, lengths)
    grads, dhs = classifier.pool_backward(readout, params, cache, R)
    arrays = {name: params[name] for name in grads} | {"hs": hs}
    errors = gradcheck.compare(
        lambda: float((classifier.pool(readout, params, hs, lengths)[0] * R).sum()),
        arrays,
        grads | {"hs": dhs},
    )
    gradcheck.largest(errors, 1e-7)


@pytest.mark.parametrize("readout", classifier.READOUTS)
def test_padding_changes_nothing_and_each_sequence_stands_alone(readout):
    params, ids, lengths, targets, _ = problem(readout)
    read = classifier.predict(LSTM, params, ids, lengths, readout)
    grads = classifier.loss_and_grads(LSTM, params, ids, targets, lengths, readout).grads
    wider = np.full((len(ids) + 4, len(lengths)), 6)  # other symbols stand in a longer padding
    for b, n in enumerate(lengths):
        wider[:n, b] = ids[:n, b]
    other = classifier.predict(LSTM, params, wider, lengths, readout)
    np.testing.assert_allclose(other.z, read.z, atol=1e-12)
    again = classifier.loss_and_grads(LSTM, params, wider, targets, lengths, readout).grads
    for name in grads:
        np.testing.assert_allclose(again[name], grads[name], atol=1e-12)
    np.testing.assert_allclose(read.weights.sum(axis=1), 1, atol=1e-12)
    for b, n in enumerate(lengths):
        assert not read.weights[b, n:].any()
        alone = classifier.predict(LSTM, params, ids[:n, [b]], lengths[[b]], readout)
        np.testing.assert_allclose(alone.z[0], read.z[b], atol=1e-12)
        s = classifier.pool_one(readout, params, read.hs[:n, b])
        np.testing.assert_allclose(s @ params["W_hy"] + params["b_y"], read.z[b], atol=1e-12)


@pytest.mark.parametrize("readout", classifier.READOUTS)
def test_what_it_says_after_each_token_is_what_it_says_of_the_beginning(readout):
    params, ids, _, _, _ = problem(readout, lengths=(6,))
    hs = classifier.predict(LSTM, params, ids, np.array([6]), readout).hs
    z = classifier.read_out_prefixes(readout, params, hs)
    for t in range(1, 7):
        z_t = classifier.predict(LSTM, params, ids[:t], np.array([t]), readout).z
        np.testing.assert_allclose(z[t - 1], z_t, atol=1e-12)


def test_attention_begins_as_the_mean():
    rng = np.random.default_rng(0)
    params = classifier.init_classifier(GRU, **SIZES, rng=rng, readout="attention")
    ids, lengths = pad([rng.integers(0, 7, n) for n in (3, 6)])
    a, m = (classifier.predict(GRU, params, ids, lengths, r).z for r in ("attention", "mean"))
    np.testing.assert_allclose(a, m, atol=1e-6)


def test_bad_input_is_named():
    params, ids, lengths, targets, rng = problem("mean")
    with pytest.raises(ValueError, match="readout must be one of .* got 'max'"):
        classifier.predict(LSTM, params, ids, lengths, "max")
    with pytest.raises(ValueError, match="readout"):
        classifier.init_classifier(LSTM, **SIZES, rng=rng, readout="sum")
    with pytest.raises(ValueError, match="C must be a positive integer, got 0"):
        classifier.init_classifier(LSTM, 9, 3, 4, 0, rng)
    with pytest.raises(ValueError, match="lengths"):
        classifier.predict(LSTM, params, ids, np.array([0, 1, 2, 3]), "mean")
    with pytest.raises(IndexError, match="targets"):
        classifier.loss_and_grads(LSTM, params, ids, targets + 3, lengths, "mean")
    with pytest.raises(IndexError, match="ids"):
        classifier.predict(LSTM, params, ids + 9, lengths, "mean")
    with pytest.raises(ValueError, match="ds"):
        _, _, cache = classifier.pool("mean", params, np.ones((7, 4, 4)), lengths)
        classifier.pool_backward("mean", params, cache, np.ones((4, 5)))


@pytest.mark.parametrize("cell", [LSTM, GRU])
@pytest.mark.parametrize("readout", classifier.READOUTS)
def test_parity_with_torch(readout, cell):
    torch = pytest.importorskip("torch")
    from helpers.torch_classifier import TorchClassifier

    params, ids, lengths, targets, _ = problem(readout, cell)
    net = TorchClassifier(cell, params, readout)
    z, weights = net(torch.from_numpy(ids), torch.from_numpy(lengths))
    loss = torch.nn.functional.cross_entropy(z, torch.from_numpy(targets))
    loss.backward()
    ours = classifier.loss_and_grads(cell, params, ids, targets, lengths, readout)
    read = classifier.predict(cell, params, ids, lengths, readout)
    np.testing.assert_allclose(z.detach(), read.z, atol=1e-12)
    np.testing.assert_allclose(weights.detach(), read.weights, atol=1e-12)
    assert abs(loss.item() - ours.loss) < 1e-12
    for name, p in net.own.items():
        np.testing.assert_allclose(p.grad, ours.grads[name], atol=1e-9, err_msg=name)
    np.testing.assert_allclose(net.rnn.weight_hh_l0.grad.T, ours.grads["W_hh_l0"], atol=1e-9)
    np.testing.assert_allclose(net.rnn.weight_ih_l0.grad.T, ours.grads["W_xh_l0"], atol=1e-9)
    back = net.params()
    assert back.keys() == params.keys()
    for name in params:
        np.testing.assert_allclose(back[name], params[name], atol=1e-12)
