"""Diagrams of chapter 7: from LSTM to GRU."""

from matplotlib.patches import FancyBboxPatch

from .boxes import arrow, box, canvas, note

STAGES = {  # what each simplification of the LSTM still has
    "lstm": {"i", "o", "c"},
    "cifg": {"o", "c"},
    "update": set(),
    "gru": {"r"},
    "gru_before": {"r", "before"},
}


def gru_stage(stage="gru", ax=None):
    """One step of a cell on the way from the LSTM to the GRU: stage lstm, cifg, update or gru.

    gru resets after the product with W_hn, gru_before before it. Look at the line on top, the
    memory, and at how many boxes with σ are left below it.
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
        reset, product = (6.55, 5.7) if "before" in has else (6.2, 6.2)
        box(ax, 7.9, 1.4, r"$\sigma$   $r$", "plain", width=0.9)
        box(ax, reset, 1.4, r"$\odot$", "plain", width=0.36, height=0.36, fontsize=11)
        if "before" in has:  # h_{t−1} is reset, and what is left of it meets the weights
            box(ax, product, 1.4, "$W_{hn}$", "plain", width=0.62, height=0.42, fontsize=9)
            arrow(ax, (7.45, 1.4), (6.73, 1.4))
            arrow(ax, (6.37, 1.4), (6.01, 1.4))
            arrow(ax, (5.39, 1.4), (5.18, 1.4))
            arrow(ax, (reset, 0.59), (reset, 1.22), "$h_{t-1}$", offset=(0.36, 0))
        else:  # the weights come first, and their result is reset, with b_n in it
            what = "$h_{t-1} W_{hn} + b_n$"
            box(ax, product, 0.92, what, "plain", width=1.7, height=0.34, fontsize=8.5)
            arrow(ax, (7.45, 1.4), (product + 0.18, 1.4))
            arrow(ax, (product - 0.18, 1.4), (5.18, 1.4))
            arrow(ax, (product, 0.59), (product, 0.75))
            arrow(ax, (product, 1.09), (product, 1.22))
        sources.append(7.9)
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
