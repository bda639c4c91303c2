"""The studies of films and of captions through convolutions: gradients, sizes, what is stored."""

import caption_eyes
import caption_feeds
import frame_models
import numpy as np
import pytest

from helpers import captioner, gradcheck, seq2seq, vision
from helpers.data import captions, frames
from helpers.gru import GRU
from helpers.seq2seq import Seq2Seq

RNG = np.random.default_rng


@pytest.mark.parametrize("name", frame_models.MEMORIES)
def test_gradients_of_every_memory(name, monkeypatch):
    monkeypatch.setattr(frame_models, "E", 3)
    rng = RNG(1)
    params = frame_models.new_params(name, 4, 0, np.float64)
    films, c = frames.shoot(7, 2, frames.split().train, rng), rng.normal(size=(7, 2, 3))
    grads = frame_models.loss_and_grads(name, params, c, films).grads

    def loss():
        return frame_models.loss_and_grads(name, params, c, films).loss

    gradcheck.largest(gradcheck.compare(loss, params, grads), 1e-5)


def test_sizes_are_equal_within_six_percent():
    sizes = [
        frame_models.count(frame_models.new_params(name, frame_models.units(name, 8000), 0))
        for name in frame_models.MEMORIES
    ]
    assert 0.94 * 8000 < min(sizes) <= max(sizes) <= 8000


def test_what_is_stored_is_what_the_study_makes():
    stored = frame_models.trained()
    assert stored.keys() == {"eye", *frame_models.MEMORIES}
    for name in frame_models.MEMORIES:
        fresh = frame_models.new_params(name, frame_models.units(name, 8000), 0)
        assert {k: p.shape for k, p in stored[name].items()} == {
            k: p.shape for k, p in fresh.items()
        }


def test_films_behind_the_screen_show_two_digits_first():
    films = frame_models.two_scenes(5, frames.split().test, RNG(0), 30)
    assert films.image.shape == (48, 5)
    assert not films.hidden[:6].any() and films.hidden[6:12].all()
    assert not films.hidden[12:18].any() and films.hidden[18:].all()
    assert (films.ago[-1] == 30).all()


def test_captions_through_convolutions_have_the_right_gradients(monkeypatch):
    """Every parameter of the eye and the decoder, where there are few."""
    monkeypatch.setattr(captions, "SIDE", 4)
    monkeypatch.setattr(caption_eyes, "FIELD", (8, 12))
    rng, model, V = RNG(3), Seq2Seq(GRU, feed="both"), len(captions.vocabulary())
    params = seq2seq.init_decoder(model, V, 2, 3, 3, rng, np.float64)
    params |= vision.init_maps(rng, (2, 2), np.float64)
    params |= captioner.init_eye(2 * 3 * 2, 3, rng, np.float64)
    params["b_see1"][:], params["b_see2"][:] = 0.1, 0.2
    some = captions.encode(captions.scenes()[i] for i in (0, 700))
    batch = captioner.make_batch(rng.random((2, 96)), some)
    grads = caption_eyes.loss_and_grads(model, params, batch).grads

    def loss():
        return caption_eyes.loss_and_grads(model, params, batch).loss

    gradcheck.largest(gradcheck.compare(loss, params, grads), 1e-5)


def test_both_eyes_of_the_captions_are_nearly_of_one_size():
    shapes = caption_feeds.SETTINGS["units of the eye"] * 6, caption_eyes.SETTINGS["C"]
    assert shapes[0] == shapes[1]
    convolutions = vision.init_maps(RNG(0), caption_eyes.CHANNELS)
    assert sum(p.size for p in convolutions.values()) == 1376
