"""Keys and their values: pairs to store, then questions by key, in any order.

    step        write … write          ask … ask
    key         5     2     7          7     5     2
    value       1     4     4          ?     ?     ?
    target                             4     1     4

inputs (T, B, 2) hold the ids of key and value, and targets (T, B) a value where mask (T, B) is
True: at the questions. The value's id at a question is `values`, one more than there are.
A guesser is right once in `values` times.
"""

import numpy as np

from ..checks import check_sizes


def pairs(n: int, B: int, rng, keys: int = 64, values: int = 16):
    """n pairs with n different keys of `keys`, then a question for each, in random order: T = 2n.

    Returns inputs (2n, B, 2), targets (2n, B), mask (2n, B).
    Raises: ValueError if a size is not a positive integer, n exceeds keys or values is below 2.
    Source: multi-query associative recall of Arora et al. (2024), with key and value at one step.
    """
    key, value = _draw(n, B, rng, keys, values)
    return _task(key, value, *_shuffled(rng, key, value), values)


def rewritten_pairs(n: int, B: int, rng, keys: int = 64, values: int = 16):
    """n writes to n/2 keys: each is written twice, and its second value, another one, is asked for.

    The order of the n writes is random, and so is that of the n/2 questions: T = 3n/2.
    Returns inputs (T, B, 2), targets (T, B), mask (T, B).
    Raises: as `pairs`; ValueError if n is odd.
    """
    check_sizes(n=n)
    if n % 2:
        raise ValueError(f"n must be even, for each key is written twice, got {n}")
    key, old = _draw(n // 2, B, rng, keys, values)
    new = (old + rng.integers(1, values, old.shape)) % values
    twice = np.concatenate([key, key])
    order = rng.permuted(np.tile(np.arange(n)[:, None], B), axis=0)
    written = np.take_along_axis(twice, order, axis=0)
    # Whichever of the two writes of a key comes first brings the old value.
    place = np.argsort(order, axis=0)
    first = np.minimum(place[: n // 2], place[n // 2 :])
    value = np.take_along_axis(np.concatenate([new, new]), order, axis=0)
    np.put_along_axis(value, first, old, axis=0)
    return _task(written, value, *_shuffled(rng, key, new), values)


def _draw(n, B, rng, keys, values):
    """n different keys for each sequence, and a value for each: (n, B) both."""
    check_sizes(n=n, B=B, keys=keys, values=values)
    if n > keys:
        raise ValueError(f"n must not exceed keys = {keys}, got {n}")
    if values < 2:
        raise ValueError(f"values must be at least 2, got {values}")
    key = np.argsort(rng.random((keys, B)), axis=0)[:n]
    return key, rng.integers(0, values, (n, B))


def _shuffled(rng, key, value):
    """Keys and values in another order, the same for both."""
    order = np.argsort(rng.random(key.shape), axis=0)
    return np.take_along_axis(key, order, axis=0), np.take_along_axis(value, order, axis=0)


def _task(key, value, asked, answer, values):
    """Writes, then questions, as one sequence."""
    question = np.full_like(asked, values)
    inputs = np.stack([np.concatenate([key, asked]), np.concatenate([value, question])], axis=-1)
    targets, mask = np.zeros(inputs.shape[:2], np.int64), np.zeros(inputs.shape[:2], bool)
    targets[len(key) :], mask[len(key) :] = answer, True
    return inputs, targets, mask
