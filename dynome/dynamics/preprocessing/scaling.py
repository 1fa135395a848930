"""Bringing nodes to a common scale."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Literal, get_args

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome import units
from dynome.dynamics.preprocessing.clock import stamps
from dynome.dynamics.preprocessing.labelled import Array, Recording, along, on_activity, with_unit
from dynome.dynamics.preprocessing.quantiles import present_quantile
from dynome.errors import InputError, Problems, listed
from dynome.schema import TIME

ScaleMethod = Literal["zscore", "robust", "max"]

_MAD_TO_SD = 1.482602218505602  # 1 / the 75 % point of the standard normal distribution


def mean_and_sd(x: Array) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and population standard deviation of each series; exactly zero for a constant one."""
    there = ~np.isnan(x)
    whole = bool(there.all())
    count = np.where(there.any(axis=0), there.sum(axis=0), np.nan)
    # From a first sample, so that a large offset costs no digits and a constant has exactly no spread.
    origin = x[there.argmax(axis=0), np.arange(x.shape[1])]
    away = x - origin if whole else np.where(there, x - origin, 0.0)
    mean = away.sum(axis=0) / count
    away = away - mean if whole else np.where(there, away - mean, 0.0)
    return origin + mean, np.sqrt(np.einsum("ts,ts->s", away, away) / count)


def median_and_mad(x: Array) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Median of each series, and median distance from it on the scale of a normal standard deviation."""
    centre = present_quantile(x, 0.5)
    return centre, _MAD_TO_SD * present_quantile(np.abs(x - centre), 0.5)


def zero_and_max(x: Array) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Zero, and the largest absolute value of each series."""
    largest = np.fmax.reduce(np.abs(x), axis=0)
    return np.zeros_like(largest), largest


_fits = {"zscore": mean_and_sd, "robust": median_and_mad, "max": zero_and_max}


def standardized(x: Array, fitted: NDArray[np.bool_], method: ScaleMethod) -> Array:
    """Centre and scale each series by its `fitted` samples.

    Parameters
    ----------
    x : (n_time, n_series)
        NaN where missing.
    fitted : (n_time,)
        Samples that centre and scale are taken from.
    method : str
        See `standardize`.

    Returns
    -------
    (n_time, n_series)
        Where the scale is zero: 0 at the centre itself, NaN elsewhere.
    """
    centre, scale = _fits[method](x if fitted.all() else x[fitted])
    out = x - centre
    flat = scale == 0
    out /= np.where(flat, 1.0, scale)
    if flat.any():
        out[:, flat] = np.where(out[:, flat] == 0, 0.0, np.nan)
    return out


def standardize(
    rec: Recording,
    *,
    dim: str | Sequence[str] = TIME,
    fit_time: slice | None = None,
    method: ScaleMethod = "zscore",
) -> Recording:
    """Centre and scale every node, so that nodes can be compared.

    Parameters
    ----------
    rec : Dataset or DataArray (..., time, ...)
        Any unit. On a Dataset, ``activity`` is standardized and all else stays.
    dim : str or sequence of str
        Dims that share one centre and scale: ``"time"``, or ``("trial", "time")`` for trials.
    fit_time : slice or None
        Seconds, both ends included: centre and scale are taken from these samples alone and applied to all. Give the
        training part here, so that nothing of the test part leaks into it. None takes all samples.
    method : {"zscore", "robust", "max"}
        ``"zscore"``: mean and standard deviation (divided by n). ``"robust"``: median and 1.4826 times the median
        absolute deviation. ``"max"``: zero and the largest absolute value, which keeps zero and sign.

    Returns
    -------
    same kind as `rec`, dimensionless
        A missing sample stays missing and takes no part in the fit. A node that is constant during the fit has no
        scale: it becomes 0 where it keeps its constant value and NaN where it leaves it (for ``"robust"``: a node
        that has one value for more than half of the fit). A node without a sample during the fit becomes NaN. Lazy
        input stays lazy (one piece along `dim`).

    Raises
    ------
    InputError
        If `dim` or `method` is unknown, `fit_time` holds fewer than two samples, the clock is unusable, or a value is
        infinite.

    Examples
    --------
    >>> x = xr.DataArray([1.0, 3.0, 5.0], dims="time", coords={"time": [0.0, 1.0, 2.0]}, attrs={"units": "mV"})
    >>> standardize(x, fit_time=slice(0, 1)).values, standardize(x).attrs["units"]
    (array([-1.,  1.,  3.]), '1')
    """
    dims = [dim] if isinstance(dim, str) else list(dim)

    def scaled(x: xr.DataArray) -> xr.DataArray:
        _check(x, dims, fit_time, method)
        fitted = fit_window(x, fit_time, "standardize") if TIME in dims else np.ones(1, dtype=bool)
        over = fitted.reshape([fitted.size if d == TIME else 1 for d in dims])
        mask = np.broadcast_to(over, [x.sizes[d] for d in dims]).ravel()
        kernel = partial(standardized, fitted=mask, method=method)
        return with_unit(along(kernel, x, dims), units.DIMENSIONLESS, "standardized")

    return on_activity(scaled, rec, "standardize")


def _check(x: xr.DataArray, dims: list[str], fit_time: slice | None, method: str) -> None:
    problems = Problems("cannot standardize")
    if method not in _fits:
        problems.add(f"method must be one of {', '.join(get_args(ScaleMethod))}, got {method!r}")
    if absent := [d for d in dims if d not in x.dims]:
        problems.add(f"dim must name dims of the data, {listed(absent)} is not among {tuple(map(str, x.dims))}")
    if not dims:
        problems.add("dim must name at least one dim, got none")
    if fit_time is not None and TIME not in dims:
        problems.add(f"fit_time needs time in dim, got {listed(dims)}")
    problems.raise_if_any(InputError)


def fit_window(rec: xr.Dataset | xr.DataArray, window: slice | None, action: str) -> NDArray[np.bool_]:
    """Which samples lie in a slice of seconds, both ends included, (n_time,); all of them without a slice."""
    if window is None:
        return np.ones(rec.sizes.get(TIME, 1), dtype=bool)
    if window.step is not None:
        raise InputError(f"cannot {action}:\n  - fit_time must be slice(start, stop) in seconds, got {window}")
    clock = stamps(rec, action)
    start = -np.inf if window.start is None else window.start
    stop = np.inf if window.stop is None else window.stop
    inside = (clock >= start) & (clock <= stop)
    if inside.sum() < 2:
        raise InputError(
            f"cannot {action}:\n  - fit_time must hold at least 2 samples, found {int(inside.sum())} between {start:g} "
            f"s and {stop:g} s; the recording runs from {clock[0]:g} s to {clock[-1]:g} s"
        )
    return inside
