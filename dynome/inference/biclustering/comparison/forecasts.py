r"""From a predicted mean to the probability of what was held out, in the same way for every method.

Factor models and co-clusters predict a mean, each on a scale of its own. To be compared with a model of counts, each
mean :math:`m_{it}` becomes the predictor of the law of the observations,

.. math:: \psi_{it} = a + \bar\psi_i + b (\psi(m_{it}) - \bar\psi_i)

with :math:`\psi(m)` the log of the mean (logit of a probability, mean of a Gaussian) and :math:`\bar\psi_i` its mean
over time. Counts get a negative binomial law also where the model that is compared has a Poisson law. One intercept
:math:`a` and one slope :math:`b` a method, and one dispersion a node, are fitted to observations that the method did
not see: an inner hold-out taken from the training data. A method that overfits is so brought back to what it can
foretell, and no method is punished for the scale on which it was meant to work.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import gammaln, logit

from dynome.inference.biclustering.model import Array, Labels, Law
from dynome.inference.biclustering.observations import pointwise_log_likelihood

Flags = NDArray[np.bool_]

_least_mean = 1e-3  # counts a bin
_least_chance = 1e-3
_grid = np.exp(np.linspace(np.log(0.02), np.log(5e3), 64))  # dispersions of counts
_spread = 1.0  # of log dispersions of nodes about the common one
_prior_bins = 4.0  # bins that the common variance counts for


class Task(NamedTuple):
    """What a method may see.

    Attributes
    ----------
    y : (n_node, n_bin)
        Held-out observations are NaN.
    starts : (n_sequence + 1,)
        First bin of each sequence, and the number of bins.
    law : str
    inner : (n_node, n_bin)
        Observations that are held out in their turn, to choose the size of a method and to calibrate it.
    random_state : int
    """

    y: Array
    starts: Labels
    law: Law
    inner: Flags
    random_state: int

    @property
    def outer(self) -> Array:
        """Observations without the inner hold-out."""
        return np.where(self.inner, np.nan, self.y)


class Forecast(NamedTuple):
    """A predictor and a dispersion for every observation; see `pointwise_log_likelihood`."""

    psi: Array
    dispersion: Array
    law: Law

    def log_score(self, y: Array) -> Array:
        """Log probability of every observation ``(n_node, n_bin)`` in nats, NaN where missing."""
        return pointwise_log_likelihood(y, self.psi, self.law, self.dispersion)


class Calibration(NamedTuple):
    """Intercept, slope and dispersions that turn means into a forecast, and the inner score they reach."""

    intercept: float
    slope: float
    dispersion: Array
    law: Law
    score: float


Scorer = Callable[[Array], Array]
Method = Callable[[Task], Scorer]


def predictor_of(mean: Array, law: Law) -> Array:
    """Log mean of counts, logit of a probability, or the mean itself; kept off the ends of the scale."""
    if law == "gaussian":
        return mean
    if law == "bernoulli":
        return np.asarray(logit(np.clip(mean, _least_chance, 1 - _least_chance)))
    return np.log(np.maximum(mean, _least_mean))


def calibrated(y: Array, mean: Array, inner: Flags, law: Law) -> Calibration:
    """Fit intercept, slope and dispersions to the inner hold-out.

    Parameters
    ----------
    y : (n_node, n_bin)
        Training data; NaN is missing.
    mean : (n_node, n_bin)
        Predicted without the observations of `inner`.
    inner : (n_node, n_bin)
    law : str

    Returns
    -------
    Calibration
        Its score is the mean log probability of the inner hold-out, in nats.
    """
    kind: Law = "negative_binomial" if law == "poisson" else law
    psi = predictor_of(mean, law)
    level = psi.mean(axis=1)
    node = np.nonzero(inner & np.isfinite(y))[0]
    seen = inner & np.isfinite(y)
    value, gap, base = y[seen], (psi - level[:, None])[seen], level[node]

    def loss(theta: Array) -> float:
        found = _log_law(value, theta[0] + base + _slope(theta) * gap, np.exp(theta[2]), kind)
        # Where the inner hold-out is small, what it says of intercept and slope is not believed.
        return -float(found.mean()) + float(theta[0] ** 2 + (theta[1] - 1) ** 2) / max(value.size, 1)

    residual = float(np.var(value - base)) if kind == "gaussian" and value.size else 1.0
    start = np.array([0.0, 1.0, np.log(max(residual, 1e-8))])
    if not value.size:
        return Calibration(0.0, 1.0, np.full(len(y), np.exp(start[2])), kind, float("nan"))
    best = minimize(loss, start, method="Nelder-Mead", options={"xatol": 1e-2, "fatol": 1e-5, "maxiter": 200}).x
    fitted = best[0] + base + _slope(best) * gap
    dispersion = _dispersions(value, fitted, node, len(y), float(np.exp(best[2])), kind)
    score = float(_log_law(value, fitted, dispersion[node], kind).mean())
    return Calibration(float(best[0]), _slope(best), dispersion, kind, score)


def _slope(theta: Array) -> float:
    return float(np.clip(theta[1], 0, 2))


def forecast(mean: Array, calibration: Calibration) -> Forecast:
    """The forecast of means ``(n_node, n_bin)`` under a calibration."""
    psi = predictor_of(mean, calibration.law)
    level = psi.mean(axis=1, keepdims=True)
    psi = calibration.intercept + level + calibration.slope * (psi - level)
    return Forecast(np.ascontiguousarray(psi), calibration.dispersion, calibration.law)


def _log_law(y: Array, psi: Array, dispersion: Array | float, law: Law) -> Array:
    if law == "gaussian":
        return np.asarray(-0.5 * ((y - psi) ** 2 / dispersion + np.log(2 * np.pi * dispersion)))
    if law == "bernoulli":
        return np.asarray(y * psi - np.logaddexp(0, psi))
    eta = psi - np.log(dispersion)
    constant = gammaln(y + dispersion) - gammaln(dispersion) - gammaln(y + 1)
    return np.asarray(constant + y * eta - (y + dispersion) * np.logaddexp(0, eta))


def _dispersions(y: Array, psi: Array, node: Labels, n_node: int, common: float, law: Law) -> Array:
    """The most probable dispersion of each node, drawn towards the common one."""
    if law == "gaussian":
        square = np.bincount(node, (y - psi) ** 2, n_node)
        return np.asarray((square + _prior_bins * common) / (np.bincount(node, minlength=n_node) + _prior_bins))
    if law == "bernoulli":
        return np.ones(n_node)
    value = np.array([np.bincount(node, _log_law(y, psi, r, law), n_node) for r in _grid])
    prior = -0.5 * ((np.log(_grid) - np.log(common)) / _spread) ** 2
    return np.asarray(_grid[(value + prior[:, None]).argmax(axis=0)])
