"""Correlation matrices of sliding windows, on arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dynome.dynamics.connectivity.moments import Array, as_float, has_gaps
from dynome.errors import InputError


def correlation_windows(
    x: NDArray[Any],
    starts: NDArray[np.int64],
    width: int,
    *,
    weights: Array | None = None,
    out: Array | None = None,
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
    Columns are centred and scaled first, with sums in float64, so that one product of a window with itself is the
    result: in float32 the error is below 1e-6.

    Examples
    --------
    >>> x = np.array([[0.0, 0, 5], [1, -1, 5], [2, -2, 5], [3, 0, 5]])
    >>> correlation_windows(x, np.array([0, 1]), 3)[:, 0].round(3).tolist()
    [[1.0, -1.0, nan], [1.0, 0.5, nan]]
    """
    from dynome.dynamics.connectivity.window_loops import finish_window, scale_window

    x = np.ascontiguousarray(as_float(x))
    has_gaps(x)
    n_node = x.shape[1]
    if width < 2 or (starts.size and not 0 <= int(starts.min()) <= int(starts.max()) <= x.shape[0] - width):
        raise InputError(f"windows of {width} samples do not lie within {x.shape[0]} samples, or have fewer than 2")
    result: Array = np.empty((starts.size, n_node, n_node), x.dtype) if out is None else out
    mass = np.ones(width) if weights is None else np.asarray(weights, dtype=np.float64)
    scaled = np.empty((width, n_node), x.dtype)
    for start, r in zip(starts, result, strict=True):
        scale_window(x, start, mass, scaled)
        np.matmul(scaled.T, scaled, out=r)
        finish_window(r)
    return result
