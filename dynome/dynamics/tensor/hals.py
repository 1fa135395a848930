"""Nonnegative CP by hierarchical alternating least squares (HALS), all restarts in one matrix product.

The solver knows an `Operand` and factors, which carry the restart first: ``(n_restart, n_row, rank)``. How the tensor
is kept, and what is missing in it, is the operand's business.

Extrapolation follows Ang, Cohen, Hien and Gillis (2020), DOI 10.1109/ICASSP40776.2020.9053849.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dynome.dynamics.tensor.operands.contract import Operand
from dynome.dynamics.tensor.operands.rows import gram_of

Array = NDArray[np.float64]

_SWEEPS = 3  # coordinate sweeps a mode; more cost time and hardly lower the error
_BETA, _GROW, _SHRINK = 0.5, 1.05, 1.5  # extrapolation: first step, growth after success, division after failure


class CPFit(NamedTuple):
    """Nonnegative CP fits from several starts.

    Attributes
    ----------
    factors : list of (n_restart, n_row, rank)
        One array a mode, not normalised.
    error : (n_iter, n_restart)
        Squared residual over observed entries, relative to their sum of squares; never increases; NaN after a restart
        has stopped.
    converged : (n_restart,)
        Whether the change fell below the tolerance.
    """

    factors: list[Array]
    error: Array
    converged: NDArray[np.bool_]


def random_factors(
    shape: Sequence[int], rank: int, norm: float, generators: Sequence[np.random.Generator]
) -> list[Array]:
    """Uniform random starts, scaled so that each model has the norm of the data.

    Parameters
    ----------
    shape : sequence of int
        Sizes of the modes.
    rank : int
        Number of components.
    norm : float
        Euclidean norm of the observed entries.
    generators : sequence of Generator
        One a restart.

    Returns
    -------
    list of (n_restart, n_row, rank)
    """
    starts = [[g.random((n, rank)) for n in shape] for g in generators]
    factors = [np.stack(mode) for mode in zip(*starts, strict=True)]
    size = np.sqrt(np.prod([gram_of(f) for f in factors], axis=0).sum((1, 2)))
    scale = (norm / size) ** (1 / len(shape))
    return [f * scale[:, None, None] for f in factors]


def factorize(x: Operand, factors: Sequence[Array], *, max_iter: int, tol: float) -> CPFit:
    """Fit ``x ~ sum_r prod_n factor_n[., r]`` with nonnegative factors, from every start at once.

    Parameters
    ----------
    x : Operand
        The tensor.
    factors : sequence of (n_restart, n_n, rank)
        Starts; not modified.
    max_iter : int
        Outer iterations at most.
    tol : float
        A restart stops when its relative error changes by less than `tol` in an iteration.

    Returns
    -------
    CPFit
    """
    best = [f.copy() for f in factors]
    n_restart = best[0].shape[0]
    error = np.full((max_iter, n_restart), np.nan)
    converged = np.zeros(n_restart, dtype=bool)
    previous = np.full(n_restart, np.inf)
    active = np.arange(n_restart)
    plain, ahead = [f.copy() for f in best], [f.copy() for f in best]
    beta, failed = np.full(n_restart, _BETA), np.zeros(n_restart, dtype=bool)
    for iteration in range(max_iter):
        step = np.where(failed, 0.0, beta[active])  # a plain step after a failed one never raises the error
        relative = _iterate(x, plain, ahead, step) / x.squared_norm
        change = previous[active] - relative
        failed = change < 0
        for b, a, f in zip(best, [*ahead[:-1], plain[-1]], plain, strict=True):
            b[active[~failed]] = a[~failed]
            f[failed] = b[active[failed]]
        for a, f in zip(ahead, plain, strict=True):
            a[failed] = f[failed]
        beta[active] = np.where(failed, beta[active] / _SHRINK, np.minimum(beta[active] * _GROW, 1.0))
        previous[active] = np.minimum(previous[active], relative)
        error[iteration, active] = previous[active]
        stop = (change >= 0) & (change < tol)
        if stop.any():
            converged[active[stop]] = True
            active, failed = active[~stop], failed[~stop]
            plain, ahead = [f[~stop] for f in plain], [f[~stop] for f in ahead]
        if not active.size:
            return CPFit(best, error[: iteration + 1], converged)
    return CPFit(best, error, converged)


def _iterate(x: Operand, plain: list[Array], ahead: list[Array], beta: Array) -> Array:
    """Update every mode in place; the squared residual at the extrapolated modes and the plain last one."""
    last = len(plain) - 1
    squared = np.empty(0)
    for mode, numerator in x.numerators(ahead, range(len(plain))):
        gram = x.gram(ahead, mode)
        new = ahead[mode].copy()
        x.sweep(new, numerator, gram, _SWEEPS)
        if mode == last:
            model = (np.matmul(new[:, :, None, :], gram)[:, :, 0] * new).sum((1, 2))
            squared = x.squared_norm - 2 * (new * numerator).sum((1, 2)) + model
        ahead[mode] = np.maximum(new + beta[:, None, None] * (new - plain[mode]), 0.0)
        plain[mode] = new
    return np.maximum(squared, 0.0)


def regress(x: Operand, factors: Sequence[Array], *, max_iter: int) -> Array:
    """Nonnegative least squares for the first mode, all other factors held.

    Parameters
    ----------
    x : Operand
        The tensor.
    factors : sequence of (n_restart, n_n, rank)
        The first is the start.
    max_iter : int
        Sweeps over the rows.

    Returns
    -------
    (n_restart, n_1, rank)
    """
    factor = factors[0].copy()
    _, numerator = next(iter(x.numerators(list(factors), [0])))
    x.sweep(factor, numerator, x.gram(list(factors), 0), max_iter)
    return factor
