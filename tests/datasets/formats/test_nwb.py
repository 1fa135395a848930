"""Evidence for NWB in and out: identical round trips, and files as laboratories write them with plain pynwb."""

from __future__ import annotations

import warnings
from datetime import UTC, datetime

import hypothesis.strategies as st
import numpy as np
import pytest
import xarray as xr
from hypothesis import HealthCheck, given, settings

from dynome import schema
from dynome.datasets import read_nwb, write_nwb
from dynome.datasets.formats import files
from dynome.datasets.formats.nwb_behaviour import onto_clock
from dynome.errors import DynomeError, FormatError, InputError, StoreError

pynwb = pytest.importorskip("pynwb")
from pynwb import NWBHDF5IO, NWBFile, TimeSeries  # noqa: E402
from pynwb.behavior import BehavioralTimeSeries, Position, SpatialSeries  # noqa: E402
from pynwb.ecephys import LFP, ElectricalSeries  # noqa: E402
from pynwb.ophys import DfOverF, Fluorescence, ImageSegmentation, OpticalChannel, RoiResponseSeries  # noqa: E402

CLOCK = np.array([0.0, 0.5, 1.1, 1.5, 2.0, 3.0])


def full_recording(node_kind: str = "neuron", units: str = "dF/F", seed: int = 0) -> xr.Dataset:
    rng = np.random.default_rng(seed)
    activity = rng.normal(size=(6, 3))
    activity[2, 1] = np.nan
    recording = schema.recording(
        activity,
        time=CLOCK,
        node=["AVAL", "AVAR", "é"],
        units=units,
        spike_count=rng.poisson(1.0, (6, 3)),
        node_kind=node_kind,
        covariates={
            "velocity": ("time", rng.normal(size=6).astype(np.float32), {"units": "mm/s", "long_name": "speed"}),
            "position": (("time", "feature"), rng.normal(size=(6, 2)), {"units": "mm"}),
            "stimulus": ("time", np.array(list("abcabc"))),
            "licking": ("time", np.arange(6) % 2 == 0),
        },
        attrs={"paper": "10.1/x", "k": 3, "weights": [1.5, 2.5], "species": "C. elegans", "subject_id": "w1"},
    )
    return recording.assign_coords(
        trial=("time", np.array([-1, 0, 0, 1, 1, -1])),
        epoch=("time", np.array(["", "a", "a", "b", "b", "b"])),
        valid=("time", np.array([True, True, False, True, True, True])),
        cell_type=("node", ["i", "i", "m"]),
        region=("node", ["head", "head", ""]),
        x=("node", [1.0, 2.0, np.nan], {"units": "um"}),
        labelled=("node", [True, True, False]),
        feature=["x", "y"],
        session=3,
    )


@pytest.mark.parametrize(("node_kind", "units"), [("neuron", "dF/F"), ("electrode", "uV"), ("parcel", "%")])
def test_what_is_written_is_read_back_identically_and_is_valid_nwb(tmp_path, node_kind, units):
    recording = full_recording(node_kind, units)
    path = write_nwb(recording, tmp_path / "r.nwb")
    xr.testing.assert_identical(read_nwb(path), recording)
    assert pynwb.validate(path=str(path)) == []


def test_spike_counts_alone_come_back_and_keep_their_integers(tmp_path):
    recording = full_recording("neuron", "1").drop_vars("activity")
    back = read_nwb(write_nwb(recording, tmp_path / "r.nwb"))
    xr.testing.assert_identical(back, recording)
    assert back.spike_count.dtype == np.int64


def test_other_tools_see_trials_epochs_labels_and_volts(tmp_path):
    path = write_nwb(full_recording("electrode", "uV"), tmp_path / "r.nwb")
    with NWBHDF5IO(str(path), "r") as io:
        nwbfile = io.read()
        assert nwbfile.trials.to_dataframe()[["start_time", "stop_time", "trial"]].to_numpy().tolist() == [
            [0.5, 1.5, 0],
            [1.5, 3.0, 1],
        ]
        assert nwbfile.epochs.to_dataframe()["epoch"].tolist() == ["a", "b"]
        assert nwbfile.invalid_times.to_dataframe()["stop_time"].tolist() == [1.5]
        series = nwbfile.processing["ecephys"]["activity"]
        assert (series.unit, series.conversion) == ("volts", 1e-6)
        assert nwbfile.electrodes["location"].data[:].tolist() == ["head", "head", "unknown"]
        assert nwbfile.units["node_label"].data[:].tolist() == ["AVAL", "AVAR", "é"]
        assert nwbfile.subject.species == "C. elegans"


def test_nothing_is_written_when_a_recording_does_not_fit(tmp_path):
    recording = full_recording().assign(weights=(("node", "other"), np.ones((3, 2)), {"units": "1"}))
    with pytest.raises(InputError, match=r"weights with dims \('node', 'other'\); expected"):
        write_nwb(recording, tmp_path / "r.nwb")
    with pytest.raises(InputError, match=r"must be called \*.nwb"):
        write_nwb(full_recording(), tmp_path / "r.h5")
    with pytest.raises(InputError, match=r"ISO 8601"):
        write_nwb(full_recording().assign_attrs(session_start_time="yesterday"), tmp_path / "r.nwb")
    assert list(tmp_path.iterdir()) == []


def test_an_existing_file_is_replaced_only_when_told(tmp_path):
    path = write_nwb(full_recording(), tmp_path / "r.nwb")
    before = path.read_bytes()
    with pytest.raises(StoreError, match=r"exists; choose another name or pass overwrite=True"):
        write_nwb(full_recording(seed=1), path)
    assert path.read_bytes() == before
    write_nwb(full_recording(seed=1), path, overwrite=True)
    xr.testing.assert_identical(read_nwb(path), full_recording(seed=1))
    assert [p.name for p in tmp_path.iterdir()] == ["r.nwb"]


# Files as laboratories write them --------------------------------------------------------------------------------


def new_file(**fields) -> NWBFile:
    return NWBFile(
        session_description="a session", identifier="id", session_start_time=datetime(2020, 1, 1, tzinfo=UTC), **fields
    )


def save(nwbfile: NWBFile, tmp_path) -> str:
    path = str(tmp_path / "lab.nwb")
    with NWBHDF5IO(path, "w") as io:
        io.write(nwbfile)
    return path


def add_segmentation(nwbfile: NWBFile, n: int, **columns):
    plane = nwbfile.create_imaging_plane(
        name="plane",
        optical_channel=OpticalChannel(name="green", description="green", emission_lambda=510.0),
        description="a plane",
        device=nwbfile.create_device(name="scope"),
        excitation_lambda=920.0,
        indicator="GCaMP6s",
        location="V1",
    )
    module = nwbfile.create_processing_module("ophys", "optical")
    segmentation = ImageSegmentation()
    module.add(segmentation)
    table = segmentation.create_plane_segmentation(name="PlaneSegmentation", description="rois", imaging_plane=plane)
    for k in range(n):
        table.add_roi(pixel_mask=[(k, k, 1.0), (k, k + 1, 0.5)], id=10 + k)
    for name, values in columns.items():
        table.add_column(name=name, description=name, data=values)
    return module, table


def add_responses(holder, table, data, name="RoiResponseSeries", rows=None, **clock):
    rois = table.create_roi_table_region(region=rows or list(range(len(table.id))), description="rois")
    series = RoiResponseSeries(name=name, data=data, rois=rois, unit="n.a.", **(clock or {"rate": 4.0}))
    holder.add_roi_response_series(series)
    return series


def test_an_ophys_file_gives_dff_with_roi_columns_trials_and_subject(tmp_path):
    nwbfile = new_file(subject=pynwb.file.Subject(subject_id="m1", species="Mus musculus"), lab="a lab")
    module, table = add_segmentation(nwbfile, 3, cell_type=["exc", "inh", "exc"], accepted=[True, False, True])
    dff = DfOverF()
    module.add(dff)
    data = np.arange(12.0).reshape(4, 3)
    add_responses(dff, table, data, rows=[2, 0, 1], starting_time=10.0, rate=4.0)
    nwbfile.add_trial_column("contrast", "of the grating")
    nwbfile.add_trial_column("choice", "of the animal")
    nwbfile.add_trial(start_time=10.2, stop_time=10.6, contrast=0.5, choice="left")
    rec = read_nwb(save(nwbfile, tmp_path))
    np.testing.assert_array_equal(rec.activity, data)
    assert rec.node.to_numpy().tolist() == ["roi_12", "roi_10", "roi_11"]
    assert not rec.labelled.any()  # the ids of a session are not identities
    assert rec.cell_type.to_numpy().tolist() == ["exc", "exc", "inh"]
    assert rec.accepted.dtype == bool
    assert set(rec.region.to_numpy()) == {"V1"}
    assert "pixel_mask" not in rec.coords
    np.testing.assert_array_equal(rec.time, [10.0, 10.25, 10.5, 10.75])
    assert rec.trial.to_numpy().tolist() == [-1, 0, 0, -1]
    assert rec.trial_choice.to_numpy().tolist() == ["", "left", "left", ""]
    np.testing.assert_array_equal(rec.trial_contrast, [np.nan, 0.5, 0.5, np.nan])
    assert (rec.attrs["subject_id"], rec.attrs["lab"], rec.attrs["node_kind"]) == ("m1", "a lab", "neuron")


def test_several_series_are_listed_and_one_is_chosen_by_part_of_its_path(tmp_path):
    nwbfile = new_file()
    module, table = add_segmentation(nwbfile, 2)
    for holder, scale in ((Fluorescence(), 100.0), (DfOverF(), 1.0)):
        module.add(holder)
        add_responses(holder, table, scale * np.ones((5, 2)))
    path = save(nwbfile, tmp_path)
    with pytest.raises(
        FormatError,
        match=r"choose one with series=: 'processing/ophys/DfOverF/RoiResponseSeries', 'processing/ophys/Fluor",
    ):
        read_nwb(path)
    assert float(read_nwb(path, series="DfOverF").activity.mean()) == 1
    assert float(read_nwb(path, series="Fluorescence/RoiResponseSeries").activity.mean()) == 100
    with pytest.raises(InputError, match=r"fits .*give more of the path"):
        read_nwb(path, series="RoiResponseSeries")
    with pytest.raises(InputError, match=r"no series 'processing/ophys/DfOverF/RoiRespnseSeries'; did you mean"):
        read_nwb(path, series="processing/ophys/DfOverF/RoiRespnseSeries")


def test_worm_labels_come_from_a_column_and_unlabelled_rois_are_only_numbered(tmp_path):
    nwbfile = new_file()
    module, table = add_segmentation(
        nwbfile, 4, ID_labels=["AVAL", "", "AVAR", "AVAL"], neuron_ids=["a", "b", "c", "d"]
    )
    holder = Fluorescence()
    module.add(holder)
    add_responses(holder, table, np.ones((5, 4)))
    path = save(nwbfile, tmp_path)
    with pytest.raises(FormatError, match=r"more than once: 'AVAL'.*repeated='unlabel'"):
        read_nwb(path)
    rec = read_nwb(path, repeated="unlabel")
    assert rec.node.to_numpy().tolist() == ["roi_0", "roi_1", "AVAR", "roi_3"]
    assert rec.labelled.to_numpy().tolist() == [False, False, True, False]
    assert read_nwb(path, label_column="neuron_ids").node.to_numpy().tolist() == list("abcd")
    with pytest.raises(InputError, match=r"no column 'ID_label'; did you mean 'ID_labels'"):
        read_nwb(path, label_column="ID_label")
    with pytest.raises(InputError, match=r"repeated must be"):
        read_nwb(path, repeated="drop")


def test_rois_that_are_always_nan_are_left_out_by_name_and_other_nans_stay(tmp_path):
    nwbfile = new_file()
    module, table = add_segmentation(nwbfile, 3, label=["a", "b", "c"])
    holder = DfOverF()
    module.add(holder)
    data = np.ones((5, 3))
    data[:, 1] = np.nan
    data[2, 2] = np.nan
    add_responses(holder, table, data)
    rec = read_nwb(save(nwbfile, tmp_path))
    assert rec.node.to_numpy().tolist() == ["a", "c"]
    assert rec.attrs["left_out"] == ["b"]
    assert int(rec.activity.isnull().sum()) == 1


@pytest.mark.filterwarnings("ignore:.*(transposed|match the length of rois).*:UserWarning")
def test_data_stored_the_wrong_way_round_are_turned_when_the_tables_leave_no_doubt(tmp_path):
    nwbfile = new_file()
    module, table = add_segmentation(nwbfile, 3, label=["a", "b", "c"])
    holder = DfOverF()
    module.add(holder)
    data = np.arange(15.0).reshape(3, 5)
    add_responses(holder, table, data)
    np.testing.assert_array_equal(read_nwb(save(nwbfile, tmp_path)).activity, data.T)


@pytest.mark.filterwarnings("ignore:.*match the length of rois.*:UserWarning")
def test_a_table_with_another_number_of_rois_is_refused(tmp_path):
    nwbfile = new_file()
    module, table = add_segmentation(nwbfile, 3)
    holder = DfOverF()
    module.add(holder)
    add_responses(holder, table, np.ones((5, 4)))
    with pytest.raises(FormatError, match=r"shape \(5, 4\), but the table of its nodes names 3"):
        read_nwb(save(nwbfile, tmp_path))


def ecephys_file(tmp_path, *, obs_intervals=True, lfp=True) -> str:
    nwbfile = new_file()
    group = nwbfile.create_electrode_group("probe", "a probe", "brain", nwbfile.create_device(name="neuropixels"))
    nwbfile.add_electrode_column("label", "name of the channel")
    for k, place in enumerate(["CA1", "CA1", "VISp"]):
        nwbfile.add_electrode(x=float(k), y=2.0, z=3.0, location=place, group=group, label=f"ch{k}")
    if lfp:
        module = nwbfile.create_processing_module("ecephys", "electrical")
        holder = LFP()
        module.add(holder)
        rows = nwbfile.create_electrode_table_region(region=[2, 0], description="two")
        counts = np.arange(12, dtype=np.int16).reshape(6, 2)
        holder.add_electrical_series(
            ElectricalSeries(
                name="ElectricalSeries", data=counts, electrodes=rows, timestamps=CLOCK, conversion=1e-6, offset=0.5,
                channel_conversion=[1.0, 2.0],
            )
        )  # fmt: skip
    nwbfile.add_unit_column("location", "region of the unit")
    nwbfile.add_unit_column("quality", "of the sorting")
    for k, times in enumerate([[0.05, 0.1, 0.15, 0.95], [], [0.3, 0.3001]]):
        seen = {"obs_intervals": [[0.0, 1.0]] if k < 2 else [[0.0, 0.25], [0.25, 0.5]]} if obs_intervals else {}
        nwbfile.add_unit(spike_times=times, location=f"R{k}", quality="good", **seen)
    return save(nwbfile, tmp_path)


@pytest.fixture(scope="module")
def ecephys(tmp_path_factory) -> str:
    return ecephys_file(tmp_path_factory.mktemp("ecephys"))


def test_voltages_are_converted_per_channel_on_an_irregular_clock(ecephys):
    path = ecephys
    rec = read_nwb(path, series="LFP")
    counts = np.arange(12).reshape(6, 2)
    np.testing.assert_allclose(rec.activity, counts * [1e-6, 2e-6] + 0.5, rtol=1e-15)
    assert rec.activity.attrs["units"] == "V"
    np.testing.assert_array_equal(rec.time, CLOCK)
    assert rec.node.to_numpy().tolist() == ["ch2", "ch0"]
    assert rec.region.to_numpy().tolist() == ["VISp", "CA1"]
    assert (rec.x.to_numpy().tolist(), rec.x.attrs["units"]) == ([2.0, 0.0], "um")
    assert rec.attrs["node_kind"] == "electrode"
    part = read_nwb(path, series="LFP", period=(0.5, 2.0))
    xr.testing.assert_identical(part.activity, rec.activity.isel(time=slice(1, 4)))
    with pytest.raises(InputError, match=r"holds 1 samples .* from 0 s to 3 s"):
        read_nwb(path, series="LFP", period=(2.5, 9.0))


def test_spikes_are_counted_in_bins_and_unobserved_bins_are_missing(ecephys):
    rec = read_nwb(ecephys, bin_width=0.1)
    expected = np.zeros((10, 3))
    expected[[0, 1, 9], 0] = 1, 2, 1  # a spike on an edge belongs to the bin that begins there
    expected[3, 2] = 2
    expected[5:, 2] = np.nan  # not observed after 0.5 s
    np.testing.assert_array_equal(rec.spike_count, expected)
    np.testing.assert_allclose(rec.time, np.arange(10) / 10 + 0.05)
    assert rec.region.to_numpy().tolist() == ["R0", "R1", "R2"]
    assert rec.node.to_numpy().tolist() == ["unit_0", "unit_1", "unit_2"]


def test_without_observation_intervals_bins_run_from_the_first_spike_to_the_last(tmp_path):
    path = ecephys_file(tmp_path, obs_intervals=False, lfp=False)
    rec = read_nwb(path, series="units", bin_width=0.2)
    assert rec.spike_count.dtype == np.int64
    np.testing.assert_array_equal(rec.spike_count.sum("time"), [4, 0, 2])
    np.testing.assert_allclose(rec.time, [0.1, 0.3, 0.5, 0.7, 0.9])
    late = read_nwb(path, bin_width=0.1, period=(0.5, 1.0))
    np.testing.assert_array_equal(late.spike_count.sum("time"), [1, 0, 0])
    with pytest.raises(InputError, match=r"give bin_width= in seconds"):
        read_nwb(path)
    with pytest.raises(InputError, match=r"fewer than 2 bins"):
        read_nwb(path, bin_width=10.0)
    with pytest.raises(FormatError, match=r"GiB are read at once"):
        read_nwb(path, bin_width=1e-12)


def test_what_was_read_can_be_written_even_where_names_mean_something_to_nwb(ecephys, tmp_path):
    recording = read_nwb(ecephys, series="LFP")
    assert set(recording.group_name.to_numpy()) == {"probe"}
    recording = recording.assign_coords(location=("node", ["a", "b"]), id=("node", [5, 6]))
    xr.testing.assert_identical(read_nwb(write_nwb(recording, tmp_path / "again.nwb")), recording)
    with pytest.raises(InputError, match=r"'a/b'; names must not contain / or :"):
        write_nwb(recording.assign_coords({"a/b": ("node", [1, 2])}), tmp_path / "no.nwb")


def test_bin_width_with_a_continuous_series_is_a_mistake(ecephys):
    with pytest.raises(InputError, match=r"bin_width is for spike times"):
        read_nwb(ecephys, series="LFP", bin_width=0.1)


def test_a_file_with_only_a_time_series_is_read_with_numbered_nodes(tmp_path):
    nwbfile = new_file()
    nwbfile.add_acquisition(TimeSeries(name="photometry", data=np.ones((5, 2)), unit="volts", rate=2.0))
    rec = read_nwb(save(nwbfile, tmp_path))
    assert rec.node.to_numpy().tolist() == ["photometry_0", "photometry_1"]
    assert not rec.labelled.any()
    assert rec.activity.attrs["units"] == "V"


def test_a_single_trace_carries_the_name_of_its_series(tmp_path):
    nwbfile = new_file()
    nwbfile.add_acquisition(TimeSeries(name="AVAL", data=np.arange(5.0), unit="dF/F", rate=2.0))
    path = save(nwbfile, tmp_path)
    assert read_nwb(path).node.to_numpy().tolist() == ["AVAL"]
    with pytest.raises(InputError, match=r"has no table of nodes, so there is no column 'x'"):
        read_nwb(path, label_column="x")


def test_a_file_without_activity_says_what_was_looked_for(tmp_path):
    with pytest.raises(FormatError, match=r"lab.nwb: found no ROI response, electrical series"):
        read_nwb(save(new_file(), tmp_path))


def test_a_clock_that_goes_back_is_refused_with_the_name_of_the_file(tmp_path):
    nwbfile = new_file()
    stamps = [0.0, 1.0, 0.5, 2.0, 3.0]
    nwbfile.add_acquisition(TimeSeries(name="a", data=np.ones((5, 2)), unit="1", timestamps=stamps))
    with pytest.raises(ValueError, match=r"lab.nwb: recording is not valid:\n.*strictly increasing"):
        read_nwb(save(nwbfile, tmp_path))


def behaviour_file(tmp_path, stamps, **series) -> str:
    nwbfile = new_file()
    nwbfile.add_acquisition(
        TimeSeries(name="activity", data=np.ones((4, 2)), unit="1", timestamps=[0.0, 1.0, 2.0, 3.0])
    )
    module = nwbfile.create_processing_module("behavior", "behaviour")
    holder = BehavioralTimeSeries()
    module.add(holder)
    for name, values in series.items():
        holder.add_timeseries(TimeSeries(name=name, data=values, unit="cm/s", timestamps=stamps, conversion=2.0))
    position = Position()
    module.add(position)
    position.add_spatial_series(
        SpatialSeries(
            name="nose", data=np.arange(8.0).reshape(4, 2), timestamps=np.arange(4.0), reference_frame="corner"
        )
    )
    return save(nwbfile, tmp_path)


def test_behaviour_on_the_same_clock_is_exact_and_positions_have_axes(tmp_path):
    path = behaviour_file(tmp_path, np.arange(4.0), speed=np.array([1, 2, 3, 4]))
    rec = read_nwb(path)
    np.testing.assert_array_equal(rec.speed, [2, 4, 6, 8])
    assert rec.speed.attrs["units"] == "cm/s"
    assert "resampled" not in rec.speed.attrs
    assert rec.nose.dims == ("time", "nose_feature")
    assert rec.nose.sel(nose_feature="y").to_numpy().tolist() == [1, 3, 5, 7]
    assert not set(read_nwb(path, behaviour=False).data_vars) - {"activity"}
    part = read_nwb(path, period=(1.0, 3.0))
    assert "resampled" not in part.speed.attrs
    np.testing.assert_array_equal(part.speed, [4, 6])


def test_faster_behaviour_is_averaged_around_each_sample_and_nan_outside(tmp_path):
    stamps = np.arange(0.0, 2.0, 0.125)
    rec = read_nwb(behaviour_file(tmp_path, stamps, speed=stamps / 2))
    # With a conversion of 2 the speed equals the time: the mean over [t - 1/2, t + 1/2) of what was sampled.
    expected = [
        stamps[stamps < 0.5].mean(),
        stamps[(stamps >= 0.5) & (stamps < 1.5)].mean(),
        stamps[stamps >= 1.5].mean(),
    ]
    np.testing.assert_allclose(rec.speed[:3], expected)
    assert np.isnan(rec.speed[3])
    assert "mean of the samples" in rec.speed.attrs["resampled"]


def test_behaviour_with_broken_stamps_can_be_left_out(tmp_path):
    path = behaviour_file(tmp_path, np.array([0.0, 2.0, 1.0, 3.5]), speed=np.ones(4))
    with pytest.raises(
        FormatError, match=r"timestamps of processing/behavior/.*/speed do not increase.*behaviour=False"
    ):
        read_nwb(path)
    assert "speed" not in read_nwb(path, behaviour=False)


@settings(max_examples=50, deadline=None)
@given(
    step=st.sampled_from([0.05, 0.3, 1.0, 2.5]),
    slope=st.floats(-5, 5),
    offset=st.floats(-5, 5),
    shift=st.floats(0, 0.9),
)
def test_a_straight_line_survives_a_change_of_clock(step, slope, offset, shift):
    stamps = np.arange(-3, 13, step)
    clock = np.arange(0.0, 9.0) + shift
    line = (slope * stamps + offset)[:, None]
    out = onto_clock(line, stamps, clock).ravel()
    # A mean over samples on one side of the stamp is off by at most half a step.
    assert np.abs(out - (slope * clock + offset)).max() <= abs(slope) * step / 2 + 1e-9


def test_a_line_never_bridges_a_pause():
    stamps = np.array([0.0, 1.0, 2.0, 3.0, 30.0, 31.0])
    out = onto_clock(np.ones((6, 1)), stamps, np.arange(0.0, 31.0, 0.5)).ravel()
    clock = np.arange(0.0, 31.0, 0.5)
    assert np.isnan(out[(clock > 3.25) & (clock < 29.5)]).all()
    assert np.isfinite(out[clock <= 3]).all()


def test_missing_samples_do_not_enter_a_mean():
    out = onto_clock(np.array([[1.0], [np.nan], [5.0], [np.nan]]), np.array([0.9, 1.0, 1.1, 2.0]), np.arange(4.0))
    np.testing.assert_allclose(out.ravel(), [np.nan, 3.0, np.nan, np.nan])


# Untrusted files ------------------------------------------------------------------------------------------------


def test_a_shape_that_would_fill_the_memory_is_refused_before_reading(tmp_path):
    import h5py

    nwbfile = new_file()
    nwbfile.add_acquisition(TimeSeries(name="photometry", data=np.ones((5, 2)), unit="volts", rate=2.0))
    path = save(nwbfile, tmp_path)
    for shape in ((10**12, 2), (2, 10**12)):
        with h5py.File(path, "r+") as file:
            attrs = dict(file["acquisition/photometry/data"].attrs)
            del file["acquisition/photometry/data"]
            data = file["acquisition/photometry"].create_dataset("data", shape=shape, chunks=(1, 1), dtype="f8")
            data.attrs.update(attrs)
        with pytest.raises(FormatError, match=r"photometry/data' claims 16,000,000,000,000 bytes, of which 0 lie"):
            read_nwb(path)


@pytest.mark.parametrize("keep", [0, 100, 0.5, 0.95])
def test_a_truncated_file_is_named_with_what_to_do(tmp_path, keep):
    content = write_nwb(full_recording(), tmp_path / "r.nwb").read_bytes()
    broken = tmp_path / "broken.nwb"
    broken.write_bytes(content[: int(keep * len(content)) if isinstance(keep, float) else keep])
    with pytest.raises(FormatError, match=r"broken.nwb cannot be read as an NWB file .*fetch or export it again"):
        read_nwb(broken)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=200))
def test_random_bytes_are_never_another_error(tmp_path, content):
    path = tmp_path / "random.nwb"
    path.write_bytes(b"\x89HDF\r\n\x1a\n" * (len(content) % 2) + content)
    with pytest.raises(DynomeError):
        read_nwb(path)


def test_damaged_bytes_give_our_error_or_the_whole_recording(tmp_path):
    recording = full_recording().drop_vars(["spike_count", "position", "stimulus"])
    content = np.frombuffer(write_nwb(recording, tmp_path / "r.nwb").read_bytes(), dtype=np.uint8)
    rng = np.random.default_rng(5)
    broken = tmp_path / "b.nwb"
    for _ in range(6):
        damaged = content.copy()
        where = rng.integers(0, min(60_000, damaged.size), 40)
        damaged[where] = rng.integers(0, 256, where.size)
        broken.write_bytes(damaged.tobytes())
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                schema.validate(read_nwb(broken), "recording")
            except DynomeError:
                continue


def test_a_missing_file_and_a_folder_are_told_apart(tmp_path):
    with pytest.raises(StoreError, match=r"no file at .*none.nwb; check the path"):
        read_nwb(tmp_path / "none.nwb")
    with pytest.raises(StoreError, match=r"expected a file, but .* is a folder"):
        read_nwb(tmp_path)


def test_values_that_lie_in_another_file_are_not_followed(tmp_path):
    import h5py

    path = write_nwb(full_recording().drop_vars("spike_count"), tmp_path / "r.nwb")
    (tmp_path / "secret.bin").write_bytes(bytes(6 * 3 * 8))
    with h5py.File(path, "r+") as file:
        holder = file["processing/ophys/DfOverF/activity"]
        attrs = dict(holder["data"].attrs)
        del holder["data"]
        data = holder.create_dataset("data", (6, 3), "f8", external=[(str(tmp_path / "secret.bin"), 0, 6 * 3 * 8)])
        data.attrs.update(attrs)
    with pytest.raises(FormatError, match=r"keeps its values in another file"):
        read_nwb(path, behaviour=False)


def test_the_limit_is_one_constant():
    assert files.MAX_BYTES == 16 * 2**30
