"""The log likelihood of the predictors as a parabola around given ones, for Newton's and Laplace's methods."""

from __future__ import annotations

import numpy as np
from scipy.special import expit

from dynome.inference.biclustering.augmentation import Working
from dynome.inference.biclustering.model import Array, Data


def expansion(data: Data, psi: Array, dispersion: Array, *, temperature: float = 1.0) -> Working:
    """Second-order expansion of the log likelihood.

    Parameters
    ----------
    data : Data
    psi : (n_node, n_bin)
        Where to expand.
    dispersion : (n_node,)
    temperature : float
        Power of the likelihood.

    Returns
    -------
    Working
        ``-precision psi**2 / 2 + linear psi`` has the slope and the curvature of the log likelihood at `psi`; 0 where
        an observation is missing. All laws are concave in psi, so that no precision is negative.
    """
    y, r = data.y, dispersion[:, None]
    if data.law == "gaussian":
        precision = np.broadcast_to(1 / r, psi.shape).copy()
        score = (y - psi) / r
    elif data.law == "poisson":
        precision = np.exp(np.clip(psi, -50.0, 50.0))
        score = y - precision
    else:
        shape = y + r if data.law == "negative_binomial" else np.ones_like(y)
        success = expit(psi - np.log(r)) if data.law == "negative_binomial" else expit(psi)
        precision = shape * success * (1 - success)
        score = y - shape * success
    missing = np.isnan(y)
    precision[missing] = 0.0
    score[missing] = 0.0
    precision *= temperature
    return Working(precision, temperature * score + precision * psi)
