"""Bi-clusterings as forecasts: the posterior predictive probability of what was held out."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import xarray as xr
from sklearn.base import clone

from dynome.dynamics.hmm.sequences import Sequences
from dynome.inference.biclustering.model import Array, Law
from dynome.inference.biclustering.names import LATENT_DRAW
from dynome.inference.biclustering.observations import pointwise_log_likelihood
from dynome.inference.biclustering.predictive import predictors

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
        ``one_state``: dynamics that never switch. None writes to the folder of the model, whose chains are others.
    """
    factors = max(WIDEST, model.n_factors)
    return {
        "biclustering": lambda: clone(model).set_params(out=None),
        "one_cluster": lambda: clone(model).set_params(out=None, n_clusters=1),
        "slds": lambda: clone(model).set_params(out=None, n_clusters=1, n_factors=factors, dynamics="coupled"),
        "one_state": lambda: clone(model).set_params(out=None, n_states=1),
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
    seen = np.isfinite(y)
    total = np.full(y.shape, -np.inf)
    sizes = results["latent"].sizes
    number = list(itertools.product(range(sizes["chain"]), range(sizes[LATENT_DRAW])))
    for found in predictors(results, sequences.layout.position, number):
        score = pointwise_log_likelihood(y, found.psi, law, found.dispersion)
        total = np.logaddexp(total, np.where(seen, score, 0.0))
    return np.asarray(np.where(seen, total - np.log(len(number)), np.nan))
