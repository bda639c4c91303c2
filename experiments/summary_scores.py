"""ROUGE of summaries: what copying, counting and the networks of summaries.py reach.

    python experiments/summary_scores.py --weights FOLDER

On the test part of `helpers.data.docstrings`: lead sentence; first words of the body; one line for
all; a sentence chosen by a logistic regression, trained to pick the one nearest to the summary; the
summary of the most similar training body (tf-idf); the best sentence, chosen by looking at the
summary; and the networks, greedy and with a beam. Settings are chosen on validation. About four
minutes on one core; writes the record summary_scores.json, with a bootstrap interval each.
"""

import argparse
import json
from datetime import date
from pathlib import Path

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from study import versions

from helpers.data import docstrings
from helpers.data.docstrings import rouge, sentences, summary_words
from helpers.trained import readers
from helpers.trained.records import TRAININGS


def first_words(pair, n):
    """The first n words of a body."""
    return " ".join(summary_words(pair.body)[:n])


def features(pair, idf):
    """A row for each sentence of a body: place, length, rare words, words shared with the rest."""
    found = [summary_words(s) for s in sentences(pair.body)]
    counts = {}
    for s in found:
        for w in set(s):
            counts[w] = counts.get(w, 0) + 1
    rows = []
    for i, s in enumerate(found):
        shared = np.mean([counts[w] > 1 for w in s])
        rare = np.mean([idf.get(w, 8.0) for w in s])
        first = s[0] in ("this", "the", "it"), s[0] in ("if", "note", "see")
        size = len(s), min(len(s), 12), abs(len(s) - 10)
        rows.append([i == 0, 1 / (1 + i), i / len(found), *size, shared, rare, *first])
    return np.array(rows, float)


def nearest_sentence(pair):
    """The number of the sentence with the highest ROUGE-L against the summary."""
    found = sentences(pair.body)
    return int(np.argmax(rouge([pair.summary] * len(found), found)[:, 2]))


def baselines(parts):
    """Name → answers for the test part."""
    train, valid, test = (parts[p] for p in docstrings.PARTS)
    means = {n: rouge([p.summary for p in valid], [first_words(p, n) for p in valid])[:, 2].mean()
             for n in (6, 8, 10, 12, 16)}  # fmt: skip
    n = max(means, key=means.get)
    answers = {
        "lead sentence": [sentences(p.body)[0] for p in test],
        f"first {n} words": [first_words(p, n) for p in test],
    }
    rng = np.random.default_rng(0)
    some = [valid[i] for i in rng.choice(len(valid), 150, replace=False)]
    lines = [train[i].summary for i in rng.choice(len(train), 150, replace=False)]
    best = max(lines, key=lambda x: rouge([p.summary for p in some], [x] * len(some))[:, 2].mean())
    answers["one line for all"] = [best] * len(test)
    tfidf = TfidfVectorizer(tokenizer=summary_words, token_pattern=None, sublinear_tf=True)
    known = tfidf.fit_transform([p.body for p in train])
    nearest = np.asarray((tfidf.transform([p.body for p in test]) @ known.T).argmax(axis=1)).ravel()
    answers["summary of the most similar body"] = [train[i].summary for i in nearest]
    idf = dict(zip(tfidf.get_feature_names_out(), tfidf.idf_))
    rows = [features(p, idf) for p in train]
    right = [np.arange(len(x)) == nearest_sentence(p) for x, p in zip(rows, train)]
    scale = StandardScaler().fit(np.concatenate(rows))
    chooser = LogisticRegression().fit(scale.transform(np.concatenate(rows)), np.concatenate(right))
    answers["sentence chosen by regression"] = [
        sentences(p.body)[chooser.decision_function(scale.transform(features(p, idf))).argmax()]
        for p in test
    ]
    answers["best sentence, summary known"] = [sentences(p.body)[nearest_sentence(p)] for p in test]
    return answers, {"line": best}


def main():
    """The command line; see the module."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", type=Path, required=True)
    folder = parser.parse_args().weights
    parts = {part: docstrings.pairs(part) for part in docstrings.PARTS}
    test = parts["test"]
    answers, note = baselines(parts)
    bodies = [p.body for p in test]
    for path in sorted(folder.glob("summaries*.npz")):
        network = readers.load_summariser(folder, name=path.stem)
        for way, options in {"greedy": {}, "beam of 4": {"k": 4}}.items():
            answers[f"network with attention, {way}"] = readers.summarise(
                network, bodies, **options
            )
    runs = []
    for name, lines in answers.items():
        values = rouge([p.summary for p in test], lines)
        low, high = docstrings.interval(values)
        result = {r: [round(float(v), 4) for v in (values[:, i].mean(), low[i], high[i])]
                  for i, r in enumerate(docstrings.ROUGES)}  # fmt: skip
        result["words"] = round(float(np.mean([len(summary_words(x)) for x in lines])), 2)
        runs.append({"case": {"method": name}, "result": result})
        print(name, result, flush=True)
    about = {
        "question": __doc__.splitlines()[0], "date": date.today().isoformat(),
        "machine": "two cores, one thread", "versions": versions(), "settings": note,
        "pairs": {part: len(found) for part, found in parts.items()},
    }  # fmt: skip
    lines = ",\n".join("  " + json.dumps(r) for r in runs)
    text = f'{{"about": {json.dumps(about, indent=1)},\n"runs": [\n{lines}\n]}}\n'
    (TRAININGS / "summary_scores.json").write_text(text, "utf-8")


if __name__ == "__main__":
    main()
