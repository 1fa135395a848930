"""Quantiles that leave out what is missing."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dynome.dynamics.preprocessing.labelled import Array


def present_quantile(x: Array, q: float) -> NDArray[np.float64]:
    """Quantile of each series over the samples that exist.

    Parameters
    ----------
    x : (n_time, n_series)
        NaN where missing.
    q : float
        0 to 1.

    Returns
    -------
    (n_series,)
        Linear interpolation between order statistics (numpy's default); NaN where a series has no sample.
    """
    ordered = np.array(x.T, order="C")  # a copy with time contiguous: sorting it is several times faster
    count = (~np.isnan(ordered)).sum(axis=1)
    place = q * np.maximum(count - 1, 0)
    lower = place.astype(np.int64)
    if (count == x.shape[0]).all():
        split = int(q * (x.shape[0] - 1))
        ordered.partition(split, axis=1)
        below = ordered[:, split]
        above = ordered[:, split + 1 :].min(axis=1) if split + 1 < x.shape[0] else below
    else:
        ordered.sort(axis=1)  # NaN last
        series = np.arange(x.shape[1])
        below, above = ordered[series, lower], ordered[series, np.minimum(lower + 1, np.maximum(count - 1, 0))]
    quantile: NDArray[np.float64] = below + (place - lower) * (above - below)
    return quantile
