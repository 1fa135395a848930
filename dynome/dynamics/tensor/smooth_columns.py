"""Exact updates of columns whose neighbouring rows are linked.

The minimum over one column is a linear complementarity problem with a tridiagonal M-matrix: which rows are positive is
found by policy iteration (Howard), which needs a few tridiagonal solves and goes up monotonically. Coordinate descent
would take (length / step)^2 sweeps to carry a value along the smoothing length.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[np.float64]

_POLICIES = 60  # far more than ever needed; a bound, should rounding make two policies alternate
_ROOTS = 30  # Newton steps for the sum of a column


@njit(cache=True)
def sweep_columns(
    factor: Array, numerator: Array, gram: Array, links: Array, size: Array, threshold: float, sweeps: int
) -> None:
    """Descent on every column: minimise the block of `dynome.dynamics.tensor.penalties` over ``f >= 0``, in place.

    Shapes as there: ``(n_restart, n_row, rank)``, the same, ``(n_restart, 1 or n_row, rank, rank)``, ``(n_row - 1,)``,
    ``(n_restart, rank)``.
    """
    n_restart, n, rank = factor.shape
    one = gram.shape[1] == 1
    target, diagonal, free = np.empty(n), np.empty(n), np.empty(n, np.bool_)
    solved, unit = np.empty(n), np.empty(n)
    for k in range(n_restart):
        for _ in range(sweeps):
            for r in range(rank):
                known = 0.0
                for i in range(n):
                    g = gram[k, 0 if one else i]
                    target[i] = numerator[k, i, r]
                    for s in range(rank):
                        if s != r:
                            target[i] -= g[r, s] * factor[k, i, s]
                    diagonal[i] = g[r, r]
                    known += g[r, r]
                    free[i] = factor[k, i, r] > 0.0
                if known <= 0.0:
                    continue
                scaled = size[k, r] * links
                for i in range(n - 1):
                    diagonal[i + 1] += scaled[i]
                    diagonal[i] += scaled[i]
                pull = size[k, r] * threshold
                total = factor[k, :, r].sum() if pull > 0.0 else 0.0
                for _ in range(_ROOTS if pull > 0.0 else 1):
                    _complementary(target - pull * total, diagonal, scaled, free, solved)
                    if pull == 0.0:
                        break
                    _solve(np.ones(n), diagonal, scaled, free, unit)
                    slope, gap = pull * unit.sum(), solved.sum() - total
                    total += gap / (1.0 + slope)
                    if abs(gap) <= 1e-14 * total:
                        break
                for i in range(n):
                    factor[k, i, r] = max(solved[i], 0.0)


@njit(cache=True)
def _complementary(target: Array, diagonal: Array, links: Array, free: NDArray[np.bool_], out: Array) -> None:
    """Minimum of ``f A f - 2 b f`` over ``f >= 0``; `free` is where to begin, and where it ended."""
    n = target.size
    for _ in range(_POLICIES):
        _solve(target, diagonal, links, free, out)
        changed = False
        for i in range(n):
            if free[i]:
                keep = out[i] >= 0.0
            else:
                push = target[i]
                if i > 0:
                    push += links[i - 1] * out[i - 1]
                if i < n - 1:
                    push += links[i] * out[i + 1]
                keep = push > 0.0
            if keep != free[i]:
                free[i] = keep
                changed = True
        if not changed:
            return


@njit(cache=True)
def _solve(target: Array, diagonal: Array, links: Array, free: NDArray[np.bool_], out: Array) -> None:
    """Tridiagonal system over the free rows, 0 elsewhere (Thomas algorithm)."""
    n = target.size
    pivot = np.empty(n)
    for i in range(n):
        if not free[i]:
            out[i] = 0.0
            continue
        pivot[i], out[i] = diagonal[i], target[i]
        if i > 0 and free[i - 1]:
            ratio = links[i - 1] / pivot[i - 1]
            pivot[i] -= ratio * links[i - 1]
            out[i] += ratio * out[i - 1]
    for i in range(n - 1, -1, -1):
        if free[i]:
            if i < n - 1 and free[i + 1]:
                out[i] += links[i] * out[i + 1]
            out[i] /= pivot[i]
