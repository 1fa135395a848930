"""What a fitted model expects of the next bin."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dynome.dynamics.switching.emissions import Emissions

Array = NDArray[np.float64]

_ROWS = 4096


def mixed_mean(emissions: Emissions, coefficient: Array, probability: NDArray[np.floating]) -> Array:
    """Mean of every bin, over states.

    Parameters
    ----------
    emissions : Emissions
        Design and law.
    coefficient : (n_state, n_target, n_feature)
        Of the predictor.
    probability : (n_bin, n_state)
        Of each state before the bin is seen.

    Returns
    -------
    (n_bin, n_target)
        NaN where the features are not known.
    """
    design = emissions.problem.design
    out = np.zeros((design.n_bin, coefficient.shape[1]))
    for a in range(0, design.n_bin, _ROWS):
        b = min(a + _ROWS, design.n_bin)
        block = np.asarray(design.block(a, b), dtype=np.float64)
        for s in range(coefficient.shape[0]):
            out[a:b] += probability[a:b, s, None] * emissions.mean(block @ coefficient[s].T)
    out[~design.usable] = np.nan
    return out
