"""Should a picture come once, or at every word? (notebook 25)

Three feeds, and *start* with so many units that the whole model is as large as *both*; pixels and
the features of a frozen eye; two learning rates each, of which the one with the smallest loss on
the validation pictures counts. *long* runs follow *start* and *input* from pixels for longer.
"""

import numpy as np
import study

from helpers import captioner, decoding, layers, seq2seq
from helpers.captioner import Batch, see
from helpers.data import captions
from helpers.gru import GRU
from helpers.losses import cross_entropy
from helpers.seq2seq import Encoded, Seq2Seq
from helpers.text import sequence_mask
from helpers.train import linear_decay, train

SETTINGS = {
    "D": 16, "units of the eye": 16, "updates of the eye": 600,
    "pixels": {"n": 600, "B": 32}, "eye": {"n": 350, "B": 64},
}  # fmt: skip
RATES = {"pixels": (0.005, 0.01), "eye": (0.01, 0.02)}
WIDE = 93  # units with which *start* has as many parameters as *both* with 64


def learn_eye(source, indices, seed, K, n):
    """A classifier of single cells: ten digits, and class 10, empty."""
    rng = np.random.default_rng(200 + seed)
    x = np.concatenate([source.images[indices].reshape(-1, 64), np.zeros((60, 64), np.float32)])
    y = np.concatenate([source.labels[indices], np.full(60, 10)])
    params = {**captioner.init_eye(64, K, rng), **layers.init_linear(K, 11, rng)}

    def step(p, batch, _):
        h = see(p, batch.seen)
        loss, dz = cross_entropy(layers.linear_forward(p, h), batch.targets)
        grads, dh = layers.linear_backward(p, h, dz)
        da = dh * (1 - h * h)
        return loss, grads | {"W_img": batch.seen.T @ da, "b_img": da.sum(axis=0)}, None

    rows = (rng.integers(len(x), size=64) for _ in range(n))
    batches = (Batch(x[r], None, y[r], None) for r in rows)
    train(step, params, batches, n, lr=linear_decay(1e-2, n), progress=False)
    return params


def features(eye, part):
    """What a frozen eye sees: its hidden units at all six cells, side by side, (N, 6 K)."""
    h = see(eye, captions.cut_cells(part.pictures))
    return np.ascontiguousarray(h.swapaxes(0, 1).reshape(len(part.pictures), -1))


def pixels(part):
    return part.pictures.reshape(len(part.pictures), -1)


def learn(model, x, scenes, seed, n, B, lr, H, C, D, kind):
    """Train one captioner on rows of x; pixels learn their features together with the decoder."""
    rng = np.random.default_rng(100 + seed)
    params = seq2seq.init_decoder(model, len(captions.vocabulary()), D, H, C, rng)
    if kind == "pixels":
        params |= captioner.init_eye(x.shape[1], C, rng)
    batches = captioner.random_batches(x, captions.encode(scenes), B, rng)
    train(lambda p, b, _: captioner.loss_and_grads(model, p, b), params, batches, n,
          lr=linear_decay(lr, n), max_norm=1.0, progress=False)  # fmt: skip
    return params


def describe(model, params, x):
    """Greedy captions of rows of x, as tuples of ids."""
    step, state = seq2seq.decoder_step(model, params, Encoded(see(params, x)))
    return [found.ids for found in decoding.greedy(step, state, max_length=10)]


def loss(model, params, x, scenes):
    """Nats per word under teacher forcing."""
    batch = captioner.make_batch(x, captions.encode(scenes))
    z, *_ = seq2seq.decode(model, params, Encoded(see(params, batch.seen)), batch.inputs)
    return float(cross_entropy(z, batch.targets, sequence_mask(batch.lengths, len(z)))[0])


def run(case, settings):
    seed, kind = case["seed"], case["kind"]
    split, K = captions.split(np.random.default_rng(seed)), settings["units of the eye"]
    look = pixels
    if kind == "eye":
        eye = learn_eye(captions.digits(), split.images[0], seed, K, settings["updates of the eye"])
        look = lambda part: features(eye, part)  # noqa: E731
    model = Seq2Seq(GRU, feed=case["feed"])
    n = case.get("n", settings[kind]["n"])
    params = learn(model, look(split.train), split.train.scenes, seed, n, settings[kind]["B"],
                   case["lr"], case["H"], 6 * K, settings["D"], kind)  # fmt: skip
    found = {name: captions.exact(describe(model, params, look(part)), part.scenes)
             for name, part in (("seen", split.seen), ("unseen", split.unseen))}  # fmt: skip
    found["valid loss"] = loss(model, params, look(split.valid), split.valid.scenes)
    return found | {"parameters": sum(p.size for p in params.values())}


def chosen(record, **way):
    """The runs of one way, one a seed: those with the smallest loss on valid of all rates."""
    runs = [r for r in record.select(**way) if "n" in way or "n" not in r["case"]]
    return [min((r for r in runs if r["case"]["seed"] == seed),
                key=lambda r: r["result"]["valid loss"])
            for seed in sorted({r["case"]["seed"] for r in runs})]  # fmt: skip


WAYS = [("start", 64), ("input", 64), ("both", 64), ("start", WIDE)]
CASES = [{"kind": kind, "feed": feed, "H": H, "lr": lr, "seed": seed}
         for seed in range(10) for kind, rates in RATES.items() for feed, H in WAYS
         for lr in rates]  # fmt: skip
LONG = [{"kind": "pixels", "feed": feed, "H": 64, "lr": 0.005, "n": n, "seed": seed}
        for seed in range(2) for feed in ("start", "input") for n in (1200, 2400)]  # fmt: skip
STUDY = study.Study(
    name="caption_feeds",
    question="Is a picture better given once, or at every word?",
    settings=SETTINGS,
    cases=CASES + LONG,
    run=run,
    tolerance=0.15,
)

if __name__ == "__main__":
    study.main(STUDY)
