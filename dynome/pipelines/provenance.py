"""Where results come from: what an analysis was asked to do, on which data, with what, and what became of it.

A JSON file beside the results, written when the analysis begins and again after each method.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dynome import environment
from dynome.batch.content import StoredStudy, checksum_of_path
from dynome.batch.plans import session_names
from dynome.batch.records import read_json, write_json
from dynome.errors import BatchError, InputError, StoreError, listed

FILE = "analysis.json"
FORMAT = 1
_KINDS = {"format": int, "study": dict, "settings": dict, "methods": dict}


def begun(study: Path, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The first lines of the provenance of an analysis.

    Parameters
    ----------
    study : Path
        The stored study.
    settings : mapping
        What was asked for, as plain values.

    Returns
    -------
    dict
        ``study`` (path, checksum, a checksum for each session), ``settings``, ``software``, ``machine``, times, and an
        empty ``methods``.

    Raises
    ------
    StoreError
        If the study cannot be read.
    """
    stored = StoredStudy(study)
    return {
        "format": FORMAT,
        "study": {
            "path": str(study),
            "checksum": checksum_of_path(study),
            "sessions": {name: stored.checksum(f"/{name}") for name in session_names(stored)},
        },
        "settings": dict(settings),
        "software": environment.versions(("dynome", *environment.CORE, *environment.OPTIONAL)),
        "machine": {
            "python": platform.python_version(),
            "system": f"{platform.system()} {platform.release()} {platform.machine()}",
            "host": platform.node(),
            "processors": os.cpu_count() or 0,
        },
        "started": now(),
        "finished": "",
        "seconds": 0.0,
        "methods": {},
    }


def now() -> str:
    """Coordinated universal time, for a reader."""
    return datetime.now(UTC).isoformat("T", "seconds")


def write_provenance(content: Mapping[str, Any], folder: Path) -> None:
    """Keep the provenance of an analysis in its folder; an earlier one is replaced.

    Parameters
    ----------
    content : mapping
        Plain values.
    folder : Path
        The output of the analysis.

    Raises
    ------
    BatchError
        If it cannot be written.
    """
    try:
        write_json(content, folder / FILE)
    except OSError as error:
        raise BatchError(f"cannot write in {folder}: {error}; mend that and run again") from error


def read_provenance(folder: Path) -> dict[str, Any]:
    """The provenance of an analysis.

    Parameters
    ----------
    folder : Path
        The output of the analysis.

    Raises
    ------
    InputError
        If nothing was analysed there.
    StoreError
        If it is damaged, or from a newer dynome.
    """
    if not (folder / FILE).is_file():
        raise InputError(f"{folder} holds no analysis: it has no {FILE}; pass what the analysis had as out")
    content = read_json(folder / FILE)
    if odd := [name for name, kind in _KINDS.items() if not isinstance(content.get(name), kind)]:
        raise StoreError(f"{folder / FILE} is damaged in {listed(odd)}; restore it from a copy, or choose another out")
    if content["format"] > FORMAT:
        raise StoreError(f"{folder} was written by a newer dynome; upgrade dynome to read it")
    return content
