"""Where a search starts: from single nodes, or, in a large graph, from small groups that were merged without moves.

The dense cells of a search would not fit thousands of groups, so pairs of nodes, then pairs of pairs and so on are
merged on sparse rows, until there are few enough.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dynome.connectome.communities.blockmodel.blocks import Graph
from dynome.connectome.communities.blockmodel.laws import Law, edge_cost, group_cost, weight_cost
from dynome.connectome.communities.blockmodel.random_bits import State, below, state_from, uniform

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

_MOST = 400
_PARTNERS = 12


class Rows(NamedTuple):
    """A graph of groups in sorted rows, without directions.

    Attributes
    ----------
    start, end, edges, first, second
        As in `dynome.connectome.communities.blockmodel.blocks.Graph`.
    loop, loop_first, loop_second : (n_group,)
        Edges inside each group and the sums of their covariates.
    size, ends : (n_group,)
        Nodes and edge ends.
    """

    start: Ints
    end: Ints
    edges: Ints
    first: Floats
    second: Floats
    loop: Ints
    loop_first: Floats
    loop_second: Floats
    size: Ints
    ends: Ints


def coarse_start(law: Law, graph: Graph, rng: np.random.Generator) -> Ints:
    """Groups from 0 to start a search from: single nodes if they are not too many.

    Parameters
    ----------
    law : Law
        What cells and groups cost.
    graph : Graph
        The graph.
    rng : Generator
        Which pairs are tried.
    """
    n_node = graph.loop.size
    group = np.arange(n_node)
    if n_node <= _MOST:
        return group
    state = state_from(rng)
    rows = _contract(graph, group)
    while rows.size.size > _MOST:
        n = rows.size.size
        pairs = merge_pairs(law._replace(directed=False), rows, max(_MOST, int(n / 1.6)), state)
        group = pairs[group]
        rows = _contract(graph, group)
    return group


def _contract(graph: Graph, group: Ints) -> Rows:
    """The graph of groups, edges of either direction together."""
    n = int(group.max()) + 1
    parts = [(graph.start, graph.end, graph.edges, graph.first, graph.second)]
    if graph.in_end.size:
        parts.append((graph.in_start, graph.in_end, graph.in_edges, graph.in_first, graph.in_second))
    row = np.concatenate([group[np.repeat(np.arange(group.size), np.diff(p[0]))] for p in parts])
    column = np.concatenate([group[p[1]] for p in parts])
    key, place = np.unique(row * n + column, return_inverse=True)
    count, first, second = (
        np.bincount(place, weights=np.concatenate([p[k] for p in parts]), minlength=key.size) for k in (2, 3, 4)
    )
    row, column = key // n, key % n
    inside = row == column
    loop, loop_first, loop_second = (
        np.bincount(row[inside], weights=v[inside] / 2, minlength=n).astype(np.float64) for v in (count, first, second)
    )
    loop += np.bincount(group, weights=graph.loop, minlength=n)
    degree = graph.out_degree + graph.in_degree
    return Rows(
        np.concatenate([[0], np.cumsum(np.bincount(row[~inside], minlength=n))]).astype(np.int64),
        column[~inside], count[~inside].astype(np.int64), first[~inside], second[~inside],
        loop.astype(np.int64), loop_first, loop_second,
        np.bincount(group, minlength=n).astype(np.int64),
        np.bincount(group, weights=degree, minlength=n).astype(np.int64),
    )  # fmt: skip


@njit(cache=True)
def merge_pairs(law: Law, rows: Rows, n_target: int, state: State) -> Ints:
    """Merge the pairs of groups that cost least, each group at most once.

    Parameters
    ----------
    law : Law
        What cells and groups cost; without directions.
    rows : Rows
        The groups.
    n_target : int
        Groups to end with, if that many pairs are found; one pair is always merged.
    state : (1,)
        Random state.

    Returns
    -------
    (n_group,)
        New number of each group.
    """
    n = rows.size.size
    partner, cost = np.empty(n, dtype=np.int64), np.full(n, np.inf)
    for r in range(n):
        for _ in range(_PARTNERS):
            s = _suggest(rows, r, state)
            if s != r:
                here = _merging_cost(law, rows, r, s)
                if here < cost[r]:
                    partner[r], cost[r] = s, here
    new, free, left = np.arange(n), np.ones(n, dtype=np.bool_), n
    for r in np.argsort(cost):
        if left <= n_target or cost[r] == np.inf:
            break
        if free[r] and free[partner[r]]:
            new[r] = partner[r]
            free[r] = free[partner[r]] = False
            left -= 1
    if left == n:
        new[n - 1] = 0
    number = np.cumsum(new == np.arange(n)) - 1
    return number[new]


@njit(cache=True)
def _suggest(rows: Rows, r: int, state: State) -> int:
    """A neighbour, a neighbour of a neighbour, or now and then any group."""
    chance = uniform(state)
    degree = rows.start[r + 1] - rows.start[r]
    if chance < 0.05 or degree == 0:
        return int(below(state, rows.size.size))
    t = rows.end[rows.start[r] + below(state, degree)]
    if chance < 0.4:
        return int(t)
    return int(rows.end[rows.start[t] + below(state, rows.start[t + 1] - rows.start[t])])


@njit(cache=True)
def _merging_cost(law: Law, rows: Rows, r: int, s: int) -> float:
    kind, weight, prior, table, constants = law.kind, law.weight, law.prior, law.log_factorial, law.weight_table
    start, end, count, first, second = rows.start, rows.end, rows.edges, rows.first, rows.second
    n = rows.loop[r] + rows.loop[s]
    sums = rows.loop_first[r] + rows.loop_first[s]
    squares = rows.loop_second[r] + rows.loop_second[s]
    total = -edge_cost(kind, table, rows.loop[r], 0, False) - edge_cost(kind, table, rows.loop[s], 0, False)
    if weight:
        for g in (r, s):
            inside = rows.loop[g]
            if inside > 0:
                sums_inside, squares_inside = rows.loop_first[g], rows.loop_second[g]
                total -= weight_cost(weight, prior, constants[inside], table, inside, sums_inside, squares_inside)
    i, j = start[r], start[s]
    while i < start[r + 1]:
        if end[i] == s:
            m = count[i]
            n, sums, squares = n + m, sums + first[i], squares + second[i]
            total -= edge_cost(kind, table, m, 0, True)
            if weight:
                total -= weight_cost(weight, prior, constants[m], table, m, first[i], second[i])
        while j < start[s + 1] and end[j] < end[i]:
            j += 1
        if j < start[s + 1] and end[j] == end[i]:
            a, b = count[i], count[j]
            total += edge_cost(kind, table, a + b, 0, True)
            total -= edge_cost(kind, table, a, 0, True) + edge_cost(kind, table, b, 0, True)
            if weight:
                x, y = first[i] + first[j], second[i] + second[j]
                total += weight_cost(weight, prior, constants[a + b], table, a + b, x, y)
                total -= weight_cost(weight, prior, constants[a], table, a, first[i], second[i])
                total -= weight_cost(weight, prior, constants[b], table, b, first[j], second[j])
        i += 1
    total += edge_cost(kind, table, n, 0, False)
    if weight and n > 0:
        total += weight_cost(weight, prior, constants[n], table, n, sums, squares)
    size, ends = rows.size, rows.ends
    total += group_cost(kind, False, table, law.partitions, ends[r] + ends[s], 0, size[r] + size[s])
    for g in (r, s):
        total -= group_cost(kind, False, table, law.partitions, ends[g], 0, size[g])
    return float(total)
