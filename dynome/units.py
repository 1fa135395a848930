"""Units are strings in ``attrs["units"]`` of every numeric variable; this module reads and compares them.

Only what the package must decide on is known here (time, counts, dimensionless quantities); any other unit is
kept as it was written and compared after its spelling is normalised. For conversions use pint-xarray.
"""

from __future__ import annotations

from collections.abc import Iterable

import xarray as xr

from dynome.errors import UnitsError

DIMENSIONLESS = "1"
SECONDS = "s"

_spellings = {
    "s": ("s", "sec", "secs", "second", "seconds"),
    "ms": ("ms", "msec", "millisecond", "milliseconds"),
    "us": ("us", "µs", "μs", "microsecond", "microseconds"),
    "min": ("min", "minute", "minutes"),
    "1": ("1", "", "dimensionless", "a.u.", "au", "arbitrary", "none", "unitless"),
    "count": ("count", "counts", "spikes"),
    "synapses": ("synapses", "synapse"),
    "Hz": ("hz", "1/s", "s-1", "s^-1"),
}
_known = {spelling: unit for unit, spellings in _spellings.items() for spelling in spellings}
_symbols = frozenset({"s", "ms", "us", "µs", "μs"})
_seconds = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "min": 60.0}

COUNTS = frozenset({"count", "synapses", "contacts"})


def canonical(unit: str) -> str:
    """One spelling for each known unit; an unknown unit comes back stripped.

    Words are read in any case, symbols of time as they are written: S is siemens and mS millisiemens.

    Parameters
    ----------
    unit : str
        As somebody wrote it.

    Examples
    --------
    >>> canonical("Seconds"), canonical("a.u."), canonical("dF/F"), canonical("mS")
    ('s', '1', 'dF/F', 'mS')
    """
    written = unit.strip()
    return written if written.lower() in _symbols and written not in _symbols else _known.get(written.lower(), written)


def of(variable: xr.DataArray) -> str | None:
    """The canonical unit of a variable, or None where it has none.

    Parameters
    ----------
    variable : DataArray
        With ``attrs["units"]``, or without.
    """
    unit = variable.attrs.get("units")
    return canonical(unit) if isinstance(unit, str) else None


def seconds_per(unit: str) -> float:
    """How many seconds one `unit` of time is.

    Parameters
    ----------
    unit : str
        A unit of time in any spelling.

    Raises
    ------
    UnitsError
        If `unit` is not a unit of time.

    Examples
    --------
    >>> seconds_per("ms")
    0.001
    """
    try:
        return _seconds[canonical(unit)]
    except KeyError:
        raise UnitsError(f"expected a unit of time ({', '.join(_seconds)}), got {unit!r}") from None


def agree(variables: Iterable[xr.DataArray], what: str) -> str | None:
    """The one unit that all `variables` share.

    Parameters
    ----------
    variables : iterable of DataArray
        Variables that are to be joined.
    what : str
        What they are, for the message.

    Raises
    ------
    UnitsError
        If two of them have different units.
    """
    found = {of(v) for v in variables}
    if len(found) > 1:
        names = ", ".join(sorted(repr(u) for u in found))
        raise UnitsError(f"{what} must share one unit, found {names}; convert them before joining")
    return found.pop() if found else None
