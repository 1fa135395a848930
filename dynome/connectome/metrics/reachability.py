"""Which nodes can reach each other."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.sparse import csgraph

from dynome.connectome import edge_table, node_table
from dynome.connectome.metrics.adjacency import EdgeType, joined
from dynome.schema import NODE
from dynome.units import DIMENSIONLESS

Connection = Literal["weak", "strong"]


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
    n, found = csgraph.connected_components(joined(connectome, edge_type), connection=connection)
    nodes = node_table.nodes_of(connectome)
    attrs = {"units": DIMENSIONLESS, "long_name": f"{connection}ly connected component", "n_components": int(n)}
    return xr.DataArray(by_size(found), dims=NODE, coords=nodes.coords, name="component", attrs=attrs)


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
