r"""Splitting a cluster in two and merging two into one, with the full ratio of Metropolis and Hastings.

Two nodes are drawn. If they share a cluster, the second is made the leader of a new one: it takes a part of the nodes
along, with loadings and a path of their own, while the first keeps the path. If they do not, the leader's cluster is
dissolved into the keeper's. Each is the reverse of the other. Dynamics are integrated out of the ratio and drawn anew
afterwards, as are the variables of augmentation, so that nothing that depends on the number of clusters is in the way:

.. math::
    \frac{p(z')\, p(X' \mid s)\, p(c', d')\, p(y \mid X', c', d')}{p(z)\, p(X \mid s)\, p(c, d)\, p(y \mid X, c, d)}
    \cdot \frac{q(c, d \mid X)}{q(z')\, q(c', d')\, q(X' \mid c', d')}

for a split, where the :math:`q` below are those of `split_proposals` and those above are Laplace's for nodes
that go back to the path of their former cluster.

Jain and Neal (2007), doi:10.1214/07-BA219.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dynome.inference.biclustering.dynamics import draw_dynamics, drawn, log_density, log_path_prior
from dynome.inference.biclustering.evidence import Fit, evidence
from dynome.inference.biclustering.model import Array, Data, Hyper, Labels, State
from dynome.inference.biclustering.observations import log_likelihood, predictor
from dynome.inference.biclustering.partition_prior import log_partition
from dynome.inference.biclustering.paths import draw_latent, log_latent_density
from dynome.inference.biclustering.split_proposals import (
    Launch,
    Pair,
    draw_loadings,
    dynamics_density,
    dynamics_proposal,
    launched,
    loading_proposal,
    log_loading_density,
    path_proposal,
)


class SplitMerge(NamedTuple):
    """What was tried.

    Attributes
    ----------
    split : bool
        Whether it was a split.
    accepted : bool
    """

    split: bool
    accepted: bool


def split_or_merge(
    current: State, data: Data, hyper: Hyper, rng: np.random.Generator, *, temperature: float = 1.0
) -> tuple[State, SplitMerge]:
    """Try one split or one merge.

    Parameters
    ----------
    current : State
    data : Data
    hyper : Hyper
    rng : numpy Generator
    temperature : float
        Power of the likelihood.

    Returns
    -------
    State, SplitMerge
    """
    keeper, leader = (int(i) for i in rng.choice(current.cluster.size, 2, replace=False))
    split = bool(current.cluster[keeper] == current.cluster[leader])
    move = _split if split else _merged
    proposed, log_ratio = move(keeper, leader, current, data, hyper, rng, temperature)
    if proposed is None or np.log(rng.random()) >= log_ratio:
        return current, SplitMerge(split, accepted=False)
    dynamics = draw_dynamics(proposed.latent, proposed.state, data.starts, hyper, rng, hyper.n_states)
    return proposed._replace(dynamics=dynamics), SplitMerge(split, accepted=True)


def _split(
    keeper: int,
    leader: int,
    current: State,
    data: Data,
    hyper: Hyper,
    rng: np.random.Generator,
    temperature: float,
) -> tuple[State | None, float]:
    pair = _pair(keeper, leader, current)
    launch = launched(pair, current, data, hyper, rng, temperature=temperature)
    goes = rng.random(pair.nodes.size) < launch.probability
    nodes = pair.nodes[goes]
    where = loading_proposal(launch, nodes, current, data, hyper, rng, temperature=temperature)
    coefficient = draw_loadings(where, rng)
    first, density = dynamics_proposal(coefficient, where, current.state, data.starts, hyper)
    dynamics = drawn(density, rng)
    along = path_proposal(first, dynamics, coefficient, nodes, current, data, temperature=temperature)
    path = draw_latent(*along, current.state, dynamics, data.starts, rng)
    own = dynamics_density(path, current.state, data.starts, hyper)
    log_forward = (
        _log_members(goes, launch)
        + log_loading_density(coefficient, where)
        + log_density(dynamics, density)
        - log_density(dynamics, own)
        + log_latent_density(path, *along, current.state, dynamics, data.starts)
    )
    cluster, whole = current.cluster.copy(), current.coefficient.copy()
    cluster[nodes], whole[nodes] = current.latent.shape[1], coefficient
    proposed = current._replace(
        cluster=cluster,
        coefficient=whole,
        latent=np.concatenate([current.latent, path], axis=1),
        active=np.concatenate([current.active, np.ones((1, hyper.n_factors), bool)]),
    )
    back = _laplace(nodes, pair.kept_path, current, current.active[current.cluster[keeper]], data, hyper, temperature)
    log_backward = _log_coefficients(current.coefficient[nodes], back, current.active[current.cluster[keeper]])
    gain = _log_target(proposed, nodes, data, hyper, temperature) - _log_target(
        current, nodes, data, hyper, temperature
    )
    return proposed, gain + log_backward - log_forward


def _merged(
    keeper: int,
    leader: int,
    current: State,
    data: Data,
    hyper: Hyper,
    rng: np.random.Generator,
    temperature: float,
) -> tuple[State | None, float]:
    gone = int(current.cluster[leader])
    if not current.active[gone].all():
        return None, -np.inf  # no split makes such a cluster
    pair = _pair(keeper, leader, current)
    goes = current.cluster[pair.nodes] == gone
    nodes = pair.nodes[goes]
    mask = current.active[current.cluster[keeper]]
    there = _laplace(nodes, pair.kept_path, current, mask, data, hyper, temperature)
    coefficient = _draw_coefficients(there, mask, rng)
    whole = current.coefficient.copy()
    whole[nodes] = coefficient
    cluster = current.cluster.copy()
    cluster[nodes] = cluster[keeper]
    cluster[cluster > gone] -= 1
    proposed = current._replace(
        cluster=cluster,
        coefficient=whole,
        latent=np.delete(current.latent, gone, axis=1),
        active=np.delete(current.active, gone, axis=0),
    )
    gain = _log_target(proposed, nodes, data, hyper, temperature) - _log_target(
        current, nodes, data, hyper, temperature
    )
    log_forward = _log_coefficients(coefficient, there, mask)
    launch = launched(pair, current, data, hyper, rng, temperature=temperature)
    where = loading_proposal(launch, nodes, current, data, hyper, rng, temperature=temperature)
    former = current.coefficient[nodes]
    first, density = dynamics_proposal(former, where, current.state, data.starts, hyper)
    path = np.ascontiguousarray(current.latent[:, gone : gone + 1])
    own = dynamics_density(path, current.state, data.starts, hyper)
    dynamics = drawn(own, rng)
    along = path_proposal(first, dynamics, former, nodes, current, data, temperature=temperature)
    log_backward = (
        _log_members(goes, launch)
        + log_loading_density(former, where)
        + log_density(dynamics, density)
        - log_density(dynamics, own)
        + log_latent_density(path, *along, current.state, dynamics, data.starts)
    )
    return proposed, gain + log_backward - log_forward


def _pair(keeper: int, leader: int, current: State) -> Pair:
    stays = int(current.cluster[keeper])
    nodes = np.flatnonzero(np.isin(current.cluster, (stays, current.cluster[leader])))
    return Pair(keeper, leader, nodes, np.ascontiguousarray(current.latent[:, stays : stays + 1]))


def _log_target(current: State, nodes: Labels, data: Data, hyper: Hyper, temperature: float) -> float:
    """Log joint density without dynamics, and without what the move leaves alone."""
    part = Data(np.ascontiguousarray(data.y[nodes]), data.starts, data.law)
    coefficient, cluster = current.coefficient[nodes], current.cluster[nodes]
    psi = predictor(coefficient, current.latent, cluster)
    fit = log_likelihood(part.y, psi, data.law, current.dispersion[nodes]).sum()
    deviation = (coefficient[:, 0] - hyper.bias_mean) / hyper.bias_sd
    read = current.active[cluster]
    loading = coefficient[:, 1:][read] / hyper.loading_sd
    log_prior = -0.5 * (deviation**2).sum() - 0.5 * (loading**2).sum()
    log_prior -= nodes.size * np.log(hyper.bias_sd) + loading.size * np.log(hyper.loading_sd)
    log_prior -= 0.5 * (deviation.size + loading.size) * np.log(2 * np.pi)
    if hyper.adapt_factors:
        on = current.active.sum()
        log_prior += on * np.log(hyper.factor_probability)
        log_prior += (current.active.size - on) * np.log1p(-hyper.factor_probability)
    return float(
        temperature * fit
        + log_prior
        + log_partition(current.cluster, hyper, current.concentrations)
        + log_path_prior(current.latent, current.state, data.starts, hyper)
    )


def _log_members(goes: Labels, launch: Launch) -> float:
    return float(np.log(np.where(goes, launch.probability, 1 - launch.probability)).sum())


def _laplace(
    nodes: Labels, path: Array, current: State, mask: Array, data: Data, hyper: Hyper, temperature: float
) -> Fit:
    part = Data(np.ascontiguousarray(data.y[nodes]), data.starts, data.law)
    return evidence(part, path, current.dispersion[nodes], hyper, active=mask[None], temperature=temperature)


def _draw_coefficients(fit: Fit, mask: NDArray[np.bool_], rng: np.random.Generator) -> Array:
    """Coefficients from Laplace's normal distributions; loadings that are not read are 0."""
    normal = rng.normal(size=fit.mean[:, 0].shape)
    off = np.linalg.solve(fit.factor[:, 0].swapaxes(1, 2), normal[..., None])[..., 0]
    coefficient: Array = fit.mean[:, 0] + off
    coefficient[:, 1:][:, ~mask] = 0.0
    return coefficient


def _log_coefficients(coefficient: Array, fit: Fit, mask: NDArray[np.bool_]) -> float:
    """Log density of coefficients that are read."""
    read = np.r_[True, mask]
    factor = fit.factor[:, 0][:, read][:, :, read]
    off = (coefficient - fit.mean[:, 0])[:, read]
    white = np.einsum("ifg,if->ig", factor, off)
    log_diagonal = np.log(np.einsum("iff->if", factor))
    return float(log_diagonal.sum() - 0.5 * (white**2).sum() - 0.5 * white.size * np.log(2 * np.pi))
