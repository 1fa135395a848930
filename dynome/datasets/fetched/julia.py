"""Read dictionaries that Julia's JLD2 wrote: an HDF5 file in which everything is a reference.

A ``Dict`` is a list of references to pairs ``(first, second)``, a tuple has fields ``1``, ``2``, ..., and a value
is stored in place or as a reference. `julia_value` follows the references; it knows nothing of what they mean.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from dynome.errors import FormatError, listed

_deepest = 32


def julia_value(file: Any, name: str, *keys: str) -> Any:
    """A value of a JLD2 file as plain Python: dict, list, str, int, float, tuple.

    Parameters
    ----------
    file : h5py.File
        An open JLD2 file.
    name : str
        Name under which Julia stored it.
    *keys : str
        Keys of dictionaries and fields of tuples (``"1"`` is the first) to follow; only that part is read.

    Returns
    -------
    Any
        Dictionaries as ``dict``, vectors as ``list``, tuples as ``tuple``, strings as ``str``.

    Raises
    ------
    FormatError
        If the name or a key is missing, or the file is not in this layout.
    """
    if name not in file:
        raise FormatError(f"expected a Julia value {name!r}, found {', '.join(file) or 'nothing'}")
    value: Any = file[name]
    for key in keys:
        stored = _stored(file, value)
        fields = stored.dtype.names if isinstance(stored, np.void) else None
        parts = {field: stored[field] for field in fields} if fields else _pairs(file, stored)
        if parts is None or key not in parts:
            raise FormatError(
                f"expected {key!r} in the Julia value {name!r}, found {listed(parts or ()) or 'no parts'}"
            )
        value = parts[key]
    return _plain(file, value, 0)


def _stored(file: Any, value: Any) -> Any:
    """What a chain of references and scalar data sets leads to."""
    import h5py

    for _ in range(_deepest):
        if isinstance(value, h5py.Reference):
            if not value:
                return None
            value = file[value]
        elif isinstance(value, h5py.Dataset):
            value = value[()]
        elif isinstance(value, h5py.Empty):
            return None
        else:
            return value
    raise FormatError("a reference in the Julia file leads in a circle")


def _pairs(file: Any, value: Any) -> dict[Any, Any] | None:
    """Keys to unread values, if an array is a Julia dictionary."""
    import h5py

    if not (isinstance(value, np.ndarray) and value.size and isinstance(value.flat[0], h5py.Reference)):
        return None
    pairs = [_stored(file, reference) for reference in value.ravel()]
    if not all(isinstance(p, np.void) and p.dtype.names == ("first", "second") for p in pairs):
        return None
    return {_plain(file, p["first"], 0): p["second"] for p in pairs}


def _plain(file: Any, value: Any, depth: int) -> Any:
    if depth > _deepest:
        raise FormatError("the Julia value is nested too deeply")
    value = _stored(file, value)
    if (pairs := _pairs(file, value)) is not None:
        return {key: _plain(file, item, depth + 1) for key, item in pairs.items()}
    if isinstance(value, np.ndarray):
        return [_plain(file, item, depth + 1) for item in value.ravel()]
    if isinstance(value, np.void) and value.dtype.names:
        return tuple(_plain(file, value[field], depth + 1) for field in value.dtype.names)
    if isinstance(value, bytes):
        return value.decode()
    return value.item() if isinstance(value, np.generic) else value
