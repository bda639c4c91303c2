"""Words, byte pairs or characters: three small translators of equal size.

In `sentences.py` the characters did not fit into the time of the card. Here every model has 150,000
parameters and makes the same number of updates in batches of 16, on one core of a processor, in
about a minute; there is one seed. Learning rate and dropout are the best of `sentences.py`; they
were not tuned again. The weights are the best on validation in chrF at one of four checks. The
first case is short, for a test to repeat.

    python experiments/sentences_units.py                  # what is missing
    python experiments/sentences_units.py --seconds 45     # as much of it as fits, then go on later
"""

import argparse
import time
from pathlib import Path

import numpy as np
import sentences
import study
import torch

from helpers.text import pair_batches
from helpers.torch_seq2seq import TorchSeq2Seq
from helpers.trained import translator

SETTINGS = {
    "parameters": 150_000, "D": 32, "B": 16, "lr": 3e-3, "dropout": 0.3, "max_norm": 1.0,
    "checks": 4, "merges": 500,
}  # fmt: skip
FULL, UPDATES = sentences.FULL, 1680


class Interrupted(Exception):
    """The time is over; the work so far is in a file."""


def run(case, settings, work=None, until=np.inf):
    """Train one model; scores, and the share of translations with an unknown word.

    work: a file to go on from and to leave the work in at time.monotonic() = until, between passes.
    Raises: Interrupted then.
    """
    torch.set_num_threads(1)
    parts = sentences.data("fr")
    train = sentences.some(parts.train, case["pairs"])
    merges = settings["merges"] if case["units"] == "pieces" else 0
    units = sentences.units_for(case["units"], merges, train)
    encoded = [[units[side].encode(pair[side]) for pair in train] for side in (0, 1)]
    H = sentences.width(units, settings["parameters"], settings)
    start = sentences.start(units, H, case["seed"], settings)
    net = TorchSeq2Seq(sentences.MODEL, start, settings["dropout"])
    optimizer = torch.optim.Adam(net.parameters(), lr=settings["lr"])
    per_pass = len(train) // settings["B"]
    passes, first, best = case["updates"] // per_pass, 0, {"valid_chrf": -1.0}
    if work is not None and work.exists():
        state = torch.load(work, weights_only=True)
        net.load_state_dict(state["net"])
        optimizer.load_state_dict(state["optimizer"])
        first, best = state["pass"], state["best"]
    for i in range(first, passes):
        if time.monotonic() > until:
            state = {"net": net.state_dict(), "optimizer": optimizer.state_dict()}
            torch.save(state | {"pass": i, "best": best}, work)
            raise Interrupted
        one_pass(net, optimizer, encoded, i, passes, case["seed"], settings)
        if (i + 1) * settings["checks"] // passes > i * settings["checks"] // passes:
            net.eval()
            found = scored(net, units, "valid", parts)
            if found["valid_chrf"] > best["valid_chrf"]:
                best = {"H": H} | found | scored(net, units, "test", parts)
            net.train()
    if work is not None:
        work.unlink(missing_ok=True)
    return best


def one_pass(net, optimizer, encoded, i, passes, seed, settings) -> None:
    """Pass i of so many over all pairs; the learning rate falls along a straight line to zero."""
    torch.manual_seed(1000 * seed + i)
    batches = pair_batches(*encoded, settings["B"], np.random.default_rng([seed, i]))
    per_pass = len(encoded[0]) // settings["B"]
    for j in range(per_pass):
        for group in optimizer.param_groups:
            group["lr"] = settings["lr"] * (1 - (i + j / per_pass) / passes)
        optimizer.zero_grad()
        net.loss(next(batches)).backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), settings["max_norm"])
        optimizer.step()


def scored(net, units, part, parts) -> dict:
    """What `sentences.scores` says of greedy translations by the NumPy decoder."""
    model, pairs = translator.Translator(net.params(), *units, {}), getattr(parts, part)
    said = translator.translate_all(model, [pair.source for pair in pairs], B=128)
    found = sentences.scores(said, [pair.target for pair in pairs], "fr")
    found["unknown"] = 100 * float(np.mean(["⁇" in text for text in said]))
    return {f"{part}_{name}": value for name, value in found.items()}


def case(units="pieces", pairs=FULL, updates=UPDATES, seed=0):
    return {"units": units, "pairs": pairs, "updates": updates, "seed": seed}


STUDY = study.Study(
    "sentences_units",
    "Words, byte pairs or characters, at equal size and equal updates?",
    SETTINGS,
    [case(pairs=150, updates=81)] + [case(kind) for kind in ("pieces", "words", "letters")],
    run,
    tolerance=6.0,  # in points of the scores
)


def main() -> None:
    """The command line; see the module."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=np.inf)
    parser.add_argument("--out", type=Path, default=study.FOLDER)
    options = parser.parse_args()
    until, path = time.monotonic() + options.seconds, options.out / f"{STUDY.name}.json"
    runs, work = study.read(path, STUDY), options.out / f"{STUDY.name}.work"
    spent = work.with_suffix(".seconds")  # of processor time, in earlier stretches of a case
    for each in study.as_json(STUDY.cases):
        if any(r["case"] == each for r in runs):
            continue
        begin = time.process_time() - (float(spent.read_text()) if spent.exists() else 0.0)
        try:
            result = study.as_json(run(each, SETTINGS, work, until))
        except Interrupted:
            spent.write_text(str(time.process_time() - begin))
            break
        spent.unlink(missing_ok=True)
        seconds = round(time.process_time() - begin, 1)
        runs.append({"case": each, "result": result, "seconds": seconds})
        study.write(path, STUDY, runs)
        print(each, seconds, "s", study.short(result), flush=True)


if __name__ == "__main__":
    main()
