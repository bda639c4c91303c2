"""Encoder and decoder: gradients, parity with PyTorch, and that padding changes nothing."""

from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers import gradcheck, seq2seq, unroll
from helpers.attention import ADDITIVE, DOT, GENERAL, SCALED_DOT
from helpers.checks import NonFiniteError
from helpers.gru import GRU
from helpers.lstm import LSTM, PEEPHOLE
from helpers.optim import ADAM
from helpers.rnn import RNN
from helpers.seq2seq import Encoded, Seq2Seq
from helpers.text import END, START, PairBatch, pair_batch, pair_batches, target_vocabulary
from helpers.torch_seq2seq import TorchSeq2Seq

RNG = np.random.default_rng
V_X, V_Y, D, H = 7, 9, 3, 4
EVERY = [
    (Seq2Seq(cell, context, feed, score), two)
    for cell, context, feed, score, two in product(
        (RNN, LSTM, GRU),
        ("last", "summary"),
        ("start", "input", "both"),
        (None, DOT, GENERAL, ADDITIVE),
        (False, True),
    )
]
WAITING = [  # orders in which an answer enters the recurrence
    (Seq2Seq(cell, context, feed, score, order), True)
    for order in ("before", "feeding")
    for cell, context, feed, score in (
        (GRU, "last", "start", DOT),
        (LSTM, "last", "input", GENERAL),
        (RNN, "summary", "both", ADDITIVE),
        (LSTM, "summary", "start", ADDITIVE),
        (GRU, "summary", "input", SCALED_DOT),
    )
]


def name(case):
    model, two = case
    attention = model.attention.name if model.attention else "fixed"
    return f"{model.cell.name}-{model.context}-{model.feed}-{attention}-{model.order}-{1 + two}"


def make(model, bidirectional=False, dtype=np.float64, seed=0):
    params = seq2seq.init_seq2seq(model, V_X, V_Y, D, H, RNG(seed), bidirectional, dtype)
    if "v_s" in params:  # zero at the start: no gradient would be put to the test
        params["v_s"] += RNG(seed + 1).normal(size=H).astype(dtype)
    return params


def pairs(source_lengths=(3, 5, 1, 5), target_lengths=(2, 4, 0, 3), seed=0):
    rng = RNG(seed)
    return (
        [rng.integers(0, V_X, n) for n in source_lengths],
        [rng.integers(2, V_Y, n) for n in target_lengths],
    )


def slices(batch, b):
    """Sequence b of a batch, alone and without padding."""
    return PairBatch(
        batch.source[: batch.lengths[b], b : b + 1],
        batch.lengths[b : b + 1],
        batch.inputs[: batch.target_lengths[b], b : b + 1],
        batch.targets[: batch.target_lengths[b], b : b + 1],
        batch.target_lengths[b : b + 1],
    )


# --- Batches ------------------------------------------------------------------------------------


def test_a_batch_shifts_the_target_by_one():
    batch = pair_batch([[5, 6], [3]], [[7, 8, 4], [2]])
    assert batch.source.T.tolist() == [[5, 6], [3, 0]] and batch.lengths.tolist() == [2, 1]
    assert batch.inputs.T.tolist() == [[START, 7, 8, 4], [START, 2, 0, 0]]
    assert batch.targets.T.tolist() == [[7, 8, 4, END], [2, END, 0, 0]]
    assert batch.target_lengths.tolist() == [4, 2]


def test_every_pair_comes_once_a_pass_and_lengths_go_together():
    rng = RNG(0)
    sources = [np.full(n, i) for i, n in enumerate(rng.integers(1, 9, 64))]
    targets = [[2] * len(s) for s in sources]
    batches = pair_batches(sources, targets, 8, RNG(1))
    for _ in range(2):
        found = [next(batches) for _ in range(8)]
        assert sorted(i for batch in found for i in batch.source[0]) == list(range(64))
        assert all(np.ptp(batch.lengths) <= 2 for batch in found)
    again = pair_batches(sources, targets, 8, RNG(1))
    np.testing.assert_array_equal(next(again).source, next(
        pair_batches(sources, targets, 8, RNG(1))).source)  # fmt: skip
    with pytest.raises(ValueError, match="64 pairs, fewer than B = 65"):
        pair_batches(sources, targets, 65, RNG(1))


def test_the_target_vocabulary_begins_with_the_marks():
    vocab = target_vocabulary("hello")
    assert vocab.symbols == ("<s>", "</s>", "e", "h", "l", "o")
    assert vocab.index["<s>"] == START and vocab.index["</s>"] == END


@pytest.mark.parametrize(
    ("sources", "targets", "message"),
    [
        ([[1]], [[2], [3]], "1 sources, but 2 targets"),
        ([], [], "sequences must not be empty"),
        ([[1], []], [[2], [3]], "sequences must not be empty"),
    ],
)
def test_bad_pairs(sources, targets, message):
    with pytest.raises(ValueError, match=message):
        pair_batch(sources, targets)


# --- Gradients ----------------------------------------------------------------------------------


SCALED = (Seq2Seq(GRU, attention=SCALED_DOT), True)


@pytest.mark.parametrize("case", [*EVERY, *WAITING, SCALED], ids=name)
def test_parity_with_torch(case):
    model, two = case
    params, batch = make(model, two), pair_batch(*pairs())
    loss, grads, _ = seq2seq.loss_and_grads(model, params, batch)
    z, weights = seq2seq.predict(model, params, batch)
    net = TorchSeq2Seq(model, params)
    theirs, their_weights = net(
        *(torch.from_numpy(a) for a in (batch.source, batch.lengths, batch.inputs))
    )
    their_loss = net.loss(batch)
    their_loss.backward()
    assert grads.keys() == params.keys() and grads["W_hy"].dtype == np.float64
    assert abs(loss - their_loss.item()) < 1e-9
    np.testing.assert_allclose(z, theirs.detach().numpy(), rtol=0, atol=1e-9)
    if model.attention:
        np.testing.assert_allclose(weights, their_weights.detach().numpy(), rtol=0, atol=1e-9)
    for key, p in net.own.items():
        np.testing.assert_allclose(grads[key], p.grad.numpy(), rtol=0, atol=1e-9, err_msg=key)
    for prefix, suffixes in (("enc_", ("_l0", "_l0_reverse")[: 1 + two]), ("dec_", ("",))):
        for suffix in suffixes:
            layer = net.rnn[prefix]
            for ours, their in (("W_xh", "weight_ih"), ("W_hh", "weight_hh"), ("b_h", "bias_ih")):
                gradient = getattr(layer, f"{their}{suffix or '_l0'}").grad.numpy().T
                np.testing.assert_allclose(
                    grads[f"{prefix}{ours}{suffix}"], gradient, rtol=0, atol=1e-9
                )
    assert net.params().keys() == params.keys()  # and back again
    for key, array in net.params().items():
        np.testing.assert_array_equal(array, params[key])


@pytest.mark.parametrize(
    "case",
    [
        (Seq2Seq(PEEPHOLE, "last", "both", ADDITIVE), True),
        (Seq2Seq(GRU, "summary", "both", GENERAL), True),
        (Seq2Seq(LSTM, "summary", "start", None), False),
        (Seq2Seq(RNN, "last", "input", DOT), False),
        (Seq2Seq(GRU, "summary", "both", DOT, "before"), False),
        (Seq2Seq(LSTM, "last", "start", ADDITIVE, "before"), True),
        (Seq2Seq(GRU, "last", "input", SCALED_DOT, "feeding"), True),
        (Seq2Seq(LSTM, "summary", "start", GENERAL, "feeding"), False),
    ],
    ids=name,
)
def test_gradients_against_finite_differences(case):
    model, two = case
    params, batch = make(model, two), pair_batch(*pairs((2, 4), (3, 1)))
    for array in params.values():
        array *= 3  # states that differ: else attention has hardly a gradient to be checked
    R = RNG(9).normal(size=(*batch.inputs.shape, V_Y))  # a pull of its own on every score

    def forward():
        encoded, encoder_cache = seq2seq.encode(model, params, batch.source, batch.lengths)
        z, _, _, decoder_cache = seq2seq.decode(model, params, encoded, batch.inputs)
        return float((R * z).sum()), encoder_cache, decoder_cache

    _, encoder_cache, decoder_cache = forward()
    grads, dcontext, dmemory = seq2seq.decode_backward(model, params, decoder_cache, R)
    grads |= seq2seq.encode_backward(model, params, encoder_cache, dcontext, dmemory)
    errors = gradcheck.compare(lambda: forward()[0], params, grads)
    assert errors.keys() == params.keys()
    gradcheck.largest(errors, 1e-6)


def test_the_gradient_of_the_context_of_a_decoder_alone():
    # One to many: a feature vector instead of an encoder.
    model, C = Seq2Seq(LSTM, feed="both"), 5
    rng = RNG(0)
    params = seq2seq.init_decoder(model, V_Y, D, H, C, rng, np.float64)
    features, inputs = rng.normal(size=(2, C)), rng.integers(0, V_Y, (3, 2))
    R = rng.normal(size=(3, 2, V_Y))

    def loss():
        return float((R * seq2seq.decode(model, params, Encoded(features), inputs)[0]).sum())

    cache = seq2seq.decode(model, params, Encoded(features), inputs)[-1]
    grads, dfeatures, dmemory = seq2seq.decode_backward(model, params, cache, R)
    errors = gradcheck.compare(
        loss, params | {"features": features}, grads | {"features": dfeatures}
    )
    assert dmemory is None
    gradcheck.largest(errors, 1e-6)


@pytest.mark.parametrize("cell", [LSTM, GRU, RNN], ids=lambda c: c.name)
def test_a_model_that_torch_trained_comes_back(cell):
    # After training torch's second biases are no longer zero: they must not be lost.
    model, batch = Seq2Seq(cell, "last", "both", GENERAL), pair_batch(*pairs())
    net = TorchSeq2Seq(model, make(model, True))
    optimizer = torch.optim.Adam(net.parameters(), lr=0.1)
    for _ in range(3):
        optimizer.zero_grad()
        net.loss(batch).backward()
        optimizer.step()
    assert net.rnn["dec_"].bias_hh_l0.abs().mean() > 0.01
    z, _ = seq2seq.predict(model, net.params(), batch)
    theirs, _ = net(*(torch.from_numpy(a) for a in (batch.source, batch.lengths, batch.inputs)))
    np.testing.assert_allclose(z, theirs.detach().numpy(), rtol=0, atol=1e-9)


# --- Properties ---------------------------------------------------------------------------------

some = pytest.mark.parametrize(
    "model",
    [
        Seq2Seq(LSTM),
        Seq2Seq(GRU, "summary", "input"),
        Seq2Seq(GRU, "last", "both", GENERAL),
        Seq2Seq(LSTM, "summary", "start", ADDITIVE),
        Seq2Seq(LSTM, "last", "start", GENERAL, "before"),
        Seq2Seq(GRU, "last", "both", DOT, "feeding"),
    ],
    ids=lambda model: name((model, True)),
)


@some
def test_the_context_is_the_state_at_each_sequences_own_end(model):
    params, batch = make(model, True), pair_batch(*pairs())
    encoded, _ = seq2seq.encode(model, params, batch.source, batch.lengths)
    for b, n in enumerate(batch.lengths):
        alone, _ = seq2seq.encode(model, params, batch.source[:n, b : b + 1], np.array([n]))
        np.testing.assert_allclose(encoded.context[b], alone.context[0], rtol=0, atol=1e-14)
        np.testing.assert_allclose(encoded.memory[:n, b], alone.memory[:, 0], rtol=0, atol=1e-14)
        if model.context == "last":  # the end of one direction, the beginning of the other
            expected = np.r_[encoded.memory[n - 1, b, : H // 2], encoded.memory[0, b, H // 2 :]]
            np.testing.assert_array_equal(encoded.context[b], expected)


@some
@given(
    lengths=st.lists(st.tuples(st.integers(1, 5), st.integers(0, 4)), min_size=1, max_size=4),
    extra=st.integers(1, 3),
    seed=st.integers(0, 99),
)
@settings(max_examples=15, deadline=None)
def test_padding_changes_nothing(model, lengths, extra, seed):
    params = make(model, True, seed=seed)
    batch = pair_batch(*pairs(*zip(*lengths), seed=seed))
    loss, grads, _ = seq2seq.loss_and_grads(model, params, batch)

    def longer(ids, n, fill):  # more padding, with other symbols in it
        ids = np.concatenate([ids, np.zeros((extra, ids.shape[1]), int)])
        ids[np.arange(len(ids))[:, None] >= n] = fill
        return ids

    noisy = batch._replace(
        source=longer(batch.source, batch.lengths, V_X - 1),
        inputs=longer(batch.inputs, batch.target_lengths, V_Y - 1),
        targets=longer(batch.targets, batch.target_lengths, V_Y - 2),
    )
    loss_noisy, grads_noisy, _ = seq2seq.loss_and_grads(model, params, noisy)
    assert abs(loss - loss_noisy) < 1e-12
    for key in params:
        np.testing.assert_allclose(grads[key], grads_noisy[key], rtol=0, atol=1e-12)
    # The batch's loss is the mean over all target symbols of what each pair loses alone.
    n = batch.target_lengths
    alone = [seq2seq.loss_and_grads(model, params, slices(batch, b))[0] for b in range(len(n))]
    assert abs(np.average(alone, weights=n) - loss) < 1e-12


@some
def test_the_decoder_is_causal_and_may_be_run_in_pieces(model):
    params, batch = make(model), pair_batch(*pairs((3, 3), (5, 5)))
    encoded, _ = seq2seq.encode(model, params, batch.source, batch.lengths)
    z, state, _, _ = seq2seq.decode(model, params, encoded, batch.inputs)
    changed = batch.inputs.copy()
    changed[3:] = (changed[3:] + 1) % V_Y
    np.testing.assert_array_equal(z[:3], seq2seq.decode(model, params, encoded, changed)[0][:3])
    first, between, _, _ = seq2seq.decode(model, params, encoded, batch.inputs[:2])
    second, end, _, _ = seq2seq.decode(model, params, encoded, batch.inputs[2:], between)
    np.testing.assert_allclose(z, np.concatenate([first, second]), rtol=0, atol=1e-14)
    for a, b in zip(state, end):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-14)


@some
def test_one_symbol_at_a_time_is_teacher_forcing(model):
    params, batch = make(model), pair_batch(*pairs())
    z, _ = seq2seq.predict(model, params, batch)
    encoded, _ = seq2seq.encode(model, params, batch.source, batch.lengths)
    step, state = seq2seq.decoder_step(model, params, encoded)
    for t, ids in enumerate(batch.inputs):
        log_p, state = step(ids, state)
        np.testing.assert_allclose(np.exp(log_p).sum(axis=1), 1, rtol=0, atol=1e-12)
        expected = z[t] - np.log(np.exp(z[t]).sum(axis=1, keepdims=True))
        np.testing.assert_allclose(log_p, expected, rtol=0, atol=1e-12)
    rows = [2, 0, 0]  # states may be chosen and repeated: the row knows its source
    log_p_chosen, _ = step(batch.inputs[0][rows], tuple(s[rows] for s in state))
    all_rows, _ = step(batch.inputs[0], state)
    np.testing.assert_allclose(log_p_chosen, all_rows[rows], rtol=0, atol=1e-14)


def test_where_the_context_may_go():
    batch = pair_batch(*pairs())
    for feed, starts, enters in (("start", 1, 0), ("input", 0, 1), ("both", 1, 1)):
        params = make(Seq2Seq(GRU, feed=feed))
        assert ("W_start" in params) == bool(starts)
        assert len(params["dec_W_xh"]) == D + enters * H
        for state in seq2seq.start_state(Seq2Seq(GRU, feed=feed), params, np.ones((4, H))):
            assert (state == 0).all() == (not starts)
    # Without a way in, the source could not matter: cut it, and it does not.
    model = Seq2Seq(GRU, feed="start")
    params = make(model)
    z, _ = seq2seq.predict(model, params, batch)
    params["W_start"][:] = 0
    cut, _ = seq2seq.predict(model, params, batch)
    assert np.abs(z[:, 0] - z[:, 1]).max() > 1e-3
    same_inputs = batch._replace(inputs=np.repeat(batch.inputs[:, :1], 4, axis=1))
    cut, _ = seq2seq.predict(model, params, same_inputs)
    np.testing.assert_allclose(cut, np.repeat(cut[:, :1], 4, axis=1), rtol=0, atol=1e-14)


def test_a_new_summary_is_the_mean_of_all_states():
    model = Seq2Seq(GRU, context="summary")
    params = seq2seq.init_seq2seq(model, V_X, V_Y, D, H, RNG(0), dtype=np.float64)
    batch = pair_batch(*pairs())
    encoded, _ = seq2seq.encode(model, params, batch.source, batch.lengths)
    mean = encoded.memory.sum(axis=0) / batch.lengths[:, None]
    np.testing.assert_allclose(encoded.context, mean, rtol=0, atol=1e-14)


@some
def test_float32_stays_float32(model):
    params = make(model, dtype=np.float32)
    _, grads, _ = seq2seq.loss_and_grads(model, params, pair_batch(*pairs()))
    assert {a.dtype for a in (*params.values(), *grads.values())} == {np.dtype(np.float32)}


def test_the_orders_as_on_paper():
    """A GRU decoder with dot products, one sequence and no padding, equation by equation."""
    batch = pair_batch(*pairs((4,), (3,)))
    for order in ("before", "feeding"):
        model = Seq2Seq(GRU, attention=DOT, order=order)
        params = make(model)
        z, weights = seq2seq.predict(model, params, batch)
        encoded, _ = seq2seq.encode(model, params, batch.source, batch.lengths)
        m, dec = encoded.memory[:, 0], seq2seq.without_prefix(params, "dec_")
        h = np.tanh(encoded.context[0] @ params["W_start"] + params["b_start"])
        u = np.zeros(H)

        def ask(query, m=m):
            e = np.exp(m @ query)
            return e / e.sum(), e / e.sum() @ m

        for t, y in enumerate(batch.inputs[:, 0]):
            if order == "before":
                alpha, c = ask(h)
                h = GRU.step(dec, np.r_[dec["E"][y], c][None], h[None])[0]
            else:
                h = GRU.step(dec, np.r_[dec["E"][y], u][None], h[None])[0]
                alpha, c = ask(h)
            u = np.tanh(np.r_[h, c] @ params["W_u"] + params["b_u"])
            np.testing.assert_allclose(weights[t, 0], alpha, rtol=0, atol=1e-14)
            expected = u @ params["W_hy"] + params["b_y"]
            np.testing.assert_allclose(z[t, 0], expected, rtol=0, atol=1e-14)


@pytest.mark.parametrize("order", ["after", "before", "feeding"])
def test_what_was_heard_enters_the_next_state_or_not(order):
    # A query that is sharper makes another context: which states does it reach?
    model = Seq2Seq(GRU, attention=GENERAL, order=order)
    params, batch = make(model), pair_batch(*pairs())
    encoded, _ = seq2seq.encode(model, params, batch.source, batch.lengths)
    states = []
    for factor in (1, 5):
        params["W_a"] *= factor
        found = [seq2seq.decode(model, params, encoded, batch.inputs[:n])[1][0] for n in (1, 2)]
        states.append(found)
    reached = [np.abs(a - b).max() > 1e-6 for a, b in zip(*states)]
    assert reached == {"after": [0, 0], "before": [1, 1], "feeding": [0, 1]}[order]


def test_it_learns_to_reverse_and_attention_helps():
    rng = RNG(0)
    sources = [rng.integers(0, 5, rng.integers(2, 6)) for _ in range(400)]
    targets = [s[::-1] + 2 for s in sources]
    losses = {}
    for score in (None, GENERAL):
        model = Seq2Seq(GRU, attention=score)
        params = seq2seq.init_seq2seq(model, 5, 7, 8, 24, RNG(1), bidirectional=True)
        batches, memory = pair_batches(sources, targets, 32, RNG(2)), ADAM.init(params)
        for _ in range(150):
            loss, grads, _ = seq2seq.loss_and_grads(model, params, next(batches))
            ADAM.update(params, grads, memory, 5e-3)
        losses[score] = loss
    assert losses[GENERAL] < 0.15 < losses[None] < 1.3  # guessing: ln 5 ≈ 1.6 per symbol


# --- Bad input ----------------------------------------------------------------------------------


def test_bad_input():
    with pytest.raises(ValueError, match="context must be one of .*got 'first'"):
        make(Seq2Seq(GRU, context="first"))
    with pytest.raises(ValueError, match="feed must be one of .*got 'never'"):
        make(Seq2Seq(GRU, feed="never"))
    with pytest.raises(ValueError, match="order must be one of .*got 'between'"):
        make(Seq2Seq(GRU, attention=DOT, order="between"))
    for order in ("before", "feeding"):
        with pytest.raises(ValueError, match=f"order '{order}' needs attention, got None"):
            make(Seq2Seq(GRU, order=order))
    fed, batch = Seq2Seq(GRU, attention=DOT, order="feeding"), pair_batch(*pairs())
    params = make(fed)
    encoded, _ = seq2seq.encode(fed, params, batch.source, batch.lengths)
    h, u = seq2seq.start_state(fed, params, encoded.context)
    for state, message in (
        ((h,), r"tuple of 1 array\(s\) and u"),
        (h, r"tuple of 1 array\(s\) and u"),
        ((h, u[:2]), r"state\[-1\] has shape \(2, 4\), expected \(4, 4\)"),
        ((h[:2], u), r"state\[0\] has shape"),
        ((h, u * np.nan), r"state\[-1\] holds 16 non-finite"),
    ):
        with pytest.raises((ValueError, NonFiniteError), match=message):
            seq2seq.decode(fed, params, encoded, batch.inputs, state)
    with pytest.raises(ValueError, match=r"params\['dec_W_xh'\] has shape"):
        seq2seq.decode(fed._replace(order="after"), params, encoded, batch.inputs)
    with pytest.raises(ValueError, match="H must be even for two directions, got 5"):
        seq2seq.init_seq2seq(Seq2Seq(GRU), V_X, V_Y, D, 5, RNG(0), bidirectional=True)
    with pytest.raises(ValueError, match="V must be a positive integer, got 0"):
        seq2seq.init_seq2seq(Seq2Seq(GRU), 0, V_Y, D, H, RNG(0))
    model = Seq2Seq(GRU, attention=GENERAL)
    params, batch = make(model), pair_batch(*pairs())
    with pytest.raises(IndexError, match="ids must lie in 0 … 6"):
        seq2seq.encode(model, params, batch.source + V_X, batch.lengths)
    with pytest.raises(ValueError, match="lengths must lie in 1 … 5, got 0"):
        seq2seq.encode(model, params, batch.source, batch.lengths - 1)
    with pytest.raises(ValueError, match=r"source has shape \(5,\)"):
        seq2seq.encode(model, params, batch.source[:, 0], batch.lengths)
    encoded, _ = seq2seq.encode(model, params, batch.source, batch.lengths)
    with pytest.raises(ValueError, match=r"inputs has shape \(5, 2\), expected \(S, 4\)"):
        seq2seq.decode(model, params, encoded, batch.inputs[:, :2])
    with pytest.raises(IndexError, match="ids must lie in 0 … 8"):
        seq2seq.decode(model, params, encoded, batch.inputs + V_Y)
    with pytest.raises(TypeError, match="memory must be a NumPy array, got NoneType"):
        seq2seq.decode(model, params, Encoded(encoded.context), batch.inputs)
    params["dec_W_hh"][0, 0] = np.nan
    with pytest.raises(NonFiniteError):
        seq2seq.loss_and_grads(model, params, batch)
    assert unroll.zero_state(GRU, seq2seq.without_prefix(params, "dec_"), 2)[0].shape == (2, H)
