"""The gated recurrent unit: one state, two gates.

    r, z = σ(a_r), σ(a_z)                             reset gate and update gate, each (B, H)
    n = tanh(x_t W_xn + b_xn + r ⊙ (h_{t−1} W_hn + b_n))      the candidate
    h_t = z ⊙ h_{t−1} + (1 − z) ⊙ n                   z keeps, 1 − z replaces

in torch's order r, z, n. Cho et al. (2014), as published, reset the state *before* the product,
(r ⊙ h_{t−1}) W_hn: GRU_CHO below. Torch, like cuDNN and their first preprint, resets *after* it, so
that one product serves all three blocks. The weight matrices are the same, the functions are not.
Shapes: T time steps, B batch, H hidden units; a letter stands for one block (B, H), or (T, B, H) in
the slopes.
"""

import numpy as np

from .activations import dsigmoid, dtanh
from .lstm import kinds, mix, squash
from .rnn import Cell

RZ = kinds("rz")


def gru_forward(a, ah, prev, new, b_n):
    """One step, with the reset after the product: r lets through what h_{t−1} says of n."""
    (h,), (h_prev,) = new, prev
    r, z, n, from_h = a
    rz = ah[:2]
    rz += a[:2]
    squash(rz, RZ, out=a[:2])
    np.add(ah[2], b_n, out=from_h)
    n += r * from_h
    np.tanh(n, out=n)
    mix(z, h_prev, n, out=h)


def gru_slopes(a, states, b_n):
    """∂h_t/∂ of what comes from h_{t−1}: a_r, a_z, h W_hn + b_n; beside them z, and ∂h_t/∂a_n."""
    h_prev = states[0][:-1]
    r, z, n, from_h = a
    slopes = np.empty_like(a)
    dr, dz, dn_h, dn = slopes
    np.multiply(dtanh(n, out=dn), 1 - z, out=dn)
    np.multiply(dn, r, out=dn_h)
    np.multiply(dsigmoid(z, out=dz), h_prev - n, out=dz)
    np.subtract(1, r, out=dr)  # dn ⊙ from_h ⊙ r (1 − r), with dn ⊙ r from above
    dr *= dn_h
    dr *= from_h
    return slopes[:3], (z, dn)


def gru_backward(dstate, da, extra, b_n):
    """One step back, proportional to dh_t. Around the weights, h_{t−1} gets z ⊙ dh_t."""
    (dh,) = dstate
    z, dn = extra
    da *= dh
    dn *= dh
    return (z * dh,)


def gru_finish(da, states, extra):
    """b_n goes with h W_hn. The input's part of n is outside the reset, so it gets dn itself."""
    _, dn = extra
    db_n = np.ones(len(da[2]), da.dtype) @ da[2]
    da[2] = dn.reshape(da[2].shape)
    return {"b_n": db_n}


# Chung et al. (2014) compare it with the LSTM; this form is that of torch.nn.GRU.
GRU = Cell(
    "gru", "rzn", 1, gru_forward, gru_slopes, gru_backward,
    n_kept=1, own=("b_n",), finish=gru_finish,
)  # fmt: skip


# --- The original: reset before the product -----------------------------------------------------


def cho_forward(a, ah, prev, new, W_hn):
    """One step: n = tanh(x_t W_xn + b + (r ⊙ h_{t−1}) W_hn). The product must wait for r."""
    (h,), (h_prev,) = new, prev
    r, z, n = a
    ah += a[:2]
    squash(ah, RZ, out=a[:2])
    n += (r * h_prev) @ W_hn
    np.tanh(n, out=n)
    mix(z, h_prev, n, out=h)


def cho_slopes(a, states, W_hn):
    """∂(r ⊙ h_{t−1})/∂a_r, ∂h_t/∂a_z, ∂h_t/∂a_n; beside them z and r."""
    h_prev = states[0][:-1]
    r, z, n = a
    return np.stack([dsigmoid(r) * h_prev, dsigmoid(z) * (h_prev - n), dtanh(n) * (1 - z)]), (z, r)


def cho_backward(dstate, da, extra, W_hn):
    """One step back: r is reached through W_hn, and h_{t−1} on a third way, through r ⊙ h_{t−1}."""
    (dh,) = dstate
    z, r = extra
    da[1:] *= dh
    d_reset = da[2] @ W_hn.T
    da[0] *= d_reset
    return (z * dh + r * d_reset,)


def cho_finish(da, states, extra):
    """dW_hn: from the state as it was after the reset."""
    _, r = extra
    reset = (r * states[0][:-1]).reshape(da[2].shape)
    return {"W_hn": reset.T @ da[2]}


# Cho et al. (2014). W_hh (H, 2H) has the blocks r and z only; W_hn (H, H) stands alone.
GRU_CHO = Cell(
    "gru_cho", "rzn", 1, cho_forward, cho_slopes, cho_backward,
    own=("W_hn",), finish=cho_finish, gates_of_h=2,
)  # fmt: skip
