"""Synthetic tasks whose answer, and best score without memory, are known.

toggle and echo return x (T, B, 1) with entries −1 and 1 in float32, timing with 0 and 1; recall and
copy return symbols (T, B) as ids, adding returns numbers (T, B, 2). Answers are targets (T, B) with
a mask (T, B) that is False where there is nothing to answer; adding has one number (B, 1) for each
sequence; flip_flop returns numbers (T, B, bits) and as many answers.

Best score without memory, where it scores:

    toggle, echo    ln 2 nats, accuracy ½
    timing          ln 2 nats, accuracy ½
    recall          ln keys nats, accuracy 1/keys
    copy            copy_baseline(lag, length, symbols) nats per step
    selective_copy  ln symbols nats, accuracy 1/symbols
    adding          ADDING_BASELINE, a mean squared error of 1/6
    flip_flop       a mean squared error of 1 − p (at all steps but the first)
"""

import numpy as np

from ..checks import check_share, check_sizes

FILLERS = 4  # different filler symbols of recall
ADDING_BASELINE = 1 / 6  # variance of the sum of two numbers uniform in [0, 1]: ½ guessed for each


def _bits(T, B, rng):
    """Fair coin flips (T, B), and the same as numbers −1 and 1 for a network: (T, B, 1)."""
    bits = rng.integers(0, 2, (T, B))
    return bits, (2 * bits[..., None] - 1).astype(np.float32)


def toggle(T: int, B: int, rng):
    """A light switch: is the number of 1s so far odd? The answer before is all there is to know.

    Raises: ValueError if a size is not a positive integer.
    """
    check_sizes(T=T, B=B)
    bits, x = _bits(T, B, rng)
    return x, np.cumsum(bits, axis=0) % 2, np.ones((T, B), dtype=bool)


def echo(T: int, B: int, rng, lag: int):
    """Say what came `lag` steps ago; the first `lag` steps are not scored.

    What must be kept is `lag` bits, and none of them is in the answers given so far.
    Raises: ValueError if a size is not a positive integer or lag is not below T.
    """
    check_sizes(T=T, B=B, lag=lag)
    if lag >= T:
        raise ValueError(f"lag must be below T={T}, got {lag}")
    bits, x = _bits(T, B, rng)
    targets, mask = np.zeros_like(bits), np.zeros((T, B), dtype=bool)
    targets[lag:], mask[lag:] = bits[:-lag], True
    return x, targets, mask


def recall(lag: int, B: int, rng, keys: int = 4):
    """What is the dish? A key, `lag` filler symbols, a question; the answer is the key.

    T = lag + 2 steps; key and question lie lag + 1 steps apart. Symbols: keys 0 … keys − 1, then
    FILLERS fillers drawn at random, then the question: recall_vocab(keys) in all. Scored at the
    last step only, where a guesser pays ln keys nats and is right once in `keys` times.
    Returns inputs (T, B), targets (T, B), mask (T, B).
    Raises: ValueError if a size is not a positive integer or keys is below 2.
    """
    check_sizes(lag=lag, B=B, keys=keys)
    _check_at_least_2("keys", keys)
    inputs = rng.integers(keys, keys + FILLERS, (lag + 2, B))
    inputs[0] = rng.integers(0, keys, B)
    inputs[-1] = keys + FILLERS
    targets, mask = np.zeros_like(inputs), np.zeros(inputs.shape, dtype=bool)
    targets[-1], mask[-1] = inputs[0], True
    return inputs, targets, mask


def recall_vocab(keys: int = 4) -> int:
    """Symbols that recall uses: keys, fillers, and the question."""
    check_sizes(keys=keys)
    return keys + FILLERS + 1


def adding(T: int, B: int, rng):
    """The adding problem: the sum of the two marked numbers in a long list.

    x (T, B, 2) in float32: numbers uniform in [0, 1], and a marker that is 1 twice, at a random
    place of the first half (the shorter one if T is odd) and of the second, and 0 elsewhere.
    Target (B, 1): the sum, to be told after the last step. Who always says 1 has a mean squared
    error of ADDING_BASELINE = 1/6.
    Raises: ValueError if a size is not a positive integer or T is below 2.
    Source: Hochreiter & Schmidhuber (1997), in the form of Arjovsky et al. (2016). The original has
    numbers in [−1, 1], sequences of random length, markers at both ends, and another scale of the
    target.
    """
    check_sizes(T=T, B=B)
    _check_at_least_2("T", T)
    x = np.zeros((T, B, 2), np.float32)
    x[..., 0] = rng.random((T, B))
    column, half = np.arange(B), T // 2
    first, second = rng.integers(0, half, B), rng.integers(half, T, B)
    x[first, column, 1] = x[second, column, 1] = 1
    return x, (x[first, column, 0] + x[second, column, 0])[:, None]


def copy(lag: int, B: int, rng, length: int = 10, symbols: int = 8):
    """Read `length` random symbols, wait, and repeat them in order once the signal has come.

    Ids: symbols 0 … symbols − 1, then the blank, then the signal: copy_vocab(symbols) in all.

        inputs    length symbols, lag − 1 blanks, the signal, length blanks
        targets   lag + length blanks, then the symbols

    T = lag + 2·length steps, all of them scored; a symbol is asked for lag + length steps after it
    was read. Returns inputs (T, B), targets (T, B), mask (T, B).
    Raises: ValueError if a size is not a positive integer or symbols is below 2.
    Source: Arjovsky et al. (2016), whose T is our lag, after Hochreiter & Schmidhuber (1997).
    """
    check_sizes(lag=lag, B=B, length=length, symbols=symbols)
    _check_at_least_2("symbols", symbols)
    inputs = np.full((lag + 2 * length, B), symbols)
    targets = inputs.copy()
    inputs[:length] = targets[-length:] = rng.integers(0, symbols, (length, B))
    inputs[lag + length - 1] = symbols + 1
    return inputs, targets, np.ones(inputs.shape, dtype=bool)


def copy_vocab(symbols: int = 8) -> int:
    """Ids that copy uses: the symbols, the blank, and the signal."""
    check_sizes(symbols=symbols)
    return symbols + 2


def copy_baseline(lag: int, length: int = 10, symbols: int = 8) -> float:
    """Loss of copy, in nats per step, of who counts steps and remembers nothing else.

    length · ln(symbols) / (lag + 2·length): blanks cost nothing, each symbol a blind guess.
    """
    check_sizes(lag=lag, length=length, symbols=symbols)
    return length * float(np.log(symbols)) / (lag + 2 * length)


def selective_copy(places: int, B: int, rng, length: int = 4, symbols: int = 4):
    """Read `length` symbols that stand anywhere among blanks, and say them in order at the end.

    Ids as in copy: symbols 0 … symbols − 1, then the blank, then the signal: copy_vocab(symbols).

        inputs    places steps: `length` symbols at places drawn at random, blanks at the others;
                  then length signals
        targets   the symbols in their order, one at each signal; scored there only

    T = places + length steps. How long a symbol must be kept depends on where it happened to stand.
    A guesser pays ln(symbols) nats. Returns inputs (T, B), targets (T, B), mask (T, B).
    Raises: ValueError if a size is not a positive integer, symbols is below 2, or places is below
    length.
    Source: Gu & Dao (2023), in the form of a signal for each answer.
    """
    check_sizes(places=places, B=B, length=length, symbols=symbols)
    _check_at_least_2("symbols", symbols)
    if places < length:
        raise ValueError(f"places must be at least length={length}, got {places}")
    inputs = np.full((places + length, B), symbols)
    targets, mask = np.zeros_like(inputs), np.zeros(inputs.shape, dtype=bool)
    spots = np.sort(rng.random((places, B)).argsort(axis=0)[:length], axis=0)  # all sets alike
    inputs[spots, np.arange(B)] = targets[places:] = rng.integers(0, symbols, (length, B))
    inputs[places:], mask[places:] = symbols + 1, True
    return inputs, targets, mask


def timing(interval: int, B: int, rng):
    """Was the pause short or long? Two spikes, `interval` or `interval` + 1 steps apart.

    x (T, B, 1) in float32, T = interval + 2: 1 at the first step and at the second spike, else 0.
    Scored at the second spike only: 0 for the short pause and 1 for the long one, as likely as each
    other. Nothing but the number of empty steps tells them apart.
    Returns x (T, B, 1), targets (T, B), mask (T, B).
    Raises: ValueError if a size is not a positive integer.
    Source: after Gers et al. (2002), who tell sequences of many spikes, 49 or 50 steps apart.
    """
    check_sizes(interval=interval, B=B)
    x = np.zeros((interval + 2, B, 1), np.float32)
    targets, mask = np.zeros((interval + 2, B), dtype=np.int64), np.zeros((interval + 2, B), bool)
    long, column = rng.integers(0, 2, B), np.arange(B)
    second = interval + long
    x[0], x[second, column] = 1, 1
    targets[second, column], mask[second, column] = long, True
    return x, targets, mask


def flip_flop(T: int, B: int, rng, bits: int = 3, p: float = 0.1):
    """Switches that stay as they were last set: x (T, B, bits) and targets of the same shape.

    Each channel of x is 0, but with probability p a pulse, −1 or 1; the first step has a pulse in
    every channel. The target of a channel is the sign of its last pulse, −1 or 1, at every step.
    float32. Who answers 0 everywhere has a mean squared error of 1; without memory 1 − p is left
    at all steps but the first.
    Raises: ValueError if a size is not a positive integer or p is no probability below 1.
    Source: Sussillo & Barak (2013), with pulses one step long.
    """
    check_sizes(T=T, B=B, bits=bits)
    check_share("p", p)
    signs = 2 * rng.integers(0, 2, (T, B, bits)) - 1
    pulse = rng.random((T, B, bits)) < p
    pulse[0] = True
    last = np.maximum.accumulate(np.where(pulse, np.arange(T)[:, None, None], 0), axis=0)
    targets = np.take_along_axis(signs, last, axis=0)
    return (signs * pulse).astype(np.float32), targets.astype(np.float32)


def _check_at_least_2(name, value):
    if value < 2:
        raise ValueError(f"{name} must be at least 2, got {value}")
