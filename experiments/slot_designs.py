"""What notebook 20 compares: how each design begins, predicts and learns; one training for all.

A design is three functions. `windowed` makes one from any network that maps x (T, B, (2k+1)D) to
scores (T, B, C): a feed-forward network, Elman's, Jordan's. `recurrent` makes one of the taggers of
`helpers.tagger`. With chain=True a design has a conditional random field on top, see `helpers.crf`.
Shapes: T words, B sentences, V words known, D embedding size, C tags.
"""

from collections import defaultdict
from collections.abc import Callable
from itertools import product
from typing import NamedTuple

import numpy as np

from helpers import crf, layers, rnn, tagger, unroll
from helpers.activations import dtanh
from helpers.data import slots
from helpers.losses import cross_entropy
from helpers.rnn import RNN
from helpers.text import pad, sequence_mask
from helpers.train import linear_decay, train

C, D = len(slots.TAGS), 24


class Design(NamedTuple):
    """begin(V, H, rng) → params; predict(params, ids, lengths) → z (T, B, C);
    loss_and_grads(params, ids, targets, lengths) → loss, grads."""

    begin: Callable
    predict: Callable
    loss_and_grads: Callable


# --- What the scores of the words are for ------------------------------------------------------


def each_word(params, z, targets, lengths):
    """Cross-entropy of each word: the loss, dz, and no other gradient."""
    return *cross_entropy(z, targets, sequence_mask(lengths, len(z))), {}


def whole_path(params, z, targets, lengths):
    """−log p of whole paths, in nats a word: the loss, dz, and the gradient of the crf."""
    loss, grads, _ = crf.crf_loss(z, targets, lengths, crf.crf_of(params))
    return loss, grads.pop("z"), grads


TOPS = {False: (dict, each_word), True: (lambda: crf.init_crf(C), whole_path)}

# --- Windows ------------------------------------------------------------------------------------


def window(ids, lengths, k, edge):
    """(T, B) ids → (T, B, 2k+1): each with its neighbours; `edge` outside the sentence."""
    T = len(ids)
    ids = np.where(sequence_mask(lengths, T), ids, edge)
    wide = np.pad(ids, ((k, k), (0, 0)), constant_values=edge)
    return np.stack([wide[j : j + T] for j in range(2 * k + 1)], axis=-1)


def windowed(network, k, chain=False) -> Design:
    """A design that reads each word with k neighbours on either side."""
    init, forward, backward = network
    start_chain, score = TOPS[chain]

    def begin(V, H, rng):  # one row more: the edge of a sentence
        E = layers.init_embedding(V + 1, D, rng)
        return {**E, **init((2 * k + 1) * D, H, rng), **start_chain()}

    def run(params, ids, lengths):
        near = window(ids, lengths, k, edge=len(params["E"]) - 1)
        x = layers.embedding_forward(params, near)
        return near, *forward(params, x.reshape(*ids.shape, -1))

    def loss_and_grads(params, ids, targets, lengths):
        near, z, cache = run(params, ids, lengths)
        loss, dz, top = score(params, z, targets, lengths)
        grads, dx = backward(params, cache, dz)
        dx = dx.reshape(*near.shape, D)
        return loss, {**grads, **layers.embedding_backward(params, near, dx), **top}

    return Design(begin, lambda *a: run(*a)[1], loss_and_grads)


def init_feed(D, H, rng):
    bound = 1 / np.sqrt(D)
    W_xh = rng.uniform(-bound, bound, (D, H)).astype(np.float32)
    return {"W_xh": W_xh, "b_h": np.zeros(H, np.float32), **layers.init_linear(H, C, rng)}


def feed_forward(params, x):
    h = np.tanh(x @ params["W_xh"] + params["b_h"])
    return layers.linear_forward(params, h), (x, h)


def feed_backward(params, cache, dz):
    x, h = cache
    grads, dh = layers.linear_backward(params, h, dz)
    da = (dh * dtanh(h)).reshape(-1, h.shape[-1])
    grads["W_xh"] = x.reshape(len(da), -1).T @ da
    grads["b_h"] = da.sum(axis=0)
    return grads, (da @ params["W_xh"].T).reshape(x.shape)


def init_elman(D, H, rng):
    return {**unroll.init_cell(RNN, D, H, rng), **layers.init_linear(H, C, rng)}


def elman_forward(params, x):
    hs, _, cache = unroll.forward(RNN, params, x)
    return layers.linear_forward(params, hs), (hs, cache)


def elman_backward(params, cache, dz):
    out_grads, dhs = layers.linear_backward(params, cache[0], dz)
    cell_grads, dx, _ = unroll.backward(RNN, params, cache[1], dhs)
    return {**out_grads, **cell_grads}, dx


def init_jordan(D, H, rng):
    return rnn.init_jordan(D, H, C, rng)


def jordan_forward(params, x):
    z, _, cache = rnn.jordan_forward(params, x)
    return z, cache


def jordan_backward(params, cache, dz):
    return rnn.jordan_backward(params, cache, dz)[:2]


FEED = (init_feed, feed_forward, feed_backward)
ELMAN = (init_elman, elman_forward, elman_backward)
JORDAN = (init_jordan, jordan_forward, jordan_backward)

# --- Taggers ------------------------------------------------------------------------------------


def recurrent(cell, both, chain=False) -> Design:
    """Embedding, a recurrent layer in one direction or both, read-out: `helpers.tagger`."""
    start_chain, _ = TOPS[chain]
    model = crf if chain else tagger

    def begin(V, H, rng):
        return tagger.init_tagger(cell, V, D, H, C, rng, bidirectional=both) | start_chain()

    def predict(params, ids, lengths):
        return tagger.predict(cell, params, ids, lengths)

    def loss_and_grads(params, ids, targets, lengths):
        loss, grads, _ = model.loss_and_grads(cell, params, ids, targets, lengths)
        return loss, grads

    return Design(begin, predict, loss_and_grads)


def above_embedding(params) -> int:
    """Parameters without the embedding."""
    return sum(p.size for name, p in params.items() if name != "E")


def largest(design: Design, budget: int = 5000) -> int:
    """The largest H with at most `budget` parameters above the embedding."""
    H = 1
    while above_embedding(design.begin(2, H + 1, np.random.default_rng(0))) <= budget:
        H += 1
    return H


# --- One training for all -----------------------------------------------------------------------


class Batch(NamedTuple):
    """ids (T, B), targets (T, B), lengths (B,)."""

    ids: np.ndarray
    targets: np.ndarray
    lengths: np.ndarray
    start: bool = True


class Material(NamedTuple):
    """A split, its vocabulary, the rates of word dropout, and the seed of the training."""

    split: slots.Split
    vocab: object
    rates: np.ndarray
    seed: int


def batches(material: Material, rng, rates, B=32):
    """Endless: 32 neighbours in the list of sentences sorted by length, words dropped."""
    split, vocab, *_ = material
    words, tags = slots.encode(sorted(split.train, key=lambda s: len(s.words)), vocab)
    while True:
        i = rng.integers(len(words) - B + 1)
        ids, lengths = pad(words[i : i + B])
        targets, _ = pad(tags[i : i + B])
        yield Batch(slots.drop_words(ids, rates, vocab, rng), targets, lengths)


def learn(
    design: Design, H: int, material: Material, n: int = 500, drop=None, rate: float = 0.02
) -> dict:
    """Train on a split; drop: rates of word dropout (V,), by rarity if None."""
    rng = np.random.default_rng(100 + material.seed)
    params = design.begin(len(material.vocab), H, rng)

    def step(params, batch, state):
        return *design.loss_and_grads(params, batch.ids, batch.targets, batch.lengths), None

    feed = batches(material, rng, material.rates if drop is None else drop)
    train(step, params, feed, n, lr=linear_decay(rate, n), max_norm=1.0, progress=False)
    return params


def tag(design: Design, params: dict, sentences, vocab, chain: dict | None = None) -> list:
    """The best tag of every word, or with a crf (chain) the best path of every sentence."""
    ids, lengths = pad([vocab.encode(words) for words, _ in sentences])
    z = design.predict(params, ids, lengths)
    if chain is not None:
        return [slots.TAGS.decode(path) for path in crf.decode(z, lengths, chain)]
    best = z.argmax(axis=-1)
    return [slots.TAGS.decode(best[:n, b]) for b, n in enumerate(lengths)]


def f1_of(design: Design, params: dict, sentences, vocab, chain: dict | None = None) -> float:
    """F1 of the slots that are found in sentences."""
    said = tag(design, params, sentences, vocab, chain)
    return slots.score_spans([tags for _, tags in sentences], said).f1


def confusions(design: Design, params: dict, sentences, vocab) -> np.ndarray:
    """Counts: a row for each slot that is there, a column for each that was said of its words.

    The last column counts slots of whose words no slot was said with the same ends.
    """
    columns = [*slots.SLOTS, "none"]
    counts = np.zeros((len(slots.SLOTS), len(columns)))
    said = tag(design, params, sentences, vocab)
    for (_, tags), guess in zip(sentences, said):
        by_place = {span[1:]: span.slot for span in slots.spans(guess)}
        for slot, start, stop in slots.spans(tags):
            called = by_place.get((start, stop), "none")
            counts[slots.SLOTS.index(slot), columns.index(called)] += 1
    return counts


def contest(designs: dict, sizes: dict, materials, n: int = 500):
    """Train every design on every split: params by (name, seed), lists of F1 by (name, test)."""
    params, f1 = {}, defaultdict(list)
    for (name, design), material in product(designs.items(), materials):
        found = params[name, material.seed] = learn(design, sizes[name], material, n)
        for test in slots.TESTS:
            sentences = getattr(material.split, test)
            f1[name, test].append(f1_of(design, found, sentences, material.vocab))
    return params, f1
