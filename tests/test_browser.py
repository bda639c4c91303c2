"""Every built page, loaded in a real browser: nothing from elsewhere, nothing broken, room for all.

The tests need Chromium, Chrome or Edge. It is looked for in the usual places; the variable CHROMIUM
names another one. Without a browser the tests are skipped, unless CHROMIUM is set.
"""

import functools
import json
import re
from pathlib import Path
from typing import NamedTuple

import headless
import pytest
from headless import Quiet, find_browser, launched  # noqa: F401

HTML = Path(__file__).resolve().parents[1] / "_build" / "html"
PAGES = sorted(
    path.relative_to(HTML).as_posix()
    for path in HTML.rglob("*.html")
    if "_static" not in path.parts and path != HTML / "index.html"  # a redirect to the first page
)
DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 360, "height": 740}


pytestmark = [
    pytest.mark.skipif(
        not find_browser(),
        reason="no browser: install chromium (Debian: apt install chromium) or set CHROMIUM to one",
    ),
    pytest.mark.skipif(not PAGES, reason="the book is not built: run `make book`"),
]
each_page = pytest.mark.parametrize("page", PAGES)


class Visit(NamedTuple):
    """What happened while a page was loaded, and what was measured on it."""

    foreign: list  # addresses on other hosts
    failed: list  # requests without an answer, or with an error for an answer
    errors: list  # what the scripts complained about
    formulas: int
    formulas_without_output: int
    formulas_in_error: list
    images_missing: list
    ids_repeated: list
    overflow_desktop: list
    overflow_phone: list
    dark: dict
    accessibility: list


# ---------- the site and the browser, one of each for all tests ----------


def serving(kind=Quiet):
    """The address of the built pages, served on this machine while the block runs."""
    return headless.serving(HTML, kind)


@pytest.fixture(scope="module")
def browser(browser):
    return browser.new_context(color_scheme="light")


@pytest.fixture(scope="module")
def visit(site, browser):
    """visit(page) loads a page once and remembers what it saw."""
    return functools.cache(functools.partial(load, site, browser))


# ---------- one visit ----------

WAIT_FOR_MATH = "() => window.MathJax?.startup?.promise?.then(() => true) ?? true"

SETTLE = 400  # milliseconds, for colours to fade and for the theme to react to the new width

LOAD_LAZY_IMAGES = """async () => {
  for (const image of document.images) image.loading = 'eager';
  await Promise.all([...document.images].map(i => i.decode().catch(() => null)));
}"""

# Elements that stick out to the right and do not lie in a box that scrolls by itself.
OVERFLOW = """() => {
  const width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth <= width + 1) return [];
  const inScroller = e => {
    for (let p = e.parentElement; p; p = p.parentElement)
      if (p !== document.body && p !== document.documentElement
          && getComputedStyle(p).overflowX !== 'visible') return true;
    return false;
  };
  return ['page is ' + document.documentElement.scrollWidth + ' wide, window ' + width]
    .concat([...document.querySelectorAll('body *')]
      .filter(e => e.getBoundingClientRect().right > width + 1 && !inScroller(e))
      .slice(0, 5).map(e => e.outerHTML.slice(0, 120)));
}"""

# MathJax writes a macro that it does not know in red.
LOOK = """() => {
  const all = (selector) => [...document.querySelectorAll(selector)];
  const formulas = all('.math').filter(e => !e.parentElement.closest('.math'));
  return {
    formulas: formulas.length,
    formulas_without_output: formulas.filter(e => !e.querySelector('mjx-container')).length,
    formulas_in_error: all('mjx-merror, [data-mjx-error], mtext[mathcolor=red]')
      .map(e => e.dataset.mjxError ?? e.textContent),
    images_missing: [...document.images].filter(i => !i.naturalWidth).map(i => i.src),
    ids_repeated: all('[id]').map(e => e.id).filter((id, n, ids) => ids.indexOf(id) < n),
  };
}"""

# Thousands of elements that say the same ten times over keep axe busy for many seconds. Formulas go
# (they were looked at before), and of each colour of code one example stays.
THIN_OUT = """() => {
  document.querySelectorAll('mjx-container').forEach(e => e.remove());
  const seen = new Set();
  for (const e of document.querySelectorAll('.highlight pre span'))
    if (seen.has(e.className)) e.replaceWith(e.textContent);
    else seen.add(e.className);
}"""

GO_DARK = """() => {
  document.documentElement.dataset.theme = 'dark';
  document.documentElement.dataset.mode = 'dark';
}"""

LIGHTNESS = """() => {
  const lightness = text => {
    const [r, g, b] = text.match(/[\\d.]+/g).map(Number);
    return (0.2126 * r + 0.7152 * g + 0.0722 * b) / 255;
  };
  const figures = [...document.querySelectorAll('article img')];
  return {
    background: lightness(getComputedStyle(document.body).backgroundColor),
    text: lightness(getComputedStyle(document.querySelector('main') ?? document.body).color),
    figures: figures.map(i => [i.className, getComputedStyle(i).filter]),
  };
}"""


def new_tab(browser):
    tab = browser.new_page()
    tab.set_viewport_size(DESKTOP)
    return tab


def load(site: str, browser, page: str) -> Visit:
    tab = new_tab(browser)
    foreign, failed, errors = [], [], []
    tab.on("request", lambda r: r.url.startswith((site, "data:", "blob:")) or foreign.append(r.url))
    tab.on("requestfailed", lambda r: failed.append(f"{r.url}: {r.failure}"))
    tab.on("response", lambda r: r.status < 400 or failed.append(f"{r.url}: {r.status}"))
    tab.on("pageerror", lambda e: errors.append(str(e)))
    tab.on("console", lambda m: m.type == "error" and errors.append(m.text))
    try:
        tab.goto(site + page, wait_until="load")
        tab.wait_for_function(WAIT_FOR_MATH)
        tab.evaluate(LOAD_LAZY_IMAGES)
        seen = tab.evaluate(f"({LOOK})()")
        overflow_desktop = tab.evaluate(OVERFLOW)
        tab.set_viewport_size(PHONE)
        tab.wait_for_timeout(SETTLE)
        overflow_phone = tab.evaluate(OVERFLOW)
        tab.evaluate(THIN_OUT)
        accessibility = violations(tab)
        tab.evaluate(GO_DARK)
        tab.set_viewport_size(DESKTOP)
        tab.wait_for_timeout(SETTLE)
        return Visit(
            **seen,
            foreign=foreign,
            failed=failed,
            errors=errors,
            overflow_desktop=overflow_desktop,
            overflow_phone=overflow_phone,
            dark=tab.evaluate(LIGHTNESS),
            accessibility=accessibility + violations(tab),
        )
    finally:
        tab.close()


def violations(tab) -> list[str]:
    """What axe-core finds against WCAG 2.1 A and AA, and against good practice."""
    from axe_playwright_python.sync_playwright import Axe

    options = {"resultTypes": ["violations"], "preload": False}  # or it loads style sheets again
    found = Axe().run(tab, options=options).response["violations"]
    return [f"{v['id']}: {node['html'][:200]}" for v in found for node in v["nodes"]]


# ---------- every page ----------


@each_page
def test_asks_no_other_host(visit, page):
    assert visit(page).foreign == []


@each_page
def test_every_request_is_answered(visit, page):
    assert visit(page).failed == []


@each_page
def test_scripts_report_no_error(visit, page):
    assert visit(page).errors == []


@each_page
def test_mathematics_is_drawn(visit, page):
    seen = visit(page)
    assert seen.formulas_without_output == 0, f"{seen.formulas} formulas"
    assert seen.formulas_in_error == []


@each_page
def test_images_are_there(visit, page):
    assert visit(page).images_missing == []


@each_page
def test_ids_are_unique(visit, page):
    assert visit(page).ids_repeated == []


@each_page
def test_fits_a_desktop(visit, page):
    assert visit(page).overflow_desktop == []


@each_page
def test_fits_a_phone(visit, page):
    assert visit(page).overflow_phone == []


@each_page
def test_is_dark_in_dark_mode(visit, page):
    dark = visit(page).dark
    assert dark["background"] < 0.15
    assert dark["text"] > 0.6
    for classes, colours in dark["figures"]:
        assert ("invert" in colours) == ("keep-colours" not in classes)


@each_page
def test_is_accessible(visit, page):
    assert visit(page).accessibility == []


# ---------- the book as a whole ----------


def test_some_page_has_mathematics(visit):
    assert any(visit(page).formulas for page in PAGES)


def test_screen_readers_get_the_mathematics(site, browser):
    tab = new_tab(browser)
    tab.goto(site + "book/notation.html")
    tab.wait_for_function(WAIT_FOR_MATH)
    drawn = tab.locator("mjx-container").count()
    assert tab.locator("mjx-assistive-mml math").count() == drawn > 0
    tab.close()


def test_address_of_the_book_leads_to_its_first_page(site, browser):
    tab = new_tab(browser)
    tab.goto(site)
    tab.wait_for_url("**/book/index.html")
    tab.close()


def test_search_finds_a_word(site, browser):
    tab = new_tab(browser)
    tab.goto(site + "search.html?q=notation")
    tab.wait_for_selector("#search-results li a", timeout=10_000)
    links = tab.eval_on_selector_all("#search-results li a", "links => links.map(a => a.href)")
    tab.close()
    assert any("notation.html" in link for link in links)


def test_theme_button_changes_the_theme(site, browser):
    tab = new_tab(browser)
    tab.goto(site + "book/index.html")
    themes = set()
    for _ in range(3):  # light, dark, as the system has it
        tab.click("button.theme-switch-button:visible")
        themes.add(tab.evaluate("document.documentElement.dataset.theme"))
    tab.close()
    assert themes == {"light", "dark"}


# ---------- figures ----------

WITH_FIGURES = "notebooks/11_lstm.html"
OPENERS = ".bd-article .opens-large"
NAME = "e => e.getAttribute('alt') ?? e.getAttribute('aria-label')"
WIDTHS = "openers => openers.map(e => e.firstElementChild.getBoundingClientRect().width)"


@pytest.fixture
def telephone(site, browser):
    tab = browser.browser.new_page(viewport=PHONE, is_mobile=True, has_touch=True)
    tab.goto(site + WITH_FIGURES)
    yield tab
    tab.close()


def test_figures_fit_a_phone(telephone):
    widths = telephone.eval_on_selector_all(OPENERS, WIDTHS)
    assert widths
    assert max(widths) <= PHONE["width"]


@pytest.mark.parametrize("by", ["tap", "keyboard"])
def test_figure_opens_large_and_closes_again(telephone, by):
    frame = telephone.locator(OPENERS).first
    picture, opener = frame.locator(":scope > :first-child"), frame.locator("button")
    small, name = picture.bounding_box()["width"], picture.evaluate(NAME)
    opener.focus()
    picture.tap() if by == "tap" else telephone.keyboard.press("Enter")
    shown = telephone.locator("dialog.viewer[open] .viewer-stage > *")
    assert shown.bounding_box()["width"] > 1.5 * small
    assert shown.evaluate(NAME) == name != ""
    assert violations(telephone) == []
    telephone.keyboard.press("Escape")
    assert telephone.locator("dialog[open]").count() == 0
    assert picture.bounding_box()["width"] == small
    assert opener.evaluate("e => e === document.activeElement")


def test_open_figure_closes_on_a_tap(telephone):
    telephone.locator(OPENERS).locator("button").first.tap()
    telephone.locator("dialog.viewer .viewer-close").tap()
    assert telephone.locator("dialog[open]").count() == 0


# ---------- on paper, without JavaScript, downloaded ----------

LISTEN = """() => {
  addEventListener('beforeprint', () => {
    const style = e => getComputedStyle(document.querySelector(e));
    window.printed = {
      theme: document.documentElement.dataset.theme,
      figure: style('article figure img').filter,
      text: style('article p').color,
    };
  });
}"""


def test_dark_page_is_printed_as_a_light_one(site, browser):
    tab = browser.browser.new_page(color_scheme="dark")
    tab.goto(site + WITH_FIGURES)
    tab.evaluate(LISTEN)
    assert tab.evaluate("document.documentElement.dataset.theme") == "dark"
    tab.pdf()
    printed = tab.evaluate("window.printed")
    after = tab.evaluate("document.documentElement.dataset.theme")
    tab.emulate_media(media="print")
    paper = tab.evaluate("getComputedStyle(document.body).backgroundColor")
    tab.close()
    assert (printed["theme"], printed["figure"], after) == ("light", "none", "dark")
    assert max(map(int, re.findall(r"\d+", printed["text"]))) < 80
    assert paper == "rgb(255, 255, 255)"


def test_page_can_be_read_without_javascript(site, browser):
    tab = browser.browser.new_page(java_script_enabled=False, color_scheme="dark")
    tab.goto(site + "notebooks/09_vanishing.html")
    logos = [logo.is_visible() for logo in tab.locator(".logo__image").all()]
    notice = tab.locator(".no-script").is_visible()
    colours = tab.evaluate(
        "[document.body, document.querySelector('article p')]"
        ".map((e, n) => getComputedStyle(e)[n ? 'color' : 'backgroundColor'])"
    )
    tab.close()
    assert sorted(logos) == [False, True]
    assert notice
    assert colours == ["rgb(255, 255, 255)", "rgb(34, 40, 50)"]


def test_notebook_downloads_and_says_how_to_view_it(site, browser):
    tab = new_tab(browser)
    tab.goto(site + "notebooks/03_rnn.html")
    tab.click(".dropdown-download-buttons > button")
    with tab.expect_download() as waiting:
        tab.click(".btn-download-source-button")
    download = waiting.value
    notebook = json.loads(Path(download.path()).read_text("utf-8"))
    tab.close()
    assert download.suggested_filename == "03_rnn.ipynb"
    assert "jupyterlab-myst" in "".join(notebook["cells"][0]["source"])


# ---------- the measurements themselves ----------

FAULTS = {
    "foreign": '<script src="https://example.org/script.js"></script>',
    "failed": '<script src="no-such-script.js"></script>',
    "errors": "<script>noSuchFunction()</script>",
    "formulas_without_output": r'<span class="math">\(\frac{x\)</span>',
    "formulas_in_error": r'<span class="math">\(\nosuchmacro{x}\)</span>',
    "ids_repeated": '<p id="main-content">Twice.</p>',
    "images_missing": '<img src="no-such-image.png" alt="nothing">',
    "overflow_desktop": '<div style="width: 1400px">wide</div>',
    "overflow_phone": '<div style="width: 500px">less wide</div>',
    "accessibility": '<p style="color: #aaa; background: #fff">faint</p>',
}


@pytest.fixture(scope="module")
def visit_of_a_faulty_page(site, browser):
    original = (HTML / "book" / "notation.html").read_text("utf-8")
    faulty = original.replace("</section>", "".join(FAULTS.values()) + "</section>", 1)
    route = f"{site}book/faulty.html"
    browser.route(route, lambda r: r.fulfill(body=faulty, content_type="text/html"))
    return load(site, browser, "book/faulty.html")


@pytest.mark.parametrize("measure", FAULTS)
def test_a_planted_fault_is_noticed(visit_of_a_faulty_page, measure):
    assert getattr(visit_of_a_faulty_page, measure)
