"""Settings that hold for every test, wherever it runs."""

import os

import matplotlib
from hypothesis import settings

matplotlib.use("Agg")  # no window opens

# Notebooks run in kernels that inherit these: figures as on the page, no progress bars in outputs.
os.environ.pop("MPLBACKEND", None)
os.environ["TQDM_DISABLE"] = "1"

# The same examples on every machine, however slow it is.
settings.register_profile("book", derandomize=True, deadline=None)
settings.load_profile("book")
