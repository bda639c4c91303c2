"""Whole programs: they stand alone, their gradients are right, and the pair computes the same."""

import ast
from pathlib import Path

import numpy as np
import pytest

from helpers import gradcheck
from helpers import language_model as lm
from helpers.rnn import RNN

FOLDER = Path(__file__).resolve().parents[1] / "programs"
PLAIN = ["character_rnn", "tagger", "translator"]  # in NumPy alone


def imported(name):
    tree = ast.parse((FOLDER / f"{name}.py").read_text("utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module.split(".")[0]


@pytest.mark.parametrize("name", PLAIN)
def test_a_program_stands_alone(name):
    assert set(imported(name)) <= {"sys", "pathlib", "numpy", "math"}
    assert "helpers" not in set(imported(f"{name}_torch"))


@pytest.mark.parametrize("name", [f.stem for f in sorted(FOLDER.glob("*.py"))])
def test_a_program_fits_two_screens(name):
    lines = (FOLDER / f"{name}.py").read_text("utf-8").splitlines()
    assert sum(bool(line.strip()) for line in lines) <= 135


# ---------- the character RNN ----------

V, D, H, T, B = 7, 3, 5, 6, 2


@pytest.fixture
def small():
    import character_rnn

    rng = np.random.default_rng(0)
    p = character_rnn.init(V, D, H, rng)
    return p, rng.integers(0, V, (T, B)), rng.integers(0, V, (T, B)), rng.normal(size=(B, H))


def test_gradients_of_the_character_rnn(small):
    import character_rnn

    p, x, y, h = small
    _, grads, _ = character_rnn.loss_and_grads(p, x, y, h)
    errors = gradcheck.compare(lambda: character_rnn.loss_and_grads(p, x, y, h)[0], p, grads)
    assert gradcheck.largest(errors, 1e-6) > 0


def test_the_character_rnn_is_the_book_s_language_model(small):
    import character_rnn

    p, x, y, h = small
    loss, grads, state = character_rnn.loss_and_grads(p, x, y, h)
    theirs = lm.loss_and_grads(RNN, p, x, y, (h,))
    assert np.isclose(loss, theirs.loss, rtol=1e-12)
    np.testing.assert_allclose(state, theirs.state[0], atol=1e-12)
    for name in p:
        np.testing.assert_allclose(grads[name], theirs.grads[name], atol=1e-12, err_msg=name)


def test_the_twin_in_torch_computes_the_same(small):
    torch = pytest.importorskip("torch")
    import character_rnn
    import character_rnn_torch

    p, x, y, h = small
    model = character_rnn_torch.CharRNN(V, D, H).double()
    ours = {"embed.weight": "E", "read_out.bias": "b_y", "rnn.bias_hh_l0": None}
    turned = {"rnn.weight_ih_l0": "W_xh", "rnn.weight_hh_l0": "W_hh", "read_out.weight": "W_hy"}
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if name in turned:
                weight.copy_(torch.tensor(p[turned[name]].T))
            elif name == "rnn.bias_ih_l0":
                weight.copy_(torch.tensor(p["b_h"]))
            elif ours[name] is None:
                weight.zero_()
            else:
                weight.copy_(torch.tensor(p[ours[name]]))
    logits, _ = model(torch.tensor(x), torch.tensor(h)[None])
    loss = character_rnn_torch.loss_of(logits, torch.tensor(y))
    loss.backward()
    our_loss, grads, _ = character_rnn.loss_and_grads(p, x, y, h)
    assert np.isclose(loss.item(), our_loss, rtol=1e-12)
    for name, weight in model.named_parameters():
        if name in turned:
            np.testing.assert_allclose(weight.grad.numpy().T, grads[turned[name]], atol=1e-9)
    np.testing.assert_allclose(model.embed.weight.grad.numpy(), grads["E"], atol=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["character_rnn", "character_rnn_torch"])
def test_the_character_rnn_learns_and_writes(name, tmp_path, capsys):
    if name.endswith("torch"):
        pytest.importorskip("torch")
    program = __import__(name)
    path = tmp_path / "text.txt"
    path.write_text("\ufeff" + "to be or not to be, that is the question. " * 200, "utf-8")
    program.main(path, T=20, B=8, D=8, H=32, n_updates=250, lr=0.01)
    lines = capsys.readouterr().out.splitlines()
    bits = float(lines[1].split(": ")[1].split()[0])
    assert bits < 0.6  # the sentence repeats: only its beginning is uncertain
    assert "question" in "".join(lines[2:])


# ---------- tagger and translator ----------

SENTENCES = [[3, 4, 5], [6, 7, 3, 4, 5], [5]]
TAGS = [[1, 2, 0], [1, 1, 2, 0, 2], [2]]
TARGETS = [[1, 4, 2], [1, 5, 6, 7, 2], [1, 2]]


def example(name):
    """A program, its parameters, and a padded batch of three sequences of unequal length."""
    program, rng = __import__(name), np.random.default_rng(0)
    if name == "tagger":
        p = program.init(8, 3, D, H, rng)
        return program, p, program.pad(SENTENCES), program.pad(TAGS)
    p = program.init(8, D, H, rng)
    return program, p, program.pad(SENTENCES), program.pad(TARGETS)


@pytest.mark.parametrize("name", ["tagger", "translator"])
def test_gradients_of_programs_on_padded_batches(name):
    program, p, x, y = example(name)
    _, grads = program.loss_and_grads(p, x, y)
    errors = gradcheck.compare(lambda: program.loss_and_grads(p, x, y)[0], p, grads)
    gradcheck.largest(errors, 1e-6)


@pytest.mark.parametrize("name", ["tagger", "translator"])
def test_padding_changes_nothing(name):
    program, p, x, y = example(name)
    loss, grads = program.loss_and_grads(p, x, y)
    longer = np.vstack([x, np.zeros((2, 3), int)]), np.vstack([y, np.zeros((2, 3), int)])
    again, grads_again = program.loss_and_grads(p, *longer)
    assert np.isclose(loss, again, rtol=1e-12)
    for key in p:
        np.testing.assert_allclose(grads[key], grads_again[key], atol=1e-12, err_msg=key)


def in_torch(name, p):
    """The twin with the same weights, in float64, and where each weight went."""
    torch = pytest.importorskip("torch")
    module = __import__(f"{name}_torch")
    if name == "tagger":
        model = module.Tagger(8, 3, D, H).double()
        where = {"embed.weight": "E", "read_out.weight": "W_y", "read_out.bias": "b_y"}
        for k, end in (("f", "l0"), ("b", "l0_reverse")):
            where |= {f"lstm.weight_ih_{end}": f"{k}_W", f"lstm.weight_hh_{end}": f"{k}_U",
                      f"lstm.bias_ih_{end}": f"{k}_b", f"lstm.bias_hh_{end}": None}  # fmt: skip
    else:
        model = module.Translator(8, D, H).double()
        where = {"embed.weight": "E", "read_out.weight": "W_y", "read_out.bias": "b_y",
                 "join.weight": "W_u", "join.bias": "b_u"}  # fmt: skip
        for k, part in (("e", "encoder"), ("d", "decoder")):
            where |= {f"{part}.weight_ih_l0": f"{k}_W", f"{part}.weight_hh_l0": f"{k}_U",
                      f"{part}.bias_ih_l0": f"{k}_b", f"{part}.bias_hh_l0": f"{k}_c"}  # fmt: skip
    with torch.no_grad():
        for key, weight in model.named_parameters():
            ours = None if where[key] is None else torch.tensor(p[where[key]])
            if ours is None:
                weight.zero_()
            else:
                weight.copy_(ours if ours.ndim == 1 or key.startswith("embed") else ours.T)
    return model, where


@pytest.mark.parametrize("name", ["tagger", "translator"])
def test_twins_in_torch_compute_the_same(name):
    torch = pytest.importorskip("torch")
    program, p, x, y = example(name)
    model, where = in_torch(name, p)
    loss = model.loss(torch.tensor(x), torch.tensor(y))
    loss.backward()
    ours, grads = program.loss_and_grads(p, x, y)
    assert np.isclose(loss.item(), ours, rtol=1e-12)
    for key, weight in model.named_parameters():
        if where[key] is not None:
            theirs = weight.grad.numpy()
            theirs = theirs if theirs.ndim == 1 or key.startswith("embed") else theirs.T
            np.testing.assert_allclose(grads[where[key]], theirs, atol=1e-9, err_msg=key)


def write_words(path):
    """Sentences in which only a later word tells the tag of the first one."""
    blocks = [f"{city}\tB-{kind}\nis\tO\nwhere\tO\nI\tO\n{verb}\tO"
              for city in ("Rome", "Oslo", "Lima", "Kyoto", "Cairo")
              for kind, verb in (("from", "leave"), ("to", "arrive"))]  # fmt: skip
    path.write_text("\n\n".join(blocks * 6), "utf-8")


def write_pairs(path):
    """The target is the source, doubled letter by letter and in capitals."""
    rng = np.random.default_rng(0)
    words = ["".join(rng.choice(list("abcd"), rng.integers(1, 5))) for _ in range(300)]
    path.write_text("\n".join(f"{w}\t{w.upper()}" for w in words), "utf-8")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["tagger", "tagger_torch", "translator", "translator_torch"])
def test_programs_learn(name, tmp_path, capsys):
    if name.endswith("torch"):
        pytest.importorskip("torch")
    path = tmp_path / "data.tsv"
    if name.startswith("tagger"):
        write_words(path)
        __import__(name).main(path, B=16, D=8, H=12, n_updates=100, lr=0.03)
    else:
        write_pairs(path)
        __import__(name).main(path, B=16, D=12, H=32, n_updates=300, lr=0.01)
    [line] = [li for li in capsys.readouterr().out.splitlines() if "held-out" in li]
    share = int(line.split("%")[0].split()[-1])
    assert share >= 80, line
