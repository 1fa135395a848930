"""Graphs of PyTorch Geometric as message graphs, and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from dynome import labels
from dynome.connectome import edge_table
from dynome.connectome.layers.message_graphs import Edges, MessageGraph, check_labels, sign_of, taken
from dynome.errors import InputError, listed
from dynome.extras import require

if TYPE_CHECKING:
    from torch_geometric.data import Data, HeteroData


def edges_of(
    data: Data | HeteroData, nodes: ArrayLike | int | None, edge_type: str | Sequence[str] | None
) -> tuple[Edges, NDArray[np.str_]]:
    """The edges and the labels of a graph of PyTorch Geometric.

    Parameters
    ----------
    data : Data or HeteroData
        With ``edge_index``; ``edge_weight`` (else 1), ``edge_sign``, ``edge_type`` with ``edge_type_names`` (or, in a
        HeteroData, the middle of the edge's key) and ``node`` where they are there.
    nodes : (N,) labels, int or None
        Labels in place of ``data.node``, in the same order.
    edge_type : str, list of str or None
        Edge types to take.

    Raises
    ------
    InputError
        If it is no such graph, there are several kinds of nodes, or labels are not as many as nodes.
    """
    kinds = require("torch_geometric", extra="torch").data
    if not isinstance(data, kinds.Data | kinds.HeteroData):
        raise InputError(f"expected a connectome, arrays, Data or HeteroData, got {type(data).__name__}")
    if not data.edge_stores or any(part.get("edge_index") is None for part in data.edge_stores):
        raise InputError("expected a graph with edge_index")
    if isinstance(data, kinds.HeteroData):
        if len(data.node_types) != 1:
            raise InputError(f"expected one kind of nodes, got {listed(data.node_types)}; make it one graph first")
        store, stores = data[data.node_types[0]], {key[1]: data[key] for key in data.edge_types}
        names, parts = tuple(stores), list(stores.values())
    else:
        store, parts = data, [data]
        codes = _column(data, "edge_type", 0).astype(np.int64)
        names = tuple(data.get("edge_type_names", [f"relation_{k}" for k in range(1 + codes.max(initial=0))]))
    columns = [np.concatenate(several) for several in zip(*map(_columns, parts), strict=True)]
    relation = codes if len(parts) == 1 and store is data else np.repeat(range(len(parts)), [_size(p) for p in parts])
    source, target, weight, sign = columns
    if not any("edge_sign" in part for part in parts):
        sign = sign_of(weight)
    edges = Edges(source, target, weight, sign.astype(np.int8), np.asarray(relation, dtype=np.int64), names)
    return _chosen(edges, edge_type), _labels(store, nodes)


def data_of(graph: MessageGraph, *, hetero: bool = False) -> Data | HeteroData:
    """A message graph for PyTorch Geometric, with the fields that `dynome.connectome.to_pyg` makes."""
    kinds = require("torch_geometric", extra="torch").data
    about = {"num_nodes": graph.n_nodes, "node": graph.nodes.tolist()}
    parts = [_stores(part) for part in graph.parts or (graph,)]
    if hetero:
        several = kinds.HeteroData()
        for name, value in about.items():
            several["node"][name] = value
        for relation, stores in zip(graph.relations, parts, strict=True):
            for name, value in stores.items():
                several["node", relation, "node"][name] = value
        return several
    whole = {name: torch.cat([p[name] for p in parts], dim=-1) for name in parts[0]}
    codes = torch.repeat_interleave(torch.tensor([p["edge_weight"].numel() for p in parts]))
    return kinds.Data(**whole, edge_type=codes, edge_type_names=list(graph.relations), **about)


def _stores(part: MessageGraph) -> dict[str, Any]:
    ends = torch.stack([part.source, part.target])
    return {"edge_index": ends, "edge_weight": part.weight[:, 0], "edge_sign": part.sign[:, 0]}


def _size(part: Any) -> int:
    return int(part.edge_index.shape[1])


def _column(part: Any, name: str, default: float) -> NDArray[Any]:
    if name not in part:
        return np.full(_size(part), default)
    values = np.asarray(part[name].detach().cpu())
    if values.shape != (_size(part),):
        raise InputError(f"{name} must have one value for each of {_size(part)} edges, got shape {values.shape}")
    return values


def _columns(part: Any) -> tuple[NDArray[Any], ...]:
    source, target = part.edge_index.detach().cpu().numpy().astype(np.int64)
    return source, target, _column(part, "edge_weight", 1).astype(np.float64), _column(part, "edge_sign", 0)


def _chosen(edges: Edges, edge_type: str | Sequence[str] | None) -> Edges:
    if edge_type is None:
        return edges
    wanted = edge_table.checked_edge_types(edge_type)
    kept = [code for code, name in enumerate(edges.names) if name in wanted]
    rows = np.isin(edges.relation, kept)
    relation = np.searchsorted(kept, edges.relation[rows])
    return taken(edges, rows, relation, tuple(edges.names[code] for code in kept))


def _labels(store: Any, nodes: ArrayLike | int | None) -> NDArray[np.str_]:
    n = int(store.num_nodes)
    given = store.get("node") if nodes is None else nodes
    names = np.arange(n).astype(np.str_) if given is None or isinstance(given, int) else labels.as_labels(given)
    check_labels(names)
    if names.size != n:
        raise InputError(f"the graph has {n} nodes, but there are {names.size} labels")
    return names
