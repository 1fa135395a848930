"""`map_sessions`: one function over the sessions of a study."""

from __future__ import annotations

import inspect
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Literal

import xarray as xr

from dynome import progress
from dynome.batch.content import plain_parameters
from dynome.batch.limits import bytes_of
from dynome.batch.locks import exclusive
from dynome.batch.plans import Plan, made_folder, planned, stored_path, write_batch
from dynome.batch.records import Record, file_name
from dynome.batch.remnants import remove_remnants
from dynome.batch.results import BatchResults, open_results
from dynome.batch.schedulers import records_of
from dynome.batch.tasks import Task, names_given, session_seed
from dynome.errors import InputError, SessionError

Study = str | os.PathLike[str] | xr.DataTree


def map_sessions(
    func: Callable[..., Any],
    study: Study,
    *,
    out: str | os.PathLike[str],
    parameters: Mapping[str, Any] | None = None,
    client: Any = None,
    on_error: Literal["raise", "record"] = "raise",
    only: Sequence[str] | str | None = None,
    retries: int = 1,
    threads: int = 1,
    memory: int | str | None = None,
    random_state: int | None = None,
    n_workers: int | None = None,
) -> BatchResults:
    """Compute a function for every session of a study; what is done already is not computed again.

    Parameters
    ----------
    func : callable
        ``func(recording, **parameters)`` returns a Dataset, DataArray, DataTree or fitted estimator. The recording is
        opened lazily where it is computed. If the function has parameters called ``connectome``, ``phenotype`` (rows of
        this animal or session), ``session`` (its name) or ``random_state`` (its seed), it is given these too.
    study : path or DataTree
        A stored study. One in memory is saved to ``out/study.zarr``.
    out : path
        A folder, by custom ``*.zarr``, that is empty, new or has results of this function. Each result is a dynome
        store in it, written atomically when it is ready.
    parameters : mapping or None
        Plain values, the same for all sessions. A `pathlib.Path` becomes a text, and counts by what lies there.
    client : None, "synchronous", "threads", "processes" or distributed.Client
        Where to compute: here one after the other; in `n_workers` threads or processes of this machine; or on the
        workers of any dask cluster, which must see the same paths.
    on_error : {"raise", "record"}
        What a session does that fails: end the batch with `SessionError`, or be kept in ``results.failed``.
    only : str, list of str or None
        Names of sessions, or patterns such as ``"animal3/*"``; None is all.
    retries : int
        How often a session is tried again after its worker died or an error that dynome does not explain.
    threads : int
        Threads of the numerical libraries within one session.
    memory : int, str or None
        What one session may need, such as ``"2GB"``; more is a failure of that session alone.
    random_state : int or None
        Seed. That of a session depends on it and the session's name, so that any subset, order or scheduler gives the
        same numbers. None takes that of the results in `out`, or draws one; it is recorded.
    n_workers : int or None
        Threads or processes where `client` is "threads" or "processes"; None is one for each processor.

    Returns
    -------
    BatchResults
        A mapping from session to its result, opened when it is asked for.

    Raises
    ------
    InputError
        If an argument cannot be used.
    SessionError
        If a session fails and `on_error` is "raise".
    BatchError
        If the output cannot be written or is in use, or the scheduler is gone; what is finished stays.
    StoreError
        If the study cannot be read.

    Notes
    -----
    A result counts as done when a checksum of the session's data, the parameters, the function (its text, unless it is
    dynome's), the version of dynome and the seed is what it was: a changed parameter computes again, an unchanged one
    does not. No clock has a part in it.

    Examples
    --------
    >>> import tempfile, dynome as dy
    >>> folder = tempfile.TemporaryDirectory()
    >>> worms = dy.datasets.make_worm(n_animals=3, duration=10, random_state=0)
    >>> def spread(recording, quantile=0.9):
    ...     return recording.activity.quantile(quantile, "time")
    >>> results = map_sessions(spread, worms, out=folder.name + "/spread.zarr", parameters={"quantile": 0.5})
    >>> list(results), results.failed
    (['worm_1', 'worm_2', 'worm_3'], {})
    >>> folder.cleanup()
    """
    _check(func, client, on_error, retries, threads, n_workers)
    limit, given = bytes_of(memory), dict(parameters or {})
    plain_parameters(given)
    _check_taken(func, given)
    folder = made_folder(out)
    with exclusive(folder):
        path = stored_path(study, folder)
        plan = planned(func, path, folder, parameters=given, only=only, random_state=random_state)
        write_batch(folder, func, plan, given, threads=threads, memory=limit)
        remove_remnants(folder, folder / "sessions", folder / "records")
        _remove_unnamed(folder, plan.records)
        tasks = _tasks(plan, func, given, folder, threads, limit)
        with closing(records_of(tasks, client, n_workers=n_workers, retries=retries)) as records:
            _follow(records, plan, folder, on_error)
    return open_results(folder)


def plan_sessions(
    func: Callable[..., Any],
    study: str | os.PathLike[str],
    *,
    out: str | os.PathLike[str],
    parameters: Mapping[str, Any] | None = None,
    only: Sequence[str] | str | None = None,
    random_state: int | None = None,
) -> Plan:
    """What `map_sessions` would do with the same arguments; nothing is computed or written.

    Parameters
    ----------
    func, out, parameters, only, random_state
        As in `map_sessions`.
    study : path
        A stored study.

    Returns
    -------
    Plan
        Where `out` has no results and `random_state` is None, its seed is not that which a run would draw.

    Raises
    ------
    InputError, BatchError, StoreError
        As `map_sessions`.
    """
    _check(func, None, "record", 0, 1, None)
    _check_taken(func, parameters or {})
    if isinstance(study, xr.DataTree):
        raise InputError("study must be the path of a stored study to be planned for; save it with dynome.store.save")
    stored, folder = Path(study).absolute(), Path(out).absolute()
    return planned(func, stored, folder, parameters=parameters or {}, only=only, random_state=random_state)


def _check(func: Any, client: Any, on_error: str, retries: int, threads: int, n_workers: int | None) -> None:
    if not callable(func):
        raise InputError(f"func must be a function of a recording, found {func!r}")
    if on_error not in ("raise", "record"):
        raise InputError(f'on_error must be "raise" or "record", got {on_error!r}')
    for name, value, least in (("retries", retries, 0), ("threads", threads, 1), ("n_workers", n_workers, 1)):
        if value is None and name == "n_workers":
            continue
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise InputError(f"{name} must be a whole number, at least {least}, got {value!r}")
    if n_workers is not None and client not in ("threads", "processes"):
        raise InputError('n_workers is for client="threads" or client="processes"; a client has workers of its own')


def _check_taken(func: Callable[..., Any], parameters: Mapping[str, Any]) -> None:
    """Before every session fails of the same."""
    try:
        signature = inspect.signature(func)
    except (TypeError, ValueError):
        return
    try:
        signature.bind("the recording", **{**dict.fromkeys(names_given(func)), **parameters})
    except TypeError as error:
        name, takes = getattr(func, "__name__", repr(func)), ", ".join(list(signature.parameters)[1:])
        raise InputError(
            f"{name} cannot be called so: {error}; it takes a recording, and {takes or 'no more'}"
        ) from None


def _tasks(
    plan: Plan, func: Callable[..., Any], parameters: Mapping[str, Any], folder: Path, threads: int, limit: int | None
) -> list[Task]:
    values = {k: str(v.absolute()) if isinstance(v, Path) else v for k, v in parameters.items()}
    return [
        Task(
            name, plan.keys[name], func, str(plan.study), values, names_given(func), str(folder),
            session_seed(plan.random_state, name), threads, limit, plan.inputs[name],
        )
        for name in plan.to_compute
    ]  # fmt: skip


def _follow(records: Iterator[Record], plan: Plan, folder: Path, on_error: str) -> None:
    """Show how far it is, and clear away former results once there is a new record."""
    done, failed = len(plan.sessions) - len(plan.to_compute), 0
    with progress.task("sessions", total=len(plan.sessions)) as advance:
        advance(done)
        for record in records:
            failed += record.status == "failed"
            done += record.status == "done"
            advance(1, f"{done} done, {failed} failed, {len(plan.sessions) - done - failed} left")
            former = plan.records.get(record.session)
            if former is not None and former.store and former.store != record.store:
                shutil.rmtree(folder / "sessions" / former.store, ignore_errors=True)
            if record.status == "failed" and on_error == "raise":
                raise SessionError(told(record))


def told(record: Record) -> str:
    """What happened to a session that failed, in a few lines."""
    return (
        f"session {record.session!r} failed: {record.error.get('type', 'Error')}: {record.error.get('message', '')}\n"
        f'(tried {record.attempts} times; on_error="record" goes on with the others, results.failed has the traceback)'
    )


def _remove_unnamed(folder: Path, records: Mapping[str, Record]) -> None:
    """Remove results that the record of their session does not name: a run was killed before it cleared them away."""
    named = {file_name(session): record.store for session, record in records.items()}
    for result in (folder / "sessions").iterdir():
        if result.name != named.get(result.name.partition(".")[0], result.name):
            shutil.rmtree(result, ignore_errors=True)
