"""Where the context comes from and where it enters the decoder (notebook 21).

Six ways, and the plain one made as large as the largest, at three learning rates each. Of the three
rates of a way and a seed, the one with the smallest loss on *valid* counts; *test* and *unseen* are
only reported.
"""

import numpy as np
import study

from helpers import decoding, seq2seq
from helpers.data import translation
from helpers.gru import GRU
from helpers.losses import cross_entropy
from helpers.seq2seq import Seq2Seq
from helpers.text import pair_batch, pair_batches, sequence_mask
from helpers.train import linear_decay, train

SETTINGS = {"n_train": 6000, "n_test": 300, "D": 32, "B": 32, "n": 300}
RATES = (0.01, 0.02, 0.04)


def data(seed, settings):
    """A split and its vocabularies."""
    split = translation.split(np.random.default_rng(seed), settings["n_train"], settings["n_test"])
    return split, translation.vocabularies(split.train)


def learn(model, split, vocabs, seed, n, H, lr, D=32, B=32, gradient=seq2seq.loss_and_grads):
    """n updates from scratch, with a learning rate that falls to zero."""
    params = seq2seq.init_seq2seq(model, *map(len, vocabs), D, H, np.random.default_rng(10 + seed))
    pairs = translation.encode(split.train, *vocabs)
    batches = pair_batches(*pairs, B, np.random.default_rng(20 + seed))
    train(lambda p, b, _: gradient(model, p, b), params, batches, n,
          lr=linear_decay(lr, n), max_norm=1.0, progress=False)  # fmt: skip
    return params


def translate(model, params, pairs, vocabs):
    """Greedy translations of the French sides: tuples of English words."""
    batch = pair_batch(*translation.encode(pairs, *vocabs))  # its targets are not read
    encoded, _ = seq2seq.encode(model, params, batch.source, batch.lengths)
    step, first = seq2seq.decoder_step(model, params, encoded)
    return [tuple(vocabs[1].decode(h.ids)) for h in decoding.greedy(step, first, max_length=30)]


def exact(said, pairs):
    """Share of the translations that are right to the last word."""
    return float(np.mean([words == pair.english for words, pair in zip(said, pairs)]))


def loss(model, params, pairs, vocabs):
    """Nats per word under teacher forcing."""
    batch = pair_batch(*translation.encode(pairs, *vocabs))
    z, _ = seq2seq.predict(model, params, batch)
    return cross_entropy(z, batch.targets, sequence_mask(batch.target_lengths, len(z)))[0]


def run(case, settings):
    split, vocabs = data(case["seed"], settings)
    model = Seq2Seq(GRU, context=case["context"], feed=case["feed"])
    params = learn(model, split, vocabs, case["seed"], settings["n"], case["H"], case["lr"],
                   settings["D"], settings["B"])  # fmt: skip
    said = {name: translate(model, params, getattr(split, name), vocabs)
            for name in ("valid", "test", "unseen")}  # fmt: skip
    found = {name: exact(words, getattr(split, name)) for name, words in said.items()}
    found["valid loss"] = float(loss(model, params, split.valid, vocabs))
    return found | {"parameters": sum(p.size for p in params.values())}


def chosen(record, **way):
    """The runs of one way, one a seed: those with the smallest loss on valid of all rates."""
    runs = record.select(**way)
    return [min((r for r in runs if r["case"]["seed"] == seed),
                key=lambda r: r["result"]["valid loss"])
            for seed in sorted({r["case"]["seed"] for r in runs})]  # fmt: skip


WAYS = [(context, feed, 64) for context in ("last", "summary")
        for feed in ("start", "input", "both")] + [("last", "start", 74)]  # fmt: skip
STUDY = study.Study(
    name="context_ways",
    question="Where should the context come from, and where should it enter the decoder?",
    settings=SETTINGS,
    cases=[{"context": context, "feed": feed, "H": H, "lr": lr, "seed": seed}
           for seed in range(10) for context, feed, H in WAYS for lr in RATES],
    run=run,
    tolerance=0.15,
)  # fmt: skip

if __name__ == "__main__":
    study.main(STUDY)
