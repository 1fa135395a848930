"""Compiled kernel that lays weights on the edges of an LFR graph. Importing this module imports numba."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

_precise_enough = 1e-9  # of the squared total strength
_least_gain = 1e-2  # a sweep that improves by less is the last


@njit(cache=True)
def lay_weights(one: Ints, other: Ints, inside: Flags, strength: Floats, mixing: float) -> Floats:
    """Weights that give every node its strength, and the wished share of it inside its community.

    Parameters
    ----------
    one, other : (n_edge,)
        Ends of undirected edges, each given once.
    inside : (n_edge,)
        Whether both ends are in one community.
    strength : (n_node,)
        Wished sum of the weights at each node.
    mixing : float
        Wished share of it outside the community.

    Returns
    -------
    (n_edge,)
        Weights >= 0.

    Notes
    -----
    Every node in turn spreads the strength that it has not spent equally over its edges, then moves what its inner
    edges have too much equally to its outer edges (or back); a change that would take an edge's weight to 0 is left
    out. Sweeps end when the squared error falls by less than 1 %: a compromise between nodes that cannot all have
    their wish, reached as in the reference program of Lancichinetti & Fortunato.
    """
    n_node, n_edge = strength.size, one.size
    start, edge = _incidence(one, other, n_node)
    weight = np.zeros(n_edge)
    got = np.zeros((n_node, 2))  # strength inside, outside
    error = np.inf
    enough = _precise_enough * strength.sum() ** 2
    while True:
        for i in range(n_node):
            edges = edge[start[i] : start[i + 1]]
            if not edges.size:
                continue
            idle = (strength[i] - got[i, 0] - got[i, 1]) / edges.size
            for e in edges:
                _add(e, idle, weight, got, one, other, inside)
            n_inside = 0
            for e in edges:
                n_inside += inside[e]
            if n_inside:
                excess = got[i, 0] - (1 - mixing) * strength[i]
                for e in edges:
                    share = -excess / n_inside if inside[e] else excess / (edges.size - n_inside)
                    _add(e, share, weight, got, one, other, inside)
        before, error = error, 0.0
        for i in range(n_node):
            error += (got[i, 0] - (1 - mixing) * strength[i]) ** 2 + (got[i, 1] - mixing * strength[i]) ** 2
            error += (strength[i] - got[i, 0] - got[i, 1]) ** 2
        if error < enough or before - error < _least_gain * before:
            return weight


@njit(cache=True)
def _add(e: int, change: float, weight: Floats, got: Floats, one: Ints, other: Ints, inside: Flags) -> None:
    if weight[e] + change <= 0:
        return
    weight[e] += change
    kind = 0 if inside[e] else 1
    got[one[e], kind] += change
    got[other[e], kind] += change


@njit(cache=True)
def _incidence(one: Ints, other: Ints, n_node: int) -> tuple[Ints, Ints]:
    """Edges of node i are ``edge[start[i] : start[i + 1]]``."""
    start = np.zeros(n_node + 1, dtype=np.int64)
    for e in range(one.size):
        start[one[e] + 1] += 1
        start[other[e] + 1] += 1
    start = np.cumsum(start)
    free = start[:-1].copy()
    edge = np.empty(2 * one.size, dtype=np.int64)
    for e in range(one.size):
        for i in (one[e], other[e]):
            edge[free[i]] = e
            free[i] += 1
    return start, edge
