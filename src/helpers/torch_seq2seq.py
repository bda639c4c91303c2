"""The model of `seq2seq` in PyTorch: the same parameters, the same numbers."""

import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from .seq2seq import without_prefix
from .torch_parity import from_torch, to_torch


class TorchSeq2Seq(nn.Module):
    """Encoder, decoder and attention of `seq2seq`, started from our parameters.

    forward(source (T, B), lengths (B,), inputs (S, B)) → z (S, B, V), weights (S, B, T) or None.
    lengths: on the CPU, or None if all sources are equally long, so that nothing is padded.
    dropout: share of the embeddings, of what an upper layer of the encoder reads, and of what the
    read-out reads, that is dropped in training.
    """

    def __init__(self, model, params: dict, dropout: float = 0.0):
        super().__init__()
        self.model, self.dropout = model, nn.Dropout(dropout)
        self.rnn, ours = nn.ModuleDict(), dict(params)
        for prefix in ("enc_", "dec_"):
            layer = {k: a for k, a in without_prefix(params, prefix).items() if k != "E"}
            self.rnn[prefix] = to_torch(model.cell, layer)
            for name in layer:
                del ours[prefix + name]
        self.rnn["enc_"].dropout = dropout if self.rnn["enc_"].num_layers > 1 else 0.0
        self.own = nn.ParameterDict({name: torch.tensor(array) for name, array in ours.items()})

    def params(self) -> dict:
        """The parameters as NumPy arrays under our names: what `seq2seq` reads."""
        found = {name: p.detach().cpu().numpy().copy() for name, p in self.own.items()}
        for prefix, layer in self.rnn.items():
            for name, array in from_torch(self.model.cell, layer).items():
                found[prefix + (name if prefix == "enc_" else name.removesuffix("_l0"))] = array
        return found

    def encode(self, source, lengths):
        """Memory (T, B, C), where it is real (B, T), context (B, C)."""
        x = self.dropout(nn.functional.embedding(source, self.own["enc_E"]))
        if lengths is None:
            memory, final = self.rnn["enc_"](x)
            is_real = torch.ones(source.T.shape, dtype=torch.bool, device=source.device)
        else:
            packed = pack_padded_sequence(x, lengths, enforce_sorted=False)
            hs, final = self.rnn["enc_"](packed)
            memory, _ = pad_packed_sequence(hs)
            is_real = (torch.arange(len(memory)) < lengths[:, None]).to(source.device)
        if self.model.context == "summary":
            scores = (memory @ self.own["v_s"]).T.masked_fill(~is_real, -torch.inf)
            context = torch.einsum("bt,tbc->bc", scores.softmax(-1), memory)
        else:  # the last state of the top layer's directions, side by side
            h = final if isinstance(final, torch.Tensor) else final[0]
            context = torch.cat(list(h[-1 - self.rnn["enc_"].bidirectional :]), -1)
        return memory, is_real, context

    def scores(self, hs, memory):
        """What attention compares: e (S, B, T)."""
        own, kind = self.own, self.model.attention.name
        if kind == "additive":
            q, m = hs @ own["W_q"], memory @ own["W_m"]
            return torch.tanh(q[:, :, None] + m.transpose(0, 1)) @ own["v_a"]
        queries = hs @ own["W_a"] if kind == "general" else hs
        if kind == "scaled dot":
            queries = queries / hs.shape[-1] ** 0.5
        return torch.einsum("sbh,tbh->sbt", queries, memory)

    def forward(self, source, lengths, inputs):
        """Scores of every next symbol under teacher forcing, and the attention weights."""
        memory, is_real, context = self.encode(source, lengths)
        z, weights, _ = self.decode(memory, is_real, context, inputs, self.start(context))
        return z, weights

    def start(self, context):
        """The decoder's first state, as torch.nn wants it; None is zeros."""
        own, model = self.own, self.model
        if model.feed == "input":
            return None
        start = torch.tanh(context @ own["W_start"] + own["b_start"])
        parts = [s[None].contiguous() for s in start.chunk(model.cell.n_states, -1)]
        return parts[0] if len(parts) == 1 else tuple(parts)

    def ask(self, hs, memory, is_real):
        """Weights (S, B, T) and contexts (S, B, C) for the queries hs (S, B, H)."""
        weights = self.scores(hs, memory).masked_fill(~is_real, -torch.inf).softmax(-1)
        return weights, torch.einsum("sbt,tbc->sbc", weights, memory)

    def answers(self, memory, is_real, x, state):
        """`seq2seq.answer_loop`: contexts, states, weights, all with S first, and the last state.

        From the first symbol on: what the decoder has heard before x is taken to be zeros.
        """
        own, found = self.own, []
        if state is None:
            zeros = x.new_zeros(1, x.shape[1], own["W_u"].shape[1])
            state = zeros if self.model.cell.n_states == 1 else (zeros,) * self.model.cell.n_states
        u = torch.zeros_like(state if isinstance(state, torch.Tensor) else state[0])
        for x_t in x[:, None]:
            if self.model.order == "before":
                h = state if isinstance(state, torch.Tensor) else state[0]
                weights, c = self.ask(h, memory, is_real)
                h, state = self.rnn["dec_"](torch.cat([x_t, c], -1), state)
            else:
                h, state = self.rnn["dec_"](torch.cat([x_t, u], -1), state)
                weights, c = self.ask(h, memory, is_real)
                u = torch.tanh(torch.cat([h, c], -1) @ own["W_u"] + own["b_u"])
            found.append((h, c, weights))
        return *(torch.cat(part) for part in zip(*found)), state

    def decode(self, memory, is_real, context, inputs, state):
        """z (S, B, V) after the symbols `inputs` (S, B), the attention weights, and the state."""
        own, model = self.own, self.model
        x = self.dropout(nn.functional.embedding(inputs, own["dec_E"]))
        if model.feed != "start":
            x = torch.cat([x, context.expand(len(inputs), *context.shape)], -1)
        weights = None
        if model.order != "after":
            hs, contexts, weights, state = self.answers(memory, is_real, x, state)
        else:
            hs, state = self.rnn["dec_"](x, state)
            if model.attention is not None:
                weights, contexts = self.ask(hs, memory, is_real)
        read = hs
        if model.attention is not None:
            read = torch.tanh(torch.cat([hs, contexts], -1) @ own["W_u"] + own["b_u"])
        return self.dropout(read) @ own["W_hy"] + own["b_y"], weights, state

    def loss(self, batch):
        """Cross-entropy per target symbol in nats, as `seq2seq.loss_and_grads` computes it."""
        z, _ = self(*(torch.from_numpy(a) for a in (batch.source, batch.lengths, batch.inputs)))
        targets = torch.from_numpy(batch.targets)
        is_real = torch.arange(len(z))[:, None] < torch.from_numpy(batch.target_lengths)
        return nn.functional.cross_entropy(z[is_real], targets[is_real])
