"""Forms of attention trained until they stop improving, at equal size (notebook 23).

Every way to score in the order of the book, two other orders with the additive score (the one with
the smallest loss on *valid* in `attention_dates`), and two decoders without attention. All have as
nearly as possible the same number of parameters, and learn at a constant rate until the loss on
*valid* has not fallen by `gain` nats per symbol for `patience` evaluations in a row, at most `cap`
updates; the parameters of the best evaluation count. One seed tries all rates; the one with the
smallest loss on *valid* is that of the other seeds, too.
"""

import numpy as np
import study

from helpers import seq2seq
from helpers.attention import ADDITIVE, DOT, GENERAL, SCALED_DOT
from helpers.data import dates
from helpers.gru import GRU
from helpers.losses import cross_entropy
from helpers.optim import ADAM, clip_by_norm
from helpers.seq2seq import Seq2Seq
from helpers.text import pair_batch, pair_batches, sequence_mask

SETTINGS = {"n_train": 8000, "n_test": 300, "B": 32, "parameters": 47_400, "every": 50,
            "patience": 6, "gain": 1e-3, "cap": 3000}  # fmt: skip
RATES = (0.005, 0.01, 0.02)  # seed 0 tries all
CHOSEN = {  # the rates that `chosen` finds, for the other seeds
    "fixed": 0.01, "summary": 0.005, "dot": 0.005, "scaled dot": 0.02, "general": 0.01,
    "additive": 0.01, "additive, before": 0.02, "additive, feeding": 0.02}  # fmt: skip
FIXED = Seq2Seq(GRU, context="last", feed="both")
ORDERS = {f"additive, {order}": Seq2Seq(GRU, attention=ADDITIVE, order=order)
          for order in ("before", "feeding")}  # fmt: skip
DESIGNS = {
    "fixed": FIXED,
    "summary": FIXED._replace(context="summary"),
    **{s.name: Seq2Seq(GRU, attention=s) for s in (DOT, SCALED_DOT, GENERAL, ADDITIVE)},
    **ORDERS,
}


def n_parameters(model, V_x, V_y, D, H):
    params = seq2seq.init_seq2seq(model, V_x, V_y, D, H, np.random.default_rng(0), True)
    return sum(array.size for array in params.values())


def sizes(model, V_x, V_y, wanted):
    """D and H, near 24 and 64, with which a bidirectional model has about `wanted` parameters.

    Of all within one percent, the pair whose D is nearest to 24; then the nearest number.
    """
    found = []
    for H in range(50, 72, 2):
        for D in range(16, 33):
            gap = abs(n_parameters(model, V_x, V_y, D, H) / wanted - 1)
            if gap < 0.01:
                found.append((abs(D - 24), gap, D, H))
    return min(found)[2:]


def judge(model, params, batch):
    """Loss in nats per symbol, and the share of targets that are right from the first to the last.

    Greedy search writes a target exactly if each of its symbols is the likeliest after the true
    ones before it, so no search is needed.
    """
    z, _ = seq2seq.predict(model, params, batch)
    mask = sequence_mask(batch.target_lengths, len(z))
    right = (z.argmax(axis=-1) == batch.targets) | ~mask
    return float(cross_entropy(z, batch.targets, mask)[0]), float(right.all(axis=0).mean())


def converged_at(losses, gain):
    """The last evaluation, counted from 1, that was better by `gain` than the best one so far."""
    best, last = np.inf, 0
    for i, loss in enumerate(losses, 1):
        if loss < best - gain:
            best, last = loss, i
    return last


def learn(model, params, batches, valid, lr, settings):
    """Adam at a constant rate until valid no longer improves: the best parameters, and curves."""
    memory, best, losses, shares = ADAM.init(params), None, [], []
    for i in range(settings["cap"]):
        _, grads, _ = seq2seq.loss_and_grads(model, params, next(batches))
        clip_by_norm(grads, 1.0)
        ADAM.update(params, grads, memory, lr)
        if (i + 1) % settings["every"] == 0:
            loss, share = judge(model, params, valid)
            losses.append(loss)
            shares.append(share)
            if loss == min(losses):
                best = {name: array.copy() for name, array in params.items()}
            if len(losses) - converged_at(losses, settings["gain"]) >= settings["patience"]:
                break
    return best, losses, shares


def run(case, settings):
    parts = dates.split(np.random.default_rng(0), settings["n_train"], settings["n_test"])
    src, tgt = dates.vocabularies(parts.train)
    model, rng = DESIGNS[case["design"]], np.random.default_rng(case["seed"])
    D, H = sizes(model, len(src), len(tgt), settings["parameters"])
    params = seq2seq.init_seq2seq(model, len(src), len(tgt), D, H, rng, bidirectional=True)
    batches = pair_batches(*dates.encode(parts.train, src, tgt), settings["B"], rng)
    test = {name: pair_batch(*dates.encode(getattr(parts, name), src, tgt))
            for name in ("valid", "test", "unseen")}  # fmt: skip
    best, losses, shares = learn(model, params, batches, test["valid"], case["lr"], settings)
    right = {name: judge(model, best, batch)[1] for name, batch in test.items()}
    last = settings["cap"] // settings["every"] - len(shares)  # the best stays as it is
    return {"parameters": sum(a.size for a in best.values()), "D": D, "H": H,
            "valid loss": min(losses), **right,
            "thousand updates": settings["every"] * converged_at(losses, settings["gain"]) / 1000,
            "shares": [round(x, 4) for x in shares + [right["valid"]] * last]}  # fmt: skip


def chosen(record, design):
    """The runs of a design, one a seed, at the rate with the smallest loss on valid for seed 0."""
    runs = record.select(design=design)
    tried = [r for r in runs if r["case"]["seed"] == 0]
    best = min(tried, key=lambda r: r["result"]["valid loss"])["case"]["lr"]
    return [r for r in runs if r["case"]["lr"] == best]


STUDY = study.Study(
    name="attention_forms",
    question="How do forms and orders of attention compare when they have stopped improving?",
    settings=SETTINGS,
    cases=[{"design": name, "lr": lr, "seed": 0} for name in DESIGNS for lr in RATES]
    + [{"design": name, "lr": lr, "seed": seed}
       for seed in range(1, 10) for name, lr in CHOSEN.items()],
    run=run,
    tolerance=0.25,
)  # fmt: skip

if __name__ == "__main__":
    study.main(STUDY)
