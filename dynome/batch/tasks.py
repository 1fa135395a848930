"""What a worker does with one session: open its part of the study, call the function, keep the result and the record.

A task is small: paths and plain values. The arrays are read where they are needed.
"""

from __future__ import annotations

import errno
import inspect
import os
import platform
import shutil
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import xarray as xr

from dynome import errors, interrupts, schema, seeds, store, study
from dynome.batch.content import changed_groups
from dynome.batch.limits import forget_peak, limited, status
from dynome.batch.records import MAX_TRACEBACK, Record, file_name, write_record
from dynome.batch.remnants import is_whole
from dynome.errors import BatchError, StoreError, listed

GIVEN = ("connectome", "phenotype", "session", "random_state")
MAX_WARNINGS = 20
OUTPUT_FAULTS = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the quota is used up",
    errno.EACCES: "writing is not permitted",
    errno.EPERM: "writing is not permitted",
    errno.EROFS: "the file system is read-only",
    errno.EFBIG: "a file may not be so large",
    errno.EIO: "the disk does not answer",
    errno.ENOENT: "the folder is gone",
    errno.ESTALE: "the file system went away",
}


class Task(NamedTuple):
    """One session to compute; it travels to a worker.

    Attributes
    ----------
    session, key : str
        What it is, and the checksum of what it depends on.
    func : callable
        What is called.
    study : str
        Path of the stored study.
    parameters : dict
        Plain values.
    given : tuple of str
        Which of `GIVEN` the function takes.
    folder : str
        The output.
    random_state : int
        Seed of the session.
    threads, memory
        Limits, see `dynome.batch.limits.limited`.
    inputs : dict
        Checksums of the groups of the study that it is computed from, as they were when the key was made.
    """

    session: str
    key: str
    func: Callable[..., Any]
    study: str
    parameters: dict[str, Any]
    given: tuple[str, ...]
    folder: str
    random_state: int
    threads: int
    memory: int | None
    inputs: dict[str, str] = {}  # noqa: RUF012  (never changed in place)


class OutputFault(BatchError):
    """The output cannot be written: no other session will fare better."""


def names_given(func: Callable[..., Any]) -> tuple[str, ...]:
    """Which of the connectome, the phenotype, the name of the session and its seed a function asks for by name."""
    try:
        return tuple(name for name in inspect.signature(func).parameters if name in GIVEN)
    except (TypeError, ValueError):
        return ()


def session_seed(random_state: int, session: str) -> int:
    """Seed of a session: from the seed of the batch and the name, so that neither order nor company matters.

    Examples
    --------
    >>> session_seed(0, "worm_1") == session_seed(0, "worm_1") != session_seed(0, "worm_2")
    True
    """
    return int(seeds.generator(random_state, "batch", session).integers(2**31))


def run_session(task: Task, attempts: int = 1) -> Record:
    """Compute one session and keep what comes of it.

    Parameters
    ----------
    task : Task
        What to do.
    attempts : int
        Which attempt this is.

    Returns
    -------
    Record
        Also of a failure; it lies in the folder already.

    Raises
    ------
    OutputFault
        If the output cannot be written.
    """
    began, started = time.perf_counter(), _now()
    blank = Record(task.session, "failed", task.key, attempts=attempts, random_state=task.random_state,
                   host=platform.node(), pid=os.getpid(), started=started)  # fmt: skip
    heard: list[str] = []
    name, error = "", {}
    try:
        name = _computed_and_saved(task, heard)
    except OutputFault:
        raise
    except Exception as found:
        interrupts.check()  # a parser may have swallowed a signal and raised an error in its place
        error = _told(found)
    peak = status("VmHWM")
    done = blank._replace(
        status="done" if name else "failed", store=name, error=error, warnings=heard, peak_memory=peak,
        seconds=round(time.perf_counter() - began, 6), finished=_now(),
    )  # fmt: skip
    try:
        write_record(done, Path(task.folder) / "records")
    except OSError as fault:
        raise OutputFault(f"cannot write in {task.folder}: {fault}; mend that and run again") from fault
    return done


def _computed_and_saved(task: Task, heard: list[str]) -> str:
    forget_peak()
    alone = _alone()
    with ExitStack() as stack:
        stack.enter_context(limited(task.threads, task.memory))
        caught = stack.enter_context(warnings.catch_warnings(record=True)) if alone else []
        if alone:
            warnings.simplefilter("default")
        try:
            result = task.func(_recording(task), **task.parameters, **_beside(task))
            name = _save(result, task)
            _check_unchanged(task, name)
            return name
        finally:
            told = dict.fromkeys(f"{w.category.__name__}: {w.message}" for w in caught or ())
            heard.extend(list(told)[:MAX_WARNINGS])


def _alone() -> bool:
    """Whether nothing else of this process shows warnings meanwhile; which of two threads did cannot be told."""
    if threading.current_thread() is threading.main_thread():
        return True
    if "distributed" not in sys.modules:
        return False
    from distributed import get_worker

    try:
        return bool(get_worker().state.nthreads == 1)
    except ValueError:
        return False


def _recording(task: Task) -> xr.Dataset:
    tree = store.open_groups(task.study, [f"/{task.session}"])
    return study.sessions(tree)[task.session]


def _beside(task: Task) -> dict[str, Any]:
    """What the function asks for by name."""
    values: dict[str, Any] = {"session": task.session, "random_state": task.random_state}
    for name, group in (("connectome", schema.CONNECTOME), ("phenotype", schema.PHENOTYPE)):
        if name in task.given:
            values[name] = None
            if f"/{group}" in store.read_manifest(task.study).groups:
                values[name] = store.open_groups(task.study, [f"/{group}"]).children[group].to_dataset(inherit=False)
    if values.get("phenotype") is not None:
        table, animal = values["phenotype"], task.session.split("/")[0]
        for dim, label in ((schema.ANIMAL, animal), (schema.SESSION, task.session)):
            if dim in table.dims:
                table = table.isel({dim: (table[dim] == label).to_numpy()})
        values["phenotype"] = table.load()
    return {name: values[name] for name in task.given if name not in task.parameters}


def _save(result: Any, task: Task) -> str:
    name = f"{file_name(task.session)}.{task.key[:16]}.zarr"
    final = Path(task.folder) / "sessions" / name
    if not isinstance(result, xr.Dataset | xr.DataArray | xr.DataTree) and not hasattr(result, "to_tree"):
        raise TypeError(
            f"the function returned a {type(result).__name__}; expected a Dataset, DataArray, DataTree or estimator"
        )
    if final.exists() and not is_whole(final):  # `save` would not replace what it cannot tell to be a store
        shutil.rmtree(final, ignore_errors=True)
    try:
        store.save(result, final, overwrite=True)
    except Exception as error:
        if fault := _output_fault(error, final.parent):
            raise OutputFault(f"cannot write in {task.folder}: {fault}; mend that and run again") from error
        raise
    return name


def _check_unchanged(task: Task, name: str) -> None:
    """A result counts by the checksum of its data: if these changed since it was made, it is the result of others."""
    if changed := changed_groups(Path(task.study), task.inputs):
        shutil.rmtree(Path(task.folder) / "sessions" / name, ignore_errors=True)
        raise StoreError(f"{listed(changed)} of {task.study} changed meanwhile; run again when nobody writes there")


def _output_fault(error: BaseException, folder: Path) -> str:
    """What is wrong with the output, where that is why a result could not be saved."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, OSError) and seen.errno in OUTPUT_FAULTS:
            named = Path(str(seen.filename)) if seen.filename is not None else folder
            if folder == named or folder in named.parents or seen.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
                return OUTPUT_FAULTS[seen.errno]
        seen = seen.__cause__ or seen.__context__
    return ""


def _told(error: Exception) -> dict[str, str]:
    """An error as text; what dynome explains needs no traceback, but has one for whoever maintains it."""
    told = str(error).strip() or "no message"
    if isinstance(error, MemoryError):
        told = f"not enough memory: {told}; give it more with memory=..., or fewer workers"
    lines = "".join(traceback.format_exception(error))
    return {"type": type(error).__name__, "message": told[:MAX_TRACEBACK], "traceback": lines[-MAX_TRACEBACK:]}


def is_final(record: Record) -> bool:
    """Whether trying again is of no use: dynome explains what is wrong with the data or the parameters."""
    kind = getattr(errors, record.error.get("type", ""), None)
    return isinstance(kind, type) and issubclass(kind, errors.DynomeError)


def _now() -> str:
    return datetime.now(UTC).isoformat("T", "seconds")
