"""Every notebook keeps the rules of tools/anatomy.py, and every rule catches what it is for."""

import copy
import inspect
import re
from pathlib import Path

import anatomy
import fold
import nbformat
import pytest
import quote
import set_up
import yaml
from nbformat.v4 import new_code_cell, new_markdown_cell, new_output

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
by_name = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)


# ---------- the notebooks of the book ----------


@pytest.mark.parametrize("rule", anatomy.RULES, ids=lambda r: r.__name__)
@by_name
def test_notebook_keeps_the_rule(path, rule):
    complaints = list(rule(anatomy.read(path)))
    assert not complaints, "\n".join([f"notebooks/{path.name}:", *complaints])


@by_name
def test_notebook_is_valid_and_runs_on_python3(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert notebook.metadata.kernelspec.name == "python3"


def test_notebooks_are_numbered_without_a_gap():
    numbers = [path.stem.split("_")[0] for path in NOTEBOOKS]  # 08b goes on from 08
    whole = [number for number in numbers if number.isdigit()]
    assert whole == [f"{n:02d}" for n in range(len(whole))]
    assert all(n[:-1] in whole and n[-1] == "b" for n in set(numbers) - set(whole))


def test_table_of_contents_lists_every_notebook_in_order():
    listed = re.findall(r"file: notebooks/(\S+)", (ROOT / "_toc.yml").read_text("utf-8"))
    assert listed == [path.stem for path in NOTEBOOKS]


def test_labels_are_unique_in_the_book():
    labels = [
        label
        for path in NOTEBOOKS
        for _, cell in anatomy.read(path).cells
        for label in [
            cell.metadata.get("mystnb", {}).get("figure", {}).get("name"),
            *re.findall(r"^:(?:label|name): (\S+)", cell.source, flags=re.MULTILINE),
        ]
        if label
    ]
    assert sorted(labels) == sorted(set(labels))


LEADS = re.compile(
    r"([\w’-]+) (?:of|from|in) \[[^\]]*\]\((?:\.\./)?(?:notebooks/)?(\d\d[a-z]?_\w+)\.ipynb\)"
)
ANY_PAGE = set(
    "chapter convention kind measure notebook page question rest section sense subject".split()
)


def test_a_link_leads_to_a_notebook_that_holds_the_word():
    """“Adam from [](07_training.ipynb)”: the word before the link stands in that notebook."""
    texts = {
        path.stem: "\n".join(cell.source for _, cell in anatomy.read(path).cells).lower()
        for path in NOTEBOOKS
    }
    pages = texts | {p.stem: p.read_text("utf-8") for p in (ROOT / "book").glob("*.md")}
    lost = [
        f"{page}: {word} … {target}"
        for page, text in pages.items()
        for word, target in LEADS.findall(text)
        if (stem := word.lower().rstrip("s")) not in ANY_PAGE and stem not in texts.get(target, "")
    ]
    assert not lost, "\n".join(lost)


@pytest.mark.parametrize("path", sorted((ROOT / "book").glob("*.md")), ids=lambda p: p.stem)
def test_page_respects_the_reader(path):
    complaints = list(anatomy.banned_words(path.read_text("utf-8")))
    assert not complaints, "\n".join([f"book/{path.name}:", *complaints])


# ---------- the rules themselves ----------


def question(number: int, right: int = 1) -> str:
    options = (
        f":::{{dropdown}} {letter}. Answer {letter}\n"
        f"**{'Right' if n == right else 'No'}.** The sum does not know the order.\n:::"
        for n, letter in enumerate("ABC")
    )
    return f"**{number}. Which is it?**\n\n" + "\n\n".join(options)


def exercise(name: str, level: str) -> list:
    return [
        new_markdown_cell(
            f":::{{exercise}} Try {name} · {level}\n:label: ex-01-{name}\n\nDo it.\n:::"
        ),
        new_markdown_cell(f":::{{solution-start}} ex-01-{name}\n:class: dropdown\n:::"),
        new_code_cell("assert 1 + 1 == 2"),
        new_markdown_cell(":::{solution-end}\n:::"),
    ]


def model_notebook() -> list:
    """The cells of the shortest notebook that keeps every rule."""
    figure = {
        "image": {"alt": "A straight line that rises from one to two over one step."},
        "figure": {"caption": "The value grows with each step.", "name": "fig-01-line"},
    }
    cells = [
        new_markdown_cell("# A title\n\nWhy does it fail? We look and find out."),
        new_markdown_cell(
            ":::{admonition} What you will be able to do\n:class: tip\n"
            "- Add.\n- Sum.\n- See.\n:::\n"
            ":::{admonition} What you need first\nNothing but Python.\n:::\n"
            ":::{admonition} Time\nAbout 2 minutes to read, 3 seconds to run on two cores.\n:::"
        ),
        new_code_cell(set_up.CELL, metadata={"tags": ["remove-cell"]}),
        new_code_cell("from helpers import plots\n\nplots.use_style()"),
        new_markdown_cell(
            "## A sum forgets\n\n:::{admonition} Predict first\n:class: note\nWhich?\n:::\n\n"
            "See {numref}`fig-01-line` and $x^2$."
        ),
        new_code_cell(
            "plt.plot([1, 2])\nplt.show()",
            metadata={"mystnb": figure, "tags": ["hide-input"]},
            outputs=[new_output("display_data", data={"image/png": "AAAA", "text/plain": "<F>"})],
        ),
        new_code_cell(quote.quotation("helpers.activations.sigmoid")),
        new_markdown_cell("## In PyTorch"),
        new_code_cell("import torch"),
        new_markdown_cell("## Summary\n\n- A sum forgets."),
        new_markdown_cell("\n\n".join(["## Check yourself", *map(question, (1, 2, 3))])),
        new_markdown_cell("## Exercises"),
        *exercise("one", "warm-up"),
        *exercise("two", "core"),
        *exercise("three", "stretch"),
        *exercise("four", "research"),
        new_markdown_cell("## Further reading\n\n{cite:t}`elman1990`: the first of its kind."),
    ]
    return number_cells(cells)


def number_cells(cells: list) -> list:
    for count, cell in enumerate((c for c in cells if c.cell_type == "code"), start=1):
        cell.execution_count = count
    fold.fold(cells)
    return cells


def complaints_of(rule, cells: list) -> list[str]:
    return list(rule(anatomy.from_cells("01_model", cells)))


@pytest.mark.parametrize("rule", anatomy.RULES, ids=lambda r: r.__name__)
def test_model_notebook_keeps_the_rule(rule):
    assert complaints_of(rule, model_notebook()) == []


def replace(old: str, new: str, count: int = 1):
    """A planted fault: other words in the first cell that holds `old`."""

    def plant(cells):
        cell = next(c for c in cells if old in c.source)
        cell.source = cell.source.replace(old, new, count)

    return plant


def output(**fields):
    """A planted fault: one more output of the cell with the imports."""
    return lambda cells: cells[3].outputs.append(new_output(**fields))


def settings(part: str, key: str, value: str):
    """A planted fault: another setting of the figure."""
    return lambda cells: cells[5].metadata.mystnb[part].update({key: value})


def without(index: int):
    return lambda cells: cells.pop(index)


def swap(first: int, second: int):
    def plant(cells):
        cells[first], cells[second] = cells[second], cells[first]

    return plant


def not_executed(cells):
    cells[3].execution_count = None


def run_out_of_order(cells):
    cells[3].execution_count = 9


def figure_without_settings(cells):
    del cells[5].metadata["mystnb"]


def figure_gone(cells):
    cells[5].outputs.clear()


def figure_code_not_folded(cells):
    cells[5].metadata["tags"] = []


def solution_unfolded(cells):
    del next(c for c in reversed(cells) if "jupyter" in c.metadata).metadata["jupyter"]


def drawing_unfolded(cells):
    cells[5].metadata["jupyter"] = {}


def text_of_the_book_folded(cells):
    cells[2].metadata["jupyter"] = {"source_hidden": True}


def two_figures(cells):
    cells[5].outputs.append(copy.deepcopy(cells[5].outputs[0]))


def exception_that_did_not_come(cells):
    cells[3].metadata["tags"] = ["raises-exception"]


def long_cell(cells):
    cells[3].source += "\nx = 1" * 25


def wall_of_code(cells):
    cells[3].source += "\nx = 1" * 351


def solution_emptied(cells):
    cells.pop(14)


def not_hidden(cells):
    cells[2].metadata["tags"] = []


PRIVATE = (
    "from helpers.rnn import _step",
    "from helpers._rnn import step",
    "from helpers import rnn\nrnn._step()",
    "import helpers.rnn\nhelpers.rnn._step()",
    "from helpers import rnn as cells\nx = cells.part._inner",
)
JUDGMENTS = (
    "assert max(errors.values()) < 1e-7",
    "print('fine', max(errors) <= 1e-4)",
    "assert True and max(a, b) < 1e-9",
    "worst = max(gaps)\nassert worst < 1e-9",
    "assert max(errors.values()) < 1e-7 and 1 < 2",
)
STREAM = {"output_type": "stream", "name": "stdout"}
WIDGET = {"application/vnd.jupyter.widget-view+json": {"model_id": "a"}}
FAULTS = [
    (anatomy.opens_with_its_question, replace("# A title", "A title")),
    (anatomy.opens_with_its_question, replace("# A title", "# A title.")),
    (anatomy.opens_with_its_question, replace("Why does it fail? ", "")),
    (anatomy.opens_with_its_question, replace("We look", "One. Two. Three. We look")),
    (anatomy.opens_with_its_question, replace("## Summary", "# Summary")),
    (anatomy.says_what_for_and_how_long, without(1)),
    (anatomy.says_what_for_and_how_long, replace("} Time", "} Times")),
    (anatomy.says_what_for_and_how_long, replace(":class: tip", ":class: note")),
    (anatomy.says_what_for_and_how_long, replace("- Add.\n- Sum.\n", "")),
    (anatomy.says_what_for_and_how_long, replace("Nothing but Python.", "Python.")),
    (anatomy.time_to_read_is_true, replace("About 2 minutes", "A while")),
    (anatomy.time_to_read_is_true, replace("About 2 minutes", "About 9 minutes")),
    (anatomy.time_to_read_is_true, replace("3 seconds", "90 seconds")),
    (anatomy.code_leaves_room_for_the_text, wall_of_code),
    (anatomy.sets_up_first, without(2)),
    (anatomy.sets_up_first, swap(2, 3)),
    (anatomy.sets_up_first, replace("make lab", "make it")),
    (anatomy.sets_up_first, not_hidden),
    (anatomy.code_begins_with_imports, replace("plots.use_style()", "")),
    (anatomy.code_begins_with_imports, without(3)),
    (anatomy.sections_are_in_order, replace("## In PyTorch", "## PyTorch")),
    (anatomy.sections_are_in_order, swap(9, 10)),
    (anatomy.sections_are_in_order, without(4)),
    (anatomy.sections_are_in_order, replace("## A sum forgets", "## Summary")),
    (anatomy.asks_for_a_guess, replace("Predict first", "Guess")),
    (anatomy.asks_for_a_guess, replace(":class: note", ":class: tip")),
    (anatomy.torch_waits_for_its_section, swap(3, 8)),
    (anatomy.torch_waits_for_its_section, replace("import plots", "import plots, torch_parity")),
    (anatomy.summary_has_bullets, replace("- A sum", "A sum")),
    (anatomy.questions_are_answered, replace("**3. Which is it?**", "")),
    (anatomy.questions_are_answered, replace("**3. ", "**4. ")),
    (anatomy.questions_are_answered, replace("Which is it?**", "This is it.**")),
    (anatomy.questions_are_answered, replace("**Right.**", "**No.**")),
    (anatomy.questions_are_answered, replace("**No.**", "**Right.**")),
    (anatomy.questions_are_answered, replace("**No.**", "Perhaps.")),
    (anatomy.questions_are_answered, replace(" The sum does not know the order.", "")),
    (anatomy.questions_are_answered, replace("} A. Answer", "} 1. Answer")),
    (anatomy.questions_are_answered, replace(":::{dropdown} A. Answer A\n", "")),
    (anatomy.exercises_are_solved, replace("· research", "· hard")),
    (anatomy.exercises_are_solved, replace(":label: ex-01-two", ":label: ex-02-two")),
    (anatomy.exercises_are_solved, replace(":label: ex-01-two", ":label: ex-01-one")),
    (
        anatomy.exercises_are_solved,
        replace("{solution-start} ex-01-two", "{solution-start} ex-01-one"),
    ),
    (anatomy.exercises_are_solved, replace(":class: dropdown\n:::", ":::")),
    (anatomy.exercises_are_solved, without(15)),
    (anatomy.exercises_are_solved, without(12)),
    (anatomy.exercises_are_solved, solution_emptied),
    (anatomy.further_reading_cites, replace("{cite:t}`elman1990`", "Elman (1990)")),
    (anatomy.every_cell_was_run, not_executed),
    (anatomy.every_cell_was_run, run_out_of_order),
    (anatomy.every_cell_was_run, replace("import torch", " ")),
    (anatomy.no_cell_failed, output(output_type="error", ename="E", evalue="", traceback=[])),
    (anatomy.no_cell_failed, exception_that_did_not_come),
    (anatomy.outputs_are_clean, output(**STREAM, text="saved in /home/me/book")),
    (anatomy.outputs_are_clean, output(**STREAM, text="saved in C:\\Users\\me")),
    (anatomy.outputs_are_clean, output(**STREAM, text="<function f at 0x7f00aa11bb22>")),
    (anatomy.outputs_are_clean, output(output_type="stream", name="stderr", text="Warning: …")),
    (anatomy.outputs_are_clean, output(output_type="display_data", data=WIDGET)),
    (anatomy.outputs_say_more_than_true, output(**STREAM, text="True\nFalse\n")),
    (anatomy.code_fits_the_page, replace("import torch", "x = 1  # " + 100 * "x")),
    (anatomy.code_fits_the_page, replace("import torch", "%matplotlib inline")),
    (anatomy.code_fits_the_page, replace("plt.show()", "plt.show();")),
    (anatomy.code_fits_the_page, long_cell),
    (anatomy.quotations_are_exact, replace("0.5", "0.25")),
    (anatomy.quotations_are_exact, replace("activations.sigmoid", "activations.no_such_name")),
    (anatomy.quotations_are_exact, replace("helpers.activations.sigmoid", "math.sin")),
    (anatomy.quotations_are_exact, replace("#@", "\n#@")),
    *((anatomy.private_names_stay_private, replace("import torch", line)) for line in PRIVATE),
    *((anatomy.errors_are_judged_by_one_function, replace("import torch", c)) for c in JUDGMENTS),
    (anatomy.figures_speak, settings("image", "alt", "")),
    (anatomy.figures_speak, settings("figure", "caption", "A line")),
    (anatomy.figures_speak, settings("figure", "name", "fig-02-line")),
    (anatomy.figures_speak, settings("figure", "name", "fig-01-other")),
    (
        anatomy.figures_speak,
        settings("figure", "caption", model_notebook()[5].metadata.mystnb.image.alt),
    ),
    (anatomy.figures_speak, figure_without_settings),
    (anatomy.figures_speak, figure_gone),
    (anatomy.figures_speak, two_figures),
    (anatomy.figures_speak, figure_code_not_folded),
    (anatomy.colours_have_a_scale, replace("plt.show()", "plt.imshow(W)\nplt.show()")),
    (anatomy.starts_folded_in_jupyterlab, solution_unfolded),
    (anatomy.starts_folded_in_jupyterlab, drawing_unfolded),
    (anatomy.starts_folded_in_jupyterlab, text_of_the_book_folded),
    (anatomy.words_respect_the_reader, replace("We look", "Obviously we look")),
    (anatomy.words_respect_the_reader, replace("We look", "We just look")),
    (anatomy.words_respect_the_reader, replace("We look", "Of course we look")),
]


def test_a_cell_may_end_one_solution_and_begin_the_next():
    begin, end = (f":::{{solution-{word}}}" for word in ("start", "end"))
    texts = (f"{begin} ex-01-a", f"{end}\n\n{begin} ex-01-b", f"{end}\n\nAfter them.")
    cells = [cell for text in texts for cell in (new_markdown_cell(text), new_code_cell("x = 1"))]
    first, second, after = (list(fold.folded(cells))[i] for i in (1, 3, 5))
    assert first == second == {"source_hidden": True, "outputs_hidden": True}
    assert after == {}


@pytest.mark.parametrize(("rule", "fault"), FAULTS, ids=[r.__name__ for r, _ in FAULTS])
def test_rule_catches_the_fault(rule, fault):
    cells = model_notebook()
    fault(cells)
    assert complaints_of(rule, cells)


def test_every_rule_has_a_fault_that_it_catches():
    assert {rule for rule, _ in FAULTS} == set(anatomy.RULES)


@pytest.mark.parametrize(
    ("rule", "code"),
    [
        (
            anatomy.private_names_stay_private,
            "from helpers import rnn\nrnn.CELL._replace(name='a')",
        ),
        (anatomy.private_names_stay_private, "from helpers import rnn\nrnn.__name__"),
        (anatomy.private_names_stay_private, "x._private"),
        (anatomy.errors_are_judged_by_one_function, "assert max(lengths) < 10"),
        (anatomy.errors_are_judged_by_one_function, "assert np.abs(a - b).max() < 1e-12"),
        (anatomy.errors_are_judged_by_one_function, "assert worst < 1e-12"),
    ],
)
def test_rule_lets_pass_what_is_right(rule, code):
    cells = model_notebook()
    replace("import torch", code)(cells)
    assert not complaints_of(rule, cells)


@pytest.mark.parametrize(
    "text", ["`just` a name", "```\njust code\n```", "> Just so.", "[here](just.md)", "adjust"]
)
def test_banned_words_may_stand_in_code_and_quotations(text):
    assert not list(anatomy.banned_words(text))


def test_formulas_and_options_do_not_count_as_words():
    text = "Two words $h_t = \\tanh(a)$\n\n:::{admonition} Title\n:class: note\n:::"
    assert anatomy.words_to_read(text) == 4


def test_quotation_is_the_source_of_the_function():
    from helpers import activations

    assert quote.source_of("helpers.activations.sigmoid") in inspect.getsource(activations)


def test_refresh_rewrites_only_quotations_that_differ():
    notebook = nbformat.v4.new_notebook(cells=model_notebook())
    assert quote.refresh(notebook) == 0
    notebook.cells[6].source = "#@ helpers.activations.sigmoid\nold"
    assert quote.refresh(notebook) == 1
    assert notebook.cells[6].source == quote.quotation("helpers.activations.sigmoid")


def test_configuration_of_the_book_does_not_run_notebooks():
    config = yaml.safe_load((ROOT / "_config.yml").read_text("utf-8"))
    assert config["execute"]["execute_notebooks"] == "off"
