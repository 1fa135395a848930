"""Batch norm for whole graphs: training sees graphs with parts hidden, whose statistics are others."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import nn

from dynome.inference.dynamic_graphs.encoder import GraphEncoder
from dynome.inference.dynamic_graphs.graph_batches import Batch


def take_statistics(encoder: GraphEncoder, batches: Iterable[Batch]) -> None:
    """Replace the statistics of an encoder by their means over some batches of whole graphs, in place.

    Parameters
    ----------
    encoder : GraphEncoder
        Its weights stay; it ends in evaluation mode.
    batches : iterable of Batch
    """
    norms = [module for module in encoder.modules() if isinstance(module, nn.BatchNorm1d)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the plain mean over batches
    encoder.train()
    with torch.no_grad():
        for batch in batches:
            encoder(batch)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    encoder.eval()
