"""The small character LSTM of the instrument `letter_unit` in notebook 13b, made to be looked at.

One layer, trained on all training plays for a minute or two; of two learning rates the better on
validation text is kept, and nothing else was tuned. The weights are rounded to half precision and
written to book/_assets/instruments/letter_unit.json, where a browser reads them. The record has the
bits per character of the rounded models, and for four properties of a text the unit whose cell
follows it best.

    python experiments/letter_unit.py
"""

import base64
import json
import platform
import time
from pathlib import Path

import gates_on_text
import numpy as np
import study

from helpers import language_model as lm
from helpers import layers, text, train, unroll
from helpers.data import corpora
from helpers.lstm import LSTM, set_forget_bias
from helpers.trained import records

WEIGHTS = Path(__file__).parents[1] / "book" / "_assets" / "instruments" / "letter_unit.json"
RECORD = records.TRAININGS / "letter_unit.json"
SETTINGS = {
    "D": 16, "H": 64, "B": 32, "T": 64, "n_updates": 9000, "rates": [0.01, 0.004], "max_norm": 1.0,
    "forget_bias": 1.0, "seed": 0,
}  # fmt: skip


def fit(settings: dict, lr: float, ids: np.ndarray, V: int) -> dict:
    """The trained parameters, float32, not yet rounded."""
    D, H, n_updates = settings["D"], settings["H"], settings["n_updates"]
    params = lm.init_language_model(LSTM, V, D, H, np.random.default_rng(settings["seed"]))
    set_forget_bias(LSTM, params, settings["forget_bias"])
    train.train(
        lambda params, batch, state: lm.loss_and_grads(
            LSTM, params, batch.inputs, batch.targets, state
        ),
        params,
        text.sequential_batches(ids, settings["T"], B=settings["B"]),
        n_updates,
        lr=train.linear_decay(lr, n_updates),
        max_norm=settings["max_norm"],
        progress=False,
    )
    return params


def rounded(params: dict) -> dict:
    """Half precision and back: what the browser computes with."""
    return {name: array.astype("<f2").astype(np.float64) for name, array in params.items()}


def pack(params: dict, symbols) -> dict:
    """What the file holds: the symbols, and for each array its shape and its halves in base64."""
    arrays = {
        name: {
            "shape": array.shape,
            "half": base64.b64encode(array.astype("<f2").tobytes()).decode(),
        }
        for name, array in params.items()
    }
    return {"symbols": list(symbols), "arrays": arrays}


def unpack(packed: dict) -> dict:
    """The parameters in a file of `pack`, float64."""
    return {
        name: np.frombuffer(base64.b64decode(one["half"]), "<f2")
        .astype(np.float64)
        .reshape(one["shape"])
        for name, one in packed["arrays"].items()
    }


def followers(params: dict, passage: str, vocab) -> dict:
    """For each property of gates_on_text, the unit whose c follows it best, and its correlation."""
    x = layers.embedding_forward(params, vocab.encode(passage)[:, None])
    _, _, cache = unroll.forward(LSTM, params, x)
    cells = cache.states[1][1:, 0]
    found = {}
    for name, values in gates_on_text.properties(passage).items():
        unit, r = gates_on_text.best_unit(cells, values)
        found[name] = {"unit": unit, "r": r}
    return found


def run(lr: float, plays, vocab) -> tuple:
    """A rounded model, and what the record says of it."""
    begin = time.process_time()
    params = rounded(fit(SETTINGS, lr, vocab.encode(plays.train), len(vocab)))
    result = {
        "valid": lm.evaluate(LSTM, params, vocab.encode(plays.valid)) / np.log(2),
        "test": lm.evaluate(LSTM, params, vocab.encode(plays.test)) / np.log(2),
        "parameters": sum(array.size for array in params.values()),
        "seconds": round(time.process_time() - begin),
        "follows": followers(params, plays.test[: gates_on_text.PASSAGE], vocab),
    }
    return params, result


def main() -> None:
    """Every rate that the record does not have; the weights are those of the best on valid."""
    about = {
        "question": "A character LSTM of 64 units, small enough for a page: how good is it?",
        "date": study.date.today().isoformat(),
        "machine": f"{platform.machine()}, one thread",
        "versions": study.versions(),
        "settings": SETTINGS,
    }
    plays = corpora.shakespeare()
    vocab = text.Vocabulary.of(plays.train)
    runs = list(records.load(RECORD.stem, RECORD.parent).runs) if RECORD.exists() else []
    for lr in SETTINGS["rates"]:
        if any(made["case"] == {"lr": lr} for made in runs):
            continue
        params, result = run(lr, plays, vocab)
        if all(result["valid"] < made["result"]["valid"] for made in runs):
            WEIGHTS.write_text(json.dumps(pack(params, vocab.symbols)) + "\n", "utf-8")
        runs.append({"case": {"lr": lr}, "result": result})
        study.write_record(RECORD, about, runs)
        print(lr, json.dumps(result, indent=1), flush=True)


if __name__ == "__main__":
    main()
