"""What can be read from an embedding by a simple model, of animals that the model has not seen."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any, NamedTuple, get_args

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome import progress, seeds
from dynome.errors import InputError, Problems, listed
from dynome.inference.probing.features import Features, features_of
from dynome.inference.probing.folds import Folds, checked_folds
from dynome.inference.probing.heldout import check_training, dealt_anew, folds_for, probed
from dynome.inference.probing.kernel_ridge import KernelKind
from dynome.inference.probing.outcomes import (
    Metric,
    Outcome,
    Phenotype,
    class_codes,
    outcome_of,
    phenotype_of,
    variables_of,
)
from dynome.inference.probing.tallies import AUROC, CHANCE, CORRELATION, Held, absolute_errors, tallied
from dynome.inference.probing.uncertainty import draws_of, estimated, middle, stretch
from dynome.permutation import q_value

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

N_BOOTSTRAP = 2000


class Plan(NamedTuple):
    """How one outcome is to be read: the same for every embedding that is compared.

    Attributes
    ----------
    outcome : Outcome
    fold : (n_repeat, n)
    dealt : (n, c, m)
    weight, pseudo : (n_draw, n_animal), (n_draw, 2)
    seed : int
    """

    outcome: Outcome
    fold: Ints
    dealt: Floats
    weight: Floats
    pseudo: Floats
    seed: int

    @property
    def metric(self) -> str:
        """What is measured."""
        return AUROC if self.outcome.classes else CORRELATION


def probe(
    embedding: xr.DataArray,
    phenotype: Phenotype,
    *,
    kind: KernelKind = "linear",
    target: str | Sequence[str] | None = None,
    cv: Folds = 5,
    fractions: float | Sequence[float] = (1.0,),
    n_repeats: int = 10,
    pool: Collection[str] | None = None,
    metric: Metric = "auto",
    n_permutations: int = 500,
    random_state: int | None = None,
) -> xr.Dataset:
    r"""How well variables of the phenotype are read from an embedding, in animals that were held out.

    Parameters
    ----------
    embedding : (session or animal, ...)
        One row a session, from any model or none: embeddings, functional connectivity, motif loadings. It must not have
        been made with the phenotype, nor by a model trained on these sessions with it; see `compare_representations`.
    phenotype : Dataset, DataTree or DataFrame
        Variables over ``animal`` or ``session``, or a study that has them; or a table with either as its index.
        Sessions without a value are left out.
    kind : {"linear", "rbf"}
        Ridge regression on the features, or on a Gaussian kernel of them.
    target : str, sequence of str or None
        Variables; None takes all that can be used, and lists the others in ``attrs["left_out"]``.
    cv : int, "animal" or ([repeat,] session) DataArray
        Number of folds; "animal" holds out one animal at a time; or folds as `animal_folds` makes them.
    fractions : float or sequence of float
        Shares of the training animals whose value is given: the few-label curve. At least two animals of each class are
        taken, and five for numbers, as a fit to fewer has no bounds; shares that come to the same number of animals,
        see ``n_train``, give the same scores.
    n_repeats : int
        How often animals are dealt into folds anew. With "animal" and one fraction of 1, once is enough and done.
    pool : collection of str or None
        Dims to average over; None is ``window``. All others become features.
    metric : {"auto", "auroc", "correlation"}
        "auto": texts and variables with two values are classes (area under the ROC curve, for more than two classes the
        mean of each against the rest), all others are numbers (correlation).
    n_permutations : int
        How often the outcome is dealt anew, for p-values and widths of intervals; 0 for none.
    random_state : int or None
        Seed.

    Returns
    -------
    Dataset
        ``score (phenotype, fraction)`` with ``score_low``, ``score_high`` (95 %), ``p_value`` against chance and
        ``q_value`` over the variables; ``mae`` with ``mae_low``, ``mae_high`` and ``mae_chance`` (that of the mean of
        the training part) in units of the variable, NaN for classes. ``n_train (phenotype, fraction)`` animals.
        Coordinates ``metric``, ``chance``, ``n_animals``, ``n_sessions`` of each variable.

    Raises
    ------
    InputError
        If embedding and phenotype share no session, a variable has one value only, there are too few animals for the
        folds, an animal is in two folds, or an argument cannot be used.

    Notes
    -----
    Center and scale of features, kernel width and penalty are fitted to the training part alone; the penalty is the one
    that predicts a training animal best from the others. Two sessions are compared only if one model, which has seen
    neither animal, has scored both; pooled over folds, useless models score below one half [1]_. For numbers the score
    is the correlation of departures from the mean of the training part, predictions divided by the length of the
    model's weights.

    Intervals draw animals again and are stretched so that they hold chance in 95 % of outcomes dealt anew: the models
    of different folds share most of their animals, and their errors are not independent [2]_.

    References
    ----------
    .. [1] Parker, Guenter & Bedo, BMC Bioinformatics 2007, doi:10.1186/1471-2105-8-326.
    .. [2] Varoquaux, NeuroImage 2018, doi:10.1016/j.neuroimage.2017.06.061.

    Examples
    --------
    >>> animals = [f"p{k:02d}" for k in range(20)]
    >>> group = np.repeat(["a", "b"], 10)
    >>> x = np.random.default_rng(0).standard_normal((20, 50)) + 2 * (group == "b")[:, None]
    >>> embedding = xr.DataArray(x, dims=("animal", "feature"), coords={"animal": animals})
    >>> table = probe(embedding, xr.Dataset({"group": ("animal", group)}, {"animal": animals}), random_state=0)
    >>> table.score.sel(phenotype="group").item(), table.metric.values.tolist()
    (1.0, ['auroc'])
    """
    features = features_of(embedding, pool)
    fractions = shares_of(fractions)
    check_options(kind, fractions, n_repeats, metric, n_permutations)
    seed = seeds.resolve(random_state)
    once = isinstance(cv, str) and all(f >= 1 for f in fractions)
    plans, left_out = plans_of(
        phenotype, target, features, cv=cv, metric=metric, n_repeats=1 if once else n_repeats,
        n_permutations=n_permutations, seed=seed,
    )  # fmt: skip
    rows = []
    with progress.task("probing", total=len(plans) * len(fractions)) as advance:
        for plan in plans:
            rows.append(_read(features, plan, fractions, kind))
            advance(len(fractions))
    attrs = {"kind": kind, "cv": cv if isinstance(cv, int | str) else "given", "random_state": seed}
    return _table(plans, rows, fractions).assign_attrs(attrs | {"left_out": left_out})


def plans_of(
    phenotype: Phenotype,
    target: str | Sequence[str] | None,
    features: Features,
    *,
    cv: Folds,
    metric: Metric,
    n_repeats: int,
    n_permutations: int,
    seed: int,
) -> tuple[list[Plan], list[str]]:
    """How each variable is to be read, and which cannot be.

    Parameters
    ----------
    phenotype : Dataset, DataTree or DataFrame
    target : str, sequence of str or None
    features : Features
        Only its sessions and animals are looked at.
    cv : int, "animal" or DataArray
    metric : {"auto", "auroc", "correlation"}
    n_repeats, n_permutations, seed : int

    Raises
    ------
    InputError
        If a named variable cannot be read, or none of all.
    """
    phenotype = phenotype_of(phenotype, features.sessions.tolist())
    names = _names(target, phenotype)
    plans, problems = [], Problems("cannot read the phenotype from this embedding")
    given = checked_folds(cv, features.sessions, features.animals) if isinstance(cv, xr.DataArray) else None
    for name in names:
        try:
            outcome = outcome_of(phenotype, name, features.sessions.tolist(), features.animals, metric)
            fold = folds_for(outcome, cv, n_repeats, seed) if given is None else given[:, outcome.rows]
            check_training(outcome, fold)
        except InputError as error:
            problems.add(str(error))
            continue
        strata = np.zeros(len(outcome.animals), dtype=np.int64)
        if outcome.classes and outcome.between:
            strata[outcome.animal] = class_codes(outcome)
        weight, pseudo = draws_of(strata, N_BOOTSTRAP, seed)
        plans.append(Plan(outcome, fold, dealt_anew(outcome, n_permutations, seed), weight, pseudo, seed))
    if target is not None or not plans:
        problems.raise_if_any(InputError)
    if not plans:
        raise InputError("target names no variable; take None for all")
    return plans, problems.found


def _names(target: object, phenotype: xr.Dataset | xr.DataTree) -> list[str]:
    if target is None:
        return variables_of(phenotype)
    names = [target] if isinstance(target, str) else list(target) if isinstance(target, Iterable) else []
    if not names or not all(isinstance(name, str) for name in names):
        raise InputError(f"target must name variables of the phenotype, or be None for all, got {target!r}")
    return names


def shares_of(fractions: float | Sequence[float]) -> tuple[float, ...]:
    """Fractions, of which one may stand alone.

    Parameters
    ----------
    fractions : float or sequence of float

    Raises
    ------
    InputError
        If they are not numbers.
    """
    try:
        return tuple(float(f) for f in np.atleast_1d(np.asarray(fractions, dtype=np.float64)))
    except (TypeError, ValueError):
        raise InputError(f"fractions must be shares above 0 and up to 1, got {fractions!r}") from None


def check_options(
    kind: object, fractions: Sequence[float], n_repeats: int, metric: object, n_permutations: int
) -> None:
    """Options that cannot be used are told together.

    Parameters
    ----------
    kind, metric : str
    fractions : sequence of float
    n_repeats, n_permutations : int

    Raises
    ------
    InputError
        If there are any.
    """
    problems = Problems("cannot probe")
    if kind not in get_args(KernelKind):
        problems.add(f"kind must be one of {listed(get_args(KernelKind))}, got {kind!r}")
    if metric not in get_args(Metric):
        problems.add(f"metric must be one of {listed(get_args(Metric))}, got {metric!r}")
    if not len(fractions) or not all(0 < f <= 1 for f in fractions) or len(set(fractions)) < len(fractions):
        problems.add(f"fractions must be different shares above 0 and up to 1, got {tuple(fractions)}")
    if n_repeats < 1 or n_permutations < 0:
        problems.add(f"expected n_repeats >= 1 and n_permutations >= 0, got {n_repeats} and {n_permutations}")
    problems.raise_if_any(InputError)


def _read(features: Features, plan: Plan, fractions: Sequence[float], kind: KernelKind) -> list[dict[str, Any]]:
    """One row of the table, a cell for each fraction."""
    values = features.values[plan.outcome.rows]
    found = probed(lambda _: values, plan.outcome, plan.fold, plan.dealt, fractions, kind, plan.seed)
    return [_cell(held, n_train, plan) for held, n_train in found]


def _cell(held: Held, n_train: int, plan: Plan) -> dict[str, Any]:
    tally = tallied(held, plan.metric)
    found = estimated(tally, plan.weight, plan.pseudo, stretch(tally))
    cell = {
        "score": found.value, "score_low": found.low, "score_high": found.high, "p_value": found.p_value,
        "mae": np.nan, "mae_low": np.nan, "mae_high": np.nan, "mae_chance": np.nan, "n_train": n_train,
    }  # fmt: skip
    if plan.metric == CORRELATION:
        sums = absolute_errors(held)
        drawn = plan.weight @ sums.T
        cell["mae"], cell["mae_chance"] = sums[:2].sum(axis=1) / sums[2].sum()
        cell["mae_low"], cell["mae_high"] = middle(drawn[:, 0] / drawn[:, 2])
    return cell


_long = {
    "score": "score of held-out animals", "score_low": "lower end of the 95 % interval",
    "score_high": "upper end of the 95 % interval", "p_value": "chance of such a score where nothing is to be found",
    "mae": "mean absolute error", "mae_low": "lower end of the 95 % interval",
    "mae_high": "upper end of the 95 % interval",
    "mae_chance": "mean absolute error of the training mean", "n_train": "animals trained on, the least of all folds",
}  # fmt: skip


def _table(plans: list[Plan], rows: list[list[dict[str, Any]]], fractions: Sequence[float]) -> xr.Dataset:
    dims = ("phenotype", "fraction")
    data = {
        name: (dims, np.array([[cell[name] for cell in row] for row in rows]), {"units": "1", "long_name": long})
        for name, long in _long.items()
    }
    q = np.stack([q_value(column) for column in data["p_value"][1].T], axis=1)
    data["q_value"] = (dims, q, {"units": "1", "long_name": "false discovery rate over the variables"})
    of_each = {
        "metric": [plan.metric for plan in plans],
        "chance": [CHANCE[plan.metric] for plan in plans],
        "n_animals": [len(plan.outcome.animals) for plan in plans],
        "n_sessions": [plan.outcome.rows.size for plan in plans],
        "mae_units": [plan.outcome.units for plan in plans],
    }
    coords: dict[str, Any] = {name: ("phenotype", values) for name, values in of_each.items()}
    coords |= {"phenotype": [plan.outcome.name for plan in plans], "fraction": np.array(fractions, dtype=np.float64)}
    return xr.Dataset(data, coords)
