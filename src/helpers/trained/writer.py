"""A trained language model of Shakespeare's plays, and how to look inside.

An embedding, a stack of recurrent layers (LSTM, in the stored model) and a read-out: a model of
`helpers.language_model`, trained for long by `experiments/shakespeare.py`. Shapes: T time steps, B
batch, H hidden units of a layer.
"""

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .. import language_model, layers, unroll
from ..activations import log_softmax
from ..checks import check_ids, check_shape, check_sizes
from ..gru import GRU
from ..lstm import LSTM
from ..rnn import RNN
from ..text import Vocabulary
from .store import check_params, halved, params_of, read_checkpoint, read_npz, write_npz

CHECKPOINT = Path(__file__).with_name("shakespeare.npz")
CELLS = {cell.n_gates: cell for cell in (RNN, GRU, LSTM)}


class Writer(NamedTuple):
    """A trained model: parameters of a language model, the symbols it knows, how it was made."""

    params: dict
    vocab: Vocabulary
    about: dict


def cell_of(params: dict):
    """The cell of these parameters, told by the number of gates: W_hh is (H, gates × H)."""
    H, wide = next(array.shape for name, array in params.items() if name.startswith("W_hh"))
    if wide % H or wide // H not in CELLS:
        raise ValueError(f"W_hh has shape {(H, wide)}: no cell has that many gates")
    return CELLS[wide // H]


def save(path, params: dict, vocab: Vocabulary, about: dict) -> None:
    """Write a checkpoint: the parameters in half precision, the symbols, a note on its making.

    Raises: ValueError if a parameter is not finite, or too large for half precision.
    """
    arrays = {
        "vocabulary": np.array(json.dumps(vocab.symbols)),
        "about": np.array(json.dumps(about)),
    }
    write_npz(path, arrays | halved(params))


def load(path=CHECKPOINT, dtype=np.float32) -> Writer:
    """Read a checkpoint, and check it.

    Raises: FileNotFoundError that says how to make one; ValueError if the file is damaged or holds
    something else.
    """
    return read_checkpoint(
        path,
        lambda path: _read(path, dtype),
        "this model",
        "python experiments/shakespeare.py full",
    )


def _read(path, dtype):
    """The checkpoint, if all that should be there is there, in the right shape, and finite."""
    arrays = read_npz(path)
    symbols, about = (json.loads(str(arrays.pop(name))) for name in ("vocabulary", "about"))
    params = params_of(arrays, dtype)
    vocab, (V, D), cell = Vocabulary(tuple(symbols)), params["E"].shape, cell_of(params)
    unroll.check_stack(cell, params, D)
    n_layers = len(unroll.layer_suffixes(params))
    expected = language_model.init_language_model(
        cell, V, D, len(params["W_hh_l0"]), np.random.default_rng(0), n_layers=n_layers
    )
    check_params(params, expected)
    if len(vocab) != V:
        raise ValueError(f"there are {len(vocab)} symbols, but {V} rows in E")
    return Writer(params, vocab, about)


# --- Asking it ----------------------------------------------------------------------------------


def log2_probabilities(params: dict, ids: np.ndarray, columns: int = 64, warm: int = 100):
    """log₂ p of every symbol of a text but the first, as if it had been read in one go: (N − 1,).

    To be fast, the text is cut into `columns` parts that are read side by side. Each part begins
    `warm` symbols early, so that a state is there when its first symbol is scored; the more, the
    nearer to one reading from the beginning (columns=1).
    Raises: ValueError for a text of fewer than two symbols; TypeError or IndexError for wrong ids.
    """
    check_sizes(columns=columns)
    check_shape("ids", ids, ("N",))
    check_ids("ids", ids, len(params["E"]))
    if len(ids) < 2:
        raise ValueError(f"ids has {len(ids)} entry, too few to predict one from another")
    n = len(ids) - 1
    found, state, cell = np.empty(n), None, cell_of(params)
    for at, scored in in_columns(n, columns, warm):
        logits, state, _ = language_model.predict(cell, params, ids[at], state)
        log_p = np.take_along_axis(log_softmax(logits), ids[at + 1][..., None], axis=2)[..., 0]
        found[at[scored]] = log_p[scored] / np.log(2)
    return found


def in_columns(n: int, columns: int, warm: int, chunk: int = 200):
    """Places 0 … n−1 as they are read side by side, block by block: (places, which to keep).

    Both have shape (T, columns), with T at most `chunk`. Each column begins `warm` places early,
    but not before the text, and keeps its own part only.
    """
    length, warm = -(-n // columns), warm if columns > 1 else 0  # rounded up
    first = np.arange(columns) * length
    for t in range(0, warm + length, chunk):
        steps = np.arange(t, min(t + chunk, warm + length))[:, None]
        at = np.maximum(first - warm, 0) + steps
        yield np.minimum(at, n - 1), (first <= at) & (at < np.minimum(first + length, n))


def write(writer: Writer, prompt: str, n: int, rng, temperature: float = 1.0) -> str:
    """Write on after the prompt: n characters, see `language_model.sample`.

    Raises: ValueError for a character that the model does not know, or as `sample` does.
    """
    ids = writer.vocab.encode(prompt)
    drawn = language_model.sample(cell_of(writer.params), writer.params, ids, n, rng, temperature)
    return "".join(writer.vocab.decode(drawn))


# --- Looking inside -----------------------------------------------------------------------------


def inside(params: dict, ids: np.ndarray, columns: int = 1, warm: int = 100) -> list:
    """What every layer holds after each symbol of a text: a list of (h, c), (N, H) each.

    A layer of a cell without c, RNN or GRU, gives (h,).
    columns, warm: as in `log2_probabilities`.
    Raises: TypeError or IndexError for wrong ids.
    """
    check_sizes(columns=columns)
    check_shape("ids", ids, ("N",))
    found, states, cell = [], {}, cell_of(params)
    for at, kept in in_columns(len(ids), columns, warm):
        x = layers.embedding_forward(params, ids[at])
        for k, [suffix] in enumerate(unroll.layer_suffixes(params)):
            layer = unroll.one_layer(cell, params, suffix)
            x, states[k], cache = unroll.forward(cell, layer, x, states.get(k))
            if len(found) == k:
                found.append([np.empty((len(ids), x.shape[2]), x.dtype) for _ in cache.states])
            for array, held in zip(found[k], cache.states):
                array[at[kept]] = held[1:][kept]
    return [tuple(pair) for pair in found]


def clamp(params: dict, layer: int, units, values) -> dict:
    """The same model, in which all that reads these units reads constants instead. A new dict.

    h W = Σ_u h_u W[u], so a unit that shows the constant v adds v W[u] to what it is read into: the
    layer itself at the next step, the layer above, or the read-out. We move that into the bias, and
    set the row to zero. The unit goes on, unheard. (What a GRU's candidate reads moves into its
    inner bias b_n, which r multiplies as well.)
    units: integers below H of that layer; values: a number each, such as the unit's mean.
    Raises: IndexError for a layer or unit that is not there; ValueError if there are not as many
    values as units.
    """
    suffixes = [suffix for [suffix] in unroll.layer_suffixes(params)]
    if layer not in range(len(suffixes)):
        raise IndexError(f"layer must lie in 0 … {len(suffixes) - 1}, got {layer!r}")
    units, values = np.atleast_1d(units), np.atleast_1d(values)
    check_ids("units", units, len(params["W_hh" + suffixes[layer]]))
    check_shape("values", values, units.shape)
    above = suffixes[layer + 1] if layer + 1 < len(suffixes) else None
    readers = [("W_hh" + suffixes[layer], "b_h" + suffixes[layer])]
    readers += [("W_xh" + above, "b_h" + above) if above else ("W_hy", "b_y")]
    clamped = dict(params)
    for W, b in readers:
        clamped[W] = clamped[W].copy()
        constant = values.astype(clamped[W].dtype) @ clamped[W][units]
        if cell_of(params) is GRU and W.startswith("W_hh"):
            inner = b.replace("b_h", "b_n")
            H = len(clamped[inner])
            clamped[inner] = clamped[inner] + constant[2 * H :]
            constant[2 * H :] = 0
        clamped[b] = clamped[b] + constant
        clamped[W][units] = 0
    return clamped
