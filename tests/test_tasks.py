"""Synthetic tasks: the answers are what the docstrings say."""

import numpy as np
import pytest

from helpers.data import tasks


def bits_of(x):
    return (x[..., 0] > 0).astype(int)


def test_toggle_is_the_parity_of_the_presses():
    x, targets, mask = tasks.toggle(9, 5, np.random.default_rng(0))
    assert x.shape == (9, 5, 1) and x.dtype == np.float32
    assert set(np.unique(x)) == {-1.0, 1.0}
    assert mask.all()
    for b in range(5):
        light = 0
        for t in range(9):
            light ^= bits_of(x)[t, b]
            assert targets[t, b] == light


@pytest.mark.parametrize("lag", [1, 2, 8])
def test_echo_repeats_after_the_lag(lag):
    x, targets, mask = tasks.echo(9, 4, np.random.default_rng(1), lag)
    assert not mask[:lag].any() and mask[lag:].all()
    np.testing.assert_array_equal(targets[lag:], bits_of(x)[:-lag])


def test_answers_are_balanced_and_seeded():
    rng = np.random.default_rng
    for task in (lambda r: tasks.toggle(50, 200, r), lambda r: tasks.echo(50, 200, r, 3)):
        x, targets, mask = task(rng(0))
        assert abs(targets[mask].mean() - 0.5) < 0.03
        np.testing.assert_array_equal(x, task(rng(0))[0])


def test_bad_input_names_the_argument():
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="T must be a positive integer, got 0"):
        tasks.toggle(0, 1, rng)
    with pytest.raises(ValueError, match="B must be"):
        tasks.echo(3, -1, rng, 1)
    with pytest.raises(ValueError, match="lag must be a positive integer, got 0"):
        tasks.echo(3, 1, rng, 0)
    with pytest.raises(ValueError, match="lag must be below T=3, got 3"):
        tasks.echo(3, 1, rng, 3)


@pytest.mark.parametrize("lag", [1, 7])
def test_recall_asks_for_the_key_that_came_first(lag):
    inputs, targets, mask = tasks.recall(lag, 500, np.random.default_rng(0), keys=3)
    assert inputs.shape == targets.shape == mask.shape == (lag + 2, 500)
    assert not mask[:-1].any() and mask[-1].all()
    np.testing.assert_array_equal(targets[-1], inputs[0])
    assert set(np.unique(inputs[0])) == {0, 1, 2}
    assert set(np.unique(inputs[1:-1])) == {3, 4, 5, 6}
    assert set(np.unique(inputs[-1])) == {7}
    assert tasks.recall_vocab(3) == 8 == inputs.max() + 1


def test_adding_marks_one_number_in_each_half():
    for T in (2, 3, 10, 11):
        x, target = tasks.adding(T, 300, np.random.default_rng(1))
        assert x.shape == (T, 300, 2) and target.shape == (300, 1)
        assert x.dtype == target.dtype == np.float32
        values, marker = x[..., 0], x[..., 1]
        assert values.min() >= 0 and values.max() <= 1
        assert set(np.unique(marker)) <= {0.0, 1.0}
        assert (marker[: T // 2].sum(axis=0) == 1).all()
        assert (marker[T // 2 :].sum(axis=0) == 1).all()
        np.testing.assert_allclose(target[:, 0], (values * marker).sum(axis=0), rtol=1e-6)
    assert (marker.sum(axis=1) > 0).all()  # every place of T = 11 was marked at least once


@pytest.mark.parametrize("lag", [1, 5])
def test_copy_repeats_what_came_first(lag):
    inputs, targets, mask = tasks.copy(lag, 200, np.random.default_rng(2), length=3, symbols=4)
    assert inputs.shape == targets.shape == mask.shape == (lag + 6, 200)
    assert mask.all()
    blank, signal = 4, 5
    assert tasks.copy_vocab(4) == 6
    assert set(np.unique(inputs[:3])) == {0, 1, 2, 3}
    assert (inputs[3 : lag + 2] == blank).all() and (inputs[lag + 3 :] == blank).all()
    assert (inputs[lag + 2] == signal).all()  # the step before the first answer
    assert (targets[: lag + 3] == blank).all()
    np.testing.assert_array_equal(targets[lag + 3 :], inputs[:3])


def without_memory(targets, V):
    """Mean loss of the best predictor that knows only which step it is: the answers' entropy."""
    counts = np.stack([np.bincount(row, minlength=V) for row in targets])
    p = counts / counts.sum(axis=1, keepdims=True)
    return -np.sum(p * np.log(p, where=p > 0, out=np.zeros_like(p)), axis=1)


def test_baselines_agree_with_simulation():
    rng = np.random.default_rng(3)
    _, targets, _ = tasks.recall(3, 100_000, rng, keys=5)
    assert abs(without_memory(targets, 10)[-1] - np.log(5)) < 1e-3

    _, targets, _ = tasks.copy(6, 20_000, rng, length=4, symbols=8)
    assert abs(without_memory(targets, 10).mean() - tasks.copy_baseline(6, 4, 8)) < 1e-3
    assert tasks.copy_baseline(100) == 10 * np.log(8) / 120  # the paper's T = 100

    _, target = tasks.adding(20, 200_000, rng)
    assert abs(np.mean((target - 1) ** 2) - tasks.ADDING_BASELINE) < 2e-3
    assert abs(np.var(target) - tasks.ADDING_BASELINE) < 2e-3  # no other constant does better
    assert tasks.ADDING_BASELINE == 1 / 6


def test_new_tasks_repeat_with_the_same_seed():
    rng = np.random.default_rng
    for task in (
        lambda r: tasks.recall(3, 4, r),
        lambda r: tasks.adding(9, 4, r),
        lambda r: tasks.copy(3, 4, r),
    ):
        for a, b in zip(task(rng(5)), task(rng(5)), strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda r: tasks.recall(0, 1, r), "lag must be a positive integer, got 0"),
        (lambda r: tasks.recall(2, 1.5, r), "B must be a positive integer, got 1.5"),
        (lambda r: tasks.recall(2, 1, r, keys=1), "keys must be at least 2, got 1"),
        (lambda r: tasks.recall_vocab(0), "keys must be a positive integer, got 0"),
        (lambda r: tasks.adding(1, 3, r), "T must be at least 2, got 1"),
        (lambda r: tasks.adding(4, 0, r), "B must be a positive integer, got 0"),
        (lambda r: tasks.copy(-2, 1, r), "lag must be a positive integer, got -2"),
        (lambda r: tasks.copy(2, 1, r, length=0), "length must be a positive integer, got 0"),
        (lambda r: tasks.copy(2, 1, r, symbols=1), "symbols must be at least 2, got 1"),
        (lambda r: tasks.copy_vocab("8"), "symbols must be a positive integer, got '8'"),
        (lambda r: tasks.copy_baseline(0), "lag must be a positive integer, got 0"),
    ],
)
def test_bad_input_of_the_symbol_tasks(call, message):
    with pytest.raises(ValueError, match=message):
        call(np.random.default_rng(0))


@pytest.mark.parametrize("interval", [1, 2, 9])
def test_timing_asks_how_long_the_pause_was(interval):
    x, targets, mask = tasks.timing(interval, 300, np.random.default_rng(0))
    assert x.shape == (interval + 2, 300, 1) and x.dtype == np.float32
    assert targets.shape == mask.shape == (interval + 2, 300)
    assert set(np.unique(x)) == {0.0, 1.0} and (x.sum(axis=0) == 2).all() and (x[0] == 1).all()
    assert (mask.sum(axis=0) == 1).all() and (x[..., 0][mask] == 1).all()
    assert not targets[~mask].any()
    second = mask.argmax(axis=0)
    np.testing.assert_array_equal(targets[mask.any(axis=1)].sum(axis=0), second - interval)
    assert abs(targets[second, np.arange(300)].mean() - 0.5) < 0.1


def test_timing_repeats_with_the_same_seed_and_names_bad_arguments():
    rng = np.random.default_rng
    for a, b in zip(tasks.timing(3, 4, rng(5)), tasks.timing(3, 4, rng(5)), strict=True):
        np.testing.assert_array_equal(a, b)
    with pytest.raises(ValueError, match="interval must be a positive integer, got 0"):
        tasks.timing(0, 4, rng(0))
    with pytest.raises(ValueError, match="B must be a positive integer, got -1"):
        tasks.timing(3, -1, rng(0))


@pytest.mark.parametrize(("places", "length"), [(1, 1), (4, 4), (16, 3)])
def test_selective_copy_asks_for_the_symbols_in_order(places, length):
    rng = np.random.default_rng
    inputs, targets, mask = tasks.selective_copy(places, 500, rng(0), length, symbols=5)
    assert inputs.shape == targets.shape == mask.shape == (places + length, 500)
    assert mask[places:].all() and not mask[:places].any() and not targets[~mask].any()
    assert (inputs[places:] == 6).all() and inputs[:places].max() <= 5
    for column, answer in zip(inputs[:places].T, targets[places:].T):
        np.testing.assert_array_equal(column[column < 5], answer)
    share = (inputs[:places] < 5).mean(axis=1)  # each place holds a symbol equally often
    assert np.abs(share - length / places).max() < 0.1
    assert inputs.max() < tasks.copy_vocab(5)
    again = tasks.selective_copy(places, 500, rng(0), length, symbols=5)
    np.testing.assert_array_equal(inputs, again[0])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, 3), "places must be a positive integer, got 0"),
        ((3, 3), "places must be at least length=4, got 3"),
        ((9, 3.0), "B must be a positive integer, got 3.0"),
    ],
)
def test_bad_input_of_selective_copy(arguments, message):
    with pytest.raises(ValueError, match=message):
        tasks.selective_copy(*arguments, np.random.default_rng(0))
    with pytest.raises(ValueError, match="symbols must be at least 2, got 1"):
        tasks.selective_copy(9, 2, np.random.default_rng(0), symbols=1)
