"""Nonnegative least squares on the rows of a factor, and Gram matrices."""

from __future__ import annotations

from functools import reduce
from operator import mul
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[np.float64]

_LANES = 32  # rows that are updated side by side, so that one instruction serves several


def sweep_rows(factor: Array, numerator: Array, gram: Array, sweeps: int) -> None:
    """Coordinate descent on every row: minimise ``f G f' - 2 n f'`` over ``f >= 0``, in place.

    Parameters
    ----------
    factor, numerator : (n_restart, n_row, rank)
        Where to start and the linear term.
    gram : (n_restart, 1 or n_row, rank, rank)
        Symmetric. A component with a zero on the diagonal stays as it is.
    sweeps : int
        Passes over the components.
    """
    if gram.shape[1] == 1:
        _sweep_lanes(factor, numerator, gram, sweeps)
    else:
        _sweep_each(factor, numerator, gram, sweeps)


@njit(cache=True, nogil=True, fastmath={"contract"})
def _sweep_lanes(factor: Array, numerator: Array, gram: Array, sweeps: int) -> None:
    n_restart, n_row, rank = factor.shape
    f, slope = np.zeros((rank, _LANES)), np.zeros(_LANES)
    for k in range(n_restart):
        g = gram[k, 0]
        for start in range(0, n_row, _LANES):
            n = min(_LANES, n_row - start)
            for i in range(n):
                for r in range(rank):
                    f[r, i] = factor[k, start + i, r]
            for _ in range(sweeps):
                for r in range(rank):
                    if g[r, r] > 0.0:
                        for i in range(n):
                            slope[i] = numerator[k, start + i, r]
                        for s in range(rank):
                            for i in range(_LANES):
                                slope[i] -= g[r, s] * f[s, i]
                        for i in range(_LANES):
                            f[r, i] = max(f[r, i] + slope[i] / g[r, r], 0.0)
            for i in range(n):
                for r in range(rank):
                    factor[k, start + i, r] = f[r, i]


@njit(cache=True, nogil=True)
def _sweep_each(factor: Array, numerator: Array, gram: Array, sweeps: int) -> None:
    n_restart, n_row, rank = factor.shape
    for k in range(n_restart):
        for i in range(n_row):
            g, f = gram[k, i], factor[k, i]
            for _ in range(sweeps):
                for r in range(rank):
                    if g[r, r] > 0.0:
                        slope = numerator[k, i, r]
                        for s in range(rank):
                            slope -= f[s] * g[s, r]
                        f[r] = max(f[r] + slope / g[r, r], 0.0)


def gram_of(factor: Any) -> Any:
    """Gram matrix of each restart: ``(n_restart, rank, rank)``."""
    return factor.swapaxes(1, 2) @ factor


def full_gram(factors: list[Any], mode: int) -> Any:
    """One Gram matrix for all rows of a mode where nothing is missing: ``(n_restart, 1, rank, rank)``."""
    return reduce(mul, [gram_of(f) for m, f in enumerate(factors) if m != mode])[:, None]
