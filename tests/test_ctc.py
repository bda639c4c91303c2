"""CTC: against all paths, finite differences and torch; and what is at the border."""

import numpy as np
import pytest

from helpers import ctc, gradcheck
from helpers.activations import log_softmax
from helpers.lstm import LSTM

torch = pytest.importorskip("torch")


def random_batch(seed, T=9, B=5, V=4, longest=4):
    """Logits, lengths and targets that fit, the first one empty."""
    rng = np.random.default_rng(seed)
    logits, lengths = rng.normal(size=(T, B, V)) * 2, rng.integers(5, T + 1, size=B)
    targets = [rng.integers(1, V, size=rng.integers(0, longest)) for _ in range(B)]
    targets[0] = np.array([], int)
    return logits, lengths, targets


@pytest.mark.parametrize(
    ("path", "labels"),
    [
        ((1, 1, 0, 1, 2, 2, 0), (1, 1, 2)),
        ((0, 0), ()),
        ((), ()),
        ((2, 2, 2), (2,)),
        ((1, 2, 1), (1, 2, 1)),
    ],
)
def test_collapse(path, labels):
    assert ctc.collapse(path) == labels


def test_against_all_paths():
    rng = np.random.default_rng(0)
    log_p = log_softmax(rng.normal(size=(5, 3)))
    by_paths = ctc.log_p_by_paths(log_p)
    assert np.logaddexp.reduce(list(by_paths.values())) == pytest.approx(0, abs=1e-12)
    for labels, value in by_paths.items():
        assert ctc.ctc_log_p(log_p, labels) == pytest.approx(value, abs=1e-12)
        loss, _ = ctc.ctc_loss(log_p[:, None], [labels])
        assert -loss == pytest.approx(value, abs=1e-12)
    for impossible in ((1, 1, 1, 1), (1, 2, 1, 2, 1, 2)):
        assert impossible not in by_paths
        assert ctc.ctc_log_p(log_p, impossible) == -np.inf


def test_alpha_and_beta_meet_at_every_frame():
    log_p = log_softmax(np.random.default_rng(1).normal(size=(7, 4)))
    target = (1, 1, 3)
    both = ctc.ctc_alpha(log_p, target) + ctc.ctc_beta(log_p, target)
    meets = np.logaddexp.reduce(both, axis=1)
    np.testing.assert_allclose(meets, ctc.ctc_log_p(log_p, target), atol=1e-12)
    np.testing.assert_allclose(ctc.ctc_occupancy(log_p, target).sum(axis=1), 1, atol=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_batch_against_one_by_one(seed):
    logits, lengths, targets = random_batch(seed)
    loss, dlogits = ctc.ctc_loss(logits, targets, lengths)
    log_y, total = log_softmax(logits), 0
    for b, (n, target) in enumerate(zip(lengths, targets)):
        total -= ctc.ctc_log_p(log_y[:n, b], target)
        wanted = np.exp(log_y[:n, b]) - ctc.ctc_occupancy(log_y[:n, b], target)
        np.testing.assert_allclose(dlogits[:n, b] * len(targets), wanted, atol=1e-12)
        assert (dlogits[n:, b] == 0).all()
    assert loss == pytest.approx(total / len(targets), abs=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_against_finite_differences(seed):
    logits, lengths, targets = random_batch(seed, T=7, B=3)
    lengths = np.minimum(lengths, 7)

    def f():
        return ctc.ctc_loss(logits, targets, lengths)[0]

    _, dlogits = ctc.ctc_loss(logits, targets, lengths)
    gradcheck.largest(gradcheck.compare(f, {"logits": logits}, {"logits": dlogits}), 1e-7)


@pytest.mark.parametrize("seed", range(6))
def test_against_torch(seed):
    logits, lengths, targets = random_batch(seed, T=20, B=6, V=5, longest=5)
    z = torch.tensor(logits, requires_grad=True)
    theirs = torch.nn.CTCLoss(blank=0, reduction="sum")(
        z.log_softmax(-1), torch.tensor(np.concatenate(targets)), torch.tensor(lengths),
        torch.tensor([len(target) for target in targets]),
    ) / len(targets)  # fmt: skip
    theirs.backward()
    loss, dlogits = ctc.ctc_loss(logits, targets, lengths)
    assert abs(loss - theirs.item()) < 1e-9
    assert gradcheck.absolute_error(dlogits, z.grad.numpy()) < 1e-9


def test_far_from_certain_to_sure():
    """Logits of ±1000 neither overflow nor give NaN; the loss of a sure and right answer is 0."""
    logits = np.full((6, 1, 3), -1000.0)
    logits[range(6), 0, [1, 1, 0, 1, 2, 0]] = 1000.0
    loss, dlogits = ctc.ctc_loss(logits, [[1, 1, 2]])
    assert loss == pytest.approx(0, abs=1e-9)
    assert np.isfinite(dlogits).all()
    worse, dlogits = ctc.ctc_loss(logits, [[2, 2]])
    assert worse > 1000
    assert np.isfinite(dlogits).all()
    only = log_softmax(logits[:, 0])
    assert ctc.greedy(logits) == [(1, 1, 2)]
    assert ctc.prefix_beam_search(only, 3)[0][0] == (1, 1, 2)


def test_targets_all_empty_and_one_frame():
    logits = np.random.default_rng(0).normal(size=(4, 2, 3))
    loss, _ = ctc.ctc_loss(logits, [[], []])
    assert loss == pytest.approx(-log_softmax(logits)[..., 0].sum(axis=0).mean())
    loss, dlogits = ctc.ctc_loss(logits[:1], [[1], []])
    assert dlogits.shape == (1, 2, 3)
    assert np.isfinite(loss)


def test_types_keep():
    logits, lengths, targets = random_batch(0)
    assert ctc.ctc_loss(logits.astype(np.float32), targets, lengths)[1].dtype == np.float32


@pytest.mark.parametrize(
    ("targets", "lengths", "error", "says"),
    [
        ([[1, 2, 1, 2]], None, ValueError, r"targets\[0\] needs 4 frames.*there are 3"),
        ([[1, 1]], [2], ValueError, r"targets\[0\] needs 3 frames, 2 for its labels and 1"),
        ([[0]], None, IndexError, r"labels in 1 … 2 \(0 is the blank\)"),
        ([[3]], None, IndexError, "from 3 to 3"),
        ([[1.5]], None, TypeError, "must hold integers"),
        ([[[1]]], None, ValueError, "sequence of labels"),
        ([[1], [1]], None, ValueError, "targets has 2 entries"),
        ([[1]], [4], IndexError, "lengths"),
        ([[1]], [0], ValueError, "lengths"),
    ],
)
def test_bad_input_is_named(targets, lengths, error, says):
    logits = np.zeros((3, 1, 3))
    lengths = None if lengths is None else np.array(lengths)
    with pytest.raises(error, match=says):
        ctc.ctc_loss(logits, targets, lengths)


def test_bad_logits():
    with pytest.raises(ValueError, match="V must be 2 or more"):
        ctc.ctc_loss(np.zeros((3, 1, 1)), [[]])
    with pytest.raises(ValueError, match="non-finite"):
        ctc.ctc_loss(np.full((3, 1, 2), np.nan), [[1]])
    with pytest.raises(ValueError, match="no path says it"):
        ctc.ctc_occupancy(np.zeros((2, 3)), [1, 1])
    with pytest.raises(ValueError, match="more than a million"):
        ctc.log_p_by_paths(np.zeros((30, 3)))
    with pytest.raises(ValueError, match="width"):
        ctc.prefix_beam_search(np.zeros((2, 3)), 0)


@pytest.mark.parametrize("seed", range(5))
def test_a_wide_beam_finds_what_enumeration_finds(seed):
    log_p = log_softmax(np.random.default_rng(seed).normal(size=(5, 3)) * 2)
    by_paths = ctc.log_p_by_paths(log_p)
    found = ctc.prefix_beam_search(log_p, 1000)
    assert len(found) == len(by_paths)
    for labels, value in found:
        assert value == pytest.approx(by_paths[labels], abs=1e-12)
    assert found[0][0] == max(by_paths, key=by_paths.get)
    narrow = ctc.prefix_beam_search(log_p, 2)
    assert all(value <= by_paths[labels] + 1e-12 for labels, value in narrow)


def test_prior_counts_once_for_each_label():
    log_p = log_softmax(np.random.default_rng(3).normal(size=(4, 3)))
    by_paths = ctc.log_p_by_paths(log_p)
    factors = {1: -0.5, 2: 0.25}
    for labels, value in ctc.prefix_beam_search(log_p, 1000, lambda prefix, k: factors[k]):
        assert value == pytest.approx(by_paths[labels] + sum(factors[k] for k in labels))


def test_best_path_is_not_the_best_labelling():
    log_p = np.log([[0.6, 0.4], [0.6, 0.4]])
    assert ctc.greedy(log_p[:, None]) == [()]
    assert ctc.prefix_beam_search(log_p)[0] == ((1,), pytest.approx(np.log(0.64)))


def test_whole_network():
    rng = np.random.default_rng(0)
    params = ctc.init_reader(LSTM, 3, 2, 4, rng, 2, True, np.float64)
    x, lengths, targets = rng.normal(size=(6, 2, 3)), np.array([6, 4]), [[1, 1, 3], [2]]
    grads = ctc.loss_and_grads(LSTM, params, x, targets, lengths).grads

    def f():
        return ctc.loss_and_grads(LSTM, params, x, targets, lengths).loss

    gradcheck.largest(gradcheck.compare(f, params, grads), 1e-6)
