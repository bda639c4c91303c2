"""Settings that hold for every test, wherever it runs."""

import os
from pathlib import Path

import headless
import matplotlib
import pytest
from hypothesis import settings

matplotlib.use("Agg")  # no window opens

# Notebooks run in kernels that inherit these: figures as on the page, no progress bars in outputs.
os.environ.pop("MPLBACKEND", None)
os.environ["TQDM_DISABLE"] = "1"

# The same examples on every machine, however slow it is.
settings.register_profile("book", derandomize=True, deadline=None)
settings.load_profile("book")

QUICK_PAGES = ("book/index.html", "notebooks/03_rnn.html")  # what `make quick` looks at


def pytest_addoption(parser):
    parser.addoption(
        "--quick", action="store_true", help="leave out tests marked slow, and all pages but two"
    )


def pytest_collection_modifyitems(config, items):
    """Under --quick: no slow tests, and of the tests of every page those of two."""
    if not config.getoption("--quick"):
        return

    def is_quick(item):
        parameters = item.callspec.params if hasattr(item, "callspec") else {}
        page = parameters.get("page", QUICK_PAGES[0])
        return item.get_closest_marker("slow") is None and page in QUICK_PAGES

    left_out = [item for item in items if not is_quick(item)]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if is_quick(item)]


@pytest.fixture(scope="module")
def site():
    """The address of the built pages."""
    with headless.serving(Path(__file__).resolve().parents[1] / "_build" / "html") as address:
        yield address


@pytest.fixture(scope="module")
def browser():
    """A headless browser, one for all tests of a file."""
    with headless.launched() as browser:
        yield browser
