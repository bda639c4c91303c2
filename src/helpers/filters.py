"""Exact filters: what is known of a hidden state, given all that was seen.

Hidden Markov model, K states and V symbols: a belief b_t (B, K) = p(state_t | o_1 … o_{t−1}).

    u_t = b_t ⊙ E[:, o_t]      p(o_t | before) = Σ_k u_tk      b_{t+1} = u_t A / Σ_k u_tk

Linear-Gaussian system, n hidden numbers and M seen: a mean m_t (B, n) and a covariance P_t (n, n),
both of s_t before y_t was read. In our row vectors

    s_{t+1} = s_t F + w_t,  w ~ N(0, Q)        y_t = s_t C + v_t,  v ~ N(0, R)
    S_t = Cᵀ P_t C + R      K_t = S_t⁻¹ Cᵀ P_t
    m_{t+1} = (m_t + (y_t − m_t C) K_t) F      P_{t+1} = Fᵀ (P_t − P_t C K_t) F + Q

Both give p(what comes next | what was seen) exactly, if the world is as the filter has it.
Shapes: T time steps, B batch. Ids are (T, B), y is (T, B, M).
Sources: Rabiner (1989) for the hidden Markov model, Kalman (1960) for the linear system.
"""

from typing import NamedTuple

import numpy as np

from .activations import dsoftmax, softmax
from .checks import check_finite, check_floats, check_ids, check_shape, check_sizes
from .losses import LossAndGrads

# --- Hidden Markov models -----------------------------------------------------------------------


class HMM(NamedTuple):
    """start (K,): p(state_1). A (K, K): p(new | old), a row per old state. E (K, V): p(o | it)."""

    start: np.ndarray
    A: np.ndarray
    E: np.ndarray


class Beliefs(NamedTuple):
    """What a filter knows at each step. log_p (T, B): log p(o_t | before), in nats. now (T, B, K):
    p(state_t | o_1 … o_t). ahead (T+1, B, K): p(state_t | o_1 … o_{t−1}), the start first."""

    log_p: np.ndarray
    now: np.ndarray
    ahead: np.ndarray


def check_chances(name: str, p, shape: tuple) -> None:
    """Raise unless p is an array of this shape whose rows are probabilities that add up to 1.

    Raises: TypeError or ValueError that names the argument.
    """
    check_shape(name, p, shape)
    check_floats(**{name: p})
    check_finite(name, p)
    limit = 1e-9 if p.dtype == np.float64 else 1e-5
    if p.min() < 0 or np.abs(p.sum(axis=-1) - 1).max() > limit:
        raise ValueError(f"{name} must hold probabilities that add up to 1 in each row")


def check_hmm(hmm: HMM) -> None:
    """All that can be wrong with a hidden Markov model, said in words."""
    check_chances("start", hmm.start, ("K",))
    check_chances("A", hmm.A, (len(hmm.start), len(hmm.start)))
    check_chances("E", hmm.E, (len(hmm.start), "V"))
    check_floats(start=hmm.start, A=hmm.A, E=hmm.E)


def sample_hmm(hmm: HMM, T: int, B: int, rng):
    """Draw B series: hidden states (T, B) and symbols (T, B), both ids.

    Raises: ValueError for sizes that are no positive integers, or rows that do not add up to 1.
    """
    check_hmm(hmm)
    check_sizes(T=T, B=B)

    def draw(p):  # one id per row of p (B, n)
        u = rng.random((B, 1))
        return np.minimum((p.cumsum(axis=-1) < u).sum(axis=-1), p.shape[-1] - 1)

    states, ids = np.empty((T, B), np.int64), np.empty((T, B), np.int64)
    for t in range(T):
        p = np.tile(hmm.start, (B, 1)) if t == 0 else hmm.A[states[t - 1]]
        states[t] = draw(p)
        ids[t] = draw(hmm.E[states[t]])
    return states, ids


def hmm_step(hmm: HMM, belief: np.ndarray, ids: np.ndarray):
    """One step, as on paper: read a symbol, then look one step ahead.

    belief: (B, K), p(state_t | before); ids: (B,), o_t. Returns p(o_t | before) (B,), and the next
    belief (B, K): the old one times numbers that o_t chooses, times A, made to add up to 1.
    """
    u = belief * hmm.E[:, ids].T
    p = u.sum(axis=-1)
    return p, (u / p[:, None]) @ hmm.A


def forward_algorithm(start: np.ndarray, A: np.ndarray, seen: np.ndarray) -> Beliefs:
    """The filter for anything that can be seen: seen[t, b, k] = p(what was seen | state k).

    start: (K,), or (B, K) to go on from the last `ahead` of the series before; A: (K, K); seen:
    (T, B, K), densities where numbers are seen. Each step divides by its own p(o_t | before), so
    nothing underflows however long the series is ("scaling").
    Raises: ValueError for wrong shapes, mixed dtypes, rows that do not add up to 1, or a step with
    probability 0.
    """
    check_shape("seen", seen, ("T", "B", "K"))
    T, B, K = seen.shape
    check_chances("A", A, (K, K))
    check_chances("start", start, (K,) if np.ndim(start) == 1 else (B, K))
    check_floats(start=start, A=A, seen=seen)
    check_finite("seen", seen)
    log_p, now = np.empty((T, B), A.dtype), np.empty_like(seen)
    ahead = np.empty((T + 1, B, K), A.dtype)
    ahead[0] = start
    for t in range(T):
        u = ahead[t] * seen[t]
        p = u.sum(axis=-1)
        if not p.min() > 0:
            b = int(np.argmin(p))
            raise ValueError(f"what is seen at step {t} of series {b} has probability 0")
        log_p[t], now[t] = np.log(p), u / p[:, None]
        ahead[t + 1] = now[t] @ A
    return Beliefs(log_p, now, ahead)


def hmm_filter(hmm: HMM, ids: np.ndarray) -> Beliefs:
    """All beliefs of a hidden Markov model, and log p(o_t | o_1 … o_{t−1}) of each symbol.

    ids: (T, B). p(next symbol) is `beliefs.ahead @ hmm.E`, (T+1, B, V).
    Raises: as `forward_algorithm`; TypeError or IndexError for ids that are no symbols.
    """
    check_hmm(hmm)
    check_shape("ids", ids, ("T", "B"))
    check_ids("ids", ids, hmm.E.shape[1])
    return forward_algorithm(hmm.start, hmm.A, hmm.E.T[ids])


def log_sum_exp(x: np.ndarray, axis: int) -> np.ndarray:
    """log Σ exp(x) along an axis, with the largest entry taken out first."""
    top = x.max(axis=axis, keepdims=True)
    top = np.where(np.isfinite(top), top, 0)
    with np.errstate(divide="ignore"):
        return np.log(np.exp(x - top).sum(axis=axis)) + top.squeeze(axis)


def forward_in_logs(start: np.ndarray, A: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """The forward algorithm as Rabiner's α_t, in logarithms instead of scaled.

        log α_t[k] = log seen_t[k] + log Σ_j exp(log α_{t−1}[j] + log A[j, k])

    start: (K,), A: (K, K), seen: (T, B, K). Returns log p(o_1 … o_t, state_t = k) in nats,
    (T, B, K); its log-sum-exp over k is log p(o_1 … o_t).
    Raises: ValueError for wrong shapes or rows that do not add up to 1.
    """
    check_shape("seen", seen, ("T", "B", "K"))
    K = seen.shape[2]
    check_chances("A", A, (K, K))
    check_chances("start", start, (K,))
    check_floats(start=start, A=A, seen=seen)
    with np.errstate(divide="ignore"):  # log 0 is −∞, and adds nothing to a sum of exponentials
        start, A, seen = np.log(start), np.log(A), np.log(seen)
    log_alpha = np.empty_like(seen)
    log_alpha[0] = start + seen[0]
    for t in range(1, len(seen)):
        log_alpha[t] = log_sum_exp(log_alpha[t - 1][:, :, None] + A, axis=1) + seen[t]
    return log_alpha


# --- A hidden Markov model that learns ----------------------------------------------------------


def init_hmm(K: int, V: int, rng, stay: float = 2.0, dtype=np.float64) -> dict:
    """Logits of an HMM: a_start (K,), a_A (K, K), a_E (K, V); standard normal, halved.

    stay: added to the diagonal of a_A, so that states last a while from the start.
    Raises: ValueError if a size is not a positive integer.
    """
    check_sizes(K=K, V=V)
    params = {"a_start": (K,), "a_A": (K, K), "a_E": (K, V)}
    params = {name: (0.5 * rng.standard_normal(s)).astype(dtype) for name, s in params.items()}
    params["a_A"] += (stay * np.eye(K)).astype(dtype)
    return params


def hmm_of(params: dict) -> HMM:
    """The HMM whose rows are the softmax of the logits."""
    return HMM(*(softmax(params[name]) for name in ("a_start", "a_A", "a_E")))


def hmm_loss_and_grads(params: dict, ids: np.ndarray) -> LossAndGrads:
    """Mean −log p(o_t | before) in nats, and its gradient: the filter, and back through it.

    With g = 1/(T·B), from the last step to the first, db_{T+1} = 0:

        dnow_t = db_{t+1} Aᵀ       du_t = (dnow_t − Σ_k dnow_tk now_tk − g) / p_t
        db_t = du_t ⊙ E[:, o_t]    dA += now_tᵀ db_{t+1}      dE[:, o_t] += du_t ⊙ b_t

    ids: (T, B). The state to go on from is None.
    Raises: as `hmm_filter`.
    """
    hmm = hmm_of(params)
    beliefs = hmm_filter(hmm, ids)
    seen, p, (T, B) = hmm.E.T[ids], np.exp(beliefs.log_p)[..., None], ids.shape
    dA, dE = np.zeros_like(hmm.A), np.zeros_like(hmm.E.T)
    db = np.zeros_like(beliefs.now[0])
    for t in reversed(range(T)):
        now = beliefs.now[t]
        dA += now.T @ db
        dnow = db @ hmm.A.T
        du = (dnow - (dnow * now).sum(axis=-1, keepdims=True) - 1 / (T * B)) / p[t]
        np.add.at(dE, ids[t], du * beliefs.ahead[t])
        db = du * seen[t]
    slopes = {"a_start": db.sum(axis=0), "a_A": dA, "a_E": dE.T}
    grads = {name: dsoftmax(y, dy) for (name, dy), y in zip(slopes.items(), hmm)}
    return LossAndGrads(-float(beliefs.log_p.mean()), grads, None)


# --- Linear-Gaussian systems --------------------------------------------------------------------


class LinearGaussian(NamedTuple):
    """s_{t+1} = s_t F + w, y_t = s_t C + v. F, Q (n, n), C (n, M), R (M, M): Q and R are the
    covariances of w and v. mean (n,) and cov (n, n): of the first state s_1."""

    F: np.ndarray
    Q: np.ndarray
    C: np.ndarray
    R: np.ndarray
    mean: np.ndarray
    cov: np.ndarray


class Forecasts(NamedTuple):
    """What a Kalman filter says before it reads y_t. log_p (T, B): log p(y_t | before), in nats.
    mean (T, B, M) and spread (T, M, M): of y_t, the spread a covariance, the same for all series.
    gains (T, M, n). belief: (m (B, n), P (n, n)) of the state after the last step, to go on."""

    log_p: np.ndarray
    mean: np.ndarray
    spread: np.ndarray
    gains: np.ndarray
    belief: tuple


def check_system(system: LinearGaussian) -> None:
    """All that can be wrong with a linear-Gaussian system, said in words."""
    check_shape("F", system.F, ("n", "n"))
    n = len(system.F)
    check_shape("C", system.C, (n, "M"))
    M = system.C.shape[1]
    shapes = {"F": (n, n), "Q": (n, n), "R": (M, M), "mean": (n,), "cov": (n, n)}
    for name, shape in shapes.items():
        check_shape(name, getattr(system, name), shape)
    check_floats(**system._asdict())
    for name, array in system._asdict().items():
        check_finite(name, array)
        if name in ("Q", "R", "cov"):
            lowest = np.linalg.eigvalsh(array).min()
            if not np.allclose(array, array.T) or lowest < -1e-9 * max(1, np.abs(array).max()):
                raise ValueError(f"{name} must be a covariance: symmetric, no negative eigenvalue")


def stationary(F: np.ndarray, Q: np.ndarray) -> np.ndarray:
    """The covariance that s = s F + w keeps for ever: P = Fᵀ P F + Q, solved as linear equations.

    Raises: ValueError if an eigenvalue of F lies on or outside the unit circle: then there is none.
    """
    check_shape("F", F, ("n", "n"))
    check_shape("Q", Q, (len(F), len(F)))
    check_finite("F", F)
    if np.abs(np.linalg.eigvals(F)).max() >= 1:
        raise ValueError("F has an eigenvalue of size 1 or more: its states have no fixed spread")
    n = len(F)
    P = np.linalg.solve(np.eye(n * n) - np.kron(F.T, F.T), Q.reshape(-1)).reshape(n, n)
    return (P + P.T) / 2


def sample_linear(system: LinearGaussian, T: int, B: int, rng):
    """Draw B series: states s (T, B, n) and what is seen of them, y (T, B, M), float64.

    Raises: ValueError for wrong shapes or sizes.
    """
    check_system(system)
    check_sizes(T=T, B=B)
    n, M = system.C.shape

    def noise(cov):  # the root of a covariance that may be singular
        values, vectors = np.linalg.eigh(cov)
        root = vectors * np.sqrt(np.maximum(values, 0))
        return rng.standard_normal((B, len(cov))) @ root.T

    s, y = np.empty((T, B, n)), np.empty((T, B, M))
    for t in range(T):
        s[t] = system.mean + noise(system.cov) if t == 0 else s[t - 1] @ system.F + noise(system.Q)
        y[t] = s[t] @ system.C + noise(system.R)
    return s, y


def kalman_step(system: LinearGaussian, m: np.ndarray, P: np.ndarray, y_t: np.ndarray):
    """One step, as on paper: forecast y_t, mend the mean by what was missed, look one step ahead.

    m (B, n) and P (n, n) of s_t before y_t (B, M) is read. Returns m and P of s_{t+1}, and the gain
    K (M, n), the share of each miss that goes into the mean.
    """
    F, Q, C, R, _, _ = system
    S = C.T @ P @ C + R  # (M, M), how far y_t may lie from its forecast m C
    K = np.linalg.solve(S, C.T @ P)
    m = (m + (y_t - m @ C) @ K) @ F
    P = F.T @ (P - P @ C @ K) @ F + Q
    return m, P, K


def kalman(system: LinearGaussian, y: np.ndarray, belief: tuple | None = None) -> Forecasts:
    """The Kalman filter: p(y_t | y_1 … y_{t−1}) is a Gaussian, and this is which one.

    y: (T, B, M); belief: (m (B, n), P (n, n)) that another stretch left, or None for the start.
    Spreads and gains depend on the system only, never on what was seen.
    Raises: ValueError for wrong shapes, mixed dtypes, numbers that are not finite, matrices that
    are no covariances, or a forecast without any spread (S singular).
    """
    check_system(system)
    n, M = system.C.shape
    check_shape("y", y, ("T", "B", M))
    check_floats(y=y, F=system.F)
    check_finite("y", y)
    T, B, _ = y.shape
    F, Q, C, R, m, P = system
    m = np.tile(m, (B, 1))
    if belief is not None:
        m, P = belief
        check_shape("belief[0]", m, (B, n))
        check_shape("belief[1]", P, (n, n))
    mean, log_p = np.empty_like(y), np.empty((T, B), y.dtype)
    spread, gains = np.empty((T, M, M), y.dtype), np.empty((T, M, n), y.dtype)
    for t in range(T):
        S = C.T @ P @ C + R
        if not np.linalg.eigvalsh(S).min() > 0:
            raise ValueError(f"the forecast of step {t} has no spread: S is singular")
        K = np.linalg.solve(S, C.T @ P)
        mean[t], spread[t], gains[t] = m @ C, S, K
        error = y[t] - mean[t]
        far = (np.linalg.solve(S, error.T).T * error).sum(axis=-1)
        log_p[t] = -0.5 * (M * np.log(2 * np.pi) + np.linalg.slogdet(S)[1] + far)
        m, P = (m + error @ K) @ F, F.T @ (P - P @ C @ K) @ F + Q
        P = (P + P.T) / 2  # rounding must not make it lopsided
    return Forecasts(log_p, mean, spread, gains, (m, P))


def steady_state(system: LinearGaussian, tolerance: float = 1e-13, n_steps: int = 100_000):
    """The filter after its gain has settled: m_{t+1} = m_t A + y_t W, a linear recurrence.

        A = (1 − C K) F   (n, n)          W = K F   (M, n)

    Returns A, W, the forecast's spread S (M, M), and how many steps it took until the relative
    change of P from one step to the next was below the tolerance.
    Raises: ValueError if it has not settled after n_steps.
    """
    check_system(system)
    check_sizes(n_steps=n_steps)
    F, Q, C, R, _, P = system
    for step in range(n_steps):
        S = C.T @ P @ C + R
        K = np.linalg.solve(S, C.T @ P)
        after = F.T @ (P - P @ C @ K) @ F + Q
        change, P = np.abs(after - P).max(), (after + after.T) / 2
        if change <= tolerance * np.abs(P).max():
            S = C.T @ P @ C + R
            K = np.linalg.solve(S, C.T @ P)
            return F - C @ K @ F, K @ F, S, step + 1
    raise ValueError(f"the gain has not settled after n_steps={n_steps}")
