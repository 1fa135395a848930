"""ST-JEMA: the embeddings of hidden nodes, and hidden edges, told from what is seen here and at other times.

A context encoder sees the graphs with parts hidden; a target encoder, a slow average of it, sees them whole. Decoders
tell the target's embeddings of the hidden nodes, and the edges of the hidden blocks, from the context of the same
window (spatial terms), and with the help of a window before and one after it (temporal terms).

References
----------
.. [1] Choi, Lee, Kim & Lee (2024), arXiv:2403.06432.
.. [2] Assran et al. (2023), CVPR, arXiv:2301.08243: targets that are embeddings.
"""

from __future__ import annotations

import math
from typing import Self

import torch
from torch import Tensor

from dynome.inference.dynamic_graphs.encoder import GraphEncoder
from dynome.inference.dynamic_graphs.graph_batches import Batch
from dynome.inference.pretraining.averaging import follow, frozen_copy
from dynome.inference.pretraining.reconstruction import Reconstruction
from dynome.inference.pretraining.settings import ObjectiveSettings


class JEMA(Reconstruction):
    """Joint-embedding masked autoencoder of dynamic graphs.

    Parameters
    ----------
    encoder : GraphEncoder
        The context encoder; the target encoder starts as its copy.
    settings : ObjectiveSettings
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
        super().__init__(encoder, settings, generator, network)
        self.target = frozen_copy(encoder)

    def train(self, mode: bool = True) -> Self:
        """As for every module; the target always takes the statistics of the batch it sees, and keeps none."""
        super().train(mode)
        self.target.train()
        return self

    def goals(self, batch: Batch) -> Tensor:
        """The target's embeddings of the whole graphs, (B, T, N, d), without gradients."""
        with torch.no_grad():
            found: Tensor = self.target(batch)[-1]
        return found

    def after_step(self, share: float) -> None:
        """Move the target towards the context.

        Parameters
        ----------
        share : float
            Of training that is done, by which momentum goes from its first to its last value along a cosine.
        """
        first, last = self.settings.momentum
        momentum = last - (last - first) * 0.5 * (1 + math.cos(math.pi * min(max(share, 0.0), 1.0)))
        follow(self.target, self.encoder, momentum)
