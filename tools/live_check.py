"""Run every cell of every notebook in a browser and compare with what is on the page.

    make test-live
    python tools/live_check.py 03_rnn 16_gru --table table.md --times tools/live/seconds.json

A row of the table is a notebook: the seconds that its own text names, the processor seconds of the
browser, and how many cells printed the same text and drew as many pictures as the book. Cells that
differ and are tagged `nbval-ignore-output` (timings, long trainings) are counted apart; any other
difference, and any error, is listed below, and the exit status is 1. --times keeps what a cell took
if it was long; the pages say so before such a cell starts.
"""

import argparse
import json
import os
import re
import sys
import time
from pathlib import Path
from typing import NamedTuple

import headless
import live_pages

ROOT = Path(__file__).resolve().parents[1]
LONG = 5  # seconds from which on a cell's time is kept
PATIENCE = 240  # seconds for one cell


class Handler(headless.Quiet):
    """Remembers what it was asked for, and how many bytes."""

    seen = []

    def copyfile(self, source, target):
        self.seen.append((self.path, os.fstat(source.fileno()).st_size))
        super().copyfile(source, target)


LOOK = """() => [...document.querySelectorAll('.bd-article div.cell')]
  .filter(cell => cell.querySelector('.cell_input pre'))
  .map(cell => {
    const all = selector => [...cell.querySelectorAll(':scope > .cell_output ' + selector)];
    const texts = all('pre').filter(pre => !pre.matches('.stderr, .text_html pre'));
    return {
      code: cell.querySelector('.cell_input pre').textContent,
      text: texts.map(pre => pre.textContent.trim()).filter(text => text).join('\\n'),
      pictures: all('img, svg.diagram').filter(p => !p.closest('.text_html')).length,
      html: all('.text_html').length,
      messages: all('pre.stderr').map(pre => pre.textContent).join('\\n'),
      leans: /leans on/.test(cell.querySelector('.live-tools')?.textContent),
      state: cell.querySelector('.live-tools [role=status]')?.textContent ?? null,
    };
  })"""

PRESS = """([n, text]) => {
  const cells = [...document.querySelectorAll('.bd-article div.cell')]
    .filter(cell => cell.querySelector('.cell_input pre'));
  [...cells[n].querySelectorAll('.live-tools button')].find(b => b.textContent === text).click();
}"""

IDLE = """() => !document.querySelector('[aria-busy=true]') &&
  [...document.querySelectorAll('.live-tools [role=status]')].every(m => m.textContent !== 'waits')
"""
STATUS = "document.querySelector('.live-bar .live-status').textContent"


class Tab:
    """A notebook's page in the browser."""

    def __init__(self, context, address: str):
        self.tab = context.new_page()
        self.asked, self.errors = [], []
        self.tab.on("request", lambda request: self.asked.append(request.url))
        self.tab.on("pageerror", lambda error: self.errors.append(str(error)))
        self.tab.goto(address, wait_until="load")

    def start(self, seconds: float = 120) -> float:
        """Press the button and wait until Python is ready; the seconds it took."""
        begin = time.perf_counter()
        self.tab.click(".live-bar button:visible")
        done = f"() => /is ready|did not start/.test({STATUS})"
        self.tab.wait_for_function(done, timeout=1000 * seconds)
        return time.perf_counter() - begin

    def status(self) -> str:
        return self.tab.evaluate(STATUS)

    def cells(self) -> list:
        return self.tab.evaluate(LOOK)

    def press(self, cell: int, text: str, seconds: float = PATIENCE) -> None:
        """Press a button of a cell and wait until nothing runs any more."""
        self.tab.evaluate(PRESS, [cell, text])
        self.tab.wait_for_function(IDLE, timeout=1000 * seconds)

    def close(self) -> None:
        self.tab.close()


def processor_seconds() -> float:
    """What this process's children, the browser, have used so far."""
    import psutil

    total = 0.0
    for child in psutil.Process().children(recursive=True):
        try:
            used = child.cpu_times()
        except psutil.Error:
            continue
        total += used.user + used.system
    return total


class Row(NamedTuple):
    """A notebook: cells that ran, differ although tagged, differ, fail, cannot run; seconds."""

    name: str
    equal: int
    tagged: int
    differ: list
    errors: list
    away: int
    told: int | None
    seconds: float
    times: dict


def compare(context, site: str, path: Path, patience: float = PATIENCE) -> Row:
    """Run all cells of one notebook's page, one by one."""
    book = json.loads(path.read_text(encoding="utf-8"))
    code = [c for c in book["cells"] if c["cell_type"] == "code"]
    tags = [c["metadata"].get("tags", []) for c in code]
    tags = [t for t in tags if "remove-cell" not in t]
    text = "\n".join("".join(c["source"]) for c in book["cells"] if c["cell_type"] == "markdown")
    told = re.search(r"to read, (?:about )?(\d+) seconds? to run", text)
    page = Tab(context, f"{site}notebooks/{path.stem}.html")
    row = Row(path.stem, 0, 0, [], [], 0, int(told[1]) if told else None, 0.0, {})
    try:
        page.start()
        stored = page.cells()
        begin = processor_seconds()
        for n, before in enumerate(stored):
            if before["state"] is None:
                row = row._replace(away=row.away + 1)
                continue
            start = processor_seconds()
            try:
                page.press(n, "Run", patience)
            except Exception as error:
                row.errors.append(f"cell {n + 1}: {str(error).splitlines()[0]}")
                took = processor_seconds() - start
                row.times[live_pages.digest(before["code"])] = -round(took, 1)  # and not done
                break
            took = processor_seconds() - start
            long = round(took, 1) if took >= LONG else 0  # a cell that was long may be so no more
            row.times[live_pages.digest(before["code"])] = long
            now = page.cells()[n]
            keys = ("text", "pictures", "html")
            if now["state"].startswith("error") and before["leans"]:
                row = row._replace(away=row.away + 1)
            elif now["state"].startswith("error"):
                told_lines = re.findall(r"^\w*(?:Error|Exception)\b.*", now["messages"], re.M)
                row.errors.append(f"cell {n + 1}: {(told_lines or ['no message'])[-1]}")
            elif all(now[key] == before[key] for key in keys):
                row = row._replace(equal=row.equal + 1)
            elif "nbval-ignore-output" in tags[n]:
                row = row._replace(tagged=row.tagged + 1)
            else:
                key = next(key for key in keys if now[key] != before[key])
                row.differ.append(f"cell {n + 1}: {before[key]!r} became {now[key]!r}")
        return row._replace(seconds=processor_seconds() - begin)
    finally:
        page.close()


HEAD = """\
| notebook | native s | browser s | equal | tagged, differ | differ | errors | own computer only |
|---|---:|---:|---:|---:|---:|---:|---:|
"""


def line(row: Row) -> str:
    numbers = (row.told if row.told is not None else "", f"{row.seconds:.0f}", row.equal,
               row.tagged, len(row.differ), len(row.errors), row.away)  # fmt: skip
    return f"| {row.name} | " + " | ".join(map(str, numbers)) + " |\n"


def main() -> int:
    parser = argparse.ArgumentParser(description="Run the pages in a browser and compare.")
    parser.add_argument("names", nargs="*", help="notebooks, all if none is named")
    parser.add_argument("--html", type=Path, default=live_pages.HTML)
    parser.add_argument("--table", type=Path, help="where the table goes as well")
    parser.add_argument("--times", type=Path, help="a file to keep the times of long cells in")
    parser.add_argument("--patience", type=float, default=PATIENCE, help="seconds for one cell")
    options = parser.parse_args()
    if not (options.html / "live").is_dir():
        print("The pages do not run: `make live` first")
        return 1
    notebooks = sorted((ROOT / "notebooks").glob("*.ipynb"))
    pages = {path.stem for path in (options.html / "notebooks").glob("*.html")}
    wanted = [p for p in notebooks if p.stem in pages and p.stem in (options.names or pages)]
    kept = options.times and options.times.exists()
    times = json.loads(options.times.read_text(encoding="utf-8")) if kept else {}
    table, details = HEAD, ""
    print(HEAD, end="")
    with headless.serving(options.html) as site, headless.launched() as browser:
        for path in wanted:
            context = browser.new_context()
            try:
                row = compare(context, site, path, options.patience)
            finally:
                context.close()
            print(line(row), end="", flush=True)
            table += line(row)
            details += "".join(f"- {row.name}, {text[:600]}\n" for text in row.differ + row.errors)
            times = {code: took for code, took in (times | row.times).items() if took}
            if options.table:
                options.table.write_text(f"{table}\n{details}", encoding="utf-8")
            if options.times:
                text = json.dumps(dict(sorted(times.items())), indent=1)
                options.times.write_text(text + "\n", encoding="utf-8")
    print(details)
    return 1 if details else 0


if __name__ == "__main__":
    sys.exit(main())
