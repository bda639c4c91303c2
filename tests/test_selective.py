"""The selective recurrence: finite differences, autograd, chunks, and the cells it contains."""

import numpy as np
import pytest
import selective_copying

from helpers import gradcheck, selective
from helpers.activations import sigmoid
from helpers.checks import NonFiniteError
from helpers.data import tasks

CHOICES = ["dt B C", "dt B", "dt C", "B C", "dt", "B", "C", ""]
all_choices = pytest.mark.parametrize("choose", CHOICES, ids=lambda c: c or "nothing")
both_holds = pytest.mark.parametrize("exact", [False, True], ids=["euler", "exact"])


def problem(T=5, B=2, H=3, N=2, seed=0, choose="dt B C", dtype=np.float64):
    """Random parameters, inputs, first state, and cotangents for every step and the last state."""
    rng = np.random.default_rng(seed)
    params = selective.init_selective(H, N, rng, dt=(0.1, 1.0), choose=choose, dtype=dtype)
    params["A_log"] = rng.normal(size=(H, N)).astype(dtype)
    params["D"] = rng.normal(size=H).astype(dtype)
    u, dy = rng.normal(size=(2, T, B, H)).astype(dtype)
    h_0, dh_T = rng.normal(size=(2, B, H, N)).astype(dtype)
    return params, u, h_0, dy, dh_T


def block_problem(T=5, B=2, D=3, H=4, N=2, K=3, seed=0, **options):
    rng = np.random.default_rng(seed)
    params = selective.init_block(D, H, N, rng, K=K, dt=(0.1, 1.0), dtype=np.float64, **options)
    x, dout = rng.normal(size=(2, T, B, D))
    state, dstate = ((rng.normal(size=(B, H, N)), rng.normal(size=(K - 1, B, H))) for _ in range(2))
    return params, x, state, dout, dstate


# --- Gradients ----------------------------------------------------------------------------------


@both_holds
@all_choices
@pytest.mark.parametrize("shape", [(5, 2, 3, 2), (1, 1, 1, 1)])
def test_gradients_match_finite_differences(choose, exact, shape):
    params, u, h_0, dy, dh_T = problem(*shape, choose=choose)

    def loss():
        y, h_T, _ = selective.selective_forward(params, u, h_0, exact)
        return float((y * dy).sum() + (h_T * dh_T).sum())

    _, _, cache = selective.selective_forward(params, u, h_0, exact)
    grads, du, dh_0 = selective.selective_backward(params, cache, dy, dh_T, exact)
    assert list(grads) == list(params)
    errors = gradcheck.compare(
        loss, {**params, "u": u, "h_0": h_0}, {**grads, "u": du, "h_0": dh_0}
    )
    gradcheck.largest(errors, 1e-6)


@both_holds
def test_plain_loops_are_the_oracle(exact):
    params, u, h_0, dy, dh_T = problem(7, 3, 4, 5)
    y, h_T, cache = selective.selective_forward(params, u, h_0, exact)
    fast = selective.selective_backward(params, cache, dy, dh_T, exact)
    y_loop, h_loop, steps = selective.selective_loop(params, u, h_0, exact)
    slow = selective.selective_bptt(params, u, steps, dy, dh_T, exact)
    h = h_0
    for t in range(len(u)):
        y_t, h = selective.selective_step(params, u[t], h, exact)
        np.testing.assert_allclose(y_t, y[t], rtol=0, atol=1e-13)
    pairs = [(y, y_loop), (h_T, h_loop), (h_T, h), (fast[1], slow[1]), (fast[2], slow[2])]
    pairs += [(fast[0][name], slow[0][name]) for name in params]
    for ours, theirs in pairs:
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-12)


@pytest.mark.parametrize("options", [{}, {"gate": False}, {"K": 1}, {"K": 1, "gate": False},
                                     {"choose": ""}, {"K": 7}], ids=str)  # fmt: skip
@both_holds
def test_gradients_of_the_block(options, exact):
    params, x, state, dout, dstate = block_problem(**options)

    def loss():
        out, last, _ = selective.block_forward(params, x, state, exact)
        return float((out * dout).sum() + sum((a * b).sum() for a, b in zip(last, dstate)))

    _, _, cache = selective.block_forward(params, x, state, exact)
    grads, dx, (dh_0, dtail) = selective.block_backward(params, cache, dout, dstate, exact)
    assert list(grads) == list(params)
    arrays, found = {**params, "x": x, "h": state[0]}, {**grads, "x": dx, "h": dh_0}
    if state[1].size:
        arrays["tail"], found["tail"] = state[1], dtail
    gradcheck.largest(gradcheck.compare(loss, arrays, found), 1e-6)


def in_torch(torch, p, x, h, tail, exact):
    """The block as a plain loop in tensors, which shares no line with ours."""
    silu, K = torch.nn.functional.silu, len(p["W_conv"])
    v, A = torch.cat([tail, x @ p["W_in"]]), -torch.exp(p["A_log"])
    out = []
    for t in range(len(x)):
        u = silu(p["b_conv"] + sum(p["W_conv"][j] * v[t + K - 1 - j] for j in range(K)))
        delta = torch.nn.functional.softplus(u @ p["W_dt"] + p["b_dt"])[:, :, None]
        a = torch.exp(delta * A)
        write = ((a - 1) / A if exact else delta) * (u @ p["W_B"])[:, None] * u[:, :, None]
        h = a * h + write
        y = torch.einsum("bhn,bn->bh", h, u @ p["W_C"]) + p["D"] * u
        out.append(y * silu(x[t] @ p["W_gate"]) @ p["W_out"])
    return torch.stack(out), h, v[len(x) :]


@both_holds
def test_torch_agrees(exact):
    torch = pytest.importorskip("torch")
    params, x, (h_0, tail), dout, dstate = block_problem(T=9, B=3, D=4, H=5, N=3, K=4)
    out, last, cache = selective.block_forward(params, x, (h_0, tail), exact)
    grads, dx, dstate_0 = selective.block_backward(params, cache, dout, dstate, exact)
    ours = {**params, "x": x, "h": h_0, "tail": tail}
    tensors = {name: torch.tensor(array, requires_grad=True) for name, array in ours.items()}
    theirs = in_torch(torch, tensors, tensors["x"], tensors["h"], tensors["tail"], exact)
    loss = sum((torch.tensor(d) * o).sum() for d, o in zip((dout, *dstate), theirs))
    loss.backward()
    found = {**grads, "x": dx, "h": dstate_0[0], "tail": dstate_0[1]}
    errors = {n: gradcheck.absolute_error(found[n], tensors[n].grad.numpy()) for n in ours}
    for i, (mine, other) in enumerate(zip((out, *last), theirs)):
        errors[f"out{i}"] = gradcheck.absolute_error(mine, other.detach().numpy())
    gradcheck.largest(errors, 1e-9)


# --- What must be equal -------------------------------------------------------------------------


def test_with_one_number_of_state_it_is_a_gated_cell():
    """Theorem 1 of Gu & Dao: N = 1, A = −1, B = C = 1: h_t = (1 − g_t) h_{t−1} + g_t u_t."""
    params, u, h_0, _, _ = problem(12, 3, 4, 1, choose="dt")
    params |= {"A_log": np.zeros((4, 1)), "B": np.ones((4, 1)), "C": np.ones((4, 1))}
    params["D"] = np.zeros(4)
    y, _, _ = selective.selective_forward(params, u, h_0, exact=True)
    euler, _, _ = selective.selective_forward(params, u, h_0)
    h = h_0[:, :, 0]
    for t, u_t in enumerate(u):
        g = sigmoid(u_t @ params["W_dt"] + params["b_dt"])
        h = (1 - g) * h + g * u_t
        np.testing.assert_allclose(y[t], h, rtol=0, atol=1e-13)
    assert np.abs(euler - y).max() > 0.01  # the equality needs the exact form


@both_holds
def test_two_halves_are_the_whole(exact):
    params, x, state, dout, dstate = block_problem(T=9, K=4)
    out, last, cache = selective.block_forward(params, x, state, exact)
    grads, dx, dstate_0 = selective.block_backward(params, cache, dout, dstate, exact)
    for cut in (1, 2, 5, 8):
        first, between, cache_1 = selective.block_forward(params, x[:cut], state, exact)
        second, end, cache_2 = selective.block_forward(params, x[cut:], between, exact)
        g2, dx2, dbetween = selective.block_backward(params, cache_2, dout[cut:], dstate, exact)
        g1, dx1, dstart = selective.block_backward(params, cache_1, dout[:cut], dbetween, exact)
        pairs = [(np.concatenate([first, second]), out), (np.concatenate([dx1, dx2]), dx)]
        pairs += [*zip(end, last), *zip(dstart, dstate_0)]
        pairs += [(g1[name] + g2[name], grads[name]) for name in params]
        for ours, whole in pairs:
            np.testing.assert_allclose(ours, whole, rtol=0, atol=1e-12)


def test_no_answer_depends_on_what_comes_later():
    params, x, state, _, _ = block_problem(T=8)
    out = selective.block_forward(params, x, state)[0]
    other = x.copy()
    other[5:] += 1
    changed = selective.block_forward(params, other, state)[0]
    np.testing.assert_array_equal(out[:5], changed[:5])
    assert np.abs(out[5] - changed[5]).max() > 1e-3


def test_nothing_chosen_is_one_convolution():
    """With fixed Δ, B and C the answer is a kernel of lags: y_t = Σ_k κ_k ⊙ u_{t−k} + D ⊙ u_t."""
    params, u, _, _, _ = problem(10, 2, 3, 4, choose="")
    a, phi = selective.discretise(
        selective.softplus(params["b_dt"]), -np.exp(params["A_log"]), exact=True
    )
    lags = np.arange(10)[:, None, None]
    kernel = (params["C"] * a**lags * phi * params["B"]).sum(axis=-1)  # (T, H)
    wanted = params["D"] * u
    for t in range(10):
        for k in range(t + 1):
            wanted[t] += kernel[k] * u[t - k]
    y = selective.selective_forward(params, u, exact=True)[0]
    np.testing.assert_allclose(y, wanted, rtol=0, atol=1e-12)
    late = selective.selective_forward(params, np.concatenate([np.zeros_like(u[:3]), u]))[0]
    np.testing.assert_allclose(late[3:], selective.selective_forward(params, u)[0], atol=1e-12)


def test_discretisation_is_the_solution_of_the_equation():
    """exp(ΔA) and φ against a fine grid of small Euler steps of h′ = A h + u, u held."""
    delta, A = np.array([0.7]), np.array([[-1.3, -0.2]])
    a, phi = selective.discretise(delta, A, exact=True)
    h, n = np.array([[0.5, -2.0]]), 20_000
    wanted = a * h + phi * 0.9
    for _ in range(n):
        h = h + delta[0] / n * (A * h + 0.9)
    np.testing.assert_allclose(h, wanted, atol=1e-4)
    small_a, small_phi = selective.discretise(np.array([1e-9]), A, exact=True)
    np.testing.assert_allclose(small_phi, 1e-9, rtol=1e-8)
    still = selective.discretise(np.array([0.0, 2.0]), np.array([[-1.0], [0.0]]), exact=True)
    np.testing.assert_array_equal(still[0][:, 0], [1, 1])
    np.testing.assert_array_equal(still[1][:, 0], [0, 2])


def test_pointwise_functions_at_the_border():
    s = np.array([-800.0, -30.0, 0.0, 30.0, 800.0])
    np.testing.assert_allclose(selective.softplus(s), np.logaddexp(0, s))
    np.testing.assert_allclose(selective.dsoftplus(selective.softplus(s)), sigmoid(s), atol=1e-15)
    assert selective.silu(np.float32(3)).dtype == np.float32
    assert selective.half_life(np.array([0.5]))[0] == 1


def test_start_is_what_the_docstring_says():
    params = selective.init_selective(400, 3, np.random.default_rng(0), dt=(0.01, 0.2))
    at_rest = selective.softplus(params["b_dt"])
    assert 0.0099 < at_rest.min() < 0.011 and 0.18 < at_rest.max() < 0.2001
    np.testing.assert_allclose(-np.exp(params["A_log"][7]), [-1, -2, -3], rtol=1e-6)
    assert {array.dtype for array in params.values()} == {np.dtype(np.float32)}


@both_holds
def test_dtype_is_kept(exact):
    for dtype in (np.float32, np.float64):
        rng = np.random.default_rng(0)
        params = selective.init_block(3, 4, 2, rng, dtype=dtype)
        x = rng.normal(size=(6, 2, 3)).astype(dtype)
        out, state, cache = selective.block_forward(params, x, None, exact)
        grads, dx, dstate = selective.block_backward(params, cache, out, None, exact)
        arrays = [out, *state, dx, *dstate, *grads.values(), *params.values()]
        assert {array.dtype for array in arrays} == {np.dtype(dtype)}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p, a: a.update(u=a["u"][0]), "u has shape"),
        (lambda p, a: a.update(u=a["u"].astype(np.float32)), "expected one dtype"),
        (lambda p, a: a.update(u=a["u"][:0]), "u is empty"),
        (lambda p, a: a.update(u=a["u"] * np.nan), "u holds"),
        (lambda p, a: a.update(h_0=a["h_0"] * np.inf), "h_0 holds"),
        (lambda p, a: a.update(h_0=a["h_0"][:1]), "h_0 has shape"),
        (lambda p, a: p.pop("W_B"), "either 'B' or 'W_B'"),
        (lambda p, a: p.update(C=p["W_C"]), "either 'C' or 'W_C'"),
        (lambda p, a: p.update(W_dt=p["W_dt"][:1]), "W_dt"),
        (lambda p, a: p.update(D=p["D"][:1]), "'D'"),
    ],
)
def test_bad_input_is_named(change, message):
    params, u, h_0, _, _ = problem()
    arguments = {"u": u, "h_0": h_0}
    change(params, arguments)
    with pytest.raises((ValueError, NonFiniteError), match=message):
        selective.selective_forward(params, **arguments)


def test_bad_settings_and_gradients_are_named():
    rng = np.random.default_rng(0)
    for arguments, message in [
        ({"H": 0, "N": 2}, "H must be"), ({"H": 2, "N": 1.0}, "N must be"),
        ({"H": 2, "N": 2, "dt": (0, 1)}, r"dt\[0\] must be a positive"),
        ({"H": 2, "N": 2, "dt": (0.1, np.inf)}, r"dt\[1\] must be a positive"),
        ({"H": 2, "N": 2, "dt": (1, 0.1)}, "low first"),
        ({"H": 2, "N": 2, "choose": "A"}, "got 'A'"),
    ]:  # fmt: skip
        with pytest.raises(ValueError, match=message):
            selective.init_selective(rng=rng, **arguments)
    with pytest.raises(ValueError, match="K must be"):
        selective.init_block(2, 2, 2, rng, K=0)
    params, u, h_0, dy, dh_T = problem()
    _, _, cache = selective.selective_forward(params, u, h_0)
    with pytest.raises(ValueError, match="dy, dh_T or both"):
        selective.selective_backward(params, cache, None)
    with pytest.raises(ValueError, match="dy has shape"):
        selective.selective_backward(params, cache, dy[1:])
    with pytest.raises(ValueError, match="expected one dtype"):
        selective.selective_backward(params, cache, dy.astype(np.float32))
    block, x, state, dout, dstate = block_problem()
    with pytest.raises(ValueError, match="tail has shape"):
        selective.block_forward(block, x, (state[0], state[1][:1]))
    with pytest.raises(ValueError, match="x has shape"):
        selective.block_forward(block, x[..., :1])


# --- The frame of the study ---------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(selective_copying.MIXERS))
def test_gradients_of_whole_models(name):
    """The slope of the loss along a random direction is the product of gradient and direction."""
    rng, mixer = np.random.default_rng(0), selective_copying.MIXERS[name]
    params = selective_copying.init_net(mixer, 8, 4, 5, 2, rng)
    params = {key: array.astype(np.float64) for key, array in params.items()}
    batch = tasks.selective_copy(6, 3, rng, length=2, symbols=6)
    grads = selective_copying.net_loss_and_grads(mixer, params, *batch).grads
    assert grads.keys() == params.keys()
    for _ in range(3):
        way = {key: rng.normal(size=array.shape) for key, array in params.items()}

        def loss(step, way=way):
            moved = {key: params[key] + step * way[key] for key in params}
            return selective_copying.net_loss_and_grads(mixer, moved, *batch).loss

        slope = (loss(1e-6) - loss(-1e-6)) / 2e-6
        assert slope == pytest.approx(sum((grads[key] * way[key]).sum() for key in way), rel=1e-6)


def test_models_of_the_study_have_equal_parameters():
    settings = selective_copying.SETTINGS
    for name, mixer in selective_copying.MIXERS.items():
        size = selective_copying.count(mixer, selective_copying.width(mixer, settings), settings)
        assert abs(size / settings["parameters"] - 1) < 0.05, name
