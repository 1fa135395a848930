"""Where the files of a data set come from: a folder of yours, the cache, or their address.

`content` looks in ``DYNOME_DATA_DIR`` first, then in the cache, then downloads. A file counts only if its sha256
is the one in the registry; a gzip'ed copy (``name.gz``) counts by what it unpacks to.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import zlib
from functools import lru_cache, partial
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from dynome import progress
from dynome.datasets.registry import RemoteFile, dataset_info
from dynome.errors import FetchError

_block = 1 << 20
_timeout = (10, 60)  # seconds to connect, seconds between two packets
_indexes: dict[Path, dict[str, list[Path]]] = {}


def content(dataset: str, file: str) -> io.BytesIO:
    """One file of a data set, checked and decompressed.

    Parameters
    ----------
    dataset : str
        Name in the registry.
    file : str
        Name of the file.

    Returns
    -------
    BytesIO
        The content whose sha256 the registry has.

    Raises
    ------
    FetchError
        If no folder holds it and it cannot be downloaded; the message names the address, the checksum and the
        folder to put the file in.
    """
    remote = next(f for f in dataset_info(dataset).files if f.name == file)
    path = local_file(dataset, remote) or local_file(dataset, remote, fresh=True) or _download(dataset, remote)
    with _opened(path) as stream:
        return io.BytesIO(stream.read())


def local_file(dataset: str, remote: RemoteFile, *, fresh: bool = False) -> Path | None:
    """A file that is already here, or None.

    Parameters
    ----------
    dataset : str
        Name in the registry.
    remote : RemoteFile
        The file.
    fresh : bool
        Look at the folder again; else what was found in it earlier in this process is used.

    Returns
    -------
    Path or None
        A file of that content below ``DYNOME_DATA_DIR`` (by name, then by size), or in the cache.
    """
    folder = data_folder()
    candidates = [cache_folder() / dataset / remote.name]
    if folder is not None:
        if fresh or folder not in _indexes:
            _indexes[folder] = _index(folder)
        candidates = [*_named_or_sized(_indexes[folder], remote), *candidates]
    return next((path for path in candidates if path.is_file() and _matches(path, remote)), None)


def data_folder() -> Path | None:
    """The folder of ``DYNOME_DATA_DIR``, or None where it is not set or names no folder."""
    folder = os.environ.get("DYNOME_DATA_DIR")
    return Path(folder) if folder and Path(folder).is_dir() else None


def cache_folder() -> Path:
    """The folder of downloads: ``DYNOME_CACHE_DIR``, or the cache of the operating system."""
    if folder := os.environ.get("DYNOME_CACHE_DIR"):
        return Path(folder)
    import pooch

    return Path(pooch.os_cache("dynome"))


def _named_or_sized(index: dict[str, list[Path]], remote: RemoteFile) -> list[Path]:
    """Files that could be it: those of its name, then those of its size."""
    return index.get(remote.name, []) + index.get(f"{remote.size} bytes", [])


def _index(folder: Path) -> dict[str, list[Path]]:
    """Files below a folder by name (less ``.gz``) and by size."""
    found: dict[str, list[Path]] = {}
    for root, subfolders, names in os.walk(folder):
        subfolders[:] = sorted(s for s in subfolders if not s.startswith("."))
        for name in sorted(names):
            path = Path(root, name)
            found.setdefault(name.removesuffix(".gz"), []).append(path)
            if path.suffix != ".gz" and path.exists():
                found.setdefault(f"{path.stat().st_size} bytes", []).append(path)
    return found


def _matches(path: Path, remote: RemoteFile) -> bool:
    status = path.stat()
    if path.suffix != ".gz" and status.st_size != remote.size:
        return False
    return _sha256(path, status.st_size, status.st_mtime_ns, remote.size) == remote.sha256


@lru_cache(maxsize=4096)
def _sha256(path: Path, _size: int, _modified: int, limit: int) -> str | None:
    """Checksum of the decompressed content; None where it is damaged or longer than `limit` bytes."""
    digest = hashlib.sha256()
    try:
        with _opened(path) as stream:
            while block := stream.read(_block):
                limit -= len(block)
                if limit < 0:
                    return None
                digest.update(block)
    except (OSError, EOFError, zlib.error):  # not ours to read, or damaged
        return None
    return digest.hexdigest()


def _opened(path: Path) -> IO[bytes] | gzip.GzipFile:
    return gzip.open(path) if path.suffix == ".gz" else path.open("rb")


def _download(dataset: str, remote: RemoteFile) -> Path:
    """Download into the cache; the file appears there only when its checksum is right."""
    import pooch
    import requests

    tried = []
    for address in remote.addresses:
        if not _is_safe(address):
            tried.append(f"{address}: refused, only https is used")
            continue
        try:
            return Path(
                pooch.retrieve(
                    address,
                    known_hash=f"sha256:{remote.sha256}",
                    fname=remote.name,
                    path=cache_folder() / dataset,
                    downloader=partial(_stream, remote),
                )
            )
        except (requests.RequestException, ValueError, OSError) as error:
            tried.append(f"{address}: {_in_short(error)}")
    raise FetchError(_help(dataset, remote, tried))


def _stream(remote: RemoteFile, address: str, output: Any, _pooch: object) -> None:
    """Fill pooch's temporary file; stops at the expected size, so that no server can fill the disk."""
    import requests

    left = remote.size
    with (
        requests.get(address, stream=True, timeout=_timeout) as response,
        Path(output).open("wb") as out,
        progress.task(f"downloading {remote.name}", total=remote.size) as advance,
    ):
        response.raise_for_status()
        if not _is_safe(response.url):
            raise FetchError(f"refused, it redirects to {response.url}, and only https is used")
        for block in response.iter_content(_block):
            left -= len(block)
            if left < 0:
                raise FetchError(f"the server sent more than the expected {remote.size:,} bytes")
            out.write(block)
            advance(len(block))
    if left:
        raise FetchError(f"the server sent {remote.size - left:,} of {remote.size:,} bytes")


def _is_safe(address: str) -> bool:
    """Whether an address is https, or points to this very machine."""
    parts = urlsplit(address)
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in ("127.0.0.1", "localhost"))


def _in_short(error: Exception) -> str:
    """One line about a failed download, without pooch's advice about its own registry."""
    import requests

    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"the server answered {error.response.status_code}"
    if isinstance(error, requests.Timeout):
        return "no answer in time"
    if isinstance(error, requests.ConnectionError):
        return "no connection"
    if isinstance(error, ValueError) and "hash" in str(error):
        return "the content has a wrong sha256"
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def _help(dataset: str, remote: RemoteFile, tried: list[str]) -> str:
    info, folder, wanted = dataset_info(dataset), data_folder(), os.environ.get("DYNOME_DATA_DIR")
    lines = [f"{remote.name} of {dataset} is not on this machine and could not be downloaded:"]
    lines += [f"  - {attempt}" for attempt in tried] or ["  - it has no address; ask its publishers"]
    if tried and not info.checked:
        lines.append("    (addresses of this data set have not been verified yet)")
    lines.append(f"  expected sha256 {remote.sha256}, {remote.size:,} bytes")
    if folder:
        namesakes = _indexes.get(folder, {}).get(remote.name, [])
        lines += [f"  {path} has this name but other content" for path in namesakes]
        lines.append(f"  put the file, gzip'ed or not, anywhere below {folder} (DYNOME_DATA_DIR)")
    else:
        found = f", which now names {wanted!r}, no folder" if wanted else ""
        lines.append(f"  put the file, gzip'ed or not, into a folder and name that folder in DYNOME_DATA_DIR{found}")
    if len(info.files) > 1:
        lines.append(
            f"  all {len(info.files)} files: dynome.datasets.dataset_info({dataset!r}).files; an archive of "
            f"{info.repository} at {info.commit[:8]} will do, unpacked with dynome.datasets.extract_archive"
        )
    return "\n".join(lines)
