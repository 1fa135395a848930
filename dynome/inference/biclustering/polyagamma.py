r"""Draws from Polya-Gamma distributions of real shape: the auxiliary variables of logistic laws.

:math:`\omega \sim PG(b, c)` makes :math:`e^{a \eta} / (1 + e^\eta)^b` a Gaussian function of :math:`\eta`
(Polson, Scott and Windle 2013, doi:10.1080/01621459.2013.829001).
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Final

import numpy as np

from dynome.extras import require
from dynome.inference.biclustering.model import Array

_CHUNK: Final = 1 << 14  # draws that share a random stream
_NORMAL_ABOVE: Final = 50.0  # where the package stops to be exact


def draw_polyagamma(shape: Array, tilt: Array, rng: np.random.Generator, n_threads: int = 1) -> Array:
    r"""Independent Polya-Gamma draws.

    Parameters
    ----------
    shape : array
        Positive.
    tilt : array of the same shape
    rng : numpy Generator
    n_threads : int
        The numbers do not depend on it.

    Returns
    -------
    array of the same shape
        Mean :math:`\frac{b}{2c} \tanh \frac{c}{2}`.

    Examples
    --------
    >>> draws = draw_polyagamma(np.full(10_000, 2.5), np.full(10_000, 1.0), np.random.default_rng(0))
    >>> round(float(draws.mean()), 1), round(2.5 / 2 * float(np.tanh(0.5)), 1)
    (0.6, 0.6)
    """
    flat, tilts, out = shape.ravel(), tilt.ravel(), np.empty(shape.size)
    first = range(0, flat.size, _CHUNK)
    seeds = rng.integers(0, 1 << 63, size=len(first))
    parts = [slice(start, start + _CHUNK) for start in first]

    def draw(seed: int, part: slice) -> None:
        out[part] = _draw(flat[part], tilts[part], np.random.default_rng(seed))

    if n_threads == 1 or len(parts) == 1:
        for seed, part in zip(seeds.tolist(), parts, strict=True):
            draw(seed, part)
    else:
        with ThreadPoolExecutor(n_threads) as pool:
            list(pool.map(draw, seeds.tolist(), parts))
    return out.reshape(shape.shape)


def _draw(shape: Array, tilt: Array, rng: np.random.Generator) -> Array:
    sample = require("polyagamma", extra="bayes").random_polyagamma
    out = np.empty(shape.size)
    large = shape > _NORMAL_ABOVE
    for part, method in ((~large, None), (large, "saddle")):
        if part.any():
            out[part] = sample(shape[part], tilt[part], method=method, disable_checks=True, random_state=rng)
    return out
