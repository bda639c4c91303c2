"""Put the same first code cell into every notebook: it says what to do if the module is missing.

`python tools/set_up.py notebooks/*.ipynb` inserts the cell behind the opening words, or brings it
up to date. It prints nothing where all is well, so no other output of the notebook changes.
"""

import sys
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell

CELL = """\
try:
    from helpers.notebook import set_up
except ImportError:
    raise ImportError(
        "This notebook runs on the book's own module `helpers`, which is not installed here; or "
        "another package of that name is installed beside it (PyPI has one: it is not ours, and "
        "it does not help). With the whole book on your machine, go to its folder and run "
        "`make lab`; or run `pip uninstall helpers`, then `pip install -e .` there, with the "
        "Python that runs this notebook, and restart the kernel."
    ) from None

set_up()"""
IDENTITY, TAGS = "set-up", ["remove-cell"]


def is_set_up(cell) -> bool:
    """Whether a cell is the set-up cell, in this wording or an older one."""
    return cell.cell_type == "code" and cell.source.startswith(
        "try:\n    from helpers.notebook import set_up\n"
    )


def refresh(notebook) -> bool:
    """Give a notebook its set-up cell; whether anything had to change.

    The cell stands before all other code. Those keep their outputs, and are numbered on by one.
    """
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    found = [cell for cell in code if is_set_up(cell)]
    if len(found) == 1 and found[0] is code[0]:
        [cell] = found
        if cell.source == CELL and cell.metadata.get("tags") == TAGS:
            return False
        cell.source, cell.metadata["tags"] = CELL, list(TAGS)
        return True
    notebook.cells = [cell for cell in notebook.cells if not any(cell is old for old in found)]
    first = next((i for i, c in enumerate(notebook.cells) if c.cell_type == "code"), None)
    cell = new_code_cell(CELL, metadata={"tags": list(TAGS)}, id=IDENTITY)
    notebook.cells.insert(len(notebook.cells) if first is None else first, cell)
    count_again([c for c in notebook.cells if c.cell_type == "code"])
    return True


def count_again(cells: list) -> None:
    """Number code cells from 1, if all of them but the set-up cell were run from top to bottom."""
    if any(cell.execution_count is None for cell in cells if not is_set_up(cell)):
        return
    for count, cell in enumerate(cells, start=1):
        cell.execution_count = count
        for output in cell.outputs:
            if "execution_count" in output:
                output.execution_count = count


if __name__ == "__main__":
    for path in map(Path, sys.argv[1:]):
        book = nbformat.read(path, as_version=4)
        if refresh(book):
            nbformat.write(book, path)
            print(f"{path}: the set-up cell was refreshed")
