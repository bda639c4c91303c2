"""Fixed points: found where they are known, and a fixed point of one cell like of another."""

import numpy as np
import pytest

from helpers import fixed_points, unroll
from helpers.data import tasks
from helpers.gru import GRU
from helpers.lstm import LSTM
from helpers.rnn import RNN

RNG = np.random.default_rng


def switch(w=1.5):
    """Two units that do not meet, h_t = tanh(w h_{t−1}) each: nine fixed points."""
    return {"W_xh": np.zeros((1, 2)), "W_hh": w * np.eye(2), "b_h": np.zeros(2)}


def test_all_nine_points_of_two_switches():
    params, zero = switch(), np.zeros(1)
    found = fixed_points.find(RNN, params, zero, RNG(0).uniform(-1, 1, (100, 2)))
    assert found.speed.max() < 1e-20
    kept = fixed_points.distinct(found.states, 1e-3)
    states, unstable = found.states[kept], fixed_points.n_unstable(found.jacobians[kept])
    assert len(kept) == 9
    root = 1.0
    for _ in range(200):
        root = np.tanh(1.5 * root)
    np.testing.assert_allclose(np.unique(np.abs(states).round(8)), [0, root], atol=1e-8)
    np.testing.assert_array_equal(np.sort(unstable), [0] * 4 + [1] * 4 + [2])
    np.testing.assert_array_equal(unstable, (np.abs(states) < 0.1).sum(axis=1))
    edge = found.jacobians[kept][unstable == 2][0]
    np.testing.assert_allclose(edge, 1.5 * np.eye(2), atol=1e-9)


def test_a_slow_point_where_there_is_no_fixed_one():
    """h = tanh(1.5 h + b) with b a little too large for the lower pair: a ghost is left there."""
    params = {"W_xh": np.zeros((1, 1)), "W_hh": np.array([[1.5]]), "b_h": np.array([0.25])}
    found = fixed_points.find(RNN, params, np.zeros(1), np.array([[-0.7], [0.9]]))
    assert found.speed[1] < 1e-20 and found.states[1, 0] > 0.8
    assert 1e-6 < found.speed[0] < 1e-2 and -0.8 < found.states[0, 0] < -0.3
    q = [
        0.5 * (np.tanh(1.5 * s + 0.25) - s) ** 2
        for s in found.states[0, 0] + np.array([-1e-3, 0, 1e-3])
    ]
    assert q[1] == min(q)


@pytest.mark.parametrize("cell", [RNN, GRU, LSTM], ids=lambda c: c.name)
def test_a_fixed_point_stays_where_it_is(cell):
    params, x = unroll.init_cell(cell, 2, 6, RNG(0), np.float64), RNG(1).normal(size=2)
    n = 6 * cell.n_states
    found = fixed_points.find(cell, params, x, RNG(2).uniform(-1, 1, (4, n)))
    assert found.speed.max() < 1e-20
    assert found.states.shape == (4, n) and found.jacobians.shape == (4, n, n)
    state = tuple(np.ascontiguousarray(s) for s in np.split(found.states, cell.n_states, axis=1))
    _, after, _ = unroll.forward(cell, params, np.tile(x, (5, 4, 1)), state)
    np.testing.assert_allclose(np.hstack(after), found.states, atol=1e-8)


def test_the_jacobian_says_how_a_small_push_grows():
    params, zero = switch(), np.zeros(1)
    found = fixed_points.find(RNN, params, zero, np.array([[0.05, 0.9]]))
    push = 1e-6 * RNG(0).normal(size=(1, 2))
    after, _ = fixed_points.one_map(RNN, params, zero, found.states + push)
    np.testing.assert_allclose(after - found.states, push @ found.jacobians[0].T, rtol=1e-4)


def test_starts_do_not_change_and_do_not_mix():
    params, starts = switch(), RNG(0).uniform(-1, 1, (6, 2))
    before = starts.copy()
    all_at_once = fixed_points.find(RNN, params, np.zeros(1), starts)
    np.testing.assert_array_equal(starts, before)
    alone = fixed_points.find(RNN, params, np.zeros(1), starts[2:3])
    np.testing.assert_allclose(alone.states[0], all_at_once.states[2], atol=1e-9)


def test_distinct_keeps_the_first_of_near_ones():
    states = np.array([[0.0, 0], [0, 0.1], [1, 0], [0, 0]])
    np.testing.assert_array_equal(fixed_points.distinct(states, 0.2), [0, 2])
    np.testing.assert_array_equal(fixed_points.distinct(states, 0), [0, 1, 2])


def test_bad_input_names_the_argument():
    params, starts = switch(), np.zeros((3, 2))
    for words, x, s in [
        ("x has", np.zeros(2), starts), ("starts has", np.zeros(1), np.zeros((3, 4))),
        ("starts is empty", np.zeros(1), np.zeros((0, 2))), ("x holds", np.full(1, np.nan), starts),
        ("starts holds", np.zeros(1), starts + np.inf),
        ("one dtype", np.zeros(1, np.float32), starts),
    ]:  # fmt: skip
        with pytest.raises(ValueError, match=words):
            fixed_points.find(RNN, params, x, s)
    with pytest.raises(ValueError, match="n_steps must"):
        fixed_points.find(RNN, params, np.zeros(1), starts, 0)
    with pytest.raises(ValueError, match="distance must"):
        fixed_points.distinct(starts, np.nan)
    with pytest.raises(ValueError, match="J has"):
        fixed_points.n_unstable(np.zeros((2, 3, 2)))


# ---------- the task ----------


def test_flip_flop_holds_the_last_pulse():
    x, targets = tasks.flip_flop(50, 4, RNG(0), bits=2, p=0.2)
    assert x.shape == targets.shape == (50, 4, 2) and x.dtype == targets.dtype == np.float32
    assert set(np.unique(x)) == {-1, 0, 1} and set(np.unique(targets)) == {-1, 1}
    held = np.zeros((4, 2))
    for x_t, target in zip(x, targets):
        held = np.where(x_t == 0, held, x_t)
        np.testing.assert_array_equal(target, held)
    assert (x[1:] != 0).mean() == pytest.approx(0.2, abs=0.06)
    np.testing.assert_array_equal(x, tasks.flip_flop(50, 4, RNG(0), bits=2, p=0.2)[0])
    never, held = tasks.flip_flop(9, 2, RNG(0), p=0)
    assert not never[1:].any() and (held == held[0]).all()
    for wrong in ({"p": 1}, {"p": np.nan}, {"T": 0}, {"bits": np.uint8(3)}):
        with pytest.raises(ValueError, match="must"):
            tasks.flip_flop(**{"T": 5, "B": 2, "rng": RNG(0), **wrong})
