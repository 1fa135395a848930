"""Numpy files: ``.npy`` and ``.npz`` without pickle, checked against what the file can hold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from dynome.store.numpy_files import read_npy, read_npz

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
    return read_npz(path) if path.suffix.lower() == ".npz" else {"array": read_npy(path)}
