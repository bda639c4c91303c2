"""The wall: over which distance does which recurrent network learn to remember?

Nine models of about equal size, three tasks, growing distance, ten seeds (five at the shortest and
the longest distance of the ribs). Each model takes, at each distance, the rate that was best on
validation data in `wall_rates` (other seeds than here).
"""

import numpy as np
import study
import wall_rates

from helpers.trained import records

FEWER = (("ribs", 5), ("ribs", 60))  # five seeds: where the answer is plain, or a run takes long


def chosen_rates(record) -> dict:
    """(task, distance, model) → the rate with the best mean score on validation."""
    best = {}
    for place in wall_rates.places():
        means = {
            lr: np.mean(record.values("validation", **place, lr=lr)) for lr in wall_rates.RATES
        }
        pick = min if place["task"] == "adding" else max
        top = pick(means.values())
        best[tuple(place.values())] = max(
            lr for lr, mean in means.items() if mean == top
        )  # of ties
    return best


def cases():
    best = chosen_rates(records.load("wall_rates"))
    return [
        {**place, "lr": best[tuple(place.values())], "seed": seed}
        for place in wall_rates.places()
        for seed in range(5 if (place["task"], place["distance"]) in FEWER else 10)
    ]


STUDY = study.Study(
    name="wall",
    question="Over which distance does which recurrent network learn to remember?",
    settings=wall_rates.SETTINGS,
    cases=cases(),
    run=wall_rates.run,
    tolerance=0.1,
)

if __name__ == "__main__":
    study.main(STUDY)
