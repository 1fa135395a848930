"""Evidence for store/: damaged, foreign and hostile stores give clear errors, no wrong numbers, and cost no memory."""

from __future__ import annotations

import json
import os
import shutil
import tracemalloc
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings

from dynome import schema, store
from dynome.errors import StoreError
from dynome.store import manifest


def example():
    """A study with labels, text, empty and scalar variables."""
    rec = schema.recording(
        np.arange(12.0).reshape(4, 3),
        time=np.arange(4) / 2,
        node=["AVAL", "AVAR", "ΩL"],
        units="dF/F",
        covariates={"state": ("time", ["run", "", "turn", "run"])},
        attrs={"subject": "worm1"},
    )
    rec = rec.assign_coords(age=3, cell_type=("node", ["inter", "inter", "motor"]))
    return xr.DataTree.from_dict(
        {"/": xr.Dataset(attrs={"paper": "x"}), "/w1/s1": rec, "/w2/s1": rec.isel(time=[0, 2])}
    )


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    return store.save(example(), tmp_path_factory.mktemp("sound") / "a.zarr")


@pytest.fixture
def damaged(sound, tmp_path):
    """A copy that a test may spoil."""
    return Path(shutil.copytree(sound, tmp_path / "a.zarr"))


def files(path):
    return [p.relative_to(path).as_posix() for p in sorted(path.rglob("*")) if p.is_file()]


def edit(path, change):
    """Change the metadata of the root."""
    root = json.loads((path / "zarr.json").read_text())
    change(root)
    (path / "zarr.json").write_text(json.dumps(root))


def reseal(path, change=lambda entry: None):
    """What somebody does who wants a changed store to be believed: lists, sizes and checksum are right again."""
    root = json.loads((path / "zarr.json").read_text())
    entry = root["attributes"]["dynome"]
    entry["files"] = manifest._files(path)
    change(entry)
    present = {f: n for f, n in entry["files"].items() if (path / f).is_file()}
    entry["sha256"] = manifest._checksum(root, manifest._metadata(path, present))
    (path / "zarr.json").write_text(json.dumps(root))


def refuse(path, message):
    for reader in (store.open, store.verify):
        with pytest.raises(StoreError, match=message):
            reader(path)


# --- Incomplete ------------------------------------------------------------------------------------------------------


def test_a_store_that_was_resealed_without_change_is_sound(damaged):
    reseal(damaged)
    store.verify(damaged)
    assert store.open(damaged).load().identical(example())


def test_every_file_that_is_missing_is_told(sound, tmp_path):
    for number, file in enumerate(files(sound)):
        path = Path(shutil.copytree(sound, tmp_path / f"{number}.zarr"))
        (path / file).unlink()
        if file == "zarr.json":
            refuse(path, "was not written by dynome; if it is a Zarr store, open it with xarray.open_datatree")
        else:
            refuse(path, rf"(?s)is damaged; restore it from a copy.*1 of \d+ files are missing: '{file}'")


def test_every_file_that_is_cut_short_is_told(sound, tmp_path):
    for number, file in enumerate(files(sound)):
        path = Path(shutil.copytree(sound, tmp_path / f"{number}.zarr"))
        content = (path / file).read_bytes()
        (path / file).write_bytes(content[:-1])
        refuse(path, "damaged" if file == "zarr.json" else f"another size than when they were written: '{file}'")


def test_all_that_is_wrong_with_the_files_is_told_at_once(damaged):
    (damaged / "w1/s1/activity/c/0/0").unlink()
    (damaged / "w2/s1/time/c/0").write_bytes(b"")
    (damaged / "w2/notes.txt").write_text("mine")
    refuse(
        damaged,
        r"(?s)1 of .*missing: 'w1/s1/activity/c/0/0'.*1 files were added.*'w2/notes.txt'.*another size.*time/c/0",
    )


def test_an_empty_file_and_an_empty_folder_are_no_stores(tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    refuse(tmp_path / "file", "is not a folder")
    refuse(tmp_path / "folder", "was not written by dynome")
    refuse(tmp_path / "nothing", "no store at .*nothing$")


def test_a_zarr_store_of_others_is_told_with_what_to_do(tmp_path):
    xr.Dataset({"a": ("x", [1])}).to_zarr(tmp_path / "v3.zarr", consolidated=False)
    xr.Dataset({"a": ("x", [1])}).to_zarr(tmp_path / "v2.zarr", consolidated=False, zarr_format=2)
    for path in (tmp_path / "v3.zarr", tmp_path / "v2.zarr"):
        refuse(
            path, r"not written by dynome.*xarray.open_datatree, check it .*schema.validate, and keep it .*store.save"
        )


# --- Bit rot ---------------------------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_flipped_bit_is_an_error_and_never_a_wrong_number(sound, tmp_path_factory, data):
    file = data.draw(st.sampled_from(files(sound)))
    content = bytearray((sound / file).read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= 1 << data.draw(st.integers(0, 7))
    path = Path(shutil.copytree(sound, tmp_path_factory.mktemp("rot") / "a.zarr"))
    (path / file).write_bytes(bytes(content))
    try:
        found = store.open(path)
    except StoreError:
        return  # metadata and coordinates are looked at when a store is opened
    if Path(file).name == "zarr.json":
        assert found.load().identical(example())  # a blank between two words of JSON
        return
    with pytest.raises(StoreError, match="is damaged; restore it from a copy"):
        store.verify(path)
    with pytest.raises(Exception, match=r"checksum|is no chunk|its array has \d+ for it|bytes of text|is damaged"):
        found.load()


def test_a_changed_number_in_the_metadata_is_told(damaged):
    for file, old, new in [
        ("w1/s1/activity/zarr.json", "dF/F", "dG/G"),
        ("w1/s1/time/zarr.json", '"s"', '"h"'),
        ("w1/s1/zarr.json", "worm1", "worm2"),
    ]:
        text = (damaged / file).read_text()
        assert old in text
        (damaged / file).write_text(text.replace(old, new))
        refuse(damaged, r"metadata \(zarr.json\) were changed after the store was written")
        (damaged / file).write_text(text)
    edit(damaged, lambda root: root["attributes"].update(paper="y"))
    refuse(damaged, "metadata .* were changed")


# --- Manifests that lie ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "3",
        "null",
        '"text"',
        "{",
        '{"attributes": []}',
        '{"attributes": {"dynome": 3}}',
        '{"attributes": {"dynome": {}}}',
        '{"attributes": {"dynome": {"format": "one"}}}',
        "[" * 200_000,
        '{"a":' * 100_000,
        "1" * 10_000,
        "\x00\x01\x02",
    ],
    ids=range(14),
)
def test_metadata_that_are_no_metadata_are_told(damaged, text):
    (damaged / "zarr.json").write_text(text)
    refuse(damaged, r"zarr.json is damaged \(\w+: .*; restore the store from a copy")


def test_metadata_that_are_no_text_are_told(damaged):
    (damaged / "zarr.json").write_bytes(b"\xff\xfe{}")
    refuse(damaged, r"zarr.json is damaged \(UnicodeDecodeError")
    (damaged / "zarr.json").unlink()
    (damaged / "zarr.json").mkdir()
    refuse(damaged, r"zarr.json is damaged \(IsADirectoryError")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("kind", "zebra"),
        ("kind", None),
        ("files", []),
        ("files", {"a": "big"}),
        ("groups", {"/": ["a"]}),
        ("groups", 3),
        ("format", None),
    ],
)
def test_a_manifest_with_odd_fields_is_told(damaged, field, value):
    edit(damaged, lambda root: root["attributes"]["dynome"].update({field: value}))
    refuse(damaged, r"zarr.json is damaged \(\w+: ")


@pytest.mark.parametrize("field", ["kind", "name", "files", "groups", "sha256", "dynome_version", "format"])
def test_a_manifest_without_a_field_is_told(damaged, field):
    edit(damaged, lambda root: root["attributes"]["dynome"].pop(field))
    refuse(damaged, rf"zarr.json is damaged \(KeyError: '{field}'")


def test_a_store_of_a_newer_dynome_is_told_whatever_it_looks_like(damaged):
    def renew(root):
        root["attributes"]["dynome"] = {"format": manifest.FORMAT + 1, "dynome_version": "9.9", "all": "different"}

    edit(damaged, renew)
    refuse(damaged, "was written by dynome 9.9; upgrade dynome to read it")


@pytest.mark.parametrize("outside", ["../secret", "/etc/passwd", "w1/../../secret"])
def test_a_manifest_that_points_outside_is_not_believed(damaged, outside):
    (damaged.parent / "secret").write_text("mine")
    edit(damaged, lambda root: root["attributes"]["dynome"]["files"].update({outside: 4}))
    refuse(damaged, rf"lists files outside itself \('{outside}'\); do not trust this store")


@pytest.mark.parametrize("group", ["/../other", "/w1/../../other", "/w1/s1/../../../other", "/nowhere"])
def test_a_group_outside_is_never_read(damaged, group):
    other = xr.Dataset({"a": ("x", [1])})
    store.save(other, damaged.parent / "other")
    reseal(damaged, lambda entry: entry["groups"].update({group: {"a": False}}))
    with pytest.raises(StoreError, match="damaged and cannot be opened"):
        store.open(damaged)


@pytest.mark.parametrize("name", ["../../../other/a", "..", "/other/a", "nothing", ""])
def test_a_variable_outside_is_never_read(damaged, name):
    store.save(xr.Dataset({"a": ("x", [1])}), damaged.parent / "other")
    reseal(damaged, lambda entry: entry["groups"]["/w1/s1"].update({name: False}))
    with pytest.raises(StoreError, match="damaged and cannot be opened"):
        store.open(damaged)


@pytest.mark.parametrize("what", ["file", "folder", "dangling"])
def test_links_inside_a_store_are_refused(damaged, what):
    if what == "file":
        chunk = damaged / "w1/s1/activity/c/0/0"
        chunk.rename(damaged.parent / "chunk")
        chunk.symlink_to(damaged.parent / "chunk")
    elif what == "folder":
        (damaged / "w2").rename(damaged.parent / "w2")
        (damaged / "w2").symlink_to(damaged.parent / "w2")
    else:
        (damaged / "w1/more").symlink_to("/nowhere")
    refuse(damaged, "a store holds no links, found '")


def test_a_link_to_a_store_may_be_opened(sound, tmp_path):
    (tmp_path / "link").symlink_to(sound)
    assert store.open(tmp_path / "link").load().identical(example())


# --- Metadata that claim too much ------------------------------------------------------------------------------------


def reshape(path, array, shape=None, chunk=None, **attributes):
    file = path / array / "zarr.json"
    node = json.loads(file.read_text())
    node["shape"] = shape or node["shape"]
    node["chunk_grid"]["configuration"]["chunk_shape"] = chunk or node["chunk_grid"]["configuration"]["chunk_shape"]
    node["attributes"].update(attributes)
    file.write_text(json.dumps(node))
    reseal(path)


HUGE = 10**15


@pytest.mark.parametrize(
    ("array", "change", "message"),
    [
        (
            "w1/s1/time",
            {"shape": [HUGE], "chunk": [HUGE]},
            r"a chunk of \[1000000000000000\] values claims more than 256 MiB",
        ),
        ("w1/s1/time", {"shape": [HUGE]}, r"w1/s1/time needs 250000000000000 chunks, found 1"),
        ("w1/s1/activity", {"shape": [HUGE, 3], "chunk": [1, 1]}, "activity needs 3000000000000000 chunks, found 1"),
        ("w1/s1/activity", {"shape": [5, 3]}, "activity needs 2 chunks, found 1"),
        ("w1/s1/activity", {"shape": [4]}, "zarr.json cannot be read"),
        ("w1/s1/activity", {"chunk": [0, 0]}, "zarr.json cannot be read"),
        ("w1/s1/activity", {"shape": [-4, 3]}, r"shape \[-4, 3\] in chunks of \[4, 3\]"),
        ("w1/s1/activity", {"shape": ["many", 3]}, "zarr.json cannot be read"),
        (
            "w1/s1/activity",
            {"shape": [3, 3], "chunk": [3, 3]},
            "cannot be opened: conflicting sizes for dimension 'time'",
        ),
        ("w1/s1/node", {"dynome_string_width": 5 * 10**8}, r"node claims .* GiB"),
        ("w1/s1/node", {"dynome_string_width": 10**12}, "cannot be opened"),
        ("w1/s1/node", {"dynome_string_width": -1}, "cannot be opened"),
        ("w1/s1/node", {"dynome_string_width": "wide"}, "cannot be opened"),
        ("w1/s1/state", {"dynome_string_table": "nowhere"}, "cannot be opened"),
        ("w1/s1/state", {"dynome_string_table": "../../../other/a"}, "cannot be opened"),
    ],
)
def test_claims_are_refused_before_memory_is_spent(damaged, array, change, message):
    reshape(damaged, array, **change)
    tracemalloc.start()
    try:
        with pytest.raises(StoreError, match=message):
            store.open(damaged)
        assert tracemalloc.get_traced_memory()[1] < 50 * 2**20
    finally:
        tracemalloc.stop()


def test_an_array_in_place_of_a_group_is_told(damaged):
    reseal(damaged, lambda entry: entry["groups"].update({"/w1/s1/time": {"a": False}}))
    with pytest.raises(StoreError, match="cannot be opened"):
        store.open(damaged)


def test_a_coordinate_that_could_not_be_opened_again_is_not_saved(tmp_path):
    n = 600_000_000
    clock = xr.Variable("time", np.broadcast_to(np.float64(0), (n,)))  # no memory is spent on it
    with pytest.raises(StoreError, match="time is a coordinate of more than 4 GiB; make it a data variable"):
        store.save(xr.Dataset(coords=xr.Coordinates({"time": clock}, indexes={})), tmp_path / "a.zarr")
    assert os.listdir(tmp_path) == []


def test_codes_that_point_beyond_their_table_are_an_error(tmp_path):
    n = 100_000
    path = store.save(xr.Dataset({"kind": ("edge", np.repeat(["a", "b"], n // 2))}), tmp_path / "a.zarr")
    table = path / "kind_labels"
    shutil.rmtree(table)
    other = store.save(xr.Dataset({"kind_labels": ("kind_labels_row", ["a"])}), tmp_path / "b.zarr")
    shutil.copytree(other / "kind_labels", table)
    reseal(path)
    with pytest.raises(IndexError, match="out of bounds"):
        store.open(path).load()


@pytest.mark.parametrize(
    "change",
    [
        lambda attributes: attributes.update(paper="y"),
        lambda attributes: attributes["dynome"]["groups"]["/w1/s1"].pop("activity"),
        lambda attributes: attributes["dynome"]["group_sha256"].pop("/w1/s1"),
    ],
)
def test_changed_metadata_of_the_root_are_seen_when_one_group_is_opened(sound, tmp_path, change):
    path = Path(shutil.copytree(sound, tmp_path / "a.zarr"))
    root = json.loads((path / "zarr.json").read_text())
    change(root["attributes"])
    (path / "zarr.json").write_text(json.dumps(root))
    assert list(store.open_groups(sound, ["/w1/s1"]).children) == ["w1"]
    with pytest.raises(StoreError, match="of / were changed"):
        store.open_groups(path, ["/w1/s1"])
