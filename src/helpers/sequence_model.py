"""A recurrent layer with a linear read-out, for any cell and any loss.

    h_t = cell(x_t, h_{t−1})      z_t = h_t W_hy + b_y

What z means is for the loss to say: logits of classes, a number, an answer at the last step only.
Shapes: T time steps, B batch, D input features, H hidden units, V outputs. x is (T, B, D).
"""

import numpy as np

from . import layers, unroll
from .checks import check_shape
from .losses import LossAndGrads


def init_sequence_model(cell, D: int, H: int, V: int, rng, dtype=np.float32) -> dict:
    """Parameters of the cell (W_xh, W_hh, b_h, …) and of the read-out (W_hy, b_y), in one dict.

    Raises: ValueError if a size is not a positive integer.
    """
    return {
        **unroll.init_cell(cell, D, H, rng, dtype),
        **layers.init_linear(H, V, rng, dtype),
    }


def predict(cell, params: dict, x: np.ndarray, state=None):
    """Outputs z (T, B, V), the final state, and hs (T, B, H)."""
    hs, state, _ = unroll.forward(cell, params, x, state)
    return layers.linear_forward(params, hs), state, hs


def loss_and_grads(cell, params: dict, x: np.ndarray, loss, state=None, truncate=None):
    """The loss, its gradient for every parameter, and the final state: `losses.LossAndGrads`.

    loss(z) → value, dz: a function of all outputs z (T, B, V), such as
    `lambda z: cross_entropy(z, targets, mask)`, or `at_end(mse, target)`. The gradient stops at the
    initial state, and with `truncate` at every border of so many steps, see `unroll.backward`.
    Raises: ValueError, TypeError or IndexError that names the argument.
    """
    return loss_and_dx(cell, params, x, loss, state, truncate)[0]


def loss_and_dx(cell, params: dict, x: np.ndarray, loss, state=None, truncate=None):
    """`loss_and_grads`, and the gradient of the inputs, dx (T, B, D), for a layer below."""
    hs, state, cache = unroll.forward(cell, params, x, state)
    value, dz = loss(layers.linear_forward(params, hs))
    grads, dhs = layers.linear_backward(params, hs, dz)
    cell_grads, dx, _ = unroll.backward(cell, params, cache, dhs, truncate=truncate)
    return LossAndGrads(value, {**cell_grads, **grads}, state), dx


def at_end(loss, target):
    """Score the last step only (many to one): a loss of all outputs, made from a loss of z_T.

    loss(z_T, target) → value, dz_T, for z_T (B, V), as `mse` and `cross_entropy` are.
    """

    def of_all(z):
        check_shape("z", z, ("T", "B", "V"))
        value, dz_end = loss(z[-1], target)
        dz = np.zeros_like(z)
        dz[-1] = dz_end
        return value, dz

    return of_all
