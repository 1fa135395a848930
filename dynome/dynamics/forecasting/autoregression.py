"""Autoregression: every node from its own past."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome.dynamics.forecasting import self_regressions
from dynome.dynamics.forecasting.contract import Fitted, Forecaster
from dynome.dynamics.forecasting.designs import session_designs, with_one
from dynome.dynamics.forecasting.lags import Standard, checked_lags, lagged, of_lags, standard, standard_variables
from dynome.dynamics.forecasting.persistence import no_iterations
from dynome.dynamics.forecasting.self_regressions import SelfRegressions
from dynome.dynamics.forecasting.series import Series
from dynome.dynamics.forecasting.spreads import residual_spread, spread_variable
from dynome.dynamics.forecasting.tallies import Forecast
from dynome.schema import HORIZON, LAG, NODE

Array = NDArray[np.float64]

_USUAL = 8


class AR(Forecaster):
    r"""Forecast every node from its own last values, at each horizon directly.

    What a model that looks at other nodes has to beat. It shrinks towards persistence: how strongly a node returns to
    its mean is chosen at each horizon on validation, for all nodes alike.

    Parameters
    ----------
    n_lags : int or None
        Bins of the past, at most the context. None takes 8, or the context where it is shorter.

    Attributes
    ----------
    results_ : Dataset
        ``coefficient (node, lag, horizon)`` and ``intercept (node, horizon)``, in units of standard deviations over
        training, ``lag`` 0 the last bin seen; nodes without training values have those of one regression for all
        nodes. ``penalty (horizon)``; ``mean sd (node)``; ``spread (horizon, node)``; ``history``, empty.

    Notes
    -----
    :math:`\hat y_i(t+h) - x_i(t) = a_{ih} + b_{ih0}\, x_i(t) + \sum_l b_{ihl} (x_i(t-l+1) - x_i(t-l))` by least squares
    over all training windows of a label, of all animals together, with a penalty :math:`\lambda_h n (a^2 + b_0^2)` that
    is the best of thirteen from 0.001 to 1000 on the validation part, or on four blocks of training that are left out
    in turn. A missing value in the context counts as the last one before it, a node without any as its mean.

    Examples
    --------
    >>> from dynome import schema, study
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(500, 1))
    >>> for t in range(1, 500):
    ...     x[t] += 0.5 * x[t - 1]
    >>> rec = schema.recording(x, time=np.arange(500.0), node=["a"], units="1")
    >>> part = study.build({"worm": rec}, attrs=dict(context=1, horizons=[1], variable="activity", interval=1.0))
    >>> AR().fit(part).results_.coefficient.values.round(1).tolist()
    [[[0.5]]]
    """

    def __init__(self, n_lags: int | None = None) -> None:
        self.n_lags = n_lags

    def _fit(self, series: Series, validation: Series | None, wiring: xr.Dataset | None, seed: int) -> Fitted:
        n_lags = checked_lags(self.n_lags, _USUAL, series)
        by, axis = standard(series), np.flatnonzero(series.recorded.any(axis=0))
        train = session_designs(series, n_lags, by, axis)
        held = [] if validation is None else session_designs(validation, n_lags, by, axis)
        model = self_regressions.fitted(train, held, axis.size, series.context + max(series.horizons))
        coefficient = on_lags(model, by, axis)

        def said(series: Series, origin: NDArray[np.int64]) -> Forecast:
            return Forecast(alone(series, origin, coefficient, by))

        about = {"units": "1", "long_name": "coefficients, standardized"}
        results = {
            "coefficient": ((NODE, LAG, HORIZON), coefficient[:, :-1], about),
            "intercept": ((NODE, HORIZON), coefficient[:, -1], about),
            "penalty": ((HORIZON,), model.penalty, {"units": "1", "long_name": "penalty per window"}),
            **standard_variables(by),
            **spread_variable(residual_spread(said, series, validation), series),
            "history": no_iterations(),
        }
        return Fitted(xr.Dataset(results, coords={LAG: (LAG, np.arange(n_lags), {"units": "1"})}))

    def _forecast(self, series: Series, origin: NDArray[np.int64]) -> Forecast:
        results = self._fitted()
        intercept = results["intercept"].to_numpy()[:, None]
        coefficient = np.concatenate([results["coefficient"].to_numpy(), intercept], axis=1)
        mean = alone(series, origin, coefficient, kept_standard(results))
        return Forecast(mean, np.broadcast_to(results["spread"].to_numpy().astype(np.float32), mean.shape))


def on_lags(model: SelfRegressions, by: Standard, axis: NDArray[np.int64]) -> Array:
    """Coefficients of values at lags, (n_node, n_lags + 1, n_horizon), for all nodes.

    Parameters
    ----------
    model : SelfRegressions
        Of the nodes of `axis`; others take what is shared.
    by : Standard
        Of all nodes.
    axis : (n_fitted,)
    """
    every = np.broadcast_to(model.shared, (by.mean.size, *model.shared.shape)).copy()
    every[axis] = model.coefficient
    every[:, :-1] = of_lags(every[:, :-1].transpose(1, 0, 2), by.step).transpose(1, 0, 2)
    every[:, 0] += 1
    return every


def alone(series: Series, origin: NDArray[np.int64], coefficient: Array, by: Standard) -> NDArray[np.float32]:
    """Forecasts of nodes from their own past, (n_window, n_horizon, n_node).

    Parameters
    ----------
    series : Series
    origin : (n_window,)
    coefficient : (n_node, n_lags + 1, n_horizon)
        As `on_lags` gives them.
    by : Standard
    """
    x = with_one(lagged(series, origin, coefficient.shape[1] - 1, by, np.arange(series.nodes.size)))
    said = (x.transpose(2, 0, 1) @ coefficient).transpose(1, 2, 0)
    return np.asarray(said * by.sd + by.mean, dtype=np.float32)


def kept_standard(results: xr.Dataset) -> Standard:
    """The standard that results keep; steps are in the coefficients already."""
    mean = results["mean"].to_numpy()
    return Standard(mean, results["sd"].to_numpy(), np.ones_like(mean))
