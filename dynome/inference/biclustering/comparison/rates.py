"""Nodes that know nothing but their own mean: the floor of every comparison."""

from __future__ import annotations

import numpy as np
from scipy.special import gammaln

from dynome.inference.biclustering.comparison.forecasts import Forecast, Scorer, Task, predictor_of
from dynome.inference.biclustering.model import Array, Law

_half = 0.5  # an observation that keeps a silent node from being certain
_grid = np.exp(np.linspace(np.log(0.01), np.log(1e4), 120))


def constant(task: Task) -> Scorer:
    """One mean a node, under the law of the observations; Poisson for all counts."""
    law: Law = "poisson" if task.law == "negative_binomial" else task.law
    mean = node_means(task.y, task.law)
    psi = np.repeat(predictor_of(mean[:, None], law), task.y.shape[1], axis=1)
    return Forecast(psi, _variances(task.y, mean), law).log_score


def overdispersed(task: Task) -> Scorer:
    """One mean and one dispersion a node: negative binomial counts, by maximum likelihood."""
    mean = node_means(task.y, task.law)
    psi = np.repeat(np.log(mean)[:, None], task.y.shape[1], axis=1)
    return Forecast(psi, np.array([_shape(y, m) for y, m in zip(task.y, mean, strict=True)]), task.law).log_score


def node_means(y: Array, law: Law) -> Array:
    """Mean of each node; half a spike more than was seen for laws that know no negative numbers."""
    count = np.maximum(np.isfinite(y).sum(axis=1), 1)
    total = np.nansum(y, axis=1)
    if law == "gaussian":
        return np.asarray(total / count)
    return np.asarray((total + _half) / (count + (2 * _half if law == "bernoulli" else 0)))


def _variances(y: Array, mean: Array) -> Array:
    seen = np.isfinite(y)
    square = np.where(seen, (y - mean[:, None]) ** 2, 0).sum(axis=1) / np.maximum(seen.sum(axis=1), 1)
    whole = square.mean()
    return np.asarray(np.maximum(square, 1e-6 * whole if whole > 0 else 1e-12))


def _shape(y: Array, mean: float) -> float:
    """The most probable shape r of a node with a constant mean, on a fine grid."""
    value, times = np.unique(y[np.isfinite(y)], return_counts=True)
    r = _grid[:, None]
    terms = gammaln(value + r) - gammaln(r) + value * np.log(mean / (r + mean)) + r * np.log(r / (r + mean))
    return float(_grid[(terms @ times).argmax()])
