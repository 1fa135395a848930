"""Where searches for a point partition begin: cuts of a tree, draws, random partitions."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import linkage
from scipy.spatial.distance import squareform

from dynome.inference.biclustering.relabelling import canonical

Labels = NDArray[np.int64]

MANY = 500  # items from which on fewer starts are tried


def similarity_tree(matrix: NDArray[np.float32]) -> Any:
    """Average-linkage tree of dissimilarities."""
    apart = (1.0 - matrix).astype(np.float64)
    np.fill_diagonal(apart, 0.0)
    return linkage(squareform(apart, checks=False), method="average")


def best_cuts(tree: Any, n_best: int) -> list[Labels]:
    """The cuts of a tree with the largest PEAR. A merger at height h joins pairs of mean similarity 1 - h."""
    n = tree.shape[0] + 1
    size = np.concatenate([np.ones(n), tree[:, 3]])
    joined = size[tree[:, 0].astype(np.int64)] * size[tree[:, 1].astype(np.int64)]
    within = np.concatenate([[0.0], np.cumsum(joined * (1.0 - tree[:, 2]))])
    pairs = np.concatenate([[0.0], np.cumsum(joined)])
    all_pairs, similar = 0.5 * n * (n - 1), within[-1]
    chance = pairs * similar / all_pairs
    scale = 0.5 * (pairs + similar) - chance
    value = np.divide(within - chance, scale, out=np.ones_like(scale), where=scale > 1e-12 * all_pairs)
    return [_cut(tree, int(mergers)) for mergers in np.argsort(-value, kind="stable")[:n_best]]


def _cut(tree: Any, n_mergers: int) -> Labels:
    """The partition after so many mergers."""
    n = tree.shape[0] + 1
    root = np.arange(n + n_mergers)
    for k in range(n_mergers):
        root[int(tree[k, 0])] = root[int(tree[k, 1])] = n + k
    for k in range(root.size - 1, -1, -1):  # a merger comes after what it joins
        root[k] = root[root[k]]
    return canonical(root[:n])


def some_draws(draws: NDArray[np.integer], n_some: int) -> list[Labels]:
    """Evenly spaced draws."""
    few = np.unique(np.linspace(0, draws.shape[0] - 1, n_some).astype(np.int64))
    return [canonical(draws[k]) for k in few]


def random_starts(n: int, n_some: int) -> list[Labels]:
    """One cluster, all alone, and random ones of few items; always the same."""
    if n > MANY:
        return [np.zeros(n, dtype=np.int64)]
    rng = np.random.default_rng(n)
    random = [rng.integers(0, rng.integers(1, n + 1), n) for _ in range(n_some)]
    return [np.zeros(n, dtype=np.int64), np.arange(n), *random]
