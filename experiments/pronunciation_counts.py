"""Pronunciations by a joint n-gram (helpers.graphones): candidates for validation and test.

    python experiments/pronunciation_counts.py --out pron_counts.npz

Training words are cut as for the kind "aligned" of `pronunciation.py`; pairs of a letter and its
chunk are counted, with stress; a beam finds the best sequences for new words. The file has the
format of `pronunciation_combine.py`, with one score, log P(letters, phones), the largest over the
cuts that were found. Its note holds the error rates by order on validation, and the test's at the
end for the order that did best there.

About five minutes on one core.
"""

import argparse
import json
import multiprocessing
import sys
import time
from pathlib import Path

import numpy as np
import pronunciation
from pronunciation_combine import arrays_of

from helpers import graphones, letter_windows
from helpers.data import g2p
from helpers.trained import store

SHARED = {}  # what the processes of the pool read


def learn(words, stress=True):
    """The aligned training words as symbols: the task, their numbers, and what a letter may make.

    A symbol is 1 + letter + 32 · chunk, renumbered from 1 on.
    """
    task = pronunciation.Task("aligned", stress, words)
    sources, targets, _ = g2p.all_pairs(words, stress)
    codes = [
        np.asarray(x) + 32 * np.array(row)
        for x, row in zip(sources, task.cut(sources, targets)) if row is not None
    ]  # fmt: skip
    known, flat = np.unique(np.concatenate(codes), return_inverse=True)
    sequences = np.split(flat + 1, np.cumsum([len(c) for c in codes])[:-1])
    counts = np.bincount(flat)
    choices = [
        np.flatnonzero((known % 32 == letter) & (counts > 2)) + 1
        for letter in range(len(g2p.letters()))
    ]
    choices = [options if len(options) else np.array([1]) for options in choices]
    return task, sequences, known, choices


def answers(chosen):
    """Candidates of some words of one length: ids of phones → log P, the best cut of each."""
    model, known, choices, k = (SHARED[name] for name in ("model", "known", "choices", "k"))
    source = np.array([g2p.letters().encode(word) for word in chosen])
    found = []
    for options in graphones.beam(model, source, choices, k):
        mine = {}
        for symbols, value in options:
            ids = tuple(pronunciation.phones_of([int(known[s - 1]) // 32 for s in symbols]))
            mine[ids] = max(value, mine.get(ids, -np.inf))
        found.append(mine)
    return found


def all_answers(words, pool=None, size=200) -> list:
    """`answers` for words of any length, in their order."""
    by_length = {}
    for i, word in enumerate(words):
        by_length.setdefault(len(word), []).append(i)
    parts = [
        members[first : first + size]
        for members in by_length.values() for first in range(0, len(members), size)
    ]  # fmt: skip
    jobs = [[words[i] for i in part] for part in parts]
    results = pool.map(answers, jobs, 1) if pool else map(answers, jobs)
    found = [None] * len(words)
    for part, result in zip(parts, results):
        for i, one in zip(part, result):
            found[i] = one
    return found


def window_rates(words, asked):
    """Error rates of the table of windows (helpers.letter_windows) that was counted on `words`."""
    sources, targets = g2p.pairs(words)
    sizes = letter_windows.align(sources, targets, len(g2p.letters()), len(g2p.phones()))
    windows = letter_windows.count_windows(sources, targets, sizes)
    said = letter_windows.window_baseline(windows, g2p.pairs(asked)[0])
    return g2p.error_rates(asked, [g2p.phones().decode(ids) for ids in said])


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--orders", type=int, nargs="*", default=[3, 5, 6, 7, 8])
    parser.add_argument("--beam", type=int, default=16)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--words", type=int, default=0, help="count so many training words only")
    parser.add_argument("--limit", type=int, help="use so many words only (to try it)")
    options = parser.parse_args(arguments)
    split, begin = g2p.split(), time.perf_counter()
    words = pronunciation.training_words({"words": options.words}, options.limit)
    task, sequences, known, choices = learn(words)
    print(len(known), "pairs,", [len(c) for c in choices], flush=True)
    valid, test = split.valid[: options.limit], split.test[: options.limit]

    def run(order, words):
        model = graphones.count_joint(sequences, len(known) + 1, order)
        SHARED.update(model=model, known=known, choices=choices, k=options.beam)
        if options.processes > 1:
            with multiprocessing.get_context("fork").Pool(options.processes) as pool:
                found = all_answers(words, pool)
        else:
            found = all_answers(words)
        said = [pronunciation.best_bare(one, task.marks) for one in found]
        return found, g2p.error_rates(words, said)

    rates = {}
    for order in options.orders:
        _, rates[order] = run(order, valid[::3])
        print(order, rates[order], f"{time.perf_counter() - begin:.0f} s", flush=True)
    best = min(rates, key=lambda order: rates[order].wer)
    about = {
        "order": best,
        "words": len(words),
        "by_order": {str(o): r._asdict() for o, r in rates.items()},
    }
    about["windows"] = window_rates(words, test)._asdict()
    arrays = {}
    for part, words in (("valid", valid), ("test", test)):
        found, of_part = run(best, words)
        about[part] = of_part._asdict()
        print(part, of_part, f"{time.perf_counter() - begin:.0f} s", flush=True)
        scores = np.array([[v] for one in found for v in one.values()])
        arrays |= arrays_of(part, [list(one) for one in found], scores)
    store.write_npz(options.out, arrays | {"about": np.array(json.dumps(about))})


if __name__ == "__main__":
    sys.exit(main())
