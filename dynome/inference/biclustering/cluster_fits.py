r"""Clusters fitted one by one, given which nodes they have and the states: quick, and nearly Bayesian.

A cluster's path, the coefficients of its nodes and its dynamics are given independent laws, each updated in turn given
the moments of the others (variational Bayes), with the log likelihood expanded to second order at the mean predictor.
The score is the lower bound on the log probability of what the nodes did that goes with it; it says whether two
clusters are better as one, and where a node belongs.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from dynome.inference.biclustering.augmentation import Working
from dynome.inference.biclustering.dynamics import PathStatistics, log_transitions_prior
from dynome.inference.biclustering.expansions import expansion
from dynome.inference.biclustering.model import Array, Data, Hyper, Labels
from dynome.inference.biclustering.observations import log_likelihood
from dynome.inference.biclustering.smoother import Moments, expected_statistics, expected_terms, moments

_OPTIONS = {"cache": True, "error_model": "numpy", "nogil": True, "fastmath": {"contract", "reassoc", "nsz"}}
_NODE_ROUNDS = 3


class Coefficients(NamedTuple):
    """Gaussian law of the coefficients of some nodes: (n, q) and (n, q, q)."""

    mean: Array
    covariance: Array


class ClusterFit(NamedTuple):
    """One cluster.

    Attributes
    ----------
    nodes : (n,)
        Positions.
    coefficients : Coefficients
    path : Moments
    statistics : PathStatistics
        Expected, of the path's transitions.
    score : float
        Lower bound, in nats; the partition and the states have no part in it.
    """

    nodes: Labels
    coefficients: Coefficients
    path: Moments
    statistics: PathStatistics
    score: float


def no_statistics(n_states: int, q: int) -> PathStatistics:
    """Of a path that nothing is known about: dynamics are those of the prior."""
    return PathStatistics(np.zeros(n_states), np.zeros((n_states, 1, 2 * q + 1, 2 * q + 1)))


def guess(nodes: Labels, signal: Array, bias: Array, hyper: Hyper, rng: np.random.Generator) -> Coefficients:
    """Coefficients from the principal components of smooth signals.

    Parameters
    ----------
    nodes : (n,)
    signal : (n_node, n_bin)
        Deviation of every node's predictor from its mean, roughly.
    bias : (n_node,)
    hyper : Hyper
    rng : numpy Generator
        Loadings that the components leave at zero are made small.
    """
    own = signal[nodes] - signal[nodes].mean(axis=0)
    _, vectors = np.linalg.eigh(own @ own.T)
    loading = 0.1 * hyper.loading_sd * rng.standard_normal((nodes.size, hyper.n_factors))
    kept = min(hyper.n_factors, nodes.size - 1)
    if kept:
        top = vectors[:, ::-1][:, :kept]
        loading[:, :kept] += 0.7 * hyper.loading_sd * np.sqrt(nodes.size) * top
    mean = np.column_stack([bias[nodes], loading])
    return Coefficients(mean, np.zeros((*mean.shape, mean.shape[1])))


def fitted(
    nodes: Labels,
    coefficients: Coefficients,
    psi: Array,
    statistics: PathStatistics,
    data: Data,
    dispersion: Array,
    state: Labels,
    hyper: Hyper,
    *,
    rounds: int,
) -> ClusterFit:
    """Fit a cluster.

    Parameters
    ----------
    nodes : (n,)
    coefficients : Coefficients
        Where to begin.
    psi : (n, n_bin)
        Predictor at which the log likelihood is expanded first.
    statistics : PathStatistics
        What is known of the path's transitions at the beginning.
    data : Data
    dispersion : (n_node,)
    state : (n_bin,)
    hyper : Hyper
        Not coupled.
    rounds : int
    """
    own, spread = data._replace(y=data.y[nodes]), dispersion[nodes]
    n_states = statistics.entered.size
    work, curved = expansion(own, psi, spread), data.law != "gaussian"  # whose parabola is the same everywhere
    for _ in range(rounds):
        path = path_given(work, coefficients, statistics, state, data.starts, hyper)
        statistics = expected_statistics(path, state, data.starts, n_states)
        if curved:
            psi, _ = predicted(path, coefficients)
            work = expansion(own, psi, spread)
        coefficients = coefficients_given(work, path, hyper)
        if curved:
            psi, _ = predicted(path, coefficients)
            work = expansion(own, psi, spread)
    psi, variance = predicted(path, coefficients)
    likelihood = log_likelihood(own.y, psi, data.law, spread).sum() - 0.5 * np.vdot(work.precision, variance)
    score = likelihood - divergence(coefficients, hyper).sum() + path_score(path, statistics, data.starts, hyper)
    score += unseen_freedom(*path.mean.shape)
    return ClusterFit(nodes, coefficients, path, statistics, float(score))


def refitted(
    fit: ClusterFit, data: Data, dispersion: Array, state: Labels, hyper: Hyper, *, n_states: int, rounds: int
) -> ClusterFit:
    """Fit on from an earlier fit, whose states may have been others."""
    statistics = expected_statistics(fit.path, state, data.starts, n_states)
    psi, _ = predicted(fit.path, fit.coefficients)
    return fitted(fit.nodes, fit.coefficients, psi, statistics, data, dispersion, state, hyper, rounds=rounds)


def node_scores(
    nodes: Labels, path: Moments, bias: Array, data: Data, dispersion: Array, hyper: Hyper
) -> tuple[Coefficients, Array]:
    """How well each node follows a path: its coefficients, and the score that it would add to the cluster.

    Parameters
    ----------
    nodes : (n,)
    path : Moments
        Without the node's own influence, where it is compared between clusters.
    bias : (n_node,)
        Log mean (logit, mean) of every node.
    """
    own, spread = data._replace(y=data.y[nodes]), dispersion[nodes]
    mean = np.column_stack([bias[nodes], np.zeros((nodes.size, hyper.n_factors))])
    found = Coefficients(mean, np.zeros((*mean.shape, mean.shape[1])))
    psi, _ = predicted(path, found)
    for _ in range(1 if data.law == "gaussian" else _NODE_ROUNDS):  # of a parabola the first step is the last
        found = coefficients_given(expansion(own, psi, spread), path, hyper)
        psi, variance = predicted(path, found)
    work = expansion(own, psi, spread)
    likelihood = log_likelihood(own.y, psi, data.law, spread) - 0.5 * (work.precision * variance).sum(axis=1)
    return found, likelihood - divergence(found, hyper)


def unseen_freedom(n_bin: int, q: int) -> float:
    """What independent laws leave out of the score of a cluster, roughly.

    Levels of the path may move against biases, and its factors be turned, scaled and sheared against loadings, while
    the likelihood stays as it is. Such directions are narrow under independent laws, by the precision that the data
    give each side alone, and wide in truth. Half a logarithm of the ratio is counted for each.
    """
    p = q - 1
    return 0.5 * (q + p * p + p) * float(np.log(1 + n_bin / 10))


def path_given(
    work: Working, coefficients: Coefficients, statistics: PathStatistics, state: Labels, starts: Labels, hyper: Hyper
) -> Moments:
    """Moments of the path given working observations and the coefficients' moments."""
    precision, linear = path_information(work, coefficients)
    return moments(precision, linear, state, expected_terms(statistics, hyper), starts)


def path_information(work: Working, coefficients: Coefficients) -> tuple[Array, Array]:
    """What nodes say about their path, (n_bin, q, q) and (n_bin, q)."""
    bias, loading = coefficients.mean[:, 0], coefficients.mean[:, 1:]
    readout = np.column_stack([np.ones(bias.size), loading])
    second = readout[:, :, None] * readout[:, None]
    second[:, 1:, 1:] += coefficients.covariance[:, 1:, 1:]
    with_bias = readout * bias[:, None]
    with_bias[:, 1:] += coefficients.covariance[:, 0, 1:]
    q = readout.shape[1]
    precision = (work.precision.T @ second.reshape(-1, q * q)).reshape(-1, q, q)
    return precision, work.linear.T @ readout - work.precision.T @ with_bias


def coefficients_given(work: Working, path: Moments, hyper: Hyper) -> Coefficients:
    """Law of the coefficients given working observations and the path's moments."""
    q = path.mean.shape[1]
    regressor = path.mean.copy()
    regressor[:, 0] = 1.0
    second = regressor[:, :, None] * regressor[:, None]
    second[:, 1:, 1:] += path.covariance[:, 1:, 1:]
    with_common = regressor * path.mean[:, :1]
    with_common[:, 1:] += path.covariance[:, 0, 1:]
    prior = np.r_[hyper.bias_sd**-2, np.full(q - 1, hyper.loading_sd**-2)]
    precision = (work.precision @ second.reshape(-1, q * q)).reshape(-1, q, q) + np.diag(prior)
    linear = work.linear @ regressor - work.precision @ with_common
    linear[:, 0] += prior[0] * hyper.bias_mean
    covariance = np.linalg.inv(precision)
    return Coefficients(np.einsum("nij,nj->ni", covariance, linear), covariance)


def predicted(path: Moments, coefficients: Coefficients) -> tuple[Array, Array]:
    """Mean and variance of the predictor, (n, n_bin) each."""
    mean, variance = coefficients.mean, np.zeros((coefficients.mean.shape[0], path.mean.shape[0]))
    psi = np.empty_like(variance)
    _predicted(path.mean, path.covariance, mean, coefficients.covariance, psi, variance)
    return psi, variance


def divergence(coefficients: Coefficients, hyper: Hyper) -> Array:
    """Kullback-Leibler divergence of every node's coefficients from their prior, (n,)."""
    q = coefficients.mean.shape[1]
    prior = np.r_[hyper.bias_sd**-2, np.full(q - 1, hyper.loading_sd**-2)]
    off = coefficients.mean - np.r_[hyper.bias_mean, np.zeros(q - 1)]
    second = off**2 + np.diagonal(coefficients.covariance, axis1=1, axis2=2)
    log_volume = np.linalg.slogdet(coefficients.covariance)[1] + np.log(prior).sum()
    return np.asarray(0.5 * (second @ prior - q - log_volume))


def path_score(path: Moments, statistics: PathStatistics, starts: Labels, hyper: Hyper) -> float:
    """Expected log prior of a path with its dynamics, plus the path's entropy."""
    n_bin, q = path.mean.shape
    first = starts[:-1]
    squares = (path.mean[first] ** 2).sum() + np.trace(path.covariance[first], axis1=1, axis2=2).sum()
    log_first = -0.5 * squares - 0.5 * first.size * q * np.log(2 * np.pi)
    entropy = 0.5 * n_bin * q * (1 + np.log(2 * np.pi)) - 0.5 * path.log_determinant
    return float(log_transitions_prior(statistics, hyper).sum() + log_first + entropy)


@njit(**_OPTIONS)
def _predicted(path, spread, mean, covariance, psi, variance):  # type: ignore[no-untyped-def]
    n_bin, q = path.shape
    for i in range(mean.shape[0]):
        for t in range(n_bin):
            value = mean[i, 0] + path[t, 0]
            noise = spread[t, 0, 0] + covariance[i, 0, 0]
            for a in range(1, q):
                value += mean[i, a] * path[t, a]
                noise += 2 * mean[i, a] * spread[t, 0, a] + 2 * covariance[i, 0, a] * path[t, a]
                for b in range(1, q):
                    noise += mean[i, a] * mean[i, b] * spread[t, a, b]
                    noise += covariance[i, a, b] * (path[t, a] * path[t, b] + spread[t, a, b])
            psi[i, t] = value
            variance[i, t] = noise
