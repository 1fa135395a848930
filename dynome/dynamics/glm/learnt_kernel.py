"""One kernel over lags for all couplings, learnt given the couplings.

The predictor is linear in the kernel as it is in the couplings, so the same damped Fisher step does for both: the two
take turns.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dynome.dynamics.glm.passes import CERTAIN, Floats, Problem
from dynome.dynamics.glm.pointwise import law_code, link_code, weighted_derivatives

Array = NDArray[np.float64]

_ROWS = 1024
_HALVINGS = 12
_DAMPING = 1e-9


def updated_kernel(problem: Problem, kernel: Array, coefficient: Array, dispersion: Array, weight: Array) -> Array:
    r"""A kernel over lags under which the observations are at least as probable.

    Parameters
    ----------
    problem : Problem
        Whose design has one kernel: coefficient ``1 + m`` is the coupling from source ``m``.
    kernel : (n_lag,)
        Where to start; sums to 1, lag 1 first.
    coefficient : (n_state, n_node, n_feature)
        Bias, couplings and covariates, which stay as they are.
    dispersion : (n_state, n_node)
        Of the law.
    weight : (n_bin, n_state)
        Probability of each state.

    Returns
    -------
    (n_lag,)
        Sums to 1. The weighted log likelihood is never lower than under `kernel`; the prior on the couplings does not
        change, for they do not.

    Notes
    -----
    With :math:`v_{tn} = \sum_m J_{nm}\, y_{tm}`, the predictor is :math:`\eta_{tn} = \sum_l \kappa_l\, v_{t-l,n}` and
    what is not history, so that one Fisher step solves ``n_lag`` equations, under the constraint
    :math:`\sum_l \delta_l = 0`: the scale of kernel and couplings is told by the couplings alone, whose next step
    learns it. A step is halved until the likelihood does not fall. Weights of lags may become negative.
    """
    before, score, information = _moments(problem, kernel, coefficient, dispersion, weight)
    step = _constrained(information, score)
    for k in range(_HALVINGS):
        trial = np.asarray(kernel + step / 2**k)
        if _moments(problem, trial, coefficient, dispersion, weight)[0] >= before:
            return trial
    return kernel


def _constrained(information: Array, score: Array) -> Array:
    """The Fisher step that sums to 0."""
    n = score.size
    if not np.trace(information) > 0:
        return np.zeros(n)
    damped = information + _DAMPING * np.trace(information) / n * np.eye(n)
    free, one = np.linalg.solve(damped, np.stack([score, np.ones(n)], axis=1)).T
    return np.asarray(free - one * free.sum() / one.sum())


def _moments(
    problem: Problem, kernel: Array, coefficient: Array, dispersion: Array, weight: Array
) -> tuple[float, Array, Array]:
    """Weighted log likelihood under a kernel, and its two derivatives by it."""
    law, link, dtype = law_code(problem.law), link_code(problem.link), problem.design.dtype
    value, score, information = np.zeros(problem.design.n_node), np.zeros(kernel.size), np.zeros((kernel.size,) * 2)
    for s, w, y, driven, rest in _driven(problem, kernel.size, coefficient, weight):
        eta = (rest + np.tensordot(kernel, driven, axes=1)).astype(dtype)
        first, second = np.empty_like(eta), np.empty_like(eta)
        weighted_derivatives(law, link, y, eta, w, dispersion[s].astype(dtype), first, second, value)
        _add_products(driven, first, second, score, information)
    return float(value.sum()), score, information + np.triu(information, 1).T


def _driven(
    problem: Problem, n_lag: int, coefficient: Array, weight: Array
) -> Iterator[tuple[int, Floats, Floats, Floats, Floats]]:
    """State, weights, observations, drive at each lag ``(n_lag, bin, node)``, and the rest of the predictor."""
    design = problem.design
    n_node, dtype = design.n_node, design.dtype
    since = np.arange(design.n_bin) - np.repeat(design.starts[:-1], np.diff(design.starts))
    couplings = coefficient[:, :, 1 : 1 + n_node].astype(dtype)
    others = coefficient[:, :, 1 + n_node :].astype(dtype)
    for a in range(0, design.n_bin, _ROWS):
        b, before = min(a + _ROWS, design.n_bin), max(a - n_lag, 0)
        for s in range(weight.shape[1]):
            own = a + np.flatnonzero((weight[a:b, s] >= CERTAIN) & design.usable[a:b])
            if not own.size:
                continue
            drive = design.past[before:b] @ couplings[s].T
            driven = np.zeros((n_lag, own.size, n_node), dtype)
            for lag in range(1, n_lag + 1):
                inside = since[own] >= lag
                driven[lag - 1, inside] = drive[own[inside] - lag - before]
            rest = coefficient[s, :, 0].astype(dtype) + design.covariates[own] @ others[s].T
            yield s, weight[own, s].astype(dtype), problem.observed[own], driven, rest


@njit(cache=True)
def _add_products(driven, first, second, score, information):  # type: ignore[no-untyped-def]
    n_lag, n_bin, n_node = driven.shape
    for i in range(n_lag):
        total = 0.0
        for b in range(n_bin):
            for n in range(n_node):
                total += first[b, n] * driven[i, b, n]
        score[i] += total
        for j in range(i, n_lag):
            total = 0.0
            for b in range(n_bin):
                for n in range(n_node):
                    total += second[b, n] * driven[i, b, n] * driven[j, b, n]
            information[i, j] += total
