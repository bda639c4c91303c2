"""The counts tuned as far as they go, and what belongs to the models that were trained for long."""

import argparse
from functools import partial

import numpy as np
import pytest
import shakespeare
import torch
import torch_lm

from helpers import ngram, text
from helpers.data import corpora
from helpers.trained import store, writer

RNG = np.random.default_rng


@pytest.fixture(scope="module")
def counts():
    ids = text.Vocabulary.of(TEXT).encode(TEXT)
    return ngram.count(ids, int(ids.max()) + 1, 4)


TEXT = corpora.shakespeare().valid[:8000]
HELD = corpora.shakespeare().valid[8000:10_000]


def held(counts):
    vocab = text.Vocabulary.of(TEXT)
    return vocab.encode([c for c in HELD if c in vocab.index])


# --- Counts -------------------------------------------------------------------------------------


def test_modified_kneser_ney_is_a_distribution_for_every_context(counts):
    tuned = ngram.tune_discounts(counts, held(counts), rounds=2)
    for discounts in (None, tuned):
        estimate = partial(ngram.modified_kneser_ney, discounts=discounts)
        for context in (held(counts)[:50], np.array([3, 3, 3, 3]), held(counts)[:0]):
            p = ngram.distribution(counts, context, estimate)
            assert (p > 0).all()
            np.testing.assert_allclose(p.sum(axis=1), 1)


def test_with_three_equal_discounts_it_is_kneser_ney(counts):
    tables = [*counts.continuations, counts.tables[-1]]
    once, twice = ([int((t.pair_counts == r).sum()) for t in tables] for r in (1, 2))
    d = [n / (n + 2 * m) if n else 0.5 for n, m in zip(once, twice)]
    equal = partial(ngram.modified_kneser_ney, discounts=np.repeat(np.array(d)[:, None], 3, axis=1))
    np.testing.assert_allclose(
        ngram.probabilities(counts, held(counts), equal)[-1],
        ngram.probabilities(counts, held(counts), ngram.kneser_ney)[-1],
    )


def test_one_context_by_hand():
    # a b a b a c: after "a" came b twice and c once; before b stood a, before c stood a.
    ids = np.array([0, 1, 0, 1, 0, 2])
    counts, d = ngram.count(ids, 3, 1), np.array([[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]])
    p = ngram.distribution(counts, np.array([0]), partial(ngram.modified_kneser_ney, discounts=d))
    # Continuations: a after b; b after a; c after a: each one kind, three in all.
    lower = (1 - 0.1) / 3 + 3 * 0.1 / 3 / 3
    by_hand = [
        (0.4 + 0.5) / 3 * lower,
        (2 - 0.5) / 3 + (0.4 + 0.5) / 3 * lower,
        (1 - 0.4) / 3 + (0.4 + 0.5) / 3 * lower,
    ]
    np.testing.assert_allclose(p[1], by_hand)


def test_tuning_helps_and_stays_in_range(counts):
    ids = held(counts)
    before = ngram.bits_per_symbol(counts, ids, ngram.modified_kneser_ney)[-1]
    tuned = ngram.tune_discounts(counts, ids)
    after = ngram.bits_per_symbol(counts, ids, partial(ngram.modified_kneser_ney, discounts=tuned))[
        -1
    ]
    assert after < before - 0.005
    assert tuned.shape == (5, 3) and (tuned >= 0).all() and (tuned <= [1, 2, 3]).all()


def test_borders_of_the_discounts(counts):
    tiny = ngram.count(np.array([0, 1, 0]), 2, 1)
    np.testing.assert_array_equal(ngram.three_discounts(tiny.tables[0]), 0.5)
    with pytest.raises(ValueError, match="discounts"):
        ngram.distribution(
            counts, np.array([0]), partial(ngram.modified_kneser_ney, discounts=np.ones((2, 3)))
        )
    with pytest.raises(ValueError, match="rounds"):
        ngram.tune_discounts(counts, held(counts), rounds=0)
    with pytest.raises(IndexError, match="ids"):
        ngram.tune_discounts(counts, np.array([0, 999]))


# --- The study ----------------------------------------------------------------------------------


def test_the_networks_of_the_study_have_the_sizes_they_claim():
    V = len(text.Vocabulary.of(corpora.shakespeare().train))
    for group, cases in shakespeare.GROUPS.items():
        for case in cases:
            total = 400_000 if group == "little" else 2_000_000
            if case["name"] == "LSTM of 13 million":
                total = 13_200_000
            s = torch_lm.complete(shakespeare.model_settings(case))
            n = torch_lm.n_parameters(s["cell"], V, s["D"], s["H"], s["layers"], s["tied"])
            assert abs(n / total - 1) < (0.005 if s["D"] == 64 else 0.015), case
        labels = [shakespeare.label(case) for case in cases]
        assert len(set(labels)) == len(labels)


def test_learning_while_reading_scores_before_it_learns():
    settings = {"D": 5, "H": 8, "layers": 2, "drop_out": 0.5}
    ids = np.tile(RNG(0).integers(9, size=30), 20)
    model = torch_lm.Model(settings, 9)
    start = model.params()
    still = shakespeare.learn_while_reading(model, ids, 0.0, T=20)
    np.testing.assert_allclose(still, torch_lm.log2_probabilities(model, ids), atol=1e-5)
    learned = shakespeare.learn_while_reading(model, ids, 1.0, T=20)
    np.testing.assert_allclose(learned[:20], still[:20], atol=1e-5)
    assert learned[300:].mean() > still[300:].mean() + 0.1
    assert model.settings["drop_out"] == 0.5
    assert any((start[name] != array).any() for name, array in model.params().items())


def test_a_moment_of_training_decides_how_many_and_leaves_no_trace():
    ids, settings = RNG(0).integers(9, size=300), {"D": 5, "H": 8, "B": 2, "T": 5}

    def fresh(n):
        return [torch_lm.Run({**settings, "seed": s}, ids, 9, "cpu", False) for s in range(n)]

    one, [other] = fresh(3), fresh(1)
    assert shakespeare.fitting(one, 3600, 1, 10) == one
    assert shakespeare.fitting(one, 1e-9, 2, 10) == one[:2]
    for run in (one[0], other):
        for _ in range(40):
            run.step(0.01)
    for a, b in zip(one[0].trained + one[0].mean, other.trained + other.mean):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-7)
    assert one[0].training_bits() == pytest.approx(other.training_bits())


def test_the_stored_writer_at_rate_zero_reads_as_ever():
    stored = writer.load()
    ids = stored.vocab.encode(corpora.shakespeare().valid[:130])
    found = shakespeare.learned(ids, 0.0)
    expected = 2.0 ** writer.log2_probabilities(stored.params, ids, columns=1)
    np.testing.assert_allclose(found, expected, rtol=1e-3)
    moved = shakespeare.learned(ids, 0.15)
    np.testing.assert_allclose(moved[:50], found[:50], rtol=1e-3)
    assert (moved[50:] != found[50:]).any()


def test_what_a_group_keeps_teaches_the_next(tmp_path, monkeypatch):
    members = (("LSTM of 13 million", "lstm", 0), ("GRU", "gru", 0), ("GRU", "gru", 1))
    cases = [
        {"group": "full", "name": name, "cell": cell, "seed": seed} for name, cell, seed in members
    ]
    monkeypatch.setitem(shakespeare.GROUPS, "full", [*cases, {"group": "full", "name": "RNN"}])
    results = [{"result": {"valid": b, "mean_of_weights": False}} for b in (2.2, 2.1, 2.3)]
    ids, args = RNG(0).integers(9, size=300), argparse.Namespace(out=tmp_path)
    vocab = text.Vocabulary.of("abcdefghi")
    runs = [
        torch_lm.Run({"D": 5, "H": 8, "B": 2, "T": 5, "cell": case["cell"]}, ids, 9, "cpu", False)
        for case in cases
    ]
    shakespeare.keep_weights(runs, cases, results, vocab, args)
    shakespeare.keep_probabilities(runs, cases, results, ids, ids[:50], args)
    found = store.read_npz(tmp_path / "full_probabilities.npz")
    assert found["valid full_GRU_1"].shape == (299,) and found["test full_GRU_0"].shape == (49,)
    kept = torch_lm.read(tmp_path / "full_GRU_0.npz")
    np.testing.assert_allclose(
        writer.log2_probabilities(kept.params, ids), found["valid full_GRU_0"], atol=0.02
    )
    team = shakespeare.team_of(tmp_path, ids, 9, "cpu").numpy()
    right = team[np.arange(1, 300), ids[1:]].astype(float)
    expected = np.mean([2.0 ** found[f"valid {shakespeare.label(c)}"].astype(float) for c in cases],
                       axis=0)  # fmt: skip
    np.testing.assert_allclose(right, expected, atol=0.005)


def test_a_network_that_breaks_down_is_reported():
    ids = RNG(0).integers(9, size=300)
    many = [torch_lm.Run({"D": 5, "H": 8, "B": 2, "T": 5}, ids, 9, "cpu", False) for _ in range(2)]

    def look(run):
        return {"valid": 3.0, "valid_last": 3.0}

    torch_lm.train(many, torch_lm.Clock(updates=20), (0.5,), look)
    with torch.no_grad():
        many[0].model.embed.weight.fill_(np.nan)
    torch_lm.train(many, torch_lm.Clock(updates=40), (), look)
    found = shakespeare.stopped(many[0])
    assert "loss nan" in found["stopped"] and found["updates"] == many[0].updates >= 40
    assert [row[0] for row in found["curve"]] == [h["characters"] for h in many[0].history]
    assert not many[1].stopped


def test_bits_by_context_are_those_of_whole_windows():
    model = torch_lm.Model({"D": 5, "H": 8}, 9).train()
    ids, places = RNG(0).integers(9, size=300), np.array([40, 200, 299])
    found = shakespeare.by_context(model, ids, places, contexts=(1, 7))
    for k, bits in zip((1, 7), found):
        alone = [torch_lm.log2_probabilities(model, ids[p - k : p + 1])[-1] for p in places]
        assert abs(bits + np.mean(alone)) < 1e-3
    assert model.training
