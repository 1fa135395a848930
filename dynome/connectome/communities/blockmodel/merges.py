"""Moves of whole groups: two become one, one becomes two, two are dealt out anew."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dynome.connectome.communities.blockmodel.blocks import (
    Blocks,
    Graph,
    base_length,
    blocks_of,
    places,
    upper_length,
    upper_of,
)
from dynome.connectome.communities.blockmodel.laws import (
    GROUPS,
    Law,
    edge_cost,
    group_cost,
    hyper_cost,
    weight_cost,
)
from dynome.connectome.communities.blockmodel.moves import sweep
from dynome.connectome.communities.blockmodel.random_bits import State, below, uniform

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

_ALL_PAIRS = 40
_PARTNERS = 10


@njit(cache=True)
def merging_cost(law: Law, blocks: Blocks, r: int, s: int) -> float:
    """What it would cost to make two groups one.

    Parameters
    ----------
    law : Law
        The law.
    blocks : Blocks
        The partition.
    r, s : int
        The groups.

    Returns
    -------
    float
        Difference of description length in nats, up to what is the same for all pairs; levels above left out.
    """
    kind, directed, table, partitions = law.kind, law.directed, law.log_factorial, law.partitions
    size, out_ends, in_ends, degree_count = blocks.size, blocks.out_ends, blocks.in_ends, blocks.degree_count
    total = group_cost(
        kind, directed, table, partitions, out_ends[r] + out_ends[s], in_ends[r] + in_ends[s], size[r] + size[s]
    )
    for g in (r, s):
        total -= group_cost(kind, directed, table, partitions, out_ends[g], in_ends[g], size[g])
    for k in range(degree_count.shape[1]):
        a, b = degree_count[r, k], degree_count[s, k]
        if a > 0 and b > 0:
            total += table[a] + table[b] - table[a + b]
    cost, n_cell = _joined_rows(law, blocks, r, s)
    return float(total + cost + hyper_cost(law, blocks.n_cell[0] - n_cell) - hyper_cost(law, blocks.n_cell[0]))


@njit(cache=True)
def _joined_rows(law: Law, blocks: Blocks, r: int, s: int) -> tuple[float, int]:
    """What all cells of two groups cost when they are one, less what they cost now, and how many cells fewer."""
    kind, directed, weight, prior, table = law.kind, law.directed, law.weight, law.prior, law.log_factorial
    constants, size, cost, count = law.weight_table, blocks.size, blocks.cost, blocks.edges
    first, second = blocks.first, blocks.second
    total, n_cell, both = 0.0, 0, size[r] + size[s]
    for t in range(size.size):
        if t in (r, s):
            continue
        for side in range(2 if directed else 1):
            a, b = ((r, t), (s, t)) if side == 0 else ((t, r), (t, s))
            if kind != GROUPS and (count[a] == 0 or count[b] == 0):
                continue
            n = count[a] + count[b]
            n_cell += count[a] > 0 and count[b] > 0
            total += edge_cost(kind, table, n, both * size[t], True) - cost[a] - cost[b]
            if weight:
                total += weight_cost(weight, prior, constants[n], table, n, first[a] + first[b], second[a] + second[b])
    n, held = count[r, r] + count[s, s] + count[r, s], (count[r, r] > 0) + (count[s, s] > 0) + (count[r, s] > 0)
    sums = first[r, r] + first[s, s] + first[r, s]
    squares = second[r, r] + second[s, s] + second[r, s]
    total -= cost[r, r] + cost[s, s] + cost[r, s]
    if directed:
        n, held, total = n + count[s, r], held + (count[s, r] > 0), total - cost[s, r]
        sums, squares = sums + first[s, r], squares + second[s, r]
    total += edge_cost(kind, table, n, places(directed, both, both, True), directed)
    if weight and n > 0:
        total += weight_cost(weight, prior, constants[n], table, n, sums, squares)
    return total, n_cell + max(held - 1, 0)


@njit(cache=True)
def merge_groups(law: Law, blocks: Blocks, n_target: int, state: State) -> tuple[Ints, int]:
    """Merge the pairs of groups that cost least, each group at most once.

    Parameters
    ----------
    law : Law
        The law.
    blocks : Blocks
        The partition.
    n_target : int
        Groups to end with, if that many pairs are found.
    state : (1,)
        Random state.

    Returns
    -------
    group : (n_node,)
        The new partition.
    n_group : int
        Its groups.
    """
    n = blocks.size.size
    partner, cost = np.empty(n, dtype=np.int64), np.full(n, np.inf)
    for r in range(n):
        for k in range(n if n <= _ALL_PAIRS else _PARTNERS):
            s = k if n <= _ALL_PAIRS else _partner(law, blocks, r, state)
            if s != r and (n > _ALL_PAIRS or s > r):
                here = merging_cost(law, blocks, r, s)
                if here < cost[r]:
                    partner[r], cost[r] = s, here
    new, free, left = np.arange(n), np.ones(n, dtype=np.bool_), n
    for r in np.argsort(cost):
        if left == n_target or cost[r] == np.inf:
            break
        if free[r] and free[partner[r]]:
            new[r] = partner[r]
            free[r] = free[partner[r]] = False
            left -= 1
    number = np.cumsum(new == np.arange(n)) - 1
    return number[new][blocks.group], left


@njit(cache=True)
def _partner(law: Law, blocks: Blocks, r: int, state: State) -> int:
    """A group that is wired to what `r` is wired to, a neighbour, or now and then any."""
    chance = uniform(state)
    if chance < 0.1:
        return int(below(state, blocks.size.size))
    t = _neighbour(law, blocks, r, state)
    return int(t if chance < 0.4 or t < 0 else _neighbour(law, blocks, t, state))


@njit(cache=True)
def _neighbour(law: Law, blocks: Blocks, r: int, state: State) -> int:
    ends = blocks.edges[r].sum() + (blocks.edges[:, r].sum() if law.directed else 0)
    if ends == 0:
        return r
    mark = below(state, ends)
    for t in range(blocks.size.size):
        mark -= blocks.edges[r, t] + (blocks.edges[t, r] if law.directed else 0)
        if mark < 0:
            return t
    return r


@njit(cache=True)
def agglomerate(
    law: Law, graph: Graph, group: Ints, n_group: int, n_sweep: int, temperature: float, state: State
) -> tuple[Ints, Ints, Floats]:
    """Merge groups and move nodes in turn, until there is one group.

    Parameters
    ----------
    law : Law
        The law.
    graph : Graph
        The graph.
    group : (n_node,)
        Where to start.
    n_group : int
        Its groups.
    n_sweep : int
        Sweeps after each round of merges, at most.
    temperature : float
        Of the first of these sweeps; the others are greedy.
    state : (1,)
        Random state.

    Returns
    -------
    groups : (n_stage, n_node)
        The partition after each round, from many groups to one.
    n_groups : (n_stage,)
        Their groups.
    lengths : (n_stage,)
        Their description length with one level above, in nats.
    """
    nodes, every = np.arange(group.size), np.empty(0, dtype=np.int64)
    groups, n_groups, lengths = [group], [n_group], [0.0]
    group = group.copy()
    while True:
        blocks = blocks_of(law, graph, group, n_group)
        upper = upper_of(law, blocks, np.zeros((1, n_group), dtype=np.int64))
        for k in range(n_sweep):
            heat = temperature if k == 0 and len(groups) > 1 else 0.0
            if n_group == 1 or (sweep(law, graph, blocks, upper, nodes, every, heat, state)[1] == 0 and heat == 0):
                break
        groups.append(blocks.group.copy())
        n_groups.append(n_group)
        lengths.append(base_length(law, blocks) + upper_length(law, n_group, upper))
        if n_group == 1:
            break
        group, n_group = merge_groups(law, blocks, min(n_group - 1, int(n_group / 1.25)), state)
    stacked = np.empty((len(groups) - 1, nodes.size), dtype=np.int64)
    for k in range(1, len(groups)):
        for node in range(nodes.size):
            stacked[k - 1, node] = groups[k][node]
    return stacked, np.array(n_groups)[1:], np.array(lengths)[1:]


@njit(cache=True)
def length_of(law: Law, graph: Graph, group: Ints, ancestor: Ints) -> float:
    """Description length of a nested partition.

    Parameters
    ----------
    law : Law
        The law.
    graph : Graph
        The graph.
    group : (n_node,)
        Groups from 0.
    ancestor : (n_level, n_group)
        What each group belongs to at each level; the last has one group.

    Returns
    -------
    float
        In nats, up to what does not depend on the partition.
    """
    blocks = blocks_of(law, graph, group, ancestor.shape[1])
    return float(base_length(law, blocks) + upper_length(law, ancestor.shape[1], upper_of(law, blocks, ancestor)))


@njit(cache=True)
def settle(
    law: Law, graph: Graph, group: Ints, ancestor: Ints, nodes: Ints, groups: Ints, heats: Floats, state: State
) -> float:
    """Sweep until nothing moves, after some sweeps at given temperatures.

    Parameters
    ----------
    law : Law
        The law.
    graph : Graph
        The graph.
    group : (n_node,)
        Is changed.
    ancestor : (n_level, n_group)
        The levels above.
    nodes : (n,)
        Which nodes may move.
    groups : (n,)
        Where to; empty for everywhere.
    heats : (n_sweep,)
        Temperatures of the sweeps before the greedy ones.
    state : (1,)
        Random state.

    Returns
    -------
    float
        Description length in nats, as `length_of`.
    """
    blocks = blocks_of(law, graph, group, ancestor.shape[1])
    upper = upper_of(law, blocks, ancestor)
    for heat in heats:
        sweep(law, graph, blocks, upper, nodes, groups, heat, state)
    for _ in range(20):
        if sweep(law, graph, blocks, upper, nodes, groups, 0.0, state)[1] == 0:
            break
    return float(base_length(law, blocks) + upper_length(law, ancestor.shape[1], upper))


@njit(cache=True)
def split_group(law: Law, graph: Graph, group: Ints, ancestor: Ints, r: int, state: State) -> tuple[Ints, Ints, float]:
    """Make one group two, of which the second gets the next number.

    Parameters
    ----------
    law : Law
        The law.
    graph : Graph
        The graph.
    group : (n_node,)
        The partition.
    ancestor : (n_level, n_group)
        The levels above.
    r : int
        A group of two nodes or more.
    state : (1,)
        Random state.

    Returns
    -------
    group, ancestor : (n_node,), (n_level, n_group + 1)
        The new partition.
    length : float
        Its description length in nats, as `length_of`.
    """
    n_group = ancestor.shape[1]
    above = np.empty((ancestor.shape[0], n_group + 1), dtype=np.int64)
    for level in range(ancestor.shape[0]):
        for k in range(n_group):
            above[level, k] = ancestor[level, k]
        above[level, n_group] = ancestor[level, r]
    new, length = deal_out(law, graph, group, above, r, n_group, state)
    return new, above, length


@njit(cache=True)
def deal_out(law: Law, graph: Graph, group: Ints, ancestor: Ints, r: int, s: int, state: State) -> tuple[Ints, float]:
    """Deal the nodes of two groups out between them anew.

    Parameters
    ----------
    law : Law
        The law.
    graph : Graph
        The graph.
    group : (n_node,)
        The partition.
    ancestor : (n_level, n_group)
        The levels above.
    r, s : int
        The groups, with two nodes or more together.
    state : (1,)
        Random state.

    Returns
    -------
    group : (n_node,)
        The new partition; both groups have a node.
    length : float
        Its description length in nats, as `length_of`.
    """
    new = group.copy()
    nodes = np.flatnonzero((group == r) | (group == s))
    share = 0.1 + 0.8 * uniform(state)
    for i in nodes:
        new[i] = r if uniform(state) < share else s
    first = below(state, nodes.size)
    new[nodes[first]] = r
    new[nodes[(first + 1 + below(state, nodes.size - 1)) % nodes.size]] = s
    heats = np.array([1.0, 0.5])
    return new, settle(law, graph, new, ancestor, nodes, np.array([r, s]), heats, state)
