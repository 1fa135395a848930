"""Numpy files: ``.npy`` and ``.npz`` without pickle, checked against what the file can hold."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from dynome.datasets.formats.files import check_shape
from dynome.errors import FormatError

SUFFIXES = (".npy", ".npz")


def read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """The arrays of a numpy file by name; the single array of ``.npy`` is called ``"array"``.

    Parameters
    ----------
    path : Path
        ``.npy`` or ``.npz``.

    Raises
    ------
    FormatError
        If an array holds Python objects, or claims more than the file holds or the memory should.
    """
    if path.suffix.lower() == ".npz":
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if name.endswith(".npy")]
            check_shape((sum(info.file_size for info in archive.infolist()),), 1, f"{path.name}, unpacked,")
            return {name.removesuffix(".npy"): _member(archive, name) for name in names}
    with path.open("rb") as stream:
        shape, _, dtype = _header(stream, path.name)
        check_shape(shape, dtype.itemsize, path.name)
    # Memory-mapping fails where the file is shorter than its header claims, before memory is spent.
    return {"array": np.array(np.load(path, mmap_mode="r", allow_pickle=False))}


def _member(archive: zipfile.ZipFile, name: str) -> NDArray[Any]:
    with archive.open(name) as stream:
        shape, _, dtype = _header(stream, name)
        room = archive.getinfo(name).file_size - stream.tell()
        if int(np.prod(shape, dtype=object)) * dtype.itemsize != room:
            raise FormatError(
                f"{name} claims shape {shape} of {dtype}, but there are {room} bytes; the file is damaged"
            )
    with archive.open(name) as stream:
        return np.asarray(npy.read_array(stream, allow_pickle=False))


def _header(stream: Any, name: str) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = npy.read_magic(stream)
    reader = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}.get(version)
    if reader is None:
        raise FormatError(f"{name} has numpy format {version}, expected 1.0 or 2.0; save it again with numpy.save")
    shape, fortran, dtype = reader(stream)
    if dtype.hasobject:
        raise FormatError(
            f"{name} holds Python objects, which could run code when loaded; save plain numbers or strings"
        )
    return shape, fortran, dtype
