"""Constant rates: what a model of activity has to beat."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import gammaln, logit

from dynome.inference.biclustering.model import Array, Law
from dynome.inference.biclustering.observations import pointwise_log_likelihood
from dynome.inference.column_statistics import column_mean

_LOG_SHAPES = (-6.0, 12.0)


def constant_log_likelihood(seen: Array, y: Array, law: Law) -> Array:
    """Log probability of entries under constant rates that are fitted to others.

    Parameters
    ----------
    seen, y : (n_node, n_bin)
        What is fitted, and what is scored; NaN is missing. All nodes were seen.
    law : str

    Returns
    -------
    (n_node, n_bin)
        Nats, NaN where `y` is missing. Maximum likelihood; a node that was silent has half a spike.
    """
    mean, number = column_mean(seen.T), np.isfinite(seen).sum(axis=1)
    dispersion = np.ones(mean.size)
    if law == "gaussian":
        dispersion = np.maximum(column_mean((seen.T - mean) ** 2), np.finfo(float).tiny)
    else:
        mean = np.maximum(mean, 0.5 / number)
    if law == "negative_binomial":
        dispersion = np.array([_shape(row[np.isfinite(row)], m) for row, m in zip(seen, mean, strict=True)])
    level = {"gaussian": lambda m: m, "bernoulli": lambda m: logit(np.minimum(m, 1 - 0.5 / number))}.get(law, np.log)(
        mean
    )
    psi = np.ascontiguousarray(np.broadcast_to(level[:, None], y.shape))
    return pointwise_log_likelihood(y, psi, law, dispersion)


def _shape(counts: NDArray[np.float64], mean: float) -> float:
    """Shape of a negative binomial with this mean, by maximum likelihood."""
    value, number = np.unique(counts, return_counts=True)

    def cost(log_shape: float) -> float:
        r = np.exp(log_shape)
        terms = gammaln(value + r) - gammaln(r) - (value + r) * np.log1p(mean / r) - value * np.log(r)
        return -float((number * terms).sum())

    return float(np.exp(minimize_scalar(cost, bounds=_LOG_SHAPES, method="bounded").x))
