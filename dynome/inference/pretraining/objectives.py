"""One doorway to the objectives, by name."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from dynome.inference.dynamic_graphs.encoder import GraphEncoder
from dynome.inference.pretraining.contrastive import Contrastive
from dynome.inference.pretraining.graphmae import GraphMAE
from dynome.inference.pretraining.jema import JEMA
from dynome.inference.pretraining.mae import MAE
from dynome.inference.pretraining.objective import Objective
from dynome.inference.pretraining.settings import ObjectiveName, ObjectiveSettings

_Kind = Callable[[GraphEncoder, ObjectiveSettings, torch.Generator, Tensor | None], Objective]
_BY_NAME: dict[ObjectiveName, _Kind] = {"jema": JEMA, "mae": MAE, "graphmae": GraphMAE, "contrastive": Contrastive}


def make_objective(
    name: ObjectiveName,
    encoder: GraphEncoder,
    settings: ObjectiveSettings,
    generator: torch.Generator,
    network: Tensor | None = None,
) -> Objective:
    """An objective around an encoder.

    Parameters
    ----------
    name : {"jema", "mae", "graphmae", "contrastive"}
    encoder : GraphEncoder
    settings : ObjectiveSettings
    generator : Generator
        Of the first weights of what is not the encoder.
    network : (N,) int64 or None
        Number of each node's network, where masks are networks.
    """
    return _BY_NAME[name](encoder, settings, generator, network)
