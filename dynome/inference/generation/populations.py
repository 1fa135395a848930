"""A population of log-correlation vectors: mean, effects of conditions, few shared directions, noise of each pair.

People are few and pairs are many. The variance along the main directions of the people at hand is therefore larger than
that of other people along the same directions; here it is measured on people who were left out, and the noise is what
then lacks of the variance of each pair. Draws have neither too little variance nor too much of it in few directions.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular

from dynome.inference.generation.log_correlation import matrices_of, pair_positions

Array = NDArray[np.float64]

_MOST = 40  # directions that are looked at
_FOLDS = 10
_PENALTIES = np.logspace(-3, 2, 16)
_LEAST_NOISE = 0.05  # share of the variance of a pair


class Population(NamedTuple):
    """What people have in common and how they differ.

    Attributes
    ----------
    mean : (n_pair,)
    center : (n_column,)
        Mean of each column of the conditions.
    trend : (n_column, n_pair)
        Effects of the conditions, shrunk so that they predict left-out people best: for draws.
    loadings : (n_component, n_pair)
        Change with a score of 1; scores have variance 1.
    projection : (n_component, n_pair)
        ``(vectors - expected) @ projection.T`` are the scores.
    noise : (n_pair,)
        Standard deviation around all this.
    modes : (n_node, n_mode)
        Eigenvectors of the mean; as many modes as nodes.
    mode_noise : (n_mode, n_mode)
        Standard deviation of the noise between modes, up to a factor of each pair that gives `noise`. Noise of a
        finite scan is not independent between pairs that share a node; between modes it nearly is.
    """

    mean: Array
    center: Array
    trend: Array
    loadings: Array
    projection: Array
    noise: Array
    modes: Array
    mode_noise: Array

    def expected(self, columns: Array) -> Array:
        """What is expected of people with these conditions, (n, n_pair)."""
        return np.asarray(self.mean + (columns - self.center) @ self.trend)

    def noise_draws(self, n: int, rng: np.random.Generator) -> Array:
        """Noise of so many people, (n, n_pair)."""
        size = len(self.modes)
        draws = np.tril(rng.standard_normal((n, size, size)))
        draws += np.tril(draws, -1).swapaxes(1, 2)
        rows, columns = pair_positions(size)
        mixed = (self.modes @ (draws * self.mode_noise) @ self.modes.T)[:, rows, columns]
        return np.asarray(mixed * self.noise / _mode_spread(self.modes, self.mode_noise))

    def noise_root(self) -> Array:
        """Cholesky factor of the covariance of the noise, (n_pair, n_pair)."""
        rows, columns = pair_positions(len(self.modes))
        first, second = np.tril_indices(len(self.modes))
        u = self.modes
        basis = u[rows][:, first] * u[columns][:, second] + u[rows][:, second] * u[columns][:, first]
        basis[:, first == second] /= 2
        basis *= self.mode_noise[first, second] * (self.noise / _mode_spread(u, self.mode_noise))[:, None]
        return np.asarray(np.linalg.cholesky(basis @ basis.T))


def population(vectors: Array, columns: Array, n_components: int | None, rng: np.random.Generator) -> Population:
    r"""Fit a population.

    Parameters
    ----------
    vectors : (n, n_pair)
        At least 8 people, no NaN.
    columns : (n, n_column)
        Conditions; none is fine.
    n_components : int or None
        Directions to keep; None keeps those along which people who were left out vary more than the noise.
    rng : Generator
        Deals people into folds.

    Returns
    -------
    Population

    Notes
    -----
    Pairs are scaled to variance 1 within conditions. Effects are a ridge regression whose penalty has the smallest
    leave-one-out error over all pairs. Directions V are the principal components of what is left; their variances
    :math:`\lambda` are those of left-out people along directions found without them [1]_. The model is
    :math:`V \operatorname{diag}(d) V^T + \Psi` with :math:`d_i = \lambda_i - v_i^T \operatorname{diag}(\psi) v_i` and
    variances :math:`\psi` such that every pair keeps its own. The noise is independent between modes k and l, the
    eigenvectors of the mean, with variance :math:`e^{a + b_k + b_l}` (on the diagonal times a constant).

    References
    ----------
    .. [1] Bartz, arXiv:1611.00798 (cross-validated eigenvalues); the model is a factor analysis.
    """
    n, q = columns.shape
    mean, center = vectors.mean(axis=0), columns.mean(axis=0)
    z = columns - center
    spread = np.sqrt(np.mean(z**2, axis=0))
    z = z / spread
    plain = vectors - mean - z @ _ridge(z, vectors - mean, 0.0)
    scale = np.sqrt((plain**2).sum(axis=0) / max(n - 1 - q, 1))
    scale = np.maximum(scale, 1e-8 * max(float(scale.max()), 1e-300))
    y = (vectors - mean) / scale
    penalty = _penalty(z, y)
    trend = _ridge(z, y, penalty)
    rest = y - z @ trend
    variance = (rest**2).sum(axis=0) / max(n - 1 - _freedom(z, penalty), 1)
    count = min(_MOST if n_components is None else n_components, n // 3, y.shape[1])
    axes = np.linalg.svd(rest, full_matrices=False)[2][:count]
    inside = np.maximum((rest @ axes.T).std(axis=0), 1e-12)
    outside = _left_out_variances(y, z, penalty, count, rng)
    factor, noise = _split(axes, outside, variance)
    kept = factor > 0 if n_components is None else np.ones(count, dtype=bool)
    kept[0] = True
    factor = factor[kept]
    loadings = np.sqrt(factor)[:, None] * axes[kept] * scale
    modes, mode_noise = _mode_noise(mean, rest * scale, loadings)
    return Population(
        mean=mean,
        center=center,
        trend=trend * scale / spread[:, None],
        loadings=loadings,
        projection=axes[kept] / inside[kept, None] / scale,
        noise=np.sqrt(noise) * scale,
        modes=modes,
        mode_noise=mode_noise,
    )


def log_density(people: Population, vectors: Array, columns: Array, means: Array, covariance: Array) -> Array:
    """Log density of each person's vector, for each of several means of the scores.

    Parameters
    ----------
    people : Population
    vectors : (n, n_pair)
    columns : (n, n_column)
    means : (n, n_draw, n_component)
        Expected scores.
    covariance : (n_component, n_component)
        Of the scores around them, positive definite.

    Returns
    -------
    (n, n_draw)
        In nats.
    """
    factor = people.noise_root()
    white = solve_triangular(
        factor, np.concatenate([vectors - people.expected(columns), people.loadings]).T, lower=True
    )
    rest, loadings = white[:, : len(vectors)].T, white[:, len(vectors) :].T
    seen, gram = rest @ loadings.T, loadings @ loadings.T
    root = np.linalg.cholesky(covariance)
    inner = np.eye(len(root)) + root.T @ gram @ root
    pulled = means @ gram
    left = (seen[:, None] - pulled) @ root
    plain = (rest**2).sum(axis=1)[:, None] - np.einsum("ndk,ndk->nd", means, 2 * seen[:, None] - pulled)
    explained = np.einsum("ndk,kl,ndl->nd", left, np.linalg.inv(inner), left)
    constant = rest.shape[1] * np.log(2 * np.pi) + 2 * np.log(np.diag(factor)).sum() + np.linalg.slogdet(inner)[1]
    return np.asarray(-0.5 * (plain - explained + constant))


def removal(vectors: Array, columns: Array, center: Array) -> Array:
    """Effects of conditions that leave nothing behind: without a penalty, what remains correlates with no column.

    Parameters
    ----------
    vectors : (n, n_pair)
    columns : (n, n_column)
    center : (n_column,)

    Returns
    -------
    (n_column, n_pair)
    """
    z = columns - center
    return np.asarray(np.linalg.lstsq(z, vectors - vectors.mean(axis=0), rcond=None)[0]) if z.size else z.T @ vectors


def _ridge(z: Array, y: Array, penalty: float) -> Array:
    if not z.shape[1]:
        return np.zeros((0, y.shape[1]))
    if not penalty:
        return np.asarray(np.linalg.lstsq(z, y, rcond=None)[0])
    return np.asarray(np.linalg.solve(z.T @ z + penalty * len(z) * np.eye(z.shape[1]), z.T @ y))


def _hat(z: Array, penalty: float) -> Array:
    return np.asarray(z @ np.linalg.solve(z.T @ z + penalty * len(z) * np.eye(z.shape[1]), z.T))


def _freedom(z: Array, penalty: float) -> float:
    return float(np.trace(_hat(z, penalty))) if z.shape[1] else 0.0


def _penalty(z: Array, y: Array) -> float:
    """The penalty of least leave-one-out error, by the shortcut for linear smoothers."""
    if not z.shape[1]:
        return 0.0
    gram = y @ y.T
    errors = []
    for penalty in _PENALTIES:
        hat = _hat(z, penalty) + 1 / len(z)
        left = (np.eye(len(z)) - hat) / (1 - np.diag(hat))[:, None]
        errors.append(float(np.einsum("ij,jk,ik->", left, gram, left, optimize=True)))
    return float(_PENALTIES[int(np.argmin(errors))])


def _left_out_variances(y: Array, z: Array, penalty: float, count: int, rng: np.random.Generator) -> Array:
    """Variance of left-out people along the principal directions of the others, in descending order."""
    n = len(y)
    folds = min(_FOLDS, n)
    fold = rng.permutation(n) % folds
    total = np.zeros(count)
    for k in range(folds):
        out = fold == k
        center, middle = z[~out].mean(axis=0), y[~out].mean(axis=0)
        trend = _ridge(z[~out] - center, y[~out] - middle, penalty)
        rest = y - middle - (z - center) @ trend
        axes = np.linalg.svd(rest[~out], full_matrices=False)[2][:count]
        total[: len(axes)] += ((rest[out] @ axes.T) ** 2).sum(axis=0)
    return np.sort(total / n)[::-1]


def _split(axes: Array, along: Array, variance: Array) -> tuple[Array, Array]:
    """Variance of the factors and of the noise, from that along the axes and that of each pair."""
    squared = axes**2
    factor, noise = along, variance
    for _ in range(50):
        factor = np.maximum(along - squared @ noise, 0.0)
        noise = np.maximum(variance - factor @ squared, _LEAST_NOISE * variance)
    return factor, noise


def _mode_noise(mean: Array, rest: Array, loadings: Array) -> tuple[Array, Array]:
    """Modes, and a smooth standard deviation of the noise between them: what the loadings leave."""
    n_node = round((1 + np.sqrt(1 + 8 * mean.size)) / 2)
    modes = np.linalg.eigh(matrices_of(mean, n_node))[1]
    total, shared = (np.square(modes.T @ matrices_of(x, n_node) @ modes).sum(axis=0) for x in (rest, loadings))
    total /= len(rest)
    log_variance = np.log(np.maximum(total - shared, _LEAST_NOISE * total) + 1e-300)
    off = ~np.eye(n_node, dtype=bool)
    level = log_variance[off].mean()
    each = np.where(off, log_variance - level, 0.0).sum(axis=1) / max(n_node - 2, 1) if n_node > 2 else np.zeros(n_node)
    smooth = level + each[:, None] + each
    smooth[~off] += (np.diag(log_variance) - np.diag(smooth)).mean()
    return modes, np.exp(smooth / 2)


def _mode_spread(modes: Array, mode_noise: Array) -> Array:
    """Standard deviation of each pair when modes have this noise."""
    rows, columns = pair_positions(len(modes))
    both, variance = modes[rows] * modes[columns], mode_noise**2
    own = np.diag(variance)
    between = variance - np.diag(own)
    square = (modes**2 @ between @ (modes**2).T)[rows, columns] + ((both @ between) * both).sum(axis=1)
    return np.asarray(np.sqrt(square + both**2 @ own))
