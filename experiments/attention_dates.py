"""With and without attention on dates in many languages (notebook 23).

Five designs, three learning rates each, two seeds; the rate with the smallest mean loss on *valid*
counts, and the other seeds learn at that rate. Two designs without attention are also trained three
times as long.
"""

import numpy as np
import study

from helpers import decoding, seq2seq
from helpers.attention import ADDITIVE, DOT, GENERAL
from helpers.data import dates
from helpers.gru import GRU
from helpers.losses import cross_entropy
from helpers.seq2seq import Seq2Seq
from helpers.text import pair_batch, pair_batches, sequence_mask
from helpers.train import linear_decay, train

SETTINGS = {"n_train": 8000, "n_test": 300, "D": 24, "H": 64, "B": 32, "per locale": 50}
RATES = (0.015, 0.03, 0.06)
TRIED = (0, 1)  # the seeds that try every rate
CHOSEN = {  # the rates that `chosen` finds on them, for the other seeds
    (250, "fixed"): 0.03, (250, "summary"): 0.03, (250, "dot"): 0.015, (250, "general"): 0.015,
    (250, "additive"): 0.03, (750, "fixed"): 0.03, (750, "summary"): 0.03}  # fmt: skip
FIXED = Seq2Seq(GRU, context="last", feed="both")
DESIGNS = {
    "fixed": FIXED,
    "summary": FIXED._replace(context="summary"),
    **{s.name: Seq2Seq(GRU, feed="start", attention=s) for s in (DOT, GENERAL, ADDITIVE)},
}


def learn(model, seed, pairs, sizes, n, lr, D=24, H=64, B=32):
    """Train from scratch on lists of ids. sizes: symbols of source and target."""
    rng = np.random.default_rng(seed)
    params = seq2seq.init_seq2seq(model, *sizes, D, H, rng, bidirectional=True)
    history = train(lambda p, b, _: seq2seq.loss_and_grads(model, p, b), params,
                    pair_batches(*pairs, B, rng), n,
                    lr=linear_decay(lr, n), max_norm=1.0, progress=False)  # fmt: skip
    return params, history


def answers(model, params, pairs, vocab, max_length):
    """What the network writes for each source, as a list of symbols. pairs: lists of ids."""
    batch = pair_batch(*pairs)
    encoded, _ = seq2seq.encode(model, params, batch.source, batch.lengths)
    step, first = seq2seq.decoder_step(model, params, encoded)
    return [vocab.decode(found.ids) for found in decoding.greedy(step, first, max_length)]


def run(case, settings):
    parts = dates.split(np.random.default_rng(0), settings["n_train"], settings["n_test"])
    src, tgt = dates.vocabularies(parts.train)
    model = DESIGNS[case["design"]]
    params, _ = learn(model, case["seed"], dates.encode(parts.train, src, tgt),
                      (len(src), len(tgt)), case["n"], case["lr"], settings["D"], settings["H"],
                      settings["B"])  # fmt: skip

    def exact(examples):
        said = answers(model, params, dates.encode(examples, src, tgt), tgt, 12)
        return float(np.mean(["".join(s) == e.iso for s, e in zip(said, examples)]))

    batch = pair_batch(*dates.encode(parts.valid, src, tgt))
    z, _ = seq2seq.predict(model, params, batch)
    loss = cross_entropy(z, batch.targets, sequence_mask(batch.target_lengths, len(z)))[0]
    held_out = [exact(dates.generate(settings["per locale"], np.random.default_rng(5), (name,)))
                for name in dates.HELD_OUT]  # fmt: skip
    return {"valid loss": float(loss), "valid": exact(parts.valid), "test": exact(parts.test),
            "unseen": exact(parts.unseen), "locales": held_out}  # fmt: skip


def chosen(record, design, n):
    """The runs of a design, one a seed, at the rate with the smallest mean loss on valid."""
    runs = record.select(design=design, n=n)

    def valid_loss(lr):
        return np.mean([r["result"]["valid loss"] for r in runs
                        if r["case"]["lr"] == lr and r["case"]["seed"] in TRIED])  # fmt: skip

    best = min(RATES, key=valid_loss)
    return [r for r in runs if r["case"]["lr"] == best]


STUDY = study.Study(
    name="attention_dates",
    question="How fast do decoders with and without attention learn to read dates?",
    settings=SETTINGS,
    cases=[{"design": name, "n": 250, "lr": lr, "seed": seed}
           for seed in TRIED for name in DESIGNS for lr in RATES]
    + [{"design": name, "n": 750, "lr": lr, "seed": seed}
       for seed in TRIED for name in ("fixed", "summary") for lr in RATES]
    + [{"design": name, "n": n, "lr": lr, "seed": seed}
       for n in (250, 750) for seed in range(2, 10)
       for (updates, name), lr in CHOSEN.items() if updates == n],
    run=run,
    tolerance=0.25,
)  # fmt: skip

if __name__ == "__main__":
    study.main(STUDY)
