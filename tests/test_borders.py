"""Values at the border: right, or refused in words, and the same in all places.

Zero, the smallest subnormal, the largest number, infinity, NaN, negative numbers, and integers of
every type.
"""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers import (
    checks,
    decoding,
    gradcheck,
    layers,
    losses,
    ngram,
    optim,
    seq2seq,
    tagger,
    text,
    train,
    unroll,
)
from helpers import language_model as lm
from helpers.attention import DOT
from helpers.lstm import LSTM
from helpers.rnn import RNN

RNG = np.random.default_rng
SUBNORMAL, LARGEST = 5e-324, float(np.finfo(np.float64).max)
NO_NUMBERS = [np.nan, np.inf, -np.inf, True, "1", None, 10**400, np.ones(1), 1j]
NEGATIVE = [-1, -SUBNORMAL, -LARGEST, np.float32(-1)]
POSITIVE = [SUBNORMAL, 1e-308, 1e-45, 1, np.float32(0.5), 1e38, LARGEST, np.uint64(3), np.int8(2)]

numbers = st.one_of(
    st.sampled_from([0.0, SUBNORMAL, 1e-308, 1e-45, 1e-38, 1e20, 1e38, 1e308, LARGEST]),
    st.floats(allow_nan=False, allow_infinity=False),
)
anything = st.one_of(numbers, st.sampled_from([np.nan, np.inf, -np.inf]))


# --- Numbers ------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", NO_NUMBERS + NEGATIVE, ids=repr)
def test_what_is_neither_zero_nor_positive(value):
    for check in (checks.check_positive, checks.check_not_negative, checks.check_share):
        with pytest.raises(ValueError, match="^lr must"):
            check("lr", value)


@pytest.mark.parametrize("value", POSITIVE, ids=repr)
def test_what_is_positive(value):
    checks.check_positive("lr", value)
    checks.check_not_negative("lr", value)


def test_zero_and_one():
    checks.check_not_negative("lr", 0)
    checks.check_share("p", 0)
    for name, check, value in (("lr", checks.check_positive, 0), ("p", checks.check_share, 1)):
        with pytest.raises(ValueError, match=f"{name} must"):
            check(name, value)


@pytest.mark.parametrize("size", [np.uint64(3), np.int8(100), np.uint8(200), np.uint32(1)])
def test_sizes_whose_products_would_wrap_round(size):
    with pytest.raises(
        ValueError, match=r"H must be a positive integer, got .*convert it with int"
    ):
        checks.check_sizes(H=size)
    checks.check_sizes(H=int(size), D=np.int64(2), B=np.int32(2))


# --- Norms and clipping -------------------------------------------------------------------------


def entries(width):
    return st.lists(st.floats(width=width, allow_nan=False, allow_infinity=False), max_size=6)


def length(grads):
    return math.hypot(*(float(x) for g in grads.values() for x in g))


@pytest.mark.parametrize(("dtype", "width"), [(np.float32, 32), (np.float64, 64)])
@given(data=st.data(), limit=numbers.filter(lambda x: x > 0))
def test_norm_and_clipping_over_the_whole_range(dtype, width, data, limit):
    grads = {name: np.array(data.draw(entries(width)), dtype) for name in "ab"}
    expected, before = length(grads), {name: g.astype(np.float64) for name, g in grads.items()}
    norm = optim.clip_by_norm(grads, limit)
    assert norm == pytest.approx(expected, rel=1e-6) or norm == expected
    if math.isfinite(expected):
        # No entry can be nearer to what it should be than half a subnormal of its dtype.
        dust = 6 * float(np.finfo(dtype).smallest_subnormal)
        assert length(grads) <= limit * (1 + 1e-6) + dust
        shrink = min(1, limit / norm) if norm > 0 else 1
        for name, g in grads.items():
            wanted = before[name] * shrink if shrink > 1e-290 else before[name] / norm * limit
            np.testing.assert_allclose(g, wanted, rtol=1e-5, atol=dust)


def test_norm_of_the_report():
    grads = {"W": np.full(100, 1e20, np.float32)}
    assert optim.clip_by_norm(grads, 1.0) == pytest.approx(1e21)
    np.testing.assert_allclose(grads["W"], 0.1, rtol=1e-6)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_norm_of_what_is_no_number(bad):
    for order in (["a", "b"], ["b", "a"]):
        grads = {"a": np.array([1.0]), "b": np.array([bad])}
        assert str(optim.global_norm({name: grads[name] for name in order})) == str(bad)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@given(limit=anything)
def test_clip_by_value(dtype, limit):
    g = np.array([1e30, -1e30, 0.5], dtype)
    if not (math.isfinite(limit) and limit > 0):
        with pytest.raises(ValueError, match="limit must be a positive number"):
            optim.clip_by_value({"g": g}, limit)
        return
    optim.clip_by_value({"g": g}, limit)
    bound = np.float64(limit)
    np.testing.assert_allclose(g, np.clip([1e30, -1e30, 0.5], -bound, bound), rtol=1e-6, atol=1e-44)


# --- Optimisers and training --------------------------------------------------------------------

OPTIMIZERS = [optim.SGD, optim.ADAM]


@pytest.mark.parametrize("lr", NO_NUMBERS + NEGATIVE, ids=repr)
def test_learning_rates_are_refused_alike(lr):
    batches = itertools.repeat(text.Batch(None, None))
    for optimizer in OPTIMIZERS:
        params = {"w": np.ones(2)}
        with pytest.raises(ValueError, match="lr must be zero or a positive number"):
            optimizer.update(params, {"w": np.ones(2)}, optimizer.init(params), lr)
        for rate, words in ((lr, "lr must"), (lambda i: lr, "lr of update 0 must")):  # noqa: B023
            with pytest.raises(ValueError, match=words):
                train.train(
                    lambda p, b, s: (0.0, {"w": np.ones(2)}, None), params, batches, 2,
                    lr=rate, optimizer=optimizer, progress=False,
                )  # fmt: skip
        assert (params["w"] == 1).all()
    with pytest.raises(ValueError, match="lr must be zero or a positive number"):
        train.linear_decay(lr, 3)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@given(lr=numbers.map(abs), size=st.sampled_from([0.0, 1e-45, 1e-20, 1.0, 1e20, 3e38]))
def test_a_step_is_finite_or_refused(optimizer, dtype, lr, size):
    params, grads = {"w": np.ones(2, dtype)}, {"w": np.full(2, size, dtype)}
    refused = None
    try:
        optimizer.update(params, grads, optimizer.init(params), lr)
    except FloatingPointError as error:
        refused = str(error)
    if refused:
        assert "too large for the dtype" in refused and (lr > 1e20 or size > 1e18)
    else:
        assert np.isfinite(params["w"]).all() and params["w"].dtype == dtype


@pytest.mark.parametrize("value", [*NO_NUMBERS, *NEGATIVE, 1, 1.5], ids=repr)
@pytest.mark.parametrize("name", ["beta1", "beta2"])
def test_decays_of_adam(name, value):
    params = {"w": np.ones(1)}
    with pytest.raises(ValueError, match=f"{name} must lie in 0 ≤ {name} < 1"):
        optim.adam_update(params, {"w": np.ones(1)}, optim.adam_init(params), 0.1, **{name: value})


@pytest.mark.parametrize("eps", [*NO_NUMBERS, *NEGATIVE, 0, SUBNORMAL, 1e-45, 1e300], ids=repr)
def test_eps_of_adam(eps):
    params = {"w": np.ones(1)}
    with pytest.raises(ValueError, match="eps must"):
        optim.adam_update(params, {"w": np.ones(1)}, optim.adam_init(params), 0.1, eps=eps)


@pytest.mark.parametrize("max_norm", [*NO_NUMBERS[:5], *NEGATIVE, 0], ids=repr)
def test_longest_gradient(max_norm):
    with pytest.raises(ValueError, match="max_norm must be a positive number"):
        train.train(lambda p, b, s: None, {}, [], 1, lr=0.1, max_norm=max_norm)


def test_gradient_whose_square_overflows_stops_the_training_in_words():
    batches = itertools.repeat(text.Batch(None, None))
    params = {"w": np.ones(1, np.float32)}
    with pytest.raises(
        FloatingPointError, match="at update 0: the gradient, which Adam squares, is"
    ):
        train.train(
            lambda p, b, s: (0.0, {"w": np.full(1, 1e20, np.float32)}, None), params, batches, 2,
            lr=0.1, progress=False,
        )  # fmt: skip


@given(p=anything)
def test_probability_of_dropout(p):
    if 0 <= p < 1:
        kept = layers.dropout_mask((50,), p, RNG(0))
        assert np.isfinite(kept).all() and set(np.unique(kept)) <= {0, np.float32(1 / (1 - p))}
    else:
        with pytest.raises(ValueError, match="p must lie in 0 ≤ p < 1"):
            layers.dropout_mask((50,), p, RNG(0))


@pytest.mark.parametrize("eps", [0, -1, np.nan, np.inf])
def test_step_of_finite_differences(eps):
    with pytest.raises(ValueError, match="eps must be a positive number"):
        gradcheck.numerical_gradient(lambda: 0.0, np.ones(1), eps)


# --- Temperatures -------------------------------------------------------------------------------


def chain(log_p):
    """A decoder without memory, whose every symbol has these log-probabilities."""
    return lambda ids, state: (np.tile(log_p, (len(ids), 1)), state)


def samplers():
    """Three samplers that draw from the same four symbols: prompt-free, (temperature) → ids."""
    p = np.array([0.1, 0.2, 0.3, 0.4])
    params = {k: np.zeros_like(a) for k, a in lm.init_language_model(RNN, 4, 2, 2, RNG(0)).items()}
    params["b_y"][:] = np.log(p)
    ids = np.repeat(np.arange(4), [100, 200, 300, 400])
    counts = ngram.count(RNG(0).permutation(ids), 4, order=0)

    def from_decoder(temperature, n=300):
        state = (np.zeros((n, 1)),)
        found = decoding.sample(chain(np.log(p)), state, 1, RNG(0), temperature)
        return np.array([h.ids[0] if h.ids else text.END for h in found])

    return {
        "language_model": lambda t, n=300: lm.sample(RNN, params, np.array([0]), n, RNG(0), t),
        "ngram": lambda t, n=300: ngram.sample(
            counts, np.array([0]), n, RNG(0), ngram.maximum_likelihood, t
        ),
        "decoding": from_decoder,
    }


SAMPLERS = samplers()
by_sampler = pytest.mark.parametrize("draw", SAMPLERS.values(), ids=SAMPLERS)


@by_sampler
@pytest.mark.parametrize("temperature", NO_NUMBERS + NEGATIVE, ids=repr)
def test_temperatures_are_refused_alike(draw, temperature):
    with pytest.raises(ValueError, match="temperature must be zero or a positive number"):
        draw(temperature)


@by_sampler
@pytest.mark.parametrize("temperature", [0, SUBNORMAL, 1e-308, 1e-45, np.float32(1e-3)])
def test_at_the_lowest_temperatures_the_likeliest_symbol_is_left(draw, temperature):
    assert (draw(temperature) == 3).all()


@by_sampler
@pytest.mark.parametrize("temperature", [1e10, 1e308, LARGEST])
def test_at_the_highest_temperatures_all_symbols_are_equally_likely(draw, temperature):
    shares = np.bincount(draw(temperature, 3000), minlength=4) / 3000
    np.testing.assert_allclose(shares, 0.25, atol=0.04)


@by_sampler
@pytest.mark.parametrize("temperature", [0.5, 1, np.float64(2)])
def test_temperature_is_a_power_of_the_probabilities(draw, temperature):
    expected = np.array([0.1, 0.2, 0.3, 0.4]) ** (1 / temperature)
    shares = np.bincount(draw(temperature, 3000), minlength=4) / 3000
    np.testing.assert_allclose(shares, expected / expected.sum(), atol=0.04)


scores = st.lists(st.one_of(numbers, st.just(-np.inf)), min_size=1, max_size=5)


@given(z=scores, temperature=numbers.map(abs))
def test_scores_at_any_temperature_make_probabilities(z, temperature):
    z = np.array(z)
    with np.errstate(over="ignore"):
        if not np.isfinite(z.max()):
            with pytest.raises(checks.NonFiniteError, match="give no symbol a probability"):
                decoding.at_temperature(z, temperature)
            return
        p = np.exp(decoding.at_temperature(z, temperature))
    assert p.max() == 1 and not np.isnan(p).any()
    assert p[z.argmax()] == 1
    assert (p[z == -np.inf] == 0).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_scores_that_are_no_numbers(bad):
    with pytest.raises(checks.NonFiniteError, match="scores hold NaN"):
        decoding.at_temperature(np.array([0.0, bad]), 1.0)


@given(p=st.lists(st.floats(0, 1), min_size=1, max_size=5), u=st.floats(0, 1, exclude_max=True))
def test_no_symbol_is_drawn_that_has_no_probability(p, u):
    p = np.array(p)
    if p.sum() > 0:

        class Generator:
            def random(self):
                return u

        assert p[decoding.draw(p, Generator())] > 0 or p.sum() < 1e-300


@pytest.mark.parametrize("alpha", [np.nan, np.inf, -1])
def test_length_norm_of_the_beam(alpha):
    with pytest.raises(ValueError, match="alpha must be zero or a positive number"):
        decoding.beam_search(chain(np.log([0.5, 0.5])), (np.zeros((1, 1)),), 3, 2, alpha)


# --- Ids and lengths of any integer type --------------------------------------------------------

KINDS = [np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.uint64]
by_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
IDS = RNG(0).integers(0, 5, (6, 3))
LENGTHS = np.array([6, 2, 4])


def language_model(ids):
    params = lm.init_language_model(RNN, 5, 2, 3, RNG(0))
    loss, grads, _ = lm.loss_and_grads(RNN, params, ids, ids)
    drawn = lm.sample(RNN, params, ids[:, 0], 4, RNG(0))
    return loss, *grads.values(), lm.evaluate(RNN, params, ids[:, 0]), drawn


def counting(ids):
    counts = ngram.count(ids[:, 0], 5, 2)
    drawn = ngram.sample(counts, ids[:, 0], 4, RNG(0))
    return drawn, ngram.distribution(counts, ids[:, 0]), ngram.bits_per_symbol(counts, ids[:, 1])


def batching(ids):
    flat = ids.reshape(-1)
    batches = (text.sequential_batches(flat, 3, 2), text.random_batches(flat, 3, 2, RNG(0)))
    found = [a for batch in map(next, batches) for a in (batch.inputs, batch.targets)]
    return *found, *text.pair_batch(list(ids.T), list(ids.T))[:5], *text.pad(list(ids.T))


def layers_and_losses(ids):
    params = layers.init_embedding(5, 2, RNG(0))
    x = layers.embedding_forward(params, ids)
    grads = layers.embedding_backward(params, ids, x)
    z = RNG(1).normal(size=(*ids.shape, 5))
    return x, *grads.values(), *losses.cross_entropy(z, ids), layers.one_hot(ids, 5)


def translating(ids):
    model = seq2seq.Seq2Seq(LSTM, attention=DOT)
    params = seq2seq.init_seq2seq(model, 5, 7, 2, 3, RNG(0))
    batch = text.PairBatch(ids, LENGTHS.astype(ids.dtype), ids, ids, LENGTHS.astype(ids.dtype))
    loss, grads, _ = seq2seq.loss_and_grads(model, params, batch)
    return loss, *grads.values()


def tagging(ids):
    params = tagger.init_tagger(LSTM, 5, 2, 3, 5, RNG(0), 2, True)
    loss, grads, _ = tagger.loss_and_grads(LSTM, params, ids, ids, LENGTHS.astype(ids.dtype))
    return loss, *grads.values()


def packing(ids):
    params = unroll.init_cell(LSTM, 2, 3, RNG(0))
    x, lengths = RNG(1).normal(size=(6, 3, 2)).astype(np.float32), LENGTHS.astype(ids.dtype)
    hs, final, cache = unroll.packed_forward(LSTM, params, x, lengths)
    grads, dx, _ = unroll.packed_backward(LSTM, params, cache, hs, final)
    mask = text.sequence_mask(lengths, 6)
    return hs, *final, *grads.values(), dx, mask


USERS = [language_model, counting, batching, layers_and_losses, translating, tagging, packing]
by_user = pytest.mark.parametrize("use", USERS, ids=lambda use: use.__name__)


@by_kind
@by_user
def test_ids_and_lengths_of_any_integer_type_give_the_same(use, kind):
    for ours, wanted in zip(use(IDS.astype(kind)), use(IDS), strict=True):
        np.testing.assert_array_equal(ours, wanted)


@pytest.mark.parametrize("kind", [bool, float, np.float32])
@by_user
def test_ids_that_are_no_integers_are_refused(use, kind):
    with pytest.raises(TypeError, match="integers"):
        use((IDS > 2).astype(kind))


def test_ids_out_of_range_of_unsigned_types():
    for ids in (np.array([2**64 - 1], np.uint64), np.array([-1], np.int8)):
        with pytest.raises(IndexError, match="ids must lie in 0 … 4"):
            checks.check_ids("ids", ids, 5)
