"""Compiled census of triads. Import where used: importing this module imports numba."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Ints = NDArray[np.int64]


@njit(cache=True)
def counted_triads(indptr: Ints, indices: Ints, dyad: Ints) -> Ints:
    """How many triples of nodes are joined in which way.

    Parameters
    ----------
    indptr, indices : compressed rows
        Neighbours of each node in either direction, sorted, without the node itself.
    dyad : (n_entry,)
        For each entry 1 if an edge leads from the row to the column, 2 if one leads back, 3 if both do.

    Returns
    -------
    (64,)
        Triples by code: dyad of the first two nodes, plus 4 times that of first and third, plus 16 times that of second
        and third. Triples without any edge are not counted.

    Notes
    -----
    Each triple with an edge is met once, from the first of its pairs that are joined: the time goes with the edges
    times their neighbours (Batagelj & Mrvar, Social Networks 2001, doi:10.1016/S0378-8733(01)00035-1).
    """
    n = indptr.size - 1
    count = np.zeros(64, dtype=np.int64)
    for u in range(n):
        for place in range(indptr[u], indptr[u + 1]):
            v = indices[place]
            if v < u:
                continue
            uv = dyad[place]
            i, j, met = indptr[u], indptr[v], 0
            while i < indptr[u + 1] or j < indptr[v + 1]:
                a = indices[i] if i < indptr[u + 1] else n
                b = indices[j] if j < indptr[v + 1] else n
                w = min(a, b)
                uw = vw = 0
                if a == w:
                    uw = dyad[i]
                    i += 1
                if b == w:
                    vw = dyad[j]
                    j += 1
                if w in (u, v):
                    continue
                met += 1
                # met here unless a pair of the triple that comes earlier is joined
                if w > v or (u < w and uw == 0):
                    count[uv + 4 * uw + 16 * vw] += 1
            count[uv] += n - 2 - met
    return count
