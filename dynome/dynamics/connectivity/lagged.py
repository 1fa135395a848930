"""Correlation at lags: how far one node's past goes with another's present."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome import units
from dynome.dynamics.connectivity.inputs import checked, pair_attrs, pair_coords
from dynome.dynamics.connectivity.kinds import Counts
from dynome.dynamics.connectivity.measures import correlation
from dynome.dynamics.connectivity.moments import Array, as_float, has_gaps, pair_moments
from dynome.dynamics.preprocessing.clock import gapless_interval
from dynome.errors import InputError, Problems
from dynome.schema import LAG, NODE, SOURCE, TARGET, TIME


def lagged_correlation(activity: xr.DataArray, *, max_lag: float, min_samples: int = 3) -> xr.DataArray:
    r"""Correlation of each node's past with every node's present.

    Parameters
    ----------
    activity : (time, node), any unit
        One session on a regular clock in seconds. A dask array gives a lazy result and is taken as one block.
    max_lag : float
        Largest lag in seconds, rounded to whole samples: at least one, and less than half the recording.
    min_samples : int
        A pair with fewer common samples at a lag is NaN there.

    Returns
    -------
    (lag, source, target), dimensionless
        ``lag`` in seconds from ``-max_lag`` to ``max_lag``; positive where the source precedes the target. Coordinate
        ``n_samples (lag, source, target)`` counts the samples of each pair.

    Raises
    ------
    InputError
        If the clock is not regular or an argument is out of range.

    Notes
    -----
    .. math:: r_{ij}(\ell) = \mathrm{corr}_t\big(x_i(t),\, x_j(t+\ell)\big)

    over the samples for which both are there: each lag has its own means and variances, so that a delayed copy reaches
    exactly 1 and NaN are left out pairwise. A node that is constant over those samples has NaN.

    A slow node correlates with every other slow node at many lags: compare with surrogates before a peak is called a
    delay.

    See Also
    --------
    peak_lag : the lag at which each pair correlates most.

    Examples
    --------
    >>> t = xr.DataArray(np.arange(8.0), dims="time", attrs={"units": "s"})
    >>> wave = np.array([0.0, 1, 4, 2, 5, 3, 0, 1, 6])
    >>> x = np.stack([wave[1:], wave[:-1]], axis=1)
    >>> x = xr.DataArray(x, dims=("time", "node"), coords={"time": t, "node": ["a", "b"]})
    >>> r = lagged_correlation(x, max_lag=2)
    >>> r.sel(source="a", target="b").round(2).values.tolist()
    [-0.12, -0.55, -0.04, 1.0, -0.03]
    >>> float(peak_lag(r).sel(source="a", target="b"))
    1.0
    """
    x = checked(activity, "cannot correlate at lags")
    problems = Problems("cannot correlate at lags")
    if x.dims != (TIME, NODE):
        problems.add(f"expected one session (time, node), found dims {x.dims}; go through the others one by one")
    if min_samples < 2:
        problems.add(f"min_samples must be at least 2, got {min_samples}")
    problems.raise_if_any(InputError)
    interval = gapless_interval(x, "correlate at lags")
    half = (x.sizes[TIME] - 1) // 2
    reach = round(max_lag / interval) if np.isfinite(max_lag) else 0
    if not 1 <= reach <= half:
        problems.add(f"max_lag must be from {interval:g} s to {half * interval:g} s, got {max_lag:g} s")
    problems.raise_if_any(InputError)
    values, n = _lazy(x.data, reach, min_samples) if x.chunks else lagged_matrices(x.to_numpy(), reach, min_samples)
    dims = (LAG, SOURCE, TARGET)
    lags = np.arange(-reach, reach + 1) * interval
    coords = {
        **pair_coords(x),
        LAG: (LAG, lags, {"units": "s", "long_name": "lag, positive where the source precedes the target"}),
        "n_samples": (dims, n, {"long_name": "samples that both nodes have", "units": "count"}),
    }
    attrs = pair_attrs(x, "lagged correlation", units.DIMENSIONLESS, directed=True)
    return xr.DataArray(values, dims=dims, coords=coords, name="lagged_correlation", attrs=attrs)


def peak_lag(lagged: xr.DataArray) -> xr.DataArray:
    """The lag at which each pair correlates most, in either sign.

    Parameters
    ----------
    lagged : (lag, source, target)
        From `lagged_correlation`.

    Returns
    -------
    (source, target), in the unit of ``lag``
        Positive where the source precedes the target; the lag nearest zero where several are equal, NaN where no lag
        has a value. Coordinate ``peak (source, target)`` is the correlation there, with its sign.

    Raises
    ------
    InputError
        If there is no dim ``lag`` with a coordinate.
    """
    if LAG not in lagged.dims or LAG not in lagged.coords:
        raise InputError(f"expected (lag, source, target) from lagged_correlation, found dims {lagged.dims}")
    ordered = lagged.transpose(LAG, ...)
    lags = ordered[LAG].to_numpy()
    nearest_first = np.argsort(np.abs(lags), kind="stable")
    values = ordered.to_numpy()[nearest_first]
    best = np.where(np.isnan(values), -1.0, np.abs(values)).argmax(axis=0)
    peak = np.take_along_axis(values, best[None], axis=0)[0]
    dims = ordered.dims[1:]
    coords = {name: c for name, c in lagged.coords.items() if LAG not in c.dims}
    height = {"units": units.DIMENSIONLESS, "long_name": "correlation at the peak lag"}
    own = {"units": lagged[LAG].attrs.get("units", units.SECONDS), "long_name": "lag of the largest correlation"}
    return xr.DataArray(
        np.where(np.isnan(peak), np.nan, lags[nearest_first][best]),
        dims=dims,
        coords={**coords, "peak": (dims, peak, height)},
        name="peak_lag",
        attrs={**lagged.attrs, **own},
    )


def lagged_matrices(x: NDArray[Any], reach: int, min_samples: int) -> tuple[Array, Counts]:
    """Correlation of every pair of columns at lags from ``-reach`` to ``reach`` samples, and their common samples.

    Parameters
    ----------
    x : (n_time, n_node)
        NaN where missing.
    reach : int
        Largest lag in samples.
    min_samples : int
        Pairs with fewer common samples are NaN.

    Returns
    -------
    tuple
        Two arrays (2 * reach + 1, n_node, n_node); a negative lag is the transpose of the positive one.
    """
    x = as_float(x)
    n_time, n_node = x.shape
    out = np.empty((2 * reach + 1, n_node, n_node), dtype=x.dtype)
    counts = np.empty((2 * reach + 1, n_node, n_node) if has_gaps(x) else (2 * reach + 1, 1, 1), dtype=np.int64)
    for lag in range(reach + 1):
        pairs = pair_moments(x[: n_time - lag], x[lag:]) if lag else pair_moments(x)
        out[reach + lag], counts[reach + lag] = correlation(pairs, min_samples=min_samples), pairs.n
        out[reach - lag], counts[reach - lag] = out[reach + lag].T, counts[reach + lag].T
    return out, np.broadcast_to(counts, out.shape)


def _lazy(x: Any, reach: int, min_samples: int) -> tuple[Any, Any]:
    from dask.array import from_delayed
    from dask.delayed import delayed

    result = delayed(lagged_matrices)(x, reach, min_samples)
    shape = (2 * reach + 1, x.shape[1], x.shape[1])
    types = (np.dtype(np.float32 if x.dtype == np.float32 else np.float64), np.dtype(np.int64))
    values, n = (from_delayed(result[k], shape, types[k]) for k in (0, 1))  # type: ignore[no-untyped-call]
    return values, n
