"""What decides an objective: plain values that the estimator fills in and a checkpoint is known by."""

from __future__ import annotations

from typing import Literal, NamedTuple

from dynome.inference.pretraining.decoders import DecoderName
from dynome.inference.pretraining.masks import MaskSettings
from dynome.inference.pretraining.neighbours import Gap

ObjectiveName = Literal["jema", "mae", "graphmae", "contrastive"]


class ObjectiveSettings(NamedTuple):
    """Constants of an objective; see `GraphMaskedAutoencoder`, whose arguments have the same names.

    Attributes
    ----------
    masks : MaskSettings
    decoder : {"mixer", "mlp", "gin"}
    token_hidden : int
    spatial_weight, temporal_weight, node_weight, edge_weight : float
        0 removes the terms.
    gap : {"full", "pair"}
    momentum : (float, float)
    """

    masks: MaskSettings
    decoder: DecoderName
    token_hidden: int
    spatial_weight: float
    temporal_weight: float
    node_weight: float
    edge_weight: float
    gap: Gap
    momentum: tuple[float, float]
