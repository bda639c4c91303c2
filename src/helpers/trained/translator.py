"""The trained translator of interface texts: its weights, and how to ask it.

Encoder and decoder of GRUs with attention, on byte-pair pieces. `experiments/sentences.py` trains
it, beside many others; what those said to the test sentences lies in the same file.
"""

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .. import decoding, seq2seq
from ..attention import GENERAL
from ..bpe import Pieces
from ..checks import check_sizes
from ..gru import GRU
from ..seq2seq import Seq2Seq
from ..text import by_length, pad
from .store import check_params, halved, params_of, read_checkpoint, read_npz, write_npz

MODEL = Seq2Seq(GRU, context="last", feed="start", attention=GENERAL)
CHECKPOINT = Path(__file__).with_name("sentences.npz")


class Translator(NamedTuple):
    """Parameters, the pieces of both languages, how it was made, and its kind."""

    params: dict
    source: Pieces
    target: Pieces
    about: dict
    model: Seq2Seq = MODEL


def save(path, translator: Translator, said: dict) -> None:
    """Write weights in half precision, pieces, a note, and what systems said to the test sentences.

    said: name of a system → a list of texts for each seed. Plain arrays and text, without pickle.
    Raises: ValueError if a parameter is not finite, or too large for half precision.
    """
    arrays = halved(translator.params)
    texts = {"about": translator.about, "said": said}
    for side, units in (("source", translator.source), ("target", translator.target)):
        texts[side] = [units.alphabet, units.merges]
    for name, text in texts.items():
        arrays[name] = np.frombuffer(json.dumps(text, ensure_ascii=False).encode(), np.uint8)
    write_npz(path, arrays)


def _read(path):
    """Arrays and texts of a file, or an error in words."""

    def read(path):
        arrays = read_npz(path)
        texts = {
            name: json.loads(arrays.pop(name).tobytes())
            for name in ("source", "target", "about", "said")
        }
        return arrays, texts

    return read_checkpoint(path, read, "this model", "python experiments/sentences.py")


def load(path=CHECKPOINT, dtype=np.float32) -> Translator:
    """Read the translator, and check it.

    Raises: FileNotFoundError that says how to make one; ValueError if the file is damaged or holds
    something else.
    """
    arrays, texts = _read(path)
    source, target = (
        Pieces(tuple(alphabet), tuple(tuple(pair) for pair in merges))
        for alphabet, merges in (texts["source"], texts["target"])
    )
    params = params_of(arrays, dtype)
    try:
        D, H = params["enc_E"].shape[1], len(params["dec_W_hh"])
    except KeyError as error:
        raise ValueError(f"{Path(path).name} has no parameter {error}") from error
    expected = seq2seq.init_seq2seq(
        MODEL, len(source), len(target), D, H, np.random.default_rng(0), bidirectional=True
    )
    check_params(params, expected)
    return Translator(params, source, target, texts["about"])


def said(path=CHECKPOINT) -> dict:
    """What each system of the study said to the test sentences: name → a list for each seed.

    Raises: as `load`.
    """
    return _read(path)[1]["said"]


def longest(n: int) -> int:
    """The most pieces that an answer to n pieces may have: 2n + 20, so that every search ends."""
    return 2 * int(n) + 20


def translate_all(translator: Translator, texts, width: int = 1, B: int = 64) -> list:
    """The translation of every text, in their order: greedy, or by beam search of a width.

    The beam's score is the mean log-probability of a piece (α = 1).
    Raises: ValueError for an empty text, or if width or B is not a positive integer; TypeError if
    texts is one string.
    """
    check_sizes(width=width, B=B)
    if isinstance(texts, str):
        raise TypeError("texts must be a list of strings, got one string")
    sources = [translator.source.encode(text) for text in texts]
    if any(not text.strip() for text in texts):
        raise ValueError("texts holds an empty text")
    found = [""] * len(sources)
    for chosen in by_length(sources, B):
        ids, lengths = pad([sources[i] for i in chosen])
        encoded, _ = seq2seq.encode(translator.model, translator.params, ids, lengths)
        step, state = seq2seq.decoder_step(translator.model, translator.params, encoded)
        limit = longest(len(ids))
        if width == 1:
            answers = decoding.greedy(step, state, limit)
        else:
            beams = decoding.beam_search(step, state, limit, width, alpha=1.0)
            answers = [beam[0] for beam in beams]
        for i, answer in zip(chosen, answers):
            found[i] = translator.target.decode(answer.ids[: longest(len(sources[i]))])
    return found
