"""The scan in all its forms, its gradient, and the minimal layers that stand on it."""

import numpy as np
import pytest

from helpers import gradcheck, linear_recurrence, losses
from helpers.activations import sigmoid
from helpers.checks import NonFiniteError
from helpers.linear_recurrence import (
    MIN_GRU,
    MIN_GRU_SIGNED,
    MIN_LSTM,
    combine,
    min_gru_bptt,
    min_gru_loop,
    min_gru_step,
    min_lstm_step,
    scan,
    scan_backward,
    scan_chunks,
    scan_doubling,
    scan_log,
    scan_loop,
    scan_loop_backward,
    scan_steps,
    scan_tree,
)

torch = pytest.importorskip("torch")

FORMS = (scan, scan_doubling, scan_tree, scan_chunks, scan_steps)
LAYERS = (MIN_GRU, MIN_GRU_SIGNED, MIN_LSTM)
all_forms = pytest.mark.parametrize("form", FORMS, ids=lambda f: f.__name__)
all_layers = pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer.name)
dtypes = pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex64, np.complex128])


def normal(rng, shape, dtype=np.float64):
    z = rng.normal(size=shape)
    if np.dtype(dtype).kind == "c":
        z = z + 1j * rng.normal(size=shape)
    return np.asarray(z, dtype)


def problem(shape=(7, 3, 4), dtype=np.float64, seed=0):
    """a below 1 in absolute value, of any sign or phase; b and h0 normal."""
    rng = np.random.default_rng(seed)
    a, b, h0 = normal(rng, shape, dtype), normal(rng, shape, dtype), normal(rng, shape[1:], dtype)
    return (a / (1 + np.abs(a))).astype(dtype), b, h0


# --- The scan -----------------------------------------------------------------------------------


def test_combining_is_associative_and_one_step_after_another():
    rng = np.random.default_rng(0)
    p, q, r = (rng.normal(size=(2, 100)) for _ in range(3))
    left, right = combine(combine(p, q), r), combine(p, combine(q, r))
    np.testing.assert_allclose(left, right, atol=1e-12)
    h = rng.normal(size=100)
    by_steps = r[0] * (q[0] * (p[0] * h + p[1]) + q[1]) + r[1]
    np.testing.assert_allclose(left[0] * h + left[1], by_steps, atol=1e-12)


@all_forms
@dtypes
@pytest.mark.parametrize("T", [1, 2, 3, 4, 5, 8, 9, 33])
def test_all_forms_give_the_numbers_of_the_loop(form, dtype, T):
    a, b, h0 = problem((T, 2, 3), dtype, T)
    kept = a.copy(), b.copy(), h0.copy()
    h, paper = form(a, b, h0), scan_loop(a, b, h0)
    assert h.dtype == dtype
    assert h.shape == paper.shape
    limit = 1e-12 if dtype in (np.float64, np.complex128) else 1e-4
    assert np.abs(h - paper).max() < limit
    for before, after in zip(kept, (a, b, h0)):
        assert np.array_equal(before, after), "the arguments are left as they were"


@all_forms
@pytest.mark.parametrize("rest", [(1,), (5,), (300,), (2, 3, 4), (40, 50)])
def test_any_shape_of_a_step(form, rest):
    a, b, h0 = problem((9, *rest))
    assert np.abs(form(a, b, h0) - scan_loop(a, b, h0)).max() < 1e-12
    assert np.abs(form(a, b) - scan_loop(a, b, 0 * h0)).max() < 1e-12


def test_a_step_may_be_one_number():
    a, b, h0 = problem((50,))
    assert scan(a, b).shape == (50,)
    assert np.abs(scan(a, b, np.asarray(h0)) - scan_loop(a, b, np.asarray(h0))).max() < 1e-12
    da, db, dh0 = scan_backward(a, scan(a, b), None, b)
    assert da.shape == db.shape == (50,) and np.shape(dh0) == ()


@pytest.mark.parametrize("size", [1, 2, 3, 6, 7, 8, 100, np.int64(4)])
def test_chunks_of_any_size(size):
    a, b, h0 = problem()
    assert np.abs(scan_chunks(a, b, h0, size) - scan_loop(a, b, h0)).max() < 1e-12


@all_forms
def test_two_halves_are_the_whole(form):
    a, b, h0 = problem((20, 3, 4))
    first = form(a[:13], b[:13], h0)
    second = form(a[13:], b[13:], first[-1])
    assert np.abs(np.concatenate([first, second]) - form(a, b, h0)).max() < 1e-12


@all_forms
def test_nothing_comes_from_the_future(form):
    a, b, h0 = problem((20, 3, 4))
    before = form(a, b, h0)
    a[12:], b[12:] = 5.0, 7.0
    np.testing.assert_allclose(form(a, b, h0)[:12], before[:12], atol=1e-13)


@all_forms
def test_degenerate_cases(form):
    a, b, h0 = problem((20, 3, 4))
    np.testing.assert_allclose(form(np.ones_like(a), b), np.cumsum(b, axis=0), atol=1e-12)
    np.testing.assert_array_equal(form(np.zeros_like(a), b, h0), b)
    np.testing.assert_allclose(form(a, 0 * b, h0), h0 * np.cumprod(a, axis=0), atol=1e-13)


def test_a_constant_may_be_broadcast():
    _, b, h0 = problem()
    a = np.broadcast_to(np.full(4, 0.9), b.shape)
    h = scan(a, b, h0)
    assert np.abs(h - scan_loop(a, b, h0)).max() < 1e-13
    assert np.isfinite(scan_backward(a, h, h0, b)[0]).all()


@all_forms
def test_a_long_scan_survives_products_that_underflow(form):
    a, b, _ = problem((3000, 2))
    a = np.abs(a) / 2
    assert np.cumprod(a, axis=0)[-1].max() == 0
    assert np.abs(form(a, b) - scan_loop(a, b, np.zeros(2))).max() < 1e-12


def test_log_form():
    a, b, h0 = (np.abs(z) + 1e-3 for z in problem((50, 3)))
    with np.errstate(divide="ignore"):
        log_h = scan_log(np.log(a), np.log(b), np.log(h0))
        from_zero = scan_log(np.log(a), np.log(b), np.log(0 * h0))
    np.testing.assert_allclose(np.exp(log_h), scan_loop(a, b, h0), rtol=1e-12)
    np.testing.assert_allclose(np.exp(from_zero), scan_loop(a, b, 0 * h0), rtol=1e-12)


# --- Its gradient -------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (7, 2, 3), (4, 300)])
def test_scan_backward_matches_finite_differences(shape):
    a, b, h0 = problem(shape)
    R = normal(np.random.default_rng(1), shape)
    arrays = {"a": a, "b": b, "h0": h0}
    grads = dict(zip(arrays, scan_backward(a, scan(a, b, h0), h0, R)))
    if h0.size > 100:  # a wide step goes another way; a few of its numbers will do
        paper = scan_loop_backward(a, scan_loop(a, b, h0), h0, R)
        for name, one in zip(arrays, paper):
            assert gradcheck.absolute_error(np.ascontiguousarray(grads[name]), one) < 1e-12
        return
    errors = gradcheck.compare(lambda: float((R * scan(a, b, h0)).sum()), arrays, grads)
    gradcheck.largest(errors, 1e-6)


@dtypes
@pytest.mark.parametrize("start", [True, False])
def test_scan_backward_matches_torch_and_the_loop(dtype, start):
    a, b, h0 = problem((40, 2, 3), dtype)
    R = normal(np.random.default_rng(1), a.shape, dtype)
    h0 = h0 if start else 0 * h0
    ta, tb, th0 = (torch.tensor(z, requires_grad=True) for z in (a, b, h0))
    h, hs = th0, []
    for t in range(len(a)):
        h = ta[t] * h + tb[t]
        hs.append(h)
    hs = torch.stack(hs)
    loss = (torch.tensor(R).conj() * hs).sum()  # real part: ⟨R, h⟩ over ℝ²
    (loss.real if loss.is_complex() else loss).backward()
    ours = scan(a, b, h0 if start else None)
    limit = 1e-9 if dtype in (np.float64, np.complex128) else 1e-3
    assert np.abs(ours - hs.detach().numpy()).max() < limit
    fast = scan_backward(a, ours, h0 if start else None, R)
    for mine, paper, theirs in zip(fast, scan_loop_backward(a, ours, h0, R), (ta, tb, th0)):
        assert mine.dtype == dtype
        assert np.abs(mine - theirs.grad.numpy()).max() < limit
        assert np.abs(mine - paper).max() < limit


# --- What is refused ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"a": [1.0, 2.0]}, TypeError, "a must be a NumPy array, got list"),
        ({"a": np.array(1.0)}, ValueError, r"a has shape \(\)"),
        ({"b": np.zeros((7, 3, 5))}, ValueError, r"b has shape \(7, 3, 5\), expected \(7, 3, 4\)"),
        ({"h0": np.zeros((1, 4))}, ValueError, r"h0 has shape \(1, 4\), expected \(3, 4\)"),
        ({"h0": np.zeros((3, 4), np.float32)}, ValueError, "h0 float32"),
        ({"b": np.zeros((7, 3, 4), complex)}, ValueError, "b complex128"),
        ({"b": np.full((7, 3, 4), np.nan)}, NonFiniteError, "b holds 84 non-finite"),
        ({"a": np.full((7, 3, 4), np.inf)}, NonFiniteError, "a holds 84 non-finite"),
        ({"a": np.zeros((0, 3, 4)), "b": np.zeros((0, 3, 4))}, ValueError, "a is empty"),
    ],
)
def test_scan_refuses_in_words(change, error, words):
    a, b, h0 = problem()
    with pytest.raises(error, match=words):
        scan(**{"a": a, "b": b, "h0": h0, **change})


@pytest.mark.parametrize("kind", [np.int8, np.int64, np.uint16, np.float16, bool])
def test_scan_refuses_other_numbers(kind):
    ones = np.ones((3, 2), kind)
    with pytest.raises(ValueError, match="expected one dtype"):
        scan(ones, ones)


def test_scan_backward_and_chunks_refuse_in_words():
    a, b, h0 = problem()
    h = scan(a, b, h0)
    with pytest.raises(ValueError, match=r"dh has shape \(6, 3, 4\)"):
        scan_backward(a, h, h0, h[1:])
    with pytest.raises(NonFiniteError, match="dh holds"):
        scan_backward(a, h, h0, h * np.nan)
    for size in (0, -1, 2.0, True):
        with pytest.raises(ValueError, match="size must be a positive integer"):
            scan_chunks(a, b, h0, size)


# --- The layers ---------------------------------------------------------------------------------


def layer_problem(layer, T=6, B=2, D=3, H=4, dtype=np.float64, seed=0):
    rng = np.random.default_rng(seed)
    params = layer.init(D, H, rng, dtype)
    return (
        params, normal(rng, (T, B, D), dtype), normal(rng, (B, H), dtype),
        normal(rng, (T, B, H), dtype), normal(rng, (B, H), dtype),
    )  # fmt: skip


def on_paper(layer, params, x, h):
    hs = []
    for x_t in x:
        if layer is MIN_LSTM:
            h = min_lstm_step(params, x_t, h)
        else:
            h = min_gru_step(params, x_t, h, signed=layer is MIN_GRU_SIGNED)
        hs.append(h)
    return np.stack(hs)


@all_layers
@pytest.mark.parametrize("H", [4, 200])
def test_layer_is_the_step_as_on_paper(layer, H):
    params, x, h0, _, _ = layer_problem(layer, T=30, H=H)
    h, final, _ = layer.forward(params, x, h0)
    np.testing.assert_allclose(h, on_paper(layer, params, x, h0), atol=1e-12)
    np.testing.assert_array_equal(final, h[-1])
    np.testing.assert_allclose(
        layer.forward(params, x)[0], on_paper(layer, params, x, 0 * h0), atol=1e-12
    )


@all_layers
@pytest.mark.parametrize("shape", [(5, 2, 3, 4), (1, 1, 1, 1), (3, 2, 1, 5)])
def test_layer_gradients_match_finite_differences(layer, shape):
    params, x, h0, R, S = layer_problem(layer, *shape)

    def loss():
        h, final, _ = layer.forward(params, x, h0)
        return float((R * h).sum() + (S * final).sum())

    grads, dx, dh0 = layer.backward(params, layer.forward(params, x, h0)[2], R, S)
    arrays, found = {**params, "x": x, "h0": h0}, {**grads, "x": dx, "h0": dh0}
    gradcheck.largest(gradcheck.compare(loss, arrays, found), 1e-6)


def torch_layer(layer, p, x, h):
    """The equations in torch, one step after another."""
    hs = []
    for x_t in x:
        if layer is MIN_LSTM:
            i, f, g = (x_t @ p["W_xh"] + p["b_h"]).chunk(3, dim=-1)
            i, f = torch.sigmoid(i), torch.sigmoid(f)
            h = f / (f + i) * h + i / (f + i) * g
        else:
            z, n = (x_t @ p["W_xh"] + p["b_h"]).chunk(2, dim=-1)
            s = torch.sigmoid(z)
            h = (2 * s - 1 if layer is MIN_GRU_SIGNED else s) * h + (1 - s) * n
        hs.append(h)
    return torch.stack(hs)


@all_layers
@pytest.mark.parametrize("shape", [(40, 3, 4, 5), (1, 1, 1, 1), (9, 4, 2, 100)])
def test_layer_agrees_with_autograd(layer, shape):
    params, x, h0, R, S = layer_problem(layer, *shape)
    h, final, cache = layer.forward(params, x, h0)
    grads, dx, dh0 = layer.backward(params, cache, R, S)
    p = {name: torch.tensor(array, requires_grad=True) for name, array in params.items()}
    tx, th0 = torch.tensor(x, requires_grad=True), torch.tensor(h0, requires_grad=True)
    th = torch_layer(layer, p, tx, th0)
    ((torch.tensor(R) * th).sum() + (torch.tensor(S) * th[-1]).sum()).backward()
    pairs = {"h": (h, th.detach()), "x": (dx, tx.grad), "h0": (dh0, th0.grad)}
    pairs |= {name: (grads[name], p[name].grad) for name in params}
    gaps = {n: gradcheck.absolute_error(np.asarray(o), t.numpy()) for n, (o, t) in pairs.items()}
    gradcheck.largest(gaps, 1e-9)


@pytest.mark.parametrize("signed", [False, True])
def test_min_gru_plain_loop_and_back(signed):
    layer = MIN_GRU_SIGNED if signed else MIN_GRU
    params, x, h0, R, S = layer_problem(layer, T=12)
    h, _, cache = layer.forward(params, x, h0)
    hs = min_gru_loop(params, x, h0, signed)
    assert gradcheck.absolute_error(hs, h) < 1e-13
    fast, paper = layer.backward(params, cache, R, S), min_gru_bptt(params, x, h0, hs, R, S, signed)
    for name in params:
        assert gradcheck.absolute_error(fast[0][name], paper[0][name]) < 1e-12
    assert gradcheck.absolute_error(fast[1], paper[1]) < 1e-12
    assert gradcheck.absolute_error(fast[2], paper[2]) < 1e-12


@all_layers
def test_layer_halves_causality_and_one_gradient_alone(layer):
    params, x, h0, R, S = layer_problem(layer, T=20)
    h, final, cache = layer.forward(params, x, h0)
    first, middle, _ = layer.forward(params, x[:9], h0)
    second, last, _ = layer.forward(params, x[9:], middle)
    np.testing.assert_allclose(np.concatenate([first, second]), h, atol=1e-12)
    np.testing.assert_allclose(last, final, atol=1e-12)
    changed = x.copy()
    changed[11:] = 9.0
    np.testing.assert_allclose(layer.forward(params, changed, h0)[0][:11], h[:11], atol=1e-13)
    both = layer.backward(params, cache, R, S)
    alone = layer.backward(params, cache, R), layer.backward(params, cache, None, S)
    for name in params:
        np.testing.assert_allclose(both[0][name], alone[0][0][name] + alone[1][0][name], atol=1e-12)
    np.testing.assert_allclose(both[1], alone[0][1] + alone[1][1], atol=1e-12)
    np.testing.assert_allclose(both[2], alone[0][2] + alone[1][2], atol=1e-12)


@all_layers
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_layer_keeps_the_dtype(layer, dtype):
    params, x, h0, R, S = layer_problem(layer, dtype=dtype)
    h, final, cache = layer.forward(params, x, h0)
    grads, dx, dh0 = layer.backward(params, cache, R, S)
    assert {z.dtype for z in (h, final, dx, dh0, *grads.values())} == {np.dtype(dtype)}
    assert grads.keys() == params.keys()
    assert all(grads[name].shape == params[name].shape for name in params)


def test_min_lstm_is_a_min_gru_whose_gate_is_the_ratio():
    params, x, h0, _, _ = layer_problem(MIN_LSTM)
    a_i, a_f, g = np.split(x @ params["W_xh"] + params["b_h"], 3, axis=-1)
    z = sigmoid(np.logaddexp(0, -a_i) - np.logaddexp(0, -a_f))
    h = scan(z, (1 - z) * g, h0)
    assert gradcheck.absolute_error(MIN_LSTM.forward(params, x, h0)[0], h) < 1e-13


def test_min_lstm_has_no_zero_divided_by_zero():
    params, x, h0, R, _ = layer_problem(MIN_LSTM, dtype=np.float32)
    params["b_h"][:8] = -500.0  # both gates are 0 in float32, their ratio is not
    h, _, cache = MIN_LSTM.forward(params, x, h0)
    assert np.isfinite(h).all()
    assert np.isfinite(MIN_LSTM.backward(params, cache, R)[1]).all()


def test_signed_gate_at_minus_one_counts_modulo_two():
    """Gate −1 and candidate 1 where x = 1, gate +1 where x = 0: the parity, from h_0 = 0."""
    params = {"W_xh": np.array([[-100.0, 0.0]]), "b_h": np.array([50.0, 1.0])}
    bits = np.random.default_rng(0).integers(0, 2, (500, 4, 1)).astype(float)
    h, _, _ = MIN_GRU_SIGNED.forward(params, bits)
    np.testing.assert_allclose(h, np.cumsum(bits, axis=0) % 2, atol=1e-9)


@all_layers
def test_a_gate_held_open_keeps_and_one_held_shut_replaces(layer):
    params, x, h0, _, _ = layer_problem(layer)
    H = 4
    candidate = (x @ params["W_xh"] + params["b_h"])[..., -H:]
    for sign, wanted in ((1, np.broadcast_to(h0, candidate.shape)), (-1, candidate)):
        p = {name: array.copy() for name, array in params.items()}
        p["W_xh"][:, :-H] = 0
        p["b_h"][:-H] = sign * 50
        if layer is MIN_LSTM:
            p["b_h"][:H] = -sign * 50
        h = layer.forward(p, x, h0)[0]
        if layer is MIN_GRU_SIGNED and sign < 0:
            wanted = candidate - np.concatenate([h0[None], h[:-1]])
        np.testing.assert_allclose(h, wanted, atol=1e-9)


@all_layers
def test_layer_refuses_in_words(layer):
    params, x, h0, R, S = layer_problem(layer)
    cache = layer.forward(params, x, h0)[2]
    for wrong, error, words in (
        ((params, x[0], h0), ValueError, "x has shape"),
        ((params, x.astype(np.float32), h0), ValueError, "x float32"),
        ((params, x * np.nan, h0), NonFiniteError, "x holds"),
        ((params, x, h0[:1]), ValueError, "h0 has shape"),
        ((params, x, h0 * np.inf), NonFiniteError, "h0 holds"),
        ((params, x[:0], h0), ValueError, "x is empty"),
        (({**params, "W_xh": params["W_xh"][:, 1:]}, x, h0), ValueError, "W_xh"),
        (({**params, "b_h": params["b_h"][1:]}, x, h0), ValueError, "b_h"),
        (({**params, "b_h": params["b_h"] * np.nan}, x, h0), NonFiniteError, "b_h"),
    ):
        with pytest.raises(error, match=words):
            layer.forward(*wrong)
    for dh, dfinal, words in (
        (None, None, "with neither"),
        (R[1:], None, "dh has shape"),
        (None, S[:, 1:], "dfinal has shape"),
        (R.astype(np.float32), None, "dh float32"),
    ):
        with pytest.raises(ValueError, match=words):
            layer.backward(params, cache, dh, dfinal)
    for sizes in ((0, 2), (2, -1), (2.5, 2), (True, 2)):
        with pytest.raises(ValueError, match="must be a positive integer"):
            layer.init(*sizes, np.random.default_rng(0))


@all_layers
def test_model_gradients(layer):
    rng = np.random.default_rng(0)
    params = linear_recurrence.init_model(layer, 3, 4, 5, rng, np.float64)
    x, targets = rng.normal(size=(6, 2, 3)), rng.integers(0, 5, (6, 2))

    def loss(z):
        return losses.cross_entropy(z, targets)

    value, grads, state = linear_recurrence.loss_and_grads(layer, params, x, loss)
    z, final, h = linear_recurrence.predict(layer, params, x)
    assert value == pytest.approx(loss(z)[0])
    np.testing.assert_array_equal(state, final)
    assert h.shape == (6, 2, 4)

    def again():
        return linear_recurrence.loss_and_grads(layer, params, x, loss).loss

    gradcheck.largest(gradcheck.compare(again, params, grads), 1e-6)


# --- Several layers -----------------------------------------------------------------------------


@all_layers
def test_stack_gradients_match_finite_differences(layer):
    deep = linear_recurrence.stack(layer, 3)
    rng = np.random.default_rng(0)
    params, x, h0 = deep.init(3, 4, rng, np.float64), rng.normal(size=(5, 2, 3)), None
    h0, S, R = rng.normal(size=(3, 2, 4)), rng.normal(size=(3, 2, 4)), rng.normal(size=(5, 2, 4))

    def loss():
        h, final, _ = deep.forward(params, x, h0)
        return float((R * h).sum() + (S * final).sum())

    grads, dx, dh0 = deep.backward(params, deep.forward(params, x, h0)[2], R, S)
    arrays, found = {**params, "x": x, "h0": h0}, {**grads, "x": dx, "h0": dh0}
    gradcheck.largest(gradcheck.compare(loss, arrays, found), 1e-6)


def test_a_stack_of_one_is_the_layer_and_two_are_one_on_the_other():
    params, x, h0, R, _ = layer_problem(MIN_GRU, D=4)
    one, two = (linear_recurrence.stack(MIN_GRU, n) for n in (1, 2))
    below = {f"{name}_l0": p for name, p in params.items()}
    h, final, cache = one.forward(below, x, h0[None])
    np.testing.assert_array_equal(h, MIN_GRU.forward(params, x, h0)[0])
    assert final.shape == (1, 2, 4)
    assert one.backward(below, cache, R)[0].keys() == below.keys()
    both = below | {f"{name}_l1": p for name, p in params.items()}
    np.testing.assert_array_equal(two.forward(both, x)[0], MIN_GRU.forward(
        params, MIN_GRU.forward(params, x)[0])[0])  # fmt: skip
    with pytest.raises(ValueError, match="with neither"):
        one.backward(below, cache)
    for n in (0, -1, 1.5, True):
        with pytest.raises(ValueError, match="n_layers must be a positive integer"):
            linear_recurrence.stack(MIN_GRU, n)
