r"""What is observed, given the predictor: log likelihoods, means, simulated observations and checks of the data.

Four laws with their natural predictor :math:`\psi`: the log mean of counts (negative binomial with variance
:math:`\mu + \mu^2 / r`, Poisson), the logit of a Bernoulli probability, and the mean of Gaussian observations. A
missing observation (NaN) contributes nothing. A sibling law is a branch of each function here, and of
`dynome.inference.biclustering.working`.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray
from scipy.special import expit

from dynome.dynamics.glm.elementary import exp, log1p
from dynome.errors import Problems, listed
from dynome.inference.biclustering.model import Array, Labels, Law

_NEGATIVE_BINOMIAL, _POISSON, _BERNOULLI, _GAUSSIAN = range(4)
_CODES: Final[dict[str, int]] = {
    "negative_binomial": _NEGATIVE_BINOMIAL,
    "poisson": _POISSON,
    "bernoulli": _BERNOULLI,
    "gaussian": _GAUSSIAN,
}
_TABLE: Final = 4096  # counts up to which terms without the predictor are looked up
_FAR: Final = 700.0  # beyond, an exponential leaves the range of numbers
_OPTIONS: Final[dict[str, Any]] = {"cache": True, "nogil": True, "fastmath": {"contract"}, "error_model": "numpy"}


def predictor(coefficient: Array, latent: Array, cluster: Labels) -> Array:
    r"""Predictor of every observation.

    Parameters
    ----------
    coefficient : (n_node, 1 + n_factor)
        Bias, then loadings.
    latent : (n_bin, n_cluster, 1 + n_factor)
        Common log rate, then factors, of every cluster.
    cluster : (n_node,)

    Returns
    -------
    (n_node, n_bin)
        :math:`\psi_{it} = d_i + m_t^{(z_i)} + c_i^\top x_t^{(z_i)}`

    Examples
    --------
    >>> predictor(np.array([[1.0, 2.0]]), np.array([[[0.5, 1.0]], [[0.0, -1.0]]]), np.array([0]))
    array([[ 3.5, -1. ]])
    """
    given = (coefficient, latent.transpose(1, 2, 0), cluster)
    return _predictor(*map(np.ascontiguousarray, given))  # type: ignore[no-any-return]


@njit(parallel=True, **_OPTIONS)
def _predictor(coefficient, paths, cluster):  # type: ignore[no-untyped-def]
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


def pointwise_log_likelihood(y: Array, psi: Array, law: Law, dispersion: Array) -> Array:
    """Log likelihood of every observation in nats, with all constants.

    Parameters
    ----------
    y : (n_node, n_bin)
        NaN is missing.
    psi : (n_node, n_bin)
        Log mean of counts, logit of Bernoulli, mean of Gaussian observations.
    law : str
    dispersion : (n_node,)
        Shape r of the negative binomial, variance of Gaussian observations; other laws do not read it.

    Returns
    -------
    (n_node, n_bin)
        NaN where the observation is missing.

    Examples
    --------
    >>> pointwise_log_likelihood(np.array([[0.0, np.nan]]), np.zeros((1, 2)), "poisson", np.ones(1))
    array([[-1., nan]])
    """
    return _pointwise(y, psi, _CODES[law], dispersion)  # type: ignore[no-any-return]


def log_likelihood(y: Array, psi: Array, law: Law, dispersion: Array) -> Array:
    """Log likelihood of every node in nats, with all constants.

    Parameters
    ----------
    y, psi, law, dispersion
        See `pointwise_log_likelihood`.

    Returns
    -------
    (n_node,)
        0 for a node without observations.

    Examples
    --------
    >>> log_likelihood(np.array([[0.0, np.nan]]), np.zeros((1, 2)), "poisson", np.ones(1))
    array([-1.])
    """
    return _totals(y, psi, _CODES[law], dispersion)  # type: ignore[no-any-return]


@njit(parallel=True, **_OPTIONS)
def _pointwise(y, psi, law, dispersion):  # type: ignore[no-untyped-def]
    out = np.empty_like(psi)
    for i in prange(y.shape[0]):
        _terms(y[i], psi[i], law, dispersion[i], out[i])
        _add_constants(y[i], law, dispersion[i], out[i])
        for t in range(y.shape[1]):
            if np.isnan(y[i, t]):
                out[i, t] = np.nan
    return out


@njit(parallel=True, **_OPTIONS)
def _totals(y, psi, law, dispersion):  # type: ignore[no-untyped-def]
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


def mean_of(psi: Array, law: Law) -> Array:
    """Mean of observations with this predictor: counts a bin, a probability, or the unit of the observations.

    Parameters
    ----------
    psi : array of any shape
    law : str

    Examples
    --------
    >>> mean_of(np.zeros(2), "bernoulli")
    array([0.5, 0.5])
    """
    if law == "gaussian":
        return psi.copy()
    return expit(psi) if law == "bernoulli" else np.exp(psi)


def sample_observations(psi: Array, law: Law, dispersion: Array, rng: np.random.Generator) -> Array:
    """Observations drawn given the predictor.

    Parameters
    ----------
    psi : (n_node, n_bin)
    law : str
    dispersion : (n_node,)
    rng : numpy Generator

    Returns
    -------
    (n_node, n_bin)

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> sample_observations(np.full((1, 3), 2.0), "poisson", np.ones(1), rng)
    array([[3., 7., 6.]])
    """
    mean, spread = mean_of(psi, law), dispersion[:, None]
    if law == "gaussian":
        return rng.normal(mean, np.sqrt(spread))
    if law == "bernoulli":
        return (rng.random(psi.shape) < mean).astype(float)
    rate = rng.gamma(spread, mean / spread) if law == "negative_binomial" else mean
    return rng.poisson(rate).astype(float)


def add_observation_problems(problems: Problems, y: NDArray[Any], law: Law) -> None:
    """Note what keeps observations from being explained by a law.

    Parameters
    ----------
    problems : Problems
        Takes the problems.
    y : (n_node, n_bin)
        NaN is missing; a node without observations is a problem, one that is always 0 is not.
    law : str

    Examples
    --------
    >>> problems = Problems("cannot cluster")
    >>> add_observation_problems(problems, np.array([[0.5, 1.0]]), "poisson")
    >>> problems.found
    ['law "poisson" needs counts 0, 1, 2, ...; 1 value is not, e.g. 0.5 (node 0, bin 0)']
    """
    y = np.asarray(y, dtype=float)
    missing = np.isnan(y)
    _add_values(problems, y, np.isinf(y), f'law "{law}" needs finite observations')
    if law in ("negative_binomial", "poisson"):
        wrong = np.isfinite(y) & ((y < 0) | (y != np.floor(y)))
        _add_values(problems, y, wrong, f'law "{law}" needs counts 0, 1, 2, ...')
    elif law == "bernoulli":
        _add_values(problems, y, np.isfinite(y) & (y != 0) & (y != 1), 'law "bernoulli" needs 0 or 1')
    if (empty := np.flatnonzero(missing.all(axis=1))).size:
        problems.add(f"nodes without any observation tell nothing: drop {listed(empty.tolist())} (positions)")


def _add_values(problems: Problems, y: Array, wrong: NDArray[np.bool_], need: str) -> None:
    if count := int(wrong.sum()):
        node, time = np.argwhere(wrong)[0]
        found = "1 value is" if count == 1 else f"{count} values are"
        problems.add(f"{need}; {found} not, e.g. {y[node, time]:g} (node {node}, bin {time})")
