"""Categorical observations, such as choices and behaviours: one predictor a category, and softmax over them.

A variable with codes 0, 1, ..., C - 1 has C targets, whose coefficients sum to 0 over categories, and acts on others
through C - 1 indicators: whether it was in category 1, 2, ....
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import scipy.special
from numpy.typing import NDArray

from dynome.dynamics.glm.designs import Design
from dynome.dynamics.glm.fisher import Penalty
from dynome.dynamics.glm.multinomial import fit_multinomial
from dynome.dynamics.glm.passes import Emission, Problem
from dynome.dynamics.hmm.sequences import Sequences
from dynome.dynamics.switching.emissions import Emissions, Move
from dynome.errors import Problems, listed

Array = NDArray[np.float64]

_ROWS = 4096
_MOST = 50  # categories, beyond which codes are rather measurements
_SHARE = 0.5  # of an observation: what a category that never occurs counts as


class CategoricalCurve(NamedTuple):
    """Where a step begins.

    Attributes
    ----------
    value : (n_state, n_target)
        Expected log probability of a variable, told at its first category.
    weight : (n_bin, n_state)
        Posterior of the states.
    """

    value: Array
    weight: Array


@dataclass(frozen=True)
class CategoricalEmissions(Emissions):
    """Variables that are independent given the state and the past; `problem.y` holds their codes.

    Attributes
    ----------
    n_categories : (n_variable,)
        Of every variable.
    """

    n_categories: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))

    @property
    def groups(self) -> list[slice]:
        """Targets of every variable."""
        return groups_of(self.n_categories)

    def evaluate(self, coefficient: Array, dispersion: Array, weight: Array | None) -> Emission:
        """Log likelihood of every bin in every state, and its expectation under `weight`."""
        design, codes = self.problem.design, self.problem.observed
        n_state = coefficient.shape[0]
        log_likelihood = np.zeros((design.n_bin, n_state))
        expected = np.zeros(coefficient.shape[:2])
        for a in range(0, design.n_bin, _ROWS):
            b = min(a + _ROWS, design.n_bin)
            block = np.asarray(design.block(a, b), dtype=np.float64)
            for s in range(n_state):
                eta = block @ coefficient[s].T
                for variable, group in enumerate(self.groups):
                    found = log_softmax_of(eta[:, group], codes[a:b, variable])
                    log_likelihood[a:b, s] += found
                    if weight is not None:
                        expected[s, group.start] += found @ weight[a:b, s]
        return Emission(log_likelihood, expected)

    def dispersed(self, coefficient: Array, dispersion: Array, weight: Array) -> Array:
        """Categories have no dispersion."""
        return dispersion

    def curve(self, coefficient: Array, dispersion: Array, weight: Array, *, spared: float = 0.0) -> Any:
        """Where a step begins."""
        return CategoricalCurve(self.evaluate(coefficient, dispersion, weight).expected, weight)

    def coupling_variance(self, curve: Any, penalty: Penalty) -> Array:
        """Not known: priors that learn are not for categories."""
        return np.full(self.coupling(penalty.mean).shape, np.inf)

    def move(self, curve: Any, coefficient: Array, penalty: Penalty) -> Move:
        """One Newton step of a multinomial regression for every state and variable."""
        design, codes = self.problem.design, self.problem.observed
        block = np.asarray(design.block(0, design.n_bin), dtype=np.float64)
        step = np.zeros_like(coefficient)
        for variable, group in enumerate(self.groups):
            seen = np.flatnonzero(np.isfinite(codes[:, variable]))
            use = np.flatnonzero(self.problem.free[group.start])
            features = block[np.ix_(seen, use)]
            chosen = np.eye(self.n_categories[variable])[codes[seen, variable].astype(np.int64)]
            for s in range(coefficient.shape[0]):
                labels = chosen * curve.weight[seen, s][:, None]
                ridge = penalty.precision[s, group.start]
                old = coefficient[s, group][:, use]
                found = fit_multinomial(features, labels, ridge=ridge[use], start=old.T, max_iter=1)
                step[s, group.start : group.stop, use] = found.coefficient - old.T
        return Move(step, curve.value, penalty)

    def together(self, values: Array) -> Array:
        """Values of all categories of a variable, summed over them (and over states that share a bias)."""
        out = np.empty_like(values)
        for group in self.groups:
            out[:, group] = values[:, group].sum(axis=1, keepdims=True)
        return out

    def mean(self, eta: Array) -> Array:
        """Probability of every category."""
        return np.concatenate([scipy.special.softmax(eta[..., group], axis=-1) for group in self.groups], axis=-1)


def groups_of(n_categories: NDArray[np.int64]) -> list[slice]:
    """Targets of every variable.

    Parameters
    ----------
    n_categories : (n_variable,)
        Of every variable.

    Examples
    --------
    >>> groups_of(np.array([2, 3]))
    [slice(0, 2, None), slice(2, 5, None)]
    """
    ends = np.cumsum(n_categories)
    return [slice(int(b - n), int(b)) for n, b in zip(n_categories, ends, strict=True)]


def log_softmax_of(eta: Array, codes: NDArray[np.floating]) -> Array:
    """Log probability of the categories that came, (n_bin,); 0 where they are missing.

    Parameters
    ----------
    eta : (n_bin, n_category)
        Predictors.
    codes : (n_bin,)
        Categories; NaN is missing.
    """
    seen = np.isfinite(codes)
    chosen = np.where(seen, codes, 0).astype(np.int64)
    values = eta[np.arange(codes.size), chosen] - scipy.special.logsumexp(eta, axis=1)
    return np.asarray(np.where(seen, values, 0.0))


def indicators(codes: Array, n_categories: NDArray[np.int64]) -> Array:
    """Whether each variable is in each category but the first, (n_bin, n_source); NaN where it is missing.

    Parameters
    ----------
    codes : (n_bin, n_variable)
        Categories.
    n_categories : (n_variable,)
        Of every variable.
    """
    columns = [codes[:, v, None] == np.arange(1, n) for v, n in enumerate(n_categories)]
    out = np.concatenate(columns, axis=1).astype(np.float64)
    missing = np.repeat(np.isnan(codes), n_categories - 1, axis=1)
    out[missing] = np.nan
    return out


def counted_categories(codes: Array) -> NDArray[np.int64]:
    """Categories of every variable, (n_variable,): its largest code and those below, at least two.

    Parameters
    ----------
    codes : (n_bin, n_variable)
        Categories; NaN is missing.
    """
    return np.asarray(np.maximum(np.nanmax(codes, axis=0) + 1, 2), np.int64)


def add_category_problems(problems: Problems, sequences: Sequences) -> None:
    """Note variables with more categories than a categorical variable has.

    Parameters
    ----------
    problems : Problems
        Where to note it.
    sequences : Sequences
        Their codes.
    """
    highest = np.nanmax(sequences.y, axis=0, initial=0)
    if (many := sequences.nodes[highest >= _MOST]).size:
        problems.add(f"{listed(many)} have codes of {_MOST} and more; number the categories 0, 1, 2, ...")


def add_absent_categories(problems: Problems, sequences: Sequences, n_categories: tuple[int, ...]) -> None:
    """Note categories that never occur: without a prior, nothing holds their predictors.

    Parameters
    ----------
    problems : Problems
        Where to note it.
    sequences : Sequences
        Their codes.
    n_categories : tuple of int
        Of every variable.
    """
    for v, n in enumerate(n_categories):
        absent = sorted(set(range(n)) - set(sequences.y[np.isfinite(sequences.y[:, v]), v].astype(int).tolist()))
        if absent:
            problems.add(
                f"{sequences.nodes[v]} never has the code {listed(absent)}; number the categories from 0 without gaps, "
                "or take prior='ridge'"
            )


def categorical_emissions(
    sequences: Sequences, kernels: Array, n_categories: NDArray[np.int64], *, self_history: bool
) -> CategoricalEmissions:
    """Categorical observations with their design.

    Parameters
    ----------
    sequences : Sequences
        Stacked bins; codes.
    kernels : (n_basis, n_lag)
        Filters of the past.
    n_categories : (n_variable,)
        Of every variable.
    self_history : bool
        Whether the past of a variable acts on the variable itself.
    """
    design = Design(indicators(sequences.y, n_categories), kernels, sequences.covariates, sequences.starts)
    n_target, n_source, n_basis = int(n_categories.sum()), design.n_node, kernels.shape[0]
    free = np.ones((n_target, design.n_feature), dtype=bool)
    if not self_history:
        history = free[:, 1 : 1 + n_source * n_basis].reshape(n_target, n_source, n_basis)
        for to, of in zip(groups_of(n_categories), groups_of(n_categories - 1), strict=True):
            history[to, of] = False
    problem = Problem(design, sequences.y, "categorical", "softmax", free)
    return CategoricalEmissions(problem, sequences.starts, n_source, n_basis, n_categories=n_categories)


def first_logits(codes: Array, n_categories: NDArray[np.int64]) -> Array:
    """Log frequencies of all categories, (n_target,), each variable's summing to 0.

    Parameters
    ----------
    codes : (n_bin, n_variable)
        Categories; NaN is missing.
    n_categories : (n_variable,)
        Of every variable.
    """
    out = []
    for v, n in enumerate(n_categories):
        seen = codes[np.isfinite(codes[:, v]), v].astype(np.int64)
        logs = np.log(np.maximum(np.bincount(seen, minlength=n), _SHARE))
        out.append(logs - logs.mean())
    return np.concatenate(out)


def drawn_categories(eta: Array, n_categories: NDArray[np.int64], rng: np.random.Generator) -> Array:
    """Categories drawn at given predictors, (..., n_variable).

    Parameters
    ----------
    eta : (..., n_target)
        Predictors.
    n_categories : (n_variable,)
        Of every variable.
    rng : Generator
        Draws them.
    """
    noise = rng.gumbel(size=eta.shape)
    return np.stack([(eta + noise)[..., g].argmax(axis=-1) for g in groups_of(n_categories)], axis=-1).astype(float)
