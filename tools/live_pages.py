"""Make the built pages run: what `make live` does, after `make book`.

    python tools/live_pages.py              # the book in _build/html
    python tools/live_pages.py --from FOLDER   # take missing files from there, download nothing

Into the built book goes one folder, live/HASH, named after its content, with Python for browsers,
the packages and data of the book, and what each page needs. Each notebook's page gets the button
"Run this page", which asks for nothing before it is pressed. Where a file cannot be had, or is not
what it should be, the book stays as it is, and the last line says why.
"""

import argparse
import ast
import hashlib
import json
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from html import escape
from pathlib import Path

import live_files
import live_wheels
from student import skeleton

ROOT = Path(__file__).resolve().parents[1]
HTML = ROOT / "_build" / "html"
HERE = Path(__file__).parent / "live"
PAGE = HERE / "page"
SCRIPTS = ("live.js", "live.css", "worker.mjs", "stop.mjs")
CORE = ("pyodide.mjs", "pyodide.asm.mjs", "pyodide.asm.wasm")
START = (
    "numpy", "matplotlib", "contourpy", "cycler", "kiwisolver", "packaging", "pillow", "pyparsing",
    "python_dateutil", "six",
)  # fmt: skip
LATER = re.compile(r"^helpers/trained/([^/]+\.npz|records/.*\.json)$")  # fetched when opened
UNUSED = re.compile(  # of the standard library
    r"^(lib2to3|pydoc_data|ensurepip|idlelib|tkinter|turtle|turtledemo|venv)\b"
)
SITE = f"/lib/python{live_files.PINNED['python']}/site-packages/"


# ---------- archives ----------


def wheel_of(cache: Path, name: str) -> Path:
    [path] = [cache / file for file in live_files.PINNED["files"] if file.startswith(f"{name}-")]
    return path


def archives(cache: Path) -> dict:
    """All archives, cut but not yet compiled: name without its ending → {file name: bytes}."""
    made = {name: live_wheels.wheel_files(wheel_of(cache, name)) for name in START}
    for name in live_wheels.COMPILED:
        made[name] = live_wheels.wheel_files(wheel_of(cache, name))
    for name, put_together in live_wheels.ON_DEMAND.items():
        made[f"{name}-data" if name in IN_PARTS else name] = put_together()
    made["statsmodels-stats"] = live_wheels.statsmodels()
    made["helpers"] = live_wheels.tree(
        ROOT / "src" / "helpers", "helpers/", lambda name: not LATER.match(name)
    )
    made["experiments"] = live_wheels.tree(
        ROOT / "experiments", "experiments/", lambda name: name.endswith(".py")
    )
    made["runtime"] = {path.name: path.read_bytes() for path in PAGE.glob("*.py")}
    with zipfile.ZipFile(cache / "python_stdlib.zip") as library:
        kept = (n for n in library.namelist() if not (n.endswith("/") or UNUSED.search(n)))
        made["python_stdlib"] = {name: library.read(name) for name in kept}
    return made


def compiled(made: dict, cache: Path) -> dict | None:
    """The archives with compiled Python, by Pyodide in Node; None if there is no Node."""
    node = shutil.which("node")
    if not node:
        return None
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        for folder in ("in", "out", "pyodide"):
            (work / folder).mkdir()
        for file in (*CORE, "python_stdlib.zip"):
            shutil.copy(cache / file, work / "pyodide" / file)
        (work / "pyodide" / "pyodide-lock.json").write_text(json.dumps(LOCK), encoding="utf-8")
        for stem, files in made.items():
            live_wheels.written(work / "in" / f"{stem}.zip", files, level=0)
        done = subprocess.run(
            [node, HERE / "precompile.mjs", work / "pyodide", work], capture_output=True, text=True
        )
        if done.returncode:
            print(f"make live: Node cannot compile: {done.stderr.strip()[-300:]}")
            return None
        found = {}
        for stem in made:
            with zipfile.ZipFile(work / "out" / f"{stem}.zip") as archive:
                found[stem] = {name: archive.read(name) for name in archive.namelist()}
    return found


# Pyodide wants a list of packages; ours has none, so that it can fetch none.
LOCK = {
    "info": {"arch": "wasm32", "platform": "emscripten_5_0_3", "version": "314.0.3",
             "python": "3.14.0", "abi_version": "2026_0"},
    "packages": {},
}  # fmt: skip


# ---------- pages ----------


def code_cells(notebook: dict) -> list:
    """The source of the code cells that stand on the page, in order."""
    cells = (cell for cell in notebook["cells"] if cell["cell_type"] == "code")
    shown = (c for c in cells if "remove-cell" not in c["metadata"].get("tags", []))
    return ["".join(cell["source"]) for cell in shown]


AWAY = "statsmodels"  # imported by cells, but not compiled for the browser
HERE_OF_IT = "statsmodels.stats.proportion"  # but this part of it is plain Python


def changed(statement) -> set:
    """Names whose items or attributes a statement sets."""
    places = (n for n in ast.walk(statement) if isinstance(n, ast.Subscript | ast.Attribute))
    kept = (place.value for place in places if isinstance(place.ctx, ast.Store))
    return {value.id for value in kept if isinstance(value, ast.Name)}


def needs(codes: list) -> list:
    """Of each cell, what it needs that no page has: "PyTorch", "statsmodels", or None.

    As a notebook without PyTorch decides: a cell that imports it is passed by, and so are cells
    that read what it would have made. A cell that imports from statsmodels runs; those that use
    what it took from there stop where they do.
    """
    from helpers.notebook import Names, PassTorchBy

    found, pass_by, away = [], PassTorchBy(), set()
    for tree in map(ast.parse, codes):
        if pass_by.visit(tree) is not tree:
            found.append("PyTorch")
            continue
        fails = False
        for statement in tree.body:
            names = Names()
            names.visit(statement)
            lacks = bool(names.read & away)
            fails |= lacks and not isinstance(statement, ast.FunctionDef)  # which fails when called
            away = away | changed(statement) | names.made if fails or lacks else away - names.made
            module = getattr(statement, "module", None) or ""  # of `from … import`
            if module.startswith(AWAY) and module != HERE_OF_IT:
                away |= names.made
        found.append(AWAY if fails else None)
    return found


EXERCISE = re.compile(r"^:{3,}\{exercise\}[ ]*(.*?)\n(?::class:.*\n)?:label:[ ]*(\S+)", re.M)
SOLUTION = re.compile(r"^:{3,}\{solution-(start|end)\}[ ]*(\S*)", re.M)


def exercises(notebook: dict) -> list:
    """Of each exercise: its id, title, what its empty cell says, and the code of its solution."""
    found, inside = {}, None
    for cell in notebook["cells"]:
        text = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            for title, label in EXERCISE.findall(text):
                found[label] = {"id": label, "title": title.strip(), "checks": []}
            for which, label in SOLUTION.findall(text):
                inside = label if which == "start" else None
        elif inside in found:
            found[inside]["checks"].append(text)
    for exercise in found.values():
        exercise["code"] = first_words(exercise)
    return list(found.values())


def first_words(exercise: dict) -> str:
    """What stands in the empty cell: the functions to fill in, and the names that are checked."""
    sys.path.append(str(PAGE))
    from answers import looked_at

    try:
        code = skeleton("\n\n\n".join(exercise["checks"]), exercise["title"])
        names = looked_at(exercise["checks"])
    except SyntaxError:
        return f"# Your turn: {exercise['title']}\n"
    finally:
        sys.path.remove(str(PAGE))
    checked = any("assert" in check for check in exercise["checks"])
    if checked and names and "def " not in code and "class " not in code:
        code += f"\n# The check looks at: {', '.join(names)}"
    return code + "\n"


IN_PARTS = ("sklearn", "statsmodels")  # of which some pages need the data only


def packages_of(codes: list) -> dict:
    """Name → files to fetch when it is first imported.

    Real scikit-learn and SciPy are large: they come only where a cell imports more than the digits.
    """
    code = "\n".join(codes)
    names = (*live_wheels.ON_DEMAND, *live_wheels.COMPILED)
    packages = {name: [f"{name}.zip"] for name in names}
    if re.search(r"^\s*(from|import) (sklearn(?!\.datasets)|scipy)", code, re.M):
        packages["sklearn"] = ["scikit_learn.zip"]  # it asks for SciPy and others by itself
    else:
        packages["sklearn"] = ["sklearn-data.zip"]
    packages["statsmodels"] = [f"statsmodels-{'stats' if HERE_OF_IT in code else 'data'}.zip"]
    return packages


def page_of(notebook: dict, seconds: dict) -> dict:
    """What a page needs to run, beside its own text."""
    codes = code_cells(notebook)
    cells = []
    for code, lacks in zip(codes, needs(codes)):
        about = {"needs": lacks} if lacks else {}
        if digest(code) in seconds and not lacks:
            about["seconds"] = abs(seconds[digest(code)])
            if seconds[digest(code)] < 0:  # it was stopped then, and would have taken longer
                about["more"] = True
        cells.append(about)
    lacking = {code for code, lacks in zip(codes, needs(codes)) if lacks}
    asked = exercises(notebook)
    for exercise in asked:
        if lacking & set(exercise["checks"]):
            exercise["needs"] = True  # names that only another computer has
    experiments = any("../experiments" in code for code in codes)
    sources = [
        f"sources-{name}.zip" for name in live_wheels.SOURCES if f"{name}." in " ".join(codes)
    ]
    return {
        "cells": cells,
        "exercises": asked,
        "packages": packages_of(codes),
        "archives": ["experiments.zip"] if experiments else [],
        "sources": sources,
    }


def digest(code: str) -> str:
    """By which a cell's time is found again; other code, no time."""
    return hashlib.sha256(code.strip().encode()).hexdigest()[:12]


# ---------- the button ----------

STYLE = """\
.live-bar{display:flex;flex-wrap:wrap;gap:.4rem .7rem;align-items:center;min-height:2.4rem;
margin:0 0 1rem}
.live-bar[hidden],.live-button[hidden]{display:none}
.live-button{padding:.25rem .7rem;border:1px solid var(--pst-color-primary);border-radius:.3rem;
background:var(--pst-color-background);color:var(--pst-color-primary)}
.live-button:hover:enabled{background:var(--pst-color-primary);color:var(--pst-color-background)}
.live-button:disabled{border-style:dashed}
.live-note,.live-status{color:var(--pst-color-text-base);font-size:.9rem}
@media print{.live-bar{display:none}}"""

SCRIPT = """\
(() => {
  const bar = document.currentScript.previousElementSibling;
  if (location.protocol === "file:") return;
  bar.hidden = false;
  const say = (text) => (bar.querySelector(".live-status").textContent = text);
  const simd = new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10,
    10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11]);
  bar.querySelector("button").addEventListener("click", () => {
    if (bar.dataset.on) return;
    if (!window.Worker) return say("This browser allows no workers, so that nothing can run here.");
    if (!window.WebAssembly || !WebAssembly.validate(simd))
      return say("This browser is too old to run Python. The page reads as before.");
    import(bar.dataset.live + "live.js").then((live) => live.begin(bar),
      () => say("What runs the page could not be loaded. The page reads as before."));
  });
})();"""

BORDER = ("<!-- live -->", "<!-- /live -->")
OLD = re.compile(r"\n?<!-- live -->.*?<!-- /live -->", re.S)
TITLE = re.compile(r"(<article\b.*?</h1>)", re.S)


def with_button(html: str, page: str, folder: str, megabytes: int) -> str:
    """The page with the button under its title, hidden until a script shows it.

    Raises: ValueError if the page has no title.
    """
    html = without_button(html)
    bar = (
        f'<div class="live-bar" data-live="../live/{escape(folder)}/" '
        f'data-page="{escape(page)}" hidden>'
        '<button type="button" class="live-button">▶ Run this page</button>'
        f'<span class="live-note">in your browser: loads Python and NumPy from here, '
        f'{megabytes} MB, once</span><span class="live-status" role="status"></span></div>'
    )
    block = f"\n{BORDER[0]}<style>{STYLE}</style>{bar}<script>{SCRIPT}</script>{BORDER[1]}"
    new, found = TITLE.subn(lambda match: match[0] + block, html, count=1)
    if not found:
        raise ValueError("the page has no title to put the button under")
    return new


def without_button(html: str) -> str:
    return OLD.sub("", html)


# ---------- all of it ----------


def licences(made: dict) -> str:
    """What the folder holds, from whom, and under which licence; the texts lie in the archives."""
    version = live_files.PINNED["pyodide"]
    pinned = live_files.PINNED["files"].items()
    lines = [f"  {name}: {about['licence']}" for name, about in pinned]
    others = [f"  {name}" for name in sorted(set(made) - {n.partition("-")[0] for n, _ in pinned})]
    return "\n".join([
        "What runs the pages of this book in a browser.",
        "",
        f"Pyodide {version} (pyodide.mjs, pyodide.asm.mjs, pyodide.asm.wasm) is under the Mozilla",
        "Public License 2.0, https://mozilla.org/MPL/2.0/; its source is at",
        f"https://github.com/pyodide/pyodide/tree/{version}. It is unchanged here.",
        "Compiled for the browser by its authors, and cut here to what the book needs:",
        *lines,
        "Parts of other packages that the book is built with, their licences in the archives,",
        "and the book's own module and experiments (MIT):",
        *others,
        "",
    ])  # fmt: skip


def fill(folder: Path, cache: Path, kernel: Path | None, notebooks: list, seconds: dict) -> dict:
    """Write all into a folder; {"compiled": bool, "first": bytes that the first click costs}."""
    made = archives(cache)
    ready = compiled(made, cache)
    texts = {f"sources-{name}": make() for name, make in live_wheels.SOURCES.items()}
    for stem, files in ((ready or made) | texts).items():
        live_wheels.written(folder / f"{stem}.zip", files)
    for name in CORE:
        shutil.copy(cache / name, folder / name)
    files = {}
    trained = ROOT / "src" / "helpers" / "trained"
    for path in sorted(p for p in trained.rglob("*") if p.suffix in (".npz", ".json")):
        name = path.relative_to(trained).as_posix()
        if LATER.match(f"helpers/trained/{name}"):
            files[f"{SITE}helpers/trained/{name}"] = flat = name.replace("/", "-")
            shutil.copy(path, folder / flat)
    if kernel is not None:
        shutil.copy(kernel, folder / "matmul.wasm")
    for name in SCRIPTS:
        shutil.copy(PAGE / name, folder / name)
    (folder / "pyodide-lock.json").write_text(json.dumps(LOCK), encoding="utf-8")
    (folder / "LICENCES.txt").write_text(licences(made), encoding="utf-8")
    core = [f"{name}.zip" for name in (*START, "helpers", "runtime")]
    manifest = {
        "core": core,
        "kernel": "matmul.wasm" if kernel is not None else None,
        "sums": {p.name: live_files.sha256(p) for p in sorted(folder.iterdir()) if p.is_file()},
    }
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    (folder / "pages").mkdir()
    for path in notebooks:
        page = page_of(json.loads(path.read_text(encoding="utf-8")), seconds)
        page["files"] = files
        target = folder / "pages" / f"{path.stem}.json"
        target.write_text(json.dumps(page, ensure_ascii=False), encoding="utf-8")
    first = [*core, *CORE, *SCRIPTS, "python_stdlib.zip", "manifest.json"]
    first += ["matmul.wasm"] if kernel is not None else []
    return {"compiled": ready is not None, "first": sum(transferred(folder / f) for f in first)}


def transferred(path: Path) -> int:
    """Bytes on the line: a host compresses what is not compressed yet."""
    import gzip

    data = path.read_bytes()
    return len(data) if path.suffix == ".zip" else len(gzip.compress(data, 6))


def name_of(folder: Path) -> str:
    """A name made from all that a folder holds: pages may be cached for as long as one likes."""
    total = hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        total.update(f"{path.relative_to(folder).as_posix()} {live_files.sha256(path)}\n".encode())
    return total.hexdigest()[:12]


def check_pages(html: Path, notebooks: list) -> None:
    """Raise ValueError unless each page shows the cells of its notebook."""
    for path in notebooks:
        page = (html / "notebooks" / f"{path.stem}.html").read_text(encoding="utf-8")
        shown = len(re.findall(r'<div class="cell_input ', page))
        wanted = len(code_cells(json.loads(path.read_text(encoding="utf-8"))))
        if shown != wanted:
            raise ValueError(f"{path.stem}: {shown} cells on the page, {wanted} in the notebook")


def make_live(html: Path, source: Path | None = None, get=live_files.download) -> dict:
    """Put the live folder into a built book and the button on its pages; what `fill` found.

    source: a folder to take missing files from; get: how to download them otherwise.
    Raises: live_files.Missing if a file cannot be had; ValueError if a page is not as expected.
    """
    cache = live_files.cache_folder()
    names = sorted((html / "notebooks").glob("*.html"))
    notebooks = [ROOT / "notebooks" / f"{page.stem}.ipynb" for page in names]
    live_files.fetch(cache, source, get=get)
    try:
        kernel = live_files.kernel(cache, get=get)
    except (live_files.Missing, OSError) as error:
        kernel = None
        print(f"make live: matrix products will be slow in the browser, because {error}")
    check_pages(html, notebooks)
    known = HERE / "seconds.json"
    seconds = json.loads(known.read_text(encoding="utf-8")) if known.exists() else {}
    (html / "live").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=html / "live") as name:
        fresh = Path(name)
        found = fill(fresh, cache, kernel, notebooks, seconds)
        target = html / "live" / name_of(fresh)
        if not target.exists():
            shutil.copytree(fresh, target)
            target.chmod(0o755)  # a temporary folder is for its owner only
    for old in (html / "live").iterdir():
        if old != target:
            shutil.rmtree(old)
    for page in names:
        text = page.read_text(encoding="utf-8")
        new = with_button(text, page.stem, target.name, round(found["first"] / 1e6))
        page.write_text(new, encoding="utf-8")
    return found | {"folder": target, "kernel": kernel is not None}


def take_away(html: Path) -> None:
    """The book as `make book` left it."""
    shutil.rmtree(html / "live", ignore_errors=True)
    for page in (html / "notebooks").glob("*.html"):
        text = page.read_text(encoding="utf-8")
        if (plain := without_button(text)) != text:
            page.write_text(plain, encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(description="Make the built pages run in a browser.")
    parser.add_argument("--from", dest="source", type=Path, help="a folder with the pinned files")
    parser.add_argument("--html", type=Path, default=HTML, help="the built book")
    options = parser.parse_args()
    if not (options.html / "notebooks").is_dir():
        print("make live: the book is not built: run `make book`")
        return 1
    try:
        found = make_live(options.html, options.source)
    except live_files.Missing as error:
        take_away(options.html)
        print(f"make live: the book has no button “Run this page”, because {error}")
        return 1
    if not found["compiled"]:
        print("make live: without Node nothing was compiled in advance, so the pages start slower")
    print(f"The pages run: {found['first'] / 1e6:.1f} MB at the first click. See them: make serve")
    return 0


if __name__ == "__main__":
    sys.exit(main())
