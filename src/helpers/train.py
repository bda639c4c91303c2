"""One training loop for every model of the book."""

import math
import time
from importlib.util import find_spec
from typing import NamedTuple

import numpy as np

from .checks import NonFiniteError, check_not_negative, check_positive, check_sizes
from .optim import ADAM, Optimizer, clip_by_norm, global_norm


class History(NamedTuple):
    """One number per update: loss, gradient norm before clipping, and seconds since the start."""

    loss: np.ndarray
    grad_norm: np.ndarray
    seconds: np.ndarray


def train(
    step,
    params: dict,
    batches,
    n_updates: int,
    *,
    lr,
    optimizer: Optimizer = ADAM,
    max_norm: float | None = None,
    progress: bool = True,
) -> History:
    """Update `params` in place, n_updates times.

    step(params, batch, state) → loss, grads, state: the model. The state that it returns is handed
    to it again with the next batch, or None where batch.start says that a new stream begins.
    batches: an iterable of text.Batch or the like. lr: a number, or a function of the update's
    index (0 … n_updates − 1). max_norm: longest gradient allowed, see optim.clip_by_norm.
    progress: show a progress bar, if the package tqdm is installed.
    Raises: FloatingPointError if the loss, the gradient, a value on the way to them or the step is
    not finite; ValueError if the batches run out, lr is not a number ≥ 0 or max_norm not positive.
    """
    check_sizes(n_updates=n_updates)
    if not callable(lr):
        check_not_negative("lr", lr)
    if max_norm is not None:
        check_positive("max_norm", max_norm)
    memory = optimizer.init(params)
    losses, norms, seconds = np.empty(n_updates), np.empty(n_updates), np.empty(n_updates)
    batches, state, begin = iter(batches), None, time.perf_counter()
    for i in _counted(n_updates, progress):
        batch = next(batches, None)
        if batch is None:
            raise ValueError(f"batches ran out after {i} of n_updates={n_updates} updates")
        try:
            loss, grads, state = step(params, batch, None if batch.start else state)
        except NonFiniteError as error:  # the numbers overflowed before there was a loss
            raise _stopped(i, error) from error
        norm = global_norm(grads) if max_norm is None else clip_by_norm(grads, max_norm)
        if not (math.isfinite(loss) and math.isfinite(norm)):
            raise _stopped(i, f"loss {loss}, gradient norm {norm}")
        rate = lr(i) if callable(lr) else lr
        check_not_negative(f"lr of update {i}", rate)
        try:
            optimizer.update(params, grads, memory, rate)
        except FloatingPointError as error:
            raise _stopped(i, error) from error
        losses[i], norms[i], seconds[i] = loss, norm, time.perf_counter() - begin
    return History(losses, norms, seconds)


def _stopped(i, why):
    """The error that ends a training whose numbers are no longer finite."""
    return FloatingPointError(
        f"training stopped at update {i}: {why}. A smaller lr or a max_norm usually helps."
    )


def _counted(n, progress):
    """range(n), with a progress bar on standard error if asked for and tqdm is installed."""
    if not progress or find_spec("tqdm") is None:
        return range(n)
    from tqdm import tqdm

    return tqdm(range(n), unit="update", leave=False)


def linear_decay(lr: float, n_updates: int):
    """A learning rate that falls in a straight line from `lr` to zero: lr · (1 − i/n).

    Raises: ValueError if lr is negative or not finite, or n_updates not a positive integer.
    """
    check_not_negative("lr", lr)
    check_sizes(n_updates=n_updates)
    return lambda i: lr * (1 - i / n_updates)
