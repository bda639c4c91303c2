"""State machines: tables, what is in them, and eight tasks for a memory.

A machine has S states. It starts in state 0, and a table (S, V) says where each of V symbols leads:

    s_t = next[s_{t−1}, x_t]        y_t = label[s_t]

Every task here returns ids (T, B), targets (T, B) and a mask (T, B) that is True where an answer is
scored; T is the length of the whole sequence, so that one can train on short and score on long.
Shapes: T time steps, B batch, S states, V symbols, M maps of the states to themselves.
"""

from collections.abc import Callable
from itertools import combinations
from typing import NamedTuple

import numpy as np

from ..checks import check_ids, check_shape, check_sizes
from . import tasks


class Machine(NamedTuple):
    """next: (S, V), the state after each symbol in each state; label: (S,), the answer there.

    A state in which a symbol may not come leads to the last state, which is never left again.
    """

    name: str
    next: np.ndarray
    label: np.ndarray


def parity() -> Machine:
    """Two states: symbol 1 changes the state, symbol 0 leaves it. The answer is the state."""
    return Machine("parity", np.array([[0, 1], [1, 0]]), np.arange(2))


def clock(k: int) -> Machine:
    """Counting round a clock of k hours: symbol 1 goes one hour on, symbol 0 waits.

    Raises: ValueError if k is not a positive integer.
    """
    check_sizes(k=k)
    hours = np.arange(k)
    return Machine(f"clock of {k}", np.stack([hours, (hours + 1) % k], axis=1), hours)


def cups(n: int) -> Machine:
    """A ball under one of n cups; each symbol swaps two cups. The answer: under which is the ball?

    The state is the ball's place, n in all. The symbols are the n(n − 1)/2 pairs of places, in the
    order of itertools.combinations.
    Raises: ValueError if n is not an integer of 2 or more.
    """
    check_sizes(n=n)
    if n < 2:
        raise ValueError(f"n must be at least 2, got {n}")
    pairs = list(combinations(range(n), 2))
    table = np.tile(np.arange(n)[:, None], (1, len(pairs)))
    for symbol, (i, j) in enumerate(pairs):
        table[i, symbol], table[j, symbol] = j, i
    return Machine(f"{n} cups", table, np.arange(n))


def brackets(depth: int, kinds: int = 2) -> Machine:
    """Brackets of several kinds, at most `depth` open at once. Which kind has to be closed next?

    Symbols: 0 … kinds − 1 open, kinds … 2·kinds − 1 close. A state is a stack of open brackets;
    state 0 is the empty one, and the last state is reached by a wrong bracket. Labels: the kind on
    top of the stack, `kinds` where the stack is empty, kinds + 1 after a wrong bracket.
    Raises: ValueError if a size is not a positive integer.
    """
    check_sizes(depth=depth, kinds=kinds)
    stacks = [()]
    for stack in stacks:  # grows while we read it: shorter stacks first
        if len(stack) < depth:
            stacks += [(*stack, kind) for kind in range(kinds)]
    number = {stack: s for s, stack in enumerate(stacks)}
    wrong = len(stacks)
    table = np.full((wrong + 1, 2 * kinds), wrong)
    for stack, s in number.items():
        for kind in range(kinds):
            table[s, kind] = number.get((*stack, kind), wrong)
        if stack:
            table[s, kinds + stack[-1]] = number[stack[:-1]]
    label = [stack[-1] if stack else kinds for stack in stacks]
    return Machine(f"brackets to depth {depth}", table, np.array([*label, kinds + 1]))


def run(machine: Machine, ids: np.ndarray) -> np.ndarray:
    """The state after every symbol: ids (T, B) → states (T, B), each sequence from state 0.

    Raises: TypeError or IndexError if ids are not integers in 0 … V − 1, ValueError if their shape
    is not (T, B).
    """
    check_shape("ids", ids, ("T", "B"))
    check_ids("ids", ids, machine.next.shape[1])
    state, states = np.zeros(ids.shape[1], dtype=np.int64), np.empty(ids.shape, dtype=np.int64)
    for t, symbols in enumerate(ids):
        states[t] = state = machine.next[state, symbols]
    return states


# --- What is in a machine -----------------------------------------------------------------------


def maps(machine: Machine) -> np.ndarray:
    """All maps of the states to themselves that a word can have: (M, S), sorted.

    A word moves every state somewhere; the words "10" and "01" of parity have the same map. These
    maps are the machine's transition monoid; the empty word's map, which moves nothing, belongs to
    it. Where each map can be undone they are a group.
    """
    S, V = machine.next.shape
    found, new = {tuple(range(S))}, [tuple(range(S))]
    while new:
        word = new.pop()
        for symbol in range(V):
            longer = tuple(int(machine.next[s, symbol]) for s in word)
            if longer not in found:
                found.add(longer)
                new.append(longer)
    return np.array(sorted(found))


def permutations_in(all_maps: np.ndarray) -> np.ndarray:
    """The maps that can be undone: those that send no two states to the same one. (M, S)."""
    return np.array([m for m in all_maps if len(set(m.tolist())) == len(m)])


def is_aperiodic(all_maps: np.ndarray) -> bool:
    """Whether repeating any word comes to rest: m^n = m^{n+1} from some n on, for every map m.

    Such machines have no group in them but that of one element; their languages are the star-free
    ones (Schützenberger 1965).
    """
    for m in all_maps:
        power = np.arange(len(m))
        for _ in range(len(m)):  # after S applications a map that comes to rest has done so
            power = m[power]
        if not np.array_equal(m[power], power):
            return False
    return True


def commutators(group: np.ndarray) -> np.ndarray:
    """The group generated by all a b a⁻¹ b⁻¹ of a group of permutations (M, S): (M′, S), sorted.

    What is left is how much the order of two moves matters: where it never does, one map is left.
    Raises: ValueError if a row is not a permutation.
    """
    check_shape("group", group, ("M", "S"))
    S = group.shape[1]
    if not np.array_equal(np.sort(group, axis=1), np.tile(np.arange(S), (len(group), 1))):
        raise ValueError("group must hold permutations of 0 … S − 1, one a row")
    undo = np.argsort(group, axis=1)
    found = set()
    for a, back in zip(group, undo):
        ab = group[:, a]  # first a, then b, for every b
        undone = np.take_along_axis(undo, back[ab], axis=1)  # then a undone, then b undone
        found |= set(map(tuple, undone.tolist()))
    table = np.array(sorted(found)).T  # generators as the symbols of a machine
    return maps(Machine("commutators", table, np.arange(S)))


def sizes_of_commutators(group: np.ndarray) -> list:
    """How many maps are left when commutators are taken again and again, until nothing changes.

    A group is called solvable if the last number is 1: S₃ gives 6, 3, 1, and S₅ gives 120, 60.
    Raises: ValueError if a row is not a permutation.
    """
    sizes = [len(group)]
    while len(group) > 1:
        group = commutators(group)
        if len(group) == sizes[-1]:
            break
        sizes.append(len(group))
    return sizes


# --- The tasks ----------------------------------------------------------------------------------


class Task(NamedTuple):
    """make(T, B, rng) → ids, targets, mask, each (T, B); V symbols, C answers to choose from.

    always: answers are scored all the way, and not only in a block at the end.
    """

    name: str
    make: Callable
    V: int
    C: int
    always: bool


SHORTEST = 10  # steps that every task has room for
DEPTH = 3  # of the brackets
PAIRS, KEYS, VALUES = 3, 6, 4  # of look-up
COPY_SYMBOLS, COPY_LENGTH = 4, 4


def follow(machine: Machine, T: int, B: int, rng):
    """Symbols drawn evenly; the answer of the machine at every step.

    Returns ids (T, B), targets (T, B), mask (T, B), all True.
    Raises: ValueError if a size is not a positive integer.
    """
    check_sizes(T=T, B=B)
    ids = rng.integers(0, machine.next.shape[1], (T, B))
    return ids, machine.label[run(machine, ids)], np.ones((T, B), dtype=bool)


def toggled(T: int, B: int, rng):
    """`tasks.toggle`, with ids 0 and 1: is the number of 1s so far odd?"""
    x, targets, mask = tasks.toggle(T, B, rng)
    return (x[..., 0] > 0).astype(np.int64), targets, mask


def caught_up(T: int, B: int, rng):
    """aⁿ, then b until the end: are there as many b as a by now?

    n is drawn from T/4 … T/2. Only the four steps with n − 2, n − 1, n and n + 1 b are scored, with
    the answers no, no, yes, yes: so knowing whether t is even does not help, and who knows t and
    nothing else is right in little more than half of the cases. Ids: 0 is a, 1 is b.
    Raises: ValueError if a size is not a positive integer or T is below 10.
    """
    _check_long_enough(T, B)
    n = rng.integers((T - 1) // 4 + 1, (T - 1) // 2 + 1, B)
    letters = np.arange(1, T + 1)[:, None]  # (T, 1): how many were read
    ids = (letters > n).astype(np.int64)
    more = letters - 2 * n  # (T, B): b minus a, once all a were read
    return ids, (more >= 0).astype(np.int64), (more >= -2) & (more <= 1)


def nested(T: int, B: int, rng, depth: int = DEPTH):
    """Two kinds of brackets, at most `depth` open: after each closing one, what has to close next?

    At each step a bracket opens or closes with the same probability, where both are allowed. Only
    steps after a closing bracket are scored, since after an opening one its kind is the answer.
    Ids: 0 and 1 open, 2 and 3 close; answers: kind 0, kind 1, or 2 for "nothing is open".
    Raises: ValueError if a size is not a positive integer.
    """
    check_sizes(T=T, B=B, depth=depth)
    opens, kinds = rng.random((T, B)) < 0.5, rng.integers(0, 2, (T, B))
    stack, high = np.zeros((depth + 1, B), dtype=np.int64), np.zeros(B, dtype=np.int64)
    stack[0], column = 2, np.arange(B)  # below all brackets lies "nothing is open"
    ids, targets = np.empty((T, B), dtype=np.int64), np.empty((T, B), dtype=np.int64)
    for t in range(T):
        up = (high == 0) | (opens[t] & (high < depth))
        ids[t] = np.where(up, kinds[t], 2 + stack[high, column])
        high += np.where(up, 1, -1)
        stack[high[up], column[up]] = kinds[t, up]
        targets[t] = stack[high, column]
    return ids, targets, ids >= 2


def look_up(T: int, B: int, rng):
    """Associative recall: pairs of a key and a value among blanks; at the end each key again.

    Three of six keys, each followed by one of four values, all different, at places drawn at
    random; in the last three steps the keys in another order, and the answer is the key's value.
    Ids: keys, then values, then the blank. Who knows which values came, but not with which key, is
    right once in three times.
    Raises: ValueError if a size is not a positive integer or T is below 10.
    """
    _check_long_enough(T, B)
    ids = np.full((T, B), KEYS + VALUES)
    targets, mask = np.zeros((T, B), dtype=np.int64), np.zeros((T, B), dtype=bool)
    column = np.arange(B)
    keys = rng.random((KEYS, B)).argsort(axis=0)[:PAIRS]
    values = rng.random((VALUES, B)).argsort(axis=0)[:PAIRS]
    slots = (T - PAIRS) // 2  # a pair takes one; an odd step is a blank at the start
    spots = (T - PAIRS) % 2 + 2 * rng.random((slots, B)).argsort(axis=0)[:PAIRS]
    ids[spots, column], ids[spots + 1, column] = keys, KEYS + values
    asked = rng.random((PAIRS, B)).argsort(axis=0)
    ids[-PAIRS:] = np.take_along_axis(keys, asked, axis=0)
    targets[-PAIRS:], mask[-PAIRS:] = np.take_along_axis(values, asked, axis=0), True
    return ids, targets, mask


def copied(T: int, B: int, rng):
    """`tasks.copy` filling the whole length: (T − 1)/2 symbols, the signal, the symbols again.

    The longer the sequence, the more there is to keep. Only the repetition is scored.
    Raises: ValueError if a size is not a positive integer or T is below 10.
    """
    _check_long_enough(T, B)
    length = (T - 1) // 2
    ids, targets, _ = tasks.copy(T - 2 * length, B, rng, length, COPY_SYMBOLS)
    mask = np.zeros((T, B), dtype=bool)
    mask[-length:] = True
    return ids, np.where(mask, targets, 0), mask


def copied_selectively(T: int, B: int, rng):
    """`tasks.selective_copy` of T steps: four symbols among ever more blanks, then in order.

    Raises: ValueError if a size is not a positive integer or T is below 10.
    """
    _check_long_enough(T, B)
    return tasks.selective_copy(T - COPY_LENGTH, B, rng, COPY_LENGTH, COPY_SYMBOLS)


def _check_long_enough(T, B):
    check_sizes(T=T, B=B)
    if T < SHORTEST:
        raise ValueError(f"T must be at least {SHORTEST}, got {T}")


TASKS = {
    task.name: task
    for task in (
        Task("parity", toggled, 2, 2, True),
        Task("counting", caught_up, 2, 2, False),
        Task("brackets", nested, 4, 3, True),
        Task("3 cups", lambda T, B, rng: follow(cups(3), T, B, rng), 3, 3, True),
        Task("5 cups", lambda T, B, rng: follow(cups(5), T, B, rng), 10, 5, True),
        Task("look-up", look_up, KEYS + VALUES + 1, VALUES, False),
        Task("copying", copied, COPY_SYMBOLS + 2, COPY_SYMBOLS, False),
        Task("selective copying", copied_selectively, COPY_SYMBOLS + 2, COPY_SYMBOLS, False),
    )
}


def examination(name: str, T: int, B: int, rng, last: int = 10):
    """A batch to score a model on at length T: of running answers only the `last` steps count.

    Else an answer "at 200 steps" would for the most part be one after far fewer. name: of TASKS.
    Returns ids, targets and mask, each (T, B).
    Raises: KeyError for a name that is not in TASKS; ValueError as the task, or if last is not a
    positive integer.
    """
    check_sizes(last=last)
    ids, targets, mask = TASKS[name].make(T, B, rng)
    if TASKS[name].always:
        mask[:-last] = False
    return ids, targets, mask
