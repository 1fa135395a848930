"""Files from outside: sizes are checked before memory is spent, parsers fail with one error, writing is atomic.

Readers open a file inside `reading`, so that whatever a parser raises becomes a `FormatError` that names the file.
Writers write inside `writing`, so that a file is complete or absent under its final name.
"""

from __future__ import annotations

import gzip
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dynome.errors import DynomeError, FormatError, StoreError
from dynome.store.numpy_files import MAX_BYTES
from dynome.store.numpy_files import check_shape as check_shape

PathLike = str | os.PathLike[str]

_COMPRESSED = (".gz",)
_TAIL = 4 * 2**20  # the longest last line that is looked at


def existing(path: PathLike, *, folder: bool = False) -> Path:
    """The path of a file (or folder) that is there.

    Raises
    ------
    StoreError
        If nothing is there, or the wrong kind of thing.
    """
    found = Path(path)
    if not found.exists():
        raise StoreError(f"no {'folder' if folder else 'file'} at {found}; check the path")
    if not (found.is_dir() or found.is_file()):
        raise StoreError(f"{found} is a pipe or a device; expected a {'folder' if folder else 'file'}")
    if folder != found.is_dir():
        raise StoreError(
            f"expected a {'folder' if folder else 'file'}, but {found} is a {'file' if folder else 'folder'}"
        )
    return found


def suffix(path: PathLike) -> str:
    """The suffix that tells the layout, in lower case and without a compression suffix.

    Examples
    --------
    >>> suffix("a/EDGES.csv.gz"), suffix("ts.tsv"), suffix("noname")
    ('.csv', '.tsv', '')
    """
    parts = [s.lower() for s in Path(path).suffixes]
    if parts and parts[-1] in _COMPRESSED:
        parts.pop()
    return parts[-1] if parts else ""


def stem(path: PathLike) -> str:
    """The name of a file without the suffixes that `suffix` reads.

    Examples
    --------
    >>> stem("a/sub-01_ts.csv.gz"), stem("worm.1.npy")
    ('sub-01_ts', 'worm.1')
    """
    name = Path(path).name
    if name.lower().endswith(_COMPRESSED):
        name = name.rsplit(".", 1)[0]
    return name.rsplit(".", 1)[0] if suffix(path) else name


def is_compressed(path: PathLike) -> bool:
    """Whether the file is gzip'ed, by its suffix."""
    return Path(path).name.lower().endswith(_COMPRESSED)


@contextmanager
def reading(path: PathLike, layout: str, *, folder: bool = False) -> Iterator[Path]:
    """Turn any failure inside the block into one error that names the file.

    Parameters
    ----------
    path : path
        A file, or a folder with ``folder=True``; it must exist.
    layout : str
        What the file should be, with its article, e.g. ``"an NWB file"``.

    Raises
    ------
    StoreError
        If the path is missing.
    FormatError
        If the content breaks the schema, or the parser fails on it.
    """
    found = existing(path, folder=folder)
    try:
        yield found
    except (DynomeError, KeyboardInterrupt) as error:
        if isinstance(error, DynomeError) and isinstance(error, ValueError) and str(found) not in str(error):
            raise type(error)(f"{found}: {error}") from error
        raise
    except MemoryError as error:
        raise FormatError(f"{found}: there is not enough memory for what this file holds or claims to hold") from error
    except Exception as error:  # parsers of foreign formats raise whatever damaged bytes provoke
        raise FormatError(
            f"{found} cannot be read as {layout} ({type(error).__name__}: {_short(error)}); if it opens elsewhere it "
            "may be another layout, otherwise it is damaged or incomplete: fetch or export it again"
        ) from error


def _short(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text if len(text) <= 300 else text[:300] + " ..."


def destination(path: PathLike, *, overwrite: bool) -> Path:
    """The absolute path of a file that may be written.

    Raises
    ------
    StoreError
        If something is there that may not be replaced, or the folder around it does not exist.
    """
    final = Path(path).absolute()
    if not final.parent.is_dir():
        raise StoreError(f"no folder {final.parent}; make it first")
    if final.is_dir() or (final.exists() and not overwrite):
        raise StoreError(f"{final} exists; choose another name" + ("" if final.is_dir() else " or pass overwrite=True"))
    return final


@contextmanager
def writing(path: PathLike, *, overwrite: bool = False) -> Iterator[Path]:
    """Yield a place to write to; the file moves to `path` only when the block ends without error.

    Parameters
    ----------
    path : path
        Final name; its folder must exist.
    overwrite : bool
        Replace an existing file. A folder is never replaced.

    Raises
    ------
    StoreError
        If `path` exists and may not be replaced, or its folder does not exist.

    Examples
    --------
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with writing(Path(folder) / "a.txt") as partial:
    ...         _ = partial.write_text("whole")
    ...     sorted(p.name for p in Path(folder).iterdir())
    ['a.txt']
    """
    final = destination(path, overwrite=overwrite)
    # A folder of its own keeps the final name, which some writers inspect, and the usual permissions.
    beside = Path(tempfile.mkdtemp(prefix=f".{final.name}.", dir=final.parent))
    try:
        yield beside / final.name
        os.replace(beside / final.name, final)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def check_text(path: Path) -> str:
    """Refuse a text file that is too large once decompressed, or whose compression is broken.

    Returns
    -------
    str
        The last line that is not empty: a file that was cut off shows there.

    Raises
    ------
    FormatError
        If it is; a gzip'ed file is decompressed once, in pieces, to know.
    """
    size = path.stat().st_size
    if is_compressed(path):
        size, tail = 0, b""
        with gzip.open(path) as stream:
            while size <= MAX_BYTES and (piece := stream.read(_TAIL)):
                size += len(piece)
                tail = (tail + piece)[-_TAIL:]
    else:
        with path.open("rb") as stream:
            stream.seek(max(0, size - _TAIL))
            tail = stream.read()
    if size > MAX_BYTES:
        raise FormatError(
            f"{path} holds more than {MAX_BYTES // 2**30} GiB of text; split it, or convert it to Parquet"
        )
    if size == 0:
        raise FormatError(f"{path} is empty")
    return tail.rstrip().rsplit(b"\n", 1)[-1].decode("utf-8", "replace")


def first_lines(path: Path, count: int) -> list[str]:
    """The first lines of a UTF-8 text file, without line ends.

    Raises
    ------
    FormatError
        If it is not text.
    """
    opener = gzip.open if is_compressed(path) else open
    with opener(path, "rb") as stream:
        raw = stream.read(1 << 20)
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if error.start < len(raw) - 4:  # a letter cut by the 1 MiB limit is no defect
            raise FormatError(f"{path} is not UTF-8 text; save it as UTF-8 (CSV UTF-8 in a spreadsheet)") from error
        text = raw[: error.start].decode("utf-8-sig")
    if "\0" in text:
        raise FormatError(f"{path} is not text: it holds NUL bytes")
    return [line.rstrip("\r") for line in text.split("\n")[:count]]
