"""Stories of people and things, a fact a line, and questions: made data.

In the manner of the bAbI tasks (Weston et al. 2015): a small world is simulated, its events are
told one by one, and a question is asked whose answer follows from one fact (where is a person?),
or from two (where is a thing: who took it last, and where is or was that person?).

What made data leave out: the sentences have three patterns and some thirty words, every fact is
true and told in order, nobody is called "he" or "it", and nothing must be known about the world.
"""

import random
import re
from collections import Counter
from typing import NamedTuple

import numpy as np

from ..checks import check_not_negative, check_sizes
from ..text import Vocabulary

PEOPLE = ("anna", "ben", "clara", "david", "emma")
PLACES = ("kitchen", "garden", "office", "bedroom", "hallway", "cellar")
THINGS = ("apple", "book", "lamp", "ball")
KINDS = ("person", "thing", "holder")
NOBODY = "nobody"
ANSWERS = (*PLACES, *PEOPLE, NOBODY)
VERBS = {"move": "went to the", "take": "took the", "drop": "dropped the"}
WORDS = Vocabulary.of(
    [*ANSWERS, *THINGS, *" ".join(VERBS.values()).split(), "where", "is", "who", "has", "?"]
)


class Story(NamedTuple):
    """Facts in order, a question, its answer, the kind of question, and which facts are needed."""

    facts: tuple
    question: str
    answer: str
    kind: str
    support: tuple


class World:
    """Who is where, who holds what, where each thing lies, and the facts that say so."""

    def __init__(self):
        self.place, self.holder, self.lies = {}, {}, {}
        self.moved, self.last = {}, {}  # number of the fact that says where, or who holds it

    def tell(self, number: int, who: str, verb: str, what: str) -> None:
        """One event happens: it is fact `number`."""
        if verb == "move":
            self.place[who], self.moved[who] = what, number
        else:
            self.holder[what] = who if verb == "take" else None
            self.last[what] = number
            if verb == "drop":
                self.lies[what] = (self.place.get(who), self.moved.get(who))

    def where_is(self, thing: str):
        """The place of a thing and the two facts that give it; the place is None if not told."""
        who = self.holder[thing]
        place, moved = (
            self.lies[thing] if who is None else (self.place.get(who), self.moved.get(who))
        )
        return place, (self.last[thing], moved)


def next_event(world: World, rng: random.Random) -> tuple:
    """Who, verb, what: half the events are moves, the rest taking and dropping, if possible."""
    who = rng.choice(PEOPLE)
    if rng.random() < 0.5 or who not in world.place:
        return who, "move", rng.choice([p for p in PLACES if p != world.place.get(who)])
    held = [t for t in THINGS if world.holder.get(t) == who]
    if held and rng.random() < 0.5:
        return who, "drop", rng.choice(held)
    free = [
        t
        for t in THINGS
        if world.holder.get(t) is None
        and (t not in world.lies or world.lies[t][0] == world.place[who])
    ]
    if free:
        return who, "take", rng.choice(free)
    return who, "move", rng.choice([p for p in PLACES if p != world.place[who]])


def make_story(n_facts: int, rng: random.Random) -> Story:
    """A story of n facts with one question, of a kind drawn from those that have an answer."""
    world, facts = World(), []
    for number in range(n_facts):
        who, verb, what = next_event(world, rng)
        world.tell(number, who, verb, what)
        facts.append(f"{who} {VERBS[verb]} {what}")
    kind = rng.choice(KINDS if world.holder else KINDS[:1])
    if kind == "person":
        who = rng.choice(sorted(world.place))
        asked = (f"where is {who} ?", world.place[who], (world.moved[who],))
    else:
        thing = rng.choice(sorted(world.holder))
        if kind == "thing":
            place, support = world.where_is(thing)
            asked = (f"where is the {thing} ?", place, support)
        else:
            holder = world.holder[thing] or NOBODY
            asked = (f"who has the {thing} ?", holder, (world.last[thing],))
    return Story(tuple(facts), asked[0], asked[1], kind, asked[2])


def make_stories(n: int, lengths, seed: int) -> list:
    """n stories whose numbers of facts are drawn from `lengths`, a sequence of positive integers.

    Raises: ValueError if n or a length is not a positive integer, or the seed is negative.
    """
    lengths = list(lengths)
    check_sizes(n=n, **{f"lengths[{i}]": length for i, length in enumerate(lengths)})
    check_not_negative("seed", seed)
    if not lengths:
        raise ValueError("lengths is empty: a story needs a number of facts")
    rng = random.Random(seed)
    return [make_story(rng.choice(lengths), rng) for _ in range(n)]


def words(story: Story) -> list:
    """Facts and question, one word after another, as a network reads them."""
    return [*" ".join(story.facts).split(), *story.question.split()]


def encode(story: Story) -> np.ndarray:
    """The ids of `words`, by `WORDS`. Raises: ValueError for a word that no story has."""
    return WORDS.encode(words(story))


def target(story: Story) -> int:
    """The number of the answer among `ANSWERS`.

    Raises: ValueError if it is none of them.
    """
    if story.answer not in ANSWERS:
        raise ValueError(f"answer {story.answer!r} is none of {ANSWERS}")
    return ANSWERS.index(story.answer)


def parse_fact(fact: str) -> tuple:
    """Who, verb, what of a fact.

    Raises: ValueError that shows the patterns.
    """
    for verb, words_between in VERBS.items():
        found = re.fullmatch(rf"(\w+) {words_between} (\w+)", fact)
        if found:
            return found[1], verb, found[2]
    known = ", ".join(f"'NAME {v} …'" for v in VERBS.values())
    raise ValueError(f"a fact reads {known}, got {fact!r}")


# --- Answers without a network ------------------------------------------------------------------


def solve(story: Story) -> str:
    """The answer by a program that knows the patterns: it proves that every question has one."""
    world = World()
    for number, fact in enumerate(story.facts):
        world.tell(number, *parse_fact(fact))
    asked = story.question.removesuffix(" ?").split()[-1]
    if story.kind == "person":
        return world.place[asked]
    return world.where_is(asked)[0] if story.kind == "thing" else world.holder[asked] or NOBODY


def most_frequent(stories) -> dict:
    """The most frequent answer to each kind of question: what is right without any story."""
    counts = {kind: Counter(s.answer for s in stories if s.kind == kind) for kind in KINDS}
    return {kind: found.most_common(1)[0][0] for kind, found in counts.items() if found}


def last_mentioned(story: Story) -> str:
    """The last place told, or for "who has" the last person; the rule that looks at no name."""
    known = PEOPLE if story.kind == "holder" else PLACES
    told = [w for w in " ".join(story.facts).split() if w in known]
    return told[-1]


def last_fact_about(story: Story) -> str:
    """One fact only: the last one that names who or what is asked for, and what it says of it.

    Of a person the last place; of a thing the last person who took it, for "who has", and for
    "where is" the last place that was told before that fact, whoever went there.
    """
    asked = story.question.removesuffix(" ?").split()[-1]
    facts = [parse_fact(fact) for fact in story.facts]
    if story.kind == "person":
        return [what for who, verb, what in facts if who == asked and verb == "move"][-1]
    where = max(i for i, (_, _, what) in enumerate(facts) if what == asked)
    who, verb, _ = facts[where]
    if story.kind == "holder":
        return who if verb == "take" else NOBODY
    return [what for _, verb, what in facts[: where + 1] if verb == "move"][-1]
