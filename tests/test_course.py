"""Teach with this book: the page tells what the notebooks say, and its exam is solved rightly."""

import re

import course
import numpy as np
import pytest

from helpers import sequence_model
from helpers.lstm import LSTM
from helpers.rnn import RNN

PAGE = course.PAGE.read_text("utf-8")


def test_page_is_current():
    assert course.refresh(PAGE) == PAGE, "run `python tools/course.py`"


def test_every_notebook_is_taught_in_fourteen_weeks_or_is_an_application():
    weeks = PAGE.split("## Fourteen weeks")[1].split("## How to adapt it")[0]
    taught = set(course.LINK.findall(weeks))
    chapters = {stem.split("_")[0]: chapter for stem, chapter in course.chapters().items()}
    assert {number for number, chapter in chapters.items() if chapter < 10} <= taught


def test_transitive_reduction_keeps_what_can_be_reached():
    needs = {"0": set(), "1": {"0"}, "2": {"0", "1"}, "3": {"2", "0"}, "4": {"1"}}
    assert course.without_detours(needs) == {
        "0": set(), "1": {"0"}, "2": {"1"}, "3": {"2"}, "4": {"1"},
    }  # fmt: skip


def test_drawing_has_a_box_and_the_arrows_that_are_needed():
    needs, names = (
        {"00": set(), "01": {"00"}, "02": {"01"}},
        dict.fromkeys(("00", "01", "02"), "a<b"),
    )
    svg = course.drawing(needs, {"00": 0, "01": 1, "02": 1}, names)
    assert svg.count("<rect") == 3 and svg.count('marker-end="') == 2 and "a&lt;b" in svg


def test_a_page_without_places_is_refused():
    with pytest.raises(LookupError, match="drawing"):
        course.refresh("# Teach")


# ---------- the exam, computed ----------


def number(text: str) -> float:
    """A number of the page as it is written there; it must stand in the exam."""
    exam = PAGE.split("## An exam")[1]
    assert text in exam, f"{text} is not in the exam"
    return float(text.replace(",", ""))


def test_exam_shapes():
    for cell, text in ((RNN, "6,858"), (LSTM, "25,482")):
        params = sequence_model.init_sequence_model(cell, 32, 64, 10, np.random.default_rng(0))
        assert sum(p.size for p in params.values()) == number(text)


def test_exam_backwards_by_hand():
    def loss(w):
        h = [0.0]
        for x in (1, 0, 2):
            h.append(w * h[-1] + x)
        return 0.5 * (h[-1] - 3) ** 2, h

    value, h = loss(0.5)
    assert h[1:] == [1, 0.5, 2.25]
    dh = (h[3] - 3) * 0.5 ** np.arange(3)[::-1]
    assert np.allclose(dh, [-0.1875, -0.375, -0.75])
    assert np.isclose(dh @ h[:3], -0.75)
    assert np.isclose(loss(0.6)[0], number("0.2048")) and np.isclose(
        loss(0.6)[1][3], number("2.36")
    )
    assert np.isclose(loss(0.4)[0], number("0.3528")) and np.isclose(
        loss(0.4)[1][3], number("2.16")
    )
    assert np.isclose((loss(0.6)[0] - loss(0.4)[0]) / 0.2, -number("0.74"))


def test_exam_far_back_and_a_gate():
    assert abs(0.9**50 - number("0.005")) < 0.0005
    W = np.array([[0.5, 10], [0, 0.5]])
    assert np.allclose(np.linalg.eigvals(W), 0.5) and np.linalg.norm(W, 2) > 10
    assert abs(np.log(0.5) / np.log(0.9) - number("6.6")) < 0.05
    f = 2 ** (-1 / 100)
    assert abs(f - number("0.9931")) < 5e-5 and abs(np.log(f / (1 - f)) - number("4.97")) < 0.005


def test_exam_attention():
    memory, e = np.array([[1, 0], [0, 1], [2, 2]]), np.array([0, np.log(2), 0])
    weights = np.exp(e) / np.exp(e).sum()
    dalpha = memory @ [1, 0]
    assert np.allclose(weights, [0.25, 0.5, 0.25]) and np.allclose(weights @ memory, [0.75, 1])
    assert np.allclose(weights * (dalpha - weights @ dalpha), [0.0625, -0.375, 0.3125])


def test_points_of_the_exam_add_up():
    exam = PAGE.split("## An exam")[1].split("## A rubric")[0]
    points = [int(n) for n in re.findall(r"\((\d+) points\)\.\*\*", exam)]
    assert sum(points) == 60 and len(points) == 8
    parts = re.split(r"^\*\*\d\.", exam, flags=re.MULTILINE)[1:]
    for wanted, part in list(zip(points, parts))[:7]:  # the eighth: two points for each of four
        solution = part.split(":::{dropdown} Solution")[1]
        assert sum(int(n) for n in re.findall(r"\((\d+)(?: points)?\)", solution)) == wanted
    rubric = PAGE.split("## A rubric")[1]
    assert sum(int(n) for n in re.findall(r"\((\d+) %\)", rubric)) == 100
