"""Gram matrices over observed entries: exact, not imputed.

The Gram matrix of a row is the mask times the Khatri-Rao product of the *squared* factors, whose columns are the
products of two components: the same product as the data's, with ``rank (rank + 1) / 2`` columns. A mask that is
constant along a mode has size 1 there and costs next to nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import reduce
from operator import mul
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dynome.dynamics.tensor.operands.matrices import times_matrix
from dynome.dynamics.tensor.operands.rows import gram_of
from dynome.dynamics.tensor.operands.trees import halves, products

Array = NDArray[np.float64]
Mask = NDArray[np.float64] | NDArray[np.bool_]
Rows = Callable[[slice], NDArray[Any]]

_GROUP = 1 << 23  # numbers in an intermediate product; restarts are taken in groups that stay below


def narrow(mask: NDArray[Any]) -> Mask:
    """The mask as bool where it holds only 0 and 1, an eighth of the memory, and as float64 where it holds weights.

    Examples
    --------
    >>> narrow(np.array([0.0, 1.0])).dtype, narrow(np.array([0.0, 2.0])).dtype
    (dtype('bool'), dtype('float64'))
    """
    if mask.dtype == np.bool_:
        return np.ascontiguousarray(mask)
    seen = mask != 0
    if all(bool((row == kept).all()) for row, kept in zip(mask, seen, strict=True)):
        return np.ascontiguousarray(seen)
    return np.ascontiguousarray(mask, dtype=np.float64)


def weights_by_row(mask: Mask, shape: tuple[int, ...]) -> Rows:
    """Rows of the mask as a matrix of the first half of the modes against the second, written out when asked for.

    Parameters
    ----------
    mask : (1 or n_1, ..., 1 or n_N)
    shape : tuple of int
        ``(n_1, ..., n_N)``.
    """
    split = len(halves(shape)[0])
    small = mask.reshape(-1, *mask.shape[split:])
    numbers = np.arange(small.shape[0]).reshape(mask.shape[:split])
    index = np.broadcast_to(numbers, shape[:split]).ravel()

    def written(rows: slice) -> NDArray[Any]:
        picked = small[index[rows]]
        return np.broadcast_to(picked, (len(picked), *shape[split:])).reshape(len(picked), -1)

    return written


def masked_gram(
    mask: Any,
    factors: list[Any],
    mode: int,
    *,
    times: Callable[..., Any] = times_matrix,
    empty: Callable[[tuple[int, ...]], Any] = np.empty,
) -> Any:
    """Gram matrices over observed entries, one a row where the mask varies along the mode.

    Parameters
    ----------
    mask : (1 or n_1, ..., 1 or n_N)
        Weight of each entry, 0 where it is missing; size 1 along modes where it does not vary.
    factors : list of (n_restart, n_row, rank)
        One array a mode.
    mode : int
        The mode whose rows are wanted.
    times, empty : callable
        `times_matrix` and ``np.empty``, or what does the same in torch.

    Returns
    -------
    (n_restart, 1 or n_row, rank, rank)
    """
    n_restart, _, rank = factors[0].shape
    one, other = np.triu_indices(rank)
    full = np.empty((rank, rank), dtype=np.intp)
    full[one, other] = full[other, one] = np.arange(one.size)
    varying = [m for m in range(mask.ndim) if mask.shape[m] > 1]
    small = mask.reshape([mask.shape[m] for m in varying])
    grams = [gram_of(factors[m])[:, one, other] for m in range(mask.ndim) if m != mode and m not in varying]
    group = max(1, _GROUP // (_longest(small.shape) * one.size))
    out = empty((n_restart, mask.shape[mode], rank, rank))
    for start in range(0, n_restart, group):
        rows = slice(start, start + group)
        squared = [factors[m][rows][:, :, one] * factors[m][rows][:, :, other] for m in varying]
        observed = _observed(small, squared, varying.index(mode) if mode in varying else None, times)
        out[rows] = reduce(mul, [g[rows, None] for g in grams], observed)[:, :, full]
    return out


def _longest(shape: tuple[int, ...]) -> int:
    """Rows of the largest intermediate product."""
    sides = halves(shape) if len(shape) > 1 else (range(len(shape)),)
    return max(math.prod(shape[k] for k in side) for side in sides)


def _observed(mask: Any, squared: list[Any], axis: int | None, times: Callable[..., Any]) -> Any:
    """Sum of products of squared factors over observed entries, a row of `axis` each or over all."""
    if mask.ndim == 0:
        return float(mask)
    if mask.ndim == 1:
        seen = mask[None, :, None]
        return seen * (squared[0] * 0 + 1) if axis is not None else (seen * squared[0]).sum(1)[:, None]
    first, _ = halves(mask.shape)
    matrix = mask.reshape(math.prod(mask.shape[k] for k in first), -1)
    _, rows = next(products(mask.shape, squared, [axis or 0], lambda left, flip: times(left, matrix, transposed=flip)))
    return rows if axis is not None else (rows * squared[0]).sum(1)[:, None]
