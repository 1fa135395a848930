"""Where tasks run: here, in threads, in processes, or wherever a dask client says. All yield records as they come.

Never more tasks are handed out than there are threads to run them: a worker that dies takes one session with it, no
queue of innocent ones, and the rest is handed out wherever there is room next.
"""

from __future__ import annotations

import os
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from dynome import interrupts
from dynome.batch.records import Record, read_record, write_record
from dynome.batch.remnants import is_whole
from dynome.batch.tasks import Task, is_final, run_session
from dynome.errors import BatchError, InputError

KINDS = ("synchronous", "threads", "processes")
POLL = 0.5  # seconds between looks at a scheduler that says nothing
LOOK_AROUND = 2.0  # seconds between counts of the workers
SPARE = 1 << 29  # bytes of a worker besides its session


def records_of(tasks: Sequence[Task], client: Any, *, n_workers: int | None, retries: int) -> Generator[Record]:
    """Run tasks and yield their records in the order in which they end.

    Parameters
    ----------
    tasks : list of Task
        What to do.
    client : None, "synchronous", "threads", "processes" or distributed.Client
        Where.
    n_workers : int or None
        Threads or processes; None is one for each processor. A client has workers of its own.
    retries : int
        How often a session is tried again after it failed or its worker died.

    Raises
    ------
    InputError
        If `client` is something else.
    BatchError
        If the output cannot be written, or the scheduler is gone.
    """
    if client is None or client == "synchronous":
        yield from _here(tasks, retries)
    elif client == "threads":
        yield from _in_threads(tasks, n_workers or os.cpu_count() or 1, retries)
    elif client == "processes":
        with local_cluster(n_workers or os.cpu_count() or 1, tasks[0].memory if tasks else None) as own:
            yield from _distributed(tasks, own, retries)
    elif hasattr(client, "submit") and hasattr(client, "scheduler_info"):
        yield from _distributed(tasks, client, retries)
    else:
        raise InputError(f"client must be a distributed.Client or one of {', '.join(KINDS)}, got {client!r}")


@contextmanager
def local_cluster(n_workers: int, memory: int | None = None) -> Iterator[Any]:
    """Worker processes of this machine for the block, each with one thread and a nanny that replaces it when it dies.

    Parameters
    ----------
    n_workers : int
        Processes.
    memory : int or None
        Bytes of one session.
    """
    import dask
    import distributed

    start: Any = distributed
    limit = 0 if memory is None else memory + SPARE
    quiet = {"distributed.scheduler.allowed-failures": 0, "distributed.worker.memory.spill": False,
             "distributed.worker.memory.target": False, "distributed.worker.memory.pause": False,
             "distributed.worker.profile.enabled": False}  # fmt: skip
    with dask.config.set(quiet), ExitStack() as stack:
        with interrupts.held():  # half a cluster cannot be closed
            cluster = stack.enter_context(start.LocalCluster(
                n_workers=n_workers, threads_per_worker=1, processes=True, memory_limit=limit, silence_logs=50,
                dashboard_address="127.0.0.1:0",
            ))  # fmt: skip
        yield stack.enter_context(start.Client(cluster))


def _here(tasks: Sequence[Task], retries: int) -> Iterator[Record]:
    for task in tasks:
        yield _tried(task, retries)


def _tried(task: Task, retries: int) -> Record:
    """Here a session that kills its process kills the run: there is only one."""
    for attempt in range(1, retries + 2):
        record = run_session(task, attempt)
        if record.status == "done" or is_final(record):
            break
    return record


def _in_threads(tasks: Sequence[Task], n_threads: int, retries: int) -> Iterator[Record]:
    waiting = deque(tasks)
    with ThreadPoolExecutor(n_threads, "dynome-batch") as pool:
        running: set[Any] = set()
        while waiting or running:
            while waiting and len(running) < n_threads:
                running.add(pool.submit(_tried, waiting.popleft(), retries))
            ended, running = wait_for(running, return_when=FIRST_COMPLETED)
            for future in ended:
                yield future.result()


def _distributed(tasks: Sequence[Task], client: Any, retries: int) -> Iterator[Record]:
    from distributed import wait

    waiting = deque(tasks)
    running: dict[Any, Task] = {}
    attempts: Counter[str] = Counter()
    workers = _Workers(client)
    try:
        while waiting or running:
            while waiting and len(running) < workers.room():
                task = waiting.popleft()
                attempts[task.session] += 1
                running[_submitted(client, task, attempts[task.session])] = task
            for future in _ended(wait, running, client):
                task = running.pop(future)
                record = _outcome(future, task, attempts[task.session])
                future.release()  # else dask computes it again when the worker that holds it dies
                if record.status == "done" or is_final(record) or attempts[task.session] > retries:
                    yield record
                else:
                    waiting.append(task)
    finally:
        _cancel(client, list(running))


class _Workers:
    """How many sessions can be computed at once, asked for now and then, because clusters grow and shrink."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.asked = -LOOK_AROUND
        self.threads = 0

    def room(self) -> int:
        """As many as the workers have threads; a cluster that adapts grows only when more is asked of it."""
        cluster = getattr(self.client, "cluster", None)
        if getattr(cluster, "_adaptive", None) is not None:
            return 2 * self.count() + 1
        return max(1, self.count())

    def count(self) -> int:
        import time

        if time.monotonic() - self.asked >= LOOK_AROUND:
            _check_alive(self.client)
            try:
                self.threads = sum(self.client.nthreads().values())
            except (OSError, RuntimeError, TimeoutError) as error:
                raise _lost(error) from error
            self.asked = time.monotonic()
        return self.threads


def _submitted(client: Any, task: Task, attempt: int) -> Any:
    from uuid import uuid4

    # One first part for all: dask learns from it how long sessions take, and a cluster that adapts grows by that.
    key = ("session", task.session, uuid4().hex[:8])
    try:
        return client.submit(run_session, task, attempt, key=key, pure=False, retries=0)
    except (OSError, RuntimeError) as error:
        _check_alive(client, error)
        raise


def _ended(wait: Callable[..., Any], running: dict[Any, Task], client: Any) -> list[Any]:
    """Futures that ended; an empty list after a while, so that a scheduler that is gone is noticed."""
    try:
        return list(wait(list(running), timeout=POLL, return_when="FIRST_COMPLETED").done)
    except TimeoutError:
        pass
    except Exception as error:
        _check_alive(client, error)
        return [future for future in running if future.done()]
    _check_alive(client)
    return [future for future in running if future.done()]


def _outcome(future: Any, task: Task, attempt: int) -> Record:
    """The record that a worker wrote; if it died, one that says so."""
    if future.cancelled() or future.status == "lost":
        raise _lost(None)
    error = future.exception()
    if error is None:
        record: Record = Record(*future.result())
        return record
    if isinstance(error, BatchError):
        raise error
    if type(error).__name__ in ("CancelledError", "FutureCancelledError"):
        raise _lost(error)
    told = f"{type(error).__name__}: {error}"
    if type(error).__name__ == "KilledWorker":
        if (kept := _kept(task)) is not None:
            return kept
        told = ("its worker died: killed from outside, out of memory (give memory=..., fewer workers), or crashed in "
                "compiled code")  # fmt: skip
    record = Record(
        task.session, "failed", task.key, attempts=attempt, random_state=task.random_state,
        error={"type": type(error).__name__, "message": told, "traceback": ""},
    )  # fmt: skip
    try:
        write_record(record, Path(task.folder) / "records")
    except OSError as fault:
        raise BatchError(f"cannot write in {task.folder}: {fault}; mend that and run again") from fault
    return record


def _kept(task: Task) -> Record | None:
    """The record of a session that was finished before its worker died, and whose result is whole."""
    folder = Path(task.folder)
    record = read_record(task.session, folder / "records")
    done = record is not None and record.key == task.key and record.status == "done"
    return record if record is not None and done and is_whole(folder / "sessions" / record.store) else None


def _check_alive(client: Any, cause: BaseException | None = None) -> None:
    if client.status not in ("running", "connecting"):
        raise _lost(cause) from cause


def _lost(cause: BaseException | None) -> BatchError:
    told = f" ({cause})" if cause is not None and str(cause) else ""
    return BatchError(f"the dask scheduler is gone{told}; what is finished is kept: make a new client and run again")


def _cancel(client: Any, futures: list[Any]) -> None:
    """Ask for no more of what was handed out; whoever computes it now may finish it, which does no harm."""
    if futures and client.status == "running":
        try:
            client.cancel(futures, force=True)
        except (OSError, RuntimeError, TimeoutError):
            return
