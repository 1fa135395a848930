"""Matching: which component, state or community of one fit is which of another.

Fits of a non-convex model agree only up to a permutation. `match` solves the assignment on any similarity matrix;
`cp_similarity` is the similarity for factor models; `aligned` reorders labelled results.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeVar

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from dynome.errors import InputError

Labelled = TypeVar("Labelled", xr.Dataset, xr.DataArray)


class Match(NamedTuple):
    """An assignment of the columns of one fit to those of a reference.

    Attributes
    ----------
    order : (n_reference,)
        ``other[order[k]]`` is what matches ``reference[k]``; -1 where `other` has too few.
    similarity : (n_reference,)
        Similarity of each matched pair; 0 where nothing matches.
    """

    order: NDArray[np.int64]
    similarity: NDArray[np.float64]


def match(similarity: NDArray[np.float64]) -> Match:
    """The one-to-one assignment with the largest total similarity (Hungarian algorithm).

    Parameters
    ----------
    similarity : (n_reference, n_other)
        Finite; larger is more alike.

    Examples
    --------
    >>> match(np.array([[0.1, 0.9], [0.8, 0.3]])).order.tolist()
    [1, 0]
    """
    if similarity.ndim != 2 or not np.isfinite(similarity).all():
        found = f"shape {similarity.shape}, {int((~np.isfinite(similarity)).sum())} values NaN or infinite"
        raise InputError(f"similarity must be a finite matrix, found {found}")
    order = np.full(similarity.shape[0], -1, dtype=np.int64)
    value = np.zeros(similarity.shape[0])
    rows, columns = linear_sum_assignment(similarity, maximize=True)
    order[rows] = columns
    value[rows] = similarity[rows, columns]
    return Match(order, value)


def cosine(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Cosine between the columns of two matrices; 0 where a column is zero.

    Parameters
    ----------
    a, b : (n, n_a), (n, n_b)
        Columns to compare.

    Returns
    -------
    (n_a, n_b)
    """
    norms = np.outer(np.linalg.norm(a, axis=0), np.linalg.norm(b, axis=0))
    return np.divide(a.T @ b, norms, out=np.zeros_like(norms), where=norms > 0)


def cp_similarity(a: Sequence[NDArray[np.float64]], b: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Similarity of the components of two factor models: the product over modes of their cosines.

    Parameters
    ----------
    a, b : sequence of (n_k, rank_a) and (n_k, rank_b)
        One factor matrix a mode.

    Returns
    -------
    (rank_a, rank_b)
        1 for equal components. With weights in it, this is the factor match score of Acar et al. (2011),
        DOI 10.1002/cem.1335.
    """
    if len(a) != len(b) or any(x.shape[0] != y.shape[0] for x, y in zip(a, b, strict=False)):
        raise InputError("two factor models can be compared only if they have the same modes and sizes")
    return np.prod([cosine(x, y) for x, y in zip(a, b, strict=True)], axis=0)  # type: ignore[no-any-return]


def aligned(other: Labelled, order: NDArray[np.int64], *, dim: str = "component") -> Labelled:
    """Reorder labelled results along `dim` and number them anew from 0.

    Parameters
    ----------
    other : Dataset or DataArray
        Results of one fit.
    order : (n,)
        As `match` gives it, without -1.
    dim : str
        ``component``, ``state``, ``community``, ...

    Examples
    --------
    >>> aligned(xr.DataArray([10, 20], dims="component"), np.array([1, 0])).to_numpy().tolist()
    [20, 10]
    """
    if (order < 0).any():
        raise InputError(f"{int((order < 0).sum())} of the reference's {dim}s have no partner; compare equal numbers")
    taken = other.isel({dim: order})
    return taken.assign_coords({dim: np.arange(order.size)}) if dim in other.coords else taken
