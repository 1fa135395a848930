"""A series on the device of a network, and which nodes were seen in a window."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dynome.dynamics.forecasting.series import Series

Bools = NDArray[np.bool_]
Integers = NDArray[np.int64]


class Table(NamedTuple):
    """Everything of a series that networks read, nodes first.

    Attributes
    ----------
    value : (N, T)
        0 where missing.
    known : (N, T)
        1 where there is a value.
    base : (N, T)
        What the forecast from a bin is a change from; 0 where the context of a node is empty.
    covariates : (T, C)
        Standardized; 0 where missing.
    """

    value: Tensor
    known: Tensor
    base: Tensor
    covariates: Tensor


def table(series: Series, center: NDArray[Any], scale: NDArray[Any], device: str, *, counts: bool = False) -> Table:
    """Put a series on a device.

    Parameters
    ----------
    series : Series
    center, scale : (C,)
        By which covariates are standardized.
    device : str
    counts : bool
        Whether the base is the mean of the context, not its last value.
    """
    known = np.isfinite(series.values)
    value = np.where(known, series.values, 0).astype(np.float32)
    base = _context_mean(value, known, series.context) if counts else _last(value, known, series.context)
    covariates = np.nan_to_num((series.covariates - center) / scale).astype(np.float32)
    arrays = value.T, known.T.astype(np.float32), base.T, covariates
    return Table(*(torch.from_numpy(np.ascontiguousarray(array)).to(device) for array in arrays))


def covariate_scaling(series: Series) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and standard deviation (C,) of the covariates; 0 and 1 where they do not vary."""
    if not series.covariates.size:
        return np.zeros(series.covariates.shape[1]), np.ones(series.covariates.shape[1])
    x = np.ma.masked_invalid(series.covariates.astype(np.float64))
    center, scale = x.mean(axis=0).filled(0.0), x.std(axis=0).filled(0.0)
    return np.asarray(center), np.where(scale > 0, scale, 1.0)


def observed(series: Series) -> Bools:
    """Which nodes have a value in the context that ends at each bin, of sessions that recorded them: (T, N)."""
    there = np.isfinite(series.values)
    count = np.concatenate([np.zeros((1, there.shape[1]), np.int32), there.cumsum(axis=0, dtype=np.int32)])
    first = np.maximum(np.arange(1, count.shape[0]) - series.context, 0)
    return np.asarray((count[1:] > count[first]) & series.recorded[series.session])


def groups(seen: Bools) -> list[tuple[Bools, Integers]]:
    """Windows in which the same nodes were seen.

    Parameters
    ----------
    seen : (n_window, n_node) bool
        As `observed` gives it.

    Returns
    -------
    list of ((n_node,) bool, (k,) int64)
        Nodes, and windows in increasing order.

    Examples
    --------
    >>> [(nodes.tolist(), at.tolist()) for nodes, at in groups(np.array([[True, False], [True, True], [True, False]]))]
    [([True, False], [0, 2]), ([True, True], [1])]
    """
    packed = np.packbits(seen, axis=1)
    _, first, code = np.unique(packed, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(code.ravel(), kind="stable")
    parts = np.split(order, np.cumsum(np.bincount(code.ravel(), minlength=first.size))[:-1])
    return [(seen[k], part) for k, part in zip(first, parts, strict=True)]


def mixed(origin: Integers, stretch: int, size: int, rng: np.random.Generator) -> list[Integers]:
    """Mini-batches of stretches of neighbouring windows, which share most of what they are computed from.

    Parameters
    ----------
    origin : (n_window,)
        Increasing.
    stretch : int
        Windows that stay together.
    size : int
        Windows of a batch.
    rng : Generator
        Where stretches begin, and which ones meet.

    Returns
    -------
    list of (k,) int64
        Every window once.
    """
    cuts = np.arange(rng.integers(1, stretch + 1), origin.size, stretch)
    parts = np.split(origin, cuts)
    parts = [parts[k] for k in rng.permutation(len(parts))]
    each = max(1, size // stretch)
    return [np.concatenate(parts[k : k + each]) for k in range(0, len(parts), each)]


def _last(value: NDArray[np.float32], known: Bools, context: int) -> NDArray[np.float32]:
    """The latest value not older than the context: (T, N)."""
    bins = np.arange(value.shape[0])[:, None]
    latest = np.maximum.accumulate(np.where(known, bins, -1), axis=0)
    fresh = (latest >= 0) & (bins - latest < context)
    return np.where(fresh, np.take_along_axis(value, np.maximum(latest, 0), axis=0), 0).astype(np.float32)


def _context_mean(value: NDArray[np.float32], known: Bools, context: int) -> NDArray[np.float32]:
    total = np.concatenate([np.zeros((1, value.shape[1])), value.cumsum(axis=0, dtype=np.float64)])
    count = np.concatenate([np.zeros((1, value.shape[1])), known.cumsum(axis=0, dtype=np.float64)])
    end = np.arange(1, value.shape[0] + 1)
    first = np.maximum(end - context, 0)
    number = count[end] - count[first]
    return np.where(number > 0, (total[end] - total[first]) / np.maximum(number, 1), 0).astype(np.float32)
