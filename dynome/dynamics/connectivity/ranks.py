"""Rank correlation, with the ranks of each pair taken within the samples that both columns have."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from dynome.dynamics.connectivity.moments import Array, complete_moments, correlation


def spearman(x: Array, *, min_samples: int = 2) -> tuple[Array, NDArray[np.int64]]:
    """Spearman correlation of every pair of columns.

    Parameters
    ----------
    x : (n_time, n_node)
        NaN where missing.
    min_samples : int
        Pairs with fewer common samples are NaN.

    Returns
    -------
    tuple
        Correlations (n_node, n_node), ties sharing their mean rank, NaN where a column is constant over the common
        samples; and the common samples of each pair, (n_node, n_node) or (1, 1) where nothing is missing.

    Notes
    -----
    Columns with the same missing samples are ranked together: as many rankings as there are pairs of patterns of
    missing samples, one where nothing is missing.
    """
    here = ~np.isnan(x)
    if here.all():
        moments = complete_moments(rankdata(x, axis=0))
        return correlation(moments, min_samples=min_samples), moments.n
    patterns, pattern_of = np.unique(here, axis=1, return_inverse=True)
    groups = [np.flatnonzero(pattern_of == k) for k in range(patterns.shape[1])]
    n = (here.T.astype(np.float64) @ here.astype(np.float64)).round().astype(np.int64)
    r = np.full(n.shape, np.nan)
    for p, rows_p in enumerate(groups):
        for q, rows_q in enumerate(groups[: p + 1]):
            common = x[patterns[:, p] & patterns[:, q]]
            if common.shape[0] >= max(min_samples, 2):
                block = _between(common[:, rows_p], common[:, rows_q] if p != q else None)
                r[np.ix_(rows_p, rows_q)], r[np.ix_(rows_q, rows_p)] = block, block.T
    return r, n


def _between(x: Array, y: Array | None) -> NDArray[np.floating[Any]]:
    return correlation(complete_moments(rankdata(x, axis=0), None if y is None else rankdata(y, axis=0)))
