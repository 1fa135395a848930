"""What the edges of a graph tell: how many there are, and a covariate of each that a law of weights describes."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import scipy.sparse
from numpy.typing import NDArray
from scipy.special import gammaln

from dynome.connectome.communities.blockmodel.weight_codes import WEIGHT_CODES

Sparse = scipy.sparse.csr_array[Any, tuple[int, int]]
Floats = NDArray[np.float64]

MULTIGRAPH = "multigraph"
WEIGHT_MODELS = (*WEIGHT_CODES, MULTIGRAPH)
_POSITIVE = ("exponential", "microcanonical", "log-normal")
_COUNTS = ("poisson", "geometric", MULTIGRAPH)


class Observation(NamedTuple):
    """Edges and covariates, ready for a law.

    Attributes
    ----------
    code : int
        Of the weight law.
    edges : (n_node, n_node) sparse
        Parallel edges.
    covariate : (n_node, n_node) sparse or None
        What is known of each edge, at the same places.
    prior : (4,)
        Parameters of the weight law, see `dynome.connectome.communities.blockmodel.laws.weight_cost`.
    constant : float
        What the weights cost whatever the partition, in nats.
    """

    code: int
    edges: Sparse
    covariate: Sparse | None
    prior: Floats
    constant: float


def suitable_models(weight: Floats) -> tuple[str, ...]:
    """Laws that can be compared on some weights.

    Parameters
    ----------
    weight : (n_edge,)
        Weights, not 0.

    Returns
    -------
    tuple of str
        Of signed weights normal, of counts geometric and Poisson, else exponential and log-normal: the broader first.
        Weights that are all alike tell nothing.
    """
    if np.ptp(weight) <= 1e-12 * np.abs(weight).max():
        return ("none",)
    if (weight < 0).any():
        return ("normal",)
    return ("geometric", "poisson") if (weight == np.rint(weight)).all() else ("exponential", "log-normal")


def problem_with(model: str, weight: Floats) -> str | None:
    """Why a law cannot describe some weights, or None.

    Parameters
    ----------
    model : str
        One of `WEIGHT_MODELS`.
    weight : (n_edge,)
        Weights, not 0.
    """
    if model in _POSITIVE and (negative := int((weight < 0).sum())):
        return f'weight_model="{model}" needs weights > 0, found {negative} negative; use "normal" or take abs(...)'
    if model in _COUNTS and (wrong := int(((weight < 0) | (weight != np.rint(weight))).sum())):
        return f'weight_model="{model}" needs whole numbers > 0, found {wrong} other weights; use "exponential"'
    if model in ("normal", "log-normal", "poisson") and np.ptp(weight) <= 1e-12 * np.abs(weight).max():
        return f'weight_model="{model}" needs weights that differ, found {weight[0]:g} throughout; use "none"'
    return None


def observe(weight: Sparse, model: str, *, directed: bool) -> Observation:
    """Edges and covariates of a weighted graph under one law.

    Parameters
    ----------
    weight : (n_node, n_node) sparse
        Weights without self-loops and without stored zeros; symmetric if undirected.
    model : str
        One of `WEIGHT_MODELS`.
    directed : bool
        Whether (i, j) differs from (j, i); else every weight is stored twice, but counts once.
    """
    value, share = weight.data, 1.0 if directed else 0.5
    if model == MULTIGRAPH:
        return Observation(0, _like(weight, value), None, np.zeros(4), share * float(gammaln(value + 1).sum()))
    count = _like(weight, np.ones(value.size))
    if model == "none":
        return Observation(0, count, None, np.zeros(4), 0.0)
    constant = 0.0
    if model in ("normal", "log-normal"):
        covariate = np.log(value) if model == "log-normal" else value
        constant = share * float(covariate.sum()) if model == "log-normal" else 0.0
        covariate = covariate - covariate.mean()
        prior = (0.0, 1.0, 1.0, float(covariate.var()))
    elif model in ("poisson", "geometric"):
        covariate = value - 1
        mean = float(covariate.mean())
        prior = (1 / mean, 0, 0, 0) if model == "poisson" else (max(1.0, float(np.rint(mean))), 0, 0, 0)
        constant = share * float(gammaln(value).sum()) if model == "poisson" else 0.0
    else:
        covariate, prior = value, (float(value.mean()), 0, 0, 0)
    return Observation(WEIGHT_CODES[model], count, _like(weight, covariate), np.array(prior, dtype=float), constant)


def _like(weight: Sparse, value: Floats) -> Sparse:
    return scipy.sparse.csr_array((value, weight.indices, weight.indptr), shape=weight.shape)
