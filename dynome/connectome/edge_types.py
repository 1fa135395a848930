"""Edge types as layers of one connectome: joined from parts, summed into one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome import labels, schema, units
from dynome.connectome import edge_table, multiplicity, node_table
from dynome.connectome.edge_table import EdgeTable
from dynome.connectome.multiplicity import Duplicates
from dynome.errors import InputError, Problems, listed
from dynome.schema import NODE


def merge(*connectomes: xr.Dataset, duplicates: Duplicates = "raise") -> xr.Dataset:
    """One connectome from several, on the union of their nodes.

    Parameters
    ----------
    *connectomes : Dataset
        Valid connectomes, as a rule one per edge type. Nodes are joined by label, in order of first appearance.
    duplicates : {"raise", "sum"}
        What to do where two of them have the same edge of the same type.

    Returns
    -------
    Dataset
        Directed unless all are undirected. What one part does not know is missing: NaN, an empty string, sign 0.
        Edge types may have different units (see `dynome.schema`); attributes on which the parts disagree are dropped.

    Raises
    ------
    InputError
        If units disagree within an edge type, node coordinates conflict, or edges repeat.

    Examples
    --------
    >>> from dynome.connectome import from_edges
    >>> chemical = from_edges({"source": ["AVAL"], "target": ["VA8"]})
    >>> gap = from_edges({"source": ["AVAL"], "target": ["PVCL"]}, edge_type="gap_junction")
    >>> both = merge(chemical, gap)
    >>> both.node.values.tolist(), both.edge_type.values.tolist()
    (['AVAL', 'VA8', 'PVCL'], ['chemical', 'gap_junction', 'gap_junction'])
    """
    if not connectomes:
        raise InputError("expected at least one connectome to merge, got none")
    problems = Problems("cannot merge these connectomes")
    tables = [edge_table.table_of(c) for c in connectomes]
    nodes = node_table.joined_nodes([node_table.nodes_of(c) for c in connectomes], problems)
    unit_of = _layer_units(connectomes, tables, problems)
    layers = [name for name in schema.EDGE_TYPES if name in unit_of]
    columns = _joined_attrs(connectomes, tables, problems)
    parts = [
        _moved(table, labels.positions(c[NODE].to_numpy(), nodes[NODE].to_numpy()), layers, columns, tables)
        for c, table in zip(connectomes, tables, strict=True)
    ]
    whole = multiplicity.collapsed(edge_table.stacked(parts), nodes.sizes[NODE], duplicates, problems)
    problems.raise_if_any(InputError)
    return edge_table.assemble(
        whole,
        nodes,
        directed=any(c.attrs["directed"] for c in connectomes),
        weight=edge_table.weight_attrs(unit_of),
        extra=columns,
        attrs=_agreed([c.attrs for c in connectomes]),
    )


def aggregate(
    connectome: xr.Dataset, *, edge_type: str | Sequence[str] | None = None, name: str = "structural"
) -> xr.Dataset:
    """One weighted layer: the sum of edge types.

    Parameters
    ----------
    connectome : Dataset
        A valid connectome.
    edge_type : str, list of str or None
        Edge types to add up; None takes all. To weigh them differently, scale ``connectome.weight`` first.
    name : str
        Edge type of the result.

    Returns
    -------
    Dataset
        The same nodes; each edge once, with the summed weight. Further edge columns are dropped.

    Raises
    ------
    UnitsError
        If the edge types have different units.
    InputError
        If `edge_type` or `name` is unknown.

    Examples
    --------
    >>> from dynome.connectome import from_edges
    >>> rows = {"source": ["a", "a"], "target": ["b", "b"], "weight": [2, 3], "edge_type": ["chemical", "gap_junction"]}
    >>> aggregate(from_edges(rows, units="synapses")).weight.values.tolist()
    [5, 3]
    """
    edge_table.checked_edge_types(name)
    table = edge_table.table_of(connectome, edge_type)
    unit = edge_table.weight_units(connectome, table.layers)
    directed = bool(connectome.attrs["directed"])
    if name == "gap_junction" and edge_table.two_way_layers(table.layers, directed).size < len(table.layers):
        raise InputError("directed edges cannot become gap junctions, which have no direction; choose another name")
    one = table._replace(layer=np.zeros_like(table.layer), layers=[name], extra={})
    summed = multiplicity.collapsed(one, connectome.sizes[NODE], "sum", Problems("cannot sum edge types"))
    return edge_table.assemble(
        summed,
        node_table.nodes_of(connectome),
        directed=directed,
        weight=edge_table.weight_attrs({name: unit}),
        extra={},
        attrs=connectome.attrs,
    )


def _layer_units(connectomes: Sequence[xr.Dataset], tables: Sequence[EdgeTable], problems: Problems) -> dict[str, str]:
    found: dict[str, set[str]] = {}
    for connectome, table in zip(connectomes, tables, strict=True):
        for name in table.layers:
            found.setdefault(name, set()).add(schema.weight_unit(connectome, name))
    for name, several in found.items():
        if len(several) > 1:
            problems.add(f"{name} weights have several units, found {listed(sorted(several))}; convert them first")
    return {name: min(several) for name, several in found.items()}


def _joined_attrs(
    connectomes: Sequence[xr.Dataset], tables: Sequence[EdgeTable], problems: Problems
) -> dict[str, dict[str, Any]]:
    """Attributes of every further edge column that any part has."""
    joined: dict[str, dict[str, Any]] = {}
    for connectome, table in zip(connectomes, tables, strict=True):
        for name in table.extra:
            attrs = {str(k): v for k, v in connectome[name].attrs.items()}
            if units.of(connectome[name]) != joined.setdefault(name, attrs).get("units", units.of(connectome[name])):
                problems.add(f"{name} has several units; convert it before merging")
    return joined


def _moved(
    table: EdgeTable, place: NDArray[np.int64], layers: list[str], columns: dict[str, Any], tables: Sequence[EdgeTable]
) -> EdgeTable:
    """A table in terms of the joint nodes, layers and columns."""
    rank = np.array([layers.index(name) for name in table.layers], dtype=np.int64)
    extra = {
        name: table.extra[name] if name in table.extra else _missing(name, table.source.size, tables)
        for name in columns
    }
    layer = rank[table.layer] if rank.size else table.layer
    return EdgeTable(place[table.source], place[table.target], table.weight, layer, layers, extra)


def _missing(name: str, n_edge: int, tables: Sequence[EdgeTable]) -> NDArray[Any]:
    kind = next(t.extra[name].dtype.kind for t in tables if name in t.extra)
    if name == "sign":
        return np.zeros(n_edge, dtype=np.int8)
    return np.full(n_edge, np.nan) if kind in "biuf" else np.full(n_edge, "", dtype=np.str_)


def _agreed(several: Sequence[dict[Any, Any]]) -> dict[Any, Any]:
    return {k: v for k, v in several[0].items() if all(k in other and np.array_equal(other[k], v) for other in several)}
