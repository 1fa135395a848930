"""Samples in time: how long each lasts on the page, where a recording pauses, and fewer of them when many."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_pause = 1.5  # intervals longer than this many steps are pauses, not slow samples


def edges(time: Floats) -> tuple[Floats, Floats]:
    """When each sample begins and ends on the page.

    Parameters
    ----------
    time : (n_time,)
        Strictly increasing stamps; a sample is centred on its stamp and lasts one median step.

    Returns
    -------
    (n_time,), (n_time,)
        Begin and end. Neighbours touch unless there is a pause between them.

    Examples
    --------
    >>> edges(np.array([0.0, 1.0, 2.0, 6.0]))
    (array([-0.5,  0.5,  1.5,  5.5]), array([0.5, 1.5, 2.5, 6.5]))
    """
    step = float(np.median(np.diff(time))) if time.size > 1 else 1.0
    start, stop = time - step / 2, time + step / 2
    together = np.asarray(np.diff(time) <= _pause * step)
    middle = (time[1:] + time[:-1]) / 2
    start[1:][together] = middle[together]
    stop[:-1][together] = middle[together]
    start[1:] = np.maximum(start[1:], np.where(together, start[1:], stop[:-1]))
    return start, stop


def columns(time: Floats, values: Floats) -> tuple[Floats, Floats]:
    """Edges and values of the columns of a heat map, with a column of NaN in each pause.

    Parameters
    ----------
    time : (n_time,)
    values : (n_time, n_node)

    Returns
    -------
    (n_column + 1,), (n_column, n_node)
    """
    start, stop = edges(time)
    pause = _pauses(start, stop)
    limits = np.insert(np.append(start, stop[-1]), pause, stop[pause - 1])
    return limits, np.insert(values, pause, np.nan, axis=0)


def paused(time: Floats, values: Floats) -> tuple[Floats, Floats]:
    """A trace ``(n_time,)`` with a NaN in each pause, so that a line breaks there."""
    start, stop = edges(time)
    pause = _pauses(start, stop)
    return np.insert(time, pause, stop[pause - 1]), np.insert(values, pause, np.nan)


def _pauses(start: Floats, stop: Floats) -> NDArray[np.int64]:
    return np.flatnonzero(start[1:] > stop[:-1] + 1e-9 * (stop[-1] - start[0])) + 1


def thinned(activity: xr.DataArray, limit: int) -> xr.DataArray:
    """At most `limit` time samples: means over equal runs of samples, NaN left out.

    Parameters
    ----------
    activity : (time, ...)
        dask input is averaged chunk by chunk.
    """
    length = -(-activity.sizes["time"] // limit)
    if length <= 1:
        return activity
    return activity.coarsen(time=length, boundary="trim").mean(keep_attrs=True)


def envelope(time: Floats, values: Floats, limit: int = 4000) -> tuple[Floats, Floats]:
    """A trace of at most `limit` points that looks the same: lowest and highest of each run of samples."""
    length = -(-2 * time.size // limit)
    if length <= 2:
        return time, values
    count = time.size // length
    block = values[: count * length].reshape(count, length)
    bare = np.asarray(~np.isfinite(block).any(axis=1))
    filled = np.where(bare.reshape(-1, 1), 0.0, block)
    low, high = np.nanmin(filled, axis=1), np.nanmax(filled, axis=1)
    low[bare] = high[bare] = np.nan
    middle = time[: count * length].reshape(count, length).mean(axis=1)
    return np.repeat(middle, 2), np.column_stack([low, high]).ravel()


def runs(on: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """First and last position of each run of True.

    Examples
    --------
    >>> runs(np.array([False, True, True, False, True]))
    [(1, 2), (4, 4)]
    """
    change = np.flatnonzero(np.diff(np.concatenate([[0], on.astype(np.int8), [0]])))
    return [(int(a), int(b) - 1) for a, b in change.reshape(-1, 2)]
