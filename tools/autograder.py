"""Assignments with points and hidden tests, for nbgrader.

    make autograder                                # into _build/autograder
    python tools/autograder.py _build/autograder

Two kinds. `assignments/NAME.py` are written by hand: scripts with cells (`# %%`), in which a cell
with `task=` holds a solution between markers and one with `test=` and `points=` holds tests, hidden
ones between markers; run as a script, such a file checks itself. And each notebook becomes an
assignment of its exercises: under an exercise stands a cell to fill in, and the asserts of the
solution are its hidden tests. The folder is a course as nbgrader knows it, with `source/` in it;
`tools/autograder_check.py`, which nbgrader's own Python runs, makes `release/` from that.
"""

import ast
import builtins
import contextlib
import io
import re
import sys
from pathlib import Path

import nbformat
import student
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

ROOT = Path(__file__).resolve().parents[1]
SCRIPTS = ROOT / "assignments"
BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"
BEGIN_TESTS, END_TESTS = "### BEGIN HIDDEN TESTS", "### END HIDDEN TESTS"
STUB = "# Your code here\nraise NotImplementedError('your turn')"
POINTS = {"warm-up": 1, "core": 2, "stretch": 3, "research": 4}
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
CONFIG = f"""\
c = get_config()
c.CourseDirectory.course_id = "networks-that-remember"
c.ClearSolutions.code_stub = {{"python": {STUB!r}}}
c.ExecutePreprocessor.timeout = 300
"""


# ---------- cells as nbgrader marks them ----------


def marked(cell, name: str, points: int | None = None, solution: bool = False):
    """The cell with nbgrader's mark: a place for a solution, tests that give points, or both."""
    cell.metadata["nbgrader"] = {
        "grade": points is not None,
        "grade_id": name,
        "locked": not solution,
        "schema_version": 3,
        "solution": solution,
        "task": False,
        **({} if points is None else {"points": points}),
    }
    return cell


def tests_of(notebook) -> dict[str, int]:
    """Name of each test of a notebook → its points; what a person grades is left out."""
    marks = (cell.metadata.get("nbgrader", {}) for cell in notebook.cells)
    return {m["grade_id"]: m["points"] for m in marks if m.get("grade") and not m["solution"]}


# ---------- assignments written by hand ----------


def from_script(path: Path):
    """The notebook of `assignments/NAME.py`.

    Raises: ValueError if a cell with points has no test, or a task has no solution.
    """
    import jupytext

    script = jupytext.read(path, fmt="py:percent")
    notebook = new_notebook(metadata={"kernelspec": KERNEL})
    for cell in script.cells:
        if cell.cell_type != "code":
            notebook.cells.append(new_markdown_cell(cell.source))
            continue
        new, mark = new_code_cell(cell.source), cell.metadata
        if "task" in mark:
            if BEGIN not in cell.source:
                raise ValueError(f"{path.name}: the task {mark['task']} has no solution")
            new = marked(new, mark["task"], solution=True)
        elif "test" in mark:
            if "assert" not in cell.source and "_agrees(" not in cell.source:
                raise ValueError(f"{path.name}: the test {mark['test']} tests nothing")
            new.source = f"# Tests: {mark['test']} ({worth_of(mark['points'])})\n{cell.source}"
            new = marked(new, f"test-{mark['test']}", int(mark["points"]))
        notebook.cells.append(new)
    return numbered(notebook)


def worth_of(points) -> str:
    return f"{points} point{'' if int(points) == 1 else 's'}"


def numbered(notebook):
    """With ids that are the same each time."""
    for n, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{n}"
    return notebook


# ---------- assignments from the exercises of a notebook ----------


def from_exercises(notebook):
    """A notebook of the book with places for solutions, and with their asserts as hidden tests."""
    plain = student.without_solutions(notebook)
    known = set(dir(builtins))
    for cell in plain.cells:
        if cell.cell_type == "code" and not cell.source.startswith("# Your turn"):
            known |= bound(ast.parse(cell.source).body)

    def left(code, title, label):
        return exercise_cells(code, title, label, known)

    return numbered(student.without_solutions(notebook, left))


def exercise_cells(code: str, title: str, label: str, known: set) -> list:
    """The cells under one exercise: what to fill in, and the tests, if the solution has any.

    A solution whose functions stand on their own is asked for as these functions, and the rest of
    it tests them. Otherwise the asserts say which names the answer has to define. Without asserts a
    person reads the answer and gives the points.
    """
    points = POINTS[title.rsplit("· ", 1)[-1]]
    body = ast.parse(code).body
    functions = [n for n in body if isinstance(n, ast.FunctionDef)]
    imports = [n for n in body if isinstance(n, ast.Import | ast.ImportFrom)]
    rest = [n for n in body if n not in functions and n not in imports]
    own = bound(rest)
    alone = functions and not any(free(f) & own for f in functions)
    given = known | bound(imports) | {f.name for f in functions}
    if alone and checks(rest) and not missing(rest, given) and not missing(functions, given):
        parts = [text(code, n) for n in imports] + [hollow(code, f) for f in functions]
        answer, tests = "\n\n\n".join(parts), text_of(code, rest)
    else:
        kept = [n for n in body if is_check(n) and not rebound_later(n, body)]
        read = sorted((loaded(kept) - bound(kept)) & bound(body))
        if not kept or not read or missing(kept, known | set(read)):
            said = f"# Your turn: {title}\n# Your teacher reads this answer."
            cell = new_code_cell(f"{said}\n{BEGIN}\n{code}\n{END}")
            return [marked(cell, label, points, solution=True)]
        answer = f"# The tests read: {', '.join(read)}\n{BEGIN}\n"
        answer += text_of(code, [n for n in body if n not in kept]) + f"\n{END}"
        tests = text_of(code, kept)
    head = f"# Your turn: {title}\n"
    hidden = f"# Tests of: {title} ({worth_of(points)})\n{BEGIN_TESTS}\n{tests}\n{END_TESTS}"
    return [
        marked(new_code_cell(head + answer), label, solution=True),
        marked(new_code_cell(hidden), f"test-{label}", points),
    ]


def text(code: str, node) -> str:
    """The lines of a statement, decorators and the comment lines above it included."""
    lines = code.split("\n")
    first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))]) - 1
    while first > 0 and lines[first - 1].startswith("#"):
        first -= 1
    return "\n".join(lines[first : node.end_lineno])


def text_of(code: str, nodes: list) -> str:
    return "\n".join(text(code, node) for node in nodes)


def hollow(code: str, function) -> str:
    """A function with its body, after the docstring, between the markers of a solution."""
    lines = code.split("\n")
    inside = function.body[1:] if ast.get_docstring(function) else function.body
    if not inside:
        inside = function.body
    first = min([function.lineno, *(d.lineno for d in function.decorator_list)]) - 1
    begin = inside[0].lineno - 1
    indent = " " * inside[0].col_offset
    if begin == function.lineno - 1:  # def f(x): return x
        head = [lines[begin][: inside[0].col_offset].rstrip()]
        indent, body = "    ", ["    " + lines[begin][inside[0].col_offset :]]
    else:
        head, body = lines[first:begin], lines[begin : function.end_lineno]
    return "\n".join([*head, indent + BEGIN, *body, indent + END])


def bound(nodes: list) -> set:
    """Names that statements bind or change: x = …, x[0] = …, for x in …, def x, import x."""
    found = set()
    for node in nodes:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
            continue
        for part in ast.walk(node):
            if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store):
                found.add(part.id)
            elif isinstance(part, ast.alias):
                found.add((part.asname or part.name).split(".")[0])
            elif isinstance(part, ast.FunctionDef):
                found.add(part.name)
            elif isinstance(part, ast.Subscript | ast.Attribute) and isinstance(
                part.ctx, ast.Store
            ):
                base = ast.unparse(part).split("[")[0].split(".")[0]
                found.add(base)
    return found


def loaded(nodes: list) -> set:
    names = (p for node in nodes for p in ast.walk(node) if isinstance(p, ast.Name))
    return {p.id for p in names if isinstance(p.ctx, ast.Load)}


def free(function) -> set:
    """Names that a function reads and does not bind itself."""
    inside = {a.arg for p in ast.walk(function) if isinstance(p, ast.arguments) for a in every(p)}
    return loaded([function]) - inside - bound(function.body)


def every(arguments) -> list:
    extra = [a for a in (arguments.vararg, arguments.kwarg) if a]
    return [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, *extra]


def missing(nodes: list, known: set) -> set:
    """Names that are read and that nobody has defined: they come from another solution."""
    lambdas = {a.arg for n in nodes for p in ast.walk(n) if isinstance(p, ast.arguments)
               for a in every(p)}  # fmt: skip
    inner = {name for n in nodes if isinstance(n, ast.FunctionDef) for name in bound(n.body)}
    return loaded(nodes) - known - bound(nodes) - lambdas - inner


def checks(nodes: list) -> bool:
    return any(isinstance(p, ast.Assert) for n in nodes for p in ast.walk(n))


def is_check(node) -> bool:
    """An assert, a loop of asserts, or a call of gradcheck.largest, which raises."""
    if isinstance(node, ast.For):
        return all(is_check(inner) for inner in node.body)
    called = isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
    return isinstance(node, ast.Assert) or (
        called and ast.unparse(node.value.func).endswith("largest")
    )


def rebound_later(check, body: list) -> bool:
    """Whether a name that a check reads gets another value further down."""
    later = [n for n in body if n.lineno > check.lineno]
    return bool((loaded([check]) - bound([check])) & bound(later))


# ---------- what a student gets, and what a submission is worth ----------


def released(notebook):
    """What nbgrader hands out: no solutions, no hidden tests. `autograder_check` compares."""
    copy = nbformat.from_dict(notebook)
    for cell in copy.cells:
        mark = cell.metadata.get("nbgrader", {})
        if not mark or cell.cell_type != "code":
            continue
        cell.source = re.sub(
            rf"^([ ]*){BEGIN}\n.*?^[ ]*{END}$",
            lambda found: "\n".join(found[1] + line for line in STUB.split("\n")),
            cell.source,
            flags=re.DOTALL | re.MULTILINE,
        )
        if mark["grade"] and not mark["solution"]:
            pattern = rf"^{BEGIN_TESTS}\n.*?^{END_TESTS}(\n|\Z)"
            cell.source = re.sub(pattern, "", cell.source, flags=re.DOTALL | re.MULTILINE)
    return copy


def without_markers(notebook):
    """A right submission: the source as a student would write it."""
    copy = nbformat.from_dict(notebook)
    for cell in copy.cells:
        mark = cell.metadata.get("nbgrader", {})
        if mark.get("solution"):
            cell.source = "\n".join(
                line for line in cell.source.split("\n") if line.strip() not in (BEGIN, END)
            )
    return copy


def with_fault(notebook, planted):
    """The right submission with one planted fault.

    Raises: ValueError if the text to change does not stand once in the cell.
    """
    copy = without_markers(notebook)
    for cell in copy.cells:
        if cell.metadata.get("nbgrader", {}).get("grade_id") == planted.task:
            for old, new in planted.changes:
                if cell.source.count(old) != 1:
                    raise ValueError(f"{planted.assignment}, {planted.task}: no single {old!r}")
                cell.source = cell.source.replace(old, new)
    return copy


def worth(notebook, limit: int = 400) -> tuple[dict, dict]:
    """(points of each test, what went wrong) of a notebook with its tests, run cell by cell here.

    As nbgrader counts: a test's points are given if its cell raises nothing.
    """
    names, points, wrong = {"__name__": "__main__"}, {}, {}
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        mark = cell.metadata.get("nbgrader", {})
        gives = mark.get("grade") and not mark["solution"]
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                exec(compile(cell.source, mark.get("grade_id", cell.id), "exec"), names)
        except Exception as error:
            wrong[mark.get("grade_id", cell.id)] = f"{type(error).__name__}: {error}"[:limit]
        if gives:
            points[mark["grade_id"]] = 0 if mark["grade_id"] in wrong else mark["points"]
    return points, wrong


# ---------- the course ----------


def hand_written() -> dict:
    """Name → notebook of each script in assignments/."""
    paths = [p for p in sorted(SCRIPTS.glob("*.py")) if p.stem != "planted"]
    return {path.stem: from_script(path) for path in paths}


def planted_faults() -> tuple:
    sys.path.insert(0, str(SCRIPTS))
    try:
        from planted import PLANTED
    finally:
        sys.path.remove(str(SCRIPTS))
    return PLANTED


def make(folder: Path) -> dict[str, dict]:
    """Write the course; name of each assignment → its tests and their points.

    Beside `source/` lie the submissions that `autograder_check` hands in, in `trial/`.
    """
    made = hand_written()
    for name, planted in enumerate(planted_faults()):
        write(folder / "trial" / f"{name}.ipynb", with_fault(made[planted.assignment], planted))
    for name, notebook in made.items():
        write(folder / "trial" / f"{name}.ipynb", without_markers(notebook))
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        made[path.stem] = from_exercises(nbformat.read(path, as_version=4))
    for name, notebook in made.items():
        write(folder / "source" / name / f"{name}.ipynb", notebook)
    (folder / "nbgrader_config.py").write_text(CONFIG, "utf-8")
    return {name: tests_of(notebook) for name, notebook in made.items()}


def write(path: Path, notebook) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.validate(notebook)
    nbformat.write(notebook, path)


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "_build" / "autograder"
    for name, tests in make(target).items():
        print(f"{name:20} {len(tests):3} tests, {sum(tests.values()):3} points")
    print(f"The course is in {target}")
