"""Windows of a series: a context that is looked at, and the bins ahead that are forecast."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from dynome.dynamics.forecasting.series import Series

_block = 1 << 24  # values of contexts and targets that are held at a time


def origins(series: Series) -> NDArray[np.int64]:
    """Bins at which a forecast is made: the last ones of their contexts.

    Parameters
    ----------
    series : Series
        Of one part.

    Returns
    -------
    (n_window,)
        Increasing. The context and the longest horizon lie in the sequence of the origin, and every horizon is a bin
        that may be scored.

    Examples
    --------
    >>> from dynome.dynamics.forecasting.series import stacked
    >>> import xarray as xr
    >>> from dynome import schema, study
    >>> rec = schema.recording(np.zeros((6, 1)), time=np.arange(6.0), node=["a"], units="1")
    >>> part = study.build({"worm1": rec}, attrs=dict(context=2, horizons=[1, 2], variable="activity", interval=1.0))
    >>> origins(stacked(part)).tolist()
    [1, 2, 3]
    """
    ahead = np.array(series.horizons)
    found = []
    for first, end in zip(series.starts[:-1], series.starts[1:], strict=True):
        bins = np.arange(first + series.context - 1, end - ahead.max())
        found.append(bins[series.scored[bins[:, None] + ahead].all(axis=1)])
    return np.concatenate(found) if found else np.empty(0, dtype=np.int64)


def contexts(series: Series, origin: NDArray[np.int64]) -> NDArray[np.float32]:
    """What is looked at: ``(n_window, context, n_node)``, oldest bin first.

    Parameters
    ----------
    series : Series
        Of one part.
    origin : (n_window,)
        As `origins` gives them.
    """
    seen: NDArray[np.float32] = series.values[origin[:, None] + np.arange(1 - series.context, 1)]
    return seen


def targets(series: Series, origin: NDArray[np.int64]) -> NDArray[np.float32]:
    """What is to be forecast: ``(n_window, n_horizon, n_node)``.

    Parameters
    ----------
    series : Series
        Of one part.
    origin : (n_window,)
        As `origins` gives them.
    """
    ahead: NDArray[np.float32] = series.values[origin[:, None] + np.array(series.horizons)]
    return ahead


def last_observed(context: NDArray[np.float32]) -> NDArray[np.float32]:
    """The latest value of each node in each context: what persistence forecasts.

    Parameters
    ----------
    context : (n_window, context, n_node)
        NaN is missing.

    Returns
    -------
    (n_window, n_node)
        NaN where a context has no value of a node.

    Examples
    --------
    >>> last_observed(np.array([[[1.0, np.nan], [np.nan, np.nan]]], dtype=np.float32)).tolist()
    [[1.0, nan]]
    """
    out: NDArray[np.float32] = context[:, -1].copy()
    for lag in range(2, context.shape[1] + 1):
        missing = np.isnan(out)
        if not missing.any():
            break
        out[missing] = context[:, -lag][missing]
    return out


def blocks(series: Series, origin: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """The origins in parts whose windows fit into memory.

    Parameters
    ----------
    series : Series
        Of one part.
    origin : (n_window,)
        As `origins` gives them.
    """
    each = (series.context + len(series.horizons)) * max(1, series.nodes.size)
    step = max(1, _block // each)
    for start in range(0, origin.size, step):
        yield origin[start : start + step]
