"""Programs and the network that runs them: what is right by Python, by differences, by torch."""

import contextlib
import io
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers import executor, gradcheck
from helpers.data import programs
from helpers.gru import GRU
from helpers.lstm import LSTM
from helpers.text import END, START
from helpers.train import train
from helpers.trained import program_runner, store

RNG = np.random.default_rng
SIZES = [(1, 1), (3, 2), (5, 4)]


# --- Programs -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("length", "nesting"), SIZES)
def test_three_ways_to_the_answer_agree(length, nesting):
    rng = RNG(length)
    for _ in range(150):
        program = programs.generate(length, nesting, rng)
        assert programs.run(program.code) == program.output
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(program.code, {})
        assert printed.getvalue() == program.answer + "\n"
        assert len(program.operations) == nesting
        assert set(program.code + program.answer) <= set(programs.SYMBOLS)


def test_programs_hold_every_operation_and_no_long_number():
    rng = RNG(0)
    made = [programs.generate(2, 2, rng) for _ in range(300)]
    assert {name for p in made for name in p.operations} == set(programs.OPERATIONS)
    digits = "".join(c if c.isdigit() else " " for p in made for c in p.code + " ")
    assert max(len(number) for number in digits.split()) == 2
    only = [programs.generate(2, 2, rng, ("loop",)) for _ in range(20)]
    assert all(p.operations == ("loop", "loop") for p in only)


def test_parts_share_nothing_and_hold_their_shares():
    rng = RNG(1)
    parts = {p: programs.draw_many(200, 2, 1, rng, p) for p in ("train", "valid", "test")}
    codes = {p: {x.code for x in found} for p, found in parts.items()}
    assert all(len(found) == 200 for found in codes.values())
    assert not codes["train"] & codes["test"]
    assert not codes["valid"] & codes["test"]
    some = [programs.part_of(programs.generate(3, 2, rng).code) for _ in range(2000)]
    assert 0.06 < some.count("test") / 2000 < 0.14


@given(st.text(max_size=40))
@settings(max_examples=60, deadline=None)
def test_any_text_is_run_or_refused_in_words(text):
    with contextlib.suppress(ValueError):
        assert isinstance(programs.run(text), int)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("print(1", "line 1: this is no Python"),
        ("a=1", "must be print"),
        ("", "must be print"),
        ("print(a)", "a has no value"),
        ("a+=1\nprint(a)", "a has no value"),
        ("import os\nprint(1)", "line 1: only name"),
        ("print(2**3)", "only whole numbers"),
        ("print(7/2)", "only whole numbers"),
        ("print(1.5)", "only whole numbers"),
        ("print(True)", "only whole numbers"),
        ("print('a')", "only whole numbers"),
        ("print(open('x'))", "only whole numbers"),
        ("print(1 if 2==3 else 4)", "a condition is"),
        ("print(1 if 2 else 4)", "a condition is"),
        ("a=1\nfor x in range(101):a+=1\nprint(a)", "more than 100 rounds"),
        ("a=1\nfor x in range(-1):a+=1\nprint(a)", "range"),
        ("a=1\nfor x in [1]:a+=1\nprint(a)", "range"),
        ("a=1\nfor x in range(2):\n for y in range(2):a+=1\nprint(a)", "no loop"),
        ("print(999999*9999999)", "more than 12 digits"),
        ("1=2\nprint(3)", "this is no Python"),
        ("a.b=2\nprint(3)", "only a name"),
        ("print(" + "1+" * 200 + "1)", "more than 300"),
        ("print(1)\x00", "this is no Python"),
    ],
)
def test_what_is_not_in_the_language_is_refused_in_words(code, words):
    with pytest.raises(ValueError, match=words.replace("+", r"\+")):
        programs.run(code)


def test_run_reads_what_a_person_may_write():
    assert programs.run("a = 5\nb = a * 2\nprint(b - 3)") == 7
    assert programs.run("a=1\nfor i in range(4):\n    a -= i\nprint(-a)") == 5
    assert programs.run("print((1 if 3>2 else 4))") == 1
    with pytest.raises(TypeError, match="text"):
        programs.run(5)


@pytest.mark.parametrize("bad", [0, -1, 1.5, True, None])
def test_sizes_are_checked(bad):
    with pytest.raises(ValueError, match="length"):
        programs.generate(bad, 1, RNG(0))
    with pytest.raises(ValueError, match="nesting"):
        programs.generate(1, bad, RNG(0))
    with pytest.raises(ValueError, match="n must"):
        programs.additions(bad, 1, RNG(0))


def test_wrong_arguments_are_refused_in_words():
    for operations in ((), ("sum", "power")):
        with pytest.raises(ValueError, match="operations"):
            programs.generate(1, 1, RNG(0), operations)
    with pytest.raises(ValueError, match="part"):
        programs.draw_many(1, 1, 1, RNG(0), "dev")
    with pytest.raises(ValueError, match="only .* different"):
        programs.draw_many(300, 1, 1, RNG(0), "test", ("product",))
    with pytest.raises(ValueError, match="empty"):
        programs.encode("")
    with pytest.raises(ValueError, match=r"U\+00E9"):
        programs.encode("print(é)")
    with pytest.raises(TypeError, match="text"):
        programs.encode(3)
    with pytest.raises(ValueError, match="order"):
        programs.write_addition(1, 2, "backwards")
    with pytest.raises(ValueError, match="negative"):
        programs.write_addition(-1, 2)
    with pytest.raises(ValueError, match="17"):
        programs.additions(1, 18, RNG(0))


# --- Additions ----------------------------------------------------------------------------------


def test_additions_and_their_orders():
    pairs = programs.additions(300, 3, RNG(0), "test")
    assert pairs.min() >= 100
    assert pairs.max() < 1000
    assert all(programs.part_of(f"{a}+{b}") == "test" for a, b in pairs)
    assert programs.write_addition(47, 85) == ("47+85", "132")
    assert programs.write_addition(47, 85, "answer reversed") == ("47+85", "231")
    assert programs.write_addition(47, 85, "all reversed") == ("74+58", "231")
    assert programs.additions(5, 17, RNG(0)).shape == (5, 2)


def test_carries_as_on_paper():
    pairs = np.array([[999, 1], [123, 456], [505, 505], [95, 17]])
    carry = programs.carries(pairs, 3)
    assert carry.tolist() == [
        [True, True, True], [False, False, False], [True, False, True], [True, True, False]
    ]  # fmt: skip
    assert programs.longest_chain(carry).tolist() == [3, 0, 1, 2]
    with pytest.raises(ValueError, match="pairs"):
        programs.carries(np.arange(3), 2)
    with pytest.raises(ValueError, match="carry"):
        programs.longest_chain(carry[0])


# --- The network --------------------------------------------------------------------------------


def batch_of(n, seed=0):
    vocab, made = programs.vocabulary(), programs.draw_many(n, 2, 1, RNG(seed))
    sources = [programs.encode(p.code) for p in made]
    return sources, executor.answer_batch(sources, [vocab.encode(p.answer) for p in made])


def test_batch_scores_answers_and_their_ends_only():
    batch = executor.answer_batch([[5, 6], [7]], [[8, 9], [4]])
    assert batch.inputs.T.tolist() == [[5, 6, START, 8, 9], [7, START, 4, 0, 0]]
    assert batch.targets.T.tolist() == [[6, START, 8, 9, END], [START, 4, END, 0, 0]]
    assert batch.mask.T.astype(int).tolist() == [[0, 0, 1, 1, 1], [0, 1, 1, 0, 0]]
    assert batch.lengths.tolist() == [5, 3]
    with pytest.raises(ValueError, match="2 sources"):
        executor.answer_batch([[5], [6]], [[7]])
    with pytest.raises(ValueError, match="empty"):
        executor.answer_batch([[]], [[7]])
    with pytest.raises(TypeError, match="integers"):
        executor.answer_batch([[0.5]], [[7]])


@pytest.mark.parametrize("cell", [LSTM, GRU], ids=lambda c: c.name)
def test_gradients_by_finite_differences(cell):
    batch = executor.answer_batch([[2, 3, 4], [4], [3, 2]], [[2], [3, 3], []])
    params = executor.init_executor(cell, 5, 3, 4, RNG(1), dtype=np.float64)
    params = {name: 2 * array for name, array in params.items()}  # gradients far above rounding
    grads = executor.loss_and_grads(cell, params, batch).grads
    assert set(grads) == set(params)

    def loss():
        return executor.loss_and_grads(cell, params, batch).loss

    assert gradcheck.largest(gradcheck.compare(loss, params, grads, 1e-5), 1e-7) < 1e-7


def test_what_lies_before_and_behind_the_answer_is_not_scored():
    _, batch = batch_of(4)
    params = executor.init_executor(LSTM, len(programs.vocabulary()), 3, 4, RNG(1))
    expected = executor.loss_and_grads(LSTM, params, batch).loss
    other = batch._replace(targets=np.where(batch.mask, batch.targets, 7))
    assert executor.loss_and_grads(LSTM, params, other).loss == expected


def test_free_run_is_right_exactly_where_every_symbol_is():
    vocab, rng = programs.adder_vocabulary(), RNG(1)
    texts = [programs.write_addition(a, b) for a, b in programs.additions(30, 1, rng).tolist()]
    sources = [programs.encode(text, vocab) for text, _ in texts]
    batch = executor.answer_batch(sources, [vocab.encode(y) for _, y in texts])
    params = executor.init_executor(LSTM, len(vocab), 8, 20, rng)

    def step(params, batch, state):
        return executor.loss_and_grads(LSTM, params, batch)

    train(step, params, iter([batch] * 60), 60, lr=0.02, progress=False)
    right = executor.right_symbols(executor.predict(LSTM, params, batch), batch)
    whole = (right | ~batch.mask).all(axis=0)
    written = executor.write(LSTM, params, sources, B=7)
    answers = ["".join(vocab.decode(ids)) for ids in written]
    assert [w == y for w, (_, y) in zip(answers, texts)] == whole.tolist()
    assert 3 < whole.sum() < 30
    assert executor.write(LSTM, params, sources[:1], max_length=1)[0] == written[0][:1]


# --- The stored networks ------------------------------------------------------------------------


def made_up(tmp_path):
    arrays = {"about": np.array(json.dumps({}))}
    for name in ("runner", *programs.ORDERS):
        V = len(programs.vocabulary() if name == "runner" else programs.adder_vocabulary())
        layers = 2 if name == "runner" else 1
        params = executor.init_executor(LSTM, V, 3, 4, RNG(0), layers)
        arrays |= {f"{name}.{key}": a.astype(np.float16) for key, a in params.items()}
    store.write_npz(tmp_path / "made_up.npz", arrays)
    return tmp_path / "made_up.npz", arrays


def test_networks_are_read_and_asked(tmp_path):
    path, arrays = made_up(tmp_path)
    networks = program_runner.load(path)
    texts = ["print((3+4))", "print(5)"]
    found = program_runner.answers(networks.runner, texts, 3)
    assert all(len(answer) <= 3 for answer in found)
    right, batch = program_runner.right_symbols(networks.adders["plain"], ["1+2"], ["3"])
    assert right.shape == batch.mask.shape == (5, 1)
    with pytest.raises(ValueError, match="position"):
        program_runner.answers(networks.adders["plain"], ["1-2"])
    arrays["runner.E"][0, 0] = np.nan
    store.write_npz(path, arrays)
    with pytest.raises(ValueError, match="not finite"):
        program_runner.load(path)
    del arrays["plain.E"]
    store.write_npz(path, arrays)
    with pytest.raises(ValueError, match="no whole file"):
        program_runner.load(path)
    with pytest.raises(FileNotFoundError, match="experiments"):
        program_runner.load(tmp_path / "nothing.npz")


def test_the_stored_networks_choose_and_add():
    networks = program_runner.load()
    assert set(networks.about) == {"runner", "strategies", "adder"}
    assert networks.about["runner"]["about"]["updates"] > 1000
    codes = ["print((5 if 3>2 else 9))", "print((123 if 500<400 else 678))", "print((3+4))"]
    right = [str(programs.run(code)) for code in codes]
    assert program_runner.answers(networks.runner, codes) == right
    texts = [programs.write_addition(a, b, "all reversed") for a, b in [(47, 85), (123, 989)]]
    found = program_runner.answers(networks.adders["all reversed"], [q for q, _ in texts])
    assert found == [answer for _, answer in texts]


# --- The training script ------------------------------------------------------------------------


def test_training_script_has_the_same_network():
    torch = pytest.importorskip("torch")
    script = pytest.importorskip("programs", reason="experiments/programs.py")
    vocab, made = programs.vocabulary(), programs.draw_many(6, 2, 2, RNG(3), "test")
    net = script.Net(len(vocab), 5, 7, 2, 0).double()
    arrays = script.rows_of([(p.code, p.answer) for p in made], vocab, 90)
    loss = net.loss(*map(torch.from_numpy, arrays))
    loss.backward()
    sources = [programs.encode(p.code) for p in made]
    batch = executor.answer_batch(sources, [vocab.encode(p.answer) for p in made])
    found = executor.loss_and_grads(LSTM, net.params(), batch)
    assert abs(loss.item() - found.loss) < 1e-12
    assert np.abs(net.E.weight.grad.numpy() - found.grads["E"]).max() < 1e-12
    for name in ("W_xh_l0", "W_hh_l1"):
        theirs = getattr(net.rnn, name.replace("W_xh", "weight_ih").replace("W_hh", "weight_hh"))
        assert np.abs(theirs.grad.numpy().T - found.grads[name]).max() < 1e-12
    right = executor.right_symbols(executor.predict(LSTM, net.params(), batch), batch)
    share = right.sum() / batch.mask.sum()
    assert script.score(net, *map(torch.from_numpy, arrays))[0] == round(share, 4)
