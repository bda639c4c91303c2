"""rapidfuzz' `cdist` and `extractOne` for a page: a query and all choices at a time, in NumPy.

A page has rapidfuzz without its compiled part, which takes milliseconds a pair. Here a text is a
row of bits, a place a bit and WIDE places a word, and one step moves all choices on by a
character: by the recurrences of Myers (1999) and Hyyrö (2003) for the Levenshtein distance, and of
Hyyrö (2004) for the longest common subsequence, which `fuzz.ratio` counts. The numbers are those of
rapidfuzz. What is no plain list of texts, or has another scorer or more arguments, is handed on.
"""

import numpy as np
from rapidfuzz import process_py
from rapidfuzz.distance import Levenshtein
from rapidfuzz.fuzz import WRatio, ratio

WIDE = 63  # places in a word: the 64th bit takes what a sum carries over
ONE, TOP = np.uint64(1), np.uint64(WIDE)
FULL = np.uint64(2**WIDE - 1)


class Many:
    """Texts, as numbers of their characters in columns, the longest first."""

    def __init__(self, texts):
        self.texts = list(texts)
        lengths = np.array([len(text) for text in self.texts], dtype=np.int64)
        self.order = np.argsort(-lengths, kind="stable")
        self.lengths = lengths[self.order]
        characters = np.frombuffer("".join(self.texts).encode("utf-32-le", "surrogatepass"), "<u4")
        self.alphabet, numbers = np.unique(characters, return_inverse=True)
        starts = np.concatenate([[0], np.cumsum(lengths)])
        longest = int(lengths.max(initial=0))
        self.columns = np.zeros((longest, len(self.texts)), dtype=np.intp)
        for row, n in enumerate(self.order):
            self.columns[: lengths[n], row] = numbers[starts[n] : starts[n + 1]]
        self.reach = np.searchsorted(-self.lengths, -np.arange(longest), side="left")

    def places(self, query):
        """Of each word, where each character of the alphabet stands in the query, as bits."""
        characters = np.frombuffer(query.encode("utf-32-le", "surrogatepass"), "<u4")
        table = np.zeros((-(-len(characters) // WIDE), len(self.alphabet)), dtype=np.uint64)
        at = np.searchsorted(self.alphabet, characters)
        for place, (k, character) in enumerate(zip(at, characters)):
            if k < len(self.alphabet) and self.alphabet[k] == character:
                table[place // WIDE, k] |= ONE << np.uint64(place % WIDE)
        return table

    def in_order(self, found):
        """Numbers of the sorted texts in the order in which the texts were given."""
        back = np.empty_like(found)
        back[self.order] = found
        return back

    def distances(self, query):
        """Levenshtein distances from the query, one a text."""
        m, table = len(query), self.places(query)
        if m == 0:
            return self.in_order(self.lengths)
        up = np.full((len(table), len(self.texts)), FULL)
        down = np.zeros_like(up)
        distance = np.full(len(self.texts), m, dtype=np.int64)
        end = np.uint64((m - 1) % WIDE)
        for column, n in zip(self.columns, self.reach):
            plus, minus = ONE, np.uint64(0)  # what comes over from the word before
            for word, (rows, vp, vn) in enumerate(zip(table, up[:, :n], down[:, :n])):
                x = rows[column[:n]] | minus
                d0 = (((x & vp) + vp) ^ vp) | x | vn
                hp, hn = vn | ~(d0 | vp), d0 & vp
                if word == len(table) - 1:
                    distance[:n] += (hp >> end & ONE).astype(np.int64)
                    distance[:n] -= (hn >> end & ONE).astype(np.int64)
                hp, hn = (hp & FULL) << ONE | plus, (hn & FULL) << ONE | minus
                plus, minus = hp >> TOP, hn >> TOP
                vp[:] = (hn | ~(d0 | hp)) & FULL
                vn[:] = hp & d0 & FULL
        return self.in_order(distance)

    def common(self, query):
        """Lengths of the longest common subsequences with the query, one a text."""
        table = self.places(query)
        open_ = np.full((len(table), len(self.texts)), FULL)  # a bit falls where one is found
        for column, n in zip(self.columns, self.reach):
            carry = np.uint64(0)
            for rows, bits in zip(table, open_[:, :n]):
                hits = bits & rows[column[:n]]
                total = bits + hits + carry
                carry = total >> TOP
                bits[:] = (total & FULL) | (bits ^ hits)
        found = np.bitwise_count(~open_ & FULL).sum(axis=0, dtype=np.int64)
        return self.in_order(found)

    def scores(self, query, scorer):
        if scorer is Levenshtein.distance:
            return self.distances(query)
        total = len(query) + np.array([len(text) for text in self.texts])
        away = (total - 2 * self.common(query)) / np.maximum(total, 1)
        return (1.0 - away) * 100


last = None  # the choices of one call are often those of the next


def many(choices):
    global last
    if last is None or last.texts != list(choices):
        last = Many(choices)
    return last


def plain(*lists):
    return all(
        isinstance(texts, list | tuple) and texts and all(isinstance(text, str) for text in texts)
        for texts in lists
    )


def cdist(queries, choices, *, scorer=ratio, dtype=None, **others):
    if others or scorer not in (ratio, Levenshtein.distance) or not plain(queries, choices):
        return process_py.cdist(queries, choices, scorer=scorer, dtype=dtype, **others)
    kind = process_py._dtype_to_type_num(dtype, scorer, {})
    found = np.stack([many(choices).scores(query, scorer) for query in queries])
    return (np.round(found) if np.issubdtype(kind, np.integer) else found).astype(kind)


def extractOne(query, choices, *, scorer=WRatio, **others):
    ours = scorer in (ratio, Levenshtein.distance) and plain([query], choices)
    if others or not ours:
        return process_py.extractOne(query, choices, scorer=scorer, **others)
    found = many(choices).scores(query, scorer)
    best = int(found.argmin() if scorer is Levenshtein.distance else found.argmax())
    return choices[best], found[best].item(), best
