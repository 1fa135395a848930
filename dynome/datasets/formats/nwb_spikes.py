"""Spike times of an NWB units table as counts in bins."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dynome.datasets.formats.files import check_shape
from dynome.datasets.formats.nwb_series import Period, array
from dynome.errors import FormatError, InputError


def ragged(column: Any, name: str) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """The values of a ragged column and where each row ends."""
    values = array(column.target.data, name)
    ends = array(column.data, f"the index of {name}").astype(np.int64)
    if (np.diff(ends, prepend=0) < 0).any() or (ends.size and ends[-1] > len(values)):
        raise FormatError(f"{name} has an index that runs out of its values; the file is damaged")
    return values, ends


def count(units: Any, *, bin_width: float | None, period: Period) -> tuple[NDArray[np.float64], NDArray[Any]]:
    """Spikes per bin of every unit.

    Parameters
    ----------
    units : Units
        A pynwb units table with spike times in seconds.
    bin_width : float or None
        Seconds; required.
    period : (start, stop) or None
        Seconds, whole bins inside it; None runs over the observation intervals, else from the first spike to the last.

    Returns
    -------
    stamps : (time,)
        Centres of the bins in seconds.
    counts : (time, unit)
        int64; float64 with NaN where a unit was not observed for a whole bin.

    Raises
    ------
    InputError
        If `bin_width` is missing, not positive, or wider than the period.
    FormatError
        If a spike time is not finite, or there are no spikes.
    """
    if bin_width is None or not np.isfinite(bin_width) or bin_width <= 0:
        raise InputError(f"the units table holds spike times; give bin_width= in seconds (> 0), got {bin_width}")
    times, ends = ragged(units["spike_times"], "spike_times")
    if not np.isfinite(times).all():
        raise FormatError(f"{int((~np.isfinite(times)).sum())} spike times are NaN or infinite; correct the file")
    observed = _observed(units)
    edges = _edges(times, observed, bin_width, period)
    n_time, n_unit = edges.size - 1, len(ends)
    check_shape((n_time, n_unit), 8, f"binning {n_unit} units at {bin_width:g} s")
    counts = np.zeros((n_time, n_unit), dtype=np.int64)
    starts = np.concatenate([[0], ends[:-1]])
    for k, (a, b) in enumerate(zip(starts, ends, strict=True)):
        where = np.floor((times[a:b] - edges[0]) / bin_width + 1e-9).astype(np.int64)
        inside = (where >= 0) & (where < n_time)
        counts[:, k] = np.bincount(where[inside], minlength=n_time)
    stamps = edges[:-1] + bin_width / 2
    if observed is None:
        return stamps, counts
    seen = np.stack([_covers(rows, edges) for rows in observed], axis=1)
    return stamps, counts if seen.all() else np.where(seen, counts, np.nan)


def _observed(units: Any) -> list[NDArray[np.float64]] | None:
    """Observation intervals (n, 2) of each unit, disjoint and sorted; None where the table has none."""
    if "obs_intervals" not in units.colnames:
        return None
    values, ends = ragged(units["obs_intervals"], "obs_intervals")
    return [_joined(v) for v in np.split(values.reshape(-1, 2).astype(np.float64), ends[:-1])]


def _joined(intervals: NDArray[np.float64]) -> NDArray[np.float64]:
    """Intervals that touch or overlap made one."""
    if not len(intervals):
        return intervals
    ordered = intervals[np.argsort(intervals[:, 0])]
    reach = np.maximum.accumulate(ordered[:, 1])
    first = np.flatnonzero(np.concatenate([[True], ordered[1:, 0] > reach[:-1] + 1e-9]))
    return np.column_stack([ordered[first, 0], reach[np.append(first[1:] - 1, len(ordered) - 1)]])


def _edges(
    times: NDArray[Any], observed: list[NDArray[np.float64]] | None, width: float, period: Period
) -> NDArray[np.float64]:
    """Edges of the bins: whole bins of the period or of all observation intervals, else up to the last spike."""
    intervals = np.concatenate(observed) if observed else np.empty((0, 2))
    if period is not None:
        start, stop = map(float, period)
    elif len(intervals):
        start, stop = float(intervals[:, 0].min()), float(intervals[:, 1].max())
    elif times.size:
        start = float(np.floor(times.min() / width + 1e-9) * width)
        stop = float(np.floor((times.max() - start) / width + 1e-9) + 1) * width + start
    else:
        raise FormatError("the units table holds no spikes and no observation intervals; give period=(start, stop)")
    n = int(np.floor((stop - start) / width + 1e-9))
    if n < 2:
        raise InputError(f"{start:g} s to {stop:g} s holds fewer than 2 bins of {width:g} s; choose narrower bins")
    check_shape((n,), 8, f"binning {stop - start:g} s at {width:g} s")
    return np.asarray(start + width * np.arange(n + 1), dtype=np.float64)


def _covers(intervals: NDArray[np.float64], edges: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether a whole bin lies in one of the observation intervals."""
    if not len(intervals):
        return np.zeros(edges.size - 1, dtype=bool)
    slack = 1e-6 * (edges[1] - edges[0])
    row = np.searchsorted(intervals[:, 0], edges[:-1] + slack, side="right") - 1
    return np.asarray((row >= 0) & (edges[1:] - slack <= intervals[np.maximum(row, 0), 1]))
