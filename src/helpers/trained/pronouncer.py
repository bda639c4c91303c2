"""The trained pronunciation model: its weights, and how to ask it.

An LSTM encoder of two layers in two directions, an LSTM decoder, and attention.
`experiments/pronunciation.py` trains it and writes the checkpoint that `load` reads. It writes
phones with marks of stress; what is said here goes without them (`Answer.stressed` keeps them).
"""

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .. import decoding, seq2seq
from ..attention import GENERAL
from ..checks import check_sizes
from ..data.g2p import bare, encode_words, letters, phones, spelling
from ..lstm import LSTM
from ..seq2seq import Seq2Seq
from ..text import MARKS, Vocabulary, pad, pair_batch
from .store import check_params, read_checkpoint, read_npz, write_npz

MODEL = Seq2Seq(LSTM, context="last", feed="start", attention=GENERAL)
CHECKPOINT = Path(__file__).with_name("g2p.npz")


class Checkpoint(NamedTuple):
    """A trained model: parameters, the symbols it knows, how it was made, and its kind."""

    params: dict
    letters: Vocabulary
    phones: Vocabulary
    about: dict
    model: Seq2Seq = MODEL


def packed(name: str, array: np.ndarray) -> dict:
    """A parameter with 8 bits for each number: int8, and a scale for each column (for a vector,
    one). A weight is at most half a step off, and a step is 1/127 of its column's largest one.

    Raises: ValueError that names a parameter that is not finite.
    """
    if not np.isfinite(array).all():
        raise ValueError(f"parameter {name} is not finite: nothing was written")
    scale = np.maximum(np.abs(array).max(axis=0, keepdims=True) / 127, 1e-12).astype(np.float32)
    return {f"param.{name}": np.round(array / scale).astype(np.int8), f"scale.{name}": scale}


def unpacked(arrays: dict, dtype=np.float32) -> dict:
    """The inverse of `packed` for all parameters; what has no scale is taken as it is."""
    params = {}
    for name, array in arrays.items():
        if name.startswith("param."):
            name = name.removeprefix("param.")
            scale = arrays.get(f"scale.{name}")
            # In single precision first, so that the numbers are the same in any dtype.
            whole = array if scale is None else array.astype(np.float32) * scale
            params[name] = whole.astype(dtype)
    return params


def save(path, params: dict, about: dict, marks: Vocabulary | None = None) -> None:
    """Write a checkpoint: the parameters in 8 bits each, the symbols, and a note on its making.

    marks: the phones that the model knows, those without stress unless given. An .npz file of plain
    arrays and text, without pickle: reading it can run no code.
    Raises: ValueError as `packed`.
    """
    marks = phones() if marks is None else marks
    texts = {"letters": letters().symbols, "phones": marks.symbols, "about": about}
    arrays = {}
    for name, array in params.items():
        arrays |= packed(name, array)
    write_npz(path, arrays | {name: np.array(json.dumps(text)) for name, text in texts.items()})


def load(path=CHECKPOINT, dtype=np.float32) -> Checkpoint:
    """Read a checkpoint of `MODEL`, and check it.

    Raises: FileNotFoundError that says how to make one; ValueError if the file is damaged or holds
    something else.
    """
    return read_checkpoint(
        path, lambda path: _read(path, dtype), "this model", "python experiments/pronunciation.py"
    )


def _read(path, dtype):
    """The checkpoint, if all that should be there is there, in the right shape, and finite."""
    arrays = read_npz(path)
    texts = [json.loads(str(arrays.pop(name))) for name in ("letters", "phones", "about")]
    vocabs = [Vocabulary(tuple(symbols)) for symbols in texts[:2]]
    if vocabs[1].symbols[:2] != MARKS or not isinstance(texts[2], dict):
        raise ValueError("the phones do not begin with the two marks, or the note is no dict")
    params = unpacked(arrays, dtype)
    expected = seq2seq.init_seq2seq(
        MODEL, len(vocabs[0]), len(vocabs[1]), params["enc_E"].shape[1], len(params["dec_W_hh"]),
        np.random.default_rng(0), bidirectional=True, n_layers=1 + ("enc_W_xh_l1" in params),
    )  # fmt: skip
    check_params(params, expected)
    return Checkpoint(params, *vocabs, texts[2])


# --- Asking it ----------------------------------------------------------------------------------


def longest(n: int) -> int:
    """The most phones that an answer to n letters may have: 2n + 9.

    In the dictionary no pronunciation has more than that, so the limit cuts nothing that is right.
    It also makes sure that every search ends, whatever the word and however bad the model.
    """
    return 2 * int(n) + 9


def pronounce_all(checkpoint: Checkpoint, words, B: int = 256) -> list:
    """The greedy pronunciation of every word: a tuple of phones each, in the order of the words.

    Marks of stress are dropped. Words of one length are decoded together, at most B at a time, so
    that nothing is padded.
    Raises: ValueError as `encode_words`, or if B is not a positive integer.
    """
    check_sizes(B=B)
    found = [()] * len(words)
    for chosen, step, state, limit in _started(checkpoint, words, B):
        for i, answer in zip(chosen, decoding.greedy(step, state, limit)):
            found[i] = bare(checkpoint.phones.decode(answer.ids))
    return found


def _started(checkpoint, words, B):
    """Words by length, B or fewer at a time: their places, the decoder for them, and the limit.

    A batch holds words of one length only, so that no answer depends on the words beside it.
    """
    model, params = checkpoint.model, checkpoint.params
    sources = encode_words(words, checkpoint.letters)
    by_length = {}
    for i, source in enumerate(sources):
        by_length.setdefault(len(source), []).append(i)
    for n, members in sorted(by_length.items()):
        for first in range(0, len(members), B):
            chosen = members[first : first + B]
            ids, lengths = pad([sources[i] for i in chosen])
            encoded, _ = seq2seq.encode(model, params, ids, lengths)
            yield chosen, *seq2seq.decoder_step(model, params, encoded), longest(n)


class Answer(NamedTuple):
    """One way to say a word: its phones, its probability, and where the model looked for each.

    stressed: the phones with their marks of stress; of several ways to stress them the most
    probable one, while the probability is that of all that were found. ended is False if the search
    was cut at `longest`. attention: (phones + 1, letters), rows sum to 1, the last row is for the
    end; None if it was not asked for, or for a model without attention.
    """

    phones: tuple
    probability: float
    ended: bool
    stressed: tuple
    attention: np.ndarray | None = None


def n_best_all(checkpoint: Checkpoint, words, n_best: int = 5, B: int = 64) -> list:
    """The most probable pronunciations that a beam search finds, for every word.

    The beam is n_best wide, and twice that where the model writes stress, because answers that
    differ in nothing but stress are one, with the sum of their probabilities.
    Returns a list of n_best or fewer `Answer`s per word, the most probable first.
    Raises: ValueError as `encode_words`, or if n_best or B is not a positive integer.
    """
    check_sizes(n_best=n_best, B=B)
    symbols = checkpoint.phones.symbols
    width = n_best * (1 + (bare(symbols) != symbols))
    found = [()] * len(words)
    for chosen, step, state, limit in _started(checkpoint, words, B):
        for i, answers in zip(chosen, decoding.beam_search(step, state, limit, width)):
            found[i] = _without_stress(checkpoint, answers)[:n_best]
    return found


def _without_stress(checkpoint, hypotheses):
    """Hypotheses (the best first) as answers: equal ones, stress aside, put together."""
    together = {}
    for one in hypotheses:
        stressed, p = tuple(checkpoint.phones.decode(one.ids)), float(np.exp(one.log_p))
        new = Answer(bare(stressed), 0.0, one.ended, stressed)
        first = together.setdefault((new.phones, new.ended), new)
        together[new.phones, new.ended] = first._replace(probability=first.probability + p)
    return sorted(together.values(), key=lambda answer: -answer.probability)


def pronounce(checkpoint: Checkpoint, word: str, n_best: int = 5) -> list:
    """The most probable pronunciations of one word, with the attention of each.

    Returns n_best or fewer `Answer`s, the most probable first. Any word of known characters has an
    answer. One that is much longer than the words of the training set (more than about 20 letters)
    gets an answer too, but expect lost or repeated syllables.
    Raises: ValueError as `encode_words`, or if n_best is not a positive integer.
    """
    [answers] = n_best_all(checkpoint, [word], n_best)
    # Where did it look? Teacher forcing with its own answers gives the weights of all at once.
    source = checkpoint.letters.encode(spelling(word))
    targets = [checkpoint.phones.encode(answer.stressed) for answer in answers]
    batch = pair_batch([source] * len(answers), targets)
    _, weights = seq2seq.predict(checkpoint.model, checkpoint.params, batch)
    if weights is None:
        return answers
    return [
        answer._replace(attention=weights[: len(answer.phones) + 1, b])
        for b, answer in enumerate(answers)
    ]
