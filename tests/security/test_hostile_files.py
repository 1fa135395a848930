"""Evidence for the readers: files made to do harm are refused before memory, time or other files are spent on them."""

from __future__ import annotations

import gzip
import io
import os
import struct
import tarfile
import tracemalloc
import zipfile
from contextlib import contextmanager

import numpy as np
import pytest

from dynome import datasets, schema
from dynome.datasets.formats import nwb_trust, tables
from dynome.datasets.formats.nodes import MAX_LABEL
from dynome.errors import FormatError, StoreError
from dynome.store.numpy_files import read_npy, read_npz

MIB = 2**20


@contextmanager
def little_memory(most: int = 30 * MIB):
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < most
    finally:
        tracemalloc.stop()


# --- NumPy -----------------------------------------------------------------------------------------------------------


def npy(header: bytes, version: bytes = b"\x01\0", length: int | None = None) -> bytes:
    counter = struct.pack("<H" if version == b"\x01\0" else "<I", len(header) if length is None else length)
    return b"\x93NUMPY" + version + counter + header


def described(descr: str, shape: str) -> bytes:
    return f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}}}\n".encode()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (npy(b" " * 100, b"\x02\0", 2**31), "claims a header of 2147483648 bytes, at most 10000 are read"),
        (npy(described("'|O'", "(1,)")), "holds Python objects"),
        (npy(described("[('a', '|O')]", "(1,)")), "holds Python objects"),
        (npy(described("'<f8'", "(1000000000000,)")), "claims shape"),
        (npy(described("'<f8'", "(-2, -4)")) + bytes(64), "claims shape"),
        (npy(described("'<U1000000000'", "(1,)")), "damaged or no file of numpy"),
        (npy(described("'<f8'", "(" * 3000)), "damaged or no file of numpy"),
        (npy(described("'<f8'", "-" * 5000 + "1")), "damaged or no file of numpy"),
        (npy(described("__import__('os').system('id')", "(1,)")), "damaged or no file of numpy"),
        (b"", "damaged or no file of numpy"),
    ],
)
def test_a_numpy_header_is_not_believed(tmp_path, content, message):
    (tmp_path / "a.npy").write_bytes(content)
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.npy", content)
    with little_memory():
        with pytest.raises(FormatError, match=message):
            read_npy(tmp_path / "a.npy")
        with pytest.raises(FormatError, match=message):
            read_npz(tmp_path / "a.npz")


def test_a_long_header_that_was_packed_small_is_not_unpacked(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.npy", npy(b" " * 100, b"\x02\0", 2**28) + b" " * (32 * MIB))
    with little_memory(), pytest.raises(FormatError, match="claims a header of 268435456 bytes"):
        read_npz(tmp_path / "a.npz")


# --- Archives --------------------------------------------------------------------------------------------------------


def refuse_archive(path, message, **limits):
    out = path.parent / "out"
    with little_memory(), pytest.raises(FormatError, match=message):
        datasets.extract_archive(path, out, **limits)
    assert not out.exists()
    assert sorted(path.parent.iterdir()) == [path]


def test_a_tar_header_of_gigabytes_is_not_read(tmp_path):
    info = tarfile.TarInfo("x")
    info.type, info.size = tarfile.XHDTYPE, 2**28
    with gzip.open(tmp_path / "a.tar.gz", "wb", 1) as file:
        file.write(info.tobuf(tarfile.GNU_FORMAT))
        for _ in range(64):
            file.write(bytes(MIB))
    refuse_archive(tmp_path / "a.tar.gz", "a header claims 268,435,456 bytes")


def test_a_tar_member_that_claims_too_much_is_not_skipped_over(tmp_path):
    """To reach the next member, all of this one would have to be unpacked."""
    info = tarfile.TarInfo("x")
    info.size = 10**13
    with gzip.open(tmp_path / "a.tar.gz", "wb", 1) as file:
        file.write(info.tobuf(tarfile.GNU_FORMAT))
        for _ in range(32):
            file.write(bytes(MIB))
    refuse_archive(tmp_path / "a.tar.gz", "it holds 10,000,000,000,000 bytes, more than max_bytes=")


def test_a_zip_whose_names_are_no_text_is_told(tmp_path):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("aé.txt", "x")
    (tmp_path / "a.zip").write_bytes(stream.getvalue().replace("é".encode(), b"\xff\xfe"))
    refuse_archive(tmp_path / "a.zip", "cannot be unpacked: damaged or encrypted")


def test_a_name_that_no_file_system_has_is_told(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a" * 3000, "x")
    refuse_archive(tmp_path / "a.zip", "has too long a name")


@pytest.mark.parametrize("opener", [gzip.open, __import__("bz2").open, __import__("lzma").open])
def test_every_kind_of_tar_is_still_unpacked(tmp_path, opener):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name in ("a/b.txt", "a/" + "long" * 40):
            info = tarfile.TarInfo(name)
            info.size = 3
            archive.addfile(info, io.BytesIO(b"xyz"))
    with opener(tmp_path / "a.tar.x", "wb") as file:
        file.write(stream.getvalue())
    assert [p.read_bytes() for p in datasets.extract_archive(tmp_path / "a.tar.x", tmp_path / "out")] == [b"xyz"] * 2


# --- Tables ----------------------------------------------------------------------------------------------------------


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.csv")
    for read in (datasets.read_any, datasets.read_edges, datasets.read_timeseries, datasets.read_nwb):
        with pytest.raises(StoreError, match="is a pipe or a device"):
            read(tmp_path / "a.csv")


def test_a_table_of_very_many_columns_is_refused_at_once(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"1," * 300_000 + b"1\n" + b"1," * 300_000 + b"1\n")
    with pytest.raises(FormatError, match=f"has 300,000 columns, at most {tables.MAX_COLUMNS:,} are read"):
        datasets.read_timeseries(tmp_path / "a.csv", rate=1.0)


def test_one_long_label_does_not_make_all_labels_long(tmp_path):
    rows = "".join(f"n{k},m{k},1\n" for k in range(2000))
    (tmp_path / "a.csv").write_text(f"pre,post,weight\n{'A' * 100_000},B,1\n{rows}")
    with little_memory(), pytest.raises(FormatError, match=f"a label has 100,000 characters, at most {MAX_LABEL:,}"):
        datasets.read_edges(tmp_path / "a.csv", units="1")


def test_a_long_text_that_a_parquet_file_says_a_million_times_is_not_written_out(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    n = 100_000
    long = pa.DictionaryArray.from_arrays(pa.array(np.zeros(n, "i4")), pa.array(["A" * 200_000]))
    columns = {"pre": long, "post": long, "weight": np.ones(n)}
    pq.write_table(pa.table(columns), tmp_path / "a.parquet", store_schema=False)
    assert (tmp_path / "a.parquet").stat().st_size < MIB
    before = pa.total_allocated_bytes()
    with pytest.raises(FormatError, match="a label has 200,000 characters"):
        datasets.read_edges(tmp_path / "a.parquet", units="1")
    assert pa.default_memory_pool().max_memory() - before < 200 * MIB


def test_graphml_with_entities_is_refused(tmp_path):
    laughs = "".join(f'<!ENTITY l{k + 1} "{f"&l{k};" * 10}">' for k in range(9))
    text = f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY l0 "ha">{laughs}]><graphml>&l9;</graphml>'
    (tmp_path / "a.graphml").write_text(text)
    with little_memory(), pytest.raises(FormatError, match="declares a document type or entities"):
        datasets.read_graphml(tmp_path / "a.graphml")


# --- HDF5 ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def hdf5(tmp_path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "a.nwb", "w") as file:
        file.create_group("g").create_dataset("d", data=np.ones(3))
        yield file


def refuse_hdf5(file, message):
    path = file.filename
    file.close()
    with little_memory(), pytest.raises(FormatError, match=message):
        nwb_trust.check_hdf5(path)


def test_a_plain_hdf5_file_is_read(hdf5):
    hdf5["g/again"] = hdf5["g/d"]
    import h5py

    hdf5["soft"], hdf5["nowhere"] = h5py.SoftLink("/g/d"), h5py.SoftLink("/none")
    path = hdf5.filename
    hdf5.close()
    nwb_trust.check_hdf5(path)


def test_hdf5_that_leads_to_other_files_is_refused(hdf5, tmp_path):
    import h5py

    hdf5["out"] = h5py.ExternalLink("/etc/passwd", "/")
    hdf5.create_dataset("raw", shape=(8,), dtype="u1", external=[("/etc/passwd", 0, 8)])
    layout = h5py.VirtualLayout(shape=(3,), dtype="f8")
    layout[:] = h5py.VirtualSource(tmp_path / "other.h5", "d", shape=(3,))
    hdf5.create_virtual_dataset("virtual", layout)
    refuse_hdf5(
        hdf5,
        r"(?s)'/out' leads to another file \('/etc/passwd'\).*'/raw' keeps its values in another file.*"
        r"'/virtual' takes its values from other files",
    )


def test_hdf5_that_holds_itself_is_refused(hdf5):
    hdf5["g/itself"] = hdf5["g"]
    refuse_hdf5(hdf5, "more than 100,000 objects, or they lie more than 64 deep, as where a group holds itself")


def test_hdf5_that_claims_what_it_does_not_hold_is_refused(hdf5):
    import h5py

    hdf5.create_dataset("huge", shape=(10**12,), dtype="f8", chunks=(1000,))
    hdf5.create_dataset("chunk", shape=(10,), maxshape=(None,), dtype="f8", chunks=(2**28,))
    hdf5.create_dataset("texts", shape=(10**9,), dtype=h5py.string_dtype(), chunks=(1000,))
    refuse_hdf5(
        hdf5,
        r"(?s)'/chunk' has chunks of 2,147,483,648 bytes.*'/huge' claims 8,000,000,000,000 bytes, of which 0 lie.*"
        r"'/texts' claims ",
    )


def test_nwb_whose_traces_name_rows_that_are_not_there_is_refused(tmp_path):
    h5py = pytest.importorskip("h5py")
    pytest.importorskip("pynwb")
    rec = schema.recording(np.ones((3, 2)), time=[0.0, 0.5, 1.0], node=["a", "b"], units="dF/F", node_kind="neuron")
    path = datasets.write_nwb(rec, tmp_path / "a.nwb")
    for wrong in (-1, 7):
        with h5py.File(path, "r+") as file:
            file[file.visititems(lambda name, _: name if name.endswith("/rois") else None)][1] = wrong
        with pytest.raises(FormatError, match=rf"names row {wrong} of 2|cannot be read as an NWB file"):
            datasets.read_nwb(path)
