"""The grammar of French and English: rules of both, one translation each, a clean split."""

import unicodedata

import numpy as np
import pytest

from helpers.data import translation as tr
from helpers.data.translation import LEXICON, Clause, NounPhrase
from helpers.text import MARKS, pair_batch

NOUNS = {noun.singular: noun for noun in LEXICON.nouns}
ADJECTIVES = {a.forms[0]: a for a in LEXICON.adjectives}
VERBS = {verb.forms[2]: verb for verb in LEXICON.verbs}
SUBJECTS = {who.french: who for who in LEXICON.subjects}
OBJECTS = {whom.french: whom for whom in LEXICON.objects}
COUNTRIES = {french[-1]: (french, english) for french, english in LEXICON.countries}
TIMES = {french[-1]: (french, english) for french, english in LEXICON.times}
OFTEN = LEXICON.adverbs[0]

SMALL = LEXICON._replace(
    nouns=tuple(NOUNS[n] for n in ("abeille", "amie", "arbre")),
    adjectives=tuple(ADJECTIVES[a] for a in ("petit", "beau", "noir", "italien")),
    verbs=tuple(VERBS[v] for v in ("aime", "voit")),
    countries=LEXICON.countries[-2:],
    adverbs=LEXICON.adverbs[:1],
    times=LEXICON.times[1:2],
)


def rng(seed=0):
    return np.random.default_rng(seed)


def phrase(noun, plural=False, kind="the", before=None, behind=None):
    return NounPhrase(NOUNS[noun], plural, kind, ADJECTIVES.get(before), ADJECTIVES.get(behind))


def said(subject, verb, complement, **rest):
    """Both sentences, as they are usually written."""
    who = SUBJECTS.get(subject, subject)
    if verb is None:
        complement = ADJECTIVES[complement[0]], complement[1]
    elif isinstance(complement, str):
        complement = OBJECTS.get(complement) or COUNTRIES[complement]
    clause = Clause(who, VERBS.get(verb), complement, **rest)
    return tuple(tr.say(side) for side in tr.sentence([clause]))


@pytest.mark.parametrize(
    ("clause", "french", "english"),
    [
        (said("elle", "aime", "Chine"), "Elle aime la Chine.", "She loves China."),
        (
            said("elle", "aime", "Chine", negated=True),
            "Elle n'aime pas la Chine.", "She does not love China.",
        ),
        (said("je", "aime", "Inde"), "J'aime l'Inde.", "I love India."),
        (
            said("je", "aime", "Pays-Bas", negated=True),
            "Je n'aime pas les Pays-Bas.", "I do not love the Netherlands.",
        ),
        (said("il", "voit", "la"), "Il la voit.", "He sees her."),
        (said("elles", "voit", "le", negated=True), "Elles ne le voient pas.",
         "They do not see him."),
        (said("tu", "écoute", "me", negated=True), "Tu ne m'écoutes pas.",
         "You do not listen to me."),
        (said("je", "attend", "te"), "Je t'attends.", "I wait for you."),
        (
            said("nous", "cherche", phrase("chat", False, "the", None, "noir")),
            "Nous cherchons le chat noir.", "We look for the black cat.",
        ),
        (
            said(phrase("chat", False, "the", "petit", "noir"), "regarde",
                 phrase("oiseau", False, "a", "beau")),
            "Le petit chat noir regarde un bel oiseau.",
            "The little black cat looks at a beautiful bird.",
        ),
        (
            said("vous", "voit", phrase("maison", True, "a")),
            "Vous voyez des maisons.", "You see houses.",
        ),
        (
            said("vous", "voit", phrase("maison", True, "a", "vieux")),
            "Vous voyez de vieilles maisons.", "You see old houses.",
        ),
        (
            said("je", "voit", phrase("étoile", False, "a"), negated=True),
            "Je ne vois pas d'étoile.", "I do not see a star.",
        ),
        (
            said("je", "voit", phrase("étoile", True, "a"), negated=True),
            "Je ne vois pas d'étoiles.", "I do not see stars.",
        ),
        (
            said("il", "connaît", phrase("amie", False, "my"), adverb=OFTEN, negated=True),
            "Il ne connaît pas souvent mon amie.", "He does not often know my friend.",
        ),
        (
            said("elle", "cherche", phrase("hibou", False, "a", "nouveau"), adverb=OFTEN,
                 time=TIMES["soir"], front=True),
            "Le soir, elle cherche souvent un nouveau hibou.",
            "She often looks for a new owl in the evening.",
        ),
        (
            said("elle", "cherche", phrase("hibou", False, "the"), time=TIMES["aujourd'hui"]),
            "Elle cherche le hibou aujourd'hui.", "She looks for the owl today.",
        ),
        (said("elles", None, ("beau", "f")), "Elles sont belles.", "They are beautiful."),
        (said("je", None, ("italien", "f"), negated=True), "Je ne suis pas italienne.",
         "I am not Italian."),
        (said("il", None, ("vieux", "m"), time=TIMES["hiver"]), "Il est vieux en hiver.",
         "He is old in winter."),
        (
            said(phrase("arbre", True, "this"), None, ("nouveau", "m")),
            "Ces arbres sont nouveaux.", "These trees are new.",
        ),
    ],
)  # fmt: skip
def test_both_languages_by_example(clause, french, english):
    assert clause == (french, english)


@pytest.mark.parametrize(
    ("arguments", "french", "english"),
    [
        (("abeille",), "l'abeille", "the bee"),
        (("abeille", False, "my"), "mon abeille", "my bee"),
        (("abeille", False, "my", "petit"), "ma petite abeille", "my little bee"),
        (("étoile", True, "my"), "mes étoiles", "my stars"),
        (("oiseau", False, "this"), "cet oiseau", "this bird"),
        (("hibou", False, "this"), "ce hibou", "this owl"),
        (("hibou", False, "the"), "le hibou", "the owl"),
        (("étoile", False, "this"), "cette étoile", "this star"),
        (("oiseau", False, "this", "vieux"), "ce vieil oiseau", "this old bird"),
        (("oiseau", True, "the", "vieux", "blanc"), "les vieux oiseaux blancs",
         "the old white birds"),
        (("ami", False, "a", "nouveau"), "un nouvel ami", "a new friend"),
        (("hibou", True, "a"), "des hiboux", "owls"),
        (("hibou", False, "a"), "un hibou", "an owl"),
        (("hibou", False, "a", None, "noir"), "un hibou noir", "a black owl"),
        (("reine", False, "a", None, "italien"), "une reine italienne", "an Italian queen"),
        (("reine", True, "a", "beau", "triste"), "de belles reines tristes",
         "beautiful sad queens"),
        (("arbre", False, "the", None, "rouge"), "l'arbre rouge", "the red tree"),
    ],
)  # fmt: skip
def test_noun_phrases(arguments, french, english):
    made = phrase(*arguments)
    assert tr.say(tr.elide(made.french())) == french[0].upper() + french[1:]
    assert " ".join(made.english()) == english


def test_no_vowel_is_left_that_french_drops_and_none_is_dropped_without_need():
    for pair in tr.generate(4000, rng(1), (1, 3)):
        for word, after in zip(pair.french, pair.french[1:]):
            vowel = after[0].lower() in "aeiouéê"
            if word in ("je", "ne", "me", "te", "de", "que", "la", "ma", "ce"):
                assert not vowel, pair
            if word.endswith("'"):
                assert vowel, pair
            if word == "le":
                assert not vowel, pair
            if word in ("cet", "bel", "vieil", "nouvel"):
                assert vowel, pair


def test_subjects_and_verbs_agree():
    endings = {"j'": 0, "je": 0, "tu": 1, "il": 2, "elle": 2, "nous": 3, "vous": 4, "ils": 5,
               "elles": 5}  # fmt: skip
    forms = [*LEXICON.verbs, tr.BE]
    for pair in tr.generate(3000, rng(2)):
        found = [w for w in pair.french if any(w in verb.forms for verb in forms)]
        assert len(found) == 1, pair
        start = 0
        if "," in pair.french:
            start = pair.french.index(",") + 1
        who = pair.french[start]
        plural = who in ("les", "des", "de", "mes", "ces")
        person = endings.get(who, 5 if plural else 2)
        assert any(found[0] == verb.forms[person] for verb in forms), pair
        third = person == 2
        assert third == any(
            word in ("does", "is") or (word.endswith("s") and word[:-1] in
            {v.english for v in LEXICON.verbs}) for word in pair.english
        ), pair  # fmt: skip
        assert ("pas" in pair.french) == ("not" in pair.english)


def test_every_french_sentence_has_one_translation_and_count_counts_them_all():
    translations = {}
    n = 0
    for clause in tr.every_clause(SMALL):
        french, english = tr.sentence([clause])
        assert translations.setdefault(french, english) == english
        n += 1
    assert n == len(translations) == tr.count(SMALL) > 100_000
    assert tr.count() > 1_000_000_000


def test_longer_sentences_have_one_translation_too():
    translations = {}
    for french, english in tr.generate(5000, rng(3), (1, 6)):
        assert translations.setdefault(french, english) == english
    lengths = {len(french) for french in translations}
    assert min(lengths) == 4 and max(lengths) >= 40


def test_generate_is_reproducible_and_keeps_to_the_number_of_clauses():
    assert tr.generate(50, rng(4), (1, 3)) == tr.generate(50, rng(4), (1, 3))
    for pair in tr.generate(300, rng(5), 3):
        links = sum(word in ("et", "mais", "parce", "quand") for word in pair.french)
        assert links == 2 and pair.french[-1] == pair.english[-1] == "."


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        ("Elle aime la Chine.", {("love", "China")}),
        ("Le petit chat noir n'est pas triste.", {("little", "cat"), ("black", "cat")}),
        (
            "Mes amis cherchent une belle maison.",
            {("look for", "house"), ("beautiful", "house")},
        ),
        ("La reine le voit, mais le roi regarde le chat.", {("look at", "cat")}),
        ("Il voit les Pays-Bas parce qu'une poule est belle.", {("see", "the Netherlands")}),
    ],
)
def test_combinations(text, pairs):
    assert tr.combinations(tr.words(text)) == pairs


def test_a_split_repeats_no_source_keeps_combinations_out_and_knows_all_words():
    made = tr.split(rng(6), 2000, 200)
    assert [len(part) for part in made[:4]] == [2000, 200, 200, 200]
    sources = [pair.french for part in made[:4] for pair in part]
    assert len(sources) == len(set(sources))
    for part in (made.train, made.valid, made.test):
        assert not any(tr.combinations(pair.french) & made.withheld for pair in part)
    assert all(tr.combinations(pair.french) & made.withheld for pair in made.unseen)
    fr, en = tr.vocabularies(made.train)
    for part in made[:4]:
        tr.encode(part, fr, en)  # an unknown word would be an error
    assert {word for word, _ in made.withheld} >= {"black", "love", "look for"}
    assert made == tr.split(rng(6), 2000, 200)
    assert made.withheld != tr.split(rng(7), 2000, 200).withheld


def test_vocabularies_and_encode():
    pairs = tr.generate(200, rng(8))
    fr, en = tr.vocabularies(pairs)
    assert en.symbols[:2] == MARKS and "<s>" not in fr.index
    sources, targets = tr.encode(pairs, fr, en)
    assert tuple(fr.decode(sources[7])) == pairs[7].french
    assert tuple(en.decode(targets[7])) == pairs[7].english
    assert min(t.min() for t in targets) >= 2
    pair_batch(sources, targets)


def test_say_and_words_are_opposites():
    for pair in tr.generate(1000, rng(9), (1, 3)):
        assert tr.words(tr.say(pair.french)) == pair.french
    assert tr.words("Elle aime la Chine") == ("elle", "aime", "la", "Chine", ".")
    nfd = unicodedata.normalize("NFD", "Elle écoute la reine.")
    assert tr.words(nfd) == ("elle", "écoute", "la", "reine", ".")
    assert tr.words("J‘aime l´Inde") == tr.words("J'aime l'Inde")
    assert tr.words("Aujourd’hui , j’aime l’Inde .") == (
        "aujourd'hui", ",", "j'", "aime", "l'", "Inde", ".",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: tr.generate(0, rng()), "n must be a positive integer, got 0"),
        (lambda: tr.generate(5, rng(), 0), "clauses must be a positive integer, got 0"),
        (lambda: tr.generate(5, rng(), (3, 2)), r"fewest, most\), got \(3, 2\)"),
        (lambda: tr.generate(5, rng(), "two"), "clauses must be a positive integer, got 'two'"),
        (lambda: tr.split(rng(), 0, 5), "n_train must be a positive integer, got 0"),
        (lambda: tr.split(rng(), 5, 50), "n_train=5"),
        (lambda: tr.split(rng(), 5, 5, share=0.9), r"share must lie in 0 < share ≤ 0.5, got 0.9"),
        (lambda: tr.words("  "), "text holds no sentence"),
        (lambda: tr.vocabularies([]), "empty"),
    ],
)
def test_errors_name_what_is_wrong(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_an_unknown_word_is_an_error_that_names_it():
    fr, en = tr.vocabularies(tr.generate(100, rng()))
    with pytest.raises(ValueError, match=r"'éléphant' \(U\+00E9 .*\) at position 1"):
        tr.encode([tr.Pair(tr.words("un éléphant"), ())], fr, en)
