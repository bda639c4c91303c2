"""Long short-term memory, and its relatives: each a small variation.

    i, f, o = σ(a_i), σ(a_f), σ(a_o)     input, forget (keep) and output gate, each (B, H)
    g = tanh(a_g)                        the candidate: what would be written
    c_t = f ⊙ c_{t−1} + i ⊙ g            the cell state: what is kept, plus what is written
    h_t = o ⊙ tanh(c_t)                  the hidden state: what is shown

with a = x_t W_xh + b_h + h_{t−1} W_hh in blocks of H columns, in torch's order i, f, g, o. The
state is (h, c). It stands here three times: `lstm_step` as on paper; `lstm_loop` and `lstm_bptt`, a
whole sequence and back in plain loops; and `LSTM`, which `unroll` runs fast, with its variants.

Shapes: T time steps, B batch, D input features, H hidden units; a letter is one block (B, H), or
(T, B, H) in the slopes.
"""

import numpy as np

from .activations import dsigmoid, dtanh, sigmoid
from .checks import check_shape
from .rnn import Cell

# --- The LSTM as on paper -----------------------------------------------------------------------


def lstm_step(params: dict, x_t: np.ndarray, h_prev: np.ndarray, c_prev: np.ndarray):
    """One step, as on paper: four gates, the cell c_t, the hidden state h_t.

    x_t: (B, D), h_prev and c_prev: (B, H). Returns h_t and c_t, (B, H) each.
    Source: Hochreiter & Schmidhuber (1997), with the forget gate of Gers et al. (2000).
    """
    a = x_t @ params["W_xh"] + h_prev @ params["W_hh"] + params["b_h"]
    a_i, a_f, a_g, a_o = np.split(a, 4, axis=-1)
    i, f, o = sigmoid(a_i), sigmoid(a_f), sigmoid(a_o)
    g = np.tanh(a_g)
    c = f * c_prev + i * g
    h = o * np.tanh(c)
    return h, c


def lstm_loop(params: dict, x: np.ndarray, h_0: np.ndarray, c_0: np.ndarray):
    """The whole sequence, step by step, keeping what the way back needs.

    x: (T, B, D), h_0 and c_0: (B, H). Returns hs and cs, (T, B, H) each, and the list of steps.
    """
    h, c, hs, cs, steps = h_0, c_0, [], [], []
    for x_t in x:
        h_prev, c_prev = h, c
        a = x_t @ params["W_xh"] + h_prev @ params["W_hh"] + params["b_h"]
        a_i, a_f, a_g, a_o = np.split(a, 4, axis=-1)
        i, f, g, o = sigmoid(a_i), sigmoid(a_f), np.tanh(a_g), sigmoid(a_o)
        c = f * c_prev + i * g
        h = o * np.tanh(c)
        hs.append(h)
        cs.append(c)
        steps.append((h_prev, c_prev, i, f, g, o, c))
    return np.stack(hs), np.stack(cs), steps


def lstm_bptt(params: dict, x, steps, dhs, dh_T, dc_T):
    """Back through `lstm_loop`, from the last step to the first: a gradient from every step.

    dhs: (T, B, H), what the loss sends straight to each h_t; dh_T and dc_T: (B, H), what comes to
    the last state from beyond, or zeros. Returns grads (W_xh, W_hh, b_h), dx (T, B, D), and dh_0
    and dc_0, (B, H) each.
    """
    grads = {name: np.zeros_like(params[name]) for name in ("W_xh", "W_hh", "b_h")}
    dx, dh, dc = np.zeros_like(x), dh_T, dc_T
    for t in reversed(range(len(x))):
        h_prev, c_prev, i, f, g, o, c = steps[t]
        dh = dh + dhs[t]  # from the step after, and from the loss
        dc = dc + dh * o * (1 - np.tanh(c) ** 2)  # from the step after, and through h_t
        da_i = dc * g * i * (1 - i)
        da_f = dc * c_prev * f * (1 - f)
        da_g = dc * i * (1 - g**2)
        da_o = dh * np.tanh(c) * o * (1 - o)
        da = np.concatenate([da_i, da_f, da_g, da_o], axis=-1)
        grads["W_xh"] += x[t].T @ da
        grads["W_hh"] += h_prev.T @ da
        grads["b_h"] += da.sum(axis=0)
        dx[t] = da @ params["W_xh"].T
        dh, dc = da @ params["W_hh"].T, dc * f  # on to the step before
    return grads, dx, dh, dc


# --- The LSTM, fast -----------------------------------------------------------------------------


def lstm_forward(a, ah, prev, new):
    """One step: the four gates, then c_t = f ⊙ c_{t−1} + i ⊙ g and h_t = o ⊙ tanh(c_t).

    a: (5, B, H), the input's part of i, f, g, o, and room for tanh(c_t); ah: (4, B, H), the
    recurrent part; prev = (h_{t−1}, c_{t−1}), new = (h_t, c_t). Filled in place, where it stays.
    """
    h, c = new
    i, f, g, o, tanh_c = a
    a[:4] += ah
    a[:2] = sigmoid(a[:2])  # i and f
    g[:] = np.tanh(g)
    o[:] = sigmoid(o)
    c[:] = f * prev[1] + i * g
    tanh_c[:] = np.tanh(c)
    h[:] = o * tanh_c


def lstm_slopes(a, states):
    """For all steps at once: ∂c_t/∂a of i, f, g and ∂h_t/∂a_o; beside them ∂h_t/∂c_t, and f."""
    _, c = states
    i, f, g, o, tanh_c = a
    slopes = np.empty_like(a[:4])  # speed: filled, not stacked, which would copy them
    slopes[0] = g * dsigmoid(i)
    slopes[1] = c[:-1] * dsigmoid(f)
    slopes[2] = i * dtanh(g)
    slopes[3] = tanh_c * dsigmoid(o)
    return slopes, (o * dtanh(tanh_c), f)


def lstm_backward(dstate, da, factors):
    """One step back: what reaches c_t, then every gate; c_{t−1} gets dc_t ⊙ f, and no weight.

        dc_t ← dc_t + dh_t ⊙ o ⊙ (1 − tanh² c_t)      da_o = dh_t ⊙ …,  da_i, da_f, da_g = dc_t ⊙ …

    The same for every cell below whose last gate is o.
    """
    dh, dc = dstate
    through_h, f = factors
    dc = dc + dh * through_h
    da[:-1] *= dc
    da[-1] *= dh
    return None, dc * f


# Hochreiter & Schmidhuber (1997), with the forget gate of Gers et al. (2000).
LSTM = Cell("lstm", "ifgo", 2, lstm_forward, lstm_slopes, lstm_backward, n_kept=1, step=lstm_step)


def set_forget_bias(cell: Cell, params: dict, bias: float) -> dict:
    """Set the forget gate's part of b_h to `bias`, in place; the other biases stay. Returns params.

    A new LSTM has f ≈ σ(0) = ½: it halves its memory at every step. With a bias of 1 it starts with
    f ≈ 0.73, with 3 at 0.95: it remembers until it learns to forget.
    Raises: ValueError if the cell has no forget gate or the shapes do not fit.
    Source: Gers et al. (2000); Jozefowicz et al. (2015) measured what it is worth.
    """
    if "f" not in cell.gates:
        raise ValueError(f"cell {cell.name!r} has no forget gate; its gates are {cell.gates!r}")
    H = len(params["W_hh"])
    check_shape("params['b_h']", params["b_h"], (cell.n_gates * H,))
    params["b_h"].reshape(cell.n_gates, H)[cell.gates.index("f")] = bias
    return params


# --- Variants -----------------------------------------------------------------------------------


def peephole_forward(a, ah, prev, new, p_i, p_f, p_o):
    """The gates also see the cell: i and f see c_{t−1} ⊙ p, and o, which is later, sees c_t ⊙ p."""
    h, c = new
    i, f, g, o, tanh_c = a
    a[:4] += ah
    i[:] = sigmoid(i + prev[1] * p_i)
    f[:] = sigmoid(f + prev[1] * p_f)
    g[:] = np.tanh(g)
    c[:] = f * prev[1] + i * g
    o[:] = sigmoid(o + c * p_o)
    tanh_c[:] = np.tanh(c)
    h[:] = o * tanh_c


def peephole_slopes(a, states, p_i, p_f, p_o):
    """Those of the LSTM: what the cell feeds into the gates is settled on the way back."""
    return lstm_slopes(a, states)


def peephole_backward(dstate, da, factors, p_i, p_f, p_o):
    """As in the LSTM, and c_t also hears from o, c_{t−1} from i and f."""
    dh, dc = dstate
    through_h, f = factors
    da[3] *= dh
    dc = dc + dh * through_h + da[3] * p_o
    da[:3] *= dc
    return None, dc * f + da[0] * p_i + da[1] * p_f


def peephole_finish(da, states, factors):
    """Gradient of a peephole: what reaches its gate, times the cell it sees, over all steps."""
    c = states[1]
    before, after = c[:-1].reshape(da[0].shape), c[1:].reshape(da[0].shape)
    seen = {"p_i": (da[0], before), "p_f": (da[1], before), "p_o": (da[3], after)}
    return {name: (gate * cell).sum(axis=0) for name, (gate, cell) in seen.items()}


# Gers & Schmidhuber (2000): p_i, p_f, p_o are (H,), a cell is seen by its own gates only.
PEEPHOLE = Cell(
    "peephole", "ifgo", 2, peephole_forward, peephole_slopes, peephole_backward,
    n_kept=1, own=("p_i", "p_f", "p_o"), finish=peephole_finish,
)  # fmt: skip


def cifg_forward(a, ah, prev, new):
    """Coupled input and forget gate, i = 1 − f: c_t = f ⊙ c_{t−1} + (1 − f) ⊙ g."""
    h, c = new
    f, g, o, tanh_c = a
    a[:3] += ah
    f[:], g[:], o[:] = sigmoid(f), np.tanh(g), sigmoid(o)
    c[:] = f * prev[1] + (1 - f) * g
    tanh_c[:] = np.tanh(c)
    h[:] = o * tanh_c


def cifg_slopes(a, states):
    """f moves c_t from g towards c_{t−1}: its slope holds their difference."""
    _, c = states
    f, g, o, tanh_c = a
    slopes = np.stack([dsigmoid(f) * (c[:-1] - g), dtanh(g) * (1 - f), dsigmoid(o) * tanh_c])
    return slopes, (dtanh(tanh_c) * o, f)


# Greff et al. (2017) call it CIFG; the GRU does the same.
CIFG = Cell("cifg", "fgo", 2, cifg_forward, cifg_slopes, lstm_backward, n_kept=1)


# --- Ablations: the LSTM with one part taken out ------------------------------------------------


def no_forget_gate_forward(a, ah, prev, new):
    """f = 1: c_t = c_{t−1} + i ⊙ g. Nothing is ever forgotten."""
    h, c = new
    i, g, o, tanh_c = a
    a[:3] += ah
    i[:], g[:], o[:] = sigmoid(i), np.tanh(g), sigmoid(o)
    c[:] = prev[1] + i * g
    tanh_c[:] = np.tanh(c)
    h[:] = o * tanh_c


def no_forget_gate_slopes(a, states):
    """As in the LSTM, without df; c_{t−1} gets all of dc_t: the constant error carousel."""
    i, g, o, tanh_c = a
    slopes = np.stack([dsigmoid(i) * g, dtanh(g) * i, dsigmoid(o) * tanh_c])
    return slopes, (dtanh(tanh_c) * o, np.ones_like(i))


# The cell of 1997. The paper squashes g to (−2, 2) and c to (−1, 1) with scaled logistic functions.
NO_FORGET_GATE = Cell(
    "no_forget_gate", "igo", 2, no_forget_gate_forward, no_forget_gate_slopes, lstm_backward,
    n_kept=1,
)  # fmt: skip


def no_input_gate_forward(a, ah, prev, new):
    """i = 1: c_t = f ⊙ c_{t−1} + g. Everything is written."""
    h, c = new
    f, g, o, tanh_c = a
    a[:3] += ah
    f[:], g[:], o[:] = sigmoid(f), np.tanh(g), sigmoid(o)
    c[:] = f * prev[1] + g
    tanh_c[:] = np.tanh(c)
    h[:] = o * tanh_c


def no_input_gate_slopes(a, states):
    """As in the LSTM, without di, and dg with i = 1."""
    _, c = states
    f, g, o, tanh_c = a
    slopes = np.stack([dsigmoid(f) * c[:-1], dtanh(g), dsigmoid(o) * tanh_c])
    return slopes, (dtanh(tanh_c) * o, f)


NO_INPUT_GATE = Cell(
    "no_input_gate", "fgo", 2, no_input_gate_forward, no_input_gate_slopes, lstm_backward, n_kept=1
)


def no_output_gate_forward(a, ah, prev, new):
    """o = 1: h_t = tanh(c_t). All that is remembered is shown."""
    h, c = new
    i, f, g = a
    a += ah
    i[:], f[:], g[:] = sigmoid(i), sigmoid(f), np.tanh(g)
    c[:] = f * prev[1] + i * g
    h[:] = np.tanh(c)


def no_output_gate_slopes(a, states):
    """As in the LSTM, without do; ∂h_t/∂c_t = 1 − h_t²."""
    h, c = states
    i, f, g = a
    return np.stack([dsigmoid(i) * g, dsigmoid(f) * c[:-1], dtanh(g) * i]), (dtanh(h[1:]), f)


def no_output_gate_backward(dstate, da, factors):
    """Every gate hears from c_t."""
    dh, dc = dstate
    through_h, f = factors
    dc = dc + dh * through_h
    da *= dc
    return None, dc * f


NO_OUTPUT_GATE = Cell(
    "no_output_gate", "ifg", 2, no_output_gate_forward, no_output_gate_slopes,
    no_output_gate_backward,
)  # fmt: skip


def no_output_activation_forward(a, ah, prev, new):
    """h_t = o ⊙ c_t, without the tanh: nothing bounds what is shown."""
    h, c = new
    i, f, g, o = a
    a += ah
    i[:], f[:], g[:], o[:] = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
    c[:] = f * prev[1] + i * g
    h[:] = o * c


def no_output_activation_slopes(a, states):
    """As in the LSTM, with c for tanh c, so that ∂h_t/∂c_t = o."""
    _, c = states
    i, f, g, o = a
    slopes = [dsigmoid(i) * g, dsigmoid(f) * c[:-1], dtanh(g) * i, dsigmoid(o) * c[1:]]
    return np.stack(slopes), (o, f)


NO_OUTPUT_ACTIVATION = Cell(
    "no_output_activation", "ifgo", 2, no_output_activation_forward, no_output_activation_slopes,
    lstm_backward,
)  # fmt: skip

ABLATIONS = (NO_FORGET_GATE, NO_INPUT_GATE, NO_OUTPUT_GATE, NO_OUTPUT_ACTIVATION)
VARIANTS = (LSTM, PEEPHOLE, CIFG, *ABLATIONS)
