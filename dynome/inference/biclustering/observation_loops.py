"""Compiled loops over observations: predictors and log likelihoods, one vectorised branch a law."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
from numba import njit, prange

from dynome.dynamics.glm.elementary import exp, log1p

_NEGATIVE_BINOMIAL, _POISSON, _BERNOULLI, _GAUSSIAN = range(4)
CODES: Final[dict[str, int]] = {
    "negative_binomial": _NEGATIVE_BINOMIAL,
    "poisson": _POISSON,
    "bernoulli": _BERNOULLI,
    "gaussian": _GAUSSIAN,
}
_TABLE: Final = 4096  # counts up to which terms without the predictor are looked up
_FAR: Final = 700.0  # beyond, an exponential leaves the range of numbers
_OPTIONS: Final[dict[str, Any]] = {"cache": True, "nogil": True, "fastmath": {"contract"}, "error_model": "numpy"}


@njit(parallel=True, **_OPTIONS)
def predictors(coefficient, paths, cluster):  # type: ignore[no-untyped-def]
    """Predictor of every node from the paths (n_cluster, q, n_bin) of the clusters."""
    out = np.empty((coefficient.shape[0], paths.shape[2]))
    for i in prange(coefficient.shape[0]):
        path = paths[cluster[i]]
        for t in range(out.shape[1]):
            out[i, t] = coefficient[i, 0] + path[0, t]
        for f in range(1, coefficient.shape[1]):
            loading = coefficient[i, f]
            for t in range(out.shape[1]):
                out[i, t] += loading * path[f, t]
    return out


@njit(parallel=True, **_OPTIONS)
def pointwise(y, psi, law, dispersion):  # type: ignore[no-untyped-def]
    """Log likelihood of every observation, NaN where it is missing."""
    out = np.empty_like(psi)
    for i in prange(y.shape[0]):
        _terms(y[i], psi[i], law, dispersion[i], out[i])
        _add_constants(y[i], law, dispersion[i], out[i])
        for t in range(y.shape[1]):
            if np.isnan(y[i, t]):
                out[i, t] = np.nan
    return out


@njit(parallel=True, **_OPTIONS)
def totals(y, psi, law, dispersion):  # type: ignore[no-untyped-def]
    """Log likelihood of every node."""
    out = np.empty(y.shape[0])
    for i in prange(y.shape[0]):
        terms = np.empty(y.shape[1])
        _terms(y[i], psi[i], law, dispersion[i], terms)
        _add_constants(y[i], law, dispersion[i], terms)
        out[i] = terms.sum()
    return out


@njit(**_OPTIONS)
def _terms(y, psi, law, dispersion, out):  # type: ignore[no-untyped-def]
    """Terms that hold the predictor; 0 where missing. One vectorised loop a law."""
    if law == _NEGATIVE_BINOMIAL:
        shift = np.log(dispersion)
        for t in range(y.size):
            eta = psi[t] - shift
            softplus = max(eta, 0.0) + log1p(exp(-min(abs(eta), _FAR)))
            value = y[t] * eta - (y[t] + dispersion) * softplus
            out[t] = value if y[t] == y[t] else 0.0
    elif law == _POISSON:
        for t in range(y.size):
            value = y[t] * psi[t] - exp(min(max(psi[t], -_FAR), _FAR))
            out[t] = value if y[t] == y[t] else 0.0
    elif law == _BERNOULLI:
        for t in range(y.size):
            softplus = max(psi[t], 0.0) + log1p(exp(-min(abs(psi[t]), _FAR)))
            value = y[t] * psi[t] - softplus
            out[t] = value if y[t] == y[t] else 0.0
    else:
        scale, constant = 0.5 / dispersion, 0.5 * np.log(2 * np.pi * dispersion)
        for t in range(y.size):
            gap = y[t] - psi[t]
            out[t] = -scale * gap * gap - constant if y[t] == y[t] else 0.0


@njit(**_OPTIONS)
def _add_constants(y, law, dispersion, out):  # type: ignore[no-untyped-def]
    """Add the terms of counts that do not hold the predictor."""
    if law > _POISSON:
        return
    largest = 0.0
    for t in range(y.size):
        largest = max(largest, y[t]) if y[t] == y[t] else largest
    table = np.zeros(int(min(largest, _TABLE - 1)) + 1)
    for k in range(1, table.size):
        table[k] = table[k - 1] - np.log(k)
        if law == _NEGATIVE_BINOMIAL:
            table[k] += np.log(dispersion + (k - 1))
    for t in range(y.size):
        if y[t] == y[t]:
            out[t] += table[int(y[t])] if y[t] < table.size else _constant(y[t], law, dispersion)


@njit(**_OPTIONS)
def _constant(y, law, dispersion):  # type: ignore[no-untyped-def]
    value = -math.lgamma(y + 1)
    if law == _NEGATIVE_BINOMIAL:
        value += math.lgamma(y + dispersion) - math.lgamma(dispersion)
    return value
