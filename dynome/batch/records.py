"""A record: what became of one session. A small JSON file, written by whoever computed the session."""

from __future__ import annotations

import json
import os
import re
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple
from urllib.parse import quote

from dynome.errors import StoreError

MAX_BYTES = 1 << 20
MAX_TRACEBACK = 20_000
MAX_NAME = 100
_KEY = re.compile("[0-9a-f]{64}")


class Record(NamedTuple):
    """What became of one session.

    Attributes
    ----------
    session : str
        ``"animal"`` or ``"animal/session"``.
    status : {"done", "failed"}
        Whether it has a result.
    key : str
        Checksum of all that the result depends on: data, parameters, function, version, seed.
    store : str
        Name of the folder of the result; "" where there is none.
    seconds : float
        Computing and saving, by a clock that nobody can set.
    attempts : int
        How often it was tried in this run.
    peak_memory : int
        Most bytes that the process had in memory meanwhile; 0 where the system does not tell.
    random_state : int
        Seed of the session.
    host, pid : str, int
        Where it was computed.
    started, finished : str
        Coordinated universal time, for reading only.
    warnings : list of str
        Warnings that were shown.
    error : dict
        ``type``, ``message`` and ``traceback`` of what went wrong; empty where nothing did.
    """

    session: str
    status: Literal["done", "failed"]
    key: str
    store: str = ""
    seconds: float = 0.0
    attempts: int = 1
    peak_memory: int = 0
    random_state: int = 0
    host: str = ""
    pid: int = 0
    started: str = ""
    finished: str = ""
    warnings: list[str] = []  # noqa: RUF012  (never changed in place)
    error: dict[str, str] = {}  # noqa: RUF012

    def __repr__(self) -> str:
        """What became of the session; the traceback is in `error`."""
        why = f", {self.error.get('type')}: {self.error.get('message')}" if self.error else ""
        return f"<Record of {self.session!r}: {self.status}{why}>"


def file_name(session: str) -> str:
    """Name of a session for files: nothing in it leads elsewhere, and two sessions never share one.

    Parameters
    ----------
    session : str
        ``"animal/session"``.

    Examples
    --------
    >>> file_name("worm 1/day.2")
    'worm%201%2Fday%2E2'
    """
    name = quote(session, safe="").replace(".", "%2E").replace("~", "%7E")
    if len(name) > MAX_NAME:
        from hashlib import sha256

        name = f"{name[:MAX_NAME]}-{sha256(session.encode()).hexdigest()[:16]}"
    return name


def write_json(content: Mapping[str, Any], path: Path) -> None:
    """Write a JSON file that is there whole or not at all, and stays after a loss of power.

    Parameters
    ----------
    content : mapping
        Plain values.
    path : Path
        The file; an earlier one is replaced.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    partial = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.partial")
    try:
        with partial.open("w", encoding="utf-8") as file:
            json.dump(content, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON file of a batch.

    Parameters
    ----------
    path : Path
        The file.

    Raises
    ------
    StoreError
        If it is not there, too long, or holds no JSON object.
    """
    try:
        if path.stat().st_size > 64 * MAX_BYTES:
            raise StoreError(f"{path} has more than {64 * MAX_BYTES} bytes and is none of dynome's; move it away")
        content = json.loads(path.read_text(encoding="utf-8"))
    except StoreError:
        raise
    except (OSError, ValueError, RecursionError) as error:
        raise StoreError(f"{path} cannot be read: {error}") from error
    if not isinstance(content, dict):
        raise StoreError(f"{path} holds no JSON object; restore it from a copy or delete it")
    return content


def write_record(record: Record, folder: Path) -> None:
    """Keep a record in a folder of records."""
    write_json(record._asdict(), folder / f"{file_name(record.session)}.json")


def read_record(session: str, folder: Path) -> Record | None:
    """The record of a session; None where there is none, or none that can be read: the session is computed again."""
    try:
        return _parsed(read_json(folder / f"{file_name(session)}.json"), session)
    except (StoreError, ValueError, TypeError, KeyError):
        return None


def _parsed(content: Mapping[str, Any], session: str) -> Record:
    record = Record(**{name: content[name] for name in Record._fields})
    for name, value in record._asdict().items():
        kinds = (int, float) if name == "seconds" else type(_BLANK[name])
        if not isinstance(value, kinds) or isinstance(value, bool):
            raise ValueError(f"{name} is a {type(value).__name__}")
    done = record.status == "done"
    if record.session != session or record.status not in ("done", "failed") or done != bool(record.store):
        raise ValueError("the record contradicts itself")
    told = {name for name, text in record.error.items() if isinstance(text, str)}
    if told != {*record.error} or not (done or told >= {"type", "message"}) or (done and told):
        raise ValueError("the record does not tell what went wrong")
    if not _KEY.fullmatch(record.key):  # it is part of the name of a folder
        raise ValueError("the key is no checksum")
    if done and record.store != f"{file_name(session)}.{record.key[:16]}.zarr":
        raise ValueError("the record names a folder that is not its own")
    return record


_BLANK = Record("", "done", "")._asdict()
