"""Are the states of a language model of use for a task that it was not trained for?

The writer of `trained.writer`, an LSTM of two layers, learned to predict the characters of 36 of
Shakespeare's plays. Here its weights stay as they are. It reads the 20 characters up to the end of
a word, and a linear classifier with few labels reads one of its states: on which syllable of the
word does the stress lie, and how many syllables does it have? The labels come from the pronouncing
dictionary. Beside it stand the same network before any training, and character n-grams.

The labelled words come from *Romeo and Juliet*, on which the task, the window and the classifier
were tried out; the words of the test from *Timon of Athens*, without those that are in *Romeo and
Juliet*. The writer read neither play in training.
"""

import re
from functools import cache

import numpy as np
import study

from helpers import language_model, layers, unroll
from helpers.data import corpora, g2p
from helpers.lstm import LSTM
from helpers.trained import writer

SIZES = (30, 100, 300, 600)
TASKS = ("stress", "syllables")
FEATURES = (
    "trained", "trained, the word alone", "untrained", "untrained, the word alone",
    "shuffled, the word alone",
    "n-grams of the word", "n-grams of the window",
)  # fmt: skip
STATES = ("h1", "c1", "h2", "c2")  # layer 1 and 2 of the network, shown and kept
SETTINGS = {"window": 20, "test": 544, "penalties": [10.0**k for k in range(-4, 4)]}


# --- Words and their labels -----------------------------------------------------------------------


def speeches(play: str) -> list:
    """Where the lines of a play lie that may be spoken: (begin, end), headings left out."""
    places, at = [], 0
    for line in play.split("\n"):
        if (
            not re.match(r"(ACT|SCENE|Enter|Exit|Exeunt|Re-enter|\[)", line)
            and line != line.upper()
        ):
            places.append((at, at + len(line)))
        at += len(line) + 1
    return places


def label(task: str, word: str):
    """0, 1, … where all entries of the dictionary agree, else None.

    stress: 0 for the first, 1 for the second syllable, of words with two. syllables: 0, 1 and 2
    for one, two, and three or more.
    """
    ways = g2p.pronunciations(stress=True).get(word, ())
    marks = {tuple(phone[-1] for phone in way if phone[-1].isdigit()) for way in ways}
    if task == "syllables":
        found = {min(len(stresses), 3) - 1 for stresses in marks}
    else:
        found = {s.index("1") if len(s) == 2 and s.count("1") == 1 else None for s in marks}
    return found.pop() if len(found) == 1 else None


@cache
def words(task: str, part: str) -> tuple:
    """(word, place of its last letter, label) for every word of a play, where it first stands."""
    play, found = getattr(corpora.shakespeare(), part), {}
    for begin, end in speeches(play):
        for match in re.finditer(r"(?<![\w'-])[A-Za-z]+(?![\w'-])", play[begin:end]):
            word = match.group().lower()
            if word not in found and (y := label(task, word)) is not None:
                found[word] = (word, begin + match.end() - 1, y)
    return tuple(found.values())


def labelled_and_test(task: str, n: int, seed: int, settings: dict):
    """n words of one play, drawn at random; the same words of the other play for all draws."""
    pool, test = words(task, "valid"), words(task, "test")
    known = {word for word, *_ in pool}
    test = [entry for entry in test if entry[0] not in known]
    few = np.random.default_rng(0).permutation(len(test))[: settings["test"]]
    drawn = np.random.default_rng(seed).permutation(len(pool))[:n]
    return [pool[i] for i in drawn], [test[i] for i in sorted(few)]


# --- Features -------------------------------------------------------------------------------------


@cache
def network(kind: str, seed: int) -> dict:
    """The parameters of a network that is "trained", "untrained" or "shuffled".

    Untrained they are as `experiments/torch_lm.py` begins: uniform in ±1/√H, the embedding normal,
    the forget gate's bias at 1. Shuffled they are the trained ones, each array in random order: as
    large as after training, without what training has put into them.
    """
    trained, rng = writer.load().params, np.random.default_rng(seed)
    if kind == "trained":
        return trained
    if kind == "shuffled":
        return {name: rng.permutation(a.ravel()).reshape(a.shape) for name, a in trained.items()}
    (V, D), H = trained["E"].shape, len(trained["W_hh_l0"])
    params = language_model.init_language_model(LSTM, V, D, H, rng, n_layers=2)
    for layer in range(2):
        params[f"b_h_l{layer}"][H : 2 * H] = 1.0
    return params


_KEPT = {}  # (network, seed, text) → its states: a text is read once


def states(kind: str, seed: int, texts: list) -> np.ndarray:
    """h and c of both layers after each text, which is read from a zero state: (N, 4, H)."""
    params, vocab = network(kind, seed), writer.load().vocab
    new = {text for text in texts if (kind, seed, text) not in _KEPT}
    new = sorted(new, key=lambda text: (len(text), text))
    for i in range(0, len(new), 200):
        part = new[i : i + 200]
        lengths = np.array([len(text) for text in part])
        ids = np.array([vocab.encode(text.ljust(max(lengths))) for text in part]).T
        x = layers.embedding_forward(params, ids)
        _, finals, _ = unroll.stack_forward(LSTM, params, x, lengths=lengths)
        both = np.stack([state for layer in finals for state in layer], axis=1)
        _KEPT.update({(kind, seed, text): array for text, array in zip(part, both)})
    return np.stack([_KEPT[kind, seed, text] for text in texts])


def grams(text: str, orders=(1, 2, 3)) -> list:
    """All character n-grams of a text."""
    return [text[i : i + n] for n in orders for i in range(len(text) - n + 1)]


def counted(bags: list, index: dict) -> np.ndarray:
    """log(1 + count) of the n-grams that the index knows, each row of length one."""
    X = np.zeros((len(bags), len(index)))
    for row, bag in zip(X, bags):
        for gram in bag:
            if gram in index:
                row[index[gram]] += 1
    X = np.log1p(X)
    return X / np.maximum(np.linalg.norm(X, axis=1, keepdims=True), 1e-9)


def n_grams(kind: str, labelled: list, test: list, window: int) -> tuple:
    """Of the word with its borders marked; of the window too, for that kind."""
    bags = []
    for part, entries in (("valid", labelled), ("test", test)):
        play = getattr(corpora.shakespeare(), part)
        bags.append([grams(f"^{word}$") for word, *_ in entries])
        if kind == "n-grams of the window":
            for bag, (_, last, _) in zip(bags[-1], entries):
                bag += ["around " + g for g in grams(play[last + 1 - window : last + 1])]
    known = sorted({gram for bag in bags[0] for gram in bag})
    index = {gram: i for i, gram in enumerate(known)}
    return counted(bags[0], index), counted(bags[1], index)


# --- The classifier -------------------------------------------------------------------------------


def classify(X, y, X_test, n_classes: int, penalties) -> np.ndarray:
    """Answers (N,) of ridge regression; the penalty is the one that misses least left out."""
    mean = X.mean(axis=0)
    misses, fits, unit = ridge(X - mean, y, n_classes, penalties)
    return (((X_test - mean) @ (X - mean).T + unit) @ fits[int(np.argmin(misses))]).argmax(axis=1)


def ridge(X, y, n_classes: int, penalties) -> tuple:
    """For each penalty the squared miss of examples left out, and the fit: α (N, classes).

    With weights w that give every class the same share, K = X Xᵀ + u and λ = penalty u / N, where
    u is the mean of |x|² (added to K, it is a bias), α = (K + λ diag(1/w))⁻¹ Y. An example that is
    left out of the fit is missed by α_i / [(K + λ diag(1/w))⁻¹]_ii.
    """
    Y = np.eye(n_classes)[y]
    w = 1 / np.maximum(Y.sum(axis=0), 1)[y]
    K = X @ X.T
    unit = np.trace(K) / len(K)
    root = np.sqrt(w)[:, None]
    e, V = np.linalg.eigh(root * (K + unit) * root.T)
    misses, fits = [], []
    for penalty in penalties:
        d = 1 / (np.maximum(e, 0) + penalty * unit / len(y))
        alpha = root * (V @ (d[:, None] * (V.T @ (root * Y))))
        missed = alpha / (w * ((V**2) @ d))[:, None]
        misses.append((w[:, None] * missed**2).sum())
        fits.append(alpha)
    return misses, fits, unit


def balanced(answers, y) -> float:
    """The share of right answers, the mean over the classes: guessing gives 1/number of classes."""
    return round(float(np.mean([(answers == y)[y == k].mean() for k in np.unique(y)])), 4)


def run(case, settings):
    """Balanced accuracy on the words of the test, for each state or for the n-grams."""
    kind, seed, window = case["features"], case["seed"], settings["window"]
    labelled, test = labelled_and_test(case["task"], case["labels"], seed, settings)
    y, y_test = (np.array([label for *_, label in part]) for part in (labelled, test))
    classes, penalties = {"stress": 2, "syllables": 3}[case["task"]], settings["penalties"]
    if kind.startswith("n-grams"):
        X, X_test = n_grams(kind, labelled, test, window)
        return {"accuracy": balanced(classify(X, y, X_test, classes, penalties), y_test)}
    plays = corpora.shakespeare()
    texts = []
    for play, part in ((plays.valid, labelled), (plays.test, test)):
        for word, last, _ in part:
            before = len(word) + 1 if kind.endswith("the word alone") else window
            texts.append(play[max(0, last + 1 - before) : last + 1])
    which = kind.partition(",")[0]
    held = states(which, 0 if which == "trained" else seed, texts).astype(np.float64)
    result = {}
    for i, name in enumerate(STATES):
        X, X_test = held[: len(y), i], held[len(y) :, i]
        scale = X.std(axis=0) + 1e-6  # of the labelled words
        answers = classify(X / scale, y, X_test / scale, classes, penalties)
        result[name] = balanced(answers, y_test)
    return result


STUDY = study.Study(
    name="downstream",
    question="Are the states of a trained language model of use where labels are few?",
    settings=SETTINGS,
    cases=[
        {"task": task, "features": features, "labels": n, "seed": seed}
        for seed in range(10)
        for task in TASKS
        for features in FEATURES
        for n in SIZES
    ],
    run=run,
    tolerance=0.05,
)

if __name__ == "__main__":
    study.main(STUDY)
