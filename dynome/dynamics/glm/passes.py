"""Passes over all bins: how probable the observations are in every state, and the curvature of that.

Everything is done chunk by chunk of bins, so that memory grows with bins times states, and never with bins times
states times nodes. A state reads only the bins that can belong to it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dynome.dynamics.glm.designs import Design
from dynome.dynamics.glm.information import add_information
from dynome.dynamics.glm.laws import Law, Link, constant
from dynome.dynamics.glm.pointwise import add_log_probabilities, law_code, link_code, weighted_derivatives

Array = NDArray[np.float64]
Floats = NDArray[np.floating]

CERTAIN = 1e-10  # a bin whose weight is below this does not belong to the state
_ROWS = 1024  # bins at a time: enough for a matrix product to run at its speed
_COUNTED = 10**6  # counts up to which a table of their factorials is made
_REACH = 3.0  # change of the predictor, root mean square, that a quadratic model of a curved law is trusted for


@dataclass(frozen=True)
class Problem:
    """Observations, and what they are regressed on.

    Attributes
    ----------
    design : Design
        Features of every bin.
    y : (n_bin, n_node)
        Observations; NaN is a missing value.
    law, link : str
        See :mod:`dynome.dynamics.glm.laws`.
    free : (n_node, n_feature) bool
        Coefficients that may change; the others stay as they are.
    """

    design: Design
    y: Floats
    law: Law
    link: Link
    free: NDArray[np.bool_]

    @cached_property
    def observed(self) -> Floats:
        """`y` in the arithmetic of the design, NaN in bins whose features are not known."""
        y = np.ascontiguousarray(self.y, self.design.dtype)
        return y if self.design.usable.all() else np.where(self.design.usable[:, None], y, np.nan).astype(y.dtype)

    @cached_property
    def constant(self) -> Array:
        """Terms of the log likelihood of every bin that no parameter changes: ``(n_bin,)``."""
        most = np.nanmax(self.observed, initial=0)
        known = most < _COUNTED and self.law in ("poisson", "negative_binomial")
        terms = np.append(constant(np.arange(most + 1 if known else 0), self.law), 0)  # the last is for missing

        def looked_up(y: Floats) -> Array:
            return np.asarray(terms[np.where(np.isnan(y), terms.size - 1, y).astype(np.int64)])

        blocks = (self.observed[a:b] for a, b in _chunks(self.design.n_bin, _ROWS))
        return np.concatenate([(looked_up(y) if known else constant(y, self.law)).sum(axis=1) for y in blocks])


class Emission(NamedTuple):
    """How probable the observations are.

    Attributes
    ----------
    log_likelihood : (n_bin, n_state)
        Log probability of each bin's observations in each state, in nats, constants included; 0 where all are missing.
    expected : (n_state, n_node)
        Weighted sum over bins of the log probability of each target, without constants. Zeros without weights.
    """

    log_likelihood: Array
    expected: Array


class Curvature(NamedTuple):
    """Weighted log likelihood of every (state, target), and its first two derivatives by the coefficients.

    Attributes
    ----------
    value : (n_state, n_node)
        The same as ``Emission.expected``.
    score : (n_state, n_node, n_feature)
        Gradient.
    information : (n_state, n_node, n_feature, n_feature)
        Fisher information.
    reach : float
        Change of the predictor (weighted root mean square) up to which a quadratic model is trusted.
    """

    value: Array
    score: Array
    information: Array
    reach: float


class Gradient(NamedTuple):
    """The same without the information."""

    value: Array
    score: Array


class Part(NamedTuple):
    """Some of the bins that belong to a state: which, and their features, observations and weights."""

    state: int
    bins: NDArray[np.int64]
    x: Floats
    y: Floats
    weight: Floats


def emission(problem: Problem, coefficient: Array, dispersion: Array, weight: Array | None) -> Emission:
    """Log probability of every bin in every state, and its weighted sum for every target.

    Parameters
    ----------
    problem : Problem
        Observations and features.
    coefficient : (n_state, n_node, n_feature)
        Of the predictor.
    dispersion : (n_state, n_node)
        Of the law.
    weight : (n_bin, n_state) or None
        Probability of each state, for the weighted sum. Weights below 1e-10 count as 0.

    Returns
    -------
    Emission
    """
    design, law, link = problem.design, law_code(problem.law), link_code(problem.link)
    n_state, n_node, _ = coefficient.shape
    slopes, scale = coefficient.astype(design.dtype), dispersion.astype(design.dtype)
    log_likelihood = np.repeat(problem.constant[:, None], n_state, axis=1)
    expected = np.zeros((n_state, n_node))
    for a, b in _chunks(design.n_bin, _ROWS):
        x, y = design.block(a, b), problem.observed[a:b]
        w = np.zeros((n_state, 0 if weight is None else b - a), design.dtype)
        if weight is not None:
            w[:] = np.where(weight[a:b] < CERTAIN, 0, weight[a:b]).T
        for s in range(n_state):
            out = np.zeros(b - a)
            add_log_probabilities(law, link, y, x @ slopes[s].T, scale[s], w[s], out, expected[s])
            log_likelihood[a:b, s] += out
    return Emission(log_likelihood, expected)


def curvature(
    problem: Problem, coefficient: Array, dispersion: Array, weight: Array, *, spared: float = 0.0
) -> Curvature:
    r"""Weighted log likelihood of every (state, target), its gradient and its Fisher information.

    Parameters
    ----------
    problem, coefficient, dispersion, weight
        As in :func:`emission`.
    spared : float
        Share of each state's weight, in the bins that belong to it least, for which others stand in the information.
        Value and score are exact. 0.01 changes the information by less than that, and saves half of the time or more
        where posteriors are soft.

    Returns
    -------
    Curvature

    Notes
    -----
    :math:`I = \sum_t \gamma_t w_t x_t x_t^T` with :math:`w = (d\mu/d\eta)^2 / \mathrm{Var}(\mu)`.
    """
    n_state, n_node, n_feature = coefficient.shape
    value, score = np.zeros((n_state, n_node)), np.zeros((n_state, n_node, n_feature))
    rows, columns = np.triu_indices(n_feature)
    information = np.empty((n_state, n_node, n_feature, n_feature))
    packed, shaping = np.zeros((n_state, n_node, rows.size)), shaping_weight(problem, weight, spared)
    for part, slope, info in derivatives(problem, coefficient, dispersion, weight, value):
        score[part.state] += slope.T @ part.x
        add_information(*shaped(part, info, shaping), packed[part.state])
    for s in range(n_state):
        information[s][:, rows, columns] = packed[s]
        information[s][:, columns, rows] = packed[s]
    return Curvature(value, score, information, trust(problem))


def shaping_weight(problem: Problem, weight: Array, spared: float) -> Array:
    """Weights with the same sums: those of a share `spared`, in the bins that belong to a state least, become 0."""
    out = np.where((weight >= CERTAIN) & problem.design.usable[:, None], weight, 0.0)
    if spared:
        for column in out.T:
            falling = np.sort(column)[::-1]
            sums = np.cumsum(falling)
            column[column < falling[np.searchsorted(sums, (1 - spared) * sums[-1])]] = 0.0
            column *= sums[-1] / max(column.sum(), np.finfo(float).tiny)
    return out


def shaped(part: Part, information: Floats, shaping: Array) -> tuple[Floats, Floats]:
    """Features and information of the bins of a part that have a weight in `shaping`, with that weight."""
    new = shaping[part.bins, part.state].astype(information.dtype)
    here = new > 0
    if here.all():
        return part.x, information * (new / part.weight)[:, None]
    return part.x[here], information[here] * (new[here] / part.weight[here])[:, None]


def gradient(problem: Problem, coefficient: Array, dispersion: Array, weight: Array) -> Gradient:
    """Weighted log likelihood of every (state, target) and its gradient; see :func:`curvature`."""
    value, score = np.zeros(coefficient.shape[:2]), np.zeros(coefficient.shape)
    for part, slope, _ in derivatives(problem, coefficient, dispersion, weight, value):
        score[part.state] += slope.T @ part.x
    return Gradient(value, score)


def trust(problem: Problem) -> float:
    """Change of the predictor, root mean square, up to which its law looks quadratic."""
    return np.inf if problem.link == "identity" and problem.law == "gaussian" else _REACH


def derivatives(
    problem: Problem, coefficient: Array, dispersion: Array, weight: Array, value: Array
) -> Iterator[tuple[Part, Floats, Floats]]:
    """Score and information of the predictors of every part of the bins; adds to `value` as they are read."""
    design, law, link = problem.design, law_code(problem.law), link_code(problem.link)
    slopes, scale = coefficient.astype(design.dtype), dispersion.astype(design.dtype)
    for part in parts(problem, weight):
        eta = part.x @ slopes[part.state].T
        score, information = np.empty_like(eta), np.empty_like(eta)
        s = part.state
        weighted_derivatives(law, link, part.y, eta, part.weight, scale[s], score, information, value[s])
        yield part, score, information


def parts(problem: Problem, weight: Array) -> Iterator[Part]:
    """The usable bins that belong to each state, some at a time, in an order that depends on `weight` alone."""
    design = problem.design
    for a, b in _chunks(design.n_bin, 8 * _ROWS):
        x, y, usable = design.block(a, b), problem.observed[a:b], design.usable[a:b]
        for s in range(weight.shape[1]):
            own = np.flatnonzero((weight[a:b, s] >= CERTAIN) & usable)
            for bins in np.array_split(own, -(-own.size // _ROWS)) if own.size else ():
                run = slice(bins[0], bins[-1] + 1) if bins[-1] - bins[0] + 1 == bins.size else bins  # views are quicker
                yield Part(s, a + bins, x[run], y[run], weight[a + bins, s].astype(design.dtype))


def _chunks(n_bin: int, rows: int) -> Iterator[tuple[int, int]]:
    for a in range(0, n_bin, rows):
        yield a, min(a + rows, n_bin)
