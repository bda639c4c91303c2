"""Questions about stories: does attention over the states help an LSTM, and on longer stories?

    python experiments/stories.py --readout ask --out FOLDER [--device auto] [--seconds 300]

An LSTM reads facts and question word by word (`helpers.data.stories`) and answers from its last
state ("last"), or asks all its states with the last one ("ask"); both have about as many numbers.
Trained in PyTorch (`helpers.torch_classifier`) on 200,000 stories of 2 to 12 facts, from `SEEDS`
starts; scored on new stories of each length of `LENGTHS`, by kind of question. The time is shared
out evenly: each run stops at its share, or after `UPDATES`. About six minutes on one GPU.

It writes stories_READOUT.json after each run (the record: every run, none left out) and
stories_READOUT.npz (the weights of the run with the lowest validation loss); it goes on where it
stopped.
"""

import argparse
import json
import math
import time
from datetime import date
from pathlib import Path

import numpy as np
import torch
from study import device_of, versions, write_record

from helpers import classifier
from helpers.data import stories
from helpers.lstm import LSTM, set_forget_bias
from helpers.text import pad
from helpers.torch_classifier import TorchClassifier
from helpers.trained.store import halved, write_npz

SIZES = {"last": 128, "ask": 96}  # H, for about 83 thousand parameters each
SEEDS = tuple(range(5))
UPDATES = 12_000
LENGTHS = (2, 4, 6, 8, 10, 12, 16, 20, 30, 40)
SETTINGS = {
    "D": 32, "B": 256, "lr": 2e-3, "max_norm": 1.0, "forget_bias": 1.0, "stories": 200_000,
    "facts": [2, 12], "every": 250, "scored": 1000,
}  # fmt: skip


def batch_of(told, device):
    """Stories as tensors: ids (T, B), lengths (B,), answers (B,)."""
    ids, lengths = pad([stories.encode(s) for s in told])
    answers = np.array([stories.target(s) for s in told])
    arrays = (ids, lengths.astype(np.int64), answers)
    return tuple(torch.from_numpy(a).to(device) for a in arrays)


def score(net, batch, told):
    """Loss in nats, accuracy, and accuracy by kind of question."""
    net.eval()
    with torch.no_grad():
        ids, lengths, answers = batch
        z = torch.cat(
            [net(ids[:, i : i + 500], lengths[i : i + 500])[0] for i in range(0, len(told), 500)]
        )
        loss = torch.nn.functional.cross_entropy(z, answers).item()
        right = (z.argmax(1) == answers).cpu().numpy()
    kinds = np.array([s.kind for s in told])
    by_kind = {k: round(float(right[kinds == k].mean()), 4) for k in stories.KINDS
               if (kinds == k).any()}  # fmt: skip
    return loss, float(right.mean()), by_kind


def run(readout, seed, seconds, device, data):
    """One training of at most so many seconds: a dict of results, and the last weights."""
    s, rng, begin = SETTINGS, np.random.default_rng(seed), time.perf_counter()
    torch.manual_seed(seed)
    train, lengths, answers, on_cpu, valid, valid_told, tests = data
    params = classifier.init_classifier(
        LSTM, len(stories.WORDS), s["D"], SIZES[readout], len(stories.ANSWERS), rng, readout
    )
    one = {name: params[f"{name}_l0"] for name in ("b_h", "W_hh")}
    set_forget_bias(LSTM, one, s["forget_bias"])  # in place
    net = TorchClassifier(LSTM, params, readout).to(device)
    optimizer = torch.optim.Adam(net.parameters(), lr=s["lr"], fused=device == "cuda")
    history, done, share = [], 0, 0.0
    while share < 1:
        net.train()
        for _ in range(s["every"]):
            chosen = rng.integers(0, len(on_cpu), s["B"])
            place = torch.from_numpy(chosen).to(device)
            # The rate falls to zero along half a cosine, by the share of updates or of time.
            share = max(done / UPDATES, (time.perf_counter() - begin) / seconds)
            for group in optimizer.param_groups:
                group["lr"] = s["lr"] * 0.5 * (1 + math.cos(math.pi * min(share, 1)))
            z, _ = net(train[: on_cpu[chosen].max(), place], lengths[place])
            loss = torch.nn.functional.cross_entropy(z, answers[place])
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(net.parameters(), s["max_norm"])
            optimizer.step()
            done += 1
            if share >= 1:
                break
        valid_loss, accuracy, by_kind = score(net, valid, valid_told)
        history.append([done, round(valid_loss, 4), round(accuracy, 4)])
    scores = {}
    for n, (batch, told) in tests.items():
        _, accuracy, by_length = score(net, batch, told)
        scores[str(n)] = {"all": round(accuracy, 4), **by_length}
    result = {
        "parameters": classifier.n_parameters(params), "updates": done,
        "valid_loss": history[-1][1], "valid_accuracy": history[-1][2], "valid_by_kind": by_kind,
        "test": scores, "history": history[:: max(1, len(history) // 30)],
    }  # fmt: skip
    return result, net.params()


def make_data(device, small=False):
    """Training stories, 4,000 to look at while training, and `scored` new ones of each length."""
    s = SETTINGS
    facts = range(s["facts"][0], s["facts"][1] + 1)
    told = stories.make_stories(2000 if small else s["stories"], facts, seed=1)
    train = batch_of(told, device)
    seen = set(told)
    valid = [x for x in stories.make_stories(4000, facts, seed=2) if x not in seen]
    tests = {}
    for n in LENGTHS:
        new = stories.make_stories(s["scored"], [n], seed=1000 + n)
        new = [x for x in new if x not in seen] if n > 3 else new  # of two facts all occur
        tests[n] = (batch_of(new, device), new)
    return *train, train[1].cpu().numpy(), batch_of(valid, device), valid, tests


def main(arguments=None):
    """The command line; see the module."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--readout", choices=tuple(SIZES), required=True)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--seconds", type=float, default=3600)
    parser.add_argument("--seeds", type=int, default=len(SEEDS))
    parser.add_argument("--small", action="store_true", help="2,000 stories only, to try it")
    options = parser.parse_args(arguments)
    begin, device = time.perf_counter(), device_of(options.device)
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / f"stories_{options.readout}.json"
    runs = json.loads(path.read_text("utf-8"))["runs"] if path.exists() else []
    data = make_data(device, options.small)
    about = {
        "question": __doc__.splitlines()[0], "date": date.today().isoformat(),
        "machine": "one GPU" if device == "cuda" else "processor", "versions": versions(),
        "settings": SETTINGS | {"seconds": options.seconds, "most_updates": UPDATES},
    }  # fmt: skip
    best = min((r["result"]["valid_loss"] for r in runs), default=np.inf)
    missing = [seed for seed in SEEDS[: options.seeds]
               if not any(r["case"]["seed"] == seed for r in runs)]  # fmt: skip
    for i, seed in enumerate(missing):
        left = options.seconds - (time.perf_counter() - begin)
        if left < 2:
            break
        start = time.perf_counter()
        share = 0.93 * left / (len(missing) - i)  # the rest is for scoring
        result, params = run(options.readout, seed, share, device, data)
        seconds = round(time.perf_counter() - start, 1)
        case = {"readout": options.readout, "seed": seed}
        runs.append({"case": case, "result": result, "seconds": seconds})
        write_record(path, about, runs)
        if result["valid_loss"] < best:
            best = result["valid_loss"]
            arrays = halved(params)
            note = json.dumps({"case": case, "result": result, "settings": SETTINGS})
            write_npz(options.out / f"stories_{options.readout}.npz",
                      arrays | {"about": np.array(note)})  # fmt: skip
        print(case, {k: v for k, v in result.items() if k not in ("history",)}, seconds, flush=True)


if __name__ == "__main__":
    main()
