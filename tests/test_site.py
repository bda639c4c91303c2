"""What the Sphinx extensions in book/_ext make of the pages: icons, images, figures, glossary."""

import ast
import base64
import io
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest
from bs4 import BeautifulSoup
from fontTools.ttLib import TTFont
from PIL import Image
from test_book import HTML, PAGES, ROOT, built, each_page, soup

sys.path.insert(0, str(ROOT / "book" / "_ext"))
import book_figures
import book_glossary
import book_light

NOTEBOOKS = [page for page in PAGES if page.startswith("notebooks/")]
each_notebook = pytest.mark.parametrize("page", NOTEBOOKS)


# ---------- icons and scripts ----------


@built
def test_every_icon_is_in_the_font():
    sheet = (HTML / "_static/icons.css").read_text("utf-8")
    fonts = [
        TTFont(io.BytesIO(base64.b64decode(data)))
        for data in re.findall(r'font/woff;base64,([^"]+)"', sheet)
    ]
    present = set().union(*(font.getBestCmap() for font in fonts))
    others = "".join(p.read_text("utf-8") for p in (HTML / "_static").rglob("*.css"))
    drawn = {int(code, 16) for code in re.findall(r'"\\(f[0-9a-f]{3})"', others)}
    drawn |= {ord(sign) for sign in others if "\uf000" <= sign <= "\uf8ff"}
    assert len(drawn) > 20
    assert drawn <= present


@built
@each_page
def test_every_icon_of_a_page_has_a_rule(page):
    sheet = (HTML / "_static/icons.css").read_text("utf-8")
    kinds = {"fa-solid", "fa-brands", "fa-lg"}
    marked = soup(page).select('[class*="fa-"]')
    icons = book_light.icon_names(" ".join(name for element in marked for name in element["class"]))
    assert icons
    assert [i for i in icons if f"fa-{i}" not in kinds and f".fa-{i}::before" not in sheet] == []


@built
def test_fontawesome_itself_is_gone():
    assert not (HTML / "_static/vendor").exists()
    assert (HTML / "_static/icons.css").stat().st_size < 12_000


@built
@each_page
def test_scripts_wait_and_mathjax_comes_only_for_formulas(page):
    html = soup(page)
    scripts = [s for s in html.select("script[src]") if "documentation_options" not in s["src"]]
    if page != "search.html":
        assert [s["src"] for s in scripts if not s.has_attr("defer")] == []
    assert any("mathjax" in s["src"] for s in scripts) == bool(html.select("article .math"))


# ---------- images ----------


@built
@each_page
def test_images_have_a_size_and_wait_for_their_turn(page):
    for image in soup(page).select('img[src*="_images/"]'):
        name = Path(unquote(image["src"])).name
        assert name.endswith(".webp")
        assert image["loading"] == "lazy"
        with Image.open(HTML / "_images" / name) as stored:
            assert (int(image["width"]), int(image["height"])) == stored.size


def test_converted_image_has_the_same_pixels(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 4), dtype=np.uint8)
    Image.fromarray(np.repeat(pixels, 9, axis=0)).save(tmp_path / "a.png")
    before = np.asarray(Image.open(tmp_path / "a.png"))
    book_light.convert(tmp_path / "a.png")
    assert np.array_equal(np.asarray(Image.open(tmp_path / "a.webp")), before)


def test_lightening_twice_changes_nothing():
    page = (
        '<html data-theme="auto"><img src="../_images/a.png" alt="b"/> <i id="search-input"></i>'
        '<a href="x.ipynb" target="_blank"\n  class="btn btn-download-source-button">'
        '<i id="search-input"></i>'
    )
    once = book_light.lighten_page(page, {"a": ("a.webp", 20, 10)})
    assert once == book_light.lighten_page(once, {"a": ("a.webp", 20, 10)})
    assert 'width="20" height="10" loading="lazy"' in once
    assert 'src="../_images/a.webp"' in once
    assert once.count("search-input") == 1
    assert '<html data-theme="light">' in once
    assert '<a href="x.ipynb" download' in once


# ---------- figures in dark mode ----------


def test_maps_of_colour_are_known_by_their_source():
    cells = [
        "def draw(ax, w):\n    plots.matrix(w, ax=ax)",
        "draw(plt.gca(), w)",
        "ax.plot(w)\nplt.show()",
        "def show(ax):\n    ax.imshow(w)",
        "plt.show()",
        "for ax in axes:\n    show(ax)",
        "def draw(ax, w):\n    ax.plot(w)",
        "draw(plt.gca(), w)",
        "this is no Python",
    ]
    known = frozenset({".imshow", ".matrix"})
    answers = book_figures.draw_maps(cells, known)
    assert [n for n, answer in enumerate(answers) if answer] == [1, 5]


def test_functions_of_the_helper_module_that_draw_maps_are_found():
    makers = book_figures.helper_map_makers(ROOT / "src" / "helpers")
    assert {".matrix", ".text_heat", ".gradient_flow", ".loss_surface"} <= makers
    assert not makers & {".learning_curve", ".growth", ".all_runs", ".canvas", ".box"}


def share_of_colour(path: Path) -> float:
    """How much of an image is covered with colours, pale ones of boxes not counted."""
    with Image.open(path) as image:
        pixels = np.asarray(image.convert("RGB")).astype(float) / 255
    return float((np.ptp(pixels, axis=2) > 0.1).mean())


@built
@each_page
def test_no_map_of_colour_is_turned_round_in_dark_mode(page):
    """Another way to tell a map, by its pixels: for one that the source does not show."""
    turned = soup(page).select('article img[src*="_images/"]:not(.keep-colours)')
    names = [Path(unquote(image["src"])).name for image in turned]
    coloured = [name for name in names if share_of_colour(HTML / "_images" / name) > 0.35]
    assert coloured == []


@built
@pytest.mark.parametrize("number", ["05", "09", "13b", "23", "25"])
def test_notebooks_with_maps_keep_their_colours(number):
    page = next(page for page in NOTEBOOKS if page.startswith(f"notebooks/{number}_"))
    assert soup(page).select("article img.keep-colours")
    assert soup(page).select("article img.turn-colours")


# ---------- diagrams ----------

STYLE = (ROOT / "book/_assets/custom.css").read_text("utf-8")


def drawing() -> str:
    """An SVG as matplotlib writes it, with a clipped line, a formula and a word."""
    import matplotlib.pyplot as plt

    plain = {"svg.fonttype": "none", "svg.hashsalt": "book"}
    with plt.rc_context(plain):
        figure, ax = plt.subplots(figsize=(3, 2))
        ax.plot([0, 1], color="#0072B2")
        ax.text(0.5, 0.5, "$h_t$", color="#1A1A1A")
        ax.set_title("two & more\nlines")
        file = io.StringIO()
        figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
        plt.close(figure)
    return file.getvalue()


def test_diagram_becomes_a_part_of_the_page():
    html = book_figures.to_inline(drawing(), "diagram-3", 'A "line" rises & ends.')
    svg = BeautifulSoup(html, "html.parser").svg
    assert svg["role"] == "img"
    assert svg["aria-label"] == 'A "line" rises & ends.'
    assert (svg["width"], svg["height"]) == ("330", "220")  # 110 dots per inch
    ids = [element["id"] for element in svg.select("[id]")]
    assert ids
    assert all(name.startswith("diagram-3-") for name in ids)
    for name in re.findall(r'url\(#([^)]+)\)|href="#([^"]+)"', html):
        assert "".join(name) in ids
    assert "stroke: var(--ink-0072b2, #0072b2)" in html
    assert "two & more" in svg.text
    assert "<style" not in html
    assert len(html) < len(drawing())


def test_diagrams_have_colours_for_dark_pages():
    """Every colour of the helper module's palettes has a counterpart in the style sheet."""
    from helpers.draw.boxes import FILL
    from helpers.draw.plots import COLOURS

    used = {"#000000", "#ffffff", *COLOURS.values(), *(c for pair in FILL.values() for c in pair)}
    assert [c for c in used if f"--ink-{c[1:].lower()}: " not in STYLE] == []


@built
@each_notebook
def test_diagrams_of_a_page_can_be_read_in_dark_mode(page):
    html = soup(page)
    for diagram in html.select("svg.diagram"):
        assert len(diagram["aria-label"]) > 30
        unknown = [
            colour
            for colour in re.findall(r"--ink-[0-9a-f]{6}", str(diagram))
            if f"{colour}: " not in STYLE
        ]
        assert unknown == []


# ---------- the glossary ----------


def entry(term: str) -> book_glossary.Entry:
    return book_glossary.Entry(term, book_glossary.pattern(term), f"term-{term}")


def linked(text: str, *terms: str) -> list[str]:
    terms = sorted(terms, key=len, reverse=True)
    links = book_glossary.find_links(text, {term: entry(term) for term in terms})
    return [text[start:end] for start, end, _ in links]


def test_first_use_is_found_in_singular_plural_and_with_a_hyphen():
    assert linked("Gates and a gate.", "gate") == ["Gates"]
    assert linked("two perplexities", "perplexity") == ["perplexities"]
    assert linked("a cell-state", "cell state") == ["cell-state"]
    assert linked("the beam\nsearches", "beam search") == ["beam\nsearches"]
    assert linked("navigate, gated, gate-like", "gate") == []


def test_longer_term_goes_first_and_acronyms_keep_their_case():
    assert linked("a forget gate and a gate", "gate", "forget gate") == ["forget gate", "gate"]
    assert linked("per line, by PER", "phone error rate (PER), word error rate (WER)") == ["PER"]
    assert linked("LSTMs", "LSTM (long short-term memory)") == ["LSTMs"]


def test_everyday_senses_are_not_linked():
    assert linked("Run the cell below; stack two matrices; it spans all", "cell", "stack") == []
    assert linked("We build the stack of an LSTM cell.", "cell", "stack") == ["cell"]


@built
@each_notebook
def test_terms_of_the_glossary_are_linked_once_in_running_text(page):
    links = soup(page).select("article a.glossary-term")
    terms = [link["title"] for link in links]
    assert len(terms) >= 5
    assert len(terms) == len(set(terms))
    for link in links:
        assert not link.find_parent(["h1", "h2", "h3", "figcaption", "pre", "code", "summary", "a"])
        assert not link.find_parent(class_="admonition-title")


@built
@pytest.mark.parametrize(("stem", "words"), book_glossary.ELSEWHERE.items())
def test_words_with_another_sense_on_a_page_are_not_linked_there(stem, words):
    titles = {link["title"] for link in soup(f"{stem}.html").select("article a.glossary-term")}
    assert not titles & {f"Glossary: {word}" for word in words}


@built
def test_index_has_entries_and_is_in_the_table_of_contents():
    entries = soup("genindex.html").select("article table a")
    assert len(entries) > 60
    assert soup("notebooks/03_rnn.html").select('.bd-sidebar-primary a[href="../genindex.html"]')


# ---------- downloads, and where the book is ----------


def test_downloaded_notebook_says_once_how_to_view_it():
    notebook = '{"cells": [{"cell_type": "markdown", "id": "a", "metadata": {}, "source": "é"}]}'
    once = book_light.say_how_to_view(notebook)
    assert once.count("jupyterlab-myst") == 1
    assert "é" in once
    assert book_light.say_how_to_view(once) == once


@pytest.mark.skipif(not shutil.which("make"), reason="no make")
def test_make_book_prints_an_address_that_can_be_clicked(tmp_path):
    """In a folder whose name has a space. Everything counts as made already."""
    folder = tmp_path / "a folder, 100 %"
    for name in ("book", "notebooks", "_build/html", ".venv/bin"):
        (folder / name).mkdir(parents=True)
    shutil.copy(ROOT / "Makefile", folder)
    old = ["requirements.txt", "pyproject.toml", "_config.yml", "_toc.yml", ".venv/bin/pip"]
    for age, name in enumerate([*old, ".venv/.installed", "_build/.book"]):
        (folder / name).touch()
        os.utime(folder / name, (age, age))
    (folder / ".venv/bin/python").symlink_to(sys.executable)
    done = subprocess.run(["make", "book"], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    address = re.search(r"file://\S+", done.stdout)[0]
    assert address == (folder / "_build/html/index.html").resolve().as_uri()


def test_extensions_are_plain_python():
    for path in (ROOT / "book/_ext").glob("*.py"):
        assert ast.get_docstring(ast.parse(path.read_text("utf-8")))
