"""What do a frame alone, convolutions in time and recurrent layers see in a film? (notebook 31)

One eye (`frame_models.learn_eye`, stored in `src/helpers/trained/frames.npz`) is frozen; six
memories of equal size learn from its features of the same films. First each memory is trained at
each of three rates, from a seed of its own, and judged on films of the validation forms; then five
more seeds are trained at the best rate, and judged on films of the test forms.

    python experiments/frames.py          # runs what is missing: some minutes on an idle machine
    python experiments/frames.py --eye    # trains the eye again, and stores it
"""

import sys

import frame_models
import numpy as np
import study
from frame_models import MEMORIES

from helpers.data import frames
from helpers.trained import store

SETTINGS = {
    "size": 8000, "updates": 1000, "T": 48, "B": 32, "films": 1024, "scored_on": 200, "behind": 48,
}  # fmt: skip
RATES, TUNE, FINAL = (0.005, 0.015, 0.045), 100, (0, 1, 2, 3, 4)
EYE = {"seed": 0, "n": 600}
# The best rate of each memory on validation, by `best_rate` from the runs with seed TUNE.
CHOSEN = {
    "frame": 0.015, "time 5": 0.015, "time 16": 0.015, "time 64": 0.015, "RNN": 0.045,
    "LSTM": 0.015,
}  # fmt: skip
KEPT = {}  # the parameters of the first seed of each memory that was run here
_seen = {}


def material(part: str, settings: dict) -> tuple:
    """Films of training, validation or test with the eye's features, made once."""
    if part not in _seen:
        eye, seed = frame_models.trained()["eye"], {"train": 1, "valid": 2, "test": 3}[part]
        indices, rng = getattr(frames.split(), part), np.random.default_rng(seed)
        n = settings["films" if part == "train" else "scored_on"]
        films = frames.shoot(settings["T"], n, indices, rng)
        both = [films, frame_models.two_scenes(n, indices, rng, settings["behind"])]
        both = both[:1] if part == "train" else both
        _seen[part] = [(f, frame_models.features(eye, f)) for f in both]
    return _seen[part]


def run(case: dict, settings: dict) -> dict:
    """Train one memory; shares of right answers, and of digits by how long ago they were seen."""
    name, seed = case["memory"], case["seed"]
    ((films, c),) = material("train", settings)
    H, n = frame_models.units(name, settings["size"]), case.get("updates", settings["updates"])
    params, history = frame_models.learn(name, H, c, films, seed, n, settings["B"], case["rate"])
    if seed == FINAL[0] and "updates" not in case:
        KEPT[name] = params
    (films, c), (long, c_long) = material("valid" if seed == TUNE else "test", settings)
    found = frame_models.scores(name, params, c, films)
    digit, _ = frame_models.answers(name, params, c_long)
    by_ago = (digit == long.digit)[-settings["behind"] :].mean(axis=1)
    found = {key: round(value, 4) for key, value in found.items()}
    found |= {"ago": [round(float(v), 3) for v in by_ago]}
    return found | {"loss": [round(float(v), 3) for v in history.loss.reshape(5, -1).mean(axis=1)]}


def tuning() -> list:
    """The cases that rates are chosen by."""
    return [{"memory": m, "rate": r, "seed": TUNE} for m in MEMORIES for r in RATES]


def finals(chosen: dict) -> list:
    """The cases that are reported, seed by seed."""
    return [{"memory": m, "rate": chosen[m], "seed": s} for s in FINAL for m in chosen]


def best_rate(runs: list, name: str) -> float:
    """The rate with the most right answers of all three kinds on validation."""
    tuned = [r for r in runs if r["case"]["memory"] == name and r["case"]["seed"] == TUNE]

    def total(r):
        return sum(r["result"][kind] for kind in ("seen", "hidden", "direction"))

    return max(tuned, key=total)["case"]["rate"]


BRIEF = {"memory": "frame", "rate": 0.01, "seed": 0, "updates": 20}
STUDY = study.Study(
    name="frames",
    question="What do a frame alone, convolutions in time and recurrent layers see in a film?",
    settings=SETTINGS,
    cases=[BRIEF, *tuning(), *finals(CHOSEN)],
    run=run,
    tolerance=0.15,
)


def keep(made: dict) -> None:
    """Store parameters, in half precision, beside those of other networks that are stored."""
    old = frame_models.trained() if frame_models.WEIGHTS.exists() else {}
    halves = {f"{name}/{key}": p.astype(np.float16)
              for name, params in (old | made).items() for key, p in params.items()}  # fmt: skip
    store.write_npz(frame_models.WEIGHTS, halves)


if __name__ == "__main__":
    if "--eye" in sys.argv:
        keep({"eye": frame_models.learn_eye(**EYE)})
    else:
        study.main(STUDY)
        keep(KEPT)
