"""Scenes of real handwritten digits, and the captions that describe them.

A picture is a grid of 2 × 3 cells; each cell is empty or holds an image of 8 × 8 pixels. A scene
is one or two groups of equal digits that stand side by side, and how the groups lie to each other:

    alone      three eights                   8 8 8
    left of    two threes left of a four      3 3 4      (two different digits, three cells at most)
    between    a nine between two ones        1 9 1      (two different digits)
    above      a seven above two threes       7          (the second group in the lower row)
                                              3 3
Rows are filled from the left, and whatever is not above something lies in the upper row: a caption
determines the layout of its scene, and the layout determines the caption.

Shapes: N pictures of 16 × 24 pixels. `helpers.captioner` is the network that describes them.
"""

from functools import cache
from importlib.util import find_spec
from itertools import product
from typing import NamedTuple

import numpy as np

from ..checks import check_shape, check_sizes
from ..text import END, Vocabulary, target_vocabulary

ROWS, COLUMNS, SIDE = 2, 3, 8
EMPTY = -1
SINGULAR = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
PLURAL = tuple(name + ("es" if name == "six" else "s") for name in SINGULAR)
NUMBERS = {2: "two", 3: "three"}
RELATIONS = ("alone", "left of", "between", "above")

# --- The grammar --------------------------------------------------------------------------------


class Group(NamedTuple):
    """So many equal digits side by side."""

    count: int
    digit: int


class Scene(NamedTuple):
    """A relation and its groups in the order of the caption: one if alone, two otherwise."""

    relation: str
    groups: tuple


@cache
def scenes() -> tuple:
    """All 1,290 scenes of the grammar: 30 alone, 270 left of, 90 between, 900 above."""
    groups = [Group(count, digit) for count in (1, 2, 3) for digit in range(10)]
    found = [Scene("alone", (group,)) for group in groups]
    for pair in product(groups, repeat=2):
        found += [Scene(relation, pair) for relation in RELATIONS[1:] if _fits(relation, *pair)]
    return tuple(found)


def _fits(relation, first, second):
    """Whether two groups can lie so, in the one way that the caption says."""
    if relation == "above":
        return True
    if first.digit == second.digit:  # it would look like a single group
        return False
    if relation == "between":
        return first.count == 1 and second.count == 2
    return first.count + second.count <= COLUMNS


def _check_scene(scene):
    if scene not in _known():
        raise ValueError(f"the grammar has no scene {scene!r}")


@cache
def _known():
    return frozenset(scenes())


def layout(scene: Scene) -> np.ndarray:
    """Which digit stands in which cell: (2, 3) integers, EMPTY (−1) where there is none.

    Raises: ValueError for a scene that the grammar does not have.
    """
    _check_scene(scene)
    rows = [[digit] * count for count, digit in scene.groups]
    if scene.relation == "left of":
        rows = [rows[0] + rows[1]]
    elif scene.relation == "between":
        (inner,), (left, right) = rows
        rows = [[left, inner, right]]
    cells = np.full((ROWS, COLUMNS), EMPTY)
    for r, row in enumerate(rows):
        cells[r, : len(row)] = row
    return cells


@cache
def _by_layout():
    return {layout(scene).tobytes(): scene for scene in scenes()}


def scene_of(cells: np.ndarray) -> Scene:
    """The inverse of `layout`: the scene that lies so.

    Raises: ValueError for a wrong shape or a layout that no scene has.
    """
    check_shape("cells", cells, (ROWS, COLUMNS))
    scene = _by_layout().get(cells.astype(int).tobytes())
    if scene is None:
        raise ValueError(f"no scene of the grammar lies like cells = {cells.tolist()}")
    return scene


def _phrase(group):
    count, digit = group
    if count > 1:
        return (NUMBERS[count], PLURAL[digit])
    return ("an" if SINGULAR[digit][0] in "aeiou" and digit != 1 else "a", SINGULAR[digit])


def words(scene: Scene) -> tuple:
    """The caption, in words: ("two", "threes", "left", "of", "a", "four").

    Raises: ValueError for a scene that the grammar does not have.
    """
    _check_scene(scene)
    first, *second = (_phrase(group) for group in scene.groups)
    return (*first, *scene.relation.split(), *second[0]) if second else first


@cache
def _by_words():
    return {words(scene): scene for scene in scenes()}


def parse(caption) -> Scene:
    """The inverse of `words`: the scene that a caption (a sequence of words) describes.

    Raises: ValueError for words that are no caption of the grammar.
    """
    scene = _by_words().get(tuple(caption))
    if scene is None:
        raise ValueError(f"{' '.join(caption)!r} is no caption of the grammar")
    return scene


@cache
def vocabulary() -> Vocabulary:
    """The marks <s> and </s>, and the 26 words of all captions."""
    return target_vocabulary(word for scene in scenes() for word in words(scene))


def encode(chosen) -> list:
    """The captions of scenes as ids, without marks: a vector each.

    Raises: ValueError for a scene that the grammar does not have.
    """
    return [vocabulary().encode(words(scene)) for scene in chosen]


# --- The pictures -------------------------------------------------------------------------------


class Digits(NamedTuple):
    """Handwritten digits: images (n, 8, 8) in 0 … 1, and which digit each one is, labels (n,)."""

    images: np.ndarray
    labels: np.ndarray


@cache
def digits() -> Digits:
    """1,797 handwritten digits of 8 × 8 pixels, float32 in 0 … 1 (1 is ink).

    Raises: ImportError that names the package to install.
    Source: Alpaydin & Kaynak (1998), UCI repository, in the package scikit-learn.
    """
    if find_spec("sklearn") is None:
        raise ImportError(
            "helpers.data.captions needs the package scikit-learn: pip install scikit-learn"
        )
    from sklearn.datasets import load_digits

    bunch = load_digits()
    return Digits((bunch.images / 16).astype(np.float32), bunch.target.astype(np.int64))


def split_digits(labels: np.ndarray, rng, shares=(0.6, 0.1)) -> tuple:
    """Indices of the images of training, validation and test: disjoint, each digit in each part.

    shares: of training and validation; the rest is test.
    Raises: ValueError unless both shares are positive and leave something for the test.
    """
    if not (min(shares) > 0 and sum(shares) < 1):
        raise ValueError(f"shares must be positive with a sum below 1, got {shares!r}")
    parts = ([], [], [])
    for digit in np.unique(labels):
        of_digit = rng.permutation(np.flatnonzero(labels == digit))
        cuts = np.round(np.cumsum(shares) * len(of_digit)).astype(int)
        for part, indices in zip(parts, np.split(of_digit, cuts)):
            part.append(indices)
    return tuple(np.sort(np.concatenate(part)) for part in parts)


class Captioned(NamedTuple):
    """Pictures (N, 16, 24), their scenes, and the index of the image in every cell (N, 2, 3)."""

    pictures: np.ndarray
    scenes: list
    used: np.ndarray


def compose(chosen, source: Digits, indices: np.ndarray, rng) -> Captioned:
    """A picture of each chosen scene, of digits drawn at random from source[indices].

    No image appears twice in a picture while there are enough.
    Raises: ValueError if `indices` has no image of a digit that is needed.
    """
    used = np.full((len(chosen), ROWS, COLUMNS), EMPTY)
    pools = {d: indices[source.labels[indices] == d] for d in range(10)}
    for n, scene in enumerate(chosen):
        cells = layout(scene)
        for digit in {group.digit for group in scene.groups}:
            places = cells == digit
            if not len(pools[digit]):
                raise ValueError(f"indices has no image of the digit {digit}")
            repeat = len(pools[digit]) < places.sum()
            used[n][places] = rng.choice(pools[digit], places.sum(), replace=repeat)
    blank = np.zeros((1, SIDE, SIDE), source.images.dtype)
    tiles = np.concatenate([source.images, blank])[used]  # EMPTY, −1, is the blank one
    pictures = tiles.swapaxes(2, 3).reshape(len(chosen), ROWS * SIDE, COLUMNS * SIDE)
    return Captioned(pictures, list(chosen), used)


class Split(NamedTuple):
    """What to learn from, and the tests. No handwritten digit of one part is in another one, but
    for `seen` and `unseen`, which share the test images. `unseen` shows scenes, and so captions,
    that the other parts never show.
    """

    train: Captioned
    valid: Captioned
    seen: Captioned
    unseen: Captioned
    images: tuple  # the three index arrays of split_digits


def split(rng, n_train: int = 6000, n_test: int = 500, held_out: float = 0.2) -> Split:
    """Compose a training set, a validation set and two tests, each scene equally likely.

    Raises: ValueError for sizes that are not positive integers, or held_out outside 0 … 1.
    """
    check_sizes(n_train=n_train, n_test=n_test)
    if not 0 < held_out < 1:
        raise ValueError(f"held_out must lie between 0 and 1, got {held_out!r}")
    source = digits()
    images = split_digits(source.labels, rng)
    mixed = [scenes()[i] for i in rng.permutation(len(scenes()))]
    cut = round(held_out * len(mixed))
    new, known = mixed[:cut], mixed[cut:]

    def part(n, among, indices):
        return compose([among[i] for i in rng.integers(len(among), size=n)], source, indices, rng)

    train, valid, test = images
    return Split(
        part(n_train, known, train),
        part(n_test, known, valid),
        part(n_test, known, test),
        part(n_test, new, test),
        images,
    )


def cut_cells(pictures: np.ndarray) -> np.ndarray:
    """Cut pictures along the grid: (N, 16, 24) → (6, N, 64), cells first, as time is elsewhere.

    Raises: ValueError for a wrong shape.
    """
    check_shape("pictures", pictures, ("N", ROWS * SIDE, COLUMNS * SIDE))
    tiles = pictures.reshape(-1, ROWS, SIDE, COLUMNS, SIDE).transpose(1, 3, 0, 2, 4)
    return np.ascontiguousarray(tiles.reshape(ROWS * COLUMNS, -1, SIDE * SIDE))


# --- Scores -------------------------------------------------------------------------------------


def exact(said, chosen) -> float:
    """Share of captions that are right from the first word to the last.

    said: id sequences without marks, one for each of the chosen scenes.
    Raises: ValueError if their numbers differ.
    """
    return float(np.mean([tuple(a) == b for a, b in _pairs(said, chosen)]))


def by_word(said, chosen) -> float:
    """Share of the captions' words, END included, that were said in their place.

    said: id sequences without marks, one for each of the chosen scenes.
    Raises: ValueError if their numbers differ.
    """
    right = total = 0
    for a, b in _pairs(said, chosen):
        ended = (*b, END)
        right += sum(i == j for i, j in zip((*a, END), ended))
        total += len(ended)
    return right / total


def _pairs(said, chosen):
    if len(said) != len(chosen):
        raise ValueError(f"there are {len(said)} captions, but {len(chosen)} scenes")
    return [(a, tuple(ids.tolist())) for a, ids in zip(said, encode(chosen))]
