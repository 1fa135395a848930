"""Results of a batch: a mapping from session to result, and what became of those that have none."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from dynome import store
from dynome.batch.plans import BATCH, batch_of
from dynome.batch.records import Record, read_record
from dynome.errors import InputError, SessionError, StoreError, listed


class BatchResults(Mapping[str, Any]):
    """Results by session, opened when they are asked for.

    Parameters
    ----------
    path : Path
        Folder of the batch.
    batch : dict
        What it was asked to do.
    records : dict
        What became of each session that was computed with these parameters and these data.

    Attributes
    ----------
    path : Path
        Folder of the batch.
    records : dict
        Record of each session, in the order of the study.
    """

    def __init__(self, path: Path, batch: Mapping[str, Any], records: Mapping[str, Record]) -> None:
        self.path = path
        self.records = dict(records)
        self._batch = dict(batch)

    def __getitem__(self, session: str) -> Any:
        record = self.records.get(session)
        if record is None:
            raise KeyError(f"no result for {session!r}, there are {listed(list(self))}")
        if record.status == "failed":
            raise SessionError(f"session {session!r} failed: {record.error.get('type')}: {record.error.get('message')}")
        return store.open(self.path / "sessions" / record.store)

    def __iter__(self) -> Iterator[str]:
        return (session for session, record in self.records.items() if record.status == "done")

    def __len__(self) -> int:
        return sum(record.status == "done" for record in self.records.values())

    def __contains__(self, session: object) -> bool:
        return isinstance(session, str) and session in self.records and self.records[session].status == "done"

    def __repr__(self) -> str:
        failed = f", {len(self.failed)} failed" if self.failed else ""
        missing = f", {len(self.missing)} not computed" if self.missing else ""
        return f"<BatchResults of {self.function}: {len(self)} done{failed}{missing}; {self.path}>"

    @property
    def failed(self) -> dict[str, Record]:
        """Records of the sessions that failed; ``record.error`` has type, message and traceback."""
        return {session: record for session, record in self.records.items() if record.status == "failed"}

    @property
    def missing(self) -> list[str]:
        """Sessions of the study that were not computed, or with other parameters only."""
        return [session for session in self._batch["keys"] if session not in self.records]

    @property
    def function(self) -> str:
        """Name of the function."""
        return str(self._batch["function"])

    @property
    def parameters(self) -> dict[str, Any]:
        """What the function was given."""
        return dict(self._batch["parameters"])

    @property
    def provenance(self) -> dict[str, Any]:
        """What is needed to repeat the batch: function, parameters, seed, study, versions."""
        return {name: value for name, value in self._batch.items() if name not in ("keys", "format")}

    @property
    def table(self) -> pd.DataFrame:
        """A row for each session: status, seconds, attempts, memory, error."""
        rows = [
            {
                "session": r.session,
                "status": r.status,
                "seconds": r.seconds,
                "attempts": r.attempts,
                "peak_memory": r.peak_memory,
                "warnings": len(r.warnings),
                "error": f"{r.error['type']}: {r.error['message']}" if r.error else "",
            }
            for r in self.records.values()
        ]
        names = ["session", "status", "seconds", "attempts", "peak_memory", "warnings", "error"]
        return pd.DataFrame(rows, columns=names).set_index("session")


def open_results(path: str | os.PathLike[str]) -> BatchResults:
    """Open the folder that `map_sessions` wrote.

    Parameters
    ----------
    path : path
        Its ``out``; also while it is written, or after it was interrupted.

    Returns
    -------
    BatchResults
        Results of other parameters or data than those of the last run are left out.

    Raises
    ------
    InputError
        If it is no folder of a batch.
    StoreError
        If it is damaged.
    """
    folder = Path(path).absolute()
    try:
        batch = batch_of(folder)
    except PermissionError as error:
        raise StoreError(f"{folder} cannot be read: {error}") from error
    if batch is None:
        raise InputError(f"{folder} holds no batch: it has no {BATCH}; pass what map_sessions had as out")
    found = {session: read_record(session, folder / "records") for session in batch["keys"]}
    records = {s: record for s, record in found.items() if record is not None and record.key == batch["keys"][s]}
    return BatchResults(folder, batch, records)
