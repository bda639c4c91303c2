"""Matrix memories: gradients, autograd, three forms with the same numbers, and what they store."""

import numpy as np
import pytest
import torch

from helpers import gradcheck
from helpers.checks import NonFiniteError
from helpers.matrix_memory import (
    delta_step,
    init_memory,
    init_mlstm,
    log_sigmoid,
    memory_backward,
    memory_bptt,
    memory_chunked,
    memory_chunked_backward,
    memory_forward,
    memory_loop,
    memory_parallel,
    memory_parallel_backward,
    mlstm_backward,
    mlstm_forward,
    mlstm_step,
    outer,
    read,
    sum_step,
    unit,
    unit_backward,
)
from helpers.self_attention import attend_causally

RNG = np.random.default_rng
RULES = {"sum": (0, 0), "decay": (1, 0), "delta": (0, 1), "gated delta": (1, 1)}
rules = pytest.mark.parametrize("rule", RULES)
DECAYS = [*((rule, False) for rule in RULES), ("decay", True), ("gated delta", True)]
decays = pytest.mark.parametrize(("rule", "by_row"), DECAYS)  # one decay a step, or one a row of S


def problem(rule, T=6, B=2, d=3, M=4, seed=0, by_row=False):
    """q, k, v, S_0, the two gates or None, and cotangents of o and of S_T."""
    rng, (decay, delta) = RNG(seed), RULES[rule]
    q, k = rng.normal(size=(2, T, B, d))
    v, R = rng.normal(size=(2, T, B, M))
    S_0, R_S = rng.normal(size=(2, B, d, M))
    log_a = -rng.random((T, B, d if by_row else 1)) if decay else None
    beta = rng.random((T, B, 1)) if delta else None
    return (q, k, v, S_0, log_a, beta), R, R_S


def named(gradients, inputs):
    """Gradients by name, those of gates that are not there left out."""
    dq, dk, dv, dS_0, dlog_a, dbeta = gradients
    found = {"q": dq, "k": dk, "v": dv, "S_0": dS_0, "log_a": dlog_a, "beta": dbeta}
    assert [g is None for g in (dlog_a, dbeta)] == [g is None for g in inputs[4:]]
    return {name: g for name, g in found.items() if g is not None}


def loop_gradients(inputs, R, R_S):
    q, k, v, S_0, log_a, beta = inputs
    _, states = memory_loop(*inputs)
    return named(memory_bptt(q, k, v, states, R, R_S, log_a, beta), inputs)


# --- The recurrence -----------------------------------------------------------------------------


@decays
def test_gradients_of_the_loop_against_finite_differences(rule, by_row):
    inputs, R, R_S = problem(rule, by_row=by_row)

    def loss():
        o, states = memory_loop(*inputs)
        return float((R * o).sum() + (R_S * states[-1]).sum())

    gradients = loop_gradients(inputs, R, R_S)
    arrays = dict(zip(("q", "k", "v", "S_0", "log_a", "beta"), inputs))
    arrays = {name: a for name, a in arrays.items() if a is not None}
    gradcheck.largest(gradcheck.compare(loss, arrays, gradients), 1e-6)


@decays
def test_gradients_of_the_loop_against_autograd(rule, by_row):
    inputs, R, R_S = problem(rule, by_row=by_row, seed=1)
    o, states = memory_loop(*inputs)
    names = ("q", "k", "v", "S_0", "log_a", "beta")
    t = {n: torch.tensor(a, requires_grad=True) for n, a in zip(names, inputs) if a is not None}
    S, loss = t["S_0"], 0
    for s in range(6):
        kept = S if "log_a" not in t else t["log_a"][s].exp()[:, :, None] * S
        u = t["v"][s]
        if "beta" in t:
            u = t["beta"][s] * (u - torch.einsum("bd,bdm->bm", t["k"][s], kept))
        S = kept + torch.einsum("bd,bm->bdm", t["k"][s], u)
        o_s = torch.einsum("bd,bdm->bm", t["q"][s], S)
        assert gradcheck.absolute_error(o[s], o_s.detach().numpy()) < 1e-9
        loss = loss + (torch.tensor(R[s]) * o_s).sum()
    (loss + (torch.tensor(R_S) * S).sum()).backward()
    errors = {
        n: gradcheck.absolute_error(g, t[n].grad.numpy())
        for n, g in loop_gradients(inputs, R, R_S).items()
    }
    errors["S_T"] = gradcheck.absolute_error(states[-1], S.detach().numpy())
    gradcheck.largest(errors, 1e-9)


@rules
def test_three_forms_give_the_same_numbers(rule):
    """Step by step, all steps at once, from chunk to chunk: outputs, last state, all gradients."""
    inputs, R, R_S = problem(rule, T=7)
    o, states = memory_loop(*inputs)
    gradients = loop_gradients(inputs, R, R_S)
    o_p, S_p, cache = memory_parallel(*inputs)
    found = {"parallel": (o_p, S_p, memory_parallel_backward(cache, R, R_S))}
    for chunk in (1, 3, 7, 100):
        o_c, S_c, caches = memory_chunked(*inputs, chunk=chunk)
        found[f"chunks of {chunk}"] = (o_c, S_c, memory_chunked_backward(caches, R, R_S))
    for form, (o_f, S_f, gradients_f) in found.items():
        np.testing.assert_allclose(o_f, o, rtol=0, atol=1e-12, err_msg=form)
        np.testing.assert_allclose(S_f, states[-1], rtol=0, atol=1e-12, err_msg=form)
        for name, g in named(gradients_f, inputs).items():
            np.testing.assert_allclose(g, gradients[name], rtol=0, atol=1e-11, err_msg=name)


def test_linear_attention_is_attention_without_the_softmax():
    """Keys so short that e^s ≈ 1 + s: softmax attention is a plain mean, plus the sum's answer."""
    rng, T, d, size = RNG(0), 5, 4, 1e-4
    q, k, v = (
        size * rng.normal(size=(T, 1, d)),
        size * rng.normal(size=(T, 1, d)),
        np.eye(T)[:, None],
    )
    o, _ = memory_loop(q, k, v, np.zeros((1, d, T)))
    weights = attend_causally(q, k, v)[1][0] * np.arange(1, T + 1)[:, None]  # about 1 + s_ij − mean
    for i in range(T):
        s = o[i, 0, : i + 1] / np.sqrt(d)
        np.testing.assert_allclose(weights[i, : i + 1] - 1, s - s.mean(), rtol=0, atol=1e-14)


@rules
def test_a_decay_of_one_and_a_beta_of_zero_change_nothing(rule):
    (q, k, v, S_0, _, _), _, _ = problem(rule)
    zeros, ones = np.zeros((6, 2, 1)), np.ones((6, 2, 1))
    beta = ones if "delta" in rule else None
    a = memory_loop(q, k, v, S_0, zeros, beta)[0]
    np.testing.assert_array_equal(a, memory_loop(q, k, v, S_0, None, beta)[0])
    _, S_T, _ = memory_parallel(q, k, v, S_0, None, zeros)
    np.testing.assert_array_equal(S_T, S_0)


def test_with_orthonormal_keys_sum_and_delta_are_the_same_and_exact():
    rng = RNG(0)
    k = np.linalg.qr(rng.normal(size=(5, 5)))[0][:, None]
    v, S_0 = rng.normal(size=(5, 1, 3)), np.zeros((1, 5, 3))
    for beta in (None, np.ones((5, 1, 1))):
        _, S, _ = memory_parallel(k, k, v, S_0, None, beta)
        np.testing.assert_allclose(k[:, 0] @ S[0], v[:, 0], rtol=0, atol=1e-14)


def test_the_delta_rule_replaces_and_the_sum_adds():
    rng = RNG(1)
    k = unit(rng.normal(size=(1, 4)))[0]
    old, new = rng.normal(size=(2, 1, 3))
    S = np.zeros((1, 4, 3))
    by_delta = delta_step(delta_step(S, k, k, old, 1.0)[1], k, k, new, 1.0)[0]
    by_sum = sum_step(sum_step(S, k, k, old)[1], k, k, new)[0]
    np.testing.assert_allclose(by_delta, new, rtol=0, atol=1e-7)
    np.testing.assert_allclose(by_sum, old + new, rtol=0, atol=1e-7)


def test_the_delta_rule_is_a_step_of_gradient_descent():
    """S − β ∂/∂S ½‖k S − v‖², the gradient by finite differences."""
    rng = RNG(2)
    S, k, v = rng.normal(size=(1, 3, 2)), rng.normal(size=(1, 3)), rng.normal(size=(1, 2))
    _, after = delta_step(S, k, k, v, 0.3)
    gradient = gradcheck.numerical_gradient(lambda: 0.5 * ((read(k, S) - v) ** 2).sum(), S)
    np.testing.assert_allclose(after, S - 0.3 * gradient, rtol=0, atol=1e-8)


def test_no_step_sees_the_future():
    for rule in RULES:
        inputs, _, _ = problem(rule)
        later = [a if i == 3 or a is None else a.copy() for i, a in enumerate(inputs)]
        for i in (0, 1, 2):
            later[i][4:] += 1
        for form in (memory_parallel, memory_loop):
            before, after = form(*inputs)[0], form(*later)[0]
            np.testing.assert_allclose(after[:4], before[:4], rtol=0, atol=1e-13)
            assert np.abs(after[4:] - before[4:]).max() > 1e-3


def test_a_strong_decay_over_a_long_time_stays_finite():
    q, k, v = RNG(0).normal(size=(3, 400, 1, 2))
    o, states = memory_loop(q, k, v, np.zeros((1, 2, 2)), np.full((400, 1, 1), -30.0))
    o_p, S_p, _ = memory_parallel(q, k, v, np.zeros((1, 2, 2)), np.full((400, 1, 1), -30.0))
    np.testing.assert_allclose(o_p, o, rtol=0, atol=1e-12)
    np.testing.assert_allclose(S_p, states[-1], rtol=0, atol=1e-12)


def test_unit():
    y, R = RNG(0).normal(size=(2, 3, 4))
    k, r = unit(y)
    np.testing.assert_allclose((k**2).sum(-1), 1, atol=1e-7)
    error = gradcheck.compare(
        lambda: float((R * unit(y)[0]).sum()), {"y": y}, {"y": unit_backward(k, r, R)}
    )
    gradcheck.largest(error, 1e-6)
    assert not unit(np.zeros((2, 3)))[0].any()


def test_log_sigmoid():
    np.testing.assert_allclose(
        log_sigmoid(np.array([-800.0, 0, 800])), [-800, -np.log(2), 0], atol=1e-14
    )


# --- The layers ---------------------------------------------------------------------------------


def layer_problem(kind, T=5, B=2, D=3, H=4, seed=0, dtype=np.float64):
    """(forward, backward), parameters, x, state, cotangents of h and of the memory's end."""
    rng = RNG(seed)
    if kind == "mlstm":
        params, forward, backward = init_mlstm(D, H, rng, dtype), mlstm_forward, mlstm_backward
        state = tuple(rng.normal(size=s).astype(dtype) for s in ((B, H, H), (B, H), (B, 1)))
        R_S = tuple(rng.normal(size=s).astype(dtype) for s in ((B, H, H), (B, H)))
        for name in ("b_i", "b_f", "b_o"):
            params[name] += rng.normal(size=params[name].shape).astype(dtype)
        params["W_i"] *= 4
    else:
        params = init_memory(D, H, rng, dtype, *map(bool, RULES[kind]))
        forward, backward = memory_forward, memory_backward
        state, R_S = rng.normal(size=(2, B, H, H)).astype(dtype)
        for name in {"b_a", "b_b"} & set(params):
            params[name] = rng.normal(size=1).astype(dtype)
    x, R = rng.normal(size=(T, B, D)).astype(dtype), rng.normal(size=(T, B, H)).astype(dtype)
    return (forward, backward), params, x, state, R, R_S


kinds = pytest.mark.parametrize("kind", [*RULES, "mlstm"])


def as_tuple(state):
    return state if isinstance(state, tuple) else (state,)


def true_memory(final):
    """C e^m and n e^m of an mLSTM, the memory without a stabiliser; a matrix memory as it is."""
    *memory, m = final if isinstance(final, tuple) else (final, np.zeros((1, 1)))
    return [s * np.exp(m).reshape(-1, *(1,) * (s.ndim - 1)) for s in memory]


@kinds
@pytest.mark.parametrize("seed", [0, 1])
def test_gradients_of_a_layer_against_finite_differences(kind, seed):
    (forward, backward), params, x, state, R, R_S = layer_problem(kind, seed=seed)

    def loss():
        h, final, _ = forward(params, x, state, chunk=2)
        ends = zip(as_tuple(R_S), true_memory(final))
        return float((R * h).sum() + sum((r * s).sum() for r, s in ends))

    _, final, cache = forward(params, x, state, chunk=2)
    dfinal = R_S
    if kind == "mlstm":  # C e^m is what the loss sees
        dfinal = tuple(r * np.exp(final[2]).reshape(-1, *(1,) * (r.ndim - 1)) for r in R_S)
    grads, dx, dstate = backward(params, cache, R, dfinal)
    arrays = {**params, "x": x, **{f"s{i}": s for i, s in enumerate(as_tuple(state))}}
    gradients = {**grads, "x": dx, **{f"s{i}": s for i, s in enumerate(as_tuple(dstate))}}
    gradcheck.largest(gradcheck.compare(loss, arrays, gradients), 1e-6)


def torch_layer(kind, p, x, S):
    """The layer in PyTorch, step by step; of the mLSTM without the stabiliser, as its equations."""
    hs, H = [], p["W_q"].shape[1]
    for x_t in x:
        q, k, v = x_t @ p["W_q"], x_t @ p["W_k"], x_t @ p["W_v"]
        if kind == "mlstm":
            C, n = S
            i = torch.exp(x_t @ p["W_i"] + p["b_i"])
            f, o = (torch.sigmoid(x_t @ p["W_" + g] + p["b_" + g]) for g in "fo")
            k = k / H**0.5
            C = f[:, :, None] * C + i[:, :, None] * torch.einsum("bd,bm->bdm", k, v)
            n = f * n + i * k
            S = (C, n)
            size = (q * n).sum(-1, keepdim=True).abs().clamp(min=1)
            hs.append(o * torch.einsum("bd,bdm->bm", q, C) / size)
        else:
            q, k = (y / (y.square().sum(-1, keepdim=True) + 1e-8).sqrt() for y in (q, k))
            if "W_a" in p:
                S = torch.sigmoid(x_t @ p["W_a"] + p["b_a"])[:, :, None] * S
            if "W_b" in p:
                error = v - torch.einsum("bd,bdm->bm", k, S)
                v = torch.sigmoid(x_t @ p["W_b"] + p["b_b"]) * error
            S = S + torch.einsum("bd,bm->bdm", k, v)
            hs.append(torch.einsum("bd,bdm->bm", q, S))
    return torch.stack(hs), S


@kinds
@pytest.mark.parametrize("seed", [0, 1])
def test_gradients_of_a_layer_against_autograd(kind, seed):
    (forward, backward), params, x, state, R, R_S = layer_problem(kind, T=6, seed=seed)
    if kind == "mlstm":
        state = (*state[:2], np.zeros((2, 1)))
    h, final, cache = forward(params, x, state, chunk=4)
    scale = np.exp(final[2]) if kind == "mlstm" else None
    dfinal = (R_S[0] * scale[:, :, None], R_S[1] * scale) if kind == "mlstm" else R_S
    grads, dx, dstate = backward(params, cache, R, dfinal)
    p = {n: torch.tensor(a, requires_grad=True) for n, a in params.items()}
    tx = torch.tensor(x, requires_grad=True)
    ts = [torch.tensor(s, requires_grad=True) for s in as_tuple(state)[:2]]
    th, end = torch_layer(kind, p, tx, tuple(ts) if kind == "mlstm" else ts[0])
    loss = (torch.tensor(R) * th).sum()
    for r, s in zip(as_tuple(R_S), as_tuple(end)):
        loss = loss + (torch.tensor(r) * s).sum()
    loss.backward()
    pairs = {"h": (h, th), "dx": (dx, tx.grad), **{n: (grads[n], p[n].grad) for n in params}}
    pairs |= {f"s{i}": (as_tuple(dstate)[i], s.grad) for i, s in enumerate(ts)}
    ours = true_memory(final)
    pairs |= {f"end{i}": (ours[i], s) for i, s in enumerate(as_tuple(end))}
    errors = {n: gradcheck.absolute_error(a, b.detach().numpy()) for n, (a, b) in pairs.items()}
    gradcheck.largest(errors, 1e-9)


@kinds
def test_two_halves_with_the_state_are_the_whole_forward_and_back(kind):
    (forward, backward), params, x, state, R, _ = layer_problem(kind)
    h, final, cache = forward(params, x, state)
    grads, dx, dstate = backward(params, cache, R)
    h1, middle, cache1 = forward(params, x[:2], state)
    h2, end, cache2 = forward(params, x[2:], middle)
    np.testing.assert_allclose(np.concatenate([h1, h2]), h, rtol=0, atol=1e-12)
    for a, b in zip(as_tuple(end), as_tuple(final)):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-12)
    grads2, dx2, dmiddle = backward(params, cache2, R[2:])
    grads1, dx1, dfirst = backward(params, cache1, R[:2], dmiddle)
    np.testing.assert_allclose(np.concatenate([dx1, dx2]), dx, rtol=0, atol=1e-12)
    for a, b in zip(as_tuple(dfirst), as_tuple(dstate)):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-12)
    for name in params:
        np.testing.assert_allclose(grads1[name] + grads2[name], grads[name], rtol=0, atol=1e-12)


@kinds
def test_a_layer_without_a_state_starts_with_zeros(kind):
    (forward, _), params, x, state, _, _ = layer_problem(kind)
    zeros = tuple(np.zeros_like(s) for s in as_tuple(state))
    with_zeros = forward(params, x, zeros if kind == "mlstm" else zeros[0])[0]
    np.testing.assert_array_equal(forward(params, x)[0], with_zeros)


def test_the_mlstm_step_as_on_paper_gives_the_same_numbers():
    _, params, x, state, _, _ = layer_problem("mlstm", T=9)
    h, final, _ = mlstm_forward(params, x, state, chunk=4)
    for t, x_t in enumerate(x):
        h_t, *state = mlstm_step(params, x_t, *state)
        np.testing.assert_allclose(h_t, h[t], rtol=0, atol=1e-12)
    for a, b in zip(state, final):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-12)


def test_another_stabiliser_gives_the_same_output():
    """C e^m is the memory: m + 3 with C and n smaller by e⁻³ is the same one."""
    _, params, x, (C, n, m), _, _ = layer_problem("mlstm")
    shifted = (C * np.exp(-3), n * np.exp(-3), m + 3)
    h, final, _ = mlstm_forward(params, x, (C, n, m))
    h2, final2, _ = mlstm_forward(params, x, shifted)
    np.testing.assert_allclose(h2, h, rtol=0, atol=1e-12)
    for a, b in zip(true_memory(final2), true_memory(final)):
        np.testing.assert_allclose(a, b, rtol=1e-10)


@pytest.mark.parametrize("bias", [-2000.0, 2000.0])
def test_exponential_gates_do_not_overflow(bias):
    _, params, x, _, R, _ = layer_problem("mlstm")
    params["b_i"][:] = bias
    h, final, cache = mlstm_forward(params, x)
    grads, dx, dstate = mlstm_backward(params, cache, R)
    for array in (h, dx, *final, *dstate, *grads.values()):
        assert np.isfinite(array).all()
    assert (np.abs(h).max() > 1e-3) == (bias > 0)


@kinds
def test_dtype_is_kept(kind):
    (forward, backward), params, x, state, R, R_S = layer_problem(kind, dtype=np.float32)
    h, final, cache = forward(params, x, state)
    grads, dx, dstate = backward(params, cache, R, R_S)
    for array in (h, *as_tuple(final), dx, *as_tuple(dstate), *grads.values()):
        assert array.dtype == np.float32


@kinds
def test_a_wrong_argument_is_named(kind):
    (forward, backward), params, x, state, R, R_S = layer_problem(kind)
    with pytest.raises(ValueError, match="^x has shape"):
        forward(params, x[0])
    with pytest.raises(ValueError, match="x is empty"):
        forward(params, x[:0])
    with pytest.raises(ValueError, match=r"^params\['W_k'\] has shape"):
        forward({**params, "W_k": params["W_k"][:, :1]}, x)
    with pytest.raises(ValueError, match="expected one dtype"):
        forward(params, x.astype(np.float32))
    for wrong in [np.nan, np.inf]:
        with pytest.raises(NonFiniteError, match="^x holds 1"):
            forward(params, np.where(np.arange(3) == 1, wrong, x[:1, :1]))
    with pytest.raises(NonFiniteError, match="^W_v holds"):
        forward({**params, "W_v": params["W_v"] * np.nan}, x)
    with pytest.raises(ValueError, match="^(S_0|state)"):
        forward(params, x, as_tuple(state)[0][0])
    for bad in [0, -1, 1.0, True, np.uint8(3)]:
        with pytest.raises(ValueError, match="^chunk must"):
            forward(params, x, chunk=bad)
    _, _, cache = forward(params, x, state)
    with pytest.raises(ValueError, match="^dh has shape"):
        backward(params, cache, R[1:])
    with pytest.raises(ValueError, match="expected one dtype"):
        backward(params, cache, R.astype(np.float32))
    first = as_tuple(R_S)[0][:, :1]
    with pytest.raises(ValueError, match=r"^(dS_T|dstate\[0\]) has shape"):
        backward(params, cache, R, (first, R_S[1]) if kind == "mlstm" else first)
    with pytest.raises(ValueError, match="^H must"):
        (init_mlstm if kind == "mlstm" else init_memory)(3, 0, RNG(0))


def test_a_wrong_argument_of_the_recurrence_is_named():
    (q, k, v, S_0, log_a, beta), R, R_S = problem("gated delta")
    _, _, cache = memory_parallel(q, k, v, S_0, log_a, beta)
    with pytest.raises(ValueError, match="^do has shape"):
        memory_parallel_backward(cache, R[1:], R_S)
    with pytest.raises(ValueError, match="^dS_T has shape"):
        memory_parallel_backward(cache, R, R_S[:, :2])
    with pytest.raises(ValueError, match="expected one dtype"):
        memory_parallel_backward(cache, R.astype(np.float32), R_S)
    with pytest.raises(ValueError, match="^log_a must not be positive"):
        memory_parallel(q, k, v, S_0, -log_a, beta)
    with pytest.raises(ValueError, match="^log_a has shape"):
        memory_parallel(q, k, v, S_0, np.repeat(log_a, 3, axis=2), beta)
    with pytest.raises(ValueError, match="^beta has shape"):
        memory_parallel(q, k, v, S_0, log_a, beta[1:])
    with pytest.raises(ValueError, match="^k has shape"):
        memory_parallel(q, k[1:], v, S_0)
    with pytest.raises(ValueError, match="^S_0 has shape"):
        memory_parallel(q, k, v, S_0[:, :2])
    with pytest.raises(NonFiniteError, match="^v holds"):
        memory_parallel(q, k, v * np.inf, S_0)


def test_outer_and_read_fit_together():
    """(k outer u) read with k is ‖k‖² u."""
    k, u = RNG(0).normal(size=(2, 3)), RNG(1).normal(size=(2, 4))
    np.testing.assert_allclose(read(k, outer(k, u)), (k**2).sum(1, keepdims=True) * u, atol=1e-14)
