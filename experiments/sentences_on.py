"""Trains the translators of `sentences.py` on, in smaller batches, on one core of a processor.

    python experiments/sentences_on.py fr_pieces --start FOLDER/fr_pieces.npz --seconds 240

The card trained twelve models of a group at once, in batches of 64, and had time for some forty
passes. Batches of 16 make four updates of one, so a few more passes change much. The learning rate
falls from its first value to nothing over the passes that were asked for; the weights that are best
on validation in chrF are kept. Interrupted, it goes on with the next pass.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
import sentences
import torch

from helpers.text import pair_batches
from helpers.torch_seq2seq import TorchSeq2Seq
from helpers.trained import store, translator


def batch_loss(net, batch):
    return net.loss(batch)


def say(net, units, texts):
    """Greedy translations by the NumPy decoder."""
    model = translator.Translator(net.params(), *units, {})
    return translator.translate_all(model, texts, B=128)


def train(name: str, start: Path, out: Path, passes, lr, dropout, B, seed, until):
    """Train on until the passes are made or the time is over; write weights and history to out."""
    first = sentences.GROUPS[name][0]
    parts = sentences.data(first["task"])
    some = sentences.some(parts.train, first["pairs"])
    units = sentences.units_for(first["units"], first["merges"], some)
    encoded = [[units[side].encode(pair[side]) for pair in some] for side in (0, 1)]
    work, history = out / f"{name}_work.npz", []
    arrays = store.read_npz(work if work.exists() else start)
    about = json.loads(str(arrays.pop("about")))
    params = store.params_of(arrays, np.float32)
    net = TorchSeq2Seq(sentences.MODEL, params, dropout)
    optimizer = torch.optim.Adam(net.parameters(), lr=lr)
    if work.exists():
        history = about["history"]
        state = optimizer.state_dict()
        state["state"] = {
            i: {key: torch.from_numpy(arrays[f"{key}.{n}"]) for key in ("step", "exp_avg",
                                                                        "exp_avg_sq")}
            for i, (n, _) in enumerate(net.named_parameters())
        }  # fmt: skip
        optimizer.load_state_dict(state)
    per_pass = len(some) // B
    valid = [[pair.source for pair in parts.valid], [pair.target for pair in parts.valid]]
    while len(history) < passes:
        begin = time.monotonic()
        torch.manual_seed(1000 * seed + len(history))
        rng = np.random.default_rng([seed, len(history)])
        batches, losses = pair_batches(*encoded, B, rng), []
        for i in range(per_pass):
            rate = lr * (1 - (len(history) + i / per_pass) / passes)
            for group in optimizer.param_groups:
                group["lr"] = rate
            optimizer.zero_grad()
            loss = net.loss(next(batches))
            loss.backward()
            torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimizer.step()
            losses.append(loss.item())
        entry = {"loss": float(np.mean(losses))}
        if len(history) % 3 == 2 or len(history) + 1 == passes:
            net.eval()
            said = say(net, units, valid[0])
            net.train()
            found = sentences.scores(said, valid[1], first["task"])
            entry |= {f"valid_{key}": value for key, value in found.items()}
            if found["chrf"] > max((e.get("valid_chrf", 0) for e in history), default=0):
                save(out / f"{name}.npz", net.params(), about | {"history": [*history, entry]})
        history.append(entry | {"seconds": round(time.monotonic() - begin, 1)})
        print(name, len(history), history[-1], flush=True)
        save(work, net.params(), about | {"history": history}, net, optimizer)
        if time.monotonic() + 1.1 * history[-1]["seconds"] > until:
            break
    return history


def save(path, params, about, net=None, optimizer=None):
    """Weights, and what is needed to go on."""
    arrays = {f"param.{name}": array for name, array in params.items()}
    if net is not None:
        memory = optimizer.state_dict()["state"]
        for i, (name, _) in enumerate(net.named_parameters()):
            arrays |= {f"{key}.{name}": value.numpy() for key, value in memory[i].items()}
    store.write_npz(path, arrays | {"about": np.array(json.dumps(about))})


def main():
    """The command line; see the module."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=list(sentences.GROUPS))
    parser.add_argument("--start", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("sentences_runs"))
    parser.add_argument("--passes", type=int, default=20)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--dropout", type=float, default=0.3)
    parser.add_argument("--B", type=int, default=16)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=float("inf"))
    options = vars(parser.parse_args())
    torch.set_num_threads(1)
    options["until"] = time.monotonic() + options.pop("seconds")
    options["out"].mkdir(parents=True, exist_ok=True)
    train(**options)


if __name__ == "__main__":
    main()
