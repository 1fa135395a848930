"""Statistics by which data and simulated data are compared."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dynome.inference.biclustering.model import Array, Law
from dynome.inference.column_statistics import column_correlation, column_mean, correlation_matrix


def statistics_of(y: Array, starts: NDArray[np.int64], law: Law, max_lag: int) -> dict[str, Array]:
    """Statistics of one data set.

    Parameters
    ----------
    y : (n_bin, n_node)
        NaN is missing.
    starts : (n_sequence + 1,)
    law : str
    max_lag : int

    Returns
    -------
    dict
        ``mean``, ``variance (n_node)``; ``autocorrelation (n_node, max_lag)`` within sequences; ``correlation (n_node,
        n_node)``; for counts ``fano``, ``zero_fraction (n_node)`` and ``population (n_count)``, the share of bins with
        0, 1, ... spikes of all nodes together, over bins in which all were seen.
    """
    mean = column_mean(y)
    variance = column_mean((y - mean) ** 2)
    sequence = np.repeat(np.arange(starts.size - 1), np.diff(starts))
    lagged = []
    for lag in range(1, max_lag + 1):
        later = np.flatnonzero(sequence[lag:] == sequence[:-lag]) + lag
        lagged.append(column_correlation(y[later], y[later - lag]))
    found = {
        "mean": mean,
        "variance": variance,
        "autocorrelation": np.stack(lagged, axis=-1),
        "correlation": correlation_matrix(y),
    }
    if law == "gaussian":
        return found
    silent = np.where(np.isfinite(y), y == 0, np.nan)
    total = y[np.isfinite(y).all(axis=1)].sum(axis=1).astype(np.int64)
    return found | {
        "fano": variance / np.where(mean > 0, mean, np.nan),
        "zero_fraction": column_mean(silent),
        "population": np.bincount(total) / max(total.size, 1),
    }
