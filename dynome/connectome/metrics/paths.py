"""How many steps lead from node to node."""

from __future__ import annotations

import numpy as np
import xarray as xr
from scipy.sparse import csgraph

from dynome.connectome import edge_table
from dynome.connectome.metrics.adjacency import EdgeType, joined
from dynome.schema import NODE


def efficiency(connectome: xr.Dataset, *, edge_type: EdgeType = None) -> float:
    """The mean over ordered pairs of nodes of one over the number of steps from source to target.

    Parameters
    ----------
    connectome : Dataset
        A valid connectome; the time is that of one breadth-first search per node.
    edge_type : str, list of str or None
        Edge types to follow; None follows all.

    Returns
    -------
    float
        Between 0 (no edges) and 1 (all joined directly); pairs without a path count 0. NaN with fewer than two nodes.

    References
    ----------
    .. [1] Latora & Marchiori, Physical Review Letters 2001, doi:10.1103/PhysRevLett.87.198701.

    Examples
    --------
    >>> from dynome.connectome import from_edges
    >>> efficiency(from_edges({"source": ["a", "b"], "target": ["b", "c"]}))
    0.4166666666666667
    """
    n = edge_table.checked(connectome).sizes[NODE]
    if n < 2:
        return float("nan")
    there = joined(connectome, edge_type)
    total = 0.0
    for start in range(0, n, 256):
        steps = csgraph.dijkstra(there, unweighted=True, indices=np.arange(start, min(start + 256, n)))
        total += float(np.divide(1, steps, where=steps > 0, out=np.zeros_like(steps)).sum())
    return total / (n * (n - 1))
