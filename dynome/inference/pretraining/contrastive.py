"""Contrast: two thinned copies of a window are to be recognised as one among all windows of a batch.

Nodes and edges are dropped at random, twice; embeddings are averaged over nodes. Windows of a scan that share samples
are no contrast to each other. A baseline for the objectives that tell what is hidden.

References
----------
.. [1] You et al. (2020), NeurIPS, arXiv:2010.13902: graph contrastive learning.
.. [2] van den Oord, Li & Vinyals (2018), arXiv:1807.03748: the loss.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, normalize

from dynome.connectome.layers.linear_maps import linear
from dynome.inference.dynamic_graphs.encoder import GraphEncoder
from dynome.inference.dynamic_graphs.graph_batches import Batch
from dynome.inference.pretraining.objective import Objective
from dynome.inference.pretraining.settings import ObjectiveSettings

_TEMPERATURE = 0.2


class Contrastive(Objective):
    """Windows told apart.

    Parameters
    ----------
    encoder : GraphEncoder
    settings : ObjectiveSettings
        Its ratios of nodes and edges are those that are dropped; the rest does not count.
    generator : Generator
    network : (N,) int64 or None
    """

    def __init__(
        self,
        encoder: GraphEncoder,
        settings: ObjectiveSettings,
        generator: torch.Generator,
        network: Tensor | None = None,
    ) -> None:
        super().__init__(encoder, settings, network)
        d = encoder.identity.shape[1]
        self.head = nn.Sequential(linear(d, d, generator), nn.ReLU(), linear(d, d, generator))

    @property
    def names(self) -> tuple[str, ...]:
        """The only term."""
        return ("contrast",)

    def terms(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """Losses of a batch; see `Objective.terms`."""
        one, other = (self._view(batch, generator) for _ in range(2))
        likeness = one @ other.T / _TEMPERATURE
        likeness = likeness.masked_fill(overlapping(batch), -torch.inf)
        truth = torch.arange(likeness.shape[0], device=likeness.device)
        loss = 0.5 * (cross_entropy(likeness, truth) + cross_entropy(likeness.T, truth))
        return {"contrast": loss, "total": loss}

    def _view(self, batch: Batch, generator: torch.Generator) -> Tensor:
        """Unit vectors of thinned windows, (B * T, d)."""
        a, how = batch.adjacency, self.settings.masks
        device = generator.device

        def draw(*shape: int) -> Tensor:
            return torch.rand(shape, generator=generator, device=device)

        node_share, edge_share = (low + draw() * (high - low) for low, high in (how.node_ratio, how.edge_ratio))
        n_times = 1 if self.encoder.settings.timestamp == "gru" else a.shape[1]
        visible = (draw(a.shape[0], n_times, a.shape[2]) >= node_share).expand(a.shape[:3])
        kept = (draw(*a.shape) >= edge_share).triu(1)
        kept = kept | kept.mT
        kept.diagonal(dim1=-2, dim2=-1).fill_(True)
        h = self.encoder(batch, adjacency=a * kept, visible=visible)[-1]
        mean = h.sum(-2) / visible.sum(-1, keepdim=True).clamp(min=1)
        return normalize(self.head(mean.flatten(0, 1)), dim=-1)


def overlapping(batch: Batch) -> Tensor:
    """Pairs of other windows of the same scan that share samples, (B * T, B * T) bool.

    Parameters
    ----------
    batch : Batch
    """
    n_times = batch.last.shape[1]
    near = (batch.last[:, :, None] - batch.last[:, None, :]).abs() < batch.width[:, None, None]
    near &= ~torch.eye(n_times, dtype=torch.bool, device=near.device)
    found: Tensor = torch.block_diag(*near)  # type: ignore[no-untyped-call]
    return found
