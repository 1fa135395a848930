"""Evidence for store/: what is saved comes back the same, or nothing is written and the reason is told.

Damage is in tests/test_store_damage.py.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path

import dask.array as da
import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from strategies import NAMES, connectomes, datasets, functional_connectivities, recordings, studies

from dynome import schema, store
from dynome.errors import StoreError
from dynome.store.variables import CHUNK_BYTES, COORDS_IN_MEMORY, MIN_CHUNK_TIMES, TABLE_SIZE, chunk_shape

QUICK = settings(max_examples=12, deadline=None)


@pytest.fixture
def listing(tmp_path):
    """Everything below a folder, with the contents of files and where links lead to."""

    def tell(folder=tmp_path):
        return {
            p.relative_to(folder).as_posix(): (os.readlink(p) if p.is_symlink() else p.is_file() and p.read_bytes())
            for p in sorted(folder.rglob("*"))
        }

    return tell


def small(value=1.0):
    return xr.Dataset({"a": ("time", [value, np.nan])}, coords={"time": ("time", [0.0, 1.0], {"units": "s"})})


def round_trip(obj):
    with tempfile.TemporaryDirectory() as folder:
        path = store.save(obj, Path(folder, "a.zarr"))
        assert sorted(os.listdir(folder)) == ["a.zarr"]
        store.verify(path)
        return store.open(path).load()


def dtypes(dataset):
    return {str(name): variable.dtype for name, variable in dataset.variables.items()}


# --- Round trips -----------------------------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(obj=datasets())
def test_any_dataset_comes_back_identical_with_its_dtypes_and_order(obj):
    found = round_trip(obj)
    assert found.identical(obj)
    assert dtypes(found) == dtypes(obj)
    assert list(found.variables) == list(obj.variables)
    assert set(found.xindexes) == set(obj.xindexes)


@pytest.mark.parametrize("objects", [recordings(), connectomes()], ids=["recording", "connectome"])
@QUICK
@given(data=st.data())
def test_recordings_and_connectomes_come_back_valid_and_identical(objects, data):
    obj = data.draw(objects)
    found = round_trip(obj)
    assert found.identical(obj)
    assert dtypes(found) == dtypes(obj)
    schema.validate(found)


@QUICK
@given(fc=functional_connectivities())
def test_matrices_come_back_with_their_name_or_without(fc):
    found = round_trip(fc)
    assert found.identical(fc)
    assert found.name == fc.name
    assert found.dtype == fc.dtype


@QUICK
@given(study=studies())
def test_studies_come_back_identical_and_in_order(study):
    found = round_trip(study)
    assert found.identical(study)
    assert list(found.children) == list(study.children)


@settings(max_examples=4, deadline=None)
@given(names=st.permutations(["z", "a", "10", "9", "connectome"]))
def test_sessions_keep_their_order(names):
    study = xr.DataTree.from_dict({f"/{name}": small(k) for k, name in enumerate(names)})
    assert list(round_trip(study).children) == list(names)


ODD = {
    "nothing at all": xr.Dataset(),
    "attributes only": xr.Dataset(attrs={"a": 1}),
    "coordinates only": xr.Dataset(coords={"x": [1, 2]}),
    "a scalar": xr.Dataset({"a": np.float32(1.5)}),
    "a scalar label": xr.Dataset(coords={"subject": "worm1"}),
    "a repeated index": xr.Dataset({"a": ("x", [1, 2])}, coords={"x": ["n", "n"]}),
    "an index with NaN": xr.Dataset({"a": ("x", [1, 2])}, coords={"x": [np.nan, 1.0]}),
    "a matrix of coordinates": xr.Dataset(coords={"place": (("x", "y"), np.eye(2))}),
    "a coordinate with a space": xr.Dataset({"a": ("x", [1])}, coords={"cell type": ("x", ["AVA"])}),
    "Greek": xr.Dataset({"Δ": ("µ", [1])}, attrs={"größe": "ß🧠"}),
    "every odd number": xr.Dataset({"a": ("x", [np.nan, np.inf, -np.inf, -0.0, 5e-324])}),
    "a NUL inside": xr.Dataset({"a": ("x", ["a\0b"])}),
    "a long string": xr.Dataset({"a": ("x", ["x" * 100_000, ""])}),
    "a table named like its column": xr.Dataset({"c": ("x", [1]), "c_labels": ("c_labels_row", [2])}),
}


@pytest.mark.parametrize("obj", ODD.values(), ids=ODD)
def test_odd_datasets_come_back_identical(obj):
    found = round_trip(obj)
    assert found.identical(obj)
    assert dtypes(found) == dtypes(obj)


def test_a_negative_zero_keeps_its_sign():
    assert np.signbit(round_trip(xr.Dataset({"a": ("x", [-0.0, 0.0])})).a.values).tolist() == [True, False]


ARRAYS = {
    "of a clock": small().time,
    "named values": xr.DataArray([1], dims="x", name="values"),
    "along values": xr.DataArray([1], dims="values", coords={"values": ["a"]}),
    "with a coordinate called values": xr.DataArray([1], dims="x", coords={"values": ("x", [2])}),
    "with a slash in its name": xr.DataArray([1], dims="x", name="ΔF/F"),
    "of one number": xr.DataArray(5),
}


@pytest.mark.parametrize("array", ARRAYS.values(), ids=ARRAYS)
def test_data_arrays_of_any_name_come_back(array):
    found = round_trip(array)
    assert found.identical(array)
    assert found.name == array.name


def test_trees_keep_names_attributes_and_what_they_inherit():
    tree = xr.DataTree.from_dict(
        {
            "/": xr.Dataset(coords={"node": ["AVAL", "AVAR"]}, attrs={"lab": "x"}),
            "/w2": xr.Dataset({"a": ("node", [1, 2])}, attrs={"age": 3}),
            "/w1/s1": xr.Dataset({"a": ("node", [3, 4])}),
            "/empty": xr.Dataset(),
        },
        name="study",
    )
    found = round_trip(tree)
    assert found.identical(tree)
    assert list(found.children) == list(tree.children)


def test_one_animal_of_a_study_is_saved_with_what_it_inherits():
    tree = xr.DataTree.from_dict(
        {"/": xr.Dataset(coords={"node": ["AVAL", "AVAR"]}), "/w1/s1": xr.Dataset({"a": ("node", [3, 4])})}
    )
    found = round_trip(tree["w1"])
    assert found.path == "/"
    assert found["s1"].to_dataset().identical(tree["w1/s1"].to_dataset())


@pytest.mark.parametrize(
    ("stored", "found"),
    [
        (np.array(["a", "bb"], object), np.array(["a", "bb"])),
        (np.array(["a", "bb"], np.dtypes.StringDType()), np.array(["a", "bb"])),
        (np.array(["a", "bb"], ">U4"), np.array(["a", "bb"], "<U4")),
        (np.array([1, 2], ">f8"), np.array([1.0, 2.0])),
        (pd.Categorical(["b", "a"]), np.array(["b", "a"])),
        (pd.array([1, 2], dtype="Int64"), np.array([1, 2])),
    ],
    ids=["objects", "StringDType", "big-endian text", "big-endian numbers", "categories", "pandas integers"],
)
def test_what_cannot_stay_as_it_is_comes_back_with_its_values_plain(stored, found):
    back = round_trip(xr.Dataset({"a": ("x", stored)})).a
    assert back.values.tolist() == found.tolist()
    assert back.dtype == found.dtype


def test_attributes_come_back_plain():
    attrs = {"n": np.int64(3), "box": np.arange(2.0), "pair": (1, 2), "flag": np.bool_(True), "nan": float("nan")}
    found = round_trip(xr.Dataset({"a": ("x", [1], dict(attrs))}, attrs=dict(attrs)))
    for plain in (found.attrs, found.a.attrs):
        assert {k: v for k, v in plain.items() if k != "nan"} == {"n": 3, "box": [0, 1], "pair": [1, 2], "flag": True}
        assert np.isnan(plain["nan"])


@settings(max_examples=25, deadline=None)
@given(
    shape=st.tuples(st.integers(0, 6), st.integers(0, 5)),
    chunks=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    kind=st.sampled_from(["f4", "i2", "?", "<U3"]),
)
def test_dask_input_of_any_chunks_is_what_numpy_input_is(shape, chunks, kind):
    values = np.arange(np.prod(shape)).reshape(shape).astype(kind)
    plain = xr.Dataset({"a": (("time", "node"), values)})
    lazy = xr.Dataset({"a": (("time", "node"), da.from_array(values, chunks=chunks))})
    found = round_trip(lazy)
    assert found.identical(plain)
    assert found.a.dtype == values.dtype


@pytest.mark.parametrize("kind", [object, np.dtypes.StringDType()])
def test_lazy_strings_of_any_kind_come_back(kind):
    values = np.array(["a", "", "ccc"])
    lazy = xr.Dataset({"a": ("x", da.from_array(values.astype(kind), chunks=2))})
    assert round_trip(lazy).a.values.tolist() == values.tolist()


def test_a_long_column_of_few_labels_is_kept_as_codes_and_comes_back(tmp_path):
    rng = np.random.default_rng(0)
    node = np.array(["", "Ω", "007", "7", *(f"{720575940600000000 + k}" for k in range(500))], dtype="<U30")
    few = xr.Dataset(
        {
            "source": ("edge", node[rng.integers(0, node.size, TABLE_SIZE)], {"long_name": "presynaptic"}),
            "pair": (("edge", "end"), node[rng.integers(0, node.size, (TABLE_SIZE // 2, 2))].repeat(2, axis=0)),
            "source_labels": ("row", [1, 2]),
            "weight": ("edge", np.arange(TABLE_SIZE)),
        },
        coords={"kind": ("edge", np.repeat(["chemical", "gap_junction"], TABLE_SIZE // 2)), "node": node},
    )
    found = store.open(store.save(few, tmp_path / "a.zarr"))
    assert list(found.variables) == list(few.variables)
    assert found.source.chunks is not None
    part = found.source[5:9]
    assert part.dtype == "<U30"
    assert part.values.tolist() == few.source[5:9].values.tolist()
    loaded = found.load()
    assert loaded.identical(few)
    assert dtypes(loaded) == dtypes(few)
    raw = xr.open_zarr(tmp_path / "a.zarr", consolidated=False)
    assert raw.source.dtype == np.int32
    assert raw.pair.dtype == np.int32


def test_what_was_opened_can_be_saved_again_without_loading(tmp_path):
    first = store.open(store.save(small(), tmp_path / "a.zarr"))
    assert first.a.chunks is not None
    second = store.open(store.save(first, tmp_path / "b.zarr"))
    assert second.load().identical(small())


def test_the_object_that_is_saved_stays_as_it_is():
    obj = small().assign_attrs(box=np.arange(2))
    obj.a.encoding["chunks"] = (1,)
    obj["lazy"] = ("time", da.from_array(np.arange(2), chunks=1))
    before = obj.copy(deep=True)
    round_trip(obj)
    assert obj.identical(before)
    assert obj.a.encoding == {"chunks": (1,)}
    assert obj.lazy.chunks == ((1, 1),)


# --- What is read when -----------------------------------------------------------------------------------------------


def test_coordinates_are_in_memory_and_variables_are_not(tmp_path):
    found = store.open(store.save(schema_example(), tmp_path / "a.zarr"))
    for name in ("time", "node", "cell_type"):
        assert isinstance(found[name].variable._data if name == "cell_type" else found[name].values, np.ndarray)
    assert found.activity.chunks is not None
    assert found.encoding == {}
    assert all(v.encoding == {} for v in found.variables.values())


def schema_example():
    rec = schema.recording(np.ones((4, 2)), time=np.arange(4), node=["AVAL", "AVAR"], units="1")
    return rec.assign_coords(cell_type=("node", ["inter", "inter"]))


def test_long_coordinates_that_index_nothing_stay_lazy(tmp_path):
    n = COORDS_IN_MEMORY + 1
    obj = xr.Dataset(coords={"quality": ("sample", np.zeros(n, np.uint8)), "short": ("row", np.zeros(3))})
    found = store.open(store.save(obj, tmp_path / "a.zarr"))
    assert found.quality.chunks is not None
    assert found.short.chunks is None


SIZES = st.integers(1, 2_000_000)


@settings(max_examples=200, deadline=None)
@given(
    sizes=st.lists(SIZES, min_size=1, max_size=4),
    place=st.integers(0, 4),
    itemsize=st.sampled_from([1, 2, 4, 8, 16]),
)
def test_chunks_have_16_to_64_mib_and_are_long_in_time(sizes, place, itemsize):
    dims = [f"d{k}" for k in range(len(sizes))]
    if place < len(dims):
        dims[place] = "time"
    chunk = chunk_shape(tuple(dims), tuple(sizes), itemsize)
    total, size = float(np.prod(sizes, dtype=float)) * itemsize, float(np.prod(chunk, dtype=float)) * itemsize
    assert all(1 <= c <= n for c, n in zip(chunk, sizes, strict=True))
    assert size <= 2 * CHUNK_BYTES
    assert size >= min(total, CHUNK_BYTES / 2)
    if "time" in dims:
        assert chunk[dims.index("time")] >= min(sizes[dims.index("time")], MIN_CHUNK_TIMES)


def test_a_large_lazy_array_is_written_in_chunks_that_are_long_in_time(tmp_path):
    lazy = xr.Dataset({"activity": (("time", "node"), da.zeros((250_000, 100), chunks=(1000, 100)))})
    assert lazy.nbytes == 200e6
    found = store.open(store.save(lazy, tmp_path / "a.zarr")).activity
    assert found.chunks == ((41943,) * 5 + (40285,), (100,))
    assert float(found[-3:].sum()) == 0


# --- What is refused, before anything is written ---------------------------------------------------------------------


def with_name(name):
    return xr.Dataset({name: ("x", [1])})


UNSTORABLE = {
    "dates": (xr.Dataset({"a": ("x", pd.date_range("2026", periods=2))}), "a has dtype datetime64.*times in seconds"),
    "spans of time": (xr.Dataset({"a": ("x", np.array([1], "m8[ns]"))}), "a has dtype timedelta64"),
    "bytes": (xr.Dataset({"a": ("x", np.array([b"a"]))}), r"a has dtype \|S1; use numbers, booleans or strings"),
    "records": (xr.Dataset({"a": ("x", np.zeros(1, [("f", "f8")]))}), "a has dtype"),
    "objects": (xr.Dataset({"a": ("x", np.array([1, "a"], object))}), "a holds objects of type 'int'"),
    "missing labels": (xr.Dataset({"a": ("x", np.array(["a", np.nan], object))}), "holds objects of type 'float'"),
    "half a letter": (xr.Dataset({"a": ("x", ["\ud800"])}), "a holds text that is not valid Unicode"),
    "a MultiIndex": (
        xr.Dataset().assign_coords(xr.Coordinates.from_pandas_multiindex(pd.MultiIndex.from_tuples([(1, 2)]), "x")),
        "x is a MultiIndex; turn its levels into plain coordinates with reset_index",
    ),
    "unknown chunks": (
        xr.Dataset({"a": ("x", da.arange(5)[da.arange(5) > 2])}),
        "a has chunks of unknown size; call .compute_chunk_sizes",
    ),
    "an attribute that is None": (small().assign_attrs(age=None), r"attrs\['age'\] of the dataset must be .*None"),
    "an attribute that is a dict": (small().assign_attrs(a={"b": 1}), r"attrs\['a'\] of the dataset"),
    "a nested list": (small().assign(a=small().a.assign_attrs(box=[[1]])), r"attrs\['box'\] of a must be str"),
    "a numbered attribute": (small().assign_attrs({5: 1}), r"attrs\[5\] of the dataset"),
    "a path as name": (with_name("ΔF/F"), "'ΔF/F' cannot be the name of a file; rename it"),
    "a way out": (with_name(".."), "'..' cannot be the name of a file"),
    "a Windows path": (with_name("a\\b"), "cannot be the name of a file"),
    "a NUL": (with_name("a\0b"), "cannot be the name of a file"),
    "the metadata": (with_name("zarr.json"), "'zarr.json' cannot be the name of a file"),
    "a very long name": (with_name("x" * 300), "cannot be the name of a file"),
    "no name": (with_name(""), "names must be non-empty str, found ''"),
    "a number as name": (with_name(5), "names must be non-empty str, found 5; rename it"),
    "a group that leads out": (xr.DataTree(children={"..": xr.DataTree(small())}), "/..: '..' cannot be the name"),
    "a numbered array": (xr.DataArray([1], name=5), "name of a DataArray must be a str to be stored, found 5"),
    "a list": ([1, 2], "cannot save list; expected a Dataset, DataArray, DataTree or Estimator"),
    "an array": (np.ones(2), "cannot save ndarray"),
}  # fmt: skip
if np.dtype(np.longdouble).itemsize > 8:
    UNSTORABLE["long doubles"] = (xr.Dataset({"a": ("x", np.ones(1, np.longdouble))}), "a has dtype float128")


@pytest.mark.parametrize(("obj", "message"), UNSTORABLE.values(), ids=UNSTORABLE)
def test_what_cannot_be_stored_is_refused_and_nothing_is_written(tmp_path, obj, message):
    with pytest.raises(StoreError, match=message):
        store.save(obj, tmp_path / "a.zarr")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("name", ["coordinates", "_FillValue", "_Encoding", "dynome", "dynome_string_width"])
def test_attributes_that_the_format_would_swallow_are_refused(tmp_path, name):
    for obj in (small().assign_attrs({name: "MNI"}), small().assign(a=small().a.assign_attrs({name: 1}))):
        with pytest.raises(
            StoreError, match=rf"attrs\['{name}'\] of .* has a name that the file format needs; rename it"
        ):
            store.save(obj, tmp_path / "a.zarr")
    assert os.listdir(tmp_path) == []


def test_all_reasons_are_told_at_once_with_their_place(tmp_path):
    tree = xr.DataTree.from_dict(
        {"/w1": small().assign_attrs(age=None), "/w2/s1": with_name("..").assign(b=("x", np.array([1], "m8[s]")))}
    )
    with pytest.raises(StoreError, match=r"(?s)attrs\['age'\] of /w1: the dataset.*/w2/s1: '..'.*/w2/s1: b has dtype"):
        store.save(tree, tmp_path / "a.zarr")
    assert os.listdir(tmp_path) == []


@settings(max_examples=30, deadline=None)
@given(name=st.text(max_size=6) | NAMES)
def test_a_variable_of_any_name_comes_back_or_is_refused_and_never_lands_elsewhere(name):
    with tempfile.TemporaryDirectory() as folder:
        inner = Path(folder, "inner")
        inner.mkdir()
        try:
            path = store.save(with_name(name), inner / "a.zarr")
        except StoreError:
            assert list(inner.iterdir()) == []
        else:
            assert store.open(path).load().identical(with_name(name))
        assert os.listdir(folder) == ["inner"]


def test_the_parent_must_exist_and_must_not_be_a_store(tmp_path):
    with pytest.raises(StoreError, match=r"the folder .*/nowhere does not exist; make it first"):
        store.save(small(), tmp_path / "nowhere" / "a.zarr")
    path = store.save(small(), tmp_path / "a.zarr")
    with pytest.raises(StoreError, match="is a store itself, which may hold nothing else"):
        store.save(small(), path / "b.zarr")
    store.verify(path)


# --- Overwriting -----------------------------------------------------------------------------------------------------


def foreign(tmp_path, kind):
    target = tmp_path / "mine"
    if kind == "file":
        target.write_text("notes")
    elif kind == "folder":
        target.mkdir()
        (target / "notes.txt").write_text("notes")
    elif kind == "empty folder":
        target.mkdir()
    elif kind == "Zarr of others":
        small().to_zarr(target, consolidated=False)
    elif kind == "link to a store":
        target.symlink_to(store.save(small(), tmp_path / "other.zarr"))
    elif kind == "dangling link":
        target.symlink_to(tmp_path / "nowhere")
    elif kind == "store with notes":
        (store.save(small(), target) / "notes.txt").write_text("notes")
    return target


@pytest.mark.parametrize(
    "kind",
    ["file", "folder", "empty folder", "Zarr of others", "link to a store", "dangling link", "store with notes"],
)
@pytest.mark.parametrize("overwrite", [False, True])
def test_what_dynome_did_not_write_is_never_touched(tmp_path, listing, kind, overwrite):
    target = foreign(tmp_path, kind)
    before = listing()
    message = "holds files that are not of the store: 'notes.txt'" if kind == "store with notes" else "no dynome store"
    with pytest.raises(
        StoreError, match=message if overwrite else "exists; choose another name or pass overwrite=True"
    ):
        store.save(small(2), target, overwrite=overwrite)
    assert listing() == before


def test_a_store_is_replaced_only_when_that_is_asked_for(tmp_path, listing):
    path = store.save(small(1), tmp_path / "a.zarr")
    before = listing()
    with pytest.raises(StoreError, match="exists; choose another name or pass overwrite=True"):
        store.save(small(2), path)
    assert listing() == before
    store.save(small(2).assign(b=1), path, overwrite=True)
    assert store.open(path).load().identical(small(2).assign(b=1))
    assert os.listdir(tmp_path) == ["a.zarr"]


def failing():
    def fail(block, block_info=None):
        if block_info and block_info[0]["chunk-location"] == (1,):
            raise ArithmeticError("this computation fails midway")
        return block

    return xr.Dataset({"a": ("x", da.zeros(2 * 9_000_000, chunks=9_000_000).map_blocks(fail, dtype=float))})


@pytest.mark.parametrize("former", [False, True])
def test_a_save_that_fails_midway_leaves_what_was_there(tmp_path, listing, former):
    path = tmp_path / "a.zarr"
    if former:
        store.save(small(1), path)
    before = listing()
    with pytest.raises(ArithmeticError, match="fails midway"):
        store.save(failing(), path, overwrite=True)
    assert listing() == before


@pytest.mark.parametrize("step", [1, 2])
def test_a_failure_while_the_stores_are_exchanged_leaves_the_former_one(tmp_path, listing, monkeypatch, step):
    path = store.save(small(1), tmp_path / "a.zarr")
    before = listing()
    calls = []
    rename = Path.rename

    def broken(self, target):
        calls.append(self)
        if len(calls) == step:
            raise OSError("the disk is gone")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", broken)
    with pytest.raises(StoreError, match=r"cannot write .*a.zarr: the disk is gone"):
        store.save(small(2), path, overwrite=True)
    assert listing() == before


def test_a_full_disk_is_told_as_a_store_error_and_leaves_nothing(tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(xr.Dataset, "to_zarr", full)
    with pytest.raises(StoreError, match="No space left on device"):
        store.save(small(), tmp_path / "a.zarr")
    assert os.listdir(tmp_path) == []


SLOW_SAVE = """
    import sys, time
    import dask.array as da, numpy as np, xarray as xr
    from dynome import store

    def slow(block, block_info=None):
        if block_info and block_info[0]["chunk-location"] != (0,):
            print("half", flush=True)
            time.sleep(60)
        return block

    x = xr.Dataset({"a": ("x", da.zeros(2 * 9_000_000, chunks=9_000_000).map_blocks(slow, dtype=float))})
    import dask
    with dask.config.set(scheduler="synchronous"):
        store.save(x, sys.argv[1], overwrite=True)
"""


@pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL on Windows")
@pytest.mark.parametrize("former", [False, True])
def test_a_killed_process_leaves_no_half_result_under_the_final_name(tmp_path, former):
    path = tmp_path / "a.zarr"
    if former:
        store.save(small(1), path)
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(SLOW_SAVE), str(path)], stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout.readline() == "half\n"
        process.send_signal(signal.SIGKILL)
    left = [name for name in os.listdir(tmp_path) if name.endswith(".partial")]
    assert len(left) == 1
    if former:
        assert store.open(path).load().identical(small(1))
    else:
        with pytest.raises(
            StoreError, match=rf"no store at .*; '{left[0]}' beside it is what an interrupted save left"
        ):
            store.open(path)
    store.save(small(2), path, overwrite=True)
    assert store.open(path).load().identical(small(2))


def test_a_process_killed_while_stores_are_exchanged_leaves_the_former_one_to_be_renamed(tmp_path):
    path = store.save(small(), tmp_path / "a.zarr")
    path.rename(tmp_path / ".a.zarr.0123abcd.former")
    with pytest.raises(StoreError, match=r"interrupted: rename .a.zarr.0123abcd.former to a.zarr to have the former"):
        store.open(path)


RACING_SAVE = """
    import sys, time
    import numpy as np, xarray as xr
    from pathlib import Path
    from dynome import store
    from dynome.errors import StoreError
    import dask.array, zarr

    folder, name, overwrite = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "True"

    def meet(block):
        (folder / f"ready{name}").touch()
        while not (folder / f"ready{1 - name}").exists():
            time.sleep(0.001)
        return block

    lazy = dask.array.full(50_000, name, chunks=-1).map_blocks(meet, dtype=float, meta=np.zeros(0))
    try:
        store.save(xr.Dataset({"a": ("x", lazy)}), folder / "a.zarr", overwrite=overwrite)
        print("won")
    except StoreError as error:
        print("lost:", error)
"""


@pytest.mark.parametrize("overwrite", [False, True])
def test_of_two_processes_that_save_to_one_name_one_wins_and_the_result_is_whole(tmp_path, overwrite):
    command = [sys.executable, "-c", textwrap.dedent(RACING_SAVE), str(tmp_path)]
    processes = [
        subprocess.Popen([*command, str(k), str(overwrite)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for k in range(2)
    ]
    told = [p.communicate(timeout=120) for p in processes]
    assert [err for _, err in told] == ["", ""]
    winners = [k for k, (out, _) in enumerate(told) if out == "won\n"]
    if overwrite:
        assert winners
    else:
        assert len(winners) == 1
        assert "exists; choose another name or pass overwrite=True" in told[1 - winners[0]][0]
    found = store.open(tmp_path / "a.zarr").load()
    assert set(found.a.values.tolist()) <= {float(k) for k in winners}
    assert found.sizes == {"x": 50_000}
    assert [n for n in os.listdir(tmp_path) if "a.zarr" in n] == ["a.zarr"]


def test_another_store_that_appears_meanwhile_is_not_replaced_unasked(tmp_path, monkeypatch):
    path = tmp_path / "a.zarr"
    to_zarr = xr.Dataset.to_zarr

    def outrun(self, *args, **kwargs):
        monkeypatch.setattr(xr.Dataset, "to_zarr", to_zarr)
        store.save(small(1), path)
        return self.to_zarr(*args, **kwargs)

    monkeypatch.setattr(xr.Dataset, "to_zarr", outrun)
    with pytest.raises(StoreError, match="exists; choose another name"):
        store.save(small(2), path)
    assert store.open(path).load().identical(small(1))
    assert os.listdir(tmp_path) == ["a.zarr"]


def test_a_manifest_says_what_a_store_is(tmp_path):
    path = store.save(small().a, tmp_path / "a.zarr")
    found = store.read_manifest(path)
    assert (found.kind, found.name) == ("dataarray", "a")
    assert found.groups == {"/": {"time": True, "values": False}}
    assert set(found.files) == {"time/zarr.json", "time/c/0", "values/zarr.json", "values/c/0"}
    assert json.loads((path / "zarr.json").read_text())["attributes"]["dynome"]["format"] == 1


def test_a_relative_path_and_a_path_as_text_are_the_same_store(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert store.save(small(), "a.zarr") == tmp_path / "a.zarr"
    assert store.open("./a.zarr").load().identical(small())


def test_opening_is_quick_for_a_study_of_many_sessions(tmp_path):
    study = xr.DataTree.from_dict({f"/w{k:03d}/s1": schema_example() for k in range(20)})
    path = store.save(study, tmp_path / "a.zarr")

    def seconds():
        started = time.perf_counter()
        store.open(path)
        return time.perf_counter() - started

    assert min(seconds() for _ in range(2)) < 20 * 0.15
