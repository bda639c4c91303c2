"""The trained reader of handwritten lines: its weights, and how it was trained.

Two layers of LSTM cells in two directions, 96 units each, trained with CTC for about a minute on a
GPU by `experiments/digit_lines.py`. Ask it with `ctc.predict(LSTM, params, x, lengths)`.
"""

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..checks import check_finite
from . import store

PATH = Path(__file__).parent / "digit_lines.npz"


class Trained(NamedTuple):
    """params: of the stored reader, float32. seed: which of the runs it is. runs: a dict for each
    network that was trained beside it: loss, directions, seed, parameters, updates, history, and
    error rates, see `experiments/digit_lines.py`."""

    params: dict
    seed: int
    runs: list

    def select(self, **wanted) -> list:
        """The runs that are as wanted: `trained.select(loss="ctc", directions=2)`.

        Raises: LookupError if there is none.
        """
        found = [run for run in self.runs if all(run.get(k) == v for k, v in wanted.items())]
        if not found:
            raise LookupError(f"no run has {wanted}")
        return found


def load(path=PATH) -> Trained:
    """Read the stored reader.

    Raises: FileNotFoundError that says what makes it; ValueError if the file is none of ours.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"there is no {path.name}: experiments/digit_lines.py makes it")
    arrays = store.read_npz(path)
    if "about" not in arrays or "W_hy" not in arrays:
        raise ValueError(f"{path.name} is no reader of lines: it holds {sorted(arrays)}")
    about = json.loads(str(arrays.pop("about")))
    params = {name: array.astype(np.float32) for name, array in arrays.items()}
    for name, array in params.items():
        check_finite(name, array)
    return Trained(params, about["stored"], about["runs"])
