"""Gates on connections: numbers by which their weights are multiplied, 1 where nothing is changed."""

from __future__ import annotations

import torch
from torch import Tensor

from dynome.connectome.layers.message_graphs import MessageGraph
from dynome.inference.networks.subgraphs import with_edges


def gated(graph: MessageGraph, gate: Tensor) -> MessageGraph:
    """The graph with its weights multiplied, those of its parts too.

    Parameters
    ----------
    graph : MessageGraph
    gate : (E,)
        One number a connected pair.

    Examples
    --------
    >>> from dynome.connectome import message_graph
    >>> graph = message_graph(([0, 1], [1, 2], [3.0, 5.0]), nodes=3)
    >>> gated(graph, torch.tensor([1.0, 0.0])).weight.T.tolist()
    [[3.0, 0.0]]
    """
    parts = tuple(part._replace(weight=part.weight * gate[_rows_of(graph, part), None]) for part in graph.parts)
    return graph._replace(weight=graph.weight * gate[:, None], parts=parts)


def without(graph: MessageGraph, row: int) -> MessageGraph:
    """The graph without one connected pair.

    Parameters
    ----------
    graph : MessageGraph
    row : int
        Which pair.
    """
    parts = tuple(with_edges(part, _rows_of(graph, part) != row, graph.n_nodes) for part in graph.parts)
    keep = torch.ones(graph.source.numel(), dtype=torch.bool, device=graph.source.device)
    keep[row] = False
    return with_edges(graph, keep, graph.n_nodes)._replace(parts=parts)


def _rows_of(graph: MessageGraph, part: MessageGraph) -> Tensor:
    """Where the pairs of a part stand in the whole graph; both are sorted by target, then source."""
    n = graph.n_nodes
    return torch.searchsorted(graph.target * n + graph.source, part.target * n + part.source)
