"""The diagonal state-space layer: its equalities, its gradients, its borders, and torch."""

import numpy as np
import pytest
import torch

from helpers import gradcheck, linear_recurrence
from helpers import state_space as ss
from helpers.checks import NonFiniteError
from helpers.state_space import LRU, S4D

RNG = np.random.default_rng
KINDS = pytest.mark.parametrize("kind", [LRU, S4D], ids=lambda kind: kind.name)
RULES = [ss.euler, ss.zero_order_hold, ss.bilinear]


def problem(kind, T=6, B=2, D=3, N=4, H=5, seed=0, dtype=np.float64):
    """Parameters, inputs, a start, and a cotangent for every output and for the final state."""
    rng = RNG(seed)
    if kind is LRU:
        params = ss.init_lru(D, N, H, rng, 0.3, 0.95, dtype=dtype)
    else:
        params = ss.init_s4d(D, N, H, rng, 0.05, 0.5, copies=2 if N % 2 == 0 else 1, dtype=dtype)
        params["log_a"] += rng.normal(0, 0.3, N).astype(dtype)
        params["omega"] += dtype(0.2)

    def states():
        return ss.as_complex(rng.normal(size=(2, B, N)).astype(dtype))

    x, R = (rng.normal(size=(T, B, n)).astype(dtype) for n in (D, H))
    return params, x, states(), R, states()


def inner(a, b):
    """Σ Re a Re b + Im a Im b: the product of complex numbers as pairs of real ones."""
    return float((a.conj() * b).real.sum())


def close(ours, theirs, atol):
    assert ours.keys() == theirs.keys()
    for name, array in theirs.items():
        np.testing.assert_allclose(ours[name], array, rtol=0, atol=atol, err_msg=name)


# --- Discretisation -----------------------------------------------------------------------------


@pytest.mark.parametrize("rule", RULES)
def test_all_rules_agree_for_small_steps(rule):
    a, dt = np.array([-0.5, -1 + 2j, 3j]), 1e-4
    lam, gamma = rule(a, dt)
    np.testing.assert_allclose(lam, np.exp(a * dt), rtol=0, atol=1e-6)
    np.testing.assert_allclose(gamma, dt, rtol=1e-3)


@pytest.mark.parametrize(("rule", "order"), [(ss.euler, 1), (ss.bilinear, 2)])
def test_the_order_of_the_error(rule, order):
    """Half the step: over the same time the error falls by 2 to the order."""
    errors = [abs(rule(-1 + 2j, 1 / n)[0] ** n - np.exp(-1 + 2j)) for n in (200, 400)]
    assert 0.95 < np.log2(errors[0] / errors[1]) / order < 1.05


def test_the_hold_is_exact():
    """Sixteen small steps with the same input are one large step: λ and γ of Δ from Δ/16."""
    a = np.array([-0.5 + 3j, -2, 1j, 0])
    lam, gamma = ss.zero_order_hold(a, 0.4)
    small, gain = ss.zero_order_hold(a, 0.4 / 16)
    np.testing.assert_allclose(small**16, lam, rtol=0, atol=1e-14)
    summed = gain * sum(small**j for j in range(16))
    np.testing.assert_allclose(summed, gamma, rtol=0, atol=1e-14)


def test_what_is_stable_stays_stable_but_not_with_euler():
    a = RNG(0).uniform(-5, -0.01, 200) + 1j * RNG(1).uniform(-20, 20, 200)
    assert np.abs(ss.zero_order_hold(a, 0.5)[0]).max() < 1
    assert np.abs(ss.bilinear(a, 0.5)[0]).max() < 1
    assert np.abs(ss.euler(a, 0.5)[0]).max() > 5


@pytest.mark.parametrize("rule", RULES)
def test_borders_of_the_rules(rule):
    lam, gamma = rule(0.0, 0.1)
    assert lam == 1 and gamma == 0.1
    assert rule(np.array([0, -1]), 0.1)[0].dtype == np.float64  # integers are numbers
    assert np.isfinite(rule(-1e-300, 1e-300)).all()
    for dt in (0, -1, np.inf, np.nan, True, "1"):
        with pytest.raises(ValueError, match="^dt must"):
            rule(-1.0, dt)
    with pytest.raises(ValueError, match="^dt must"):
        rule(-1.0, np.array([0.1, 0.0]))
    for a in (np.nan, np.inf, complex(0, np.nan)):
        with pytest.raises(NonFiniteError, match="^a holds"):
            rule(a, 0.1)
    for a in ("x", [], True):
        with pytest.raises(TypeError, match="^a must"):
            rule(a, 0.1)


def test_bilinear_refuses_its_pole():
    with pytest.raises(ValueError, match="must not be 2"):
        ss.bilinear(4.0, 0.5)


def test_half_life():
    np.testing.assert_allclose(ss.half_life(0.5j), 1)
    np.testing.assert_allclose(0.9 ** ss.half_life(0.9), 0.5)
    assert np.isinf(ss.half_life(1.0)) and np.isinf(ss.half_life(1j + 1)) and ss.half_life(0) == 0
    with pytest.raises(NonFiniteError):
        ss.half_life(np.nan)


# --- One layer, four ways -----------------------------------------------------------------------


@KINDS
@pytest.mark.parametrize("shape", [(9, 3, 2, 4, 5), (1, 1, 1, 1, 1)])
def test_fast_form_is_the_loop(kind, shape):
    params, x, h_0, R, S = problem(kind, *shape)
    ys, hs = ss.ssm_loop(kind, params, x, h_0)
    y, final, cache = ss.ssm_forward(kind, params, x, h_0)
    np.testing.assert_allclose(y, ys, rtol=0, atol=1e-12)
    np.testing.assert_allclose(cache.hs, hs, rtol=0, atol=1e-12)
    np.testing.assert_allclose(final, hs[-1], rtol=0, atol=1e-12)
    slow, fast = ss.ssm_bptt(kind, params, x, hs, R, S), ss.ssm_backward(kind, params, cache, R, S)
    close(fast[0], slow[0], 1e-11)
    for ours, theirs in zip(fast[1:], slow[1:], strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-12)


@KINDS
def test_recurrence_is_convolution(kind):
    params, x, _, _, _ = problem(kind, T=37)
    K = ss.kernel(kind, params, len(x))
    y, _, _ = ss.ssm_forward(kind, params, x)
    np.testing.assert_allclose(ss.convolve(K, x), y, rtol=0, atol=1e-12)
    np.testing.assert_allclose(ss.fft_convolve(K, x), y, rtol=0, atol=1e-12)


@pytest.mark.parametrize("T", [1, 2, 3, 8, 13])
def test_powers(T):
    lam = np.array([0.9j, -0.5, 0, 0.99 * np.exp(0.3j)])
    np.testing.assert_allclose(ss.powers(lam, T), lam ** np.arange(T)[:, None], rtol=0, atol=1e-14)


@KINDS
def test_recurrence_is_the_scan_of_the_chapter(kind):
    params, x, h_0, _, _ = problem(kind, T=21)
    cache = ss.ssm_forward(kind, params, x, h_0)[2]
    v = cache.gamma * cache.drive
    hs = linear_recurrence.scan(np.broadcast_to(cache.lam, v.shape).copy(), v, h_0)
    np.testing.assert_allclose(cache.hs[1:], hs, rtol=0, atol=1e-12)


@KINDS
def test_two_halves_are_the_whole(kind):
    params, x, h_0, _, _ = problem(kind, T=11)
    y, final, _ = ss.ssm_forward(kind, params, x, h_0)
    first, middle, _ = ss.ssm_forward(kind, params, x[:4], h_0)
    second, last, _ = ss.ssm_forward(kind, params, x[4:], middle)
    np.testing.assert_allclose(np.concatenate([first, second]), y, rtol=0, atol=1e-13)
    np.testing.assert_allclose(last, final, rtol=0, atol=1e-13)


@KINDS
def test_causal_linear_and_the_same_at_every_step(kind):
    params, x, _, _, _ = problem(kind, T=12)

    def f(x):
        return ss.ssm_forward(kind, params, x)[0]

    later = x.copy()
    later[7:] += 1
    np.testing.assert_array_equal(f(x)[:7], f(later)[:7])
    assert np.abs(f(x)[7:] - f(later)[7:]).min() > 0
    np.testing.assert_allclose(f(2 * x - 3 * later), 2 * f(x) - 3 * f(later), rtol=0, atol=1e-12)
    shifted = np.concatenate([np.zeros_like(x[:5]), x])
    np.testing.assert_allclose(f(shifted)[5:], f(x), rtol=0, atol=1e-13)


def test_a_held_input_played_slowly_gives_the_same_states():
    """Each input held for 16 steps of Δ/16, by the zero-order hold, is one step of Δ."""
    params, x, h_0, _, _ = problem(S4D, T=7)
    hs = ss.ssm_forward(S4D, params, x, h_0)[2].hs
    slow = params | {"log_dt": params["log_dt"] - np.log(16)}
    slow_hs = ss.ssm_forward(S4D, slow, np.repeat(x, 16, axis=0), h_0)[2].hs
    np.testing.assert_allclose(slow_hs[::16], hs, rtol=0, atol=1e-12)


def test_real_eigenvalues_make_a_leaky_unit():
    """Phase 0 and W_in real: each state is λ h + γ x W, with nothing imaginary."""
    params, x, _, _, _ = problem(LRU)
    params |= ss.lru_from(np.full(4, 0.9), np.zeros(4), dtype=np.float64)
    params["phi"][:] = -800  # exp(φ) = 0
    params["W_in"][1] = 0
    hs = ss.ssm_forward(LRU, params, x)[2].hs
    h = np.zeros(hs.shape[1:])
    for t, x_t in enumerate(x):
        h = 0.9 * h + np.sqrt(1 - 0.81) * (x_t @ params["W_in"][0])
        np.testing.assert_allclose(hs[t + 1], h, rtol=0, atol=1e-12)


# --- Gradients ----------------------------------------------------------------------------------


@KINDS
@pytest.mark.parametrize("asked", ["both", "outputs", "final"])
def test_gradients_by_finite_differences(kind, asked):
    """Real and imaginary part of every parameter, of the inputs and of the initial state."""
    params, x, h_0, R, S = problem(kind, T=5, B=2, D=2, N=4, H=3, seed=3)
    R, S = (None if asked == "final" else R), (None if asked == "outputs" else S)
    start = ss.as_pair(h_0)

    def loss():
        y, final, _ = ss.ssm_forward(kind, params, x, ss.as_complex(start))
        return (0 if R is None else float((R * y).sum())) + (0 if S is None else inner(S, final))

    cache = ss.ssm_forward(kind, params, x, h_0)[2]
    grads, dx, dh_0 = ss.ssm_backward(kind, params, cache, R, S)
    if asked == "final":
        assert not grads.pop("W_out").any() and not grads.pop("W_skip").any()
    arrays = {name: params[name] for name in grads} | {"x": x, "h_0": start}
    errors = gradcheck.compare(loss, arrays, {**grads, "x": dx, "h_0": ss.as_pair(dh_0)})
    gradcheck.largest(errors, 1e-6)


def torch_layer(kind, p, x, h):
    """The layer in torch, complex, in a plain loop: shares no line with ours."""
    if kind is LRU:
        lam = torch.exp(torch.complex(-torch.exp(p["nu"]), torch.exp(p["phi"])))
        gamma = torch.exp(p["log_gamma"])
    else:
        a = torch.complex(-torch.exp(p["log_a"]), p["omega"])
        lam = torch.exp(torch.exp(p["log_dt"]) * a)
        gamma = (lam - 1) / a
    ys = []
    for x_t in x:
        h = lam * h + gamma * (x_t.to(p["W_in"].dtype) @ p["W_in"])
        ys.append((h @ p["W_out"]).real + x_t @ p["W_skip"])
    return torch.stack(ys), h


@KINDS
def test_parity_with_torch(kind):
    """Complex parameters are complex tensors there, and their gradients are ours, part by part."""
    params, x, h_0, R, S = problem(kind, T=8)
    y, final, cache = ss.ssm_forward(kind, params, x, h_0)
    grads, dx, dh_0 = ss.ssm_backward(kind, params, cache, R, S)

    theirs = {n: ss.as_complex(a) if n in ("W_in", "W_out") else a for n, a in params.items()}
    tensors = {
        name: torch.tensor(array, requires_grad=True)
        for name, array in {**theirs, "x": x, "h_0": h_0}.items()
    }
    ty, tfinal = torch_layer(kind, tensors, tensors["x"], tensors["h_0"])
    ((torch.tensor(R) * ty).sum() + (torch.tensor(S).conj() * tfinal).real.sum()).backward()
    pairs = {"y": (y, ty.detach()), "final": (final, tfinal.detach())}
    for name, array in {**grads, "x": dx, "h_0": dh_0}.items():
        ours = ss.as_complex(array) if name in ("W_in", "W_out") else array
        pairs[name] = (ours, tensors[name].grad)
    errors = {name: np.abs(a - b.numpy()).max() for name, (a, b) in pairs.items()}
    gradcheck.largest(errors, 1e-9)


# --- Start --------------------------------------------------------------------------------------


def test_the_normalised_state_keeps_the_variance_of_its_input():
    """White noise of variance 1: the mean of |h|² is 1 for every λ; without γ 1/(1 − |λ|²)."""
    rng = RNG(0)
    for normalise in (True, False):
        params = ss.init_lru(1, 6, 1, rng, 0.0, 0.95, normalise=normalise, dtype=np.float64)
        params["W_in"][:] = np.array([1.0, 0.0])[:, None, None]
        hs = ss.ssm_forward(LRU, params, rng.normal(size=(2000, 50, 1)))[2].hs[500:]
        wanted = 1 if normalise else 1 / (1 - np.abs(LRU.forward(params)[0]) ** 2)
        np.testing.assert_allclose((np.abs(hs) ** 2).mean(axis=(0, 1)) / wanted, 1, atol=0.15)


def test_the_ring_is_even_by_area():
    size, phase = ss.ring(20_000, RNG(0), 0.6, 0.9, 1.0)
    assert size.min() >= 0.6 and size.max() <= 0.9 and phase.min() >= 0 and phase.max() <= 1.0
    inner_half = np.sqrt((0.6**2 + 0.9**2) / 2)  # half of the area lies within it
    assert 0.48 < (size < inner_half).mean() < 0.52


@pytest.mark.parametrize("size", [0.0, 1e-12, 0.5, 1.0])
def test_lru_from_keeps_what_it_is_given(size):
    params = ss.lru_from(np.array([size]), np.array([0.0]), dtype=np.float64)
    assert all(np.isfinite(array).all() for array in params.values())
    lam, gamma = LRU.forward(params)
    np.testing.assert_allclose(lam, size, rtol=0, atol=2e-6)
    np.testing.assert_allclose(gamma, np.sqrt(1 - np.abs(lam) ** 2), rtol=1e-6)


def test_s4d_starts_where_the_paper_says():
    params = ss.init_s4d(1, 6, 1, RNG(0), 0.01, 0.1, copies=2, dtype=np.float64)
    dt, a = ss.s4d_rates(params)
    np.testing.assert_allclose(a, np.tile(-0.5 + 1j * np.pi * np.arange(3), 2), rtol=0, atol=1e-12)
    assert len(np.unique(dt)) == 2 and dt.min() >= 0.01 and dt.max() <= 0.1
    lam, gamma = S4D.forward(params)
    expected = ss.zero_order_hold(a, dt)
    np.testing.assert_allclose((lam, gamma), expected, rtol=0, atol=1e-14)


@pytest.mark.parametrize("nu", [-800.0, -50.0, 0.0, 5.0, 700.0])
def test_no_parameter_makes_it_unstable(nu):
    params = {"nu": np.array([nu]), "phi": np.array([1.0]), "log_gamma": np.zeros(1)}
    assert np.abs(LRU.forward(params)[0])[0] <= 1 + 1e-15


# --- Borders ------------------------------------------------------------------------------------


@KINDS
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtype_is_kept(kind, dtype):
    params, x, h_0, R, S = problem(kind, dtype=dtype)
    y, final, cache = ss.ssm_forward(kind, params, x, h_0)
    grads, dx, dh_0 = ss.ssm_backward(kind, params, cache, R, S)
    assert {array.dtype for array in [y, dx, *grads.values()]} == {np.dtype(dtype)}
    assert final.dtype == dh_0.dtype == ss.complex_of(dtype)
    assert grads.keys() == params.keys()
    assert all(grads[name].shape == params[name].shape for name in params)
    K = ss.kernel(kind, params, len(x))
    assert K.dtype == ss.fft_convolve(K, x).dtype == dtype


@KINDS
def test_arguments_are_not_changed(kind):
    params, x, h_0, R, S = problem(kind)
    kept = {name: array.copy() for name, array in params.items()}
    copies = [array.copy() for array in (x, h_0, R, S)]
    cache = ss.ssm_forward(kind, params, x, h_0)[2]
    ss.ssm_backward(kind, params, cache, R, S)
    close(params, kept, 0)
    for array, copy in zip((x, h_0, R, S), copies):
        np.testing.assert_array_equal(array, copy)


@KINDS
def test_wrong_arguments_are_named(kind):
    params, x, h_0, R, S = problem(kind)
    cache = ss.ssm_forward(kind, params, x, h_0)[2]

    def refused(match, *args, error=ValueError):
        with pytest.raises(error, match=match):
            ss.ssm_forward(kind, *args)

    first = kind.keys[0]
    refused(f"lack {first}", {n: a for n, a in params.items() if n != first}, x)
    refused(first, params | {first: params[first][:2]}, x)
    refused("W_skip", params | {"W_skip": params["W_skip"].T}, x)
    refused("float32", params, x.astype(np.float32))
    refused("^x has", params, x[..., :2])
    refused("^x is empty", params, x[:0])
    refused("^x must be a NumPy", params, x.tolist(), error=TypeError)
    refused("^x holds", params, np.where(x == x[0, 0, 0], np.nan, x), error=NonFiniteError)
    refused("holds", params | {first: params[first] * np.inf}, x, error=NonFiniteError)
    refused("^h_0 has shape", params, x, h_0[:1])
    refused("^h_0 must have dtype", params, x, h_0.real)
    for dy, dfinal, match in [
        (None, None, "both"),
        (R[:-1], None, "^dy has"),
        (R.astype(np.float32), None, "float32"),
        (R, S.real, "^dfinal must"),
        (R, S[:, :1], "^dfinal has"),
    ]:
        with pytest.raises(ValueError, match=match):
            ss.ssm_backward(kind, params, cache, dy, dfinal)


@pytest.mark.parametrize("bad", [0, -1, 1.5, True, None])
def test_sizes_are_checked(bad):
    for make in (ss.init_lru, ss.init_s4d):
        for sizes in ((bad, 2, 2), (2, bad, 2), (2, 2, bad)):
            with pytest.raises(ValueError, match="must be a positive integer"):
                make(*sizes, RNG(0))
    with pytest.raises(ValueError, match="^T must"):
        ss.kernel(LRU, problem(LRU)[0], bad)


def test_starts_are_checked():
    for bounds in ((0.9, 0.5), (-0.1, 0.5), (0.5, 1.1), (np.nan, 0.5), (0, "1")):
        with pytest.raises(ValueError, match="r_min"):
            ss.ring(3, RNG(0), *bounds)
    for phase in (0, -1, 7, np.nan, np.inf):
        with pytest.raises(ValueError, match="max_phase"):
            ss.ring(3, RNG(0), max_phase=phase)
    for settings in ({"copies": 3}, {"dt_min": 1.0}):
        with pytest.raises(ValueError, match="copies must divide"):
            ss.init_s4d(1, 4, 1, RNG(0), **settings)
    for dt in (0, -1, np.nan):
        with pytest.raises(ValueError, match="^dt_min must"):
            ss.init_s4d(1, 4, 1, RNG(0), dt_min=dt)
