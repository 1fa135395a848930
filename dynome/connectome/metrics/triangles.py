"""How many of the triangles that could be around each node are there."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse
import xarray as xr
from numpy.typing import NDArray

from dynome.connectome.metrics.adjacency import EdgeType, Matrix, at_nodes, joined

_products = 20_000_000  # partial products held at a time when triangles are counted


def clustering(connectome: xr.Dataset, *, edge_type: EdgeType = None) -> xr.DataArray:
    """How many of the triangles that could be around each node are there.

    Parameters
    ----------
    connectome : Dataset
        A valid connectome.
    edge_type : str, list of str or None
        Edge types to follow; None follows all.

    Returns
    -------
    clustering (node), dimensionless
        Between 0 and 1; 0 where a node has fewer than two partners. Self-loops do not count.

    Notes
    -----
    For directed binary graphs [1]_, with :math:`S = A + A^T`, total degree :math:`d` and number of reciprocated
    partners :math:`r`: :math:`c_i = (S^3)_{ii} / (2 [d_i (d_i - 1) - 2 r_i])`. On symmetric wiring this is the usual
    coefficient of Watts and Strogatz.

    References
    ----------
    .. [1] Fagiolo, Physical Review E 2007, doi:10.1103/PhysRevE.76.026107.

    Examples
    --------
    >>> from dynome.connectome import from_edges
    >>> clustering(from_edges({"source": ["a", "b", "a"], "target": ["b", "c", "c"]})).values.tolist()
    [0.5, 0.5, 0.5]
    """
    return at_nodes(connectome, clustering_of(joined(connectome, edge_type)), "clustering", "clustering coefficient")


def clustering_of(joined_pairs: Matrix) -> NDArray[np.float64]:
    """Clustering of each node of a binary matrix without self-loops."""
    there = joined_pairs.astype(np.int64)
    both = (there + there.T).tocsr()
    total = both.sum(axis=1)
    mutual = there.multiply(there.T).sum(axis=1)
    possible = 2 * (total * (total - 1) - 2 * mutual)
    triangles = _closed_walks(both)
    values: NDArray[np.float64] = np.divide(triangles, possible, out=np.zeros(total.size), where=possible > 0)
    return values


def _closed_walks(both: scipy.sparse.csr_array[Any, tuple[int, int]]) -> NDArray[np.int64]:
    """The diagonal of the cube of a symmetric matrix, some rows at a time to bound the memory."""
    reach = np.asarray(both.astype(bool).astype(np.int64) @ np.diff(both.indptr))
    part = np.cumsum(reach) // _products
    out = np.zeros(both.shape[0], dtype=np.int64)
    for k in np.unique(part):
        rows = np.flatnonzero(part == k)
        out[rows] = (both[rows] @ both).multiply(both[rows]).sum(axis=1)
    return out
