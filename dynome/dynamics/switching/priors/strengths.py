r"""The law of a coupling given its class: near zero without an edge, near a strength of its sign with one.

That is ``N(-mu, sd^2)``, ``N(0, spike^2)`` or ``N(mu, sd^2)``, for each basis function.

The class belongs to the edge and is shared by its basis functions. Arrays are ``(edge, state, basis)``; classes are in
the order of `CLASSES`. With :math:`I` the information of the likelihood and :math:`\lambda` its pull at zero, class c
has the evidence

.. math:: \log Z_c(\lambda) = -\tfrac12 \log(1 + I v_c) + \frac{\lambda^2 v_c + 2 \lambda m_c - I m_c^2}{2 (1 + I v_c)}

and the coupling, given the class, mean :math:`(\lambda v_c + m_c) / (1 + I v_c)` and variance
:math:`v_c / (1 + I v_c)`: no division by the information, which may be zero.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dynome.dynamics.switching.priors.contract import guard_density

Array = NDArray[np.float64]

CLASSES = ("inhibitory", "none", "excitatory")
SIGNS = (-1, 0, 1)

_SMALL = 0.1  # sd of the guard of "none", relative to the scale
_NARROW = 1.0  # the sd of a strength is at most this times its mean, so that a class keeps its sign


class Strengths(NamedTuple):
    """Mean and variance of a coupling in each class, and what guards them.

    Attributes
    ----------
    mean, variance : (3, basis)
    scale : float
        Typical strength of an edge before data.
    guard : float
        How many edges that expectation is worth.
    """

    mean: Array
    variance: Array
    scale: float
    guard: float


def start_strengths(n_basis: int, scale: float, guard: float) -> Strengths:
    """Strengths of the scale, shared out among the basis functions."""
    share = scale / max(n_basis, 1)
    each = np.array([-1.0, 0.0, 1.0])[:, None] * np.full(n_basis, share)
    variance = np.array([0.5, 0.25, 0.5])[:, None] ** 2 * np.full(n_basis, share**2)
    return Strengths(each, variance, share, guard)


def log_evidence(pull: Array, known: Array, strengths: Strengths) -> Array:
    """Of each class, ``log Z``: (edge, state, 3)."""
    out = np.empty((*pull.shape[:2], 3))
    for c, (m, v) in enumerate(zip(strengths.mean, strengths.variance, strict=True)):
        shrunk = 1 + known * v
        out[:, :, c] = (-0.5 * np.log(shrunk) + (pull**2 * v + 2 * pull * m - known * m**2) / (2 * shrunk)).sum(2)
    return out


class Bound(NamedTuple):
    """The term of the classes' strengths, given their probabilities: a quadratic in the coupling.

    Attributes
    ----------
    mean, precision : (edge, state, basis)
        Minus half of ``precision (coupling - mean)^2``.
    constant : (edge,)
        Added to it.
    """

    mean: Array
    precision: Array
    constant: Array


def bound_of(probability: Array, known: Array, strengths: Strengths) -> Bound:
    """Where couplings of known class probabilities are drawn to, and how strongly."""
    weights = [probability[:, :, c, None] / (1 + known * strengths.variance[c]) for c in range(3)]
    total = weights[0] + weights[1] + weights[2]
    mean = sum(w * m for w, m in zip(weights, strengths.mean, strict=True)) / total
    wide = sum(w * v for w, v in zip(weights, strengths.variance, strict=True))
    constant = np.zeros(len(probability))
    for c in range(3):
        apart = known * weights[c] * (strengths.mean[c] - mean) ** 2
        grown = probability[:, :, c, None] * np.log1p(known * strengths.variance[c])
        constant -= 0.5 * (apart + grown).sum((1, 2))
    return Bound(np.asarray(mean), np.asarray(total / wide), constant)


def term(coupling: Array, bound: Bound) -> Array:
    """The value of a bound at a coupling: (edge,)."""
    return np.asarray(bound.constant - 0.5 * (bound.precision * (coupling - bound.mean) ** 2).sum((1, 2)))


def pull_of(coupling: Array, known: Array, bound: Bound) -> Array:
    """The pull of the likelihood under which `coupling` is the posterior mean."""
    return np.asarray(known * coupling + bound.precision * (coupling - bound.mean))


def within_and_between(probability: Array, pull: Array, known: Array, strengths: Strengths) -> tuple[Array, Array]:
    """Variance of a coupling within classes, and of its mean between classes: both (edge, state, basis)."""
    shrunk = [1 + known * v for v in strengths.variance]
    means = [(pull * v + m) / d for v, m, d in zip(strengths.variance, strengths.mean, shrunk, strict=True)]
    share = [probability[:, :, c, None] for c in range(3)]
    centre = sum(r * m for r, m in zip(share, means, strict=True))
    within = sum(r * v / d for r, v, d in zip(share, strengths.variance, shrunk, strict=True))
    between = sum(r * (m - centre) ** 2 for r, m in zip(share, means, strict=True))
    return np.asarray(within), np.asarray(between)


def stepped(probability: Array, pull: Array, known: Array, strengths: Strengths) -> Strengths:
    """One EM step on means and variances, with the couplings integrated out; it never lowers the bound."""
    mean, variance = strengths.mean.copy(), strengths.variance.copy()
    for c, sign in enumerate(SIGNS):
        share = probability[:, :, c, None]
        shrunk = 1 + known * variance[c]
        at = (pull * variance[c] + mean[c]) / shrunk
        n = float(share.sum()) + strengths.guard
        first = (share * at).sum((0, 1)) + strengths.guard * sign * strengths.scale
        second = (share * (at**2 + variance[c] / shrunk)).sum((0, 1)) + strengths.guard * _guard_square(strengths, sign)
        found = _peak(n, sign * first, second) if sign else (0 * mean[c], second / n)
        if _height(n, sign * first, second, *found) >= _height(n, sign * first, second, sign * mean[c], variance[c]):
            mean[c], variance[c] = sign * found[0], found[1]
    return strengths._replace(mean=mean, variance=variance)


def scored(probability: Array, estimate: Array, known: Array, strengths: Strengths) -> Strengths:
    """Means and variances one step of Fisher scoring nearer to the marginal likelihood's maximum."""
    mean, variance = strengths.mean.copy(), strengths.variance.copy()
    guard = strengths.guard
    for c, sign in enumerate(SIGNS):
        share, v = probability[:, :, c, None], variance[c]
        weight = known / (1 + known * v)
        if sign:
            pulled = sign * (share * weight * estimate).sum((0, 1)) + guard * strengths.scale / v
            mean[c] = sign * pulled / ((share * weight).sum((0, 1)) + guard / v)
        expected = _guard_square(strengths, sign) + mean[c] * (mean[c] - 2 * sign * strengths.scale)
        squares = (share * (weight**2 * ((estimate - mean[c]) ** 2 + v) - weight)).sum((0, 1)) + guard * expected / v**2
        new = squares / ((share * weight**2).sum((0, 1)) + guard / v**2)
        variance[c] = np.clip(new, v / 10, v * 10)
        if sign:
            centre, variance[c] = _narrowed(sign * mean[c], variance[c])
            mean[c] = sign * centre
    return strengths._replace(mean=mean, variance=variance)


def strengths_density(strengths: Strengths) -> float:
    """Log density of the guards, up to constants."""
    out = 0.0
    for c, sign in enumerate(SIGNS):
        m, v = strengths.mean[c], strengths.variance[c]
        square = _guard_square(strengths, sign) + m * (m - 2 * sign * strengths.scale)
        out += guard_density(v, strengths.guard, square)
    return out


def _guard_square(strengths: Strengths, sign: int) -> float:
    """Mean square of the couplings that guard a class."""
    return strengths.scale**2 * (1.25 if sign else _SMALL**2)


def _height(n: float, first: Array, second: Array, mean: Array, variance: Array) -> float:
    """What an M-step on the mean and variance of `n` couplings raises, from their sums of powers."""
    return -0.5 * float((n * np.log(variance) + (second - 2 * first * mean + n * mean**2) / variance).sum())


def _peak(n: float, first: Array, second: Array) -> tuple[Array, Array]:
    """The best mean and variance of `n` couplings of a signed class; exact for one basis function."""
    mean = first / n
    variance = second / n - mean**2
    if mean.size == 1 and (mean[0] <= 0 or variance[0] > (_NARROW * mean[0]) ** 2):
        # On the edge, variance = (narrow mean)^2: a quadratic equation in 1 / mean.
        inverse = (first + np.sqrt(first**2 + 4 * second * n * _NARROW**2)) / (2 * second)
        return 1 / inverse, (_NARROW / inverse) ** 2
    return _narrowed(mean, variance)


def _narrowed(mean: Array, variance: Array) -> tuple[Array, Array]:
    """The nearest mean whose sum over basis functions is positive, and a variance that leaves it its sign."""
    wanted = 0.05 * float(np.sqrt(variance.sum()))
    if mean.sum() < wanted:
        mean = mean + variance * (wanted - mean.sum()) / variance.sum()
    clear = float((mean**2 / variance).sum()) * _NARROW**2
    return mean, variance * min(1.0, clear)
