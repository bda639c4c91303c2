"""The vanilla RNN, Jordan's network, the unroll: two proofs of every gradient, then properties."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers import gradcheck, rnn, unroll
from helpers.rnn import RNN, rnn_step

torch = pytest.importorskip("torch")


def make(T=6, B=3, D=4, H=5, seed=0, dtype=np.float64):
    rng = np.random.default_rng(seed)
    params = unroll.init_cell(RNN, D, H, rng, dtype)
    x = rng.normal(size=(T, B, D)).astype(dtype)
    state = (rng.normal(size=(B, H)).astype(dtype),)
    return params, x, state


def make_jordan(T=5, B=2, D=3, H=4, V=3, seed=0, dtype=np.float64):
    rng = np.random.default_rng(seed)
    params = rnn.init_jordan(D, H, V, rng, dtype)
    x = rng.normal(size=(T, B, D)).astype(dtype)
    y0 = rng.random((B, V)).astype(dtype)
    R = rng.normal(size=(T, B, V)).astype(dtype)
    S = rng.normal(size=(B, V)).astype(dtype)
    return params, x, y0, R, S


# --- Gradients ----------------------------------------------------------------------------------


@pytest.mark.parametrize("sizes", [(5, 2, 3, 4), (1, 1, 1, 1), (2, 3, 1, 5), (7, 1, 4, 2)])
def test_rnn_gradients_match_finite_differences(sizes):
    errors = gradcheck.check_cell(RNN, *sizes)
    gradcheck.largest(errors, 1e-6)


def test_missing_cotangents_are_zeros():
    params, x, state = make()
    R, S = np.ones((6, 3, 5)), (np.ones((3, 5)),)
    cache = unroll.forward(RNN, params, x, state)[2]
    outputs_only = unroll.backward(RNN, params, cache, R)
    state_only = unroll.backward(RNN, params, cache, None, S)
    both = unroll.backward(RNN, params, cache, R, S)
    for name in params:
        np.testing.assert_allclose(outputs_only[0][name] + state_only[0][name], both[0][name])
    np.testing.assert_allclose(outputs_only[1] + state_only[1], both[1])


def test_backward_leaves_its_arguments_alone_and_can_run_twice():
    params, x, state = make()
    R, S = np.ones((6, 3, 5)), (np.ones((3, 5)),)
    cache = unroll.forward(RNN, params, x, state)[2]
    first = unroll.backward(RNN, params, cache, R, S)
    second = unroll.backward(RNN, params, cache, R, S)
    assert (R == 1).all() and (S[0] == 1).all()
    for name in params:
        np.testing.assert_array_equal(first[0][name], second[0][name])


@pytest.mark.parametrize("sizes", [(5, 2, 3, 4, 3), (1, 1, 1, 1, 2), (6, 1, 2, 3, 5)])
def test_jordan_gradients_match_finite_differences(sizes):
    params, x, y0, R, S = make_jordan(*sizes)

    def loss():
        z, y_T, _ = rnn.jordan_forward(params, x, y0)
        return float((R * z).sum() + (S * y_T).sum())

    cache = rnn.jordan_forward(params, x, y0)[2]
    grads, dx, dy0 = rnn.jordan_backward(params, cache, R, S)
    errors = gradcheck.compare(loss, {**params, "x": x, "y0": y0}, {**grads, "x": dx, "y0": dy0})
    gradcheck.largest(errors, 1e-6)


def test_jordan_matches_torch_autograd():
    params, x, y0, R, S = make_jordan(T=8, B=3, D=2, H=6, V=4)
    z, y_T, cache = rnn.jordan_forward(params, x, y0)
    grads, dx, dy0 = rnn.jordan_backward(params, cache, R, S)

    p = {name: torch.tensor(a, requires_grad=True) for name, a in params.items()}
    tx, ty0 = torch.tensor(x, requires_grad=True), torch.tensor(y0, requires_grad=True)
    y, logits = ty0, []
    for x_t in tx:
        h = torch.tanh(x_t @ p["W_xh"] + y @ p["W_yh"] + p["b_h"])
        logits.append(h @ p["W_hy"] + p["b_y"])
        y = torch.softmax(logits[-1], dim=-1)
    tz = torch.stack(logits)
    ((torch.tensor(R) * tz).sum() + (torch.tensor(S) * y).sum()).backward()

    def close(ours, theirs):
        np.testing.assert_allclose(ours, theirs.detach().numpy(), rtol=0, atol=1e-9)

    close(z, tz)
    close(y_T, y)
    close(dx, tx.grad)
    close(dy0, ty0.grad)
    for name in params:
        close(grads[name], p[name].grad)


def test_jordan_without_a_final_cotangent():
    params, x, y0, R, S = make_jordan()
    cache = rnn.jordan_forward(params, x, y0)[2]
    without = rnn.jordan_backward(params, cache, R)[0]
    zeros = rnn.jordan_backward(params, cache, R, np.zeros_like(S))[0]
    for name in params:
        np.testing.assert_array_equal(without[name], zeros[name])


@pytest.mark.parametrize("sizes", [(7, 3, 4, 5), (1, 1, 1, 1), (20, 2, 1, 8)])
def test_rnn_matches_torch(sizes):
    from helpers import torch_parity

    differences = torch_parity.compare_cell(RNN, *sizes)
    gradcheck.largest(differences, 1e-9)


# --- Properties ---------------------------------------------------------------------------------


def test_rnn_step_equals_the_unroll():
    params, x, state = make()
    hs, final, _ = unroll.forward(RNN, params, x, state)
    h = state[0]
    for t in range(len(x)):
        h = rnn_step(params, x[t], h)
        np.testing.assert_allclose(hs[t], h, rtol=0, atol=1e-14)
    np.testing.assert_array_equal(final[0], hs[-1])


def test_no_state_means_zeros():
    params, x, _ = make()
    zeros = unroll.zero_state(RNN, params, 3)
    np.testing.assert_array_equal(
        unroll.forward(RNN, params, x)[0], unroll.forward(RNN, params, x, zeros)[0]
    )


def test_without_recurrence_it_is_a_feed_forward_layer():
    params, x, _ = make()
    params["W_hh"][:] = 0
    hs = unroll.forward(RNN, params, x)[0]
    expected = np.tanh(x @ params["W_xh"] + params["b_h"])
    np.testing.assert_allclose(hs, expected, rtol=0, atol=1e-14)
    order = [3, 0, 5, 1, 4, 2]
    shuffled = unroll.forward(RNN, params, np.ascontiguousarray(x[order]))[0]
    np.testing.assert_allclose(shuffled, hs[order], rtol=0, atol=1e-14)


@pytest.mark.parametrize("changed", [0, 2, 5])
def test_causality(changed):
    params, x, _ = make()
    before = unroll.forward(RNN, params, x)[0]
    x[changed] += 1
    after = unroll.forward(RNN, params, x)[0]
    np.testing.assert_array_equal(before[:changed], after[:changed])
    assert (before[changed:] != after[changed:]).any(axis=(1, 2)).all()

    params, x, *_ = make_jordan(T=6)
    before = rnn.jordan_forward(params, x)[0]
    x[changed] += 1
    after = rnn.jordan_forward(params, x)[0]
    np.testing.assert_array_equal(before[:changed], after[:changed])


@given(cut=st.integers(1, 8), seed=st.integers(0, 1000))
@settings(max_examples=25, deadline=None)
def test_a_sequence_in_two_chunks_is_the_whole_sequence(cut, seed):
    params, x, state = make(T=9, seed=seed)
    whole, final, _ = unroll.forward(RNN, params, x, state)
    first, carried, _ = unroll.forward(RNN, params, x[:cut], state)
    second, last, _ = unroll.forward(RNN, params, x[cut:], carried)
    np.testing.assert_allclose(np.concatenate([first, second]), whole, rtol=0, atol=1e-12)
    np.testing.assert_allclose(last[0], final[0], rtol=0, atol=1e-12)


def test_the_final_state_is_a_copy():
    params, x, state = make()
    hs, final, _ = unroll.forward(RNN, params, x, state)
    kept = hs.copy()
    final[0][:] = 9
    np.testing.assert_array_equal(hs, kept)


def test_columns_of_a_batch_do_not_meet():
    params, x, state = make(B=4)
    hs = unroll.forward(RNN, params, x, state)[0]
    for b in range(4):
        alone = unroll.forward(RNN, params, x[:, b : b + 1].copy(), (state[0][b : b + 1],))[0]
        np.testing.assert_allclose(hs[:, b : b + 1], alone, rtol=0, atol=1e-12)
    x[:, 0] += 1
    moved = unroll.forward(RNN, params, x, state)[0]
    np.testing.assert_allclose(moved[:, 1:], hs[:, 1:], rtol=0, atol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtype_is_kept(dtype):
    params, x, state = make(dtype=dtype)
    hs, final, cache = unroll.forward(RNN, params, x, state)
    grads, dx, dstate = unroll.backward(RNN, params, cache, np.ones_like(hs), state)
    arrays = [
        hs,
        *final,
        cache.gates,
        *grads.values(),
        dx,
        *dstate,
        rnn_step(params, x[0], state[0]),
    ]
    arrays += unroll.zero_state(RNN, params, 3)

    params, x, y0, R, S = make_jordan(dtype=dtype)
    z, y_T, cache = rnn.jordan_forward(params, x, y0)
    grads, dx, dy0 = rnn.jordan_backward(params, cache, R, S)
    arrays += [z, y_T, *cache, *grads.values(), dx, dy0]
    assert {a.dtype for a in arrays} == {np.dtype(dtype)}


sizes = st.integers(1, 6)


@given(T=sizes, B=sizes, D=sizes, H=sizes, with_state=st.booleans())
@settings(max_examples=40, deadline=None)
def test_shapes_of_the_rnn(T, B, D, H, with_state):
    params, x, state = make(T, B, D, H)
    hs, final, cache = unroll.forward(RNN, params, x, state if with_state else None)
    grads, dx, dstate = unroll.backward(RNN, params, cache, hs, final)
    assert hs.shape == (T, B, H) and final[0].shape == dstate[0].shape == (B, H)
    assert dx.shape == x.shape
    assert {n: g.shape for n, g in grads.items()} == {n: p.shape for n, p in params.items()}
    assert np.abs(hs).max() <= 1


@given(T=sizes, B=sizes, D=sizes, H=sizes, V=sizes, with_y0=st.booleans())
@settings(max_examples=40, deadline=None)
def test_shapes_of_jordan(T, B, D, H, V, with_y0):
    params, x, y0, R, S = make_jordan(T, B, D, H, V)
    z, y_T, cache = rnn.jordan_forward(params, x, y0 if with_y0 else None)
    grads, dx, dy0 = rnn.jordan_backward(params, cache, R, S)
    assert z.shape == (T, B, V) and y_T.shape == dy0.shape == (B, V) and dx.shape == x.shape
    assert {n: g.shape for n, g in grads.items()} == {n: p.shape for n, p in params.items()}
    np.testing.assert_allclose(y_T.sum(axis=-1), 1)


def test_initial_weights_stay_within_their_bound():
    rng = np.random.default_rng(0)
    for params in (unroll.init_cell(RNN, 3, 25, rng), rnn.init_jordan(3, 25, 4, rng)):
        largest = max(np.abs(p).max() for p in params.values())
        assert 0.18 < largest <= 0.2  # 1/√25
        assert {p.dtype for p in params.values()} == {np.dtype(np.float32)}


# --- Bad input ----------------------------------------------------------------------------------

NAN_AT = (2, 1, 0)


def with_nan(x):
    x = x.copy()
    x[NAN_AT] = np.nan
    return x


FORWARD_ERRORS = {
    "x of rank 2": ({"x": lambda x: x[0]}, r"x has shape \(3, 4\), expected \(T, B, 4\)"),
    "x with other D": ({"x": lambda x: x[..., :2]}, r"x has shape \(6, 3, 2\), expected"),
    "x without steps": ({"x": lambda x: x[:0]}, r"x is empty: its shape is \(0, 3, 4\)"),
    "x without batch": ({"x": lambda x: x[:, :0]}, r"x is empty: its shape is \(6, 0, 4\)"),
    "x in float32": ({"x": lambda x: x.astype("f4")}, "x float32, W_xh float64"),
    "x of integers": ({"x": lambda x: x.astype(int)}, "x int64"),
    "x with NaN": ({"x": with_nan}, r"x holds 1 non-finite .* nan at index \(2, 1, 0\)"),
    "x with inf": ({"x": lambda x: x / 0.0}, "x holds 72 non-finite"),
    "W_xh with other H": ({"W_xh": lambda w: w[:, :3]}, r"params\['W_xh'\] has shape \(4, 3\)"),
    "W_hh not square": ({"W_hh": lambda w: w[:, :3]}, r"params\['W_hh'\] has shape \(5, 3\)"),
    "b_h of rank 2": ({"b_h": lambda b: b[None]}, r"params\['b_h'\] has shape \(1, 5\)"),
    "W_hh with NaN": ({"W_hh": lambda w: w * np.nan}, "W_hh holds 25 non-finite"),
    "W_hh in float32": ({"W_hh": lambda w: w.astype("f4")}, "W_hh float32"),
    "state with other B": ({"state": lambda s: (s[0][:2],)}, r"state\[0\] has shape \(2, 5\)"),
    "state with other H": ({"state": lambda s: (s[0][:, 1:],)}, r"state\[0\] has shape \(3, 4\)"),
    "state as an array": ({"state": lambda s: s[0]}, "state must be a tuple .* got ndarray"),
    "two states": ({"state": lambda s: s * 2}, "state must be a tuple of 1 .* got tuple of 2"),
    "state with NaN": ({"state": lambda s: (s[0] * np.nan,)}, r"state\[0\] holds 15 non-finite"),
    "state in float32": ({"state": lambda s: (s[0].astype("f4"),)}, r"state\[0\] float32"),
}


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("case", FORWARD_ERRORS)
def test_forward_refuses(case):
    changes, message = FORWARD_ERRORS[case]
    params, x, state = make()
    arguments = {**params, "x": x, "state": state}
    arguments |= {name: change(arguments[name]) for name, change in changes.items()}
    x, state = arguments.pop("x"), arguments.pop("state")
    with pytest.raises(ValueError, match=message):
        unroll.forward(RNN, arguments, x, state)


def test_batch_first_cannot_be_refused_but_has_a_symptom():
    params, x, _ = make()
    T, B, _ = x.shape
    order = np.arange(B)[::-1]
    swapped = np.ascontiguousarray(x.swapaxes(0, 1))  # (B, T, D): read as B steps of T sequences
    hs, _, _ = unroll.forward(RNN, params, swapped)
    assert hs.shape[:2] == (B, T)
    changed, _, _ = unroll.forward(RNN, params, np.ascontiguousarray(swapped[order]))
    assert np.abs(changed - hs[order]).max() > 1e-3
    right, _, _ = unroll.forward(RNN, params, x)
    same, _, _ = unroll.forward(RNN, params, np.ascontiguousarray(x[:, order]))
    np.testing.assert_allclose(same, right[:, order], rtol=0, atol=1e-14)


def test_forward_refuses_a_list():
    params, x, _ = make()
    with pytest.raises(TypeError, match="x must be a NumPy array, got list"):
        unroll.forward(RNN, params, x.tolist())


BACKWARD_ERRORS = {
    "nothing": (None, None, "backward needs dhs, dstate or both"),
    "dhs of other T": (
        np.ones((5, 3, 5)),
        None,
        r"dhs has shape \(5, 3, 5\), expected \(6, 3, 5\)",
    ),
    "dhs of rank 2": (np.ones((3, 5)), None, r"dhs has shape \(3, 5\)"),
    "dhs in float32": (np.ones((6, 3, 5), "f4"), None, "dhs float32"),
    "dstate as an array": (None, np.ones((3, 5)), "dstate must be a tuple .* got ndarray"),
    "dstate of other H": (None, (np.ones((3, 4)),), r"dstate\[0\] has shape \(3, 4\)"),
    "dstate in float32": (None, (np.ones((3, 5), "f4"),), r"dstate\[0\] float32"),
    "dstate with NaN": (None, (np.full((3, 5), np.nan),), r"dstate\[0\] holds 15 non-finite"),
}


@pytest.mark.parametrize("case", BACKWARD_ERRORS)
def test_backward_refuses(case):
    dhs, dstate, message = BACKWARD_ERRORS[case]
    params, x, state = make()
    cache = unroll.forward(RNN, params, x, state)[2]
    with pytest.raises(ValueError, match=message):
        unroll.backward(RNN, params, cache, dhs, dstate)


JORDAN_ERRORS = {
    "x of rank 2": ({"x": lambda x: x[0]}, r"x has shape \(2, 3\), expected \(T, B, 3\)"),
    "x without steps": ({"x": lambda x: x[:0]}, r"x is empty: its shape is \(0, 2, 3\)"),
    "x in float32": ({"x": lambda x: x.astype("f4")}, "x float32"),
    "x with NaN": ({"x": with_nan}, r"x holds 1 non-finite .* at index \(2, 1, 0\)"),
    "W_yh with other V": ({"W_yh": lambda w: w[:2]}, r"params\['W_yh'\] has shape \(2, 4\)"),
    "W_hy with other H": ({"W_hy": lambda w: w[:3]}, r"params\['W_hy'\] has shape \(3, 3\)"),
    "b_h too short": ({"b_h": lambda b: b[1:]}, r"params\['b_h'\] has shape \(3,\)"),
    "b_y too short": ({"b_y": lambda b: b[1:]}, r"params\['b_y'\] has shape \(2,\)"),
    "b_y in float32": ({"b_y": lambda b: b.astype("f4")}, "b_y float32"),
    "y0 with other V": ({"y0": lambda y: y[:, 1:]}, r"y0 has shape \(2, 2\), expected \(2, 3\)"),
    "y0 with other B": ({"y0": lambda y: y[1:]}, r"y0 has shape \(1, 3\)"),
    "y0 with NaN": ({"y0": lambda y: y * np.nan}, "y0 holds 6 non-finite"),
    "W_yh with NaN": ({"W_yh": lambda w: w * np.nan}, "W_yh holds 12 non-finite"),
    "y0 in float32": ({"y0": lambda y: y.astype("f4")}, "y0 float32"),
}


@pytest.mark.parametrize("case", JORDAN_ERRORS)
def test_jordan_forward_refuses(case):
    changes, message = JORDAN_ERRORS[case]
    params, x, y0, _, _ = make_jordan()
    arguments = {**params, "x": x, "y0": y0}
    arguments |= {name: change(arguments[name]) for name, change in changes.items()}
    x, y0 = arguments.pop("x"), arguments.pop("y0")
    with pytest.raises(ValueError, match=message):
        rnn.jordan_forward(arguments, x, y0)


def test_jordan_backward_refuses():
    params, x, y0, R, S = make_jordan()
    cache = rnn.jordan_forward(params, x, y0)[2]
    with pytest.raises(ValueError, match=r"dz has shape \(4, 2, 3\), expected \(5, 2, 3\)"):
        rnn.jordan_backward(params, cache, R[1:], S)
    with pytest.raises(ValueError, match=r"dy_T has shape \(1, 3\)"):
        rnn.jordan_backward(params, cache, R, S[:1])
    with pytest.raises(ValueError, match="dz float32"):
        rnn.jordan_backward(params, cache, R.astype("f4"), S)


def test_sizes_must_be_positive_integers():
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="D must be a positive integer, got 0"):
        unroll.init_cell(RNN, 0, 3, rng)
    with pytest.raises(ValueError, match=r"H must be a positive integer, got 2\.5"):
        unroll.init_cell(RNN, 3, 2.5, rng)
    with pytest.raises(ValueError, match="V must be a positive integer, got -1"):
        rnn.init_jordan(3, 4, -1, rng)
    with pytest.raises(ValueError, match="B must be a positive integer, got 0"):
        unroll.zero_state(RNN, make()[0], 0)
