"""How many of the possible edges are there, and how many of them both ways."""

from __future__ import annotations

import xarray as xr

from dynome.connectome import edge_table
from dynome.connectome.metrics.adjacency import EdgeType, joined
from dynome.schema import NODE


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
    return joined(connectome, edge_type).nnz / (n * (n - 1)) if n > 1 else float("nan")


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
    there = joined(connectome, edge_type)
    return there.multiply(there.T).nnz / there.nnz if there.nnz else float("nan")
