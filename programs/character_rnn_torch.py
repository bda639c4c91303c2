"""The same character RNN in PyTorch: `python programs/character_rnn_torch.py TEXT.txt`."""

import sys
from math import log
from pathlib import Path

import torch
from torch import nn


class CharRNN(nn.Module):
    """Embedding, recurrence, read-out: PyTorch derives the way back."""

    def __init__(self, V, D, H):
        super().__init__()
        self.embed, self.rnn = nn.Embedding(V, D), nn.RNN(D, H)
        self.read_out = nn.Linear(H, V)

    def forward(self, ids, state=None):
        """ids (T, B) → logits (T, B, V) and the state after the last step."""
        hs, state = self.rnn(self.embed(ids), state)
        return self.read_out(hs), state


def loss_of(logits, targets):
    """Cross-entropy per character, in nats. It takes logits: softmax is inside."""
    return nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten())


def train(model, ids, T, B, n_updates, lr):
    """Adam on B parallel streams; `detach` carries the state on and cuts the gradient."""
    length = (len(ids) - 1) // B
    x, y = (ids[i : i + B * length].reshape(B, length).T for i in (0, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr)
    falls = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, n_updates)
    losses, state = [], None
    for n in range(n_updates):
        start = n * T % (length - T + 1)
        state = None if start < T else state.detach()  # None: the streams begin again
        logits, state = model(x[start : start + T], state)
        loss = loss_of(logits, y[start : start + T])
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 5)
        optimizer.step()
        falls.step()
        losses.append(loss.item())
        if (n + 1) % 250 == 0:
            print(f"update {n + 1}: {sum(losses[-250:]) / 250 / log(2):.2f} bits a character")
    return losses


@torch.no_grad()
def write(model, prompt, n, temperature=0.8):
    """Read the prompt, then draw n characters, each fed back as the next input."""
    written = prompt.tolist()
    logits, state = model(prompt[:, None])
    for _ in range(n):
        drawn = torch.multinomial((logits[-1] / temperature).softmax(-1), 1)
        written.append(int(drawn))
        logits, state = model(drawn, state)
    return written


def main(path, T=50, B=32, D=32, H=128, n_updates=3000, lr=3e-3):
    text = Path(path).read_text(encoding="utf-8-sig")
    torch.manual_seed(0)
    symbols = sorted(set(text))
    number = {symbol: i for i, symbol in enumerate(symbols)}
    ids = torch.tensor([number[symbol] for symbol in text])
    cut = len(ids) * 9 // 10  # the last tenth is not learned from
    model = CharRNN(len(symbols), D, H)
    train(model, ids[:cut], T, B, n_updates, lr)
    with torch.no_grad():
        logits, _ = model(ids[cut:-1, None])
        bits = loss_of(logits, ids[cut + 1 :, None]).item() / log(2)
    print(f"on the last tenth: {bits:.2f} bits a character")
    print("".join(symbols[i] for i in write(model, ids[:20], 500)))


if __name__ == "__main__":
    main(sys.argv[1])
