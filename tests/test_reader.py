"""What reader.js does on a page: cards for words of the glossary, and marks on pages read."""

import pytest
from test_browser import HTML, SETTLE, find_browser, violations

pytestmark = [
    pytest.mark.skipif(not find_browser(), reason="no browser: see tests/test_browser.py"),
    pytest.mark.skipif(not HTML.exists(), reason="the book is not built: run `make book`"),
]
PAGE = "notebooks/16_gru.html"
WORD = "a.glossary-term"


@pytest.fixture
def tab(site, browser):
    """A page in a browser that knows nothing yet; what it asks the server for is in `tab.asked`."""
    tab = browser.new_page()
    tab.asked = []
    tab.on("request", lambda request: tab.asked.append(request.url))
    tab.goto(site + PAGE)
    yield tab
    tab.close()


def glossary_requests(tab):
    return [address for address in tab.asked if "book/glossary" in address]


# ---------- words of the glossary ----------


def test_nothing_is_asked_for_before_a_word_is_pointed_at(tab):
    tab.wait_for_load_state("networkidle")
    assert glossary_requests(tab) == []
    assert tab.locator("#glossary-card").is_hidden()


def test_word_under_the_pointer_is_explained(tab):
    word = tab.locator(WORD).first
    word.hover()
    card = tab.locator("#glossary-card")
    card.wait_for(state="visible")
    assert len(card.inner_text()) > 30
    assert word.get_attribute("aria-describedby") == "glossary-card"
    card.hover()  # one may move onto it
    tab.wait_for_timeout(600)
    assert card.is_visible()
    tab.mouse.move(2, 2)
    card.wait_for(state="hidden")
    tab.locator(WORD).nth(1).hover()
    card.wait_for(state="visible")
    assert len(glossary_requests(tab)) == 1


def test_keyboard_opens_the_card_and_escape_closes_it(tab):
    word, card = tab.locator(WORD).nth(2), tab.locator("#glossary-card")
    word.focus()
    card.wait_for(state="visible")
    box, width = card.bounding_box(), tab.viewport_size["width"]
    assert box["x"] >= 0 and box["x"] + box["width"] <= width
    tab.keyboard.press("Escape")
    card.wait_for(state="hidden")
    assert word.get_attribute("aria-describedby") is None


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_card_and_marks_are_accessible(tab, theme):
    tab.evaluate(f"document.documentElement.dataset.theme = '{theme}'")
    tab.get_by_role("button", name="Mark as read").click()
    tab.locator(WORD).first.focus()
    tab.locator("#glossary-card").wait_for(state="visible")
    tab.evaluate(
        "document.querySelectorAll('.bd-article .cell, .bd-article mjx-container')"
        ".forEach(e => e.remove())"  # looked at in test_browser.py
    )
    tab.wait_for_timeout(SETTLE)
    assert violations(tab) == []


def test_formulas_of_a_definition_are_drawn(tab):
    word = tab.locator(f"{WORD}[href$='term-update-gate']").first
    word.focus()
    tab.locator("#glossary-card mjx-container").first.wait_for(state="visible")


def test_first_tap_explains_and_second_follows(site, browser):
    tab = browser.new_page(viewport={"width": 360, "height": 740}, is_mobile=True, has_touch=True)
    tab.goto(site + PAGE)
    word, card = tab.locator(WORD).first, tab.locator("#glossary-card")
    word.tap()
    card.wait_for(state="visible")
    box = card.bounding_box()
    assert box["x"] >= 0 and box["x"] + box["width"] <= 360
    word.tap()
    tab.wait_for_url("**/book/glossary.html#*")
    tab.close()


def test_without_the_glossary_the_link_still_leads_there(tab):
    tab.route("**/book/glossary.html", lambda route: route.abort())
    tab.locator(WORD).first.hover()
    tab.wait_for_timeout(600)
    assert tab.locator("#glossary-card").is_hidden()
    tab.unroute("**/book/glossary.html")
    tab.locator(WORD).first.click()
    tab.wait_for_url("**/book/glossary.html#*")


# ---------- pages that were read ----------


def test_mark_is_kept_and_cleared(site, tab):
    ticked = ".bd-links a.is-read"
    assert tab.locator(ticked).count() == 0
    mark = tab.get_by_role("button", name="Mark as read")
    mark.click()
    assert mark.get_attribute("aria-pressed") == "true"
    tab.goto(site + "notebooks/11_lstm.html")
    assert tab.locator(ticked).evaluate_all("links => links.map(a => a.pathname)") == [f"/{PAGE}"]
    assert tab.locator(ticked).first.text_content().endswith("(read)")
    assert "1 of " in tab.locator(".read-mark").inner_text()
    tab.get_by_role("button", name="Clear all marks").click()
    assert tab.locator(ticked).count() == 0
    tab.goto(site + PAGE)
    assert tab.get_by_role("button", name="Mark as read").get_attribute("aria-pressed") == "false"


@pytest.mark.parametrize(("page", "marked"), [("book/chapter7.html", 1), ("book/glossary.html", 0)])
def test_pages_of_chapters_can_be_marked(site, tab, page, marked):
    tab.goto(site + page)
    assert tab.locator(".read-mark").count() == marked


OFF = "Object.defineProperty(window, 'localStorage', {get() { throw new DOMException('off'); }})"
BROKEN = "localStorage.setItem('networks-that-remember: read', '{not json')"


@pytest.mark.parametrize("trouble", [OFF, BROKEN])
def test_nothing_breaks_where_marks_cannot_be_kept(site, browser, trouble):
    tab = browser.new_page()
    errors = []
    tab.on("pageerror", lambda error: errors.append(str(error)))
    tab.add_init_script(trouble)
    tab.goto(site + PAGE)
    assert tab.locator(".read-mark").count() == 0
    assert [error for error in errors if "read" in error] == []
    tab.close()
