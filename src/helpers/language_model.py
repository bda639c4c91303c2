"""A recurrent language model: p(next symbol | all symbols so far).

    x_t = E[id_t]      h_t = cell(x_t, h_{t−1})      z_t = h_t W_hy + b_y      p_t = softmax(z_t)

With several layers, whose parameters are named as in `unroll.init_stack` (W_xh_l0, W_xh_l1, …),
each reads what the one below shows, and the read-out reads the uppermost; the state is then a list
of states, one per layer.

Shapes: T time steps, B batch, V vocabulary, D embedding size, H hidden units. Ids are (T, B).
"""

import numpy as np

from . import layers, sequence_model, unroll
from .activations import softmax
from .checks import check_ids, check_not_negative, check_shape, check_sizes
from .decoding import at_temperature, draw
from .losses import LossAndGrads, cross_entropy


def init_language_model(
    cell, V: int, D: int, H: int, rng, dtype=np.float32, n_layers: int | None = None
) -> dict:
    """All parameters in one dict: E (V, D), W_xh, W_hh, b_h of the cell, W_hy (H, V), b_y (V,).

    n_layers: if given, a stack of so many layers, with the names of `unroll.init_stack`.
    Raises: ValueError if a size is not a positive integer.
    """
    embedding = layers.init_embedding(V, D, rng, dtype)
    if n_layers is not None:
        stack = unroll.init_stack(cell, D, H, n_layers, rng, dtype=dtype)
        return {**embedding, **stack, **layers.init_linear(H, V, rng, dtype)}
    return {**embedding, **sequence_model.init_sequence_model(cell, D, H, V, rng, dtype)}


def predict(cell, params: dict, inputs: np.ndarray, state=None):
    """Logits z (T, B, V) for the symbol after each input, the final state, and hs (T, B, H)."""
    check_shape("inputs", inputs, ("T", "B"))
    x = layers.embedding_forward(params, inputs)
    if "W_xh_l0" not in params:
        return sequence_model.predict(cell, params, x, state)
    hs, states, _ = unroll.stack_forward(cell, params, x, states=state)
    return layers.linear_forward(params, hs), states, hs


def loss_and_grads(
    cell,
    params: dict,
    inputs: np.ndarray,
    targets: np.ndarray,
    state=None,
    mask=None,
    truncate=None,
):
    """Cross-entropy of the targets in nats, its gradient for every parameter, the final state.

    inputs, targets: (T, B) ids; state: tuple or None; mask: (T, B), False where nothing is scored.
    The gradient stops at the initial state: carried over chunks, this is truncated backpropagation
    through time; `truncate` cuts it inside the chunk, too (one layer only).
    Raises: as the layers do, ValueError, TypeError or IndexError that names the argument.
    """
    check_shape("inputs", inputs, ("T", "B"))
    x = layers.embedding_forward(params, inputs)
    if "W_xh_l0" in params:
        return _stack_loss_and_grads(cell, params, inputs, x, targets, state, mask, truncate)
    (loss, grads, state), dx = sequence_model.loss_and_dx(
        cell, params, x, lambda z: cross_entropy(z, targets, mask), state, truncate
    )
    grads = {**layers.embedding_backward(params, inputs, dx), **grads}
    return LossAndGrads(loss, grads, state)


def _stack_loss_and_grads(cell, params, inputs, x, targets, states, mask, truncate):
    """`loss_and_grads` of several layers: forward up the stack, backward down."""
    if truncate is not None:
        raise ValueError(f"truncate is for one layer, got {truncate!r} with a stack")
    hs, states, cache = unroll.stack_forward(cell, params, x, states=states)
    loss, dz = cross_entropy(layers.linear_forward(params, hs), targets, mask)
    out_grads, dhs = layers.linear_backward(params, hs, dz)
    grads, dx, _ = unroll.stack_backward(cell, params, cache, dhs)
    grads = {**layers.embedding_backward(params, inputs, dx), **grads, **out_grads}
    return LossAndGrads(loss, grads, states)


def evaluate(cell, params: dict, ids: np.ndarray, chunk: int = 1000) -> float:
    """Mean cross-entropy, in nats, of a whole text read once from its beginning.

    ids: (N,). Every symbol but the first is scored, each with all symbols before it as context;
    the state is carried from chunk to chunk, so the chunk length does not change the result.
    Raises: ValueError if the text has fewer than two symbols.
    """
    check_sizes(chunk=chunk)
    check_shape("ids", ids, ("N",))
    if len(ids) < 2:
        raise ValueError(f"ids has {len(ids)} entry, too few to predict one from another")
    total, state = 0.0, None
    for start in range(0, len(ids) - 1, chunk):
        stop = min(start + chunk, len(ids) - 1)
        logits, state, _ = predict(cell, params, ids[start:stop, None], state)
        loss, _ = cross_entropy(logits, ids[start + 1 : stop + 1, None])
        total += loss * (stop - start)
    return total / (len(ids) - 1)


def sample(cell, params: dict, prompt: np.ndarray, n: int, rng, temperature: float = 1.0):
    """Write on: draw n symbols, each fed back as the next input.

    prompt: (N,) ids that are read first. Each symbol is drawn from softmax(z / temperature): below
    1 the model plays safe, above 1 it takes risks; temperature 0 takes the likeliest symbol.
    Returns (n,) ids, without the prompt.
    Raises: ValueError for a negative or non-finite temperature, n < 1 or an empty prompt.
    """
    check_sizes(n=n)
    check_shape("prompt", prompt, ("N",))
    check_ids("prompt", prompt, params["E"].shape[0])
    check_not_negative("temperature", temperature)
    inputs, state, written = prompt[:, None], None, np.empty(n, dtype=np.int64)
    for i in range(n):
        logits, state, _ = predict(cell, params, inputs, state)
        z = at_temperature(logits[-1, 0].astype(np.float64), temperature)
        written[i] = draw(softmax(z), rng)
        inputs = written[i : i + 1, None]
    return written
