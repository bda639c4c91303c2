"""Where a network stands still: fixed points, slow points, the flow around them.

With a constant input the step is a map of the state to itself, s → F(s). Its speed is

    q(s) = ½ |F(s) − s|²

A point with q = 0 is a fixed point; a small q that cannot be made smaller nearby is a slow point.
Around a fixed point F(s + δ) − s ≈ δ Jᵀ: an eigenvalue λ of J with |λ| < 1 shrinks a direction, one
with |λ| > 1 stretches it. All shrink: the point is stable. Some stretch: it is a saddle.
Shapes: N points, n = n_states·H numbers in a state (h, or h and c side by side), D input features.
Source: Sussillo & Barak (2013).
"""

from typing import NamedTuple

import numpy as np

from . import unroll
from .checks import check_finite, check_floats, check_not_negative, check_shape, check_sizes
from .jacobians import step_jacobians


class Points(NamedTuple):
    """states (N, n), their speed q (N,), and the Jacobian J = ∂F/∂s at each, (N, n, n)."""

    states: np.ndarray
    speed: np.ndarray
    jacobians: np.ndarray


def one_map(cell, params: dict, x: np.ndarray, states: np.ndarray):
    """F(s) for N states at once, and the cache of that step. x: (D,), states: (N, n)."""
    N = len(states)
    parts = tuple(np.ascontiguousarray(s) for s in np.split(states, cell.n_states, axis=1))
    _, after, cache = unroll.run_forward(cell, params, np.tile(x, (1, N, 1)), parts)
    return np.hstack(after), cache


def find(cell, params: dict, x: np.ndarray, starts: np.ndarray, n_steps: int = 100) -> Points:
    """From each start downhill in q, by the method of Levenberg and Marquardt, all starts at once.

        r = F(s) − s       A = J − 1       s ← s − (AᵀA + μ 1)⁻¹ Aᵀ r   (r and s as columns)

    It is Newton's method on r = 0 where μ is small, and a short step along −∇q where it is large; μ
    falls by 3 after a step that lowers q, and rises by 3 after one that does not and is not taken.
    x: (D,), the constant input; starts: (N, n). Use float64. A start may end in a slow point, or in
    the same point as another: look at `speed`, and at `distinct`.
    Raises: ValueError for wrong shapes, mixed dtypes or numbers that are not finite.
    """
    unroll.check_layer(cell, params)
    D, n = len(params["W_xh"]), cell.n_states * len(params["W_hh"])
    check_shape("x", x, (D,))
    check_shape("starts", starts, ("N", n))
    check_floats(x=x, starts=starts, W_hh=params["W_hh"])
    check_finite("x", x)
    check_finite("starts", starts)
    check_sizes(n_steps=n_steps)

    def look(states):
        after, cache = one_map(cell, params, x, states)
        r = after - states
        return r, 0.5 * (r * r).sum(axis=1), step_jacobians(cell, params, cache)[0]

    s, one, mu = starts.copy(), np.eye(n, dtype=starts.dtype), np.full(len(starts), 1e-2)
    r, q, J = look(s)
    for _ in range(n_steps):
        A = J - one
        slope = np.einsum("nij,ni->nj", A, r)  # ∇q = Aᵀ r
        square = np.swapaxes(A, 1, 2) @ A + mu[:, None, None].astype(s.dtype) * one
        there = s - np.linalg.solve(square, slope[..., None])[..., 0]
        r_there, q_there, J_there = look(there)
        lower = q_there < q
        s[lower], r[lower], q[lower], J[lower] = (
            there[lower], r_there[lower], q_there[lower], J_there[lower],
        )  # fmt: skip
        mu = np.clip(np.where(lower, mu / 3, mu * 3), 1e-12, 1e6)
    return Points(s, q, J)


def distinct(states: np.ndarray, distance: float) -> np.ndarray:
    """Indices of points of which no two lie within `distance`: of near ones the first is kept.

    states: (N, n).
    Raises: ValueError for a wrong shape or a negative distance.
    """
    check_shape("states", states, ("N", "n"))
    check_finite("states", states)
    check_not_negative("distance", distance)
    kept = []
    for i, state in enumerate(states):
        if all(np.linalg.norm(state - states[j]) > distance for j in kept):
            kept.append(i)
    return np.array(kept)


def n_unstable(J: np.ndarray) -> np.ndarray:
    """How many eigenvalues of each Jacobian lie outside the unit circle: 0 is a stable point.

    J: (N, n, n). Returns integers (N,).
    Raises: ValueError if J is not of that shape or not finite.
    """
    check_shape("J", J, ("N", "n", "n"))
    check_shape("J", J, (len(J), J.shape[2], J.shape[2]))
    check_finite("J", J)
    return (np.abs(np.linalg.eigvals(J)) > 1).sum(axis=1)
