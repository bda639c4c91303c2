"""Instruments: they compute what the helpers compute, and everybody can play them."""

import base64
import json
import re

import numpy as np
import pytest
from test_browser import DESKTOP, HTML, PHONE, find_browser

from helpers import decoding, language_model, layers, linear_recurrence
from helpers.activations import sigmoid, softmax
from helpers.lstm import LSTM, lstm_loop, lstm_step
from helpers.text import Vocabulary
from helpers.trained import records

SCRIPTS = HTML.parents[1] / "book" / "_assets" / "instruments"
pytestmark = [
    pytest.mark.skipif(not find_browser(), reason="no browser: see tests/test_browser.py"),
    pytest.mark.skipif(not HTML.exists(), reason="the book is not built: run `make book`"),
]
PLACES = {
    "eigenvalues": "notebooks/09_vanishing.html",
    "keep_gate": "notebooks/11_lstm.html",
    "hand_made_cell": "notebooks/11_lstm.html",
    "scan_tree": "notebooks/37_scan.html",
    "letter_unit": "notebooks/13_lstm_text.html",
}


@pytest.fixture(scope="module")
def compute(browser):
    """compute(expression) in an empty page that has all scripts."""
    tab = browser.new_page()
    for script in [SCRIPTS / "base.js", *sorted(set(SCRIPTS.glob("*.js")) - {SCRIPTS / "base.js"})]:
        tab.add_script_tag(content=script.read_text("utf-8"))
    yield lambda expression: np.array(tab.evaluate(expression), float)
    tab.close()


def test_every_script_has_a_place():
    assert {path.stem for path in SCRIPTS.glob("*.js")} == {"base", *PLACES}


# ---------- the numbers ----------


@pytest.mark.parametrize(
    ("call", "W"),
    [
        (
            "eigenvalues.pair(0.9, 0.7, 3)",
            0.9 * np.array([[np.cos(0.7), -3 * np.sin(0.7)], [np.sin(0.7) / 3, np.cos(0.7)]]),
        ),
        ("eigenvalues.real(1.1, -0.4, 2.5)", np.array([[1.1, 2.5], [0, -0.4]])),
        ("eigenvalues.real(0, 0, 0)", np.zeros((2, 2))),
    ],
)
def test_powers_are_those_of_numpy(compute, call, W):
    assert np.allclose(compute(call), W.ravel(), atol=1e-12)
    powers = [np.linalg.matrix_power(W, k) for k in range(61)]
    norms = [np.linalg.norm(power, 2) for power in powers]
    gradients = [np.linalg.norm(np.array([1.0, 0.0]) @ power.T) for power in powers]
    assert np.allclose(compute(f"eigenvalues.powers({call}).norms"), norms, rtol=1e-6, atol=1e-12)
    found = compute(f"eigenvalues.powers({call}).gradients")
    assert np.allclose(found, gradients, rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("stretch", [1, 4, 20])
def test_stretch_and_coupling_change_no_eigenvalue(compute, stretch):
    W = compute(f"eigenvalues.pair(0.9, 0.5, {stretch})").reshape(2, 2)
    assert np.allclose(np.sort_complex(np.linalg.eigvals(W)), 0.9 * np.exp(np.array([-0.5j, 0.5j])))
    W = compute(f"eigenvalues.real(0.9, 0.8, {stretch})").reshape(2, 2)
    assert np.allclose(np.sort(np.linalg.eigvals(W)), [0.8, 0.9])


@pytest.mark.parametrize("bias", [-3.0, 0.0, 1.0, 8.0])
def test_kept_share_is_that_of_the_gate(compute, bias):
    f = sigmoid(np.array([bias]))[0]
    assert np.allclose(compute(f"keepGate.held({bias})"), f ** np.arange(101), rtol=1e-6)
    assert np.isclose(f ** compute(f"keepGate.halfLife({bias})"), 0.5, rtol=1e-6)


def by_hand(inputs, sharpness):
    """The cell of notebook 11 in the helpers' LSTM, whose two tanh are undone at small values."""
    small = 1e-4
    W = np.zeros((3, 4))
    W[1, :2], W[2, 3], W[0, 2] = 100 * sharpness, 100 * sharpness, small
    params = {"W_xh": W, "W_hh": np.zeros((1, 4)), "b_h": sharpness * np.array([-10, 10, 0, -10.0])}
    h, c, rows = np.zeros((1, 1)), np.zeros((1, 1)), []
    for x in inputs:
        h, c = lstm_step(params, np.array([x], float), h, c)[:2]
        rows.append([c[0, 0] / small, h[0, 0] / small])
    return np.array(rows)


@pytest.mark.parametrize("sharpness", [1, 0.1, 0.02])
def test_cell_is_that_of_the_helpers(compute, sharpness):
    inputs = [[3, 1, 0], [4, 1, 0], [2, 0, 0], [1, 0, 1], [3, -1, 0], [-2, 1, 1], [0, 0, 1]]
    found = compute(f"handMadeCell.run({json.dumps(inputs)}, {sharpness})")
    assert np.allclose(found[:, 3:], by_hand(inputs, sharpness), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("form", ["tree", "doubling", "loop"])
@pytest.mark.parametrize("T", [1, 2, 3, 7, 8, 16])
def test_scan_is_that_of_the_helpers(compute, form, T):
    rng = np.random.default_rng(T)
    a, b, h0 = rng.uniform(-1.5, 1.5, T), rng.normal(size=T), rng.normal()
    a[T // 2] = 0 if T == 7 else a[T // 2]
    found = compute(f"scanTree.states('{form}', {a.tolist()}, {b.tolist()}, {h0})")
    expected = getattr(linear_recurrence, f"scan_{form}")(a, b, np.array(h0))
    assert np.allclose(found, expected, rtol=1e-6, atol=1e-12)


def test_rounds_of_the_scan_are_those_of_the_figure(compute):
    sizes = [[4, 2, 1, 1, 3], [7, 6, 4], [1] * 7]
    for form, expected in zip(["tree", "doubling", "loop"], sizes, strict=True):
        assert compute(f"scanTree.rounds('{form}', 8).map((r) => r.length)").tolist() == expected


@pytest.fixture(scope="module")
def little():
    """The model of letter_unit: its file, its symbols, its parameters in float64."""
    packed = json.loads((SCRIPTS / "letter_unit.json").read_text("utf-8"))
    return json.dumps(packed), Vocabulary(tuple(packed["symbols"])), params_of(packed)


def params_of(packed):
    """The parameters in the file of letter_unit, float64."""
    params = {}
    for name, one in packed["arrays"].items():
        halves = np.frombuffer(base64.b64decode(one["half"]), "<f2")
        params[name] = halves.astype(float).reshape(one["shape"])
    return params


def states_of(params, ids):
    """i, f, g, o, c, h of the helpers' LSTM at every step: (T, 6, H)."""
    x = layers.embedding_forward(params, np.array(ids)[:, None])
    hs, cs, steps = lstm_loop(params, x, *np.zeros((2, 1, params["W_hh"].shape[0])))
    gates = [[step[k][0] for k in (2, 3, 4, 5)] for step in steps]
    return np.concatenate([np.array(gates), cs, hs], axis=1)


def test_letter_unit_is_small_and_complete(little):
    packed, vocab, params = little
    assert len(packed) < 120_000
    assert params["E"].shape[0] == params["W_hy"].shape[1] == len(vocab)
    record = records.load("letter_unit", records.TRAININGS)
    best = min((run["result"] for run in record.runs), key=lambda result: result["valid"])
    assert best["parameters"] == sum(array.size for array in params.values())
    page = (HTML.parents[1] / "notebooks" / "13_lstm_text.ipynb").read_text("utf-8")
    for said in (f"{best['parameters']:,} parameters", f"{best['valid']:.2f} bits per character",
                 f"and {best['test']:.2f} on *Timon"):  # fmt: skip
        assert said in page
    assert best["follows"]["characters since the line began"]["unit"] == 6
    assert best["follows"]["inside a speaker's name"]["r"] < -0.6  # the cell that sinks


def test_letters_move_the_unit_as_in_the_helpers(compute, little):
    packed, vocab, params = little
    text = "ROMEO\nBut soft, what light through yonder window breaks?\n" * 4
    ids = vocab.encode(text).tolist()
    found = compute(
        f"letterUnit.read(letterUnit.model({packed}), {ids})"
        ".map((s) => ['i', 'f', 'g', 'o', 'c', 'h'].map((k) => [...s[k]]))"
    )
    expected = states_of(params, ids)
    assert np.allclose(found, expected, rtol=1e-6, atol=1e-9)
    z, _, _ = language_model.predict(LSTM, params, np.array(ids)[:, None])
    said = compute(
        f"(() => {{ const m = letterUnit.model({packed});"
        f"return [...letterUnit.logits(m, letterUnit.read(m, {ids}).at(-1).h)]; }})()"
    )
    assert np.allclose(said, z[-1, 0], rtol=1e-6, atol=1e-9)


def test_letters_are_drawn_as_by_the_helpers(compute, little):
    """With the same chance the browser and decoding.draw take the same letters."""
    packed, vocab, params = little
    prompt, n, seed = "JULIET\n", 40, 7
    code = f"letterUnit.write(letterUnit.model({packed}), {json.dumps(prompt)}, {n}, {seed})"
    ids = compute(f"letterUnit.encode(letterUnit.model({packed}), {code})").astype(int)
    again = compute(f"letterUnit.encode(letterUnit.model({packed}), {code})").astype(int)
    assert len(ids) == n
    assert np.array_equal(ids, again)
    chance = compute(
        f"(() => {{ const r = letterUnit.chance({seed});"
        f"return Array.from({{ length: {n} }}, () => r()); }})()"
    )
    assert ((chance >= 0) & (chance < 1)).all()

    class Chance:
        random = iter(chance).__next__

    inputs, state = vocab.encode(prompt)[:, None], None
    for expected in ids:
        z, state, _ = language_model.predict(LSTM, params, inputs, state)
        p = softmax(decoding.at_temperature(z[-1, 0], 0.7))
        assert decoding.draw(p, Chance) == expected
        inputs = np.array([[expected]])


@pytest.mark.parametrize("half", ["0000", "0080", "0100", "ff03", "0004", "003c", "00c0", "ff7b"])
def test_halves_are_read_to_the_bit(compute, half):
    raw = bytes.fromhex(half)
    value = compute(f"[...letterUnit.halves('{base64.b64encode(raw).decode()}')]")
    assert value == np.frombuffer(raw, "<f2").astype(float)


# ---------- the pages ----------


def at(tab, site, name):
    tab.goto(site + PLACES[name])
    box = tab.locator(f'[data-instrument="{name}"]')
    box.scroll_into_view_if_needed()
    return box


@pytest.mark.parametrize("name", PLACES)
def test_first_state_is_printed_without_javascript(site, browser, name):
    tab = browser.new_page(java_script_enabled=False)
    box = at(tab, site, name)
    text = box.inner_text()
    tab.close()
    assert "first state" in text
    assert "Instrument:" not in text
    if name == "eigenvalues":
        numbers = [float(n) for n in re.findall(r"0\.\d+", text.split("10", 1)[1])][-4:]
        assert np.allclose(numbers, 0.9 ** np.array([10, 20, 40, 60]), atol=6e-5, rtol=5e-3)
    if name == "keep_gate":
        assert "0.7311" in text and "2.21" in text
    if name == "letter_unit":
        packed = json.loads((SCRIPTS / "letter_unit.json").read_text("utf-8"))
        read = "ROMEO\nBut soft, what light through yonder window breaks?\n"
        ids = Vocabulary(tuple(packed["symbols"])).encode(read)
        ends = [5, *(read.index(word) + len(word) - 1 for word in ("soft", ",", "through"))]
        ends += [read.index(word) + len(word) - 1 for word in ("window", "breaks", "?")]
        cells = states_of(params_of(packed), ids)[[*ends, len(read) - 1], 4, 6]
        shown = [float(n.replace("−", "-")) for n in re.findall(r"−?\d+\.\d", text)]
        assert np.allclose(shown, cells, atol=0.051)


@pytest.mark.parametrize("name", PLACES)
def test_keyboard_changes_what_is_said(site, browser, name):
    tab = browser.new_page()
    box = at(tab, site, name)
    state = box.locator(".instrument-status, tbody").first
    before = state.inner_text()
    box.locator("input[type=range]:visible").first.focus()
    for _ in range(60):
        tab.keyboard.press("ArrowLeft")
    assert state.inner_text() != before
    tab.close()


@pytest.mark.parametrize("kind", ["pair", "real"])
def test_eigenvalue_follows_the_pointer(site, browser, kind):
    tab = browser.new_page(viewport=DESKTOP)
    box = at(tab, site, "eigenvalues")
    box.locator("select").select_option(kind)
    handle = box.locator(".handle").first
    start = handle.bounding_box()
    x, y = start["x"] + start["width"] / 2, start["y"] + start["height"] / 2
    tab.mouse.move(x, y)
    tab.mouse.down()
    tab.mouse.move(x - 40, y - 30, steps=4)
    tab.mouse.up()
    end = handle.bounding_box()
    assert abs(end["x"] - start["x"] + 40) < 3
    assert abs(end["y"] - start["y"] + (30 if kind == "pair" else 0)) < 3
    tab.close()


def test_inputs_of_the_cell_can_be_changed_and_come_back(site, browser):
    tab = browser.new_page(viewport=PHONE)
    box = at(tab, site, "hand_made_cell")
    memory = box.locator("tbody tr:nth-child(2) td.number").nth(3)
    assert memory.inner_text() == "7.0000"
    box.get_by_label("x1 at step 1").fill("-5")
    assert memory.inner_text() == "-1.0000"
    box.get_by_role("button").click()
    assert memory.inner_text() == "7.0000"
    tab.close()


def test_scan_is_stepped_and_edited(site, browser):
    tab = browser.new_page(viewport=PHONE)
    box = at(tab, site, "scan_tree")
    status, on = box.locator(".instrument-status"), box.get_by_role("button", name="One round on")
    assert "2 of 8 states are known: h₁, h₂." in status.inner_text()
    for _ in range(4):
        on.click()
    assert on.is_disabled()
    shown = [float(n) for n in box.locator("tbody tr td:last-child").all_inner_texts()[1:]]
    b = np.array([3, 1, 4, 1, 5, 9, 2, 6.0])
    assert np.allclose(shown, linear_recurrence.scan(np.full(8, 0.5), b), atol=0.051)
    box.get_by_label("a at step 5").fill("0")
    box.get_by_label("start h0").fill("1")
    assert "has changed 3 of the 11" in status.inner_text()  # those of steps 1–2, 1–3 and 1–4
    box.get_by_label("b at step 8").fill("")
    assert "has changed 3 of the 11" in status.inner_text()
    box.locator("select").first.select_option("doubling")
    assert "After 3 of 3 rounds" in status.inner_text()
    box.locator("select").last.select_option(index=3)
    states = box.locator("tbody tr td:last-child").all_inner_texts()[1:]
    assert states == ["−1", "−1", "1", "−1", "−1", "−1", "1", "1"]
    tab.close()


def test_letters_are_read_only_once_touched(site, browser, little):
    _, vocab, params = little
    tab = browser.new_page(viewport=PHONE)
    asked = []
    tab.on("request", lambda request: asked.append(request.url))
    box = at(tab, site, "letter_unit")
    assert "first state" in box.inner_text()
    assert not [url for url in asked if "letter_unit.json" in url]
    box.get_by_label("text").fill("JULIET\nBy ∞ and by")
    status = box.locator(".instrument-status")
    box.locator("[data-at='0']").wait_for()
    assert "1 of the characters" in status.inner_text()
    assert "first state" not in box.inner_text()
    box.locator("[data-at='12']").hover()
    unit = int(box.locator("output").first.inner_text())
    expected = states_of(params, vocab.encode("JULIET\nBy  and by"))[12, :, unit]
    numbers = re.findall(r"= (−?\d+\.\d+)", status.inner_text())
    numbers = [float(n.replace("−", "-")) for n in numbers]
    assert np.allclose(numbers, expected[[4, 0, 1, 3, 2, 5]], atol=0.0051)
    before = box.get_by_label("text").input_value()
    box.get_by_role("button", name="Write on").click()
    tab.wait_for_function("(old) => document.querySelector('.letter-unit-field textarea').value"
                          ".length > old.length + 50", arg=before)  # fmt: skip
    box.get_by_label("text").fill("")
    assert "no text" in status.inner_text()
    assert all(url.startswith(site) for url in asked)
    assert sum("letter_unit.json" in url for url in asked) == 1
    tab.close()


def test_letters_without_their_model_say_so(site, browser):
    tab = browser.new_page()
    tab.route("**/letter_unit.json*", lambda route: route.fulfill(status=404))
    box = at(tab, site, "letter_unit")
    box.get_by_role("button", name="Write on").click()
    box.get_by_text("could not be loaded").wait_for()
    assert "first state" in box.inner_text()
    tab.goto((HTML / PLACES["letter_unit"]).as_uri())
    tab.get_by_role("button", name="Write on").click()
    tab.get_by_text("through a server").wait_for()
    assert "first state" in tab.locator('[data-instrument="letter_unit"]').inner_text()
    tab.close()


def test_page_without_an_instrument_loads_no_script():
    assert "instruments/" not in (HTML / "notebooks" / "16_gru.html").read_text("utf-8")


def test_broken_instrument_leaves_its_words(site, browser):
    tab = browser.new_page()
    tab.route("**/instruments/keep_gate.js*", lambda r: r.fulfill(
        body="instruments.define('keep_gate', () => { throw new Error('broken'); })",
        content_type="text/javascript"))  # fmt: skip
    assert "first state" in at(tab, site, "keep_gate").inner_text()
    tab.close()
