"""One recurrent network that reads a text to its end, and then writes the answer.

    program, START, answer  →  stack of layers  →  p(next symbol of the answer)

Reading and writing are done by the same weights: no second network, as an encoder and a decoder
would be, and no attention. Only the answer is scored. All that the network knows of the program
when it begins to write is the state of its layers.

Shapes: T time steps, B batch, V symbols, D embedding size, H hidden units. Parameters are those of
`tagger.init_tagger` with as many classes as symbols. Source: Zaremba & Sutskever (2014).
"""

from typing import NamedTuple

import numpy as np

from . import layers, tagger, unroll
from .activations import log_softmax
from .checks import check_shape, check_sizes
from .decoding import greedy
from .losses import LossAndGrads, cross_entropy
from .text import END, START, by_length, pad


class AnswerBatch(NamedTuple):
    """Texts with their answers, padded: inputs, targets and mask (T, B), lengths (B,).

    A column of inputs is text + START + answer. Where mask is True, from START on, targets hold
    the answer and END."""

    inputs: np.ndarray
    targets: np.ndarray
    mask: np.ndarray
    lengths: np.ndarray
    start: bool = True  # no state is carried from one batch to the next


def answer_batch(sources, answers) -> AnswerBatch:
    """Put texts and their answers, sequences of ids, into one batch.

    Raises: ValueError if the numbers of both differ or a text is empty; TypeError for anything but
    integers.
    """
    if len(sources) != len(answers):
        raise ValueError(f"there are {len(sources)} sources, but {len(answers)} answers")
    _, read = pad(sources)
    columns = [np.concatenate([x, [START], y]).astype(np.int64) for x, y in zip(sources, answers)]
    inputs, lengths = pad(columns)
    targets, _ = pad([np.append(column[1:], END) for column in columns])
    t = np.arange(len(inputs))[:, None]
    return AnswerBatch(inputs, targets, (t >= read) & (t < lengths), lengths)


def init_executor(cell, V: int, D: int, H: int, rng, n_layers=2, dtype=np.float32) -> dict:
    """All parameters in one dict: E (V, D), the stack's, W_hy (H, V), b_y (V,).

    Raises: ValueError if a size is not a positive integer.
    """
    return tagger.init_tagger(cell, V, D, H, V, rng, n_layers, dtype=dtype)


def predict(cell, params: dict, batch: AnswerBatch) -> np.ndarray:
    """Logits z (T, B, V) of the symbol after each one, the right answer so far being read."""
    return tagger.predict(cell, params, batch.inputs, batch.lengths)


def loss_and_grads(cell, params: dict, batch: AnswerBatch) -> LossAndGrads:
    """Cross-entropy per symbol of the answers (END included) in nats, and all gradients.

    Raises: ValueError, TypeError or IndexError that names the argument.
    """
    x = layers.embedding_forward(params, batch.inputs)
    hs, _, cache = unroll.stack_forward(cell, params, x, batch.lengths)
    loss, dz = cross_entropy(layers.linear_forward(params, hs), batch.targets, batch.mask)
    grads, dhs = layers.linear_backward(params, hs, dz)
    stack_grads, dx, _ = unroll.stack_backward(cell, params, cache, dhs)
    grads = {**layers.embedding_backward(params, batch.inputs, dx), **stack_grads, **grads}
    return LossAndGrads(loss, grads)


def right_symbols(z: np.ndarray, batch: AnswerBatch) -> np.ndarray:
    """Where the likeliest symbol is the right one, given the right ones before it: (T, B).

    False wherever nothing is scored.
    """
    check_shape("z", z, (*batch.inputs.shape, "V"))
    return (z.argmax(axis=-1) == batch.targets) & batch.mask


def read(cell, params: dict, sources) -> list:
    """The state of every layer after each text was read: a list of tuples of (B, H).

    Raises: ValueError if a text is empty; TypeError or IndexError for wrong ids.
    """
    ids, lengths = pad(sources)
    x = layers.embedding_forward(params, ids)
    _, states, _ = unroll.stack_forward(cell, params, x, lengths)
    return states


def decoder_step(cell, params: dict, sources):
    """The network for writing, as helpers.decoding wants it: a function, and the first state.

    step(ids (N,), state) → log P (N, V), state. A state is a flat tuple of arrays (N, H).
    """

    def step(ids, state):
        x = layers.embedding_forward(params, ids[None])
        n = cell.n_states
        states = [tuple(state[i : i + n]) for i in range(0, len(state), n)]
        hs, states, _ = unroll.run_stack_forward(cell, params, x, states=states)
        z = layers.linear_forward(params, hs[0])
        return log_softmax(z), tuple(s for layer in states for s in layer)

    return step, tuple(s for layer in read(cell, params, sources) for s in layer)


def write(cell, params: dict, sources, max_length: int = 12, B: int = 250) -> list:
    """The answer to every text, a tuple of ids, each symbol the likeliest after those it wrote.

    An answer that has not ended after max_length symbols is cut there.
    Raises: ValueError if a size is not a positive integer or a text is empty.
    """
    check_sizes(max_length=max_length, B=B)
    found = [()] * len(sources)
    for chosen in by_length(sources, B):
        step, state = decoder_step(cell, params, [sources[i] for i in chosen])
        for i, answer in zip(chosen, greedy(step, state, max_length)):
            found[i] = answer.ids
    return found
