"""Diagrams of chapter 5: the LSTM gate by gate, and the way back."""

import matplotlib.pyplot as plt
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


NUMBER_AT = {  # where lstm_cell writes the value of a quantity
    "c_prev": (2.1, 4.38), "kept": (3.98, 4.38), "c": (6.6, 4.38), "f": (2.4, 2.6),
    "i": (3.74, 3.12), "g": (6.3, 3.12), "written": (4.38, 3.6), "tanh_c": (8.72, 2.97),
    "o": (6.42, 2.36), "h": (8.72, 1.9), "x": (3.1, 0.27), "h_prev": (0.75, 0.5),
}  # fmt: skip


def lstm_cell(step=None, ax=None, numbers=None):
    """One LSTM cell: the cell state runs along the top, what reads x_t and h_{t−1} is below.

    step: 1 keep, 2 store, 3 update, 4 show: draws that step's parts in colour and the others pale;
    None draws all. numbers: name → the values of that quantity, written beside its line; the names
    are those of NUMBER_AT. Look at the upper line: it passes one product and one sum, no weights.
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
    for name, values in (numbers or {}).items():
        x, y = NUMBER_AT[name]
        label = ", ".join(f"{v:.2f}" for v in values)
        note(ax, x, y, label, fontsize=7.5, color=COLOURS["blue"],
             bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.6}, zorder=6)  # fmt: skip
    return ax


def hand_made_cell(ax=None):
    """A cell with four inputs and one output, and the weights that make it add, keep, clear, show.

    Each of the four inputs is a weighted sum of x1, x2, x3 and 1; arrows of weight zero are left
    out. Look at the two gates in the middle: the same weight, and opposite biases.
    """
    ax = canvas(11.0, 6.6, ax)
    sources = {"$x_1$": 1.6, "$x_2$": 4.1, "$x_3$": 6.6, "1": 9.1}
    for label, x in sources.items():
        box(ax, x, 0.35, label, "input", width=0.7, height=0.46)
    units = {"g": (1.6, "candidate"), "i": (3.6, "input gate σ"), "f": (6.1, "keep gate σ"),
             "o": (8.9, "output gate σ")}  # fmt: skip
    for gate, (x, name) in units.items():
        kind = "hidden" if gate == "g" else "plain"
        box(ax, x, 2.7, f"{name}" if gate != "g" else "candidate", kind, width=1.75, height=0.5,
            fontsize=9)  # fmt: skip
    weights = (("$x_1$", "g", "1", 0.5), ("$x_2$", "i", "100", 0.55), ("$x_2$", "f", "100", 0.55),
               ("$x_3$", "o", "100", 0.3), ("1", "i", "−10", 0.8), ("1", "f", "10", 0.78),
               ("1", "o", "−10", 0.62))  # fmt: skip
    for source, gate, weight, at in weights:
        start, end = (sources[source], 0.6), (units[gate][0], 2.43)
        arrow(ax, start, end, colour="grey" if source != "1" else "sky", dashed=source == "1")
        x, y = (a + at * (b - a) for a, b in zip(start, end))
        note(ax, x, y, weight, fontsize=9, bbox={"facecolor": "white", "edgecolor": "none",
                                                 "pad": 0.8}, zorder=5)  # fmt: skip
    for x, y, sign in ((2.6, 4.2, r"$\odot$"), (6.1, 4.2, r"$\odot$"), (4.4, 5.3, "+"),
                       (8.9, 5.3, r"$\odot$")):  # fmt: skip
        _disc(ax, x, y, sign, "blue")
    _line(ax, [(1.6, 2.95), (1.6, 4.2), (2.4, 4.2)], "blue")
    _line(ax, [(3.6, 2.95), (3.6, 4.2), (2.8, 4.2)], "blue")
    _line(ax, [(6.1, 2.95), (6.1, 4.0)], "blue")
    _line(ax, [(2.6, 4.4), (2.6, 5.3), (4.2, 5.3)], "blue")
    box(ax, 6.9, 5.3, "memory $c$", "hidden", width=1.5, height=0.56, fontsize=9.5)
    _line(ax, [(4.6, 5.3), (6.15, 5.3)], "blue", wide=2.0)
    _line(ax, [(7.3, 5.02), (7.3, 4.2), (6.3, 4.2)], "blue", wide=2.0)
    _line(ax, [(5.9, 4.2), (4.4, 4.2), (4.4, 5.1)], "blue", wide=2.0)
    note(ax, 7.4, 3.9, "at the next step", fontsize=8.5)
    _line(ax, [(7.65, 5.3), (8.7, 5.3)], "blue")
    _line(ax, [(8.9, 2.95), (8.9, 5.1)], "blue")
    box(ax, 10.4, 5.3, "$h$", "output", width=0.6)
    _line(ax, [(9.1, 5.3), (10.1, 5.3)], "blue")
    return ax


def cell_over_time(x, gates, memory, shown, axes=None):
    """What a cell of one unit reads, how its gates stand, what it holds and shows, step by step.

    x: (T, 3); gates: name → (T,); memory, shown: (T,). Look at the columns in which a gate closes.
    Returns the two axes.
    """
    if axes is None:
        _, axes = plt.subplots(2, 1, figsize=(6.8, 4.2), layout="constrained", sharex=True,
                               height_ratios=(1, 1.3))  # fmt: skip
    top, low = axes
    steps = range(1, len(memory) + 1)
    for row, values in enumerate(gates.values()):
        for t, value in zip(steps, values):
            top.plot(t, row, "s", ms=15, mfc=str(1 - 0.75 * float(value)), mec=COLOURS["grey"])
    top.set_yticks(range(len(gates)), list(gates))
    top.set(ylim=(len(gates) - 0.4, -0.6), title="gates (dark: open, white: shut)")
    top.grid(False)
    low.step(steps, memory, where="mid", color=COLOURS["blue"], label="memory $c$")
    low.bar(steps, shown, width=0.45, color=COLOURS["orange"], alpha=0.7, label="shown $h$")
    names = [f"{t}\n({', '.join(f'{v:.0f}' for v in row)})" for t, row in zip(steps, x)]
    low.set_xticks(steps, names)
    low.set(xlabel="step, and $(x_1, x_2, x_3)$ read there", ylabel="value")
    low.legend()
    return axes


def two_ways(T=4, ax=None):
    """An RNN and an LSTM over T steps, with the ways that a gradient takes back from the last.

    Look at what stands on each arrow: a slope and a matrix in every step of the RNN and on the
    lower way of the LSTM, one gate on its upper way.
    """
    ax = canvas(11.0, 5.6, ax)
    gap, first = 2.3, 2.3

    def x_of(t):
        return first + gap * t

    note(ax, 0.1, 4.7, "RNN", fontsize=11, ha="left")
    note(ax, 0.1, 1.75, "LSTM", fontsize=11, ha="left")
    for t in range(T):
        x, name = x_of(t), ("t" if t == 0 else f"t+{t}")
        box(ax, x, 4.7, f"$h_{{{name}}}$", "hidden", width=0.8)
        box(ax, x, 2.5, f"$c_{{{name}}}$", "hidden", width=0.8)
        box(ax, x, 1.0, f"$h_{{{name}}}$", "hidden", width=0.8)
        _line(ax, [(x, 1.27), (x, 2.23)], "grey")
        if t == 0:
            continue
        left, right = x_of(t - 1) + 0.42, x - 0.42
        middle = (left + right) / 2
        arrow(ax, (right, 4.7), (left, 4.7), colour="orange")
        note(ax, middle, 5.08, r"$D\,W_{hh}^{\top}$", fontsize=9)
        arrow(ax, (right, 2.5), (left, 2.5), colour="blue")
        note(ax, middle, 2.88, r"$\odot\,f$", fontsize=9)
        _line(ax, [(x - 0.3, 2.23), (left - 0.1, 1.25)], "orange")
        note(ax, middle + 0.02, 0.95, r"gates, $W_{hh}^{\top}$", fontsize=8)
    last = x_of(T - 1)
    for y in (4.7, 1.0):
        arrow(ax, (last, y - 0.8), (last, y - 0.28), colour="black")
        note(ax, last + 0.16, y - 0.62, "$L$", fontsize=10, ha="left")
    note(ax, x_of(0), 3.2, "cell path", fontsize=9, color=COLOURS["blue"])
    note(ax, x_of(0), 0.4, "h path", fontsize=9, color=COLOURS["orange"])
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
    for x, gate, slope in zip((2.65, 3.9, 5.1, 6.72), "ifgo", slopes):
        box(ax, x, 2.82, rf"$\mathrm{{d}}a_{gate}$", "plain", width=0.74, height=0.46)
        note(ax, x - 0.2 * (gate == "o"), 2.33, f"${slope}$", fontsize=8)
        if gate != "o":
            arrow(ax, (8.45, 4.45), (x + 0.1, 3.05))
    arrow(ax, (8.6, 1.25), (7.1, 2.8))
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
