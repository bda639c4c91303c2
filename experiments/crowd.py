"""Many models of one shape, trained at once: encoder, decoder and attention for K of them.

The model of `helpers.seq2seq` with GRUs, fed at the start, with general attention, in PyTorch.
Every parameter has one more axis in front, for the K models, so that one product of K matrices
takes the place of K products: on a graphics card twelve small models train in little more than the
time of one. Each model has a start, an order of the pairs, a learning rate and a dropout of its
own; nothing passes between them.

Shapes: K models, T source steps, S target steps, B pairs, D embedding, H units, V symbols.
"""

import time

import numpy as np
import torch

from helpers.text import END, START

STRATUM = 4  # batches of pairs of like length that are shuffled together


class Stopped(Exception):
    """The time is over."""


def stack(every: list, device: str) -> dict:
    """The parameters of K models as one dict of tensors (K, …)."""
    return {
        name: torch.tensor(np.stack([p[name] for p in every]), device=device, requires_grad=True)
        for name in every[0]
    }


def unstack(params: dict, k: int) -> dict:
    """The parameters of model k as NumPy arrays under the names of `seq2seq`."""
    return {name: p[k].detach().cpu().numpy().copy() for name, p in params.items()}


def lookup(E, ids):
    """Rows of K tables: E (K, V, D), ids (T, K, B) → (T, K, B, D)."""
    K, V, D = E.shape
    offset = torch.arange(K, device=ids.device)[:, None] * V
    return torch.nn.functional.embedding(ids + offset, E.reshape(K * V, D))


def affine(x, W, b):
    """K products at once: x (T, K, B, D), W (K, D, H), b (K, H) → (T, K, B, H)."""
    return torch.einsum("tkbd,kdh->tkbh", x, W) + b[:, None]


def drop(x, share):
    """Dropout with a share (K, 1, 1) for each model; x: (T, K, B, D). None: no dropout."""
    if share is None:
        return x
    return x * (torch.rand_like(x) >= share) / (1 - share)


def plain_cell(a_x, a_h, h):
    """One step of the GRU; a_x = x W_xh + b_h, a_h = h W_hh + (0, 0, b_n)."""
    x_r, x_z, x_n = a_x.chunk(3, -1)
    h_r, h_z, h_n = a_h.chunk(3, -1)
    z = torch.sigmoid(x_z + h_z)
    n = torch.tanh(x_n + torch.sigmoid(x_r + h_r) * h_n)
    return z * h + (1 - z) * n


def fused_cell(a_x, a_h, h):
    """The same as one call of the graphics card."""
    K, B, H = h.shape
    flat = [a.reshape(K * B, -1).contiguous() for a in (a_x, a_h, h)]
    return torch.ops.aten._thnn_fused_gru_cell(*flat)[0].reshape(K, B, H)


def pick_cell(device: str):
    """The fused step, if it is there and gives the same numbers and gradients."""
    if device == "cpu":
        return plain_cell
    try:
        found = []
        torch.manual_seed(0)
        problem = [torch.randn(2, 3, n, device=device, requires_grad=True) for n in (12, 12, 4)]
        for cell in (plain_cell, fused_cell):
            out = cell(*problem)
            grads = torch.autograd.grad((out * torch.arange(4.0, device=device)).sum(), problem)
            found.append([out.detach(), *grads])
        assert all(torch.allclose(a, b, atol=1e-5) for a, b in zip(*found))
        return fused_cell
    except (AssertionError, AttributeError, RuntimeError, NotImplementedError) as error:
        print(f"no fused step: {error!r}", flush=True)
        return plain_cell


def gru(cell, a_x, W_hh, b_n, h, is_real=None):
    """K GRUs over time: a_x (T, K, B, 3H), h (K, B, H) → hs (T, K, B, H), the last state.

    Where is_real (T, K, B, 1) is False, the state stays.
    """
    b = torch.nn.functional.pad(b_n, (2 * b_n.shape[-1], 0))[:, None]
    hs = []
    for t in range(len(a_x)):
        new = cell(a_x[t], torch.baddbmm(b, h, W_hh), h)
        h = new if is_real is None else torch.where(is_real[t], new, h)
        hs.append(h)
    return torch.stack(hs), h


def encode(cell, p, source, lengths, share=None):
    """Both directions as 2K models: memory (T, K, B, H), is_real (T, K, B), context (K, B, H)."""
    T, K, B = source.shape
    is_real = torch.arange(T, device=source.device)[:, None, None] < lengths
    x = drop(lookup(p["enc_E"], source), share)
    a = [affine(x, p["enc_W_xh_l0" + s], p["enc_b_h_l0" + s]) for s in ("", "_reverse")]
    both = torch.cat([a[0], a[1].flip(0)], 1)
    W_hh, b_n = (
        torch.cat([p[f"enc_{name}_l0"], p[f"enc_{name}_l0_reverse"]]) for name in ("W_hh", "b_n")
    )
    mask = torch.cat([is_real, is_real.flip(0)], 1)[..., None]
    zero = x.new_zeros(2 * K, B, W_hh.shape[1])
    hs, last = gru(cell, both, W_hh, b_n, zero, mask)
    memory = torch.cat([hs[:, :K], hs[:, K:].flip(0)], -1)
    return memory, is_real, torch.cat([last[:K], last[K:]], -1)


def start(p, context):
    """The decoder's first state (K, B, H)."""
    return torch.tanh(context @ p["W_start"] + p["b_start"][:, None])


def write(cell, p, memory, is_real, inputs, h, share=None):
    """Scores z (S, K, B, V) after the symbols `inputs` (S, K, B), and the state after."""
    x = drop(lookup(p["dec_E"], inputs), share)
    hs, h = gru(cell, affine(x, p["dec_W_xh"], p["dec_b_h"]), p["dec_W_hh"], p["dec_b_n"], h)
    queries = torch.einsum("skbh,khc->skbc", hs, p["W_a"])
    e = torch.einsum("skbc,tkbc->kbst", queries, memory)
    e = e.masked_fill(~is_real.permute(1, 2, 0)[:, :, None], -torch.inf)
    contexts = torch.einsum("kbst,tkbc->skbc", e.softmax(-1), memory)
    u = torch.tanh(affine(torch.cat([hs, contexts], -1), p["W_u"], p["b_u"]))
    return affine(drop(u, share), p["W_hy"], p["b_y"]), h


def losses(cell, p, source, lengths, targets, share=None):
    """The mean cross-entropy of each model, (K,); targets (S, K, B) are −100 where padded."""
    memory, is_real, context = encode(cell, p, source, lengths, share)
    first = torch.full_like(targets[:1], START)
    inputs = torch.cat([first, targets[:-1].clamp(min=0)])
    z, _ = write(cell, p, memory, is_real, inputs, start(p, context), share)
    found = torch.nn.functional.cross_entropy(
        z.flatten(0, 2), targets.flatten(), reduction="none"
    ).view(targets.shape)
    return found.sum((0, 2)) / (targets >= 0).sum((0, 2))


@torch.no_grad()
def translate(cell, p, source, lengths, limit: int) -> np.ndarray:
    """Greedy answers of all models to the same sources (T, B): (limit, K, B), END and more."""
    K = len(p["b_y"])
    source, lengths = source[:, None].expand(-1, K, -1), lengths[None].expand(K, -1)
    memory, is_real, context = encode(cell, p, source, lengths)
    h, ids, found = start(p, context), torch.full_like(source[0], START), []
    ended = torch.zeros_like(ids, dtype=torch.bool)
    for t in range(limit):
        z, h = write(cell, p, memory, is_real, ids[None], h)
        ids = z[0].argmax(-1)
        found.append(ids)
        ended |= ids == END
        if t % 8 == 7 and bool(ended.all()):
            break
    return torch.stack(found).cpu().numpy()


# --- Batches and updates ------------------------------------------------------------------------


def padded(sequences, fill: int, end=()):
    """Sequences one under another, with `end` behind them: (N, longest), and lengths (N,)."""
    sequences = [np.append(s, end).astype(np.int64) for s in sequences]
    lengths = np.array([len(s) for s in sequences])
    ids = np.full((len(sequences), lengths.max()), fill)
    for row, sequence in zip(ids, sequences):
        row[: len(sequence)] = sequence
    return ids, lengths


def batches(sources, targets, B: int, seeds, device: str):
    """Source (T, K, B), lengths (K, B), targets (S, K, B) for ever: pairs of like length together.

    The pairs are sorted by length and cut into strata of a few batches. Within a stratum each model
    draws its own order, so that no two models see the same batch, and all batches have one shape.
    """
    rngs = [np.random.default_rng([seed, 1]) for seed in seeds]
    shared = np.random.default_rng(0)
    order = sorted(range(len(sources)), key=lambda i: (len(sources[i]), len(targets[i])))
    B = min(B, len(order))
    x, lengths = padded(sources, 0)
    y, target_lengths = padded(targets, -100, [END])
    held = [torch.from_numpy(a).to(device) for a in (x, lengths, y)]
    n = max(1, round(len(order) / (STRATUM * B)))
    strata = [stratum for stratum in np.array_split(order, n) if len(stratum) >= B]
    while True:
        plan = []
        for stratum in strata:
            orders = np.stack([rng.permutation(stratum) for rng in rngs])
            plan += [orders[:, i : i + B] for i in range(0, len(stratum) - B + 1, B)]
        for j in shared.permutation(len(plan)):
            rows = torch.from_numpy(plan[j]).to(device)
            T, S = lengths[plan[j]].max(), target_lengths[plan[j]].max()
            yield (
                held[0][rows][..., :T].permute(2, 0, 1),
                held[1][rows],
                held[2][rows][..., :S].permute(2, 0, 1),
            )


class Adam:
    """Adam, with a learning rate and a clipped gradient norm for each model."""

    def __init__(self, params: dict, rates, max_norm: float):
        self.params, self.max_norm, self.t = list(params.values()), max_norm, 0
        self.rates = torch.tensor(rates, device=self.params[0].device)
        self.m = [torch.zeros_like(p) for p in self.params]
        self.v = [torch.zeros_like(p) for p in self.params]

    @torch.no_grad()
    def step(self, loss, factor: float, beta_1=0.9, beta_2=0.999, epsilon=1e-8):
        """One update by the gradient of `loss`; factor: what the schedule makes of the rates."""
        self.t += 1
        grads = torch.autograd.grad(loss, self.params)
        K = len(self.rates)
        norms = sum((g.reshape(K, -1) ** 2).sum(1) for g in grads).sqrt()
        scale = (self.max_norm / (norms + 1e-6)).clamp(max=1.0)

        def each(values, like):
            return values.reshape(K, *[1] * (like.dim() - 1))

        grads = [g * each(scale, g) for g in grads]
        torch._foreach_lerp_(self.m, grads, 1 - beta_1)
        torch._foreach_mul_(self.v, beta_2)
        torch._foreach_addcmul_(self.v, grads, grads, 1 - beta_2)
        rates = self.rates * factor / (1 - beta_1**self.t)
        for p, m, v in zip(self.params, self.m, self.v):
            p -= each(rates, p) * m / ((v / (1 - beta_2**self.t)).sqrt() + epsilon)


def train(params, data, rates, shares, seeds, settings, updates, check, device, until=np.inf):
    """Train K models; keep the weights of each that had the best score at one of the checks.

    check(cell, params) → scores (K,); settings: B, max_norm, warm_up and checks, how many. until:
    time.monotonic() at which it should be over: if the first updates show that there are too many
    for that, fewer are made, and the learning rate falls faster. The best weights are
    put into `params`. Returns their scores, and the number of updates.
    Raises: Stopped if the time is over before a quarter of the updates.
    """
    cell, planned = pick_cell(device), updates
    torch.manual_seed(seeds[0])
    feed = batches(*data, settings["B"], seeds, device)
    adam = Adam(params, rates, settings["max_norm"])
    share = torch.tensor(shares, device=device)[:, None, None]
    best, kept = np.full(len(seeds), -np.inf), {n: p.detach().clone() for n, p in params.items()}
    done, every = 0, updates // settings["checks"]
    while done < updates:
        warm, left = (done + 1) / settings["warm_up"], 1 - done / updates
        adam.step(losses(cell, params, *next(feed), share).sum(), min(1.0, warm, 1.1 * left))
        done += 1
        if done % every == 0 or done == updates:
            scores = np.asarray(check(cell, params))
            better = scores > best
            best = np.where(better, scores, best)
            rows = torch.from_numpy(np.flatnonzero(better)).to(device)
            for name, p in params.items():
                kept[name][rows] = p.detach()[rows]
        if device != "cpu" and done in (10, 60):
            torch.cuda.synchronize()
        if done == 10:
            begin = time.monotonic()  # behind what is slow only the first time
        timed = done > 20 and (done == 60 or done % every == 0)
        if timed and done < updates and until < np.inf:
            now = time.monotonic()
            fits = done + int(0.95 * (until - now) / ((now - begin) / (done - 10)))
            updates = max(min(planned, fits), done + 1)
            if updates < planned // 4:
                raise Stopped
    for name, p in params.items():
        p.data.copy_(kept[name])
    return best, done
