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


# --- Chapter 5: the gates -----------------------------------------------------------------------


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


# --- Chapter 5: the way back ---------------------------------------------------------------------


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


# --- Chapter 6: variants -------------------------------------------------------------------------


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


# --- Chapter 7 ----------------------------------------------------------------------------------

STAGES = {  # what each simplification of the LSTM still has
    "lstm": {"i", "o", "c"},
    "cifg": {"o", "c"},
    "update": set(),
    "gru": {"r"},
}


def gru_stage(stage="gru", ax=None):
    """One step of a cell on the way from the LSTM to the GRU: stage lstm, cifg, update or gru.

    Look at the line on top, the memory, and at how many boxes with σ are left below it.
    """
    has = STAGES[stage]
    state, keep, new = ("c", "f", "g") if "c" in has else ("h", "z", "n")
    ax = canvas(9.6, 4.1, ax)
    box(ax, 0.6, 3.55, f"${state}_{{t-1}}$", "hidden", width=0.8)
    box(ax, 9.0, 3.55, f"${state}_t$", "hidden", width=0.8)
    for x, y, sign in ((2.6, 3.55, r"$\odot$"), (4.6, 3.55, "+"), (4.6, 2.5, r"$\odot$")):
        box(ax, x, y, sign, "plain", width=0.36, height=0.36, fontsize=11)
    for start, end in (((1.0, 3.55), (2.42, 3.55)), ((2.78, 3.55), (4.42, 3.55)),
                       ((4.78, 3.55), (8.6, 3.55))):  # fmt: skip
        arrow(ax, start, end, colour="blue")
    arrow(ax, (4.6, 2.68), (4.6, 3.37))
    box(ax, 2.6, 1.4, rf"$\sigma$   ${keep}$", "plain", width=0.9)
    arrow(ax, (2.6, 1.65), (2.6, 3.37), "keep", offset=(-0.34, 0.1))
    box(ax, 4.6, 1.4, f"tanh   ${new}$", "hidden", width=1.15)
    arrow(ax, (4.6, 1.65), (4.6, 2.32))
    if "i" in has:
        box(ax, 6.2, 1.4, r"$\sigma$   $i$", "plain", width=0.9)
        arrow(ax, (6.1, 1.65), (4.78, 2.45), "write", offset=(0.3, 0.22))
    else:
        arrow(ax, (2.85, 1.65), (4.42, 2.45), f"$1-{keep}$", offset=(-0.2, 0.3))
    sources = [2.6, 4.6] + [6.2] * ("i" in has)
    if "o" in has:
        box(ax, 7.8, 2.85, "tanh", "plain", width=0.8, height=0.42)
        box(ax, 7.8, 2.1, r"$\odot$", "plain", width=0.36, height=0.36, fontsize=11)
        box(ax, 7.8, 1.4, r"$\sigma$   $o$", "plain", width=0.9)
        box(ax, 9.0, 2.1, "$h_t$", "hidden", width=0.8)
        arrow(ax, (7.8, 3.55), (7.8, 3.06))
        arrow(ax, (7.8, 2.64), (7.8, 2.28))
        arrow(ax, (7.8, 1.65), (7.8, 1.92))
        arrow(ax, (7.98, 2.1), (8.6, 2.1))
        sources.append(7.8)
    if "r" in has:
        box(ax, 7.4, 1.4, r"$\sigma$   $r$", "plain", width=0.9)
        box(ax, 6.1, 1.4, r"$\odot$", "plain", width=0.36, height=0.36, fontsize=11)
        arrow(ax, (6.95, 1.4), (6.28, 1.4))
        arrow(ax, (5.92, 1.4), (5.18, 1.4))
        note(ax, 6.2, 1.85, "how much past", fontsize=9)
        arrow(ax, (6.1, 0.59), (6.1, 1.22), "$h_{t-1}$", offset=(0.36, 0))
        sources.append(7.4)
    left, right = 2.1, max(sources) + 0.6
    box(ax, (left + right) / 2, 0.35, "$x_t$ and $h_{t-1}$", "input", width=right - left,
        height=0.48)  # fmt: skip
    for x in sources:
        label = "$x_t$" if "r" in has and x == 4.6 else ""
        arrow(ax, (x, 0.59), (x, 1.15), label, offset=(0.25, 0))
    return ax


def four_machines(ax=None):
    """The GRU's gates as axes: at three corners and along one edge it is an older network.

    Look at the left edge, z = 1: there the reset gate has nothing to say.
    """
    ax = canvas(8.4, 3.9, ax)
    ax.add_patch(
        FancyBboxPatch((2.2, 0.85), 4.4, 2.2, boxstyle="round,pad=0,rounding_size=0.1",
                       facecolor="#F4F4F4", linewidth=0)
    )  # fmt: skip
    box(ax, 6.6, 3.05, "plain RNN", "hidden", width=1.5)
    box(ax, 6.6, 0.85, "feed-forward", "input", width=1.5)
    box(ax, 2.2, 1.95, "copy", "output", width=0.9, height=2.6)
    box(ax, 4.4, 3.05, "leaky unit", "hidden", width=1.5)
    note(ax, 4.4, 1.95, "everything between\nis learned", fontsize=9.5)
    arrow(ax, (2.2, 0.35), (6.6, 0.35), "$1-z$: write", offset=(0, -0.2))
    arrow(ax, (7.7, 0.85), (7.7, 3.05), "$r$", offset=(0.25, 0))
    for x, label in ((1.95, "0"), (6.85, "1")):
        note(ax, x, 0.35, label, fontsize=9)
    for y, label in ((0.65, "0"), (3.25, "1")):
        note(ax, 7.7, y, label, fontsize=9)
    return ax


# --- Chapter 8: deep and bidirectional -----------------------------------------------------------


def stack_gradients(ax=None):
    """Gradients in a stack of two layers: left within a layer, down between layers.

    Look at a state of the lower layer: what comes from above is its dhs, what comes from the right
    is its own backpropagation through time.
    """
    ax = canvas(7.6, 4.5, ax)
    for i, t in enumerate("123"):
        x = 1.5 + 1.8 * i
        box(ax, x, 0.4, rf"$\mathrm{{d}}x_{t}$", "input", width=0.8)
        for y, layer in ((1.6, 1), (2.9, 2)):
            box(ax, x, y, rf"$\mathrm{{d}}h^{layer}_{t}$", "hidden", width=0.8)
            arrow(ax, (x, y - 0.25), (x, y - (0.95 if layer == 1 else 1.05)), colour="blue")
            note(ax, x + 0.42, y - 0.6, rf"$W_{{xh}}^{{{layer}\,\top}}$", fontsize=8.5)
            arrow(ax, (x - 0.4, y), (x - (1.1 if i == 0 else 1.4), y), colour="pink", dashed=True)
            note(ax, x - 0.82, y + 0.25, rf"$W_{{hh}}^{{{layer}\,\top}}$", fontsize=8.5)
        arrow(ax, (x, 3.75), (x, 3.15), colour="orange")
        note(ax, x, 3.98, f"from $L_{t}$", fontsize=9)
    note(ax, 6.0, 2.25, "d$x$ of layer 2\nis d$hs$ of layer 1", fontsize=9, ha="left")
    return ax


def dropout_masks(ax=None):
    """Where the masks act: one colour is one mask. Left a new one each step, right one for all.

    Look at the arrows from the lower to the upper layer; the arrows along time have no mask.
    """
    ax = canvas(9.6, 3.6, ax)
    for x0, title, colours in (
        (0.7, "a new mask at each step", ("orange", "green", "pink", "sky")),
        (5.7, "one mask for the whole sequence", ("orange",) * 4),
    ):
        note(ax, x0 + 1.65, 3.35, title)
        for i, (t, colour) in enumerate(zip("1234", colours)):
            x = x0 + 1.1 * i
            box(ax, x, 0.4, f"$x_{t}$", "input")
            arrow(ax, (x, 0.65), (x, 1.15))
            for y, layer in ((1.4, 1), (2.6, 2)):
                box(ax, x, y, f"$h^{layer}_{t}$", "hidden")
                if i:
                    arrow(ax, (x - 0.79, y), (x - 0.31, y))
            arrow(ax, (x, 1.65), (x, 2.35), colour=colour)
            ax.plot(x, 1.98, "osD^"[("orange", "green", "pink", "sky").index(colour)],
                    color=COLOURS[colour], ms=9)  # fmt: skip
    return ax


def bidirectional_gradients(ax=None):
    """Left: two networks, one reads from each end. Right: each one's gradient runs against it.

    Look at the ends: the forward network has read everything at t = 3, the backward one at t = 1.
    """
    ax = canvas(10.6, 4.3, ax)
    for x0, d, title in ((1.0, "", "forward: values"), (6.5, r"\mathrm{d}", "backward: gradients")):
        note(ax, x0 + 1.6, 4.05, title)
        back = bool(d)
        for i, t in enumerate("123"):
            x = x0 + 1.6 * i
            box(ax, x, 0.4, f"${d}x_{t}$", "input", width=0.66)
            box(ax, x - 0.3, 1.5, rf"${d}\overrightarrow{{h}}_{t}$", "hidden", width=0.62)
            box(ax, x + 0.3, 2.4, rf"${d}\overleftarrow{{h}}_{t}$", "hidden", width=0.62)
            box(ax, x, 3.4, f"${d}z_{t}$", "output", width=0.66)
            ways = (
                ((x - 0.12, 0.65), (x - 0.3, 1.25), "grey"),
                ((x + 0.16, 0.65), (x + 0.36, 2.15), "grey"),
                ((x - 0.3, 1.75), (x - 0.18, 3.15), "grey"),
                ((x + 0.3, 2.65), (x + 0.16, 3.15), "grey"),
            )
            if i:
                ways += (
                    ((x - 1.59, 1.5), (x - 0.61, 1.5), "blue"),
                    ((x - 0.01, 2.4), (x - 0.99, 2.4), "blue"),
                )
            for start, end, colour in ways:
                if back:
                    start, end = end, start
                    colour = "orange" if colour == "grey" else "pink"
                arrow(ax, start, end, colour=colour, dashed=colour == "pink")
    return ax


def reversed_padding(ax=None):
    """A sequence of three in a batch of five: reversed within its own length, and with its padding.

    Look where the padding ends up in the last row: in front of everything.
    """
    ax = canvas(8.2, 2.6, ax)
    rows = (
        ("as it lies in the batch", "abc..", 2.1),
        ("reversed within its length", "cba..", 1.25),
        ("reversed with its padding", "..cba", 0.4),
    )
    for label, row, y in rows:
        note(ax, 3.3, y, label, ha="right")
        for i, symbol in enumerate(row):
            real = symbol != "."
            name = f"$x_{'abc'.index(symbol) + 1}$" if real else "pad"
            box(ax, 4.0 + 0.85 * i, y, name, "input" if real else "plain", width=0.75, fontsize=9)
    return ax


# --- Chapter 8: slots ---------------------------------------------------------------------------

SLOT_COLOURS = {
    "from": "orange",
    "to": "blue",
    "via": "green",
    "leave": "yellow",
    "arrive": "sky",
}


def tagged_sentences(rows=None, ax=None, colours=SLOT_COLOURS):
    """Sentences with a coloured bar and a name under every slot. Returns the axes.

    rows: pairs (words, tags), tags in IOB form; None draws the two sentences of chapter 1. Look for
    the same word above two colours.
    """
    if rows is None:
        date = ["on", "November", "2nd"]
        rows = [
            (["leave", "Taipei", *date], ["O", "B-from", "O", "B-leave", "I-leave"]),
            (["arrive", "Taipei", *date], ["O", "B-to", "O", "B-arrive", "I-arrive"]),
        ]
    letter = 0.122  # width of a monospaced letter at this size, in units of the canvas
    widest = max(sum(len(word) + 1 for word in words) for words, _ in rows)
    ax = canvas(max(5.0, letter * widest + 0.4), 0.95 * len(rows) + 0.1, ax)
    size = 10 * min(1, 7.5 / (0.95 * (letter * widest + 0.4)))
    for row, (words, tags) in enumerate(rows):
        x, y = 0.2, 0.95 * (len(rows) - row) - 0.25
        for i, (word, tag) in enumerate(zip(words, tags)):
            width = letter * len(word)
            part, _, slot = tag.partition("-")
            style = {"family": "monospace", "color": COLOURS["black"]}
            note(ax, x + width / 2, y, word, fontsize=size, **style)
            if slot:
                joined = i + 1 < len(tags) and tags[i + 1] == f"I-{slot}"
                bar = [x, x + width + letter * joined]
                colour = COLOURS[colours[slot]]
                ax.plot(bar, [y - 0.2] * 2, color=colour, linewidth=5, solid_capstyle="butt")
                if part == "B":
                    note(ax, x, y - 0.42, slot, ha="left", fontsize=0.9 * size, **style)
            x += width + letter
    return ax


# --- Notebook 22: the bottleneck -----------------------------------------------------------------


def same_context(ax=None, lengths=(3, 6, 10)):
    """Sentences of unequal length, each encoded into a context of the same size.

    Look at the middle: the blue box does not grow with the sentence.
    """
    step, rows = 0.42, len(lengths)
    middle = step * max(lengths) + 1.2
    ax = canvas(2 * middle, 0.85 * rows + 0.6, ax)
    for row, n in enumerate(lengths):
        y = 0.85 * (rows - row) - 0.4
        for side, kind in ((-1, "input"), (1, "output")):
            for i in range(n):
                box(ax, middle + side * (1.25 + step * i), y, "", kind, width=0.34, height=0.42)
        box(ax, middle, y, "$c$", "hidden", width=0.7, height=0.56)
        arrow(ax, (middle - 1.05, y), (middle - 0.38, y))
        arrow(ax, (middle + 0.38, y), (middle + 1.05, y))
    side = 1.25 + step * (max(lengths) - 1) / 2
    for x, text in ((-side, "source words"), (0, "$H$ numbers"), (side, "target words")):
        note(ax, middle + x, 0.85 * rows + 0.3, text)
    return ax


def time_lags(ax=None, n=5):
    """Steps from each source word to its translation: source as it is, and source reversed.

    Look at the numbers under the orange boxes: all equal above; 1, 3, 5 … below. Same mean.
    """
    step = 0.82
    ax = canvas(step * (2 * n + 0.6), 5.4, ax)
    for y, reverse, title in ((3.7, False, "source as it is"), (0.8, True, "source reversed")):
        note(ax, step * (n / 2 + 0.1), y - 0.5, f"{title}: steps", fontsize=9.5)
        for i in range(1, n + 1):
            source = step * ((n - i if reverse else i - 1) + 0.6)
            target = step * (n + i - 0.1)
            box(ax, source, y, f"$x_{i}$", "input", width=0.62, height=0.46)
            box(ax, target, y, f"$y_{i}$", "output", width=0.62, height=0.46)
            arrow(ax, (source, y + 0.25), (target, y + 0.25), bend=-0.42, colour="blue")
            note(ax, target, y - 0.5, str(2 * i - 1 if reverse else n), weight="bold")
    return ax


# --- Notebook 24: decoding ------------------------------------------------------------------------

DECODING_TREE = {
    "": {"a": 0.55, "b": 0.40, "</s>": 0.05},
    "a": {"a": 0.40, "b": 0.35, "</s>": 0.25},
    "b": {"a": 0.06, "b": 0.04, "</s>": 0.90},
}


def _in_beam(table, k):
    """The choices (beginning, symbol) that a beam search of width k keeps in a tree."""
    beam, room, kept = [("", 1.0)], k, set()
    while beam and room:
        grown = [((start, s), p * q) for start, p in beam for s, q in table.get(start, {}).items()]
        grown = sorted(grown, key=lambda item: -item[1])[:room]
        kept |= {choice for choice, _ in grown}
        room -= sum(symbol == "</s>" for (_, symbol), _ in grown)
        beam = [(start + s, p) for (start, s), p in grown if s != "</s>"]
    return kept


def decoding_tree(table=DECODING_TREE, k=1, ax=None):
    """All answers of a small decoder with their probabilities, and what a beam of width k keeps.

    table: beginning → symbol → probability; a beginning that is not in the table ends for certain.
    Blue boxes and thick arrows are kept, dashed ones pruned. Look for the framed answer, the most
    probable one: is it among the blue? Returns the axes.
    """
    kept, leaves = _in_beam(table, k), []

    def place(start, p):
        """Draw the choices after a beginning, at the height of their leaves; return that height."""
        x, heights = 1.0 + 2.1 * len(start), []
        for symbol, q in table[start].items():
            grown = start + symbol
            if symbol != "</s>" and grown in table:
                y = place(grown, p * q)
            else:
                y = height - 0.45 - 0.75 * len(leaves)
                leaves.append((y, x + 2.1, start + symbol * (symbol != "</s>"), p * q))
            heights.append((y, (start, symbol), q))
        middle = (heights[0][0] + heights[-1][0]) / 2
        for y, choice, q in heights:
            inside = choice in kept
            arrow(ax, (x + 0.32, middle), (x + 1.78, y), colour="blue" if inside else "grey",
                  dashed=not inside)  # fmt: skip
            box(ax, x + 2.1, y, choice[1], "hidden" if inside else "plain", height=0.46)
            note(ax, x + 1.2, middle + 0.6 * (y - middle), f"{q:.2f}", fontsize=8.5,
                 bbox={"boxstyle": "round,pad=0.12", "fc": "white", "ec": "none"})  # fmt: skip
        return middle

    n = sum(
        symbol == "</s>" or start + symbol not in table
        for start, choices in table.items()
        for symbol in choices
    )
    depth, height = 1 + max(map(len, table)), 0.75 * n + 0.25
    ax = canvas(2.1 * depth + 4.0, height, ax)
    box(ax, 1.0, place("", 1.0), "<s>", "hidden", height=0.46)
    best = max(p for *_, p in leaves)
    for y, x, answer, p in leaves:
        end = 2.1 * depth + 1.5
        if x < end - 0.6:
            ax.plot([x + 0.4, end - 0.1], [y, y], ":", color="#BBBBBB", linewidth=1)
        text = f"{answer or 'empty'}  {p:.4f}"
        style = {"bbox": {"boxstyle": "round,pad=0.25", "fc": "white", "ec": COLOURS["orange"],
                          "lw": 1.6}} if p == best else {}  # fmt: skip
        note(ax, end + 0.05, y, text, ha="left", fontsize=9.5, **style)
    return ax


# --- Notebook 25: captions ----------------------------------------------------------------------


def _feed(ax, x0, y, feed, below, above, source):
    """A decoder of three steps and the way of the context c into it; c lies at (x0, y)."""
    note(ax, x0 + 1.5, y + 1.45, f'feed = "{feed}"')
    box(ax, x0, y, "$c$", source, width=0.52)
    for i in range(3):
        x = x0 + 1.08 + 0.92 * i
        box(ax, x, y, f"$h_{i + 1}$", "hidden", width=0.54)
        arrow(ax, (x, y - 1.05), (x, y - 0.25))
        note(ax, x, y - 1.25, below[i])
        arrow(ax, (x, y + 0.25), (x, y + 0.8))
        note(ax, x, y + 1.0, above[i])
        if i:
            arrow(ax, (x - 0.65, y), (x - 0.27, y), colour="blue")
        if feed != "start":
            arrow(ax, (x - 0.38, y - 0.65), (x - 0.14, y - 0.25), colour="orange")
    if feed != "start":
        ax.plot([x0, x0, x0 + 2.54], [y - 0.25, y - 0.65, y - 0.65], color=COLOURS["orange"],
                linewidth=1.3)  # fmt: skip
    if feed != "input":
        arrow(ax, (x0 + 0.26, y), (x0 + 0.81, y), colour="orange")


def caption_feeds(ax=None):
    """Where a picture's features enter a decoder: once at the start, at every step, or both.

    Look at the orange arrows from the picture: one, one a step, or all of them.
    """
    ax = canvas(11.35, 3.3, ax)
    for panel, feed in enumerate(("start", "input", "both")):
        x0 = 0.6 + 3.7 * panel
        _feed(ax, x0, 1.6, feed, ("<s>", "two", "fives"), ("two", "fives", "</s>"), "input")
        note(ax, x0, 2.12, "picture", fontsize=9)
    return ax


# --- Notebook 23: attention -----------------------------------------------------------------------


def queries(ax=None):
    """One query for all steps, and one for every step, over the same memory. Returns the axes.

    Look for who asks: on the left a parameter, once; on the right each state of the decoder.
    """
    ax = canvas(8.6, 4.0, ax)
    for x0, title in ((0.2, "one query for all steps"), (4.6, "a query for every step")):
        note(ax, x0 + 1.85, 3.75, title, weight="bold", fontsize=9.5)
        places = [x0 + 0.55 + 0.87 * j for j in range(4)]
        for j, x in enumerate(places):
            box(ax, x, 0.35, f"$m_{j + 1}$", "input", 0.56, 0.46)
        steps = [x0 + 0.75 + 1.1 * t for t in range(3)]
        for t, x in enumerate(steps):
            box(ax, x, 3.1, f"$h_{t + 1}$", "hidden", 0.56, 0.46)
            if t:
                arrow(ax, (steps[t - 1] + 0.28, 3.1), (x - 0.28, 3.1), colour="blue")
        contexts = [x0 + 1.85] if x0 < 1 else steps
        for t, x in enumerate(contexts):
            box(ax, x, 1.75, "$c$" if x0 < 1 else f"$c_{t + 1}$", "output", 0.5, 0.46)
            for place in places:
                arrow(ax, (place, 0.58), (x + 0.08 * (place - x), 1.52))
        if x0 < 1:
            box(ax, x0 + 0.55, 1.75, "$v_s$", "plain", 0.5, 0.46)
            arrow(ax, (x0 + 0.8, 1.75), (x0 + 1.6, 1.75), colour="pink", dashed=True)
            for x in steps:
                arrow(ax, (x0 + 1.85, 1.98), (x, 2.87), colour="orange")
        else:
            for x in steps:
                arrow(ax, (x - 0.12, 2.87), (x - 0.12, 1.98), colour="pink", dashed=True)
                arrow(ax, (x + 0.12, 1.98), (x + 0.12, 2.87), colour="orange")
    return ax


def attention_gradients(ax=None):
    """Attention forward (grey) and its gradients (orange). Returns the axes.

    Look at m_j: two arrows leave it, so two gradients come back, which are added.
    """
    ax = canvas(8.2, 3.3, ax)
    for x, y, name, kind in (
        (0.5, 2.6, "$q_t$", "hidden"), (0.5, 0.6, "$m_j$", "input"),
        (2.9, 2.0, "$e_{tj}$", "plain"), (5.1, 2.0, r"$\alpha_{tj}$", "plain"),
        (7.5, 1.6, "$c_t$", "output"),
    ):  # fmt: skip
        box(ax, x, y, name, kind, 0.7, 0.5)
    for start, end, label, offset in (
        ((2.55, 2.1), (0.85, 2.6), r"$\mathrm{d}e_{tj}\, m_j$", (0.1, 0.25)),
        ((2.55, 1.85), (0.75, 0.85), r"$\mathrm{d}e_{tj}\, q_t$", (-0.35, 0.25)),
        ((4.75, 2.1), (3.25, 2.1), "softmax", (0.0, 0.22)),
        ((7.15, 1.75), (5.45, 2.1), r"$\mathrm{d}c_t \cdot m_j$", (0.15, 0.28)),
        ((7.15, 1.4), (0.85, 0.5), r"$\alpha_{tj}\, \mathrm{d}c_t$", (0.3, 0.24)),
    ):
        arrow(ax, start, end, label, colour="orange", offset=offset)
    for start, end in (
        ((0.85, 2.45), (2.55, 1.98)), ((0.85, 0.65), (2.8, 1.75)), ((3.25, 1.92), (4.75, 1.92)),
        ((5.45, 1.95), (7.15, 1.6)), ((0.85, 0.35), (7.25, 1.35)),
    ):  # fmt: skip
        arrow(ax, start, end)
    return ax


def attention_orders(ax=None):
    """When the question is asked: after the decoder's step (Luong), or before it (Bahdanau)."""
    ax = canvas(8.4, 3.5, ax)
    for y, title in ((2.25, "asked with $h_t$"), (0.4, "asked with $h_{t-1}$")):
        after = y > 1
        note(ax, 0.1, y + 1.05, title, weight="bold", fontsize=9.5, ha="left")
        if after:
            names = ("$h_{t-1}$", "$h_t$", "$c_t$", "$u_t$", "$z_t$")
            kinds = ("hidden", "hidden", "plain", "plain", "output")
        else:
            names, kinds = (
                ("$h_{t-1}$", "$c_t$", "$h_t$", "$z_t$"),
                ("hidden", "plain", "hidden", "output"),
            )
        xs = [0.6 + 1.65 * i for i in range(len(names))]
        for x, name, kind in zip(xs, names, kinds):
            box(ax, x, y, name, kind, 0.8, 0.5)
        for i, (left, right) in enumerate(zip(xs, xs[1:])):
            asks = (names[i], names[i + 1]) in (("$h_t$", "$c_t$"), ("$h_{t-1}$", "$c_t$"))
            arrow(ax, (left + 0.4, y), (right - 0.4, y), "asks" if asks else "",
                  colour="pink" if asks else "grey", offset=(0, 0.2), dashed=asks)  # fmt: skip
        skip = (1, 3) if after else (0, 2)
        start, end = (xs[i] for i in skip)
        arrow(ax, (start, y + 0.25), (end, y + 0.25), bend=-0.3)
        t = names.index("$h_t$")
        note(ax, xs[t] + (0 if after else 0.55), y + 0.75, "$y_{t-1}$")
        arrow(ax, (xs[t] + (0 if after else 0.4), y + 0.58), (xs[t] + 0.1, y + 0.25))
    return ax


# --- Notebook 26: pronunciation -----------------------------------------------------------------


def letters_to_phones(word="knight", phones=("N", "AY", "T"), looks=((1,), (2,), (5,)), ax=None):
    """A speller's six letters, a speaker's three phones: encoder in two directions, attention.

    looks: for each phone the letters that it looks at most. Look at the letters that nobody looks
    at, and at what the state under i has read when AY is said.
    """
    T, S = len(word), len(phones) + 1
    ax = canvas(1.05 * T + 0.9, 5.15, ax)
    xs = [0.95 + 1.05 * j for j in range(T)]
    ys = [xs[0] + (xs[-1] - xs[0]) * (i + 0.5) / S for i in range(S)]  # decoder, spread above
    for j, x in enumerate(xs):
        box(ax, x, 0.3, word[j], "input")
        box(ax, x, 1.35, f"$m_{j + 1}$", "hidden")
        arrow(ax, (x, 0.55), (x, 1.1))
        if j:
            arrow(ax, (xs[j - 1] + 0.31, 1.42), (x - 0.31, 1.42), colour="blue")
            arrow(ax, (x - 0.31, 1.26), (xs[j - 1] + 0.31, 1.26), colour="blue")
    for i, x in enumerate(ys):
        for j in looks[i] if i < len(looks) else (T - 1,):
            wide = 2.6 if i < len(looks) else 1.0
            ax.plot([xs[j], x], [1.6, 3.0], color=COLOURS["orange"], linewidth=wide, alpha=0.75,
                    solid_capstyle="round")  # fmt: skip
        box(ax, x, 3.25, f"$h_{i + 1}$", "hidden")
        box(ax, x, 4.3, (*phones, "</s>")[i], "output")
        arrow(ax, (x, 3.5), (x, 4.05))
        if i:
            arrow(ax, (ys[i - 1] + 0.31, 3.25), (x - 0.31, 3.25), colour="blue")
            arrow(ax, (ys[i - 1] + 0.31, 4.2), (x - 0.2, 3.5), colour="green", bend=0.1)
    note(ax, (xs[0] + xs[-1]) / 2, 4.9, "what was said is read before the next phone", fontsize=9)
    note(ax, 0.12, 2.3, "attention", fontsize=9, ha="left")
    return ax


# --- Notebook 21: translation -------------------------------------------------------------------


def translation_links(ax=None):
    """Which English word comes from which French word: other numbers, another order.

    Look at the lines that cross, and at the words without a line.
    """
    ax = canvas(9.6, 4.5, ax)
    rows = (
        (3.9, "elle n' aime pas la Chine .", "she does not love China .",
         ((0, 0), (1, 1), (1, 2), (3, 2), (2, 3), (5, 4), (6, 5))),
        (1.6, "le soir , je la cherche souvent .", "I often look for her in the evening .",
         ((3, 0), (6, 1), (5, 2), (5, 3), (4, 4), (0, 6), (1, 7), (7, 8))),
    )  # fmt: skip
    for y, french, english, links in rows:
        top, bottom = french.split(), english.split()
        xs = [
            [0.65 + 8.3 * i / (len(side) - 1) for i in range(len(side))] for side in (top, bottom)
        ]
        for words, places, height in ((top, xs[0], y + 0.25), (bottom, xs[1], y - 1.25)):
            for word, x in zip(words, places):
                note(ax, x, height, word)
        for i, j in links:
            crossing = any((i - a) * (j - b) < 0 for a, b in links)
            ax.plot([xs[0][i], xs[1][j]], [y, y - 1.0], linewidth=1.5,
                    color=COLOURS["orange" if crossing else "grey"],
                    linestyle="-" if crossing else "--")  # fmt: skip
    return ax


def encoder_decoder(ax=None):
    """Encoder and decoder, unrolled: five words in, one context, four words and an end out.

    Look at the one arrow that joins the two networks, and at the dashed arrows: each word that was
    said is the next input.
    """
    ax = canvas(11.6, 3.6, ax)
    source, target = "elle aime la Chine .".split(), "she loves China . </s>".split()
    for t, word in enumerate(source):
        x = 0.5 + 0.95 * t
        note(ax, x, 0.3, word)
        arrow(ax, (x, 0.5), (x, 1.35))
        box(ax, x, 1.6, f"$m_{t + 1}$", "input")
        if t:
            arrow(ax, (x - 0.64, 1.6), (x - 0.31, 1.6), colour="green")
    box(ax, 5.35, 1.6, "$c$", "plain", width=0.56)
    arrow(ax, (4.61, 1.6), (5.07, 1.6))
    arrow(ax, (5.63, 1.6), (6.11, 1.6))
    for t, (word, said) in enumerate(zip(["<s>", *target], target)):
        x = 6.42 + 1.12 * t
        note(ax, x, 0.3, word)
        arrow(ax, (x, 0.5), (x, 1.35))
        box(ax, x, 1.6, f"$h_{t + 1}$", "hidden")
        arrow(ax, (x, 1.85), (x, 2.6))
        note(ax, x, 2.8, said)
        if t:
            arrow(ax, (x - 0.81, 1.6), (x - 0.31, 1.6), colour="blue")
            arrow(ax, (x - 0.98, 2.6), (x - 0.16, 0.5), colour="orange", dashed=True)
    note(ax, 2.4, 3.3, "encoder", color=COLOURS["green"])
    note(ax, 8.66, 3.3, "decoder", color=COLOURS["blue"])
    note(ax, 5.35, 2.1, "context", fontsize=9)
    return ax


def context_ways(ax=None):
    """The three ways of the context into the decoder, and the two places that it comes from.

    Look at the orange arrows: through the first state, into every step, or both.
    """
    ax = canvas(11.2, 5.6, ax)
    below, above = ([f"$y_{i + shift}$" for i in range(3)] for shift in (0, 1))
    for panel, feed in enumerate(("start", "input", "both")):
        _feed(ax, 0.45 + 3.7 * panel, 3.9, feed, below, above, "plain")
    for x0, title in ((1.2, 'context = "last"'), (6.8, 'context = "summary"')):
        note(ax, x0 + 1.7, 2.0, title)
        for t in range(4):
            x = x0 + 0.9 * t
            box(ax, x, 0.35, f"$m_{t + 1}$", "input", width=0.54)
            if t:
                arrow(ax, (x - 0.63, 0.35), (x - 0.27, 0.35), colour="green")
        end = x0 + 3.4
        box(ax, end, 1.4, "$c$", "plain", width=0.52)
        for t in range(4):
            if t == 3 or "summary" in title:
                x = x0 + 0.9 * t
                arrow(ax, (x + 0.1, 0.6), (end - 0.26, 1.4 + 0.05 * (2 - t)), colour="orange")
    return ax
