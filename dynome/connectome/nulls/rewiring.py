"""Wirings with the same degrees, or degrees and mutual edges, by swapping the ends of edges."""

from __future__ import annotations

from functools import partial

import numpy as np
import xarray as xr

from dynome.connectome.edge_table import EdgeTable
from dynome.connectome.nulls.edge_rules import dealt_within, null_of
from dynome.errors import InputError


def rewire(connectome: xr.Dataset, *, n_swaps_per_edge: float = 10, random_state: int | None = None) -> xr.Dataset:
    """Random wiring in which every node keeps its degrees.

    Parameters
    ----------
    connectome : Dataset
        A valid connectome.
    n_swaps_per_edge : float
        Proposed swaps per edge, refused ones included. Ten forget the wiring of usual connectomes; a few per cent of
        the edges coincide with real ones by chance, which no number of swaps changes.
    random_state : int or None
        Seed; None draws a fresh one. The seed is kept in ``attrs["random_state"]``.

    Returns
    -------
    Dataset
        The same nodes and, per edge type, the same number of edges in and out of each node. Weight, sign and further
        columns stay with the *source* of a directed edge: each node keeps the collection of its outgoing weights,
        dealt at random to its new targets (so out-strength is kept, in-strength is not). On edges without direction
        they are dealt at random to all new edges.

    Raises
    ------
    InputError
        If `n_swaps_per_edge` is negative.

    Notes
    -----
    With enough swaps every wiring with these degrees is equally likely: see `dynome.connectome.nulls.swap_kernels`. The
    first call in an installation compiles for some seconds.

    References
    ----------
    .. [1] Maslov & Sneppen, Science 2002, doi:10.1126/science.1065103.

    Examples
    --------
    >>> from dynome.connectome import degree, from_edges
    >>> wiring = from_edges({"source": ["a", "b", "c", "d"], "target": ["b", "c", "d", "a"]})
    >>> degree(rewire(wiring, random_state=0)).in_degree.values.tolist()
    [1, 1, 1, 1]
    """
    if not n_swaps_per_edge >= 0:
        raise InputError(f"n_swaps_per_edge must be >= 0, got {n_swaps_per_edge}")
    return null_of(connectome, "rewire", partial(rewired, n_swaps_per_edge=n_swaps_per_edge), random_state)


def rewired(
    part: EdgeTable, n_node: int, two_way: bool, rng: np.random.Generator, n_swaps_per_edge: float = 10
) -> EdgeTable:
    """The rule of `rewire`."""
    from dynome.connectome.nulls import swap_kernels

    steps = round(n_swaps_per_edge * part.source.size) if part.source.size > 1 else 0
    seed = rng.integers(0, 2**64, dtype=np.uint64)
    if two_way:
        one, other, _ = swap_kernels.swap_undirected(part.source, part.target, n_node, steps, seed)
        dealt = rng.permutation(one.size)
        return part._replace(source=one[dealt], target=other[dealt])
    target, _ = swap_kernels.swap_directed(part.source, part.target, n_node, steps, seed)
    return part._replace(target=dealt_within(part.source, target, rng))


def rewired_with_mutual(
    part: EdgeTable, n_node: int, two_way: bool, rng: np.random.Generator, n_swaps_per_edge: float = 10
) -> EdgeTable:
    """The rule of the null model "reciprocity": nodes also keep how many of their edges lead both ways.

    Columns are dealt as in `rewired`.
    """
    from dynome.connectome.nulls import mutual_kernels

    if two_way or part.source.size < 2:
        return rewired(part, n_node, two_way, rng, n_swaps_per_edge)
    low, high = np.minimum(part.source, part.target), np.maximum(part.source, part.target)
    _, first, size = np.unique(low * n_node + high, return_index=True, return_counts=True)
    mutual = size == 2
    steps = round(n_swaps_per_edge * first.size)
    seed = rng.integers(0, 2**64, dtype=np.uint64)
    a, b, _ = mutual_kernels.swap_keeping_mutual(part.source[first], part.target[first], mutual, n_node, steps, seed)
    source, target = np.append(a, b[mutual]), np.append(b, a[mutual])
    old, new = np.argsort(part.source, kind="stable"), np.lexsort((rng.random(source.size), source))
    out = np.empty_like(target)
    out[old] = target[new]
    return part._replace(target=out)
