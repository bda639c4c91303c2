"""The pages load fast on a telephone: measured in a browser on a throttled line, against a budget.

The line is a slow mobile one (1.6 Mbit/s, 150 ms until an answer comes), the server compresses text
as hosts do, and nothing is cached. `python tests/test_page_budget.py` measures all pages.
"""

import base64
import gzip
import random
from pathlib import Path
from typing import NamedTuple

import pytest
from test_browser import HTML, PAGES, Quiet, launched, pytestmark, serving  # noqa: F401

FIRST_PAINT = 2.5  # seconds until something can be read
TRANSFERRED = 700_000  # bytes, of everything that a reader meets who scrolls to the end
SHIFT = 0.05  # how much of the window may move by itself: the sum of all layout shifts

LINE = {"latency": 150, "downloadThroughput": 1.6e6 / 8, "uploadThroughput": 0.75e6 / 8}
PHONE = {"width": 360, "height": 740}
TEXT = {".css", ".html", ".ipynb", ".js", ".json", ".md", ".svg"}


class Cost(NamedTuple):
    first_paint: float
    transferred: int
    shift: float


class Compressing(Quiet):
    """Sends text compressed and keeps connections open, as hosts of pages do."""

    protocol_version = "HTTP/1.1"
    planted = {}  # pages that only a test has

    def do_GET(self):
        path = Path(self.translate_path(self.path))
        if self.path not in self.planted and not path.is_file():
            self.send_error(404)
            return
        content = self.planted.get(self.path) or path.read_bytes()
        self.send_response(200)
        self.send_header("Content-Type", self.guess_type(path))
        if path.suffix in TEXT:
            content = gzip.compress(content, 6)
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


WATCH_SHIFTS = """
  window.shift = 0;
  new PerformanceObserver(list => {
    for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shift += entry.value;
  }).observe({type: 'layout-shift', buffered: true});
"""

WAIT_FOR_MATH = "() => window.MathJax?.startup?.promise?.then(() => true) ?? true"

SCROLL_TO_THE_END = """async () => {
  for (let y = 0; y < document.documentElement.scrollHeight; y += 600) {
    scrollTo({top: y, behavior: 'instant'});
    await new Promise(done => setTimeout(done, 20));
  }
}"""

FIRST_PAINT_SO_FAR = "performance.getEntriesByName('first-contentful-paint')[0].startTime / 1000"


def measure(site: str, browser, page: str) -> Cost:
    """Load a page on the slow line. Shifts count until its formulas are drawn, bytes to its end."""
    context = browser.new_context(viewport=PHONE, device_scale_factor=2, is_mobile=True)
    tab = context.new_page()
    tab.add_init_script(WATCH_SHIFTS)
    network = context.new_cdp_session(tab)
    network.send("Network.enable")
    network.send("Network.setCacheDisabled", {"cacheDisabled": True})
    network.send("Network.emulateNetworkConditions", {"offline": False, **LINE})
    sizes = []
    network.on("Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"]))
    try:
        tab.goto(site + page, wait_until="load")
        tab.wait_for_function(WAIT_FOR_MATH)
        tab.wait_for_timeout(600)  # fonts of formulas
        first_paint, shift = tab.evaluate(FIRST_PAINT_SO_FAR), tab.evaluate("window.shift")
        tab.evaluate(SCROLL_TO_THE_END)
        tab.wait_for_load_state("networkidle")
        return Cost(first_paint, int(sum(sizes)), shift)
    finally:
        context.close()


# ---------- fixtures ----------


@pytest.fixture(scope="module")
def site():
    with serving(Compressing) as address:
        yield address


# ---------- the budget ----------


def weight(page: str) -> int:
    """Bytes of a notebook's page and of its images: what differs from page to page."""
    html = (HTML / page).read_text("utf-8")
    images = {path for path in (HTML / "_images").iterdir() if path.name in html}
    return len(gzip.compress(html.encode())) + sum(path.stat().st_size for path in images)


def heaviest(pages: list[str]) -> str | None:
    notebooks = [page for page in pages if page.startswith("notebooks/")]
    return max(notebooks, key=weight, default=None)


@pytest.mark.slow
@pytest.mark.parametrize("page", ["the heaviest", "book/index.html", "notebooks/23_attention.html"])
def test_page_keeps_to_the_budget(site, browser, page):
    cost = measure(site, browser, heaviest(PAGES) if page == "the heaviest" else page)
    assert cost.first_paint <= FIRST_PAINT
    assert cost.transferred <= TRANSFERRED
    assert cost.shift <= SHIFT


FAULT = """
  <script src="/heavy.js"></script>
  <div id="late"></div>
  <script>onload = () => { late.style.height = "400px"; }</script>
"""


def test_a_slow_heavy_jumping_page_is_noticed(site, browser):
    """A script of 0.8 MB that the text waits for, and a box that pushes the text down."""
    original = (HTML / "book/notation.html").read_text("utf-8")
    noise = base64.b64encode(random.Random(0).randbytes(800_000))
    body = original.index(">", original.index("<body")) + 1
    Compressing.planted = {
        "/book/faulty.html": (original[:body] + FAULT + original[body:]).encode(),
        "/heavy.js": b"//" + noise,
    }
    cost = measure(site, browser, "book/faulty.html")
    assert cost.first_paint > FIRST_PAINT
    assert cost.transferred > TRANSFERRED
    assert cost.shift > SHIFT


if __name__ == "__main__":  # a table of all pages
    with serving(Compressing) as address, launched() as chromium:
        for name in PAGES:
            cost = measure(address, chromium, name)
            print(f"{name:40} {cost.first_paint:4.1f} s {cost.transferred / 1e3:6.0f} KB "
                  f"{cost.shift:6.3f}")  # fmt: skip
