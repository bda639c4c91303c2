"""Any cell over time and back; sequences of unequal length; stacks of layers.

The plan that makes it fast is worth learning: *whatever does not depend on h_{t−1} is done for all
steps in one matrix product.* Before the loop: the input's part of every pre-activation. After the
loop: every weight gradient. Inside the loop only h W_hh and the cell's own gates remain.

`forward`, `packed_forward`, `stack_forward` and their backward passes check their arguments, once,
and call the function that does the work: `run_forward` is `forward` without the checks, and so on.

Shapes: T time steps, B batch, D input features, H hidden units, k gates. x: (T, B, D). What belongs
to a gate lies together in memory: gate values over time are (k, T, B, H).
"""

from typing import NamedTuple

import numpy as np

from .checks import check_finite, check_floats, check_ids, check_shape, check_sizes
from .rnn import Cell

# speed: on Linux (glibc) a freed array goes back to the system, and to touch the next one costs
# page faults, about a fifth of a training step. Once a large array was freed, the process keeps
# such memory for later. This one is never touched, so it takes no memory itself.
np.empty(2**25 - 2**13, np.uint8)


class Cache(NamedTuple):
    """What `backward` needs: inputs, gate values (k, T, B, H), each state over time (T+1, B, H)."""

    x: np.ndarray
    gates: np.ndarray
    states: tuple


def init_cell(cell: Cell, D: int, H: int, rng, dtype=np.float32) -> dict:
    """Parameters of one recurrent layer, uniform in ±1/√H as torch.nn does.

    W_xh (D, kH), W_hh (H, kH), b_h (kH,), with k = cell.n_gates; then what the cell has of its own.
    Raises: ValueError if a size is not a positive integer.
    """
    check_sizes(D=D, H=H)
    k, bound = cell.n_gates, 1 / np.sqrt(H)
    shapes = {"W_xh": (D, k * H), "W_hh": (H, cell.n_recurrent * H), "b_h": (k * H,)}
    shapes |= cell.own_shapes(H)
    return {name: rng.uniform(-bound, bound, s).astype(dtype) for name, s in shapes.items()}


def zero_state(cell: Cell, params: dict, B: int) -> tuple:
    """The state before anything was read: n_states arrays of zeros, each (B, H)."""
    check_sizes(B=B)
    W_hh = params["W_hh"]
    return tuple(np.zeros((B, W_hh.shape[0]), W_hh.dtype) for _ in range(cell.n_states))


def one_step(cell: Cell, params: dict, x_t: np.ndarray, state: tuple) -> tuple:
    """One step of the cell as on paper: the state after x_t (B, D), a tuple like `state`."""
    after = cell.step(params, x_t, *state)
    return after if cell.n_states > 1 else (after,)


def by_gate(W: np.ndarray, H: int) -> np.ndarray:
    """The blocks that stand side by side in W (n, kH), one after another: (k, n, H)."""
    return np.ascontiguousarray(W.reshape(len(W), -1, H).swapaxes(0, 1))


def side_by_side(blocks: np.ndarray) -> np.ndarray:
    """The inverse of by_gate: (k, n, H) → (n, kH)."""
    return blocks.swapaxes(0, 1).reshape(blocks.shape[1], -1)


# --- One layer over time ------------------------------------------------------------------------


def check_layer(cell: Cell, params: dict, suffix: str = "") -> None:
    """All that can be wrong with one layer's parameters, said in words."""
    k, weights = cell.n_gates, {}
    check_shape(f"params['W_hh{suffix}']", params[f"W_hh{suffix}"], ("H", "kH"))
    H = len(params[f"W_hh{suffix}"])
    shapes = {"W_hh": (H, cell.n_recurrent * H), "W_xh": ("D", k * H), "b_h": (k * H,)}
    for name, shape in (shapes | cell.own_shapes(H)).items():
        weights[name + suffix] = params[name + suffix]
        check_shape(f"params['{name}{suffix}']", weights[name + suffix], shape)
    check_floats(**weights)
    for name, array in weights.items():
        check_finite(name, array)


def check_state(name: str, state, cell: Cell, B: int, H: int) -> None:
    """A state, or a gradient of one, is a tuple of n_states finite arrays (B, H)."""
    if not isinstance(state, tuple) or len(state) != cell.n_states:
        what = f"tuple of {len(state)}" if isinstance(state, tuple) else type(state).__name__
        raise ValueError(f"{name} must be a tuple of {cell.n_states} array(s) (B, H), got {what}")
    for i, array in enumerate(state):
        check_shape(f"{name}[{i}]", array, (B, H))
        check_finite(f"{name}[{i}]", array)


def check_forward(cell: Cell, params: dict, x, state) -> None:
    """All that can be wrong with the arguments of `forward`, said in words."""
    check_layer(cell, params)
    D, H = len(params["W_xh"]), len(params["W_hh"])
    check_shape("x", x, ("T", "B", D))
    if state is not None:
        check_state("state", state, cell, x.shape[1], H)
    states = {f"state[{i}]": s for i, s in enumerate(state or ())}
    check_floats(x=x, W_xh=params["W_xh"], **states)
    check_finite("x", x)


def forward(cell: Cell, params: dict, x: np.ndarray, state=None):
    """Read a sequence: h_t = cell(x_t W_xh + b_h, h_{t−1} W_hh) for t = 1 … T.

    x: (T, B, D); state: the tuple left by the sequence before, each (B, H), or None for zeros.
    Time comes first. An x with the batch first, (B, T, D), looks as right as (T, B, D), so no check
    can refuse it. The symptom: a sequence's outputs change when the sequences change places.
    Returns hs (T, B, H), the final state (a tuple like `state`), and a cache for `backward`.
    Raises: ValueError for wrong shapes, mixed dtypes, empty or non-finite input.
    """
    check_forward(cell, params, x, state)
    return run_forward(cell, params, x, state)


def run_forward(cell: Cell, params: dict, x: np.ndarray, state=None):
    """`forward`, its arguments checked: all that does not wait for h_{t−1} first, then the loop."""
    T, B, D = x.shape
    H, k = len(params["W_hh"]), cell.n_gates
    own = [params[name] for name in cell.own]  # only some cells have parameters of their own
    # No step of the input's part depends on the step before: one product serves all T.
    # speed: what belongs to a gate lies together in memory, which buys a quarter of a step.
    a = np.empty((k + cell.n_kept, T, B, H), x.dtype)
    np.matmul(x.reshape(T * B, D), by_gate(params["W_xh"], H), out=a[:k].reshape(k, T * B, H))
    a[:k] += params["b_h"].reshape(k, 1, 1, H)
    states = tuple(np.empty((T + 1, B, H), x.dtype) for _ in range(cell.n_states))
    for array, start in zip(states, state or zero_state(cell, params, B)):
        array[0] = start
    W_hh = by_gate(params["W_hh"], H)
    before, after = zip(*(s[:-1] for s in states)), zip(*(s[1:] for s in states))
    for a_t, prev, new in zip(a.swapaxes(0, 1), before, after):
        cell.forward(a_t, prev[0] @ W_hh, prev, new, *own)
    return states[0][1:], tuple(s[-1].copy() for s in states), Cache(x, a, states)


def check_backward(cell: Cell, x: np.ndarray, H: int, dhs, dstate) -> None:
    """All that can be wrong with the gradients that `backward` gets, said in words."""
    T, B, _ = x.shape
    if dhs is None and dstate is None:
        raise ValueError("backward needs dhs, dstate or both: with neither there is no gradient")
    if dhs is not None:
        check_shape("dhs", dhs, (T, B, H))
    if dstate is not None:
        check_state("dstate", dstate, cell, B, H)
    check_floats(x=x, dhs=dhs, **{f"dstate[{i}]": d for i, d in enumerate(dstate or ())})


def backward(cell: Cell, params: dict, cache: Cache, dhs=None, dstate=None, truncate=None):
    """Backpropagation through time: the gradients of all that `forward` read.

    dhs: (T, B, H), gradient of every output, or None for zeros; dstate: tuple of (B, H), gradient
    of the final state, or None for zeros. Each step adds what arrives from its own output to what
    comes back from the step after it:

        dh_t = dhs_t + da_{t+1} W_hhᵀ,   da_t = dh_t ⊙ ∂h_t/∂a_t

    truncate: if given, the gradient is cut at every border between chunks of so many steps, while
    the states were carried across: truncated BPTT, as if each chunk had been unrolled alone.
    Returns grads (keys as in params), dx (T, B, D), and the gradient of the initial state.
    Raises: ValueError for wrong shapes or mixed dtypes, if both gradients are None, or if truncate
    is not a positive integer.
    Source: Werbos (1990); truncation: Williams & Peng (1990).
    """
    check_backward(cell, cache.x, len(params["W_hh"]), dhs, dstate)
    if truncate is not None:
        check_sizes(truncate=truncate)
    return run_backward(cell, params, cache, dhs, dstate, truncate)


def run_backward(cell: Cell, params: dict, cache: Cache, dhs=None, dstate=None, truncate=None):
    """`backward`, its arguments checked: local slopes first, the loop, a product a weight."""
    x, a, states = cache
    T, B, D = x.shape
    H, k, kr = len(params["W_hh"]), cell.n_gates, cell.n_recurrent
    own = [params[name] for name in cell.own]
    dh, *others = dstate or zero_state(cell, params, B)

    # All local derivatives in one go; the loop turns each of them into da_t, in place.
    da, factors = cell.slopes(a, states, *own)
    # speed: a transposed copy, made once, lies better in memory at every step.
    W_hh_T = np.ascontiguousarray(params["W_hh"].T).reshape(kr, H, H)
    for t in reversed(range(T)):
        if dhs is not None:
            dh = dh + dhs[t]
        around, *others = cell.backward((dh, *others), da[:, t], [f[t] for f in factors], *own)
        dh = (da[:kr, t] @ W_hh_T).sum(axis=0)  # what comes back through each gate
        if around is not None:  # a path from h_t to h_{t−1} that does not pass W_hh
            dh = dh + around
        if truncate and t % truncate == 0 and t > 0:
            dh, *others = zero_state(cell, params, B)

    # A shared weight collects a gradient from every step; the sum over steps is one product.
    da, h_prev = da.reshape(k, T * B, H), states[0][:-1].reshape(T * B, H)
    dW_hh = side_by_side(h_prev.T @ da[:kr])
    own_grads = cell.finish(da, states, factors) if cell.finish else {}
    grads = {
        "W_xh": side_by_side(x.reshape(T * B, D).T @ da),
        "W_hh": dW_hh,
        "b_h": da.sum(axis=1).reshape(-1),
        **own_grads,
    }
    dx = (da @ params["W_xh"].T.reshape(k, H, D)).sum(axis=0).reshape(T, B, D)
    return grads, dx, (dh, *others)


# --- Sequences of unequal length ----------------------------------------------------------------


class PackedCache(NamedTuple):
    """What `packed_backward` needs: the inputs; per stretch (start, stop, columns, cache)."""

    x: np.ndarray
    stretches: list


def check_lengths(lengths: np.ndarray, T: int, B: int) -> None:
    """Raise unless there are B integers in 1 … T."""
    check_shape("lengths", lengths, (B,))
    check_ids("lengths", lengths, T + 1)
    if lengths.min() < 1:
        raise ValueError(f"lengths must lie in 1 … {T}, got {int(lengths.min())}")


def packed_forward(cell: Cell, params: dict, x: np.ndarray, lengths: np.ndarray, state=None):
    """Read a padded batch: of sequence b only x[:lengths[b], b]. Padding is never read.

    With the longest sequence first, the batch gets narrower wherever one ends: so it is read in
    stretches, each with `forward`, each from the states that the last one left.
    x: (T, B, D), lengths: (B,) in 1 … T. Returns hs (T, B, H), zero behind a sequence's end; the
    final state, that of each sequence's own last step; and a cache for `packed_backward`.
    Raises: as `forward`; ValueError or TypeError for lengths that are not integers in 1 … T.
    """
    check_forward(cell, params, x, state)
    check_lengths(lengths, *x.shape[:2])
    return run_packed_forward(cell, params, x, lengths, state)


def run_packed_forward(cell: Cell, params: dict, x: np.ndarray, lengths: np.ndarray, state=None):
    """`packed_forward`, its arguments checked."""
    T, B, _ = x.shape
    final = tuple(s.copy() for s in state or zero_state(cell, params, B))
    hs = np.zeros((T, B, len(params["W_hh"])), x.dtype)
    order = np.argsort(-lengths, kind="stable")
    start, stretches = 0, []
    for stop in np.unique(lengths):
        columns = order[: np.count_nonzero(lengths >= stop)]
        here, state = (slice(start, stop), columns), tuple(s[columns] for s in final)
        hs[here], state, cache = run_forward(cell, params, x[here], state)
        for whole, part in zip(final, state):
            whole[columns] = part
        stretches.append((start, stop, columns, cache))
        start = stop
    return hs, final, PackedCache(x, stretches)


def packed_backward(cell: Cell, params: dict, cache: PackedCache, dhs=None, dstate=None):
    """Back through `packed_forward`, stretch by stretch: the batch widens where a sequence ended.

    dhs: (T, B, H), read only where there is no padding; dstate: tuple of (B, H), gradient of each
    sequence's own last state. Returns as `backward`; dx is zero in the padding.
    Raises: as `backward`.
    """
    check_backward(cell, cache.x, len(params["W_hh"]), dhs, dstate)
    return run_packed_backward(cell, params, cache, dhs, dstate)


def run_packed_backward(cell: Cell, params: dict, cache: PackedCache, dhs=None, dstate=None):
    """`packed_backward`, its arguments checked."""
    x, stretches = cache
    B = x.shape[1]
    waiting = tuple(d.copy() for d in dstate or zero_state(cell, params, B))
    dx = np.zeros_like(x)
    grads = {name: np.zeros_like(params[name]) for name in ("W_xh", "W_hh", "b_h", *cell.own)}
    for start, stop, columns, stretch in reversed(stretches):
        here, part = (slice(start, stop), columns), tuple(d[columns] for d in waiting)
        dhs_here = None if dhs is None else dhs[here]
        stretch_grads, dx[here], part = run_backward(cell, params, stretch, dhs_here, part)
        for name, gradient in stretch_grads.items():
            grads[name] += gradient
        for whole, d in zip(waiting, part):
            whole[columns] = d
    return grads, dx, waiting


def reverse(x: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Each sequence backwards within its own length; padding stays where it is. Its own inverse.

    x: (T, B, …), lengths: (B,) in 1 … T.
    Raises: ValueError or TypeError for lengths that are not integers in 1 … T.
    """
    check_lengths(lengths, *x.shape[:2])
    return run_reverse(x, lengths)


def run_reverse(x: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """`reverse`, its arguments checked."""
    T, B = x.shape[:2]
    t, lengths = np.arange(T)[:, None], lengths.astype(np.int64)
    return x[np.where(t < lengths, lengths - 1 - t, t), np.arange(B)]


# --- Stacks: several layers, one or two directions ----------------------------------------------


def init_stack(
    cell: Cell, D: int, H: int, n_layers: int, rng, bidirectional=False, dtype=np.float32
) -> dict:
    """Parameters of a stack of recurrent layers, named as in torch: W_xh_l0, W_xh_l0_reverse.

    Layer 0 reads D numbers, each other one the H (two directions: 2H) outputs of the layer below.
    Raises: ValueError if a size is not a positive integer.
    """
    check_sizes(n_layers=n_layers)
    directions = ("", "_reverse") if bidirectional else ("",)
    params = {}
    for layer in range(n_layers):
        width = D if layer == 0 else len(directions) * H
        for direction in directions:
            one = init_cell(cell, width, H, rng, dtype)
            params |= {f"{name}_l{layer}{direction}": array for name, array in one.items()}
    return params


def layer_suffixes(params: dict) -> list:
    """The suffixes of a stack's parameters: a list of layers, each a list of one or two."""
    directions = ("", "_reverse") if "W_xh_l0_reverse" in params else ("",)
    layers = []
    while f"W_xh_l{len(layers)}" in params:
        layers.append([f"_l{len(layers)}{direction}" for direction in directions])
    if not layers:
        raise ValueError(f"params hold no stack: W_xh_l0 is not among {sorted(params)}")
    return layers


def one_layer(cell: Cell, params: dict, suffix: str) -> dict:
    """The parameters of one layer and direction, without the suffix."""
    return {name: params[name + suffix] for name in ("W_xh", "W_hh", "b_h", *cell.own)}


def check_stack(cell: Cell, params: dict, D: int) -> None:
    """All that can be wrong with the parameters of a stack that reads D numbers, said in words."""
    width = D
    for layer in layer_suffixes(params):
        for suffix in layer:
            check_layer(cell, params, suffix)
            W_xh, H = params["W_xh" + suffix], len(params["W_hh" + suffix])
            check_shape(f"params['W_xh{suffix}']", W_xh, (width, cell.n_gates * H))
            check_floats(**{"W_xh_l0": params["W_xh_l0"], "W_xh" + suffix: W_xh})
        width = len(layer) * H


def check_stack_forward(cell, params, x, lengths, states, dropout_masks) -> None:
    """All that can be wrong with the arguments of `stack_forward`, said in words."""
    check_shape("x", x, ("T", "B", "D"))
    suffixes = [suffix for layer in layer_suffixes(params) for suffix in layer]
    for name, value, n in (
        ("states", states, len(suffixes)),
        ("dropout_masks", dropout_masks, len(layer_suffixes(params)) - 1),
    ):
        if value is not None and len(value) != n:
            raise ValueError(f"{name} has {len(value)} entries, expected {n}")
    T, B, D = x.shape
    if lengths is not None:
        check_lengths(lengths, T, B)
    check_stack(cell, params, D)
    check_floats(x=x, W_xh_l0=params["W_xh_l0"])
    check_finite("x", x)
    for i, (suffix, state) in enumerate(zip(suffixes, states or ())):
        if state is not None:
            check_state(f"states[{i}]", state, cell, B, len(params["W_hh" + suffix]))
            check_floats(x=x, **{f"states[{i}][{j}]": s for j, s in enumerate(state)})


def stack_forward(
    cell: Cell, params: dict, x: np.ndarray, lengths=None, states=None, dropout_masks=None
):
    """Layer on layer, in one or both directions; each layer reads all outputs of the one below.

    x: (T, B, D); lengths: (B,) of a padded batch, or None if all have T steps; states: a list of
    one state per layer and direction (l0, l0_reverse, l1, …), or None for zeros; dropout_masks: one
    array per layer but the first, (T or 1, B, size of what it reads), see `layers.dropout_mask`.
    Returns hs (T, B, H), or (T, B, 2H) with forward then backward half; final states, a list like
    `states`; and a cache for `stack_backward`.
    Raises: ValueError for wrong shapes, lengths or numbers of states or masks.
    """
    check_stack_forward(cell, params, x, lengths, states, dropout_masks)
    return run_stack_forward(cell, params, x, lengths, states, dropout_masks)


def run_stack_forward(cell, params, x, lengths=None, states=None, dropout_masks=None):
    """`stack_forward`, its arguments checked."""
    layers, (T, B, _) = layer_suffixes(params), x.shape
    lengths = np.full(B, T) if lengths is None else lengths
    masks = [None] * (len(layers) - 1) if dropout_masks is None else list(dropout_masks)
    states = [None] * sum(map(len, layers)) if states is None else states
    finals, caches, hs = [], [], x
    for mask, layer in zip([None, *masks], layers):
        read = hs if mask is None else hs * mask
        halves = []
        for suffix in layer:
            backwards = suffix.endswith("_reverse")
            half, final, cache = run_packed_forward(
                cell, one_layer(cell, params, suffix),
                run_reverse(read, lengths) if backwards else read, lengths, states[len(finals)],
            )  # fmt: skip
            halves.append(run_reverse(half, lengths) if backwards else half)
            finals.append(final)
            caches.append(cache)
        hs = np.concatenate(halves, axis=-1)
    return hs, finals, (lengths, masks, caches)


def stack_backward(cell: Cell, params: dict, cache, dhs=None, dstates=None):
    """Back through a stack, from the top layer down.

    dhs: (T, B, H or 2H), gradient of the top layer's outputs, or None; dstates: a list like the
    final states, with None where there is no gradient, or None. Returns grads (keys as in params),
    dx (T, B, D), and the gradients of the initial states.
    Raises: ValueError for wrong shapes, or if both gradients are None.
    """
    check_stack_backward(cell, params, cache, dhs, dstates)
    return run_stack_backward(cell, params, cache, dhs, dstates)


def check_stack_backward(cell, params, cache, dhs, dstates) -> None:
    """All that can be wrong with the gradients that `stack_backward` gets, said in words."""
    _, _, caches = cache
    if dhs is None and dstates is None:
        raise ValueError("backward needs dhs, dstates or both: with neither there is no gradient")
    x, H, directions = caches[0].x, len(params["W_hh_l0"]), len(layer_suffixes(params)[0])
    T, B, _ = x.shape
    if dhs is not None:
        check_shape("dhs", dhs, (T, B, directions * H))
        check_floats(x=x, dhs=dhs)
    if dstates is not None and len(dstates) != len(caches):
        raise ValueError(f"dstates has {len(dstates)} entries, expected {len(caches)}")
    for i, dstate in enumerate(dstates or ()):
        if dstate is not None:
            check_state(f"dstates[{i}]", dstate, cell, B, H)
            check_floats(x=x, **{f"dstates[{i}][{j}]": d for j, d in enumerate(dstate)})


def run_stack_backward(cell: Cell, params: dict, cache, dhs=None, dstates=None):
    """`stack_backward`, its arguments checked."""
    lengths, masks, caches = cache
    layers = layer_suffixes(params)
    directions, H = len(layers[0]), len(params["W_hh_l0"])
    T, B, _ = caches[0].x.shape
    dhs = np.zeros((T, B, directions * H), params["W_hh_l0"].dtype) if dhs is None else dhs
    dstates = [None] * len(caches) if dstates is None else list(dstates)
    grads = {}
    for number, (mask, layer) in reversed(list(enumerate(zip([None, *masks], layers)))):
        dread = 0
        for j, (suffix, half) in enumerate(zip(layer, np.split(dhs, directions, axis=-1))):
            i, backwards = number * directions + j, suffix.endswith("_reverse")
            one_grads, dx, dstates[i] = run_packed_backward(
                cell, one_layer(cell, params, suffix), caches[i],
                run_reverse(half, lengths) if backwards else half, dstates[i],
            )  # fmt: skip
            grads |= {name + suffix: gradient for name, gradient in one_grads.items()}
            dread = dread + (run_reverse(dx, lengths) if backwards else dx)
        dhs = dread if mask is None else dread * mask
    return grads, dhs, dstates
