"""Persistence: everything stays as it was last seen."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome.dynamics.forecasting.contract import Fitted, Forecaster
from dynome.dynamics.forecasting.series import Series
from dynome.dynamics.forecasting.spreads import residual_spread, spread_variable
from dynome.dynamics.forecasting.tallies import Forecast
from dynome.dynamics.forecasting.windows import contexts, last_observed


class Persistence(Forecaster):
    """Forecast that every node keeps the last value that was observed.

    By definition its skill is exactly 0. It is hard to beat one bin ahead, where activity is smooth.

    Attributes
    ----------
    results_ : Dataset
        ``spread (horizon, node)``: root mean squared error in standardized units, from which intervals are made;
        ``history``, empty.

    Notes
    -----
    A node without an observed value in the context is forecast at its centre, 0 in standardized units; such targets
    are left out of every score, for all models alike.

    Examples
    --------
    >>> from dynome import schema, study
    >>> rec = schema.recording([[0.0], [1], [2], [3]], time=np.arange(4.0), node=["a"], units="1")
    >>> part = study.build({"worm": rec}, attrs=dict(context=1, horizons=[1], variable="activity", interval=1.0))
    >>> model = Persistence().fit(part)
    >>> model.predict(part).forecast.values.ravel(), model.score(part)
    (array([0., 1., 2.], dtype=float32), 0.0)
    """

    def _fit(self, series: Series, validation: Series | None, wiring: xr.Dataset | None, seed: int) -> Fitted:
        spread = residual_spread(_persisted, series, validation)
        return Fitted(xr.Dataset({**spread_variable(spread, series), "history": no_iterations()}))

    def _forecast(self, series: Series, origin: NDArray[np.int64]) -> Forecast:
        said = _persisted(series, origin)
        spread = self._fitted()["spread"].to_numpy().astype(np.float32)
        return Forecast(said.mean, np.broadcast_to(spread, said.mean.shape))


def no_iterations() -> xr.Variable:
    """The history of a model that has a closed form."""
    return xr.Variable("iteration", np.empty(0), {"units": "1", "long_name": "objective"})


def _persisted(series: Series, origin: NDArray[np.int64]) -> Forecast:
    last = np.nan_to_num(last_observed(contexts(series, origin)), nan=0.0)
    return Forecast(np.repeat(last[:, None], len(series.horizons), axis=1))
