"""The book as PDF and EPUB, made of a site of three pages: order, links, formulas, what moves."""

import re
import zipfile
from xml.etree import ElementTree

import paper
import pytest
from test_browser import HTML, find_browser

STATIC = HTML / "_static"
needs_browser = pytest.mark.skipif(
    not find_browser() or not STATIC.exists(), reason="no browser, or no built book"
)
SIDEBAR = """<nav class="bd-links"><ul><li><a class="reference internal" href="#">Home</a></li>
<li><a class="reference internal" href="chapter1.html">1. One</a><ul>
<li><a class="reference internal" href="../notebooks/01_a.html">1.1. A</a></li></ul></li>
<li><a class="reference internal" href="../genindex.html">Index</a></li></ul></nav>"""
PAGES = {
    "book/index": f'{SIDEBAR}<article class="bd-article"><section id="book"><h1>Book'
    '<a class="headerlink" href="#book">#</a></h1><p><a href="chapter1.html">first</a>'
    ' <a href="https://example.org/a">far</a> <a href="../a.zip">file</a></p></section></article>',
    "book/chapter1": '<article class="bd-article"><section id="one"><h1>1. One</h1>'
    '<p><a href="../notebooks/01_a.html#ex-1">there</a></p></section></article>',
    "notebooks/01_a": r"""<article class="bd-article"><section id="a"><h1>1.1. A</h1>
<p>A state <span class="math">\(h_t &lt; 1\)</span> and <a href="#ex-1">an exercise</a>.</p>
<div class="math">\[W_{hh}\]</div><img alt="dot" src="../_images/dot.png"/>
<svg class="diagram" viewBox="0 0 9 9"><defs><path id="p" d="M0 0L9 9"/></defs>
<g clip-path="url(#p)"><use xlink:href="#p" xmlns:xlink="http://www.w3.org/1999/xlink"/></g></svg>
<details class="admonition hide above-input"><pre>plt.plot()</pre></details><pre>x = 1</pre>
<h2>Check yourself</h2><p><strong>1. Why?</strong></p>
<details class="sd-dropdown"><summary>A. So.</summary><div><p><strong>Right.</strong> It is.</p>
</div></details>
<details class="sd-dropdown"><summary>B. No.</summary><div><p>No.</p></div></details>
<div class="exercise admonition" id="ex-1"><p class="admonition-title">Exercise 1.1</p></div>
<div class="solution dropdown admonition" id="sol-1"><p class="admonition-title">Solution</p>
<p>Forty-two.</p></div></section></article>""",
}
DOT = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c63f8ff"
    "ff3f0005fe02fea72d994b0000000049454e44ae426082"
)


@pytest.fixture
def site(tmp_path):
    for name, body in PAGES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / f"{name}.html").write_text(f"<html><body>{body}</body></html>", "utf-8")
    (tmp_path / "_images").mkdir()
    (tmp_path / "_images" / "dot.png").write_bytes(DOT)
    if STATIC.exists():
        (tmp_path / "_static").symlink_to(STATIC)
    return tmp_path


def test_pages_come_in_the_order_of_the_contents(site):
    assert paper.contents(site) == [("book/index", 1), ("book/chapter1", 1), ("notebooks/01_a", 2)]
    titles = [(page.title, page.level) for page in paper.bind(site, ".")]
    assert titles == [("Book", 1), ("1. One", 1), ("1.1. A", 2), ("Solutions", 1), ("Answers", 1)]


def test_without_a_book_it_says_what_to_do(tmp_path):
    with pytest.raises(FileNotFoundError, match="make book"):
        paper.bind(tmp_path, ".")


def test_solutions_and_answers_stand_at_the_end_only(site):
    *pages, solutions, answers = (page.article for page in paper.bind(site, "."))
    text = " ".join(page.get_text() for page in pages)
    assert "Forty-two" not in text and "It is." not in text and "A. So." in text
    assert "Forty-two" in solutions.get_text()
    assert re.search(r"A\. So\.\s*Right\. It is\.", answers.get_text())
    assert pages[2].select_one(".to-the-end a")["href"] == "#notebooks-01_a--question-1-answer"


def test_links_lead_within_the_book(site):
    links = [a.get("href") for page in paper.bind(site, ".") for a in page.article.find_all("a")]
    assert links[:4] == ["#book-chapter1", "https://example.org/a", None, "#notebooks-01_a--ex-1"]
    assert "#notebooks-01_a--sol-1" in links


def test_link_that_leads_nowhere_is_an_error(site):
    page = site / "book" / "chapter1.html"
    page.write_text(page.read_text("utf-8").replace("#ex-1", "#ex-9"), "utf-8")
    with pytest.raises(ValueError, match="chapter1 leads nowhere: #notebooks-01_a--ex-9"):
        paper.bind(site, ".")


def test_code_of_drawings_is_left_out_and_other_code_stays(site):
    text = paper.one_page(paper.bind(site, "."), "_static")
    assert "plt.plot" not in text
    assert "x = 1" in text


@needs_browser
def test_pdf_has_pages(site, tmp_path):
    made = paper.make_pdf(site, tmp_path / "paper").read_bytes()
    assert made.startswith(b"%PDF")
    assert len(re.findall(rb"/Type\s*/Page\b", made)) >= 5


@needs_browser
def test_picture_that_is_missing_is_an_error(site, tmp_path):
    (site / "_images" / "dot.png").unlink()
    with pytest.raises(RuntimeError, match=r"dot\.png"):
        paper.make_pdf(site, tmp_path / "paper")


@needs_browser
def test_epub_is_whole(site, tmp_path):
    made = paper.make_epub(site, tmp_path / "paper")
    first = made.read_bytes()
    assert paper.make_epub(site, tmp_path / "paper").read_bytes() == first
    with zipfile.ZipFile(made) as archive:
        assert archive.infolist()[0].filename == "mimetype"
        assert archive.read("mimetype") == b"application/epub+zip"
        files = {name: archive.read(name) for name in archive.namelist()}
    trees = {
        n: ElementTree.fromstring(c) for n, c in files.items() if n.endswith((".xhtml", ".opf"))
    }
    listed = {item.get("href") for item in trees["book/package.opf"].iter() if item.get("href")}
    assert {f"book/{name}" for name in listed} == set(files) - {
        "mimetype",
        "META-INF/container.xml",
        "book/package.opf",
    }
    for name, tree in trees.items():
        for part in tree.iter():
            link = part.get("href") or ""
            if name.endswith(".xhtml") and link.count(".xhtml"):
                target, _, anchor = link.partition("#")
                ids = {e.get("id") for e in trees[f"book/{target}"].iter()}
                assert not anchor or anchor in ids, link
            if source := part.get("src"):
                assert f"book/{source}" in files
    page = files["book/notebooks-01_a.xhtml"].decode()
    assert page.count("<math") == 2
    assert "mjx" not in page
    assert 'xlink:href="#notebooks-01_a--p"' in page and "url(#notebooks-01_a--p)" in page
