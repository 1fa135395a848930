"""The tables of a comparison of forecasts, from the measures of its fits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome.inference.forecasting.measures import MEASURES, SMALLER_IS_BETTER, known_mean
from dynome.inference.forecasting.resampling import Measured, Plan, interval
from dynome.inference.forecasting.scores import METRIC, labels_of, summary
from dynome.permutation import permutation_p_value
from dynome.schema import ANIMAL, DRAW, HORIZON, SESSION

Array = NDArray[np.float64]

MODEL, NULL, REFERENCE = "model", "null", "reference"


class Job(NamedTuple):
    """A model on one null connectome."""

    model: str
    kind: str
    draw: int


def scores_table(found: Mapping[str, Measured], plan: Plan, seconds: Sequence[float]) -> xr.Dataset:
    """Scores of every model with intervals."""
    kept = _kept(found)
    tables = [summary(each) for each in found.values()]
    table = xr.concat(tables, dim=MODEL, coords="minimal", compat="override").assign_coords(_labels(plan, found))
    table["seconds"] = ((MODEL,), np.array(seconds), {"units": "s", "long_name": "time of the fit"})
    return table.sel({METRIC: kept}).drop_vars([ANIMAL, SESSION])


def animals_table(found: Mapping[str, Measured], plan: Plan) -> xr.Dataset:
    """Scores of every animal."""
    score = np.stack([each.animal for each in found.values()])
    table = xr.Dataset({"score": ((MODEL, METRIC, ANIMAL, HORIZON), score, {"units": "1"})}, _labels(plan, found))
    return table.sel({METRIC: _kept(found)}).drop_vars(SESSION)


def pairs_table(found: Mapping[str, Measured], plan: Plan, metric: str) -> xr.Dataset:
    """How much better each model is than each other one."""
    sign, at = _sign(metric), MEASURES.index(metric)
    value = np.stack([sign * each.study[at] for each in found.values()])
    draws = np.stack([sign * each.draws[:, at] for each in found.values()], axis=1)
    table = _differences(value[:, None] - value, draws[:, :, None] - draws[:, None], (MODEL, REFERENCE))
    labels = _labels(plan, found)
    return table.assign_coords({**_horizons(labels), MODEL: list(found), REFERENCE: list(found)}).assign_attrs(
        metric=metric
    )


def nulls_table(nulled: Mapping[Job, Measured], plan: Plan, metric: str) -> xr.Dataset:
    """Scores on every null connectome; NaN for draws that were not made."""
    models, kinds, n = _axes(nulled)
    score = np.full((len(models), len(kinds), n, len(plan.series.horizons)), np.nan)
    for job, each in nulled.items():
        score[models.index(job.model), kinds.index(job.kind), job.draw] = each.study[MEASURES.index(metric)]
    return xr.Dataset(
        {
            "score": ((MODEL, NULL, DRAW, HORIZON), score, {"units": "1"}),
            "mean_score": ((MODEL, NULL, DRAW), score.mean(axis=-1), {"units": "1"}),
        },
        coords={**_horizons(_labels(plan, models)), MODEL: models, NULL: kinds, DRAW: np.arange(n)},
        attrs={"metric": metric},
    )


def differences_table(
    found: Mapping[str, Measured], nulled: Mapping[Job, Measured], plan: Plan, metric: str
) -> xr.Dataset:
    """What the measured wiring adds to null connectomes."""
    models, kinds, _ = _axes(nulled)
    sign, at, h = _sign(metric), MEASURES.index(metric), len(plan.series.horizons)
    value, draws = (
        np.full((len(models), len(kinds), h), np.nan),
        np.full((len(plan.weight), len(models), len(kinds), h), np.nan),
    )
    p, mean_p = np.full(value.shape, np.nan), np.full(value.shape[:2], np.nan)
    for i, model in enumerate(models):
        for j, kind in enumerate(kinds):
            drawn = [each for job, each in nulled.items() if job.model == model and job.kind == kind]
            true, null = sign * found[model].study[at], sign * np.stack([each.study[at] for each in drawn], axis=-1)
            value[i, j] = true - known_mean(null, axis=-1)
            average = np.mean([each.draws[:, at] for each in drawn], axis=0)
            draws[:, i, j] = sign * (found[model].draws[:, at] - average)
            if len(drawn) > 1:
                p[i, j], mean_p[i, j] = (
                    permutation_p_value(true, null),
                    permutation_p_value(true.mean(), null.mean(axis=0)),
                )
    table = _differences(value, draws, (MODEL, NULL))
    told = {"units": "1", "long_name": "share of null connectomes that do as well"}
    table["p_value"] = ((MODEL, NULL, HORIZON), p, told)
    table["mean_p_value"] = ((MODEL, NULL), mean_p, told)
    coords = {**_horizons(_labels(plan, models)), MODEL: models, NULL: kinds}
    return table.assign_coords(coords).assign_attrs(metric=metric)


def _differences(value: Array, draws: Array, dims: tuple[str, str]) -> xr.Dataset:
    (low, high), (mean_low, mean_high) = interval(draws), interval(draws.mean(axis=-1))
    attrs = {"units": "1", "long_name": "difference, positive is better"}
    arrays = {"difference": value, "low": low, "high": high}
    means = {"mean_difference": value.mean(axis=-1), "mean_low": mean_low, "mean_high": mean_high}
    return xr.Dataset(
        {name: ((*dims, HORIZON), array, attrs) for name, array in arrays.items()}
        | {name: (dims, array, attrs) for name, array in means.items()}
    )


def _sign(metric: str) -> float:
    return -1.0 if metric in SMALLER_IS_BETTER else 1.0


def _kept(found: Mapping[str, Measured]) -> list[str]:
    """Measures that some model has."""
    return [name for k, name in enumerate(MEASURES) if any(np.isfinite(each.study[k]).any() for each in found.values())]


def _labels(plan: Plan, models: Mapping[str, Any] | Sequence[str]) -> dict[str, Any]:
    return {**labels_of(plan), MODEL: list(models)}


def _horizons(labels: dict[str, Any]) -> dict[str, Any]:
    return {name: labels[name] for name in (HORIZON, "ahead")}


def _axes(nulled: Mapping[Job, Measured]) -> tuple[list[str], list[str], int]:
    models, kinds = (list(dict.fromkeys(job[k] for job in nulled)) for k in (0, 1))
    return [str(m) for m in models], [str(k) for k in kinds], 1 + max(job.draw for job in nulled)
