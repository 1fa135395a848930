"""Recordings from plain arrays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from dynome import labels
from dynome.errors import Problems, SchemaError, UnitsError, listed
from dynome.schema.names import ACTIVITY, NODE, SPIKE_COUNT, TIME
from dynome.schema.validation import validate
from dynome.units import of, seconds_per


def recording(
    activity: ArrayLike | None = None,
    *,
    time: ArrayLike,
    node: ArrayLike,
    units: str | None = None,
    spike_count: ArrayLike | None = None,
    covariates: Mapping[str, Any] | None = None,
    node_kind: str = "neuron",
    attrs: Mapping[str, Any] | None = None,
) -> xr.Dataset:
    """A valid recording from plain arrays.

    Parameters
    ----------
    activity : (time, node) or None
        Continuous activity; NaN where missing.
    time : (time,)
        Seconds, strictly increasing; a DataArray with another unit of time is converted.
    node : (node,)
        Unique labels.
    units : str or None
        Unit of `activity`, e.g. ``"dF/F"``; required with it.
    spike_count : (time, node) or None
        Spikes per bin.
    covariates : mapping or None
        Behaviour and stimulus: name to DataArray, or to ``(dims, values, {"units": ...})``.
    node_kind : str
        ``"neuron"``, ``"parcel"``, ``"electrode"``, ...
    attrs : mapping or None
        Further attributes (subject, species, paper).

    Returns
    -------
    Dataset
        Dims ``time`` and ``node``.

    Raises
    ------
    SchemaError
        If the result breaks the schema.

    Examples
    --------
    >>> rec = recording(np.ones((4, 2)), time=np.arange(4) / 2, node=["a", "b"], units="dF/F")
    >>> rec.activity.dims, rec.time.attrs["units"]
    (('time', 'node'), 's')
    """
    problems = Problems("recording is not valid")
    stamps, names = _seconds(time, problems), _labels(node, problems)
    data: dict[str, Any] = {}
    if activity is not None:
        data[ACTIVITY] = (*_values(activity), {"units": units} if units else {})
    if spike_count is not None:
        data[SPIKE_COUNT] = (*_values(spike_count), {"units": "count"})
    if taken := [n for n in covariates or {} if n in (TIME, NODE, ACTIVITY, SPIKE_COUNT)]:
        problems.add(f"{listed(taken)} cannot be names of covariates; rename them")
    for name, values in {**(covariates or {}), ACTIVITY: activity, SPIKE_COUNT: spike_count}.items():
        if isinstance(values, xr.DataArray):
            _check_index(values, name, {TIME: stamps, NODE: names}, problems)
    problems.raise_if_any(SchemaError)
    try:
        dataset = xr.Dataset(
            {**data, **(covariates or {})},
            coords={TIME: (TIME, stamps, {"units": "s"}), NODE: names},
            attrs={"node_kind": node_kind, **(attrs or {})},
        )
    except (TypeError, ValueError) as error:
        raise SchemaError(f"recording is not valid:\n  - arrays do not fit together: {error}") from error
    return validate(dataset, "recording")


def _seconds(time: ArrayLike, problems: Problems) -> NDArray[Any]:
    """Stamps in seconds: converted where they bring another unit of time."""
    stamps = np.asarray(time)
    if stamps.dtype.kind not in "iuf" or stamps.ndim != 1:
        problems.add(
            f"time must be one-dimensional and in seconds, found dtype {stamps.dtype} and shape {stamps.shape}; "
            "rebuild it, e.g. np.arange(n) / rate, or (dates - dates[0]) / np.timedelta64(1, 's')"
        )
        return stamps
    unit = of(time) if isinstance(time, xr.DataArray) else None
    try:
        return stamps.astype(np.float64) * (seconds_per(unit) if unit else 1.0)
    except UnitsError as error:
        problems.add(f"time must be in seconds: {error}")
        return stamps


def _labels(node: ArrayLike, problems: Problems) -> NDArray[Any]:
    try:
        return labels.as_labels(node)
    except ValueError as error:
        problems.add(f"node: {error}")
        return np.asarray(node)


def _values(array: Any) -> tuple[tuple[Any, ...], Any]:
    """Dims and values; a DataArray brings its own dims, in whatever order."""
    if isinstance(array, xr.DataArray):
        return array.dims, array.data
    return (TIME, NODE), array if hasattr(array, "dask") else np.asarray(array)


def _check_index(array: xr.DataArray, name: str, own: dict[str, NDArray[Any]], problems: Problems) -> None:
    """Xarray would fill a covariate on another clock with NaN."""
    for dim, values in own.items():
        if dim in array.indexes and not np.array_equal(array[dim], values):
            problems.add(f"{name} has other values of {dim} than the recording; interpolate or select it first")
