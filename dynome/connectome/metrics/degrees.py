"""How many edges, and how much weight, enter and leave each node."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome.connectome import edge_table, node_table
from dynome.connectome.edge_table import EdgeTable
from dynome.connectome.metrics.adjacency import EdgeType
from dynome.schema import NODE
from dynome.units import DIMENSIONLESS


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
