"""Records of long experiments: what was run, on what, and every result.

`experiments/study.py` writes them, one JSON file a study. A notebook reads the record, runs one of
its cases live, and holds the two together with `compare`.
"""

import json
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).with_name("records")
TRAININGS = FOLDER / "trainings"  # of scripts that need hours or a GPU; no test repeats them


class Record(NamedTuple):
    """A study: how it was made, and its runs, a dict each with the case's settings and results.

    about: date, versions of Python, NumPy and so on, class of machine, and `settings`, which hold
    for all runs. runs: every run that was made, none left out, in the order of the cases.
    """

    name: str
    about: dict
    runs: tuple

    def select(self, **wanted) -> list:
        """The runs whose settings are as wanted: `record.select(cell="lstm", length=20)`.

        Raises: LookupError if there is none, for a misspelt name would else be an empty plot.
        """
        found = [r for r in self.runs if all(r["case"].get(k) == v for k, v in wanted.items())]
        if not found:
            raise LookupError(f"no run of {self.name} has {wanted}")
        return found

    def values(self, key: str, **wanted) -> list:
        """One result of every run that is as wanted, in the order of the cases (seeds)."""
        return [run["result"][key] for run in self.select(**wanted)]


def load(name: str, folder: Path = FOLDER) -> Record:
    """Read the record of a study.

    Raises: FileNotFoundError that says which script makes it.
    """
    path = Path(folder) / f"{name}.json"
    if not path.exists():
        raise FileNotFoundError(f"there is no record {path.name}: experiments/{name}.py makes it")
    text = json.loads(path.read_text("utf-8"))
    return Record(name, text["about"], tuple(text["runs"]))


def compare(recorded: dict, live: dict, tolerance: float) -> float:
    """The largest difference between a recorded result and the same result found now.

    recorded, live: name → number, or list of numbers; names that only one of them has are an error.
    tolerance: in the units of the results. A training run is the same to the last digit only on the
    same kind of processor, so say how much it may differ.
    Raises: AssertionError that names the result which differs by more, or is not finite.
    """
    if recorded.keys() != live.keys():
        raise AssertionError(f"results differ in name: {sorted(recorded)}, {sorted(live)}")
    largest = 0.0
    for name in recorded:
        old, new = _flat(recorded[name]), _flat(live[name])
        if len(old) != len(new):
            raise AssertionError(f"{name}: {len(old)} numbers were recorded, {len(new)} found")
        for a, b in zip(old, new):
            if not abs(a - b) <= tolerance:  # NaN is not ≤ anything
                raise AssertionError(f"{name}: recorded {a}, found {b}, tolerance {tolerance}")
            largest = max(largest, abs(a - b))
    return largest


def _flat(value) -> list:
    """A number, or lists of numbers, as one list of floats."""
    if isinstance(value, (list, tuple)):
        return [number for part in value for number in _flat(part)]
    return [float(value)]
