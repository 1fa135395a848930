r"""The description length of a nested weighted stochastic block model, term by term, on plain arrays.

A graph of N nodes and E edges is described by its groups: first the partition, then how many edges run between groups
(the graph of the groups, described in the same way), the degrees, where the edges lie, and last their weights. All
terms are in nats: minus logarithms of probabilities, so the shortest description is the most probable one.

``ends`` is the matrix of edge ends between groups: of an undirected graph, the diagonal counts every edge twice. With
``directed=True``, the entry (r, s) counts the edges from r to s. Sources: Peixoto, Physical Review E 2017,
doi:10.1103/PhysRevE.95.012317 (topology), and Physical Review E 2018, doi:10.1103/PhysRevE.97.012306 (weights).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from dynome.connectome.communities.blockmodel.integer_partitions import log_partitions, partition_table

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Number = float | Ints | Floats


def log_binomial(n: Number, k: Number) -> Floats:
    """Ln of the number of ways to choose k of n.

    Parameters
    ----------
    n, k : float or array
        ``0 <= k <= n``.
    """
    whole, part = np.asarray(n, dtype=np.float64), np.asarray(k, dtype=np.float64)
    return np.asarray(gammaln(whole + 1) - gammaln(part + 1) - gammaln(whole - part + 1))


def log_multiset(kinds: Number, n: Number) -> Floats:
    """Ln of the number of ways to choose n things of so many kinds, with repetition.

    Parameters
    ----------
    kinds, n : float or array
        Nothing is chosen in one way.

    Examples
    --------
    >>> round(float(np.exp(log_multiset(3, 2))))
    6
    """
    total, part = np.asarray(kinds, dtype=np.float64) + n - 1, np.asarray(n, dtype=np.float64)
    return np.where(part > 0, log_binomial(np.maximum(total, part), part), 0.0)


def edge_ends(count: Ints, group: Ints, *, directed: bool = False) -> Ints:
    """Edge ends between groups.

    Parameters
    ----------
    count : (n_node, n_node)
        Edges between nodes; symmetric if undirected, the diagonal then counts a self-loop once.
    group : (n_node,)
        Groups from 0.
    directed : bool
        Whether (i, j) differs from (j, i).

    Returns
    -------
    (n_group, n_group)
        Of an undirected graph, an edge inside a group counts twice.
    """
    one = np.eye(int(group.max()) + 1, dtype=np.int64)[group]
    whole = count if directed else count + np.diag(np.diag(count))
    return np.asarray(one.T @ whole @ one)


def adjacency_length(
    ends: Ints, size: Ints, *, degrees: tuple[Ints, ...] = (), multiplicity: Ints | None = None, directed: bool = False
) -> float:
    """Where the edges lie, given how many run between groups.

    Parameters
    ----------
    ends : (n_group, n_group)
        Edge ends.
    size : (n_group,)
        Nodes of each group.
    degrees : () or (n_node,) each
        Of a degree-corrected model: the degrees, or the out- and the in-degrees. Empty for a plain model.
    multiplicity : (n_pair,) or None
        Parallel edges of each pair of nodes, where there are any.
    directed : bool
        Whether edges have a direction.
    """
    sums = [ends.sum(axis=1), ends.sum(axis=0)] if directed else [ends.sum(axis=1)]
    if directed:
        total = -gammaln(ends + 1).sum()
    else:
        upper, inside = ends[np.triu_indices(size.size, 1)], np.diag(ends) // 2
        total = -gammaln(upper + 1).sum() - (inside * np.log(2)).sum() - gammaln(inside + 1).sum()
    if degrees:
        total += sum(gammaln(s + 1).sum() for s in sums) - sum(gammaln(k + 1).sum() for k in degrees)
    else:
        total += sum((s * np.log(size)).sum() for s in sums)
    return float(total + (0.0 if multiplicity is None else gammaln(multiplicity + 1).sum()))


def degree_length(degrees: tuple[Ints, ...], group: Ints, *, prior: str = "distributed") -> float:
    """The degrees, given how many edge ends each group has.

    Parameters
    ----------
    degrees : (n_node,) each
        The degrees, or the out- and the in-degrees.
    group : (n_node,)
        Groups from 0.
    prior : {"distributed", "uniform"}
        ``"uniform"``: all sequences of degrees are alike. ``"distributed"``: all histograms are alike, then all
        sequences with that histogram.
    """
    total, pairs = 0.0, np.stack(degrees, axis=1)
    table = partition_table(int(max(k.sum() for k in degrees)), group.size)
    for r in range(int(group.max()) + 1):
        inside = pairs[group == r]
        if prior == "uniform":
            total += float(log_multiset(inside.shape[0], inside.sum(axis=0)).sum())
            continue
        total += sum(log_partitions(table, int(e), inside.shape[0]) for e in inside.sum(axis=0))
        total += float(gammaln(inside.shape[0] + 1))
        total -= float(gammaln(np.unique(inside, axis=0, return_counts=True)[1] + 1).sum())
    return total


def partition_length(size: Ints) -> float:
    """Which node is in which group.

    Parameters
    ----------
    size : (n_group,)
        Nodes of each group, at least 1.
    """
    n = size.sum()
    return float(log_binomial(n - 1, size.size - 1) + gammaln(n + 1) - gammaln(size + 1).sum() + np.log(n))


def flat_edge_length(n_group: int, n_edge: int, *, directed: bool = False) -> float:
    """How many edges run between groups, where all matrices are alike.

    Parameters
    ----------
    n_group, n_edge : int
        Groups and edges.
    directed : bool
        Whether edges have a direction.
    """
    return float(log_multiset(n_group**2 if directed else n_group * (n_group + 1) // 2, n_edge))


def level_length(ends: Ints, size: Ints, *, directed: bool = False) -> float:
    """The edges between groups, given those between groups of groups.

    Parameters
    ----------
    ends : (n_group, n_group)
        Edge ends of the level.
    size : (n_group,)
        How many groups of the level below each one has.
    directed : bool
        Whether edges have a direction.
    """
    places = np.outer(size, size)
    if directed:
        return float(log_multiset(places, ends).sum())
    upper = np.triu_indices(size.size, 1)
    inside = log_multiset(size * (size + 1) // 2, np.diag(ends) // 2)
    return float(log_multiset(places[upper], ends[upper]).sum() + inside.sum())


def nested_edge_length(ends: Ints, levels: list[Ints], *, directed: bool = False) -> float:
    """How many edges run between groups, as the levels above describe it, their partitions included.

    Parameters
    ----------
    ends : (n_group, n_group)
        Edge ends of the lowest level.
    levels : list of (n_below,)
        Group of each group of the level below, from 0; the last level has one group.
    directed : bool
        Whether edges have a direction.
    """
    total = 0.0
    for group in levels:
        one = np.eye(int(group.max()) + 1, dtype=np.int64)[group]
        ends, size = one.T @ ends @ one, one.sum(axis=0)
        total += partition_length(size) + level_length(ends, size, directed=directed)
    return total


def exponential_length(count: Ints, total: Floats) -> float:
    """Weights >= 0 given their sum in each cell (microcanonical): all splits of the sum are alike.

    Parameters
    ----------
    count : (n_cell,)
        Edges in each cell, at least 1.
    total : (n_cell,)
        Their summed weights, above 0.

    Notes
    -----
    The sums are weights of the edges between groups, and described by the same formula one level up.
    """
    return float(((count - 1) * np.log(total) - gammaln(count)).sum())


def conjugate_exponential_length(count: Ints, total: Floats, *, shape: float, rate: float) -> float:
    """Exponential weights whose rate in each cell has a gamma prior.

    Parameters
    ----------
    count : (n_cell,)
        Edges in each cell.
    total : (n_cell,)
        Their summed weights.
    shape, rate : float
        Of the gamma prior.
    """
    constant = gammaln(shape) - shape * np.log(rate)
    return float((constant - gammaln(count + shape) + (count + shape) * np.log(total + rate)).sum())
