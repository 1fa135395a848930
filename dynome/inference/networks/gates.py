"""Gates on connections: numbers by which their messages are multiplied, 1 where nothing is changed."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from dynome.connectome.layers.message_graphs import MessageGraph
from dynome.inference.networks.subgraphs import with_edges


def gated(graph: MessageGraph, gate: Tensor) -> MessageGraph:
    """The graph with its messages multiplied, those of its parts too; degrees and sums of weights stay.

    Parameters
    ----------
    graph : MessageGraph
    gate : (E,)
        One number a connected pair.

    Examples
    --------
    >>> from dynome.connectome import message_graph
    >>> graph = message_graph(([0, 1], [1, 2], [3.0, 5.0]), nodes=3)
    >>> from dynome.connectome.layers.propagation import propagate
    >>> propagate(gated(graph, torch.tensor([1.0, 0.0])), torch.ones(3, 1)).T.tolist()
    [[0.0, 3.0, 0.0]]
    """
    parts = tuple(part._replace(gate=gate[_rows_of(graph, part)]) for part in graph.parts)
    return graph._replace(gate=gate, parts=parts)


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


def carrying(graphs: Sequence[MessageGraph], sends: Tensor, wanted: Tensor, n_steps: int) -> Tensor:
    """Which connections lie on a way from a node that sends to one that is wanted; the others cannot matter.

    Parameters
    ----------
    graphs : sequence of MessageGraph
        Of the same N nodes.
    sends : (N,) bool
    wanted : (N,) bool
    n_steps : int
        How many connections a way may have.

    Returns
    -------
    (E,) bool
        Connected pairs of all graphs, end to end.

    Examples
    --------
    >>> from dynome.connectome import message_graph
    >>> graph = message_graph(([0, 1, 2], [1, 2, 3]), nodes=4)
    >>> sends, wanted = torch.tensor([True, True, False, True]), torch.tensor([False, False, True, False])
    >>> carrying([graph], sends, wanted, 1).tolist(), carrying([graph], sends, wanted, 2).tolist()
    ([False, True, False], [True, True, False])
    """
    source, target = (torch.cat([getattr(graph, end) for graph in graphs]) for end in ("source", "target"))
    found, reached = torch.zeros_like(source, dtype=torch.bool), wanted
    for _ in range(n_steps):
        before, found = found, sends[source] & reached[target]
        if bool((found == before).all()):
            break
        reached = wanted.clone()
        reached[source[found]] = True
    return found


def _rows_of(graph: MessageGraph, part: MessageGraph) -> Tensor:
    """Where the pairs of a part stand in the whole graph; both are sorted by target, then source."""
    n = graph.n_nodes
    return torch.searchsorted(graph.target * n + graph.source, part.target * n + part.source)
