"""Captions of digit scenes: a one-to-one grammar, parts that share no image, right gradients."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers import captioner, gradcheck, seq2seq
from helpers.data import captions
from helpers.data.captions import Digits, Group, Scene
from helpers.gru import GRU
from helpers.lstm import LSTM
from helpers.text import END, START

RNG = np.random.default_rng
any_scene = st.sampled_from(captions.scenes())


# --- The grammar --------------------------------------------------------------------------------


def test_the_grammar_has_so_many_scenes_as_it_says():
    counts = {r: sum(s.relation == r for s in captions.scenes()) for r in captions.RELATIONS}
    assert counts == {"alone": 30, "left of": 270, "between": 90, "above": 900}
    assert len(set(captions.scenes())) == 1290


def test_captions_and_layouts_are_one_to_one():
    every = captions.scenes()
    assert len({captions.words(scene) for scene in every}) == len(every)
    assert len({captions.layout(scene).tobytes() for scene in every}) == len(every)


@given(any_scene)
def test_both_ways_back(scene):
    assert captions.parse(captions.words(scene)) == scene
    assert captions.scene_of(captions.layout(scene)) == scene


@pytest.mark.parametrize(
    ("caption", "cells"),
    [
        ("a five", [[5, -1, -1], [-1, -1, -1]]),
        ("an eight", [[8, -1, -1], [-1, -1, -1]]),
        ("three sixes", [[6, 6, 6], [-1, -1, -1]]),
        ("two threes left of a four", [[3, 3, 4], [-1, -1, -1]]),
        ("a nine between two ones", [[1, 9, 1], [-1, -1, -1]]),
        ("a seven above two threes", [[7, -1, -1], [3, 3, -1]]),
        ("two twos above three twos", [[2, 2, -1], [2, 2, 2]]),
    ],
)
def test_examples(caption, cells):
    scene = captions.parse(caption.split())
    assert captions.layout(scene).tolist() == cells
    assert " ".join(captions.words(scene)) == caption


@given(any_scene)
def test_singular_and_plural_agree_with_the_number(scene):
    caption = captions.words(scene)
    for number, name in zip(caption, caption[1:]):
        if name in captions.SINGULAR and number in ("a", "an", *captions.NUMBERS.values()):
            assert number == ("an" if name == "eight" else "a")
        if name in captions.PLURAL:
            assert number in captions.NUMBERS.values()


@pytest.mark.parametrize("caption", ["", "a fives", "an five", "two four", "a two above", "a a"])
def test_words_that_are_no_caption(caption):
    with pytest.raises(ValueError, match="is no caption of the grammar"):
        captions.parse(caption.split())


def test_scenes_and_layouts_that_the_grammar_does_not_have():
    for scene in (
        Scene("left of", (Group(1, 3), Group(1, 3))),  # looks like two threes
        Scene("left of", (Group(2, 3), Group(2, 4))),  # four cells
        Scene("below", (Group(1, 3), Group(1, 4))),
    ):
        for function in (captions.layout, captions.words):
            with pytest.raises(ValueError, match="the grammar has no scene"):
                function(scene)
    with pytest.raises(ValueError, match="no scene of the grammar lies like cells"):
        captions.scene_of(np.array([[1, 2, 3], [-1, -1, -1]]))
    with pytest.raises(ValueError, match=r"cells has shape \(3, 2\), expected \(2, 3\)"):
        captions.scene_of(np.zeros((3, 2), int))


def test_vocabulary_holds_the_marks_and_all_words():
    vocab = captions.vocabulary()
    assert vocab.symbols[:2] == ("<s>", "</s>")
    assert len(vocab) == 28
    assert {w for s in captions.scenes() for w in captions.words(s)} == set(vocab.symbols[2:])


# --- The pictures -------------------------------------------------------------------------------


def test_digits_are_real_and_scaled():
    source = captions.digits()
    assert source.images.shape == (1797, 8, 8)
    assert source.images.dtype == np.float32
    assert source.images.min() == 0
    assert source.images.max() == 1
    assert set(source.labels) == set(range(10))


def test_missing_sklearn_says_what_to_install(monkeypatch):
    monkeypatch.setattr(captions, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match="pip install scikit-learn"):
        captions.digits.__wrapped__()


@given(st.integers(0, 1000))
def test_split_digits_is_a_partition_with_every_digit_everywhere(seed):
    labels = captions.digits().labels
    parts = captions.split_digits(labels, RNG(seed))
    assert sorted(np.concatenate(parts)) == list(range(len(labels)))
    for part in parts:
        assert set(labels[part]) == set(range(10))
    assert len(parts[0]) > len(parts[2]) > len(parts[1])


@pytest.mark.parametrize("shares", [(0.6, 0.4), (0, 0.5), (0.9, 0.2)])
def test_shares_that_leave_nothing(shares):
    with pytest.raises(ValueError, match="shares must be positive"):
        captions.split_digits(np.arange(10), RNG(0), shares)


SMALL = captions.split(RNG(0), n_train=400, n_test=100)


def images_of(part):
    return set(part.used[part.used >= 0].tolist())


def test_no_image_is_shared_between_parts():
    train, valid, seen, unseen = map(images_of, SMALL[:4])
    assert not train & valid
    assert not train & (seen | unseen)
    assert not valid & (seen | unseen)
    for part, indices in ((train, 0), (valid, 1), (seen | unseen, 2)):
        assert part <= set(SMALL.images[indices].tolist())


def test_held_out_captions_appear_only_in_their_test():
    known = {scene for part in SMALL[:3] for scene in part.scenes}
    assert not known & set(SMALL.unseen.scenes)


def test_pictures_hold_the_images_where_the_layout_says():
    source = captions.digits()
    for part in SMALL[:4]:
        assert part.pictures.shape[1:] == (16, 24)
        assert part.pictures.dtype == np.float32
        assert 0 <= part.pictures.min() <= part.pictures.max() <= 1
    for picture, scene, used in zip(*SMALL.train):
        for r, c in np.ndindex(2, 3):
            cell = picture[8 * r : 8 * r + 8, 8 * c : 8 * c + 8]
            digit = captions.layout(scene)[r, c]
            if digit == captions.EMPTY:
                assert not cell.any()
                assert used[r, c] == captions.EMPTY
            else:
                assert source.labels[used[r, c]] == digit
                assert (cell == source.images[used[r, c]]).all()
        assert len(set(used[used >= 0])) == (used >= 0).sum()  # no image twice


def test_few_images_repeat_and_missing_ones_are_named():
    source = Digits(np.ones((1, 8, 8), np.float32), np.array([4]))
    fours = [Scene("alone", (Group(3, 4),))]
    assert captions.compose(fours, source, np.array([0]), RNG(0)).used[0, 0].tolist() == [0, 0, 0]
    with pytest.raises(ValueError, match="no image of the digit 7"):
        captions.compose([Scene("alone", (Group(1, 7),))], source, np.array([0]), RNG(0))


def test_cells_are_cut_along_the_grid():
    picture = SMALL.train.pictures[:5]
    cells = captions.cut_cells(picture)
    assert cells.shape == (6, 5, 64)
    for i, (r, c) in enumerate(np.ndindex(2, 3)):
        block = picture[:, 8 * r : 8 * r + 8, 8 * c : 8 * c + 8]
        assert (cells[i] == block.reshape(5, 64)).all()
    with pytest.raises(ValueError, match="pictures has shape"):
        captions.cut_cells(np.zeros((5, 8, 8)))


def test_split_refuses_bad_sizes():
    with pytest.raises(ValueError, match="n_train must be a positive integer"):
        captions.split(RNG(0), n_train=0)
    with pytest.raises(ValueError, match="held_out must lie between 0 and 1"):
        captions.split(RNG(0), held_out=1)


# --- The captioner ------------------------------------------------------------------------------


@pytest.mark.parametrize("cell", [GRU, LSTM], ids=lambda c: c.name)
@pytest.mark.parametrize("feed", ["start", "input", "both"])
@pytest.mark.parametrize("frozen", [False, True])
def test_gradients(cell, feed, frozen):
    rng = RNG(0)
    model = seq2seq.Seq2Seq(cell, feed=feed)
    params = seq2seq.init_decoder(model, len(captions.vocabulary()), 3, 4, 5, rng, np.float64)
    if not frozen:
        params |= captioner.init_eye(7, 5, rng, np.float64)
    seen = rng.normal(size=(3, 5 if frozen else 7))
    batch = captioner.make_batch(
        seen, captions.encode([captions.scenes()[i] for i in (0, 300, 1200)])
    )
    _, grads, _ = captioner.loss_and_grads(model, params, batch)
    errors = gradcheck.compare(
        lambda: captioner.loss_and_grads(model, params, batch)[0], params, grads
    )
    gradcheck.largest(errors, 1e-6)


def test_batches_pair_each_picture_with_its_caption_once_per_pass():
    chosen = SMALL.train.scenes[:50]
    seen = np.arange(50, dtype=np.float32)[:, None]
    stream = captioner.random_batches(seen, captions.encode(chosen), 10, RNG(0))
    met = []
    for _ in range(5):
        batch = next(stream)
        assert batch.inputs.shape == batch.targets.shape == (batch.lengths.max(), 10)
        for b, row in enumerate(batch.seen[:, 0].astype(int)):
            ids = batch.targets[: batch.lengths[b], b]
            assert ids[-1] == END
            assert tuple(captions.vocabulary().decode(ids[:-1])) == captions.words(chosen[row])
            assert batch.inputs[0, b] == START
            met.append(row)
    assert sorted(met) == list(range(50))


def test_batches_refuse_bad_arguments():
    with pytest.raises(ValueError, match="there are 3 pictures, fewer than B = 4"):
        captioner.random_batches(
            np.zeros((3, 2)), captions.encode(captions.scenes()[:3]), 4, RNG(0)
        )
    with pytest.raises(ValueError, match=r"seen has shape \(3, 2\), expected \(4, P\)"):
        captioner.make_batch(np.zeros((3, 2)), captions.encode(captions.scenes()[:4]))


def test_scores_by_hand():
    two = [captions.parse("a five".split()), captions.parse("two threes left of a four".split())]
    encode = captions.vocabulary().encode
    said = [encode(["a", "five"]), encode("two threes above a four".split())]
    assert captions.exact(said, two) == 0.5
    # a five </s>: 3 of 3; two threes above a four </s> against six words and </s>: 2 of 7
    assert captions.by_word(said, two) == 5 / 10
    assert captions.by_word([encode(["a"]), []], two) == 1 / 10
    with pytest.raises(ValueError, match="there are 1 captions, but 2 scenes"):
        captions.exact(said[:1], two)
