"""Until the kernels of `dynome.dynamics.connectivity` are there."""

from __future__ import annotations

from typing import Any

import numpy as np


def starts_of_windows(n_time: int, width: int, stride: int, closed: str = "inclusive") -> Any:
    """Starts."""
    return np.arange(0, n_time - width + (closed == "inclusive"), stride, dtype=np.int64)


def correlation_windows(x: Any, starts: Any, width: int) -> Any:
    """Correlations."""
    with np.errstate(invalid="ignore"):
        return np.stack([np.corrcoef(x[s : s + width].T) for s in starts]).astype(np.float32)


def density_graphs(fc: Any, density: float) -> Any:
    """Graphs."""
    return np.stack([w > np.nanpercentile(w, 100 * (1 - density)) for w in fc])
