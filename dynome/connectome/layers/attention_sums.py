"""Softmax over the inputs of a node, and the sum that it weighs."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from dynome.connectome.layers.message_graphs import MessageGraph

SLOPE = 0.2  # of the leaky rectifier below zero


def attended(graph: MessageGraph, source: Tensor, target: Tensor, edge: Tensor | None, attention: Tensor) -> Tensor:
    """Values of the inputs of each node, weighed by attention.

    Parameters
    ----------
    graph : MessageGraph
    source, target : (N, S, H, C)
        What each node gives as a source and asks as a target; `source` is also the value that is passed on.
    edge : (E, H, C) or None
        What each edge adds.
    attention : (H, C)

    Returns
    -------
    (N, S, H, C)
        Zero for a node without inputs.
    """
    return attended_by_torch(graph, source, target, edge, attention)


def attended_by_torch(
    graph: MessageGraph, source: Tensor, target: Tensor, edge: Tensor | None, attention: Tensor
) -> Tensor:
    """`attended` with operations of torch alone, for devices other than the CPU."""
    alpha = attention_weights(graph, source, target, edge, attention)
    return torch.zeros_like(source).index_add(0, graph.target, alpha.unsqueeze(-1) * source[graph.source])


def attention_weights(
    graph: MessageGraph, source: Tensor, target: Tensor, edge: Tensor | None, attention: Tensor
) -> Tensor:
    """Softmax of the logits over the inputs of each node: (E, S, H)."""
    z = source[graph.source] + target[graph.target]
    if edge is not None:
        z = z + edge.unsqueeze(1)
    logit = (functional.leaky_relu(z, SLOPE) * attention).sum(-1)
    index = graph.target.view(-1, 1, 1).expand_as(logit)
    shape = graph.n_nodes, *logit.shape[1:]
    top = logit.new_full(shape, -torch.inf).scatter_reduce(0, index, logit.detach(), "amax")
    share = torch.exp(logit - top[graph.target])
    return share / torch.zeros_like(top).index_add(0, graph.target, share)[graph.target]
