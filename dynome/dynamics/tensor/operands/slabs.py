"""A tensor as slabs along its first mode: what a loss needs that has to see every entry of the model.

The model is made in blocks that stay in cache, for one restart at a time; neither the model of the whole tensor nor a
Khatri-Rao product longer than half of the modes is ever held.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from dynome.dynamics.tensor.divergences import Totals, data_terms, ratios
from dynome.dynamics.tensor.operands.masks import Mask, weights_by_row
from dynome.dynamics.tensor.operands.matrices import times_matrix
from dynome.dynamics.tensor.operands.trees import halves, khatri_rao, products
from dynome.errors import InputError

Array = NDArray[np.float64]

_LETTERS = "abcdefghijklmnopqrstuvw"
_BLOCK = 1 << 15  # entries of a block: data, model and ratio together stay in cache


class Slab(NamedTuple):
    """Some rows of the first mode.

    Attributes
    ----------
    rows : slice
        Which.
    values : (n_row, n_2, ..., n_N)
        Data times weight, 0 where missing.
    mask : (1 or n_row, ..., 1 or n_N) or None
        Weight, 0 where missing; size 1 along modes where it does not vary. None is 1 everywhere.
    """

    rows: slice
    values: NDArray[Any]
    mask: Mask | None


class Slabbed(Protocol):
    """An operand that can be read slab by slab."""

    shape: tuple[int, ...]

    def slabs(self) -> Iterator[Slab]:
        """Every slab, in the order of the first mode."""
        ...


@runtime_checkable
class Divergent(Protocol):
    """An operand that has the terms of a divergence without its entries being listed, as a sparse tensor does."""

    shape: tuple[int, ...]

    def divergence_totals(self, beta: float) -> Totals:
        """Weights, mass and the constant part of the divergence."""
        ...

    def divergence_terms(self, factors: list[Array], mode: int, beta: float) -> Terms:
        """What `slab_terms` gives."""
        ...


class Terms(NamedTuple):
    """One multiplicative update and the loss before it.

    Attributes
    ----------
    attract, repel : (n_restart, n_row, rank)
        Numerator and denominator of the update.
    loss : (n_restart,)
        Terms of the divergence that hold the model.
    """

    attract: Array
    repel: Array
    loss: Array


def totals(x: Slabbed, beta: float) -> Totals:
    """Weights, mass and the constant part of the divergence, in one pass.

    Raises
    ------
    InputError
        If beta is 0 or less and an observed entry is 0: the divergence would be infinite.
    """
    parts, zeros = np.zeros(3), 0
    for slab in x.slabs():
        values, weight = slab.values.astype(np.float64, copy=False), slab.mask
        if weight is not None:
            values = np.divide(
                values, weight, out=np.ones_like(values), where=np.broadcast_to(weight > 0, values.shape)
            )
        found = int((values == 0).sum()) if beta <= 0 else 0
        zeros += found
        if not found:
            size = values.size if weight is None else weight.sum() * (values.size / weight.size)
            parts += size, slab.values.sum(), data_terms(values, 1.0 if weight is None else weight, beta)
    if zeros:
        raise InputError(
            f"loss with beta {beta:g} needs data above 0, found {zeros} entries that are 0; use 'kullback-leibler' or "
            "a beta above 0, or make these entries NaN if they are missing"
        )
    return Totals(*parts.tolist())


def slab_terms(x: Slabbed, factors: list[Array], mode: int, beta: float) -> Terms:
    """Numerator and denominator of the multiplicative update of one mode, at the model that the factors make.

    Parameters
    ----------
    x : Slabbed
        The tensor.
    factors : list of (n_restart, n_row, rank)
        One array a mode, positive.
    mode : int
        The mode to update.
    beta : float
        Which divergence; not 2.
    """
    out = Terms(np.zeros(factors[mode].shape), np.zeros(factors[mode].shape), np.zeros(len(factors[0])))
    for slab in x.slabs():
        own = [factors[0][:, slab.rows], *factors[1:]]
        rows = slab.rows if mode == 0 else slice(None)
        for k in range(len(out.loss)):
            attract, repel, loss = _slab_sums(slab, [f[k : k + 1] for f in own], mode, beta)
            out.attract[k, rows] += attract
            out.repel[k, rows] += repel
            out.loss[k] += loss
        if beta == 1:  # the denominator is a sum over the mask: the model has no part in it
            seen = weight_sums(slab.mask, own, mode)
            out.repel[:, rows] += seen
            out.loss[:] += (seen * own[mode]).sum((1, 2))
    return out


def weight_sums(mask: Mask | None, factors: list[Array], mode: int) -> Array:
    """Sum over observed entries of the product of the other factors: ``(n_restart, 1 or n_row, rank)``.

    Examples
    --------
    >>> weight_sums(None, [np.ones((1, 4, 1)), np.ones((1, 3, 1)), np.ones((1, 2, 1))], 0).tolist()
    [[[6.0]]]
    """
    shape = (1,) * len(factors) if mask is None else mask.shape
    matrix = np.ones((1, 1)) if mask is None else mask.reshape(math.prod(shape[m] for m in halves(shape)[0]), -1)
    # A mode along which the mask does not vary enters through its column sums alone.
    parts = [f if n > 1 else f.sum(1, keepdims=True) for f, n in zip(factors, shape, strict=True)]
    _, sums = next(products(shape, parts, [mode], lambda left, flip: times_matrix(left, matrix, transposed=flip)))
    return np.asarray(sums)


def _slab_sums(slab: Slab, factors: list[Array], mode: int, beta: float) -> tuple[Array, Array | float, float]:
    """What one slab has to say about one restart; without the denominator where beta is 1."""
    shape = slab.values.shape
    first, second = halves(shape)
    x = slab.values.reshape(math.prod(shape[m] for m in first), -1)
    left = np.ascontiguousarray(khatri_rao([factors[m] for m in first])[0].T)
    right = khatri_rao([factors[m] for m in second])[0]
    weights = None if slab.mask is None or beta == 1 else weights_by_row(slab.mask, shape)
    half, other = (first, right) if mode in first else (second, left)
    attract = np.zeros((x.shape[0 if half is first else 1], other.shape[0 if half is first else 1]))
    repel, loss = np.zeros_like(attract), 0.0
    step = max(1, _BLOCK // x.shape[1])
    for start in range(0, x.shape[0], step):
        rows = slice(start, start + step)
        weight = None if weights is None else weights(rows)
        pull, push, more = ratios(x[rows].astype(np.float64, copy=False), left[rows] @ right, weight, beta)
        loss += more
        for ratio, total in ((pull, attract), (push, repel)):
            if ratio is not None and half is first:
                np.matmul(ratio, right.T, out=total[rows])
            elif ratio is not None:
                total += ratio.T @ left[rows]
    own = [f[0] for f in factors]
    return _contract(attract, own, half, mode), 0.0 if beta == 1 else _contract(repel, own, half, mode), loss


def _contract(total: Array, factors: list[Array], half: range, mode: int) -> Array:
    """Sum over the other modes of the half that holds the mode: ``(n_row, rank)``."""
    axes = _LETTERS[: len(half)]
    inner = [m for m in half if m != mode]
    terms = ",".join([axes + "z", *(f"{axes[m - half[0]]}z" for m in inner)])
    folded = total.reshape(*(factors[m].shape[0] for m in half), -1)
    out: Array = np.einsum(f"{terms}->{axes[mode - half[0]]}z", folded, *(factors[m] for m in inner))
    return out
