"""Fisher steps for many features: conjugate gradients, with one preconditioner for all targets of a state.

With 1500 features and 300 targets, an information matrix for every (state, target) is out of reach. But the matrices
of a state differ only in how they weight the bins: their mean over targets is one matrix a state, and each of them is
near to a multiple of it. It preconditions conjugate gradients on the exact information, of which two iterations do
most of a Fisher step. All (state, target) problems advance together, with one pass over the bins an iteration.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from dynome.dynamics.glm.fisher import DEAD, Direction, Penalty, damped_factor
from dynome.dynamics.glm.passes import Floats, Part, Problem, derivatives, parts, shaped, shaping_weight, trust

Array = NDArray[np.float64]

_MINOR = 0.05  # of the weight of a state: the bins that belong to it least, and do not shape its curvature
_KEPT = 2**30  # bytes of weights of bins that are kept for products with the information
_ITERATIONS = 2  # of conjugate gradients
_SOLVED = 1e-18  # of the first residual, squared: what is left is rounding


class SharedCurvature(NamedTuple):
    """Weighted log likelihood of every (state, target), its gradient, and one curvature a state.

    Attributes
    ----------
    value : (n_state, n_node)
        The same as ``Emission.expected``.
    score : (n_state, n_node, n_feature)
        Gradient.
    gram : (n_state, n_feature, n_feature)
        Mean over targets of the Fisher information.
    share : (n_state, n_node)
        Trace of a target's information over the weights of bins, relative to the mean over targets: its information
        is about ``share`` times `gram`.
    total : (n_state, n_node)
        Weight of all bins: the information on the bias.
    major : (n_bin, n_state)
        Weights of the bins that shape the curvature, which stand for the others.
    kept : list of (n_major_bin, n_node), or None
        Information on the predictors in those bins, one a state, where it fits into memory.
    coefficient, dispersion
        Where all this was evaluated.
    """

    value: Array
    score: Array
    gram: Array
    share: Array
    total: Array
    coefficient: Array
    dispersion: Array
    major: Array
    kept: list[Floats] | None


def shared_curvature(problem: Problem, coefficient: Array, dispersion: Array, weight: Array) -> SharedCurvature:
    """Value and gradient of every (state, target), and the mean information of each state.

    Parameters
    ----------
    problem : Problem
        Observations and features.
    coefficient : (n_state, n_node, n_feature)
        Of the predictor.
    dispersion : (n_state, n_node)
        Of the law.
    weight : (n_bin, n_state)
        Probability of each state.

    Returns
    -------
    SharedCurvature
        Memory: one matrix a state; nothing of the size of targets times features squared.
    """
    n_state, n_node, n_feature = coefficient.shape
    value, score, total = np.zeros((n_state, n_node)), np.zeros(coefficient.shape), np.zeros((n_state, n_node))
    gram, major = np.zeros((n_state, n_feature, n_feature)), shaping_weight(problem, weight, _MINOR)
    kept: list[list[Floats]] | None = [[] for _ in range(n_state)]
    if np.count_nonzero(major) * n_node * problem.design.dtype.itemsize > _KEPT:
        kept = None
    for part, slope, info in derivatives(problem, coefficient, dispersion, weight, value):
        s = part.state
        score[s] += slope.T @ part.x
        total[s] += info.sum(axis=0, dtype=float)
        x, shaping = shaped(part, info, major)
        rooted = x * np.sqrt(shaping.mean(axis=1))[:, None]
        gram[s] += rooted.T @ rooted
        if kept is not None:
            kept[s].append(shaping)
    average = total.mean(axis=1, keepdims=True)
    share = np.where(average > 0, total / np.where(average > 0, average, 1.0), 0.0)
    stored = None if kept is None else [np.concatenate(k) if k else np.empty((0, n_node)) for k in kept]
    return SharedCurvature(value, score, gram, share, total, coefficient, dispersion, major, stored)


def preconditioned_direction(
    problem: Problem, curvature: SharedCurvature, penalty: Penalty, *, shared_bias: bool
) -> Direction:
    r"""A step near to the Fisher step up the penalised log likelihood.

    Parameters
    ----------
    problem : Problem
        Observations and features.
    curvature : SharedCurvature
        Where to step from.
    penalty : Penalty
        Prior on the coefficients.
    shared_bias : bool
        Whether a target has one bias for all states; see :func:`dynome.dynamics.glm.fisher.direction`.

    Returns
    -------
    Direction
        The gain it promises is never negative.

    Notes
    -----
    Conjugate gradients on :math:`(I_{sn} + \mathrm{diag}(\tau_{sn}))\,\delta = u_{sn} - \tau_{sn}(\beta_{sn} - m_{sn})`
    with the preconditioner :math:`c_{sn} (G_s + \mathrm{diag}(\bar\tau_s))`, where :math:`G_s` is the mean information
    and :math:`c_{sn}` the share of the target. The bins that belong to a state least, with 5 % of its weight
    together, do not shape its curvature; others stand for them. The gradient is exact.
    """
    free, together = problem.free, _summed if shared_bias else _as_it_is
    apply = _preconditioner(curvature, penalty, free, shared_bias)
    g = np.where(free, curvature.score - penalty.precision * (curvature.coefficient - penalty.mean), 0.0)
    step, along, left, before = np.zeros_like(g), np.zeros_like(g), g.copy(), np.ones(g.shape[:2])
    least = np.zeros(g.shape[:2])
    for _ in range(_ITERATIONS):
        z = apply(left)
        now = together(_inner(left, z))
        now = np.where(now > least, now, 0.0)
        along = z + (now / before)[:, :, None] * along
        bent = np.where(free, _curved(problem, curvature, along) + penalty.precision * along, 0.0)
        bend = together(_inner(along, bent))
        length = np.where(bend > 0, now / np.where(bend > 0, bend, 1.0), 0.0)[:, :, None]
        least = np.maximum(least, _SOLVED * now)
        step, left, before = step + length * along, left - length * bent, np.where(now > 0, now, 1.0)
    square = _inner(step, g - left - penalty.precision * step) / np.where(curvature.total > 0, curvature.total, np.inf)
    change = np.sqrt(np.maximum(square, np.finfo(float).tiny))
    change = np.broadcast_to(change.max(axis=0), change.shape) if shared_bias else change
    step *= np.minimum(trust(problem) / change, 1.0)[:, :, None]
    return Direction(step, _inner(g, step))


def _curved(problem: Problem, curvature: SharedCurvature, along: Array) -> Array:
    """Information of every (state, target) times its own vector."""
    out, vectors = np.zeros_like(along), along.astype(problem.design.dtype)
    for part, info in _informations(problem, curvature):
        out[part.state] += (info * (part.x @ vectors[part.state].T)).T @ part.x
    return out


def _informations(problem: Problem, curvature: SharedCurvature) -> Iterator[tuple[Part, Floats]]:
    """Information on the predictors in the bins that shape the curvature."""
    if curvature.kept is None:
        unused, at = np.zeros(curvature.value.shape), (curvature.coefficient, curvature.dispersion)
        for part, _, info in derivatives(problem, *at, curvature.major, unused):
            yield part, info
        return
    done = [0] * len(curvature.kept)
    for part in parts(problem, curvature.major):
        first, done[part.state] = done[part.state], done[part.state] + part.bins.size
        yield part, curvature.kept[part.state][first : done[part.state]]


def _preconditioner(
    curvature: SharedCurvature, penalty: Penalty, free: NDArray[np.bool_], shared_bias: bool
) -> Callable[[Array], Array]:
    """What divides residuals by the mean information of their state, and by their share of it."""
    matrix = curvature.gram.copy()
    np.einsum("spp->sp", matrix)[...] += penalty.precision.mean(axis=1)
    per_share = np.where(curvature.share > 0, 1 / np.where(curvature.share > 0, curvature.share, 1.0), 0.0)[:, :, None]
    if not shared_bias:
        factors = [_factor(m) for m in matrix]
        return lambda left: np.where(free, _divided(factors, left) * per_share, 0.0)
    factors = [_factor(m[1:, 1:]) for m in matrix]
    arm = _divided(factors, matrix[:, None, 1:, 0])
    own = curvature.share.T @ (matrix[:, 0, 0] - np.einsum("sp,sp->s", arm[:, 0], matrix[:, 1:, 0]))

    def jointly(left: Array) -> Array:
        need = (left[:, :, 0] - np.einsum("smp,snp->sn", arm, left[:, :, 1:])).sum(axis=0)
        bias = np.where(own > 0, need / np.where(own > 0, own, 1.0), 0.0)[None, :, None]
        rest = _divided(factors, left[:, :, 1:]) * per_share - arm * bias
        return np.where(free, np.concatenate([np.broadcast_to(bias, (*left.shape[:2], 1)), rest], axis=2), 0.0)

    return jointly


def _factor(matrix: Array) -> tuple[Array, Array]:
    """Cholesky factor of a damped matrix with a unit diagonal, and what scales it to that."""
    diagonal = matrix.diagonal()
    alive = diagonal > DEAD
    scale = np.where(alive, 1 / np.sqrt(np.where(alive, diagonal, 1.0)), 0.0)
    return damped_factor(matrix * scale[:, None] * scale + np.diag(~alive * 1.0)), scale


def _divided(factors: list[tuple[Array, Array]], left: Array) -> Array:
    return np.stack(
        [
            (scipy.linalg.cho_solve((low, True), (rows * scale).T, check_finite=False) * scale[:, None]).T
            for (low, scale), rows in zip(factors, left, strict=True)
        ]
    )


def _inner(one: Array, other: Array) -> Array:
    return np.asarray(np.einsum("snp,snp->sn", one, other))


def _as_it_is(values: Array) -> Array:
    return values


def _summed(values: Array) -> Array:
    """Sums over the states of a target, which are one problem."""
    return np.broadcast_to(values.sum(axis=0), values.shape)
