"""Parts of a message graph: fewer nodes, or only the edges that some nodes send."""

from __future__ import annotations

import torch
from torch import Tensor

from dynome.connectome.layers.message_graphs import MessageGraph


def restricted(graph: MessageGraph, nodes: Tensor, sends: Tensor) -> MessageGraph:
    """The graph on some nodes, with the edges whose source may send.

    Parameters
    ----------
    graph : MessageGraph
        With N nodes.
    nodes : (n,) int64
        Positions of the nodes to keep, increasing.
    sends : (N,) bool
        Edges of other sources are left out.

    Returns
    -------
    MessageGraph
        With n nodes.

    Examples
    --------
    >>> from dynome.connectome import message_graph
    >>> graph = message_graph(([0, 1, 2], [1, 2, 0]), nodes=3)
    >>> part = restricted(graph, torch.tensor([0, 1]), torch.tensor([True, False, True]))
    >>> part.source.tolist(), part.target.tolist(), part.pointer.tolist()
    ([0], [1], [0, 0, 1])
    """
    place = torch.full((graph.n_nodes,), -1, dtype=torch.int64, device=nodes.device)
    place[nodes] = torch.arange(nodes.numel(), device=nodes.device)
    source, target = place[graph.source], place[graph.target]
    rows = torch.nonzero(sends[graph.source] & (source >= 0) & (target >= 0)).squeeze(1)
    here = graph._replace(source=source, target=target, nodes=graph.nodes[nodes.cpu().numpy()])
    parts = tuple(restricted(part, nodes, sends) for part in graph.parts)
    return with_edges(here, rows, n_nodes=nodes.numel())._replace(parts=parts)


def with_edges(graph: MessageGraph, rows: Tensor, n_nodes: int) -> MessageGraph:
    """Some connected pairs of a graph; its parts are left as they are.

    Parameters
    ----------
    graph : MessageGraph
    rows : (e,) int64 or (E,) bool
        Which pairs, in order.
    n_nodes : int
    """
    source, target = graph.source[rows], graph.target[rows]
    return graph._replace(
        source=source,
        target=target,
        pointer=_pointer(target, n_nodes),
        by_source=torch.argsort(source, stable=True),
        source_pointer=_pointer(source, n_nodes),
        weight=graph.weight[rows],
        sign=graph.sign[rows],
        feature=graph.feature[rows],
        gate=None if graph.gate is None else graph.gate[rows],
    )


def _pointer(ends: Tensor, n: int) -> Tensor:
    count = torch.bincount(ends, minlength=n)
    return torch.cat([count.new_zeros(1), count.cumsum(0)])
