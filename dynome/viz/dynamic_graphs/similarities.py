"""How much windows of connectivity resemble each other."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def correlations(values: NDArray[np.floating]) -> Floats:
    """Correlation of every two rows over what both know.

    Parameters
    ----------
    values : (n_row, n_value)
        NaN is missing.

    Returns
    -------
    (n_row, n_row)
        NaN where one of the two does not vary over what both know.

    Examples
    --------
    >>> x = np.array([[1.0, 2, 3, np.nan], [2, 4, 6, 9], [3, 2, 1, 0]])
    >>> correlations(x).round(6).tolist()
    [[1.0, 1.0, -1.0], [1.0, 1.0, -0.994377], [-1.0, -0.994377, 1.0]]
    """
    known = np.isfinite(values)
    seen = known.astype(np.float64)
    level = np.where(known, values, 0).sum(axis=1, keepdims=True) / np.maximum(known.sum(axis=1, keepdims=True), 1)
    x = np.where(known, values - level, 0.0)
    count = np.maximum(seen @ seen.T, 1)
    mean = x @ seen.T / count  # of the row, over what the column knows too
    square = np.maximum((x * x) @ seen.T / count - mean**2, 0)
    product = x @ x.T / count - mean * mean.T
    scale = np.sqrt(square * square.T)
    floor = 1e-12 * np.maximum((x * x).max(axis=1, initial=0), 1e-300)
    varies = (square > floor[:, None]) & (floor < square.T)
    return np.where(varies, np.clip(product / np.where(varies, scale, 1), -1, 1), np.nan)
