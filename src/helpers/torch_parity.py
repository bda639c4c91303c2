"""The second proof of a gradient: PyTorch, from the same weights.

Finite differences prove the backward pass against our own forward pass. PyTorch proves both: it is
another program, by other people. This is the only module of the package that imports torch.
"""

from functools import partial

import numpy as np
import torch

from . import unroll
from .gradcheck import random_problem

LAYERS = {"rnn": torch.nn.RNN, "rnn_relu": partial(torch.nn.RNN, nonlinearity="relu")}


def to_torch(cell, params: dict) -> torch.nn.Module:
    """A torch.nn layer with our weights: parity is a transpose.

    torch keeps weight_ih (kH, D), the transpose of W_xh, and two biases per gate that are only ever
    added; ours goes into the first and the second is zero.
    Raises: ValueError if torch has no layer for this cell.
    """
    if cell.name not in LAYERS:
        raise ValueError(f"torch.nn has no layer for cell {cell.name!r}; known: {sorted(LAYERS)}")
    D, H = params["W_xh"].shape[0], params["W_hh"].shape[0]
    layer = LAYERS[cell.name](D, H, dtype=torch.from_numpy(params["W_xh"]).dtype)
    with torch.no_grad():
        layer.weight_ih_l0.copy_(torch.from_numpy(params["W_xh"].T))
        layer.weight_hh_l0.copy_(torch.from_numpy(params["W_hh"].T))
        layer.bias_ih_l0.copy_(torch.from_numpy(params["b_h"]))
        layer.bias_hh_l0.zero_()
    return layer


def compare_cell(cell, T: int = 7, B: int = 3, D: int = 4, H: int = 5, seed: int = 0) -> dict:
    """Largest absolute difference to torch.nn: outputs, final state, and every gradient, by name.

    Runs in float64 from the same weights, with a random cotangent at every step and on the final
    state.
    Raises: ValueError if torch has no layer for this cell or a size is not a positive integer.
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
    for i in range(cell.n_states):
        pairs[f"state[{i}]"] = (final[i], tfinal[i][0])
        pairs[f"dstate[{i}]"] = (dstate[i], tstate[i].grad[0])
    return {
        name: float(np.abs(ours - theirs.detach().numpy()).max())
        for name, (ours, theirs) in pairs.items()
    }
