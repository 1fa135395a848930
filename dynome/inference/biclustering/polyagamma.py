r"""Draws from Polya-Gamma distributions of real shape: the auxiliary variables of logistic laws.

:math:`\omega \sim PG(b, c)` makes :math:`e^{a \eta} / (1 + e^\eta)^b` a Gaussian function of :math:`\eta` given
:math:`\omega` (Polson, Scott and Windle 2013, doi:10.1080/01621459.2013.829001). The draws are exact for every shape,
see `dynome.inference.biclustering.jacobi`.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Final

import numpy as np

from dynome.inference.biclustering.jacobi import envelope, fill
from dynome.inference.biclustering.model import Array

_CHUNK: Final = 1 << 13  # draws that share a random stream


def draw_polyagamma(shape: Array, tilt: Array, rng: np.random.Generator, n_threads: int = 1) -> Array:
    r"""Independent Polya-Gamma draws.

    Parameters
    ----------
    shape : array
        b. A draw of shape 0 is 0. The cost grows with the shape where it is large and the tilt is small.
    tilt : array of the same shape
        c
    rng : numpy Generator
    n_threads : int
        The numbers do not depend on it.

    Returns
    -------
    array of the same shape
        Of mean :math:`\frac{b}{2c} \tanh \frac{c}{2}`; NaN where an argument is not finite.

    Examples
    --------
    >>> draws = draw_polyagamma(np.full(10_000, 2.5), np.full(10_000, 1.0), np.random.default_rng(0))
    >>> round(float(draws.mean()), 1), round(2.5 / 2 * float(np.tanh(0.5)), 1)
    (0.6, 0.6)
    """
    shapes, tilts, out = np.ravel(shape), np.ravel(tilt), np.empty(shape.size)
    parts = [slice(first, first + _CHUNK) for first in range(0, out.size, _CHUNK)]
    seeds = rng.integers(1 << 63, size=len(parts)).tolist()  # spawned streams would not survive a checkpoint of rng
    bounds = envelope()

    def draw(part: slice, seed: int) -> None:
        fill(shapes[part], tilts[part], np.random.default_rng(seed), *bounds, out[part])

    if n_threads == 1 or len(parts) == 1:
        for part, seed in zip(parts, seeds, strict=True):
            draw(part, seed)
    else:
        with ThreadPoolExecutor(n_threads) as pool:
            list(pool.map(draw, parts, seeds))
    return out.reshape(shape.shape)
