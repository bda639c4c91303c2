"""Characters or words? The reviews cut into words, and logistic regressions on both.

    python experiments/review_words.py [--words FILE]

Cuts the reviews into words with the segmenter of snownlp (three minutes; --words FILE keeps them,
and reads them if the file is there: `sentiment.py --words FILE` trains on it) and fits logistic
regressions on single tokens and on pairs of them, of characters and of words, the penalty chosen on
validation. Writes the record review_words.json.
"""

import argparse
import gzip
import json
from datetime import date
from pathlib import Path

import numpy as np
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from study import versions

from helpers.data import reviews
from helpers.trained.records import TRAININGS

PENALTIES = (0.03, 0.1, 0.3)
CASES = (("characters", 1), ("characters", 2), ("words", 1), ("words", 2))


def segment():
    """The words of each of `reviews.unique()`, cut at the longest length that a model reads."""
    from snownlp import seg

    return [seg.seg(r.text[: reviews.LONGEST]) for r in reviews.unique()[0]]


def tokens_of(words, kind):
    """The tokens of each part, as lists."""
    kept, _ = reviews.unique()
    found = {(r.label, r.line): w for r, w in zip(kept, words)}
    return [
        [list(r.text[: reviews.LONGEST]) if kind == "characters" else found[r.label, r.line]
         for r in part] for part in reviews.split()
    ]  # fmt: skip


def as_they_are(tokens):
    """What CountVectorizer calls on a text that is a list of tokens."""
    return tokens


def run(words, kind, n):
    """Accuracies of the logistic regression on runs of up to n tokens."""
    train, valid, test = tokens_of(words, kind)
    y = [np.array([r.label for r in part]) for part in reviews.split()]
    counter = CountVectorizer(
        tokenizer=as_they_are, preprocessor=as_they_are, token_pattern=None, ngram_range=(1, n),
        min_df=2, binary=True,
    )  # fmt: skip
    X = counter.fit_transform(train)
    fitted = {C: LogisticRegression(C=C, max_iter=300).fit(X, y[0]) for C in PENALTIES}
    scores = {C: model.score(counter.transform(valid), y[1]) for C, model in fitted.items()}
    best = max(scores, key=scores.get)
    known = set(counter.vocabulary_)
    unknown = [t not in known for text in test for t in text]
    return {
        "penalty": best, "valid": round(scores[best], 4), "features": X.shape[1],
        "test": round(fitted[best].score(counter.transform(test), y[2]), 4),
        "unknown": round(float(np.mean(unknown)), 4),
        "length": round(float(np.mean([len(text) for text in test])), 1),
    }  # fmt: skip


def main():
    """The command line; see the module."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--words", type=Path)
    path = parser.parse_args().words
    if path and path.exists():
        with gzip.open(path, "rt", encoding="utf-8") as file:
            words = json.load(file)
    else:
        words = segment()
        if path:
            with gzip.open(path, "wt", encoding="utf-8") as file:
                json.dump(words, file, ensure_ascii=False)
    runs = [{"case": {"tokens": kind, "n": n}, "result": run(words, kind, n)} for kind, n in CASES]
    about = {
        "question": __doc__.splitlines()[0], "date": date.today().isoformat(),
        "machine": "two cores, one thread", "versions": versions(),
        "settings": {"penalties": PENALTIES, "longest": reviews.LONGEST},
    }  # fmt: skip
    lines = ",\n".join("  " + json.dumps(r) for r in runs)
    text = f'{{"about": {json.dumps(about, indent=1)},\n"runs": [\n{lines}\n]}}\n'
    (TRAININGS / "review_words.json").write_text(text, "utf-8")
    print(lines)


if __name__ == "__main__":
    main()
