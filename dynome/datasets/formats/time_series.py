"""Recordings from plain tables of traces: one row a sample, or one row a node.

Which axis is time is never guessed from the shape: there are recordings with more regions than samples.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from dynome import labels, schema
from dynome.datasets.formats import nodes, roles, tables, traces
from dynome.datasets.formats.edge_lists import write_columns
from dynome.datasets.formats.files import PathLike, reading
from dynome.datasets.formats.roles import Units
from dynome.datasets.formats.traces import Traces
from dynome.errors import FormatError, InputError, listed
from dynome.schema import NODE, TIME
from dynome.units import seconds_per

Orientation = Literal["time_node", "node_time"]
_TAKEN = {TIME, NODE, schema.ACTIVITY, schema.SPIKE_COUNT, "labelled"}


def read_timeseries(
    path: PathLike,
    *,
    rate: float | None = None,
    node: ArrayLike | None = None,
    orientation: Orientation | None = None,
    units: str = "unknown",
    time: str | None = None,
    time_units: str | None = None,
    covariates: Units = (),
    drop: Sequence[str] = (),
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
        Column with the time of each sample. None finds the column called ``time``, ``t``, ``time (ms)``, ``timestamp``,
        ``seconds``, ..., or a first column without a name that holds no row numbers.
    time_units : str or None
        Unit of that column, e.g. ``"ms"``, where its name does not say it; None is seconds.
    covariates : mapping of str to str, or list of str
        Columns beside the traces, e.g. ``{"speed": "mm/s"}``; in a list their units are ``"unknown"``.
    drop : list of str
        Columns that are left out. Row numbers (without a name, or called ``frame``, ``index``, ``sample``, ...) are
        left out anyhow; every other column is a node.
    array : str or None
        Which array of an ``.npz``; None takes the only two-dimensional one.
    sep : str or None
        Separator of text; None tells it from the first line.
    node_kind : str
        What a node is: ``"neuron"``, ``"parcel"``, ...

    Returns
    -------
    Dataset
        A recording, with ``{covariate} (time,)``. Empty cells, ``NaN`` and ``n/a`` are NaN; nodes that are NaN at all
        times are left out and named in ``attrs["left_out"]``.

    Raises
    ------
    StoreError
        If the file is missing.
    FormatError
        If it cannot be read.
    InputError
        If the rate or the orientation is not known, an argument does not fit the file, or a column may be a clock or
        row numbers.
    UnitsError
        If `time_units` is no unit of time.
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
        held = traces.read(found, array, sep, roles.asked(time, time_units, covariates, drop))
        if held.values.dtype.kind not in "iuf":
            raise FormatError(f"expected numbers, found values of type {held.values.dtype}")
        given = None if node is None else labels.as_labels(node)
        rows_are_time = _rows_are_time(held, orientation, given)
        values = held.values if rows_are_time else held.values.T
        stamps = _stamps(held, rows_are_time, rate, time_units, len(values))
        names = held.columns if rows_are_time else held.rows
        if rows_are_time and names is None and given is None:
            roles.refuse_counting_first(values)
        named = names if given is None else given
        return recording_of(values, stamps, named, units=units, node_kind=node_kind, covariates=held.covariates)


def recording_of(
    values: NDArray[Any],
    stamps: NDArray[np.float64],
    names: Any,
    *,
    units: str,
    node_kind: str,
    covariates: Mapping[str, tuple[NDArray[Any], str]] | None = None,
) -> xr.Dataset:
    """A valid recording from samples by rows; without names the nodes are numbered and not labelled."""
    given = [""] * values.shape[1] if names is None else names
    if len(given) != values.shape[1]:
        raise InputError(f"expected {values.shape[1]} labels, as there are nodes, got {len(given)}")
    if taken := _TAKEN & set(covariates or {}):
        raise InputError(f"{listed(sorted(taken))} cannot be names of covariates; rename the columns in the file")
    beside = {name: (TIME, column, {"units": unit}) for name, (column, unit) in (covariates or {}).items()}
    label, labelled = nodes.resolve(given, prefix="node")
    recording = nodes.without_silent(
        xr.Dataset(
            {schema.ACTIVITY: ((TIME, NODE), values, {"units": units}), **beside},
            coords={TIME: (TIME, stamps, {"units": "s"}), NODE: label},
            attrs={"node_kind": node_kind},
        ).assign_coords({} if labelled.all() else {"labelled": (NODE, labelled)})
    )
    return schema.validate(recording, "recording")


def _rows_are_time(held: Traces, orientation: Orientation | None, given: NDArray[np.str_] | None) -> bool:
    shape = held.values.shape
    said = {"time_node": True, "node_time": False, None: None}[orientation]
    by_columns = held.clock is not None or bool(held.covariates)
    if by_columns or (held.columns is not None and held.rows is None):
        told: bool | None = True
    elif held.rows is not None and (held.columns is None or all(map(tables.is_number, held.columns))):
        told = False
    elif given is not None and shape.count(given.size) == 1:
        told = shape[1] == given.size
    else:
        told = True if shape[1] == 1 and held.rows is None else None
    if told is None and said is None:
        raise InputError(
            f"cannot tell whether the {shape[0]} rows or the {shape[1]} columns are samples; pass orientation="
            '"time_node" (rows are samples) or "node_time" (rows are nodes), or node= with the labels'
        )
    if (
        told is not None
        and said is not None
        and told != said
        and (by_columns or held.rows is None or held.columns is None)
    ):
        what = "samples" if told else "nodes"
        raise InputError(f"orientation={orientation!r}, but the labels or the clock say that rows are {what}")
    if given is not None and (held.columns if (said if said is not None else told) else held.rows) is not None:
        raise InputError("the file brings its own labels; leave node out")
    return bool(told if said is None else said)


def _stamps(
    held: Traces, rows_are_time: bool, rate: float | None, unit: str | None, n_time: int
) -> NDArray[np.float64]:
    clock = held.clock
    if clock is None and not rows_are_time and held.columns is not None and rate is None:
        clock = _increasing(held.columns, unit)
    if clock is not None and rate is not None:
        raise InputError(
            f"{held.said} holds the time of each sample, so rate={rate:g} is one too many; leave rate= out, or leave "
            "the column out with drop="
        )
    if clock is not None:
        return clock
    if unit is not None:
        raise InputError(
            f"time_units={unit!r}, but there is no column with the time of each sample; name it with time="
        )
    if rate is None:
        raise InputError("the file does not say when its samples were taken; pass rate= in samples per second")
    if not np.isfinite(rate) or rate <= 0:
        raise InputError(f"rate must be a positive number of samples per second, got {rate}")
    return np.arange(n_time) / float(rate)


def _increasing(cells: list[str], unit: str | None) -> NDArray[np.float64] | None:
    """Cells as stamps, where they are increasing numbers."""
    if not all(map(tables.is_number, cells)):
        return None
    stamps = np.array(cells, dtype=np.float64)
    return stamps * seconds_per(unit or "s") if (np.diff(stamps) > 0).all() else None


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
