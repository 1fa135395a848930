"""Compiled shortest paths. Import where used: importing this module imports numba.

Graphs are compressed rows: the targets of node i are ``indices[indptr[i] : indptr[i + 1]]``.
"""

from __future__ import annotations

import heapq

import numpy as np
from numba import njit
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@njit(cache=True)
def counted_steps(indptr: Ints, indices: Ints) -> tuple[Ints, Floats, Floats, Ints]:
    """Numbers of steps between all ordered pairs of nodes, summed up.

    Returns
    -------
    pairs : (n_node,)
        How many ordered pairs are so many steps apart, from 0 (each node and itself).
    out_sum, in_sum : (n_node,)
        Summed steps from, and to, each node, over the pairs with a path.
    out_reached : (n_node,)
        How many other nodes can be reached from each.
    """
    n = indptr.size - 1
    pairs, out_reached = np.zeros(max(n, 1), dtype=np.int64), np.zeros(n, dtype=np.int64)
    out_sum, in_sum = np.zeros(n), np.zeros(n)
    steps, queue = np.full(n, -1, dtype=np.int64), np.empty(n, dtype=np.int64)
    for start in range(n):
        size = _breadth_first(indptr, indices, start, steps, queue)
        for k in range(size):
            node = queue[k]
            pairs[steps[node]] += 1
            out_sum[start] += steps[node]
            in_sum[node] += steps[node]
            steps[node] = -1
        out_reached[start] = size - 1
    return pairs, out_sum, in_sum, out_reached


@njit(cache=True)
def _breadth_first(indptr: Ints, indices: Ints, start: int, steps: Ints, queue: Ints) -> int:
    """Number the nodes in reach; `steps` must be -1. Returns how many there are, listed in `queue`."""
    queue[0], steps[start] = start, 0
    head, size = 0, 1
    while head < size:
        node = queue[head]
        head += 1
        for place in range(indptr[node], indptr[node + 1]):
            other = indices[place]
            if steps[other] < 0:
                steps[other] = steps[node] + 1
                queue[size] = other
                size += 1
    return size


@njit(cache=True)
def local_efficiencies(indptr: Ints, indices: Ints, near_ptr: Ints, near: Ints) -> Floats:
    """The efficiency among the neighbours of each node, without the node.

    Parameters
    ----------
    indptr, indices : compressed rows
        The graph.
    near_ptr, near : compressed rows
        Neighbours of each node in either direction.
    """
    n = indptr.size - 1
    out = np.zeros(n)
    inside = np.zeros(n, dtype=np.bool_)
    steps, queue = np.full(n, -1, dtype=np.int64), np.empty(n, dtype=np.int64)
    for centre in range(n):
        members = near[near_ptr[centre] : near_ptr[centre + 1]]
        if members.size < 2:
            continue
        for m in members:
            inside[m] = True
        total = 0.0
        for start in members:
            queue[0], steps[start] = start, 0
            head, size = 0, 1
            while head < size:
                node = queue[head]
                head += 1
                for place in range(indptr[node], indptr[node + 1]):
                    other = indices[place]
                    if inside[other] and steps[other] < 0:
                        steps[other] = steps[node] + 1
                        queue[size] = other
                        size += 1
            for k in range(size):
                if k:
                    total += 1 / steps[queue[k]]
                steps[queue[k]] = -1
        for m in members:
            inside[m] = False
        out[centre] = total / (members.size * (members.size - 1))
    return out


@njit(cache=True)
def betweenness_counts(indptr: Ints, indices: Ints) -> Floats:
    """For each node, the summed share of the shortest paths between other nodes that lead through it.

    Notes
    -----
    Brandes, Journal of Mathematical Sociology 2001, doi:10.1080/0022250X.2001.9990249.
    """
    n = indptr.size - 1
    between = np.zeros(n)
    steps, queue = np.full(n, -1, dtype=np.int64), np.empty(n, dtype=np.int64)
    paths, share = np.zeros(n), np.zeros(n)
    for start in range(n):
        size = _breadth_first(indptr, indices, start, steps, queue)
        paths[start] = 1.0
        for k in range(size):
            node = queue[k]
            for place in range(indptr[node], indptr[node + 1]):
                other = indices[place]
                if steps[other] == steps[node] + 1:
                    paths[other] += paths[node]
        for k in range(size - 1, -1, -1):
            node = queue[k]
            for place in range(indptr[node], indptr[node + 1]):
                other = indices[place]
                if steps[other] == steps[node] + 1:
                    share[node] += paths[node] / paths[other] * (1 + share[other])
            if node != start:
                between[node] += share[node]
        for k in range(size):
            steps[queue[k]], paths[queue[k]], share[queue[k]] = -1, 0.0, 0.0
    return between


@njit(cache=True)
def weighted_betweenness(indptr: Ints, indices: Ints, length: Floats) -> Floats:
    """The same where edges have lengths > 0: see `betweenness_counts`."""
    n = indptr.size - 1
    between = np.zeros(n)
    paths, share, far, order = np.zeros(n), np.zeros(n), np.full(n, np.inf), np.empty(n, dtype=np.int64)
    done = np.zeros(n, dtype=np.bool_)
    for start in range(n):
        heap = [(0.0, start)]
        far[start], paths[start], size = 0.0, 1.0, 0
        while len(heap) > 0:
            distance, node = heapq.heappop(heap)
            if done[node]:
                continue
            done[node] = True
            order[size] = node
            size += 1
            for place in range(indptr[node], indptr[node + 1]):
                other = indices[place]
                new = distance + length[place]
                slack = 1e-12 * new  # lengths that are equal on paper may differ in the last digits
                if new < far[other] - slack:
                    far[other], paths[other] = new, paths[node]
                    heapq.heappush(heap, (new, other))
                elif abs(new - far[other]) <= slack and not done[other]:
                    paths[other] += paths[node]
        for k in range(size - 1, -1, -1):
            node = order[k]
            for place in range(indptr[node], indptr[node + 1]):
                other = indices[place]
                new = far[node] + length[place]
                if abs(new - far[other]) <= 1e-12 * new:
                    share[node] += paths[node] / paths[other] * (1 + share[other])
            if node != start:
                between[node] += share[node]
        for k in range(size):
            node = order[k]
            far[node], paths[node], share[node], done[node] = np.inf, 0.0, 0.0, False
    return between
