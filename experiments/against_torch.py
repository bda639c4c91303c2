"""Notebook 13: one LSTM trained by the helpers and by torch, from one start, on one stream of text.

A character model of Shakespeare: embedding, LSTM, read-out; Adam, clipped gradients, a rate that
falls to zero. What is compared is the whole training: the loss at every update, the bits on the
validation text at the end, and the time. In single precision the two round differently, and each
update builds on the one before, so differences may grow; in double precision they start smaller.
Times are those of one thread, the two trained in turn, a hundred updates each.
"""

import time

import numpy as np
import study

from helpers import language_model as lm
from helpers import losses, lstm, optim, text, train
from helpers.data import corpora

TURN = 100


def start(case, settings, V):
    """The parameters that both begin with."""
    rng, dtype = np.random.default_rng(case["seed"]), np.dtype(case["dtype"])
    params = lm.init_language_model(lstm.LSTM, V, settings["D"], settings["H"], rng, dtype)
    return lstm.set_forget_bias(lstm.LSTM, params, 1.0)


class ByHelpers:
    """Training in NumPy, a few updates at a time; `losses` in nats, `params` and `seconds`."""

    def __init__(self, params, ids, settings, rate):
        self.params = {name: array.copy() for name, array in params.items()}
        self.batches = text.sequential_batches(ids, settings["T"], settings["B"])
        self.optimizer, self.memory = optim.ADAM, optim.ADAM.init(self.params)
        self.state, self.losses, self.seconds = None, [], 0.0
        self.rate, self.max_norm = rate, settings["max_norm"]

    def go_on(self, n):
        begin = time.perf_counter()
        for batch in (next(self.batches) for _ in range(n)):
            state = None if batch.start else self.state
            loss, grads, self.state = lm.loss_and_grads(
                lstm.LSTM, self.params, batch.inputs, batch.targets, state
            )
            optim.clip_by_norm(grads, self.max_norm)
            rate = self.rate(len(self.losses))
            self.optimizer.update(self.params, grads, self.memory, rate)
            self.losses.append(float(loss))
        self.seconds += time.perf_counter() - begin


class ByTorch:
    """The same in torch: `torch.nn.LSTM`, autograd, `torch.optim.Adam`."""

    def __init__(self, params, ids, settings, rate):
        import torch
        import torch_lm

        self.torch = torch
        torch.set_num_threads(1)
        H, (V, D) = len(params["W_hh"]), params["E"].shape
        self.model = torch_lm.Model({"cell": "lstm", "D": D, "H": H}, V)
        self.model = self.model.to(torch.from_numpy(params["E"]).dtype).load(params)
        weights = [p for p in self.model.parameters() if p.requires_grad]
        self.optimizer = torch.optim.Adam(weights, lr=0.0)
        self.batches = text.sequential_batches(ids, settings["T"], settings["B"])
        self.states, self.losses, self.seconds = None, [], 0.0
        self.rate, self.max_norm, self.B = rate, settings["max_norm"], settings["B"]

    @property
    def params(self):
        """The weights in the helpers' form."""
        return self.model.params()

    def zero_states(self):
        dtype = self.model.embed.weight.dtype
        return [tuple(s.to(dtype) for s in state) for state in self.model.zero_states(self.B)]

    def go_on(self, n):
        torch, begin = self.torch, time.perf_counter()
        for batch in (next(self.batches) for _ in range(n)):
            states = self.zero_states() if batch.start else self.states
            logits, after = self.model(torch.from_numpy(np.ascontiguousarray(batch.inputs)), states)
            targets = torch.from_numpy(np.ascontiguousarray(batch.targets))
            loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten())
            self.optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.optimizer.param_groups[0]["params"], self.max_norm)
            self.optimizer.param_groups[0]["lr"] = self.rate(len(self.losses))
            self.optimizer.step()
            self.states = [tuple(s.detach() for s in state) for state in after]
            self.losses.append(loss.item())
        self.seconds += time.perf_counter() - begin


def train_both(case, settings):
    """Both trainings, a hundred updates in turn: (by helpers, by torch, validation ids)."""
    plays = corpora.shakespeare()
    vocab = text.Vocabulary.of(plays.train)
    ids, valid = vocab.encode(plays.train), vocab.encode(plays.valid)[: settings["valid"]]
    rate = train.linear_decay(settings["lr"], case["updates"])
    params = start(case, settings, len(vocab))
    both = [kind(params, ids, settings, rate) for kind in (ByHelpers, ByTorch)]
    left = case["updates"]
    while left:
        for one in both:
            one.go_on(min(TURN, left))
        left -= min(TURN, left)
    return *both, valid


def run(case, settings):
    ours, theirs, valid = train_both(case, settings)
    gap = np.abs(np.subtract(ours.losses, theirs.losses))
    found = {"largest_early": float(gap[:20].max()), "largest": float(gap.max())}
    for name, one in (("numpy", ours), ("torch", theirs)):
        found[f"{name}_valid"] = float(losses.bits(lm.evaluate(lstm.LSTM, one.params, valid)))
        found[f"{name}_losses"] = np.round(one.losses[:: settings["every"]], 5).tolist()
        if case["updates"] > 100:  # a short run says nothing about time
            found[f"{name}_ms"] = round(1e3 * one.seconds / case["updates"], 2)
    return found


CASES = [
    {"seed": 0, "dtype": "float32", "updates": 20},
    *({"seed": seed, "dtype": "float32", "updates": 1500} for seed in (0, 1, 2)),
    {"seed": 0, "dtype": "float64", "updates": 1500},
]

STUDY = study.Study(
    name="against_torch",
    question="Trained from one start on the same batches, do NumPy and torch end with one model?",
    settings={
        "D": 64, "H": 128, "T": 50, "B": 32, "lr": 4e-3, "max_norm": 1.0, "every": 10,
        "valid": 20_000,
    },
    cases=CASES,
    run=run,
    tolerance=2e-3,
)  # fmt: skip

if __name__ == "__main__":
    study.main(STUDY)
