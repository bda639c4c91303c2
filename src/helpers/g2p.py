"""From spelling to pronunciation: the dictionary as pairs, the score, and the trained model.

A word is a sequence of letters, its pronunciation a sequence of phones. "G2P" is short for
grapheme-to-phoneme. The model is an LSTM encoder in two directions, an LSTM decoder, and attention;
`python -m helpers.train_g2p` trains it and writes the checkpoint that `load` reads.
"""

import json
import os
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from . import decoding, seq2seq
from .attention import GENERAL
from .checks import check_sizes
from .data import pronunciations
from .lstm import LSTM
from .seq2seq import Seq2Seq
from .tagger import pad
from .text import Vocabulary

MODEL = Seq2Seq(LSTM, context="last", feed="start", score=GENERAL)
CHECKPOINT = Path(__file__).with_name("g2p.npz")


class Split(NamedTuple):
    """Words of the dictionary, in three parts that share none."""

    train: tuple
    valid: tuple
    test: tuple


@cache
def split() -> Split:
    """Every 20th word is for validation, the two after it for testing, all others for training.

    Word number i (in the order of the file) goes to valid if i % 20 is 0, to test if it is 1 or 2.
    A word is in one part only, with all its pronunciations.
    Raises: ImportError that names the package to install.
    """
    words = list(pronunciations())
    return Split(
        tuple(w for i, w in enumerate(words) if i % 20 > 2),
        tuple(words[0::20]),
        tuple(w for i, w in enumerate(words) if i % 20 in (1, 2)),
    )


@cache
def letters() -> Vocabulary:
    """The characters of all words: a–z, apostrophe, full stop and hyphen."""
    return Vocabulary.of("".join(pronunciations()))


@cache
def phones() -> Vocabulary:
    """The 39 phones, behind the marks for start and end."""
    return seq2seq.target_vocabulary(
        p for ways in pronunciations().values() for w in ways for p in w
    )


def pairs(words) -> tuple:
    """Sources and targets as ids: each word with the first pronunciation that is listed.

    Raises: KeyError for a word that is not in the dictionary.
    """
    sources = [letters().encode(word) for word in words]
    return sources, [phones().encode(pronunciations()[word][0]) for word in words]


# --- Scores -------------------------------------------------------------------------------------


class Rates(NamedTuple):
    """Phone and word error rate, as shares of 1; n is the number of words."""

    per: float
    wer: float
    n: int


def edits(word: str, guess: tuple) -> tuple:
    """Edit distance to the nearest listed pronunciation of a word, and the length of that one.

    Of pronunciations that are equally near the first counts.
    Raises: ImportError that names the package to install; KeyError for a word that is not listed.
    """
    try:
        from rapidfuzz.distance import Levenshtein
    except ImportError as error:
        raise ImportError("edits() needs the package 'rapidfuzz': pip install rapidfuzz") from error
    return min(
        ((Levenshtein.distance(way, guess), len(way)) for way in pronunciations()[word]),
        key=lambda pair: pair[0],
    )


def error_rates(words, guesses) -> Rates:
    """PER = Σ edits / Σ phones of the nearest pronunciation; WER = share of words with an edit.

    Raises: ValueError if there are no words, or not one guess for each.
    """
    if len(words) != len(guesses) or not len(words):
        raise ValueError(f"there are {len(words)} words and {len(guesses)} guesses")
    distances, lengths = np.array([edits(w, tuple(g)) for w, g in zip(words, guesses)]).T
    return Rates(float(distances.sum() / lengths.sum()), float((distances > 0).mean()), len(words))


# --- The trained model --------------------------------------------------------------------------


def write_npz(path, arrays: dict) -> None:
    """Write arrays to an .npz file: the whole file or, if the machine stops here, nothing.

    The arrays go to a file beside it, which takes the place of the old one only when it is whole.
    """
    partial = Path(path).with_suffix(".partial.npz")
    with partial.open("wb") as file:
        np.savez_compressed(file, **arrays)
        file.flush()
        os.fsync(file.fileno())  # on the disk, before the old file goes
    partial.replace(path)


def read_npz(path) -> dict:
    """All arrays of an .npz file. No pickle is read.

    Raises: whatever NumPy, zipfile or zlib raise for a damaged file; TypeError for one array alone.
    """
    with Path(path).open("rb") as handle, np.load(handle, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


class Checkpoint(NamedTuple):
    """A trained model: parameters, the symbols it knows, how it was made, and its kind."""

    params: dict
    letters: Vocabulary
    phones: Vocabulary
    about: dict
    model: Seq2Seq = MODEL


def save(path, params: dict, about: dict) -> None:
    """Write a checkpoint: the parameters in half precision, the symbols, and a note on its making.

    An .npz file of plain arrays and text, without pickle: reading it can run no code.
    Raises: ValueError if a parameter is not finite, or too large for half precision.
    """
    texts = {"letters": letters().symbols, "phones": phones().symbols, "about": about}
    arrays = {}
    for name, array in params.items():
        with np.errstate(over="ignore"):  # reported below, with the parameter's name
            half = arrays[f"param.{name}"] = array.astype(np.float16)
        if not np.isfinite(half).all():
            raise ValueError(
                f"parameter {name} is not finite in half precision: nothing was written"
            )
    write_npz(path, arrays | {name: np.array(json.dumps(text)) for name, text in texts.items()})


def load(path=CHECKPOINT, dtype=np.float32) -> Checkpoint:
    """Read a checkpoint of `MODEL`, and check it.

    Raises: FileNotFoundError that says how to make one; ValueError if the file is damaged or holds
    something else.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(
            f"there is no checkpoint {path.name} in {path.parent.name}/: "
            "`python -m helpers.train_g2p` trains one"
        )
    try:
        return _read(path, dtype)
    except Exception as error:  # a damaged file can fail in any of the libraries that read it
        raise ValueError(f"{path.name} is no whole checkpoint of this model: {error!r}") from error


def _read(path, dtype):
    """The checkpoint, if all that should be there is there, in the right shape, and finite."""
    arrays = read_npz(path)
    texts = [json.loads(str(arrays.pop(name))) for name in ("letters", "phones", "about")]
    vocabs = [Vocabulary(tuple(symbols)) for symbols in texts[:2]]
    if vocabs[1].symbols[:2] != seq2seq.MARKS or not isinstance(texts[2], dict):
        raise ValueError("the phones do not begin with the two marks, or the note is no dict")
    params = {name.removeprefix("param."): a.astype(dtype) for name, a in arrays.items()}
    expected = seq2seq.init_seq2seq(
        MODEL, len(vocabs[0]), len(vocabs[1]), params["enc_E"].shape[1], len(params["dec_W_hh"]),
        np.random.default_rng(0), bidirectional=True,
    )  # fmt: skip
    if set(params) != set(expected):
        raise ValueError(f"parameters {sorted(set(params) ^ set(expected))} are missing or strange")
    for name, array in expected.items():
        if params[name].shape != array.shape:
            raise ValueError(f"{name} has shape {params[name].shape}, expected {array.shape}")
        if not np.isfinite(params[name]).all():
            raise ValueError(f"{name} is not finite")
    return Checkpoint(params, *vocabs, texts[2])


# --- Asking it ----------------------------------------------------------------------------------


def encode_words(words, vocab: Vocabulary) -> list:
    """Spellings as ids, one array per word; capital letters are read as small ones.

    Raises: ValueError for no words, an empty word, or one with a character that is not in the
    vocabulary.
    """
    if isinstance(words, str) or not len(words):
        raise ValueError(f"words must be a list with at least one word, got {words!r}")
    for word in words:
        if not word:
            raise ValueError("a word is empty: there is nothing to pronounce")
        unknown = "".join(sorted(set(word.lower()) - set(vocab.symbols)))
        if unknown:
            known = "".join(vocab.symbols)
            raise ValueError(f"{word!r} has unknown characters {unknown!r}; known are {known!r}")
    return [vocab.encode(word.lower()) for word in words]


def longest(n: int) -> int:
    """The most phones that an answer to n letters may have: 2n + 9.

    In the dictionary no pronunciation has more than that, so the limit cuts nothing that is right.
    It also makes sure that every search ends, whatever the word and however bad the model.
    """
    return 2 * int(n) + 9


def pronounce_all(checkpoint: Checkpoint, words, B: int = 256) -> list:
    """The greedy pronunciation of every word: a tuple of phones each, in the order of the words.

    Words of one length are decoded together, at most B at a time, so that nothing is padded.
    Raises: ValueError as `encode_words`, or if B is not a positive integer.
    """
    check_sizes(B=B)
    found = [()] * len(words)
    for chosen, step, state, limit in _started(checkpoint, words, B):
        for i, answer in zip(chosen, decoding.greedy(step, state, limit)):
            found[i] = tuple(checkpoint.phones.decode(answer.ids))
    return found


def _started(checkpoint, words, B):
    """Words by length, B or fewer at a time: their places, the decoder for them, and the limit.

    A batch holds words of one length only, so that no answer depends on the words beside it.
    """
    model, params = checkpoint.model, checkpoint.params
    sources = encode_words(words, checkpoint.letters)
    by_length = {}
    for i, source in enumerate(sources):
        by_length.setdefault(len(source), []).append(i)
    for n, members in sorted(by_length.items()):
        for first in range(0, len(members), B):
            chosen = members[first : first + B]
            ids, lengths = pad([sources[i] for i in chosen])
            encoded, _ = seq2seq.encode(model, params, ids, lengths)
            yield chosen, *seq2seq.decoder_step(model, params, encoded), longest(n)


class Answer(NamedTuple):
    """One way to say a word: its phones, its probability, and where the model looked for each.

    ended is False if the search was cut at `longest`. attention: (phones + 1, letters), rows sum to
    1, the last row is for the end; None if it was not asked for, or for a model without attention.
    """

    phones: tuple
    probability: float
    ended: bool
    attention: np.ndarray | None = None


def n_best_all(checkpoint: Checkpoint, words, n_best: int = 5, B: int = 64) -> list:
    """The most probable pronunciations that a beam search of width n_best finds, for every word.

    Returns a list of n_best or fewer `Answer`s per word, the most probable first.
    Raises: ValueError as `encode_words`, or if n_best or B is not a positive integer.
    """
    check_sizes(n_best=n_best, B=B)
    found = [()] * len(words)
    for chosen, step, state, limit in _started(checkpoint, words, B):
        for i, answers in zip(chosen, decoding.beam_search(step, state, limit, n_best)):
            found[i] = [
                Answer(
                    tuple(checkpoint.phones.decode(answer.ids)),
                    float(np.exp(answer.log_p)),
                    answer.ended,
                )
                for answer in answers
            ]
    return found


def pronounce(checkpoint: Checkpoint, word: str, n_best: int = 5) -> list:
    """The most probable pronunciations of one word, with the attention of each.

    Returns n_best or fewer `Answer`s, the most probable first. Any word of known characters has an
    answer. One that is much longer than the words of the training set (more than about 20 letters)
    gets an answer too, but expect lost or repeated syllables.
    Raises: ValueError as `encode_words`, or if n_best is not a positive integer.
    """
    [answers] = n_best_all(checkpoint, [word], n_best)
    # Where did it look? Teacher forcing with its own answers gives the weights of all at once.
    source = checkpoint.letters.encode(word.lower())
    targets = [checkpoint.phones.encode(answer.phones) for answer in answers]
    batch = seq2seq.make_batch([source] * len(answers), targets)
    _, weights = seq2seq.predict(checkpoint.model, checkpoint.params, batch)
    if weights is None:
        return answers
    return [
        answer._replace(attention=weights[: len(answer.phones) + 1, b])
        for b, answer in enumerate(answers)
    ]


# --- A baseline without a network ---------------------------------------------------------------


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
    groups = {}  # words of equal T and S are cut together
    for i, (x, y) in enumerate(zip(sources, targets)):
        if 0 < len(y) <= 2 * len(x):
            groups.setdefault((len(x), len(y)), []).append(i)
    batches = [
        (members, np.array([sources[i] for i in members]), np.array([targets[i] for i in members]))
        for members in groups.values()
    ]
    one = np.full((V, P), 0.01)
    for _, x, y in batches:
        for i, j in enumerate(np.linspace(0, y.shape[1] - 1, x.shape[1]).round().astype(int)):
            np.add.at(one, (x[:, i], y[:, j]), 1)
    one /= one.sum(axis=1, keepdims=True)
    none, two = np.full(V, 0.1), 0.05 * one[:, :, None] * one[:, None, :]
    for _ in range(n_iter):
        cuts = [_best_cuts(x, y, np.log(none), np.log(one), np.log(two)) for _, x, y in batches]
        none, one, two = np.full(V, 0.5), np.full((V, P), 0.01), np.full((V, P, P), 1e-4)
        for (_, x, y), sizes in zip(batches, cuts):
            ends = sizes.cumsum(axis=1)
            np.add.at(none, x[sizes == 0], 1)
            b, i = np.nonzero(sizes == 1)
            np.add.at(one, (x[b, i], y[b, ends[b, i] - 1]), 1)
            b, i = np.nonzero(sizes == 2)
            np.add.at(two, (x[b, i], y[b, ends[b, i] - 2], y[b, ends[b, i] - 1]), 1)
        total = none + one.sum(axis=1) + two.sum(axis=(1, 2))
        none, one, two = none / total, one / total[:, None], two / total[:, None, None]
    found = [None] * len(sources)
    for (members, _, _), sizes in zip(batches, cuts):
        for i, row in zip(members, sizes):
            found[i] = row
    return found


def _best_cuts(x, y, none, one, two):
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


def _windows(sources, k):
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
        pairs, counts = np.unique((_windows(sources, k) << 14) | chunks, return_counts=True)
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
        asked = _windows(sources, k)
        at = np.minimum(np.searchsorted(windows.keys[k], asked), len(windows.keys[k]) - 1)
        seen = (answer < 0) & (windows.keys[k][at] == asked)
        answer[seen] = windows.chunks[k][at[seen]]
    found, begin = [], 0
    for x in sources:
        mine = [part for c in answer[begin : begin + len(x)] if c > 0 for part in (c & 127, c >> 7)]
        found.append([int(part) - 1 for part in mine if part])
        begin += len(x)
    return found
