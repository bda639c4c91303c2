"""The drawings of the book: networks as boxes and arrows, made of four primitives.

One code of shape and colour throughout: inputs are green, hidden states blue, outputs orange; an
arrow is a use of a value, a label beside it the weight that it passes through.
"""

import matplotlib.pyplot as plt
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from .plots import COLOURS

FILL = {
    "input": ("#DDF2EA", COLOURS["green"]),
    "hidden": ("#DCEBF6", COLOURS["blue"]),
    "output": ("#FBE5D9", COLOURS["orange"]),
    "plain": ("#F2F2F2", COLOURS["grey"]),
}


def canvas(width: float, height: float, ax=None):
    """Axes without a frame whose unit is the distance between two boxes; (0, 0) is bottom left."""
    if ax is None:
        _, ax = plt.subplots(figsize=(min(7.5, 0.95 * width), 0.95 * height * min(1, 7.5 / width)))
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


# --- Chapter 1 ----------------------------------------------------------------------------------


def labelled_sequence(inputs, outputs, memory=False, marked=None, ax=None):
    """One network, used once per item: inputs below, outputs above. Returns the axes.

    memory: draw the state that each step hands to the next. marked: index of the item whose output
    is in question; its output gets a double frame.
    """
    step, width = 1.35, 1.12
    ax = canvas(step * len(inputs), 2.8, ax)
    for t, (item, output) in enumerate(zip(inputs, outputs)):
        x = step * (t + 0.5)
        if t == marked:
            box(ax, x, 2.4, "", "output", width + 0.14, 0.62)
        box(ax, x, 0.4, item, "input", width, 0.46)
        box(ax, x, 1.4, rf"$s_{{{t + 1}}}$" if memory else "network", "hidden", width, 0.46)
        box(ax, x, 2.4, output, "output", width, 0.46)
        arrow(ax, (x, 0.63), (x, 1.17))
        arrow(ax, (x, 1.63), (x, 2.09 if t == marked else 2.17))
        if memory and t:
            arrow(ax, (x - step + width / 2, 1.4), (x - width / 2, 1.4), colour="blue")
    return ax


def _topology(ax, x, y, inputs, outputs, name, task, step=0.82):
    """One shape of task at (x, y), its left bottom corner. None stands for no box at that step."""
    middle = x + step * (len(inputs) - 1) / 2
    note(ax, middle, y + 3.05, name, weight="bold", fontsize=9.5)
    note(ax, middle, y - 0.55, task, fontsize=8.5, color=COLOURS["grey"])
    for t, (item, output) in enumerate(zip(inputs, outputs)):
        here = x + step * t
        box(ax, here, y + 1.2, "", "hidden", 0.6, 0.44)
        if t:
            arrow(ax, (here - step + 0.3, y + 1.2), (here - 0.3, y + 1.2), colour="blue")
        if item is not None:
            box(ax, here, y, item, "input", 0.74, 0.46, fontsize=7.5)
            arrow(ax, (here, y + 0.23), (here, y + 0.98))
        if output is not None:
            box(ax, here, y + 2.4, output, "output", 0.74, 0.46, fontsize=7.5)
            arrow(ax, (here, y + 1.42), (here, y + 2.17))


def topologies():
    """The five shapes that a task may have, each with one task. Returns the axes.

    Look at the middle row: only the first shape has no arrow from step to step.
    """
    ax = canvas(10.6, 9.0)
    none = None
    _topology(ax, 1.3, 5.5, ["image"], ["“7”"], "one to one", "classify an image")
    _topology(ax, 3.8, 5.5, ["image", none, none], ["a", "dog", "runs"], "one to many",
              "image captioning")  # fmt: skip
    _topology(ax, 7.6, 5.5, ["not", "so", "good"], [none, none, "bad"], "many to one",
              "sentiment of a sentence")  # fmt: skip
    _topology(ax, 0.8, 0.9, ["Elle", "aime", "la", "Chine", none, none],
              [none, none, none, "She", "loves", "China"], "many to many, delayed",
              "translation")  # fmt: skip
    _topology(ax, 7.2, 0.9, ["h", "e", "l", "l"], ["e", "l", "l", "o"], "many to many, in step",
              "language model, video labelling")  # fmt: skip
    return ax


def _dots(ax, T, rows, used):
    """Rows of small circles; those in `used` are filled. used: a set of (row, t)."""
    for row in range(rows):
        for t in range(T):
            on = (row, t) in used
            colour = COLOURS["green" if row == 0 else "blue"]
            ax.plot(t, row, "o", ms=8, mfc=colour if on else "white",
                    mec=colour if on else "#BBBBBB", zorder=3)  # fmt: skip


def window_view(ax, T=12, dilations=(1, 2, 4)):
    """What the last output of stacked causal convolutions of width 2 can see: filled circles."""
    used, edges = {(len(dilations), T - 1)}, []
    for row in range(len(dilations), 0, -1):
        for t in [t for r, t in used if r == row]:
            for before in (t, t - dilations[row - 1]):
                used.add((row - 1, before))
                edges.append(((before, row - 1), (t, row)))
    for (t0, row0), (t1, row1) in edges:
        ax.plot([t0, t1], [row0, row1], color=COLOURS["grey"], lw=1.2, zorder=2)
    _dots(ax, T, len(dilations) + 1, used)
    names = [f"layer {row}" for row in range(1, len(dilations) + 1)]
    _name_rows(ax, T, ["input", *names])


def state_view(ax, T=12):
    """What the last state of a recurrent network can see: every input, through one chain."""
    for t in range(T):
        ax.plot([t, t], [0, 1], color=COLOURS["grey"], lw=1.2, zorder=2)
    ax.plot([0, T - 1], [1, 1], color=COLOURS["grey"], lw=1.2, zorder=2)
    _dots(ax, T, 2, {(row, t) for row in range(2) for t in range(T)})
    _name_rows(ax, T, ["input", "state"])


def _name_rows(ax, T, names):
    ax.set_xlim(-0.6, T - 0.4)
    ax.set_ylim(-0.5, len(names) - 0.5)
    ax.set_yticks(range(len(names)), names)
    ax.set_xticks(range(T), [str(t + 1) for t in range(T)])
    ax.tick_params(length=0)
    ax.grid(False)
    for side in ("left", "bottom"):
        ax.spines[side].set_visible(False)


# --- Chapter 2 ----------------------------------------------------------------------------------


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


# --- Chapter 3 ----------------------------------------------------------------------------------


def forward_and_backward(ax=None):
    """Left: values flow up and right. Right: gradients flow down and left, along the same arrows.

    Look at each blue box on the right: two arrows end in it, one from its own loss (orange, direct)
    and one from the step after it (pink, dashed, recurrent).
    """
    ax = canvas(10.4, 3.9, ax)
    for x0, title, d in (
        (1.5, "forward: values", ""),
        (6.6, "backward: gradients", r"\mathrm{d}"),
    ):
        note(ax, x0 + 1.2, 3.65, title)
        box(ax, x0 - 1.15, 1.7, f"${d}h_0$", "plain", width=0.6)
        for i, t in enumerate("123"):
            x = x0 + 1.4 * i
            box(ax, x, 0.4, f"${d}x_{t}$", "input", width=0.6)
            box(ax, x, 1.7, f"${d}h_{t}$", "hidden", width=0.6)
            box(ax, x, 2.95, f"$L_{t}$", "output", width=0.6)
            before = x - (0.85 if i == 0 else 1.1)
            if d:
                arrow(ax, (x, 2.7), (x, 1.95), colour="orange")
                arrow(ax, (x - 0.3, 1.7), (before, 1.7), colour="pink", dashed=True)
                arrow(ax, (x, 1.45), (x, 0.65))
            else:
                arrow(ax, (x, 0.65), (x, 1.45))
                arrow(ax, (before, 1.7), (x - 0.3, 1.7))
                arrow(ax, (x, 1.95), (x, 2.7))
            upper, lower = (rf"W_{{{w}}}" + (r"^{\top}" if d else "") for w in ("hh", "xh"))
            note(ax, (before + x - 0.3) / 2, 1.93, f"${upper}$", fontsize=8.5)
            note(ax, x + 0.34, 1.05, f"${lower}$", fontsize=8.5)
    note(ax, 6.6 + 3.22, 2.32, "direct", fontsize=8.5)
    note(ax, 6.6 + 2.1, 2.3, "recurrent", fontsize=8.5)
    return ax


def one_step_backward(ax=None):
    """Back through one step: two gradients meet in dh_t, three leave from da_t.

    Look at da_t: everything that this step contributes to a weight or to an input starts there.
    """
    ax = canvas(9.2, 3.5, ax)
    box(ax, 7.7, 1.75, r"$\mathrm{d}h_t$", "hidden", width=0.8)
    box(ax, 4.6, 1.75, r"$\mathrm{d}a_t$", "hidden", width=0.8)
    box(ax, 1.2, 1.75, r"$\mathrm{d}h_{t-1}$", "plain", width=1.0)
    box(ax, 4.6, 0.4, r"$\mathrm{d}x_t$", "input", width=0.8)
    box(ax, 3.0, 3.1, "adds to the weights’ gradients", "plain", width=4.3)
    arrow(ax, (7.7, 3.05), (7.7, 2.0), colour="orange")
    note(ax, 7.7, 3.25, "direct: from $L_t$", fontsize=9)
    arrow(ax, (7.7, 0.45), (7.7, 1.5), colour="pink", dashed=True)
    note(ax, 7.7, 0.25, "recurrent: from step $t+1$", fontsize=9)
    arrow(ax, (7.3, 1.75), (5.0, 1.75), r"$\odot\;(1 - h_t^2)$", offset=(0, 0.24))
    arrow(ax, (4.2, 1.75), (1.7, 1.75), r"$W_{hh}^{\top}$", colour="pink", offset=(0, 0.24),
          dashed=True)  # fmt: skip
    arrow(ax, (4.6, 1.5), (4.6, 0.65), r"$W_{xh}^{\top}$", offset=(0.36, 0))
    arrow(ax, (4.6, 2.0), (4.6, 2.85))
    note(ax, 5.0, 2.4, r"$h_{t-1}^{\top},\; x_t^{\top},\; 1$", fontsize=9, ha="left")
    return ax


def truncated(ax=None, k=3, chunks=3):
    """Chunks of k steps: the state passes their borders (blue), the gradient does not (pink).

    Look at the two borders: the upper arrow crosses, the lower one ends in a cross.
    """
    step, gap = 0.94, 0.5
    ax = canvas(0.7 + chunks * (k * step + gap), 4.0, ax)
    place = [0.75 + i * step + (i // k) * gap for i in range(k * chunks)]
    for c in range(chunks):
        first, last = place[c * k], place[c * k + k - 1]
        ax.add_patch(
            FancyBboxPatch(
                (first - 0.4, 0.08), last - first + 0.8, 3.1, linewidth=0,
                boxstyle="round,pad=0,rounding_size=0.12", facecolor="#F4F4F4",
            )
        )  # fmt: skip
        note(ax, (first + last) / 2, 3.55, f"chunk {c + 1}: one update")
    for i, x in enumerate(place):
        box(ax, x, 0.42, f"$x_{i + 1}$", "input", width=0.5, height=0.42)
        box(ax, x, 1.62, f"$h_{i + 1}$", "hidden", width=0.5, height=0.62)
        box(ax, x, 2.85, f"$L_{i + 1}$", "output", width=0.5, height=0.42)
        arrow(ax, (x, 0.63), (x, 1.31))
        arrow(ax, (x - 0.08, 1.93), (x - 0.08, 2.64))
        arrow(ax, (x + 0.08, 2.64), (x + 0.08, 1.93), colour="orange", dashed=True)
        if i == 0:
            continue
        left, right, border = place[i - 1] + 0.25, x - 0.25, i % k == 0
        arrow(ax, (left, 1.77), (right, 1.77), colour="blue")
        if border:
            cut = (left + right) / 2
            arrow(ax, (right, 1.45), (cut + 0.06, 1.45), colour="pink", dashed=True)
            ax.plot([cut - 0.07], [1.45], "x", color=COLOURS["black"], ms=9, mew=2.2)
        else:
            arrow(ax, (right, 1.45), (left, 1.45), colour="pink", dashed=True)
    return ax
