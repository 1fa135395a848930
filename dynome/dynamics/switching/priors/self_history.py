"""The law of self-history under priors that learn: refractoriness is not wiring, so it has no class and no shared mean.

Each basis function has one Gaussian for all nodes and states. Its mean and variance are learnt as in `gaussian`, with
the couplings integrated out.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dynome.dynamics.switching.priors.contract import Array, guard_density

_STEPS = 10


class SelfHistory(NamedTuple):
    """What is believed about the diagonal.

    Attributes
    ----------
    edges : (target, source) of bool
        The self-edges that exist.
    mean, variance : (basis,)
    small, guard : float
        The variance is learnt from the couplings and, besides, `guard` couplings of the variance `small`.
    """

    edges: NDArray[np.bool_]
    mean: Array
    variance: Array
    small: float
    guard: float


def start_self(edges: NDArray[np.bool_], n_basis: int, scale: float, guard: float) -> SelfHistory:
    """Mean zero, and a standard deviation of four times the scale: refractoriness may be strong."""
    return SelfHistory(edges, np.zeros(n_basis), np.full(n_basis, (4 * scale) ** 2), (0.1 * scale) ** 2, guard)


def refined_self(coupling: Array, information: Array, own: SelfHistory) -> SelfHistory:
    """One EM step on mean and variance at the couplings at hand."""
    values, known = _diagonal(coupling, own), _diagonal(information, own)
    if not known.any():
        return own
    mean = values.mean(0)
    squares = (values - mean) ** 2 + own.variance / (1 + known * own.variance)
    variance = (squares.sum(0) + own.guard * own.small) / (len(values) + own.guard)
    return own._replace(mean=mean, variance=variance)


def scored_self(estimate: Array, information: Array, own: SelfHistory) -> SelfHistory:
    """Mean and variance near the maximum of their marginal likelihood, by Fisher scoring on ``N(mean, v + 1 / I)``."""
    values, known = _diagonal(estimate, own), _diagonal(information, own)
    if not known.any():
        return own
    mean, v = own.mean, own.variance
    for _ in range(_STEPS):
        weight = known / (1 + known * v)
        total = weight.sum(0)
        mean = np.where(total > 0, (weight * values).sum(0) / np.where(total > 0, total, 1.0), mean)
        squares = (weight**2 * ((values - mean) ** 2 + v) - weight).sum(0) + own.guard * own.small / v**2
        v = np.clip(squares / ((weight**2).sum(0) + own.guard / v**2), v / 10, v * 10)
    return own._replace(mean=mean, variance=v)


def set_self_quadratic(own: SelfHistory, mean: Array, precision: Array) -> None:
    """Write the diagonal into the mean and precision (state, target, source, basis) of a quadratic."""
    mean[:, own.edges] = own.mean
    precision[:, own.edges] = 1 / own.variance


def self_log_density(coupling: Array, information: Array, own: SelfHistory) -> float:
    """The term of the diagonal, its guard included."""
    if not own.edges.any():
        return 0.0
    values, known = _diagonal(coupling, own), _diagonal(information, own)
    terms = np.log1p(known * own.variance) + (values - own.mean) ** 2 / own.variance
    return -0.5 * float(terms.sum()) + guard_density(own.variance, own.guard, own.small)


def _diagonal(values: Array, own: SelfHistory) -> Array:
    """Self-edges of all states and nodes, one row each: (coupling, basis)."""
    found = values[:, own.edges]
    return np.asarray(found.reshape(found.shape[0] * found.shape[1], found.shape[2]))
