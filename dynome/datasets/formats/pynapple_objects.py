"""Recordings from and for pynapple.

A sample's place in time, a node's label and what is known of it have a counterpart on both sides: columns of a
``TsdFrame`` are nodes, its metadata are their coordinates, its time support says when there are samples.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome import extras, schema
from dynome.datasets.formats import nodes
from dynome.datasets.formats.files import check_shape
from dynome.errors import InputError, listed
from dynome.schema import ACTIVITY, NODE, SPIKE_COUNT, TIME

if TYPE_CHECKING:
    import pynapple as nap

    Readable: TypeAlias = nap.TsdFrame | nap.TsGroup | Mapping[str, nap.Tsd]
    Pynapple: TypeAlias = nap.TsdFrame | nap.Tsd

_RESERVED = frozenset(schema.DIMS) | {ACTIVITY, SPIKE_COUNT, "rate"}


def from_pynapple(
    obj: Readable,
    *,
    units: str | None = None,
    bin_width: float | None = None,
    covariates: Mapping[str, nap.Tsd | nap.TsdFrame] | None = None,
    node_kind: str = "neuron",
) -> xr.Dataset:
    """A recording from pynapple objects.

    Parameters
    ----------
    obj : TsdFrame, TsGroup or mapping of Tsd
        Traces as columns, or as one ``Tsd`` a node on a common clock, become ``activity``. Spike times become
        ``spike_count``.
    units : str or None
        Unit of the activity, e.g. ``"dF/F"``; required for traces.
    bin_width : float or None
        Seconds; required for spike times. They are counted by pynapple, within the time support.
    covariates : mapping or None
        Behaviour and stimulus. On the clock of the recording they are taken as they are, else by the nearest sample
        (pynapple's ``value_from``).
    node_kind : str
        What a node is.

    Returns
    -------
    Dataset
        A recording. Metadata become coordinates of ``node``. Where the time support has several intervals,
        ``epoch (time)`` numbers them from 0, or carries their metadata ``label``; nothing lies between them. pynapple
        keeps times to the nanosecond.

    Raises
    ------
    InputError
        If `obj` is something else, an argument is missing, or traces have different clocks.
    SchemaError
        If the result is no valid recording.

    See Also
    --------
    to_pynapple : The way back.

    Examples
    --------
    >>> import pynapple as nap
    >>> spikes = nap.TsGroup({0: nap.Ts([0.1, 0.2, 1.7]), 1: nap.Ts([0.6, 0.7])}, time_support=nap.IntervalSet(0, 2))
    >>> from_pynapple(spikes, bin_width=1.0).spike_count.values.tolist()
    [[2, 2], [1, 0]]
    """
    nap = extras.require("pynapple", extra="nwb")
    if isinstance(obj, nap.TsGroup):
        frame = _counted(obj, bin_width)
        name, unit = SPIKE_COUNT, "count"
    elif isinstance(obj, nap.TsdFrame) or (
        isinstance(obj, Mapping) and all(isinstance(v, nap.Tsd) for v in obj.values())
    ):
        if units is None:
            raise InputError('units of the activity are unknown; pass units="dF/F", or "1" if it has none')
        frame = obj if isinstance(obj, nap.TsdFrame) else _stacked(obj)
        name, unit = ACTIVITY, units
    else:
        raise InputError(f"expected a TsdFrame, a TsGroup or a mapping of Tsd, got {type(obj).__name__}")
    label, _ = nodes.resolve(list(frame.columns), prefix="node")
    coords = {TIME: (TIME, np.asarray(frame.t), {"units": "s"}), NODE: label, **_metadata(obj), **_epochs(frame)}
    signal = {name: ((TIME, NODE), np.asarray(frame.d), {"units": unit})}
    behaviour = {key: _covariate(key, value, frame) for key, value in (covariates or {}).items()}
    dataset = xr.Dataset({**signal, **behaviour}, coords=coords, attrs={"node_kind": node_kind})
    return schema.validate(dataset, "recording")


def _counted(spikes: nap.TsGroup, bin_width: float | None) -> nap.TsdFrame:
    if bin_width is None or not np.isfinite(bin_width) or bin_width <= 0:
        raise InputError(f"spike times need bin_width= in seconds (> 0), got {bin_width}")
    n_bins = int(spikes.time_support.tot_length() / bin_width)
    check_shape((n_bins, len(spikes)), 8, f"binning {len(spikes)} units at {bin_width:g} s")
    return spikes.count(bin_width)


def _stacked(traces: Mapping[str, nap.Tsd]) -> nap.TsdFrame:
    import pynapple as nap

    if not traces:
        raise InputError("expected at least one trace, got an empty mapping")
    first = next(iter(traces.values()))
    if other := [key for key, tsd in traces.items() if not np.array_equal(tsd.t, first.t)]:
        raise InputError(
            f"traces must share one clock, {listed(other)} have another; bring them onto it with value_from"
        )
    values = np.stack([tsd.d for tsd in traces.values()], axis=1)
    return nap.TsdFrame(t=first.t, d=values, columns=list(traces), time_support=first.time_support)


def _metadata(obj: Any) -> dict[str, Any]:
    """Metadata of nodes that are strings, numbers or bool; the mean rate of a TsGroup is left out."""
    table = getattr(obj, "metadata", None)
    if table is None:
        return {}
    found: dict[str, Any] = {}
    for column in table.columns:
        values = table[column].to_numpy()
        if values.dtype.kind not in "biufU" and all(isinstance(v, str) for v in values):
            values = values.astype(np.str_)
        if values.dtype.kind in "biufU" and column not in _RESERVED:
            found[str(column)] = (NODE, values, {"units": "unknown"} if column in ("x", "y", "z") else {})
    return found


def _epochs(frame: nap.TsdFrame) -> dict[str, Any]:
    support = frame.time_support
    if len(support) < 2 and "label" not in support.metadata_columns:
        return {}
    number = np.searchsorted(support.start, frame.t, side="right") - 1
    labels = support.metadata["label"].to_numpy() if "label" in support.metadata_columns else np.arange(len(support))
    labels = labels if labels.dtype.kind in "iu" else labels.astype(np.str_)
    return {"epoch": (TIME, labels[number])}


def _covariate(name: str, tsd: nap.Tsd | nap.TsdFrame, frame: nap.TsdFrame) -> Any:
    if not np.array_equal(tsd.t, frame.t):
        import pynapple as nap

        tsd = nap.Ts(frame.t, time_support=frame.time_support).value_from(tsd)
        if len(tsd) != len(frame):
            raise InputError(f"covariate {name!r} has no samples in part of the recording's time support")
    if np.ndim(tsd.d) == 1:
        return xr.DataArray(np.asarray(tsd.d), dims=TIME, attrs={"units": "unknown"})
    feature = f"{name}_feature"
    labels = {feature: [str(c) for c in tsd.columns]}
    return xr.DataArray(np.asarray(tsd.d), dims=(TIME, feature), coords=labels, attrs={"units": "unknown"})


def to_pynapple(recording: xr.Dataset, variable: str | None = None) -> Pynapple:
    """A variable of a recording as a pynapple object.

    Parameters
    ----------
    recording : Dataset
        A valid recording.
    variable : str or None
        Which variable; None takes the activity or the spike counts, whichever there is.

    Returns
    -------
    TsdFrame
        ``(time, node)``: columns are labels, coordinates of ``node`` are metadata. Or ``(time, feature)``.
    Tsd
        ``(time,)``.

    Raises
    ------
    SchemaError
        If `recording` is not valid.
    InputError
        If `variable` is none of its variables of time, or must be named because there are activity and spike counts.

    Notes
    -----
    Counts stay counts: spike times made up within the bins would be false, so there is no ``TsGroup``. The time support
    covers the samples that are ``valid`` (others are left out, which is what a time support says), split where
    ``epoch`` changes, and ends half a sample beyond them; the labels of the epochs are its metadata ``label``.

    See Also
    --------
    from_pynapple : The way back.

    Examples
    --------
    >>> rec = schema.recording(np.eye(3), time=[0.0, 1.0, 2.0], node=["a", "b", "c"], units="1")
    >>> to_pynapple(rec).columns.tolist()
    ['a', 'b', 'c']
    """
    nap = extras.require("pynapple", extra="nwb")
    schema.validate(recording, "recording")
    if variable is None:
        present = [name for name in (ACTIVITY, SPIKE_COUNT) if name in recording]
        if len(present) > 1:
            raise InputError(f"the recording has {listed(present)}; choose one with variable=")
        variable = present[0]
    possible = [str(n) for n, v in recording.data_vars.items() if v.dims[:1] == (TIME,) and v.ndim <= 2]
    array = recording[nodes.choose(variable, possible, "variable of time")]
    stamps = recording[TIME].to_numpy()
    keep, support = _support(recording, stamps)
    values, stamps = array.to_numpy()[keep], stamps[keep]
    if array.ndim == 1:
        return nap.Tsd(t=stamps, d=values, time_support=support)
    dim = array.dims[1]
    columns = array[dim].to_numpy().tolist() if dim in array.coords else list(range(array.sizes[dim]))
    coords = {str(n): c.to_numpy() for n, c in recording.coords.items() if c.dims == (dim,) and n != dim}
    if clash := sorted(set(coords) & set(columns)):
        raise InputError(f"{listed(clash)} is a label and a coordinate, which pynapple does not allow; rename one")
    return nap.TsdFrame(t=stamps, d=values, columns=columns, time_support=support, metadata=coords)


def _support(recording: xr.Dataset, stamps: NDArray[np.float64]) -> tuple[NDArray[np.bool_], nap.IntervalSet]:
    """Which samples are valid, and the intervals that hold them."""
    import pynapple as nap

    keep = np.ones(stamps.size, dtype=bool)
    if "valid" in recording.coords and recording["valid"].dims == (TIME,):
        keep = recording["valid"].to_numpy().astype(bool)
    if not keep.any():
        raise InputError("no sample of the recording is valid")
    label = np.zeros(stamps.size, dtype=np.int64)
    has_epochs = "epoch" in recording.coords and recording["epoch"].dims == (TIME,)
    if has_epochs:
        label = recording["epoch"].to_numpy()
    change = np.append(True, (keep[1:] != keep[:-1]) | (label[1:] != label[:-1]))
    first = np.flatnonzero(change & keep)
    last = np.flatnonzero(np.append(change[1:], True) & keep)
    half = np.diff(stamps) / 2
    starts, stops = stamps[first] - np.append(half[0], half)[first], stamps[last] + np.append(half, half[-1])[last]
    # Neighbours that touch would be merged by pynapple.
    touching = np.append(starts[1:] <= stops[:-1], False)
    stops[touching] -= np.minimum(1e-6, (stops - stamps[last])[touching] / 2)
    metadata = {"label": label[first]} if has_epochs else None
    return keep, nap.IntervalSet(start=starts, end=stops, metadata=metadata)
