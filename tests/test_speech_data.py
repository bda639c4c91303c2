"""Lines of digits, vowels, spectra: what the data promise, and what is at the border."""

import numpy as np
import pytest
from sklearn.metrics import pairwise_distances

from helpers.data import digit_lines, spectra, vowels
from helpers.data.captions import digits

# ---------- lines of digits ----------


@pytest.fixture(scope="module")
def lines():
    return digit_lines.train_lines(60, np.random.default_rng(0))


def test_no_image_of_a_test_is_in_training(lines):
    train, valid, test = (set(part.tolist()) for part in digit_lines.images())
    assert not train & valid | train & test | valid & test
    assert len(train | valid | test) == len(digits().labels)
    parts = digit_lines.parts(20, 20, 5)
    assert set(np.concatenate(lines.used).tolist()) <= train
    assert set(np.concatenate(parts.valid.used).tolist()) <= valid
    assert set(np.concatenate([*parts.test.used, *parts.long.used]).tolist()) <= test


def test_targets_are_the_images_labels(lines):
    for target, used in zip(lines.targets, lines.used):
        assert (digits().labels[used] + 1 == target).all()
        assert 3 <= len(target) <= 6


def test_columns_collapse_to_the_target(lines):
    """The alignment says what the line says, in every line, repeated digits included."""
    from helpers.ctc import collapse

    lines = digit_lines.train_lines(400, np.random.default_rng(1))
    assert any((t[1:] == t[:-1]).any() for t in lines.targets)
    for b, n in enumerate(lines.lengths):
        assert collapse(lines.columns[:n, b]) == tuple(lines.targets[b])
        middle = np.round(lines.centres[b]).astype(int)
        assert (lines.columns[middle, b] == lines.targets[b]).mean() > 0.5


def test_padding_is_blank_and_ink_is_there(lines):
    behind = np.arange(len(lines.x))[:, None] >= lines.lengths
    assert (lines.x[behind] == 0).all()
    assert lines.x.min() == 0
    assert 0.9 < lines.x.max() <= 1


def test_same_seed_same_lines():
    a, b = (digit_lines.train_lines(5, np.random.default_rng(3)) for _ in range(2))
    assert (a.x == b.x).all()


def test_take(lines):
    some = digit_lines.take(lines, [3, 1])
    assert (some.x[: lines.lengths[3], 0] == lines.x[: lines.lengths[3], 3]).all()
    assert len(some.x) == lines.lengths[[3, 1]].max()
    with pytest.raises(ValueError, match="no line"):
        digit_lines.take(lines, [])


def test_resampling_keeps_ends_and_brightness():
    assert (digit_lines.resampling(5, 5) == np.eye(5)).all()
    np.testing.assert_allclose(digit_lines.resampling(4, 9).sum(axis=0), 1, atol=1e-6)


def test_error_rate():
    assert digit_lines.error_rate([[1, 2], []], [[1, 3], [2]]) == pytest.approx(2 / 3)
    with pytest.raises(ValueError, match="1 answers, but 2 lines"):
        digit_lines.error_rate([[1]], [[1], [2]])
    with pytest.raises(ValueError, match="no digit"):
        digit_lines.error_rate([[1]], [[]])


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: digit_lines.train_lines(0, np.random.default_rng(0)), "n must be"),
        (lambda: digit_lines.write([], np.random.default_rng(0)), "images is empty"),
        (lambda: digit_lines.crop(np.zeros((8, 8))), "no column with ink"),
        (
            lambda: digit_lines.compose(
                1, (3, 2), digits(), np.arange(99), np.random.default_rng(0)
            ),
            "fewest, most",
        ),
        (
            lambda: digit_lines.compose(
                1, (1, 2), digits(), np.arange(3), np.random.default_rng(0)
            ),
            "some digit",
        ),
    ],
)
def test_bad_lines(call, says):
    with pytest.raises(ValueError, match=says):
        call()


# ---------- vowels ----------


def test_vowels_are_all_there():
    train, test = vowels.load()
    assert train.x.shape[1:] == (270, 12)
    assert test.x.shape[1:] == (370, 12)
    assert np.bincount(train.speakers).tolist() == [30] * 9
    assert np.bincount(test.speakers).tolist() == [31, 35, 88, 44, 29, 24, 40, 50, 29]
    assert min(train.lengths.min(), test.lengths.min()) == 7
    assert test.lengths.max() == 29
    assert train.x[0, 0, 0] == pytest.approx(1.860936)


def test_hold_out_keeps_the_last_of_each_speaker():
    train, _ = vowels.load()
    known, asked = vowels.hold_out(train)
    assert np.bincount(known.speakers).tolist() == [20] * 9
    assert np.bincount(asked.speakers).tolist() == [10] * 9
    frames = vowels.frames_of(train)
    assert (vowels.frames_of(asked)[0] == frames[20]).all()
    with pytest.raises(ValueError, match="1 … 29"):
        vowels.hold_out(train, 30)


def test_standardise():
    train, test = vowels.load()
    frames = np.concatenate(vowels.frames_of(vowels.standardise(train, train)))
    np.testing.assert_allclose(frames.mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(frames.std(axis=0), 1, atol=1e-4)
    behind = np.arange(len(test.x))[:, None] >= test.lengths
    assert (vowels.standardise(test, train).x[behind] == 0).all()


def test_time_warping_against_the_plain_recursion():
    train, test = vowels.load()
    a, b = vowels.take(test, [0, 7, 300]), vowels.take(train, [0, 100, 200, 260])
    found = vowels.time_warping(a, b)
    for i, x in enumerate(vowels.frames_of(a)):
        for j, y in enumerate(vowels.frames_of(b)):
            cost = pairwise_distances(x, y) ** 2
            best = np.full((len(x) + 1, len(y) + 1), np.inf)
            best[0, 0] = 0
            for s, t in np.ndindex(cost.shape):
                ways = best[s, t], best[s, t + 1], best[s + 1, t]
                best[s + 1, t + 1] = cost[s, t] + min(ways)
            assert found[i, j] == pytest.approx(best[-1, -1], rel=1e-4)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("1,2:3,4:1", r"line 3 has shape \(2, 2\)"),
        (":".join(["1,2"] * 11 + ["1"]) + ":1", "line 3"),
        (":".join(["1,x"] * 12) + ":1", "line 3.*could not convert"),
        (":".join(["1,2"] * 12) + ":10", "no speaker '10'"),
        (":".join(["1,nan"] * 12) + ":1", "finite"),
        ("", "no utterances"),
    ],
)
def test_files_of_the_wrong_shape(tmp_path, line, says):
    path = tmp_path / "odd.ts"
    path.write_text(f"#head\n@data\n{line}\n", "utf-8")
    with pytest.raises(ValueError, match=says):
        vowels.read_ts(path)


def test_missing_file_and_package(tmp_path, monkeypatch):
    with pytest.raises(FileNotFoundError, match="gone.ts"):
        vowels.read_ts(tmp_path / "gone.ts")
    monkeypatch.setattr("helpers.data.corpora.find_spec", lambda name: None)
    with pytest.raises(ImportError, match="pip install sktime"):
        vowels.load.__wrapped__()


# ---------- spectra ----------


def test_spectrum_against_scipy():
    signal = pytest.importorskip("scipy.signal")
    x = spectra.synthesise()
    _, _, theirs = signal.stft(
        x, window="hann", nperseg=spectra.SIZE, noverlap=spectra.SIZE - spectra.HOP,
        boundary=None, padded=False, scaling="psd", fs=1.0,
    )  # fmt: skip
    window = signal.get_window("hann", spectra.SIZE)
    ours = spectra.power_spectrum(x)
    theirs = np.abs(theirs.T) ** 2 * (window**2).sum()
    np.testing.assert_allclose(ours[:, 1:-1], theirs[:, 1:-1], rtol=1e-8, atol=1e-12)


def test_a_tone_lies_in_its_band():
    t = np.arange(spectra.RATE) / spectra.RATE
    for tone in (300, 1000, 4000):
        bands = spectra.log_mel(np.sin(2 * np.pi * tone * t)).mean(axis=0)
        middles = spectra.hertz(np.linspace(0, spectra.mel(spectra.RATE / 2), 42))[1:-1]
        assert abs(middles[bands.argmax()] - tone) < 0.12 * tone


def test_triangles_sum_to_one_between_the_outer_middles():
    bank = spectra.mel_bank(10)
    frequency = np.arange(bank.shape[1]) * spectra.RATE / spectra.SIZE
    edges = spectra.hertz(np.linspace(0, spectra.mel(spectra.RATE / 2), 12))
    inside = (frequency >= edges[1]) & (frequency <= edges[-2])
    np.testing.assert_allclose(bank[:, inside].sum(axis=0), 1, atol=1e-9)


def test_mel_and_back():
    f = np.array([0.0, 50, 1000, 7999])
    np.testing.assert_allclose(spectra.hertz(spectra.mel(f)), f, atol=1e-9)
    assert spectra.mel(1000) == pytest.approx(1000, abs=0.1)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: spectra.frames(np.zeros(100)), "fewer than one frame"),
        (lambda: spectra.frames(np.full(500, np.nan)), "non-finite"),
        (lambda: spectra.frames(np.zeros(500), hop=0), "hop"),
        (lambda: spectra.mel_bank(0), "M must be"),
        (lambda: spectra.mel_bank(4, rate=-1), "rate"),
        (lambda: spectra.synthesise(seconds=0), "seconds"),
    ],
)
def test_bad_sound(call, says):
    with pytest.raises(ValueError, match=says):
        call()
