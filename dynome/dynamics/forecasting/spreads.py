"""How far forecasts go astray: a standard deviation for each horizon and node, from training errors."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome.dynamics.forecasting.series import Series
from dynome.dynamics.forecasting.tallies import Caster, tallied
from dynome.dynamics.forecasting.windows import origins
from dynome.schema import HORIZON, NODE

Array = NDArray[np.float64]


def residual_spread(forecast: Caster, series: Series, validation: Series | None) -> Array:
    """Root mean squared errors of a forecast.

    Parameters
    ----------
    forecast : callable
        ``(series, origins) -> Forecast``.
    series : Series
        Of training: how nodes differ.
    validation : Series or None
        Its errors, averaged over nodes, set the level at each horizon: training errors of a fit are too small.

    Returns
    -------
    (n_horizon, n_node)
        In standardized units. A node without errors of its own has the mean over nodes.
    """
    spread = _mean_square(forecast, series)
    level = np.nanmean(spread, axis=1, keepdims=True) if np.isfinite(spread).any() else np.ones((len(spread), 1))
    spread = np.where(np.isfinite(spread), spread, level)
    if validation is not None and origins(validation).size:
        found = _mean_square(forecast, validation)
        there = np.isfinite(found)
        ratio = np.where(there, found, 0).sum(axis=1) / np.maximum(np.where(there, spread, 0).sum(axis=1), 1e-12)
        spread = spread * np.where(there.any(axis=1), ratio, 1.0)[:, None]
    return np.asarray(np.sqrt(spread))


def spread_variable(spread: Array, series: Series) -> dict[str, xr.DataArray]:
    """The spread as a variable of results."""
    return {
        "spread": xr.DataArray(
            spread,
            dims=(HORIZON, NODE),
            coords={HORIZON: np.array(series.horizons)},
            attrs={"units": "1", "long_name": "root mean squared error, standardized"},
        )
    }


def _mean_square(forecast: Caster, series: Series) -> Array:
    sums = tallied(forecast, series)
    n, square = sums.number.sum(axis=0), sums.square.sum(axis=0)
    return np.where(n > 0, square / np.maximum(n, 1), np.nan)
