r"""What is observed, given the predictor: log likelihoods, means, simulated observations and checks of the data.

Four laws with their natural predictor :math:`\psi`: the log mean of counts (negative binomial with variance
:math:`\mu + \mu^2 / r`, Poisson), the logit of a Bernoulli probability, and the mean of Gaussian observations. A
missing observation (NaN) contributes nothing. A sibling law is a branch of each function here, and of
`dynome.inference.biclustering.augmentation`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit

from dynome.errors import Problems, listed
from dynome.inference.biclustering.model import Array, Labels, Law
from dynome.inference.biclustering.observation_loops import CODES, pointwise, predictors, totals


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
    return predictors(*map(np.ascontiguousarray, given))  # type: ignore[no-any-return]


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
    return pointwise(y, psi, CODES[law], dispersion)  # type: ignore[no-any-return]


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
    return totals(y, psi, CODES[law], dispersion)  # type: ignore[no-any-return]


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


def add_observation_problems(problems: Problems, y: NDArray[Any], law: Law, nodes: ArrayLike | None = None) -> None:
    """Note what keeps observations from being explained by a law.

    Parameters
    ----------
    problems : Problems
        Takes the problems.
    y : (n_node, n_bin)
        NaN is missing; a node without observations is a problem, one that is always 0 is not.
    law : str
    nodes : (n_node,) or None
        Labels to tell; None tells positions.

    Examples
    --------
    >>> problems = Problems("cannot cluster")
    >>> add_observation_problems(problems, np.array([[0.5, 1.0]]), "poisson")
    >>> problems.found
    ['law "poisson" needs counts 0, 1, 2, ...; 1 value is not, e.g. 0.5 (node 0, bin 0)']
    """
    y = np.asarray(y, dtype=float)
    names = np.arange(y.shape[0]) if nodes is None else np.asarray(nodes)
    missing = np.isnan(y)
    _add_values(problems, y, names, np.isinf(y), f'law "{law}" needs finite observations')
    if law in ("negative_binomial", "poisson"):
        wrong = np.isfinite(y) & ((y < 0) | (y != np.floor(y)))
        _add_values(problems, y, names, wrong, f'law "{law}" needs counts 0, 1, 2, ...')
    elif law == "bernoulli":
        _add_values(problems, y, names, np.isfinite(y) & (y != 0) & (y != 1), 'law "bernoulli" needs 0 or 1')
    if (empty := np.flatnonzero(missing.all(axis=1))).size:
        place = " (positions)" if nodes is None else ""
        problems.add(f"nodes without any observation tell nothing: drop {listed(names[empty].tolist())}{place}")


def _add_values(problems: Problems, y: Array, names: NDArray[Any], wrong: NDArray[np.bool_], need: str) -> None:
    if count := int(wrong.sum()):
        node, time = np.argwhere(wrong)[0]
        found = "1 value is" if count == 1 else f"{count} values are"
        problems.add(f"{need}; {found} not, e.g. {y[node, time]:g} (node {names[node]}, bin {time})")
