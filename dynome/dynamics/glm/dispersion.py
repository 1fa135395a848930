"""Dispersion of a law: variance of a Gaussian, overdispersion of counts."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dynome.dynamics.glm.laws import mean
from dynome.dynamics.glm.passes import CERTAIN, Floats, Problem, parts

Array = NDArray[np.float64]

_FLOOR = 1e-4  # of the variance of the node over all bins
_LEAST, _MOST = 1e-8, 1e8  # overdispersion
_ITERATIONS, _HALVINGS = 25, 8
_STILL = 1e-4  # change of log alpha


def updated_dispersion(problem: Problem, coefficient: Array, dispersion: Array, weight: Array) -> Array:
    """The most probable dispersion, given the coefficients and the probability of each state.

    Parameters
    ----------
    problem : Problem
        Observations and features.
    coefficient : (n_state, n_node, n_feature)
        Of the predictor.
    dispersion : (n_state, n_node)
        Where to start; stays for a state and node without observations, and for laws that have none.
    weight : (n_bin, n_state)
        Probability of each state.

    Returns
    -------
    (n_state, n_node)
        Gaussian: the weighted mean square of the residual, at least 1e-4 of the node's variance over all its bins.
        A state that explains a few bins of a node perfectly would else get an infinite density and win every
        comparison (the likelihood of mixtures of Gaussians has no maximum without a floor: Kiefer & Wolfowitz,
        doi:10.1214/aoms/1177728066). Negative binomial: `alpha` of ``mu + alpha * mu**2``, one a node for all
        states, between 1e-8 and 1e8; the weighted likelihood never falls.
    """
    if problem.law == "gaussian":
        return _variance(problem, coefficient, dispersion, weight)
    if problem.law == "negative_binomial":
        return _overdispersion(problem, coefficient, dispersion, weight)
    return dispersion


def floor_of_variance(y: Floats) -> Array:
    """Least variance of each node: a ten-thousandth of its variance over all bins, or 1e-12 if it never varies."""
    seen = ~np.isnan(y)
    n = np.maximum(seen.sum(axis=0), 1)
    centre = np.where(seen, y, 0).sum(axis=0, dtype=float) / n
    spread = np.where(seen, y - centre, 0)
    return np.asarray(np.maximum(_FLOOR * np.einsum("tn,tn->n", spread, spread) / n, 1e-12))


def _variance(problem: Problem, coefficient: Array, dispersion: Array, weight: Array) -> Array:
    square, total = np.zeros_like(dispersion), np.zeros_like(dispersion)
    slopes = coefficient.astype(problem.design.dtype)
    for s, _, x, y, w in parts(problem, weight):
        residual = y - np.asarray(mean(x @ slopes[s].T, problem.link))
        seen = ~np.isnan(residual)
        square[s] += w @ np.where(seen, residual, 0) ** 2
        total[s] += w @ seen
    found = np.maximum(square / np.where(total > 0, total, 1), floor_of_variance(problem.observed))
    return np.asarray(np.where(total > 0, found, dispersion))


def _overdispersion(problem: Problem, coefficient: Array, dispersion: Array, weight: Array) -> Array:
    """Newton on alpha of every node, drawn back (geometric means) where it overshoots."""
    slopes, above = coefficient.astype(problem.design.dtype), _weight_above(problem, weight)

    def moments(alpha: Array) -> Array:
        """Log likelihood of every node, and its two derivatives by alpha."""
        out = np.zeros((3, alpha.size))
        for s, _, x, y, w in parts(problem, weight):
            _add_moments(y, np.asarray(mean(x @ slopes[s].T, problem.link)), w, alpha, out)
        _add_counts(above, alpha, out)
        return out

    alpha = np.clip(dispersion[0].astype(float), _LEAST, _MOST)
    value, first, second = moments(alpha)
    for _ in range(_ITERATIONS):
        newton = alpha - first / np.where(second < 0, second, -1.0)
        trial = np.clip(np.where(second < 0, newton, alpha * np.exp(2 * np.sign(first))), _LEAST, _MOST)
        found = moments(trial)
        for _ in range(_HALVINGS):
            if not (fell := found[0] < value).any():
                break
            trial = np.where(fell, np.sqrt(alpha * trial), trial)
            found = moments(trial)
        fell = found[0] < value
        moved = np.abs(np.log(np.where(fell, alpha, trial) / alpha)).max()
        gain = np.where(fell, 0, found[0] - value).sum()
        alpha = np.where(fell, alpha, trial)
        value, first, second = np.where(fell, [value, first, second], found)
        if moved < _STILL or gain < _STILL**2 * weight.sum():
            break
    return np.broadcast_to(alpha, dispersion.shape).copy()


def _weight_above(problem: Problem, weight: Array) -> Array:
    """Weight of the bins in which a node had more than k events, for k = 0, 1, ...: ``(n_node, n_count)``."""
    y = problem.observed
    most = int(np.nanmax(y)) if y.size and not np.isnan(y).all() else 0
    out = np.zeros((y.shape[1], most + 1))
    total = np.where(weight < CERTAIN, 0, weight).sum(axis=1)
    _add_weight_of_counts(y, total, out)
    return out[:, ::-1].cumsum(axis=1)[:, ::-1][:, 1:]


@njit(cache=True)
def _add_weight_of_counts(y, weight, out):  # type: ignore[no-untyped-def]
    for t in range(y.shape[0]):
        for n in range(y.shape[1]):
            if not np.isnan(y[t, n]):
                out[n, int(y[t, n])] += weight[t]


@njit(cache=True)
def _add_counts(above, alpha, out):  # type: ignore[no-untyped-def]
    for n in range(above.shape[0]):
        for k in range(above.shape[1]):
            part = k / (1 + alpha[n] * k)
            out[0, n] += above[n, k] * np.log1p(alpha[n] * k)
            out[1, n] += above[n, k] * part
            out[2, n] -= above[n, k] * part**2


@njit(cache=True)
def _add_moments(y, mu, weight, alpha, out):  # type: ignore[no-untyped-def]
    """Terms of the mean: ``y log(mu) - (y + 1 / alpha) log1p(alpha mu)`` and two derivatives by alpha."""
    for b in range(y.shape[0]):
        for n in range(y.shape[1]):
            if np.isnan(y[b, n]):
                continue
            a, m = alpha[n], max(np.float64(mu[b, n]), 1e-300)
            w, c, z = np.float64(weight[b]), np.float64(y[b, n]), a * m
            log, share = np.log1p(z), m / (1 + z)
            if z < 1e-3:  # the difference below loses its digits
                bend = m * m * (0.5 - z * (2 / 3 - z * (0.75 - 0.8 * z)))
                change = m**3 * (-2 / 3 + z * (1.5 - 2.4 * z))
            else:
                bend = (log - a * share) / a**2
                change = share**2 / a - 2 * bend / a
            out[0, n] += w * ((c * np.log(m) if c > 0 else 0.0) - (c + 1 / a) * log)
            out[1, n] += w * (bend - c * share)
            out[2, n] += w * (change + c * share**2)
