"""Four primitives for diagrams: a canvas, a box, an arrow, a note.

One code of shape and colour throughout: inputs are green, hidden states blue, outputs orange; an
arrow is a use of a value, a label beside it the weight that it passes through.
"""

import io

import matplotlib.pyplot as plt
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from .plots import COLOURS

FILL = {
    "input": ("#DDF2EA", COLOURS["green"]),
    "hidden": ("#DCEBF6", COLOURS["blue"]),
    "output": ("#FBE5D9", COLOURS["orange"]),
    "plain": ("#F2F2F2", COLOURS["grey"]),
}


class Drawing(Figure):
    """A figure that a notebook stores as SVG beside the usual PNG.

    So it is sharp at any size, and its words stay words. The same drawing gives the same text.
    """

    def _repr_svg_(self) -> str:
        file = io.StringIO()
        with plt.rc_context({"svg.fonttype": "none", "svg.hashsalt": "book"}):
            self.savefig(
                file, format="svg", bbox_inches="tight", facecolor="none",
                metadata={"Date": None, "Creator": None},
            )  # fmt: skip
        return file.getvalue()


def canvas(width: float, height: float, ax=None):
    """Axes without a frame whose unit is the distance between two boxes; (0, 0) is bottom left."""
    if ax is None:
        size = (min(7.5, 0.95 * width), 0.95 * height * min(1, 7.5 / width))
        _, ax = plt.subplots(FigureClass=Drawing, figsize=size)
    ax.set_xlim(0, width)
    ax.set_ylim(0, height)
    ax.set_aspect("equal")
    ax.set_axis_off()
    return ax


def box(ax, x, y, label, kind="plain", width=0.62, height=0.5, fontsize=10):
    """A rounded box centred on (x, y). kind: input, hidden, output or plain."""
    fill, edge = FILL[kind]
    ax.add_patch(
        FancyBboxPatch(
            (x - width / 2, y - height / 2), width, height,
            boxstyle="round,pad=0,rounding_size=0.1", facecolor=fill, edgecolor=edge, linewidth=1.4,
        )
    )  # fmt: skip
    ax.text(x, y, label, ha="center", va="center", fontsize=fontsize, color=COLOURS["black"])


def arrow(ax, start, end, label="", bend=0.0, colour="grey", offset=(0.0, 0.0), dashed=False):
    """An arrow from start to end (points at the edges of boxes), with a label beside its middle."""
    ax.add_patch(
        FancyArrowPatch(
            start, end, arrowstyle="-|>", mutation_scale=11, shrinkA=0, shrinkB=0, linewidth=1.3,
            color=COLOURS[colour], connectionstyle=f"arc3,rad={bend}",
            linestyle="--" if dashed else "-",
        )
    )  # fmt: skip
    if label:
        x, y = (start[0] + end[0]) / 2 + offset[0], (start[1] + end[1]) / 2 + offset[1]
        ax.text(x, y, label, ha="center", va="center", fontsize=9, color=COLOURS["black"])


def note(ax, x, y, text, **style):
    """A word beside the drawing."""
    ax.text(x, y, text, **{"ha": "center", "va": "center", "fontsize": 10, **style})
