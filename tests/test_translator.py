"""The translator's file: what is written comes back, and what is damaged is refused."""

import numpy as np
import pytest

from helpers import bpe, seq2seq
from helpers.trained import store, translator


def small():
    units = bpe.learn(["open the file", "close it"], 5), bpe.learn(["ouvrir", "fermer"], 3)
    params = seq2seq.init_seq2seq(
        translator.MODEL, len(units[0]), len(units[1]), 4, 6, np.random.default_rng(0), True
    )
    return translator.Translator(params, *units, {"seed": 0})


def test_what_is_written_comes_back(tmp_path):
    model, path = small(), tmp_path / "x.npz"
    translator.save(path, model, {"é": [["笔记"]]})
    again = translator.load(path)
    assert again.source == model.source
    assert again.target == model.target
    assert again.about == {"seed": 0}
    assert translator.said(path) == {"é": [["笔记"]]}
    assert max(abs(again.params[n] - a).max() for n, a in model.params.items()) < 1e-3
    texts = ["open it", "the", "open the file close it ☺"]
    together = translator.translate_all(again, texts)
    assert together == [translator.translate_all(again, [text])[0] for text in texts]
    assert len(translator.translate_all(again, texts, width=3)) == 3
    assert translator.translate_all(again, []) == []


def test_errors(tmp_path):
    model, path = small(), tmp_path / "x.npz"
    with pytest.raises(FileNotFoundError, match="sentences.py"):
        translator.load(path)
    for texts, error in (("open", TypeError), (["a", " "], ValueError)):
        with pytest.raises(error, match="texts"):
            translator.translate_all(model, texts)
    with pytest.raises(ValueError, match="width"):
        translator.translate_all(model, ["a"], width=0)
    translator.save(path, model, {})
    path.write_bytes(path.read_bytes()[:-300])
    with pytest.raises(ValueError, match="no whole checkpoint"):
        translator.load(path)
    translator.save(path, model, {})
    arrays = store.read_npz(path)
    store.write_npz(path, arrays | {"param.b_y": arrays["param.b_y"][1:]})
    with pytest.raises(ValueError, match="b_y has shape"):
        translator.load(path)
    bad = model._replace(params=model.params | {"b_y": model.params["b_y"] * np.nan})
    with pytest.raises(ValueError, match="b_y is not finite"):
        translator.save(path, bad, {})


def test_the_file_of_the_book():
    model, said = translator.load(), translator.said()
    assert translator.translate_all(model, ["Close tab"])[0].startswith("Fermer")
    assert set(said) == {"fr_pieces", "fr_words", "zh_pieces", "zh_words"}
    for name, texts in said.items():
        assert [len(t) for t in texts] == [{"fr": 441, "zh": 450}[name[:2]]] * 3
    assert translator.CHECKPOINT.stat().st_size < 1.5e6
