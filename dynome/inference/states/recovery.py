"""How near fitted couplings come to the true ones."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome.errors import InputError, Problems, listed
from dynome.estimator import Estimator
from dynome.inference.states.fitted import results_of
from dynome.inference.states.matching import parameter_order
from dynome.schema import SOURCE, STATE, TARGET

Array = NDArray[np.float64]

SURE = 2.58  # standard errors: a two-sided p-value of 0.01
_CLASSES = {"inhibitory": -1, "none": 0, "excitatory": 1}


def coupling_error(
    results: xr.Dataset | xr.DataArray | Estimator,
    truth: xr.Dataset | xr.DataArray | Estimator,
    *,
    sign: xr.DataArray | None = None,
) -> xr.Dataset:
    """Error of fitted couplings and of their signs against the truth of a simulation.

    Parameters
    ----------
    results : Estimator, Dataset with ``coupling``, or DataArray ([state,] target, source)
        A fitted model, its ``results_``, or its couplings.
    truth : Estimator, Dataset with ``coupling``, or DataArray ([state,] target, source)
        True couplings on the same nodes; they are joined by label. 0 is no edge. NaN in either does not count (edges
        that the model has not, such as self-history that is switched off).
    sign : DataArray ([state,] target, source) or None
        Estimated sign of every coupling, -1, 0 or 1. None takes the most probable class of ``edge_class_posterior``, or
        else the sign of couplings that are 2.58 standard errors from 0, where `results` has these.

    Returns
    -------
    Dataset
        ``mean_squared_error``, ``mean_absolute_error``, ``correlation`` over all edges and states; with signs
        ``sign_accuracy`` and ``sign_balanced_accuracy`` (mean share of the truly inhibitory, absent and excitatory
        edges that were called so; classes that do not occur are left out), and ``sign_confusion (true_sign, sign)``;
        ``match (state)``: the true state that each state stands for.

    Raises
    ------
    InputError
        If numbers of states or nodes differ, or no edge is known in both.
    NotFittedError
        If a model was not fitted.

    Notes
    -----
    States are matched once, by the smallest sum of squared differences of the couplings (Hungarian algorithm).

    Examples
    --------
    >>> true = xr.DataArray([[[0.0, 1.0], [-1.0, 0.0]], [[0.0, 0.0], [2.0, 0.0]]], dims=("state", "target", "source"))
    >>> found = coupling_error(true.isel(state=[1, 0]) + 0.1, true)
    >>> round(float(found.mean_squared_error), 3), found.match.to_numpy().tolist()
    (0.01, [1, 0])
    """
    results, truth = results_of(results), results_of(truth)
    estimate, true = _pair(results, truth)
    signs = _signs(results, sign)
    order = parameter_order(estimate, true)
    a, b = estimate[order], true
    known = np.isfinite(a) & np.isfinite(b)
    if not known.any():
        raise InputError("no edge is known both in the results and in the truth")
    difference, spread = (a - b)[known], (a[known].std(), b[known].std())
    one = {"units": "1"}
    match = np.empty(order.size, dtype=np.int64)
    match[order] = np.arange(order.size)
    correlation = float(np.corrcoef(a[known], b[known])[0, 1]) if min(spread) > 0 else np.nan
    found = xr.Dataset(
        {
            "mean_squared_error": ((), np.mean(difference**2), one),
            "mean_absolute_error": ((), np.mean(np.abs(difference)), one),
            "correlation": ((), correlation, one),
            "match": (STATE, match, {"long_name": "true state that a state stands for"}),
        },
        coords={STATE: np.arange(order.size)},
    )
    if signs is not None:
        called = _like(signs, results)[order]
        found = found.assign(_sign_scores(called[known], np.sign(b[known])))
    return found


def _sign_scores(called: Array, true: Array) -> dict[str, object]:
    values = list(_CLASSES.values())
    counts = np.array([[np.sum((true == t) & (called == c)) for c in values] for t in values])
    there = counts.sum(axis=1) > 0
    recall = np.diag(counts)[there] / counts.sum(axis=1)[there]
    one = {"units": "1"}
    return {
        "sign_accuracy": ((), np.trace(counts) / counts.sum(), one),
        "sign_balanced_accuracy": ((), recall.mean(), one),
        "sign_confusion": (("true_sign", "sign"), counts, {"units": "count"}),
        "true_sign": values,
        "sign": values,
    }


def _signs(results: xr.Dataset | xr.DataArray, sign: xr.DataArray | None) -> xr.DataArray | None:
    if sign is not None:
        return sign
    if not isinstance(results, xr.Dataset):
        return None
    if "edge_class_posterior" in results:
        posterior = results["edge_class_posterior"].transpose(..., "edge_class")
        number = np.array([_CLASSES[str(c)] for c in results["edge_class"].to_numpy()], dtype=np.float64)
        most = number[posterior.fillna(0).to_numpy().argmax(axis=-1)]
        return posterior.isel(edge_class=0, drop=True).copy(data=most)
    if "standard_error" in results:
        z = results["coupling"] / results["standard_error"].where(lambda e: e > 0)
        return z.copy(data=np.where(np.abs(z) > SURE, np.sign(z), 0.0))
    return None


def _couplings(data: object, what: str) -> xr.DataArray:
    found = data.get("coupling") if isinstance(data, xr.Dataset) else data
    if not isinstance(found, xr.DataArray) or not {TARGET, SOURCE} <= set(found.dims) <= {STATE, TARGET, SOURCE}:
        raise InputError(f"{what} must have couplings ([state,] target, source), found {type(data).__name__}")
    found = found if STATE in found.dims else found.expand_dims(STATE)
    return found.transpose(STATE, TARGET, SOURCE)


def _pair(results: object, truth: object) -> tuple[Array, Array]:
    """Couplings as arrays (state, target, source), nodes in the same order."""
    a, b = _couplings(results, "results"), _couplings(truth, "truth")
    problems = Problems("cannot compare couplings")
    if a.sizes[STATE] != b.sizes[STATE]:
        problems.add(f"expected equal numbers of states, found {a.sizes[STATE]} and {b.sizes[STATE]} in the truth")
    for end in (TARGET, SOURCE):
        if end in a.coords and end in b.coords:
            odd = set(a[end].to_numpy().tolist()) ^ set(b[end].to_numpy().tolist())
            if odd:
                problems.add(f"{end} labels must agree, {listed(sorted(map(str, odd)))} are in one only")
        elif a.sizes[end] != b.sizes[end]:
            problems.add(f"expected equal numbers of {end}s, found {a.sizes[end]} and {b.sizes[end]} in the truth")
    problems.raise_if_any(InputError)
    b = b.sel({end: a[end].to_numpy() for end in (TARGET, SOURCE) if end in a.coords and end in b.coords})
    return a.to_numpy().astype(np.float64), b.to_numpy().astype(np.float64)


def _like(signs: xr.DataArray, results: object) -> Array:
    """Signs in the order of the couplings of `results`."""
    model = _couplings(results, "results")
    own = _couplings(signs, "sign")
    own = own.sel({end: model[end].to_numpy() for end in (TARGET, SOURCE) if end in own.coords and end in model.coords})
    if own.shape != model.shape:
        raise InputError(f"sign must have the dims of the couplings, {model.shape}, found {own.shape}")
    return own.to_numpy().astype(np.float64)
