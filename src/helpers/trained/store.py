"""Weights on disk: plain arrays in an .npz file, without pickle."""

import os
import tempfile
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


def check_writable(name: str, path) -> None:
    """Raise unless a file can be written at `path`: to be asked before an hour of training.

    Raises: OSError that names the argument and says what is missing.
    """
    folder = Path(path).absolute().parent
    if not folder.is_dir():
        raise FileNotFoundError(f"{name}: there is no folder {str(folder)!r}; make it first")
    if Path(path).is_dir():
        raise IsADirectoryError(f"{name}: {str(path)!r} is a folder; name a file in it")
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise PermissionError(f"{name}: nothing can be written into {str(folder)!r}") from error


def read_npz(path) -> dict:
    """All arrays of an .npz file. No pickle is read.

    Raises: whatever NumPy, zipfile or zlib raise for a damaged file; TypeError for one array alone.
    """
    with Path(path).open("rb") as handle, np.load(handle, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}
