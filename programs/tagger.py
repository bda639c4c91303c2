"""A tagger that reads in both directions, in NumPy alone: `python programs/tagger.py WORDS.tsv`.

A line of the file is a word, a tab, and its tag; an empty line ends a sentence.
Shapes: T words, B sentences, D numbers a word, H hidden units a direction, C tags.
"""

import sys
from pathlib import Path

import numpy as np

PAD, UNKNOWN = 0, 1


def init(V, C, D, H, rng):
    """Embedding E, an LSTM for each direction (f and b), read-out of both."""
    shapes = {f"{k}_{n}": s for k in "fb" for n, s in
              {"W": (D, 4 * H), "U": (H, 4 * H), "b": (4 * H,)}.items()}  # fmt: skip
    shapes |= {"W_y": (2 * H, C), "b_y": (C,)}
    p = {name: rng.uniform(-1, 1, shape) / np.sqrt(H) for name, shape in shapes.items()}
    for k in "fb":
        p[f"{k}_b"][H : 2 * H] += 1  # the forget gate begins open
    return p | {"E": rng.normal(size=(V, D))}


def lstm(p, k, xs):
    """xs (T, B, D), in reading order → hs (T, B, H), and the steps."""
    h = c = np.zeros((xs.shape[1], len(p[f"{k}_U"])))
    hs, steps = [], []
    for x in xs:
        a = x @ p[f"{k}_W"] + h @ p[f"{k}_U"] + p[f"{k}_b"]
        a_i, a_f, a_g, a_o = np.split(a, 4, axis=-1)
        i, f, o = (1 / (1 + np.exp(-gate)) for gate in (a_i, a_f, a_o))
        g = np.tanh(a_g)
        new = f * c + i * g
        steps.append((x, h, c, i, f, g, o, new))
        h, c = o * np.tanh(new), new
        hs.append(h)
    return np.array(hs), steps


def lstm_back(p, grads, k, steps, dhs):
    """Back through `lstm`: adds to the gradients, returns dxs (T, B, D)."""
    dh = dc = np.zeros_like(dhs[0])
    dxs = []
    for (x, h, c, i, f, g, o, new), from_above in zip(reversed(steps), reversed(dhs)):
        dh = dh + from_above
        dc = dc + dh * o * (1 - np.tanh(new) ** 2)
        da_i, da_f = dc * g * i * (1 - i), dc * c * f * (1 - f)
        da_g, da_o = dc * i * (1 - g**2), dh * np.tanh(new) * o * (1 - o)
        da = np.concatenate([da_i, da_f, da_g, da_o], axis=-1)
        grads[f"{k}_W"] += x.T @ da
        grads[f"{k}_U"] += h.T @ da
        grads[f"{k}_b"] += da.sum(axis=0)
        dxs.append(da @ p[f"{k}_W"].T)
        dh, dc = da @ p[f"{k}_U"].T, dc * f
    return np.array(dxs[::-1])


def turn(a, lengths):
    """Each sentence backwards within its own length; padding stays where it is."""
    t = np.arange(len(a))[:, None]
    return a[np.where(t < lengths, lengths - 1 - t, t), np.arange(len(lengths))]


def forward(p, ids):
    """ids (T, B) → logits (T, B, C), and what the way back needs.

    Padding lies behind every sentence, in both reading orders, so no word's state depends on it.
    """
    real, xs = ids != PAD, p["E"][ids]
    lengths = real.sum(axis=0)
    hs_f, steps_f = lstm(p, "f", xs)
    hs_b, steps_b = lstm(p, "b", turn(xs, lengths))
    both = np.concatenate([hs_f, turn(hs_b, lengths)], axis=-1)
    return both @ p["W_y"] + p["b_y"], (real, lengths, both, steps_f, steps_b)


def loss_and_grads(p, ids, tags):
    """Cross-entropy per word in nats, and its gradient for every parameter."""
    z, (real, lengths, both, steps_f, steps_b) = forward(p, ids)
    dz = np.exp(z - z.max(axis=-1, keepdims=True))
    dz /= dz.sum(axis=-1, keepdims=True)
    t, b = np.ogrid[: len(ids), : ids.shape[1]]
    loss = -np.log(dz[t, b, tags])[real].mean()
    dz[t, b, tags] -= 1
    dz *= real[..., None] / real.sum()
    g = {name: np.zeros_like(value) for name, value in p.items()}
    g["W_y"] += np.einsum("tbh,tbc->hc", both, dz)
    g["b_y"] += dz.sum(axis=(0, 1))
    dhs_f, dhs_b = np.split(dz @ p["W_y"].T, 2, axis=-1)
    dxs = lstm_back(p, g, "f", steps_f, dhs_f)
    dxs = dxs + turn(lstm_back(p, g, "b", steps_b, turn(dhs_b, lengths)), lengths)
    np.add.at(g["E"], ids, dxs)
    return loss, g


def pad(rows):
    """Lists of ids side by side, (T, B)."""
    out = np.full((max(map(len, rows)), len(rows)), PAD)
    for b, row in enumerate(rows):
        out[: len(row), b] = row
    return out


def train(p, data, B, n_updates, lr, rng):
    """Adam on random batches; a word now and then becomes unknown, so that this is learned too."""
    m, v = ({name: np.zeros_like(value) for name, value in p.items()} for _ in range(2))
    for n in range(1, n_updates + 1):
        chosen = [data[i] for i in rng.integers(len(data), size=B)]
        ids, tags = pad([words for words, _ in chosen]), pad([tags for _, tags in chosen])
        ids[(rng.random(ids.shape) < 0.1) & (ids != PAD)] = UNKNOWN
        loss, grads = loss_and_grads(p, ids, tags)
        for name, g in grads.items():
            m[name] = 0.9 * m[name] + 0.1 * g
            v[name] = 0.999 * v[name] + 0.001 * g**2
            step = m[name] / (1 - 0.9**n) / (np.sqrt(v[name] / (1 - 0.999**n)) + 1e-8)
            p[name] -= lr * (1 - (n - 1) / n_updates) * step
        if n % 100 == 0:
            print(f"update {n}: {loss / np.log(2):.3f} bits a word")


def read(path):
    """Sentences, each a list of (word, tag)."""
    blocks = Path(path).read_text(encoding="utf-8-sig").strip().split("\n\n")
    return [[tuple(line.split("\t")) for line in block.splitlines()] for block in blocks]


def main(path, B=32, D=32, H=48, n_updates=500, lr=0.01):
    sentences, rng = read(path), np.random.default_rng(0)
    order = rng.permutation(len(sentences))
    cut = len(sentences) // 10
    held_out, known = ([sentences[i] for i in part] for part in (order[:cut], order[cut:]))
    number = {word: i + 2 for i, word in enumerate(sorted({w for s in known for w, _ in s}))}
    tags = sorted({tag for s in sentences for _, tag in s})
    data = [([number[w] for w, _ in s], [tags.index(t) for _, t in s]) for s in known]
    p = init(len(number) + 2, len(tags), D, H, rng)
    train(p, data, B, n_updates, lr, rng)
    z, _ = forward(p, pad([[number.get(w, UNKNOWN) for w, _ in s] for s in held_out]))
    said = [[tags[i] for i in z[: len(s), b].argmax(axis=-1)] for b, s in enumerate(held_out)]
    whole = np.mean([a == [tag for _, tag in s] for a, s in zip(said, held_out)])
    print(f"every tag right in {whole:.0%} of {len(held_out)} held-out sentences")
    print(" ".join(f"{word}/{tag}" for (word, _), tag in zip(held_out[0], said[0])))


if __name__ == "__main__":
    main(sys.argv[1])
