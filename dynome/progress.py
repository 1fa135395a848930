"""Progress of long work: silent unless somebody asks to see it.

Library code opens a `task` and advances it; whoever wants a bar opens `show` around the call::

    with dy.progress.show():
        model.fit(tensor)

The reporter lives in a context variable: nothing global changes, and threads started elsewhere stay silent. A task
inside another is shown while it runs: hundreds of sessions with tens of steps each leave one line, not thousands.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Protocol, TextIO

if TYPE_CHECKING:
    from rich.progress import Progress


class _Advance(Protocol):
    """Moves a bar on by some steps; a note, such as a loss, is shown beside what is being done."""

    def __call__(self, steps: float, note: str = "") -> None:
        """Move on."""


_bar: ContextVar[Progress | None] = ContextVar("dynome_progress", default=None)
_inside: ContextVar[bool] = ContextVar("dynome_progress_inside", default=False)


@contextmanager
def show(stream: TextIO | None = None) -> Iterator[Progress]:
    """Show a bar for every `task` opened inside the block, with the time it has taken and the time left.

    Parameters
    ----------
    stream : TextIO or None
        Where to draw; the standard error stream by default, so that piped output stays clean.
    """
    import sys

    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    times = TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn()
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), *times)
    with Progress(*columns, console=Console(file=stream or sys.stderr)) as bar:
        token = _bar.set(bar)
        try:
            yield bar
        finally:
            _bar.reset(token)


@contextmanager
def task(description: str, total: float | None = None) -> Iterator[_Advance]:
    """One piece of work; yields a function that advances it by a number of steps, and may say how it goes.

    Its line stays when it is done, unless it is a part of another task.

    Parameters
    ----------
    description : str
        What is being done, in a few words.
    total : float or None
        Steps in all; None when unknown.

    Examples
    --------
    >>> with task("fitting restarts", total=2) as advance:
    ...     advance(1)
    ...     advance(1)
    """
    bar = _bar.get()
    if bar is None:
        yield _silent
        return
    nested, identity = _inside.get(), bar.add_task(description, total=total)

    def advance(steps: float, note: str = "") -> None:
        bar.update(identity, advance=steps, description=f"{description}: {note}" if note else description)

    token = _inside.set(True)
    try:
        yield advance
        bar.update(identity, total=total or 1, completed=total or 1)
    finally:
        _inside.reset(token)
        if nested:
            bar.remove_task(identity)


def _silent(steps: float, note: str = "") -> None:
    """Nobody looks."""
