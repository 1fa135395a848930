"""Whether a graph is as clustered as a lattice and yet as short of paths as a random graph."""

from __future__ import annotations

import numpy as np
import scipy.sparse
import xarray as xr

from dynome import progress, seeds
from dynome.connectome.metrics.adjacency import EdgeType, Ints, Matrix, joined, rows_of
from dynome.connectome.metrics.triangles import clustering_of
from dynome.connectome.nulls.random_graphs import ordered, unordered
from dynome.connectome.weight_matrix import is_symmetric
from dynome.errors import InputError
from dynome.units import DIMENSIONLESS


def small_worldness(
    connectome: xr.Dataset, *, edge_type: EdgeType = None, n_null: int = 20, random_state: int | None = None
) -> xr.Dataset:
    r"""Clustering and path length between those of a lattice and those of a random graph.

    Parameters
    ----------
    connectome : Dataset
        A valid connectome; self-loops and weights do not count, edges of several types between two nodes are one.
    edge_type : str, list of str or None
        Edge types to follow; None follows all.
    n_null : int
        Random graphs to average over, at least one.
    random_state : int or None
        Seed; None draws a fresh one.

    Returns
    -------
    Dataset of scalars, dimensionless
        ``clustering`` (mean over nodes) and ``path_length`` (mean over ordered pairs with a path), the same of random
        graphs and of a lattice with as many nodes and edges, and from them

        - ``sigma``, above 1 for small worlds [1]_; it grows with the size of the graph.
        - ``omega``, near 0 for small worlds, towards -1 for lattices and 1 for random graphs [2]_.
        - ``propensity``, from 0 to 1, for small worlds near 1 [3]_.

        NaN where a denominator is 0.

    Raises
    ------
    InputError
        If `n_null` is less than 1.

    Notes
    -----
    :math:`\sigma = (C / C_r) / (L / L_r)`, :math:`\omega = L_r / L - C / C_l`, and the propensity is
    :math:`1 - \sqrt{(\Delta_C^2 + \Delta_L^2) / 2}` with :math:`\Delta_C = (C_l - C) / (C_l - C_r)` and
    :math:`\Delta_L = (L - L_r) / (L_l - L_r)`, held between 0 and 1. Random graphs have their edges anywhere;
    lattices join each node of a ring to its nearest ones. Where few pairs have a path, path lengths say little.

    References
    ----------
    .. [1] Humphries & Gurney, PLoS ONE 2008, doi:10.1371/journal.pone.0002051.
    .. [2] Telesford et al., Brain Connectivity 2011, doi:10.1089/brain.2011.0038.
    .. [3] Muldoon, Bridgeford & Bassett, Scientific Reports 2016, doi:10.1038/srep22057.

    Examples
    --------
    >>> from dynome.connectome import from_edges
    >>> names = [str(k) for k in range(30)]
    >>> ends = {"source": names * 2, "target": names[1:] + names[:1] + names[2:] + names[:2]}
    >>> float(small_worldness(from_edges(ends, node=names), n_null=5, random_state=0).sigma) > 1
    True
    """
    if n_null < 1:
        raise InputError(f"n_null must be at least 1, got {n_null}")
    there = joined(connectome, edge_type)
    n, n_edge = there.shape[0], int(there.nnz)
    two_way = is_symmetric(there.astype(np.float64))
    rng = seeds.generator(random_state, "small_worldness")
    found = [_clustering_and_length(there)]
    with progress.task("random graphs", total=n_null) as advance:
        for _ in range(n_null if n > 1 else 0):
            found.append(_clustering_and_length(_random_graph(n, n_edge, two_way, rng)))
            advance(1)
    lattice_c, lattice_l = _clustering_and_length(_lattice(n, n_edge, two_way))
    c, length = found[0]
    random_c, random_l = np.mean(found[1:], axis=0) if n > 1 else (np.nan, np.nan)
    far = np.clip([_ratio(lattice_c - c, lattice_c - random_c), _ratio(length - random_l, lattice_l - random_l)], 0, 1)
    values = {
        "clustering": c,
        "path_length": length,
        "random_clustering": random_c,
        "random_path_length": random_l,
        "lattice_clustering": lattice_c,
        "lattice_path_length": lattice_l,
        "sigma": _ratio(_ratio(c, random_c), _ratio(length, random_l)),
        "omega": _ratio(random_l, length) - _ratio(c, lattice_c),
        "propensity": 1 - np.sqrt((far**2).mean()),
    }
    return xr.Dataset({name: ((), float(value), {"units": DIMENSIONLESS}) for name, value in values.items()})


def _ratio(a: float, b: float) -> float:
    return float(a / b) if b else float("nan")


def _clustering_and_length(there: Matrix) -> tuple[float, float]:
    from dynome.connectome.metrics.path_kernels import counted_steps

    pairs, *_ = counted_steps(*rows_of(there))
    n_pair = pairs[1:].sum()
    length = (pairs * np.arange(pairs.size)).sum() / n_pair if n_pair else np.nan
    return float(clustering_of(there).mean()) if there.shape[0] else float("nan"), float(length)


def _random_graph(n: int, n_edge: int, two_way: bool, rng: np.random.Generator) -> Matrix:
    pair = rng.choice(n * (n - 1) // (2 if two_way else 1), size=n_edge // (2 if two_way else 1), replace=False)
    return _matrix(*(unordered(pair) if two_way else ordered(pair, n)), n, two_way)


def _lattice(n: int, n_edge: int, two_way: bool) -> Matrix:
    """A ring whose nodes are joined to the nearest first, the last distance only as far as the edges go."""
    distance = np.repeat(np.arange(1, n), 1 if two_way else 2)
    if not two_way:
        distance[1::2] *= -1
    edge = np.arange(n_edge // (2 if two_way else 1))
    source = edge % max(n, 1)
    target = (source + distance[edge // max(n, 1)]) % max(n, 1) if edge.size else edge
    return _matrix(source, target, n, two_way)


def _matrix(source: Ints, target: Ints, n: int, two_way: bool) -> Matrix:
    ends = (np.append(source, target), np.append(target, source)) if two_way else (source, target)
    there = scipy.sparse.csr_array((np.ones(ends[0].size, dtype=np.int8), ends), shape=(n, n))
    there.data[:] = 1
    return there
