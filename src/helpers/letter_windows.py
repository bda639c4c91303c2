"""Pronouncing by counting: letters aligned with phones, then looked up.

The baseline of the pronunciation model, as `ngram` is that of the language models. No network.
Shapes: T letters, S phones; V different letters, P different phones.
"""

from typing import NamedTuple

import numpy as np


def align(sources, targets, V: int, P: int, n_iter: int = 5) -> list:
    """How many phones each letter makes, 0, 1 or 2, so that spellings and sounds fit best.

    Hard expectation maximisation: with probabilities P(chunk | letter), where a chunk is no phone,
    one, or two, dynamic programming finds the best way to cut every pronunciation; the cuts are
    counted and give new probabilities; and so on. The first ones come from the diagonal, where
    letter i of T makes phone i (S − 1) / (T − 1) of S.
    sources, targets: ids below V and P. Returns an array of sizes (T,) per word, None where there
    are more than 2T phones.
    Raises: ValueError if the numbers of sources and targets differ.
    """
    if len(sources) != len(targets):
        raise ValueError(f"there are {len(sources)} sources, but {len(targets)} targets")
    batches = _of_equal_shape(sources, targets)
    one = np.full((V, P), 0.01)
    for _, x, y in batches:
        for i, j in enumerate(np.linspace(0, y.shape[1] - 1, x.shape[1]).round().astype(int)):
            np.add.at(one, (x[:, i], y[:, j]), 1)
    one /= one.sum(axis=1, keepdims=True)
    tables = np.full(V, 0.1), one, 0.05 * one[:, :, None] * one[:, None, :]
    for i in range(n_iter):
        cuts = _cut(batches, tables)
        if i < n_iter - 1:
            tables = _count(batches, cuts, V, P)
    return _in_order(len(sources), batches, cuts)


def _of_equal_shape(sources, targets):
    """Words of equal T and S are cut together: their places, letters (N, T), phones (N, S)."""
    groups = {}
    for i, (x, y) in enumerate(zip(sources, targets)):
        if 0 < len(y) <= 2 * len(x):
            groups.setdefault((len(x), len(y)), []).append(i)
    return [
        (members, np.array([sources[i] for i in members]), np.array([targets[i] for i in members]))
        for members in groups.values()
    ]


def _cut(batches, tables):
    """The best cuts of every batch."""
    logs = [np.log(table) for table in tables]
    return [best_cuts(x, y, *logs) for _, x, y in batches]


def _count(batches, cuts, V, P):
    """The tables of `cut`, from cuts."""
    none, one, two = np.full(V, 0.5), np.full((V, P), 0.01), np.full((V, P, P), 1e-4)
    for (_, x, y), sizes in zip(batches, cuts):
        ends = sizes.cumsum(axis=1)
        np.add.at(none, x[sizes == 0], 1)
        b, i = np.nonzero(sizes == 1)
        np.add.at(one, (x[b, i], y[b, ends[b, i] - 1]), 1)
        b, i = np.nonzero(sizes == 2)
        np.add.at(two, (x[b, i], y[b, ends[b, i] - 2], y[b, ends[b, i] - 1]), 1)
    total = none + one.sum(axis=1) + two.sum(axis=(1, 2))
    return none / total, one / total[:, None], two / total[:, None, None]


def _in_order(n, batches, cuts):
    """Sizes of n words, in their order; None for those that are in no batch."""
    found = [None] * n
    for (members, _, _), sizes in zip(batches, cuts):
        for i, row in zip(members, sizes):
            found[i] = row
    return found


def cut(sources, targets, tables) -> list:
    """The most probable sizes of every word, as `align` returns them.

    tables: P(no phone | letter) (V,), P(phone | letter) (V, P), P(two | letter) (V, P, P).
    """
    batches = _of_equal_shape(sources, targets)
    return _in_order(len(sources), batches, _cut(batches, tables))


def chunk_tables(sources, targets, sizes, V: int, P: int) -> tuple:
    """Count the cuts: P(chunk | letter) of no phone, one, and two, as `cut` needs them.

    Every count begins at a small number, so that nothing is impossible.
    """
    batches = _of_equal_shape(sources, targets)
    cuts = [np.array([sizes[i] for i in members]) for members, _, _ in batches]
    return _count(batches, cuts, V, P)


def best_cuts(x, y, none, one, two):
    """The most probable sizes (N, T) for letters x (N, T) and phones y (N, S), by Viterbi."""
    N, T, S = *x.shape, y.shape[1]
    score = np.full((N, S + 1), -np.inf)  # of the best way to make j phones so far
    score[:, 0] = 0
    back = np.empty((T, N, S + 1), np.int8)
    for i in range(T):
        ways = np.full((3, N, S + 1), -np.inf)
        ways[0] = score + none[x[:, i], None]
        ways[1, :, 1:] = score[:, :-1] + one[x[:, i, None], y]
        ways[2, :, 2:] = score[:, :-2] + two[x[:, i, None], y[:, :-1], y[:, 1:]]
        back[i], score = ways.argmax(axis=0), ways.max(axis=0)
    sizes, rows, j = np.empty((N, T), int), np.arange(N), np.full(N, S)
    for i in reversed(range(T)):
        sizes[:, i] = back[i, rows, j]
        j = j - sizes[:, i]
    return sizes


class Windows(NamedTuple):
    """For every window of 2k + 1 letters that was seen, the phones that its middle mostly makes.

    keys[k]: windows as sorted numbers; chunks[k]: 0 for no phone, p + 1 for one, and
    (p + 1) + 128 (q + 1) for p and then q; bits[k]: the entropy of the chunk, given the window.
    """

    keys: list
    chunks: list
    bits: list


def windows_of(sources, k):
    """Every letter of all words with k neighbours on both sides, as one number each."""
    flat = np.concatenate([part for x in sources for part in (np.zeros(k, int), np.asarray(x) + 1)])
    flat = np.concatenate([flat, np.zeros(k, int)])
    at = np.concatenate([np.full(len(x), k * (n + 1)) for n, x in enumerate(sources)]) + np.arange(
        sum(map(len, sources))
    )
    return sum(flat[at + d] << (5 * (d + k)) for d in range(-k, k + 1))


def count_windows(sources, targets, sizes, widest: int = 4) -> Windows:
    """Count, over an aligned dictionary, what letters make in windows of k = 0 … widest neighbours.

    sizes: from `align`; words with None are left out.
    Raises: ValueError if widest is no integer from 0 to 4, or there are too many symbols: letters
    have ids below 31 here and phones below 127, so that a window fits into one number.
    """
    if widest not in range(5):
        raise ValueError(f"widest must be an integer from 0 to 4, got {widest!r}")
    kept = [i for i, s in enumerate(sizes) if s is not None]
    sources, sizes = [sources[i] for i in kept], np.concatenate([sizes[i] for i in kept])
    phones = np.append(np.concatenate([targets[i] for i in kept]), 0) + 1
    if max(map(max, sources)) > 30 or phones.max() > 127:
        raise ValueError("letters need ids below 31 and phones ids below 127")
    ends = sizes.cumsum()
    chunks = np.where(sizes > 0, phones[ends - sizes], 0)
    chunks += np.where(sizes > 1, phones[np.maximum(ends - 1, 0)] << 7, 0)
    found = Windows([], [], [])
    for k in range(widest + 1):
        pairs, counts = np.unique((windows_of(sources, k) << 14) | chunks, return_counts=True)
        windows, first = np.unique(pairs >> 14, return_index=True)
        total = np.add.reduceat(counts, first)
        which = np.repeat(np.arange(len(windows)), np.diff(np.append(first, len(pairs))))
        order = np.lexsort((-counts, which))  # the most frequent chunk of each window first
        found.keys.append(windows)
        found.chunks.append((pairs & (2**14 - 1))[order[first]])
        found.bits.append(float(counts @ np.log2(total[which] / counts) / counts.sum()))
    return found


def window_baseline(windows: Windows, sources) -> list:
    """Pronounce letter by letter: the widest window that was ever seen decides. Ids per word."""
    answer = np.full(sum(map(len, sources)), -1)
    for k in reversed(range(len(windows.keys))):
        asked = windows_of(sources, k)
        at = np.minimum(np.searchsorted(windows.keys[k], asked), len(windows.keys[k]) - 1)
        seen = (answer < 0) & (windows.keys[k][at] == asked)
        answer[seen] = windows.chunks[k][at[seen]]
    found, begin = [], 0
    for x in sources:
        mine = [part for c in answer[begin : begin + len(x)] if c > 0 for part in (c & 127, c >> 7)]
        found.append([int(part) - 1 for part in mine if part])
        begin += len(x)
    return found
