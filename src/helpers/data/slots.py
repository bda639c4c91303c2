"""Slot filling at a travel desk: a documented grammar, and scores.

Every word gets a tag. O is a word outside all slots; the first word of a slot is marked B- (begin),
each further one I- (inside), as in

    leave    New     York    for  Ho    Chi   Minh  City  next     Friday
    O        B-from  I-from  O    B-to  I-to  I-to  I-to  B-leave  I-leave

A city may be where one leaves *from*, goes *to*, or changes planes (*via*); a date or a time may
belong to the departure (*leave*) or to the arrival (*arrive*). Nothing in the word itself tells.
"""

from collections import Counter
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from typing import NamedTuple

import numpy as np

from ..checks import check_not_negative, check_shape, check_sizes
from ..text import UNK, Vocabulary

CITY_SLOTS, TIME_SLOTS = ("from", "to", "via"), ("leave", "arrive")
SLOTS = (*CITY_SLOTS, *TIME_SLOTS)
TAGS = Vocabulary(("O", *(f"{part}-{slot}" for slot in SLOTS for part in "BI")))

# --- The grammar --------------------------------------------------------------------------------

TEMPLATES = (
    # The word that decides stands before the city or the date.
    "leave {from} {leave}",
    "arrive {to} {arrive}",
    "leave {from} for {to}",
    "leave {from} {leave} for {to} via {via}",
    "arrive in {to} {arrive} from {from}",
    "arriving {arrive} in {to} having left {from} {leave}",
    "arriving in {to} having left {from} {leave}",
    "a flight from {from} to {to} leaving {leave}",
    "a flight to {to} from {from} arriving {arrive}",
    "to {to} from {from} via {via}",
    "from {from} via {via} to {to}",
    "via {via} from {from} to {to}",
    "from {from} I need two seats to {to} {leave}",
    "I want to go to {to} from {from} and arrive {arrive}",
    "I have to be in {to} {arrive} , so when should I leave {from}",
    "get me to {to} {arrive}",
    "get me out of {from} {leave}",
    "departing {leave} from {from} with a change in {via}",
    "departing {leave} , arriving {arrive}",
    "arriving {arrive} , departing {leave}",
    "change in {via} on the way to {to}",
    "on the way from {from} to {to} I want to change in {via}",
    "I fly out of {from} {leave} and land in {to} {arrive}",
    "I land in {to} {arrive} , so from {from} I should fly {leave}",
    "I live in {from} and want to visit {to}",
    "I want to visit {to} but I live in {from}",
    "my trip starts in {from} and ends in {to}",
    "my trip ends in {to} and starts in {from}",
    "two seats to {to} departing from {from} {leave}",
    "with a change in {via} , get me to {to}",
    "start in {from} , change in {via} , end in {to}",
    "after leaving {from} I want to visit {via} before I land in {to}",
    # It stands after.
    "{from} to {to}",
    "{from} to {to} via {via}",
    "{from} is where I leave from",
    "{to} is where I want to arrive",
    "{via} is where I want to change",
    "{from} is where I leave from and {to} is where I want to go",
    "{to} is where I arrive , {from} is where I start",
    "{from} , leaving {leave}",
    "{to} , arriving {arrive}",
    "{from} , leaving {leave} , to {to}",
    "{to} , arriving {arrive} , from {from}",
    "{to} , arriving {arrive} , with a change in {via}",
    "{from} is my origin , {to} my destination",
    "{to} is my destination , {from} my origin",
    "{from} as origin and {to} as destination",
    "{to} as destination and {from} as origin",
    "{via} as a stop between {from} and {to}",
    "{via} is a stop on the way to {to}",
    "{from} I leave {leave} , {to} I reach {arrive}",
    "{to} I reach {arrive} , {from} I leave {leave}",
    "{from} {leave} , departure , {to} {arrive} , arrival",
    "{to} {arrive} , arrival , {from} {leave} , departure",
    "{from} , if there are seats left , is where I want to start",
    "{to} , if there are seats left , is where I want to end",
    "{via} , if there are seats left , is where I want to change",
    "{from} , {via} , {to} , in this order",
    "{to} , {via} , {from} , in reverse order",
    "{from} is home and {to} is where I want to go",
    "{to} is home and {from} is where I start",
    "{leave} I leave {from}",
    "{arrive} I arrive in {to}",
    "{arrive} I have to be in {to}",
    "{leave} I fly out of {from}",
    "{leave} I want to leave , {arrive} I want to arrive",
    "{arrive} I want to arrive , {leave} I want to leave",
    "{leave} from {from} to {to}",
)
OPENINGS = ("", "", "please", "hello ,", "good morning ,")
CLOSINGS = ("", "", "please", "thank you", "and by the window")
BEFORE_A_CITY = ("", "", "", "sunny", "good old", "the city of", "the very beautiful city of")


class Sentence(NamedTuple):
    """Words and their tags, one each."""

    words: list
    tags: list


def _english():
    """The English locale of babel; an ImportError with the cure if babel is not installed."""
    if find_spec("babel") is None:
        raise ImportError("helpers.data.slots needs the data package 'babel': pip install babel")
    from babel import Locale

    return Locale.parse("en")


@cache
def cities() -> tuple:
    """The cities that the world's time zones are named after, in English and sorted: about 370.

    CLDR calls them exemplar cities; some are islands. Of the Americas' zones, those with a comma in
    their name ("Knox, Indiana") are left out.
    Raises: ImportError that names the package to install.
    Source: the Unicode Common Locale Data Repository, in the package babel.
    """
    english = _english()
    from babel.core import get_global

    aliases, named = get_global("zone_aliases"), english.time_zones
    renamed = {aliases.get(zone, zone): entry["city"] for zone, entry in named.items()
               if "city" in entry}  # fmt: skip
    found = set()
    for zone in get_global("zone_territories"):
        zone = aliases.get(zone, zone)
        name = renamed.get(zone) or zone.rpartition("/")[2].replace("_", " ")
        if zone.partition("/")[0] in _CONTINENTS and "," not in name:
            found.add(name)
    return tuple(sorted(found))


_CONTINENTS = ("Africa", "America", "Asia", "Australia", "Europe", "Pacific")


def ordinal(n: int) -> str:
    """1st, 2nd, 3rd, 4th, …, 11th, …, 21st."""
    ending = "th" if n % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(n % 10, "th")
    return f"{n}{ending}"


@cache
def _names():
    """Months and days of the week, in English."""
    english = _english()
    return tuple(english.months["format"]["wide"].values()), tuple(
        english.days["format"]["wide"].values()
    )


def _pick(options, rng):
    """One of a sequence, each equally likely."""
    return options[rng.integers(len(options))]


HOURS = "one two three four five six seven eight nine ten eleven twelve".split()


def moment(rng) -> tuple:
    """A date or a time as people write it: the words before it, which are O, and its own words.

    Such as ("on", "November 2nd"), ("on", "the 2nd of November"), ("on", "2 November"),
    ("", "next Friday"), ("on", "Friday morning"), ("", "tomorrow"), ("at", "9 pm"),
    ("at", "half past nine").
    """
    months, weekdays = _names()
    month, weekday = _pick(months, rng), _pick(weekdays, rng)
    day, hour = int(rng.integers(1, 29)), int(rng.integers(12))
    part, half = _pick(("morning", "evening", "night"), rng), _pick(("am", "pm"), rng)
    forms = (
        ("on", f"{month} {ordinal(day)}"),
        ("on", f"the {ordinal(day)} of {month}"),
        ("on", f"{day} {month}"),
        ("", f"next {weekday}"),
        ("on", f"{weekday}"),
        ("on", f"{weekday} {part}"),
        ("", f"tomorrow {part}"),
        ("at", f"{hour + 1} {half}"),
        ("at", f"half past {HOURS[hour]}"),
    )
    return _pick(forms, rng)


def fill(template: str, rng, places) -> Sentence:
    """One sentence of a template: different places in its city slots, words without meaning added.

    places: names of cities, at least three. The additions (a greeting, *please*, *good old* before
    a city) put distance between a city and the word that decides about it.
    """
    words, tags = [], []

    def add(text, slot=None):
        new = text.split()
        words.extend(new)
        tags.extend("O" if slot is None else f"{'BI'[i > 0]}-{slot}" for i in range(len(new)))

    names = iter(rng.choice(len(places), 3, replace=False))
    add(_pick(OPENINGS, rng))
    for word in template.split():
        slot = word.strip("{}")
        if word == slot:
            add(word)
        elif slot in CITY_SLOTS:
            add(_pick(BEFORE_A_CITY, rng))
            add(places[next(names)], slot)
        else:
            before, when = moment(rng)
            add(before)
            add(when, slot)
    add(_pick(CLOSINGS, rng))
    return Sentence(words, tags)


def generate(n: int, rng, templates=TEMPLATES, places=None, without=()) -> list:
    """n sentences, each from a template drawn evenly; the same rng state gives the same sentences.

    places: names for the city slots, all of cities() if None; without: sentences that may not
    appear again.
    Raises: ValueError if n is not a positive integer, a template holds an unknown slot, or there
    are fewer than three places.
    """
    check_sizes(n=n)
    places = cities() if places is None else tuple(places)
    if len(places) < 3:
        raise ValueError(f"places must hold at least 3 names, got {len(places)}")
    for template in templates:
        slots_of(template)
    taken = {tuple(sentence.words) for sentence in without}
    found = []
    while len(found) < n:
        sentence = fill(_pick(templates, rng), rng, places)
        if tuple(sentence.words) not in taken:
            found.append(sentence)
    return found


class Split(NamedTuple):
    """What is trained on, and three tests, each with more that is new than the one before.

    sentences: new sentences of known templates with known cities; templates: from templates that
    training never used; cities: known templates with cities whose names training never used.
    """

    train: list
    sentences: list
    templates: list
    cities: list
    known_templates: tuple
    new_templates: tuple
    known_cities: tuple
    new_cities: tuple


TESTS = ("sentences", "templates", "cities")


def split(rng, n_train: int = 2000, n_test: int = 500, held_out: float = 0.25) -> Split:
    """Draw which templates and cities are held out (a share of each), then the sentences.

    Raises: ValueError if a number is not positive or held_out not between 0 and 1.
    """
    if not 0 < held_out < 1:
        raise ValueError(f"held_out must lie in 0 < held_out < 1, got {held_out!r}")
    known_templates, new_templates = _two_parts(TEMPLATES, held_out, rng)
    known_cities, new_cities = _two_parts(cities(), held_out, rng)
    train = generate(n_train, rng, known_templates, known_cities)
    return Split(
        train,
        generate(n_test, rng, known_templates, known_cities, without=train),
        generate(n_test, rng, new_templates, known_cities),
        generate(n_test, rng, known_templates, new_cities),
        known_templates,
        new_templates,
        known_cities,
        new_cities,
    )


def _two_parts(items, share, rng):
    """Shuffle, and cut off a share: what is known, what is held out."""
    order = rng.permutation(len(items))
    n = max(1, round(share * len(items)))
    return tuple(items[i] for i in order[n:]), tuple(items[i] for i in order[:n])


# --- What the beginning of a sentence tells -----------------------------------------------------


def slots_of(template: str) -> list:
    """The slots of a template, in the order of its sentences' spans.

    Raises: ValueError for a name in braces that is no slot.
    """
    found = [word[1:-1] for word in template.split() if word.startswith("{")]
    for slot in found:
        if slot not in SLOTS:
            raise ValueError(f"template {template!r} holds the unknown slot {slot!r}")
    return found


def beginnings(template: str) -> list:
    """For each slot of a template: the words up to it, with "city" or "when" for every slot."""
    kinds = {f"{{{slot}}}": "city" if slot in CITY_SLOTS else "when" for slot in SLOTS}
    words = template.split()
    masked = [kinds.get(word, word) for word in words]
    return [tuple(masked[: i + 1]) for i, word in enumerate(words) if word in kinds]


def undecided(templates=TEMPLATES) -> dict:
    """Template → a bool for each of its slots: can only later words tell which slot it is?

    True where some template begins in the same way and has another slot in this place. Additions
    such as *please* or *sunny* tell nothing about slots and are left aside.
    """
    seen = {}
    for template in templates:
        for slot, beginning in zip(slots_of(template), beginnings(template)):
            seen.setdefault(beginning, set()).add(slot)
    return {
        template: [len(seen[beginning]) > 1 for beginning in beginnings(template)]
        for template in templates
    }


def best_without_future(templates=TEMPLATES) -> float:
    """The largest share of slots that anybody can name who has read up to the slot and no further.

    For each beginning the best answer is the slot that follows it in most templates; templates
    count alike, as in `generate`.
    """
    counts = {}
    for template in templates:
        for slot, beginning in zip(slots_of(template), beginnings(template)):
            counts.setdefault(beginning, Counter())[slot] += 1
    right = sum(max(counter.values()) for counter in counts.values())
    return right / sum(counter.total() for counter in counts.values())


# --- Words to numbers ---------------------------------------------------------------------------


def vocabulary(sentences) -> Vocabulary:
    """All words of the training sentences, and <unk> for every other word there may be."""
    return Vocabulary.of((word for words, _ in sentences for word in words), unk=True)


def encode(sentences, vocab: Vocabulary) -> tuple:
    """Two lists of id arrays: of the words, of the tags. `text.pad` makes batches of them."""
    return [vocab.encode(words) for words, _ in sentences], [
        TAGS.encode(tags) for _, tags in sentences
    ]


def drop_rates(sentences, vocab: Vocabulary, alpha: float = 1.0) -> np.ndarray:
    """How often word dropout should hit each word: α / (α + its count in `sentences`), (V,).

    In training sentences no word is unknown, so without dropout the embedding of <unk> would stay
    as it was born. Unknown words are relatives of the rare ones: a word that appears once is
    dropped every second time (α = 1), a frequent one hardly ever. The rate of <unk> is 0.
    Raises: ValueError unless alpha is zero or a positive number.
    Source: Kiperwasser & Goldberg (2016).
    """
    check_not_negative("alpha", alpha)
    counts = Counter(word for words, _ in sentences for word in words)
    rates = np.array(
        [alpha / (alpha + counts[word]) if counts[word] else 0 for word in vocab.symbols]
    )
    rates[vocab.index[UNK]] = 0
    return rates


def drop_words(ids: np.ndarray, rates: np.ndarray, vocab: Vocabulary, rng) -> np.ndarray:
    """Word dropout: each id becomes that of <unk>, with a probability of its own.

    ids: any shape; rates: (V,), see `drop_rates`.
    Raises: ValueError for rates of a wrong shape or outside 0 … 1.
    """
    check_shape("rates", rates, (len(vocab),))
    if not ((rates >= 0) & (rates <= 1)).all():
        raise ValueError(f"rates must lie in 0 … 1, got {rates.min()} to {rates.max()}")
    return np.where(rng.random(ids.shape) < rates[ids], vocab.index[UNK], ids)


# --- Scores -------------------------------------------------------------------------------------


class Span(NamedTuple):
    """A slot in a sentence: words start … stop − 1."""

    slot: str
    start: int
    stop: int


def spans(tags) -> list:
    """The slots that a sequence of tags marks, in order.

    A span begins at B-x, and also at an I-x that continues nothing (after O, or after another
    slot), as in the scoring script of CoNLL-2000. It ends where no I-x of the same x follows.
    Raises: ValueError for a tag that is neither O nor B-… nor I-….
    """
    found, start, slot = [], 0, None
    for i, tag in enumerate([*tags, "O"]):
        part, _, name = tag.partition("-")
        if part not in ("O", "B", "I") or (part == "O") != (name == ""):
            raise ValueError(f"tag {tag!r} at position {i} is neither O nor B-… nor I-…")
        if part == "I" and name == slot:
            continue
        if slot is not None:
            found.append(Span(slot, start, i))
        start, slot = i, name or None
    return found


class Score(NamedTuple):
    """How many were found rightly, found, and there to be found; each ratio is 0 if 0/0."""

    right: int
    found: int
    there: int

    @property
    def precision(self) -> float:
        """Of what was found, how much is right."""
        return self.right / self.found if self.found else 0.0

    @property
    def recall(self) -> float:
        """Of what was there, how much was found."""
        return self.right / self.there if self.there else 0.0

    @property
    def f1(self) -> float:
        """The harmonic mean of precision and recall: 2 right / (found + there)."""
        return 2 * self.right / (self.found + self.there) if self.found + self.there else 0.0


def sentence_pairs(true, predicted) -> Iterator:
    """Sentence by sentence: two lists of tags that must be equally long."""
    if len(true) != len(predicted):
        raise ValueError(f"true has {len(true)} sentences but predicted has {len(predicted)}")
    for i, (one, other) in enumerate(zip(true, predicted)):
        if len(one) != len(other):
            raise ValueError(f"sentence {i} has {len(one)} true tags but {len(other)} predicted")
        yield one, other


def score_spans(true, predicted, slot: str | None = None) -> Score:
    """Slots found exactly: same type, same first and last word. Micro-averaged over sentences.

    true, predicted: lists of lists of tags; slot: count this slot only.
    Raises: ValueError for unequal numbers of sentences or tags, or for strange tags.
    """
    right = found = there = 0
    for pair in sentence_pairs(true, predicted):
        is_there, is_found = (
            {span for span in spans(tags) if slot in (None, span.slot)} for tags in pair
        )
        right += len(is_there & is_found)
        found += len(is_found)
        there += len(is_there)
    return Score(right, found, there)


def score_words(true, predicted) -> Score:
    """Words inside slots that got exactly the right tag, B- or I- included.

    A word that is O in both counts nowhere: most words are, and it takes no skill to say so.
    Raises: ValueError for unequal numbers of sentences or tags.
    """
    pairs = [pair for one in sentence_pairs(true, predicted) for pair in zip(*one)]
    return Score(
        sum(a == b != "O" for a, b in pairs),
        sum(b != "O" for _, b in pairs),
        sum(a != "O" for a, _ in pairs),
    )
