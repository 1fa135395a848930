"""Work shared out to as many threads as torch has been told to take.

Compiled loops release the GIL, so that plain threads do. They follow ``torch.set_num_threads`` and with it
`dynome.device.threads`, which the threads of the compiler would not.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch

_MANY = 1 << 23  # products of numbers from which several threads pay


def shares(n: int, width: int, work: int) -> list[tuple[int, int]]:
    """Ranges of `n` items for the threads, each of whole blocks of `width`.

    Parameters
    ----------
    n, width : int
    work : int
        Number of products. One thread does few of them sooner than several.
    """
    n_blocks = -(-n // max(width, 1))
    n_threads = min(torch.get_num_threads(), n_blocks) if work >= _MANY else 1
    bounds = [min(n, width * (n_blocks * k // n_threads)) for k in range(n_threads)] if n_threads > 1 else [0]
    return list(zip(bounds, [*bounds[1:], n], strict=True))


def run(kernel: Callable[..., None], tasks: list[tuple[Any, ...]]) -> None:
    """Call a kernel with each tuple of arguments, on one thread each."""
    if len(tasks) == 1:
        kernel(*tasks[0])
        return
    with ThreadPoolExecutor(len(tasks)) as pool:
        list(pool.map(lambda task: kernel(*task), tasks))
