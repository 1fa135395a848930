"""Regression of every node on its own past: one small system a node, all at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dynome.dynamics.forecasting.designs import Design, with_one
from dynome.dynamics.forecasting.penalties import PENALTIES, chosen, penalty_curve, squared

Array = NDArray[np.float64]

_OF_CHANGES = 1e-2  # penalty of the last changes, a window; it only keeps the systems of still nodes solvable


class SelfRegressions(NamedTuple):
    """Changes of nodes from their own past, in standardized units.

    Attributes
    ----------
    coefficient : (n_node, n_lags + 1, n_horizon)
        Of the predictors of `features`, the intercept last.
    shared : (n_lags + 1, n_horizon)
        One regression for all nodes.
    penalty : (n_horizon,)
        Of the last value and the intercept: what a node forgets of its mean and its drift.
    """

    coefficient: Array
    shared: Array
    penalty: Array


class _Sums(NamedTuple):
    gram: Array  # (n_node, n_lags + 1, n_lags + 1)
    cross: Array  # (n_node, n_lags + 1, n_horizon)
    windows: Array  # (n_node,)


def fitted(train: Sequence[Design], held: Sequence[Design], n_node: int, reach: int) -> SelfRegressions:
    """Regress the change ahead of every node on its last value and its last changes.

    Parameters
    ----------
    train : sequence of Design
        Every node in one or more of them.
    held, reach
        As in `penalty_curve`.
    n_node : int
        Fitted nodes.
    """

    def errors(train: Sequence[Design], held: Sequence[Design]) -> Array:
        sums = _sums(train, n_node)
        found = []
        for penalty in PENALTIES:
            coefficient = _solved(sums, penalty)
            found.append(np.sum([squared(_said(coefficient, part), part.y) for part in held], axis=0))
        return np.array(found).transpose(1, 0, 2)

    penalty = chosen(penalty_curve(errors, train, held, reach))
    sums = _sums(train, n_node)
    together = _Sums(*(total.sum(axis=0, keepdims=True) for total in sums))
    coefficient, shared = np.empty_like(sums.cross), np.empty_like(together.cross)
    for h, value in enumerate(penalty.tolist()):
        coefficient[..., h], shared[..., h] = (_solved(s, value)[..., h] for s in (sums, together))
    return SelfRegressions(coefficient, shared[0], penalty)


def _sums(parts: Sequence[Design], n_node: int) -> _Sums:
    size, n_horizon = parts[0].x.shape[1] + 1, parts[0].y.shape[1]
    gram, cross = np.zeros((n_node, size, size)), np.zeros((n_node, size, n_horizon))
    windows = np.zeros(n_node)
    for part in parts:
        z, y = with_one(part.x).transpose(2, 1, 0), part.y.transpose(2, 0, 1)
        seen = np.isfinite(y)
        gram[part.nodes] += z @ z.transpose(0, 2, 1)
        # Missing targets count as missing at random: what is known stands for all windows.
        share = y.shape[1] / np.maximum(seen.sum(axis=1), 1)
        cross[part.nodes] += z @ np.where(seen, y, 0.0) * share[:, None]
        windows[part.nodes] += y.shape[1]
    return _Sums(gram, cross, windows)


def _solved(sums: _Sums, penalty: float) -> Array:
    ridge = np.full(sums.gram.shape[1], _OF_CHANGES)
    ridge[[0, -1]] = penalty
    windows = np.maximum(sums.windows, 1)[:, None, None]
    return np.asarray(np.linalg.solve(sums.gram + windows * np.diag(ridge), sums.cross))


def _said(coefficient: Array, part: Design) -> Array:
    return (with_one(part.x).transpose(2, 0, 1) @ coefficient[part.nodes]).transpose(1, 2, 0)
