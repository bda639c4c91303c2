"""The trained writer: reading its file, scoring in columns, looking inside, clamping units."""

import json

import numpy as np
import pytest
import torch
import torch_lm

from helpers import gru, losses, lstm, rnn, text, unroll
from helpers import language_model as lm
from helpers.activations import sigmoid
from helpers.data import corpora
from helpers.trained import records, writer

RNG = np.random.default_rng
VOCAB = text.Vocabulary.of("abcdefgh \n")
V = len(VOCAB)


@pytest.fixture
def params():
    made = lm.init_language_model(lstm.LSTM, V, 4, 6, RNG(0), np.float64, n_layers=2)
    return {name: 1.5 * array for name, array in made.items()}


IDS = RNG(1).integers(V, size=500)


# --- The file -----------------------------------------------------------------------------------


def test_what_is_saved_is_read_again(tmp_path, params):
    path = tmp_path / "a.npz"
    writer.save(path, params, VOCAB, {"seed": 3})
    found = writer.load(path)
    assert found.vocab == VOCAB and found.about == {"seed": 3}
    for name, array in params.items():
        assert found.params[name].dtype == np.float32
        np.testing.assert_allclose(found.params[name], array, rtol=1e-3, atol=1e-6)
    assert len(writer.write(found, "abc", 7, RNG(0))) == 7


def test_damaged_files_are_refused(tmp_path, params):
    path = tmp_path / "a.npz"
    with pytest.raises(FileNotFoundError, match="experiments/shakespeare.py"):
        writer.load(path)
    with pytest.raises(ValueError, match="W_hy"):
        writer.save(path, params | {"W_hy": params["W_hy"] * 1e9}, VOCAB, {})
    assert not path.exists()
    writer.save(path, params, VOCAB, {})
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match="no whole checkpoint"):
        writer.load(path)
    for wrong in (
        {k: v for k, v in params.items() if k != "b_y"}, params | {"b_y": np.zeros(V + 1)},
        params | {"strange": np.zeros(2)},
    ):  # fmt: skip
        writer.save(path, wrong, VOCAB, {})
        with pytest.raises(ValueError, match="no whole checkpoint"):
            writer.load(path)
    writer.save(path, params, text.Vocabulary.of("ab"), {})
    with pytest.raises(ValueError, match="no whole checkpoint"):
        writer.load(path)


# --- Scoring ------------------------------------------------------------------------------------


def test_one_column_is_one_reading(params):
    found = writer.log2_probabilities(params, IDS, columns=1)
    assert found.shape == (499,)
    assert abs(-found.mean() - losses.bits(lm.evaluate(lstm.LSTM, params, IDS))) < 1e-9


def test_with_a_start_as_long_as_the_text_columns_change_nothing(params):
    once = writer.log2_probabilities(params, IDS, columns=1)
    held = writer.inside(params, IDS)
    for columns in (2, 7, 64):
        found = writer.log2_probabilities(params, IDS, columns, warm=len(IDS))
        np.testing.assert_allclose(found, once, rtol=0, atol=1e-5)
        for one, other in zip(held, writer.inside(params, IDS, columns, warm=len(IDS))):
            for a, b in zip(one, other):
                np.testing.assert_allclose(a, b, rtol=0, atol=1e-5)


@pytest.mark.parametrize("columns", [2, 7, 64, 499, 1000])
def test_columns_with_a_start_come_near_it(params, columns):
    once = writer.log2_probabilities(params, IDS, columns=1)
    found = writer.log2_probabilities(params, IDS, columns, warm=200)
    assert found.shape == (499,) and np.isfinite(found).all()
    np.testing.assert_allclose(found[200:], once[200:], atol=1e-6)
    cold = writer.log2_probabilities(params, IDS, columns, warm=0)
    assert np.abs(cold - once).max() > 1e-3


def test_bad_texts_are_named(params):
    for wrong, error in (
        (IDS[:1], ValueError), (IDS.astype(float), TypeError), (IDS + V, IndexError),
    ):  # fmt: skip
        with pytest.raises(error, match="ids"):
            writer.log2_probabilities(params, wrong)
    with pytest.raises(ValueError, match="columns"):
        writer.log2_probabilities(params, IDS, columns=0)


# --- Looking inside -----------------------------------------------------------------------------


def test_inside_are_the_states_of_the_model(params):
    found = writer.inside(params, IDS)
    _, states, hs = lm.predict(lstm.LSTM, params, IDS[:, None])
    np.testing.assert_allclose(found[-1][0], hs[:, 0])
    for (h, c), (h_end, c_end) in zip(found, states):
        assert h.shape == c.shape == (500, 6)
        np.testing.assert_allclose(h[-1], h_end[0])
        np.testing.assert_allclose(c[-1], c_end[0])


@pytest.mark.parametrize("layer", [0, 1])
def test_clamped_units_are_read_as_constants(params, layer):
    """The same as a loop that puts the constants into h before anyone reads it."""
    units, values = np.array([1, 4]), np.array([0.3, -0.2])
    states = [tuple(np.zeros((1, 6)) for _ in range(2)) for _ in range(2)]
    expected = []
    for i in IDS[:40]:
        x = params["E"][i][None]
        for k, suffix in enumerate(("_l0", "_l1")):
            one = unroll.one_layer(lstm.LSTM, params, suffix)
            h, c = lstm.lstm_step(one, x, *states[k])
            if k == layer:
                h[:, units] = values
            states[k], x = (h, c), h
        expected.append(x @ params["W_hy"] + params["b_y"])
    clamped = writer.clamp(params, layer, units, values)
    # Before the first symbol the units were 0 there, and are the constants here.
    free, _, _ = lm.predict(lstm.LSTM, params, IDS[:40, None])
    found, _, _ = lm.predict(lstm.LSTM, clamped, IDS[:40, None])
    np.testing.assert_allclose(found[30:, 0], np.concatenate(expected)[30:], atol=1e-4)
    assert np.abs(found - free).max() > 1e-2
    np.testing.assert_array_equal(params["W_hy"], 1 * params["W_hy"])


@pytest.mark.parametrize("cell", [rnn.RNN, gru.GRU], ids=lambda c: c.name)
def test_other_cells_are_told_by_their_gates(cell, tmp_path):
    made = lm.init_language_model(cell, V, 4, 6, RNG(0), np.float64, n_layers=2)
    params = {name: 1.5 * array for name, array in made.items()}
    assert writer.cell_of(params) is cell
    found = writer.log2_probabilities(params, IDS, columns=1)
    assert abs(-found.mean() - losses.bits(lm.evaluate(cell, params, IDS))) < 1e-9
    _, states, hs = lm.predict(cell, params, IDS[:, None])
    inside = writer.inside(params, IDS)
    np.testing.assert_allclose(inside[-1][0], hs[:, 0])
    assert [len(layer) for layer in inside] == [1, 1]
    writer.save(tmp_path / "a.npz", params, VOCAB, {})
    stored = writer.load(tmp_path / "a.npz")
    assert len(writer.write(stored, "abc", 7, RNG(0))) == 7
    # Clamped: a loop that puts the constants in before anyone reads them.
    units, values = np.array([1, 4]), np.array([0.3, -0.2])
    for layer in (0, 1):
        hidden, expected = [np.zeros((1, 6))] * 2, []
        for i in IDS[:60]:
            x = params["E"][i][None]
            for k, suffix in enumerate(("_l0", "_l1")):
                one, read = unroll.one_layer(cell, params, suffix), hidden[k].copy()
                if k == layer:
                    read[:, units] = values  # what the layer's matrix sees
                after = cell.step(one, x, read)
                if cell is gru.GRU and k == layer:  # z keeps what the unit really holds
                    a = x @ one["W_xh"] + one["b_h"] + read @ one["W_hh"]
                    after = after + sigmoid(a[:, 6:12]) * (hidden[k] - read)
                hidden[k] = after
                x = hidden[k].copy()
                if k == layer:
                    x[:, units] = values
            expected.append(x @ params["W_hy"] + params["b_y"])
        clamped = writer.clamp(params, layer, units, values)
        logits, _, _ = lm.predict(cell, clamped, IDS[:60, None])
        np.testing.assert_allclose(logits[40:, 0], np.concatenate(expected)[40:], atol=1e-4)


def test_no_cell_has_five_gates(params):
    with pytest.raises(ValueError, match="W_hh"):
        writer.cell_of({"W_hh": np.zeros((4, 20))})


def test_clamping_does_not_change_the_model_itself(params):
    before = {name: array.copy() for name, array in params.items()}
    clamped = writer.clamp(params, 1, 2, 0.5)
    for name, array in before.items():
        np.testing.assert_array_equal(params[name], array)
    assert (clamped["W_hy"][2] == 0).all() and (clamped["W_hh_l1"][2] == 0).all()
    assert clamped["W_xh_l1"] is params["W_xh_l1"]
    with pytest.raises(ValueError, match="units is empty"):
        writer.clamp(params, 0, np.array([], int), np.array([]))


def test_units_and_layers_that_are_not_there(params):
    with pytest.raises(IndexError, match="layer"):
        writer.clamp(params, 2, 0, 0.0)
    with pytest.raises(IndexError, match="units"):
        writer.clamp(params, 0, 6, 0.0)
    with pytest.raises(ValueError, match="values"):
        writer.clamp(params, 0, [1, 2], [0.0])


def test_the_note_is_plain_text(tmp_path, params):
    writer.save(tmp_path / "a.npz", params, VOCAB, {"case": {"seed": 1}})
    with np.load(tmp_path / "a.npz", allow_pickle=False) as file:
        assert json.loads(str(file["about"])) == {"case": {"seed": 1}}


# --- The stored model ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def stored():
    return writer.load()


def test_the_stored_model_gives_its_number_again(stored):
    n, bits = stored.about["slice"]
    ids = stored.vocab.encode(corpora.shakespeare().valid[:n])
    found = -writer.log2_probabilities(stored.params, ids).mean()
    assert abs(found - bits) < 0.002
    recorded = records.load("shakespeare").select(group="mix")[0]["result"]
    assert recorded["mixed"]["test"] < recorded["alone"]["test"] < recorded["counts"]["test"]
    assert writer.CHECKPOINT.stat().st_size < 4_000_000


def test_the_stored_model_is_the_same_in_torch(stored):
    s = stored.about["settings"]
    model = torch_lm.Model(s, len(stored.vocab)).load(stored.params).eval()
    ids = stored.vocab.encode(corpora.shakespeare().test[:240]).reshape(4, 60).T.copy()
    with torch.no_grad():
        theirs, _ = model(torch.as_tensor(ids), model.zero_states(4))
    ours, _, _ = lm.predict(lstm.LSTM, stored.params, ids)
    np.testing.assert_allclose(ours, theirs.numpy(), rtol=0, atol=1e-4)


def test_the_stored_model_writes_words(stored):
    drawn = writer.write(stored, "ROMEO\n", 120, RNG(0), temperature=0.5)
    known = set(corpora.shakespeare().train.lower().split())
    words = drawn.lower().split()[1:-1]
    assert np.mean([word in known for word in words]) > 0.8
