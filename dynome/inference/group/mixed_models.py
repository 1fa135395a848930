"""A linear model in which every animal has a level of its own (random intercept), for many variables at once."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_GRID = np.concatenate([[0.0], np.linspace(0.02, 0.98, 25), [0.995]])
_GOLDEN = (5**0.5 - 1) / 2
_STEPS = 40


class Mixed(NamedTuple):
    """Estimates of all variables.

    Attributes
    ----------
    effect, error : (n_variable,)
        Of the last column, and its standard error.
    correlation : (n_variable,)
        Share of the variance that lies between animals, of two sessions of one (ICC).
    """

    effect: Floats
    error: Floats
    correlation: Floats


class _Sums(NamedTuple):
    xx: Floats  # (p, p)
    xy: Floats  # (p, v)
    yy: Floats  # (v,)
    x: Floats  # (a, p) over the sessions of each animal
    y: Floats  # (a, v)
    size: Floats  # (a,)
    n: int


def random_intercept(y: Floats, x: Floats, block: Ints) -> Mixed:
    r"""Estimates by restricted maximum likelihood.

    Parameters
    ----------
    y : (n_session, n_variable)
        No NaN.
    x : (n_session, n_column)
        Of full rank.
    block : (n_session,)
        Number of the animal, from 0. With one session each, levels cannot be told from noise: least squares.

    Notes
    -----
    :math:`y_{as} = x_{as}\beta + u_a + e_{as}`, :math:`u_a \sim N(0, \sigma_u^2)`, :math:`e \sim N(0, \sigma^2)`. With
    :math:`\lambda = \sigma_u^2 / \sigma^2` and :math:`w_a = \lambda / (1 + n_a \lambda)`, the inverse covariance of an
    animal is :math:`(I - w_a 1 1^T) / \sigma^2`, so that sums over its sessions are enough. The restricted likelihood
    is profiled over :math:`\beta` and :math:`\sigma^2` and maximised over the correlation
    :math:`\lambda / (1 + \lambda)` by a grid and golden sections [1]_.

    References
    ----------
    .. [1] Laird & Ware, Biometrics 1982, doi:10.2307/2529876.

    Examples
    --------
    >>> y = np.array([[1.0], [1.2], [3.0], [3.4]])
    >>> found = random_intercept(y, np.ones((4, 1)), np.array([0, 0, 1, 1]))
    >>> found.effect.round(2), found.correlation.round(2)
    (array([2.15]), array([0.98]))
    """
    sums = _summed(y, x, block)
    if sums.size.max() == 1:
        least = _solved(sums, np.zeros(y.shape[1]))
        return Mixed(least[0], least[1], np.full(y.shape[1], np.nan))
    costs = np.stack([_solved(sums, np.full(y.shape[1], rho))[2] for rho in _GRID])
    best = costs.argmin(axis=0)
    low, high = _GRID[np.maximum(best - 1, 0)], _GRID[np.minimum(best + 1, _GRID.size - 1)]
    high = np.where(best == _GRID.size - 1, 1 - 1e-6, high)
    for _ in range(_STEPS):
        a, b = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
        left = _solved(sums, a)[2] <= _solved(sums, b)[2]
        low, high = np.where(left, low, a), np.where(left, b, high)
    rho = (low + high) / 2
    rho = np.where(_solved(sums, np.zeros_like(rho))[2] <= _solved(sums, rho)[2], 0.0, rho)
    effect, error, _ = _solved(sums, rho)
    return Mixed(effect, error, rho)


def _summed(y: Floats, x: Floats, block: Ints) -> _Sums:
    n_block = int(block.max()) + 1
    own_x, own_y = np.zeros((n_block, x.shape[1])), np.zeros((n_block, y.shape[1]))
    np.add.at(own_x, block, x)
    np.add.at(own_y, block, y)
    size = np.bincount(block).astype(np.float64)
    return _Sums(x.T @ x, x.T @ y, (y**2).sum(axis=0), own_x, own_y, size, y.shape[0])


def _solved(sums: _Sums, rho: Floats) -> tuple[Floats, Floats, Floats]:
    """Effect and error of the last column, and minus twice the restricted log likelihood but for a constant."""
    ratio = rho / (1 - rho)
    w = ratio / (1 + sums.size[:, None] * ratio)
    xx = sums.xx - np.einsum("av,ap,aq->vpq", w, sums.x, sums.x)
    xy = sums.xy.T - np.einsum("av,ap,av->vp", w, sums.x, sums.y)
    yy = sums.yy - (w * sums.y**2).sum(axis=0)
    inverse = np.linalg.inv(xx)
    beta = np.einsum("vpq,vq->vp", inverse, xy)
    free = sums.n - sums.x.shape[1]
    variance = np.maximum((yy - (beta * xy).sum(axis=1)) / free, np.finfo(float).tiny)
    cost = free * np.log(variance) + np.log1p(sums.size[:, None] * ratio).sum(axis=0) + np.linalg.slogdet(xx)[1]
    return beta[:, -1], np.sqrt(variance * inverse[:, -1, -1]), cost
