"""Records of experiments: complete, and the shortest run of each comes out again."""

import importlib
import json
import math
from pathlib import Path

import numpy as np
import pytest
import study
from study import Study

from helpers import text
from helpers.trained import records

FOLDER = Path(study.__file__).parent
NAMES = sorted(
    path.stem for path in FOLDER.glob("*.py") if "STUDY = " in path.read_text("utf-8")
    and path.stem != "study"
)  # fmt: skip


def numbers(value):
    """All numbers in a result."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [n for part in value for n in numbers(part)]
    return [value] if isinstance(value, (int, float)) else []


def test_every_record_has_its_script():
    assert {path.stem for path in records.FOLDER.glob("*.json")} == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_record_is_complete(name):
    made = importlib.import_module(name).STUDY
    record = json.loads((records.FOLDER / f"{name}.json").read_text("utf-8"))
    assert made.name == name
    assert record["about"]["settings"] == study.as_json(made.settings)
    assert record["about"]["versions"].keys() >= {"python", "numpy"}
    assert [run["case"] for run in record["runs"]] == study.as_json(made.cases)
    for run in record["runs"]:
        found = numbers(run["result"])
        assert found
        assert all(math.isfinite(n) for n in found), run["case"]


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_shortest_run_comes_out_again(name):
    made = importlib.import_module(name).STUDY
    run = study.shortest(json.loads((records.FOLDER / f"{name}.json").read_text("utf-8")))
    live = study.as_json(made.run(run["case"], made.settings))
    records.compare(run["result"], live, made.tolerance)


def test_chunks_chose_its_rates_on_the_validation_play():
    import chunks

    record = records.load("chunks")

    def on_valid(setting, lr):
        equal, k = setting
        runs = (record.values("valid", equal=equal, k=k, lr=lr, seed=s) for s in chunks.TUNING)
        return np.mean(list(runs))

    for setting, chosen in chunks.CHOSEN.items():
        rates = chunks.RATES + chunks.MORE.get(setting, ())
        assert min(rates, key=lambda lr, setting=setting: on_valid(setting, lr)) == chosen, setting


# ---------- the machinery ----------


def toy(calls):
    def one(case, settings):
        calls.append(case["seed"])
        if case["seed"] == settings["fails_at"]:
            raise KeyboardInterrupt
        return {"double": 2.0 * case["seed"], "list": [case["seed"], 1]}

    return one


def test_a_study_goes_on_where_it_stopped(tmp_path):
    calls = []
    cases = [{"seed": s, "kind": ("a", 1)} for s in range(3)]
    stops = Study("toy", "?", {"fails_at": 1}, cases, toy(calls), 0.0)
    with pytest.raises(KeyboardInterrupt):
        study.run(stops, tmp_path, show=False)
    goes_on = stops._replace(run=lambda case, settings: {"double": 2.0 * case["seed"], "list": []})
    study.run(goes_on, tmp_path, show=False)
    assert calls == [0, 1]
    record = records.load("toy", tmp_path)
    assert record.values("double") == [0.0, 2.0, 4.0]
    assert record.values("double", seed=2) == [4.0]
    with pytest.raises(LookupError, match="no run of toy has {'seed': 7}"):
        record.select(seed=7)


def test_other_settings_are_refused(tmp_path):
    first = Study("toy", "?", {"fails_at": -1}, [{"seed": 0}], toy([]), 0.0)
    study.run(first, tmp_path, show=False)
    with pytest.raises(ValueError, match="other settings"):
        study.run(first._replace(settings={"fails_at": -2}), tmp_path, show=False)
    calls = []
    study.run(first._replace(run=toy(calls)), tmp_path, redo=True, show=False)
    assert calls == [0]


def test_a_missing_record_says_how_to_make_it(tmp_path):
    with pytest.raises(FileNotFoundError, match="experiments/nothing.py makes it"):
        records.load("nothing", tmp_path)


@pytest.mark.parametrize(("wanted", "took"), [(5, 6), (0, 2), (99, 9)])
def test_training_until_solved_counts_its_updates(wanted, took):
    """Looked at after every second update, of nine at most."""
    params = {"w": np.zeros(1)}

    def step(params, batch, state):
        return 0.0, {"w": np.array([-1.0])}, None

    updates = study.updates_until(
        lambda: params["w"] / 1e-3 > wanted - 0.5,
        step, params, lambda: text.Batch(None, None), {"every": 2, "budget": 9}, 1e-3,
    )  # fmt: skip
    assert updates == took
    assert params["w"] == pytest.approx(took * 1e-3, rel=1e-3)


@pytest.mark.parametrize(
    ("live", "words"),
    [
        ({"loss": 1.2}, "loss: recorded 1.0, found 1.2"),
        ({"loss": math.nan}, "loss: recorded 1.0, found nan"),
        ({"other": 1.0}, "differ in name"),
        ({"loss": [1.0, 1.0]}, "1 numbers were recorded, 2 found"),
    ],
)
def test_comparison_names_what_differs(live, words):
    with pytest.raises(AssertionError, match=words):
        records.compare({"loss": 1.0}, live, 0.1)
    assert records.compare({"loss": [1.0, 2.0]}, {"loss": [1.05, 2.0]}, 0.1) == pytest.approx(0.05)
