"""A downloaded notebook works alone: the wheel beside the pages, and the cell that installs it."""

import json
import os
import subprocess
import sys
import zipfile
from types import SimpleNamespace

import pytest
from test_book import ROOT

sys.path.insert(0, str(ROOT / "book" / "_ext"))
import book_alone

URL = "https://example.org/book/"


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A folder as `make book` leaves it, with one notebook to download."""
    out = tmp_path_factory.mktemp("html")
    (out / "_sources" / "notebooks").mkdir(parents=True)
    original = (ROOT / "notebooks" / "03_rnn.ipynb").read_text("utf-8")
    (out / "_sources" / "notebooks" / "03_rnn.ipynb").write_text(original, "utf-8")
    finish(out, URL)
    return out


def finish(out, url, error=None):
    config, builder = SimpleNamespace(html_baseurl=url), SimpleNamespace(format="html")
    app = SimpleNamespace(config=config, builder=builder, outdir=str(out), srcdir=str(ROOT))
    book_alone.stand_alone(app, error)


def test_the_copy_begins_with_a_cell_that_installs(built):
    path = built / "_sources" / "notebooks" / "03_rnn.ipynb"
    cells = json.loads(path.read_text("utf-8"))["cells"]
    first = next(cell for cell in cells if cell["cell_type"] == "code")
    code = "".join(first["source"])
    compile(code, "cell", "exec")
    [wheel] = built.glob("*.whl")
    assert f'book = "{URL}"' in code
    assert wheel.name in code
    finish(built, URL)
    assert len(json.loads(path.read_text("utf-8"))["cells"]) == len(cells)


def test_the_wheel_installs_and_works_without_the_book(built, tmp_path):
    [wheel] = built.glob("*.whl")
    options = "--quiet --no-deps --no-index --disable-pip-version-check --target site".split()
    command = [sys.executable, "-m", "pip", "install", *options, str(wheel)]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    code = (
        "import sys; sys.path.insert(0, 'site')\n"
        "import helpers; from helpers.trained import records, writer\n"
        "assert 'site' in helpers.__file__, helpers.__file__\n"
        "assert writer.CHECKPOINT.exists(); print(helpers.__name__)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.stdout == "helpers\n", done.stderr


def test_experiments_can_be_imported_from_their_zip(built, tmp_path):
    with zipfile.ZipFile(built / book_alone.EXPERIMENTS) as archive:
        assert "study.py" in archive.namelist()
    code = f"import sys; sys.path.append({str(built / book_alone.EXPERIMENTS)!r}); import study"
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, capture_output=True)


def test_a_local_build_claims_no_address(tmp_path):
    finish(tmp_path, "")
    finish(tmp_path, URL, error=ValueError())
    assert list(tmp_path.iterdir()) == []


def test_the_wheel_is_the_same_each_time_and_asks_for_what_the_project_asks(tmp_path):
    name, files = book_alone.wheel_files(ROOT)
    book_alone.write(tmp_path / "1", files)
    book_alone.write(tmp_path / "2", book_alone.wheel_files(ROOT)[1])
    assert (tmp_path / "1").read_bytes() == (tmp_path / "2").read_bytes()
    [metadata] = [data.decode() for file, data in files.items() if file.endswith("METADATA")]
    assert name == "networks_that_remember-0.1.0-py3-none-any.whl"
    assert "Requires-Dist: numpy>=2.0\n" in metadata
    assert 'extra == "data"' in metadata


# ---------- Colab ----------

REPOSITORY = "someone/book"


def buttons(url, repository, pagename="notebooks/03_rnn"):
    """The download buttons of a page, once the book has put in its own."""
    config = SimpleNamespace(html_baseurl=url, book_repository=repository)
    group = {"type": "group", "label": "download-buttons", "buttons": [{"text": ".ipynb"}]}
    context = {"header_buttons": [{"type": "javascript", "label": "search"}, group]}
    book_alone.offer_colab(SimpleNamespace(config=config), pagename, "page.html", context, None)
    return group["buttons"]


def test_colab_opens_the_copy_where_the_book_has_an_address_and_a_repository():
    _, link = buttons(URL, REPOSITORY)
    colab = "https://colab.research.google.com/github/someone/book/blob/colab/03_rnn.ipynb"
    assert (link["text"], link["url"]) == ("Colab", colab)


@pytest.mark.parametrize(
    ("url", "repository", "pagename"),
    [
        ("", "", "notebooks/03_rnn"),
        (URL, "", "notebooks/03_rnn"),
        ("", REPOSITORY, "notebooks/03_rnn"),
        (URL, REPOSITORY, "book/index"),
        (URL, REPOSITORY, "search"),
    ],
)
def test_otherwise_there_is_no_link_to_colab(url, repository, pagename):
    assert buttons(url, repository, pagename) == [{"text": ".ipynb"}]


def test_a_local_page_names_colab_nowhere_as_a_link():
    html = ROOT / "_build" / "html"
    if os.environ.get("BOOK_URL") or not html.is_dir():
        pytest.skip("needs a book built without an address")
    page = (html / "notebooks" / "03_rnn.html").read_text("utf-8")
    assert "btn-download-source-button" in page
    assert "colab.research.google.com" not in page


def test_the_workflow_fills_the_branch_that_the_links_lead_to():
    steps = (ROOT / ".github" / "workflows" / "pages.yml").read_text("utf-8")
    assert f"--initial-branch {book_alone.COLAB_BRANCH}\n" in steps
    assert f'$GITHUB_REPOSITORY" {book_alone.COLAB_BRANCH}\n' in steps
    assert "_build/html/_sources/notebooks" in steps
