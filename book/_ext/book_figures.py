"""How figures look on a dark page, and diagrams at any size. A part of book_site.

Figures are drawn on white. On a dark page the lightness of curves and diagrams is turned round
(custom.css); a map of colours must not be, because its colours are its message. Such a figure gets
the class `keep-colours` and is shown as a light card.

Whether a cell draws a map is read from its source: it calls `imshow` or the like, or a function
that does, of the helper module or of an earlier cell. Where that is wrong, the cell's metadata
decide: `"mystnb": {"image": {"classes": "keep-colours"}}`, or `"turn-colours"`.

A diagram of boxes and arrows comes as SVG (helpers.draw.boxes sees to that) and is written into the
page itself: sharp at any size, its words can be selected, and the style sheet gives it its colours.
"""

import ast
import re
from collections.abc import Iterable
from functools import cache
from html import escape
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx

DRAWS_COLOURS = frozenset({"imshow", "matshow", "pcolormesh", "contourf", "colorbar"})
KEEP, TURN = "keep-colours", "turn-colours"


def called(tree: ast.AST) -> set[str]:
    """The names of all functions that are called: `show`, or `.show` if something stands before."""
    calls = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    plain = {func.id for func in calls if isinstance(func, ast.Name)}
    return plain | {f".{func.attr}" for func in calls if isinstance(func, ast.Attribute)}


def definitions(tree: ast.AST) -> dict[str, set[str]]:
    """Each function that is defined here, and what it calls."""
    return {node.name: called(node) for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def map_makers(functions: dict[str, set[str]], known: Iterable[str]) -> set[str]:
    """The names in `known`, and those of all functions that call one of them, however far off."""
    makers = set(known)
    while new := {name for name, calls in functions.items() if calls & makers} - makers:
        makers |= new
    return makers


@cache
def helper_map_makers(folder: Path) -> frozenset[str]:
    functions = {}
    for path in sorted(folder.rglob("*.py")):
        for name, calls in definitions(ast.parse(path.read_text("utf-8"))).items():
            functions[name] = functions[f".{name}"] = functions.get(name, set()) | calls
    return frozenset(map_makers(functions, {f".{name}" for name in DRAWS_COLOURS}))


def parsed(source: str) -> ast.Module:
    try:
        return ast.parse(source)
    except SyntaxError:  # a cell that shows an error
        return ast.parse("")


def draw_maps(sources: list[str], known: frozenset[str]) -> list[bool]:
    """Of each code cell of a notebook, in order: does it draw a map of colours?"""
    makers, answers = set(known), []
    for tree in map(parsed, sources):
        own = definitions(tree)
        makers = map_makers(own, makers - set(own))  # a cell may define a name anew
        steps = [node for node in tree.body if not isinstance(node, ast.FunctionDef)]
        answers.append(any(called(step) & makers for step in steps))
    return answers


def is_cell(node: nodes.Node) -> bool:
    return isinstance(node, nodes.container) and node.get("nb_element") == "cell_code"


def mark_maps(app: Sphinx, doctree: nodes.document) -> None:
    """Give every image of a code cell one of the two classes."""
    cells = list(doctree.findall(is_cell))
    sources = [next((n.astext() for n in cell.findall(nodes.literal_block)), "") for cell in cells]
    known = helper_map_makers(Path(app.srcdir) / "src" / "helpers")
    for cell, draws_map in zip(cells, draw_maps(sources, known), strict=True):
        for image in cell.findall(nodes.image):
            if not {KEEP, TURN} & set(image["classes"]):
                image["classes"].append(KEEP if draws_map else TURN)


# ---------- diagrams ----------

# matplotlib measures in its own font. Verdana is as wide, letter by letter, and most readers whose
# system lacks DejaVu Sans have it.
FONTS = "'DejaVu Sans', 'Bitstream Vera Sans', Verdana, Geneva, sans-serif"
PIXELS_PER_POINT = 110 / 72  # plots.use_style sets 110 dots per inch: as large as other figures


def to_inline(svg: str, name: str, alt: str) -> str:
    """matplotlib's SVG file as an element of an HTML page.

    Its ids are made unique by `name`, or dropped if nothing refers to them. A colour becomes
    var(--ink-1a1a1a, #1a1a1a), so that a style sheet may set it.
    """
    svg = svg[svg.index("<svg") :]
    svg = re.sub(
        r"<metadata>.*?</metadata>|<style\b.*?</style>|<!--.*?-->", "", svg, flags=re.DOTALL
    )
    used = set(re.findall(r'url\(#([^)]+)\)|xlink:href="#([^"]+)"', svg))
    used = {name for pair in used for name in pair if name}

    def rename(match: re.Match) -> str:
        return f' id="{name}-{match[1]}"' if match[1] in used else ""

    svg = re.sub(r'\sid="([^"]+)"', rename, svg)
    svg = re.sub(r"url\(#|xlink:href=\"#", lambda match: f"{match[0]}{name}-", svg)
    svg = svg.replace("xlink:href", "href")
    svg = re.sub(r"(fill|stroke): #([0-9a-f]{6})", r"\1: var(--ink-\2, #\2)", svg)
    svg = re.sub(r'font-family: [^;"]+;? ?', "", svg)
    svg = re.sub(r"\d+\.\d{3,}", lambda number: f"{float(number[0]):.2f}", svg)
    svg = re.sub(r"\s*\n\s*", " ", re.sub(r">\s+<", "><", svg))
    _, _, width, height = map(float, re.search(r'viewBox="([^"]+)"', svg)[1].split())
    opening = (
        f'<svg class="diagram" role="img" aria-label="{escape(alt)}"'
        f' width="{width * PIXELS_PER_POINT:.0f}" height="{height * PIXELS_PER_POINT:.0f}"'
        f' viewBox="0 0 {width:g} {height:g}" style="font-family: {FONTS}">'
    )
    return opening + svg[svg.index(">") + 1 :]


def inline_diagrams(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    if app.builder.format != "html":
        return
    for number, image in enumerate(list(doctree.findall(nodes.image))):
        path = Path(app.srcdir) / image["uri"]
        if path.suffix == ".svg" and "jupyter_execute" in path.parts:
            svg = to_inline(path.read_text("utf-8"), f"diagram-{number}", image.get("alt", ""))
            image.replace_self(nodes.raw("", svg, format="html"))


def setup(app: Sphinx) -> dict:
    app.connect("doctree-read", mark_maps)
    app.connect("doctree-resolved", inline_diagrams)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
