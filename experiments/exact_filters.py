"""How near do trained networks come to the filter that nothing beats on average? Notebook 41.

Three worlds whose exact filter is known: a hidden Markov model (filter: the forward algorithm), a
noisy oscillation (the Kalman filter), and a slow number seen through noise with outliers, where the
Kalman filter has the right variances but the wrong shape of noise, and the exact filter is a
forward algorithm on a fine grid. Every learner gets n series, trains on three quarters of them and
takes learning rate, moment of stopping, radius, penalty or order from the last quarter. Nothing is
chosen on the test series, which are the same for all.
"""

from functools import lru_cache

import gated
import numpy as np
import study

from helpers import (
    echo_state,
    filters,
    forecaster,
    layers,
    losses,
    sequence_model,
    text,
    train,
    unroll,
)
from helpers.activations import log_softmax
from helpers.gru import GRU
from helpers.lstm import LSTM
from helpers.rnn import RNN

CELLS = {"RNN": RNN, "LSTM": LSTM, "GRU": GRU}
WORLDS = {
    "hmm": ("RNN", "LSTM", "GRU", "HMM, learned", "n-gram"),
    "oscillation": ("RNN", "LSTM", "GRU", "echo state", "autoregression"),
    "outliers": ("RNN", "LSTM", "echo state", "autoregression"),
}
SETTINGS = {
    "steps": 40,
    "series": [16, 64, 256, 1024],  # a quarter of them for validation
    "test series": 500,
    "lstm units": 16,  # RNN and GRU get as many parameters in the whole model
    "updates": 320,
    "batch": 32,
    "rates": [0.003, 0.01, 0.03],
    "look every": 40,  # updates between two looks at the validation series
    "max norm": 1.0,
    "reservoir": 100,
    "radii": [0.3, 0.6, 0.9, 0.99],
    "penalties": [1e-6, 1e-4, 1e-2],
    "orders": [1, 2, 4, 8, 16],
}
TEST = 20_000  # seed of the test series

# --- The worlds ---------------------------------------------------------------------------------

STICKY = filters.HMM(
    start=np.full(3, 1 / 3),
    A=np.array([[0.92, 0.08, 0.0], [0.0, 0.92, 0.08], [0.08, 0.0, 0.92]]),  # round and round
    E=np.array([[0.6, 0.3, 0.05, 0.05], [0.05, 0.6, 0.3, 0.05], [0.3, 0.05, 0.05, 0.6]]),
)


def oscillation(damping=0.97, turn=0.4, noise=1.0) -> filters.LinearGaussian:
    """A point that turns by `turn` radians a step and shrinks by `damping`, pushed at random.

    Its first coordinate is seen with noise of that variance; it starts where it settles.
    """
    c, s = damping * np.cos(turn), damping * np.sin(turn)
    F, Q = np.array([[c, s], [-s, c]]), np.diag([0.06, 0.06])
    C, R = np.array([[1.0], [0.0]]), np.array([[noise]])
    return filters.LinearGaussian(F, Q, C, R, np.zeros(2), filters.stationary(F, Q))


KEEP, PUSH = 0.95, 0.5  # s_{t+1} = KEEP · s_t + PUSH · noise
OUTLIERS = ((0.85, 0.3), (0.15, 3.0))  # share and spread of the two kinds of noise in y = s + noise


def slow() -> filters.LinearGaussian:
    """The Kalman filter's idea of the world with outliers: all variances right, all Gaussian."""
    F, Q = np.array([[KEEP]]), np.array([[PUSH**2]])
    R = np.array([[sum(share * spread**2 for share, spread in OUTLIERS)]])
    return filters.LinearGaussian(F, Q, np.eye(1), R, np.zeros(1), filters.stationary(F, Q))


def normal(x, spread):
    """Density of a normal distribution around zero."""
    return np.exp(-0.5 * (x / spread) ** 2) / (spread * np.sqrt(2 * np.pi))


def sample(world: str, T: int, B: int, rng):
    """Series of a world: ids (T, B), or numbers (T, B, 1)."""
    if world == "hmm":
        return filters.sample_hmm(STICKY, T, B, rng)[1]
    if world == "oscillation":
        return filters.sample_linear(oscillation(), T, B, rng)[1]
    s, _ = filters.sample_linear(slow(), T, B, rng)
    kinds = rng.choice(len(OUTLIERS), (T, B, 1), p=[share for share, _ in OUTLIERS])
    return s + np.array([spread for _, spread in OUTLIERS])[kinds] * rng.standard_normal((T, B, 1))


def on_a_grid(y: np.ndarray, n: int = 161):
    """The exact filter of the world with outliers, with s on n points: log p (T, B), and mean and
    spread of each y_t before it is read, (T, B)."""
    s = np.linspace(-5, 5, n) * np.sqrt(slow().cov[0, 0])
    A = normal(s - KEEP * s[:, None], PUSH)
    start = normal(s, np.sqrt(slow().cov[0, 0]))
    seen = sum(share * normal(y - s, spread) for share, spread in OUTLIERS)
    found = filters.forward_algorithm(start / start.sum(), A / A.sum(axis=1, keepdims=True), seen)
    mean = found.ahead[:-1] @ s
    return found.log_p, mean, np.sqrt(found.ahead[:-1] @ s**2 - mean**2 + slow().R[0, 0])


@lru_cache
def test_set(world: str, T: int, B: int):
    """Test series, the exact filter's loss on them in nats, and what a gap is measured from."""
    y = sample(world, T, B, np.random.default_rng(TEST))
    if world == "hmm":
        beliefs = filters.hmm_filter(STICKY, y)
        return y, -beliefs.log_p.mean(), beliefs
    if world == "oscillation":
        forecasts = filters.kalman(oscillation(), y)
        return y, -forecasts.log_p.mean(), forecasts
    log_p, mean, spread = on_a_grid(y)
    return y, -log_p.mean(), (mean, spread)


# --- Scores -------------------------------------------------------------------------------------


def loss_of(world: str, z: np.ndarray, y: np.ndarray):
    """Mean −log p in nats of what the outputs z (T, B, V or 2) say of y, and its gradient."""
    if world == "hmm":
        return losses.cross_entropy(z, y)
    return forecaster.gaussian_nll(z, y.astype(z.dtype))


def scores(world: str, z: np.ndarray, settings: dict) -> dict:
    """The gap to the exact filter in nats a step, in two ways.

    difference: of the losses on the test series. divergence: the mean of KL(exact ‖ z), which is
    what the difference is on average over all series; not for outliers, where it has no formula.
    """
    y, exact, known = test_set(world, settings["steps"], settings["test series"])
    z = z.astype(np.float64)
    found = {"difference": loss_of(world, z, y)[0] - exact}
    if world == "hmm":
        p = known.ahead[:-1] @ STICKY.E
        found["divergence"] = (p * (np.log(p) - log_softmax(z))).sum(axis=-1).mean()
    if world == "oscillation":
        mean, spread = forecaster.gaussian(z)
        u = (known.spread + (known.mean - mean) ** 2) / spread**2
        found["divergence"] = (0.5 * (u - 1 + np.log(spread**2 / known.spread))).mean()
    return {name: round(float(value), 5) for name, value in found.items()}


# --- The learners: each takes training and validation series, and returns z(series) -------------


def inputs(world: str, y: np.ndarray) -> np.ndarray:
    """What is read before each y_t: the one before it, and zeros before the first."""
    x = layers.one_hot(y, STICKY.E.shape[1]) if world == "hmm" else y.astype(np.float32)
    return np.concatenate([np.zeros_like(x[:1]), x[:-1]])


def best(world, candidates, valid):
    """Of several functions z(series) the one with the lowest loss on the validation series."""
    return min(candidates, key=lambda z: loss_of(world, z(valid), valid)[0])


def descend(step, params, series, look, settings, rate, rng) -> dict:
    """Train, look at the validation series now and then, and return the best parameters seen."""
    kept, n = [(np.inf, None)], settings["updates"]

    def batches():
        for i in range(n + 1):
            if i % settings["look every"] == 0:
                loss = look(params)
                if loss < kept[-1][0]:
                    kept[:] = [(loss, {k: v.copy() for k, v in params.items()})]
            yield text.Batch(series[:, rng.integers(0, series.shape[1], settings["batch"])], None)

    stream = batches()
    train.train(
        step, params, stream, n, lr=train.linear_decay(rate, n), max_norm=settings["max norm"],
        progress=False,
    )  # fmt: skip
    next(stream)  # the look after the last update
    return kept[0][1]


def network(world, model, series, valid, settings, rng):
    """A recurrent network: its z(series), and its parameters."""
    cell, D, V = CELLS[model], *((4, 4) if world == "hmm" else (1, 2))
    H = gated.width(cell, D, V, settings["lstm units"])

    def step(params, batch, state):
        return sequence_model.loss_and_grads(
            cell, params, inputs(world, batch.inputs), lambda z: loss_of(world, z, batch.inputs)
        )

    def outputs(params):
        return lambda y: sequence_model.predict(cell, params, inputs(world, y))[0]

    found = []
    for rate in settings["rates"]:
        params = sequence_model.init_sequence_model(cell, D, H, V, rng)
        found.append(
            descend(
                step,
                params,
                series,
                lambda p: loss_of(world, outputs(p)(valid), valid)[0],
                settings,
                rate,
                rng,
            )  # fmt: skip
        )
    params = min(found, key=lambda p: loss_of(world, outputs(p)(valid), valid)[0])
    return outputs(params), params


def learned_hmm(series, valid, settings, rng):
    """A hidden Markov model with three states whose numbers are learned by gradient descent."""

    def outputs(params):
        hmm = filters.hmm_of(params)
        return lambda y: np.log(filters.hmm_filter(hmm, y).ahead[:-1] @ hmm.E)

    def step(params, batch, state):
        return filters.hmm_loss_and_grads(params, batch.inputs)

    def look(params):
        return -filters.hmm_filter(filters.hmm_of(params), valid).log_p.mean()

    found = []
    for rate in settings["rates"]:
        params = filters.init_hmm(3, 4, rng)
        found.append(descend(step, params, series, look, settings, 10 * rate, rng))
    return best("hmm", [outputs(params) for params in found], valid)


def counted(series, valid, settings):
    """Symbols counted behind every string of k symbols, smoothed with the string of k − 1."""
    V, T = 4, settings["steps"]

    def tables(order):
        counts = {}
        for t in range(T):
            for k in range(min(order, t) + 1):
                keys = [tuple(c) for c in series[t - k : t].T]
                for key, o in zip(keys, series[t]):
                    counts.setdefault(key, np.zeros(V))[o] += 1
        return counts

    def outputs(order, weight, counts):
        def z(y):
            out = np.empty((*y.shape, V))
            for t, b in np.ndindex(y.shape):
                p = np.full(V, 1 / V)
                for k in range(min(order, t) + 1):
                    c = counts.get(tuple(y[t - k : t, b]))
                    if c is None:
                        break
                    p = (c + weight * p) / (c.sum() + weight)
                out[t, b] = np.log(p)
            return out

        return z

    candidates = []
    for order in range(1, 6):
        counts = tables(order)
        candidates += [outputs(order, weight, counts) for weight in (10.0, 40.0)]
    return best("hmm", candidates, valid)


def with_spreads(features, read_out, series):
    """z(series) of a linear read-out: its forecast, and spreads of what it missed in training.

    One spread for each of the first five steps, where little has been read, and one for the rest.
    """
    missed = layers.linear_forward(read_out, features(series)) - series
    spread = np.full(len(series), np.sqrt(np.mean(missed[5:] ** 2)))
    spread[:5] = np.sqrt((missed[:5] ** 2).mean(axis=(1, 2)))

    def z(y):
        mean = layers.linear_forward(read_out, features(y))
        log_spread = np.broadcast_to(np.log(spread)[:, None, None], mean.shape)
        return np.concatenate([mean, log_spread], axis=-1)

    return z


def reservoir(world, series, valid, settings, rng):
    """An echo state network: radius and penalty from the validation series."""
    candidates = []
    for radius in settings["radii"]:
        params = echo_state.init_reservoir(1, settings["reservoir"], rng, radius)

        def features(y, params=params):
            return unroll.forward(RNN, params, inputs(world, y).astype(np.float64))[0]

        for penalty in settings["penalties"]:
            read_out = echo_state.ridge(features(series), series, penalty)
            candidates.append(with_spreads(features, read_out, series))
    return best(world, candidates, valid)


def autoregression(world, series, valid, settings):
    """A linear function of the last k numbers: k and penalty from the validation series."""
    candidates = []
    for order in settings["orders"]:

        def features(y, order=order):
            padded = np.concatenate([np.zeros((order, *y.shape[1:])), y])
            return np.concatenate([padded[order - k : -k] for k in range(1, order + 1)], axis=-1)

        for penalty in settings["penalties"]:
            read_out = echo_state.ridge(features(series), series, penalty)
            candidates.append(with_spreads(features, read_out, series))
    return best(world, candidates, valid)


# --- Does the state hold the belief? ------------------------------------------------------------


def belief_of(world: str, y: np.ndarray) -> np.ndarray:
    """What the exact filter knows when y_t is still to come: the belief (T, B, K), or the mean."""
    if world == "hmm":
        return filters.hmm_filter(STICKY, y).ahead[:-1]
    n = len(oscillation().F)
    m, out = np.zeros((y.shape[1], n)), np.empty((*y.shape[:2], n))
    gains = filters.kalman(oscillation(), y).gains
    for t in range(len(y)):
        out[t] = m
        m = (m + (y[t] - m @ oscillation().C) @ gains[t]) @ oscillation().F
    return out


def probe(world: str, features, T: int) -> float:
    """R² of a linear map from features(series) to the belief: fitted and scored on 200 series."""
    rng = np.random.default_rng(TEST + 1)
    fit, score = (sample(world, T, 200, rng) for _ in range(2))
    read_out = echo_state.ridge(features(fit), belief_of(world, fit), 1e-6)
    belief = belief_of(world, score)
    missed = layers.linear_forward(read_out, features(score)) - belief
    return 1 - float((missed**2).sum() / ((belief - belief.mean(axis=(0, 1))) ** 2).sum())


def probes(world, model, params, settings) -> dict:
    """R² of the belief from the trained state, the untrained one, and the last k inputs themselves,
    as many numbers as the state has or a few more."""
    cell, T, (D, H) = CELLS[model], settings["steps"], (len(params["W_xh"]), len(params["W_hh"]))
    fresh = unroll.init_cell(cell, D, H, np.random.default_rng(TEST + 2))

    def states(params):
        params = {name: array.astype(np.float64) for name, array in params.items()}
        return lambda y: sequence_model.predict(cell, params, inputs(world, y).astype(np.float64))[
            2
        ]

    def window(y):
        x, k = inputs(world, y).astype(np.float64), -(-H // D)
        padded = np.concatenate([np.zeros((k - 1, *x.shape[1:])), x])
        return np.concatenate([padded[i : i + T] for i in range(k)], axis=-1)

    read_out = {"W_hy": params["W_hy"], "b_y": params["b_y"]}
    found = {
        "probe": probe(world, states(params), T),
        "untrained": probe(world, states({**fresh, **read_out}), T),
        "window": probe(world, window, T),
    }
    return {name: round(value, 4) for name, value in found.items()}


# --- The study ----------------------------------------------------------------------------------


def learn(world, model, n, seed, settings):
    """One learner on n series: its z(series), and the parameters if it is a network."""
    rng = np.random.default_rng([seed, n])
    y = sample(world, settings["steps"], n, rng)
    series, valid = y[:, : 3 * n // 4], y[:, 3 * n // 4 :]
    if model in CELLS:
        return network(world, model, series, valid, settings, rng)
    if model == "HMM, learned":
        return learned_hmm(series, valid, settings, rng), None
    if model == "n-gram":
        return counted(series, valid, settings), None
    if model == "echo state":
        return reservoir(world, series, valid, settings, rng), None
    return autoregression(world, series, valid, settings), None


def run(case, settings):
    """One learner from one seed, with each number of series; and the probes of the largest.

    Results: lists over `series` of difference and divergence (see `scores`), in nats a step.
    """
    world, model = case["world"], case["model"]
    y = test_set(world, settings["steps"], settings["test series"])[0]
    rows = []
    for n in settings["series"]:
        z, params = learn(world, model, n, case["seed"], settings)
        rows.append(scores(world, z(y), settings))
    found = {name: [row[name] for row in rows] for name in rows[0]}
    if params is not None and world != "outliers":
        found |= probes(world, model, params, settings)
    return found


STUDY = study.Study(
    name="exact_filters",
    question="How near do trained networks come to the exact filter, with how many series?",
    settings=SETTINGS,
    cases=[
        {"world": world, "model": model, "seed": seed}
        for world, models in WORLDS.items()
        for model in models
        for seed in range(10)
    ],
    run=run,
    tolerance=0.1,
)

if __name__ == "__main__":
    study.main(STUDY)
