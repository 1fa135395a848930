"""Correlation and covariance matrices of sliding windows of complete data, on arrays.

Columns of a window are scaled first, so that one product of the window with itself is the result. Products are made in
a room that stays in cache; `product_groups` yields it group by group, and whoever takes the groups writes once what is
kept of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dynome.dynamics.connectivity.moments import Array, as_float, has_gaps
from dynome.errors import InputError

_GROUP_BYTES = 1 << 19  # windows that are scaled and multiplied at once: as much as stays in cache

Starts = NDArray[np.int64]


def correlation_windows(
    x: NDArray[Any], starts: Starts, width: int, *, weights: Array | None = None, out: Array | None = None
) -> Array:
    """Pearson correlation of the columns of `x` in each window.

    Parameters
    ----------
    x : (n_time, n_node)
        float32 stays float32; anything else becomes float64.
    starts : (n_window,)
        First sample of each window, as `starts_of_windows` gives them.
    width : int
        Samples in a window, at least 2.
    weights : (width,) or None
        Weight of each sample of a window, positive; None weighs all alike.
    out : (n_window, n_node, n_node) or None
        Is filled and returned, where given.

    Returns
    -------
    (n_window, n_node, n_node)
        Exactly symmetric, within [-1, 1], 1 on the diagonal. A column that is constant in a window, or has NaN there,
        has a row and a column of NaN.

    Raises
    ------
    InputError
        If a window reaches beyond `x`, or a value is infinite.

    Notes
    -----
    Means and lengths are summed in float64; in float32 the error of a correlation is below 1e-6.

    Examples
    --------
    >>> x = np.array([[0.0, 0, 5], [1, -1, 5], [2, -2, 5], [3, 0, 5]])
    >>> correlation_windows(x, np.array([0, 1]), 3)[:, 0].round(3).tolist()
    [[1.0, -1.0, nan], [1.0, 0.5, nan]]
    """
    from dynome.dynamics.connectivity.window_loops import finish_windows

    x = as_float(x)
    result = np.empty((starts.size, x.shape[1], x.shape[1]), x.dtype) if out is None else out
    for first, product in product_groups(x, starts, width, weights=weights):
        finish_windows(product, result[first : first + product.shape[0]])
    return result


def covariance_windows(
    x: NDArray[Any], starts: Starts, width: int, *, weights: Array | None = None, out: Array | None = None
) -> Array:
    """Unbiased covariance of the columns of `x` in each window.

    Parameters
    ----------
    x : (n_time, n_node)
        float32 stays float32; anything else becomes float64.
    starts : (n_window,)
        First sample of each window.
    width : int
        Samples in a window, at least 2.
    weights : (width,) or None
        Weight of each sample of a window, positive; None weighs all alike.
    out : (n_window, n_node, n_node) or None
        Is filled and returned, where given.

    Returns
    -------
    (n_window, n_node, n_node)
        Exactly symmetric; a column with NaN in a window has a row and a column of NaN.

    Raises
    ------
    InputError
        If a window reaches beyond `x`, or a value is infinite.

    Notes
    -----
    Sums of weighted products are divided by the sum of the weights less the sum of their squares over it, as
    `numpy.cov` does with ``aweights``; without weights by ``width - 1``.

    Examples
    --------
    >>> covariance_windows(np.array([[0.0, 0], [1, 2], [2, 1]]), np.array([0]), 3)[0].round(6).tolist()
    [[1.0, 0.5], [0.5, 1.0]]
    """
    x = as_float(x)
    result = np.empty((starts.size, x.shape[1], x.shape[1]), x.dtype) if out is None else out
    divisor = width - 1.0 if weights is None else float(weights.sum() - (weights**2).sum() / weights.sum())
    for first, product in product_groups(x, starts, width, weights=weights, divisor=divisor):
        result[first : first + product.shape[0]] = product
    return result


def product_groups(
    x: Array, starts: Starts, width: int, *, weights: Array | None = None, divisor: float = 0.0
) -> Iterator[tuple[int, Array]]:
    """Products of the scaled columns of each window, a few windows at a time.

    Parameters
    ----------
    x : (n_time, n_node)
        float32 or float64.
    starts : (n_window,)
        First sample of each window.
    width : int
        Samples in a window, at least 2.
    weights : (width,) or None
        Weight of each sample of a window.
    divisor : float
        Of the products; 0 scales each column to length one, so that products are correlations.

    Yields
    ------
    first : int
        Position of the first window of the group.
    product : (n_group, n_node, n_node)
        The same room is used again for the next group.

    Raises
    ------
    InputError
        If a window reaches beyond `x`, or a value is infinite.
    """
    from dynome.dynamics.connectivity.window_loops import scale_windows

    x = np.ascontiguousarray(x)
    has_gaps(x)
    if width < 2 or (starts.size and not 0 <= int(starts.min()) <= int(starts.max()) <= x.shape[0] - width):
        raise InputError(f"windows of {width} samples do not lie within {x.shape[0]} samples, or have fewer than 2")
    n_node = x.shape[1]
    size = min(starts.size, max(1, _GROUP_BYTES // (x.itemsize * n_node * max(n_node, width))))
    scaled, product = np.empty((size, width, n_node), x.dtype), np.empty((size, n_node, n_node), x.dtype)
    mass = np.ones(width) if weights is None else np.asarray(weights, dtype=np.float64)
    for first in range(0, starts.size, max(size, 1)):
        group = starts[first : first + size]
        d = scaled[: group.size]
        scale_windows(x, group, mass, divisor, d)
        # Of one array with itself BLAS computes a triangle, which is copied: the result is exactly symmetric.
        yield first, np.matmul(d.swapaxes(1, 2), d, out=product[: group.size])
