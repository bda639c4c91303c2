"""The studies of attention: rates chosen by their rule, equal sizes, and when training stops."""

import sys
from pathlib import Path

import numpy as np
import pytest

from helpers.data import dates
from helpers.text import pair_batch
from helpers.trained import records

sys.path.append(str(Path(__file__).parents[1] / "experiments"))
import attention_dates
import attention_forms


def test_dates_chose_their_rates_on_valid():
    record = records.load("attention_dates")
    for (n, design), lr in attention_dates.CHOSEN.items():
        runs = attention_dates.chosen(record, design, n)
        assert {r["case"]["lr"] for r in runs} == {lr}
        assert [r["case"]["seed"] for r in runs] == list(range(10))


def test_forms_chose_their_rates_on_valid():
    record = records.load("attention_forms")
    assert attention_forms.CHOSEN.keys() == attention_forms.DESIGNS.keys()
    for design, lr in attention_forms.CHOSEN.items():
        runs = attention_forms.chosen(record, design)
        assert {r["case"]["lr"] for r in runs} == {lr}
        assert [r["case"]["seed"] for r in runs] == list(range(len(runs))) and len(runs) >= 5
        for run in runs:
            assert abs(run["result"]["parameters"] / 47_400 - 1) < 0.01


@pytest.mark.parametrize(
    ("losses", "last"),
    [([], 0), ([1.0], 1), ([1.0, 0.5, 0.4999, 0.4998], 2), ([1, 2, 3], 1), ([3, 1, 2, 0.5], 4)],
)
def test_converged_at(losses, last):
    assert attention_forms.converged_at(losses, 1e-3) == last


def test_small_steps_add_up_to_a_gain():
    # Measured against the last evaluation that gained, not against the one before.
    assert attention_forms.converged_at(1 - 0.0004 * np.arange(10), 1e-3) == 10


def test_judging_needs_no_search():
    parts = dates.split(np.random.default_rng(0), 300, 40)
    src, tgt = dates.vocabularies(parts.train)
    model = attention_forms.DESIGNS["dot"]
    pairs = dates.encode(parts.train[:40], src, tgt)
    params, _ = attention_dates.learn(model, 0, pairs, (len(src), len(tgt)), 90, 0.03, 8, 24)
    said = attention_dates.answers(model, params, pairs, tgt, 12)
    right = np.mean(["".join(s) == e.iso for s, e in zip(said, parts.train[:40])])
    _, share = attention_forms.judge(model, params, pair_batch(*pairs))
    assert 0.05 < right < 1 and share == pytest.approx(right)
