"""Real sentences: what a program says, in English, French and Chinese.

    Restore the previous session.      Restaurer la session précédente.      恢复上一个会话。

The language packs of JupyterLab are translation catalogues that volunteers wrote: short texts of
buttons, menus, settings and messages. A catalogue is a file in the format .mo of GNU gettext; it is
read here as bytes, and no code of a package is run.

What is done to the texts is little, and all of it is counted (`parallel`): line ends and runs of
spaces become one space, three dots become one sign, and the places that a program fills in, which
are written in five ways, are numbered: %1, %2, … in the order of the source.
"""

import re
import struct
import zlib
from functools import cache
from pathlib import Path
from typing import NamedTuple

from ..text import Split, clean
from .corpora import package_folder

PACKS = {"fr": "fr_FR", "zh": "zh_CN"}
MOST = 200  # characters of a source: longer ones are descriptions of settings, several sentences

# --- Catalogues ---------------------------------------------------------------------------------


def read_mo(path) -> list:
    r"""A gettext catalogue: (source, translation) pairs, in the order of the file.

    The file begins with seven 32-bit integers: a magic number that tells the order of bytes, a
    version, the number N of strings, and where the two tables of N (length, place) entries begin.
    A context before the source ends in \x04 and is dropped. Of a plural, "one\0many", both forms
    are pairs: the first with the first form of the translation, the second with the last.
    Source: the GNU gettext manual, section "The Format of GNU MO Files".
    Raises: ValueError if the file is no catalogue or cut short.
    """
    path = Path(path)
    data = path.read_bytes()
    order = {b"\xde\x12\x04\x95": "<", b"\x95\x04\x12\xde": ">"}.get(data[:4])
    if order is None:
        raise ValueError(f"{path.name} is no gettext catalogue: it begins with {data[:4]!r}")
    try:
        _, N, sources, targets = struct.unpack_from(f"{order}4I", data, 4)
        tables = [struct.unpack_from(f"{order}{2 * N}I", data, at) for at in (sources, targets)]
        strings = [
            [_string(data, table[2 * i], table[2 * i + 1]) for i in range(N)] for table in tables
        ]
    except (struct.error, UnicodeDecodeError, IndexError) as error:
        raise ValueError(f"{path.name} is cut short or damaged: {error}") from error
    pairs = []
    for source, target in zip(*strings):
        one, *many = source.split("\x04")[-1].split("\0")
        forms = target.split("\0")
        pairs.append((one, forms[0]))
        if many:
            pairs.append((many[0], forms[-1]))
    return [(source, target) for source, target in pairs if source and target]


def _string(data: bytes, length: int, place: int) -> str:
    """The text of so many bytes at a place of the file."""
    if place + length > len(data):
        raise IndexError(f"a string ends at byte {place + length} of {len(data)}")
    return data[place : place + length].decode("utf-8")


# --- Cleaning -----------------------------------------------------------------------------------

PLACE = re.compile(r"%\(\w+\)[sdrif]|%[sdrif](?!\w)|%\d|\{\{.*?\}\}|\{\w*\}")
TAG = re.compile(r"</?[a-zA-Z][^>]*>")
ADDRESS = re.compile(r"https?://|www\.")


def plain(text: str) -> str:
    """One line, single spaces, NFC; "..." is "…"; typographic apostrophes are straight."""
    text = clean(text).replace("...", "…").replace("’", "'")
    return re.sub(r"\s+", " ", text).strip()


def number_places(source: str, target: str):
    """Both texts with their places numbered by the source, or None if the places differ.

    '{user} said {what}', '{what}, dit {user}' → '%1 said %2', '%2, dit %1'. Places without a name
    (%s, {}) are told apart by their order.
    """
    found = [_named(text) for text in (source, target)]
    if sorted(found[0]) != sorted(found[1]):
        return None
    number = {name: f"%{i}" for i, name in enumerate(dict.fromkeys(found[0]), 1)}
    return tuple(
        _replace(text, [number[name] for name in names])
        for text, names in zip((source, target), found)
    )


def _named(text: str) -> list:
    """The places of a text, those without a name numbered: ['%s', '%s'] → ['%s0', '%s1']."""
    names, seen = [], 0
    for place in PLACE.findall(text):
        if place in ("%s", "%d", "%r", "%i", "%f", "{}"):
            place, seen = f"{place}{seen}", seen + 1
        names.append(place)
    return names


def _replace(text: str, marks: list) -> str:
    """The text with its places replaced, from left to right."""
    left = iter(marks)
    return PLACE.sub(lambda match: next(left), text)


def skeleton(text: str) -> str:
    """What two near-duplicates share: the letters and digits, in lower case.

    'Save As…' and 'save as' have the same skeleton; so have '%1 tags' and '%2 Tags:'.
    """
    letters = "".join(c for c in PLACE.sub("", text).lower() if c.isalnum())
    return letters or text


# --- Pairs --------------------------------------------------------------------------------------


class Pair(NamedTuple):
    """A text of the interface and its translation."""

    source: str
    target: str


class Parallel(NamedTuple):
    """The pairs that are kept, and how many were met, and left out and why."""

    pairs: tuple
    counts: dict


def tidy(raw) -> Parallel:
    """Clean pairs of texts, and leave out what cannot teach translation.

    Of a source that has several translations the first is kept. Left out: what has a tag of HTML
    or a web address, more than `MOST` characters, no letter, places that do not match, or a
    translation that is the source (names such as Lua, and what was left in English).
    """
    counts = dict.fromkeys(
        ("met", "tag or address", "long", "no letter", "places differ", "not translated",
         "met before", "kept"), 0,
    )  # fmt: skip
    kept = {}
    for source, target in raw:
        counts["met"] += 1
        source, target = plain(source), plain(target)
        numbered = number_places(source, target)
        if any(p.search(text) for p in (TAG, ADDRESS) for text in (source, target)):
            why = "tag or address"
        elif len(source) > MOST:
            why = "long"
        elif not any(c.isalpha() for c in PLACE.sub("", source)) or not target:
            why = "no letter"
        elif numbered is None:
            why = "places differ"
        elif numbered[0] == numbered[1]:
            why = "not translated"
        elif numbered[0] in kept:
            why = "met before"
        else:
            why, kept[numbered[0]] = "kept", numbered[1]
        counts[why] += 1
    return Parallel(tuple(Pair(*pair) for pair in kept.items()), counts)


def check_language(language: str) -> None:
    if language not in PACKS:
        raise ValueError(f"language must be one of {sorted(PACKS)}, got {language!r}")


@cache
def parallel(language: str = "fr") -> Parallel:
    """The texts of JupyterLab and its extensions, with their translations: "fr" or "zh".

    Sorted by source. Licence: BSD, Project Jupyter Contributors.
    Raises: ValueError for another language; ImportError that names the package to install.
    """
    check_language(language)
    pack = PACKS[language]
    package = package_folder(
        f"jupyterlab_language_pack_{pack}",
        f"parallel({language!r})",
        install=f"jupyterlab-language-pack-{pack.replace('_', '-')}",
    )
    paths = sorted((package / "locale" / pack / "LC_MESSAGES").glob("*.mo"), key=_jupyterlab_first)
    pairs, counts = tidy(pair for path in paths for pair in read_mo(path))
    return Parallel(tuple(sorted(pairs)), counts)


def _jupyterlab_first(path: Path):
    return path.stem != "jupyterlab", path.stem


def part_of(source: str) -> str:
    """ "train", "valid" or "test", told from the source's skeleton alone.

    So near-duplicates lie in one part, and the parts are the same for all languages.
    """
    number = zlib.crc32(skeleton(source).encode("utf-8")) % 20
    return "valid" if number < 2 else "test" if number < 5 else "train"


def split(language: str = "fr") -> Split:
    """Pairs to learn (three quarters), to choose by (a tenth) and to test on, see `part_of`.

    Raises: as `parallel`.
    """
    pairs = parallel(language).pairs
    return Split(*(tuple(p for p in pairs if part_of(p.source) == part) for part in Split._fields))


@cache
def other_program(language: str = "fr") -> Parallel:
    """What another program says: the catalogue of Sphinx, which makes books such as this one.

    Nothing is learned from it. Texts that JupyterLab has too (by `skeleton`) are left out.
    Licence: BSD, the Sphinx team.
    Raises: ValueError for another language; ImportError that names the package to install.
    """
    check_language(language)
    name = {"fr": "fr", "zh": "zh_CN"}[language]
    folder = package_folder("sphinx", f"other_program({language!r})")
    raw = read_mo(folder / "locale" / name / "LC_MESSAGES" / "sphinx.mo")
    pairs, counts = tidy(raw)
    known = {skeleton(pair.source) for pair in parallel(language).pairs}
    new = tuple(sorted(pair for pair in pairs if skeleton(pair.source) not in known))
    return Parallel(new, {**counts, "in JupyterLab too": len(pairs) - len(new)})
