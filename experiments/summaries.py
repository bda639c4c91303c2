"""The summary line of a docstring from its body: encoder and decoder, with and without attention.

    python experiments/summaries.py --out FOLDER [--device auto] [--seconds 240]

Reads the pairs of `helpers.data.docstrings` (or of --pairs FILE, which --write-pairs makes: a JSON
object of the three parts), trains `helpers.seq2seq` in PyTorch from `SEEDS` starts, with attention
and without. The time is shared out evenly; a run stops at its share or after `EPOCHS` passes, and
keeps the weights with the lowest validation loss. About four minutes on one GPU.

It writes summaries.json (every run, none left out) after each run, summaries.npz (the weights of
the best run with attention, by validation loss), and goes on where it stopped.
"""

import argparse
import json
import math
import time
from datetime import date
from pathlib import Path

import numpy as np
import torch
from study import device_of, read_json, versions, write_record
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from helpers import seq2seq
from helpers.attention import GENERAL
from helpers.data import docstrings
from helpers.lstm import LSTM, set_forget_bias
from helpers.seq2seq import Seq2Seq
from helpers.text import pair_batch
from helpers.torch_seq2seq import TorchSeq2Seq
from helpers.trained.store import halved, write_npz

MODELS = {"attention": Seq2Seq(LSTM, "last", "start", GENERAL),
          "none": Seq2Seq(LSTM, "last", "start", None)}  # fmt: skip
PLAN = (("attention", 0), ("none", 0), ("attention", 1), ("none", 1), ("attention", 2), ("none", 2))
EPOCHS = 30
SETTINGS = {
    "words": 2500, "D": 48, "H": {"attention": 128, "none": 136}, "B": 64, "lr": 3e-3,
    "dropout": 0.4, "max_norm": 1.0, "forget_bias": 1.0,
}  # fmt: skip


class OnDevice(TorchSeq2Seq):
    """The same model, on a GPU if there is one: only lengths stay with the processor."""

    def encode(self, source, lengths):
        """Memory (T, B, C), where it is real (B, T), context (B, C)."""
        x = self.dropout(self.own["enc_E"][source])
        hs, final = self.rnn["enc_"](pack_padded_sequence(x, lengths, enforce_sorted=False))
        memory, _ = pad_packed_sequence(hs)
        is_real = torch.arange(len(memory)) < lengths[:, None]
        return memory, is_real.to(source.device), torch.cat(list(final[0]), -1)

    def batch_loss(self, tensors):
        """Cross-entropy per word in nats of a batch that `tensors_of` made."""
        source, lengths, inputs, targets = tensors
        z, _ = self(source, lengths, inputs)
        return nn.functional.cross_entropy(z.flatten(0, 1), targets.flatten(), ignore_index=-1)


def tensors_of(batch, device):
    """A `PairBatch` as tensors; targets behind a summary's end are −1."""
    targets = batch.targets.copy()
    targets[np.arange(len(targets))[:, None] >= batch.target_lengths] = -1
    on = (torch.from_numpy(a).to(device) for a in (batch.source, batch.inputs, targets))
    source, inputs, targets = on
    return source, torch.from_numpy(batch.lengths), inputs, targets


def encode_pairs(found, vocab):
    """Ids of bodies (their first words) and of summaries."""
    sources = [vocab.encode(docstrings.words(p.body)[: docstrings.BODY[1]]) for p in found]
    return sources, [vocab.encode(docstrings.summary_words(p.summary)) for p in found]


def batches_of(sources, targets, B, device, rng=None):
    """All batches of like length, as tensors."""
    lengths = np.array([len(s) for s in sources])
    noise = 0 if rng is None else rng.uniform(0, 10, len(lengths))
    order = np.argsort(lengths + noise, kind="stable")
    for i in range(0, len(order), B):
        chosen = order[i : i + B]
        batch = pair_batch([sources[j] for j in chosen], [targets[j] for j in chosen])
        yield tensors_of(batch, device)


def run(kind, seed, seconds, device, vocab, parts):
    """One training of at most so many seconds: a dict of results, and the best weights."""
    s, rng, begin = SETTINGS, np.random.default_rng(seed), time.perf_counter()
    torch.manual_seed(seed)
    model, V = MODELS[kind], len(vocab)
    params = seq2seq.init_seq2seq(model, V, V, s["D"], s["H"][kind], rng, bidirectional=True)
    for name in ("enc_E", "dec_E"):
        params[name] *= 0.3
    for prefix, suffixes in (("enc_", ("_l0", "_l0_reverse")), ("dec_", ("",))):
        for suffix in suffixes:
            one = {name: params[f"{prefix}{name}{suffix}"] for name in ("b_h", "W_hh")}
            set_forget_bias(LSTM, one, s["forget_bias"])  # in place
    net = OnDevice(model, params, s["dropout"]).to(device)
    optimizer = torch.optim.Adam(net.parameters(), lr=s["lr"], fused=device == "cuda")
    valid = list(batches_of(*parts["valid"], 256, device))
    weights = [int((t[3] >= 0).sum()) for t in valid]
    best, kept, history, share = np.inf, None, [], 0.0
    while share < 1 and len(history) < EPOCHS:
        net.train()
        epoch = list(batches_of(*parts["train"], s["B"], device, rng))
        for i in rng.permutation(len(epoch)):
            passed = (len(history) + i / len(epoch)) / EPOCHS
            share = max(passed, (time.perf_counter() - begin) / seconds)
            for group in optimizer.param_groups:  # to zero along half a cosine
                group["lr"] = s["lr"] * 0.5 * (1 + math.cos(math.pi * min(share, 1)))
            loss = net.batch_loss(epoch[i])
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(net.parameters(), s["max_norm"])
            optimizer.step()
            if share >= 1:
                break
        net.eval()
        with torch.no_grad():
            losses = [net.batch_loss(t).item() for t in valid]
        valid_loss = float(np.average(losses, weights=weights))
        history.append(round(valid_loss, 4))
        if valid_loss < best:
            best = valid_loss
            kept = {name: p.detach().cpu().clone() for name, p in net.state_dict().items()}
    net.load_state_dict(kept)
    net = net.cpu().eval()
    with torch.no_grad():
        test = list(batches_of(*parts["test"], 256, "cpu"))
        losses = [net.batch_loss(t).item() for t in test]
    test_loss = float(np.average(losses, weights=[int((t[3] >= 0).sum()) for t in test]))
    result = {
        "parameters": sum(a.size for a in params.values()), "epochs": len(history),
        "valid_loss": round(best, 4), "test_loss": round(test_loss, 4), "history": history,
    }  # fmt: skip
    return result, net.params()


def main(arguments=None):
    """The command line; see the module."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--seconds", type=float, default=3600)
    parser.add_argument("--pairs", type=Path, help="JSON of the three parts, made elsewhere")
    parser.add_argument("--write-pairs", type=Path, help="write that file and stop")
    parser.add_argument("--limit", type=int, help="so many pairs of each part, to try it")
    options = parser.parse_args(arguments)
    if options.write_pairs:
        found = {part: docstrings.pairs(part) for part in docstrings.PARTS}
        options.write_pairs.write_text(json.dumps(found), "utf-8")
        return
    begin, device = time.perf_counter(), device_of(options.device)
    options.out.mkdir(parents=True, exist_ok=True)
    if options.pairs:
        text = read_json(options.pairs)
        found = {part: [docstrings.Pair(*p) for p in text[part]] for part in docstrings.PARTS}
    else:
        found = {part: docstrings.pairs(part) for part in docstrings.PARTS}
    vocab = docstrings.vocabulary(found["train"], SETTINGS["words"])
    parts = {part: encode_pairs(pairs[: options.limit], vocab) for part, pairs in found.items()}
    path = options.out / "summaries.json"
    runs = json.loads(path.read_text("utf-8"))["runs"] if path.exists() else []
    about = {
        "question": __doc__.splitlines()[0], "date": date.today().isoformat(),
        "machine": "one GPU" if device == "cuda" else "processor", "versions": versions(),
        "settings": SETTINGS | {"most_epochs": EPOCHS, "seconds": options.seconds},
        "pairs": {part: len(pairs) for part, pairs in found.items()},
    }  # fmt: skip
    known = {(r["case"]["attention"], r["case"]["seed"]) for r in runs}
    missing = [case for case in PLAN if case not in known]
    best = min((r["result"]["valid_loss"] for r in runs if r["case"]["attention"] == "attention"),
               default=np.inf)  # fmt: skip
    for i, (kind, seed) in enumerate(missing):
        left = options.seconds - (time.perf_counter() - begin)
        if left < 2:
            break
        start = time.perf_counter()
        share = 0.93 * left / (len(missing) - i)  # the rest is for validation
        result, params = run(kind, seed, share, device, vocab, parts)
        seconds = round(time.perf_counter() - start, 1)
        case = {"attention": kind, "seed": seed}
        runs.append({"case": case, "result": result, "seconds": seconds})
        write_record(path, about, runs)
        if kind == "attention" and result["valid_loss"] < best:
            best = result["valid_loss"]
            arrays = halved(params)
            note = {"case": case, "result": result, "settings": SETTINGS}
            texts = {"symbols": list(vocab.symbols), "about": note}
            write_npz(options.out / "summaries.npz",
                      arrays | {k: np.array(json.dumps(t)) for k, t in texts.items()})  # fmt: skip
        print(case, {k: v for k, v in result.items() if k != "history"}, seconds, flush=True)


if __name__ == "__main__":
    main()
