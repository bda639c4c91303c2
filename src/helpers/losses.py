"""Losses, each with its gradient, and the units that models are scored in."""

from typing import NamedTuple

import numpy as np

from .activations import log_softmax
from .checks import check_finite, check_floats, check_ids, check_shape


class LossAndGrads(NamedTuple):
    """What every model's `loss_and_grads` returns: the loss, a gradient for each parameter, and the
    state to go on from (None where a model carries none). `train` takes it as it is."""

    loss: float
    grads: dict
    state: tuple | None = None


def cross_entropy(logits: np.ndarray, targets: np.ndarray, mask=None):
    """Mean surprise at the right class: L = −(1/N) Σ log softmax(z)[target], in nats.

    logits: (…, V), targets: (…) integers, mask: (…) of booleans, False where nothing is scored
    (N counts the True ones). Returns the loss and dlogits (…, V) = (softmax(z) − onehot) / N.
    Raises: ValueError for wrong shapes, an all-False mask or non-finite logits; IndexError for
    targets outside 0 … V−1.
    """
    if not isinstance(logits, np.ndarray) or logits.ndim < 1:
        raise TypeError(f"logits must be an array (…, V), got {type(logits).__name__}")
    V = logits.shape[-1]
    check_ids("targets", targets, V)
    check_shape("logits", logits, (*targets.shape, V))
    check_floats(logits=logits)
    check_finite("logits", logits)
    if mask is None:
        mask = np.ones(targets.shape, dtype=bool)
    check_shape("mask", mask, targets.shape)
    if mask.dtype != bool:
        raise ValueError(f"mask must hold booleans, got dtype {mask.dtype}")
    n = int(mask.sum())
    if n == 0:
        raise ValueError("mask is False everywhere: there is nothing to score")

    log_p = log_softmax(logits)
    picked = np.take_along_axis(log_p, targets[..., None], axis=-1)[..., 0]
    loss = -float(np.sum(picked, where=mask, dtype=np.float64)) / n
    dlogits = np.exp(log_p)
    np.put_along_axis(
        dlogits, targets[..., None], np.take_along_axis(dlogits, targets[..., None], -1) - 1, -1
    )
    dlogits *= mask[..., None]
    dlogits /= n
    return loss, dlogits


def mse(pred: np.ndarray, target: np.ndarray):
    """Mean squared error: L = mean((ŷ − y)²). Returns the loss and dpred = 2(ŷ − y) / size.

    pred, target: any shape, the same.
    Raises: ValueError for unequal shapes, mixed dtypes or non-finite predictions.
    """
    check_shape("target", target, target.shape)
    check_shape("pred", pred, target.shape)
    check_floats(pred=pred, target=target)
    check_finite("pred", pred)
    error = pred - target
    return float(np.mean(error * error, dtype=np.float64)), (2 / error.size) * error


def bits(nats: float) -> float:
    """A loss in nats as bits: divide by ln 2. Of a character model: bits per character."""
    return nats / float(np.log(2))


def perplexity(nats: float) -> float:
    """e^loss: between how many equally likely symbols the model hesitates, on average."""
    return float(np.exp(nats))
