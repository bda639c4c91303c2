"""Which read-out judges a review best? LSTM and GRU; last state, mean, attention; equal size.

    python experiments/sentiment.py --out FOLDER [--device auto] [--seconds 300]

All models of a cell are trained side by side in PyTorch: `SEEDS` starts of each read-out at each
rate of `RATES`, their matrices stacked, so that a step of 36 models is one product. They are the
models of `helpers.classifier` (checked: the same logits), each with a start, dropout, batches, a
clipped gradient and an Adam of its own; only the order of short and long batches is shared. Each
keeps the weights of the pass with the lowest validation loss, and the test part is scored once,
with those. The rate of a read-out is the one with the lowest mean validation loss over the seeds.

About two minutes on a GPU. After every pass the whole state is written to state_CELL.pt; started
again, it goes on there. At --seconds it stops after the pass that runs. It writes sentiment.json
(every model, none left out) and sentiment.npz: of LSTMs with the mean at its rate, the weights of
the seed with the lowest validation loss.
--words FILE reads words instead of characters (see review_words.py); LSTM only, and the record is
named sentiment_words.json.
"""

import argparse
import gzip
import json
import time
from collections import Counter
from datetime import date
from pathlib import Path

import numpy as np
import torch
from study import versions

from helpers import classifier
from helpers.data import reviews
from helpers.gru import GRU
from helpers.lstm import LSTM, set_forget_bias
from helpers.text import UNK, Vocabulary, pad
from helpers.trained.store import write_npz

CELLS = {"lstm": (LSTM, 64), "gru": (GRU, 76)}  # cell and H: about 33 thousand parameters each
READOUTS = ("last", "mean", "attention")
RATES = (3e-3, 1e-2, 2e-2)
SEEDS = tuple(range(6))
SETTINGS = {
    "D": 64, "B": 128, "epochs": 10, "dropout": 0.4, "max_norm": 1.0, "forget_bias": 1.0,
    "embedding_scale": 0.3, "rates": RATES, "longest": reviews.LONGEST, "at_least": 5,
}  # fmt: skip
KEPT = ("lstm", "mean")  # of these models the best weights are stored


def load_data(device, words=None):
    """The symbols, and the three parts as tensors: ids (T, N), lengths (N,), labels (N,)."""
    parts = reviews.split()
    if words is None:
        vocab = reviews.character_vocabulary(parts.train, SETTINGS["at_least"])
        tokens = {
            name: [list(r.text[: SETTINGS["longest"]]) for r in part]
            for name, part in parts._asdict().items()
        }
    else:
        found = {(r.label, r.line): w for r, w in zip(reviews.unique()[0], words)}
        tokens = {
            name: [found[r.label, r.line] for r in part] for name, part in parts._asdict().items()
        }
        counts = Counter(w for text in tokens["train"] for w in text)
        frequent = sorted(w for w, n in counts.items() if n >= SETTINGS["at_least"])
        vocab = Vocabulary((UNK, *frequent))
    data = {}
    for name, part in parts._asdict().items():
        ids, lengths = pad([vocab.encode(t) for t in tokens[name]])
        labels = np.array([r.label for r in part])
        data[name] = [torch.from_numpy(a).to(device) for a in (ids, lengths, labels)]
    return vocab, data


class Stack:
    """M models of one cell: parameters with a leading axis M, Adam and clipping for each alone."""

    def __init__(self, cell, cases, V, device):
        self.cell, self.cases = cell, cases
        kind, H = CELLS[cell]
        made = []
        for case in cases:
            params = classifier.init_classifier(
                kind, V, SETTINGS["D"], H, 2, np.random.default_rng(case["seed"]), case["readout"]
            )
            params["E"] *= SETTINGS["embedding_scale"]
            params.setdefault("v_s", np.zeros(H, np.float32))  # not used but by attention
            if cell == "lstm":
                one = {name: params[f"{name}_l0"] for name in ("b_h", "W_hh")}
                set_forget_bias(kind, one, SETTINGS["forget_bias"])  # in place
            made.append(params)
        self.params = {
            name: torch.from_numpy(np.stack([p[name] for p in made])).to(device).requires_grad_()
            for name in made[0]
        }
        self.memory = {
            name: [torch.zeros_like(p), torch.zeros_like(p)] for name, p in self.params.items()
        }
        self.rates = torch.tensor([case["rate"] for case in cases], device=device)
        self.readouts = np.array([case["readout"] for case in cases])
        self.updates = 0

    def states(self, x):
        """hs (M, T, B, H) of inputs x (M, T, B, D): the cells of helpers.lstm and helpers.gru."""
        p, (M, T, B, D) = self.params, x.shape
        H = p["W_hh_l0"].shape[1]
        a = torch.bmm(x.reshape(M, T * B, D), p["W_xh_l0"]).reshape(M, T, B, -1)
        a = a + p["b_h_l0"][:, None, None]
        h, c, hs = x.new_zeros(M, B, H), x.new_zeros(M, B, H), []
        for a_t in a.unbind(1):
            ah = torch.bmm(h, p["W_hh_l0"])
            if self.cell == "lstm":
                i, f, g, o = (a_t + ah).chunk(4, -1)
                c = f.sigmoid() * c + i.sigmoid() * g.tanh()
                h = o.sigmoid() * c.tanh()
            else:
                r, z = (a_t[..., : 2 * H] + ah[..., : 2 * H]).sigmoid().chunk(2, -1)
                n = (a_t[..., 2 * H :] + r * (ah[..., 2 * H :] + p["b_n_l0"][:, None])).tanh()
                h = n + z * (h - n)
            hs.append(h)
        return torch.stack(hs, 1)

    def logits(self, ids, lengths, dropout=0.0):
        """z (M, B, 2) of ids (M, T, B), lengths (M, B)."""
        p, drop = self.params, torch.nn.functional.dropout
        M, T, B = ids.shape
        models = torch.arange(M, device=ids.device)
        x = drop(p["E"][models[:, None, None], ids], dropout, dropout > 0)
        hs = self.states(x)
        places = torch.arange(T, device=ids.device)[None, :, None]
        is_real = places < lengths[:, None]  # (M, T, B)
        weights = torch.empty_like(hs[..., 0])
        for readout in READOUTS:
            mine = torch.from_numpy(np.flatnonzero(self.readouts == readout)).to(ids.device)
            if readout == "last":
                weights[mine] = (places == lengths[mine, None] - 1).to(hs.dtype)
            elif readout == "mean":
                weights[mine] = is_real[mine].to(hs.dtype) / lengths[mine, None]
            else:
                e = torch.einsum("mtbh,mh->mtb", hs[mine], p["v_s"][mine])
                weights[mine] = e.masked_fill(~is_real[mine], -torch.inf).softmax(1)
        s = drop(torch.einsum("mtb,mtbh->mbh", weights, hs), dropout, dropout > 0)
        return torch.bmm(s, p["W_hy"]) + p["b_y"][:, None]

    def update(self, ids, lengths, labels, scale):
        """One step of every model; scale: what is left of the rate."""
        z = self.logits(ids, lengths, SETTINGS["dropout"])
        losses = torch.nn.functional.cross_entropy(
            z.flatten(0, 1), labels.flatten(), reduction="none"
        )
        losses.reshape(labels.shape).mean(1).sum().backward()
        self.updates += 1
        with torch.no_grad():
            norm = sum(p.grad.flatten(1).square().sum(1) for p in self.params.values()).sqrt()
            clip = (SETTINGS["max_norm"] / (norm + 1e-6)).clamp(max=1)
            correct = [1 - b**self.updates for b in (0.9, 0.999)]
            for name, p in self.params.items():
                by_model = (-1, *[1] * (p.dim() - 1))
                g, (m, v) = p.grad * clip.reshape(by_model), self.memory[name]
                m.lerp_(g, 0.1)
                v.lerp_(g * g, 0.001)
                step = (m / correct[0]) / ((v / correct[1]).sqrt() + 1e-8)
                p -= (scale * self.rates).reshape(by_model) * step
                p.grad = None

    def score(self, part, B=400):
        """Loss in nats and accuracy of every model on a part."""
        ids, lengths, labels = part
        order, M = torch.argsort(lengths), len(self.cases)
        losses, right = [], []
        with torch.no_grad():
            for some in order.split(B):
                n, y = lengths[some], labels[some]
                z = self.logits(ids[: n.max(), some].expand(M, -1, -1), n.expand(M, -1))
                losses.append(
                    torch.logsumexp(z, 2) - z.gather(2, y.expand(M, -1)[..., None])[..., 0]
                )
                right.append(z.argmax(2) == y)
        return torch.cat(losses, 1).mean(1), torch.cat(right, 1).float().mean(1)


def batches(part, M, B, rng):
    """Batches of like length, drawn for every model, in an order that all share."""
    ids, lengths, labels = part
    on_cpu = lengths.cpu().numpy()
    order = np.stack([np.argsort(on_cpu + rng.uniform(0, 12, len(on_cpu))) for _ in range(M)])
    for first in rng.permutation(np.arange(0, len(on_cpu) - B + 1, B)):
        chosen = order[:, first : first + B]
        place = torch.from_numpy(chosen).to(ids.device)
        yield ids[: on_cpu[chosen].max()][:, place].swapaxes(0, 1), lengths[place], labels[place]


def train(stack, data, state, deadline, epochs):
    """Passes until all are done or time is up. Returns history per pass, best weights, longest."""
    history, best, kept = [], None, {name: p.detach().clone() for name, p in stack.params.items()}
    if state.exists():
        saved = torch.load(state, map_location=stack.rates.device, weights_only=True)
        with torch.no_grad():
            for name, p in stack.params.items():
                p.copy_(saved["params"][name])
        stack.memory, stack.updates = saved["memory"], saved["updates"]
        history, best, kept = saved["history"], saved["best"], saved["kept"]
    per_epoch, longest = len(data["train"][1]) // SETTINGS["B"], 0.0
    while len(history) < epochs and time.perf_counter() + longest < deadline:
        begin = time.perf_counter()
        torch.manual_seed(len(history))
        rng = np.random.default_rng([7, len(history)])
        for batch in batches(data["train"], len(stack.cases), SETTINGS["B"], rng):
            stack.update(*batch, 1 - 0.9 * stack.updates / (per_epoch * epochs))
        loss, accuracy = stack.score(data["valid"])
        better = torch.ones_like(loss, dtype=bool) if best is None else loss < best
        best = loss if best is None else torch.minimum(loss, best)
        for name, p in stack.params.items():
            kept[name][better] = p.detach()[better]
        history.append([loss.tolist(), accuracy.tolist()])
        torch.save({"params": {k: p.detach() for k, p in stack.params.items()},
                    "memory": stack.memory, "updates": stack.updates, "history": history,
                    "best": best, "kept": kept}, state)  # fmt: skip
        longest = max(longest, time.perf_counter() - begin)
        print(stack.cell, len(history), [round(x, 3) for x in loss.tolist()[:6]],
              f"{time.perf_counter() - begin:.1f} s", flush=True)  # fmt: skip
    return history, kept


def results(stack, data, history, kept):
    """A run for each model: its case, and scores with its best weights."""
    with torch.no_grad():
        for name, p in stack.params.items():
            p.copy_(kept[name])
    loss, accuracy = stack.score(data["test"])
    runs = []
    for m, case in enumerate(stack.cases):
        own = [[round(a[m], 4), round(b[m], 4)] for a, b in history]
        epoch = int(np.argmin([h[0] for h in own]))
        size = sum(p[m].numel() for k, p in stack.params.items()
                   if k != "v_s" or case["readout"] == "attention")  # fmt: skip
        result = {
            "parameters": size, "passes": len(own), "best_pass": epoch + 1,
            "valid_loss": own[epoch][0], "valid_accuracy": own[epoch][1],
            "test_loss": round(loss[m].item(), 4), "test_accuracy": round(accuracy[m].item(), 4),
            "history": own,
        }  # fmt: skip
        runs.append({"case": case, "result": result})
    return runs


def best_rates(runs):
    """The rate of each cell and read-out: lowest mean validation loss over the seeds."""
    losses = {}
    for run in runs:
        case = run["case"]
        key = case["cell"], case["readout"]
        losses.setdefault(key, {}).setdefault(case["rate"], []).append(run["result"]["valid_loss"])
    return {key: min(found, key=lambda r: np.mean(found[r])) for key, found in losses.items()}


def weights_of(stack, m):
    """The parameters of model m under the names of `classifier`."""
    wanted = lambda k: k != "v_s" or stack.readouts[m] == "attention"  # noqa: E731
    return {k: p[m].detach().cpu().numpy() for k, p in stack.params.items() if wanted(k)}


def read_json(path):
    """What a JSON file holds; its name may end in .gz."""
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8") as file:
        return json.load(file)


def main(arguments=None):
    """The command line; see the module."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--seconds", type=float, default=1e9)
    parser.add_argument("--words", type=Path)
    parser.add_argument("--seeds", type=int, default=len(SEEDS), help="fewer, to try it")
    parser.add_argument("--epochs", type=int, default=SETTINGS["epochs"])
    options = parser.parse_args(arguments)
    begin, device = time.perf_counter(), options.device
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    options.out.mkdir(parents=True, exist_ok=True)
    vocab, data = load_data(device, read_json(options.words) if options.words else None)
    cells, runs, stored = ("lstm",) if options.words else tuple(CELLS), [], None
    for number, cell in enumerate(cells):
        cases = [
            {"cell": cell, "readout": readout, "rate": rate, "seed": seed}
            for readout in READOUTS for rate in RATES for seed in SEEDS[: options.seeds]
        ]  # fmt: skip
        stack = Stack(cell, cases, len(vocab), device)
        deadline = begin + (options.seconds - 8) * (number + 1) / len(cells)
        state = options.out / f"state_{cell}.pt"
        history, kept = train(stack, data, state, deadline, options.epochs)
        if not history:
            continue
        runs += results(stack, data, history, kept)
        if cell == KEPT[0] and not options.words:
            rate = best_rates(runs)[KEPT]
            mine = [m for m, r in enumerate(runs)
                    if r["case"]["readout"] == KEPT[1] and r["case"]["rate"] == rate]  # fmt: skip
            m = min(mine, key=lambda m: runs[m]["result"]["valid_loss"])
            stored = weights_of(stack, m), runs[m]
    settings = SETTINGS | {"epochs": options.epochs, "symbols": len(vocab)}
    chosen = best_rates(runs)
    for run in runs:
        case = run["case"]
        case["chosen"] = bool(chosen[case["cell"], case["readout"]] == case["rate"])
    about = {
        "question": __doc__.splitlines()[0], "date": date.today().isoformat(),
        "machine": "one GPU" if device == "cuda" else "processor", "versions": versions(),
        "settings": settings,
    }  # fmt: skip
    name = "sentiment_words" if options.words else "sentiment"
    lines = ",\n".join("  " + json.dumps(r) for r in runs)
    text = f'{{"about": {json.dumps(about, indent=1)},\n"runs": [\n{lines}\n]}}\n'
    (options.out / f"{name}.json").write_text(text, "utf-8")
    if stored:
        arrays = {f"param.{k}": a.astype(np.float16) for k, a in stored[0].items()}
        texts = {"symbols": list(vocab.symbols), "about": {**stored[1], "settings": settings}}
        texts = {k: np.array(json.dumps(t)) for k, t in texts.items()}
        write_npz(options.out / f"{name}.npz", arrays | texts)
    for key, rate in chosen.items():
        wanted = {"cell": key[0], "readout": key[1], "rate": rate}
        mine = [r["result"]["test_accuracy"] for r in runs if wanted.items() <= r["case"].items()]
        print(key, rate, np.round([np.mean(mine), min(mine), max(mine)], 4), flush=True)


if __name__ == "__main__":
    main()
