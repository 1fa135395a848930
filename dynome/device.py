"""Where kernels run: the CPU, a CUDA card or Apple's GPU; on how many threads; how to get the same bits twice."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Literal, get_args

from dynome.errors import InputError

Device = Literal["cpu", "cuda", "mps"]


def resolve(device: str = "auto") -> str:
    """Name the device that `device` means on this machine.

    Parameters
    ----------
    device : str
        ``"auto"`` (cuda, then mps, then cpu), ``"cpu"``, ``"cuda"``, ``"cuda:N"`` or ``"mps"``.

    Returns
    -------
    str
        A device that exists here.

    Raises
    ------
    InputError
        If the name is unknown or the device is not available.

    Examples
    --------
    >>> resolve("cpu")
    'cpu'
    """
    if device == "cpu":
        return "cpu"
    if not isinstance(device, str) or device.split(":")[0] not in ("auto", *get_args(Device)):
        raise InputError(f"device must be 'auto', 'cpu', 'cuda', 'cuda:N' or 'mps', got {device!r}")
    available = _accelerators()
    if device == "auto":
        return available[0] if available else "cpu"
    if device not in available:
        raise InputError(f"device {device!r} is not available here (found: {', '.join(['cpu', *available])})")
    return device


def _accelerators() -> list[str]:
    if find_spec("torch") is None:
        return []
    import torch

    found = ["cuda", *(f"cuda:{k}" for k in range(torch.cuda.device_count()))] if torch.cuda.is_available() else []
    return [*found, "mps"] if torch.backends.mps.is_available() else found


@contextmanager
def threads(n: int) -> Iterator[None]:
    """Limit BLAS, OpenMP and torch to `n` threads inside the block, and restore the former limits after it.

    Parameters
    ----------
    n : int
        At least 1. Small problems on a busy machine are fastest with 1.
    """
    import sys

    from threadpoolctl import threadpool_limits

    if n < 1:
        raise InputError(f"threads must be at least 1, got {n}")
    torch = sys.modules.get("torch")
    before = torch.get_num_threads() if torch else None
    with threadpool_limits(limits=n):
        if torch:
            torch.set_num_threads(n)
        try:
            yield
        finally:
            if torch:
                torch.set_num_threads(before)


@contextmanager
def repeatable() -> Iterator[None]:
    """A block in which torch takes only operations that give the same bits at every run; what was set before returns.

    On a CPU with a given number of threads they all do. On a CUDA card some sums hang on the order in which threads
    come; this takes their slower forms, and what has none raises RuntimeError. cuBLAS wants
    ``CUBLAS_WORKSPACE_CONFIG=:4096:8`` in the environment before Python starts, and says so where it lacks.

    Examples
    --------
    >>> with repeatable():  # model.fit(study) here
    ...     pass
    """
    import torch

    before = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    tuned = torch.backends.cudnn.benchmark
    torch.use_deterministic_algorithms(True)
    torch.backends.cudnn.benchmark = False
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before[0], warn_only=before[1])
        torch.backends.cudnn.benchmark = tuned
