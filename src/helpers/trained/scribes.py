"""LSTMs that learned the characters of code, of prose and of tunes.

`experiments/writers.py` trains them; `load` reads what it wrote. A `Scribe` holds the parameters of
`language_model` (one LSTM layer), so everything that chapter 5 does with such a model works here.
"""

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .. import language_model
from ..activations import log_softmax, softmax
from ..checks import check_not_negative, check_sizes
from ..decoding import at_temperature
from ..lstm import LSTM
from ..rnn import Cell
from ..text import Vocabulary, pad
from .store import check_params, params_of, read_checkpoint, read_npz

FOLDER = Path(__file__).parent
NAMES = ("code", "prose", "tunes")


class Scribe(NamedTuple):
    """Parameters of `language_model` with an LSTM, the symbols, and a note on the training."""

    params: dict
    vocab: Vocabulary
    about: dict
    cell: Cell = LSTM


def load(name: str, folder: Path = FOLDER, dtype=np.float32) -> Scribe:
    """The scribe of "code", "prose" or "tunes".

    Raises: ValueError for another name, or a file that is damaged or holds something else;
    FileNotFoundError that says how to make one.
    """
    if name not in NAMES:
        raise ValueError(f"name must be one of {', '.join(NAMES)}, got {name!r}")
    return read_checkpoint(
        Path(folder) / f"{name}.npz",
        lambda path: _read(path, dtype),
        of="a scribe",
        made_by=f"python experiments/writers.py --corpus {name}",
    )


def _read(path, dtype):
    """The scribe, if all that should be there is there, in the right shape, and finite."""
    arrays = read_npz(path)
    params = params_of(arrays, dtype)
    notes = {key: json.loads(str(arrays[key])) for key in ("vocabulary", "settings", "about")}
    vocab = Vocabulary(tuple(notes["vocabulary"]))
    D, H = params["E"].shape[1], len(params["W_hh"])
    expected = language_model.init_language_model(LSTM, len(vocab), D, H, np.random.default_rng(0))
    check_params(params, expected)
    return Scribe(params, vocab, notes["about"] | {"settings": notes["settings"]})


def write_many(scribe: Scribe, prompt: str, n: int, B: int, rng, temperature: float = 1.0) -> list:
    """B continuations of one prompt, n characters each, written side by side. Returns strings.

    As `language_model.sample`, but with a batch: each step draws a symbol for every text.
    temperature 0 takes the likeliest symbol, and the B texts are the same.
    Raises: ValueError for an empty prompt or one with unknown symbols, n or B < 1, a negative or
    non-finite temperature.
    """
    check_sizes(n=n, B=B)
    check_not_negative("temperature", temperature)
    if not prompt:
        raise ValueError("prompt is empty: there is nothing to go on from")
    inputs = np.repeat(scribe.vocab.encode(prompt)[:, None], B, axis=1)
    state, written = None, np.empty((n, B), dtype=np.int64)
    for i in range(n):
        logits, state, _ = language_model.predict(scribe.cell, scribe.params, inputs, state)
        written[i] = draw_each(at_temperature(logits[-1].astype(np.float64), temperature), rng)
        inputs = written[i : i + 1]
    return ["".join(scribe.vocab.decode(text)) for text in written.T]


def draw_each(z: np.ndarray, rng) -> np.ndarray:
    """One symbol for each row of scores z (B, V), with the probabilities softmax(z): (B,) ids."""
    if np.isneginf(z).sum() == z.size - len(z):  # temperature 0: nothing is left to chance
        return z.argmax(axis=-1)
    below = softmax(z).cumsum(axis=-1)
    return (below > rng.random((len(z), 1)) * below[:, -1:]).argmax(axis=-1)


def bits_of_texts(scribe: Scribe, texts) -> np.ndarray:
    """Bits per character of each text, read alone from its beginning: (len(texts),).

    Every character but the first is scored. Texts are read side by side, padded at their ends.
    Raises: ValueError for a text of fewer than two characters, or unknown symbols.
    """
    ids = [scribe.vocab.encode(text) for text in texts]
    if not ids or min(map(len, ids)) < 2:
        raise ValueError("every text needs two characters, one to predict from the other")
    padded, lengths = pad(ids)
    state, nats = None, np.zeros(len(ids))
    for t in range(0, lengths.max() - 1, 200):  # speed: the logits of a long text are large
        stop = min(t + 200, lengths.max() - 1)
        z, state, _ = language_model.predict(scribe.cell, scribe.params, padded[t:stop], state)
        right = np.take_along_axis(log_softmax(z), padded[t + 1 : stop + 1, :, None], axis=-1)
        scored = np.arange(t + 1, stop + 1)[:, None] < lengths
        nats -= (right[..., 0] * scored).sum(axis=0)
    return nats / np.log(2) / (lengths - 1)
