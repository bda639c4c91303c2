"""Sequence to sequence: an encoder reads the source, a decoder writes the target.

    m_1 … m_T = encoder(x_1 … x_T)       c = g(m_1 … m_T)
    h_t = cell([E y_{t−1}; c], h_{t−1})    z_t = h_t W_hy + b_y    P(y_t | y_<t, x) = softmax(z_t)

The context c may start the decoder, enter it at every step, or both. With attention there is also a
context of its own for every step, c_t, which joins the state before the read-out:

    u_t = tanh([h_t; c_t] W_u + b_u)       z_t = u_t W_hy + b_y

While the model learns, y_{t−1} is the true symbol (teacher forcing), so all steps of the decoder
are one call of `unroll.forward`. `decode_step` is one symbol of it, as on paper; `decoder_loop` and
`decoder_bptt` are a decoder forward and back in plain loops. In two orders of attention, see
`Seq2Seq`, an answer enters the recurrence, so each step waits for it: these two take their steps in
`answer_loop`, and `decode_step` does not know them.

Shapes: T source steps, S target steps, B batch, D embedding, H hidden units (of the encoder: both
directions together), V target symbols.
"""

from typing import NamedTuple

import numpy as np

from . import layers, unroll
from .activations import dtanh, log_softmax
from .attention import (
    DOT,
    Score,
    attend_step,
    attend_step_backward,
    check_memory,
    run_attend_backward,
    run_attend_forward,
)
from .checks import check_finite, check_floats, check_ids, check_shape, check_sizes
from .gru import gru_bptt, gru_loop
from .losses import LossAndGrads, cross_entropy
from .rnn import Cell
from .text import PairBatch, sequence_mask


class Seq2Seq(NamedTuple):
    """What a model is made of.

    context: where c comes from, the encoder's "last" state or a learned "summary" of all its
    states; feed: where c goes, to the decoder's "start", its "input" at every step, or "both";
    attention: how it compares (see helpers.attention), or None for no attention; order: "after",
    h_t asks, and nothing it hears goes back into the recurrence (Luong et al.); "before", h_{t−1}
    asks, and c_t is an input of the step to h_t (Bahdanau et al.); "feeding", as "after", and
    u_{t−1} is an input of the step to h_t (input feeding, Luong et al.).
    """

    cell: Cell
    context: str = "last"
    feed: str = "start"
    attention: Score | None = None
    order: str = "after"


def check_model(model):
    for name, value, known in (
        ("context", model.context, ("last", "summary")),
        ("feed", model.feed, ("start", "input", "both")),
        ("order", model.order, ("after", "before", "feeding")),
    ):
        if value not in known:
            raise ValueError(f"{name} must be one of {known}, got {value!r}")
    if model.order != "after" and model.attention is None:
        raise ValueError(f"order {model.order!r} needs attention, got None")


def input_width(model, D: int, H: int, C: int) -> int:
    """What a step of the decoder reads: an embedding, where it goes c, and what it has heard."""
    heard = {"after": 0, "before": C, "feeding": H}[model.order]
    return D + (0 if model.feed == "start" else C) + heard


# --- Parameters ---------------------------------------------------------------------------------


def without_prefix(params: dict, prefix: str) -> dict:
    """The parameters whose names begin with the prefix, without it."""
    return {
        name.removeprefix(prefix): array
        for name, array in params.items()
        if name.startswith(prefix)
    }


def with_prefix(prefix: str, grads: dict) -> dict:
    """The inverse of `without_prefix`."""
    return {prefix + name: gradient for name, gradient in grads.items()}


def init_encoder(
    model, V: int, D: int, H: int, rng, bidirectional=False, dtype=np.float32, n_layers: int = 1
) -> dict:
    """enc_E (V, D), the encoder's layers (two directions: H/2 units each), for a summary v_s (H,).

    Raises: ValueError if a size is not a positive integer, or H is odd for two directions.
    """
    check_model(model)
    check_sizes(V=V, D=D, H=H)
    if bidirectional and H % 2:
        raise ValueError(f"H must be even for two directions, got {H}")
    units = H // 2 if bidirectional else H
    params = {
        **layers.init_embedding(V, D, rng, dtype),
        **unroll.init_stack(model.cell, D, units, n_layers, rng, bidirectional, dtype),
    }
    params = with_prefix("enc_", params)
    if model.context == "summary":
        params["v_s"] = np.zeros(H, dtype)  # zero: the summary begins as the plain mean
    return params


def init_decoder(model, V: int, D: int, H: int, C: int, rng, dtype=np.float32) -> dict:
    """dec_E (V, D), the decoder's layer, the paths of c (C,) into it, attention, and read-out.

    Raises: ValueError if a size is not a positive integer.
    """
    check_model(model)
    check_sizes(V=V, D=D, H=H, C=C)
    width = input_width(model, D, H, C)
    params = {
        **layers.init_embedding(V, D, rng, dtype),
        **unroll.init_cell(model.cell, width, H, rng, dtype),
    }
    params = with_prefix("dec_", params)
    if model.feed != "input":
        params |= layers.init_affine("start", C, model.cell.n_states * H, rng, dtype)
    if model.attention is not None:
        params |= model.attention.init(H, C, rng, dtype)
        params |= layers.init_affine("u", H + C, H, rng, dtype)
    return params | layers.init_linear(H, V, rng, dtype)


def init_seq2seq(
    model,
    V_x: int,
    V_y: int,
    D: int,
    H: int,
    rng,
    bidirectional=False,
    dtype=np.float32,
    n_layers: int = 1,
) -> dict:
    """All parameters of encoder and decoder in one dict; c and the memory have H features.

    V_x source symbols, V_y target symbols, n_layers of the encoder; the decoder has one.
    Raises: ValueError if a size is not a positive integer, or H is odd for two directions.
    """
    return {
        **init_encoder(model, V_x, D, H, rng, bidirectional, dtype, n_layers),
        **init_decoder(model, V_y, D, H, H, rng, dtype),
    }


# --- Encoder ------------------------------------------------------------------------------------


class Encoded(NamedTuple):
    """What the decoder may see: context c (B, C), memory (T, B, C), and where it is real (T, B)."""

    context: np.ndarray
    memory: np.ndarray | None = None
    mask: np.ndarray | None = None


def check_embedding(params: dict, prefix: str, name: str, ids, shape: tuple) -> None:
    """Raise unless there are symbols of this shape, and a table that holds a row for each."""
    E = params[f"{prefix}E"]
    check_shape(f"params['{prefix}E']", E, ("V", "D"))
    check_shape(name, ids, shape)
    check_ids("ids", ids, len(E))
    check_finite(f"params['{prefix}E']", E)


def check_encode(model, params: dict, source, lengths) -> None:
    """All that can be wrong with the arguments of `encode`, said in words."""
    check_model(model)
    check_embedding(params, "enc_", "source", source, ("T", "B"))
    unroll.check_lengths(lengths, *source.shape)
    enc = without_prefix(params, "enc_")
    unroll.check_stack(model.cell, enc, enc["E"].shape[1])
    check_floats(**with_prefix("enc_", enc))


def encode(model, params: dict, source: np.ndarray, lengths: np.ndarray):
    """Read the sources; the context is the state at each sequence's own end, or a summary.

    source: (T, B) ids, lengths: (B,). Padding is never read. Returns Encoded and a cache.
    Raises: ValueError, TypeError or IndexError that names the argument.
    """
    check_encode(model, params, source, lengths)
    return run_encode(model, params, source, lengths)


def run_encode(model, params: dict, source: np.ndarray, lengths: np.ndarray):
    """`encode`, its arguments checked: look up, read, and take the context from the top layer."""
    enc = without_prefix(params, "enc_")
    x = enc["E"][source]
    memory, finals, stack_cache = unroll.run_stack_forward(model.cell, enc, x, lengths)
    mask, summary_cache = sequence_mask(lengths, len(source)), None
    if model.context == "summary":
        query = np.broadcast_to(params["v_s"], (1, source.shape[1], len(params["v_s"])))
        contexts, _, summary_cache = run_attend_forward(DOT, {}, query, memory, mask)
        context = contexts[0]
    else:
        top = finals[-len(unroll.layer_suffixes(enc)[-1]) :]  # the last layer's directions
        context = np.concatenate([state[0] for state in top], axis=-1)
    return Encoded(context, memory, mask), (source, stack_cache, finals, summary_cache)


def encode_backward(model, params: dict, cache, dcontext, dmemory=None) -> dict:
    """Back through the encoder. dcontext: (B, C); dmemory: (T, B, C) or None without attention."""
    source, stack_cache, finals, summary_cache = cache
    grads, dfinals, enc = {}, None, without_prefix(params, "enc_")
    if summary_cache is not None:
        _, dquery, through_summary = run_attend_backward(DOT, {}, summary_cache, dcontext[None])
        grads["v_s"] = dquery[0].sum(axis=0)
        dmemory = through_summary if dmemory is None else dmemory + through_summary
    else:
        n = len(unroll.layer_suffixes(enc)[-1])
        dfinals = [None] * (len(finals) - n) + [
            (half.copy(), *(np.zeros_like(s) for s in state[1:]))
            for half, state in zip(np.split(dcontext, n, axis=-1), finals[-n:])
        ]
    stack_grads, dx, _ = unroll.run_stack_backward(model.cell, enc, stack_cache, dmemory, dfinals)
    stack_grads |= layers.embedding_backward(enc, source, dx)
    return grads | with_prefix("enc_", stack_grads)


# --- The decoder as on paper --------------------------------------------------------------------


def decode_step(model, params: dict, encoded: Encoded, y_prev: np.ndarray, state: tuple):
    """One symbol, as on paper: look it up, one step of the cell, look at the memory, read out.

    y_prev: (B,) ids, the symbols before; state: the decoder's, see `start_state`. Returns the
    logits z_t (B, V), the state after, and attention weights (B, T) or None.
    """
    dec = without_prefix(params, "dec_")
    x_t, alpha = dec["E"][y_prev], None
    if model.feed != "start":
        x_t = np.concatenate([x_t, encoded.context], axis=-1)
    state = unroll.one_step(model.cell, dec, x_t, state)
    u_t = h_t = state[0]
    if model.attention is not None:
        c_t, alpha = attend_step(model.attention, params, h_t, encoded.memory, encoded.mask)
        u_t = np.tanh(np.concatenate([h_t, c_t], axis=-1) @ params["W_u"] + params["b_u"])
    z_t = u_t @ params["W_hy"] + params["b_y"]
    return z_t, state, alpha


def decoder_loop(params: dict, context, inputs, memory=None, mask=None):
    """The decoder of `Seq2Seq(GRU)` as plain loops: c starts it, and it reads `inputs` (S, B).

    With a memory (T, B, H) and its mask (T, B), every state asks the memory by dot product, see
    `asking_loop`. Returns z (S, B, V), and what `decoder_bptt` needs.
    """
    dec = without_prefix(params, "dec_")
    h_0 = np.tanh(context @ params["W_start"] + params["b_start"])
    x = dec["E"][inputs]
    hs, steps = gru_loop(dec, x, h_0)
    read, asked = (hs, None) if memory is None else asking_loop(params, hs, memory, mask)
    z = read @ params["W_hy"] + params["b_y"]
    return z, (context, inputs, h_0, x, steps, read, asked)


def decoder_bptt(params: dict, kept, dz):
    """Back through `decoder_loop`: the read-out, (attention,) the GRU, the table and the start.

    dz: (S, B, V). Returns grads, dcontext (B, H), and dmemory (T, B, H) or None.
    """
    context, inputs, h_0, x, steps, read, asked = kept
    dec, dmemory = without_prefix(params, "dec_"), None
    grads = {"W_hy": np.zeros_like(params["W_hy"]), "b_y": dz.sum(axis=(0, 1))}
    for h_t, dz_t in zip(read, dz):
        grads["W_hy"] += h_t.T @ dz_t
    dhs = dz @ params["W_hy"].T
    if asked is not None:
        asking_grads, dhs, dmemory = asking_bptt(params, read, asked, dhs)
        grads |= asking_grads
    dec_grads, dx, dh_0 = gru_bptt(dec, x, steps, dhs, np.zeros_like(h_0))
    dec_grads["E"] = np.zeros_like(dec["E"])
    for ids, dx_t in zip(inputs, dx):
        np.add.at(dec_grads["E"], ids, dx_t)  # a row collects from every place where it was used
    da = dh_0 * (1 - h_0**2)
    grads |= {"W_start": context.T @ da, "b_start": da.sum(axis=0)}
    return grads | with_prefix("dec_", dec_grads), da @ params["W_start"].T, dmemory


def asking_loop(params: dict, hs, memory, mask):
    """What attention adds to the decoder: u_t = tanh([h_t; c_t] W_u + b_u), c_t what h_t finds.

    hs: (S, B, H), memory: (T, B, H), mask: (T, B). Returns us (S, B, H), and what `asking_bptt`
    needs.
    """
    us, steps = [], []
    for h_t in hs:
        c_t, alpha = attend_step(DOT, {}, h_t, memory, mask)
        joined = np.concatenate([h_t, c_t], axis=-1)
        us.append(np.tanh(joined @ params["W_u"] + params["b_u"]))
        steps.append((h_t, alpha, joined))
    return np.stack(us), (memory, steps)


def asking_bptt(params: dict, us, asked, dus):
    """Back through `asking_loop`: h_t is used twice, in u_t and as the query, and so is the memory.

    dus: (S, B, H). Returns grads (W_u, b_u), dhs (S, B, H), dmemory (T, B, H).
    """
    memory, steps = asked
    grads = {name: np.zeros_like(params[name]) for name in ("W_u", "b_u")}
    dhs, dmemory = np.zeros_like(us), np.zeros_like(memory)
    for t, (h_t, alpha, joined) in enumerate(steps):
        da = dus[t] * (1 - us[t] ** 2)
        grads["W_u"] += joined.T @ da
        grads["b_u"] += da.sum(axis=0)
        dh, dc = np.split(da @ params["W_u"].T, 2, axis=-1)
        dq, dmemory_t = attend_step_backward(h_t, memory, alpha, dc)
        dhs[t] = dh + dq
        dmemory += dmemory_t
    return grads, dhs, dmemory


# --- Decoder ------------------------------------------------------------------------------------


class DecoderCache(NamedTuple):
    """What `decode_backward` needs; started says whether c made the initial state."""

    encoded: Encoded
    inputs: np.ndarray
    started: bool
    state: tuple
    unrolled: unroll.Cache
    attended: tuple | None
    read: np.ndarray  # (S, B, H), what the read-out reads: h_t, or u_t with attention


def start_state(model, params: dict, context: np.ndarray) -> tuple:
    """The decoder's first state: tanh(c W_start + b_start), or zeros if c only enters as input.

    With input feeding, u_0 stands behind it: zeros.
    """
    zeros = unroll.zero_state(model.cell, without_prefix(params, "dec_"), len(context))
    heard = zeros[:1] if model.order == "feeding" else ()
    if model.feed == "input":
        return zeros + heard
    both = np.tanh(context @ params["W_start"] + params["b_start"])
    parts = np.split(both, model.cell.n_states, axis=-1)
    return tuple(np.ascontiguousarray(s) for s in parts) + heard


def check_decode(model, params: dict, encoded: Encoded, inputs, state) -> None:
    """All that can be wrong with the arguments of `decode`, said in words."""
    check_model(model)
    check_shape("encoded.context", encoded.context, ("B", "C"))
    B, C = encoded.context.shape
    check_embedding(params, "dec_", "inputs", inputs, ("S", B))
    dec = without_prefix(params, "dec_")
    unroll.check_layer(model.cell, dec)
    D, H = dec["E"].shape[1], len(dec["W_hh"])
    width = input_width(model, D, H, C)
    check_shape("params['dec_W_xh']", dec["W_xh"], (width, model.cell.n_gates * H))
    check_shape("params['W_hy']", params["W_hy"], (H, "V"))
    check_shape("params['b_y']", params["b_y"], (params["W_hy"].shape[1],))
    if state is not None and model.order == "feeding":  # u_{t−1} stands behind the cell's state
        n = model.cell.n_states
        if not isinstance(state, tuple) or len(state) != n + 1:
            what = f"tuple of {len(state)}" if isinstance(state, tuple) else type(state).__name__
            raise ValueError(f"state must be a tuple of {n} array(s) and u (B, H), got {what}")
        check_shape("state[-1]", state[-1], (B, H))
        check_finite("state[-1]", state[-1])
        state = state[:-1]
    if state is not None:
        unroll.check_state("state", state, model.cell, B, H)
    if model.attention is not None:
        check_memory({}, encoded.memory, encoded.mask)
        check_shape("encoded.mask", encoded.mask, ("T", B))
    check_floats(context=encoded.context, **params)
    check_finite("encoded.context", encoded.context)


def decode(model, params: dict, encoded: Encoded, inputs: np.ndarray, state=None):
    """Logits of every next symbol, after the symbols `inputs` (S, B).

    state: the decoder's state before them, or None to start from the context.
    Returns z (S, B, V), the state after, attention weights (S, B, T) or None, and a cache.
    Raises: ValueError, TypeError or IndexError that names the argument.
    """
    check_decode(model, params, encoded, inputs, state)
    return run_decode(model, params, encoded, inputs, state)


def run_decode(model, params: dict, encoded: Encoded, inputs: np.ndarray, state=None):
    """`decode`, its arguments checked: all steps of the cell in one call, then all read-outs."""
    dec, started = without_prefix(params, "dec_"), state is None
    if started:
        state = start_state(model, params, encoded.context)
    x = dec["E"][inputs]
    if model.feed != "start":
        every = np.broadcast_to(encoded.context, (len(inputs), *encoded.context.shape))
        x = np.concatenate([x, every], axis=-1)
    if model.order != "after":
        read, after, weights, attended = answer_loop(model, params, encoded, x, state)
        z = read @ params["W_hy"] + params["b_y"]
        return z, after, weights, DecoderCache(encoded, inputs, started, state, (), attended, read)
    hs, after, unrolled = unroll.run_forward(model.cell, dec, x, state)
    read, weights, attended = hs, None, None
    if model.attention is not None:
        contexts, weights, attention_cache = run_attend_forward(
            model.attention, params, hs, encoded.memory, encoded.mask
        )
        joined = np.concatenate([hs, contexts], axis=-1)
        read = np.tanh(joined @ params["W_u"] + params["b_u"])
        attended = joined, attention_cache
    z = read @ params["W_hy"] + params["b_y"]
    cache = DecoderCache(encoded, inputs, started, state, unrolled, attended, read)
    return z, after, weights, cache


def decode_backward(model, params: dict, cache: DecoderCache, dz: np.ndarray):
    """Back through the decoder. Returns grads, dcontext (B, C), and dmemory (T, B, C) or None.

    A state that was passed to `decode` gets no gradient; one that came from the context does.
    """
    encoded, inputs, started, state, unrolled, attended, read = cache
    dec, dmemory = without_prefix(params, "dec_"), None
    H = len(dec["W_hh"])
    grads, dhs = layers.linear_backward(params, read, dz)
    waits = model.order != "after"
    if waits:
        more, cell_grads, dx, dstate, dmemory = answer_bptt(model, params, cache, dhs)
        grads |= more
    elif attended is not None:
        joined, attention_cache = attended
        du = dhs * dtanh(read)
        flat = du.reshape(-1, H)
        grads["W_u"] = joined.reshape(len(flat), -1).T @ flat
        grads["b_u"] = flat.sum(axis=0)
        djoined = du @ params["W_u"].T
        dhs, dcontexts = djoined[..., :H].copy(), djoined[..., H:]
        attention_grads, dqueries, dmemory = run_attend_backward(
            model.attention, params, attention_cache, dcontexts
        )
        dhs += dqueries
        grads |= attention_grads
    if not waits:
        cell_grads, dx, dstate = unroll.run_backward(model.cell, dec, unrolled, dhs)
    dcontext = np.zeros_like(encoded.context)
    if model.feed != "start":
        D = dec["E"].shape[1]
        dx, every = dx[..., :D], dx[..., D:]
        dcontext += every.sum(axis=0)
    if started and model.feed != "input":
        da = np.concatenate([d * dtanh(s) for d, s in zip(dstate, state)], axis=-1)
        grads["W_start"] = encoded.context.T @ da
        grads["b_start"] = da.sum(axis=0)
        dcontext += da @ params["W_start"].T
    cell_grads |= layers.embedding_backward(dec, inputs, np.ascontiguousarray(dx))
    return grads | with_prefix("dec_", cell_grads), dcontext, dmemory


# --- Orders in which an answer enters the recurrence --------------------------------------------


def answer_loop(model, params: dict, encoded: Encoded, x: np.ndarray, state: tuple):
    """The decoder's steps where each of them waits for an answer of the memory.

    before:   c_t = attend(h_{t−1}),   h_t = cell([x_t; c_t], h_{t−1})
    feeding:  h_t = cell([x_t; u_{t−1}], h_{t−1}),   c_t = attend(h_t)
    both:     u_t = tanh([h_t; c_t] W_u + b_u)

    x: (S, B, D). Returns us (S, B, H), the state after, weights (S, B, T), and what `answer_bptt`
    needs. Source: Bahdanau, Cho & Bengio (2015), section 3.1, but with the read-out of Luong et al.
    (2015), who describe input feeding in section 3.3.
    """
    dec, us, weights, steps = without_prefix(params, "dec_"), [], [], []
    memory, mask = encoded.memory, encoded.mask
    for x_t in x:
        if model.order == "before":
            c_t, alpha, asked = run_attend_forward(
                model.attention, params, state[0][None], memory, mask
            )
            x_t = np.concatenate([x_t, c_t[0]], axis=-1)
        else:
            *state, u_t = state
            x_t = np.concatenate([x_t, u_t], axis=-1)
        hs, state, unrolled = unroll.run_forward(model.cell, dec, x_t[None], tuple(state))
        if model.order == "feeding":
            c_t, alpha, asked = run_attend_forward(model.attention, params, hs, memory, mask)
        joined = np.concatenate([hs, c_t], axis=-1)[0]
        u_t = np.tanh(joined @ params["W_u"] + params["b_u"])
        if model.order == "feeding":
            state = (*state, u_t)
        us.append(u_t)
        weights.append(alpha[0])
        steps.append((unrolled, asked, joined))
    return np.stack(us), state, np.stack(weights), steps


def answer_bptt(model, params: dict, cache: DecoderCache, dus: np.ndarray):
    """Back through `answer_loop`: step by step, for what a step heard goes back to the one before.

    dus: (S, B, H). Returns grads of W_u, b_u and the score, those of the cell, dx (S, B, D), the
    gradient of the initial state, and dmemory (T, B, C).
    """
    dec, memory = without_prefix(params, "dec_"), cache.encoded.memory
    H, C = len(dec["W_hh"]), memory.shape[-1]
    heard = C if model.order == "before" else H  # the last columns of what a step read
    grads = {name: np.zeros_like(params[name]) for name in ("W_u", "b_u")}
    cell_grads, dx, dmemory = {}, [], np.zeros_like(memory)
    dstate, dheard = unroll.zero_state(model.cell, dec, memory.shape[1]), 0
    for t in reversed(range(len(dus))):
        du, u_t, (unrolled, asked, joined) = dus[t], cache.read[t], cache.attended[t]
        da = (du + dheard if model.order == "feeding" else du) * dtanh(u_t)
        add_to(grads, {"W_u": joined.T @ da, "b_u": da.sum(axis=0)})
        dh, dc = np.split(da @ params["W_u"].T, [H], axis=-1)
        if model.order == "feeding":  # h_t asked: back to it before the step
            asked_grads, dq, dm = run_attend_backward(model.attention, params, asked, dc[None])
            dh = dh + dq[0]
        step_grads, dx_t, dstate = unroll.run_backward(model.cell, dec, unrolled, dh[None], dstate)
        dx_t, dheard = np.split(dx_t[0], [-heard], axis=-1)
        if model.order == "before":  # c_t was an input, too, and h_{t−1} asked for it
            dc = dc + dheard
            asked_grads, dq, dm = run_attend_backward(model.attention, params, asked, dc[None])
            dstate = (dstate[0] + dq[0], *dstate[1:])
        add_to(cell_grads, step_grads)
        add_to(grads, asked_grads)
        dmemory += dm
        dx.append(dx_t)
    return grads, cell_grads, np.stack(dx[::-1]), dstate, dmemory


def add_to(total: dict, grads: dict) -> None:
    """Add gradients to those of the same name, in place."""
    for name, gradient in grads.items():
        total[name] = total[name] + gradient if name in total else gradient


# --- The whole ----------------------------------------------------------------------------------


def predict(model, params: dict, batch: PairBatch):
    """Logits z (S, B, V) under teacher forcing, and attention weights (S, B, T) or None."""
    encoded, _ = encode(model, params, batch.source, batch.lengths)
    z, _, weights, _ = decode(model, params, encoded, batch.inputs)
    return z, weights


def loss_and_grads(model, params: dict, batch: PairBatch):
    """Cross-entropy per target symbol (END included) in nats, and the gradient of every parameter.

    Raises: ValueError, TypeError or IndexError that names the argument.
    """
    encoded, encoder_cache = encode(model, params, batch.source, batch.lengths)
    z, _, _, decoder_cache = decode(model, params, encoded, batch.inputs)
    loss, dz = cross_entropy(z, batch.targets, sequence_mask(batch.target_lengths, len(z)))
    grads, dcontext, dmemory = decode_backward(model, params, decoder_cache, dz)
    grads |= encode_backward(model, params, encoder_cache, dcontext, dmemory)
    return LossAndGrads(loss, grads)


def decoder_step(model, params: dict, encoded: Encoded):
    """The decoder for writing, as helpers.decoding wants it: a function, and the first state.

    step(ids (N,), state) → log P (N, V), state. A state is a tuple of arrays with one row per
    hypothesis: the cell's, and the number of the source that the hypothesis translates.
    """

    def step(ids, state):
        *cell_state, row = state
        mine = Encoded(
            encoded.context[row],
            None if encoded.memory is None else encoded.memory[:, row],
            None if encoded.mask is None else encoded.mask[:, row],
        )
        z, after, _, _ = run_decode(model, params, mine, ids[None], tuple(cell_state))
        return log_softmax(z[0]), (*after, row)

    check_decode(model, params, encoded, np.zeros((1, len(encoded.context)), int), None)
    first = start_state(model, params, encoded.context)
    return step, (*first, np.arange(len(encoded.context)))
