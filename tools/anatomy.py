"""The rules for a notebook, one function each. A rule yields complaints; none means all is well.

`python tools/anatomy.py notebooks/03_rnn.ipynb` checks while you write; the tests check them all.
CONTRIBUTING.md tells the rules in prose.
"""

import ast
import math
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import fold
import nbformat
from quote import MARKER, quotation, quoted_name
from set_up import CELL, TAGS, is_set_up

Complaints = Iterator[str]

OPENING = ("What you will be able to do", "What you need first", "Time")
CLOSING = ("In PyTorch", "Summary", "Check yourself", "Exercises", "Further reading")
LEVELS = "warm-up|core|stretch|research"
BANNED = re.compile(
    r"\b(simply|obviously|just|clearly|of course|easy|trivial|trivially)\b", re.IGNORECASE
)
LOCAL_PATH = re.compile(r"(?<![\w.])/(home|root|work|tmp|Users|private|opt)/|\b[A-Z]:\\")
WORDS_PER_MINUTE, LINES_PER_MINUTE = 180, 20  # of text, and of code that is not folded
LINE_LENGTH, CELL_LENGTH, OPEN_LINES = 100, 25, 350


class Notebook(NamedTuple):
    """A notebook as the rules see it: its name, and (number, cell) pairs, numbered from 1."""

    name: str
    cells: list

    @property
    def code(self) -> list:
        return [(n, c) for n, c in self.cells if c.cell_type == "code"]

    @property
    def markdown(self) -> list:
        return [(n, c) for n, c in self.cells if c.cell_type == "markdown"]

    @property
    def text(self) -> str:
        """All markdown cells, with a blank line between them."""
        return "\n\n".join(c.source for _, c in self.markdown)

    @property
    def number(self) -> str:
        return self.name.split("_")[0]


def read(path: Path) -> Notebook:
    return from_cells(path.stem, nbformat.read(path, as_version=4).cells)


def from_cells(name: str, cells: list) -> Notebook:
    """A markdown cell with a heading further down counts as two with the same number."""
    pieces = []
    for n, cell in enumerate(cells, start=1):
        sources = [cell.source]
        if cell.cell_type == "markdown":
            sources = re.split(r"\n(?=## )", cell.source)
        pieces += [(n, nbformat.from_dict({**cell, "source": source})) for source in sources]
    return Notebook(name, pieces)


# ---------- reading markdown ----------


def without_code(markdown: str) -> str:
    """Markdown less fenced code, inline code, block quotes, comments and link targets."""
    markdown = re.sub(r"^(`{3,}|~{3,})(?!\{).*?^\1", "", markdown, flags=re.DOTALL | re.MULTILINE)
    markdown = re.sub(r"<!--.*?-->|^%.*?$|^>.*?$", "", markdown, flags=re.DOTALL | re.MULTILINE)
    markdown = re.sub(r"(`+).+?\1", " ", markdown, flags=re.DOTALL)
    return re.sub(r"\]\([^)\s]*\)", "]", markdown)


def words_to_read(markdown: str) -> int:
    """How many words a reader meets. A formula counts as one, a directive's options as none."""
    markdown = re.sub(r"\$\$.*?\$\$|\$[^$]+\$", " formula ", markdown, flags=re.DOTALL)
    markdown = re.sub(r"^:\w[\w-]*:.*$|^[:`]{3,}(\{[\w-]+\})?", "", markdown, flags=re.MULTILINE)
    markdown = re.sub(r"<!--.*?-->|\{[\w:]+\}(?=`)|\]\([^)]*\)", " ", markdown, flags=re.DOTALL)
    return len(re.findall(r"\w[\w'’.-]*", markdown))


def directive(markdown: str, name: str) -> list[tuple[str, str]]:
    """(title, body) of every `:::{name} title … :::` in a piece of markdown."""
    pattern = rf"^(:{{3,}})\{{{name}\}}[ ]*(.*?)[ ]*\n(.*?)^\1[ ]*$"
    found = re.finditer(pattern, markdown, flags=re.DOTALL | re.MULTILINE)
    return [(match[2], match[3]) for match in found]


def heading(cell) -> str | None:
    """The second-level heading that a markdown cell begins with."""
    found = cell.cell_type == "markdown" and re.match(r"## +(.+)", cell.source.strip())
    return found[1].strip() if found else None


def headings(notebook: Notebook) -> list[str]:
    return [title for _, cell in notebook.cells if (title := heading(cell))]


def without_fences(markdown: str) -> str:
    return re.sub(r"^(`{3,}|~{3,}).*?^\1", "", markdown, flags=re.DOTALL | re.MULTILINE)


def section(notebook: Notebook, title: str) -> list:
    """The (number, cell) pairs from a heading up to the next one."""
    found, inside = [], False
    for n, cell in notebook.cells:
        if heading(cell):
            inside = heading(cell) == title
        if inside:
            found.append((n, cell))
    return found


def section_text(notebook: Notebook, title: str) -> str:
    return "\n\n".join(c.source for _, c in section(notebook, title) if c.cell_type == "markdown")


def parsed(cell) -> ast.Module | None:
    """The syntax tree of a code cell, or None where it is not plain Python."""
    try:
        return ast.parse(cell.source)
    except SyntaxError:
        return None


# ---------- the parts of a notebook ----------


def opens_with_its_question(notebook: Notebook) -> Complaints:
    first = notebook.cells[0][1]
    if first.cell_type != "markdown" or not first.source.startswith("# "):
        yield "cell 1 must be markdown and begin with '# Title'"
        return
    title, _, rest = first.source.partition("\n")
    sentences = re.findall(r"[.?!:][*)”\"’]*(?:\s|$)", without_code(rest).strip())
    if not 2 <= len(sentences) <= 4:
        yield f"cell 1 puts the question in 2 to 4 sentences, not {len(sentences)}"
    if title.rstrip().endswith("."):
        yield "the title is a phrase without a full stop"
    titles = re.findall(r"^# ", without_fences(notebook.text), flags=re.MULTILINE)
    if len(titles) != 1:
        yield f"one '# Title' only, not {len(titles)}"


def says_what_for_and_how_long(notebook: Notebook) -> Complaints:
    if len(notebook.cells) < 2 or notebook.cells[1][1].cell_type != "markdown":
        yield "cell 2 must be markdown with the three opening admonitions"
        return
    boxes = directive(notebook.cells[1][1].source, "admonition")
    if tuple(title for title, _ in boxes) != OPENING:
        yield f"cell 2 has the admonitions {[t for t, _ in boxes]}, wanted {list(OPENING)}"
        return
    objectives, needed, _ = (body for _, body in boxes)
    bullets = len(re.findall(r"^[-*] ", objectives, flags=re.MULTILINE))
    if ":class: tip" not in objectives:
        yield "cell 2: the objectives need ':class: tip'"
    if not 3 <= bullets <= 5:
        yield f"cell 2 lists 3 to 5 objectives, not {bullets}"
    if not re.search(r"\]\([^)]+\)|nothing but", needed, flags=re.IGNORECASE):
        yield "cell 2: 'What you need first' links to earlier pages or says 'nothing but …'"


def open_lines(notebook: Notebook) -> int:
    """Lines of code that stand open on the page: neither solutions nor what only draws."""
    return sum(
        bool(line.strip())
        for _, cell in notebook.code
        if "source_hidden" not in fold.settings(cell)
        and "remove-cell" not in cell.metadata.get("tags", [])
        for line in cell.source.splitlines()
    )


def minutes_to_read(notebook: Notebook) -> int:
    """Of the text, and of the code that stands open on the page."""
    words = words_to_read(notebook.text)
    return math.ceil(words / WORDS_PER_MINUTE + open_lines(notebook) / LINES_PER_MINUTE)


def code_leaves_room_for_the_text(notebook: Notebook) -> Complaints:
    if (lines := open_lines(notebook)) > OPEN_LINES:
        yield f"{lines} lines of code stand open (at most {OPEN_LINES}): fold what only draws"


def time_to_read_is_true(notebook: Notebook) -> Complaints:
    claim = re.search(
        r"About (\d+) minutes? to read, (?:about )?(\d+) seconds? to run on two cores\.",
        notebook.text,
    )
    if not claim:
        yield "say 'About N minutes to read, M seconds to run on two cores.'"
        return
    minutes = minutes_to_read(notebook)
    if abs(int(claim[1]) - minutes) > 2:
        yield f"'About {claim[1]} minutes to read', but text and code take about {minutes}"
    if int(claim[2]) > 40:
        yield f"a notebook runs in at most 40 seconds, not in {claim[2]} seconds"


def sets_up_first(notebook: Notebook) -> Complaints:
    """The first code cell, hidden on the page, says what to do if the module is missing."""
    first = notebook.code[0][1] if notebook.code else None
    if first is None or first.source != CELL or first.metadata.get("tags") != TAGS:
        yield "the first code cell is not the set-up cell: run `python tools/set_up.py` on it"


def code_begins_with_imports(notebook: Notebook) -> Complaints:
    code = [(n, cell) for n, cell in notebook.code if not is_set_up(cell)]
    if not code:
        yield "no code cell"
        return
    n, cell = code[0]
    if "import " not in cell.source or "plots.use_style()" not in cell.source:
        yield f"cell {n}: the first code cell holds the imports and plots.use_style()"


def sections_are_in_order(notebook: Notebook) -> Complaints:
    titles = headings(notebook)
    if tuple(titles[-len(CLOSING) :]) != CLOSING:
        yield f"the last sections are {titles[-len(CLOSING) :]}, wanted {list(CLOSING)}"
    elif len(titles) == len(CLOSING):
        yield "no section of its own before 'In PyTorch'"
    for title in CLOSING:
        if titles.count(title) > 1:
            yield f"'## {title}' stands {titles.count(title)} times"


def asks_for_a_guess(notebook: Notebook) -> Complaints:
    boxes = directive(notebook.text, "admonition")
    guesses = [body for title, body in boxes if title == "Predict first"]
    if not guesses:
        yield "no ':::{admonition} Predict first'"
    if any(":class: note" not in body for body in guesses):
        yield "a 'Predict first' block needs ':class: note'"


def torch_waits_for_its_section(notebook: Notebook) -> Complaints:
    begin = next((n for n, _ in section(notebook, "In PyTorch")), math.inf)
    for n, cell in notebook.code:
        if n < begin and re.search(r"^\s*(import|from)\s+.*\btorch", cell.source, re.MULTILINE):
            yield f"cell {n}: torch is imported before '## In PyTorch'"


def summary_has_bullets(notebook: Notebook) -> Complaints:
    text = section_text(notebook, "Summary")
    if not re.search(r"^[-*] ", text, flags=re.MULTILINE):
        yield "the summary is a list"


def questions_are_answered(notebook: Notebook) -> Complaints:
    text = section_text(notebook, "Check yourself")
    parts = re.split(r"^\*\*(\d+)\. (.+?)\*\*[ ]*$", text, flags=re.DOTALL | re.MULTILINE)[1:]
    questions = list(zip(parts[0::3], parts[1::3], parts[2::3]))
    if not 3 <= len(questions) <= 6:
        yield f"3 to 6 questions '**1. …?**', not {len(questions)}"
    for expected, (number, question, body) in enumerate(questions, start=1):
        if int(number) != expected:
            yield f"question {number} should be number {expected}"
        if not question.endswith("?"):
            yield f"question {number} does not end with '?'"
        yield from (f"question {number}: {c}" for c in options_are_explained(body))


def options_are_explained(body: str) -> Complaints:
    options = directive(body, "dropdown")
    if not 3 <= len(options) <= 4:
        yield f"3 or 4 options, not {len(options)}"
    right = 0
    for letter, (title, text) in zip("ABCD", options):
        verdict = re.match(r"\s*(?::[\w-]+:.*\n\s*)*\*\*(Right|No)\.\*\*(.*)", text, re.DOTALL)
        if not title.startswith(f"{letter}. "):
            yield f"the option '{title}' should begin with '{letter}. '"
        if not verdict:
            yield f"option {letter} must begin with **Right.** or **No.**"
        elif words_to_read(verdict[2]) < 4:
            yield f"option {letter} is not explained"
        right += bool(verdict and verdict[1] == "Right")
    if right != 1:
        yield f"exactly one option is right, not {right}"


def exercises_are_solved(notebook: Notebook) -> Complaints:
    cells = section(notebook, "Exercises")
    text = "\n\n".join(c.source for _, c in cells if c.cell_type == "markdown")
    exercises = directive(text, "exercise")
    if not 4 <= len(exercises) <= 8:
        yield f"4 to 8 exercises, not {len(exercises)}"
    labels = []
    for title, body in exercises:
        label = re.search(r"^:label: (\S+)$", body, flags=re.MULTILINE)
        labels.append(label[1] if label else None)
        if not re.fullmatch(rf".+ · ({LEVELS})", title):
            yield f"exercise '{title}' must end with its level: · {LEVELS}"
        if not label or not label[1].startswith(f"ex-{notebook.number}-"):
            yield f"exercise '{title}' needs a label ex-{notebook.number}-…"
    solutions = solutions_of(cells)
    for label in sorted({*labels, *(label for label, _ in solutions)} - {None}):
        bodies = [body for name, body in solutions if name == label]
        if labels.count(label) != 1 or len(bodies) != 1:
            found = f"{labels.count(label)} and {len(bodies)}"
            yield f"{label}: one exercise and one solution, not {found}"
        elif not bodies[0].strip():
            yield f"{label}: the solution is empty"
    starts = re.findall(r"^:{3,}\{solution-start\}.*?^:{3,}", text, flags=re.DOTALL | re.MULTILINE)
    if any(":class: dropdown" not in start for start in starts):
        yield "a solution-start needs ':class: dropdown'"
    if len(starts) != len(solutions):
        yield f"{len(starts)} solution-start, of which {len(solutions)} have a solution-end"


def solutions_of(cells: list) -> list[tuple[str, str]]:
    """(label, everything up to its solution-end) of each solution, text and code in one string."""
    text = "\n\n".join(cell.source for _, cell in cells)
    return re.findall(
        r"^:{3,}\{solution-start\} (\S+)\n(?::[^\n]*\n)*?:{3,}[ ]*\n(.*?)^:{3,}\{solution-end\}",
        text,
        flags=re.DOTALL | re.MULTILINE,
    )


def further_reading_cites(notebook: Notebook) -> Complaints:
    if "{cite:" not in section_text(notebook, "Further reading"):
        yield "'Further reading' cites nothing"


# ---------- code and its outputs ----------


def every_cell_was_run(notebook: Notebook) -> Complaints:
    counts = [cell.get("execution_count") for _, cell in notebook.code if cell.source.strip()]
    for n, cell in notebook.code:
        if not cell.source.strip():
            yield f"cell {n} is empty"
        elif cell.get("execution_count") is None:
            yield f"cell {n} was not executed"
    if None not in counts and counts != list(range(1, len(counts) + 1)):
        yield "the cells were not run from top to bottom: run `make notebooks`"


def no_cell_failed(notebook: Notebook) -> Complaints:
    for n, cell in notebook.code:
        failed = any(output.output_type == "error" for output in cell.outputs)
        wanted = "raises-exception" in cell.metadata.get("tags", [])
        if failed != wanted:
            yield f"cell {n} {'failed' if failed else 'was to raise an exception and did not'}"


def outputs_are_clean(notebook: Notebook) -> Complaints:
    for n, cell in notebook.code:
        if any(output.get("name") == "stderr" for output in cell.outputs):
            yield f"cell {n}: a warning or progress bar was stored: run `make notebooks`"
        for output in cell.outputs:
            data = output.get("data", {})
            text = "".join([output.get("text", ""), *(str(data.get(k, "")) for k in TEXT_TYPES)])
            if LOCAL_PATH.search(text):
                yield f"cell {n}: the output names a path on somebody's machine"
            if re.search(r"\bat 0x[0-9a-f]{6,}", text):
                yield f"cell {n}: the output names an object's address, which is new in each run"
            if "application/vnd.jupyter.widget-view+json" in data:
                yield f"cell {n}: a widget was stored: run `make notebooks`"


VERDICT = re.compile(r"(\s*\b(True|False)\b[\s,]*)+")


def outputs_say_more_than_true(notebook: Notebook) -> Complaints:
    """A verdict alone tells a reader nothing: print the numbers, and assert the rest."""
    for n, cell in notebook.code:
        outputs = [output for output in cell.outputs if "image/png" not in output.get("data", {})]
        text = "".join(
            output.get("text", "") + str(output.get("data", {}).get("text/plain", ""))
            for output in outputs
        )
        if VERDICT.fullmatch(text):
            yield f"cell {n}: its whole output is {text.strip()!r}: print the numbers behind it"


TEXT_TYPES = ("text/plain", "text/html", "text/markdown", "text/latex")


def code_fits_the_page(notebook: Notebook) -> Complaints:
    for n, cell in notebook.code:
        quotes = quoted_name(cell.source) is not None
        lines = cell.source.splitlines()
        longest = max(map(len, lines), default=0)
        if longest > LINE_LENGTH:
            yield f"cell {n}: a line of {longest} characters (at most {LINE_LENGTH})"
        filled = sum(bool(line.strip()) for line in lines)
        if not quotes and filled > CELL_LENGTH:
            yield f"cell {n}: {filled} lines (at most {CELL_LENGTH}): split it"
        if parsed(cell) is None:
            yield f"cell {n}: not plain Python (magics run only in a notebook)"
        if cell.source.rstrip().endswith(";"):
            yield f"cell {n}: ends with ';' (end with plt.show())"


def quotations_are_exact(notebook: Notebook) -> Complaints:
    for n, cell in notebook.code:
        name = quoted_name(cell.source)
        try:
            if name is not None and cell.source.rstrip() != quotation(name):
                yield f"cell {n}: differs from {name}: run `make notebooks`"
        except LookupError as error:
            yield f"cell {n}: {error}"
        if name is None and re.search(rf"^\s*{MARKER.strip()}", cell.source, re.MULTILINE):
            yield f"cell {n}: the marker '{MARKER}helpers.…' belongs into the first line"


def private_names_stay_private(notebook: Notebook) -> Complaints:
    """What a reader sees of the helper module is public: no `from helpers.x import _y`, no x._y."""
    ours = set()
    for n, cell in notebook.code:
        for node in ast.walk(parsed(cell) or ast.Module([], [])):
            if isinstance(node, ast.Import | ast.ImportFrom):
                for alias in node.names:
                    dotted = f"{getattr(node, 'module', None) or ''}.{alias.name}".lstrip(".")
                    if dotted.split(".")[0] == "helpers":
                        ours.add(alias.asname or alias.name.split(".")[0])
                        if "._" in dotted:
                            yield f"cell {n} imports a private name: {dotted}"
            elif isinstance(node, ast.Attribute):
                ours_is_asked = ast.unparse(node.value).split(".")[0] in ours
                if ours_is_asked and re.match(PRIVATE, node.attr):
                    yield f"cell {n} uses a private name: {ast.unparse(node)}"


PRIVATE = r"_(?!_|replace|asdict|make|fields)"  # those four are public methods of named tuples


def errors_are_judged_by_one_function(notebook: Notebook) -> Complaints:
    """`max(errors.values()) < 1e-7` may pass over NaN; `gradcheck.largest(errors, 1e-7)` does not.

    A cell may take Python's largest of anything, unless it compares it with a tiny number.
    """
    for n, cell in notebook.code:
        tree = parsed(cell) or ast.Module([], [])
        stored = {
            ast.unparse(target)
            for node in ast.walk(tree)
            if isinstance(node, ast.Assign) and _takes_the_largest(node.value)
            for target in node.targets
        }
        judged = {
            ast.unparse(node.left)
            for node in ast.walk(tree)
            if isinstance(node, ast.Compare) and _is_tiny(node.comparators[0])
            if _takes_the_largest(node.left) or ast.unparse(node.left) in stored
        }
        for text in sorted(judged):
            yield f"cell {n}: {text} passes over NaN: use gradcheck.largest, or np.max"


def _takes_the_largest(node) -> bool:
    """Whether this is a call of Python's own max, which compares number with number."""
    return isinstance(node, ast.Call) and ast.unparse(node.func) == "max"


def _is_tiny(node) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, float) and node.value <= 1e-4


def _prints(cell) -> bool:
    return any(output.output_type == "stream" for output in cell.outputs)


def figures_speak(notebook: Notebook) -> Complaints:
    """Every figure has a text alternative, a caption, and a name by which the text refers to it.

    On the page its code is folded away: it draws, it does not teach.
    """
    for n, cell in notebook.code:
        images = [o for o in cell.outputs if any("image/" in k for k in o.get("data", {}))]
        settings = cell.metadata.get("mystnb", {})
        alt = settings.get("image", {}).get("alt", "").strip()
        figure = settings.get("figure", {})
        caption, name = figure.get("caption", "").strip(), figure.get("name", "")
        if not images:
            if figure or alt:
                yield f"cell {n} describes a figure but draws none"
            continue
        if len(images) > 1:
            yield f"cell {n} draws {len(images)} figures: one a cell"
        if "hide-input" not in cell.metadata.get("tags", []) and not _prints(cell):
            yield f"cell {n} draws a figure: tag it hide-input, so that its code is folded"
        if len(alt) < 30:
            yield f"cell {n}: the figure needs an alt text that tells its message"
        if len(caption) < 10 or not caption.endswith((".", "?", "!")):
            yield f"cell {n}: the figure needs a caption that is a sentence"
        if alt and alt == caption:
            yield f"cell {n}: alt text and caption say the same words"
        if not name.startswith(f"fig-{notebook.number}-"):
            yield f"cell {n}: the figure needs a name fig-{notebook.number}-…"
        elif not re.search(rf"\{{numref\}}`(?:[^`]*<)?{re.escape(name)}>?`", notebook.text):
            yield f"cell {n}: the text never refers to {{numref}}`{name}`"


MAP = re.compile(r"\b(imshow|pcolormesh|matshow|contourf)\(")
PICTURE = re.compile(r"""cmap=["'](gray|grey|Greys|gray_r|grey_r|binary)["']""", re.IGNORECASE)


def colours_have_a_scale(notebook: Notebook) -> Complaints:
    """A map of colours says which number a colour is: by a bar, or by numbers in its fields.

    A picture in grey is no map: a handwritten digit has no unit.
    """
    for n, cell in notebook.code:
        says = re.search(r"colorbar|\.text\(|annotate", cell.source)
        if MAP.search(cell.source) and not (says or PICTURE.search(cell.source)):
            yield f"cell {n}: which number is which colour? Draw a colour bar"


def starts_folded_in_jupyterlab(notebook: Notebook) -> Complaints:
    cells = [cell for _, cell in notebook.cells]
    for (n, cell), wanted in zip(notebook.cells, fold.folded(cells)):
        if cell.cell_type == "code" and fold.settings(cell) != wanted:
            yield f"cell {n}: a solution or drawing is not folded: run `make notebooks`"


# ---------- words ----------


def words_respect_the_reader(notebook: Notebook) -> Complaints:
    for n, cell in notebook.markdown:
        yield from (f"cell {n}: {c}" for c in banned_words(cell.source))


def banned_words(markdown: str) -> Complaints:
    for match in BANNED.finditer(without_code(markdown)):
        yield f"'{match[0]}' tells a reader who struggles that it is their fault"


RULES = (
    opens_with_its_question,
    says_what_for_and_how_long,
    time_to_read_is_true,
    code_leaves_room_for_the_text,
    sets_up_first,
    code_begins_with_imports,
    sections_are_in_order,
    asks_for_a_guess,
    torch_waits_for_its_section,
    summary_has_bullets,
    questions_are_answered,
    exercises_are_solved,
    further_reading_cites,
    every_cell_was_run,
    no_cell_failed,
    outputs_are_clean,
    outputs_say_more_than_true,
    code_fits_the_page,
    quotations_are_exact,
    private_names_stay_private,
    errors_are_judged_by_one_function,
    figures_speak,
    colours_have_a_scale,
    starts_folded_in_jupyterlab,
    words_respect_the_reader,
)


if __name__ == "__main__":
    complaints = [
        f"{path}: {complaint}"
        for path in map(Path, sys.argv[1:])
        for rule in RULES
        for complaint in rule(read(path))
    ]
    print("\n".join(complaints) or "All rules are kept.")
    sys.exit(bool(complaints))
