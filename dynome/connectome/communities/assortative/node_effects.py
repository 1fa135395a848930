r"""The model of the values of edges, compiled.

Every node has an inner effect :math:`u_i` and an outer one :math:`v_i`, drawn from a normal distribution of two
dimensions, and every edge has the value

.. math:: y_{ij} = \mu_{in} + u_i + u_j + \epsilon \quad\text{inside a community,}\qquad
          y_{ij} = \mu_{out} + v_i + v_j + \epsilon \quad\text{between two}

with normal noise. Means, noise and the distribution of effects are fitted (empirical Bayes); the effects are
integrated out node by node.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dynome.connectome.communities.blockmodel.random_bits import State, uniform

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

LEAST_SHARE = 1e-6  # of the variance of the values: no weight is known better than to a thousandth of their spread
_MOST_CORRELATED = 0.999


class Effects(NamedTuple):
    """What is fitted to the values.

    Attributes
    ----------
    inner, outer : (n_node,)
        Effects :math:`u` and :math:`v`.
    unsure : (n_node, 3)
        Posterior variances of both and their covariance; 0 where effects are drawn rather than averaged.
    mean : (2,)
        Inside and between.
    noise : (1,)
        Variance of the noise.
    prior : (3,)
        Variances of inner and outer effects, and their covariance.
    """

    inner: Floats
    outer: Floats
    unsure: Floats
    mean: Floats
    noise: Floats
    prior: Floats


def new_effects(n_node: int, value: Floats) -> Effects:
    """No effects yet; noise as large as the spread of the values."""
    spread = float(np.var(value))
    prior = np.array([0.25, 0.25, 0.225]) * spread
    zeros = np.zeros((2, n_node))
    return Effects(zeros[0], zeros[1], np.zeros((n_node, 3)), np.full(2, value.mean()), np.array([spread]), prior)


@njit(cache=True)
def precision(prior: Floats) -> tuple[float, float, float]:
    """Inverse of the covariance of effects: inner, outer, both."""
    determinant = prior[0] * prior[1] - prior[2] * prior[2]
    return prior[1] / determinant, prior[0] / determinant, -prior[2] / determinant


@njit(cache=True)
def update_node(
    i: int, start: Ints, neighbour: Ints, value: Floats, community: Ints, effects: Effects, draw: bool, state: State
) -> None:
    """Effects of one node given those of its neighbours: their posterior mean, or a draw."""
    inner, outer, both = precision(effects.prior)
    noise = effects.noise[0]
    pull = np.zeros(2)
    count = np.zeros(2)
    for e in range(start[i], start[i + 1]):
        j = neighbour[e]
        if community[j] == community[i]:
            pull[0] += value[e] - effects.mean[0] - effects.inner[j]
            count[0] += 1
        else:
            pull[1] += value[e] - effects.mean[1] - effects.outer[j]
            count[1] += 1
    inner += count[0] / noise
    outer += count[1] / noise
    determinant = inner * outer - both * both
    c_inner, c_outer, c_both = outer / determinant, inner / determinant, -both / determinant
    effects.inner[i] = (c_inner * pull[0] + c_both * pull[1]) / noise
    effects.outer[i] = (c_both * pull[0] + c_outer * pull[1]) / noise
    if draw:
        scale = math.sqrt(c_inner)
        first, second = _normal(state), _normal(state)
        effects.inner[i] += scale * first
        rest = math.sqrt(max(c_outer - c_both * c_both / c_inner, 0.0))
        effects.outer[i] += c_both / scale * first + rest * second
        effects.unsure[i, :] = 0.0
    else:
        effects.unsure[i, 0], effects.unsure[i, 1], effects.unsure[i, 2] = c_inner, c_outer, c_both


@njit(cache=True)
def update_shared(
    start: Ints, neighbour: Ints, value: Floats, community: Ints, effects: Effects, least: float, with_prior: bool
) -> None:
    """Means, noise and, if wished, the distribution of effects given the effects of all nodes."""
    n_node = community.size
    count, total = np.zeros(2), np.zeros(2)
    for i in range(n_node):
        for e in range(start[i], start[i + 1]):
            j = neighbour[e]
            if j > i:
                if community[i] == community[j]:
                    count[0] += 1
                    total[0] += value[e] - effects.inner[i] - effects.inner[j]
                else:
                    count[1] += 1
                    total[1] += value[e] - effects.outer[i] - effects.outer[j]
    for c in range(2):
        effects.mean[c] = total[c] / count[c] if count[c] > 0 else total[1 - c] / count[1 - c]
    square = 0.0
    for i in range(n_node):
        for e in range(start[i], start[i + 1]):
            j = neighbour[e]
            if j > i:
                rest = residual(i, j, value[e], community, effects)
                c = 0 if community[i] == community[j] else 1
                square += rest * rest + effects.unsure[i, c] + effects.unsure[j, c]
    effects.noise[0] = max(square / (count[0] + count[1]), least)
    if with_prior:
        moment = np.zeros(3)
        for i in range(n_node):
            moment[0] += effects.inner[i] ** 2 + effects.unsure[i, 0]
            moment[1] += effects.outer[i] ** 2 + effects.unsure[i, 1]
            moment[2] += effects.inner[i] * effects.outer[i] + effects.unsure[i, 2]
        effects.prior[0] = max(moment[0] / n_node, least)
        effects.prior[1] = max(moment[1] / n_node, least)
        limit = _MOST_CORRELATED * math.sqrt(effects.prior[0] * effects.prior[1])
        effects.prior[2] = min(max(moment[2] / n_node, -limit), limit)


@njit(cache=True)
def residual(i: int, j: int, value: float, community: Ints, effects: Effects) -> float:
    """What an edge's value has beside its mean and the effects of its ends."""
    if community[i] == community[j]:
        return float(value - effects.mean[0] - effects.inner[i] - effects.inner[j])
    return float(value - effects.mean[1] - effects.outer[i] - effects.outer[j])


@njit(cache=True)
def weights_length(
    start: Ints, neighbour: Ints, value: Floats, community: Ints, effects: Effects, most_rounds: int
) -> float:
    """Description length of the values given communities, in nats, after fitting the effects.

    Parameters
    ----------
    start, neighbour, value
        As in `Edges`.
    community : (n_node,)
        Community of each node.
    effects : Effects
        Where to start; changed in place.
    most_rounds : int
        Rounds of updates, which end earlier where the length no longer changes.
    """
    state = np.zeros(1, dtype=np.uint64)
    least = LEAST_SHARE * np.var(value)
    last = np.inf
    for rounds in range(most_rounds + 1):
        begun, draw = rounds > 0, rounds < 0  # of True and False, numba would compile versions of their own
        if begun:
            for i in range(community.size):
                update_node(i, start, neighbour, value, community, effects, draw, state)
        update_shared(start, neighbour, value, community, effects, least, begun)
        if begun and rounds % 10 == 0:
            length = _length(start, neighbour, value, community, effects)
            if abs(last - length) < 0.05:
                break
            last = length
    return float(_length(start, neighbour, value, community, effects))


@njit(cache=True)
def _length(start: Ints, neighbour: Ints, value: Floats, community: Ints, effects: Effects) -> float:
    """Laplace's integral over effects, node by node, and half a logarithm of the edges for each fitted number."""
    noise, prior = effects.noise[0], effects.prior
    inner, outer, both = precision(prior)
    spread = math.log(prior[0] * prior[1] - prior[2] * prior[2])
    n_edge = value.size / 2
    length = 0.5 * n_edge * math.log(2 * math.pi * noise)
    n_between = 0
    for i in range(community.size):
        count = np.zeros(2)
        for e in range(start[i], start[i + 1]):
            j = neighbour[e]
            count[0 if community[i] == community[j] else 1] += 1
            if j > i:
                rest = residual(i, j, value[e], community, effects)
                length += 0.5 * rest * rest / noise
        u, v = effects.inner[i], effects.outer[i]
        length += 0.5 * (inner * u * u + outer * v * v + 2 * both * u * v)
        length += 0.5 * (math.log((inner + count[0] / noise) * (outer + count[1] / noise) - both * both) + spread)
        n_between += int(count[1])
    n_fitted = 6 if n_between else 3
    return length + 0.5 * n_fitted * math.log(n_edge)


@njit(cache=True)
def _normal(state: State) -> float:
    """A normal number (Box & Muller)."""
    return math.sqrt(-2.0 * math.log(1.0 - uniform(state))) * math.cos(2.0 * math.pi * uniform(state))
