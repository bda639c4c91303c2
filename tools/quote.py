"""Refresh the helper code that notebooks quote.

A code cell that begins `#@ helpers.rnn.elman_step` shows that object's source, word for word. Where
the helper has changed, `python tools/quote.py notebooks/*.ipynb` writes the new text into the cell.
"""

import importlib
import inspect
import sys
from pathlib import Path

import nbformat

MARKER = "#@ "


def quoted_name(source: str) -> str | None:
    """The name after the marker in a cell's first line, or None where the cell quotes nothing."""
    first = source.split("\n", 1)[0]
    return first[len(MARKER) :].strip() if first.startswith(MARKER) else None


def source_of(name: str) -> str:
    """The source of `helpers.module.object`. Raises LookupError if nothing has that name."""
    if not name.startswith("helpers."):
        raise LookupError(f"{MARKER}{name}: a quotation names helpers.module.object")
    module, _, attribute = name.rpartition(".")
    try:
        return inspect.getsource(getattr(importlib.import_module(module), attribute)).rstrip()
    except (ImportError, AttributeError, TypeError) as error:
        raise LookupError(f"{MARKER}{name}: no such function or class ({error})") from error


def quotation(name: str) -> str:
    """What a cell that quotes `name` has to say, marker included."""
    return f"{MARKER}{name}\n{source_of(name)}"


def refresh(notebook) -> int:
    """Bring the quotations of a notebook up to date; how many had to change."""
    changed = 0
    for cell in notebook.cells:
        name = quoted_name(cell.source) if cell.cell_type == "code" else None
        if name and cell.source != quotation(name):
            cell.source = quotation(name)
            changed += 1
    return changed


if __name__ == "__main__":
    for path in map(Path, sys.argv[1:]):
        book = nbformat.read(path, as_version=4)
        if changed := refresh(book):
            nbformat.write(book, path)
            print(f"{path}: {changed} quotations refreshed")
