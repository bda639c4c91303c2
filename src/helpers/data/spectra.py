"""From a waveform to what a recogniser reads: frames, spectrum, mel bands.

    signal → frames of 25 ms → window → |Fourier transform|² → mel bands → logarithm

And a waveform to try it on, made by a formula: no recorded words come with any package.
Shapes: N samples, T frames, n samples a frame, F = n/2 + 1 frequencies, M mel bands.
"""

import numpy as np

from ..checks import check_finite, check_positive, check_shape, check_sizes

RATE = 16_000  # samples a second
SIZE, HOP = 400, 160  # samples of a frame, and from frame to frame: 25 ms and 10 ms


def frames(signal: np.ndarray, size: int = SIZE, hop: int = HOP) -> np.ndarray:
    """Overlapping pieces of a signal, (T, size); a remainder too short for a frame is left out.

    Raises: ValueError for sizes that are not positive integers, or a signal shorter than a frame.
    """
    check_sizes(size=size, hop=hop)
    check_shape("signal", signal, ("N",))
    check_finite("signal", signal)
    if len(signal) < size:
        raise ValueError(f"signal has {len(signal)} samples, fewer than one frame of {size}")
    return np.lib.stride_tricks.sliding_window_view(signal, size)[::hop]


def power_spectrum(signal: np.ndarray, size: int = SIZE, hop: int = HOP) -> np.ndarray:
    """|FFT(window · frame)|² of every frame, (T, size/2 + 1). The window is Hann's.

    Raises: as `frames`.
    """
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / size)
    return np.abs(np.fft.rfft(frames(signal, size, hop) * window, axis=1)) ** 2


def mel(hertz):
    """A scale of pitch: about linear up to 1,000 Hz, about logarithmic above."""
    return 2595 * np.log10(1 + np.asarray(hertz) / 700)


def hertz(mel):
    """The inverse of `mel`."""
    return 700 * (10 ** (np.asarray(mel) / 2595) - 1)


def mel_bank(M: int = 40, size: int = SIZE, rate: float = RATE) -> np.ndarray:
    """Triangles at equal distances in mel, from 0 Hz to half the rate: (M, size/2 + 1).

    Each is 1 at its middle, and 0 from the middles of its neighbours on.
    Raises: ValueError for sizes that are not positive integers, or a rate that is not positive.
    """
    check_sizes(M=M, size=size)
    check_positive("rate", rate)
    frequency = np.arange(size // 2 + 1) * rate / size
    edges = hertz(np.linspace(0, mel(rate / 2), M + 2))
    low, middle, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    rising, falling = (frequency - low) / (middle - low), (high - frequency) / (high - middle)
    return np.maximum(0, np.minimum(rising, falling))


def log_mel(signal, M: int = 40, size: int = SIZE, hop: int = HOP, rate: float = RATE):
    """What a recogniser reads: ln of the energy in each mel band of each frame, (T, M).

    Raises: as `frames` and `mel_bank`.
    """
    energy = power_spectrum(signal, size, hop) @ mel_bank(M, size, rate).T
    return np.log(energy + 1e-8)


FORMANTS = {"a": (700, 1200, 2500), "e": (450, 1900, 2500)}  # Hz, about those of a male voice


def synthesise(seconds: float = 0.8, rate: int = RATE, pitch=(130, 95), seed: int = 0):
    """A waveform that glides from a to e, with a hiss behind: (N,) in −1 … 1. No recording.

    Harmonics of a falling pitch, each as loud as three resonances (formants) let it be; then noise
    with its low frequencies taken out, like an s.
    Raises: ValueError for numbers that are not positive.
    """
    check_positive("seconds", seconds)
    check_sizes(rate=rate)
    rng, share = np.random.default_rng(seed), np.linspace(0, 1, int(0.7 * seconds * rate))
    f0 = pitch[0] + (pitch[1] - pitch[0]) * share
    phase = 2 * np.pi * np.cumsum(f0) / rate
    glide = np.clip((share - 0.35) / 0.3, 0, 1)  # a, then a glide, then e
    formants = [a + (e - a) * glide for a, e in zip(FORMANTS["a"], FORMANTS["e"])]
    voice = np.zeros(len(share))
    for k in range(1, int(4000 / max(pitch))):
        loudness = sum(1 / (1 + ((k * f0 - formant) / 80) ** 2) for formant in formants)
        voice += loudness / k**0.5 * np.sin(k * phase)
    noise = rng.normal(size=int(0.3 * seconds * rate))
    hiss = np.diff(np.diff(noise, prepend=0), prepend=0)  # differences keep what changes fast
    parts = [part / np.abs(part).max() for part in (voice, hiss)]
    parts = [part * np.hanning(len(part)) ** 0.25 for part in parts]
    return np.concatenate([parts[0], 0.3 * parts[1]])
