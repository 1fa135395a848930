"""The sum of messages over incoming edges: one operation, with kernels for few dense and for many sparse connections.

The backward pass is our own: the gradient of the features is the same sum over outgoing edges, and the gradient of a
weight is the product of what entered and what left the edge. Nothing of the size of edges times features is made.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from dynome.connectome import edge_table
from dynome.connectome.layers.message_graphs import MessageGraph
from dynome.connectome.layers.row_loops import row_products, row_sums
from dynome.errors import InputError

Kernel: TypeAlias = Literal["auto", "dense", "sparse"]

_FEW_NODES = 2048  # a dense matrix of these takes 16 MB
_TOO_MANY = 1 << 16
_DENSE = 0.3  # share of all pairs from which a matrix product is quicker


def propagate(
    graph: MessageGraph,
    x: Tensor,
    relation: int | None = None,
    *,
    weight: Tensor | None = None,
    own: Tensor | None = None,
    kernel: Kernel = "auto",
) -> Tensor:
    r"""Weighted sum of the features of each node's inputs.

    Parameters
    ----------
    graph : MessageGraph
        On the device of `x`.
    x : (N, S, F) or (N, F)
        Features, nodes first; S snapshots share the graph.
    relation : int or None
        Column of ``graph.weight``; None adds up all.
    weight : (E,) or None
        Weights to use instead, for instance normalised or learnt ones.
    own : (N,) or None
        Weight of each node's own features, which are added; None adds nothing.
    kernel : {"auto", "dense", "sparse"}
        A matrix product with the whole matrix, or sums over edges. "auto" decides from the number of nodes and how many
        of their pairs are connected.

    Returns
    -------
    as `x`
        ``out[i] = own_i x[i] + sum_e w_e x[source_e]`` over the edges e whose target is i, times ``graph.gate`` where
        there is one. Gradients reach `x`, `weight`, `own` and the gate.

    Raises
    ------
    InputError
        If the first axis of `x` is not the nodes of the graph, the relation or the kernel does not exist, or the dense
        matrix would take more than 16 GB.

    Examples
    --------
    >>> from dynome.connectome import message_graph
    >>> graph = message_graph(([0, 1], [2, 2], [1.0, -2.0]), nodes=3)
    >>> propagate(graph, torch.tensor([[1.0], [10.0], [100.0]])).T.tolist()
    [[0.0, 0.0, -19.0]]
    """
    edge_table.check_choice("kernel", kernel, Kernel)
    check_features(graph, x)
    used = weights_of(graph, relation) if weight is None else weight
    used = used if graph.gate is None else used * graph.gate
    dense = kernel == "dense" or (kernel == "auto" and prefers_dense(graph))
    if dense and graph.n_nodes > _TOO_MANY:
        raise InputError(f"a dense matrix of {graph.n_nodes} nodes would not fit in memory; use kernel='sparse'")
    flat, used, scale = x.reshape(x.shape[0], -1), used.to(x.dtype), None if own is None else own.to(x.dtype)
    if torch.compiler.is_compiling():
        out = _matrix(graph, used, scale) @ flat if dense else traced_sum(graph, flat, used, scale)
    else:
        out = _Sum.apply(flat, used, scale, graph, dense)  # type: ignore[no-untyped-call]
    return out.reshape(x.shape)


def weights_of(graph: MessageGraph, relation: int | None = None) -> Tensor:
    """The weights (E,) of one relation, or their sum over all.

    Raises
    ------
    InputError
        If the relation does not exist.
    """
    n_relations = graph.weight.shape[1]
    if relation is None:
        return graph.weight[:, 0] if n_relations == 1 else graph.weight.sum(1)
    if not -n_relations <= relation < n_relations:
        raise InputError(f"relation must be below {n_relations} ({', '.join(graph.relations)}), got {relation}")
    return graph.weight[:, relation]


def prefers_dense(graph: MessageGraph) -> bool:
    """Whether a product with the whole matrix is expected to be quicker than sums over edges."""
    n = graph.n_nodes
    return n <= _FEW_NODES and graph.source.numel() >= _DENSE * n * n


def check_features(graph: MessageGraph, x: Tensor) -> None:
    """Refuse features that do not belong to the nodes of a graph.

    Raises
    ------
    InputError
        If there are no snapshots or features, or not as many rows as nodes.
    """
    if x.ndim < 2 or x.shape[0] != graph.n_nodes:
        wanted = f"(node, snapshot, feature) with {graph.n_nodes} nodes"
        raise InputError(f"features must be {wanted}, got shape {tuple(x.shape)}")


class _Sum(torch.autograd.Function):
    """Messages (N, M) summed over incoming edges, with gradients to messages, weights and own weights."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, own: Tensor | None, graph: MessageGraph, dense: bool) -> Tensor:
        x = x.contiguous()
        ctx.graph, ctx.dense = graph, dense
        ctx.save_for_backward(x if any(ctx.needs_input_grad[1:3]) else None, weight, own)
        return _matrix(graph, weight, own) @ x if dense else _summed(graph, x, weight, own, backward=False)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, own = ctx.saved_tensors
        graph, grad = ctx.graph, grad.contiguous()
        of_x = of_weight = of_own = None
        if ctx.needs_input_grad[0] and ctx.dense:
            of_x = _matrix(graph, weight, own).T @ grad
        elif ctx.needs_input_grad[0]:
            of_x = _summed(graph, grad, weight, own, backward=True)
        if ctx.needs_input_grad[1]:
            dense = ctx.dense
            of_weight = (grad @ x.T)[graph.target, graph.source] if dense else _products(graph, x, grad)
        if ctx.needs_input_grad[2]:
            of_own = torch.linalg.vecdot(x, grad)
        return of_x, of_weight, of_own, None, None


def _matrix(graph: MessageGraph, weight: Tensor, own: Tensor | None) -> Tensor:
    """(target, source)."""
    matrix = weight.new_zeros(graph.n_nodes, graph.n_nodes)
    matrix[graph.target, graph.source] = weight
    if own is not None:
        matrix.diagonal().add_(own)
    return matrix


def _summed(graph: MessageGraph, x: Tensor, weight: Tensor, own: Tensor | None, *, backward: bool) -> Tensor:
    if x.device.type != "cpu":
        return summed_by_torch(graph, x, weight, own, backward=backward)
    pointer, column = (graph.source_pointer, graph.target) if backward else (graph.pointer, graph.source)
    order = graph.by_source.numpy() if backward else None
    scale = None if own is None else own.detach().numpy()
    sums = row_sums(pointer.numpy(), column.numpy(), order, weight.detach().numpy(), scale, x.detach().numpy())
    return torch.from_numpy(sums)


def _products(graph: MessageGraph, x: Tensor, grad: Tensor) -> Tensor:
    if x.device.type != "cpu":
        return products_by_torch(graph, x, grad)
    return torch.from_numpy(row_products(graph.source.numpy(), graph.target.numpy(), x.numpy(), grad.numpy()))


def summed_by_torch(graph: MessageGraph, x: Tensor, weight: Tensor, own: Tensor | None, *, backward: bool) -> Tensor:
    """The sums with operations of torch alone, for devices other than the CPU."""
    n = graph.n_nodes
    if backward:
        order = graph.by_source
        index, weight = torch.stack([graph.source[order], graph.target[order]]), weight[order]
    else:
        index = torch.stack([graph.target, graph.source])
    out: Tensor = torch.sparse.mm(
        torch.sparse_coo_tensor(index, weight, (n, n), is_coalesced=True, check_invariants=False), x
    )
    return out if own is None else out.addcmul_(own.unsqueeze(1), x)


def traced_sum(graph: MessageGraph, x: Tensor, weight: Tensor, own: Tensor | None) -> Tensor:
    """The sums as ``torch.compile`` sees through them: it fuses what is large here, and finds the gradients."""
    out = torch.zeros_like(x).index_add(0, graph.target, weight.unsqueeze(1) * x[graph.source])
    return out if own is None else torch.addcmul(out, own.unsqueeze(1), x)


def products_by_torch(graph: MessageGraph, x: Tensor, grad: Tensor, chunk: int = 1 << 24) -> Tensor:
    """The gradient of each weight with operations of torch alone, at most `chunk` numbers at a time."""
    step = max(1, chunk // max(1, x.shape[1]))
    ends = zip(torch.split(graph.source, step), torch.split(graph.target, step), strict=True)
    return torch.cat([(x[source] * grad[target]).sum(1) for source, target in ends])
