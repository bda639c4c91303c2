"""Minimal layers beside the GRU on letters, equal parameters, ten seeds: notebook 37.

Every model has as many parameters as the others, the embedding and the read-out included; the GRU
and the minGRU come in several depths. All run with all rates and all seeds; four run longer, too,
with three seeds. By one rule, each model takes in each budget the rate with the lowest mean bits on
validation text; what is compared is then the bits on test text, other plays. Biases start as drawn.
One model is a control: its gates are those in (−1, 1) without their sign, so it starts where they
start.
"""

from functools import cache

import gates_on_text
import numpy as np
import study

from helpers import language_model, layers, linear_recurrence, text, train
from helpers.activations import dsigmoid, sigmoid, softmax
from helpers.data import corpora
from helpers.gru import GRU
from helpers.linear_recurrence import (
    MIN_GRU,
    MIN_GRU_SIGNED,
    MIN_LSTM,
    Cache,
    Layer,
    arriving,
    init_min_gru,
    pre_activations,
    run_scan,
    run_scan_backward,
    to_weights,
)
from helpers.losses import LossAndGrads, cross_entropy


def unsigned_forward(params, x, h0=None):
    """`min_gru_forward` with the factor |2s − 1|: like the signed gate, but never negative."""
    gates = pre_activations(2, params, x)
    gates[0] = sigmoid(gates[0])
    s, n = gates
    keep, h0 = np.abs(2 * s - 1), np.zeros_like(n[0]) if h0 is None else h0
    h = run_scan(keep, (1 - s) * n, h0)
    return h, h[-1].copy(), Cache(x, gates, keep, h, h0, True)


def unsigned_backward(params, cache, dh=None, dfinal=None):
    """Back through `unsigned_forward`."""
    s, n = cache.gates
    dkeep, db, dh0 = run_scan_backward(cache.keep, cache.h, cache.h0, arriving(cache, dh, dfinal))
    ds = 2 * np.sign(2 * s - 1) * dkeep - db * n
    return *to_weights(params, cache.x, np.stack([ds * dsigmoid(s), db * (1 - s)])), dh0


UNSIGNED = Layer("min_gru_unsigned", init_min_gru, unsigned_forward, unsigned_backward)
MODELS = {  # name → (cell or layer, number of layers)
    "GRU, 1 layer": (GRU, 1),
    "GRU, 2 layers": (GRU, 2),
    "minLSTM, 2 layers": (MIN_LSTM, 2),
    "minGRU, 1 layer": (MIN_GRU, 1),
    "minGRU, 2 layers": (MIN_GRU, 2),
    "minGRU, 3 layers": (MIN_GRU, 3),
    "minGRU in (-1, 1), 2 layers": (MIN_GRU_SIGNED, 2),
    "same without its sign": (UNSIGNED, 2),
}


@cache
def data():
    """Ids to train on, to validate and to test, and the number of symbols."""
    plays = corpora.shakespeare()
    vocab = text.Vocabulary.of(plays.train)
    parts = plays.train[:400_000], plays.valid[:50_000], plays.test[:50_000]
    return *(vocab.encode(part) for part in parts), len(vocab)


def new_model(name, V, D, H, rng):
    """Parameters of the model: embedding, layers, read-out."""
    kind, n = MODELS[name]
    if kind is GRU:
        return language_model.init_language_model(GRU, V, D, H, rng, n_layers=n)
    layer = linear_recurrence.stack(kind, n)
    return {
        **layers.init_embedding(V, D, rng),
        **linear_recurrence.init_model(layer, D, H, V, rng),
    }


def loss_and_grads(name, params, inputs, targets, state):
    """Cross-entropy in nats and its gradients, as `language_model.loss_and_grads`."""
    kind, n = MODELS[name]
    if kind is GRU:
        return language_model.loss_and_grads(GRU, params, inputs, targets, state)
    layer, x = linear_recurrence.stack(kind, n), layers.embedding_forward(params, inputs)
    (loss, grads, state), dx = linear_recurrence.loss_and_dx(
        layer, params, x, lambda z: cross_entropy(z, targets), state
    )
    return LossAndGrads(loss, layers.embedding_backward(params, inputs, dx) | grads, state)


def predict(name, params, inputs, state):
    """Logits (T, B, V) and the final state."""
    kind, n = MODELS[name]
    if kind is GRU:
        return language_model.predict(GRU, params, inputs, state)[:2]
    x = layers.embedding_forward(params, inputs)
    return linear_recurrence.predict(linear_recurrence.stack(kind, n), params, x, state)[:2]


def width(name, V, settings):
    """The H that brings the whole model nearest to the number of parameters wanted."""
    kind, n = MODELS[name]
    D, wanted = settings["D"], settings["parameters"]

    def size(H):
        inputs, k = D + (n - 1) * H, 3 if kind in (GRU, MIN_LSTM) else 2
        own = n * (3 * H * H + H) if kind is GRU else 0  # W_hh and b_n
        return V * D + k * H * (inputs + n) + own + H * V + V

    return min(range(8, 500), key=lambda H: abs(size(H) - wanted))


def bits(name, params, ids, warm=50):
    """Bits per character, side by side in 64 columns, without the first `warm` of each."""
    seen, state, p = gates_on_text.columns(ids), None, []
    for t in range(0, len(seen) - 1, 200):
        answers = seen[t + 1 : t + 201]
        z, state = predict(name, params, seen[t : t + len(answers)], state)
        p.append(np.take_along_axis(softmax(z), answers[..., None], axis=2)[..., 0])
    return float(-np.log2(np.concatenate(p)[warm:]).mean())


def tuned(record, name, updates):
    """The rate with the lowest mean validation bits over the seeds; of equals the smallest."""
    return min(
        RATES[updates],
        key=lambda lr: np.mean(record.values("valid", model=name, updates=updates, lr=lr)),
    )


def fit(case, settings):
    """A trained model: its parameters, and its learning curve in nats."""
    name, n_updates = case["model"], case["updates"]
    ids, _, _, V = data()
    rng, H = np.random.default_rng(case["seed"]), width(name, V, settings)
    params = new_model(name, V, settings["D"], H, rng)

    def step(params, batch, state):
        return loss_and_grads(name, params, batch.inputs, batch.targets, state)

    batches = text.sequential_batches(ids, settings["T"], settings["batch"])
    history = train.train(
        step, params, batches, n_updates,
        lr=train.linear_decay(case["lr"], n_updates), max_norm=1.0, progress=False,
    )  # fmt: skip
    return params, history.loss


def run(case, settings):
    """One training: bits per character on validation and on test text, and the model's size."""
    name, (_, valid, test, _) = case["model"], data()
    params, _ = fit(case, settings)
    return {
        "valid": bits(name, params, valid),
        "test": bits(name, params, test),
        "parameters": sum(p.size for p in params.values()),
    }


RATES = {200: (0.016, 0.032, 0.064), 600: (0.016, 0.032)}
SEEDS = {200: range(10), 600: range(3)}
LONGER = ("GRU, 1 layer", "minGRU, 2 layers", *list(MODELS)[-2:])  # what runs with 600 updates too

STUDY = study.Study(
    name="min_gru_text",
    question="With equal parameters, what does a minGRU lose on letters against a GRU?",
    settings={"parameters": 30_000, "D": 32, "T": 50, "batch": 32},
    cases=[
        {"model": name, "updates": updates, "lr": lr, "seed": seed}
        for updates, models in ((200, MODELS), (600, LONGER))
        for name in models
        for lr in RATES[updates]
        for seed in SEEDS[updates]
    ],
    run=run,
    tolerance=0.2,
)

if __name__ == "__main__":
    study.main(STUDY)
