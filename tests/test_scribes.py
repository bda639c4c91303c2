"""The stored scribes, and how their writing is measured."""

import json

import numpy as np
import pytest
import writing

from helpers import language_model, ngram
from helpers.data import tunes
from helpers.lstm import LSTM
from helpers.text import Vocabulary
from helpers.trained import scribes, store

VOCAB = Vocabulary(tuple("\nabcd"))


def small(seed=0, dtype=np.float64):
    rng = np.random.default_rng(seed)
    params = language_model.init_language_model(LSTM, len(VOCAB), 3, 6, rng, dtype)
    return scribes.Scribe(params, VOCAB, {})


def saved(path, params, **notes):
    notes = {"vocabulary": VOCAB.symbols, "settings": {}, "about": {"valid": 1.0}} | notes
    store.write_npz(
        path,
        {f"param.{k}": v.astype(np.float16) for k, v in params.items()}
        | {k: np.array(json.dumps(v)) for k, v in notes.items()},
    )


def test_a_file_comes_back(tmp_path):
    one = small()
    saved(tmp_path / "code.npz", one.params)
    back = scribes.load("code", tmp_path)
    assert back.vocab == VOCAB and back.about["valid"] == 1.0
    for name, array in one.params.items():
        np.testing.assert_allclose(back.params[name], array, atol=1e-3)


def test_what_is_refused(tmp_path):
    with pytest.raises(ValueError, match="one of code, prose, tunes"):
        scribes.load("poems", tmp_path)
    with pytest.raises(FileNotFoundError, match="experiments/writers.py --corpus code"):
        scribes.load("code", tmp_path)
    params = small().params
    del params["b_y"]
    saved(tmp_path / "code.npz", params)
    with pytest.raises(ValueError, match="no whole checkpoint"):
        scribes.load("code", tmp_path)
    (tmp_path / "code.npz").write_bytes(b"PK nothing")
    with pytest.raises(ValueError, match="no whole checkpoint"):
        scribes.load("code", tmp_path)
    for bad in ({"prompt": ""}, {"prompt": "x"}, {"n": 0}, {"B": 0}, {"temperature": -1.0}):
        with pytest.raises(ValueError):
            scribes.write_many(small(), **{"prompt": "a", "n": 3, "B": 2, "rng": None} | bad)


def test_many_texts_as_one_by_one():
    """At temperature 0 nothing is drawn, and every text is what `sample` writes."""
    one, rng = small(), np.random.default_rng(0)
    texts = scribes.write_many(one, "ab", 20, 3, np.random.default_rng(0), temperature=0)
    ids = language_model.sample(LSTM, one.params, VOCAB.encode("ab"), 20, rng, temperature=0)
    assert texts == ["".join(VOCAB.decode(ids))] * 3


def test_draws_have_the_right_frequencies():
    z = np.log(np.tile([0.1, 0.2, 0.3, 0.4], (40000, 1)))
    drawn = scribes.draw_each(z, np.random.default_rng(0))
    np.testing.assert_allclose(np.bincount(drawn) / 40000, [0.1, 0.2, 0.3, 0.4], atol=0.01)


def test_bits_of_texts_of_unequal_length():
    one, texts = small(), ["abcd" * 80, "ab", "dcba\n" * 50]
    found = scribes.bits_of_texts(one, texts)
    for bits, text in zip(found, texts):
        nats = language_model.evaluate(LSTM, one.params, VOCAB.encode(text))
        assert bits == pytest.approx(nats / np.log(2), rel=1e-9)
    with pytest.raises(ValueError, match="two characters"):
        scribes.bits_of_texts(one, ["a"])


def test_counting_models_of_the_study_are_those_of_the_book():
    rng = np.random.default_rng(0)
    train, held = rng.integers(0, 4, 3000) % 3, rng.integers(0, 4, 300) % 3
    train[::7] = 3
    counts = ngram.count(train, 4, 5)
    wanted = ngram.probabilities(counts, held, ngram.kneser_ney)[:, 4:]
    found = writing.kneser_ney_of_any_order(train, held, 4, 5)
    np.testing.assert_allclose(found, wanted, rtol=1e-12)
    contexts = np.array([held[i : i + 5] for i in range(40)])
    rows = writing.next_probabilities(counts, contexts)
    for row, context in zip(rows, contexts):
        wanted = ngram.distribution(counts, context, ngram.kneser_ney)[-1]
        np.testing.assert_allclose(row, wanted, rtol=1e-12)


def test_measures_on_texts_that_are_known(monkeypatch):
    monkeypatch.setattr(writing, "known_lines", lambda corpus: set())
    monkeypatch.setattr(writing, "known_runs", lambda: tunes.run_index([[1, 2, 3]]))
    code = writing.measure_code(["f(a):\n    return [a]\n\n\nx = 1\n", "g(:\n    return\nx\n"])
    assert (code["ended"], code["compile"], code["brackets_close"]) == (1.0, 0.5, 0.6667)
    prose = writing.measure_prose(
        ["A :math:`x^2` and :math:`{` and\n\n.. [1] One, 1999.\n~~~~~~~~~~\nnot this :math:`y`"]
    )
    assert (prose["formulas"], prose["balanced"], prose["parse"]) == (2, 0.5, 0.5)
    assert (prose["lists"], prose["lists_well_formed"], prose["ended"]) == (1, 1.0, 1.0)
    music = writing.measure_tunes(["6/8\nK:G\nD|GABcBA|GABcBA|G3G2:|\n\nM:", "6/8\nK:G\nA?\n\n"])
    assert (music["ended"], music["parse"], music["end_on_tonic"]) == (1.0, 0.5, 1.0)
    assert (music["bars_add_up"], music["in_key"]) == (1.0, 1.0)


@pytest.mark.parametrize("name", scribes.NAMES)
def test_the_stored_scribes_can_be_read_and_write(name):
    scribe = scribes.load(name)
    assert scribe.about["runs"][0]["valid"] == scribe.about["valid"]
    texts = scribes.write_many(scribe, writing.PROMPT[name], 5, 2, np.random.default_rng(0))
    assert [len(text) for text in texts] == [5, 5]
    sample = {"code": "\n\n\ndef f(self, X):\n    return self\n", "prose": ":math:`x_i` is a\n",
              "tunes": "\n\nM:6/8\nK:G\nGABc|"}[name]  # fmt: skip
    assert scribes.bits_of_texts(scribe, [sample])[0] < 3
