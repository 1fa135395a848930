"""Every coupling with its error, its test and its interval."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from scipy.stats import norm

from dynome import labels
from dynome.errors import InputError, Problems
from dynome.estimator import Estimator
from dynome.inference.states.fitted import results_of
from dynome.permutation import q_value
from dynome.schema import SOURCE, STATE, TARGET


def edge_table(
    results: xr.Dataset | Estimator, *, errors: xr.Dataset | None = None, alpha: float = 0.05
) -> pd.DataFrame:
    """Every edge of every state: how strong, how sure, and whether it stands out among all that were tested.

    Parameters
    ----------
    results : Estimator or Dataset
        A fitted SwitchingGLM or GLM, or its ``results_``: ``coupling`` and
        ``standard_error ([state,] target, source)``.
    errors : Dataset or None
        As `standard_errors` gives it: takes the place of the errors in `results`, which are given the posterior of the
        states and too small where states are hard to tell.
    alpha : float
        The interval covers ``1 - alpha``.

    Returns
    -------
    DataFrame
        One row an edge that the model has: ``state`` (if there are states), ``source``, ``target``, ``estimate``,
        ``standard_error``, ``z``, ``p_value`` (two-sided), ``q_value`` (smallest false discovery rate, Benjamini and
        Hochberg, over all edges and states), ``low``, ``high``. An edge of which nothing is known has z = 0.

    Raises
    ------
    InputError
        If couplings or errors are missing (those of categorical observations have none), the two do not fit together,
        or `alpha` is out of range.
    NotFittedError
        If the model was not fitted.

    Notes
    -----
    The test is that of a maximum-likelihood estimate. Under a prior that shrinks, z is too small for edges that it
    pulls to zero and p-values are no frequencies; read class probabilities there.

    Examples
    --------
    >>> ends = {"target": ["a", "b"], "source": ["a", "b"]}
    >>> coupling = xr.DataArray([[0.0, 2.0], [0.1, np.nan]], coords=ends, dims=("target", "source"))
    >>> error = xr.full_like(coupling, 0.5).where(coupling.notnull())
    >>> table = edge_table(xr.Dataset({"coupling": coupling, "standard_error": error}))
    >>> table[["source", "target", "z", "q_value"]].round(4)
      source target    z  q_value
    0      a      a  0.0   1.0000
    1      b      a  4.0   0.0002
    2      a      b  0.2   1.0000
    """
    coupling, error = _coupling_and_error(results_of(results), errors, alpha)
    dims = [d for d in (STATE, TARGET, SOURCE) if d in coupling.dims]
    value = coupling.transpose(*dims).to_numpy().astype(np.float64)
    spread = error.transpose(*dims).to_numpy().astype(np.float64)
    there = np.isfinite(value) & (spread > 0)
    z = np.divide(value, spread, out=np.zeros_like(value), where=there)[there]
    p = 2 * norm.sf(np.abs(z))
    reach = norm.isf(alpha / 2) * spread[there]
    place = dict(zip(dims, np.nonzero(there), strict=True))
    named: dict[str, Any] = {d: coupling[d].to_numpy()[place[d]] for d in (STATE, SOURCE, TARGET) if d in dims}
    return pd.DataFrame(
        named
        | {"estimate": value[there], "standard_error": spread[there], "z": z, "p_value": p, "q_value": q_value(p)}
        | {"low": value[there] - reach, "high": value[there] + reach}
    )


def _coupling_and_error(
    results: xr.Dataset, errors: xr.Dataset | None, alpha: float
) -> tuple[xr.DataArray, xr.DataArray]:
    problems = Problems("cannot make a table of edges")
    if not 0 < alpha < 1:
        problems.add(f"alpha must be between 0 and 1, got {alpha!r}")
    source: object = results if errors is None else errors
    if not isinstance(results, xr.Dataset) or "coupling" not in results:
        problems.add("expected a fitted SwitchingGLM or GLM, or its results_, with a variable coupling")
    elif results.attrs.get("law") == "categorical":
        problems.add(
            "couplings of categorical observations have no standard errors; compare models with and without them by "
            "their score on held-out data, such as likelihood_scores(model, test)"
        )
    elif not isinstance(source, xr.Dataset) or "standard_error" not in source:
        problems.add("there are no standard errors; give errors=standard_errors(model, data)")
    problems.raise_if_any(InputError)
    coupling, error = results["coupling"], (results if errors is None else errors)["standard_error"]
    if set(coupling.dims) != set(error.dims) or any(
        (labels.as_labels(coupling[d].to_numpy()) != labels.as_labels(error[d].to_numpy())).any()
        if coupling.sizes[d] == error.sizes[d]
        else True
        for d in coupling.dims
    ):
        raise InputError("couplings and errors must have the same states and nodes in the same order; use one model")
    return coupling, error
