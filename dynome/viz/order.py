"""In which order rows are drawn: by similarity, by community, or as asked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from dynome import labels
from dynome.errors import InputError, listed
from dynome.viz.palette import category_colors

Order = NDArray[np.int64]

_max_optimal = 400  # leaves ordered optimally (cubic time); more are left as the tree has them
_max_tree = 2000  # nodes in a tree; more are ordered by the angle of their two leading components


def by_similarity(values: NDArray[np.float64], names: Sequence[str]) -> Order:
    """An order of columns in which neighbours resemble each other.

    Parameters
    ----------
    values : (n_sample, n_node)
        NaN is missing; a column without variation goes last.
    names : (n_node,)
        Labels; they decide at which end the order begins.

    Returns
    -------
    (n_node,)
        Leaves of an average-linkage tree on one minus the correlation, ordered so that neighbours are closest.

    Examples
    --------
    >>> x = np.array([[0.0, 5, 0, 5], [1, 4, 2, 4], [2, 0, 3, 1]])
    >>> by_similarity(x, ["a", "b", "c", "d"]).tolist()
    [0, 2, 1, 3]
    """
    z = _standardized(values)
    moving = np.flatnonzero(z.any(axis=0))
    still = np.setdiff1d(np.arange(values.shape[1]), moving)
    z = z[:, moving]
    found = np.arange(moving.size) if moving.size < 3 else _tree(z) if moving.size <= _max_tree else _angle(z)
    ordered = moving[found]
    if ordered.size and str(names[ordered[0]]) > str(names[ordered[-1]]):
        ordered = ordered[::-1]
    return np.concatenate([ordered, still]).astype(np.int64)


def _standardized(values: NDArray[np.float64]) -> NDArray[np.float64]:
    seen = np.isfinite(values)
    count = np.maximum(seen.sum(axis=0), 1)
    centred = np.where(seen, values - np.where(seen, values, 0).sum(axis=0) / count, 0)
    norm = np.sqrt((centred**2).sum(axis=0))
    steady = norm <= 1e-12 * np.maximum(np.abs(np.where(seen, values, 0)).max(axis=0, initial=0), 1e-300)
    return cast(NDArray[np.float64], np.where(steady, 0, centred / np.where(steady, 1, norm)))


def _tree(z: NDArray[np.float64]) -> Order:
    from scipy.cluster.hierarchy import leaves_list, linkage, optimal_leaf_ordering

    distance = np.clip(1 - z.T @ z, 0, 2)[np.triu_indices(z.shape[1], 1)]
    tree = linkage(distance, method="average")
    return cast(Order, leaves_list(optimal_leaf_ordering(tree, distance) if z.shape[1] <= _max_optimal else tree))


def _angle(z: NDArray[np.float64]) -> Order:
    from scipy.sparse.linalg import svds

    start = np.full(min(z.shape), 1 / np.sqrt(min(z.shape)))
    _, _, v = svds(z, k=2, v0=start)
    v *= np.sign(v.sum(axis=1, keepdims=True) + 1e-300)
    return np.argsort(np.arctan2(v[0], v[1]), kind="stable")


def by_community(community: Sequence[Any], within: NDArray[np.float64]) -> Order:
    """Nodes community by community; unknown communities last.

    Parameters
    ----------
    community : (n_node,)
        Community of each node.
    within : (n_node,)
        What sorts the nodes of one community, smallest first.
    """
    rank = {name: k for k, name in enumerate(category_colors(community))}
    group = np.array([rank[str(c)] for c in community], dtype=np.int64)
    return np.lexsort((within, group))


def by_labels(wanted: Sequence[str], names: Sequence[str]) -> Order:
    """Positions of the `wanted` labels, which may be a part of `names`.

    Raises
    ------
    InputError
        If a wanted label is unknown or named twice.
    """
    asked = labels.as_labels(list(wanted))
    where = labels.positions(asked, labels.as_labels(list(names)))
    if (where < 0).any():
        raise InputError(f"order must name nodes of the data, found unknown {listed(asked[where < 0].tolist())}")
    if repeats := labels.duplicates(asked):
        raise InputError(f"order must name each node once, found repeated {listed(repeats)}")
    return where


def resolved(order: object, values: NDArray[np.float64], names: Sequence[str]) -> Order:
    """Positions of the columns of `values` for ``"similarity"``, a list of labels, or None (as stored).

    Raises
    ------
    InputError
        If `order` is none of these.
    """
    if order is None:
        return np.arange(len(names))
    if isinstance(order, str):
        if order != "similarity":
            raise InputError(f'order must be "similarity", a list of labels or None, got {order!r}')
        return by_similarity(values, names)
    return by_labels(cast(Sequence[str], order), names)
