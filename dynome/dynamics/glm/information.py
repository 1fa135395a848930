"""Information matrices of many targets that share their features.

The matrices of all targets of a state come out of one product ``Z @ W``: a row of ``Z`` holds the product of two
features in every bin, and a column of ``W`` the weights of a target. ``Z`` is made once for all targets, only for one
triangle, and so much at a time as stays in cache.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[np.float64]
Floats = NDArray[np.floating]

_BLOCK = 2**21  # bytes of products of features at a time: about a level-2 cache


def add_information(x: Floats, weight: Floats, packed: Array) -> None:
    """Add ``sum_b weight[b, n] x[b] x[b].T`` to every row of `packed`: upper triangles, row after row.

    Parameters
    ----------
    x : (n_bin, n_feature)
        Features.
    weight : (n_bin, n_node)
        Of each bin for each target.
    packed : (n_node, n_feature * (n_feature + 1) / 2)
        Changed in place.

    Examples
    --------
    >>> packed = np.zeros((1, 3))
    >>> add_information(np.array([[1.0, 2.0]]), np.array([[0.5]]), packed)
    >>> packed.tolist()
    [[0.5, 1.0, 2.0]]
    """
    n_bin, n_feature = x.shape
    if not n_bin:
        return
    ends = np.cumsum(np.arange(n_feature, 0, -1))
    room = max(_BLOCK // (x.itemsize * n_bin), n_feature)
    across, weights = np.ascontiguousarray(x.T), np.ascontiguousarray(weight)
    z = np.empty((min(room, int(ends[-1])), n_bin), x.dtype)
    first, done = 0, 0
    while first < n_feature:
        last = int(np.searchsorted(ends, done + room, side="right"))
        end = int(ends[last - 1])
        _products(across, first, last, z)
        packed[:, done:end] += (z[: end - done] @ weights).T
        first, done = last, end


@njit(cache=True, nogil=True)
def _products(across, first, last, z):  # type: ignore[no-untyped-def]
    k = 0
    for i in range(first, last):
        for j in range(i, across.shape[0]):
            for b in range(across.shape[1]):
                z[k, b] = across[i, b] * across[j, b]
            k += 1
