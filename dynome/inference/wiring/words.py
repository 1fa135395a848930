"""Transfer entropy between discrete levels: spike or none, few or many, low or high."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dynome.inference.wiring.samples import Sample, stretches

Array = NDArray[np.float64]
Ints = NDArray[np.int64]

_rows = 1 << 14  # bins whose one-hot codes are in memory at a time


def discrete_transfer_entropy(
    sample: Sample, *, n_lags: int = 3, n_levels: int = 2, n_past: int = 2, correct: bool = True
) -> Array:
    """Transfer entropy in nats from the level of the source one bin ago, or two, ..., to that of the target.

    Parameters
    ----------
    sample : Sample
        Counts become levels 0, 1, ... and the last for all larger ones; other values levels of equal occupancy.
    n_lags : int
        Delays to try; the largest transfer entropy counts.
    n_levels : int
        How many levels.
    n_past : int
        Bins of the target's own past that are given.
    correct : bool
        Subtract the bias of the plug-in estimate by the number of occupied cells.

    Returns
    -------
    (source, target)
    """
    level = levels(sample, n_levels)
    reach = max(n_lags, n_past)
    parts = [level[bins] for bins in stretches(sample)]
    now = np.concatenate([part[reach:] for part in parts])
    past = np.zeros_like(now)
    for lag in range(1, n_past + 1):
        past = past * n_levels + np.concatenate([part[reach - lag : len(part) - lag] for part in parts])
    target = now * n_levels**n_past + past
    n_words = n_levels ** (n_past + 1)
    best = np.full((level.shape[1], level.shape[1]), -np.inf)
    for lag in range(1, n_lags + 1):
        source = np.concatenate([part[reach - lag : len(part) - lag] for part in parts])
        joint = _counted(target, source, n_words, n_levels)
        best = np.maximum(best, _information(joint, n_levels, correct))
    return best


def levels(sample: Sample, n_levels: int) -> Ints:
    """(n_bin, n_node): a level from 0 to ``n_levels - 1`` for every value."""
    if sample.counts:
        return np.minimum(sample.values, n_levels - 1).astype(np.int64)
    cuts = np.quantile(sample.scaled, np.arange(1, n_levels) / n_levels, axis=0)
    return np.asarray((sample.scaled[None] > cuts[:, None]).sum(axis=0), dtype=np.int64)


def _counted(target: Ints, source: Ints, n_words: int, n_levels: int) -> Array:
    """Joint counts (source, target, word of the target, level of the source)."""
    n_node = target.shape[1]
    total = np.zeros((n_node * n_levels, n_node * n_words))
    for a in range(0, len(target), _rows):
        total += _one_hot(source[a : a + _rows], n_levels).T @ _one_hot(target[a : a + _rows], n_words)
    return total.reshape(n_node, n_levels, n_node, n_words).transpose(0, 2, 3, 1)


def _one_hot(code: Ints, n_codes: int) -> NDArray[np.float32]:
    out = np.zeros((len(code), code.shape[1] * n_codes), dtype=np.float32)
    out[np.arange(len(code))[:, None], np.arange(code.shape[1]) * n_codes + code] = 1
    return out


def _information(joint: Array, n_levels: int, correct: bool) -> Array:
    """Information of the source on the present of the target given its past, from counts (..., word, level)."""
    shape = joint.shape
    whole = joint.reshape(*shape[:2], n_levels, -1, shape[-1])  # present, past, source
    n = whole.sum(axis=(2, 3, 4))
    terms = [(whole, -1), (whole.sum(axis=-1), 1), (whole.sum(axis=2), 1), (whole.sum(axis=(2, 4)), -1)]
    found = np.zeros(n.shape)
    for counts, sign in terms:
        axes = tuple(range(2, counts.ndim))
        found += sign * _entropy(counts, n, axes)
        if correct:
            found += sign * (counts > 0).sum(axis=axes) / (2 * n)
    return found


def _entropy(counts: Array, n: Array, axes: tuple[int, ...]) -> Array:
    return np.asarray(np.log(n) - (counts * np.log(np.maximum(counts, 1))).sum(axis=axes) / n)
