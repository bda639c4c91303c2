"""Figures: what they draw, and what they refuse."""

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pytest

from helpers import train
from helpers.draw import plots


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


def test_learning_curve_draws_the_running_mean_in_the_unit_asked_for():
    history = train.History(np.arange(10.0), np.ones(10), np.arange(10.0))
    ax = plots.learning_curve(history, unit=2.0, window=4, label="run")
    x, y = ax.lines[0].get_data()
    np.testing.assert_array_equal(x, np.arange(4, 11))
    np.testing.assert_allclose(y, (np.arange(1.5, 8)) / 2)
    assert ax.get_xlabel() == "updates"


def test_smooth_refuses_a_window_longer_than_the_data():
    with pytest.raises(ValueError, match=r"window must lie in 1 … 3, got 4"):
        plots.smooth(np.ones(3), 4)


def test_matrix_writes_its_numbers_and_centres_signed_colours():
    ax = plots.matrix(
        np.array([[1.0, -2.0]]), rows=["r"], columns=["a", "b"], digits=1, signed=True
    )
    assert [text.get_text() for text in ax.texts] == ["1.0", "-2.0"]
    assert ax.images[0].norm.vmin == -2
    assert ax.images[0].norm.vmax == 2


def test_text_heat_shows_every_character():
    ax = plots.text_heat("ab\ncd", np.linspace(-1, 1, 5), width=3)
    assert "".join(text.get_text() for text in ax.texts) == "ab↵cd"
    assert ax.images[0].get_array().shape == (2, 3)


@pytest.mark.parametrize(
    "call",
    [
        lambda: plots.matrix(np.array([[np.nan]])),
        lambda: plots.text_heat("a", np.array([np.inf])),
    ],
)
def test_non_finite_values_are_not_drawn(call):
    with pytest.raises(ValueError, match="values holds 1 non-finite"):
        call()


def test_text_and_values_must_match():
    with pytest.raises(ValueError, match="text has 2 characters but values has 3 entries"):
        plots.text_heat("ab", np.zeros(3))


def test_growth_draws_the_geometric_mean_on_a_log_axis_and_leaves_zeros_out():
    ax = plots.growth(np.array([[1.0, 1.0], [0.1, 10.0], [0.0, 1.0]]), label="x")
    y = ax.lines[0].get_ydata()
    np.testing.assert_allclose(y[:2], 1)
    assert np.isnan(y[2])
    assert ax.get_yscale() == "log"


def test_all_runs_draws_each_run_and_the_median():
    ax = plots.all_runs([1, 2], np.array([[0.0, 1.0, 5.0], [2.0, 2.0, 3.0]]), spread=0.1)
    line, dots = ax.lines
    np.testing.assert_array_equal(line.get_ydata(), [1, 2])
    np.testing.assert_array_equal(dots.get_ydata(), [0, 1, 5, 2, 2, 3])
    np.testing.assert_allclose(dots.get_xdata(), [0.9, 1, 1.1, 1.9, 2, 2.1])
    with pytest.raises(ValueError, match=r"values \(2,\), expected \(N,\), \(N, R\)"):
        plots.all_runs([1, 2], [1, 2])


def test_gradient_flow_divides_each_row_and_keeps_the_future_blank():
    flow = np.array([[5.0, np.nan], [1e-9, 2.0]])
    ax = plots.gradient_flow(flow, decades=3)
    shown = ax.collections[0].get_array()
    np.testing.assert_allclose(np.ma.filled(shown, np.nan), [[0, np.nan], [-3, 0]])
    assert ax.yaxis_inverted()
    with pytest.raises(ValueError, match=r"flow has shape \(2, 3\), expected \(T, T\)"):
        plots.gradient_flow(np.ones((2, 3)))


def test_loss_surface_fits_its_axes():
    ax = plots.loss_surface(np.arange(3.0), np.arange(2.0), np.ones((2, 3)))
    assert ax.collections[0].get_array().shape == (2, 3)
    with pytest.raises(ValueError, match=r"loss has shape \(3, 2\), expected \(2, 3\)"):
        plots.loss_surface(np.arange(3.0), np.arange(2.0), np.ones((3, 2)))
