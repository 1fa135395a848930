"""ST-MAE: hidden nodes' correlations, and all edges, told from what is seen here and at other times.

Targets are what a scan holds itself. A binary graph has no features but its nodes' names, so what is told of a hidden
node is its row of the window's correlations, which the graph was cut from: an own choice, as the papers that could be
read do not say.

References
----------
.. [1] Choi, Keum, Yun, Kim & Lee (2023), arXiv:2312.01994.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from dynome.inference.dynamic_graphs.encoder import GraphEncoder
from dynome.inference.dynamic_graphs.graph_batches import Batch
from dynome.inference.pretraining.masks import Masks
from dynome.inference.pretraining.reconstruction import Reconstruction
from dynome.inference.pretraining.settings import ObjectiveSettings


class MAE(Reconstruction):
    """Masked autoencoder of dynamic graphs.

    Parameters
    ----------
    encoder : GraphEncoder
    settings : ObjectiveSettings
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
        super().__init__(encoder, settings, generator, network, n_goals=encoder.identity.shape[0])

    def scored(self, masks: Masks) -> Masks:
        """All hidden nodes at once, and all pairs."""
        everything = torch.ones_like(masks.rows[:1])
        return Masks(masks.nodes.any(0, keepdim=True), everything, everything)

    def goals(self, batch: Batch) -> Tensor:
        """Rows of the windows' correlations, (B, T, N, N)."""
        return correlations(batch)


def correlations(batch: Batch) -> Tensor:
    """Correlations of a batch.

    Parameters
    ----------
    batch : Batch

    Raises
    ------
    TypeError
        If it was made without them.
    """
    if batch.correlation is None:
        raise TypeError("this objective reads correlations; make batches with correlation=True")
    return batch.correlation
