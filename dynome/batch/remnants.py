"""What a run that was killed, or a careless hand, left that is not whole."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from dynome.errors import StoreError
from dynome.store.manifest import check_complete

_remnant = re.compile(r"\..+\.[0-9a-f]{8}\.(?:partial|former)")


def is_remnant(path: Path) -> bool:
    """Whether a name is one of those that dynome gives what it is still writing, or replacing.

    Parameters
    ----------
    path : Path
        Of a file or folder.

    Examples
    --------
    >>> is_remnant(Path("out/.study.zarr.0a1b2c3d.partial")), is_remnant(Path("out/study.zarr"))
    (True, False)
    """
    return _remnant.fullmatch(path.name) is not None


def remove_remnants(*folders: Path) -> None:
    """Remove what is half-written in folders; nobody else may write there meanwhile.

    Parameters
    ----------
    *folders : Path
        What lies deeper is not looked at; a folder that is not there has no remnants.
    """
    for left in [path for folder in folders if folder.is_dir() for path in folder.iterdir() if is_remnant(path)]:
        if left.is_dir() and not left.is_symlink():
            shutil.rmtree(left, ignore_errors=True)
        else:
            left.unlink(missing_ok=True)


def is_whole(result: Path) -> bool:
    """Whether a store has all its files: a loss of power or a careless hand may have taken some since.

    Parameters
    ----------
    result : Path
        The store.
    """
    try:
        check_complete(result)
    except (StoreError, OSError):
        return False
    return True
