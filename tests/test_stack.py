"""Unequal lengths, stacks, two directions, and models on top: padding must change nothing."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers import gradcheck, layers, sequence_model, tagger, torch_parity, unroll
from helpers import language_model as lm
from helpers.gru import GRU, GRU_CHO
from helpers.losses import cross_entropy, mse
from helpers.lstm import LSTM, PEEPHOLE
from helpers.rnn import RNN
from helpers.text import pad, sequence_mask

RNG = np.random.default_rng
cells = pytest.mark.parametrize("cell", [RNN, LSTM, PEEPHOLE, GRU, GRU_CHO], ids=lambda c: c.name)
LENGTHS = np.array([3, 6, 1, 6, 4])


def padded(cell, lengths=LENGTHS, T=6, D=3, H=4, seed=0, dtype=np.float64):
    """A random problem with a batch of these lengths."""
    rng, B = RNG(seed), len(lengths)
    params = unroll.init_cell(cell, D, H, rng, dtype)

    def draw(*shape):
        return rng.normal(size=shape).astype(dtype)

    states = [tuple(draw(B, H) for _ in range(cell.n_states)) for _ in range(2)]
    return params, draw(T, B, D), states[0], draw(T, B, H), states[1]


# --- Unequal lengths ----------------------------------------------------------------------------


@cells
def test_each_sequence_is_read_as_if_it_were_alone(cell):
    params, x, state, R, S = padded(cell)
    hs, final, cache = unroll.packed_forward(cell, params, x, LENGTHS, state)
    grads, dx, dstate = unroll.packed_backward(cell, params, cache, R, S)
    total = {name: 0 for name in grads}
    for b, n in enumerate(LENGTHS):
        column = slice(b, b + 1)
        alone, end, one = unroll.forward(
            cell, params, x[:n, column].copy(), tuple(s[column] for s in state)
        )
        part, dx_one, dstart = unroll.backward(
            cell, params, one, R[:n, column].copy(), tuple(s[column] for s in S)
        )
        np.testing.assert_allclose(hs[:n, column], alone, rtol=0, atol=1e-12)
        np.testing.assert_allclose(dx[:n, column], dx_one, rtol=0, atol=1e-12)
        assert (hs[n:, b] == 0).all() and (dx[n:, b] == 0).all()
        for whole, single in zip((*final, *dstate), (*end, *dstart)):
            np.testing.assert_allclose(whole[column], single, rtol=0, atol=1e-12)
        total = {name: total[name] + part[name] for name in total}
    for name in grads:
        np.testing.assert_allclose(grads[name], total[name], rtol=0, atol=1e-11)


@cells
@given(
    lengths=st.lists(st.integers(1, 6), min_size=1, max_size=5),
    extra=st.integers(0, 3),
    seed=st.integers(0, 99),
)
@settings(max_examples=20)
def test_padding_changes_nothing(cell, lengths, extra, seed):
    lengths, T = np.array(lengths), max(lengths)
    params, x, state, R, S = padded(cell, lengths, T, seed=seed)
    hs, final, cache = unroll.packed_forward(cell, params, x, lengths, state)
    grads, dx, dstate = unroll.packed_backward(cell, params, cache, R, S)

    # More padding, and other numbers in it, in the inputs and in the gradients of the outputs.
    pad = ~sequence_mask(lengths, T + extra)
    noisy, R_noisy = (np.concatenate([a, a[:1].repeat(extra, 0)]) for a in (x, R))
    noisy[pad], R_noisy[pad] = 1e3, -1e3
    hs2, final2, cache2 = unroll.packed_forward(cell, params, noisy, lengths, state)
    grads2, dx2, dstate2 = unroll.packed_backward(cell, params, cache2, R_noisy, S)
    np.testing.assert_array_equal(hs, hs2[:T])
    np.testing.assert_array_equal(dx, dx2[:T])
    for a, b in zip((*final, *dstate, *grads.values()), (*final2, *dstate2, *grads2.values())):
        np.testing.assert_array_equal(a, b)


def test_equal_lengths_are_the_plain_unroll():
    params, x, state, R, S = padded(LSTM)
    full = np.full(5, 6)
    hs, final, cache = unroll.packed_forward(LSTM, params, x, full, state)
    plain, end, one = unroll.forward(LSTM, params, x, state)
    np.testing.assert_array_equal(hs, plain)
    ours = unroll.packed_backward(LSTM, params, cache, R, S)
    theirs = unroll.backward(LSTM, params, one, R, S)
    np.testing.assert_array_equal(ours[1], theirs[1])
    for name in params:
        np.testing.assert_array_equal(ours[0][name], theirs[0][name])


def test_gradients_of_the_state_alone():
    params, x, state, _, S = padded(LSTM)
    _, _, cache = unroll.packed_forward(LSTM, params, x, LENGTHS, state)
    zeros = np.zeros((6, 5, 4))
    without, with_zeros = (
        unroll.packed_backward(LSTM, params, cache, dhs, S) for dhs in (None, zeros)
    )
    for name in params:
        np.testing.assert_array_equal(without[0][name], with_zeros[0][name])


@given(st.lists(st.integers(1, 7), min_size=1, max_size=6))
def test_reverse_is_its_own_inverse_and_leaves_the_padding(lengths):
    lengths = np.array(lengths)
    x = RNG(0).normal(size=(7, len(lengths), 2))
    back = unroll.reverse(x, lengths)
    for b, n in enumerate(lengths):
        np.testing.assert_array_equal(back[:n, b], x[:n, b][::-1])
        np.testing.assert_array_equal(back[n:, b], x[n:, b])
    np.testing.assert_array_equal(unroll.reverse(back, lengths), x)


@pytest.mark.parametrize(
    ("lengths", "error", "message"),
    [
        (np.array([3, 0, 1, 6, 4]), ValueError, "lengths must lie in 1 … 6, got 0"),
        (np.array([3, 7, 1, 6, 4]), IndexError, "lengths must lie in 0 … 6, got values"),
        (np.array([3, 6]), ValueError, r"lengths has shape \(2,\), expected \(5,\)"),
        (np.array([3.0] * 5), TypeError, "lengths must be a NumPy array of integers"),
        ([3, 6, 1, 6, 4], TypeError, "lengths must be a NumPy array, got list"),
    ],
)
def test_bad_lengths(lengths, error, message):
    params, x, *_ = padded(RNN)
    with pytest.raises(error, match=message):
        unroll.packed_forward(RNN, params, x, lengths)
    with pytest.raises(error, match=message):
        unroll.reverse(x, lengths)


def test_packed_backward_refuses():
    params, x, _, R, S = padded(RNN)
    cache = unroll.packed_forward(RNN, params, x, LENGTHS)[2]
    with pytest.raises(ValueError, match="backward needs dhs, dstate or both"):
        unroll.packed_backward(RNN, params, cache)
    with pytest.raises(ValueError, match=r"dhs has shape \(5, 5, 4\), expected \(6, 5, 4\)"):
        unroll.packed_backward(RNN, params, cache, R[1:])
    with pytest.raises(ValueError, match="dstate must be a tuple of 1"):
        unroll.packed_backward(RNN, params, cache, R, S * 2)


# --- Stacks -------------------------------------------------------------------------------------

stacks = pytest.mark.parametrize(
    ("n_layers", "both"), [(1, False), (1, True), (2, False), (3, True)]
)


def stack(cell, n_layers, both, lengths=LENGTHS, T=6, D=3, H=4, seed=0):
    """Parameters, inputs, initial states, and a cotangent for every output and final state."""
    rng, B, width = RNG(seed), len(lengths), (1 + both) * H
    params = unroll.init_stack(cell, D, H, n_layers, rng, both, np.float64)

    def states():
        return [
            tuple(rng.normal(size=(B, H)) for _ in range(cell.n_states))
            for _ in range(n_layers * (1 + both))
        ]

    return params, rng.normal(size=(T, B, D)), states(), rng.normal(size=(T, B, width)), states()


@stacks
@pytest.mark.parametrize("cell", [RNN, LSTM, GRU], ids=lambda cell: cell.name)
def test_a_stack_equals_torch(cell, n_layers, both):
    params, x, states, R, S = stack(cell, n_layers, both)
    R = (
        R * sequence_mask(LENGTHS, 6)[..., None]
    )  # torch gives zeros in the padding, and no gradient
    hs, finals, cache = unroll.stack_forward(cell, params, x, LENGTHS, states)
    grads, dx, dstates = unroll.stack_backward(cell, params, cache, R, S)

    torch = pytest.importorskip("torch")
    layer = torch_parity.to_torch(cell, params)
    tx = torch.tensor(x, requires_grad=True)
    start = [torch.tensor(np.stack(part), requires_grad=True) for part in zip(*states)]
    packed = torch.nn.utils.rnn.pack_padded_sequence(
        tx, torch.tensor(LENGTHS), enforce_sorted=False
    )
    out, end = layer(packed, start[0] if cell.n_states == 1 else tuple(start))
    ths, _ = torch.nn.utils.rnn.pad_packed_sequence(out)
    end = (end,) if cell.n_states == 1 else end
    loss = (torch.tensor(R) * ths).sum()
    for part, s in zip(end, zip(*S)):
        loss = loss + (torch.tensor(np.stack(s)) * part).sum()
    loss.backward()

    def close(ours, theirs):
        np.testing.assert_allclose(ours, theirs.detach().numpy(), rtol=0, atol=1e-9)

    close(hs, ths)
    close(dx, tx.grad)
    for i, (part, first) in enumerate(zip(end, start)):
        close(np.stack([final[i] for final in finals]), part)
        close(np.stack([d[i] for d in dstates]), first.grad)
    for name, gradient in grads.items():
        stem, suffix = name.split("_l")
        if stem == "b_n":
            close(gradient, getattr(layer, f"bias_hh_l{suffix}").grad[-4:])
        else:
            close(gradient.T, getattr(layer, f"{torch_parity.PAIRS[stem]}_l{suffix}").grad)


@cells
def test_gradients_of_a_stack_match_finite_differences(cell):
    lengths = np.array([2, 4])
    params, x, states, R, S = stack(cell, 2, True, lengths, T=4, D=2, H=2)
    masks = [layers.dropout_mask((1, 2, 4), 0.4, RNG(1), np.float64)]

    def run():
        return unroll.stack_forward(cell, params, x, lengths, states, masks)

    def loss():
        hs, finals, _ = run()
        ends = sum((s * f).sum() for S_, F in zip(S, finals) for s, f in zip(S_, F))
        return float((R * hs).sum() + ends)

    grads, dx, dstates = unroll.stack_backward(cell, params, run()[2], R, S)
    arrays = {**params, "x": x, **{f"s{i}": s[0] for i, s in enumerate(states)}}
    gradients = {**grads, "x": dx, **{f"s{i}": d[0] for i, d in enumerate(dstates)}}
    errors = gradcheck.compare(loss, arrays, gradients)
    gradcheck.largest(errors, 1e-6)


def test_one_layer_in_one_direction_is_the_layer():
    params, x, state, R, _ = padded(GRU)
    named = {f"{name}_l0": array for name, array in params.items()}
    hs, finals, cache = unroll.stack_forward(GRU, named, x, states=[state])
    plain, end, one = unroll.forward(GRU, params, x, state)
    np.testing.assert_array_equal(hs, plain)
    np.testing.assert_array_equal(finals[0][0], end[0])
    grads, dx, _ = unroll.stack_backward(GRU, named, cache, R)
    expected, dx_expected, _ = unroll.backward(GRU, params, one, R)
    np.testing.assert_array_equal(dx, dx_expected)
    for name in params:
        np.testing.assert_array_equal(grads[f"{name}_l0"], expected[name])


def test_the_backward_half_reads_from_each_end():
    params, x, _, _, _ = stack(LSTM, 1, True)
    hs, _, _ = unroll.stack_forward(LSTM, params, x, LENGTHS)
    one = {name: params[f"{name}_l0_reverse"] for name in ("W_xh", "W_hh", "b_h")}
    for b, n in enumerate(LENGTHS):
        back, _, _ = unroll.forward(LSTM, one, x[:n, b : b + 1][::-1].copy())
        np.testing.assert_allclose(hs[:n, b, 4:], back[::-1, 0], rtol=0, atol=1e-12)


def test_only_two_directions_see_the_future():
    for both in (False, True):
        params, x, *_ = stack(LSTM, 2, both)
        full = np.full(5, 6)
        before = unroll.stack_forward(LSTM, params, x, full)[0]
        x[4] += 1
        after = unroll.stack_forward(LSTM, params, x, full)[0]
        assert (before[:4] == after[:4]).all() != both


def test_a_dropout_mask_acts_between_the_layers_only():
    params, x, *_ = stack(RNN, 2, False)
    ones = np.ones((1, 5, 4))
    plain = unroll.stack_forward(RNN, params, x)[0]
    np.testing.assert_array_equal(
        plain, unroll.stack_forward(RNN, params, x, dropout_masks=[ones])[0]
    )
    silent = unroll.stack_forward(RNN, params, x, dropout_masks=[0 * ones])[0]
    other = unroll.stack_forward(RNN, params, x + 1, dropout_masks=[0 * ones])[0]
    np.testing.assert_array_equal(silent, other)


def test_dropout_masks_keep_the_mean():
    mask = layers.dropout_mask((1, 200, 200), 0.25, RNG(0))
    assert mask.dtype == np.float32
    assert set(np.unique(mask)) == {np.float32(0), np.float32(1 / 0.75)}
    assert abs(mask.mean() - 1) < 0.02
    assert (layers.dropout_mask((3, 2), 0, RNG(0)) == 1).all()


@pytest.mark.parametrize("p", [1, -0.1, float("nan")])
def test_dropout_probability(p):
    with pytest.raises(ValueError, match="p must lie in 0 ≤ p < 1"):
        layers.dropout_mask((1, 1, 1), p, RNG(0))


def test_a_stack_refuses():
    params, x, states, R, S = stack(LSTM, 2, True)
    with pytest.raises(ValueError, match="states has 1 entries, expected 4"):
        unroll.stack_forward(LSTM, params, x, LENGTHS, states[:1])
    with pytest.raises(ValueError, match="dropout_masks has 2 entries, expected 1"):
        unroll.stack_forward(LSTM, params, x, LENGTHS, states, [None, None])
    with pytest.raises(ValueError, match="params hold no stack"):
        unroll.stack_forward(LSTM, {"W_xh": 1}, x)
    with pytest.raises(ValueError, match="n_layers must be a positive integer, got 0"):
        unroll.init_stack(LSTM, 3, 4, 0, RNG(0))
    cache = unroll.stack_forward(LSTM, params, x, LENGTHS, states)[2]
    with pytest.raises(ValueError, match="backward needs dhs, dstates or both"):
        unroll.stack_backward(LSTM, params, cache)
    with pytest.raises(ValueError, match=r"dhs has shape \(6, 5, 4\), expected \(6, 5, 8\)"):
        unroll.stack_backward(LSTM, params, cache, R[..., :4])
    with pytest.raises(ValueError, match="dstates has 3 entries, expected 4"):
        unroll.stack_backward(LSTM, params, cache, R, S[:3])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_stack_keeps_its_dtype(dtype):
    params = unroll.init_stack(GRU, 3, 4, 2, RNG(0), True, dtype)
    x = RNG(1).normal(size=(6, 5, 3)).astype(dtype)
    hs, finals, cache = unroll.stack_forward(GRU, params, x, LENGTHS)
    grads, dx, dstates = unroll.stack_backward(GRU, params, cache, hs)
    arrays = [hs, dx, *grads.values(), *(s for group in (*finals, *dstates) for s in group)]
    assert {a.dtype for a in arrays} == {np.dtype(dtype)}


# --- Models on top ------------------------------------------------------------------------------


@pytest.mark.parametrize("both", [False, True])
def test_every_gradient_of_the_tagger(both):
    params = tagger.init_tagger(LSTM, 5, 3, 2, 4, RNG(0), 2, both, np.float64)
    ids, lengths = pad([[1, 2, 3], [4], [0, 1]])
    targets = RNG(1).integers(0, 4, ids.shape)
    _, grads, _ = tagger.loss_and_grads(LSTM, params, ids, targets, lengths)
    errors = gradcheck.compare(
        lambda: tagger.loss_and_grads(LSTM, params, ids, targets, lengths)[0], params, grads
    )
    gradcheck.largest(errors, 1e-5)  # some gradients here are tiny


def test_padding_changes_nothing_for_the_tagger():
    params = tagger.init_tagger(GRU, 5, 3, 4, 4, RNG(0), 1, True, np.float64)
    ids, lengths = pad([[1, 2, 3], [4, 4], [0]])
    targets = RNG(1).integers(0, 4, ids.shape)
    loss, grads, _ = tagger.loss_and_grads(GRU, params, ids, targets, lengths)
    more, wrong = np.vstack([ids, ids[:1]]), np.vstack([targets, targets[:1]])
    padding = ~sequence_mask(lengths, 4)
    more[padding], wrong[padding] = 2, 3
    loss2, grads2, _ = tagger.loss_and_grads(GRU, params, more, wrong, lengths)
    assert loss == loss2
    for name in grads:
        np.testing.assert_allclose(grads[name], grads2[name], rtol=0, atol=1e-15)
    z = tagger.predict(GRU, params, ids, lengths)
    alone = tagger.predict(GRU, params, ids[:2, 1:2], lengths[1:2])
    np.testing.assert_allclose(z[:2, 1:2], alone, atol=1e-13)


def test_pad():
    ids, lengths = pad([[1], [2, 3]], fill=9)
    np.testing.assert_array_equal(ids, [[1, 2], [9, 3]])
    np.testing.assert_array_equal(lengths, [1, 2])
    np.testing.assert_array_equal(sequence_mask(lengths, 2), [[True, True], [False, True]])
    for bad in ([], [[1], []]):
        with pytest.raises(ValueError, match="sequences must not be empty"):
            pad(bad)


@pytest.mark.parametrize("truncate", [None, 2])
def test_the_sequence_model_scores_what_the_loss_says(truncate):
    rng = RNG(0)
    params = sequence_model.init_sequence_model(LSTM, 2, 3, 1, rng, np.float64)
    x, y = rng.normal(size=(5, 4, 2)), rng.normal(size=(4, 1))
    (loss, grads, state), dx = sequence_model.loss_and_dx(
        LSTM, params, x, sequence_model.at_end(mse, y), truncate=truncate
    )
    z, end, hs = sequence_model.predict(LSTM, params, x)
    assert loss == mse(z[-1], y)[0]
    np.testing.assert_array_equal(state[0], end[0])
    if truncate is None:
        errors = gradcheck.compare(
            lambda: mse(sequence_model.predict(LSTM, params, x)[0][-1], y)[0],
            {**params, "x": x},
            {**grads, "x": dx},
        )
        gradcheck.largest(errors, 1e-6)
    else:  # T = 5: the last chunk is step 5 alone
        assert (dx[:4] == 0).all() and (dx[4] != 0).any()


def test_at_end_wants_all_outputs():
    with pytest.raises(ValueError, match=r"z has shape \(4, 1\), expected \(T, B, V\)"):
        sequence_model.at_end(mse, np.ones((4, 1)))(np.ones((4, 1)))


def test_mask_and_truncation_of_the_language_model():
    params = lm.init_language_model(RNN, 4, 2, 3, RNG(0), np.float64)
    inputs, targets = RNG(1).integers(0, 4, (2, 6, 2))
    mask = RNG(2).random((6, 2)) < 0.5
    loss, grads, _ = lm.loss_and_grads(RNN, params, inputs, targets, mask=mask)
    assert loss == cross_entropy(lm.predict(RNN, params, inputs)[0], targets, mask)[0]
    errors = gradcheck.compare(
        lambda: lm.loss_and_grads(RNN, params, inputs, targets, mask=mask)[0], params, grads
    )
    gradcheck.largest(errors, 1e-6)
    _, cut, _ = lm.loss_and_grads(RNN, params, inputs, targets, mask=mask, truncate=1)
    assert np.abs(cut["W_hh"] - grads["W_hh"]).max() > 1e-6
    np.testing.assert_array_equal(cut["W_hy"], grads["W_hy"])
