"""The connectome between groups of nodes: cell classes, regions, communities."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from dynome import labels
from dynome.connectome import edge_table, multiplicity, node_table
from dynome.errors import InputError, Problems, listed
from dynome.labels import StrArray
from dynome.schema import NODE


def group_nodes(connectome: xr.Dataset, *, by: str | ArrayLike | xr.DataArray) -> xr.Dataset:
    """The connectome between groups of nodes, e.g. between cell classes, regions or communities.

    Parameters
    ----------
    connectome : Dataset
        A valid connectome.
    by : str, (node,) or DataArray (node)
        Name of a node coordinate, or the group of each node.

    Returns
    -------
    Dataset
        ``node`` holds the groups in order of first appearance, ``n_members`` their sizes. Weights are sums over the
        edges between two groups; edges within a group become an edge to itself, in which an edge without direction
        counts once. Of the coordinates, positions are averaged and those that are constant in every group stay.
        Further edge columns are dropped.

    Raises
    ------
    InputError
        If the coordinate does not exist or a node has no group.

    Examples
    --------
    >>> from dynome.connectome import from_edges
    >>> wiring = from_edges({"source": ["AVAL", "AVAR"], "target": ["VA8", "VA8"]})
    >>> group_nodes(wiring, by=["AVA", "AVA", "VA"]).weight.item()
    2
    """
    group = group_labels(edge_table.checked(connectome), by)
    names, code = _in_order(group)
    table = edge_table.table_of(connectome)
    directed = bool(connectome.attrs["directed"])
    two_way = np.isin(table.layer, edge_table.two_way_layers(table.layers, directed))
    source, target = code[table.source], code[table.target]
    stored_twice = two_way & (source == target) & (table.source > table.target)
    table = edge_table.taken(table._replace(source=source, target=target, extra={}), ~stored_twice)
    table = multiplicity.collapsed(table, names.size, "sum", Problems("cannot group nodes"))
    return edge_table.assemble(
        table,
        _group_table(node_table.nodes_of(connectome), names, code),
        directed=directed,
        weight=connectome["weight"].attrs,
        extra={},
        attrs={**connectome.attrs, **({"grouped_by": by} if isinstance(by, str) else {})},
    )


def group_labels(connectome: xr.Dataset, by: str | ArrayLike | xr.DataArray) -> StrArray:
    """The group of each node, from a coordinate or from what a user gives.

    Raises
    ------
    InputError
        If the coordinate does not exist or a node has no group.
    """
    if isinstance(by, str):
        if by not in connectome.variables or connectome[by].dims != (NODE,):
            known = [str(name) for name, v in connectome.variables.items() if v.dims == (NODE,) and name != NODE]
            raise InputError(f"by must name a node coordinate, got {by!r}; there are {listed(known) or 'none'}")
        by = connectome[by]
    if isinstance(by, xr.DataArray) and NODE in by.coords:
        place = labels.positions(connectome[NODE].to_numpy(), by[NODE].to_numpy())
        if (place < 0).any():
            raise InputError(f"by lacks nodes {listed(connectome[NODE].to_numpy()[place < 0].tolist())}")
        by = by.to_numpy()[place]
    try:
        group = labels.as_labels(by)
    except ValueError as error:
        raise InputError(f"by must give each node the label of its group: {error}") from error
    if group.size != connectome.sizes[NODE]:
        raise InputError(f"by must have one group for each of {connectome.sizes[NODE]} nodes, found {group.size}")
    if (lost := connectome[NODE].to_numpy()[group == ""]).size:
        raise InputError(f"{listed(lost.tolist())} have no group; give them one, or drop them with subgraph first")
    return group


def _in_order(group: StrArray) -> tuple[StrArray, NDArray[np.int64]]:
    """Distinct groups in order of first appearance, and the group of each node."""
    names, first, code = np.unique(group, return_index=True, return_inverse=True)
    rank = np.empty(names.size, dtype=np.int64)
    rank[np.argsort(first)] = np.arange(names.size)
    return names[np.argsort(first)], rank[code]


def _group_table(nodes: xr.Dataset, names: StrArray, code: NDArray[np.int64]) -> xr.Dataset:
    size = np.bincount(code, minlength=names.size)
    first = np.zeros(names.size, dtype=np.int64)
    first[code[::-1]] = np.arange(code.size)[::-1]
    known: dict[str, Any] = {NODE: names, "n_members": (NODE, size, {"units": "count"})}
    for name in (str(n) for n, v in nodes.variables.items() if n != NODE and v.dims == (NODE,)):
        values, attrs = nodes[name].to_numpy(), nodes[name].attrs
        if name in ("x", "y", "z"):
            known[name] = (NODE, np.bincount(code, weights=values, minlength=names.size) / size, attrs)
        elif (values == values[first][code]).all():
            known[name] = (NODE, values[first], attrs)
    return xr.Dataset(coords=known)
