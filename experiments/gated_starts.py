"""From LSTM to GRU with the same start for the same role: how long until a memory task is solved?

Each model with the learning rate that `gated_rates.py` chose for it, on ten new seeds.
"""

from statistics import mean

import gated
import gated_rates
import study

from helpers.trained import records


def chosen(task: str, model: str) -> float:
    """The rate with the fewest updates on the tuning seeds; ties: the smaller validation error."""
    rates = records.load("gated_rates")

    def cost(rate):
        case = {"task": task, "model": model, "rate": rate}
        return mean(rates.values("thousands", **case)), mean(rates.values("valid", **case))

    return min(gated_rates.RATES, key=cost)


STUDY = study.Study(
    name="gated_starts",
    question="How many updates does each cell need, with which start, until it holds a memory?",
    settings=gated_rates.SETTINGS,
    cases=[
        {"task": task, "model": model, "rate": chosen(task, model), "seed": seed}
        for seed in range(10)
        for task in gated.TASKS
        for model in gated_rates.MODELS
    ],
    run=gated_rates.run,
    tolerance=0.08,
)

if __name__ == "__main__":
    study.main(STUDY)
