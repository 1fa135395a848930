"""The strongest share of each matrix as a binary graph, on arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dynome.dynamics.connectivity.moments import Array, as_float
from dynome.dynamics.connectivity.windowed_correlation import Starts, product_groups
from dynome.errors import InputError

Cuts = NDArray[np.float64]
Graphs = NDArray[np.bool_]


def density_cuts(fc: Array, density: float) -> Cuts:
    """The value in each matrix that a share `density` of its entries exceeds.

    Parameters
    ----------
    fc : (n_window, n_node, n_node)
        Such as correlations. NaN where missing.
    density : float
        Share of the entries to keep, above 0 and below 1.

    Returns
    -------
    (n_window,)
        ``np.nanpercentile(fc[w].astype(float), 100 * (1 - density))``, to the last bit: over all entries, both
        triangles and the diagonal, interpolated linearly. NaN where a matrix has nothing but NaN.

    Raises
    ------
    InputError
        If `density` is out of range.

    Notes
    -----
    In float32, numpy rounds the position of a percentile to float32, so that its value may differ in the last digits.

    Examples
    --------
    >>> fc = np.array([[[1, 0.5, 0.1], [0.5, 1, 0.3], [0.1, 0.3, 1]]])
    >>> density_cuts(fc, 0.5).tolist(), float(np.percentile(fc, 50))
    ([0.5], 0.5)
    """
    from dynome.dynamics.connectivity.window_loops import graph_cuts

    share, room = _share_below(density), np.empty(fc.shape[1] ** 2 + 1, fc.dtype)
    cuts: Cuts = graph_cuts(np.ascontiguousarray(fc), share, np.full(2, np.nan), room)
    return cuts


def density_graphs(fc: Array, density: float, *, out: Graphs | None = None) -> Graphs:
    """The strongest share of the entries of each matrix.

    Parameters
    ----------
    fc : (n_window, n_node, n_node)
        Such as correlations. NaN where missing.
    density : float
        Share of the entries to keep, above 0 and below 1.
    out : (n_window, n_node, n_node) or None
        Is filled and returned, where given.

    Returns
    -------
    (n_window, n_node, n_node)
        True where an entry is above the cut of its window (`density_cuts`). A pair that is NaN is no edge; a node
        keeps its self loop also where it is constant in the window.

    Raises
    ------
    InputError
        If `density` is out of range.

    Notes
    -----
    The graph of STAGIN [1]_, in whose published code the self loop of a constant node is lost. Where many entries tie
    at the cut, as duplicated nodes do at 1, none of them is above it.

    References
    ----------
    .. [1] Kim, Ye & Kim, NeurIPS 2021, arXiv:2105.13495.

    Examples
    --------
    >>> fc = np.array([[[1, 0.5, 0.1], [0.5, 1, 0.3], [0.1, 0.3, 1]]])
    >>> density_graphs(fc, 0.6).astype(int)[0].tolist()
    [[1, 1, 0], [1, 1, 0], [0, 0, 1]]
    """
    return _above(fc, density_cuts(fc, density), out)


def correlation_graphs(
    x: NDArray[Any],
    starts: Starts,
    width: int,
    density: float,
    *,
    weights: Array | None = None,
    out: Graphs | None = None,
) -> Graphs:
    """The strongest correlations of each window, without keeping the correlations.

    Parameters
    ----------
    x : (n_time, n_node)
        float32 is twice as fast as float64.
    starts : (n_window,)
        First sample of each window.
    width : int
        Samples in a window, at least 2.
    density : float
        Share of the entries to keep, above 0 and below 1.
    weights : (width,) or None
        Weight of each sample of a window, positive; None weighs all alike.
    out : (n_window, n_node, n_node) or None
        Is filled and returned, where given.

    Returns
    -------
    (n_window, n_node, n_node)
        ``density_graphs(correlation_windows(x, starts, width), density)``.

    Raises
    ------
    InputError
        If `density` is out of range, a window reaches beyond `x`, or a value is infinite.

    Examples
    --------
    >>> x = np.array([[0.0, 0, 2], [1, -1, 1], [2, -2, 0], [3, 0, 3]])
    >>> correlation_graphs(x, np.array([0]), 4, 0.6).astype(int)[0].tolist()
    [[1, 0, 0], [0, 1, 1], [0, 1, 1]]
    """
    from dynome.dynamics.connectivity.window_loops import finish_windows, graph_cuts

    x = as_float(x)
    share, near, room = _share_below(density), np.full(2, np.nan), np.empty(x.shape[1] ** 2 + 1, x.dtype)
    graphs = np.empty((starts.size, x.shape[1], x.shape[1]), np.bool_) if out is None else out
    for first, product in product_groups(x, starts, width, weights=weights):
        finish_windows(product, product)
        _above(product, graph_cuts(product, share, near, room), graphs[first : first + product.shape[0]])
    return graphs


def _share_below(density: float) -> float:
    if not 0 < density < 1:
        raise InputError(f"density must be above 0 and below 1, got {density}")
    return 100 * (1 - density) / 100  # rounded as by np.percentile


def _above(fc: Array, cuts: Cuts, out: Graphs | None) -> Graphs:
    """Entries above the cut, and self loops."""
    cut = cuts.astype(fc.dtype)
    # Rounded down: what is above the cut in float64 is above it in float32, and nothing else.
    cut = np.where(cut > cuts, np.nextafter(cut, fc.dtype.type(-np.inf)), cut)[:, None, None]
    graphs: Graphs = np.greater(fc, cut, out=out)
    at = np.arange(fc.shape[1])
    graphs[:, at, at] |= np.isnan(fc[:, at, at])
    return graphs
