"""Translating by counting: a dictionary from pairs, and a memory that is mended.

IBM's first model says how a target f_1 … f_m comes from a source e_1 … e_l: every target word picks
a source word, each with the same chance, and is drawn from that word's translations.

    P(f | e) = ∏_j 1/l Σ_i t(f_j | e_i)

Expectation maximisation finds t: guess which source word each target word came from, in proportion
to t; count the guesses; make them the new t; again.

    c(f, e) = Σ over pairs, j with f_j = f, i with e_i = e:  t(f_j | e_i) / Σ_k t(f_j | e_k)
    t(f | e) = c(f, e) / Σ_f' c(f', e)

A translation memory looks for the source that is most like the new one; `repair` changes the words
of its translation where the two sources differ.

Source: Brown, Della Pietra, Della Pietra and Mercer 1993, model 1 (without its empty word).
"""

import re
from collections import defaultdict
from difflib import SequenceMatcher
from typing import NamedTuple

import numpy as np

from .checks import check_sizes

TOKEN = re.compile(r"%\d|\w+'|\w+(?:[-./_]\w+)*|[^\w\s]")


def tokens(text: str) -> list:
    """Words, signs and places to fill in; l' is a word: "Ouvrir l'aide…" → Ouvrir, l', aide, …"""
    return TOKEN.findall(text)


def join(words) -> str:
    """The words as a text again, with French spaces: none behind an apostrophe or before a stop."""
    text = re.sub(r"(?<=\w') | (?=[,.…)\]])|(?<=[(\[]) ", "", " ".join(words))
    return re.sub(r'" (.*?) "', r'"\1"', text)


# --- IBM model 1 --------------------------------------------------------------------------------


def em_loop(pairs, steps: int) -> dict:
    """Model 1 as on paper: (f, e) → t(f | e), after so many steps from equal chances."""
    t = defaultdict(lambda: 1.0)  # all equal: only the ratios count in the first step
    for _ in range(steps):
        counts, totals = defaultdict(float), defaultdict(float)
        for source, target in pairs:
            for f in target:
                chance = sum(t[f, e] for e in source)
                for e in source:
                    counts[f, e] += t[f, e] / chance
                    totals[e] += t[f, e] / chance
        t = defaultdict(float, {(f, e): c / totals[e] for (f, e), c in counts.items()})
    return dict(t)


def learn_table(pairs, steps: int = 8) -> dict:
    """The table of `em_loop`, all pairs at once: every (j, i) of every pair is a row of an array.

    pairs: (source words, target words). Returns (f, e) → t(f | e).
    Raises: ValueError if there are no pairs, or steps is not a positive integer.
    """
    check_sizes(steps=steps)
    pairs = [(source, target) for source, target in pairs if len(source) and len(target)]
    if not pairs:
        raise ValueError("pairs is empty: there is nothing to learn from")
    entries, sources = {}, {}  # (f, e) → its number, e → its number
    entry, group = [], []  # of every row: the entry of t, and which target word asks
    asked = 0
    for source, target in pairs:
        for f in target:
            entry += [entries.setdefault((f, e), len(entries)) for e in source]
            group += [asked] * len(source)
            asked += 1
    of_source = np.array([sources.setdefault(e, len(sources)) for _, e in entries])
    entry, group, t = np.array(entry), np.array(group), np.ones(len(entries))
    for _ in range(steps):
        shares = t[entry] / np.bincount(group, t[entry])[group]
        counts = np.bincount(entry, shares)
        t = counts / np.bincount(of_source, counts)[of_source]
    return dict(zip(entries, t.tolist()))


# --- Dictionary and memory ----------------------------------------------------------------------


class Phrasebook(NamedTuple):
    """Both directions of model 1 as one score: (f, e) → t(f | e) t(e | f), and the best f for e."""

    score: dict
    best: dict


def learn_phrasebook(pairs, steps: int = 8) -> Phrasebook:
    """A dictionary from pairs (source words, target words); source words in lower case.

    A word's translation is the one for which both directions speak: t(f | e) alone would name *de*
    for many nouns. Raises: as `learn_table`.
    """
    pairs = [([e.lower() for e in source], list(target)) for source, target in pairs]
    there = learn_table(pairs, steps)
    back = learn_table([(target, source) for source, target in pairs], steps)
    score = {(f, e): p * back[e, f] for (f, e), p in there.items()}
    best = {}
    for (f, e), s in score.items():
        if e not in best or (s, f) > (score[best[e], e], best[e]):
            best[e] = f
    return Phrasebook(score, best)


def word_by_word(book: Phrasebook, source) -> list:
    """The best translation of each word, in the order of the source; unknown words are copied."""
    return [book.best.get(e.lower(), e) for e in source]


def repair(book: Phrasebook, source, known_source, known_target, least: float = 0.02) -> list:
    """The translation of a known source, mended where the new source has other words.

    First the words of known_source and known_target are paired, one to one, the best score of the
    book first, down to `least`. The partner of a word that is replaced or gone is replaced or
    deleted; new words go behind the partner of the word before them. Where there is no partner,
    nothing is changed.
    """
    new, old = ([e.lower() for e in words] for words in (source, known_source))
    target, spot = [[f] for f in known_target], {}
    scores = [
        (book.score.get((f, e), 0.0), i, j)
        for i, e in enumerate(old)
        for j, f in enumerate(known_target)
    ]
    for s, i, j in sorted(scores, key=lambda found: (-found[0], *found[1:])):
        if s >= least and i not in spot and j not in spot.values():
            spot[i] = j
    for tag, first, last, new_first, new_last in SequenceMatcher(
        None, old, new, autojunk=False
    ).get_opcodes():
        words = word_by_word(book, source[new_first:new_last])
        places = [spot[i] for i in range(first, last) if i in spot]
        if tag == "insert":
            before = [spot[i] for i in range(first) if i in spot]
            at = before[-1] if before else 0
            target[at] = target[at] + words if before else words + target[at]
        elif tag != "equal" and places:
            for place in places:
                target[place] = []
            target[min(places)] = words
    return [word for words in target for word in words]
