"""Weigh the models against each other, and write what the notebook loads.

    python experiments/pronunciation_weigh.py FOLDER

FOLDER holds what `pronunciation_combine.py` wrote (pronunciation_candidates.npz) and the models
(pron_NAME.npz). This adds the scores of joint n-grams, from left to right and from right to left,
and those of relatives; keeps the `--keep` best candidates of a word by a mixture that is fitted on
validation; fits the weights of every step on validation; and measures each step on the test words,
once. It writes src/helpers/trained/g2p_candidates.npz and records/trainings/pronunciation.json.

About two minutes on one core.
"""

import argparse
import json
import platform
import sys
import time
from pathlib import Path

import numpy as np
import pronunciation_counts
import pronunciation_relatives
from pronunciation_combine import FLOOR, arrays_of, read_lists

from helpers import graphones
from helpers.data import g2p
from helpers.trained import candidates, store

ORDER = 6  # symbols of context, see pronunciation_counts.py


class Counts:
    """Joint n-grams in both directions, as scores for given candidates."""

    names = ("counts", "counts_back")

    def __init__(self, words):
        self.task, sequences, self.known, _ = pronunciation_counts.learn(words)
        V = len(self.known) + 1
        self.models = [
            graphones.count_joint(some, V, ORDER)
            for some in (sequences, [s[::-1] for s in sequences])
        ]

    def scores(self, words, ways) -> np.ndarray:
        """log P(letters, phones) of every candidate, by the most probable cut: (N, 2)."""
        pairs = [(g2p.letters().encode(w), np.array(way)) for w, mine in zip(words, ways)
                 for way in mine]  # fmt: skip
        cuts = self.task.cut(*zip(*pairs))
        number = {int(code): i + 1 for i, code in enumerate(self.known)}
        found, rows, sequences = np.full((len(pairs), 2), FLOOR), [], []
        for i, ((x, _), cut) in enumerate(zip(pairs, cuts)):
            if cut is not None:
                codes = [number.get(int(a) + 32 * c) for a, c in zip(x, cut)]
                if None not in codes:
                    rows.append(i)
                    sequences.append(codes)
        for column, model in enumerate(self.models):
            some = sequences if column == 0 else [s[::-1] for s in sequences]
            found[rows, column] = graphones.log_joint(model, some)
        return np.maximum(found, FLOOR)


def with_scores(part: str, path, counts, relatives, limit=None):
    """Candidates of a part with all scores, as helpers.trained.candidates has them, and ids."""
    arrays = store.read_npz(path)
    about = json.loads(str(arrays["about"]))
    words = getattr(g2p.split(), part)
    ways = read_lists(path, part)[:limit]
    words = words[: len(ways)]
    marks, plain = g2p.phones(True), g2p.phones()
    to_bare = np.array([*range(2), *plain.encode(g2p.bare(marks.symbols[2:]))])
    bare_ids = [[tuple(to_bare[list(way)].tolist()) for way in mine] for mine in ways]
    count = np.array([len(mine) for mine in ways])
    scores = [
        arrays[f"{part}.scores"][: count.sum()].astype(float),
        counts.scores(words, ways),
        relatives.features(words, bare_ids),
    ]
    names = (*about["models"], *counts.names, *pronunciation_relatives.NAMES)
    bare_ways = [tuple(plain.decode(way)) for mine in bare_ids for way in mine]
    found = candidates.gather(words, names, count, bare_ways, np.concatenate(scores, axis=1))
    return found, [way for mine in ways for way in mine]


def prune(c, ids, weights, keep: int):
    """The `keep` most probable candidates of every word, and their ids."""
    order = np.lexsort((-candidates.probabilities(c, weights), c.word))
    rank = np.arange(len(order)) - np.searchsorted(c.word, np.arange(len(c.words)))[c.word[order]]
    rows = order[rank < keep]
    count = np.bincount(c.word[rows], minlength=len(c.words))
    ways = [c.ways[i] for i in rows]
    kept = candidates.gather(c.words, c.names, count, ways, c.scores[rows])
    return kept, [ids[i] for i in rows]


def starting(c, chosen) -> np.ndarray:
    """Equal weights for the chosen log-probabilities, 0 for the relatives."""
    models = [name for name in chosen if name not in pronunciation_relatives.NAMES]
    return c.column(*models) / len(models)


def only(c, chosen):
    """Candidates with the chosen scores only."""
    at = [c.names.index(name) for name in chosen]
    return c._replace(names=tuple(chosen), scores=c.scores[:, at])


def steps(names) -> dict:
    """Which scores each step of the table has: name → tuple of scores."""
    nets = [name for name in names
            if name not in (*Counts.names, *pronunciation_relatives.NAMES)]  # fmt: skip
    kinds = {kind: [n for n in nets if n.startswith(kind)] for kind in ("fwd", "bwd", "ali", "spl")}
    found, so_far = {}, []
    for label, more in (
        ("one model", kinds["fwd"][:1]),
        ("and a second run of it", kinds["fwd"][1:]),
        ("and two from right to left", kinds["bwd"]),
        ("and two with given cuts", kinds["ali"]),
        ("and one from phones to letters", kinds["spl"]),
        ("and joint n-grams", list(Counts.names)),
        ("and relatives", list(pronunciation_relatives.NAMES)),
    ):
        so_far = so_far + more
        if more:
            found[label] = tuple(so_far)
    return found


def more_mixtures(names) -> dict:
    """Mixtures to compare: one more witness beside the first model; two halves of the networks."""
    first = "fwd0"
    found = {("pair", "alone"): (first,)}
    for label, more in (
        ("the same, another seed", ("fwd1",)), ("from right to left", ("bwd0",)),
        ("given cuts", ("ali0",)), ("from phones to letters", ("spl0",)),
        ("joint n-grams", Counts.names), ("relatives", pronunciation_relatives.NAMES),
    ):  # fmt: skip
        if set(more) <= set(names):
            found["pair", label] = (first, *more)
    for label, seed in (("first seeds", "0"), ("second seeds", "1")):
        three = tuple(kind + seed for kind in ("fwd", "bwd", "ali"))
        if set(three) <= set(names):
            found["half", label] = three
    return found


def fitted(c, chosen) -> np.ndarray:
    """Weights (M,) of all scores of c, fitted for the chosen ones, 0 for all others."""
    part = only(c, chosen)
    weights = np.zeros(len(c.names))
    at = [c.names.index(name) for name in chosen]
    weights[at] = candidates.fit(part, starting(part, chosen))
    return weights


def crossed(c, chosen) -> float:
    """The WER on validation with weights from its other half: nothing judges what it fitted."""
    halves = [candidates.of_words(c, slice(i, None, 2)) for i in (0, 1)]
    return float(np.mean([
        candidates.rates(halves[1 - i], fitted(halves[i], chosen)).wer for i in (0, 1)
    ]))  # fmt: skip


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--keep", type=int, default=8)
    parser.add_argument("--limit", type=int, help="use so many words only (to try it)")
    parser.add_argument("--valid-only", action="store_true", help="do not measure, do not write")
    parser.add_argument("--out", type=Path, default=candidates.FILE)
    parser.add_argument("--record", type=Path, default=candidates.RUNS)
    options = parser.parse_args(arguments)
    begin = time.perf_counter()
    path = next(options.folder.rglob("pronunciation_candidates.npz"))
    train = g2p.split().train
    counts, relatives = Counts(train), pronunciation_relatives.Relatives(train)
    print(f"counted, {time.perf_counter() - begin:.0f} s", flush=True)
    valid, ids = with_scores("valid", path, counts, relatives, options.limit)
    every = steps(valid.names)
    all_weights = fitted(valid, list(every.values())[-1])
    print("all candidates:", len(valid.word), candidates.rates(valid, all_weights),
          "out of reach", candidates.out_of_reach(valid))  # fmt: skip
    valid, valid_ids = prune(valid, ids, all_weights, options.keep)
    mixtures = {("step", label): chosen for label, chosen in every.items()}
    mixtures |= more_mixtures(valid.names)
    table, weights = {}, {}
    for case, chosen in mixtures.items():
        weights[case] = fitted(valid, chosen)
        table[case] = {
            "scores": list(chosen),
            "weights": [round(float(weights[case][valid.names.index(n)]), 4) for n in chosen],
            "valid": candidates.rates(valid, weights[case])._asdict(),
            "valid_crossed_wer": crossed(valid, chosen),
        }
        print(*case, table[case]["valid"], table[case]["valid_crossed_wer"], flush=True)
    print("out of reach", candidates.out_of_reach(valid))
    if options.valid_only:
        return
    test, ids = with_scores("test", path, counts, relatives, options.limit)
    test, test_ids = prune(test, ids, all_weights, options.keep)
    for case, row in table.items():
        row["test"] = candidates.rates(test, weights[case])._asdict()
        print(*case, row["test"], flush=True)
    arrays = {}
    for part, c, some in (("valid", valid, valid_ids), ("test", test, test_ids)):
        cuts = np.cumsum(np.bincount(c.word, minlength=len(c.words)))[:-1]
        lists = [[some[i] for i in rows] for rows in np.split(np.arange(len(some)), cuts)]
        arrays |= arrays_of(part, lists, c.scores)
    about = {"names": valid.names, "keep": options.keep}
    store.write_npz(options.out, arrays | {"about": np.array(json.dumps(about))})
    runs = [{"case": dict([case]), "result": row} for case, row in table.items()]
    for file in sorted(options.folder.rglob("pron_*")):  # .json: runs whose weights are not kept
        if file.suffix == ".json":
            about = json.loads(file.read_text("utf-8"))
        else:
            about = json.loads(str(store.read_npz(file)["about"]))
        runs.append({"case": {"model": file.stem.removeprefix("pron_")}, "result": about})
    note = {
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "command": "experiments/pronunciation.py, _counts.py, _combine.py, _weigh.py",
        "versions": {"python": platform.python_version(), "numpy": np.__version__},
        "machine": platform.machine(),
        "settings": {"keep": options.keep, "order": ORDER},
        "out_of_reach": {"valid": candidates.out_of_reach(valid),
                         "test": candidates.out_of_reach(test)},
        "own": json.loads(str(store.read_npz(path)["about"]))["own"],
    }  # fmt: skip
    lines = ",\n".join("  " + json.dumps(run) for run in runs)
    text = f'{{\n "about": {json.dumps(note)},\n "runs": [\n{lines}\n ]\n}}\n'
    options.record.write_text(text, "utf-8")


if __name__ == "__main__":
    sys.exit(main())
