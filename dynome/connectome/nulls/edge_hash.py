"""Compiled parts that every swap of edges needs: a hash table of edges, and random numbers of its own.

Edges are looked up in a hash table with open addressing, so that a step costs the same for three hundred nodes as for
a hundred thousand. Random numbers come from splitmix64, so that neither numpy's nor numba's global state is touched.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Ints = NDArray[np.int64]

GOLDEN = np.uint64(0x9E3779B97F4A7C15)


@njit(cache=True)
def pair_key(a: int, b: int, n_node: int) -> int:
    """The key of an edge without direction."""
    return min(a, b) * n_node + max(a, b)


@njit(cache=True)
def draw(state: np.uint64) -> tuple[np.uint64, np.uint64]:
    """The next state and 64 random bits (splitmix64: Steele, Lea & Flood 2014, doi:10.1145/2660193.2660195)."""
    state = state + GOLDEN
    bits = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state, bits ^ (bits >> np.uint64(31))


@njit(cache=True)
def below(bits: np.uint64, bound: int) -> np.int64:
    """A whole number from 0 to bound - 1, from the upper 53 bits."""
    return np.int64(np.float64(bits >> np.uint64(11)) * 2.0**-53 * bound)


@njit(cache=True)
def hashed(key: Ints) -> tuple[Ints, Ints, np.uint64]:
    """Keys and edge numbers by slot, at most half full; -1 marks a free slot."""
    bits = 4
    while (1 << bits) < 2 * key.size:
        bits += 1
    keys = np.full(1 << bits, -1, dtype=np.int64)
    edges = np.zeros(1 << bits, dtype=np.int64)
    shift = np.uint64(64 - bits)
    for e in range(key.size):
        slot = slot_of(keys, shift, key[e])
        keys[slot], edges[slot] = key[e], e
    return keys, edges, shift


@njit(cache=True)
def _home(shift: np.uint64, key: int) -> np.int64:
    return np.int64((np.uint64(key) * GOLDEN) >> shift)


@njit(cache=True)
def slot_of(keys: Ints, shift: np.uint64, key: int) -> np.int64:
    """Where a key is, or the free slot where it would go."""
    mask = keys.size - 1
    slot: np.int64 = _home(shift, key)
    while keys[slot] >= 0 and keys[slot] != key:
        slot = (slot + 1) & mask
    return slot


@njit(cache=True)
def has(keys: Ints, shift: np.uint64, key: int) -> bool:
    """Whether there is an edge with this key."""
    return bool(keys[slot_of(keys, shift, key)] >= 0)


@njit(cache=True)
def move(keys: Ints, edges: Ints, shift: np.uint64, old: int, new: int, edge: int) -> None:
    """Put an edge under a new key; the gap is closed, so that look-ups stay short however many steps follow."""
    mask = keys.size - 1
    gap = slot_of(keys, shift, old)
    slot = (gap + 1) & mask
    while keys[slot] >= 0:
        if ((slot - _home(shift, keys[slot])) & mask) >= ((slot - gap) & mask):
            keys[gap], edges[gap] = keys[slot], edges[slot]
            gap = slot
        slot = (slot + 1) & mask
    keys[gap] = -1
    slot = slot_of(keys, shift, new)
    keys[slot], edges[slot] = new, edge
