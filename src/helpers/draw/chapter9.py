"""Diagrams of chapter 9: encoder and decoder, attention, search."""

from .boxes import arrow, box, canvas, note
from .plots import COLOURS


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
