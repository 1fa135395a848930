"""Connectivity in sliding windows, computed batch by batch when it is asked for."""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np
import xarray as xr
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from dynome.dynamics.connectivity.inputs import checked, pair_attrs, pair_coords, unit_power
from dynome.dynamics.connectivity.kinds import FROM_MOMENTS, INVERTED, UNIT_POWER, Kind, matrix
from dynome.dynamics.connectivity.measures import correlation, covariance
from dynome.dynamics.connectivity.moments import Array, as_float, centred, gram, has_gaps, masked_moments
from dynome.dynamics.preprocessing.clock import gapless_interval
from dynome.errors import InputError, Problems
from dynome.schema import NODE, SOURCE, TARGET, TIME, WINDOW

Taper = Literal["hamming", "gaussian"]

# A dask block of windows, and the windows that a kernel takes at once: as much as stays in cache.
_BATCH_BYTES = 32 << 20
_GROUP_BYTES = 1 << 19


def dynamic_connectivity(
    activity: xr.DataArray,
    *,
    window: float,
    stride: float,
    taper: Taper | None = None,
    kind: Kind = "correlation",
    min_samples: int = 3,
) -> xr.DataArray:
    r"""Functional connectivity in sliding windows.

    Parameters
    ----------
    activity : (time, node), any unit
        One session on a regular clock in seconds; numpy or dask.
    window : float
        Width of a window in seconds, rounded to whole samples.
    stride : float
        From the start of one window to the start of the next in seconds, rounded to whole samples, at least one.
    taper : {"hamming", "gaussian"} or None
        Weights within a window, for correlation and covariance; "gaussian" has a standard deviation of a sixth of the
        window. None weighs all samples alike.
    kind : {"correlation", "covariance", "spearman", "partial correlation", "precision"}
        As in `functional_connectivity`; what is inverted is shrunk in each window by itself.
    min_samples : int
        A pair with fewer common samples in a window is NaN there.

    Returns
    -------
    (window, source, target), lazy
        A dask array: take or store what is needed, e.g. ``.isel(window=slice(10))`` or `dynome.store.save`. Coordinates
        ``window``, the middle of each window, and ``start``, ``stop``, its first and last sample, in seconds:
        ``activity.sel(time=slice(start, stop))`` is the window. Only whole windows are taken; samples that are left
        over at the end are in none. attrs ``window_seconds`` and ``stride_seconds`` are what the rounding gave.

    Raises
    ------
    InputError
        If the clock is not regular, the window does not fit, or an argument cannot be used.
    UnitsError
        If covariance or precision is asked of activity without units.

    Notes
    -----
    Missing data are treated in each window as in `functional_connectivity`; a node that is constant in a window has
    NaN correlations there. Tapered covariance is unbiased: the sum of weighted products is divided by
    :math:`\sum w - \sum w^2 / \sum w`, as `numpy.cov` does with ``aweights``.

    Short windows make connectivity fluctuate where nothing changes: a window should be longer than the slowest period
    that the activity holds [1]_.

    References
    ----------
    .. [1] Leonardi & Van De Ville, NeuroImage 2015, doi:10.1016/j.neuroimage.2014.09.007.

    Examples
    --------
    >>> t = xr.DataArray(np.arange(20) / 2, dims="time", attrs={"units": "s"})
    >>> x = np.random.default_rng(0).standard_normal((20, 3))
    >>> x = xr.DataArray(x, dims=("time", "node"), coords={"time": t, "node": ["a", "b", "c"]})
    >>> fc = dynamic_connectivity(x, window=4, stride=2)
    >>> fc.sizes["window"], fc.window.values.tolist(), fc.stop.values.tolist()
    (4, [1.75, 3.75, 5.75, 7.75], [3.5, 5.5, 7.5, 9.5])
    """
    x = checked(activity, "cannot slide a window")
    n_window, step, interval = _samples(x, window, stride, taper, kind, min_samples)
    unit = unit_power(x, UNIT_POWER[kind]) if kind in UNIT_POWER else "1"
    values = _lazy_windows(x.data, n_window, step, kind, _weights(taper, n_window), min_samples)
    clock = x[TIME].to_numpy()
    start = clock[: clock.size - n_window + 1 : step]
    stop = clock[n_window - 1 :: step]
    seconds = {"units": "s"}
    coords = {
        **pair_coords(x),
        WINDOW: (WINDOW, (start + stop) / 2, {**seconds, "long_name": "middle of the window"}),
        "start": (WINDOW, start, {**seconds, "long_name": "first sample of the window"}),
        "stop": (WINDOW, stop, {**seconds, "long_name": "last sample of the window"}),
    }
    own = {"window_seconds": n_window * interval, "stride_seconds": step * interval, "taper": taper or "none"}
    attrs = {**pair_attrs(x, kind, unit), **own}
    return xr.DataArray(values, dims=(WINDOW, SOURCE, TARGET), coords=coords, name=kind.replace(" ", "_"), attrs=attrs)


def _samples(
    x: xr.DataArray, window: float, stride: float, taper: str | None, kind: str, min_samples: int
) -> tuple[int, int, float]:
    """Samples in a window, from one to the next, and the interval between samples in seconds."""
    problems = Problems("cannot slide a window")
    if x.dims != (TIME, NODE):
        problems.add(f"expected one session (time, node), found dims {x.dims}; go through the others one by one")
    if kind not in get_args(Kind):
        problems.add(f"kind must be one of {', '.join(map(repr, get_args(Kind)))}, got {kind!r}")
    if taper is not None and taper not in get_args(Taper):
        problems.add(f"taper must be None, 'hamming' or 'gaussian', got {taper!r}")
    elif taper is not None and kind in get_args(Kind) and kind not in FROM_MOMENTS:
        problems.add(f"a taper weighs samples, which {kind} does not know; use taper=None, correlation or covariance")
    if min_samples < 2:
        problems.add(f"min_samples must be at least 2, got {min_samples}")
    problems.raise_if_any(InputError)
    interval = gapless_interval(x, "slide a window")
    n_time = x.sizes[TIME]
    n_window, step = (round(float(s) / interval) if np.isfinite(s) else -1 for s in (window, stride))
    if not max(min_samples, 2) <= n_window <= n_time:
        least, most = max(min_samples, 2) * interval, n_time * interval
        problems.add(f"window must be from {least:g} s (min_samples) to {most:g} s (the recording), got {window:g} s")
    if step < 1:
        problems.add(f"stride must be at least one sample, {interval:g} s, got {stride:g} s")
    problems.raise_if_any(InputError)
    return n_window, step, interval


def _weights(taper: Taper | None, n: int) -> Array | None:
    if taper is None:
        return None
    if taper == "hamming":
        return np.hamming(n)
    place = np.arange(n) - (n - 1) / 2
    gaussian: Array = np.exp(-0.5 * (place / (n / 6)) ** 2)
    return gaussian


def _lazy_windows(x: Any, n_window: int, stride: int, kind: str, weights: Array | None, min_samples: int) -> Any:
    """`window_matrices` as a dask array whose blocks are batches of windows."""
    from dask.array import concatenate, from_delayed
    from dask.delayed import delayed

    dtype = np.dtype(np.float32 if x.dtype == np.float32 else np.float64)
    n_node = x.shape[1]
    total = (x.shape[0] - n_window) // stride + 1
    batch = max(1, _BATCH_BYTES // (dtype.itemsize * n_node**2))
    blocks = []
    for first in range(0, total, batch):
        count = min(batch, total - first)
        part = x[first * stride : (first + count - 1) * stride + n_window]
        block = delayed(window_matrices)(part, n_window, stride, kind, weights, min_samples)
        blocks.append(from_delayed(block, (count, n_node, n_node), dtype))  # type: ignore[no-untyped-call]
    return concatenate(blocks)  # type: ignore[no-untyped-call]


def window_matrices(
    x: NDArray[Any], n_window: int, stride: int, kind: str, weights: Array | None, min_samples: int
) -> Array:
    """Connectivity of the columns of `x` in every whole window.

    Parameters
    ----------
    x : (n_time, n_node)
        NaN where missing.
    n_window, stride : int
        Samples in a window, and from one window to the next.
    kind : str
        One of `Kind`.
    weights : (n_window,) or None
        Taper, for correlation and covariance.
    min_samples : int
        Pairs with fewer common samples are NaN.

    Returns
    -------
    ((n_time - n_window) // stride + 1, n_node, n_node)
    """
    x = as_float(x)
    gaps = has_gaps(x)
    windows = sliding_window_view(x, n_window, axis=0)[::stride].swapaxes(1, 2)
    out = np.empty((windows.shape[0], x.shape[1], x.shape[1]), dtype=x.dtype)
    group = max(1, _GROUP_BYTES // (x.itemsize * x.shape[1] * n_window))
    for start in range(0, out.shape[0], group):
        part, result = windows[start : start + group], out[start : start + group]
        if kind not in FROM_MOMENTS:
            result[:] = matrix(part, kind, kind in INVERTED, min_samples)[0]
        elif gaps:
            result[:] = _pairwise(part, kind, weights, min_samples)
        else:
            _complete(part, kind, weights, result)
    return out


def _complete(x: Array, kind: str, weights: Array | None, out: Array) -> None:
    """Columns are scaled first, so that the product is the result: fewer passes over (source, target)."""
    d, _ = centred(x, weights)
    if kind == "covariance":
        total = x.shape[1] if weights is None else weights.sum()
        d *= 1 / np.sqrt(total - (1 if weights is None else (weights**2).sum() / total))
        gram(d, out)
        return
    square = np.einsum("wti,wti->wi", d, d)
    varies = square > 0
    d *= 1 / np.sqrt(np.where(varies, square, np.nan))[:, None]
    gram(d, out)
    np.clip(out, -1, 1, out=out)
    diagonal = np.arange(x.shape[2])
    out[:, diagonal, diagonal] = np.where(varies, 1.0, np.nan)


def _pairwise(x: Array, kind: str, weights: Array | None, min_samples: int) -> Array:
    pairs = masked_moments(x, None, weights)
    if kind == "correlation":
        return correlation(pairs, min_samples=min_samples)
    return covariance(pairs, min_samples=min_samples, effective=None if weights is None else _effective(x, weights))


def _effective(x: Array, weights: Array) -> Array:
    """What replaces n - 1 for each pair under weights: sum w - sum w^2 / sum w over the common samples."""
    here = (~np.isnan(x)).astype(np.float64)
    once, twice = (np.swapaxes(here * w[:, None], -1, -2) @ here for w in (weights, weights**2))
    divisor: Array = once - twice / np.where(once > 0, once, np.nan)
    return divisor
