"""Causal self-attention: gradients, parity with torch, causality, and the cache."""

import numpy as np
import pytest
import torch

from helpers import gradcheck
from helpers.checks import NonFiniteError
from helpers.self_attention import (
    attend_causally,
    by_head,
    init_self_attention,
    self_attention_backward,
    self_attention_forward,
    self_attention_step,
    sinusoids,
    together,
)

RNG = np.random.default_rng
SETTINGS = [(1, None), (2, None), (1, "sinusoidal"), (2, "learned")]
settings = pytest.mark.parametrize(("heads", "positions"), SETTINGS)


def problem(positions=None, T=5, B=2, D=3, H=4, S=0, seed=0, dtype=np.float64):
    """Parameters, inputs, the cache of S steps before, and cotangents of outputs and cache."""
    rng = RNG(seed)
    params = init_self_attention(D, H, rng, dtype, S + T if positions == "learned" else None)
    if "P" in params:
        params["P"] *= 20
    x, R = rng.normal(size=(T, B, D)).astype(dtype), rng.normal(size=(T, B, H)).astype(dtype)
    state = tuple(rng.normal(size=(S, B, H)).astype(dtype) for _ in range(2)) if S else None
    dstate = tuple(rng.normal(size=(S + T, B, H)).astype(dtype) for _ in range(2))
    return params, x, state, R, dstate


@settings
@pytest.mark.parametrize("S", [0, 3])
def test_gradients_against_finite_differences(heads, positions, S):
    params, x, state, R, dstate = problem(positions, S=S)
    _, _, cache = self_attention_forward(params, x, state, heads, positions)
    grads, dx, dstate0 = self_attention_backward(params, cache, R, dstate)

    def loss():
        h, (keys, values), _ = self_attention_forward(params, x, state, heads, positions)
        return float((R * h).sum() + (dstate[0] * keys).sum() + (dstate[1] * values).sum())

    arrays, gradients = {**params, "x": x}, {**grads, "x": dx}
    for i in range(2 if S else 0):
        arrays[f"state[{i}]"], gradients[f"state[{i}]"] = state[i], dstate0[i]
    gradcheck.largest(gradcheck.compare(loss, arrays, gradients), 1e-6)


@settings
def test_gradients_against_autograd(heads, positions):
    params, x, state, R, _ = problem(positions, T=6, H=6, S=2)
    h, _, cache = self_attention_forward(params, x, state, heads, positions)
    grads, dx, dstate0 = self_attention_backward(params, cache, R)
    p = {name: torch.tensor(a, requires_grad=True) for name, a in params.items()}
    tx, ts = (
        torch.tensor(x, requires_grad=True),
        [torch.tensor(s, requires_grad=True) for s in state],
    )
    read = tx
    if positions == "learned":
        read = tx + p["P"][2:8, None]
    elif positions == "sinusoidal":
        read = tx + torch.tensor(sinusoids(8, x.shape[-1])[2:, None])
    k, v = torch.cat([ts[0], read @ p["W_k"]]), torch.cat([ts[1], read @ p["W_v"]])

    def split(a):  # (time, B, n·d) → (B, n, time, d)
        return a.reshape(*a.shape[:2], heads, -1).permute(1, 2, 0, 3)

    mask = torch.ones(6, 8).tril(2).bool()
    o = torch.nn.functional.scaled_dot_product_attention(
        split(read @ p["W_q"]), split(k), split(v), attn_mask=mask
    )
    th = o.permute(2, 0, 1, 3).reshape(6, 2, 6) @ p["W_o"]
    (torch.tensor(R) * th).sum().backward()
    pairs = {"h": (h, th), "dx": (dx, tx.grad)}
    pairs |= {name: (grads[name], p[name].grad) for name in params}
    pairs |= {f"state[{i}]": (dstate0[i], ts[i].grad) for i in range(2)}
    errors = {n: gradcheck.absolute_error(a, b.detach().numpy()) for n, (a, b) in pairs.items()}
    gradcheck.largest(errors, 1e-9)


@settings
def test_the_step_as_on_paper_gives_the_same_numbers(heads, positions):
    params, x, _, _, _ = problem(positions)
    h, (keys, values), _ = self_attention_forward(params, x, None, heads, positions)
    read = x
    if positions == "learned":
        read = x + params["P"][:5, None]
    elif positions == "sinusoidal":
        read = x + sinusoids(5, 3)[:, None]
    cache = (np.zeros((0, 2, 4)), np.zeros((0, 2, 4)))
    for t in range(5):
        h_t, cache = self_attention_step(params, read[t], *cache, heads)
        np.testing.assert_allclose(h_t, h[t], rtol=0, atol=1e-14)
    np.testing.assert_allclose(cache[0], keys, rtol=0, atol=1e-14)
    np.testing.assert_allclose(cache[1], values, rtol=0, atol=1e-14)


@settings
def test_two_halves_with_the_cache_are_the_whole_forward_and_back(heads, positions):
    params, x, _, R, _ = problem(positions, T=6)
    h, final, cache = self_attention_forward(params, x, None, heads, positions)
    grads, dx, none = self_attention_backward(params, cache, R)
    assert none is None
    h1, middle, cache1 = self_attention_forward(params, x[:2], None, heads, positions)
    h2, end, cache2 = self_attention_forward(params, x[2:], middle, heads, positions)
    np.testing.assert_allclose(np.concatenate([h1, h2]), h, rtol=0, atol=1e-14)
    np.testing.assert_allclose(end[0], final[0], rtol=0, atol=1e-14)
    grads2, dx2, dmiddle = self_attention_backward(params, cache2, R[2:])
    grads1, dx1, _ = self_attention_backward(params, cache1, R[:2], dmiddle)
    np.testing.assert_allclose(np.concatenate([dx1, dx2]), dx, rtol=0, atol=1e-13)
    for name in params:
        np.testing.assert_allclose(grads1[name] + grads2[name], grads[name], rtol=0, atol=1e-13)


@settings
def test_no_step_sees_the_future(heads, positions):
    params, x, _, _, _ = problem(positions)
    h, _, _ = self_attention_forward(params, x, None, heads, positions)
    changed = x.copy()
    changed[3:] += 1
    after, _, _ = self_attention_forward(params, changed, None, heads, positions)
    np.testing.assert_array_equal(after[:3], h[:3])
    assert np.abs(after[3:] - h[3:]).max() > 1e-3


def test_without_positions_the_past_is_a_bag():
    """The last output does not change if the steps before it change places; with waves it does."""
    params, x, _, _, _ = problem(T=6)
    mixed = x[[3, 1, 0, 4, 2, 5]]
    for positions, same in [(None, True), ("sinusoidal", False)]:
        a, b = (self_attention_forward(params, z, positions=positions)[0][-1] for z in (x, mixed))
        assert (np.abs(a - b).max() < 1e-14) == same


def test_the_first_step_reads_its_own_value():
    params, x, _, _, _ = problem()
    h, _, _ = self_attention_forward(params, x, heads=2)
    np.testing.assert_allclose(h[0], x[0] @ params["W_v"] @ params["W_o"], rtol=0, atol=1e-14)


def test_sinusoids():
    P = sinusoids(4, 5)
    for t, c in np.ndindex(4, 5):
        angle = t / 10000 ** (2 * (c // 2) / 5)
        assert P[t, c] == pytest.approx((np.sin, np.cos)[c % 2](angle), abs=1e-15)
    np.testing.assert_allclose(sinusoids(2, 5, start=2), P[2:], rtol=0, atol=1e-15)
    assert sinusoids(1, 1, dtype=np.float32).dtype == np.float32
    for bad in [-1, True, 1.0, np.uint8(3), None]:
        with pytest.raises(ValueError, match="start"):
            sinusoids(2, 4, start=bad)
    for bad in [0, -1, 2.0, True]:
        with pytest.raises(ValueError, match="^D must"):
            sinusoids(2, bad)


def test_heads_are_a_view_and_back():
    a = np.arange(24.0).reshape(2, 3, 4)
    assert np.shares_memory(by_head(a, 2), a)
    np.testing.assert_array_equal(together(by_head(a, 2), 2), a)


@settings
def test_dtype_is_kept(heads, positions):
    params, x, state, R, dstate = problem(positions, S=2, dtype=np.float32)
    h, final, cache = self_attention_forward(params, x, state, heads, positions)
    grads, dx, dstate0 = self_attention_backward(params, cache, R, dstate)
    for array in (h, *final, dx, *dstate0, *grads.values(), cache.weights):
        assert array.dtype == np.float32


def test_large_scores_do_not_overflow():
    q = np.full((2, 1, 1), 1e100)
    o, weights = attend_causally(q, q, np.ones((2, 1, 3)))
    assert np.isfinite(o).all() and np.isfinite(weights).all()


def test_a_wrong_argument_is_named():
    params, x, state, R, _ = problem(S=2)
    forward, backward = self_attention_forward, self_attention_backward
    with pytest.raises(ValueError, match="^x has shape"):
        forward(params, x[0])
    with pytest.raises(ValueError, match="x is empty"):
        forward(params, x[:0])
    with pytest.raises(ValueError, match="^heads must divide H = 4, got 3"):
        forward(params, x, heads=3)
    for bad in [0, -1, True, 1.0, np.uint8(2)]:
        with pytest.raises(ValueError, match="^heads must"):
            forward(params, x, heads=bad)
    with pytest.raises(ValueError, match="positions must be one of"):
        forward(params, x, positions="rotary")
    with pytest.raises(ValueError, match="need a table 'P'"):
        forward(params, x, positions="learned")
    with pytest.raises(ValueError, match="state must be a tuple"):
        forward(params, x, state[0])
    with pytest.raises(ValueError, match=r"^state\[1\] has shape"):
        forward(params, x, (state[0], state[1][:1]))
    with pytest.raises(ValueError, match="expected one dtype"):
        forward(params, x.astype(np.float32))
    for wrong in [np.nan, np.inf]:
        with pytest.raises(NonFiniteError, match="^x holds 1"):
            forward(params, np.where(np.arange(3) == 1, wrong, x[:1, :1]))
    with pytest.raises(NonFiniteError, match="^W_o holds"):
        forward({**params, "W_o": params["W_o"] * np.nan}, x)
    learned, *_ = problem("learned", T=3)
    with pytest.raises(ValueError, match="table P has 3 positions, x ends at 5"):
        forward(learned, x, positions="learned")
    _, _, cache = forward(params, x, state)
    with pytest.raises(ValueError, match="^dh has shape"):
        backward(params, cache, R[1:])
    with pytest.raises(ValueError, match=r"^dstate\[0\] has shape"):
        backward(params, cache, R, (R, R))
    with pytest.raises(ValueError, match="more queries|every query"):
        attend_causally(x, x[:2], x[:2])
    with pytest.raises(ValueError, match="^longest must"):
        init_self_attention(3, 4, RNG(0), longest=0)
