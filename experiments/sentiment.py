"""Which read-out judges a review best? LSTM and GRU; last state, mean, attention; equal size.

    python experiments/sentiment.py --out FOLDER [--device auto] [--seconds 300]

Trains in PyTorch (`helpers.torch_classifier`): first every model at each learning rate from one
start of its own, to choose the rate by validation loss; then from `SEEDS` starts. Each run keeps
the weights of the epoch with the lowest validation loss; the test part is scored once, with those.
All models get the same number of passes. About six minutes on one GPU, an hour on two cores.

It writes sentiment.json (the record: every run, none left out) after each run, sentiment.npz (the
weights of the best run by validation loss, LSTM with the mean), and goes on where it stopped.
--words FILE reads words instead of characters: a JSON list of lists, one for each review of
`reviews.unique()`, in that order; its record is named sentiment_words.json.
"""

import argparse
import json
import time
from collections import Counter
from datetime import date
from pathlib import Path

import numpy as np
import torch
from study import device_of, read_json, versions, write_record

from helpers import classifier
from helpers.data import reviews
from helpers.gru import GRU
from helpers.lstm import LSTM, set_forget_bias
from helpers.text import UNK, Vocabulary, pad
from helpers.torch_classifier import TorchClassifier
from helpers.trained.store import halved, write_npz

CELLS = {"lstm": (LSTM, 64), "gru": (GRU, 76)}  # cell and H: about 33 thousand parameters each
READOUTS = ("last", "mean", "attention")
RATES = (1e-3, 3e-3, 1e-2)
SEEDS = tuple(range(6))
SETTINGS = {
    "D": 64, "B": 128, "epochs": 8, "dropout": 0.4, "max_norm": 1.0, "forget_bias": 1.0,
    "rates": RATES, "longest": reviews.LONGEST, "at_least": 5,
}  # fmt: skip
KEPT = {"cell": "lstm", "readout": "mean"}  # of this model the best weights are stored


class Data:
    """The three parts as tensors on the device; in each, texts of like length lie together."""

    def __init__(self, device, words=None):
        parts = reviews.split()
        if words is None:
            self.vocab = reviews.character_vocabulary(parts.train, SETTINGS["at_least"])
            tokens = {name: [list(r.text[: SETTINGS["longest"]]) for r in part]
                      for name, part in parts._asdict().items()}  # fmt: skip
        else:
            kept, _ = reviews.unique()
            found = {(r.label, r.line): w for r, w in zip(kept, words)}
            tokens = {name: [found[r.label, r.line] for r in part]
                      for name, part in parts._asdict().items()}  # fmt: skip
            counts = Counter(w for text in tokens["train"] for w in text)
            frequent = sorted(w for w, n in counts.items() if n >= SETTINGS["at_least"])
            self.vocab = Vocabulary((UNK, *frequent))
        self.parts, self.device = {}, device
        for name, part in parts._asdict().items():
            ids, lengths = pad([self.vocab.encode(t) for t in tokens[name]])
            labels = np.array([r.label for r in part])
            self.parts[name] = tuple(
                torch.from_numpy(a).to(device) for a in (ids, lengths.astype(np.int64), labels)
            )
            self.parts[name] += (lengths,)

    def batches(self, name, B, rng=None):
        """Batches of a part; with an rng in random order, of like length, else as they stand."""
        ids, lengths, labels, on_cpu = self.parts[name]
        n = len(on_cpu)
        noise = 0 if rng is None else rng.uniform(0, 12, n)
        order = np.argsort(on_cpu + noise, kind="stable")
        starts = np.arange(0, n, B)
        for i in starts if rng is None else rng.permutation(starts):
            chosen = order[i : i + B]
            place = torch.from_numpy(chosen).to(self.device)
            yield ids[: on_cpu[chosen].max(), place], lengths[place], labels[place], chosen


def score(net, data, name):
    """Loss in nats, accuracy, and logits (N, 2) of a part, in its order."""
    net.eval()
    z = np.empty((len(data.parts[name][3]), 2), np.float32)
    with torch.no_grad():
        for ids, lengths, _, chosen in data.batches(name, 512):
            z[chosen] = net(ids, lengths)[0].float().cpu().numpy()
    y = data.parts[name][2].cpu().numpy()
    log_p = z - np.logaddexp(z[:, :1], z[:, 1:])
    loss = -float(log_p[np.arange(len(y)), y].mean())
    return loss, float((z.argmax(1) == y).mean()), z


def run(data, case):
    """One training: a dict of results, and the best weights."""
    s, (cell, H) = SETTINGS, CELLS[case["cell"]]
    rng = np.random.default_rng(case["seed"])
    torch.manual_seed(case["seed"])
    params = classifier.init_classifier(cell, len(data.vocab), s["D"], H, 2, rng, case["readout"])
    params["E"] *= 0.3
    if case["cell"] == "lstm":
        one = {name: params[f"{name}_l0"] for name in ("b_h", "W_hh")}
        set_forget_bias(cell, one, s["forget_bias"])  # in place
    net = TorchClassifier(cell, params, case["readout"], s["dropout"]).to(data.device)
    optimizer = torch.optim.Adam(net.parameters(), lr=case["rate"], fused=data.device == "cuda")
    per_epoch = -(-len(data.parts["train"][3]) // s["B"])
    best, history, kept, done = np.inf, [], None, 0
    for _ in range(s["epochs"]):
        net.train()
        for ids, lengths, labels, _ in data.batches("train", s["B"], rng):
            for group in optimizer.param_groups:  # down to a tenth, in a straight line
                group["lr"] = case["rate"] * (1 - 0.9 * done / (per_epoch * s["epochs"]))
            loss = torch.nn.functional.cross_entropy(net(ids, lengths)[0], labels)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(net.parameters(), s["max_norm"])
            optimizer.step()
            done += 1
        valid_loss, valid_accuracy, _ = score(net, data, "valid")
        history.append([round(valid_loss, 4), round(valid_accuracy, 4)])
        if valid_loss < best:
            best = valid_loss
            kept = {name: p.detach().clone() for name, p in net.state_dict().items()}
    net.load_state_dict(kept)
    test_loss, test_accuracy, _ = score(net, data, "test")
    epoch = int(np.argmin([h[0] for h in history]))
    result = {
        "parameters": classifier.n_parameters(params), "epoch": epoch + 1,
        "valid_loss": history[epoch][0], "valid_accuracy": history[epoch][1],
        "test_loss": round(test_loss, 4), "test_accuracy": round(test_accuracy, 4),
        "history": history,
    }  # fmt: skip
    return result, net.params()


def best_rate(runs, cell, readout):
    """The learning rate with the lowest validation loss among the runs made to choose it."""
    found = {r["case"]["rate"]: r["result"]["valid_loss"] for r in runs
             if r["case"]["role"] == "rate"
             and (r["case"]["cell"], r["case"]["readout"]) == (cell, readout)}  # fmt: skip
    return min(found, key=found.get)


def main(arguments=None):
    """The command line; see the module."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--seconds", type=float, default=1e9)
    parser.add_argument("--words", type=Path)
    parser.add_argument("--seeds", type=int, default=len(SEEDS))
    parser.add_argument("--epochs", type=int, default=SETTINGS["epochs"])
    options = parser.parse_args(arguments)
    begin, device = time.perf_counter(), device_of(options.device)
    SETTINGS["epochs"] = options.epochs
    options.out.mkdir(parents=True, exist_ok=True)
    name = "sentiment_words" if options.words else "sentiment"
    path = options.out / f"{name}.json"
    words = read_json(options.words) if options.words else None
    data = Data(device, words)
    about = {
        "question": __doc__.splitlines()[0], "date": date.today().isoformat(),
        "machine": "one GPU" if device == "cuda" else "processor", "versions": versions(),
        "settings": SETTINGS | {"symbols": len(data.vocab)},
    }  # fmt: skip
    runs = json.loads(path.read_text("utf-8"))["runs"] if path.exists() else []
    cells = ("lstm",) if words else tuple(CELLS)
    readouts = ("last", "mean") if words else READOUTS
    plan = [("rate", 100, c, r, rate) for c in cells for r in readouts for rate in RATES]
    plan += [("seed", seed, c, r, None) for seed in SEEDS[: options.seeds] for c in cells
             for r in readouts]  # fmt: skip
    kept_before = [r["result"]["valid_loss"] for r in runs if KEPT.items() <= r["case"].items()]
    best, longest = min(kept_before, default=np.inf), 0.0
    for role, seed, cell, readout, rate in plan:
        rate = rate or best_rate(runs, cell, readout)
        case = {"role": role, "cell": cell, "readout": readout, "rate": rate, "seed": seed}
        if any(r["case"] == case for r in runs):
            continue
        if time.perf_counter() - begin + longest > options.seconds:
            print("time is up: started again, it goes on here", case, flush=True)
            break
        start = time.perf_counter()
        result, params = run(data, case)
        seconds = round(time.perf_counter() - start, 1)
        longest = max(longest, seconds)
        runs.append({"case": case, "result": result, "seconds": seconds})
        write_record(path, about, runs)
        if KEPT.items() <= case.items() and not words and result["valid_loss"] < best:
            best = result["valid_loss"]
            arrays = halved(params)
            note = {"case": case, "result": result, "settings": SETTINGS}
            texts = {"symbols": list(data.vocab.symbols), "about": note}
            write_npz(options.out / "sentiment.npz",
                      arrays | {k: np.array(json.dumps(t)) for k, t in texts.items()})  # fmt: skip
        print(case, {k: v for k, v in result.items() if k != "history"}, seconds, flush=True)


if __name__ == "__main__":
    main()
