"""Bi-clusterings as forecasts: the posterior predictive probability of what was held out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import xarray as xr
from sklearn.base import clone

from dynome.dynamics.hmm.sequences import Sequences
from dynome.inference.biclustering.model import Array, Law
from dynome.inference.biclustering.observations import pointwise_log_likelihood, predictor

WIDEST = 8  # factors of the one population that stands for a switching LDS


def variants(model: Any) -> dict[str, Callable[[], Any]]:
    """The model that is compared, and its special cases, each made when it is asked for.

    Parameters
    ----------
    model : Biclustering
        Not modified.

    Returns
    -------
    dict
        ``biclustering``: itself. ``one_cluster``: all nodes follow the same trajectory with as many factors. ``slds``:
        one population whose latents are as many as a few clusters have together, a switching linear dynamical system.
        ``one_state``: dynamics that never switch.
    """
    factors = max(WIDEST, model.n_factors)
    return {
        "biclustering": lambda: clone(model),
        "one_cluster": lambda: clone(model).set_params(n_clusters=1),
        "slds": lambda: clone(model).set_params(n_clusters=1, n_factors=factors, dynamics="coupled"),
        "one_state": lambda: clone(model).set_params(n_states=1),
    }


def predictive_score(results: xr.DataTree, y: Array, sequences: Sequences, law: Law) -> Array:
    r"""Log posterior predictive probability of every observation.

    Parameters
    ----------
    results : DataTree
        Of a fit to data in which the observations that are scored were missing.
    y : (n_node, n_bin)
        NaN is not scored.
    sequences : Sequences
        How bins lie in the results.
    law : str

    Returns
    -------
    (n_node, n_bin)
        :math:`\log \frac1D \sum_d p(y_{it} \mid \psi^{(d)}_{it}, r^{(d)}_i)` over the draws whose latents were kept.
    """
    posterior, latent = results["posterior"].to_dataset(), results["latent"].to_dataset()["latent"]
    seen = np.isfinite(y)
    total = np.full(y.shape, -np.inf)
    frame, position = sequences.layout
    number = np.searchsorted(posterior["draw"].to_numpy(), latent["draw"].to_numpy())
    for chain in range(latent.sizes["chain"]):
        for k, draw in enumerate(number):
            point = posterior.isel(chain=chain, draw=int(draw))
            path = latent.isel(chain=chain, latent_draw=k).transpose(*frame.dims, "cluster", "component").to_numpy()
            path = path.reshape(-1, *path.shape[-2:])[position].astype(np.float64)
            coefficient = np.column_stack([point["bias"].to_numpy(), point["loading"].to_numpy()])
            psi = predictor(coefficient, path, point["cluster"].to_numpy().astype(np.int64))
            found = pointwise_log_likelihood(y, psi, law, point["dispersion"].to_numpy().astype(np.float64))
            total = np.logaddexp(total, np.where(seen, found, 0.0))
    return np.asarray(np.where(seen, total - np.log(latent.sizes["chain"] * number.size), np.nan))
