"""Films of handwritten digits that move and hide: a label for every frame.

A digit of 8 × 8 pixels moves over a field of 16 × 16, a step of 2 pixels a frame, in one of four
directions; now and then it turns. What leaves the field on one side comes back on the other. After
some frames a screen falls in front of the field, and each frame is grey. When it rises, another
digit is there, in another place. Each frame has up to two labels:

    digit       which digit is in the field: to be seen, or to be remembered while it is hidden
    direction   in which direction it came here; none on the first frame of a scene, or hidden

All 8 × 8 places of the field (rows and columns are even) are equally likely at each frame, whatever
the direction is, so one frame says nothing about the direction. A grey one says nothing about the
digit.

Shapes: T frames, B films; frames are (T, B, 16, 16).
"""

from functools import cache
from typing import NamedTuple

import numpy as np

from ..checks import check_ids, check_shape, check_sizes
from .captions import Digits, digits

FIELD, SIDE, STEP = 16, 8, 2
GREY, NONE = 0.5, -1
DIRECTIONS = ("up", "right", "down", "left")
MOVES = np.array([(-STEP, 0), (0, STEP), (STEP, 0), (0, -STEP)])
TURNS = 0.25  # how often a direction is drawn anew
N_DIGITS = 10
FORMS = (0, 130, 256, 386, 516, 646, 776, 906, 1029, 1157, 1287, 1415, 1545, 1667, 1797)
# Every form of the collection has the same list of digits, copied by hand: it begins so.
COPIED = "0123456789012345678901234567890955650989841773510"
SHOWN, HIDDEN = (3, 8), (1, 24)


def forms(labels: np.ndarray) -> np.ndarray:
    """On which form each image was written: (1797,) integers 0 … 13.

    The collection says that 13 people wrote its digits, but not who wrote which. Its order tells
    more: the same list of digits comes 14 times, as it was copied from one printed form after
    another. The first of the borders can be found by looking for the list's beginning.
    Raises: ValueError if there are not 1,797 labels.
    """
    check_shape("labels", labels, (FORMS[-1],))
    return np.repeat(np.arange(len(FORMS) - 1), np.diff(FORMS))


class Split(NamedTuple):
    """Indices of the images of training, validation and test: whole forms, so (but for one writer
    who may have filled in two) no hand of one part is in another one."""

    train: np.ndarray
    valid: np.ndarray
    test: np.ndarray


@cache
def split() -> Split:
    """Forms 0 to 7 are for training (1,029 images), 8 and 9 for validation, 10 to 13 for the test.

    Raises: ImportError that names the package to install.
    """
    form = forms(digits().labels)
    return Split(
        *(np.flatnonzero((form >= a) & (form < b)) for a, b in ((0, 8), (8, 10), (10, 14)))
    )


class Films(NamedTuple):
    """What is filmed, (T, B) each: index of the image, its row and column, hidden or not, and how
    many frames ago it was last seen (0 if it is seen now); then the two labels of each frame.
    Where there is no direction, its label is −1."""

    image: np.ndarray
    row: np.ndarray
    column: np.ndarray
    hidden: np.ndarray
    ago: np.ndarray
    digit: np.ndarray
    direction: np.ndarray


def check_span(name, span):
    """A pair of positive integers, the smaller one first."""
    if not (isinstance(span, tuple) and len(span) == 2):
        raise ValueError(f"{name} must be a pair of integers (least, most), got {span!r}")
    check_sizes(**{f"{name}[0]": span[0], f"{name}[1]": span[1]})
    if span[0] > span[1]:
        raise ValueError(f"{name} must have the smaller number first, got {span!r}")


def shoot(T: int, B: int, indices: np.ndarray, rng, shown=SHOWN, hidden=HIDDEN) -> Films:
    """Draw B films of T frames with digits of digits().images[indices].

    shown, hidden: the least and the most frames for which a digit is seen, and then hidden; each
    number between is equally likely, and so are the ten digits.
    Raises: ValueError for sizes that are not positive integers, spans that are none, or indices
    that lack a digit; IndexError or TypeError for indices that are none.
    """
    check_sizes(T=T, B=B)
    check_span("shown", shown)
    check_span("hidden", hidden)
    check_ids("indices", indices, FORMS[-1])
    labels = digits().labels[indices]
    pools = [indices[labels == d] for d in range(N_DIGITS)]
    for d, pool in enumerate(pools):
        if not len(pool):
            raise ValueError(f"indices has no image of the digit {d}")
    films = Films(*(np.empty((T, B), int) for _ in Films._fields))
    image, row, column, ahead, digit, direction = np.zeros((6, B), int)
    to_show, to_hide, ago = np.zeros((3, B), int)
    for t in range(T):
        new = (to_show == 0) & (to_hide == 0)
        n = int(new.sum())
        digit[new] = rng.integers(N_DIGITS, size=n)
        image[new] = [pools[d][int(u * len(pools[d]))] for d, u in zip(digit[new], rng.random(n))]
        row[new], column[new] = rng.integers(FIELD // STEP, size=(2, n)) * STEP
        to_show[new] = rng.integers(shown[0], shown[1] + 1, size=n)
        to_hide[new] = rng.integers(hidden[0], hidden[1] + 1, size=n)
        turns = new | (rng.random(B) < TURNS)
        ahead = np.where(turns, rng.integers(len(DIRECTIONS), size=B), ahead)
        seen, moves = to_show > 0, (to_show > 0) & ~new
        row = np.where(moves, row + MOVES[ahead, 0], row) % FIELD
        column = np.where(moves, column + MOVES[ahead, 1], column) % FIELD
        direction = np.where(moves, ahead, NONE)
        ago = np.where(seen, 0, ago + 1)
        for part, now in zip(films, (image, row, column, ~seen, ago, digit, direction)):
            part[t] = now
        to_show, to_hide = np.where(seen, to_show - 1, 0), np.where(seen, to_hide, to_hide - 1)
    return films._replace(hidden=films.hidden.astype(bool))


def render(films: Films, source: Digits | None = None) -> np.ndarray:
    """The frames (T, B, 16, 16), float32 in 0 … 1: 1 is ink, the screen is 0.5 everywhere.

    source: where the images are, digits() if None.
    Raises: IndexError if the films show an image that the source does not have.
    """
    images = (source or digits()).images
    check_ids("films.image", films.image, len(images))
    field = np.zeros((len(images), FIELD, FIELD), np.float32)
    field[:, :SIDE, :SIDE] = images
    r = (np.arange(FIELD) - films.row[..., None]) % FIELD  # round the edge: a torus
    c = (np.arange(FIELD) - films.column[..., None]) % FIELD
    frames = field[films.image[..., None, None], r[..., :, None], c[..., None, :]]
    frames[films.hidden] = GREY
    return frames


def one_scene(before: Films, length: int) -> Films:
    """Films that go on behind the screen: the last frame of `before`, hidden `length` frames long.

    Raises: ValueError unless length is a positive integer.
    """
    check_sizes(length=length)
    last = Films(*(np.repeat(part[-1:], length, axis=0) for part in before))
    last.hidden[:], last.direction[:] = True, NONE
    last = last._replace(ago=before.ago[-1] + np.arange(1, length + 1)[:, None])
    return Films(*(np.concatenate(pair) for pair in zip(before, last)))
