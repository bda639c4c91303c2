"""Diagrams of chapter 6: the variants of the LSTM."""

from .boxes import arrow, box, canvas, note
from .plots import COLOURS


def lstm_variants(ax=None):
    """The LSTM cell, and where each variant changes it: six numbers on six places.

    Look at the dashed arrows, which are added, and at the crosses, where something is taken out.
    """
    ax = canvas(10.6, 5.5, ax)
    box(ax, 5.4, 0.35, r"$x_t,\; h_{t-1}$", "input", width=7.2, height=0.42)
    for x, gate in ((2.6, "f"), (4.0, "i"), (5.4, "g"), (8.2, "o")):
        kind = "hidden" if gate == "g" else "plain"
        box(ax, x, 1.25, f"${gate}$", kind, width=0.62, height=0.46)
        arrow(ax, (x, 0.56), (x, 1.02))
    for x, y, sign in ((2.6, 4.6, r"$\odot$"), (4.7, 4.6, "+"), (4.7, 3.0, r"$\odot$"),
                       (8.2, 2.4, r"$\odot$")):  # fmt: skip
        box(ax, x, y, sign, "plain", width=0.44, height=0.44, fontsize=12)
    box(ax, 0.8, 4.6, "$c_{t-1}$", "hidden", width=0.8)
    box(ax, 10.0, 4.6, "$c_t$", "hidden", width=0.8)
    box(ax, 10.0, 2.4, "$h_t$", "hidden", width=0.8)
    box(ax, 8.2, 3.5, "tanh", "plain", width=0.74, height=0.44)
    for start, end in (((1.2, 4.6), (2.38, 4.6)), ((2.82, 4.6), (4.48, 4.6)),
                       ((4.92, 4.6), (9.6, 4.6)), ((2.6, 1.48), (2.6, 4.38)),
                       ((4.0, 1.48), (4.56, 2.78)), ((5.4, 1.48), (4.84, 2.78)),
                       ((4.7, 3.22), (4.7, 4.38)), ((8.2, 4.6), (8.2, 3.72)),
                       ((8.2, 3.28), (8.2, 2.62)), ((8.2, 1.48), (8.2, 2.18)),
                       ((8.42, 2.4), (9.6, 2.4))):  # fmt: skip
        arrow(ax, start, end, colour="black")
    for start, end in (((0.95, 4.35), (2.29, 1.4)), ((1.15, 4.38), (3.69, 1.4)),
                       ((6.6, 4.6), (7.9, 1.45))):  # fmt: skip
        arrow(ax, start, end, colour="pink", dashed=True)
    arrow(ax, (2.91, 1.2), (3.69, 1.2), colour="orange", dashed=True)
    note(ax, 3.3, 0.95, "$1-f$", fontsize=8.5)
    for x, y in ((2.6, 3.4), (4.1, 1.72), (8.2, 1.8), (8.2, 3.08)):
        ax.plot(x, y, "x", color=COLOURS["black"], ms=9, mew=2.2, zorder=4)
    for x, y, number, text in (
        (1.05, 3.35, 1, ""), (7.0, 3.1, 1, ""), (3.3, 1.5, 2, ""), (2.95, 3.4, 3, "$f=1$"),
        (4.5, 1.75, 4, "$i=1$"), (8.55, 1.8, 5, "$o=1$"), (8.7, 3.05, 6, "no tanh"),
    ):  # fmt: skip
        ring = {"boxstyle": "circle,pad=0.18", "facecolor": "white", "edgecolor": COLOURS["black"]}
        note(ax, x, y, str(number), fontsize=8.5, bbox=ring, zorder=5)
        note(ax, x + 0.22, y, text, fontsize=8.5, ha="left")
    return ax
