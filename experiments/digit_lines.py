"""Train readers of handwritten lines: `python experiments/digit_lines.py --help`.

A stack of LSTM layers reads a line of digits column by column and says a symbol at each, see
helpers.data.digit_lines. Trained with CTC (--loss ctc: digits in order, no places) or on the true
alignment (--loss frames: a label for each column); in two directions or one, at about equal size.

    python experiments/digit_lines.py --out FOLDER --seconds 180 --loss ctc --directions 2 --seed 0

Trains for --updates, or for --seconds if that is over first; the rate falls to zero along half a
cosine over the share of the two that is gone. Every half minute the state is written to NAME.pt, so
that an interrupted run goes on. A run that is through leaves NAME.npz (weights, named as in
helpers.unroll) and NAME.json (settings, history, scores), and is not run again. Needs PyTorch; on a
GPU one run takes a minute or two. The stored model is the best CTC run in two directions on the
validation lines, with the scores of all runs:

    python experiments/digit_lines.py --out FOLDER --pack src/helpers/trained/digit_lines.npz
"""

import argparse
import json
import math
import time
from functools import cache
from pathlib import Path

import line_readers
import numpy as np
import study
import torch

from helpers import ctc
from helpers.data import digit_lines
from helpers.data.digit_lines import N_SYMBOLS, SIDE
from helpers.trained import store

# Units a layer for one and for two directions: 303,806 and 304,715 parameters.
UNITS = {1: 157, 2: 96}
LAYERS, DROPOUT, RATE, MAX_NORM = 2, 0.3, 3e-3, 1.0
POOL, B, UPDATES = 30_000, 256, 6000  # lines drawn for training, lines a batch, updates
LOOKS = (
    0,
    25,
    50,
    100,
    200,
    400,
    800,
    1600,
    3200,
    6400,
    12800,
)  # updates at which peaks are measured


class Reader(torch.nn.Module):
    """LSTM layers and a read-out; dropout between the layers and before the read-out."""

    def __init__(self, directions: int, units: int):
        super().__init__()
        self.lstm = torch.nn.LSTM(
            SIDE, units, LAYERS, dropout=DROPOUT, bidirectional=directions == 2
        )
        self.dropout = torch.nn.Dropout(DROPOUT)
        self.out = torch.nn.Linear(directions * units, N_SYMBOLS)

    def forward(self, x, lengths):
        packed = torch.nn.utils.rnn.pack_padded_sequence(x, lengths, enforce_sorted=False)
        hs, _ = self.lstm(packed)
        hs, _ = torch.nn.utils.rnn.pad_packed_sequence(hs, total_length=len(x))
        return self.out(self.dropout(hs))


def to_numpy(net: Reader) -> dict:
    """The weights under the names of helpers.unroll; torch's two biases are added up."""
    params = {"W_hy": net.out.weight.T, "b_y": net.out.bias}
    for name, theirs in net.lstm.named_parameters():
        kind, place = name.split("_l", 1)
        if kind == "weight_ih":
            params[f"W_xh_l{place}"] = theirs.T
        elif kind == "weight_hh":
            params[f"W_hh_l{place}"] = theirs.T
        elif kind == "bias_ih":
            params[f"b_h_l{place}"] = theirs + getattr(net.lstm, f"bias_hh_l{place}")
    return {name: np.array(p.detach().cpu().numpy(), order="C") for name, p in params.items()}


class Material:
    """Lines on the device: x (T, N, 8), columns (T, N), targets (N, S); lengths on the CPU too."""

    def __init__(self, lines, device):
        self.lines = lines
        self.x = torch.from_numpy(lines.x).to(device)
        self.columns = torch.from_numpy(lines.columns).to(device)
        self.lengths = torch.from_numpy(lines.lengths)
        self.on_device = self.lengths.to(device)
        longest = max(map(len, lines.targets))
        padded = np.zeros((len(lines.targets), longest), np.int64)
        for row, target in zip(padded, lines.targets):
            row[: len(target)] = target
        self.targets = torch.from_numpy(padded).to(device)
        self.sizes = torch.tensor([len(target) for target in lines.targets]).to(device)

    def sorted_by_length(self):
        """Line numbers, shortest first, so that a batch is padded little."""
        return torch.argsort(self.lengths)


def batch_loss(net, material, chosen, objective):
    """Mean loss of the chosen lines: nats a line (ctc) or nats a column (frames)."""
    lengths = material.lengths[chosen]
    T = int(lengths.max())
    there = chosen.to(material.x.device)
    logits = net(material.x[:T, there], lengths)
    if objective == "frames":
        real = torch.arange(T, device=logits.device)[:, None] < material.on_device[there]
        return torch.nn.functional.cross_entropy(logits[real], material.columns[:T, there][real])
    total = torch.nn.functional.ctc_loss(
        logits.log_softmax(-1), material.targets[there], material.on_device[there],
        material.sizes[there], reduction="sum",
    )  # fmt: skip
    return total / len(chosen)


@torch.no_grad()
def look(net, material) -> dict:
    """Error rate of greedy reading, and how peaked the outputs are.

    blank: mean probability of the blank; said: columns a symbol is said for, per symbol; entropy:
    mean over columns, in nats; exact: share of lines without an error.
    """
    net.eval()
    log_p = net(material.x, material.lengths).log_softmax(-1)
    real = torch.arange(len(log_p), device=log_p.device)[:, None] < material.on_device
    p, best = log_p.exp(), log_p.argmax(-1)
    entropy = float(-(p * log_p).sum(-1)[real].mean())
    blank = float(p[..., 0][real].mean())
    best, lengths = best.cpu().numpy(), material.lines.lengths
    said = [ctc.collapse(best[:n, b]) for b, n in enumerate(lengths)]
    symbols = sum(map(len, said))
    frames = sum(int((best[:n, b] != 0).sum()) for b, n in enumerate(lengths))
    edits = digit_lines.edits_of(said, material.lines.targets)
    net.train()
    return {
        "error": sum(edits) / sum(map(len, material.lines.targets)),
        "exact": float(np.mean(np.array(edits) == 0)),
        "blank": blank,
        "said": frames / symbols if symbols else 0.0,
        "entropy": entropy,
    }


SAVE_EVERY = 30  # seconds


@cache
def materials(pool: int, device: str) -> tuple:
    """Training lines, the same for every seed, and those for validation, test, and longer ones."""
    parts = digit_lines.parts()
    lines = digit_lines.train_lines(pool, np.random.default_rng(7))
    return tuple(Material(part, device) for part in (lines, *parts))


def train(objective, directions, seed, seconds, out: Path, device, pool=POOL, updates=UPDATES):
    """Train one reader, or go on; returns what is written to the .json."""
    begin, name = time.perf_counter(), f"{objective}{directions}_{seed}"
    if (out / f"{name}.json").exists():
        return json.loads((out / f"{name}.json").read_text("utf-8"))
    state_path = out / f"{name}.pt"
    torch.manual_seed(seed)
    rng = np.random.default_rng([seed, 7])
    net = Reader(directions, UNITS[directions]).to(device)
    with torch.no_grad():  # the forget gates start open
        for key, p in net.lstm.named_parameters():
            if key.startswith("bias_ih"):
                p[len(p) // 4 : len(p) // 2] += 1.0
    optimizer = torch.optim.Adam(net.parameters(), lr=RATE)
    material, valid, test, long = materials(pool, device)
    done, before, history = 0, 0.0, []
    if state_path.exists():
        state = torch.load(state_path, map_location=device)
        net.load_state_dict(state["net"])
        optimizer.load_state_dict(state["optimizer"])
        done, before, history = state["done"], state["seconds"], state["history"]
    order, losses = material.sorted_by_length(), []
    n_batches, batches, saved = len(order) // B, [], time.perf_counter()
    while True:
        gone = max(done / updates, (before + time.perf_counter() - begin) / seconds)
        if done in LOOKS or gone >= 1:
            mean = float(torch.stack(losses).mean()) if losses else None
            history.append({"update": done, "loss": mean, "gone": gone, **look(net, valid)})
            losses = []
            print(name, history[-1], flush=True)
        if gone >= 1:
            break
        for group in optimizer.param_groups:
            group["lr"] = RATE * 0.5 * (1 + math.cos(math.pi * gone))
        if not batches:
            batches = rng.permutation(n_batches).tolist()
        i = batches.pop()
        loss = batch_loss(net, material, order[i * B : (i + 1) * B], objective)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), MAX_NORM)
        optimizer.step()
        losses.append(loss.detach())
        done += 1
        if time.perf_counter() - saved > SAVE_EVERY:
            saved = time.perf_counter()
            torch.save(
                {"net": net.state_dict(), "optimizer": optimizer.state_dict(), "done": done,
                 "seconds": before + saved - begin, "history": history}, state_path,
            )  # fmt: skip
    spent = before + time.perf_counter() - begin
    store.write_npz(out / f"{name}.npz", to_numpy(net))
    device_name = torch.cuda.get_device_name() if device == "cuda" else "one core"
    result = {
        "loss": objective, "directions": directions, "seed": seed, "units": UNITS[directions],
        "parameters": sum(p.size for p in to_numpy(net).values()), "updates": done, "batch": B,
        "lines": pool, "planned": updates, "seconds": round(spent), "device": device_name,
        "torch": torch.__version__,
        "valid": look(net, valid), "test": look(net, test), "long": look(net, long),
        "history": history,
    }  # fmt: skip
    (out / f"{name}.json").write_text(json.dumps(result), "utf-8")
    state_path.unlink(missing_ok=True)
    return result


def reread(out: Path, run: dict) -> dict:
    """Error rates as the NumPy model reads: runs of fewer than `shortest` columns left out, which
    is chosen on the validation lines, as in `line_readers`."""
    params = store.read_npz(out / f"{run['loss']}{run['directions']}_{run['seed']}.npz")
    parts = digit_lines.parts()
    shortest = min((1, 2, 3), key=lambda n: line_readers.error(params, parts.valid, n))
    scores = {k: line_readers.error(params, v, shortest) for k, v in parts._asdict().items()}
    late = line_readers.peaks(params, parts.valid)["late"]
    return {**scores, "shortest": shortest, "late": late}


def pack(out: Path, path: Path) -> None:
    """The best CTC run in two directions, by its validation lines, in half precision, with a list
    of all runs in `about`."""
    runs = [json.loads(p.read_text("utf-8")) for p in sorted(out.glob("*_*.json"))]
    runs = [{**run, "read": reread(out, run)} for run in runs]
    best = min(
        (r for r in runs if r["loss"] == "ctc" and r["directions"] == 2),
        key=lambda r: r["valid"]["error"],
    )
    arrays = store.read_npz(out / f"ctc2_{best['seed']}.npz")
    arrays = {name: a.astype(np.float16) for name, a in arrays.items()}
    about = json.dumps({"stored": best["seed"], "runs": runs})
    store.write_npz(path, {**arrays, "about": np.array(about)})


def main(arguments=None):
    """The command line; see the module."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, required=True, help="folder for what is written")
    parser.add_argument("--seconds", type=float, default=180)
    parser.add_argument("--device", choices=("auto", "cuda", "cpu"), default="auto")
    parser.add_argument("--loss", choices=("ctc", "frames"), default="ctc")
    parser.add_argument("--directions", type=int, choices=(1, 2), default=2)
    parser.add_argument("--seed", type=int, nargs="+", default=[0], help="one run after another")
    parser.add_argument("--lines", type=int, default=POOL, help="lines to draw for training")
    parser.add_argument("--updates", type=int, default=UPDATES)
    parser.add_argument("--pack", type=Path, help="write the stored model, train nothing")
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    if options.pack:
        pack(options.out, options.pack)
        return
    device = study.device_of(options.device)
    torch.set_num_threads(1)
    end = time.perf_counter() + options.seconds
    materials(options.lines, device)
    for i, seed in enumerate(options.seed):  # --seconds are for all of them together
        left = (end - time.perf_counter()) / (len(options.seed) - i)
        train(
            options.loss, options.directions, seed, max(left, 1), options.out, device,
            options.lines, options.updates,
        )  # fmt: skip


if __name__ == "__main__":
    main()
