"""Pointwise nonlinearities, and their derivatives taken from *outputs*.

A recurrent layer keeps its outputs h, not its pre-activations a. So each derivative here is a
function of the output: tanh′(a) = 1 − h², σ′(a) = s(1 − s). Nothing is computed twice.

Shapes: every function is element-wise except softmax and log_softmax, which act on the last axis.
The dtype is kept.
"""

import numpy as np

tanh = np.tanh


def dtanh(h):
    """dh/da for h = tanh(a), from the output: 1 − h². At most 1, reached only at a = 0."""
    return 1 - h * h


def sigmoid(a):
    """σ(a) = 1 / (1 + e^{−a}), as (1 + tanh(a/2)) / 2: no overflow for any a."""
    return 0.5 * np.tanh(0.5 * a) + 0.5


def dsigmoid(s):
    """ds/da for s = σ(a), from the output: s (1 − s). At most 1/4."""
    return s * (1 - s)


def relu(a):
    """max(0, a)."""
    return np.maximum(a, 0)


def drelu(r):
    """dr/da for r = relu(a), from the output: 1 where r > 0, else 0 (also at the kink a = 0)."""
    return (r > 0).astype(r.dtype)


def log_softmax(logits):
    """log softmax(z)_k = z_k − log Σ_j e^{z_j}, over the last axis.

    The largest logit is subtracted first: softmax does not change, and e^{z} cannot overflow.
    """
    shifted = logits - logits.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def softmax(logits):
    """softmax(z)_k = e^{z_k} / Σ_j e^{z_j}, over the last axis: positive, sums to 1."""
    e = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def dsoftmax(p, dp):
    """Gradient of the logits for p = softmax(z): dz = p ⊙ (dp − Σ_k p_k dp_k).

    Softmax mixes its inputs, so unlike the others it takes the incoming gradient too.
    p, dp: (…, V). Returns dz: (…, V).
    """
    return p * (dp - (p * dp).sum(axis=-1, keepdims=True))
