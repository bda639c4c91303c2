"""Dates as people write them in many languages, and as ISO 8601 has them.

    friday, july 4, 2031 · venerdì 4 luglio 2031 · 2031. gada 4. jūl.   →   2031-07-04

The patterns and names are those of the Unicode Common Locale Data Repository (CLDR), in the package
babel. A pattern is used if it names the month in letters and gives all four digits of the year:
03/04/31 is March or April, depending on where one lives, and no reader can know. With this rule no
text stands for two dates, in any of the languages below (a test goes through them all).

All text is in lower case, and every white space is one blank. Source symbols are characters; target
symbols are the digits and "-".
"""

import re
from collections import namedtuple
from datetime import date
from functools import cache
from importlib.util import find_spec
from typing import NamedTuple

from ..checks import check_sizes
from ..text import Vocabulary, target_vocabulary

# Shown in training: Germanic, Romance, Slavic, Baltic and Finnic languages in the Latin alphabet.
LOCALES = (
    *("en", "en_GB", "de", "nl", "sv", "nb"),
    *("fr", "es", "it", "ca", "ro"),
    *("pl", "cs", "sl"),
    *("lv", "et"),
)
# Never shown in training, in three groups: names of months much like those of a seen language;
# names that another one uses for other months (listopada is October here, in Polish November); and
# other names, another order (lt, hu, eu), or another alphabet (el).
RELATIVES = ("pt", "gl", "da", "af", "lb", "sk", "id")
FALSE_FRIENDS = ("hr",)
FAR = ("fi", "lt", "hu", "tr", "eu", "cy", "el")
HELD_OUT = (*RELATIVES, *FALSE_FRIENDS, *FAR)

FORMATS = ("full", "long", "medium")
SKELETONS = ("yMMMd", "yMMMMd", "yMMMEd", "yMMMMEEEEd")


class Example(NamedTuple):
    """A date as written, as ISO 8601, and the locale that writes it so."""

    text: str
    iso: str
    locale: str


_Names = namedtuple("_Names", "patterns months days")


def _locale(name: str):
    """babel's locale of this name; an ImportError with the cure if babel is not installed."""
    if find_spec("babel") is None:
        raise ImportError("helpers.data.dates needs the data package 'babel': pip install babel")
    from babel import Locale, UnknownLocaleError

    try:
        return Locale.parse(name)
    except (UnknownLocaleError, ValueError, TypeError) as error:
        raise ValueError(f"babel knows no locale {name!r}") from error


@cache
def _names(locale: str) -> _Names:
    """The patterns of a locale (for the % operator), and its names: field → tuple."""
    found = _locale(locale)
    from babel.dates import parse_pattern

    patterns = [found.date_formats[name] for name in FORMATS]
    patterns += [found.datetime_skeletons[s] for s in SKELETONS if s in found.datetime_skeletons]
    widths = (("abbreviated", 3), ("wide", 4))
    months = {
        letter * n: _in_order(found.months[context][width])
        for letter, context in (("M", "format"), ("L", "stand-alone"))
        for width, n in widths
    }
    days = {
        letter * n: _in_order(found.days[context][width])
        for letter, context in (("E", "format"), ("c", "stand-alone"))
        for width, n in widths
    } | {"E": _in_order(found.days["format"]["abbreviated"])}
    usable = (parse_pattern(p).format for p in patterns)
    usable = dict.fromkeys(tidy(p, lower=False) for p in usable if _names_month_and_year(p))
    return _Names(tuple(usable), months, days)


def _in_order(names):
    return tuple(tidy(name) for _, name in sorted(names.items()))


def _names_month_and_year(pattern):
    return "%(y)s" in pattern and any(f"({c * n})" in pattern for c in "ML" for n in (3, 4))


def tidy(text: str, lower: bool = True) -> str:
    """In lower case, and with one blank for every stretch of white space."""
    text = " ".join(text.split())
    return text.lower() if lower else text


def patterns(locale: str) -> tuple:
    """The patterns of a locale that name the month and give the whole year.

    Such as "%(d)s %(MMMM)s %(y)s": fields in CLDR's letters, for Python's % operator.
    Raises: ImportError if babel is not installed; ValueError for an unknown locale.
    Source: the Unicode Common Locale Data Repository, in the package babel.
    """
    return _names(locale).patterns


def write(day: date, locale: str, pattern: str) -> str:
    """A date as a locale writes it with one of its patterns, tidied.

    Raises: as `patterns`; KeyError for a pattern with other fields than day, month, year, weekday.
    """
    _, months, days = _names(locale)
    fields = {"d": day.day, "dd": f"{day.day:02}", "y": day.year}
    fields |= {field: names[day.month - 1] for field, names in months.items()}
    fields |= {field: names[day.weekday()] for field, names in days.items()}
    return tidy(pattern % fields)


def roles(example: Example) -> str:
    """What each character of the text belongs to: year, month, day, weekday, or none: y m d w .

        fri, jul 4, 2031
        www..mmm.d..yyyy

    Raises: ValueError if no pattern of the locale gives this text.
    """
    day = date.fromisoformat(example.iso)
    _, months, days = _names(example.locale)
    kind = {"d": "d", "dd": "d", "y": "y"} | dict.fromkeys(months, "m") | dict.fromkeys(days, "w")
    for pattern in patterns(example.locale):
        if write(day, example.locale, pattern) == example.text:
            found, place = ["."] * len(example.text), 0
            for before, field in _FIELD.findall(pattern):
                place += len(before)
                value = write(day, example.locale, f"%({field})s")
                found[place : place + len(value)] = kind[field] * len(value)
                place += len(value)
            return "".join(found)
    raise ValueError(f"no pattern of {example.locale} writes {example.iso} as {example.text!r}")


_FIELD = re.compile(r"(.*?)%\((\w+)\)s")


def _check_years(years):
    first, last = years
    if not 1000 <= first <= last <= 9999:
        raise ValueError(f"years must be (first, last) in 1000 … 9999, got {years!r}")


def _all_days(years):
    """The numbers (date.toordinal) of all days of the years first … last."""
    _check_years(years)
    return range(date(years[0], 1, 1).toordinal(), date(years[1], 12, 31).toordinal() + 1)


def _draw(n, rng, locales, days):
    """n examples: day, locale and pattern drawn evenly and independently."""
    found = []
    for i, j, k in zip(
        rng.integers(len(days), size=n), rng.integers(len(locales), size=n), rng.random(n)
    ):
        locale, day = locales[j], date.fromordinal(int(days[i]))
        choices = patterns(locale)
        text = write(day, locale, choices[int(k * len(choices))])
        found.append(Example(text, day.isoformat(), locale))
    return found


def generate(n: int, rng, locales=LOCALES, years=(1900, 2099)) -> list:
    """n examples of random days, the years first … last, in random locales and patterns.

    Raises: ValueError if n is not a positive integer, there are no locales, a locale is unknown, or
    the years are not in order within 1000 … 9999; ImportError if babel is not installed.
    """
    check_sizes(n=n)
    if not locales:
        raise ValueError("locales is empty: at least one is needed")
    return _draw(n, rng, tuple(locales), _all_days(years))


class Split(NamedTuple):
    """What is trained on, and what is not: valid and test in seen locales, unseen in HELD_OUT.

    No date of valid, test or unseen appears in train, in any language.
    """

    train: list
    valid: list
    test: list
    unseen: list


def split(rng, n_train: int = 8000, n_test: int = 500) -> Split:
    """Deal the days of 1900–2099 out to training (9 in 10) and the three tests, then draw.

    n_test: examples of each test.
    Raises: ValueError if a number is not a positive integer; ImportError if babel is missing.
    """
    check_sizes(n_train=n_train, n_test=n_test)
    days = rng.permutation(_all_days((1900, 2099)))
    known, new = days[len(days) // 10 :], days[: len(days) // 10]
    half = len(new) // 2
    return Split(
        _draw(n_train, rng, LOCALES, known),
        _draw(n_test, rng, LOCALES, new[:half]),
        _draw(n_test, rng, LOCALES, new[half:]),
        _draw(n_test, rng, HELD_OUT, new[half:]),
    )


def vocabularies(examples) -> tuple:
    """All characters of the texts, and <unk> for every other one; the ISO symbols and two marks."""
    source = Vocabulary.of((c for example in examples for c in example.text), unk=True)
    return source, target_vocabulary("0123456789-")


def encode(examples, src: Vocabulary, tgt: Vocabulary) -> tuple:
    """Two lists of id arrays, sources and targets; `text.pair_batch` makes a batch of them.

    A character that training never showed becomes <unk>, whose embedding nothing has trained.
    """
    return [src.encode(e.text) for e in examples], [tgt.encode(e.iso) for e in examples]
