"""Runs the cells of a page in the reader's browser, and says what they print, draw and show.

This is the Python side of a live page; worker.mjs is the other. It runs under Pyodide, and under
any Python, where the tests run it: what goes out is handed to `send(kind, **data)`.

    text     stream "stdout" or "stderr", text
    image    mime, data (base64)
    html     data
"""

import ast
import base64
import hashlib
import importlib.abc
import importlib.machinery
import importlib.util
import io
import linecache
import os
import re
import sys
import time
import traceback
import warnings
import zipfile

PAUSE = 0.05  # seconds between two messages, or an endless loop of prints would flood the page
LIMIT = 200_000  # characters that a cell may print
PICTURES = 40  # that a cell may draw
current = None  # the session of this page


class Writer(io.TextIOBase):
    """A stream that hands over what was written, a piece every PAUSE at most, up to LIMIT."""

    def __init__(self, stream, send):
        self.stream, self.send = stream, send
        self.pieces, self.last, self.length = [], 0.0, 0

    def writable(self):
        return True

    def write(self, text):
        room = LIMIT - self.length
        self.length += len(text)
        if room > 0:
            self.pieces.append(text[:room])
            if len(text) > room:
                self.pieces.append(f"\n… cut: a cell may print {LIMIT:,} characters here.\n")
        if time.monotonic() - self.last > PAUSE:
            self.flush()
        return len(text)

    def flush(self):
        if self.pieces:
            self.send("text", stream=self.stream, text="".join(self.pieces))
            self.pieces = []
        self.last = time.monotonic()


class OnDemand(importlib.abc.MetaPathFinder):
    """Fetches a package when Python first looks for it. Comes last: asked for what is not there."""

    def __init__(self, packages, unpack):
        self.packages, self.unpack = dict(packages), unpack

    def find_spec(self, name, path=None, target=None):
        files = self.packages.pop(name, None)
        if files is None:
            return None
        try:
            for file in files:
                self.unpack(file)
        except BaseException:  # stopped, or no network: the next import tries again
            self.packages[name] = files
            raise
        importlib.invalidate_caches()
        return importlib.util.find_spec(name)


class Session:
    """The names of one page, and how its cells run."""

    def __init__(self, send):
        global current
        current = self
        self.send = send
        self.names = {"__name__": "__main__", "__builtins__": __builtins__}
        self.out, self.err = Writer("stdout", send), Writer("stderr", send)
        self.pictures = 0
        self.pass_by = None  # helpers.notebook.PassTorchBy, once it is there

    # ---------- before the first cell ----------

    def provide(self, packages, files, sums, fetch, site, sources=()):
        """Packages that are fetched when they are imported, files when they are opened.

        packages: name → files to unpack into the folder `site`; files: path → file; sums: file →
        sha256; fetch(file) → bytes; sources: archives of source files that are read as texts.
        """

        def checked(file):
            data = fetch(file)
            if hashlib.sha256(data).hexdigest() != sums[file]:
                raise OSError(f"{file} is not the file that this page was built with: reload it")
            return data

        def unpack(file, folder=site):
            zipfile.ZipFile(io.BytesIO(checked(file))).extractall(folder)

        waiting = dict(files)
        for path in waiting:  # so that they can be seen before they are there
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb"):
                pass

        def before(event, arguments):
            if event == "open" and waiting and isinstance(arguments[0], str):
                path = os.path.abspath(arguments[0])
                file = waiting.pop(path, None)
                if file is not None:
                    try:
                        with open(path, "wb") as target:
                            target.write(checked(file))
                    except BaseException:
                        waiting[path] = file
                        raise

        if waiting:
            sys.addaudithook(before)
        sys.meta_path.append(OnDemand(packages, unpack))
        if sources:
            self.read_sources(list(sources), unpack)

    def read_sources(self, archives, unpack, folder="/sources"):
        """Let helpers.data find the source files of packages, here as texts and not to be run."""
        from helpers.data import corpora

        find = corpora.find_spec

        def find_sources(name):
            while archives:
                unpack(archives[-1], folder)
                archives.pop()
            if not os.path.isdir(os.path.join(folder, name)):
                return find(name)
            spec = importlib.machinery.ModuleSpec(name, None, is_package=True)
            spec.submodule_search_locations = [os.path.join(folder, name)]
            return spec

        corpora.find_spec = find_sources

    def begin(self):
        """Import what every notebook uses, so that its first cell does not wait for it."""
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Unable to import Axes3D")  # left out
            import matplotlib.pyplot as plt
        from helpers.notebook import PassTorchBy

        plt.show = lambda *args, **kwargs: self.show_figures()
        self.pass_by = PassTorchBy()

    # ---------- cells ----------

    def run(self, source, name):
        """Run a cell; True if no error came. Its output and its error are sent."""
        linecache.cache[name] = (len(source), None, source.splitlines(True), name)
        self.out.length = self.err.length = self.pictures = 0
        before = sys.stdout, sys.stderr
        sys.stdout, sys.stderr = self.out, self.err
        try:
            tree = ast.parse(source, name)
            if self.pass_by is not None:
                tree = self.pass_by.visit(tree)
            last = None
            if tree.body and isinstance(tree.body[-1], ast.Expr):
                last = ast.Expression(tree.body.pop().value)
            exec(compile(tree, name, "exec"), self.names)
            if last is not None:
                value = eval(compile(last, name, "eval"), self.names)
                if value is not None:
                    self.names["_"] = value
                    self.show_value(value)
            self.show_figures()
            return True
        except BaseException as error:
            self.err.write(readable(error))
            self.close_figures()
            return False
        finally:
            self.out.flush()
            self.err.flush()
            sys.stdout, sys.stderr = before

    def check(self, answer, solutions):
        """What a reader's cell is worth: see answers.check. Prints nothing, changes no name."""
        from answers import check

        before = sys.stdout, sys.stderr
        sys.stdout = sys.stderr = io.StringIO()
        linecache.cache["your answer"] = (len(answer), None, answer.splitlines(True), "your answer")
        try:
            return check(answer, list(solutions), dict(self.names))
        finally:
            sys.stdout, sys.stderr = before
            self.close_figures()

    # ---------- what is not text ----------

    def show_value(self, value):
        """The richest form that a value has, as a notebook would choose it."""
        for mime, method in (("text/html", "_repr_html_"), ("image/svg+xml", "_repr_svg_")):
            make = getattr(value, method, None)
            shown = make() if callable(make) else None
            if shown is None:
                continue
            self.out.flush()
            if mime == "text/html":
                self.send("html", data=shown)
            else:
                self.picture(mime, shown.encode())
            return
        print(pretty(value))

    def show_figures(self):
        """plt.show(): every open figure as a picture; then all are closed."""
        plt = sys.modules.get("matplotlib.pyplot")
        if plt is None:
            return
        for number in plt.get_fignums():
            figure = plt.figure(number)
            if hasattr(figure, "_repr_svg_"):
                self.picture("image/svg+xml", figure._repr_svg_().encode())
            else:
                file = io.BytesIO()
                face = figure.get_facecolor()
                figure.savefig(file, format="png", bbox_inches="tight", facecolor=face)
                self.picture("image/png", file.getvalue())
        plt.close("all")

    def picture(self, mime, data):
        self.out.flush()
        self.err.flush()
        self.pictures += 1
        if self.pictures <= PICTURES:
            self.send("image", mime=mime, data=base64.b64encode(data).decode())

    def close_figures(self):
        if plt := sys.modules.get("matplotlib.pyplot"):
            plt.close("all")


def pretty(value, width=79):
    """repr, and a line an item where a list, tuple, set or dict is too wide: as IPython has it."""
    text = repr(value)
    if len(text) <= width and "\n" not in text:
        return text
    kinds = {list: "[]", tuple: "()", set: "{}", dict: "{}"}
    if type(value) not in kinds or len(value) < 2:
        return text
    left, right = kinds[type(value)]
    if isinstance(value, dict):
        items = [f"{key!r}: {pretty(item)}" for key, item in value.items()]
    else:
        items = [pretty(item) for item in (sorted(value) if isinstance(value, set) else value)]
    return left + ",\n ".join(item.replace("\n", "\n ") for item in items) + right


HINTS = (
    (KeyboardInterrupt, "Stopped here. What the cells have made until now is kept."),
    (ModuleNotFoundError, "This module is not among those that run in a page."),
    (MemoryError, "The page has no more memory: Stop frees it, and the page starts afresh."),
    (RecursionError, "A function calls itself too often; the limit is lower here than elsewhere."),
    (SystemExit, "There is nothing to exit from here; the names of the page are still there."),
)


def readable(error):
    """A traceback without the frames that ran the cell, and a sentence where one helps."""
    frame = error.__traceback__
    while frame is not None and frame.tb_frame.f_code.co_filename == __file__:
        frame = frame.tb_next
    if isinstance(error, SyntaxError):
        frame = None
    report = traceback.TracebackException(type(error), error, frame, compact=True)
    text = "".join(report.format())
    text = re.sub(r'File "(cell [^"]*|your answer)", ', r"In \1, ", text)
    text = re.sub(r'File "[^"]*/site-packages/', 'File "', text)
    for kind, hint in HINTS:
        if isinstance(error, kind):
            text += hint + "\n"
    return text
