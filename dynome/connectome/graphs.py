"""Connectomes for graph libraries: networkx and PyTorch Geometric. A new library is a new function here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from dynome import units
from dynome.connectome import edge_table, node_table
from dynome.connectome.edge_table import EdgeTable
from dynome.extras import require
from dynome.schema import NODE

if TYPE_CHECKING:
    import networkx as nx
    from torch_geometric.data import Data, HeteroData

    from dynome.connectome.layers.message_graphs import MessageGraph


def to_networkx(connectome: xr.Dataset) -> nx.Graph:
    """The connectome as a networkx graph.

    Parameters
    ----------
    connectome : Dataset
        A valid connectome.

    Returns
    -------
    networkx graph
        A DiGraph, or a Graph if the connectome is undirected; with several edge types the Multi- version, the edge
        type being the key. Coordinates become node attributes, ``weight``, ``edge_type`` and further columns edge
        attributes, all plain Python values; units go to ``graph.graph``, where `from_networkx` finds them again.

    Examples
    --------
    >>> from dynome.connectome import from_edges
    >>> to_networkx(from_edges({"source": ["ASHR"], "target": ["AVAL"]})).edges(data="weight")
    OutEdgeDataView([('ASHR', 'AVAL', 1)])
    """
    import networkx as nx

    table = edge_table.table_of(connectome)
    directed, several = bool(connectome.attrs["directed"]), len(table.layers) > 1
    if not directed:
        table = edge_table.taken(table, table.source <= table.target)
    cls = (nx.MultiDiGraph if several else nx.DiGraph) if directed else (nx.MultiGraph if several else nx.Graph)
    graph = cls(**{str(k): v for k, v in connectome.attrs.items() if k != "directed"}, **_units_told(connectome))
    nodes = node_table.nodes_of(connectome)
    names = nodes[NODE].to_numpy().tolist()
    coords = {str(n): v.to_numpy().tolist() for n, v in nodes.variables.items() if n != NODE and v.dims == (NODE,)}
    graph.add_nodes_from((name, {key: values[k] for key, values in coords.items()}) for k, name in enumerate(names))
    types = np.array(table.layers, dtype=object)[table.layer].tolist()
    columns = {"weight": table.weight.tolist(), "edge_type": types, **{k: v.tolist() for k, v in table.extra.items()}}
    for k, (i, j) in enumerate(zip(table.source.tolist(), table.target.tolist(), strict=True)):
        about = {key: values[k] for key, values in columns.items()}
        graph.add_edge(names[i], names[j], **({"key": types[k]} if several else {}), **about)
    return graph


def to_pyg(connectome: xr.Dataset | MessageGraph, *, hetero: bool = False) -> Data | HeteroData:
    """The connectome as a PyTorch Geometric graph; `message_graph` is the way back.

    Parameters
    ----------
    connectome : Dataset or MessageGraph
        A valid connectome, or what graph layers see of one.
    hetero : bool
        One edge store per edge type in a HeteroData, instead of one Data with a code for the edge type.

    Returns
    -------
    Data
        ``edge_index`` (2, edge) int64, sources first; ``edge_weight`` (edge) float32; ``edge_type`` (edge) int64, codes
        into the list ``edge_type_names``; numeric columns as ``edge_{name}``; ``node``, the list of labels; ``pos``
        (node, 2 or 3) where positions are known; ``num_nodes``.
    HeteroData
        The same per ``(kind, edge_type, kind)``, where kind is ``attrs["node_kind"]`` of the connectome, or ``"node"``.

    Raises
    ------
    MissingExtraError
        If torch-geometric is not installed.

    Notes
    -----
    Messages flow from source to target, as in PyG's default ``flow="source_to_target"``.

    Examples
    --------
    >>> from dynome.connectome import from_edges
    >>> to_pyg(from_edges({"source": ["ASHR"], "target": ["AVAL"]})).edge_index.tolist()
    [[0], [1]]
    """
    data = require("torch_geometric", extra="torch").data
    if isinstance(connectome, tuple):
        from dynome.connectome.layers.pyg_graphs import data_of

        return data_of(connectome, hetero=hetero)
    table = edge_table.table_of(connectome)
    about = _node_stores(connectome)
    if not hetero:
        import torch

        codes = torch.from_numpy(table.layer)
        return data.Data(**_edge_stores(table), edge_type=codes, edge_type_names=table.layers, **about)
    kind = str(connectome.attrs.get("node_kind", "node"))
    graph = data.HeteroData()
    for name, value in about.items():
        graph[kind][name] = value
    for code, layer in enumerate(table.layers):
        for name, value in _edge_stores(edge_table.taken(table, table.layer == code)).items():
            graph[kind, layer, kind][name] = value
    return graph


def _edge_stores(table: EdgeTable) -> dict[str, Any]:
    import torch

    numeric = {k: v for k, v in table.extra.items() if v.dtype.kind in "biuf"}
    return {
        "edge_index": torch.from_numpy(np.stack([table.source, table.target])),
        "edge_weight": torch.from_numpy(table.weight.astype(np.float32)),
        **{f"edge_{name}": torch.from_numpy(values.astype(np.float32)) for name, values in numeric.items()},
    }


def _node_stores(connectome: xr.Dataset) -> dict[str, Any]:
    import torch

    stores: dict[str, Any] = {"num_nodes": connectome.sizes[NODE], "node": connectome[NODE].to_numpy().tolist()}
    axes = [name for name in ("x", "y", "z") if name in connectome.coords]
    if axes[:2] == ["x", "y"]:
        place = np.stack([connectome[name].to_numpy() for name in axes], axis=1)
        stores["pos"] = torch.from_numpy(place.astype(np.float32))
    return stores


def _units_told(connectome: xr.Dataset) -> dict[str, str]:
    """Units of weights, further columns and coordinates, as attributes of a graph."""
    weight = connectome["weight"]
    told = {"units": units.of(weight) or units.DIMENSIONLESS}
    told |= {str(k): str(v) for k, v in weight.attrs.items() if str(k).startswith("units_")}
    for name in connectome.variables:
        if name != "weight" and (unit := units.of(connectome[name])) is not None:
            told[f"units_{name}"] = unit
    return told
