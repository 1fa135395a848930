"""How large a step is: a function of how far training is and of what validation said, and of nothing else."""

from __future__ import annotations

import math
from typing import Literal

Schedule = Literal["cosine", "plateau", "constant"]

_LAST = 0.02  # of the full rate, at the end of a cosine
_CUT = 0.5  # at a plateau
_LOWEST = 1e-3


def rate_factor(schedule: Schedule, progress: float, warmup: float, validation: list[float], patience: int) -> float:
    """What the learning rate is multiplied by.

    Parameters
    ----------
    schedule : {"cosine", "plateau", "constant"}
    progress : float
        Share of all steps that are done.
    warmup : float
        Share of all steps over which the rate grows from nearly nothing.
    validation : list of float
        Losses after each epoch so far; a plateau is a stretch of `patience` epochs without a new best one.
    patience : int
        At least 1.

    Examples
    --------
    >>> [round(rate_factor("cosine", p, 0.1, [], 1), 2) for p in (0.05, 0.1, 0.55, 1.0)]
    [0.5, 1.0, 0.51, 0.02]
    >>> rate_factor("plateau", 0.5, 0.0, [1.0, 2.0, 2.0], 2)
    0.5
    """
    if progress < warmup:
        return max(progress / warmup, _LOWEST)
    if schedule == "constant":
        return 1.0
    if schedule == "cosine":
        done = (progress - warmup) / (1 - warmup)
        return _LAST + (1 - _LAST) * 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))
    factor, best, waited = 1.0, math.inf, 0
    for loss in validation:
        best, waited = (loss, 0) if loss < best else (best, waited + 1)
        if waited == patience:
            factor, waited = max(factor * _CUT, _LOWEST), 0
    return factor
