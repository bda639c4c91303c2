"""Language models trained in torch: what comes out runs in the helpers, and gives the same."""

import argparse

import numpy as np
import pytest
import torch
import torch_lm

from helpers import gradcheck, losses, text, train, unroll
from helpers import language_model as lm
from helpers.gru import GRU
from helpers.lstm import LSTM
from helpers.rnn import RNN
from helpers.trained import writer

RNG = np.random.default_rng
SPLIT = text.Split("to be or not to be, that is the question. " * 80, "to be or not " * 40, "")
SMALL = {"D": 5, "H": 7, "B": 4, "T": 6, "lr": 0.01}
kinds = pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])


def arguments(folder, **other):
    parser = torch_lm.add_options(argparse.ArgumentParser())
    args = parser.parse_args(["--device", "cpu", "--out", str(folder)])
    for name, value in other.items():
        setattr(args, name, value)
    return args


# --- The same model in both ---------------------------------------------------------------------


@kinds
@pytest.mark.parametrize(("layers", "tied"), [(1, False), (3, False), (2, True)])
def test_export_gives_the_same_logits(cell, layers, tied):
    settings = {"cell": cell, "layers": layers, "tied": tied, "D": 7 if tied else 5, "H": 7}
    model, ids = torch_lm.Model(settings, V=9).eval(), RNG(0).integers(9, size=(30, 3))
    params = model.params()
    logits, states = model(torch.as_tensor(ids), model.zero_states(3))
    ours, state, _ = lm.predict(model.cell, params, ids)
    np.testing.assert_allclose(ours, logits.detach().numpy(), rtol=0, atol=1e-5)
    last = state[-1][0] if layers > 1 else state[0]
    theirs = states[-1][0] if cell == "lstm" else states[-1]
    np.testing.assert_allclose(last, theirs[0].detach().numpy(), rtol=0, atol=1e-5)
    expected = torch_lm.n_parameters(cell, 9, settings["D"], 7, layers, tied)
    assert expected == sum(p.size for p in params.values()) - tied * 9 * 7


@kinds
@pytest.mark.parametrize("layers", [1, 2])
def test_load_is_the_inverse_of_params(cell, layers):
    one, other = (torch_lm.Model({**SMALL, "cell": cell, "layers": layers, "seed": s}, 9)
                  for s in (0, 1))  # fmt: skip
    params = one.params()
    assert any((params[k] != v).any() for k, v in other.params().items())
    for name, array in other.load(params).params().items():
        np.testing.assert_array_equal(array, params[name])


@kinds
def test_training_stays_within_what_helpers_can_say(cell, tmp_path):
    args = arguments(tmp_path)
    found = torch_lm.train_text("a", SPLIT, {**SMALL, "cell": cell}, args, updates=30)
    V = len(found.vocab)
    assert sum(a.size for a in found.params.values()) == torch_lm.n_parameters(cell, V, 5, 7)
    ids = found.vocab.encode(SPLIT.valid)
    ours = losses.bits(lm.evaluate(torch_lm.CELLS[cell], found.params, ids))
    assert abs(ours - found.about["valid"]) < 1e-3
    assert ours < np.log2(V)


def test_widths_bring_all_cells_to_the_same_size():
    for total in (400_000, 2_000_000):
        for layers in (1, 2):
            for cell in torch_lm.CELLS:
                H = torch_lm.width(total, cell, 84, layers=layers)
                n = torch_lm.n_parameters(cell, 84, 64, H, layers)
                assert abs(n / total - 1) < 0.01


# --- Training -----------------------------------------------------------------------------------


def test_an_interrupted_training_goes_on_as_if_it_had_not_been(tmp_path):
    ids = text.Vocabulary.of(SPLIT.train).encode(SPLIT.train)
    settings = {**SMALL, "drop_in": 0.1, "drop_out": 0.2}
    rates = [0.01 * (1 - i / 600) for i in range(600)]  # several passes over the text
    whole, first, second = (torch_lm.Run(settings, ids, 20, "cpu", False) for _ in range(3))
    torch.manual_seed(3)
    for rate in rates:
        whole.step(rate)
    torch.manual_seed(3)
    for rate in rates[:333]:
        first.step(rate)
    torch.save(first.state(), tmp_path / "state.pt")
    torch.manual_seed(99)
    second.resume(torch.load(tmp_path / "state.pt", weights_only=False))
    for rate in rates[333:]:
        second.step(rate)
    for a, b in zip(whole.trained + whole.mean, second.trained + second.mean):
        torch.testing.assert_close(a, b, rtol=0, atol=0)
    assert whole.training_bits() > 0
    with pytest.raises(ValueError, match="other settings"):
        torch_lm.Run({**settings, "H": 8}, ids, 20, "cpu", False).resume(first.state())


def test_train_text_goes_on_where_it_stopped(tmp_path):
    args = arguments(tmp_path)
    torch_lm.train_text("a", SPLIT, SMALL, args, updates=20)
    again = torch_lm.train_text("a", SPLIT, SMALL, args, updates=20)
    assert again.history[-1]["updates"] == 20  # nothing was left to do
    read = torch_lm.read(tmp_path / "a.npz")
    assert read.vocab == again.vocab and read.settings == again.settings
    for name, array in again.params.items():
        np.testing.assert_allclose(read.params[name], array, rtol=2e-3, atol=1e-6)


def test_streams_go_on_from_batch_to_batch_and_overlap_in_no_target():
    ids = np.arange(101)
    run = torch_lm.Run({**SMALL, "B": 4, "T": 6}, ids, 101, "cpu", False)
    np.testing.assert_array_equal(run.text.numpy()[:, 0], np.arange(26))
    np.testing.assert_array_equal(run.text.numpy()[:, 1], 25 + np.arange(26))
    for _ in range(3):
        run.step(0.0)
    assert run.place == int(run.at) == 18 and run.characters == 72


def test_the_mean_of_the_weights_is_plain_at_first():
    ids = text.Vocabulary.of(SPLIT.train).encode(SPLIT.train)
    run, seen = torch_lm.Run(SMALL, ids, 20, "cpu", False), []
    for i in range(30):
        run.step(0.01)
        if i % 10 == 9:
            seen.append(run.trained[0].detach().clone())
    torch.testing.assert_close(run.mean[0], torch.stack(seen).mean(0))
    before = run.trained[0].detach().clone()
    with run.averaged() as model:
        torch.testing.assert_close(model.embed.weight, torch.stack(seen).mean(0))
    torch.testing.assert_close(run.trained[0].detach(), before, rtol=0, atol=0)


def test_columns_change_a_score_a_little_only():
    model = torch_lm.Model(SMALL, 20)
    ids = RNG(0).integers(20, size=1003)
    once = torch_lm.log2_probabilities(model, ids)
    assert once.shape == (1002,)
    ours = losses.bits(lm.evaluate(LSTM, model.params(), ids))
    assert abs(-once.mean() - ours) < 1e-5
    five = torch_lm.log2_probabilities(model, ids, columns=5)
    assert five.shape == (1002,) and 0 < abs(five.mean() - once.mean()) < 0.01
    for columns, warm in ((5, 0), (5, 40), (64, 100), (2000, 3)):
        found = torch_lm.log2_probabilities(model, ids, columns, chunk=70, warm=warm)
        theirs = writer.log2_probabilities(model.params(), ids, columns, warm)
        np.testing.assert_allclose(found, theirs, rtol=0, atol=1e-5)


@kinds
def test_one_update_equals_that_of_the_helpers(cell):
    ids = text.Vocabulary.of(SPLIT.train).encode(SPLIT.train)
    run = torch_lm.Run({**SMALL, "cell": cell, "max_norm": 0.1}, ids, 20, "cpu", False)
    params, which = run.model.params(), torch_lm.CELLS[cell]
    for _ in range(5):
        run.step(0.01)
    # Streams as the trainer cuts them: the last target of one is the first character of the next.
    batches = text.sequential_batches(ids, 6, 4)
    train.train(
        lambda p, b, s: lm.loss_and_grads(which, p, b.inputs, b.targets, s),
        params, batches, 5, lr=0.01, max_norm=0.1, progress=False,
    )  # fmt: skip
    for name, array in run.model.params().items():
        np.testing.assert_allclose(params[name], array, rtol=0, atol=2e-5, err_msg=name)


@kinds
def test_dropped_weights_come_back_and_learn_nothing(cell):
    ids = text.Vocabulary.of(SPLIT.train).encode(SPLIT.train)
    settings = {**SMALL, "cell": cell, "layers": 2, "H": 30, "weight_drop": 0.4}
    run = torch_lm.Run(settings, ids, 20, "cpu", False)
    before = [layer.weight_hh_l0.detach().clone() for layer in run.model.stack]
    torch.manual_seed(1)
    whole = run._drop_weights()
    for (W, value, mask), old in zip(whole, before):
        torch.testing.assert_close(value, old, rtol=0, atol=0)
        assert set(np.unique(mask.numpy()).round(4)) == {0.0, np.float32(1 / 0.6).round(4)}
        assert abs(float((mask == 0).float().mean()) - 0.4) < 0.1
        torch.testing.assert_close(W.detach(), old * mask, rtol=0, atol=0)
    states = run.model.zero_states(4)
    run.model(run.text[:6], states)[0].sum().backward()
    full = [W.grad.clone() for W, *_ in whole]
    run._put_back(whole)
    for (W, _, mask), old, gradient in zip(whole, before, full):
        torch.testing.assert_close(W.detach(), old, rtol=0, atol=0)
        torch.testing.assert_close(W.grad, gradient * mask, rtol=0, atol=0)
        assert (gradient[mask == 0] != 0).any()
    first = run.training_bits() if run.since else None
    for _ in range(60):
        run.step(0.01)
    assert first is None and run.training_bits() < np.log2(20)
    with pytest.raises(ValueError, match="weight_drop"):
        torch_lm.Model({"weight_drop": 1.0}, 9)


def test_without_dropped_weights_nothing_changes():
    ids = text.Vocabulary.of(SPLIT.train).encode(SPLIT.train)
    found = []
    for share in (0.0, 1e-9):  # the second draws masks of ones
        run = torch_lm.Run({**SMALL, "weight_drop": share}, ids, 20, "cpu", False)
        for _ in range(5):
            run.step(0.01)
        found.append(run.model.params())
    for name, array in found[0].items():
        np.testing.assert_allclose(array, found[1][name], rtol=0, atol=1e-6)


def test_a_team_speaks_with_the_mean_of_its_members():
    ids = RNG(0).integers(20, size=403)
    one, other = (torch_lm.Model({**SMALL, "seed": s, "drop": 0.5}, 20) for s in (0, 1))
    alone, together = (torch_lm.team_probabilities(team, ids, dtype=torch.float64)
                       for team in ([one], [one, other]))  # fmt: skip
    assert alone.shape == (403, 20) and one.training
    torch.testing.assert_close(together.sum(1), torch.ones(403, dtype=torch.float64))
    torch.testing.assert_close(alone[0], torch.full((20,), 1 / 20, dtype=torch.float64))
    right = alone[np.arange(1, 403), ids[1:]].log2().numpy()
    np.testing.assert_allclose(right, torch_lm.log2_probabilities(one, ids), rtol=0, atol=1e-5)
    second = torch_lm.team_probabilities([other], ids, dtype=torch.float64)
    torch.testing.assert_close(together, (alone + second) / 2, rtol=0, atol=1e-7)
    apart = torch_lm.team_probabilities([one], ids, columns=4, chunk=30, dtype=torch.float64)
    torch.testing.assert_close(apart, alone, rtol=0, atol=1e-5)  # begun 200 early


def test_a_teacher_who_knows_the_text_teaches_what_the_text_does():
    ids = text.Vocabulary.of(SPLIT.train).encode(SPLIT.train)
    knows = torch.nn.functional.one_hot(torch.as_tensor(ids), 20).to(torch.float16)
    runs = [torch_lm.Run({**SMALL, "taught": share}, ids, 20, "cpu", False, teacher=knows)
            for share in (0.0, 0.7)]  # fmt: skip
    for run in runs:
        for _ in range(250):  # more than one pass
            run.step(0.01)
    for a, b in zip(*(run.trained for run in runs)):
        torch.testing.assert_close(a, b, rtol=0, atol=2e-4)
    assert runs[0].training_bits() == pytest.approx(runs[1].training_bits(), abs=1e-4)


def test_what_a_teacher_says_is_learned_and_the_training_bits_are_those_of_the_text():
    ids = text.Vocabulary.of(SPLIT.train).encode(SPLIT.train)
    always_3 = torch.zeros(len(ids), 20)
    always_3[:, 3] = 1
    settings = {**SMALL, "taught": 0.999}
    run = torch_lm.Run(settings, ids, 20, "cpu", False, teacher=always_3)
    for _ in range(60):
        run.step(0.03)
    logits, _ = run.model(run.text[:6], run.model.zero_states(4))
    assert (logits.argmax(-1) == 3).all()
    assert run.training_bits() > 4  # the text itself is guessed badly
    for teacher in (None, always_3[:-1]):
        with pytest.raises(ValueError, match="teacher"):
            torch_lm.Run(settings, ids, 20, "cpu", False, teacher=teacher)
    with pytest.raises(ValueError, match="taught"):
        torch_lm.Model({"taught": 1.5}, 9)


def test_half_precision_is_for_graphics_cards():
    ids = text.Vocabulary.of(SPLIT.train).encode(SPLIT.train)
    found = []
    for half in (False, True):
        run = torch_lm.Run({**SMALL, "half": half}, ids, 20, "cpu", False)
        for _ in range(5):
            run.step(0.01)
        found.append(run.model.params())
    for name, array in found[0].items():
        np.testing.assert_array_equal(array, found[1][name])


def test_a_run_without_a_loss_stops_and_the_others_go_on():
    ids = text.Vocabulary.of(SPLIT.train).encode(SPLIT.train)
    runs = [torch_lm.Run({**SMALL, "seed": s}, ids, 20, "cpu", False, f"{s}") for s in (0, 1)]
    with torch.no_grad():
        runs[0].model.embed.weight.fill_(np.nan)
    torch_lm.train(runs, torch_lm.Clock(None, 40), (0.5, 1.0))
    assert runs[0].stopped and not runs[1].stopped
    assert not runs[0].history and runs[0].updates < 40 <= runs[1].updates
    assert len(runs[1].history) == 2
    with torch.no_grad():
        runs[1].model.embed.weight.fill_(np.nan)
    with pytest.raises(FloatingPointError):
        torch_lm.train(runs[1:], torch_lm.Clock(None, 80), (1.0,))


def test_streams_are_set_back_to_zero_now_and_then():
    ids = text.Vocabulary.of(SPLIT.train).encode(SPLIT.train)
    rates = {}
    for reset in (0.0, 0.999):
        run = torch_lm.Run({**SMALL, "reset": reset}, ids, 20, "cpu", False)
        for _ in range(3):
            run.step(0.0)
        rates[reset] = run.states[0][0].clone()
    # Always set back, the state after three chunks is that of the last chunk alone.
    window = run.text[12:18]
    _, alone = run.model(window, run.model.zero_states(4))
    torch.testing.assert_close(rates[0.999], alone[0][0].detach())
    assert (rates[0.0] - rates[0.999]).abs().max() > 1e-4


def test_bad_settings_are_named(tmp_path):
    for wrong, what in (
        ({"cell": "lstn"}, "cell must be"), ({"H": 0}, "H"), ({"drop": 1.0}, "drop"),
        ({"heads": 3}, "heads"), ({"tied": True, "D": 3}, "D = 3"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=what):
            torch_lm.Model(wrong, 9)
    with pytest.raises(ValueError, match="too short"):
        torch_lm.Run(SMALL, np.arange(20), 20, "cpu", False)
    with pytest.raises(ValueError, match="seconds or updates"):
        torch_lm.Clock()


# --- Several layers in the helpers --------------------------------------------------------------


@pytest.mark.parametrize("cell", [RNN, GRU, LSTM], ids=lambda c: c.name)
def test_every_gradient_of_a_language_model_with_two_layers(cell):
    params = lm.init_language_model(cell, 5, 3, 4, RNG(0), np.float64, n_layers=2)
    params = {name: 2 * array for name, array in params.items()}  # gradients well above rounding
    inputs, targets = RNG(1).integers(5, size=(2, 4, 2))
    _, _, state = lm.loss_and_grads(cell, params, inputs, targets)
    state = [tuple(s + 0.1 for s in layer) for layer in state]
    mask = RNG(2).random((4, 2)) < 0.7

    def loss():
        return lm.loss_and_grads(cell, params, inputs, targets, state, mask).loss

    grads = lm.loss_and_grads(cell, params, inputs, targets, state, mask).grads
    gradcheck.largest(gradcheck.compare(loss, params, grads), 1e-7)


def test_a_stack_of_one_is_the_model_of_one_layer():
    one = lm.init_language_model(LSTM, 5, 3, 4, RNG(0), np.float64)
    stack = lm.init_language_model(LSTM, 5, 3, 4, RNG(0), np.float64, n_layers=1)
    inputs, targets = RNG(1).integers(5, size=(2, 4, 2))
    a = lm.loss_and_grads(LSTM, one, inputs, targets)
    b = lm.loss_and_grads(LSTM, stack, inputs, targets)
    assert a.loss == b.loss
    for name in one:
        stacked = name + "_l0" if name in unroll.init_cell(LSTM, 1, 1, RNG(0)) else name
        np.testing.assert_array_equal(a.grads[name], b.grads[stacked])
    ids = RNG(2).integers(5, size=50)
    assert lm.evaluate(LSTM, one, ids) == lm.evaluate(LSTM, stack, ids, chunk=7)
    drawn = [lm.sample(LSTM, p, ids[:3], 20, RNG(0)) for p in (one, stack)]
    np.testing.assert_array_equal(*drawn)
    with pytest.raises(ValueError, match="truncate"):
        lm.loss_and_grads(LSTM, stack, inputs, targets, truncate=2)
