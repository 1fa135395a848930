"""The recent past of every node, without holes: what linear models regress on."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome.dynamics.forecasting.series import Series
from dynome.errors import InputError
from dynome.schema import NODE

Array = NDArray[np.float64]


class Standard(NamedTuple):
    """Mean and spread of every node over training, so that penalties mean the same for all.

    Attributes
    ----------
    mean, sd : (n_node,)
        In the units of the series. 0 and 1 for nodes without training values; the sd is above zero.
    step : (n_node,)
        Standard deviation of the change from one bin to the next, in standard deviations; the median of all for nodes
        without one.
    """

    mean: Array
    sd: Array
    step: Array


def standard(series: Series) -> Standard:
    """Mean and spread of the nodes of a series."""
    mean, square = _moments(series.values)
    sd = np.where(square > 1e-20, np.sqrt(square), 1.0)
    inner = np.ones(max(len(series.values) - 1, 0), dtype=bool)
    inner[series.starts[1:-1] - 1] = False
    _, change = _moments(np.diff(series.values, axis=0)[inner] / sd)
    moves = change > 1e-20
    usual = float(np.median(np.sqrt(change[moves]))) if moves.any() else 1.0
    return Standard(mean, sd, np.where(moves, np.sqrt(np.where(moves, change, 1.0)), usual))


def _moments(x: NDArray[np.floating[Any]]) -> tuple[Array, Array]:
    """Means and variances of columns; NaN is left out, 0 where nothing is left."""
    seen = np.isfinite(x)
    n = np.maximum(seen.sum(axis=0), 1)
    mean = np.where(seen, x, 0).sum(axis=0, dtype=np.float64) / n
    return mean, np.where(seen, (x - mean) ** 2, 0).sum(axis=0, dtype=np.float64) / n


def lagged(series: Series, origin: NDArray[np.int64], n_lags: int, by: Standard, nodes: NDArray[np.int64]) -> Array:
    """Values of some nodes at the origins and before.

    Parameters
    ----------
    series : Series
    origin : (n_window,)
        As `origins` gives them.
    n_lags : int
        At most the context.
    by : Standard
        Subtracted and divided by.
    nodes : (n,)
        Positions on the axis of nodes.

    Returns
    -------
    (n_window, n_lags, n)
        Newest first. A missing value is the last one before it inside the context, and 0, the mean, where the context
        has none.
    """
    back = np.arange(n_lags)
    past = series.values[np.ix_((origin[:, None] - back).ravel(), nodes)].reshape(origin.size, n_lags, nodes.size)
    x = (past - by.mean[nodes]) / by.sd[nodes]
    holes = np.isnan(x)
    if not holes.any():
        return np.asarray(x)
    for node in np.flatnonzero(holes.any(axis=(0, 1))).tolist():
        known = np.isfinite(series.values[:, nodes[node]])
        if known.any():
            latest = np.maximum.accumulate(np.where(known, np.arange(known.size), -1))
            source = latest[origin[:, None] - back]
            value = (series.values[source, nodes[node]] - by.mean[nodes[node]]) / by.sd[nodes[node]]
            x[:, :, node] = np.where(source > origin[:, None] - series.context, value, 0.0)
        else:
            x[:, :, node] = 0.0
    return np.asarray(x)


def features(x: Array, step: Array) -> Array:
    """The last value of every node, and how it came there: values to predictors of like variance.

    Parameters
    ----------
    x : (n_window, n_lags, n)
        As `lagged` gives them.
    step : (n,)
        Of the same nodes.

    Returns
    -------
    (n_window, n_lags, n)
        The last value, then the latest change from bin to bin, the one before it, ...; changes in units of `step`.

    Notes
    -----
    In smooth activity all lags are nearly the same number. A ridge on lags would keep their mean and lose their
    differences, which tell where the activity is going; on these predictors it is fair to both.
    """
    return np.concatenate([x[:, :1], (x[:, :-1] - x[:, 1:]) / step], axis=1)


def of_lags(coefficient: Array, step: Array) -> Array:
    """Coefficients of values from those of `features`.

    Parameters
    ----------
    coefficient : (n_lags, n, ...)
    step : (n,)

    Returns
    -------
    (n_lags, n, ...)
    """
    out = np.zeros_like(coefficient)
    out[0] = coefficient[0]
    change = coefficient[1:] / step.reshape(-1, *[1] * (coefficient.ndim - 2))
    out[:-1] += change
    out[1:] -= change
    return out


def aims(series: Series, origin: NDArray[np.int64], by: Standard, nodes: NDArray[np.int64]) -> Array:
    """What follows: ``(n_window, n_horizon, n)``, NaN where missing, standardized as `lagged`.

    Parameters
    ----------
    series : Series
    origin : (n_window,)
    by : Standard
    nodes : (n,)
    """
    ahead = np.array(series.horizons)
    rows = (origin[:, None] + ahead).ravel()
    y = series.values[np.ix_(rows, nodes)].reshape(origin.size, ahead.size, nodes.size)
    return np.asarray((y - by.mean[nodes]) / by.sd[nodes])


def checked_lags(n_lags: int | None, usual: int, series: Series) -> int:
    """The number of lags: as given, or as usual where that fits into the context."""
    if n_lags is None:
        return min(usual, series.context)
    if not isinstance(n_lags, int | np.integer) or isinstance(n_lags, bool) or not 1 <= n_lags <= series.context:
        raise InputError(
            f"n_lags must be between 1 and the context of the task ({series.context} bins), got {n_lags!r}"
        )
    return int(n_lags)


def standard_variables(by: Standard) -> dict[str, xr.Variable]:
    """The standard as variables of results."""
    return {
        "mean": xr.Variable(NODE, by.mean, {"units": "1", "long_name": "mean over training"}),
        "sd": xr.Variable(NODE, by.sd, {"units": "1", "long_name": "standard deviation over training"}),
    }
