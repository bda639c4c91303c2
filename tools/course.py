"""The parts of "Teach with this book" that the notebooks themselves tell.

`python tools/course.py` writes two blocks into book/teach.md: a drawing of which notebook needs
which, and a table with the time to read, the exercises by level, and what is needed first. The
notebooks' boxes "What you need first" are the source; a test holds the page to them.
"""

import re
from collections import Counter
from html import escape
from pathlib import Path

import anatomy

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "book" / "teach.md"
LEVELS = anatomy.LEVELS.split("|")
LINK = re.compile(r"\((?:\.\./notebooks/)?(\d\d[a-z]?)_\w+\.ipynb\)")
LEFT, WIDTH, HEIGHT, BOX_W, BOX_H = 62, 75, 66, 67, 34  # of the heads, a column, a row, a box


def chapters() -> dict[str, int]:
    """Stem of each notebook → the chapter it stands in; 0 before the first."""
    found, chapter = {}, 0
    for line in (ROOT / "_toc.yml").read_text("utf-8").splitlines():
        if new := re.search(r"file: book/chapter(\d+)$", line):
            chapter = int(new[1])
        elif page := re.search(r"file: notebooks/(\S+)$", line):
            found[page[1]] = chapter
    return found


def notebooks() -> list[anatomy.Notebook]:
    return [anatomy.read(ROOT / "notebooks" / f"{stem}.ipynb") for stem in chapters()]


def needed_first(notebook) -> set[str]:
    """Numbers of the earlier notebooks that the box "What you need first" links to."""
    boxes = dict(anatomy.directive(notebook.cells[1][1].source, "admonition"))
    return {n for n in LINK.findall(boxes["What you need first"]) if n < notebook.number}


def without_detours(needs: dict[str, set]) -> dict[str, set]:
    """Only the links that no chain of other links implies: the transitive reduction."""

    def behind(number):
        return set().union(*({n} | behind(n) for n in needs[number]), set())

    return {
        number: {n for n in direct if not any(n in behind(other) for other in direct - {n})}
        for number, direct in needs.items()
    }


def drawing(needs: dict[str, set], places: dict[str, int], names: dict[str, str]) -> str:
    """An SVG: a row for each chapter, a box for each notebook, an arrow from needed to needing.

    needs, places, names: number of a notebook → numbers, chapter, name. Colours are the page's.
    """
    columns, spot = Counter(), {}
    for number, chapter in places.items():
        spot[number] = (LEFT + columns[chapter] * WIDTH, 6 + chapter * HEIGHT)
        columns[chapter] += 1
    wide, high = LEFT + max(columns.values()) * WIDTH, (max(columns) + 1) * HEIGHT
    arrows = [
        arrow(spot[other], spot[number])
        for number, first in needs.items()
        for other in sorted(first)
    ]
    heads = [
        f'<text x="{LEFT - 8}" y="{27 + chapter * HEIGHT}" text-anchor="end">'
        f"{f'chapter {chapter}' if chapter else 'primer'}</text>"
        for chapter in sorted(columns)
    ]
    boxes = [
        f'<rect class="needs-box" x="{x}" y="{y}" width="{BOX_W}" height="{BOX_H}" rx="5"/>'
        f'<text x="{x + BOX_W / 2:.0f}" y="{y + 14}" font-weight="bold">{number}</text>'
        f'<text x="{x + BOX_W / 2:.0f}" y="{y + 27}">{escape(names[number])}</text>'
        for number, (x, y) in spot.items()
    ]
    return "\n".join(
        [
            '<div class="needs" role="group" tabindex="0" aria-label="Drawing: which notebook '
            'needs which. The table below says the same in words.">',
            f'<svg viewBox="0 0 {wide} {high}" aria-hidden="true" font-size="10" '
            'text-anchor="middle" fill="currentColor">',
            '<defs><marker id="needs-tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="6" '
            'markerHeight="6" orient="auto"><path d="M0 0 8 4 0 8z"/></marker></defs>',
            '<g fill="none" stroke="currentColor" opacity="0.5">',
            *arrows,
            "</g>",
            "<g>",
            *heads,
            *boxes,
            "</g>",
            "</svg>",
            "</div>",
        ]
    )


def arrow(start: tuple, end: tuple) -> str:
    """A curve from one box to another: sideways within a chapter, downwards between chapters."""
    (a, b), (x, y) = start, end
    if b == y:
        middle = y + BOX_H / 2
        if x - a == WIDTH:
            path = f"M {a + BOX_W} {middle:.0f} H {x}"
        else:  # over the boxes between
            path = f"M {a + BOX_W - 8} {y} C {a + BOX_W} {y - 16} {x} {y - 16} {x + 8} {y}"
    else:
        a, x, below = a + BOX_W // 2, x + BOX_W // 2, b + BOX_H
        path = f"M {a} {below} C {a} {below + 26} {x} {y - 26} {x} {y}"
    return f'<path d="{path}" marker-end="url(#needs-tip)"/>'


def drawing_of_the_book() -> str:
    found = notebooks()
    needs = without_detours({nb.number: needed_first(nb) for nb in found})
    places = {stem.split("_")[0]: chapter for stem, chapter in chapters().items()}
    names = {nb.number: short(nb.name) for nb in found}
    return "```{raw} html\n" + drawing(needs, places, names) + "\n```"


def short(name: str) -> str:
    """A name that fits a box: 05_char_rnn → char rnn."""
    name = name.split("_", 1)[1].replace("_", " ")
    return name if len(name) <= 12 else name[:11] + "…"


def table() -> str:
    """A row for each notebook: minutes to read, exercises of each level, what is needed first."""
    head = ["Notebook", "Minutes", *(level.capitalize() for level in LEVELS), "Needs"]
    lines = [head, ["---"] + ["---:"] * (1 + len(LEVELS)) + ["---"]]
    for nb in notebooks():
        levels = Counter(re.findall(rf"\{{exercise\}} .+ · ({anatomy.LEVELS})$", nb.text, re.M))
        counts = [str(levels[level] or "–") for level in LEVELS]
        needs = ", ".join(sorted(needed_first(nb))) or "nothing"
        link = f"[{nb.number}](../notebooks/{nb.name}.ipynb) {short(nb.name)}"
        lines.append([link, str(anatomy.minutes_to_read(nb)), *counts, needs])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


BLOCKS = {"drawing": drawing_of_the_book, "table": table}


def refresh(text: str) -> str:
    """The page with its blocks brought up to date.

    Raises: LookupError if a block is missing.
    """
    for name, made in BLOCKS.items():
        begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
        block = re.compile(f"(?<={begin}).*?(?={end})", re.DOTALL)
        if not block.search(text):
            raise LookupError(f"no place for the {name}: it goes between {begin!r} and {end!r}")
        new = made() + "\n"
        text = block.sub(lambda _, new=new: new, text, count=1)
    return text


if __name__ == "__main__":
    PAGE.write_text(refresh(PAGE.read_text("utf-8")), "utf-8")
