"""Byte pairs: what is learned, that every text comes back, and what is refused."""

import random
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers import bpe
from helpers.text import END, START

TEXTS = ["low low low low low lower lower newest newest newest newest newest newest widest widest"]


def test_merges_of_the_paper():
    counts = Counter(word for text in TEXTS for word in bpe.words(text))
    merges = bpe.merges_loop(counts, 4)
    # " l" 7, "lo" 7, "ow" 7, "es" 8, "st" 8, "we" 8: of equal ones the first in the alphabet.
    assert merges[:2] == (("e", "s"), ("es", "t"))
    assert bpe.learn(TEXTS, 4).merges == merges


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(alphabet="ab c", max_size=12), min_size=1, max_size=8), st.integers(0, 12))
def test_fast_merges_are_those_of_the_plain_loop(texts, n):
    counts = Counter(word for text in texts for word in bpe.words(text))
    assert bpe.learn_merges(counts, n) == bpe.merges_loop(counts, n)


@settings(max_examples=150, deadline=None)
@given(st.text())
def test_any_text_comes_back(text):
    for n, rare in ((0, 1), (6, 1), (6, 3)):
        units = bpe.learn(TEXTS, n, rare)
        ids = units.encode(text)
        assert units.decode(ids) == text
        assert ids.dtype == np.int64
        assert not np.isin(ids, (START, END)).any()


@pytest.mark.parametrize(
    "text",
    ["", " ", "  two  spaces ", "\n\t", "é", "e\u0301", "👩‍👧‍👦", "\U0010ffff", "<s></s><3><unk>",
     "\0", "笔记本", "ＡＢＣ", "ﷺ", "\ufeffx"],
)  # fmt: skip
def test_strange_texts_come_back(text):
    for units in (bpe.learn(TEXTS, 9), bpe.learn([text + "ab"] * 3, 50)):
        assert units.decode(units.encode(text)) == text


def test_digits_spell_utf8():
    units = bpe.learn(["a"], 0)
    assert units.pieces("é") == [" ", "<C>", "<3>", "<A>", "<9>"]
    first = units.symbols.index("<0>")
    assert units.decode([first + 12, first + 3]) == "\ufffd"  # C3 begins a letter, and no more
    assert units.decode([first + 12]) == ""  # half a byte
    assert units.decode([START, END, *units.encode("a"), END]) == "a"
    assert units.decode([]) == ""


def test_units_are_the_same_in_any_order():
    texts = ["one two", "two three", "three one four", "fourteen"]
    learned = bpe.learn(texts, 20)
    random.Random(0).shuffle(texts)
    assert bpe.learn(texts, 20) == learned
    assert list(bpe.learn(texts, 20).encode("onefour")) == list(learned.encode("onefour"))


def test_merges_make_words_of_characters():
    lengths = [len(bpe.learn(TEXTS, n).pieces(TEXTS[0])) for n in (0, 5, 1000)]
    assert lengths[0] == len(TEXTS[0]) + 1  # with the space in front
    assert lengths[0] > lengths[1] > lengths[2] == len(TEXTS[0].split())
    assert len(bpe.learn(TEXTS, 1000).merges) < 1000  # no pair is left that occurs twice


def test_a_rare_letter_is_spelled_in_digits_and_never_merged():
    units = bpe.learn(["naïve naive naive", "aïx"], 30, rare=3)
    assert "ï" not in units.alphabet
    assert all("ï" not in a + b for a, b in units.merges)
    assert "<C>" in units.pieces("naïve")


def test_words():
    units = bpe.learn_words(["open the file", "close the file", "存笔记记"])
    assert units.vocabulary == (" file", " the", "记")
    assert units.decode(units.encode("open the file")) == "⁇ the file"
    assert units.decode([]) == ""
    assert "".join(bpe.single_words("a 笔记, ok…")) == " a 笔记, ok…"


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda: bpe.learn([], 3), ValueError, "texts"),
        (lambda: bpe.learn("abc", 3), TypeError, "texts"),
        (lambda: bpe.learn(["a"], -1), ValueError, "n must"),
        (lambda: bpe.learn(["a"], 1, rare=0), ValueError, "rare"),
        (lambda: bpe.learn_words(["a b"]), ValueError, "2 times"),
        (lambda: bpe.learn(["a"], 0).encode(b"a"), TypeError, "bytes"),
        (lambda: bpe.learn(["a"], 0).encode("\ud800"), ValueError, "surrogate"),
        (lambda: bpe.learn(["a"], 0).decode([99]), IndexError, "ids"),
        (lambda: bpe.learn(["a"], 0).decode([0.5]), TypeError, "ids"),
    ],
)
def test_errors(call, error, match):
    with pytest.raises(error, match=match):
        call()
