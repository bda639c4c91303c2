"""Encoder, decoder and attention in NumPy alone: `python programs/translator.py PAIRS.tsv`.

A line of the file is a source, a tab, and a target; both are read character by character.
Shapes: T source steps, S target steps, B pairs, D numbers a character, H hidden units, V symbols.
"""

import sys
from pathlib import Path

import numpy as np

PAD, START, END = 0, 1, 2


def init(V, D, H, rng):
    """One embedding for both sides; GRUs named e (encoder) and d (decoder); attention; read-out."""
    gru = {"W": (D, 3 * H), "U": (H, 3 * H), "b": (3 * H,), "c": (3 * H,)}
    shapes = {f"{k}_{name}": shape for k in "ed" for name, shape in gru.items()}
    shapes |= {"W_u": (2 * H, H), "b_u": (H,), "W_y": (H, V), "b_y": (V,)}
    p = {name: rng.uniform(-1, 1, shape) / np.sqrt(H) for name, shape in shapes.items()}
    return p | {"E": rng.normal(size=(V, D))}


def gru(p, k, x, h):
    """One step: reset r, update z (it keeps), candidate n. Returns the new state, and the step."""
    a, u = x @ p[f"{k}_W"] + p[f"{k}_b"], h @ p[f"{k}_U"] + p[f"{k}_c"]
    (a_r, a_z, a_n), (u_r, u_z, u_n) = np.split(a, 3, axis=-1), np.split(u, 3, axis=-1)
    r, z = 1 / (1 + np.exp(-a_r - u_r)), 1 / (1 + np.exp(-a_z - u_z))
    n = np.tanh(a_n + r * u_n)
    return n + z * (h - n), (x, h, r, z, n, u_n)


def gru_back(p, g, k, step, dh):
    """Back through one step: adds to the gradients g, returns dx and dh of the state before."""
    x, h, r, z, n, u_n = step
    da_n = dh * (1 - z) * (1 - n**2)
    da_r = da_n * u_n * r * (1 - r)
    da_z = dh * (h - n) * z * (1 - z)
    da = np.concatenate([da_r, da_z, da_n], axis=-1)
    du = np.concatenate([da_r, da_z, da_n * r], axis=-1)
    g[f"{k}_W"] += x.T @ da
    g[f"{k}_U"] += h.T @ du
    g[f"{k}_b"] += da.sum(axis=0)
    g[f"{k}_c"] += du.sum(axis=0)
    return da @ p[f"{k}_W"].T, dh * z + du @ p[f"{k}_U"].T


def encode(p, source):
    """source (T, B) → memory (T, B, H); in the padding the state stays as it is."""
    h, memory, steps = np.zeros((source.shape[1], len(p["b_u"]))), [], []
    for ids in source:
        new, step = gru(p, "e", p["E"][ids], h)
        h = np.where(ids[:, None] == PAD, h, new)
        memory.append(h)
        steps.append(step)
    return np.array(memory), steps


def decode(p, ids, h, memory, real):
    """One symbol: state, attention weights α (T, B) over the memory, logits z (B, V)."""
    h, step = gru(p, "d", p["E"][ids], h)
    e = np.where(real, (memory * h).sum(axis=-1), -np.inf)
    alpha = np.exp(e - e.max(axis=0))
    alpha /= alpha.sum(axis=0)
    hc = np.concatenate([h, (alpha[:, :, None] * memory).sum(axis=0)], axis=-1)
    u = np.tanh(hc @ p["W_u"] + p["b_u"])
    return h, u @ p["W_y"] + p["b_y"], (step, alpha, hc, u)


def loss_and_grads(p, source, target):
    """Cross-entropy per symbol in nats, END included, and its gradient for every parameter."""
    (memory, steps), real = encode(p, source), source != PAD
    h, kept, g = memory[-1], [], {name: np.zeros_like(value) for name, value in p.items()}
    scored, loss, dmemory = (target[1:] != PAD).sum(), 0.0, np.zeros_like(memory)
    for ids, answers in zip(target, target[1:]):  # the true symbol goes in: teacher forcing
        h, z, cache = decode(p, ids, h, memory, real)
        dz = np.exp(z - z.max(axis=-1, keepdims=True))
        dz /= dz.sum(axis=-1, keepdims=True)
        rows, weight = np.arange(len(ids)), (answers != PAD) / scored
        loss -= (weight * np.log(dz[rows, answers])).sum()
        dz[rows, answers] -= 1
        kept.append((ids, h, cache, dz * weight[:, None]))
    dh = np.zeros_like(h)
    for ids, h, (step, alpha, hc, u), dz in reversed(kept):
        g["W_y"] += u.T @ dz
        g["b_y"] += dz.sum(axis=0)
        da = dz @ p["W_y"].T * (1 - u**2)
        g["W_u"] += hc.T @ da
        g["b_u"] += da.sum(axis=0)
        d_h, dc = np.split(da @ p["W_u"].T, 2, axis=-1)
        dalpha = (memory * dc).sum(axis=-1)
        de = alpha * (dalpha - (alpha * dalpha).sum(axis=0))  # through the softmax
        dmemory += alpha[:, :, None] * dc + de[:, :, None] * h  # used twice: as mean, as score
        dx, dh = gru_back(p, g, "d", step, dh + d_h + (de[:, :, None] * memory).sum(axis=0))
        np.add.at(g["E"], ids, dx)
    for t in reversed(range(len(source))):  # dh arrives from the decoder's first state
        dh, pad = dh + dmemory[t], source[t][:, None] == PAD
        dx, before = gru_back(p, g, "e", steps[t], np.where(pad, 0, dh))
        np.add.at(g["E"], source[t], dx)
        dh = before + np.where(pad, dh, 0)
    return loss, g


def answer(p, source, longest=40):
    """The likeliest symbol at every step, until END; a list of ids for each source."""
    memory, _ = encode(p, source)
    h, ids, said = memory[-1], np.full(source.shape[1], START), []
    for _ in range(longest):
        h, z, _ = decode(p, ids, h, memory, source != PAD)
        ids = z[:, END:].argmax(axis=-1) + END  # neither PAD nor START is an answer
        said.append(ids)
    return [row[: list(row).index(END)] if END in row else row for row in np.array(said).T.tolist()]


def pad(rows):
    """Lists of ids side by side, (T, B)."""
    out = np.full((max(map(len, rows)), len(rows)), PAD)
    for b, row in enumerate(rows):
        out[: len(row), b] = row
    return out


def train(p, pairs, B, n_updates, lr, rng):
    """Adam on random batches, with a rate that falls to zero."""
    m, v = ({name: np.zeros_like(value) for name, value in p.items()} for _ in range(2))
    for n in range(1, n_updates + 1):
        chosen = [pairs[i] for i in rng.integers(len(pairs), size=B)]
        loss, grads = loss_and_grads(p, pad([s for s, _ in chosen]), pad([t for _, t in chosen]))
        for name, g in grads.items():
            m[name] = 0.9 * m[name] + 0.1 * g
            v[name] = 0.999 * v[name] + 0.001 * g**2
            step = m[name] / (1 - 0.9**n) / (np.sqrt(v[name] / (1 - 0.999**n)) + 1e-8)
            p[name] -= lr * (1 - (n - 1) / n_updates) * step
        if n % 250 == 0:
            print(f"update {n}: {loss / np.log(2):.2f} bits a symbol")


def main(path, B=32, D=32, H=96, n_updates=2000, lr=5e-3):
    lines = Path(path).read_text(encoding="utf-8-sig").splitlines()
    texts, rng = [line.split("\t") for line in lines if "\t" in line], np.random.default_rng(0)
    symbols = ["<pad>", "<start>", "<end>", *sorted(set("".join(s + t for s, t in texts)))]
    number = {symbol: i for i, symbol in enumerate(symbols)}
    pairs = [([number[c] for c in s], [START, *(number[c] for c in t), END]) for s, t in texts]
    order = rng.permutation(len(pairs))
    held_out, known = order[: len(pairs) // 10], [pairs[i] for i in order[len(pairs) // 10 :]]
    p = init(len(symbols), D, H, rng)
    train(p, known, B, n_updates, lr, rng)
    said = answer(p, pad([pairs[i][0] for i in held_out]))
    said = ["".join(symbols[j] for j in ids) for ids in said]
    right = np.mean([a == texts[i][1] for a, i in zip(said, held_out)])
    print(f"right to the last character: {right:.0%} of {len(said)} held-out pairs")
    for a, i in list(zip(said, held_out))[:5]:
        print(f"{texts[i][0]} → {a}   ({texts[i][1]})")


if __name__ == "__main__":
    main(sys.argv[1])
