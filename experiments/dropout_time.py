"""Dropout on the path along time: does a new mask at each step hurt more than one for the sequence?

The ribs with 40 fillers, leaky units h_t = m_t ⊙ (g h_{t−1} + α tanh a_t), masks with p = 0.1. Two
things must not be mixed up: what the mask does, and what the division by 1 − p does to the leak
g = 0.9, for 0.9 / (1 − p) = 1 turns a leaky unit into an integrator. So the masks come scaled and
unscaled, each beside a run without any mask whose leak is the same in training.
"""

import numpy as np
import study

from helpers import language_model, text, train
from helpers.data import tasks
from helpers.layers import dropout_mask
from helpers.rnn import Cell

SETTINGS = {"lag": 40, "p": 0.1, "alpha": 0.1, "H": 32, "B": 32, "updates": 400, "rate": 0.01}

# arm → (how long a mask lasts, whether it is divided by 1 − p, the factor of h_{t−1})
ARMS = {
    "no mask, g = 0.9": (None, False, 0.9),
    "each sequence, unscaled": ("sequence", False, 0.9),
    "each step, unscaled": ("step", False, 0.9),
    "no mask, g = 1": (None, False, 1.0),
    "each sequence, scaled": ("sequence", True, 0.9),
    "each step, scaled": ("step", True, 0.9),
}


def leaky_dropped(draw, g: float = 0.9, alpha: float = 0.1) -> Cell:
    """h_t = m_t ⊙ (g h_{t−1} + α tanh a_t); draw(shape) gives the mask m_t of one step."""

    def forward(a, ah, prev, new):
        a[0] += ah[0]
        np.tanh(a[0], out=a[0])
        a[1] = draw(a[0].shape)  # n_kept=1: a second block, to keep the mask in
        np.multiply(g * prev[0] + alpha * a[0], a[1], out=new[0])

    def slopes(a, states):
        return (alpha * (1 - a[0] ** 2) * a[1])[None], (a[1],)

    def backward(dstate, da, extra):
        da *= dstate[0]
        return (g * dstate[0] * extra[0],)

    return Cell("leaky_dropped", "h", 1, forward, slopes, backward, n_kept=1)


def mask_of(shape, p, scaled, rng):
    mask = dropout_mask(shape, p, rng)
    return mask if scaled else (mask > 0).astype(np.float32)


def run(case, settings):
    lasts, scaled, g = ARMS[case["arm"]]
    rng, V, s = np.random.default_rng(case["seed"]), tasks.recall_vocab(), settings
    whole = leaky_dropped(lambda shape: np.ones(shape, np.float32), g, s["alpha"])
    params = language_model.init_language_model(whole, V, V, s["H"], rng)

    def cell_for_this_batch():
        if lasts is None:
            return whole
        mask = mask_of((s["B"], s["H"]), s["p"], scaled, rng)
        if lasts == "sequence":
            return leaky_dropped(lambda shape: mask, g, s["alpha"])
        return leaky_dropped(lambda shape: mask_of(shape, s["p"], scaled, rng), g, s["alpha"])

    def step(params, batch, state):
        ids, targets, scored = batch.inputs
        return language_model.loss_and_grads(
            cell_for_this_batch(), params, ids, targets, mask=scored
        )

    batches = iter(lambda: text.Batch(tasks.recall(s["lag"], s["B"], rng), None), None)
    history = train.train(step, params, batches, s["updates"], lr=s["rate"], max_norm=1.0,
                          progress=False)  # fmt: skip
    ids, targets, scored = tasks.recall(s["lag"], 1000, np.random.default_rng(99))
    # tested without a mask; unscaled masks let through 1 − p of what a test lets through
    z, _, _ = language_model.predict(whole, params, ids)
    return {"accuracy": float((z.argmax(-1) == targets)[scored].mean()),
            "training loss": float(history.loss[-40:].mean())}  # fmt: skip


STUDY = study.Study(
    name="dropout_time",
    question="Does a mask drawn at each step destroy a memory that one mask a sequence spares?",
    settings=SETTINGS,
    cases=[{"arm": arm, "seed": seed} for arm in ARMS for seed in range(10)],
    run=run,
    tolerance=0.3,
)

if __name__ == "__main__":
    study.main(STUDY)
