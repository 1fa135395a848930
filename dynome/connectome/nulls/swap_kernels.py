"""Compiled kernels that swap the ends of edges. Import where used: importing this module imports numba.

Edges are looked up in a hash table with open addressing, so that a step costs the same for three hundred nodes as
for a hundred thousand. Random numbers come from a generator of the kernel's own (splitmix64), so that neither numpy's
nor numba's global state is touched.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Ints = NDArray[np.int64]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
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
    keys, edges, shift = _table(source * n_node + target)
    state = seed
    accepted = 0
    n_edge = source.size
    for _ in range(n_steps):
        state, draw = _draw(state)
        e = _below(draw, n_edge)
        a, b = source[e], target[e]
        state, draw = _draw(state)
        if _below(draw, _TRIANGLES) == 0:
            state, draw = _draw(state)
            c = _below(draw, n_node)
            if c in (a, b):
                continue
            second, third = _slot(keys, shift, b * n_node + c), _slot(keys, shift, c * n_node + a)
            if keys[second] < 0 or keys[third] < 0:
                continue
            if (
                _has(keys, shift, a * n_node + c)
                or _has(keys, shift, c * n_node + b)
                or _has(keys, shift, b * n_node + a)
            ):
                continue
            f, g = edges[second], edges[third]
            _move(keys, edges, shift, a * n_node + b, a * n_node + c, e)
            _move(keys, edges, shift, b * n_node + c, b * n_node + a, f)
            _move(keys, edges, shift, c * n_node + a, c * n_node + b, g)
            target[e], target[f], target[g] = c, a, b
        else:
            state, draw = _draw(state)
            f = _below(draw, n_edge)
            c, d = source[f], target[f]
            if a in (c, d) or b in (c, d):
                continue
            if _has(keys, shift, a * n_node + d) or _has(keys, shift, c * n_node + b):
                continue
            _move(keys, edges, shift, a * n_node + b, a * n_node + d, e)
            _move(keys, edges, shift, c * n_node + d, c * n_node + b, f)
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
    keys, edges, shift = _table(np.minimum(one, other) * n_node + np.maximum(one, other))
    state = seed
    accepted = 0
    n_edge = one.size
    for _ in range(n_steps):
        state, draw = _draw(state)
        e = _below(draw, n_edge)
        state, draw = _draw(state)
        f = _below(draw, n_edge)
        state, draw = _draw(state)
        a, b = one[e], other[e]
        c, d = (one[f], other[f]) if draw & np.uint64(1) else (other[f], one[f])
        if a in (c, d) or b in (c, d):
            continue
        across, along = _pair(a, d, n_node), _pair(c, b, n_node)
        if _has(keys, shift, across) or _has(keys, shift, along):
            continue
        _move(keys, edges, shift, _pair(a, b, n_node), across, e)
        _move(keys, edges, shift, _pair(c, d, n_node), along, f)
        one[e], other[e], one[f], other[f] = a, d, c, b
        accepted += 1
    return one, other, accepted


@njit(cache=True)
def _pair(a: int, b: int, n_node: int) -> int:
    return min(a, b) * n_node + max(a, b)


@njit(cache=True)
def _draw(state: np.uint64) -> tuple[np.uint64, np.uint64]:
    """The next state and 64 random bits (splitmix64: Steele, Lea & Flood 2014, doi:10.1145/2660193.2660195)."""
    state = state + _GOLDEN
    bits = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state, bits ^ (bits >> np.uint64(31))


@njit(cache=True)
def _below(bits: np.uint64, bound: int) -> np.int64:
    """A whole number from 0 to bound - 1, from the upper 53 bits."""
    return np.int64(np.float64(bits >> np.uint64(11)) * 2.0**-53 * bound)


@njit(cache=True)
def _table(key: Ints) -> tuple[Ints, Ints, np.uint64]:
    """Keys and edge numbers by slot, at most half full; -1 marks a free slot."""
    bits = 4
    while (1 << bits) < 2 * key.size:
        bits += 1
    keys = np.full(1 << bits, -1, dtype=np.int64)
    edges = np.zeros(1 << bits, dtype=np.int64)
    shift = np.uint64(64 - bits)
    for e in range(key.size):
        slot = _slot(keys, shift, key[e])
        keys[slot], edges[slot] = key[e], e
    return keys, edges, shift


@njit(cache=True)
def _home(shift: np.uint64, key: int) -> np.int64:
    return np.int64((np.uint64(key) * _GOLDEN) >> shift)


@njit(cache=True)
def _slot(keys: Ints, shift: np.uint64, key: int) -> np.int64:
    """Where a key is, or the free slot where it would go."""
    mask = keys.size - 1
    slot: np.int64 = _home(shift, key)
    while keys[slot] >= 0 and keys[slot] != key:
        slot = (slot + 1) & mask
    return slot


@njit(cache=True)
def _has(keys: Ints, shift: np.uint64, key: int) -> bool:
    return bool(keys[_slot(keys, shift, key)] >= 0)


@njit(cache=True)
def _move(keys: Ints, edges: Ints, shift: np.uint64, old: int, new: int, edge: int) -> None:
    """Put an edge under a new key; the gap is closed, so that look-ups stay short however many steps follow."""
    mask = keys.size - 1
    gap = _slot(keys, shift, old)
    slot = (gap + 1) & mask
    while keys[slot] >= 0:
        if ((slot - _home(shift, keys[slot])) & mask) >= ((slot - gap) & mask):
            keys[gap], edges[gap] = keys[slot], edges[slot]
            gap = slot
        slot = (slot + 1) & mask
    keys[gap] = -1
    slot = _slot(keys, shift, new)
    keys[slot], edges[slot] = new, edge
