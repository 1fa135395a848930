"""Expectation maximisation of a switching GLM: exact, pooled over sequences, and never downhill.

An iteration evaluates the observations in every state, smooths the chain, and then takes one damped Fisher step for
every (state, target). A step that lowered what it was meant to raise is shortened when it is next evaluated, so that
the objective (evidence plus log priors) rises without a second pass in the usual case.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dynome.dynamics.glm.fisher import Penalty
from dynome.dynamics.glm.passes import Emission
from dynome.dynamics.switching.emissions import Emissions, Move
from dynome.dynamics.switching.priors.contract import Prior
from dynome.dynamics.switching.processes import Process, Smoothed

Array = NDArray[np.float64]

_CERTAIN = 1e-10  # a posterior probability below this is none
_HALVINGS = 6
_SPARED = 0.01  # of the weight of a state that its curvature, which only leads the way, can do without
_ROUNDING = 1e-11  # relative, by which a sum over all bins may differ between two passes
_EMPTY = 1.0  # bins: a state that has fewer is empty
_LEARNING = 30  # iterations in which a prior that learns takes the curvature of the likelihood anew
_RELEARNING = 5  # the same, after a state began anew
_SETTLED = 10.0  # times the tolerance: a gain below which it does not


class Parameters(NamedTuple):
    """Everything that a fit changes.

    Attributes
    ----------
    coefficient : (n_state, n_target, n_feature)
        Bias, couplings and covariates.
    dispersion : (n_state, n_target)
        Variance or overdispersion of the law.
    process : Process
        How states follow one another.
    belief : NamedTuple
        What the prior has learnt about the couplings.
    """

    coefficient: Array
    dispersion: Array
    process: Process
    belief: Any


class Fit(NamedTuple):
    """Where one start ended.

    Attributes
    ----------
    parameters : Parameters
        Of the last iteration.
    emissions : Emissions
        With the features that were learnt, where they are.
    smoothed : Smoothed
        Posterior of the states under them.
    history : (n_iteration,)
        Objective, in nats: evidence plus log priors.
    converged : bool
        Whether the gain fell below the tolerance.
    reseeded : int
        How often an empty state began anew.
    """

    parameters: Parameters
    emissions: Emissions
    smoothed: Smoothed
    history: Array
    converged: bool
    reseeded: int


def expectation_maximization(
    emissions: Emissions,
    prior: Prior,
    start: Parameters,
    *,
    max_iter: int,
    tol: float,
    rng: np.random.Generator,
    advance: Callable[[float], object] = lambda _: None,
) -> Fit:
    """Climb from one start.

    Parameters
    ----------
    emissions : Emissions
        The observations and their law.
    prior : Prior
        On the couplings.
    start : Parameters
        Where to begin.
    max_iter : int
        Iterations at most.
    tol : float
        Stop when an iteration gains less than this, in nats an observed entry.
    rng : Generator
        For states that empty.
    advance : callable
        Called once an iteration.

    Returns
    -------
    Fit
    """
    parameters, history, reseeded = start, list[float](), 0
    learning = _LEARNING if prior.learns else 0  # iterations left in which the prior looks at the data anew
    found = emissions.evaluate(start.coefficient, start.dispersion, None)
    least = tol * max(emissions.n_observed, 1)
    while True:
        smoothed = parameters.process.smooth(found.log_likelihood, emissions.starts)
        history.append(objective(emissions, prior, parameters, smoothed))
        advance(1)
        empty = smoothed.probability.sum(axis=0) < _EMPTY
        gain = np.inf if len(history) == 1 else history[-1] - history[-2]
        converged = abs(gain) < least and not empty.any() and not learning
        if converged or len(history) == max_iter:
            return Fit(parameters, emissions, smoothed, np.array(history), converged, reseeded)
        learning = 0 if abs(gain) < _SETTLED * least else max(learning - 1, 0)
        if empty.any() and reseeded < 2 * empty.size:
            reseeded += int(empty.sum())
            learning = max(learning, _RELEARNING) if prior.learns else 0
            parameters = _reseeded(parameters, smoothed, rng)
            found = emissions.evaluate(parameters.coefficient, parameters.dispersion, None)
        else:
            parameters = parameters._replace(process=parameters.process.updated(smoothed))
            weight = smoothed.probability
            parameters, emissions, found = maximized(emissions, prior, parameters, weight, learning=learning > 0)


def objective(emissions: Emissions, prior: Prior, parameters: Parameters, smoothed: Smoothed) -> float:
    """Evidence plus log priors, in nats."""
    coupling = emissions.coupling(parameters.coefficient)
    return float(
        smoothed.evidence.sum() + prior.log_density(coupling, parameters.belief) + parameters.process.log_prior()
    )


def maximized(
    emissions: Emissions, prior: Prior, parameters: Parameters, weight: Array, *, learning: bool
) -> tuple[Parameters, Emissions, Emission]:
    """One M-step of all but the process: parameters, observations with learnt features, and their evaluation.

    Parameters
    ----------
    emissions : Emissions
        The observations.
    prior : Prior
        On the couplings.
    parameters : Parameters
        Where to step from.
    weight : (n_bin, n_state)
        Posterior of the states under them.
    learning : bool
        Whether the prior is told the curvature of the likelihood; the objective is then another one.
    """
    weight = np.where(weight < _CERTAIN, 0.0, weight)
    dispersion = emissions.dispersed(parameters.coefficient, parameters.dispersion, weight)
    emissions = emissions.relearnt(parameters.coefficient, dispersion, weight)
    coupling = emissions.coupling(parameters.coefficient)
    curve = emissions.curve(parameters.coefficient, dispersion, weight, spared=_SPARED)
    variance = None
    if learning:
        before = emissions.penalty(prior.quadratic(coupling, parameters.belief))
        variance = emissions.coupling_variance(curve, before)
    belief = prior.moved(
        lambda w: emissions.coupling_gradient(parameters.coefficient, w, dispersion, weight), parameters.belief
    )
    belief = prior.refined(coupling, variance, belief)
    move = emissions.move(curve, parameters.coefficient, emissions.penalty(prior.quadratic(coupling, belief)))
    coefficient, found = accepted(emissions, parameters.coefficient, dispersion, weight, move)
    return parameters._replace(coefficient=coefficient, dispersion=dispersion, belief=belief), emissions, found


def accepted(
    emissions: Emissions, coefficient: Array, dispersion: Array, weight: Array, move: Move
) -> tuple[Array, Emission]:
    """The longest of the steps 1, 1/2, 1/4, ... of every problem that does not lower what it was meant to raise."""
    length = np.ones(coefficient.shape[:2])
    before = move.value - cost(coefficient, move.penalty)
    for k in range(_HALVINGS + 1):
        trial = coefficient + length[:, :, None] * move.step
        found = emissions.evaluate(trial, dispersion, weight)
        gain = emissions.together(found.expected - cost(trial, move.penalty) - before)
        short = gain < -_ROUNDING * emissions.together(np.abs(before))
        if not short.any():
            break
        length = np.where(short, 0.0 if k == _HALVINGS - 1 else 0.5 * length, length)
    return trial, found


def cost(coefficient: Array, penalty: Penalty) -> Array:
    """Minus the log prior of every (state, target), up to a constant."""
    return np.asarray(0.5 * (penalty.precision * (coefficient - penalty.mean) ** 2).sum(axis=2))


def _reseeded(parameters: Parameters, smoothed: Smoothed, rng: np.random.Generator) -> Parameters:
    """Empty states begin anew beside the state that has most bins."""
    occupied = smoothed.probability.sum(axis=0)
    coefficient = parameters.coefficient.copy()
    dispersion = parameters.dispersion.copy()
    largest = int(occupied.argmax())
    spread = coefficient.std(axis=0) + 0.1 * np.abs(coefficient[largest])
    for state in np.flatnonzero(occupied < _EMPTY):
        coefficient[state] = coefficient[largest] + spread * rng.standard_normal(spread.shape)
        dispersion[state] = dispersion[largest]
    return parameters._replace(
        coefficient=coefficient, dispersion=dispersion, process=parameters.process.restarted(occupied < _EMPTY)
    )
