"""The vanilla recurrent networks: Elman's cell, and Jordan's network.

The Elman cell stands here three times: `rnn_step` as on paper; `rnn_loop` and `rnn_bptt`, a whole
sequence and back in plain loops; and `RNN`, which `unroll` runs fast. The numbers are the same.

Shapes, here and in every module: T time steps, B batch, D input features, H hidden units,
V vocabulary (number of classes). Time comes first: x is (T, B, D).
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from .activations import drelu, dsoftmax, dtanh, softmax
from .checks import check_finite, check_floats, check_shape, check_sizes

# --- The Elman cell -----------------------------------------------------------------------------


def rnn_step(params: dict, x_t: np.ndarray, h_prev: np.ndarray) -> np.ndarray:
    """One step, as on paper: h_t = tanh(x_t W_xh + h_{t−1} W_hh + b_h).

    x_t: (B, D), h_prev: (B, H). Returns h_t: (B, H). For whole sequences `unroll.forward` gives
    the same numbers faster.
    Source: Elman (1990), with tanh where the paper has the logistic function.
    """
    return np.tanh(x_t @ params["W_xh"] + h_prev @ params["W_hh"] + params["b_h"])


def rnn_loop(params: dict, x: np.ndarray, h_0: np.ndarray) -> np.ndarray:
    """The whole sequence, step by step: h_1 … h_T. x: (T, B, D), h_0: (B, H). Returns (T, B, H)."""
    h, hs = h_0, []
    for x_t in x:
        h = rnn_step(params, x_t, h)
        hs.append(h)
    return np.stack(hs)


def rnn_bptt(params: dict, x, h_0, hs, dhs, dh_T):
    """Back through `rnn_loop`, from the last step to the first: a gradient from every step.

        dh_t = dhs_t + da_{t+1} W_hhᵀ       da_t = dh_t ⊙ (1 − h_t²)

    dhs: (T, B, H), what the loss sends straight to each h_t; dh_T: (B, H), what comes to the last
    state from beyond, or zeros. Returns grads (W_xh, W_hh, b_h), dx (T, B, D), dh_0 (B, H).
    Source: Werbos (1990).
    """
    grads = {name: np.zeros_like(params[name]) for name in ("W_xh", "W_hh", "b_h")}
    dx, dh = np.zeros_like(x), dh_T
    for t in reversed(range(len(x))):
        h_prev = hs[t - 1] if t > 0 else h_0
        dh = dh + dhs[t]  # from the step after, and from the loss
        da = dh * (1 - hs[t] ** 2)
        grads["W_xh"] += x[t].T @ da
        grads["W_hh"] += h_prev.T @ da
        grads["b_h"] += da.sum(axis=0)
        dx[t] = da @ params["W_xh"].T
        dh = da @ params["W_hh"].T  # on to the step before
    return grads, dx, dh


def rnn_forward(a, ah, prev, new):
    """The gates of one step: h_t = tanh(a_t), where a_t = (x_t W_xh + b_h) + h_{t−1} W_hh.

    a: (1, B, H), the input's part of a_t, one block per gate; ah: (1, B, H), the recurrent part.
    prev = (h_{t−1},) has done its work in ah; new = (h_t,) is filled in place.
    """
    (h,) = new
    h[:] = np.tanh(a[0] + ah[0])


def rnn_slopes(a, states):
    """The local derivatives of all steps at once: ∂h_t/∂a_t = 1 − h_t², taken from the outputs.

    states = (h,), h: (T+1, B, H). Returns the slopes (1, T, B, H), and () for nothing more.
    """
    h = states[0][1:]
    return dtanh(h)[None], ()


def rnn_backward(dstate, da, factors):
    """Back through the gates of one step: da_t = dh_t ⊙ (1 − h_t²).

    dstate = (dh_t,). `da` (1, B, H) holds the slope and is multiplied in place.
    Returns, for each state, what reaches its previous value on a path around W_hh: here none.
    """
    da *= dstate[0]
    return (None,)


class Cell(NamedTuple):
    """A recurrent cell is data: the letters of its gates, the number of states, pure functions.

    The cell owns the pointwise part; `unroll` owns time and the matrix products. With k gates,
    W_xh is (D, kH), W_hh (H, kH) and b_h (kH,), gate after gate. States are a tuple, h first.

        forward(a, ah, prev, new, *own)     one step, into `new`; a (k, B, H) may be overwritten
        slopes(a, states, *own)             all local derivatives at once: (k, T, B, H), and the
                                            other factors of `backward`, a tuple of (T, B, H)
        backward(dstate, da, factors, *own) one step back: turns slopes into da, in place

    The rest is for cells that are less plain. n_kept: more blocks of `a`, for what forward wants to
    keep. own: names of parameters that only this cell has, (H, H) where the name begins with W, or
    (H,). finish(da, states, factors): called when da (k, T·B, H) is complete; returns the gradients
    of `own`, and changes da where x_t and h_{t−1} do not get the same. gates_of_h: how many gates,
    the first ones, see h_{t−1} W_hh, where not all do. step(params, x_t, *states): the step as on
    paper, new states from old ones.
    """

    name: str
    gates: str
    n_states: int
    forward: Callable
    slopes: Callable
    backward: Callable
    n_kept: int = 0
    own: tuple = ()
    finish: Callable | None = None
    gates_of_h: int | None = None
    step: Callable | None = None

    @property
    def n_gates(self) -> int:
        """k: W_xh is k blocks wide."""
        return len(self.gates)

    @property
    def n_recurrent(self) -> int:
        """Blocks in W_hh: k, unless gates_of_h says otherwise."""
        return self.n_gates if self.gates_of_h is None else self.gates_of_h

    def own_shapes(self, H: int) -> dict:
        """Name → shape of the parameters in `own`."""
        return {name: (H, H) if name.startswith("W") else (H,) for name in self.own}


RNN = Cell("rnn", "h", 1, rnn_forward, rnn_slopes, rnn_backward, step=rnn_step)


# --- Two relatives of the Elman cell ------------------------------------------------------------


def relu_forward(a, ah, prev, new):
    """h_t = max(0, a_t): a slope of 1 where a unit is on, but nothing bounds the state."""
    (h,) = new
    h[:] = np.maximum(a[0] + ah[0], 0)


def relu_slopes(a, states):
    """∂h_t/∂a_t = 1 where h_t > 0, else 0, for all steps at once."""
    return drelu(states[0][1:])[None], ()


RNN_RELU = Cell("rnn_relu", "h", 1, relu_forward, relu_slopes, rnn_backward)


def leaky(alpha: float) -> Cell:
    """A cell that moves only a part of the way: h_t = (1 − α) h_{t−1} + α tanh(a_t).

    With α = 1 it is the RNN. With a small α a unit forgets slowly, with a time constant of about
    1/α steps, and a gradient has a path of factors (1 − α) that no weight touches.
    Raises: ValueError unless 0 < alpha ≤ 1.
    Source: Jaeger et al. (2007), leaky-integrator units; Bengio et al. (2013).
    """
    if not 0 < alpha <= 1:
        raise ValueError(f"alpha must lie in 0 < alpha ≤ 1, got {alpha!r}")

    def forward(a, ah, prev, new):
        (h,), (h_prev,) = new, prev
        a[:] = np.tanh(a + ah)  # kept for the slopes
        h[:] = (1 - alpha) * h_prev + alpha * a[0]

    def slopes(a, states):
        return alpha * dtanh(a), ()

    def backward(dstate, da, factors):
        da *= dstate[0]
        return ((1 - alpha) * dstate[0],)

    return Cell(f"leaky({alpha})", "h", 1, forward, slopes, backward)


# --- The Jordan network -------------------------------------------------------------------------


class JordanCache(NamedTuple):
    """What `jordan_backward` needs: inputs (T, B, D), states (T, B, H), outputs (T+1, B, V)."""

    x: np.ndarray
    h: np.ndarray
    y: np.ndarray


def init_jordan(D: int, H: int, V: int, rng, dtype=np.float32) -> dict:
    """Parameters of a Jordan network, each uniform in ±1/√H; biases too.

    W_xh (D, H), W_yh (V, H), b_h (H,), W_hy (H, V), b_y (V,).
    Raises: ValueError if a size is not a positive integer.
    """
    check_sizes(D=D, H=H, V=V)
    shapes = {"W_xh": (D, H), "W_yh": (V, H), "b_h": (H,), "W_hy": (H, V), "b_y": (V,)}
    bound = 1 / np.sqrt(H)
    return {name: rng.uniform(-bound, bound, s).astype(dtype) for name, s in shapes.items()}


def check_jordan(params, x, y0):
    check_shape("params['W_xh']", params["W_xh"], ("D", "H"))
    D, H = params["W_xh"].shape
    check_shape("params['W_hy']", params["W_hy"], (H, "V"))
    V = params["W_hy"].shape[1]
    check_shape("params['W_yh']", params["W_yh"], (V, H))
    check_shape("params['b_h']", params["b_h"], (H,))
    check_shape("params['b_y']", params["b_y"], (V,))
    check_shape("x", x, ("T", "B", D))
    if y0 is not None:
        check_shape("y0", y0, (x.shape[1], V))
    check_floats(x=x, y0=y0, **params)
    for name, array in {"x": x, **params}.items():
        check_finite(name, array)
    if y0 is not None:
        check_finite("y0", y0)


def jordan_forward(params: dict, x: np.ndarray, y0=None):
    """Run a Jordan network: what comes back at the next step is the *output*, not the hidden layer.

        h_t = tanh(x_t W_xh + y_{t−1} W_yh + b_h)
        z_t = h_t W_hy + b_y,   y_t = softmax(z_t)

    x: (T, B, D), y0: (B, V) or None for zeros. Returns logits z (T, B, V), the last y (B, V), and a
    cache. All that the network remembers must pass through the V numbers of y.
    Raises: ValueError for wrong shapes, mixed dtypes or non-finite input.
    Source: Jordan (1986), without the decaying "state units" of the paper.
    """
    check_jordan(params, x, y0)
    T, B, D = x.shape
    H, V = params["W_hy"].shape
    y = np.zeros((T + 1, B, V), x.dtype)
    if y0 is not None:
        y[0] = y0
    h = (x.reshape(T * B, D) @ params["W_xh"] + params["b_h"]).reshape(T, B, H)
    z = np.empty((T, B, V), x.dtype)
    for t in range(T):
        h[t] = np.tanh(h[t] + y[t] @ params["W_yh"])
        z[t] = h[t] @ params["W_hy"] + params["b_y"]
        y[t + 1] = softmax(z[t])
    return z, y[-1], JordanCache(x, h, y)


def jordan_backward(params: dict, cache: JordanCache, dz: np.ndarray, dy_T=None):
    """Back through time for `jordan_forward`.

    dz: (T, B, V), gradient of each step's logits from the loss; dy_T: (B, V), gradient of the last
    output, or None. Returns grads (keys as in params), dx (T, B, D), dy0 (B, V).
    Raises: ValueError for wrong shapes or mixed dtypes.
    """
    x, h, y = cache
    T, B, D = x.shape
    H, V = params["W_hy"].shape
    check_shape("dz", dz, (T, B, V))
    if dy_T is not None:
        check_shape("dy_T", dy_T, (B, V))
    check_floats(x=x, dz=dz, dy_T=dy_T)
    dz = dz.copy()
    da = np.empty_like(h)
    dy = np.zeros((B, V), x.dtype) if dy_T is None else dy_T
    for t in reversed(range(T)):
        dz[t] += dsoftmax(y[t + 1], dy)  # y_t also fed step t+1
        da[t] = (dz[t] @ params["W_hy"].T) * dtanh(h[t])
        dy = da[t] @ params["W_yh"].T
    da, dz_flat = da.reshape(T * B, H), dz.reshape(T * B, V)
    grads = {
        "W_xh": x.reshape(T * B, D).T @ da,
        "W_yh": y[:-1].reshape(T * B, V).T @ da,
        "b_h": da.sum(axis=0),
        "W_hy": h.reshape(T * B, H).T @ dz_flat,
        "b_y": dz_flat.sum(axis=0),
    }
    return grads, (da @ params["W_xh"].T).reshape(T, B, D), dy
