"""A network that says what it sees: an eye of one layer, and a decoder.

    c = tanh(x W_img + b_img)      the features of a picture start a decoder, as a source does

Shapes: B pictures in a batch, P pixels, C features, S words.
"""

from typing import NamedTuple

import numpy as np

from . import seq2seq
from .activations import dtanh
from .checks import check_floats, check_shape, check_sizes
from .layers import init_affine
from .losses import LossAndGrads, cross_entropy
from .text import pair_batch, sequence_mask


class Batch(NamedTuple):
    """What is seen, (B, P) pixels or (B, C) features, and captions as `text.PairBatch` has them."""

    seen: np.ndarray
    inputs: np.ndarray
    targets: np.ndarray
    lengths: np.ndarray
    start: bool = True


def make_batch(seen: np.ndarray, captions) -> Batch:
    """Rows of what is seen beside their captions, id sequences without marks.

    Raises: ValueError if the numbers of rows and captions differ.
    """
    check_shape("seen", seen, (len(captions), "P"))
    as_pairs = pair_batch(captions, captions)  # only the target side is used
    return Batch(seen, as_pairs.inputs, as_pairs.targets, as_pairs.target_lengths)


def random_batches(seen: np.ndarray, captions, B: int, rng):
    """Yield batches of B pictures for ever, each picture once per pass, in random order.

    Raises: ValueError if there are fewer than B pictures.
    """
    check_sizes(B=B)
    if len(captions) < B:
        raise ValueError(f"there are {len(captions)} pictures, fewer than B = {B}")
    return _draw_batches(make_batch(seen, captions), B, rng)


def _draw_batches(whole, B, rng):
    while True:
        order = rng.permutation(len(whole.seen))
        for first in range(0, len(order) - B + 1, B):
            rows = order[first : first + B]
            S = whole.lengths[rows].max()
            yield Batch(whole.seen[rows], whole.inputs[:S, rows], whole.targets[:S, rows],
                        whole.lengths[rows])  # fmt: skip


def init_eye(P: int, C: int, rng, dtype=np.float32) -> dict:
    """W_img (P, C) and b_img (C,): the hidden layer that sees, uniform in ±1/√P.

    Raises: ValueError if a size is not a positive integer.
    """
    return init_affine("img", P, C, rng, dtype)


def see(params: dict, seen: np.ndarray) -> np.ndarray:
    """Features of pictures: c = tanh(x W_img + b_img), (B, P) → (B, C).

    Without W_img among the parameters, `seen` already holds features, from elsewhere and frozen.
    """
    if "W_img" not in params:
        return seen
    check_floats(seen=seen, W_img=params["W_img"])
    return np.tanh(seen @ params["W_img"] + params["b_img"])


def loss_and_grads(model, params: dict, batch: Batch):
    """Cross-entropy per word (END included) in nats, and the gradient of every parameter.

    The gradient of the features, dc, is what the decoder hands back for its context; from there

        da = dc ⊙ (1 − c²),   dW_img = xᵀ da,   db_img = Σ da.

    Raises: ValueError, TypeError or IndexError that names the argument.
    """
    c = see(params, batch.seen)
    z, _, _, cache = seq2seq.decode(model, params, seq2seq.Encoded(c), batch.inputs)
    loss, dz = cross_entropy(z, batch.targets, sequence_mask(batch.lengths, len(z)))
    grads, dc, _ = seq2seq.decode_backward(model, params, cache, dz)
    if "W_img" in params:
        da = dc * dtanh(c)
        grads |= {"W_img": batch.seen.T @ da, "b_img": da.sum(axis=0)}
    return LossAndGrads(loss, grads)
