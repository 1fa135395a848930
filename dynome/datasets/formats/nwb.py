"""Neurodata Without Borders files as recordings.

The parts lie beside: `nwb_series` (which series, its clock, its values), `nwb_tables` (labels and intervals),
`nwb_spikes` (spike times), `nwb_behaviour` (covariates), `nwb_writing` (the way back).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from dynome import extras, schema
from dynome.datasets.formats import nodes, nwb_behaviour, nwb_series, nwb_spikes, nwb_tables, nwb_trust
from dynome.datasets.formats.files import PathLike, reading
from dynome.datasets.formats.nodes import Repeated
from dynome.datasets.formats.nwb_series import Period
from dynome.errors import InputError

_FIELDS = (
    "identifier", "session_description", "session_id", "experiment_description", "experimenter", "lab", "institution",
    "keywords", "related_publications", "protocol", "pharmacology", "surgery", "virus", "notes",
)  # fmt: skip
_SUBJECT = ("subject_id", "species", "strain", "genotype", "sex", "age", "description")


def read_nwb(
    path: PathLike,
    *,
    series: str | None = None,
    label_column: str | None = None,
    bin_width: float | None = None,
    period: Period = None,
    repeated: Repeated = "raise",
    behaviour: bool = True,
) -> xr.Dataset:
    """Read one recording from an NWB file.

    Parameters
    ----------
    path : path
        An NWB 2 file in HDF5.
    series : str or None
        Which series is the activity, by its path or the last parts of it, e.g. ``"DfOverF"``,
        ``"processing/ecephys/LFP/ElectricalSeries"``, or ``"units"`` for the spike times. None takes the only one;
        where there are several, the error lists them.
    label_column : str or None
        Column of the ROI, electrode or units table that holds the labels of the nodes, e.g. ``"ID_labels"``. None tries
        the usual names. Nodes without a label are numbered and get ``labelled`` False: they never join animals.
    bin_width : float or None
        Width in seconds of the bins in which spike times are counted; giving it chooses the units table.
    period : (start, stop) or None
        Read only start <= t < stop, in seconds: raw voltages rarely fit in memory whole.
    repeated : {"raise", "unlabel"}
        Labels that occur twice are an error, or these nodes lose their label.
    behaviour : bool
        Also read behaviour and stimulus.

    Returns
    -------
    Dataset
        A recording: ``activity`` after the conversion of the file, in its unit, or ``spike_count``; ``time`` as the
        stamps of the file (an irregular clock stays irregular; spikes at the centres of their bins); on ``node`` the
        columns of its table (``region``, ``x``, ``y``, ``z``, ...); on ``time`` ``trial``, ``trial_*``, ``epoch``,
        ``valid``; behaviour on the same clock (see `dynome.datasets.formats.nwb_behaviour.onto_clock`). NaN stays;
        nodes that are NaN at all times are left out and named in ``attrs["left_out"]``.

    Raises
    ------
    StoreError
        If the file is missing.
    FormatError
        If it is damaged, holds nothing to read or several candidates, or the series and its table disagree.
    InputError
        If an argument does not fit the file.

    See Also
    --------
    write_nwb : The way back.

    Examples
    --------
    >>> import tempfile, dynome as dy
    >>> rec = dy.schema.recording(np.ones((3, 1)), time=[0.0, 0.5, 1.0], node=["AVAL"], units="dF/F")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = dy.datasets.write_nwb(rec, f"{folder}/worm.nwb")
    ...     dy.datasets.read_nwb(path).identical(rec)
    True
    """
    pynwb = extras.require("pynwb", extra="nwb")
    with reading(path, "an NWB file") as found:
        nwb_trust.check_hdf5(found)
        with pynwb.NWBHDF5IO(str(found), mode="r", load_namespaces=True) as io:
            nwbfile = io.read()
            every = nwb_series.catalogue(nwbfile, io.manager)
            possible = nwb_series.candidates(every, nwbfile)
            wanted = nwb_series.SPIKES if bin_width is not None and series is None else series
            names = nwb_series.pick(possible, wanted)
            if bin_width is not None and names != [nwb_series.SPIKES]:
                raise InputError(f'bin_width is for spike times (series="units"), but the series is {names[0]!r}')
            chosen = {n: possible[n] for n in names}
            options = {"label_column": label_column, "repeated": repeated}
            recording = _recording(nwbfile, chosen, bin_width, period, options)
            stamps = recording[schema.TIME].to_numpy()
            recording = recording.assign_coords(nwb_tables.of_time(nwbfile, stamps))
            if behaviour:
                found_too = nwb_behaviour.covariates(every, stamps)
                coords = [name for name, variable in found_too.items() if variable.attrs.pop("role", "") == "coord"]
                recording = recording.assign(found_too).set_coords(coords)
            recording = _with_attrs(recording, nwbfile, names)
        return schema.validate(nodes.without_silent(recording), "recording")


def _recording(
    nwbfile: Any, chosen: dict[str, Any], bin_width: float | None, period: Period, options: dict[str, Any]
) -> xr.Dataset:
    """Activity and spike counts with the coordinates of their nodes."""
    dataset = xr.Dataset()
    for name, obj in chosen.items():
        if name == nwb_series.SPIKES:
            stamps, values = nwb_spikes.count(obj, bin_width=bin_width, period=period)
            table, rows, prefix, attrs = obj, np.arange(values.shape[1]), "unit", {"units": "count"}
        else:
            table, rows, prefix = _table(nwbfile, obj)
            stamps, values = nwb_series.read(obj, name, None if table is None else rows.size, period)
            attrs = nwb_series.note(obj).get("attrs", {"units": nwb_series.unit(obj)})
        said = nwb_series.note(obj) if name != nwb_series.SPIKES else {"variable": schema.SPIKE_COUNT}
        coords = _coords(table, rows, prefix, options, obj, values)
        values = values.reshape(len(values), -1)
        coords[schema.TIME] = xr.DataArray(stamps, dims=schema.TIME, attrs={"units": "s"})
        variable = xr.DataArray(values, dims=(schema.TIME, schema.NODE), coords=coords, attrs=attrs)
        dataset[said.get("variable", schema.ACTIVITY)] = variable
    dataset.attrs["node_kind"] = "electrode" if prefix == "electrode" else "neuron"
    return dataset


def _table(nwbfile: Any, series: Any) -> tuple[Any, Any, str]:
    """The table that describes the columns of a series, which rows they are, and a word for them."""
    if hasattr(series, "rois"):
        return series.rois.table, nwb_tables.rows_of(series.rois), "roi"
    if hasattr(series, "electrodes"):
        return series.electrodes.table, nwb_tables.rows_of(series.electrodes), "electrode"
    where = nwb_series.note(series).get("table")
    table = nwbfile.units if where == nwb_series.SPIKES else series.parent[where] if where else None
    return table, np.arange(0 if table is None else len(table.id)), "node"


def _coords(
    table: Any, rows: Any, prefix: str, options: dict[str, Any], series: Any, values: Any
) -> dict[str, xr.DataArray]:
    if table is not None:
        position_units = "um" if prefix == "electrode" else "unknown"
        coords = nwb_tables.of_nodes(table, rows, prefix=prefix, position_units=position_units, **options)
        if (written := nwb_series.note(series).get("coords")) is not None:
            known = {name.removesuffix("_") if name not in written else name: coord for name, coord in coords.items()}
            return {name: known[name] for name in (schema.NODE, *written)}
        plane = getattr(getattr(table, "imaging_plane", None), "location", None)
        if "region" not in coords and plane not in (None, "", "unknown"):
            coords["region"] = xr.DataArray(np.full(rows.size, str(plane)), dims=schema.NODE)
        return coords
    if options["label_column"] is not None:
        raise InputError(
            f"series {series.name!r} has no table of nodes, so there is no column {options['label_column']!r}"
        )
    if values.ndim == 1:
        return {schema.NODE: xr.DataArray([series.name], dims=schema.NODE)}
    label, labelled = nodes.resolve([""] * values.shape[1], prefix=series.name, repeated="raise")
    return {schema.NODE: xr.DataArray(label, dims=schema.NODE), "labelled": xr.DataArray(labelled, dims=schema.NODE)}


def _with_attrs(recording: xr.Dataset, nwbfile: Any, names: list[str]) -> xr.Dataset:
    """What the file says of the session: exactly what dynome wrote, or the fields of the format."""
    written = nwb_series.noted(nwbfile.notes)
    if written:
        scalars = {name: xr.Variable((), value) for name, value in written["scalars"].items()}
        return recording.drop_attrs(deep=False).assign_coords(scalars).assign_attrs(written["attrs"])
    attrs: dict[str, Any] = {
        "nwb_series": ", ".join(names),
        "session_start_time": nwbfile.session_start_time.isoformat(),
    }
    said = [(name, getattr(nwbfile, name)) for name in _FIELDS]
    if nwbfile.subject is not None:
        said += [(f"subject_{name.removeprefix('subject_')}", getattr(nwbfile.subject, name)) for name in _SUBJECT]
    for name, value in said:
        if isinstance(value, str):
            attrs[name] = value
        elif value is not None and len(value):
            attrs[name] = [str(v) for v in value]
    return recording.assign_attrs(attrs)
