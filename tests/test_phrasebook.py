"""Translating by counting: model 1 learns what goes with what, and a memory is mended."""

import numpy as np
import pytest

from helpers import phrasebook as pb

PAIRS = [
    (e.split(), f.split())
    for e, f in (
        ("the house", "la maison"), ("the book", "le livre"), ("a book", "un livre"),
        ("the red house", "la maison rouge"), ("a red book", "un livre rouge"),
    )
]  # fmt: skip


def test_fast_table_is_that_of_the_loop():
    for steps in (1, 2, 7):
        slow, fast = pb.em_loop(PAIRS, steps), pb.learn_table(PAIRS, steps)
        assert slow.keys() == fast.keys()
        assert max(abs(slow[key] - fast[key]) for key in slow) < 1e-12


def test_probabilities_sum_to_one_and_likelihood_rises():
    before = -np.inf
    for steps in range(1, 9):
        t = pb.learn_table(PAIRS, steps)
        for e in {e for _, e in t}:
            assert abs(sum(p for (_, other), p in t.items() if other == e) - 1) < 1e-12
        now = sum(
            np.log(np.mean([t.get((f, e), 0) for e in source]))
            for source, target in PAIRS
            for f in target
        )
        assert now > before
        before = now


def test_it_finds_the_translations():
    book = pb.learn_phrasebook(PAIRS, 20)
    assert [book.best[e] for e in ("house", "book", "red", "a")] == [
        "maison",
        "livre",
        "rouge",
        "un",
    ]
    assert pb.word_by_word(book, ["A", "red", "Zebra"]) == ["un", "rouge", "Zebra"]


def test_repair():
    book = pb.learn_phrasebook(PAIRS, 20)
    for new, known, translation, mended in (
        ("the house", "the house", "la maison", "la maison"),
        ("a red book", "a book", "un livre", "un rouge livre"),
        ("a book", "a red book", "un livre rouge", "un livre"),
        ("red the book", "the book", "le livre", "rouge le livre"),
        ("zebra", "lion", "le tigre", "le tigre"),  # nothing is found, so nothing is changed
    ):
        words = pb.repair(book, new.split(), known.split(), translation.split())
        assert " ".join(words) == mended


def test_words_and_back():
    text = 'Ouvrir l\'aide de "%1" (JSON)…'
    assert pb.tokens(text)[:4] == ["Ouvrir", "l'", "aide", "de"]
    assert pb.join(pb.tokens(text)) == text
    assert pb.tokens("") == []
    assert pb.join([]) == ""


def test_errors():
    with pytest.raises(ValueError, match="pairs"):
        pb.learn_table([([], ["a"])])
    with pytest.raises(ValueError, match="steps"):
        pb.learn_table(PAIRS, 0)
