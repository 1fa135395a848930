"""Batches that are made ready in the background, one ahead of the network that reads them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any


@contextmanager
def loaded(items: Sequence[Any], load: Callable[[Any], Any]) -> Iterator[Iterator[Any]]:
    """Results of `load`, in order; while one is used, one thread works on the next.

    Parameters
    ----------
    items : sequence
    load : callable
        ``load(item)``. What it needs of random numbers travels in the item, so that results do not hang on timing.

    Yields
    ------
    iterator
        At most one result waits, so that two are in memory. An error of `load` comes up at its item, after the results
        before it. When the block ends, by an error too, the thread has ended.

    Examples
    --------
    >>> with loaded([1, 2, 3], lambda item: item**2) as squares:
    ...     list(squares)
    [1, 4, 9]
    """
    with ThreadPoolExecutor(1, thread_name_prefix="dynome-load") as pool:
        yield _in_turn(pool, items, load)


def _in_turn(pool: ThreadPoolExecutor, items: Sequence[Any], load: Callable[[Any], Any]) -> Iterator[Any]:
    coming = pool.submit(load, items[0]) if len(items) else None
    for k in range(1, len(items) + 1):
        if coming is None:
            return
        ready = coming.result()
        coming = pool.submit(load, items[k]) if k < len(items) else None
        yield ready
        del ready  # or three batches would be in memory while the next one is waited for
