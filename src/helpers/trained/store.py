"""Weights on disk: plain arrays in an .npz file, without pickle."""

import os
from pathlib import Path

import numpy as np


def write_npz(path, arrays: dict) -> None:
    """Write arrays to an .npz file: the whole file or, if the machine stops here, nothing.

    The arrays go to a file beside it, which takes the place of the old one only when it is whole.
    """
    partial = Path(path).with_suffix(".partial.npz")
    with partial.open("wb") as file:
        np.savez_compressed(file, **arrays)
        file.flush()
        os.fsync(file.fileno())  # on the disk, before the old file goes
    partial.replace(path)


def read_npz(path) -> dict:
    """All arrays of an .npz file. No pickle is read.

    Raises: whatever NumPy, zipfile or zlib raise for a damaged file; TypeError for one array alone.
    """
    with Path(path).open("rb") as handle, np.load(handle, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}
