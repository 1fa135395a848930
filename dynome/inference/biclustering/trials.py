"""Observations and paths in the form that the passes of `dynome.inference.biclustering.evidence_loops` take."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dynome.inference.biclustering.evidence_loops import GAUSSIAN, LOGISTIC, POISSON
from dynome.inference.biclustering.model import Array, Data


class Trials(NamedTuple):
    """Observations as `dynome.inference.biclustering.evidence_loops` takes them.

    Attributes
    ----------
    linear, trials : (n_node, n_bin)
        0 where missing; multiplied by the temperature.
    shift : (n_node,)
        What is taken from the predictor.
    family : int
    """

    linear: Array
    trials: Array
    shift: Array
    family: int


def as_trials(data: Data, dispersion: Array, *, temperature: float = 1.0) -> Trials:
    """Observations in the form in which the passes over them are compiled.

    Parameters
    ----------
    data : Data
    dispersion : (n_node,)
    temperature : float
        Power of the likelihood.

    Returns
    -------
    Trials
    """
    one = np.ones(dispersion.size)
    scale, share, extra, shift, family = temperature * one, 0.0, one, 0.0 * one, LOGISTIC
    if data.law == "negative_binomial":
        share, extra, shift = 1.0, dispersion, np.log(dispersion)
    elif data.law == "gaussian":
        scale, family = temperature / dispersion, GAUSSIAN
    elif data.law == "poisson":
        family = POISSON
    linear, trials = _prepared(data.y, scale, share, extra)
    return Trials(linear, trials, shift, family)


@njit(cache=True, nogil=True)
def _prepared(y, scale, share, extra):  # type: ignore[no-untyped-def]
    """``scale * y`` and ``scale * (share * y + extra)``, 0 where missing."""
    linear, trials = np.empty_like(y), np.empty_like(y)
    for i in range(y.shape[0]):
        for t in range(y.shape[1]):
            seen = y[i, t] == y[i, t]
            linear[i, t] = scale[i] * y[i, t] if seen else 0.0
            trials[i, t] = scale[i] * (share * y[i, t] + extra[i]) if seen else 0.0
    return linear, trials


def as_paths(latent: Array, active: NDArray[np.bool_]) -> Array:
    """Latents as (n_cluster, 1 + n_factor, n_bin), C-contiguous, inactive factors 0."""
    read = np.c_[np.ones(len(active), bool), active]
    paths: Array = np.ascontiguousarray((latent * read).transpose(1, 2, 0))
    return paths
