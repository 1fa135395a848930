"""Plain tables of traces: text and numpy files with one row a sample, or one row a node.

The first line and the first column are told apart by what they hold: labels, a clock, an index, or already numbers.
Which axis is time is never guessed from the shape: there are recordings with more regions than samples.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from dynome import labels, schema
from dynome import units as units_of_time
from dynome.datasets.formats import arrays, columnar, nodes, tables
from dynome.datasets.formats.edge_lists import write_columns
from dynome.datasets.formats.files import PathLike, reading, suffix
from dynome.errors import FormatError, InputError, listed
from dynome.schema import NODE, TIME

Orientation = Literal["time_node", "node_time"]

SUFFIXES = (*tables.TEXT_SUFFIXES, *arrays.SUFFIXES, ".parquet")
_CLOCK = re.compile(
    r"(?:time|t|timestamps?)(?:[ _]*[\[(_ ]?(s|sec|secs|seconds|ms|us|min)[\])]?)?|(seconds)", re.IGNORECASE
)
_DECIMAL_COMMA = re.compile(r"[-+]?\d+,\d+")
_LABELS = (NODE, "nodes", "label", "labels", "name", "names", "region", "regions")


class Traces(NamedTuple):
    """What a file holds, before it is known which axis is time.

    Attributes
    ----------
    values : (row, column)
        Numbers.
    rows, columns : list of str or None
        Labels of the rows and of the columns.
    clock : (row,) or None
        Stamps of the rows in seconds.
    """

    values: NDArray[Any]
    rows: list[str] | None = None
    columns: list[str] | None = None
    clock: NDArray[np.float64] | None = None


def read_timeseries(
    path: PathLike,
    *,
    rate: float | None = None,
    node: ArrayLike | None = None,
    orientation: Orientation | None = None,
    units: str = "unknown",
    time: str | None = None,
    array: str | None = None,
    sep: str | None = None,
    node_kind: str = "neuron",
) -> xr.Dataset:
    r"""Read a recording from a table of traces.

    Parameters
    ----------
    path : path
        ``.csv``, ``.tsv``, ``.txt``, ``.1D`` (each also ``.gz``), ``.parquet``, ``.npy`` or ``.npz``.
    rate : float or None
        Samples per second; required unless the file holds the time of each sample.
    node : (node,) or None
        Labels, for a file that has none. Without them nodes are numbered ``node_00``, ... with ``labelled`` False.
    orientation : {"time_node", "node_time"} or None
        Whether rows are samples or nodes. None takes it from the labels in the file (a first line of labels: rows are
        samples; a first column of labels: rows are nodes) or from the length of `node`; where these say nothing, it is
        required.
    units : str
        Unit of the values, e.g. ``"dF/F"``.
    time : str or None
        Column with the time of each sample in seconds. None finds a first column called ``time``, ``t``,
        ``time (ms)``, ``timestamp``, ``seconds``, ... An index of row numbers is left out.
    array : str or None
        Which array of an ``.npz``; None takes the only two-dimensional one.
    sep : str or None
        Separator of text; None tells it from the first line.
    node_kind : str
        What a node is: ``"neuron"``, ``"parcel"``, ...

    Returns
    -------
    Dataset
        A recording. Empty cells, ``NaN`` and ``n/a`` are NaN; nodes that are NaN at all times are left out and named in
        ``attrs["left_out"]``.

    Raises
    ------
    StoreError
        If the file is missing.
    FormatError
        If it cannot be read.
    InputError
        If the rate or the orientation is not known, or an argument does not fit the file.
    SchemaError
        If the result is no valid recording.

    See Also
    --------
    read_timeseries_folder, read_bids : Many files at once.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile("w", suffix=".csv") as file:
    ...     _ = file.write("AVAL,AVAR\n0.1,0.2\n0.3,\n0.5,0.6\n")
    ...     file.flush()
    ...     rec = read_timeseries(file.name, rate=2.0, units="dF/F")
    >>> rec.time.values.tolist(), rec.activity.sel(node="AVAR").values.tolist()
    ([0.0, 0.5, 1.0], [0.2, nan, 0.6])
    """
    if orientation not in (None, *get_args(Orientation)):
        raise InputError(f'orientation must be "time_node" or "node_time", got {orientation!r}')
    with reading(path, "a table of traces") as found:
        traces = _traces(found, array, sep, time)
        if traces.values.dtype.kind not in "iuf":
            raise FormatError(f"expected numbers, found values of type {traces.values.dtype}")
        given = None if node is None else labels.as_labels(node)
        rows_are_time = _rows_are_time(traces, orientation, given)
        values = traces.values if rows_are_time else traces.values.T
        stamps = _stamps(traces, rows_are_time, rate, len(values))
        names = traces.columns if rows_are_time else traces.rows
        return recording_of(values, stamps, names if given is None else given, units=units, node_kind=node_kind)


def _traces(path: Path, array: str | None, sep: str | None, time: str | None) -> Traces:
    if suffix(path) in arrays.SUFFIXES:
        return _from_numpy(path, array)
    return _from_parquet(path, time) if suffix(path) == ".parquet" else _from_text(path, sep, time)


def recording_of(
    values: NDArray[Any], stamps: NDArray[np.float64], names: Any, *, units: str, node_kind: str
) -> xr.Dataset:
    """A valid recording from samples by rows; without names the nodes are numbered and not labelled."""
    given = [""] * values.shape[1] if names is None else names
    if len(given) != values.shape[1]:
        raise InputError(f"expected {values.shape[1]} labels, as there are nodes, got {len(given)}")
    label, labelled = nodes.resolve(given, prefix="node")
    recording = nodes.without_silent(
        xr.Dataset(
            {schema.ACTIVITY: ((TIME, NODE), values, {"units": units})},
            coords={TIME: (TIME, stamps, {"units": "s"}), NODE: label},
            attrs={"node_kind": node_kind},
        ).assign_coords({} if labelled.all() else {"labelled": (NODE, labelled)})
    )
    return schema.validate(recording, "recording")


def _rows_are_time(traces: Traces, orientation: Orientation | None, given: NDArray[np.str_] | None) -> bool:
    shape = traces.values.shape
    said = {"time_node": True, "node_time": False, None: None}[orientation]
    if traces.clock is not None or (traces.columns is not None and traces.rows is None):
        told: bool | None = True
    elif traces.rows is not None and (traces.columns is None or all(map(tables.is_number, traces.columns))):
        told = False
    elif given is not None and shape.count(given.size) == 1:
        told = shape[1] == given.size
    else:
        told = True if shape[1] == 1 and traces.rows is None else None
    if told is None and said is None:
        raise InputError(
            f"cannot tell whether the {shape[0]} rows or the {shape[1]} columns are samples; pass orientation="
            '"time_node" (rows are samples) or "node_time" (rows are nodes), or node= with the labels'
        )
    if told is not None and said is not None and told != said and (traces.rows is None or traces.columns is None):
        what = "samples" if told else "nodes"
        raise InputError(f"orientation={orientation!r}, but the labels or the clock say that rows are {what}")
    if given is not None and (traces.columns if (said if said is not None else told) else traces.rows) is not None:
        raise InputError("the file brings its own labels; leave node out")
    return bool(told if said is None else said)


def _stamps(traces: Traces, rows_are_time: bool, rate: float | None, n_time: int) -> NDArray[np.float64]:
    clock = traces.clock
    if clock is None and not rows_are_time and traces.columns is not None and rate is None:
        clock = _increasing(traces.columns)
    if clock is not None and rate is not None:
        raise InputError(f"the file holds the time of each sample, so rate={rate:g} is one too many; leave it out")
    if clock is not None:
        return clock
    if rate is None:
        raise InputError("the file does not say when its samples were taken; pass rate= in samples per second")
    if not np.isfinite(rate) or rate <= 0:
        raise InputError(f"rate must be a positive number of samples per second, got {rate}")
    return np.arange(n_time) / float(rate)


def _increasing(cells: list[str]) -> NDArray[np.float64] | None:
    """Cells as stamps, where they are increasing numbers."""
    if not all(map(tables.is_number, cells)):
        return None
    stamps = np.array(cells, dtype=np.float64)
    return stamps if (np.diff(stamps) > 0).all() else None


def _from_numpy(path: Path, array: str | None) -> Traces:
    held = arrays.read_arrays(path)
    names = next((held.pop(name).tolist() for name in _LABELS if name in held), None)
    clock = held.pop(TIME).astype(np.float64) if TIME in held and array != TIME else None
    flat = {name: v for name, v in held.items() if v.ndim == 2} or {n: v for n, v in held.items() if v.ndim == 1}
    if array is None and len(flat) != 1:
        found = listed([f"{name} {v.shape}" for name, v in held.items()], 20) or "no array"
        raise FormatError(f"expected one array (time, node), found {found}; choose one with array=")
    values = held[nodes.choose(array, list(held), "array")] if array is not None else next(iter(flat.values()))
    if values.ndim not in (1, 2):
        raise FormatError(f"expected an array of two dimensions, found shape {values.shape}; take one session of it")
    values = values[:, None] if values.ndim == 1 else values
    if clock is not None and clock.shape != values.shape[:1]:
        raise FormatError(f"time has shape {clock.shape}, the traces {values.shape}; expected one stamp a row")
    if names is None or values.shape.count(len(names)) != 1:
        return Traces(values, None, None if names is None or clock is None else list(map(str, names)), clock)
    on_rows = values.shape[0] == len(names)
    return Traces(values, list(map(str, names)) if on_rows else None, None if on_rows else list(map(str, names)), clock)


def _from_text(path: Path, sep: str | None, time: str | None) -> Traces:
    layout = tables.sniff(path, sep)
    numeric = [tables.is_number(cell) or cell in tables.MISSING for cell in layout.first]
    first_is_text = bool(layout.second) and not (
        tables.is_number(layout.second[0]) or layout.second[0] in tables.MISSING
    )
    counted = layout.first == [str(k) for k in range(len(layout.first))] and len(layout.first) > 2
    header = counted or not all(numeric) or layout.first[0] == ""
    if header and len(numeric) > 1 and all(numeric[1:]) and first_is_text and layout.first[0] != "":
        header = False  # rows begin with a label, the first one too
    frame = tables.read(path, layout, text=[0] if first_is_text else [], header=header)
    names = dict(enumerate(layout.first)) if header else {}
    rows = None
    if -1 in frame or first_is_text:
        rows = [str(cell) for cell in frame.pop(-1 if -1 in frame else 0)]  # type: ignore[arg-type]
        if all(_DECIMAL_COMMA.fullmatch(cell) for cell in rows):
            raise FormatError(
                f"{path} begins its rows with numbers such as {rows[0]!r}; decimals need a point, not a comma"
            )
    clock = _clock(frame, names, time, path)
    values = tables.numbers(frame, names).to_numpy()
    columns = [names[int(k)] for k in frame.columns] if header else None
    if columns == [str(k) for k in range(len(frame.columns))]:
        columns = None  # pandas numbers columns that have no names
    return Traces(values, rows, columns, clock)


def _from_parquet(path: Path, time: str | None) -> Traces:
    header = [name for name in columnar.names(path)[0] if name != columnar.INDEX]
    textual = [name for name in header if columnar.is_text(path, name)]
    if textual not in ([], header[:1]):
        raise FormatError(f"expected columns of numbers, found text in {listed(textual)}")
    held = columnar.read(path, header, text=textual)
    frame = pd.DataFrame({k: held[name].to_numpy() for k, name in enumerate(header)})
    rows = [str(cell) for cell in frame.pop(0)] if textual else None  # type: ignore[arg-type]
    names = dict(enumerate(header))
    clock = _clock(frame, names, time, path)
    return Traces(tables.numbers(frame, names).to_numpy(), rows, [names[int(k)] for k in frame.columns], clock)


def _clock(frame: pd.DataFrame, names: dict[int, str], time: str | None, path: Path) -> NDArray[np.float64] | None:
    """Take the clock, or an index of row numbers, out of the columns."""
    if time is not None:
        place = next((k for k, name in names.items() if name == nodes.choose(time, list(names.values()), "column")), 0)
        factor = 1.0
    elif 0 not in names or 0 not in frame:
        return None
    elif names[0] == "":
        place, factor = 0, 1.0
        column = tables.numbers(frame[[0]], names)[0].to_numpy()
        if np.array_equal(column, np.arange(column.size)):
            frame.pop(0)  # type: ignore[arg-type]
            return None
    elif match := _CLOCK.fullmatch(names[0].strip()):
        place, factor = 0, units_of_time.seconds_per((match[1] or "s").lower())
    else:
        return None
    column = tables.numbers(frame[[place]], names)[place].to_numpy(dtype=np.float64)
    frame.pop(place)  # type: ignore[arg-type]
    if np.isnan(column).any():
        raise FormatError(
            f"{path}: {int(np.isnan(column).sum())} samples have no time; fill them in or leave the rows out"
        )
    return column * factor


def write_timeseries(
    recording: xr.Dataset, path: PathLike, variable: str = schema.ACTIVITY, *, overwrite: bool = False
) -> Path:
    """Write one variable of a recording as a table: ``time`` in seconds, then one column a node.

    Parameters
    ----------
    recording : Dataset
        A valid recording.
    path : path
        ``.csv``, ``.tsv`` (each also ``.gz``) or ``.parquet``.
    variable : str
        A variable (time, node).
    overwrite : bool
        Replace an existing file.

    Returns
    -------
    Path
        The file. Coordinates, covariates and units are not in it.

    Raises
    ------
    SchemaError
        If `recording` is not valid.
    InputError
        If there is no such variable, a node is called ``time``, or the suffix is another one.
    StoreError
        If the file exists.

    See Also
    --------
    read_timeseries : The way back.
    """
    schema.validate(recording, "recording")
    possible = [str(n) for n, v in recording.data_vars.items() if v.dims == (TIME, NODE)]
    values = recording[nodes.choose(variable, possible, "variable of time and node")].to_numpy()
    names = recording[NODE].to_numpy().tolist()
    if TIME in names:
        raise InputError("a node is called 'time', as the column of stamps is; rename it")
    columns = {TIME: recording[TIME].to_numpy()} | {name: values[:, k] for k, name in enumerate(names)}
    return write_columns(columns, path, {}, overwrite=overwrite)
