"""Covariance that can be inverted, and its inverse.

The sample covariance of a short recording of many nodes is singular. Ledoit and Wolf pull it towards a multiple of
the identity by the amount that the data themselves ask for.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.linalg import lapack

from dynome.dynamics.connectivity.moments import Array


class Shrunk(NamedTuple):
    """A shrunk covariance and how far it was pulled."""

    covariance: Array
    """(n_node, n_node), divided by the number of samples."""
    shrinkage: float
    """0 is the sample covariance, 1 a multiple of the identity."""


def ledoit_wolf(x: Array) -> Shrunk:
    r"""Ledoit-Wolf shrinkage of the covariance of the columns of `x`.

    Parameters
    ----------
    x : (n_time, n_node)
        No NaN.

    Notes
    -----
    :math:`\hat\Sigma = (1-\rho) S + \rho \mu I` with :math:`\mu = \mathrm{tr} S / p` and :math:`\rho` of
    [1]_, lemma 3.3. The sum over all pairs of :math:`\sum_t x_{ti}^2 x_{tj}^2` is
    :math:`\sum_t (\sum_i x_{ti}^2)^2`, so one matrix product does.

    References
    ----------
    .. [1] Ledoit & Wolf, Journal of Multivariate Analysis 2004, doi:10.1016/S0047-259X(03)00096-4.
    """
    n_time, n_node = x.shape
    d = x - x.mean(axis=0)
    sample = d.T @ d / n_time
    mu = np.trace(sample) / n_node
    squared = float(np.einsum("ij,ij->", sample, sample))
    fourth = float(np.square(np.einsum("ti,ti->t", d, d)).sum())
    spread = squared - n_node * mu**2
    noise = min((fourth / n_time - squared) / n_time, spread)
    shrinkage = 0.0 if noise <= 0 or n_node == 1 else noise / spread
    shrunk = (1 - shrinkage) * sample
    shrunk.flat[:: n_node + 1] += shrinkage * mu
    return Shrunk(shrunk, shrinkage)


def inverse(covariance: Array) -> Array:
    """Inverse of a symmetric positive definite matrix, exactly symmetric.

    Parameters
    ----------
    covariance : (n_node, n_node)

    Raises
    ------
    numpy.linalg.LinAlgError
        If it is not positive definite.
    """
    factor, info = lapack.dpotrf(covariance.T, lower=True)
    pivots = np.diag(factor) ** 2
    if info != 0 or pivots.min() <= np.finfo(np.float64).eps * pivots.size * pivots.max():
        raise np.linalg.LinAlgError("covariance is not positive definite")
    lower, _ = lapack.dpotri(factor, lower=True, overwrite_c=True)  # zero above the diagonal, as dpotrf left it
    full: Array = lower + lower.T
    full.flat[:: len(full) + 1] /= 2
    return full


def partial_correlation(precision: Array) -> Array:
    r"""Correlation of each pair when all other nodes are held fixed.

    Parameters
    ----------
    precision : (n_node, n_node)

    Notes
    -----
    :math:`-P_{ij} / \sqrt{P_{ii} P_{jj}}`, and 1 on the diagonal.
    """
    scale = 1 / np.sqrt(np.diag(precision))
    partial: Array = -precision * np.outer(scale, scale)
    np.fill_diagonal(partial, 1.0)
    return partial
