"""Where an EM begins: one GLM for all bins, and two ways to part the states from it.

Starts of one kind differ by noise on the predictors (states that differ in their coupling); those of the other kind
by clusters of stretches of time with alike rates (states that differ in who is active). Which of them suits is not
known beforehand, so that restarts take turns.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dynome.dynamics.glm.passes import Problem
from dynome.dynamics.hmm.chain import Chain
from dynome.dynamics.hmm.clustering import clusters as k_means
from dynome.dynamics.switching.em import Fit, Parameters, expectation_maximization, maximized
from dynome.dynamics.switching.emissions import MOST_FEATURES, Emissions
from dynome.dynamics.switching.priors.contract import Prior
from dynome.dynamics.switching.processes import PlainProcess, Process

Array = NDArray[np.float64]
Begin = Callable[[Array], Any]

_SPREAD = 0.6  # of the predictors between states, in units of the link
_STRETCH = 25  # bins whose mean activity is clustered
_SURE = 0.9  # that a bin is of the state of its cluster
_ROUNDS, _ROUNDS_OF_MANY = 4, 2  # M-steps that fit the states of a clustered start to their bins
_ONE_STATE_ITER, _ITER_OF_MANY = 30, 3  # with many features a rough start is good enough


def one_state(emissions: Emissions, prior: Prior, begin: Begin, bias: Array, dispersion: Array, tol: float) -> Fit:
    """The GLM of all bins.

    Parameters
    ----------
    emissions : Emissions
        The observations.
    prior : Prior
        On the couplings.
    begin : callable
        What is believed at couplings where a fit begins.
    bias, dispersion : (n_target,)
        Where to begin.
    tol : float
        As in `expectation_maximization`.
    """
    coefficient = np.zeros((1, bias.size, emissions.problem.free.shape[1]))
    coefficient[0, :, 0] = bias
    belief = begin(emissions.coupling(coefficient))
    start = Parameters(coefficient, dispersion[None], PlainProcess(Chain(np.ones((1, 1)), np.ones(1))), belief)
    rng = np.random.default_rng(0)  # never drawn from: one state cannot empty
    n_iter = _ITER_OF_MANY if emissions.problem.free.shape[1] > MOST_FEATURES else _ONE_STATE_ITER
    return expectation_maximization(emissions, prior, start, max_iter=n_iter, tol=tol, rng=rng)


def perturbed(
    emissions: Emissions,
    begin: Begin,
    common: Parameters,
    process: Process,
    rng: np.random.Generator,
) -> Parameters:
    """States that surround the common GLM at random.

    Parameters
    ----------
    emissions : Emissions
        The observations.
    begin : callable
        What is believed at couplings where a fit begins.
    common : Parameters
        As `one_state` gives them.
    process : Process
        How states follow one another at first; its number of states counts.
    rng : Generator
        Draws the noise.
    """
    n_state = process.chain.initial.size
    mean, scale = feature_moments(emissions.problem)
    free = emissions.problem.free
    unit = np.sqrt(common.dispersion[0]) if emissions.problem.law == "gaussian" else np.ones(free.shape[0])
    noise = rng.standard_normal((n_state, *free.shape)) * free
    size = np.divide(_SPREAD, scale, out=np.zeros_like(scale), where=scale > 0)
    size = np.tile(size, (free.shape[0], 1)) / np.sqrt(np.maximum(free[:, 1:].sum(axis=1), 1))[:, None]
    size[:, 0] = _SPREAD / 3
    noise *= size * unit[:, None]
    noise[:, :, 0] = 0 if emissions.shared_bias else noise[:, :, 0] - noise[:, :, 1:] @ mean[1:]
    coefficient = np.repeat(common.coefficient, n_state, axis=0) + noise
    dispersion = np.repeat(common.dispersion, n_state, axis=0)
    return Parameters(coefficient, dispersion, process, begin(emissions.coupling(coefficient)))


def clustered(
    emissions: Emissions,
    prior: Prior,
    begin: Begin,
    common: Parameters,
    process: Process,
    rng: np.random.Generator,
) -> Parameters:
    """States fitted to clusters of stretches of time with alike activity.

    Parameters
    ----------
    emissions, begin, common, process, rng
        As in `perturbed`.
    prior : Prior
        On the couplings.
    """
    n_state = process.chain.initial.size
    many = emissions.problem.free.shape[1] > MOST_FEATURES
    sure = 1.0 if many else _SURE  # then each state reads its own bins only
    weight = np.full((emissions.problem.design.n_bin, n_state), (1 - sure) / max(n_state - 1, 1))
    weight[np.arange(weight.shape[0]), clusters(emissions, n_state, rng)] = sure
    coefficient = np.repeat(common.coefficient, n_state, axis=0)
    dispersion = np.repeat(common.dispersion, n_state, axis=0)
    parameters = Parameters(coefficient, dispersion, process, begin(emissions.coupling(coefficient)))
    for _ in range(_ROUNDS_OF_MANY if many else _ROUNDS):
        parameters = maximized(emissions, prior, parameters, weight, learning=prior.learns)[0]
    return parameters


def clusters(emissions: Emissions, n_state: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """The cluster of every bin, (n_bin,): k-means of the mean activity of stretches of 25 bins (roots of counts).

    Parameters
    ----------
    emissions : Emissions
        The observations.
    n_state : int
        Number of clusters.
    rng : Generator
        Seeds the clustering.
    """
    y, starts = emissions.problem.y, emissions.starts
    stretch = np.concatenate([np.arange(b - a) // _STRETCH for a, b in pairwise(starts)])
    new = np.diff(stretch, prepend=-1) != 0
    new[starts[:-1]] = True
    first = np.flatnonzero(new)
    seen = np.isfinite(y)
    total, number = (np.add.reduceat(np.where(seen, v, 0.0), first, axis=0) for v in (y, seen))
    mean = np.divide(total, number, out=np.zeros_like(total), where=number > 0)
    if emissions.problem.law in ("poisson", "negative_binomial"):
        mean = np.sqrt(mean)
    spread = mean.std(axis=0)
    points = mean / np.where(spread > 0, spread, 1)
    return np.asarray(k_means(points, n_state, rng)[np.cumsum(new) - 1])


def feature_moments(problem: Problem, most: int = 20_000) -> tuple[Array, Array]:
    """Mean and standard deviation of every feature, each (n_feature,), over the first bins.

    Parameters
    ----------
    problem : Problem
        With its design.
    most : int
        Bins to look at.
    """
    block = np.asarray(problem.design.block(0, min(problem.design.n_bin, most)), dtype=np.float64)
    return block.mean(axis=0), block.std(axis=0)
