"""Scores of one forecaster on one part of a task."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome import seeds
from dynome.dynamics.forecasting.contract import Forecaster
from dynome.dynamics.forecasting.series import Series
from dynome.dynamics.forecasting.windows import origins
from dynome.errors import InputError
from dynome.inference.forecasting.measures import MEASURES, by_node, errors_of, on_targets
from dynome.inference.forecasting.resampling import (
    Measured,
    Plan,
    belonging,
    interval,
    known_targets,
    measured,
    plan_of,
    weighted,
)
from dynome.schema import ANIMAL, HORIZON, NODE, SESSION

Array = NDArray[np.float64]

METRIC = "metric"
LEVEL = 0.95

_explained = {
    "mae": "mean absolute error, standardized",
    "mse": "mean squared error, standardized",
    "skill": "1 - mean squared error / that of persistence",
    "correlation": "correlation of forecast and target over windows",
    "coverage": "share of targets inside the 90 % interval",
    "deviance": "mean Poisson deviance (nats a bin)",
}


def forecast_scores(
    model: Forecaster, part: xr.DataTree, *, n_bootstrap: int = 1000, random_state: int | None = None
) -> xr.Dataset:
    r"""How well a fitted model forecasts a part of a task.

    Parameters
    ----------
    model : Forecaster
        Fitted.
    part : DataTree
        E.g. ``task.test``. Its windows are seen block by block.
    n_bootstrap : int
        Draws from which intervals are made; 0 makes none.
    random_state : int or None
        Seed of the draws.

    Returns
    -------
    Dataset
        ``score low high (metric, horizon)``: mean over animals and its 95 % interval; ``mean_score mean_low mean_high
        (metric)``: the same, averaged over horizons; ``animal_score (metric, animal, horizon)``; ``node_score
        (metric, session, horizon, node)``, of nodes that have one. ``attrs["resampled"]`` says what was drawn again:
        ``"animals"``, or with one animal ``"blocks of time"``; the interval then tells nothing about other animals.

        The metrics are ``mae``, ``mse``, ``skill``, ``correlation``; ``coverage``, where the model has a 90 % interval;
        ``deviance``, for spike counts.

    Raises
    ------
    InputError
        If `part` is no part of a task, has no window, or the model has not learnt its nodes.
    NotFittedError
        If the model is not fitted.

    Notes
    -----
    Measures are averaged over windows, then nodes, sessions, animals. The skill of a session is
    :math:`1 - \overline{mse} / \overline{mse}_{persistence}` with both averaged over nodes first: persistence has
    exactly 0. Targets are left out whose context has no value of the node. Errors are in standard deviations of nodes
    over training (with ``scaling="none"``, in units of the recording).

    Examples
    --------
    >>> from dynome import schema, study
    >>> from dynome.dynamics import Persistence
    >>> rng = np.random.default_rng(0)
    >>> rec = schema.recording(rng.normal(size=(200, 2)), time=np.arange(200.0), node=["a", "b"], units="1")
    >>> from dynome.inference import forecasting_task
    >>> task = forecasting_task(study.build({"worm": rec}), context=2, horizons=(1, 2))
    >>> scores = forecast_scores(Persistence().fit(task.train), task.test, random_state=0)
    >>> scores.score.sel(metric="skill").values, scores.attrs["resampled"]
    (array([0., 0.]), 'blocks of time')
    """
    series = scored_series(model, part)
    seed = seeds.resolve(random_state)
    plan = plan_of(series, checked_draws(n_bootstrap), seed)
    errors = errors_of(model._forecast, plan.series)
    common = known_targets(errors, plan)
    found = measured(errors, plan, common)
    nodes = common.any(axis=(0, 1))
    each = by_node(on_targets(weighted(errors, belonging(plan)), common))[..., nodes]
    kept = [name for k, name in enumerate(MEASURES) if np.isfinite(found.study[k]).any()]
    scores = summary(found).assign(
        animal_score=((METRIC, ANIMAL, HORIZON), found.animal, {"units": "1"}),
        node_score=((METRIC, SESSION, HORIZON, NODE), each, {"units": "1"}),
    )
    scores = scores.assign_coords(labels_of(plan)).assign_coords({NODE: series.nodes[nodes]})
    return scores.sel({METRIC: kept}).assign_attrs(about(plan, series, seed))


def scored_series(model: Forecaster, part: xr.DataTree) -> Series:
    """Arrays of a part for a fitted model; refused where there is nothing to score."""
    if not isinstance(model, Forecaster):
        raise InputError(f"expected a fitted forecaster, e.g. dynome.dynamics.AR().fit(task.train), found {model!r}")
    series = model._series_of(part)
    if not origins(series).size:
        raise InputError("this part has no whole window to score; shorten context or horizons, or take another part")
    return series


def checked_draws(n_bootstrap: Any) -> int:
    """The number of draws, refused if it is none."""
    if not isinstance(n_bootstrap, int | np.integer) or isinstance(n_bootstrap, bool) or n_bootstrap < 0:
        raise InputError(f"n_bootstrap must be a whole number, 0 or more, got {n_bootstrap!r}")
    return int(n_bootstrap)


def summary(found: Measured) -> xr.Dataset:
    """Scores of the study and their intervals, by horizon and averaged."""
    low, high = interval(found.draws)
    mean_low, mean_high = interval(found.draws.mean(axis=2))
    arrays = {"score": found.study, "low": low, "high": high}
    means = {"mean_score": found.study.mean(axis=1), "mean_low": mean_low, "mean_high": mean_high}
    attrs = {"units": "1"}
    return xr.Dataset(
        {name: ((METRIC, HORIZON), array, attrs) for name, array in arrays.items()}
        | {name: ((METRIC,), array, attrs) for name, array in means.items()}
    )


def labels_of(plan: Plan) -> dict[str, Any]:
    """Coordinates of scores."""
    horizons = np.array(plan.series.horizons)
    return {
        METRIC: list(MEASURES),
        "meaning": (METRIC, [_explained[name] for name in MEASURES]),
        HORIZON: (HORIZON, horizons, {"units": "1", "long_name": "bins ahead"}),
        "ahead": (HORIZON, horizons * plan.series.interval, {"units": "s", "long_name": "time ahead"}),
        ANIMAL: list(plan.animals),
        SESSION: list(plan.sessions),
    }


def about(plan: Plan, series: Series, seed: int) -> dict[str, Any]:
    """What scores rest on."""
    return {
        "resampled": plan.what,
        "n_resampled": int(plan.weight.shape[1]),
        "level": LEVEL,
        "n_animals": len(plan.animals),
        "context": series.context,
        "interval": series.interval,
        "variable": series.variable,
        "random_state": seed,
    }
