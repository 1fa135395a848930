"""Compiled swaps that keep the mutual edges of each node too. Import where used: importing this imports numba."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dynome.connectome.nulls.edge_hash import Ints, below, draw, has, hashed, move, pair_key, slot_of

_TRIANGLES = 8  # one step in so many proposes to reverse a triangle


@njit(cache=True)
def swap_keeping_mutual(
    source: Ints, target: Ints, mutual: NDArray[np.bool_], n_node: int, n_steps: int, seed: np.uint64
) -> tuple[Ints, Ints, int]:
    """Rewire a directed graph: every node keeps its numbers of edges in, out, and both ways.

    Parameters
    ----------
    source, target : (n_pair,)
        Joined pairs of nodes, each once.
    mutual : (n_pair,)
        Whether edges lead both ways; else one leads from source to target.
    n_node, n_steps, seed
        As in `dynome.connectome.nulls.swap_kernels.swap_directed`.

    Returns
    -------
    source, target : (n_pair,)
        New ends.
    accepted : int
        Proposals that were carried out.

    Notes
    -----
    A step takes two pairs of one kind, a-b and c-d, and makes them a-d, c-b, unless those nodes are joined in any way
    (Milo et al., Science 2002, doi:10.1126/science.298.5594.824); or it reverses a triangle of one-way edges.
    """
    source, target = source.copy(), target.copy()
    key = np.empty_like(source)
    for e in range(source.size):
        key[e] = pair_key(source[e], target[e], n_node)
    keys, edges, shift = hashed(key)
    state, accepted, n_edge = seed, 0, source.size
    for _ in range(n_steps):
        state, bits = draw(state)
        e = below(bits, n_edge)
        a, b = source[e], target[e]
        state, bits = draw(state)
        if not mutual[e] and below(bits, _TRIANGLES) == 0:
            state, bits = draw(state)
            c = below(bits, n_node)
            if c in (a, b):
                continue
            second, third = slot_of(keys, shift, pair_key(b, c, n_node)), slot_of(keys, shift, pair_key(c, a, n_node))
            if keys[second] < 0 or keys[third] < 0:
                continue
            f, g = edges[second], edges[third]
            if mutual[f] or mutual[g] or source[f] != b or source[g] != c:
                continue
            source[e], target[e], source[f], target[f], source[g], target[g] = b, a, c, b, a, c
            accepted += 1
            continue
        state, bits = draw(state)
        f = below(bits, n_edge)
        if mutual[e] != mutual[f]:
            continue
        state, bits = draw(state)
        turned = mutual[e] and bits & np.uint64(1) == np.uint64(1)
        c, d = (target[f], source[f]) if turned else (source[f], target[f])
        if a in (c, d) or b in (c, d):
            continue
        across, along = pair_key(a, d, n_node), pair_key(c, b, n_node)
        if has(keys, shift, across) or has(keys, shift, along):
            continue
        move(keys, edges, shift, pair_key(a, b, n_node), across, e)
        move(keys, edges, shift, pair_key(c, d, n_node), along, f)
        source[e], target[e], source[f], target[f] = a, d, c, b
        accepted += 1
    return source, target, accepted
