"""The second check of a gradient: PyTorch, from the same weights.

Finite differences prove the backward pass against our own forward pass. PyTorch proves both: it is
another program, by other people. This is the only module of the package that imports torch.
"""

from functools import partial

import numpy as np
import torch

from . import unroll
from .gradcheck import absolute_error, check_pair, random_problem

LAYERS = {
    "rnn": torch.nn.RNN,
    "rnn_relu": partial(torch.nn.RNN, nonlinearity="relu"),
    "lstm": torch.nn.LSTM,
    "gru": torch.nn.GRU,
}
PAIRS = {"W_xh": "weight_ih", "W_hh": "weight_hh", "b_h": "bias_ih"}


def to_torch(cell, params: dict) -> torch.nn.Module:
    """A torch.nn layer, or stack of layers, with our weights: parity is a transpose.

    torch keeps weight_ih (kH, D), the transpose of W_xh, and two biases per gate. They are only
    ever added, so ours goes into the first and the second is zero: but for the GRU, whose second
    bias of n stands inside the reset and is our b_n.
    Raises: ValueError if torch has no layer for this cell.
    """
    if cell.name not in LAYERS:
        raise ValueError(f"torch.nn has no layer for cell {cell.name!r}; known: {sorted(LAYERS)}")
    if "W_xh" in params:  # one layer is a stack of one
        params = {f"{name}_l0": array for name, array in params.items()}
    D, H = len(params["W_xh_l0"]), len(params["W_hh_l0"])
    suffixes = [name.removeprefix("W_hh") for name in params if name.startswith("W_hh_l")]
    both = any(suffix.endswith("_reverse") for suffix in suffixes)
    layer = LAYERS[cell.name](
        D, H, num_layers=len(suffixes) // (1 + both), bidirectional=both,
        dtype=torch.from_numpy(params["W_xh_l0"]).dtype,
    )  # fmt: skip
    with torch.no_grad():
        for suffix in suffixes:
            theirs = {name: getattr(layer, name + suffix) for name in (*PAIRS.values(), "bias_hh")}
            for ours, name in PAIRS.items():
                theirs[name].copy_(torch.from_numpy(params[ours + suffix].T))
            theirs["bias_hh"].zero_()
            if "b_n" + suffix in params:
                theirs["bias_hh"][-H:] = torch.from_numpy(params["b_n" + suffix])
    return layer


def compare_cell(cell, T: int = 7, B: int = 3, D: int = 4, H: int = 5, seed: int = 0) -> dict:
    """Largest absolute difference to torch.nn: outputs, final state, and every gradient, by name.

    Runs in float64 from the same weights, with a random cotangent at every step and on the final
    state.
    Raises: ValueError if torch has no layer for this cell or a size is not a positive integer;
    NonFiniteError that names the array in which we or torch have NaN or infinity.
    """
    params, x, state, R, S = random_problem(cell, T, B, D, H, seed)
    hs, final, cache = unroll.forward(cell, params, x, state)
    grads, dx, dstate = unroll.backward(cell, params, cache, R, S)

    layer = to_torch(cell, params)
    tx = torch.tensor(x, requires_grad=True)
    tstate = [torch.tensor(s[None], requires_grad=True) for s in state]  # torch: (layers, B, H)
    ths, tfinal = layer(tx, tstate[0] if cell.n_states == 1 else tuple(tstate))
    tfinal = (tfinal,) if cell.n_states == 1 else tfinal
    loss = (torch.tensor(R) * ths).sum()
    for s, f in zip(S, tfinal):
        loss = loss + (torch.tensor(s) * f[0]).sum()
    loss.backward()

    pairs = {
        "hs": (hs, ths),
        "dx": (dx, tx.grad),
        "dW_xh": (grads["W_xh"], layer.weight_ih_l0.grad.T),
        "dW_hh": (grads["W_hh"], layer.weight_hh_l0.grad.T),
        "db_h": (grads["b_h"], layer.bias_ih_l0.grad),
    }
    if "b_n" in params:
        pairs["db_n"] = (grads["b_n"], layer.bias_hh_l0.grad[-len(params["b_n"]) :])
    for i in range(cell.n_states):
        pairs[f"state[{i}]"] = (final[i], tfinal[i][0])
        pairs[f"dstate[{i}]"] = (dstate[i], tstate[i].grad[0])
    errors = {}
    for name, (ours, theirs) in pairs.items():
        theirs = theirs.detach().numpy()
        check_pair(name, ours, f"torch's {name}", theirs)
        errors[name] = absolute_error(ours, theirs)
    return errors


def from_torch(cell, layer: torch.nn.Module) -> dict:
    """The inverse of to_torch, also after training: our names and layout, W_xh_l0, ….

    torch's two biases of a gate become one, their sum; but for the GRU, where the second bias of n
    is our b_n.
    """
    theirs = {name: p.detach().cpu().numpy() for name, p in layer.named_parameters()}
    params, H = {}, layer.hidden_size
    for name, array in theirs.items():
        kind, _, suffix = name.partition("_l")
        ours = {theirs: ours for ours, theirs in PAIRS.items()}.get(kind)
        if ours is None:  # bias_hh, added below
            continue
        params[f"{ours}_l{suffix}"] = np.ascontiguousarray(array.T)
        if ours == "b_h":
            second = theirs[f"bias_hh_l{suffix}"]
            params[f"b_h_l{suffix}"] = array + second
            if "b_n" in cell.own:
                params[f"b_h_l{suffix}"][-H:] = array[-H:]
                params[f"b_n_l{suffix}"] = second[-H:].copy()
    return params
