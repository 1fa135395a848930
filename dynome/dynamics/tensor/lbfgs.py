r"""Nonnegative CP by direct optimisation: all factors at once, by a quasi-Newton method with bounds.

The cost :math:`\tfrac12 \|x - m\|^2` has the gradient :math:`F_n G_n - N_n` with respect to the factor of mode n, where
the numerator N and the Gram matrix G are the ones that HALS uses, all taken at the same factors (Acar, Dunlavy and
Kolda 2011, DOI 10.1002/cem.1335). The bounds 0 are kept by L-BFGS-B.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import OptimizeResult, minimize

from dynome.dynamics.tensor.hals import CPFit
from dynome.dynamics.tensor.operands.contract import Operand

Array = NDArray[np.float64]

_MEMORY = 20  # pairs of steps and gradients that stand for the curvature
_EVALUATIONS = 20  # at most, for an iteration; line searches need one or two


def factorize(x: Operand, factors: Sequence[Array], *, max_iter: int, tol: float, fixed: Sequence[int] = ()) -> CPFit:
    """Fit a nonnegative CP by L-BFGS-B, one start after the other.

    Parameters
    ----------
    x : Operand
        The tensor; exact masks and weights are its business.
    factors : sequence of (n_restart, n_n, rank)
        Starts; not modified.
    max_iter : int
        Iterations at most, a start.
    tol : float
        A start stops when its relative squared error changes by less than `tol` in an iteration, as in `hals`, or when
        no step lowers it.
    fixed : sequence of int
        Modes whose factors stay as they start; not all.

    Returns
    -------
    CPFit
        An iteration reads the tensor about as often as one of `hals` does, a line search that tries again more often.
    """
    n_restart = len(factors[0])
    free = [m for m in range(len(factors)) if m not in fixed]
    error = np.full((max_iter, n_restart), np.nan)
    converged = np.zeros(n_restart, dtype=bool)
    best = [f.copy() for f in factors]
    for k in range(n_restart):
        found, path, converged[k] = _descend(x, [f[k : k + 1] for f in factors], free, max_iter, tol)
        for mode, f in zip(free, found, strict=True):
            best[mode][k] = f
        error[: len(path), k] = path
    last = max(1, int((~np.isnan(error)).any(1).sum()))
    return CPFit(best, error[:last], error[:last], converged)


def cost_and_slope(x: Operand, factors: list[Array], free: Sequence[int]) -> tuple[float, list[Array]]:
    """Relative squared residual of one start, and its gradient with respect to the factors of the free modes.

    Parameters
    ----------
    x : Operand
        The tensor.
    factors : list of (1, n_row, rank)
        One array a mode.
    free : sequence of int
        Modes that the gradient is wanted for, in increasing order.

    Returns
    -------
    float, list of (1, n_row, rank)
    """
    inside = [x.asarray(f) for f in factors]
    slopes, cost = [], 0.0
    for mode, product in x.numerators(inside, free):
        numerator, factor = x.to_numpy(product), factors[mode]
        model = np.matmul(factor[:, :, None, :], x.to_numpy(x.gram(inside, mode)))[:, :, 0]
        slopes.append(2 * (model - numerator) / x.squared_norm)
        cost = 1.0 + float(((model - 2 * numerator) * factor).sum()) / x.squared_norm
    return cost, slopes


def _descend(
    x: Operand, factors: list[Array], free: list[int], max_iter: int, tol: float
) -> tuple[list[Array], list[float], bool]:
    """Factors of the free modes, the relative error after each iteration, and whether it came to rest."""
    sizes = np.cumsum([factors[m].size for m in free])[:-1]
    path: list[float] = []

    def unpacked(theta: Array) -> list[Array]:
        parts = np.split(theta, sizes)
        return [part.reshape(factors[m].shape) for m, part in zip(free, parts, strict=True)]

    def cost(theta: Array) -> tuple[float, Array]:
        at = list(factors)
        for mode, f in zip(free, unpacked(theta), strict=True):
            at[mode] = f
        value, slopes = cost_and_slope(x, at, free)
        return value, np.concatenate([s.ravel() for s in slopes])

    def note(intermediate_result: OptimizeResult) -> None:
        path.append(max(float(intermediate_result.fun), 0.0))

    result = minimize(
        cost,
        np.concatenate([factors[m].ravel() for m in free]),
        jac=True,
        method="L-BFGS-B",
        bounds=[(0.0, None)] * sum(factors[m].size for m in free),
        callback=note,
        # The cost lies below 1, so that `ftol` is the change of the relative error.
        options={
            "maxiter": max_iter,
            "maxfun": _EVALUATIONS * max_iter,
            "maxcor": _MEMORY,
            "ftol": tol,
            "gtol": 0.0,
            "maxls": 50,
        },
    )
    path = path or [max(float(result.fun), 0.0)]
    return [f[0] for f in unpacked(np.maximum(result.x, 0.0))], path, result.nit < max_iter
