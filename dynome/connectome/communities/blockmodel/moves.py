"""Moves of single nodes: a node is taken out, every group says what it would cost there, and it is put back.

What a node costs in a group needs only the cells between that group and those of its neighbours, at every level, so a
sweep over all nodes takes as long as there are edges, times the groups that are tried.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dynome.connectome.communities.blockmodel.blocks import Blocks, Graph, Upper, add_upper, places
from dynome.connectome.communities.blockmodel.joining import joining_costs
from dynome.connectome.communities.blockmodel.laws import DEGREE_CORRECTED, GROUPS, Law, edge_cost, weight_cost
from dynome.connectome.communities.blockmodel.random_bits import State, below, shuffle, uniform
from dynome.connectome.communities.blockmodel.tallies import Tally, empty_tally, gather

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@njit(cache=True)
def change(law: Law, graph: Graph, blocks: Blocks, upper: Upper, tally: Tally, node: int, r: int, sign: int) -> None:
    """Put a tallied node into a group, or take it out.

    Parameters
    ----------
    law : Law
        The law.
    graph : Graph
        The graph.
    blocks, upper : Blocks, Upper
        Are changed.
    tally : Tally
        Edges of the node.
    node, r : int
        The node and the group.
    sign : int
        1 puts in, -1 takes out.
    """
    directed, kind = law.directed, law.kind
    blocks.group[node] = r
    blocks.size[r] += sign
    blocks.out_ends[r] += sign * graph.out_degree[node]
    blocks.in_ends[r] += sign * graph.in_degree[node]
    if kind == DEGREE_CORRECTED:
        blocks.degree_count[r, graph.degree_class[node]] += sign
    blocks.edges[r, r] += sign * graph.loop[node]
    for side in range(2 if directed else 1):
        _change_cells(directed, blocks, tally, r, side, sign)
    _change_costs(law, blocks, tally, r)
    for level in range(upper.n_group.size):
        if upper.n_group[level] == 1:
            break
        count, s = upper.edges[level], upper.ancestor[level, r]
        count[s, s] += sign * graph.loop[node]
        for k in range(1, tally.upper_touched[level, 0] + 1):
            t = tally.upper_touched[level, k]
            add_upper(directed, count, s, t, sign * tally.upper[level, 0, t])
            if directed:
                count[t, s] += sign * tally.upper[level, 1, t]


@njit(cache=True)
def _change_cells(directed: bool, blocks: Blocks, tally: Tally, r: int, side: int, sign: int) -> None:
    count, first, second, n_cell = blocks.edges, blocks.first, blocks.second, blocks.n_cell
    more, more_first, more_second = tally.edges[side], tally.first[side], tally.second[side]
    for k in range(1, tally.touched[0] + 1):
        t = tally.touched[k]
        if more[t] == 0:
            continue
        p, q = (r, t) if side == 0 else (t, r)
        before = count[p, q]
        count[p, q] += sign * more[t]
        first[p, q] += sign * more_first[t]
        second[p, q] += sign * more_second[t]
        n_cell[0] += (count[p, q] > 0) - (before > 0)
        if count[p, q] == 0:
            first[p, q] = second[p, q] = 0.0
        if not directed and p != q:
            count[q, p], first[q, p], second[q, p] = count[p, q], first[p, q], second[p, q]


@njit(cache=True)
def _change_costs(law: Law, blocks: Blocks, tally: Tally, r: int) -> None:
    kind, directed, weight, prior, table = law.kind, law.directed, law.weight, law.prior, law.log_factorial
    constants, size, cost, count = law.weight_table, blocks.size, blocks.cost, blocks.edges
    first, second = blocks.first, blocks.second
    for k in range(size.size if kind == GROUPS else tally.touched[0]):
        t = k if kind == GROUPS else tally.touched[k + 1]
        for side in range(2 if directed else 1):
            p, q = (r, t) if side == 0 else (t, r)
            n = count[p, q]
            pairs = places(directed, size[p], size[q], p == q) if kind == GROUPS else 0
            cost[p, q] = edge_cost(kind, table, n, pairs, directed or p != q)
            if weight and n > 0:
                cost[p, q] += weight_cost(weight, prior, constants[n], table, n, first[p, q], second[p, q])
            if not directed:
                cost[q, p] = cost[p, q]


@njit(cache=True)
def sweep(
    law: Law, graph: Graph, blocks: Blocks, upper: Upper, nodes: Ints, groups: Ints, temperature: float, state: State
) -> tuple[float, int]:
    """Offer every node another group, in a random order. No group is emptied.

    Parameters
    ----------
    law : Law
        The law.
    graph : Graph
        The graph.
    blocks, upper : Blocks, Upper
        Are changed.
    nodes : (n,)
        Which nodes.
    groups : (n,)
        Groups to try for each node. If empty: all where there are few, else those that the node's neighbourhood
        suggests; at a temperature, always all.
    temperature : float
        0 takes the best group; else groups are drawn by their posterior probability, raised to one over it.
    state : (1,)
        Random state.

    Returns
    -------
    gain : float
        Change of description length in nats.
    moved : int
        Nodes that changed their group.
    """
    tally = empty_tally(blocks.size.size, upper)
    n_group = blocks.size.size
    tried, costs = np.empty(n_group, dtype=np.int64), np.empty(n_group)
    order = nodes.copy()
    shuffle(state, order)
    gain, moved = np.float64(0.0), 0
    for node in order:
        r = blocks.group[node]
        if blocks.size[r] == 1:
            continue
        n = _suggest(graph, blocks.group, node, groups, tried, n_group, temperature > 0, state)
        gather(law, graph, blocks.group, upper, tally, node)
        change(law, graph, blocks, upper, tally, node, r, np.int64(-1))
        best, here = 0, 0
        joining_costs(law, graph, blocks, upper, tally, node, tried[:n], costs[:n])
        for k in range(n):
            if tried[k] == r:
                here = k
            if costs[k] < costs[best]:
                best = k
        if temperature > 0:
            best = _draw(costs[:n], costs[best], temperature, state)
        elif costs[best] > costs[here] - 1e-9:
            best = here
        change(law, graph, blocks, upper, tally, node, tried[best], np.int64(1))
        gain += costs[best] - costs[here]
        moved += best != here
    return gain, moved


_FEW = 24
_SUGGESTIONS = 12


@njit(cache=True)
def _suggest(
    graph: Graph, group: Ints, node: int, groups: Ints, tried: Ints, n_group: int, exhaustive: bool, state: State
) -> int:
    """Write the groups to try into `tried`, the present one among them; returns how many."""
    if groups.size > 0:
        for k in range(groups.size):
            tried[k] = groups[k]
        return groups.size
    if n_group <= _FEW or exhaustive:
        for k in range(n_group):
            tried[k] = k
        return n_group
    tried[0] = group[node]
    n = 1
    for _ in range(_SUGGESTIONS):
        other = _step(graph, node, state)
        chance = uniform(state)
        if chance < 0.1 or other < 0:
            s = below(state, n_group)
        elif chance < 0.5:
            s = group[other]
        else:
            further = _step(graph, other, state)
            s = group[further] if further >= 0 else group[other]
        if not np.any(tried[:n] == s):
            tried[n] = s
            n += 1
    return n


@njit(cache=True)
def _step(graph: Graph, node: int, state: State) -> int:
    """A random neighbour along an edge of either direction, -1 if there is none."""
    n_out = graph.start[node + 1] - graph.start[node]
    n_in = graph.in_start[node + 1] - graph.in_start[node]
    if n_out + n_in == 0:
        return -1
    k = below(state, n_out + n_in)
    return int(graph.end[graph.start[node] + k] if k < n_out else graph.in_end[graph.in_start[node] + k - n_out])


@njit(cache=True)
def _draw(costs: Floats, lowest: float, temperature: float, state: State) -> int:
    chance = np.exp(-(costs - lowest) / temperature)
    mark = uniform(state) * chance.sum()
    for k in range(chance.size):
        mark -= chance[k]
        if mark < 0:
            return k
    return chance.size - 1
