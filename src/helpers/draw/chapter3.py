"""Diagrams of chapter 3: forward and backward, truncation."""

from matplotlib.patches import FancyBboxPatch

from .boxes import arrow, box, canvas, note
from .plots import COLOURS


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
