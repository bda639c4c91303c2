"""CTC: from frames to labels, without an alignment between them.

Connectionist temporal classification: at each frame a network says one of V symbols, a label or
the blank, which is symbol 0. A sequence of T symbols is a path. To read it, equal neighbours become
one, then blanks go:

    B(path):  1 1 0 1 2 2 0  →  1 1 2.

Frames are taken as independent given the input, so a path's probability is a product, and that of
a target is the sum over all its paths: p(target) = Σ_{path: B(path) = target} Π_t y_t[path_t].

The sum stands here three times: `log_p_by_paths`, all paths one by one, as on paper; `ctc_alpha`
and `ctc_beta`, the forward and backward recursions of one sequence; `ctc_loss`, the fast form.

Shapes: T frames, B batch, V symbols with the blank, S labels of a target, and 2S + 1 places of a
target with a blank around each label. log_p, logits: (T, B, V), or (T, V) for one sequence.
Source: Graves, Fernández, Gomez & Schmidhuber (2006).
"""

import heapq
from collections.abc import Callable
from itertools import product

import numpy as np

from . import layers, unroll
from .activations import log_softmax
from .checks import check_finite, check_floats, check_shape, check_sizes
from .losses import LossAndGrads

BLANK = 0


# --- Paths and labels, as on paper --------------------------------------------------------------


def collapse(path) -> tuple:
    """How a path is read: equal neighbours become one, then blanks go.

    path: any sequence of integers. Returns the labels, a tuple; it may be empty.
    """
    path = [int(symbol) for symbol in path]
    return tuple(s for s, before in zip(path, [BLANK, *path]) if s != before and s != BLANK)


def log_p_by_paths(log_p: np.ndarray) -> dict:
    """ln p of every labelling there is, by adding up all V^T paths: for small T and V only.

    log_p: (T, V), ln y. Returns a dict from labelling (a tuple) to its ln p.
    Raises: ValueError for a wrong shape, or if there are more than a million paths.
    """
    check_shape("log_p", log_p, ("T", "V"))
    T, V = log_p.shape
    if V**T > 10**6:
        raise ValueError(f"log_p of shape {log_p.shape} has {V}^{T} paths, more than a million")
    found = {}
    for path in product(range(V), repeat=T):
        labels = collapse(path)
        found[labels] = np.logaddexp(found.get(labels, -np.inf), log_p[range(T), path].sum())
    return {labels: float(value) for labels, value in found.items()}


def with_blanks(target) -> np.ndarray:
    """A blank before, between and after the labels: (S,) → (2S + 1,)."""
    places = np.full(2 * len(target) + 1, BLANK)
    places[1::2] = target
    return places


def frames_needed(target) -> int:
    """The fewest frames that can say a target: one a label, and one for a blank in each repeat."""
    target = np.asarray(target)
    return len(target) + int((target[1:] == target[:-1]).sum())


def may_skip(places: np.ndarray) -> np.ndarray:
    """True at each place that can follow the one two before it: other labels, no blank between.

    places: (2S + 1,) or, for a batch, (2S + 1, B).
    """
    skip = np.zeros(places.shape, dtype=bool)
    skip[2:] = (places[2:] != BLANK) & (places[2:] != places[:-2])
    return skip


# --- Forward and backward, one sequence ---------------------------------------------------------


def ctc_alpha(log_p: np.ndarray, target) -> np.ndarray:
    """ln α_t(s): beginnings of paths that stand at place s at frame t, y_t included, (T, 2S+1).

        α_t(s) = y_t[place s] Σ_{s' = s, s−1, and s−2 where a blank may be skipped} α_{t−1}(s')

    log_p: (T, V); target: labels, may be empty. ln p(target) is the sum over the last two places at
    the last frame, see `ctc_log_p`. Where no path leads, ln α is −∞.
    """
    places = with_blanks(target)
    skip = may_skip(places)
    alpha = np.full((len(log_p), len(places)), -np.inf)
    alpha[0, :2] = log_p[0, places[:2]]  # a path begins with the first blank or the first label
    for t in range(1, len(log_p)):
        for s in range(len(places)):
            ways = [alpha[t - 1, s]]
            if s >= 1:
                ways.append(alpha[t - 1, s - 1])
            if skip[s]:
                ways.append(alpha[t - 1, s - 2])
            alpha[t, s] = np.logaddexp.reduce(ways) + log_p[t, places[s]]
    return alpha


def ctc_beta(log_p: np.ndarray, target) -> np.ndarray:
    """ln β_t(s): all ends of paths from place s at frame t, y_t left out, (T, 2S+1).

    β_t(s) = Σ_{s' = s, s+1, and s+2 where a blank may be skipped} y_{t+1}[place s'] β_{t+1}(s')
    """
    places = with_blanks(target)
    skip = may_skip(places)
    beta = np.full((len(log_p), len(places)), -np.inf)
    beta[-1, -2:] = 0.0  # a path ends with the last label or the last blank
    for t in reversed(range(len(log_p) - 1)):
        ahead = beta[t + 1] + log_p[t + 1, places]
        for s in range(len(places)):
            ways = [ahead[s]]
            if s + 1 < len(places):
                ways.append(ahead[s + 1])
            if s + 2 < len(places) and skip[s + 2]:
                ways.append(ahead[s + 2])
            beta[t, s] = np.logaddexp.reduce(ways)
    return beta


def ctc_log_p(log_p: np.ndarray, target) -> float:
    """ln p(target) of one sequence: −∞ if no path of T frames says it.

    log_p: (T, V), ln y; target: labels in 1 … V−1, may be empty.
    Raises: ValueError for a wrong shape; IndexError or TypeError for labels that are none.
    """
    check_shape("log_p", log_p, ("T", "V"))
    check_target("target", target, log_p.shape[1])
    return float(np.logaddexp.reduce(ctc_alpha(log_p, target)[-1, -2:]))


def ctc_occupancy(log_p: np.ndarray, target) -> np.ndarray:
    """γ_t[k]: the share of a target's probability whose paths say symbol k at frame t, (T, V).

        γ_t[k] = Σ_{s: place s is k} α_t(s) β_t(s) / p(target),   and  −∂ ln p / ∂z_t = y_t − γ_t

    Raises: as `ctc_log_p`; ValueError if no path says the target.
    """
    total = ctc_log_p(log_p, target)
    check_possible("target", target, len(log_p))
    both = np.exp(ctc_alpha(log_p, target) + ctc_beta(log_p, target) - total)
    gamma = np.zeros_like(log_p)
    for s, symbol in enumerate(with_blanks(target)):
        gamma[:, symbol] += both[:, s]
    return gamma


# --- The loss of a batch ------------------------------------------------------------------------


def check_target(name: str, target, V: int) -> None:
    """A target is a sequence of integers in 1 … V − 1; it may be empty.

    Raises: TypeError or ValueError for anything but a sequence of integers, IndexError for a label
    out of range; each names the argument.
    """
    array = np.asarray(target)
    if array.ndim != 1:
        raise ValueError(f"{name} must be a sequence of labels, got shape {array.shape}")
    if array.size and array.dtype.kind not in "iu":
        raise TypeError(f"{name} must hold integers, got dtype {array.dtype}")
    if array.size and not (array.min() > BLANK and array.max() < V):
        raise IndexError(
            f"{name} must hold labels in 1 … {V - 1} (0 is the blank), got values from "
            f"{int(array.min())} to {int(array.max())}"
        )


def check_possible(name: str, target, T: int) -> None:
    """Raise ValueError if no path of T frames says the target."""
    needed = frames_needed(target)
    if needed > T:
        repeats = needed - len(target)
        raise ValueError(
            f"{name} needs {needed} frames, {len(target)} for its labels and {repeats} for blanks "
            f"between equal neighbours, but there are {T}: no path says it"
        )


def check_ctc(logits, targets, lengths) -> np.ndarray:
    """All that can be wrong with the arguments of `ctc_loss`, said in words. Returns lengths."""
    check_shape("logits", logits, ("T", "B", "V"))
    T, B, V = logits.shape
    check_floats(logits=logits)
    check_finite("logits", logits)
    if V < 2:
        raise ValueError(f"logits has shape {logits.shape}: V must be 2 or more, blank and labels")
    if len(targets) != B:
        raise ValueError(f"targets has {len(targets)} entries, but logits has a batch of {B}")
    lengths = np.full(B, T) if lengths is None else lengths
    unroll.check_lengths(lengths, T, B)
    for b, target in enumerate(targets):
        check_target(f"targets[{b}]", target, V)
        check_possible(f"targets[{b}]", target, int(lengths[b]))
    return lengths.astype(np.int64)


def ctc_loss(logits: np.ndarray, targets, lengths=None):
    """L = −(1/B) Σ_b ln p(target_b), in nats a sequence, and dlogits (T, B, V) = (y − γ) / B.

    logits: (T, B, V), y is their softmax; targets: B sequences of labels in 1 … V−1, of any
    lengths, also empty; lengths: (B,) of a padded batch, or None if all have T frames. What stands
    in the padding is not read, and gets gradient 0. The sums are made in float64.
    Raises: ValueError for wrong shapes or lengths, logits that are not finite, or a target that no
    path says (`torch.nn.CTCLoss` returns infinity there); IndexError or TypeError for other labels.
    """
    return run_ctc_loss(logits, targets, check_ctc(logits, targets, lengths))


def run_ctc_loss(logits: np.ndarray, targets, lengths: np.ndarray):
    """`ctc_loss`, its arguments checked.

    speed: β is α of everything read backwards, so one loop serves both, over a batch of 2B.
    """
    T, B, V = logits.shape
    log_y = log_softmax(logits.astype(np.float64))
    n_places = np.array([2 * len(target) + 1 for target in targets])
    places = np.full((n_places.max(), 2 * B), BLANK)
    for b, target in enumerate(targets):
        places[: n_places[b], b] = with_blanks(target)
        places[: n_places[b], B + b] = with_blanks(target)[::-1]
    # both[t, s, b]: ln y_t at place s, forwards in the first half, backwards in the second
    log_both = np.concatenate([log_y, unroll.run_reverse(log_y, lengths)], axis=1)
    at_places = log_both[:, np.arange(2 * B), places]
    both = batch_alpha(at_places, np.tile(n_places, 2), may_skip(places))

    alpha, columns = both[:, :, :B], np.arange(B)
    # Backwards in time and in place, and y_t taken out, for it is in α already.
    mirrored = n_places - 1 - np.arange(len(places))[:, None]
    flipped = both[:, np.where(mirrored >= 0, mirrored, 0), B + columns]
    flipped = unroll.run_reverse(flipped.swapaxes(1, 2), lengths).swapaxes(1, 2)
    last_two = (mirrored == 0) | (mirrored == 1)
    ends = np.where(last_two, alpha[lengths - 1, :, columns].T, -np.inf)
    total = np.logaddexp.reduce(ends, axis=0)
    gamma = np.exp(alpha + flipped - at_places[:, :, :B] - total)
    gamma[:, mirrored < 0] = 0  # places that a shorter target does not have
    y = np.exp(log_y)
    dlogits = y - spread(gamma, places[:, :B], V)
    dlogits[np.arange(T)[:, None] >= lengths] = 0
    return float(-total.mean()), (dlogits / B).astype(logits.dtype)


def batch_alpha(at_places: np.ndarray, n_places: np.ndarray, skip: np.ndarray) -> np.ndarray:
    """ln α of a batch: `ctc_alpha` with whole columns of places at a time, (T, 2S+1, B).

    at_places: (T, 2S+1, B), ln y of each place's symbol; n_places: (B,), how many a target has.
    """
    T, n, B = at_places.shape
    alpha = np.full((T, n + 2, B), -np.inf)  # two rows that no path reaches, for s − 1 and s − 2
    start = (np.arange(n)[:, None] < np.minimum(2, n_places)) & (np.arange(n)[:, None] < 2)
    alpha[0, 2:] = np.where(start, at_places[0], -np.inf)
    closed = np.where(skip, 0.0, -np.inf)
    for t in range(1, T):
        before = alpha[t - 1]
        stay = np.logaddexp(before[2:], before[1:-1])
        alpha[t, 2:] = np.logaddexp(stay, before[:-2] + closed) + at_places[t]
    return alpha[:, 2:]


def spread(gamma: np.ndarray, places: np.ndarray, V: int) -> np.ndarray:
    """Add up what places with the same symbol hold: (T, 2S+1, B) → (T, B, V)."""
    is_symbol = places[..., None] == np.arange(V)  # (2S+1, B, V)
    # speed: a product for each sequence, instead of np.add.at
    by_sequence = gamma.transpose(2, 0, 1) @ is_symbol.swapaxes(0, 1).astype(float)
    return by_sequence.swapaxes(0, 1)


# --- Decoding -----------------------------------------------------------------------------------


def greedy(log_p: np.ndarray, lengths=None) -> list:
    """Best path decoding: the likeliest symbol of every frame, collapsed. A tuple a sequence.

    log_p: (T, B, V), or logits, for only their order counts; lengths: (B,) or None.
    Raises: ValueError for wrong shapes, lengths or values that are not finite.
    """
    check_shape("log_p", log_p, ("T", "B", "V"))
    check_finite("log_p", log_p)
    T, B, _ = log_p.shape
    lengths = np.full(B, T) if lengths is None else lengths
    unroll.check_lengths(lengths, T, B)
    best = log_p.argmax(axis=-1)
    return [collapse(best[:n, b]) for b, n in enumerate(lengths)]


def prefix_beam_search(log_p: np.ndarray, width: int = 10, prior: Callable | None = None) -> list:
    """The most probable labellings that are found with `width` prefixes kept at every frame.

    A prefix is a labelling of the frames so far. Its paths end in a blank or in its last label, and
    the two are counted apart, for only behind a blank can the same label come again.
    log_p: (T, V), ln y; prior(prefix, label) → ln of a factor for saying `label` behind `prefix`, a
    language model for instance, or None. Returns a list of (labelling, score), the best first;
    without a prior the score is ln p of the paths that were kept, at most ln p of the labelling.
    Raises: ValueError for a wrong shape, NaN, or a width that is no positive integer.
    Source: Graves (2012), chapter 7; in this form Hannun et al. (2014).
    """
    check_shape("log_p", log_p, ("T", "V"))
    check_sizes(width=width)
    if np.isnan(log_p).any():
        raise ValueError("log_p holds NaN")
    beam = {(): (0.0, -np.inf)}  # prefix → ln p of its paths that end in a blank, in its last label
    for y in log_p:
        found = {}
        for prefix, (blank, label) in beam.items():
            either = np.logaddexp(blank, label)
            add(found, prefix, 0, either + y[BLANK])
            if prefix:  # the last label goes on
                add(found, prefix, 1, label + y[prefix[-1]])
            for symbol in range(1, len(y)):
                # behind itself a label is new only after a blank
                before = blank if prefix and symbol == prefix[-1] else either
                factor = prior(prefix, symbol) if prior else 0.0
                add(found, (*prefix, symbol), 1, before + y[symbol] + factor)
        possible = ((prefix, parts) for prefix, parts in found.items() if max(parts) > -np.inf)
        beam = dict(heapq.nlargest(width, possible, key=lambda item: np.logaddexp(*item[1])))
    return [(prefix, float(np.logaddexp(*parts))) for prefix, parts in beam.items()]


def add(found: dict, prefix: tuple, part: int, value: float) -> None:
    """Add one more way to reach a prefix whose path ends in a blank (part 0) or a label (1)."""
    parts = list(found.get(prefix, (-np.inf, -np.inf)))
    parts[part] = np.logaddexp(parts[part], value)
    found[prefix] = tuple(parts)


# --- A recurrent network with this loss ---------------------------------------------------------


def init_reader(
    cell, D: int, H: int, V: int, rng, n_layers=1, bidirectional=False, dtype=np.float32
) -> dict:
    """A stack that reads frames of D numbers, and a read-out of V symbols, the blank among them.

    Raises: ValueError if a size is not a positive integer.
    """
    return {
        **unroll.init_stack(cell, D, H, n_layers, rng, bidirectional, dtype),
        **layers.init_linear((1 + bidirectional) * H, V, rng, dtype),
    }


def predict(cell, params: dict, x: np.ndarray, lengths=None) -> np.ndarray:
    """Logits z (T, B, V) of every frame's symbol; what stands in the padding means nothing.

    x: (T, B, D); lengths: (B,) of a padded batch, or None.
    """
    hs, _, _ = unroll.stack_forward(cell, params, x, lengths)
    return layers.linear_forward(params, hs)


def loss_and_grads(cell, params: dict, x, targets, lengths=None, dropout_masks=None):
    """The CTC loss in nats a sequence, and its gradient for every parameter.

    x: (T, B, D); targets, lengths: see `ctc_loss`; dropout_masks: see `unroll.stack_forward`.
    Raises: ValueError, TypeError or IndexError that names the argument.
    """
    hs, _, cache = unroll.stack_forward(cell, params, x, lengths, dropout_masks=dropout_masks)
    loss, dz = ctc_loss(layers.linear_forward(params, hs), targets, lengths)
    grads, dhs = layers.linear_backward(params, hs, dz)
    stack_grads, _, _ = unroll.stack_backward(cell, params, cache, dhs)
    return LossAndGrads(loss, {**stack_grads, **grads})
