"""Rates of change."""

from __future__ import annotations

from functools import partial

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome.dynamics.preprocessing.clock import Stamps, gapless_interval, stamps
from dynome.dynamics.preprocessing.convolution import correlate
from dynome.dynamics.preprocessing.labelled import Array, Recording, along_time, on_activity, per_second, with_unit
from dynome.dynamics.preprocessing.smoothing import gaussian_weights
from dynome.errors import InputError
from dynome.schema import TIME


def central_differences(x: Array, clock: Stamps) -> Array:
    """Second-order differences on true stamps, one-sided at the ends; NaN at and beside a missing sample."""
    slope = np.gradient(x, clock, axis=0, edge_order=2 if clock.size > 2 else 1)
    return np.where(np.isnan(x), np.nan, slope)


def local_slope(x: Array, clock: Stamps, weights: NDArray[np.float64]) -> Array:
    """Slope of the line through each sample's neighbours, by weighted least squares on true stamps.

    Parameters
    ----------
    x : (n_time, n_series)
        NaN where missing.
    clock : (n_time,)
        Increasing stamps without gaps.
    weights : (2 r + 1,)
        Weight of each neighbour by its offset in samples.

    Returns
    -------
    (n_time, n_series)
        With ``s`` the time from the sample and ``S`` weighted sums over the neighbours that exist,
        ``(S_1 S_sx - S_s S_x) / (S_1 S_ss - S_s^2)``; NaN where `x` is NaN or has no neighbour.
    """
    interval = (clock[-1] - clock[0]) / (clock.size - 1)
    reach = weights.size // 2
    lag = np.arange(-reach, reach + 1) * interval
    # s = lag + late[neighbour] - late[sample]: the even part sits in the weights, so that no large times are
    # subtracted.
    late = (clock - np.linspace(clock[0], clock[-1], clock.size))[:, None]
    even = bool(np.abs(late).max() < 1e-9 * interval)

    def moments(values: Array) -> tuple[Array, Array]:
        zeroth, first = correlate(values, weights, weights * lag)
        return zeroth, first if even else first + correlate(values * late, weights)[0] - late * zeroth

    there = ~np.isnan(x)
    whole = bool(there.all())
    mask = np.ones((clock.size, 1)) if whole else there.astype(np.float64)
    s_1, s_s = moments(mask)
    s_x, s_sx = moments(x if whole else np.where(there, x, 0.0))
    s_ss = correlate(mask, weights * lag**2)[0]
    if not even:
        s_ss += 2 * correlate(mask * late, weights * lag)[0] + correlate(mask * late**2, weights)[0]
        s_ss -= 2 * late * s_s + late**2 * s_1
    spread = s_1 * s_ss - s_s**2
    usable = there & (spread > 1e-9 * s_1**2 * interval**2)
    return np.divide(s_1 * s_sx - s_s * s_x, spread, out=np.full_like(x, np.nan), where=usable)


def derivative(rec: Recording, *, width: float | None = None) -> Recording:
    r"""Rate of change of ``activity`` in time.

    Parameters
    ----------
    rec : Dataset or DataArray (..., time, ...)
        Any unit, on a clock without gaps. On a Dataset, ``activity`` is replaced and all else stays.
    width : float or None
        Standard deviation in seconds of the Gaussian over which the slope is taken; at least 0.3 intervals. None takes
        central differences of neighbouring samples, which amplifies noise.

    Returns
    -------
    same kind as `rec`
        Unit of the input per second. Lazy input stays lazy (one piece along time). For a second derivative, apply
        twice.

    Raises
    ------
    InputError
        If `width` is out of range, the clock has gaps, or a value is infinite.

    Notes
    -----
    With a `width` the result is the slope of a straight line fitted with Gaussian weights to the neighbours at their
    true stamps [1]_. On an even clock this is the derivative of a Gaussian, with response :math:`i\\omega\\,
    e^{-\\omega^2 \\sigma^2 / 2}`; straight lines are recovered exactly on any clock, at the ends too. It shifts
    nothing in time.

    A missing sample stays missing. With a `width` its neighbours use what is there; central differences are also NaN
    beside it.

    References
    ----------
    .. [1] Savitzky & Golay 1964, doi:10.1021/ac60214a047; with missing samples as in Knutsson & Westin 1993,
       doi:10.1109/CVPR.1993.341081

    Examples
    --------
    >>> x = xr.DataArray([0.0, 1.0, 4.0, 9.0], dims="time", coords={"time": [0.0, 1, 2, 3]}, attrs={"units": "mV"})
    >>> derivative(x).values, derivative(x).attrs["units"]
    (array([0., 2., 4., 6.]), 'mV/s')
    """
    interval = gapless_interval(rec, "differentiate")
    clock = stamps(rec, "differentiate")
    length = interval * rec.sizes[TIME]
    if width is not None and not 0.3 * interval <= width <= length:
        raise InputError(
            f"cannot differentiate:\n  - width must be between {0.3 * interval:g} s and {length:g} s, or None for "
            f"central differences, got {width:g}"
        )
    kernel = (
        partial(central_differences, clock=clock)
        if width is None
        else partial(local_slope, clock=clock, weights=gaussian_weights(width / interval))
    )

    def slope(x: xr.DataArray) -> xr.DataArray:
        return with_unit(along_time(kernel, x), per_second(x), "rate of change of")

    return on_activity(slope, rec, "differentiate")
