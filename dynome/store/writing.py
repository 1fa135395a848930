"""Saving: beside the final name, then renamed, so that a store is whole or absent."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import xarray as xr

from dynome.errors import StoreError, listed
from dynome.store.classes import Storable, class_path
from dynome.store.manifest import METADATA, StoreKind, foreign_files, seal
from dynome.store.variables import as_dataset, encoding, stored


def save(
    obj: xr.Dataset | xr.DataArray | xr.DataTree | Storable, path: str | os.PathLike[str], *, overwrite: bool = False
) -> Path:
    """Write an object atomically.

    Parameters
    ----------
    obj : Dataset, DataArray, DataTree or fitted Estimator
        What to keep. Dask-backed variables are computed chunk by chunk.
    path : path
        A folder that does not exist yet, by custom ``*.zarr``.
    overwrite : bool
        Replace an existing dynome store; anything else at `path` is never touched. What was opened from the former
        store and not loaded is lost.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    StoreError
        If `path` exists, or its parent does not, or the object cannot be stored.

    Notes
    -----
    Everything comes back as it was, but for this: strings come back as ``<U``, numbers in the byte order of the
    machine, tuples and arrays in attributes as lists, pandas' extension arrays as plain ones, and every coordinate
    that bears the name of its dim gets an index.

    Examples
    --------
    >>> import tempfile, numpy as np, dynome as dy
    >>> folder = tempfile.TemporaryDirectory()
    >>> path = dy.store.save(xr.Dataset({"a": ("time", [1.0, np.nan])}), folder.name + "/a.zarr")
    >>> dy.store.open(path).a.to_numpy().tolist()
    [1.0, nan]
    >>> folder.cleanup()
    """
    final = Path(path).absolute()
    _check_destination(final, overwrite)
    kind, name, parts = _parts(obj)
    prepared = stored(parts)
    with _beside(final) as partial:
        for group, dataset in prepared.items():
            dataset.to_zarr(
                partial,
                group=group,
                mode="a",
                zarr_format=3,
                consolidated=False,
                encoding=encoding(dataset),
                write_empty_chunks=True,
            )
        seal(partial, kind, name, {g: {str(n): n in d.coords for n in d.variables} for g, d in parts.items()})
        _move(partial, final, overwrite)
    return final


def _parts(obj: object) -> tuple[StoreKind, str | None, dict[str, xr.Dataset]]:
    """What kind of thing it is, its name, and the dataset of each group."""
    if isinstance(obj, xr.DataTree):
        return "study", obj.name, _groups(obj)
    if isinstance(obj, xr.Dataset):
        return "dataset", None, {"/": obj}
    if isinstance(obj, xr.DataArray):
        if obj.name is not None and not isinstance(obj.name, str):
            raise StoreError(f"the name of a DataArray must be a str to be stored, found {obj.name!r}; rename it")
        return "dataarray", obj.name, {"/": as_dataset(obj)}
    if isinstance(obj, Storable):
        return "estimator", class_path(type(obj)), _groups(obj.to_tree())
    raise StoreError(f"cannot save {type(obj).__name__}; expected a Dataset, DataArray, DataTree or Estimator")


def _groups(tree: xr.DataTree) -> dict[str, xr.Dataset]:
    """Each group as it is, but for the top one, which also has what it inherits from a larger tree."""
    return {
        "/" if node is tree else f"/{key}": node.to_dataset(inherit=node is tree)
        for key, node in tree.subtree_with_keys
    }


def _check_destination(final: Path, overwrite: bool) -> None:
    if not final.parent.is_dir():
        raise StoreError(f"the folder {final.parent} does not exist; make it first")
    if (final.parent / METADATA).exists():
        raise StoreError(f"{final.parent} is a store itself, which may hold nothing else; choose another folder")
    if not os.path.lexists(final):
        return
    if not overwrite:
        raise StoreError(f"{final} exists; choose another name or pass overwrite=True")
    try:
        if final.is_symlink():
            raise StoreError("it is a link")
        foreign = foreign_files(final)
    except StoreError as error:
        raise StoreError(f"{final} will not be replaced, because it is no dynome store: {error}") from None
    if foreign:
        raise StoreError(f"{final} holds files that are not of the store: {listed(foreign)}; move them away first")


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


def _move(partial: Path, final: Path, overwrite: bool) -> None:
    """Give `partial` its final name; what another process put there meanwhile counts as what was there before."""
    _check_destination(final, overwrite)
    try:
        if not os.path.lexists(final):
            partial.rename(final)
            return
    except OSError:
        _check_destination(final, overwrite)  # another process was quicker by a moment
        if not os.path.lexists(final):
            raise
    former = final.parent / f".{final.name}.{uuid.uuid4().hex[:8]}.former"
    try:
        final.rename(former)
        partial.rename(final)
    except BaseException:
        if former.exists() and not os.path.lexists(final):
            former.rename(final)
        raise
    shutil.rmtree(former, ignore_errors=True)
