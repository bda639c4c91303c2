"""Reading lines of digits without a recurrent network: classifiers of scikit-learn on windows.

"columns": the digit (or none) of a column, from the columns around it; equal neighbours are merged,
runs shorter than `shortest` dropped. It is trained on the true label of each column.
"windows": is the middle of a digit here, and of which one? From the columns around; then the surest
place is taken, its neighbourhood of `radius` columns left out, and so on down to a `threshold`
(non-maximum suppression). It is trained on the true middles of the digits.

Both know the positions in training, which CTC does not. The width of the window is in the case; the
other settings are chosen on the validation lines within each run, and so is the width by whoever
reads the record. Classifiers: logistic regression, and
for the windows a network with a hidden layer of 200, which sees two fifths of the columns without a
middle in training.
"""

import itertools

import numpy as np
import study
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier

from helpers.ctc import collapse
from helpers.data import digit_lines

SETTINGS = {"lines": 2000, "shortest": [1, 2, 3], "radius": [1, 2, 3], "near": 0.5,
            "threshold": [0.05, 0.1, 0.2, 0.3, 0.4], "keep": 0.4}  # fmt: skip


def windows(strip, half):
    """Each column with `half` columns on either side, blank at the ends: (T, (2·half + 1)·8)."""
    padded = np.pad(strip, ((half, half), (0, 0)))
    return np.lib.stride_tricks.sliding_window_view(padded, 2 * half + 1, axis=0).reshape(
        len(strip), -1
    )


def strips(lines):
    """Each line without its padding: (T, 8)."""
    return [lines.x[:n, b] for b, n in enumerate(lines.lengths)]


def middles(lines, near):
    """The label of each column for "windows": a digit if its middle is at most `near` away."""
    labels = []
    for b, n in enumerate(lines.lengths):
        labels.append(np.zeros(n, int))
        for symbol, centre in zip(lines.targets[b], lines.centres[b]):
            labels[-1][np.abs(np.arange(n) - centre) <= near] = symbol
    return labels


def make(name, seed):
    if name == "logistic":
        return LogisticRegression(C=1.0, max_iter=200)
    return MLPClassifier((200,), early_stopping=True, max_iter=60, random_state=seed)


def merge(p, shortest):
    """The likeliest label of each column, merged; runs shorter than `shortest` are blank."""
    best = p.argmax(axis=1)
    edges = np.flatnonzero(np.diff(best, prepend=-1, append=-1))
    for i, j in zip(edges[:-1], edges[1:]):
        if j - i < shortest:
            best[i:j] = 0
    return collapse(best)


def suppress(p, radius, threshold):
    """The surest middle of a digit, then the surest outside its neighbourhood, and so on."""
    symbol, sure, found = 1 + p[:, 1:].argmax(axis=1), 1 - p[:, 0], []
    while sure.max() >= threshold:
        t = int(sure.argmax())
        found.append((t, int(symbol[t])))
        sure[max(0, t - radius) : t + radius + 1] = -1
    return tuple(symbol for _, symbol in sorted(found))


def run(case, settings):
    parts, half = digit_lines.parts(), case["half"]
    lines = digit_lines.train_lines(settings["lines"], np.random.default_rng(case["seed"]))
    x = np.concatenate([windows(strip, half) for strip in strips(lines)])
    if case["kind"] == "columns":
        y = np.concatenate([lines.columns[:n, b] for b, n in enumerate(lines.lengths)])
        ways, decode = [{"shortest": n} for n in settings["shortest"]], merge
    else:
        y = np.concatenate(middles(lines, settings["near"]))
        ways = [
            {"radius": r, "threshold": t}
            for r, t in itertools.product(settings["radius"], settings["threshold"])
        ]
        decode = suppress
    if case["model"] == "network":  # fewer columns without a middle: half the time
        keep = (y > 0) | (np.random.default_rng(case["seed"]).random(len(y)) < settings["keep"])
        x, y = x[keep], y[keep]
    model = make(case["model"], case["seed"]).fit(x, y)

    def probabilities(part):
        return [model.predict_proba(windows(strip, half)) for strip in strips(part)]

    def error(p, part, way):
        return digit_lines.error_rate([decode(q, **way) for q in p], part.targets)

    p = probabilities(parts.valid)
    way = min(ways, key=lambda way: error(p, parts.valid, way))
    result = {name: error(probabilities(part), part, way) for name, part in parts._asdict().items()}
    return {**result, **way}


# kind, classifier, and how many seeds: logistic regression has one answer
KINDS = (("columns", "logistic", 1), ("windows", "logistic", 1), ("windows", "network", 3))

STUDY = study.Study(
    name="line_baselines",
    question="How well are lines of digits read by classifiers of windows?",
    settings=SETTINGS,
    cases=[
        {"kind": kind, "model": model, "half": half, "seed": seed}
        for kind, model, seeds in KINDS
        for half in (4, 6)
        for seed in range(seeds)
    ],
    run=run,
    tolerance=0.03,
)

if __name__ == "__main__":
    study.main(STUDY)
