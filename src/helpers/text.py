"""Text as numbers: vocabulary, padding, batches of a text or of pairs.

Shapes: T time steps, S target steps, B batch. Inputs and targets are (T, B) integers; in a text the
target of a character is the character after it.
"""

import unicodedata
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from .checks import check_ids, check_shape, check_sizes

UNK = "<unk>"
START, END = 0, 1  # ids of the two marks that every target vocabulary begins with
MARKS = ("<s>", "</s>")


def clean(symbols):
    """A text, or a list of words, in the form in which every letter is one code point (NFC).

    An é may also come as an e and an accent to be set on it (NFD): it looks the same, but its code
    points are others. Every text that enters a `Vocabulary` passes through here.
    """
    if isinstance(symbols, str):
        return unicodedata.normalize("NFC", symbols)
    return [clean(symbol) if isinstance(symbol, str) else symbol for symbol in symbols]


def name_symbol(symbol) -> str:
    """A symbol as an error shows it: with its code points, if any of them is not ASCII.

    Two letters may look alike and be different: 'а' (U+0430 CYRILLIC SMALL LETTER A).
    """
    strange = dict.fromkeys(c for c in str(symbol) if not c.isascii())
    points = ", ".join(f"U+{ord(c):04X} {unicodedata.name(c, 'unnamed')}" for c in strange)
    return f"{symbol!r} ({points})" if strange else repr(symbol)


@dataclass(frozen=True)
class Vocabulary:
    """Symbols and their numbers, in order: symbol i has id i.

    If "<unk>" is among the symbols, everything unknown gets its id; if not, an unknown symbol is
    an error. Make one with `Vocabulary.of(text)`. Symbols, and what is encoded, pass through
    `clean`.
    """

    symbols: tuple
    index: dict = field(init=False, repr=False, compare=False)

    def __post_init__(self):
        if not self.symbols:
            raise ValueError("symbols is empty: a vocabulary needs at least one symbol")
        object.__setattr__(self, "symbols", tuple(clean(list(self.symbols))))
        index = {symbol: i for i, symbol in enumerate(self.symbols)}
        if len(index) != len(self.symbols):
            raise ValueError("symbols holds duplicates: each symbol needs one number")
        object.__setattr__(self, "index", index)

    @classmethod
    def of(cls, symbols, unk: bool = False):
        """The distinct symbols of a text or list of words, sorted; with "<unk>" first if asked.

        Raises: ValueError if there are none.
        """
        found = tuple(sorted(set(clean(symbols)) - {UNK}))
        return cls((UNK, *found) if unk else found)

    def __len__(self):
        return len(self.symbols)

    def encode(self, symbols) -> np.ndarray:
        """Symbols → ids, (N,) int64. An unknown symbol becomes <unk>, or an error without one.

        Raises: ValueError for an unknown symbol where the vocabulary has no "<unk>".
        """
        symbols, unk = clean(symbols), self.index.get(UNK)
        ids = [self.index.get(symbol, unk) for symbol in symbols]
        if unk is None and None in ids:
            where = ids.index(None)
            raise ValueError(
                f"{name_symbol(symbols[where])} at position {where} is not in the vocabulary of "
                f'{len(self)} symbols, which has no "<unk>"'
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


def target_vocabulary(symbols) -> Vocabulary:
    """The distinct symbols, sorted, behind the two marks: id 0 begins a target, id 1 ends it."""
    return Vocabulary((*MARKS, *sorted(set(clean(symbols)) - set(MARKS))))


class Split(NamedTuple):
    """Three parts of one body of data that share nothing: to learn, to choose, and to test on."""

    train: str | tuple
    valid: str | tuple
    test: str | tuple


# --- Padding ------------------------------------------------------------------------------------


def _integers(sequence) -> np.ndarray:
    """A sequence of ids, whatever its integer type, as int64."""
    ids = np.asarray(sequence)
    if ids.size and ids.dtype.kind not in "iu":
        raise TypeError(f"a sequence of ids must hold integers, got {ids.dtype}")
    return ids.astype(np.int64, copy=False)


def pad(sequences, fill: int = 0):
    """Put sequences of ids side by side: (T, B), T that of the longest, and lengths (B,).

    Raises: ValueError if there is no sequence or one is empty; TypeError for anything but integers.
    """
    sequences = [_integers(s) for s in sequences]
    lengths = np.array([len(s) for s in sequences])
    if len(lengths) == 0 or lengths.min() == 0:
        raise ValueError(f"sequences must not be empty, got lengths {lengths.tolist()}")
    ids = np.full((lengths.max(), len(lengths)), fill)
    for b, sequence in enumerate(sequences):
        ids[: len(sequence), b] = sequence
    return ids, lengths


def by_length(sequences, B: int):
    """Places of the sequences, those of like length together, in arrays of at most B.

    speed: little is padded when sequences of like length share a batch.
    """
    order = sorted(range(len(sequences)), key=lambda i: len(sequences[i]))
    for first in range(0, len(order), B):
        yield order[first : first + B]


def sequence_mask(lengths: np.ndarray, T: int) -> np.ndarray:
    """True where a padded batch holds a symbol and not padding: (T, B)."""
    return np.arange(T)[:, None] < lengths


# --- Batches of one text ------------------------------------------------------------------------


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


# --- Batches of pairs ---------------------------------------------------------------------------


class PairBatch(NamedTuple):
    """Pairs side by side, padded. inputs is START + y, targets is y + END: both (S, B)."""

    source: np.ndarray
    lengths: np.ndarray
    inputs: np.ndarray
    targets: np.ndarray
    target_lengths: np.ndarray
    start: bool = True  # no state is carried from one batch to the next


def pair_batch(sources, targets) -> PairBatch:
    """Pad pairs of id sequences to one batch, with START and END around the targets.

    Raises: ValueError if the numbers of sources and targets differ, or a source is empty; TypeError
    for anything but integers.
    """
    if len(sources) != len(targets):
        raise ValueError(f"there are {len(sources)} sources, but {len(targets)} targets")
    source, lengths = pad(sources)
    targets = [_integers(y) for y in targets]
    inputs, target_lengths = pad([np.append(START, y) for y in targets])
    outputs, _ = pad([np.append(y, END) for y in targets])
    return PairBatch(source, lengths, inputs, outputs, target_lengths)


def pair_batches(sources, targets, B: int, rng, pool: int = 50):
    """Yield batches of B pairs for ever, each pair once a pass, sequences of like length together.

    Each pass shuffles the pairs, sorts runs of `pool` batches by length so that little is padded,
    and yields the batches of a run in random order. A remainder smaller than B is left out.
    Raises: ValueError if there are fewer than B pairs.
    """
    check_sizes(B=B, pool=pool)
    if len(sources) < B:
        raise ValueError(f"there are {len(sources)} pairs, fewer than B = {B}")
    return _draw_pairs(sources, targets, B, rng, pool)


def _draw_pairs(sources, targets, B, rng, pool):
    while True:
        order = rng.permutation(len(sources))
        for first in range(0, len(order) - B + 1, pool * B):
            run = sorted(
                order[first : first + pool * B],
                key=lambda i: (len(sources[i]), len(targets[i])),
            )
            chunks = [run[i : i + B] for i in range(0, len(run) - B + 1, B)]
            for j in rng.permutation(len(chunks)):
                yield pair_batch([sources[i] for i in chunks[j]], [targets[i] for i in chunks[j]])
