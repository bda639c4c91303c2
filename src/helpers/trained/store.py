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


def read_checkpoint(path, read, of: str, made_by: str):
    """What `read` makes of a checkpoint; every way to fail ends in a message.

    read(path) → anything. of: what the file holds, for the message; made_by: the command that
    trains one.
    Raises: FileNotFoundError that names the command; ValueError if the file is damaged or holds
    something else.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(
            f"there is no checkpoint {path.name} in {path.parent.name}/: `{made_by}` trains one"
        )
    try:
        return read(path)
    except Exception as error:  # a damaged file can fail in any of the libraries that read it
        raise ValueError(f"{path.name} is no whole checkpoint of {of}: {error!r}") from error


# --- Parameters in a checkpoint: an array "param.NAME" each ---------------------------------------


def halved(params: dict) -> dict:
    """Parameters in half precision, as they lie in a checkpoint.

    Raises: ValueError if a parameter is not finite, or too large for half precision.
    """
    arrays = {}
    for name, array in params.items():
        with np.errstate(over="ignore"):  # reported below, with the parameter's name
            half = arrays[f"param.{name}"] = array.astype(np.float16)
        if not np.isfinite(half).all():
            raise ValueError(
                f"parameter {name} is not finite in half precision: nothing was written"
            )
    return arrays


def params_of(arrays: dict, dtype) -> dict:
    """The parameters among the arrays of a checkpoint."""
    return {
        name.removeprefix("param."): array.astype(dtype)
        for name, array in arrays.items()
        if name.startswith("param.")
    }


def check_params(params: dict, expected: dict) -> None:
    """Raise unless these are finite parameters of a model whose fresh ones are `expected`.

    Raises: ValueError that names what is missing, strange, of another shape, or not finite.
    """
    for name, array in params.items():
        if name in expected and array.shape != expected[name].shape:
            raise ValueError(f"{name} has shape {array.shape}, expected {expected[name].shape}")
        if not np.isfinite(array).all():
            raise ValueError(f"{name} is not finite")
    if set(params) != set(expected):
        raise ValueError(f"parameters {sorted(set(params) ^ set(expected))} are missing or strange")
