"""The LSTM, the GRU and their variants: finite differences, torch, autograd, degenerate cases."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers import gradcheck, torch_parity, unroll
from helpers.gru import GRU, GRU_CHO, UPDATE
from helpers.jacobians import products, step_jacobians
from helpers.lstm import (
    CIFG,
    LSTM,
    NO_FORGET_GATE,
    NO_INPUT_GATE,
    NO_OUTPUT_ACTIVATION,
    NO_OUTPUT_GATE,
    PEEPHOLE,
    VARIANTS,
    set_forget_bias,
)
from helpers.rnn import RNN

torch = pytest.importorskip("torch")

CELLS = (*VARIANTS, GRU, GRU_CHO)
all_cells = pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.name)
sizes = st.integers(1, 5)


def problem(cell, T=6, B=3, D=2, H=4, seed=0, scale=1.0):
    params, x, state, R, S = gradcheck.random_problem(cell, T, B, D, H, seed)
    for array in params.values():
        array *= scale
    return params, x, state, R, S


def run(cell, params, x, state, R, S):
    """Outputs, final state, gradients, dx, dstate in one flat dict."""
    hs, final, cache = unroll.forward(cell, params, x, state)
    grads, dx, dstate = unroll.backward(cell, params, cache, R, S)
    return {
        "hs": hs, "dx": dx, **{f"d{name}": g for name, g in grads.items()},
        **{f"state{i}": s for i, s in enumerate(final)},
        **{f"dstate{i}": d for i, d in enumerate(dstate)},
    }  # fmt: skip


# --- Gradients ----------------------------------------------------------------------------------


@all_cells
@pytest.mark.parametrize("shape", [(5, 2, 3, 4), (1, 1, 1, 1), (2, 3, 1, 5), (7, 1, 4, 2)])
def test_gradients_match_finite_differences(cell, shape):
    errors = gradcheck.check_cell(cell, *shape)
    gradcheck.largest(errors, 1e-6)
    assert set(cell.own) <= errors.keys()


@pytest.mark.parametrize("cell", [LSTM, GRU], ids=lambda cell: cell.name)
@pytest.mark.parametrize("shape", [(7, 3, 4, 5), (1, 1, 1, 1), (30, 2, 1, 8)])
def test_torch_agrees(cell, shape):
    differences = torch_parity.compare_cell(cell, *shape)
    gradcheck.largest(differences, 1e-9)
    assert ("db_n" in differences) == (cell is GRU)


def _split(a, k):
    return torch.chunk(a, k, dim=-1)


def lstm_like(cell):
    """One step of an LSTM variant written for autograd: the equations, letter by letter."""
    s, tanh = torch.sigmoid, torch.tanh

    def step(x, h, c, p):
        a = x @ p["W_xh"] + p["b_h"] + h @ p["W_hh"]
        if cell is PEEPHOLE:
            i, f, g, o = _split(a, 4)
            i, f = s(i + p["p_i"] * c), s(f + p["p_f"] * c)
            c = f * c + i * tanh(g)
            return s(o + p["p_o"] * c) * tanh(c), c
        if cell is LSTM or cell is NO_OUTPUT_ACTIVATION:
            i, f, g, o = _split(a, 4)
            c = s(f) * c + s(i) * tanh(g)
            return s(o) * (tanh(c) if cell is LSTM else c), c
        if cell is NO_OUTPUT_GATE:
            i, f, g = _split(a, 3)
            c = s(f) * c + s(i) * tanh(g)
            return tanh(c), c
        first, g, o = _split(a, 3)
        first, g = s(first), tanh(g)
        if cell is CIFG:
            c = first * c + (1 - first) * g
        if cell is NO_INPUT_GATE:
            c = first * c + g
        if cell is NO_FORGET_GATE:
            c = c + first * g
        return s(o) * tanh(c), c

    return step


def cho_step(x, h, _, p):
    r, z, n = _split(x @ p["W_xh"] + p["b_h"], 3)
    from_r, from_z = _split(h @ p["W_hh"], 2)
    r, z = torch.sigmoid(r + from_r), torch.sigmoid(z + from_z)
    n = torch.tanh(n + (r * h) @ p["W_hn"])
    return z * h + (1 - z) * n, None


def gru_step(x, h, _, p):
    r, z, n = _split(x @ p["W_xh"] + p["b_h"], 3)
    from_r, from_z, from_n = _split(h @ p["W_hh"], 3)
    r, z = torch.sigmoid(r + from_r), torch.sigmoid(z + from_z)
    n = torch.tanh(n + r * (from_n + p["b_n"]))
    return z * h + (1 - z) * n, None


STEPS = {**{cell: lstm_like(cell) for cell in VARIANTS}, GRU: gru_step, GRU_CHO: cho_step}


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.name)
@pytest.mark.parametrize("seed", range(3))
def test_autograd_of_the_plain_equations_agrees(cell, seed):
    params, x, state, R, S = problem(cell, T=8, seed=seed, scale=2.0)
    ours = run(cell, params, x, state, R, S)

    p = {name: torch.tensor(a, requires_grad=True) for name, a in params.items()}
    tx = torch.tensor(x, requires_grad=True)
    start = [torch.tensor(s, requires_grad=True) for s in state]
    h, c = start[0], start[1] if cell.n_states == 2 else None
    hs = []
    for x_t in tx:
        h, c = STEPS[cell](x_t, h, c, p)
        hs.append(h)
    final = (h, c)[: cell.n_states]
    loss = (torch.tensor(R) * torch.stack(hs)).sum()
    for s, f in zip(S, final):
        loss = loss + (torch.tensor(s) * f).sum()
    loss.backward()

    theirs = {"hs": torch.stack(hs), "dx": tx.grad, **{f"d{n}": a.grad for n, a in p.items()}}
    theirs |= {f"state{i}": f for i, f in enumerate(final)}
    theirs |= {f"dstate{i}": s.grad for i, s in enumerate(start)}
    assert ours.keys() == theirs.keys()
    for name, value in theirs.items():
        np.testing.assert_allclose(
            ours[name], value.detach().numpy(), rtol=0, atol=1e-9, err_msg=name
        )


# --- Degenerate cases: where one cell is another -------------------------------------------------


def same(a, b, names=None):
    for name in names or a.keys() & b.keys():
        np.testing.assert_allclose(a[name], b[name], rtol=0, atol=1e-12, err_msg=name)


def test_peephole_with_zero_weights_is_the_lstm():
    params, *rest = problem(PEEPHOLE)
    for name in ("p_i", "p_f", "p_o"):
        params[name][:] = 0
    same(run(PEEPHOLE, params, *rest), run(LSTM, params, *rest))


def test_the_output_gates_peephole_sees_the_new_cell():
    params, x, state, R, S = problem(PEEPHOLE, T=1)
    hs, (_, c), cache = unroll.forward(PEEPHOLE, params, x, state)
    o = cache.gates[3, 0]
    H = len(params["W_hh"])
    a_o = (x[0] @ params["W_xh"] + params["b_h"] + state[0] @ params["W_hh"])[:, 3 * H :]
    np.testing.assert_allclose(o, 1 / (1 + np.exp(-(a_o + c * params["p_o"]))), atol=1e-14)
    assert np.abs(o - 1 / (1 + np.exp(-(a_o + state[1] * params["p_o"])))).max() > 1e-3


def test_coupled_gates_are_an_lstm_whose_input_gate_is_the_negative_of_its_forget_gate():
    params, *rest = problem(CIFG)
    f, g, o = (
        {name: np.split(params[name], 3, axis=-1)[j] for name in ("W_xh", "W_hh", "b_h")}
        for j in range(3)
    )
    full = {n: np.concatenate([-f[n], f[n], g[n], o[n]], axis=-1) for n in f}  # 1 − σ(a) = σ(−a)
    same(run(CIFG, params, *rest), run(LSTM, full, *rest), ["hs", "dx", "state1", "dstate0"])


@pytest.mark.parametrize(
    ("cell", "gate"), [(NO_FORGET_GATE, "f"), (NO_INPUT_GATE, "i"), (NO_OUTPUT_GATE, "o")]
)
def test_an_absent_gate_is_a_gate_that_is_always_open(cell, gate):
    params, *rest = problem(LSTM)
    kept = [j for j, letter in enumerate("ifgo") if letter != gate]
    H, at = len(params["W_hh"]), "ifgo".index(gate)
    params["W_xh"].reshape(-1, 4, H)[:, at] = 0
    params["W_hh"].reshape(-1, 4, H)[:, at] = 0
    params["b_h"].reshape(4, H)[at] = 60  # σ(60) = 1 in double precision
    fewer = {
        n: np.concatenate([np.split(a, 4, -1)[j] for j in kept], -1) for n, a in params.items()
    }
    names = ["hs", "dx", "state0", "state1", "dstate0", "dstate1"]
    same(run(LSTM, params, *rest), run(cell, fewer, *rest), names)


def test_gru_at_its_extremes():
    params, x, (h0,), _, _ = problem(GRU)
    H = len(h0[0])
    blocks = {n: params[n].reshape(-1, 3, H) for n in ("W_xh", "W_hh", "b_h")}
    for name in blocks:
        blocks[name][:, :2] = 0
    b = params["b_h"].reshape(3, H)

    b[1] = 60  # z = 1: copy
    np.testing.assert_allclose(unroll.forward(GRU, params, x, (h0,))[0][-1], h0, atol=1e-12)

    b[:] = [[60] * H, [-60] * H, b[2]]  # r = 1, z = 0: a plain RNN
    rnn = {n: np.ascontiguousarray(blocks[n][:, 2]) for n in ("W_xh", "W_hh")}
    rnn["b_h"] = b[2] + params["b_n"]
    expected = unroll.forward(RNN, rnn, x, (h0,))[0]
    np.testing.assert_allclose(unroll.forward(GRU, params, x, (h0,))[0], expected, atol=1e-12)

    b[0] = -60  # r = 0, z = 0: feed-forward
    expected = np.tanh(x @ rnn["W_xh"] + b[2])
    np.testing.assert_allclose(unroll.forward(GRU, params, x, (h0,))[0], expected, atol=1e-12)


def test_the_two_forms_of_the_gru_differ_unless_the_reset_is_the_same_for_all_units():
    params, x, state, _, _ = problem(GRU_CHO, scale=2.0)
    H = len(state[0][0])
    torchs = {**params, "W_hh": np.hstack([params["W_hh"], params["W_hn"]]), "b_n": np.zeros(H)}
    ours = unroll.forward(GRU_CHO, params, x, state)[0]
    assert np.abs(ours - unroll.forward(GRU, torchs, x, state)[0]).max() > 1e-2
    for p in (params, torchs):
        for name in ("W_xh", "W_hh", "b_h"):
            p[name][..., :H] = 0  # r = ½ for every unit
    ours = unroll.forward(GRU_CHO, params, x, state)[0]
    np.testing.assert_allclose(ours, unroll.forward(GRU, torchs, x, state)[0], atol=1e-12)


def test_the_cell_path_is_a_product_of_forget_gates():
    params, x, state, _, _ = problem(LSTM, T=7)
    params["W_hh"][:] = 0  # nothing but the cell connects the steps
    H = 4
    _, _, cache = unroll.forward(LSTM, params, x, state)
    whole = products(step_jacobians(LSTM, params, cache))[0]
    f = cache.gates[1]
    for b in range(3):
        np.testing.assert_allclose(whole[b, H:, H:], np.diag(f[:, b].prod(axis=0)), atol=1e-14)


# --- Properties ---------------------------------------------------------------------------------


@all_cells
def test_causality(cell):
    params, x, state, _, _ = problem(cell)
    before = unroll.forward(cell, params, x, state)[0]
    x[3] += 1
    after = unroll.forward(cell, params, x, state)[0]
    np.testing.assert_array_equal(before[:3], after[:3])
    assert (before[3:] != after[3:]).any(axis=(1, 2)).all()


@all_cells
def test_chunks(cell):
    params, x, state, _, _ = problem(cell, T=9)
    whole, final, _ = unroll.forward(cell, params, x, state)
    first, carried, _ = unroll.forward(cell, params, x[:4], state)
    second, last, _ = unroll.forward(cell, params, x[4:], carried)
    np.testing.assert_allclose(np.concatenate([first, second]), whole, rtol=0, atol=1e-12)
    for a, b in zip(last, final):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-12)


@all_cells
def test_truncated_backward_is_chunk_by_chunk_backward(cell):
    params, x, state, R, _ = problem(cell, T=8)
    _, _, cache = unroll.forward(cell, params, x, state)
    cut, dx, _ = unroll.backward(cell, params, cache, R, truncate=3)
    total = {name: 0 for name in cut}
    for start in (0, 3, 6):
        _, state, chunk = unroll.forward(cell, params, x[start : start + 3], state)
        grads, part, _ = unroll.backward(cell, params, chunk, R[start : start + 3])
        total = {name: total[name] + grads[name] for name in total}
        np.testing.assert_allclose(dx[start : start + 3], part, atol=1e-12)
    same(cut, total)


@all_cells
def test_backward_leaves_its_arguments_alone_and_can_run_twice(cell):
    params, x, state, R, S = problem(cell)
    _, _, cache = unroll.forward(cell, params, x, state)
    kept = R.copy(), [s.copy() for s in S], cache.gates.copy()
    first = unroll.backward(cell, params, cache, R, S)[0]
    second = unroll.backward(cell, params, cache, R, S)[0]
    np.testing.assert_array_equal(kept[0], R)
    np.testing.assert_array_equal(kept[2], cache.gates)
    for a, b in zip(kept[1], S):
        np.testing.assert_array_equal(a, b)
    for name in params:
        np.testing.assert_array_equal(first[name], second[name])


@all_cells
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtype_is_kept(cell, dtype):
    rng = np.random.default_rng(0)
    params = unroll.init_cell(cell, 2, 4, rng, dtype)
    x = rng.normal(size=(5, 3, 2)).astype(dtype)
    hs, final, cache = unroll.forward(cell, params, x)
    grads, dx, dstate = unroll.backward(cell, params, cache, hs, final)
    arrays = [hs, *final, cache.gates, *grads.values(), dx, *dstate]
    assert {a.dtype for a in arrays} == {np.dtype(dtype)}


@all_cells
@given(T=sizes, B=sizes, D=sizes, H=sizes, with_state=st.booleans())
def test_shapes(cell, T, B, D, H, with_state):
    params, x, state, _, _ = problem(cell, T, B, D, H)
    hs, final, cache = unroll.forward(cell, params, x, state if with_state else None)
    grads, dx, dstate = unroll.backward(cell, params, cache, hs, final)
    assert hs.shape == (T, B, H) and dx.shape == x.shape
    assert {s.shape for s in (*final, *dstate)} == {(B, H)}
    assert {n: g.shape for n, g in grads.items()} == {n: p.shape for n, p in params.items()}


def test_the_lstm_is_four_times_an_rnn():
    rng = np.random.default_rng(0)
    size = {
        cell: sum(p.size for p in unroll.init_cell(cell, 3, 5, rng).values())
        for cell in (RNN, LSTM, GRU, CIFG, PEEPHOLE, GRU_CHO)
    }
    assert size[LSTM] == 4 * size[RNN] and size[CIFG] == 3 * size[RNN] == size[GRU_CHO]
    assert size[GRU] == size[CIFG] + 5 and size[PEEPHOLE] == size[LSTM] + 15


def test_large_pre_activations_do_not_overflow():
    params, x, state, R, S = problem(LSTM, scale=1e4)
    with np.errstate(all="raise", under="ignore"):
        results = run(LSTM, params, x, state, R, S)
    assert all(np.isfinite(a).all() for a in results.values())


# --- The forget bias, and bad input -------------------------------------------------------------


@pytest.mark.parametrize(
    ("cell", "at"), [(LSTM, 1), (PEEPHOLE, 1), (CIFG, 0), (NO_INPUT_GATE, 0), (NO_OUTPUT_GATE, 1)]
)
def test_forget_bias(cell, at):
    params = unroll.init_cell(cell, 2, 3, np.random.default_rng(0))
    before = params["b_h"].reshape(-1, 3).copy()
    assert set_forget_bias(cell, params, 1.0) is params
    after = params["b_h"].reshape(-1, 3)
    assert (after[at] == 1).all()
    others = [j for j in range(cell.n_gates) if j != at]
    np.testing.assert_array_equal(before[others], after[others])


@pytest.mark.parametrize("cell", [NO_FORGET_GATE, GRU, RNN], ids=lambda cell: cell.name)
def test_forget_bias_needs_a_forget_gate(cell):
    params = unroll.init_cell(cell, 2, 3, np.random.default_rng(0))
    with pytest.raises(ValueError, match=f"cell '{cell.name}' has no forget gate"):
        set_forget_bias(cell, params, 1.0)


def test_forget_bias_of_another_cells_parameters():
    params = unroll.init_cell(RNN, 2, 3, np.random.default_rng(0))
    with pytest.raises(ValueError, match=r"params\['b_h'\] has shape \(3,\), expected \(12,\)"):
        set_forget_bias(LSTM, params, 1.0)


def test_a_cells_own_parameters_are_checked():
    params, x, state, _, _ = problem(GRU)
    with pytest.raises(ValueError, match=r"params\['b_n'\] has shape \(3,\), expected \(4,\)"):
        unroll.forward(GRU, {**params, "b_n": params["b_n"][1:]}, x, state)
    with pytest.raises(ValueError, match="b_n holds 4 non-finite"):
        unroll.forward(GRU, {**params, "b_n": params["b_n"] * np.nan}, x, state)
    with pytest.raises(ValueError, match="b_n float32"):
        unroll.forward(GRU, {**params, "b_n": params["b_n"].astype("f4")}, x, state)
    params, x, state, _, _ = problem(GRU_CHO)
    with pytest.raises(
        ValueError, match=r"params\['W_hh'\] has shape \(4, 12\), expected \(4, 8\)"
    ):
        unroll.forward(GRU_CHO, {**params, "W_hh": np.ones((4, 12))}, x, state)


def test_an_lstm_needs_two_states():
    params, x, state, _, _ = problem(LSTM)
    with pytest.raises(ValueError, match="state must be a tuple of 2 .* got tuple of 1"):
        unroll.forward(LSTM, params, x, state[:1])


def test_update_gate_alone_is_a_gru_whose_reset_is_open():
    assert gradcheck.largest(gradcheck.check_cell(UPDATE), 1e-7) > 0
    params, x, state, _, _ = problem(GRU)
    H = len(params["W_hh"])
    opened = {**params, "b_h": params["b_h"].copy(), "b_n": np.zeros(H)}
    opened["b_h"][:H] = 1e3  # r = 1
    alone = {name: opened[name][..., H:] for name in ("W_xh", "W_hh", "b_h")}
    np.testing.assert_allclose(
        unroll.forward(UPDATE, alone, x, state)[0],
        unroll.forward(GRU, opened, x, state)[0],
        atol=1e-13,
    )
