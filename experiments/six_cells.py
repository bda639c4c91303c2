"""Six recurrent cells on four tasks, ten seeds each: the table of notebook 17.

All have the same number of parameters in the whole model. Each takes, on each task, the learning
rate with the lowest mean error on validation data in `six_cells_rates` (other seeds than here).
"""

import numpy as np
import six_cells_rates
import study

from helpers.trained import records


def chosen(task, cell):
    """The rate with the lowest mean error on validation data; of equals the smallest."""
    record = records.load("six_cells_rates")
    return min(
        six_cells_rates.RATES,
        key=lambda lr: np.mean(record.values("validation", task=task, cell=cell, lr=lr)),
    )


STUDY = study.Study(
    name="six_cells",
    question="Six cells with equal parameters on timing, adding, recall and text: which is ahead?",
    settings=six_cells_rates.SETTINGS,
    cases=[
        {"task": task, "cell": cell, "lr": chosen(task, cell), "seed": seed}
        for task in six_cells_rates.TASKS
        for cell in six_cells_rates.CELLS
        for seed in range(10)
    ],
    run=six_cells_rates.run,
    tolerance=0.8,
)

if __name__ == "__main__":
    study.main(STUDY)
