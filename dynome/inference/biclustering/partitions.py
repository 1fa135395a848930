r"""One partition for many draws of it, and how sure it is of each item.

Two point partitions. The one that maximises the posterior expected adjusted Rand index (PEAR; Fritsch and Ickstadt
2009, doi:10.1214/09-BA414) needs the similarity matrix only. The one with the least expected variation of information
(Wade and Ghahramani 2018, doi:10.1214/17-BA1073) is searched as Dahl, Johnson and Mueller do (2022,
doi:10.1080/10618600.2022.2069779): items go one after the other to the cluster where they cost least, from many starts.
Neither has a bound on the number of clusters.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dynome.inference.biclustering.partition_kernels import (
    adjusted_rand,
    climb_pear,
    climb_variation,
    companionship,
    count_agreements,
    expected_variation,
    merge_pear,
    mirror,
)
from dynome.inference.biclustering.partition_starts import MANY, best_cuts, random_starts, similarity_tree, some_draws
from dynome.inference.biclustering.relabelling import canonical

Labels = NDArray[np.int64]
Draws = NDArray[np.int16]
Similarity = NDArray[np.float32]

_MAX_COUNT = 65_000  # draws that 16 bits count
_PASSES = 100
_START_ENTRIES, _LAST_ENTRIES = 300_000, 2_000_000  # draws times items that searches look at, first and last


class PointPartition(NamedTuple):
    """A partition that stands for many.

    Attributes
    ----------
    labels : (n,)
        0, 1, ... by size.
    value : float
        Posterior expected adjusted Rand index (at most 1), or expected variation of information in bits (at least 0).
    """

    labels: Labels
    value: float


def similarity(draws: NDArray[np.integer]) -> Similarity:
    """Share of draws in which two items are together.

    Parameters
    ----------
    draws : (n_draw, n)
        Labels; only which are equal matters.

    Returns
    -------
    (n, n)
        Symmetric, 1 on the diagonal.
    """
    total = np.zeros((draws.shape[1], draws.shape[1]), dtype=np.float32)
    small = compact(draws)
    for first in range(0, small.shape[0], _MAX_COUNT):
        count_agreements(small[first : first + _MAX_COUNT], total)
    mirror(total)
    total /= np.float32(draws.shape[0])
    return total


def compact(draws: NDArray[np.integer]) -> Draws:
    """The same partitions with labels from 0 on, as 16-bit integers."""
    least, largest = int(draws.min()), int(draws.max())
    if least >= 0 and largest < np.iinfo(np.int16).max:
        return np.ascontiguousarray(draws, dtype=np.int16)
    return np.stack([np.unique(row, return_inverse=True)[1] for row in draws]).astype(np.int16)


def maxpear(draws: NDArray[np.integer], matrix: Similarity | None = None, *, n_starts: int = 16) -> PointPartition:
    """The partition with the largest posterior expected adjusted Rand index.

    Parameters
    ----------
    draws : (n_draw, n)
    matrix : (n, n) or None
        Their similarity, where it is there already.
    n_starts : int
        Starts of the search besides the cuts of the tree.

    Returns
    -------
    PointPartition

    Notes
    -----
    All cuts of the average-linkage tree are scored (their sums over pairs follow from the heights of the merges), and
    draws and random partitions besides; the best are improved by moving single items and merging clusters.
    """
    n = draws.shape[1]
    if n == 1:
        return PointPartition(np.zeros(1, dtype=np.int64), 1.0)
    own = similarity(draws) if matrix is None else matrix
    tree = similarity_tree(own)
    best = PointPartition(np.arange(n), -np.inf)
    order = np.arange(n)
    few = max(1, n_starts // 4) if n > MANY else n_starts
    for start in [*best_cuts(tree, few), *some_draws(draws, few), *random_starts(n, few)]:
        labels, value = start, -np.inf
        while True:
            climbed, found = climb_pear(own, canonical(labels), order, _PASSES)
            labels, merged = merge_pear(own, canonical(climbed))
            if max(found, merged) <= value + 1e-10:
                break
            value = max(found, merged)
        if value > best.value + 1e-10:
            best = PointPartition(canonical(labels), float(value))
    return best


def least_variation(
    draws: NDArray[np.integer], starts: tuple[Labels, ...] = (), *, n_starts: int = 16
) -> PointPartition:
    """The partition with the least expected variation of information.

    Parameters
    ----------
    draws : (n_draw, n)
    starts : tuple of (n,)
        Partitions to begin with besides the own ones, such as that of `maxpear`.
    n_starts : int
        Starts of the search; fewer where there are many items.

    Returns
    -------
    PointPartition
        Its value is over all draws. Where there are many, the search looks at evenly spaced ones.
    """
    n = draws.shape[1]
    small = compact(draws)
    looked, weight = _thinned(small, _START_ENTRIES)
    rng = np.random.default_rng(n)
    few = max(1, n_starts // 4) if n > MANY else n_starts
    begin = [*map(canonical, starts), *some_draws(looked, few)]
    begin += [np.zeros(n, dtype=np.int64), *([np.arange(n)] if n <= MANY else [])]
    values = [expected_variation(looked, weight, start) for start in begin]
    chosen = [begin[k] for k in np.argsort(values, kind="stable")[: few + len(starts)]] + [np.full(n, -1)] * few
    found = [_climbed(looked, weight, start, rng.permutation(n), _PASSES) for start in chosen]
    values = [expected_variation(looked, weight, labels) for labels in found]
    labels = found[int(np.argmin(values))]
    if small.size > _START_ENTRIES:
        labels = _climbed(*_thinned(small, _LAST_ENTRIES), labels, np.arange(n), _PASSES)
    everything = np.full(small.shape[0], 1.0 / small.shape[0])
    return PointPartition(labels, float(expected_variation(small, everything, labels)))


def extended(draws: NDArray[np.integer], labels: Labels) -> Labels:
    """A partition of some items, to which the others are added one by one.

    Parameters
    ----------
    draws : (n_draw, n)
    labels : (n,)
        -1 for items to be added: to the cluster, old or new, where they raise the expected variation of information
        least.
    """
    return _climbed(*_thinned(compact(draws), _LAST_ENTRIES), labels, np.flatnonzero(labels < 0), 1)


def uncertainty(draws: NDArray[np.integer], labels: Labels) -> NDArray[np.float64]:
    """How much the company of each item changes from draw to draw.

    Parameters
    ----------
    draws : (n_draw, n)
    labels : (n,)
        Point partition.

    Returns
    -------
    (n,)
        1 minus the overlap (Jaccard index) of the item's cluster in a draw and in the point partition, mean over draws:
        0 for an item that always has the same companions, near 1 for one that never does.
    """
    return np.asarray(1.0 - companionship(compact(draws), canonical(labels)))


def agreement(draws: NDArray[np.integer], n_compared: int = 50) -> NDArray[np.float64]:
    """Adjusted Rand index within and between chains.

    Parameters
    ----------
    draws : (n_chain, n_draw, n)
    n_compared : int
        Draws of each chain that are compared, evenly spaced.

    Returns
    -------
    (n_chain, n_chain)
        Mean over pairs of draws; on the diagonal of distinct draws of one chain.
    """
    n_chain, n_draw = draws.shape[:2]
    few = np.unique(np.linspace(0, n_draw - 1, min(n_draw, n_compared)).astype(np.int64))
    chosen = [compact(chain[few]) for chain in draws]
    out = np.empty((n_chain, n_chain))
    for a in range(n_chain):
        for b in range(a + 1):
            index = adjusted_rand(chosen[a], chosen[b])
            distinct = ~np.eye(few.size, dtype=bool) if a == b and few.size > 1 else np.ones_like(index, dtype=bool)
            out[a, b] = out[b, a] = index[distinct].mean()
    return out


def _thinned(draws: Draws, n_entries: int) -> tuple[Draws, NDArray[np.float64]]:
    """Evenly spaced draws that differ, and how often each occurs."""
    numbered = np.stack([canonical(row) for row in draws[:: max(1, -(-draws.size // n_entries))]]).astype(np.int16)
    rows, count = np.unique(numbered, axis=0, return_counts=True)
    return np.ascontiguousarray(rows), count / count.sum()


def _climbed(draws: Draws, weight: NDArray[np.float64], start: Labels, order: Labels, n_passes: int) -> Labels:
    """`climb_variation` with room for as many clusters as it takes."""
    labels, capacity = start, int(start.max()) + 16
    while True:
        labels, settled = climb_variation(draws, weight, labels, order, capacity, n_passes)
        if settled:
            return canonical(labels)
        capacity *= 2
