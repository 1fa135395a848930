"""The edges of one node by the group at their other end."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dynome.connectome.communities.blockmodel.blocks import Graph, Upper
from dynome.connectome.communities.blockmodel.laws import Law

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


class Tally(NamedTuple):
    """Edges of one node by the group at their other end. Rows of two are out and in.

    Attributes
    ----------
    edges, first, second : (2, n_group)
        Edges and sums of their covariates; self-loops apart.
    touched : (n_group + 1,)
        How many groups have any, then which.
    upper : (n_level, 2, most)
        Edges, by the groups of each level.
    upper_touched : (n_level, most + 1)
        How many, then which.
    upper_cost : (n_level, most)
        What a level would cost with the node below a group; NaN where not worked out.
    """

    edges: Ints
    first: Floats
    second: Floats
    touched: Ints
    upper: Ints
    upper_touched: Ints
    upper_cost: Floats


@njit(cache=True)
def empty_tally(n_group: int, upper: Upper) -> Tally:
    """A tally of nothing.

    Parameters
    ----------
    n_group : int
        Groups.
    upper : Upper
        Levels above.
    """
    n_level, most = upper.size.shape
    return Tally(
        np.zeros((2, n_group), dtype=np.int64), np.zeros((2, n_group)), np.zeros((2, n_group)),
        np.zeros(n_group + 1, dtype=np.int64), np.zeros((n_level, 2, most), dtype=np.int64),
        np.zeros((n_level, most + 1), dtype=np.int64), np.full((n_level, most), np.nan),
    )  # fmt: skip


@njit(cache=True)
def gather(law: Law, graph: Graph, group: Ints, upper: Upper, tally: Tally, node: int) -> None:
    """Tally the edges of one node; what the tally held is forgotten.

    Parameters
    ----------
    law : Law
        Whether edges have a direction.
    graph : Graph
        The graph.
    group : (n_node,)
        The partition.
    upper : Upper
        Levels above.
    tally : Tally
        Is changed.
    node : int
        The node.
    """
    count, first, second, touched = tally.edges, tally.first, tally.second, tally.touched
    for k in range(1, touched[0] + 1):
        s = touched[k]
        count[0, s] = count[1, s] = 0
        first[0, s] = first[1, s] = second[0, s] = second[1, s] = 0.0
    touched[0] = 0
    start, end, edges, sums, squares = graph.start, graph.end, graph.edges, graph.first, graph.second
    for side in range(2 if law.directed else 1):
        if side == 1:
            start, end, edges = graph.in_start, graph.in_end, graph.in_edges
            sums, squares = graph.in_first, graph.in_second
        for k in range(start[node], start[node + 1]):
            s = group[end[k]]
            if count[0, s] + count[1, s] == 0:
                touched[0] += 1
                touched[touched[0]] = s
            count[side, s] += edges[k]
            first[side, s] += sums[k]
            second[side, s] += squares[k]
    for level in range(upper.n_group.size):
        if upper.n_group[level] > 1:
            _gather_above(upper.ancestor[level], tally, level)


@njit(cache=True)
def _gather_above(ancestor: Ints, tally: Tally, level: int) -> None:
    held, seen, touched, count = tally.upper[level], tally.upper_touched[level], tally.touched, tally.edges
    for k in range(1, seen[0] + 1):
        held[0, seen[k]] = held[1, seen[k]] = 0
    seen[0] = 0
    tally.upper_cost[level] = np.nan
    for k in range(1, touched[0] + 1):
        s = touched[k]
        above = ancestor[s]
        if held[0, above] + held[1, above] == 0:
            seen[0] += 1
            seen[seen[0]] = above
        held[0, above] += count[0, s]
        held[1, above] += count[1, s]
