"""Where a recurrent matrix starts: orthogonal, identity, a spectral radius.

Shapes: H hidden units; every matrix is (H, H), to be put in place of params["W_hh"].
"""

import numpy as np

from .checks import check_finite, check_shape, check_sizes


def orthogonal(H: int, rng, dtype=np.float32) -> np.ndarray:
    """A random orthogonal matrix: W Wᵀ = 1, so every singular value is 1 and lengths are kept.

    Drawn evenly from all of them: QR of a Gaussian matrix, with the signs of R's diagonal undone.
    Raises: ValueError if H is not a positive integer.
    Source: Saxe et al. (2014).
    """
    check_sizes(H=H)
    Q, R = np.linalg.qr(rng.standard_normal((H, H)))
    return (Q * np.sign(np.diag(R))).astype(dtype)


def scaled_identity(H: int, scale: float = 1.0, dtype=np.float32) -> np.ndarray:
    """scale · 1: at the start every unit remembers itself. With ReLU and scale 1: the "IRNN".

    Raises: ValueError if H is not a positive integer.
    Source: Le, Jaitly & Hinton (2015).
    """
    check_sizes(H=H)
    return (scale * np.eye(H)).astype(dtype)


def spectral_radius(W: np.ndarray) -> float:
    """The largest |eigenvalue| of W (H, H): the growth rate of W^n for large n.

    Raises: ValueError if W is not square or not finite.
    """
    check_shape("W", W, ("H", "H"))
    check_shape("W", W, (len(W), len(W)))
    check_finite("W", W)
    return float(np.abs(np.linalg.eigvals(W)).max())


def with_spectral_radius(W: np.ndarray, radius: float) -> np.ndarray:
    """W, scaled so that its spectral radius is `radius`.

    Raises: ValueError if W is not square, or nilpotent (spectral radius 0), or radius < 0.
    """
    if not radius >= 0:
        raise ValueError(f"radius must be zero or positive, got {radius!r}")
    now = spectral_radius(W)
    if now == 0:
        raise ValueError("W has spectral radius 0: no factor gives it another one")
    return (W * (radius / now)).astype(W.dtype)
