r"""Program text and scientific prose, from the source files of installed packages.

`code` is the Python of scikit-learn without its docstrings; `prose` are the docstrings of SciPy,
scikit-learn and statsmodels that hold a formula or a list of references. The packages are pinned,
under the 3-clause BSD licence. Whole sub-packages and modules are held out, so that no text is
scored whose siblings were read in training.

What a text is worth is measured here, too: where a scanner stands at each character (brackets,
strings, indentation), which lines tokenise, which blocks compile, which formulas parse.
"""

import ast
import io
import re
import tokenize
import unicodedata
import warnings
from functools import cache
from typing import NamedTuple

import numpy as np

from ..text import Split
from .corpora import package_folder

# Sub-packages (or modules) that are held out, named before anything was trained.
VALID = {
    "sklearn": {"feature_selection", "semi_supervised", "naive_bayes", "isotonic"},
    "statsmodels": {"duration", "distributions", "imputation"},
    "scipy": set(),
}
TEST = {
    "sklearn": {"neighbors", "svm", "mixture", "tree", "kernel_approximation"},
    "statsmodels": {"multivariate", "nonparametric", "robust", "gam"},
    "scipy": set(),  # its version depends on that of Python: it is read, but never scored
}
# Tests, other people's code under other licences, and what is made by a machine.
LEFT_OUT = {"tests", "externals", "_build_utils", "compat", "sandbox", "conftest.py", "_version.py"}
LICENCE_LINES = re.compile(r"^# (Authors?:|SPDX-|License:|         ).*\n", re.MULTILINE)


# --- The two texts ------------------------------------------------------------------------------


@cache
def code() -> Split:
    """The Python code of scikit-learn, docstrings taken out: about 3 million ASCII characters.

    Comments stay. Where nothing but a docstring was the body of a function, `pass` stands. Files
    come in the order of their names, with three line ends between them.
    Raises: ImportError that names the package to install.
    Source: scikit-learn (BSD-3-Clause); sub-packages `VALID` and `TEST` are held out.
    """
    parts = ([], [], [])
    for part, source in _files("sklearn", needed_by="source_code.code()"):
        plain = without_docstrings(source)
        if len(plain) > 200:  # a file of imports only teaches nothing
            parts[part].append(plain)
    return Split(*("\n\n\n".join(files) + "\n" for files in parts))


@cache
def prose() -> Split:
    r"""Docstrings with a formula or references, of SciPy, scikit-learn and statsmodels, in ASCII.

    A docstring is taken if it holds `:math:`, `.. math::` or a reference `.. [1]`. Indentation
    that all its lines share is removed; each is followed by a line of ten tildes. A docstring that
    equals an earlier one is dropped.
    Raises: ImportError that names the package to install.
    Source: SciPy, scikit-learn, statsmodels (BSD-3-Clause); `VALID` and `TEST` are held out. SciPy
    is for training only, because its version depends on that of Python.
    """
    parts, seen = ([], [], []), set()
    order = (2, 1, 0)  # a docstring that stands in two parts is kept where it is scored
    packages = ("scipy", "sklearn", "statsmodels")
    files = [file for p in packages for file in _files(p, "source_code.prose()")]
    files = [
        (part, source) for part, source in files if SCIENTIFIC.search(source)
    ]  # speed: parse less
    for wanted in order:
        for part, source in files:
            if part != wanted:
                continue
            for docstring in docstrings(source):
                text = _tidy(docstring)
                if SCIENTIFIC.search(text) and text not in seen:
                    seen.add(text)
                    parts[part].append(text)
    return Split(*("".join(f"{text}\n{END_OF_TEXT}\n" for text in texts) for texts in parts))


SCIENTIFIC = re.compile(r":math:|\.\. math::|^[ ]*\.\. \[", re.M)
END_OF_TEXT = "~" * 10


def _files(package, needed_by):
    """(0, 1 or 2 for train, valid or test; source) of every file of a package, in one order."""
    folder = package_folder(package, needed_by)
    for path in sorted(folder.rglob("*.py"), key=lambda path: path.as_posix()):
        parts = path.relative_to(folder).parts
        if not LEFT_OUT & set(parts):
            first = parts[0].removesuffix(".py")
            part = 2 if first in TEST[package] else 1 if first in VALID[package] else 0
            yield part, to_ascii(path.read_text(encoding="utf-8"))


def to_ascii(text: str) -> str:
    """Accents and ligatures taken apart, what else is not ASCII left out, tabs made spaces."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode("ascii")
    return plain.replace("\r\n", "\n").expandtabs(4)


def _tidy(text):
    """No spaces at line ends, at most two empty lines in a row."""
    text = re.sub(r"[ \t]+$", "", text, flags=re.M)
    return re.sub(r"\n{4,}", "\n\n\n", text).strip("\n")


def _docstring_nodes(source):
    """(the docstring's node, whether its owner has no other body) for every docstring of a file."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)  # "\d" in somebody's docstring
        tree = ast.parse(source)
    for node in ast.walk(tree):
        owner = isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef))
        if owner and ast.get_docstring(node, clean=False) is not None:
            yield node.body[0], len(node.body) == 1 and not isinstance(node, ast.Module)


def docstrings(source: str) -> list:
    """The docstrings of a file, in order, without the indentation that their lines share.

    Raises: SyntaxError if the source does not compile.
    """
    nodes = sorted((node for node, _ in _docstring_nodes(source)), key=lambda node: node.lineno)
    return [_dedent(node.value.value) for node in nodes]


def _dedent(text):
    """As inspect.cleandoc does it: the first line has no indentation, the others share theirs."""
    lines = text.expandtabs().split("\n")
    margin = min((len(x) - len(x.lstrip()) for x in lines[1:] if x.strip()), default=0)
    return "\n".join([lines[0].lstrip(), *(line[margin:] for line in lines[1:])])


def without_docstrings(source: str) -> str:
    """The code of a file: no docstrings, no lines of authors and licences, spaces tidied.

    Raises: SyntaxError if the source does not compile.
    """
    lines = source.split("\n")
    for node, alone in _docstring_nodes(source):
        indent = " " * node.col_offset
        first, last = node.lineno - 1, node.end_lineno - 1
        if lines[first][: node.col_offset].strip():  # class C: "docstring" on one line
            continue
        lines[first : last + 1] = [f"{indent}pass" if alone else None] + [None] * (last - first)
    plain = "\n".join(line for line in lines if line is not None)
    return _tidy(LICENCE_LINES.sub("", plain))


# --- Where a reader of code stands --------------------------------------------------------------


class Scan(NamedTuple):
    """After each character of a text: open brackets, inside a string, inside a comment, indent.

    depth: (N,) number of open brackets; string, comment: (N,) bool; indent: (N,) spaces at the
    beginning of the line so far; wrong: how many closing brackets did not fit what was open;
    opened: how many brackets were opened; unclosed: how many of them are open at the end.
    """

    depth: np.ndarray
    string: np.ndarray
    comment: np.ndarray
    indent: np.ndarray
    wrong: int
    opened: int
    unclosed: int


PAIRS = {")": "(", "]": "[", "}": "{"}


def scan(text: str) -> Scan:
    """Read Python text character by character, as a tokeniser does.

    A string that is not tripled ends with its line, whether its quote came or not; a closing
    bracket that does not fit is counted and passed over. An f-string is a string to its end.
    """
    depth, string, comment, indent = (np.zeros(len(text), int) for _ in range(4))
    open_brackets, quote, in_comment, spaces, leading = [], "", False, 0, True
    wrong = opened = skip = 0
    for i, c in enumerate(text):
        if skip:  # the rest of a tripled quote, or an escaped character
            skip -= 1
        elif quote:
            if c == "\\":
                skip = 1
            elif text.startswith(quote, i) or (c == "\n" and len(quote) == 1):
                skip, quote = len(quote) - 1, ""
        elif in_comment:
            in_comment = c != "\n"
        elif c in "\"'":
            quote = c * 3 if text.startswith(c * 3, i) else c
            skip = len(quote) - 1
        elif c == "#":
            in_comment = True
        elif c in "([{":
            open_brackets.append(c)
            opened += 1
        elif c in PAIRS:
            if open_brackets and open_brackets[-1] == PAIRS[c]:
                open_brackets.pop()
            else:
                wrong += 1
        if c == "\n":
            spaces, leading = 0, True
        elif leading and c == " ":
            spaces += 1
        else:
            leading = False
        depth[i], string[i], comment[i], indent[i] = (
            len(open_brackets), bool(quote), in_comment, spaces,
        )  # fmt: skip
    return Scan(
        depth, string.astype(bool), comment.astype(bool), indent, wrong, opened, len(open_brackets)
    )


# --- What of it is Python -----------------------------------------------------------------------


def tokenises(line: str) -> bool:
    """Whether Python's tokeniser reads a line to its end.

    A bracket or a tripled string that the line leaves open is no fault, for the next line may close
    it, nor is a closing bracket whose partner stands on a line before.
    """
    line = line.strip()
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(line + "\n").readline))
    except tokenize.TokenError as error:
        return "multi-line" in str(error) or "unmatched" in str(error)
    except SyntaxError as error:
        return "unmatched" in str(error)
    # Python 3.11 calls a sign that it does not know (such as ?) an error, 3.12 an operator.
    return not any(
        (t.type == tokenize.ERRORTOKEN and not t.string.isspace())
        or (t.type == tokenize.OP and t.string not in tokenize.EXACT_TOKEN_TYPES)
        for t in tokens
    )


def compiles(text: str) -> bool:
    """Whether Python's parser accepts the text. It is parsed, not run."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)
            ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def first_block(text: str) -> str | None:
    """The function or class that a text begins with: up to the next line that is not indented.

    A line that begins with a closing bracket still belongs to it, as a decorator's own line would
    not. None if the text ends before the block does.
    """
    at = 0
    lines = text.split("\n")
    for number, line in enumerate(lines[:-1]):  # the last line may have been cut
        inside = number == 0 or not line or line[0] in " #)]}"
        if not inside:
            return text[:at].rstrip() + "\n"
        at += len(line) + 1
    return None


# --- What of it is markup -----------------------------------------------------------------------

ROLE = re.compile(r":math:`((?:[^`\n]|\n(?![ ]*\n))*)`")  # not over an empty line
DIRECTIVE = re.compile(r"^([ ]*)\.\. math::[ ]*([^\n]*)\n((?:[ ]*\n|\1[ ]+[^\n]*\n)*)", re.M)
OPENED = re.compile(r":math:`|^[ ]*\.\. math::", re.M)
REFERENCE = re.compile(r"^([ ]*)\.\. \[([^\]\n]*)\][ ]*([^\n]*(?:\n\1[ ]+[^\n]+)*)", re.M)


def formulas(text: str) -> list:
    r"""The LaTeX of every formula of a docstring: of :math:`…` and of `.. math::` blocks."""
    found = [m.group(1) for m in ROLE.finditer(text)]
    for match in DIRECTIVE.finditer(text):
        lines = [match.group(2), *match.group(3).split("\n")]
        lines = [line for line in lines if not re.match(r"\s*:\w+:", line)]  # :label: and so on
        found.append(" ".join(" ".join(lines).split()))
    return [formula.strip() for formula in found]


def balanced(formula: str) -> bool:
    r"""Whether its braces close in order, and every \left has its \right, every \begin its \end."""
    depth, escaped = 0, False
    for c in formula:
        if escaped:
            escaped = False
        elif c == "\\":
            escaped = True
        elif c == "{":
            depth += 1
        elif c == "}":
            depth -= 1
            if depth < 0:
                return False
    lefts, rights = (len(re.findall(rf"\\{word}(?![a-z])", formula)) for word in ("left", "right"))
    begins, ends = (re.findall(rf"\\{word}\{{(\w+\*?)\}}", formula) for word in ("begin", "end"))
    return depth == 0 and lefts == rights and sorted(begins) == sorted(ends)


def references(text: str) -> list:
    """(label, text) of every entry `.. [label] text` of a docstring, in order."""
    return [(m.group(2), " ".join(m.group(3).split())) for m in REFERENCE.finditer(text)]


def well_formed_list(entries: list) -> bool:
    """Whether a list of references is one: labels all different, numbers rising from 1, and in
    every entry a year or a web address.

    entries: of `references`. An empty list is none.
    """
    labels = [label for label, _ in entries]
    numbers = [int(label) for label in labels if label.isdecimal()]
    dated = all(re.search(r"\b(1[5-9]|20)\d\d\b|https?://\w", text) for _, text in entries)
    rising = numbers == list(range(1, len(numbers) + 1))
    return bool(entries) and len(set(labels)) == len(labels) and rising and dated
