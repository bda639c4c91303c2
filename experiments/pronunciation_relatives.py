"""How the relatives of a word are said, as scores for its candidates.

A new word often shares all but an ending with a word that is known: "abbotts" with "abbott",
"connected" with "connecting". Where both begin with the same letters, a candidate that says these
letters as the known word does is more likely to be right. `features` gives it a score for that; how
much the score is worth is fitted on validation, as the weights of all models are
(helpers.trained.candidates).

Only training words are asked. Cuts are those of helpers.letter_windows.
"""

import numpy as np

from helpers import letter_windows
from helpers.data import g2p

LONGEST = 4  # letters behind the shared beginning, of the word and of its relative
NAMES = ("longer", "shorter", "sisters", "ends", "compound")


class Relatives:
    """Training words by the letters that they begin with, cut into letters and their phones."""

    def __init__(self, words):
        sources, targets, places = g2p.all_pairs(words)
        V, P = len(g2p.letters()), len(g2p.phones())
        sizes = letter_windows.align(sources, targets, V, P)
        self.tables = letter_windows.chunk_tables(sources, targets, sizes, V, P)
        self.ways, self.beginnings = {}, {}
        for y, size, place in zip(targets, sizes, places):
            if size is not None:
                way = tuple(y.tolist()), np.cumsum(size)
                self.ways.setdefault(words[place], []).append(way)
        for word in self.ways:
            for rest in range(LONGEST + 1):
                if len(word) - rest >= 3:
                    begin = word[: len(word) - rest]
                    self.beginnings.setdefault(begin, []).append((word, rest))

    def features(self, words, candidates) -> np.ndarray:
        """Scores (N, len(NAMES)) of all candidates: lists of tuples of ids, one list a word.

        For relatives that share all but the last a letters of the word and all but their own last
        b, the share of those that say the beginning as the candidate does: "longer" sums it over
        b = 1 … 4 for a = 0, "shorter" over a for b = 0, "sisters" over both. "ends": does the
        candidate end like the longest known word that the word ends with, of four letters at least.
        "compound": does it say both parts of the word like the known words that they are.
        """
        pairs = [(word, way) for word, mine in zip(words, candidates) for way in mine]
        sources = [g2p.letters().encode(word) for word, _ in pairs]
        sizes = letter_windows.cut(sources, [np.array(way, int) for _, way in pairs], self.tables)
        found = np.zeros((len(pairs), len(NAMES)), np.float32)
        column = {name: i for i, name in enumerate(NAMES)}
        first = 0
        for word, mine in zip(words, candidates):
            rows = range(first, first + len(mine))
            first += len(mine)
            cuts = [
                (way, np.cumsum(sizes[i])) for way, i in zip(mine, rows) if sizes[i] is not None
            ]
            rows = [i for i in rows if sizes[i] is not None]
            for name, said, part in self.said(word):
                for i, (way, ends) in zip(rows, cuts):
                    spoken = (
                        way[: ends[part - 1]] if part > 0 else way[ends[len(word) + part - 1] :]
                    )
                    if name == "compound":
                        spoken = way
                    found[i, column[name]] += said.get(spoken, 0.0)
        return found

    def said(self, word):
        """(name, {phones: share}, letters of the beginning, or minus those of the end)."""
        T = len(word)
        for a in range(LONGEST + 1):
            n, groups = T - a, {}
            for other, b in self.beginnings.get(word[:n], ()) if n >= 3 else ():
                if (a or b) and (b == 0 or other[n : n + 1] != word[n : n + 1]):
                    groups.setdefault(b, []).extend(
                        way[: ends[n - 1]] for way, ends in self.ways[other]
                    )
            for b, ways in groups.items():
                name = "sisters" if a and b else "shorter" if a else "longer"
                yield name, {w: ways.count(w) / len(ways) for w in set(ways)}, n
        for n in range(T - 1, 3, -1):
            if word[T - n :] in self.ways:
                ways = [way for way, _ in self.ways[word[T - n :]]]
                yield "ends", dict.fromkeys(ways, 1.0), -n
                break
        whole = {}
        for n in range(3, T - 2):
            if word[:n] in self.ways and word[n:] in self.ways:
                for one, _ in self.ways[word[:n]]:
                    for other, _ in self.ways[word[n:]]:
                        whole[one + other] = 1.0
        if whole:
            yield "compound", whole, T
