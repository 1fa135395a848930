"""Evidence for tables of traces: labels, clocks and indices are told apart; which axis is time is never guessed."""

from __future__ import annotations

import contextlib
import gzip

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import HealthCheck, assume, example, given, settings

from dynome import schema
from dynome.datasets import read_any, read_timeseries, read_timeseries_folder, write_timeseries
from dynome.errors import DynomeError, FormatError, InputError, SchemaError, StoreError, UnitsError

VALUES = np.array([[0.1, -2.5], [0.3, np.nan], [1 / 3, 7e-9], [4.0, 5.0]])
LABELS = ["AVAL", "AVAR"]


def recording(values: np.ndarray = VALUES, rate: float = 2.0) -> xr.Dataset:
    return schema.recording(values, time=np.arange(len(values)) / rate, node=LABELS, units="dF/F")


def frame() -> pd.DataFrame:
    return pd.DataFrame(VALUES, columns=LABELS)


def read(path, **options) -> xr.Dataset:
    return read_timeseries(path, units="dF/F", **options)


def test_every_way_that_pandas_and_numpy_write_traces_is_read(tmp_path):
    frame().to_csv(tmp_path / "columns.csv", index=False)
    frame().to_csv(tmp_path / "index.tsv", sep="\t")
    frame().T.to_csv(tmp_path / "rows.csv", header=False)
    frame().T.to_csv(tmp_path / "rows_numbered.csv")
    frame().to_parquet(tmp_path / "columns.parquet")
    np.savez(tmp_path / "labels.npz", x=VALUES, labels=np.array(LABELS))
    np.savez(tmp_path / "turned.npz", x=VALUES.T, node=np.array(LABELS))
    for path in sorted(tmp_path.iterdir()):
        xr.testing.assert_identical(read(path, rate=2.0), recording())


@pytest.mark.parametrize("header", ["time", "t", "Time (s)", "timestamp", "seconds", "", "time_ms"])
def test_a_clock_in_the_file_is_taken_with_its_unit(tmp_path, header):
    stamps = np.array([0.5, 1.0, 1.75, 2.0])
    table = frame()
    table.insert(0, header, stamps * (1000 if header.endswith("ms") else 1))
    table.to_csv(tmp_path / "t.csv", index=False)
    found = read(tmp_path / "t.csv")
    xr.testing.assert_identical(found, recording().assign_coords(time=("time", stamps, {"units": "s"})))
    with pytest.raises(InputError, match=r"holds the time of each sample, so rate=2 is one too many"):
        read(tmp_path / "t.csv", rate=2.0)


def test_a_clock_in_any_column_or_in_the_first_line_is_taken(tmp_path):
    stamps = np.array([0.5, 1.0, 1.75, 2.0])
    frame().assign(frame_onset=stamps).to_csv(tmp_path / "t.csv", index=False)
    np.testing.assert_array_equal(read(tmp_path / "t.csv", time="frame_onset").time, stamps)
    with pytest.raises(InputError, match=r"no column 'frame_onse'; did you mean 'frame_onset'"):
        read(tmp_path / "t.csv", time="frame_onse")
    turned = pd.DataFrame(VALUES.T, index=LABELS, columns=stamps)
    turned.to_csv(tmp_path / "turned.csv")
    np.testing.assert_array_equal(read(tmp_path / "turned.csv").time, stamps)


STAMPS = np.array([0.5, 1.0, 1.75, 2.0])


def clocked(stamps: np.ndarray = STAMPS) -> xr.Dataset:
    return recording().assign_coords(time=("time", stamps, {"units": "s"}))


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
@pytest.mark.parametrize("row_numbers", ["", "Unnamed: 0", "Frame", "frame number", "index", "sample", "Row", "idx"])
def test_a_clock_behind_row_numbers_is_found_and_the_numbers_are_no_neuron(tmp_path, row_numbers, suffix):
    path = tmp_path / f"t{suffix}"
    for place in (0, 1, 3):  # row numbers first, behind the clock, and last
        table = frame()
        table.insert(0, "time", STAMPS)
        table.insert(place, row_numbers, np.arange(4) + (row_numbers == "Frame"))
        table.to_csv(path, index=False) if suffix == ".csv" else table.to_parquet(path)
        for options in ({}, {"time": "time"}):
            xr.testing.assert_identical(read(path, **options), clocked())
        with pytest.raises(InputError, match=r"column [12] is called 'time' and .* rate=4 is one too many; leave"):
            read(path, rate=4)
        xr.testing.assert_identical(read(path, rate=2.0, drop=["time"]), recording())


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("name", ["Timestamp", "time_ms", "Time (minutes)", "seconds", "T"])
def test_a_clock_is_found_by_its_name_in_every_column(tmp_path, name, place):
    factor = {"time_ms": 1e3, "Time (minutes)": 1 / 60}.get(name, 1)
    table = frame()
    table.insert(place, name, STAMPS * factor)
    table.to_csv(tmp_path / "t.csv", index=False)
    for options in ({}, {"time": name}):
        xr.testing.assert_allclose(read(tmp_path / "t.csv", **options), clocked(), rtol=1e-14)
    xr.testing.assert_allclose(read_any(tmp_path / "t.csv", units="dF/F"), clocked(), rtol=1e-14)
    with pytest.raises(InputError, match=rf"column {place + 1} is called .* rate=2 is one too many"):
        read(tmp_path / "t.csv", rate=2.0)


def test_frames_without_a_clock_need_the_rate_and_are_left_out(tmp_path):
    frame().assign(Frame=[10, 12, 13, 17]).to_csv(tmp_path / "t.csv", index=False)
    xr.testing.assert_identical(read(tmp_path / "t.csv", rate=2.0), recording())
    with pytest.raises(InputError, match=r"does not say when its samples were taken; pass rate="):
        read(tmp_path / "t.csv")
    frame().assign(index=STAMPS).to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(InputError, match=r"column 3 is called 'index', but holds no row numbers; pass time='index' if"):
        read(tmp_path / "t.csv", rate=2.0)
    xr.testing.assert_identical(read(tmp_path / "t.csv", time="index"), clocked())


def test_a_column_that_counts_is_refused_whatever_it_is_called(tmp_path):
    frame().assign(n=[5, 6, 7, 8]).to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(InputError, match=r"column 3 is called 'n' and counts the rows \(5, 6, 7, ...\).*drop=\['n'\]"):
        read(tmp_path / "t.csv", rate=2.0)
    xr.testing.assert_identical(read(tmp_path / "t.csv", rate=2.0, drop=["n"]), recording())
    found = read(tmp_path / "t.csv", rate=2.0, covariates=["n"])
    assert found.n.to_numpy().tolist() == [5, 6, 7, 8]


@pytest.mark.parametrize("name", ["x.txt", "x.npy"])
def test_a_first_column_that_counts_is_refused_without_names_too(tmp_path, name):
    values = np.column_stack([np.arange(4.0), [0.5, 0.1, 0.7, 0.2]])
    np.savetxt(tmp_path / name, values) if name == "x.txt" else np.save(tmp_path / name, values)
    with pytest.raises(InputError, match=r"column 1 counts the rows, so it is no trace; .*node="):
        read(tmp_path / name, rate=2.0, orientation="time_node")
    np.testing.assert_array_equal(read(tmp_path / name, rate=2.0, node=LABELS).activity, values)


def test_two_clocks_are_never_one_clock_and_one_neuron(tmp_path):
    table = frame().assign(time=STAMPS, timestamp=STAMPS + 100)
    table.to_csv(tmp_path / "t.csv", index=False)
    for options in ({}, {"time": "time"}):
        with pytest.raises(InputError, match=r"more than one clock: column 3 is called 'time', column 4 .*'timestamp'"):
            read(tmp_path / "t.csv", **options)
    xr.testing.assert_identical(read(tmp_path / "t.csv", drop=["timestamp"]), clocked())
    xr.testing.assert_identical(read(tmp_path / "t.csv", drop=["time"]), clocked(STAMPS + 100))
    table = frame().assign(time=STAMPS)
    table.insert(0, "", [7.5, 1.0, 2.0, 0.0])
    table.to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(InputError, match=r"column 1 has no name and holds no row numbers; pass drop=\[''\]"):
        read(tmp_path / "t.csv")
    xr.testing.assert_identical(read(tmp_path / "t.csv", drop=[""]), clocked())


def test_covariates_are_kept_beside_the_traces_with_their_units(tmp_path):
    table = frame().assign(time=STAMPS, speed=[1.0, 2.5, np.nan, 3.0], state=[0, 1, 1, 0], animal="w1")
    for folder, path in ((tmp_path, tmp_path / "t.csv"), (tmp_path / "p", tmp_path / "p" / "t.csv")):
        folder.mkdir(exist_ok=True)
        table.to_csv(path, index=False)
    path = tmp_path / "p" / "t.csv"
    with pytest.raises(FormatError, match=r"column animal must hold numbers, found 'w1'"):
        read(path)
    options = {"covariates": {"speed": "mm/s", "state": "1"}, "drop": ["animal"]}
    expected = clocked().assign(
        speed=("time", table.speed, {"units": "mm/s"}), state=("time", table.state, {"units": "1"})
    )
    xr.testing.assert_identical(read(path, **options), expected)
    xr.testing.assert_identical(read_any(path, units="dF/F", **options), expected)
    study = read_timeseries_folder(path.parent, units="dF/F", **options)
    xr.testing.assert_identical(study["t"].to_dataset(), expected)
    listed = read(path, covariates=["speed", "state"], drop=["animal"])
    assert listed.speed.attrs["units"] == "unknown"
    table[["animal", "time", "AVAL", "AVAR"]].to_csv(path, index=False)  # a first column of text
    xr.testing.assert_identical(read(path, drop=["animal"]), clocked())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"covariates": "AVAR"}, r"covariates must be a list of columns, got 'AVAR'; pass covariates=\['AVAR'\]"),
        ({"drop": "AVAR"}, r"drop must be a list of columns"),
        ({"covariates": ["AVAR"], "drop": ["AVAR"]}, r"'AVAR' can be only one of time, covariates and drop"),
        ({"covariates": ["AVAT"]}, r"no column 'AVAT'; did you mean 'AVA"),
        ({"drop": ["speed"]}, r"no column 'speed'"),
        ({"covariates": ["node"]}, r"'node' cannot be names of covariates; rename"),
        ({"covariates": ["AVAR"], "orientation": "node_time"}, r"say that rows are samples"),
        (
            {"time_units": "ms", "drop": ["time_ms"], "rate": 1.0},
            r"time_units='ms', but there is no column",
        ),
        ({"time_units": "min"}, r"column 'time_ms' says that it is in ms, but time_units='min'"),
    ],
)
def test_roles_that_do_not_fit_are_refused(tmp_path, options, message):
    frame().assign(time_ms=STAMPS, node=1.5).to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(InputError, match=message):
        read(tmp_path / "t.csv", **options)


def test_a_name_that_occurs_twice_cannot_be_asked_for(tmp_path):
    (tmp_path / "t.csv").write_text("v,v,AVAL\n1,2,3.5\n2,4,1\n")
    with pytest.raises(InputError, match=r"2 columns are called 'v'; rename them"):
        read(tmp_path / "t.csv", rate=1.0, covariates=["v"])
    assert read(tmp_path / "t.csv", rate=1.0, drop=["v"]).node.to_numpy().tolist() == ["AVAL"]


@pytest.mark.parametrize(("unit", "factor"), [("ms", 1e-3), ("min", 60.0), ("seconds", 1.0)])
def test_the_unit_of_the_clock_is_said_where_its_name_does_not(tmp_path, unit, factor):
    frame().assign(t=STAMPS).to_csv(tmp_path / "t.csv", index=False)
    frame().assign(onset=STAMPS).to_csv(tmp_path / "onset.csv", index=False)
    pd.DataFrame(VALUES.T, index=LABELS, columns=STAMPS).to_csv(tmp_path / "turned.csv")
    np.savez(tmp_path / "z.npz", x=VALUES, node=np.array(LABELS), time=STAMPS)
    for name, options in (("t.csv", {}), ("onset.csv", {"time": "onset"}), ("turned.csv", {}), ("z.npz", {})):
        found = read(tmp_path / name, time_units=unit, **options)
        xr.testing.assert_identical(found, clocked(STAMPS * factor))
    with pytest.raises(UnitsError, match=r"expected a unit of time"):
        read(tmp_path / "t.csv", time_units="mm")
    with pytest.raises(InputError, match=r"NumPy files have no columns with names"):
        read(tmp_path / "z.npz", drop=["x"])


@pytest.mark.parametrize("name", ["x.npy", "x.txt", "x.csv", "x.txt.gz"])
def test_the_axis_of_time_is_never_guessed_from_the_shape(tmp_path, name):
    wide = np.random.default_rng(0).normal(size=(5, 3))  # more regions than volumes, as parcellated BOLD often has
    np.save(tmp_path / name, wide) if name.endswith("npy") else np.savetxt(
        tmp_path / name, wide, delimiter="," if "csv" in name else " ", fmt="%.17g"
    )
    with pytest.raises(InputError, match=r"whether the 5 rows or the 3 columns are samples; pass orientation="):
        read(tmp_path / name, rate=1.0)
    found = read(tmp_path / name, rate=1.0, orientation="node_time")
    np.testing.assert_array_equal(found.activity, wide.T)
    assert found.node.to_numpy().tolist() == [f"node_{k}" for k in range(5)]
    assert not found.labelled.any()
    named = read(tmp_path / name, rate=1.0, node=list("abcde"))
    np.testing.assert_array_equal(named.activity, wide.T)
    assert "labelled" not in named.coords
    np.testing.assert_array_equal(read(tmp_path / name, rate=1.0, node=list("abc")).activity, wide)


def test_columns_that_are_only_numbered_are_no_labels(tmp_path):
    pd.DataFrame(np.eye(4)).to_csv(tmp_path / "n.csv", index=False)
    with pytest.raises(InputError, match=r"4 rows or the 4 columns"):
        read(tmp_path / "n.csv", rate=1.0)
    found = read(tmp_path / "n.csv", rate=1.0, orientation="time_node")
    np.testing.assert_array_equal(found.activity, np.eye(4))
    assert not found.labelled.any()


def test_options_that_contradict_the_file_are_refused(tmp_path):
    frame().to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(InputError, match=r"orientation='node_time', but the labels .* say that rows are samples"):
        read(tmp_path / "t.csv", rate=1.0, orientation="node_time")
    with pytest.raises(InputError, match=r"brings its own labels; leave node out"):
        read(tmp_path / "t.csv", rate=1.0, node=["a", "b"])
    with pytest.raises(InputError, match=r'orientation must be "time_node" or "node_time"'):
        read(tmp_path / "t.csv", rate=1.0, orientation="rows")
    with pytest.raises(InputError, match=r"pass rate= in samples per second"):
        read(tmp_path / "t.csv")
    with pytest.raises(InputError, match=r"rate must be a positive number .*got -1"):
        read(tmp_path / "t.csv", rate=-1)
    np.save(tmp_path / "x.npy", np.ones((5, 3)))
    with pytest.raises(InputError, match=r"expected 3 labels, as there are nodes, got 2"):
        read(tmp_path / "x.npy", rate=1.0, node=["a", "b"], orientation="time_node")


def test_missing_values_stay_and_nodes_without_any_value_are_left_out_by_name(tmp_path):
    (tmp_path / "t.csv").write_text("a,b,c\n1,n/a,NaN\n,,3\n2,,NA\n")
    found = read(tmp_path / "t.csv", rate=1.0)
    assert found.node.to_numpy().tolist() == ["a", "c"]
    assert found.attrs["left_out"] == ["b"]
    np.testing.assert_array_equal(found.activity, [[1, np.nan], [np.nan, 3], [2, np.nan]])


@pytest.mark.parametrize(
    ("content", "error", "message"),
    [
        ("a,b\n1,x\n2,3\n", FormatError, r"column b must hold numbers, found 'x' in row 1"),
        ("a;b\n1,5;2\n2,5;3\n", FormatError, r"decimals need a point, not a comma"),
        ("a,a\n1,2\n3,4\n", FormatError, r"labels occur more than once: 'a'"),
        ("time,a\n0,1\n1,2\n1,5\n", SchemaError, r"t.csv: .*\n.*strictly increasing"),
        ("time,a\n0,1\n,2\n", FormatError, r"1 samples have no time"),
        ("a,b\n1,2\n", SchemaError, r"at least 2 time samples"),
        ("a,b\n1,inf\n2,3\n", SchemaError, r"1 infinite values"),
        ("a,b\n1,2\n3,4,5\n", FormatError, r"cannot be read as a table of traces"),
        ("a,b\n1,2\n3", FormatError, r"ends in the middle of a line"),
    ],
)
def test_broken_tables_are_told(tmp_path, content, error, message):
    (tmp_path / "t.csv").write_text(content)
    with pytest.raises(error, match=message):
        read(tmp_path / "t.csv", **({} if "time" in content else {"rate": 1.0}))


def test_arrays_of_several_sessions_or_of_no_numbers_are_told(tmp_path):
    np.savez(tmp_path / "z.npz", X=np.ones((5, 3)), G=np.ones((3, 3)))
    with pytest.raises(FormatError, match=r"found 'X \(5, 3\)', 'G \(3, 3\)'; choose one with array="):
        read(tmp_path / "z.npz", rate=1.0)
    assert read(tmp_path / "z.npz", rate=1.0, array="X", orientation="time_node").sizes == {"time": 5, "node": 3}
    np.save(tmp_path / "x.npy", np.ones((2, 5, 3)))
    with pytest.raises(FormatError, match=r"no array|expected one array"):
        read(tmp_path / "x.npy", rate=1.0)
    np.save(tmp_path / "x.npy", np.ones((5, 3), dtype=complex))
    with pytest.raises(FormatError, match=r"expected numbers, found values of type complex128"):
        read(tmp_path / "x.npy", rate=1.0)


def test_labels_of_a_square_array_need_the_orientation_and_others_must_fit(tmp_path):
    square = np.arange(4.0).reshape(2, 2)
    np.savez(tmp_path / "z.npz", x=square, node=np.array(["a", "b"]))
    with pytest.raises(InputError, match=r"2 rows or the 2 columns are samples"):
        read(tmp_path / "z.npz", rate=1.0)
    found = read(tmp_path / "z.npz", rate=1.0, orientation="node_time")
    assert found.activity.sel(node="b").to_numpy().tolist() == [2, 3]
    np.savez(tmp_path / "z.npz", x=square, node=np.array(["a", "b", "c"]), time=np.arange(2.0))
    with pytest.raises(FormatError, match=r"3 labels, but the traces have shape \(2, 2\)"):
        read(tmp_path / "z.npz")
    np.savez(tmp_path / "z.npz", x=square, node=np.array(["a", "b"]), time=np.array([0.0, 0.3]))
    assert read(tmp_path / "z.npz").activity.sel(node="b").to_numpy().tolist() == [1, 3]


def test_integers_and_a_single_trace_are_kept(tmp_path):
    np.save(tmp_path / "x.npy", np.arange(5))
    found = read(tmp_path / "x.npy", rate=1.0, node=["a"])
    assert (found.activity.dtype, found.sizes["node"]) == (np.int64, 1)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(values=[(2.0**54 - 2, 0.0), (2.0**54, 0.0), (2.0**54, 0.0)], suffix=".csv")  # rounding made these count
@given(
    values=st.lists(st.tuples(*[st.floats(allow_nan=False, allow_infinity=False)] * 2), min_size=2, max_size=8),
    suffix=st.sampled_from([".csv", ".tsv.gz", ".parquet"]),
)
def test_what_is_written_is_read_to_the_last_digit(tmp_path, values, suffix):
    rec = recording(np.array(values), rate=3.0)
    assume(not (np.diff(rec.activity, axis=0) == 1).all(axis=0).any())  # such a column is refused as row numbers
    path = write_timeseries(rec, tmp_path / f"t{suffix}", overwrite=True)
    xr.testing.assert_identical(read(path), rec)


def test_only_variables_of_time_and_node_are_written(tmp_path):
    with pytest.raises(InputError, match=r"no variable of time and node 'velocity'"):
        write_timeseries(recording(), tmp_path / "t.csv", "velocity")
    with pytest.raises(InputError, match=r"a node is called 'time'"):
        write_timeseries(recording().assign_coords(node=["time", "b"]), tmp_path / "t.csv")
    path = write_timeseries(recording(), tmp_path / "t.csv")
    with pytest.raises(StoreError, match=r"exists"):
        write_timeseries(recording(), path)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    content=st.one_of(st.binary(max_size=100), st.text("ab,;\t \n\"'.#-1e9nN/", max_size=80).map(str.encode)),
    suffix=st.sampled_from([".csv", ".txt", ".npy", ".npz", ".csv.gz", ".parquet"]),
)
def test_any_bytes_give_a_recording_or_our_error(tmp_path, content, suffix):
    path = tmp_path / f"fuzz{suffix}"
    path.write_bytes(gzip.compress(content) if suffix.endswith("gz") and len(content) % 2 else content)
    with contextlib.suppress(DynomeError):
        schema.validate(read(path, rate=1.0, orientation="time_node"), "recording")


# Folders ---------------------------------------------------------------------------------------------------------


def test_a_folder_of_files_is_a_study_of_animals(tmp_path):
    for name in ("worm2.csv", "worm1.csv"):
        frame().to_csv(tmp_path / name, index=False)
    (tmp_path / "notes.md").write_text("no table")
    (tmp_path / ".hidden.csv").write_text("no table")
    found = read_timeseries_folder(tmp_path, rate=2.0, units="dF/F")
    assert list(found) == ["worm1", "worm2"]
    xr.testing.assert_identical(found["worm1"].to_dataset(), recording())


def test_sessions_are_told_by_entities_or_by_folders(tmp_path):
    for name in ("ses-1/ts_sub-001_ses-1.txt.gz", "ses-1/ts_sub-002_ses-1.txt.gz", "ses-2/ts_sub-001_ses-2.txt.gz"):
        path = tmp_path / "bids" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savetxt(path, np.eye(5)[:, :3])
    found = read_timeseries_folder(tmp_path / "bids", rate=0.5, orientation="node_time", node_kind="parcel")
    assert [n.path for n in found.leaves] == ["/sub-001/ses-1", "/sub-001/ses-2", "/sub-002/ses-1"]
    assert found["sub-001/ses-2"].sizes == {"time": 3, "node": 5}
    for name in ("mouse1/monday.csv", "mouse1/tuesday.csv", "mouse2/monday.csv"):
        path = tmp_path / "mice" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        frame().to_csv(path, index=False)
    found = read_timeseries_folder(tmp_path / "mice", rate=1.0)
    assert [n.path for n in found.leaves] == ["/mouse1/monday", "/mouse1/tuesday", "/mouse2/monday"]


def test_bad_files_are_all_named_or_skipped(tmp_path):
    for name in ("a.csv", "b.csv", "c.csv", "d.csv"):
        frame().to_csv(tmp_path / name, index=False)
    (tmp_path / "b.csv").write_text("")
    (tmp_path / "d.csv").write_text("x,y\n1,z\n")
    with pytest.raises(
        FormatError,
        match=r"b: .*b.csv is empty\n.*d: .*d.csv: column y must hold numbers(.|\n)*2 of 4 can be read: pass on_error",
    ):
        read_timeseries_folder(tmp_path, rate=1.0)
    found = read_timeseries_folder(tmp_path, rate=1.0, on_error="skip")
    assert list(found) == ["a", "c"]
    assert found.attrs["left_out"] == ["b", "d"]
    assert list(read_timeseries_folder(tmp_path, rate=1.0, pattern="[ac].csv")) == ["a", "c"]


def test_a_wrong_argument_is_told_once_and_an_empty_folder_says_what_was_looked_for(tmp_path):
    with pytest.raises(FormatError, match=r"has no file '\*' that ends in .csv"):
        read_timeseries_folder(tmp_path, rate=1.0)
    for name in ("a.csv", "b.csv"):
        frame().to_csv(tmp_path / name, index=False)
    with pytest.raises(InputError, match=r"^[^\n]*a.csv: the file does not say when[^\n]*so it is with 'b'\)$"):
        read_timeseries_folder(tmp_path)
    with pytest.raises(InputError, match=r"on_error must be"):
        read_timeseries_folder(tmp_path, rate=1.0, on_error="ignore")
    frame().to_csv(tmp_path / "a.tsv", index=False, sep="\t")
    with pytest.raises(FormatError, match=r"'a.csv', 'a.tsv' are both"):
        read_timeseries_folder(tmp_path, rate=1.0)


@pytest.mark.realdata
def test_resting_bold_of_patients_reads_as_regions_by_volumes(data_dir):
    found = read_timeseries_folder(
        data_dir / "human_fmri_fep_pope2025",
        pattern="ts_*.txt.gz",
        rate=0.5,
        orientation="node_time",
        node_kind="parcel",
    )
    assert len(found.children) == 20
    assert found["sub-001/ses-2"].sizes == {"node": 419, "time": 234}


def test_flags_among_the_traces_are_named_with_what_to_do(tmp_path):
    path = tmp_path / "worm.csv"
    path.write_text("time,AVAL,AVAR,reversal\n0.0,0.1,0.2,True\n0.5,0.3,0.1,False\n1.0,0.2,0.2,False\n")
    with pytest.raises(FormatError, match=r"'reversal' hold True and False; .*covariates=.*drop=\['reversal'\]"):
        read(path)
    assert read(path, drop=["reversal"]).node.to_numpy().tolist() == ["AVAL", "AVAR"]
    assert read(path, covariates={"reversal": "1"}).reversal.to_numpy().tolist() == [True, False, False]
