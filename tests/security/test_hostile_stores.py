"""Evidence for store/: a store that was made to do harm costs no memory and no time, and reads no other files."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import struct
import threading
import tracemalloc
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from numcodecs.zstd import Zstd

from dynome import schema, store
from dynome.batch.content import StoredStudy
from dynome.dynamics import NonnegativeCP
from dynome.errors import StoreError
from dynome.store import chunks, manifest, variables

MIB = 2**20


def example() -> xr.Dataset:
    return schema.recording(np.arange(12.0).reshape(4, 3), time=np.arange(4) / 2, node=["a", "b", "c"], units="dF/F")


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    return store.save(example(), tmp_path_factory.mktemp("sound") / "a.zarr")


@pytest.fixture
def hostile(sound, tmp_path):
    return Path(shutil.copytree(sound, tmp_path / "a.zarr"))


def reseal(path: Path) -> None:
    """Sizes and checksums are right again: what somebody does who wants a changed store to be believed."""
    root = json.loads((path / "zarr.json").read_text())
    entry = root["attributes"]["dynome"]
    entry["files"], entry["group_sha256"] = manifest._files(path), {}
    entry["chunks"] = ""
    entry["sha256"] = manifest._checksum(root, manifest._metadata(path, entry["files"]))
    (path / "zarr.json").write_text(json.dumps(root))


def with_checksum(content: bytes) -> bytes:
    from google_crc32c import value

    return content + struct.pack("<I", value(content))


def change(path: Path, array: str, **fields: object) -> None:
    file = path / array / "zarr.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **fields}))


def load(path: Path) -> xr.Dataset:
    return store.open(path).load()


@contextmanager
def little_memory(most: int = 20 * MIB):
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < most
    finally:
        tracemalloc.stop()


def repeated(size: int) -> bytes:
    """A zstd frame that does not say its size, of `size` zeros in blocks of one byte each."""
    blocks, n = [], size >> 17
    for k in range(n):
        blocks.append(struct.pack("<I", (1 << 17) << 3 | 0b010 | (k == n - 1))[:3] + b"\0")
    return bytes.fromhex("28b52ffd0058") + b"".join(blocks)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (bytes(Zstd(level=1).encode(np.zeros(256 * MIB, "u1"))), "claims 268435456 bytes, its array has 96 for it"),
        (bytes(Zstd(level=1).encode(b"\0" * 88)), "claims 88 bytes, its array has 96 for it"),
        (repeated(256 * MIB), "is no chunk of a dynome store"),
        (bytes.fromhex("28b52ffd") + b"\xe0" + b"\xff" * 8, "claims 18446744073709551615 bytes"),
        (gzip.compress(b"\0" * 96), "is no chunk of a dynome store"),
        (b"", "is no chunk of a dynome store"),
    ],
    ids=["a bomb", "too little", "a bomb without a size", "all memory there is", "gzip", "nothing"],
)
def test_a_chunk_is_refused_before_it_is_unpacked(hostile, content, message):
    (hostile / "activity/c/0/0").write_bytes(with_checksum(content))
    reseal(hostile)
    opened = store.open(hostile)
    with little_memory():
        with pytest.raises(StoreError, match=message):
            opened.load()
        with pytest.raises(StoreError, match=message):
            store.verify(hostile)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (struct.pack("<I", 2**28), "claims 268435456 texts, its array has 3 for it"),
        (struct.pack("<I", 3) + struct.pack("<I", 2**31) * 3, "damaged"),
        (b"\0" * (64 * MIB), r"claims 67108864 bytes of text, at most \d+ are read"),
    ],
)
def test_texts_are_counted_before_memory_is_spent_on_them(hostile, content, message):
    (hostile / "node/c/0").write_bytes(with_checksum(bytes(Zstd(level=1).encode(content))))
    reseal(hostile)
    with little_memory(), pytest.raises(StoreError, match=message):
        store.open(hostile)


GZIP = [{"name": "bytes", "configuration": {"endian": "little"}}, {"name": "gzip", "configuration": {"level": 1}}]
SHARDS = {"name": "sharding_indexed", "configuration": {"chunk_shape": [1, 1], "codecs": GZIP, "index_codecs": GZIP}}
WIDE = {"name": "fixed_length_utf32", "configuration": {"length_bytes": 4 * 10**9}}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"codecs": GZIP}, "codecs 'bytes', 'gzip' are not those of dynome"),
        ({"codecs": [SHARDS]}, "codecs 'sharding_indexed' are not those of dynome"),
        ({"codecs": [{"name": "numcodecs.pickle"}]}, "codecs 'numcodecs.pickle' are not"),
        ({"data_type": WIDE, "fill_value": ""}, "is none of numbers, bool and string"),
        ({"data_type": "variable_length_bytes"}, "is none of numbers, bool and string"),
        ({"data_type": "object"}, "is none of numbers, bool and string"),
        ({"shape": [1] * 1000}, "1000 dims in chunks of 2 dims"),
        ({"chunk_key_encoding": {"name": "v2", "configuration": {"separator": "."}}}, "are not named as dynome names"),
        ({"storage_transformers": [{"name": "x"}]}, "are not named as dynome names"),
        ({"chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [2**20, 2**20]}}}, "more than 256 MiB"),
    ],
)  # fmt: skip
def test_arrays_that_dynome_does_not_write_are_refused(hostile, fields, message):
    change(hostile, "activity", **fields)
    reseal(hostile)
    for reader in (store.open, store.verify):
        with little_memory(), pytest.raises(StoreError, match=message):
            reader(hostile)


def test_chunks_that_exchange_places_are_noticed(tmp_path, monkeypatch):
    """Two chunks of one size and sound checksums: only what the manifest knows of them tells."""
    monkeypatch.setattr(variables, "CHUNK_BYTES", 2**15)
    noise = np.frombuffer(np.random.default_rng(0).bytes(8 * 16384), "u8")  # cannot be packed: chunks of one size
    path = store.save(xr.Dataset({"a": ("time", noise)}), tmp_path / "a.zarr")
    first, second = path / "a/c/0", path / "a/c/1"
    assert first.stat().st_size == second.stat().st_size
    store.verify(path)
    first.rename(tmp_path / "x")
    second.rename(first)
    (tmp_path / "x").rename(second)
    with pytest.raises(StoreError, match="chunks are not those that were written: some are damaged, exchanged"):
        store.verify(path)


def test_a_chunk_that_vanishes_after_opening_is_no_fill_value(hostile):
    opened = store.open(hostile)
    (hostile / "activity/c/0/0").unlink()
    with pytest.raises(StoreError, match="is gone since the store was opened"):
        opened.load()


def in_time(function, seconds: float = 20.0) -> BaseException | None:
    """What a function raised; reading a pipe would never end."""
    told: list[BaseException | None] = []

    def run() -> None:
        try:
            function()
        except BaseException as error:
            told.append(error)
        else:
            told.append(None)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    assert told, "it hangs"
    return told[0]


@pytest.mark.parametrize("place", ["activity/c/0/0", "zarr.json", "extra"])
def test_a_pipe_in_a_store_is_not_waited_for(hostile, place):
    (hostile / place).unlink(missing_ok=True)
    if place == "activity/c/0/0":
        os.mkfifo(hostile / place)
        reseal(hostile)
    else:
        os.mkfifo(hostile / place)
    for reader in (
        (store.open, store.verify, store.read_manifest) if place == "zarr.json" else (store.open, store.verify)
    ):
        told = in_time(lambda reader=reader: reader(hostile))
        assert isinstance(told, StoreError)
        assert "pipe" in str(told)


def test_a_pipe_in_a_study_is_not_waited_for_when_its_sessions_are_compared(tmp_path):
    path = store.save(xr.DataTree.from_dict({"/w1/s1": example()}), tmp_path / "a.zarr")
    before = StoredStudy(path).checksum("/w1/s1")
    (path / "w1/s1/activity/c/0/0").unlink()
    os.mkfifo(path / "w1/s1/activity/c/0/0")
    after: list[str] = []
    assert in_time(lambda: after.append(StoredStudy(path).checksum("/w1/s1"))) is None
    assert after != [before]


def test_metadata_that_are_a_link_are_not_followed(hostile):
    (hostile / "zarr.json").unlink()
    (hostile / "zarr.json").symlink_to("/dev/zero")
    for reader in (store.open, store.verify, store.read_manifest):
        with little_memory(), pytest.raises(StoreError, match="is a link or a pipe, or has more than 128 MiB"):
            reader(hostile)


def test_metadata_of_gigabytes_are_not_read(hostile):
    for name in ("zarr.json", "activity/zarr.json"):
        with (hostile / name).open("r+b") as file:
            file.truncate(2**33)  # a hole: it takes no room on the disk
        with little_memory(), pytest.raises(StoreError, match=r"128 MiB|another size"):
            store.open(hostile)


def test_a_study_in_which_a_session_is_a_link_is_refused(tmp_path):
    study = xr.DataTree.from_dict({"/w1/s1": example(), "/w2/s1": example()})
    path = store.save(study, tmp_path / "a.zarr")
    shutil.move(path / "w1", tmp_path / "w1")
    (path / "w1").symlink_to(tmp_path / "w1")
    with pytest.raises(StoreError, match="a store holds no links, found 'w1'"):
        store.open_groups(path, ["/w1/s1"])


# --- Estimators ------------------------------------------------------------------------------------------------------


def with_parameters(**params: object) -> xr.DataTree:
    tree = xr.DataTree(xr.Dataset(attrs={"dynome_params": json.dumps(params)}))
    tree["results"] = xr.DataTree(xr.Dataset({"a": ("x", [1.0])}))
    return tree


def test_a_stored_estimator_brings_no_cache_of_pickles():
    pipeline = {"object": "sklearn.pipeline:Pipeline", "params": {"steps": {"list": []}, "memory": "/tmp/mine"}}
    import sklearn.pipeline  # noqa: F401  (only classes that are imported are found)

    with pytest.raises(StoreError, match="would cache with pickle in '/tmp/mine'; not loaded"):
        NonnegativeCP.from_tree(with_parameters(rank=pipeline))


@pytest.mark.parametrize(
    "name", ["os:system", "subprocess:Popen", "builtins:eval", "dynome.store.classes:Storable", ":", ""]
)
def test_only_estimators_are_found_by_name(hostile, name):
    root = json.loads((hostile / "zarr.json").read_text())
    root["attributes"]["dynome"].update(kind="estimator", name=name)
    (hostile / "zarr.json").write_text(json.dumps(root))
    reseal(hostile)
    with pytest.raises(StoreError, match="no estimator known here"):
        store.open(hostile)


def test_parameters_that_nest_without_end_are_refused():
    deep = "[" * 100_000
    tree = with_parameters()
    tree.attrs["dynome_params"] = deep
    with pytest.raises(StoreError, match="parameters or results cannot be read"):
        NonnegativeCP.from_tree(tree)


def test_the_frame_of_every_chunk_that_is_written_says_its_size(sound):
    for file in sound.rglob("c/*"):
        if file.is_file():
            assert chunks.frame_bytes(file.read_bytes()) is not None
