"""Layers that add up the inputs of each node with fixed weights: GCN, GIN and GraphSAGE.

The sum over inputs and the linear map commute. Each layer sums where the features are narrower: before the map where it
widens, after it where it narrows.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dynome.connectome.layers.linear_maps import linear
from dynome.connectome.layers.message_graphs import MessageGraph
from dynome.connectome.layers.propagation import Kernel, check_features, propagate, weights_of
from dynome.errors import InputError


class GCNLayer(nn.Module):
    r"""Graph convolution: inputs and the node itself, divided by the root of both degrees, then a linear map.

    Parameters
    ----------
    n_in, n_out : int
        Features per node before and after.
    generator : torch Generator or None
        Source of the first weights.
    relation : int or None
        Which relation of the graph to use; None adds their weights.
    kernel : {"auto", "dense", "sparse"}
        See `propagate`.

    Notes
    -----
    :math:`h_i = W \left( x_i / d_i + \sum_e w_e x_{j(e)} / \sqrt{d_i d_{j(e)}} \right) + b` with
    :math:`d_i = 1 + \sum_e w_e` over the inputs of i. A node that has an edge to itself keeps that weight in place of
    the 1, as in PyTorch Geometric. Weights must not be negative: degrees would lose their meaning.

    References
    ----------
    .. [1] Kipf & Welling, ICLR 2017, arXiv:1609.02907.

    Examples
    --------
    >>> from dynome.connectome import message_graph
    >>> graph = message_graph(([0, 1], [1, 2]), nodes=3)
    >>> GCNLayer(4, 8)(graph, torch.zeros(3, 5, 4)).shape
    torch.Size([3, 5, 8])
    """

    def __init__(
        self,
        n_in: int,
        n_out: int,
        *,
        generator: torch.Generator | None = None,
        relation: int | None = None,
        kernel: Kernel = "auto",
    ) -> None:
        super().__init__()
        self.relation, self.kernel = relation, kernel
        self.map = linear(n_in, n_out, generator)

    def forward(self, graph: MessageGraph, x: Tensor) -> Tensor:
        """Features (N, S, n_in) to (N, S, n_out)."""
        check_features(graph, x)
        weight, own = symmetric_weights(graph, weights_of(graph, self.relation).to(x.dtype))
        return mapped_sum(graph, x, weight, own, self.map, self.kernel)


class GINLayer(nn.Module):
    r"""Graph isomorphism layer: the sum of inputs and the node itself, through a network of two layers.

    Parameters
    ----------
    n_in, n_out : int
        Features per node before and after.
    hidden : int or None
        Width between; None takes `n_out`.
    generator : torch Generator or None
        Source of the first weights.
    relation : int or None
        Which relation of the graph to use; None adds their weights.
    kernel : {"auto", "dense", "sparse"}
        See `propagate`.

    Notes
    -----
    :math:`h_i = W_2 \, \mathrm{relu}(W_1 ((1 + \epsilon) x_i + \sum_e w_e x_{j(e)}) + b_1) + b_2` with
    :math:`\epsilon` learnt. Weights may be negative. Sums grow with the number of inputs; make the graph with
    ``weight="binary"`` for the layer as published.

    References
    ----------
    .. [1] Xu, Hu, Leskovec & Jegelka, ICLR 2019, arXiv:1810.00826.

    Examples
    --------
    >>> from dynome.connectome import message_graph
    >>> graph = message_graph(([0, 1], [1, 2]), nodes=3, weight="binary")
    >>> GINLayer(4, 8)(graph, torch.zeros(3, 5, 4)).shape
    torch.Size([3, 5, 8])
    """

    def __init__(
        self,
        n_in: int,
        n_out: int,
        *,
        hidden: int | None = None,
        generator: torch.Generator | None = None,
        relation: int | None = None,
        kernel: Kernel = "auto",
    ) -> None:
        super().__init__()
        self.relation, self.kernel = relation, kernel
        self.first = linear(n_in, hidden or n_out, generator)
        self.second = linear(hidden or n_out, n_out, generator)
        self.epsilon = nn.Parameter(torch.zeros(()))

    def forward(self, graph: MessageGraph, x: Tensor) -> Tensor:
        """Features (N, S, n_in) to (N, S, n_out)."""
        check_features(graph, x)
        own = (1 + self.epsilon).expand(graph.n_nodes)
        mixed = mapped_sum(graph, x, weights_of(graph, self.relation), own, self.first, self.kernel)
        out: Tensor = self.second(torch.relu(mixed))
        return out


class SAGELayer(nn.Module):
    r"""GraphSAGE with the mean: a linear map of the node and another of the weighted mean of its inputs.

    Parameters
    ----------
    n_in, n_out : int
        Features per node before and after.
    generator : torch Generator or None
        Source of the first weights.
    relation : int or None
        Which relation of the graph to use; None adds their weights.
    kernel : {"auto", "dense", "sparse"}
        See `propagate`.

    Notes
    -----
    :math:`h_i = W_n \sum_e w_e x_{j(e)} / \sum_e w_e + W_s x_i + b`; the first term is zero without inputs. Weights
    must not be negative. The published layer has equal weights: ``weight="binary"``.

    References
    ----------
    .. [1] Hamilton, Ying & Leskovec, NeurIPS 2017, arXiv:1706.02216.

    Examples
    --------
    >>> from dynome.connectome import message_graph
    >>> graph = message_graph(([0, 1], [1, 2]), nodes=3, weight="binary")
    >>> SAGELayer(4, 8)(graph, torch.zeros(3, 5, 4)).shape
    torch.Size([3, 5, 8])
    """

    def __init__(
        self,
        n_in: int,
        n_out: int,
        *,
        generator: torch.Generator | None = None,
        relation: int | None = None,
        kernel: Kernel = "auto",
    ) -> None:
        super().__init__()
        self.relation, self.kernel = relation, kernel
        self.inputs = linear(n_in, n_out, generator, bias=False)
        self.own = linear(n_in, n_out, generator)

    def forward(self, graph: MessageGraph, x: Tensor) -> Tensor:
        """Features (N, S, n_in) to (N, S, n_out)."""
        weight = mean_weights(graph, weights_of(graph, self.relation).to(x.dtype))
        own: Tensor = self.own(x)
        return own + mapped_sum(graph, x, weight, None, self.inputs, self.kernel)


def mapped_sum(
    graph: MessageGraph, x: Tensor, weight: Tensor, own: Tensor | None, linear_map: nn.Linear, kernel: Kernel
) -> Tensor:
    """A linear map of the sum of inputs, with the narrower features summed."""
    if linear_map.in_features <= linear_map.out_features:
        mixed = propagate(graph, x, weight=weight, own=own, kernel=kernel)
        if linear_map.in_features == 1 and linear_map.bias is not None and not torch.is_grad_enabled():
            return torch.addcmul(linear_map.bias, mixed, linear_map.weight[:, 0])  # half the time of the product
        mapped: Tensor = linear_map(mixed)
        return mapped
    narrow = nn.functional.linear(x, linear_map.weight)
    out = propagate(graph, narrow, weight=weight, own=own, kernel=kernel)
    return out if linear_map.bias is None else out + linear_map.bias


def symmetric_weights(graph: MessageGraph, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Weights (E,) divided by the roots of both degrees, and what each node (N,) gives to itself.

    Raises
    ------
    InputError
        If a weight is negative.
    """
    check_positive(weight)
    own = 1 - _totals(graph, (graph.source == graph.target).to(weight.dtype), weight.new_zeros(graph.n_nodes))
    root = _totals(graph, weight, own).rsqrt()
    root = torch.where(root.isinf(), 0, root)
    return root[graph.source] * weight * root[graph.target], own * root * root


def mean_weights(graph: MessageGraph, weight: Tensor) -> Tensor:
    """Weights (E,) divided by the sum over the inputs of the same node.

    Raises
    ------
    InputError
        If a weight is negative.
    """
    check_positive(weight)
    total = _totals(graph, weight, weight.new_zeros(graph.n_nodes))
    return weight / torch.where(total == 0, 1, total)[graph.target]


def check_positive(weight: Tensor) -> None:
    """Refuse negative weights in a layer that divides by degrees.

    Raises
    ------
    InputError
        With what to use instead.
    """
    if bool((weight < 0).any()):
        told = f"{int((weight < 0).sum())} of {weight.numel()} weights are negative"
        use = 'use SignedLayer, GINLayer or GATv2Layer (of a model: layer="signed", "gin" or "gat")'
        raise InputError(f"this layer divides by degrees, but {told}; {use}")


def _totals(graph: MessageGraph, weight: Tensor, start: Tensor) -> Tensor:
    return start.index_add(0, graph.target, weight)
