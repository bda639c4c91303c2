"""Real-time recurrent learning: the gradient runs forward, beside the state.

Backpropagation through time goes back over a sequence that has ended. Here each step carries along
how the state depends on every weight so far, so the gradient is known as soon as a loss is:

    u_t = (x_t, h_{t−1}, 1)      a_t = u_t W      h_t = tanh(a_t)
    M_t[i, k] = ∂h_t/∂W_ik = (M_{t−1}[i, k] W_hh + u_ti e_k) ⊙ (1 − h_t²)
    dW_ik = Σ_t dh_t · M_t[i, k]

with e_k the k-th unit vector, and W (I, H) made of W_xh, W_hh and b_h, one on top of the other:
I = D + H + 1 rows. dh_t is what the loss of step t itself asks of h_t, nothing from later steps.
Shapes: T time steps, B batch, D input features, H hidden units; M is (B, I, H, H), and one step
multiplies it by W_hh: I·H³ products, where a step of backpropagation needs about 3·I·H.
Source: Williams & Zipser (1989).
"""

import numpy as np

from . import layers
from .checks import check_finite, check_floats, check_not_negative, check_shape
from .optim import ADAM
from .rnn import RNN
from .unroll import check_layer

NAMES = ("W_xh", "W_hh", "b_h")


def no_influence(params: dict, B: int) -> np.ndarray:
    """M at the start: the initial state depends on no weight. Zeros (B, D+H+1, H, H)."""
    D, H = params["W_xh"].shape
    return np.zeros((B, D + H + 1, H, H), params["W_xh"].dtype)


def rtrl_step(params: dict, x_t: np.ndarray, h_prev: np.ndarray, M: np.ndarray):
    """One step of state and influence, as on paper.

    x_t: (B, D), h_prev: (B, H), M: (B, I, H, H), where M[b, i, k] is a row: what a change of W_ik
    does to h_{t−1}. Returns h_t and M_t.
    """
    u = np.hstack([x_t, h_prev, np.ones_like(x_t[:, :1])])
    h = np.tanh(x_t @ params["W_xh"] + h_prev @ params["W_hh"] + params["b_h"])
    M = M @ params["W_hh"]  # through the state of the step before
    units = np.arange(h.shape[1])
    M[:, :, units, units] += u[:, :, None]  # and straight: W_ik pulls at unit k with u_i
    M *= (1 - h**2)[:, None, None, :]
    return h, M


def gradient(params: dict, M: np.ndarray, dh: np.ndarray) -> dict:
    """What a pull dh (B, H) at the state asks of the weights: dW_ik = Σ_b dh_b · M[b, i, k]."""
    D, H = params["W_xh"].shape
    dW = np.tensordot(M, dh, axes=([0, 3], [0, 1])) if len(dh) > 1 else M[0] @ dh[0]
    return dict(zip(NAMES, (dW[:D], dW[D : D + H], dW[-1])))


def check_run(params: dict, x, h_0) -> None:
    """All that can be wrong with weights, inputs and the first state, said in words."""
    check_layer(RNN, {name: params[name] for name in NAMES})
    D, H = params["W_xh"].shape
    check_shape("x", x, ("T", "B", D))
    check_shape("h_0", h_0, (x.shape[1], H))
    check_floats(x=x, h_0=h_0, W_xh=params["W_xh"])
    check_finite("x", x)
    check_finite("h_0", h_0)


def rtrl(params: dict, x: np.ndarray, h_0: np.ndarray, dhs: np.ndarray, M=None):
    """A whole sequence with fixed weights, never looking back: the gradient that BPTT finds, too.

    x: (T, B, D), h_0: (B, H); dhs: (T, B, H), what the loss sends straight to each h_t; M: the
    influence that another stretch left, or None. Returns grads (W_xh, W_hh, b_h), hs (T, B, H), and
    the last M, to go on with.
    Raises: ValueError for wrong shapes, mixed dtypes or numbers that are not finite.
    """
    check_run(params, x, h_0)
    T, B, _ = x.shape
    check_shape("dhs", dhs, (T, B, h_0.shape[1]))
    check_floats(x=x, dhs=dhs)
    start = no_influence(params, B)
    if M is not None:
        check_shape("M", M, start.shape)
    M, h, hs = start if M is None else M, h_0, np.empty_like(dhs)
    grads = {name: np.zeros_like(params[name]) for name in NAMES}
    for t in range(T):
        h, M = rtrl_step(params, x[t], h, M)
        hs[t] = h
        for name, part in gradient(params, M, dhs[t]).items():
            grads[name] += part
    return grads, hs, M


def learn_online(params: dict, x, targets, loss, lr: float, optimizer=ADAM, remember=True):
    """Learn from an endless series while it runs: an update after every step, nothing stored.

    x: (T, B, D), targets: (T, …); loss(z_t, target_t) → value, dz_t, as `losses.mse` is. params,
    with the read-out W_hy and b_y, are changed in place. remember: with False the influence of
    earlier steps is thrown away, which leaves the gradient of one step alone. The weights move
    while M is carried on, so M mixes influences of slightly older weights, as in the paper.
    Returns the loss of each step before its update, (T,).
    Raises: ValueError for wrong shapes, mixed dtypes or a bad lr.
    """
    h = np.zeros((x.shape[1], len(params["W_hh"])), params["W_hh"].dtype)
    check_run(params, x, h)
    check_not_negative("lr", lr)
    M, memory, values = no_influence(params, len(h)), optimizer.init(params), np.empty(len(x))
    for t in range(len(x)):
        h, M = rtrl_step(params, x[t], h, M if remember else np.zeros_like(M))
        values[t], dz = loss(layers.linear_forward(params, h), targets[t])
        grads, dh = layers.linear_backward(params, h, dz)
        optimizer.update(params, {**grads, **gradient(params, M, dh)}, memory, lr)
    return values
