"""Trained networks that run programs and add: weights, and how to ask them.

`experiments/programs.py` trains them; its records, of these and of the networks that were compared,
lie in the same file.
"""

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .. import executor
from ..data import programs
from ..lstm import LSTM
from ..text import Vocabulary
from .store import read_npz

CHECKPOINT = Path(__file__).with_name("programs.npz")
LONGEST_ANSWER = programs.DIGITS + 1


class Runner(NamedTuple):
    """A trained network: its parameters, its symbols, and the cell."""

    params: dict
    vocab: Vocabulary
    cell: object = LSTM


class Networks(NamedTuple):
    """runner: for programs; adders: order of the digits → network; about: records of training."""

    runner: Runner
    adders: dict
    about: dict


def load(path=CHECKPOINT, dtype=np.float32) -> Networks:
    """Read the networks.

    Raises: FileNotFoundError that says how to make the file; ValueError if it is damaged.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(
            f"there is no file {path.name} in {path.parent.name}/: experiments/programs.py makes it"
        )
    try:
        arrays = read_npz(path)
        about = json.loads(str(arrays.pop("about")))
        runner = Runner(_part(arrays, "runner", dtype), programs.vocabulary())
        adders = {
            order: Runner(_part(arrays, order, dtype), programs.adder_vocabulary())
            for order in programs.ORDERS
        }
    except Exception as error:  # a damaged file can fail in any of the libraries that read it
        raise ValueError(f"{path.name} is no whole file of these networks: {error!r}") from error
    return Networks(runner, adders, about)


def _part(arrays, prefix, dtype):
    """The parameters of one network, if all are there and finite."""
    found = {
        name.removeprefix(f"{prefix}."): array.astype(dtype)
        for name, array in arrays.items()
        if name.startswith(f"{prefix}.")
    }
    for name in ("E", "W_xh_l0", "W_hh_l0", "b_h_l0", "W_hy", "b_y"):
        if not np.isfinite(found[name]).all():
            raise ValueError(f"{prefix}.{name} is not finite")
    return found


def answers(network: Runner, texts, max_length: int = LONGEST_ANSWER) -> list:
    """What the network writes after each text, symbol by symbol: a list of strings.

    Raises: TypeError or ValueError for a text that is empty or has unknown characters.
    """
    sources = [programs.encode(text, network.vocab) for text in texts]
    written = executor.write(network.cell, network.params, sources, max_length)
    return ["".join(network.vocab.decode(ids)) for ids in written]


def right_symbols(network: Runner, texts, right):
    """With the right answer read along: where each of its symbols is the likeliest; and the batch.

    texts, right: lists of strings. Returns (T, B) booleans, see `executor.right_symbols`, and an
    `executor.AnswerBatch`.
    Raises: as `answers`.
    """
    sources = [programs.encode(text, network.vocab) for text in texts]
    batch = executor.answer_batch(sources, [network.vocab.encode(y) for y in right])
    z = executor.predict(network.cell, network.params, batch)
    return executor.right_symbols(z, batch), batch
