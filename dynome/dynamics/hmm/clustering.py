"""First guesses of the states: bins that look alike, after smoothing over time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_ROUNDS = 25
_BINS = 20_000  # that the centres are learnt from
_DIRECTIONS = 8  # of most variance, whose products stand for a covariance


def smoothed(values: Array, starts: NDArray[np.int64], width: int) -> Array:
    """Mean over a window centred on each bin, cut at the ends of its sequence.

    Parameters
    ----------
    values : (n_bin, n_feature)
    starts : (n_sequence + 1,)
    width : int
        Bins of the window.
    """
    if width <= 1:
        return values
    total = np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(values, axis=0)])
    sequence = np.repeat(np.arange(starts.size - 1), np.diff(starts))
    bins = np.arange(values.shape[0])
    left = np.maximum(bins - width // 2, starts[sequence])
    right = np.minimum(bins + (width - width // 2), starts[sequence + 1])
    return np.asarray((total[right] - total[left]) / (right - left)[:, None])


def products(values: Array) -> Array:
    """Products of every pair of the directions of most variance, (n_bin, n_pair): what a covariance is a mean of.

    Parameters
    ----------
    values : (n_bin, n_node)
        About zero.
    """
    scale = np.sqrt((values**2).mean(axis=0))
    scaled = values / np.where(scale > 0, scale, 1.0)
    _, directions = np.linalg.eigh(scaled.T @ scaled)
    scores = scaled @ directions[:, -_DIRECTIONS:]
    scores /= np.maximum(np.sqrt((scores**2).mean(axis=0)), 1e-12)
    first, second = np.triu_indices(scores.shape[1])
    return np.asarray(scores[:, first] * scores[:, second])


def clusters(values: Array, n_clusters: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """k-means with spread-out seeds, (n_bin,): the cluster of each bin.

    Parameters
    ----------
    values : (n_bin, n_feature)
    n_clusters : int
    rng : Generator
        Draws the seeds, and the bins that the centres are learnt from where there are many.

    Notes
    -----
    k-means++ (Arthur & Vassilvitskii 2007), then Lloyd's rounds. A cluster that empties takes the farthest bin.
    """
    few = values
    if values.shape[0] > _BINS:
        few = values[np.sort(rng.choice(values.shape[0], _BINS, replace=False))]
    centres = few[rng.integers(few.shape[0])][None]
    nearest = _distances(few, centres)[:, 0]
    for _ in range(n_clusters - 1):
        total = nearest.sum()
        at = rng.choice(few.shape[0], p=nearest / total) if total > 0 else rng.integers(few.shape[0])
        centres = np.vstack([centres, few[at]])
        nearest = np.minimum(nearest, _distances(few, centres[-1:])[:, 0])
    for _ in range(_ROUNDS):
        distance = _distances(few, centres)
        label = distance.argmin(axis=1)
        members = (label[:, None] == np.arange(n_clusters)).astype(np.float64)
        size = members.sum(axis=0)
        moved = members.T @ few / np.maximum(size, 1.0)[:, None]
        moved[size == 0] = few[distance.min(axis=1).argmax()]
        if np.array_equal(moved, centres):
            break
        centres = moved
    return np.asarray(_distances(values, centres).argmin(axis=1), dtype=np.int64)


def _distances(values: Array, centres: Array) -> Array:
    squares = (values**2).sum(axis=1)[:, None] - 2.0 * values @ centres.T + (centres**2).sum(axis=1)
    return np.asarray(np.maximum(squares, 0.0))
