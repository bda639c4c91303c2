"""The selective recurrence of Mamba: the input decides what is kept and written.

    Δ_t = softplus(u_t W_dt + b_dt)         how far time moves on, for each channel       (B, H)
    B_t = u_t W_B,   C_t = u_t W_C          what is written where, what is read           (B, N)
    a_t = exp(Δ_t A),   A = −exp(A_log)     what is kept of each number of the state   (B, H, N)
    h_t = a_t ⊙ h_{t−1} + φ_t B_t u_t       φ_t = Δ_t, or exactly (a_t − 1)/A          (B, H, N)
    y_t = Σ_n C_tn h_tn + D ⊙ u_t                                                         (B, H)

Nothing here reads h_{t−1} but the recurrence itself, so all a_t and b_t are known before it starts
and a scan runs it. The block around it has an inner width H, a short causal convolution with one
filter for each channel, and an output gate; each can be left out, and so can the dependence of Δ,
B or C on the input: a parameter "W_dt", "W_B" or "W_C" that is missing means a fixed Δ, B or C.

It stands here three times: `selective_step` as on paper; `selective_loop` and `selective_bptt`, a
whole sequence and back in plain loops; and `selective_forward` and `selective_backward` on a scan.
Shapes: T time steps, B batch, D inputs of the block, H channels, N numbers of state a channel, K
taps of the convolution. u is (T, B, H), h is (T, B, H, N).
Source: Gu & Dao (2023), algorithm 2 and section 3.4; their D is H here, and their E·D as well.
"""

from typing import NamedTuple

import numpy as np

from .activations import sigmoid
from .checks import check_finite, check_floats, check_positive, check_shape, check_sizes
from .linear_recurrence import run_scan, run_scan_backward

# --- Pieces -------------------------------------------------------------------------------------


def softplus(s):
    """ln(1 + e^s): positive, about e^s far on the left and about s far on the right."""
    return np.maximum(s, 0) + np.log1p(np.exp(-np.abs(s)))


def dsoftplus(delta):
    """dΔ/ds for Δ = softplus(s), from the output: σ(s) = 1 − e^{−Δ}."""
    return -np.expm1(-delta)


def silu(a):
    """a σ(a): the smooth relative of relu that Mamba uses twice."""
    return a * sigmoid(a)


def dsilu(a):
    """σ(a) (1 + a (1 − σ(a))): from the input, for two inputs can share one output."""
    s = sigmoid(a)
    return s * (1 + a * (1 - s))


def discretise(delta: np.ndarray, A: np.ndarray, exact: bool = False):
    """From h′ = A h + B u to a step of length Δ: a = exp(ΔA), and φ, the weight of the input.

    delta: (…, H), A: (H, N). Returns a and φ, both (…, H, N). exact: φ = (exp(ΔA) − 1)/A, what the
    equation gives if u is held for the whole step (zero-order hold). Otherwise φ = Δ, its limit for
    small ΔA, as Mamba's own code has it.
    """
    z = delta[..., None] * A
    if not exact:
        return np.exp(z), np.broadcast_to(delta[..., None], z.shape)
    ratio = np.expm1(z) / np.where(z == 0, 1, z)  # (e^z − 1)/z, without loss of digits near 0
    return np.exp(z), delta[..., None] * np.where(z == 0, 1, ratio)


def discretise_backward(delta, A, a, phi, da, dphi, exact: bool = False):
    """Back through `discretise`.

        a = e^{ΔA}:           ∂a/∂Δ = A a      A ∂a/∂A = ΔA a
        φ = (e^{ΔA} − 1)/A:   ∂φ/∂Δ = a        A ∂φ/∂A = Δ a − φ
        φ = Δ:                ∂φ/∂Δ = 1        A ∂φ/∂A = 0

    da, dphi: (…, H, N). Returns ddelta (…, H) and dA_log (…, H, N) for A = −exp(A_log), whose
    derivative by A_log is A itself, so that nothing is divided by A.
    """
    through_a = da * a * A
    ddelta = sum_over_state(through_a + (dphi * a if exact else dphi))
    dA_log = through_a * delta[..., None]
    if exact:
        dA_log = dA_log + dphi * (delta[..., None] * a - phi)
    return ddelta, dA_log


# --- As on paper --------------------------------------------------------------------------------


def selective_step(params: dict, u_t: np.ndarray, h_prev: np.ndarray, exact: bool = False):
    """One step, as on paper: the input chooses Δ, B and C; then the state moves on.

    u_t: (B, H), h_prev: (B, H, N). Returns y_t (B, H) and h_t (B, H, N).
    Source: Gu & Dao (2023), algorithm 2.
    """
    delta = softplus(u_t @ params["W_dt"] + params["b_dt"])  # (B, H)
    B_t, C_t = u_t @ params["W_B"], u_t @ params["W_C"]  # (B, N), for all channels
    a, phi = discretise(delta, -np.exp(params["A_log"]), exact)  # (B, H, N)
    h = a * h_prev + phi * B_t[:, None, :] * u_t[:, :, None]
    y = (h * C_t[:, None, :]).sum(axis=-1) + params["D"] * u_t
    return y, h


def selective_loop(params: dict, u: np.ndarray, h_0: np.ndarray, exact: bool = False):
    """The whole sequence, step by step, keeping what the way back needs.

    u: (T, B, H), h_0: (B, H, N). Returns y (T, B, H), the last state, and the list of steps.
    """
    h, ys, steps = h_0, [], []
    for u_t in u:
        h_prev = h
        delta = softplus(u_t @ params["W_dt"] + params["b_dt"])
        B_t, C_t = u_t @ params["W_B"], u_t @ params["W_C"]
        a, phi = discretise(delta, -np.exp(params["A_log"]), exact)
        h = a * h_prev + phi * B_t[:, None, :] * u_t[:, :, None]
        ys.append((h * C_t[:, None, :]).sum(axis=-1) + params["D"] * u_t)
        steps.append((h_prev, delta, B_t, C_t, a, phi, h))
    return np.stack(ys), h, steps


def selective_step_backward(params: dict, u_t, step, dy_t, dh, exact: bool = False):
    """Back through one step. dy_t: (B, H); dh: (B, H, N), what arrives at h_t from the step after.

    step: what `selective_loop` kept. Returns this step's grads, du_t (B, H), dh_prev (B, H, N).
    """
    h_prev, delta, B_t, C_t, a, phi, h = step
    dh = dh + dy_t[:, :, None] * C_t[:, None, :]  # y_t = Σ_n C_tn h_tn + D ⊙ u_t
    dC = (dy_t[:, :, None] * h).sum(axis=1)  # all channels share C_t, and so they add up
    da = dh * h_prev  # h_t = a_t ⊙ h_{t−1} + φ_t B_t u_t
    dphi = dh * B_t[:, None, :] * u_t[:, :, None]
    dB = (dh * phi * u_t[:, :, None]).sum(axis=1)
    du = dy_t * params["D"] + (dh * phi * B_t[:, None, :]).sum(axis=2)
    A = -np.exp(params["A_log"])
    ddelta, dA_log = discretise_backward(delta, A, a, phi, da, dphi, exact)
    ds = ddelta * dsoftplus(delta)
    grads = {"A_log": dA_log.sum(axis=0), "D": (dy_t * u_t).sum(axis=0), "b_dt": ds.sum(axis=0)}
    for name, d in (("W_dt", ds), ("W_B", dB), ("W_C", dC)):  # three products with u_t
        grads[name] = u_t.T @ d
        du = du + d @ params[name].T
    return grads, du, dh * a


def selective_bptt(params: dict, u, steps, dy, dh_T, exact: bool = False):
    """Back through `selective_loop`, from the last step to the first.

    dy: (T, B, H), dh_T: (B, H, N), what comes to the last state from beyond, or zeros. Returns
    grads (keys as in params), du (T, B, H), dh_0 (B, H, N).
    """
    grads = {name: np.zeros_like(array) for name, array in params.items()}
    du, dh = np.empty_like(u), dh_T
    for t in reversed(range(len(u))):
        here, du[t], dh = selective_step_backward(params, u[t], steps[t], dy[t], dh, exact)
        for name in grads:
            grads[name] += here[name]
    return grads, du, dh


def sum_over_state(x, weights=None):
    """Σ_n x_…n w_…n over the last axis, of length N: (…, H, N) → (…, H).

    weights: (N,) or (…, 1, N), one row for all channels; or (H, N); or None for ones.
    """
    if weights is None or weights.ndim == 2:
        x, weights = (x if weights is None else x * weights), np.ones(x.shape[-1], x.dtype)
    # speed: a product is 7 to 30 times as fast as NumPy's sum over an axis that is short and last.
    return x @ weights if weights.ndim == 1 else (x @ weights.swapaxes(-1, -2))[..., 0]


# --- On a scan ----------------------------------------------------------------------------------


def init_selective(
    H: int, N: int, rng, *, dt=(0.001, 0.1), choose: str = "dt B C", dtype=np.float32
) -> dict:
    """Parameters of the recurrence: A_log (H, N), D (H,), b_dt (H,), and W_dt, W_B, W_C.

    A = −1, −2, …, −N in each channel; Δ without an input is spread log-uniformly over the interval
    `dt`. choose: which of dt, B and C the input chooses; B or C that it does not choose are
    parameters (H, N), and a Δ that it does not choose is softplus(b_dt) at every step.
    Raises: ValueError if a size is not a positive integer, dt no interval of positive numbers, or
    choose names something else.
    Source: Gu & Dao (2023), section 3.6, whose W_dt has low rank; this one is full.
    """
    check_sizes(H=H, N=N)
    low, high = dt
    check_positive("dt[0]", low)
    check_positive("dt[1]", high)
    if low > high:
        raise ValueError(f"dt must be an interval, low first, got {dt}")
    chosen = choose.split()
    if not set(chosen) <= {"dt", "B", "C"}:
        raise ValueError(f"choose may name dt, B and C, got {choose!r}")
    at_rest = np.exp(rng.uniform(np.log(low), np.log(high), H))
    params = {
        "A_log": np.tile(np.log(np.arange(1, N + 1)), (H, 1)),
        "D": np.ones(H),
        "b_dt": at_rest + np.log(-np.expm1(-at_rest)),  # the inverse of softplus
    }
    bound = 1 / np.sqrt(H)
    if "dt" in chosen:
        params["W_dt"] = rng.uniform(-bound, bound, (H, H))
    for name in ("B", "C"):
        if name in chosen:
            params[f"W_{name}"] = rng.uniform(-bound, bound, (H, N))
        else:
            params[name] = rng.normal(size=(H, N)) / (np.sqrt(N) if name == "C" else 1)
    return {name: np.asarray(array, dtype) for name, array in params.items()}


class Cache(NamedTuple):
    """What `selective_backward` needs: inputs, and all that was computed at each step."""

    u: np.ndarray
    h_0: np.ndarray
    delta: np.ndarray
    B: np.ndarray
    C: np.ndarray
    a: np.ndarray
    phi: np.ndarray
    h: np.ndarray


def check_selective(params: dict, u, h_0) -> None:
    """All that can be wrong with the arguments of `selective_forward`, said in words."""
    check_shape("params['A_log']", params["A_log"], ("H", "N"))
    H, N = params["A_log"].shape
    check_shape("u", u, ("T", "B", H))
    shapes = {"D": (H,), "b_dt": (H,), "W_dt": (H, H)}
    for name in ("B", "C"):
        if (name in params) == (f"W_{name}" in params):
            raise ValueError(f"params need either {name!r} or 'W_{name}', got {sorted(params)}")
        shapes |= {name: (H, N), f"W_{name}": (H, N)}
    known = {name: shape for name, shape in shapes.items() if name in params or name in "D b_dt"}
    for name, shape in known.items():
        check_shape(f"params[{name!r}]", params[name], shape)
    if h_0 is not None:
        check_shape("h_0", h_0, (u.shape[1], H, N))
        check_finite("h_0", h_0)
    check_floats(u=u, h_0=h_0, A_log=params["A_log"], **{name: params[name] for name in known})
    check_finite("u", u)


def selective_forward(params: dict, u: np.ndarray, h_0=None, exact: bool = False):
    """The selective recurrence over a whole sequence: all a_t and b_t first, then one scan.

    u: (T, B, H); h_0: (B, H, N), or None for zeros; exact: see `discretise`. Returns y (T, B, H),
    the last state (B, H, N), and a cache for `selective_backward`.
    Raises: ValueError for wrong shapes, mixed dtypes or numbers that are not finite.
    """
    check_selective(params, u, h_0)
    if h_0 is None:
        h_0 = np.zeros((u.shape[1], *params["A_log"].shape), u.dtype)
    s = u @ params["W_dt"] + params["b_dt"] if "W_dt" in params else params["b_dt"]
    delta = np.broadcast_to(softplus(s), u.shape)
    # (T, B, 1, N) where the input chooses, one row for all channels; else (H, N) for all steps.
    B, C = ((u @ params[f"W_{n}"])[:, :, None] if f"W_{n}" in params else params[n] for n in "BC")
    a, phi = discretise(delta, -np.exp(params["A_log"]), exact)
    h = run_scan(a, phi * B * u[..., None], h_0)
    y = sum_over_state(h, C) + params["D"] * u
    return y, h[-1].copy(), Cache(u, h_0, delta, B, C, a, phi, h)


def selective_backward(params: dict, cache: Cache, dy, dh_T=None, exact: bool = False):
    """Back through `selective_forward`: the scan runs backwards, all else is one line an equation.

    dy: (T, B, H) or None for zeros; dh_T: (B, H, N), the gradient of the last state, or None.
    Returns grads (keys as in params), du (T, B, H), dh_0 (B, H, N).
    Raises: ValueError for wrong shapes or mixed dtypes, or if both gradients are None.
    """
    u, h_0, delta, B, C, a, phi, h = cache
    if dy is None and dh_T is None:
        raise ValueError("backward needs dy, dh_T or both: with neither there is no gradient")
    dy = np.zeros_like(u) if dy is None else dy
    check_shape("dy", dy, u.shape)
    check_floats(u=u, dy=dy, dh_T=dh_T)
    dh = dy[..., None] * C
    if dh_T is not None:
        check_shape("dh_T", dh_T, h_0.shape)
        dh[-1] += dh_T
    da, db, dh_0 = run_scan_backward(a, h, h_0, dh)  # from here on nothing waits for another step

    through_B = db * B
    ddelta, dA_log = discretise_backward(
        delta, -np.exp(params["A_log"]), a, phi, da, through_B * u[..., None], exact
    )
    ds = ddelta * dsoftplus(delta)
    du = dy * params["D"] + sum_over_state(db * phi, B)
    grads = {
        "A_log": dA_log.sum(axis=(0, 1)),
        "D": (dy * u).sum(axis=(0, 1)),
        "b_dt": ds.sum(axis=(0, 1)),
    }
    if "W_dt" in params:
        grads["W_dt"], back = product_backward(params["W_dt"], u, ds)
        du += back
    for name, left, right in (("B", u, db * phi), ("C", dy, h)):
        if name in params:
            grads[name] = (left[..., None] * right).sum(axis=(0, 1))
        else:  # Σ over the channels, which share one B and one C: a product for each t and b
            d = (left[:, :, None] @ right)[:, :, 0]
            grads[f"W_{name}"], back = product_backward(params[f"W_{name}"], u, d)
            du += back
    return {name: grads[name] for name in params if name in grads}, du, dh_0


def product_backward(W, x, dz):
    """Back through z = x W: dW = Σ xᵀ dz over all leading dimensions, and dx = dz Wᵀ."""
    return x.reshape(-1, len(W)).T @ dz.reshape(-1, W.shape[1]), dz @ W.T


# --- The block: convolution before it, a gate behind it -----------------------------------------


def conv_forward(W: np.ndarray, b: np.ndarray, x: np.ndarray, tail: np.ndarray):
    """A causal convolution with a filter for each channel: z_t = b + Σ_j W[j] ⊙ x_{t−j}.

    W: (K, H), W[0] for now; x: (T, B, H); tail: (K−1, B, H), the inputs before x, oldest first.
    Returns z (T, B, H), and x with the tail before it, for `conv_backward`.
    """
    T, past = len(x), len(W) - 1
    longer = np.concatenate([tail, x])
    z = b + sum(W[j] * longer[past - j : past - j + T] for j in range(len(W)))
    return z, longer


def conv_backward(W: np.ndarray, longer: np.ndarray, dz: np.ndarray):
    """Back through `conv_forward`: dW, db, and the gradients of x and of the tail."""
    T, past = len(dz), len(W) - 1
    dlonger, dW = np.zeros_like(longer), np.empty_like(W)
    for j in range(len(W)):
        here = slice(past - j, past - j + T)
        dW[j] = (dz * longer[here]).sum(axis=(0, 1))
        dlonger[here] += W[j] * dz
    return dW, dz.sum(axis=(0, 1)), dlonger[past:], dlonger[:past]


def init_block(
    D: int, H: int, N: int, rng, *, K: int = 4, gate: bool = True, choose: str = "dt B C",
    dt=(0.001, 0.1), dtype=np.float32,
) -> dict:  # fmt: skip
    """Parameters of a block: W_in (D, H), the recurrence, W_out (H, D), and what is not left out.

    K: taps of the convolution, W_conv (K, H) and b_conv (H,); 1 leaves it out. gate: W_gate (D, H).
    Raises: ValueError as `init_selective`.
    """
    check_sizes(D=D, H=H, N=N, K=K)

    def uniform(n_in, *shape):
        return rng.uniform(-1, 1, shape).astype(dtype) / dtype(np.sqrt(n_in))

    params = {"W_in": uniform(D, D, H), "W_out": uniform(H, H, D)}
    if K > 1:
        params |= {"W_conv": uniform(K, K, H), "b_conv": uniform(K, H)}
    if gate:
        params["W_gate"] = uniform(D, D, H)
    return params | init_selective(H, N, rng, dt=dt, choose=choose, dtype=dtype)


def block_forward(params: dict, x: np.ndarray, state=None, exact: bool = False):
    """Mamba's block: a product, the convolution, SiLU, the recurrence, the gate, a product.

        v_t = x_t W_in,   c_t = conv(v)_t,   u_t = silu(c_t),   y = selective(u)
        out_t = (y_t ⊙ silu(x_t W_gate)) W_out

    x: (T, B, D); state: (h (B, H, N), the last K − 1 of v (K−1, B, H)), or None for zeros. Without
    W_conv in params c is v; without W_gate the last line is y_t W_out. Returns out (T, B, D), the
    last state, and a cache for `block_backward`.
    Raises: ValueError as `selective_forward`.
    Source: Gu & Dao (2023), figure 3.
    """
    check_shape("params['W_in']", params["W_in"], ("D", "H"))
    check_shape("x", x, ("T", "B", len(params["W_in"])))
    check_floats(x=x, W_in=params["W_in"])
    has_conv, (h_0, tail) = "W_conv" in params, state or (None, None)
    v = x @ params["W_in"]
    if tail is None:
        tail = np.zeros((len(params["W_conv"]) - 1 if has_conv else 0, *v.shape[1:]), v.dtype)
    c, longer = v, np.concatenate([tail, v])
    if has_conv:
        check_shape("tail", longer[: len(tail)], (len(params["W_conv"]) - 1, *v.shape[1:]))
        c, longer = conv_forward(params["W_conv"], params["b_conv"], v, tail)
    y, h_T, cache = selective_forward(params, silu(c), h_0, exact)
    g = x @ params["W_gate"] if "W_gate" in params else None
    shown = y if g is None else y * silu(g)
    last = longer[len(longer) - len(tail) :].copy()
    return shown @ params["W_out"], (h_T, last), (x, longer, c, g, y, shown, cache)


def block_backward(params: dict, cache, dout, dstate=None, exact: bool = False):
    """Back through `block_forward`, from the last product to the first.

    dout: (T, B, D); dstate: as the state, or None. Returns grads (keys as in params), dx (T, B, D),
    and the gradient of the initial state.
    Raises: ValueError for wrong shapes or mixed dtypes.
    """
    x, longer, c, g, y, shown, inner = cache
    dh_T, dlast = dstate or (None, None)
    check_shape("dout", dout, x.shape)
    check_floats(x=x, dout=dout)
    grads, dx = {}, np.zeros_like(x)
    grads["W_out"], dshown = product_backward(params["W_out"], shown, dout)
    dy = dshown
    if g is not None:
        dy = dshown * silu(g)
        grads["W_gate"], dx = product_backward(params["W_gate"], x, dshown * y * dsilu(g))
    inner_grads, du, dh_0 = selective_backward(params, inner, dy, dh_T, exact)
    dv, dtail = du * dsilu(c), np.zeros_like(longer[:0])
    past = len(longer) - len(x)
    if "W_conv" in params:
        grads["W_conv"], grads["b_conv"], dv, dtail = conv_backward(params["W_conv"], longer, dv)
    if dlast is not None:
        check_shape("dstate[1]", dlast, longer[:past].shape) if past else None
        dlonger = np.concatenate([dtail, dv])
        dlonger[len(dlonger) - past :] += dlast
        dtail, dv = dlonger[:past], dlonger[past:]
    grads["W_in"], back = product_backward(params["W_in"], x, dv)
    return {name: (grads | inner_grads)[name] for name in params}, dx + back, (dh_0, dtail)


def half_life(a: np.ndarray) -> np.ndarray:
    """After how many steps like this one half of the state is left: ln ½ / ln a, for 0 < a < 1."""
    return np.log(0.5) / np.log(a)
