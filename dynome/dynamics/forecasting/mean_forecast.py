"""The mean: everything returns to where it usually is."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome.dynamics.forecasting.contract import Fitted, Forecaster
from dynome.dynamics.forecasting.persistence import no_iterations
from dynome.dynamics.forecasting.series import Series
from dynome.dynamics.forecasting.spreads import residual_spread, spread_variable
from dynome.dynamics.forecasting.tallies import Forecast
from dynome.schema import NODE


class MeanForecast(Forecaster):
    """Forecast the mean of every node over training time, at every horizon.

    What persistence is for the next bin, the mean is for the far future: a model that does not beat it at a long
    horizon knows nothing of it.

    Attributes
    ----------
    results_ : Dataset
        ``mean (node)`` and ``spread (horizon, node)`` in standardized units; ``history``, empty.

    Notes
    -----
    The mean of a label over all training recordings, in standardized units. A label without training values gets 0,
    its centre.

    Examples
    --------
    >>> from dynome import schema, study
    >>> rec = schema.recording([[0.0], [1], [2], [3]], time=np.arange(4.0), node=["a"], units="1")
    >>> part = study.build({"worm": rec}, attrs=dict(context=1, horizons=[1], variable="activity", interval=1.0))
    >>> MeanForecast().fit(part).predict(part).forecast.values.ravel()
    array([1.5, 1.5, 1.5], dtype=float32)
    """

    def _fit(self, series: Series, validation: Series | None, wiring: xr.Dataset | None, seed: int) -> Fitted:
        seen = np.isfinite(series.values)
        total = np.where(seen, series.values, 0).sum(axis=0, dtype=np.float64)
        mean = total / np.maximum(seen.sum(axis=0), 1)

        def said(series: Series, origin: NDArray[np.int64]) -> Forecast:
            return _everywhere(mean, series, origin)

        spread = spread_variable(residual_spread(said, series, validation), series)
        about = {"units": "1", "long_name": "mean over training, standardized"}
        return Fitted(xr.Dataset({"mean": (NODE, mean, about), **spread, "history": no_iterations()}))

    def _forecast(self, series: Series, origin: NDArray[np.int64]) -> Forecast:
        results = self._fitted()
        mean = _everywhere(results["mean"].to_numpy(), series, origin).mean
        return Forecast(mean, np.broadcast_to(results["spread"].to_numpy().astype(np.float32), mean.shape))


def _everywhere(mean: NDArray[np.float64], series: Series, origin: NDArray[np.int64]) -> Forecast:
    shape = (origin.size, len(series.horizons), mean.size)
    return Forecast(np.broadcast_to(mean.astype(np.float32), shape))
