"""Byte-pair encoding: pieces of words, learned from a text by counting.

A text is cut into words, each with the space before it, and every word is a row of characters.
Learning repeats one step: count all pairs of neighbouring symbols, and merge the most frequent pair
into a new symbol wherever it stands. Encoding repeats the merges in the order in which they were
learned. With no merge the units are characters; with very many they are whole words.

    lowest newer · merges e+r, l+o, lo+w, …      ␣low est ␣new er

Any text can be encoded, and comes back unchanged. A character that is not in the alphabet is
spelled by the sixteen hexadecimal digits of its UTF-8 bytes: é, C3 A9, is four symbols.

Source: Sennrich, Haddow and Birch 2016; there a word ends in a mark, here it begins with its space.
"""

import heapq
import re
from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from .checks import check_ids, check_not_negative, check_sizes
from .text import MARKS, UNK

WORD = re.compile(r" ?\w+| ?[^\w\s]+|\s+")
HAN = re.compile(r" ?[\u3400-\u9fff]| ?[^\W\u3400-\u9fff]+| ?[^\w\s]|\s+")
DIGITS = tuple(f"<{digit}>" for digit in "0123456789ABCDEF")
UNKNOWN = "⁇"  # how an unknown word is written


def words(text: str) -> list:
    """A text cut into words and runs of signs, each with the space before it.

    A space is put in front, so that a word is the same at the beginning and inside; joined, the
    parts are " " + text. Chinese is written without spaces: there a run of characters is one part.
    """
    return WORD.findall(" " + text)


def single_words(text: str) -> list:
    """As `words`, but every Chinese character and every sign is a part of its own."""
    return HAN.findall(" " + text)


# --- Learning -----------------------------------------------------------------------------------


def merge(symbols: tuple, pair: tuple, new) -> tuple:
    """The symbols with every occurrence of the pair replaced by `new`, from left to right."""
    merged, i = [], 0
    while i < len(symbols):
        if symbols[i : i + 2] == pair:
            merged.append(new)
            i += 2
        else:
            merged.append(symbols[i])
            i += 1
    return tuple(merged)


def count_pairs(spelled: dict) -> Counter:
    """How often each pair of neighbours occurs. spelled: symbols of a word → how often it occurs.

    Three equal letters in a row are two pairs, although only one of them can be merged.
    """
    counts = Counter()
    for symbols, n in spelled.items():
        for pair in pairwise(symbols):
            counts[pair] += n
    return counts


def most_frequent(counts: dict):
    """The pair that occurs most often; of several the first in the alphabet. None below 2."""
    best = min(counts, key=lambda pair: (-counts[pair], pair), default=None)
    return best if best is not None and counts[best] > 1 else None


def merges_loop(word_counts: dict, n: int) -> tuple:
    """The first n merges, as on paper: count, merge, count again. Fewer if no pair occurs twice."""
    spelled, merges = {tuple(word): count for word, count in word_counts.items()}, []
    for _ in range(n):
        pair = most_frequent(count_pairs(spelled))
        if pair is None:
            break
        merges.append(pair)
        again = Counter()
        for symbols, count in spelled.items():
            again[merge(symbols, pair, "".join(pair))] += count
        spelled = again
    return tuple(merges)


def learn_merges(word_counts: dict, n: int) -> tuple:
    """The merges of `merges_loop`, faster: only words that hold the merged pair are counted again.

    Raises: ValueError if n is negative.
    """
    check_not_negative("n", n)
    spelled = [tuple(word) for word in word_counts]
    times = list(word_counts.values())
    counts, where = Counter(), {}  # where: pair → numbers of the words that may hold it
    for i, symbols in enumerate(spelled):
        for pair in pairwise(symbols):
            counts[pair] += times[i]
            where.setdefault(pair, set()).add(i)
    queue = [(-count, pair) for pair, count in counts.items()]
    heapq.heapify(queue)  # speed: the largest count without looking at all
    merges = []
    while len(merges) < n and queue:
        count, pair = heapq.heappop(queue)
        if -count != counts[pair]:  # an old entry; a newer one is in the queue
            continue
        if -count < 2:
            break
        merges.append(pair)
        changed = set()
        for i in where.pop(pair):
            before = spelled[i]
            after = spelled[i] = merge(before, pair, "".join(pair))
            for sign, symbols in ((-1, before), (1, after)):
                for touched in pairwise(symbols):
                    counts[touched] += sign * times[i]
                    changed.add(touched)
                    if sign > 0:
                        where.setdefault(touched, set()).add(i)
        for touched in changed:
            if counts[touched] > 0:
                heapq.heappush(queue, (-counts[touched], touched))
    return tuple(merges)


# --- Encoding -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Pieces:
    """Units that are learned: an alphabet, and merges in their order. See `learn`.

    The ids: the two marks of a target vocabulary, 16 digits, the alphabet, one for every merge.
    """

    alphabet: tuple
    merges: tuple
    symbols: tuple = field(init=False, repr=False)
    letters: dict = field(init=False, repr=False, compare=False)  # character → id
    table: dict = field(init=False, repr=False, compare=False)  # ids of a pair → (number, new id)
    known: dict = field(init=False, repr=False, compare=False)  # word → ids

    def __post_init__(self):
        first = len(MARKS) + len(DIGITS)
        made = tuple(dict.fromkeys((*self.alphabet, *(a + b for a, b in self.merges))))
        index = {symbol: first + i for i, symbol in enumerate(made)}
        table = {}
        for number, (a, b) in enumerate(self.merges):
            table.setdefault((index[a], index[b]), (number, index[a + b]))
        for name, value in (
            ("symbols", (*MARKS, *DIGITS, *made)),
            ("letters", {letter: index[letter] for letter in self.alphabet}),
            ("table", table),
            ("known", {}),  # speed: every word is taken apart once
        ):
            object.__setattr__(self, name, value)

    def __len__(self):
        return len(self.symbols)

    def encode(self, text: str) -> np.ndarray:
        """Text → ids, (N,) int64.

        Raises: TypeError if it is no string; ValueError if it holds half of a surrogate pair.
        """
        if not isinstance(text, str):
            raise TypeError(f"text must be a string, got {type(text).__name__}")
        ids = []
        for word in words(text):
            if word not in self.known:
                self.known[word] = apply_merges(spell(word, self.letters), self.table)
            ids += self.known[word]
        return np.array(ids, dtype=np.int64)

    def pieces(self, text: str) -> list:
        """The symbols of a text, to be looked at. Raises: as `encode`."""
        return [self.symbols[i] for i in self.encode(text)]

    def decode(self, ids) -> str:
        """Ids → text; marks are passed by. Digits that are no UTF-8 become �.

        Raises: TypeError for non-integers, IndexError for ids outside 0 … len−1.
        """
        ids = np.asarray(ids)
        if ids.size == 0:
            return ""
        check_ids("ids", ids, len(self))
        text, digits = [], ""
        for i in (*(i for i in ids if i >= len(MARKS)), None):
            if i is not None and i < len(MARKS) + len(DIGITS):
                digits += self.symbols[i][1]
                continue
            if digits:
                whole = digits[: len(digits) // 2 * 2]  # half a byte is dropped
                text.append(bytes.fromhex(whole).decode("utf-8", errors="replace"))
                digits = ""
            if i is not None:
                text.append(self.symbols[i])
        return "".join(text).removeprefix(" ")


def spell(word: str, letters: dict) -> tuple:
    """The ids of a word's characters, those that are not in the alphabet as hexadecimal digits.

    Raises: ValueError for half of a surrogate pair, which has no UTF-8.
    """
    ids = []
    for character in word:
        if character in letters:
            ids.append(letters[character])
            continue
        try:
            digits = character.encode("utf-8").hex()
        except UnicodeEncodeError as error:
            raise ValueError(f"U+{ord(character):04X} is half of a surrogate pair") from error
        ids += [len(MARKS) + int(digit, 16) for digit in digits]
    return tuple(ids)


def apply_merges(ids: tuple, table: dict) -> tuple:
    """The merges in the order in which they were learned. table: pair → (its number, new id)."""
    never = (len(table), None)
    while len(ids) > 1:
        pair = min(pairwise(ids), key=lambda pair: table.get(pair, never)[0])
        if pair not in table:
            break
        ids = merge(ids, pair, table[pair][1])
    return ids


def learn(texts, n: int, rare: int = 1) -> Pieces:
    """Units for these texts, with at most n merges; n = 0 gives characters.

    A character that occurs fewer than `rare` times is not in the alphabet, so that its digits are
    seen in training. Equal texts give equal units, whatever their order.
    Raises: ValueError if there are no texts, or n is negative, or rare not a positive integer;
    TypeError if the texts are one string.
    """
    check_not_negative("n", n)
    check_sizes(rare=rare)
    if isinstance(texts, str):
        raise TypeError("texts must be a list of strings, got one string")
    word_counts = Counter(word for text in texts for word in words(text))
    if not word_counts:
        raise ValueError("texts is empty: there is nothing to learn from")
    letters = Counter()
    for word, count in word_counts.items():
        for character in word:
            letters[character] += count
    alphabet = {character for character, count in letters.items() if count >= rare}
    parts = Counter()  # no merge reaches over a rare character
    for word, count in word_counts.items():
        for part in re.split(
            "|".join(map(re.escape, sorted(set(word) - alphabet))) or r"(?!)", word
        ):
            parts[part] += count
    return Pieces(tuple(sorted(alphabet)), learn_merges(parts, int(n)))


@dataclass(frozen=True)
class Words:
    """Units that are whole words: those that occurred at least twice, say; all others are one.

    The ids: the two marks, the unknown word, then the words. See `learn_words`.
    """

    vocabulary: tuple
    symbols: tuple = field(init=False, repr=False)
    index: dict = field(init=False, repr=False, compare=False)

    def __post_init__(self):
        object.__setattr__(self, "symbols", (*MARKS, UNK, *self.vocabulary))
        object.__setattr__(self, "index", {word: i for i, word in enumerate(self.symbols)})

    def __len__(self):
        return len(self.symbols)

    def pieces(self, text: str) -> list:
        """The words of a text, unknown ones as "<unk>"."""
        return [word if word in self.index else UNK for word in single_words(text)]

    def encode(self, text: str) -> np.ndarray:
        """Text → ids, (N,) int64."""
        return np.array([self.index[word] for word in self.pieces(text)], dtype=np.int64)

    def decode(self, ids) -> str:
        """Ids → text; marks are passed by, unknown words are ⁇. Raises: as `Pieces.decode`."""
        ids = np.asarray(ids)
        if ids.size == 0:
            return ""
        check_ids("ids", ids, len(self))
        found = (self.symbols[i] for i in ids if i >= len(MARKS))
        return "".join(" " + UNKNOWN if word == UNK else word for word in found).removeprefix(" ")


def learn_words(texts, rare: int = 2) -> Words:
    """The words that occur at least `rare` times in the texts.

    Raises: ValueError if there are none, or rare is not a positive integer.
    """
    check_sizes(rare=rare)
    counts = Counter(word for text in texts for word in single_words(text))
    kept = tuple(sorted(word for word, count in counts.items() if count >= rare))
    if not kept:
        raise ValueError(f"no word occurs {rare} times in the texts")
    return Words(kept)
