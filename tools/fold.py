"""Fold what JupyterLab should show folded: solutions, and the code of drawings.

    python tools/fold.py notebooks/*.ipynb

On the pages of the book a solution opens on a click, and drawing code is folded away (the tag
`hide-input`). JupyterLab knows neither, but it has settings of its own in a cell's metadata:
`source_hidden` and `outputs_hidden`. This sets them, and removes them where they do not belong.
The pages do not look at them. `make notebooks` calls this.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import nbformat

BORDER = re.compile(r"^:{3,}\{solution-(start|end)\}", re.MULTILINE)
SETTINGS = ("source_hidden", "outputs_hidden")


def folded(cells: list) -> Iterator[dict[str, bool]]:
    """Of each cell, in order: which settings it should have."""
    in_solution = False
    for cell in cells:
        if cell.cell_type == "markdown":
            if borders := BORDER.findall(cell.source):
                in_solution = borders[-1] == "start"  # a cell may end one and begin the next
            yield {}
        elif in_solution:
            yield dict.fromkeys(SETTINGS, True)
        elif "hide-input" in cell.metadata.get("tags", []):
            yield {"source_hidden": True}
        else:
            yield {}


def settings(cell) -> dict[str, bool]:
    return {k: v for k, v in cell.metadata.get("jupyter", {}).items() if k in SETTINGS}


def fold(cells: list) -> bool:
    """Set the settings of all cells. Returns whether any was changed."""
    changed = False
    for cell, wanted in zip(cells, folded(cells), strict=True):
        if settings(cell) == wanted:
            continue
        changed = True
        others = {k: v for k, v in cell.metadata.get("jupyter", {}).items() if k not in SETTINGS}
        cell.metadata.pop("jupyter", None)
        if others or wanted:
            cell.metadata["jupyter"] = {**others, **wanted}
    return changed


if __name__ == "__main__":
    for path in map(Path, sys.argv[1:]):
        notebook = nbformat.read(path, as_version=4)
        if fold(notebook.cells):
            nbformat.write(notebook, path)
            print(f"{path}: folded")
