"""Where the command line starts and ends: errors in plain words, and exit codes."""

from __future__ import annotations

import signal
import sys
from typing import NoReturn

import typer

from dynome import interrupts
from dynome.cli import analysis, demonstration, files, tables  # noqa: F401, they add their commands
from dynome.cli.application import app
from dynome.errors import DynomeError

INTERRUPTED = 128 + signal.SIGINT
_HERE = {"pass overwrite=True": "pass --overwrite", "pass resume=True": "pass --resume"}


def main() -> NoReturn:
    """Run the command line; errors that dynome explains are told in plain words, without a traceback."""
    with interrupts.noted() as came:
        try:
            returned = app(standalone_mode=False)
            code = returned if isinstance(returned, int) else 0
        except KeyboardInterrupt:
            code = INTERRUPTED
        except Exception as error:
            # A library that reads in C may swallow the interrupt and raise an error of its own in its place.
            code = INTERRUPTED if came else _told(error)
        if code == INTERRUPTED:  # typer gives it for a KeyboardInterrupt
            code = _interrupted(came[0] if came else signal.SIGINT)
    sys.exit(code)


def _interrupted(number: int) -> int:
    """Say that a signal ended the command; the exit code is that of a shell."""
    how = "terminated" if number == signal.SIGTERM else "interrupted"
    typer.secho(f"{how}; nothing half-written is left", fg="yellow", err=True)
    return 128 + number


def _told(error: Exception) -> int:
    """Tell an error in plain words; what is nobody's fault but ours is raised as it is."""
    if isinstance(error, DynomeError):
        told, code = str(error), 1
        for in_python, here in _HERE.items():
            told = told.replace(in_python, here)
    elif isinstance(error, typer.Abort):
        return INTERRUPTED
    elif hasattr(error, "format_message"):  # a wrong call, which click words itself
        told, code = error.format_message(), 2
    else:
        raise error
    typer.secho(f"error: {told}", fg="red", err=True)
    return code
