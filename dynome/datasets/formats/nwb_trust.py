"""A look at an HDF5 file before it is believed: it keeps to itself, ends somewhere, and claims what it can hold.

HDF5 reads other files where a link, a virtual or an external data set says so, and opens a chunk of any size whole.
"""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import Any

from dynome.errors import FormatError, Problems, listed
from dynome.store.numpy_files import MAX_BYTES

MAX_OBJECTS = 100_000
MAX_TEXTS = 1_000_000  # in one data set
_MAX_DEPTH = 64
_MAX_CHUNK = 2**30
_MAX_RATIO = 10_000  # of what is claimed to what lies in the file; zeros shrink a thousandfold


def check_hdf5(path: Path) -> None:
    """Refuse an HDF5 file that leads to other files, never ends, or claims more than it can hold.

    Parameters
    ----------
    path : Path
        The file.

    Raises
    ------
    FormatError
        With everything that was found.
    OSError
        If it is no HDF5 file.
    """
    import h5py

    problems = Problems(f"{path} is not safe to read")
    with h5py.File(path, "r") as file:
        seen, left = 0, [(file, "", 0)]
        while left:
            group, where, depth = left.pop()
            for name in group:
                seen += 1
                here = f"{where}/{name}"
                if seen > MAX_OBJECTS or depth > _MAX_DEPTH:
                    problems.add(
                        f"it has more than {MAX_OBJECTS:,} objects, or they lie more than {_MAX_DEPTH} deep, as where "
                        f"a group holds itself ({here[:80]!r})"
                    )
                    problems.fail(FormatError)
                link = group.get(name, getlink=True)
                if isinstance(link, h5py.ExternalLink):
                    problems.add(f"{here!r} leads to another file ({link.filename!r}); ask for a self-contained file")
                elif isinstance(link, h5py.HardLink):
                    found = group[name]
                    if isinstance(found, h5py.Group):
                        left.append((found, here, depth + 1))
                    elif isinstance(found, h5py.Dataset) and (wrong := _wrong(found)):
                        problems.add(f"{here!r} {wrong}")
    problems.raise_if_any(FormatError)


def _wrong(dataset: Any) -> str:
    """What is wrong with a data set; empty if nothing is."""
    if dataset.external:
        return f"keeps its values in another file ({listed(sorted({e[0] for e in dataset.external}))})"
    if dataset.is_virtual:
        return "takes its values from other files"
    if dataset.shape is None:
        return ""
    itemsize = max(1, dataset.dtype.itemsize)
    if dataset.chunks and prod(dataset.chunks) * itemsize > _MAX_CHUNK:
        return f"has chunks of {prod(dataset.chunks) * itemsize:,} bytes, at most {_MAX_CHUNK:,} are read"
    claimed = prod(dataset.shape) * itemsize
    if claimed > MAX_BYTES and claimed > _MAX_RATIO * dataset.id.get_storage_size():
        return f"claims {claimed:,} bytes, of which {dataset.id.get_storage_size():,} lie in the file"
    if dataset.dtype.kind == "O" and prod(dataset.shape) > MAX_TEXTS:
        return f"claims {prod(dataset.shape):,} texts, at most {MAX_TEXTS:,} are read"
    return ""
