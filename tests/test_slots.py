"""Slot filling: the grammar gives what it promises, and the scores are those of hand counting."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.data import slots
from helpers.data.slots import Score, Span

RNG = np.random.default_rng
PLACES = ("Taipei", "New York", "Ho Chi Minh City", "Oslo")


# --- The grammar --------------------------------------------------------------------------------


def test_cities_are_real_sorted_and_without_commas():
    found = slots.cities()
    assert list(found) == sorted(set(found))
    assert 300 < len(found) < 450
    assert {"Taipei", "New York", "Ho Chi Minh City", "Kyiv", "São Tomé"} <= set(found)
    assert not any("," in name or "_" in name or "/" in name for name in found)


def test_missing_babel_says_what_to_install(monkeypatch):
    monkeypatch.setattr(slots, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match="needs the data package 'babel': pip install babel"):
        slots.cities.__wrapped__()


def test_templates_are_distinct_and_hold_known_slots_once():
    assert len(set(slots.TEMPLATES)) == len(slots.TEMPLATES)
    for template in slots.TEMPLATES:
        found = slots.slots_of(template)
        assert found
        assert len(set(found)) == len(found)
    used = {slot for template in slots.TEMPLATES for slot in slots.slots_of(template)}
    assert used == set(slots.SLOTS)


def test_ordinals():
    assert [slots.ordinal(n) for n in (1, 2, 3, 4, 11, 12, 13, 21, 22, 23)] == (
        "1st 2nd 3rd 4th 11th 12th 13th 21st 22nd 23rd".split()
    )


def test_moments_look_as_people_write_them():
    rng = RNG(0)
    found = {slots.moment(rng) for _ in range(3000)}
    assert {before for before, _ in found} == {"on", "at", ""}
    assert ("", "next Friday") in found
    assert ("at", "9 pm") in found
    assert ("at", "half past nine") in found
    assert any(words.startswith("the 2nd of ") for _, words in found)
    assert any(words == "November 2nd" for _, words in found)


@given(st.integers(0, 10_000), st.sampled_from(slots.TEMPLATES))
def test_spans_of_a_sentence_are_the_slots_of_its_template(seed, template):
    words, tags = slots.fill(template, RNG(seed), PLACES)
    assert len(words) == len(tags)
    assert all(tag in slots.TAGS.index for tag in tags)
    assert [span.slot for span in slots.spans(tags)] == slots.slots_of(template)
    places = [" ".join(words[s.start : s.stop]) for s in slots.spans(tags)
              if s.slot in slots.CITY_SLOTS]  # fmt: skip
    assert len(set(places)) == len(places)
    assert set(places) <= set(PLACES)


def test_the_same_seed_gives_the_same_sentences():
    assert slots.generate(20, RNG(3)) == slots.generate(20, RNG(3))
    assert slots.generate(20, RNG(3)) != slots.generate(20, RNG(4))


def test_without_leaves_out_what_was_seen():
    template = ("{from} , {via} , {to} , in this order",)
    seen = slots.generate(300, RNG(0), template, PLACES)
    more = slots.generate(300, RNG(1), template, PLACES, without=seen)
    assert not {tuple(s.words) for s in seen} & {tuple(s.words) for s in more}


def test_bad_arguments_of_generate():
    with pytest.raises(ValueError, match="n must be a positive integer"):
        slots.generate(0, RNG(0))
    with pytest.raises(ValueError, match="unknown slot 'where'"):
        slots.generate(1, RNG(0), ("go {where}",))
    with pytest.raises(ValueError, match="places must hold at least 3 names, got 2"):
        slots.generate(1, RNG(0), places=("Oslo", "Rome"))


def test_split_holds_out_what_it_says():
    split = slots.split(RNG(0), 300, 100)
    assert [len(part) for part in split[:4]] == [300, 100, 100, 100]
    assert not set(split.known_templates) & set(split.new_templates)
    assert set(split.known_templates) | set(split.new_templates) == set(slots.TEMPLATES)
    assert not set(split.known_cities) & set(split.new_cities)
    assert len(split.new_templates) == 17
    trained = {tuple(s.words) for s in split.train}
    assert not trained & {tuple(s.words) for s in split.sentences}

    def places(sentences):
        return {
            " ".join(s.words[span.start : span.stop])
            for s in sentences
            for span in slots.spans(s.tags)
            if span.slot in slots.CITY_SLOTS
        }

    assert places(split.train + split.sentences + split.templates) <= set(split.known_cities)
    assert places(split.cities) <= set(split.new_cities)
    with pytest.raises(ValueError, match="held_out must lie in 0 < held_out < 1, got 1"):
        slots.split(RNG(0), held_out=1)


# --- What the beginning tells -------------------------------------------------------------------

TOY = ("{from} to {to}", "{to} from {from}", "{to} please", "leave {from} {leave}")


def test_undecided_by_hand():
    assert slots.undecided(TOY) == {
        TOY[0]: [True, False],
        TOY[1]: [True, False],
        TOY[2]: [True],
        TOY[3]: [False, False],
    }
    assert slots.best_without_future(TOY) == 6 / 7  # of seven, one first city is lost


def test_beginnings_hide_slots_but_not_their_kind():
    assert slots.beginnings("leave {from} {leave}") == [
        ("leave", "city"),
        ("leave", "city", "when"),
    ]


# --- Words to numbers ---------------------------------------------------------------------------


def sentences():
    return [slots.Sentence("go go home".split(), ["O", "O", "B-to"])]


def test_vocabulary_and_encoding():
    vocab = slots.vocabulary(sentences())
    assert vocab.symbols == ("<unk>", "go", "home")
    words, tags = slots.encode([slots.Sentence(["go", "away"], ["O", "B-to"])], vocab)
    np.testing.assert_array_equal(words[0], [1, 0])
    assert slots.TAGS.decode(tags[0]) == ["O", "B-to"]


def test_drop_rates_by_hand():
    vocab = slots.vocabulary(sentences())
    np.testing.assert_allclose(slots.drop_rates(sentences(), vocab), [0, 1 / 3, 1 / 2])
    np.testing.assert_array_equal(slots.drop_rates(sentences(), vocab, alpha=0), [0, 0, 0])
    with pytest.raises(ValueError, match="alpha must be zero or a positive number, got -1"):
        slots.drop_rates(sentences(), vocab, alpha=-1)


def test_word_dropout_has_the_rate_of_each_word():
    vocab = slots.vocabulary(sentences())
    ids = np.repeat([[1, 2]], 20_000, axis=0)
    dropped = slots.drop_words(ids, np.array([0, 0.1, 0.5]), vocab, RNG(0))
    np.testing.assert_allclose((dropped == 0).mean(axis=0), [0.1, 0.5], atol=0.02)
    assert ((dropped == ids) | (dropped == 0)).all()
    np.testing.assert_array_equal(slots.drop_words(ids, np.zeros(3), vocab, RNG(0)), ids)
    with pytest.raises(ValueError, match=r"rates must lie in 0 … 1"):
        slots.drop_words(ids, np.array([0, 0, 1.5]), vocab, RNG(0))
    with pytest.raises(ValueError, match=r"rates has shape \(2,\), expected \(3,\)"):
        slots.drop_words(ids, np.zeros(2), vocab, RNG(0))


# --- Scores -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ("", []),
        ("O O", []),
        ("B-to", [("to", 0, 1)]),
        ("O B-to I-to O", [("to", 1, 3)]),
        ("B-to B-to", [("to", 0, 1), ("to", 1, 2)]),
        ("B-to I-to B-from I-from", [("to", 0, 2), ("from", 2, 4)]),
        ("I-to I-to", [("to", 0, 2)]),  # I- without B- begins a span
        ("O I-to O", [("to", 1, 2)]),
        ("B-to I-from", [("to", 0, 1), ("from", 1, 2)]),
        ("B-to I-to I-to", [("to", 0, 3)]),
        ("B-to O I-to", [("to", 0, 1), ("to", 2, 3)]),
    ],
)
def test_spans_by_hand(tags, expected):
    assert slots.spans(tags.split()) == [Span(*span) for span in expected]


@pytest.mark.parametrize("tag", ["X-to", "B", "O-to", "I-", ""])
def test_strange_tags(tag):
    with pytest.raises(ValueError, match="at position 1 is neither O nor"):
        slots.spans(["O", tag])


def test_scores_by_hand():
    true = ["O B-from I-from O B-to O B-leave".split(), ["O", "B-to"]]
    said = ["O B-from I-from O I-to I-to B-leave".split(), ["O", "O"]]
    score = slots.score_spans(true, said)
    assert score == Score(right=2, found=3, there=4)
    assert (score.precision, score.recall, score.f1) == (2 / 3, 2 / 4, 4 / 7)
    assert slots.score_spans(true, said, "to") == Score(0, 1, 2)
    assert slots.score_spans(true, said, "leave") == Score(1, 1, 1)
    assert slots.score_words(true, said) == Score(right=3, found=5, there=5)


def test_type_and_both_ends_must_be_right():
    true = [["B-to", "I-to", "O"]]
    for said in ("B-to O O", "B-to I-to I-to", "B-from I-from O", "O B-to O"):
        assert slots.score_spans(true, [said.split()]) == Score(0, 1, 1), said
    assert slots.score_spans(true, [["I-to", "I-to", "O"]]) == Score(1, 1, 1)


def test_nothing_there_or_nothing_found():
    nothing, one = [["O", "O"]], [["B-to", "O"]]
    for true, said in ((nothing, nothing), (nothing, one), (one, nothing)):
        score = slots.score_spans(true, said)
        assert (score.precision, score.recall, score.f1) == (0.0, 0.0, 0.0)
    assert slots.score_spans([], []) == Score(0, 0, 0)


def test_unequal_lengths_are_named():
    with pytest.raises(ValueError, match="true has 1 sentences but predicted has 2"):
        slots.score_spans([["O"]], [["O"], ["O"]])
    with pytest.raises(ValueError, match="sentence 0 has 1 true tags but 2 predicted"):
        slots.score_words([["O"]], [["O", "O"]])


@given(st.lists(st.sampled_from(slots.TAGS.symbols), max_size=12))
def test_what_is_right_scores_one(tags):
    score = slots.score_spans([tags], [tags])
    assert score.right == score.found == score.there == len(slots.spans(tags))
    assert score.f1 == (1.0 if score.there else 0.0)
