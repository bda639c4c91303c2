"""Assignments: the right points for a right and for a wrong submission, and no secret leaks."""

from pathlib import Path

import autograder
import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

ROOT = Path(__file__).resolve().parents[1]
THREE = ("attention", "bptt", "lstm")
MADE = autograder.hand_written()
PLANTED = autograder.planted_faults()


@pytest.fixture(autouse=True)
def numpy_alone(monkeypatch):
    """The assignments ask whether torch or our module was imported: other tests did that."""
    import sys

    kept = {n: m for n, m in sys.modules.items() if n.split(".")[0] not in ("torch", "helpers")}
    monkeypatch.setattr(sys, "modules", kept)


def test_there_are_three_of_twenty_points():
    assert {name: sum(autograder.tests_of(nb).values()) for name, nb in MADE.items()} == (
        dict.fromkeys(THREE, 20)
    )


@pytest.mark.parametrize("name", THREE)
def test_right_submission_gets_all_points(name):
    points, wrong = autograder.worth(autograder.without_markers(MADE[name]))
    assert wrong == {}
    assert points == autograder.tests_of(MADE[name])


@pytest.mark.parametrize("name", THREE)
def test_empty_submission_gets_none(name):
    given = autograder.released(MADE[name])
    for cell, source in zip(given.cells, MADE[name].cells):  # as nbgrader puts its tests back
        if cell.metadata.get("nbgrader", {}).get("grade"):
            cell.source = source.source
    points, _ = autograder.worth(given)
    assert len(points) >= 8 and sum(points.values()) == 0


@pytest.mark.parametrize("planted", PLANTED, ids=lambda p: f"{p.assignment}: {p.fault}")
def test_wrong_submission_loses_the_right_points(planted):
    notebook = MADE[planted.assignment]
    points, _ = autograder.worth(autograder.with_fault(notebook, planted))
    full = autograder.tests_of(notebook)
    lost = {name.removeprefix("test-"): full[name] - points[name] for name in full}
    assert {name: gone for name, gone in lost.items() if gone} == planted.lost


def test_two_faults_are_planted_in_each():
    assert sorted(p.assignment for p in PLANTED) == sorted(2 * THREE)


@pytest.mark.parametrize("name", ["numpy.random", "helpers.rnn"])
def test_help_from_elsewhere_is_noticed(name):
    import sys

    sys.modules[name] = sys
    points, _ = autograder.worth(autograder.without_markers(MADE["bptt"]))
    assert points["test-forward-in-parts"] == (2 if name == "numpy.random" else 0)


# ---------- from the exercises of the book ----------


def secret(notebook) -> list[tuple[str, set]]:
    """Of each marked cell: what students see of it, and the lines that they may not see."""
    found = []
    for before, after in zip(notebook.cells, autograder.released(notebook).cells):
        if before.metadata.get("nbgrader"):
            shown = set(after.source.split("\n"))
            found.append((after.source, {*before.source.split("\n")} - shown))
    return found


@pytest.mark.parametrize("path", sorted((ROOT / "notebooks").glob("*.ipynb")), ids=lambda p: p.stem)
def test_notebook_becomes_an_assignment_without_solutions(path):
    notebook = autograder.from_exercises(nbformat.read(path, as_version=4))
    nbformat.validate(notebook)
    marks = [c.metadata["nbgrader"] for c in notebook.cells if "nbgrader" in c.metadata]
    names = [m["grade_id"] for m in marks]
    exercises = sum(c.source.count("{exercise}") for c in notebook.cells)
    assert len(names) == len(set(names))
    assert sum(m["solution"] for m in marks) == exercises >= 4
    given = "\n".join(c.source for c in autograder.released(notebook).cells)
    assert "solution-start" not in given and "HIDDEN TESTS" not in given and "SOLUTION" not in given
    for shown, lines in secret(notebook):
        compile(shown, path.stem, "exec")
        assert not lines & set(shown.split("\n"))
    for mark, cell in (
        (c.metadata["nbgrader"], c) for c in notebook.cells if "nbgrader" in c.metadata
    ):
        compile(cell.source, path.stem, "exec")
        if mark["grade"] and not mark["solution"]:
            assert "assert" in cell.source or "largest(" in cell.source


def parts(code, known=("np",)):
    """(what is handed out, the source, the tests) under an exercise with this solution."""
    cells = autograder.exercise_cells(code, "Add · core", "ex-01-add", {*known, "print"})
    given = autograder.released(new_notebook(cells=cells)).cells
    return given[0].source, *(cell.source for cell in cells)


def test_functions_are_asked_for_and_the_rest_tests_them():
    code = 'def add(a, b):\n    """a + b."""\n    return a + b\n\n\nc = add(1, 2)\nassert c == 3'
    given, source, tests = parts(code)
    assert '"""a + b."""' in given and "return" not in given and "c = add" not in source
    assert "c = add(1, 2)\nassert c == 3" in tests and "(2 points)" in tests
    points, _ = autograder.worth(
        autograder.without_markers(
            new_notebook(cells=autograder.exercise_cells(code, "Add · core", "a", set()))
        )
    )
    assert points == {"test-a": 2}


def test_without_functions_the_asserts_name_what_is_asked_for():
    given, source, tests = parts("a = 1\nb = a + 1\nassert b == 2")
    assert "The tests read: b" in given and "a = 1" not in given and "a = 1" in source
    assert "assert b == 2" in tests


def test_functions_that_lean_on_the_rest_are_not_asked_for_alone():
    given, _, tests = parts("n = 3\ndef f(x):\n    return n * x\nassert f(2) == 6")
    assert "The tests read: f" in given and "n = 3" not in tests


def test_an_assert_on_a_name_that_changes_later_is_left_out():
    _, _, tests = parts("a = 1\nassert a == 1\na = 2\nassert a == 2")
    assert "a == 2" in tests and "a == 1" not in tests


@pytest.mark.parametrize(
    "code", ["a = 1\nprint(a)", "for n in (1, 2):\n    b = n\n    assert b == n", ""]
)
def test_without_asserts_a_person_reads_the_answer(code):
    cells = autograder.exercise_cells(code, "Add · research", "ex-01-add", set())
    (mark,) = [cell.metadata["nbgrader"] for cell in cells]
    assert mark["grade"] and mark["solution"] and mark["points"] == 4
    (given,) = autograder.released(new_notebook(cells=cells)).cells
    assert "teacher" in given.source and "b = n" not in given.source


def test_variables_of_a_loop_are_not_asked_for():
    given, _, tests = parts(
        "a = [n for n in (1, 2)]\nassert all(n > 0 for n in a)\nfor n in a:\n    assert n",
        known=("all",),
    )
    assert "The tests read: a\n" in given and tests.count("assert") == 2


def test_a_script_with_a_hole_is_refused(tmp_path):
    for text, word in (
        ('# %% task="a"\nx = 1', "solution"),
        ('# %% test="a" points=1\nx', "tests"),
    ):
        (tmp_path / "a.py").write_text(text)
        with pytest.raises(ValueError, match=word):
            autograder.from_script(tmp_path / "a.py")
    planted = PLANTED[0]._replace(changes=(("no such line", ""),))
    with pytest.raises(ValueError, match="no single"):
        autograder.with_fault(MADE[planted.assignment], planted)


def test_points_of_a_cell_that_a_person_grades_are_not_counted():
    cell = autograder.marked(new_code_cell("1"), "a", 3, solution=True)
    assert autograder.tests_of(new_notebook(cells=[cell])) == {}
