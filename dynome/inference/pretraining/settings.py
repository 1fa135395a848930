"""What decides an objective: plain values that the estimator fills in and a checkpoint is known by."""

from __future__ import annotations

import math
from typing import Any, Literal, NamedTuple, get_args

from dynome.errors import Problems
from dynome.inference.dynamic_graphs.settings import add_choice, add_count
from dynome.inference.pretraining.decoders import DecoderName
from dynome.inference.pretraining.masks import MaskSettings, add_mask_problems
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


def add_objective_problems(settings: ObjectiveSettings, problems: Problems) -> None:
    """Note everything that is wrong with the constants of an objective."""
    add_mask_problems(settings.masks, problems)
    add_choice(problems, "decoder", settings.decoder, get_args(DecoderName))
    add_choice(problems, "gap", settings.gap, get_args(Gap))
    add_count(problems, "token_hidden", settings.token_hidden)
    for pair in (("spatial_weight", "temporal_weight"), ("node_weight", "edge_weight")):
        values = [getattr(settings, name) for name in pair]
        if not all(_is_weight(value) for value in values):
            problems.add(f"{pair[0]} and {pair[1]} must be numbers of at least 0, got {values[0]!r} and {values[1]!r}")
        elif not max(values) > 0:
            problems.add(f"one of {pair[0]} and {pair[1]} must be above 0, or nothing is learnt")
    try:
        low, high = map(float, settings.momentum)
    except (TypeError, ValueError):
        low, high = 1.0, 0.0
    if not 0 <= low <= high <= 1:
        problems.add(f"momentum must be two numbers from 0 to 1, the smaller first, got {settings.momentum!r}")


def _is_weight(value: Any) -> bool:
    return not isinstance(value, bool | str) and hasattr(value, "__float__") and math.isfinite(value) and value >= 0
