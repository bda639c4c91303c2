r"""Folk tunes in ABC notation: read, brought into one form, parsed, and measured.

Three printed collections whose tunes are in the public domain ship with music21 as ABC files:
Aird's *Airs* (Glasgow, from 1782), Ryan's *Mammoth Collection* (Boston, 1883) and O'Neill's *Music
of Ireland* (Chicago, 1903). Volunteers encoded them; music21 passes them on "with the permission
of the encoders". (Its Essen collection is for non-commercial use and is not used.) The files are
read, nothing is imported.

The form that a network reads has a metre, a key, and the notes on one line:

    M:6/8
    K:G
    G|B2d^f2e|d2BA2B|…|]

Lengths count eighth notes (`B2` is a quarter, `B/` a sixteenth). Every sharp and flat is written
out at its note, for else the header would keep the tune in its key, and not the one who writes it.
"""

import re
from bisect import bisect_left
from fractions import Fraction
from functools import cache
from typing import NamedTuple

import numpy as np

from ..text import Split
from .corpora import package_folder

COLLECTIONS = {
    "airdsAirs": "Aird's Airs, from 1782",
    "ryansMammoth": "Ryan's Mammoth Collection, 1883",
    "oneills1850": "O'Neill's Music of Ireland, 1903",
}
METRES = {"C": "4/4", "C|": "2/2"}
FIFTHS = {"": 0, "m": -3, "dor": -2, "mix": -1, "lyd": 1, "phr": -4}
SHARPS = "FCGDAEB"  # the order in which a key signature takes them
SEMITONES = dict(zip("CDEFGAB", (0, 2, 4, 5, 7, 9, 11)))
EIGHTH = 96  # ticks, the unit of all lengths: an eighth note, and 1/8 or 1/3 of it, are whole
RUN = 20  # tunes that share this many intervals in a row are variants of one another


class Raw(NamedTuple):
    """A tune as it stands in its book: collection, number, title, all header fields, and body."""

    collection: str
    number: str
    title: str
    fields: dict
    body: str


class Note(NamedTuple):
    """pitch: in semitones, 60 is middle C, None for a rest; length: in ticks; tied to the next."""

    pitch: int | None
    length: int
    tied: bool = False


class Tune(NamedTuple):
    """A parsed tune. items: notes, and the marks that stand between bars, in order."""

    metre: str
    key: str
    items: tuple

    @property
    def notes(self) -> list:
        """The notes and rests, without the marks."""
        return [item for item in self.items if isinstance(item, Note)]


# --- From the books to one form -----------------------------------------------------------------


@cache
def books() -> tuple:
    """Every tune of the three collections, as `Raw`, in the order of the files.

    Raises: ImportError that names the package to install.
    """
    folder = package_folder("music21", "tunes.books()") / "corpus"
    found = []
    for collection in COLLECTIONS:
        for path in sorted((folder / collection).glob("*.abc")):
            text = path.read_text(encoding="utf-8", errors="replace").replace("\r", "")
            for part in re.split(r"^(?=X:)", text, flags=re.M)[1:]:
                found.append(_raw(collection, part))
    return tuple(found)


def _raw(collection, part):
    """Header fields up to the first K:, then the body, up to an empty line."""
    header, _, rest = part.partition("\nK:")
    key, _, body = rest.partition("\n")
    fields = {}
    for line in header.split("\n"):
        if re.match(r"[A-Za-z]:", line):
            fields.setdefault(line[0], line[2:].split("%")[0].strip())
    fields["K"] = key.split("%")[0].strip()
    body = re.split(r"\n\s*\n", body)[0]
    return Raw(collection, fields.get("X", ""), fields.get("T", ""), fields, body)


TOKEN = re.compile(
    r"""(?P<skip> "[^"]*" | !\w[^!|]*! | \{[^}]*\} | [`~.\\)yuvHJ-MO-T*$ \n\t] | \((?![2-9]) )
    | (?P<tuplet> \([2-9] (?::\d*)* )
    | (?P<note> (?P<acc>\^\^|__|[\^_=])? (?P<letter>[A-Ga-g]) (?P<octave>[,']*)
                (?P<length>\d*(?:/+\d*)?) )
    | (?P<rest> [zx] (?P<restlength>\d*(?:/+\d*)?) )
    | (?P<broken> >+ | <+ )
    | (?P<tie> - )
    | (?P<bar> :*\|+\]?:*\s*\[?[12](?![\d/]) | \[[12] | [:|]*::[:|]* | :?\|[|\]]?:? | \[\| )""",
    re.X,
)


def key_of(text: str) -> str:
    """The name of a key in one form: "G", "Em", "Ador", "Dmix", "F#m".

    Raises: ValueError for a key that this module does not know.
    """
    match = re.match(r"([A-G])([#b]?)\s*([A-Za-z]*)", text)
    mode = match and match[3].lower()[:3]
    names = {"": "", "maj": "", "m": "m", "min": "m", "aeo": "m", "ion": ""}
    mode = names.get(mode, mode)
    if match is None or mode not in FIFTHS or match[3] == "M" or match[2] == "#":
        raise ValueError(f"unknown key {text!r}")
    return match[1] + match[2] + mode


def alterations(key: str) -> dict:
    """The key signature: letter → +1 or −1, for the letters that are sharp or flat.

    Raises: ValueError for a key that this module does not know.
    """
    match = re.fullmatch(r"([A-G])([#b]?)(|m|dor|mix|lyd|phr)", key)
    if match is None:
        raise ValueError(f"unknown key {key!r}")
    sharps = SHARPS.index(match[1]) - 1 + 7 * (match[2] == "#") - 7 * (match[2] == "b")
    sharps += FIFTHS[match[3]]
    if not -7 <= sharps <= 7:
        raise ValueError(f"key {key!r} has more than seven sharps or flats")
    letters = SHARPS[:sharps] if sharps >= 0 else SHARPS[sharps:]
    return dict.fromkeys(letters, 1 if sharps > 0 else -1)


def normalise(raw: Raw) -> str:
    """A tune in the one form that the module's docstring shows.

    Grace notes, slurs, fingerings, chord names and ornaments are left out, "broken" rhythms (A>B)
    become lengths, repeats and the marks of first and second endings stay.
    Raises: ValueError if the tune has chords, several voices, changes of key or metre, double
    accidentals, or anything that is not understood.
    """
    metre = METRES.get(raw.fields.get("M", ""), raw.fields.get("M", ""))
    key = key_of(raw.fields["K"])
    if not re.fullmatch(r"(2|3|4)/(2|4)|(3|6|9|12)/8", metre):
        raise ValueError(f"metre {metre!r} is not used here")
    default = "1/8" if bar_length(metre) >= 6 * EIGHTH else "1/16"
    unit = bar_length(raw.fields.get("L", default))
    lines = [line.split("%")[0] for line in raw.body.split("\n")]
    fields = [line for line in lines if re.match(r"\s*[A-Za-z]:(?!\|)", line)]
    if any(line.lstrip()[0] in "KMLV" for line in fields):
        raise ValueError("the key, the metre or the voice changes")
    body = "\n".join(line for line in lines if line not in fields)
    return f"M:{metre}\nK:{key}\n{_body(body, alterations(key), unit)}"


def bar_length(metre: str) -> int:
    """How many ticks a bar of a metre has: "6/8" → 576; also of any other share of a whole note.

    Raises: ValueError if it is no positive fraction, or no whole number of ticks.
    """
    match = re.fullmatch(r"\s*(\d+)\s*/\s*(\d+)\s*", metre)
    if not match or 0 in (int(match[1]), int(match[2])):
        raise ValueError(f"{metre!r} is no positive fraction")
    return _share(8 * EIGHTH, int(match[1]), int(match[2]))


def _body(body, signature, unit):
    """Tokens → [prefix, name, length, tie] of notes, and marks; then text."""
    items, changed, at, broken = [], {}, 0, None
    while at < len(body):
        match = TOKEN.match(body, at)
        if match is None:
            raise ValueError(f"not understood: {body[at : at + 12]!r}")
        at, kind = match.end(), match.lastgroup  # of nested groups the outer one closes last
        if kind == "tuplet":
            if not re.fullmatch(r"\([234]", match[0]):
                raise ValueError(f"tuplet {match[0]!r} is not used here")
            items.append(match[0])
        elif kind in ("note", "rest"):
            name = _spelled(match, signature, changed) if kind == "note" else "z"
            length = _ticks(match["length"] if kind == "note" else match["restlength"], unit)
            if broken:
                length = _share(length, *broken)
                broken = None
            items.append([name, length, ""])
        elif kind == "broken":
            last = next((i for i in reversed(items) if isinstance(i, list)), None)
            if last is None:
                raise ValueError("a broken rhythm without a note")
            parts = 2 ** len(match[0])
            short, long = (1, parts), (2 * parts - 1, parts)
            last[1] = _share(last[1], *(long if match[0][0] == ">" else short))
            broken = short if match[0][0] == ">" else long
        elif kind == "tie" and items and isinstance(items[-1], list):
            items[-1][2] = "-"
        elif kind == "bar":
            changed.clear()
            items.append(_mark(match[0]))
    return _joined(items)


@cache
def _ticks(text, unit):
    """ "", "3", "/", "//", "3/2" times a unit in ticks, in ticks."""
    top, slashes, bottom = re.fullmatch(r"(\d*)(/*)(\d*)", text).groups()
    divisor = int(bottom) if bottom else 2 ** len(slashes)
    if divisor == 0 or int(top or 1) == 0:
        raise ValueError(f"length {text!r}")
    return _share(unit, int(top or 1), divisor)


def _share(ticks, numerator, denominator):
    """ticks · numerator / denominator, which has to be whole."""
    length, rest = divmod(ticks * numerator, denominator)
    if rest or not length:
        raise ValueError(f"{numerator}/{denominator} of {ticks} ticks is not used here")
    return length


def _spelled(match, signature, changed):
    """The note with its own accidental, whoever gave it: itself, its bar or the key signature."""
    place = match["letter"] + match["octave"]
    if match["acc"]:
        changed[place] = {"^": 1, "_": -1, "=": 0}.get(match["acc"], 2)
    alteration = changed.get(place, signature.get(match["letter"].upper(), 0))
    if abs(alteration) > 1:
        raise ValueError("a double accidental")
    return ("_", "", "^")[alteration + 1] + place


def _mark(text):
    """One of | |: :| :: |] [1 [2, or two of them."""
    ending = re.search(r"[12]$", text)
    if ending:
        return (":|" if text.startswith(":") else "|") + "[" + ending[0]
    text = text.replace(" ", "")
    left, right = text.startswith(":"), text.endswith(":")
    if left and right:
        return "::"
    if left or right:
        return ":|" if left else "|:"
    return "|]" if len(text) > 1 else "|"


def _joined(items):
    """Text of the items: a tie only before the same note; of neighbouring marks the stronger."""
    out, marks = [], []
    notes = [i for i, item in enumerate(items) if isinstance(item, list)]
    after = dict(zip(notes, notes[1:]))
    for i, item in enumerate(items):
        if isinstance(item, str) and not item.startswith("("):
            marks.append(item)
            continue
        out += [_strongest(marks)] if marks and out else ["|:"] if "|:" in marks else []
        marks = []
        if isinstance(item, str):
            out.append(item)
        else:
            name, length, tie = item
            tie = tie if i in after and items[after[i]][0] == name != "z" else ""
            out.append(name + length_text(length) + tie)
    last = _strongest(marks) if marks else "|]"
    return "".join([*out, last if last in (":|", "|]") else "|]"])


def _strongest(marks):
    order = ("|", "|]", "|:", ":|", "|[1", "|[2", ":|[2", "::")
    return max(marks, key=lambda m: order.index(m) if m in order else 4)


@cache
def length_text(ticks: int) -> str:
    """As ABC writes a length: "", "3", "/", "3/", "/4".

    Raises: ValueError for a length that is no multiple of 1/8 of an eighth.
    """
    length = Fraction(ticks, EIGHTH)
    if 8 % length.denominator:
        raise ValueError(f"length {length} is not used here")
    top = "" if length.numerator == 1 else str(length.numerator)
    return top + {1: "", 2: "/"}.get(length.denominator, f"/{length.denominator}")


# --- From one form to notes ---------------------------------------------------------------------

ITEM = re.compile(
    r"(?P<note>(?P<acc>[\^_]?)(?P<letter>[A-Ga-g])(?P<octave>(?:,+|'+)?)|z)(?P<length>\d*(?:/\d*)?)(?P<tie>-?)"
    r"|(?P<tuplet>\([234])|(?P<bar>:\|\[[12]|\|\[[12]|::|\|:|:\||\|\]|\|)"
)
TUPLETS = {2: (3, 2), 3: (2, 3), 4: (3, 4)}  # so many notes last as if each were … of its length


def parse(text: str) -> Tune:
    """Read a tune in the form of `normalise`.

    Raises: ValueError that says where, for anything else.
    """
    match = re.match(r"M:(\d+/\d+)\nK:(\S+)\n", text)
    if match is None:
        raise ValueError(f"a tune begins with its metre and key, got {text[:20]!r}")
    bar_length(match[1]), alterations(match[2])
    items, at, left, scale = [], match.end(), 0, (1, 1)
    text = text.rstrip("\n")
    while at < len(text):
        item = ITEM.match(text, at)
        if item is None:
            raise ValueError(f"no note and no bar at character {at}: {text[at : at + 10]!r}")
        at = item.end()
        if item["bar"]:
            items.append(item["bar"])
        elif item["tuplet"]:
            left = int(item["tuplet"][1])
            scale = TUPLETS[left]
        else:
            length = _ticks(item["length"], EIGHTH)
            length = _share(length, *scale) if left else length
            left = max(left - 1, 0)
            pitch = None if item["note"] == "z" else _pitch(item)
            items.append(Note(pitch, length, bool(item["tie"])))
    if not any(isinstance(item, Note) for item in items):
        raise ValueError("a tune without a note")
    return Tune(match[1], match[2], tuple(items))


def _pitch(item):
    letter = item["letter"]
    pitch = 60 + SEMITONES[letter.upper()] + 12 * letter.islower()
    return (
        pitch
        + 12 * (item["octave"].count("'") - item["octave"].count(","))
        + ({"^": 1, "_": -1, "": 0}[item["acc"]])
    )


# --- The collection, split so that variants stay together ---------------------------------------


class Entry(NamedTuple):
    """A tune of the collection: where it stands, its title, its text in one form, its family."""

    collection: str
    number: str
    title: str
    text: str
    family: int


@cache
def collection() -> tuple:
    """Every tune that `normalise` accepts, once, with the number of its family.

    A tune that sounds like an earlier one from beginning to end is dropped. Two tunes are of one
    family if they have the same title, or share `RUN` intervals in a row in any key.
    """
    entries, steps, seen = [], [], set()
    for raw in books():
        try:
            text = normalise(raw)
            tune = parse(text)
        except ValueError:
            continue
        sound = tuple(intervals(tune))
        if 40 <= len(tune.notes) <= 400 and sound not in seen:
            seen.add(sound)
            steps.append(sound)
            entries.append(Entry(raw.collection, raw.number, raw.title, text, -1))
    families = _families(entries, steps)
    return tuple(e._replace(family=f) for e, f in zip(entries, families))


def intervals(tune: Tune) -> list:
    """The steps from note to note in semitones, rests passed over: the same in every key."""
    pitches = [note.pitch for note in tune.notes if note.pitch is not None]
    return [b - a for a, b in zip(pitches, pitches[1:])]


def plain_title(title: str) -> str:
    """A title without case, articles, marks and what stands behind a dash or in brackets."""
    title = re.split(r"\s--?\s|\(|,", title.lower())[0]
    words = re.findall(r"[a-z]+", title.replace("'", ""))
    return " ".join(w for w in words if w not in {"the", "a", "an"})


def _families(entries, steps):
    """Union of all that share a title or a run of intervals: a number for each entry."""
    parent = list(range(len(entries)))

    def root(i):
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    owner = {}
    for i, (entry, sound) in enumerate(zip(entries, steps)):
        keys = [sound[k : k + RUN] for k in range(len(sound) - RUN + 1)]
        title = plain_title(entry.title)
        for key in [*keys, title] if title else keys:
            parent[root(i)] = root(owner.setdefault(key, i))
    return [root(i) for i in range(len(entries))]


@cache
def split() -> tuple:
    """Entries to train on, to choose by and to test on: `text.Split` of tuples of `Entry`.

    Whole families go to one part. Of twelve families in a row, in the order of their first tunes,
    one is for testing and one for validation; families of ten or more tunes are for training.
    """
    sizes, parts = {}, ([], [], [])
    for entry in collection():
        sizes[entry.family] = sizes.get(entry.family, 0) + 1
    small = [family for family in sizes if sizes[family] < 10]
    where = {family: {3: 2, 7: 1}.get(i % 12, 0) for i, family in enumerate(small)}
    for entry in collection():
        parts[where.get(entry.family, 0)].append(entry)
    return Split(*(tuple(part) for part in parts))


def texts(seed: int = 0) -> Split:
    """The three parts as texts: the tunes for training shuffled, an empty line between two."""
    train, valid, test = split()
    order = np.random.default_rng(seed).permutation(len(train))
    parts = [train[i] for i in order], valid, test
    return Split(*("".join(entry.text + "\n\n" for entry in part) for part in parts))


# --- What a tune is worth -----------------------------------------------------------------------


class Bar(NamedTuple):
    """Notes between two marks, and those marks ("" at the beginning of the tune)."""

    notes: tuple
    before: str
    after: str


def bars(tune: Tune) -> list:
    """The bars of a tune, empty ones left out."""
    found, notes, before = [], [], ""
    for item in (*tune.items, "|]"):
        if isinstance(item, Note):
            notes.append(item)
            continue
        if notes:
            found.append(Bar(tuple(notes), before, item))
        notes, before = [], item
    return found


def bars_that_add_up(tune: Tune) -> tuple:
    """(how many bars have the length that the metre asks for, how many were looked at).

    Only bars between two plain bar lines are looked at, for at the borders of a section a tune may
    begin with an upbeat, whose length the last bar of the section lacks.
    """
    wanted = bar_length(tune.metre)
    inner = [bar for bar in bars(tune) if bar.before == bar.after == "|"]
    return sum(sum(n.length for n in bar.notes) == wanted for bar in inner), len(inner)


def scale(key: str) -> frozenset:
    """The seven pitch classes of a key; C is 0.

    Raises: ValueError for a key that this module does not know.
    """
    signature = alterations(key)
    return frozenset((SEMITONES[c] + signature.get(c, 0)) % 12 for c in "CDEFGAB")


def tonic(key: str) -> int:
    """The pitch class on which a tune of this key comes to rest."""
    alterations(key)
    return (SEMITONES[key[0]] + {"b": -1}.get(key[1:2], 0)) % 12


def notes_in_key(tune: Tune) -> tuple:
    """(how many notes belong to the scale of the tune's key, how many notes it has)."""
    pitches = [note.pitch for note in tune.notes if note.pitch is not None]
    inside = scale(tune.key)
    return sum(pitch % 12 in inside for pitch in pitches), len(pitches)


def ends_on_tonic(tune: Tune) -> bool:
    """Whether the last note is the tonic of the key."""
    pitches = [note.pitch for note in tune.notes if note.pitch is not None]
    return bool(pitches) and pitches[-1] % 12 == tonic(tune.key)


def repeated_bars(tune: Tune) -> tuple:
    """(how many bars were heard before in the tune, note for note; how many could have been)."""
    heard, again, found = set(), 0, [bar.notes for bar in bars(tune)]
    for notes in found:
        again += notes in heard
        heard.add(notes)
    return again, max(len(found) - 1, 0)


def melody(tune: Tune) -> list:
    """(pitch, length in eighths) of every note, notes that are tied made one."""
    out, tied = [], False
    for note in tune.notes:
        if tied and out and out[-1][0] == note.pitch:
            out[-1] = (note.pitch, out[-1][1] + note.length / EIGHTH)
        else:
            out.append((note.pitch, note.length / EIGHTH))
        tied = note.tied
    return out


def bar_times(tune: Tune) -> list:
    """When each bar ends, in eighths from the beginning."""
    times, at = [], 0
    for bar in bars(tune):
        at += sum(note.length for note in bar.notes)
        times.append(at / EIGHTH)
    return times


def run_index(sequences, longest: int = 64) -> tuple:
    """Suffixes of many sequences of integers, sorted: what `longest_run` searches.

    Each suffix is cut after `longest` steps.
    """
    suffixes = []
    for sequence in sequences:
        text = "".join(chr(step + 500) for step in sequence)
        suffixes += [text[i : i + longest] for i in range(len(text))]
    return longest, sorted(suffixes)


def longest_run(sequence, index) -> int:
    """The most steps in a row of `sequence` that some indexed sequence has in a row as well.

    index: of `run_index`; a run that is longer than its limit counts as the limit.
    """
    longest, suffixes = index
    text, best = "".join(chr(step + 500) for step in sequence), 0
    for i in range(len(text)):
        piece = text[i : i + longest]
        at = bisect_left(suffixes, piece)
        for neighbour in suffixes[max(at - 1, 0) : at + 1]:
            n = 0
            for a, b in zip(piece, neighbour):
                if a != b:
                    break
                n += 1
            best = max(best, n)
    return best
