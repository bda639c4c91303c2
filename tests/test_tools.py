"""The scripts of `make notebooks`."""

import copy

import cover
import fold
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell


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
