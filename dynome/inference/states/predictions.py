"""Posterior predictive checks: does the model make data like the data?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome import progress, seeds
from dynome.dynamics.hmm.sequences import ChainInput, Sequences, stacked
from dynome.errors import InputError, Problems
from dynome.estimator import Estimator
from dynome.inference.biclustering.predictive_checks import posterior_check
from dynome.inference.column_statistics import column_correlation, column_mean, correlation_matrix
from dynome.inference.states.dwelling import dwell_times
from dynome.inference.states.fitted import law_of
from dynome.inference.states.state_runs import MISSING
from dynome.permutation import permutation_p_value
from dynome.schema import ACTIVITY, DRAW, NODE, SESSION, SOURCE, SPIKE_COUNT, STATE, TARGET, TIME

Array = NDArray[np.float64]

_BY_NODE = {"mean": "mean", "variance": "variance", "persistence": "correlation with the bin before"}
_BY_STATE = {
    "occupancy": "share of bins",
    "dwell_time": "mean visit, cut at the ends of sequences (bins)",
    "dwell_variation": "standard deviation over mean of visits; about 1 for geometric ones",
}
_PAIRWISE = "correlation"


def predictive_check(
    model: Estimator, data: ChainInput, *, n_draws: int = 20, random_state: int | None = None
) -> xr.Dataset:
    """Statistics of the data against those of data that the fitted model makes.

    Parameters
    ----------
    model : SwitchingGLM, GLM, HMM or Biclustering
        Fitted, with `simulate`. Of a Biclustering, draws of the posterior make data with the latents that they have;
        the statistics are ``mean``, ``variance``, ``fano``, ``zero_fraction``, ``autocorrelation``, ``correlation`` and
        ``population`` (spikes of all nodes together in a bin), and `data` is what it was fitted to.
    data : DataArray, Dataset, DataTree, dict or list
        As the model takes it. Simulations have sequences of the same lengths, and NaN in the same places.
    n_draws : int
        Simulations. The smallest p-value is ``2 / (n_draws + 1)``.
    random_state : int or None
        Seed; None draws one. Kept in ``attrs["random_state"]``.

    Returns
    -------
    Dataset
        For each statistic X three variables: ``X``, of the data; ``X_simulated (draw, ...)``; ``X_p_value``, two-sided.

        * ``mean``, ``variance (node)`` of the bins, and ``persistence (node)``, the correlation of neighbouring bins;
        * ``correlation (target, source)`` between nodes in a bin;
        * ``occupancy``, ``dwell_time``, ``dwell_variation (state)``, where the model has states: of decoded states, and
          the simulations are decoded too, so that what decoding smooths away is smoothed in both.

    Raises
    ------
    InputError
        If the model cannot simulate, has covariates (see ``simulate(like=...)``), runs away, or an argument is out of
        range.

    Notes
    -----
    A check, not a test of the model against another: every model is wrong somewhere, and with long recordings
    everything differs significantly. Read which statistic is off, and by how much. Parameters are the point estimates:
    on the data of the fit the p-values are too large (too kind).

    Examples
    --------
    >>> from dynome.dynamics import GLM
    >>> x = xr.DataArray(np.random.default_rng(0).poisson(0.5, (500, 2)), dims=("time", "node"))
    >>> check = predictive_check(GLM().fit(x), x, n_draws=9, random_state=0)
    >>> check["mean_simulated"].dims, bool(check["mean_p_value"].min() > 0.1)
    (('draw', 'node'), True)
    """
    given: Any = model
    if isinstance(tree := getattr(given, "results_", None), xr.DataTree) and "latent" in tree.children:
        return posterior_check(tree, data, n_draws=n_draws, random_state=random_state)
    _check(given, n_draws)
    seed = seeds.resolve(random_state)
    order = (ACTIVITY, SPIKE_COUNT) if law_of(given) == "gaussian" else (SPIKE_COUNT, ACTIVITY)
    own = stacked(data, order, nodes=given.results_[NODE].to_numpy())
    has_states = STATE in given.results_.dims
    observed = _statistics(own.y, own.starts, _decoded(given, own) if has_states else None, given)
    draws = []
    with progress.task("simulations", n_draws) as advance:
        for k in range(n_draws):
            made = _simulated(given, own, int(seeds.generator(seed, "simulate", k).integers(2**31)), order)
            draws.append(_statistics(made.y, made.starts, _decoded(given, made) if has_states else None, given))
            advance(1)
    return _labelled(observed, draws, own, given).assign_attrs(random_state=seed, n_draws=n_draws)


def _check(model: Any, n_draws: int) -> None:
    problems = Problems("cannot check predictions")
    if not hasattr(model, "simulate") or not hasattr(model, "results_"):
        problems.add(f"expected a fitted model with simulate, got a {type(model).__name__}; call .fit(data) first")
    else:
        params = model.get_params(deep=False)
        if used := [n for n in ("covariates", "transition_covariates") if len(params.get(n) or ())]:
            problems.add(f"the model has {' and '.join(used)}; compare simulate(like=data) with the data yourself")
    if n_draws < 1:
        problems.add(f"n_draws must be at least 1, got {n_draws}")
    problems.raise_if_any(InputError)


def _simulated(model: Any, own: Sequences, seed: int, order: tuple[str, ...]) -> Sequences:
    """Sequences of the same lengths with the same missing values."""
    lengths = np.diff(own.starts)
    made = model.simulate(int(lengths.max()), int(lengths.size), random_state=seed)
    values = made[order[0] if order[0] in made else order[1]].transpose(SESSION, TIME, NODE).to_numpy()
    y = np.concatenate([values[k, :n] for k, n in enumerate(lengths)]).astype(np.float64)
    y[np.isnan(own.y)] = np.nan
    return own._replace(y=y)


def _decoded(model: Any, of: Sequences) -> xr.DataArray:
    """States of sequences, whose borders are those of a coordinate session."""
    session = np.repeat(np.arange(of.starts.size - 1), np.diff(of.starts))
    x = xr.DataArray(of.y, dims=(TIME, NODE), coords={NODE: of.nodes, SESSION: (TIME, session)})
    decoded: xr.DataArray = model.decode(x)
    return decoded


def _statistics(y: Array, starts: NDArray[np.int64], decoded: xr.DataArray | None, model: Any) -> Mapping[str, Array]:
    inner = np.ones(y.shape[0], dtype=bool)
    inner[starts[:-1]] = False
    after = np.flatnonzero(inner)
    mean = column_mean(y)
    found = {
        "mean": mean,
        "variance": column_mean((y - mean) ** 2),
        "persistence": column_correlation(y[after], y[after - 1]),
        _PAIRWISE: correlation_matrix(y),
    }
    if decoded is not None:
        found |= _state_statistics(decoded, model.results_.sizes[STATE])
    return found


def _state_statistics(decoded: xr.DataArray, n_state: int) -> dict[str, Array]:
    values = decoded.to_numpy()
    values = values[values != MISSING]
    table = dwell_times(decoded)
    visits = [table["n_bins"].to_numpy()[table["state"].to_numpy() == s] for s in range(n_state)]
    average = np.array([v.mean() if v.size else np.nan for v in visits])
    spread = np.array([v.std() if v.size > 1 else np.nan for v in visits])
    return {
        "occupancy": np.bincount(values, minlength=n_state) / max(values.size, 1),
        "dwell_time": average,
        "dwell_variation": spread / average,
    }


def _labelled(
    observed: Mapping[str, Array], draws: list[Mapping[str, Array]], own: Sequences, model: Any
) -> xr.Dataset:
    variables: dict[str, Any] = {}
    for name, value in observed.items():
        dims = (TARGET, SOURCE) if name == _PAIRWISE else (NODE,) if name in _BY_NODE else (STATE,)
        null = np.stack([d[name] for d in draws])
        sides = [permutation_p_value(sign * value, np.moveaxis(sign * null, 0, -1)) for sign in (1, -1)]
        unit = {"mean": own.units, "dwell_time": "bin"}.get(name, "1")
        if name == "variance":
            unit = "1" if own.units == "1" else f"({own.units})^2"
        about = {"units": unit, "long_name": (_BY_NODE | _BY_STATE | {_PAIRWISE: "correlation in a bin"})[name]}
        variables[name] = (dims, value, about)
        variables[f"{name}_simulated"] = ((DRAW, *dims), null, about)
        variables[f"{name}_p_value"] = (dims, np.minimum(2 * np.minimum(*sides), 1.0), {"units": "1"})
    coords: dict[str, Any] = {NODE: own.nodes, TARGET: own.nodes, SOURCE: own.nodes, **own.node_coords}
    if "occupancy" in observed:
        coords[STATE] = np.arange(model.results_.sizes[STATE])
    return xr.Dataset(variables, coords)
