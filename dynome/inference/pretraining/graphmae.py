"""GraphMAE: correlations of hidden nodes told from the rest of the same window, with a decoder on the graph.

Hidden nodes are hidden once more before decoding, and errors are angles, which large values cannot dominate. Edges are
not hidden and time plays no part: a baseline for the objectives with both. Other than published, a hidden node receives
no messages in the encoder.

References
----------
.. [1] Hou et al. (2022), KDD, arXiv:2205.10803.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity

from dynome.inference.dynamic_graphs.encoder import GraphEncoder
from dynome.inference.dynamic_graphs.graph_batches import Batch
from dynome.inference.pretraining.decoders import Canvas, GINDecoder
from dynome.inference.pretraining.mae import correlations
from dynome.inference.pretraining.masks import drawn_masks, slots_of
from dynome.inference.pretraining.objective import Objective
from dynome.inference.pretraining.settings import ObjectiveSettings

_SHARPNESS = 2  # power of the cosine error


class GraphMAE(Objective):
    """Masked autoencoder of single graphs.

    Parameters
    ----------
    encoder : GraphEncoder
    settings : ObjectiveSettings
        Its masks count; decoder, weights and edges do not.
    generator : Generator
    network : (N,) int64 or None
    """

    reads_correlation: ClassVar[bool] = True

    def __init__(
        self,
        encoder: GraphEncoder,
        settings: ObjectiveSettings,
        generator: torch.Generator,
        network: Tensor | None = None,
    ) -> None:
        super().__init__(encoder, settings, network)
        n_nodes, d = encoder.identity.shape
        self.decoder = GINDecoder(d, n_nodes, generator=generator)
        self.token = nn.Parameter(torch.empty(d).normal_(generator=generator))

    @property
    def names(self) -> tuple[str, ...]:
        """The only term."""
        return ("spatial_node",)

    def terms(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """Losses of a batch; see `Objective.terms`."""
        n_scans, n_times, n_nodes, _ = batch.adjacency.shape
        shared = self.encoder.settings.timestamp == "gru"
        masks = drawn_masks(
            (n_scans, n_times), n_nodes, self.settings.masks, generator, network=self.network, shared=shared
        )
        visible = ~masks.nodes.any(0)
        seen = self.encoder(batch, visible=visible)[-1].flatten(0, 1)
        mask = ~visible.flatten(0, 1)[None]
        slots = slots_of(mask)
        told = self.decoder(Canvas(seen, ~mask[0], mask, self.token, batch.adjacency.flatten(0, 1)), slots)
        window = torch.arange(mask.shape[1], device=mask.device)[:, None]
        goal = correlations(batch).flatten(0, 1)[window, slots.place]
        error = (1 - cosine_similarity(told, goal, dim=-1)) ** _SHARPNESS
        loss = (error * slots.valid).sum() / slots.valid.sum().clamp(min=1)
        return {"spatial_node": loss, "total": loss}
