"""Nonnegative CP by hierarchical alternating least squares (HALS), all restarts in one matrix product.

The kernel knows arrays and shapes only. Factors carry the restart first: ``(n_restart, n_row, rank)``. One outer
iteration reads the tensor twice, whatever its order: the modes are split in two halves, one product with the Khatri-Rao
of the right half serves every mode of the left half, and the reverse (a dimension tree of depth two). No unfolding is
copied, because both halves are contiguous.

A mask is exact, not imputed: each row of a factor has its own Gram matrix, made from the entries that were observed. A
mask that is constant along a mode has size 1 there, and costs next to nothing.

Extrapolation follows Ang, Cohen, Hien and Gillis (2020), DOI 10.1109/ICASSP40776.2020.9053849.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from functools import reduce
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[np.float64]

_SWEEPS = 3  # coordinate sweeps a mode; more cost time and hardly lower the error
_BETA, _GROW, _SHRINK = 0.5, 1.05, 1.5  # extrapolation: first step, growth after success, division after failure
_LETTERS = "abcdefghijklmnopqrstuvw"


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


@njit(cache=True)
def _sweep(factor: Array, numerator: Array, gram: Array, sweeps: int) -> None:
    """Coordinate descent on every row: minimise ``f G f' - 2 n f'`` over ``f >= 0``, in place.

    `gram` is ``(n_restart, 1 or n_row, rank, rank)``.
    """
    n_restart, n_row, rank = factor.shape
    shared = gram.shape[1] == 1
    for k in range(n_restart):
        for i in range(n_row):
            g = gram[k, 0 if shared else i]
            f = factor[k, i]
            for _ in range(sweeps):
                for r in range(rank):
                    if g[r, r] > 0.0:
                        slope = numerator[k, i, r]
                        for s in range(rank):
                            slope -= f[s] * g[s, r]
                        f[r] = max(f[r] + slope / g[r, r], 0.0)


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
    size = np.sqrt(np.prod([_gram(f) for f in factors], axis=0).sum((1, 2)))
    scale = (norm / size) ** (1 / len(shape))
    return [f * scale[:, None, None] for f in factors]


def factorize(x: Array, factors: Sequence[Array], *, mask: Array | None, max_iter: int, tol: float) -> CPFit:
    """Fit ``x ~ sum_r prod_n factor_n[., r]`` with nonnegative factors, from every start at once.

    Parameters
    ----------
    x : (n_1, ..., n_N)
        Nonnegative, C-contiguous, 0 where the mask is 0.
    factors : sequence of (n_restart, n_n, rank)
        Starts; not modified.
    mask : (1 or n_1, ..., 1 or n_N) or None
        1 where observed, 0 where missing; size 1 along modes where it does not vary.
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
    total = float(np.vdot(x, x))
    grams = _full_gram if mask is None else _masked_gram(mask)
    error = np.full((max_iter, n_restart), np.nan)
    converged = np.zeros(n_restart, dtype=bool)
    previous = np.full(n_restart, np.inf)
    active = np.arange(n_restart)
    plain, ahead = [f.copy() for f in best], [f.copy() for f in best]
    beta, failed = np.full(n_restart, _BETA), np.zeros(n_restart, dtype=bool)
    for iteration in range(max_iter):
        step = np.where(failed, 0.0, beta[active])  # a plain step after a failed one never raises the error
        relative = _iterate(x, plain, ahead, step, grams, total) / total
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


def _iterate(x: Array, plain: list[Array], ahead: list[Array], beta: Array, grams: Grams, total: float) -> Array:
    """Update every mode in place; the squared residual at the extrapolated modes and the plain last one."""
    last = len(plain) - 1
    squared = np.empty(0)
    for mode, numerator in _numerators(x, ahead):
        gram = grams(ahead, mode)
        new = ahead[mode].copy()
        _sweep(new, numerator, gram, _SWEEPS)
        if mode == last:
            model = (np.matmul(new[:, :, None, :], gram)[:, :, 0] * new).sum((1, 2))
            squared = total - 2 * (new * numerator).sum((1, 2)) + model
        ahead[mode] = np.maximum(new + beta[:, None, None] * (new - plain[mode]), 0.0)
        plain[mode] = new
    return np.maximum(squared, 0.0)


def _numerators(x: Array, factors: list[Array]) -> Iterator[tuple[int, Array]]:
    """For each mode in turn, the tensor times the Khatri-Rao product of the other factors as they are by then."""
    order, restarts, rank = x.ndim, factors[0].shape[0], factors[0].shape[2]
    split = min(range(1, order), key=lambda m: math.prod(x.shape[:m]) + math.prod(x.shape[m:]))
    matrix = x.reshape(math.prod(x.shape[:split]), -1)
    for half, data in ((range(split), matrix), (range(split, order), matrix.T)):
        others = [factors[m] for m in range(order) if m not in half]
        partial = (data @ _khatri_rao(others)).reshape(*(x.shape[m] for m in half), restarts, rank)
        axes = _LETTERS[: len(half)]
        for mode in half:
            inner = [m for m in half if m != mode]
            terms = ",".join([axes + "yz", *(f"y{axes[m - half[0]]}z" for m in inner)])
            own = axes[mode - half[0]]
            yield mode, np.ascontiguousarray(np.einsum(f"{terms}->y{own}z", partial, *(factors[m] for m in inner)))


def _khatri_rao(factors: list[Array]) -> Array:
    """Column-wise Kronecker products of each restart: ``(prod n_row, n_restart * rank)``."""
    first, *rest = (f.transpose(1, 0, 2) for f in factors)
    product = reduce(lambda a, b: (a[:, None] * b[None]).reshape(-1, *b.shape[1:]), rest, first)
    return np.ascontiguousarray(product).reshape(product.shape[0], -1)


def _gram(factor: Array) -> Array:
    gram: Array = np.matmul(factor.transpose(0, 2, 1), factor)
    return gram


def _full_gram(factors: list[Array], mode: int) -> Array:
    """One Gram matrix for all rows of a mode: ``(n_restart, 1, rank, rank)``."""
    grams = [_gram(f) for m, f in enumerate(factors) if m != mode]
    return reduce(np.multiply, grams)[:, None]


def _masked_gram(mask: Array) -> Grams:
    """Gram matrices over observed entries, one a row where the mask varies along the mode."""
    letters = _LETTERS[: mask.ndim]
    varying = [m for m in range(mask.ndim) if mask.shape[m] > 1]
    squeezed = mask.reshape([mask.shape[m] for m in varying])

    def grams(factors: list[Array], mode: int) -> Array:
        restarts, _, rank = factors[0].shape
        others = [m for m in range(mask.ndim) if m != mode]
        rows = mask.shape[mode]
        out = np.empty((restarts, rows, rank, rank))
        inner = [m for m in others if m in varying]
        terms = ",".join(["".join(letters[m] for m in varying), *(f"{letters[m]}z" for m in inner)])
        result = f"{letters[mode] if mode in varying else ''}z"
        for k in range(restarts):
            constant = reduce(
                np.multiply, [_gram(factors[m])[k] for m in others if m not in varying], np.ones((rank, rank))
            )
            outer = [(factors[m][k][:, :, None] * factors[m][k][:, None, :]).reshape(-1, rank * rank) for m in inner]
            if inner:
                observed = np.einsum(f"{terms}->{result}", squeezed, *outer, optimize=True).reshape(-1, rank, rank)
            else:
                observed = squeezed.reshape(-1, 1, 1)
            out[k] = observed * constant
        return out

    return grams


Grams = Callable[[list[Array], int], Array]


def regress(x: Array, factors: Sequence[Array], *, mask: Array | None, max_iter: int) -> Array:
    """Nonnegative least squares for the first mode, all other factors held.

    Parameters
    ----------
    x : (n_1, ..., n_N)
        Nonnegative, 0 where the mask is 0.
    factors : sequence of (n_restart, n_n, rank)
        The first is the start.
    mask : (1 or n_1, ..., 1 or n_N) or None
        As in `factorize`.
    max_iter : int
        Sweeps over the rows.

    Returns
    -------
    (n_restart, n_1, rank)
    """
    factor = factors[0].copy()
    _, numerator = next(_numerators(x, list(factors)))
    gram = (_full_gram if mask is None else _masked_gram(mask))(list(factors), 0)
    _sweep(factor, numerator, gram, max_iter)
    return factor
