"""Several forecasters on one task, and what the wiring is worth to those that use it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Literal, cast, get_args

import numpy as np
import xarray as xr
from joblib import Parallel, delayed
from numpy.typing import NDArray
from sklearn.base import clone

from dynome import progress, schema, seeds
from dynome import study as studies
from dynome.connectome.nulls.kinds import NullKind, null_connectome
from dynome.dynamics.forecasting.contract import Forecaster
from dynome.dynamics.forecasting.series import stacked, wiring_of
from dynome.errors import InputError, Problems, listed
from dynome.inference.forecasting.comparison_tables import (
    Job,
    animals_table,
    differences_table,
    nulls_table,
    pairs_table,
    scores_table,
)
from dynome.inference.forecasting.cuts import TEST, TRAIN, VALIDATION
from dynome.inference.forecasting.measures import LARGER_IS_BETTER, SMALLER_IS_BETTER, Errors, errors_of
from dynome.inference.forecasting.resampling import Measured, Plan, known_targets, measured, plan_of
from dynome.inference.forecasting.scores import about, checked_draws

Metric = Literal["skill", "correlation", "mae", "mse", "deviance"]
Models = Iterable[Forecaster | tuple[str, Forecaster]]

_SUBJECT = "cannot compare forecasts"
_NOT_RANDOM = ("empty", "complete")


def compare_forecasts(
    models: Models,
    task: xr.DataTree,
    *,
    nulls: int = 0,
    null: NullKind | Sequence[NullKind] = "degree",
    metric: Metric = "skill",
    n_bootstrap: int = 1000,
    n_jobs: int = 1,
    random_state: int | None = None,
) -> xr.DataTree:
    """Fit models on the training part, score them on the test part, and tell what the wiring is worth.

    Parameters
    ----------
    models : iterable of Forecaster or (name, Forecaster)
        They are cloned, not changed. Names are unique; without one, a model is called after its class; of several of
        a class, those that use the wiring are called ``"RidgeVAR (wired)"``, and what is still alike gets a number.
    task : DataTree
        Of `forecasting_task`. Models that stop early or choose a penalty do so on its validation part.
    nulls : int
        Null connectomes of each kind on which every model that uses the wiring is fitted anew; 0 for none. p-values
        are at least ``1 / (nulls + 1)``.
    null : str or sequence of str
        Kinds of `dynome.connectome.null_connectome`. ``"empty"`` and ``"complete"`` are not random: they are fitted
        once and have no p-value.
    metric : {"skill", "correlation", "mae", "mse", "deviance"}
        What differences are told in.
    n_bootstrap : int
        Draws from which intervals are made.
    n_jobs : int
        Processes for the fits on null connectomes; -1 for one a core.
    random_state : int or None
        Seed of null connectomes and draws. Models have their own.

    Returns
    -------
    DataTree
        ``/scores``: as `forecast_scores`, with a first dim ``model``; ``seconds (model)`` of the fit.

        ``/animals``: ``score (model, metric, animal, horizon)``.

        ``/pairs``: ``difference low high (model, reference, horizon)`` and ``mean_difference mean_low mean_high (model,
        reference)``, positive where the model is better than the reference.

        ``/nulls`` (where there are any): ``score (model, null, draw, horizon)`` and ``mean_score``, in the chosen
        metric.

        ``/differences`` (where there are any): what the measured wiring adds to the mean of null connectomes,
        ``difference low high p_value (model, null, horizon)`` and ``mean_difference mean_low mean_high
        mean_p_value (model, null)``, positive where the measured wiring is better. The interval is over animals, the
        p-value over null connectomes: the first asks whether it would hold in other animals, the second whether
        another wiring would do as well.

    Raises
    ------
    InputError
        With everything that is wrong with the arguments. An error of a fit has a note that names the model and the
        null connectome.

    Notes
    -----
    All models are scored on the same targets: those that every model forecasts. Animals (blocks of time where there
    is one) are drawn together for all models, so that intervals of differences are paired.

    Examples
    --------
    >>> from dynome import schema, study
    >>> from dynome.dynamics import AR, Persistence
    >>> from dynome.inference import forecasting_task
    >>> rng = np.random.default_rng(0)
    >>> rec = schema.recording(rng.normal(size=(200, 2)), time=np.arange(200.0), node=["a", "b"], units="1")
    >>> task = forecasting_task(study.build({"worm": rec}), context=2, horizons=(1, 2))
    >>> table = compare_forecasts([Persistence(), AR()], task, random_state=0)
    >>> table.scores.score.sel(metric="skill").values.round(1)
    array([[0. , 0. ],
           [0.5, 0.4]])
    """
    named = _named(models)
    kinds = [null] if isinstance(null, str) else list(null)
    _check(task, nulls, kinds, metric)
    _check_wiring(named, task, metric, nulls)
    seed, n_bootstrap = seeds.resolve(random_state), checked_draws(n_bootstrap)
    jobs = [
        Job(name, kind, draw)
        for name, model in named.items()
        if model.uses_wiring
        for kind in kinds
        for draw in range(min(nulls, 1) if kind in _NOT_RANDOM else nulls)
    ]
    train, test = _part(task, TRAIN), _part(task, TEST)
    series = stacked(test, stacked(train).nodes)
    plan = plan_of(series, n_bootstrap, seed)
    with progress.task("fitting forecasters", total=len(named) + len(jobs)) as advance:
        errors, seconds = {}, []
        for name, model in named.items():
            with _told(f"the fit of {name}"):
                fitted = clone(model).fit(train, _validation(task))
                errors[name] = errors_of(fitted._forecast, plan.series)
            seconds.append(float(fitted.results_.attrs["seconds"]))
            advance(1)
        common = np.logical_and.reduce([known_targets(found, plan) for found in errors.values()])
        _check_targets(common, errors, plan)
        found = {name: measured(each, plan, common) for name, each in errors.items()}
        work = (delayed(_null_fit)(job, named[job.model], task, plan, common, seed) for job in jobs)
        nulled = {}
        for job, scored in zip(jobs, Parallel(n_jobs=n_jobs, return_as="generator")(work), strict=True):
            nulled[job] = scored
            advance(1)
    tree = {"/scores": scores_table(found, plan, seconds), "/animals": animals_table(found, plan)}
    tree["/pairs"] = pairs_table(found, plan, metric)
    if jobs:
        tree["/nulls"] = nulls_table(nulled, plan, metric)
        tree["/differences"] = differences_table(found, nulled, plan, metric)
    table = xr.DataTree.from_dict(tree)
    table.attrs.update(about(plan, series, seed), metric=metric, nulls=nulls, split=str(task.attrs.get("split", "")))
    return table


def _named(models: Models) -> dict[str, Forecaster]:
    """Models by name; classes that occur more than once are numbered."""
    problems = Problems(_SUBJECT)
    pairs = [entry if isinstance(entry, tuple) and len(entry) == 2 else (None, entry) for entry in models]
    if not pairs:
        problems.add("expected at least one model, found none")
    if odd := [model for name, model in pairs if not isinstance(model, Forecaster) or not isinstance(name, str | None)]:
        problems.add(f"models must be forecasters or pairs (name, forecaster), found {listed(map(repr, odd))}")
    problems.raise_if_any(InputError)
    names = _class_names([model for name, model in pairs if name is None])
    out: dict[str, Forecaster] = {}
    for name, model in pairs:
        name = names.pop(0) if name is None else name
        if name in out:
            problems.add(f"names of models must be unique, found {name!r} twice; pass pairs (name, model)")
        out[name] = model
    problems.raise_if_any(InputError)
    return out


def _class_names(models: list[Forecaster]) -> list[str]:
    """Classes of models; where one occurs more than once, told apart by the wiring, and then by numbers."""
    classes = [type(model).__name__ for model in models]
    uses = {name: {m.uses_wiring for m, c in zip(models, classes, strict=True) if c == name} for name in classes}
    told = [
        f"{name} (wired)" if model.uses_wiring and len(uses[name]) > 1 else name
        for model, name in zip(models, classes, strict=True)
    ]
    return [f"{name} {told[: k + 1].count(name)}" if told.count(name) > 1 else name for k, name in enumerate(told)]


def _check(task: object, nulls: int, kinds: Sequence[str], metric: str) -> None:
    problems = Problems(_SUBJECT)
    if not isinstance(task, xr.DataTree) or not {TRAIN, TEST} <= set(task.children):
        problems.add(f"task must be what forecasting_task gives, with train and test, found {type(task).__name__}")
    if not isinstance(nulls, int | np.integer) or isinstance(nulls, bool) or nulls < 0:
        problems.add(f"nulls must be a whole number, 0 or more, got {nulls!r}")
    if unknown := [kind for kind in kinds if kind not in get_args(NullKind)]:
        problems.add(f"null must be one of {', '.join(get_args(NullKind))}, got {listed(unknown)}")
    if len(set(kinds)) < len(kinds):
        problems.add(f"null names a kind twice: {listed(kinds)}")
    if metric not in (*LARGER_IS_BETTER, *SMALLER_IS_BETTER):
        problems.add(f"metric must be one of {', '.join((*LARGER_IS_BETTER, *SMALLER_IS_BETTER))}, got {metric!r}")
    problems.raise_if_any(InputError)


def _check_wiring(named: dict[str, Forecaster], task: xr.DataTree, metric: str, nulls: int) -> None:
    problems = Problems(_SUBJECT)
    if nulls and not any(model.uses_wiring for model in named.values()):
        problems.add("nulls are for models that use the connectome, and none of these does; leave nulls at 0")
    without = [name for name, model in named.items() if model.uses_wiring and _wiring(model, task) is None]
    if without:
        problems.add(f"{listed(without)} use the connectome, but the task has none; pass it to forecasting_task")
    if metric == "deviance" and task.attrs.get("variable") != schema.SPIKE_COUNT:
        problems.add(f"metric deviance is for spike_count, this task forecasts {task.attrs.get('variable')!r}")
    problems.raise_if_any(InputError)


def _check_targets(common: NDArray[np.bool_], errors: dict[str, Errors], plan: Plan) -> None:
    if not common.any():
        alone = {name: int(known_targets(found, plan).any(axis=(0, 1)).sum()) for name, found in errors.items()}
        raise InputError(
            f"{_SUBJECT}:\n  - no node of the test part is forecast by all models (how many each forecasts: "
            f"{alone}); its labels must occur in training"
        )


def _part(task: xr.DataTree, name: str) -> xr.DataTree:
    return task.children[name]


def _validation(task: xr.DataTree) -> xr.DataTree | None:
    part = task.children.get(VALIDATION)
    return part if part is not None and studies.sessions(part) else None


def _wiring(model: Forecaster, task: xr.DataTree) -> xr.Dataset | None:
    """The connectome of a model: its own, or that of the task."""
    own = [value for value in model.get_params(deep=False).values() if isinstance(value, xr.Dataset)]
    connectomes = [value for value in own if schema.EDGE in value.dims]
    return connectomes[0] if connectomes else wiring_of(_part(task, TRAIN))


def _null_fit(
    job: Job, model: Forecaster, task: xr.DataTree, plan: Plan, common: NDArray[np.bool_], seed: int
) -> Measured:
    # The same draws for all models, so that they are compared on the same connectomes.
    own = int(seeds.generator(seed, "null", job.kind, job.draw).integers(2**62))
    with _told(f"the fit of {job.model} on null connectome {job.draw} of kind {job.kind!r}"):
        wiring = _wiring(model, task)
        if wiring is None:
            raise InputError(f"{job.model} uses the connectome, but there is none")
        null = null_connectome(wiring, cast(NullKind, job.kind), random_state=own)
        fitted = model.with_wiring(null).fit(_part(task, TRAIN), _validation(task))
        return measured(errors_of(fitted._forecast, plan.series), plan, common)


@contextmanager
def _told(what: str) -> Iterator[None]:
    """Add to any error which fit it came from."""
    try:
        yield
    except Exception as error:
        error.add_note(f"this happened in {what}")
        raise
