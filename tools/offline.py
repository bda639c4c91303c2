"""Pack the built pages into one file that opens without a server and without a network.

`python tools/offline.py _build/html _build/networks-that-remember.zip`. The same pages give the
same bytes: files are sorted, and all have the first date that a zip file knows.
"""

import sys
import zipfile
from pathlib import Path

NAME = "networks-that-remember"
README = f"""\
Open {NAME}/book/index.html in a browser.

Text, figures, formulas, search, dark mode, questions, marks of pages read and downloads of
notebooks work from this folder. Three things need a server, and are not there without one: the
lines of text under what a search finds, the cards that explain a word of the glossary (its link
works), and running a page. A server of one line, in this folder:

    python -m http.server --bind 127.0.0.1 8000
"""


def pack(site: Path, target: Path) -> list[str]:
    """Write `target`; returns the names in it. Left out: the folder of live pages.

    Raises: FileNotFoundError if `site` holds no built book.
    """
    if not (site / "book" / "index.html").exists():
        raise FileNotFoundError(f"no built book in {site}: run `make book`")
    files = {"README.txt": README.encode()}
    for path in sorted(p for p in site.rglob("*") if p.is_file()):
        name = path.relative_to(site)
        if name.parts[0] not in ("live", ".doctrees") and name.name != ".buildinfo":
            files[name.as_posix()] = path.read_bytes()
    partial = target.with_suffix(".partial")
    with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(f"{NAME}/{name}")  # its date is 1 January 1980
            entry.external_attr = 0o644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content)
    partial.replace(target)
    return list(files)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python tools/offline.py SITE TARGET.zip")
    target = Path(sys.argv[2])
    names = pack(Path(sys.argv[1]), target)
    print(f"{target}: {len(names)} files, {target.stat().st_size / 2**20:.1f} MB")
