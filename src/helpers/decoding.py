"""From a decoder to an answer: greedy, sampling, beam search.

A decoder gives the probability of the next symbol; an answer is a whole sequence. All functions
here take any decoder as `step(ids (N,), state) → log P (N, V), state`: ids are the symbols that
came last, a state is a tuple of arrays with one row per hypothesis, so that rows can be chosen and
repeated.

    log P(y | x) = Σ_t log P(y_t | y_<t, x), END included

Every search ends: a hypothesis that has not reached END after max_length symbols is cut there.
"""

from typing import NamedTuple

import numpy as np

from .checks import NonFiniteError, check_not_negative, check_sizes
from .text import END, START


def at_temperature(scores: np.ndarray, temperature: float) -> np.ndarray:
    """Scores of a softmax, divided by a temperature: (…, V), the largest becomes 0.

    Below 1 the likely symbols gain, above 1 the unlikely ones; at 0 only the likeliest is left, of
    several equal ones the first. −∞ is a probability of zero. The largest score is subtracted
    before the division, so that no temperature is too small.
    Raises: ValueError unless temperature is zero or a positive number; NonFiniteError if a score is
    NaN or +∞, or all are −∞.
    """
    check_not_negative("temperature", temperature)
    largest = scores.max(axis=-1, keepdims=True)
    if not np.isfinite(largest).all():
        raise NonFiniteError("scores hold NaN or +∞, or give no symbol a probability")
    if temperature == 0:
        first = scores.argmax(axis=-1)[..., None]
        return np.where(np.arange(scores.shape[-1]) == first, 0.0, -np.inf)
    with np.errstate(over="ignore"):  # what is too far below the largest becomes −∞
        return (scores - largest) / temperature


def draw(p: np.ndarray, rng) -> int:
    """One symbol from the probabilities p (V,): where a uniform number falls on their sums."""
    cumulative = np.cumsum(p)
    found = np.searchsorted(cumulative, rng.random() * cumulative[-1], side="right")
    last = np.searchsorted(cumulative, cumulative[-1])  # behind it no symbol has a probability
    return int(min(found, last))


class Hypothesis(NamedTuple):
    """An answer: ids without START and END, its log P, and whether it reached END."""

    ids: tuple
    log_p: float
    ended: bool

    def score(self, alpha: float = 0.0) -> float:
        """log P / n^α, n the number of symbols that were chosen (END counts).

        log P falls with every symbol, so α = 0 favours short answers; a larger α divides a long
        answer's deficit by more, and so favours long ones. α = 1 is the mean per symbol.
        """
        return self.log_p / (len(self.ids) + self.ended) ** alpha


def checked(log_p):
    """A decoder's answer, which must not be NaN (−∞ is a probability of zero)."""
    if np.isnan(log_p).any():
        raise NonFiniteError("the decoder returned NaN instead of log-probabilities")
    return log_p


def greedy(step, state: tuple, max_length: int) -> list:
    """The most probable symbol at every step. Returns one Hypothesis per row of the state.

    Raises: ValueError if max_length is not a positive integer or the decoder returns NaN.
    """
    return one_by_one(step, state, max_length, lambda log_p: log_p.argmax(axis=1))


def sample(step, state: tuple, max_length: int, rng, temperature=1.0, top_k=None) -> list:
    """Draw every symbol from softmax(log P / temperature), from the top_k likeliest ones if given.

    log_p of the result is the model's own, whatever the temperature. Temperature 0 is `greedy`.
    Ties at the k-th place stay.
    Raises: ValueError if temperature is not zero or a positive number, or max_length or top_k no
    positive integer, or the decoder returns NaN.
    """
    check_not_negative("temperature", temperature)
    if top_k is not None:
        check_sizes(top_k=top_k)

    def choose(log_p):
        z = at_temperature(log_p, temperature)
        if top_k is not None and top_k < z.shape[1]:
            least = np.partition(z, -top_k, axis=1)[:, -top_k, None]
            z = np.where(z >= least, z, -np.inf)
        # The largest of z plus Gumbel noise is a draw from softmax(z).
        return (z + rng.gumbel(size=z.shape)).argmax(axis=1)

    return one_by_one(step, state, max_length, choose)


def one_by_one(step, state, max_length, choose):
    """One hypothesis per row, symbol by symbol, until all have ended or max_length is reached."""
    check_sizes(max_length=max_length)
    N = len(state[0])
    ids, running = np.full(N, START), np.ones(N, bool)
    chosen, total = [], np.zeros(N)
    for _ in range(max_length):
        log_p, state = step(ids, state)
        ids = choose(checked(log_p))
        total += np.where(running, log_p[np.arange(N), ids], 0)
        chosen.append(np.where(running, ids, END))
        running &= ids != END
        if not running.any():
            break
    return [
        Hypothesis(tuple(int(i) for i in column if i != END), float(log_p), not still)
        for column, log_p, still in zip(np.stack(chosen, axis=1), total, running)
    ]


def beam_search(step, state: tuple, max_length: int, k: int, alpha: float = 0.0) -> list:
    """The k best hypotheses that a search of width k finds, for every row of the state.

    Keep the k most probable beginnings; extend each by every symbol; keep the k best of those, and
    so on. A hypothesis that ends leaves the beam, which narrows by one. At the end all k are sorted
    by log P / n^α, see `Hypothesis.score`; α only sorts, it does not steer the search. One that was
    cut at max_length is sorted with the others, although its log P lacks the END. With k = 1 this
    is `greedy`. Returns a list of k or fewer hypotheses per row, the best first.
    Raises: ValueError if k or max_length is not a positive integer, alpha is negative or not
    finite, or the decoder returns NaN.
    Source: Graves (2012). Wu et al. (2016) divide by ((5 + n) / 6)^α instead.
    """
    check_sizes(max_length=max_length, k=k)
    check_not_negative("alpha", alpha)
    B = len(state[0])
    state = tuple(np.repeat(s, k, axis=0) for s in state)
    last, ids = np.full(B * k, START), np.empty((B, k, 0), int)
    log_p = np.full((B, k), -np.inf)  # −∞: no hypothesis in this place
    log_p[:, 0] = 0
    done = [[] for _ in range(B)]
    for t in range(max_length):
        next_log_p, state = step(last, state)
        V = next_log_p.shape[1]
        total = (log_p[:, :, None] + checked(next_log_p).reshape(B, k, V)).reshape(B, k * V)
        best = np.argsort(-total, axis=1, kind="stable")[:, :k]
        parent, symbol = np.divmod(best, V)
        log_p = np.take_along_axis(total, best, axis=1)
        ids = np.take_along_axis(ids, parent[:, :, None], axis=1)
        ids = np.concatenate([ids, symbol[:, :, None]], axis=2)
        room = k - np.array([len(d) for d in done])
        log_p[np.arange(k) >= room[:, None]] = -np.inf
        for b, j in zip(*np.nonzero((symbol == END) & (log_p > -np.inf))):
            done[b].append(Hypothesis(tuple(ids[b, j, :t].tolist()), float(log_p[b, j]), True))
            log_p[b, j] = -np.inf
        if (log_p == -np.inf).all():
            break
        rows = (np.arange(B)[:, None] * k + parent).reshape(-1)
        last, state = symbol.reshape(-1), tuple(s[rows] for s in state)
    for b, j in zip(*np.nonzero(log_p > -np.inf)):  # not ended: cut at max_length
        done[b].append(Hypothesis(tuple(ids[b, j].tolist()), float(log_p[b, j]), False))
    return [sorted(found, key=lambda h: -h.score(alpha)) for found in done]
