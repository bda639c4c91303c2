"""Seven memories of one size are asked for the values of keys.

All have the same embeddings and a linear read-out, and within 3 % the same number of parameters in
the whole model. In the first task each of four rates runs with ten seeds; the notebook shows the
accuracy on test data for the rate with the highest mean accuracy on validation data. The second
task takes the rates of the first, with ten seeds as well.
"""

from functools import partial

import numpy as np
import study

from helpers import layers, losses, text, train, unroll
from helpers import linear_recurrence as lr_
from helpers.activations import sigmoid
from helpers.checks import NonFiniteError
from helpers.data.pairs import pairs, rewritten_pairs
from helpers.linear_recurrence import Layer
from helpers.lstm import LSTM, set_forget_bias
from helpers.matrix_memory import DECAY, DELTA, MLSTM, SUM, unit
from helpers.self_attention import (
    init_self_attention,
    self_attention_backward,
    self_attention_forward,
)

TASKS = {"once": pairs, "rewritten": rewritten_pairs}
RATES = (0.003, 0.01, 0.03, 0.1)
# The rates with the highest mean accuracy on validation data of the first task, of equals the
# largest: with these the second task is run.
BEST = {
    "LSTM": 0.01,
    "sum": 0.03,
    "decay": 0.03,
    "delta": 0.03,
    "mLSTM": 0.01,
    "attention": 0.03,
    "attention, positions": 0.03,
}
SEEDS = {"once": 10, "rewritten": 10}
SETTINGS = {
    "keys": 64,
    "values": 16,
    "embedding": 16,
    "width of the sum": 16,
    "pairs in training": [4, 8, 16, 32],
    "pairs in tests": [4, 8, 16, 32, 64],
    "updates": 1500,
    "batch": 16,
    "sequences per test": 200,
    "max norm": 1.0,
    "forget bias": 1.0,
}
VALIDATION, TEST = 10_000, 20_000  # seeds of the sequences that scores are taken on


def init_lstm(D, H, rng, dtype=np.float32):
    """An LSTM whose forget gates start open, as is usual."""
    params = unroll.init_cell(LSTM, D, H, rng, dtype)
    return set_forget_bias(LSTM, params, SETTINGS["forget bias"])


def attention_layer(positions):
    """Causal self-attention with one head, with or without positions."""
    return Layer(
        "attention", init_self_attention,
        partial(self_attention_forward, positions=positions), self_attention_backward,
    )  # fmt: skip


MEMORIES = {
    "LSTM": Layer("lstm", init_lstm, partial(unroll.forward, LSTM), partial(unroll.backward, LSTM)),
    "sum": SUM,
    "decay": DECAY,
    "delta": DELTA,
    "mLSTM": MLSTM,
    "attention": attention_layer(None),
    "attention, positions": attention_layer("sinusoidal"),
}


def n_parameters(params):
    """Numbers that are trained."""
    return sum(p.size for p in params.values())


def new_model(name, width, rng, settings):
    """Two embeddings E_key (keys, D) and E_value (values + 1, D), a memory, a read-out."""
    D, V = settings["embedding"], settings["values"]
    return {
        "E_key": rng.standard_normal((settings["keys"], D)).astype(np.float32),
        "E_value": rng.standard_normal((V + 1, D)).astype(np.float32),
        **lr_.init_model(MEMORIES[name], 2 * D, width, V, rng),
    }


def width_of(name, settings):
    """The width with which the whole model is nearest in size to that with the sum."""
    if name == "LSTM" and "LSTM units" in settings:  # for `recall_wide`
        return settings["LSTM units"]
    rng = np.random.default_rng(0)
    wanted = n_parameters(new_model("sum", settings["width of the sum"], rng, settings))
    sizes = {width: n_parameters(new_model(name, width, rng, settings)) for width in range(2, 40)}
    return min(sizes, key=lambda width: abs(sizes[width] - wanted))


def forward(name, params, inputs):
    """x_t = [E_key[key]; E_value[value]], the memory, the read-out. Returns z, h, cache, state."""
    tables = params["E_key"][inputs[..., 0]], params["E_value"][inputs[..., 1]]
    x = np.concatenate(tables, axis=-1)
    own = {k: p for k, p in params.items() if k not in ("E_key", "E_value", "W_hy", "b_y")}
    h, state, cache = MEMORIES[name].forward(own, x)
    return layers.linear_forward(params, h), h, (own, cache), state


def loss_and_grads(name, params, batch):
    """Mean surprise at the right values, and its gradient for all parameters."""
    targets, mask = batch.targets
    z, h, (own, cache), _ = forward(name, params, batch.inputs)
    loss, dz = losses.cross_entropy(z, targets, mask)
    grads, dh = layers.linear_backward(params, h, dz)
    own_grads, dx, _ = MEMORIES[name].backward(own, cache, dh)
    for i, (table, d) in enumerate(zip(("E_key", "E_value"), np.split(dx, 2, axis=-1))):
        E = {"E": params[table]}
        grads[table] = layers.embedding_backward(E, batch.inputs[..., i], d)["E"]
    grads |= own_grads
    return losses.LossAndGrads(loss, {k: grads[k] for k in params})


def make(task, n, B, rng, settings):
    """A batch of lists with n writes, and their answers."""
    inputs, targets, mask = TASKS[task](n, B, rng, settings["keys"], settings["values"])
    return text.Batch(inputs, (targets, mask))


def train_model(case, settings):
    """Parameters after training on lists of several lengths, drawn anew for each update."""
    name, task, rng = case["memory"], case["task"], np.random.default_rng(case["seed"])
    params = new_model(name, width_of(name, settings), rng, settings)
    lengths, n = settings["pairs in training"], settings["updates"]
    batches = iter(
        lambda: make(task, int(rng.choice(lengths)), settings["batch"], rng, settings), None
    )
    train.train(
        lambda p, batch, state: loss_and_grads(name, p, batch), params, batches, n,
        lr=train.linear_decay(case["lr"], n), max_norm=settings["max norm"], progress=False,
    )  # fmt: skip
    return params


def accuracy(name, task, params, n, seed, settings):
    """The share of questions that are answered with the right value."""
    batch = make(task, n, settings["sequences per test"], np.random.default_rng(seed + n), settings)
    z = forward(name, params, batch.inputs)[0]
    targets, mask = batch.targets
    return float((z.argmax(axis=-1) == targets)[mask].mean())


def inside(name, params, settings):
    """What training has made of the keys and gates of a matrix memory; {} for the others.

    overlap: how strongly a question hears another key's value, the mean of (q_i · k_j)² over i ≠ j
    and all values, relative to the square of the mean of q_i · k_i; 1/d for random keys. keep and
    beta: the means of the decay a and of β when pairs are written.
    """
    if name not in ("sum", "decay", "delta"):
        return {}
    n, V = settings["keys"], settings["values"]
    asking = np.concatenate([params["E_key"], np.tile(params["E_value"][V], (n, 1))], axis=-1)
    writing = np.concatenate(
        [np.repeat(params["E_key"], V, axis=0), np.tile(params["E_value"][:V], (n, 1))], axis=-1
    )
    q = unit(asking @ params["W_q"])[0]
    k = unit(writing @ params["W_k"])[0].reshape(n, V, -1)
    s = np.einsum("id,jvd->ijv", q, k)
    own, others = s[np.arange(n), np.arange(n)], s[~np.eye(n, dtype=bool)]
    found = {"overlap": (others**2).mean() / own.mean() ** 2}
    for gate, called in {"a": "keep", "b": "beta"}.items():
        if f"W_{gate}" in params:
            found[called] = sigmoid(writing @ params[f"W_{gate}"] + params[f"b_{gate}"]).mean()
    return {called: round(float(value), 4) for called, value in found.items()}


def run(case, settings):
    """Train one memory from one seed, and score it. One that overflows scores as a guesser does.

    Results: validation, the mean accuracy over the lengths of training; test, the accuracy for each
    length of the tests, of which the last one is longer than any of training; and what is `inside`.
    """
    name, task = case["memory"], case["task"]
    scores = {VALIDATION: settings["pairs in training"], TEST: settings["pairs in tests"]}
    try:
        with np.errstate(over="ignore", invalid="ignore"):
            params = train_model(case, settings)
            found = {
                seed: [accuracy(name, task, params, n, seed, settings) for n in lengths]
                for seed, lengths in scores.items()
            }
    except (FloatingPointError, NonFiniteError):
        rng = np.random.default_rng(case["seed"])
        params = new_model(name, width_of(name, settings), rng, settings)
        found = {seed: [1 / settings["values"]] * len(ns) for seed, ns in scores.items()}
    return {
        "validation": round(float(np.mean(found[VALIDATION])), 4),
        "test": [round(a, 4) for a in found[TEST]],
        **inside(name, params, settings),
    }


STUDY = study.Study(
    name="recall",
    question="How many key-value pairs do seven memories with equal parameters keep?",
    settings=SETTINGS,
    cases=[
        {"task": task, "memory": memory, "lr": lr, "seed": seed}
        for task in TASKS
        for memory in MEMORIES
        for lr in (RATES if task == "once" else [BEST[memory]])
        for seed in range(SEEDS[task])
    ],
    run=run,
    tolerance=0.5,
)

if __name__ == "__main__":
    study.main(STUDY)
