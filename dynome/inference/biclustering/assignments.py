r"""Which cluster a node belongs to, with its bias and loadings, given the paths of the clusters.

The augmentation of counts is integrated out: a cluster and coefficients are proposed from Laplace's approximation of
every cluster (see `dynome.inference.biclustering.evidence`) and accepted by the exact ratio,

.. math:: \min\left(1, \frac{\omega(z', c')}{\omega(z, c)}\right), \qquad
          \omega(z, c) = \frac{p(y_i \mid c, X^{(z)})^\beta\, N(c)}{E_i(z)\, q_{iz}(c)},

where the proposal takes cluster z in proportion to its prior weight times :math:`E_i(z)`, and coefficients from
:math:`q_{iz}`, a t distribution. Both are functions of the paths, the observations and the dispersion only, so that
the proposal does not depend on where the node is.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np
from numba import njit

from dynome.inference.biclustering.evidence import Fit, Trials, as_paths, as_trials, coefficient_prior, paths_evidence
from dynome.inference.biclustering.evidence_loops import BLOCK, N_BUFFERS, log_likelihood, solve_transposed
from dynome.inference.biclustering.model import Array, Data, Hyper, Labels, State
from dynome.inference.biclustering.partition_prior import log_birth_weights

_DEGREES: Final = 10.0  # of the t distribution that coefficients are proposed from: its tails are the heavier ones
_OPTIONS: Final = {"cache": True, "nogil": True, "fastmath": {"contract"}, "error_model": "numpy"}


class Moves(NamedTuple):
    """What a pass of assignments did.

    Attributes
    ----------
    proposed, accepted : int
        Proposals of a cluster and coefficients, for nodes one by one.
    moved : int
        Nodes that changed their cluster.
    births, deaths : int
        Clusters that came and went.
    """

    proposed: int
    accepted: int
    moved: int
    births: int
    deaths: int


class _Pass(NamedTuple):
    """What is drawn beforehand for one pass over nodes."""

    uniform: Array
    normal: Array
    spread: Array


def updated_assignment(
    current: State,
    data: Data,
    hyper: Hyper,
    rng: np.random.Generator,
    *,
    fit: Fit | None = None,
    temperature: float = 1.0,
) -> tuple[State, Moves]:
    """Clusters and coefficients of all nodes, one after the other in random order.

    Parameters
    ----------
    current : State
    data : Data
    hyper : Hyper
    rng : numpy.random.Generator
    fit : Fit, optional
        `evidence` of the latents and dispersions of `current`, if it is known already.
    temperature : float
        Power of the likelihood.

    Returns
    -------
    State
        Leaves the posterior invariant.
    Moves
    """
    trials = as_trials(data, current.dispersion, temperature=temperature)
    paths = as_paths(current.latent, current.active)
    fit = paths_evidence(trials, paths, hyper) if fit is None else fit
    n, q = current.coefficient.shape
    coefficient = _with_unread(current, hyper, rng)
    cluster = current.cluster.copy()
    order = rng.permutation(n)
    drawn = _Pass(rng.random((n, 2)), rng.standard_normal((n, q)), np.sqrt(_DEGREES / rng.chisquare(_DEGREES, n)))
    size = np.bincount(cluster, minlength=paths.shape[0])
    added = log_birth_weights(n, hyper, current.concentrations)[0]
    counts = _moved(order, cluster, coefficient, size, added, trials, paths, fit, drawn, hyper)
    read = np.c_[np.ones(len(current.active), bool), current.active]
    return current._replace(cluster=cluster, coefficient=coefficient * read[cluster]), Moves(*counts, 0, 0)


def _with_unread(current: State, hyper: Hyper, rng: np.random.Generator) -> Array:
    """Coefficients, with loadings on inactive factors drawn from their prior: they complete the proposal's space."""
    unread = ~current.active[current.cluster]
    out = current.coefficient.copy()
    out[:, 1:] = np.where(unread, hyper.loading_sd * rng.standard_normal(unread.shape), out[:, 1:])
    return out


def _moved(
    order: Labels,
    cluster: Labels,
    coefficient: Array,
    size: Labels,
    added: float,
    trials: Trials,
    paths: Array,
    fit: Fit,
    drawn: _Pass,
    hyper: Hyper,
) -> tuple[int, int, int]:
    """Moves of the nodes in `order` among clusters that exist, in place; a node alone in its cluster stays there."""
    prior = coefficient_prior(hyper, paths.shape[1])
    return _scan(order, cluster, coefficient, size, added, *trials, paths, *fit, *drawn, *prior)  # type: ignore[no-any-return]


@njit(**_OPTIONS)
def _scan(  # type: ignore[no-untyped-def]
    order, cluster, coefficient, size, added, linear, trials, shift, family, paths, mean, factor, log_evidence,
    uniform, normal, spread, prior_mean, prior_precision,
):  # fmt: skip
    buffer = np.empty((N_BUFFERS, BLOCK))
    weight, trial = np.empty(size.size), np.empty(prior_mean.size)
    accepted = moved = 0
    for i in order:
        here = cluster[i]
        for j in range(size.size):
            others = size[j] - (j == here)
            free = others > 0 and size[here] > 1 or size[here] == 1 and j == here
            weight[j] = np.log(max(others, 0.5) + added) + log_evidence[i, j] if free else -np.inf
        there = _chosen(weight, uniform[i, 0])
        before = _importance(
            linear[i], trials[i], shift[i], family, paths[here], mean[i, here], factor[i, here], log_evidence[i, here],
            coefficient[i], prior_mean, prior_precision, buffer,
        )  # fmt: skip
        trial[:] = spread[i] * normal[i]
        solve_transposed(factor[i, there], trial)
        trial += mean[i, there]
        after = _importance(
            linear[i], trials[i], shift[i], family, paths[there], mean[i, there], factor[i, there],
            log_evidence[i, there], trial, prior_mean, prior_precision, buffer,
        )  # fmt: skip
        if np.log(uniform[i, 1]) < after - before:
            accepted += 1
            moved += here != there
            size[here] -= 1
            size[there] += 1
            cluster[i] = there
            coefficient[i] = trial
    return order.size, accepted, moved


@njit(**_OPTIONS)
def _chosen(log_weight, uniform):  # type: ignore[no-untyped-def]
    """Position drawn in proportion to weights."""
    top, total = log_weight.max(), 0.0
    for j in range(log_weight.size):
        total += np.exp(log_weight[j] - top)
    left, last = uniform * total, 0
    for j in range(log_weight.size):
        if log_weight[j] > -np.inf:
            last = j
            left -= np.exp(log_weight[j] - top)
            if left < 0:
                break
    return last


@njit(**_OPTIONS)
def _importance(  # type: ignore[no-untyped-def]
    linear, trials, shift, family, path, mean, factor, log_evidence, coefficient, prior_mean, prior_precision, buffer
):
    """Log of the joint density over the proposal's, with constants that depend on the number of components alone."""
    value = log_likelihood(linear, trials, path, coefficient, shift, family, buffer) - log_evidence
    q, square = mean.size, 0.0
    for f in range(q):
        gap = coefficient[f] - prior_mean[f]
        value += 0.5 * (np.log(prior_precision[f]) - prior_precision[f] * gap * gap) - np.log(factor[f, f])
        turned = 0.0
        for g in range(f, q):
            turned += factor[g, f] * (coefficient[g] - mean[g])
        square += turned * turned
    degrees = 0.5 * (_DEGREES + q)
    constant = math.lgamma(degrees) - math.lgamma(0.5 * _DEGREES) - 0.5 * q * np.log(0.5 * _DEGREES)
    return value - constant + degrees * np.log1p(square / _DEGREES)
