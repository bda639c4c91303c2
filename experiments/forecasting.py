"""Tomorrow's temperature, and that of the two weeks after: do networks beat the old methods?

    python experiments/forecasting.py        # 30 runs, less than a second each

Seattle's warmest temperature of each day: learned from 2012 to 2014, forecast for all runs of 14
days in 2015. What the networks read is how strange a day is for the time of the year, in units of
the usual spread; both are known from 2012 to 2014 alone. "raw" reads and forecasts the temperature
itself, scaled, and has to learn the year from the angle of the calendar. Sizes, updates and rate
were chosen for both cells together by CRPS on 2014, having learned from 2012 and 2013.
Results: one number a horizon, and the CRPS of each origin, mean over the horizons.
"""

import numpy as np
import study

from helpers import forecaster
from helpers.data import forecasts, weather
from helpers.gru import GRU
from helpers.lstm import LSTM
from helpers.text import Batch
from helpers.train import linear_decay, train

CELLS = {"LSTM": LSTM, "GRU": GRU}
SETTINGS = {
    "horizons": 14, "H": 8, "T": 60, "B": 16, "updates": 150, "lr": 0.01, "decay": 1e-3,
}  # fmt: skip
ENDS = {"valid": ("2014-01-01", "2015-01-01"), "test": ("2015-01-01", "2016-01-01")}


def origins_of(dates, part, K):
    """Indices of the days from which is forecast: the first forecasts the first day of the part."""
    begin, end = (np.searchsorted(dates, np.datetime64(day)) for day in ENDS[part])
    return np.arange(begin - 1, end - K)


def inputs(series, n, kind):
    """What is read (N, 3) and forecast (N,), scaled by the first n days; and the way back.

    The way back turns means and spreads of forecasts from given origins into temperatures.
    """
    known = weather.climate(series.dates[:n], series.values[:n])
    if kind == "raw":
        centre, scale = series.values[:n].mean(), series.values[:n].std()
        y, usual = (series.values - centre) / scale, np.full(len(series.values), centre)
    else:
        scale, usual = known.spread, known.usual(series.dates)
        y = known.strange(series.dates, series.values)
    angle = weather.phase(series.dates)
    x = np.stack([y, np.cos(angle), np.sin(angle)], axis=1)

    def back(mean, spread, origins):
        ahead = forecasts.ahead(usual, origins, mean.shape[1])
        return mean * scale + ahead, spread * scale

    return x.astype(np.float32), y.astype(np.float32), back


def learn(cell, x, y, seed, s):
    """A forecaster trained on all of x and y; `decay` pulls every weight towards zero."""
    rng = np.random.default_rng(seed)
    params = forecaster.init_forecaster(cell, x.shape[1], s["H"], s["horizons"], rng)

    def step(params, batch, state):
        found = forecaster.loss_and_grads(cell, params, *batch.inputs)
        for name, p in params.items():
            found.grads[name] += s["decay"] * p
        return found

    def batches():
        while True:
            first = rng.integers(0, len(x) - s["T"] + 1, s["B"])
            yield Batch(forecaster.windows(x, y, first, s["T"], s["horizons"]), None)

    train(
        step, params, batches(), s["updates"], lr=linear_decay(s["lr"], s["updates"]),
        max_norm=1.0, progress=False,
    )  # fmt: skip
    return params


def forecast(case, s, part="test"):
    """Learn from all days before the part; means, spreads and truth, (n, K) each, in degrees."""
    series, cell = weather.seattle(), CELLS[case["cell"]]
    origins = origins_of(series.dates, part, s["horizons"])
    n = origins[0] + 1
    x, y, back = inputs(series, n, case["reads"])
    params = learn(cell, x[:n], y[:n], case["seed"], s)
    mean, spread = back(*forecaster.forecast(cell, params, x, origins), origins)
    return mean, spread, forecasts.ahead(series.values, origins, s["horizons"])


def run(case, settings):
    mean, spread, truth = forecast(case, settings)
    found = forecasts.summary(mean, spread, truth)
    rounded = {name: [round(v, 4) for v in values] for name, values in found.items()}
    each = forecasts.crps(mean, spread, truth).mean(axis=1)
    return rounded | {"by_origin": [round(float(v), 3) for v in each]}


STUDY = study.Study(
    name="forecasting",
    question="Do networks forecast Seattle's temperature better than the old methods?",
    settings=SETTINGS,
    cases=[
        {"cell": cell, "reads": "strangeness", "seed": seed} for cell in CELLS for seed in range(10)
    ]
    + [{"cell": cell, "reads": "raw", "seed": seed} for cell in CELLS for seed in range(5)],
    run=run,
    tolerance=1.5,
)

if __name__ == "__main__":
    study.main(STUDY)
