"""Relative fluorescence changes."""

from __future__ import annotations

from functools import partial

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome import units
from dynome.dynamics.preprocessing.clock import gapless_interval
from dynome.dynamics.preprocessing.gaps import bridged
from dynome.dynamics.preprocessing.labelled import Array, Recording, along_time, on_activity, with_unit
from dynome.dynamics.preprocessing.quantiles import present_quantile
from dynome.dynamics.preprocessing.scaling import fit_window
from dynome.errors import InputError, Problems, UnitsError
from dynome.schema import TIME

DFF_UNIT = "dF/F"
_KNOTS = 4  # a window


def rolling_quantile(x: Array, q: float, window: int) -> Array:
    """Running quantile of each series, in a centred window that is cut at the ends.

    Parameters
    ----------
    x : (n_time, n_series)
        NaN where missing; windows use the samples that exist.
    q : float
        0 to 1.
    window : int
        Samples.

    Returns
    -------
    (n_time, n_series)
        The quantile at knots a quarter of a window apart, joined by straight lines; NaN only for a series without
        samples.
    """
    n = x.shape[0]
    knots = np.unique(np.append(np.arange(0, n, max(window // _KNOTS, 1)), n - 1))
    half = window // 2
    at_knots = np.array([present_quantile(x[max(k - half, 0) : k + half + 1], q) for k in knots])
    at_knots = bridged(at_knots, knots.astype(np.float64), ends=True)
    place = np.interp(np.arange(n), knots, np.arange(knots.size))[:, None]
    lower = np.minimum(place.astype(int), max(knots.size - 2, 0))[:, 0]
    upper = np.minimum(lower + 1, knots.size - 1)
    rise: Array = at_knots[upper] - at_knots[lower]
    rise *= place - lower[:, None]
    rise += at_knots[lower]
    return rise


def relative_change(x: Array, q: float, window: int | None, fitted: NDArray[np.bool_]) -> Array:
    """``(x - f0) / f0`` with ``f0`` a quantile of each series, over `fitted` samples or rolling."""
    f0 = present_quantile(x if fitted.all() else x[fitted], q) if window is None else rolling_quantile(x, q, window)
    if (bad := np.atleast_2d(f0 <= 0)).any():
        raise InputError(
            f"cannot take dF/F:\n  - the baseline must be positive, found down to {f0[f0 <= 0].min():g} in "
            f"{int(bad.any(axis=0).sum())} of {x.shape[1]} traces; give raw fluorescence (not standardized, not "
            "over-subtracted), or drop those nodes"
        )
    out = x - f0
    out /= f0
    return out


def dff(
    rec: Recording, *, percentile: float = 10.0, window: float | None = None, fit_time: slice | None = None
) -> Recording:
    """Fluorescence relative to its baseline, dF/F.

    Parameters
    ----------
    rec : Dataset or DataArray (..., time, ...)
        Raw fluorescence with a positive baseline. On a Dataset, ``activity`` is replaced and all else stays.
    percentile : float
        Percentile of each node's trace that counts as its baseline; 8 to 20 are usual, 50 is the median.
    window : float or None
        Seconds of a rolling baseline, which follows bleaching: several times the longest transient (60 s is usual). It
        needs a clock without gaps. None takes one baseline for the whole recording.
    fit_time : slice or None
        Seconds, both ends included: one baseline from these samples alone, e.g. before the stimulus.

    Returns
    -------
    same kind as `rec`, in dF/F
        A missing sample stays missing and takes no part in the baseline. Lazy input stays lazy (one piece along time).

    Raises
    ------
    InputError
        If a baseline is not positive (told when lazy input is read), an argument is out of range, both `window` and
        `fit_time` are given, the clock is unusable, or a value is infinite.
    UnitsError
        If the input is in dF/F already.

    Notes
    -----
    :math:`(F - F_0) / F_0` with :math:`F_0` the percentile in a centred window, cut at the ends, taken at knots a
    quarter of a window apart and joined by straight lines [1]_.

    References
    ----------
    .. [1] Jia et al. 2011, In vivo two-photon imaging of sensory-evoked dendritic calcium signals in cortical neurons,
       doi:10.1038/nprot.2010.169

    Examples
    --------
    >>> f = xr.DataArray([100.0, 100.0, 150.0, 100.0], dims="time", coords={"time": [0.0, 1, 2, 3]})
    >>> dff(f, percentile=10).values
    array([0. , 0. , 0.5, 0. ])
    """
    problems = Problems("cannot take dF/F")
    if not 0 <= percentile <= 100:
        problems.add(f"percentile must be from 0 to 100, got {percentile:g}")
    if window is not None and fit_time is not None:
        problems.add("give window for a rolling baseline or fit_time for a fixed one, not both")
    problems.raise_if_any(InputError)
    samples = None if window is None else _window_samples(rec, window)
    kernel = partial(relative_change, q=percentile / 100, window=samples, fitted=fit_window(rec, fit_time, "take dF/F"))

    def relative(x: xr.DataArray) -> xr.DataArray:
        if units.of(x) == DFF_UNIT:
            raise UnitsError("cannot take dF/F: the input is in dF/F already; give raw fluorescence")
        return with_unit(along_time(kernel, x), DFF_UNIT, "relative change of")

    return on_activity(relative, rec, "take dF/F")


def _window_samples(rec: Recording, window: float) -> int:
    interval = gapless_interval(rec, "take dF/F")
    if not 3 * interval <= window:
        raise InputError(
            f"cannot take dF/F:\n  - window must be in seconds and hold 3 samples of {interval:g} s, got {window:g}"
        )
    return round(min(window / interval, 2 * rec.sizes[TIME]))
