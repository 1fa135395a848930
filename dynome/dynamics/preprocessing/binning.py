"""From spike times to spike counts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from dynome import labels, schema
from dynome.errors import InputError, Problems, listed
from dynome.schema import NODE, TIME

_GRAIN = 1e-6  # of a bin: a time this close below an edge is on it, whatever rounding made of it


def count_in_bins(times: NDArray[np.float64], width: float, start: float, n: int) -> NDArray[np.int64]:
    """Times in each of `n` bins ``[start + k width, start + (k + 1) width)``, (n,)."""
    place = np.floor((times - start) / width + _GRAIN)
    inside = place[(place >= 0) & (place < n)].astype(np.int64)
    return np.bincount(inside, minlength=n)


def bin_spikes(
    spike_times: Mapping[str, ArrayLike] | pd.DataFrame | xr.Dataset, *, width: float, start: float, stop: float
) -> xr.Dataset:
    """Spike counts on a regular clock.

    Parameters
    ----------
    spike_times : mapping, DataFrame or Dataset
        Times in seconds, in any order: of each node by its label (a node without spikes is a silent node), or an event
        table with one row a spike and columns ``node`` and ``time`` (nodes in order of first appearance).
    width : float
        Bin width in seconds.
    start, stop : float
        When the recording started and stopped, in seconds. Spikes outside are left out, and so is what remains after
        the last whole bin.

    Returns
    -------
    recording
        ``spike_count (time, node)``, whole numbers; ``time`` holds the bin centres. Each bin includes its start and
        excludes its end.

    Raises
    ------
    InputError
        If `width` is not positive, no two bins fit between `start` and `stop`, a time is missing or infinite, a label
        is missing, or there is no node.
    SchemaError
        If a label is empty.

    Examples
    --------
    >>> rec = bin_spikes({"a": [0.1, 0.2, 1.7], "b": []}, width=0.5, start=0, stop=2)
    >>> rec.spike_count.sel(node="a").values, rec.time.values
    (array([2, 0, 0, 1]), array([0.25, 0.75, 1.25, 1.75]))
    """
    problems = Problems("cannot bin spikes")
    trains = _trains(spike_times, problems)
    if not (np.isfinite(width) and width > 0):
        problems.add(f"width must be a positive number of seconds, got {width:g}")
        problems.fail(InputError)
    n = int(np.floor((stop - start) / width + _GRAIN)) if np.isfinite(stop - start) else 0
    if n < 2:
        problems.add(f"expected at least 2 bins of {width:g} s between start and stop, got {start:g} s to {stop:g} s")
    if not trains:
        problems.add("expected at least one node, found none")
    for node, times in trains.items():
        if broken := int((~np.isfinite(times)).sum()):
            problems.add(f"node {node!r}: spike times must be finite, found {broken} NaN or infinite; drop them")
    problems.raise_if_any(InputError)
    counts = np.empty((n, len(trains)), dtype=np.int64)
    for column, times in enumerate(trains.values()):
        counts[:, column] = count_in_bins(times, width, start, n)
    centres = start + (np.arange(n) + 0.5) * width
    return schema.recording(spike_count=counts, time=centres, node=list(trains))


def _trains(spike_times: Mapping[str, ArrayLike] | pd.DataFrame | xr.Dataset, problems: Problems) -> dict[str, Any]:
    """Spike times by node."""
    if isinstance(spike_times, xr.Dataset | pd.DataFrame):
        columns = spike_times.variables if isinstance(spike_times, xr.Dataset) else spike_times.columns
        if absent := [c for c in (NODE, TIME) if c not in columns]:
            problems.add(f"an event table needs columns node and time, missing {listed(absent)}")
            problems.fail(InputError)
        table = pd.DataFrame(
            {NODE: _names(spike_times[NODE], problems), TIME: np.asarray(spike_times[TIME], np.float64)}
        )
        return {str(node): times.to_numpy() for node, times in table.groupby(NODE, sort=False)[TIME]}
    trains = {str(node): np.asarray(times, dtype=np.float64) for node, times in spike_times.items()}
    for node, times in trains.items():
        if times.ndim != 1:
            problems.add(f"node {node!r}: spike times must be one-dimensional, found shape {times.shape}")
            problems.fail(InputError)
    return trains


def _names(column: pd.Series | xr.DataArray, problems: Problems) -> labels.StrArray:
    try:
        return labels.as_labels(np.asarray(column))
    except ValueError as error:
        problems.add(f"node: {error}")
        problems.fail(InputError)
