"""Series, forecasts and their scores: by hand, by statsmodels, by finite differences, by torch."""

import math

import numpy as np
import pytest

from helpers import forecaster, gradcheck
from helpers.data import forecasts, weather
from helpers.gru import GRU
from helpers.lstm import LSTM

RNG = np.random.default_rng


# --- Series -------------------------------------------------------------------------------------


def test_seattle_has_every_day():
    series = weather.seattle()
    assert len(series.values) == 1461
    assert (str(series.dates[0]), str(series.dates[-1])) == ("2012-01-01", "2015-12-31")
    assert series.values[:3].tolist() == [12.8, 10.6, 11.7]
    assert weather.seattle("wind").unit == "m/s"
    with pytest.raises(ValueError, match="column"):
        weather.seattle("snow")


def test_co2_has_holes_and_they_are_filled_by_lines():
    series = weather.co2()
    holes = ~np.isfinite(series.values)
    assert len(series.values) == 2284
    assert holes.sum() == 59
    filled = weather.fill(series.values)
    assert np.isfinite(filled).all()
    assert np.array_equal(filled[~holes], series.values[~holes])
    assert weather.fill(np.array([1.0, np.nan, np.nan, 4.0])).tolist() == [1, 2, 3, 4]
    with pytest.raises(ValueError, match="first or the last"):
        weather.fill(np.array([np.nan, 1.0]))


def test_a_series_with_a_hole_is_refused_in_words():
    dates = np.arange("2020-01-01", "2020-01-06", dtype="datetime64[D]")
    values = np.arange(5.0)
    assert weather.complete(dates, values)[1] is values
    with pytest.raises(ValueError, match="2020-01-04 follows 2020-01-02"):
        weather.complete(np.delete(dates, 2), values[:4])
    with pytest.raises(ValueError, match="2020-01-03 follows 2020-01-03"):
        weather.complete(dates[[0, 1, 2, 2, 3]], values)
    for bad in (np.nan, np.inf):
        values = np.array([0, 1, bad, 3, 4])
        with pytest.raises(ValueError, match="first on 2020-01-03"):
            weather.complete(dates, values)
    with pytest.raises(ValueError, match="5 dates and 4"):
        weather.complete(dates, values[:4])
    with pytest.raises(ValueError, match="need 2"):
        weather.complete(dates[:1], values[:1])


def test_climate_finds_the_course_it_was_made_of():
    dates = np.arange("2001-01-01", "2005-01-01", dtype="datetime64[D]")
    made = weather.harmonics(dates, 2) @ np.array([10.0, -8.0, 1.0, -2.0, 0.5])
    found = weather.climate(dates, made + 0.1 * RNG(0).normal(size=len(dates)))
    assert np.abs(found.weights - [10, -8, 1, -2, 0.5]).max() < 0.02
    assert 0.09 < found.spread < 0.11
    assert np.abs(found.usual(dates) - made).max() < 0.03
    assert abs(found.strange(dates, made).std()) < 0.3
    with pytest.raises(ValueError, match="span a year"):
        weather.climate(dates[:300], made[:300])
    with pytest.raises(ValueError, match="no number"):
        weather.climate(dates, np.where(np.arange(len(dates)) == 7, np.nan, made))
    with pytest.raises(ValueError, match="K"):
        weather.harmonics(dates, 0)


# --- Forecasts and scores -----------------------------------------------------------------------


def test_what_comes_ahead():
    assert forecasts.ahead(np.arange(6.0), np.array([0, 3]), 2).tolist() == [[1, 2], [4, 5]]
    for bad in ([4], [-1], []):
        with pytest.raises(ValueError, match="origin"):
            forecasts.ahead(np.arange(6.0), np.array(bad), 2)


def test_crps_is_the_integral_that_defines_it():
    x = np.linspace(-60, 60, 400_001)
    for mean, spread, y in ((0.0, 1.0, 0.3), (2.0, 3.0, -5.0), (1.0, 0.2, 1.0)):
        step = (forecasts.normal_cdf((x - mean) / spread) - (x >= y)) ** 2
        by_sum = step.sum() * (x[1] - x[0])
        found = forecasts.crps(*(np.array([[v]]) for v in (mean, spread, y)))[0, 0]
        assert abs(found - by_sum) < 1e-3
    sure = forecasts.crps(np.array([[1.0]]), np.array([[1e-9]]), np.array([[3.0]]))
    assert abs(sure[0, 0] - 2) < 1e-6


def test_intervals_hold_what_they_promise():
    assert abs(forecasts.quantile_of_normal(0.975) - 1.959964) < 1e-5
    rng = RNG(0)
    mean = rng.normal(size=(4000, 2))
    truth = mean + np.array([1.0, 2.0]) * rng.normal(size=mean.shape)
    spread = np.broadcast_to([1.0, 2.0], mean.shape)
    found = forecasts.summary(mean, spread, truth, 0.8)
    assert np.abs(np.array(found["coverage"]) - 0.8).max() < 0.03
    assert np.abs(np.array(found["rmse"]) - [1, 2]).max() < 0.05
    assert np.allclose(found["width"], [2.5631, 5.1262], atol=1e-3)
    honest = np.mean(found["interval"])
    for factor in (0.6, 1.6):  # too narrow, too wide: both cost
        other = forecasts.summary(mean, factor * spread, truth, 0.8)
        assert np.mean(other["interval"]) > honest
        assert np.mean(other["crps"]) > np.mean(found["crps"])
    by_hand = 1 + 10 * 2  # the width, and ten times the distance
    assert abs(forecasts.interval_score(0.0, 1.0, 3.0, 0.8) - by_hand) < 1e-9
    assert np.abs(forecasts.spread_of_errors(mean, truth) - [1, 2]).max() < 0.05


def test_scores_refuse_what_is_no_forecast():
    one = np.ones((3, 2))
    for spread in (0 * one, -one, np.nan * one):
        with pytest.raises(ValueError, match="spread"):
            forecasts.crps(one, spread, one)
    with pytest.raises(ValueError, match="mean has shape"):
        forecasts.crps(one[:2], one, one)
    for share in (0, 1, -0.1, np.nan):
        with pytest.raises(ValueError, match="share"):
            forecasts.interval(one, one, share)


def test_comparisons_know_noise_from_a_difference():
    rng, hits, rejected = RNG(0), 0, 0
    for _ in range(60):  # neighbours are alike, and the mean is 0
        noise = np.convolve(rng.normal(size=320), np.ones(8) / 8, "valid")
        low, high = forecasts.block_bootstrap(noise, 20, rng, 300)
        hits += low <= 0 <= high
        rejected += forecasts.diebold_mariano(noise, 14)[1] < 0.05
        # with the neighbours taken for independent, far too many differences look real
    assert hits >= 46
    assert rejected <= 14
    statistic, p = forecasts.diebold_mariano(noise + 1, 14)
    assert statistic > 5
    assert p < 1e-6
    white = rng.normal(size=200)
    plain = white.mean() / (white.std() / math.sqrt(200))
    assert abs(forecasts.diebold_mariano(white, 1)[0] - plain) < 1e-9
    with pytest.raises(ValueError, match="all equal"):
        forecasts.diebold_mariano(np.ones(5), 2)
    with pytest.raises(ValueError, match="longer"):
        forecasts.block_bootstrap(np.ones(5), 6, rng)


# --- The network --------------------------------------------------------------------------------


@pytest.mark.parametrize("cell", [LSTM, GRU], ids=lambda c: c.name)
def test_gradients_by_finite_differences(cell):
    rng = RNG(1)
    params = forecaster.init_forecaster(cell, 2, 4, 3, rng, np.float64)
    x, targets = rng.normal(size=(5, 2, 2)), 2 * rng.normal(size=(5, 2, 3))
    mask = rng.random(targets.shape) < 0.7
    grads = forecaster.loss_and_grads(cell, params, x, targets, mask).grads

    def loss():
        return forecaster.loss_and_grads(cell, params, x, targets, mask).loss

    assert gradcheck.largest(gradcheck.compare(loss, params, grads, 1e-5), 1e-6) < 1e-6


def test_loss_is_torchs():
    torch = pytest.importorskip("torch")
    rng = RNG(2)
    z, targets = rng.normal(size=(4, 3, 10)), rng.normal(size=(4, 3, 5))
    loss, dz = forecaster.gaussian_nll(z, targets)
    tz = torch.tensor(z, requires_grad=True)
    mean, log_spread = tz.chunk(2, -1)
    theirs = torch.nn.functional.gaussian_nll_loss(
        mean, torch.tensor(targets), torch.exp(2 * log_spread), full=True, eps=1e-12
    )
    theirs.backward()
    assert abs(loss - theirs.item()) < 1e-9
    assert np.abs(dz - tz.grad.numpy()).max() < 1e-9


def test_loss_refuses_what_is_wrong():
    z, y = np.zeros((2, 1, 4)), np.zeros((2, 1, 2))
    with pytest.raises(ValueError, match="z has shape"):
        forecaster.gaussian_nll(z[..., :3], y)
    with pytest.raises(ValueError, match="mask"):
        forecaster.gaussian_nll(z, y, np.zeros(y.shape, bool))
    with pytest.raises(ValueError, match="targets"):
        forecaster.gaussian_nll(z, y + np.nan)
    hole = np.where(np.arange(2)[:, None, None] == 0, np.nan, y)
    assert np.isfinite(forecaster.gaussian_nll(z, hole, np.isfinite(hole))[1]).all()


def test_windows_end_where_the_series_does():
    x, y = np.arange(10.0)[:, None], np.arange(10.0)
    inputs, targets, mask = forecaster.windows(x, y, np.array([0, 6]), 4, 2)
    assert inputs[:, 1, 0].tolist() == [6, 7, 8, 9]
    assert targets[:, 0].tolist() == [[1, 2], [2, 3], [3, 4], [4, 5]]
    assert mask[:, 1].tolist() == [[True, True], [True, True], [True, False], [False, False]]
    for bad in ([7], [-1], []):
        with pytest.raises(ValueError, match="pieces"):
            forecaster.windows(x, y, np.array(bad), 4, 2)


def test_forecasts_see_nothing_of_what_comes():
    rng = RNG(3)
    params = forecaster.init_forecaster(GRU, 2, 4, 3, rng, np.float64)
    x, origins = rng.normal(size=(30, 2)), np.array([5, 12])
    mean, spread = forecaster.forecast(GRU, params, x, origins)
    other = x.copy()
    other[13:] = 99.0
    assert np.array_equal(forecaster.forecast(GRU, params, other, origins)[0], mean)
    other[9] = 99.0
    changed, _ = forecaster.forecast(GRU, params, other, origins)
    assert np.array_equal(changed[0], mean[0])
    assert not np.array_equal(changed[1], mean[1])
    assert mean.shape == spread.shape == (2, 3)
    assert (spread > 0).all()
