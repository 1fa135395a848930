"""The clock of a recording: how often it samples, and how evenly.

Real clocks jitter, drift and drop frames. Three grades matter here, each with its own check:

* increasing: finite stamps, each later than the one before (`stamps`); everything needs it;
* gapless: no step further than half an interval from the interval (`gapless_interval`); filters that count samples
  (smoothing, derivatives, rolling baselines) need it, and jitter below that bound does them no harm;
* regular: every stamp within 1 % of an interval of an evenly spaced clock (`is_regular`).
"""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome import units
from dynome.errors import InputError, Problems, UnitsError
from dynome.schema import TIME

STRAY = 0.5  # a step further than this from the interval, in intervals, is a gap or a stray sample
_MOSTLY = 0.9  # share of the steps that must not stray for a recording to have a sampling interval at all

Stamps = NDArray[np.float64]


def sampling_interval(rec: xr.Dataset | xr.DataArray) -> float:
    """Seconds between samples.

    Parameters
    ----------
    rec : Dataset or DataArray with ``time``
        Stamps in seconds, increasing. Jitter and gaps are allowed.

    Returns
    -------
    float
        Mean of the steps that lie within half of the median step: jitter averages out, dropped frames do not count.

    Raises
    ------
    InputError
        If the clock is missing, not finite or not increasing, or fewer than 90 % of its steps are alike.
    UnitsError
        If ``time`` has a unit other than seconds.

    Examples
    --------
    >>> x = xr.DataArray(np.zeros(4), dims="time", coords={"time": [0.0, 0.5, 1.0, 1.5]})
    >>> sampling_interval(x)
    0.5
    """
    return interval_of(stamps(rec, "tell the sampling interval"), "tell the sampling interval")


def sampling_rate(rec: xr.Dataset | xr.DataArray) -> float:
    """Samples per second (Hz): one over `sampling_interval`, with the same errors.

    Parameters
    ----------
    rec : Dataset or DataArray
        With a regular ``time`` in seconds.

    Examples
    --------
    >>> sampling_rate(xr.DataArray(np.zeros(4), dims="time", coords={"time": [0.0, 0.5, 1.0, 1.5]}))
    2.0
    """
    return 1 / sampling_interval(rec)


def is_regular(rec: xr.Dataset | xr.DataArray, *, tolerance: float = 0.01) -> bool:
    """Whether samples can be counted instead of timed.

    Parameters
    ----------
    rec : Dataset or DataArray with ``time``
        Stamps in seconds, increasing.
    tolerance : float
        Largest departure of any stamp from an evenly spaced clock with the same ends, in intervals.

    Raises
    ------
    InputError, UnitsError
        If there is no usable clock (as `sampling_interval`).

    Examples
    --------
    >>> x = xr.DataArray(np.zeros(4), dims="time", coords={"time": [0.0, 0.5, 1.1, 1.5]})
    >>> is_regular(x), is_regular(x, tolerance=0.25)
    (False, True)
    """
    return evenly_spaced(stamps(rec, "judge the clock"), tolerance)


def stamps(rec: xr.Dataset | xr.DataArray, action: str) -> Stamps:
    """The checked stamps of a recording in seconds, (n_time,).

    Parameters
    ----------
    rec : Dataset or DataArray
        What should have a clock.
    action : str
        What the caller is about to do, for the message, e.g. ``"resample"``.
    """
    problems = Problems(f"cannot {action}")
    if TIME not in rec.dims or TIME not in rec.coords:
        problems.add(
            f"expected a dim time with a coordinate in seconds, found dims {tuple(map(str, rec.dims))} and "
            f"coordinates {tuple(map(str, rec.coords))}; assign one, e.g. .assign_coords(time=np.arange(n) / rate)"
        )
        problems.fail(InputError)
    clock = rec[TIME]
    if (unit := units.of(clock)) not in (None, units.SECONDS):
        raise UnitsError(f"cannot {action}: time must be in seconds, found {unit!r}; convert it with .assign_coords")
    if clock.dtype.kind not in "iuf":
        problems.add(
            f"time must be numbers in seconds, found dtype {clock.dtype}; subtract the start and divide by 1 s"
        )
        problems.fail(InputError)
    values = clock.to_numpy().astype(np.float64)
    if values.size < 2:
        problems.add(f"expected at least 2 time samples, found {values.size}")
    if not np.isfinite(values).all():
        problems.add(f"time must be finite, found {int((~np.isfinite(values)).sum())} NaN or infinite stamps")
    elif (backward := np.flatnonzero(np.diff(values) <= 0)).size:
        problems.add(
            f"time must be strictly increasing, found {backward.size} stamps that repeat or go back (first after "
            f"{values[backward[0]]:g} s); sort and drop repeats, or rebuild a clock that lost its precision as "
            "np.arange(n) / rate"
        )
    problems.raise_if_any(InputError)
    return values


def interval_of(clock: Stamps, action: str) -> float:
    """Mean of the steps near the median step, in seconds; refuses a clock without a typical step."""
    steps = np.diff(clock)
    typical = np.median(steps)
    alike = np.abs(steps - typical) <= STRAY * typical
    if alike.mean() < _MOSTLY:
        raise InputError(
            f"cannot {action}:\n  - expected steps that are mostly alike, found only {alike.mean():.0%} within half of "
            f"the median step {typical:g} s; bin the samples on a clock of your own first"
        )
    return float(steps[alike].mean())


def gapless_interval(rec: xr.Dataset | xr.DataArray, action: str) -> float:
    """The sampling interval in seconds of a clock without gaps, for filters that count samples."""
    clock = stamps(rec, action)
    interval = interval_of(clock, action)
    steps = np.diff(clock)
    strays = np.flatnonzero(np.abs(steps - interval) > STRAY * interval)
    if strays.size:
        raise InputError(
            f"cannot {action}:\n  - expected an even clock, found {strays.size} steps that stray by more than half of "
            f"the interval {interval:g} s (first after {clock[strays[0]]:g} s: {steps[strays[0]]:g} s); "
            "resample(rec, rate=...) puts samples on an even clock and NaN into gaps"
        )
    return interval


def evenly_spaced(clock: Stamps, tolerance: float = 0.01) -> bool:
    """Whether every stamp is within `tolerance` intervals of an even clock with the same ends."""
    even = np.linspace(clock[0], clock[-1], clock.size)
    return bool(np.abs(clock - even).max() <= tolerance * (even[1] - even[0]))
