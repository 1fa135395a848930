"""Progress of long work: silent unless somebody asks to see it.

Library code opens a `task` and advances it; whoever wants a bar opens `show` around the call::

    with dy.progress.show():
        model.fit(tensor)

The reporter lives in a context variable: nothing global changes, and threads started elsewhere stay silent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.progress import Progress

Advance = Callable[[float], None]

_bar: ContextVar[Progress | None] = ContextVar("dynome_progress", default=None)


@contextmanager
def show(stream: TextIO | None = None) -> Iterator[Progress]:
    """Show a bar for every `task` opened inside the block.

    Parameters
    ----------
    stream : TextIO or None
        Where to draw; the standard error stream by default, so that piped output stays clean.
    """
    import sys

    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(file=stream or sys.stderr)) as bar:
        token = _bar.set(bar)
        try:
            yield bar
        finally:
            _bar.reset(token)


@contextmanager
def task(description: str, total: float | None = None) -> Iterator[Advance]:
    """One piece of work; yields a function that advances it by a number of steps.

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
        yield lambda _: None
        return
    identity = bar.add_task(description, total=total)
    yield lambda steps: bar.advance(identity, steps)
    bar.update(identity, total=total or 1, completed=total or 1)
