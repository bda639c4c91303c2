"""The model of `classifier` in PyTorch: the same parameters, the same numbers."""

import torch
from torch import nn

from .torch_parity import from_torch, to_torch

READ_OUT = ("E", "W_hy", "b_y", "v_s", "W_a", "W_u", "b_u")


class TorchClassifier(nn.Module):
    """Embedding, layer and read-out of `classifier`, started from our parameters.

    forward(ids (T, B), lengths (B,)) → z (B, C), weights (B, T). Padding lies behind the end of
    a sequence and the layer reads forward only, so no state of the sequence has seen it: nothing
    needs to be packed, and the read-out leaves the padding out.
    dropout: share of the embeddings, and of s, that is dropped in training.
    """

    def __init__(self, cell, params: dict, readout: str, dropout: float = 0.0):
        super().__init__()
        self.cell, self.readout, self.dropout = cell, readout, nn.Dropout(dropout)
        self.rnn = to_torch(cell, {k: a for k, a in params.items() if k not in READ_OUT})
        self.own = nn.ParameterDict(
            {name: torch.tensor(params[name]) for name in READ_OUT if name in params}
        )

    def params(self) -> dict:
        """The parameters as NumPy arrays under our names: what `classifier` reads."""
        found = {name: p.detach().cpu().numpy().copy() for name, p in self.own.items()}
        device = next(self.rnn.parameters()).device
        found |= from_torch(self.cell, self.rnn.cpu())
        self.rnn.to(device)
        return found

    def forward(self, ids, lengths):
        """Scores of the classes, and the weight of every state."""
        own = self.own
        hs, _ = self.rnn(self.dropout(own["E"][ids]))
        places = torch.arange(len(ids), device=ids.device)
        is_real = places < lengths[:, None]  # (B, T)
        h_n = hs[lengths - 1, torch.arange(len(lengths), device=ids.device)]
        if self.readout == "last":
            s, weights = h_n, (places == lengths[:, None] - 1).to(hs.dtype)
        elif self.readout == "mean":
            weights = is_real.to(hs.dtype) / lengths[:, None]
            s = torch.einsum("bt,tbh->bh", weights, hs)
        elif self.readout == "attention":
            e = (hs @ own["v_s"]).T
            weights = e.masked_fill(~is_real, -torch.inf).softmax(-1)
            s = torch.einsum("bt,tbh->bh", weights, hs)
        else:
            e = torch.einsum("bh,tbh->bt", h_n @ own["W_a"], hs)
            weights = e.masked_fill(~is_real, -torch.inf).softmax(-1)
            c = torch.einsum("bt,tbh->bh", weights, hs)
            s = torch.tanh(torch.cat([h_n, c], -1) @ own["W_u"] + own["b_u"])
        return self.dropout(s) @ own["W_hy"] + own["b_y"], weights
