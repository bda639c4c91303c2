"""Several models decide together how a word is said: candidates, scores, weights.

`experiments/pronunciation_combine.py` collects the candidates of all models for every word of
validation and test, and the log P that each model gives to each of them;
`experiments/pronunciation_weigh.py` writes the file that `load` reads. Together the models give a
candidate y of the word x the probability

    P(y | x) = exp(Σ_m w_m s_m(y)) / Σ_y′ exp(Σ_m w_m s_m(y′))        y′: all candidates of x

with a weight w_m for every model's log-probability s_m. A candidate that differs from another one
in stress alone is the same answer: their probabilities are added.
Shapes: N candidates of n words, M scores.
"""

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..checks import check_shape, check_sizes
from ..data.g2p import bare, error_rates, phones, pronunciations, split
from . import records
from .store import read_npz

FILE = Path(__file__).with_name("g2p_candidates.npz")
RUNS = records.TRAININGS / "pronunciation.json"


class Candidates(NamedTuple):
    """The candidates of some words. names: of the M scores. word (N,): the number of its word,
    ascending. ways: N pronunciations without stress; answer (N,): the same number for candidates
    of a word that are the same without stress. scores (N, M). right (N,): is it listed?
    """

    words: tuple
    names: tuple
    word: np.ndarray
    ways: tuple
    answer: np.ndarray
    scores: np.ndarray
    right: np.ndarray

    def column(self, *names) -> np.ndarray:
        """Weights (M,) that are 1 for the named scores and 0 for all others.

        Raises: ValueError for a name that is not there.
        """
        missing = set(names) - set(self.names)
        if missing:
            raise ValueError(f"no score has the name {sorted(missing)}; known: {list(self.names)}")
        return np.isin(self.names, names).astype(float)


def load(part: str, path=FILE) -> Candidates:
    """The candidates for the words of "valid" or "test".

    Raises: ValueError for another part; FileNotFoundError that says how to make the file.
    """
    if part not in ("valid", "test"):
        raise ValueError(f"part must be 'valid' or 'test', got {part!r}")
    if not Path(path).exists():
        raise FileNotFoundError(
            f"there is no file {Path(path).name}: experiments/pronunciation_weigh.py makes it"
        )
    arrays = read_npz(path)
    about = json.loads(str(arrays["about"]))
    count, lengths, ids, scores = (
        arrays[f"{part}.{name}"] for name in ("count", "lengths", "phones", "scores")
    )
    symbols = bare(phones(stress=True).symbols)
    ends = np.cumsum(lengths, dtype=int)
    ways = tuple(
        tuple(symbols[i] for i in ids[end - n : end]) for end, n in zip(ends, lengths.astype(int))
    )
    words = getattr(split(), part)[: len(count)]
    return gather(words, about["names"], count, ways, scores.astype(np.float64))


def runs(path=RUNS) -> records.Record:
    """The record of all trainings (case "model") and mixtures ("step", "pair", "half").

    Raises: FileNotFoundError if there is none.
    """
    path = Path(path)
    return records.load(path.stem, path.parent)


def gather(words, names, count, ways, scores) -> Candidates:
    """Candidates from flat lists: count (n,) says how many each word has."""
    word, number = np.repeat(np.arange(len(words)), count), {}
    answer = np.array([number.setdefault(key, len(number)) for key in zip(word.tolist(), ways)])
    right = np.array([way in pronunciations()[words[i]] for i, way in zip(word, ways)])
    return Candidates(tuple(words), tuple(names), word, tuple(ways), answer, scores, right)


def of_words(c: Candidates, chosen) -> Candidates:
    """The candidates of some of the words: `chosen` is a slice, or an array of their numbers."""
    numbers = np.arange(len(c.words))[chosen]
    rows = np.isin(c.word, numbers)
    count = np.bincount(c.word, minlength=len(c.words))[numbers]
    ways = [way for way, kept in zip(c.ways, rows) if kept]
    return gather([c.words[i] for i in numbers], c.names, count, ways, c.scores[rows])


def probabilities(c: Candidates, weights: np.ndarray) -> np.ndarray:
    """P(y | x) of every candidate: (N,), they sum to 1 for each word. weights: (M,).

    Raises: ValueError for weights of another shape.
    """
    check_shape("weights", weights, (len(c.names),))
    values = c.scores @ weights
    first = np.searchsorted(c.word, np.arange(len(c.words)))
    p = np.exp(values - np.maximum.reduceat(values, first)[c.word])
    return p / np.bincount(c.word, p)[c.word]


def answers(c: Candidates, weights: np.ndarray) -> tuple:
    """The most probable answer of every word, and its probability: tuples of phones, and (n,)."""
    total = np.bincount(c.answer, probabilities(c, weights))[c.answer]
    best = np.lexsort((-total, c.word))  # word by word, the most probable first
    best = best[np.searchsorted(c.word, np.arange(len(c.words)))]
    return [c.ways[i] for i in best], total[best]


def rates(c: Candidates, weights: np.ndarray):
    """PER and WER of the answers, as `g2p.error_rates`."""
    return error_rates(c.words, answers(c, weights)[0])


def out_of_reach(c: Candidates) -> float:
    """The share of words that have no right candidate: no weights reach a WER below it."""
    return float(1 - np.bincount(c.word, c.right).astype(bool).mean())


def fit(c: Candidates, start: np.ndarray, n_iter: int = 30, ridge: float = 1e-3) -> np.ndarray:
    """The weights under which the listed answers are most probable: maximum likelihood.

    L(w) = mean over words of log Σ_{y right} P(y | x); its gradient is the mean of
    E[s | y right] − E[s]. Each step is divided by the covariance of the scores, as in Newton's
    method, plus `ridge`. Words without a right candidate say nothing and are left out. Weights that
    start at 0 take part like all others.
    Raises: ValueError for weights of another shape or a number of steps that is none.
    """
    check_shape("start", start, (len(c.names),))
    check_sizes(n_iter=n_iter)
    known = np.bincount(c.word, c.right) > 0
    rows = known[c.word]
    n, w, s = known.sum(), start.astype(float), c.scores[rows]
    word, right = c.word[rows], c.right[rows]
    for _ in range(n_iter):
        p = probabilities(c, w)[rows]
        q = p * right
        q = q / np.maximum(np.bincount(word, q)[word], 1e-300)  # P(y | x, y is right)
        mean = np.stack([np.bincount(word, p * column) for column in s.T], axis=1)
        gradient = (q - p) @ s / n
        covariance = (s.T * p) @ s / n - mean.T @ mean / n
        w = w + np.linalg.solve(covariance + ridge * np.eye(len(w)), gradient)
    return w
