"""Compiled kernel of rank correlation with gaps. Import where used: importing this module imports numba."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@njit(cache=True)
def pairwise_spearman(x: Floats, order: Integers, min_samples: int) -> tuple[Floats, Integers]:
    """Spearman correlation of every pair of rows over their common samples.

    Parameters
    ----------
    x : (n_node, n_time)
        NaN where missing.
    order : (n_node, n_time)
        Samples of each row from small to large, missing ones last.
    min_samples : int
        Pairs with fewer common samples are NaN.

    Returns
    -------
    tuple
        Correlations and common samples, both (n_node, n_node).

    Notes
    -----
    Sorting is done once for each row; ranks within a pair are counted along that order, so a pair costs time in
    proportion to the samples.
    """
    n_node, n_time = x.shape
    r = np.full((n_node, n_node), np.nan)
    n = np.zeros((n_node, n_node), dtype=np.int64)
    a, b = np.empty(n_time), np.empty(n_time)
    for i in range(n_node):
        for j in range(i + 1):
            n[i, j] = n[j, i] = _common_ranks(x[i], order[i], x[j], a)
            _common_ranks(x[j], order[j], x[i], b)
            if n[i, j] < min_samples:
                continue
            middle = (n[i, j] + 1) / 2
            product = square_a = square_b = 0.0
            for t in range(n_time):
                if a[t] > 0:
                    u, v = a[t] - middle, b[t] - middle
                    product += u * v
                    square_a += u * u
                    square_b += v * v
            if square_a > 0 and square_b > 0:
                r[i, j] = r[j, i] = product / np.sqrt(square_a * square_b)
    return r, n


@njit(cache=True)
def _common_ranks(x: Floats, order: Integers, other: Floats, ranks: Floats) -> int:
    """Write the ranks of `x` among the samples that `other` has too, 0 elsewhere; ties share their mean rank."""
    ranks[:] = 0
    count = 0
    k = 0
    while k < order.size and not np.isnan(x[order[k]]):
        first, value, tied = k, x[order[k]], 0
        while k < order.size and x[order[k]] == value:
            tied += not np.isnan(other[order[k]])
            k += 1
        for t in order[first:k]:
            if not np.isnan(other[t]):
                ranks[t] = count + (tied + 1) / 2
        count += tied
    return count
