"""Centred products of every pair of columns, complete or pairwise complete.

One `Moments` describes every pair (i, j) over the samples that both have. Where all samples are there, what depends on
one column only keeps a length-1 axis and broadcasts, so that the same formulas serve both cases.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dynome.errors import InputError

Array = NDArray[np.floating[Any]]

# A pair's sum of squares below this share of the whole column's has lost digits to cancellation: computed again.
_CANCELLED = 1e-4
_FEW_SAMPLES = 100


def as_float(values: NDArray[Any]) -> Array:
    """float32 as it is, anything else as float64."""
    return values if values.dtype == np.float32 else values.astype(np.float64, copy=False)


class Moments(NamedTuple):
    """Sums over the common samples of column i of ``x`` and column j of ``y``; axes ``(..., n_x or 1, n_y or 1)``."""

    n: NDArray[np.int64]
    """Samples that both columns have."""
    mean_x: Array
    mean_y: Array
    square_x: Array
    """Sum of squares of column i about its mean; exactly zero where it is constant."""
    square_y: Array
    product: Array
    """Sum of products about both means."""


def pair_moments(x: NDArray[Any], y: NDArray[Any] | None = None) -> Moments:
    """Moments of every pair of columns over the samples that both have.

    Parameters
    ----------
    x : (..., n_time, n_x)
        NaN where missing. float32 stays float32 unless something is missing; anything else becomes float64.
    y : (..., n_time, n_y) or None
        The other side of each pair; None pairs the columns of `x` with each other.

    Returns
    -------
    Moments
        ``n`` has shape (..., 1, 1) where nothing is missing, else (..., n_x, n_y).

    Raises
    ------
    InputError
        If a value is infinite.
    """
    x, y = as_float(x), None if y is None else as_float(y)
    gaps = has_gaps(x) or (y is not None and has_gaps(y))
    return masked_moments(x, y) if gaps else complete_moments(x, y)


def has_gaps(x: Array) -> bool:
    """Whether a value is NaN.

    Raises
    ------
    InputError
        If a value is infinite.
    """
    if np.isfinite(x).all():
        return False
    if infinite := int(np.isinf(x).sum()):
        raise InputError(f"{infinite} values are infinite; mark missing samples as NaN")
    return True


def complete_moments(x: Array, y: Array | None = None, weights: Array | None = None) -> Moments:
    """`pair_moments` of arrays without NaN: one matrix product.

    Parameters
    ----------
    x : (..., n_time, n_x)
    y : (..., n_time, n_y) or None
    weights : (n_time,) or None
        Weight of each sample, positive. The sums are weighted; ``n`` still counts samples.
    """
    dx, mean_x = centred(x, weights)
    n = np.full((*x.shape[:-2], 1, 1), x.shape[-2], dtype=np.int64)
    if y is None:
        product = gram(dx)
        square = np.diagonal(product, axis1=-2, axis2=-1)
        return Moments(n, _swap(mean_x), mean_x, square[..., None].copy(), square[..., None, :].copy(), product)
    dy, mean_y = centred(y, weights)
    square_x, square_y = (np.einsum("...ti,...ti->...i", d, d) for d in (dx, dy))
    return Moments(n, _swap(mean_x), mean_y, square_x[..., None], square_y[..., None, :], _swap(dx) @ dy)


def centred(x: Array, weights: Array | None) -> tuple[Array, Array]:
    """Columns about their mean, each sample times the root of its weight; and the mean (..., 1, n).

    The first sample goes first: a constant column becomes exactly zero, and a large offset costs no digits.
    """
    first = x[..., :1, :]
    d = x - first
    if weights is None:
        shift = d.mean(axis=-2, keepdims=True, dtype=np.float64).astype(d.dtype)
    else:
        shift = (weights[None, :] @ d) / weights.sum()
    d -= shift
    if weights is not None:
        d *= np.sqrt(weights)[:, None]
    return d, first + shift


def gram(d: Array, out: Array | None = None) -> Array:
    """Products of every pair of columns of each array: (..., n_time, n_node) to (..., n_node, n_node)."""
    # Given one array twice, BLAS computes a triangle and copies it: with few samples the copy costs more than it saves.
    same = d if d.shape[-2] >= _FEW_SAMPLES else d.copy()
    product: Array = np.matmul(_swap(d), same, out=out)
    return product


def _swap(a: Any) -> Any:
    return np.swapaxes(a, -1, -2)


def masked_moments(x: Array, y: Array | None = None, weights: Array | None = None) -> Moments:
    """`pair_moments` of arrays with NaN: four matrix products, or six with `y`.

    Columns are centred on their own mean first, so that the sums of a pair are corrected by little; pairs for which
    the correction still cancels most digits are computed again, one by one.

    Parameters
    ----------
    x : (..., n_time, n_x)
    y : (..., n_time, n_y) or None
    weights : (n_time,) or None
        Weight of each sample, positive.
    """
    w = np.ones(x.shape[-2]) if weights is None else weights.astype(np.float64)
    here_x, dx, mean_x = _filled(x.astype(np.float64), w)
    here_y, dy, mean_y = (here_x, dx, mean_x) if y is None else _filled(y.astype(np.float64), w)
    wx, wdx = here_x * w[:, None], dx * w[:, None]
    n = np.rint(_swap(here_x) @ here_y).astype(np.int64)
    total = np.where(n > 0, _swap(wx) @ here_y, np.nan)
    sum_x = _swap(wdx) @ here_y
    raw_x = _swap(dx * wdx) @ here_y
    sum_y = _swap(sum_x) if y is None else _swap(wx) @ dy
    raw_y = _swap(raw_x) if y is None else _swap(wx) @ (dy * dy)
    several = n > 1
    square_x = np.where(several, raw_x - sum_x**2 / total, 0.0)
    square_y = np.where(several, raw_y - sum_y**2 / total, 0.0)
    product = np.where(several, _swap(wdx) @ dy - sum_x * sum_y / total, 0.0)
    moments = Moments(n, _swap(mean_x) + sum_x / total, mean_y + sum_y / total, square_x, square_y, product)
    bad = several & ((square_x <= _CANCELLED * raw_x) | (square_y <= _CANCELLED * raw_y))
    _recompute(moments, np.argwhere(bad), x, x if y is None else y, w)
    return moments


def _filled(x: Array, w: Array) -> tuple[Array, Array, Array]:
    """Which samples are there (1.0 or 0.0), the columns about their mean with 0 where not, and the mean (..., 1, n)."""
    here = ~np.isnan(x)
    first = np.take_along_axis(x, np.argmax(here, axis=-2)[..., None, :], axis=-2)
    d = np.where(here, x - first, 0.0)
    total = w[None, :] @ here
    shift = (w[None, :] @ d) / np.where(total > 0, total, np.nan)
    return here.astype(np.float64), np.where(here, d - shift, 0.0), first + shift


def _recompute(moments: Moments, pairs: NDArray[np.int64], x: Array, y: Array, w: Array) -> None:
    for *lead, i, j in pairs:
        a, b = x[(*lead, slice(None), i)].astype(np.float64), y[(*lead, slice(None), j)].astype(np.float64)
        both = ~(np.isnan(a) | np.isnan(b))
        dx, mean_x = centred(a[both, None], w[both])
        dy, mean_y = centred(b[both, None], w[both])
        at = (*lead, i, j)
        moments.mean_x[at], moments.mean_y[at] = mean_x[0, 0], mean_y[0, 0]
        moments.square_x[at], moments.square_y[at] = (dx * dx).sum(), (dy * dy).sum()
        moments.product[at] = (dx * dy).sum()


def merge_moments(a: Moments, b: Moments) -> Moments:
    """Moments of two stretches of samples taken together.

    Notes
    -----
    The update of Chan, Golub & LeVeque [1]_, pair by pair: stable, because only differences of means enter.

    References
    ----------
    .. [1] Chan, Golub & LeVeque, The American Statistician 1983, doi:10.1080/00031305.1983.10483115.
    """
    n = a.n + b.n
    share_b = b.n / np.maximum(n, 1)
    cross = a.n * share_b
    step_x, step_y = _step(a.mean_x, b.mean_x, a.n, b.n), _step(a.mean_y, b.mean_y, a.n, b.n)
    return Moments(
        n,
        np.where(a.n > 0, a.mean_x + share_b * step_x, b.mean_x),
        np.where(a.n > 0, a.mean_y + share_b * step_y, b.mean_y),
        _sum(a.square_x, b.square_x, a.n, b.n) + cross * step_x**2,
        _sum(a.square_y, b.square_y, a.n, b.n) + cross * step_y**2,
        _sum(a.product, b.product, a.n, b.n) + cross * step_x * step_y,
    )


def _step(a: Array, b: Array, n_a: NDArray[np.int64], n_b: NDArray[np.int64]) -> Array:
    return np.where((n_a > 0) & (n_b > 0), b - a, 0.0)


def _sum(a: Array, b: Array, n_a: NDArray[np.int64], n_b: NDArray[np.int64]) -> Array:
    return np.where(n_a > 0, a, 0.0) + np.where(n_b > 0, b, 0.0)
