"""Whole programs: they stand alone, their gradients are right, and the pair computes the same."""

import ast
from pathlib import Path

import numpy as np
import pytest

from helpers import gradcheck
from helpers import language_model as lm
from helpers.rnn import RNN

FOLDER = Path(__file__).resolve().parents[1] / "programs"
PLAIN = ["character_rnn"]  # in NumPy alone


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
def test_a_program_fits_a_page(name):
    lines = (FOLDER / f"{name}.py").read_text("utf-8").splitlines()
    assert sum(bool(line.strip()) for line in lines) <= 100


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
