"""Rank correlation, with the ranks of each pair taken within the samples that both columns have."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from dynome.dynamics.connectivity.measures import correlation
from dynome.dynamics.connectivity.moments import Array, complete_moments


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
    With gaps the first call in an installation compiles for some seconds.
    """
    here = ~np.isnan(x)
    frames = here.any(axis=1)
    if not frames.any():
        return np.full((x.shape[1], x.shape[1]), np.nan), np.zeros((1, 1), dtype=np.int64)
    if not frames.all():
        x, here = x[frames], here[frames]
    if here.all():
        moments = complete_moments(rankdata(x, axis=0))
        return correlation(moments, min_samples=min_samples), moments.n
    from dynome.dynamics.connectivity.rank_kernels import pairwise_spearman

    rows = np.ascontiguousarray(x.T, dtype=np.float64)
    r, n = pairwise_spearman(rows, np.argsort(rows, axis=1), min_samples)
    return r, n
