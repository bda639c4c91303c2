"""Docstrings of installed packages: a body, and the line that sums it up.

A docstring of scientific Python begins with a summary line; paragraphs follow. So a program can
read thousands of pairs, text and summary, written by people who did not know that they would serve
as data. The source files of pinned packages with permissive licences are parsed, none is imported.

A file belongs to one part only (train, valid or test), drawn by the hash of its path, so that
near-copies which stand in one file do not leak.
"""

import ast
import re
from functools import cache
from hashlib import sha1
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..checks import check_sizes
from ..text import MARKS, UNK, Vocabulary
from .corpora import package_folder

# All BSD, MIT, Apache 2.0 or the like; their files stay where they are.
PACKAGES = (
    "numpy", "scipy", "sklearn", "statsmodels", "pandas", "matplotlib", "sktime", "music21",
    "sqlalchemy", "IPython", "nltk", "sphinx",
)  # fmt: skip
PARTS = ("train", "valid", "test")
SUMMARY = (3, 20)  # words that a summary line may have
BODY = (15, 100)  # words that a body must have, and how many of them are read
SHINGLE = 8  # words in a row that make two bodies near-copies
_SECTION = re.compile(  # a ruled heading, a heading with a colon, a field, or a doctest
    r"^\s*(?:[-=~^]{3,}\s*$|:(?:param|return|rtype|type)|>>>"
    r"|(?:args|arguments|parameters|params|returns?|raises|yields|examples?|attributes)\s*:\s*$)",
    re.IGNORECASE,
)


class Pair(NamedTuple):
    """The body's text, the summary line, and where the docstring stands."""

    body: str
    summary: str
    name: str
    package: str


def words(text: str) -> list:
    """Lower-case words and numbers, full stops and commas; all other marks are dropped."""
    return re.findall(r"[a-z0-9]+|[.,]", text.lower())


def summary_words(text: str) -> list:
    """Lower-case words and numbers only: what ROUGE compares."""
    return re.findall(r"[a-z0-9]+", text.lower())


def sentences(text: str) -> list:
    """The sentences of a text, cut behind a full stop, question mark or colon and a space."""
    return [s for s in re.split(r"(?<=[.!?:])\s+", text.strip()) if summary_words(s)]


def split_docstring(docstring: str):
    """(body, summary) of a docstring: the prose between its summary and its first section.

    Doctests and directives (`.. note::`) are left out, and the markup of roles and literals.
    Returns None if there is no prose or the lengths are outside `BODY` and `SUMMARY`.
    """
    head, *paragraphs = re.split(r"\n\s*\n", docstring.strip())
    prose = []
    for paragraph in paragraphs:
        lines = paragraph.splitlines()
        if any(_SECTION.match(line) for line in lines[:2]):
            break
        if not lines[0].lstrip().startswith(("..", "+", "|")):
            prose.append(" ".join(paragraph.split()))
    body, summary = (_without_markup(text) for text in (" ".join(prose), " ".join(head.split())))
    fits = SUMMARY[0] <= len(summary_words(summary)) <= SUMMARY[1]
    return (body, summary) if fits and len(summary_words(body)) >= BODY[0] else None


def _without_markup(text: str) -> str:
    """:class:`~pandas.Series` → Series, ``x`` → x, [1]_ → nothing."""
    text = re.sub(r":[a-z:]+:`(?:~[^`]*\.)?([^`<]*)(?:<[^`]*>)?`", r"\1", text)
    return re.sub(r"\[\d+\]_|`", "", text).strip()


def part_of(path: str) -> str:
    """To which part a file belongs: 80 : 10 : 10 by a hash of its path, the same everywhere."""
    number = int(sha1(path.encode()).hexdigest(), 16) % 10
    return {0: "test", 1: "valid"}.get(number, "train")


def read_file(path: Path, package: str) -> list:
    """The pairs of one source file; none of a file that does not parse."""
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except (SyntaxError, UnicodeError, ValueError):
        return []
    kinds, found = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef), []
    for node in ast.walk(tree):
        docstring = ast.get_docstring(node) if isinstance(node, kinds) else None
        pair = split_docstring(docstring) if docstring else None
        if pair is not None:
            found.append(Pair(*pair, node.name, package))
    return found


@cache
def raw_part(part: str) -> tuple:
    """All pairs of a part in the order of packages and paths, copies left out.

    A body or a summary line that stood in an earlier pair of this part is a copy.
    Raises: ImportError that names the package to install; ValueError for an unknown part.
    """
    if part not in PARTS:
        raise ValueError(f"part must be one of {PARTS}, got {part!r}")
    found, seen = [], set()
    for package in PACKAGES:
        root = package_folder(package, "docstrings.raw_part()")
        for path in sorted(root.rglob("*.py"), key=lambda p: p.as_posix()):
            name = f"{package}/{path.relative_to(root).as_posix()}"
            if "/tests/" in name or "/test/" in name or part_of(name) != part:
                continue
            for pair in read_file(path, package):
                keys = {" ".join(summary_words(t)) for t in (pair.body, pair.summary)}
                if not keys & seen:
                    found.append(pair)
                seen |= keys
    return tuple(found)


def shingles(text: str, n: int = SHINGLE) -> set:
    """All runs of n words.

    Raises: ValueError if n is not a positive integer.
    """
    check_sizes(n=n)
    found = summary_words(text)
    return {tuple(found[i : i + n]) for i in range(len(found) - n + 1)}


@cache
def pairs(part: str) -> tuple:
    """The pairs of a part which share no summary, and no run of words, with a part behind it.

    The test part stays whole; the validation part gives way to it, and the training part to both.
    Raises: as `raw_part`.
    """
    found = raw_part(part)
    for other in PARTS[PARTS.index(part) + 1 :]:
        behind = raw_part(other)
        taken = set().union(*(shingles(p.body) | shingles(p.summary) for p in behind))
        known = {" ".join(summary_words(p.summary)) for p in behind}
        found = [
            p for p in found
            if " ".join(summary_words(p.summary)) not in known
            and not (shingles(p.body) | shingles(p.summary)) & taken
        ]  # fmt: skip
    return tuple(found)


def vocabulary(found, size: int) -> Vocabulary:
    """The two marks of a target, <unk>, and the most frequent words of bodies and summaries.

    Raises: ValueError if size is not a positive integer.
    """
    check_sizes(size=size)
    counts = {}
    for pair in found:
        for word in words(pair.body)[: BODY[1]] + 2 * summary_words(pair.summary):
            counts[word] = counts.get(word, 0) + 1
    ranked = sorted(counts, key=lambda w: (-counts[w], w))
    return Vocabulary((*MARKS, UNK, *sorted(ranked[: max(1, size - 3)])))


# --- Scores -------------------------------------------------------------------------------------

ROUGES = ("rouge1", "rouge2", "rougeL")


def rouge(references, answers) -> np.ndarray:
    """ROUGE-1, ROUGE-2 and ROUGE-L of each answer against its reference: F1 values (N, 3).

    Of how many words (1), pairs of neighbours (2), or words in the order of the longest common
    subsequence (L) do the two agree? F1 is the harmonic mean of the share of the answer and the
    share of the reference. Computed by the package rouge-score, without stemming.
    Raises: ValueError if the numbers of references and answers differ; ImportError that names the
    package to install.
    Source: Lin (2004).
    """
    if len(references) != len(answers):
        raise ValueError(f"there are {len(references)} references, but {len(answers)} answers")
    package_folder("rouge_score", "docstrings.rouge()")
    from rouge_score import rouge_scorer

    scorer = rouge_scorer.RougeScorer(ROUGES)
    scores = (scorer.score(a, b) for a, b in zip(references, answers))
    return np.array([[s[name].fmeasure for name in ROUGES] for s in scores])


def interval(values: np.ndarray, n: int = 1000, seed: int = 0) -> np.ndarray:
    """From where to where 95 % of the means lie if the pairs are drawn anew: (2, …), a bootstrap.

    values: (N, …), a score for each pair.
    Raises: ValueError if n is not a positive integer or there are no values.
    """
    check_sizes(n=n)
    if len(values) == 0:
        raise ValueError("values is empty: there is nothing to draw from")
    rng = np.random.default_rng(seed)
    means = [values[rng.integers(0, len(values), len(values))].mean(axis=0) for _ in range(n)]
    return np.quantile(means, [0.025, 0.975], axis=0)
