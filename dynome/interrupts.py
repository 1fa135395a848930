"""Signals that ask a command to stop: noted when they come, so that no library can swallow them.

Python turns Ctrl-C into a KeyboardInterrupt inside whatever runs at that moment. A parser written in C may catch it and
raise an error of its own, which then looks like a fault of the data. The command line opens `noted` around a command;
long work calls `check` between its steps, and where it catches errors. Nothing global changes outside of `noted`.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import FrameType
from typing import Any

_came: ContextVar[list[int] | None] = ContextVar("dynome_interrupts", default=None)
_held: ContextVar[bool] = ContextVar("dynome_interrupts_held", default=False)
_DEFAULTS: dict[int, Callable[[int, FrameType | None], Any] | signal.Handlers] = {
    signal.SIGINT: signal.default_int_handler,
    signal.SIGTERM: signal.SIG_DFL,
}


@contextmanager
def noted() -> Iterator[list[int]]:
    """Note SIGINT and SIGTERM while the block runs; each also raises KeyboardInterrupt, as Ctrl-C does.

    Yields
    ------
    list of int
        Numbers of the signals that came, in order. Only a signal that Python would handle by default is noted: one
        that is ignored (a background job of a shell) or has another handler keeps its ways, and so does a thread
        other than the main one, which gets no signals.

    Examples
    --------
    >>> with noted() as came:
    ...     pass
    >>> came
    []
    """
    came: list[int] = []

    def note(number: int, _: FrameType | None) -> None:
        came.append(number)
        if not _held.get() or len(came) > 1:
            raise KeyboardInterrupt

    mine = []
    if threading.current_thread() is threading.main_thread():
        mine = [number for number, default in _DEFAULTS.items() if signal.getsignal(number) == default]
    token = _came.set(came)
    try:
        for number in mine:
            signal.signal(number, note)
        yield came
    finally:
        for number in mine:
            signal.signal(number, _DEFAULTS[number])
        _came.reset(token)


@contextmanager
def held() -> Iterator[None]:
    """Obey a signal that comes inside the block at its end, where it is noted; a second one at once.

    For what can only be closed once it is whole, such as worker processes that are being started.

    Examples
    --------
    >>> with held():
    ...     pass
    """
    token = _held.set(True)
    try:
        yield
    finally:
        _held.reset(token)
    check()


def check() -> None:
    """Stop if a signal came that something has swallowed.

    Raises
    ------
    KeyboardInterrupt
        If a signal was noted since `noted` was entered.

    Examples
    --------
    >>> check()
    """
    if _came.get():
        raise KeyboardInterrupt
