"""Behaviour and stimulus of an NWB file on the clock of the recording."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome.datasets.formats import nwb_series
from dynome.datasets.formats.nwb_tables import plain
from dynome.errors import FormatError
from dynome.schema import ACTIVITY, DIMS, SPIKE_COUNT, TIME

_RESERVED = frozenset(DIMS) | {ACTIVITY, SPIKE_COUNT, "epoch", "valid", "region", "labelled"}
_MAX_GAP = 3.0  # median steps of the behaviour that a straight line may bridge


def onto_clock(
    values: NDArray[np.float64], stamps: NDArray[np.float64], clock: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Samples of one clock on another.

    Parameters
    ----------
    values : (sample, feature)
        NaN is a missing sample.
    stamps : (sample,)
        When they were taken, seconds, increasing.
    clock : (time,)
        Where they are wanted, seconds, increasing.

    Returns
    -------
    (time, feature)
        The mean of the samples nearest to each stamp of `clock`. Where there is none, the straight line between the
        neighbours, if they are at most 3 median steps apart; else NaN.

    Examples
    --------
    >>> onto_clock(np.arange(8.0)[:, None], np.arange(8) / 4, np.array([0.5, 1.5])).ravel()
    array([1.5, 5.5])
    """
    middle = (clock[1:] + clock[:-1]) / 2
    edges = np.concatenate([[2 * clock[0] - middle[0]], middle, [2 * clock[-1] - middle[-1]]])
    where = np.searchsorted(edges, stamps, side="right") - 1
    inside = (where >= 0) & (where < clock.size)
    sampled = np.bincount(where[inside], minlength=clock.size) > 0
    bridged = ~sampled & _between(stamps, clock)
    out = np.full((clock.size, values.shape[1]), np.nan)
    for k, column in enumerate(values.T):
        good = inside & np.isfinite(column)
        number = np.bincount(where[good], minlength=clock.size)
        total = np.bincount(where[good], weights=column[good], minlength=clock.size)
        np.divide(total, number, out=out[:, k], where=number > 0)
        if bridged.any():
            out[bridged, k] = np.interp(clock[bridged], stamps, column)
    return out


def _between(stamps: NDArray[np.float64], clock: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Where `clock` lies between two stamps that are close enough for a straight line."""
    if stamps.size < 2:
        return np.zeros(clock.size, dtype=bool)
    after = np.clip(np.searchsorted(stamps, clock), 1, stamps.size - 1)
    near = np.diff(stamps)[after - 1] <= _MAX_GAP * float(np.median(np.diff(stamps)))
    return np.asarray(near & (clock >= stamps[0]) & (clock <= stamps[-1]))


def covariates(series: dict[str, Any], clock: NDArray[np.float64]) -> dict[str, xr.DataArray]:
    """Every numeric behaviour and stimulus series of a file, by name.

    Parameters
    ----------
    series : dict
        What `nwb_series.catalogue` returns.
    clock : (time,)
        Stamps of the recording.

    Returns
    -------
    dict of DataArray
        ``(time,)``, or ``(time, {name}_feature)`` for several columns. A series on the same clock is as stored; any
        other is brought onto it by `onto_clock`, and says so in ``attrs["resampled"]``.

    Raises
    ------
    FormatError
        If the clock of a series does not increase.
    """
    chosen = {p: s for p, s in series.items() if nwb_series.is_covariate(p, s) and _is_readable(p, s)}
    often = Counter(path.rsplit("/", 1)[-1] for path in chosen)
    found: dict[str, xr.DataArray] = {}
    for path, obj in chosen.items():
        *_, parent, name = path.split("/")
        if not nwb_series.note(obj) and (often[name] > 1 or name in _RESERVED):
            name = f"{parent}_{name}"
        variable = _covariate(obj, path, name, clock)
        if variable is not None:
            found[name] = variable
    return found


def _is_readable(path: str, series: Any) -> bool:
    table = len(series.data.shape) in (1, 2) or bool(nwb_series.note(series))
    return table and (path.split("/")[0] != "stimulus" or type(series).__name__ == "TimeSeries")


def _covariate(series: Any, path: str, name: str, clock: NDArray[np.float64]) -> xr.DataArray | None:
    stamps, raw = nwb_series.read(series, path, None, None)
    values = plain(raw)
    if values is None or not len(values):
        return None
    values, resampled = _at(values, stamps, clock, path)
    if values is None:
        return None
    said = nwb_series.note(series)
    attrs: dict[str, Any] = dict(said["attrs"]) if "attrs" in said else _attrs(series, values)
    if said.get("role") == "coord":
        attrs["role"] = "coord"
    if resampled:
        attrs["resampled"] = "mean of the samples nearest to each stamp, or the straight line between neighbours"
    if values.ndim == 1:
        return xr.DataArray(values, dims=TIME, attrs=attrs)
    feature = f"{name}_feature"
    spatial = type(series).__name__ == "SpatialSeries" and values.shape[1] <= 3
    labels = list("xyz")[: values.shape[1]] if spatial else [str(k) for k in range(values.shape[1])]
    dims, coords = said.get("dims", [TIME, feature]), said.get("coords", {feature: labels})
    return xr.DataArray(values, dims=dims, coords=coords, attrs=attrs)


def _attrs(series: Any, values: NDArray[Any]) -> dict[str, Any]:
    attrs = {} if values.dtype.kind == "U" else {"units": nwb_series.unit(series)}
    if series.description not in (None, "", "no description"):
        attrs["long_name"] = str(series.description)
    return attrs


def _at(
    values: NDArray[Any], stamps: NDArray[np.float64], clock: NDArray[np.float64], path: str
) -> tuple[NDArray[Any] | None, bool]:
    """Values on the clock of the recording, and whether they had to be resampled; None for words that would be."""
    first = int(np.argmin(np.abs(stamps - clock[0]))) if np.isfinite(stamps).all() else 0
    same = stamps[first : first + clock.size]
    if same.size == clock.size and np.allclose(same, clock, rtol=0, atol=1e-9):
        return values[first : first + clock.size], False
    if values.dtype.kind == "U":
        return None, True
    if not np.isfinite(stamps).all() or (np.diff(stamps) < 0).any():
        raise FormatError(
            f"the timestamps of {path} do not increase; correct the file, or leave behaviour out with behaviour=False"
        )
    flat = values.reshape(len(values), -1).astype(np.float64)
    return onto_clock(flat, stamps, clock).reshape(clock.size, *values.shape[1:]), True
