"""Spectral co-clustering as a forecast: blocks of nodes and bins, each with a rate of its own."""

from __future__ import annotations

import numpy as np

from dynome.inference.biclustering.comparison.forecasts import Calibration, Scorer, Task, calibrated, forecast
from dynome.inference.biclustering.comparison.rates import node_means
from dynome.inference.biclustering.model import Array

SIZES = (2, 3, 4, 6, 8, 12)
_weight = 1.0  # expected spikes that a block has beforehand
_least = 1e-2  # of a node's mean: the method needs positive sums


def spectral_coclusters(task: Task) -> Scorer:
    """As many co-clusters as foretell the inner hold-out best (Dhillon 2001, doi:10.1145/502512.502550)."""
    best: tuple[int, Calibration] | None = None
    for size in SIZES:
        if size < min(task.y.shape):
            found = calibrated(task.y, block_mean(task.outer, size, task), task.inner, task.law)
            if best is None or found.score > best[1].score:
                best = size, found
    if best is None:
        best = 1, calibrated(task.y, block_mean(task.outer, 1, task), task.inner, task.law)
    return forecast(block_mean(task.y, best[0], task), best[1]).log_score


def block_mean(y: Array, size: int, task: Task) -> Array:
    """A node's mean times the factor of its block, over the observations of `y` that are not missing.

    Missing ones stand at the mean of their node while nodes and bins are clustered. Every pair of a cluster of nodes
    and one of bins is a block, so that the forecast is at least as good as that of the co-clusters alone.
    """
    mean = node_means(y)
    seen = np.isfinite(y)
    rows, columns = np.zeros(len(y), dtype=int), np.zeros(y.shape[1], dtype=int)
    if size > 1:
        from sklearn.cluster import SpectralCoclustering

        ratio = np.where(seen, y, mean[:, None]) / mean[:, None]
        model = SpectralCoclustering(size, random_state=task.random_state % 2**32).fit(ratio + _least)
        rows, columns = model.row_labels_, model.column_labels_
    spikes, expected = (np.zeros((size, size)) for _ in range(2))
    where = (np.broadcast_to(rows[:, None], y.shape)[seen], np.broadcast_to(columns, y.shape)[seen])
    np.add.at(spikes, where, y[seen])
    np.add.at(expected, where, np.broadcast_to(mean[:, None], y.shape)[seen])
    factor = (spikes + _weight) / (expected + _weight)
    return np.asarray(mean[:, None] * factor[rows][:, columns])
