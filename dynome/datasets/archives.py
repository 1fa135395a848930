"""Unpack an archive that came from outside: everything is checked before anything is written."""

from __future__ import annotations

import bz2
import gzip
import lzma
import shutil
import stat
import struct
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import IO, Any, NamedTuple, TypeVar

from dynome.errors import FormatError, Problems

MAX_MEMBERS = 100_000

_Read = TypeVar("_Read")

_block = 1 << 20
_largest_piece = 1 << 22
_longest_name = (255, 1024)  # bytes of one part and of the whole
_damage = (
    zipfile.BadZipFile, tarfile.TarError, gzip.BadGzipFile, lzma.LZMAError, zlib.error, EOFError,
    UnicodeError, ValueError, struct.error, OverflowError, KeyError, IndexError,
    RuntimeError, NotImplementedError,  # how zipfile says "encrypted" and "unknown compression"
)  # fmt: skip


class _Member(NamedTuple):
    name: str
    size: int
    is_folder: bool
    is_plain: bool
    open: Callable[[], IO[bytes] | None]


def extract_archive(
    path: str | Path, folder: str | Path, *, max_bytes: int = 10_000_000_000, max_members: int = MAX_MEMBERS
) -> list[Path]:
    """Unpack a zip or tar archive into a new folder, or refuse it whole.

    For repositories and deposits that were downloaded by hand as one archive: unpack it, then set
    ``DYNOME_DATA_DIR`` to `folder`, and every ``fetch_*`` finds its files by checksum.

    Parameters
    ----------
    path : str or Path
        A zip archive, or a tar archive (plain, gzip, bzip2 or xz).
    folder : str or Path
        Where the content goes; must not exist or be empty. It appears when everything is unpacked, not before.
    max_bytes : int
        Most bytes of content, counted while they are unpacked, whatever the archive claims.
    max_members : int
        Most files and folders.

    Returns
    -------
    list of Path
        The files, in the order of the archive.

    Raises
    ------
    FormatError
        If the file is not an archive or is damaged, or a member has an absolute path or ``..``, is a link or a
        device, occurs twice, or the limits are passed. Nothing is left behind in that case.
    FileExistsError, FileNotFoundError
        If `folder` holds something, or there is no archive.

    Examples
    --------
    >>> import tempfile, zipfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> with zipfile.ZipFile(folder / "bad.zip", "w") as archive:
    ...     archive.writestr("../outside.txt", "!")
    >>> extract_archive(folder / "bad.zip", folder / "out")
    Traceback (most recent call last):
        ...
    dynome.errors.FormatError: bad.zip is not safe to unpack:
      - '../outside.txt' leads out of the folder
    """
    path, folder = Path(path), Path(folder)
    if not path.is_file():
        raise FileNotFoundError(f"{path} is not a file")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise FileExistsError(f"{folder} already holds something; name a new or empty folder")
    folder.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        with _opened(path) as members:
            listed = _checked(path.name, members, max_bytes, max_members)
            _write(path.name, listed, scratch, max_bytes)
        if folder.exists():
            folder.rmdir()
        scratch.rename(folder)
    except FormatError:
        raise
    except _damage as error:
        raise FormatError(
            f"{path.name} cannot be unpacked: damaged or encrypted ({error}); download it again"
        ) from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return [folder / PurePosixPath(m.name) for m in listed if not m.is_folder]


@contextmanager
def _opened(path: Path) -> Iterator[Iterator[_Member]]:
    """The members of an archive, whichever kind it is."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            yield (_zip_member(archive, info) for info in archive.infolist())
    else:
        with _decompressed(path) as stream, _tar(path, stream) as archive:
            yield (_tar_member(archive, info) for info in archive)


def _decompressed(path: Path) -> IO[bytes]:
    with path.open("rb") as file:
        start = file.read(6)
    openers: dict[bytes, Callable[[Path], Any]] = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\0": lzma.open}
    opener = next((found for magic, found in openers.items() if start.startswith(magic)), None)
    stream: IO[bytes] = path.open("rb") if opener is None else opener(path)
    return stream


def _tar(path: Path, stream: IO[bytes]) -> tarfile.TarFile:
    try:
        pieces: Any = _Pieces(stream)
        return tarfile.open(fileobj=pieces, mode="r:")
    except (tarfile.TarError, EOFError, zlib.error, lzma.LZMAError, OSError) as error:
        raise FormatError(f"{path.name} is neither a zip nor a tar archive, or is damaged ({error})") from error


class _Pieces:
    """A file that is never read in large pieces: a header that claims gigabytes is not one."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.seek, self.tell, self.close = stream.seek, stream.tell, stream.close

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= _largest_piece:
            raise tarfile.ReadError(f"a header claims {size:,} bytes")
        return self._stream.read(size)


def _zip_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> _Member:
    kind = stat.S_IFMT(info.external_attr >> 16)
    plain = kind in (0, stat.S_IFREG, stat.S_IFDIR)
    return _Member(info.filename, info.file_size, info.is_dir(), plain, lambda: archive.open(info))


def _tar_member(archive: tarfile.TarFile, info: tarfile.TarInfo) -> _Member:
    plain = info.isreg() or info.isdir()
    return _Member(info.name, info.size, info.isdir(), plain, lambda: archive.extractfile(info))


def _checked(archive: str, members: Iterator[_Member], max_bytes: int, max_members: int) -> list[_Member]:
    """The members as a list, if every one of them is safe."""
    problems = Problems(f"{archive} is not safe to unpack")
    found: list[_Member] = []
    seen: set[str] = set()
    total = 0
    for member in members:
        found.append(member)
        total += member.size
        if len(found) > max_members:
            problems.add(f"it has more than {max_members:,} members")
            break
        if total > max_bytes:  # before a compressed archive is read to the end of this member
            problems.add(f"it holds {total:,} bytes, more than max_bytes={max_bytes:,}")
            break
        if member.size < 0:
            problems.add(f"{member.name!r} claims {member.size} bytes")
        elif _is_long(member.name):
            problems.add(f"{member.name!r:.80} has too long a name")
        elif _leads_out(member.name):
            problems.add(f"{member.name!r} leads out of the folder")
        elif not member.is_plain:
            problems.add(f"{member.name!r} is a link or a device, not a plain file")
        elif not member.is_folder and _key(member.name) in seen:
            problems.add(f"{member.name!r} occurs twice")
        elif not member.is_folder:
            seen.add(_key(member.name))
    parents = {str(parent) for name in seen for parent in PurePosixPath(name).parents}
    for name in sorted(seen & parents):
        problems.add(f"{name!r} is both a file and a folder")
    problems.raise_if_any(FormatError)
    return found


def _is_long(name: str) -> bool:
    """Whether no usual file system has such a name."""
    sizes = [len(part.encode("utf-8", "surrogateescape")) for part in (*name.split("/"), name)]
    return sizes[-1] > _longest_name[1] or max(sizes[:-1]) > _longest_name[0]


def _key(name: str) -> str:
    """One spelling for paths that some file systems take for the same."""
    return str(PurePosixPath(name)).casefold()


def _leads_out(name: str) -> bool:
    """Whether a path is absolute or climbs, on this or on another operating system."""
    posix, windows = PurePosixPath(name), PureWindowsPath(name)
    climbs = ".." in posix.parts or ".." in windows.parts
    return not posix.parts or climbs or posix.is_absolute() or bool(windows.drive or windows.root) or "\0" in name


def _write(archive: str, members: list[_Member], folder: Path, max_bytes: int) -> None:
    """Write the members, counting what really comes out."""
    left = max_bytes
    for member in members:
        target = folder / PurePosixPath(member.name)
        if member.is_folder:
            target.mkdir(parents=True, exist_ok=True)
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        source = _read(member.open, archive, member)
        if source is None:
            raise FormatError(f"{archive}: {member.name!r} has no content")
        with source, target.open("xb") as out:
            while block := _read(partial(source.read, _block), archive, member):
                left -= len(block)
                if left < 0:
                    raise FormatError(f"{archive} unpacks to more than max_bytes={max_bytes:,}; it may be a bomb")
                out.write(block)


def _read(step: Callable[[], _Read], archive: str, member: _Member) -> _Read:
    """One step of reading, whose errors are those of the archive, unlike those of writing."""
    try:
        return step()
    except OSError as error:
        raise FormatError(f"{archive} cannot be unpacked: {member.name!r} is damaged ({error})") from error
