"""Sentences inside and beyond the lengths of training, with and without attention (notebook 23).

Training shows sentences of one to three clauses and at most `longest` French words. The test has
sentences of one to three clauses, too, of every length up to twice that. So a long test sentence
has no clause more than some training sentences had; it has more words.
"""

import numpy as np
import study
from attention_dates import answers, learn

from helpers import attention, seq2seq
from helpers.data import translation
from helpers.gru import GRU
from helpers.seq2seq import Seq2Seq
from helpers.text import pair_batch, sequence_mask

SETTINGS = {"n_train": 6000, "longest": 18, "edges": [4, 7, 10, 13, 16, 19, 22, 25, 31],
            "per bucket": 60, "D": 24, "H": 64, "B": 32, "lr": 0.02}  # fmt: skip
DESIGNS = {
    "fixed": Seq2Seq(GRU, context="last", feed="both"),
    "dot": Seq2Seq(GRU, feed="start", attention=attention.DOT),
}


def sentences(settings):
    """Training pairs, and for each bucket of French lengths as many new test pairs."""
    rng, train, taken = np.random.default_rng(0), [], set()
    while len(train) < settings["n_train"]:
        [pair] = translation.generate(1, rng, clauses=(1, 3))
        if len(pair.french) <= settings["longest"]:
            train.append(pair)
            taken.add(pair.french)
    known = {word for pair in train for word in pair.french + pair.english}
    edges = settings["edges"]
    tests = [[] for _ in edges[1:]]
    while min(map(len, tests)) < settings["per bucket"]:
        [pair] = translation.generate(1, rng, clauses=(1, 3))
        k = int(np.digitize(len(pair.french), edges)) - 1
        if not 0 <= k < len(tests) or len(tests[k]) == settings["per bucket"]:
            continue
        if pair.french not in taken and known.issuperset(pair.french + pair.english):
            taken.add(pair.french)
            tests[k].append(pair)
    return train, tests


def run(case, settings):
    train_pairs, tests = sentences(settings)
    fr, en = translation.vocabularies(train_pairs)
    model = DESIGNS[case["design"]]
    params, _ = learn(model, case["seed"], translation.encode(train_pairs, fr, en),
                      (len(fr), len(en)), case["n"], settings["lr"], settings["D"], settings["H"],
                      settings["B"])  # fmt: skip
    exact, words = [], []
    for test in tests:
        pairs = translation.encode(test, fr, en)
        said = answers(model, params, pairs, en, 60)
        exact.append(float(np.mean([tuple(s) == p.english for s, p in zip(said, test)])))
        batch = pair_batch(*pairs)
        z, _ = seq2seq.predict(model, params, batch)
        mask = sequence_mask(batch.target_lengths, len(z))
        words.append(float((z.argmax(axis=-1) == batch.targets)[mask].mean()))
    return {"exact": exact, "words": words, "mean length": [
        float(np.mean([len(p.french) for p in test])) for test in tests]}  # fmt: skip


STUDY = study.Study(
    name="attention_length",
    question="How do translations fail with length, inside and beyond the lengths of training?",
    settings=SETTINGS,
    cases=[{"design": name, "n": n, "seed": seed} for seed in range(3)
           for name, n in (("fixed", 200), ("dot", 200), ("fixed", 600), ("dot", 600))]
    + [{"design": "fixed", "n": 1800, "seed": seed} for seed in range(1)]
    + [{"design": name, "n": 600, "seed": seed} for seed in range(3, 10) for name in DESIGNS]
    + [{"design": "fixed", "n": 1800, "seed": seed} for seed in range(1, 5)],
    run=run,
    tolerance=0.25,
)  # fmt: skip

if __name__ == "__main__":
    study.main(STUDY)
