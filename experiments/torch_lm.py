"""Train character language models in PyTorch, for the scripts beside this one.

The model is that of `helpers.language_model`: embedding, one or more recurrent layers (RNN, GRU or
LSTM), read-out. What it learns comes back as that module's parameters (`Model.params`), and gives
the same logits there to 1e-5.

    split = corpora.shakespeare()
    train_text("small", split, {"cell": "lstm", "H": 256}, options())   # Trained

It is written for a GPU: the text lies on the device, an update is one graph of kernels that is
replayed without waiting, and several models are trained side by side, an update each in turn. It
runs on processors too. Truncated backpropagation: the text is cut into B streams that are read side
by side, T characters an update, the state carried on; each pass starts at another character.

With `seconds`, the learning rate falls along half a cosine with the elapsed share of the time, so
the number of updates depends on the machine; the history says what happened. With `updates`, it
falls with the updates. Interrupted, `train_text` goes on from the state in --work, which it writes
about once a minute.
"""

import argparse
import copy
import json
import math
import os
import sys
import time
from contextlib import nullcontext
from pathlib import Path
from typing import NamedTuple

import numpy as np
import study
import torch
import torch.nn.functional as F
from torch import nn

from helpers import gru, lstm, rnn, torch_parity
from helpers.checks import check_share, check_sizes
from helpers.text import Split, Vocabulary
from helpers.trained import store, writer

CELLS = {"rnn": rnn.RNN, "gru": gru.GRU, "lstm": lstm.LSTM}
LAYERS = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}

DEFAULTS = {
    "cell": "lstm", "D": 64, "H": 256, "layers": 1, "tied": False,
    "drop_in": 0.0, "drop": 0.0, "drop_out": 0.0,  # embedding, between layers, before read-out
    "weight_drop": 0.0,  # of the entries of every W_hh, drawn anew for each update
    "B": 128, "T": 100, "lr": 3e-3, "warm": 0.02, "max_norm": 1.0,
    "average": 0.99,  # decay of the running mean of the weights, taken every 10 updates
    "reset": 0.0,  # with this probability a stream's state is set to zero before a chunk
    "half": False,  # on a GPU: products in half precision, weights and sums in single
    "taught": 0.0,  # share of the loss that compares with a teacher's distribution
    "seed": 0,
}  # fmt: skip
AVERAGE_EVERY = 10
SCALE = 2.0**13  # of the loss in half precision, whose smallest number is 6e-8


# --- The model ----------------------------------------------------------------------------------


class Model(nn.Module):
    """E, a stack of recurrent layers, read-out: logits (T, B, V) and states for ids (T, B).

    settings: see `DEFAULTS`. tied: the read-out's matrix is Eᵀ, which needs D = H (Press & Wolf,
    2017; Inan et al., 2017). Dropout stands on the embedding, between the layers and before the
    read-out, never on the way from step to step (Zaremba et al., 2014).
    """

    def __init__(self, settings: dict, V: int):
        super().__init__()
        s = self.settings = complete(settings)
        if s["tied"] and s["D"] != s["H"]:
            raise ValueError(f"tied needs D = H, got D = {s['D']} and H = {s['H']}")
        torch.manual_seed(s["seed"])
        self.embed = nn.Embedding(V, s["D"])
        self.stack = nn.ModuleList(
            LAYERS[s["cell"]](s["D"] if i == 0 else s["H"], s["H"]) for i in range(s["layers"])
        )
        self.read_out = nn.Linear(s["H"], V)
        with torch.no_grad():
            if s["tied"]:
                self.embed.weight = self.read_out.weight
            for layer in self.stack:
                self._one_bias(layer, s["H"])

    def _one_bias(self, layer, H):
        """Of torch's two biases one is enough: the second stays 0, but for that of the GRU's n."""
        layer.bias_hh_l0.zero_()
        if self.settings["cell"] == "gru":
            only_n = torch.zeros(3 * H)
            only_n[2 * H :] = 1
            layer.register_buffer("only_n", only_n, persistent=False)
            layer.bias_hh_l0.register_hook(lambda g: g * layer.only_n)
        else:
            layer.bias_hh_l0.requires_grad_(False)
        if self.settings["cell"] == "lstm":
            layer.bias_ih_l0[H : 2 * H] = 1.0  # the keep gate starts open

    def forward(self, ids, states):
        s, dropout = self.settings, lambda x, p: F.dropout(x, p) if self.training and p else x
        x, after = dropout(self.embed(ids), s["drop_in"]), []
        for i, (layer, state) in enumerate(zip(self.stack, states)):
            x, state = layer(dropout(x, s["drop"]) if i else x, state)
            after.append(state)
        return self.read_out(dropout(x, s["drop_out"])), after

    def zero_states(self, B: int):
        """A state of zeros per layer, as torch wants it: (1, B, H), or two of them."""

        def zeros():
            return torch.zeros(1, B, self.settings["H"], device=self.device)

        lstm = self.settings["cell"] == "lstm"
        return [(zeros(), zeros()) if lstm else zeros() for _ in self.stack]

    @property
    def device(self):
        return self.embed.weight.device

    @property
    def cell(self):
        """The cell of helpers that the parameters belong to."""
        return CELLS[self.settings["cell"]]

    def params(self) -> dict:
        """The weights as parameters of `helpers.language_model`: E, W_xh, …, W_hy, b_y.

        One layer has the plain names, a stack has W_xh_l0, W_xh_l1, …; tied matrices are two.
        """
        params = {"E": self.embed.weight}
        for i, layer in enumerate(self.stack):
            on_cpu = copy.deepcopy(layer).cpu()
            for name, array in torch_parity.from_torch(self.cell, on_cpu).items():
                plain = name.removesuffix("_l0")
                params[f"{plain}_l{i}" if len(self.stack) > 1 else plain] = array
        params |= {"W_hy": self.read_out.weight.T, "b_y": self.read_out.bias}
        return {name: _array(value) for name, value in params.items()}

    def load(self, params: dict):
        """The inverse of `params`. Returns self."""
        with torch.no_grad():
            for i, layer in enumerate(self.stack):
                suffix = f"_l{i}" if len(self.stack) > 1 else ""
                one = {name: params[name + suffix] for name in
                       ("W_xh", "W_hh", "b_h", *self.cell.own)}  # fmt: skip
                for name, value in torch_parity.to_torch(self.cell, one).named_parameters():
                    getattr(layer, name).copy_(value)
            self.embed.weight.copy_(torch.from_numpy(params["E"]))
            self.read_out.weight.copy_(torch.from_numpy(params["W_hy"].T))
            self.read_out.bias.copy_(torch.from_numpy(params["b_y"]))
        return self


def _array(value) -> np.ndarray:
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu().numpy()
    return np.array(value, order="C")  # a copy: training goes on in place


def complete(settings: dict) -> dict:
    """The settings with the defaults filled in, checked.

    Raises: ValueError or TypeError that names the setting.
    """
    unknown = settings.keys() - DEFAULTS.keys()
    if unknown:
        raise ValueError(f"unknown settings {sorted(unknown)}; known: {sorted(DEFAULTS)}")
    s = {**DEFAULTS, **settings}
    if s["cell"] not in CELLS:
        raise ValueError(f"cell must be one of {sorted(CELLS)}, got {s['cell']!r}")
    check_sizes(**{name: s[name] for name in ("D", "H", "layers", "B", "T")})
    for name in ("drop_in", "drop", "drop_out", "weight_drop", "average", "reset", "taught"):
        check_share(name, s[name])
    return s


def n_parameters(cell: str, V: int, D: int, H: int, layers: int = 1, tied: bool = False) -> int:
    """How many numbers the model learns, counted as in helpers: one bias a gate."""
    k, own = CELLS[cell].n_gates, H * (cell == "gru")
    recurrent = sum(k * H * ((H if i else D) + H + 1) + own for i in range(layers))
    return V * D + recurrent + V + (0 if tied else H * V)


def width(total: int, cell: str, V: int, D: int | None = 64, layers=1, tied=False) -> int:
    """The H that brings the model nearest to `total` parameters; D None means D = H."""
    sizes = range(8, 4000)
    return min(sizes, key=lambda H: abs(n_parameters(cell, V, D or H, H, layers, tied) - total))


# --- Scores -------------------------------------------------------------------------------------


@torch.no_grad()
def log2_probabilities(
    model: Model, ids: np.ndarray, columns: int = 1, chunk: int = 2000, warm: int = 0
):
    """log₂ p of every symbol of a text but the first: (N − 1,).

    columns = 1 reads it once from its beginning, as `language_model.evaluate` does. With more it is
    cut into so many parts that are read side by side, each from a state of zeros: much faster on a
    GPU, and a little worse at the beginning of each part. With warm, each part begins so many
    symbols early, as in `writer.log2_probabilities`.
    """
    found = torch.zeros(len(ids) - 1, device=model.device)
    for at, right, log_p in _read_side_by_side(model, ids, columns, chunk, warm):
        found[at] = log_p.gather(-1, right[:, None])[:, 0] / math.log(2)
    return found.cpu().numpy().astype(np.float64)


@torch.no_grad()
def team_probabilities(models: list, ids: np.ndarray, columns: int = 1, chunk: int = 100,
                       warm: int = 200, dtype=torch.float16) -> torch.Tensor:  # fmt: skip
    """The mean of the models' distributions of every symbol of a text: (N, V), row 0 even guesses.

    Dropout is off. For columns and warm see `log2_probabilities`.
    """
    V = models[0].embed.num_embeddings
    found = torch.zeros(len(ids), V, device=models[0].device)
    found[0] = 1 / V
    for model in models:
        for at, _, log_p in _read_side_by_side(model, ids, columns, chunk, warm):
            found[at + 1] += log_p.exp() / len(models)
    return found.to(dtype)


def _read_side_by_side(model, ids, columns, chunk, warm):
    """Chunk by chunk: n places, the symbols after them, ln p of all symbols there, (n, V)."""
    was_training = model.training
    model.eval()
    text = torch.as_tensor(ids, device=model.device)
    states = model.zero_states(columns)
    for block in writer.in_columns(len(ids) - 1, columns, warm, chunk):
        at, kept = (torch.as_tensor(part, device=model.device) for part in block)
        logits, states = model(text[at], states)
        yield at[kept], text[at + 1][kept], F.log_softmax(logits[kept], -1)
    model.train(was_training)


def bits(model: Model, ids: np.ndarray, columns: int = 1, warm: int = 0) -> float:
    """Bits per character, −mean log₂ p; see `log2_probabilities`."""
    return float(-log2_probabilities(model, ids, columns, warm=warm).mean())


# --- Training -----------------------------------------------------------------------------------


class Run:
    """One model on its way: weights, optimiser, place in the text, running mean of the weights.

    ids: the training text, (N,). teacher: its distributions, (N, V), for the setting `taught`.
    history: a dict per look: share of the run, updates, characters read, training bits since the
    last look (without the teacher's part), and what `look` found.
    Raises: ValueError if the text is too short, or a teacher is missing.
    """

    def __init__(self, settings: dict, ids: np.ndarray, V: int, device: str, graph: bool, name="",
                 teacher=None):  # fmt: skip
        s = self.settings = complete(settings)
        self.name = name
        self.device, self.updates, self.history = torch.device(device), 0, []
        self.half = s["half"] and self.device.type == "cuda"
        self.stopped = None  # why it trains no more
        self.model = Model(s, V).to(self.device).train()
        length = (len(ids) - 1) // s["B"]
        if length <= 2 * s["T"]:
            raise ValueError(f"a text of {len(ids)} is too short for B = {s['B']}, T = {s['T']}")
        if s["taught"] and (teacher is None or teacher.shape != (len(ids), V)):
            got = None if teacher is None else tuple(teacher.shape)
            raise ValueError(f"taught needs a teacher of shape {(len(ids), V)}, got {got}")
        self.teacher = teacher if s["taught"] else None
        self.starts = torch.arange(s["B"], device=self.device) * length  # of the streams
        # The last target of a stream is the first character of the next.
        rows = np.lib.stride_tricks.as_strided(
            ids, (s["B"], length + 1), (length * ids.strides[0], ids.strides[0])
        )
        self.text = torch.as_tensor(np.ascontiguousarray(rows.T), device=self.device)
        self.offsets = torch.arange(s["T"] + 1, device=self.device)
        self.at = torch.zeros((), dtype=torch.long, device=self.device)
        self.place = 0  # the same as `at`, known without asking the device
        self.states = self.model.zero_states(s["B"])
        self.rng = np.random.default_rng(s["seed"])
        self.trained = [p for p in self.model.parameters() if p.requires_grad]
        self.mean = [p.detach().clone() for p in self.trained]
        on_gpu = self.device.type == "cuda"
        rate = torch.tensor(0.0, device=self.device) if on_gpu else 0.0
        self.optimizer = torch.optim.Adam(self.trained, lr=rate, capturable=on_gpu)
        self.loss = torch.zeros((), device=self.device)
        self.since = 0
        self.stream = torch.cuda.Stream() if on_gpu else None
        self.graph = self._capture() if graph and on_gpu else None

    def _update(self):
        """One update on the device, without waiting for it."""
        T = self.settings["T"]
        window = self.text.index_select(0, self.at + self.offsets)
        states, reset = self.states, self.settings["reset"]
        if reset:
            keep = (torch.rand(1, self.settings["B"], 1, device=self.device) >= reset).float()
            states = [
                tuple(s * keep for s in state) if isinstance(state, tuple) else state * keep
                for state in states
            ]
        whole = self._drop_weights()
        with torch.autocast("cuda", torch.float16, enabled=self.half, cache_enabled=False):
            logits, after = self.model(window[:-1], states)
        logits = logits.float().flatten(0, 1)
        right = loss = F.cross_entropy(logits, window[1:].flatten())
        if self.teacher is not None:  # Hinton, Vinyals & Dean (2015), without a temperature
            share, places = self.settings["taught"], self.at + self.offsets[1:, None] + self.starts
            told = self.teacher.index_select(0, places.flatten()).float()
            loss = (1 - share) * right + share * F.cross_entropy(logits, told)
        scale = SCALE if self.half else 1.0
        (loss * scale).backward()
        self._put_back(whole)
        if self.half:  # no gradient where it has become too large for half precision
            for p in self.trained:
                torch.nan_to_num_(p.grad.div_(scale), 0.0, 0.0, 0.0)
        nn.utils.clip_grad_norm_(self.trained, self.settings["max_norm"])
        self.optimizer.step()
        with torch.no_grad():
            for old, new in zip(_flat(self.states), _flat(after)):
                old.copy_(new)
            self.at.add_(T)
            self.loss.add_(right.detach())

    @torch.no_grad()
    def _drop_weights(self) -> list:
        """Set a share of every W_hh to 0 for this update, one draw for all steps of a chunk.

        The rest grows by 1/(1 − share). Returns (W, what it was, mask) a layer, for `_put_back`.
        Source: Wan et al. (2013); on recurrent weights Merity et al. (2018).
        """
        share, whole = self.settings["weight_drop"], []
        for layer in self.model.stack if share else ():
            W = layer.weight_hh_l0
            mask = (torch.rand_like(W) >= share).float() / (1 - share)
            whole.append((W, W.clone(), mask))
            W.mul_(mask)  # in place: cuDNN wants all weights of a layer in one piece
        return whole

    @torch.no_grad()
    def _put_back(self, whole: list):
        """The weights as they were; what was dropped has no gradient."""
        for W, value, mask in whole:
            W.copy_(value)
            W.grad.mul_(mask)

    def _capture(self):
        """The update as a graph that can be replayed: no Python, no waiting between its kernels."""
        self.stream.wait_stream(torch.cuda.current_stream())
        start = [p.detach().clone() for p in self.trained]
        with torch.cuda.stream(self.stream):
            for _ in range(3):  # the libraries choose their kernels now
                self.optimizer.zero_grad(set_to_none=True)
                self._update()
        torch.cuda.synchronize()
        self.optimizer.zero_grad(set_to_none=True)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, stream=self.stream):
            self._update()
        torch.cuda.synchronize()
        with torch.no_grad():  # forget what the warm-up did; its learning rate was 0
            for p, old in zip(self.trained, start):
                p.copy_(old)
            for state in self.optimizer.state.values():
                for value in state.values():
                    value.zero_()
            self._rewind(0)
            self.loss.zero_()
        torch.cuda.synchronize()
        return graph

    def _rewind(self, place: int):
        self.place = place
        self.at.fill_(place)
        for state in _flat(self.states):
            state.zero_()

    def step(self, rate: float):
        """One update with this learning rate."""
        T = self.settings["T"]
        with torch.cuda.stream(self.stream) if self.stream else nullcontext():
            if self.place + T + 1 > len(self.text):  # a new pass begins
                self._rewind(int(self.rng.integers(T)))
            self.set_rate(rate)
            if self.graph:
                self.graph.replay()
            else:
                self.optimizer.zero_grad(set_to_none=True)
                self._update()
            self.place += T
            self.updates += 1
            self.since += 1
            if self.updates % AVERAGE_EVERY == 0:
                n = self.updates // AVERAGE_EVERY  # a plain mean at first, then a running one
                weight = max(1 - self.settings["average"], 1 / n)
                with torch.no_grad():
                    torch._foreach_lerp_(self.mean, self.trained, weight)

    def set_rate(self, rate: float):
        for group in self.optimizer.param_groups:
            if isinstance(group["lr"], torch.Tensor):
                group["lr"].fill_(rate)
            else:
                group["lr"] = rate

    @property
    def characters(self) -> int:
        """How many characters were read in training, each pass anew."""
        return self.updates * self.settings["B"] * self.settings["T"]

    def training_bits(self) -> float:
        """Mean training loss since this was asked last, in bits, dropout on.

        Raises: FloatingPointError if it is not finite.
        """
        if self.stream:
            self.stream.synchronize()
        value = float(self.loss) / max(self.since, 1) / math.log(2)
        self.loss.zero_()
        self.since = 0
        if not math.isfinite(value):
            raise FloatingPointError(f"training stopped at update {self.updates}: loss {value}")
        return value

    def averaged(self, use: bool = True) -> "Averaged":
        """`with run.averaged():` the model has the mean of its weights inside."""
        return Averaged(self, use)

    def state(self) -> dict:
        """All that a continuation needs."""
        return {
            "settings": self.settings, "model": self.model.state_dict(),
            "optimizer": [{k: v.cpu() for k, v in self.optimizer.state[p].items()}
                          for p in self.trained if p in self.optimizer.state],
            "mean": self.mean, "place": self.place, "states": _flat(self.states),
            "updates": self.updates, "history": self.history,
            "rng": self.rng.bit_generator.state, "torch_rng": torch.get_rng_state(),
        }  # fmt: skip

    def resume(self, saved: dict):
        """Go on from `state()`.

        Raises: ValueError if it belongs to other settings.
        """
        if saved["settings"] != self.settings:
            raise ValueError(f"the saved run has other settings: {saved['settings']}")
        with torch.no_grad():
            self.model.load_state_dict(saved["model"])
            if not self.optimizer.state and saved["optimizer"]:  # make room for Adam's memory
                self.set_rate(0.0)
                for p in self.trained:
                    p.grad = torch.zeros_like(p)
                self.optimizer.step()
                self.optimizer.zero_grad(set_to_none=True)
            for p, memory in zip(self.trained, saved["optimizer"]):
                for name, value in memory.items():
                    self.optimizer.state[p][name].copy_(value)
            for mine, theirs in zip(self.mean, saved["mean"]):
                mine.copy_(theirs)
            self._rewind(saved["place"])
            for mine, theirs in zip(_flat(self.states), saved["states"]):
                mine.copy_(theirs)
        self.updates, self.history = saved["updates"], saved["history"]
        self.rng.bit_generator.state = saved["rng"]
        torch.set_rng_state(saved["torch_rng"].cpu())


class Averaged:
    """The model of a run with the mean of its weights, for as long as the block lasts."""

    def __init__(self, run: Run, use: bool):
        self.run, self.use = run, use

    def __enter__(self):
        if self.run.stream:
            self.run.stream.synchronize()
        if self.use:
            self._swap()
        return self.run.model

    def __exit__(self, *_):
        if self.use:
            self._swap()
        if self.run.device.type == "cuda":
            torch.cuda.synchronize()

    def _swap(self):
        with torch.no_grad():
            for p, mean in zip(self.run.trained, self.run.mean):
                kept = p.detach().clone()
                p.copy_(mean)
                mean.copy_(kept)


def _flat(states) -> list:
    return [s for state in states for s in (state if isinstance(state, tuple) else (state,))]


class Clock:
    """How much of a training is over: a share of the seconds, or of the updates."""

    def __init__(self, seconds=None, updates=None, before: float = 0.0):
        if (seconds is None) == (updates is None):
            raise ValueError(f"give seconds or updates, got {seconds!r} and {updates!r}")
        self.seconds, self.updates = seconds, updates
        self.begin = time.perf_counter() - before

    @property
    def elapsed(self) -> float:
        return time.perf_counter() - self.begin

    def share(self, updates: int) -> float:
        done = self.elapsed / self.seconds if self.updates is None else updates / self.updates
        return min(done, 1.0)


def rate_at(share: float, settings: dict) -> float:
    """The learning rate: up in a straight line for a short while, then half a cosine to zero."""
    s = settings
    rise = min(share / s["warm"], 1.0) if s["warm"] else 1.0
    return s["lr"] * max(rise, 0.01) * 0.5 * (1 + math.cos(math.pi * share))


def train(runs: list, clock: Clock, looks=(), look=None, every: int = 20, save=None):
    """Train all runs side by side, an update each in turn, until the clock has run out.

    looks: shares of the time, rising, at which look(run) → dict is asked and the history grows; a
    look at 1.0 comes after the last update. save(): asked about once a minute. A run whose loss is
    no number any more is `stopped`, and the others go on.
    Raises: FloatingPointError if none is left.
    """
    runs = [run for run in runs if not run.stopped]
    done = max((h["share"] for run in runs for h in run.history), default=-1.0)
    ahead = [at for at in looks if done < at < 1]
    saved, share = time.perf_counter(), clock.share(runs[0].updates)
    while share < 1:
        for _ in range(every):
            for run in runs:
                run.step(rate_at(share, run.settings))
            share = clock.share(runs[0].updates)
            if share >= 1:
                break
        if runs[0].device.type == "cuda":
            torch.cuda.synchronize()  # do not run ahead of the device by more than this
            share = clock.share(runs[0].updates)
        if ahead and ahead[0] <= share < 1:
            ahead = [at for at in ahead if at > share]
            runs = _look(runs, share, clock, look)
        if save and time.perf_counter() - saved > 60:
            save()
            saved = time.perf_counter()
    _look(runs, 1.0, clock, look)


def _look(runs, share, clock, look) -> list:
    """Each history grows; the runs that go on."""
    for run in runs:
        try:
            bits_in_training = round(run.training_bits(), 4)
        except FloatingPointError as error:
            run.stopped = error
            print(f"{run.name}: {error}", flush=True)
            continue
        found = {
            "share": round(share, 4), "updates": run.updates, "characters": run.characters,
            "seconds": round(clock.elapsed, 1), "train": bits_in_training,
        }  # fmt: skip
        run.history.append(found | (look(run) if look else {}))
    going_on = [run for run in runs if not run.stopped]
    if not going_on:
        raise runs[0].stopped
    return going_on


# --- One text, one model, one command -----------------------------------------------------------


class Trained(NamedTuple):
    """params: of `helpers.language_model`; vocab; history: of `Run`; settings; about: the rest."""

    params: dict
    vocab: Vocabulary
    history: list
    settings: dict
    about: dict


def options(description: str = "", arguments=None) -> argparse.Namespace:
    """The command line that all trainings share."""
    return add_options(argparse.ArgumentParser(description=description)).parse_args(arguments)


def add_options(parser):
    """--device, --seconds, --out, --work and so on."""
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--seconds", type=float, default=600, help="stop after so many seconds")
    parser.add_argument("--out", type=Path, default=Path("out"), help="where results go")
    parser.add_argument("--work", type=Path, help="where the state to resume goes; default --out")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--eager", action="store_true", help="on a GPU: no graphs of kernels")
    parser.add_argument("--started", type=float, default=None, help=argparse.SUPPRESS)
    return parser


def prepare(args) -> str:
    """Threads, precision, folders; the device."""
    torch.set_num_threads(args.threads)
    args.started = args.started or time.time()
    args.out.mkdir(parents=True, exist_ok=True)
    args.work = args.work or args.out
    args.work.mkdir(parents=True, exist_ok=True)
    if study.device_of(args.device) == "cuda":
        torch.backends.cuda.matmul.allow_tf32 = True
        torch.backends.cudnn.allow_tf32 = True
    return study.device_of(args.device)


def make_runs(args, device: str, many: dict, ids: np.ndarray, V: int, teacher=None) -> list:
    """A Run per name → settings. Where a GPU refuses graphs, the script starts again without."""
    try:
        runs = [
            Run(settings, ids, V, device, not args.eager, name, teacher)
            for name, settings in many.items()
        ]
        if device == "cuda" and not args.eager:
            _try_graphs(runs)
        return runs
    except Exception as error:
        if device != "cuda" or args.eager:
            raise
        print(f"no graphs of kernels ({error!r}): starting again without them", flush=True)
        again = [sys.executable, *sys.argv, "--eager", "--started", str(args.started)]
        os.execv(sys.executable, again)


def _try_graphs(runs):
    """Raise if replays of a graph do not train: the loss is a number, and the weights move."""
    run = runs[0]
    start = {name: value.clone() for name, value in run.model.state_dict().items()}
    for _ in range(30):
        run.step(1e-3)
    loss = run.training_bits()
    moved = max(
        float((value - start[name]).abs().max()) for name, value in run.model.state_dict().items()
    )
    reset(run, start)
    if not (0 < loss < 12 and 1e-4 < moved < 1):
        raise RuntimeError(f"replays gave a loss of {loss}, and the weights moved by {moved}")


def reset(run, weights):
    """Back to the start, after a try on a GPU; weights: the state_dict of the start."""
    with torch.no_grad():
        run.model.load_state_dict(weights)
        for mean, p in zip(run.mean, run.trained):
            mean.copy_(p)
        for memory in run.optimizer.state.values():
            for value in memory.values():
                value.zero_()
        run._rewind(0)
    run.loss.zero_()
    run.updates, run.since = 0, 0
    run.rng = np.random.default_rng(run.settings["seed"])
    if run.stream:
        torch.cuda.synchronize()


def seconds_left(args, reserve: float = 0.0) -> float:
    """What is left of --seconds, counted from the start of the script."""
    return args.started + args.seconds - time.time() - reserve


LOOKS = (0.005, 0.01, 0.02, 0.04, 0.07, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)


def train_text(name: str, split: Split, settings: dict, args, looks=LOOKS, updates=None) -> Trained:
    """Train one model on split.train for --seconds, looking at split.valid; write name.npz.

    The vocabulary is that of split.train; symbols of valid that it lacks are left out there. What
    is returned, and written to --out in half precision with its vocabulary and history (`read`),
    has the weights of the end or their running mean, whichever is better on split.valid.
    """
    device = prepare(args)
    vocab = Vocabulary.of(split.train)
    ids, valid = (vocab.encode([c for c in part if c in vocab.index]) for part in split[:2])
    [run] = make_runs(args, device, {name: settings}, ids, len(vocab))
    work, before = args.work / f"{name}.work.pt", 0.0
    if work.exists():
        saved = torch.load(work, map_location=device, weights_only=False)
        run.resume(saved["run"])
        before = saved["elapsed"]
    columns = max(1, min(64, len(valid) // 2000))

    def look(run):
        with run.averaged():
            mean = bits(run.model, valid, columns)
        found = {"valid": round(bits(run.model, valid, columns), 4), "valid_mean": round(mean, 4)}
        print(name, run.history[-1] if run.history else "", found, flush=True)
        return found

    reserve = 15 if device == "cuda" else 5
    budget = None if updates else max(seconds_left(args, reserve), 1.0) + before
    clock = Clock(budget, updates, before)

    def save():
        study.save_state(work, {"run": run.state(), "elapsed": clock.elapsed})

    train([run], clock, looks, look, save=save)
    last = run.history[-1]
    use_mean = last["valid_mean"] < last["valid"]
    with run.averaged(use_mean) as model:
        found = {"mean_of_weights": use_mean, "valid": round(bits(model, valid, 1), 4)}
        params = model.params()
    about = {
        **found, "device": device, "graph": run.graph is not None, "seconds": round(clock.elapsed),
        "torch": torch.__version__, "parameters": sum(p.size for p in params.values()),
    }  # fmt: skip
    trained = Trained(params, vocab, run.history, run.settings, about)
    write(args.out / f"{name}.npz", trained)
    save()
    return trained


def write(path: Path, trained: Trained) -> None:
    """The weights in half precision, with vocabulary, settings and history, without pickle."""
    arrays = store.halved(trained.params)
    notes = {"vocabulary": trained.vocab.symbols, "history": trained.history,
             "settings": trained.settings, "about": trained.about}  # fmt: skip
    store.write_npz(path, arrays | {k: np.array(json.dumps(v)) for k, v in notes.items()})


def read(path: Path, dtype=np.float32) -> Trained:
    """What `write` wrote; the parameters in `dtype`."""
    arrays = store.read_npz(path)
    params = store.params_of(arrays, dtype)
    notes = {k: json.loads(str(v)) for k, v in arrays.items() if not k.startswith("param.")}
    vocab = Vocabulary(tuple(notes["vocabulary"]))
    return Trained(params, vocab, notes["history"], notes["settings"], notes["about"])
