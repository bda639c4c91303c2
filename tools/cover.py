"""Copy the picture of the landing page out of the notebook that computes it.

    python tools/cover.py

So the first figure that a reader sees is a result of the book, too. `make notebooks` calls this.
"""

import base64
from pathlib import Path

import nbformat

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOK, FIGURE = ROOT / "notebooks" / "05_char_rnn.ipynb", "fig-05-unit"
COVER = ROOT / "book" / "_assets" / "cover.png"


def figure(path: Path, name: str) -> bytes:
    """The PNG of a notebook's figure. Raises LookupError if the notebook has no such figure."""
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.metadata.get("mystnb", {}).get("figure", {}).get("name") == name:
            for output in cell.outputs:
                if "image/png" in output.get("data", {}):
                    return base64.b64decode(output["data"]["image/png"])
    raise LookupError(f"{path.name} has no figure named {name!r}")


if __name__ == "__main__":
    COVER.write_bytes(figure(NOTEBOOK, FIGURE))
