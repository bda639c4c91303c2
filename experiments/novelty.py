"""What is hard about words that training never showed together (notebook 21).

Two questions about the same small translator. *Twins*: a sentence with one withheld combination is
compared with the same sentence in which one word is exchanged, so that its combination is one that
training may have shown. Neither sentence was in training. *Prefixes*: the decoder reads the true
beginning of a translation, or the same beginning with one wrong word of the same kind, after which
the rest of the true translation stays right. That is asked of a network trained on true prefixes,
and of one that met such wrong words in training.
"""

import numpy as np
import study

from helpers import decoding, seq2seq
from helpers.data import translation
from helpers.data.translation import (
    DETERMINERS,
    LEXICON,
    Clause,
    NounPhrase,
    begins_with_vowel,
    combinations,
    sentence,
)
from helpers.gru import GRU
from helpers.text import pair_batch, pair_batches
from helpers.train import linear_decay, train

MODEL = seq2seq.Seq2Seq(GRU, context="summary", feed="both")
SETTINGS = {
    "n_train": 6000, "n_test": 300, "twins": 300, "B": 32, "noise": 0.2,
    "large": {"D": 48, "H": 96, "n": 800, "lr": 0.01},
    "small": {"D": 32, "H": 64, "n": 300, "lr": 0.02},
}  # fmt: skip


# --- Twins: one word exchanged ------------------------------------------------------------------


def pick(options, rng):
    return options[int(rng.integers(len(options)))]


def in_frame(frame, verb, adjective):
    """The sentence that a verb and an adjective make in a frame, with its translation."""
    subject, noun, plural, which, before, rest = frame
    both = (adjective, None) if before else (None, adjective)
    return sentence([Clause(subject, verb, NounPhrase(noun, plural, which, *both), **rest)])


def twins(withheld, taken, n, kind, rng):
    """n pairs (withheld, seen) of sentences that differ in one word, and the two English words.

    kind "adjective": the adjective beside a noun is exchanged; "object": the verb before it.
    """
    found, lexicon = [], LEXICON
    while len(found) < n:
        noun, verb = pick(lexicon.nouns, rng), pick(lexicon.verbs, rng)
        before = bool(rng.integers(2))
        fitting = [a for a in lexicon.adjectives if a.before is before
                   and not (a.colour and noun.kind == "person")]  # fmt: skip
        adjective = pick(fitting, rng)
        rest = {
            "negated": rng.random() < 0.3,
            "adverb": pick(lexicon.adverbs, rng) if rng.random() < 0.2 else None,
            "time": pick(lexicon.times, rng) if rng.random() < 0.25 else None,
        }
        subject, plural, which = pick(lexicon.subjects, rng), rng.random() < 0.4, pick(
            DETERMINERS, rng)  # fmt: skip

        frame = (subject, noun, plural, which, before, rest)
        if kind == "adjective":
            other_adjective, other_verb = pick(fitting, rng), verb
            words = adjective.english, other_adjective.english
            alike = adjective.english[0] in "aeiouI", other_adjective.english[0] in "aeiouI"
        else:
            other_adjective, other_verb = adjective, pick(lexicon.verbs, rng)
            words = verb.english, other_verb.english
            alike = begins_with_vowel(verb.forms[0]), begins_with_vowel(other_verb.forms[0])
        new = in_frame(frame, verb, adjective)
        known = in_frame(frame, other_verb, other_adjective)
        if (alike[0] == alike[1] and len(combinations(new.french) & withheld) == 1
                and not combinations(known.french) & withheld
                and not {new.french, known.french} & taken):  # fmt: skip
            taken |= {new.french, known.french}
            found.append((new, known, *words))
    return found


def has_word(answer, word):
    """Is the word, or the word with an -s, in the answer?"""
    return word in answer or word + "s" in answer


# --- Prefixes: one wrong word -------------------------------------------------------------------


def classes(en):
    """Ids of English words that may stand for each other: lists of equal number and first sound."""
    groups = {}
    for noun in LEXICON.nouns:
        groups.setdefault(("noun", 1, noun.english[0] in "aeiou"), set()).add(noun.english)
        groups.setdefault(("noun", 2, False), set()).add(noun.english_plural)
    for adjective in LEXICON.adjectives:
        groups.setdefault(("adjective", adjective.english[0] in "aeiouI"), set()).add(
            adjective.english)  # fmt: skip
    for verb in LEXICON.verbs:
        if not verb.preposition:
            groups.setdefault(("verb", 1), set()).add(verb.english + "s")
            groups.setdefault(("verb", 2), set()).add(verb.english)
    known = ([en.index[w] for w in sorted(g) if w in en.index] for g in groups.values())
    return [np.array(g) for g in known if len(g) > 1]


def exchanged(ids, groups, rng):
    """The same ids, every word that is in a group replaced by another one of its group."""
    new = ids.copy()
    for group in groups:
        place = np.isin(ids, group)
        at = np.searchsorted(np.sort(group), ids[place])
        shift = rng.integers(1, len(group), at.shape)
        new[place] = np.sort(group)[(at + shift) % len(group)]
    return new


def learn(size, split, vocabs, seed, B, groups=None, noise=0.0):
    """Train; with `noise`, so many of the replaceable words that the decoder reads are wrong."""
    rng, noise_rng = np.random.default_rng(20 + seed), np.random.default_rng(70 + seed)
    params = seq2seq.init_seq2seq(
        MODEL, *map(len, vocabs), size["D"], size["H"], np.random.default_rng(10 + seed)
    )

    def gradient(p, batch, _):
        if noise:
            wrong = exchanged(batch.inputs, groups, noise_rng)
            chosen = noise_rng.random(wrong.shape) < noise
            batch = batch._replace(inputs=np.where(chosen, wrong, batch.inputs))
        return seq2seq.loss_and_grads(MODEL, p, batch)

    batches = pair_batches(*translation.encode(split.train, *vocabs), B, rng)
    train(gradient, params, batches, size["n"], lr=linear_decay(size["lr"], size["n"]),
          max_norm=1.0, progress=False)  # fmt: skip
    return params


def translate(params, pairs, vocabs):
    batch = pair_batch(*translation.encode(pairs, *vocabs))
    encoded, _ = seq2seq.encode(MODEL, params, batch.source, batch.lengths)
    step, first = seq2seq.decoder_step(MODEL, params, encoded)
    return [tuple(vocabs[1].decode(h.ids)) for h in decoding.greedy(step, first, max_length=30)]


def exact(said, pairs):
    return float(np.mean([words == pair.english for words, pair in zip(said, pairs)]))


def behind_a_wrong_word(params, pairs, vocabs, groups, rng, steps=4):
    """Share of wrong next words 1 … steps places behind an exchanged word: (true, wrong prefix).

    One replaceable word of each translation is exchanged in what the decoder reads.
    """
    batch = pair_batch(*translation.encode(pairs, *vocabs))
    may = np.isin(batch.inputs, np.concatenate(groups))
    wrong_inputs, at = batch.inputs.copy(), np.full(len(pairs), -1)
    other = exchanged(batch.inputs, groups, rng)
    for b in np.flatnonzero(may.any(axis=0)):
        at[b] = rng.choice(np.flatnonzero(may[:, b]))
        wrong_inputs[at[b], b] = other[at[b], b]
    rates = []
    for inputs in (batch.inputs, wrong_inputs):
        z, _ = seq2seq.predict(MODEL, params, batch._replace(inputs=inputs))
        wrong = z.argmax(axis=-1) != batch.targets
        # inputs[t] is the symbol before targets[t]: the first word behind it is target t
        rows = [
            [
                wrong[at[b] + k, b]
                for b in range(len(pairs))
                if at[b] >= 0 and at[b] + k < batch.target_lengths[b]
            ]
            for k in range(steps)
        ]
        rates.append([float(np.mean(row)) for row in rows])
    return rates


# --- One run ------------------------------------------------------------------------------------


def run(case, settings):
    seed = case["seed"]
    split = translation.split(np.random.default_rng(seed), settings["n_train"], settings["n_test"])
    vocabs = translation.vocabularies(split.train)
    groups, B = classes(vocabs[1]), settings["B"]
    if case["ask"] == "twins":
        params = learn(settings["large"], split, vocabs, seed, B)
        result = {name: exact(translate(params, getattr(split, name), vocabs), getattr(split, name))
                  for name in ("test", "unseen")}  # fmt: skip
        taken = {pair.french for pair in split.train}
        for kind in ("adjective", "object"):
            found = twins(split.withheld, taken, settings["twins"] // 2, kind,
                          np.random.default_rng(500 + seed))  # fmt: skip
            for i, name in enumerate(("withheld", "seen")):
                pairs = [row[i] for row in found]
                said = translate(params, pairs, vocabs)
                result[f"{kind}, {name}, exact"] = exact(said, pairs)
                result[f"{kind}, {name}, word"] = float(np.mean(
                    [has_word(words, row[2 + i]) for words, row in zip(said, found)]))  # fmt: skip
        return result
    noise = settings["noise"] if case["prefixes"] == "noisy" else 0.0
    params = learn(settings["small"], split, vocabs, seed, B, groups, noise)
    true, wrong = behind_a_wrong_word(
        params, split.test, vocabs, groups, np.random.default_rng(900 + seed)
    )
    said = translate(params, split.test, vocabs)
    return {"exact": exact(said, split.test), "true prefix": true, "wrong prefix": wrong}


SEEDS = range(10)
STUDY = study.Study(
    name="novelty",
    question="What does a withheld combination cost, and what does a wrong word before it cost?",
    settings=SETTINGS,
    cases=[{"ask": "prefixes", "prefixes": kind, "seed": seed}
           for seed in SEEDS for kind in ("true", "noisy")]
    + [{"ask": "twins", "seed": seed} for seed in SEEDS],
    run=run,
    tolerance=0.15,
)  # fmt: skip

if __name__ == "__main__":
    study.main(STUDY)
