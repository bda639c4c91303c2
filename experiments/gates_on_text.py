"""RNN and LSTM with equal parameters on letters and on Morse signals (notebook 13).

Both cells have the same trials: five rates (three on Morse) and two sizes of embedding, with the
full number of updates; the setting with the fewest bits on validation text is taken. Then fresh
seeds are scored on validation and test text. On letters every trained network is searched for
units that follow four properties of the text, and the unit that follows the place in the line is
looked into.
"""

import re
from functools import cache

import numpy as np
import study

from helpers import language_model as lm
from helpers import layers, text, train, unroll
from helpers.activations import softmax
from helpers.data import corpora
from helpers.lstm import LSTM, set_forget_bias
from helpers.rnn import RNN
from helpers.trained import records

CELLS = {"rnn": RNN, "lstm": LSTM}
PARAMETERS, WARM = 45_000, 50
CODE = dict(
    zip(
        "abcdefghijklmnopqrstuvwxyz",
        ".- -... -.-. -.. . ..-. --. .... .. .--- -.- .-.. -- "
        "-. --- .--. --.- .-. ... - ..- ...- .-- -..- -.-- --..".split(),
        strict=True,
    )
)


def plain(s):
    """Lower-case letters and single spaces: what is left of a text on the wire."""
    return re.sub(r"[^a-z]+", " ", s.lower()).strip()


def telegraph(s):
    """Morse signals: "/" after a letter, a space after a word."""
    return " ".join("/".join(CODE[c] for c in word) for word in plain(s).split())


@cache
def task(name):
    """ids to train on, to validate and to test; symbols V; chunk T; symbols per character."""
    plays = corpora.shakespeare()
    parts = plays.train[:100_000], plays.valid[:50_000], plays.test[:50_000]
    if name == "morse":
        per_char = len(telegraph(parts[1])) / len(plain(parts[1]))
        vocab, parts = text.Vocabulary.of("./- "), [telegraph(s) for s in parts]
        return *(vocab.encode(s) for s in parts), len(vocab), 100, per_char
    vocab = text.Vocabulary.of(plays.train)
    return *(vocab.encode(s) for s in parts), len(vocab), 50, 1.0


def n_parameters(cell, V, D, H):
    return V * D + cell.n_gates * H * (D + H + 1) + H * V + V


def width(cell, V, D):
    """The H that brings the model nearest to PARAMETERS."""
    return min(range(1, 500), key=lambda H: abs(n_parameters(cell, V, D, H) - PARAMETERS))


def columns(ids, n=64):
    """(N,) → (N // n, n): a text in n columns, each read downwards."""
    length = len(ids) // n
    return ids[: n * length].reshape(n, length).T


def bits(cell, params, ids, per_char):
    """Bits per character, side by side in 64 columns, without the first 50 symbols of each."""
    seen, state, p = columns(ids), None, []
    for t in range(0, len(seen) - 1, 200):
        answers = seen[t + 1 : t + 201]
        z, state, _ = lm.predict(cell, params, seen[t : t + len(answers)], state)
        p.append(np.take_along_axis(softmax(z), answers[..., None], axis=2)[..., 0])
    return float(-np.log2(np.concatenate(p)[WARM:]).mean() * per_char)


def fit(name, cell, D, lr, seed, n_updates, every=None):
    """A trained model, and [update, validation bits] at every so many updates."""
    ids, valid, _, V, T, per_char = task(name)
    params = lm.init_language_model(cell, V, D, width(cell, V, D), np.random.default_rng(seed))
    if cell is LSTM:
        set_forget_bias(cell, params, 1.0)
    curve, i = [], 0

    def step(params, batch, state):
        nonlocal i
        if every and i % every == 0:
            curve.append([i, bits(cell, params, valid[:20_000], per_char)])
        i += 1
        return lm.loss_and_grads(cell, params, batch.inputs, batch.targets, state)

    train.train(step, params, text.sequential_batches(ids, T, B=16), n_updates,
                lr=train.linear_decay(lr, n_updates), max_norm=1.0, progress=False)  # fmt: skip
    return params, curve


# --- Looking inside ------------------------------------------------------------------------------

PASSAGE = 20_000


def since(passage, stops):
    """At each character: how many steps ago one of `stops` was read."""
    last = np.maximum.accumulate([t if s in stops else 0 for t, s in enumerate(passage)])
    return np.arange(len(passage)) - last


def properties(passage):
    """Four properties of a text, a number at each character."""
    in_name = [line.isupper() for line in passage.split("\n") for _ in line + "\n"]
    return {
        "letters since the word began": since(passage, " \n"),
        "last character is a vowel": np.isin(list(passage), list("aeiou")).astype(float),
        "inside a speaker's name": np.array(in_name[: len(passage)], dtype=float),
        "characters since the line began": since(passage, "\n"),
    }


def best_unit(units, values):
    """Chosen on the first half, scored on the second: the unit and its signed correlation."""
    early, late = slice(100, len(values) // 2), slice(len(values) // 2, None)
    r = np.array([np.corrcoef(u, values[early])[0, 1] for u in units[early].T])
    unit = int(np.nanargmax(np.abs(r)))
    return unit, float(np.corrcoef(units[late, unit], values[late])[0, 1])


def look_inside(cell, params):
    """|r| of the best unit for each property (c of the LSTM, h of the RNN), and its gates.

    For the LSTM's unit that follows the place in the line: mean f inside a line and at its end,
    mean i inside a line, mean of i·g per step inside a line in the direction of the count, and the
    share of |c| that is left after a line end.
    """
    passage = corpora.shakespeare().valid[:PASSAGE]
    x = layers.embedding_forward(params, task("letters")[1][:PASSAGE, None])
    _, _, cache = unroll.forward(cell, params, x)
    units = cache.states[-1][1:, 0]
    found = {}
    for name, values in properties(passage).items():
        unit, r = best_unit(units, values)
        found[name] = abs(r)
    if cell is LSTM:  # the last property was the place in the line
        i, f, g = (cache.gates[k, :, 0, unit] for k in (0, 1, 2))
        c = cache.states[1][:, 0, unit]
        end = np.array(list(passage)) == "\n"
        found |= {
            "unit": unit,
            "f inside": float(f[~end].mean()),
            "f at end": float(f[end].mean()),
            "i inside": float(i[~end].mean()),
            "write inside": float(np.sign(r) * (i * g)[~end].mean()),
            "left after end": float(np.abs(c[1:][end]).mean() / np.abs(c[:-1][end]).mean()),
        }
    return found


# --- The study -----------------------------------------------------------------------------------


def tuned(name, cell):
    """The (D, lr) with the lowest mean validation bits over the seeds for tuning."""
    trials, found = records.load("gates_on_text"), {}
    for D in DS:
        for lr in RATES[name]:
            values = trials.values("valid", text=name, cell=cell, D=D, lr=lr)
            found[D, lr] = np.mean(values)
    return min(found, key=found.get)


def run(case, settings):
    """One training. With a number for lr it is a trial; "tuned" takes the best setting."""
    name, cell = case["text"], CELLS[case["cell"]]
    n_updates = settings["updates"]
    is_trial = case["lr"] != "tuned"
    D, lr = (case["D"], case["lr"]) if is_trial else tuned(name, case["cell"])
    _, valid, test, _, _, per_char = task(name)
    every = None if is_trial else n_updates // 10
    try:
        params, curve = fit(name, cell, D, lr, case["seed"], n_updates, every)
    except FloatingPointError:  # a run that broke counts as guessing
        return {"valid": settings["guess"]}
    result = {"valid": bits(cell, params, valid if every else valid[:20_000], per_char)}
    if is_trial:
        return result
    result |= {"D": D, "rate": lr, "test": bits(cell, params, test, per_char), "curve": curve}
    return result | (look_inside(cell, params) if name == "letters" else {})


RATES = {"letters": [0.004, 0.008, 0.016, 0.032, 0.064], "morse": [0.008, 0.016, 0.032]}
DS = [16, 64]
TUNING_SEED, SEEDS = 100, {"letters": range(6), "morse": range(4)}

STUDY = study.Study(
    name="gates_on_text",
    question="With equal parameters and tuning, does the LSTM guess text better than the RNN?",
    settings={
        "parameters": PARAMETERS,
        "updates": 300,
        "guess": 6.3,
        "rates": RATES,
        "D": DS,
    },
    cases=[
        case
        for name in SEEDS
        for case in (
            *(
                {"text": name, "cell": cell, "D": D, "lr": lr, "seed": TUNING_SEED}
                for cell in CELLS
                for D in DS
                for lr in RATES[name]
            ),
            *(
                {"text": name, "cell": cell, "lr": "tuned", "seed": seed}
                for seed in SEEDS[name]
                for cell in CELLS
            ),
        )
    ],
    run=run,
    tolerance=0.2,
)


if __name__ == "__main__":
    study.main(STUDY)
