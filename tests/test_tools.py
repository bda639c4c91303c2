"""The scripts of `make notebooks`."""

import cover
import pytest


def test_cover_is_the_figure_that_its_notebook_computed():
    assert cover.COVER.read_bytes() == cover.figure(cover.NOTEBOOK, cover.FIGURE)


def test_cover_needs_a_figure_of_that_name():
    with pytest.raises(LookupError, match="has no figure named 'fig-05-nothing'"):
        cover.figure(cover.NOTEBOOK, "fig-05-nothing")
