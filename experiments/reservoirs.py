"""How does the spectral radius of a random layer decide what it remembers? Notebook 41.

For each spectral radius and each scale of the input weights: Jaeger's memory capacity of a layer of
100 units, and how far two states that began apart still are after 200 steps of the same input.
"""

import numpy as np
import study

from helpers import echo_state

SETTINGS = {
    "units": 100,
    "radii": [0.2, 0.5, 0.8, 0.9, 0.95, 1.0, 1.1, 1.3, 1.6],
    "scales": [0.1, 1.0],
    "delays": 120,
    "steps": 2000,
    "washout": 200,
    "fading steps": 200,
}


def run(case, settings):
    """One draw of the weights, scaled to each radius.

    Results: for each scale, lists over the radii: capacity (in delays, summed over all), and
    distance (log10 of what is left of the distance of two states, at least −16).
    """
    found = {}
    for scale in settings["scales"]:
        capacity, distance = [], []
        for radius in settings["radii"]:
            rng = np.random.default_rng(case["seed"])  # the same draw for all, then scaled
            params = echo_state.init_reservoir(
                1, settings["units"], rng, radius=radius, scale=scale, bias=0.0
            )
            each = echo_state.memory_capacity(
                params, rng, settings["delays"], settings["steps"], settings["washout"]
            )
            capacity.append(round(float(each.sum()), 3))
            x = rng.uniform(-1, 1, (settings["fading steps"], 1, 1))
            first, second = rng.uniform(-1, 1, (2, 1, settings["units"]))
            left = echo_state.fading(params, x, first, second)[-1, 0]
            distance.append(round(float(np.log10(max(left, 1e-16))), 3))
        found |= {f"capacity {scale}": capacity, f"distance {scale}": distance}
    return found


STUDY = study.Study(
    name="reservoirs",
    question="How does the spectral radius of a random layer decide what it remembers?",
    settings=SETTINGS,
    cases=[{"seed": seed} for seed in range(10)],
    run=run,
    tolerance=1.0,
)

if __name__ == "__main__":
    study.main(STUDY)
