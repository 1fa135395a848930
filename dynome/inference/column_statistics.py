"""Moments of nodes over bins, some of which are missing: what predictive checks compare."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def column_mean(y: Array) -> Array:
    """Of every column, without NaN; NaN for a column that has nothing else.

    Parameters
    ----------
    y : (n_bin, n_node)

    Examples
    --------
    >>> column_mean(np.array([[1.0, np.nan], [3.0, np.nan]])).tolist()
    [2.0, nan]
    """
    count = np.isfinite(y).sum(axis=0)
    return np.asarray(np.nansum(y, axis=0) / np.where(count > 0, count, np.nan))


def column_correlation(a: Array, b: Array) -> Array:
    """Of each column of one array with the same column of the other, over entries that both have.

    Parameters
    ----------
    a, b : (n_bin, n_node)

    Returns
    -------
    (n_node,)
        NaN for a column that does not vary.
    """
    known = np.isfinite(a) & np.isfinite(b)
    a, b = (np.where(known, v, np.nan) for v in (a, b))
    a, b = (v - column_mean(v) for v in (a, b))
    scale = np.sqrt(column_mean(a**2) * column_mean(b**2))
    return column_mean(a * b) / np.where(scale > 0, scale, np.nan)


def correlation_matrix(y: Array) -> Array:
    """Over the bins in which all nodes were seen; NaN for nodes that do not vary, and on the diagonal.

    Parameters
    ----------
    y : (n_bin, n_node)

    Returns
    -------
    (n_node, n_node)
        All NaN where there is no such bin.
    """
    z = y[np.isfinite(y).all(axis=1)]
    if not z.shape[0]:
        return np.full((y.shape[1], y.shape[1]), np.nan)
    z = z - z.mean(axis=0)
    scale = np.sqrt((z**2).mean(axis=0))
    z /= np.where(scale > 0, scale, np.nan)
    out = z.T @ z / z.shape[0]
    np.fill_diagonal(out, np.nan)
    return np.asarray(out)
