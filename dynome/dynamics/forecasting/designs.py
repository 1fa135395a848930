"""Predictors and targets of linear forecasts, session by session."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dynome.dynamics.forecasting.lags import Standard, aims, features, lagged
from dynome.dynamics.forecasting.series import Series
from dynome.dynamics.forecasting.windows import blocks, origins

Array = NDArray[np.float64]


class Design(NamedTuple):
    """Predictors and targets of some windows of one session.

    Attributes
    ----------
    nodes : (n,)
        Positions among the fitted nodes of those that the session recorded, increasing.
    x : (n_window, n_lags, n)
        As `features` gives them.
    y : (n_window, n_horizon, n)
        Change from the last value to the target; NaN is missing.
    """

    nodes: NDArray[np.int64]
    x: Array
    y: Array


def session_designs(series: Series, n_lags: int, by: Standard, axis: NDArray[np.int64]) -> list[Design]:
    """All windows of a series, in blocks that fit into memory, none with windows of two sessions.

    Parameters
    ----------
    series : Series
    n_lags : int
        At most the context.
    by : Standard
        Of training.
    axis : (n_fitted,)
        Positions in the series of the fitted nodes, increasing.
    """
    found = []
    for block in blocks(series, origins(series)):
        edges = np.flatnonzero(np.diff(series.session[block])) + 1
        found += [_design(series, piece, n_lags, by, axis) for piece in np.split(block, edges) if piece.size]
    return found


def rows(part: Design, first: int, end: int) -> Design:
    """Some windows of a design.

    Parameters
    ----------
    part : Design
    first, end : int
        As of a slice.
    """
    return Design(part.nodes, part.x[first:end], part.y[first:end])


def with_one(x: Array) -> Array:
    """A last column of ones along axis 1.

    Parameters
    ----------
    x : (n_window, n, ...)
    """
    return np.concatenate([x, np.ones((x.shape[0], 1, *x.shape[2:]))], axis=1)


def _design(series: Series, origin: NDArray[np.int64], n_lags: int, by: Standard, axis: NDArray[np.int64]) -> Design:
    here = np.flatnonzero(series.recorded[series.session[origin[0]]][axis])
    nodes = axis[here]
    x = lagged(series, origin, n_lags, by, nodes)
    return Design(here, features(x, by.step[nodes]), aims(series, origin, by, nodes) - x[:, :1])
