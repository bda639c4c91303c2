"""Joint n-grams: letters and phones counted as pairs, and a beam through them.

An aligned word is one sequence of pairs, a letter with the chunk of phones that it makes: "knight"
is k:· n:N i:AY g:· h:· t:T. A language model over such pairs gives P(letters, phones); for given
letters its most probable sequence is a pronunciation.

    p_k(w | h) = max(c(h, w) − D_c, 0) / c(h) + γ(h) p_{k−1}(w | h′)

c counts occurrences at the highest order, below it *continuations*: the different symbols seen
before (h, w). D_c is one of three discounts, for a count of 1, 2, and 3 or more; γ(h) is the share
that they took away.
Source: Bisani & Ney (2008); modified Kneser–Ney smoothing: Chen & Goodman (1999).

Grams of n symbols are numbered: gram = (the gram of its last n − 1 symbols, the symbol before
them). So counting is sorting, for any order. Shapes: V pairs, K the order (symbols of context).
"""

from typing import NamedTuple

import numpy as np

from .checks import check_sizes
from .ngram import estimated_discounts

EDGE = 0  # stands K times before a word and once behind it


class Level(NamedTuple):
    """The grams of k + 1 symbols: their codes, sorted; their discounted share of their context.

    codes: gram of the last k symbols · V + the symbol before them; share: (c − D) / c(h);
    rest: γ of this gram as a context.
    """

    codes: np.ndarray
    share: np.ndarray
    rest: np.ndarray


class Joint(NamedTuple):
    """A model: V symbols (EDGE is one), a level per order 0 … K, and γ of the empty context."""

    V: int
    levels: tuple
    rest: float

    @property
    def order(self) -> int:
        """K, how many symbols before it a symbol's probability may depend on."""
        return len(self.levels) - 1


def find(codes, wanted):
    """The places of wanted codes among the sorted ones, −1 where they are not there."""
    at = np.minimum(np.searchsorted(codes, wanted), len(codes) - 1)
    return np.where(codes[at] == wanted, at, -1)


def discounts(counts) -> np.ndarray:
    """D by count (0, 1, 2, 3 and more): `ngram.estimated_discounts`, or ½ where one is too far off.

    Where there are too few pairs for the formula, ½ of a count is taken off, too.
    """
    D = estimated_discounts(counts)
    return np.array([0, *(d if 0 < d < r else 0.5 for r, d in enumerate(D, 1))])


def count_joint(sequences, V: int, order: int) -> Joint:
    """Count aligned words: sequences of symbols from 1 to V − 1, one a word.

    Raises: ValueError if a size is not a positive integer, a symbol is out of range or there is no
    word.
    """
    check_sizes(V=V, order=order)
    if not len(sequences):
        raise ValueError("sequences must hold at least one word")
    flat = np.concatenate([[EDGE] * order + list(s) + [EDGE] for s in sequences]).astype(np.int64)
    lengths = np.array([len(s) for s in sequences])
    if flat.min() < 0 or flat.max() >= V:
        raise ValueError(f"symbols must lie below V = {V}, got {flat.min()} to {flat.max()}")
    first = np.cumsum(lengths + order + 1) - (lengths + order + 1)
    # Every place where a gram may end: the last EDGE before a word (a context), then the word's.
    ends = np.concatenate([np.arange(f + order - 1, f + order + n + 1)
                           for f, n in zip(first, lengths)])  # fmt: skip
    events = np.ones(len(ends), bool)  # places whose symbol was predicted
    events[np.cumsum(lengths + 2) - (lengths + 2)] = False
    grams, codes = [], []
    for k in range(order + 1):
        # speed: at the last EDGE only contexts end, so the window never leaves the word.
        code = flat[ends] if k == 0 else grams[-1] * V + flat[np.maximum(ends - k, 0)]
        known, gram = np.unique(code, return_inverse=True)
        codes.append(known)
        grams.append(gram)
    levels, K = [], order
    for k in range(order + 1):
        n = len(codes[k])
        if k == K:
            counts = np.bincount(grams[k][events], minlength=n)
        else:  # how many different symbols stand before it, among predicted grams
            longer = np.unique(grams[k + 1][events])
            counts = np.bincount(codes[k + 1][longer] // V, minlength=n)
        # The context of a gram is the gram of one symbol less, one place earlier.
        predicted, at = np.unique(grams[k][events], return_index=True)
        before = np.flatnonzero(events)[at] - 1
        context = np.zeros(n, np.int64)
        context[predicted] = grams[k - 1][before] if k else 0
        N = len(codes[k - 1]) if k else 1
        D, c = discounts(counts[predicted]), counts[predicted]
        taken = D[np.minimum(c, 3)]
        total = np.bincount(context[predicted], c, N)
        share = np.zeros(n)
        share[predicted] = (c - taken) / total[context[predicted]]
        rest = np.bincount(context[predicted], taken, N) / np.maximum(total, 1)
        rest[total == 0] = 1  # never seen as a context: the shorter one decides
        levels.append((share, rest))
    # γ of a context of k symbols stands with its gram, on level k − 1.
    rests = [rest for _, rest in levels[1:]] + [np.zeros(0)]
    found = [Level(*parts) for parts in zip(codes, [share for share, _ in levels], rests)]
    return Joint(V, tuple(found), float(levels[0][1][0]))


def shares(model: Joint, history, contexts, w):
    """p(w | history) of every order, and the grams that end with w.

    history: (N, K) symbols, the last one last; contexts: (N, K) numbers of the grams that end
    there, −1 for unseen; w: (N,) symbols. Returns p (N,) of the highest order, and grams (N, K).
    """
    levels, K = model.levels, model.order
    p = np.full(len(w), model.rest / model.V)
    gram = find(levels[0].codes, w)
    p = p + np.where(gram >= 0, levels[0].share[gram], 0)
    grams = [gram]
    for k in range(1, K + 1):
        context = contexts[:, k - 1]
        code = gram * model.V + history[:, K - k]
        gram = np.where(gram >= 0, find(levels[k].codes, code), -1)
        seen = context >= 0
        p = np.where(seen, levels[k - 1].rest[context], 1) * p
        p = p + np.where(seen & (gram >= 0), levels[k].share[gram], 0)
        grams.append(gram)
    return p, np.stack(grams[:K], axis=1)


def first_state(model: Joint, N: int) -> tuple:
    """History and contexts before a word, N times."""
    levels, K = model.levels, model.order
    history, gram, contexts = np.zeros((N, K), np.int64), np.zeros(1, np.int64), []
    for k in range(K):
        code = np.zeros(1, np.int64) if k == 0 else gram * model.V
        gram = np.where(gram >= 0, find(levels[k].codes, code), -1)
        contexts.append(gram)
    return history, np.tile(np.stack(contexts, axis=1), (N, 1))


def after(history, grams, w) -> tuple:
    """The state after w: history and contexts."""
    return np.concatenate([history[:, 1:], w[:, None]], axis=1), grams


def log_joint(model: Joint, sequences) -> np.ndarray:
    """log P of whole aligned words, the end included: (N,)."""
    total = np.zeros(len(sequences))
    lengths = np.array([len(s) for s in sequences])
    for n in np.unique(lengths):
        rows = np.flatnonzero(lengths == n)
        x = np.array([sequences[i] for i in rows], np.int64).reshape(len(rows), n)
        state = first_state(model, len(rows))
        for w in (*x.T, np.full(len(rows), EDGE)):
            p, grams = shares(model, *state, w)
            total[rows] += np.log(p)
            state = after(state[0], grams, w)
    return total


def beam(model: Joint, source, choices, k: int) -> list:
    """The k best sequences of pairs for words of one length, by beam search.

    source: (N, T) letters; choices[letter]: the symbols (pairs) that begin with that letter.
    Returns for every word a list of (symbols, log P), the best first.
    Raises: ValueError if k is not a positive integer.
    """
    check_sizes(k=k)
    N, T = source.shape
    M = max(len(options) for options in choices)
    table = np.full((len(choices), M), -1)
    for letter, options in enumerate(choices):
        table[letter, : len(options)] = options
    history, contexts = first_state(model, N)
    word, log_p, chosen = np.arange(N), np.zeros(N), np.zeros((N, 0), np.int64)
    for t in range(T + 1):
        options = np.zeros((len(word), 1), int) if t == T else table[source[word, t]]
        row, column = np.nonzero(options >= 0)  # every hypothesis with every option
        w = options[row, column]
        p, grams = shares(model, history[row], contexts[row], w)
        total = log_p[row] + np.log(p)
        order = np.lexsort((-total, word[row]))  # by word, the best first
        begins = np.searchsorted(word[row][order], np.arange(N))
        rank = np.arange(len(order)) - begins[word[row][order]]
        keep = order[rank < k]
        row, w, log_p = row[keep], w[keep], total[keep]
        word, chosen = word[row], np.concatenate([chosen[row], w[:, None]], axis=1)
        history, contexts = after(history[row], grams[keep], w)
    found = [[] for _ in range(N)]
    for i, symbols, value in zip(word, chosen[:, :-1], log_p):
        found[i].append((tuple(symbols.tolist()), float(value)))
    return found
