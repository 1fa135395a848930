"""Recordings as Neurodata Without Borders files that `read_nwb` reads back identically.

NWB has a place for most of a recording; what it has no field for (dims of a covariate, attributes) goes as JSON into
the comment of the series, or the notes of the file, after the word ``dynome:``.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from dynome import extras, schema
from dynome._version import __version__
from dynome.datasets.formats.files import PathLike, writing
from dynome.datasets.formats.json_values import plain, plain_attrs
from dynome.datasets.formats.nwb_signals import LABEL, module_of, note_of, write_signals
from dynome.errors import InputError, Problems
from dynome.schema import ACTIVITY, NODE, SPIKE_COUNT, TIME

_UNKNOWN_START = datetime(1970, 1, 1, tzinfo=UTC)
_SUBJECT = ("subject_id", "species", "strain", "genotype", "sex", "age")
_TEXTS = ("session_id", "experiment_description", "lab", "institution", "protocol", "pharmacology", "surgery", "virus")


def write_nwb(recording: xr.Dataset, path: PathLike, *, overwrite: bool = False) -> Path:
    """Write a recording as an NWB file.

    Parameters
    ----------
    recording : Dataset
        A valid recording. ``attrs["session_start_time"]`` (ISO 8601), ``attrs["subject_id"]``, ``"species"``, ... fill
        the fields of the format; without a start time the file says 1970-01-01, for NWB demands one.
    path : path
        Ends in ``.nwb``.
    overwrite : bool
        Replace an existing file.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    SchemaError
        If the recording is not valid.
    InputError
        If it holds a variable that NWB cannot hold; nothing is written then.
    StoreError
        If the file exists.

    Notes
    -----
    Where things go: activity of neurons is an ROI response series (in ``DfOverF`` when its unit is dF/F) on a plane
    segmentation with the labels and coordinates of the nodes; NWB demands a mask of each ROI, and an empty one says
    that none is known. Voltages of electrodes are an electrical series on the electrodes table. Any other activity
    (parcels, say) is a plain series beside a table ``nodes``. Spike counts are a plain series ``spike_count`` whose
    columns are the rows of the units table: core NWB knows spike times only, and times made up from counts would be
    false. Covariates and coordinates of time lie in ``processing/behavior``; trials, epochs and invalid times also as
    tables of intervals for other tools.

    See Also
    --------
    read_nwb : The way back, with an example.
    """
    extras.require("pynwb", extra="nwb")
    schema.validate(recording, "recording")
    _check(recording)
    if Path(path).suffix != ".nwb":
        raise InputError(f"an NWB file must be called *.nwb, got {Path(path).name!r}")
    from pynwb import NWBHDF5IO

    with writing(path, overwrite=overwrite) as partial:
        nwbfile = _file(recording)
        try:
            clock = write_signals(nwbfile, recording)
            _write_covariates(nwbfile, recording, clock)
            _write_intervals(nwbfile, recording)
            with NWBHDF5IO(str(partial), mode="w") as io:
                io.write(nwbfile)
        except (TypeError, ValueError) as error:
            raise InputError(f"pynwb cannot write this recording ({error}); drop or convert what it names") from error
    return Path(path)


def _check(recording: xr.Dataset) -> None:
    problems = Problems("this recording does not fit into NWB; drop these, or save it with dynome.store.save")
    signals = (ACTIVITY, SPIKE_COUNT)
    for name, variable in recording.variables.items():
        covariate = variable.dims[:1] == (TIME,) and NODE not in variable.dims
        if not (
            name in signals or covariate or variable.dims == (NODE,) or variable.ndim == 0 or name in recording.dims
        ):
            problems.add(f"{name} with dims {tuple(map(str, variable.dims))}; expected (time, ...) or (node,)")
        elif variable.dims == (NODE,) and name not in recording.coords:
            problems.add(f"variable {name} (node); make it a coordinate with .set_coords({str(name)!r})")
        elif variable.dtype.kind not in "biufUTO":
            problems.add(f"{name} of dtype {variable.dtype}; expected numbers, bool or strings")
        elif set("/:") & set(str(name)):
            problems.add(f"{name!r}; names must not contain / or :")
    if LABEL in recording.coords:
        problems.add(f"coordinate {LABEL}, which is what the labels are called there; rename it")
    problems.raise_if_any(InputError)


def _file(recording: xr.Dataset) -> Any:
    from pynwb import NWBFile
    from pynwb.file import Subject

    attrs = recording.attrs
    scalars = {str(n): plain(c.item()) for n, c in recording.coords.items() if c.ndim == 0}
    texts = {name: str(attrs[name]) for name in _TEXTS if isinstance(attrs.get(name), str)}
    subject = {name: attrs[name] for name in _SUBJECT if isinstance(attrs.get(name), str)}
    return NWBFile(
        session_description=str(attrs.get("session_description", "recording written by dynome")),
        identifier=str(attrs.get("identifier", uuid.uuid4())),
        session_start_time=_start(attrs.get("session_start_time")),
        notes=note_of(attrs=plain_attrs(attrs), scalars=scalars),
        was_generated_by=[["dynome", __version__]],
        subject=Subject(**subject) if subject else None,
        **texts,
    )


def _start(said: Any) -> datetime:
    if said is None:
        return _UNKNOWN_START
    try:
        start = datetime.fromisoformat(str(said))
    except ValueError:
        raise InputError(
            f'attrs["session_start_time"] must be ISO 8601, e.g. 2024-05-01T09:30:00+00:00, got {said!r}'
        ) from None
    return start if start.tzinfo else start.replace(tzinfo=UTC)


def _write_covariates(nwbfile: Any, recording: xr.Dataset, clock: Any) -> None:
    from pynwb import TimeSeries

    for name, variable in recording.variables.items():
        if name in (ACTIVITY, SPIKE_COUNT, TIME) or variable.dims[:1] != (TIME,):
            continue
        coords = {str(d): plain(recording[d].to_numpy()) for d in variable.dims[1:] if d in recording.coords}
        said = {"attrs": plain_attrs(variable.attrs), "dims": list(variable.dims), "coords": coords}
        values = np.asarray(variable.to_numpy())
        series = TimeSeries(
            name=str(name),
            data=values.astype(object) if values.dtype.kind in "UT" else values,
            unit=str(variable.attrs.get("units", "n.a.")),
            timestamps=clock,
            description=str(variable.attrs.get("long_name", "no description")),
            comments=note_of(role="coord" if name in recording.coords else "variable", **said),
        )
        module_of(nwbfile, "behavior", "behaviour, stimulus and the course of the session").add(series)


def _write_intervals(nwbfile: Any, recording: xr.Dataset) -> None:
    """Trials, epochs and invalid times as tables for other tools."""
    stamps = recording[TIME].to_numpy()
    ends = np.append(stamps[1:], stamps[-1] + np.median(np.diff(stamps)))
    for name, add_column, add in (
        ("trial", nwbfile.add_trial_column, nwbfile.add_trial),
        ("epoch", nwbfile.add_epoch_column, nwbfile.add_epoch),
    ):
        if name in recording.coords and recording[name].dims == (TIME,):
            values = recording[name].to_numpy()
            add_column(name=name, description=f"label of the {name}")
            for first, last in _runs(values):
                if values[first] not in ("", -1) and values[first] == values[first]:
                    add(start_time=stamps[first], stop_time=ends[last], **{name: values[first]})
    if "valid" in recording.coords and recording["valid"].dims == (TIME,):
        valid = recording["valid"].to_numpy().astype(bool)
        for first, last in _runs(valid):
            if not valid[first]:
                nwbfile.add_invalid_time_interval(start_time=stamps[first], stop_time=ends[last])


def _runs(values: Any) -> list[tuple[int, int]]:
    """First and last position of each stretch of equal values."""
    first = np.flatnonzero(np.append(True, values[1:] != values[:-1]))
    return list(zip(first.tolist(), [*(first[1:] - 1).tolist(), len(values) - 1], strict=True))
