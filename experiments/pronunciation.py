"""Train a pronunciation model in PyTorch: `python experiments/pronunciation.py --help`.

helpers.trained.pronouncer is the model that comes with the book; chapter 9 asks it. Four kinds can
be trained, and `pronunciation_combine.py` lets them decide together:

    forward   letters in, phones out, both from left to right (the model of the book)
    backward  the same with both sides turned round
    aligned   letters in, and for each of them a chunk of no phone, one or two (the cuts of
              helpers.letter_windows.align); the decoder reads the state at its letter instead of
              attending
    spell     phones in, letters out

All listed pronunciations are trained on, with marks of stress, which the score does not see. AdamW,
a rate that rises for 200 updates and falls to zero along half a cosine, dropout, smoothed labels,
clipped gradients; the model is a running mean of the weights. Words of one length make a batch, so
that no source is padded. Nothing is chosen by validation: the last mean is the model.

The end of the schedule is `--epochs`, or `--seconds` if that comes first. With `--work`, the whole
state is written to a file after every epoch. Started again with the same settings, training goes on
after the last whole epoch, and without `--seconds` it ends with the same weights as a run that
nobody interrupted (on a CPU, with the same number of threads). Weights are written in 8 bits each.

The defaults take about two minutes on a large GPU, and some four hours (an estimate) on two cores.
"""

import argparse
import json
import platform
import sys
import time
from pathlib import Path

import numpy as np
import study
import torch
from torch import nn

from helpers import letter_windows, seq2seq
from helpers.checks import check_not_negative, check_positive, check_share, check_sizes
from helpers.data import g2p
from helpers.lstm import LSTM, set_forget_bias
from helpers.text import END, START, Vocabulary
from helpers.torch_seq2seq import TorchSeq2Seq
from helpers.trained import pronouncer, store

KINDS = ("forward", "backward", "aligned", "spell")
EMPTY = -100  # marks what is padding among the targets, for torch


# --- What is learned ----------------------------------------------------------------------------


def chunks_of(targets, sizes) -> list:
    """For every letter the phones it makes, as one number: see letter_windows.Windows."""
    found = []
    for y, size in zip(targets, sizes):
        ends = np.cumsum(size)
        pairs = [[int(p) + 1 for p in y[end - n : end]] for end, n in zip(ends, size)]
        found.append([sum(p << (7 * k) for k, p in enumerate(pair)) for pair in pairs])
    return found


def phones_of(chunks) -> list:
    """The inverse of `chunks_of` for one word: ids of phones."""
    return [part - 1 for c in chunks for part in (c & 127, c >> 7) if part]


class Task:
    """Words and pronunciations as ids, seen from one kind of model.

    words: to learn from, also the chunks and the probabilities that cut them. stress: with marks.
    Pronunciations are tuples of ids of `g2p.phones(stress)`.
    """

    def __init__(self, kind: str, stress: bool, words):
        self.kind, self.stress, self.marks = kind, stress, g2p.phones(stress)
        self.n_sources = len(g2p.letters()) if kind != "spell" else len(self.marks)
        self.n_targets = len(self.marks) if kind != "spell" else len(g2p.letters()) + 2
        if kind == "aligned":
            # The cuts are those of the phones without stress: fewer symbols, surer counts.
            to_bare = [*range(2), *(g2p.phones().encode(g2p.bare(self.marks.symbols[2:])))]
            self.to_bare = np.array(to_bare)
            sources, targets, _ = g2p.all_pairs(words)
            V, P = len(g2p.letters()), len(g2p.phones())
            sizes = letter_windows.align(sources, targets, V, P)
            self.tables = letter_windows.chunk_tables(sources, targets, sizes, V, P)
            sources, targets, _ = g2p.all_pairs(words, stress)
            known = {c for row in self.cut(sources, targets) if row is not None for c in row}
            self.chunks = [-1, *sorted(known)]  # the first is the mark for START
            self.number = {chunk: i for i, chunk in enumerate(self.chunks)}
            self.n_targets = len(self.chunks)

    def cut(self, sources, targets) -> list:
        """The chunks of every word, None where the phones are more than two for each letter."""
        bare = [self.to_bare[np.asarray(y, int)] for y in targets]
        sizes = letter_windows.cut(sources, bare, self.tables)
        found = [None] * len(sources)
        kept = [i for i, size in enumerate(sizes) if size is not None]
        for i, row in zip(kept, chunks_of([targets[i] for i in kept], [sizes[i] for i in kept])):
            found[i] = row
        return found

    def sides(self, sources, targets) -> list:
        """What the model reads and what it writes, for every word; None if it cannot write it."""
        if self.kind == "forward":
            return list(zip(sources, targets))
        if self.kind == "backward":
            return [(x[::-1], y[::-1]) for x, y in zip(sources, targets)]
        if self.kind == "spell":
            return [(np.asarray(y), np.asarray(x) + 2) for x, y in zip(sources, targets)]
        pairs = []
        for x, row in zip(sources, self.cut(sources, targets)):
            known = row is not None and all(c in self.number for c in row)
            pairs.append((x, np.array([self.number[c] for c in row])) if known else None)
        return pairs

    def answer(self, ids) -> tuple:
        """What a search found, as ids of phones from left to right."""
        if self.kind == "aligned":
            return tuple(phones_of([self.chunks[i] for i in ids]))
        ids = [int(i) for i in ids if i != END]
        return tuple(ids[::-1] if self.kind == "backward" else ids)


class Group:
    """Pairs whose sources have one length, on a device: source (N, T), inputs, targets (N, S)."""

    def __init__(self, pairs, places, ends: bool, device):
        self.places, self.n = np.array(places), len(pairs)
        self.lengths = np.array([len(y) + ends for _, y in pairs])
        S = self.lengths.max()
        inputs, targets = np.full((self.n, S), END), np.full((self.n, S), EMPTY)
        for i, (_, y) in enumerate(pairs):
            full = [*y, END] if ends else y
            targets[i, : len(full)] = full
            inputs[i, : len(full)] = [START, *full[:-1]]
        source = np.array([x for x, _ in pairs])
        self.source, self.inputs, self.targets = (
            torch.from_numpy(a).to(device) for a in (source, inputs, targets)
        )

    def take(self, order, lengths):
        """(T, B), (S, B), (S, B) of the pairs in `order`, a tensor; lengths are theirs."""
        S = int(lengths.max())
        source = self.source[order].T.contiguous()
        return source, self.inputs[order, :S].T, self.targets[order, :S].T


def groups_of(pairs, ends: bool, device) -> list:
    """All pairs (None is left out), by the length of their sources."""
    by_length = {}
    for i, pair in enumerate(pairs):
        if pair is not None:
            by_length.setdefault(len(pair[0]), []).append(i)
    return [
        Group([pairs[i] for i in places], places, ends, device)
        for _, places in sorted(by_length.items())
    ]


# --- Models -------------------------------------------------------------------------------------


class Aligned(nn.Module):
    """Letters in, a chunk for each: the decoder reads the encoder's state at its letter.

    m_1 … m_T = encoder(x_1 … x_T), h_t = LSTM([E y_{t−1}; m_t], h_{t−1}),
    z_t = tanh([h_t; m_t] W_u + b_u) W_hy + b_y.
    """

    ends = False  # as many chunks as letters: no mark for the end is needed

    def __init__(self, V_x: int, V_y: int, D: int, H: int, layers: int, dropout: float):
        super().__init__()
        self.enc_E, self.dec_E = nn.Embedding(V_x, D), nn.Embedding(V_y, D)
        self.enc = nn.LSTM(D, H // 2, layers, bidirectional=True, dropout=dropout * (layers > 1))
        self.dec = nn.LSTM(D + H, H)
        self.u, self.out, self.dropout = nn.Linear(2 * H, H), nn.Linear(H, V_y), nn.Dropout(dropout)

    def memory(self, source):
        return self.enc(self.dropout(self.enc_E(source)))[0]

    def decode(self, memory, inputs, state=None):
        x = torch.cat([self.dropout(self.dec_E(inputs)), self.dropout(memory)], -1)
        hs, state = self.dec(x, state)
        u = torch.tanh(self.u(torch.cat([hs, memory], -1)))
        return self.out(self.dropout(u)), state

    def forward(self, source, inputs):
        return self.decode(self.memory(source), inputs)[0]

    def started(self, source, k: int):
        """A function step(ids (N,), state, t) → z (N, V), state for k rows a word, and a state."""
        memory = self.memory(source).repeat_interleave(k, 1)
        zero = memory.new_zeros(1, memory.shape[1], self.dec.hidden_size)

        def step(ids, state, t):
            z, state = self.decode(memory[t : t + 1], ids[None], state)
            return z[0], state

        return step, (zero, zero.clone())

    def arrays(self) -> dict:
        return {name: p.detach().cpu().numpy() for name, p in self.named_parameters()}


class Attending(TorchSeq2Seq):
    """TorchSeq2Seq for sources of one length, and ready for a search."""

    ends = True

    def forward(self, source, inputs):
        return super().forward(source, None, inputs)[0]

    def started(self, source, k: int):
        memory, is_real, context = (a.repeat_interleave(k, d) for a, d in
                                    zip(self.encode(source, None), (1, 0, 0)))  # fmt: skip

        def step(ids, state, t):
            z, _, state = self.decode(memory, is_real, context, ids[None], state)
            return z[0], state

        return step, self.start(context)

    def arrays(self) -> dict:
        return self.params()


def build(task: Task, settings: dict) -> nn.Module:
    """A new model, from the seed in the settings."""
    s = settings
    if task.kind == "aligned":
        torch.manual_seed(s["seed"])
        return Aligned(task.n_sources, task.n_targets, s["D"], s["H"], s["layers"], s["dropout"])
    params = seq2seq.init_seq2seq(
        pronouncer.MODEL, task.n_sources, task.n_targets, s["D"], s["H"],
        np.random.default_rng(s["seed"]), bidirectional=True, n_layers=s["layers"],
    )  # fmt: skip
    for name in [name for name in params if name.startswith("dec_b_h") or "enc_b_h" in name]:
        suffix = name.partition("b_h")[2]
        prefix = name[:4]
        one = {part: params[f"{prefix}{part}{suffix}"] for part in ("b_h", "W_hh")}
        set_forget_bias(LSTM, one, 1.0)  # in place
    return Attending(pronouncer.MODEL, params, s["dropout"])


# --- Training -----------------------------------------------------------------------------------


class Trainer:
    """A model, its optimiser, its running mean, and how far they have come.

    settings: see `DEFAULTS`. history: a dict for each epoch, with the training loss in nats per
    symbol (smoothed labels), seconds, and where it was measured the validation's PER and WER.
    """

    def __init__(self, settings: dict, words, device="cpu", seconds=None):
        self.settings, self.history, self.device, self.seconds = settings, [], device, seconds
        s = settings
        self.task = Task(s["kind"], s["stress"], words)
        sources, targets, places = g2p.all_pairs(words, s["stress"])
        pairs = self.task.sides(sources, targets)
        if s["ways"] == "first":
            first = np.diff(places, prepend=-1) > 0
            pairs = [pair for pair, is_first in zip(pairs, first) if is_first]
        self.net = build(self.task, s).to(device)
        self.groups = groups_of(pairs, self.net.ends, device)
        self.per_batch = s["B"] * np.mean(np.concatenate([g.lengths for g in self.groups]))
        self.params = list(self.net.parameters())
        self.mean = [p.detach().clone() for p in self.params]
        self.optimizer = torch.optim.AdamW(
            self.params, lr=s["lr"], weight_decay=s["decay"], fused=device == "cuda"
        )
        self.updates, self.begin = 0, time.perf_counter()

    def done(self, share: float) -> float:
        """The share of training that is over, after so much of this epoch."""
        by_epochs = (len(self.history) + share) / self.settings["epochs"]
        if self.seconds is None:
            return by_epochs
        return max(by_epochs, (time.perf_counter() - self.begin) / self.seconds)

    def batches(self):
        """Every pair once: batches of one length, in an order that follows from the seed."""
        s = self.settings
        rng = np.random.default_rng([s["seed"], len(self.history)])
        chunks = []
        for group in self.groups:
            order = rng.permutation(group.n)
            on_device = torch.from_numpy(order).to(self.device)
            for first in range(0, group.n, s["B"]):
                lengths = group.lengths[order[first : first + s["B"]]]
                chunks.append((group, on_device[first : first + s["B"]], lengths))
        return [chunks[i] for i in rng.permutation(len(chunks))]

    def epoch(self):
        """One pass over all pairs, or less if the time is over. Returns the mean loss, or None.

        Raises: FloatingPointError if the loss is not finite.
        """
        s, number = self.settings, len(self.history)
        torch.manual_seed(s["seed"] * 1000 + number)
        self.net.train()
        total, symbols, batches = torch.zeros((), device=self.device), 0, self.batches()
        for i, (group, order, lengths) in enumerate(batches):
            done = self.done(i / len(batches))
            if done >= 1:
                break
            lr = s["lr"] * 0.5 * (1 + np.cos(np.pi * done)) * min(1, (self.updates + 1) / 200)
            self.optimizer.param_groups[0]["lr"] = lr
            source, inputs, targets = group.take(order, lengths)
            z = self.net(source, inputs)
            # A sum over a constant, so that a batch of few long words has a small gradient.
            loss = nn.functional.cross_entropy(
                z.flatten(0, 1), targets.flatten(), ignore_index=EMPTY, reduction="sum",
                label_smoothing=s["smoothing"],
            )  # fmt: skip
            self.optimizer.zero_grad()
            (loss / self.per_batch).backward()
            nn.utils.clip_grad_norm_(self.params, s["max_norm"])
            self.optimizer.step()
            self.updates += 1
            keep = min(s["average"], self.updates / (self.updates + 10))
            with torch.no_grad():
                torch._foreach_lerp_(self.mean, self.params, 1 - keep)
            total, symbols = total + loss.detach(), symbols + int(lengths.sum())
        if not symbols:
            return None
        mean = total.item() / symbols
        if not np.isfinite(mean):
            raise FloatingPointError(
                f"training stopped in epoch {number + 1}: loss {mean}. A smaller lr usually helps."
            )
        return mean

    def averaged(self) -> nn.Module:
        """The model with the running mean of its weights."""
        with torch.no_grad():
            for p, mean in zip(self.params, self.mean):
                p.copy_(mean)
        return self.net

    def state(self) -> dict:
        """Everything that the next epoch depends on, as plain arrays."""
        about = [self.settings, self.history, self.updates]
        arrays = {"about": np.array(json.dumps(about))}
        memory = self.optimizer.state_dict()["state"]
        for i, (name, p) in enumerate(self.net.named_parameters()):
            arrays[f"param.{name}"] = p.detach().cpu().numpy()
            arrays[f"mean.{name}"] = self.mean[i].cpu().numpy()
            for key, value in memory.get(i, {}).items():
                arrays[f"{key}.{name}"] = value.cpu().numpy()
        return arrays

    def resume(self, path):
        """Go on where `state` was written to `path`.

        Raises: ValueError if the settings were others, or the file is damaged.
        """
        try:
            arrays = store.read_npz(path)
            settings, history, updates = json.loads(str(arrays["about"]))
        except Exception as error:  # a damaged file can fail in any of the libraries that read it
            raise ValueError(f"{path.name} is no whole training state: {error!r}") from error
        if settings != self.settings:
            other = {
                name: (settings.get(name), self.settings.get(name))
                for name in sorted({*settings, *self.settings})
                if settings.get(name) != self.settings.get(name)
            }
            raise ValueError(f"{path.name} was made with other settings (there, now): {other}")
        self.history, self.updates, state = history, updates, {}
        self.begin -= sum(epoch["s"] for epoch in history)
        with torch.no_grad():
            for i, (name, p) in enumerate(self.net.named_parameters()):
                p.copy_(torch.from_numpy(arrays[f"param.{name}"]))
                self.mean[i].copy_(torch.from_numpy(arrays[f"mean.{name}"]))
                state[i] = {
                    key: torch.from_numpy(arrays[f"{key}.{name}"])
                    for key in ("step", "exp_avg", "exp_avg_sq")
                }
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": state, "param_groups": groups})


# --- Searching and scoring ----------------------------------------------------------------------


@torch.no_grad()
def search(net, source, k: int) -> tuple:
    """Beam search of width k for sources (T, B) of one length: ids (B, k, S), log P (B, k).

    What has ended keeps its place. ids are filled up with END.
    """
    T, B = source.shape
    limit = pronouncer.longest(T) if net.ends else T
    step, state = net.started(source, k)
    device, log_p = source.device, torch.full((B, k), -torch.inf, device=source.device)
    log_p[:, 0] = 0
    last = torch.full((B * k,), START, device=device)
    ids, over = source.new_zeros(B, k, 0), torch.zeros(B, k, dtype=torch.bool, device=device)
    for t in range(limit):
        z, state = step(last, state, t)
        add = z.log_softmax(-1).view(B, k, -1)
        if net.ends:
            stay = torch.full_like(add[0, 0], -torch.inf)
            stay[END] = 0
            add = torch.where(over[..., None], stay, add)
        V = add.shape[-1]
        log_p, best = (log_p[..., None] + add).view(B, -1).topk(k, -1)
        parent, symbol = best // V, best % V
        ids = torch.cat([ids.gather(1, parent[..., None].expand_as(ids)), symbol[..., None]], -1)
        rows = (torch.arange(B, device=device)[:, None] * k + parent).view(-1)
        state = tuple(s[:, rows] for s in state)
        last, over = symbol.view(-1), symbol == END
        if net.ends and over.all():
            break
    return ids.cpu().numpy(), log_p.cpu().numpy()


def n_best(net, task: Task, words, k: int, device="cpu", B: int = 1024) -> list:
    """For every word a dict: what the beam found (ids of phones) → log P, the largest first."""
    net.eval()
    sources = [g2p.letters().encode(word) for word in words]
    if task.kind == "backward":
        sources = [x[::-1] for x in sources]
    found = [{} for _ in words]
    by_length = {}
    for i, x in enumerate(sources):
        by_length.setdefault(len(x), []).append(i)
    for members in by_length.values():
        for first in range(0, len(members), B):
            chosen = members[first : first + B]
            source = torch.from_numpy(np.array([sources[i] for i in chosen]).T.copy()).to(device)
            for i, rows, values in zip(chosen, *search(net, source, k)):
                for row, value in zip(rows, values):
                    if np.isfinite(value):
                        found[i].setdefault(task.answer(row), float(value))
    return found


@torch.no_grad()
def log_p(net, task: Task, sources, targets, device="cpu", B: int = 4096) -> np.ndarray:
    """The model's log P of given pairs, teacher forced; NaN for what it cannot write or read."""
    net.eval()
    scores = np.full(len(sources), np.nan)
    for group in groups_of(task.sides(sources, targets), net.ends, device):
        for first in range(0, group.n, B):
            order = torch.arange(first, min(first + B, group.n), device=device)
            source, inputs, wanted = group.take(order, group.lengths[first : first + B])
            z = net(source, inputs).log_softmax(-1)
            each = z.gather(-1, wanted.clamp(min=0)[..., None])[..., 0]
            total = (each * (wanted != EMPTY)).sum(0)
            scores[group.places[first : first + B]] = total.cpu().numpy()
    return scores


def best_bare(found: dict, marks: Vocabulary) -> tuple:
    """The most probable pronunciation without stress: variants that differ in it are added up."""
    sums = {}
    for ids, value in found.items():
        way = g2p.bare(marks.decode(ids))
        sums[way] = np.logaddexp(sums.get(way, -np.inf), value)
    return max(sums, key=sums.get) if sums else ()


def measure(net, task: Task, words, k: int = 1, device="cpu") -> g2p.Rates:
    """Error rates, stress aside, of what a beam of width k finds (k = 1: greedy)."""
    answers = [best_bare(found, task.marks) for found in n_best(net, task, words, k, device)]
    return g2p.error_rates(words, answers)


# --- Files --------------------------------------------------------------------------------------


def save(path, trainer: Trainer, about: dict) -> None:
    """Write the running mean of the weights, and for the aligned kind the list of chunks."""
    task, arrays = trainer.task, {}
    for name, array in trainer.net.arrays().items():
        arrays |= pronouncer.packed(name, array)
    about = {**trainer.settings, **about, "history": trainer.history}
    if task.kind == "aligned":
        arrays["chunks"] = np.array(task.chunks)
    arrays |= {
        name: np.array(json.dumps(text))
        for name, text in (
            ("letters", g2p.letters().symbols), ("phones", task.marks.symbols), ("about", about)
        )
    }  # fmt: skip
    store.write_npz(path, arrays)


def load(path, words, device="cpu"):
    """A model, its task and its note; words: the training words, which the cuts come from."""
    arrays = store.read_npz(path)
    about = json.loads(str(arrays["about"]))
    task = Task(about["kind"], about["stress"], words)
    params = pronouncer.unpacked(arrays)
    if task.kind == "aligned":
        if task.chunks != arrays["chunks"].tolist():
            raise ValueError(f"{Path(path).name} has other chunks than these words give")
        net = build(task, about)
        net.load_state_dict({name: torch.from_numpy(a) for name, a in params.items()})
    else:
        net = Attending(pronouncer.MODEL, params, about["dropout"])
    return net.to(device).eval(), task, about


def training_words(settings: dict, limit=None):
    """The words of the training part, `settings["words"]` of them drawn at random unless 0."""
    words = g2p.split().train[:limit]
    if settings["words"]:
        order = np.random.default_rng(0).permutation(len(words))[: settings["words"]]
        words = tuple(words[i] for i in sorted(order))
    return words


def train(
    settings: dict, out: Path, work=None, limit=None, show=True, device="cpu", seconds=None,
    test=False,
) -> g2p.Rates:  # fmt: skip
    """Train, resuming from `work` if it exists; write the model to `out`.

    limit: use only so many words of each part, to try the script. test: measure on the test words
    too, at the end. Returns the rates of validation at the end (for the kind "spell" zeros).
    Raises: ValueError if `out` and `work` are one file or a setting is out of range, or as
    `Trainer.resume`; OSError, before anything is trained, if one of them cannot be written;
    FloatingPointError as `Trainer.epoch`.
    """
    out, work = Path(out), None if work is None else Path(work)
    if work is not None and out.resolve() == work.resolve():
        raise ValueError(f"out and work are both {out.name}: two files are needed")
    for name, path in (("out", out), ("work", work)):
        if path is not None:
            store.check_writable(name, path)
    check_settings(**settings)
    if limit is not None:
        settings = settings | {"limit": limit}
    valid = g2p.split().valid[:limit]
    trainer = Trainer(settings, training_words(settings, limit), device, seconds)
    if work is not None and work.exists():
        trainer.resume(work)
    while trainer.done(0) < 1:
        begin = time.perf_counter()
        loss = trainer.epoch()
        if loss is None:
            break
        trainer.history.append({"loss": loss, "s": time.perf_counter() - begin})
        number = len(trainer.history)
        if settings["kind"] != "spell" and number % 5 == 0 and trainer.done(0) < 1:
            weights = [p.detach().clone() for p in trainer.params]
            rates = measure(trainer.averaged(), trainer.task, valid[::3], device=device)
            trainer.history[-1] |= {"per": rates.per, "wer": rates.wer}
            with torch.no_grad():
                for p, weight in zip(trainer.params, weights):
                    p.copy_(weight)
        if work is not None:
            store.write_npz(work, trainer.state())
        if show:
            print(f"epoch {number}", trainer.history[-1], flush=True)
    net, about, rates = trainer.averaged(), made_on(trainer), g2p.Rates(0.0, 0.0, 0)
    if settings["kind"] != "spell":
        rates = measure(net, trainer.task, valid, device=device)
        about |= {"valid": rates._asdict()}
        if test:
            words = g2p.split().test[:limit]
            about["test"] = measure(net, trainer.task, words, device=device)._asdict()
    save(out, trainer, about)
    if show:
        print({name: value for name, value in about.items() if name != "history"}, flush=True)
    return rates


def made_on(trainer: Trainer) -> dict:
    """When and on what a model was made."""
    cuda = trainer.device == "cuda"
    return {
        "updates": trainer.updates,
        "training_s": round(sum(epoch["s"] for epoch in trainer.history), 1),
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "machine": torch.cuda.get_device_name() if cuda else platform.machine(),
    }


def check_settings(
    kind, stress, ways, words, layers, D, H, dropout, smoothing, decay, B, lr, max_norm, average,
    epochs, seed,
):  # fmt: skip
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {KINDS}, got {kind!r}")
    if ways not in ("first", "all"):
        raise ValueError(f"ways must be 'first' or 'all', got {ways!r}")
    check_sizes(layers=layers, D=D, H=H, B=B, epochs=epochs)
    for name, value in (("dropout", dropout), ("smoothing", smoothing), ("average", average)):
        check_share(name, value)
    check_positive("lr", lr)
    check_positive("max_norm", max_norm)
    for name, value in (("decay", decay), ("words", words), ("seed", seed)):
        check_not_negative(name, value)


def main(arguments=None):
    """The command line; see the module."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=pronouncer.CHECKPOINT, help="weights to write")
    parser.add_argument("--work", type=Path, help="state to write after every epoch, and to resume")
    parser.add_argument("--limit", type=int, help="use so many words only (to try it)")
    parser.add_argument("--seconds", type=float, help="end the training after so many seconds")
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--test", action="store_true", help="measure on the test words at the end")
    for name, value in DEFAULTS.items():
        kind = int if isinstance(value, bool) else type(value)
        parser.add_argument(f"--{name}", type=kind, default=value, help=f"default {value}")
    options = vars(parser.parse_args(arguments))
    torch.set_num_threads(options["threads"])
    torch.backends.cuda.matmul.allow_tf32 = True
    device = study.device_of(options["device"])
    settings = {name: options[name] for name in DEFAULTS} | {"stress": bool(options["stress"])}
    train(
        settings, options["out"], options["work"], options["limit"], True, device,
        options["seconds"], options["test"],
    )  # fmt: skip


# words 0: all of them. decay: of the weights, by AdamW. average: how much of the running mean stays
# with every update.
DEFAULTS = {
    "kind": "forward", "stress": True, "ways": "all", "words": 0, "layers": 2, "D": 96, "H": 448,
    "dropout": 0.4, "smoothing": 0.1, "decay": 0.01, "B": 512, "lr": 2e-3, "max_norm": 2.0,
    "average": 0.998, "epochs": 40, "seed": 0,
}  # fmt: skip

if __name__ == "__main__":
    sys.exit(main())
