r"""Factor analysis with missing values, and what it foretells of them.

.. math:: x_{it} = \mu_i + \ell_i^\top z_t + \epsilon_{it}, \quad z_t \sim N(0, I), \quad \epsilon_{it} \sim N(0, v_i)

by expectation-maximization over the observed entries only. Counts enter as square roots, whose variance hardly depends
on their mean; the mean count is then :math:`E[x]^2 + \mathrm{var}[x]`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from dynome import seeds
from dynome.inference.biclustering.comparison.forecasts import Calibration, Scorer, Task, calibrated, forecast
from dynome.inference.biclustering.model import Array, Law

SIZES = (1, 2, 3, 5, 8, 12)
_floor = 0.02  # of a node's variance that no factor explains
_ridge = 1e-3
_iterations, _still = 80, 1e-4


class Factors(NamedTuple):
    """Parameters of a factor model of ``(n_node, n_bin)`` values.

    Attributes
    ----------
    level : (n_node,)
    loading : (n_node, n_factor)
    noise : (n_node,)
        Variance.
    """

    level: Array
    loading: Array
    noise: Array


class Scores(NamedTuple):
    """Posterior of the factors: mean ``(n_bin, n_factor)`` and covariance ``(n_bin, n_factor, n_factor)``."""

    mean: Array
    covariance: Array


Expectation = Callable[[Array, Array], Scores]


def factor_analysis(task: Task) -> Scorer:
    """Factor analysis with as many factors as foretell the inner hold-out best."""
    size, calibration = chosen_size(task)
    return forecast(predicted_mean(task.y, size, task), calibration).log_score


def chosen_size(task: Task) -> tuple[int, Calibration]:
    """How many factors foretell the inner hold-out best, and the calibration of their forecast."""
    found = {}
    for size in [s for s in SIZES if s < min(task.y.shape)] or [1]:
        mean = predicted_mean(task.outer, size, task)
        found[size] = calibrated(task.y, mean, task.inner, task.law)
        best = max(found, key=lambda s: found[s].score)
        if size > best:
            break
    return best, found[best]


def predicted_mean(y: Array, size: int, task: Task) -> Array:
    """Mean of all observations ``(n_node, n_bin)`` given those of `y` that are not missing."""
    x = scaled(y, task.law)
    model = fitted(x, started(x, size, task.random_state), independent)
    return mean_of_observations(model, independent(*information(x, model)), task.law)


def scaled(y: Array, law: Law) -> Array:
    """Square roots of counts; other observations as they are."""
    return np.sqrt(y) if law in ("negative_binomial", "poisson") else y


def started(x: Array, size: int, random_state: int) -> Factors:
    """Loadings from principal components of the values with missing ones at their node's mean."""
    seen = np.isfinite(x)
    count = np.maximum(seen.sum(axis=1), 1)
    level = np.where(seen, x, 0).sum(axis=1) / count
    centred = np.where(seen, x - level[:, None], 0)
    variance = (centred**2).sum(axis=1) / count
    left, strength, _ = np.linalg.svd(centred / np.sqrt(x.shape[1]), full_matrices=False)
    jitter = 1e-3 * seeds.generator(random_state, "factors").standard_normal((len(x), size))
    spread = np.sqrt(np.maximum(variance, 1e-12))[:, None]
    return Factors(level, left[:, :size] * strength[:size] + jitter * spread, np.maximum(0.5 * variance, 1e-9))


def fitted(x: Array, model: Factors, expectation: Expectation) -> Factors:
    """Expectation-maximization until loadings move no more."""
    seen = np.isfinite(x)
    for _ in range(_iterations):
        updated = maximized(x, seen, expectation(*information(x, model)))
        moved = np.abs(updated.loading - model.loading).max() / max(np.abs(model.loading).max(), 1e-12)
        model = updated
        if moved < _still:
            break
    return model


def information(x: Array, model: Factors) -> tuple[Array, Array]:
    """What observations tell of the factors: precision ``(n_bin, p, p)`` and linear term ``(n_bin, p)``."""
    seen = np.isfinite(x)
    n, p = model.loading.shape
    weighted = model.loading / model.noise[:, None]
    products = (weighted[:, :, None] * model.loading[:, None]).reshape(n, p * p)
    precision = (seen.T.astype(float) @ products).reshape(-1, p, p)
    return precision, np.where(seen, x - model.level[:, None], 0).T @ weighted


def independent(precision: Array, linear: Array) -> Scores:
    """Factors of every bin on their own, standard normal a priori."""
    covariance = np.asarray(np.linalg.inv(precision + np.eye(linear.shape[1])), dtype=np.float64)
    return Scores(np.einsum("tpq,tq->tp", covariance, linear), covariance)


def maximized(x: Array, seen: Array, scores: Scores) -> Factors:
    """Level, loadings and noise of every node by regression on the expected factors."""
    design = np.column_stack([scores.mean, np.ones(len(scores.mean))])
    q = design.shape[1]
    moments = design[:, :, None] * design[:, None]
    moments[:, :-1, :-1] += scores.covariance
    gram = (seen.astype(float) @ moments.reshape(-1, q * q)).reshape(-1, q, q)
    filled = np.where(seen, x, 0)
    target = filled @ design
    ridge = np.diag([*([_ridge] * (q - 1)), 1e-9])
    coefficient = np.linalg.solve(gram + ridge, target[..., None])[..., 0]
    count = np.maximum(seen.sum(axis=1), 1)
    square = (filled**2).sum(axis=1)
    explained = 2 * (coefficient * target).sum(axis=1) - np.einsum("ia,iab,ib->i", coefficient, gram, coefficient)
    variance = square / count - (filled.sum(axis=1) / count) ** 2
    noise = np.maximum((square - explained) / count, np.maximum(_floor * variance, 1e-9))
    return Factors(coefficient[:, -1], coefficient[:, :-1], noise)


def mean_of_observations(model: Factors, scores: Scores, law: Law) -> Array:
    """Mean of the observations ``(n_node, n_bin)``."""
    mean = model.level[:, None] + model.loading @ scores.mean.T
    if law not in ("negative_binomial", "poisson"):
        return np.asarray(mean)
    n, p = model.loading.shape
    products = (model.loading[:, :, None] * model.loading[:, None]).reshape(n, p * p)
    variance = products @ scores.covariance.reshape(-1, p * p).T + model.noise[:, None]
    return np.asarray(np.maximum(mean, 0) ** 2 + variance)
