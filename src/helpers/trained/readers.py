"""The readers of chapter 10: of reviews, of stories, and of docstrings.

`experiments/sentiment.py`, `stories.py` and `summaries.py` train them; `load` and `load_summariser`
read what they wrote.
"""

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .. import classifier, decoding, seq2seq
from ..activations import softmax
from ..attention import GENERAL
from ..checks import check_sizes
from ..data import docstrings, reviews, stories
from ..lstm import LSTM
from ..seq2seq import Seq2Seq
from ..text import UNK, Vocabulary, by_length, pad, pair_batch
from .store import check_params, params_of, read_checkpoint, read_npz

FOLDER = Path(__file__).parent
SCRIPTS = {
    "sentiment": "sentiment.py",
    "stories_ask": "stories.py --readout ask",
    "stories_last": "stories.py --readout last",
    "summaries": "summaries.py",
}
SUMMARISER = Seq2Seq(LSTM, context="last", feed="start", attention=GENERAL)
WITHOUT_ATTENTION = SUMMARISER._replace(attention=None)


class Reader(NamedTuple):
    """Parameters of `classifier` with an LSTM, symbols, read-out, and a note on the training."""

    params: dict
    vocab: Vocabulary
    readout: str
    about: dict
    cell: object = LSTM


def load(name: str, folder: Path = FOLDER, dtype=np.float32) -> Reader:
    """The reader "sentiment", "stories_ask" or "stories_last".

    Raises: ValueError for another name, or a file that is damaged or holds something else;
    FileNotFoundError that says how to make one.
    """
    if name not in SCRIPTS or name == "summaries":
        known = ", ".join(n for n in SCRIPTS if n != "summaries")
        raise ValueError(f"name must be one of {known}, got {name!r}")
    return _guarded(_read_reader, name, folder, dtype)


def _guarded(read, name, folder, dtype):
    """What `read` makes of a checkpoint; every way to fail ends in a message."""
    return read_checkpoint(
        Path(folder) / f"{name}.npz",
        lambda path: read(name, path, dtype),
        of=name,
        made_by=f"python experiments/{SCRIPTS.get(name, 'summaries.py')} --out FOLDER",
    )


def _read_arrays(path, dtype):
    """Parameters, and the texts beside them."""
    arrays = read_npz(path)
    return params_of(arrays, dtype), {
        k: json.loads(str(a)) for k, a in arrays.items() if not k.startswith("param.")
    }


def _read_reader(name, path, dtype):
    params, texts = _read_arrays(path, dtype)
    readout = texts["about"]["case"]["readout"]
    vocab = Vocabulary(tuple(texts["symbols"])) if name == "sentiment" else stories.WORDS
    n_classes = len(reviews.LABELS) if name == "sentiment" else len(stories.ANSWERS)
    D, H = params["E"].shape[1], len(params["W_hh_l0"])
    rng = np.random.default_rng(0)
    check_params(
        params, classifier.init_classifier(LSTM, len(vocab), D, H, n_classes, rng, readout)
    )
    return Reader(params, vocab, readout, texts["about"])


# --- Reviews ------------------------------------------------------------------------------------


def judge(reader: Reader, texts, B: int = 200) -> np.ndarray:
    """Log-odds that each review is positive, (N,): z of the class positive minus z of negative.

    Texts of like length are read together, at most B at a time.
    Raises: TypeError or ValueError as `reviews.check_review`, or if B is not a positive integer.
    """
    check_sizes(B=B)
    ids = [reviews.encode(reader.vocab, text) for text in texts]
    found = np.empty(len(ids))
    for chosen in by_length(ids, B):
        batch, lengths = pad([ids[i] for i in chosen])
        z = classifier.predict(reader.cell, reader.params, batch, lengths, reader.readout).z
        found[chosen] = z[:, 1] - z[:, 0]
    return found


def judge_prefixes(reader: Reader, text: str) -> np.ndarray:
    """Log-odds that the review is positive after each of its characters, (T,).

    Raises: as `judge`.
    """
    ids = reviews.encode(reader.vocab, text)[:, None]
    hs = classifier.predict(
        reader.cell, reader.params, ids, np.array([len(ids)]), reader.readout
    ).hs
    z = classifier.read_out_prefixes(reader.readout, reader.params, hs)[:, 0]
    return z[:, 1] - z[:, 0]


# --- Stories ------------------------------------------------------------------------------------


class Answered(NamedTuple):
    """Answers to questions, the probability of each, and the weights (words,) of the states."""

    answers: list
    probabilities: np.ndarray
    weights: list


def answer(reader: Reader, told, B: int = 250) -> Answered:
    """The answers of a reader to the questions of some stories.

    Raises: ValueError for a story with an unknown word, or if B is not a positive integer.
    """
    check_sizes(B=B)
    ids = [stories.encode(story) for story in told]
    best, p_best, weights = np.empty(len(ids), int), np.empty(len(ids)), [None] * len(ids)
    for chosen in by_length(ids, B):
        batch, lengths = pad([ids[i] for i in chosen])
        read = classifier.predict(reader.cell, reader.params, batch, lengths, reader.readout)
        p = softmax(read.z)
        best[chosen], p_best[chosen] = p.argmax(axis=1), p.max(axis=1)
        for row, i in enumerate(chosen):
            weights[i] = read.weights[row, : lengths[row]]
    return Answered([stories.ANSWERS[k] for k in best], p_best, weights)


# --- Summaries ----------------------------------------------------------------------------------


class Summariser(NamedTuple):
    """Parameters of `seq2seq`, the words of both sides, a note on the training."""

    params: dict
    vocab: Vocabulary
    about: dict
    model: Seq2Seq = SUMMARISER


def load_summariser(folder: Path = FOLDER, name: str = "summaries", dtype=np.float32) -> Summariser:
    """The summariser; name: of the file, without its ending. Raises: as `load`."""
    return _guarded(_read_summariser, name, folder, dtype)


def _read_summariser(name, path, dtype):
    params, texts = _read_arrays(path, dtype)
    vocab = Vocabulary(tuple(texts["symbols"]))
    model = SUMMARISER if "W_a" in params else WITHOUT_ATTENTION
    expected = seq2seq.init_seq2seq(
        model, len(vocab), len(vocab), params["enc_E"].shape[1], len(params["dec_W_hh"]),
        np.random.default_rng(0), bidirectional=True,
    )  # fmt: skip
    check_params(params, expected)
    return Summariser(params, vocab, texts["about"], model)


def summarise(summariser: Summariser, bodies, k: int = 1, copy: bool = True, B: int = 100) -> list:
    """A summary line for each body: greedy for k = 1, else the best of a beam of width k.

    copy: an <unk> of the answer is replaced by that unknown word of the body which has the most
    attention there; a body without unknown words leaves it as it is.
    Raises: ValueError if a body has no words, or k or B is not a positive integer.
    """
    check_sizes(k=k, B=B)
    params, vocab, model = summariser.params, summariser.vocab, summariser.model
    texts = [docstrings.words(body)[: docstrings.BODY[1]] for body in bodies]
    if not all(texts):
        raise ValueError("bodies holds a text without words: there is nothing to summarise")
    found = [""] * len(texts)
    for chosen in by_length(texts, B):
        sources = [vocab.encode(texts[i]) for i in chosen]
        encoded, _ = seq2seq.encode(model, params, *pad(sources))
        step, state = seq2seq.decoder_step(model, params, encoded)
        if k == 1:
            best = decoding.greedy(step, state, docstrings.SUMMARY[1])
        else:
            best = [h[0] for h in decoding.beam_search(step, state, docstrings.SUMMARY[1], k, 1.0)]
        targets = [np.array(h.ids, int) for h in best]
        _, weights = seq2seq.predict(model, params, pair_batch(sources, targets))
        for b, i in enumerate(chosen):
            said = vocab.decode(targets[b])
            if copy and weights is not None:
                said = _copied(said, weights[:, b], texts[i], sources[b] == vocab.index[UNK])
            found[i] = " ".join(said)
    return found


def _copied(said, weights, text, is_unknown):
    """The words of an answer, each <unk> replaced by the unknown word that is attended most."""
    if not is_unknown.any():
        return said
    return [
        text[int(np.argmax(np.where(is_unknown, weights[s, : len(text)], -1)))]
        if word == UNK else word
        for s, word in enumerate(said)
    ]  # fmt: skip
