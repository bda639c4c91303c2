"""The map of the helper module: a line per file, taken from the file's own docstring.

`python tools/module_map.py` writes it into the package's docstring, CONTRIBUTING.md and the page
"The helper module"; a test holds the three to what the files say.
"""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "helpers"
PLACES = (PACKAGE / "__init__.py", ROOT / "CONTRIBUTING.md", ROOT / "book" / "helper_module.md")
WINGS = ("", "data", "draw", "trained")
BLOCK = re.compile(r"^    helpers/  .*?(?=\n\n|\n```)", flags=re.DOTALL | re.MULTILINE)


def purpose(path: Path) -> str:
    """The first sentence of a file's docstring, without its full stop."""
    text = ast.get_docstring(ast.parse(path.read_text("utf-8")))
    return text.split("\n\n")[0].replace("\n", " ").rstrip(".")


def draw_map() -> str:
    """The map as indented text: wings, and the files of each."""
    lines = []
    for wing in WINGS:
        folder = PACKAGE / wing
        title = purpose(folder / "__init__.py") if wing else "the networks"
        lines.append(f"    {'helpers/' + (wing + '/' if wing else ''):<18}{title}")
        for path in sorted(folder.glob("*.py")):
            if path.stem != "__init__":
                lines.append(f"      {path.stem + ' ':<16}{purpose(path)}")
    return "\n".join(lines)


def refresh(text: str) -> str:
    """A text with its map brought up to date.

    Raises: LookupError if it holds none.
    """
    if not BLOCK.search(text):
        raise LookupError("no map to refresh: nothing begins with '    helpers/  '")
    return BLOCK.sub(lambda _: draw_map(), text, count=1)


if __name__ == "__main__":
    for place in PLACES:
        place.write_text(refresh(place.read_text("utf-8")), "utf-8")
