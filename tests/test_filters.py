"""Exact filters against sums over all paths, joint Gaussians, and each other."""

import itertools

import numpy as np
import pytest
import torch

from helpers import filters, gradcheck, linear_recurrence
from helpers.filters import HMM, LinearGaussian

RNG = np.random.default_rng


def random_hmm(K, V, seed):
    return filters.hmm_of(filters.init_hmm(K, V, RNG(seed), stay=0.5))


def random_system(n, M, seed, radius=0.9):
    rng = RNG(seed)
    F = rng.standard_normal((n, n))
    F *= radius / np.abs(np.linalg.eigvals(F)).max()
    a, b, c = rng.standard_normal((n, n)), rng.standard_normal((M, M)), rng.standard_normal((n, n))
    C = rng.standard_normal((n, M))
    return LinearGaussian(F, a @ a.T, C, b @ b.T + 0.1 * np.eye(M), rng.standard_normal(n), c @ c.T)


# ---------- hidden Markov models ----------


def test_forward_is_the_sum_over_all_paths():
    hmm, T = random_hmm(3, 4, 0), 5
    ids = RNG(1).integers(0, 4, (T, 2))
    beliefs = filters.hmm_filter(hmm, ids)
    for b in range(2):
        total, last = 0.0, np.zeros(3)
        for path in itertools.product(range(3), repeat=T):
            p = hmm.start[path[0]] * hmm.E[path[0], ids[0, b]]
            for t in range(1, T):
                p *= hmm.A[path[t - 1], path[t]] * hmm.E[path[t], ids[t, b]]
            total += p
            last[path[-1]] += p
        assert beliefs.log_p[:, b].sum() == pytest.approx(np.log(total), abs=1e-12)
        np.testing.assert_allclose(beliefs.now[-1, b], last / total, atol=1e-12)
        np.testing.assert_allclose(beliefs.ahead[-1, b], last / total @ hmm.A, atol=1e-12)


def test_scaling_and_logarithms_give_the_same_numbers():
    hmm, ids = random_hmm(4, 3, 2), RNG(3).integers(0, 3, (40, 3))
    beliefs = filters.hmm_filter(hmm, ids)
    log_alpha = filters.forward_in_logs(hmm.start, hmm.A, hmm.E.T[ids])
    log_p = filters.log_sum_exp(log_alpha, axis=-1)
    np.testing.assert_allclose(beliefs.log_p.cumsum(axis=0), log_p, atol=1e-11)
    np.testing.assert_allclose(np.exp(log_alpha - log_p[..., None]), beliefs.now, atol=1e-12)


def test_a_long_series_does_not_underflow():
    hmm, ids = random_hmm(3, 4, 0), RNG(0).integers(0, 4, (3000, 1))
    alpha = hmm.start * hmm.E[:, ids[0, 0]]
    for o in ids[1:, 0]:
        alpha = (alpha @ hmm.A) * hmm.E[:, o]
    assert alpha.sum() == 0  # the plain product is lost
    total = filters.hmm_filter(hmm, ids).log_p.sum()
    logs = filters.forward_in_logs(hmm.start, hmm.A, hmm.E.T[ids])
    assert total < -3000
    assert filters.log_sum_exp(logs[-1], axis=-1)[0] == pytest.approx(total, rel=1e-12)


def test_step_chunks_and_causality():
    hmm, ids = random_hmm(3, 4, 5), RNG(6).integers(0, 4, (9, 2))
    whole = filters.hmm_filter(hmm, ids)
    belief = np.tile(hmm.start, (2, 1))
    for t in range(9):
        p, belief = filters.hmm_step(hmm, belief, ids[t])
        np.testing.assert_allclose(np.log(p), whole.log_p[t], atol=1e-13)
        np.testing.assert_allclose(belief, whole.ahead[t + 1], atol=1e-13)
    half = filters.hmm_filter(hmm, ids[:4])
    rest = filters.forward_algorithm(half.ahead[-1], hmm.A, hmm.E.T[ids[4:]])
    np.testing.assert_allclose(rest.log_p, whole.log_p[4:], atol=1e-13)
    changed = ids.copy()
    changed[6:] = (changed[6:] + 1) % 4
    np.testing.assert_array_equal(filters.hmm_filter(hmm, changed).ahead[:7], whole.ahead[:7])


def test_one_state_is_a_die_and_a_sure_symbol_says_the_state():
    die = HMM(np.ones(1), np.ones((1, 1)), np.array([[0.2, 0.8]]))
    np.testing.assert_allclose(filters.hmm_filter(die, np.array([[0], [1]])).log_p[:, 0],
                               np.log([0.2, 0.8]))  # fmt: skip
    sure = HMM(np.array([0.5, 0.5]), np.array([[0.0, 1.0], [1.0, 0.0]]), np.eye(2))
    beliefs = filters.hmm_filter(sure, np.array([[1], [0], [1]]))
    np.testing.assert_array_equal(beliefs.now[:, 0], np.eye(2)[[1, 0, 1]])
    np.testing.assert_allclose(beliefs.log_p[:, 0], [np.log(0.5), 0, 0])
    with pytest.raises(ValueError, match="step 1 of series 0 has probability 0"):
        filters.hmm_filter(sure, np.array([[1], [1]]))
    logs = filters.forward_in_logs(sure.start, sure.A, sure.E.T[np.array([[1], [1]])])
    assert filters.log_sum_exp(logs[-1], axis=-1)[0] == -np.inf


def test_samples_have_the_frequencies_of_the_model():
    hmm = random_hmm(3, 4, 7)
    states, ids = filters.sample_hmm(hmm, 400, 100, RNG(0))
    for k in range(3):
        after = np.bincount(states[1:][states[:-1] == k], minlength=3) / (states[:-1] == k).sum()
        np.testing.assert_allclose(after, hmm.A[k], atol=0.02)
        seen = np.bincount(ids[states == k], minlength=4) / (states == k).sum()
        np.testing.assert_allclose(seen, hmm.E[k], atol=0.02)
    np.testing.assert_allclose(np.bincount(states[0], minlength=3) / 100, hmm.start, atol=0.15)
    again = filters.sample_hmm(hmm, 400, 100, RNG(0))
    np.testing.assert_array_equal(ids, again[1])


def test_no_other_forecast_is_better_on_average():
    """The mean difference of the losses is the mean divergence, which is not negative."""
    hmm, other = random_hmm(3, 4, 8), random_hmm(3, 4, 9)
    ids = filters.sample_hmm(hmm, 30, 2000, RNG(1))[1]
    mine, theirs = filters.hmm_filter(hmm, ids), filters.hmm_filter(other, ids)
    p, q = mine.ahead[:-1] @ hmm.E, theirs.ahead[:-1] @ other.E
    divergence = (p * np.log(p / q)).sum(axis=-1)
    assert divergence.min() >= -1e-15
    difference = mine.log_p.mean() - theirs.log_p.mean()
    assert difference == pytest.approx(divergence.mean(), abs=0.01)


def test_gradients_of_the_hmm():
    params, ids = filters.init_hmm(3, 4, RNG(0)), RNG(1).integers(0, 4, (7, 3))
    found = filters.hmm_loss_and_grads(params, ids)
    errors = gradcheck.compare(
        lambda: filters.hmm_loss_and_grads(params, ids).loss, params, found.grads
    )
    assert gradcheck.largest(errors, 1e-6) < 1e-6
    tensors = {name: torch.tensor(a, requires_grad=True) for name, a in params.items()}
    start, A, E = (torch.softmax(tensors[n], -1) for n in ("a_start", "a_A", "a_E"))
    belief, loss = start.expand(3, -1), 0.0
    for o in ids:
        u = belief * E[:, o].T
        loss = loss - torch.log(u.sum(-1)).sum() / ids.size
        belief = (u / u.sum(-1, keepdim=True)) @ A
    loss.backward()
    differences = {n: np.abs(g - tensors[n].grad.numpy()).max() for n, g in found.grads.items()}
    differences["loss"] = abs(found.loss - loss.item())
    assert gradcheck.largest(differences, 1e-9) < 1e-9
    assert found.state is None


def test_dtypes_are_kept():
    params = filters.init_hmm(3, 4, RNG(0), dtype=np.float32)
    found = filters.hmm_loss_and_grads(params, RNG(1).integers(0, 4, (7, 3)))
    assert {g.dtype for g in found.grads.values()} == {np.dtype(np.float32)}
    small = LinearGaussian(*(a.astype(np.float32) for a in random_system(2, 1, 0)))
    forecasts = filters.kalman(small, np.zeros((3, 2, 1), np.float32))
    assert forecasts.mean.dtype == forecasts.log_p.dtype == np.float32


# ---------- linear-Gaussian systems ----------


@pytest.mark.parametrize(("n", "M"), [(1, 1), (2, 1), (3, 2)])
def test_kalman_is_the_joint_gaussian(n, M):
    """All T·M numbers are jointly Gaussian: the chain of forecasts has to give that density."""
    system, T = random_system(n, M, 10 * n + M), 5
    y = RNG(2).standard_normal((T, 3, M))
    means, covs = [system.mean], [system.cov]
    for _ in range(T - 1):
        means.append(means[-1] @ system.F)
        covs.append(system.F.T @ covs[-1] @ system.F + system.Q)
    cov = np.zeros((T, M, T, M))
    for i, j in itertools.product(range(T), repeat=2):
        low, lag = min(i, j), abs(i - j)
        block = system.C.T @ covs[low] @ np.linalg.matrix_power(system.F, lag) @ system.C
        cov[i, :, j] = (block if i <= j else block.T) + (i == j) * system.R
    cov = cov.reshape(T * M, T * M)
    mean = (np.array(means) @ system.C).reshape(-1)
    found = filters.kalman(system, y)
    for b in range(3):
        e = y[:, b].reshape(-1) - mean
        joint = -0.5 * (T * M * np.log(2 * np.pi) + np.linalg.slogdet(cov)[1]
                        + e @ np.linalg.solve(cov, e))  # fmt: skip
        assert found.log_p[:, b].sum() == pytest.approx(joint, abs=1e-9)


def test_kalman_chunks_and_causality():
    system, y = random_system(3, 2, 0), RNG(1).standard_normal((9, 2, 2))
    whole = filters.kalman(system, y)
    half = filters.kalman(system, y[:4])
    rest = filters.kalman(system, y[4:], half.belief)
    np.testing.assert_allclose(rest.log_p, whole.log_p[4:], atol=1e-12)
    np.testing.assert_allclose(rest.belief[0], whole.belief[0], atol=1e-12)
    m, P = np.tile(system.mean, (2, 1)), system.cov
    for t in range(9):
        np.testing.assert_allclose(m @ system.C, whole.mean[t], atol=1e-12)
        m, P, K = filters.kalman_step(system, m, P, y[t])
        np.testing.assert_allclose(K, whole.gains[t], atol=1e-12)
    changed = y.copy()
    changed[6:] += 1
    np.testing.assert_array_equal(filters.kalman(system, changed).mean[:7], whole.mean[:7])


def test_kalman_errors_have_the_spread_that_it_says():
    system = random_system(2, 1, 3)
    system = system._replace(cov=filters.stationary(system.F, system.Q), mean=np.zeros(2))
    _, y = filters.sample_linear(system, 30, 4000, RNG(0))
    found = filters.kalman(system, y)
    error = (y - found.mean)[..., 0]
    np.testing.assert_allclose(error.var(axis=1) / found.spread[:, 0, 0], 1, atol=0.12)
    assert abs(np.corrcoef(error[10], error[11])[0, 1]) < 0.06  # what is missed is news


def test_without_noise_in_sight_the_kalman_filter_copies():
    system = LinearGaussian(
        np.eye(1), np.eye(1), np.eye(1), 1e-12 * np.eye(1), np.zeros(1), np.eye(1)
    )
    y = RNG(0).standard_normal((6, 2, 1))
    np.testing.assert_allclose(filters.kalman(system, y).mean[1:], y[:-1], atol=1e-9)
    blind = system._replace(C=np.zeros((1, 1)), R=np.eye(1))
    assert not filters.kalman(blind, y).mean.any()


def test_the_settled_filter_is_a_linear_recurrence():
    """m_{t+1} = m_t A + y_t W, and in the eigenvectors of A it is the scan of notebook 37."""
    system, T = random_system(3, 1, 4), 30
    A, W, S, n_steps = filters.steady_state(system)
    assert 1 < n_steps < 1000
    y = RNG(1).standard_normal((n_steps + T, 2, 1))
    found = filters.kalman(system, y)
    np.testing.assert_allclose(found.spread[-1], S, rtol=1e-10)
    m, P = filters.kalman(system, y[:n_steps]).belief
    settled = [m]
    for y_t in y[n_steps:]:
        settled.append(settled[-1] @ A + y_t @ W)
    settled = np.array(settled)
    np.testing.assert_allclose(settled[:-1] @ system.C, found.mean[n_steps:], atol=1e-9)
    values, vectors = np.linalg.eig(A)
    b = (y[n_steps:] @ W) @ vectors
    a = np.broadcast_to(values, b.shape).astype(np.complex128)
    scanned = linear_recurrence.scan(
        a, b.astype(np.complex128), (m @ vectors).astype(np.complex128)
    )
    np.testing.assert_allclose(scanned @ np.linalg.inv(vectors), settled[1:], atol=1e-9)


def test_a_grid_filter_is_the_kalman_filter():
    """The forward algorithm on a fine grid of states, for one hidden number."""
    system = LinearGaussian(
        *(np.atleast_2d(v) for v in (0.9, 0.2, 1.0, 0.5)), np.zeros(1), np.eye(1)
    )
    y = filters.sample_linear(system, 12, 3, RNG(0))[1]
    s = np.linspace(-8, 8, 321)

    def normal(x, var):
        return np.exp(-0.5 * x**2 / var) / np.sqrt(2 * np.pi * var)

    A, start = normal(s - 0.9 * s[:, None], 0.2), normal(s, 1.0)
    found = filters.forward_algorithm(
        start / start.sum(), A / A.sum(axis=1, keepdims=True), normal(y - s, 0.5)
    )
    np.testing.assert_allclose(found.log_p, filters.kalman(system, y).log_p, atol=1e-6)


# ---------- at the border ----------


def test_bad_models_are_refused():
    good = random_hmm(2, 3, 0)
    ids = np.zeros((2, 1), np.int64)
    for name, value in [
        ("start", np.array([0.5, 0.6])), ("start", np.array([1.5, -0.5])),
        ("A", np.array([[1.0, np.nan], [0.5, 0.5]])), ("E", np.ones((2, 3))),
        ("A", np.ones((2, 3)) / 3),
    ]:  # fmt: skip
        with pytest.raises(ValueError, match=f"^{name} "):
            filters.hmm_filter(good._replace(**{name: value}), ids)
    with pytest.raises(IndexError, match="ids must lie in 0 … 2"):
        filters.hmm_filter(good, ids + 3)
    with pytest.raises(TypeError, match="ids must be"):
        filters.hmm_filter(good, np.zeros((2, 1)))
    for ids in (np.zeros((2, 1), np.uint8), np.zeros((2, 1), np.int32)):
        assert np.isfinite(filters.hmm_filter(good, ids).log_p).all()
    with pytest.raises(ValueError, match="K must be a positive integer"):
        filters.init_hmm(0, 3, RNG(0))
    with pytest.raises(ValueError, match="T must be a positive integer"):
        filters.sample_hmm(good, 0, 1, RNG(0))
    with pytest.raises(ValueError, match="seen"):
        filters.forward_algorithm(good.start, good.A, np.full((2, 1, 2), np.inf))


def test_bad_systems_are_refused():
    good, y = random_system(2, 1, 0), np.zeros((3, 2, 1))
    for name, value in [
        ("F", np.ones((2, 3))), ("Q", -np.eye(2)), ("Q", np.array([[1.0, 2.0], [0.0, 1.0]])),
        ("C", np.ones((3, 1))), ("R", np.eye(2)), ("mean", np.zeros(3)),
        ("F", np.full((2, 2), np.nan)),
    ]:  # fmt: skip
        with pytest.raises(ValueError, match=f"^{name} "):
            filters.kalman(good._replace(**{name: value}), y)
    with pytest.raises(ValueError, match="y holds 1 non-finite"):
        filters.kalman(good, np.where(np.arange(6).reshape(3, 2, 1) == 2, np.inf, 0))
    with pytest.raises(ValueError, match="step 0 has no spread"):
        filters.kalman(good._replace(C=np.zeros((2, 1)), R=np.zeros((1, 1))), y)
    with pytest.raises(ValueError, match="size 1 or more"):
        filters.stationary(np.eye(2), np.eye(2))
    blind = good._replace(F=1.1 * np.eye(2), C=np.zeros((2, 1)))
    with pytest.raises(ValueError, match="not settled after n_steps=50"):
        filters.steady_state(blind, n_steps=50)
