"""Penalties, chosen by errors on windows that the fit has not seen."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from dynome.dynamics.forecasting.designs import Design, rows

Array = NDArray[np.float64]
Curve = Callable[[Sequence[Design], Sequence[Design]], Array]

PENALTIES = tuple(float(v) for v in np.logspace(-3, 3, 13))

_FOLDS = 4


def chosen(curve: Array) -> Array:
    """The best penalty at each horizon; 1 where there is nothing to choose by.

    Parameters
    ----------
    curve : (n_penalty, n_horizon)
        Mean squared errors; NaN where nothing could be compared.
    """
    best = np.argmin(np.where(np.isfinite(curve), curve, np.inf), axis=0)
    return np.where(np.isfinite(curve).any(axis=0), np.array(PENALTIES)[best], 1.0)


def penalty_curve(errors: Curve, train: Sequence[Design], held: Sequence[Design], reach: int) -> Array:
    """Mean squared errors of a model at each of `PENALTIES`.

    Parameters
    ----------
    errors : callable
        ``(train, held) -> (2, n_penalty, n_horizon)``: sums of squared errors on `held` of fits to `train`, and how
        many.
    train : sequence of Design
    held : sequence of Design
        A validation part. Where it is empty, four blocks of every design of `train` are left out in turn.
    reach : int
        Windows on either side of a block that share bins with it: they are left out too.

    Returns
    -------
    (n_penalty, n_horizon)
        NaN where nothing could be compared, as when a recording is too short to leave a block out.
    """
    pairs = [(train, held)] if held else [_fold(train, k, reach) for k in range(_FOLDS)]
    found = [errors(kept, left_out) for kept, left_out in pairs if kept and left_out]
    if not found:
        return np.full((len(PENALTIES), train[0].y.shape[1]), np.nan)
    square, number = np.sum(found, axis=0)
    return np.where(number > 0, square / np.maximum(number, 1), np.nan)


def squared(said: Array, y: Array) -> tuple[Array, Array]:
    """Sum of squared errors and number of targets, (n_horizon,), of ``(n_window, n_horizon, n)``."""
    error = said - y
    return np.nansum(error**2, axis=(0, 2)), np.isfinite(error).sum(axis=(0, 2)).astype(np.float64)


def _fold(train: Sequence[Design], fold: int, reach: int) -> tuple[Sequence[Design], Sequence[Design]]:
    kept, held = [], []
    for part in train:
        n = part.y.shape[0]
        first, end = fold * n // _FOLDS, (fold + 1) * n // _FOLDS
        held.append(rows(part, first, end))
        kept += [rows(part, 0, max(0, first - reach)), rows(part, min(n, end + reach), n)]
    return [part for part in kept if len(part.y)], [part for part in held if len(part.y)]
