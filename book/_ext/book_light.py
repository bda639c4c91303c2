"""Pages that load fast, on a telephone too. A part of book_site.

What the theme sends before anything can be read is cut here, after the pages are written:

1. Icons: of FontAwesome's 1,400 symbols the pages use some twenty. Those are cut out of the font
   and written, with the rules they need, into one style sheet of a few kilobytes.
2. Images: each PNG becomes a lossless WebP of about half its size. An image is loaded when the
   reader comes near it, and the page keeps room for it, so that no text jumps.
3. Scripts wait until the page can be read; MathJax comes only where there is a formula.

The last part also mends the theme's HTML: a notebook's download button downloads, a page without
JavaScript is a light one (the theme leaves it without colours), and ids are unique. A notebook that
is downloaded begins with a sentence on the viewers that show it properly.

Everything here may be done twice to the same page and changes nothing the second time.
"""

import base64
import json
import logging
import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path

from PIL import Image
from sphinx.application import Sphinx
from sphinx.builders.html._assets import _JavaScript

# ---------- icons ----------

# FontAwesome's own rules for what all icons share, as far as the book uses them.
ICON_RULES = """\
/* Written by book/_ext/book_light.py from Font Awesome Free 6: icons CC BY 4.0, font SIL OFL 1.1,
   code MIT; https://fontawesome.com/license/free */
:root{--fa-font-solid:normal 900 1em/1 "Font Awesome 6 Free";
--fa-font-brands:normal 400 1em/1 "Font Awesome 6 Brands"}
.fa,.fas,.fab,.fa-solid,.fa-brands{display:inline-block;font-style:normal;font-variant:normal;
line-height:1;text-rendering:auto;-webkit-font-smoothing:antialiased}
.fa,.fas,.fa-solid{font-family:"Font Awesome 6 Free";font-weight:900}
.fab,.fa-brands{font-family:"Font Awesome 6 Brands";font-weight:400}
.fa-lg{font-size:1.25em;line-height:.05em;vertical-align:-.075em}
"""
FONTS = {
    "Font Awesome 6 Free": ("fa-solid-900", 900),
    "Font Awesome 6 Brands": ("fa-brands-400", 400),
}


def icon_names(text: str) -> set[str]:
    """The names of all icons that a page or script may show, and some words that are none."""
    return set(re.findall(r"\bfa-([a-z0-9-]+)", text))


def code_points(css: str) -> dict[str, int]:
    """What FontAwesome's style sheet says about each icon: its name and its place in the font."""
    return {
        name: int(code, 16)
        for names, code in re.findall(r'([^{}]+)\{content:"\\([0-9a-f]+)"\}', css)
        for name in re.findall(r"\.fa-([a-z0-9-]+):before", names)
    }


def cut_font(path: Path, wanted: set[int]) -> bytes | None:
    """A WOFF font with the wanted characters only, or None if it has none of them."""
    from fontTools import subset
    from fontTools.ttLib import TTFont

    logging.getLogger("fontTools").setLevel(logging.WARNING)  # it tells every step
    font = TTFont(path, recalcTimestamp=False)
    present = wanted & set(font.getBestCmap())
    if not present:
        return None
    options = subset.Options(flavor="woff", desubroutinize=True, notdef_outline=True)
    cutter = subset.Subsetter(options)
    cutter.populate(unicodes=present)
    cutter.subset(font)
    cut = BytesIO()
    font.flavor = "woff"
    font.save(cut)
    return cut.getvalue()


def icon_sheet(used: set[str], other_css: str, vendor: Path) -> str:
    """The style sheet with all icons in `used`, and with those that other style sheets draw."""
    known = code_points((vendor / "css" / "all.min.css").read_text("utf-8"))
    icons = {name: known[name] for name in sorted(used & set(known))}
    drawn = {int(code, 16) for code in re.findall(r"\\(f[0-9a-f]{3})\b", other_css)}
    drawn |= set(map(ord, re.findall("[\uf000-\uf8ff]", other_css)))
    faces = []
    for family, (name, weight) in FONTS.items():
        font = cut_font(vendor / "webfonts" / f"{name}.ttf", {*icons.values(), *drawn})
        if font:
            data = base64.b64encode(font).decode()
            faces.append(
                f'@font-face{{font-family:"{family}";font-weight:{weight};font-display:block;'
                f'src:url("data:font/woff;base64,{data}") format("woff")}}\n'
            )
    rules = (f'.fa-{name}::before{{content:"\\{code:x}"}}\n' for name, code in icons.items())
    return ICON_RULES + "".join(faces) + "".join(rules)


def write_icons(static: Path, pages: list[str]) -> None:
    """Write icons.css, and take FontAwesome itself out of the finished book."""
    theme = Path(find_spec("pydata_sphinx_theme").submodule_search_locations[0])
    vendor = next(theme.glob("theme/*/static/vendor/fontawesome/*"))
    sheets = [p.read_text("utf-8") for p in static.rglob("*.css") if "vendor" not in p.parts]
    scripts = [p.read_text("utf-8") for p in static.glob("scripts/*.js")]
    used = set().union(*map(icon_names, [*pages, *scripts]))
    (static / "icons.css").write_text(icon_sheet(used, "\n".join(sheets), vendor), "utf-8")
    shutil.rmtree(static / "vendor", ignore_errors=True)


# ---------- images ----------


def convert(path: Path) -> None:
    """A PNG becomes a WebP with the same pixels, unless that is the larger one."""
    with Image.open(path) as image:
        packed = BytesIO()
        image.save(packed, "WEBP", lossless=True, quality=60, method=4, exact=True)
    if len(packed.getvalue()) < path.stat().st_size:
        path.with_suffix(".webp").write_bytes(packed.getvalue())
        path.unlink()


def convert_all(folder: Path) -> None:
    with ThreadPoolExecutor() as pool:
        list(pool.map(convert, folder.glob("*.png")))


def sizes(folder: Path) -> dict[str, tuple[str, int, int]]:
    """Of each image, by its name without an ending: its file name, width and height."""
    found = {}
    for path in [*folder.glob("*.png"), *folder.glob("*.webp")]:
        with Image.open(path) as image:
            found[path.stem] = (path.name, *image.size)
    return found


def lighten_image(tag: str, known: dict[str, tuple[str, int, int]]) -> str:
    """An <img …> of a picture in _images: by its present name, with its size, loaded late."""
    match = re.search(r'src="([^"]*_images/)([^"/]+)\.(?:png|webp)"', tag)
    if not match or match[2] not in known:
        return tag
    name, width, height = known[match[2]]
    tag = tag.replace(match[0], f'src="{match[1]}{name}"')
    wanted = {"width": width, "height": height, "loading": "lazy", "decoding": "async"}
    missing = (f' {key}="{value}"' for key, value in wanted.items() if f" {key}=" not in tag)
    return "<img" + "".join(missing) + tag.removeprefix("<img")


# ---------- pages ----------


def lighten_page(html: str, known: dict[str, tuple[str, int, int]]) -> str:
    html = re.sub(r"<img\b[^>]*>", lambda match: lighten_image(match[0], known), html)
    # Before any script has run there is one logo, and there are colours.
    html = re.sub(r'(<html\b[^>]*data-theme=)"auto"', r'\1"light"', html, count=1)
    # The search page has a second field for the same purpose, with the same id.
    first, field, rest = html.partition(' id="search-input"')
    html = first + field + rest.replace(field or "\0", "")
    # A host may send a notebook as JSON, which a browser shows; a download is what was asked for.
    return re.sub(
        r'(<a href="[^"]+") target="_blank"(\s+class="[^"]*\bbtn-download-source-button\b)',
        r"\1 download\2",
        html,
    )


# ---------- downloads ----------

HOW_TO_VIEW = {
    "cell_type": "markdown",
    "id": "how-to-view",
    "metadata": {},
    "source": [
        "*How to view this notebook:* JupyterLab with the extension `jupyterlab-myst` shows it as "
        "the book does (`make lab` in the book's folder opens it so); VS Code, Colab and GitHub "
        "show the boxes as raw `:::` text and the answers to the questions open."
    ],
}


def say_how_to_view(notebook: str) -> str:
    """The text of a notebook file, with a first cell that names the viewers that show it properly.

    Only the copies that readers download get it: in the book it would be out of place.
    """
    content = json.loads(notebook)
    if content["cells"][0].get("id") != HOW_TO_VIEW["id"]:
        content["cells"].insert(0, HOW_TO_VIEW)
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def lighten(app: Sphinx, error: Exception | None) -> None:
    if error or app.builder.format != "html":
        return
    out = Path(app.outdir)
    convert_all(out / "_images")
    known = sizes(out / "_images")
    pages = []
    for path in out.rglob("*.html"):
        if "_static" in path.parts:
            continue
        html = path.read_text("utf-8")
        pages.append(html)
        if (light := lighten_page(html, known)) != html:
            path.write_text(light, "utf-8")
    written = "".join(pages)
    for path in (out / "_images").iterdir():
        if path.stem not in written:  # a diagram's PNG, say, where the page has the SVG
            path.unlink()
    write_icons(out / "_static", pages)
    for path in (out / "_sources").rglob("*.ipynb"):
        path.write_text(say_how_to_view(path.read_text("utf-8")), "utf-8")


# ---------- scripts ----------

# An inline script of every page speaks to the first; the search page's own scripts do not wait.
AT_ONCE = "documentation_options.js"


def put_off_scripts(app: Sphinx, pagename, templatename, context, doctree) -> None:
    if pagename == "search":
        return
    formulas = 'class="math ' in context.get("body", "")

    def wanted(script) -> bool:
        name = str(getattr(script, "filename", ""))
        body = getattr(script, "attributes", {}).get("body") or ""
        return formulas or not ("mathjax" in name or "MathJax" in body)

    def put_off(script):
        name = getattr(script, "filename", None)
        if not isinstance(script, _JavaScript) or not name or AT_ONCE in str(name):
            return script
        attributes = {**script.attributes, "defer": "defer"}
        return _JavaScript(name, priority=script.priority, **attributes)

    context["script_files"] = [put_off(s) for s in context["script_files"] if wanted(s)]


def setup(app: Sphinx) -> dict:
    app.connect("html-page-context", put_off_scripts, priority=950)
    app.connect("build-finished", lighten, priority=600)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
