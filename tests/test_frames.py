"""Films of digits: what one frame tells and what it does not; hands of one part are in no other."""

import numpy as np
import pytest

from helpers.data import captions, frames

RNG = np.random.default_rng
PART = frames.split()


def films(T=40, B=300, seed=0, **spans):
    return frames.shoot(T, B, PART.train, RNG(seed), **spans)


def test_forms_begin_with_the_list_that_was_copied():
    """On 12 of 14 forms the list is complete at the beginning; on two, digits are missing."""
    labels = captions.digits().labels
    text = "".join(map(str, labels))
    found = [f for f in frames.FORMS[:-1] if text.startswith(frames.COPIED[:30], f)]
    assert len(frames.FORMS) == 15 and len(found) == 12
    assert np.bincount(frames.forms(labels)).min() >= 122


def test_parts_share_no_form_and_have_all_digits():
    form, labels = frames.forms(captions.digits().labels), captions.digits().labels
    assert [len(part) for part in PART] == [1029, 258, 510]
    assert not set(form[PART.train]) & set(form[PART.valid])
    assert not set(form[PART.test]) & (set(form[PART.train]) | set(form[PART.valid]))
    assert all(set(labels[part]) == set(range(10)) for part in PART)


def test_labels_are_those_of_the_images_and_the_moves():
    made = films()
    assert (captions.digits().labels[made.image] == made.digit).all()
    assert np.isin(made.image, PART.train).all()
    moved = np.stack([np.diff(made.row, axis=0), np.diff(made.column, axis=0)], axis=-1)
    has = made.direction[1:] >= 0
    wanted = frames.MOVES[made.direction[1:]]
    assert ((moved - wanted) % frames.FIELD == 0)[has].all()
    assert not (made.hidden & (made.direction >= 0)).any()
    assert (made.direction[0] == frames.NONE).all()


def test_ago_counts_the_frames_since_the_digit_was_seen():
    made = films(shown=(2, 3), hidden=(1, 5))
    assert ((made.ago > 0) == made.hidden).all()
    assert made.ago.max() == 5
    behind = made.hidden[1:]
    assert (np.diff(made.ago, axis=0)[behind] == 1).all()
    assert (np.diff(made.digit, axis=0)[behind] == 0).all()  # remembered while it is hidden


def test_a_place_says_nothing_about_the_direction():
    """Counts of direction and place, against what independence gives: chi-squared, 189 degrees."""
    made = films(T=60, B=4000, shown=(8, 8), hidden=(1, 1))
    has = made.direction >= 0
    place = (made.row[has] // 2) * 8 + made.column[has] // 2
    counts = np.zeros((64, 4))
    np.add.at(counts, (place, made.direction[has]), 1)
    wanted = counts.sum(axis=1, keepdims=True) * counts.sum(axis=0) / counts.sum()
    # Frames of one scene hang together, which makes the statistic larger than chi-squared.
    assert ((counts - wanted) ** 2 / wanted).sum() < 2.5 * 189
    assert np.abs(counts.sum(axis=0) / counts.sum() - 0.25).max() < 0.01


def test_frames_show_the_digit_where_the_film_says():
    made = films(T=6, B=50)
    drawn = frames.render(made)
    assert drawn.shape == (6, 50, 16, 16) and drawn.dtype == np.float32
    assert (drawn[made.hidden] == frames.GREY).all()
    for t, b in np.argwhere(~made.hidden)[:40]:
        back = np.roll(drawn[t, b], (-made.row[t, b], -made.column[t, b]), axis=(0, 1))
        assert (back[:8, :8] == captions.digits().images[made.image[t, b]]).all()
        assert back[8:].sum() == back[:, 8:].sum() == 0


def test_one_scene_goes_on_behind_the_screen():
    long = frames.one_scene(films(T=5, B=3, shown=(5, 5)), 30)
    assert long.image.shape == (35, 3)
    assert long.hidden[5:].all() and not long.hidden[:5].any()
    assert long.ago[:, 0].tolist() == [0] * 5 + list(range(1, 31))
    assert (long.digit == long.digit[0]).all()


def test_the_same_seed_gives_the_same_films():
    assert all((a == b).all() for a, b in zip(films(seed=3), films(seed=3)))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: films(T=0), "T must be a positive integer, got 0"),
        (lambda: films(B=-1), "B must be a positive integer"),
        (lambda: films(shown=(3, 2)), "shown must have the smaller number first"),
        (lambda: films(shown=(0, 2)), r"shown\[0\] must be a positive integer"),
        (lambda: films(hidden=3), "hidden must be a pair"),
        (lambda: frames.shoot(2, 2, PART.train[:3], RNG(0)), "no image of the digit"),
        (lambda: frames.forms(np.zeros(5, int)), "labels has shape"),
        (lambda: frames.one_scene(films(T=2, B=2), 0), "length must be a positive"),
    ],
)
def test_bad_input_is_named(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_indices_beyond_the_collection_are_refused():
    with pytest.raises(IndexError, match="indices must lie in 0 … 1796"):
        frames.shoot(2, 2, np.array([5000]), RNG(0))
