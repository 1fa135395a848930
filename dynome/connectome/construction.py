"""Connectomes from what people have: edge lists, adjacency matrices, networkx graphs.

Every door leads through `from_edges`' rules: repeats of an edge are summed or refused, edges without a direction
(gap junctions, undirected graphs) are stored both ways, and the edges come sorted by edge type, source and target,
so that the order of the rows never matters. A new door makes columns and calls `_connectome`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import scipy.sparse
import xarray as xr
from numpy.typing import ArrayLike

from dynome import labels, schema
from dynome.connectome import edge_table, multiplicity, node_table, reading
from dynome.connectome.edge_table import EdgeTable
from dynome.connectome.multiplicity import Asymmetric, Duplicates
from dynome.errors import InputError, Problems, SchemaError, listed
from dynome.schema import NODE, SOURCE, TARGET
from dynome.units import canonical

if TYPE_CHECKING:
    import networkx as nx

NodeCoords = Mapping[str, Any] | pd.DataFrame
Matrix = xr.DataArray | pd.DataFrame | scipy.sparse.sparray | scipy.sparse.spmatrix | ArrayLike


def from_edges(
    edges: pd.DataFrame | Mapping[str, Any],
    *,
    node: ArrayLike | None = None,
    directed: bool = True,
    units: str | Mapping[str, str] | None = None,
    edge_type: str = "chemical",
    duplicates: Duplicates = "sum",
    asymmetric: Asymmetric = "raise",
    node_coords: NodeCoords | None = None,
    attrs: Mapping[str, Any] | None = None,
) -> xr.Dataset:
    """A connectome from an edge list.

    Parameters
    ----------
    edges : DataFrame or mapping of columns
        ``source`` (presynaptic) and ``target`` (postsynaptic) labels or integer ids, and if known ``weight``,
        ``edge_type``, ``sign`` (-1, 0 unknown, 1), ``neurotransmitter``, ``delay`` and further columns, which are
        kept. Without ``weight`` every row counts 1.
    node : (node,) or None
        All labels, in the order that matrices will have; may name nodes without edges. None takes the labels that
        occur, sorted.
    directed : bool
        False stores every edge in both directions. Gap junctions are stored in both directions always. Such edges
        may be given once or both ways.
    units : str, mapping or None
        Unit of the weights, e.g. ``"synapses"``; or units by column, e.g. ``{"weight": "synapses", "delay": "ms"}``.
        Required with a weight column.
    edge_type : str
        Type of all edges where there is no column ``edge_type``.
    duplicates : {"sum", "raise"}
        What to do with rows that repeat source, target and edge type.
    asymmetric : {"raise", "max", "mean", "sum"}
        What the weight of an edge without direction is where its two directions differ: an error, the larger
        magnitude, the mean (an absent direction counts as 0), or the sum (each row is a contact of its own).
    node_coords : DataFrame, mapping or None
        What is known of the nodes (``cell_type``, ``region``, ``x y z``, ...): a table indexed by label, or columns
        in the order of `node`.
    attrs : mapping or None
        Attributes of the connectome (species, paper, ``node_kind``, ...).

    Returns
    -------
    Dataset
        Dims ``node`` and ``edge``; edges sorted by edge type, source and target.

    Raises
    ------
    InputError
        If columns are missing or malformed, ends are unknown, or repeats and directions disagree.
    SchemaError
        If the result breaks the schema, e.g. an unknown edge type or negative synapse counts.

    Examples
    --------
    >>> edges = pd.DataFrame({"source": ["AVAL", "AVAL", "ASHR"], "target": ["VA8", "VA8", "AVAL"]})
    >>> wiring = from_edges(edges, units="synapses")
    >>> wiring.source.values.tolist(), wiring.weight.values.tolist()
    (['ASHR', 'AVAL'], [1, 2])
    >>> gap = from_edges({"source": ["AVAL"], "target": ["PVCL"]}, edge_type="gap_junction")
    >>> gap.source.values.tolist(), gap.target.values.tolist()
    (['AVAL', 'PVCL'], ['PVCL', 'AVAL'])
    """
    problems = Problems("cannot make a connectome from these edges")
    unit_of = {"weight": units} if isinstance(units, str) else dict(units or {})
    table, names = reading.edges_of(edges, node, edge_type, unit_of, problems)
    nodes = node_table.node_dataset(names, node_coords, unit_of, problems)
    problems.raise_if_any(InputError)
    table = multiplicity.collapsed(table, names.size, duplicates, problems)
    return _connectome(table, nodes, directed, unit_of, asymmetric, attrs, problems)


def from_adjacency(
    matrix: Matrix,
    *,
    node: ArrayLike | None = None,
    directed: bool = True,
    units: str | None = None,
    edge_type: str = "chemical",
    asymmetric: Asymmetric = "raise",
    node_coords: NodeCoords | None = None,
    attrs: Mapping[str, Any] | None = None,
) -> xr.Dataset:
    """A connectome from an adjacency matrix: rows are sources, columns are targets.

    Parameters
    ----------
    matrix : (source, target)
        Array, scipy sparse array, DataFrame (index = source, columns = target; they may differ) or labelled
        DataArray. Zero and NaN mean no edge.
    node : (node,) or None
        Labels of rows and columns; required where `matrix` carries none, and must be left out where it does.
    directed : bool
        False for a symmetric matrix or one triangle of it. Gap junctions are treated so always.
    units : str or None
        Unit of the weights; a DataArray may bring its own.
    edge_type : str
        Type of all edges.
    asymmetric : {"raise", "max", "mean", "sum"}
        As in `from_edges`: what to do where a matrix that must be symmetric is not.
    node_coords, attrs
        As in `from_edges`.

    Returns
    -------
    Dataset
        Dims ``node`` and ``edge``.

    Raises
    ------
    InputError
        If the matrix is not square or its labels are missing, or as in `from_edges`.

    Examples
    --------
    >>> wiring = from_adjacency([[0, 5], [0, 0]], node=["AVAL", "VA8"], units="synapses")
    >>> wiring.source.item(), wiring.target.item(), wiring.weight.item()
    ('AVAL', 'VA8', 5)
    """
    problems = Problems("cannot make a connectome from this matrix")
    entries = reading.entries_of(matrix, node, problems)
    problems.raise_if_any(InputError)
    strangers = entries.columns[labels.positions(entries.columns, entries.rows) < 0]
    names = reading.narrowed(np.concatenate([entries.rows, strangers]))
    unit_of = {"weight": unit} if (unit := units or entries.units) else {}
    weight = reading.weight_of(entries.value, entries.value.size, unit_of, problems)
    nodes = node_table.node_dataset(names, node_coords, unit_of, problems)
    problems.raise_if_any(InputError)
    target = labels.positions(entries.columns, names)[entries.column]
    table = EdgeTable(entries.row, target, weight, np.zeros_like(target), [edge_type], {})
    table = multiplicity.collapsed(table, names.size, "raise", problems)
    return _connectome(table, nodes, directed, unit_of, asymmetric, attrs, problems)


def from_networkx(
    graph: nx.Graph,
    *,
    weight: str = "weight",
    units: str | Mapping[str, str] | None = None,
    edge_type: str = "chemical",
    duplicates: Duplicates = "sum",
    attrs: Mapping[str, Any] | None = None,
) -> xr.Dataset:
    """A connectome from a networkx graph of any class.

    Parameters
    ----------
    graph : networkx.Graph
        Nodes are strings or integers, in the order that matrices will have; node attributes become coordinates and
        edge attributes columns. An undirected graph is stored in both directions.
    weight : str
        Edge attribute that holds the weight; every edge has it or none (then each counts 1).
    units : str, mapping or None
        As in `from_edges`; None takes ``graph.graph["units"]`` where `to_networkx` left it.
    edge_type : str
        Type of edges without an attribute ``edge_type``.
    duplicates : {"sum", "raise"}
        What to do with parallel edges of one type.
    attrs : mapping or None
        Attributes of the connectome, besides those of the graph.

    Returns
    -------
    Dataset
        Dims ``node`` and ``edge``.

    Raises
    ------
    InputError
        As in `from_edges`.

    Examples
    --------
    >>> import networkx as nx
    >>> graph = nx.DiGraph([("AVAL", "VA8", {"weight": 5})])
    >>> from_networkx(graph, units="synapses").source.item()
    'AVAL'
    """
    ends = list(graph.edges)
    columns = pd.DataFrame([data for _, _, data in graph.edges(data=True)], index=range(len(ends)))
    if weight != "weight":
        columns = columns.drop(columns="weight", errors="ignore").rename(columns={weight: "weight"})
    about = {**graph.graph, **(attrs or {})}
    for name in ("directed", "node_default", "edge_default"):  # the latter two are what networkx' GraphML reader adds
        about.pop(name, None)
    told = {name: about.pop(name) for name in list(about) if name == "units" or name.startswith("units_")}
    unit_of = {name.removeprefix("units_") if name != "units" else "weight": unit for name, unit in told.items()}
    unit_of |= {"weight": units} if isinstance(units, str) else units or {}
    names = labels.as_labels(list(graph.nodes))
    coords = pd.DataFrame([data for _, data in graph.nodes(data=True)], index=names)
    return from_edges(
        {SOURCE: [a for a, *_ in ends], TARGET: [b for _, b, *_ in ends], **{str(c): columns[c] for c in columns}},
        node=names,
        directed=graph.is_directed(),
        units=unit_of,
        edge_type=edge_type,
        duplicates=duplicates,
        node_coords=coords,
        attrs=about,
    )


def _connectome(
    table: EdgeTable,
    nodes: xr.Dataset,
    directed: bool,
    unit_of: Mapping[str, str],
    asymmetric: Asymmetric,
    attrs: Mapping[str, Any] | None,
    problems: Problems,
) -> xr.Dataset:
    """What all doors lead to: two-way edges stored both ways, units known, valid."""
    table = multiplicity.both_ways(table, nodes[NODE].to_numpy(), directed, asymmetric, problems)
    layer_unit = {name: unit_of.get(name, unit_of.get("weight", "")) for name in table.layers}
    if unknown := [name for name, unit in layer_unit.items() if not unit]:
        problems.add(
            f'the unit of the weights is unknown for {listed(unknown)}; pass units="synapses", or "1" if there is none'
        )
    problems.raise_if_any(InputError)
    connectome = edge_table.assemble(
        table,
        nodes,
        directed=directed,
        weight=edge_table.weight_attrs({name: canonical(unit) for name, unit in layer_unit.items()}),
        extra=reading.extra_attrs_of(table.extra, unit_of),
        attrs=attrs or {},
    )
    # The ends are right, since they were made from positions: looking them up again would double the time.
    schema.validate(connectome.isel(edge=slice(0, 0)), "connectome")
    invalid = Problems("connectome is not valid")
    schema.check_edge_values(connectome, invalid)
    invalid.raise_if_any(SchemaError)
    return connectome
