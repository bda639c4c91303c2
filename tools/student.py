"""A copy of the book for students: no solutions, and an empty cell under each exercise.

    make student                                   # into _build/student
    python tools/student.py _build/student

Every solution, text and code, is taken out. In its place stands one code cell: the functions that
the solution defines, with their names, arguments and docstrings and without their bodies.
Everything else is copied as it is, so that `make lab` works in the copy as it does here. The copied
notebooks run from top to bottom before anything is filled in.
"""

import ast
import re
import shutil
import sys
from pathlib import Path

import nbformat

ROOT = Path(__file__).resolve().parents[1]
COPIED = (
    "src", "experiments", "programs", "pyproject.toml", "requirements.txt", "Makefile",
    "README.md", "LICENSE", "LICENSE-text",
)  # fmt: skip
BORDER = re.compile(r"^:{3,}\{solution-(start|end)\}", re.MULTILINE)
WHOLE_END = re.compile(r"^:{3,}\{solution-end\}[ ]*\n:{3,}[ ]*\n?", re.MULTILINE)
TITLE = re.compile(r"^:{3,}\{exercise\} (.+)$", re.MULTILINE)


def skeleton(code: str, title: str) -> str:
    """What is left of a solution's code: its functions and classes, with nothing in them.

    Only those at the top level; a docstring stays, and so do defaults that are plain constants.
    Where the solution defines nothing, a comment is all.
    """
    kept = [f"# Your turn: {title}"]
    for node in ast.parse(code).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            kept.append(empty(node))
    return "\n\n\n".join(kept) if len(kept) > 1 else kept[0]


def empty(node) -> str:
    """A function that raises NotImplementedError when it is called, or a class without methods."""
    doc = ast.get_docstring(node, clean=False)
    body = [ast.Expr(ast.Constant(doc))] if doc else []
    if isinstance(node, ast.FunctionDef):
        body.append(ast.parse("raise NotImplementedError('your turn')").body[0])
    if isinstance(node, ast.FunctionDef):  # a default may be computed in what was taken out
        for defaults in (node.args.defaults, node.args.kw_defaults):
            defaults[:] = [
                d if d is None or isinstance(d, ast.Constant) else ast.Constant(None)
                for d in defaults
            ]
    node.body = body or [ast.Pass()]
    node.decorator_list = []
    return ast.unparse(ast.fix_missing_locations(node))


def without_solutions(notebook, left=None):
    """A notebook of the same text, without what lies between solution-start and solution-end.

    left: what stands in a solution's place, a function of its code, title and label that returns
    cells; without it, one cell with the skeleton of the code.

    Raises: ValueError if a solution does not end, or ends without a beginning.
    """
    cells, code, title, label, inside = [], [], "", "", False
    left = left or (lambda code, title, _: [nbformat.v4.new_code_cell(skeleton(code, title))])

    def keep(text):
        nonlocal title
        if found := TITLE.findall(text):
            title = found[-1]
        if text.strip():
            cells.append(nbformat.v4.new_markdown_cell(text.strip()))

    def close():
        nonlocal code
        cells.extend(left("\n\n\n".join(code), title, label))
        code = []

    for cell in notebook.cells:
        if cell.cell_type != "markdown":
            (code if inside else cells).append(cell.source if inside else cell)
            continue
        if not BORDER.search(cell.source):
            if not inside:
                keep(cell.source)
            continue
        text = cell.source
        while found := BORDER.search(text):
            if (found[1] == "end") != inside:
                raise ValueError(f"solution-{found[1]} where a solution is {inside=}: {title!r}")
            if inside:
                close()
                whole = WHOLE_END.match(text, found.start())
                if whole is None:
                    raise ValueError(f"solution-end is not closed: {title!r}")
                text = text[whole.end() :]
            else:
                keep(text[: found.start()])
                text = text[found.end() :]
                label = text.split(maxsplit=1)[0]
            inside = not inside
        if not inside:
            keep(text)
    if inside:
        raise ValueError(f"the solution of {title!r} does not end")
    copy = nbformat.from_dict(dict(notebook))
    copy.cells = cells
    for n, cell in enumerate(cells):
        cell["id"] = f"cell-{n}"
    return copy


def make(folder: Path) -> int:
    """Write the copy; returns the number of notebooks. What was in the folder goes, if it is ours.

    Raises: FileExistsError if the folder holds something else.
    """
    mark = folder / "notebooks"
    if folder.exists() and any(folder.iterdir()) and not mark.exists():
        raise FileExistsError(f"{folder} holds other files: name an empty folder")
    shutil.rmtree(folder, ignore_errors=True)
    mark.mkdir(parents=True)
    ignore = shutil.ignore_patterns("__pycache__", "*.egg-info", ".ipynb_checkpoints")
    for name in COPIED:
        source, target = ROOT / name, folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=ignore)
        elif source.exists():
            shutil.copy(source, target)
    paths = sorted((ROOT / "notebooks").glob("*.ipynb"))
    for path in paths:
        nbformat.write(without_solutions(nbformat.read(path, as_version=4)), mark / path.name)
    return len(paths)


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "_build" / "student"
    print(f"{make(target)} notebooks without solutions are in {target}")
