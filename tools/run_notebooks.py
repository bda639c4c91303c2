"""Run notebooks from top to bottom and store their outputs in place: what `make notebooks` does.

Like `jupyter nbconvert --execute --inplace`, but without progress bars and time stamps, which would
make every run differ from the last.
"""

import os
import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient

os.environ["TQDM_DISABLE"] = "1"
os.environ.pop("MPLBACKEND", None)  # figures come from the kernel's own backend


def run(path: Path) -> float:
    """Run one notebook and write it back; the seconds it took."""
    notebook = nbformat.read(path, as_version=4)
    begin = time.perf_counter()
    client = NotebookClient(
        notebook,
        kernel_name="python3",
        record_timing=False,
        coalesce_streams=True,  # one output a stream, however the kernel happened to flush it
        timeout=600,
        resources={"metadata": {"path": str(path.parent)}},
    )
    client.execute()
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
    notebook.metadata.get("language_info", {}).pop("version", None)
    nbformat.write(notebook, path)
    return time.perf_counter() - begin


if __name__ == "__main__":
    for path in map(Path, sys.argv[1:]):
        print(f"{path} …", end=" ", flush=True)
        print(f"{run(path):.0f} s")
