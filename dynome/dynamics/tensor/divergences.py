r"""Beta divergences between data and a model, entry by entry and as sums.

.. math:: d_\beta(x | v) = \frac{x^\beta + (\beta - 1) v^\beta - \beta x v^{\beta - 1}}{\beta (\beta - 1)}

with the limits :math:`x \log(x / v) - x + v` (Kullback-Leibler, 1) and :math:`x / v - \log(x / v) - 1` (Itakura-Saito,
0); 2 is half the squared difference. It scales as the beta-th power of the unit of the data.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_FLAT = 1e-12  # a tensor whose divergence from its mean is smaller than this part of its size is constant


class Totals(NamedTuple):
    """What the divergence needs to know of the data, whatever the model.

    Attributes
    ----------
    weight : float
        Sum of the weights; the number of observed entries where there are none.
    mass : float
        Weighted sum of the data.
    constant : float
        Weighted sum of the terms of the divergence that hold the data alone.
    """

    weight: float
    mass: float
    constant: float


def exponent(beta: float) -> float:
    """Power of the ratio in a multiplicative update that never raises the divergence.

    Source: Fevotte and Idier (2011), DOI 10.1162/NECO_a_00168, eq. 57.
    """
    if beta < 1:
        return 1 / (2 - beta)
    return 1 / (beta - 1) if beta > 2 else 1.0


def data_terms(x: Array, weight: NDArray[Any] | float, beta: float) -> float:
    """Sum over entries of the terms of the divergence that hold the data alone; 0 log 0 is 0."""
    if beta == 1:
        return float((weight * (x * np.log(np.where(x > 0, x, 1.0)) - x)).sum())
    if beta == 0:
        return float((weight * (-np.log(np.where(x > 0, x, 1.0)) - 1)).sum())
    return float((weight * x**beta).sum()) / (beta * (beta - 1))


def ratios(x: Array, v: Array, weight: NDArray[Any] | None, beta: float) -> tuple[Array, Array | None, float]:
    """What the gradient and the divergence need of a block of entries.

    Parameters
    ----------
    x : (...)
        Data times weight, 0 where missing.
    v : (...)
        Model, positive; overwritten.
    weight : (...) or None
        None is 1 everywhere. Not read where beta is 1.
    beta : float
        Not 2.

    Returns
    -------
    attract : (...)
        ``x v^(beta - 2)``: its product with the other factors is the numerator of the update.
    repel : (...) or None
        ``weight v^(beta - 1)``, for the denominator; None where beta is 1, because it is the weight.
    loss : float
        Sum of the terms of the divergence that hold the model; where beta is 1, without the sum of the model.
    """
    if beta == 1:
        loss = -float(np.vdot(x, np.log(v)))
        return np.divide(x, v, out=v), None, loss
    if beta == 0:
        log = np.log(v)
        repel = np.divide(1.0 if weight is None else weight, v)
        attract = x / v
        loss = float(attract.sum() + (log if weight is None else weight * log).sum())
        return np.divide(attract, v, out=attract), repel, loss
    power = v ** (beta - 1)
    repel = power if weight is None else weight * power
    loss = float(np.vdot(repel, v)) / beta - float(np.vdot(x, power)) / (beta - 1)
    return x * (power / v), repel, loss


def mean_divergence(totals: Totals, beta: float) -> float:
    """Divergence of the data from their mean, the best constant model whatever beta; never 0.

    Examples
    --------
    >>> x = np.array([1.0, 3.0])
    >>> mean_divergence(Totals(2.0, 4.0, data_terms(x, 1.0, 2.0)), 2.0)
    1.0
    """
    mean = totals.mass / totals.weight
    if beta == 1:
        model = totals.mass - totals.mass * np.log(mean)
    elif beta == 0:
        model = totals.weight * (1 + np.log(mean))
    else:
        model = totals.weight * mean**beta * (1 / beta - 1 / (beta - 1))
    return float(max(totals.constant + model, _FLAT * totals.weight * mean**beta))
