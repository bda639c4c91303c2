"""State machines and the tasks for a memory: the tables, what is in them, and the bench."""

import machines as bench
import numpy as np
import pytest

from helpers import gradcheck
from helpers.data import machines


def rng(seed=0):
    return np.random.default_rng(seed)


# --- Machines -----------------------------------------------------------------------------------


def test_parity_is_counted_modulo_two():
    ids = rng().integers(0, 2, (9, 5))
    states = machines.run(machines.parity(), ids)
    np.testing.assert_array_equal(states, np.cumsum(ids, axis=0) % 2)
    np.testing.assert_array_equal(machines.clock(2).next, machines.parity().next)


@pytest.mark.parametrize("k", [1, 3, 7])
def test_a_clock_goes_round(k):
    ids = rng().integers(0, 2, (20, 4))
    np.testing.assert_array_equal(machines.run(machines.clock(k), ids), np.cumsum(ids, axis=0) % k)


@pytest.mark.parametrize("n", [2, 3, 5])
def test_the_ball_is_where_real_cups_would_have_it(n):
    machine = machines.cups(n)
    pairs = [(i, j) for i in range(n) for j in range(i + 1, n)]
    ids = rng().integers(0, len(pairs), (30, 1))
    table, seen = ["ball"] + ["empty"] * (n - 1), machines.run(machine, ids)[:, 0]
    for t, symbol in enumerate(ids[:, 0]):
        i, j = pairs[symbol]
        table[i], table[j] = table[j], table[i]
        assert machine.label[seen[t]] == table.index("ball")


@pytest.mark.parametrize(("depth", "kinds"), [(1, 1), (2, 2), (3, 2), (2, 3)])
def test_brackets_keep_a_stack(depth, kinds):
    machine = machines.brackets(depth, kinds)
    assert len(machine.label) == sum(kinds**d for d in range(depth + 1)) + 1
    ids = rng().integers(0, 2 * kinds, (12, 200))
    states = machines.run(machine, ids)
    for b in range(200):
        stack, wrong = [], False
        for t, symbol in enumerate(ids[:, b]):
            if symbol < kinds:
                wrong |= len(stack) == depth
                stack.append(symbol)
            else:
                wrong |= not stack or stack.pop() != symbol - kinds
            expected = kinds + 1 if wrong else stack[-1] if stack else kinds
            assert machine.label[states[t, b]] == expected


def test_the_task_of_nested_brackets_is_its_machine():
    ids, targets, mask = machines.nested(60, 50, rng())
    machine = machines.brackets(machines.DEPTH)
    np.testing.assert_array_equal(machine.label[machines.run(machine, ids)], targets)
    np.testing.assert_array_equal(mask, ids >= 2)


def test_what_is_in_the_machines():
    def size(machine):
        return len(machines.maps(machine))

    assert size(machines.parity()) == 2 and size(machines.clock(7)) == 7
    assert [size(machines.cups(n)) for n in (2, 3, 4, 5)] == [2, 6, 24, 120]
    aperiodic = {m.name: machines.is_aperiodic(machines.maps(m))
                 for m in (machines.parity(), machines.cups(3), machines.brackets(2))}  # fmt: skip
    assert aperiodic == {"parity": False, "3 cups": False, "brackets to depth 2": True}
    everything = machines.maps(machines.brackets(2))
    np.testing.assert_array_equal(machines.permutations_in(everything), [np.arange(8)])


def test_every_map_is_the_map_of_a_word():
    machine = machines.brackets(1)
    S, V = machine.next.shape
    words, made = [np.arange(S)], {tuple(range(S))}
    for _ in range(6):  # all words up to six symbols
        words = [machine.next[word, symbol] for word in words for symbol in range(V)]
        made |= {tuple(word.tolist()) for word in words}
    assert made == set(map(tuple, machines.maps(machine).tolist()))


def test_solvable_or_not():
    def sizes(n):
        return machines.sizes_of_commutators(machines.maps(machines.cups(n)))

    assert [sizes(n) for n in (2, 3, 4, 5)] == [[2, 1], [6, 3, 1], [24, 12, 4, 1], [120, 60]]
    assert machines.sizes_of_commutators(machines.maps(machines.clock(6))) == [6, 1]
    even = machines.commutators(machines.maps(machines.cups(3)))
    np.testing.assert_array_equal(even, [[0, 1, 2], [1, 2, 0], [2, 0, 1]])


# --- Tasks --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", machines.TASKS)
@pytest.mark.parametrize("T", [10, 11, 20, 37])
def test_every_task_keeps_to_its_sizes(name, T):
    task = machines.TASKS[name]
    ids, targets, mask = task.make(T, 300, rng())
    assert ids.shape == targets.shape == mask.shape == (T, 300)
    assert mask.dtype == bool and (mask.any(axis=0).all() or name == "brackets")
    assert set(np.unique(ids)) == set(range(task.V))
    assert set(np.unique(targets[mask])) == set(range(task.C)) and targets.min() >= 0
    for again, before in zip(task.make(T, 300, rng()), (ids, targets, mask)):
        np.testing.assert_array_equal(again, before)


def test_have_the_b_caught_up():
    ids, targets, mask = machines.caught_up(20, 400, rng())
    a, b = np.cumsum(ids == 0, axis=0), np.cumsum(ids == 1, axis=0)
    np.testing.assert_array_equal(targets[mask], (b >= a)[mask])
    np.testing.assert_array_equal(mask, (np.abs(b - a + 0.5) < 2) & (b > 0))
    assert (mask.sum(axis=0) == 4).all() and targets[mask].mean() == 0.5
    n = a[-1]
    assert set(n) == set(range(5, 10)) and (np.diff(ids, axis=0) >= 0).all()
    assert machines.caught_up(200, 400, rng())[0].argmax(axis=0).min() >= 50


def test_look_up_asks_for_the_value_that_followed_the_key():
    K, P = machines.KEYS, machines.PAIRS
    ids, targets, mask = machines.look_up(23, 200, rng())
    assert not mask[:-P].any() and mask[-P:].all()
    for b in range(200):
        column = ids[:, b].tolist()
        assert len(set(column[-P:])) == P == len(set(targets[-P:, b].tolist()))
        for t in range(20, 23):
            assert column.count(column[t]) == 2
            assert column[column.index(column[t]) + 1] == K + targets[t, b]


@pytest.mark.parametrize("T", [10, 21])
def test_copied_says_the_first_half_again(T):
    ids, targets, mask = machines.copied(T, 50, rng())
    n = (T - 1) // 2
    np.testing.assert_array_equal(targets[-n:], ids[:n])
    assert not mask[:-n].any() and mask[-n:].all()
    assert (ids[-n - 1] == machines.COPY_SYMBOLS + 1).all()  # the signal
    assert not targets[~mask].any()


def test_an_examination_looks_at_the_end():
    for name, task in machines.TASKS.items():
        ids, targets, mask = machines.examination(name, 40, 100, rng())
        whole = task.make(40, 100, rng())
        np.testing.assert_array_equal(ids, whole[0])
        np.testing.assert_array_equal(targets, whole[1])
        np.testing.assert_array_equal(mask[-10:], whole[2][-10:])
        assert mask[:-10].any() == (not task.always and whole[2][:-10].any())


def test_bad_input_names_the_argument():
    for make in (
        machines.caught_up,
        machines.look_up,
        machines.copied,
        machines.copied_selectively,
    ):
        with pytest.raises(ValueError, match="T must be at least 10, got 9"):
            make(9, 1, rng())
    for bad in (0, -1, 2.0, np.nan, np.inf, True, np.uint8(20), "20", None):
        for task in machines.TASKS.values():
            with pytest.raises(ValueError, match="T must be a positive integer"):
                task.make(bad, 1, rng())
            with pytest.raises(ValueError, match="B must be a positive integer"):
                task.make(20, bad, rng())
        for build, name in (
            (machines.clock, "k"),
            (machines.cups, "n"),
            (machines.brackets, "dep"),
        ):
            with pytest.raises(ValueError, match=f"{name}.* must be a positive integer"):
                build(bad)
        with pytest.raises(ValueError, match="last must be"):
            machines.examination("parity", 20, 1, rng(), last=bad)
    with pytest.raises(ValueError, match="n must be at least 2, got 1"):
        machines.cups(1)
    with pytest.raises(KeyError):
        machines.examination("sorting", 20, 1, rng())
    with pytest.raises(IndexError, match="ids must lie in 0 … 1, got values from 2 to 2"):
        machines.run(machines.parity(), np.full((1, 1), 2))
    with pytest.raises(TypeError, match="ids must be a NumPy array of integers"):
        machines.run(machines.parity(), np.full((1, 1), np.nan))
    with pytest.raises(ValueError, match=r"ids has shape \(3,\), expected \(T, B\)"):
        machines.run(machines.parity(), np.zeros(3, dtype=np.uint8))
    with pytest.raises(ValueError, match="ids is empty"):
        machines.run(machines.parity(), np.zeros((0, 1), dtype=int))
    with pytest.raises(ValueError, match="group must hold permutations"):
        machines.commutators(np.array([[0, 0]]))
    assert machines.run(machines.parity(), np.ones((3, 1), dtype=np.uint8))[:, 0].tolist() == [
        1,
        0,
        1,
    ]


# --- The bench ----------------------------------------------------------------------------------


def in_doubles(params):
    return {name: array.astype(np.float64) for name, array in params.items()}


@pytest.mark.parametrize("name", bench.MEMORIES)
def test_gradients_of_every_memory(name):
    memory, r = bench.MEMORIES[name], rng(3)
    params, u, R = (
        in_doubles(memory.init(4, 2, r)),
        r.normal(size=(4, 2, 4)),
        r.normal(size=(4, 2, 2)),
    )
    grads, du = memory.backward(params, memory.forward(params, u)[1], R)
    errors = gradcheck.compare(
        lambda: float((memory.forward(params, u)[0] * R).sum()),
        {**params, "u": u}, {**grads, "u": du},
    )  # fmt: skip
    gradcheck.largest(errors, 1e-6)


def test_gradients_of_the_body(monkeypatch):
    monkeypatch.setattr(bench, "D", 3)
    memory, r = bench.MEMORIES["fixed decay"], rng(2)
    params = in_doubles(bench.init_model(memory, 2, 2, 2, r))
    batch = machines.toggled(4, 2, r)
    grads = bench.loss_and_grads(memory, params, *batch).grads
    errors = gradcheck.compare(
        lambda: bench.loss_and_grads(memory, params, *batch).loss, params, grads
    )
    gradcheck.largest(errors, 1e-6)


@pytest.mark.parametrize("name", bench.MEMORIES)
def test_no_memory_looks_ahead_and_dtypes_are_kept(name):
    memory = bench.MEMORIES[name]
    params = bench.init_model(memory, 6, 3, 2, rng())
    ids = rng(1).integers(0, 3, (9, 2))
    z, _ = bench.forward(memory, params, ids)
    changed = ids.copy()
    changed[5:] = (ids[5:] + 1) % 3
    np.testing.assert_array_equal(z[:5], bench.forward(memory, params, changed)[0][:5])
    assert z.dtype == np.float32
    _, grads, _ = bench.loss_and_grads(memory, params, ids, ids % 2, ids < 9)
    assert {g.dtype for g in grads.values()} == {np.dtype(np.float32)}


def test_all_memories_are_about_as_large():
    units = bench.SETTINGS["lstm units"]
    sizes = [bench.n_parameters(memory, bench.width(name, units))
             for name, memory in bench.MEMORIES.items()]  # fmt: skip
    assert max(sizes) < 1.05 * min(sizes)
