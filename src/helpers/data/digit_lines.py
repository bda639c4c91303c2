"""Lines of real handwritten digits, without marks between them.

A line is a strip of 8 rows of pixels. Its digits are images of scikit-learn's set, cropped to the
columns that hold ink, stretched, and set side by side with gaps that may be negative: then two
digits share columns. A frame is a column of 8 pixels, and a line is a sequence of frames.

The target of a line is its digits in order; digit d has id d + 1, for id 0 is the blank of CTC.
Shapes: N lines, T columns of the longest, 8 pixels a column: x (T, N, 8), time first.
"""

from functools import cache
from typing import NamedTuple

import numpy as np

from ..checks import check_sizes
from .captions import SIDE, Digits, digits, split_digits

BLANK, N_SYMBOLS = 0, 11  # the blank, and ten digits
STRETCH = (0.8, 1.6)  # new width / width of the ink
GAPS = (-2, 2)  # columns between two digits; below 0 they overlap
MARGIN = 3  # at most so many empty columns before and after a line


class Lines(NamedTuple):
    """x (T, N, 8) in 0 … 1, zero behind a line's end; lengths (N,); targets: N arrays of ids.

    columns (T, N): the id of the digit that a column belongs to, 0 where there is none. The first
    column of each digit counts as none, so that two equal neighbours stay apart. centres: N arrays,
    the middle column of each digit. used: N arrays, the index of the image of each digit.
    """

    x: np.ndarray
    lengths: np.ndarray
    targets: list
    columns: np.ndarray
    centres: list
    used: list


@cache
def resampling(old: int, new: int) -> np.ndarray:
    """The matrix (old, new) that stretches a row of `old` pixels to `new`, by linear interpolation.

    Raises: ValueError if a size is not a positive integer.
    """
    check_sizes(old=old, new=new)
    place = (np.arange(new) + 0.5) * old / new - 0.5  # where each new pixel's centre lies
    distance = np.abs(np.arange(old)[:, None] - np.clip(place, 0, old - 1))
    return np.maximum(0, 1 - distance).astype(np.float32)


def crop(image: np.ndarray) -> np.ndarray:
    """An image without the empty columns to the left and right of its ink: (8, w).

    Raises: ValueError if there is no ink.
    """
    inked = np.flatnonzero(image.any(axis=0))
    if not len(inked):
        raise ValueError("image is empty: it has no column with ink")
    return image[:, inked[0] : inked[-1] + 1]


def write(images, rng, stretch=STRETCH, gaps=GAPS, margin: int = MARGIN):
    """Set images side by side: a strip (T, 8), and each one's first column and its end.

    Widths and gaps are drawn from `rng`, uniformly; no width is below 4, so that each digit has two
    columns of its own. Where two images overlap, the darker pixel wins.
    Raises: ValueError if there is no image.
    """
    if not len(images):
        raise ValueError("images is empty: a line needs at least one digit")
    at, spans, pieces = int(rng.integers(margin + 1)), [], []
    for image in images:
        piece = crop(image)
        width = max(4, round(piece.shape[1] * rng.uniform(*stretch)))
        pieces.append(piece @ resampling(piece.shape[1], width))
        spans.append((at, at + width))
        at += width + int(rng.integers(gaps[0], gaps[1] + 1))
    strip = np.zeros((spans[-1][1] + int(rng.integers(margin + 1)), SIDE), np.float32)
    for piece, (start, stop) in zip(pieces, spans):
        np.maximum(strip[start:stop], piece.T, out=strip[start:stop])
    return strip, spans


def column_labels(ids, spans, T: int) -> np.ndarray:
    """Which digit each of T columns belongs to, (T,): see `Lines.columns`.

    A column that two digits share goes to the one whose middle is nearer.
    """
    labels, distance = np.zeros(T, np.int64), np.full(T, np.inf)
    for symbol, (start, stop) in zip(ids, spans):
        columns = np.arange(start, stop)
        away = np.abs(columns - (start + stop - 1) / 2)
        mine = columns[away < distance[start:stop]]
        labels[mine], distance[mine] = symbol, away[mine - start]
        labels[mine[0]] = BLANK
    return labels


def compose(n: int, counts, source: Digits, indices, rng, **style) -> Lines:
    """n lines of counts[0] … counts[1] digits each, written with source[indices].

    style: stretch, gaps and margin, see `write`. Digits are drawn uniformly, then an image of each.
    Raises: ValueError for sizes that are not positive integers, or a digit that has no image.
    """
    low, high = counts
    check_sizes(n=n, low=low, high=high)
    if low > high:
        raise ValueError(f"counts must be (fewest, most), got {counts!r}")
    pools = [indices[source.labels[indices] == d] for d in range(10)]
    if not all(len(pool) for pool in pools):
        raise ValueError("indices lack an image of some digit")
    strips, targets, spans_of, used = [], [], [], []
    for _ in range(n):
        ids = rng.integers(10, size=rng.integers(low, high + 1))
        chosen = np.array([pools[d][rng.integers(len(pools[d]))] for d in ids])
        strip, spans = write(source.images[chosen], rng, **style)
        strips.append(strip)
        targets.append(ids + 1)
        spans_of.append(spans)
        used.append(chosen)
    lengths = np.array([len(strip) for strip in strips])
    x = np.zeros((lengths.max(), n, SIDE), np.float32)
    columns = np.zeros((lengths.max(), n), np.int64)
    for b, (strip, ids, spans) in enumerate(zip(strips, targets, spans_of)):
        x[: len(strip), b] = strip
        columns[: len(strip), b] = column_labels(ids, spans, len(strip))
    centres = [np.array([(start + stop - 1) / 2 for start, stop in spans]) for spans in spans_of]
    return Lines(x, lengths, targets, columns, centres, used)


def images() -> tuple:
    """The images' indices of training (70 %), validation (10 %) and test (20 %): always the same.

    Raises: ImportError that names the package to install.
    """
    return split_digits(digits().labels, np.random.default_rng(0), (0.7, 0.1))


SHORT, LONG = (3, 6), (12, 15)  # digits in a line: as trained, and longer than any trained


class Parts(NamedTuple):
    """Lines for choosing and for the tests; training lines are drawn by `train_lines`."""

    valid: Lines
    test: Lines
    long: Lines


def parts(n_valid: int = 300, n_test: int = 600, n_long: int = 200) -> Parts:
    """The lines that everything is chosen on and scored on, always the same.

    No image of a test line is in a training line. The writers are not named in the data, so one
    hand may well be in both.
    Raises: ValueError for sizes that are not positive integers; ImportError as `images`.
    """
    _, valid, test = images()
    return Parts(
        compose(n_valid, SHORT, digits(), valid, np.random.default_rng(1)),
        compose(n_test, SHORT, digits(), test, np.random.default_rng(2)),
        compose(n_long, LONG, digits(), test, np.random.default_rng(3)),
    )


def train_lines(n: int, rng) -> Lines:
    """n lines for training, of 3 … 6 digits.

    Raises: ValueError if n is not a positive integer; ImportError as `images`.
    """
    return compose(n, SHORT, digits(), images()[0], rng)


def take(lines: Lines, chosen) -> Lines:
    """Some of the lines, with no more columns than the longest of them has.

    Raises: ValueError if none is chosen.
    """
    chosen = np.asarray(chosen, int)
    if not chosen.size:
        raise ValueError("chosen is empty: no line was asked for")
    T = lines.lengths[chosen].max()
    of_each = [[part[i] for i in chosen] for part in (lines.targets, lines.centres, lines.used)]
    targets, centres, used = of_each
    return Lines(
        lines.x[:T, chosen], lines.lengths[chosen], targets, lines.columns[:T, chosen], centres,
        used,
    )  # fmt: skip


# --- Scores -------------------------------------------------------------------------------------


def error_rate(said, targets) -> float:
    """Label error rate: insertions, deletions and substitutions, per digit that is there.

    said, targets: sequences of ids, one for each line. It may exceed 1 if too much is said.
    Raises: ValueError if their numbers differ or no target has a digit; ImportError that names the
    package to install.
    """
    edits, n = edits_of(said, targets), sum(len(target) for target in targets)
    if n == 0:
        raise ValueError("targets hold no digit: there is nothing to score")
    return sum(edits) / n


def edits_of(said, targets) -> list:
    """The edit distance of each line: how many insertions, deletions, substitutions mend it.

    Raises: as `error_rate`.
    """
    try:
        from rapidfuzz.distance import Levenshtein
    except ImportError:
        raise ImportError(
            "helpers.data.digit_lines needs the package rapidfuzz to score: pip install rapidfuzz"
        ) from None
    if len(said) != len(targets):
        raise ValueError(f"there are {len(said)} answers, but {len(targets)} lines")
    return [
        Levenshtein.distance([int(i) for i in a], [int(i) for i in b])
        for a, b in zip(said, targets)
    ]
