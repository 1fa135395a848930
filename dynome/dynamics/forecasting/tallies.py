"""Errors of a forecast summed over windows: for every session, horizon and node.

Everything that is said about a forecast is a ratio of these sums, so that windows can be seen in blocks and averages
are formed where they are wanted. A target counts where it is known, and where the context has a value of the node:
elsewhere persistence, against which the others are measured, does not exist.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dynome.dynamics.forecasting.series import Series
from dynome.dynamics.forecasting.windows import blocks, contexts, last_observed, origins, targets

Array = NDArray[np.float64]


class Forecast(NamedTuple):
    """What a model says of some windows, in standardized units.

    Attributes
    ----------
    mean : (n_window, n_horizon, n_node)
        Expected value; NaN for nodes that the model does not know.
    scale : (n_window, n_horizon, n_node) or None
        Standard deviation, of models that have one.
    """

    mean: NDArray[np.float32]
    scale: NDArray[np.float32] | None = None


class Tallies(NamedTuple):
    """Sums over windows, each ``(n_session, n_horizon, n_node)``.

    Attributes
    ----------
    number
        How many targets.
    absolute, square
        Sums of absolute and of squared errors.
    persistence
        Sum of squared errors of persistence on the same targets.
    forecast, target, forecast_square, target_square, product
        First and second moments of forecast and target, for correlations.
    covered
        Targets inside the 90 % interval; NaN for a model without intervals.
    """

    number: Array
    absolute: Array
    square: Array
    persistence: Array
    forecast: Array
    target: Array
    forecast_square: Array
    target_square: Array
    product: Array
    covered: Array


Caster = Callable[[Series, NDArray[np.int64]], Forecast]

INTERVAL = 0.9
_HALF_WIDTH = 1.6448536269514722  # of that interval, in standard deviations of a normal law


def tallied(forecast: Caster, series: Series) -> Tallies:
    """Run a model over all windows of a series and sum its errors.

    Parameters
    ----------
    forecast : callable
        ``(series, origins) -> Forecast``.
    series : Series
        Of one part.

    Returns
    -------
    Tallies
        In standardized units.
    """
    shape = (len(series.sessions), len(series.horizons), series.nodes.size)
    sums = Tallies(*(np.zeros(shape) for _ in Tallies._fields))
    covered = True
    for origin in blocks(series, origins(series)):
        said = forecast(series, origin)
        covered &= said.scale is not None
        terms = _terms(said, targets(series, origin), last_observed(contexts(series, origin)))
        # Windows of one session stand together.
        session, first = np.unique(series.session[origin], return_index=True)
        for total, term in zip(sums, terms, strict=True):
            total[session] += np.add.reduceat(term, first, axis=0, dtype=np.float64)
    return sums if covered else sums._replace(covered=np.full(shape, np.nan))


def skill(sums: Tallies) -> Array:
    """One less the ratio of the mean squared error to that of persistence, ``(n_session, n_horizon)``.

    Parameters
    ----------
    sums : Tallies
        Of one model.

    Returns
    -------
    (n_session, n_horizon)
        1 is perfect, 0 is no better than persistence. Errors are averaged over windows, then over nodes, before the
        ratio is formed: a ratio a node would be ruled by the nodes that hardly change. NaN where nothing was forecast.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        error = np.nanmean(_each(sums.square, sums.number), axis=-1)
        reference = np.nanmean(_each(sums.persistence, sums.number), axis=-1)
        return np.asarray(1 - error / np.where(reference > 0, reference, np.nan))


def _each(total: Array, number: Array) -> Array:
    return np.where(number > 0, total / np.where(number > 0, number, 1), np.nan)


def _terms(said: Forecast, target: NDArray[np.float32], last: NDArray[np.float32]) -> tuple[NDArray[Any], ...]:
    known = np.isfinite(target) & np.isfinite(last)[:, None] & np.isfinite(said.mean)
    y, m = np.where(known, target, 0), np.where(known, said.mean, 0)
    still = np.where(known, last[:, None], 0)
    error = m - y
    inside = known if said.scale is None else known & (np.abs(error) <= _HALF_WIDTH * said.scale)
    return (known, np.abs(error), error**2, (still - y) ** 2, m, y, m**2, y**2, m * y, inside)
