"""Notes to hear and see: plucked strings in NumPy, audio, a piano roll.

A melody is a list of (pitch, beats): pitch in semitones with middle C = 60, None for a rest; length
in any unit, of which `beat` says how many seconds it lasts. Sound is a vector of numbers in −1 … 1.
"""

import io
import wave
from html import escape

import numpy as np

from ..checks import check_positive, check_sizes
from .plots import COLOURS

RATE = 8000  # samples a second: enough for tones below 4 kHz
LETTERS = ("C", "C♯", "D", "E♭", "E", "F", "F♯", "G", "A♭", "A", "B♭", "B")


def frequency(pitch: float) -> float:
    """f = 440 · 2^((pitch − 69) / 12) hertz: A above middle C, pitch 69, has 440."""
    return 440.0 * 2.0 ** ((pitch - 69) / 12)


def pluck(pitch: float, seconds: float, rate: int = RATE) -> np.ndarray:
    """A plucked string as a sum of its overtones, the higher ones fading sooner.

        y(t) = Σ_k  (1/k) exp(−(1.5 + 0.8 k) t) sin(2π k f t),      k = 1 … 8, k f < rate / 2

    The last hundredth of a second fades to zero, so that the end does not click.
    Raises: ValueError unless seconds is positive and rate a positive integer.
    """
    check_positive("seconds", seconds)
    check_sizes(rate=rate)
    t = np.arange(max(int(round(seconds * rate)), 1)) / rate
    f = frequency(pitch)
    y = np.zeros_like(t)
    for k in range(1, 9):
        if k * f < rate / 2:  # a tone above half the rate would come back as a lower one
            y += np.exp(-(1.5 + 0.8 * k) * t) * np.sin(2 * np.pi * k * f * t) / k
    fade = min(len(t), rate // 100)
    y[len(t) - fade :] *= np.linspace(1, 0, fade)
    return y


def play(melody, beat: float = 0.2, longest: float = 12.0, rate: int = RATE) -> np.ndarray:
    """The sound of a melody, one note after another: (samples,), largest value 0.9.

    beat: seconds that a length of 1 lasts. What would go on after `longest` seconds is cut.
    Raises: ValueError if nothing sounds, or a length or `beat` is not positive.
    """
    check_positive("beat", beat)
    check_positive("longest", longest)
    parts, at = [], 0.0
    for pitch, length in melody:
        check_positive("length", length)
        seconds = min(length * beat, longest - at)
        if seconds <= 0:
            break
        silent = np.zeros(max(int(round(seconds * rate)), 1))
        parts.append(silent if pitch is None else pluck(pitch, seconds, rate))
        at += length * beat
    sound = np.concatenate(parts) if parts else np.zeros(0)
    if not sound.any():
        raise ValueError("melody has no note that sounds")
    return 0.9 * sound / np.abs(sound).max()


def wav(sound: np.ndarray, rate: int = RATE) -> bytes:
    """A WAV file, mono, 8 bits a sample: for a page, where every byte is paid for by a reader.

    Raises: ValueError if sound is empty, no vector, or leaves −1 … 1.
    """
    if sound.ndim != 1 or not len(sound) or not np.abs(sound).max() <= 1:
        raise ValueError(f"sound must be a vector within −1 … 1, got shape {sound.shape}")
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(1)
        out.setframerate(rate)
        out.writeframes((128 + np.round(127 * sound)).astype(np.uint8).tobytes())
    return file.getvalue()


class Heard:
    """Sound on a page: a player with a label, and in its place, where there is none, words.

    `label` says what one hears; `transcript` is for those who cannot. Both stand beside the player.
    """

    def __init__(self, sound: np.ndarray, label: str, transcript: str, rate: int = RATE):
        self.file, self.label, self.transcript = wav(sound, rate), label, transcript

    def __repr__(self):
        return f"Sound: {self.label}. In words: {self.transcript}"

    def _repr_html_(self):
        from base64 import b64encode

        data = b64encode(self.file).decode("ascii")
        label, words = escape(self.label), escape(self.transcript)
        return (
            f'<figure class="sound"><figcaption>{label}</figcaption>'
            f'<audio controls preload="none" aria-label="{label}" '
            f'src="data:audio/wav;base64,{data}"></audio>'
            f"<details><summary>The tune in words</summary><p>{words}</p></details></figure>"
        )


def in_words(melody) -> str:
    """Names of notes and lengths: "G4 1, A4 2, rest 1"; octave 4 begins at middle C."""
    named = []
    for pitch, length in melody:
        name = "rest" if pitch is None else f"{LETTERS[pitch % 12]}{pitch // 12 - 1}"
        named.append(f"{name} {length:g}")
    return ", ".join(named)


def piano_roll(ax, melody, bars=(), key=()) -> None:
    """Draw a melody: time to the right, pitch upwards, a bar for each note, lines at `bars`.

    bars: times, in the unit of the lengths, at which a bar line stands. key: pitch classes; notes
    outside of it are drawn in another colour and hatched.
    """
    at, pitches = 0.0, [pitch for pitch, _ in melody if pitch is not None]
    for pitch, length in melody:
        if pitch is not None:
            outside = bool(key) and pitch % 12 not in key
            ax.barh(
                pitch, 0.92 * length, left=at, height=0.8, align="center",
                color=COLOURS["orange" if outside else "blue"], hatch="//" if outside else None,
                edgecolor="white", linewidth=0.4,
            )  # fmt: skip
        at += length
    for time in bars:
        ax.axvline(time, color="0.75", linewidth=0.8, zorder=0)
    ax.set(xlim=(0, at), ylim=(min(pitches) - 1.5, max(pitches) + 1.5))
    shown = [p for p in range(min(pitches), max(pitches) + 1) if p % 12 in (0, 2, 4, 7, 9)]
    ax.set_yticks(shown, [f"{LETTERS[p % 12]}{p // 12 - 1}" for p in shown])
    ax.set(xlabel="time (eighth notes)", ylabel="pitch")
