"""Diagrams of chapter 2: the network folded and unrolled; losses."""

from .boxes import arrow, box, canvas, note


def _column(ax, x, names, low=0.45, gap=1.1):
    """Input, hidden and output boxes above each other, joined by arrows upwards."""
    for i, (name, kind) in enumerate(zip(names, ("input", "hidden", "output"))):
        box(ax, x, low + i * gap, name, kind)
        if i:
            arrow(ax, (x, low + (i - 1) * gap + 0.25), (x, low + i * gap - 0.25))


def folded_and_unrolled(ax=None):
    """The same network twice. Look for the three labels: they are equal in every column."""
    ax = canvas(8.4, 3.3, ax)
    _column(ax, 0.75, ("$x_t$", "$h_t$", "$z_t$"))
    arrow(ax, (1.06, 1.67), (1.06, 1.43), "$W_{hh}$", bend=-2.6, offset=(0.68, 0.0))
    note(ax, 0.44, 0.98, "$W_{xh}$", fontsize=9)
    note(ax, 0.44, 2.12, "$W_{hy}$", fontsize=9)
    note(ax, 2.45, 1.55, "=", fontsize=16)
    box(ax, 3.2, 1.55, "$h_0$", "plain")
    for x, t in zip((4.5, 5.8, 7.8), ("1", "2", "T")):
        _column(ax, x, (f"$x_{t}$", f"$h_{t}$", f"$z_{t}$"))
        note(ax, x - 0.32, 0.98, "$W_{xh}$", fontsize=9)
        note(ax, x - 0.32, 2.12, "$W_{hy}$", fontsize=9)
    for start, end in ((3.51, 4.19), (4.81, 5.49), (6.11, 6.55), (7.05, 7.49)):
        arrow(ax, (start, 1.55), (end, 1.55))
    for x in (3.85, 5.15, 6.33, 7.27):
        note(ax, x, 1.74, "$W_{hh}$", fontsize=9)
    note(ax, 6.8, 1.55, "…", fontsize=13)
    return ax


def deep_and_bidirectional(ax=None):
    """Left: two layers, the states of one are the inputs of the next. Right: one layer a direction.

    Look for the arrows between states: right, they run both ways.
    """
    ax = canvas(8.4, 3.5, ax)
    note(ax, 1.9, 3.25, "deep: two layers")
    note(ax, 6.4, 3.25, "bidirectional")
    for i, t in enumerate("123"):
        x = 0.7 + 1.2 * i
        box(ax, x, 0.4, f"$x_{t}$", "input")
        box(ax, x, 1.4, f"$h^1_{t}$", "hidden")
        box(ax, x, 2.4, f"$h^2_{t}$", "hidden")
        arrow(ax, (x, 0.65), (x, 1.15))
        arrow(ax, (x, 1.65), (x, 2.15))
        arrow(ax, (x, 2.65), (x, 3.0))
        if i:
            for y in (1.4, 2.4):
                arrow(ax, (x - 0.89, y), (x - 0.31, y))
    for i, t in enumerate("123"):
        x = 5.0 + 1.4 * i
        box(ax, x, 0.4, f"$x_{t}$", "input")
        box(ax, x - 0.26, 1.4, rf"$\overrightarrow{{h}}_{t}$", "hidden", width=0.5)
        box(ax, x + 0.26, 2.3, rf"$\overleftarrow{{h}}_{t}$", "hidden", width=0.5)
        arrow(ax, (x - 0.1, 0.65), (x - 0.26, 1.15))
        arrow(ax, (x + 0.1, 0.65), (x + 0.26, 2.05))
        arrow(ax, (x - 0.26, 1.65), (x - 0.14, 3.0))
        arrow(ax, (x + 0.26, 2.55), (x + 0.1, 3.0))
        if i:
            arrow(ax, (x - 1.41, 1.4), (x - 0.51, 1.4))
            arrow(ax, (x + 0.01, 2.3), (x - 0.89, 2.3))
    return ax


def loss_positions(ax=None):
    """Where the question is asked: at the last step only (left), or at every step (right)."""
    ax = canvas(8.4, 3.8, ax)
    for x0, scored, title in (
        (0.6, "4", "many-to-one: one loss"),
        (5.0, "1234", "in step: a loss each"),
    ):
        note(ax, x0 + 1.35, 3.6, title)
        for i, t in enumerate("1234"):
            x = x0 + 0.9 * i
            box(ax, x, 0.35, f"$x_{t}$", "input", width=0.5)
            box(ax, x, 1.3, f"$h_{t}$", "hidden", width=0.5)
            arrow(ax, (x, 0.6), (x, 1.05))
            if i:
                arrow(ax, (x - 0.65, 1.3), (x - 0.25, 1.3))
            if t in scored:
                box(ax, x, 2.25, f"$p_{t}$", "output", width=0.5)
                box(ax, x, 3.1, f"$L_{t}$", "plain", width=0.5, height=0.42)
                arrow(ax, (x, 1.55), (x, 2.0))
                arrow(ax, (x, 2.5), (x, 2.89))
    return ax


def elman_and_jordan(ax=None):
    """Two places to take the memory from. Look where the orange and blue feedback arrows begin."""
    ax = canvas(8.4, 3.5, ax)
    for x0, title, low, colour in ((0.7, "Elman: the hidden layer", 1.45, "blue"),
                                   (5.1, "Jordan: the output", 2.45, "orange")):  # fmt: skip
        note(ax, x0 + 1.3, 3.25, title)
        for i, t in enumerate("123"):
            x = x0 + 1.3 * i
            for y, name, kind in ((0.4, "x", "input"), (1.45, "h", "hidden"), (2.5, "y", "output")):
                box(ax, x, y, f"${name}_{t}$", kind)
            arrow(ax, (x, 0.65), (x, 1.2))
            arrow(ax, (x, 1.7), (x, 2.25))
            if i:
                arrow(ax, (x - 0.99, low), (x - 0.31, 1.45), colour=colour)
    note(ax, 1.35, 1.64, "$W_{hh}$", fontsize=9)
    note(ax, 2.65, 1.64, "$W_{hh}$", fontsize=9)
    note(ax, 6.02, 2.05, "$W_{yh}$", fontsize=9)
    note(ax, 7.32, 2.05, "$W_{yh}$", fontsize=9)
    return ax
