"""How far the wiring flows one way: the level of each node."""

from __future__ import annotations

import numpy as np
import scipy.sparse
import xarray as xr
from scipy.sparse import csgraph
from scipy.sparse.linalg import spsolve

from dynome.connectome.metrics.adjacency import EdgeType, at_nodes, joined, weighted


def feedforward_levels(connectome: xr.Dataset, *, edge_type: EdgeType = None, use_weights: bool = True) -> xr.DataArray:
    r"""Levels such that edges lead up by one on average, as far as that is possible.

    Parameters
    ----------
    connectome : Dataset
        A valid connectome with weights >= 0; self-loops do not count.
    edge_type : str, list of str or None
        Edge types to follow; None follows all.
    use_weights : bool
        Whether edges count by their weights; else each counts 1.

    Returns
    -------
    level (node), dimensionless
        0 for the lowest node of each weakly connected part. ``attrs["incoherence"]`` is 0 where every edge leads up by
        exactly one, and 1 where edges lead up as much as down; NaN without edges.

    Raises
    ------
    InputError
        If a weight is negative.

    Notes
    -----
    Trophic levels [1]_: h solves :math:`(\mathrm{diag}(u) - W - W^T) h = v`, with u the summed weight in and out of
    each node and v the weight in less the weight out. The incoherence is
    :math:`\sum_{ij} W_{ij} (h_j - h_i - 1)^2 / \sum_{ij} W_{ij}`.

    References
    ----------
    .. [1] MacKay, Johnson & Sansom, Royal Society Open Science 2020, doi:10.1098/rsos.201138.

    Examples
    --------
    >>> from dynome.connectome import from_edges
    >>> levels = feedforward_levels(from_edges({"source": ["a", "b"], "target": ["b", "c"]}))
    >>> levels.values.round(6).tolist(), round(levels.attrs["incoherence"], 6)
    ([0.0, 1.0, 2.0], 0.0)
    """
    matrix = weighted(connectome, edge_type) if use_weights else joined(connectome, edge_type).astype(np.float64)
    n = matrix.shape[0]
    into, out = np.asarray(matrix.sum(axis=0)), np.asarray(matrix.sum(axis=1))
    _, part = csgraph.connected_components(matrix, connection="weak")
    first = np.unique(part, return_index=True)[1]
    # Levels are known up to a constant for each part: the first node of each is held at zero.
    free = np.setdiff1d(np.arange(n), first)
    system = (scipy.sparse.diags_array(into + out) - matrix - matrix.T).tocsc()
    level = np.zeros(n)
    if free.size:
        level[free] = spsolve(system[free][:, free].tocsc(), (into - out)[free])
    lowest = np.full(first.size, np.inf)
    np.minimum.at(lowest, part, level)
    level = level - lowest[part] if n else level
    edges = matrix.tocoo()
    total = edges.data.sum()
    off = (edges.data * (level[edges.coords[1]] - level[edges.coords[0]] - 1) ** 2).sum()
    return at_nodes(
        connectome, level, "level", "feed-forward level", incoherence=float(off / total) if total else float("nan")
    )
