"""Candidates for every word of validation and test, scored by all models.

    python experiments/pronunciation_combine.py FOLDER --out candidates.npz

FOLDER holds what `pronunciation.py` wrote, one `pron_NAME.npz` a model, and, if it exists,
`pron_counts.npz`, the candidates of `pronunciation_counts.py`. Each model that goes from letters to
phones searches with a beam; the candidates of all are put together, and every model, also the ones
from phones to letters, gives its log P to each. `helpers.trained.candidates` reads the file and
weighs the models against each other.

Under a minute on a large GPU; about an hour on two CPU cores with six models.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
import pronunciation
import study
import torch

from helpers.data import g2p
from helpers.trained import store

FLOOR = -60.0  # log P of what a model cannot write


def candidates(models: dict, words, others=None, k=10, within=7.0, most=16, device="cpu"):
    """For every word its candidates as tuples of ids, and the scores of all (N, models).

    models: name → (net, task, about). others: for each word a list of further candidates. A
    candidate stays if one model holds it for at most `within` nats less likely than that model's
    best one; of more than `most` those with the largest mean score stay.
    """
    found = [dict.fromkeys(others[i]) if others else {} for i in range(len(words))]
    own = {}
    for name, (net, task, _) in models.items():
        if task.kind == "spell":
            continue
        lists = pronunciation.n_best(net, task, words, k, device)
        answers = [pronunciation.best_bare(one, task.marks) for one in lists]
        own[name] = g2p.error_rates(words, answers)._asdict()
        for mine, one in zip(found, lists):
            mine |= dict.fromkeys(one)
        print(name, own[name], flush=True)
    pairs = [(i, way) for i, ways in enumerate(found) for way in ways if way]
    sources = [g2p.letters().encode(words[i]) for i, _ in pairs]
    targets = [np.array(way) for _, way in pairs]
    columns = [
        pronunciation.log_p(net, task, sources, targets, device) for net, task, _ in models.values()
    ]
    scores = np.stack(columns, axis=1)
    scores = np.maximum(np.nan_to_num(scores, nan=FLOOR), FLOOR)
    place = np.array([i for i, _ in pairs])
    kept_ways, kept_scores = [], []
    for rows in np.split(np.arange(len(pairs)), np.flatnonzero(np.diff(place)) + 1):
        mine = scores[rows]
        rows = rows[(mine > mine.max(axis=0) - within).any(axis=1)]
        rows = rows[np.argsort(-scores[rows].mean(axis=1))][:most]
        kept_ways.append([pairs[row][1] for row in rows])
        kept_scores.append(scores[rows])
    return kept_ways, np.concatenate(kept_scores), own


def arrays_of(part: str, ways, scores) -> dict:
    """Flat arrays: how many candidates a word has, how many phones a candidate, the phones."""
    flat = [way for mine in ways for way in mine]
    return {
        f"{part}.count": np.array([len(mine) for mine in ways], np.uint8),
        f"{part}.lengths": np.array([len(way) for way in flat], np.uint8),
        f"{part}.phones": np.concatenate([np.array(way, np.uint8) for way in flat]),
        f"{part}.scores": scores.astype(np.float16),
    }


def read_lists(path, part: str) -> list:
    """The candidates of a file that was written with `arrays_of`, one list a word."""
    arrays = store.read_npz(path)
    count, lengths = (arrays[f"{part}.{name}"].astype(int) for name in ("count", "lengths"))
    ways = np.split(arrays[f"{part}.phones"].astype(int), np.cumsum(lengths)[:-1])
    ways = [tuple(way.tolist()) for way in ways]
    return [ways[end - n : end] for end, n in zip(np.cumsum(count), count)]


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--models", nargs="*", help="names; without them all that are there")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--beam", type=int, default=10)
    parser.add_argument("--limit", type=int, help="use so many words only (to try it)")
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"))
    options = parser.parse_args(arguments)
    device = study.device_of(options.device)
    torch.backends.cuda.matmul.allow_tf32 = True
    if options.models:
        found = (next(options.folder.rglob(f"pron_{n}.npz"), None) for n in options.models)
        paths = [path for path in found if path is not None]
    else:
        paths = sorted(options.folder.rglob("pron_*.npz"))
    print("files:", [path.name for path in paths], flush=True)
    lists = [path for path in paths if path.stem == "pron_counts"]
    models, begin = {}, time.perf_counter()
    for path in paths:
        if path not in lists:
            about = json.loads(str(store.read_npz(path)["about"]))
            words = pronunciation.training_words(about, about.get("limit"))
            name = path.stem.removeprefix("pron_")
            models[name] = pronunciation.load(path, words, device)
            print(name, f"loaded {time.perf_counter() - begin:.0f} s", flush=True)
    arrays, about = {}, {"models": list(models), "beam": options.beam, "own": {}}
    for part in ("valid", "test"):
        words = getattr(g2p.split(), part)[: options.limit]
        others = read_lists(lists[0], part)[: options.limit] if lists else None
        ways, scores, own = candidates(models, words, others, options.beam, device=device)
        arrays |= arrays_of(part, ways, scores)
        about["own"][part] = own
        print(part, f"{len(scores)} candidates, {time.perf_counter() - begin:.0f} s", flush=True)
    store.write_npz(options.out, arrays | {"about": np.array(json.dumps(about))})


if __name__ == "__main__":
    main()
