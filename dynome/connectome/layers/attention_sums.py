"""Softmax over the inputs of a node, and the sum that it weighs."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

from dynome.connectome.layers.attention_loops import backward_blocks, forward_blocks
from dynome.connectome.layers.message_graphs import MessageGraph
from dynome.connectome.layers.thread_shares import run, shares

SLOPE = 0.2  # of the leaky rectifier below zero

_CACHE = 1 << 20  # bytes that the block of all nodes may take
_LANES = 8, 128  # snapshots of a block: fewest, most


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
    if source.device.type != "cpu" or torch.compiler.is_compiling():
        return attended_by_torch(graph, source, target, edge, attention)
    out: Tensor = _Attention.apply(source, target, edge, attention, graph)  # type: ignore[no-untyped-call]
    return out


class _Attention(torch.autograd.Function):
    """The compiled loops, which keep the result and the logarithm of the sum for the way back."""

    @staticmethod
    def forward(
        ctx: Any, source: Tensor, target: Tensor, edge: Tensor | None, attention: Tensor, graph: MessageGraph
    ) -> Tensor:
        n, s, h, c = source.shape
        source, target, attention = source.contiguous(), target.contiguous(), attention.contiguous()
        edge = source.new_empty(0, h, c) if edge is None else edge.contiguous()
        out, logsum = torch.empty_like(source), source.new_empty(n, h, s)
        inputs = _arrays(graph, source, target, edge, attention, out, logsum)
        width = _lanes(n, c, source.element_size())
        work = graph.source.numel() * source[0].numel()
        run(forward_blocks, [(*share, width, *inputs) for share in shares(s, width, work)])
        ctx.graph, ctx.width = graph, width
        ctx.save_for_backward(source, target, edge, attention, out, logsum)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        source, target, edge, attention = ctx.saved_tensors[:4]
        inputs = _arrays(ctx.graph, *ctx.saved_tensors)
        of_source, of_target = torch.empty_like(source), torch.empty_like(target)
        flat = [_flat(values) for values in (grad.contiguous(), of_source, of_target)]
        parts = shares(source.shape[1], ctx.width, 4 * ctx.graph.source.numel() * source[0].numel())
        of_edge, of_attention = (values.new_zeros(len(parts), *values.shape) for values in (edge, attention))
        sums = zip((_flat(values) for values in of_edge), (values.numpy() for values in of_attention), strict=True)
        run(backward_blocks, [(*p, ctx.width, *inputs, *flat, *own) for p, own in zip(parts, sums, strict=True)])
        known = ctx.needs_input_grad[2]  # no edges at all have no gradient either
        return of_source, of_target, of_edge.sum(0) if known else None, of_attention.sum(0), None


def _arrays(
    graph: MessageGraph, source: Tensor, target: Tensor, edge: Tensor, attention: Tensor, out: Tensor, logsum: Tensor
) -> tuple[Any, ...]:
    slope = source.new_tensor(SLOPE).numpy()[()]
    features = _flat(source), _flat(target), _flat(edge), attention.detach().numpy(), _flat(out), logsum.numpy()
    return graph.pointer.numpy(), graph.source.numpy(), slope, *features


def _flat(values: Tensor) -> Any:
    """Heads and channels as one axis."""
    return values.detach().flatten(-2).numpy()


def _lanes(n: int, n_channels: int, size: int) -> int:
    fit = _CACHE // max(1, n * n_channels * size) // 8 * 8
    return int(np.clip(fit, *_LANES))


def attended_by_torch(
    graph: MessageGraph, source: Tensor, target: Tensor, edge: Tensor | None, attention: Tensor
) -> Tensor:
    """`attended` with operations of torch alone, for devices other than the CPU and for ``torch.compile``."""
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
