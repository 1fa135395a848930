"""Layers by name, and layers made of others: one for each edge type."""

from __future__ import annotations

from typing import Literal, TypeAlias, get_args

import torch
from torch import Tensor, nn

from dynome.connectome.layers.attention import GATv2Layer
from dynome.connectome.layers.convolutions import GCNLayer, GINLayer, SAGELayer
from dynome.connectome.layers.linear_maps import fresh_generator, linear
from dynome.connectome.layers.message_graphs import MessageGraph
from dynome.connectome.layers.propagation import Kernel, check_features
from dynome.connectome.layers.signed import SignedLayer
from dynome.errors import InputError, listed

LayerName: TypeAlias = Literal["gcn", "gin", "sage", "gat", "signed", "relation", "none"]


class RelationLayer(nn.Module):
    r"""Messages of several layers of connections: a graph layer of its own for every edge type, added up.

    Parameters
    ----------
    n_in, n_out : int
        Features per node before and after.
    n_relations : int
        Number of edge types of the graph.
    base : {"gcn", "gin", "sage", "gat", "signed"}
        The layer of each edge type.
    n_edge_features : int
        Columns of ``graph.parts[r].feature``, for the base "gat".
    heads : int
        For the base "gat".
    generator : torch Generator or None
        Source of the first weights.
    kernel : {"auto", "dense", "sparse"}
        See `propagate`.

    Notes
    -----
    :math:`h = \sum_r \mathrm{base}_r(G_r, x)`, where :math:`G_r` holds the edges of type r alone.

    References
    ----------
    .. [1] Schlichtkrull et al., ESWC 2018, arXiv:1703.06103.

    Examples
    --------
    >>> from dynome.connectome import from_edges, message_graph
    >>> rows = {"source": ["a", "a"], "target": ["b", "c"], "edge_type": ["chemical", "gap_junction"]}
    >>> graph = message_graph(from_edges(rows))
    >>> RelationLayer(4, 8, n_relations=2)(graph, torch.zeros(3, 5, 4)).shape
    torch.Size([3, 5, 8])
    """

    def __init__(
        self,
        n_in: int,
        n_out: int,
        *,
        n_relations: int,
        base: LayerName = "sage",
        n_edge_features: int = 0,
        heads: int = 4,
        generator: torch.Generator | None = None,
        kernel: Kernel = "auto",
    ) -> None:
        super().__init__()
        if base in ("relation", "none"):
            raise InputError(f"base must be gcn, gin, sage, gat or signed, got {base!r}")
        generator = generator or fresh_generator()
        about = {"n_edge_features": n_edge_features, "heads": heads}
        several = (
            make_layer(base, n_in, n_out, generator=generator, kernel=kernel, **about) for _ in range(n_relations)
        )
        self.layers = nn.ModuleList(several)

    def forward(self, graph: MessageGraph, x: Tensor) -> Tensor:
        """Features (N, S, n_in) to (N, S, n_out)."""
        check_features(graph, x)
        if len(self.layers) != len(graph.relations):
            told = f"{len(graph.relations)} ({', '.join(graph.relations)})"
            raise InputError(f"this layer was made for {len(self.layers)} relations, the graph has {told}")
        parts = graph.parts or (graph,)
        outs: list[Tensor] = [layer(part, x) for layer, part in zip(self.layers, parts, strict=True)]
        return sum(outs[1:], outs[0])


class NodewiseLayer(nn.Module):
    """A linear map of each node alone, without messages: what a graph layer must beat.

    Parameters
    ----------
    n_in, n_out : int
        Features per node before and after.
    generator : torch Generator or None
        Source of the first weights.
    """

    def __init__(self, n_in: int, n_out: int, *, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.map = linear(n_in, n_out, generator)

    def forward(self, graph: MessageGraph, x: Tensor) -> Tensor:
        """Features (N, S, n_in) to (N, S, n_out)."""
        check_features(graph, x)
        out: Tensor = self.map(x)
        return out


def make_layer(
    name: LayerName,
    n_in: int,
    n_out: int,
    *,
    n_relations: int = 1,
    n_edge_features: int = 0,
    heads: int = 4,
    generator: torch.Generator | None = None,
    kernel: Kernel = "auto",
) -> nn.Module:
    """A graph layer by its name.

    Parameters
    ----------
    name : {"gcn", "gin", "sage", "gat", "signed", "relation", "none"}
        "relation" has one GraphSAGE layer per relation; "none" passes no messages.
    n_in, n_out : int
        Features per node before and after.
    n_relations : int
        Columns of ``graph.weight``, for "relation".
    n_edge_features : int
        Columns of ``graph.feature``, for "gat"; 0 leaves them out.
    heads : int
        Attentions, for "gat"; must divide `n_out`.
    generator : torch Generator or None
        Source of the first weights; None takes a fresh one.
    kernel : {"auto", "dense", "sparse"}
        See `propagate`; "gat" has one kernel.

    Returns
    -------
    Module
        ``layer(graph, x)`` takes features (N, S, n_in) to (N, S, n_out).

    Raises
    ------
    InputError
        If the name is unknown or `heads` does not divide `n_out`.

    Examples
    --------
    >>> from dynome.connectome import message_graph
    >>> graph = message_graph(([0, 1], [1, 2]), nodes=3)
    >>> layer = make_layer("gat", 4, 8, generator=torch.Generator().manual_seed(0))
    >>> layer(graph, torch.zeros(3, 5, 4)).shape
    torch.Size([3, 5, 8])
    """
    if name not in get_args(LayerName):
        raise InputError(f"layer must be one of {listed(get_args(LayerName), limit=99)}, got {name!r}")
    if name == "none":
        return NodewiseLayer(n_in, n_out, generator=generator)
    if name == "gat":
        return GATv2Layer(n_in, n_out, heads=heads, n_edge_features=n_edge_features, generator=generator)
    if name == "relation":
        return RelationLayer(n_in, n_out, n_relations=n_relations, generator=generator, kernel=kernel)
    plain: dict[str, type[nn.Module]] = {"gcn": GCNLayer, "gin": GINLayer, "sage": SAGELayer, "signed": SignedLayer}
    return plain[name](n_in, n_out, generator=generator, kernel=kernel)
