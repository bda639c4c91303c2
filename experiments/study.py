"""How a study is run: case by case, resumable, every result kept in one JSON record.

A script of this folder defines a `Study` named STUDY and ends with `study.main(STUDY)`:

    python experiments/wall.py              # run what is missing, and write the record
    python experiments/wall.py --list       # the cases, and how long each one took
    python experiments/wall.py --redo       # forget what is there and run all again

Interrupted, it goes on with the first case that has no result. A case is a dict of plain values; it
holds everything that tells one run from another, its seed included.
"""

import argparse
import gzip
import itertools
import json
import os
import platform
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import NamedTuple

import numpy as np

from helpers import train
from helpers.trained.records import FOLDER


class Study(NamedTuple):
    """name: of the record. question: what it asks, in a sentence. settings: what all runs share.
    cases: a list of dicts. run(case, settings) → dict of results, plain numbers and lists.
    tolerance: by how much a result may differ on another processor, for the test that repeats the
    shortest run."""

    name: str
    question: str
    settings: dict
    cases: list
    run: Callable
    tolerance: float


def versions() -> dict:
    """What the numbers were made with; no name of a machine."""
    found = {"python": platform.python_version(), "numpy": np.__version__}
    try:
        import torch

        found["torch"] = torch.__version__
    except ImportError:
        pass
    return found


def about(study: Study) -> dict:
    """The head of a record."""
    return {
        "question": study.question,
        "date": date.today().isoformat(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, one thread",
        "versions": versions(),
        "settings": study.settings,
    }


def read(path: Path, study: Study) -> list:
    """The runs that were made with the same settings so far; others are an error.

    Raises: ValueError if the record has other settings (use --redo).
    """
    if not path.exists():
        return []
    record = json.loads(path.read_text("utf-8"))
    if record["about"]["settings"] != as_json(study.settings):
        raise ValueError(f"{path.name} was made with other settings: use --redo to run all again")
    return record["runs"]


def as_json(value):
    """A value as it comes back from JSON: tuples are lists."""
    return json.loads(json.dumps(value))


def write(path: Path, study: Study, runs: list) -> None:
    """The record, whole or not at all; a line per run, so that a diff shows what changed."""
    place = {json.dumps(as_json(case)): i for i, case in enumerate(study.cases)}
    runs = sorted(runs, key=lambda run: place[json.dumps(run["case"])])
    write_record(path, about(study), runs)


def write_record(path: Path, about: dict, runs: list) -> None:
    """A record, whole or not at all: its head, and a line for each run."""
    lines = ",\n".join("  " + json.dumps(run) for run in runs)
    partial = path.with_suffix(".partial")
    head = json.dumps(about, indent=1)
    partial.write_text(f'{{"about": {head},\n"runs": [\n{lines}\n]}}\n', "utf-8")
    partial.replace(path)


def device_of(name: str) -> str:
    """ "auto" is a GPU if there is one."""
    import torch  # most studies do without

    return ("cuda" if torch.cuda.is_available() else "cpu") if name == "auto" else name


def save_state(path: Path, state: dict) -> None:
    """The state of a training in PyTorch, whole or not at all."""
    import torch

    partial = path.with_suffix(".partial")
    torch.save(state, partial)
    partial.replace(path)


def read_json(path: Path):
    """What a JSON file holds; its name may end in .gz."""
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8") as file:
        return json.load(file)


def run(study: Study, folder: Path = FOLDER, redo: bool = False, show: bool = True) -> list:
    """Run every case that has no result yet; write the record after each. Returns all runs."""
    path = Path(folder) / f"{study.name}.json"
    runs = [] if redo else read(path, study)
    cases = as_json(study.cases)
    runs = [r for r in runs if r["case"] in cases]  # cases that the study no longer has
    for i, case in enumerate(cases):
        if any(r["case"] == case for r in runs):
            continue
        begin = time.perf_counter()
        result = as_json(study.run(case, study.settings))
        seconds = round(time.perf_counter() - begin, 1)
        runs.append({"case": case, "result": result, "seconds": seconds})
        write(path, study, runs)
        if show:
            print(f"{i + 1}/{len(cases)} {case} {seconds} s {short(result)}", flush=True)
    return runs


class Solved(Exception):
    """The task is solved, after so many updates: how `updates_until` leaves the training loop."""


def updates_until(solved, step, params: dict, new_batch, settings: dict, rate: float) -> int:
    """Train until solved() is true, and return the number of updates that it took.

    solved is asked after every settings["every"] updates; where it never is true, the answer is
    settings["budget"]. step: as `train.train` wants it; new_batch() → a batch. The gradient is
    clipped at norm 1.
    """

    def batches():
        for done in itertools.count():
            if done and done % settings["every"] == 0 and solved():
                raise Solved(done)
            yield new_batch()

    try:
        train.train(
            step, params, batches(), settings["budget"], lr=rate, max_norm=1.0, progress=False
        )
    except Solved as found:
        return found.args[0]
    return settings["budget"]


def short(result: dict) -> str:
    """The results that are numbers, on one line."""
    return " ".join(f"{k}={v:.4g}" for k, v in result.items() if isinstance(v, (int, float)))


def shortest(record: dict) -> dict:
    """The run that took the least time: what a test can afford to repeat."""
    return min(record["runs"], key=lambda r: r["seconds"])


def main(study: Study) -> None:
    """The command line; see the module."""
    parser = argparse.ArgumentParser(description=study.question)
    parser.add_argument("--redo", action="store_true", help="run all again")
    parser.add_argument("--list", action="store_true", help="list the cases and what they took")
    options = parser.parse_args()
    if options.list:
        done = {json.dumps(r["case"]): r for r in read(FOLDER / f"{study.name}.json", study)}
        for case in as_json(study.cases):
            found = done.get(json.dumps(case))
            print(case, f"{found['seconds']} s" if found else "not run")
    else:
        FOLDER.mkdir(exist_ok=True)
        run(study, redo=options.redo)
