"""Language models that count: p(next symbol | the k symbols before it).

A context and the symbol after it are packed into one integer, `bits` bits per symbol, the newest
symbol in the lowest bits. So the code of order k is the low end of the code of any higher order,
and counting is sorting: no dictionary, no loop over the text.

Shapes: N symbols, V vocabulary, K the highest order. A row per order k = 0 … K.
c(h, w) counts symbol w after context h, c(h) = Σ_w c(h, w), and N(h) is the number of different
symbols seen after h. Order 0 has one context, the empty one; "order −1" is the uniform 1/V.
"""

from typing import NamedTuple

import numpy as np

from .activations import softmax
from .checks import check_ids, check_not_negative, check_shape, check_sizes
from .decoding import at_temperature, draw


class Table(NamedTuple):
    """The counts of one order: c(h, w) by pair code; c(h) and N(h) by context code. Sorted."""

    pairs: np.ndarray
    pair_counts: np.ndarray
    contexts: np.ndarray
    totals: np.ndarray
    kinds: np.ndarray


class Counts(NamedTuple):
    """All tables of a text. tables[k] counts occurrences of order k; continuations[k] (k < K)
    counts, for the same pairs (h, w), the different symbols that were seen before h."""

    V: int
    bits: int
    tables: tuple
    continuations: tuple

    @property
    def order(self) -> int:
        """K, the largest number of previous symbols that a probability may depend on."""
        return len(self.tables) - 1


def count(ids: np.ndarray, V: int, order: int = 6) -> Counts:
    """Count every context of 0 … `order` symbols and what follows it.

    ids: (N,) integers below V. Order k counts the N − k places that have k symbols before them.
    Raises: TypeError, IndexError or ValueError for wrong ids; ValueError for a text of fewer than
    order + 1 symbols, or an order whose codes do not fit 63 bits.
    """
    bits = _check_count(ids, V, order)
    codes = _codes(ids, bits, order)
    pairs, numbers = np.unique(codes[order:], return_counts=True)
    tables, continuations = [_table(pairs, numbers, bits)], []
    for k in range(order - 1, -1, -1):
        shorter = pairs & _mask(bits, k + 1)  # forget the oldest symbol
        continuations.append(_table(*_add_up(shorter, np.ones_like(shorter)), bits))
        # One place more than the order above: the k-th symbol, with exactly k before it.
        first = codes[k : k + 1] & _mask(bits, k + 1)
        pairs, numbers = _add_up(np.append(shorter, first), np.append(numbers, 1))
        tables.append(_table(pairs, numbers, bits))
    return Counts(V, bits, tuple(tables[::-1]), tuple(continuations[::-1]))


def _check_count(ids, V, order):
    check_sizes(V=V)
    if not isinstance(order, (int, np.integer)) or isinstance(order, bool) or order < 0:
        raise ValueError(f"order must be zero or a positive integer, got {order!r}")
    check_shape("ids", ids, ("N",))
    check_ids("ids", ids, V)
    if len(ids) <= order:
        raise ValueError(f"ids has {len(ids)} entries, too few for order {order}")
    bits = int(V).bit_length()  # 2^bits − 1 ≥ V is no symbol: it stands for "before the text"
    if bits * (order + 1) > 63:
        raise ValueError(f"order {order} with V={V} needs {bits * (order + 1)} bits, above 63")
    return bits


def _mask(bits, symbols):
    """The integer that keeps the newest `symbols` symbols of a code."""
    return np.int64((1 << (bits * symbols)) - 1)


def _codes(ids, bits, order):
    """Pack each symbol with the `order` symbols before it: (N,) ids → (N,) codes."""
    outside = (1 << bits) - 1
    padded = np.concatenate([np.full(order, outside, np.int64), ids.astype(np.int64)])
    codes = np.zeros(len(ids), np.int64)
    for age in range(order, -1, -1):
        codes <<= bits
        codes |= padded[order - age : len(padded) - age]
    return codes


def _add_up(codes, numbers):
    """Sort codes and add the numbers of equal ones."""
    by_code = np.argsort(codes, kind="stable")
    codes, numbers = codes[by_code], numbers[by_code]
    first = np.flatnonzero(np.append(True, codes[1:] != codes[:-1]))
    return codes[first], np.add.reduceat(numbers, first)


def _table(pairs, numbers, bits):
    """Sorted pairs (h, w) lie in runs of equal h: c(h) is a run's sum, N(h) its length."""
    contexts = pairs >> bits
    first = np.flatnonzero(np.append(True, contexts[1:] != contexts[:-1]))
    kinds = np.diff(np.append(first, len(pairs)))
    return Table(pairs, numbers, contexts[first], np.add.reduceat(numbers, first), kinds)


def _find(keys, wanted):
    """Where each wanted key lies in the sorted keys, and whether it is there at all."""
    at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return at, keys[at] == wanted


def look_up(table, codes, bits):
    """c(h, w), c(h) and N(h) for pair codes; zeros where the text never showed them."""
    at, seen = _find(table.pairs, codes)
    c_hw = np.where(seen, table.pair_counts[at], 0)
    at, seen = _find(table.contexts, codes >> bits)
    return c_hw, np.where(seen, table.totals[at], 0), np.where(seen, table.kinds[at], 0)


def counts_by_order(counts, codes):
    """(c(h, w), c(h), N(h)) for order 0, 1, …, K in turn."""
    for k, table in enumerate(counts.tables):
        yield look_up(table, codes & _mask(counts.bits, k + 1), counts.bits)


# --- Five estimates: (counts, codes (N,)) → probabilities (K+1, N) --------------------------------


def maximum_likelihood(counts: Counts, codes: np.ndarray) -> np.ndarray:
    """p(w | h) = c(h, w) / c(h): the share of h's appearances that went on with w.

    An unseen pair gets 0. An unseen context has no share at all: 0 as well.
    """
    return np.array([c_hw / np.maximum(c_h, 1) for c_hw, c_h, _ in counts_by_order(counts, codes)])


def add_one(counts: Counts, codes: np.ndarray) -> np.ndarray:
    """p(w | h) = (c(h, w) + 1) / (c(h) + V): as if every symbol had been seen once more after h.

    Source: Laplace's rule of succession.
    """
    return np.array(
        [(c_hw + 1) / (c_h + counts.V) for c_hw, c_h, _ in counts_by_order(counts, codes)]
    )


def witten_bell(counts: Counts, codes: np.ndarray) -> np.ndarray:
    """p_k(w | h) = (c(h, w) + N(h) · p_{k−1}(w | h′)) / (c(h) + N(h)),   p_{−1} = 1/V.

    h′ is h without its oldest symbol. The weight of the shorter context, N(h) / (c(h) + N(h)), is
    the rate at which something new has followed h so far. An unseen h (c = N = 0) falls back to h′.
    Source: Witten & Bell (1991), method C, interpolated as in Chen & Goodman (1999).
    """
    p, rows = np.full(len(codes), 1 / counts.V), []
    for c_hw, c_h, n_h in counts_by_order(counts, codes):
        p = np.where(c_h > 0, (c_hw + n_h * p) / np.maximum(c_h + n_h, 1), p)
        rows.append(p)
    return np.array(rows)


def kneser_ney(counts: Counts, codes: np.ndarray) -> np.ndarray:
    """p_k(w | h) = max(c(h, w) − d, 0) / c(h) + (d · N(h) / c(h)) · p′_{k−1}(w | h′)

    p′ is the same formula with *continuations* in place of counts: c′(h′, w) is the number of
    different symbols seen before the pair (h′, w), for what matters in a fall-back is in how many
    places a pair can appear; p′_{−1} = 1/V. One discount d = n₁ / (n₁ + 2 n₂) per order, where n_r
    pairs have count r; where no pair has count 1 it is ½. An unseen h falls back to h′.
    Source: Kneser & Ney (1995), interpolated as in Chen & Goodman (1999).
    """
    p, rows, bits = np.full(len(codes), 1 / counts.V), [], counts.bits
    for k, table in enumerate(counts.tables):
        wanted = codes & _mask(bits, k + 1)
        rows.append(_discounted(table, wanted, bits, p))
        if k < counts.order:
            p = _discounted(counts.continuations[k], wanted, bits, p)
    return np.array(rows)


def _discounted(table, codes, bits, lower):
    """One level of Kneser–Ney: what the discount takes from the counts goes to `lower`."""
    once, twice = (int((table.pair_counts == r).sum()) for r in (1, 2))
    d = once / (once + 2 * twice) if once else 0.5  # 0 would leave nothing for the unseen
    c_hw, c_h, n_h = look_up(table, codes, bits)
    p = (np.maximum(c_hw - d, 0) + d * n_h * lower) / np.maximum(c_h, 1)
    return np.where(c_h > 0, p, lower)


class _Level(NamedTuple):
    """What one order knows of each place of a text: c(h, w), c(h), and N_1(h), N_2(h), N_3+(h)."""

    c_hw: np.ndarray
    c_h: np.ndarray
    kinds: np.ndarray


def _level(table, codes, bits):
    """Look up, for pair codes, what the discounts need: kinds (3, N) are followers by count."""
    c_hw, c_h, _ = look_up(table, codes, bits)
    first = np.append(0, np.cumsum(table.kinds)[:-1])
    seen = np.minimum(table.pair_counts, 3)
    kinds = np.array([np.add.reduceat((seen == r).astype(np.int64), first) for r in (1, 2, 3)])
    at, known = _find(table.contexts, codes >> bits)
    return _Level(c_hw, c_h, np.where(known, kinds[:, at], 0))


def _mix(level, d, lower):
    """(max(c − d_c, 0) + Σ_r d_r N_r(h) · lower) / c(h); an unseen h falls back to `lower`."""
    taken = np.append(0.0, d)[np.minimum(level.c_hw, 3)]
    p = np.maximum(level.c_hw - taken, 0) + (d @ level.kinds) * lower
    return np.where(level.c_h > 0, p / np.maximum(level.c_h, 1), lower)


def estimated_discounts(pair_counts: np.ndarray) -> np.ndarray:
    """d_1, d_2, d_3+, from how many pairs were seen once, twice, … four times: (3,).

        Y = n_1 / (n_1 + 2 n_2)      d_r = r − (r + 1) Y n_{r+1} / n_r

    Nothing keeps an estimate within 0 … r; where one of the four numbers is 0, all three are ½.
    Source: Chen & Goodman (1999).
    """
    n = [int((pair_counts == r).sum()) for r in (1, 2, 3, 4)]
    if min(n) == 0:
        return np.full(3, 0.5)
    Y = n[0] / (n[0] + 2 * n[1])
    return np.array([r - (r + 1) * Y * n[r] / n[r - 1] for r in (1, 2, 3)])


def three_discounts(table: Table) -> np.ndarray:
    """`estimated_discounts` of one table, each within 0 … r: (3,)."""
    return np.clip(estimated_discounts(table.pair_counts), 0, (1, 2, 3))


def modified_kneser_ney(counts: Counts, codes: np.ndarray, discounts=None) -> np.ndarray:
    """Kneser–Ney with three discounts per order: for pairs seen once, twice, and more often.

        p_k(w | h) = max(c(h, w) − d_c, 0) / c(h) + (Σ_r d_r N_r(h) / c(h)) · p′_{k−1}(w | h′)

    N_r(h): how many symbols were seen r times after h, r = 1, 2, 3 or more. discounts: (K+1, 3), a
    row per order, as `tune_discounts` finds them; None: `three_discounts` of each table.
    Source: Chen & Goodman (1999).
    """
    p, rows, bits = np.full(len(codes), 1 / counts.V), [], counts.bits
    if discounts is not None:
        check_shape("discounts", discounts, (counts.order + 1, 3))
    for k, table in enumerate(counts.tables):
        wanted = codes & _mask(bits, k + 1)
        d = three_discounts(table) if discounts is None else discounts[k]
        rows.append(_mix(_level(table, wanted, bits), d, p))
        if k < counts.order:
            lower = counts.continuations[k]
            d = three_discounts(lower) if discounts is None else discounts[k]
            p = _mix(_level(lower, wanted, bits), d, p)
    return np.array(rows)


def tune_discounts(counts: Counts, ids: np.ndarray, rounds: int = 4) -> np.ndarray:
    """The discounts of the highest order, tuned on a text that was not counted: (K+1, 3).

    Starts with `three_discounts`, then changes one discount at a time, up or down by a step that is
    halved after every round, wherever the text gets fewer bits. Row k < K is for continuations,
    row K for counts. Use: `partial(modified_kneser_ney, discounts=tuned)`.
    Raises: as `probabilities` does; ValueError if rounds is not a positive integer.
    """
    check_sizes(rounds=rounds)
    check_ids("ids", ids, counts.V)
    K, bits = counts.order, counts.bits
    codes = _codes(ids, bits, K)[1:]
    tables = [*counts.continuations, counts.tables[K]]
    levels = [_level(table, codes & _mask(bits, k + 1), bits) for k, table in enumerate(tables)]
    d = np.array([three_discounts(table) for table in tables])

    def loss(k, lower):
        """Bits of the highest order, from the probabilities below order k."""
        for j in range(k, K + 1):
            lower = _mix(levels[j], d[j], lower)
        with np.errstate(divide="ignore"):
            return -np.log2(lower).mean()

    best, step = loss(0, np.full(len(codes), 1 / counts.V)), 0.2
    for _ in range(rounds):
        lower = np.full(len(codes), 1 / counts.V)
        for k in range(K + 1):
            for r, sign in ((r, sign) for r in range(3) for sign in (1, -1)):
                while True:
                    old = d[k, r]
                    d[k, r] = np.clip(old + sign * step, 0, r + 1)
                    now = loss(k, lower)
                    if not now < best - 1e-9:
                        d[k, r] = old
                        break
                    best = now
            lower = _mix(levels[k], d[k], lower)
        step /= 2
    return d


# --- Using a model ------------------------------------------------------------------------------


def up_to(counts: Counts, order: int) -> Counts:
    """The same counts without the tables above `order`.

    Raises: ValueError if order does not lie in 0 … counts.order.
    """
    if order not in range(counts.order + 1):
        raise ValueError(f"order must lie in 0 … {counts.order}, got {order!r}")
    return counts._replace(
        tables=counts.tables[: order + 1], continuations=counts.continuations[:order]
    )


def probabilities(counts: Counts, ids: np.ndarray, estimate=witten_bell) -> np.ndarray:
    """The probability that each order gives to each symbol of a text, read left to right.

    ids: (N,). Returns (K+1, N−1): the first symbol is not scored, as in language_model.evaluate, so
    a counting model and a network are judged on the same symbols. Near the beginning, where fewer
    than k symbols came before, order k uses those that there are.
    Raises: TypeError, IndexError or ValueError for wrong ids or fewer than two of them.
    """
    check_shape("ids", ids, ("N",))
    check_ids("ids", ids, counts.V)
    if len(ids) < 2:
        raise ValueError(f"ids has {len(ids)} entry, too few to predict one from another")
    return estimate(counts, _codes(ids, counts.bits, counts.order)[1:])


def bits_per_symbol(counts: Counts, ids: np.ndarray, estimate=witten_bell) -> np.ndarray:
    """Cross-entropy of a text in bits, −mean log₂ p, one number per order: (K+1,).

    Infinite where the estimate gives some symbol the probability 0.
    Raises: as `probabilities` does.
    """
    with np.errstate(divide="ignore"):
        return -np.log2(probabilities(counts, ids, estimate)).mean(axis=1)


def in_sample_bits(counts: Counts) -> np.ndarray:
    """What maximum likelihood gives to the very text it was counted on: H(w | h) in bits, (K+1,).

    H = −(1/N) Σ c(h, w) log₂ (c(h, w) / c(h)), the smallest value that any model with k symbols of
    context can reach on this text.
    """
    entropies = []
    for table in counts.tables:
        total = np.repeat(table.totals, table.kinds)
        surprise = table.pair_counts * np.log2(total / table.pair_counts)
        entropies.append(surprise.sum() / table.pair_counts.sum())
    return np.array(entropies)


def unseen(counts: Counts, ids: np.ndarray) -> np.ndarray:
    """The share of a text's places whose k previous symbols the counted text never showed: (K+1,).

    Raises: as `probabilities` does.
    """

    def never(counts, codes):
        return np.array([c_h == 0 for _, c_h, _ in counts_by_order(counts, codes)])

    return probabilities(counts, ids, never).mean(axis=1)


def distribution(counts: Counts, context: np.ndarray, estimate=witten_bell) -> np.ndarray:
    """p(w | context) for every symbol w and every order: (K+1, V). Each row sums to 1.

    context: (N,) ids, of which order k uses the last k; may be empty.
    Raises: TypeError, ValueError or IndexError for wrong ids.
    """
    _check_prompt("context", context, counts.V)
    recent = np.append(context[max(0, len(context) - counts.order) :].astype(np.int64), 0)
    return estimate(counts, _codes(recent, counts.bits, counts.order)[-1] | np.arange(counts.V))


def _check_prompt(name, ids, V):
    """Ids to start from: an integer vector that, unlike a text, may be empty."""
    if not isinstance(ids, np.ndarray) or ids.size:
        check_ids(name, ids, V)
        check_shape(name, ids, ("N",))
    elif ids.ndim != 1 or ids.dtype.kind not in "iu":
        raise TypeError(f"{name} must be a vector of integers, got {ids.dtype} {ids.shape}")


def sample(
    counts: Counts, prompt: np.ndarray, n: int, rng, estimate=witten_bell, temperature: float = 1.0
) -> np.ndarray:
    """Write on with the highest order: draw n symbols, each from p(· | all before). Returns (n,).

    temperature: draw from softmax(log p / temperature) instead, as language_model.sample does.
    Raises: ValueError for n < 1 or a negative or non-finite temperature; TypeError, ValueError or
    IndexError for wrong ids in the prompt.
    """
    check_sizes(n=n)
    check_not_negative("temperature", temperature)
    _check_prompt("prompt", prompt, counts.V)
    written = np.append(prompt.astype(np.int64), np.zeros(n, np.int64))
    for i in range(len(prompt), len(written)):
        p = distribution(counts, written[:i], estimate)[-1]
        with np.errstate(divide="ignore"):  # log 0 = −∞ is meant
            z = at_temperature(np.log(p), temperature)
        written[i] = draw(softmax(z), rng)
    return written[len(prompt) :]


def baselines(train: np.ndarray, held_out: np.ndarray, V: int, order: int = 6) -> dict:
    """Bits per symbol of the smoothed counting models, to be printed beside every later model.

    Counts `train`, scores `held_out`: {"witten_bell": (order+1,), "kneser_ney": (order+1,)}, a
    number per order. A second or two for five million symbols.
    Raises: as `count` and `probabilities` do.
    """
    counts = count(train, V, order)
    return {
        estimate.__name__: bits_per_symbol(counts, held_out, estimate)
        for estimate in (witten_bell, kneser_ney)
    }
