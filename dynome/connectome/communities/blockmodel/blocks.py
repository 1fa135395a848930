"""A graph, its groups and the groups of these, as arrays for compiled searches."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dynome.connectome.communities.blockmodel.laws import (
    DEGREE_CORRECTED,
    GROUPS,
    Law,
    edge_cost,
    group_cost,
    hyper_cost,
    log_factorial,
    log_multisets,
    weight_cost,
)

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


class Graph(NamedTuple):
    """Edges by node, apart from self-loops.

    Attributes
    ----------
    start, end, edges, first, second : (n_node + 1,), (n_entry,) ...
        Rows of neighbours: of each, the number of edges, and the sums of their covariates and of the squares. An
        undirected edge is in both rows, a directed one in the row of its source.
    in_start, in_end, in_edges, in_first, in_second
        The same by target; empty if undirected.
    loop : (n_node,)
        Self-loops of each node.
    out_degree, in_degree : (n_node,)
        Edge ends at each node; of an undirected graph, all are out.
    degree_class : (n_node,)
        Number of the pair of degrees among those that occur.
    """

    start: Ints
    end: Ints
    edges: Ints
    first: Floats
    second: Floats
    in_start: Ints
    in_end: Ints
    in_edges: Ints
    in_first: Floats
    in_second: Floats
    loop: Ints
    out_degree: Ints
    in_degree: Ints
    degree_class: Ints


class Blocks(NamedTuple):
    """What a partition adds up to. Every group has a node at the start of a sweep.

    Attributes
    ----------
    group : (n_node,)
        Group of each node.
    size, out_ends, in_ends : (n_group,)
        Nodes and edge ends.
    edges, first, second, cost : (n_group, n_group)
        Cells, in full also where symmetric: edges, sums, and what the cell costs.
    degree_count : (n_group, n_class)
        Nodes of each pair of degrees.
    n_cell : (1,)
        Cells with edges; a pair counts once if undirected.
    """

    group: Ints
    size: Ints
    out_ends: Ints
    in_ends: Ints
    edges: Ints
    first: Floats
    second: Floats
    cost: Floats
    degree_count: Ints
    n_cell: Ints


class Upper(NamedTuple):
    """The levels above a partition.

    Attributes
    ----------
    ancestor : (n_level, n_group)
        What each group belongs to at each level; the last has one group.
    n_group : (n_level,)
        Groups at each level.
    size : (n_level, most)
        Members of each, counted one level below.
    edges : (n_level, most, most)
        Edges between them.
    """

    ancestor: Ints
    n_group: Ints
    size: Ints
    edges: Ints


@njit(cache=True)
def blocks_of(law: Law, graph: Graph, group: Ints, n_group: int) -> Blocks:
    """Add a partition up.

    Parameters
    ----------
    law : Law
        What cells cost.
    graph : Graph
        The graph.
    group : (n_node,)
        Groups from 0; is kept and changed by sweeps.
    n_group : int
        How many; each must have a node.
    """
    n_class = graph.degree_class.max() + 1 if law.kind == DEGREE_CORRECTED else 1
    size, out_ends = np.zeros(n_group, dtype=np.int64), np.zeros(n_group, dtype=np.int64)
    in_ends = np.zeros(n_group, dtype=np.int64)
    count = np.zeros((n_group, n_group), dtype=np.int64)
    first, second = np.zeros((n_group, n_group)), np.zeros((n_group, n_group))
    degree_count = np.zeros((n_group, n_class), dtype=np.int64)
    directed, corrected, start, end = law.directed, law.kind == DEGREE_CORRECTED, graph.start, graph.end
    edges, sums, squares = graph.edges, graph.first, graph.second
    for i in range(group.size):
        r = group[i]
        size[r] += 1
        out_ends[r] += graph.out_degree[i]
        in_ends[r] += graph.in_degree[i]
        count[r, r] += graph.loop[i]
        if corrected:
            degree_count[r, graph.degree_class[i]] += 1
        for k in range(start[i], start[i + 1]):
            s = group[end[k]]
            if directed or s != r or i < end[k]:
                count[r, s] += edges[k]
                first[r, s] += sums[k]
                second[r, s] += squares[k]
    blocks = Blocks(
        group, size, out_ends, in_ends, count, first, second, np.zeros((n_group, n_group)), degree_count,
        np.zeros(1, dtype=np.int64),
    )  # fmt: skip
    refresh(law, blocks)
    return blocks


@njit(cache=True)
def refresh(law: Law, blocks: Blocks) -> None:
    """Work out anew what every cell costs.

    Parameters
    ----------
    law : Law
        The law.
    blocks : Blocks
        Is changed.
    """
    kind, directed, weight, prior, table = law.kind, law.directed, law.weight, law.prior, law.log_factorial
    constants, size, cost, count = law.weight_table, blocks.size, blocks.cost, blocks.edges
    first, second, n_cell = blocks.first, blocks.second, 0
    for r in range(size.size):
        for s in range(0 if directed else r, size.size):
            n = count[r, s]
            pairs = places(directed, size[r], size[s], r == s) if kind == GROUPS else 0
            cost[r, s] = edge_cost(kind, table, n, pairs, directed or r != s)
            if n > 0:
                n_cell += 1
                if weight:
                    cost[r, s] += weight_cost(weight, prior, constants[n], table, n, first[r, s], second[r, s])
            if not directed:
                cost[s, r] = cost[r, s]
    blocks.n_cell[0] = n_cell


@njit(cache=True)
def places(directed: bool, n: int, m: int, diagonal: bool) -> int:
    """Pairs of members in a cell, self-loops included.

    Parameters
    ----------
    directed : bool
        Whether edges have a direction.
    n, m : int
        Members of the two groups.
    diagonal : bool
        Whether they are one group.
    """
    if diagonal and not directed:
        return n * (n + 1) // 2
    return n * m


@njit(cache=True)
def upper_of(law: Law, blocks: Blocks, ancestor: Ints) -> Upper:
    """Add the levels above a partition up.

    Parameters
    ----------
    law : Law
        Whether edges have a direction.
    blocks : Blocks
        The partition.
    ancestor : (n_level, n_group)
        What each group belongs to at each level, from 0.
    """
    n_level, n_base = ancestor.shape
    n_group = np.empty(n_level, dtype=np.int64)
    for k in range(n_level):
        n_group[k] = ancestor[k].max() + 1
    most = n_group.max()
    size = np.zeros((n_level, most), dtype=np.int64)
    count = np.zeros((n_level, most, most), dtype=np.int64)
    for k in range(n_level):
        seen = np.zeros(n_base, dtype=np.bool_)
        for r in range(n_base):
            child = ancestor[k - 1, r] if k > 0 else r
            if not seen[child]:
                seen[child] = True
                size[k, ancestor[k, r]] += 1
            for s in range(0 if law.directed else r, n_base):
                add_upper(law.directed, count[k], ancestor[k, r], ancestor[k, s], blocks.edges[r, s])
    return Upper(ancestor, n_group, size, count)


@njit(cache=True)
def add_upper(directed: bool, count: Ints, r: int, s: int, n: int) -> None:
    """Add edges to a cell, and to its mirror image where there is no direction.

    Parameters
    ----------
    directed : bool
        Whether edges have a direction.
    count : (n_group, n_group)
        Is changed.
    r, s : int
        The cell.
    n : int
        Edges to add.
    """
    count[r, s] += n
    if not directed and r != s:
        count[s, r] += n


@njit(cache=True)
def base_length(law: Law, blocks: Blocks) -> float:
    """Description length of graph, degrees, weights and partition, without what the edge counts cost.

    Parameters
    ----------
    law : Law
        The law.
    blocks : Blocks
        The partition.

    Returns
    -------
    float
        In nats, up to what does not depend on the partition of this level.
    """
    kind, directed, table, partitions = law.kind, law.directed, law.log_factorial, law.partitions
    size, cost, out_ends, in_ends = blocks.size, blocks.cost, blocks.out_ends, blocks.in_ends
    degree_count = blocks.degree_count
    total = hyper_cost(law, blocks.n_cell[0]) + partition_cost(table, blocks.group.size, size.size)
    for r in range(size.size):
        total += group_cost(kind, directed, table, partitions, out_ends[r], in_ends[r], size[r])
        for s in range(0 if directed else r, size.size):
            total += cost[r, s]
        for k in range(degree_count.shape[1]):
            total -= table[degree_count[r, k]]
    return float(total)


@njit(cache=True)
def partition_cost(table: Floats, n_node: int, n_group: int) -> float:
    """What a partition costs, apart from the sizes of its groups.

    Parameters
    ----------
    table : (n,)
        Logarithms of the first factorials.
    n_node, n_group : int
        Nodes and groups.
    """
    return float(log_multisets(table, n_group, n_node - n_group) + log_factorial(table, n_node) + np.log(n_node))


@njit(cache=True)
def upper_length(law: Law, n_base: int, upper: Upper) -> float:
    """Description length of the levels above a partition: what its edge counts cost.

    Parameters
    ----------
    law : Law
        Whether edges have a direction.
    n_base : int
        Groups of the partition.
    upper : Upper
        The levels.

    Returns
    -------
    float
        In nats.
    """
    table, total = law.log_factorial, np.float64(0.0)
    n_node = n_base
    for k in range(upper.n_group.size):
        n_group = upper.n_group[k]
        total += partition_cost(table, n_node, n_group)
        for r in range(n_group):
            total -= log_factorial(table, upper.size[k, r])
            for s in range(0 if law.directed else r, n_group):
                pairs = places(law.directed, upper.size[k, r], upper.size[k, s], r == s)
                total += log_multisets(table, pairs, upper.edges[k, r, s])
        n_node = n_group
    return total
