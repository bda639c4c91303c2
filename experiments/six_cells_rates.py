"""Learning rates for `six_cells.py`: four for each cell and task, judged on validation data.

Also what the two studies share: six cells with the same number of parameters in the whole model,
and four tasks. A unit that keeps starts with a bias of 1 at the gate that does it, in all gated
cells alike; only the chrono LSTM spreads its biases over the length of the sequence.
"""

import gated
import gates_on_text
import numpy as np
import study

from helpers import init, language_model, layers, losses, sequence_model, text, train
from helpers.checks import NonFiniteError
from helpers.data import tasks
from helpers.gru import GRU
from helpers.lstm import CIFG, LSTM
from helpers.rnn import RNN, RNN_RELU

CELLS = {
    "RNN": RNN,
    "IRNN": RNN_RELU,
    "LSTM": LSTM,
    "CIFG": CIFG,
    "chrono LSTM": LSTM,
    "GRU": GRU,
}
KEEPS = {"LSTM": "f", "CIFG": "f", "GRU": "z"}  # the gate that keeps; chrono is apart

# task → (number of its sequences' steps, D, V, error of one who only guesses)
TASKS = {
    "timing": (32, 1, 2, 0.5),
    "adding": (50, 2, 1, tasks.ADDING_BASELINE),
    "recall": (42, 9, 9, 0.75),
    "text": (50, 32, None, 6.3),
}
RATES = (0.001, 0.003, 0.01, 0.03)
SETTINGS = {
    "lstm units": 32,
    "text parameters": 25_000,
    "updates": {"timing": 1500, "adding": 1500, "recall": 1000, "text": 1000},
    "batch": 32,
    "forget bias": 1.0,
    "max norm": 1.0,
}
VALIDATION, TEST = 10_000, 20_000  # seeds of the sequences that scores are taken on


def new_model(name, task, rng, settings):
    """Parameters at their start, with the biases that the model's name asks for."""
    cell, (T, D, V, _) = CELLS[name], TASKS[task]
    if task == "text":
        V = gates_on_text.task("letters")[3]
        H = min(
            range(4, 500),
            key=lambda H: abs(
                gates_on_text.n_parameters(cell, V, D, H) - settings["text parameters"]
            ),
        )
        params = language_model.init_language_model(cell, V, D, H, rng)
    else:
        H = gated.width(cell, D, V, settings["lstm units"])
        params = sequence_model.init_sequence_model(cell, D, H, V, rng)
    b = params["b_h"].reshape(cell.n_gates, H)
    if name == "IRNN":
        params["W_hh"], b[:] = init.scaled_identity(H), 0
    elif name == "chrono LSTM":
        b[cell.gates.index("f")] = np.log(rng.uniform(1, T - 1, H))
        b[cell.gates.index("i")] = -b[cell.gates.index("f")]
    elif name in KEEPS:
        b[cell.gates.index(KEEPS[name])] = settings["forget bias"]
    return params


def make(task, B, rng):
    """A batch of sequences, and their answers at the last step; for timing at the second spike."""
    T = TASKS[task][0]
    if task == "timing":
        x, targets, mask = tasks.timing(T - 2, B, rng)
        return text.Batch(x, (targets, mask))
    if task == "adding":
        return text.Batch(*tasks.adding(T, B, rng))
    ids, targets, _ = tasks.recall(T - 2, B, rng)
    return text.Batch(layers.one_hot(ids, tasks.recall_vocab()), targets[-1])


def loss_of(task, targets):
    """The loss as a function of all outputs z."""
    if task == "timing":
        return lambda z: losses.cross_entropy(z, *targets)
    return sequence_model.at_end(losses.mse if task == "adding" else losses.cross_entropy, targets)


def error(name, task, params, seed):
    """The share of wrong answers; the mean squared error of adding; bits per character of text."""
    cell = CELLS[name]
    if task == "text":
        part = gates_on_text.task("letters")[1 if seed == VALIDATION else 2]
        return gates_on_text.bits(cell, params, part[:20_000], 1.0)
    batch = make(task, 1000, np.random.default_rng(seed))
    z, _, _ = sequence_model.predict(cell, params, batch.inputs)
    if task == "adding":
        return float(losses.mse(z[-1], batch.targets)[0])
    if task == "timing":
        targets, mask = batch.targets
        return float((z.argmax(axis=-1) != targets)[mask].mean())
    return float((z[-1].argmax(axis=-1) != batch.targets).mean())


def run(case, settings):
    """Train one model from one seed, and score it. One that overflows scores as a guesser does.

    Results: validation and test, errors of the kind that the task has: lower is better.
    """
    name, task, rng = case["cell"], case["task"], np.random.default_rng(case["seed"])
    cell, params = CELLS[name], new_model(name, task, rng, settings)
    if task == "text":
        ids, _, _, _, T, _ = gates_on_text.task("letters")
        stream = text.sequential_batches(ids, T, B=16)
    else:
        stream = iter(lambda: make(task, settings["batch"], rng), None)

    def step(params, batch, state):
        if task == "text":
            return language_model.loss_and_grads(cell, params, batch.inputs, batch.targets, state)
        loss = loss_of(task, batch.targets)
        return sequence_model.loss_and_grads(cell, params, batch.inputs, loss)

    n = settings["updates"][task]
    try:
        with np.errstate(over="ignore", invalid="ignore"):
            train.train(
                step, params, stream, n, lr=train.linear_decay(case["lr"], n),
                max_norm=settings["max norm"], progress=False,
            )  # fmt: skip
            found = {
                "validation": error(name, task, params, VALIDATION),
                "test": error(name, task, params, TEST),
            }
    except (FloatingPointError, NonFiniteError):
        found = dict.fromkeys(("validation", "test"), TASKS[task][3])
    return {key: round(value, 5) for key, value in found.items()}


STUDY = study.Study(
    name="six_cells_rates",
    question="Which of four learning rates suits each cell on each task best?",
    settings=SETTINGS,
    cases=[
        {"task": task, "cell": cell, "lr": lr, "seed": seed}
        for task in TASKS
        for cell in CELLS
        for lr in RATES
        for seed in (100, 101)
    ],
    run=run,
    tolerance=0.8,  # a run may solve the task or not, and on another processor the other way round
)

if __name__ == "__main__":
    study.main(STUDY)
