"""A label for every word: embedding, a stack of layers, read-out.

    x_t = E[id_t]      hs = stack(x)      z_t = hs_t W_hy + b_y      p_t = softmax(z_t)

Sentences have unequal lengths, so a batch is padded: ids (T, B), lengths (B,). Padding changes no
result. Shapes: V words, D embedding size, H hidden units per direction, C classes.
"""

import numpy as np

from . import layers, unroll
from .checks import check_shape
from .losses import LossAndGrads, cross_entropy
from .text import sequence_mask


def init_tagger(
    cell, V: int, D: int, H: int, C: int, rng, n_layers=1, bidirectional=False, dtype=np.float32
) -> dict:
    """All parameters in one dict: E (V, D), the stack's, W_hy (H or 2H, C), b_y (C,).

    Raises: ValueError if a size is not a positive integer.
    """
    return {
        **layers.init_embedding(V, D, rng, dtype),
        **unroll.init_stack(cell, D, H, n_layers, rng, bidirectional, dtype),
        **layers.init_linear((1 + bidirectional) * H, C, rng, dtype),
    }


def predict(cell, params: dict, ids: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Logits z (T, B, C) of every word's classes; what stands in the padding means nothing."""
    check_shape("ids", ids, ("T", "B"))
    hs, _, _ = unroll.stack_forward(cell, params, layers.embedding_forward(params, ids), lengths)
    return layers.linear_forward(params, hs)


def loss_and_grads(
    cell, params: dict, ids: np.ndarray, targets: np.ndarray, lengths, dropout_masks=None
):
    """Cross-entropy per word in nats, padding left out, and its gradient for every parameter.

    ids, targets: (T, B); lengths: (B,); dropout_masks: see `unroll.stack_forward`.
    Raises: ValueError, TypeError or IndexError that names the argument.
    """
    check_shape("ids", ids, ("T", "B"))
    x = layers.embedding_forward(params, ids)
    hs, _, cache = unroll.stack_forward(cell, params, x, lengths, dropout_masks=dropout_masks)
    z = layers.linear_forward(params, hs)
    loss, dz = cross_entropy(z, targets, sequence_mask(lengths, len(ids)))
    grads, dhs = layers.linear_backward(params, hs, dz)
    stack_grads, dx, _ = unroll.stack_backward(cell, params, cache, dhs)
    grads = {**layers.embedding_backward(params, ids, dx), **stack_grads, **grads}
    return LossAndGrads(loss, grads)
