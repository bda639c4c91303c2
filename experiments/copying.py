"""How many bits pass through a context? Copying random strings (notebook 22).

All networks have the same parameters: the context has 64 numbers, of which the decoder sees the
first `width`, the others are zero. *open* has attention as well and so no bottleneck.
"""

import numpy as np
import study

from helpers import attention, seq2seq
from helpers.activations import log_softmax
from helpers.gru import GRU
from helpers.losses import cross_entropy
from helpers.seq2seq import Seq2Seq
from helpers.text import START, pair_batches, sequence_mask
from helpers.train import linear_decay, train

V, BITS, LONGEST, H = 8, 3, 10, 64  # symbols, bits per symbol, longest training string, units
COPY = Seq2Seq(GRU, context="last", feed="both")
OPEN = COPY._replace(attention=attention.DOT)
SENT = range(2, 15, 2)  # lengths in the test; training ends at 10
SETTINGS = {"strings": 6000, "D": 16, "B": 32, "lr": 0.01, "count": 400}
CHECKPOINTS = 4  # accuracy by place is measured after each quarter of the training


def strings(n, rng, low=1, high=LONGEST):
    """n random strings, all lengths from low to high equally often."""
    return [rng.integers(0, V, length) for length in rng.integers(low, high + 1, n)]


def answers(sources):
    """The same strings as targets: ids 0 and 1 are the marks."""
    return [source + 2 for source in sources]


def seen_part(width):
    """1 for the numbers of the context that the decoder may see, 0 for the others."""
    return (np.arange(H) < width).astype(np.float32)


def delivered(model, params, width, n, turn=1, count=400, change=lambda c: c):
    """Bits delivered of 3n sent; and the share of right symbols at each of the n places."""
    x = np.random.default_rng(n).integers(0, V, (n, count))
    encoded, _ = seq2seq.encode(model, params, x[::turn], np.full(count, n))
    encoded = encoded._replace(context=change(encoded.context) * seen_part(width))
    inputs = np.concatenate([np.full((1, count), START), x + 2])  # teacher forcing
    z = seq2seq.decode(model, params, encoded, inputs)[0][:n]
    log_p = np.take_along_axis(log_softmax(z.astype(float)), (x + 2)[..., None], axis=2)
    missing = -log_p.sum(axis=(0, 2)).mean() / np.log(2)
    return BITS * n - missing, (z.argmax(axis=2) == x + 2).mean(axis=1)


def narrow(model, width):
    """A step of training in which the decoder sees the first `width` numbers of the context."""
    mask = seen_part(width)

    def step(params, batch, state):
        encoded, encoder_cache = seq2seq.encode(model, params, batch.source, batch.lengths)
        seen = encoded._replace(context=encoded.context * mask)
        z, _, _, cache = seq2seq.decode(model, params, seen, batch.inputs)
        loss, dz = cross_entropy(z, batch.targets, sequence_mask(batch.target_lengths, len(z)))
        grads, dseen, dmemory = seq2seq.decode_backward(model, params, cache, dz)
        back = seq2seq.encode_backward(model, params, encoder_cache, dseen * mask, dmemory)
        return loss, grads | back, None

    return step


def learn(width, seed, n=300, turn=1, low=1, model=COPY, settings=SETTINGS, watch=None):
    """Train to copy; turn = −1 shows the encoder the string backwards."""
    rng = np.random.default_rng(seed)
    sources = strings(settings["strings"], rng, low)
    params = seq2seq.init_seq2seq(model, V, V + 2, settings["D"], H, rng)
    batches = pair_batches([s[::turn] for s in sources], answers(sources), settings["B"], rng)
    rate, quarter = linear_decay(settings["lr"], n), n // CHECKPOINTS
    step, done = narrow(model, width), 0

    def watched(params, batch, state):
        nonlocal done
        if watch is not None and done and done % quarter == 0:
            watch(params)
        done += 1
        return step(params, batch, state)

    train(watched, params, batches, n, lr=rate, max_norm=1.0, progress=False)
    if watch is not None:
        watch(params)
    return params


def run(case, settings):
    model = OPEN if case["open"] else COPY
    width, turn, places = case["width"], case["turn"], []

    def watch(params):
        places.append(delivered(model, params, width, LONGEST, turn, settings["count"])[1].tolist())

    params = learn(width, case["seed"], case["n"], turn, case["low"], model, settings, watch)
    bits = [float(delivered(model, params, width, n, turn, settings["count"])[0]) for n in SENT]
    return {"bits": bits, "places": places, "parameters": sum(p.size for p in params.values())}


def case(seed, width=64, n=300, turn=1, low=1, open_=False):
    return {"width": width, "n": n, "turn": turn, "low": low, "open": open_, "seed": seed}


CASES = []
for seed in range(10):
    CASES += [case(seed, width) for width in (2, 8, 64)] + [case(seed, open_=True)]
    CASES += [case(seed, turn=-1)]
for seed in range(5):
    CASES += [case(seed, width, n=900) for width in (2, 64)]
    CASES += [case(seed, width, low=LONGEST) for width in (2, 64)]
STUDY = study.Study(
    name="copying",
    question="How many bits of a random string pass through a context of a given width?",
    settings=SETTINGS,
    cases=CASES,
    run=run,
    tolerance=2.0,
)

if __name__ == "__main__":
    study.main(STUDY)
