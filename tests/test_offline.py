"""The offline copy: the same bytes twice, and pages that work from a folder."""

import offline
import pytest
from test_browser import HTML, WAIT_FOR_MATH, find_browser, launched

pytestmark = pytest.mark.skipif(not HTML.exists(), reason="the book is not built: run `make book`")


def small_site(folder):
    for name in (
        "book/index.html",
        "notebooks/a.html",
        "live/large.bin",
        ".doctrees/x",
        ".buildinfo",
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    return folder


def test_same_pages_give_the_same_bytes(tmp_path):
    site = small_site(tmp_path / "site")
    names = offline.pack(site, tmp_path / "a.zip")
    (site / "notebooks" / "a.html").touch()
    offline.pack(site, tmp_path / "b.zip")
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    assert names == ["README.txt", "book/index.html", "notebooks/a.html"]


def test_without_a_book_it_says_what_to_do(tmp_path):
    with pytest.raises(FileNotFoundError, match="make book"):
        offline.pack(tmp_path, tmp_path / "a.zip")


@pytest.mark.skipif(not find_browser(), reason="no browser: see tests/test_browser.py")
def test_page_works_from_a_folder():
    asked, failed, errors = [], [], []
    with launched() as browser:
        tab = browser.new_page()
        tab.on("request", lambda r: asked.append(r.url))
        tab.on("requestfailed", lambda r: failed.append(r.url))
        tab.on("pageerror", lambda e: errors.append(str(e)))
        tab.goto((HTML / "notebooks" / "16_gru.html").as_uri())
        tab.wait_for_function(WAIT_FOR_MATH)
        assert tab.locator("mjx-container").count() > 20
        assert failed == errors == []
        tab.locator("a.glossary-term").first.hover()
        tab.wait_for_timeout(400)
        assert tab.locator("#glossary-card").is_hidden()
        tab.goto((HTML / "search.html").as_uri() + "?q=gradient")
        tab.wait_for_selector("#search-results li a", timeout=10_000)
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []
