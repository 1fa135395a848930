"""How many steps lead from node to node."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.sparse import csgraph

from dynome.connectome import edge_table, node_table
from dynome.connectome.metrics.adjacency import EdgeType, at_nodes, joined, rows_of, weighted
from dynome.schema import NODE
from dynome.units import DIMENSIONLESS

_block = 256  # sources whose distances are held at a time


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
    from dynome.connectome.metrics.path_kernels import counted_steps

    n = edge_table.checked(connectome).sizes[NODE]
    if n < 2:
        return float("nan")
    pairs, *_ = counted_steps(*rows_of(joined(connectome, edge_type)))
    return float((pairs[1:] / np.arange(1, pairs.size)).sum()) / (n * (n - 1))


def local_efficiency(connectome: xr.Dataset, *, edge_type: EdgeType = None) -> xr.DataArray:
    """The efficiency among the neighbours of each node when the node is taken out.

    Parameters
    ----------
    connectome : Dataset
        A valid connectome.
    edge_type : str, list of str or None
        Edge types to follow; None follows all.

    Returns
    -------
    local_efficiency (node), dimensionless
        Between 0 and 1; 0 where a node has fewer than two neighbours. Neighbours are nodes joined in either direction;
        the paths among them are directed. Its mean is the local efficiency of the graph.

    References
    ----------
    .. [1] Latora & Marchiori, Physical Review Letters 2001, doi:10.1103/PhysRevLett.87.198701.

    Examples
    --------
    >>> from dynome.connectome import from_edges
    >>> local_efficiency(from_edges({"source": ["a", "a", "b"], "target": ["b", "c", "c"]})).values.tolist()
    [0.5, 0.5, 0.5]
    """
    from dynome.connectome.metrics.path_kernels import local_efficiencies

    there = joined(connectome, edge_type)
    values = local_efficiencies(*rows_of(there), *rows_of((there + there.T).tocsr()))
    return at_nodes(connectome, values, "local_efficiency", "local efficiency")


def path_lengths(connectome: xr.Dataset, *, edge_type: EdgeType = None, use_weights: bool = False) -> xr.Dataset:
    """How far the nodes lie from each other along the edges.

    Parameters
    ----------
    connectome : Dataset
        A valid connectome.
    edge_type : str, list of str or None
        Edge types to follow; None follows all.
    use_weights : bool
        False counts steps. True gives each edge the length of one over its weight (summed over edge types), so that
        paths prefer strong edges.

    Returns
    -------
    Dataset
        ``mean`` over the ordered pairs with a path, and ``reachable``, their share of all pairs; ``mean_from (node)``
        and ``reachable_from (node)`` the same from each node, NaN where a node reaches none. Of steps, also ``n_pairs
        (steps)``, how many pairs are so many steps apart, and ``diameter``, the most.

    Raises
    ------
    InputError
        If weights are used and one is negative.

    Examples
    --------
    >>> from dynome.connectome import from_edges
    >>> found = path_lengths(from_edges({"source": ["a", "b"], "target": ["b", "c"]}))
    >>> found.n_pairs.values.tolist(), round(float(found["mean"]), 3), float(found.reachable)
    ([2, 1], 1.333, 0.5)
    """
    n = edge_table.checked(connectome).sizes[NODE]
    nodes = node_table.nodes_of(connectome)
    if not use_weights:
        from dynome.connectome.metrics.path_kernels import counted_steps

        pairs, total, _, reached = counted_steps(*rows_of(joined(connectome, edge_type)))
        last = int(np.flatnonzero(pairs).max(initial=0))
        steps = ("steps", np.arange(1, last + 1), {"units": DIMENSIONLESS})
        counts = ("steps", pairs[1 : last + 1], {"units": "count", "long_name": "pairs of nodes"})
        nodes = nodes.assign_coords(steps=steps).assign(n_pairs=counts, diameter=last or np.nan)
        unit = DIMENSIONLESS
    else:
        total, reached = _summed_distances(connectome, edge_type)
        unit = f"1/({edge_table.weight_units(connectome, edge_table.table_of(connectome, edge_type).layers)})"
    with np.errstate(invalid="ignore"):
        mean = {
            "mean_from": (NODE, np.where(reached > 0, total / np.maximum(reached, 1), np.nan)),
            "reachable_from": (NODE, reached / max(n - 1, 1)),
            "mean": total.sum() / reached.sum() if reached.sum() else np.nan,
            "reachable": reached.sum() / (n * (n - 1)) if n > 1 else np.nan,
        }
    out = nodes.assign(mean)
    for name in ("mean_from", "mean"):
        out[name].attrs.update(units=unit, long_name="mean path length")
    for name in ("reachable_from", "reachable"):
        out[name].attrs.update(units=DIMENSIONLESS, long_name="share of pairs with a path")
    return out


def _summed_distances(connectome: xr.Dataset, edge_type: EdgeType) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    length = weighted(connectome, edge_type).copy()
    length.data = 1 / length.data
    n = length.shape[0]
    total, reached = np.zeros(n), np.zeros(n, dtype=np.int64)
    for start in range(0, n, _block):
        rows = np.arange(start, min(start + _block, n))
        far = csgraph.dijkstra(length, indices=rows)
        there = np.isfinite(far)
        total[rows] = np.where(there, far, 0).sum(axis=1)
        reached[rows] = there.sum(axis=1) - 1
    return total, reached
