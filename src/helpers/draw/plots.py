"""Curves, dots and maps in one style.

Colours are those of Okabe & Ito (2008), told apart by colour-blind readers; lines that share a
figure also differ by marker or dash, or carry their own label. The background is white: the web
page inverts lightness, not hue, in dark mode.
"""

import matplotlib.pyplot as plt
import numpy as np

from ..checks import check_finite

COLOURS = {
    "blue": "#0072B2",
    "orange": "#D55E00",
    "green": "#009E73",
    "pink": "#CC79A7",
    "yellow": "#E69F00",
    "sky": "#56B4E9",
    "grey": "#6B6B6B",
    "black": "#1A1A1A",
}
SEQUENTIAL = "cividis"  # for magnitudes: even steps of lightness, also without colour
DIVERGING = "PuOr"  # for signed values: two hues that colour-blind readers tell apart


def use_style() -> None:
    """Set matplotlib to the style of the book: call it once at the top of a notebook."""
    plt.rcParams.update(
        {
            "figure.figsize": (7, 3.2),
            "figure.dpi": 110,
            "savefig.bbox": "tight",
            "font.size": 10,
            "axes.titlesize": 11,
            "axes.titlelocation": "left",
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": True,
            "grid.color": "#DDDDDD",
            "grid.linewidth": 0.6,
            "axes.axisbelow": True,
            "axes.prop_cycle": plt.cycler(
                color=[COLOURS[c] for c in ("blue", "orange", "green", "pink", "yellow", "sky")],
            ),
            "lines.linewidth": 1.8,
            "legend.frameon": False,
            "image.cmap": SEQUENTIAL,
        }
    )


def smooth(values: np.ndarray, window: int) -> np.ndarray:
    """Running mean over `window` values: (N,) → (N − window + 1,)."""
    if not 1 <= window <= len(values):
        raise ValueError(f"window must lie in 1 … {len(values)}, got {window!r}")
    return np.convolve(values, np.full(window, 1 / window), mode="valid")


def learning_curve(history, ax=None, unit=1.0, window=100, label=None, **line):
    """Draw a running mean of the training loss against updates. Look for where it flattens.

    history: train.History; unit: divide the loss by this (np.log(2) turns nats into bits).
    Returns the axes.
    """
    check_finite("history.loss", history.loss)
    ax = ax or plt.gca()
    window = min(window, len(history.loss))
    curve = smooth(history.loss, window) / unit
    ax.plot(np.arange(window, len(history.loss) + 1), curve, label=label, **line)
    ax.set_xlabel("updates")
    return ax


def matrix(values, ax=None, rows=None, columns=None, digits=None, signed=False, label=None):
    """Draw a matrix as a heat map with named rows and columns, and numbers in the cells if asked.

    values: (R, C). signed: centre the colours on zero. Returns the axes.
    """
    check_finite("values", values)
    ax = ax or plt.gca()
    limit = np.abs(values).max() or 1.0
    style = {"cmap": DIVERGING, "vmin": -limit, "vmax": limit} if signed else {"cmap": SEQUENTIAL}
    image = ax.imshow(values, aspect="auto", **style)
    ax.grid(False)
    for axis, names in ((ax.yaxis, rows), (ax.xaxis, columns)):
        if names is not None:
            axis.set_ticks(range(len(names)), names)
    if digits is not None:
        for (r, c), value in np.ndenumerate(values):
            red, green, blue, _ = image.cmap(image.norm(value))
            dark = 0.299 * red + 0.587 * green + 0.114 * blue < 0.55
            ax.text(c, r, f"{value:.{digits}f}", ha="center", va="center",
                    color="white" if dark else "black", fontsize=9)  # fmt: skip
    if label:
        ax.figure.colorbar(image, ax=ax, label=label)
    return ax


def text_heat(text: str, values: np.ndarray, width: int = 64, ax=None, label: str = ""):
    """Draw text with each character on a colour that tells one unit's activation after reading it.

    values: (len(text),) in −1 … 1. Look for what switches the colour on, and what switches it off.
    Returns the axes.
    """
    if len(text) != len(values):
        raise ValueError(f"text has {len(text)} characters but values has {len(values)} entries")
    check_finite("values", values)
    rows = -(-len(text) // width)
    if ax is None:
        _, ax = plt.subplots(figsize=(7.5, 0.3 * rows + 0.5), layout="constrained")
    grid = np.full(rows * width, np.nan)
    grid[: len(text)] = values
    image = ax.imshow(grid.reshape(rows, width), cmap=DIVERGING, vmin=-2.2, vmax=2.2, aspect="auto")
    for i, character in enumerate(text):
        shown = {"\n": "↵", " ": ""}.get(character, character)
        ax.text(i % width, i // width, shown, ha="center", va="center", family="monospace",
                fontsize=8, color="black")  # fmt: skip
    ax.set_axis_off()
    bar = ax.figure.colorbar(image, ax=ax, label=label, fraction=0.02, pad=0.01, ticks=[-1, 0, 1])
    bar.ax.set_ylim(-1, 1)  # the paler middle of the map: black letters stay readable on it
    return ax


def growth(values, ax=None, label=None, **line):
    """Draw what is left of a gradient against the distance it has travelled, on a log axis.

    values: (N+1,) or (N+1, B), from distance 0 on, as jacobians.growth returns; of several
    sequences the geometric mean is drawn. Look for the slope: a straight line is a constant factor
    per step. Values of zero are left out. Returns the axes.
    """
    values = np.asarray(values, dtype=np.float64)
    check_finite("values", values)
    ax = ax or plt.gca()
    logs = np.log(np.where(values > 0, values, np.nan)).reshape(len(values), -1)
    ax.plot(np.exp(logs.mean(axis=1)), label=label, **line)
    ax.set_yscale("log")
    ax.set_xlabel("distance (steps)")
    return ax


def all_runs(x, values, ax=None, label=None, color=None, marker="o", spread=0.0):
    """Draw every run as a dot, and a line through the medians. Look for how far the dots lie apart.

    x: (N,); values: (N, R), R runs at each x. spread: shift the runs by up to so much to either
    side, so that equal values do not hide each other. Returns the axes.
    """
    x, values = np.asarray(x, dtype=np.float64), np.asarray(values, dtype=np.float64)
    if values.ndim != 2 or x.shape != values.shape[:1]:
        raise ValueError(f"x has shape {x.shape} and values {values.shape}, expected (N,), (N, R)")
    check_finite("values", values)
    ax = ax or plt.gca()
    runs = values.shape[1]
    shift = spread * np.linspace(-1, 1, runs) if runs > 1 else np.zeros(1)
    (line,) = ax.plot(x, np.median(values, axis=1), color=color, linewidth=1.2, label=label)
    ax.plot(
        (x[:, None] + shift).ravel(), values.ravel(), marker, color=line.get_color(),
        markersize=5, alpha=0.6, markeredgewidth=0,
    )  # fmt: skip
    return ax


def gradient_flow(flow, ax=None, decades=4, bar=True):
    """Draw jacobians.gradient_flow as a map: a row per answer, a column per state that it reaches.

    flow: (T, T), NaN above the diagonal. Each row is divided by its largest entry; what is more
    than `decades` powers of ten below it gets the last colour. Look for how far left of the
    diagonal a row stays strong: so far back an answer is felt. Returns the axes.
    """
    flow = np.asarray(flow, dtype=np.float64)
    if flow.ndim != 2 or flow.shape[0] != flow.shape[1]:
        raise ValueError(f"flow has shape {flow.shape}, expected (T, T)")
    ax = ax or plt.gca()
    share = flow / np.nanmax(flow, axis=1, keepdims=True)
    steps = np.arange(len(flow) + 1) + 0.5  # steps count from 1
    image = ax.pcolormesh(steps, steps, np.log10(np.maximum(share, 10.0**-decades)),
                          cmap=SEQUENTIAL, vmin=-decades, vmax=0)  # fmt: skip
    ax.grid(False)
    if not ax.yaxis_inverted():  # it may be shared with another map
        ax.invert_yaxis()
    ax.set(xlabel="state of step t", ylabel="answer of step s", aspect="equal")
    if bar:
        colours = ax.figure.colorbar(image, ax=ax, label="share of the row's largest", shrink=0.85)
        ticks = range(-decades, 1)
        names = [f"$10^{{{n}}}$" for n in ticks]
        colours.set_ticks(ticks, labels=[f"≤ {names[0]}", *names[1:-1], "1"])
    return ax


def loss_surface(x, y, loss, ax=None, label="loss"):
    """Draw a loss over two parameters as a map. Look for where the colour changes at a single line.

    x: (N,), y: (M,), loss: (M, N). Returns the axes.
    """
    if np.shape(loss) != (len(y), len(x)):
        raise ValueError(f"loss has shape {np.shape(loss)}, expected ({len(y)}, {len(x)})")
    check_finite("loss", loss)
    ax = ax or plt.gca()
    image = ax.pcolormesh(x, y, loss, cmap=SEQUENTIAL, shading="nearest", rasterized=True)
    ax.grid(False)
    if label:
        ax.figure.colorbar(image, ax=ax, label=label)
    return ax
