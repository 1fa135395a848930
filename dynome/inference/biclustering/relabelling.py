"""Labels of draws that can be compared: cluster 2 of one draw is cluster 2 of the next."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

Labels = NDArray[np.int64]


def canonical(labels: NDArray[np.integer]) -> Labels:
    """The same partition with labels 0, 1, ... by size, those of one size by their first member.

    Parameters
    ----------
    labels : (n,)

    Examples
    --------
    >>> canonical(np.array([7, 3, 3, 9])).tolist()
    [1, 0, 0, 2]
    """
    _, first, inverse, size = np.unique(labels, return_index=True, return_inverse=True, return_counts=True)
    rank = np.empty(size.size, dtype=np.int64)
    rank[np.lexsort((first, -size))] = np.arange(size.size)
    return rank[inverse]


def matched_labels(draws: NDArray[np.integer], reference: NDArray[np.integer], n_labels: int) -> Labels:
    """New labels of each draw, those of a reference partition with which it shares most members.

    Parameters
    ----------
    draws : (n_draw, n)
        0 ... n_labels - 1.
    reference : (n,)
        0, 1, ... without gaps.
    n_labels : int

    Returns
    -------
    (n_draw, n_labels)
        ``np.take_along_axis(out, draws, 1)`` are the draws with new labels. A draw's labels stay distinct: those that
        are left over when the reference has no more follow after its labels, by size; unused ones come last.

    Notes
    -----
    One assignment a draw (Hungarian algorithm), as in Stephens' algorithm with the reference as its pivot.

    Examples
    --------
    >>> draws = np.array([[1, 1, 0, 0], [0, 2, 1, 1]])
    >>> np.take_along_axis(matched_labels(draws, np.array([0, 0, 1, 1]), 3), draws, 1).tolist()
    [[0, 0, 1, 1], [0, 2, 1, 1]]
    """
    n_reference = int(reference.max()) + 1
    shared = overlaps(np.ascontiguousarray(draws), reference.astype(np.int64), n_reference, n_labels)
    size = shared.sum(axis=1)
    out = np.empty((draws.shape[0], n_labels), dtype=np.int64)
    for k in range(draws.shape[0]):
        used = np.flatnonzero(size[k])
        rows, columns = linear_sum_assignment(shared[k][:, used], maximize=True)
        rest = np.setdiff1d(np.arange(n_labels), used[columns])
        rest = rest[np.argsort(-size[k, rest], kind="stable")]
        free = np.setdiff1d(np.arange(max(n_labels, n_reference)), rows)
        # What the reference has no label for comes after all of its labels.
        free = np.concatenate([free[free >= n_reference], free[free < n_reference]])
        out[k, used[columns]] = rows
        out[k, rest] = free[: rest.size]
    return out


@njit(cache=True)
def overlaps(draws: NDArray[np.integer], reference: Labels, n_reference: int, n_labels: int) -> NDArray[np.int64]:
    """Members that each label of each draw shares with each label of a reference.

    Parameters
    ----------
    draws : (n_draw, n)
    reference : (n,)
    n_reference, n_labels : int

    Returns
    -------
    (n_draw, n_reference, n_labels)
    """
    out = np.zeros((draws.shape[0], n_reference, n_labels), dtype=np.int64)
    for k in range(draws.shape[0]):
        for i in range(draws.shape[1]):
            out[k, reference[i], draws[k, i]] += 1
    return out
