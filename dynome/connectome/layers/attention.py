"""Attention over the inputs of each node, on one graph that all snapshots share."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dynome.connectome.layers.attention_sums import attended, attention_weights
from dynome.connectome.layers.linear_maps import fresh_generator, linear
from dynome.connectome.layers.message_graphs import MessageGraph
from dynome.connectome.layers.propagation import check_features
from dynome.errors import InputError


class GATv2Layer(nn.Module):
    r"""Attention that weighs each input by what both ends and their connection are like at the time.

    Parameters
    ----------
    n_in, n_out : int
        Features per node before and after; `n_out` is that of all heads together.
    heads : int
        Separate attentions; must divide `n_out`.
    n_edge_features : int
        Columns of ``graph.feature``; 0 leaves the connection out of account.
    own : bool
        Add a linear map of the node itself, without which a node without inputs loses what it knew.
    generator : torch Generator or None
        Source of the first weights.

    Notes
    -----
    Per head :math:`z_e = W_l x_{j(e)} + W_r x_{i(e)} + W_e f_e`, :math:`\alpha_e` is the softmax of
    :math:`a \cdot \mathrm{leaky}(z_e)` over the inputs e of node i (slope .2 below zero), and
    :math:`h_i = \sum_e \alpha_e W_l x_{j(e)} + W_o x_i + b`. Weights act through the features of edges, so that their
    sign is no problem.

    References
    ----------
    .. [1] Brody, Alon & Yahav, ICLR 2022, arXiv:2105.14491.

    Examples
    --------
    >>> from dynome.connectome import message_graph
    >>> graph = message_graph(([0, 1], [1, 2], [3.0, 5.0]), nodes=3)
    >>> GATv2Layer(4, 8, heads=2, n_edge_features=1)(graph, torch.zeros(3, 5, 4)).shape
    torch.Size([3, 5, 8])
    """

    def __init__(
        self,
        n_in: int,
        n_out: int,
        *,
        heads: int = 4,
        n_edge_features: int = 0,
        own: bool = True,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        if heads < 1 or n_out % heads:
            raise InputError(f"heads must divide n_out, got {heads} heads and n_out={n_out}")
        generator = generator or fresh_generator()
        self.heads, self.n_edge_features = heads, n_edge_features
        self.from_source = linear(n_in, n_out, generator)
        self.from_target = linear(n_in, n_out, generator)
        self.from_edge = linear(n_edge_features, n_out, generator, bias=False) if n_edge_features else None
        self.own = linear(n_in, n_out, generator, bias=False) if own else None
        self.attention = nn.Parameter(torch.empty(heads, n_out // heads))
        nn.init.xavier_uniform_(self.attention, generator=generator)
        self.bias = nn.Parameter(torch.zeros(n_out))

    def forward(self, graph: MessageGraph, x: Tensor) -> Tensor:
        """Features (N, S, n_in) to (N, S, n_out)."""
        out = attended(graph, *self._projected(graph, x)).reshape(*x.shape[:-1], -1) + self.bias
        return out if self.own is None else out + self.own(x)

    def weights(self, graph: MessageGraph, x: Tensor) -> Tensor:
        """What each node pays to each of its inputs: (E, S, heads), which sum to one over the inputs of a node."""
        source, target, edge, attention = self._projected(graph, x)
        return attention_weights(graph, source, target, edge, attention)

    def _projected(self, graph: MessageGraph, x: Tensor) -> tuple[Tensor, Tensor, Tensor | None, Tensor]:
        check_features(graph, x)
        if self.n_edge_features and graph.feature.shape[1] != self.n_edge_features:
            found = graph.feature.shape[1]
            raise InputError(
                f"this layer was made for {self.n_edge_features} features of an edge, the graph has {found}"
            )
        edge = None if self.from_edge is None else self.from_edge(graph.feature.to(x.dtype))
        shape = x.shape[0], -1, *self.attention.shape
        source, target = self.from_source(x).reshape(shape), self.from_target(x).reshape(shape)
        return source, target, edge if edge is None else edge.reshape(-1, *self.attention.shape), self.attention
