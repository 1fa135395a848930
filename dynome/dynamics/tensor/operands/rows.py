"""Nonnegative least squares on the rows of a factor, and the Khatri-Rao products around it."""

from __future__ import annotations

from functools import reduce

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[np.float64]


@njit(cache=True)
def sweep_rows(factor: Array, numerator: Array, gram: Array, sweeps: int) -> None:
    """Coordinate descent on every row: minimise ``f G f' - 2 n f'`` over ``f >= 0``, in place.

    `gram` is ``(n_restart, 1 or n_row, rank, rank)``.
    """
    n_restart, n_row, rank = factor.shape
    shared = gram.shape[1] == 1
    for k in range(n_restart):
        for i in range(n_row):
            g = gram[k, 0 if shared else i]
            f = factor[k, i]
            for _ in range(sweeps):
                for r in range(rank):
                    if g[r, r] > 0.0:
                        slope = numerator[k, i, r]
                        for s in range(rank):
                            slope -= f[s] * g[s, r]
                        f[r] = max(f[r] + slope / g[r, r], 0.0)


def khatri_rao(factors: list[Array]) -> Array:
    """Column-wise Kronecker products of each restart: ``(prod n_row, n_restart * rank)``."""
    first, *rest = (f.transpose(1, 0, 2) for f in factors)
    product = reduce(lambda a, b: (a[:, None] * b[None]).reshape(-1, *b.shape[1:]), rest, first)
    return np.ascontiguousarray(product).reshape(product.shape[0], -1)


def gram_of(factor: Array) -> Array:
    """Gram matrix of each restart: ``(n_restart, rank, rank)``."""
    gram: Array = np.matmul(factor.transpose(0, 2, 1), factor)
    return gram


def full_gram(factors: list[Array], mode: int) -> Array:
    """One Gram matrix for all rows of a mode where nothing is missing: ``(n_restart, 1, rank, rank)``."""
    grams = [gram_of(f) for m, f in enumerate(factors) if m != mode]
    return reduce(np.multiply, grams)[:, None]
