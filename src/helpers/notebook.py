"""The set-up of every notebook: what to do if something that it needs is missing.

Without PyTorch a notebook runs, too: cells that need it are passed by with a sentence, and all
others, the solutions of the exercises among them, run as they do with it.
"""

import ast
import sys
from importlib.util import find_spec

NEEDED = ("numpy", "matplotlib")
TORCH_CELLS = ("torch", "helpers.torch_parity", "helpers.torch_seq2seq", "against_torch")


def set_up() -> None:
    """Look for what the notebook needs; without PyTorch, have the cells that need it passed by.

    Outside of a notebook nothing is passed by.
    Raises: ImportError that says what to install if NumPy or matplotlib is missing.
    """
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise ImportError(
            f"{' and '.join(missing)} cannot be found: in the book's folder run `make lab`, or "
            "`pip install -e .` in the Python that runs this notebook"
        )
    if find_spec("torch") is not None or "IPython" not in sys.modules:
        return
    shell = sys.modules["IPython"].get_ipython()
    if shell is not None:
        others = [t for t in shell.ast_transformers if type(t).__name__ != PassTorchBy.__name__]
        shell.ast_transformers[:] = [*others, PassTorchBy()]


class PassTorchBy:
    """Replaces a cell by one printed sentence if it imports torch, or reads a name that is lost.

    A name is lost if the cell that would have made it was passed by, until another cell makes it.
    IPython calls `visit` with the syntax tree of each cell before it runs.
    """

    def __init__(self):
        self.lost = set()

    def visit(self, cell: ast.Module) -> ast.Module:
        names = Names()
        names.visit(cell)
        needed = sorted(names.read & self.lost)
        if not names.torch and not needed:
            self.lost -= names.made
            return cell
        self.lost |= names.made
        torch = names.torch or "torch" in needed
        why = "PyTorch, which is not installed" if torch else f"`{needed[0]}`, made with PyTorch"
        sentence = f"This cell is passed by, because it needs {why}."
        return ast.parse(f"print({sentence!r})")


class Names(ast.NodeVisitor):
    """In the order of evaluation: names that are read before they are made, and names made.

    torch is True if torch, or a module of this book that needs it, is imported.
    """

    def __init__(self):
        self.read, self.made, self.torch = set(), set(), False

    def visit_Name(self, node):
        if isinstance(node.ctx, ast.Store):
            self.made.add(node.id)
        elif node.id not in self.made:
            self.read.add(node.id)

    def visit_Import(self, node):
        self._imported(node, [alias.name for alias in node.names])

    def visit_ImportFrom(self, node):
        self._imported(node, [f"{node.module}.{alias.name}" for alias in node.names])

    def _imported(self, node, modules):
        dotted = tuple(f"{name}." for name in TORCH_CELLS)
        self.torch |= any(f"{module}.".startswith(dotted) for module in modules)
        self.made |= {(alias.asname or alias.name).split(".")[0] for alias in node.names}

    def visit_Assign(self, node):  # the value comes first, so does the sequence of a loop
        self._visit_all(node.value, *node.targets)

    def visit_AnnAssign(self, node):
        self._visit_all(node.annotation, node.value, node.target)

    def visit_AugAssign(self, node):
        if isinstance(node.target, ast.Name) and node.target.id not in self.made:
            self.read.add(node.target.id)
        self._visit_all(node.value, node.target)

    def visit_For(self, node):
        self._visit_all(node.iter, node.target, *node.body, *node.orelse)

    def visit_comprehension(self, node):
        self._visit_all(node.iter, node.target, *node.ifs)

    def visit_FunctionDef(self, node):
        self._visit_all(*node.decorator_list, *node.args.defaults, *node.args.kw_defaults)
        self.made.add(node.name)
        self._visit_inner(node.args, *node.body)

    def visit_Lambda(self, node):
        self._visit_all(*node.args.defaults, *node.args.kw_defaults)
        self._visit_inner(node.args, node.body)

    def visit_ClassDef(self, node):
        self._visit_all(*node.decorator_list, *node.bases)
        self.made.add(node.name)
        self._visit_inner(*node.body)

    def visit_ListComp(self, node):
        self._visit_inner(*node.generators, node.elt)

    visit_SetComp = visit_GeneratorExp = visit_ListComp

    def visit_DictComp(self, node):
        self._visit_inner(*node.generators, node.key, node.value)

    def _visit_all(self, *nodes):
        for node in nodes:
            if node is not None:
                self.visit(node)

    def _visit_inner(self, *nodes):
        """A scope of its own: what it makes stays inside, what it reads may come from outside."""
        inner = Names()
        arguments = [n for node in nodes for n in ast.walk(node) if isinstance(n, ast.arg)]
        inner.made = {argument.arg for argument in arguments}
        inner._visit_all(*nodes)
        self.read |= inner.read - self.made
        self.torch |= inner.torch
