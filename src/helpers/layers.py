"""The layers around a recurrence: embedding, linear read-out, dropout.

Shapes: any leading dimensions (…), usually (T, B). V vocabulary, D features, H hidden units.
"""

import numpy as np

from .checks import check_floats, check_ids, check_shape, check_share, check_sizes


def one_hot(ids: np.ndarray, V: int, dtype=np.float32) -> np.ndarray:
    """A vector with a single 1 for each id: (…) integers → (…, V).

    Raises: TypeError for non-integers, IndexError for ids outside 0 … V−1.
    """
    check_sizes(V=V)
    check_ids("ids", ids, V)
    return np.eye(V, dtype=dtype)[ids]


def init_embedding(V: int, D: int, rng, dtype=np.float32) -> dict:
    """E (V, D), one row per symbol, from a standard normal as torch.nn.Embedding does.

    Raises: ValueError if a size is not a positive integer.
    """
    check_sizes(V=V, D=D)
    return {"E": rng.standard_normal((V, D)).astype(dtype)}


def embedding_forward(params: dict, ids: np.ndarray) -> np.ndarray:
    """Look rows up: x = E[ids], the same as one_hot(ids) @ E without the product.

    ids: (…) integers. Returns (…, D).
    Raises: TypeError for non-integers, IndexError for ids outside 0 … V−1.
    """
    check_shape("params['E']", params["E"], ("V", "D"))
    check_ids("ids", ids, params["E"].shape[0])
    return params["E"][ids]


def embedding_backward(params: dict, ids: np.ndarray, dx: np.ndarray) -> dict:
    """Each row of E gathers the gradient of every place where it was used.

    ids: (…) integers, dx: (…, D). Returns {"E": (V, D)}.
    Raises: ValueError for wrong shapes or mixed dtypes.
    """
    V, D = params["E"].shape
    check_ids("ids", ids, V)
    check_shape("dx", dx, (*ids.shape, D))
    check_floats(E=params["E"], dx=dx)
    # speed: sort by id, then sum each run of equal ids; np.add.at takes four to ten times as long.
    flat = ids.reshape(-1)
    order = np.argsort(flat, kind="stable")
    used, starts = np.unique(flat[order], return_index=True)
    dE = np.zeros_like(params["E"])
    dE[used] = np.add.reduceat(dx.reshape(-1, D)[order], starts, axis=0)
    return {"E": dE}


def init_linear(H: int, V: int, rng, dtype=np.float32) -> dict:
    """W_hy (H, V) and b_y (V,), uniform in ±1/√H as torch.nn.Linear does.

    Raises: ValueError if a size is not a positive integer.
    """
    check_sizes(H=H, V=V)
    bound = 1 / np.sqrt(H)
    return {
        "W_hy": rng.uniform(-bound, bound, (H, V)).astype(dtype),
        "b_y": rng.uniform(-bound, bound, V).astype(dtype),
    }


def init_affine(name: str, n_in: int, n_out: int, rng, dtype=np.float32) -> dict:
    """W_name (n_in, n_out) and b_name (n_out,), made as those of the read-out.

    Raises: ValueError if a size is not a positive integer.
    """
    made = init_linear(n_in, n_out, rng, dtype)
    return {f"W_{name}": made["W_hy"], f"b_{name}": made["b_y"]}


def _check_linear(params, h):
    check_shape("params['W_hy']", params["W_hy"], ("H", "V"))
    H, V = params["W_hy"].shape
    check_shape("params['b_y']", params["b_y"], (V,))
    if not isinstance(h, np.ndarray) or h.ndim < 1 or h.shape[-1] != H or h.size == 0:
        shape = h.shape if isinstance(h, np.ndarray) else type(h).__name__
        raise ValueError(f"h has shape {shape}, expected (…, {H}) and not empty")
    check_floats(h=h, W_hy=params["W_hy"], b_y=params["b_y"])


def linear_forward(params: dict, h: np.ndarray) -> np.ndarray:
    """The read-out: z = h W_hy + b_y. h: (…, H). Returns z: (…, V).

    Raises: ValueError for wrong shapes or mixed dtypes.
    """
    _check_linear(params, h)
    return h @ params["W_hy"] + params["b_y"]


def linear_backward(params: dict, h: np.ndarray, dz: np.ndarray):
    """dW_hy = hᵀ dz and db_y = Σ dz, summed over all leading dimensions; dh = dz W_hyᵀ.

    h: (…, H), dz: (…, V). Returns grads (keys W_hy, b_y) and dh (…, H).
    Raises: ValueError for wrong shapes or mixed dtypes.
    """
    _check_linear(params, h)
    H, V = params["W_hy"].shape
    check_shape("dz", dz, (*h.shape[:-1], V))
    check_floats(h=h, dz=dz)
    flat = dz.reshape(-1, V)
    grads = {"W_hy": h.reshape(-1, H).T @ flat, "b_y": flat.sum(axis=0)}
    return grads, dz @ params["W_hy"].T


def dropout_mask(shape: tuple, p: float, rng, dtype=np.float32) -> np.ndarray:
    """Dropout: 0 with probability p, else 1/(1 − p), so that the mean of what passes is kept.

    shape (T, B, n) draws anew at every step; (1, B, n), broadcast over time, drops the same units
    at all steps of a sequence (variational dropout). For testing, leave the mask out.
    Raises: ValueError unless 0 ≤ p < 1.
    Source: Srivastava et al. (2014), who scale the weights for testing instead; one mask for all
    steps: Gal & Ghahramani (2016).
    """
    check_share("p", p)
    return ((rng.random(shape) >= p) / (1 - p)).astype(dtype)
