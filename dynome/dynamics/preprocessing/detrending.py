"""Removing slow drifts."""

from __future__ import annotations

from functools import partial
from typing import Literal, get_args

import numpy as np
from numpy.polynomial import legendre
from numpy.typing import NDArray
from scipy.signal import butter, sosfiltfilt

from dynome.dynamics.preprocessing.clock import Stamps, gapless_interval, stamps
from dynome.dynamics.preprocessing.gaps import bridged
from dynome.dynamics.preprocessing.labelled import Array, Kernel, Recording, along_time, on_activity
from dynome.errors import InputError, Problems
from dynome.schema import TIME

DetrendMethod = Literal["polynomial", "highpass"]


def polynomial_residuals(x: Array, clock: Stamps, order: int) -> Array:
    """What a least-squares polynomial in time leaves of each series.

    Parameters
    ----------
    x : (n_time, n_series)
        NaN where missing; the fit leaves those samples out.
    clock : (n_time,)
        Increasing stamps.
    order : int
        Degree of the polynomial.

    Returns
    -------
    (n_time, n_series)
        NaN where `x` is NaN, and for a series with no more than ``order + 1`` samples.
    """
    missing = np.isnan(x)
    broken = missing.any(axis=0)
    out = np.full_like(x, np.nan)
    if not broken.any():
        return _residuals(x, clock, order)
    out[:, ~broken] = _residuals(x[:, ~broken], clock, order)
    for series in np.flatnonzero(broken):
        there = np.flatnonzero(~missing[:, series])
        out[there, series] = _residuals(x[there, series, None], clock[there], order)[:, 0]
    return out


def _residuals(x: Array, clock: Stamps, order: int) -> Array:
    if clock.size <= order + 1:
        return np.full_like(x, np.nan)
    basis = np.linalg.qr(legendre.legvander(2 * (clock - clock[0]) / (clock[-1] - clock[0]) - 1, order))[0]
    residuals: Array = x - basis @ (basis.T @ x)
    return residuals


def highpass(x: Array, clock: Stamps, sections: NDArray[np.float64], pad: int) -> Array:
    """Filter forwards and backwards, bridging what is missing with straight lines and leaving it missing afterwards.

    The ends are mirrored after a straight line is taken off: a mirror image of a drift would be a kink, and turning
    the trace about its last sample would make that sample zero.
    """
    level = polynomial_residuals(bridged(x, clock, ends=True), clock, 1)
    filtered: Array = sosfiltfilt(sections, level, axis=0, padtype="even", padlen=pad)
    return np.where(np.isnan(x), np.nan, filtered)


def detrend(
    rec: Recording, *, method: DetrendMethod = "polynomial", order: int = 1, cutoff: float | None = None
) -> Recording:
    """Remove slow drifts, and with them the mean, from ``activity``.

    Parameters
    ----------
    rec : Dataset or DataArray (..., time, ...)
        Any unit. On a Dataset, ``activity`` is detrended and all else stays.
    method : {"polynomial", "highpass"}
        ``"polynomial"`` subtracts a least-squares polynomial of degree `order` on true stamps (any increasing clock).
        ``"highpass"`` runs a Butterworth filter of order 5 forwards and backwards, which shifts nothing in time (clock
        without gaps; jitter is ignored).
    order : int
        Degree of the polynomial: 0 removes the mean, 1 also a straight line.
    cutoff : float or None
        Hz, for ``"highpass"``: slower changes are removed; the gain at the cutoff is one half.

    Returns
    -------
    same kind as `rec`
        Same unit. A missing sample stays missing: the polynomial is fitted without it; the filter sees a straight
        line in its place. A node with too few samples for the polynomial becomes NaN. Lazy input stays lazy (one
        piece along time).

    Raises
    ------
    InputError
        If `order` or `cutoff` is out of range or does not belong to the method, the clock is unusable, or a value is
        infinite.

    Examples
    --------
    >>> import xarray as xr
    >>> x = xr.DataArray([1.0, 2.0, np.nan, 4.0], dims="time", coords={"time": np.arange(4.0)})
    >>> np.abs(detrend(x)).round(9).values
    array([ 0.,  0., nan,  0.])
    """
    problems = Problems("cannot detrend")
    if method not in get_args(DetrendMethod):
        problems.add(f"method must be one of {', '.join(get_args(DetrendMethod))}, got {method!r}")
    if not isinstance(order, int) or not 0 <= order <= 20:
        problems.add(f"order must be a whole number from 0 to 20, got {order!r}")
    if (method == "highpass") != (cutoff is not None):
        problems.add(f'cutoff in Hz belongs to method="highpass", got method={method!r} and cutoff={cutoff!r}')
    problems.raise_if_any(InputError)
    kernel: Kernel
    if cutoff is not None:
        kernel = _highpass_kernel(rec, cutoff)
    else:
        kernel = partial(polynomial_residuals, clock=stamps(rec, "detrend"), order=order)
    return on_activity(partial(along_time, kernel), rec, "detrend")


def _highpass_kernel(rec: Recording, cutoff: float) -> Kernel:
    interval = gapless_interval(rec, "detrend")
    length = interval * rec.sizes[TIME]
    if not 1 / length < cutoff < 0.5 / interval:
        raise InputError(
            f"cannot detrend:\n  - cutoff must be between one cycle a recording, {1 / length:g} Hz, and half the "
            f"sampling rate, {0.5 / interval:g} Hz, got {cutoff:g} Hz"
        )
    sections = butter(5, cutoff, btype="highpass", fs=1 / interval, output="sos")
    # One cycle of the cutoff is mirrored at the ends: with less, a slow filter rings into the recording.
    pad = min(int(np.ceil(1 / (cutoff * interval))), rec.sizes[TIME] - 1)
    return partial(highpass, clock=stamps(rec, "detrend"), sections=sections, pad=pad)
