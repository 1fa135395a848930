"""Correlation and covariance from moments."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dynome.dynamics.connectivity.moments import Array, Moments


def correlation(moments: Moments, *, min_samples: int = 2) -> Array:
    """Pearson correlation of every pair.

    Parameters
    ----------
    moments : Moments
    min_samples : int
        Pairs with fewer common samples are NaN.

    Returns
    -------
    (..., n_x, n_y)
        Within [-1, 1]; NaN where a column is constant over the common samples.
    """
    inverse_x = _inverse_root(moments.square_x, moments.mean_x, moments.n, min_samples)
    inverse_y = _inverse_root(moments.square_y, moments.mean_y, moments.n, min_samples)
    r: Array = inverse_x * inverse_y
    r *= moments.product
    np.clip(r, -1, 1, out=r)
    _set_exact_ones(r, moments)
    return r


def _inverse_root(square: Array, mean: Array, n: NDArray[np.int64], min_samples: int) -> Array:
    """One over the root of a sum of squares, in float64; NaN where samples are few or vary by no more than rounding."""
    # What merging of moments leaves of a constant column is the rounding of its mean.
    varies = square > n * (4 * np.finfo(np.float64).eps * mean) ** 2
    root: Array = 1 / np.sqrt(np.where(varies & (n >= min_samples), square, np.nan).astype(np.float64))
    return root


def _set_exact_ones(r: Array, moments: Moments) -> None:
    """A column with itself correlates 1, not 1 less a rounding."""
    if r.shape[-2] != r.shape[-1]:
        return
    at = np.arange(r.shape[-1])
    product = moments.product[..., at, at]
    same = (_diagonal(moments.square_x) == product) & (_diagonal(moments.square_y) == product)
    ones = np.where(same & ~np.isnan(r[..., at, at]), 1.0, r[..., at, at])
    r[..., at, at] = ones


def _diagonal(square: Array) -> Array:
    """What a sum of squares is on the diagonal, whichever of its axes has length 1."""
    if square.shape[-2] == square.shape[-1]:
        return np.diagonal(square, axis1=-2, axis2=-1)
    return square[..., 0, :] if square.shape[-2] == 1 else square[..., :, 0]


def covariance(moments: Moments, *, min_samples: int = 2, effective: Array | None = None) -> Array:
    """Unbiased covariance of every pair.

    Parameters
    ----------
    moments : Moments
    min_samples : int
        Pairs with fewer common samples are NaN.
    effective : (..., n_x or 1, n_y or 1) or None
        Divisor for weighted sums; ``n - 1`` by default.
    """
    divisor = moments.n - 1 if effective is None else effective
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(moments.n >= max(min_samples, 2), moments.product / divisor, np.nan)
