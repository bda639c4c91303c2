"""A conditional random field: the labels of a sentence are chosen together.

A tagger gives each word t a score z_t[j] for each of C labels, and takes the best label of each
word by itself. Here a whole path y_1 … y_T of labels gets one score, with a number for each label
that follows another, and one for each label at the start and at the end (the linear chain):

    s(y) = b_start[y_1] + Σ_t z_t[y_t] + Σ_t A[y_{t−1}, y_t] + b_end[y_T]
    p(y) = exp(s(y)) / Z,     Z = Σ over all C^T paths of exp(s)

The sum over all paths stands here three times: `paths_and_scores`, one by one, as on paper;
`log_alpha` and `log_beta`, the forward and backward recursions of one sentence; `crf_loss`, the
fast form for a padded batch.

`crf` is a dict: A (C, C), a row for each label before, b_start (C,) and b_end (C,). Their entries
may be −∞: what is forbidden has probability 0, adds nothing to Z and gets no gradient. (A large
negative number does nearly the same, but then a forbidden target has a huge loss in place of an
error, and where every path is forbidden one of them is said to be the best.) What is learned stays
finite, and the rules of `bio_rules` are added to it, see `add_rules`.

Shapes: T words, B sentences, C labels. Source: Lafferty, McCallum & Pereira (2001); on top of a
recurrent network: Huang, Xu & Yu (2015), Lample et al. (2016).
"""

from itertools import product

import numpy as np

from . import layers, tagger, unroll
from .checks import check_finite, check_floats, check_ids, check_shape, check_sizes
from .filters import log_sum_exp
from .losses import LossAndGrads
from .text import sequence_mask

NAMES = ("A", "b_start", "b_end")


def init_crf(C: int, dtype=np.float32) -> dict:
    """Zeros: no label minds what stands beside it, and p(y) is the product of the words' softmax.

    Raises: ValueError if C is not a positive integer.
    """
    check_sizes(C=C)
    return {
        "A": np.zeros((C, C), dtype),
        "b_start": np.zeros(C, dtype),
        "b_end": np.zeros(C, dtype),
    }


def bio_rules(names, dtype=np.float32) -> dict:
    """What BIO tags forbid: I-x only after B-x or I-x. A crf of zeros and −∞.

    names: C labels, "O" or "B-x" or "I-x".
    Raises: ValueError for another label.
    """
    for name in names:
        part, _, slot = name.partition("-")
        if part not in ("O", "B", "I") or (part == "O") != (slot == ""):
            raise ValueError(f"names holds {name!r}, which is neither O nor B-… nor I-…")
    rules = init_crf(len(names), dtype)
    for j, now in enumerate(names):
        if now[0] == "I":
            rules["b_start"][j] = -np.inf
            rules["A"][[before[2:] != now[2:] for before in names], j] = -np.inf
    return rules


def add_rules(crf: dict, rules: dict | None) -> dict:
    """A crf with the rules of another one added: where one of them has −∞, the sum has."""
    return crf if rules is None else {name: crf[name] + rules[name] for name in NAMES}


def check_crf(crf: dict, C: int) -> None:
    """All that can be wrong with A, b_start and b_end, said in words. −∞ is allowed."""
    for name, shape in zip(NAMES, ((C, C), (C,), (C,))):
        if name not in crf:
            raise ValueError(f"crf has no {name}: it holds {sorted(crf)}")
        check_shape(name, crf[name], shape)
        check_numbers(name, crf[name])
    check_floats(**{name: crf[name] for name in NAMES})


def check_numbers(name: str, scores: np.ndarray) -> None:
    """Raise ValueError for NaN and +∞; −∞ says that something is forbidden."""
    if not (scores < np.inf).all():  # NaN is not smaller than anything
        raise ValueError(
            f"{name} holds NaN or +inf: scores must be numbers, or -inf where forbidden"
        )


def check_sentence(z, crf: dict) -> None:
    """The arguments of what follows, for one sentence."""
    check_shape("z", z, ("T", "C"))
    check_crf(crf, z.shape[1])
    check_floats(z=z, A=crf["A"])
    check_numbers("z", z)


# --- As on paper: one sentence ------------------------------------------------------------------


def path_score(z: np.ndarray, path, crf: dict) -> float:
    """s(y) of one path, see the module. z: (T, C), path: T labels.

    Raises: ValueError, TypeError or IndexError for a wrong shape, or labels that are none.
    """
    check_sentence(z, crf)
    path = np.asarray(path)
    check_shape("path", path, (len(z),))
    check_ids("path", path, z.shape[1])
    score = crf["b_start"][path[0]] + crf["b_end"][path[-1]]
    score += sum(z[t, label] for t, label in enumerate(path))
    return float(score + sum(crf["A"][before, now] for before, now in zip(path[:-1], path[1:])))


def paths_and_scores(z: np.ndarray, crf: dict):
    """All C^T paths (C^T, T) and their scores (C^T,): for small T and C only.

    Raises: ValueError for a wrong shape, or if there are more than a million paths.
    """
    check_sentence(z, crf)
    T, C = z.shape
    if C**T > 10**6:
        raise ValueError(f"z of shape {z.shape} has {C}^{T} paths, more than a million")
    paths = np.array(list(product(range(C), repeat=T)))
    scores = crf["b_start"][paths[:, 0]] + crf["b_end"][paths[:, -1]]
    scores = scores + z[np.arange(T), paths].sum(axis=1)
    return paths, scores + crf["A"][paths[:, :-1], paths[:, 1:]].sum(axis=1)


def log_alpha(z: np.ndarray, crf: dict) -> np.ndarray:
    """Beginnings: ln α_t[j], the sum over all paths of t words that end in label j, (T, C).

    ln α_t[j] = z_t[j] + ln Σ_i exp(ln α_{t−1}[i] + A[i, j])
    """
    alpha = np.empty_like(z)
    alpha[0] = crf["b_start"] + z[0]
    for t in range(1, len(z)):
        alpha[t] = z[t] + log_sum_exp(alpha[t - 1][:, None] + crf["A"], axis=0)
    return alpha


def log_beta(z: np.ndarray, crf: dict) -> np.ndarray:
    """Ends: ln β_t[i], the sum over all ways to go on from label i at word t, z_t left out, (T, C).

    ln β_t[i] = ln Σ_j exp(A[i, j] + z_{t+1}[j] + ln β_{t+1}[j])
    """
    beta = np.empty_like(z)
    beta[-1] = crf["b_end"]
    for t in reversed(range(len(z) - 1)):
        beta[t] = log_sum_exp(crf["A"] + z[t + 1] + beta[t + 1], axis=1)
    return beta


def log_partition(z: np.ndarray, crf: dict) -> float:
    """ln Z of one sentence: over all paths in T·C² steps. −∞ if every path is forbidden.

    z: (T, C); an entry of −∞ forbids a label at one word.
    Raises: ValueError for wrong shapes, NaN or +∞.
    """
    check_sentence(z, crf)
    return float(log_sum_exp(log_alpha(z, crf)[-1] + crf["b_end"], axis=0))


def marginals(z: np.ndarray, crf: dict):
    """p(y_t = j) (T, C) and p(y_t = i, y_{t+1} = j) (T − 1, C, C): forward, backward, and Z.

    These are the slopes of ln Z: ∂ln Z/∂z_t[j] = p(y_t = j), and ∂ln Z/∂A[i, j] is the number of
    times that j follows i, on average over all paths.
    Raises: as `log_partition`; ValueError if every path is forbidden.
    """
    total = log_partition(z, crf)
    check_possible(np.array([total]))
    alpha, beta = log_alpha(z, crf), log_beta(z, crf)
    one = np.exp(alpha + beta - total)
    ahead = (z + beta)[1:, None, :]
    return one, np.exp(alpha[:-1, :, None] + crf["A"] + ahead - total)


def check_possible(log_Z: np.ndarray) -> None:
    """Raise ValueError if a sentence has no path that is allowed, or scores whose sum overflows."""
    check_numbers("the sum over all paths", log_Z)
    if not (log_Z > -np.inf).all():
        raise ValueError(f"every path of sentence {int(np.argmin(log_Z))} is forbidden")


def viterbi(z: np.ndarray, crf: dict) -> np.ndarray:
    """The path with the highest score, (T,): `log_alpha` with max in place of the sum.

    best_t[j] = z_t[j] + max_i (best_{t−1}[i] + A[i, j]); each maximum's i is kept, and from the
    best end they are followed back. Of equal paths it takes one.
    z: (T, C), also the log probabilities of a tagger that was trained without a crf.
    Raises: ValueError for wrong shapes, NaN or +∞, or if every path is forbidden.
    """
    check_sentence(z, crf)
    best, came_from = crf["b_start"] + z[0], []
    for z_t in z[1:]:
        ways = best[:, None] + crf["A"]  # (C before, C now)
        came_from.append(ways.argmax(axis=0))
        best = z_t + ways.max(axis=0)
    check_possible(np.array([(best + crf["b_end"]).max()]))
    path = [int((best + crf["b_end"]).argmax())]
    for choice in reversed(came_from):
        path.append(int(choice[path[-1]]))
    return np.array(path[::-1])


# --- A padded batch -----------------------------------------------------------------------------


def check_batch(z, targets, lengths, crf: dict) -> None:
    """All that can be wrong with the arguments of `crf_loss`, said in words."""
    check_shape("z", z, ("T", "B", "C"))
    T, B, C = z.shape
    check_crf(crf, C)
    check_floats(z=z, A=crf["A"])
    check_finite("z", z)
    check_shape("targets", targets, (T, B))
    check_ids("targets", targets, C)
    unroll.check_lengths(lengths, T, B)


def crf_loss(z: np.ndarray, targets: np.ndarray, lengths: np.ndarray, crf: dict) -> LossAndGrads:
    """L = −(1/N) Σ_b ln p(path_b), in nats a word, N the number of words; and its gradient.

    The gradient is what the model expects minus what is there: of z, p(y_t = j) − [target_t = j];
    of A, how often j follows i on average over all paths, minus how often it does in the targets.
    With a crf of zeros it is the cross-entropy of each word.

    z: (T, B, C), finite; targets: (T, B); lengths: (B,) in 1 … T; what stands in the padding is not
    read, and gets gradient 0. Grads: "z" (T, B, C), "A", "b_start", "b_end". Sums are in float64.
    Raises: ValueError for wrong shapes or lengths, numbers that are not finite (−∞ in the crf is
    allowed), no allowed path, or a target that the crf forbids; IndexError or TypeError for labels
    that are none.
    """
    check_batch(z, targets, lengths, crf)
    dtype, lengths = z.dtype, lengths.astype(np.int64)
    z, (A, start, end) = z.astype(np.float64), (crf[name].astype(np.float64) for name in NAMES)
    T, B, C = z.shape
    inside, columns = sequence_mask(lengths, T), np.arange(B)

    alpha, beta = np.empty_like(z), np.empty_like(z)
    alpha[0] = start + z[0]
    for t in range(1, T):
        alpha[t] = z[t] + log_sum_exp(alpha[t - 1][:, :, None] + A, axis=1)
    beta[-1] = end
    for t in reversed(range(T - 1)):
        go_on = log_sum_exp(A + (z[t + 1] + beta[t + 1])[:, None, :], axis=2)
        beta[t] = np.where((t < lengths - 1)[:, None], go_on, end)  # a sentence ends at its length
    log_Z = log_sum_exp(alpha[lengths - 1, columns] + end, axis=1)
    check_possible(log_Z)

    first, last = targets[0], targets[lengths - 1, columns]
    before, now, pairs = targets[:-1], targets[1:], inside[1:]
    steps = np.where(pairs, A[before, now], 0.0)
    words = np.where(inside, np.take_along_axis(z, targets[..., None], axis=2)[..., 0], 0.0)
    score = start[first] + words.sum(axis=0) + steps.sum(axis=0) + end[last]
    check_targets(score, steps)

    alpha[~inside] = -np.inf  # no path stands in the padding
    expected = np.exp(alpha + beta - log_Z[:, None])
    pair = alpha[:-1, :, :, None] + A + (z + beta)[1:, :, None, :] - log_Z[:, None, None]
    dA = np.exp(np.where(pairs[..., None, None], pair, -np.inf)).sum(axis=(0, 1))
    np.subtract.at(dA, (before[pairs], now[pairs]), 1)
    is_target = (targets[..., None] == np.arange(C)) & inside[..., None]
    dz, n = expected - is_target, int(inside.sum())
    ends = dz[lengths - 1, columns]
    grads = {"z": dz, "A": dA, "b_start": dz[0].sum(axis=0), "b_end": ends.sum(axis=0)}
    loss = float((log_Z - score).sum()) / n
    return LossAndGrads(loss, {name: (g / n).astype(dtype) for name, g in grads.items()})


def check_targets(score: np.ndarray, steps: np.ndarray) -> None:
    """Raise ValueError for a target that no allowed path says: its loss would be infinite."""
    if not (score > -np.inf).all():
        b = int(np.argmin(score))
        wrong = np.flatnonzero(steps[:, b] == -np.inf)
        where = f"the step to word {wrong[0] + 1}" if len(wrong) else "its first or last label"
        raise ValueError(f"targets[:, {b}] is forbidden by the crf: {where} has a score of -inf")


def decode(z: np.ndarray, lengths: np.ndarray, crf: dict) -> list:
    """The best path of each sentence of a padded batch: B arrays of labels.

    Raises: as `viterbi`; ValueError or TypeError for lengths that are not integers in 1 … T.
    """
    check_shape("z", z, ("T", "B", "C"))
    unroll.check_lengths(lengths, *z.shape[:2])
    return [viterbi(z[:n, b], crf) for b, n in enumerate(lengths)]


# --- A tagger with a crf on top -----------------------------------------------------------------


def crf_of(params: dict, rules: dict | None = None) -> dict:
    """The crf among a tagger's parameters, with rules added."""
    return add_rules({name: params[name] for name in NAMES}, rules)


def loss_and_grads(cell, params: dict, ids, targets, lengths, rules=None) -> LossAndGrads:
    """`tagger.loss_and_grads`, with the loss of whole paths in place of each word's own.

    params: those of `tagger.init_tagger` and of `init_crf`; rules: a crf of zeros and −∞, or None.
    Raises: ValueError, TypeError or IndexError that names the argument.
    """
    check_shape("ids", ids, ("T", "B"))
    x = layers.embedding_forward(params, ids)
    hs, _, cache = unroll.stack_forward(cell, params, x, lengths)
    z = layers.linear_forward(params, hs)
    loss, top, _ = crf_loss(z, targets, lengths, crf_of(params, rules))
    grads, dhs = layers.linear_backward(params, hs, top.pop("z"))
    stack_grads, dx, _ = unroll.stack_backward(cell, params, cache, dhs)
    return LossAndGrads(
        loss, {**layers.embedding_backward(params, ids, dx), **stack_grads, **grads, **top}
    )


def tag(cell, params: dict, ids: np.ndarray, lengths: np.ndarray, rules=None) -> list:
    """The best path of labels for every sentence, by `viterbi`: B arrays."""
    return decode(tagger.predict(cell, params, ids, lengths), lengths, crf_of(params, rules))
