"""Connectivity from correlations: at once, at lags, and with all other nodes held fixed."""

from __future__ import annotations

from functools import reduce

import numpy as np
from numpy.typing import NDArray

from dynome.dynamics.connectivity import measures, shrinkage
from dynome.dynamics.connectivity.moments import Moments, merge_moments, pair_moments
from dynome.errors import InputError
from dynome.inference.wiring.samples import Sample, stretches

Array = NDArray[np.float64]


def correlation(sample: Sample) -> Array:
    """Pearson correlation, (source, target), symmetric."""
    return _correlation_at(sample, 0)


def lagged_correlation(sample: Sample, *, n_lags: int = 3) -> Array:
    """Of the correlations of the source with the target 1 to `n_lags` bins later, the one of largest magnitude."""
    each = np.array([_correlation_at(sample, lag) for lag in range(1, n_lags + 1)])
    best = np.nan_to_num(np.abs(each), nan=-1.0).argmax(axis=0)
    return np.asarray(np.take_along_axis(each, best[None], axis=0)[0])


def partial_correlation(sample: Sample, *, shrink: bool = True) -> Array:
    """Correlation with all other nodes held fixed, symmetric; Ledoit-Wolf shrinkage makes the covariance invertible."""
    x = sample.scaled
    try:
        covariance = shrinkage.ledoit_wolf(x).covariance if shrink else x.T @ x / len(x)
        return np.asarray(shrinkage.partial_correlation(shrinkage.inverse(covariance)), dtype=np.float64)
    except np.linalg.LinAlgError:
        raise InputError(
            f"the covariance of {x.shape[1]} nodes over {len(x)} bins is singular; use shrink=True, or drop nodes that "
            "copy others"
        ) from None


def _correlation_at(sample: Sample, lag: int) -> Array:
    parts: list[Moments] = []
    for bins in stretches(sample):
        x = sample.scaled[bins]
        parts.append(pair_moments(x[: len(x) - lag], x[lag:]) if lag else pair_moments(x))
    return np.asarray(measures.correlation(reduce(merge_moments, parts)), dtype=np.float64)
