"""Diagrams of chapter 5: the LSTM gate by gate, and the way back."""

from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from .boxes import arrow, box, canvas, note
from .plots import COLOURS


def _disc(ax, x, y, label, colour="black", alpha=1.0):
    """A small circle: one element-wise operation."""
    ax.plot(x, y, "o", ms=17, mfc="white", mec=COLOURS[colour], mew=1.4, alpha=alpha, zorder=3)
    ax.text(x, y, label, ha="center", va="center", fontsize=10, alpha=alpha, zorder=4)


def _line(ax, points, colour="grey", alpha=1.0, wide=1.4):
    """A path along straight lines that ends in an arrow."""
    xs, ys = zip(*points)
    ax.plot(xs[:-1], ys[:-1], color=COLOURS[colour], lw=wide, alpha=alpha, zorder=1,
            solid_capstyle="round")  # fmt: skip
    ax.add_patch(
        FancyArrowPatch(
            points[-2], points[-1], arrowstyle="-|>", mutation_scale=11, shrinkA=0, shrinkB=0,
            linewidth=wide, color=COLOURS[colour], alpha=alpha, zorder=1,
        )
    )  # fmt: skip


LSTM_STEPS = {  # which parts belong to which of the four steps
    "keep": {1}, "write": {2}, "candidate": {2}, "update": {3}, "show": {4}, "out": {4},
}  # fmt: skip


def lstm_cell(step=None, ax=None):
    """One LSTM cell: the cell state runs along the top, what reads x_t and h_{t−1} is below.

    step: 1 keep, 2 store, 3 update, 4 show: draws that step's parts in colour and the others pale;
    None draws all. Look at the upper line: it passes one product and one sum, and no weights.
    """
    if step not in (None, 1, 2, 3, 4):
        raise ValueError(f"step must be None, 1, 2, 3 or 4, got {step!r}")

    def look(part):
        on = step is None or step in LSTM_STEPS[part]
        return on, ("blue" if on else "grey"), (1.0 if on else 0.3)

    ax = canvas(10.4, 4.9, ax)
    ax.add_patch(
        FancyBboxPatch((1.55, 0.72), 7.35, 3.95, linewidth=1, edgecolor="#BBBBBB",
                       facecolor="white", boxstyle="round,pad=0,rounding_size=0.15", zorder=0)
    )  # fmt: skip
    top, bus, row = 4.1, 1.0, 1.75
    _, colour, alpha = look("update")
    _line(ax, [(1.25, top), (2.82, top)], colour, alpha, 2.2)
    _line(ax, [(3.18, top), (4.84, top)], colour, alpha, 2.2)
    _line(ax, [(5.2, top), (9.2, top)], colour, alpha, 2.2)
    _line(ax, [(1.15, bus), (7.05, bus), (7.05, row - 0.25)], "grey", 0.6)
    for x in (3.0, 4.35, 5.7):
        _line(ax, [(x, bus), (x, row - 0.25)], "grey", 0.6)
    _line(ax, [(2.1, 0.46), (2.1, bus)], "grey", 0.6)
    gates = (("keep", 3.0, "$f_t$  σ"), ("write", 4.35, "$i_t$  σ"),
             ("candidate", 5.7, "$g_t$  tanh"), ("show", 7.05, "$o_t$  σ"))  # fmt: skip
    for part, x, label in gates:
        on, _, _ = look(part)
        box(ax, x, row, label, "hidden" if on else "plain", width=1.12, height=0.5,
            fontsize=9.5)  # fmt: skip
    # what is kept
    on, colour, alpha = look("keep")
    _line(ax, [(3.0, row + 0.25), (3.0, top - 0.2)], colour, alpha)
    _disc(ax, 3.0, top, r"$\odot$", *(("blue", 1.0) if step in (None, 1, 3) else ("grey", 0.4)))
    # what is stored
    on, colour, alpha = look("write")
    _line(ax, [(4.35, row + 0.25), (4.35, 2.9), (4.82, 2.9)], colour, alpha)
    _line(ax, [(5.7, row + 0.25), (5.7, 2.9), (5.22, 2.9)], colour, alpha)
    _disc(ax, 5.02, 2.9, r"$\odot$", *((colour, 1.0) if on else ("grey", 0.4)))
    _, colour, alpha = look("update")
    _line(ax, [(5.02, 3.1), (5.02, top - 0.2)], colour, alpha)
    _disc(ax, 5.02, top, "+", *(("blue", 1.0) if step in (None, 3) else ("grey", 0.4)))
    # what is shown
    on, colour, alpha = look("out")
    _line(ax, [(8.1, top), (8.1, 3.58)], colour, alpha)
    box(ax, 8.1, 3.36, "tanh", "hidden" if on else "plain", width=0.78, height=0.44, fontsize=9.5)
    _line(ax, [(8.1, 3.14), (8.1, 2.8)], colour, alpha)
    _line(ax, [(7.05, row + 0.25), (7.05, 2.6), (7.9, 2.6)], colour, alpha)
    _disc(ax, 8.1, 2.6, r"$\odot$", *((colour, 1.0) if on else ("grey", 0.4)))
    _line(ax, [(8.1, 2.4), (8.1, bus), (9.2, bus)], colour, alpha)
    # states and input
    box(ax, 0.75, top, "$c_{t-1}$", "hidden", width=0.9)
    box(ax, 0.75, bus, "$h_{t-1}$", "hidden", width=0.9)
    box(ax, 2.1, 0.27, "$x_t$", "input", width=0.8, height=0.4)
    box(ax, 9.7, top, "$c_t$", "hidden", width=0.9)
    box(ax, 9.7, bus, "$h_t$", "hidden", width=0.9)
    return ax


def lstm_step_backward(ax=None):
    """Back through one step of the LSTM: the highway above, the four gates, the h path below.

    Look at the upper edge: from dc_t to dc_{t−1} there is one gate, no weight and no slope.
    """
    ax = canvas(11.2, 5.4, ax)
    ax.add_patch(
        FancyBboxPatch(
            (2.1, 2.02), 5.55, 1.18, linewidth=0, facecolor="#F4F4F4",
            boxstyle="round,pad=0,rounding_size=0.12",
        )
    )  # fmt: skip
    box(ax, 8.9, 4.6, r"$\mathrm{d}c_t$", "hidden", width=0.9)
    box(ax, 1.0, 4.6, r"$\mathrm{d}c_{t-1}$", "plain", width=1.0)
    box(ax, 8.9, 1.0, r"$\mathrm{d}h_t$", "hidden", width=0.9)
    box(ax, 1.0, 1.0, r"$\mathrm{d}h_{t-1}$", "plain", width=1.0)
    box(ax, 4.6, 0.55, r"$\mathrm{d}x_t$", "input", width=0.8)
    slopes = (r"g\,i(1-i)", r"c_{t-1}f(1-f)", r"i(1-g^2)", r"\tanh c_t\,o(1-o)")
    for x, gate, slope in zip((2.65, 3.9, 5.1, 6.5), "ifgo", slopes):
        box(ax, x, 2.82, rf"$\mathrm{{d}}a_{gate}$", "plain", width=0.74, height=0.46)
        note(ax, x, 2.33, f"${slope}$", fontsize=8)
        if gate != "o":
            arrow(ax, (8.45, 4.45), (x + 0.1, 3.05))
    arrow(ax, (8.6, 1.25), (6.87, 2.8))
    arrow(ax, (8.45, 4.6), (1.5, 4.6), r"$\odot\;f_t$   the highway", colour="pink",
          offset=(0, 0.26), dashed=True)  # fmt: skip
    arrow(ax, (8.9, 1.25), (8.9, 4.35))
    note(ax, 8.98, 2.85, r"$\odot\;o_t \odot (1-\tanh^2 c_t)$", fontsize=8, ha="left")
    arrow(ax, (2.1, 2.3), (1.2, 1.25), r"$W_{hh}^{\top}$", colour="pink", offset=(-0.36, 0.1),
          dashed=True)  # fmt: skip
    arrow(ax, (4.6, 2.02), (4.6, 0.8), r"$W_{xh}^{\top}$", offset=(0.4, 0))
    for y in (4.6, 1.0):
        arrow(ax, (10.7, y), (9.35, y), colour="pink", dashed=True)
        note(ax, 10.1, y + 0.24, "from $t+1$", fontsize=8.5)
    arrow(ax, (8.9, 0.2), (8.9, 0.75), colour="orange")
    note(ax, 9.1, 0.3, "from $L_t$", fontsize=8.5, ha="left")
    return ax
