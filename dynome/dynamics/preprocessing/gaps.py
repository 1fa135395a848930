"""Filling short gaps."""

from __future__ import annotations

from functools import partial

import numpy as np

from dynome.dynamics.preprocessing.clock import Stamps, stamps
from dynome.dynamics.preprocessing.labelled import Array, Recording, along_time, on_activity
from dynome.errors import InputError


def bridged(x: Array, clock: Stamps, limit: float = np.inf, *, ends: bool = False) -> Array:
    """Straight lines across the missing samples of each series.

    Parameters
    ----------
    x : (n_time, n_series)
        NaN where missing.
    clock : (n_time,)
        Increasing stamps.
    limit : float
        Longest gap that is bridged, from the sample before it to the sample after it.
    ends : bool
        Also repeat the first and last sample outwards.

    Returns
    -------
    (n_time, n_series)
        `x` itself where nothing is missing; a series without any sample stays NaN.
    """
    missing = np.isnan(x)
    if not missing.any():
        return x
    out = x.copy()
    for series, absent in enumerate(np.ascontiguousarray(missing.T)):
        there, holes = np.flatnonzero(~absent), np.flatnonzero(absent)
        if not holes.size or not there.size:
            continue
        after = np.searchsorted(there, holes)
        left, right = there[np.maximum(after - 1, 0)], there[np.minimum(after, there.size - 1)]
        inner = (after > 0) & (after < there.size)
        fill = np.where(inner, clock[right] - clock[left] <= limit, ends)
        left, right, holes = left[fill], right[fill], holes[fill]
        share = np.where(
            inner[fill], (clock[holes] - clock[left]) / np.where(inner[fill], clock[right] - clock[left], 1), 0
        )
        out[holes, series] = (1 - share) * x[left, series] + share * x[right, series]
    return out


def interpolate_gaps(rec: Recording, *, limit: float) -> Recording:
    """Fill short gaps of ``activity`` with straight lines.

    Parameters
    ----------
    rec : Dataset or DataArray (..., time, ...)
        Any unit; NaN where missing. The clock may be irregular.
    limit : float
        Longest gap to fill, in seconds from the last sample before it to the first after it. One missing sample is a
        gap of two sampling intervals.

    Returns
    -------
    same kind as `rec`
        Same unit. Longer gaps, and gaps at either end, stay NaN as a whole. Lazy input stays lazy (one piece along
        time).

    Raises
    ------
    InputError
        If `limit` is not positive, the clock is unusable, or a value is infinite.

    Examples
    --------
    >>> import xarray as xr
    >>> x = xr.DataArray([1.0, np.nan, 3.0, np.nan, np.nan, 6.0], dims="time", coords={"time": np.arange(6.0)})
    >>> interpolate_gaps(x, limit=2.0).values
    array([ 1.,  2.,  3., nan, nan,  6.])
    """
    if not limit > 0:
        raise InputError(f"cannot interpolate gaps:\n  - limit must be a positive number of seconds, got {limit!r}")
    kernel = partial(bridged, clock=stamps(rec, "interpolate gaps"), limit=limit * (1 + 1e-9))
    return on_activity(partial(along_time, kernel), rec, "interpolate gaps")
