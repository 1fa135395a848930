"""Centre and scale of nodes from training time alone."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dynome import labels
from dynome.dynamics.preprocessing.scaling import mean_and_sd

Array = NDArray[np.float64]


class Moments(NamedTuple):
    """Of each of some nodes: number of values, mean, and sum of squares about the mean."""

    n_values: Array
    mean: Array
    square: Array


def moments(x: Array) -> Moments:
    """Moments of the columns of ``(n_time, n_node)``; NaN is left out, a column of NaN has count 0 and mean 0."""
    count = np.isfinite(x).sum(axis=0).astype(np.float64)
    mean, sd = mean_and_sd(x) if x.shape[0] else (np.zeros(x.shape[1]), np.zeros(x.shape[1]))
    return Moments(count, np.where(count > 0, mean, 0.0), np.where(count > 0, count * sd**2, 0.0))


class Scales(NamedTuple):
    """What is known of scales from all training recordings together.

    Attributes
    ----------
    nodes : (n_node,)
        Labels.
    pooled : Moments
        Of each label over all training recordings.
    center, scale : float
        Mean over everything, and root of the mean variance of nodes about their own means.
    """

    nodes: labels.StrArray
    pooled: Moments
    center: float
    scale: float


def pooled(parts: list[tuple[NDArray[np.str_], Moments]]) -> Scales:
    """Moments by label over recordings.

    Parameters
    ----------
    parts : list of (labels, Moments)
        One a training recording.
    """
    codes, nodes = labels.factorize(np.concatenate([names for names, _ in parts]))
    count, mean, square = (np.concatenate(column) for column in zip(*(m for _, m in parts), strict=True))
    total = _summed(codes, count, nodes.size)
    middle = _summed(codes, count * mean, nodes.size) / np.maximum(total, 1)
    within = _summed(codes, square + count * (mean - middle[codes]) ** 2, nodes.size)
    n = max(float(total.sum()), 1.0)
    scale = float(np.sqrt(within.sum() / n))
    return Scales(nodes, Moments(total, middle, within), float((total * middle).sum() / n), scale or 1.0)


def _summed(codes: NDArray[np.int64], values: Array, n: int) -> Array:
    return np.bincount(codes, values, n).astype(np.float64)


def center_and_scale(names: NDArray[np.str_], own: Moments | None, scales: Scales) -> tuple[Array, Array]:
    """What to subtract from the values of some nodes and to divide them by.

    Parameters
    ----------
    names : (n_node,)
        Labels.
    own : Moments or None
        Of the training time of their own recording; None where the recording is held out.
    scales : Scales
        Used where the recording does not tell: of the same label, or of everything for a label that is not known or
        does not vary.

    Returns
    -------
    center, scale : (n_node,)
        Finite; the scale is above zero.
    """
    center, scale = np.full(names.size, scales.center), np.full(names.size, scales.scale)
    at = labels.positions(names, scales.nodes)
    known = np.flatnonzero(at >= 0)
    shared = Moments(*(column[at[known]] for column in scales.pooled))
    for where, found in ((known, shared), (np.arange(names.size), own)):
        if found is None:
            continue
        seen = found.n_values > 0
        center[where[seen]] = found.mean[seen]
        spread = np.sqrt(found.square / np.maximum(found.n_values, 1))
        # A node that hardly leaves its mean has no scale of its own: rounding is not a spread.
        varies = (found.n_values > 1) & (spread > 1e-9 * np.abs(found.mean)) & (spread > 0)
        scale[where[varies]] = spread[varies]
    return center, scale
