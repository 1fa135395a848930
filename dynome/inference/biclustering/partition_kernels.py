"""Compiled loops over partitions. Import where used: importing this module imports numba."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from dynome.inference.biclustering.copies import add

Labels = NDArray[np.int64]
Array = NDArray[np.float64]

_ROWS, _COLUMNS = 32, 2048  # a tile of counts that stays in cache


@njit(cache=True, parallel=True)
def count_agreements(draws: NDArray[np.int16], total: NDArray[np.float32]) -> None:
    """Add to ``total[i, j]`` the number of draws in which i and j have one label, for j >= i in tiles.

    Parameters
    ----------
    draws : (n_draw, n)
        At most 65,535 draws.
    total : (n, n)
        Changed in place; what lies below the diagonal outside its tiles stays.
    """
    n_draw, n = draws.shape
    for block in prange((n + _ROWS - 1) // _ROWS):
        first, last = block * _ROWS, min(n, (block + 1) * _ROWS)
        for left in range(first, n, _COLUMNS):
            right = min(n, left + _COLUMNS)
            counts = np.zeros((last - first, right - left), dtype=np.uint16)
            for k in range(n_draw):
                labels = draws[k, left:right]
                for i in range(first, last):
                    own, row = draws[k, i], counts[i - first]
                    for j in range(row.size):
                        row[j] += np.uint16(labels[j] == own)
            for i in range(last - first):
                for j in range(right - left):
                    total[first + i, left + j] += counts[i, j]


@njit(cache=True)
def mirror(matrix: NDArray[np.float32]) -> None:
    """Copy what is above the diagonal below it, in place."""
    n = matrix.shape[0]
    for top in range(0, n, 64):
        for left in range(top, n, 64):
            for i in range(top, min(n, top + 64)):
                for j in range(max(left, i + 1), min(n, left + 64)):
                    matrix[j, i] = matrix[i, j]


@njit(cache=True)
def pear(within: float, pairs: float, similar: float, all_pairs: float) -> float:
    """Posterior expected adjusted Rand index from four sums over pairs.

    Parameters
    ----------
    within : float
        Similarity of pairs that the partition joins.
    pairs : float
        Pairs that it joins.
    similar : float
        Similarity of all pairs.
    all_pairs : float
        Number of all pairs.
    """
    chance = pairs * similar / all_pairs
    scale = 0.5 * (pairs + similar) - chance
    # Nothing is ever joined, or everything always: the partition is the one of every draw.
    return (within - chance) / scale if scale > 1e-12 * all_pairs else 1.0


@njit(cache=True)
def climb_pear(similarity: NDArray[np.float32], start: Labels, order: Labels, max_passes: int) -> tuple[Labels, float]:
    """Move one item at a time to the cluster, old or new, with the largest PEAR, until none moves.

    Parameters
    ----------
    similarity : (n, n)
    start : (n,)
        0 ... n - 1.
    order : (n,)
        In which order items are looked at.
    max_passes : int

    Returns
    -------
    labels : (n,)
    value : float
    """
    n = start.size
    labels, size = start.copy(), np.zeros(n + 1)
    within, pairs, similar, all_pairs = 0.0, 0.0, 0.0, 0.5 * n * (n - 1)
    for i in range(n):
        size[labels[i]] += 1
        for j in range(i):
            similar += similarity[i, j]
            if labels[i] == labels[j]:
                within += similarity[i, j]
                pairs += 1
    value = pear(within, pairs, similar, all_pairs)
    n_used = labels.max() + 1
    weight = np.zeros(n + 1)
    for _ in range(max_passes):
        moved = False
        for i in order:
            n_used = _pulls(similarity[i], labels, i, n_used, size, weight)
            own = labels[i]
            rest, fewer = within - weight[own], pairs - (size[own] - 1)
            best, chosen, fresh = value, own, -1
            for k in range(n_used + 1):
                inside = size[k] - (1 if k == own else 0)
                if inside == 0:
                    if fresh >= 0:
                        continue
                    fresh = k
                candidate = pear(rest + weight[k], fewer + inside, similar, all_pairs)
                if candidate > best + 1e-10:
                    best, chosen = candidate, k
            if chosen != own:
                within, pairs, value, moved = rest + weight[chosen], fewer + size[chosen], best, True
                size[own] -= 1
                size[chosen] += 1
                labels[i] = chosen
                n_used = max(n_used, chosen + 1)
        if not moved:
            break
    return labels, value


@njit(cache=True)
def _pulls(row: NDArray[np.float32], labels: Labels, i: int, n_used: int, size: Array, weight: Array) -> int:
    """Similarity of item i to each cluster, into `weight`; how many labels are in use."""
    while n_used > 1 and size[n_used - 1] == 0:
        n_used -= 1
    weight[: n_used + 1] = 0.0
    for j in range(labels.size):
        weight[labels[j]] += row[j]
    weight[labels[i]] -= row[i]
    return n_used


@njit(cache=True)
def merge_pear(similarity: NDArray[np.float32], labels: Labels) -> tuple[Labels, float]:
    """Merge the two clusters whose merger raises PEAR most, until none does.

    Parameters
    ----------
    similarity : (n, n)
    labels : (n,)
        0, 1, ... without gaps.
    """
    n, n_cluster = labels.size, labels.max() + 1
    labels, between, size = labels.copy(), np.zeros((n_cluster, n_cluster)), np.zeros(n_cluster)
    for i in range(n):
        size[labels[i]] += 1
        for j in range(i):
            between[labels[i], labels[j]] += similarity[i, j]
    between = between + between.T
    within, similar = 0.5 * np.trace(between), 0.5 * between.sum()
    pairs, all_pairs = 0.5 * (size * (size - 1)).sum(), 0.5 * n * (n - 1)
    value = pear(within, pairs, similar, all_pairs)
    while True:
        best, first, second = value, -1, -1
        for a in range(n_cluster):
            for b in range(a):
                if size[a] * size[b] > 0:
                    candidate = pear(within + between[a, b], pairs + size[a] * size[b], similar, all_pairs)
                    if candidate > best + 1e-10:
                        best, first, second = candidate, a, b
        if first < 0:
            return labels, value
        within, pairs, value = within + between[first, second], pairs + size[first] * size[second], best
        labels[labels == first] = second
        add(between[first], 1.0, between[second])
        add(between[:, first], 1.0, between[:, second])
        size[second] += size[first]
        size[first] = 0.0


@njit(cache=True)
def climb_variation(
    draws: NDArray[np.int16], weight: Array, labels: Labels, order: Labels, capacity: int, max_passes: int
) -> tuple[Labels, bool]:
    """Move one item at a time to the cluster, old or new, with the least expected variation of information.

    Parameters
    ----------
    draws : (n_draw, n)
        0, 1, ...
    weight : (n_draw,)
        Of each draw, summing to 1.
    labels : (n,)
        Where to start; -1 for items that are not placed yet.
    order : (n,)
    capacity : int
        Labels that there is room for, more than are in use.
    max_passes : int

    Returns
    -------
    labels : (n,)
    settled : bool
        False if there was no room for one more cluster.
    """
    n_draw, n = draws.shape
    gain = np.zeros(n + 1)  # of x log2 x, from one more
    for x in range(1, n + 1):
        gain[x] = (x + 1) * np.log2(x + 1) - x * np.log2(x)
    labels, size = labels.copy(), np.zeros(capacity, dtype=np.int64)
    shared = np.zeros((n_draw, draws.max() + 1, capacity), dtype=np.int32)
    for i in range(n):
        if labels[i] >= 0:
            size[labels[i]] += 1
            for k in range(n_draw):
                shared[k, draws[k, i], labels[i]] += 1
    cost = np.empty(capacity)
    for _ in range(max_passes):
        moved = False
        for i in order:
            own = labels[i]
            if own >= 0:
                _shift(draws, shared, i, own, -1)
                size[own] -= 1
            fresh, n_used = _room(size)
            if fresh < 0:
                if own >= 0:
                    _shift(draws, shared, i, own, 1)
                    size[own] += 1
                return labels, False
            _costs(draws, weight, shared, size, gain, i, n_used, cost)
            chosen = own if own >= 0 else fresh
            for c in range(n_used):
                if (size[c] > 0 or c == fresh) and cost[c] < cost[chosen] - 1e-10:
                    chosen = c
            moved = moved or chosen != own
            labels[i] = chosen
            size[chosen] += 1
            _shift(draws, shared, i, chosen, 1)
        if not moved:
            break
    return labels, True


@njit(cache=True)
def _room(size: Labels) -> tuple[int, int]:
    """The first label that is not in use, -1 for none; and how many labels to look at."""
    fresh, last = -1, 0
    for c in range(size.size):
        if size[c] == 0 and fresh < 0:
            fresh = c
        if size[c] > 0:
            last = c
    return fresh, max(fresh, last) + 1


@njit(cache=True)
def _shift(draws: NDArray[np.int16], shared: NDArray[np.int32], i: int, label: int, by: int) -> None:
    for k in range(draws.shape[0]):
        shared[k, draws[k, i], label] += by


@njit(cache=True)
def _costs(
    draws: NDArray[np.int16], weight: Array, shared: Any, size: Labels, gain: Array, i: int, n_used: int, cost: Array
) -> None:
    """What item i adds to n times the expected variation of information in each cluster."""
    for c in range(n_used):
        cost[c] = gain[size[c]]
    for k in range(draws.shape[0]):
        row, twice = shared[k, draws[k, i]], 2.0 * weight[k]
        for c in range(n_used):
            cost[c] -= twice * gain[row[c]]


@njit(cache=True)
def expected_variation(draws: NDArray[np.int16], weight: Array, labels: Labels) -> float:
    """Expected variation of information between a partition and the draws, in bits.

    Parameters
    ----------
    draws : (n_draw, n)
        0, 1, ...
    weight : (n_draw,)
        Summing to 1.
    labels : (n,)
        0, 1, ...
    """
    n_draw, n = draws.shape
    log = np.zeros(n + 1)
    for x in range(2, n + 1):
        log[x] = x * np.log2(x)
    size = np.zeros(labels.max() + 1, dtype=np.int64)
    for i in range(n):
        size[labels[i]] += 1
    total = 0.0
    for c in range(size.size):
        total += log[size[c]]
    n_label = draws.max() + 1
    for k in range(n_draw):
        shared = np.zeros((n_label, size.size), dtype=np.int64)
        for i in range(n):
            shared[draws[k, i], labels[i]] += 1
        part = 0.0
        for u in range(n_label):
            own = 0
            for c in range(size.size):
                own += shared[u, c]
                part -= 2.0 * log[shared[u, c]]
            part += log[own]
        total += weight[k] * part
    return float(max(total / n, 0.0))


@njit(cache=True)
def companionship(draws: NDArray[np.int16], labels: Labels) -> Array:
    """Overlap (Jaccard) of each item's cluster in a draw with its cluster in a partition, mean over draws.

    Parameters
    ----------
    draws : (n_draw, n)
        0, 1, ...
    labels : (n,)
        0, 1, ...

    Returns
    -------
    (n,)
    """
    n_draw, n = draws.shape
    n_cluster, n_label = labels.max() + 1, draws.max() + 1
    out = np.zeros(n)
    for k in range(n_draw):
        shared = np.zeros((n_label, n_cluster))
        for i in range(n):
            shared[draws[k, i], labels[i]] += 1.0
        own, other = shared.sum(axis=1), shared.sum(axis=0)
        for i in range(n):
            both = shared[draws[k, i], labels[i]]
            out[i] += both / (own[draws[k, i]] + other[labels[i]] - both)
    out /= n_draw
    return out


@njit(cache=True)
def adjusted_rand(a: NDArray[np.int16], b: NDArray[np.int16]) -> Array:
    """Adjusted Rand index of every partition of `a` with every one of `b`.

    Parameters
    ----------
    a, b : (n_a, n), (n_b, n)
        0, 1, ...

    Returns
    -------
    (n_a, n_b)
        1 where both are trivial in the same way.
    """
    n = a.shape[1]
    n_first, n_second, all_pairs = a.max() + 1, b.max() + 1, 0.5 * n * (n - 1)
    out = np.empty((a.shape[0], b.shape[0]))
    for k in range(a.shape[0]):
        for m in range(b.shape[0]):
            shared = np.zeros((n_first, n_second))
            for i in range(n):
                shared[a[k, i], b[m, i]] += 1.0
            rows, columns = shared.sum(axis=1), shared.sum(axis=0)
            joined = 0.5 * (shared * (shared - 1)).sum()
            first, second = 0.5 * (rows * (rows - 1)).sum(), 0.5 * (columns * (columns - 1)).sum()
            # The same index as PEAR with one draw.
            out[k, m] = pear(joined, first, second, all_pairs) if n > 1 else 1.0
    return out
