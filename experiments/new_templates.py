"""Slots in patterns that training never used: does reading both ways help there?

Two ways to hold out a quarter of the templates. "drawn": at random, as notebook 20 does. "pairs":
templates that are each other's mirror (*X is home and Y …*, with from and to exchanged) stay
together, so that training cannot teach the opposite of what the test asks; and every word of a
held-out template occurs in some template of the training.
"""

from functools import lru_cache

import numpy as np
import study

from helpers import tagger, text, train
from helpers.data import slots
from helpers.lstm import LSTM
from helpers.rnn import RNN

# Templates of one family, by their numbers in slots.TEMPLATES; all others stand alone.
FAMILIES = (
    (0, 1), (7, 8), (18, 19), (24, 25), (26, 27), (32, 33), (34, 35, 36), (37, 38), (39, 40),
    (41, 42, 43), (44, 45), (46, 47), (48, 49), (50, 51), (52, 53), (54, 55, 56), (57, 58),
    (59, 60), (61, 62), (63, 64), (65, 66),
)  # fmt: skip
# design → (cell, both directions, H): at most 5,000 parameters above an embedding of 24
DESIGNS = {"RNN →": (RNN, False, 54), "LSTM →": (LSTM, False, 24),
           "RNN ⇄": (RNN, True, 35), "LSTM ⇄": (LSTM, True, 14)}  # fmt: skip
SETTINGS = {"n_train": 2000, "updates": 500, "rate": 0.02, "B": 32, "D": 24, "per_template": 12}


def families() -> list:
    """All templates in families, those that stand alone included."""
    together = {i for family in FAMILIES for i in family}
    return [*FAMILIES, *((i,) for i in range(len(slots.TEMPLATES)) if i not in together)]


def words_of(templates) -> set:
    """The words of templates, slots left out."""
    return {w for template in templates for w in template.split() if not w.startswith("{")}


def held_out(kind: str, rng, share: float = 0.25) -> tuple:
    """Known templates and new ones: tuples of templates."""
    templates, n = slots.TEMPLATES, round(share * len(slots.TEMPLATES))
    if kind == "drawn":
        new = {int(i) for i in rng.permutation(len(templates))[:n]}
    else:
        new, groups = set(), families()
        for i in rng.permutation(len(groups)):
            trial = new | set(groups[i])
            kept = [t for j, t in enumerate(templates) if j not in trial]
            if len(trial) <= n and words_of(templates[j] for j in trial) <= words_of(kept):
                new = trial
    return (tuple(t for i, t in enumerate(templates) if i not in new),
            tuple(t for i, t in enumerate(templates) if i in new))  # fmt: skip


@lru_cache
def material(kind: str, seed: int, n_train: int):
    """Templates, training sentences, vocabulary and the rates of word dropout of one split."""
    rng = np.random.default_rng(seed)
    known, new = held_out(kind, rng)
    sentences = slots.generate(n_train, rng, known)
    vocab = slots.vocabulary(sentences)
    return known, new, sentences, vocab, slots.drop_rates(sentences, vocab)


def fit(case, settings):
    """Train one design on one split."""
    cell, both, H = DESIGNS[case["design"]]
    _, _, sentences, vocab, rates = material(case["kind"], case["seed"], settings["n_train"])
    rng, B, n = np.random.default_rng(100 + case["seed"]), settings["B"], settings["updates"]
    params = tagger.init_tagger(cell, len(vocab), settings["D"], H, len(slots.TAGS), rng,
                                bidirectional=both)  # fmt: skip
    words, tags = slots.encode(sorted(sentences, key=lambda s: len(s.words)), vocab)

    def batches():
        while True:
            i = rng.integers(len(words) - B + 1)
            ids, lengths = text.pad(words[i : i + B])
            ids = slots.drop_words(ids, rates, vocab, rng)
            yield text.Batch((ids, lengths), text.pad(tags[i : i + B])[0])

    def step(params, batch, state):
        ids, lengths = batch.inputs
        return tagger.loss_and_grads(cell, params, ids, batch.targets, lengths)

    train.train(step, params, batches(), n, lr=train.linear_decay(settings["rate"], n),
                max_norm=1.0, progress=False)  # fmt: skip
    return cell, params, vocab


def found(cell, params, vocab, templates, n: int) -> list:
    """Share of slots found exactly, [where words before decide, where only later words do]."""
    later, rng = slots.undecided(), np.random.default_rng(7)
    hits = {False: [], True: []}
    for template in templates:
        sentences = slots.generate(n, rng, [template])
        ids, lengths = text.pad([vocab.encode(words) for words, _ in sentences])
        best = tagger.predict(cell, params, ids, lengths).argmax(axis=-1)
        for b, (_, tags) in enumerate(sentences):
            said = slots.spans(slots.TAGS.decode(best[: lengths[b], b]))
            for span, flag in zip(slots.spans(tags), later[template]):
                hits[flag].append(span in said)
    return [float(np.mean(hits[flag])) if hits[flag] else 1.0 for flag in (False, True)]


def run(case, settings):
    known, new, *_ = material(case["kind"], case["seed"], settings["n_train"])
    flags = [flag for template in new for flag in slots.undecided()[template]]
    model = fit(case, settings)
    before, later = found(*model, new, settings["per_template"])
    return {
        "before": before, "later": later,
        "known, later": found(*model, known, 4)[1],
        "slots": len(flags), "decided later": sum(flags),
        "with unknown words": sum(not words_of([t]) <= words_of(known) for t in new),
    }  # fmt: skip


STUDY = study.Study(
    name="new_templates",
    question="Does reading both ways help on patterns that training never used?",
    settings=SETTINGS,
    cases=[
        {"kind": kind, "design": design, "seed": seed}
        for seed in range(8)
        for kind in ("drawn", "pairs")
        for design in DESIGNS
    ],
    run=run,
    tolerance=0.3,
)

if __name__ == "__main__":
    study.main(STUDY)
