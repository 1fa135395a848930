r"""The hierarchical Gaussian prior: the coupling of every state scatters around a mean that all states share.

:math:`W_s \sim N(W_0, v)` and :math:`W_0 \sim N(0, v_0)`, independently for each edge and basis function. Given the
information :math:`I_s` of the likelihood everything is Gaussian, so that the term of an edge is exact:

.. math::
    G(M) = -\tfrac12 \sum_s \log(1 + I_s v) - \tfrac12 \log\Big(1 + v_0 \sum_s \tfrac{I_s}{1 + I_s v}\Big)
           - \tfrac12 \sum_s \frac{(M_s - W_0)^2}{v} - \tfrac12 \frac{W_0^2}{v_0}

with :math:`W_0 = \sum_s M_s / (S + v / v_0)`. The variances are those of empirical Bayes: :math:`W_0` and the couplings
are integrated out, so they do not collapse, and a weak inverse-gamma prior keeps them off zero.

When the variance of the couplings is told, the estimates :math:`y = M + p (M - m) / I` that the likelihood alone would
give are taken from the last quadratic :math:`(m, p)` and the variances go to the maximum of their marginal likelihood
in a few steps of scoring. Otherwise one EM step at the couplings at hand moves them a little, and never down.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dynome.dynamics.switching.priors.contract import (
    Array,
    Labelled,
    Prior,
    Quadratic,
    check_positive,
    edges_of,
    guard_density,
    information_of,
    likeliest,
)
from dynome.dynamics.switching.priors.self_history import (
    SelfHistory,
    refined_self,
    scored_self,
    self_log_density,
    set_self_quadratic,
    start_self,
)

_STEPS = 10  # of scoring, when the information is renewed
_PULL = 10.0  # states' worth of the common variance in the variance that an edge has of its own
_SMALL = 0.1  # the guard is for variances of couplings that are this small against the scale


class GaussianBelief(NamedTuple):
    """What a `GaussianPrior` has learnt.

    Attributes
    ----------
    mean : (target, source, basis)
        The mean over states, W0.
    variance : (target, source, basis)
        Of a state's coupling around it; the same for all edges unless they differ by choice.
    mean_variance : (basis,)
        Of the mean around zero.
    information : (state, target, source, basis)
        What the likelihood knows of each coupling; 0 before that is told.
    covered : (target, source) of bool
        Edges between different nodes that exist.
    own : SelfHistory
        The law of the diagonal.
    """

    mean: Array
    variance: Array
    mean_variance: Array
    information: Array
    covered: NDArray[np.bool_]
    own: SelfHistory


class GaussianPrior(Prior):
    """Couplings of all states scatter around a shared mean, by a standard deviation that is learnt.

    Parameters
    ----------
    scale : float
        Size of a coupling that is expected before data; the standard deviations start there.
    guard : float
        How many edges of a tenth of the scale are added to what the standard deviations are learnt from.
    per_edge : bool
        Each edge has a standard deviation of its own, drawn towards that of all edges.

    Notes
    -----
    Self-history is not wiring: the diagonal has a Gaussian of its own for each basis function, shared by all nodes and
    states, whose mean and variance are learnt.
    """

    def __init__(self, scale: float = 0.5, guard: float = 1.0, per_edge: bool = False) -> None:
        self.scale = scale
        self.guard = guard
        self.per_edge = per_edge

    def check(self) -> None:
        """See `Prior.check`."""
        check_positive(self, "scale", "guard")

    def start(self, coupling: Array, free: NDArray[np.bool_], prior_class: Array | None = None) -> GaussianBelief:
        """Mean zero; both standard deviations at the scale."""
        covered, own = edges_of(coupling, free)
        shape = coupling.shape[1:]
        return GaussianBelief(
            mean=np.zeros(shape),
            variance=np.full(shape, self.scale**2),
            mean_variance=np.full(shape[-1], self.scale**2),
            information=np.zeros(coupling.shape),
            covered=covered,
            own=start_self(own, shape[-1], self.scale, self.guard),
        )

    def refined(self, coupling: Array, variance: Array | None, belief: GaussianBelief) -> GaussianBelief:
        """The mean, and the variances by a few steps of EM; see `Prior.refined`."""
        if variance is not None:
            quadratic = self.quadratic(coupling, belief)
            known = information_of(variance, quadratic.precision)
            estimate = likeliest(coupling, known, quadratic)
            belief = belief._replace(information=known, own=scored_self(estimate, known, belief.own))
            if belief.covered.any():
                belief = self._scored(estimate, belief)
        elif belief.information.any():
            belief = belief._replace(own=refined_self(coupling, belief.information, belief.own))
            if belief.covered.any():
                belief = self._stepped(coupling, belief)
        return belief._replace(mean=_shared_mean(coupling, belief))

    def quadratic(self, coupling: Array, belief: GaussianBelief) -> Quadratic:
        """Around the shared mean."""
        mean = np.broadcast_to(np.where(belief.covered[..., None], belief.mean, 0.0), coupling.shape).copy()
        precision = np.broadcast_to(belief.covered[..., None] / belief.variance, coupling.shape).copy()
        set_self_quadratic(belief.own, mean, precision)
        return Quadratic(mean, precision)

    def log_density(self, coupling: Array, belief: GaussianBelief) -> float:
        """The sum of the terms of all edges, of self-history and of the guards."""
        v, v0, known = belief.variance, belief.mean_variance, belief.information
        shrunk = known / (1 + known * v)
        terms = -0.5 * (np.log1p(known * v) + (coupling - belief.mean) ** 2 / v).sum(0)
        terms -= 0.5 * (np.log1p(v0 * shrunk.sum(0)) + belief.mean**2 / v0)
        guards = self._guards(belief) if belief.covered.any() else 0.0
        own = self_log_density(coupling, known, belief.own)
        return float(terms[belief.covered].sum()) + guards + own

    def labelled(self, belief: GaussianBelief) -> Labelled:
        """Mean over states and both standard deviations."""
        covered = belief.covered
        wide = np.where(covered[..., None], belief.variance, np.nan)
        out: Labelled = {
            "prior_mean": (
                ("target", "source"),
                np.where(covered, belief.mean.sum(-1), np.nan),
                {"units": "1", "long_name": "coupling shared by all states"},
            ),
            "prior_mean_sd": (
                ("basis",),
                np.sqrt(belief.mean_variance),
                {"units": "1", "long_name": "standard deviation over edges of the shared coupling"},
            ),
        }
        told = {"units": "1", "long_name": "standard deviation over states of a coupling"}
        if self.per_edge:
            out["prior_sd"] = (("target", "source", "basis"), np.sqrt(wide), told)
        else:
            out["prior_sd"] = (("basis",), np.sqrt(_first(belief.variance, covered)), told)
        return out

    def _stepped(self, coupling: Array, belief: GaussianBelief) -> GaussianBelief:
        """One EM step on both variances at the couplings at hand: what is left of them is what data and prior leave."""
        belief = belief._replace(mean=_shared_mean(coupling, belief))
        v, known = belief.variance, belief.information
        shrunk = 1 / (1 + known * v)
        left = 1 / (1 / belief.mean_variance + (known * shrunk).sum(0))
        around = ((coupling - belief.mean) ** 2 + v * shrunk + (known * v * shrunk) ** 2 * left).sum(0)
        counts = np.full_like(around, len(coupling))
        return self._updated(
            belief,
            (around, counts),
            (belief.mean**2 + left, np.ones_like(around)),
            guards=(np.ones_like(v), np.ones(v.shape[-1])),
        )

    def _scored(self, estimate: Array, belief: GaussianBelief) -> GaussianBelief:
        """Both variances near the maximum of their marginal likelihood, by Fisher scoring on ``N(0, v + 1 / I)``."""
        known = belief.information
        for _ in range(_STEPS):
            v, v0 = belief.variance, belief.mean_variance
            weight = known / (1 + known * v)
            total, pulled = weight.sum(0), (weight * estimate).sum(0)
            left = 1 / (total + 1 / v0)
            around = (weight**2 * ((estimate - left * pulled) ** 2 + left + v) - weight).sum(0)
            whole = total / (1 + total * v0)
            alone = pulled / np.where(total > 0, total, 1.0)
            about = whole**2 * (alone**2 + v0) - whole
            guards = (1 / v**2, 1 / v0**2)
            belief = self._updated(belief, (around, (weight**2).sum(0)), (about, whole**2), guards=guards)
        return belief

    def _updated(
        self,
        belief: GaussianBelief,
        around: tuple[Array, Array],
        about: tuple[Array, Array],
        guards: tuple[Array, Array],
    ) -> GaussianBelief:
        """Variances as sums of squares over sums of weights (target, source, basis), guards added."""
        covered, small = belief.covered, (_SMALL * self.scale) ** 2
        squares, weights = (x[covered].sum(0) for x in about)
        weight = self.guard * guards[1]
        mean_variance = _near(belief.mean_variance, squares + weight * small, weights + weight)
        if self.per_edge:
            level = covered.sum() / (1 / belief.variance)[covered].sum(0)
            weight = _PULL * guards[0]
            variance = _near(belief.variance, around[0] + weight * level, around[1] + weight)
        else:
            weight = self.guard * _first(guards[0], covered)
            squares, weights = (x[covered].sum(0) for x in around)
            common = _near(_first(belief.variance, covered), squares + weight * small, weights + weight)
            variance = np.broadcast_to(common, belief.variance.shape).copy()
        return belief._replace(variance=variance, mean_variance=mean_variance)

    def _guards(self, belief: GaussianBelief) -> float:
        """Log density of the inverse-gamma priors on the variances, up to constants."""
        small = (_SMALL * self.scale) ** 2
        out = guard_density(belief.mean_variance, self.guard, small)
        if not self.per_edge:
            return out + guard_density(_first(belief.variance, belief.covered), self.guard, small)
        # The level that all edges share is at its maximum: pull/2 log(level) - pull/2 level / v, summed over edges.
        v = belief.variance[belief.covered]
        level = len(v) / (1 / v).sum(0)
        return out + guard_density(v, _PULL, level) + 0.5 * _PULL * float(len(v) * np.log(level).sum())


def _near(before: Array, squares: Array, weights: Array) -> Array:
    """A variance, at most ten times larger or smaller than it was."""
    return np.asarray(np.clip(squares / weights, before / 10, before * 10))


def _shared_mean(coupling: Array, belief: GaussianBelief) -> Array:
    return np.asarray(coupling.sum(0) / (len(coupling) + belief.variance / belief.mean_variance))


def _first(values: Array, covered: NDArray[np.bool_]) -> Array:
    """The value that all covered edges share, a basis function."""
    return np.asarray(values[covered][0] if covered.any() else values[0, 0])
