"""The same tagger in idiomatic PyTorch: `python programs/tagger_torch.py WORDS.tsv`."""

import random
import sys
from math import log
from pathlib import Path

import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence

PAD, UNKNOWN = 0, 1


class Tagger(nn.Module):
    """Embedding, an LSTM in both directions, read-out."""

    def __init__(self, V, C, D, H):
        super().__init__()
        self.embed, self.lstm = nn.Embedding(V, D), nn.LSTM(D, H, bidirectional=True)
        self.read_out = nn.Linear(2 * H, C)
        with torch.no_grad():
            for name, bias in self.lstm.named_parameters():
                if name.startswith("bias_ih"):
                    bias[H : 2 * H] += 1  # the forget gate begins open

    def forward(self, ids):
        """ids (T, B) → logits (T, B, C)."""
        lengths = (ids != PAD).sum(0).cpu()
        packed = pack_padded_sequence(self.embed(ids), lengths, enforce_sorted=False)
        hs, _ = pad_packed_sequence(self.lstm(packed)[0])
        return self.read_out(hs)

    def loss(self, ids, tags):
        """Cross-entropy per word in nats, padding left out."""
        real = ids != PAD
        return nn.functional.cross_entropy(self(ids)[real], tags[real])


def pad(rows):
    """Lists of ids side by side, (T, B)."""
    return pad_sequence([torch.tensor(row) for row in rows], padding_value=PAD)


def train(model, data, B, n_updates, lr):
    """Adam on random batches; a word now and then becomes unknown, so that this is learned too."""
    optimizer = torch.optim.Adam(model.parameters(), lr)
    falls = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, n_updates)
    for n in range(1, n_updates + 1):
        chosen = random.choices(data, k=B)
        ids, tags = pad([words for words, _ in chosen]), pad([tags for _, tags in chosen])
        ids[(torch.rand(ids.shape) < 0.1) & (ids != PAD)] = UNKNOWN
        loss = model.loss(ids, tags)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        falls.step()
        if n % 100 == 0:
            print(f"update {n}: {loss.item() / log(2):.3f} bits a word")


def read(path):
    """Sentences, each a list of (word, tag)."""
    blocks = Path(path).read_text(encoding="utf-8-sig").strip().split("\n\n")
    return [[tuple(line.split("\t")) for line in block.splitlines()] for block in blocks]


def main(path, B=32, D=32, H=48, n_updates=500, lr=0.01):
    random.seed(0)
    torch.manual_seed(0)
    sentences = read(path)
    random.shuffle(sentences)
    cut = len(sentences) // 10
    held_out, known = sentences[:cut], sentences[cut:]
    number = {word: i + 2 for i, word in enumerate(sorted({w for s in known for w, _ in s}))}
    tags = sorted({tag for s in sentences for _, tag in s})
    data = [([number[w] for w, _ in s], [tags.index(t) for _, t in s]) for s in known]
    model = Tagger(len(number) + 2, len(tags), D, H)
    train(model, data, B, n_updates, lr)
    with torch.no_grad():
        best = model(pad([[number.get(w, UNKNOWN) for w, _ in s] for s in held_out])).argmax(-1)
    said = [[tags[i] for i in best[: len(s), b]] for b, s in enumerate(held_out)]
    right = [a == [tag for _, tag in s] for a, s in zip(said, held_out)]
    whole = sum(right) / len(right)
    print(f"every tag right in {whole:.0%} of {len(held_out)} held-out sentences")
    print(" ".join(f"{word}/{tag}" for (word, _), tag in zip(held_out[0], said[0])))


if __name__ == "__main__":
    main(sys.argv[1])
