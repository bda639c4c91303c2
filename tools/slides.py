"""Slides of every notebook, from the built pages: one HTML file a deck, without other files.

    make slides                                    # into _build/slides
    python tools/slides.py _build/html _build/slides

A deck has the title and its question, the objectives, the figures with their captions, the
equations, each *Predict first* with its answer on the next slide, short code that is quoted from
the helper module, the summary, the questions of *Check yourself* as polls, and a list of the
exercises. The running text becomes speaker notes. Formulas are drawn by MathJax, which lies in each
file; style and script are in tools/deck. Keys: → ← Home End, n for notes, d for dark; printed, a
page a slide.
"""

import base64
import itertools
import math
import re
import sys
from html import escape
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

import course
from bs4 import BeautifulSoup, Tag

ROOT = Path(__file__).resolve().parents[1]
PARTS = ROOT / "tools" / "deck"
ROOM = 520  # pixels of height for what stands under a title
LINE = 37  # pixels of a line of text, of about 80 letters
LETTERS = 80
PRINTED = 100  # letters of a line of code or output; longer ones are broken
A_LINE = 67  # pixels of a printed line
CODE_LINES, OUTPUT_LINES = 22, 16  # what is longer stays on the page
MATHJAX = {
    "options": "{enableMenu: false}",
    "tex": r"{inlineMath: [['\\(', '\\)']], displayMath: [['\\[', '\\]']]}",
    "svg": "{fontCache: 'local', scale: 0.92}",
}


class Item(NamedTuple):
    """A piece of a page: p, math, list, figure, output, code, table, predict or heading."""

    kind: str
    tag: Tag
    height: float = 0


class Slide:
    """A title, a label over it, pieces of HTML, and the notes."""

    def __init__(self, title: str, kind: str = "", label: str = ""):
        self.title, self.kind, self.label = title, kind, label
        self.body, self.notes, self.height = [], [], 0.0

    def add(self, html: str, height: float = 0) -> "Slide":
        self.body.append(html)
        self.height += height
        return self


# ---------- reading a page ----------


def clean(tag: Tag) -> Tag:
    """A copy without links, buttons and the marks of headings; what they say stays."""
    copy = BeautifulSoup(str(tag), "html.parser").find()
    for gone in copy.select("a.headerlink, button, .sd-summary-state-marker, audio, script"):
        gone.decompose()
    for link in copy.select("a"):
        link.unwrap()
    for inside in copy.find_all(True):
        for name in ("id", "tabindex", "role", "loading", "title"):
            if not inside.find_parent("svg") and inside.name != "svg":
                inside.attrs.pop(name, None)
    return copy


def inner(tag: Tag) -> str:
    return clean(tag).decode_contents().strip()


def words(tag: Tag) -> str:
    return clean(tag).get_text(" ", strip=True)


def title_of(tag: Tag) -> str:
    """The HTML of a heading."""
    return inner(tag)


def items(section: Tag):
    """The pieces of a section in their order, those of its subsections included."""
    for child in section.find_all(True, recursive=False):
        classes = child.get("class", [])
        if child.name == "section":
            yield from items(child)
        elif child.name in ("h2", "h3", "h4"):
            yield Item("heading", child)
        elif child.name == "p":
            yield Item("p", child, text_height(words(child)))
        elif "math" in classes:
            yield Item("math", child, math_height(child.get_text()))
        elif child.name in ("ul", "ol", "blockquote", "dl"):
            yield Item("list", child, list_height(child))
        elif "pst-scrollable-table-container" in classes or child.name == "table":
            yield Item("table", child, 34 * len(child.select("tr")) + 10)
        elif "cell" in classes:
            yield from cell_items(child)
        elif child.name == "figure":
            yield Item("figure", child, ROOM)
        elif "admonition" in classes and "exercise" not in classes and "solution" not in classes:
            name = words(child.select_one(".admonition-title"))
            yield Item("predict" if name == "Predict first" else "box", child, box_height(child))


def cell_items(cell: Tag):
    """Code that is quoted and short, short printed results, and figures."""
    code = cell.select_one(":scope > .cell_input pre")
    if code and code.get_text().startswith("#@ "):
        lines = code.get_text().strip().count("\n") + 1
        if lines <= CODE_LINES:
            yield Item("code", code, 27 * lines + 40)
    for output in cell.select(":scope > .cell_output > *, :scope > details .cell_output > *"):
        figure = output if output.name == "figure" else output.select_one("figure")
        pre = output.select_one("pre")
        if figure is not None and "sound" not in figure.get("class", []):
            yield Item("figure", figure, ROOM)
        elif pre is not None and pre.get_text().strip():
            lines = sum(len(line) // PRINTED + 1 for line in pre.get_text().strip().split("\n"))
            if lines <= OUTPUT_LINES:
                yield Item("output", pre, 27 * lines + 40)


def text_height(text: str) -> float:
    return LINE * math.ceil(len(text) / LETTERS) + 16


def list_height(tag: Tag) -> float:
    return sum(text_height(words(li)) for li in tag.find_all("li")) or text_height(words(tag))


def math_height(tex: str) -> float:
    rows = tex.count(r"\\") + 1
    extra = 40 if re.search(r"underbrace|overbrace", tex) else 0
    tall = 24 if re.search(r"\\frac|\\sum|\\prod|\\int|pmatrix", tex) else 0
    return rows * (44 + extra + tall) + 24


def box_height(tag: Tag) -> float:
    return sum(text_height(words(p)) for p in tag.select("p, li"))


def sentences(tag: Tag, count: int, letters: int) -> str:
    """The first sentences of a paragraph as HTML, at most so many and so long; at least one."""
    html = inner(tag)
    parts = re.split(r"(?<=[.?!:])\s+(?=(?:[A-Z(“$]|<))", html)
    kept = ""
    for part in parts[:count]:
        longer = f"{kept} {part}".strip()
        if kept and plain_length(longer) > letters:
            break
        kept = longer
    soup = BeautifulSoup(kept, "html.parser")  # closes a tag that was cut
    return soup.decode_contents()


def last_sentence(tag: Tag, letters: int) -> str:
    """The last sentence of a paragraph, or nothing if it is longer than so many letters."""
    html = inner(tag)
    parts = re.split(r"(?<=[.?!])\s+(?=(?:[A-Z(“]|<span))", html)
    last = parts[-1]
    if plain_length(last) > letters or last.count("<") - 2 * last.count("</") not in (0,):
        return ""
    return last


def plain_length(html: str) -> int:
    return len(BeautifulSoup(html, "html.parser").get_text())


# ---------- pieces as HTML ----------


def picture(figure: Tag, images: Path) -> str:
    """A figure that fills its slide, the image within the file."""
    copy = clean(figure)
    drawing = copy.select_one("img, svg")
    if drawing.name == "img":
        drawing["src"] = data_address(images / Path(unquote(drawing["src"])).name)
        kept = {"src", "alt", "class"}
    else:
        box = drawing.get("viewbox") or f"0 0 {drawing['width']} {drawing['height']}"
        drawing["viewbox"] = box
        kept = set(drawing.attrs) - {"width", "height", "style"}
    drawing.attrs = {name: value for name, value in drawing.attrs.items() if name in kept}
    caption = copy.select_one("figcaption")
    said = f"<figcaption>{caption.decode_contents().strip()}</figcaption>" if caption else ""
    return f'<figure class="picture"><div class="frame">{drawing}</div>{said}</figure>'


def data_address(path: Path) -> str:
    kind = {".svg": "svg+xml"}.get(path.suffix, path.suffix.lstrip("."))
    return f"data:image/{kind};base64,{base64.b64encode(path.read_bytes()).decode()}"


def shown(item: Item, images: Path) -> str:
    if item.kind == "figure":
        return picture(item.tag, images)
    if item.kind in ("output", "code"):
        text = clean(item.tag).decode_contents().strip("\n")
        longest = max(map(len, item.tag.get_text().split("\n")))
        return f'<pre class="wraps">{text}</pre>' if longest > PRINTED else f"<pre>{text}</pre>"
    if item.kind == "table":
        return str(clean(item.tag.select_one("table") or item.tag))
    if item.kind == "box":
        copy = clean(item.tag)
        copy.select_one(".admonition-title").decompose()
        return copy.decode_contents()
    return str(clean(item.tag))


# ---------- from pieces to slides ----------


def deck_of(html: str, images: Path) -> list[Slide]:
    """All slides of a built notebook page.

    Raises: ValueError if the page is not that of a notebook.
    """
    article = BeautifulSoup(html, "html.parser").select_one("article")
    top = article and article.select_one("section")
    if top is None or top.h1 is None or article.select_one(".admonition.tip") is None:
        raise ValueError("this is not the page of a notebook: no title, or no objectives")
    name = title_of(top.h1)
    slides = opening(top, name)
    for section in top.find_all("section", recursive=False):
        title = words(section.h2)
        if title == "Summary":
            slides += listed(section, "Summary")
        elif title == "Check yourself":
            slides += polls(section)
        elif title == "Exercises":
            slides += exercises(section)
        elif title != "Further reading":
            slides += lesson(section, images)
    return slides


def opening(top: Tag, name: str) -> list[Slide]:
    first = Slide(name, "opening")
    for paragraph in top.find_all("p", recursive=False):
        first.add(str(clean(paragraph)))
    aims = Slide("What you will be able to do")
    for box in top.find_all("div", class_="admonition", recursive=False):
        if "tip" in box["class"]:
            aims.add(str(clean(box.select_one("ul"))))
        else:
            aims.notes.append(f"<p>{' '.join(inner(p) for p in box.find_all('p'))}</p>")
    first.notes = list(aims.notes)
    return [first, aims]


def listed(section: Tag, title: str) -> list[Slide]:
    """The points of a list, as many on a slide as have room."""
    points = [(point, text_height(words(point))) for point in section.select("ul > li, ol > li")]
    total = sum(height for _, height in points)
    share = total / math.ceil(max(total, 1) / ROOM)  # as full as each other
    slides = [Slide(title)]
    for point, height in points:
        if slides[-1].body and slides[-1].height + height / 2 > share:
            slides.append(Slide(title))
        slides[-1].add(str(clean(point)), height)
    for slide in slides:
        slide.body = ["<ul>", *slide.body, "</ul>"]
    slides[0].notes = [str(clean(p)) for p in section.find_all("p", recursive=False)]
    return slides


def lesson(section: Tag, images: Path) -> list[Slide]:
    """The slides of a section of the notebook's own."""
    pieces = list(items(section))
    title, slides, said, used = title_of(section.h2), [], [], set()
    head = title

    def begin(kind="", label=""):
        slides.append(Slide(head, kind, label))
        return slides[-1]

    def take(slide):
        """The text that waits becomes notes: the last of it of this slide, the rest of the last."""
        nonlocal said
        before = slides[slides.index(slide) - 1] if slides.index(slide) > 0 else None
        if len(said) > 1 and before is not None:
            before.notes += said[:-1]
            said = said[-1:]
        elif before is not None and not before.notes:
            before.notes += said
        slide.notes += said
        said = []

    for n, piece in enumerate(pieces):
        if piece.kind == "heading":
            if piece.tag.name != "h2":
                head = title_of(piece.tag)
        elif piece.kind == "p":
            if (text := str(clean(piece.tag))) not in (slides[-1].notes if slides else []):
                said.append(text)
        elif piece.kind == "predict":
            question = begin("poll", "Predict first")
            question.add(shown(piece._replace(kind="box"), images))
            take(question)
            if parts := answer_of(pieces, n, used):
                fill(begin("answer", "Answer"), parts, images)
        elif n not in used:
            lead = lead_of(pieces, n)
            # A single line mostly says that a check was passed.
            if piece.kind == "output" and piece.height <= A_LINE and not lead:
                said.append(shown(piece, images))
                continue
            height = piece.height + (text_height(lead) if lead else 0)
            last = slides[-1] if slides else None
            fits = (
                last is not None
                and last.title == head
                and last.kind == ""
                and last.height + height <= ROOM
            )
            slide = last if fits else begin("mixed" if piece.kind == "figure" else "")
            if lead and piece.kind != "figure":
                slide.add(f"<p>{lead}</p>")
            slide.add(shown(piece, images), height)
            if fits:
                slide.notes += said
                said = []
            else:
                take(slide)
    if not slides:
        slides.append(key_sentences(pieces, title))
        said = said if slides[-1].notes == [] else []
    slides[-1].notes += said
    return slides


def lead_of(pieces: list, n: int) -> str:
    """The sentence right before a piece that leads to it."""
    before = pieces[n - 1] if n else None
    if before is None or before.kind != "p":
        return ""
    return last_sentence(before.tag, 200)


def answer_of(pieces: list, n: int, used: set) -> list[Item]:
    """What answers the question at n: the way to the first result, the result, and what it means.

    A way that is too long for the slide stays out. What is taken is noted in `used`; paragraphs
    stay in the notes, too.
    """
    ends = (k for k in range(n + 1, len(pieces)) if pieces[k].kind in ("predict", "heading"))
    end = next(ends, len(pieces))
    results = [k for k in range(n + 1, end) if pieces[k].kind in RESULTS]
    more = [k for k in results if pieces[k].kind != "output" or pieces[k].height > A_LINE]
    result = next(iter(more or results), None)
    if result is None:
        shown = [k for k in range(n + 1, end) if pieces[k].kind != "code"][:2]
        used.update(shown)
        return [pieces[k] for k in shown]
    way = [k for k in range(n + 1, result) if pieces[k].kind in ("math", "list")]
    high = sum(pieces[k].height + text_height(lead_of(pieces, k)) for k in way)
    room = 130 if pieces[result].kind == "figure" else ROOM - pieces[result].height - 3 * LINE
    found = way if high <= room else []
    used.update([*found, result])
    text = next((k for k in meanings(pieces, n, result, end)), None)
    leads = [k - 1 for k in found if lead_of(pieces, k)]
    kept = sorted({*found, *leads, result, *([] if text is None else [text])})
    return [
        pieces[k]._replace(kind="lead") if k in leads and k != text else pieces[k] for k in kept
    ]


RESULTS = ("output", "figure", "table")


def meanings(pieces: list, n: int, result: int, end: int):
    """Paragraphs that may say what a result means: after it, then before it, no mere lead."""
    for k in [*range(result + 1, end), *range(result - 1, n, -1)]:
        follows = pieces[k + 1].kind if k + 1 < end else ""
        if pieces[k].kind == "p" and not words(pieces[k].tag).endswith(":"):
            if follows not in ("math", "code", "list"):
                yield k
        elif k > result and pieces[k].kind in RESULTS:
            return


def fill(slide: Slide, parts: list[Item], images: Path) -> None:
    """An answer: its pieces, and of a paragraph up to three sentences."""
    for part in parts:
        if part.kind in ("p", "lead"):
            slide.notes.append(str(clean(part.tag)))
        if part.kind == "figure":
            slide.kind += " mixed"
        if part.kind == "p":
            slide.add(f"<p>{sentences(part.tag, 3, 300)}</p>")
        elif part.kind == "lead":
            slide.add(f"<p>{last_sentence(part.tag, 200)}</p>")
        else:
            slide.add(shown(part, images))


def key_sentences(pieces: list, title: str) -> Slide:
    """A section without figure or formula: the first sentence of each paragraph."""
    slide = Slide(title)
    points = [sentences(p.tag, 1, 220) for p in pieces if p.kind == "p"][:5]
    slide.add("<ul>" + "".join(f"<li>{point}</li>" for point in points) + "</ul>")
    return slide


def polls(section: Tag) -> list[Slide]:
    """Each question twice: with its options, and with what is said of them."""
    slides, question, options = [], None, []

    def close():
        if question is None:
            return
        ask = Slide("Check yourself", "poll", "Poll")
        ask.add(f"<p>{question}</p>{option_list(options, False)}")
        right = [letter for letter, _, why in options if why.startswith("<strong>Right.")]
        ask.notes = [f"<p>Right: {', '.join(right)}. The next slide says why.</p>"]
        tell = Slide("Check yourself", "answer", "Answer")
        tell.add(f"<p>{question}</p>{option_list(options, True)}")
        slides.extend([ask, tell])

    for child in section.find_all(True, recursive=False):
        if child.name == "p" and child.find("strong", recursive=False):
            close()
            question, options = str(clean(child.strong)), []
        elif child.name == "details":
            letter, _, text = inner(child.select_one(".sd-summary-text")).partition(". ")
            why = " ".join(inner(p) for p in child.select(".sd-summary-content > *"))
            options.append((letter, text, why))
    close()
    return slides


def option_list(options: list, answered: bool) -> str:
    lines = []
    for letter, text, why in options:
        right = answered and why.startswith("<strong>Right.")
        mark = ' class="is-right"' if right else ""
        said = f'<p class="why">{why}</p>' if answered else ""
        sign = " ✓" if right else ""
        lines.append(f"<li{mark}><b>{letter}{sign}</b><div><p>{text}</p>{said}</div></li>")
    return f'<ul class="options">{"".join(lines)}</ul>'


def exercises(section: Tag) -> list[Slide]:
    slide = Slide("Exercises")
    points = []
    for box in section.select(".exercise.admonition"):
        found = re.search(r"\((.+) · ([\w-]+)\)\s*$", words(box.select_one(".admonition-title")))
        points.append(f'<li>{found[1]} <span class="level">{found[2]}</span></li>')
        text = " ".join(inner(p) for p in box.select("section > p"))
        slide.notes.append(f"<p><b>{found[1]}.</b> {text}</p>")
    slide.add(f'<ul class="exercises">{"".join(points)}</ul>')
    return [slide]


# ---------- from slides to a file ----------


FORMULA = re.compile(r'(<span class="math[^"]*">[^<]*</span>)([.,;:?!)’”]+)')


def together(html: str) -> str:
    """A formula and the sign after it stay on one line."""
    return FORMULA.sub(r'<span class="together">\1\2</span>', html)


def page(slides: list[Slide], name: str) -> str:
    """The whole file of a deck."""
    parts = []
    for n, slide in enumerate(slides, start=1):
        label = f'<p class="label">{slide.label}</p>' if slide.label else ""
        mixed = " mixed" if "mixed" in slide.kind else ""
        notes = f'<div class="notes">{"".join(slide.notes)}</div>' if slide.notes else ""
        foot = "Keys: → ← · n notes · d dark · CC BY 4.0" if n == 1 else escape(name)
        parts.append(
            f'<section class="slide {slide.kind}" aria-label="Slide {n}">{label}'
            f"<h1>{slide.title}</h1>"
            f'<div class="body{mixed}">{together("".join(slide.body))}</div>{notes}'
            f'<div class="foot"><span>{foot}</span><span>{n} / {len(slides)}</span></div></section>'
        )
    settings = ", ".join(f"{key}: {value}" for key, value in MATHJAX.items())
    stage = "\n".join(parts)
    return frame(
        name,
        f'<main id="stage">\n{stage}\n</main>\n<aside id="notes" aria-label="Notes" '
        f'tabindex="0" hidden></aside>\n<script>window.MathJax = {{{settings}}};</script>\n'
        f"<script>{mathjax()}</script>\n<script>{part('deck.js')}</script>",
    )


def frame(name: str, body: str) -> str:
    style = part("deck.css").replace(
        "/* inks of diagrams, from the book's style sheet */", inks_of_the_book()
    )
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(name)} · Networks That Remember</title>\n"
        '<link rel="icon" href="data:,">\n'
        f"<style>{style}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def part(name: str) -> str:
    return (PARTS / name).read_text("utf-8")


def inks_of_the_book() -> str:
    """The colours that diagrams take on a dark page."""
    sheet = (ROOT / "book" / "_assets" / "custom.css").read_text("utf-8")
    return "\n".join(re.findall(r"^\s*(--ink-[0-9a-f]{6}: [^;]+;)", sheet, re.MULTILINE))


def mathjax() -> str:
    package = find_spec("sphinx-mathjax-offline")
    folder = Path(package.submodule_search_locations[0]) / "static" / "mathjax"
    return (folder / "tex-svg-full.js").read_text("utf-8")


# ---------- all decks ----------


def in_order(site: Path) -> list[tuple[str, list[str]]]:
    """(chapter, its notebooks) in the order of the table of contents, those that are built.

    Raises: FileNotFoundError if there is no built book in `site`.
    """
    if not (site / "book" / "index.html").exists():
        raise FileNotFoundError(f"no built book in {site}: run `make book`")
    places = course.chapters()
    built = [name for name in places if (site / "notebooks" / f"{name}.html").exists()]
    return [
        (f"chapter{chapter}" if chapter else "", list(names))
        for chapter, names in itertools.groupby(built, key=places.get)
    ]


def write_deck(site: Path, name: str, folder: Path) -> tuple[str, int]:
    """Write one deck; its title and its number of slides."""
    slides = deck_of((site / "notebooks" / f"{name}.html").read_text("utf-8"), site / "_images")
    title = BeautifulSoup(slides[0].title, "html.parser").get_text()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.html").write_text(page(slides, title), "utf-8")
    return title, len(slides)


def make(site: Path, folder: Path) -> dict[str, int]:
    """Write all decks and their index; name → number of slides.

    Raises: FileNotFoundError if the book is not built.
    """
    lines, made = [], {}
    for chapter, names in in_order(site):
        if chapter:
            heading = BeautifulSoup(
                (site / "book" / f"{chapter}.html").read_text("utf-8"), "html.parser"
            )
            lines.append(f"<h2>{title_of(heading.select_one('article h1'))}</h2>")
        lines.append("<ul>")
        for name in names:
            title, made[name] = write_deck(site, name, folder)
            lines.append(
                f'<li><a href="{name}.html">{escape(title)}</a> ({made[name]} slides)</li>'
            )
        lines.append("</ul>")
    head = (
        "<h1>Networks That Remember: slides</h1>"
        "<p>A deck for each notebook. <kbd>→</kbd> and <kbd>←</kbd> move, <kbd>n</kbd> opens the "
        "speaker notes, <kbd>d</kbd> turns to dark and back, and printing gives a page for each "
        "slide. Every file stands alone. Text and figures: CC BY 4.0.</p>"
    )
    body = f'<main class="index">{head}{"".join(lines)}</main>'
    (folder / "index.html").write_text(frame("Slides", body), "utf-8")
    return made


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python tools/slides.py SITE FOLDER")
    made = make(Path(sys.argv[1]), Path(sys.argv[2]))
    print(f"{len(made)} decks, {sum(made.values())} slides: {Path(sys.argv[2]) / 'index.html'}")
