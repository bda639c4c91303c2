"""Text as numbers: a vocabulary, and the two ways to cut a text into batches.

Shapes: T time steps, B batch. Inputs and targets are (T, B) integers; the target of a character is
the character after it.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from .checks import check_ids, check_shape, check_sizes

UNK = "<unk>"


@dataclass(frozen=True)
class Vocabulary:
    """Symbols and their numbers, in order: symbol i has id i.

    If "<unk>" is among the symbols, everything unknown gets its id; if not, an unknown symbol is
    an error. Make one with `Vocabulary.of(text)`.
    """

    symbols: tuple
    index: dict = field(init=False, repr=False, compare=False)

    def __post_init__(self):
        if not self.symbols:
            raise ValueError("symbols is empty: a vocabulary needs at least one symbol")
        index = {symbol: i for i, symbol in enumerate(self.symbols)}
        if len(index) != len(self.symbols):
            raise ValueError("symbols holds duplicates: each symbol needs one number")
        object.__setattr__(self, "index", index)

    @classmethod
    def of(cls, symbols, unk: bool = False):
        """The distinct symbols of a text or list of words, sorted; with "<unk>" first if asked.

        Raises: ValueError if there are none.
        """
        found = tuple(sorted(set(symbols) - {UNK}))
        return cls((UNK, *found) if unk else found)

    def __len__(self):
        return len(self.symbols)

    def encode(self, symbols) -> np.ndarray:
        """Symbols → ids, (N,) int64. An unknown symbol becomes <unk>, or an error without one.

        Raises: ValueError for an unknown symbol where the vocabulary has no "<unk>".
        """
        unk = self.index.get(UNK)
        ids = [self.index.get(symbol, unk) for symbol in symbols]
        if unk is None and None in ids:
            where = ids.index(None)
            raise ValueError(
                f"{symbols[where]!r} at position {where} is not in the vocabulary of {len(self)} "
                'symbols, which has no "<unk>"'
            )
        return np.array(ids, dtype=np.int64)

    def decode(self, ids) -> list:
        """Ids → symbols. `"".join(vocab.decode(ids))` is the text again.

        Raises: TypeError for non-integers, IndexError for ids outside 0 … len−1.
        """
        ids = np.asarray(ids)
        if ids.size == 0:
            return []
        check_ids("ids", ids, len(self))
        return [self.symbols[i] for i in ids]


class Batch(NamedTuple):
    """Inputs and targets, (T, B) each; `start` is True where no state may be carried into it."""

    inputs: np.ndarray
    targets: np.ndarray
    start: bool = True


def _check_text(ids, T, B):
    check_sizes(T=T, B=B)
    check_shape("ids", ids, ("N",))
    check_ids("ids", ids, np.iinfo(np.int64).max)


def sequential_batches(ids: np.ndarray, T: int, B: int):
    """Cut a text into B parallel streams and yield them T steps at a time, for ever.

    Stream b reads the b-th part of the text from its beginning to its end. Column b of a batch goes
    on where column b of the batch before stopped, so a state may be carried over; `start` is True
    where the streams begin (again). A remainder too short for a whole batch is left out.

    ids: (N,). Yields Batch with inputs and targets (T, B).
    Raises: ValueError if the text is shorter than B·T + 1.
    """
    _check_text(ids, T, B)
    length = (len(ids) - 1) // B  # the last character of a stream is only a target
    if length < T:
        raise ValueError(f"ids has {len(ids)} entries, too few for {B} streams of {T} steps")
    inputs = ids[: B * length].reshape(B, length).T
    targets = ids[1 : B * length + 1].reshape(B, length).T
    return _cycle_chunks(inputs, targets, T)


def _cycle_chunks(inputs, targets, T):
    while True:
        for t in range(0, len(inputs) - T + 1, T):
            yield Batch(inputs[t : t + T], targets[t : t + T], start=t == 0)


def random_batches(ids: np.ndarray, T: int, B: int, rng):
    """Yield windows from random places of a text, for ever. No state may be carried over.

    ids: (N,). Yields Batch with inputs and targets (T, B), start always True.
    Raises: ValueError if the text is shorter than T + 1.
    """
    _check_text(ids, T, B)
    if len(ids) < T + 1:
        raise ValueError(f"ids has {len(ids)} entries, too few for windows of {T} steps")
    return _draw_windows(ids, T, B, rng)


def _draw_windows(ids, T, B, rng):
    while True:
        first = rng.integers(0, len(ids) - T, size=B)
        window = first + np.arange(T + 1)[:, None]
        yield Batch(ids[window[:-1]], ids[window[1:]])
