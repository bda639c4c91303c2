"""The gated recurrent unit: one state, two gates.

    r, z = σ(a_r), σ(a_z)                             reset gate and update gate, each (B, H)
    n = tanh(x_t W_xn + b_xn + r ⊙ (h_{t−1} W_hn + b_n))      the candidate
    h_t = z ⊙ h_{t−1} + (1 − z) ⊙ n                   z keeps, 1 − z replaces

in torch's order r, z, n. Cho et al. (2014), as published, reset the state *before* the product,
(r ⊙ h_{t−1}) W_hn: GRU_CHO below. Torch, like cuDNN and their first preprint, resets *after* it, so
that one product serves all three blocks. The weight matrices are the same, the functions are not.

The GRU stands here three times: `gru_step` as on paper; `gru_loop` and `gru_bptt`, a whole sequence
and back in plain loops; and `GRU`, which `unroll` runs fast. The numbers are the same.
Shapes: T time steps, B batch, D input features, H hidden units; a letter is one block (B, H), or
(T, B, H) in the slopes.
"""

import numpy as np

from .activations import dsigmoid, dtanh, sigmoid
from .rnn import Cell

# --- The GRU as on paper ------------------------------------------------------------------------


def gru_step(params: dict, x_t: np.ndarray, h_prev: np.ndarray) -> np.ndarray:
    """One step, as on paper: two gates, the candidate n, and h_t between h_{t−1} and n.

    x_t: (B, D), h_prev: (B, H). Returns h_t: (B, H).
    Source: Cho et al. (2014), in the form of torch.nn.GRU.
    """
    x_r, x_z, x_n = np.split(x_t @ params["W_xh"] + params["b_h"], 3, axis=-1)
    h_r, h_z, h_n = np.split(h_prev @ params["W_hh"], 3, axis=-1)
    r = sigmoid(x_r + h_r)
    z = sigmoid(x_z + h_z)
    n = np.tanh(x_n + r * (h_n + params["b_n"]))
    return z * h_prev + (1 - z) * n


def gru_loop(params: dict, x: np.ndarray, h_0: np.ndarray):
    """The whole sequence, step by step, keeping what the way back needs.

    x: (T, B, D), h_0: (B, H). Returns hs (T, B, H) and the list of steps.
    """
    h, hs, steps = h_0, [], []
    for x_t in x:
        h_prev = h
        x_r, x_z, x_n = np.split(x_t @ params["W_xh"] + params["b_h"], 3, axis=-1)
        h_r, h_z, h_n = np.split(h_prev @ params["W_hh"], 3, axis=-1)
        r, z = sigmoid(x_r + h_r), sigmoid(x_z + h_z)
        from_h = h_n + params["b_n"]
        n = np.tanh(x_n + r * from_h)
        h = z * h_prev + (1 - z) * n
        hs.append(h)
        steps.append((h_prev, r, z, n, from_h))
    return np.stack(hs), steps


def gru_bptt(params: dict, x, steps, dhs, dh_T):
    """Back through `gru_loop`, from the last step to the first: a gradient from every step.

    dhs: (T, B, H), what the loss sends straight to each h_t; dh_T: (B, H), what comes to the last
    state from beyond, or zeros. Returns grads (W_xh, W_hh, b_h, b_n), dx (T, B, D), dh_0 (B, H).
    """
    grads = {name: np.zeros_like(params[name]) for name in ("W_xh", "W_hh", "b_h", "b_n")}
    dx, dh = np.zeros_like(x), dh_T
    for t in reversed(range(len(x))):
        h_prev, r, z, n, from_h = steps[t]
        dh = dh + dhs[t]  # from the step after, and from the loss
        da_n = dh * (1 - z) * (1 - n**2)
        da_z = dh * (h_prev - n) * z * (1 - z)
        da_r = da_n * from_h * r * (1 - r)
        da_x = np.concatenate([da_r, da_z, da_n], axis=-1)  # for x_t W_xh + b_h
        da_h = np.concatenate([da_r, da_z, da_n * r], axis=-1)  # for h_{t−1} W_hh: n inside r
        grads["W_xh"] += x[t].T @ da_x
        grads["W_hh"] += h_prev.T @ da_h
        grads["b_h"] += da_x.sum(axis=0)
        grads["b_n"] += (da_n * r).sum(axis=0)
        dx[t] = da_x @ params["W_xh"].T
        dh = da_h @ params["W_hh"].T + dh * z  # on to the step before, through z directly
    return grads, dx, dh


# --- Between CIFG and GRU: an update gate and nothing else --------------------------------------


def update_forward(a, ah, prev, new):
    """h_t = z ⊙ h_{t−1} + (1 − z) ⊙ n."""
    ah += a
    a[0], a[1] = sigmoid(ah[0]), np.tanh(ah[1])
    new[0][:] = a[0] * prev[0] + (1 - a[0]) * a[1]


def update_slopes(a, states):
    """∂h_t/∂a_z and ∂h_t/∂a_n; beside them z, for the path around the weights."""
    z, n = a
    return np.stack([dsigmoid(z) * (states[0][:-1] - n), dtanh(n) * (1 - z)]), (z,)


def update_backward(dstate, da, factors):
    """One step back; h_{t−1} gets z ⊙ dh_t around the weights."""
    da *= dstate[0]
    return (factors[0] * dstate[0],)


UPDATE = Cell("update", "zn", 1, update_forward, update_slopes, update_backward)


# --- Fast ---------------------------------------------------------------------------------------


def gru_forward(a, ah, prev, new, b_n):
    """One step, with the reset after the product: r lets through what h_{t−1} says of n."""
    (h,), (h_prev,) = new, prev
    r, z, n, from_h = a
    a[:2] = sigmoid(a[:2] + ah[:2])  # r and z
    from_h[:] = ah[2] + b_n
    n[:] = np.tanh(n + r * from_h)
    h[:] = z * h_prev + (1 - z) * n


def gru_slopes(a, states, b_n):
    """∂h_t/∂ of what comes from h_{t−1}: a_r, a_z, h W_hn + b_n; beside them z, and ∂h_t/∂a_n."""
    h_prev = states[0][:-1]
    r, z, n, from_h = a
    dn = (1 - z) * dtanh(n)
    slopes = np.empty_like(a[:3])  # speed: filled, not stacked, which would copy them
    slopes[0] = dn * from_h * dsigmoid(r)
    slopes[1] = (h_prev - n) * dsigmoid(z)
    slopes[2] = dn * r
    return slopes, (z, dn)


def gru_backward(dstate, da, factors, b_n):
    """One step back, proportional to dh_t. Around the weights, h_{t−1} gets z ⊙ dh_t."""
    (dh,) = dstate
    z, dn = factors
    da *= dh
    dn *= dh
    return (z * dh,)


def gru_finish(da, states, factors):
    """b_n goes with h W_hn. The input's part of n is outside the reset, so it gets dn itself."""
    _, dn = factors
    db_n = da[2].sum(axis=0)
    da[2] = dn.reshape(da[2].shape)
    return {"b_n": db_n}


# Chung et al. (2014) compare it with the LSTM; this form is that of torch.nn.GRU.
GRU = Cell(
    "gru", "rzn", 1, gru_forward, gru_slopes, gru_backward,
    n_kept=1, own=("b_n",), finish=gru_finish, step=gru_step,
)  # fmt: skip


# --- The original: reset before the product -----------------------------------------------------


def gru_cho_step(params: dict, x_t: np.ndarray, h_prev: np.ndarray) -> np.ndarray:
    """One step, as on paper: the reset acts on h_{t−1}, before the product with W_hn.

    x_t: (B, D), h_prev: (B, H). Returns h_t: (B, H). Source: Cho et al. (2014).
    """
    x_r, x_z, x_n = np.split(x_t @ params["W_xh"] + params["b_h"], 3, axis=-1)
    h_r, h_z = np.split(h_prev @ params["W_hh"], 2, axis=-1)
    r = sigmoid(x_r + h_r)
    z = sigmoid(x_z + h_z)
    n = np.tanh(x_n + (r * h_prev) @ params["W_hn"])
    return z * h_prev + (1 - z) * n


def cho_forward(a, ah, prev, new, W_hn):
    """One step: n = tanh(x_t W_xn + b + (r ⊙ h_{t−1}) W_hn). The product must wait for r."""
    (h,), (h_prev,) = new, prev
    r, z, n = a
    a[:2] = sigmoid(a[:2] + ah)
    n[:] = np.tanh(n + (r * h_prev) @ W_hn)
    h[:] = z * h_prev + (1 - z) * n


def cho_slopes(a, states, W_hn):
    """∂(r ⊙ h_{t−1})/∂a_r, ∂h_t/∂a_z, ∂h_t/∂a_n; beside them z and r."""
    h_prev = states[0][:-1]
    r, z, n = a
    return np.stack([dsigmoid(r) * h_prev, dsigmoid(z) * (h_prev - n), dtanh(n) * (1 - z)]), (z, r)


def cho_backward(dstate, da, factors, W_hn):
    """One step back: r is reached through W_hn, and h_{t−1} on a third way, through r ⊙ h_{t−1}."""
    (dh,) = dstate
    z, r = factors
    da[1:] *= dh
    d_reset = da[2] @ W_hn.T
    da[0] *= d_reset
    return (z * dh + r * d_reset,)


def cho_finish(da, states, factors):
    """dW_hn: from the state as it was after the reset."""
    _, r = factors
    reset = (r * states[0][:-1]).reshape(da[2].shape)
    return {"W_hn": reset.T @ da[2]}


# Cho et al. (2014). W_hh (H, 2H) has the blocks r and z only; W_hn (H, H) stands alone.
GRU_CHO = Cell(
    "gru_cho", "rzn", 1, cho_forward, cho_slopes, cho_backward,
    own=("W_hn",), finish=cho_finish, gates_of_h=2, step=gru_cho_step,
)  # fmt: skip
