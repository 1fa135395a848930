"""Opening a store: lazily, and only when it is whole."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path, PurePosixPath
from typing import Any

import xarray as xr

from dynome.errors import Problems, StoreError
from dynome.store.classes import Storable, find
from dynome.store.manifest import METADATA, Manifest, check_complete, check_groups, chunk_checksum
from dynome.store.variables import restored


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
    manifest = check_complete(folder)
    try:
        return _restored(_tree(folder, manifest), manifest)
    except StoreError:
        raise
    except Exception as error:  # Zarr raises whatever damaged metadata provoke
        raise StoreError(f"{folder} is damaged and cannot be opened: {error}; restore it from a copy") from error


def _restored(tree: xr.DataTree, manifest: Manifest) -> Any:
    """The object that was taken apart into a tree."""
    if manifest.kind == "estimator":
        return find(str(manifest.name), Storable).from_tree(tree)
    if manifest.kind == "study":
        return tree
    dataset = tree.to_dataset()
    if manifest.kind == "dataset":
        return dataset
    (values,) = dataset.data_vars.values()
    return values.rename(manifest.name)


def open_groups(path: str | os.PathLike[str], groups: Sequence[str]) -> xr.DataTree:
    """Open some groups of a stored study, lazily, without looking at the others.

    Parameters
    ----------
    path : path
        A folder written by `save` from a DataTree.
    groups : sequence of str
        Paths such as ``"/animal/session"``. Groups above them are opened too, because they may hold coordinates.

    Returns
    -------
    DataTree
        As `open` gives it, with these groups alone.

    Raises
    ------
    StoreError
        If the store is missing or foreign, has no such group, or one of them is damaged. Damage elsewhere is no error.

    Examples
    --------
    >>> import tempfile, dynome as dy
    >>> folder = tempfile.TemporaryDirectory()
    >>> worms = dy.datasets.make_worm(n_animals=2, duration=10, random_state=0)
    >>> path = dy.store.save(worms, folder.name + "/study.zarr")
    >>> list(open_groups(path, ["/worm_2"]).children)
    ['worm_2']
    >>> folder.cleanup()
    """
    folder = Path(path).absolute()
    wanted = with_parents(groups)
    manifest = check_groups(folder, wanted)
    if manifest.kind != "study":
        raise StoreError(f"{folder} holds a {manifest.kind}, expected a study; open it with dynome.store.open")
    try:
        return _tree(folder, manifest._replace(groups={g: manifest.groups[g] for g in wanted}))
    except StoreError:
        raise
    except Exception as error:  # Zarr raises whatever damaged metadata provoke
        raise StoreError(f"{folder} is damaged and cannot be opened: {error}; restore it from a copy") from error


def with_parents(groups: Sequence[str]) -> list[str]:
    """Paths of groups, after those of all groups that they lie in."""
    found = {"/": None}
    for group in groups:
        found |= dict.fromkeys(str(parent) for parent in reversed(PurePosixPath(group).parents))
        found[group] = None
    return list(found)


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
    manifest = check_complete(folder)
    problems = Problems(f"{folder} is damaged; restore it from a copy")
    if manifest.chunks and chunk_checksum(folder, manifest.files) != manifest.chunks:
        problems.add("chunks are not those that were written: some are damaged, exchanged or replaced")
    try:
        arrays = list(_arrays(folder))
    except Exception as error:  # whatever Zarr raises on damaged metadata
        problems.add(f"the arrays cannot be listed: {error}")
        problems.fail(StoreError)
    for name, array in arrays:
        try:
            for corner in product(*(range(0, n, c) for n, c in zip(array.shape, array.chunks, strict=True))):
                array[tuple(slice(a, a + c) for a, c in zip(corner, array.chunks, strict=True))]
        except Exception as error:  # whatever a codec raises on damaged bytes
            problems.add(f"{name}: {error}")
    problems.raise_if_any(StoreError)


def _arrays(folder: Path) -> Iterator[tuple[str, Any]]:
    import zarr

    from dynome.store.guard import guarded

    group = zarr.open_group(guarded(folder), mode="r", use_consolidated=False)
    return ((name, array) for name, array in group.members(max_depth=None) if isinstance(array, zarr.Array))


def _tree(folder: Path, manifest: Manifest) -> xr.DataTree:
    import zarr

    from dynome.store.guard import guarded

    root: Any = zarr.open_group(guarded(folder), mode="r", use_consolidated=False)
    written = (folder / METADATA).stat().st_mtime_ns
    groups = {
        path: restored(root if path == "/" else root[path[1:]], names, f"{folder}{path}", f"{written:x}")
        for path, names in manifest.groups.items()
    }
    return xr.DataTree.from_dict(groups, name=manifest.name if manifest.kind == "study" else None)
