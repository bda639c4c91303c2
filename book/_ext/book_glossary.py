"""The first use of each word of the glossary, on every page of a notebook, is a link to its entry.

The notebooks themselves stay free of markup for it: in JupyterLab, VS Code or Colab a {term} role
would be noise. A link is set in running text only, not in headings, captions, code, links, tables,
or the options of a question. Plurals count, and so does a hyphen in place of a space.

A few words of the glossary have an everyday sense as well ("run the cell", "stack the matrices").
They are in SENSE: such a word is linked only where the words around it tell that it is meant.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx

GLOSSARY = "book/glossary"

# What must stand before the word, and what after it, as regular expressions that take up no text.
ARTICLE = r"(?:(?<=\b[Aa] )|(?<=\b[Aa]n )|(?<=\b[Tt]he )|(?<=\bfor ))"
SENSE = {
    "candidate": ("", r"(?<!s)(?! extends)"),  # of a cell; those of a search are several
    "cell": (r"(?<!run the )(?<!this )(?<!every )(?<!code )", r"(?! (?:below|above))"),
    "decoder": (r"(?<!did the )", ""),  # of a telegraph
    "hypothesis": (r"(?<![Tt]he )(?=h)", ""),  # of a search, not of science
    "mask": (r"(?<!You )", r"(?! (?:multiply|should|every|symbols))"),
    "smoothing": (r"(?<![Ll]abel )", ""),
    "span": (ARTICLE, ""),
    "stack": (ARTICLE, r"(?! of )"),
}

# Pages on which a word has another sense throughout: the weather is warm, a folk tune was encoded.
ELSEWHERE = {
    "notebooks/04_outputs": {"belief"},
    "notebooks/28_code": {"scan"},
    "notebooks/29_music": {"encoder"},
    "notebooks/33_forecasting": {"smoothing", "state space", "temperature"},
}

# Elements whose text is not running text, by a part of their names.
SKIPPED = ("title", "caption", "literal", "reference", "rubric", "math", "table", "raw", "term")


class Entry(NamedTuple):
    term: str  # as the glossary has it
    pattern: re.Pattern
    anchor: str


# ---------- words ----------


def names(term: str) -> list[str]:
    """ "error rate (ER), hit" → "error rate", "ER", "hit"."""
    parts = [re.fullmatch(r"(.+?)(?: \((.+)\))?", part) for part in term.split(", ")]
    return [name for part in parts for name in part.groups() if name]


def with_plural(name: str) -> str:
    """A regular expression for a name in singular and plural, in any case unless an acronym."""
    spaced = r"[\s-]".join(map(re.escape, name.split()))
    if re.search(r"[^aeiou]y$", name):
        ending = f"{spaced[:-1]}(?:y|ies)"
    elif re.search(r"(?:s|x|ch|sh)$", name):
        ending = f"{spaced}(?:es)?"
    else:
        ending = f"{spaced}s?"
    return ending if name.isupper() else f"(?i:{ending})"


def pattern(term: str) -> re.Pattern:
    words = "|".join(map(with_plural, names(term)))
    before, after = SENSE.get(term, ("", ""))
    return re.compile(rf"{before}(?<![\w-])(?:{words})(?![\w-]){after}")


def entries(app: Sphinx) -> list[Entry]:
    """All entries, longer ones first: "cell state" is to be found before "cell"."""
    objects = app.env.get_domain("std").objects
    found = [
        Entry(name, pattern(name), anchor)
        for (kind, name), (document, anchor) in objects.items()
        if kind == "term" and document == GLOSSARY
    ]
    return sorted(found, key=lambda entry: -len(entry.term))


# ---------- a page ----------


def running_text(node: nodes.Node, inside: bool = False) -> Iterator[nodes.Text]:
    """All text below a node that a reader reads line by line."""
    if isinstance(node, nodes.Text):
        if inside:
            yield node
        return
    if any(word in type(node).__name__ for word in SKIPPED):
        return
    for child in node.children:
        yield from running_text(child, inside or isinstance(node, nodes.paragraph))


def find_links(text: str, wanted: dict[str, Entry]) -> list[tuple[int, int, Entry]]:
    """(start, end, entry) of the first use of each wanted entry that no longer one lies over."""
    found, taken = [], set()
    for entry in wanted.values():
        for match in entry.pattern.finditer(text):
            span = range(match.start(), match.end())
            if not taken.intersection(span):
                found.append((match.start(), match.end(), entry))
                taken.update(span)
                break
    return sorted(found, key=lambda link: link[0])


def link(entry: Entry, text: str, address: str) -> nodes.reference:
    return nodes.reference(
        text,
        text,
        internal=True,
        refuri=f"{address}#{entry.anchor}",
        classes=["glossary-term"],
        reftitle=f"Glossary: {entry.term}",
    )


def link_terms(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    if not docname.startswith("notebooks/") or app.builder.format != "html":
        return
    other = ELSEWHERE.get(docname, ())
    wanted = {entry.term: entry for entry in entries(app) if entry.term not in other}
    address = app.builder.get_relative_uri(docname, GLOSSARY)
    for node in list(running_text(doctree)):
        text, pieces, done = str(node), [], 0
        for start, end, entry in find_links(text, wanted):
            pieces += [nodes.Text(text[done:start]), link(entry, text[start:end], address)]
            done = end
            del wanted[entry.term]
        if pieces:
            node.parent.replace(node, [*pieces, nodes.Text(text[done:])])


def list_the_index(app: Sphinx, doctree: nodes.document) -> None:
    """Put the index behind the glossary. _toc.yml may name no page that Sphinx itself writes."""
    for tree in doctree.findall(addnodes.toctree):
        if GLOSSARY in tree["includefiles"]:
            tree["entries"].append(("Index", "genindex"))


def setup(app: Sphinx) -> dict:
    app.connect("doctree-read", list_the_index, priority=990)  # _toc.yml has been read by then
    app.connect("doctree-resolved", link_terms, priority=900)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
