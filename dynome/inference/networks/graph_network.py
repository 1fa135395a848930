"""The network of `ConnectomeGNN`: each node alone over time, then messages along connections, then all horizons."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from dynome.connectome.layers.linear_maps import linear
from dynome.connectome.layers.making import LayerName, make_layer
from dynome.connectome.layers.message_graphs import MessageGraph
from dynome.inference.networks.encoders import Temporal, make_encoder
from dynome.inference.networks.heads import HeadName, Said, n_outputs, said
from dynome.training.noise import Dropout, kept

_FORGET = 0.1  # share of nodes whose identity is hidden in a step of training, so that unknown nodes can be met


class GraphView(NamedTuple):
    """Windows in which the same nodes were observed.

    Attributes
    ----------
    graph : MessageGraph
        On the n nodes of the view, with the edges that carry messages.
    identity : (n,) int64
        Row of each node's embedding; 0 for nodes that are not known.
    observed : (m,) int64
        Which of the n nodes were observed.
    x : (m, T, 2)
        Value (0 where missing) and whether it is there, of the bins that the windows need, end to end.
    covariates : (T, C)
    last : (W,) int64
        Last bin of each window.
    base : (n, W)
        What the forecast is a change from; 0 for nodes that were not observed.
    """

    graph: MessageGraph
    identity: Tensor
    observed: Tensor
    x: Tensor
    covariates: Tensor
    last: Tensor
    base: Tensor


class GraphSizes(NamedTuple):
    """What decides the shape of the network."""

    n_nodes: int
    n_covariates: int
    n_relations: int
    n_edge_features: int
    context: int
    n_horizons: int


class GraphNetwork(nn.Module):
    """Forecasts of all nodes of a view: ``network(view)``, mean and scale ``(n, W, n_horizon)``."""

    def __init__(
        self,
        sizes: GraphSizes,
        *,
        layer: LayerName,
        temporal: Temporal,
        hidden: int,
        n_layers: int,
        heads: int,
        node_embedding: int,
        head: HeadName,
        residual: bool,
        dropout: float,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.head, self.residual, self.context = head, residual, sizes.context
        self.generator: torch.Generator | None = None
        n_raw = sizes.n_horizons * n_outputs(head)
        self.n_horizons = sizes.n_horizons
        self.encoder = make_encoder(temporal, 2, hidden, sizes.context, generator)
        self.entry = linear(hidden, hidden, generator)
        self.absent = nn.Parameter(torch.zeros(hidden))
        self.identity: nn.Module | None = None
        if node_embedding:
            self.embedding = nn.Parameter(torch.empty(sizes.n_nodes + 1, node_embedding))
            nn.init.normal_(self.embedding, generator=generator)
            self.identity = linear(node_embedding, hidden, generator, bias=False)
        self.outside: nn.Module | None = None
        if sizes.n_covariates:
            self.outside = make_encoder(temporal, sizes.n_covariates, hidden, sizes.context, generator)
        self.norms = nn.ModuleList(nn.LayerNorm(hidden) for _ in range(n_layers))
        self.layers = nn.ModuleList(
            make_layer(
                layer,
                hidden,
                hidden,
                n_relations=sizes.n_relations,
                n_edge_features=sizes.n_edge_features,
                heads=heads,
                generator=generator,
            )
            for _ in range(n_layers)
        )
        self.dropout = Dropout(dropout)
        self.readout = silent(hidden, n_raw)
        self.direct = silent(2 * sizes.context, n_raw)

    def forward(self, view: GraphView) -> Said:
        """Forecasts of the windows of a view."""
        h = self.states(view)
        raw: Tensor = self.readout(h)
        raw = raw.index_add(0, view.observed, self.direct(self._windows(view)))
        raw = raw.reshape(*raw.shape[:2], self.n_horizons, -1)
        base = view.base if self.residual or self.head == "poisson" else torch.zeros_like(view.base)
        return said(self.head, raw, base[..., None])

    def states(self, view: GraphView) -> Tensor:
        """Hidden states (n, W, hidden) after the last graph layer."""
        n, n_windows = view.identity.numel(), view.last.numel()
        seen = self.entry(self.encoder(view.x, view.last))
        h = self.absent.expand(n, n_windows, -1).index_copy(0, view.observed, seen)
        if self.identity is not None:
            h = h + self.identity(self.embedding[self._identity(view)])[:, None]
        if self.outside is not None:
            h = h + self.outside(view.covariates[None], view.last)
        h = nn.functional.gelu(h)
        for norm, layer in zip(self.norms, self.layers, strict=True):
            h = h + self.dropout(nn.functional.gelu(layer(view.graph, norm(h))))
        return h

    def _identity(self, view: GraphView) -> Tensor:
        if not self.training or self.generator is None:
            return view.identity
        known = kept(view.identity.shape, 1 - _FORGET, self.generator, view.identity.device)
        return view.identity * known.to(torch.int64)

    def _windows(self, view: GraphView) -> Tensor:
        """Contexts of the observed nodes, values less the last one beside what is missing: (m, W, 2 context)."""
        steps = view.last[:, None] + torch.arange(1 - self.context, 1, device=view.last.device)
        windows = view.x[:, steps.reshape(-1)].reshape(view.x.shape[0], *steps.shape, 2)
        value, known = windows[..., 0], windows[..., 1]
        moved = (value - view.base[view.observed][..., None]) * known if self.residual else value
        return torch.cat([moved, known], dim=-1)


def silent(n_in: int, n_out: int) -> nn.Linear:
    """A linear map that begins as zero: the first forecast is the base itself."""
    layer: nn.Linear = nn.utils.skip_init(nn.Linear, n_in, n_out)  # type: ignore[no-untyped-call]
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer
