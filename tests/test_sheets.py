"""The summary sheets of the chapters: what they take from the pages, and one of them printed."""

import re

import course
import paper
import pytest
import sheets
from bs4 import BeautifulSoup
from test_browser import HTML, find_browser

built = pytest.mark.skipif(not (HTML / "notebooks").exists(), reason="no built book")
PAGE = r"""<article><h1><span class="section-number">5.1. </span>A <em>cell</em></h1>
<a class="glossary-term" title="Glossary: leaky unit">leaky</a>
<div class="math">\[ c_t = f c_{t-1} \]</div>
<div class="exercise admonition"><div class="math">\[c_t = 0\]</div></div>
<section id="summary"><h2>Summary</h2><ul><li>It <strong>keeps</strong>.</li></ul></section>
<section id="check-yourself"><p><strong>1. Why?</strong></p><p>Not <strong>this</strong>.</p>
<details>A. So.</details><p><strong>2. What for?</strong></p></section></article>"""


@pytest.fixture
def page():
    return BeautifulSoup(PAGE, "html.parser").article


def test_a_sheet_has_title_formulas_summary_questions_and_words(page, monkeypatch):
    monkeypatch.setitem(sheets.FORMULAS, "05_cell", ("c_t=f",))
    text = sheets.sheet(5, "Cells", {"05_cell": page}, {"leaky unit", "Gate <x>"}, "_static")
    made = BeautifulSoup(text, "html.parser")
    assert [h.get_text() for h in made.select("h1, h2")] == [
        "Chapter 5: Cells", "A cell", "Can you answer these?", "New words (see the glossary)",
    ]  # fmt: skip
    assert [m.get_text() for m in made.select("div.math")] == [r"\[ c_t = f c_{t-1} \]"]
    assert [li.get_text() for li in made.select("main > ul li")] == ["It keeps."]
    assert [li.get_text() for li in made.select("main > ol li")] == ["Why?", "What for?"]
    assert made.select("main > p")[-1].get_text() == "Gate <x> · leaky unit"
    assert sheets.terms(page) == {"leaky unit"}


def test_what_is_not_there_is_left_out(page):
    page.select_one("#check-yourself").decompose()
    made = BeautifulSoup(sheets.sheet(0, "One", {"x": page}, set(), "."), "html.parser")
    assert [h.get_text() for h in made.select("h1, h2")] == ["One", "A cell"]
    assert not made.select("div.math")


@pytest.mark.parametrize("part", ["c_t", "h_t=", r"c_t=0"])
def test_a_formula_has_to_stand_on_the_page_once(page, part):
    page.append(BeautifulSoup(r'<div class="math">\[c_t = 1\]</div>', "html.parser"))
    with pytest.raises(ValueError, match=f"{re.escape(part)}' stands in [02] formulas"):
        sheets.formulas(page, (part,))


def test_wide_formulas_are_broken_at_their_gaps():
    long = "a_1 + a_2 + a_3 + a_4 + a_5 + a_6 = b"
    assert sheets.narrow(r"\[a, \qquad b\]") == r"\[a, \qquad b\]"
    assert sheets.narrow(rf"\[{long} \qquad {long} \qquad (B, H).\]") == (
        rf"\[\begin{{gathered}} {long} \\ {long} \qquad (B, H). \end{{gathered}}\]"
    )
    lines = rf"\begin{{aligned}} a &= {long} \qquad c = {long} \end{{aligned}}"
    assert sheets.narrow(lines) == lines.replace(r"\qquad", r"\\ &\quad")
    assert sheets.narrow(lines.replace("&=", "&&=")) == lines.replace("&=", "&&=")


def test_without_a_book_the_tool_says_what_to_do(tmp_path):
    with pytest.raises(FileNotFoundError, match="make book"):
        sheets.write(tmp_path, tmp_path / "out")


def test_every_notebook_whose_formulas_are_named_exists():
    assert set(sheets.FORMULAS) <= set(course.chapters())


@built
@pytest.mark.parametrize("stem", course.chapters())
def test_pages_have_what_their_sheet_takes(stem):
    page = sheets.article_of(HTML / "notebooks" / f"{stem}.html")
    parts = sheets.FORMULAS.get(stem, ())
    assert len(sheets.formulas(page, parts)) == len(parts)
    assert sheets.summary(page).count("<li>") >= 4 and len(sheets.questions(page)) >= 4


@built
@pytest.mark.skipif(not find_browser(), reason="no browser")
def test_a_sheet_is_printed(tmp_path, monkeypatch):
    monkeypatch.setattr(course, "chapters", lambda: {"05_char_rnn": 2, "16_gru": 7, "gone": 9})
    assert sheets.make(HTML, tmp_path) == {"chapter02": 0, "chapter07": 0}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["chapter02.pdf", "chapter07.pdf"]
    pages = re.findall(rb"/Type\s*/Page\b", (tmp_path / "chapter07.pdf").read_bytes())
    assert len(pages) == 1
    assert paper.TITLE in sheets.footer("chapter 7")
