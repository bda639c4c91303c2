"""Do peepholes help an LSTM to tell a pause of N steps from one of N + 1? (notebook 14)

Four units, 500 updates. Each cell is tuned at N = 15: three rates, five seeds that are not used
again, the rate with the highest mean accuracy. Then fourteen fresh seeds at each pause.
"""

import numpy as np
import study

from helpers import losses, lstm, sequence_model, text, train
from helpers.data import tasks
from helpers.trained import records

CELLS = {"lstm": lstm.LSTM, "peephole": lstm.PEEPHOLE}
OWN = ("p_i", "p_f", "p_o")
RATES = [0.005, 0.01, 0.02]


def batches(pause, rng):
    """32 sequences at a time, for ever."""
    while True:
        x, targets, mask = tasks.timing(pause, 32, rng)
        yield text.Batch(x, (targets, mask))


def fit(cell, pause, lr, seed, n_updates, H=4):
    """Train a network of four units with a forget bias of 3."""
    rng = np.random.default_rng(seed)
    params = sequence_model.init_sequence_model(cell, 1, H, 2, rng)
    lstm.set_forget_bias(cell, params, 3.0)

    def step(params, batch, state):
        return sequence_model.loss_and_grads(
            cell, params, batch.inputs, lambda z: losses.cross_entropy(z, *batch.targets)
        )

    train.train(step, params, batches(pause, rng), n_updates, lr=lr, max_norm=1.0, progress=False)
    return params


def accuracy(cell, params, pause, seed):
    """On 500 new sequences."""
    x, targets, mask = tasks.timing(pause, 500, np.random.default_rng(seed))
    z, _, _ = sequence_model.predict(cell, params, x)
    return float((z.argmax(axis=-1) == targets)[mask].mean())


def tuned(cell):
    """The rate with the highest mean accuracy over the seeds for tuning; of equals the smallest."""
    trials = records.load("timing")
    return max(RATES, key=lambda lr: np.mean(trials.values("valid", cell=cell, lr=lr)))


def run(case, settings):
    """One training. With a number for lr it is a trial; "tuned" takes the best rate."""
    cell, is_trial = CELLS[case["cell"]], case["lr"] != "tuned"
    lr = case["lr"] if is_trial else tuned(case["cell"])
    params = fit(cell, case["pause"], lr, case["seed"], settings["updates"])
    if is_trial:
        return {"valid": accuracy(cell, params, case["pause"], 8888)}
    result = {"rate": lr, "test": accuracy(cell, params, case["pause"], 9999)}
    if case["cell"] == "peephole":
        cut = params | {name: np.zeros_like(params[name]) for name in OWN}
        result["cut"] = accuracy(cell, cut, case["pause"], 9999)
    return result


STUDY = study.Study(
    name="timing",
    question="Do peepholes help to tell a pause of N steps from one of N + 1?",
    settings={"updates": 500, "units": 4, "forget bias": 3.0, "rates": RATES},
    cases=[
        *(
            {"cell": cell, "pause": 15, "lr": lr, "seed": seed}
            for seed in range(100, 105)
            for cell in CELLS
            for lr in RATES
        ),
        *(
            {"cell": cell, "pause": pause, "lr": "tuned", "seed": seed}
            for seed in range(14)
            for cell in CELLS
            for pause in (5, 10, 15, 20)
        ),
    ],
    run=run,
    tolerance=0.6,  # a run solves the task or stays at chance; another processor may tip it over
)


if __name__ == "__main__":
    study.main(STUDY)
