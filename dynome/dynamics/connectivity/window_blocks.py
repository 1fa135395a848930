"""Connectivity in a stretch of windows, of any kind and in any form, on arrays: what one dask task computes."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from dynome.dynamics.connectivity.density import correlation_graphs, density_graphs
from dynome.dynamics.connectivity.kinds import FROM_MOMENTS, INVERTED, Kind, matrix
from dynome.dynamics.connectivity.measures import correlation, covariance
from dynome.dynamics.connectivity.moments import Array, as_float, has_gaps, masked_moments
from dynome.dynamics.connectivity.phase_coherence import Phasors, coherence_windows
from dynome.dynamics.connectivity.windowed_correlation import Starts, correlation_windows, covariance_windows

WindowKind = Kind | Literal["phase coherence"]
Output = Literal["dense", "upper"]

_GROUP_BYTES = 1 << 19  # samples of the windows that a kernel takes at once


class Measure(NamedTuple):
    """What is computed of a window."""

    kind: str
    """One of `WindowKind`."""
    weights: Array | None
    """(width,) taper, for correlation and covariance."""
    min_samples: int
    """Pairs with fewer common samples are NaN."""
    density: float | None
    """Share of the entries to keep as a graph; None keeps values."""
    output: str = "dense"
    """Whole matrices, or what is above the diagonal."""


def window_block(
    x: NDArray[Any], starts: Starts, width: int, measure: Measure, phasors: Phasors | None = None
) -> NDArray[Any]:
    """Connectivity of the columns of `x` in each window, as values or graphs.

    Parameters
    ----------
    x : (n_time, n_node)
        NaN where missing.
    starts : (n_window,)
        First sample of each window.
    width : int
        Samples in a window.
    measure : Measure
        What to compute.
    phasors : (n_time, n_node) or None
        For phase coherence.

    Returns
    -------
    (n_window, n_node, n_node) or (n_window, n_pair)
        Pairs row by row of the upper triangle, for ``output="upper"``. bool with a density.
    """
    x = as_float(x)
    if measure.density is None:
        values = window_matrices(x, starts, width, measure, phasors)
    elif measure.kind == "correlation" and not has_gaps(x):
        values = correlation_graphs(x, starts, width, measure.density, weights=measure.weights)
    else:
        values = density_graphs(window_matrices(x, starts, width, measure, phasors), measure.density)
    if measure.output == "dense":
        return values
    i, j = np.triu_indices(x.shape[1], 1)
    upper: NDArray[Any] = np.take(values.reshape(starts.size, -1), i * x.shape[1] + j, axis=1)
    return upper


def window_matrices(
    x: Array, starts: Starts, width: int, measure: Measure, phasors: Phasors | None = None
) -> NDArray[Any]:
    """Connectivity of the columns of `x` in each window.

    Parameters
    ----------
    x : (n_time, n_node)
        float32 or float64; NaN where missing.
    starts : (n_window,)
        First sample of each window.
    width : int
        Samples in a window.
    measure : Measure
        Of which kind, weights and min_samples are read.
    phasors : (n_time, n_node) or None
        For phase coherence.

    Returns
    -------
    (n_window, n_node, n_node)
    """
    if phasors is not None:
        return coherence_windows(x, phasors, starts, width)
    if measure.kind in FROM_MOMENTS and not has_gaps(x):
        complete = correlation_windows if measure.kind == "correlation" else covariance_windows
        return complete(x, starts, width, weights=measure.weights)
    out = np.empty((starts.size, x.shape[1], x.shape[1]), dtype=x.dtype)
    windows = sliding_window_view(x, width, axis=0).swapaxes(1, 2)
    size = max(1, _GROUP_BYTES // (x.itemsize * x.shape[1] * width))
    for first in range(0, starts.size, size):
        part, here = windows[starts[first : first + size]], slice(first, first + size)
        if measure.kind in FROM_MOMENTS:
            out[here] = _pairwise(part, measure)
        else:
            out[here] = matrix(part, measure.kind, measure.kind in INVERTED, measure.min_samples)[0]
    return out


def _pairwise(x: Array, measure: Measure) -> Array:
    pairs = masked_moments(x, None, measure.weights)
    if measure.kind == "correlation":
        return correlation(pairs, min_samples=measure.min_samples)
    effective = None if measure.weights is None else _effective(x, measure.weights)
    return covariance(pairs, min_samples=measure.min_samples, effective=effective)


def _effective(x: Array, weights: Array) -> Array:
    """What replaces n - 1 for each pair under weights: sum w - sum w^2 / sum w over the common samples."""
    here = (~np.isnan(x)).astype(np.float64)
    once, twice = (np.swapaxes(here * w[:, None], -1, -2) @ here for w in (weights, weights**2))
    divisor: Array = once - twice / np.where(once > 0, once, np.nan)
    return divisor
