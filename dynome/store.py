"""Storage: Zarr v3 folders that are complete or absent, and never pickled.

`save` writes beside the final name and renames, so that a killed process leaves nothing under that name. A manifest
in the attributes of the root group lists every file with its size: Zarr reads a missing chunk as fill values, the
manifest makes it an error. Every chunk carries a CRC-32C, so a damaged one is an error when it is read. `open` is
lazy: coordinates are in memory, variables are dask arrays.

Strings are ``<U`` in memory and variable-length on disk; attributes are str, int, float or lists of these.
"""

from __future__ import annotations

import json
import os
import shutil
import uuid
from collections.abc import Hashable, Iterator, Mapping
from contextlib import contextmanager
from itertools import product
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
import xarray as xr

from dynome._version import __version__
from dynome.errors import Problems, StoreError, listed

if TYPE_CHECKING:
    from dynome.estimator import Estimator

FORMAT = 1
METADATA = "zarr.json"
MANIFEST = "dynome"
CHUNK_BYTES = 32 * 2**20
MIN_CHUNK_TIMES = 4096
_COORDS_IN_MEMORY = 1_000_000  # values; longer coordinates stay lazy
_WIDTH = "dynome_string_width"

StoreKind = Literal["dataset", "dataarray", "study", "estimator"]


class Manifest(NamedTuple):
    """What a store says of itself, in ``attributes["dynome"]`` of its root group.

    Attributes
    ----------
    kind : {"dataset", "dataarray", "study", "estimator"}
        What was saved.
    name : str or None
        Name of a saved DataArray.
    dynome_version : str
        The version that wrote it.
    files : dict
        Path of each file, but for the root's own metadata, to its size in bytes.
    """

    kind: StoreKind
    name: str | None
    dynome_version: str
    files: dict[str, int]


def save(
    obj: xr.Dataset | xr.DataArray | xr.DataTree | Estimator, path: str | os.PathLike[str], *, overwrite: bool = False
) -> Path:
    """Write an object atomically.

    Parameters
    ----------
    obj : Dataset, DataArray, DataTree or fitted Estimator
        What to keep. Dask-backed variables are computed chunk by chunk.
    path : path
        A folder that does not exist yet, by custom ``*.zarr``.
    overwrite : bool
        Replace an existing dynome store. Anything else at `path` is never touched.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    StoreError
        If `path` exists, or its parent does not, or the object cannot be stored.

    Examples
    --------
    >>> import tempfile, dynome as dy
    >>> folder = tempfile.TemporaryDirectory()
    >>> path = dy.store.save(xr.Dataset({"a": ("time", [1.0, np.nan])}), folder.name + "/a.zarr")
    >>> dy.store.open(path).a.to_numpy().tolist()
    [1.0, nan]
    >>> folder.cleanup()
    """
    final = Path(path).absolute()
    _check_destination(final, overwrite)
    if isinstance(obj, xr.DataTree):
        kind, name, parts = "study", None, _groups(obj)
    elif isinstance(obj, xr.Dataset):
        kind, name, parts = "dataset", None, {"/": obj}
    elif isinstance(obj, xr.DataArray):
        kind, name, parts = "dataarray", obj.name, {"/": obj.rename("values").to_dataset()}
    elif hasattr(obj, "to_tree"):
        kind, name, parts = "estimator", None, _groups(obj.to_tree())
    else:
        raise StoreError(f"cannot save {type(obj).__name__}; expected a Dataset, DataArray, DataTree or Estimator")
    prepared = _prepare(parts)
    with _beside(final) as partial:
        for group, dataset in prepared.items():
            dataset.to_zarr(
                partial, group=group, mode="a", zarr_format=3, consolidated=False, encoding=_encoding(dataset)
            )
        manifest = {
            "format": FORMAT,
            "kind": kind,
            "name": None if name is None else str(name),
            "dynome_version": __version__,
            "files": _files(partial),
        }
        root = json.loads((partial / METADATA).read_text())
        root["attributes"][MANIFEST] = manifest
        (partial / METADATA).write_text(json.dumps(root, indent=1))
        _move(partial, final)
    return final


def open(path: str | os.PathLike[str]) -> Any:
    """Open what `save` wrote, lazily.

    Parameters
    ----------
    path : path
        A folder written by `save`.

    Returns
    -------
    Dataset, DataArray, DataTree or Estimator
        Coordinates in memory, variables as dask arrays; ``.load()`` or ``.compute()`` brings them in.

    Raises
    ------
    StoreError
        If the store is missing, foreign, incomplete, or from a newer dynome. A partial object is never returned.
    """
    folder = Path(path).absolute()
    manifest = read_manifest(folder)
    _check_complete(folder, manifest)
    try:
        tree = xr.open_datatree(
            folder,
            engine="zarr",
            chunks={},
            consolidated=False,
            mask_and_scale=False,
            decode_times=False,
            create_default_indexes=False,
        )
        tree = xr.DataTree.from_dict({n.path: _restore(n.to_dataset(inherit=False)) for n in tree.subtree})
    except Exception as error:  # Zarr raises whatever damaged metadata provoke
        raise StoreError(f"{folder} is damaged and cannot be opened: {error}; restore it from a copy") from error
    if manifest.kind == "estimator":
        from dynome.estimator import from_tree

        return from_tree(tree)
    if manifest.kind == "study":
        return tree
    dataset = tree.to_dataset()
    return dataset if manifest.kind == "dataset" else dataset["values"].rename(manifest.name)


def verify(path: str | os.PathLike[str]) -> None:
    """Read every chunk of a store and compare its checksum.

    Parameters
    ----------
    path : path
        A folder written by `save`. Chunks are read one after the other; memory does not grow with the store.

    Raises
    ------
    StoreError
        If anything is missing or damaged.
    """
    folder = Path(path).absolute()
    read_manifest(folder)
    import zarr

    problems = Problems(f"{folder} is damaged; restore it from a copy")
    for name, array in zarr.open_group(folder, mode="r").members(max_depth=None):
        if isinstance(array, zarr.Array):
            try:
                for corner in product(*(range(0, n, c) for n, c in zip(array.shape, array.chunks, strict=True))):
                    array[tuple(slice(a, a + c) for a, c in zip(corner, array.chunks, strict=True))]
            except Exception as error:  # whatever a codec raises on damaged bytes
                problems.add(f"{name}: {error}")
    problems.raise_if_any(StoreError)


def read_manifest(path: str | os.PathLike[str]) -> Manifest:
    """What a store says of itself, without opening it.

    Raises
    ------
    StoreError
        If `path` is missing, is not a dynome store, or is from a newer dynome.
    """
    folder = Path(path).absolute()
    if not folder.is_dir():
        partial = sorted(p.name for p in folder.parent.glob(f".{folder.name}.*") if p.is_dir())
        hint = f"; {listed(partial)} beside it is what an interrupted save left" if partial else ""
        raise StoreError(f"no store at {folder}{hint}" if not folder.exists() else f"{folder} is not a folder")
    try:
        root = json.loads((folder / METADATA).read_text())
        raw = root["attributes"].get(MANIFEST)
        if raw is None:
            raise FileNotFoundError
        manifest = Manifest(raw["kind"], raw["name"], str(raw["dynome_version"]), dict(raw["files"]))
        newer = int(raw["format"]) > FORMAT
    except FileNotFoundError:
        raise StoreError(
            f"{folder} was not written by dynome; if it is a Zarr store, open it with xarray.open_datatree, check it "
            "with dynome.schema.validate, and keep it with dynome.store.save"
        ) from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise StoreError(f"{folder / METADATA} is damaged ({error}); restore the store from a copy") from error
    if newer:
        raise StoreError(f"{folder} was written by dynome {manifest.dynome_version}; upgrade dynome to read it")
    return manifest


def _check_destination(final: Path, overwrite: bool) -> None:
    if not final.parent.is_dir():
        raise StoreError(f"the folder {final.parent} does not exist; make it first")
    if not os.path.lexists(final):
        return
    if not overwrite:
        raise StoreError(f"{final} exists; choose another name or pass overwrite=True")
    try:
        if final.is_symlink():
            raise StoreError("a link")
        read_manifest(final)
    except StoreError:
        raise StoreError(f"{final} is not a dynome store and will not be replaced; choose another name") from None


@contextmanager
def _beside(final: Path) -> Iterator[Path]:
    """A fresh folder next to `final`, gone after the block whatever happens."""
    partial = final.parent / f".{final.name}.{uuid.uuid4().hex[:8]}.partial"
    try:
        partial.mkdir()
        yield partial
    except OSError as error:
        if isinstance(error, StoreError):
            raise
        raise StoreError(f"cannot write {final}: {error}") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _move(partial: Path, final: Path) -> None:
    if not os.path.lexists(final):
        partial.rename(final)
        return
    former = final.parent / f".{final.name}.{uuid.uuid4().hex[:8]}.former"
    final.rename(former)
    try:
        partial.rename(final)
    except BaseException:
        former.rename(final)
        raise
    shutil.rmtree(former, ignore_errors=True)


def _files(folder: Path) -> dict[str, int]:
    found = {}
    for parent, _, names in os.walk(folder):
        for name in names:
            file = Path(parent, name)
            found[file.relative_to(folder).as_posix()] = file.stat().st_size
    found.pop(METADATA, None)
    return dict(sorted(found.items()))


def _check_complete(folder: Path, manifest: Manifest) -> None:
    if outside := [f for f in manifest.files if PurePosixPath(f).is_absolute() or ".." in PurePosixPath(f).parts]:
        raise StoreError(f"{folder} lists files outside itself ({listed(outside)}); do not trust this store")
    present = _files(folder)
    problems = Problems(f"{folder} is damaged; restore it from a copy")
    if missing := sorted(set(manifest.files) - set(present)):
        problems.add(f"{len(missing)} of {len(manifest.files)} files are missing: {listed(missing)}")
    if extra := sorted(set(present) - set(manifest.files)):
        problems.add(f"{len(extra)} files were added after the store was written: {listed(extra)}")
    wrong = [f for f, size in manifest.files.items() if present.get(f, size) != size]
    if wrong:
        problems.add(f"{len(wrong)} files have another size than when they were written: {listed(wrong)}")
    problems.raise_if_any(StoreError)


def _groups(tree: xr.DataTree) -> dict[str, xr.Dataset]:
    return {node.path: node.to_dataset(inherit=False) for node in tree.subtree}


def _prepare(parts: Mapping[str, xr.Dataset]) -> dict[str, xr.Dataset]:
    """Datasets that Zarr can hold, or every reason why not."""
    problems = Problems("cannot be stored")
    prepared = {}
    for group, dataset in parts.items():
        where = "" if group == "/" else f"{group}: "
        for name, index in dataset.indexes.items():
            if index.nlevels > 1:
                problems.add(f"{where}{name} is a MultiIndex; turn its levels into plain coordinates with reset_index")
        if problems.found:
            continue
        clean = dataset.drop_encoding().drop_indexes(list(dataset.xindexes))
        variables = {n: _storable(v, f"{where}{n}", problems) for n, v in clean.variables.items()}
        coords = {n: v for n, v in variables.items() if n in dataset.coords}
        data = {n: v for n, v in variables.items() if n not in dataset.coords}
        attrs = _storable_attrs(dataset.attrs, f"{where}the dataset", problems)
        prepared[group] = xr.Dataset(data, xr.Coordinates(coords, indexes={}), attrs)
    problems.raise_if_any(StoreError)
    return prepared


def _storable(variable: xr.Variable, where: str, problems: Problems) -> xr.Variable:
    attrs = _storable_attrs(variable.attrs, where, problems)
    data: Any = variable._data if hasattr(variable._data, "dask") else variable.to_numpy()
    if data.dtype.kind == "O":
        data = _strings(np.asarray(data), where, problems)
    if data.dtype.kind in "UT":
        width = _width(data)
        data = data.astype(np.dtypes.StringDType())
        attrs[_WIDTH] = width
    elif data.dtype.kind not in "biufc":
        problems.add(f"{where} has dtype {data.dtype}; use numbers, booleans or strings (times in seconds)")
    if hasattr(data, "dask"):
        data = data.rechunk(_chunk_shape(variable.dims, data.shape, data.dtype.itemsize))
    return xr.Variable(variable.dims, data, attrs)


def _strings(data: np.ndarray[Any, Any], where: str, problems: Problems) -> np.ndarray[Any, Any]:
    odd = {type(v).__name__ for v in data.ravel() if not isinstance(v, str)}
    if odd:
        problems.add(f"{where} holds objects of type {listed(sorted(odd))}; use numbers, booleans or strings")
        return np.empty(data.shape, dtype="<U1")
    return data.astype(np.str_)


def _width(data: Any) -> int:
    return (
        max(data.dtype.itemsize // 4, 1) if data.dtype.kind == "U" else int(max(map(len, data.ravel()), default=1)) or 1
    )


def _storable_attrs(attrs: Mapping[Any, Any], where: str, problems: Problems) -> dict[str, Any]:
    clean = {}
    for name, value in attrs.items():
        plain = value.tolist() if isinstance(value, np.ndarray | np.generic) else value
        plain = list(plain) if isinstance(plain, tuple) else plain
        items = plain if isinstance(plain, list) else [plain]
        if not isinstance(name, str) or not all(isinstance(v, str | int | float) for v in items):
            problems.add(f"attrs[{name!r}] of {where} must be str, int, float or a list of these, found {value!r:.60}")
        clean[str(name)] = plain
    return clean


def _chunk_shape(dims: tuple[Hashable, ...], shape: tuple[int, ...], itemsize: int) -> tuple[int, ...]:
    """Chunks of about 32 MiB that stay long in time."""
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


def _encoding(dataset: xr.Dataset) -> dict[Hashable, dict[str, Any]]:
    from zarr.codecs import Crc32cCodec, ZstdCodec

    encoding: dict[Hashable, dict[str, Any]] = {}
    for name, variable in dataset.variables.items():
        encoding[name] = {"compressors": (ZstdCodec(level=1), Crc32cCodec())}
        if variable.dtype.kind in "fc":
            encoding[name]["_FillValue"] = None
        if variable.ndim:
            encoding[name]["chunks"] = _chunk_shape(variable.dims, variable.shape, max(variable.dtype.itemsize, 1))
    return encoding


def _restore(dataset: xr.Dataset) -> xr.Dataset:
    """Undo `_prepare`: strings back to their width, coordinates in memory, indexes rebuilt, no encoding."""
    clean = dataset.drop_encoding()
    variables = {}
    for name, variable in clean.variables.items():
        attrs = dict(variable.attrs)
        width = attrs.pop(_WIDTH, None)
        data: Any = variable._data
        if width is not None:
            data = data.astype(f"<U{int(width)}")
        in_memory = name in clean.coords and variable.size <= _COORDS_IN_MEMORY
        if in_memory or name in clean.dims:
            data = np.asarray(data)
        variables[name] = xr.Variable(variable.dims, data, attrs)
    coords = {n: v for n, v in variables.items() if n in clean.coords}
    data_vars = {n: v for n, v in variables.items() if n not in clean.coords}
    return xr.Dataset(data_vars, coords, {k: v for k, v in clean.attrs.items() if k != MANIFEST})
