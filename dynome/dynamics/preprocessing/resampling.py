"""Bringing recordings to a chosen rate."""

from __future__ import annotations

from functools import partial
from typing import get_args

import numpy as np
import xarray as xr

from dynome import units
from dynome.dynamics.preprocessing.antialiasing import ClockChange, ResampleMethod, change_clock, plan
from dynome.dynamics.preprocessing.clock import Stamps, evenly_spaced, interval_of, stamps
from dynome.dynamics.preprocessing.labelled import Recording, along_time, on_dataset
from dynome.errors import InputError, Problems
from dynome.schema import ACTIVITY, SPIKE_COUNT, TIME

MOST_UPSAMPLING = 50  # beyond it a clock in milliseconds is likelier than a wish


def resample(rec: Recording, *, rate: float, method: ResampleMethod = "sinc") -> Recording:
    """The same signals on a regular clock of another rate, without aliasing and without a shift in time.

    Parameters
    ----------
    rec : Dataset or DataArray (..., time, ...)
        Any unit. Jitter, drift and gaps of the clock are allowed as long as nine steps in ten lie within half of the
        median step.
    rate : float
        Hz, higher or lower than that of the recording, in any ratio.
    method : {"sinc", "linear"}
        ``"sinc"``: Kaiser-windowed sinc, the filter of `scipy.signal.resample_poly`; gain within 1 % up to 0.84 of half
        the lower rate, aliases from beyond 1.16 of it below -50 dB; it may overshoot sharp edges by a tenth.
        ``"linear"``: a triangle as wide as the slower clock; never leaves the range of the data, but damps fast
        changes.

    Returns
    -------
    same kind as `rec`
        Same units; ``time`` starts at the first stamp and steps by ``1 / rate``. Of a Dataset every variable and
        coordinate along ``time`` comes along: ``activity`` and floats as above, spike counts by sums, and all else
        (whole numbers, booleans and strings, such as events; coordinates, such as trial numbers) by the nearest
        sample, so that an event shorter than a step can be lost. Lazy input stays lazy (one piece along time).

        Spike counts (``spike_count``, or any variable in the unit count) can only be summed over a whole number of
        samples; the clock then holds the centres of the summed bins, for all variables. A sum over a missing count is
        missing.

    Raises
    ------
    InputError
        If `rate` or `method` is unusable, the clock repeats, goes back or is too uneven, spike counts cannot be
        summed to `rate`, or a value is infinite.
    UnitsError
        If ``time`` is not in seconds.

    Notes
    -----
    NaN stays NaN and does not spread: a new sample is NaN where less than half of the time it stands for (the longer of
    both intervals) was observed, be it for missing values or for gaps of the clock. Elsewhere the filter sees straight
    lines across what is missing, so a gap touches, but does not remove, new samples within ten intervals of the slower
    clock. At the ends samples are mirrored.

    A clock whose stamps all lie within 1 % of a sampling interval of an even clock counts as even. Any other is first
    read off a spline (cubic; straight lines for ``"linear"``) through its true stamps; at a jitter of a tenth of an
    interval this keeps the gain within 1 % up to 0.7 of half the rate of the recording.

    Wrapped angles must be unwrapped before.

    References
    ----------
    Crochiere & Rabiner 1983, Multirate Digital Signal Processing, chapter 2.

    Examples
    --------
    >>> t = np.arange(40) / 10
    >>> x = xr.DataArray(np.sin(2 * np.pi * 0.5 * t), dims="time", coords={"time": t})
    >>> slow = resample(x, rate=4.0)
    >>> bool(np.abs(slow - np.sin(2 * np.pi * 0.5 * slow.time))[5:-5].max() < 0.01)
    True
    """
    problems = Problems("cannot resample")
    if method not in get_args(ResampleMethod):
        problems.add(f"method must be one of {', '.join(get_args(ResampleMethod))}, got {method!r}")
    if not (np.isfinite(rate) and rate > 0):
        problems.add(f"rate must be a positive number of Hz, got {rate:g}")
    problems.raise_if_any(InputError)
    return on_dataset(partial(_resampled, rate=rate, method=method), rec)


def _resampled(rec: xr.Dataset, rate: float, method: ResampleMethod) -> xr.Dataset:
    old = stamps(rec, "resample")
    own = 1 / float(np.median(np.diff(old)))
    if rate > MOST_UPSAMPLING * own:
        raise InputError(
            f"cannot resample:\n  - rate={rate:g} Hz is {rate / own:,.0f} times that of the recording ({own:g} Hz); "
            "its clock is hardly in seconds: divide time by 1000 if it is in milliseconds"
        )
    counted = [str(n) for n, v in rec.data_vars.items() if TIME in v.dims and _is_count(v)]
    factor = _summable(old, rate, counted) if counted else 1
    new = _bin_centres(old, factor) if counted else _regular(old, rate)
    change = plan(old, new, method)
    nearest = np.searchsorted((old[1:] + old[:-1]) / 2, new)
    clock = xr.Variable(TIME, new, {"units": units.SECONDS, **rec[TIME].attrs})

    def brought_along(x: xr.DataArray) -> xr.Variable:
        if x.name in counted:
            return summed(x, factor)
        signal = x.name in rec.data_vars and (x.dtype.kind == "f" or (x.name == ACTIVITY and x.dtype.kind in "iu"))
        return continuous(x, change) if signal else x.variable.isel({TIME: nearest})

    timed = [n for n, v in rec.variables.items() if TIME in v.dims and n != TIME]
    fixed = rec.drop_vars([*timed, TIME]).assign_coords({TIME: clock})
    return fixed.assign({n: brought_along(rec[n]) for n in timed}).set_coords(list(rec.coords))


def continuous(x: xr.DataArray, change: ClockChange) -> xr.Variable:
    """A continuous variable on the new clock."""
    return along_time(partial(change_clock, change=change), x, n_out=change.new.size).variable


def summed(x: xr.DataArray, factor: int) -> xr.Variable:
    """Counts summed over blocks of `factor` samples; an incomplete block at the end is dropped."""
    blocks = xr.DataArray(x.variable).coarsen({TIME: factor}, boundary="trim")
    total: xr.DataArray = blocks.reduce(np.sum, keep_attrs=True)
    return total.variable


def _is_count(x: xr.DataArray) -> bool:
    return x.name == SPIKE_COUNT or units.of(x) == "count"


def _regular(old: Stamps, rate: float) -> Stamps:
    n = int(np.floor((old[-1] - old[0]) * rate + 1e-6)) + 1
    if n < 2:
        raise InputError(
            f"cannot resample:\n  - rate must leave at least 2 samples of {old[-1] - old[0]:g} s, got {rate:g} Hz"
        )
    clock: Stamps = old[0] + np.arange(n) / rate
    return clock


def _summable(old: Stamps, rate: float, counted: list[str]) -> int:
    """How many samples make one new bin."""
    interval = interval_of(old, "resample")
    ratio = 1 / (rate * interval)
    factor = max(round(ratio), 1)
    problems = Problems("cannot resample")
    if abs(ratio - factor) > 1e-3 * factor:
        problems.add(
            f"{', '.join(counted)}: spike counts can only be summed over a whole number of samples, found "
            f"{1 / interval:g} Hz / {rate:g} Hz = {ratio:g}; choose {1 / interval:g} Hz divided by a whole number, or "
            "bin the spike times again with bin_spikes"
        )
    if not evenly_spaced(old):
        problems.add(
            f"{', '.join(counted)}: spike counts need an even clock; bin the spike times again with bin_spikes"
        )
    if old.size < 2 * factor:
        problems.add(f"rate must leave at least 2 samples of {old[-1] - old[0]:g} s, got {rate:g} Hz")
    problems.raise_if_any(InputError)
    return factor


def _bin_centres(old: Stamps, factor: int) -> Stamps:
    n = old.size // factor
    centres: Stamps = old[0] + (np.arange(n) * factor + (factor - 1) / 2) * (old[-1] - old[0]) / (old.size - 1)
    return centres
