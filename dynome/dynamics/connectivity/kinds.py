"""The kinds of static connectivity, on arrays."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from dynome.dynamics.connectivity import measures, moments, ranks, shrinkage
from dynome.dynamics.connectivity.moments import Array, Moments, as_float
from dynome.errors import InputError

Kind = Literal["correlation", "covariance", "spearman", "partial correlation", "precision"]
FROM_MOMENTS = ("correlation", "covariance")
INVERTED = ("partial correlation", "precision")
UNIT_POWER = {"covariance": 2, "precision": -2}

Counts = NDArray[np.int64]


def matrix(x: NDArray[Any], kind: str, shrunk: bool, min_samples: int) -> tuple[Array, Counts]:
    """Connectivity of the columns of one array, or of each of a stack.

    Parameters
    ----------
    x : (..., n_time, n_node)
        NaN where missing. float32 stays float32; anything else becomes float64.
    kind : str
        One of `Kind`.
    shrunk : bool
        Whether to shrink the covariance.
    min_samples : int
        Pairs with fewer common samples are NaN.

    Returns
    -------
    tuple
        Connectivity and common samples, both (..., n_node, n_node).
    """
    x = as_float(x)
    if kind in FROM_MOMENTS and not shrunk:
        return finish(moments.pair_moments(x), kind, min_samples, x.dtype)
    lead, n_node = x.shape[:-2], x.shape[-1]
    each = [_single(part, kind, shrunk, min_samples) for part in x.reshape(-1, *x.shape[-2:])]
    shape = (*lead, n_node, n_node)
    values = np.array([r for r, _ in each], dtype=x.dtype).reshape(shape)
    if all(n.size == 1 for _, n in each):
        return values, np.broadcast_to(np.array([n for _, n in each]).reshape(*lead, 1, 1), shape)
    return values, np.array([np.broadcast_to(n, (n_node, n_node)) for _, n in each]).reshape(shape)


def finish(pairs: Moments, kind: str, min_samples: int, dtype: Any) -> tuple[Array, Counts]:
    """Connectivity and common samples from moments, both (..., n_node, n_node)."""
    measure = measures.correlation if kind == "correlation" else measures.covariance
    values = measure(pairs, min_samples=min_samples).astype(dtype, copy=False)
    return values, np.broadcast_to(pairs.n, values.shape)


def _single(x: Array, kind: str, shrunk: bool, min_samples: int) -> tuple[Array, Counts]:
    gaps = moments.has_gaps(x)
    if kind == "spearman":
        return ranks.spearman(x, min_samples=min_samples)
    x = x.astype(np.float64, copy=False)
    values = np.full((x.shape[1], x.shape[1]), np.nan)
    if gaps:
        here = ~np.isnan(x)
        n = (here.T.astype(float) @ here).astype(np.int64)
        kept = _varying(x, here)
        complete = x[np.ix_(here[:, kept].any(axis=1), kept)]
    else:
        n = np.array([[x.shape[0]]])
        kept = x.max(axis=0) > x.min(axis=0)
        complete = x if kept.all() else x[:, kept]
    if gaps and np.isnan(complete).any():
        raise InputError(
            f"{int(np.isnan(complete).sum())} values are NaN in some nodes and not in others; covariances of different "
            f"samples cannot be inverted or shrunk, so {kind} needs complete frames: interpolate the gaps, or drop the "
            "nodes or frames that have them"
        )
    if kept.any() and complete.shape[0] >= max(min_samples, 2):
        values[np.ix_(kept, kept)] = _from_covariance(complete, kind, shrunk)
    return values, n


def _varying(x: Array, here: NDArray[np.bool_]) -> NDArray[np.bool_]:
    low: Array = np.where(here, x, np.inf).min(axis=0)
    high: Array = np.where(here, x, -np.inf).max(axis=0)
    return high > low


def _from_covariance(x: Array, kind: str, shrunk: bool) -> Array:
    if kind == "correlation":
        x = (x - x.mean(axis=0)) / x.std(axis=0)
    sigma = shrinkage.ledoit_wolf(x).covariance if shrunk else measures.covariance(moments.complete_moments(x))
    if kind == "covariance":
        return sigma
    if kind == "correlation":
        variance = np.diag(sigma)
        return sigma / np.sqrt(np.outer(variance, variance))
    try:
        precision = shrinkage.inverse(sigma)
    except np.linalg.LinAlgError:
        raise InputError(
            f"the covariance of {x.shape[1]} nodes over {x.shape[0]} samples is singular and has no {kind}; "
            "use shrink=True, more samples, or drop nodes that copy others"
        ) from None
    return precision if kind == "precision" else shrinkage.partial_correlation(precision)
