"""The manifest: what a store says of itself, and whether its folder still agrees.

It lies in ``attributes["dynome"]`` of the root group. Files are told apart from the numbers in them: sizes are looked
at when a store is opened, checksums of chunks when they are read.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, Literal, NamedTuple, get_args

from dynome._version import __version__
from dynome.errors import Problems, StoreError, listed
from dynome.store.chunks import by_array, lacking, layout_of

FORMAT = 1
METADATA = "zarr.json"
MANIFEST = "dynome"
MAX_METADATA = 2**27  # bytes of one file of metadata; a manifest of a million files has about so many
_TRAILER = 4  # bytes of the CRC-32C that ends every chunk

StoreKind = Literal["dataset", "dataarray", "study", "estimator"]


class Manifest(NamedTuple):
    """What a store says of itself.

    Attributes
    ----------
    kind : {"dataset", "dataarray", "study", "estimator"}
        What was saved.
    name : str or None
        Name of a saved DataArray or DataTree; path of the class of an estimator.
    dynome_version : str
        The version that wrote it.
    groups : dict
        Path of each group to its variables, and whether each is a coordinate; both in the order of what was saved.
    files : dict
        Path of each file, but for the root's own metadata, to its size in bytes.
    sha256 : str
        Checksum of all metadata, this manifest included.
    group_sha256 : dict
        Path of each group to the checksum of its own metadata, so that one group can be opened without reading all
        others; that of the root covers this manifest too. Not all there in stores of earlier versions.
    chunks : str
        Checksum of the checksums that end the chunks, so that no chunk can take the place of another unnoticed; empty
        in stores of earlier versions.
    """

    kind: StoreKind
    name: str | None
    dynome_version: str
    groups: dict[str, dict[str, bool]]
    files: dict[str, int]
    sha256: str
    group_sha256: dict[str, str]
    chunks: str = ""


def seal(folder: Path, kind: StoreKind, name: str | None, groups: dict[str, dict[str, bool]]) -> None:
    """Write the manifest of a folder in which nothing changes any more.

    Parameters
    ----------
    folder : Path
        A Zarr v3 group.
    kind, name, groups
        As in `Manifest`.
    """
    root = json.loads((folder / METADATA).read_text(encoding="utf-8"))
    files = _files(folder)
    metadata = {path: _metadata(folder, found) for path, found in by_group(groups, files).items()}
    own = {path: _digest(found) for path, found in metadata.items() if path != "/"}
    contents = Manifest(kind, name, __version__, groups, files, "", own, chunk_checksum(folder, files))
    root["attributes"][MANIFEST] = {"format": FORMAT, **contents._asdict()}
    own["/"] = _checksum(root, metadata["/"])
    root["attributes"][MANIFEST]["sha256"] = _checksum(root, _metadata(folder, files))
    (folder / METADATA).write_text(json.dumps(root, indent=1), encoding="utf-8")


def read_manifest(path: str | os.PathLike[str]) -> Manifest:
    """What a store says of itself, without opening it.

    Parameters
    ----------
    path : path
        A folder written by `dynome.store.save`.

    Raises
    ------
    StoreError
        If `path` is missing, is not a dynome store, or is from a newer dynome.
    """
    return _read(Path(path).absolute())[1]


def check_complete(folder: Path) -> Manifest:
    """The manifest of a store of which every file is there, with its size, and all metadata are as they were written.

    Parameters
    ----------
    folder : Path
        A folder written by `dynome.store.save`.

    Raises
    ------
    StoreError
        As `read_manifest`, or with every file that is missing, foreign or of another size.
    """
    root, manifest = _read(folder)
    problems = Problems(f"{folder} is damaged; restore it from a copy")
    if odd := _odd_files(folder):
        problems.add(f"a store holds no links, found {listed(odd)} (links, pipes or devices)")
        problems.fail(StoreError)
    present = _files(folder)
    if missing := sorted(set(manifest.files) - set(present)):
        problems.add(f"{len(missing)} of {len(manifest.files)} files are missing: {listed(missing)}")
    if foreign := sorted(set(present) - set(manifest.files)):
        problems.add(f"{len(foreign)} files were added after the store was written: {listed(foreign)}")
    if wrong := [f for f, size in manifest.files.items() if present.get(f, size) != size]:
        problems.add(f"{len(wrong)} files have another size than when they were written: {listed(wrong)}")
    problems.raise_if_any(StoreError)
    metadata = _metadata(folder, manifest.files)
    if _checksum(root, metadata) != manifest.sha256:
        problems.add(f"metadata ({METADATA}) were changed after the store was written")
        problems.fail(StoreError)
    _check_chunks(manifest.files, metadata, problems)
    problems.raise_if_any(StoreError)
    return manifest


def check_groups(folder: Path, groups: Sequence[str]) -> Manifest:
    """The manifest of a store of which some groups are complete; nothing is asked of the others.

    Parameters
    ----------
    folder : Path
        A folder written by `dynome.store.save`.
    groups : sequence of str
        Paths such as ``"/animal/session"``.

    Raises
    ------
    StoreError
        As `read_manifest`, if there is no such group, or with every file of theirs that is missing or of another size.
    """
    root, manifest = _read(folder)
    if absent := [g for g in groups if g not in manifest.groups]:
        raise StoreError(f"{folder} has no group {listed(absent)}, it has {listed(list(manifest.groups))}")
    problems = Problems(f"{folder} is damaged in {listed(list(groups))}; restore it from a copy")
    belonging = by_group(manifest.groups, manifest.files)
    files = {f: size for group in groups for f, size in belonging[group].items()}
    around = {folder / parent for f in files for parent in PurePosixPath(f).parents}
    if links := sorted(str(p.relative_to(folder)) for p in around - {folder} if p.is_symlink()):
        problems.add(f"a store holds no links, found {listed(links)}")
        problems.fail(StoreError)
    present = {f: _size(folder / f) for f in files}
    if missing := [f for f in files if present[f] is None]:
        problems.add(f"{len(missing)} of {len(files)} files are missing or links: {listed(missing)}")
    if wrong := [f for f, size in files.items() if present[f] not in (None, size)]:
        problems.add(f"{len(wrong)} files have another size than when they were written: {listed(wrong)}")
    problems.raise_if_any(StoreError)
    metadata = _metadata(folder, files)
    for group in groups:
        own = {f: content for f, content in metadata.items() if f in belonging[group]}
        found = _checksum(root, own) if group == "/" else _digest(own)
        if manifest.group_sha256.get(group, found) != found:
            problems.add(f"metadata ({METADATA}) of {group} were changed after the store was written")
    problems.raise_if_any(StoreError)
    _check_chunks(files, metadata, problems)
    problems.raise_if_any(StoreError)
    return manifest


def by_group(groups: Iterable[str], files: Mapping[str, int]) -> dict[str, dict[str, int]]:
    """The files that belong to each group itself, not to a group below it."""
    found: dict[str, dict[str, int]] = {group: {} for group in groups}
    for name, size in files.items():
        parent = f"/{name}".rpartition("/")[0]  # texts, not paths: a worker does this for each of its sessions
        while parent and parent not in found:
            parent = parent.rpartition("/")[0]
        found.setdefault(parent or "/", {})[name] = size
    return found


def _size(path: Path) -> int | None:
    """Bytes of a regular file; None for what is absent or no file."""
    try:
        status = path.lstat()
    except FileNotFoundError:
        return None
    return status.st_size if stat.S_ISREG(status.st_mode) else None


def foreign_files(folder: Path) -> list[str]:
    """Files in a store's folder that `dynome.store.save` did not write."""
    return sorted({*_odd_files(folder), *_files(folder)} - set(read_manifest(folder).files))


def chunk_checksum(folder: Path, files: Mapping[str, int]) -> str:
    """Checksum of the names and the last bytes of all chunks, which are their own checksums.

    Parameters
    ----------
    folder : Path
        A store.
    files : dict
        As in `Manifest`.
    """
    digest = hashlib.sha256()
    for name in sorted(files):
        if PurePosixPath(name).name != METADATA:
            with (folder / name).open("rb") as chunk:
                chunk.seek(max(0, files[name] - _TRAILER))
                digest.update(f"\n{name}\n".encode() + chunk.read(_TRAILER))
    return digest.hexdigest()


def _read(folder: Path) -> tuple[dict[str, Any], Manifest]:
    if not folder.exists():
        raise StoreError(f"no store at {folder}{_left_over(folder)}")
    if not folder.is_dir():
        raise StoreError(f"{folder} is not a folder")
    try:
        _check_plain(folder / METADATA)
        root = json.loads((folder / METADATA).read_text(encoding="utf-8"))
        raw = root.get("attributes", {}).get(MANIFEST)
        if raw is not None and int(raw["format"]) > FORMAT:
            raise StoreError(f"{folder} was written by dynome {raw.get('dynome_version')}; upgrade dynome to read it")
        if raw is not None:
            return root, _parsed(raw)
    except FileNotFoundError:
        pass
    except StoreError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError, ArithmeticError, RecursionError, OSError) as error:
        told = f"{type(error).__name__}: {error}"
        raise StoreError(f"{folder / METADATA} is damaged ({told}); restore the store from a copy") from error
    raise StoreError(
        f"{folder} was not written by dynome; if it is a Zarr store, open it with xarray.open_datatree, check it "
        "with dynome.schema.validate, and keep it with dynome.store.save"
    )


def _parsed(raw: dict[str, Any]) -> Manifest:
    raw = {"group_sha256": {}, "chunks": "", **raw}  # which stores of earlier versions lack
    manifest = Manifest(**{field: raw[field] for field in Manifest._fields})
    if manifest.kind not in get_args(StoreKind):
        raise ValueError(f"unknown kind {manifest.kind!r}")
    if not all(type(size) is int and size >= 0 for size in manifest.files.values()):
        raise ValueError("sizes of files must be integers")
    if not all(isinstance(names, dict) for names in manifest.groups.values()):
        raise ValueError("groups must name variables")
    if not all(type(is_coord) is bool for names in manifest.groups.values() for is_coord in names.values()):
        raise ValueError("groups must say of each variable whether it is a coordinate")
    if not all(isinstance(text, str) for text in (manifest.name or "", manifest.sha256, manifest.chunks)):
        raise ValueError("names and checksums must be text")
    if not all(isinstance(checksum, str) for checksum in manifest.group_sha256.values()):
        raise ValueError("checksums of groups must be strings")
    if outside := [f for f in manifest.files if f.startswith("/") or ".." in f.split("/")]:
        raise StoreError(f"the store lists files outside itself ({listed(outside)}); do not trust this store")
    return manifest


def _check_plain(path: Path) -> None:
    """Refuse a link, which may lead anywhere, a pipe, which never ends, and what is larger than metadata are."""
    status = path.lstat()
    if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)) or status.st_size > MAX_METADATA:
        raise StoreError(
            f"{path} is a link or a pipe, or has more than {MAX_METADATA >> 20} MiB; do not trust this store"
        )


def _left_over(folder: Path) -> str:
    """What an interrupted save left beside a store that is not there."""
    beside = sorted(p.name for p in folder.parent.glob(f".{folder.name}.*") if p.is_dir())
    if former := [name for name in beside if name.endswith(".former")]:
        return f"; an overwrite was interrupted: rename {former[-1]} to {folder.name} to have the former store back"
    return f"; {listed(beside)} beside it is what an interrupted save left" if beside else ""


def _files(folder: Path) -> dict[str, int]:
    found = {
        Path(parent, name).relative_to(folder).as_posix(): Path(parent, name).lstat().st_size
        for parent, _, names in os.walk(folder)
        for name in names
    }
    found.pop(METADATA, None)
    return dict(sorted(found.items()))


def _odd_files(folder: Path) -> list[str]:
    """Everything but plain files and folders: links lead out of the folder, and reading a pipe never ends."""
    return [
        path.relative_to(folder).as_posix()
        for parent, folders, names in os.walk(folder)
        for path in (Path(parent, name) for name in (*folders, *names))
        if not (stat.S_ISREG(mode := path.lstat().st_mode) or stat.S_ISDIR(mode))
    ]


def _metadata(folder: Path, files: Mapping[str, int]) -> dict[str, bytes]:
    names = sorted(f for f in files if PurePosixPath(f).name == METADATA)
    if long := [f for f in names if files[f] > MAX_METADATA]:
        raise StoreError(
            f"{folder}: metadata have at most {MAX_METADATA >> 20} MiB a file, found more in {listed(long)}"
        )
    return {f: (folder / f).read_bytes() for f in names}


def _checksum(root: dict[str, Any], metadata: dict[str, bytes]) -> str:
    """Checksum of metadata and of the root's own, but for the checksums of the root that stand in it."""
    attributes = root["attributes"]
    manifest = {**attributes[MANIFEST], "sha256": ""}
    if "group_sha256" in manifest:
        manifest["group_sha256"] = {g: checksum for g, checksum in manifest["group_sha256"].items() if g != "/"}
    bare = {**root, "attributes": {**attributes, MANIFEST: manifest}}
    return _digest(metadata, json.dumps(bare, sort_keys=True).encode())


def _digest(metadata: Mapping[str, bytes], first: bytes = b"") -> str:
    digest = hashlib.sha256(first)
    for name, content in metadata.items():
        digest.update(f"\n{name} {len(content)}\n".encode() + content)
    return digest.hexdigest()


def _check_chunks(files: Mapping[str, int], metadata: dict[str, bytes], problems: Problems) -> None:
    """Arrays are those that dynome writes, and every chunk that a shape asks for is there: none is made up by Zarr."""
    places = by_array(files)
    for name, content in metadata.items():
        array = str(PurePosixPath(name).parent)
        try:
            node = json.loads(content)
            if node["node_type"] != "array":
                continue
            wrong = lacking(layout_of(node), places.get(array, []))
        except (ValueError, KeyError, TypeError, AttributeError, ArithmeticError, RecursionError) as error:
            problems.add(f"{name} cannot be read: {error}")
            continue
        if wrong:
            problems.add(f"{array} {wrong}")
