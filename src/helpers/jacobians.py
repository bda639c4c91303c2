"""How a change of the state travels through time: Jacobians, their products.

The state s_t stands for (h_t,), or (h_t, c_t) side by side for a cell with two states: n numbers in
all. The step's Jacobian J_t = ∂s_t/∂s_{t−1} has a row per output and a column per input, so a
gradient, being a row, meets it from the left: ds_{t−1} = ds_t J_t. For the RNN, in our row vectors,

    J_t = diag(1 − h_t²) W_hhᵀ      and      ∂h_T/∂h_t = J_T J_{T−1} … J_{t+1}

Shapes: T time steps, B batch, H hidden units, n = n_states·H.
"""

import numpy as np

from .checks import check_finite, check_floats, check_shape


def step_jacobians(cell, params: dict, cache) -> np.ndarray:
    """J[t−1, b] = ∂s_t/∂s_{t−1} of sequence b, at the states that `unroll.forward` left in `cache`.

    One backward step of the cell gives one row of J for each gradient that is put in; so the rows
    of the identity go in, and all of J comes out. Exact: no differences are taken.
    Returns (T, B, n, n). This is for looking, not for training: it costs n times a backward pass.
    Raises: ValueError if params and cache do not fit.
    """
    _, a, states = cache
    _, T, B, H = a.shape
    kr, n = cell.n_recurrent, cell.n_states * H
    check_shape("params['W_hh']", params["W_hh"], (H, kr * H))
    check_floats(W_hh=params["W_hh"], cache=a)
    own = [params[name] for name in cell.own]
    slopes, factors = cell.slopes(a, states, *own)
    W_hh_T = params["W_hh"].T.reshape(kr, H, H)
    J = np.empty((T, B, n, n), a.dtype)
    for t, b in np.ndindex(T, B):
        # n gradients at once: row i asks for the gradient of number i of the state.
        rows = np.split(np.eye(n, dtype=a.dtype), cell.n_states, axis=1)
        da = np.repeat(slopes[:, t, b, None], n, axis=1)  # (k, n, H)
        here = [np.tile(f[t, b], (n, 1)) for f in factors]
        around, *others = cell.backward(tuple(rows), da, here, *own)
        dh = (da[:kr] @ W_hh_T).sum(axis=0)
        J[t, b] = np.hstack([dh if around is None else dh + around, *others])
    return J


def products(J: np.ndarray) -> np.ndarray:
    """∂s_T/∂s_t for t = 0 … T: the product of all steps' Jacobians after t, last step first.

    J: (T, B, n, n). Returns (T+1, B, n, n); the entry for t = T is the identity.
    Raises: ValueError if J is not of that shape.
    """
    check_shape("J", J, ("T", "B", "n", "n"))
    check_shape("J", J, (*J.shape[:2], J.shape[3], J.shape[3]))
    P = np.empty((len(J) + 1, *J.shape[1:]), J.dtype)
    P[-1] = np.eye(J.shape[-1])
    for t in reversed(range(len(J))):
        P[t] = P[t + 1] @ J[t]
    return P


def norms(matrices: np.ndarray) -> np.ndarray:
    """The largest singular value of each matrix: how much the luckiest direction is stretched.

    matrices: (…, n, n). Returns (…).
    Raises: ValueError if an entry is not finite.
    """
    check_finite("matrices", matrices)
    return np.linalg.norm(matrices, ord=2, axis=(-2, -1))


def growth(cell, params: dict, cache) -> np.ndarray:
    """‖∂s_T/∂s_t‖ over the distance T − t = 0 … T: what is left of a gradient after so many steps.

    The largest singular value, one per sequence. Returns (T+1, B): begins with 1, then falls where
    gradients vanish and rises where they explode.
    Raises: ValueError if params and cache do not fit, or if a product overflows.
    """
    return norms(products(step_jacobians(cell, params, cache)))[::-1]


def gradient_flow(J: np.ndarray, dhs: np.ndarray) -> np.ndarray:
    """F[s, t]: how strongly what is asked at step s pulls on the state of step t, for t ≤ s.

    J: (T, B, n, n) from `step_jacobians`; dhs: (T, B, n), the gradient that step s's own output
    sends into s's state. Each is sent back alone: its length, root mean square over the batch.
    Returns (T, T), with NaN where t > s: nothing flows from a later state to an earlier answer.
    Raises: ValueError for wrong shapes or mixed dtypes.
    """
    check_shape("J", J, ("T", "B", "n", "n"))
    T, B, n, _ = J.shape
    check_shape("dhs", dhs, (T, B, n))
    check_floats(J=J, dhs=dhs)
    F = np.full((T, T), np.nan)
    for s in range(T):
        row = dhs[s][:, None, :]  # a gradient is a row: (B, 1, n)
        for t in range(s, -1, -1):
            F[s, t] = np.sqrt((row * row).sum(axis=-1).mean())
            row = row @ J[t]
    return F
