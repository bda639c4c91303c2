"""Try the assignments in nbgrader itself, from hand-out to points. Run by nbgrader's own Python.

    .venv-autograder/bin/python tools/autograder_check.py _build/autograder

1. `release/` is generated from `source/`: that is what students get. It must be what
   `autograder.released` makes, which tests/test_autograder.py looks through for solutions.
2. Nine submissions to the three assignments are handed in and graded: for each a right one and two
   wrong ones (assignments/planted.py). The table tells what each got and what it should get.
The gradebook of the trial is a folder of its own; the course's stays as it is.
"""

import logging
import os
import shutil
import sys
import tempfile
import warnings
from pathlib import Path

import autograder
import nbformat
from nbgrader.apps import NbGraderAPI
from traitlets.config import Config

PLANTED = autograder.planted_faults()
# nbgrader calls `alembic`, which lies beside this Python.
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
THREE = ("bptt", "lstm", "attention")


def opened(course: Path):
    """nbgrader's functions for a course folder."""
    settings = Config()
    settings.CourseDirectory.root = str(course)
    settings.CourseDirectory.course_id = "networks-that-remember"
    config = Config()
    exec((course / "nbgrader_config.py").read_text("utf-8"), {"get_config": lambda: config})
    settings.merge(config)
    api = NbGraderAPI(config=settings)
    api.log.setLevel(logging.ERROR)
    return api


def hand_out(api, course: Path, name: str) -> None:
    """Generate what students get.

    Raises: RuntimeError if nbgrader refuses, or if it hands out something else.
    """
    result = api.generate_assignment(name, force=True)
    if not result["success"]:
        raise RuntimeError(f"{name}: {result.get('error') or result.get('log')}")
    source = nbformat.read(course / "source" / name / f"{name}.ipynb", as_version=4)
    given = nbformat.read(course / "release" / name / f"{name}.ipynb", as_version=4)
    wanted = [cell.source.rstrip() for cell in autograder.released(source).cells]
    for cell, text in zip(given.cells, wanted, strict=True):
        if cell.source.rstrip() != text:
            raise RuntimeError(f"{name}: students would get {cell.source!r}, not {text!r}")


def grade(api, course: Path, name: str, student: str, notebook: Path) -> dict:
    """Hand in a notebook for a student; test → (points it got, points it could get)."""
    place = course / "submitted" / student / name
    place.mkdir(parents=True)
    shutil.copy(notebook, place / f"{name}.ipynb")
    result = api.autograde(name, student, force=True)
    if not result["success"]:
        raise RuntimeError(f"{name}, {student}: {result.get('error') or result.get('log')}")
    with api.gradebook as book:
        found = book.find_submission_notebook(name, name, student)
        return {g.name.removeprefix("test-"): (g.score, g.max_score) for g in found.grades}


def trial(course: Path) -> bool:
    """Hand in the nine submissions, print the table; whether each got what it should get."""
    cases = [(name, "right", f"{name}.ipynb", {}) for name in THREE]
    cases += [(p.assignment, p.fault, f"{n}.ipynb", p.lost) for n, p in enumerate(PLANTED)]
    cases.sort(key=lambda case: THREE.index(case[0]))
    fine = True
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        for name in THREE:
            shutil.copytree(course / "source" / name, copy / "source" / name)
        shutil.copy(course / "nbgrader_config.py", copy)
        api = opened(copy)
        for name in THREE:
            hand_out(api, copy, name)
        table = [
            "| Assignment | Submission | Points | Lost | Should lose |",
            "| --- | --- | ---: | --- | --- |",
        ]
        for n, (name, fault, file, wanted) in enumerate(cases):
            got = grade(api, copy, name, f"student-{n}", course / "trial" / file)
            lost = {test: top - score for test, (score, top) in got.items() if score < top}
            total, top = (sum(pair[k] for pair in got.values()) for k in (0, 1))
            fine &= lost == wanted
            table.append(
                f"| {name} | {fault} | {total:g}/{top:g} | {said(lost)} | {said(wanted)} |"
            )
    print("\n".join(table))
    return fine


def said(lost: dict) -> str:
    return ", ".join(f"{test} {points:g}" for test, points in lost.items()) or "nothing"


def release_all(course: Path) -> int:
    """Write release/ for every assignment; returns how many there are."""
    api = opened(course)
    names = sorted(path.name for path in (course / "source").iterdir() if path.is_dir())
    for name in names:
        hand_out(api, course, name)
    return len(names)


if __name__ == "__main__":
    warnings.simplefilter("ignore")  # SQLAlchemy has remarks on nbgrader's queries
    folder = Path(sys.argv[1]).resolve()
    print(f"{release_all(folder)} assignments for students are in {folder / 'release'}")
    if not trial(folder):
        sys.exit("a submission did not get the points that it should get")
