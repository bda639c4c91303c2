"""The Makefile, and the scripts of `make notebooks`."""

import copy
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import cover
import fold
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell

ROOT = Path(__file__).resolve().parents[1]


def test_cover_is_the_figure_that_its_notebook_computed():
    assert cover.COVER.read_bytes() == cover.figure(cover.NOTEBOOK, cover.FIGURE)


def test_cover_needs_a_figure_of_that_name():
    with pytest.raises(LookupError, match="has no figure named 'fig-05-nothing'"):
        cover.figure(cover.NOTEBOOK, "fig-05-nothing")


def cells_to_fold() -> list:
    return [
        new_code_cell("h = 0", metadata={"jupyter": {"source_hidden": True}, "tags": ["x"]}),
        new_code_cell("plt.show()", metadata={"tags": ["hide-input"]}),
        new_markdown_cell(":::{solution-start} ex-01-one\n:class: dropdown\n:::"),
        new_code_cell("h = 1", metadata={"jupyter": {"other": 1}}),
        new_markdown_cell("And so on.\n\n:::{solution-end}\n:::"),
        new_code_cell("h = 2"),
    ]


def test_solutions_and_drawings_start_folded():
    cells = cells_to_fold()
    assert fold.fold(cells)
    assert cells[0].metadata == {"tags": ["x"]}
    assert cells[1].metadata["jupyter"] == {"source_hidden": True}
    assert cells[3].metadata["jupyter"] == {
        "other": 1,
        "source_hidden": True,
        "outputs_hidden": True,
    }
    assert "jupyter" not in cells[5].metadata


def test_folding_twice_changes_nothing():
    cells = cells_to_fold()
    fold.fold(cells)
    once = copy.deepcopy(cells)
    assert not fold.fold(cells)
    assert cells == once


# A Python of any version, which notes what it is asked to do beside telling its version.
FAKE_PYTHON = """#!/bin/sh
case "$1" in
  --version) echo "Python {version}" ;;
  -c) exec "{python}" -c "import sys; sys.version_info = {numbers}; exec(sys.argv[1])" "$2" ;;
  *) echo "$@" >> "{log}" ;;
esac
"""


def make_environment(folder: Path, version: str) -> tuple:
    """What `make` says of a Python of this version, its exit status, and what it had it do."""
    fake, log = folder / "python", folder / "log"
    numbers = tuple(map(int, version.split(".")))
    fake.write_text(
        FAKE_PYTHON.format(version=version, numbers=numbers, python=sys.executable, log=log)
    )
    fake.chmod(0o755)
    done = subprocess.run(
        ["make", f"PYTHON={fake}", f"VENV={folder}/.venv", f"{folder}/.venv/bin/pip"],
        cwd=ROOT, capture_output=True, text=True, check=False,
        env={k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MAKELEVEL")},
    )  # fmt: skip
    return done.stdout, done.returncode, log.read_text() if log.exists() else ""


needs_make = pytest.mark.skipif(
    shutil.which("make") is None or os.name == "nt", reason="needs make and a shell"
)


@needs_make
@pytest.mark.parametrize("version", ["3.10.14", "3.15.0", "4.0.0"])
def test_make_stops_before_pip_where_the_pins_have_no_wheels(tmp_path, version):
    said, status, asked = make_environment(tmp_path, version)
    assert status != 0 and not asked
    assert "The book runs on Python 3.11 to 3.14" in said
    assert f"is Python {version}." in said
    assert "make PYTHON=python3.12" in said


@needs_make
@pytest.mark.parametrize("version", ["3.11.0", "3.12.9", "3.13.5", "3.14.1"])
def test_make_goes_on_where_the_pins_have_wheels(tmp_path, version):
    said, status, asked = make_environment(tmp_path, version)
    assert status == 0, said
    assert asked == f"-m venv {tmp_path}/.venv\n"


def test_the_same_versions_of_python_are_named_everywhere():
    def text(name):
        return (ROOT / name).read_text("utf-8")

    tested = re.search(r"python: \[(.*)\]", text(".github/workflows/test.yml"))[1]
    first, *_, last = re.findall(r'"([\d.]+)"', tested)
    assert f"Python {first} to {last}: " in text("Makefile")
    assert f"Python {first}–{last}." in text("requirements.txt")
    assert f'requires-python = ">={first}"' in text("pyproject.toml")
    assert f"with Python {first} to {last}." in text("README.md")
    assert f"You need Python {first} to {last}," in text("book/how_to_use.md")


def test_torch_is_not_asked_for_where_it_has_no_wheels():
    """On Intel Macs the rest is installed, and notebooks pass the cells with torch by."""
    from packaging.requirements import Requirement

    lines = (ROOT / "requirements.txt").read_text("utf-8").splitlines()
    pins = [Requirement(line) for line in lines if not line.startswith("#")]
    systems = {
        "Intel Mac": {"sys_platform": "darwin", "platform_machine": "x86_64"},
        "Mac": {"sys_platform": "darwin", "platform_machine": "arm64"},
        "Linux": {"sys_platform": "linux", "platform_machine": "x86_64"},
        "Windows": {"sys_platform": "win32", "platform_machine": "AMD64"},
    }
    for system, environment in systems.items():
        names = {p.name for p in pins if p.marker is None or p.marker.evaluate(environment)}
        assert ("torch" in names) == (system != "Intel Mac"), system
        assert {"numpy", "jupyterlab", "nbval", "argon2-cffi-bindings"} <= names
