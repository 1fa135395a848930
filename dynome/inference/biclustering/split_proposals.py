r"""How a new cluster is proposed for a set of nodes: who moves, with which loadings, along which path.

The posterior of a cluster's loadings and path is stretched along directions in which the likelihood hardly changes:
factors may be turned and scaled against loadings, and levels shifted between path, loadings and biases. A proposal that
aims at one point of them would almost never reach the point where the chain happens to be, and the reverse of a split
would have no chance. Loadings :math:`C` of the nodes are therefore drawn with the columns independent and

.. math:: C_{\cdot f} \sim N\bigl(0, \hat C \hat C^\top + \tau^2 1 1^\top + \sigma^2 I\bigr),

which is the same in all rotations of the factors and broad in their scale; biases along :math:`1` and
:math:`\hat C`; and the path given them by Laplace's method, which follows whatever orientation the loadings have. All
densities are exact, so that the ratio of Metropolis and Hastings is.

Jain and Neal (2007), doi:10.1214/07-BA219, prepare a proposal by a launch state that does not depend on what is
replaced; here the launch alternates between loadings, path and members of the new cluster.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.linalg import solve_triangular
from scipy.ndimage import uniform_filter1d
from scipy.special import expit

from dynome.inference.biclustering.dynamics import Conjugate, PathStatistics, conjugate, path_statistics
from dynome.inference.biclustering.expansions import expansion
from dynome.inference.biclustering.laplace import evidence
from dynome.inference.biclustering.model import Array, Data, Dynamics, Hyper, Labels, State
from dynome.inference.biclustering.observations import predictor
from dynome.inference.biclustering.paths import draw_latent, latent_mean, statistics

_SMOOTHING_BINS = 9
_LARGEST_LOG_ODDS = 6.0
_LEVEL_SD = 0.3  # of shifts between the level of a path and the biases of its nodes
_NEWTON_STEPS = 4
_TRUSTED_BINS = 2.0  # more was measured to be accepted less often
_FARTHEST_STEP = 2.0


class Pair(NamedTuple):
    """A node that stays, one that leads the new cluster, and all nodes that either may have.

    Attributes
    ----------
    keeper, leader : int
    nodes : (n_pair_node,)
        Of both clusters, in increasing order; with `keeper` and `leader`.
    """

    keeper: int
    leader: int
    nodes: Labels


class Launch(NamedTuple):
    """Where a split begins: a path, and the probability that a node goes along."""

    path: Array
    probability: Array


class PathProposal(NamedTuple):
    """The normal distribution of a path that Laplace's method gives."""

    precision: Array
    linear: Array


def launched(
    pair: Pair, current: State, data: Data, hyper: Hyper, rng: np.random.Generator, *, temperature: float
) -> Launch:
    """Prepare a split from the data and from what it leaves alone.

    Parameters
    ----------
    pair : Pair
    current : State
        Only its states and dispersions are read.
    data, hyper
    rng : numpy Generator
    temperature : float

    Returns
    -------
    Launch
    """
    part, state = _of(data, pair.nodes), current.state
    dispersion = current.dispersion[pair.nodes]
    signals = _smoothed(part)
    keeper, leader = (int(np.searchsorted(pair.nodes, i)) for i in (pair.keeper, pair.leader))
    members = signals @ signals[leader] > signals @ signals[keeper]
    members[keeper], members[leader] = False, True
    paths = [_first_path(signals, side, hyper.n_factors) for side in (~members, members)]
    nothing = np.zeros_like(paths[0][:1])
    both = [_expected_dynamics(nothing, state[:1], np.array([0, 1]), hyper)] * 2
    odds = np.zeros(members.size)
    for _ in range(hyper.split_launches):
        for k, side in enumerate((np.flatnonzero(~members), np.flatnonzero(members))):
            paths[k] = _refined(paths[k], both[k], _of(part, side), dispersion[side], state, hyper, rng, temperature)
            both[k] = _expected_dynamics(paths[k], state, data.starts, hyper)
        fit = evidence(part, np.concatenate(paths, axis=1), dispersion, hyper, temperature=temperature)
        odds = fit.log_evidence[:, 1] - fit.log_evidence[:, 0]
        members = odds > 0
        members[keeper], members[leader] = False, True
    probability = expit(np.clip(odds, -_LARGEST_LOG_ODDS, _LARGEST_LOG_ODDS))
    probability[keeper], probability[leader] = 0.0, 1.0
    return Launch(paths[1], probability)


class LoadingProposal(NamedTuple):
    """Normal distributions of the biases and of every column of the loadings of the nodes that move."""

    path: Array
    bias: Array
    bias_factor: Array
    loading: Array
    loading_factor: Array


def loading_proposal(
    launch: Launch,
    nodes: Labels,
    current: State,
    data: Data,
    hyper: Hyper,
    rng: np.random.Generator,
    *,
    temperature: float,
) -> LoadingProposal:
    """Where the biases and loadings of these nodes are drawn from.

    Parameters
    ----------
    launch : Launch
    nodes : (n_moved,)
    current, data, hyper, rng, temperature
        As in `launched`.

    Returns
    -------
    LoadingProposal
    """
    part, dispersion = _of(data, nodes), current.dispersion[nodes]
    dynamics = _expected_dynamics(launch.path, current.state, data.starts, hyper)
    path = _refined(launch.path, dynamics, part, dispersion, current.state, hyper, rng, temperature)
    fit = evidence(part, path, dispersion, hyper, temperature=temperature)
    inverse = np.linalg.inv(fit.factor[:, 0])
    mean, spread = fit.mean[:, 0], inverse.swapaxes(1, 2) @ inverse
    bias, loading = mean[:, 0], mean[:, 1:]
    common = _LEVEL_SD**2 * (np.ones((nodes.size, nodes.size)) + loading @ loading.T)
    of_bias = np.linalg.cholesky(common + np.diag(spread[:, 0, 0]))
    p = loading.shape[1]
    of_loading: Array = np.empty((nodes.size, 0))
    if p:
        noise = np.einsum("iff->i", spread[:, 1:, 1:]) / p
        ones = _LEVEL_SD**2 * np.ones((nodes.size, nodes.size))
        of_loading = np.asarray(np.linalg.cholesky(loading @ loading.T + ones + np.diag(noise)), np.float64)
    return LoadingProposal(path, bias, of_bias, loading, of_loading)


def draw_loadings(proposal: LoadingProposal, rng: np.random.Generator) -> Array:
    """Biases and loadings, (n_moved, 1 + n_factor)."""
    n, p = proposal.loading.shape
    bias = proposal.bias + proposal.bias_factor @ rng.normal(size=n)
    return np.column_stack([bias, proposal.loading_factor @ rng.normal(size=(n, p))] if p else [bias])


def log_loading_density(coefficient: Array, proposal: LoadingProposal) -> float:
    """Log density of biases and loadings."""
    total = _log_normal(coefficient[:, :1] - proposal.bias[:, None], proposal.bias_factor)
    if coefficient.shape[1] > 1:
        total += _log_normal(coefficient[:, 1:], proposal.loading_factor)
    return total


def dynamics_proposal(
    coefficient: Array, proposal: LoadingProposal, state: Labels, starts: Labels, hyper: Hyper
) -> tuple[Array, Conjugate]:
    """Where the dynamics that shape the new path are drawn from.

    They follow from the launch path, turned to the orientation that the loadings have, with as much certainty as a few
    bins would give: the roughness of one path says little about that of another.

    Parameters
    ----------
    coefficient : (n_moved, 1 + n_factor)
    proposal : LoadingProposal
    state : (n_bin,)
    starts : (n_sequence + 1,)
    hyper : Hyper

    Returns
    -------
    path : (n_bin, 1, 1 + n_factor)
        The turned path.
    density : Conjugate
    """
    path = proposal.path.copy()
    if coefficient.shape[1] > 1:
        turn = np.linalg.lstsq(coefficient[:, 1:], proposal.loading, rcond=1e-2)[0]
        path[:, 0, 1:] = path[:, 0, 1:] @ turn.T
    found = path_statistics(path, state, starts, hyper, hyper.n_states)
    trust = np.minimum(1.0, _TRUSTED_BINS / np.maximum(found.entered, 1.0))
    return path, conjugate(PathStatistics(trust * found.entered, trust[:, None, None, None] * found.gram), hyper)


def dynamics_density(path: Array, state: Labels, starts: Labels, hyper: Hyper) -> Conjugate:
    """Density of the dynamics of a path by itself."""
    return conjugate(path_statistics(path, state, starts, hyper, hyper.n_states), hyper)


def path_proposal(
    path: Array,
    dynamics: Dynamics,
    coefficient: Array,
    nodes: Labels,
    current: State,
    data: Data,
    *,
    temperature: float,
) -> PathProposal:
    """Laplace's normal distribution of the path, given its dynamics and the coefficients of its nodes.

    Parameters
    ----------
    path : (n_bin, 1, 1 + n_factor)
        Where Newton's method begins.
    dynamics : Dynamics
    coefficient : (n_moved, 1 + n_factor)
    nodes : (n_moved,)
    current, data, temperature
        As in `launched`.

    Returns
    -------
    PathProposal
    """
    part, dispersion = _of(data, nodes), current.dispersion[nodes]
    return PathProposal(*_mode(path, coefficient, part, dispersion, current.state, dynamics, temperature)[1:])


def _of(data: Data, nodes: Labels) -> Data:
    return Data(np.ascontiguousarray(data.y[nodes]), data.starts, data.law)


def _refined(
    path: Array,
    dynamics: Dynamics,
    part: Data,
    dispersion: Array,
    state: Labels,
    hyper: Hyper,
    rng: np.random.Generator,
    temperature: float,
) -> Array:
    """A path drawn given the coefficients that are best on `path`; the mode itself would be smoother than any path."""
    coefficient = evidence(part, path, dispersion, hyper, temperature=temperature).mean[:, 0]
    _, precision, linear = _mode(path, coefficient, part, dispersion, state, dynamics, temperature)
    return draw_latent(precision, linear, state, dynamics, part.starts, rng)


def _expected_dynamics(path: Array, state: Labels, starts: Labels, hyper: Hyper) -> Dynamics:
    """Mean of the dynamics of one path."""
    found = dynamics_density(path, state, starts, hyper)
    spare = found.degrees - found.scale.shape[-1] - 1
    return Dynamics(found.mean[..., :-1], found.mean[..., -1], found.scale / spare[:, None, None, None])


def _mode(
    path: Array,
    coefficient: Array,
    part: Data,
    dispersion: Array,
    state: Labels,
    dynamics: Dynamics,
    temperature: float,
) -> tuple[Array, Array, Array]:
    """Newton's method for a path; its last expansion. Stopping early costs acceptance, not exactness."""
    alone = np.zeros(part.y.shape[0], np.int64)
    for _ in range(_NEWTON_STEPS):
        psi = predictor(coefficient, path, alone)
        work = expansion(part, psi, dispersion, temperature=temperature)
        precision, linear = statistics(work, coefficient, alone, 1)
        step = latent_mean(precision, linear, state, dynamics, part.starts) - path
        path = path + step * min(1.0, _FARTHEST_STEP / max(float(np.abs(step).max()), 1e-300))
    return path, precision, linear


def _smoothed(part: Data) -> Array:
    """Standardised smooth activity of nodes, which says who resembles whom."""
    missing = np.isnan(part.y)
    count = np.maximum((~missing).sum(1, keepdims=True), 1)
    y = np.where(missing, np.nansum(part.y, 1, keepdims=True) / count, part.y)
    smooth: Array = uniform_filter1d(y, _SMOOTHING_BINS, axis=1, mode="nearest")
    if part.law != "gaussian":
        smooth = np.log(smooth + 0.1 * smooth.mean(1, keepdims=True) + 1e-3)
    smooth = smooth - smooth.mean(1, keepdims=True)
    size = np.linalg.norm(smooth, axis=1, keepdims=True)
    return np.asarray(smooth / np.maximum(size, 1e-12))


def _first_path(signals: Array, members: Labels, n_factors: int) -> Array:
    rows = signals[members] * np.sqrt(signals.shape[1])
    common = rows.mean(0)
    _, size, modes = np.linalg.svd(rows - common, full_matrices=False)
    path = np.zeros((signals.shape[1], 1, 1 + n_factors))
    path[:, 0, 0] = 0.5 * common
    n = min(n_factors, size.size)
    path[:, 0, 1 : 1 + n] = 0.5 * (size[:n, None] * modes[:n]).T / np.sqrt(rows.shape[0])
    return path


def _log_normal(deviation: Array, factor: Array) -> float:
    """Sum over columns of the log density of a normal with this Cholesky factor of the covariance."""
    scaled = solve_triangular(factor, deviation, lower=True)
    n, columns = deviation.shape
    half_log_determinant = np.log(np.diag(factor)).sum()
    return float(-0.5 * (scaled**2).sum() - columns * (half_log_determinant + 0.5 * n * np.log(2 * np.pi)))
