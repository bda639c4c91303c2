"""Lesson plans: the page says what the notebooks say, every plan lasts ninety minutes."""

import tomllib

import course
import lessons
import pytest

HAND = tomllib.loads(lessons.HAND.read_text("utf-8"))
BOOK = course.notebooks()


def test_page_is_current():
    assert lessons.PAGE.read_text("utf-8") == lessons.page(), "run `python tools/lessons.py`"


@pytest.mark.parametrize("notebook", BOOK, ids=lambda notebook: notebook.name)
def test_every_session_lasts_ninety_minutes(notebook):
    times = lessons.minutes(notebook)
    assert sum(minutes for _, minutes in times) == lessons.WHOLE
    assert min(minutes for _, minutes in times) >= 1
    for question in lessons.questions(notebook):
        assert [option.right for option in question.options].count(True) == 1


@pytest.mark.parametrize("name", [name for name in HAND if name != "page"])
def test_what_is_written_by_hand_is_whole(name):
    plan = HAND[name]
    assert {"goal", "board"} <= set(plan) <= {"goal", "board", "reveals"}
    names = plan.get("reveals", ["1A", "2A", "3A"])
    assert len(names) == len(set(names)) >= 3
    assert plan["goal"].endswith(".") and plan["board"].endswith(".")


def test_every_notebook_has_a_goal_and_a_drawing():
    assert [notebook.name for notebook in BOOK if notebook.name not in HAND] == []


def test_a_notebook_without_hand_written_part_gets_a_plan():
    plan = lessons.plan(BOOK[6], {})
    assert "**Goal.** Students can compute the gradient" in plan and "At the board" not in plan
    assert plan.count("\n- Question ") == plan.count("\n  - *“") == 3


def test_a_right_option_is_no_misconception():
    with pytest.raises(ValueError, match="no wrong option"):
        lessons.plan(BOOK[6], {"reveals": ["1A"]})
    with pytest.raises(ValueError, match="9Z"):
        lessons.plan(BOOK[6], {"reveals": ["9Z"]})


def test_minutes_are_whole_and_in_proportion():
    assert lessons.in_whole_minutes([1, 1, 2], 8) == [2, 2, 4]
    assert sum(lessons.in_whole_minutes([3.3, 0.01, 5.9, 0.2], 61)) == 61
    assert min(lessons.in_whole_minutes([100, 0.001, 0.001], 10)) == 1


def test_links_are_those_of_a_page_of_prose():
    text = "[](16_gru.ipynb) [c](../book/chapter1.md) [x](https://x.y)"
    assert lessons.from_here(text) == (
        "[](../notebooks/16_gru.ipynb) [c](chapter1.md) [x](https://x.y)"
    )
