"""Time series of an NWB file as arrays: which there are, which one is meant, its clock and its values in units.

Everything here takes pynwb objects and returns numpy; labels come from `dynome.datasets.formats.nwb_tables`.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dynome import units
from dynome.datasets.formats.files import check_shape
from dynome.datasets.formats.nodes import choose
from dynome.errors import FormatError, InputError, listed

Period = tuple[float, float] | None

SPIKES = "units"  # how the table of spike times is called when a series is chosen
NOTE = "dynome: "  # begins a comment that holds what NWB has no field for

_INTERFACES = frozenset(
    ["BehavioralTimeSeries", "BehavioralEvents", "Position", "CompassDirection", "PupilTracking", "EyeTracking"]
)
_units = {"volts": "V", "volt": "V", "seconds": "s", "meters": "m", "meters/second": "m/s", "n.a.": "1", "na": "1"}


def catalogue(nwbfile: Any, manager: Any) -> dict[str, Any]:
    """Every time series of a file by its path, e.g. ``"processing/ophys/DfOverF/RoiResponseSeries"``."""
    from pynwb import TimeSeries

    found = {
        manager.get_builder(obj).path.removeprefix("root/"): obj
        for obj in nwbfile.objects.values()
        if isinstance(obj, TimeSeries)
    }
    return dict(sorted(found.items()))


def is_covariate(path: str, series: Any) -> bool:
    """Whether a series is behaviour or stimulus: by the container it lies in, or its type."""
    from pynwb.behavior import SpatialSeries

    parts = path.split("/")
    return (
        isinstance(series, SpatialSeries)
        or type(series.parent).__name__ in _INTERFACES
        or (parts[0] == "processing" and parts[1].lower().startswith("behav"))
        or parts[0] == "stimulus"
    )


def candidates(series: dict[str, Any], nwbfile: Any) -> dict[str, Any]:
    """What may be the activity of a recording, by path; spike times are called ``"units"``.

    ROI responses and electrical series come first; where there are none, and no spikes, any other series counts.
    """
    from pynwb.ecephys import ElectricalSeries, SpikeEventSeries
    from pynwb.image import ImageSeries
    from pynwb.misc import AbstractFeatureSeries, AnnotationSeries, IntervalSeries
    from pynwb.ophys import RoiResponseSeries

    def signal(obj: Any) -> bool:
        return isinstance(obj, RoiResponseSeries | ElectricalSeries) and not isinstance(obj, SpikeEventSeries)

    other = (ImageSeries, IntervalSeries, AnnotationSeries, AbstractFeatureSeries, SpikeEventSeries)
    plain = {
        path: obj
        for path, obj in series.items()
        if not is_covariate(path, obj) and not isinstance(obj, other) and not signal(obj) and _n_dims(obj) in (1, 2)
    }
    found = {path: obj for path, obj in series.items() if signal(obj)}
    found |= {path: obj for path, obj in plain.items() if _n_dims(obj) == 2}
    if nwbfile.units is not None and "spike_times" in nwbfile.units.colnames:
        found[SPIKES] = nwbfile.units
    return found or plain


def _n_dims(series: Any) -> int:
    return len(getattr(series.data, "shape", ()))


def pick(found: dict[str, Any], wanted: str | None) -> list[str]:
    """Which candidates to read: the one that is wanted, the only one, or ours that belong together.

    Parameters
    ----------
    found : dict
        What `candidates` returns.
    wanted : str or None
        A path, or its last parts, e.g. ``"DfOverF/RoiResponseSeries"`` or ``"DfOverF"``.

    Raises
    ------
    FormatError
        If there is nothing to read, or several series and none is wanted.
    InputError
        If no series, or more than one, is called so.
    """
    if wanted is not None:
        matches = [p for p in found if p == wanted] or [p for p in found if f"/{wanted}/" in f"/{p}/"]
        if len(matches) > 1:
            raise InputError(f"series={wanted!r} fits {listed(matches, 20)}; give more of the path")
        return [matches[0] if matches else choose(wanted, list(found), "series")]
    if not found:
        raise FormatError(
            "found no ROI response, electrical series, 2-D time series or spike times to make a recording of"
        )
    ours = [p for p, obj in found.items() if note(obj).get("variable")]
    if len(found) > 1 and len(ours) != len(found):
        raise FormatError(
            f"found several series that may be the activity; choose one with series=: {listed(found, 50)}"
        )
    return list(found)


def note(series: Any) -> dict[str, Any]:
    """What dynome wrote into the comment of a series; empty for any other series."""
    return noted(getattr(series, "comments", None))


def noted(text: Any) -> dict[str, Any]:
    """What dynome wrote into a text field; empty for any other text."""
    if not isinstance(text, str) or not text.startswith(NOTE):
        return {}
    try:
        content = json.loads(text.removeprefix(NOTE))
    except json.JSONDecodeError:
        return {}
    return content if isinstance(content, dict) else {}


def unit(series: Any) -> str:
    """The unit of the values after conversion, in the spelling of the package; ``"unknown"`` where none is given."""
    text = str(series.unit or "unknown").strip()
    return units.canonical(_units.get(text.lower(), text))


def clock(series: Any, n_time: int, name: str) -> NDArray[np.float64]:
    """Stamps of a series in seconds since the start of the session: as stored, or from rate and starting time.

    Raises
    ------
    FormatError
        If the number of stamps is not `n_time`, or there is neither stamps nor a positive rate.
    """
    if series.timestamps is not None:
        stamps = array(series.timestamps, f"the timestamps of {name}").astype(np.float64)
        if stamps.shape != (n_time,):
            raise FormatError(f"{name} has {n_time} samples, but timestamps of shape {stamps.shape}; correct the file")
        return stamps
    check_shape((n_time,), 8, f"the clock of {name}")
    if not series.rate or not np.isfinite(series.rate) or series.rate < 0:
        raise FormatError(f"{name} has no timestamps and its rate is {series.rate} Hz; expected one of the two")
    return float(series.starting_time or 0) + np.arange(n_time) / float(series.rate)


def read(series: Any, name: str, n_node: int | None, period: Period) -> tuple[NDArray[np.float64], NDArray[Any]]:
    """Stamps and values of a series.

    Parameters
    ----------
    series : TimeSeries
        Time is the first axis. Where it is not, and the table of nodes or the timestamps say so without doubt, the
        data are transposed.
    name : str
        For messages.
    n_node : int or None
        Rows of the table that describes the columns, where there is one.
    period : (start, stop) or None
        Only samples with start <= t < stop, in seconds.

    Returns
    -------
    stamps : (time,)
        Seconds.
    values : (time, node) or (time,)
        ``data * conversion * channel_conversion + offset``; as stored where the conversion does nothing.
    """
    data = series.data
    shape = tuple(data.shape)
    transposed = len(shape) == 2 and _is_transposed(series, shape, n_node)
    n_time = shape[1] if transposed else shape[0]
    if n_node is not None and n_node != (1 if len(shape) == 1 else shape[0] if transposed else shape[1]):
        raise FormatError(f"{name} has shape {shape}, but the table of its nodes names {n_node}; correct the file")
    stamps = clock(series, n_time, name)
    keep = _window(stamps, period, name)
    n_kept = keep.stop - keep.start
    if transposed:
        raw = array(data, name, (slice(None), keep), (shape[0], n_kept))
    else:
        raw = array(data, name, keep, (n_kept, *shape[1:]))
    values = _converted(series, raw, transposed)
    return stamps[keep], values.T if transposed else values


def _is_transposed(series: Any, shape: tuple[int, ...], n_node: int | None) -> bool:
    n_time = None if series.timestamps is None else len(series.timestamps)
    by_node = n_node is not None and shape[1] != n_node and shape[0] == n_node
    by_time = n_time is not None and shape[0] != n_time and shape[1] == n_time
    return (by_node and n_time in (None, shape[1])) or (by_time and n_node in (None, shape[0]))


def _window(stamps: NDArray[np.float64], period: Period, name: str) -> slice:
    if period is None:
        return slice(0, stamps.size)
    start, stop = np.searchsorted(stamps, period)
    if stop - start < 2:
        raise InputError(
            f"period={period} holds {max(0, stop - start)} samples of {name}, which runs from {stamps[0]:g} s to "
            f"{stamps[-1]:g} s; choose a longer period"
        )
    return slice(int(start), int(stop))


def array(data: Any, name: str, selection: Any = slice(None), shape: tuple[int, ...] | None = None) -> NDArray[Any]:
    """A dataset of the file, or a selection of it with the given shape, after its size has been checked.

    Raises
    ------
    FormatError
        If it is too large, or its bytes lie in another file.
    """
    if getattr(data, "external", None):
        raise FormatError(f"{name} keeps its values in another file; ask for a self-contained NWB file")
    claimed = getattr(data, "shape", (len(data),)) if shape is None else shape
    check_shape(claimed, getattr(getattr(data, "dtype", None), "itemsize", 8), name)
    return np.asarray(data[selection])


def _converted(series: Any, values: NDArray[Any], transposed: bool) -> NDArray[Any]:
    if note(series).get("as_stored"):
        return values
    factor: Any = 1.0 if series.conversion is None else float(series.conversion)
    offset = float(getattr(series, "offset", None) or 0)
    per_channel = getattr(series, "channel_conversion", None)
    if per_channel is not None:
        factor = factor * np.asarray(per_channel[:], dtype=np.float64)
        factor = factor[:, None] if transposed else factor
    if np.all(factor == 1) and offset == 0:
        return values
    if values.dtype.kind not in "iuf":
        raise FormatError(f"{series.name} has values of type {values.dtype}, which cannot be converted")
    return np.asarray(values * factor + offset, dtype=values.dtype if values.dtype.kind == "f" else np.float64)
