"""The files around the book agree with each other, and the built pages hold together."""

import re
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import yaml
from bs4 import BeautifulSoup

ROOT = Path(__file__).resolve().parents[1]
HTML = ROOT / "_build" / "html"
PAGES = sorted(
    path.relative_to(HTML).as_posix()
    for path in HTML.rglob("*.html")
    if "_static" not in path.parts and path != HTML / "index.html"  # a redirect to the first page
)
built = pytest.mark.skipif(not PAGES, reason="the book is not built: run `make book`")
each_page = pytest.mark.parametrize("page", PAGES)


def text(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


@cache
def soup(page: str) -> BeautifulSoup:
    return BeautifulSoup((HTML / page).read_text("utf-8"), "html.parser")


# ---------- the files of the project ----------


def listed_in_toc() -> list[str]:
    return re.findall(r"(?:file|root): (\S+)", text("_toc.yml"))


@pytest.mark.parametrize("name", listed_in_toc())
def test_table_of_contents_lists_files_that_exist(name):
    assert any((ROOT / name).with_suffix(suffix).exists() for suffix in (".md", ".ipynb"))


def test_every_page_is_in_the_table_of_contents():
    pages = {f"book/{path.stem}" for path in (ROOT / "book").glob("*.md")}
    assert pages <= set(listed_in_toc())


def test_requirements_are_exact_and_name_no_index():
    lines = [line for line in text("requirements.txt").splitlines() if not line.startswith("#")]
    assert lines
    for line in lines:
        assert re.match(r"[a-z0-9-]+==[\w.]+( ;|$)", line), line
        assert not line.startswith(("nvidia", "cuda", "triton")), line


def test_requirements_hold_what_requirements_in_asks_for():
    pinned = set(re.findall(r"^([a-z0-9-]+)==", text("requirements.txt"), flags=re.MULTILINE))
    wanted = set(re.findall(r"^([a-z0-9-]+)", text("requirements.in"), flags=re.MULTILINE))
    assert wanted <= pinned


def test_version_is_the_same_everywhere():
    version = re.search(r'^version = "(.+)"', text("pyproject.toml"), flags=re.MULTILINE)[1]
    assert f'__version__ = "{version}"' in text("src/helpers/__init__.py")
    assert f"\nversion: {version}\n" in text("CITATION.cff")
    assert f"\n## [{version}]" in text("CHANGELOG.md")


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md"])
def test_documented_make_targets_exist(name):
    targets = set(re.findall(r"^([a-z]+):", text("Makefile"), flags=re.MULTILINE))
    assert set(re.findall(r"`?\bmake ([a-z]+)(?=`|$| [A-Z#])", text(name), re.MULTILINE)) <= targets


@pytest.mark.parametrize(
    "path",
    sorted([*ROOT.glob("*.yml"), *ROOT.glob("*.cff"), *(ROOT / ".github").rglob("*.yml")]),
    ids=lambda p: p.name,
)
def test_yaml_files_can_be_read(path):
    assert yaml.safe_load(path.read_text("utf-8"))


@pytest.mark.parametrize(
    "path",
    sorted(p for p in (ROOT / ".github/ISSUE_TEMPLATE").glob("*.yml") if p.stem != "config"),
    ids=lambda p: p.stem,
)
def test_issue_form_has_required_fields(path):
    form = yaml.safe_load(path.read_text("utf-8"))
    assert {"name", "description", "body"} <= set(form)
    required = [f for f in form["body"] if f.get("validations", {}).get("required")]
    assert len(required) >= 2
    ids = [field["id"] for field in form["body"] if field["type"] != "markdown"]
    assert len(ids) == len(set(ids))


def test_logo_is_what_the_script_draws():
    import draw_logo

    for name, svg in draw_logo.draw().items():
        assert (draw_logo.ASSETS / name).read_text("utf-8") == svg


# ---------- the built pages ----------


@built
def test_every_listed_page_was_built():
    assert {f"{name}.html" for name in listed_in_toc()} <= set(PAGES)


@built
@each_page
def test_page_has_language_title_and_one_heading(page):
    html = soup(page)
    assert html.html["lang"] == "en"
    assert html.title.text.strip()
    if page.startswith(("book/", "notebooks/")):
        assert len(html.select("article h1")) == 1


@built
@each_page
def test_page_loads_nothing_from_another_host(page):
    sources = [
        tag.get("src") or tag.get("href")
        for tag in soup(page).find_all(["script", "link", "img", "iframe", "source", "video"])
        if tag.get("rel") != ["canonical"]
    ]
    assert not [source for source in sources if source and urlsplit(source).netloc]


@built
@each_page
def test_links_within_the_book_lead_somewhere(page):
    broken = [
        link["href"]
        for link in soup(page).select("a[href]")
        if not urlsplit(link["href"]).scheme and not leads_somewhere(page, link["href"])
    ]
    assert not broken


def leads_somewhere(page: str, href: str) -> bool:
    parts = urlsplit(href)
    target = (HTML / page).parent / unquote(parts.path) if parts.path else HTML / page
    if not target.exists():
        return False
    if target.suffix != ".html" or not parts.fragment:
        return True
    html = soup(target.resolve().relative_to(HTML).as_posix())
    return html.find(id=unquote(parts.fragment)) is not None


@built
@each_page
def test_images_have_a_text_alternative(page):
    assert not [img for img in soup(page).select("article img") if not img.get("alt", "").strip()]


@built
@each_page
def test_page_shows_no_unread_markup(page):
    """A directive or role that was mistyped stays in the text as it was written."""
    article = soup(page).select_one("article")
    for code in article.select("pre, code, .math") if article else []:
        code.extract()
    shown = article.text if article else ""
    soup.cache_clear()  # the tree was changed
    assert not re.search(r":::|\{[a-z:]+\}`|\*\*|\$\$|\]\(", shown)
