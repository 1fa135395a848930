r"""Splitting a cluster in two and merging two into one, with the full ratio of Metropolis and Hastings.

Two nodes are drawn. If they share a cluster, the second is made the leader of a new one: it takes a part of the nodes
along, with loadings and a path of their own, and the path of those that stay is drawn anew. If they do not, the
leader's cluster is dissolved into the keeper's, with a path for all. Each is the reverse of the other. Dynamics are
integrated out of the ratio and drawn anew afterwards, as are the variables of augmentation, so that nothing that
depends on the number of clusters is in the way:

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

from dynome.inference.biclustering.dynamics import Conjugate, draw_dynamics, drawn, log_density, log_path_prior
from dynome.inference.biclustering.laplace import Fit, evidence
from dynome.inference.biclustering.model import Array, Data, Dynamics, Hyper, Labels, State
from dynome.inference.biclustering.observations import log_likelihood, predictor
from dynome.inference.biclustering.partition_prior import log_partition
from dynome.inference.biclustering.paths import draw_latent, log_latent_density
from dynome.inference.biclustering.split_proposals import (
    Launch,
    LoadingProposal,
    Pair,
    PathProposal,
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


class _Whole(NamedTuple):
    """What only the merged cluster has: coefficients of the nodes that would move, and its path."""

    coefficient: Array
    path: Array


class _Parts(NamedTuple):
    """What only the two clusters have: coefficients of the nodes that moved, their path, and that of those who stayed.

    The dynamics `kept` and `own` of the two paths are no part of the state: they are drawn given the paths, and shape
    the proposals.
    """

    coefficient: Array
    path: Array
    kept_path: Array
    own: Dynamics
    kept: Dynamics


class _Frame(NamedTuple):
    """What a split and its reverse have in common."""

    launch: Launch
    goes: NDArray[np.bool_]
    moved: Labels
    stayed: Labels
    current: State
    mask: NDArray[np.bool_]
    data: Data
    hyper: Hyper
    temperature: float

    def density(self, path: Array) -> Conjugate:
        """Of the dynamics of a path."""
        return dynamics_density(path, self.current.state, self.data.starts, self.hyper)

    def along(self, start: Array, dynamics: Dynamics, coefficient: Array, nodes: Labels) -> PathProposal:
        """Of the path of these nodes."""
        return path_proposal(start, dynamics, coefficient, nodes, self.current, self.data, temperature=self.temperature)

    def drawn_path(self, proposal: PathProposal, dynamics: Dynamics, rng: np.random.Generator) -> Array:
        return draw_latent(*proposal, self.current.state, dynamics, self.data.starts, rng)

    def log_path(self, path: Array, proposal: PathProposal, dynamics: Dynamics) -> float:
        return log_latent_density(path, *proposal, self.current.state, dynamics, self.data.starts)


def _split(
    keeper: int,
    leader: int,
    current: State,
    data: Data,
    hyper: Hyper,
    rng: np.random.Generator,
    temperature: float,
) -> tuple[State | None, float]:
    frame = _frame(keeper, leader, None, current, data, hyper, rng, temperature)
    where = loading_proposal(frame.launch, frame.moved, current, data, hyper, rng, temperature=temperature)
    here = int(current.cluster[keeper])
    whole = _Whole(current.coefficient[frame.moved], np.ascontiguousarray(current.latent[:, here : here + 1]))
    kept = drawn(frame.density(whole.path), rng)
    stay = frame.along(whole.path, kept, current.coefficient[frame.stayed], frame.stayed)
    kept_path = frame.drawn_path(stay, kept, rng)
    coefficient = draw_loadings(where, rng)
    first, density = dynamics_proposal(coefficient, where, current.state, data.starts, hyper)
    own = drawn(density, rng)
    path = frame.drawn_path(frame.along(first, own, coefficient, frame.moved), own, rng)
    parts = _Parts(coefficient, path, kept_path, own, kept)
    cluster, coefficients = current.cluster.copy(), current.coefficient.copy()
    cluster[frame.moved], coefficients[frame.moved] = current.latent.shape[1], coefficient
    latent = np.concatenate([current.latent, path], axis=1)
    latent[:, here] = kept_path[:, 0]
    proposed = current._replace(
        cluster=cluster,
        coefficient=coefficients,
        latent=latent,
        active=np.concatenate([current.active, np.ones((1, hyper.n_factors), bool)]),
    )
    gain = _log_target(proposed, frame) - _log_target(current, frame)
    return proposed, gain + _log_merging(whole, parts, frame) - _log_splitting(parts, whole, where, frame)


def _merged(
    keeper: int,
    leader: int,
    current: State,
    data: Data,
    hyper: Hyper,
    rng: np.random.Generator,
    temperature: float,
) -> tuple[State | None, float]:
    here, gone = int(current.cluster[keeper]), int(current.cluster[leader])
    if not current.active[gone].all():
        return None, -np.inf  # no split makes such a cluster
    frame = _frame(keeper, leader, gone, current, data, hyper, rng, temperature)
    where = loading_proposal(frame.launch, frame.moved, current, data, hyper, rng, temperature=temperature)
    path, kept_path = (np.ascontiguousarray(current.latent[:, j : j + 1]) for j in (gone, here))
    own, kept = drawn(frame.density(path), rng), drawn(frame.density(kept_path), rng)
    parts = _Parts(current.coefficient[frame.moved], path, kept_path, own, kept)
    coefficients, cluster = current.coefficient.copy(), current.cluster.copy()
    coefficients[frame.moved] = _draw_coefficients(_laplace(kept_path, frame), frame.mask, rng)
    everybody = np.concatenate([frame.stayed, frame.moved])
    along = frame.along(kept_path, kept, coefficients[everybody], everybody)
    whole = _Whole(coefficients[frame.moved], frame.drawn_path(along, kept, rng))
    cluster[frame.moved] = here
    cluster[cluster > gone] -= 1
    latent = current.latent.copy()
    latent[:, here] = whole.path[:, 0]
    proposed = current._replace(
        cluster=cluster,
        coefficient=coefficients,
        latent=np.delete(latent, gone, axis=1),
        active=np.delete(current.active, gone, axis=0),
    )
    gain = _log_target(proposed, frame) - _log_target(current, frame)
    return proposed, gain + _log_splitting(parts, whole, where, frame) - _log_merging(whole, parts, frame)


def _frame(
    keeper: int,
    leader: int,
    gone: int | None,
    current: State,
    data: Data,
    hyper: Hyper,
    rng: np.random.Generator,
    temperature: float,
) -> _Frame:
    """The launch, and who goes: who is in the cluster that would be gone, else as the launch has it."""
    nodes = np.flatnonzero(np.isin(current.cluster, current.cluster[[keeper, leader]]))
    launch = launched(Pair(keeper, leader, nodes), current, data, hyper, rng, temperature=temperature)
    goes = rng.random(nodes.size) < launch.probability if gone is None else current.cluster[nodes] == gone
    mask = current.active[current.cluster[keeper]]
    return _Frame(launch, goes, nodes[goes], nodes[~goes], current, mask, data, hyper, temperature)


def _log_splitting(parts: _Parts, whole: _Whole, where: LoadingProposal, frame: _Frame) -> float:
    """Log density of making these parts of the whole."""
    state, starts, hyper = frame.current.state, frame.data.starts, frame.hyper
    first, density = dynamics_proposal(parts.coefficient, where, state, starts, hyper)
    along = frame.along(first, parts.own, parts.coefficient, frame.moved)
    stay = frame.along(whole.path, parts.kept, frame.current.coefficient[frame.stayed], frame.stayed)
    return (
        float(np.log(np.where(frame.goes, frame.launch.probability, 1 - frame.launch.probability)).sum())
        + log_loading_density(parts.coefficient, where)
        + log_density(parts.own, density)
        - log_density(parts.own, frame.density(parts.path))
        + frame.log_path(parts.path, along, parts.own)
        + log_density(parts.kept, frame.density(whole.path))
        + frame.log_path(parts.kept_path, stay, parts.kept)
    )


def _log_merging(whole: _Whole, parts: _Parts, frame: _Frame) -> float:
    """Log density of making the whole of these parts."""
    everybody = np.concatenate([frame.stayed, frame.moved])
    coefficient = np.concatenate([frame.current.coefficient[frame.stayed], whole.coefficient])
    along = frame.along(parts.kept_path, parts.kept, coefficient, everybody)
    return (
        _log_coefficients(whole.coefficient, _laplace(parts.kept_path, frame), frame.mask)
        + log_density(parts.kept, frame.density(parts.kept_path))
        + frame.log_path(whole.path, along, parts.kept)
    )


def _log_target(current: State, frame: _Frame) -> float:
    """Log joint density with the dynamics integrated out, without what the move leaves alone."""
    data, hyper = frame.data, frame.hyper
    nodes = np.concatenate([frame.stayed, frame.moved])
    coefficient, cluster = current.coefficient[nodes], current.cluster[nodes]
    psi = predictor(coefficient, current.latent, cluster)
    fit = log_likelihood(np.ascontiguousarray(data.y[nodes]), psi, data.law, current.dispersion[nodes]).sum()
    deviation = (coefficient[:, 0] - hyper.bias_mean) / hyper.bias_sd
    loading = coefficient[:, 1:][current.active[cluster]] / hyper.loading_sd
    log_prior = -0.5 * (deviation**2).sum() - 0.5 * (loading**2).sum()
    log_prior -= loading.size * (np.log(hyper.loading_sd) + 0.5 * np.log(2 * np.pi))
    if hyper.adapt_factors:
        on = current.active.sum()
        log_prior += on * np.log(hyper.factor_probability)
        log_prior += (current.active.size - on) * np.log1p(-hyper.factor_probability)
    return float(
        frame.temperature * fit
        + log_prior
        + log_partition(current.cluster, hyper, current.concentrations)
        + log_path_prior(current.latent, current.state, data.starts, hyper)
    )


def _laplace(path: Array, frame: _Frame) -> Fit:
    """Coefficients of the nodes that move, on the path of those that stay."""
    part = Data(np.ascontiguousarray(frame.data.y[frame.moved]), frame.data.starts, frame.data.law)
    dispersion = frame.current.dispersion[frame.moved]
    return evidence(part, path, dispersion, frame.hyper, active=frame.mask[None], temperature=frame.temperature)


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
