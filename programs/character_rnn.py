"""A character RNN on one page, in NumPy alone: `python programs/character_rnn.py TEXT.txt`.

It reads a text, learns to predict each character from those before it, and then writes.
Shapes: T steps, B streams, V different characters, D numbers a character, H hidden units.
"""

import sys
from pathlib import Path

import numpy as np


def init(V, D, H, rng):
    """Embedding E, recurrence W_xh, W_hh, b_h, read-out W_hy, b_y: random numbers."""
    shapes = {"W_xh": (D, H), "W_hh": (H, H), "b_h": (H,), "W_hy": (H, V), "b_y": (V,)}
    p = {name: rng.uniform(-1, 1, shape) / np.sqrt(H) for name, shape in shapes.items()}
    return p | {"E": rng.normal(size=(V, D))}


def forward(p, inputs, h):
    """inputs (T, B) → states hs (T + 1, B, H), h_0 first, and logits zs (T, B, V)."""
    hs, zs = [h], []
    for ids in inputs:
        hs.append(np.tanh(p["E"][ids] @ p["W_xh"] + hs[-1] @ p["W_hh"] + p["b_h"]))
        zs.append(hs[-1] @ p["W_hy"] + p["b_y"])
    return np.array(hs), np.array(zs)


def loss_and_grads(p, inputs, targets, h):
    """Cross-entropy per character in nats, its gradient for every parameter, the last state."""
    (T, B), (hs, zs) = inputs.shape, forward(p, inputs, h)
    probs = np.exp(zs - zs.max(axis=-1, keepdims=True))
    probs /= probs.sum(axis=-1, keepdims=True)
    t, b = np.ogrid[:T, :B]
    loss = -np.log(probs[t, b, targets]).mean()
    dzs = probs / (T * B)
    dzs[t, b, targets] -= 1 / (T * B)  # dz = (p − onehot) / N
    g = {name: np.zeros_like(value) for name, value in p.items()}
    dh_next = np.zeros_like(h)
    for t in reversed(range(T)):
        g["W_hy"] += hs[t + 1].T @ dzs[t]
        g["b_y"] += dzs[t].sum(axis=0)
        dh = dzs[t] @ p["W_hy"].T + dh_next  # from this step's loss, and from the step after
        da = dh * (1 - hs[t + 1] ** 2)  # through tanh
        g["W_xh"] += p["E"][inputs[t]].T @ da
        g["W_hh"] += hs[t].T @ da
        g["b_h"] += da.sum(axis=0)
        np.add.at(g["E"], inputs[t], da @ p["W_xh"].T)  # a row used twice collects twice
        dh_next = da @ p["W_hh"].T
    return loss, g, hs[-1]


def train(p, ids, T, B, n_updates, lr, rng):
    """Adam on B parallel streams of the text; the state is carried on, the gradient is cut."""
    length = (len(ids) - 1) // B
    x, y = (ids[i : i + B * length].reshape(B, length).T for i in (0, 1))
    m, v = ({name: np.zeros_like(value) for name, value in p.items()} for _ in range(2))
    losses = []
    for n in range(1, n_updates + 1):
        start = (n - 1) * T % (length - T + 1)
        if start < T:  # the streams begin (again)
            h = np.zeros((B, len(p["b_h"])))
        loss, grads, h = loss_and_grads(p, x[start : start + T], y[start : start + T], h)
        norm = np.sqrt(sum((g**2).sum() for g in grads.values()))
        for name, g in grads.items():
            g = g * min(1, 5 / norm)  # no gradient longer than 5
            m[name] = 0.9 * m[name] + 0.1 * g
            v[name] = 0.999 * v[name] + 0.001 * g**2
            step = m[name] / (1 - 0.9**n) / (np.sqrt(v[name] / (1 - 0.999**n)) + 1e-8)
            p[name] -= lr * (1 - (n - 1) / n_updates) * step  # the rate falls to zero
        losses.append(loss)
        if n % 250 == 0:
            print(f"update {n}: {np.mean(losses[-250:]) / np.log(2):.2f} bits a character")
    return losses


def write(p, prompt, n, rng, temperature=0.8):
    """Read the prompt, then draw n characters, each fed back as the next input."""
    written, h = list(prompt), np.zeros((1, len(p["b_h"])))
    hs, zs = forward(p, np.array(prompt)[:, None], h)
    for _ in range(n):
        q = np.exp((zs[-1, 0] - zs[-1, 0].max()) / temperature)
        written.append(int(rng.choice(len(q), p=q / q.sum())))
        hs, zs = forward(p, np.array([[written[-1]]]), hs[-1])
    return written


def main(path, T=50, B=32, D=32, H=128, n_updates=3000, lr=3e-3):
    text, rng = Path(path).read_text(encoding="utf-8-sig"), np.random.default_rng(0)
    symbols = sorted(set(text))
    number = {symbol: i for i, symbol in enumerate(symbols)}
    ids = np.array([number[symbol] for symbol in text])
    cut = len(ids) * 9 // 10  # the last tenth is not learned from
    p = init(len(symbols), D, H, rng)
    train(p, ids[:cut], T, B, n_updates, lr, rng)
    held_out = ids[cut:, None]
    loss, _, _ = loss_and_grads(p, held_out[:-1], held_out[1:], np.zeros((1, H)))
    print(f"on the last tenth: {loss / np.log(2):.2f} bits a character")
    print("".join(symbols[i] for i in write(p, ids[:20], 500, rng)))


if __name__ == "__main__":
    main(sys.argv[1])
