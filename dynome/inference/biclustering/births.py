r"""New clusters offered to a node, and the end of a cluster that its only node leaves.

Neal's algorithm 8 on an extended space: :math:`m` slots hold paths that no other node reads. The path of a node that is
alone in its cluster takes one of them; the others are drawn from a base :math:`g`, the prior of a path by itself given
the states with its dynamics integrated out. Given all paths, a slot has the weight

.. math:: \frac{w_\text{new}}{m}\; \frac{p(X_\text{old}, X_\text{slot} \mid s)}{p(X_\text{old} \mid s)\,
          g(X_\text{slot} \mid s)}\; p(y_i \mid X_\text{slot})

where the fraction is one if clusters do not drive each other. It is costly otherwise, and left to the ratio of
Metropolis and Hastings, for which only the slot proposed and the one occupied matter.

Neal (2000), doi:10.1080/10618600.2000.10474879.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dynome.inference.biclustering.assignment_loops import DEGREES, chosen, importance, propose
from dynome.inference.biclustering.copies import copy
from dynome.inference.biclustering.dynamics import log_path_prior, prior_dynamics
from dynome.inference.biclustering.evidence_loops import BLOCK, N_BUFFERS
from dynome.inference.biclustering.laplace import Fit, coefficient_prior, paths_evidence
from dynome.inference.biclustering.model import Array, Dynamics, Hyper, Labels
from dynome.inference.biclustering.sequences import firsts
from dynome.inference.biclustering.trials import Trials, as_paths

_LARGEST: Final = 1e4  # neither taken nor left: unstable dynamics are common in the prior, and explain no observation


class Clusters(NamedTuple):
    """Clusters while nodes move. One that has lost its nodes stays, with size 0, until the pass is over.

    Attributes
    ----------
    latent : (n_bin, n_cluster, 1 + n_factor)
    active : (n_cluster, n_factor)
    paths : (n_cluster, 1 + n_factor, n_bin)
        What nodes read: latents without inactive factors.
    fit : Fit
    size : (n_cluster,)
        Modified in place.
    """

    latent: Array
    active: NDArray[np.bool_]
    paths: Array
    fit: Fit
    size: Labels


class Sequence(NamedTuple):
    """States of the bins and first bins of sequences."""

    state: Labels
    starts: Labels


class Births(NamedTuple):
    """Log prior weights: of joining n others, ``log(n + added)``, and of a new cluster beside t."""

    added: float
    log_new: Array


def offered(
    node: int,
    cluster: Labels,
    coefficient: Array,
    clusters: Clusters,
    births: Births,
    trials: Trials,
    sequence: Sequence,
    hyper: Hyper,
    rng: np.random.Generator,
) -> tuple[Clusters, bool]:
    """One node moves among the clusters of the others and `hyper.n_auxiliary` new ones.

    Parameters
    ----------
    node : int
    cluster : (n_node,)
        Modified in place, as is `coefficient`.
    coefficient : (n_node, 1 + n_factor)
        Loadings on inactive factors are draws from the prior.
    clusters : Clusters
    births : Births
    trials : Trials
    sequence : Sequence
    hyper : Hyper
    rng : numpy.random.Generator

    Returns
    -------
    clusters : Clusters
        With one more if the node took a new one.
    accepted : bool
    """
    here = int(cluster[node])
    alone = bool(clusters.size[here] == 1)
    if alone and np.abs(clusters.paths[here]).max() > _LARGEST:
        return clusters, False
    fresh = _fresh(hyper.n_auxiliary - alone, sequence, hyper, rng)
    own = Trials(trials.linear[[node]], trials.trials[[node]], trials.shift[[node]], trials.family)
    found = _tame_evidence(own, fresh.paths, hyper)
    fit = Fit(*(np.concatenate([a[node], b[0]]) for a, b in zip(clusters.fit, found, strict=True)))
    there = _proposed(here, alone, clusters.size, births, fit.log_evidence, hyper.n_auxiliary, rng)
    paths = [
        clusters.paths[j] if j < clusters.size.size else fresh.paths[j - clusters.size.size] for j in (here, there)
    ]
    new = np.empty(coefficient.shape[1])
    propose(
        fit.mean[there], fit.factor[there], np.sqrt(DEGREES / rng.chisquare(DEGREES)), rng.normal(size=new.size), new
    )
    gain = _importance(own, paths[1], fit, there, new, hyper) - _importance(
        own, paths[0], fit, here, coefficient[node], hyper
    )
    others = clusters.latent[:, np.flatnonzero(clusters.size - (np.arange(clusters.size.size) == here) > 0)]
    if hyper.coupled and there != here:
        if there >= clusters.size.size:
            gain += _log_coupling(others, fresh.latent[:, [there - clusters.size.size]], sequence, hyper)
        if alone:
            gain -= _log_coupling(others, clusters.latent[:, [here]], sequence, hyper)
    if not np.log(rng.random()) < gain:
        return clusters, False
    if there >= clusters.size.size:
        clusters = _joined(clusters, fresh, there - clusters.size.size, trials, hyper)
        there = clusters.size.size - 1
    clusters.size[here] -= 1
    clusters.size[there] += 1
    cluster[node] = there
    coefficient[node] = new
    return clusters, True


class _Fresh(NamedTuple):
    latent: Array
    active: NDArray[np.bool_]
    paths: Array


def _fresh(count: int, sequence: Sequence, hyper: Hyper, rng: np.random.Generator) -> _Fresh:
    """Paths from the prior of a path by itself, (n_bin, count, q)."""
    latent = np.empty((sequence.state.size, 0, 1 + hyper.n_factors))
    if count:
        latent = prior_paths(sequence, prior_dynamics(hyper._replace(coupled=False), count, rng), rng)
    active = np.ones((count, hyper.n_factors), bool)
    if hyper.adapt_factors:
        active = rng.random(active.shape) < hyper.factor_probability
    return _Fresh(latent, active, as_paths(latent, active))


def prior_paths(sequence: Sequence, dynamics: Dynamics, rng: np.random.Generator) -> Array:
    """Paths (n_bin, n_group, width) of groups of latents that follow their dynamics."""
    noise = rng.standard_normal((sequence.state.size, *dynamics.offset.shape[1:]))
    root = np.linalg.cholesky(dynamics.noise)
    _walk(noise, dynamics.matrix, dynamics.offset, root, sequence.state, firsts(sequence.starts))
    return noise


@njit(cache=True)
def _walk(path, matrix, offset, root, state, first):  # type: ignore[no-untyped-def]
    """Turn noise into paths, in place. One that is far beyond `_LARGEST` is kept finite, and as far."""
    n_bin, n_group, width = path.shape
    here = np.empty(width)
    for t in range(n_bin):
        if first[t]:
            continue
        s = state[t]
        for g in range(n_group):
            far = False
            for a in range(width):
                value = offset[s, g, a]
                for b in range(width):
                    value += matrix[s, g, a, b] * path[t - 1, g, b]
                    value += root[s, g, a, b] * path[t, g, b]
                here[a] = value
                far |= abs(value) > 2 * _LARGEST
            if far:
                here[:] = 2 * _LARGEST
            copy(here, path[t, g])


def _tame_evidence(own: Trials, paths: Array, hyper: Hyper) -> Fit:
    """Evidence of new paths; none for those that are too large, so that they are not taken."""
    tame = np.abs(paths).max(axis=(1, 2), initial=0.0) <= _LARGEST
    fit = paths_evidence(own, paths * tame[:, None, None], hyper)
    return fit._replace(log_evidence=np.where(tame, fit.log_evidence, -np.inf))


def _proposed(
    here: int,
    alone: bool,
    size: Labels,
    births: Births,
    log_evidence: Array,
    n_auxiliary: int,
    rng: np.random.Generator,
) -> int:
    """Cluster, or slot behind the clusters, drawn in proportion to prior weight times evidence."""
    others = size.astype(float)
    others[here] -= 1
    slot = births.log_new[np.count_nonzero(others)] - np.log(n_auxiliary)
    weight = np.full(log_evidence.size, slot)
    with np.errstate(divide="ignore"):
        weight[: size.size] = np.where(others > 0, np.log(others + births.added), -np.inf)
    if alone:
        weight[here] = slot
    return int(chosen(weight + log_evidence, rng.random()))


def _importance(own: Trials, path: Array, fit: Fit, j: int, coefficient: Array, hyper: Hyper) -> float:
    prior = coefficient_prior(hyper, coefficient.size)
    buffer = np.empty((N_BUFFERS, BLOCK))
    return float(
        importance(
            own.linear[0],
            own.trials[0],
            own.shift[0],
            own.family,
            path,
            fit.mean[j],
            fit.factor[j],
            fit.log_evidence[j],
            coefficient,
            *prior,
            buffer,
        )
    )


def _log_coupling(others: Array, path: Array, sequence: Sequence, hyper: Hyper) -> float:
    """Log density of a path beside the others over its density by itself."""
    if not others.shape[1]:
        return 0.0
    both = log_path_prior(np.concatenate([others, path], 1), *sequence, hyper)
    return both - log_path_prior(others, *sequence, hyper) - log_path_prior(path, *sequence, hyper)


def _joined(clusters: Clusters, fresh: _Fresh, slot: int, trials: Trials, hyper: Hyper) -> Clusters:
    """Clusters with the path of a slot as the last one."""
    path = fresh.paths[[slot]]
    found = paths_evidence(trials, path, hyper)
    return Clusters(
        np.concatenate([clusters.latent, fresh.latent[:, [slot]]], 1),
        np.concatenate([clusters.active, fresh.active[[slot]]]),
        np.concatenate([clusters.paths, path]),
        Fit(*(np.concatenate([a, b], 1) for a, b in zip(clusters.fit, found, strict=True))),
        np.append(clusters.size, 0),
    )
