"""Activity and spike counts as the objects that NWB has for them, with the labels and coordinates of the nodes."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import xarray as xr

from dynome import units
from dynome.datasets.formats.json_values import plain_attrs
from dynome.datasets.formats.nwb_series import NOTE, SPIKES
from dynome.schema import ACTIVITY, NODE, SPIKE_COUNT, TIME

LABEL = "node_label"
MASKED = "_"  # ends the name of a column that NWB uses for something else
_TAKEN = frozenset(
    ("id", "group", "group_name", "location", "image_mask", "pixel_mask", "voxel_mask", "spike_times", "obs_intervals",
     "electrodes", "electrode_group", "waveform_mean", "waveform_sd", "waveforms")
)  # fmt: skip
_VOLTS = {"V": 1.0, "mV": 1e-3, "uV": 1e-6, "µV": 1e-6, "μV": 1e-6}


def note_of(**content: Any) -> str:
    """A comment that holds what NWB has no field for."""
    return NOTE + json.dumps(content, ensure_ascii=False)


def module_of(nwbfile: Any, name: str, description: str) -> Any:
    """A processing module, made where there is none yet."""
    if name in nwbfile.processing:
        return nwbfile.processing[name]
    return nwbfile.create_processing_module(name, description)


def write_signals(nwbfile: Any, recording: xr.Dataset) -> Any:
    """Write activity and spike counts; returns the series that carries the clock."""
    clock: Any = recording[TIME].to_numpy()
    for name in (ACTIVITY, SPIKE_COUNT):
        if name in recording:
            variable = recording[name]
            kind, unit = recording.attrs.get("node_kind"), str(variable.attrs["units"])
            content = {
                "name": name,
                "data": variable.to_numpy(),
                "timestamps": clock,
                "description": str(variable.attrs.get("long_name", f"{name} of each node")),
            }
            said = {
                "variable": name,
                "attrs": plain_attrs(variable.attrs),
                "coords": [str(n) for n in _node_coords(recording)],
            }
            if name == SPIKE_COUNT:
                clock = _write_counts(nwbfile, recording, content, said)
            elif kind == "neuron":
                clock = _write_responses(nwbfile, recording, content | {"unit": unit}, said)
            elif kind == "electrode" and units.canonical(unit) in _VOLTS:
                content["conversion"] = _VOLTS[units.canonical(unit)]
                clock = _write_voltages(nwbfile, recording, content, said)
            else:
                clock = _write_plain(nwbfile, recording, content | {"unit": unit}, said)
    return clock


def _node_coords(recording: xr.Dataset) -> dict[Any, xr.DataArray]:
    return {n: c for n, c in recording.coords.items() if c.dims == (NODE,) and n != NODE}


def _columns(recording: xr.Dataset) -> list[Any]:
    """The labels and coordinates of the nodes as columns of a table."""
    from hdmf.common import VectorData

    columns = [VectorData(name=LABEL, description="label of each node", data=recording[NODE].to_numpy().astype(object))]
    for name, coord in _node_coords(recording).items():
        unit = f"; units: {coord.attrs['units']}" if "units" in coord.attrs else ""
        values = coord.to_numpy()
        values = values.astype(object) if values.dtype.kind in "UT" else values
        column = f"{name}{MASKED}" if name in _TAKEN else str(name)
        columns.append(VectorData(name=column, description=f"{name} of each node{unit}", data=values))
    return columns


def _write_responses(nwbfile: Any, recording: xr.Dataset, content: dict[str, Any], said: dict[str, Any]) -> Any:
    from hdmf.common import VectorData
    from pynwb.ophys import DfOverF, ImageSegmentation, OpticalChannel, PlaneSegmentation, RoiResponseSeries

    channel = OpticalChannel(name="channel", description="not known", emission_lambda=float("nan"))
    plane = nwbfile.create_imaging_plane(
        name="plane",
        optical_channel=channel,
        description="not known",
        device=nwbfile.create_device(name="microscope"),
        excitation_lambda=float("nan"),
        indicator=str(recording.attrs.get("indicator", "unknown")),
        location="unknown",
    )
    module = module_of(nwbfile, "ophys", "optical activity")
    segmentation = ImageSegmentation()
    module.add(segmentation)
    n = recording.sizes[NODE]
    empty = VectorData(name="image_mask", description="empty: no masks are known", data=np.zeros((n, 1, 1), np.uint8))
    table = PlaneSegmentation(
        name="nodes", description="nodes of the recording", imaging_plane=plane, columns=[empty, *_columns(recording)]
    )
    segmentation.add_plane_segmentation(table)
    rois = table.create_roi_table_region(region=list(range(n)), description="all nodes")
    holder = module
    if units.canonical(content["unit"]).lower() == "df/f":
        holder = DfOverF()
        module.add(holder)
    series = RoiResponseSeries(**content, rois=rois, comments=note_of(**said))
    # The container must belong to the file before the series refers to the table.
    (holder.add_roi_response_series if isinstance(holder, DfOverF) else holder.add)(series)
    return series


def _write_voltages(nwbfile: Any, recording: xr.Dataset, content: dict[str, Any], said: dict[str, Any]) -> Any:
    from pynwb.ecephys import ElectricalSeries

    group = nwbfile.create_electrode_group(
        name="electrodes", description="not known", location="unknown", device=nwbfile.create_device(name="probe")
    )
    region = recording.coords.get("region")
    for k in range(recording.sizes[NODE]):
        nwbfile.add_electrode(
            group=group, location="unknown" if region is None else str(region.to_numpy()[k]) or "unknown"
        )
    for column in _columns(recording):
        nwbfile.add_electrode_column(name=column.name, description=column.description, data=column.data)
    rows = nwbfile.create_electrode_table_region(region=list(range(recording.sizes[NODE])), description="all nodes")
    series = ElectricalSeries(**content, electrodes=rows, comments=note_of(as_stored=1, **said))
    module_of(nwbfile, "ecephys", "electrical activity").add(series)
    return series


def _write_counts(nwbfile: Any, recording: xr.Dataset, content: dict[str, Any], said: dict[str, Any]) -> Any:
    from pynwb import TimeSeries
    from pynwb.misc import Units

    nwbfile.units = Units(name="units", description="nodes of spike_count", columns=_columns(recording))
    series = TimeSeries(**content, unit="count", comments=note_of(table=SPIKES, **said))
    module_of(nwbfile, "ecephys", "electrical activity").add(series)
    return series


def _write_plain(nwbfile: Any, recording: xr.Dataset, content: dict[str, Any], said: dict[str, Any]) -> Any:
    from hdmf.common import DynamicTable
    from pynwb import TimeSeries

    module = module_of(nwbfile, "activity", "activity of nodes")
    module.add(DynamicTable(name="nodes", description="nodes of the recording", columns=_columns(recording)))
    series = TimeSeries(**content, comments=note_of(table="nodes", **said))
    module.add(series)
    return series
