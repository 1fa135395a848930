"""Limits of one session: threads of the numerical libraries, memory; and the memory that it needed."""

from __future__ import annotations

import re
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

from dynome.errors import InputError

UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}

_LIBRARIES = ("numba", "torch")  # in this order: when numba starts its threads, OpenMP's number, and torch's, is theirs

_turn = threading.RLock()
_within = 0  # sessions that this process computes now
_former: ExitStack = ExitStack()
_base: tuple[int, int] | None = None


def bytes_of(memory: int | str | None) -> int | None:
    """Bytes of a limit such as ``"2GB"`` or ``"500 MiB"``.

    Parameters
    ----------
    memory : int, str or None
        A number is bytes; None is no limit.

    Raises
    ------
    InputError
        If it is no amount of memory, or less than a megabyte.

    Examples
    --------
    >>> bytes_of("2GB"), bytes_of("1.5 GiB"), bytes_of(None)
    (2000000000, 1610612736, None)
    """
    if memory is None:
        return None
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]i?)?b?\s*", str(memory).lower())
    if isinstance(memory, bool) or not found or float(found[1]) * UNITS[found[2] or ""] < 1e6:
        raise InputError(f'memory must be None or at least a megabyte, such as "2GB", got {memory!r}')
    return int(float(found[1]) * UNITS[found[2] or ""])


@contextmanager
def limited(threads: int, memory: int | None) -> Iterator[None]:
    """Keep what runs inside the block to some threads and so much more memory than there is in use now.

    Parameters
    ----------
    threads : int
        Threads of BLAS, OpenMP, torch, numba and dask. Dask works within the process: on the worker of a cluster it
        would hand out the pieces of one session to all the others, and lose them with any of these.
    memory : int or None
        Bytes; what asks for more gets a `MemoryError`. On systems other than Linux there is no such limit.

    Notes
    -----
    The limits hold for the process. Blocks that run at the same time in threads of it share them: the first sets
    the threads, each adds its memory, the last puts everything back.
    """
    global _within
    with _turn:
        _within += 1
        if _within == 1:
            _set_threads(threads)
        _set_memory(memory)
    _limit_libraries(threads)  # also where others run: numba's number is each thread's own
    try:
        yield
    finally:
        with _turn:
            _within -= 1
            _set_memory(memory if _within else None)
            if not _within:
                _former.close()


def _set_threads(threads: int) -> None:
    import dask
    from threadpoolctl import threadpool_limits

    local = {"scheduler": "synchronous"} if threads == 1 else {"scheduler": "threads", "num_workers": threads}
    _former.enter_context(dask.config.set(local))
    _former.enter_context(threadpool_limits(limits=threads))
    watcher = _Watcher(threads)
    sys.meta_path.insert(0, watcher)
    _former.callback(sys.meta_path.remove, watcher)


def _limit_libraries(threads: int) -> None:
    for name in _LIBRARIES:
        library: Any = sys.modules.get(name)
        if hasattr(library, "set_num_threads"):
            most = library.config.NUMBA_NUM_THREADS if name == "numba" else threads
            _former.callback(library.set_num_threads, library.get_num_threads())
            library.set_num_threads(min(threads, most))


class _Watcher(MetaPathFinder):
    """Limits a library that the first session of a process imports, so that it computes as all that follow."""

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self.awaited = {*_LIBRARIES}

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if name not in self.awaited:
            return None
        self.awaited.remove(name)  # so that the search that follows passes over us
        spec = find_spec(name)
        if spec is None or spec.loader is None:
            return None
        run = spec.loader.exec_module

        def run_and_limit(module: ModuleType) -> None:
            run(module)
            _limit_libraries(self.threads)

        spec.loader.exec_module = run_and_limit  # type: ignore[method-assign]
        return spec


def _set_memory(memory: int | None) -> None:
    """Allow data of the process `memory` bytes for each session beyond what they had before the first."""
    global _base
    try:
        import resource
    except ImportError:  # Windows
        return
    if not sys.platform.startswith("linux"):
        return
    if memory is None:
        if _base is not None:
            soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
            resource.setrlimit(resource.RLIMIT_DATA, (_base[1], hard))
            _base = None
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if _base is None:
        _base = status("VmData"), soft
    wanted = _base[0] + _within * memory
    resource.setrlimit(resource.RLIMIT_DATA, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard))


def status(field: str) -> int:
    """Bytes that Linux tells of this process, such as ``VmHWM``, its peak; 0 where it does not."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return 0
    found = re.search(rf"^{field}:\s*(\d+) kB", lines, re.MULTILINE)
    return int(found[1]) * 1024 if found else 0


def forget_peak() -> None:
    """Let `status("VmHWM")` count from here, where the system can."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
