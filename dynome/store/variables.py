"""Datasets as Zarr can hold them, and back.

Strings become variable-length strings; a long column of few labels (the ends of five million edges) becomes integer
codes and a table of the labels, which is ten times quicker to write and to read.
"""

from __future__ import annotations

import math
import string
from collections.abc import Hashable, Mapping
from functools import partial
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome import labels
from dynome.errors import Problems, StoreError, listed
from dynome.schema.parts import plain_attribute
from dynome.store.chunks import WIDTH
from dynome.store.manifest import MANIFEST, METADATA

CHUNK_BYTES = 32 * 2**20
MIN_CHUNK_TIMES = 4096
TABLE_SIZE = 100_000  # strings; fewer are stored as they are
TABLE_REPEATS = 4  # how often a label must occur, on average, for a table to pay
COORDS_IN_MEMORY = 1_000_000  # values; longer coordinates stay lazy, unless they index a dim
EAGER_BYTES = 4 * 2**30

_WIDTH, _TABLE = WIDTH, "dynome_string_table"
# Read by xarray's Zarr backend, so that they would not come back, or break the reading.
_RESERVED = frozenset({MANIFEST, _WIDTH, _TABLE, "coordinates", "_FillValue", "_Encoding"})
_NUMBERS = "?bBhHiIlLqQefdFD"


def as_dataset(array: xr.DataArray) -> xr.Dataset:
    """A dataset whose one data variable is `array`, under a name that no coordinate has."""
    return array.rename(_free_name("values", {*array.coords, *array.dims})).to_dataset()


def stored(parts: Mapping[str, xr.Dataset]) -> dict[str, xr.Dataset]:
    """Datasets that Zarr can hold.

    Parameters
    ----------
    parts : mapping
        Path of each group to its dataset.

    Raises
    ------
    StoreError
        With every reason why something cannot be stored.
    """
    problems = Problems("cannot be stored")
    prepared = {}
    taken = {piece for group in parts for piece in group.split("/")}
    for group, dataset in parts.items():
        where = "" if group == "/" else f"{group}: "
        _check_names([*(group.split("/")[1:] if where else ()), *dataset.variables], where, problems)
        if odd := [d for d in dataset.dims if not isinstance(d, str)]:
            problems.add(f"{where}names of dims must be str, found {listed(odd)}; rename them")
        multi = [d for d in dataset.dims if d in dataset.indexes and dataset.indexes[d].nlevels > 1]
        for name in multi:
            problems.add(f"{where}{name} is a MultiIndex; turn its levels into plain coordinates with reset_index")
        attrs = _stored_attrs(dataset.attrs, f"{where}the dataset", problems)
        if not multi:
            variables = _stored_variables(dataset, where, taken, problems)
            # A name with a space in it cannot be marked as a coordinate in Zarr; the manifest knows it.
            coords = {n: v for n, v in variables.items() if n in dataset.coords and not set(n) & set(string.whitespace)}
            data = {n: v for n, v in variables.items() if n not in coords}
            prepared[group] = xr.Dataset(data, xr.Coordinates(coords, indexes={}), attrs)
    problems.raise_if_any(StoreError)
    return prepared


def restored(group: Any, names: Mapping[str, bool], where: str, token: str) -> xr.Dataset:
    """Undo `stored`: strings back to their width, coordinates in memory, indexes rebuilt.

    Parameters
    ----------
    group : zarr.Group
        What `stored` became.
    names : mapping
        Variables in their order, and whether each is a coordinate.
    where : str
        What is read, for messages and for the names of dask arrays.
    token : str
        Tells two stores apart that lay at one place one after the other.

    Raises
    ------
    StoreError
        If a coordinate claims more memory than one can have.
    """
    arrays = {name: group[name] for name in names}
    dims = {dim for array in arrays.values() for dim in _dims(array)}
    variables = {}
    for name, array in arrays.items():
        eager = name in dims or (names[name] and math.prod(array.shape) <= COORDS_IN_MEMORY) or not array.shape
        table = group[array.attrs[_TABLE]] if _TABLE in array.attrs else None
        variables[name] = _restored_variable(array, table, eager, f"{where}: {name}", token)
    data = {n: v for n, v in variables.items() if not names[n]}
    coords = {n: v for n, v in variables.items() if names[n]}
    return xr.Dataset(data, coords, _restored_attrs(group))


def encoding(dataset: xr.Dataset) -> dict[Hashable, dict[str, Any]]:
    """Chunks, compression and checksums for each variable of what `stored` made."""
    from zarr.codecs import Crc32cCodec, ZstdCodec

    chosen: dict[Hashable, dict[str, Any]] = {}
    for name, variable in dataset.variables.items():
        chosen[name] = {"compressors": (ZstdCodec(level=1), Crc32cCodec())}
        if variable.dtype.kind in "fc":
            chosen[name]["_FillValue"] = None
        if variable.ndim:
            chosen[name]["chunks"] = chunk_shape(variable.dims, variable.shape, _bytes_each(dataset, name))
    return chosen


def _bytes_each(dataset: xr.Dataset, name: Hashable) -> int:
    """Bytes of one value in a chunk; the most it may take for text, of which a table's codes know the width."""
    variable = dataset[name].variable
    if variable.dtype.kind != "T":
        return int(variable.dtype.itemsize)
    own = (v for n, v in dataset.variables.items() if n == name or v.attrs.get(_TABLE) == name)
    return 4 + 4 * max(int(v.attrs.get(_WIDTH, 1)) for v in own)


def chunk_shape(dims: tuple[Hashable, ...], shape: tuple[int, ...], itemsize: int) -> tuple[int, ...]:
    """Chunks of about 32 MiB that stay long in time.

    Parameters
    ----------
    dims : tuple of str
        Names of the dims.
    shape : tuple of int
        Their sizes.
    itemsize : int
        Bytes of one value.

    Examples
    --------
    >>> chunk_shape(("time", "node"), (1_000_000, 200), 8)
    (20971, 200)
    """
    room = max(CHUNK_BYTES // max(itemsize, 1), 1)
    if np.prod(shape, dtype=float) <= 2 * room:
        return tuple(max(n, 1) for n in shape)
    chunk = dict.fromkeys(range(len(shape)), 1)
    if "time" in dims:
        axis = dims.index("time")
        others = int(np.prod([n for k, n in enumerate(shape) if k != axis]))
        chunk[axis] = min(shape[axis], max(MIN_CHUNK_TIMES, room // max(others, 1)))
        room = max(room // chunk[axis], 1)
    for axis in reversed(range(len(shape))):
        if dims[axis] != "time":
            chunk[axis] = max(min(shape[axis], room), 1)
            room = max(room // chunk[axis], 1)
    return tuple(chunk[k] for k in range(len(shape)))


def _check_names(names: Any, where: str, problems: Problems) -> None:
    for name in names:
        if not isinstance(name, str) or not name:
            problems.add(f"{where}names must be non-empty str, found {name!r}; rename it")
        elif set(name) & set("/\\\0") or name in (".", "..", METADATA) or len(name.encode(errors="replace")) > 200:
            problems.add(f"{where}{name!r:.80} cannot be the name of a file; rename it")


def _stored_variables(dataset: xr.Dataset, where: str, taken: set[str], problems: Problems) -> dict[str, xr.Variable]:
    plain = dataset.drop_encoding().drop_indexes(list(dataset.xindexes)).variables
    out: dict[str, xr.Variable] = {}
    for name, variable in plain.items():
        here = f"{where}{name}"
        attrs = _stored_attrs(variable.attrs, here, problems)
        data = _stored_data(variable, here, problems)
        eager = name in dataset.dims or (name in dataset.coords and variable.size <= COORDS_IN_MEMORY)
        if eager and variable.size * data.dtype.itemsize > EAGER_BYTES:
            problems.add(f"{here} is a coordinate of more than {EAGER_BYTES / 2**30:g} GiB; make it a data variable")
        if data.dtype.kind == "U":
            attrs[_WIDTH] = max(data.dtype.itemsize // 4, 1)
            data, table = _strings(data, here, problems)
            if table is not None:
                attrs[_TABLE] = _free_name(f"{name}_labels", {*dataset.variables, *dataset.dims, *out, *taken})
                out[attrs[_TABLE]] = xr.Variable(f"{attrs[_TABLE]}_row", table)
        out[str(name)] = xr.Variable(variable.dims, _rechunked(data, variable.dims, here, problems), attrs)
    return out


def _stored_data(variable: xr.Variable, where: str, problems: Problems) -> Any:
    data: Any = variable._data if hasattr(variable._data, "dask") else variable.to_numpy()
    if data.dtype.kind in "OT":
        data = _fixed_width(np.asarray(data), where, problems)
    if not data.dtype.isnative:
        data = data.astype(data.dtype.newbyteorder("="))
    if data.dtype.kind != "U" and data.dtype.char not in _NUMBERS:
        problems.add(f"{where} has dtype {data.dtype}; use numbers, booleans or strings (times in seconds)")
    return data


def _fixed_width(data: NDArray[Any], where: str, problems: Problems) -> NDArray[np.str_]:
    odd = {type(v).__name__ for v in data.ravel() if not isinstance(v, str)}
    if odd:
        problems.add(f"{where} holds objects of type {listed(sorted(odd))}; use numbers, booleans or strings")
        return np.empty(data.shape, dtype="<U1")
    return data.astype(object).astype(np.str_)


def _strings(data: Any, where: str, problems: Problems) -> tuple[Any, NDArray[Any] | None]:
    """Strings of variable width, or codes and the table that they point into."""
    try:
        if isinstance(data, np.ndarray) and data.size >= TABLE_SIZE:
            codes, distinct = labels.factorize(data.ravel())
            if distinct.size * TABLE_REPEATS <= data.size:
                return codes.astype(np.int32).reshape(data.shape), distinct.astype(np.dtypes.StringDType())
        return data.astype(np.dtypes.StringDType()), None
    except TypeError as error:  # what numpy raises for half a surrogate pair
        problems.add(f"{where} holds text that is not valid Unicode ({error}); mend it")
        return np.zeros(data.shape), None


def _free_name(name: str, taken: set[Any]) -> str:
    while {name, f"{name}_row"} & taken:
        name += "_"
    return name


def _rechunked(data: Any, dims: tuple[Hashable, ...], where: str, problems: Problems) -> Any:
    if not hasattr(data, "dask"):
        return data
    if any(np.isnan(n) for n in data.shape):
        problems.add(f"{where} has chunks of unknown size; call .compute_chunk_sizes() on its dask array")
        return data
    return data.rechunk(chunk_shape(dims, data.shape, data.dtype.itemsize))


def _stored_attrs(attrs: Mapping[Any, Any], where: str, problems: Problems) -> dict[str, Any]:
    clean = {}
    for name, value in attrs.items():
        plain = plain_attribute(value)
        if not isinstance(name, str) or plain is None:
            problems.add(f"attrs[{name!r}] of {where} must be str, int, float or a list of these, found {value!r:.60}")
        elif name in _RESERVED:
            problems.add(f"attrs[{name!r}] of {where} has a name that the file format needs; rename it")
        clean[str(name)] = plain
    return clean


def _restored_variable(array: Any, table: Any, eager: bool, where: str, token: str) -> xr.Variable:
    import dask.array as lazily

    attrs = _restored_attrs(array)
    width = attrs.pop(_WIDTH, None)
    dtype = array.dtype if width is None else np.dtype(f"<U{int(width)}")
    if eager:
        _check_claim(array.shape, dtype, where)
        data: Any = np.asarray(array[...])
    else:
        data = lazily.from_array(array, chunks=array.chunks, name=f"{where}-{token}")  # type: ignore[no-untyped-call]
    if table is not None:
        _check_claim(table.shape, dtype, f"{where} ({table.path})")
        rows = np.asarray(table[...]).astype(dtype)
        data = rows[data] if eager else data.map_blocks(partial(np.take, rows), dtype=dtype)
    elif width is not None:
        data = data.astype(dtype)
    return xr.Variable(_dims(array), data, attrs)


def _dims(array: Any) -> tuple[str, ...]:
    return tuple(array.metadata.dimension_names or ())


def _restored_attrs(node: Any) -> dict[str, Any]:
    """Attributes without what was added for Zarr and for xarray's reader of it."""
    return {name: value for name, value in node.attrs.items() if name not in (MANIFEST, _TABLE, "coordinates")}


def _check_claim(shape: tuple[int, ...], dtype: np.dtype[Any], what: str) -> None:
    """Refuse before memory is spent: a few bytes of metadata can claim any shape."""
    size = math.prod(shape) * dtype.itemsize
    if size > EAGER_BYTES:
        raise StoreError(
            f"{what} claims {size / 2**30:.3g} GiB, and a coordinate has at most "
            f"{EAGER_BYTES / 2**30:g}; the store is damaged or not to be trusted"
        )
