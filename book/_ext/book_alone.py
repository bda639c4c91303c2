"""A downloaded notebook works alone, where the book has an address. A part of book_site.

The copies of the notebooks that readers download stand outside of the book: without the module
`helpers`, and without the folder `experiments`. Where the book is published (BOOK_URL), both lie
beside its pages, a wheel and a zip, and the first code cell of each copy fetches what is missing.
A local build has no address, and its copies stay as they are.

Google Colab opens notebooks that lie in a repository on GitHub and no others. So the Pages workflow
puts the copies into a branch of their own, COLAB_BRANCH, and where the book knows its repository as
well, each notebook's page links to its copy there, beside the download.
"""

import base64
import hashlib
import json
import tomllib
import zipfile
from pathlib import Path

from sphinx.application import Sphinx

STAMP = (2020, 1, 1, 0, 0, 0)  # the same bytes for the same content
EXPERIMENTS = "experiments.zip"
COLAB_BRANCH = "colab"  # as in .github/workflows/pages.yml

INSTALL = """\
# Only in this downloaded copy: fetch the book's own module and its experiments, if missing.
import subprocess
import sys
import urllib.request
from importlib.util import find_spec
from pathlib import Path

book = "{url}"
if find_spec("helpers") is None:
    wheel = f"networks-that-remember[data] @ {{book}}{wheel}"
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", wheel], check=True)
if not Path("../experiments").is_dir():
    if not Path("{experiments}").exists():
        urllib.request.urlretrieve(f"{{book}}{experiments}", "{experiments}")
    sys.path.append("{experiments}")
"""


def install_cell(url: str, wheel: str) -> dict:
    """The cell that makes a copy work alone. url: of the book, with a slash at its end."""
    code = INSTALL.format(url=url, wheel=wheel, experiments=EXPERIMENTS)
    return {
        "cell_type": "code", "execution_count": None, "id": "install-helpers", "metadata": {},
        "outputs": [], "source": code.splitlines(keepends=True),
    }  # fmt: skip


def work_alone(notebook: str, url: str, wheel: str) -> str:
    """The text of a notebook file with that cell before its first code cell; once only."""
    content = json.loads(notebook)
    cells = content["cells"]
    if all(cell.get("id") != "install-helpers" for cell in cells):
        first = next((n for n, c in enumerate(cells) if c["cell_type"] == "code"), len(cells))
        cells.insert(first, install_cell(url, wheel))
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def wheel_files(root: Path) -> tuple[str, dict]:
    """The wheel of the helper module: its name, and its files, name → bytes.

    The same as `pip wheel .` makes, without running anything: the package is pure Python.
    """
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    stem = f"{project['name'].replace('-', '_')}-{project['version']}"
    info = f"{stem}.dist-info"
    head = [
        "Metadata-Version: 2.4", f"Name: {project['name']}", f"Version: {project['version']}",
        f"Summary: {project['description']}", f"License-Expression: {project['license']}",
        "License-File: LICENSE", f"Requires-Python: {project['requires-python']}",
    ]  # fmt: skip
    head += [f"Requires-Dist: {needed}" for needed in project["dependencies"]]
    for extra, packages in project["optional-dependencies"].items():
        head.append(f"Provides-Extra: {extra}")
        head += [f'Requires-Dist: {needed}; extra == "{extra}"' for needed in packages]
    files = {
        f"helpers/{path.relative_to(root / 'src' / 'helpers').as_posix()}": path.read_bytes()
        for path in sorted((root / "src" / "helpers").rglob("*"))
        if path.suffix in (".py", ".npz", ".json", ".md") and ".partial" not in path.suffixes
    }
    files[f"{info}/METADATA"] = ("\n".join(head) + "\n").encode()
    files[f"{info}/WHEEL"] = (
        b"Wheel-Version: 1.0\nGenerator: book\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    )
    files[f"{info}/licenses/LICENSE"] = (root / "LICENSE").read_bytes()
    record = [f"{name},{sum_of(data)},{len(data)}" for name, data in files.items()]
    files[f"{info}/RECORD"] = "\n".join([*record, f"{info}/RECORD,,", ""]).encode()
    return f"{stem}-py3-none-any.whl", files


def sum_of(data: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest())
    return f"sha256={digest.decode().rstrip('=')}"


def write(path: Path, files: dict) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name, STAMP), data, zipfile.ZIP_DEFLATED)


def stand_alone(app: Sphinx, error: Exception | None) -> None:
    url = app.config.html_baseurl
    if error or app.builder.format != "html" or not url:
        return
    out, root = Path(app.outdir), Path(app.srcdir)
    wheel, files = wheel_files(root)
    write(out / wheel, files)
    experiments = sorted((root / "experiments").glob("*.py"))
    write(out / EXPERIMENTS, {path.name: path.read_bytes() for path in experiments})
    for path in (out / "_sources").rglob("*.ipynb"):
        path.write_text(work_alone(path.read_text("utf-8"), url, wheel), "utf-8")


def colab_address(repository: str, pagename: str) -> str | None:
    """Where Colab opens a page's copy; None if the page is no notebook. repository: owner/name."""
    folder, _, name = pagename.rpartition("/")
    if folder != "notebooks":
        return None
    return f"https://colab.research.google.com/github/{repository}/blob/{COLAB_BRANCH}/{name}.ipynb"


def offer_colab(app: Sphinx, pagename, templatename, context, doctree) -> None:
    """A link beside the downloads of a notebook's page, where there is a copy for Colab to open."""
    repository = app.config.book_repository
    address = colab_address(repository, pagename)
    if not (app.config.html_baseurl and repository and address):
        return
    link = {
        "type": "link", "url": address, "text": "Colab", "tooltip": "Open in Google Colab",
        "icon": "fas fa-play", "label": "colab-button",
    }  # fmt: skip
    for group in context.get("header_buttons", ()):
        if group.get("label") == "download-buttons":
            group["buttons"].append(link)


def setup(app: Sphinx) -> dict:
    app.add_config_value("book_repository", "", "html")  # owner/name on GitHub, set by book_site
    app.connect("build-finished", stand_alone, priority=650)  # after book_light
    app.connect("html-page-context", offer_colab, priority=510)  # after the theme's own buttons
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
