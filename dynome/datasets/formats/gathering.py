"""Many files as one study: all of them, or those that can be read, with the reasons for the others."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar

import xarray as xr

from dynome import progress, study
from dynome.errors import DynomeError, FormatError, InputError, Problems, listed

OnError = Literal["raise", "skip"]
Source = TypeVar("Source")


def checked(on_error: str) -> None:
    """Refuse another choice than "raise" and "skip".

    Raises
    ------
    InputError
        With the choices.
    """
    if on_error not in ("raise", "skip"):
        raise InputError(f'on_error must be "raise" or "skip", got {on_error!r}')


def gather(
    sources: Mapping[str, Source],
    read: Callable[[Source], xr.Dataset],
    *,
    subject: str,
    on_error: OnError,
    attrs: Mapping[str, Any] | None = None,
    phenotype: Callable[[dict[str, Source]], xr.Dataset | None] = lambda _: None,
) -> xr.DataTree:
    """A study of everything that `read` returns.

    Parameters
    ----------
    sources : mapping
        ``"animal"`` or ``"animal/session"`` to what `read` takes.
    read : callable
        Makes one recording.
    subject : str
        What cannot be done, for the message.
    on_error : {"raise", "skip"}
        Raise all problems at once, or leave these recordings out and name them in ``attrs["left_out"]``.
    attrs : mapping or None
        Attributes of the study.
    phenotype : callable
        Makes the phenotype of the sources that could be read.

    Raises
    ------
    InputError
        If `on_error` is neither choice, or an argument does not fit a file.
    FormatError
        With every problem, or if nothing can be read.
    """
    checked(on_error)
    problems = Problems(subject)
    found: dict[str, xr.Dataset] = {}
    left_out: list[str] = []
    unfit: list[tuple[str, InputError]] = []
    with progress.task("reading recordings", total=len(sources)) as advance:
        for name, source in sources.items():
            try:
                found[name] = read(source)
            except InputError as error:
                unfit.append((name, error))
            except DynomeError as error:
                problems.add(f"{name}: {error}")
                left_out.append(name)
            advance(1)
    _raise_unfit(unfit)
    known = None
    try:
        known = phenotype({name: source for name, source in sources.items() if name in found})
    except DynomeError as error:
        problems.add(f"phenotype: {error}")
        left_out.append("phenotype")
    if on_error == "raise" or not found:
        if problems.found and found:
            problems.add(f'{len(found)} of {len(sources)} can be read: pass on_error="skip" to leave the others out')
        problems.raise_if_any(FormatError)
    return study.build(found, phenotype=known, attrs={**(attrs or {}), **({"left_out": left_out} if left_out else {})})


def _raise_unfit(unfit: list[tuple[str, InputError]]) -> None:
    """An argument that does not fit is told once, with all that it does not fit."""
    if not unfit:
        return
    first = unfit[0][1]
    if len(unfit) == 1:
        raise first
    same = [name for name, error in unfit if _reason(error) == _reason(first)]
    told = (
        f"{first} (and so it is with {listed([n for n in same if n != unfit[0][0]], 20)})" if same[1:] else f"{first}"
    )
    others = [f"{name}: {error}" for name, error in unfit if name not in same]
    raise InputError("\n".join([told, *others])) from first


def _reason(error: InputError) -> str:
    """A message without the file that it begins with."""
    return str(error).partition(": ")[2]


def entities(name: str) -> dict[str, str]:
    """The BIDS entities of a file name, and its suffix.

    Examples
    --------
    >>> entities("sub-01_ses-a_task-rest_timeseries.tsv")
    {'sub': '01', 'ses': 'a', 'task': 'rest', 'suffix': 'timeseries'}
    """
    stem = name.split(".", 1)[0]
    parts = dict(re.findall(r"(?:^|_)([a-zA-Z]+)-([a-zA-Z0-9+]+)", stem))
    return parts if "-" in stem.rsplit("_", 1)[-1] else {**parts, "suffix": stem.rsplit("_", 1)[-1]}


def paths_of(keys: Iterable[tuple[Path, str, str]]) -> dict[str, Path]:
    """Files by ``"animal"``, or by ``"animal/session"`` where any animal has several.

    Raises
    ------
    FormatError
        If two files would have one name.
    """
    by_animal: dict[str, dict[str, Path]] = {}
    for path, animal, session in keys:
        other = by_animal.setdefault(animal, {}).setdefault(session, path)
        if other != path:
            names = listed([other.name, path.name])
            raise FormatError(f"{names} are both session {session or '(none)'!r} of {animal!r}; choose among them")
    several = any(len(sessions) > 1 for sessions in by_animal.values())
    return {
        f"{animal}/{session or 'session'}" if several else animal: path
        for animal, sessions in by_animal.items()
        for session, path in sessions.items()
    }
