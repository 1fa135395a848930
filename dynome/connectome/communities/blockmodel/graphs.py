"""Graphs for the searches, from sparse matrices and from the cells of a partition."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from dynome.connectome.communities.blockmodel.blocks import Graph

Sparse = scipy.sparse.csr_array[Any, tuple[int, int]]
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


def graph_of(count: Sparse, covariate: Sparse | None, *, directed: bool) -> Graph:
    """A graph for the searches.

    Parameters
    ----------
    count : (n_node, n_node) sparse
        Edges between nodes; symmetric if undirected. The diagonal counts self-loops once.
    covariate : (n_node, n_node) sparse or None
        What is known of each edge, stored at the same places as `count`, which then has ones; None for nothing.
    directed : bool
        Whether (i, j) differs from (j, i).
    """
    loop = np.asarray(count.diagonal(), dtype=np.int64)
    out_degree = np.asarray(count.sum(axis=1), dtype=np.int64) + (0 if directed else loop)
    in_degree = np.asarray(count.sum(axis=0), dtype=np.int64) if directed else np.zeros_like(loop)
    classes = np.unique(np.stack([out_degree, in_degree], axis=1), axis=0, return_inverse=True)[1]
    rows = _rows(count, covariate)
    columns = (
        _rows(count.T.tocsr(), None if covariate is None else covariate.T.tocsr()) if directed else _none(loop.size)
    )
    return Graph(*rows, *columns, loop, out_degree, in_degree, classes.reshape(-1).astype(np.int64))


def group_graph(count: Ints, *, directed: bool) -> Graph:
    """The graph whose nodes are groups.

    Parameters
    ----------
    count : (n_group, n_group)
        Edges in each cell; symmetric if undirected.
    directed : bool
        Whether (r, s) differs from (s, r).
    """
    return graph_of(scipy.sparse.csr_array(count), None, directed=directed)


def _rows(count: Sparse, covariate: Sparse | None) -> tuple[Ints, Ints, Ints, Floats, Floats]:
    coo = count.tocoo()
    row, column = coo.coords
    keep = row != column
    order = np.lexsort((column[keep], row[keep]))
    start = np.concatenate([[0], np.cumsum(np.bincount(row[keep], minlength=count.shape[0]))])
    value = np.zeros(order.size)
    if covariate is not None:
        other = covariate.tocoo()
        value = other.data[np.lexsort((other.coords[1], other.coords[0]))]
    return (
        start.astype(np.int64),
        column[keep][order].astype(np.int64),
        coo.data[keep][order].astype(np.int64),
        value.astype(np.float64),
        value.astype(np.float64) ** 2,
    )


def _none(n_node: int) -> tuple[Ints, Ints, Ints, Floats, Floats]:
    no_ints, no_floats = np.zeros(0, dtype=np.int64), np.zeros(0)
    return np.zeros(n_node + 1, dtype=np.int64), no_ints, no_ints, no_floats, no_floats
