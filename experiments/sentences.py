"""Translates the texts of an interface, in words or byte pairs, to French or Chinese.

    python experiments/sentences.py --groups fr_pieces --seconds 300 --out FOLDER
    python experiments/sentences.py --merge FOLDER FOLDER …     # one record of all

All models are encoder and decoder of GRUs with attention. In a comparison all have the same number
of parameters, 700,000: who has fewer units has a wider state. A group is twelve models that are
trained at once (see crowd.py): two learning rates, two shares of dropout, three seeds. Which rate
and share count is chosen by the mean chrF on validation, for each group by itself. Every model
keeps the weights that had the best chrF on validation at one of twelve checks, and translates the
test sentences once.

The main groups are two languages by two kinds of units; for characters see sentences_units.py. The
others ask for the number of merges, the number of pairs to learn from, and chapter 9's grammar.

With --seconds a group makes fewer updates where the time is short; how many is in its results. The
record was made on a card that was shared with other trainings, a minute or two a group, and all
groups but `short` were cut: the main ones made 1,250 to 1,680 of 2,400 updates. On one core of a
processor a group takes hours (`short`: minutes). A group that is done is not run again.
"""

import argparse
import json
import time
from functools import cache
from itertools import product
from pathlib import Path

import crowd
import numpy as np
import sacrebleu
import study
import torch

from helpers import bpe, seq2seq
from helpers.data import interface, translation
from helpers.text import END
from helpers.trained import store, translator

MODEL = translator.MODEL
SETTINGS = {
    "D": 64, "B": 64, "max_norm": 1.0, "warm_up": 100, "checks": 12, "rare": 2,
}  # fmt: skip
RATES, SHARES, SEEDS = (1e-3, 3e-3), (0.3, 0.5), (0, 1, 2)
FULL, UPDATES, MERGES, PARAMETERS = 2249, 2400, 1000, 700_000

# --- Data and units -----------------------------------------------------------------------------


@cache
def data(task: str):
    """Pairs to learn, to choose by and to test on: "fr", "zh", or made by the grammar of chapter 9.

    "made_en" is from French to English, "made_fr" the other way; as many pairs as "fr" has.
    "short": the pairs of "fr" with sources of at most 20 characters, to try a small model live.
    """
    if task == "short":
        return interface.Split(
            *(tuple(p for p in part if len(p.source) <= 20) for part in data("fr"))
        )
    if task in interface.PACKS:
        return interface.split(task)
    parts = interface.split("fr")
    made = translation.split(np.random.default_rng(0), FULL, len(parts.test))
    said = [
        [interface.Pair(translation.say(p.french), translation.say(p.english)) for p in part]
        for part in made[:3]
    ]
    if task == "made_fr":
        said = [[interface.Pair(p.target, p.source) for p in part] for part in said]
    return interface.Split(said[0], said[1][: len(parts.valid)], said[2])


def some(train, n: int) -> list:
    """n of the training pairs, or all if there are fewer; the 300 are among the 600."""
    order = np.random.default_rng(7).permutation(len(train))
    return [train[i] for i in order[:n]]


def units_for(kind: str, merges: int, train) -> tuple:
    """Units of both sides: words, or pieces with so many merges ("letters": none)."""
    texts = [[pair[side] for pair in train] for side in (0, 1)]
    if kind == "words":
        return tuple(bpe.learn_words(t, SETTINGS["rare"]) for t in texts)
    return tuple(bpe.learn(t, merges, SETTINGS["rare"]) for t in texts)


def start(units, H: int, seed: int, settings) -> dict:
    """A model before training."""
    return seq2seq.init_seq2seq(
        MODEL, len(units[0]), len(units[1]), settings["D"], H, np.random.default_rng(seed),
        bidirectional=True,
    )  # fmt: skip


def size(params: dict) -> int:
    return sum(p.size for p in params.values())


def width(units, parameters: int, settings) -> int:
    """The largest even H with which a model has no more parameters than it may have."""
    H = range(16, 601, 2)
    low, high = 0, len(H)
    while high - low > 1:
        middle = (low + high) // 2
        if size(start(units, H[middle], 0, settings)) <= parameters:
            low = middle
        else:
            high = middle
    return H[low]


def scores(hypotheses, references, task: str) -> dict:
    """chrF and BLEU of the whole, and the share that is right to the letter, each in percent."""
    tokenize = "zh" if task == "zh" else "13a"
    return {
        "chrf": sacrebleu.corpus_chrf(hypotheses, [references]).score,
        "bleu": sacrebleu.corpus_bleu(hypotheses, [references], tokenize=tokenize).score,
        "exact": 100 * float(np.mean([h == r for h, r in zip(hypotheses, references)])),
    }


# --- Runs: models that differ in rate, dropout and seed -----------------------------------------


def train_cases(cases: list, settings: dict, device: str = "cpu", until: float = np.inf):
    """Train the models of cases that differ in rate, dropout and seed only, all at once.

    Returns the results (numbers), the weights, and what each says to the test sentences.
    Raises: crowd.Stopped if there is too little time.
    """
    task, kind, merges, pairs, updates = (
        cases[0][k] for k in ("task", "units", "merges", "pairs", "updates")
    )
    parts = data(task)
    train = some(parts.train, pairs)
    units = units_for(kind, merges, train)
    encoded = [[units[side].encode(pair[side]) for pair in train] for side in (0, 1)]
    limit = int(1.2 * max(map(len, encoded[1]))) + 5
    H = width(units, cases[0]["parameters"], settings)
    params = crowd.stack([start(units, H, case["seed"], settings) for case in cases], device)
    read = {name: on_device(part, units[0], device) for name, part in zip(parts._fields, parts)}

    def say(cell, params, part):
        ids = crowd.translate(cell, params, *read[part], limit)
        return [[units[1].decode(up_to_end(column)) for column in ids[:, k].T]
                for k in range(len(cases))]  # fmt: skip

    def check(cell, params):
        references = [[pair.target for pair in parts.valid]]
        return [sacrebleu.corpus_chrf(said, references).score
                for said in say(cell, params, "valid")]  # fmt: skip

    _, made = crowd.train(
        params, encoded, [c["lr"] for c in cases], [c["dropout"] for c in cases],
        [c["seed"] for c in cases], settings, updates, check, device, until,
    )  # fmt: skip
    results, said = [{"updates": made, "H": H} for _ in cases], None
    for part in ("valid", "test"):
        said = say(crowd.pick_cell(device), params, part)
        for result, texts in zip(results, said):
            found = scores(texts, [pair.target for pair in getattr(parts, part)], task)
            result |= {f"{part}_{name}": value for name, value in found.items()}
    return results, [crowd.unstack(params, k) for k in range(len(cases))], said


def on_device(part, units, device):
    """The sources of a part, padded: (T, B), and their lengths."""
    ids, lengths = crowd.padded([units.encode(pair.source) for pair in part], 0)
    return torch.from_numpy(ids.T.copy()).to(device), torch.from_numpy(lengths).to(device)


def up_to_end(ids: np.ndarray) -> np.ndarray:
    """What stands before the first END."""
    ends = np.flatnonzero(ids == END)
    return ids[: ends[0]] if len(ends) else ids


def run(case, settings):
    """One case alone, as study wants it."""
    torch.set_num_threads(1)
    return train_cases([case], settings)[0][0]


# --- The cases ----------------------------------------------------------------------------------


def group(
    task="fr", units="pieces", merges=MERGES, pairs=FULL, updates=UPDATES, parameters=PARAMETERS
) -> list:
    """Twelve cases that are trained at once."""
    merges = merges if units == "pieces" else 0
    return [
        {"task": task, "units": units, "merges": merges, "pairs": pairs, "updates": updates,
         "parameters": parameters, "lr": lr, "dropout": dropout, "seed": seed}
        for lr, dropout, seed in product(RATES, SHARES, SEEDS)
    ]  # fmt: skip


GROUPS = {
    "fr_pieces": group(), "fr_words": group(units="words"),
    "zh_pieces": group("zh"), "zh_words": group("zh", "words"),
    "made_en": group("made_en"), "made_fr": group("made_fr"),
    "merges_4000": group(merges=4000),
    "pairs_300": group(pairs=300, updates=800), "pairs_600": group(pairs=600, updates=1200),
    "short": group("short", merges=100, updates=400, parameters=80_000),
}  # fmt: skip
STUDY = study.Study(
    "sentences",
    "How well do encoder and decoder translate the texts of an interface, by the kind of units?",
    SETTINGS,
    [case for cases in GROUPS.values() for case in cases],
    run,
    tolerance=6.0,  # in points of the scores: a training on another processor, with other dropout
)

# --- The command line ---------------------------------------------------------------------------


def run_group(name: str, out: Path, device: str, until: float) -> None:
    """A group's results, the weights of its best model on validation, and all test translations."""
    begin = time.perf_counter()
    results, params, said = train_cases(GROUPS[name], SETTINGS, device, until)
    seconds = round(time.perf_counter() - begin, 1)
    runs = [
        {"case": case, "result": result, "seconds": seconds}
        for case, result in zip(GROUPS[name], results)
    ]
    best = max(range(len(runs)), key=lambda k: results[k]["valid_chrf"])
    if name in ("fr_pieces", "fr_words", "zh_pieces", "made_fr"):
        half = store.halved(params[best])
        store.write_npz(out / f"{name}.npz", half | {"about": np.array(json.dumps(runs[best]))})
    record = {"about": study.about(STUDY) | {"device": device}, "runs": runs, "said": said}
    partial = out / f"{name}.partial"
    partial.write_text(json.dumps(record, ensure_ascii=False), "utf-8")
    partial.replace(out / f"{name}.json")
    print(name, f"{seconds} s", study.short(results[best]), flush=True)


def choose(runs: list) -> tuple:
    """Learning rate and dropout with the best mean chrF on validation, of the runs of a group."""
    found = {}
    for run in runs:
        key = run["case"]["lr"], run["case"]["dropout"]
        found.setdefault(key, []).append(run["result"]["valid_chrf"])
    return max(found, key=lambda key: np.mean(found[key]))


def merge(folders, weights=None) -> None:
    """One record of the groups that several folders hold, and the file of the translator.

    weights: of fr_pieces, trained on by sentences_on.py, or None for those of the card.
    """
    parts = {
        path.stem: json.loads(path.read_text("utf-8")) | {"folder": path.parent}
        for folder in folders
        for path in sorted(Path(folder).glob("*.json"))
        if path.stem in GROUPS
    }
    print("missing:", *[name for name in GROUPS if name not in parts])
    found = {json.dumps(run["case"]): run for part in parts.values() for run in part["runs"]}
    wanted = [json.dumps(study.as_json(case)) for case in STUDY.cases]
    runs = [found[case] for case in wanted if case in found]
    path = study.FOLDER / f"{STUDY.name}.json"
    study.write(path, STUDY, runs)
    head = json.dumps(study.about(STUDY), indent=1)
    there = json.dumps(parts["fr_pieces"]["about"], indent=1)  # where it was trained, not merged
    path.write_text(path.read_text("utf-8").replace(head, there, 1), "utf-8")
    said = {}
    for name, part in parts.items():
        lr, dropout = choose(part["runs"])
        print(name, lr, dropout)
        if name.startswith(("fr_", "zh_")):
            said[name] = [
                texts
                for run, texts in zip(part["runs"], part["said"])
                if (run["case"]["lr"], run["case"]["dropout"]) == (lr, dropout)
            ]
    arrays = store.read_npz(weights or parts["fr_pieces"]["folder"] / "fr_pieces.npz")
    about = json.loads(str(arrays.pop("about"))) | {"versions": parts["fr_pieces"]["about"]}
    params = {name.removeprefix("param."): array for name, array in arrays.items()}
    units = units_for("pieces", MERGES, some(data("fr").train, FULL))
    made = translator.Translator(params, *units, about)
    translator.save(translator.CHECKPOINT, made, said)
    made = translator.load()  # in half precision
    for part in ("valid", "test"):
        pairs = getattr(data("fr"), part)
        found = translator.translate_all(made, [pair.source for pair in pairs])
        found = scores(found, [pair.target for pair in pairs], "fr")
        about[f"stored_{part}"] = {name: round(value, 2) for name, value in found.items()}
    translator.save(translator.CHECKPOINT, made._replace(about=about), said)
    print(about["stored_test"])


def main() -> None:
    """The command line; see the module."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--groups", nargs="*", default=list(GROUPS), choices=list(GROUPS))
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--seconds", type=float, default=np.inf, help="for all groups together")
    parser.add_argument("--out", type=Path, default=Path("sentences_runs"))
    parser.add_argument("--merge", nargs="*", help="folders whose groups make up the record")
    parser.add_argument("--weights", type=Path, help="for --merge: weights that were trained on")
    options = parser.parse_args()
    if options.merge:
        merge(options.merge, options.weights)
        return
    over = time.monotonic() + options.seconds
    device = study.device_of(options.device)
    torch.set_num_threads(1)
    torch.set_float32_matmul_precision("high")  # on a graphics card: TF32
    options.out.mkdir(parents=True, exist_ok=True)
    left = [name for name in options.groups if not (options.out / f"{name}.json").exists()]
    while left:
        now = time.monotonic()
        # A group may take twice its even share of what is left, but no more.
        until = over if len(left) == 1 else now + min(over - now, 2 * (over - now) / len(left))
        try:
            run_group(left[0], options.out, device, until)
        except crowd.Stopped:
            print(left[0], "dropped: too little time", flush=True)
        except RuntimeError as error:  # memory, for instance: the other groups go on
            print(left[0], f"failed: {error!r}", flush=True)
        left = left[1:]


if __name__ == "__main__":
    main()
