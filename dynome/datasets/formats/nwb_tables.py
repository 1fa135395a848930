"""Tables of an NWB file as coordinates: ROIs, electrodes and units on ``node``; trials, epochs and gaps on ``time``."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from dynome.datasets.formats import nodes
from dynome.datasets.formats.nodes import Repeated
from dynome.datasets.formats.nwb_series import array
from dynome.errors import FormatError
from dynome.schema import DIMS, NODE, TIME

LABEL_COLUMNS = (
    "node_label", "label", "labels", "ID_labels", "neuron_ids", "roi_name", "roi_label", "unit_name", "unit_label",
    "channel_name", "electrode_name", "name",
)  # fmt: skip
_REGION_COLUMNS = ("region", "location", "brain_region", "brain_area", "area", "structure")
_RENAMED = {"celltype": "cell_type", "neurotransmitters": "neurotransmitter"}
_RESERVED = frozenset(DIMS) | {"activity", "spike_count"}
_MISSING = {"i": -1, "u": -1, "f": np.nan, "b": np.nan, "U": ""}


def of_nodes(
    table: Any,
    rows: NDArray[np.int64],
    *,
    prefix: str,
    label_column: str | None,
    repeated: Repeated,
    position_units: str,
) -> dict[str, xr.DataArray]:
    """Coordinates of nodes from a table of ROIs, electrodes or units.

    Parameters
    ----------
    table : DynamicTable
        One row a node.
    rows : (node,)
        Which rows, in the order of the nodes.
    prefix : str
        Word for nodes without a label; they are numbered.
    label_column : str or None
        Column that holds the labels; None takes the first of `LABEL_COLUMNS` that there is, else the ids.
    repeated : {"raise", "unlabel"}
        What to do with labels that occur twice.
    position_units : str
        Unit of x, y, z where the column does not say.

    Returns
    -------
    dict of DataArray
        ``node``, ``labelled`` (where not all are), ``region``, ``x``, ``y``, ``z`` and every other plain column.
    """
    columns = {str(name): table[name] for name in table.colnames}
    if label_column is None:
        label_column = next((name for name in LABEL_COLUMNS if name in columns), None)
    elif label_column not in columns:
        nodes.choose(label_column, list(columns), "column")
    if label_column is None:
        given: Any = [f"{prefix}_{k}" for k in array(table.id.data, "the ids of the nodes")[rows]]
    else:
        given = _values(columns.pop(label_column), rows)
        if given is None:
            nodes.choose(f"{label_column} with one value a row", list(columns), "column")
    label, labelled = nodes.resolve(given, prefix=prefix, repeated=repeated)
    if label_column is None:
        labelled[:] = False
    coords = {NODE: xr.DataArray(label, dims=NODE)}
    if not labelled.all() and "labelled" not in columns:
        coords["labelled"] = xr.DataArray(labelled, dims=NODE)
    region = next((name for name in _REGION_COLUMNS if name in columns), None)
    for name, column in columns.items():
        values = _values(column, rows)
        if values is not None:
            target = "region" if name == region else _RENAMED.get(name, name)
            target = f"node_{target}" if target in _RESERVED else target
            coords[target] = xr.DataArray(values, dims=NODE, attrs=_units_of(column, target, position_units))
    return coords


def _units_of(column: Any, name: str, position_units: str) -> dict[str, str]:
    said = re.search(r"units: (\S.*)$", str(column.description))
    if said:
        return {"units": said.group(1)}
    return {"units": position_units} if name in ("x", "y", "z") else {}


def _values(column: Any, rows: NDArray[np.int64]) -> NDArray[Any] | None:
    """One value a row as str, bool or number; None for masks, ragged columns and references."""
    data = column.data
    if type(column).__name__ in ("VectorIndex", "DynamicTableRegion") or len(getattr(data, "shape", (0,))) != 1:
        return None
    return plain(array(data, f"column {column.name}")[rows])


def plain(values: NDArray[Any]) -> NDArray[Any] | None:
    """Values as str, bool or number; None where they are something else."""
    if values.dtype.kind in "biufU":
        return values
    if values.dtype.kind in "OST" and all(isinstance(v, str | bytes) for v in values):
        return np.array([v.decode("utf-8", "replace") if isinstance(v, bytes) else v for v in values], dtype=np.str_)
    return None


def rows_of(region: Any) -> NDArray[np.int64]:
    """The rows of a table that a DynamicTableRegion names."""
    rows = array(region.data, "the region of a table").astype(np.int64)
    if (outside := (rows < 0) | (rows >= len(region.table.id))).any():
        raise FormatError(f"the region of a table names row {rows[outside][0]} of {len(region.table.id)}")
    return rows


def intervals(table: Any) -> pd.DataFrame:
    """A table of intervals with every column that has one value a row; tags are joined with ", ".

    Returns
    -------
    DataFrame
        ``start_time``, ``stop_time`` (s), ``id`` and more, sorted by start.
    """
    every = np.arange(len(table.id))
    frame = pd.DataFrame({"id": array(table.id.data, "the ids of intervals")})
    for name in table.colnames:
        column = table[name]
        if name == "tags":
            frame["tags"] = [", ".join(map(str, column[k])) for k in every]
        elif (values := _values(column, every)) is not None:
            frame[str(name)] = values
    return frame.sort_values("start_time", kind="stable", ignore_index=True)


def on_time(frame: pd.DataFrame, stamps: NDArray[np.float64]) -> NDArray[np.int64]:
    """The row of the interval that each stamp lies in, start <= t < stop; -1 outside.

    Where intervals overlap, the one that starts last counts.
    """
    row = np.full(stamps.size, -1, dtype=np.int64)
    first = np.searchsorted(stamps, frame["start_time"].to_numpy(dtype=np.float64))
    last = np.searchsorted(stamps, frame["stop_time"].to_numpy(dtype=np.float64))
    for k, (start, stop) in enumerate(zip(first, last, strict=True)):
        row[start:stop] = k
    return row


def spread(values: NDArray[Any], row: NDArray[np.int64]) -> NDArray[Any]:
    """A column of intervals, one value a stamp; outside -1, NaN or ""."""
    kind = values.dtype.kind
    if kind in "bu":
        values = values.astype(np.float64 if kind == "b" else np.int64)
    if kind == "O" or kind == "T":
        values = values.astype(np.str_)
    out = values[np.maximum(row, 0)]
    out[row < 0] = _MISSING[values.dtype.kind]
    return out


def of_time(nwbfile: Any, stamps: NDArray[np.float64]) -> dict[str, xr.DataArray]:
    """Coordinates of time: ``trial`` and its columns ``trial_*``, ``epoch``, and ``valid`` where times are excluded.

    ``trial`` is -1 (or "") between trials. A column of the trials becomes a coordinate of its own, NaN or "" between.
    """
    coords: dict[str, xr.DataArray] = {}
    if nwbfile.trials is not None and len(nwbfile.trials.id):
        frame = intervals(nwbfile.trials)
        row = on_time(frame, stamps)
        key = "trial" if "trial" in frame else "id"
        coords["trial"] = xr.DataArray(spread(frame[key].to_numpy(), row), dims=TIME)
        for name in frame.columns.difference(["start_time", "stop_time", "id", "trial", "tags"]):
            column = frame[name].to_numpy()
            column = column.astype(np.float64) if column.dtype.kind in "iu" else column
            coords[f"trial_{name}"] = xr.DataArray(spread(column, row), dims=TIME)
    if nwbfile.epochs is not None and len(nwbfile.epochs.id):
        frame = intervals(nwbfile.epochs)
        key = next(name for name in ("epoch", "tags", "id") if name in frame)
        coords["epoch"] = xr.DataArray(spread(frame[key].to_numpy(), on_time(frame, stamps)), dims=TIME)
    if nwbfile.invalid_times is not None and len(nwbfile.invalid_times.id):
        coords["valid"] = xr.DataArray(on_time(intervals(nwbfile.invalid_times), stamps) < 0, dims=TIME)
    return coords
