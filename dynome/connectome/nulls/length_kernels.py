"""Compiled swaps that keep the lengths of edges as well as degrees. Import where used: importing this imports numba.

Half-edges are numbered: 2 e is the source of edge e, 2 e + 1 its target. A swap exchanges the far ends of two of them.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dynome.connectome.nulls.edge_hash import Ints, below, draw, has, hashed, move, pair_key, slot_of

Floats = NDArray[np.float64]

_TRIANGLES = 8  # one step in so many proposes to reverse a triangle, which changes no length


@njit(cache=True)
def swap_within_bins(
    source: Ints,
    target: Ints,
    place: Floats,
    near: Ints,
    bounds: Floats,
    two_way: bool,
    n_wanted: int,
    n_steps: int,
    seed: np.uint64,
) -> tuple[Ints, Ints, int]:
    """Rewire a graph in space: nodes keep their degrees, and every bin of lengths its number of edges.

    Parameters
    ----------
    source, target : (n_edge,)
        Distinct edges without self-loops; without direction, each once.
    place : (n_node, n_axis)
        Where the nodes are.
    near : (n_node, n_near)
        Some nodes near each node, by position; the node itself may be among them.
    bounds : (n_bin + 1,)
        Limits of the bins of length, increasing; every edge lies between the first and the last.
    two_way : bool
        Whether edges have no direction.
    n_wanted, n_steps : int
        Ends when so many proposals were carried out, or made.
    seed : uint64
        Start of the random stream.

    Returns
    -------
    source, target : (n_edge,)
        New ends.
    accepted : int
        Proposals that were carried out.

    Notes
    -----
    A swap a->b, c->d to a->d, c->b is refused unless the two new lengths fall into the two bins of the old ones. Half
    of the proposals take any two edges; the others take a c near a, since then the lengths are likely to stay. How
    likely a swap is proposed depends on a, c and their degrees, which it leaves alone: so it is proposed as often in
    reverse, and all graphs that can be reached become equally likely.
    """
    n_node, n_edge = place.shape[0], source.size
    end = np.empty(2 * n_edge, dtype=np.int64)
    end[0::2], end[1::2] = source, target
    key = np.empty_like(source)
    for e in range(n_edge):
        key[e] = _key(source[e], target[e], n_node, two_way)
    keys, edges, shift = hashed(key)
    every = 1 if two_way else 2  # of directed edges only the sources are listed
    first, member, position = _members(end, n_node, every)
    n_half = 2 * n_edge // every
    state, accepted, step = seed, 0, 0
    while step < n_steps and accepted < n_wanted:
        step += 1
        state, bits = draw(state)
        h = every * below(bits, n_half)
        a, b = end[h], end[h ^ 1]
        state, bits = draw(state)
        if not two_way and below(bits, _TRIANGLES) == 0:
            state, bits = draw(state)
            accepted += _reverse_triangle(keys, edges, shift, end, a, b, below(bits, n_node), n_node, h >> 1)
            continue
        state, other = draw(state)
        if bits & np.uint64(1):
            g = every * below(other, n_half)
        else:
            c = near[a, below(other, near.shape[1])]
            state, other = draw(state)
            if first[c] == first[c + 1]:
                continue
            g = member[first[c] + below(other, first[c + 1] - first[c])]
        c, d = end[g], end[g ^ 1]
        if a in (c, d) or b in (c, d):
            continue
        across, along = _key(a, d, n_node, two_way), _key(c, b, n_node, two_way)
        if has(keys, shift, across) or has(keys, shift, along) or not _same_bins(place, bounds, a, b, c, d):
            continue
        move(keys, edges, shift, _key(a, b, n_node, two_way), across, h >> 1)
        move(keys, edges, shift, _key(c, d, n_node, two_way), along, g >> 1)
        end[h ^ 1], end[g ^ 1] = d, b
        if two_way:
            p, q = position[h ^ 1], position[g ^ 1]
            member[p], member[q] = g ^ 1, h ^ 1
            position[h ^ 1], position[g ^ 1] = q, p
        accepted += 1
    return end[0::2].copy(), end[1::2].copy(), accepted


@njit(cache=True)
def _members(end: Ints, n_node: int, every: int) -> tuple[Ints, Ints, Ints]:
    """Half-edges by node: where each node's begin, which they are, and where each half-edge stands."""
    first = np.zeros(n_node + 1, dtype=np.int64)
    for h in range(0, end.size, every):
        first[end[h] + 1] += 1
    first = np.cumsum(first)
    free = first.copy()
    member, position = np.empty(end.size, dtype=np.int64), np.empty(end.size, dtype=np.int64)
    for h in range(0, end.size, every):
        position[h] = free[end[h]]
        member[position[h]] = h
        free[end[h]] += 1
    return first, member, position


@njit(cache=True)
def _key(a: int, b: int, n_node: int, two_way: bool) -> int:
    return pair_key(a, b, n_node) if two_way else a * n_node + b


@njit(cache=True)
def _same_bins(place: Floats, bounds: Floats, a: int, b: int, c: int, d: int) -> bool:
    """Whether ad and cb fall into the bins of ab and cd."""
    one, other = _bin(place, bounds, a, b), _bin(place, bounds, c, d)
    new, newer = _bin(place, bounds, a, d), _bin(place, bounds, c, b)
    return bool((new == one and newer == other) or (new == other and newer == one))


@njit(cache=True)
def _bin(place: Floats, bounds: Floats, a: int, b: int) -> int:
    """The bin of a length; -1 and the number of bins lie outside."""
    square = 0.0
    for axis in range(place.shape[1]):
        square += (place[a, axis] - place[b, axis]) ** 2
    return int(np.searchsorted(bounds, np.sqrt(square), side="right")) - 1


@njit(cache=True)
def _reverse_triangle(
    keys: Ints, edges: Ints, shift: np.uint64, end: Ints, a: int, b: int, c: int, n_node: int, e: int
) -> int:
    """Turn a->b->c->a round if it is there and its reverse is not; 1 if so."""
    if c in (a, b):
        return 0
    second, third = slot_of(keys, shift, b * n_node + c), slot_of(keys, shift, c * n_node + a)
    if keys[second] < 0 or keys[third] < 0:
        return 0
    if has(keys, shift, a * n_node + c) or has(keys, shift, c * n_node + b) or has(keys, shift, b * n_node + a):
        return 0
    f, g = edges[second], edges[third]
    move(keys, edges, shift, a * n_node + b, a * n_node + c, e)
    move(keys, edges, shift, b * n_node + c, b * n_node + a, f)
    move(keys, edges, shift, c * n_node + a, c * n_node + b, g)
    end[2 * e + 1], end[2 * f + 1], end[2 * g + 1] = c, a, b
    return 1
