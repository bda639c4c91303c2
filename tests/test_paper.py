"""The cells as on paper: one step, whole passes in plain loops; and that the fast code equals them.

The loops are the oracle: `unroll`, `attention` and `seq2seq` are held to them, number by number.
"""

import numpy as np
import pytest

from helpers import attention, gradcheck, gru, lstm, rnn, seq2seq, unroll
from helpers.attention import ADDITIVE, DOT, GENERAL
from helpers.gru import GRU, GRU_CHO
from helpers.lstm import LSTM
from helpers.rnn import RNN
from helpers.seq2seq import Seq2Seq

RNG = np.random.default_rng
LENGTHS = np.array([4, 1, 3])
MASK = np.arange(4)[:, None] < LENGTHS


def close(ours, theirs, atol):
    assert ours.keys() == theirs.keys()
    for name, array in theirs.items():
        np.testing.assert_allclose(ours[name], array, rtol=0, atol=atol, err_msg=name)


# --- Cells --------------------------------------------------------------------------------------


@pytest.mark.parametrize("cell", [RNN, LSTM, GRU, GRU_CHO], ids=lambda cell: cell.name)
@pytest.mark.parametrize("shape", [(9, 3, 4, 5), (1, 1, 1, 1)])
def test_unroll_is_one_step_after_the_other(cell, shape):
    params, x, state, _, _ = gradcheck.random_problem(cell, *shape, seed=1)
    hs, final, cache = unroll.forward(cell, params, x, state)
    for t, x_t in enumerate(x):
        state = unroll.one_step(cell, params, x_t, state)
        np.testing.assert_allclose(hs[t], state[0], rtol=0, atol=1e-12)
        for ours, s in zip(cache.states, state):
            np.testing.assert_allclose(ours[t + 1], s, rtol=0, atol=1e-12)
    for ours, s in zip(final, state, strict=True):
        np.testing.assert_allclose(ours, s, rtol=0, atol=1e-12)


def rnn_pass(params, x, state, R, S):
    hs = rnn.rnn_loop(params, x, *state)
    grads, dx, dh_0 = rnn.rnn_bptt(params, x, *state, hs, R, *S)
    return hs, (hs[-1],), grads, dx, (dh_0,)


def lstm_pass(params, x, state, R, S):
    hs, cs, steps = lstm.lstm_loop(params, x, *state)
    grads, dx, dh_0, dc_0 = lstm.lstm_bptt(params, x, steps, R, *S)
    return hs, (hs[-1], cs[-1]), grads, dx, (dh_0, dc_0)


def gru_pass(params, x, state, R, S):
    hs, steps = gru.gru_loop(params, x, *state)
    grads, dx, dh_0 = gru.gru_bptt(params, x, steps, R, *S)
    return hs, (hs[-1],), grads, dx, (dh_0,)


passes = pytest.mark.parametrize(
    ("cell", "plain"), [(RNN, rnn_pass), (LSTM, lstm_pass), (GRU, gru_pass)],
    ids=["rnn", "lstm", "gru"],
)  # fmt: skip


def named(hs, final, grads, dx, dstate):
    return {"hs": hs, **{f"final{i}": s for i, s in enumerate(final)}, **grads, "x": dx} | {
        f"state{i}": d for i, d in enumerate(dstate)
    }


@passes
@pytest.mark.parametrize("shape", [(9, 3, 4, 5), (1, 1, 1, 1), (30, 2, 1, 8)])
def test_unroll_is_the_plain_loop(cell, plain, shape):
    problem = params, x, state, R, S = gradcheck.random_problem(cell, *shape, seed=2)
    hs, final, cache = unroll.forward(cell, params, x, state)
    theirs = named(hs, final, *unroll.backward(cell, params, cache, R, S))
    close(named(*plain(*problem)), theirs, 1e-10)


@passes
def test_the_plain_loop_against_finite_differences(cell, plain):
    problem = params, x, state, R, S = gradcheck.random_problem(cell, 5, 2, 3, 4, seed=3)
    _, _, grads, dx, dstate = plain(*problem)

    def loss():
        hs, final, *_ = plain(*problem)
        return float((R * hs).sum() + sum((s * f).sum() for s, f in zip(S, final)))

    starts = {f"state{i}": s for i, s in enumerate(state)}
    errors = gradcheck.compare(
        loss,
        {**params, "x": x, **starts},
        {**grads, "x": dx, **dict(zip(starts, dstate, strict=True))},
    )
    assert all(error < 1e-6 for error in errors.values()), errors


@passes
def test_the_plain_loop_changes_nothing_it_is_given(cell, plain):
    problem = gradcheck.random_problem(cell, 5, 2, 3, 4, seed=4)
    arrays = [*problem.params.values(), problem.x, *problem.state, problem.R, *problem.S]
    copies = [array.copy() for array in arrays]
    plain(*problem)
    for array, copy in zip(arrays, copies):
        np.testing.assert_array_equal(array, copy)


@passes
def test_the_plain_loop_keeps_float32(cell, plain):
    params, x, state, R, S = gradcheck.random_problem(cell, 5, 2, 3, 4, seed=5)
    single = np.float32
    results = named(*plain(
        {name: a.astype(single) for name, a in params.items()}, x.astype(single),
        tuple(s.astype(single) for s in state), R.astype(single),
        tuple(s.astype(single) for s in S),
    ))  # fmt: skip
    assert {array.dtype for array in results.values()} == {np.dtype(single)}


# --- Attention ----------------------------------------------------------------------------------


@pytest.mark.parametrize("score", [DOT, GENERAL, ADDITIVE], ids=lambda score: score.name)
def test_attention_is_one_query_after_the_other(score):
    rng, M = RNG(0), 5 if score is DOT else 2
    params = score.init(5, M, rng, np.float64)
    queries, memory = rng.normal(size=(6, 3, 5)), rng.normal(size=(4, 3, M))
    contexts, weights, _ = attention.attend_forward(score, params, queries, memory, MASK)
    for t, q_t in enumerate(queries):
        c, alpha = attention.attend_step(score, params, q_t, memory, MASK)
        np.testing.assert_allclose(contexts[t], c, rtol=0, atol=1e-12)
        np.testing.assert_allclose(weights[t], alpha, rtol=0, atol=1e-12)
    np.testing.assert_array_equal(alpha.T[~MASK], 0)


def test_attention_back_for_one_query():
    rng = RNG(1)
    q, memory, R = rng.normal(size=(3, 5)), rng.normal(size=(4, 3, 5)), rng.normal(size=(3, 5))
    _, alpha = attention.attend_step(DOT, {}, q, memory, MASK)
    dq, dmemory = attention.attend_step_backward(q, memory, alpha, R)
    _, _, cache = attention.attend_forward(DOT, {}, q[None], memory, MASK)
    _, dqueries, theirs = attention.attend_backward(DOT, {}, cache, R[None])
    close({"q": dq, "memory": dmemory}, {"q": dqueries[0], "memory": theirs}, 1e-10)
    errors = gradcheck.compare(
        lambda: float((R * attention.attend_step(DOT, {}, q, memory, MASK)[0]).sum()),
        {"q": q, "memory": memory},
        {"q": dq, "memory": dmemory},
    )
    assert all(error < 1e-6 for error in errors.values()), errors


# --- Decoder ------------------------------------------------------------------------------------

V, D, H, B, S = 7, 3, 4, 3, 5


def decoder(model, seed=0):
    """Parameters, what the encoder hands over, inputs, and a cotangent of the scores."""
    rng = RNG(seed)
    params = seq2seq.init_decoder(model, V, D, H, H, rng, np.float64)
    encoded = seq2seq.Encoded(rng.normal(size=(B, H)), rng.normal(size=(4, B, H)), MASK)
    return params, encoded, rng.integers(0, V, (S, B)), rng.normal(size=(S, B, V))


@pytest.mark.parametrize("cell", [RNN, LSTM, GRU], ids=lambda cell: cell.name)
@pytest.mark.parametrize("feed", ["start", "input", "both"])
@pytest.mark.parametrize(
    "score", [None, DOT, GENERAL, ADDITIVE], ids=["fixed", "dot", "general", "additive"]
)
def test_the_decoder_is_one_symbol_after_the_other(cell, feed, score):
    model = Seq2Seq(cell, feed=feed, attention=score)
    params, encoded, inputs, _ = decoder(model)
    z, after, weights, _ = seq2seq.decode(model, params, encoded, inputs)
    state = seq2seq.start_state(model, params, encoded.context)
    for t, y_prev in enumerate(inputs):
        z_t, state, alpha = seq2seq.decode_step(model, params, encoded, y_prev, state)
        np.testing.assert_allclose(z[t], z_t, rtol=0, atol=1e-12)
        if score is None:
            assert alpha is None
        else:
            np.testing.assert_allclose(weights[t], alpha, rtol=0, atol=1e-12)
    for ours, s in zip(after, state, strict=True):
        np.testing.assert_allclose(ours, s, rtol=0, atol=1e-12)


@pytest.mark.parametrize("score", [None, DOT], ids=["fixed", "dot"])
def test_the_plain_decoder(score):
    model = Seq2Seq(GRU, attention=score)
    params, encoded, inputs, R = decoder(model)
    asks = () if score is None else (encoded.memory, MASK)
    z, kept = seq2seq.decoder_loop(params, encoded.context, inputs, *asks)
    grads, dcontext, dmemory = seq2seq.decoder_bptt(params, kept, R)
    ours = {**grads, "context": dcontext}

    their_z, _, _, cache = seq2seq.decode(model, params, encoded, inputs)
    grads, dcontext, their_dmemory = seq2seq.decode_backward(model, params, cache, R)
    theirs, arrays = {**grads, "context": dcontext}, {**params, "context": encoded.context}
    if score is not None:
        ours["memory"], theirs["memory"] = dmemory, their_dmemory
        arrays["memory"] = encoded.memory
    else:
        assert dmemory is None
    np.testing.assert_allclose(z, their_z, rtol=0, atol=1e-12)
    close(ours, theirs, 1e-10)
    errors = gradcheck.compare(
        lambda: float((R * seq2seq.decoder_loop(params, encoded.context, inputs, *asks)[0]).sum()),
        arrays,
        ours,
    )
    assert all(error < 1e-6 for error in errors.values()), errors
