"""Models beside the plain descriptions of the same scans, on the same folds, in one table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import xarray as xr

from dynome import progress, seeds, study
from dynome.errors import InputError, Problems, listed
from dynome.estimator import Estimator
from dynome.inference.dynamic_graphs.scans import scans_of
from dynome.inference.dynamic_graphs.settings import GraphSettings
from dynome.inference.probing.contenders import contenders_of
from dynome.inference.probing.features import Features
from dynome.inference.probing.folds import Folds
from dynome.inference.probing.outcomes import Metric, animals_of
from dynome.inference.probing.probes import Plan, check_options, plans_of, shares_of
from dynome.inference.probing.representations import BASELINES, Baseline
from dynome.inference.probing.tallies import CHANCE, Tally, tallied
from dynome.inference.probing.uncertainty import (
    Estimate,
    difference,
    estimated,
    small_sample,
    stretch,
    stretch_of_difference,
)

Control = Literal["untrained", "empty", "shuffled"]
CONTROLS: tuple[Control, ...] = ("untrained", "empty", "shuffled")


def compare_representations(
    data: xr.DataTree,
    target: str,
    *,
    models: Mapping[str, Estimator | xr.DataArray] | None = None,
    baselines: Sequence[Baseline] = BASELINES,
    controls: Sequence[Control] = CONTROLS,
    against: str = "static FC",
    cv: Folds = 5,
    fractions: float | Sequence[float] = (1.0,),
    n_repeats: int = 1,
    metric: Metric = "auto",
    window: float = 50.0,
    stride: float = 12.0,
    pretraining_study: xr.DataTree | None = None,
    n_permutations: int = 500,
    random_state: int | None = None,
) -> xr.Dataset:
    """How well a variable is read from models and from plain descriptions of the same scans.

    Parameters
    ----------
    data : DataTree
        A study with a phenotype.
    target : str
        Variable of the phenotype. Sessions without a value are left out; models without labels learn from them, too.
    models : mapping of str to Estimator or DataArray, or None
        Each is copied and fitted anew in every training part. What has ``transform`` and no ``predict``
        (`GraphMaskedAutoencoder`) learns from all scans of animals that are not held out, without labels, and is
        probed as by `probe`; what has
        ``predict`` (`GraphClassifier`, `GraphRegressor`) learns from the labelled ones, after its ``encoder``, if it
        has one, has learnt from all. A DataArray (session, ...) is taken as it is: what it was made from cannot be
        checked.
    baselines : sequence of {"static FC", "tangent FC", "FC moments", "FC covariance"}
        Plain descriptions: correlations; the tangent space at the mean of the training part; mean and standard
        deviation of correlations over windows; covariance over windows of their 20 main components.
    controls : sequence of {"untrained", "empty", "shuffled"}
        For every model on graphs, the same with weights as they are drawn (models without labels only), without any
        edge, and with the nodes of each window's graph permuted at random.
    against : str
        Row that the others are compared with.
    cv, fractions, n_repeats, metric, n_permutations
        As in `probe`; all models are fitted in every fold of every repeat, with "animal" once.
    window, stride : float
        Seconds, of "FC moments" and "FC covariance".
    pretraining_study : DataTree or None
        Scans of other animals that models (and encoders) learn from without labels instead, once.
    random_state : int or None
        Seed of folds, draws and permutations; models have their own.

    Returns
    -------
    Dataset
        ``score (representation, fraction)`` with ``score_low``, ``score_high`` (95 %) and ``p_value`` against chance;
        ``difference`` to the row `against`, with ``difference_low``, ``difference_high`` and the two-sided, paired
        ``difference_p_value``; ``n_train (fraction)`` animals. ``attrs``: ``target metric chance against n_animals
        n_sessions``.

    Raises
    ------
    InputError
        If the target cannot be read, the pretraining study has an animal of the study, or an argument cannot be used.

    Notes
    -----
    All rows have the same folds, the same animals drawn again and the same outcomes dealt anew, for which probes are
    fitted again. Networks that learn from labels are not: their ``p_value`` is NaN, and their intervals are stretched
    as the widest of the other rows. See `probe` for what is compared with what.

    Examples
    --------
    >>> from dynome.datasets import make_bold
    >>> people = make_bold(n_animals=12, n_nodes=16, n_times=100, random_state=0)
    >>> table = compare_representations(people, "age", cv=3, n_permutations=20, random_state=0)
    >>> table.representation.values.tolist()
    ['static FC', 'tangent FC', 'FC moments', 'FC covariance']
    """
    fractions = shares_of(fractions)
    check_options("linear", fractions, n_repeats, metric, n_permutations)
    _check_target(target, models)
    _check(data, models or {}, baselines, controls, against, pretraining_study)
    seed = seeds.resolve(random_state)
    n_repeats = 1 if isinstance(cv, str) else n_repeats
    plan, sessions = _plan(
        data, target, cv=cv, metric=metric, n_repeats=n_repeats, n_permutations=n_permutations, seed=seed
    )
    recordings = study.sessions(data)
    scans = scans_of({name: recordings[name] for name in sessions}, GraphSettings(window, stride))
    contenders = contenders_of(models or {}, baselines, controls, scans, recordings, sessions, pretraining_study)
    tallies: dict[str, list[Tally]] = {}
    with progress.task("comparing representations", total=len(contenders)) as advance:
        for name, contender in contenders.items():
            found = contender(plan, fractions)
            tallies[name] = [tallied(held, plan.metric) for held, _ in found]
            n_train = [n for _, n in found]
            advance(1, name)
    table = _table(tallies, plan, fractions, against)
    told = {
        "target": target, "metric": plan.metric, "chance": CHANCE[plan.metric], "against": against,
        "n_animals": len(plan.outcome.animals), "n_sessions": plan.outcome.rows.size,
        "cv": cv if isinstance(cv, int | str) else "given", "random_state": seed,
    }  # fmt: skip
    return table.assign(n_train=("fraction", n_train, {"units": "count"})).assign_attrs(told)


def _check_target(target: object, models: object) -> None:
    problems = Problems("cannot compare representations")
    if not isinstance(target, str):
        problems.add(f"target must be the name of one variable, got {target!r}; compare one variable at a time")
    if models is not None and not isinstance(models, Mapping):
        problems.add(f'models must be named, got a {type(models).__name__}; pass {{"my model": model}}')
    problems.raise_if_any(InputError)


def _check(
    data: object, models: Mapping[str, object], baselines: Sequence[str], controls: Sequence[str], against: str,
    pretraining_study: object,
) -> None:  # fmt: skip
    problems = Problems("cannot compare representations")
    if not isinstance(data, xr.DataTree):
        problems.add(f"expected a study with a phenotype, got a {type(data).__name__}")
        problems.fail(InputError)
    if unknown := [b for b in baselines if b not in BASELINES]:
        problems.add(f"baselines are {listed(BASELINES)}, got {listed(unknown)}")
    if unknown := [c for c in controls if c not in CONTROLS]:
        problems.add(f"controls are {listed(CONTROLS)}, got {listed(unknown)}")
    if both := [name for name in models if name in baselines]:
        problems.add(f"models need names of their own, {listed(both)} are baselines")
    if against not in (*baselines, *models):
        problems.add(f"against must be one of {listed([*baselines, *models])}, got {against!r}")
    for name, model in models.items():
        if not isinstance(model, xr.DataArray | Estimator) or not (
            isinstance(model, xr.DataArray) or hasattr(model, "transform") or hasattr(model, "predict")
        ):
            problems.add(f"model {name!r} must be an Estimator with transform or predict, or a DataArray")
    if pretraining_study is not None:
        if not isinstance(pretraining_study, xr.DataTree):
            problems.add(f"pretraining_study must be a study, got a {type(pretraining_study).__name__}")
        else:
            here, there = (set(animals_of(list(study.sessions(tree)))) for tree in (data, pretraining_study))
            if both := sorted(map(str, here & there)):
                problems.add(
                    f"animals {listed(both)} are in the study and in the pretraining study, so that a model would be "
                    "tested on animals it has seen; take them out of one (animals are told apart by their names)"
                )
    problems.raise_if_any(InputError)


def _plan(data: xr.DataTree, target: str, **options: Any) -> tuple[Plan, list[str]]:
    """How the target is to be read, and the sessions that have it, in the order of the outcome's rows."""
    study.phenotype(data)
    sessions = np.array(list(study.sessions(data)), dtype=np.str_)
    if not sessions.size:
        raise InputError("the study has no sessions")
    nothing = Features(np.zeros((sessions.size, 1)), sessions, animals_of(sessions.tolist()))
    (plan,), _ = plans_of(data, target, nothing, **options)
    return plan, sessions[plan.outcome.rows].tolist()


def _table(tallies: Mapping[str, list[Tally]], plan: Plan, fractions: Sequence[float], against: str) -> xr.Dataset:
    """Scores and differences of all rows."""
    rows = [[_cell(tallies, name, k, plan, against) for k in range(len(fractions))] for name in tallies]
    dims = ("representation", "fraction")
    data = {
        variable: (
            dims,
            np.array([[cell[variable] for cell in row] for row in rows]),
            {"units": "1", "long_name": long},
        )
        for variable, long in _long.items()
    }
    return xr.Dataset(data, {"representation": list(tallies), "fraction": np.array(fractions, dtype=np.float64)})


_long = {
    "score": "score of held-out animals", "score_low": "lower end of the 95 % interval",
    "score_high": "upper end of the 95 % interval", "p_value": "chance of such a score where nothing is to be found",
    "difference": "difference of scores", "difference_low": "lower end of the 95 % interval",
    "difference_high": "upper end of the 95 % interval", "difference_p_value": "two-sided, paired by animal",
}  # fmt: skip


def _cell(tallies: Mapping[str, list[Tally]], name: str, k: int, plan: Plan, against: str) -> dict[str, float]:
    own, other = tallies[name][k], tallies[against][k]
    widest = _widest([row[k] for row in tallies.values()], len(plan.outcome.animals))
    found = estimated(own, plan.weight, plan.pseudo, stretch(own) if _refitted(own) else widest)
    if name == against:
        than = Estimate(0.0, np.nan, np.nan, np.nan)
    else:
        factor = stretch_of_difference(own, other) if _refitted(own) and _refitted(other) else widest
        than = difference(own, other, plan.weight, plan.pseudo, factor, plan.seed)
    cell = {"score": found.value, "score_low": found.low, "score_high": found.high, "p_value": found.p_value}
    return cell | dict(
        zip(("difference", "difference_low", "difference_high", "difference_p_value"), than, strict=True)
    )


def _refitted(tally: Tally) -> bool:
    """Whether the model was fitted to outcomes dealt anew, too."""
    return int(tally.totals.shape[-1]) > 1


def _widest(tallies: list[Tally], n_animal: int) -> float:
    """The largest stretch of those that are known."""
    return max([small_sample(n_animal), *(stretch(t) for t in tallies if _refitted(t))])
