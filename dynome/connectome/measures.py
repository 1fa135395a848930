"""What the wiring looks like from its nodes, and as a whole.

Measures of nodes come back labelled, with the coordinates of the nodes; measures of the whole are numbers. All take
``edge_type=`` to look at some layers only. Except for strength, which adds weights, what counts is whether there is
an edge; two nodes that are joined by edges of several types count as joined once, except for degree, which counts
edges. A new measure is a new function on `dynome.connectome.edge_table.table_of`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import scipy.sparse
import xarray as xr
from numpy.typing import NDArray
from scipy.sparse import csgraph

from dynome.connectome import edge_table, node_table
from dynome.connectome.edge_table import EdgeTable
from dynome.schema import NODE
from dynome.units import DIMENSIONLESS

EdgeType = str | Sequence[str] | None
Connection = Literal["weak", "strong"]
_products = 20_000_000  # partial products held at a time when triangles are counted


def degree(connectome: xr.Dataset, *, edge_type: EdgeType = None) -> xr.Dataset:
    """How many edges enter and leave each node.

    Parameters
    ----------
    connectome : Dataset
        A valid connectome.
    edge_type : str, list of str or None
        Edge types to count; None counts all.

    Returns
    -------
    Dataset (node)
        ``in_degree``, ``out_degree`` and ``degree``, the number of edge ends at the node: edges without direction
        are stored twice but count once, a self-loop has both ends at its node.

    Examples
    --------
    >>> from dynome.connectome import from_edges
    >>> degree(from_edges({"source": ["ASHR", "AVAL"], "target": ["AVAL", "VA8"]})).degree.values.tolist()
    [1, 2, 1]
    """
    table = edge_table.table_of(connectome, edge_type)
    ones = np.ones(table.source.size, dtype=np.int64)
    return _at_nodes(connectome, table, ones, "degree", DIMENSIONLESS)


def strength(connectome: xr.Dataset, *, edge_type: EdgeType = None) -> xr.Dataset:
    """The summed weights of the edges that enter and leave each node.

    Parameters
    ----------
    connectome : Dataset
        A valid connectome.
    edge_type : str, list of str or None
        Edge types to add up; None takes all.

    Returns
    -------
    Dataset (node), unit of the weights
        ``in_strength``, ``out_strength`` and ``strength``, the sum over the edge ends at the node (see `degree`).

    Raises
    ------
    UnitsError
        If the edge types have different units.

    Examples
    --------
    >>> from dynome.connectome import from_edges
    >>> wiring = from_edges({"source": ["ASHR"], "target": ["AVAL"], "weight": [4]}, units="synapses")
    >>> strength(wiring).in_strength.sel(node="AVAL").item()
    4
    """
    table = edge_table.table_of(connectome, edge_type)
    unit = edge_table.weight_units(connectome, table.layers)
    return _at_nodes(connectome, table, table.weight, "strength", unit)


def density(connectome: xr.Dataset, *, edge_type: EdgeType = None) -> float:
    """The share of ordered pairs of different nodes that are joined; NaN with fewer than two nodes.

    Parameters
    ----------
    connectome : Dataset
        A valid connectome.
    edge_type : str, list of str or None
        Layers to take; None takes all.

    Examples
    --------
    >>> from dynome.connectome import from_edges
    >>> density(from_edges({"source": ["ASHR"], "target": ["AVAL"]}))
    0.5
    """
    n = edge_table.checked(connectome).sizes[NODE]
    return _joined(connectome, edge_type).nnz / (n * (n - 1)) if n > 1 else float("nan")


def reciprocity(connectome: xr.Dataset, *, edge_type: EdgeType = None) -> float:
    """The share of edges between different nodes whose reverse is there too; NaN without edges.

    Parameters
    ----------
    connectome : Dataset
        A valid connectome.
    edge_type : str, list of str or None
        Layers to take; None takes all.

    Examples
    --------
    >>> from dynome.connectome import from_edges
    >>> reciprocity(from_edges({"source": ["a", "b", "a"], "target": ["b", "a", "c"]}))
    0.6666666666666666
    """
    there = _joined(connectome, edge_type)
    return there.multiply(there.T).nnz / there.nnz if there.nnz else float("nan")


def components(connectome: xr.Dataset, *, edge_type: EdgeType = None, connection: Connection = "weak") -> xr.DataArray:
    """Which nodes can reach each other.

    Parameters
    ----------
    connectome : Dataset
        A valid connectome.
    edge_type : str, list of str or None
        Edge types to follow; None follows all.
    connection : {"weak", "strong"}
        Whether edges may be followed backwards.

    Returns
    -------
    component (node)
        0 for the largest component, 1 for the next; equal sizes by their first node. ``attrs["n_components"]``.

    Raises
    ------
    InputError
        If `edge_type` or `connection` is unknown.

    Examples
    --------
    >>> from dynome.connectome import from_edges
    >>> components(from_edges({"source": ["a"], "target": ["b"]}, node=["c", "a", "b"])).values.tolist()
    [1, 0, 0]
    """
    edge_table.check_choice("connection", connection, Connection)
    n, found = csgraph.connected_components(_joined(connectome, edge_type), connection=connection)
    nodes = node_table.nodes_of(connectome)
    attrs = {"units": DIMENSIONLESS, "long_name": f"{connection}ly connected component", "n_components": int(n)}
    return xr.DataArray(by_size(found), dims=NODE, coords=nodes.coords, name="component", attrs=attrs)


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
    there = _joined(connectome, edge_type).astype(np.int64)
    both = (there + there.T).tocsr()
    total = both.sum(axis=1)
    mutual = there.multiply(there.T).sum(axis=1)
    possible = 2 * (total * (total - 1) - 2 * mutual)
    triangles = _closed_walks(both)
    values = np.divide(triangles, possible, out=np.zeros(total.size), where=possible > 0)
    nodes = node_table.nodes_of(connectome)
    attrs = {"units": DIMENSIONLESS, "long_name": "clustering coefficient"}
    return xr.DataArray(values, dims=NODE, coords=nodes.coords, name="clustering", attrs=attrs)


def efficiency(connectome: xr.Dataset, *, edge_type: EdgeType = None) -> float:
    """The mean over ordered pairs of nodes of one over the number of steps from source to target.

    Parameters
    ----------
    connectome : Dataset
        A valid connectome; the time is that of one breadth-first search per node.
    edge_type : str, list of str or None
        Edge types to follow; None follows all.

    Returns
    -------
    float
        Between 0 (no edges) and 1 (all joined directly); pairs without a path count 0. NaN with fewer than two nodes.

    References
    ----------
    .. [1] Latora & Marchiori, Physical Review Letters 2001, doi:10.1103/PhysRevLett.87.198701.

    Examples
    --------
    >>> from dynome.connectome import from_edges
    >>> efficiency(from_edges({"source": ["a", "b"], "target": ["b", "c"]}))
    0.4166666666666667
    """
    n = edge_table.checked(connectome).sizes[NODE]
    if n < 2:
        return float("nan")
    there = _joined(connectome, edge_type)
    total = 0.0
    for start in range(0, n, 256):
        steps = csgraph.dijkstra(there, unweighted=True, indices=np.arange(start, min(start + 256, n)))
        total += float(np.divide(1, steps, where=steps > 0, out=np.zeros_like(steps)).sum())
    return total / (n * (n - 1))


def by_size(code: NDArray[Any]) -> NDArray[np.int64]:
    """Groups numbered anew: 0 for the largest, equal sizes by their first member.

    Examples
    --------
    >>> by_size(np.array([5, 7, 7, 2])).tolist()
    [1, 0, 0, 2]
    """
    _, first, group, size = np.unique(code, return_index=True, return_inverse=True, return_counts=True)
    rank = np.empty(size.size, dtype=np.int64)
    rank[np.lexsort((first, -size))] = np.arange(size.size)
    return rank[group]


def _at_nodes(connectome: xr.Dataset, table: EdgeTable, value: NDArray[Any], name: str, unit: str) -> xr.Dataset:
    """Sums of a value over the edge ends at each node."""
    n = connectome.sizes[NODE]
    two_way = np.isin(table.layer, edge_table.two_way_layers(table.layers, bool(connectome.attrs["directed"])))
    loop = table.source == table.target
    entering, leaving, total = (np.zeros(n, dtype=value.dtype) for _ in range(3))
    np.add.at(entering, table.target, value)
    np.add.at(leaving, table.source, value)
    np.add.at(total, table.target[~two_way | loop], value[~two_way | loop])
    sums = {f"in_{name}": entering, f"out_{name}": leaving, name: total + leaving}
    return node_table.nodes_of(connectome).assign(
        {key: (NODE, array, {"units": unit, "long_name": key.replace("_", "-")}) for key, array in sums.items()}
    )


def _joined(connectome: xr.Dataset, edge_type: EdgeType) -> scipy.sparse.csr_array[Any, tuple[int, int]]:
    """A matrix of ones where an edge leads from row to column, self-loops left out."""
    table = edge_table.table_of(connectome, edge_type)
    rows = table.source != table.target
    n = connectome.sizes[NODE]
    ones = np.ones(int(rows.sum()), dtype=np.int8)
    there = scipy.sparse.csr_array((ones, (table.source[rows], table.target[rows])), shape=(n, n))
    there.data[:] = 1
    return there


def _closed_walks(both: scipy.sparse.csr_array[Any, tuple[int, int]]) -> NDArray[np.int64]:
    """The diagonal of the cube of a symmetric matrix, some rows at a time to bound the memory."""
    reach = np.asarray(both.astype(bool).astype(np.int64) @ np.diff(both.indptr))
    part = np.cumsum(reach) // _products
    out = np.zeros(both.shape[0], dtype=np.int64)
    for k in np.unique(part):
        rows = np.flatnonzero(part == k)
        out[rows] = (both[rows] @ both).multiply(both[rows]).sum(axis=1)
    return out
