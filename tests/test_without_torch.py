"""The set-up cell, and notebooks on a machine that has no PyTorch."""

import ast
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
import set_up
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from helpers import notebook

ROOT = Path(__file__).resolve().parents[1]
SHORT = ROOT / "notebooks" / "01_order.ipynb"


def passed_by(*cells: str) -> list[bool]:
    """Which of these cells, run one after another, are passed by."""
    transformer = notebook.PassTorchBy()
    trees = [ast.parse(cell) for cell in cells]
    return [transformer.visit(tree) is not tree for tree in trees]


# ---------- which cells are passed by ----------


@pytest.mark.parametrize(
    "cell",
    [
        "import torch",
        "import numpy as np, torch.nn as nn",
        "from torch import nn",
        "from torch.nn.utils import rnn",
        "from helpers import gradcheck, torch_parity",
        "from helpers.torch_parity import to_torch",
        "from helpers.torch_seq2seq import TorchSeq2Seq",
        "import helpers.torch_seq2seq",
        "import against_torch",  # an experiment
        "def later():\n    import torch",
    ],
)
def test_cell_that_imports_torch(cell):
    assert passed_by(cell) == [True]


@pytest.mark.parametrize(
    "cell",
    [
        "import numpy as np",
        "import torchlike",
        "from helpers import unroll",
        "torch = 1",
        "print('import torch')",
    ],
)
def test_cell_that_only_looks_like_it(cell):
    assert passed_by(cell) == [False]


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("layer(x)", True),
        ("other(x)", False),
        ("layer = 3", False),
        ("layer = layer + 1", True),
        ("layer += 1", True),
        ("layer: int = layer", True),
        ("layer = 1\nprint(layer)", False),
        ("print(layer)\nlayer = 1", True),
        ("for layer in range(3):\n    print(layer)", False),
        ("for layer in layer:\n    pass", True),
        ("[layer for layer in range(3)]", False),
        ("[i for i in layer]", True),
        ("{i: layer for i in range(3)}", True),
        ("{layer: 1 for layer in range(3)}", False),
        ("def f(layer):\n    return layer", False),
        ("def f(x=layer):\n    return x", True),
        ("def f():\n    layer = 2\n    return layer", False),
        ("def f():\n    return layer", True),
        ("f = lambda layer: layer", False),
        ("f = lambda: layer", True),
        ("class A:\n    x = layer", True),
        ("with open('f') as layer:\n    print(layer)", False),
        ("print(f'{layer}')", True),
        ("inner", False),
    ],
)
def test_cell_that_reads_what_was_lost(cell, expected):
    lost = "import torch\nlayer = torch.nn.RNN(1, 2)\nhs = [inner for inner in layer(x)]"
    assert passed_by(lost, cell) == [True, expected]


def test_loss_travels_on_and_ends():
    cells = ["import torch\na = 1", "b = a", "print(b)", "b = 2", "print(b)", "print(a)"]
    assert passed_by(*cells) == [True, True, True, False, False, True]


# ---------- a whole notebook without torch ----------


@pytest.fixture
def no_torch(tmp_path, monkeypatch):
    """Kernels that start now cannot find torch."""
    startup = tmp_path / "profile_default" / "startup"
    startup.mkdir(parents=True)
    (startup / "hide.py").write_text("import sys; sys.modules['torch'] = None")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))


def run(cells, folder) -> list:
    """Run cells behind the set-up cell; what each of them printed."""
    book = new_notebook(cells=cells)
    set_up.refresh(book)
    where = {"metadata": {"path": str(folder)}}
    NotebookClient(book, kernel_name="python3", timeout=300, resources=where).execute()
    return [
        "".join(output.get("text", "") for output in cell.outputs)
        for cell in book.cells
        if cell.cell_type == "code"
    ]


@pytest.mark.slow
@pytest.mark.usefixtures("no_torch")
def test_notebook_runs_to_its_end_without_torch():
    book = nbformat.read(SHORT, as_version=4)
    printed = run(book.cells, SHORT.parent)
    messages = [text for text in printed if text.startswith("This cell is passed by")]
    assert "because it needs PyTorch, which is not installed." in messages[0]
    assert len(messages) < len(printed) / 4
    sources = [c.source for c in book.cells if c.cell_type == "code"]
    assert any("import torch" in source for source in sources)


@pytest.mark.usefixtures("no_torch")
def test_set_up_twice_is_set_up_once(tmp_path):
    set_up_again = new_code_cell(f"{set_up.CELL}\nlen(get_ipython().ast_transformers)")
    cells = [set_up_again, new_code_cell("print(len(get_ipython().ast_transformers))")]
    assert run(cells, tmp_path)[-1] == "1\n"


def test_nothing_is_passed_by_where_torch_is():
    pytest.importorskip("torch")
    cells = [new_code_cell("import torch\nprint('here', len(get_ipython().ast_transformers))")]
    assert run(cells, ROOT)[-1] == "here 0\n"


def test_outside_of_a_notebook_nothing_happens(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.setattr(sys, "modules", {k: m for k, m in sys.modules.items() if k != "IPython"})
    notebook.set_up()


def test_missing_numpy_is_named(monkeypatch):
    monkeypatch.setattr(notebook, "NEEDED", ("sys", "no_such_module"))
    with pytest.raises(ImportError, match="no_such_module cannot be found: .*make lab"):
        notebook.set_up()


# ---------- the first cell ----------


@pytest.mark.parametrize("other", [{}, {"helpers/__init__.py": "version = 1"}])
def test_missing_or_other_module_of_the_name_is_explained(tmp_path, other):
    for name, text in other.items():
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text(text)
    done = subprocess.run(
        [sys.executable, "-S", "-c", set_up.CELL],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("ImportError: This notebook runs on the book's own module `helpers`")
    assert "make lab" in last and "pip uninstall helpers" in last
    assert "pip install helpers" not in last


def test_set_up_cell_is_put_in_once_behind_the_opening_words():
    first = new_code_cell("1 + 1", execution_count=1)
    first.outputs = [nbformat.v4.new_output("execute_result", execution_count=1, data={})]
    book = new_notebook(cells=[new_markdown_cell("# Title"), new_markdown_cell("Words"), first])
    assert set_up.refresh(book)
    assert [c.cell_type for c in book.cells] == ["markdown", "markdown", "code", "code"]
    assert book.cells[2].source == set_up.CELL and book.cells[2].metadata.tags == ["remove-cell"]
    assert [c.execution_count for c in book.cells[2:]] == [1, 2]
    assert book.cells[3].outputs[0].execution_count == 2
    nbformat.validate(book)
    assert not set_up.refresh(book)


@pytest.mark.parametrize("fault", ["source", "tags", "place", "twice"])
def test_set_up_cell_that_went_wrong_is_mended(fault):
    book = new_notebook(cells=[new_markdown_cell("# Title"), new_code_cell("1 + 1")])
    set_up.refresh(book)
    good = [cell.source for cell in book.cells]
    if fault == "source":
        book.cells[1].source = set_up.CELL.replace("make lab", "make it")
    elif fault == "tags":
        book.cells[1].metadata.tags = []
    elif fault == "place":
        book.cells.append(book.cells.pop(1))
    else:
        book.cells.append(new_code_cell(set_up.CELL))
    assert set_up.refresh(book)
    assert [cell.source for cell in book.cells] == good
    assert book.cells[1].metadata.tags == ["remove-cell"]
    assert not set_up.refresh(book)
