"""NaN, planted into every gradient in turn: the check fails, and names the array that holds it."""

import numpy as np
import pytest

from helpers import gradcheck, seq2seq, unroll
from helpers.attention import ADDITIVE, DOT, GENERAL, attend_backward, attend_forward
from helpers.checks import NonFiniteError
from helpers.gru import GRU, GRU_CHO, UPDATE
from helpers.lstm import LSTM, VARIANTS
from helpers.rnn import RNN, RNN_RELU, leaky
from helpers.seq2seq import Seq2Seq
from helpers.text import pair_batch

CELLS = (RNN, RNN_RELU, leaky(0.3), *VARIANTS, UPDATE, GRU, GRU_CHO)
IN_TORCH = (RNN, RNN_RELU, LSTM, GRU)
SCORES = (DOT, GENERAL, ADDITIVE)
MODELS = [
    (cell, attention, two)
    for cell, two in ((RNN, False), (GRU, True), (LSTM, True))
    for attention in (None, *SCORES)
]


def name(part):
    return getattr(part, "name", None)


def gradient_names(cell) -> list:
    states = [f"state[{i}]" for i in range(cell.n_states)]
    return ["W_xh", "W_hh", "b_h", *cell.own, "x", *states]


def spoil(array, bad=np.nan):
    """The same array but for its last entry."""
    spoiled = array.copy()
    spoiled.reshape(-1)[-1] = bad
    return spoiled


def spoil_backward(monkeypatch, broken, bad=np.nan):
    """unroll.backward, but one of its gradients has a bad entry."""
    right = unroll.backward

    def backward(*args):
        grads, dx, dstate = right(*args)
        if broken == "x":
            dx = spoil(dx, bad)
        elif broken.startswith("state"):
            i = int(broken[-2])
            dstate = (*dstate[:i], spoil(dstate[i], bad), *dstate[i + 1 :])
        else:
            grads = grads | {broken: spoil(grads[broken], bad)}
        return grads, dx, dstate

    monkeypatch.setattr(unroll, "backward", backward)


@pytest.mark.parametrize(
    ("cell", "broken"), [(cell, name) for cell in CELLS for name in gradient_names(cell)], ids=name
)
def test_cell(cell, broken, monkeypatch):
    spoil_backward(monkeypatch, broken)
    with pytest.raises(NonFiniteError, match="holds 1 non-finite") as error:
        gradcheck.check_cell(cell, T=2, B=1, D=2, H=2)
    assert str(error.value).startswith(f"gradient of {broken} ")


@pytest.mark.parametrize(
    ("cell", "broken"),
    [(cell, name) for cell in IN_TORCH for name in gradient_names(cell)],
    ids=name,
)
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_parity_with_torch(cell, broken, bad, monkeypatch):
    torch_parity = pytest.importorskip("helpers.torch_parity")
    spoil_backward(monkeypatch, broken, bad)
    with pytest.raises(NonFiniteError, match="holds 1") as error:
        torch_parity.compare_cell(cell, T=2, B=1, D=2, H=2)
    assert str(error.value).startswith(f"d{broken} ")


@pytest.mark.parametrize("cell", CELLS, ids=name)
def test_cell_that_divides_zero_by_zero(cell):
    """The fault inside, where a reader would make it: the line back through time is no number."""

    def backward(dstate, da, *rest):
        found = cell.backward(dstate, da, *rest)
        with np.errstate(invalid="ignore"):
            da /= da - da
        return found

    with pytest.raises(NonFiniteError, match="gradient of W_xh holds"), np.errstate(all="ignore"):
        gradcheck.check_cell(cell._replace(backward=backward))


@pytest.mark.parametrize("broken", ["W_a", "W_q", "W_m", "v_a", "queries", "memory"])
@pytest.mark.parametrize("score", SCORES, ids=name)
def test_attention(score, broken):
    rng = np.random.default_rng(0)
    params = score.init(3, 3, rng, np.float64)
    (queries, memory, R), mask = rng.normal(size=(3, 2, 2, 3)), np.ones((2, 2), bool)
    _, _, cache = attend_forward(score, params, queries, memory, mask)
    grads, dqueries, dmemory = attend_backward(score, params, cache, R)
    gradients = grads | {"queries": dqueries, "memory": dmemory}
    if broken not in gradients:
        assert broken not in params  # another score's
        return
    gradients[broken] = spoil(gradients[broken])

    def loss():
        return float((R * attend_forward(score, params, queries, memory, mask)[0]).sum())

    with pytest.raises(NonFiniteError, match=f"gradient of {broken} holds 1 non-finite"):
        gradcheck.compare(loss, params | {"queries": queries, "memory": memory}, gradients)


@pytest.mark.parametrize(("cell", "attention", "two"), MODELS, ids=name)
def test_seq2seq(cell, attention, two):
    model = Seq2Seq(cell, context="last", feed="both", attention=attention)
    rng = np.random.default_rng(0)
    params = seq2seq.init_seq2seq(model, 3, 4, 2, 2, rng, bidirectional=two, dtype=np.float64)
    batch = pair_batch([[1, 2], [0]], [[2], [3, 2]])
    _, grads, _ = seq2seq.loss_and_grads(model, params, batch)
    for broken in params:
        # Only the broken one is compared: a finite difference for each would take long.
        def loss():
            return seq2seq.loss_and_grads(model, params, batch).loss

        one, gradient = {broken: params[broken]}, {broken: spoil(grads[broken])}
        with pytest.raises(NonFiniteError, match=f"gradient of {broken} holds 1 non-finite"):
            gradcheck.compare(loss, one, gradient)
