"""Slides: nothing sticks out, keys work, no other host is asked, and each slide prints as a page.

One deck is looked at; `SLIDES=all` looks at every one, which `make test-slides` does.
"""

import os
import re
from pathlib import Path

import pytest
import slides
from bs4 import BeautifulSoup
from test_browser import HTML, THIN_OUT, find_browser, violations

DECK = "06_bptt"
BUILT = sorted(path.stem for path in (HTML / "notebooks").glob("*.html"))
DECKS = BUILT if os.environ.get("SLIDES") == "all" else [DECK]
built = pytest.mark.skipif(DECK not in BUILT, reason="the book is not built: run `make book`")
seen = pytest.mark.skipif(not find_browser(), reason="no browser: see tests/test_browser.py")
ROOMS = [(1280, 720), (1024, 768)]

# Of each slide: what is higher or wider than it, how large its text is, and formulas in error.
LOOK = """() => [...document.querySelectorAll('.slide')].map((slide, n) => {
  const body = slide.querySelector('.body'), box = slide.getBoundingClientRect();
  const kinds = 'p, li, pre, img, svg.diagram, td, figcaption, mjx-container > svg';
  const parts = [...body.querySelectorAll(kinds)];
  const out = parts.map(e => e.getBoundingClientRect()).filter(e =>
    e.right > box.right + 1 || e.bottom > box.bottom + 1 || e.left < box.left - 1);
  return {
    number: n + 1, out: out.length,
    empty: !body.textContent.trim() && !body.querySelector('img, svg'),
    over: Math.max(body.scrollHeight - body.clientHeight, body.scrollWidth - body.clientWidth,
                   slide.scrollHeight - slide.clientHeight, slide.scrollWidth - slide.clientWidth),
    size: parseFloat(getComputedStyle(body).fontSize),
    broken: slide.querySelectorAll('mjx-merror, [data-mjx-error], mtext[mathcolor=red]').length,
    raw: /\\\\[([]/.test(body.innerText),
    figures: [...body.querySelectorAll('.frame')].map(e => e.clientHeight),
  };
})"""
ON = """[...document.querySelectorAll('.slide')].findIndex(
  slide => getComputedStyle(slide).visibility == 'visible')"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("slides")
    for name in DECKS:
        slides.write_deck(HTML, name, made)
    return made


def opened(browser, path: Path, scheme="light", size=(1280, 720)):
    """(tab, what went wrong) of a deck that is drawn."""
    tab = browser.new_page(color_scheme=scheme, viewport={"width": size[0], "height": size[1]})
    wrong = []
    tab.on("pageerror", lambda e: wrong.append(str(e)))
    tab.on("console", lambda m: m.type == "error" and wrong.append(m.text))
    tab.on("request", lambda r: r.url.startswith(("file:", "data:")) or wrong.append(r.url))
    tab.goto(path.as_uri())
    tab.wait_for_selector("html[data-ready]", timeout=60_000)
    return tab, wrong


@built
@seen
@pytest.mark.parametrize("name", DECKS)
def test_deck_in_the_browser(browser, folder, name):
    """One visit: room at two sizes, keys, notes, dark, paper."""
    path = folder / f"{name}.html"
    tab, wrong = opened(browser, path)
    pages = BeautifulSoup(path.read_text("utf-8"), "html.parser").select(".slide")
    for width, height in ROOMS:
        tab.set_viewport_size({"width": width, "height": height})
        tab.wait_for_timeout(50)
        for slide in tab.evaluate(LOOK):
            assert slide["out"] == 0 and slide["over"] <= 1, (width, slide)
            assert slide["size"] >= 16 and not slide["empty"], slide
            assert slide["broken"] == 0 and not slide["raw"], slide
            assert all(high > 150 for high in slide["figures"]), slide
        shown = tab.locator(".slide.on").bounding_box()
        assert abs(shown["width"] - min(width, height * 16 / 9)) < 1

    def after(*keys):
        for key in keys:
            tab.keyboard.press(key)
        return tab.evaluate(ON)

    assert after() == 0
    assert after("ArrowRight", "PageDown", " ") == 3
    assert after("ArrowLeft") == 2 and after("ArrowRight") == 3
    assert after("End", "ArrowRight") == len(pages) - 1 and after("Home", "ArrowLeft") == 0
    assert not tab.locator("#notes").is_visible()
    tab.keyboard.press("n")
    assert tab.locator("#notes").is_visible() and len(tab.locator("#notes").inner_text()) > 40
    bottom = tab.locator(".slide.on").bounding_box()
    assert bottom["y"] + bottom["height"] <= tab.locator("#notes").bounding_box()["y"] + 1
    tab.keyboard.press("n")
    tab.keyboard.press("d")
    paper = "getComputedStyle(document.querySelector('.slide.on')).backgroundColor"
    assert max(map(int, re.findall(r"\d+", tab.evaluate(paper))[:3])) < 60
    printed = tab.pdf(prefer_css_page_size=True, print_background=True)
    assert len(re.findall(rb"/Type\s*/Page\b", printed)) == len(pages)
    if name == DECK:
        tab.evaluate(THIN_OUT)
        for number in (2, 6):
            for _ in ("light", "dark"):
                tab.evaluate(f"show({number - 1})")
                tab.keyboard.press("d")
                assert violations(tab) == [], number
    tab.close()
    assert wrong == []


@built
def test_deck_stands_alone_and_asks_before_it_answers(folder):
    html = (folder / f"{DECK}.html").read_text("utf-8")
    deck = BeautifulSoup(html, "html.parser")
    outside = [
        e
        for e in deck.select("[src], link[href]")
        if not str(e.get("src") or e["href"]).startswith("data:")
    ]
    assert outside == [] and deck.select("a") == []
    labels = [e.get_text() for e in deck.select(".slide")]
    kinds = [
        label.get_text() if (label := s.select_one(".label")) else "" for s in deck.select(".slide")
    ]
    for n, kind in enumerate(kinds):
        if kind in ("Predict first", "Poll"):
            assert kinds[n + 1] == "Answer", labels[n]
            assert "**" not in labels[n] and "Right." not in labels[n]
    polls = [n for n, kind in enumerate(kinds) if kind == "Poll"]
    assert all(re.search(r"Right: [A-D]\.", labels[n]) for n in polls)
    assert kinds.count("Predict first") >= 2 and kinds.count("Poll") == 5
    assert len(deck.select(".is-right")) == 5
    assert len(deck.select("figure.picture")) == len(deck.select("figcaption")) >= 5
    assert all(image["alt"] for image in deck.select("img"))
    assert sum(bool(s.select_one(".notes")) for s in deck.select(".slide")) > len(kinds) / 2


# ---------- from a page to slides ----------

PAGE = """<article><section><h1>1. Title<a class="headerlink" href="#">#</a></h1><p>Why?</p>
<div class="admonition tip"><p class="admonition-title">Aims</p><ul><li>Say it.</li></ul></div>
<section><h2>First</h2><p>Text before. It leads:</p><div class="math">\\[a = b\\]</div>{0}</section>
<section><h2>Summary</h2><ul><li>It is so.</li></ul></section></section></article>"""
PREDICT = """<div class="admonition note"><p class="admonition-title">Predict first</p>
<p>How many?</p></div>"""
OUTPUT = """<div class="cell"><div class="cell_output"><div class="output"><pre>4
5</pre></div></div></div>"""


def made(extra=""):
    return slides.deck_of(PAGE.replace("{0}", extra), Path())


def test_text_becomes_notes_and_its_last_sentence_leads():
    first, aims, lesson, summary = made("<p>It follows.</p>")
    assert (first.title, aims.title, summary.title) == (
        "1. Title",
        "What you will be able to do",
        "Summary",
    )
    assert lesson.body[0] == "<p>It leads:</p>" and "a = b" in lesson.body[1]
    assert "Text before." in lesson.notes[0] and "It follows." in lesson.notes[1]


def test_answer_follows_its_question_with_what_the_text_says_of_it():
    *_, question, answer, _ = made(f"{PREDICT}{OUTPUT}<p>Four, then five.</p>")
    assert question.label == "Predict first" and "How many?" in question.body[0]
    assert answer.label == "Answer" and "4\n5" in answer.body[0] and "Four, then" in answer.body[1]


def test_a_short_way_to_the_answer_comes_along():
    way = '<p>Count. Then:</p><div class="math">\\[4\\]</div>'
    *_, answer, _ = made(f"{PREDICT}{way}{OUTPUT}<p>Four.</p>")
    assert [re.sub("<.*?>", "", part) for part in answer.body] == [
        "Then:",
        "\\[4\\]",
        "4\n5",
        "Four.",
    ]


def test_long_lists_are_continued():
    page = PAGE.replace("<li>It is so.</li>", f"<li>{'word ' * 60}</li>" * 9)
    parts = [s for s in slides.deck_of(page, Path()) if s.title == "Summary"]
    assert len(parts) >= 3 and sum(part.startswith("<li>") for s in parts for part in s.body) == 9


@pytest.mark.parametrize("page", ["", "<article><section><h1>Prose</h1></section></article>"])
def test_other_pages_are_refused(page):
    with pytest.raises(ValueError, match="notebook"):
        slides.deck_of(page, Path())


def test_without_a_book_there_are_no_slides(tmp_path):
    with pytest.raises(FileNotFoundError, match="make book"):
        slides.make(tmp_path, tmp_path / "slides")


def test_a_formula_keeps_the_sign_after_it():
    html = '<p>If <span class="math x">\\(r = 1\\)</span>? Yes.</p>'
    assert "\\(r = 1\\)</span>?</span> Yes" in slides.together(html)
