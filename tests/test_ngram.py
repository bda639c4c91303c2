"""Counting models against dictionaries, against themselves, and on bad input."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers import ngram
from helpers.data import corpora
from helpers.text import Vocabulary

ESTIMATES = [ngram.maximum_likelihood, ngram.add_one, ngram.witten_bell, ngram.kneser_ney]
SMOOTH = [ngram.witten_bell, ngram.kneser_ney]


def text_of(n, V, seed=0):
    """Random ids with structure: each symbol depends on the one two places before."""
    rng = np.random.default_rng(seed)
    ids = rng.integers(0, V, n)
    for t in range(2, n):
        if rng.random() < 0.6:
            ids[t] = (ids[t - 2] + 1) % V
    return ids


class Brute:
    """The same models with dictionaries and loops, written from the equations in the docstrings."""

    def __init__(self, ids, V):
        self.ids, self.V = [int(i) for i in ids], V

    def counts(self, k):
        table = {}
        for t in range(k, len(self.ids)):
            after = table.setdefault(tuple(self.ids[t - k : t]), {})
            after[self.ids[t]] = after.get(self.ids[t], 0) + 1
        return table

    def continuations(self, k):
        """For each pair (h, w) of order k, the number of different symbols seen before it."""
        before = {}
        for t in range(k + 1, len(self.ids)):
            pair = tuple(self.ids[t - k : t + 1])
            before.setdefault(pair, set()).add(self.ids[t - k - 1])
        table = {}
        for pair, symbols in before.items():
            table.setdefault(pair[:-1], {})[pair[-1]] = len(symbols)
        return table

    def maximum_likelihood(self, h, w):
        after = self.counts(len(h)).get(h, {})
        return after.get(w, 0) / sum(after.values()) if after else 0.0

    def add_one(self, h, w):
        after = self.counts(len(h)).get(h, {})
        return (after.get(w, 0) + 1) / (sum(after.values()) + self.V)

    def witten_bell(self, h, w):
        lower = self.witten_bell(h[1:], w) if h else 1 / self.V
        after = self.counts(len(h)).get(h)
        if not after:
            return lower
        c, n = sum(after.values()), len(after)
        return (after.get(w, 0) + n * lower) / (c + n)

    def kneser_ney(self, h, w, table=None):
        lower = self.kneser_ney(h[1:], w, self.continuations(len(h) - 1)) if h else 1 / self.V
        table = self.counts(len(h)) if table is None else table
        values = [c for after in table.values() for c in after.values()]
        once, twice = values.count(1), values.count(2)
        d = once / (once + 2 * twice) if once else 0.5
        after = table.get(h)
        if not after:
            return lower
        c = sum(after.values())
        return max(after.get(w, 0) - d, 0) / c + d * len(after) / c * lower


@pytest.mark.parametrize("estimate", ESTIMATES, ids=lambda e: e.__name__)
def test_probabilities_equal_brute_force(estimate):
    V, order = 4, 3
    train, held_out = text_of(60, V), text_of(25, V, seed=1)
    brute = getattr(Brute(train, V), estimate.__name__)
    p = ngram.probabilities(ngram.count(train, V, order), held_out, estimate)
    assert p.shape == (order + 1, len(held_out) - 1)
    for k in range(order + 1):
        for t in range(max(k, 1), len(held_out)):  # where all k symbols exist
            h = tuple(int(i) for i in held_out[t - k : t])
            assert p[k, t - 1] == pytest.approx(brute(h, int(held_out[t])), abs=1e-12)


@pytest.mark.parametrize("estimate", SMOOTH, ids=lambda e: e.__name__)
def test_near_the_beginning_the_shorter_context_is_used(estimate):
    counts = ngram.count(text_of(60, 4), 4, 3)
    held_out = text_of(10, 4, seed=1)
    p = ngram.probabilities(counts, held_out, estimate)
    shorter = ngram.distribution(counts, held_out[:1], estimate)[:, held_out[1]]
    np.testing.assert_allclose(p[:, 0], shorter, atol=1e-15)
    if estimate is ngram.witten_bell:
        assert p[1, 0] == p[2, 0] == p[3, 0]


def test_counts_and_continuations_equal_brute_force():
    V, order = 3, 3
    ids = text_of(40, V)
    counts = ngram.count(ids, V, order)
    brute = Brute(ids, V)
    pairs = [(k, t, brute.counts(k)) for k, t in enumerate(counts.tables)]
    pairs += [(k, t, brute.continuations(k)) for k, t in enumerate(counts.continuations)]
    for k, table, expected in pairs:
        flat = {(*h, w): c for h, after in expected.items() for w, c in after.items()}
        assert {unpack(c, counts.bits, k + 1): n for c, n in zip(*table[:2])} == flat
        totals = {h: (sum(a.values()), len(a)) for h, a in expected.items()}
        assert {unpack(c, counts.bits, k): (n, kinds) for c, n, kinds in zip(*table[2:])} == totals


def test_lower_orders_do_not_depend_on_the_highest():
    ids = text_of(50, 4)
    cut, fresh = ngram.up_to(ngram.count(ids, 4, 5), 2), ngram.count(ids, 4, 2)
    assert cut.order == fresh.order == 2
    assert len(cut.continuations) == len(fresh.continuations) == 2
    for one, two in zip(cut.tables + cut.continuations, fresh.tables + fresh.continuations):
        assert all(np.array_equal(a, b) for a, b in zip(one, two))


def unpack(code, bits, length):
    return tuple(int(code) >> bits * age & (1 << bits) - 1 for age in range(length - 1, -1, -1))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_every_distribution_sums_to_one(data):
    V = data.draw(st.integers(1, 9), label="V")
    order = data.draw(st.integers(0, 4), label="order")
    symbol = st.integers(0, V - 1)
    ids = np.array(data.draw(st.lists(symbol, min_size=order + 1, max_size=40), label="ids"))
    context = np.array(data.draw(st.lists(symbol, max_size=6), label="context"), dtype=np.int64)
    counts = ngram.count(ids, V, order)
    for estimate in (ngram.add_one, *SMOOTH):
        p = ngram.distribution(counts, context, estimate)
        assert p.shape == (order + 1, V)
        assert (p >= 0).all()
        np.testing.assert_allclose(p.sum(axis=1), 1, atol=1e-12)


@pytest.mark.parametrize("estimate", SMOOTH, ids=lambda e: e.__name__)
def test_unseen_context_falls_back_exactly(estimate):
    ids = np.array([0, 1, 2, 0, 1, 2, 0, 1])  # 2 is never followed by 1, 3 never occurs
    counts = ngram.count(ids, 4, 2)
    p = ngram.distribution(counts, np.array([2, 1]), estimate)  # "1" was seen, "2 1" was not
    if estimate is ngram.witten_bell:
        assert np.array_equal(p[2], p[1])
    else:  # order 1 as a lower order counts continuations
        lower = ngram.distribution(ngram.count(ids, 4, 3), np.array([2, 1]), estimate)
        assert np.array_equal(p[2], lower[3]) and not np.array_equal(p[2], p[0])
    nothing = ngram.distribution(counts, np.array([3, 3]), estimate)
    assert np.array_equal(nothing[1], nothing[2]) and (nothing[:, 3] > 0).all()


def test_minus_first_order_is_uniform():
    counts = ngram.count(np.array([1]), 5, 0)  # one symbol, seen once: half weight to 1/V
    expected = np.full(5, 0.5 / 5)
    expected[1] += 0.5
    np.testing.assert_allclose(ngram.distribution(counts, np.array([], int))[0], expected)


def test_in_sample_bits_equal_the_score_of_the_same_text():
    ids = text_of(300, 5)
    counts = ngram.count(ids, 5, 3)
    p = ngram.probabilities(counts, ids, ngram.maximum_likelihood)
    for k in range(1, 4):
        direct = -np.log2(p[k, k - 1 :]).mean()
        assert ngram.in_sample_bits(counts)[k] == pytest.approx(direct, abs=1e-12)
    assert (np.diff(ngram.in_sample_bits(counts)) < 0).all()


def test_zero_probability_costs_infinitely_many_bits():
    counts = ngram.count(np.array([0, 1, 0, 1]), 3, 1)
    bits = ngram.bits_per_symbol(counts, np.array([0, 1, 2]), ngram.maximum_likelihood)
    assert np.isinf(bits).all()
    assert np.isfinite(ngram.bits_per_symbol(counts, np.array([0, 1, 2]))).all()


def test_unseen_share():
    counts = ngram.count(np.array([0, 1, 2, 0, 1]), 4, 2)
    # Scored places of 0 1 3 2 see the contexts: 0, 1, 3 (order 1); ·0, 01, 13 (order 2).
    np.testing.assert_allclose(ngram.unseen(counts, np.array([0, 1, 3, 2])), [0, 1 / 3, 2 / 3])


def test_sampling_is_repeatable_and_stays_in_the_text_it_knows():
    counts = ngram.count(np.tile([0, 1, 2], 30), 4, 2)
    prompt = np.array([0, 1])
    one, two = (
        ngram.sample(counts, prompt, 99, np.random.default_rng(3), ngram.maximum_likelihood)
        for _ in range(2)
    )
    assert np.array_equal(one, two)
    assert np.array_equal(one, np.tile([2, 0, 1], 33))
    free = ngram.sample(counts, np.array([], dtype=int), 500, np.random.default_rng(0))
    assert free.shape == (500,) and set(free.tolist()) <= {0, 1, 2, 3}


def test_sampling_follows_the_distribution():
    counts = ngram.count(np.array([0, 0, 1, 0, 2, 0, 0, 0]), 3, 0)
    drawn = ngram.sample(counts, np.array([0]), 4000, np.random.default_rng(0))
    p = ngram.distribution(counts, np.array([0]))[0]
    np.testing.assert_allclose(np.bincount(drawn, minlength=3) / 4000, p, atol=0.03)


def test_shakespeare_baselines_hold_their_values():
    """The numbers that every later language model is printed beside."""
    text = corpora.shakespeare()
    vocab = Vocabulary.of(text.train)
    train, valid = vocab.encode(text.train), vocab.encode(text.valid)
    found = ngram.baselines(train, valid, len(vocab))
    best = {name: bits.min() for name, bits in found.items()}
    assert best["witten_bell"] == pytest.approx(2.380, abs=5e-3)
    assert best["kneser_ney"] == pytest.approx(2.214, abs=5e-3)
    assert all(bits.shape == (7,) for bits in found.values())


IDS = np.arange(8) % 4


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: ngram.count(IDS, 4, -1), ValueError, "order must be"),
        (lambda: ngram.count(IDS, 4, 1.5), ValueError, "order must be"),
        (lambda: ngram.count(IDS, 0, 1), ValueError, "V must be"),
        (lambda: ngram.count(IDS[:3], 4, 3), ValueError, "ids has 3 entries"),
        (lambda: ngram.count(np.tile(IDS, 2), 80, 9), ValueError, "70 bits"),
        (lambda: ngram.count(IDS, 3, 1), IndexError, "ids must lie in 0 … 2"),
        (lambda: ngram.count(IDS / 2, 4, 1), TypeError, "ids must be a NumPy array of integers"),
        (lambda: ngram.count(IDS.reshape(2, 4), 4, 1), ValueError, r"ids has shape \(2, 4\)"),
        (lambda: ngram.count([0, 1], 4, 1), TypeError, "ids must be"),
        (lambda: ngram.up_to(COUNTS, 3), ValueError, "order must lie in 0 … 2, got 3"),
        (lambda: ngram.up_to(COUNTS, -1), ValueError, "order must lie"),
        (lambda: ngram.probabilities(COUNTS, IDS[:1]), ValueError, "ids has 1 entry"),
        (lambda: ngram.probabilities(COUNTS, IDS + 1), IndexError, "ids must lie in 0 … 3"),
        (lambda: ngram.distribution(COUNTS, np.array([4])), IndexError, "context must lie"),
        (lambda: ngram.distribution(COUNTS, "ab"), TypeError, "context must be"),
        (lambda: ngram.distribution(COUNTS, np.array([])), TypeError, "context must be"),
        (lambda: ngram.sample(COUNTS, IDS, 0, None), ValueError, "n must be"),
        (lambda: ngram.sample(COUNTS, -IDS, 1, None), IndexError, "prompt must lie"),
        (lambda: ngram.sample(COUNTS, IDS.reshape(2, 4), 1, None), ValueError, "prompt has shape"),
    ],
)
def test_bad_input_is_named(call, error, words):
    with pytest.raises(error, match=words):
        call()


COUNTS = ngram.count(IDS, 4, 2)
