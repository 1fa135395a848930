"""Encoders that follow another one: slow averages that no gradient reaches."""

from __future__ import annotations

import copy

import torch
from torch import nn

from dynome.inference.dynamic_graphs.encoder import GraphEncoder


def frozen_copy(encoder: GraphEncoder) -> GraphEncoder:
    """A copy that no gradient reaches and no batch moves.

    Parameters
    ----------
    encoder : GraphEncoder
    """
    twin = copy.deepcopy(encoder).requires_grad_(False)
    for module in twin.modules():
        if isinstance(module, nn.BatchNorm1d):
            module.momentum = 0.0
    return twin


@torch.no_grad()
def follow(target: nn.Module, source: nn.Module, momentum: float) -> None:
    """Move weights and statistics of `target` towards those of `source`.

    Parameters
    ----------
    target, source : Module
        Of the same kind.
    momentum : float
        Share of its own values that the target keeps.
    """
    sources = source.state_dict()
    for name, own in target.state_dict().items():
        if own.is_floating_point():
            own.lerp_(sources[name], 1 - momentum)
        else:
            own.copy_(sources[name])
