"""Features for another task: no word on both sides, states as the writer has them, the penalty."""

import downstream
import numpy as np
import pytest

from helpers.data import corpora
from helpers.trained import writer

SETTINGS = downstream.SETTINGS


def test_labels_are_those_of_the_dictionary():
    assert [downstream.label("stress", w) for w in ("happy", "about", "love", "xqz")] == [
        0,
        1,
        None,
        None,
    ]
    assert downstream.label("stress", "record") is None  # a noun or a verb
    found = [downstream.label("syllables", w) for w in ("love", "happy", "remember", "possibility")]
    assert found == [0, 1, 2, 2]


@pytest.mark.parametrize("task", downstream.TASKS)
def test_no_word_is_labelled_and_tested(task):
    labelled, test = downstream.labelled_and_test(task, 600, 0, SETTINGS)
    again, same = downstream.labelled_and_test(task, 600, 1, SETTINGS)
    assert len({w for w, *_ in labelled}) == 600 and labelled != again
    assert test == same and len({w for w, *_ in test}) == len(test) == SETTINGS["test"]
    assert not {w for w, *_ in labelled} & {w for w, *_ in test}
    for part, entries in (("valid", labelled), ("test", test)):
        play = getattr(corpora.shakespeare(), part)
        assert all(play[: at + 1].lower().endswith(word) for word, at, _ in entries)
        assert all(not play[at + 1].isalpha() for _, at, _ in entries)


def test_states_are_those_of_the_writer():
    held = downstream.states("trained", 0, ["the sea", "so"])
    model = writer.load()
    for row, text in zip(held, ("the sea", "so")):
        expected = [
            a[-1] for layer in writer.inside(model.params, model.vocab.encode(text)) for a in layer
        ]
        np.testing.assert_allclose(row, expected, atol=1e-5)
    first, other = (downstream.states("untrained", seed, ["the sea"]) for seed in (0, 1))
    assert first.shape == held[:1].shape and not np.allclose(first, other)


def test_shuffled_is_the_trained_network_in_another_order():
    trained, shuffled = downstream.network("trained", 0), downstream.network("shuffled", 0)
    for name, array in trained.items():
        assert shuffled[name].shape == array.shape and (shuffled[name] != array).any()
        np.testing.assert_array_equal(np.sort(shuffled[name], axis=None), np.sort(array, axis=None))
    untrained = downstream.network("untrained", 0)
    assert {k: a.shape for k, a in untrained.items()} == {k: a.shape for k, a in trained.items()}
    H = len(trained["W_hh_l0"])
    assert (untrained["b_h_l1"][H : 2 * H] == 1).all() and untrained["W_hh_l0"].max() <= H**-0.5


def test_n_grams_count_what_the_labelled_words_have():
    assert downstream.grams("abab", (1, 2)) == ["a", "b", "a", "b", "ab", "ba", "ab"]
    X = downstream.counted([["a", "a", "new"], ["new"]], {"a": 0, "b": 1})
    np.testing.assert_allclose(X, [[1, 0], [0, 0]])
    labelled, test = downstream.labelled_and_test("stress", 30, 0, SETTINGS)
    for kind in ("n-grams of the word", "n-grams of the window"):
        X, X_test = downstream.n_grams(kind, labelled, test, 20)
        assert X.shape[1] == X_test.shape[1] and (X > 0).any(axis=0).all()
        np.testing.assert_allclose(np.linalg.norm(X, axis=1), 1)


def test_leaving_one_out_is_fitting_without_it():
    """The shortcut that chooses the penalty, against 20 fits in the weighted primal form."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(20, 3)), np.arange(20) % 3
    X -= X.mean(axis=0)  # the classifier takes the mean of all labelled examples
    unit, w = np.mean((X * X).sum(axis=1)), 1 / np.bincount(y)[y]
    Z = np.concatenate([X, np.full((20, 1), np.sqrt(unit))], axis=1)  # the last one is the bias
    penalties = (0.01, 1.0, 100.0)
    misses = []
    for penalty in penalties:
        total = 0
        for out in range(20):
            rest = np.arange(20) != out
            A = Z[rest].T @ (w[rest, None] * Z[rest]) + penalty * unit / 20 * np.eye(4)
            W = np.linalg.solve(A, Z[rest].T @ (w[rest, None] * np.eye(3)[y[rest]]))
            total += w[out] * ((np.eye(3)[y[out]] - Z[out] @ W) ** 2).sum()
        misses.append(total)
    best = penalties[int(np.argmin(misses))]
    for seed in range(5):
        new = np.random.default_rng(seed).normal(size=(50, 3))
        chosen = downstream.classify(X, y, new, 3, penalties)
        assert (chosen == downstream.classify(X, y, new, 3, [best])).all()
    np.testing.assert_allclose(downstream.ridge(X, y, 3, penalties)[0], misses, rtol=1e-9)


def test_balanced_accuracy_counts_every_class_alike():
    assert downstream.balanced(np.zeros(10, int), np.arange(10) // 8) == 0.5
    assert downstream.balanced(np.arange(4), np.arange(4)) == 1
