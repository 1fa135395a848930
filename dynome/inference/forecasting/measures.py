"""What sums of errors say: measures of every session and node, and their averages."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dynome.dynamics.forecasting.series import Series
from dynome.dynamics.forecasting.tallies import Caster, Forecast, Tallies, skill, tallied
from dynome.dynamics.forecasting.windows import contexts, last_observed, targets
from dynome.schema import SPIKE_COUNT

Array = NDArray[np.float64]

MEASURES = ("mae", "mse", "skill", "correlation", "coverage", "deviance")
LARGER_IS_BETTER = ("skill", "correlation")
SMALLER_IS_BETTER = ("mae", "mse", "deviance")

_LEAST_RATE = 1e-3  # spikes a bin: a model that says none, and is wrong, is punished as if it had said so many


class Errors(NamedTuple):
    """Sums of errors of one model.

    Attributes
    ----------
    sums : Tallies
        Each ``(n_unit, n_horizon, n_node)``.
    deviance : (n_unit, n_horizon, n_node)
        Summed Poisson deviance of counts; NaN for activity.
    """

    sums: Tallies
    deviance: Array


def errors_of(forecast: Caster, series: Series) -> Errors:
    """Run a model over all windows, block by block.

    Parameters
    ----------
    forecast : callable
        ``(series, origins) -> Forecast``.
    series : Series
        Its sessions are the units of the sums.
    """
    shape = (len(series.sessions), len(series.horizons), series.nodes.size)
    if series.variable != SPIKE_COUNT:
        return Errors(tallied(forecast, series), np.full(shape, np.nan))
    deviance = np.zeros(shape)

    def watched(series: Series, origin: NDArray[np.int64]) -> Forecast:
        said = forecast(series, origin)
        session, first = np.unique(series.session[origin], return_index=True)
        deviance[session] += np.add.reduceat(_deviance(said, series, origin), first, axis=0)
        return said

    return Errors(tallied(watched, series), deviance)


def on_targets(errors: Errors, common: NDArray[np.bool_]) -> Errors:
    """Without the targets that not all models forecast.

    Parameters
    ----------
    errors : Errors
    common : (n_unit, n_horizon, n_node)
        Targets that stay.
    """
    return Errors(
        Tallies(*(np.where(common, total, 0.0) for total in errors.sums)), np.where(common, errors.deviance, 0)
    )


def by_node(errors: Errors) -> Array:
    """Measures of every node, (n_measure, n_unit, n_horizon, n_node), in the order of `MEASURES`.

    Parameters
    ----------
    errors : Errors

    Returns
    -------
    (n_measure, n_unit, n_horizon, n_node)
        In standardized units; the deviance in nats a bin. NaN where a node has no target, a correlation without
        variance, or a skill against a persistence without error.
    """
    s = errors.sums
    n = np.where(s.number > 0, s.number, np.nan)
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = 1 - s.square / np.where(s.persistence > 0, s.persistence, np.nan)
        return np.stack([s.absolute / n, s.square / n, ratio, _correlation(s, n), s.covered / n, errors.deviance / n])


def by_unit(errors: Errors) -> Array:
    """Measures averaged over nodes, (n_measure, n_unit, n_horizon).

    Parameters
    ----------
    errors : Errors

    Notes
    -----
    The skill is one less the ratio of mean squared errors, both averaged over nodes first.
    """
    found = known_mean(by_node(errors), axis=-1)
    found[MEASURES.index("skill")] = skill(errors.sums)
    return found


def known_mean(x: Array, axis: int) -> Array:
    """Mean of what is not NaN; NaN where nothing is left."""
    there = np.isfinite(x)
    n = there.sum(axis=axis)
    return np.asarray(np.where(there, x, 0.0).sum(axis=axis) / np.where(n > 0, n, np.nan))


def _correlation(s: Tallies, n: Array) -> Array:
    forecast = s.forecast_square / n - (s.forecast / n) ** 2
    target = s.target_square / n - (s.target / n) ** 2
    # Sums of single precision leave a constant a variance that is rounding only.
    moves = (forecast > 1e-6 * s.forecast_square / n) & (target > 1e-6 * s.target_square / n)
    joint = s.product / n - s.forecast * s.target / n**2
    return np.asarray(np.where(moves, joint / np.sqrt(np.where(moves, forecast * target, 1.0)), np.nan))


def _deviance(said: Forecast, series: Series, origin: NDArray[np.int64]) -> Array:
    session = series.session[origin]
    scale, center = series.scale[session][:, None], series.center[session][:, None]
    y = targets(series, origin) * scale + center
    rate = np.maximum(said.mean * scale + center, _LEAST_RATE)
    known = np.isfinite(y) & np.isfinite(rate) & np.isfinite(last_observed(contexts(series, origin)))[:, None]
    # Standardized counts come back with the digits of single precision.
    y = np.where(known, np.rint(np.where(known, y, 0.0)), 0.0)
    rate = np.where(known, rate, 1.0)
    terms = 2 * (y * np.log(np.where(y > 0, y, 1.0) / rate) - (y - rate))
    return np.asarray(np.where(known, terms, 0.0), dtype=np.float64)
