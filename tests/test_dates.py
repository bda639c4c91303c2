"""Dates in many languages: what babel writes, one meaning each, and no known date in a test."""

from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.data import dates
from helpers.text import END, MARKS, UNK, pair_batch

RNG = np.random.default_rng
EVERY = dates.LOCALES + dates.HELD_OUT


# --- Patterns and names -------------------------------------------------------------------------


def test_some_dates_as_people_write_them():
    day = date(2031, 7, 4)
    written = {name: {dates.write(day, name, p) for p in dates.patterns(name)} for name in EVERY}
    assert {"friday, july 4, 2031", "jul 4, 2031"} <= written["en"]
    assert "friday, 4 july 2031" in written["en_GB"]
    assert {"venerdì 4 luglio 2031", "4 lug 2031"} <= written["it"]
    assert "4 de julho de 2031" in written["pt"]
    assert "2031. július 4." in written["hu"]
    assert "παρασκευή 4 ιουλίου 2031" in written["el"]


@given(st.dates(date(1900, 1, 1), date(2099, 12, 31)), st.sampled_from(EVERY))
def test_patterns_fill_in_as_babel_does(day, locale):
    from babel.dates import format_date, parse_pattern

    for name in dates.FORMATS:
        whole = format_date(day, format=name, locale=locale)
        pattern = dates.tidy(
            parse_pattern(dates._locale(locale).date_formats[name]).format, lower=False
        )
        if pattern in dates.patterns(locale):
            assert dates.write(day, locale, pattern) == dates.tidy(whole)


@pytest.mark.parametrize("locale", EVERY)
def test_every_locale_has_patterns_that_name_the_month_and_give_the_year(locale):
    assert len(dates.patterns(locale)) >= 2
    for pattern in dates.patterns(locale):
        text = dates.write(date(2031, 7, 4), locale, pattern)
        assert "2031" in text
        assert "4" in text
        assert sum(c.isalpha() for c in text) >= 3
        assert text == text.lower() == " ".join(text.split())


def test_no_text_stands_for_two_dates():
    # Years differ in their four digits; so a leap year and a common year, twice, are enough.
    meaning = {}
    for ordinal in range(date(2027, 1, 1).toordinal(), date(2030, 12, 31).toordinal() + 1):
        day = date.fromordinal(ordinal)
        for locale in EVERY:
            for pattern in dates.patterns(locale):
                text = dates.write(day, locale, pattern)
                assert meaning.setdefault(text, day) == day, (text, locale)
    assert len(meaning) > 100_000


def test_croatian_and_polish_months_are_false_friends():
    pl, hr = ({dates.write(date(2031, m, 1), name, p) for p in dates.patterns(name)}
              for name, m in (("pl", 11), ("hr", 10)))  # fmt: skip
    assert any("listopada" in text for text in pl)
    assert any("listopada" in text for text in hr)
    assert not pl & hr  # the dots tell


def test_seen_and_held_out_locales_are_distinct():
    assert len(set(EVERY)) == len(EVERY)
    assert dates.HELD_OUT == dates.RELATIVES + dates.FALSE_FRIENDS + dates.FAR


def test_missing_babel_says_what_to_install(monkeypatch):
    monkeypatch.setattr(dates, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match="needs the data package 'babel': pip install babel"):
        dates._locale("en")


@pytest.mark.parametrize("locale", ["xx", "nonsense!", ""])
def test_unknown_locale_is_named(locale):
    with pytest.raises(ValueError, match=f"babel knows no locale {locale!r}"):
        dates.patterns(locale)


def test_roles_mark_the_fields():
    for text, iso, locale, expected in (
        ("fri, jul 4, 2031", "2031-07-04", "en", "www..mmm.d..yyyy"),
        ("venerdì 4 luglio 2031", "2031-07-04", "it", "wwwwwww.d.mmmmmm.yyyy"),
        ("2031. gada 4. jūl.", "2031-07-04", "lv", "yyyy.......d..mmmm"),
    ):
        assert dates.roles(dates.Example(text, iso, locale)) == expected
    with pytest.raises(ValueError, match="no pattern of en writes 2031-07-05"):
        dates.roles(dates.Example("fri, jul 4, 2031", "2031-07-05", "en"))


@given(st.integers(0, 10_000))
def test_roles_cover_year_and_day_digits_once(seed):
    (example,) = dates.generate(1, RNG(seed), EVERY)
    roles = dates.roles(example)
    assert len(roles) == len(example.text)
    picked = {r: "".join(c for c, role in zip(example.text, roles) if role == r) for r in "yd"}
    assert picked["y"] == example.iso[:4]
    assert int(picked["d"]) == int(example.iso[8:])
    assert "m" in roles


# --- Examples -----------------------------------------------------------------------------------


def test_generate_is_reproducible_and_keeps_to_its_years_and_locales():
    found = dates.generate(500, RNG(0), ("de", "fr"), (1999, 2001))
    assert found == dates.generate(500, RNG(0), ("de", "fr"), (1999, 2001))
    assert {e.locale for e in found} == {"de", "fr"}
    assert {e.iso[:4] for e in found} == {"1999", "2000", "2001"}
    for e in found:
        day = date.fromisoformat(e.iso)
        assert e.text in {dates.write(day, e.locale, p) for p in dates.patterns(e.locale)}


def test_all_patterns_days_and_months_appear():
    found = dates.generate(3000, RNG(1))
    assert {e.locale for e in found} == set(dates.LOCALES)
    assert {e.iso[5:7] for e in found} == {f"{m:02}" for m in range(1, 13)}
    assert {e.iso[8:] for e in found} == {f"{d:02}" for d in range(1, 32)}
    assert len({e.text for e in found if e.iso[5:] == "01-01"}) > 1


def test_bad_arguments_of_generate():
    with pytest.raises(ValueError, match="n must be a positive integer"):
        dates.generate(0, RNG(0))
    with pytest.raises(ValueError, match="locales is empty"):
        dates.generate(1, RNG(0), ())
    for years in ((2000, 1999), (999, 2000), (2000, 10_000)):
        with pytest.raises(ValueError, match="years must be"):
            dates.generate(1, RNG(0), years=years)


def test_split_shares_no_date_with_training():
    parts = dates.split(RNG(0), 3000, 400)
    assert [len(part) for part in parts] == [3000, 400, 400, 400]
    known = {e.iso for e in parts.train}
    for part in (parts.valid, parts.test, parts.unseen):
        assert not known & {e.iso for e in part}
    assert not {e.iso for e in parts.valid} & {e.iso for e in parts.test}
    for part in (parts.train, parts.valid, parts.test):
        assert {e.locale for e in part} <= set(dates.LOCALES)
    assert {e.locale for e in parts.unseen} == set(dates.HELD_OUT)
    with pytest.raises(ValueError, match="n_test must be a positive integer"):
        dates.split(RNG(0), 10, 0)


# --- Numbers ------------------------------------------------------------------------------------


def test_vocabularies_and_encoding():
    parts = dates.split(RNG(0), 2000, 300)
    src, tgt = dates.vocabularies(parts.train)
    assert src.symbols[0] == UNK
    assert tgt.symbols == (*MARKS, *"-0123456789")
    sources, targets = dates.encode(parts.test, src, tgt)
    assert ["".join(src.decode(ids)) for ids in sources] == [e.text for e in parts.test]
    assert ["".join(tgt.decode(ids)) for ids in targets] == [e.iso for e in parts.test]
    batch = pair_batch(sources, targets)
    assert batch.inputs.shape == batch.targets.shape == (11, 300)
    assert (batch.targets[-1] == END).all()


def test_a_foreign_alphabet_becomes_unknown():
    src, tgt = dates.vocabularies(dates.generate(2000, RNG(0)))
    greek = dates.Example("4 ιουλίου 2031", "2031-07-04", "el")
    (source,), _ = dates.encode([greek], src, tgt)
    assert [src.symbols[i] for i in source] == [*"4 ", *[UNK] * 7, *" 2031"]
