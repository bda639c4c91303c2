"""A browser without a window, and a server for pages on this machine; for tests and for tools.

Chromium, Chrome or Edge is looked for in the usual places; the variable CHROMIUM names another one.
"""

import functools
import os
import shutil
import threading
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

COMMANDS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "msedge")
PLACES = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "C:/Program Files/Google/Chrome/Application/chrome.exe",
    "C:/Program Files (x86)/Google/Chrome/Application/chrome.exe",
    "C:/Program Files (x86)/Microsoft/Edge/Application/msedge.exe",
)
# Chromium asks its makers for updates and the like; the pages are what is looked at here.
QUIET = (
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-domain-reliability",
    "--disable-sync",
    "--no-first-run",
    "--no-pings",
)


def find_browser() -> str | None:
    if named := os.environ.get("CHROMIUM"):
        return named
    found = (shutil.which(command) for command in COMMANDS)
    return next((p for p in (*found, *PLACES) if p and Path(p).exists()), None)


@contextmanager
def launched():
    """A headless browser, open while the block runs.

    Raises: FileNotFoundError if there is none.
    """
    from playwright.sync_api import sync_playwright

    if not (path := find_browser()):
        raise FileNotFoundError("no browser: install chromium, or set CHROMIUM to one")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(QUIET))
        yield browser
        browser.close()


class Quiet(SimpleHTTPRequestHandler):
    # As some hosts do; a browser shows such a file unless it is told to download it.
    extensions_map = {**SimpleHTTPRequestHandler.extensions_map, ".ipynb": "application/json"}

    def log_message(self, *args):
        pass


@contextmanager
def serving(folder: Path, kind=Quiet):
    """The address of a folder, served on this machine while the block runs."""
    handler = functools.partial(kind, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
