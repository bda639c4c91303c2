"""Diagrams of chapter 4: a word at the beginning, a question at the end."""

from matplotlib.patches import Rectangle

from .boxes import arrow, box, canvas, note
from .plots import COLOURS

# two sentences; what stands at the end of each depends on its second part
CHINA = ("I grew up in", "China", "and", "…", "so I", "speak", "fluent", "Chinese")
RIBS = ("Today I make", "ribs:", "chop,", "fry,", "…", "stir,", "simmer.", "Which dish?")
DISTANCE = 20  # steps from the question back to the key, most of them behind the three dots
FACTORS = {0.9: "blue", 1.1: "orange"}  # what one step back multiplies the error by


def word_at_the_beginning(ax=None):
    """Two sentences whose last word depends on an early one, and an error on its way back.

    Look at the arcs first, which no step of the network takes, and then at the bars: both rows
    begin with the same bar on the right, and each step to the left multiplies it.
    """
    ax = canvas(10.6, 6.5, ax)
    place = [1.0, 2.6, 3.8, 4.95, 6.05, 7.15, 8.3, 9.7]
    for y, words in ((5.4, CHINA), (4.0, RIBS)):
        for i, (x, word) in enumerate(zip(place, words, strict=True)):
            kind = "input" if i == 1 else "output" if i == len(words) - 1 else "plain"
            if word == "…":
                note(ax, x, y, word, fontsize=13)
            else:
                box(ax, x, y, word, kind, width=1.6 if i in (0, 7) else 1.02, fontsize=8.5)
        arrow(ax, (place[1], y + 0.27), (place[-1], y + 0.27), bend=-0.13, colour="green")
    note(ax, 6.1, 6.36, "what stands at the end depends on an early word", fontsize=8.5)
    arrow(ax, (place[-1], 3.45), (place[1], 3.45), colour="pink", dashed=True)
    note(ax, 6.1, 3.25, f"the error of the answer travels {DISTANCE} steps back", fontsize=8.5)
    # the distance of each word from the question; what the dots stand for has none
    steps = dict(zip(place[1:], (DISTANCE, DISTANCE - 1, DISTANCE - 2, None, 2, 1, 0), strict=True))
    for base, (factor, colour) in zip((2.5, 0.35), FACTORS.items(), strict=True):
        note(ax, 1.0, base + 0.2, f"multiplied by\n{factor} at each step", fontsize=8.5)
        for x, n in steps.items():
            if n is None:
                note(ax, x, base + 0.1, "…", fontsize=13)
                continue
            height = 0.2 * factor**n
            bar = Rectangle((x - 0.2, base), 0.4, height, facecolor=COLOURS[colour])
            ax.add_patch(bar)
            note(ax, x, base - 0.16, f"{factor**n:.2g}", fontsize=8.5)
    return ax
