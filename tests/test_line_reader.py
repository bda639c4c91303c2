"""The stored reader of handwritten lines: whole, as good as recorded, and refused if damaged."""

import numpy as np
import pytest

from helpers import ctc
from helpers.data import digit_lines
from helpers.lstm import LSTM
from helpers.trained import line_reader, store


def test_it_reads_as_well_as_recorded():
    trained = line_reader.load()
    test = digit_lines.take(digit_lines.parts().test, np.arange(150))
    said = ctc.greedy(ctc.predict(LSTM, trained.params, test.x, test.lengths), test.lengths)
    [run] = trained.select(loss="ctc", directions=2, seed=trained.seed)
    assert abs(digit_lines.error_rate(said, test.targets) - run["read"]["test"]) < 0.015


def test_it_was_chosen_on_validation_lines():
    trained = line_reader.load()
    runs = trained.select(loss="ctc", directions=2)
    assert min(runs, key=lambda run: run["valid"]["error"])["seed"] == trained.seed
    assert len(trained.runs) == 9
    with pytest.raises(LookupError, match="no run"):
        trained.select(loss="none")


def test_other_files_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"experiments/digit_lines.py"):
        line_reader.load(tmp_path / "none.npz")
    store.write_npz(tmp_path / "other.npz", {"E": np.zeros(2)})
    with pytest.raises(ValueError, match="no reader of lines"):
        line_reader.load(tmp_path / "other.npz")
    arrays = store.read_npz(line_reader.PATH)
    arrays["b_y"] = np.full_like(arrays["b_y"], np.nan)
    store.write_npz(tmp_path / "nan.npz", arrays)
    with pytest.raises(ValueError, match="b_y holds 11 non-finite"):
        line_reader.load(tmp_path / "nan.npz")
