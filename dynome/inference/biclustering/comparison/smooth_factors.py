r"""Gaussian-process factor analysis with missing values.

Factor analysis whose factors are smooth: independent Gaussian processes with a squared exponential kernel, each with a
time scale of its own, which expectation-maximization fits with the loadings (Yu et al. 2009,
doi:10.1152/jn.90941.2008).
Recordings are cut into stretches of at most 60 bins, between which factors are independent: the cost grows with the
cube of their length.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from scipy.optimize import minimize_scalar

from dynome.inference.biclustering.comparison.factors import (
    Factors,
    Scores,
    chosen_size,
    independent,
    information,
    maximized,
    mean_of_observations,
    scaled,
    started,
)
from dynome.inference.biclustering.comparison.forecasts import Scorer, Task, calibrated, forecast
from dynome.inference.biclustering.model import Array, Labels

_longest = 60  # bins of a stretch
_white = 1e-2  # share of a factor's variance that is not smooth
_iterations, _every = 24, 3  # of which each third fits the time scales
_scale = 4.0  # bins, at the start
_shortest = 0.3  # bins


def gaussian_process_factors(task: Task) -> Scorer:
    """Smooth factors, as many as factor analysis needs to foretell the inner hold-out best."""
    size, _ = chosen_size(task)
    spans = stretches(task.starts)
    inner, scales = smooth_mean(task.outer, size, task, spans)
    calibration = calibrated(task.y, inner, task.inner, task.law)
    mean, _ = smooth_mean(task.y, size, task, spans, scales)
    return forecast(mean, calibration).log_score


def stretches(starts: Labels) -> list[tuple[int, int]]:
    """First and one past the last bin of stretches of nearly equal length within each sequence."""
    found = []
    for a, b in itertools.pairwise(starts.tolist()):
        limits = np.linspace(a, b, -(-(b - a) // _longest) + 1).round().astype(int)
        found += list(zip(limits[:-1].tolist(), limits[1:].tolist(), strict=True))
    return found


def smooth_mean(
    y: Array, size: int, task: Task, spans: Sequence[tuple[int, int]], scales: Array | None = None
) -> tuple[Array, Array]:
    """Mean of all observations given those of `y`, and the time scales in bins."""
    x = scaled(y, task.law)
    seen = np.isfinite(x)
    model = started(x, size, task.random_state)
    for _ in range(5):
        model = maximized(x, seen, independent(*information(x, model)))
    scales = np.full(size, _scale) if scales is None else scales
    for k in range(_iterations):
        scores, squares = _smoothed(x, model, scales, spans)
        model = maximized(x, seen, scores)
        if k % _every == _every - 1:
            scales = np.array([_best_scale([s[d] for s in squares.values()], list(squares)) for d in range(size)])
    return mean_of_observations(model, _smoothed(x, model, scales, spans)[0], task.law), scales


def kernel(scale: float, length: int) -> Array:
    """Covariance of a factor over a stretch; its variance is 1."""
    gap = np.subtract.outer(np.arange(length), np.arange(length)) / scale
    return np.asarray((1 - _white) * np.exp(-0.5 * gap**2) + _white * np.eye(length))


def _smoothed(
    x: Array, model: Factors, scales: Array, spans: Sequence[tuple[int, int]]
) -> tuple[Scores, dict[int, list[tuple[Array, int]]]]:
    """Posterior of the factors; for each length of a stretch and each factor the sum of its second moments."""
    precision, linear = information(x, model)
    n_bin, p = linear.shape
    mean, covariance = np.empty((n_bin, p)), np.empty((n_bin, p, p))
    sums: dict[int, list[tuple[Array, int]]] = {}
    for length in sorted({b - a for a, b in spans}):
        prior = np.zeros((p, length, p, length))
        for d in range(p):
            prior[d, :, d] = np.linalg.inv(kernel(scales[d], length))
        total = np.zeros((p, length, length))
        same = [a for a, b in spans if b - a == length]
        at = np.arange(length)
        for a in same:
            whole = prior.copy()
            whole[:, at, :, at] += precision[a : a + length]
            spread = np.linalg.inv(whole.reshape(p * length, p * length)).reshape(p, length, p, length)
            centre = np.einsum("asbt,tb->sa", spread, linear[a : a + length])
            mean[a : a + length] = centre
            covariance[a : a + length] = spread[:, at, :, at]
            for d in range(p):
                total[d] += spread[d, :, d] + np.outer(centre[:, d], centre[:, d])
        sums[length] = [(total[d], len(same)) for d in range(p)]
    return Scores(mean, covariance), sums


def _best_scale(squares: list[tuple[Array, int]], lengths: list[int]) -> float:
    """The time scale that makes the expected factors most probable."""

    def loss(log_scale: float) -> float:
        value = 0.0
        for (total, count), length in zip(squares, lengths, strict=True):
            root = np.linalg.cholesky(kernel(float(np.exp(log_scale)), length))
            half = np.linalg.solve(root, np.linalg.solve(root, total).T)
            value += 0.5 * float(np.trace(half)) + count * float(np.log(np.diag(root)).sum())
        return value

    longest = max(lengths)
    bounds = (np.log(_shortest), np.log(max(longest, 2)))
    return float(np.exp(minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 0.02}).x))
