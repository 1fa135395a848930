"""Damped Fisher scoring: one step for every (state, target) at once.

A sibling for many features, which never forms their information matrices, is
:mod:`dynome.dynamics.glm.preconditioned`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dynome.dynamics.glm.passes import Curvature

Array = NDArray[np.float64]

_DAMPING = (1e-10, 1e-8, 1e-6, 1e-4, 1e-2)  # of the diagonal; the first that makes the matrix positive definite
DEAD = 1e-100  # diagonal entry of a feature that is 0 in every bin that a state has


class Penalty(NamedTuple):
    """Minus the log of a Gaussian prior: ``0.5 * precision * (coefficient - mean) ** 2``.

    Attributes
    ----------
    mean, precision : (n_state, n_node, n_feature)
        Precision 0 is no prior.
    """

    mean: Array
    precision: Array


class Direction(NamedTuple):
    """Where to go.

    Attributes
    ----------
    step : (n_state, n_node, n_feature)
        Change of the coefficients; 0 where they are not free.
    slope : (n_state, n_node)
        Gain of the penalised log likelihood that the gradient promises for it, never negative (with a shared bias:
        the sum over states is).
    """

    step: Array
    slope: Array


def direction(
    curvature: Curvature, coefficient: Array, penalty: Penalty, free: NDArray[np.bool_], *, shared_bias: bool
) -> Direction:
    r"""One damped Fisher step up the penalised log likelihood.

    Parameters
    ----------
    curvature : Curvature
        At `coefficient`.
    coefficient : (n_state, n_node, n_feature)
        Where to step from.
    penalty : Penalty
        Prior on the coefficients.
    free : (n_node, n_feature) bool
        Coefficients that may change.
    shared_bias : bool
        Whether a target has one bias for all states. Then its states are one problem: the step is exact for all of
        them together, and whether the objective fell is to be asked of its sum over states. The prior on the bias
        counts once a state.

    Returns
    -------
    Direction

    Notes
    -----
    Solves :math:`(I + \mathrm{diag}(\tau))\,\delta = u - \tau (\beta - m)`. The matrix is scaled to a unit
    diagonal, and gets as much of the identity (Levenberg and Marquardt, doi:10.1137/0111030) as it needs to be safely
    positive definite: 1e-10, or up to 1e-2 where features are collinear. A feature without any curvature stays where
    it is. A step that would change the predictor by more than ``curvature.reach`` (root mean square over bins,
    weighted by their information) is shortened to that, so that one step never explodes.
    """
    g = np.where(free, curvature.score - penalty.precision * (coefficient - penalty.mean), 0.0)
    a = curvature.information.copy()
    diagonal = np.einsum("snpp->snp", a)
    diagonal += penalty.precision
    a *= free[None, :, :, None] & free[None, :, None, :]
    step = (_together if shared_bias else _apart)(a, g)
    step *= _shortened(curvature, step, shared_bias)[:, :, None]
    return Direction(step, np.einsum("snp,snp->sn", g, step))


def _apart(a: Array, g: Array) -> Array:
    return _solved(a, g[..., None])[..., 0]


def _together(a: Array, g: Array) -> Array:
    """Steps of problems that share their first coefficient: eliminate the others, solve for it, put it back."""
    arm = a[:, :, 1:, 0]
    alone, per_bias = np.moveaxis(_solved(a[:, :, 1:, 1:], np.stack([g[:, :, 1:], arm], axis=-1)), -1, 0)
    total = a[:, :, 0, 0].sum(axis=0)
    own = np.maximum(total - (arm * per_bias).sum(axis=(0, 2)), _DAMPING[0] * total)
    need = g[:, :, 0].sum(axis=0) - (arm * alone).sum(axis=(0, 2))
    bias = np.broadcast_to(np.where(own > 0, need / np.where(own > 0, own, 1.0), 0.0), g.shape[:2])[:, :, None]
    return np.concatenate([bias, alone - per_bias * bias], axis=2)


def _solved(a: Array, right: Array) -> Array:
    """Solutions of ``a @ x = right``, scaled to a unit diagonal and damped; 0 where the diagonal is."""
    diagonal = np.einsum("snpp->snp", a)
    alive = diagonal > DEAD
    scale = np.where(alive, 1 / np.sqrt(np.where(alive, diagonal, 1.0)), 0.0)
    unit = a * scale[:, :, :, None] * scale[:, :, None, :]
    np.einsum("snpp->snp", unit)[...] = 1.0
    return np.asarray(_substituted(_factor(unit), right * scale[..., None]) * scale[..., None])


def _shortened(curvature: Curvature, step: Array, shared_bias: bool) -> Array:
    """By how much to shorten the steps: ``(n_state, n_node)``, at most 1."""
    if not np.isfinite(curvature.reach):
        return np.ones(step.shape[:2])
    square = np.einsum("snp,snpq,snq->sn", step, curvature.information, step, optimize=True)
    total = curvature.information[:, :, 0, 0]
    change = np.sqrt(np.maximum(square, 0) / np.where(total > 0, total, np.inf))
    if shared_bias:
        change = np.broadcast_to(change.max(axis=0), change.shape)
    return np.asarray(curvature.reach / np.maximum(change, curvature.reach))


def _factor(a: Array) -> Array:
    """Cholesky factors of a stack of matrices with a unit diagonal, each damped as little as it needs."""
    try:
        return np.asarray(np.linalg.cholesky(a + _DAMPING[0] * np.eye(a.shape[-1])), float)
    except np.linalg.LinAlgError:
        return np.stack([[damped_factor(m) for m in row] for row in a])


def damped_factor(a: Array) -> Array:
    """Cholesky factor of a matrix with a unit diagonal, with as much of the identity added as it needs."""
    identity = np.eye(a.shape[0])
    for damping in _DAMPING:
        try:
            return np.asarray(np.linalg.cholesky(a + damping * identity), float)
        except np.linalg.LinAlgError:
            continue
    return np.asarray(np.sqrt(a.shape[0]) * identity)


@njit(cache=True)
def _substituted(factor, right):  # type: ignore[no-untyped-def]
    """Solutions of ``factor @ factor.T @ x = right`` for stacks of lower triangles."""
    n_state, n_node, n, m = right.shape
    out = right.copy()
    for s in range(n_state):
        for t in range(n_node):
            low, x = factor[s, t], out[s, t]
            for k in range(m):
                for i in range(n):
                    v = x[i, k]
                    for j in range(i):
                        v -= low[i, j] * x[j, k]
                    x[i, k] = v / low[i, i]
                for i in range(n - 1, -1, -1):
                    v = x[i, k] / low[i, i]
                    x[i, k] = v
                    for j in range(i):
                        x[j, k] -= low[i, j] * v
    return out
