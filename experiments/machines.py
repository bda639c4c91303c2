"""What can a memory compute? Nine memories on eight tasks: trained on short, scored on long.

All nine sit in the same body, have the same number of parameters in the whole model, and take the
better of two learning rates, which is chosen for each memory on each task by the accuracy on
validation sequences of the trained length (see `chosen`). The tasks are those of
`helpers.data.machines`. The body:

    u = E[ids]                                     embedding, D numbers a symbol
    twice:  v = u + m W_m + b_m,  m = memory(u)    what the memory says is added,
            u = v + relu(v W_1 + b_1) W_2 + b_2    and worked on, step by step
    z = u W_hy + b_y                               the answer at every step

Shapes: u (T, B, D), m (T, B, H), z (T, B, C).
"""

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import study

from helpers import init, layers, linear_recurrence, losses, self_attention, text, train, unroll
from helpers.activations import dsigmoid, sigmoid
from helpers.data.machines import TASKS, examination
from helpers.gru import GRU
from helpers.lstm import LSTM
from helpers.rnn import RNN, RNN_RELU


class Memory(NamedTuple):
    """init(D, H, rng) → params; forward(params, u) → m, cache; backward(params, cache, dm) → grads,
    du. u is (T, B, D) and m (T, B, H)."""

    init: Callable
    forward: Callable
    backward: Callable


def times(u, W):
    """u W for u (T, B, D): one product, and not one for each step."""
    return (u.reshape(-1, u.shape[-1]) @ W).reshape(*u.shape[:-1], W.shape[1])


def gradient_of_product(u, da):
    """The gradient of W in u W, summed over steps and sequences."""
    return u.reshape(-1, u.shape[-1]).T @ da.reshape(-1, da.shape[-1])


# --- Memories -----------------------------------------------------------------------------------


def of_cell(cell, keeps=None, identity=False) -> Memory:
    """A cell of the book. keeps: the gate that starts with a bias of 1, so that a unit keeps."""

    def make(D, H, rng):
        params = unroll.init_cell(cell, D, H, rng)
        b = params["b_h"].reshape(cell.n_gates, H)
        if identity:
            params["W_hh"], b[:] = init.scaled_identity(H), 0
        if keeps:
            b[cell.gates.index(keeps)] = 1
        return params

    def forward(params, u):
        hs, _, cache = unroll.run_forward(cell, params, u)
        return hs, cache

    def backward(params, cache, dm):
        grads, du, _ = unroll.run_backward(cell, params, cache, dm)
        return grads, du

    return Memory(make, forward, backward)


def of_layer(layer) -> Memory:
    """A layer without W_hh, of `linear_recurrence`; its gate z starts with a bias of 1."""

    def make(D, H, rng):
        params = layer.init(D, H, rng)
        params["b_h"][:H] = 1
        return params

    def forward(params, u):
        hs, _, cache = layer.forward(own(params, "W_xh", "b_h"), u)
        return hs, cache

    def backward(params, cache, dm):
        grads, du, _ = layer.backward(own(params, "W_xh", "b_h"), cache, dm)
        return grads, du

    return Memory(make, forward, backward)


def own(params, *names):
    """A layer's parameters, without those of the body around it."""
    return {name: params[name] for name in names}


def make_linear(D, H, rng):
    made = layers.init_affine("h", D, H, rng)
    tau = np.exp(rng.uniform(0, np.log(100), H))  # memory lengths from 1 to 100 steps
    return {"W": made["W_h"], "b": made["b_h"], "alpha": -np.log(np.expm1(1 / tau)).astype("f4")}


def linear_forward(params, u):
    """h_t = a h_{t−1} + (1 − a) (u_t W + b), a = σ(α) in (0, 1): the same at every step."""
    a = sigmoid(params["alpha"])
    x = times(u, params["W"]) + params["b"]
    h = linear_recurrence.run_scan(np.broadcast_to(a, x.shape), (1 - a) * x)
    return h, (u, a, x, h)


def linear_backward(params, cache, dm):
    u, a, x, h = cache
    da, db, _ = linear_recurrence.run_scan_backward(np.broadcast_to(a, x.shape), h, None, dm)
    dx = db * (1 - a)
    grads = {
        "W": gradient_of_product(u, dx), "b": dx.sum(axis=(0, 1)),
        "alpha": (da - db * x).sum(axis=(0, 1)) * dsigmoid(a),
    }  # fmt: skip
    return grads, times(dx, params["W"].T)


def of_attention(positions) -> Memory:
    """Causal self-attention with two heads: each step looks at itself and at all before it."""
    names = ("W_q", "W_k", "W_v", "W_o")

    def forward(params, u):
        m, _, cache = self_attention.self_attention_forward(
            own(params, *names), u, heads=2, positions=positions
        )
        return m, cache

    def backward(params, cache, dm):
        grads, du, _ = self_attention.self_attention_backward(own(params, *names), cache, dm)
        return grads, du

    return Memory(self_attention.init_self_attention, forward, backward)


MEMORIES = {
    "RNN": of_cell(RNN),
    "IRNN": of_cell(RNN_RELU, identity=True),
    "LSTM": of_cell(LSTM, keeps="f"),
    "GRU": of_cell(GRU, keeps="z"),
    "minGRU (0, 1)": of_layer(linear_recurrence.MIN_GRU),
    "minGRU (−1, 1)": of_layer(linear_recurrence.MIN_GRU_SIGNED),
    "fixed decay": Memory(make_linear, linear_forward, linear_backward),
    "attention": of_attention("sinusoidal"),
    "attention, no positions": of_attention(None),
}

# --- One body for all ---------------------------------------------------------------------------

D, BLOCKS = 32, 2


def init_block(memory: Memory, H: int, rng) -> dict:
    made = layers.init_affine("m", H, D, rng)
    made |= layers.init_affine("1", D, D, rng) | layers.init_affine("2", D, D, rng)
    return made | memory.init(D, H, rng)


def init_model(memory: Memory, H: int, V: int, C: int, rng) -> dict:
    """Embedding, blocks (names end in _0 and _1) and read-out, in one dict."""
    params = layers.init_embedding(V, D, rng) | layers.init_linear(D, C, rng)
    for i in range(BLOCKS):
        params |= {f"{name}_{i}": a for name, a in init_block(memory, H, rng).items()}
    return params


def block_of(params: dict, i: int) -> dict:
    return {name[:-2]: array for name, array in params.items() if name.endswith(f"_{i}")}


def block_forward(memory, p, u):
    m, cache = memory.forward(p, u)
    v = u + times(m, p["W_m"]) + p["b_m"]
    r = np.maximum(times(v, p["W_1"]) + p["b_1"], 0)
    return v + times(r, p["W_2"]) + p["b_2"], (m, cache, v, r)


def block_backward(memory, p, kept, du):
    m, cache, v, r = kept
    da = times(du, p["W_2"].T) * (r > 0)
    dv = du + times(da, p["W_1"].T)
    grads, du_memory = memory.backward(p, cache, times(dv, p["W_m"].T))
    for name, x, d in (("2", r, du), ("1", v, da), ("m", m, dv)):
        grads["W_" + name], grads["b_" + name] = gradient_of_product(x, d), d.sum(axis=(0, 1))
    return grads, dv + du_memory


def forward(memory: Memory, params: dict, ids):
    """Answers z (T, B, C), and what the way back needs."""
    u, kept = layers.embedding_forward(params, ids), []
    for i in range(BLOCKS):
        u, cache = block_forward(memory, block_of(params, i), u)
        kept.append(cache)
    return layers.linear_forward(params, u), (u, kept)


def loss_and_grads(memory: Memory, params: dict, ids, targets, mask) -> losses.LossAndGrads:
    """Cross-entropy at the scored steps, and its gradient for every parameter."""
    z, (u, kept) = forward(memory, params, ids)
    loss, dz = losses.cross_entropy(z, targets, mask)
    grads, du = layers.linear_backward(params, u, dz)
    for i in reversed(range(BLOCKS)):
        of_block, du = block_backward(memory, block_of(params, i), kept[i], du)
        grads |= {f"{name}_{i}": g for name, g in of_block.items()}
    return losses.LossAndGrads(loss, grads | layers.embedding_backward(params, ids, du))


# --- One training -------------------------------------------------------------------------------

RATES = (0.003, 0.01)
SETTINGS = {
    "D": D,
    "blocks": BLOCKS,
    "lstm units": 24,
    "rates": list(RATES),
    "updates": {task: 2500 if task == "copying" else 1200 for task in TASKS},
    "batch": 32,
    "lengths": [10, 20],
    "scored at": [20, 40, 100, 200],
    "validation sequences": 500,
    "scored sequences": 200,
    "max norm": 1.0,
}
VALIDATION, TEST = 10_000, 20_000  # seeds of the sequences that scores are taken on


def n_parameters(memory: Memory, H: int) -> int:
    """Parameters of one block; embedding and read-out are the same for all."""
    return sum(a.size for a in init_block(memory, H, np.random.default_rng(0)).values())


@lru_cache
def width(name: str, lstm_units: int) -> int:
    """The even H with which a block is about as large as the LSTM's."""
    target = n_parameters(MEMORIES["LSTM"], lstm_units)
    return min(range(4, 130, 2), key=lambda H: abs(n_parameters(MEMORIES[name], H) - target))


def accuracy(memory: Memory, params: dict, task: str, T: int, B: int, seed: int) -> float:
    """The share of right answers at length T, on B sequences; running answers: the last ten."""
    ids, targets, mask = examination(task, T, B, np.random.default_rng(seed + T))
    with np.errstate(over="ignore", invalid="ignore"):  # the IRNN's state may grow so far
        z = forward(memory, params, ids)[0]
    return round(float((z.argmax(axis=-1) == targets)[mask].mean()), 4)


def batches(task: str, settings: dict, rng):
    """Endless training batches, each of one length, drawn evenly from settings["lengths"]."""
    shortest, longest = settings["lengths"]
    while True:
        T = int(rng.integers(shortest, longest + 1))
        ids, *answers = TASKS[task].make(T, settings["batch"], rng)
        yield text.Batch(ids, answers)


def train_one(name: str, task: str, seed: int, rate: float, settings: dict):
    """Train a new model. Returns its parameters, and the mean loss of the last 100 updates."""
    memory, rng, n = MEMORIES[name], np.random.default_rng(seed), settings["updates"][task]
    H, (_, _, V, C, _) = width(name, settings["lstm units"]), TASKS[task]
    params = init_model(memory, H, V, C, rng)

    def step(params, batch, state):
        return loss_and_grads(memory, params, batch.inputs, *batch.targets)

    try:
        with np.errstate(over="ignore", invalid="ignore"):
            history = train.train(
                step, params, batches(task, settings, rng), n, lr=train.linear_decay(rate, n),
                max_norm=settings["max norm"], progress=False,
            )  # fmt: skip
    except FloatingPointError:  # it overflowed: what was learned until then is scored
        return params, float(np.log(C))
    return params, float(history.loss[-100:].mean())


def run(case, settings):
    """Train from one seed, once with each rate.

    Results, one of each for every rate: "validation 0.003", the accuracy at the longest trained
    length; "test 0.003", accuracies at the lengths of settings["scored at"], on other sequences;
    "loss 0.003", of the last updates.
    """
    memory, task = MEMORIES[case["memory"]], case["task"]
    longest, found = settings["lengths"][1], {}
    for rate in settings["rates"]:
        params, loss = train_one(case["memory"], task, case["seed"], rate, settings)
        B = settings["validation sequences"]
        found[f"validation {rate}"] = accuracy(memory, params, task, longest, B, VALIDATION)
        B = settings["scored sequences"]
        found[f"test {rate}"] = [
            accuracy(memory, params, task, T, B, TEST) for T in settings["scored at"]
        ]
        found[f"loss {rate}"] = round(loss, 4)
    return found


def chosen(record, task: str, name: str) -> float:
    """The rate with the higher mean accuracy on validation sequences; of equals the smaller."""
    return max(
        RATES, key=lambda rate: np.mean(record.values(f"validation {rate}", task=task, memory=name))
    )


SEEDS = range(6)

STUDY = study.Study(
    name="machines",
    question="Which tasks does each memory learn on up to 20 steps, and how far beyond do they go?",
    settings=SETTINGS,
    cases=[
        {"task": task, "memory": memory, "seed": seed}
        for task in TASKS
        for memory in MEMORIES
        for seed in SEEDS
    ],
    run=run,
    tolerance=0.8,  # a run may solve the task or not, and on another processor the other way round
)

if __name__ == "__main__":
    study.main(STUDY)
