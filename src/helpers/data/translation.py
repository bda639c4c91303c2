"""French sentences and their English translations, from a grammar.

    elle aime la Chine .              she loves China .
    le petit chat noir n' est pas triste .      the little black cat is not sad .
    le soir , nous la cherchons souvent .       we often look for her in the evening .

The two languages differ in length and order: articles before countries, adjectives behind the noun,
object pronouns before the verb, negation in two parts, verbs with a preposition, adverbs behind the
verb, phrases of time in front. Every French sentence has exactly one translation here, so that an
exact match means something. Where real French leaves a choice, the grammar fixes it: il and le are
he and him, elle and la are she and her; le and la never stand as pronouns before a vowel, where
both are l'; ce is *this*; toujours is *always*; un is *a*, never *one*.
What the sentences say is often odd. Their grammar is what counts.

Words are written as inside a sentence: only names and "I" have capitals. Punctuation is a word, and
so is a word that ends in an apostrophe (l', n', j'). `say` writes a sentence the usual way, `words`
takes it apart again.
"""

import re
from collections.abc import Iterator
from itertools import product
from typing import NamedTuple

from ..checks import check_sizes
from ..text import Vocabulary, clean, target_vocabulary

# --- The words ----------------------------------------------------------------------------------


class Noun(NamedTuple):
    """Singular and plural in both languages; gender "m" or "f"; a person, an animal or a thing."""

    singular: str
    plural: str
    gender: str
    english: str
    english_plural: str
    kind: str


class Adjective(NamedTuple):
    """Forms: masculine, masculine before a vowel, feminine, and the plurals of the two genders."""

    forms: tuple
    english: str
    before: bool  # does it stand before the noun?
    colour: bool = False  # said of animals and things only


class Verb(NamedTuple):
    """The present for je, tu, il, nous, vous, ils; in English the words that follow the -s."""

    forms: tuple
    english: str
    preposition: tuple = ()


class Subject(NamedTuple):
    """A pronoun as subject. person: index of the verb's form; gender "" where both are meant."""

    french: str
    english: str
    person: int
    gender: str = ""


class Object(NamedTuple):
    """A pronoun as object, before the verb in French; persons it would be reflexive for."""

    french: str
    english: str
    not_for: tuple = ()


class Lexicon(NamedTuple):
    """All words of a grammar. countries and times: pairs of word tuples, French and English."""

    nouns: tuple
    adjectives: tuple
    verbs: tuple
    subjects: tuple
    objects: tuple
    countries: tuple
    adverbs: tuple
    times: tuple


def _nouns(kind, text):
    """'chat chats m cat cats; …' → nouns of one kind."""
    return tuple(Noun(*entry.split(), kind) for entry in text.split(";"))


def _verb(forms, english):
    base, *preposition = english.split()
    return Verb(tuple(forms.split()), base, tuple(preposition))


def _adjective(forms, english, before=False, colour=False):
    return Adjective(tuple(forms.split()), english, before, colour)


def _regular(stem):
    """The present of a verb in -er."""
    return " ".join(stem + ending for ending in ("e", "es", "e", "ons", "ez", "ent"))


def _pairs(text):
    """'la Chine = China; …' → pairs of word tuples."""
    sides = (entry.split("=") for entry in text.split(";"))
    return tuple((tuple(french.split()), tuple(english.split())) for french, english in sides)


LEXICON = Lexicon(
    nouns=(
        *_nouns("animal", "chat chats m cat cats; chien chiens m dog dogs; poule poules f hen hens;"
                "oiseau oiseaux m bird birds; hibou hiboux m owl owls;"
                "abeille abeilles f bee bees"),
        *_nouns("person", "roi rois m king kings; reine reines f queen queens;"
                "voisin voisins m neighbour neighbours; voisine voisines f neighbour neighbours;"
                "ami amis m friend friends; amie amies f friend friends"),
        *_nouns("thing", "livre livres m book books; maison maisons f house houses;"
                "arbre arbres m tree trees; fleur fleurs f flower flowers;"
                "étoile étoiles f star stars; ville villes f city cities"),
    ),
    adjectives=(
        _adjective("petit petit petite petits petites", "little", before=True),
        _adjective("beau bel belle beaux belles", "beautiful", before=True),
        _adjective("vieux vieil vieille vieux vieilles", "old", before=True),
        _adjective("nouveau nouvel nouvelle nouveaux nouvelles", "new", before=True),
        _adjective("noir noir noire noirs noires", "black", colour=True),
        _adjective("blanc blanc blanche blancs blanches", "white", colour=True),
        _adjective("rouge rouge rouge rouges rouges", "red", colour=True),
        _adjective("italien italien italienne italiens italiennes", "Italian"),
        _adjective("triste triste triste tristes tristes", "sad"),
        _adjective("tranquille tranquille tranquille tranquilles tranquilles", "quiet"),
    ),
    verbs=(
        _verb(_regular("aim"), "love"),
        _verb(_regular("oubli"), "forget"),
        _verb(_regular("écout"), "listen to"),
        _verb("attends attends attend attendons attendez attendent", "wait for"),
        _verb(_regular("cherch"), "look for"),
        _verb(_regular("regard"), "look at"),
        _verb("perds perds perd perdons perdez perdent", "lose"),
        _verb(_regular("dessin"), "draw"),
        _verb("vois vois voit voyons voyez voient", "see"),
        _verb("connais connais connaît connaissons connaissez connaissent", "know"),
    ),
    subjects=(
        Subject("je", "I", 0), Subject("tu", "you", 1), Subject("il", "he", 2, "m"),
        Subject("elle", "she", 2, "f"), Subject("nous", "we", 3), Subject("vous", "you", 4),
        Subject("ils", "they", 5, "m"), Subject("elles", "they", 5, "f"),
    ),
    objects=(
        Object("me", "me", (0, 3)), Object("te", "you", (1, 4)), Object("le", "him"),
        Object("la", "her"), Object("nous", "us", (0, 3)), Object("vous", "you", (1, 4)),
        Object("les", "them"),
    ),
    countries=_pairs("la Chine = China; le Japon = Japan; la France = France; le Canada = Canada;"
                     "l' Italie = Italy; l' Inde = India; les Pays-Bas = the Netherlands"),
    adverbs=_pairs("souvent = often; toujours = always"),
    times=_pairs("aujourd'hui = today; le matin = in the morning; le soir = in the evening;"
                 "en hiver = in winter"),
)  # fmt: skip
BE = Verb(("suis", "es", "est", "sommes", "êtes", "sont"), "be")
AM = ("am", "are", "is", "are", "are", "are")
LINKS = _pairs("et = and; , mais = , but; parce que = because; quand = when")
DETERMINERS = ("the", "a", "my", "this")  # each in all its forms

# --- Rules of French and English ----------------------------------------------------------------

ELIDED = {"je": "j'", "ne": "n'", "me": "m'", "te": "t'", "le": "l'", "la": "l'", "de": "d'",
          "que": "qu'"}  # fmt: skip


def begins_with_vowel(word: str) -> bool:
    """Does the French word make the one before it lose its vowel? (No h does in this grammar.)"""
    return word[0].lower() in "aeiouéèêâîôœ"


def elide(french) -> tuple:
    """je, ne, me, te, le, la, de, que lose their vowel before another: n' aime, l' étoile."""
    following = [*french[1:], "."]
    return tuple(
        ELIDED[word] if word in ELIDED and begins_with_vowel(after) else word
        for word, after in zip(french, following)
    )


def agree(adjective: Adjective, gender: str, plural: bool, after: str = ".") -> str:
    """The form for a gender and number: beau chat, bel arbre, beaux arbres, belle fleur.

    after: the French word that follows it.
    """
    masculine, before_vowel, feminine, masculines, feminines = adjective.forms
    if plural:
        return masculines if gender == "m" else feminines
    if gender == "f":
        return feminine
    return before_vowel if adjective.before and begins_with_vowel(after) else masculine


def determiner(kind: str, gender: str, plural: bool, after: str, preceding: bool) -> str:
    """le, un, mon, ce in the form for a noun phrase; elision comes later.

    kind: "the", "a", "my" or "this"; after: the word that follows; preceding: is it an adjective?
    Before an adjective des becomes de: de petits chats. Before a vowel ma is mon, ce is cet.
    """
    vowel = begins_with_vowel(after)
    if plural:
        some = "de" if preceding else "des"
        return {"the": "les", "a": some, "my": "mes", "this": "ces"}[kind]
    if gender == "f":
        return {"the": "la", "a": "une", "my": "mon" if vowel else "ma", "this": "cette"}[kind]
    return {"the": "le", "a": "un", "my": "mon", "this": "cet" if vowel else "ce"}[kind]


class NounPhrase(NamedTuple):
    """A noun with a determiner, and perhaps an adjective before it and one behind it."""

    noun: Noun
    plural: bool
    kind: str
    before: Adjective | None = None
    behind: Adjective | None = None

    def french(self, negated: bool = False) -> list:
        """negated: as the object of a negated verb, where un, une, des become de."""
        noun, plural = self.noun, self.plural
        written = [noun.plural if plural else noun.singular]
        if self.before:
            written.insert(0, agree(self.before, noun.gender, plural, written[0]))
        if self.behind:
            written.append(agree(self.behind, noun.gender, plural))
        if negated and self.kind == "a":
            return ["de", *written]
        first = determiner(self.kind, noun.gender, plural, written[0], self.before is not None)
        return [first, *written]

    def english(self) -> list:
        """Adjectives before the noun; no article for des; an before a vowel."""
        adjectives = [a.english for a in (self.before, self.behind) if a]
        written = [*adjectives, self.noun.english_plural if self.plural else self.noun.english]
        if self.kind == "a":
            return (
                written if self.plural else ["an" if written[0][0] in "aeiouI" else "a", *written]
            )
        return ["these" if self.kind == "this" and self.plural else self.kind, *written]


class Clause(NamedTuple):
    """One clause, before it is put in words.

    verb None is *to be*, with `complement` an (adjective, gender); otherwise the complement is an
    Object, a NounPhrase, or a country. front: does the phrase of time come first in French?
    """

    subject: Subject | NounPhrase
    verb: Verb | None
    complement: tuple
    negated: bool = False
    adverb: tuple | None = None
    time: tuple | None = None
    front: bool = False


def _person(subject):
    """Index of the verb's form."""
    return subject.person if isinstance(subject, Subject) else 5 if subject.plural else 2


def in_french(clause: Clause) -> tuple:
    """The words of a clause, without the full stop and before elision."""
    subject, complement, person = clause.subject, clause.complement, _person(clause.subject)
    verb = [(clause.verb or BE).forms[person]]
    if clause.verb is None:
        adjective, gender = complement
        tail = [agree(adjective, gender, person > 2)]
    elif isinstance(complement, Object):
        verb, tail = [complement.french, *verb], []
    elif isinstance(complement, NounPhrase):
        tail = complement.french(clause.negated)
    else:
        tail = complement[0]
    if clause.negated:
        verb = ["ne", *verb, "pas"]
    who = [subject.french] if isinstance(subject, Subject) else subject.french()
    often = clause.adverb[0] if clause.adverb else ()
    when = clause.time[0] if clause.time else ()
    written = (*who, *verb, *often, *tail)
    return (*when, ",", *written) if clause.front else (*written, *when)


def in_english(clause: Clause) -> tuple:
    """The words of a clause, without the full stop; the phrase of time always comes last."""
    subject, complement, person = clause.subject, clause.complement, _person(clause.subject)
    often = clause.adverb[1] if clause.adverb else ()
    when = clause.time[1] if clause.time else ()
    who = [subject.english] if isinstance(subject, Subject) else subject.english()
    if clause.verb is None:
        verb = [AM[person], *["not"] * clause.negated, *often, complement[0].english]
        return (*who, *verb, *when)
    base, he = clause.verb.english, person == 2
    if clause.negated:
        verb = ["does" if he else "do", "not", *often, base]
    else:
        verb = [*often, base + "s" * he]
    if isinstance(complement, Object):
        whom = [complement.english]
    else:
        whom = complement.english() if isinstance(complement, NounPhrase) else complement[1]
    return (*who, *verb, *clause.verb.preposition, *whom, *when)


class Pair(NamedTuple):
    """A sentence and its translation, as words."""

    french: tuple
    english: tuple


def sentence(clauses, links=()) -> Pair:
    """Clauses joined by links (pairs of word tuples, one fewer than clauses) and a full stop."""
    french, english = list(in_french(clauses[0])), list(in_english(clauses[0]))
    for link, clause in zip(links, clauses[1:], strict=True):
        french += [*link[0], *in_french(clause)]
        english += [*link[1], *in_english(clause)]
    return Pair(elide([*french, "."]), (*english, "."))


# --- What may be combined -----------------------------------------------------------------------


def _fits(adjective, noun):
    """No colours for persons; no *petit ami* and *petite amie*, which mean something else."""
    if adjective.colour:
        return noun.kind != "person"
    return not (adjective.english == "little" and noun.english == "friend")


def _adjectives(lexicon, noun, before):
    return [a for a in lexicon.adjectives if a.before is before and _fits(a, noun)]


def _may_be_object(pronoun, subject, verb):
    """Not reflexive, and not l', which would not tell him from her."""
    lost = pronoun.french in ("le", "la") and begins_with_vowel(verb.forms[0])
    return not lost and _person(subject) not in (
        pronoun.not_for if isinstance(subject, Subject) else ()
    )


def _predicates(lexicon, subject):
    """What a subject can be: (adjective, gender), each written form once."""
    if isinstance(subject, NounPhrase):
        return [(a, subject.noun.gender) for a in lexicon.adjectives
                if not a.colour or subject.noun.kind != "person"]  # fmt: skip
    genders = subject.gender or "mf"
    return [(a, gender) for a in lexicon.adjectives if not a.colour for gender in genders
            if gender == genders[0] or a.forms[0] != a.forms[2]]  # fmt: skip


def _doers(lexicon):
    return [noun for noun in lexicon.nouns if noun.kind != "thing"]


def _phrases(lexicon, nouns) -> Iterator:
    """Every noun phrase with one of the nouns."""
    for noun, plural, kind in product(nouns, (False, True), DETERMINERS):
        before = [None, *_adjectives(lexicon, noun, True)]
        behind = [None, *_adjectives(lexicon, noun, False)]
        for one, other in product(before, behind):
            yield NounPhrase(noun, plural, kind, one, other)


def every_clause(lexicon: Lexicon = LEXICON) -> Iterator:
    """Every clause of the grammar, one by one. With the full lexicon that takes for ever."""
    around = list(
        product(
            (False, True),
            (None, *lexicon.adverbs),
            [(None, False), *product(lexicon.times, (False, True))],
        )
    )
    for subject in (*lexicon.subjects, *_phrases(lexicon, lexicon.nouns)):
        cores = [(None, complement) for complement in _predicates(lexicon, subject)]
        if isinstance(subject, Subject) or subject.noun.kind != "thing":
            for verb in lexicon.verbs:
                cores += [(verb, o) for o in lexicon.objects if _may_be_object(o, subject, verb)]
                cores += [(verb, country) for country in lexicon.countries]
                cores += [(verb, phrase) for phrase in _phrases(lexicon, lexicon.nouns)]
        for (verb, complement), (negated, adverb, (time, front)) in product(cores, around):
            yield Clause(subject, verb, complement, negated, adverb, time, front)


def count(lexicon: Lexicon = LEXICON) -> int:
    """How many different French sentences of one clause there are: products and sums, no listing.

    negated or not · adverb or none · time in front, at the end or none · (who does what + who is
    what).
    """

    def phrases(nouns):
        return sum(
            2 * len(DETERMINERS)
            * (1 + len(_adjectives(lexicon, noun, True)))
            * (1 + len(_adjectives(lexicon, noun, False)))
            for noun in nouns
        )  # fmt: skip

    doers = _doers(lexicon)
    objects = phrases(lexicon.nouns) + len(lexicon.countries)
    does = (len(lexicon.subjects) + phrases(doers)) * len(lexicon.verbs) * objects
    for verb in lexicon.verbs:
        vowel = begins_with_vowel(verb.forms[0])
        free = [o for o in lexicon.objects if not (vowel and o.french in ("le", "la"))]
        does += phrases(doers) * len(free)
        does += sum(who.person not in o.not_for for who in lexicon.subjects for o in free)
    changing = [a for a in lexicon.adjectives if not a.colour and a.forms[0] != a.forms[2]]
    plain = [a for a in lexicon.adjectives if not a.colour]
    both = sum(not who.gender for who in lexicon.subjects)
    is_something = len(lexicon.subjects) * len(plain) + both * len(changing)
    for noun in lexicon.nouns:
        said = plain if noun.kind == "person" else lexicon.adjectives
        is_something += phrases([noun]) * len(said)
    around = 2 * (1 + len(lexicon.adverbs)) * (1 + 2 * len(lexicon.times))
    return around * (does + is_something)


# --- Random sentences ---------------------------------------------------------------------------


def _pick(options, rng):
    """One of a sequence, each equally likely."""
    return options[int(rng.random() * len(options))]


def _draw_phrase(lexicon, nouns, rng):
    noun = _pick(nouns, rng)
    plural, kind = rng.random() < 0.4, _pick(DETERMINERS, rng)
    before, behind = (
        _pick(_adjectives(lexicon, noun, first), rng) if rng.random() < 0.35 else None
        for first in (True, False)
    )
    return NounPhrase(noun, plural, kind, before, behind)


def _draw_clause(lexicon, rng):
    """Half the subjects are pronouns, a quarter of the clauses say what something is."""
    verb = _pick(lexicon.verbs, rng) if rng.random() < 0.75 else None
    if rng.random() < 0.5:
        subject = _pick(lexicon.subjects, rng)
    else:
        subject = _draw_phrase(lexicon, _doers(lexicon) if verb else lexicon.nouns, rng)
    if verb is None:
        complement = _pick(_predicates(lexicon, subject), rng)
    elif (chance := rng.random()) < 0.2:
        allowed = [o for o in lexicon.objects if _may_be_object(o, subject, verb)]
        complement = _pick(allowed, rng)
    elif chance < 0.35:
        complement = _pick(lexicon.countries, rng)
    else:
        complement = _draw_phrase(lexicon, lexicon.nouns, rng)
    negated = rng.random() < 0.3
    adverb = _pick(lexicon.adverbs, rng) if rng.random() < 0.2 else None
    time = _pick(lexicon.times, rng) if rng.random() < 0.25 else None
    front = time is not None and rng.random() < 0.5
    return Clause(subject, verb, complement, negated, adverb, time, front)


def _range(clauses):
    """The fewest and the most clauses."""
    low, high = clauses if isinstance(clauses, tuple) and len(clauses) == 2 else (clauses, clauses)
    check_sizes(clauses=low)
    check_sizes(clauses=high)
    if low > high:
        raise ValueError(f"clauses must be a number or (fewest, most), got {clauses!r}")
    return low, high


def _draw(rng, clauses):
    low, high = clauses
    n = low if low == high else int(rng.integers(low, high + 1))
    made = [_draw_clause(LEXICON, rng) for _ in range(n)]
    return sentence(made, [_pick(LINKS, rng) for _ in range(n - 1)])


def generate(n: int, rng, clauses: int | tuple = 1) -> list:
    """n random pairs; the same rng state gives the same pairs. A sentence may come twice.

    clauses: how many each sentence has, or (fewest, most), drawn evenly.
    Raises: ValueError if n or clauses is not positive, or fewest exceeds most.
    """
    check_sizes(n=n)
    limits = _range(clauses)
    return [_draw(rng, limits) for _ in range(n)]


# --- Combinations, and a split that withholds some ----------------------------------------------

NOUN_FORMS = {form: n.english for n in LEXICON.nouns for form in (n.singular, n.plural)}
ADJECTIVE_FORMS = {form: a.english for a in LEXICON.adjectives for form in a.forms}
VERB_FORMS = {
    form: " ".join((v.english, *v.preposition)) for v in LEXICON.verbs for form in v.forms
}
COUNTRY_NAMES = {french[-1]: " ".join(english) for french, english in LEXICON.countries}
LINK_WORDS = {french[-1] for french, _ in LINKS} | {"qu'"}


def combinations(french) -> frozenset:
    """The combinations in a French sentence, named in English.

    ("black", "cat") for every adjective next to its noun, ("love", "China") for every verb and the
    noun or country that is its object. In *le chat est noir* no word stands with another in this
    sense.
    """
    found, verb = set(), None
    for i, word in enumerate(french):
        if word in LINK_WORDS:
            verb = None
        elif word in VERB_FORMS:
            verb = VERB_FORMS[word]
        elif word in NOUN_FORMS or word in COUNTRY_NAMES:
            thing = NOUN_FORMS.get(word) or COUNTRY_NAMES[word]
            if verb:
                found.add((verb, thing))
            if word in NOUN_FORMS:
                for j in (i - 1, i + 1):
                    if 0 <= j < len(french) and french[j] in ADJECTIVE_FORMS:
                        found.add((ADJECTIVE_FORMS[french[j]], thing))
    return frozenset(found)


class Split(NamedTuple):
    """Pairs to train on, and three sets of other sentences; withheld: combinations left out.

    valid, test: new sentences, none with a withheld combination; unseen: new sentences, each with
    at least one. No French sentence occurs twice in all four.
    """

    train: tuple
    valid: tuple
    test: tuple
    unseen: tuple
    withheld: frozenset


def withhold(rng, share: float = 0.1) -> frozenset:
    """A share of the combinations of each adjective with nouns, and of each verb with objects.

    At least one and never all of a word's, so that all words are still learned.
    Raises: ValueError unless 0 < share ≤ 0.5.
    """
    if not 0 < share <= 0.5:
        raise ValueError(f"share must lie in 0 < share ≤ 0.5, got {share!r}")
    nouns = dict.fromkeys(n.english for n in LEXICON.nouns)  # friend and neighbour once
    rows = [[(a.english, noun) for noun in
             dict.fromkeys(n.english for n in LEXICON.nouns if _fits(a, n))]
            for a in LEXICON.adjectives]  # fmt: skip
    rows += [[(verb, thing) for thing in (*nouns, *COUNTRY_NAMES.values())]
             for verb in dict.fromkeys(VERB_FORMS.values())]  # fmt: skip
    chosen = set()
    for row in rows:
        n = max(1, round(share * len(row)))
        chosen |= {row[i] for i in rng.choice(len(row), n, replace=False)}
    return frozenset(chosen)


def split(rng, n_train: int, n_test: int, clauses: int | tuple = 1, share: float = 0.1) -> Split:
    """n_train pairs, and n_test each for valid, test and unseen; every word of those is in train.

    share: of each word's combinations, how many are withheld from train; see `withhold`.
    Raises: ValueError if a number is not positive, or n_train too small to show enough words.
    """
    check_sizes(n_train=n_train, n_test=n_test)
    limits, withheld, taken = _range(clauses), withhold(rng, share), set()

    def draw(n, unseen, known=None):
        pairs = []
        for _ in range(200 * n + 1000):
            pair = _draw(rng, limits)
            if pair.french in taken or bool(combinations(pair.french) & withheld) != unseen:
                continue
            if known is None or known.issuperset(pair.french + pair.english):
                taken.add(pair.french)
                pairs.append(pair)
                if len(pairs) == n:
                    return tuple(pairs)
        raise ValueError(
            f"found only {len(pairs)} of {n} sentences: with n_train={n_train}, clauses={clauses} "
            f"and share={share} the grammar has too few of this kind"
        )

    train = draw(n_train, unseen=False)
    known = {word for pair in train for word in pair.french + pair.english}
    return Split(train, *(draw(n_test, unseen, known) for unseen in (False, False, True)), withheld)


# --- Words and ids ------------------------------------------------------------------------------


def vocabularies(pairs) -> tuple:
    """The French words as text.Vocabulary, and the English ones behind the marks <s> and </s>.

    Raises: ValueError if there are no pairs.
    """
    return (
        Vocabulary.of(word for pair in pairs for word in pair.french),
        target_vocabulary(word for pair in pairs for word in pair.english),
    )


def encode(pairs, fr: Vocabulary, en: Vocabulary) -> tuple:
    """Sources and targets: two lists of id arrays, without marks.

    Raises: ValueError that names a word that is not in its vocabulary.
    """
    return [fr.encode(pair.french) for pair in pairs], [en.encode(pair.english) for pair in pairs]


def say(sentence) -> str:
    """Words → a sentence as it is usually written: 'Elle n'aime pas la Chine.'"""
    text = re.sub(r" ([.,])", r"\1", " ".join(sentence).replace("' ", "'"))
    return text[:1].upper() + text[1:]


def words(text: str) -> tuple:
    """A French sentence → words: the opposite of `say`. A full stop is added if there is none.

    Letters and accents may be composed or not, and apostrophes typographic ones.
    Raises: ValueError if there is no word.
    """
    text = re.sub("[’‘ʼ′´`]", "'", clean(text)).replace("aujourd'hui", "aujourd hui")
    text = text.replace("Aujourd'hui", "aujourd hui").replace("'", "' ")
    found = re.sub(r"([.,])", r" \1 ", text).replace("aujourd hui", "aujourd'hui").split()
    if not found or found[0] in (".", ","):
        raise ValueError(f"text holds no sentence, got {text!r}")
    if found[0] not in COUNTRY_NAMES:
        found[0] = found[0][0].lower() + found[0][1:]
    return tuple(found) if found[-1] == "." else (*found, ".")
