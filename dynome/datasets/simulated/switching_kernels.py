"""Compiled kernel that walks a switching GLM bin by bin. Importing this module imports numba."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

GAUSSIAN, POISSON, BERNOULLI, NEGATIVE_BINOMIAL = range(4)
IDENTITY, EXP, SOFTPLUS, SIGMOID = range(4)
ESCAPED = 500.0  # a mean beyond this is activity that runs away


@njit(cache=True)
def walk_states(
    n_time: int,
    transition: Floats,
    initial: Floats,
    n_phases: int,
    tilt: Floats,
    stimulus: Floats,
    uniform: Floats,
) -> Ints:
    """States of one session.

    Parameters
    ----------
    n_time : int
        Bins.
    transition : (n_state, n_state)
        Probability a bin; with several phases, mean dwell times are those of this matrix.
    initial : (n_state,)
        Probabilities of the first bin.
    n_phases : int
        Phases that a state passes before it is left, each for a geometric time: 1 is a Markov chain.
    tilt : (n_state,)
        Change of the log odds of a state by the stimulus; of effect only with one phase.
    stimulus : (n_time,)
        Of the bin that is entered.
    uniform : (n_time, 2)
        Random numbers in [0, 1): whether the phase advances, and which state comes.

    Returns
    -------
    (n_time,)
    """
    n_state = initial.size
    state = np.empty(n_time, dtype=np.int64)
    odds = initial.copy()
    phase = 0
    for t in range(n_time):
        if t > 0:
            here = state[t - 1]
            for s in range(n_state):
                odds[s] = transition[here, s]
            if n_phases > 1:
                phase += uniform[t, 0] < n_phases * (1.0 - transition[here, here])
                if phase < n_phases:
                    state[t] = here
                    continue
                phase = 0
                odds[here] = 0.0
            else:
                for s in range(n_state):
                    odds[s] *= np.exp(tilt[s] * stimulus[t])
        left = uniform[t, 1] * odds.sum()
        found = n_state - 1
        for s in range(n_state):
            left -= odds[s]
            if left < 0.0:
                found = s
                break
        state[t] = found
    return state


@njit(cache=True)
def mean_of(eta: float, link: int) -> float:
    """Mean of an observation from its linear predictor."""
    if link == EXP:
        return float(np.exp(min(eta, 700.0)))
    if link == SOFTPLUS:
        return float(max(eta, 0.0) + np.log1p(np.exp(-abs(eta))))
    if link == SIGMOID:
        return float(1.0 / (1.0 + np.exp(-eta)))
    return eta


@njit(cache=True)
def poisson(mean: float, uniform: float) -> float:
    """The quantile of a Poisson variable, by summing up its probabilities."""
    k, probability = 0.0, np.exp(-mean)
    below = probability
    while uniform >= below and probability > 0.0:
        k += 1.0
        probability *= mean / k
        below += probability
    return k


@njit(cache=True)
def walk_activity(
    state: Ints,
    coupling: Floats,
    history: Floats,
    bias: Floats,
    drive: Floats,
    stimulus: Floats,
    law: int,
    link: int,
    gain: Floats,
    noise: Floats,
) -> tuple[Floats, int]:
    """Observations of one session.

    Parameters
    ----------
    state : (n_time,)
        State of each bin.
    coupling : (n_state, n_node, n_node)
        Row is the target, column the source.
    history : (n_lag,)
        Weight of each lag, one bin back first. Before the first bin there is silence.
    bias, drive : (n_state, n_node)
        Offset, and effect of the stimulus.
    stimulus : (n_time,)
        In each bin.
    law, link : int
        Codes of this module.
    gain : (n_time, n_node) or (1, 1)
        Factors on the means of counts.
    noise : (n_time, n_node)
        What is added (Gaussian), else random numbers in [0, 1).

    Returns
    -------
    y : (n_time, n_node)
        Observations.
    n_sound : int
        Bins before the activity ran away; n_time if it did not.
    """
    n_time, n_node = noise.shape
    varied = gain.size > 1
    y = np.zeros((n_time, n_node))
    past = np.empty(n_node)
    for t in range(n_time):
        past[:] = 0.0
        for lag in range(min(history.size, t)):
            past += history[lag] * y[t - 1 - lag]
        eta = bias[state[t]] + coupling[state[t]] @ past + drive[state[t]] * stimulus[t]
        for n in range(n_node):
            mean = mean_of(eta[n], link)
            if varied:
                mean *= gain[t, n]
            if not abs(mean) < ESCAPED:
                return y, t
            if law == GAUSSIAN:
                y[t, n] = mean + noise[t, n]
            elif law == BERNOULLI:
                y[t, n] = 1.0 if noise[t, n] < mean else 0.0
            else:
                y[t, n] = poisson(mean, noise[t, n])
    return y, n_time
