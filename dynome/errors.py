"""Errors that say what was expected, what was found and what to do.

Every error of the package is a `DynomeError` and, besides, the built-in that fits, so that ``except ValueError``
works as users expect. `Problems` gathers everything that is wrong with an input and raises once.
"""

from __future__ import annotations

from typing import NoReturn


class DynomeError(Exception):
    """Base of every error that dynome raises on purpose."""


class SchemaError(DynomeError, ValueError):
    """Data that do not follow the schema; the message lists every problem."""


class InputError(DynomeError, ValueError):
    """An argument that cannot be used; the message lists every problem."""


class UnitsError(DynomeError, ValueError):
    """Units that are missing, unknown or disagree."""


class StoreError(DynomeError, OSError):
    """A store that is missing, foreign, incomplete or damaged."""


class FormatError(DynomeError, ValueError):
    """A file that is not in the layout its reader expects."""


class FetchError(DynomeError, OSError):
    """A data set that could not be obtained or whose checksum is wrong."""


class MissingExtraError(DynomeError, ImportError):
    """An optional dependency that is not installed."""


class NotFittedError(DynomeError, ValueError, AttributeError):
    """An estimator that was asked for results before `fit`."""


class BatchError(DynomeError, RuntimeError):
    """A batch that cannot go on: its output cannot be written or is in use, or its scheduler is gone."""


class SessionError(DynomeError, RuntimeError):
    """A session of a batch that failed; the message has the session and what went wrong."""


class Problems:
    """A list of problems that is raised once.

    Parameters
    ----------
    subject : str
        What could not be done, e.g. ``"recording is not valid"``.

    Examples
    --------
    >>> problems = Problems("cannot average")
    >>> problems.add("width must be positive, got -1 s")
    >>> problems.raise_if_any(InputError)
    Traceback (most recent call last):
    dynome.errors.InputError: cannot average:
      - width must be positive, got -1 s
    """

    def __init__(self, subject: str) -> None:
        self.subject = subject
        self.found: list[str] = []

    def add(self, problem: str) -> None:
        """Note one problem: what was expected, what was found, what to do."""
        self.found.append(problem)

    def raise_if_any(self, error: type[DynomeError]) -> None:
        """Raise `error` with every problem, or return if there is none."""
        if self.found:
            self.fail(error)

    def fail(self, error: type[DynomeError]) -> NoReturn:
        """Raise `error` with every problem noted so far."""
        raise error(f"{self.subject}:\n" + "\n".join(f"  - {p}" for p in self.found))


def listed(values: object, limit: int = 5) -> str:
    """A short, readable list of labels for messages.

    Parameters
    ----------
    values : iterable
        Labels or other values, in the order to tell them.
    limit : int
        How many to tell; the rest is counted.

    Examples
    --------
    >>> listed(["AVAL", "AVAR"])
    "'AVAL', 'AVAR'"
    >>> listed(range(9), limit=2)
    '0, 1, ... (9 in all)'
    """
    items = [str(v) if not isinstance(v, str) else repr(str(v)) for v in values]  # type: ignore[attr-defined]
    return ", ".join(items) if len(items) <= limit else ", ".join(items[:limit]) + f", ... ({len(items)} in all)"
