"""Japanese vowels, real recordings: nine men say /ae/, and the question is who.

Each of 640 utterances is a sequence of 7 to 29 frames with 12 numbers each: cepstrum coefficients
that linear prediction finds, a smooth description of the sound's spectrum in that moment. 270
utterances are for training, 30 a speaker, and 370 for the test, 24 to 88 a speaker.

Shapes: T frames of the longest utterance, N utterances, 12 channels: x (T, N, 12), time first.
Source: Kudo, Toyama & Shimbo (1999), UCI repository; the files in the package sktime.
"""

from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .corpora import package_folder

CHANNELS, SPEAKERS = 12, 9
PER_SPEAKER = 30  # utterances of each speaker in the training file, one speaker after another


class Utterances(NamedTuple):
    """x (T, N, 12) float32, zero behind each end; lengths (N,); speakers (N,) in 0 … 8."""

    x: np.ndarray
    lengths: np.ndarray
    speakers: np.ndarray


def read_ts(path) -> Utterances:
    """Read a .ts file: behind @data an utterance a line, channels between colons, then its class.

    Raises: FileNotFoundError if there is no such file; ValueError that names the line where a
    channel is missing, too long, too short or not a number, or where the class is not 1 … 9.
    """
    path, series, speakers = Path(path), [], []
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path.name}")
    head, mark, data = path.read_text(encoding="utf-8").partition("@data\n")
    if not mark or not data.strip():
        raise ValueError(f"{path.name} has no utterances: no line behind @data")
    first = head.count("\n") + 2
    for number, line in enumerate(data.strip().split("\n"), start=first):
        *channels, speaker = line.strip().split(":")
        try:
            frames = np.array([channel.split(",") for channel in channels], np.float32).T
        except ValueError as error:
            raise ValueError(f"{path.name}, line {number}: {error}") from error
        if frames.ndim != 2 or frames.shape[1] != CHANNELS or not np.isfinite(frames).all():
            raise ValueError(
                f"{path.name}, line {number} has shape {frames.shape}, expected (frames, "
                f"{CHANNELS}) of finite numbers"
            )
        if speaker not in [str(s + 1) for s in range(SPEAKERS)]:
            raise ValueError(f"{path.name}, line {number}: no speaker {speaker!r}")
        series.append(frames)
        speakers.append(int(speaker) - 1)
    return pad_series(series, speakers)


def pad_series(series, speakers) -> Utterances:
    """Put sequences of frames side by side: each (n, 12), into (T, N, 12)."""
    lengths = np.array([len(frames) for frames in series])
    x = np.zeros((lengths.max(), len(series), CHANNELS), np.float32)
    for b, frames in enumerate(series):
        x[: len(frames), b] = frames
    return Utterances(x, lengths, np.array(speakers))


@cache
def load() -> tuple:
    """The 270 utterances for training and the 370 for the test, in the order of the files.

    Raises: ImportError that names the package to install; ValueError as `read_ts`.
    """
    folder = package_folder("sktime", "vowels.load()") / "datasets" / "data" / "JapaneseVowels"
    return tuple(read_ts(folder / f"JapaneseVowels_{part}.ts") for part in ("TRAIN", "TEST"))


def take(utterances: Utterances, chosen) -> Utterances:
    """Some of the utterances, padded to the longest of them.

    Raises: ValueError if none is chosen.
    """
    chosen = np.asarray(chosen)
    if not chosen.size:
        raise ValueError("chosen is empty: no utterance was asked for")
    lengths = utterances.lengths[chosen]
    return Utterances(utterances.x[: lengths.max(), chosen], lengths, utterances.speakers[chosen])


def hold_out(train: Utterances, n: int = 10) -> tuple:
    """The training file in two: for choosing settings, the last n utterances of each speaker.

    Raises: ValueError unless n is in 1 … 29.
    """
    if not 1 <= n < PER_SPEAKER:
        raise ValueError(f"n must lie in 1 … {PER_SPEAKER - 1}, got {n!r}")
    last = np.arange(len(train.lengths)) % PER_SPEAKER >= PER_SPEAKER - n
    return take(train, np.flatnonzero(~last)), take(train, np.flatnonzero(last))


def frames_of(utterances: Utterances) -> list:
    """Each utterance without its padding: a list of (n, 12)."""
    return [utterances.x[:n, b] for b, n in enumerate(utterances.lengths)]


def standardise(utterances: Utterances, like: Utterances) -> Utterances:
    """Each channel less its mean, over its standard deviation, both over all frames of `like`."""
    frames = np.concatenate(frames_of(like))
    mean, deviation = frames.mean(axis=0), frames.std(axis=0)
    real = np.arange(len(utterances.x))[:, None] < utterances.lengths
    return utterances._replace(x=(utterances.x - mean) / deviation * real[..., None])


def mean_and_deviation(utterances: Utterances) -> np.ndarray:
    """What is left when time is thrown away: mean and deviation of each channel, (N, 24)."""
    return np.array([np.r_[f.mean(axis=0), f.std(axis=0)] for f in frames_of(utterances)])


def time_warping(a: Utterances, b: Utterances) -> np.ndarray:
    """Dynamic time warping: how far each utterance of `a` is from each of `b`, (Na, Nb).

        D(i, j) = |a_i − b_j|² + min(D(i−1, j), D(i, j−1), D(i−1, j−1))

    and the distance is D at the two ends: frames are compared in the alignment that fits best. The
    channels are warped together.
    Source: Sakoe & Chiba (1978), with all steps of weight 1.
    """
    Ta, Tb = len(a.x), len(b.x)
    squares = (a.x**2).sum(-1), (b.x**2).sum(-1)
    row = np.full((Tb + 1, len(a.lengths), len(b.lengths)), np.inf, np.float32)
    row[0] = 0
    found = np.full(row.shape[1:], np.inf, np.float32)
    for i in range(Ta):
        new = np.full_like(row, np.inf)
        for j in range(Tb):
            cost = squares[0][i][:, None] + squares[1][j] - 2 * a.x[i] @ b.x[j].T
            new[j + 1] = cost + np.minimum(np.minimum(row[j], row[j + 1]), new[j])
            ends = np.outer(a.lengths == i + 1, b.lengths == j + 1)
            found[ends] = new[j + 1][ends]
        row = new
    return found
