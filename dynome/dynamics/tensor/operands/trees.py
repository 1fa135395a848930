"""Products of a tensor with Khatri-Rao products of factors, two passes for all modes.

The modes are split in two halves. One product with the Khatri-Rao of the right half serves every mode of the left half,
and the reverse: a dimension tree of depth two, which reads the tensor twice whatever its order. No unfolding is copied,
because both halves are contiguous.

Inside, arrays are rank-major, ``(n_restart, rank, n_row)``: the few columns of a factor are then long rows, and a
matrix product with few rows is up to three times as fast as one with few columns. Only operators that numpy and torch
share are used, so that one code serves both.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any


def halves(shape: Sequence[int]) -> tuple[range, range]:
    """The modes in two neighbouring groups whose numbers of rows have the least sum.

    Examples
    --------
    >>> halves((150, 150, 600))
    (range(0, 2), range(2, 3))
    """
    order = len(shape)
    split = min(range(1, order), key=lambda m: math.prod(shape[:m]) + math.prod(shape[m:]))
    return range(split), range(split, order)


def khatri_rao(factors: Sequence[Any]) -> Any:
    """Column-wise Kronecker products of each restart.

    Parameters
    ----------
    factors : sequence of (n_restart, n_row, rank)

    Returns
    -------
    (n_restart, rank, prod n_row)
    """
    product, *others = (_rank_major(f) for f in factors)
    for rows in others:
        product = (product[:, :, :, None] * rows[:, :, None]).reshape(*product.shape[:2], -1)
    return product


def products(
    shape: Sequence[int],
    factors: list[Any],
    modes: Sequence[int],
    times: Callable[[Any, bool], Any],
) -> Iterator[tuple[int, Any]]:
    """For each mode in increasing order, the tensor times the Khatri-Rao product of the other factors.

    Parameters
    ----------
    shape : sequence of int
        Sizes of the modes, at least two.
    factors : list of (n_restart, n_row, rank)
        Read anew for every mode.
    modes : sequence of int
        Which are wanted.
    times : callable
        ``times(left, transposed)``: the product of ``left`` with the tensor as a matrix of its first half against its
        second, or with the transposed matrix.

    Yields
    ------
    int, (n_restart, n_row, rank)
    """
    first, second = halves(shape)
    for half, other in ((first, second), (second, first)):
        wanted = [m for m in half if m in modes]
        if not wanted:
            continue
        rows = khatri_rao([factors[m] for m in other])
        n_restart, rank, length = rows.shape
        partial = times(rows.reshape(n_restart * rank, length), half is first)
        partial = partial.reshape(n_restart, rank, -1)
        for mode in wanted:
            yield mode, contract(partial, factors, half, mode)


def contract(partial: Any, factors: list[Any], half: range, mode: int) -> Any:
    """Sum of a product over the modes of its half but one.

    Parameters
    ----------
    partial : (n_restart, rank, product of the rows of the half)
    factors : list of (n_restart, n_row, rank)
    half : range
        Modes of `partial`.
    mode : int
        The one to keep.

    Returns
    -------
    (n_restart, n_row, rank)
    """
    n_restart, rank, _ = partial.shape
    for m in reversed(range(mode + 1, half[-1] + 1)):
        weights = _rank_major(factors[m])[..., None]
        partial = (partial.reshape(n_restart, rank, -1, weights.shape[2]) @ weights)[..., 0]
    for m in range(half[0], mode):
        weights = _rank_major(factors[m])[:, :, None]
        partial = (weights @ partial.reshape(n_restart, rank, weights.shape[3], -1))[:, :, 0]
    return _packed(partial.swapaxes(1, 2))


def _rank_major(factor: Any) -> Any:
    return _packed(factor.swapaxes(1, 2))


def _packed(values: Any) -> Any:
    """A contiguous array: what matrix products and compiled loops are quick on."""
    return values.contiguous() if hasattr(values, "contiguous") else values.copy()
