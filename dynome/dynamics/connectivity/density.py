"""The strongest share of each matrix as a binary graph, on arrays."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dynome.dynamics.connectivity.moments import Array
from dynome.errors import InputError


def density_cuts(fc: Array, density: float) -> NDArray[np.float64]:
    """The value in each matrix that a share `density` of its entries exceeds.

    Parameters
    ----------
    fc : (n_window, n_node, n_node)
        Symmetric, such as correlations. NaN where missing.
    density : float
        Share of the entries to keep, above 0 and below 1.

    Returns
    -------
    (n_window,)
        ``np.nanpercentile(fc[w].astype(float), 100 * (1 - density))``: over all entries, both triangles and the
        diagonal, interpolated linearly. NaN where a matrix has nothing but NaN.

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

    if not 0 < density < 1:
        raise InputError(f"density must be above 0 and below 1, got {density}")
    cuts: NDArray[np.float64] = graph_cuts(fc, 100 * (1 - density) / 100)  # rounded as by np.percentile
    return cuts


def density_graphs(fc: Array, density: float, *, out: NDArray[np.bool_] | None = None) -> NDArray[np.bool_]:
    """The strongest share of the entries of each matrix.

    Parameters
    ----------
    fc : (n_window, n_node, n_node)
        Symmetric, such as correlations. NaN where missing.
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

    Examples
    --------
    >>> fc = np.array([[[1, 0.5, 0.1], [0.5, 1, 0.3], [0.1, 0.3, 1]]])
    >>> density_graphs(fc, 0.6).astype(int)[0].tolist()
    [[1, 1, 0], [1, 1, 0], [0, 0, 1]]
    """
    cuts = density_cuts(fc, density)
    graphs: NDArray[np.bool_] = np.greater(fc, cuts[:, None, None], out=out)
    at = np.arange(fc.shape[1])
    graphs[:, at, at] |= np.isnan(fc[:, at, at])
    return graphs
