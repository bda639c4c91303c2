"""Attention: gradients, parity with autograd, and that padding is never looked at."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers import attention, gradcheck
from helpers.attention import (
    ADDITIVE,
    DOT,
    GENERAL,
    SCALED_DOT,
    attend_backward,
    attend_forward,
)
from helpers.checks import NonFiniteError

RNG = np.random.default_rng
scores = pytest.mark.parametrize(
    "score", [DOT, SCALED_DOT, GENERAL, ADDITIVE], ids=lambda s: s.name
)
LENGTHS = np.array([4, 1, 3])


def problem(score, S=5, T=4, H=3, M=None, lengths=LENGTHS, seed=0, dtype=np.float64):
    """Parameters, queries, memory, where it is real, and a cotangent of the contexts."""
    rng, B, M = RNG(seed), len(lengths), M or H
    params = score.init(H, M, rng, dtype)
    queries, memory, R = (
        rng.normal(size=s).astype(dtype) for s in ((S, B, H), (T, B, M), (S, B, M))
    )
    return params, queries, memory, np.arange(T)[:, None] < lengths, R


@scores
def test_weights_and_contexts_are_what_a_loop_computes(score):
    params, queries, memory, real, _ = problem(score)
    contexts, weights, _ = attend_forward(score, params, queries, memory, real)
    for t, b in np.ndindex(queries.shape[:2]):
        e = []
        for j in range(LENGTHS[b]):
            q, m = queries[t, b], memory[j, b]
            if score is GENERAL:
                q = q @ params["W_a"]
            if score is ADDITIVE:
                e.append(np.tanh(q @ params["W_q"] + m @ params["W_m"]) @ params["v_a"])
            else:
                e.append(q @ m / (np.sqrt(len(q)) if score is SCALED_DOT else 1))
        alpha = np.exp(e) / np.exp(e).sum()
        np.testing.assert_allclose(weights[t, b, : LENGTHS[b]], alpha, rtol=0, atol=1e-14)
        np.testing.assert_allclose(
            contexts[t, b], alpha @ memory[: LENGTHS[b], b], rtol=0, atol=1e-14
        )


@scores
def test_gradients_against_finite_differences(score):
    params, queries, memory, real, R = problem(score, M=None if score in (DOT, SCALED_DOT) else 2)
    _, _, cache = attend_forward(score, params, queries, memory, real)
    grads, dqueries, dmemory = attend_backward(score, params, cache, R)
    errors = gradcheck.compare(
        lambda: float((R * attend_forward(score, params, queries, memory, real)[0]).sum()),
        {**params, "queries": queries, "memory": memory},
        {**grads, "queries": dqueries, "memory": dmemory},
    )
    assert set(errors) == {*params, "queries", "memory"}
    gradcheck.largest(errors, 1e-6)


@scores
def test_gradients_against_autograd(score):
    params, queries, memory, real, R = problem(score)
    _, _, cache = attend_forward(score, params, queries, memory, real)
    grads, dqueries, dmemory = attend_backward(score, params, cache, R)
    p, q, m = (
        {k: torch.tensor(a, requires_grad=True) for k, a in params.items()},
        torch.tensor(queries, requires_grad=True),
        torch.tensor(memory, requires_grad=True),
    )
    if score is ADDITIVE:
        hidden = torch.tanh((q @ p["W_q"])[:, :, None] + (m @ p["W_m"]).transpose(0, 1))
        e = hidden @ p["v_a"]
    else:
        e = torch.einsum("sbh,tbh->sbt", q @ p["W_a"] if score is GENERAL else q, m)
        e = e / 3**0.5 if score is SCALED_DOT else e
    weights = e.masked_fill(~torch.from_numpy(real.T), -torch.inf).softmax(-1)
    (torch.einsum("sbt,tbm->sbm", weights, m) * torch.tensor(R)).sum().backward()
    for ours, theirs in [(dqueries, q), (dmemory, m), *((grads[k], p[k]) for k in params)]:
        np.testing.assert_allclose(ours, theirs.grad.numpy(), rtol=0, atol=1e-12)


@scores
@given(
    lengths=st.lists(st.integers(1, 5), min_size=1, max_size=4),
    S=st.integers(1, 3),
    seed=st.integers(0, 99),
)
@settings(max_examples=25)
def test_padding_is_never_looked_at(score, lengths, S, seed):
    lengths = np.array(lengths)
    params, queries, memory, real, R = problem(score, S=S, T=5, lengths=lengths, seed=seed)
    contexts, weights, cache = attend_forward(score, params, queries, memory, real)
    assert (weights[:, ~real.T] == 0).all()
    np.testing.assert_allclose(weights.sum(axis=-1), 1, rtol=0, atol=1e-12)
    grads, dqueries, dmemory = attend_backward(score, params, cache, R)
    assert (dmemory[~real] == 0).all()
    memory[~real] = 1e3  # other padding, same results
    again, weights_again, cache = attend_forward(score, params, queries, memory, real)
    np.testing.assert_array_equal(contexts, again)
    np.testing.assert_array_equal(weights, weights_again)
    for a, b in zip((dqueries, dmemory), attend_backward(score, params, cache, R)[1:]):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-12)


def test_degenerate_equalities():
    params, queries, memory, real, _ = problem(GENERAL)
    params["W_a"][:] = np.eye(3)  # general with the identity is the dot product
    for a, b in zip(
        attend_forward(GENERAL, params, queries, memory, real)[:2],
        attend_forward(DOT, {}, queries, memory, real)[:2],
    ):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-15)
    # A query of zeros finds all places alike: the context is the mean of the real ones.
    means, _, _ = attend_forward(DOT, {}, 0 * queries, memory, real)
    expected = np.where(real[..., None], memory, 0).sum(axis=0) / LENGTHS[:, None]
    np.testing.assert_allclose(means, np.broadcast_to(expected, means.shape), rtol=0, atol=1e-14)
    # One place: whatever the query, it is what attention returns.
    alone, _, _ = attend_forward(DOT, {}, queries, memory[:1], real[:1])
    np.testing.assert_array_equal(alone, np.broadcast_to(memory[:1], alone.shape))


@scores
def test_one_query_is_a_row_of_many(score):
    params, queries, memory, real, _ = problem(score)
    contexts, weights, _ = attend_forward(score, params, queries, memory, real)
    for t, q_t in enumerate(queries):
        c, alpha = attention.attend_step(score, params, q_t, memory, real)
        np.testing.assert_allclose(c, contexts[t], rtol=0, atol=1e-14)
        np.testing.assert_allclose(alpha, weights[t], rtol=0, atol=1e-14)


@scores
def test_the_order_of_the_memory_does_not_matter(score):
    params, queries, memory, _, _ = problem(score)
    everywhere, turn = np.ones(memory.shape[:2], bool), RNG(1).permutation(len(memory))
    a, weights, _ = attend_forward(score, params, queries, memory, everywhere)
    b, turned, _ = attend_forward(score, params, queries, memory[turn], everywhere)
    np.testing.assert_allclose(a, b, rtol=0, atol=1e-14)
    np.testing.assert_allclose(weights[..., turn], turned, rtol=0, atol=1e-14)


@scores
def test_float32_stays_float32(score):
    params, queries, memory, real, R = problem(score, dtype=np.float32)
    contexts, weights, cache = attend_forward(score, params, queries, memory, real)
    grads, *others = attend_backward(score, params, cache, R)
    assert {a.dtype for a in (contexts, weights, *others, *grads.values())} == {
        np.dtype(np.float32)
    }


def test_bad_input():
    params, queries, memory, real, R = problem(GENERAL)
    with pytest.raises(ValueError, match="H = M, got H = 3 and M = 2"):
        DOT.init(3, 2, RNG(0))
    with pytest.raises(ValueError, match="at least one True in every column"):
        attend_forward(GENERAL, params, queries, memory, real & False)
    with pytest.raises(ValueError, match="mask must hold booleans"):
        attend_forward(GENERAL, params, queries, memory, real.astype(int))
    with pytest.raises(ValueError, match=r"queries has shape \(5, 2, 3\), expected \(S, 3, H\)"):
        attend_forward(GENERAL, params, queries[:, :2], memory, real)
    with pytest.raises(ValueError, match="one dtype"):
        attend_forward(GENERAL, params, queries.astype(np.float32), memory, real)
    _, _, cache = attend_forward(GENERAL, params, queries, memory, real)
    with pytest.raises(ValueError, match="dcontexts has shape"):
        attend_backward(GENERAL, params, cache, R[:2])
    memory[0, 0, 0] = np.nan
    with pytest.raises(NonFiniteError, match="memory holds 1 non-finite"):
        attend_forward(GENERAL, params, queries, memory, real)
    for score in (GENERAL, ADDITIVE):
        with pytest.raises(ValueError, match="M must be a positive integer, got 0"):
            score.init(3, 0, RNG(0))
    assert attention.DOT.init(3, 3, RNG(0)) == {}
