"""The same encoder, decoder and attention in PyTorch: see translator.py."""

import random
import sys
from math import log
from pathlib import Path

import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence

PAD, START, END = 0, 1, 2


class Translator(nn.Module):
    """GRU encoder, GRU decoder, attention by dot products, read-out."""

    def __init__(self, V, D, H):
        super().__init__()
        self.embed, self.encoder, self.decoder = nn.Embedding(V, D), nn.GRU(D, H), nn.GRU(D, H)
        self.join, self.read_out = nn.Linear(2 * H, H), nn.Linear(H, V)

    def encode(self, source):
        """source (T, B) → memory (T, B, H), and the state at each source's own end (1, B, H)."""
        lengths = (source != PAD).sum(0)
        packed = pack_padded_sequence(self.embed(source), lengths.cpu(), enforce_sorted=False)
        memory, state = self.encoder(packed)
        return pad_packed_sequence(memory)[0], state

    def decode(self, ids, state, memory, source):
        """ids (S, B), all at once → logits (S, B, V) and the state after them."""
        hs, state = self.decoder(self.embed(ids), state)
        scores = torch.einsum("sbh,tbh->sbt", hs, memory)
        alpha = scores.masked_fill((source == PAD).T, -torch.inf).softmax(-1)
        contexts = torch.einsum("sbt,tbh->sbh", alpha, memory)
        u = torch.tanh(self.join(torch.cat([hs, contexts], -1)))
        return self.read_out(u), state

    def loss(self, source, target):
        """Cross-entropy per symbol in nats under teacher forcing, END included."""
        memory, state = self.encode(source)
        logits, _ = self.decode(target[:-1], state, memory, source)
        return nn.functional.cross_entropy(
            logits.flatten(0, 1), target[1:].flatten(), ignore_index=PAD
        )

    @torch.no_grad()
    def answer(self, source, longest=40):
        """The likeliest symbol at every step, until END; a list of ids for each source."""
        memory, state = self.encode(source)
        ids, said = torch.full((1, source.shape[1]), START), []
        for _ in range(longest):
            logits, state = self.decode(ids, state, memory, source)
            ids = logits[..., END:].argmax(-1) + END  # neither PAD nor START is an answer
            said.append(ids[0])
        rows = torch.stack(said, 1).tolist()
        return [row[: row.index(END)] if END in row else row for row in rows]


def pad(rows):
    """Lists of ids side by side, (T, B)."""
    return pad_sequence([torch.tensor(row) for row in rows], padding_value=PAD)


def train(model, pairs, B, n_updates, lr):
    """Adam on random batches, with a rate that falls to zero."""
    optimizer = torch.optim.Adam(model.parameters(), lr)
    falls = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, n_updates)
    for n in range(1, n_updates + 1):
        chosen = random.choices(pairs, k=B)
        loss = model.loss(pad([s for s, _ in chosen]), pad([t for _, t in chosen]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        falls.step()
        if n % 250 == 0:
            print(f"update {n}: {loss.item() / log(2):.2f} bits a symbol")


def main(path, B=32, D=32, H=96, n_updates=2000, lr=5e-3):
    random.seed(0)
    torch.manual_seed(0)
    lines = Path(path).read_text(encoding="utf-8-sig").splitlines()
    texts = [line.split("\t") for line in lines if "\t" in line]
    symbols = ["<pad>", "<start>", "<end>", *sorted(set("".join(s + t for s, t in texts)))]
    number = {symbol: i for i, symbol in enumerate(symbols)}
    pairs = [([number[c] for c in s], [START, *(number[c] for c in t), END]) for s, t in texts]
    order = random.sample(range(len(pairs)), len(pairs))
    held_out, known = order[: len(pairs) // 10], [pairs[i] for i in order[len(pairs) // 10 :]]
    model = Translator(len(symbols), D, H)
    train(model, known, B, n_updates, lr)
    said = model.answer(pad([pairs[i][0] for i in held_out]))
    said = ["".join(symbols[j] for j in ids) for ids in said]
    right = sum(a == texts[i][1] for a, i in zip(said, held_out)) / len(said)
    print(f"right to the last character: {right:.0%} of {len(said)} held-out pairs")
    for a, i in list(zip(said, held_out))[:5]:
        print(f"{texts[i][0]} → {a}   ({texts[i][1]})")


if __name__ == "__main__":
    main(sys.argv[1])
