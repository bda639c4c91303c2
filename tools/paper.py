"""The whole book as one PDF, and as an EPUB, from the built pages.

    python tools/paper.py pdf  _build/html _build/paper
    python tools/paper.py epub _build/html _build/paper

The pages are put one behind the other in the order of the table of contents. Solutions and answers
move to the end, with links there and back. Code that draws a figure is left out; it is on the page
and in the notebook. The browser that the tests use (Chromium, Chrome, Edge; CHROMIUM names one)
sets the formulas with the book's own MathJax; for the PDF it prints, for the EPUB it hands back
MathML. Where the package `pikepdf` is installed, the PDF is packed to a third of its size.
"""

import hashlib
import html
import os
import re
import sys
import uuid
import zipfile
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import headless
from bs4 import BeautifulSoup, Tag

TITLE, AUTHOR = "Networks That Remember", "The Networks That Remember authors"
NAME = "networks-that-remember"
LEFT_OUT = (
    "script, style, link, noscript, audio, video, .headerlink, .copybtn, .read-mark, .live-only, "
    "details.hide, .hide.above-input, button, .d-print-none"
)
LAST = ("Solutions", "Answers")


class Page(NamedTuple):
    """name: without .html, as in the table of contents. level: 1 for a chapter, 2 within one."""

    name: str
    level: int
    title: str
    article: Tag


# ---------- from pages to one book ----------


def soup(text: str) -> BeautifulSoup:
    return BeautifulSoup(text, "html.parser")


def slug(name: str) -> str:
    return re.sub(r"\W+", "-", name)


def contents(site: Path) -> list[tuple[str, int]]:
    """(name, level) of every page, in the order of the sidebar; the first page first.

    Raises: FileNotFoundError if there is no built book in `site`.
    """
    first = site / "book" / "index.html"
    if not first.exists():
        raise FileNotFoundError(f"no built book in {site}: run `make book`")
    found = {"book/index": 1}
    for link in soup(first.read_text("utf-8")).select(".bd-links li > a.reference.internal"):
        place = (first.parent / link["href"].split("#")[0]).resolve()
        name = place.relative_to(site.resolve()).as_posix().removesuffix(".html")
        if name != "genindex" and link["href"] != "#":
            found.setdefault(name, len(link.find_parents("li")))
    return list(found.items())


def read_page(site: Path, name: str, level: int) -> Page:
    article = soup((site / f"{name}.html").read_text("utf-8")).select_one("article.bd-article")
    for part in article.select(LEFT_OUT):
        part.decompose()
    title = article.find("h1").get_text(" ", strip=True)
    for place in article.find_all(re.compile(r"^h[1-6]$")):
        place.name = f"h{min(6, int(place.name[1]) + level - 1)}"
    return Page(name, level, title, article)


def rewrite_links(page: Page, known: set[str], media: str) -> None:
    """Ids get the page's name before them, links lead within the book, pictures to `media`."""
    here = slug(page.name)
    folder = Path(page.name).parent
    for part in page.article.find_all(id=True):
        part["id"] = f"{here}--{part['id']}"
    for part in page.article.select("svg *"):  # a drawing refers to its own parts
        for key, value in part.attrs.items():
            if key in ("href", "xlink:href"):
                part[key] = re.sub("^#", f"#{here}--", value)
            elif isinstance(value, str):
                part[key] = value.replace("url(#", f"url(#{here}--")
    for part in page.article.find_all(href=True):
        if part.find_parent("svg"):
            continue
        address, _, anchor = part["href"].partition("#")
        if re.match(r"[a-z]+:", address):
            continue
        target = os.path.normpath(folder / address).removesuffix(".html") if address else page.name
        if target in known:
            part["href"] = f"#{slug(target)}" + (f"--{anchor}" if anchor else "")
        else:  # a download, a page that the paper has not
            del part["href"]
    for part in page.article.find_all(src=True):
        if not part["src"].startswith("data:"):
            part["src"] = f"{media}/{os.path.normpath(folder / part['src'])}"


def new(name: str, text: str = "", **attributes) -> Tag:
    tag = soup("").new_tag(name, attrs=attributes)
    if text:
        tag.string = text
    return tag


def title_of(box: Tag) -> str:
    return box.select_one(".admonition-title").get_text(" ", strip=True)


def take_solutions(page: Page) -> list[Tag]:
    """Take the solutions out of a page; leave links, and give each one back to its exercise."""
    taken = []
    for solution in page.article.select("div.solution"):
        exercise = solution.find_previous("div", class_="exercise")
        name = title_of(exercise)
        link = new("p", **{"class": "to-the-end"})
        link.append(new("a", "To the solution", href=f"#{solution['id']}"))
        solution.replace_with(link)
        title = solution.select_one(".admonition-title")
        title.clear()
        title.append(new("a", f"Solution of {name}", href=f"#{exercise['id']}"))
        taken.append(solution)
    return taken


def take_answers(page: Page) -> list[Tag]:
    """Leave the options of each question as a list; what is said of them goes to the end."""
    taken, boxes = [], list(page.article.select("details.sd-dropdown"))
    while boxes:
        group = [boxes.pop(0)]
        while boxes and group[-1].find_next_sibling() is boxes[0]:
            group.append(boxes.pop(0))
        options = [box.find("summary").get_text(" ", strip=True) for box in group]
        if not all(re.match(r"[A-Z]\. ", option) for option in options):
            for box in group:
                box.name = "div"
            continue
        question = group[0].find_previous_sibling("p")
        name = f"{slug(page.name)}--question-{len(taken) + 1}"
        question["id"] = question.get("id", name)
        shown, told = new("ul", **{"class": "options"}), new("ul", **{"class": "options"})
        for box, option in zip(group, options, strict=True):
            shown.append(new("li", option))
            answer = new("li")
            answer.append(new("strong", option))
            for part in list(box.find("summary").find_next_siblings()):
                answer.append(part.extract())
            told.append(answer)
        link = new("p", **{"class": "to-the-end"})
        link.append(new("a", "To the answers", href=f"#{name}-answer"))
        group[0].insert_before(shown)
        group[-1].insert_after(link)
        for box in group:
            box.decompose()
        entry = new("div", id=f"{name}-answer", **{"class": "answer"})
        back = new("p")
        back.append(new("a", question.get_text(" ", strip=True), href=f"#{question['id']}"))
        entry.extend([back, told])
        taken.append(entry)
    return taken


def at_the_end(title: str, parts: dict[str, list[Tag]]) -> Page:
    article = new("article")
    article.append(new("h1", title))
    for heading, boxes in parts.items():
        if boxes:
            article.append(new("h2", heading))
            article.extend(boxes)
    return Page(title.lower(), 1, title, article)


def bind(site: Path, media: str) -> list[Page]:
    """All pages of the book, and what moves to its end.

    Raises: ValueError if a link within the book leads nowhere.
    """
    wanted = contents(site)
    known = {name for name, _ in wanted}
    pages = [read_page(site, name, level) for name, level in wanted]
    for page in pages:
        rewrite_links(page, known, media)
    solutions = {page.title: take_solutions(page) for page in pages}
    answers = {page.title: take_answers(page) for page in pages}
    pages += [at_the_end(LAST[0], solutions), at_the_end(LAST[1], answers)]
    places = {slug(page.name) for page in pages}
    places |= {part["id"] for page in pages for part in page.article.find_all(id=True)}
    for page in pages:
        for link in page.article.select('a[href^="#"]'):
            if link["href"][1:] not in places:
                raise ValueError(f"a link of {page.name} leads nowhere: {link['href']}")
    return pages


def list_of(pages: list[Page]) -> str:
    lines = (
        f'<li class="level-{p.level}"><a href="#{slug(p.name)}">{html.escape(p.title)}</a></li>'
        for p in pages[1:]
    )
    items = "".join(lines)
    return f'<section class="page"><h1>Contents</h1><ul class="contents">{items}</ul></section>'


CSS = """
@page { size: A4; margin: 18mm 17mm 20mm; }
* { box-sizing: border-box; }
body { margin: 0 auto; font: 10.5pt/1.45 "DejaVu Serif", Georgia, serif; color: #000; }
h1, h2, h3, h4 { font-family: "DejaVu Sans", Helvetica, sans-serif; line-height: 1.2;
  color: #17365d; break-after: avoid; }
.page.level-1 { break-before: page; }
.page.level-2 > article > section > h2:first-child { break-before: page; }
h1 { font-size: 22pt; } h2 { font-size: 16pt; } h3 { font-size: 12.5pt; } h4 { font-size: 11pt; }
p, li { orphans: 2; widows: 2; }
pre, code { font: 8.3pt/1.4 "DejaVu Sans Mono", Consolas, monospace; }
pre { margin: 0.4em 0; padding: 0.5em 0.7em; background: #f4f6f9; white-space: pre-wrap;
  overflow-wrap: anywhere; }
.cell_output pre { background: none; border-left: 2px solid #cdd6e2; }
img, svg { max-width: 100%; height: auto; }
figure { margin: 1em 0; break-inside: avoid; text-align: center; }
figcaption { font-size: 9.3pt; text-align: left; }
table { border-collapse: collapse; font-size: 9pt; break-inside: avoid; }
td, th { padding: 0.2em 0.5em; border-bottom: 1px solid #bbb; text-align: left;
  vertical-align: top; }
.admonition { margin: 0.9em 0; padding: 0.4em 0.9em; border-left: 3px solid #1d4a80;
  background: #f6f8fb; }
.admonition.exercise { border-color: #e2932b; }
.admonition-title { margin: 0.2em 0; font-weight: bold; }
.options { list-style: none; padding-left: 1.2em; }
.to-the-end { font-size: 9pt; }
.answer { margin-bottom: 1em; }
.contents { list-style: none; padding: 0; }
.contents .level-2 { padding-left: 1.5em; font-size: 9.5pt; }
a { color: #1d4a80; text-decoration: none; }
.math { overflow-wrap: normal; }
div.math { margin: 0.6em 0; text-align: center; break-inside: avoid; }
.diagram { fill: #1a1a1a; }
.sd-row { display: flex; gap: 1em; } .sd-col { flex: 1; } .sd-stretched-link { display: none; }
.sd-tab-set > input { display: none; } .sd-tab-set > label { display: block; font-weight: bold; }
.only-dark, .dark-light { display: none; }
dt { font-weight: bold; } dd { margin-left: 1.5em; }
"""

MATHJAX = """{"loader": {"load": ["input/tex", "output/chtml", "a11y/assistive-mml"]},
 "options": {"ignoreHtmlClass": "page", "processHtmlClass": "math"}}"""


def one_page(pages: list[Page], static: str) -> str:
    """The book as one HTML document; `static` leads to the folder _static of the site."""
    body = "".join(
        f'<section class="page level-{p.level}" id="{slug(p.name)}">{p.article}</section>'
        for p in pages[1:]
    )
    first = f'<section class="page" id="{slug(pages[0].name)}">{pages[0].article}</section>'
    return (
        f'<!doctype html><html lang="en" data-theme="light"><head><meta charset="utf-8">'
        f'<title>{TITLE}</title><link rel="stylesheet" href="{static}/pygments.css">'
        f"<style>{CSS}</style><script>window.MathJax = {MATHJAX}</script>"
        f'<script defer src="{static}/mathjax/startup.js"></script></head>'
        f"<body>{first}{list_of(pages)}{body}</body></html>"
    )


def write_page(site: Path, folder: Path) -> tuple[list[Page], Path]:
    """The pages of the book, and the file in `folder` that holds them as one document."""
    folder.mkdir(parents=True, exist_ok=True)
    way = os.path.relpath(site, folder)
    pages, target = bind(site, way), folder / "book.html"
    target.write_text(one_page(pages, f"{way}/_static"), "utf-8")
    return pages, target


# ---------- the browser ----------


@contextmanager
def opened(browser, page: Path):
    """A tab with the page, formulas set and pictures loaded, open while the block runs.

    Raises: RuntimeError if something is missing on the page.
    """
    tab = browser.new_page()
    try:
        tab.set_default_timeout(600_000)
        failed = []
        tab.on("requestfailed", lambda request: failed.append(request.url))
        tab.goto(page.resolve().as_uri())
        tab.wait_for_function("() => window.MathJax?.startup?.promise?.then(() => true) ?? false")
        tab.evaluate("() => Promise.all([...document.images].map(i => { i.loading = 'eager';"
                     " return i.decode().catch(() => null); }))")  # fmt: skip
        missing = tab.evaluate("[...document.images].filter(i => !i.naturalWidth).map(i => i.src)")
        if failed or missing:
            raise RuntimeError(f"missing on the page: {(failed + missing)[:3]}")
        yield tab
    finally:
        tab.close()


FOOTER = (
    '<div style="width: 100%; font: 8pt sans-serif; text-align: center; color: #555">'
    '<span class="pageNumber"></span></div>'
)


def shrink(path: Path) -> None:
    """Objects packed into streams; the same pages."""
    try:
        import pikepdf
    except ImportError:
        return
    with pikepdf.open(path, allow_overwriting_input=True) as document:
        document.save(path, object_stream_mode=pikepdf.ObjectStreamMode.generate)


def make_pdf(site: Path, folder: Path) -> Path:
    target = folder / f"{NAME}.pdf"
    _, page = write_page(site, folder)
    with headless.launched() as browser, opened(browser, page) as tab:
        tab.pdf(path=target, prefer_css_page_size=True, print_background=True, outline=True,
                tagged=True, display_header_footer=True, header_template="<span></span>",
                footer_template=FOOTER)  # fmt: skip
    shrink(target)
    return target


# ---------- EPUB ----------

# What stands for a formula in a reader of books: MathML, without the drawing beside it.
AS_XHTML = """() => {
  for (const drawn of document.querySelectorAll('mjx-container')) {
    const math = drawn.querySelector('mjx-assistive-mml math');
    if (drawn.getAttribute('display') === 'true') math.setAttribute('display', 'block');
    drawn.replaceWith(math);
  }
  const write = new XMLSerializer();
  return [...document.querySelectorAll('section.page')].map(page =>
    [page.id, write.serializeToString(page)]);
}"""

XHTML = """<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE html>
<html xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="http://www.idpf.org/2007/ops"
 lang="en" xml:lang="en">
<head><title>{title}</title><link rel="stylesheet" type="text/css" href="book.css"/></head>
<body>{body}</body></html>
"""
CONTAINER = """<?xml version="1.0"?>
<container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container">
<rootfiles>
<rootfile full-path="book/package.opf" media-type="application/oebps-package+xml"/>
</rootfiles></container>
"""
PACKAGE = """<?xml version="1.0" encoding="utf-8"?>
<package xmlns="http://www.idpf.org/2007/opf" version="3.0" unique-identifier="id" xml:lang="en">
<metadata xmlns:dc="http://purl.org/dc/elements/1.1/">
<dc:identifier id="id">urn:uuid:{identifier}</dc:identifier><dc:title>{title}</dc:title>
<dc:creator>{author}</dc:creator><dc:language>en</dc:language>
<meta property="dcterms:modified">{modified}</meta></metadata>
<manifest>{manifest}</manifest><spine>{spine}</spine></package>
"""
TYPES = {".png": "image/png", ".svg": "image/svg+xml", ".webp": "image/webp", ".css": "text/css",
         ".xhtml": "application/xhtml+xml"}  # fmt: skip
# XHTML allows these no more; screens for books do nothing with them.
OLD = re.compile(
    r' (?:data-[\w-]+|align|loading|decoding|bgcolor|role|aria-level|tabindex)="[^"]*"'
)


def chapter_files(pages: list[Page], serialised: dict[str, str]) -> dict[str, str]:
    """XHTML by file name; links lead from file to file."""
    file_of = {}
    for page in pages:
        name = slug(page.name)
        file_of |= dict.fromkeys(re.findall(r' id="([^"]+)"', serialised[name]), f"{name}.xhtml")
    files = {}
    for page in pages:
        body = re.sub(r'(<a [^>]*?href=")(?=#([^"]+)")', lambda m: m[1] + file_of[m[2]],
                      serialised[slug(page.name)])  # fmt: skip
        files[f"{slug(page.name)}.xhtml"] = XHTML.format(
            title=html.escape(page.title), body=OLD.sub("", body)
        )
    return files


def navigation(pages: list[Page]) -> str:
    lines = []
    for page, after in zip(pages, [*pages[1:], None], strict=True):
        lines.append(f'<li><a href="{slug(page.name)}.xhtml">{html.escape(page.title)}</a>')
        deeper = (after.level if after else 1) - page.level
        lines.append("<ol>" if deeper > 0 else "</li>" + "</ol></li>" * -deeper)
    body = f'<nav epub:type="toc"><h1>Contents</h1><ol>{"".join(lines)}</ol></nav>'
    return XHTML.format(title="Contents", body=body)


def make_epub(site: Path, folder: Path, modified: str = "2026-01-01T00:00:00Z") -> Path:
    pages, page = write_page(site, folder)
    with headless.launched() as browser, opened(browser, page) as tab:
        serialised = dict(tab.evaluate(AS_XHTML))
    files = {name: text.encode() for name, text in chapter_files(pages, serialised).items()}
    files["contents.xhtml"] = navigation(pages).encode()
    pygments = (site / "_static" / "pygments.css").read_text("utf-8")
    files["book.css"] = (CSS.split("}", 1)[1] + pygments).encode()
    for name in [name for name in files if name.endswith(".xhtml")]:
        text = files[name].decode()
        for source in set(re.findall(r' src="([^":]+)"', text)):
            content = (folder / html.unescape(source)).read_bytes()
            kept = f"images/{hashlib.sha256(content).hexdigest()[:16]}{Path(source).suffix}"
            files[kept] = content
            text = text.replace(f' src="{source}"', f' src="{kept}"')
        files[name] = text.encode()
    target = folder / f"{NAME}.epub"
    write_epub(target, files, [f"{slug(page.name)}.xhtml" for page in pages], modified)
    return target


def write_epub(target: Path, files: dict[str, bytes], spine: list[str], modified: str) -> None:
    def properties(name: str) -> str:
        text = files[name] if name.endswith(".xhtml") else b""
        found = ["nav"] * (name == "contents.xhtml")
        found += ["mathml"] * (b"<math" in text) + ["svg"] * (b"<svg" in text)
        return f' properties="{" ".join(found)}"' if found else ""

    ids = {name: f"f{i}" for i, name in enumerate(sorted(files))}
    manifest = "".join(
        f'<item id="{ids[n]}" href="{n}" media-type="{TYPES[Path(n).suffix]}"{properties(n)}/>'
        for n in sorted(files)
    )
    order = "".join(f'<itemref idref="{ids[name]}"/>' for name in ["contents.xhtml", *spine])
    digest = hashlib.sha256(b"".join(files[name] for name in sorted(files))).hexdigest()
    package = PACKAGE.format(identifier=uuid.UUID(digest[:32]), title=TITLE, author=AUTHOR,
                             modified=modified, manifest=manifest, spine=order)  # fmt: skip
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:

        def put(name: str, content: bytes, how=zipfile.ZIP_DEFLATED) -> None:
            entry = zipfile.ZipInfo(name)
            entry.compress_type = how
            archive.writestr(entry, content)

        put("mimetype", b"application/epub+zip", zipfile.ZIP_STORED)  # first, as the format asks
        put("META-INF/container.xml", CONTAINER.encode())
        put("book/package.opf", package.encode())
        for name in sorted(files):
            put(f"book/{name}", files[name])


if __name__ == "__main__":
    makers = {"pdf": make_pdf, "epub": make_epub}
    if len(sys.argv) != 4 or sys.argv[1] not in makers:
        sys.exit("usage: python tools/paper.py pdf|epub SITE FOLDER")
    made = makers[sys.argv[1]](Path(sys.argv[2]), Path(sys.argv[3]))
    print(f"{made}: {made.stat().st_size / 2**20:.1f} MB")
