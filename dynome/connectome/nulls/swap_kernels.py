"""Compiled kernels that swap the ends of edges. Import where used: importing this module imports numba."""

from __future__ import annotations

import numpy as np
from numba import njit

from dynome.connectome.nulls.edge_hash import Ints, below, draw, has, hashed, move, pair_key, slot_of

_TRIANGLES = 8  # one step in so many proposes to reverse a triangle


@njit(cache=True)
def swap_directed(source: Ints, target: Ints, n_node: int, n_steps: int, seed: np.uint64) -> tuple[Ints, int]:
    """Rewire a directed graph: every node keeps its numbers of edges in and out.

    Parameters
    ----------
    source, target : (n_edge,)
        Distinct edges without self-loops.
    n_node : int
        Number of nodes.
    n_steps : int
        Proposals; a refused one counts, without which graphs would not be equally likely.
    seed : uint64
        Start of the random stream.

    Returns
    -------
    target : (n_edge,)
        New targets; the sources stay.
    accepted : int
        Proposals that were carried out.

    Notes
    -----
    A step picks two edges a->b, c->d and makes them a->d, c->b, unless that gives a self-loop or an edge that exists
    (Maslov & Sneppen, Science 2002, doi:10.1126/science.1065103). Such swaps alone cannot reverse a directed triangle,
    so some graphs would be out of reach; one step in eight therefore proposes that (Rao, Jana & Bandyopadhyay,
    Sankhya A 1996). Every step is as likely as its reverse: all graphs with these degrees become equally likely.
    """
    target = target.copy()
    keys, edges, shift = hashed(source * n_node + target)
    state = seed
    accepted = 0
    n_edge = source.size
    for _ in range(n_steps):
        state, bits = draw(state)
        e = below(bits, n_edge)
        a, b = source[e], target[e]
        state, bits = draw(state)
        if below(bits, _TRIANGLES) == 0:
            state, bits = draw(state)
            c = below(bits, n_node)
            if c in (a, b):
                continue
            second, third = slot_of(keys, shift, b * n_node + c), slot_of(keys, shift, c * n_node + a)
            if keys[second] < 0 or keys[third] < 0:
                continue
            if has(keys, shift, a * n_node + c) or has(keys, shift, c * n_node + b) or has(keys, shift, b * n_node + a):
                continue
            f, g = edges[second], edges[third]
            move(keys, edges, shift, a * n_node + b, a * n_node + c, e)
            move(keys, edges, shift, b * n_node + c, b * n_node + a, f)
            move(keys, edges, shift, c * n_node + a, c * n_node + b, g)
            target[e], target[f], target[g] = c, a, b
        else:
            state, bits = draw(state)
            f = below(bits, n_edge)
            c, d = source[f], target[f]
            if a in (c, d) or b in (c, d):
                continue
            if has(keys, shift, a * n_node + d) or has(keys, shift, c * n_node + b):
                continue
            move(keys, edges, shift, a * n_node + b, a * n_node + d, e)
            move(keys, edges, shift, c * n_node + d, c * n_node + b, f)
            target[e], target[f] = d, b
        accepted += 1
    return target, accepted


@njit(cache=True)
def swap_undirected(one: Ints, other: Ints, n_node: int, n_steps: int, seed: np.uint64) -> tuple[Ints, Ints, int]:
    """Rewire an undirected graph: every node keeps its number of edges.

    Parameters
    ----------
    one, other : (n_edge,)
        Ends of distinct edges without self-loops, each given once.
    n_node, n_steps, seed
        As in `swap_directed`.

    Returns
    -------
    one, other : (n_edge,)
        New ends.
    accepted : int
        Proposals that were carried out.
    """
    one, other = one.copy(), other.copy()
    keys, edges, shift = hashed(np.minimum(one, other) * n_node + np.maximum(one, other))
    state = seed
    accepted = 0
    n_edge = one.size
    for _ in range(n_steps):
        state, bits = draw(state)
        e = below(bits, n_edge)
        state, bits = draw(state)
        f = below(bits, n_edge)
        state, bits = draw(state)
        a, b = one[e], other[e]
        c, d = (one[f], other[f]) if bits & np.uint64(1) else (other[f], one[f])
        if a in (c, d) or b in (c, d):
            continue
        across, along = pair_key(a, d, n_node), pair_key(c, b, n_node)
        if has(keys, shift, across) or has(keys, shift, along):
            continue
        move(keys, edges, shift, pair_key(a, b, n_node), across, e)
        move(keys, edges, shift, pair_key(c, d, n_node), along, f)
        one[e], other[e], one[f], other[f] = a, d, c, b
        accepted += 1
    return one, other, accepted
