"""Description length of wiring and partition, in nats, compiled."""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

Ints = NDArray[np.int64]


@njit(cache=True)
def wiring_saving(n_inside: float, expected_inside: float, n_edge: float) -> float:
    r"""Nats saved by two rates of edges, inside communities and between them, against one.

    Parameters
    ----------
    n_inside : float
        Edges inside communities.
    expected_inside : float
        Those that degrees alone would put there.
    n_edge : float
        All edges.

    Notes
    -----
    Edges of nodes i and j are Poisson with mean :math:`\omega\, k_i k_j / 2E`, :math:`\omega` being one number
    inside and one between communities, each integrated over an exponential prior with mean 1. With the best rates
    instead of all, maximising this in the partition is maximising modularity at a resolution that the rates set [1]_.

    References
    ----------
    .. [1] Newman, Physical Review E 2016, doi:10.1103/PhysRevE.94.052315.
    """
    inside: float = _evidence(n_inside, expected_inside)
    between: float = _evidence(n_edge - n_inside, n_edge - expected_inside)
    return inside + between - float(_evidence(n_edge, n_edge))


@njit(cache=True)
def _evidence(count: float, expected: float) -> float:
    return math.lgamma(count + 1) - (count + 1) * math.log(expected + 1)


@njit(cache=True)
def expected_share(group_square: float, node_square: float, n_edge: float) -> float:
    """Edges that degrees alone would put inside, from sums of squared degrees of communities and of nodes."""
    return n_edge * (group_square - node_square) / (4 * n_edge * n_edge - node_square)


@njit(cache=True)
def log_choose(n: int, k: int) -> float:
    """Logarithm of the binomial coefficient."""
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)


@njit(cache=True)
def partition_length(community: Ints) -> float:
    """Nats that tell the number of communities, their sizes and the members of each.

    Parameters
    ----------
    community : (n_node,)
        Community of each node, from 0; codes without a node do not count.
    """
    n = community.size
    length = math.lgamma(n + 1) + math.log(n)
    n_group = 0
    for size in np.bincount(community):
        if size:
            n_group += 1
            length -= math.lgamma(size + 1)
    return length + float(log_choose(n - 1, n_group - 1))


@njit(cache=True)
def wiring_length(start: Ints, neighbour: Ints, community: Ints) -> float:
    """Nats of the wiring given communities, less those of a graph without; negative where communities pay.

    Parameters
    ----------
    start, neighbour
        As in `Edges`.
    community : (n_node,)
        Community of each node, from 0.
    """
    n_edge = neighbour.size / 2
    ends = np.zeros(community.max() + 1)
    node_square = 0.0
    n_inside = 0.0
    for i in range(community.size):
        degree = start[i + 1] - start[i]
        ends[community[i]] += degree
        node_square += degree * degree
        for e in range(start[i], start[i + 1]):
            if community[neighbour[e]] == community[i]:
                n_inside += 0.5
    saving: float = wiring_saving(n_inside, expected_share((ends * ends).sum(), node_square, n_edge), n_edge)
    return -saving
