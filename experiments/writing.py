"""What the writers of chapter 10 write, measured beside counting models and people (28, 29).

Three kinds of cases. "counts": bits per character of Kneser–Ney for every order from 0 to 20, on
validation and test. "bits": the network and Kneser–Ney of the order that was best on validation, on
the test text cut into twenty parts. "write": texts by the network, by Kneser–Ney (of the highest
order that `ngram` packs into an integer) or by people (held-out), cut the same way, and what share
of them is well-formed.

The networks are the stored ones (`experiments/writers.py` trains them).
"""

import re
from functools import cache

import numpy as np
import study
from matplotlib.mathtext import MathTextParser

from helpers import ngram
from helpers.activations import softmax
from helpers.data import source_code, tunes
from helpers.decoding import at_temperature
from helpers.text import Vocabulary
from helpers.trained import records, scribes

CORPORA = {"code": source_code.code, "prose": source_code.prose, "tunes": tunes.texts}
ORDER = 20  # the highest order that is scored
WRITES = {"code": 8, "prose": 8, "tunes": 9}  # the highest orders whose codes fit 63 bits
PROMPT = {"code": "\n\n\ndef ", "prose": f"\n{source_code.END_OF_TEXT}\n", "tunes": "\n\nM:"}
LENGTH = {"code": 800, "prose": 2000, "tunes": 500}
TEXTS = {"code": 100, "prose": 60, "tunes": 200}
PARTS = 20


@cache
def vocabulary(corpus):
    return Vocabulary.of(CORPORA[corpus]().train)


@cache
def counted(corpus, order):
    vocab = vocabulary(corpus)
    return ngram.count(vocab.encode(CORPORA[corpus]().train), len(vocab), order)


def best_order(corpus) -> int:
    """The order of Kneser–Ney with the fewest bits on validation."""
    [bits] = records.load("writing").values("valid", kind="counts", corpus=corpus)
    return int(np.argmin(bits))


# --- Bits ---------------------------------------------------------------------------------------


def kneser_ney_of_any_order(train, held, V, order):
    """p of every symbol of `held` (N,) but the first `order`, by Kneser–Ney of each order.

    Returns (order + 1, N − order). The formula of ngram.kneser_ney, without its limit on the order:
    each different run of symbols, in both texts, gets a number, from those of the runs before it.
    """
    ids = np.concatenate([train, held])
    N, first = len(train), len(train) + order
    runs = [ids]  # runs[k][i]: number of the run of k + 1 symbols that ends at i
    for k in range(1, order + 2):
        longer = np.full(len(ids), -1)
        codes = runs[-1][k - 1 : -1] * np.int64(V) + ids[k:]
        longer[k:] = np.unique(codes, return_inverse=True)[1]
        runs.append(longer)
    p, rows = np.full(len(ids) - first, 1 / V), []
    for k in range(order + 1):
        seen, n = runs[k][k:N], runs[k].max() + 1
        places = np.bincount(seen, minlength=n)  # c(h, w)
        _, one = np.unique(runs[k + 1][k + 1 : N], return_index=True)
        before = np.bincount(runs[k][one + k + 1], minlength=n)  # symbols seen before (h, w)
        context = runs[k - 1][:-1] if k else np.zeros(len(ids) - 1, np.int64)
        owner = np.zeros(n, np.int64)  # the context of each run
        owner[runs[k][max(k, 1) :]] = context[max(k, 1) - 1 :]
        wanted, h = runs[k][first:], context[first - 1 :]
        rows.append(_discounted(places, owner, wanted, h, p))
        p = _discounted(before, owner, wanted, h, p)
    return np.array(rows)


def _discounted(counts, owner, wanted, h, lower):
    """One level: counts of runs, the context of each run; what is asked, and its contexts."""
    once, twice = ((counts == r).sum() for r in (1, 2))
    d = once / (once + 2 * twice) if once else 0.5
    total = np.bincount(owner, counts, minlength=h.max() + 1)
    kinds = np.bincount(owner, counts > 0, minlength=h.max() + 1)
    p = np.maximum(counts[wanted] - d, 0) + d * kinds[h] * lower
    return np.where(total[h] > 0, p / np.maximum(total[h], 1), lower)


@cache
def log2_by_counts(corpus, part):
    """log₂ p of each symbol of a part but its first `ORDER`, by order: (ORDER + 1, N − ORDER)."""
    split, vocab = CORPORA[corpus](), vocabulary(corpus)
    train, held = vocab.encode(split.train), vocab.encode(getattr(split, part))
    return np.log2(kneser_ney_of_any_order(train, held, len(vocab), ORDER))


def counts_case(corpus, settings):
    """Bits per character for every order, on both held-out parts."""
    return {
        part: np.round(-log2_by_counts(corpus, part).mean(axis=1), 4).tolist()
        for part in ("valid", "test")
    }


def parts_of(text, n=PARTS):
    """A text in n parts of equal length; what is left at its end is not used."""
    length = len(text) // n
    return [text[i * length : (i + 1) * length] for i in range(n)]


def bits_case(corpus, settings):
    """Bits per character of each part; the network reads it alone, counts see what was before."""
    pieces = parts_of(CORPORA[corpus]().test[ORDER:])
    log2_p = log2_by_counts(corpus, "test")[best_order(corpus)]
    length = len(pieces[0])
    by_counts = -log2_p[: PARTS * length].reshape(PARTS, length)[:, 1:].mean(axis=1)
    by_network = scribes.bits_of_texts(scribes.load(corpus), pieces)
    return {"network": np.round(by_network, 4).tolist(),
            "kneser_ney": np.round(by_counts, 4).tolist()}  # fmt: skip


# --- Writing by counts, many texts at once --------------------------------------------------------


def next_probabilities(counts, contexts):
    """Kneser–Ney of the highest order after each context: (B, K) ids → (B, V).

    The same numbers as ngram.distribution(counts, context, kneser_ney)[-1], row by row. All pairs
    of one context lie side by side in the sorted table, so two searches find them.
    """
    bits, p = counts.bits, np.full((len(contexts), counts.V), 1 / counts.V)
    for k in range(counts.order + 1):
        codes = np.zeros(len(contexts), np.int64)
        for column in contexts[:, contexts.shape[1] - k :].T:
            codes = (codes << bits) | column
        table = counts.tables[k] if k == counts.order else counts.continuations[k]
        p = _discounted_rows(table, codes, bits, counts.V, p)
    return p


def _discounted_rows(table, contexts, bits, V, lower):
    once, twice = (int((table.pair_counts == r).sum()) for r in (1, 2))
    d = once / (once + 2 * twice) if once else 0.5
    first = np.searchsorted(table.pairs, contexts << bits)
    last = np.searchsorted(table.pairs, (contexts << bits) + V)
    n = last - first
    at = np.repeat(first - np.concatenate([[0], n.cumsum()[:-1]]), n) + np.arange(n.sum())
    c = np.zeros((len(contexts), V))
    c[np.repeat(np.arange(len(contexts)), n), table.pairs[at] & ((1 << bits) - 1)] = (
        table.pair_counts[at]
    )
    total = c.sum(axis=1, keepdims=True)
    mixed = (np.maximum(c - d, 0) + d * n[:, None] * lower) / np.maximum(total, 1)
    return np.where(total > 0, mixed, lower)


def write_by_counts(counts, vocab, prompt, n, B, rng, temperature):
    """As scribes.write_many, with Kneser–Ney of the highest order."""
    K = counts.order
    ids = np.repeat(vocab.encode("\n" * K + prompt)[None, -K:], B, axis=0)
    written = np.empty((n, B), np.int64)
    for i in range(n):
        with np.errstate(divide="ignore"):
            z = at_temperature(np.log(next_probabilities(counts, ids)), temperature)
        below = softmax(z).cumsum(axis=-1)
        written[i] = (below > rng.random((B, 1)) * below[:, -1:]).argmax(axis=-1)
        ids = np.column_stack([ids[:, 1:], written[i]])
    return ["".join(vocab.decode(column)) for column in written.T]


def texts_by(corpus, who, temperature, seed):
    """Texts that go on from the prompt: by the network, by counts, or by people."""
    n, B, rng = LENGTH[corpus], TEXTS[corpus], np.random.default_rng(seed)
    if who == "people":
        test = CORPORA[corpus]().test
        if corpus == "tunes":
            test = "\n\n" + test
        begins = [m.end() for m in re.finditer(re.escape(PROMPT[corpus]), test)]
        return [test[i : i + n] for i in begins if i < len(test)]
    if who == "network":
        return scribes.write_many(scribes.load(corpus), PROMPT[corpus], n, B, rng, temperature)
    counts = counted(corpus, min(best_order(corpus), WRITES[corpus]))
    return write_by_counts(counts, vocabulary(corpus), PROMPT[corpus], n, B, rng, temperature)


# --- Measures -----------------------------------------------------------------------------------


def share(yes, of) -> float:
    return round(float(yes) / max(float(of), 1), 4)


@cache
def known_lines(corpus):
    lines = (line.strip() for line in CORPORA[corpus]().train.split("\n"))
    return frozenset(line for line in lines if len(line) >= 20)


def measure_code(texts):
    """Shares of lines that tokenise, of blocks that end, of these that compile, of brackets that
    close; of lines of 20 characters or more that stand in the training text, too."""
    blocks = [source_code.first_block("def " + text) for text in texts]
    ended = [block for block in blocks if block is not None]
    lines = [line for text in texts for line in text.split("\n")[1:-1] if line.strip()]
    scans = [source_code.scan("def " + text) for text in texts]
    long_lines = [line.strip() for line in lines if len(line.strip()) >= 20]
    opened = sum(s.opened for s in scans)
    return {
        "texts": len(texts),
        "lines_tokenise": share(sum(map(source_code.tokenises, lines)), len(lines)),
        "ended": share(len(ended), len(texts)),
        "compile": share(sum(map(source_code.compiles, ended)), len(ended)),
        "lines_of_block": share(sum(block.count("\n") for block in ended), len(ended)),
        "brackets_close": share(opened - sum(s.unclosed for s in scans), opened),
        "wrong_brackets": share(sum(s.wrong for s in scans), opened),
        "known_lines": share(sum(x in known_lines("code") for x in long_lines), len(long_lines)),
    }


def parses_as_formula(formula) -> bool:
    """Whether matplotlib's parser of formulas, which knows a part of LaTeX, accepts it."""
    try:
        MathTextParser("path").parse(f"${formula}$")
    except Exception:  # of several kinds, and RecursionError
        return False
    return bool(formula.strip())


def measure_prose(texts):
    """Shares of formulas that close, are balanced, parse; of lists of references that are one."""
    whole = [text.split(source_code.END_OF_TEXT)[0] for text in texts]
    ended = sum(source_code.END_OF_TEXT in text for text in texts)
    found = [f for text in whole for f in source_code.formulas(text)]
    opened = sum(len(source_code.OPENED.findall(text)) for text in whole)
    lists = [entries for text in whole if (entries := source_code.references(text))]
    lines = [line.strip() for text in whole for line in text.split("\n") if len(line.strip()) >= 20]
    return {
        "texts": len(texts),
        "ended": share(ended, len(texts)),
        "formulas": opened,
        "formulas_close": share(len(found), opened),
        "balanced": share(sum(map(source_code.balanced, found)), opened),
        "parse": share(sum(map(parses_as_formula, found)), opened),
        "lists": len(lists),
        "lists_well_formed": share(sum(map(source_code.well_formed_list, lists)), len(lists)),
        "known_lines": share(sum(x in known_lines("prose") for x in lines), len(lines)),
    }


@cache
def known_runs():
    return tunes.run_index([tunes.intervals(tunes.parse(e.text)) for e in tunes.split().train])


def tune_of(text):
    """The tune that a text begins with, parsed; None if it does not end or does not parse."""
    head, mark, _ = ("M:" + text).partition("\n\n")
    try:
        return tunes.parse(head) if mark else None
    except ValueError:
        return None


def measure_tunes(texts):
    """Shares of texts that are tunes, of bars that add up, of notes in key, of tunes that end on
    the tonic, of bars heard before; the median of the longest runs that training has, too."""
    found = [tune for text in texts if (tune := tune_of(text))]
    ended = sum("\n\n" in text for text in texts)
    bars, in_key, again = (
        np.sum([of(tune) for tune in found] or [(0, 0)], axis=0)
        for of in (tunes.bars_that_add_up, tunes.notes_in_key, tunes.repeated_bars)
    )
    keys = [tune.key for tune in found]
    other = [tune._replace(key=keys[i - 1]) for i, tune in enumerate(found)]
    by_chance = np.sum([tunes.notes_in_key(tune) for tune in other] or [(0, 0)], axis=0)
    runs = [tunes.longest_run(tunes.intervals(tune), known_runs()) for tune in found]
    return {
        "texts": len(texts),
        "ended": share(ended, len(texts)),
        "parse": share(len(found), ended),
        "bars_add_up": share(*bars),
        "in_key": share(*in_key),
        "in_another_key": share(*by_chance),
        "end_on_tonic": share(sum(map(tunes.ends_on_tonic, found)), len(found)),
        "repeated_bars": share(*again),
        "median_run": float(np.median(runs or [0])),
        "long_runs": share(sum(run >= tunes.RUN for run in runs), len(runs)),
    }


MEASURES = {"code": measure_code, "prose": measure_prose, "tunes": measure_tunes}


def run(case, settings):
    """One case; see the module."""
    corpus = case["corpus"]
    if case["kind"] == "counts":
        return counts_case(corpus, settings)
    if case["kind"] == "bits":
        return bits_case(corpus, settings)
    texts = texts_by(corpus, case["who"], case["temperature"], case["seed"])
    return MEASURES[corpus](texts)


def write_cases():
    for corpus in CORPORA:
        yield {"kind": "write", "corpus": corpus, "who": "people", "temperature": 0, "seed": 0}
        few = corpus == "prose"  # its texts are long
        for who in ("network", "kneser_ney"):
            for temperature in (0.5, 0.7, 1.0) if few else (0.5, 0.7, 0.85, 1.0, 1.2):
                several = temperature in (0.7, 1.0) and not (few and who == "kneser_ney")
                for seed in range(3 if several else 1):
                    yield {"kind": "write", "corpus": corpus, "who": who,
                           "temperature": temperature, "seed": seed}  # fmt: skip


STUDY = study.Study(
    name="writing",
    question="How much of what a character model writes is well-formed, and how many bits does it "
    "need?",
    settings={"length": LENGTH, "texts": TEXTS, "parts": PARTS},
    cases=[
        *({"kind": "counts", "corpus": corpus} for corpus in CORPORA),
        *({"kind": "bits", "corpus": corpus} for corpus in CORPORA),
        *write_cases(),
    ],
    run=run,
    tolerance=0.02,
)

if __name__ == "__main__":
    study.main(STUDY)
