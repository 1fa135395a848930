"""How many states: foresight of a model with hidden states against their number."""

from __future__ import annotations

import operator
import time
from collections.abc import Iterable
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from sklearn.base import clone

from dynome import progress, seeds
from dynome.dynamics.hmm.sequences import ChainInput
from dynome.errors import DynomeError, InputError, Problems
from dynome.estimator import Estimator
from dynome.inference.states.folds import Fold, folds_of
from dynome.schema import FOLD

Array = NDArray[np.float64]

RULE = (
    "The fewest states whose mean held-out score is within one standard error of the best, the error taken over folds "
    "of the difference to the best (paired)."
)
_N_STATES = "n_states"
_DEFAULT_LAGS = 5


def state_curve(
    model: Estimator,
    data: ChainInput,
    *,
    n_states: Iterable[int] = range(1, 9),
    cv: str = "session",
    n_folds: int = 5,
    random_state: int | None = None,
) -> xr.Dataset:
    """Held-out score of a model at every number of states, and the number that the data support.

    Parameters
    ----------
    model : Estimator
        A chain model with a parameter ``n_states``, such as `SwitchingGLM` or `HMM`. It is copied, never fitted itself.
    data : DataArray, Dataset, DataTree, dict or list
        What the model takes. NaN is missing, as in the model.
    n_states : iterable of int
        Numbers of states to try. With 1 among them, the gain over one state is told.
    cv : str
        What is held out. ``"session"``, ``"trial"``, ``"animal"`` or any other dim or coordinate of one dim: whole
        groups of equal value (sessions and animals of a study, dict or list are its recordings and the first part of
        their paths). ``"time"``: contiguous blocks, one a fold in every recording; bins within the length of the
        model's history of a block are not trained on either.
    n_folds : int
        Parts; each is held out once.
    random_state : int or None
        Seed of the folds and of every fit; None draws one. Kept in ``attrs["random_state"]``.

    Returns
    -------
    Dataset over n_states
        * ``score (n_states, fold)``: marginal log likelihood of what was held out, in nats per observed bin and node;
        * ``mean_score``, ``standard_error (n_states)`` over folds;
        * ``gain (n_states, fold)``, ``mean_gain``, ``gain_standard_error (n_states)``: difference to one state, fold by
          fold, where 1 is among `n_states`;
        * ``train_score (n_states, fold)``: of what was fitted; ``least_occupancy (n_states, fold)``: share of the
          rarest state where the model tells it; ``seconds (n_states)``.

        ``attrs["chosen"]`` follows ``attrs["rule"]`` (see `choose_states`), ``attrs["best"]`` has the largest mean. A
        fit that failed leaves NaN, its number of states is not chosen, and ``attrs["failures"]`` says why.

    Raises
    ------
    InputError
        With every argument that is out of range, if the data cannot be divided so, or if every fit failed.

    Notes
    -----
    Held out by session or trial, the score is the marginal log likelihood of whole sequences. In time, every held-out
    bin is scored by its probability given all bins before it; neither it nor its neighbours were seen in the fit.
    Trials of one session share slow changes: what is held out by trial or time tells how the model foresees the same
    session, by session how it foresees another.

    Examples
    --------
    >>> from dynome.dynamics import HMM
    >>> rng = np.random.default_rng(0)
    >>> state = np.repeat([0, 1, 0, 1, 1, 0], 50).reshape(6, 50)
    >>> count = rng.poisson(np.array([0.3, 3.0])[state][..., None] * np.ones(3))
    >>> x = xr.DataArray(count, dims=("trial", "time", "node"))
    >>> curve = state_curve(HMM(), x, n_states=[1, 2], cv="trial", n_folds=3, random_state=0)
    >>> curve.attrs["chosen"], bool(curve.mean_gain.sel(n_states=2) > 0.1)
    (2, True)
    """
    asked = _checked(model, n_states, n_folds)
    seed = seeds.resolve(random_state)
    folds = list(folds_of(data, cv, n_folds, _gap(model), seed))
    shape = (len(asked), n_folds)
    table = {name: np.full(shape, np.nan) for name in ("score", "train_score", "least_occupancy")}
    seconds, failures, failed = np.zeros(len(asked)), [], None
    with progress.task(f"{asked[0]} to {asked[-1]} states", len(asked) * n_folds) as advance:
        for i, n in enumerate(asked):
            began = time.perf_counter()
            for k, fold in enumerate(folds):
                try:
                    row = _row(model, fold, n, int(seeds.generator(seed, "fit", n, k).integers(2**31)))
                except (DynomeError, np.linalg.LinAlgError) as error:
                    failures.append(f"n_states={n}, fold {k}: {error}")
                    failed = error
                else:
                    for name, value in row.items():
                        table[name][i, k] = value
                advance(1)
            seconds[i] = time.perf_counter() - began
    if failed is not None and len(failures) == len(asked) * n_folds:
        raise InputError(f"no fit succeeded; the last: {failed}") from failed
    curve = _labelled(table, asked, seconds)
    curve.attrs.update(
        cv=cv, n_folds=n_folds, random_state=seed, rule=RULE, estimator=type(model).__name__, failures=failures
    )
    chosen, best = choose_states(curve), int(asked[_best(curve["score"].to_numpy())])
    return curve.assign_attrs(chosen=chosen, best=best)


def choose_states(curve: xr.Dataset) -> int:
    """The number of states that the data support: the fewest that foresee as well as the best.

    Parameters
    ----------
    curve : Dataset
        As `state_curve` gives it.

    Returns
    -------
    int
        The fewest states whose mean score is within one standard error of the best. Numbers with a failed fit are left
        out.

    Raises
    ------
    InputError
        If there is no held-out score, or every number has a fold that failed.

    Notes
    -----
    The error is that of the difference to the best, fold by fold: sessions differ far more from each other (in rates,
    in neurons) than numbers of states do, and the error of the scores themselves would always lead to one state. With a
    handful of folds it is a rough rule; draw the curve.

    Examples
    --------
    >>> score = xr.DataArray([[-1.2, -1.5, -1.3], [-1.0, -1.3, -1.1], [-1.01, -1.29, -1.11]], dims=("n_states", "fold"))
    >>> choose_states(xr.Dataset({"score": score}, {"n_states": [1, 2, 3]}))
    2
    """
    given: object = curve
    if not isinstance(given, xr.Dataset) or "score" not in given or _N_STATES not in given.coords:
        raise InputError("expected a curve with score (n_states, fold); make it with state_curve")
    score = curve["score"].transpose(_N_STATES, FOLD).to_numpy()
    below = score[_best(score)] - score
    error = below.std(axis=1, ddof=1) / np.sqrt(below.shape[1]) if below.shape[1] > 1 else np.zeros(below.shape[0])
    good = below.mean(axis=1) <= error
    return int(curve[_N_STATES].to_numpy()[good].min())


def _best(score: Array) -> int:
    mean = score.mean(axis=1)
    if not np.isfinite(mean).any():
        raise InputError("every number of states has a fold that failed; see attrs['failures']")
    return int(np.nanargmax(mean))


def _checked(model: Estimator, n_states: Iterable[int], n_folds: int) -> list[int]:
    problems = Problems("cannot draw a curve over numbers of states")
    missing = [v for v in ("fit", "score", "log_likelihood", "get_params") if not hasattr(model, v)]
    if isinstance(model, type):
        problems.add(f"expected a model, got the class {model.__name__}; give {model.__name__}()")
    elif missing or _N_STATES not in model.get_params(deep=False):
        problems.add(f"expected a model with n_states, fit, score and log_likelihood, got a {type(model).__name__}")
    asked = _numbers(n_states)
    if not asked or asked[0] < 1:
        problems.add(f"n_states must be a list or range of integers of at least 1, as [1, 2, 3], got {n_states!r}")
    if not isinstance(n_folds, int | np.integer) or n_folds < 2:
        problems.add(f"n_folds must be an integer of at least 2, got {n_folds!r}")
    problems.raise_if_any(InputError)
    return asked


def _numbers(n_states: object) -> list[int]:
    """In order and once each; empty if these are no integers."""
    if isinstance(n_states, str) or not isinstance(n_states, Iterable):
        return []
    try:
        return sorted({operator.index(n) for n in n_states})
    except TypeError:
        return []


def _gap(model: Estimator) -> int:
    """Bins over which the model's history reaches; 1 for a model without."""
    params = model.get_params(deep=False)
    if "history" not in params:
        return 1
    return max(1, int(getattr(params["history"], "n_lags", _DEFAULT_LAGS if params["history"] is None else 0)))


def _row(model: Estimator, fold: Fold, n: int, seed: int) -> dict[str, float]:
    fresh: Any = clone(model).set_params(**{_N_STATES: n})
    if "random_state" in fresh.get_params(deep=False):
        fresh.set_params(random_state=seed)
    fresh.fit(fold.train)
    row = {"score": fold.score(fresh), "train_score": float(fresh.score(fold.train))}
    if "occupancy" in fresh.results_:
        row["least_occupancy"] = float(fresh.results_["occupancy"].min())
    return row


def _labelled(table: dict[str, Array], asked: list[int], seconds: Array) -> xr.Dataset:
    names = {
        "score": "held-out log likelihood (nats per bin and node)",
        "train_score": "log likelihood of what was fitted (nats per bin and node)",
        "least_occupancy": "share of bins of the rarest state",
    }
    units = {"least_occupancy": "1"}
    variables: dict[str, Any] = {
        name: ((_N_STATES, FOLD), values, {"units": units.get(name, "nat"), "long_name": names[name]})
        for name, values in table.items()
        if np.isfinite(values).any()
    }
    variables |= _mean_and_error("mean_score", "standard_error", table["score"], names["score"])
    if 1 in asked:
        gain = table["score"] - table["score"][asked.index(1)]
        name = "gain over one state (nats per bin and node)"
        variables["gain"] = ((_N_STATES, FOLD), gain, {"units": "nat", "long_name": name})
        variables |= _mean_and_error("mean_gain", "gain_standard_error", gain, name)
    variables["seconds"] = (_N_STATES, seconds, {"units": "s", "long_name": "time of all fits"})
    return xr.Dataset(variables, {_N_STATES: (_N_STATES, asked, {"long_name": "number of states"})})


def _mean_and_error(mean: str, error: str, values: Array, name: str) -> dict[str, Any]:
    spread = values.std(axis=1, ddof=1) / np.sqrt(values.shape[1])
    attrs = {"units": "nat"}
    return {
        mean: (_N_STATES, values.mean(axis=1), attrs | {"long_name": name}),
        error: (_N_STATES, spread, attrs | {"long_name": f"standard error over folds: {name}"}),
    }
