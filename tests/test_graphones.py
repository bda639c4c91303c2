"""Joint n-grams: probabilities that sum to 1, the formula by hand, and a search that finds."""

import itertools

import numpy as np
import pytest

from helpers import graphones
from helpers.graphones import EDGE


def random_words(n=200, V=6, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.integers(1, V, size=rng.integers(1, 7)).tolist() for _ in range(n)]


def distribution(model, symbols):
    """p(w | symbols) for all w."""
    state = graphones.first_state(model, 1)
    for w in symbols:
        w = np.array([w])
        _, grams = graphones.shares(model, *state, w)
        state = graphones.after(state[0], grams, w)
    history, contexts = (np.repeat(part, model.V, axis=0) for part in state)
    return graphones.shares(model, history, contexts, np.arange(model.V))[0]


@pytest.mark.parametrize("order", [1, 2, 3, 5])
def test_what_may_follow_sums_to_one(order):
    model = graphones.count_joint(random_words(), 8, order)  # 6 and 7 were never seen
    rng = np.random.default_rng(1)
    for n in range(7):
        p = distribution(model, rng.integers(1, 8, size=n))
        assert p.sum() == pytest.approx(1)
        assert (p > 0).all()


def test_a_bigram_by_hand():
    # Words 1 2, 1 2, 1 3: too few pairs for the formula of the discounts, so D = ½.
    model = graphones.count_joint([[1, 2], [1, 2], [1, 3]], 4, 1)
    # Continuations: 1 after the edge, 2 and 3 after 1, the edge after 2 and after 3.
    below = (np.array([2, 1, 1, 1]) - 0.5) / 5 + 4 * 0.5 / 5 / 4
    np.testing.assert_allclose(
        distribution(model, [1]), np.array([0, 0, 1.5, 0.5]) / 3 + 2 * 0.5 / 3 * below
    )
    np.testing.assert_allclose(
        distribution(model, []), [*(below / 6)] + np.array([0, 2.5 / 3, 0, 0])
    )


def test_a_word_has_the_product_of_its_symbols_and_its_end():
    words = random_words()
    model = graphones.count_joint(words, 7, 3)
    for word, value in zip(words[:5], graphones.log_joint(model, words[:5])):
        p = [distribution(model, word[:i])[w] for i, w in enumerate([*word, EDGE])]
        assert value == pytest.approx(np.log(p).sum())


def test_a_wide_beam_finds_the_best_of_all():
    words = random_words()
    model = graphones.count_joint(words, 7, 2)
    choices = [np.array([1, 2]), np.array([3, 4, 5]), np.array([6])]
    source = np.array([[0, 1, 1, 2], [1, 1, 0, 0]])
    for letters, found in zip(source, graphones.beam(model, source, choices, 100)):
        every = list(itertools.product(*(choices[letter] for letter in letters)))
        values = graphones.log_joint(model, every)
        assert len(found) == len(every)
        assert [value for _, value in found] == sorted(values, reverse=True)
        assert found[0][0] == every[int(values.argmax())]
        narrow = graphones.beam(model, letters[None], choices, 3)[0]
        assert len(narrow) == 3
        assert narrow[0][1] <= found[0][1] + 1e-12


def test_more_context_fits_better():
    words = [[1, 2, 3, 4, 5], [2, 1, 3, 5, 4]] * 20 + random_words(50)
    at = [graphones.log_joint(graphones.count_joint(words, 6, k), words).sum() for k in (1, 2, 3)]
    assert at == sorted(at)


def test_discounts():
    counts = np.repeat([1, 2, 3, 4], [40, 20, 10, 5])
    Y = 40 / 80
    np.testing.assert_allclose(
        graphones.discounts(counts), [0, 1 - 2 * Y * 0.5, 2 - 3 * Y * 0.5, 3 - 4 * Y * 0.5]
    )
    assert graphones.discounts(np.array([1, 1])).tolist() == [0, 0.5, 0.5, 0.5]


def test_wrong_arguments():
    for bad in ([], [[1, 9]], [[-1]]):
        with pytest.raises(ValueError, match="at least one word|must lie below V = 4"):
            graphones.count_joint(bad, 4, 2)
    with pytest.raises(ValueError, match="order"):
        graphones.count_joint([[1]], 4, 0)
    with pytest.raises(ValueError, match="k must be"):
        graphones.beam(graphones.count_joint([[1]], 4, 1), np.array([[0]]), [[1]], 0)
