"""Train the pronunciation model in PyTorch: `python experiments/pronunciation.py --help`.

helpers.trained.pronouncer is the model; chapter 9 asks it.

Adam, with a rate that falls to zero along half a cosine; dropout; clipped gradients. After every
epoch the words for validation are pronounced, and the whole state (weights, the optimiser's memory,
the history) is written to `--work`. Interrupt it at any time; started again with the same settings
it goes on after the last whole epoch and ends with the same weights as a run without interruption.
The weights that did best on the validation words go to `--out`, in half precision.

The defaults take 35 to 60 minutes on one core. On the same machine and with the same number of
threads the result is the same to the last bit; elsewhere it is about as good.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from helpers import seq2seq
from helpers.checks import check_not_negative, check_positive, check_share, check_sizes
from helpers.data import g2p
from helpers.lstm import set_forget_bias
from helpers.text import pair_batches
from helpers.torch_seq2seq import TorchSeq2Seq
from helpers.trained import pronouncer, store


class Trainer:
    """A model, its optimiser, and how far the two have come.

    settings: D, H, dropout, B, lr, max_norm, epochs, seed, see `DEFAULTS`. history: a dict for each
    epoch, with the training loss in nats per phone, PER and WER of validation, and seconds.
    """

    def __init__(self, settings: dict, words):
        self.settings, self.history = settings, []
        self.sources, self.targets = g2p.pairs(words)
        rng = np.random.default_rng(settings["seed"])
        params = seq2seq.init_seq2seq(
            pronouncer.MODEL, len(g2p.letters()), len(g2p.phones()), settings["D"], settings["H"],
            rng, bidirectional=True,
        )  # fmt: skip
        for prefix, suffixes in (("enc_", ("_l0", "_l0_reverse")), ("dec_", ("",))):
            for suffix in suffixes:
                one = {name: params[f"{prefix}{name}{suffix}"] for name in ("b_h", "W_hh")}
                set_forget_bias(pronouncer.MODEL.cell, one, 1.0)  # in place
        self.net = TorchSeq2Seq(pronouncer.MODEL, params, settings["dropout"])
        self.optimizer = torch.optim.Adam(self.net.parameters(), lr=settings["lr"])

    def epoch(self, show=True):
        """One pass over all words: everything random in it follows from the seed and its number.

        Raises: FloatingPointError if the loss or the gradient is not finite.
        """
        s, number = self.settings, len(self.history)
        rng = np.random.default_rng([s["seed"], number])
        torch.manual_seed(s["seed"] * 1000 + number)
        n = len(self.sources) // s["B"]
        batches = pair_batches(self.sources, self.targets, s["B"], rng)
        self.net.train()
        losses = []
        for i in tqdm(
            range(n), desc=f"epoch {number + 1}/{s['epochs']}", disable=None if show else True
        ):
            # The rate falls from lr to zero along half a cosine, over all updates of all epochs.
            done = (number + i / n) / s["epochs"]
            for group in self.optimizer.param_groups:
                group["lr"] = s["lr"] * 0.5 * (1 + np.cos(np.pi * done))
            loss = self.net.loss(next(batches))
            self.optimizer.zero_grad()
            loss.backward()
            norm = torch.nn.utils.clip_grad_norm_(self.net.parameters(), s["max_norm"])
            if not (torch.isfinite(loss) and torch.isfinite(norm)):
                raise FloatingPointError(
                    f"training stopped at update {i} of epoch {number + 1}: loss {loss.item()}, "
                    f"gradient norm {norm.item()}. A smaller lr usually helps."
                )
            self.optimizer.step()
            losses.append(loss.item())
        return float(np.mean(losses))

    def save(self, path):
        """Everything that the next epoch depends on, in one file of plain arrays."""
        arrays = {"about": np.array(json.dumps([self.settings, self.history]))}
        memory = self.optimizer.state_dict()["state"]
        for i, (name, p) in enumerate(self.net.named_parameters()):
            arrays[f"param.{name}"] = p.detach().numpy()
            for key, value in memory.get(i, {}).items():
                arrays[f"{key}.{name}"] = value.numpy()
        store.write_npz(path, arrays)

    def resume(self, path):
        """Go on where `save` stopped.

        Raises: ValueError if the settings were others, or the file is damaged.
        """
        try:
            arrays = store.read_npz(path)
            settings, history = json.loads(str(arrays["about"]))
        except Exception as error:  # a damaged file can fail in any of the libraries that read it
            raise ValueError(f"{path.name} is no whole training state: {error!r}") from error
        if settings != self.settings:
            other = {
                name: (settings.get(name), self.settings.get(name))
                for name in sorted({*settings, *self.settings})
                if settings.get(name) != self.settings.get(name)
            }
            raise ValueError(f"{path.name} was made with other settings (there, now): {other}")
        self.history, state = history, {}
        with torch.no_grad():
            for i, (name, p) in enumerate(self.net.named_parameters()):
                p.copy_(torch.from_numpy(arrays[f"param.{name}"]))
                state[i] = {
                    key: torch.from_numpy(arrays[f"{key}.{name}"])
                    for key in ("step", "exp_avg", "exp_avg_sq")
                }
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": state, "param_groups": groups})


def validate(params: dict, words) -> g2p.Rates:
    """Error rates of greedy answers, by the NumPy decoder."""
    checkpoint = pronouncer.Checkpoint(params, g2p.letters(), g2p.phones(), {})
    return g2p.error_rates(words, pronouncer.pronounce_all(checkpoint, words))


def check_settings(D, H, dropout, B, lr, max_norm, epochs, seed):
    check_sizes(D=D, H=H, B=B, epochs=epochs)
    check_share("dropout", dropout)
    check_positive("lr", lr)
    check_positive("max_norm", max_norm)
    check_not_negative("seed", seed)


def train(settings: dict, out: Path, work: Path, limit=None, show=True) -> g2p.Rates:
    """Train, resuming from `work` if it exists; write the best weights to `out`.

    limit: use only so many words of each part, to try the script. Returns the best rates of
    validation.
    Raises: ValueError if `out` and `work` are one file or a setting is out of range, or as
    `Trainer.resume`; OSError, before anything is trained, if one of them cannot be written;
    FloatingPointError as `Trainer.epoch`.
    """
    out, work = Path(out), Path(work)
    if out.resolve() == work.resolve():
        raise ValueError(f"out and work are both {out.name}: two files are needed")
    for name, path in (("out", out), ("work", work)):
        store.check_writable(name, path)
    check_settings(**settings)
    if limit is not None:
        settings = settings | {"limit": limit}
    parts = g2p.split()
    trainer, valid = Trainer(settings, parts.train[:limit]), parts.valid[:limit]
    if work.exists():
        trainer.resume(work)
    while len(trainer.history) < settings["epochs"]:
        begin = time.perf_counter()
        loss = trainer.epoch(show)
        params = trainer.net.params()
        rates = validate(params, valid)
        best = min((epoch["wer"] for epoch in trainer.history), default=np.inf)
        seconds = time.perf_counter() - begin
        trainer.history.append({"loss": loss, "per": rates.per, "wer": rates.wer, "s": seconds})
        if rates.wer < best:
            about = {**settings, "history": trainer.history, "torch": torch.__version__}
            pronouncer.save(out, params, about)
        trainer.save(work)  # last, so that a resumed run never lacks its best weights
        if show:
            errors = f"valid PER {rates.per:.2%}  WER {rates.wer:.2%}"
            tqdm.write(f"epoch {len(trainer.history)}  loss {loss:.4f}  {errors}  {seconds:.0f} s")
    found = min(trainer.history, key=lambda epoch: epoch["wer"])
    return g2p.Rates(found["per"], found["wer"], len(valid))


def main(arguments=None):
    """The command line; see the module."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--out", type=Path, default=pronouncer.CHECKPOINT, help="checkpoint to write"
    )
    parser.add_argument(
        "--work", type=Path, default=Path("g2p_training.npz"), help="state to resume"
    )
    parser.add_argument("--limit", type=int, help="use so many words only (to try it)")
    parser.add_argument("--threads", type=int, default=2)
    for name, value in DEFAULTS.items():
        parser.add_argument(f"--{name}", type=type(value), default=value, help=f"default {value}")
    options = vars(parser.parse_args(arguments))
    torch.set_num_threads(options["threads"])
    settings = {name: options[name] for name in DEFAULTS}
    train(settings, options["out"], options["work"], options["limit"])


DEFAULTS = {
    "D": 64, "H": 384, "dropout": 0.3, "B": 256, "lr": 2e-3, "max_norm": 5.0, "epochs": 25,
    "seed": 0,
}  # fmt: skip

if __name__ == "__main__":
    main()
