"""Running a forecaster on its own forecasts: one bin after another, without another look at the data."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from dynome.dynamics.forecasting.series import Series
from dynome.dynamics.forecasting.tallies import Forecast
from dynome.dynamics.forecasting.windows import contexts
from dynome.errors import InputError

Start = Literal["first", "last"]


def starting_points(series: Series, n_steps: int, start: Start) -> NDArray[np.int64]:
    """Bins from which a model is left to itself, one a sequence.

    Parameters
    ----------
    series : Series
        Of one part.
    n_steps : int
        Bins that are to be made.
    start : {"first", "last"}
        After the first whole context whose next bin may be scored (so that there is a truth to compare with), or after
        the last bin of all.

    Returns
    -------
    (n_rollout,)

    Raises
    ------
    InputError
        If no sequence is long enough.
    """
    found = []
    for first, end in zip(series.starts[:-1], series.starts[1:], strict=True):
        if start == "last":
            possible = np.array([end - 1]) if end - first >= series.context else np.empty(0, dtype=np.int64)
        else:
            bins = np.arange(first + series.context - 1, end - n_steps)
            possible = bins[series.scored[bins + 1]] if bins.size else bins
        found += possible[:1].tolist()
    if not found:
        longest = int(np.diff(series.starts).max(initial=0))
        need = series.context + (n_steps if start == "first" else 0)
        raise InputError(f"a rollout of {n_steps} bins needs {need} bins in a row, the longest stretch has {longest}")
    return np.array(found, dtype=np.int64)


def rolled_out(
    forecast: Callable[[Series, NDArray[np.int64]], Forecast], series: Series, origin: NDArray[np.int64], n_steps: int
) -> NDArray[np.float32]:
    """Values of the next bins, each forecast from a context that ends with the ones before it.

    Parameters
    ----------
    forecast : callable
        ``(series, origins) -> Forecast``; one of its horizons is 1.
    series : Series
        Of one part.
    origin : (n_rollout,)
        As `starting_points` gives them.
    n_steps : int
        Bins to make.

    Returns
    -------
    (n_rollout, n_steps, n_node)
        Standardized. Covariates are those of the recording as long as it lasts, then their last values.

    Raises
    ------
    InputError
        If the model does not forecast one bin ahead.
    """
    if 1 not in series.horizons:
        raise InputError(f"a rollout goes bin by bin; make the task with horizon 1 too (found {list(series.horizons)})")
    nearest, n, length = series.horizons.index(1), origin.size, series.context
    end = series.starts[np.searchsorted(series.starts, origin, side="right")] - 1
    context = contexts(series, origin)
    out = np.empty((n, n_steps, series.nodes.size), dtype=np.float32)
    lags = np.arange(1 - length, 1)
    for step in range(n_steps):
        bins = np.minimum(origin[:, None] + lags + step, end[:, None]).ravel()
        here = series._replace(
            values=context.reshape(n * length, -1),
            starts=np.arange(n + 1, dtype=np.int64) * length,
            session=series.session[bins],
            covariates=series.covariates[bins],
            time=series.time[bins],
            scored=np.ones(bins.size, dtype=bool),
        )
        made = forecast(here, np.arange(1, n + 1, dtype=np.int64) * length - 1).mean[:, nearest]
        out[:, step] = made
        context = np.concatenate([context[:, 1:], made[:, None]], axis=1)
    return out
