"""What the priors of a bi-clustering expect of data."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from dynome import seeds
from dynome.errors import InputError
from dynome.extras import require
from dynome.inference.biclustering.graph import plan_of
from dynome.inference.biclustering.model import Array, Law, State
from dynome.inference.biclustering.observations import predictor, sample_observations
from dynome.inference.biclustering.prior_draws import prior_start
from dynome.schema import ACTIVITY, NODE, SPIKE_COUNT

_CEILING = 30.0  # log of the largest mean count that can be drawn


def prior_predictive(model: Any, n_draws: int = 100, *, random_state: int | None = None) -> xr.Dataset:
    """Observations, clusters and states that the priors of a model expect.

    Parameters
    ----------
    model : pymc.Model
        From `build_model`.
    n_draws : int
        At least 1.
    random_state : int or None
        Seed.

    Returns
    -------
    Dataset
        ``spike_count (draw, [..,] time, node)`` (``activity`` with the Gaussian law), with NaN where the data have
        none and infinity where the log mean of a count exceeds 30, which wide priors of the dynamics make common in
        long recordings; ``cluster (draw, node)``, ``state (draw, [..,] time)`` and one variable ``(draw,)`` for each
        free hyper-parameter.

    Raises
    ------
    InputError
        If the model is not from `build_model`, or `n_draws` is not positive.

    Notes
    -----
    PyMC draws the hyper-parameters; latents, states and observations are drawn by the simulator that the tests of the
    sampler use.
    """
    plan = plan_of(model)
    if n_draws < 1:
        raise InputError(f"n_draws must be at least 1, got {n_draws}")
    rng = seeds.generator(random_state, "biclustering", "prior")
    pm = require("pymc", extra="bayes")
    outer = pm.draw([model[name] for name in plan.free], draws=n_draws, random_seed=rng) if plan.free else []
    values = {name: np.reshape(drawn, n_draws) for name, drawn in zip(plan.free, outer, strict=True)}
    y, cluster, state = [], [], []
    for k in range(n_draws):
        outermost: dict[str, Any] = {name: float(drawn[k]) for name, drawn in values.items()}
        hyper = plan.hyper._replace(**outermost)
        point = prior_start(plan.data, hyper, rng)
        y.append(np.where(np.isnan(plan.data.y), np.nan, _observations(point, plan.data.law, rng)).T)
        cluster.append(point.cluster)
        state.append(point.state)
    seq = plan.sequences
    name = ACTIVITY if plan.data.law == "gaussian" else SPIKE_COUNT
    draws = {"draw": np.arange(n_draws)}
    whole = {
        name: seq.labelled(np.stack(y, 1), ["draw", NODE], draws, attrs={"units": seq.units}),
        "state": seq.labelled(np.stack(state, 1), ["draw"], draws, attrs={"units": "1"}),
    }
    labelled = {key: value.transpose("draw", ...) for key, value in whole.items()}
    coords = {**draws, NODE: seq.nodes}
    labelled["cluster"] = xr.DataArray(np.stack(cluster), dims=("draw", NODE), coords=coords, attrs={"units": "1"})
    for key, drawn in values.items():
        labelled[key] = xr.DataArray(drawn, dims="draw", coords=draws, attrs={"units": "1"})
    return xr.Dataset(labelled)


def _observations(point: State, law: Law, rng: np.random.Generator) -> Array:
    psi = predictor(point.coefficient, point.latent, point.cluster)
    if law in ("bernoulli", "gaussian"):
        return sample_observations(psi, law, point.dispersion, rng)
    drawn = sample_observations(np.minimum(psi, _CEILING), law, point.dispersion, rng)
    return np.where(psi > _CEILING, np.inf, drawn)
