"""Standard errors of couplings and biases, given the posterior of the states (Wald)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dynome.dynamics.glm.passes import Curvature
from dynome.dynamics.glm.variances import summed_variance
from dynome.dynamics.switching.em import Fit
from dynome.dynamics.switching.priors.contract import Prior

Array = NDArray[np.float64]


def standard_errors(prior: Prior, fit: Fit, information: Array | None = None) -> tuple[Array, Array] | None:
    r"""Wald errors: roots of the diagonal of :math:`(I + \mathrm{diag}(\tau))^{-1}` of every (state, target).

    Parameters
    ----------
    prior : Prior
        Its precision is :math:`\tau`.
    fit : Fit
        Where the information :math:`I` is taken, weighted by the posterior of the states as if that were known.
    information : (n_state, n_target, n_feature, n_feature) or None
        Where it is known already.

    Returns
    -------
    coupling, bias : (n_state, n_target, n_source), (n_state, n_target), or None
        Of couplings summed over kernels; NaN where a coupling does not exist, infinite where nothing is known of it.
        None where there are too many features to form the information of every target.
    """
    emissions, coefficient = fit.emissions, fit.parameters.coefficient
    if information is None:
        curve = emissions.curve(coefficient, fit.parameters.dispersion, fit.smoothed.probability)
        if not isinstance(curve, Curvature):
            return None
        information = curve.information
    quadratic = prior.quadratic(emissions.coupling(coefficient), fit.parameters.belief)
    penalty = emissions.penalty(quadratic)
    sums = _sums_over_basis(coefficient.shape[2], emissions.n_source, emissions.n_basis)
    variance = summed_variance(information, penalty.precision, emissions.problem.free, sums)
    error = np.sqrt(variance)
    exists = (emissions.problem.free.astype(float) @ sums.T > 0)[:, 1:]
    return np.where(exists, error[:, :, 1:], np.nan), error[:, :, 0]


def _sums_over_basis(n_feature: int, n_source: int, n_basis: int) -> Array:
    """(1 + n_source, n_feature): the bias, and couplings summed over kernels."""
    sums = np.zeros((1 + n_source, n_feature))
    sums[0, 0] = 1
    for k in range(n_basis):
        sums[1 + np.arange(n_source), 1 + np.arange(n_source) * n_basis + k] = 1
    return sums
