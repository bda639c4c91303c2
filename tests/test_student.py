"""The copy for students: no solution is left, every exercise is, and the notebooks still run."""

import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
import student
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

ROOT = Path(__file__).resolve().parents[1]
EXERCISE = re.compile(r"^:{3,}\{exercise\}", re.MULTILINE)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("student") / "copy"
    assert student.make(made) == len(list((ROOT / "notebooks").glob("*.ipynb")))
    return made


def text_of(path):
    return "\n".join(cell.source for cell in nbformat.read(path, as_version=4).cells)


def test_exercises_stay_and_solutions_go(folder):
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        copy = text_of(folder / "notebooks" / path.name)
        n = len(EXERCISE.findall(text_of(path)))
        assert len(EXERCISE.findall(copy)) == n == copy.count("# Your turn: ")
        assert "solution-" not in copy
        nbformat.validate(nbformat.read(folder / "notebooks" / path.name, as_version=4))


def test_nothing_of_the_text_needs_what_was_taken_out(folder):
    command = [sys.executable, "-m", "ruff", "check", "--isolated", "--select", "F821,F822"]
    run = subprocess.run([*command, folder / "notebooks"], capture_output=True, text=True)
    assert run.returncode == 0, run.stdout


@pytest.mark.slow
def test_a_copied_notebook_runs(folder):
    command = [sys.executable, ROOT / "tools" / "run_notebooks.py", "03_rnn.ipynb"]
    subprocess.run(command, cwd=folder / "notebooks", check=True, capture_output=True)


def solved(*parts):
    """A notebook of these parts: "begin" and "end" of a solution, code after "py ", or text."""
    begin, end = ":::{solution-start} ex-01-a\n:class: dropdown\n:::", ":::{solution-end}\n:::"

    def cell(part):
        if part.startswith("py "):
            return new_code_cell(part[3:])
        return new_markdown_cell({"begin": begin, "end": end}.get(part, part))

    return new_notebook(cells=[cell(part) for part in parts])


ASK = ":::{exercise} Add · warm-up\n:label: ex-01-a\nAdd.\n:::"
CODE = '''py import math


@cache
def add(a, b=math.pi, *, c=1):
    """a + b."""
    return a + b


class Sum:
    """A sum."""

    def __call__(self):
        return 3


answer = add(1, 2)
assert answer == 3'''


def test_skeleton_keeps_names_arguments_and_docstrings():
    cells = student.without_solutions(solved(ASK, "begin", CODE, "Because.", "end", "After.")).cells
    assert [cell.source for cell in cells[::2]] == [ASK, "After."]
    code = cells[1].source
    assert "3" not in code and "math" not in code and "assert" not in code
    names = {}
    exec(code, names)
    assert names["add"].__doc__ == "a + b." and names["Sum"].__doc__ == "A sum."
    with pytest.raises(NotImplementedError, match="your turn"):
        names["add"](1)


def test_one_cell_may_end_a_solution_and_begin_the_next():
    both = (
        ":::{solution-end}\n:::\n\n"
        + ASK
        + "\n\n:::{solution-start} ex-01-b\n:class: dropdown\n:::\n\nIt is so."
    )
    cells = student.without_solutions(
        solved(ASK, "begin", "py x = 1", both, "py y = 2", "end")
    ).cells
    assert [cell.source for cell in cells] == [ASK, "# Your turn: Add · warm-up"] * 2


@pytest.mark.parametrize("parts", [("begin", CODE), ("end",), ("begin", "begin", "end")])
def test_solutions_that_do_not_close_are_refused(parts):
    with pytest.raises(ValueError, match="solution"):
        student.without_solutions(solved(*parts))


def test_other_files_are_not_overwritten(tmp_path):
    (tmp_path / "letter.txt").write_text("Dear")
    with pytest.raises(FileExistsError, match="other files"):
        student.make(tmp_path)
    assert (tmp_path / "letter.txt").read_text() == "Dear"
