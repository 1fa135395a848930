"""What an objective is: a network with an encoder and losses of a batch."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from dynome.inference.dynamic_graphs.encoder import GraphEncoder
from dynome.inference.dynamic_graphs.graph_batches import Batch
from dynome.inference.pretraining.settings import ObjectiveSettings


class Objective(nn.Module):
    """Base of the objectives.

    Parameters
    ----------
    encoder : GraphEncoder
        What is learnt for.
    settings : ObjectiveSettings
    network : (N,) int64 or None
        Number of each node's network, where masks are networks.

    Attributes
    ----------
    reads_correlation : bool
        Whether batches need the correlations that the graphs were cut from.
    """

    reads_correlation: ClassVar[bool] = False
    network: Tensor | None

    def __init__(self, encoder: GraphEncoder, settings: ObjectiveSettings, network: Tensor | None = None) -> None:
        super().__init__()
        self.encoder = encoder
        self.settings = settings
        self.register_buffer("network", network, persistent=False)
        self.generator: torch.Generator | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Terms of the loss that have a weight, in the order of `terms`."""
        raise TypeError(f"{type(self).__name__} must define names")

    def terms(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """Losses of a batch, each a scalar.

        Parameters
        ----------
        batch : Batch
        generator : Generator
            Of all that is drawn, on the device of the batch.

        Returns
        -------
        dict of str to Tensor
            Those of `names`, and their weighted sum, "total".
        """
        raise TypeError(f"{type(self).__name__} must define terms")

    def after_step(self, share: float) -> None:
        """What is to be done after a step of training.

        Parameters
        ----------
        share : float
            Of training that is done.
        """
