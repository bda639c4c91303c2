"""Decoding: against exhaustive search, what length normalisation does, and that it always ends."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers import decoding, seq2seq
from helpers.attention import GENERAL
from helpers.checks import NonFiniteError
from helpers.decoding import Hypothesis, beam_search, greedy, sample
from helpers.gru import GRU
from helpers.seq2seq import Seq2Seq
from helpers.text import END, START, pair_batch

RNG = np.random.default_rng
V = 4  # START, END and two symbols


def chain(seed=0, B=3, sharp=2.0):
    """A decoder whose next symbol depends on the row's source, the last symbol and the time."""
    z = sharp * RNG(seed).normal(size=(B, 12, V, V))
    z[..., START] = -np.inf
    log_p = z - np.log(np.exp(z).sum(axis=-1, keepdims=True))

    def step(ids, state):
        row, t = state
        return log_p[row, t, ids], (row, t + 1)

    return step, (np.arange(B), np.zeros(B, int)), log_p


def all_sequences(log_p, b, longest):
    """Every sequence of at most `longest` chosen symbols with its log P, the best first."""
    found = []
    for n in range(longest):
        for ids in product(range(2, V), repeat=n):
            path = (START, *ids, END)
            total = sum(log_p[b, t, i, j] for t, (i, j) in enumerate(zip(path, path[1:])))
            found.append((total, ids))
    return sorted(found, reverse=True)


def log_p_of(log_p, b, hypothesis):
    path = (START, *hypothesis.ids, *((END,) if hypothesis.ended else ()))
    return sum(log_p[b, t, i, j] for t, (i, j) in enumerate(zip(path, path[1:])))


@given(seed=st.integers(0, 999))
@settings(max_examples=30, deadline=None)
def test_a_beam_that_holds_everything_is_exhaustive_search(seed):
    step, state, log_p = chain(seed)
    found = beam_search(step, state, 4, k=40)
    for b, hypotheses in enumerate(found):
        ended = [h for h in hypotheses if h.ended]
        best = all_sequences(log_p, b, 4)
        assert [h.ids for h in ended] == [ids for _, ids in best]
        np.testing.assert_allclose([h.log_p for h in ended], [p for p, _ in best], atol=1e-12)


@given(seed=st.integers(0, 999), k=st.integers(1, 6), alpha=st.floats(0, 2))
@settings(max_examples=40, deadline=None)
def test_scores_are_right_sorted_and_distinct(seed, k, alpha):
    step, state, log_p = chain(seed)
    for b, hypotheses in enumerate(beam_search(step, state, 6, k, alpha)):
        assert 1 <= len(hypotheses) <= k
        assert len({(h.ids, h.ended) for h in hypotheses}) == len(hypotheses)
        scores = [h.score(alpha) for h in hypotheses]
        assert scores == sorted(scores, reverse=True)
        for h in hypotheses:
            assert abs(h.log_p - log_p_of(log_p, b, h)) < 1e-12
            assert not {START, END} & set(h.ids)


@given(seed=st.integers(0, 999))
@settings(max_examples=30, deadline=None)
def test_a_beam_of_one_is_greedy_and_greedy_takes_the_likeliest_symbol(seed):
    step, state, log_p = chain(seed)
    answers = greedy(step, state, 6)
    for b, (one, (other,)) in enumerate(zip(answers, beam_search(step, state, 6, k=1))):
        assert one.ids == other.ids and one.ended == other.ended
        assert abs(one.log_p - other.log_p) < 1e-12
        path = (START, *one.ids, *((END,) if one.ended else ()))
        for t, (i, j) in enumerate(zip(path, path[1:])):
            assert j == log_p[b, t, i].argmax()


def test_each_row_is_searched_as_if_it_were_alone():
    step, state, _ = chain(5, B=4)
    together = beam_search(step, state, 6, k=3)
    for b in range(4):
        (alone,) = beam_search(step, tuple(s[b : b + 1] for s in state), 6, k=3)
        assert alone == together[b]


def tree(step_probabilities):
    """A decoder with one source, given as {prefix: {symbol: probability}}."""

    def step(ids, state):
        prefixes = [(*p, i) if i != START else () for p, i in zip(state[0], ids)]
        log_p = np.full((len(ids), V), -np.inf)
        for row, prefix in enumerate(prefixes):
            for symbol, p in step_probabilities.get(prefix, {END: 1.0}).items():
                log_p[row, symbol] = np.log(p)
        kept = np.empty(len(ids), object)
        kept[:] = prefixes
        return log_p, (kept,)

    first = np.empty(1, object)
    first[0] = ()
    return step, (first,)


GARDEN_PATH = {
    (): {2: 0.6, 3: 0.4},
    (2,): {2: 0.5, 3: 0.5},
    (3,): {3: 0.9, 2: 0.1},
}


def test_greedy_is_led_astray_where_a_beam_is_not():
    (one,) = greedy(*tree(GARDEN_PATH), 5)
    assert one.ids[0] == 2 and np.isclose(one.log_p, np.log(0.3))
    ((best, *_),) = beam_search(*tree(GARDEN_PATH), 5, k=2)
    assert best.ids == (3, 3) and np.isclose(best.log_p, np.log(0.36))


SHORT_OR_LONG = {(): {END: 0.4, 2: 0.6}, (2,): {2: 0.6, 3: 0.4}, (2, 2): {END: 0.9, 3: 0.1}}


def test_sign_and_effect_of_the_length_penalty():
    # P(nothing) = 0.4 beats P(2 2) = 0.324; per symbol the longer answer is the surer one.
    for alpha, expected in ((0.0, ()), (1.0, (2, 2))):
        ((best, *_),) = beam_search(*tree(SHORT_OR_LONG), 5, k=3, alpha=alpha)
        assert best.ids == expected
    h = Hypothesis((2, 2), np.log(0.324), True)
    assert h.score(0) == h.log_p
    assert np.isclose(h.score(1), h.log_p / 3)  # END counts
    assert np.isclose(Hypothesis((2, 2), -3.0, False).score(1), -1.5)


@given(seed=st.integers(0, 500))
@settings(max_examples=25, deadline=None)
def test_a_larger_alpha_never_prefers_shorter_answers(seed):
    step, state, _ = chain(seed)
    lengths = []
    for alpha in (0.0, 0.5, 1.0, 2.0):
        found = beam_search(step, state, 7, k=60, alpha=alpha)
        lengths.append([len(hs[0].ids) + hs[0].ended for hs in found])
    assert (np.diff(lengths, axis=0) >= 0).all()


def never_ends(ids, state):
    log_p = np.full((len(ids), V), -np.inf)
    log_p[:, 2:] = np.log(0.5)
    return log_p, state


@pytest.mark.parametrize("k", [1, 3])
def test_decoding_always_ends(k):
    state = (np.zeros((2, 1)),)
    for h in (
        *greedy(never_ends, state, 5),
        *sample(never_ends, state, 5, RNG(0)),
        *(h for hs in beam_search(never_ends, state, 5, k) for h in hs),
    ):
        assert len(h.ids) == 5 and not h.ended
        assert np.isclose(h.log_p, 5 * np.log(0.5))


def test_every_score_is_what_teacher_forcing_gives():
    # A network's state depends on all that was chosen: each hypothesis must go on with its own.
    model = Seq2Seq(GRU, attention=GENERAL)
    params = seq2seq.init_seq2seq(model, 5, 6, 3, 8, RNG(0), dtype=np.float64)
    for array in params.values():
        array *= 4  # so that hypotheses change their places in the beam
    sources = [np.array([1, 2, 4]), np.array([3])]
    batch = pair_batch(sources, [[], []])
    encoded, _ = seq2seq.encode(model, params, batch.source, batch.lengths)
    step_and_state = seq2seq.decoder_step(model, params, encoded)
    found = [
        [(h, b) for hypotheses in (beam_search(*step_and_state, 6, k=5),)
         for b, hs in enumerate(hypotheses) for h in hs],
        [(h, b) for b, h in enumerate(greedy(*step_and_state, 6))],
        [(h, b) for b, h in enumerate(sample(*step_and_state, 6, RNG(1)))],
    ]  # fmt: skip
    for h, b in (pair for answers in found for pair in answers):
        one = pair_batch([sources[b]], [h.ids])
        z, _ = seq2seq.predict(model, params, one)
        log_p = z[:, 0] - np.log(np.exp(z[:, 0]).sum(axis=1, keepdims=True))
        n = len(h.ids) + h.ended
        assert abs(log_p[np.arange(n), one.targets[:n, 0]].sum() - h.log_p) < 1e-9


def test_an_untrained_model_ends_too():
    model = Seq2Seq(GRU, attention=GENERAL)
    params = seq2seq.init_seq2seq(model, 5, 6, 3, 4, RNG(0))
    params["b_y"][END] = -1e4  # it would never stop by itself
    encoded, _ = seq2seq.encode(model, params, np.array([[1, 2], [3, 0]]), np.array([2, 1]))
    for found in (
        greedy(*seq2seq.decoder_step(model, params, encoded), 7),
        [hs[0] for hs in beam_search(*seq2seq.decoder_step(model, params, encoded), 7, 3)],
    ):
        assert [len(h.ids) for h in found] == [7, 7] and not any(h.ended for h in found)


def test_samples_follow_the_models_probabilities():
    B = 4000
    step, _, log_p = chain(3, B=1)
    state = (np.zeros(B, int), np.zeros(B, int))
    drawn = sample(step, state, 3, RNG(0))
    for p, ids in all_sequences(log_p, 0, 3):
        share = np.mean([h.ids == ids and h.ended for h in drawn])
        assert abs(share - np.exp(p)) < 0.03  # 4 standard errors at p = ½
    for h in drawn[:20]:
        assert abs(h.log_p - log_p_of(log_p, 0, h)) < 1e-12


def test_temperature_and_top_k():
    B = 3000
    step, _, log_p = chain(4, B=1, sharp=1.0)
    state = (np.zeros(B, int), np.zeros(B, int))
    first = log_p[0, 0, START]

    def shares(**options):
        drawn = sample(step, state, 1, RNG(1), **options)
        return np.bincount([h.ids[0] if h.ids else END for h in drawn], minlength=V) / B

    for temperature in (0.5, 2.0):
        expected = np.exp(first / temperature) / np.exp(first / temperature).sum()
        np.testing.assert_allclose(shares(temperature=temperature), expected, atol=0.035)
    two = np.argsort(-first)[:2]
    kept = np.zeros(V)
    kept[two] = np.exp(first[two]) / np.exp(first[two]).sum()
    np.testing.assert_allclose(shares(top_k=2), kept, atol=0.035)
    cold = sample(step, state, 5, RNG(2), temperature=1e-3)
    assert {h.ids for h in cold} == {greedy(step, tuple(s[:1] for s in state), 5)[0].ids}
    assert {h.ids for h in sample(step, state, 5, RNG(2), top_k=1)} == {cold[0].ids}
    np.testing.assert_allclose(shares(top_k=99), np.exp(first), atol=0.035)


def test_same_seed_same_samples():
    step, state, _ = chain(1)
    assert sample(step, state, 5, RNG(7)) == sample(step, state, 5, RNG(7))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda s: beam_search(*s, 5, k=0), "k must be a positive integer, got 0"),
        (lambda s: beam_search(*s, 5, k=1.5), "k must be a positive integer, got 1.5"),
        (lambda s: beam_search(*s, 0, k=2), "max_length must be a positive integer, got 0"),
        (
            lambda s: beam_search(*s, 5, k=2, alpha=-1),
            "alpha must be zero or a positive number, got -1",
        ),
        (lambda s: greedy(*s, 0), "max_length must be a positive integer, got 0"),
        (lambda s: sample(*s, 5, RNG(0), temperature=-1), "temperature must be zero or a positive"),
        (lambda s: sample(*s, 5, RNG(0), top_k=0), "top_k must be a positive integer, got 0"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call(chain()[:2])


def test_nan_from_the_decoder_is_an_error():
    def broken(ids, state):
        return np.full((len(ids), V), np.nan), state

    for search in (greedy, lambda *a: beam_search(*a, k=2), lambda *a: sample(*a, RNG(0))):
        with pytest.raises(NonFiniteError, match="returned NaN"):
            search(broken, (np.zeros(2),), 5)
    assert decoding.Hypothesis((), 0.0, True).score(1) == 0
