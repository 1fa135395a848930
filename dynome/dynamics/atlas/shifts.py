"""Traces that are moved in time against each other: each keeps its own course, what they share is lost."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome.schema import ANIMAL, NODE, TIME

Array = NDArray[np.float64]


def shifted(rate: Array, rng: np.random.Generator) -> Array:
    """Every trace of one animal, turned in a circle by a lag of its own.

    Parameters
    ----------
    rate : (n_time, n_node)
        NaN where missing. Samples that no node has (before the first and after the last) stay where they are.
    rng : Generator
        Draws one lag a node.

    Returns
    -------
    (n_time, n_node)
        Each column holds its own values in their own order, from another start.
    """
    recorded = np.flatnonzero(~np.isnan(rate).all(axis=1))
    if not recorded.size:
        return rate.copy()
    first, n = recorded[0], recorded[-1] - recorded[0] + 1
    lag = rng.integers(n, size=rate.shape[1])
    source = (np.arange(n)[:, None] - lag) % n + first
    out = np.full_like(rate, np.nan)
    out[first : first + n] = np.take_along_axis(rate, source, axis=0)
    return out


def shifted_affinity(aff: xr.Dataset, rng: np.random.Generator) -> xr.Dataset:
    """An affinity of which every trace was turned in a circle by a lag of its own.

    Parameters
    ----------
    aff : Dataset
        As `affinity` gives it.
    rng : Generator
        Draws one lag for each node of each animal.

    Returns
    -------
    Dataset
        Same distribution and same autocorrelation of every rate; no change that two nodes share, but by chance.
    """
    rate = aff["rate"].transpose(ANIMAL, TIME, NODE)
    moved = np.stack([shifted(one, rng) for one in rate.to_numpy().astype(np.float64)])
    return aff.assign(rate=rate.copy(data=moved))
