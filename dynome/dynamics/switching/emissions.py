"""What an EM needs of the observations: their probability in every state, and where to move the coefficients."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from dynome.dynamics.glm.dispersion import updated_dispersion
from dynome.dynamics.glm.fisher import Penalty, direction
from dynome.dynamics.glm.laws import RATE_FLOOR, mean
from dynome.dynamics.glm.learnt_kernel import updated_kernel
from dynome.dynamics.glm.passes import Curvature, Emission, Problem, curvature, emission, gradient
from dynome.dynamics.glm.preconditioned import SharedCurvature, preconditioned_direction, shared_curvature
from dynome.dynamics.glm.variances import shared_variance, summed_variance
from dynome.dynamics.switching.priors.contract import Quadratic

Array = NDArray[np.float64]
Curve = Curvature | SharedCurvature

MOST_FEATURES = 160  # of a target, beyond which information matrices are too many to form


class Move(NamedTuple):
    """A step for every (state, target), and what it has to improve on.

    Attributes
    ----------
    step : (n_state, n_target, n_feature)
        To add to the coefficients.
    value : (n_state, n_target)
        Expected log likelihood where the step begins.
    penalty : Penalty
        Minus the log prior, touching it where the step begins.
    """

    step: Array
    value: Array
    penalty: Penalty


@dataclass(frozen=True)
class Emissions:
    """Nodes that are independent given the state and the past; a law with more than one predictor a node overrides it.

    Attributes
    ----------
    problem : Problem
        Observations, design and law.
    starts : (n_sequence + 1,)
        First bin of each sequence.
    n_source, n_basis : int
        Sources and kernels that the history features are made of.
    shared_bias : bool
        One bias a target for all states.
    learns_kernel : bool
        Whether the one kernel over lags is learnt.
    """

    problem: Problem
    starts: NDArray[np.int64]
    n_source: int
    n_basis: int
    shared_bias: bool = False
    learns_kernel: bool = False

    @property
    def n_observed(self) -> int:
        """Entries that are seen and predicted."""
        return int(np.isfinite(self.problem.y).sum())

    def evaluate(self, coefficient: Array, dispersion: Array, weight: Array | None) -> Emission:
        """Log likelihood of every bin in every state, and its expectation under `weight`."""
        return emission(self.problem, coefficient, dispersion, weight)

    def dispersed(self, coefficient: Array, dispersion: Array, weight: Array) -> Array:
        """The dispersion that suits these coefficients best."""
        return updated_dispersion(self.problem, coefficient, dispersion, weight)

    def relearnt(self, coefficient: Array, dispersion: Array, weight: Array) -> Self:
        """The same observations, filtered by the kernel that suits these coefficients best where it is learnt."""
        if not self.learns_kernel:
            return self
        design = self.problem.design
        kernel = updated_kernel(self.problem, design.kernels[0], coefficient, dispersion, weight)
        return replace(self, problem=replace(self.problem, design=design.refiltered(kernel[None])))

    def curve(self, coefficient: Array, dispersion: Array, weight: Array, *, spared: float = 0.0) -> Curve:
        """Value, score and information of every (state, target); with many features, one information a state.

        A share `spared` of the weights need not be in the information, see `curvature`.
        """
        if coefficient.shape[2] > MOST_FEATURES:
            return shared_curvature(self.problem, coefficient, dispersion, weight)
        return curvature(self.problem, coefficient, dispersion, weight, spared=spared)

    @property
    def edges(self) -> NDArray[np.bool_]:
        """Which couplings exist, (target, source)."""
        history = self.problem.free[:, 1 : 1 + self.n_source * self.n_basis]
        if not self.n_basis:
            return np.zeros((self.problem.free.shape[0], self.n_source), dtype=bool)
        return np.asarray(np.logical_or.reduce(history.reshape(-1, self.n_source, self.n_basis), axis=2))

    def coupling_variance(self, curve: Curve, penalty: Penalty) -> Array:
        """Laplace variance of the couplings."""
        free = self.problem.free
        if isinstance(curve, SharedCurvature):
            found = shared_variance(curve.gram, curve.share, penalty.precision, free)
        else:
            found = summed_variance(curve.information, penalty.precision, free)
        return np.asarray(np.where(self.coupling(found) > 0, self.coupling(found), np.inf))

    def move(self, curve: Curve, coefficient: Array, penalty: Penalty) -> Move:
        """One damped Fisher step."""
        if isinstance(curve, SharedCurvature):
            found = preconditioned_direction(self.problem, curve, penalty, shared_bias=self.shared_bias)
        else:
            found = direction(curve, coefficient, penalty, self.problem.free, shared_bias=self.shared_bias)
        return Move(found.step, curve.value, penalty)

    def mean(self, eta: Array) -> Array:
        """Mean of the observations at predictors."""
        values = np.asarray(mean(eta, self.problem.link), np.float64)
        floored = self.problem.law == "poisson" and self.problem.link == "identity"
        return np.maximum(values, RATE_FLOOR) if floored else values

    def coupling(self, coefficient: Array) -> Array:
        """The history block, (state, target, source, basis)."""
        block = coefficient[:, :, 1 : 1 + self.n_source * self.n_basis]
        return block.reshape(*coefficient.shape[:2], self.n_source, self.n_basis)

    def coupling_gradient(self, coefficient: Array, coupling: Array, dispersion: Array, weight: Array) -> Array:
        """Gradient of the expected log likelihood in the couplings, at couplings other than those of `coefficient`."""
        moved = coefficient.copy()
        moved[:, :, 1 : 1 + self.n_source * self.n_basis] = coupling.reshape(*coefficient.shape[:2], -1)
        return self.coupling(gradient(self.problem, moved, dispersion, weight).score)

    def penalty(self, quadratic: Quadratic) -> Penalty:
        """A prior on the couplings as one on all coefficients; bias and covariates are free."""
        shape = (*quadratic.mean.shape[:2], self.problem.free.shape[1])
        mean, precision = np.zeros(shape), np.zeros(shape)
        history = slice(1, 1 + self.n_source * self.n_basis)
        mean[:, :, history] = quadratic.mean.reshape(*shape[:2], -1)
        precision[:, :, history] = quadratic.precision.reshape(*shape[:2], -1)
        return Penalty(mean, precision)

    def together(self, values: Array) -> Array:
        """Values of problems that share a bias, summed over them."""
        return np.asarray(np.broadcast_to(values.sum(axis=0), values.shape) if self.shared_bias else values)
