"""Cutting recordings into trials around events."""

from __future__ import annotations

from functools import partial
from typing import Literal, NamedTuple, get_args

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from dynome import units
from dynome.dynamics.preprocessing.clock import STRAY, Stamps, interval_of, stamps
from dynome.dynamics.preprocessing.labelled import Recording, on_dataset
from dynome.errors import InputError, Problems, listed
from dynome.schema import SPIKE_COUNT, TIME, TRIAL

Align = Literal["nearest", "linear"]
Incomplete = Literal["raise", "drop", "nan"]

ONSET = "onset"


class Cut(NamedTuple):
    """Where each sample of each trial lies in the recording; all (n_trial, n_sample)."""

    left: NDArray[np.int64]
    right: NDArray[np.int64]
    share: NDArray[np.float64]  # how far from left to right, 0 to 1
    there: NDArray[np.bool_]


def nearest_samples(clock: Stamps, onsets: NDArray[np.float64], offsets: NDArray[np.float64], interval: float) -> Cut:
    """Samples nearest to `offsets` (seconds) from the sample nearest to each onset."""
    anchor = clock[_nearest(clock, onsets, interval)]
    anchor = np.where(np.abs(anchor - onsets) <= (1 + STRAY) / 2 * interval, anchor, onsets)
    wanted = anchor[:, None] + offsets
    found = _nearest(clock, wanted, interval)
    return Cut(found, found, np.zeros(wanted.shape), np.abs(clock[found] - wanted) <= (1 + STRAY) / 2 * interval)


def _nearest(clock: Stamps, wanted: NDArray[np.float64], interval: float) -> NDArray[np.int64]:
    """Halfway between two samples it is the later one: an onset on the edge of two bins begins the second."""
    return np.searchsorted((clock[1:] + clock[:-1]) / 2 - 1e-6 * interval, wanted)


def samples_between(clock: Stamps, onsets: NDArray[np.float64], offsets: NDArray[np.float64], interval: float) -> Cut:
    """Samples on either side of `offsets` (seconds) from each onset."""
    wanted = onsets[:, None] + offsets
    place = np.interp(wanted, clock, np.arange(clock.size))
    left = np.floor(place + 1e-6).astype(np.int64)
    share = np.where(place - left > 1e-6, place - left, 0.0)
    right = np.where(share > 0, np.minimum(left + 1, clock.size - 1), left)
    outside = np.maximum(clock[0] - wanted, wanted - clock[-1]) > 1e-6 * interval
    return Cut(left, right, share, ~outside & (clock[right] - clock[left] <= (1 + STRAY) * interval))


_cuts = {"nearest": nearest_samples, "linear": samples_between}


def to_trials(
    rec: Recording,
    onsets: ArrayLike | pd.DataFrame,
    *,
    before: float,
    after: float,
    align: Align = "nearest",
    incomplete: Incomplete = "raise",
) -> Recording:
    """Cut a recording into trials around events.

    Parameters
    ----------
    rec : Dataset or DataArray (..., time, ...)
        Any unit. The clock may jitter and have gaps.
    onsets : (trial,) or DataFrame
        Event times in seconds on the clock of `rec`; trials are numbered from 0. Or a table with a column ``onset``,
        whose other columns become coordinates of the trials and whose index names them.
    before, after : float
        Seconds that a trial starts before its onset and ends after it: ``[-before, after)``, rounded to samples.
    align : {"nearest", "linear"}
        ``"nearest"`` takes the samples as they are, counted from the one nearest to the onset, so that a trial can be
        half a sampling interval off; an onset on the edge of two bins takes the second. ``"linear"`` interpolates
        floats to the exact times; counts, whole numbers, booleans and strings stay those of the nearest sample.
    incomplete : {"raise", "drop", "nan"}
        What to do with trials that reach beyond the recording or into a gap of its clock: raise, leave them out, or
        fill with NaN (whole numbers and booleans then become floats; strings are filled with ``""``).

    Returns
    -------
    same kind as `rec`
        ``time`` becomes ``(trial, time)`` in every variable and coordinate; ``time`` is in seconds from the onset,
        ``onset (trial)`` in seconds on the old clock. A coordinate ``trial`` of the old clock gives way to the new one.
        NaN stays NaN. Lazy input stays lazy.

    Raises
    ------
    InputError
        If an onset is missing, the window or an option is unusable, a trial is incomplete (with ``"raise"``) or all
        are, or the clock is unusable.

    Examples
    --------
    >>> x = xr.DataArray(np.arange(10.0), dims="time", coords={"time": np.arange(10) / 2})
    >>> trials = to_trials(x, [1.0, 3.0], before=0.5, after=1.0)
    >>> trials.values, trials.time.values
    (array([[1., 2., 3.], [5., 6., 7.]]), array([-0.5,  0. ,  0.5]))
    """
    problems = Problems("cannot cut trials")
    for value, name, allowed in ((align, "align", get_args(Align)), (incomplete, "incomplete", get_args(Incomplete))):
        if value not in allowed:
            problems.add(f"{name} must be one of {', '.join(allowed)}, got {value!r}")
    table = _table(onsets, problems)
    problems.raise_if_any(InputError)
    clock = stamps(rec, "cut trials")
    interval = interval_of(clock, "cut trials")
    span = (round(-before / interval), round(after / interval)) if np.isfinite(before + after) else (0, 0)
    offsets = np.arange(*span, dtype=np.float64) * interval
    if not (before >= 0 and after >= 0 and offsets.size):
        raise InputError(
            f"cannot cut trials:\n  - before and after must span at least one sample of {interval:g} s, got {before:g} "
            f"s and {after:g} s"
        )
    cut = _cuts[align](clock, table[ONSET].to_numpy(np.float64), offsets, interval)
    keep = _complete(cut, table, incomplete)
    cut = Cut(cut.left[keep], cut.right[keep], cut.share[keep], cut.there[keep])
    return on_dataset(partial(_cut, cut=cut, table=table[keep], offsets=offsets), rec)


def _table(onsets: ArrayLike | pd.DataFrame, problems: Problems) -> pd.DataFrame:
    if isinstance(onsets, pd.DataFrame) and ONSET not in onsets:
        problems.add(f"a table of trials needs a column onset, found {listed(onsets.columns)}")
        problems.fail(InputError)
    table = onsets if isinstance(onsets, pd.DataFrame) else pd.DataFrame({ONSET: np.atleast_1d(np.asarray(onsets))})
    if table[ONSET].dtype.kind not in "iuf" or not np.isfinite(table[ONSET].to_numpy(np.float64)).all():
        problems.add("onsets must be finite numbers of seconds; drop events without a time")
    if not len(table):
        problems.add("expected at least one onset, found none")
    if not table.index.is_unique:
        problems.add(
            "the index of the table names the trials and must be unique; reset it with .reset_index(drop=True)"
        )
    return table


def _complete(cut: Cut, table: pd.DataFrame, incomplete: Incomplete) -> NDArray[np.bool_]:
    """Which trials to keep."""
    whole = np.logical_and.reduce(cut.there, axis=1)
    short = table.index[~whole].tolist()
    if incomplete == "raise" and short:
        raise InputError(
            f"cannot cut trials:\n  - {len(short)} of {len(table)} trials reach beyond the recording or into a gap of "
            f'its clock: {listed(short)}; shorten the window, or pass incomplete="drop" or "nan"'
        )
    keep: NDArray[np.bool_] = whole if incomplete == "drop" else np.ones_like(whole)
    if not cut.there[keep].any():
        raise InputError(
            "cannot cut trials:\n  - no trial lies within the recording; check that onsets are on its clock"
        )
    return keep


def _cut(rec: xr.Dataset, cut: Cut, table: pd.DataFrame, offsets: NDArray[np.float64]) -> xr.Dataset:
    timed = [n for n, v in rec.variables.items() if TIME in v.dims and n not in (TIME, TRIAL)]
    signals = [n for n in timed if n in rec.data_vars and rec[n].dtype.kind == "f" and n != SPIKE_COUNT]
    fixed = rec.drop_vars([n for n, v in rec.variables.items() if TIME in v.dims])
    about = {name: (TRIAL, column.to_numpy()) for name, column in table.items() if name != ONSET}
    if taken := [name for name in about if name in (*rec.variables, *rec.dims, TRIAL)]:
        raise InputError(
            f"cannot cut trials:\n  - columns of the table must not be named like the recording's: {listed(taken)}"
        )
    onset = (TRIAL, table[ONSET].to_numpy(np.float64), {"units": units.SECONDS, "long_name": "onset of the trial"})
    clock = (TIME, offsets, {"units": units.SECONDS, "long_name": "time from onset"})
    fixed = fixed.assign_coords({TRIAL: table.index.to_numpy(), TIME: clock, ONSET: onset, **about})
    parts = {n: gathered(rec[n].variable, cut, interpolate=n in signals).assign_attrs(rec[n].attrs) for n in timed}
    return fixed.assign(parts).set_coords([n for n in timed if n in rec.coords])


def gathered(x: xr.Variable, cut: Cut, *, interpolate: bool) -> xr.DataArray:
    """The samples of a variable that a cut names, with (trial, time) for time."""
    dims = (TRIAL, TIME)
    nearer = cut.left if interpolate else np.where(cut.share > 0.5, cut.right, cut.left)
    out = xr.DataArray(x).isel({TIME: xr.Variable(dims, nearer)})
    order = out.dims
    if interpolate and cut.share.any():
        share = xr.DataArray(cut.share, dims=dims)
        between = out * (1 - share) + xr.DataArray(x).isel({TIME: xr.Variable(dims, cut.right)}) * share
        between = between.astype(out.dtype, copy=False)
        out = out.where(share == 0, between)  # an exact hit takes nothing from the right, where NaN may be
    if not cut.there.all():
        if out.dtype.kind in "iub":
            out = out.astype(np.float64)
        out = out.where(xr.DataArray(cut.there, dims=dims), "" if out.dtype.kind in "UT" else np.nan)
    return out.transpose(*order)
