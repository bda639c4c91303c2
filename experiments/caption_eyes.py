"""Does an eye of convolutions read the pictures of notebook 25 better than a single layer does?

The decoder, the feeds, the pictures, the updates and the two rates are those of `caption_feeds`,
and so is the rule that chooses between the rates. Only the eye differs: in front of W_img (384, 96)
stand the two convolutions of `helpers.vision`. After a second pooling they leave 4 × 6 places with
16 channels, which are 384 numbers again. It learns from captions alone, as the single layer does.

    python experiments/caption_eyes.py                                     # about ten minutes
    python experiments/caption_eyes.py --part 0 --parts 2 --out FOLDER --seconds 300
"""

import argparse
import time
from pathlib import Path

import caption_feeds
import numpy as np
import study

from helpers import captioner, conv, decoding, seq2seq, vision
from helpers.activations import dtanh
from helpers.data import captions
from helpers.gru import GRU
from helpers.losses import LossAndGrads, cross_entropy
from helpers.seq2seq import Encoded, Seq2Seq
from helpers.text import sequence_mask
from helpers.train import linear_decay, train
from helpers.trained.records import FOLDER

FIELD = (captions.ROWS * captions.SIDE, captions.COLUMNS * captions.SIDE)
SETTINGS = {"D": 16, "H": 64, "C": 96, "n": 600, "B": 32}
CHANNELS = (8, 16)
FEEDS, RATES = ("start", "input", "both"), (0.005, 0.01)


def look(params, rows):
    """Rows of pixels (N, 384) → rows of 384 numbers that convolutions made of them, and a cache."""
    a, cache = vision.maps(params, rows.reshape(-1, *FIELD), edge="zero")
    smaller, pool = conv.pool_forward(a, 2)
    return smaller.reshape(len(rows), -1), (cache, pool, smaller.shape)


def see(params, rows):
    """Features (N, 96): the layer of notebook 25, on top of the convolutions."""
    return captioner.see(params, look(params, rows)[0])


def loss_and_grads(model, params, batch):
    """As `captioner.loss_and_grads`; the gradient goes on into the convolutions."""
    seen, (cache, pool, shape) = look(params, batch.seen)
    c = captioner.see(params, seen)
    z, _, _, decoded = seq2seq.decode(model, params, Encoded(c), batch.inputs)
    loss, dz = cross_entropy(z, batch.targets, sequence_mask(batch.lengths, len(z)))
    grads, dc, _ = seq2seq.decode_backward(model, params, decoded, dz)
    da = dc * dtanh(c)
    grads |= {"W_img": seen.T @ da, "b_img": da.sum(axis=0)}
    dseen = (da @ params["W_img"].T).reshape(shape)
    grads |= vision.maps_backward(params, cache, conv.pool_backward(pool, dseen))
    return LossAndGrads(loss, grads)


def learn(model, split, seed, lr, settings):
    """Train one captioner from pixels and captions."""
    rng, V = np.random.default_rng(100 + seed), len(captions.vocabulary())
    params = seq2seq.init_decoder(model, V, settings["D"], settings["H"], settings["C"], rng)
    params |= vision.init_maps(rng, CHANNELS)
    params |= captioner.init_eye(FIELD[0] * FIELD[1], settings["C"], rng)
    rows, said = caption_feeds.pixels(split.train), captions.encode(split.train.scenes)
    batches = captioner.random_batches(rows, said, settings["B"], rng)
    train(lambda p, b, _: loss_and_grads(model, p, b), params, batches, settings["n"],
          lr=linear_decay(lr, settings["n"]), max_norm=1.0, progress=False)  # fmt: skip
    return params


def describe(model, params, rows):
    """Greedy captions of rows of pixels, as tuples of ids."""
    step, state = seq2seq.decoder_step(model, params, Encoded(see(params, rows)))
    return [found.ids for found in decoding.greedy(step, state, max_length=10)]


def run(case, settings):
    split = captions.split(np.random.default_rng(case["seed"]))
    model, settings = Seq2Seq(GRU, feed=case["feed"]), settings | {"n": case.get("n", 600)}
    params = learn(model, split, case["seed"], case["lr"], settings)
    found = {name: captions.exact(describe(model, params, caption_feeds.pixels(part)), part.scenes)
             for name, part in (("seen", split.seen), ("unseen", split.unseen))}  # fmt: skip
    batch = captioner.make_batch(
        caption_feeds.pixels(split.valid), captions.encode(split.valid.scenes)
    )
    z, *_ = seq2seq.decode(model, params, Encoded(see(params, batch.seen)), batch.inputs)
    loss, _ = cross_entropy(z, batch.targets, sequence_mask(batch.lengths, len(z)))
    return found | {"valid loss": loss, "parameters": sum(p.size for p in params.values())}


STUDY = study.Study(
    name="caption_eyes",
    question="Does an eye of convolutions read the pictures of digits better than a single layer?",
    settings=SETTINGS,
    cases=[{"feed": "start", "lr": 0.005, "n": 20, "seed": 0}]
    + [{"feed": feed, "lr": lr, "seed": seed} for seed in range(3) for feed in FEEDS
       for lr in RATES],
    run=run,
    tolerance=0.15,
)  # fmt: skip

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=STUDY.question)
    parser.add_argument("--part", type=int, default=0)
    parser.add_argument("--parts", type=int, default=1)
    parser.add_argument("--out", default=FOLDER)
    parser.add_argument("--seconds", type=float, default=np.inf)
    options = parser.parse_args()
    stop_at, cases = time.time() + options.seconds, STUDY.cases[options.part :: options.parts]
    Path(options.out).mkdir(parents=True, exist_ok=True)
    took = 0.0
    for n in range(1, len(cases) + 1):  # a case more each time, while one more fits into the time
        if time.time() + 1.2 * took > stop_at:
            break
        begin = time.time()
        study.run(STUDY._replace(cases=cases[:n]), Path(options.out))
        took = max(took, time.time() - begin)
