"""Smoothing with a width in seconds."""

from __future__ import annotations

from functools import partial
from typing import Literal, get_args

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome import units
from dynome.dynamics.preprocessing.clock import gapless_interval
from dynome.dynamics.preprocessing.convolution import weighted_mean
from dynome.dynamics.preprocessing.labelled import Recording, along_time, on_activity, with_unit
from dynome.errors import InputError, Problems
from dynome.schema import TIME

SmoothingKernel = Literal["gaussian", "boxcar", "exponential"]


def gaussian_weights(width: float) -> NDArray[np.float64]:
    """Gaussian of standard deviation `width` samples, cut at four of them."""
    reach = int(4 * width + 0.5)
    return np.exp(-0.5 * (np.arange(-reach, reach + 1) / width) ** 2)


def boxcar_weights(width: float) -> NDArray[np.float64]:
    """Centred box of full width `width` samples; the samples at its edges count in part."""
    reach = int(np.ceil((width - 1) / 2))
    return np.clip(width / 2 + 0.5 - np.abs(np.arange(-reach, reach + 1)), 0, 1)


def exponential_weights(width: float) -> NDArray[np.float64]:
    """Decay into the past with time constant `width` samples, cut at sixteen of them; zero for the future."""
    reach = int(np.ceil(16 * width))
    offset = np.arange(-reach, reach + 1)
    return np.where(offset <= 0, np.exp(np.minimum(offset, 0) / width), 0.0)


_weights = {"gaussian": gaussian_weights, "boxcar": boxcar_weights, "exponential": exponential_weights}
_narrowest = {"gaussian": 0.3, "boxcar": 1.0, "exponential": 0.2}  # in intervals; less changes nothing


def smooth(rec: Recording, *, width: float, kernel: SmoothingKernel = "gaussian") -> Recording:
    """Weighted mean of each sample's neighbours in time.

    Parameters
    ----------
    rec : Dataset or DataArray (..., time, ...)
        Any unit, on a clock without gaps; jitter below half an interval is ignored. On a Dataset, ``activity`` is
        smoothed and all else stays.
    width : float
        Seconds: the standard deviation of ``"gaussian"``, the full width of ``"boxcar"``, the time constant of
        ``"exponential"``.
    kernel : {"gaussian", "boxcar", "exponential"}
        The first two are centred and shift nothing in time. ``"exponential"`` is causal: it looks only into the past
        and delays slow signals by about `width`.

    Returns
    -------
    same kind as `rec`
        Same unit. A missing sample stays missing; its neighbours use what is there (normalised convolution [1]_). At
        the ends, too, the weights are renormalised over the samples that exist. Lazy input stays lazy (one piece
        along time).

    Raises
    ------
    InputError
        If `width` is narrower than the sampling or wider than the recording, the clock has gaps, or a value is
        infinite.

    References
    ----------
    .. [1] Knutsson & Westin 1993, doi:10.1109/CVPR.1993.341081

    Examples
    --------
    >>> x = xr.DataArray([0.0, 0.0, 3.0, 0.0, np.nan], dims="time", coords={"time": np.arange(5.0)})
    >>> smooth(x, width=3.0, kernel="boxcar").round(9).values
    array([0. , 1. , 1. , 1.5, nan])
    """
    problems = Problems("cannot smooth")
    if kernel not in _weights:
        problems.add(f"kernel must be one of {', '.join(get_args(SmoothingKernel))}, got {kernel!r}")
        problems.fail(InputError)
    interval = gapless_interval(rec, "smooth")
    narrowest, length = _narrowest[kernel] * interval, interval * rec.sizes[TIME]
    if not narrowest < width <= length:
        problems.add(
            f"width of a {kernel} must be in seconds, above {narrowest:g} s and up to {length:g} s, got {width:g}"
        )
    problems.raise_if_any(InputError)
    weights = _weights[kernel](width / interval)

    def smoothed(x: xr.DataArray) -> xr.DataArray:
        return with_unit(along_time(partial(weighted_mean, weights=weights), x), units.of(x), "smoothed")

    return on_activity(smoothed, rec, "smooth")
