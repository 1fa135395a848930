"""What numpy wrote, read without pickle, after shapes, headers and sizes were checked against what the file holds.

Checkpoints, the readers of ``.npy`` and ``.npz`` and everything else from outside that numpy reads come through here.
"""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from dynome.errors import FormatError

MAX_BYTES = 16 * 2**30  # what one array or one text file may take in memory
MAX_MEMBERS = 100_000
_MAX_HEADER = 10_000  # bytes, as numpy has it; it reads longer ones before it refuses them


def check_shape(shape: tuple[int, ...], itemsize: int, what: str) -> None:
    """Refuse an array that would not fit before any memory is spent.

    Parameters
    ----------
    shape : tuple of int
        As a file claims it.
    itemsize : int
        Bytes of a value.
    what : str
        Begins the message.

    Raises
    ------
    FormatError
        If a dimension is negative or the array exceeds `MAX_BYTES`.

    Examples
    --------
    >>> check_shape((10**7, 10**7), 8, "traces")
    Traceback (most recent call last):
    dynome.errors.FormatError: traces claims shape (10000000, 10000000), 745058 GiB; at most 16 GiB are read at once
    """
    size = prod(int(n) for n in shape) * max(1, itemsize)
    if size > MAX_BYTES or any(n < 0 for n in shape):
        told = f"{size / 2**30:.0f}" if abs(size) < 2**1000 else "too many"
        raise FormatError(
            f"{what} claims shape {tuple(map(int, shape))!s:.200}, {told} GiB; "
            f"at most {MAX_BYTES // 2**30} GiB are read at once"
        )


def read_npz(path: str | os.PathLike[str]) -> dict[str, NDArray[Any]]:
    """The arrays of an ``.npz`` file by name.

    Parameters
    ----------
    path : path
        What `numpy.savez` or `numpy.savez_compressed` wrote.

    Raises
    ------
    FormatError
        If it is damaged, an array holds Python objects, or claims more than the file holds or the memory should.
    OSError
        If it cannot be opened.
    """
    with _told(path), zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        if len(members) > MAX_MEMBERS:
            raise FormatError(f"{path} holds {len(members)} arrays, at most {MAX_MEMBERS} are read")
        check_shape((sum(info.file_size for info in members),), 1, f"{Path(path).name}, unpacked,")
        names = [info.filename for info in members if info.filename.endswith(".npy")]
        return {name.removesuffix(".npy"): _member(archive, name) for name in names}


def read_npy(path: Path) -> NDArray[Any]:
    """The array of an ``.npy`` file.

    Parameters
    ----------
    path : Path
        What `numpy.save` wrote.

    Raises
    ------
    FormatError
        If it is damaged, holds Python objects, or claims more than the file holds or the memory should.
    OSError
        If it cannot be opened.
    """
    with _told(path), path.open("rb") as stream:
        shape, _, dtype = read_header(stream, path.name)
        check_shape(shape, dtype.itemsize, path.name)
        room = path.stat().st_size - stream.tell()
        _check_room(shape, dtype, room, path.name, exact=False)
        return np.array(np.load(path, mmap_mode="r", allow_pickle=False))


def read_header(stream: Any, name: str) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, order and type of an array, of which the stream then stands at the first value.

    Parameters
    ----------
    stream : binary file
        At the beginning of the array.
    name : str
        Begins the messages.

    Raises
    ------
    FormatError
        If the version is unknown, the header is longer than any array needs, or the array holds Python objects.
    """
    version = npy.read_magic(stream)
    if version not in ((1, 0), (2, 0)):
        raise FormatError(f"{name} has numpy format {version}, expected 1.0 or 2.0; save it again with numpy.save")
    counter = stream.read(2 if version == (1, 0) else 4)
    if (length := int.from_bytes(counter, "little")) > _MAX_HEADER:
        raise FormatError(f"{name} claims a header of {length} bytes, at most {_MAX_HEADER} are read; it is damaged")
    reader = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, fortran, dtype = reader(io.BytesIO(counter + stream.read(length)))
    if dtype.hasobject:
        raise FormatError(
            f"{name} holds Python objects, which could run code when loaded; save plain numbers or strings"
        )
    return shape, fortran, dtype


@contextmanager
def _told(path: str | os.PathLike[str]) -> Iterator[None]:
    """One error for whatever zip, zlib and numpy raise on damaged bytes."""
    try:
        yield
    except (FormatError, FileNotFoundError, IsADirectoryError, PermissionError):
        raise
    except Exception as error:
        raise FormatError(f"{path} is damaged or no file of numpy ({type(error).__name__}: {error!s:.200})") from error


def _member(archive: zipfile.ZipFile, name: str) -> NDArray[Any]:
    with archive.open(name) as stream:
        shape, _, dtype = read_header(stream, name)
        _check_room(shape, dtype, archive.getinfo(name).file_size - stream.tell(), name, exact=True)
    with archive.open(name) as stream:
        return np.asarray(npy.read_array(stream, allow_pickle=False))


def _check_room(shape: tuple[int, ...], dtype: np.dtype[Any], room: int, name: str, *, exact: bool) -> None:
    needed = prod(int(n) for n in shape) * dtype.itemsize
    if any(n < 0 for n in shape) or needed > room or (exact and needed != room):
        raise FormatError(
            f"{name} claims shape {shape!s:.200} of {dtype!s:.80}, but there are {room} bytes; the file is damaged"
        )
