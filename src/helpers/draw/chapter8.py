"""Diagrams of chapter 8: stacks, both directions, tags."""

from .boxes import arrow, box, canvas, note
from .plots import COLOURS


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
