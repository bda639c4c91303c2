"""Drawings: nothing is cut off, and the backward graph is the forward graph turned round."""

import importlib
import inspect
from functools import partial

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import pytest
from matplotlib.colors import to_hex
from matplotlib.patches import FancyArrowPatch, Rectangle

from helpers.draw import chapter3, chapter4, chapter5, chapter7
from helpers.draw.plots import COLOURS

CHAPTERS = tuple(importlib.import_module(f"helpers.draw.chapter{n}") for n in range(1, 10))


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


def arrows(ax):
    return [patch for patch in ax.patches if isinstance(patch, FancyArrowPatch)]


DRAWINGS = {
    name: draw
    for chapter in CHAPTERS
    for name, draw in vars(chapter).items()
    if getattr(draw, "__module__", None) == chapter.__name__
    and "ax" in inspect.signature(draw).parameters
    and all(p.default is not p.empty for p in inspect.signature(draw).parameters.values())
}
DRAWINGS |= {f"lstm_cell({step})": partial(chapter5.lstm_cell, step) for step in (1, 2, 3, 4)}
DRAWINGS |= {f"gru_stage({name})": partial(chapter7.gru_stage, name) for name in chapter7.STAGES}


@pytest.mark.parametrize("draw", DRAWINGS.values(), ids=DRAWINGS)
def test_everything_lies_on_the_canvas(draw):
    ax = draw()
    ax.figure.canvas.draw()
    frame = ax.get_window_extent()
    for artist in [*ax.texts, *ax.patches]:
        extent = artist.get_window_extent()
        assert frame.x0 <= extent.x0 and extent.x1 <= frame.x1, artist
        assert frame.y0 <= extent.y0 and extent.y1 <= frame.y1, artist


def test_backward_has_the_arrows_of_forward_in_the_colours_of_their_sources():
    drawn = arrows(chapter3.forward_and_backward())
    assert len(drawn) == 18
    colours = [to_hex(patch.get_edgecolor()).upper() for patch in drawn]
    assert colours.count(COLOURS["orange"]) == 3  # direct, one a step
    assert colours.count(COLOURS["pink"]) == 3  # recurrent, the last one to the initial state


def test_the_arcs_span_the_sentences_and_the_bars_are_the_powers():
    ax = chapter4.word_at_the_beginning()
    *arcs, back = arrows(ax)
    centres = {text.get_text(): text.get_position() for text in ax.texts}
    for arc, words in zip(arcs, (chapter4.CHINA, chapter4.RIBS), strict=True):
        (begin, _), (end, _) = arc._posA_posB
        assert (begin, end) == (centres[words[1]][0], centres[words[-1]][0])
        assert arc.get_window_extent().y1 > ax.transData.transform((0, arc._posA_posB[0][1]))[1] + 9
    assert back._posA_posB[0][0] == end and back._posA_posB[1][0] == begin  # the other way
    heights = [bar.get_height() for bar in ax.patches if isinstance(bar, Rectangle)]
    for row, factor in zip((heights[:6], heights[6:]), (0.9, 1.1), strict=True):
        powers = [factor**n for n in (20, 19, 18, 2, 1, 0)]
        assert row == pytest.approx([row[-1] * power for power in powers])
    assert heights[5] == heights[-1]
