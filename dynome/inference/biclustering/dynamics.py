r"""Linear dynamics of every state: their conjugate prior, draws, and densities of paths.

A state's dynamics, in each group of latents, have a matrix-normal inverse-Wishart prior,

.. math::
    Q \sim IW(w + \text{extra degrees},\ \text{scale} \cdot I), \qquad
    [A\ b] \mid Q \sim MN([I\ 0],\ Q,\ (\text{matrix precision} \cdot I)^{-1})

so that they can be drawn, or integrated out, from the Gram matrix of the transitions into the state. A transition of
the path is the row :math:`(X_{t-1}, 1, X_t)`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import multigammaln

from dynome.inference.biclustering.model import Array, Dynamics, Hyper, Labels
from dynome.inference.biclustering.sequences import firsts
from dynome.inference.biclustering.transition_loops import add_squares, walk_path

_EPS = np.finfo(float).eps


class PathStatistics(NamedTuple):
    """What a path says about the dynamics of every state. Those of disjoint stretches add up.

    Attributes
    ----------
    entered : (n_state,)
        Transitions into the state.
    gram : (n_state, n_group, 2 * width + 1, 2 * width + 1)
        Sum of the outer products of (latent before, 1, latent).
    """

    entered: Array
    gram: Array


class Conjugate(NamedTuple):
    """Parameters of the matrix-normal inverse-Wishart density of every state and group.

    Attributes
    ----------
    mean : (..., width, width + 1)
        Of [A b].
    precision : (..., width + 1, width + 1)
        Of the columns of [A b], in units of the noise.
    scale : (..., width, width)
    degrees : (n_state,)
    """

    mean: Array
    precision: Array
    scale: Array
    degrees: Array


def n_groups(n_clusters: int, hyper: Hyper) -> int:
    """Groups of latents that are independent given the states."""
    return 1 if hyper.coupled else n_clusters


def path_statistics(latent: Array, state: Labels, starts: Labels, hyper: Hyper, n_states: int) -> PathStatistics:
    """Count and Gram matrix of the transitions into every state.

    Parameters
    ----------
    latent : (n_bin, n_cluster, q)
    state : (n_bin,)
    starts : (n_sequence + 1,)
        Nothing enters the first bin of a sequence.
    hyper : Hyper
    n_states : int

    Returns
    -------
    PathStatistics
    """
    x = latent.reshape(state.size, n_groups(latent.shape[1], hyper), -1).swapaxes(0, 1)
    n_group, _, width = x.shape
    gram = np.zeros((n_states, n_group, 2 * width + 1, 2 * width + 1))
    entered = _entered(state, starts, n_states)
    for s, bins in enumerate(entered):
        if bins.size:
            steps = _steps(x, bins)
            np.matmul(steps.swapaxes(-1, -2), steps, out=gram[s])
    return PathStatistics(np.array([float(bins.size) for bins in entered]), gram)


def conjugate(statistics: PathStatistics, hyper: Hyper) -> Conjugate:
    """Density of the dynamics given `statistics`.

    Notes
    -----
    Increments :math:`X_t - X_{t-1}` are regressed on :math:`(X_{t-1}, 1)` with a prior mean of zero: nothing large is
    subtracted from anything large when the path is a slow walk. Rounding that would take the scale below that of the
    prior, which no path can, is undone.
    """
    gram, width = statistics.gram, statistics.gram.shape[-1] // 2
    past, here = slice(0, width + 1), slice(width + 1, None)
    eye = np.eye(width, width + 1)
    precision = gram[..., past, past] + hyper.matrix_precision * np.eye(width + 1)
    cross = gram[..., here, past] - eye @ gram[..., past, past]
    moved = gram[..., here, here] - cross @ eye.T - eye @ gram[..., past, here]
    inverse_root = np.linalg.inv(np.linalg.cholesky(precision))
    white = cross @ inverse_root.swapaxes(-1, -2)
    left = moved - white @ white.swapaxes(-1, -2)
    left = (left + left.swapaxes(-1, -2)) / 2
    if _EPS * width * np.abs(gram).max() > 1e-6 * hyper.noise_scale:
        values, vectors = np.linalg.eigh(left)
        left = (vectors * np.maximum(values, 0.0)[..., None, :]) @ vectors.swapaxes(-1, -2)
    scale = left + hyper.noise_scale * np.eye(width)
    return Conjugate(eye + white @ inverse_root, precision, scale, width + hyper.extra_degrees + statistics.entered)


def draw_dynamics(
    latent: Array, state: Labels, starts: Labels, hyper: Hyper, rng: np.random.Generator, n_states: int
) -> Dynamics:
    """Draw the dynamics of every state given the path; those of a state that is not entered from the prior.

    Parameters
    ----------
    latent, state, starts, hyper, n_states
        As in `path_statistics`.
    rng : numpy Generator

    Returns
    -------
    Dynamics
    """
    return drawn(conjugate(path_statistics(latent, state, starts, hyper, n_states), hyper), rng)


def prior_dynamics(hyper: Hyper, n_clusters: int, rng: np.random.Generator) -> Dynamics:
    """Draw the dynamics of all `hyper.n_states` states from the prior."""
    groups = n_groups(n_clusters, hyper)
    size = 2 * (n_clusters // groups) * (1 + hyper.n_factors) + 1
    nothing = PathStatistics(np.zeros(hyper.n_states), np.zeros((hyper.n_states, groups, size, size)))
    return drawn(conjugate(nothing, hyper), rng)


def drawn(density: Conjugate, rng: np.random.Generator) -> Dynamics:
    """Draw dynamics of every state and group (Bartlett's decomposition for the noise)."""
    n_state, n_group, width, _ = density.mean.shape
    bartlett = np.tril(rng.standard_normal((n_state, n_group, width, width)), -1)
    degrees = np.broadcast_to(density.degrees[:, None, None] - np.arange(width), (n_state, n_group, width))
    bartlett[..., range(width), range(width)] = np.sqrt(rng.chisquare(degrees))
    root = np.linalg.cholesky(density.scale) @ np.linalg.inv(bartlett).swapaxes(-1, -2)
    columns = np.linalg.inv(np.linalg.cholesky(density.precision))
    values = density.mean + root @ rng.standard_normal(density.mean.shape) @ columns
    return Dynamics(values[..., :width].copy(), values[..., width].copy(), root @ root.swapaxes(-1, -2))


def log_dynamics_prior(dynamics: Dynamics, hyper: Hyper) -> float:
    """Log density of the dynamics of all states under their prior, with respect to A, b and the noise's entries."""
    n_state, n_group, width = dynamics.offset.shape
    size = 2 * width + 1
    nothing = PathStatistics(np.zeros(n_state), np.zeros((n_state, n_group, size, size)))
    return log_density(dynamics, conjugate(nothing, hyper))


def log_density(dynamics: Dynamics, density: Conjugate) -> float:
    """Log density of the dynamics of all states, with respect to A, b and the noise's entries."""
    width = dynamics.offset.shape[-1]
    inverse_root = np.linalg.inv(np.linalg.cholesky(dynamics.noise))
    log_root = np.log(np.diagonal(inverse_root, axis1=-2, axis2=-1)).sum(-1)
    nu = density.degrees[:, None]
    spread = inverse_root @ density.scale @ inverse_root.swapaxes(-1, -2)
    noise = (
        nu / 2 * np.linalg.slogdet(density.scale)[1]
        - nu * width / 2 * np.log(2)
        - multigammaln(nu / 2, width)
        + (nu + width + 1) * log_root
        - np.trace(spread, axis1=-2, axis2=-1) / 2
    )
    off = np.concatenate([dynamics.matrix, dynamics.offset[..., None]], -1) - density.mean
    white = inverse_root @ off @ np.linalg.cholesky(density.precision)
    columns = (
        width / 2 * np.linalg.slogdet(density.precision)[1]
        + (width + 1) * log_root
        - np.sum(white**2, axis=(-2, -1)) / 2
        - width * (width + 1) / 2 * np.log(2 * np.pi)
    )
    return float(np.sum(noise + columns))


def log_path(latent: Array, state: Labels, dynamics: Dynamics, starts: Labels) -> float:
    """Log density of a path given its dynamics, the first bins included."""
    entered = _entered(state, starts, len(dynamics.matrix))
    used = np.flatnonzero([bins.size for bins in entered])
    whitened = _whitening(Dynamics(*(part[used] for part in dynamics)))
    x = latent.reshape(state.size, *dynamics.offset.shape[1:]).swapaxes(0, 1)
    total = _log_first(latent, starts)
    for k, s in enumerate(used):
        white = _steps(x, entered[s]) @ whitened.matrix[k].swapaxes(-1, -2)
        total += entered[s].size * float(whitened.constant[k]) - 0.5 * float(np.sum(white**2))
    return total


def log_path_prior(latent: Array, state: Labels, starts: Labels, hyper: Hyper) -> float:
    """Log density of a path with the dynamics of every state integrated out (matrix t).

    Parameters
    ----------
    latent : (n_bin, n_cluster, q)
        Any number of clusters: a birth or a death compares two of them.
    state : (n_bin,)
    starts : (n_sequence + 1,)
    hyper : Hyper

    Returns
    -------
    float
        Nats, the first bins included.
    """
    n_states = int(state.max()) + 1
    statistics = path_statistics(latent, state, starts, hyper, n_states)
    return float(log_transitions_prior(statistics, hyper).sum() + _log_first(latent, starts))


def log_transitions_prior(statistics: PathStatistics, hyper: Hyper) -> Array:
    """Log density of the transitions into every state, (n_state,), with the dynamics integrated out."""
    width = statistics.gram.shape[-1] // 2
    density = conjugate(statistics, hyper)
    before, after = width + hyper.extra_degrees, density.degrees[:, None]
    value = (
        multigammaln(after / 2, width)
        - multigammaln(before / 2, width)
        + before / 2 * width * np.log(hyper.noise_scale)
        - after / 2 * np.linalg.slogdet(density.scale)[1]
        + width / 2 * (width + 1) * np.log(hyper.matrix_precision)
        - width / 2 * np.linalg.slogdet(density.precision)[1]
        - statistics.entered[:, None] * width / 2 * np.log(np.pi)
    )
    return np.asarray(value.sum(-1))


def step_log_density(latent: Array, dynamics: Dynamics, starts: Labels) -> Array:
    """Log density of every bin given the one before it, under every state.

    Parameters
    ----------
    latent : (n_bin, n_cluster, q)
    dynamics : Dynamics
    starts : (n_sequence + 1,)

    Returns
    -------
    (n_bin, n_state)
        Zero in the first bin of a sequence, which no state explains.
    """
    whitened = _whitening(dynamics)
    n_state, n_group, width = dynamics.offset.shape
    out = np.zeros((len(latent), n_state))
    columns = np.ascontiguousarray(whitened.matrix.transpose(1, 2, 3, 0))
    grouped = np.ascontiguousarray(latent).reshape(-1, n_group, width)
    add_squares(grouped, firsts(starts), columns, out)
    out += whitened.constant
    out[starts[:-1]] = 0.0
    return out


def draw_path(state: Labels, dynamics: Dynamics, starts: Labels, rng: np.random.Generator) -> Array:
    """Draw a path from the model alone.

    Parameters
    ----------
    state : (n_bin,)
    dynamics : Dynamics
    starts : (n_sequence + 1,)
    rng : numpy Generator

    Returns
    -------
    (n_bin, n_group, width)
        Reshape it to (n_bin, n_cluster, q).
    """
    root = np.linalg.cholesky(dynamics.noise)
    out = rng.standard_normal((state.size, *dynamics.offset.shape[1:]))
    walk_path(out, state, firsts(starts), dynamics.matrix, dynamics.offset, root)
    return out


class _Whitening(NamedTuple):
    """What makes standard normal noise of a transition (before, 1, here), and the log density at none."""

    matrix: Array  # (n_state, n_group, width, 2 * width + 1)
    constant: Array  # (n_state,)


def _whitening(dynamics: Dynamics) -> _Whitening:
    inverse_root = np.linalg.inv(np.linalg.cholesky(dynamics.noise))
    moved = inverse_root @ np.concatenate([dynamics.matrix, dynamics.offset[..., None]], -1)
    log_root = np.log(np.diagonal(inverse_root, axis1=-2, axis2=-1)).sum((-2, -1))
    size = dynamics.offset[0].size
    return _Whitening(np.concatenate([-moved, inverse_root], -1), log_root - size / 2 * np.log(2 * np.pi))


def _steps(x: Array, bins: Labels) -> Array:
    """Rows (before, 1, here) of the transitions into `bins`; x has the group first."""
    return np.concatenate([x[:, bins - 1], np.ones((len(x), bins.size, 1)), x[:, bins]], -1)


def _entered(state: Labels, starts: Labels, n_states: int) -> list[Labels]:
    """Bins that enter each state, in their order."""
    bins = np.flatnonzero(~firsts(starts))
    order = bins[np.argsort(state[bins], kind="stable")]
    return np.split(order, np.cumsum(np.bincount(state[bins], minlength=n_states))[:-1])


def _log_first(latent: Array, starts: Labels) -> float:
    x = latent[starts[:-1]]
    return float(-0.5 * np.sum(x**2) - 0.5 * x.size * np.log(2 * np.pi))
