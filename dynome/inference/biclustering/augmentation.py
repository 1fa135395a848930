r"""Working observations: given auxiliary variables, the log likelihood is quadratic in the predictor.

:math:`\log p(y \mid \psi, \omega) = -\tfrac12 \Omega \psi^2 + \lambda \psi + \text{const}`, with the precision
:math:`\Omega` and the linear term :math:`\lambda` of every observation; 0 where it is missing. So latents and
coefficients have Gaussian conditionals.

* negative binomial, r = dispersion: :math:`\omega \sim PG(y + r, \psi - \log r)`, :math:`\Omega = \omega`,
  :math:`\lambda = (y - r) / 2 + \omega \log r`;
* Poisson: as a negative binomial law with the fixed r of `dynome.inference.biclustering.poisson.stand_in`, whose
  difference from the Poisson law every move corrects there;
* Bernoulli: :math:`\omega \sim PG(1, \psi)`, :math:`\lambda = y - 1/2`;
* Gaussian: :math:`\Omega = 1 / \sigma^2`, :math:`\lambda = y / \sigma^2`.

A power of the likelihood (temperature) multiplies the shape of the Polya-Gamma law, and the linear terms.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dynome.inference.biclustering.model import Array, Data
from dynome.inference.biclustering.poisson import stand_in
from dynome.inference.biclustering.polyagamma import draw_polyagamma


class Working(NamedTuple):
    """Quadratic log likelihood of every observation.

    Attributes
    ----------
    precision : (n_node, n_bin)
    linear : (n_node, n_bin)
    """

    precision: Array
    linear: Array


def working(
    data: Data,
    psi: Array,
    dispersion: Array,
    rng: np.random.Generator,
    *,
    temperature: float = 1.0,
    n_threads: int = 1,
) -> Working:
    """Draw the auxiliary variables given the predictor.

    Parameters
    ----------
    data : Data
    psi : (n_node, n_bin)
    dispersion : (n_node,)
    rng : numpy Generator
    temperature : float
        Power of the likelihood, above 0.
    n_threads : int
        The numbers do not depend on it.

    Examples
    --------
    >>> data = Data(np.array([[1.0, np.nan]]), np.array([0, 2]), "gaussian")
    >>> working(data, np.zeros((1, 2)), np.array([0.5]), np.random.default_rng(0))
    Working(precision=array([[2., 0.]]), linear=array([[2., 0.]]))
    """
    y, seen = data.y, ~np.isnan(data.y)
    if data.law == "gaussian":
        precision = np.where(seen, temperature / dispersion[:, None], 0.0)
        return Working(precision, np.where(seen, precision * y, 0.0))
    trials, shift = _trials(data, dispersion)
    omega = draw_polyagamma(np.where(seen, temperature * trials, 0.0), psi - shift, rng, n_threads)
    return Working(omega, np.where(seen, temperature * (y - trials / 2) + omega * shift, 0.0))


def _trials(data: Data, dispersion: Array) -> tuple[Array, Array]:
    """Power of 1 + exp(psi - shift) in the likelihood, and the shift."""
    if data.law == "bernoulli":
        return np.ones_like(data.y), np.zeros((data.y.shape[0], 1))
    r = (stand_in(data.y) if data.law == "poisson" else dispersion)[:, None]
    return data.y + r, np.log(r)
