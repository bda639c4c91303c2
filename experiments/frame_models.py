"""What notebook 31 compares: one eye, and six memories that read its features, of equal size.

The eye is trained once, on single frames, to say what it sees and where; then it is frozen, as the
convolutional networks under published captioners are. The memories read its features.
"""

from typing import NamedTuple

import numpy as np

from helpers import conv, init, layers, unroll, vision
from helpers.activations import dtanh
from helpers.data import frames
from helpers.losses import LossAndGrads, cross_entropy
from helpers.lstm import LSTM
from helpers.rnn import RNN
from helpers.text import Batch
from helpers.train import linear_decay, train
from helpers.trained import store
from helpers.trained.records import FOLDER

WEIGHTS = FOLDER.with_name("frames.npz")
E, N_PLACES, N_WAYS = 32, frames.FIELD // frames.STEP, len(frames.DIRECTIONS)


# --- The eye ------------------------------------------------------------------------------------


def learn_eye(seed: int, n: int, B: int = 64, lr: float = 0.01) -> dict:
    """An eye that says of single frames which digit is there, in which row and in which column."""
    rng = np.random.default_rng(seed)
    side, heads = frames.FIELD, (frames.N_DIGITS, N_PLACES, N_PLACES)
    params = vision.init_eye(side, side, E, rng) | layers.init_linear(E, sum(heads), rng)

    def batches():
        while True:
            films = frames.shoot(1, B, frames.split().train, rng)
            targets = films.digit, films.row // frames.STEP, films.column // frames.STEP
            yield Batch(frames.render(films)[0], [t[0] for t in targets], start=True)

    def step(params, batch, state):
        c, cache = vision.see(params, batch.inputs)
        z = layers.linear_forward(params, c)
        parts = np.split(z, np.cumsum(heads)[:-1], axis=1)
        scored = [cross_entropy(part, t) for part, t in zip(parts, batch.targets)]
        dz = np.concatenate([d for _, d in scored], axis=1)
        grads, dc = layers.linear_backward(params, c, dz)
        grads |= vision.see_backward(params, cache, dc)
        return LossAndGrads(sum(loss for loss, _ in scored), grads)

    train(step, params, batches(), n, lr=linear_decay(lr, n), max_norm=1.0, progress=False)
    return params


# --- The memories -------------------------------------------------------------------------------


class Memory(NamedTuple):
    """cell, or kernel and dilations of convolutions in time; keep: the gate whose bias starts at 1.

    A stack of convolutions stands on a dense layer that brings the features to its size.
    """

    cell: object = None
    K: int = 0
    dilations: tuple = ()
    keep: str | None = None


MEMORIES = {
    "frame": Memory(K=1, dilations=(1, 1, 1, 1)),
    "time 5": Memory(K=2, dilations=(1, 1, 1, 1)),
    "time 16": Memory(K=2, dilations=(1, 2, 4, 8)),
    "time 64": Memory(K=2, dilations=(1, 2, 4, 8, 16, 32)),
    "RNN": Memory(RNN),
    "LSTM": Memory(LSTM, keep="f"),
}


def new_params(name: str, H: int, seed: int, dtype=np.float32) -> dict:
    """Parameters at their start. Where a memory has to keep, it gets the start that helps it."""
    memory, rng = MEMORIES[name], np.random.default_rng(seed)
    if memory.cell is None:
        params = layers.init_affine("in", E, H, rng, dtype)
        params |= conv.init_time_stack(memory.K, H, len(memory.dilations), rng, dtype)
    else:
        params = unroll.init_cell(memory.cell, E, H, rng, dtype)
        if memory.keep:
            gate = memory.cell.gates.index(memory.keep)
            params["b_h"].reshape(memory.cell.n_gates, H)[gate] = 1
        else:
            params["W_hh"] = init.orthogonal(H, rng, dtype)
    return params | layers.init_linear(H, frames.N_DIGITS + N_WAYS, rng, dtype)


def count(params: dict) -> int:
    """How many numbers are learned."""
    return sum(p.size for p in params.values())


def units(name: str, size: int) -> int:
    """The largest H with which memory and read-out have at most `size` parameters."""
    H = 1
    while count(new_params(name, H + 1, 0)) <= size:
        H += 1
    return H


def run_memory(name: str, params: dict, c: np.ndarray):
    """Features (T, B, E) → scores z (T, B, 14) of ten digits and four directions, and a cache."""
    memory = MEMORIES[name]
    if memory.cell is None:
        x = np.tanh(c @ params["W_in"] + params["b_in"])
        h, cache = conv.stack_forward(params, x, memory.dilations)
        cache = (c, x, cache)
    else:
        h, _, cache = unroll.forward(memory.cell, params, c)
    return layers.linear_forward(params, h), (h, cache)


def memory_backward(name: str, params: dict, cache, dz: np.ndarray) -> dict:
    """Gradients of all parameters of a memory and its read-out; the eye is frozen."""
    memory, (h, cache) = MEMORIES[name], cache
    grads, dh = layers.linear_backward(params, h, dz)
    if memory.cell:
        return grads | unroll.backward(memory.cell, params, cache, dh)[0]
    c, x, cache = cache
    stack_grads, dx = conv.stack_backward(params, cache, memory.dilations, dh)
    da = (dx * dtanh(x)).reshape(-1, x.shape[-1])
    return grads | stack_grads | {"W_in": c.reshape(-1, E).T @ da, "b_in": da.sum(axis=0)}


def loss_and_grads(name: str, params: dict, c: np.ndarray, films: frames.Films):
    """The cross-entropy of the digit on all frames, and of the direction where there is one."""
    z, cache = run_memory(name, params, c)
    n, has = frames.N_DIGITS, films.direction >= 0
    digit, dz_digit = cross_entropy(z[..., :n], films.digit)
    way, dz_way = cross_entropy(z[..., n:], np.where(has, films.direction, 0), has)
    dz = np.concatenate([dz_digit, dz_way], axis=-1)
    return LossAndGrads(digit + way, memory_backward(name, params, cache, dz))


def take(films: frames.Films, chosen) -> frames.Films:
    """Some of the films."""
    return frames.Films(*(part[:, chosen] for part in films))


def features(eye: dict, films: frames.Films, at_once: int = 64) -> np.ndarray:
    """What the eye sees of every frame, (T, B, E)."""
    B = films.image.shape[1]
    parts = [take(films, slice(i, i + at_once)) for i in range(0, B, at_once)]
    return np.concatenate([vision.look(eye, frames.render(p))[0] for p in parts], axis=1)


def learn(name: str, H: int, c, films, seed: int, n: int, B: int, rate: float) -> tuple:
    """Train one memory on features (T, N, E) of N films. Returns parameters and the history."""
    params, rng = new_params(name, H, seed), np.random.default_rng(1000 + seed)

    def batches():
        while True:
            chosen = rng.integers(c.shape[1], size=B)
            yield Batch(c[:, chosen], take(films, chosen), start=True)

    def step(params, batch, state):
        return loss_and_grads(name, params, batch.inputs, batch.targets)

    decay = linear_decay(rate, n)
    history = train(step, params, batches(), n, lr=decay, max_norm=1.0, progress=False)
    return params, history


# --- Scores -------------------------------------------------------------------------------------


def answers(name: str, params: dict, c: np.ndarray):
    """The most probable digit and direction of every frame, (T, B) each."""
    z, _ = run_memory(name, params, c)
    return z[..., : frames.N_DIGITS].argmax(axis=-1), z[..., frames.N_DIGITS :].argmax(axis=-1)


def scores(name: str, params: dict, c: np.ndarray, films: frames.Films) -> dict:
    """Shares of right answers: digits seen, digits hidden, directions."""
    digit, way = answers(name, params, c)
    right, has = digit == films.digit, films.direction >= 0
    return {
        "seen": float(right[~films.hidden].mean()),
        "hidden": float(right[films.hidden].mean()),
        "direction": float((way == films.direction)[has].mean()),
    }


def two_scenes(n: int, indices: np.ndarray, rng, behind: int) -> frames.Films:
    """A digit for six frames, the screen for six, another digit for six, the screen to the end."""
    before = frames.shoot(18, n, indices, rng, shown=(6, 6), hidden=(6, 6))
    return frames.one_scene(before, behind)


def trained() -> dict:
    """The stored parameters, float32: of the eye, and of the first seed of each memory."""
    params = {}
    for key, array in store.read_npz(WEIGHTS).items():
        name, _, parameter = key.partition("/")
        params.setdefault(name, {})[parameter] = array.astype(np.float32)
    return params
