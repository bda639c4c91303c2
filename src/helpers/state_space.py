"""A linear state-space layer, diagonal and complex, also as a convolution.

    h_t = λ ⊙ h_{t−1} + γ ⊙ (x_t W_in)      the state, complex (B, N)
    y_t = Re(h_t W_out) + x_t W_skip        the output, real (B, H)

Each of the N states is a number that turns and shrinks: λ complex with |λ| < 1. λ and γ (N,) do not
depend on the input, and come out of the parameters in one of two ways (a `Kind`):

    LRU    λ = exp(−exp(ν) + i exp(φ))                      γ = exp(log_gamma), real
    S4D    λ = exp(Δ a),  a = −exp(log_a) + i ω             γ = (λ − 1) / a, complex

S4D is a differential equation h' = a h + u, whose input u is held for Δ: `zero_order_hold`.

A complex parameter W (n, m) is kept as two real arrays, (2, n, m): its real and imaginary part. The
complex gradient of a real loss L is dW = ∂L/∂Re W + i ∂L/∂Im W, as in torch. With it the chain rule
has one rule more than usual: through a product with c a gradient is multiplied by the conjugate c̄.

Shapes: T time steps, B batch, D input features, N complex states, H outputs. x is (T, B, D). In the
literature diag(λ), W_in, W_out and W_skip are called A, B, C and D.
Source: S4D: Gu, Goel, Gupta & Ré (2022); one layer for all features: Smith et al. (2023); LRU:
Orvieto et al. (2023).
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from .checks import check_finite, check_floats, check_positive, check_shape, check_sizes, is_number

# --- From a differential equation to a recurrence -----------------------------------------------


def check_discretise(a, dt) -> np.ndarray:
    """a as an array of finite complex numbers; dt as it is, a positive number or an array."""
    a = np.asarray(a)
    if a.dtype.kind not in "fciu" or a.size == 0:
        raise TypeError(f"a must hold numbers, got dtype {a.dtype} and shape {a.shape}")
    check_finite("a", a.ravel())
    if not isinstance(dt, np.ndarray):
        check_positive("dt", dt)
    elif dt.dtype.kind != "f" or not (np.isfinite(dt) & (dt > 0)).all():
        raise ValueError("dt must hold positive numbers only")
    return a if a.dtype.kind in "fc" else a.astype(np.float64)


def euler(a, dt):
    """One straight step along the slope: h_t = h + Δ (a h + u), so λ = 1 + Δ a and γ = Δ.

    a: eigenvalues of h' = a h + u, real or complex, in 1/time; dt: Δ, in time. Returns λ and γ.
    Raises: TypeError or ValueError that names the argument.
    """
    a = check_discretise(a, dt)
    return 1 + dt * a, dt * np.ones_like(a)


def zero_order_hold(a, dt):
    """The exact solution for an input that is held for Δ: λ = exp(Δ a) and γ = (λ − 1) / a.

    At a = 0, where the state only adds up, γ = Δ. Arguments and results as `euler`.
    """
    a = check_discretise(a, dt)
    return np.exp(dt * a), hold_gain(a, dt)


def hold_gain(a, dt):
    """(exp(Δ a) − 1) / a, and Δ where a = 0; expm1 keeps its digits where Δ a is small."""
    zero = a == 0
    return np.where(zero, dt, np.expm1(dt * a) / np.where(zero, 1, a))


def bilinear(a, dt):
    """The mean of the slopes at both ends: λ = (1 + Δa/2) / (1 − Δa/2), γ = Δ / (1 − Δa/2).

    Also called the trapezoidal rule, or Tustin's method. Arguments and results as `euler`.
    Raises: also ValueError where Δ a = 2, which has no result.
    """
    a = check_discretise(a, dt)
    below = 1 - dt * a / 2
    if (below == 0).any():
        raise ValueError("a · dt must not be 2: the bilinear rule divides by 1 − a·dt/2")
    return (1 + dt * a / 2) / below, dt / below


def half_life(lam):
    """After how many steps half of a state is left: ln 2 / −ln |λ|; infinite for |λ| ≥ 1.

    Raises: ValueError if λ is not finite.
    """
    size = np.abs(np.asarray(lam))
    check_finite("lam", size.ravel())
    with np.errstate(divide="ignore"):
        return np.log(2) / np.maximum(-np.log(size), 0.0)


# --- Complex parameters -------------------------------------------------------------------------


def as_complex(pair: np.ndarray) -> np.ndarray:
    """Two real arrays (2, …) as one complex array (…)."""
    return pair[0] + 1j * pair[1]


def as_pair(z: np.ndarray) -> np.ndarray:
    """One complex array (…) as two real ones (2, …); of a gradient: ∂L/∂Re and ∂L/∂Im."""
    return np.stack([z.real, z.imag])


# --- λ and γ from parameters, and back ----------------------------------------------------------


class Kind(NamedTuple):
    """How λ and γ come out of real parameters, each (N,).

    keys: names of these parameters. forward(params) → λ, γ. backward(params, dλ, dγ) → grads.
    """

    name: str
    keys: tuple
    forward: Callable
    backward: Callable


def lru_forward(params):
    """λ = exp(−exp(ν) + i exp(φ)): whatever ν is, |λ| is below 1. γ = exp(log_gamma)."""
    lam = np.exp(-np.exp(params["nu"]) + 1j * np.exp(params["phi"]))
    return lam, np.exp(params["log_gamma"])


def lru_backward(params, dlam, dgamma):
    """dν, dφ and d log_gamma. With λ = exp(s): ds = λ̄ dλ, and s = −exp(ν) + i exp(φ)."""
    lam, gamma = lru_forward(params)
    ds = lam.conj() * dlam
    return {
        "nu": -np.exp(params["nu"]) * ds.real,
        "phi": np.exp(params["phi"]) * ds.imag,
        "log_gamma": gamma * dgamma.real,
    }


LRU = Kind("lru", ("nu", "phi", "log_gamma"), lru_forward, lru_backward)


def s4d_rates(params):
    """Δ and a of every state: Δ = exp(log_dt), a = −exp(log_a) + i ω, so Re a is below 0."""
    return np.exp(params["log_dt"]), -np.exp(params["log_a"]) + 1j * params["omega"]


def s4d_forward(params):
    """λ = exp(Δ a), γ = (λ − 1) / a: the zero-order hold of h' = a h + u."""
    dt, a = s4d_rates(params)
    return np.exp(dt * a), hold_gain(a, dt)


def s4d_backward(params, dlam, dgamma):
    """d log_dt, d log_a and dω, by the slopes of λ and γ:

    ∂λ/∂Δ = a λ,   ∂λ/∂a = Δ λ,   ∂γ/∂Δ = λ,   ∂γ/∂a = (Δ λ − γ) / a
    """
    dt, a = s4d_rates(params)
    lam, gamma = s4d_forward(params)
    ddt = ((a * lam).conj() * dlam + lam.conj() * dgamma).real
    da = (dt * lam).conj() * dlam + ((dt * lam - gamma) / a).conj() * dgamma
    return {"log_dt": dt * ddt, "log_a": -np.exp(params["log_a"]) * da.real, "omega": da.imag}


S4D = Kind("s4d", ("log_dt", "log_a", "omega"), s4d_forward, s4d_backward)


# --- Where it starts ----------------------------------------------------------------------------


def init_maps(D: int, N: int, H: int, rng, dtype=np.float32) -> dict:
    """W_in (2, D, N), W_out (2, N, H) and W_skip (D, H), normal, with the variances of the LRU:
    1/(2D) for each part of W_in, 1/N for each of W_out; 1/D for W_skip.

    Raises: ValueError if a size is not a positive integer.
    """
    check_sizes(D=D, N=N, H=H)
    return {
        "W_in": (rng.standard_normal((2, D, N)) / np.sqrt(2 * D)).astype(dtype),
        "W_out": (rng.standard_normal((2, N, H)) / np.sqrt(N)).astype(dtype),
        "W_skip": (rng.standard_normal((D, H)) / np.sqrt(D)).astype(dtype),
    }


def ring(N: int, rng, r_min: float = 0.0, r_max: float = 1.0, max_phase: float = 2 * np.pi):
    """N eigenvalues, evenly by area from the ring r_min ≤ |λ| ≤ r_max, 0 ≤ phase ≤ max_phase.

    Returns |λ| and the phase, (N,) each. Evenly by area means that |λ|² is uniform.
    Raises: ValueError unless 0 ≤ r_min ≤ r_max ≤ 1 and 0 < max_phase ≤ 2π.
    Source: Orvieto et al. (2023), lemma 3.2.
    """
    check_sizes(N=N)
    if not (is_number(r_min) and is_number(r_max) and 0 <= r_min <= r_max <= 1):
        raise ValueError(f"expected 0 ≤ r_min ≤ r_max ≤ 1, got {r_min!r} and {r_max!r}")
    if not (is_number(max_phase) and 0 < max_phase <= 2 * np.pi):
        raise ValueError(f"max_phase must lie in 0 < max_phase ≤ 2π, got {max_phase!r}")
    size = np.sqrt(rng.uniform(r_min**2, r_max**2, N))
    return size, rng.uniform(0, max_phase, N)


def init_lru(
    D, N, H, rng, r_min=0.0, r_max=1.0, max_phase=2 * np.pi, normalise=True, dtype=np.float32
) -> dict:
    """An LRU whose λ lie on a ring, and γ = √(1 − |λ|²), or 1 without `normalise`.

    Raises: as `ring` and `init_maps`.
    """
    size, phase = ring(N, rng, r_min, r_max, max_phase)
    return {**lru_from(size, phase, normalise, dtype), **init_maps(D, N, H, rng, dtype)}


def lru_from(size, phase, normalise=True, dtype=np.float32) -> dict:
    """The parameters nu, phi, log_gamma of an LRU with given |λ| and phase, (N,) each.

    Sizes are kept away from 0 and 1, and phases from 0, whose logarithms would be infinite.
    """
    decay = -np.log(np.clip(size, 1e-6, 1 - 1e-7))
    log_gamma = 0.5 * np.log(-np.expm1(-2 * decay)) if normalise else np.zeros_like(decay)
    params = {
        "nu": np.log(decay),
        "phi": np.log(np.maximum(phase, 1e-9)),
        "log_gamma": log_gamma,
    }
    return {name: array.astype(dtype) for name, array in params.items()}


def init_s4d(D, N, H, rng, dt_min=1e-3, dt_max=1e-1, copies=1, dtype=np.float32) -> dict:
    """S4D-Lin: `copies` times the eigenvalues a_n = −½ + iπn, n = 0 … N/copies − 1; a Δ for each.

    The Δ of the copies are drawn evenly by logarithm from dt_min … dt_max; then each state has its
    own. Raises: as `init_maps`; ValueError if copies does not divide N or the Δ are not in order.
    Source: Gu, Goel, Gupta & Ré (2022), who have a copy for each feature.
    """
    check_sizes(N=N, copies=copies)
    check_positive("dt_min", dt_min)
    check_positive("dt_max", dt_max)
    if N % copies or dt_min > dt_max:
        raise ValueError(
            f"copies must divide N={N} and dt_min be at most dt_max={dt_max}, "
            f"got {copies} and {dt_min}"
        )
    dt = np.exp(rng.uniform(np.log(dt_min), np.log(dt_max), copies))
    params = {
        "log_dt": np.log(np.repeat(dt, N // copies)).astype(dtype),
        "log_a": np.full(N, np.log(0.5), dtype),
        "omega": np.tile(np.pi * np.arange(N // copies), copies).astype(dtype),
    }
    return {**params, **init_maps(D, N, H, rng, dtype)}


# --- The layer as on paper ----------------------------------------------------------------------


def ssm_step(kind: Kind, params: dict, x_t: np.ndarray, h_prev: np.ndarray):
    """One step, as on paper. x_t: (B, D), h_prev: (B, N) complex. Returns y_t (B, H) and h_t."""
    lam, gamma = kind.forward(params)
    h_t = lam * h_prev + gamma * (x_t @ as_complex(params["W_in"]))
    y_t = (h_t @ as_complex(params["W_out"])).real + x_t @ params["W_skip"]
    return y_t, h_t


def ssm_loop(kind: Kind, params: dict, x: np.ndarray, h_0: np.ndarray):
    """The whole sequence, step by step. Returns y (T, B, H) and the states before and after each
    step, hs (T + 1, B, N): all that the way back needs."""
    ys, hs = [], [h_0]
    for x_t in x:
        y_t, h_t = ssm_step(kind, params, x_t, hs[-1])
        ys.append(y_t)
        hs.append(h_t)
    return np.stack(ys), np.stack(hs)


def ssm_bptt(kind: Kind, params: dict, x, hs, dy, dh_T):
    """Back through `ssm_loop`, from the last step to the first: conjugates, and else as ever.

    dy: (T, B, H), real; dh_T: (B, N) complex, what comes to the last state from beyond, or zeros.
    Returns grads, dx (T, B, D) and dh_0 (B, N).
    """
    lam, gamma = kind.forward(params)
    W_in, W_out = as_complex(params["W_in"]), as_complex(params["W_out"])
    dlam, dgamma = np.zeros_like(lam), np.zeros_like(lam)
    dW_in, dW_out = np.zeros_like(W_in), np.zeros_like(W_out)
    dW_skip, dx, dh = np.zeros_like(params["W_skip"]), np.zeros_like(x), dh_T
    for t in reversed(range(len(x))):
        dh = dh + dy[t] @ W_out.conj().T  # from the step after, and from the output
        dW_out += hs[t + 1].conj().T @ dy[t]
        dW_skip += x[t].T @ dy[t]
        dlam += (hs[t].conj() * dh).sum(axis=0)
        dgamma += ((x[t] @ W_in).conj() * dh).sum(axis=0)
        dW_in += x[t].T @ (gamma.conj() * dh)
        dx[t] = ((gamma.conj() * dh) @ W_in.conj().T).real + dy[t] @ params["W_skip"].T
        dh = lam.conj() * dh  # on to the step before
    maps = {"W_in": as_pair(dW_in), "W_out": as_pair(dW_out), "W_skip": dW_skip}
    return {**kind.backward(params, dlam, dgamma), **maps}, dx, dh


# --- The layer, fast ----------------------------------------------------------------------------


def decay_scan(lam: np.ndarray, v: np.ndarray, h_0: np.ndarray) -> np.ndarray:
    """h_t = λ ⊙ h_{t−1} + v_t for t = 1 … T, with one λ for all steps.

    lam: (N,), v: (T, B, N), h_0: (B, N). Returns hs (T + 1, B, N), h_0 first.
    """
    hs = np.empty((len(v) + 1, *v.shape[1:]), v.dtype)
    hs[0] = h_0
    hs[1:] = v
    product = np.empty_like(hs[0])  # speed: in place, without a new array at each step
    for before, here in zip(hs[:-1], hs[1:]):
        np.multiply(lam, before, out=product)
        here += product
    return hs


class Cache(NamedTuple):
    """What the way back needs: the inputs, x W_in before γ, states (T + 1, B, N), λ and γ."""

    x: np.ndarray
    drive: np.ndarray
    hs: np.ndarray
    lam: np.ndarray
    gamma: np.ndarray


def check_params(kind: Kind, params: dict) -> None:
    """All that can be wrong with the parameters, said in words."""
    names = (*kind.keys, "W_in", "W_out", "W_skip")
    missing = [name for name in names if name not in params]
    if missing:
        raise ValueError(f"params of kind {kind.name!r} lack {', '.join(missing)}")
    check_shape("params['W_in']", params["W_in"], (2, "D", "N"))
    check_shape("params['W_out']", params["W_out"], (2, "N", "H"))
    _, D, N = params["W_in"].shape
    H = params["W_out"].shape[2]
    shapes = {"W_out": (2, N, H), "W_skip": (D, H), **{name: (N,) for name in kind.keys}}
    for name, shape in shapes.items():
        check_shape(f"params[{name!r}]", params[name], shape)
    check_floats(**{name: params[name] for name in names})
    for name in names:
        check_finite(name, params[name])


def check_state(name: str, h, B: int, N: int, dtype) -> None:
    """A state, or a gradient of one, is a finite complex array (B, N) of the layer's precision."""
    check_shape(name, h, (B, N))
    if h.dtype != dtype:
        raise ValueError(f"{name} must have dtype {dtype}, got {h.dtype}")
    check_finite(name, h)


def complex_of(dtype) -> np.dtype:
    """float32 → complex64, float64 → complex128."""
    return np.result_type(dtype, np.complex64)


def ssm_forward(kind: Kind, params: dict, x: np.ndarray, h_0=None):
    """Read a sequence. x: (T, B, D); h_0: (B, N) complex, or None for zeros.

    Returns y (T, B, H), the final state (B, N), and a cache for `ssm_backward`.
    Raises: ValueError or TypeError that names the argument for wrong shapes, mixed dtypes, empty or
    non-finite input.
    """
    check_params(kind, params)
    _, D, N = params["W_in"].shape
    check_shape("x", x, ("T", "B", D))
    check_floats(x=x, W_in=params["W_in"])
    check_finite("x", x)
    if h_0 is not None:
        check_state("h_0", h_0, x.shape[1], N, complex_of(x.dtype))
    cache = run_states(kind, params, x, h_0)
    return read_out(params, x, cache.hs[1:]), cache.hs[-1].copy(), cache


def run_states(kind: Kind, params: dict, x: np.ndarray, h_0=None) -> Cache:
    """The states of `ssm_forward`, its arguments checked: one product for the inputs of all steps,
    then the loop."""
    lam, gamma = kind.forward(params)
    drive = x @ as_complex(params["W_in"])
    h_0 = np.zeros(drive.shape[1:], drive.dtype) if h_0 is None else h_0
    return Cache(x, drive, decay_scan(lam, gamma * drive, h_0), lam, gamma)


def read_out(params: dict, x: np.ndarray, h: np.ndarray) -> np.ndarray:
    """y = Re(h W_out) + x W_skip, for one step or for all: x (…, D), h (…, N). Returns (…, H)."""
    re, im = params["W_out"]
    return h.real @ re - h.imag @ im + x @ params["W_skip"]  # speed: Re alone is half the work


def ssm_backward(kind: Kind, params: dict, cache: Cache, dy=None, dfinal=None):
    """The gradients of all that `ssm_forward` read.

        dh_t = dy_t W̄_outᵀ + λ̄ ⊙ dh_{t+1}

    which is the same recurrence with the conjugate of λ, run backwards in time.
    dy: (T, B, H), real, or None for zeros; dfinal: (B, N) complex, gradient of the final state, or
    None. Returns grads (keys as in params), dx (T, B, D) and dh_0 (B, N).
    Raises: ValueError for wrong shapes or mixed dtypes, or if both gradients are None.
    """
    x, hs = cache.x, cache.hs
    (T, B, _), N, H = x.shape, hs.shape[2], params["W_skip"].shape[1]
    if dy is None and dfinal is None:
        raise ValueError("backward needs dy, dfinal or both: with neither there is no gradient")
    if dy is not None:
        check_shape("dy", dy, (T, B, H))
        check_floats(x=x, dy=dy)
    if dfinal is not None:
        check_state("dfinal", dfinal, B, N, hs.dtype)
    dy = np.zeros((T, B, H), x.dtype) if dy is None else dy
    out_grads, dh, dx = read_out_backward(params, x, hs[1:], dy)
    grads, dx_states, dh_0 = run_states_backward(kind, params, cache, dh, dfinal)
    return {**grads, **out_grads}, dx + dx_states, dh_0


def read_out_backward(params: dict, x, h, dy):
    """Back through `read_out`: grads of W_out and W_skip, dh (…, N) and dx (…, D)."""
    flat_x, flat_h, flat_dy = (array.reshape(-1, array.shape[-1]) for array in (x, h, dy))
    re, im = params["W_out"]
    dW_out = np.stack([flat_h.real.T @ flat_dy, -(flat_h.imag.T @ flat_dy)])
    dh = dy @ re.T - 1j * (dy @ im.T)
    return {"W_out": dW_out, "W_skip": flat_x.T @ flat_dy}, dh, dy @ params["W_skip"].T


def run_states_backward(kind: Kind, params: dict, cache: Cache, dh, dfinal=None):
    """Back through `run_states`: dh (T, B, N) is what the outputs send to each state.

    Returns grads of λ's and γ's parameters and of W_in, dx (T, B, D), and dh_0 (B, N).
    """
    x, drive, hs, lam, gamma = cache
    end = np.zeros_like(hs[0]) if dfinal is None else dfinal
    dh = dh.copy()
    dh[-1] += end
    back = decay_scan(lam.conj(), dh[::-1], np.zeros_like(end))[:0:-1]  # the loop, run backwards
    dlam = np.einsum("tbn,tbn->n", hs[:-1].conj(), back)
    dgamma = np.einsum("tbn,tbn->n", drive.conj(), back)
    back_in = gamma.conj() * back
    flat_x, flat = x.reshape(-1, x.shape[2]), back_in.reshape(-1, back_in.shape[2])
    re, im = params["W_in"]
    dW_in = np.stack([flat_x.T @ flat.real, flat_x.T @ flat.imag])
    dx = back_in.real @ re.T + back_in.imag @ im.T
    return {**kind.backward(params, dlam, dgamma), "W_in": dW_in}, dx, lam.conj() * back[0]


# --- The same layer as a convolution ------------------------------------------------------------


def powers(lam: np.ndarray, T: int) -> np.ndarray:
    """λ^0 … λ^{T−1}, (T, N): each product doubles what is there."""
    found = np.ones((T, len(lam)), lam.dtype)
    n = 1
    while n < T:
        found[n : 2 * n] = found[: min(n, T - n)] * lam
        n, lam = 2 * n, lam * lam
    return found


def kernel(kind: Kind, params: dict, T: int) -> np.ndarray:
    """What an input says to the outputs 0 … T − 1 steps later: K_j = Re(W_in diag(γ λ^j) W_out).

    Returns K (T, D, H); W_skip is added to K_0.
    Raises: ValueError if T is not a positive integer or the parameters do not fit.
    """
    check_sizes(T=T)
    check_params(kind, params)
    lam, gamma = kind.forward(params)
    each = (gamma * powers(lam, T))[:, None, :] * as_complex(params["W_in"])  # (T, D, N)
    re, im = params["W_out"]
    K = each.real @ re - each.imag @ im
    K[0] += params["W_skip"]
    return K


def convolve(K: np.ndarray, x: np.ndarray) -> np.ndarray:
    """y_t = Σ_j x_{t−j} K_j, the sum as it stands: T²/2 products. The oracle of `fft_convolve`.

    K: (T or longer, D, H), x: (T, B, D). Returns y (T, B, H).
    """
    return np.stack([sum(x[t - j] @ K[j] for j in range(t + 1)) for t in range(len(x))])


def fft_convolve(K: np.ndarray, x: np.ndarray) -> np.ndarray:
    """The same by the fast Fourier transform, in about T log T: the product of two spectra.

    Both are filled up with zeros to 2T, or else the end would run on into the beginning.
    """
    T = len(x)
    n = 1 << (2 * T - 1).bit_length()  # a power of two, at least 2T − 1
    spectrum = np.fft.rfft(x, n, axis=0) @ np.fft.rfft(K[:T], n, axis=0)  # a product a frequency
    return np.fft.irfft(spectrum, n, axis=0)[:T].astype(x.dtype)
