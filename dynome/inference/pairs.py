"""Pairs of nodes as one axis, and a few of them that are wired to each other."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]


class Pairs(NamedTuple):
    """Pairs of different nodes whose functional connectivity is known."""

    source: Integers
    """(n_pair,) position of the first node; of the lower one where pairs have no order."""
    target: Integers
    fc: Floats
    """(n_pair,) functional connectivity."""
    place: Integers
    """Where each pair of nodes, by its number, is among the known ones; -1 where its value is missing."""
    n_node: int
    ordered: bool


class Wired(NamedTuple):
    """Pairs that are connected, ascending, and the weight between them."""

    pair: Integers
    weight: Floats


def known_pairs(fc: Floats, *, ordered: bool) -> Pairs:
    """Pairs of nodes with a value.

    Parameters
    ----------
    fc : (n_node, n_node)
        NaN where missing; the diagonal is left out.
    ordered : bool
        Whether (i, j) and (j, i) are two pairs; else `fc` is symmetric and they are one.
    """
    n_node = fc.shape[0]
    if ordered:
        source, target = np.nonzero(~np.eye(n_node, dtype=bool))
    else:
        source, target = np.triu_indices(n_node, 1)
    values = fc[source, target].astype(np.float64)
    known = ~np.isnan(values)
    place = np.where(known, np.cumsum(known) - 1, -1)
    return Pairs(source[known], target[known], values[known], place, n_node, ordered)


def pair_number(source: Integers, target: Integers, n_node: int, *, ordered: bool) -> Integers:
    """Number of each pair of different nodes, in the order of `known_pairs`.

    Examples
    --------
    >>> i, j = np.array([0, 0, 2]), np.array([1, 2, 1])
    >>> pair_number(i, j, 3, ordered=False).tolist(), pair_number(i, j, 3, ordered=True).tolist()
    ([0, 1, 2], [0, 1, 5])
    """
    if ordered:
        number: Integers = source * (n_node - 1) + target - (target > source)
    else:
        low, high = np.minimum(source, target), np.maximum(source, target)
        number = low * n_node - low * (low + 1) // 2 + high - low - 1
    return number


def wired_pairs(source: Integers, target: Integers, weight: NDArray[Any], pairs: Pairs) -> Wired:
    """Known pairs that have an edge, with the sum of their edges' weights.

    Parameters
    ----------
    source, target : (n_edge,)
        Positions of nodes; self-loops are left out.
    weight : (n_edge,)
        Weights.
    pairs : Pairs
        The pairs that count.
    """
    other = source != target
    number = pair_number(source[other], target[other], pairs.n_node, ordered=pairs.ordered)
    place = pairs.place[number]
    return summed(place[place >= 0], weight[other][place >= 0].astype(np.float64))


def summed(pair: Integers, weight: Floats) -> Wired:
    """Each pair once, with the sum of its weights."""
    unique, inverse = np.unique(pair, return_inverse=True)
    total = np.bincount(inverse, weights=weight, minlength=unique.size)
    return Wired(unique, total.astype(np.float64, copy=False))
