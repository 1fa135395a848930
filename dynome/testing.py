"""The conformance suite that every estimator passes, public so that other packages can run it on theirs.

`check_estimator` runs every check of `CHECKS` on one estimator and one data set and raises an `AssertionError` that
says which contract is broken. A new rule for all estimators is one function here.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from sklearn.base import clone

from dynome.errors import DynomeError, NotFittedError
from dynome.estimator import Estimator

REQUIRED_ATTRS = ("converged", "n_iter", "seconds", "device", "dtype", "random_state", "dynome_version")


class Case(NamedTuple):
    """One estimator and data that it can be fitted to.

    Attributes
    ----------
    estimator : Estimator
        Unfitted, quick to fit, with an integer ``random_state`` where it has one.
    data : DataArray, Dataset or DataTree
        Valid input, no NaN, held in memory.
    """

    estimator: Estimator
    data: Any


def check_estimator(estimator: Estimator, data: Any) -> None:
    """Run every check; raise `AssertionError` at the first broken contract.

    Parameters
    ----------
    estimator : Estimator
        Unfitted, as in `Case`.
    data : DataArray, Dataset or DataTree
        What it can be fitted to, as in `Case`.

    Raises
    ------
    AssertionError
        With the first contract that is broken.

    Examples
    --------
    >>> from dynome.dynamics import NonnegativeCP
    >>> x = np.random.default_rng(0).random((8, 3, 4))
    >>> tensor = xr.DataArray(x, dims=("time", "animal", "pair"), coords={"pair": list("abcd")}, attrs={"units": "1"})
    >>> check_estimator(NonnegativeCP(rank=2, n_restarts=2, random_state=0), tensor)
    """
    for check in CHECKS:
        check(Case(estimator, data))


def check_init_only_stores(case: Case) -> None:
    """`clone` gives equal parameters, and nothing is computed before `fit`.

    Parameters
    ----------
    case : Case
        What to check.
    """
    copy = clone(case.estimator)
    _require(repr(copy.get_params()) == repr(case.estimator.get_params()), "clone changes the parameters")
    fitted = [name for name in vars(copy) if name.endswith("_")]
    _require(not fitted, f"__init__ sets fitted attributes: {fitted}")
    _require(set(vars(copy)) == set(copy.get_params(deep=False)), "__init__ sets more than its parameters")


def check_unfitted_refuses(case: Case) -> None:
    """Asking an unfitted estimator for anything is a `NotFittedError`.

    Parameters
    ----------
    case : Case
        What to check.
    """
    estimator = clone(case.estimator)
    asked: dict[str, Callable[[], Any]] = {"to_tree": estimator.to_tree}
    for verb in ("transform", "predict", "decode", "score"):
        if hasattr(estimator, verb):
            asked[verb] = partial(getattr(estimator, verb), case.data)
    for verb, ask in asked.items():
        try:
            ask()
        except NotFittedError:
            continue
        raise AssertionError(f"{verb} works before fit")


def check_fit_manners(case: Case) -> None:
    """`fit` returns the estimator, leaves parameters, input and the global random state alone.

    Parameters
    ----------
    case : Case
        What to check.
    """
    estimator, data = clone(case.estimator), case.data.copy(deep=True)
    params = repr(estimator.get_params())
    before = _global_states()
    returned = estimator.fit(data)
    _require(returned is estimator, "fit does not return the estimator")
    _require(repr(estimator.get_params()) == params, "fit changes the parameters")
    _require(_identical(data, case.data), "fit modifies its input")
    _require(_global_states() == before, "fit touches a global random state")


def check_results(case: Case) -> None:
    """`results_` is xarray with the required attributes, a finite history, units, and the labels of the input.

    Parameters
    ----------
    case : Case
        What to check.
    """
    results = _fit(case).results_
    _require(isinstance(results, xr.Dataset | xr.DataTree), f"results_ is a {type(results).__name__}")
    missing = [name for name in REQUIRED_ATTRS if name not in results.attrs]
    _require(not missing, f"results_ lacks the attributes {missing}")
    root = results.to_dataset() if isinstance(results, xr.DataTree) else results
    _require("history" in root, "results_ lacks history (iteration)")
    _require(root["history"].dims == ("iteration",), "history must have the dim iteration")
    _require(bool(np.isfinite(root["history"]).all()), "history must be finite")
    if isinstance(case.data, xr.DataArray):
        for dim in set(case.data.dims) & set(case.data.coords) & set(root.coords):
            _require(np.array_equal(root[dim], case.data[dim]), f"the labels of {dim} do not travel into results_")
    without = [n for n, v in root.data_vars.items() if v.dtype.kind == "f" and "units" not in v.attrs]
    _require(not without, f"numeric results without units: {without}")


def check_repeatable(case: Case) -> None:
    """The same seed gives the same numbers, on a second fit of the same object too.

    Parameters
    ----------
    case : Case
        What to check.
    """
    first, second = _fit(case), _fit(case)
    _require(_equal(first.results_, second.results_), "two fits with one seed differ")
    again = first.fit(case.data)
    _require(_equal(again.results_, second.results_), "a second fit of the same object differs")


def check_dask_input(case: Case) -> None:
    """Dask-backed input gives the numbers that input in memory gives.

    Parameters
    ----------
    case : Case
        What to check.
    """
    lazy = case.data.chunk()
    _require(_equal(_fit(Case(case.estimator, lazy)).results_, _fit(case).results_), "dask input changes the numbers")


def check_round_trip(case: Case) -> None:
    """`load` gives back what `save` was given.

    Parameters
    ----------
    case : Case
        What to check.
    """
    fitted = _fit(case)
    with tempfile.TemporaryDirectory() as folder:
        path = fitted.save(Path(folder, "model.zarr"))
        loaded = type(fitted).load(path)
    _require(repr(loaded.get_params()) == repr(fitted.get_params()), "parameters change in a round trip")
    _require(_identical(loaded.results_, fitted.results_), "results change in a round trip")


def check_missing_data(case: Case) -> None:
    """NaN is masked, dropped or refused, as ``missing_data`` says.

    Parameters
    ----------
    case : Case
        What to check.
    """
    if not isinstance(case.data, xr.DataArray):
        return
    values = case.data.to_numpy().astype(float, copy=True)
    values[(0,) * values.ndim] = np.nan
    holey = case.data.copy(data=values)
    policy = case.estimator.missing_data
    if policy == "raise":
        _require(_refuses(case, holey), "NaN is accepted, but missing_data says raise")
        return
    results = _fit(Case(case.estimator, holey)).results_
    root = results.to_dataset() if isinstance(results, xr.DataTree) else results
    broken = [n for n, v in root.data_vars.items() if v.dtype.kind == "f" and bool(v.isnull().all())]
    _require(not broken, f"one NaN in the input makes all of {broken} NaN, but missing_data says {policy}")


def check_infinite_refused(case: Case) -> None:
    """An infinite value is an error that dynome raises on purpose.

    Parameters
    ----------
    case : Case
        What to check.
    """
    if isinstance(case.data, xr.DataArray):
        values = case.data.to_numpy().astype(float, copy=True)
        values[(0,) * values.ndim] = np.inf
        _require(_refuses(case, case.data.copy(data=values)), "an infinite value is accepted")


CHECKS: tuple[Callable[[Case], None], ...] = (
    check_init_only_stores,
    check_unfitted_refuses,
    check_fit_manners,
    check_results,
    check_repeatable,
    check_dask_input,
    check_round_trip,
    check_missing_data,
    check_infinite_refused,
)


def _global_states() -> tuple[str, ...]:
    # A fit may be the first to import torch, which then has a generator that was not there before.
    torch = import_module("torch") if find_spec("torch") else None
    numpy_state = repr(np.random.get_state())  # noqa: NPY002 (that nobody touches it is what is checked)
    return numpy_state, repr(random.getstate()), str(torch.get_rng_state().tolist()) if torch else ""


def _fit(case: Case) -> Estimator:
    fitted: Estimator = clone(case.estimator).fit(case.data)
    return fitted


def _refuses(case: Case, data: Any) -> bool:
    try:
        _fit(Case(case.estimator, data))
    except DynomeError:
        return True
    return False


def _identical(a: Any, b: Any) -> bool:
    return bool(a.identical(b))


def _equal(a: Any, b: Any) -> bool:
    return bool(a.equals(b))


def _require(condition: bool, broken: str) -> None:
    if not condition:
        raise AssertionError(broken)
