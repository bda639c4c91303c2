"""Diagrams of chapter 1: shapes of tasks, windows against states."""

from .boxes import arrow, box, canvas, note
from .plots import COLOURS


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
        if item is None and t and outputs[t - 1] is not None:  # what was written is read again
            arrow(ax, (here - step + 0.2, y + 2.17), (here - 0.2, y + 1.42), colour="orange",
                  dashed=True)  # fmt: skip


def topologies():
    """The five shapes that a task may have, each with one task. Returns the axes.

    Look at the middle row: only the first shape has no arrow from step to step. Where a network
    writes, a dashed arrow brings what it wrote to its next step.
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
