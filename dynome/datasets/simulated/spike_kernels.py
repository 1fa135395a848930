"""Compiled kernels that walk spiking networks step by step. Importing this module imports numba."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_most = 20.0  # expected spikes a bin, above which a Poisson rate is cut


@njit(cache=True)
def walk_membranes(
    pointer: Ints,
    target: Ints,
    jump: Floats,
    delay: Ints,
    drive: Floats,
    noise: float,
    decay: float,
    n_refractory: int,
    per_bin: int,
    n_bin: int,
    rng: np.random.Generator,
) -> Ints:
    """Spikes of leaky integrate-and-fire neurons, counted in bins.

    Parameters
    ----------
    pointer : (n_node + 1,)
        Where the outgoing edges of each neuron begin.
    target, jump, delay : (n_edge,)
        Of every edge, those of one source together: who is reached, by how much its membrane jumps (the way from
        reset, 0, to threshold is 1), and after how many steps (at least 1).
    drive : (n_node,)
        Where the membrane of each would rest.
    noise : float
        Standard deviation of what is added in each step.
    decay : float
        Share of the way to rest that a membrane keeps in a step.
    n_refractory : int
        Steps after a spike in which the membrane is held at reset.
    per_bin, n_bin : int
        Steps in a bin, and bins.
    rng : Generator
        Source of the noise and of where the membranes start.

    Returns
    -------
    (n_bin, n_node)
    """
    n_node = drive.size
    depth = 1 + (delay.max() if delay.size else 0)
    arriving = np.zeros((depth, n_node))
    held = np.zeros(n_node, dtype=np.int64)
    v = rng.random(n_node)
    count = np.zeros((n_bin, n_node), dtype=np.int64)
    for t in range(n_bin * per_bin):
        now = arriving[t % depth]
        for n in range(n_node):
            if held[n] > 0:
                held[n] -= 1
                continue
            v[n] = drive[n] + decay * (v[n] - drive[n]) + noise * rng.standard_normal() + now[n]
            if v[n] >= 1.0:
                v[n] = 0.0
                held[n] = n_refractory
                count[t // per_bin, n] += 1
                for e in range(pointer[n], pointer[n + 1]):
                    arriving[(t + delay[e]) % depth, target[e]] += jump[e]
        now[:] = 0.0
    return count


@njit(cache=True)
def walk_rates(
    pointer: Ints,
    target: Ints,
    weight: Floats,
    delay: Ints,
    bias: Floats,
    recovery: float,
    decay: float,
    logistic: bool,
    n_bin: int,
    rng: np.random.Generator,
) -> Ints:
    """Spikes of a network whose rates follow its filtered past.

    Parameters
    ----------
    pointer : (n_node + 1,)
        Where the outgoing edges of each node begin.
    target, weight, delay : (n_edge,)
        Of every edge: who is reached, what one spike adds to the log rate or log odds at first, and after how many
        bins (at least 1).
    bias : (n_node,)
        Log of the expected count a bin, or log odds of a spike, at rest.
    recovery : float
        What a node's own spike adds for the next bin; it decays as the couplings do.
    decay : float
        What is left of an effect after a bin.
    logistic : bool
        At most one spike a bin, its odds from the past; otherwise Poisson counts.
    n_bin : int
        How many bins.
    rng : Generator
        Source of randomness.

    Returns
    -------
    (n_bin, n_node)
    """
    n_node = bias.size
    depth = 1 + (max(delay.max(), 1) if delay.size else 1)
    arriving = np.zeros((depth, n_node))
    effect = np.zeros(n_node)
    count = np.zeros((n_bin, n_node), dtype=np.int64)
    for t in range(n_bin):
        now = arriving[t % depth]
        for n in range(n_node):
            effect[n] = decay * effect[n] + now[n]
        now[:] = 0.0
        for n in range(n_node):
            eta = bias[n] + effect[n]
            if logistic:
                spikes = 1 if rng.random() * (1.0 + np.exp(-eta)) < 1.0 else 0
            else:
                spikes = rng.poisson(min(np.exp(min(eta, 50.0)), _most))
            if spikes > 0:
                count[t, n] = spikes
                arriving[(t + 1) % depth, n] += spikes * recovery
                for e in range(pointer[n], pointer[n + 1]):
                    arriving[(t + delay[e]) % depth, target[e]] += spikes * weight[e]
    return count
