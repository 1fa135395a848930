"""What the columns of a table of traces are: clock, row numbers, covariates, or traces.

Every column that is none of the others is a trace, so what looks like a clock or like row numbers is never left there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dynome import units
from dynome.datasets.formats import nodes, tables
from dynome.errors import FormatError, InputError, listed

_WORDS = "seconds|milliseconds|microseconds|minutes"
_UNITS = f"{_WORDS}|s|secs?|second|ms|msec|millisecond|us|µs|μs|microsecond|min|minute"
CLOCK = re.compile(rf"(?:time|t|timestamps?)(?:[ _]*[\[(_ ]?({_UNITS})[\])]?)?|({_WORDS})", re.IGNORECASE)
_ROW_NUMBERS = re.compile(
    r"(?:frames?|index|indices|idx|samples?|rows?|volumes?|scans?|time[ _]?points?)"
    r"(?:[ _.]*(?:numbers?|num|no\.?|nr\.?|index|idx|ids?|#))?",
    re.IGNORECASE,
)
_UNNAMED = re.compile(r"(?:Unnamed: \d+)?")  # the second is how pandas writes again an index that it has read
_FEWEST = 3  # two samples count up by chance

Units = Mapping[str, str] | Sequence[str]


class Asked(NamedTuple):
    """What the caller says of the columns.

    Attributes
    ----------
    time, time_units : str or None
        The clock, and its unit where the name does not say it.
    covariates : mapping
        Columns beside the traces, with their units.
    drop : tuple of str
        Columns that are left out.
    """

    time: str | None = None
    time_units: str | None = None
    covariates: Mapping[str, str] = {}
    drop: tuple[str, ...] = ()


class Roles(NamedTuple):
    """The columns that are no traces.

    Attributes
    ----------
    clock : (row,) or None
        Stamps in seconds.
    said : str
        Where the clock stands, as a message about it begins.
    covariates : mapping
        Name to (values, unit).
    """

    clock: NDArray[np.float64] | None
    said: str
    covariates: dict[str, tuple[NDArray[Any], str]]


def asked(time: str | None, time_units: str | None, covariates: Units, drop: Sequence[str]) -> Asked:
    """What the caller says, checked.

    Raises
    ------
    InputError
        If a list is a string, or a column is named in two places.
    UnitsError
        If `time_units` is no unit of time.

    Examples
    --------
    >>> asked("t", "ms", ["velocity"], []).covariates
    {'velocity': 'unknown'}
    """
    for what, given in (("covariates", covariates), ("drop", drop)):
        if isinstance(given, str):
            raise InputError(f"{what} must be a list of columns, got {given!r}; pass {what}=[{given!r}]")
    if time_units is not None:
        units.seconds_per(time_units)
    beside = dict(covariates) if isinstance(covariates, Mapping) else dict.fromkeys(covariates, "unknown")
    named = [*beside, *drop, *([] if time is None else [time])]
    if twice := sorted({name for name in named if named.count(name) > 1}):
        raise InputError(f"{listed(twice)} can be only one of time, covariates and drop")
    return Asked(time, time_units, beside, tuple(drop))


def take(frame: pd.DataFrame, names: Mapping[int, str], said: Asked) -> Roles:
    """Take everything out of the columns that is no trace; `frame` is changed.

    Raises
    ------
    InputError
        If a column that is asked for is missing, or a column may be a clock or row numbers and it is not said which.
    FormatError
        If a column holds no numbers, or a sample has no time.
    """
    for name in said.drop:
        for doomed in _places(names, name):
            if doomed in _held(frame):
                frame.pop(doomed)  # type: ignore[arg-type]
    covariates = {n: (_pop(frame, names, _only(names, n)), unit) for n, unit in said.covariates.items()}
    place: int | None = None if said.time is None else _only(names, said.time)
    stamps = None if place is None else _pop(frame, names, place)
    _leave_out_row_numbers(frame, names)
    clocks = [k for k in _held(frame) if k in names and CLOCK.fullmatch(names[k].strip())]
    if not clocks and 0 in _held(frame) and names.get(0) == "":
        clocks = [0]  # the index of a table whose index is time
    if len(clocks) + (place is not None) > 1:
        found = ", ".join(called(names, k) for k in ([] if place is None else [place]) + clocks)
        raise InputError(
            f"there is more than one clock: {found}; pass time= with one of them and drop= (or covariates=) with the "
            "others"
        )
    if clocks:
        place = clocks[0]
        stamps = _pop(frame, names, place)
    if 0 in _held(frame) and names.get(0) == "":
        raise InputError(f"column 1 has no name and holds no row numbers; {_advice('')}")
    if stamps is None or place is None:
        return Roles(None, "", covariates)
    return Roles(in_seconds(stamps, names[place], said.time_units), f"{called(names, place)} and", covariates)


def refuse_counting(frame: pd.DataFrame, names: Mapping[int, str]) -> None:
    """Refuse a column of numbers that counts the rows: it would become a node.

    Raises
    ------
    InputError
        With the column.
    """
    if all(map(tables.is_number, names.values())):
        return  # columns that are only numbered may be samples
    for place in _held(frame):
        column = frame[place].to_numpy()
        if place in names and column.size >= _FEWEST and _counts(column):
            raise InputError(
                f"{called(names, place)} and counts the rows ({column[0]:g}, {column[1]:g}, {column[2]:g}, ...), "
                f"so it is no trace; {_advice(names[place])}"
            )


def refuse_counting_first(values: NDArray[Any]) -> None:
    """Refuse samples by rows, of columns without names, whose first column counts the rows.

    Raises
    ------
    InputError
        If it does and there are others.
    """
    if values.shape[1] > 1 and len(values) >= _FEWEST and _counts(values[:, 0]):
        raise InputError(
            "column 1 counts the rows, so it is no trace; take it out of the file, or pass node= if it is one"
        )


def called(names: Mapping[int, str], place: int) -> str:
    """A column by its number and name, for messages.

    Examples
    --------
    >>> called({1: "time"}, 1), called({0: ""}, 0)
    ("column 2 is called 'time'", 'column 1 has no name')
    """
    return f"column {place + 1} " + (f"is called {names[place]!r}" if names[place] else "has no name")


def in_seconds(stamps: NDArray[Any], name: str, unit: str | None) -> NDArray[np.float64]:
    """Stamps in seconds, by the unit in the name of their column, else by `unit`, else as they are.

    Raises
    ------
    FormatError
        If a stamp is missing.
    InputError
        If the name says another unit.
    """
    if missing := int(np.isnan(stamps).sum()):
        raise FormatError(f"{missing} samples have no time; fill them in or leave the rows out")
    match = CLOCK.fullmatch(name.strip())
    own = (match[1] or match[2] or "").lower() if match else ""
    if own and unit is not None and units.canonical(own) != units.canonical(unit):
        raise InputError(f"column {name!r} says that it is in {units.canonical(own)}, but time_units={unit!r}")
    return stamps.astype(np.float64) * units.seconds_per(own or unit or "s")


def _leave_out_row_numbers(frame: pd.DataFrame, names: Mapping[int, str]) -> None:
    for place in [k for k in _held(frame) if k in names]:
        name = names[place].strip()
        if not (_UNNAMED.fullmatch(name) or _ROW_NUMBERS.fullmatch(name)):
            continue
        column = tables.numbers(frame[[place]], names)[place].to_numpy()
        whole = bool((column == np.round(column)).all() and (np.diff(column) > 0).all())
        if _counts(column) or (whole and not _UNNAMED.fullmatch(name)):
            frame.pop(place)  # type: ignore[arg-type]
        elif not _UNNAMED.fullmatch(name):
            raise InputError(
                f"{called(names, place)}, but holds no row numbers; pass time={name!r} if it is the clock, or "
                + _advice(name).removeprefix("pass ")
            )


def _held(frame: pd.DataFrame) -> list[int]:
    return [int(k) for k in frame.columns]


def _counts(column: NDArray[Any]) -> bool:
    """Whether the values are whole numbers n, n + 1, n + 2, ... that doubles still tell from each other."""
    first = column[0]
    return bool(
        first == np.round(first) and abs(first) < 2**53 and np.array_equal(column, first + np.arange(column.size))
    )


def _advice(name: str) -> str:
    return f"pass drop=[{name!r}], or covariates=[{name!r}] to keep it beside the traces"


def _places(names: Mapping[int, str], name: str) -> list[int]:
    nodes.choose(name, list(names.values()), "column")
    return [place for place, other in names.items() if other == name]


def _only(names: Mapping[int, str], name: str) -> int:
    places = _places(names, name)
    if len(places) > 1:
        raise InputError(f"{len(places)} columns are called {name!r}; rename them in the file")
    return places[0]


def _pop(frame: pd.DataFrame, names: Mapping[int, str], place: int) -> NDArray[Any]:
    if place not in _held(frame):
        raise FormatError(f"column {names[place]!r} must hold numbers, found text")
    column = tables.numbers(frame[[place]], names)[place].to_numpy()
    frame.pop(place)  # type: ignore[arg-type]
    return column
