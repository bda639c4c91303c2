"""What does a network that keeps three bits look like inside? Notebook 41.

Each network learns the flip-flop of Sussillo & Barak (2013): three channels, pulses of −1 and 1,
and the sign of each channel's last pulse as the answer. Then its input is held at zero: where does
the state stand still, which of these points are stable, and where do the others let go to?
"""

from itertools import combinations

import numpy as np
import study

from helpers import fixed_points, losses, sequence_model, text, train, unroll
from helpers.data import tasks
from helpers.gru import GRU
from helpers.rnn import RNN

CELLS = {"RNN": RNN, "GRU": GRU}
SETTINGS = {
    "bits": 3,
    "units": 24,
    "steps": 30,
    "batch": 32,
    "updates": 1500,
    "rate": 0.01,
    "max norm": 1.0,
    "test steps": 300,
    "test series": 100,
    "starts": 400,
    "looks": 80,  # steps of the search for fixed points
    "speed": 1e-18,  # a point this slow is counted as fixed
    "apart": 1e-3,  # two points are two if they are so far apart
    "settle": 2000,  # steps with zero input before we ask in which memory a state has ended
}


def trained(cell, seed, settings) -> dict:
    """Parameters after training, as float64."""
    rng, s = np.random.default_rng(seed), settings
    params = sequence_model.init_sequence_model(cell, s["bits"], s["units"], s["bits"], rng)

    def step(params, batch, state):
        return sequence_model.loss_and_grads(
            cell, params, batch.inputs, lambda z: losses.mse(z, batch.targets)
        )

    batches = iter(lambda: text.Batch(*tasks.flip_flop(s["steps"], s["batch"], rng)), None)
    train.train(
        step, params, batches, s["updates"], lr=train.linear_decay(s["rate"], s["updates"]),
        max_norm=s["max norm"], progress=False,
    )  # fmt: skip
    return {name: array.astype(np.float64) for name, array in params.items()}


def test(cell, params, settings):
    """The share of steps at which all bits are right, and the states along the test series."""
    x, targets = tasks.flip_flop(
        settings["test steps"], settings["test series"], np.random.default_rng(20_000)
    )
    z, _, hs = sequence_model.predict(cell, params, x.astype(np.float64))
    return float((np.sign(z) == targets).all(axis=-1).mean()), hs


def find(cell, params, hs, settings) -> fixed_points.Points:
    """Distinct fixed points with zero input. The search begins at states of the test series, and
    half-way between two of them."""
    rng, flat = np.random.default_rng(30_000), hs.reshape(-1, hs.shape[-1])
    picked = flat[rng.integers(0, len(flat), (2, settings["starts"]))]
    starts = np.concatenate([picked[0, ::2], picked.mean(axis=0)[1::2]])
    zero = np.zeros(settings["bits"])
    points = fixed_points.find(cell, params, zero, starts, settings["looks"])
    still = points.speed < settings["speed"]
    points = fixed_points.Points(*(array[still] for array in points))
    kept = fixed_points.distinct(points.states, settings["apart"])
    return fixed_points.Points(*(array[kept] for array in points))


def ends(cell, params, states, settings):
    """Where N states come to rest with zero input: (N, n)."""
    x = np.zeros((settings["settle"], len(states), settings["bits"]))
    return unroll.forward(cell, params, x, (np.ascontiguousarray(states),))[1][0]


def bits_of(params, states):
    """What the read-out says of each state: signs (N, bits)."""
    return np.sign(states @ params["W_hy"] + params["b_y"])


def sides(cell, params, points, settings):
    """Of each saddle with one unstable direction: the bits of the memories on its two sides."""
    one = np.flatnonzero(fixed_points.n_unstable(points.jacobians) == 1)
    if len(one) == 0:
        return one, np.zeros((0, 2, settings["bits"]))
    directions = []
    for J in points.jacobians[one]:
        values, vectors = np.linalg.eig(J)
        v = vectors[:, np.argmax(np.abs(values))].real  # one eigenvalue outside: it is real
        directions.append(v / np.linalg.norm(v))
    pushed = [points.states[one] + sign * 1e-3 * np.array(directions) for sign in (1, -1)]
    rest = [bits_of(params, ends(cell, params, p, settings)) for p in pushed]
    return one, np.stack(rest, axis=1)


def run(case, settings):
    """Train, test, find the points, and follow the saddles to both sides.

    Results: accuracy; found (distinct fixed points), stable, memories (different bits that the
    stable ones stand for), saddles with one and with two unstable directions; neighbours (of the
    saddles with one, those between memories that differ in one bit) and further (in two or three);
    edges (of the 12 pairs of neighbouring memories those that have a saddle between them); slowest
    (the largest |λ| at a stable point) and fastest (the largest |λ| at a saddle with one).
    """
    cell = CELLS[case["cell"]]
    params = trained(cell, case["seed"], settings)
    accuracy, hs = test(cell, params, settings)
    points = find(cell, params, hs, settings)
    unstable = fixed_points.n_unstable(points.jacobians)
    largest = np.abs(np.linalg.eigvals(points.jacobians)).max(axis=1)
    stable = unstable == 0
    one, between = sides(cell, params, points, settings)
    differ = (between[:, 0] != between[:, 1]).sum(axis=-1)
    edges = {frozenset(map(tuple, pair)) for pair, d in zip(between, differ) if d == 1}
    memories = {tuple(b) for b in bits_of(params, points.states[stable])}
    return {
        "accuracy": round(accuracy, 5),
        "found": len(unstable),
        "stable": int(stable.sum()),
        "memories": len(memories),
        "one": len(one),
        "two": int((unstable == 2).sum()),
        "more": int((unstable > 2).sum()),
        "neighbours": int((differ == 1).sum()),
        "further": int((differ > 1).sum()),
        "edges": len(edges),
        "slowest": round(float(largest[stable].max(initial=0)), 3),
        "fastest": round(float(largest[one].max(initial=0)), 3),
    }


def cube():
    """The 12 pairs of memories that differ in one bit."""
    corners = [tuple(c) for c in np.array(np.meshgrid(*[[-1, 1]] * 3)).reshape(3, -1).T]
    return [pair for pair in combinations(corners, 2) if np.sum(np.not_equal(*pair)) == 1]


STUDY = study.Study(
    name="flip_flop",
    question="Which fixed points has a network that keeps three bits, and what lies between them?",
    settings=SETTINGS,
    cases=[{"cell": cell, "seed": seed} for cell in CELLS for seed in range(10)],
    run=run,
    tolerance=3.0,  # counts of points; another processor gives another training
)

if __name__ == "__main__":
    study.main(STUDY)
