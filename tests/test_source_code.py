"""Code and prose from packages: what is taken out, what is measured, and that nothing leaks."""

import ast

import numpy as np
import pytest

from helpers.data import corpora, source_code

SOURCE = '''# Authors: The developers
# SPDX-License-Identifier: BSD-3-Clause
"""About the module."""
import os


class A:
    """Only words."""


class B:
    """Words,
    and more."""

    x = "kept"  # kept, too

    def f(self):
        "One line."
        return """no docstring"""
'''


def test_docstrings_go_and_code_stays():
    plain = source_code.without_docstrings(SOURCE)
    assert "Words" not in plain and "One line" not in plain and "About" not in plain
    assert "Authors" not in plain and "SPDX" not in plain
    assert "no docstring" in plain and "# kept, too" in plain
    names = [type(n).__name__ for n in ast.parse(plain).body]
    assert names == ["Import", "ClassDef", "ClassDef"]
    assert isinstance(ast.parse(plain).body[1].body[0], ast.Pass)
    assert source_code.docstrings(SOURCE) == [
        "About the module.", "Only words.", "Words,\nand more.", "One line."
    ]  # fmt: skip


def test_code_is_ascii_and_held_out_by_sub_package():
    split = source_code.code()
    assert all(part.isascii() and "\t" not in part for part in split)
    assert len(split.train) > 3e6 and len(split.valid) > 1e5 and len(split.test) > 2e5
    assert "class SVC(" in split.test and "class SVC(" not in split.train + split.valid
    # Whole long lines of the test that training has, too: imports and idioms.
    known = {line.strip() for line in split.train.split("\n")}
    lines = [line.strip() for line in split.test.split("\n") if len(line.strip()) >= 40]
    assert np.mean([line in known for line in lines]) < 0.2


@pytest.mark.slow
def test_prose_has_formulas_and_shares_no_docstring():
    split = source_code.prose()
    parts = [set(text.split(source_code.END_OF_TEXT)) - {"\n"} for text in split]
    assert not parts[0] & parts[2] and not parts[1] & parts[2] and not parts[0] & parts[1]
    assert all(text.isascii() for text in split)
    assert len(source_code.formulas(split.test)) > 200


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setattr(corpora, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match="pip install sklearn|scikit-learn"):
        source_code.code.__wrapped__()


def test_scan_knows_brackets_strings_and_comments():
    text = 'f(a, "(", [1])  # ((\nx = """(\n"""\n    y = \')\' + {2: 3}\n)'
    s = source_code.scan(text)
    at = {name: text.index(name) for name in ("a,", "[1", "# ((", "y =")}
    assert s.depth[at["a,"]] == 1 and s.depth[at["[1"]] == 2 and s.depth[at["# (("]] == 0
    assert s.string[text.index('"(') + 1] and not s.string[at["y ="]]
    assert s.comment[at["# (("]] and s.indent[at["y ="]] == 4
    assert (s.opened, s.unclosed, s.wrong) == (3, 0, 1)
    assert not source_code.scan("a = 'open\nb").string[-1]  # its line ends it
    assert source_code.scan('"\\"').string[-1]  # an escaped quote does not
    assert len(source_code.scan("").depth) == 0


@pytest.mark.parametrize(
    ("line", "good"),
    [("x = f(", True), ("    ) + 1", True), ("x = 'abc", False), ('"""open', True),
     ("y = a ? b", False), ("", True), ("return x  # fine", True)],
)  # fmt: skip
def test_lines_that_tokenise(line, good):
    assert source_code.tokenises(line) is good


def test_first_block():
    assert source_code.first_block("def f(\n    a\n):\n    return a\n\n\nx = 1\n") == (
        "def f(\n    a\n):\n    return a\n"
    )
    assert source_code.first_block("def f():\n    return a\n    b") is None
    assert source_code.compiles("def f():\n    return 1\n")
    assert not source_code.compiles("def f(:\n") and not source_code.compiles("\0")


def test_formulas_and_references():
    text = (
        "Text :math:`a^2` and :math:`b\n_1`, but :math:`open\n\nfar` it.\n\n"
        ".. math::\n   :label: x\n\n    c = \\frac{1}{2}\n    d\n\nText.\n\n"
        ".. [1] A. Author, Title,\n   1999.\n.. [2] https://a.org\n"
    )
    assert source_code.formulas(text) == ["a^2", "b\n_1", "c = \\frac{1}{2} d"]
    entries = source_code.references(text)
    assert entries == [("1", "A. Author, Title, 1999."), ("2", "https://a.org")]
    assert source_code.well_formed_list(entries)
    assert not source_code.well_formed_list([])
    assert not source_code.well_formed_list(entries[1:])  # begins with 2
    assert not source_code.well_formed_list([("1", "no year")])


@pytest.mark.parametrize(
    ("formula", "good"),
    [(r"\frac{a}{b}", True), ("{", False), ("}{", False), (r"\{", True), (r"\left( x", False),
     (r"\leftarrow", True), (r"\begin{a} \end{b}", False), ("", True)],
)  # fmt: skip
def test_balance(formula, good):
    assert source_code.balanced(formula) is good
