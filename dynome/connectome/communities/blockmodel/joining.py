"""What a node would cost in each group, from the cells between that group and those of its neighbours."""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dynome.connectome.communities.blockmodel.blocks import Blocks, Graph, Upper, places
from dynome.connectome.communities.blockmodel.laws import (
    DEGREE_CORRECTED,
    GROUPS,
    Law,
    edge_cost,
    group_cost,
    hyper_cost,
    log_multisets,
    weight_cost,
)
from dynome.connectome.communities.blockmodel.tallies import Tally

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@njit(cache=True)
def joining_costs(
    law: Law, graph: Graph, blocks: Blocks, upper: Upper, tally: Tally, node: int, groups: Ints, costs: Floats
) -> None:
    """What a node that was taken out would cost in each of some groups.

    Parameters
    ----------
    law : Law
        The law.
    graph : Graph
        The graph.
    blocks, upper : Blocks, Upper
        The partition without the node.
    tally : Tally
        Edges of the node; keeps what the levels above cost.
    node : int
        The node.
    groups : (n,)
        Groups to try.
    costs : (n,)
        Becomes the difference of description length in nats, up to what is the same for all groups.
    """
    if law.kind == GROUPS:
        _cells_of_groups(law, blocks, tally, graph.loop[node], groups, costs)
    elif law.directed:
        _directed_cells(law, blocks, tally, groups, costs)
    else:
        _cells(law, blocks, tally, groups, costs)
    _groups(law, graph, blocks, node, groups, costs)
    if upper.n_group[0] > 1:
        _above(law, upper, tally, graph.loop[node], groups, costs)


@njit(cache=True)
def _groups(law: Law, graph: Graph, blocks: Blocks, node: int, groups: Ints, costs: Floats) -> None:
    kind, directed, table, partitions = law.kind, law.directed, law.log_factorial, law.partitions
    size, out_ends, in_ends, degree_count = blocks.size, blocks.out_ends, blocks.in_ends, blocks.degree_count
    out_degree, in_degree, degree_class = graph.out_degree[node], graph.in_degree[node], graph.degree_class[node]
    for k in range(groups.size):
        s = groups[k]
        costs[k] += group_cost(
            kind, directed, table, partitions, out_ends[s] + out_degree, in_ends[s] + in_degree, size[s] + 1
        ) - group_cost(kind, directed, table, partitions, out_ends[s], in_ends[s], size[s])
        if kind == DEGREE_CORRECTED:
            costs[k] -= math.log(degree_count[s, degree_class] + 1.0)


@njit(cache=True)
def _cells(law: Law, blocks: Blocks, tally: Tally, groups: Ints, costs: Floats) -> None:
    weight, prior, table, constants = law.weight, law.prior, law.log_factorial, law.weight_table
    count, first, second, cost = blocks.edges, blocks.first, blocks.second, blocks.cost
    more, more_first, more_second, touched = tally.edges[0], tally.first[0], tally.second[0], tally.touched
    for k in range(groups.size):
        s, total, n_cell = groups[k], 0.0, 0
        for j in range(1, touched[0] + 1):
            t = touched[j]
            new = count[s, t] + more[t]
            n_cell += new == more[t]
            total += edge_cost(0, table, new, 0, s != t) - cost[s, t]
            if weight:
                total += weight_cost(
                    weight, prior, constants[new], table, new, first[s, t] + more_first[t],
                    second[s, t] + more_second[t],
                )  # fmt: skip
        if n_cell > 0:
            total += hyper_cost(law, blocks.n_cell[0] + n_cell) - hyper_cost(law, blocks.n_cell[0])
        costs[k] = total


@njit(cache=True)
def _directed_cells(law: Law, blocks: Blocks, tally: Tally, groups: Ints, costs: Floats) -> None:
    weight, prior, table, constants = law.weight, law.prior, law.log_factorial, law.weight_table
    count, first, second, cost = blocks.edges, blocks.first, blocks.second, blocks.cost
    for k in range(groups.size):
        s, total, n_cell = groups[k], 0.0, 0
        for j in range(1, tally.touched[0] + 1):
            t = tally.touched[j]
            for side in range(2):
                more, more_first, more_second = tally.edges[side, t], tally.first[side, t], tally.second[side, t]
                if t == s:
                    if side == 1:
                        continue
                    more += tally.edges[1, t]
                    more_first += tally.first[1, t]
                    more_second += tally.second[1, t]
                if more == 0:
                    continue
                p, q = (s, t) if side == 0 else (t, s)
                new = count[p, q] + more
                n_cell += new == more
                total += edge_cost(0, table, new, 0, True) - cost[p, q]
                if weight:
                    total += weight_cost(
                        weight, prior, constants[new], table, new, first[p, q] + more_first, second[p, q] + more_second
                    )
        if n_cell > 0:
            total += hyper_cost(law, blocks.n_cell[0] + n_cell) - hyper_cost(law, blocks.n_cell[0])
        costs[k] = total


@njit(cache=True)
def _cells_of_groups(law: Law, blocks: Blocks, tally: Tally, loop: int, groups: Ints, costs: Floats) -> None:
    """All cells of a group change when it grows, because they have more room."""
    directed, table, size, count, cost = law.directed, law.log_factorial, blocks.size, blocks.edges, blocks.cost
    for k in range(groups.size):
        s, total = groups[k], 0.0
        for t in range(size.size):
            if t == s:
                new = count[s, s] + tally.edges[0, s] + tally.edges[1, s] + loop
                pairs = places(directed, size[s] + 1, size[s] + 1, True)
                total += log_multisets(table, pairs, new) - cost[s, s]
                continue
            pairs = (size[s] + 1) * size[t]
            total += log_multisets(table, pairs, count[s, t] + tally.edges[0, t]) - cost[s, t]
            if directed:
                total += log_multisets(table, pairs, count[t, s] + tally.edges[1, t]) - cost[t, s]
        costs[k] = total


@njit(cache=True)
def _above(law: Law, upper: Upper, tally: Tally, loop: int, groups: Ints, costs: Floats) -> None:
    directed, table = law.directed, law.log_factorial
    for level in range(upper.n_group.size):
        if upper.n_group[level] == 1:
            break
        ancestor, kept = upper.ancestor[level], tally.upper_cost[level]
        size, held, more, touched = (
            upper.size[level], upper.edges[level], tally.upper[level], tally.upper_touched[level],
        )  # fmt: skip
        for k in range(groups.size):
            s = ancestor[groups[k]]
            if np.isnan(kept[s]):
                kept[s] = _one_above(directed, table, size, held, more, touched, loop, s)
            costs[k] += kept[s]


@njit(cache=True)
def _one_above(
    directed: bool, table: Floats, size: Ints, held: Ints, more: Ints, touched: Ints, loop: int, s: int
) -> float:
    pairs = places(directed, size[s], size[s], True)
    new = held[s, s] + more[0, s] + more[1, s] + loop
    total = log_multisets(table, pairs, new) - log_multisets(table, pairs, held[s, s])
    for k in range(1, touched[0] + 1):
        t = touched[k]
        if t != s:
            pairs = size[s] * size[t]
            total += log_multisets(table, pairs, held[s, t] + more[0, t]) - log_multisets(table, pairs, held[s, t])
            if directed:
                total += log_multisets(table, pairs, held[t, s] + more[1, t]) - log_multisets(table, pairs, held[t, s])
    return float(total)
